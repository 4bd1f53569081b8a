//! A configuration with `[musicgen]`: `affetto train lara` on a MusicGen model.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::LaraConfig;
use crate::error::TrainError;

/// Everything one training run of a MusicGen model needs to know. Paths are taken from where the command runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MusicGenTrainConfig {
    /// The model and its clips.
    pub musicgen: MusicGenData,
    /// The loop.
    pub train: MusicGenLoop,
    /// Alignment of hidden states.
    pub lara: LaraConfig,
}

/// What is trained, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MusicGenData {
    /// The model to begin with: a folder, or an id in the Hugging Face cache. A text model.
    pub model: String,
    /// Training clips: a CSV with the columns `file`, `valence`, `arousal` and, if there are words, `text`. Files are
    /// named from the folder of the CSV.
    pub clips: PathBuf,
    /// Held-out clips, alike.
    #[serde(default)]
    pub validation: Option<PathBuf>,
    /// The scale of valence and arousal.
    #[serde(default)]
    pub scale: EmotionScale,
    /// Seconds of each file that are used, from its start.
    #[serde(default = "clip_seconds")]
    pub clip_seconds: f64,
    /// Seconds of a training sequence: a stretch of a clip, drawn anew each time. The whole clip unless said otherwise.
    #[serde(default)]
    pub crop_seconds: Option<f64>,
    /// Condition tokens of a feeling.
    #[serde(default = "tokens")]
    pub tokens: usize,
}

fn clip_seconds() -> f64 {
    30.0
}

fn tokens() -> usize {
    4
}

/// The scale that valence and arousal are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmotionScale {
    /// Whichever of the two fits all numbers of the file.
    #[default]
    Detect,
    /// From -1 to 1.
    Unit,
    /// From 1 to 9, as questionnaires have it: (x − 5) / 4.
    OneToNine,
}

/// The training loop of a MusicGen model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MusicGenLoop {
    /// Seed of new weights, crops and dropout.
    pub seed: u64,
    /// Sequences in a batch.
    pub batch_size: usize,
    /// Steps from first to last.
    pub steps: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps until the learning rate is reached.
    #[serde(default)]
    pub warmup_steps: usize,
    /// Share of the steps, at the end, over which the learning rate falls to zero.
    #[serde(default)]
    pub decay_share: f64,
    /// Weight decay of AdamW.
    #[serde(default)]
    pub weight_decay: f32,
    /// Steps between two validations.
    #[serde(default = "validate_every")]
    pub validate_every: usize,
    /// Minutes between two checkpoints.
    #[serde(default = "checkpoint_minutes")]
    pub checkpoint_minutes: f64,
    /// Shares of sequences that are not told a condition.
    #[serde(default)]
    pub dropout: EmotionDropout,
}

fn validate_every() -> usize {
    200
}

fn checkpoint_minutes() -> f64 {
    10.0
}

/// Probability that a sequence's condition is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmotionDropout {
    /// All of them at once: the null branch of guidance.
    pub all: f32,
    /// Words alone.
    pub text: f32,
    /// Valence and arousal alone.
    pub emotion: f32,
}

impl Default for EmotionDropout {
    /// A tenth of the sequences without any condition, for guidance.
    fn default() -> Self {
        EmotionDropout { all: 0.1, text: 0.1, emotion: 0.1 }
    }
}

impl EmotionDropout {
    /// Nothing is withheld.
    pub const NONE: EmotionDropout = EmotionDropout { all: 0.0, text: 0.0, emotion: 0.0 };
}

impl MusicGenTrainConfig {
    /// Whether a file is one of these: it has the table `[musicgen]`.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn is_one(path: &Path) -> Result<bool, TrainError> {
        let text = std::fs::read_to_string(path).map_err(|source| TrainError::Read { path: path.into(), source })?;
        Ok(text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("musicgen")))
    }

    /// Reads and checks a configuration file. What depends on the model's sizes is checked when it is opened.
    ///
    /// # Errors
    /// A file that can't be read, is not TOML of this shape, or asks for the impossible.
    pub fn read(path: &Path) -> Result<MusicGenTrainConfig, TrainError> {
        let text = std::fs::read_to_string(path).map_err(|source| TrainError::Read { path: path.into(), source })?;
        let wrong = |what: String| TrainError::Config { path: path.into(), what };
        let config: MusicGenTrainConfig = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// In words, the first that is impossible.
    pub fn check(&self) -> Result<(), String> {
        let data = &self.musicgen;
        let within = |name: &str, x: f64, low: f64, high: f64| match (low..=high).contains(&x) {
            true => Ok(()),
            false => Err(format!("{name} {x}, expected {low} to {high}")),
        };
        within("musicgen.clip_seconds", data.clip_seconds, 0.5, 600.0)?;
        within("musicgen.crop_seconds", data.crop_seconds.unwrap_or(1.0), 0.1, 30.0)?;
        within("musicgen.tokens", data.tokens as f64, 1.0, 64.0)?;
        let train = &self.train;
        within("train.batch_size", train.batch_size as f64, 1.0, 4096.0)?;
        within("train.steps", train.steps as f64, 1.0, 1e9)?;
        within("train.learning_rate", train.learning_rate, 0.0, 10.0)?;
        within("train.decay_share", train.decay_share, 0.0, 1.0)?;
        within("train.validate_every", train.validate_every as f64, 1.0, 1e9)?;
        for (name, share) in
            [("all", train.dropout.all), ("text", train.dropout.text), ("emotion", train.dropout.emotion)]
        {
            within(&format!("train.dropout.{name}"), f64::from(share), 0.0, 1.0)?;
        }
        self.lara.check(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[musicgen]\nmodel = \"m\"\nclips = \"c.csv\"\n[train]\nseed = 1\nbatch_size = 2\nsteps = 3\n\
                         learning_rate = 1e-4\n[lara]\nlambda = 0.5\n";

    #[test]
    fn a_short_file_is_enough_and_mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            MusicGenTrainConfig::read(&path).map_err(|e| e.to_string())
        };
        let config = read(LEAST).unwrap();
        assert!(MusicGenTrainConfig::is_one(&path).unwrap());
        assert_eq!((config.musicgen.tokens, config.musicgen.scale), (4, EmotionScale::Detect));
        assert!(read(&LEAST.replace("seed = 1", "seed = 1\nsede = 1")).unwrap_err().contains("sede"));
        assert!(read(&LEAST.replace("batch_size = 2", "batch_size = 0")).unwrap_err().contains("batch_size 0"));
        assert!(read(&LEAST.replace("lambda = 0.5", "lambda = -1")).unwrap_err().contains("lambda -1"));
        assert!(read(&LEAST.replace("clips", "tokens = 900\nclips")).unwrap_err().contains("tokens 900"));
        std::fs::write(&path, "[model]\n").unwrap();
        assert!(!MusicGenTrainConfig::is_one(&path).unwrap());
    }
}
