//! What a new run begins with instead of random weights: a run, or a model that ships.

use std::collections::HashMap;
use std::path::Path;

use super::checkpoint;
use super::export::{self, Storage};
use super::import;
use super::lara::settings;
use super::network::Network;
use super::release::{PRIOR_FILE, read_prior};
use crate::error::TrainError;
use crate::model_file::WEIGHTS_FILE;

/// The network of the newest checkpoint in `init`, else of its `model.safetensors`; of a LARA run that has ended, its
/// merged weights, for its checkpoints hold more than the network.
///
/// # Errors
/// A folder without either, or weights of another network.
pub fn network(init: &Path, network: Network) -> Result<Network, TrainError> {
    let of_lara = init.join(settings::FILE).is_file();
    let checkpoint = if of_lara { None } else { checkpoint::load_model(init, network.clone())? };
    let weights = init.join(WEIGHTS_FILE);
    match checkpoint {
        Some(network) => Ok(network),
        None if weights.is_file() => import::read(&weights, network),
        None => {
            let what = if of_lara { "a LARA run that has not ended has no" } else { "neither a checkpoint nor" };
            Err(TrainError::Data(format!("{}: {what} {WEIGHTS_FILE} to begin with (--init)", init.display())))
        }
    }
}

/// Puts the prior of what a run begins with into its folder, where there is one and none there yet.
///
/// # Errors
/// A prior that can't be read or written.
pub fn keep_prior(init: &Path, run_dir: &Path) -> Result<(), TrainError> {
    let target = run_dir.join(PRIOR_FILE);
    let source = [init.join(PRIOR_FILE), init.join(WEIGHTS_FILE)].into_iter().find(|path| path.is_file());
    let Some(source) = source.filter(|_| !target.exists()) else { return Ok(()) };
    let prior: Vec<_> = read_prior(&source)?.into_iter().filter(|t| t.name.starts_with("prior.")).collect();
    if prior.is_empty() { Ok(()) } else { export::write(&target, &prior, Storage::F32, HashMap::new()) }
}

#[cfg(test)]
mod tests {
    use affetto_score::codec::VOCABULARY;
    use burn::tensor::Device;

    use super::network as network_of;
    use super::*;
    use crate::config::ModelConfig;

    #[test]
    fn a_broken_checkpoint_is_not_passed_over() {
        let config = ModelConfig {
            hidden_size: 8,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            ffn_dim: 12,
            window: 16,
            vocab_sizes: VOCABULARY.to_vec(),
        };
        let network = Network::new(&config, &Device::default());
        let folder = tempfile::tempdir().unwrap();
        let init = folder.path();
        assert!(network_of(init, network.clone()).unwrap_err().to_string().contains("neither"));
        let weights = init.join(WEIGHTS_FILE);
        export::write(&weights, &export::tensors(&network, &config), Storage::F32, HashMap::new()).unwrap();
        assert!(network_of(init, network.clone()).is_ok(), "weights alone");
        let broken = init.join("checkpoint-00000007");
        std::fs::create_dir(&broken).unwrap();
        std::fs::write(broken.join("state.json"), "{}").unwrap();
        let error = network_of(init, network.clone()).unwrap_err().to_string();
        assert!(error.contains("checkpoint-00000007"), "{error}");
        std::fs::write(init.join(settings::FILE), "{}").unwrap();
        assert!(network_of(init, network.clone()).is_ok(), "a LARA run has its merged weights");
        std::fs::remove_file(weights).unwrap();
        assert!(network_of(init, network).unwrap_err().to_string().contains("not ended"));
    }
}
