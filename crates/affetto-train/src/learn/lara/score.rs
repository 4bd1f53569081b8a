//! `train lara` for the score family: from a run or a model that is there to one whose states are aligned.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use affetto_score::synth::SoundFont;
use serde::{Deserialize, Serialize};

use super::encoder;
use super::examples::{Ears, ScoreExamples, deciding_files, scale_of, soundfont};
use super::model::{LaraModel, ScoreLara};
use crate::config::{LaraConfig, TrainConfig};
use crate::corpora::Split;
use crate::error::TrainError;
use crate::learn::checkpoint;
use crate::learn::export::{self, Storage};
use crate::learn::import;
use crate::learn::network::Network;
use crate::learn::release::{PRIOR_FILE, read_prior};
use crate::learn::score::{Captions, ScoreRun, windows_of};
use crate::learn::trainer::{LoopRun, VALIDATION_BATCHES, train_with};
use crate::model_file::WEIGHTS_FILE;

/// The settings of a LARA run within its folder: what its checkpoints are made of.
const SETTINGS_FILE: &str = "lara.json";

/// What a LARA run needs besides a [`ScoreRun`].
#[derive(Clone, Debug, Default)]
pub struct LaraRun {
    /// Folder of a run with a checkpoint, or of a `model.safetensors`: what a new run begins with.
    pub init: PathBuf,
    /// MERT's folder or id, where the configuration names it as the network that hears.
    pub mert: Option<String>,
    /// Folder of feature caches.
    pub features: PathBuf,
    /// Instead of the configuration's seed.
    pub seed: Option<u64>,
    /// Instead of the configuration's λ.
    pub lambda: Option<f32>,
    /// Instead of the configuration's layer.
    pub layer: Option<usize>,
    /// The model is never told the feeling but in words.
    pub words_only: bool,
}

/// What is kept of a LARA run's settings beside its checkpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    lara: LaraConfig,
    seed: u64,
    /// Width of the features.
    width: usize,
}

impl Settings {
    fn read(run_dir: &Path) -> Result<Option<Settings>, TrainError> {
        let path = run_dir.join(SETTINGS_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).map(Some).map_err(|e| TrainError::Checkpoint { path, what: e.to_string() })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TrainError::Read { path, source }),
        }
    }

    /// Writes the settings into a new run's folder, or checks that an old run had the same.
    fn keep(&self, run_dir: &Path) -> Result<(), TrainError> {
        let path = run_dir.join(SETTINGS_FILE);
        match Settings::read(run_dir)? {
            Some(before) if before == *self => Ok(()),
            Some(before) => Err(TrainError::Checkpoint {
                path,
                what: format!("it was begun with {before:?}, now asked for is {self:?}"),
            }),
            None => {
                let io = |source| TrainError::Write { path: path.clone(), source };
                std::fs::create_dir_all(run_dir).map_err(io)?;
                std::fs::write(&path, serde_json::to_string_pretty(self).expect("settings are plain data")).map_err(io)
            }
        }
    }
}

