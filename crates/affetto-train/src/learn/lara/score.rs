//! `train lara` for the score family: from a run or a model that is there to one whose states are aligned.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use affetto_score::synth::SoundFont;
use serde::{Deserialize, Serialize};

use super::encoder::{self, SoundEncoder};
use super::examples::{Ears, ScoreExamples, deciding_files, scale_of, soundfont};
use super::model::{LaraModel, ScoreLara};
use super::settings;
use crate::config::{LaraConfig, TrainConfig};
use crate::corpora::Split;
use crate::error::TrainError;
use crate::learn::checkpoint;
use crate::learn::export::{self, Storage};
use crate::learn::init;
use crate::learn::network::Network;
use crate::learn::score::{Captions, ScoreRun, corpus_weights, windows_of};
use crate::learn::trainer::{LoopRun, VALIDATION_BATCHES, train_with};
use crate::model_file::WEIGHTS_FILE;

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
    /// Width of the features.
    width: usize,
    /// All else that is configured, the run's seed included; none in folders of before this was kept.
    #[serde(default)]
    config: Option<TrainConfig>,
    #[serde(default)]
    words_only: bool,
    /// What the run began with.
    #[serde(default)]
    init: PathBuf,
    /// The network that hears.
    #[serde(default)]
    encoder: String,
}

impl Settings {
    /// Those of a run; a run may be lengthened, and is checked and saved as often as one likes.
    fn of(config: &TrainConfig, lara: &LaraConfig, how: &LaraRun, encoder: &dyn SoundEncoder) -> Settings {
        let mut fixed = TrainConfig { lara: None, ..config.clone() };
        (fixed.train.steps, fixed.train.validate_every, fixed.train.checkpoint_minutes) = (1, 1, 0.0);
        Settings {
            lara: lara.clone(),
            width: encoder.width(),
            config: Some(fixed),
            words_only: how.words_only,
            init: how.init.canonicalize().unwrap_or_else(|_| how.init.clone()),
            encoder: encoder.name(),
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
    settings::keep(&run.run_dir, &Settings::of(&config, &lara, how, encoder.as_ref()), Clone::clone)?;
    init::keep_prior(&how.init, &run.run_dir)?;
    let font = SoundFont::open(soundfont(&run.assets)).map_err(|e| TrainError::Data(e.to_string()))?;
    let ears = Ears {
        encoder: encoder.as_ref(),
        font: &font,
        files: deciding_files(&run.corpus, &run.assets),
        corpora: corpus_weights(&config)?,
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
        begin: &|network| init::network(&how.init, network),
    };
    let loop_run = LoopRun { config: &config.train, run_dir: &run.run_dir, hours: run.hours, steps: run.steps };
    let model = train_with(&loop_run, &objective)?;
    let tensors = export::tensors(&model.merged(), &config.model);
    export::write(&run.run_dir.join(WEIGHTS_FILE), &tensors, Storage::F32, HashMap::new())
}

/// The score model of a LARA run's newest checkpoint, adapters merged; `None` where the folder is no LARA run's or has no
/// checkpoint yet.
///
/// # Errors
/// A checkpoint that can't be read or does not fit.
pub fn load_merged(run_dir: &Path, config: &TrainConfig) -> Result<Option<Network>, TrainError> {
    let Some(settings) = settings::read::<Settings>(run_dir)? else { return Ok(None) };
    let model = LaraModel::new(config, &settings.lara, settings.width, &burn::tensor::Device::default());
    Ok(checkpoint::load_model(run_dir, model)?.map(|model| model.merged()))
}
