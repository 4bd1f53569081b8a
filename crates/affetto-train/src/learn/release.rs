//! From a run's folder to the files that ship: decoder, conditions and prior in one safetensors file, and its sizes
//! and settings as JSON.

use std::collections::HashMap;
use std::path::Path;

use affetto_engine::Checkpoint;
use affetto_models::decoder::DecoderConfig;
use affetto_score::codec::STREAMS;
use burn::tensor::Device;

use super::checkpoint;
use super::export::{self, NamedTensor, Storage};
use super::lara::score::load_merged;
use super::network::Network;
use super::prior::train_prior;
use super::score::{Captions, ScoreRun, windows};
use crate::config::TrainConfig;
use crate::corpora::Split;
use crate::error::TrainError;
use crate::model_file::ModelFile;

/// The prior's weights within a run's folder.
pub const PRIOR_FILE: &str = "prior.safetensors";

/// Trains the attribute prior on a run's corpora and writes it into the run's folder.
///
/// # Errors
/// Whatever keeps it from reading its data or writing its results.
pub fn run_prior(run: &ScoreRun, windows_seen: usize, epochs: usize) -> Result<(), TrainError> {
    let config = TrainConfig::read(&run.config)?;
    let source = windows(run, &config, Split::Train)?;
    let captions = Captions::open(&run.assets)?;
    let (tensors, losses) = train_prior(&source, &captions, windows_seen, epochs, config.train.seed);
    eprintln!("prior: held-out loss of meter, key, instrument, tempo, density: {losses:.3?}");
    std::fs::create_dir_all(&run.run_dir).map_err(|source| TrainError::Write { path: run.run_dir.clone(), source })?;
    export::write(&run.run_dir.join(PRIOR_FILE), &tensors, Storage::F32, HashMap::new())
}

/// Writes the newest checkpoint of a run with its prior to `out/model.safetensors` (int8) and `out/config.json`;
/// name, licences and generation settings of a `config.json` that is there already are kept.
///
/// # Errors
/// A run without checkpoint or prior, a `config.json` that can't be read, or files that can't be written; what was in
/// `out` then stays.
pub fn release(run: &ScoreRun, out: &Path) -> Result<(), TrainError> {
    let before = ModelFile::read(out)?;
    let config = TrainConfig::read(&run.config)?;
    let device = Device::default();
    let network = Network::new(&config.model, &device);
    let none = || TrainError::Checkpoint { path: run.run_dir.clone(), what: "there is no checkpoint yet".into() };
    let state = checkpoint::newest_state(&run.run_dir)?.ok_or_else(none)?;
    let network = match load_merged(&run.run_dir, &config)? {
        Some(network) => network,
        None => checkpoint::load_model(&run.run_dir, network)?.ok_or_else(none)?,
    };
    let mut tensors = export::tensors(&network, &config.model);
    tensors.extend(read_prior(&run.run_dir.join(PRIOR_FILE))?);
    std::fs::create_dir_all(out).map_err(|source| TrainError::Write { path: out.into(), source })?;
    let trained = format!("{} steps, {} notes", state.step, state.notes);
    let metadata = HashMap::from([("trained".to_owned(), trained)]);
    let decoder = DecoderConfig {
        vocab_sizes: config.model.vocab_sizes.clone(),
        delays: (0..STREAMS).collect(),
        hidden_size: config.model.hidden_size,
        num_hidden_layers: config.model.num_hidden_layers,
        num_attention_heads: config.model.num_attention_heads,
        ffn_dim: config.model.ffn_dim,
        max_window: config.model.window + STREAMS - 1,
    };
    ModelFile::after(before, decoder).write_with(out, |path| export::write(path, &tensors, Storage::Int8, metadata))
}

/// All tensors of a prior's file, as float32.
pub(super) fn read_prior(path: &Path) -> Result<Vec<NamedTensor>, TrainError> {
    let data = |e: affetto_engine::EngineError| TrainError::Data(e.to_string());
    let checkpoint = Checkpoint::open(path).map_err(data)?;
    let names: Vec<String> = checkpoint.names().into_iter().map(str::to_owned).collect();
    names
        .into_iter()
        .map(|name| {
            let shape = checkpoint.shape(&name).map_err(data)?.to_vec();
            let values = checkpoint.tensor_f32(&name, &shape).map_err(data)?;
            Ok(NamedTensor { name, shape, values })
        })
        .collect()
}
