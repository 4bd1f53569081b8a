//! A trained network as the safetensors file that the engine loads.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::network::Network;
use crate::config::ModelConfig;
use crate::error::TrainError;
use crate::whole;

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Matrices as 8-bit integers with a float32 scale for each row, the rest as 32-bit floats.
    Int8,
}

/// A named tensor on its way to a file.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Name in the file.
    pub name: String,
    /// Shape, `[out, in]` for matrices.
    pub shape: Vec<usize>,
    /// The numbers, row-major.
    pub values: Vec<f32>,
}

/// The tensors of a network under the names of ARCHITECTURE.md.
pub fn tensors(network: &Network, config: &ModelConfig) -> Vec<NamedTensor> {
    let mut found = Collect::of(network);
    let mut out = decoder_tensors(&mut found, &config.vocab_sizes, config.hidden_size, config.num_hidden_layers);
    let mut take = |name: &str| taken(&mut found, name);
    for (old, new) in [
        ("text_proj", "text_proj"),
        ("tempo", "tempo"),
        ("density", "density"),
        ("av_fc1", "av.fc1"),
        ("av_fc2", "av.fc2"),
    ] {
        let weight = take(&format!("conditions.{old}.weight")).transposed();
        out.push(weight.named(format!("conditions.{new}.weight")));
        out.push(take(&format!("conditions.{old}.bias")).named(format!("conditions.{new}.bias")));
    }
    for (old, new) in
        [("key", "key"), ("meter", "meter"), ("instrument", "instrument"), ("closing", "closing"), ("kinds", "type")]
    {
        out.push(take(&format!("conditions.{old}.weight")).named(format!("conditions.{new}.weight")));
    }
    out
}

/// Takes a parameter out of those found.
pub(super) fn taken(found: &mut HashMap<String, NamedTensor>, name: &str) -> NamedTensor {
    found.remove(name).unwrap_or_else(|| panic!("the network has {name}"))
}

/// Takes the decoder's parameters (`embed`, `layers`, `layer_norm`, `heads`) out of those found, under the names of
/// ARCHITECTURE.md; both families' decoders have them.
pub(super) fn decoder_tensors(
    found: &mut HashMap<String, NamedTensor>,
    vocab_sizes: &[usize],
    d: usize,
    layers: usize,
) -> Vec<NamedTensor> {
    let mut take = |name: &str| taken(found, name);
    let mut out = Vec::new();
    let embed = take("embed.weight");
    let mut from = 0;
    for (k, &size) in vocab_sizes.iter().enumerate() {
        out.push(embed.rows(from..from + size + 1).named(format!("decoder.embed_tokens.{k}.weight")));
        from += size + 1;
    }
    let heads = take("heads.weight").transposed();
    let mut from = 0;
    for (k, &size) in vocab_sizes.iter().enumerate() {
        out.push(heads.rows(from..from + size).named(format!("lm_heads.{k}.weight")));
        from += size;
    }
    let norm = |take: &mut dyn FnMut(&str) -> NamedTensor, from: String, to: String, out: &mut Vec<NamedTensor>| {
        out.push(take(&format!("{from}.gamma")).named(format!("{to}.weight")));
        out.push(take(&format!("{from}.beta")).named(format!("{to}.bias")));
    };
    norm(&mut take, "layer_norm".into(), "decoder.layer_norm".into(), &mut out);
    for i in 0..layers {
        let (from, to) = (format!("layers.{i}"), format!("decoder.layers.{i}"));
        for name in ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"] {
            norm(&mut take, format!("{from}.{name}"), format!("{to}.{name}"), &mut out);
        }
        let qkv = take(&format!("{from}.self_qkv.weight")).transposed();
        for (part, name) in ["q_proj", "k_proj", "v_proj"].into_iter().enumerate() {
            out.push(qkv.rows(part * d..(part + 1) * d).named(format!("{to}.self_attn.{name}.weight")));
        }
        let kv = take(&format!("{from}.cross_kv.weight")).transposed();
        for (part, name) in ["k_proj", "v_proj"].into_iter().enumerate() {
            out.push(kv.rows(part * d..(part + 1) * d).named(format!("{to}.encoder_attn.{name}.weight")));
        }
        for (old, new) in [
            ("self_out", "self_attn.out_proj"),
            ("cross_q", "encoder_attn.q_proj"),
            ("cross_out", "encoder_attn.out_proj"),
            ("fc1", "fc1"),
            ("fc2", "fc2"),
        ] {
            out.push(take(&format!("{from}.{old}.weight")).transposed().named(format!("{to}.{new}.weight")));
        }
    }
    out
}

