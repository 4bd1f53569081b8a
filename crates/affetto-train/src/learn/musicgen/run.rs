//! `train lara` for MusicGen: from a configuration file to a folder with the trained model and its AV encoder.

use std::path::{Path, PathBuf};

use affetto_models::ModelFolder;
use affetto_models::musicgen::MusicGenConfig;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::clips;
use super::export;
use super::model::{LaraMusicGen, MusicGenLara, loop_config};
use super::network::MusicGenNetwork;
use super::prepared::Ears;
use crate::config::MusicGenTrainConfig;
use crate::error::TrainError;
use crate::learn::lara::{encoder, settings};
use crate::learn::trainer::{LoopRun, train_with};

/// The folder of the trained model within a run's folder.
pub const MODEL_FOLDER: &str = "model";

/// Where a run finds what it needs, and how long it may take.
#[derive(Clone, Debug, Default)]
pub struct MusicGenRun {
    /// The configuration file.
    pub config: PathBuf,
    /// Checkpoints, log and, at the end, the folder `model`.
    pub run_dir: PathBuf,
    /// The repository's `assets/` folder: MusiCNN.
    pub assets: PathBuf,
    /// Folder of MERT, or its id in the Hugging Face cache; where the configuration asks for it.
    pub mert: Option<String>,
    /// Folder of feature caches.
    pub features: PathBuf,
    /// Train for this long instead of the configured steps.
    pub hours: Option<f64>,
    /// End at this step.
    pub steps: Option<usize>,
    /// Instead of the configuration's seed.
    pub seed: Option<u64>,
    /// Instead of the configuration's λ.
    pub lambda: Option<f32>,
    /// Instead of the configuration's layer.
    pub layer: Option<usize>,
}

/// What is kept of a run's settings beside its checkpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    config: MusicGenTrainConfig,
    /// The network that hears.
    encoder: String,
}

fn data(error: impl std::fmt::Display) -> TrainError {
    TrainError::Data(error.to_string())
}

/// Trains a MusicGen model with LARA, or goes on with a run that was cut off, and writes the folder `model` into the
/// run's: as the model's authors publish it, with `av_encoder.safetensors` beside. `told` hears what is coded and heard
/// first: (part, done, total).
///
/// # Errors
/// Whatever keeps it from reading its data or writing its results; a run's folder that was begun with other settings.
pub fn train_lara(run: &MusicGenRun, told: &mut dyn FnMut(&'static str, usize, usize)) -> Result<(), TrainError> {
    let mut config = MusicGenTrainConfig::read(&run.config)?;
    config.train.seed = run.seed.unwrap_or(config.train.seed);
    config.lara.lambda = run.lambda.unwrap_or(config.lara.lambda);
    config.lara.layer = run.layer.or(config.lara.layer);
    let folder = ModelFolder::open(&config.musicgen.model).map_err(data)?;
    if let Some(stored) = folder.quantization() {
        let what = format!("stored as {stored}; train the model it was quantised from");
        return Err(TrainError::Data(format!("{}: {what}", folder.path().display())));
    }
    let sizes = MusicGenConfig::from_json(folder.config()).map_err(data)?;
    let wrong = |what| TrainError::Config { path: run.config.clone(), what };
    config.lara.check(sizes.decoder.num_hidden_layers).map_err(wrong)?;
    let random = Device::default();
    MusicGenNetwork::load(folder.checkpoint(), &sizes, config.musicgen.tokens, &random)?;
    let encoder = encoder::open(&run.assets, run.mert.as_deref(), &config.lara)?;
    let kept = Settings { config: config.clone(), encoder: encoder.name() };
    settings::keep(&run.run_dir, &kept, fixed)?;

    let ears = Ears {
        folder: &folder,
        config: &sizes,
        encoder: encoder.as_ref(),
        caches: &run.features,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut scale = None;
    let mut part = |list: &Path| {
        let clips = clips::read(list, config.musicgen.scale)?;
        ears.prepare(&clips, (&config.musicgen, &config.lara), &mut scale, told)
    };
    let training = part(&config.musicgen.clips)?;
    let held_out = config.musicgen.validation.as_deref().map(part).transpose()?;
    let train = loop_config(&config.train, sizes.decoder.streams());
    let objective = MusicGenLara {
        checkpoint: folder.checkpoint(),
        sizes: &sizes,
        config: &config,
        train: &train,
        training: &training,
        validation: held_out.as_ref().unwrap_or(&training),
        streams: stream_names(&sizes),
    };
    let loop_run = LoopRun { config: &train, run_dir: &run.run_dir, hours: run.hours, steps: run.steps };
    let model: LaraMusicGen = train_with(&loop_run, &objective)?;
    let trained = format!(
        "LARA on {}: {} clips, lambda {}, layer {}, {}, seed {}",
        folder.name(),
        training.len(),
        config.lara.lambda,
        config.lara.tapped(sizes.decoder.num_hidden_layers),
        encoder.name(),
        train.seed
    );
    export::write_folder(&model.merged(), &sizes, &folder, &run.run_dir.join(MODEL_FOLDER), &trained)
}

/// `1`, `2` …, or `1L`, `1R`, `2L` …, as in `take.json`.
fn stream_names(sizes: &MusicGenConfig) -> Vec<String> {
    let side = |k: usize| if sizes.channels == 2 { ["L", "R"][k % 2] } else { "" };
    (0..sizes.decoder.streams()).map(|k| format!("{}{}", k / sizes.channels + 1, side(k))).collect()
}

/// What must not change within a run: all but its length, and how often it is checked and saved.
fn fixed(settings: &Settings) -> Settings {
    let mut fixed = settings.clone();
    let train = &mut fixed.config.train;
    (train.steps, train.validate_every, train.checkpoint_minutes) = (1, 1, 0.0);
    fixed
}
