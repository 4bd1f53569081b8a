//! What training leaves: a folder that `affetto generate --model` opens, with `av_encoder.safetensors` beside the model.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use affetto_models::ModelFolder;
use affetto_models::musicgen::{ACTIVATION_KEY, AV_ENCODER_FILE, INPUTS_KEY, MusicGenConfig, SCALE_KEY};
use affetto_models::quantize::copy_settings;
use serde_json::{Map, Value, json};

use super::network::MusicGenNetwork;
use crate::error::TrainError;
use crate::learn::export::{self, Collect, NamedTensor, Storage, decoder_tensors, taken};

/// The decoder and the text projection under Hugging Face's names, and the AV encoder's layers.
fn tensors(network: &MusicGenNetwork, config: &MusicGenConfig) -> (Vec<NamedTensor>, Vec<NamedTensor>) {
    let sizes = &config.decoder;
    let mut found = Collect::of(network);
    let decoder = decoder_tensors(&mut found, &sizes.vocab_sizes, sizes.hidden_size, sizes.num_hidden_layers);
    let within = |tensor: NamedTensor| {
        let model = if tensor.name.starts_with("lm_heads.") { "" } else { "model." };
        let name = format!("decoder.{model}{}", tensor.name);
        tensor.named(name)
    };
    let mut decoder: Vec<NamedTensor> = decoder.into_iter().map(within).collect();
    let mut linear = |from: &str, to: &str, out: &mut Vec<NamedTensor>| {
        out.push(taken(&mut found, &format!("{from}.weight")).transposed().named(format!("{to}.weight")));
        out.push(taken(&mut found, &format!("{from}.bias")).named(format!("{to}.bias")));
    };
    if config.text.d_model != sizes.hidden_size {
        linear("text_proj", "enc_to_dec_proj", &mut decoder);
    }
    let mut av = Vec::new();
    linear("av.fc1", "fc1", &mut av);
    linear("av.fc2", "fc2", &mut av);
    (decoder, av)
}

/// Writes the folder `out`: the trained tensors in float32, all others of `base` as they are stored there, its
/// configuration, tokenizer and licence, and the AV encoder. Whole or not at all; what was in `out` before goes.
///
/// # Errors
/// Files that can't be read or written.
pub fn write_folder(
    network: &MusicGenNetwork,
    config: &MusicGenConfig,
    base: &ModelFolder,
    out: &Path,
    trained: &str,
) -> Result<(), TrainError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| TrainError::Write { path, source }
    };
    let part = out.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part).map_err(io(&part))?;
    }
    fs::create_dir_all(&part).map_err(io(&part))?;
    let (decoder, av) = tensors(network, config);
    write_model(&part.join("model.safetensors"), &decoder, base, trained)?;
    let metadata =
        [(ACTIVATION_KEY, "gelu"), (INPUTS_KEY, "arousal,valence"), (SCALE_KEY, "-1..1"), ("trained", trained)];
    let metadata: HashMap<String, String> = metadata.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    export::write(&part.join(AV_ENCODER_FILE), &av, Storage::F32, metadata)?;
    copy_settings(base, &part).map_err(|e| TrainError::Data(e.to_string()))?;
    let settings = part.join("config.json");
    fs::write(&settings, format!("{:#}\n", base.config())).map_err(io(&settings))?;
    if out.exists() {
        fs::remove_dir_all(out).map_err(io(out))?;
    }
    fs::rename(&part, out).map_err(io(out))
}

/// A tensor on its way into the file.
struct Entry<'a> {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    bytes: Bytes<'a>,
}

enum Bytes<'a> {
    Stored(&'a [u8]),
    Learned(&'a [f32]),
}

impl Bytes<'_> {
    fn len(&self) -> usize {
        match self {
            Bytes::Stored(bytes) => bytes.len(),
            Bytes::Learned(values) => 4 * values.len(),
        }
    }
}

/// Writes the model's file tensor by tensor: its size does not have to fit into memory.
fn write_model(path: &Path, learned: &[NamedTensor], base: &ModelFolder, trained: &str) -> Result<(), TrainError> {
    let data = |e: affetto_engine::EngineError| TrainError::Data(e.to_string());
    let checkpoint = base.checkpoint();
    let mut entries: Vec<Entry> = Vec::new();
    for tensor in learned {
        let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
        entries.push(Entry { name, dtype: "F32".into(), shape, bytes: Bytes::Learned(&tensor.values) });
    }
    let known: std::collections::HashSet<&str> = learned.iter().map(|tensor| tensor.name.as_str()).collect();
    for name in checkpoint.names().into_iter().filter(|name| !known.contains(name)) {
        let (dtype, bytes) = checkpoint.raw(name).map_err(data)?;
        let shape = checkpoint.shape(name).map_err(data)?.to_vec();
        entries.push(Entry { name: name.to_owned(), dtype, shape, bytes: Bytes::Stored(bytes) });
    }
    // Wide numbers first, so that all are aligned.
    entries.sort_by_key(|entry| match entry.dtype.as_str() {
        "I64" | "U64" | "F64" | "C64" => 0,
        "F32" | "I32" | "U32" => 1,
        "F16" | "BF16" | "I16" | "U16" => 2,
        _ => 3,
    });
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({"format": "pt", "trained": trained}));
    let mut at = 0;
    for entry in &entries {
        let end = at + entry.bytes.len();
        let told = json!({"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [at, end]});
        header.insert(entry.name.clone(), told);
        at = end;
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let io = |source| TrainError::Write { path: path.into(), source };
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(io)?);
    file.write_all(&(text.len() as u64).to_le_bytes()).map_err(io)?;
    file.write_all(&text).map_err(io)?;
    for entry in &entries {
        match entry.bytes {
            Bytes::Stored(bytes) => file.write_all(bytes).map_err(io)?,
            Bytes::Learned(values) => {
                for value in values {
                    file.write_all(&value.to_le_bytes()).map_err(io)?;
                }
            }
        }
    }
    file.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)
}
