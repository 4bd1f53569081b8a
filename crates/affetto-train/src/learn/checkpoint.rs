//! Checkpoints of a run: a folder each, written whole or not at all; the last two are kept.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Steps done.
    pub step: usize,
    /// Steps of the whole run: its learning rate falls to zero there. With a budget of time, what was last expected.
    pub total_steps: usize,
    /// Notes seen.
    pub notes: usize,
    /// Seconds of training so far.
    pub seconds: f64,
    /// The run ends after this many seconds of training, whatever the steps.
    #[serde(default)]
    pub budget_seconds: Option<f64>,
}

impl RunState {
    /// Share of the run that is done.
    pub fn done(&self) -> f64 {
        match self.budget_seconds {
            Some(budget) => self.seconds / budget.max(1.0),
            None => self.step as f64 / self.total_steps.max(1) as f64,
        }
    }
}

const KEPT: usize = 2;

/// Saves a checkpoint under `run_dir` and removes all but the newest two.
///
/// # Errors
/// A folder that can't be written.
pub fn save<M: Module>(
    run_dir: &Path,
    state: &RunState,
    network: &M,
    optimizer: &ModuleOptimizer,
) -> Result<(), TrainError> {
    let target = run_dir.join(format!("checkpoint-{:08}", state.step));
    let part = run_dir.join(format!("checkpoint-{:08}.part", state.step));
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| TrainError::Write { path, source }
    };
    let record = |path: PathBuf| {
        move |e: burn::store::RecordError| TrainError::Write { path, source: std::io::Error::other(e.to_string()) }
    };
    if part.exists() {
        std::fs::remove_dir_all(&part).map_err(io(&part))?;
    }
    std::fs::create_dir_all(&part).map_err(io(&part))?;
    network.clone().save_file(part.join("network")).map_err(record(part.join("network")))?;
    optimizer.save(part.join("optimizer")).map_err(record(part.join("optimizer")))?;
    let json = serde_json::to_string_pretty(state).expect("a state is plain data");
    std::fs::write(part.join("state.json"), json).map_err(io(&part))?;
    if target.exists() {
        std::fs::remove_dir_all(&target).map_err(io(&target))?;
    }
    std::fs::rename(&part, &target).map_err(io(&target))?;
    let all = list(run_dir);
    for old in &all[..all.len().saturating_sub(KEPT)] {
        std::fs::remove_dir_all(old).map_err(io(old))?;
    }
    Ok(())
}

/// Loads the newest checkpoint of `run_dir` into a network and optimizer; `None` if there is none.
///
/// # Errors
/// A checkpoint that can't be read or does not fit.
pub fn load<M: Module>(
    run_dir: &Path,
    network: M,
    optimizer: ModuleOptimizer,
) -> Result<(M, ModuleOptimizer, Option<RunState>), TrainError> {
    let Some(folder) = list(run_dir).pop() else { return Ok((network, optimizer, None)) };
    let wrong = |what: String| TrainError::Checkpoint { path: folder.clone(), what };
    let state = newest_state(run_dir)?;
    let network = network.try_load_file(folder.join("network")).map_err(|e| wrong(e.to_string()))?;
    let optimizer = optimizer.load(folder.join("optimizer")).map_err(|e| wrong(e.to_string()))?;
    Ok((network, optimizer, state))
}

/// Where the newest checkpoint of `run_dir` stands; `None` if there is none.
///
/// # Errors
/// A checkpoint that can't be read.
pub fn newest_state(run_dir: &Path) -> Result<Option<RunState>, TrainError> {
    let Some(folder) = list(run_dir).pop() else { return Ok(None) };
    let wrong = |what: String| TrainError::Checkpoint { path: folder.clone(), what };
    let text = std::fs::read_to_string(folder.join("state.json")).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_str(&text).map(Some).map_err(|e| wrong(e.to_string()))
}

/// The newest checkpoint of `run_dir` with its model alone, for other ends than going on; `None` if there is none.
///
/// # Errors
/// A checkpoint that can't be read or does not fit.
pub fn load_model<M: Module>(run_dir: &Path, network: M) -> Result<Option<M>, TrainError> {
    let Some(folder) = list(run_dir).pop() else { return Ok(None) };
    let wrong = |what: String| TrainError::Checkpoint { path: folder.clone(), what };
    network.try_load_file(folder.join("network")).map(Some).map_err(|e| wrong(e.to_string()))
}

/// Complete checkpoints, oldest first.
fn list(run_dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(run_dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("state.json").exists())
        .filter(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
            name.starts_with("checkpoint-") && !name.ends_with(".part")
        })
        .collect();
    all.sort();
    all
}
