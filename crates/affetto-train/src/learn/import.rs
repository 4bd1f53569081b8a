//! The way back from [`export`](super::export): weights that ship, or a run's `model.safetensors`, into a network.

use std::path::Path;

use affetto_engine::{Checkpoint, EngineError};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use super::network::Network;
use crate::error::TrainError;

/// Fills a network with the weights of a file in the layout of ARCHITECTURE.md, in any storage.
///
/// # Errors
/// A file that can't be read, lacks a tensor, or is of another shape.
pub fn read(path: &Path, network: Network) -> Result<Network, TrainError> {
    let data = |e: &dyn std::fmt::Display| TrainError::Data(format!("{}: {e}", path.display()));
    let checkpoint = Checkpoint::open(path).map_err(|e| TrainError::Data(e.to_string()))?;
    let mut fill = Fill { path: Vec::new(), checkpoint, failed: None };
    let network = network.map(&mut fill);
    fill.failed.map_or(Ok(network), |error| Err(data(&error)))
}

struct Fill {
    path: Vec<String>,
    checkpoint: Checkpoint,
    failed: Option<String>,
}

/// A parameter's tensors in the file, one below the other, and whether they are stored the other way round.
fn stored_as(parameter: &str, checkpoint: &Checkpoint) -> (Vec<String>, bool) {
    let streams = |name: &dyn Fn(usize) -> String| -> Vec<String> {
        // The first is asked for even where it is not there, so that the error names it.
        let more = (1..).map(name).take_while(|name| checkpoint.shape(name).is_ok());
        std::iter::once(name(0)).chain(more).collect()
    };
    match parameter {
        "embed.weight" => return (streams(&|k| format!("decoder.embed_tokens.{k}.weight")), false),
        "heads.weight" => return (streams(&|k| format!("lm_heads.{k}.weight")), true),
        _ => {}
    }
    let (module, kind) = parameter.rsplit_once('.').unwrap_or((parameter, ""));
    let (place, part) = module.rsplit_once('.').unwrap_or(("", module));
    let kind = match kind {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    let one = |name: &str| vec![format!("{name}.{kind}")];
    if place == "conditions" {
        let name = match part {
            "av_fc1" => "av.fc1",
            "av_fc2" => "av.fc2",
            "kinds" => "type",
            other => other,
        };
        let linear = matches!(part, "text_proj" | "tempo" | "density" | "av_fc1" | "av_fc2");
        return (one(&format!("conditions.{name}")), linear && kind == "weight");
    }
    let attention = |of: &str, parts: &[&str]| -> Vec<String> {
        parts.iter().map(|p| format!("decoder.{place}.{of}.{p}_proj.weight")).collect()
    };
    match part {
        "self_qkv" => (attention("self_attn", &["q", "k", "v"]), true),
        "self_out" => (attention("self_attn", &["out"]), true),
        "cross_q" => (attention("encoder_attn", &["q"]), true),
        "cross_kv" => (attention("encoder_attn", &["k", "v"]), true),
        "cross_out" => (attention("encoder_attn", &["out"]), true),
        "fc1" | "fc2" => (one(&format!("decoder.{place}.{part}")), true),
        _ if place.is_empty() => (one(&format!("decoder.{part}")), false),
        _ => (one(&format!("decoder.{place}.{part}")), false),
    }
}

impl Fill {
    fn values(&self, shape: &[usize]) -> Result<Vec<f32>, String> {
        let said = |e: EngineError| e.to_string();
        let (names, turned) = stored_as(&self.path.join("."), &self.checkpoint);
        let &[first, width] = shape else { return self.checkpoint.tensor_f32(&names[0], shape).map_err(said) };
        let width = if turned { first } else { width };
        let mut values = Vec::new();
        for name in &names {
            let rows = self.checkpoint.shape(name).map_err(said)?.first().copied().unwrap_or(0);
            // The last tensor must fill the matrix exactly: asked for by shape, so that the error names it.
            let left = (shape[0] * shape[1] - values.len()) / width.max(1);
            let asked = if names.last() == Some(name) { left } else { rows };
            if asked > left {
                return Err(format!("tensor {name} has {rows} rows, expected at most {left} more to fit the network"));
            }
            values.extend(self.checkpoint.tensor_f32(name, &[asked, width]).map_err(said)?);
        }
        if !turned {
            return Ok(values);
        }
        let (inputs, outputs) = (shape[0], shape[1]);
        Ok((0..inputs * outputs).map(|i| values[(i % outputs) * inputs + i / outputs]).collect())
    }
}

impl ModuleMapper for Fill {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape: Vec<usize> = param.dims().to_vec();
        match self.values(&shape) {
            Ok(values) => param.map(|old| {
                let new = Tensor::from_data(TensorData::new(values, shape), &old.device());
                new.set_require_grad(old.is_require_grad())
            }),
            Err(error) => {
                self.failed.get_or_insert(error);
                param
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use affetto_score::codec::VOCABULARY;
    use burn::tensor::Device;

    use super::*;
    use crate::config::ModelConfig;
    use crate::learn::export::{self, Storage};

    #[test]
    fn what_is_exported_comes_back_and_what_does_not_fit_is_refused() {
        let config = ModelConfig {
            hidden_size: 8,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            ffn_dim: 12,
            window: 16,
            vocab_sizes: VOCABULARY.to_vec(),
        };
        let device = Device::default();
        let (one, other) = (Network::new(&config, &device), Network::new(&config, &device));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let tensors = export::tensors(&one, &config);
        assert_ne!(tensors, export::tensors(&other, &config));
        export::write(&path, &tensors, Storage::F32, HashMap::new()).unwrap();
        assert_eq!(export::tensors(&read(&path, other).unwrap(), &config), tensors);
        for wrong in [ModelConfig { num_hidden_layers: 3, ..config.clone() }, ModelConfig { ffn_dim: 16, ..config }] {
            let error = read(&path, Network::new(&wrong, &device)).unwrap_err().to_string();
            assert!(error.contains("decoder.layers"), "{error}");
        }
    }

    #[test]
    fn a_foreign_file_is_refused_by_name() {
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
        let path = folder.path().join("model.safetensors");
        let own = export::tensors(&network, &config);
        let refused = |tensors: &[export::NamedTensor]| {
            export::write(&path, tensors, Storage::F32, HashMap::new()).unwrap();
            read(&path, network.clone()).unwrap_err().to_string()
        };
        for missing in ["decoder.embed_tokens.0.weight", "lm_heads.0.weight", "lm_heads.5.weight"] {
            let error = refused(&own.iter().filter(|t| t.name != missing).cloned().collect::<Vec<_>>());
            let named = if missing == "lm_heads.5.weight" { "lm_heads.4.weight" } else { missing };
            assert!(error.contains("model.safetensors") && error.contains(named), "{error}");
        }
        for grown in ["decoder.embed_tokens.0.weight", "decoder.embed_tokens.5.weight", "lm_heads.1.weight"] {
            let mut tensors = own.clone();
            let tensor = tensors.iter_mut().find(|t| t.name == grown).unwrap();
            tensor.shape[0] += 5000;
            tensor.values.resize(tensor.shape[0] * 8, 0.0);
            let error = refused(&tensors);
            assert!(error.contains("model.safetensors") && error.contains(grown), "{grown}: {error}");
        }
    }
}