impl NamedTensor {
    /// The same under another name.
    pub(super) fn named(self, name: String) -> NamedTensor {
        NamedTensor { name, ..self }
    }

    fn rows(&self, range: std::ops::Range<usize>) -> NamedTensor {
        let width = self.shape[1];
        NamedTensor {
            name: String::new(),
            shape: vec![range.len(), width],
            values: self.values[range.start * width..range.end * width].to_vec(),
        }
    }

    /// burn keeps a linear layer's weight as `[in, out]`.
    pub(super) fn transposed(self) -> NamedTensor {
        let (rows, columns) = (self.shape[0], self.shape[1]);
        let values = (0..rows * columns).map(|i| self.values[(i % rows) * columns + i / rows]).collect();
        NamedTensor { name: self.name, shape: vec![columns, rows], values }
    }
}

/// Collects every float parameter under its path.
pub(super) struct Collect {
    path: Vec<String>,
    found: HashMap<String, NamedTensor>,
}

impl Collect {
    /// The float parameters of a module, by path.
    pub(super) fn of<M: Module>(module: &M) -> HashMap<String, NamedTensor> {
        let mut collect = Collect { path: Vec::new(), found: HashMap::new() };
        module.visit(&mut collect);
        collect.found
    }
}

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let values = tensor.to_data().try_to_vec::<f32>().expect("weights are f32");
        let name = self.path.join(".");
        self.found.insert(name.clone(), NamedTensor { name, shape: tensor.dims().to_vec(), values });
    }

    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
}

/// A tensor as it is stored.
struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// One tensor in a storage; int8 matrices bring the scales of their rows along as `<name>.scale`.
fn store(tensor: &NamedTensor, storage: Storage) -> Vec<Stored> {
    let floats = |name: String, shape: Vec<usize>, values: &[f32]| Stored {
        name,
        dtype: Dtype::F32,
        shape,
        bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    };
    match (storage, tensor.shape.as_slice()) {
        (Storage::Int8, &[rows, columns]) => {
            let scale = |row: &[f32]| row.iter().fold(0.0f32, |m, v| m.max(v.abs())).max(1e-12) / 127.0;
            let scales: Vec<f32> = tensor.values.chunks_exact(columns).map(scale).collect();
            let of_row =
                |(row, scale): (&[f32], &f32)| row.iter().map(|v| (v / scale).round() as i8 as u8).collect::<Vec<u8>>();
            let bytes = tensor.values.chunks_exact(columns).zip(&scales).flat_map(of_row).collect();
            vec![
                Stored { name: tensor.name.clone(), dtype: Dtype::I8, shape: tensor.shape.clone(), bytes },
                floats(format!("{}.scale", tensor.name), vec![rows], &scales),
            ]
        }
        (Storage::F16, shape) => vec![Stored {
            name: tensor.name.clone(),
            dtype: Dtype::F16,
            shape: shape.to_vec(),
            bytes: tensor.values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
        }],
        (_, shape) => vec![floats(tensor.name.clone(), shape.to_vec(), &tensor.values)],
    }
}

/// Writes tensors and text metadata to a safetensors file, whole or not at all.
///
/// # Errors
/// A file that can't be written.
pub fn write(
    path: &Path,
    tensors: &[NamedTensor],
    storage: Storage,
    metadata: HashMap<String, String>,
) -> Result<(), TrainError> {
    let mut stored = Vec::with_capacity(2 * tensors.len());
    for tensor in tensors {
        stored.extend(store(tensor, storage));
    }
    let mut views = Vec::with_capacity(stored.len());
    for part in &stored {
        let view = TensorView::new(part.dtype, part.shape.clone(), &part.bytes)
            .map_err(|e| TrainError::Data(format!("tensor {}: {e}", part.name)))?;
        views.push((part.name.clone(), view));
    }
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|e| TrainError::Data(format!("{}: {e}", path.display())))?;
    whole::write(path, &bytes).map_err(|source| TrainError::Write { path: path.into(), source })
}
