//! Training of the score model, from a configuration file to weights that ship.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use affetto_engine::Checkpoint;
use affetto_judge::notes::NotesJudge;
use affetto_models::minilm::MiniLm;

use super::checkpoint;
use super::export::{self, Storage};
use super::init;
use super::trainer::{TrainRun, train};
use crate::config::TrainConfig;
use crate::corpora::{Corpus, Split};
use crate::error::TrainError;
use crate::windows::{DEFAULT_WEIGHTS, ScoreWindows};

/// Captions whose token states are kept.
const CACHED_CAPTIONS: usize = 20_000;

/// Where a run finds what it needs, and how long it may take.
#[derive(Clone, Debug)]
pub struct ScoreRun {
    /// The configuration file.
    pub config: PathBuf,
    /// The corpus cache that `prepare` writes.
    pub corpus: PathBuf,
    /// The repository's `assets/` folder: text encoder and label regressor.
    pub assets: PathBuf,
    /// Checkpoints, log and, at the end, `model.safetensors`.
    pub run_dir: PathBuf,
    /// Train for this long instead of the configured steps.
    pub hours: Option<f64>,
    /// End at this step.
    pub steps: Option<usize>,
}

/// The text encoder behind captions, with a memory.
pub struct Captions {
    model: MiniLm,
    known: Mutex<HashMap<String, Arc<Vec<f32>>>>,
}

impl Captions {
    /// Opens MiniLM in an assets folder.
    ///
    /// # Errors
    /// A file that is missing or broken.
    pub fn open(assets: &Path) -> Result<Captions, TrainError> {
        let folder = assets.join("minilm");
        let shards = [folder.join("embeddings.safetensors"), folder.join("encoder.safetensors")];
        let weights = Checkpoint::open_shards(shards).map_err(|e| TrainError::Data(e.to_string()))?;
        let path = folder.join("vocab.txt");
        let vocabulary = std::fs::read(&path).map_err(|source| TrainError::Read { path, source })?;
        let model = MiniLm::from_parts(&weights, &vocabulary).map_err(|e| TrainError::Data(e.to_string()))?;
        Ok(Captions { model, known: Mutex::new(HashMap::new()) })
    }

    /// Token states of a caption, `[tokens × 384]`.
    pub fn states(&self, caption: &str) -> Vec<f32> {
        if let Some(states) = self.lock().get(caption) {
            return states.as_ref().clone();
        }
        let states = self.model.encode(caption).hidden;
        let mut known = self.lock();
        if known.len() >= CACHED_CAPTIONS {
            known.clear();
        }
        known.insert(caption.to_owned(), Arc::new(states.clone()));
        states
    }

    /// The sentence embedding of a caption, `[384]`.
    pub fn sentence(&self, caption: &str) -> Vec<f32> {
        self.model.sentence_embedding(caption)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Vec<f32>>>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Weights of the corpora a configuration names; the defaults where it names none.
///
/// # Errors
/// A name that is no corpus.
pub fn corpus_weights(config: &TrainConfig) -> Result<Vec<(Corpus, f32)>, TrainError> {
    if config.data.corpora.is_empty() {
        return Ok(DEFAULT_WEIGHTS.to_vec());
    }
    let named = |entry: &crate::config::CorpusWeight| {
        DEFAULT_WEIGHTS
            .iter()
            .map(|(corpus, _)| *corpus)
            .find(|corpus| corpus.name() == entry.name)
            .map(|corpus| (corpus, entry.weight as f32))
            .ok_or_else(|| {
                let names: Vec<&str> = DEFAULT_WEIGHTS.iter().map(|(corpus, _)| corpus.name()).collect();
                TrainError::Data(format!("corpus {:?}: unknown; expected one of {}", entry.name, names.join(", ")))
            })
    };
    config.data.corpora.iter().map(named).collect()
}

/// Opens the windows of one split of a run's corpora.
///
/// # Errors
/// A cache, label regressor or configuration that does not serve.
pub fn windows(run: &ScoreRun, config: &TrainConfig, split: Split) -> Result<ScoreWindows, TrainError> {
    windows_of(run, config, split, config.train.seed)
}

/// As [`windows`], drawn by another seed than the loop's.
///
/// # Errors
/// As [`windows`].
pub fn windows_of(run: &ScoreRun, config: &TrainConfig, split: Split, seed: u64) -> Result<ScoreWindows, TrainError> {
    let path = run.assets.join("research/label-regressor.json");
    let json = std::fs::read_to_string(&path).map_err(|source| TrainError::Read { path, source })?;
    let judge = NotesJudge::load(&json).map_err(|e| TrainError::Data(e.to_string()))?;
    let weights = corpus_weights(config)?;
    ScoreWindows::open(&run.corpus, judge, &weights, split, seed, config.model.window)
        .map_err(|e| TrainError::Data(e.to_string()))
}

/// Trains the score model and writes `model.safetensors` (float32) into the run's folder. A new run begins with the run or
/// model in the folder `init`, and with its prior, where one is named; one that has a checkpoint goes on from that.
///
/// # Errors
/// Whatever keeps it from reading its data or writing its results.
pub fn train_score(run: &ScoreRun, init: Option<&Path>) -> Result<(), TrainError> {
    let config = TrainConfig::read(&run.config)?;
    let training = windows(run, &config, Split::Train)?;
    let validation = windows(run, &config, Split::Valid)?;
    let captions = Captions::open(&run.assets)?;
    let newest = checkpoint::newest_state(&run.run_dir)?;
    if let Some(init) = init.filter(|_| newest.is_none()) {
        std::fs::create_dir_all(&run.run_dir)
            .map_err(|source| TrainError::Write { path: run.run_dir.clone(), source })?;
        init::keep_prior(init, &run.run_dir)?;
    }
    let network = train(&TrainRun {
        config: &config,
        run_dir: &run.run_dir,
        training: &training,
        validation: &validation,
        text: &|caption| captions.states(caption),
        init,
        hours: run.hours,
        steps: run.steps,
    })?;
    let tensors = export::tensors(&network, &config.model);
    export::write(&run.run_dir.join("model.safetensors"), &tensors, Storage::F32, HashMap::new())
}