/// Trains the score model with LARA and writes `model.safetensors` (float32) into the run's folder, beside the prior of
/// what it began with. `told` hears what is rendered and heard first: (part, done, total).
///
/// # Errors
/// Whatever keeps it from reading its data or writing its results; a run's folder that was begun with other settings.
pub fn train_lara(
    run: &ScoreRun,
    how: &LaraRun,
    told: &mut dyn FnMut(&'static str, usize, usize),
) -> Result<(), TrainError> {
    let mut config = TrainConfig::read(&run.config)?;
    let Some(mut lara) = config.lara.clone() else {
        let what = "there is no [lara] table; configs/lara.toml has one".into();
        return Err(TrainError::Config { path: run.config.clone(), what });
    };
    config.train.seed = how.seed.unwrap_or(config.train.seed);
    lara.lambda = how.lambda.unwrap_or(lara.lambda);
    lara.layer = how.layer.or(lara.layer);
    if how.words_only {
        config.train.dropout.emotion = 1.0;
    }
    let wrong = |what| TrainError::Config { path: run.config.clone(), what };
    lara.check(config.model.num_hidden_layers).map_err(wrong)?;
    let encoder = encoder::open(&run.assets, how.mert.as_deref(), &lara)?;
    Settings { lara: lara.clone(), seed: config.train.seed, width: encoder.width() }.keep(&run.run_dir)?;
    keep_prior(&how.init, &run.run_dir)?;
    let font = SoundFont::open(soundfont(&run.assets)).map_err(|e| TrainError::Data(e.to_string()))?;
    let ears = Ears {
        encoder: encoder.as_ref(),
        font: &font,
        files: deciding_files(&run.corpus, &run.assets),
        folder: how.features.clone(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut scale = None;
    let mut part = |name: &'static str, split, count| -> Result<ScoreExamples, TrainError> {
        let windows = windows_of(run, &config, split, lara.window_seed)?;
        let part = format!("{name} windows, seed {}, {} rows", lara.window_seed, config.model.window);
        let cache = ears.hear(&windows, count, &part, &mut |done, total| told(name, done, total))?;
        let scale = scale.get_or_insert_with(|| scale_of(&cache, count, &lara)).clone();
        Ok(ScoreExamples::new(windows, cache, count, scale, lara.window_seconds))
    };
    let training = part("training", Split::Train, lara.windows)?;
    let validation = part("held-out", Split::Valid, VALIDATION_BATCHES * config.train.batch_size)?;
    let captions = Captions::open(&run.assets)?;
    let objective = ScoreLara {
        config: &config,
        lara: &lara,
        training: &training,
        validation: &validation,
        text: &|caption| captions.states(caption),
        begin: &|network| begin(&how.init, network),
    };
    let loop_run = LoopRun { config: &config.train, run_dir: &run.run_dir, hours: run.hours, steps: run.steps };
    let model = train_with(&loop_run, &objective)?;
    let tensors = export::tensors(&model.merged(), &config.model);
    export::write(&run.run_dir.join(WEIGHTS_FILE), &tensors, Storage::F32, HashMap::new())
}

/// The network of the newest checkpoint in `init`, else of its `model.safetensors`.
fn begin(init: &Path, network: Network) -> Result<Network, TrainError> {
    // A checkpoint that does not fit may be one of LARA's own: its merged weights lie beside it.
    match checkpoint::load_model(init, network.clone()) {
        Ok(Some(network)) => Ok(network),
        Ok(None) | Err(_) if init.join(WEIGHTS_FILE).is_file() => import::read(&init.join(WEIGHTS_FILE), network),
        Ok(None) => {
            let what = format!("neither a checkpoint nor {WEIGHTS_FILE} to begin with");
            Err(TrainError::Checkpoint { path: init.into(), what })
        }
        Err(error) => Err(error),
    }
}

/// Puts the prior of what a run begins with into its folder, where there is one and none there yet.
fn keep_prior(init: &Path, run_dir: &Path) -> Result<(), TrainError> {
    let target = run_dir.join(PRIOR_FILE);
    let source = [init.join(PRIOR_FILE), init.join(WEIGHTS_FILE)].into_iter().find(|path| path.is_file());
    let Some(source) = source.filter(|_| !target.exists()) else { return Ok(()) };
    let prior: Vec<_> = read_prior(&source)?.into_iter().filter(|t| t.name.starts_with("prior.")).collect();
    if prior.is_empty() { Ok(()) } else { export::write(&target, &prior, Storage::F32, HashMap::new()) }
}

/// The score model of a LARA run's newest checkpoint, adapters merged; `None` where the folder is no LARA run's or has no
/// checkpoint yet.
///
/// # Errors
/// A checkpoint that can't be read or does not fit.
pub fn load_merged(run_dir: &Path, config: &TrainConfig) -> Result<Option<Network>, TrainError> {
    let Some(settings) = Settings::read(run_dir)? else { return Ok(None) };
    let model = LaraModel::new(config, &settings.lara, settings.width, &burn::tensor::Device::default());
    Ok(checkpoint::load_model(run_dir, model)?.map(|model| model.merged()))
}
