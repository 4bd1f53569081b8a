//! Storing a model quantised: the same folder in Hugging Face's layout, its large projections in fewer bits.
//!
//! - int8: the engine's panels as bytes, `[outputs / 16, inputs / 4, 64]`, and `<name>.scale`, f32, one number a row;
//!   where the shape is no whole panels, the rows as signed bytes with the same scales.
//! - int4: the engine's panels as bytes, `[outputs / 16, inputs / 64, 576]`.
//! - bf16: rounded.
//!
//! Panels come first, aligned to 64 bytes, and those that are multiplied together lie together, so that they are used
//! where the file has them. Everything else stays as it is. The tensors' metadata and `config.json` say `quantization`;
//! the metadata's `layout` says how panels lie. Loading with the same
//! [`Precision`] gives the same bits as quantising the original while loading. Tensors are read, quantised and written
//! one by one.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use affetto_engine::checkpoint::{LAYOUT, LAYOUT_KEY};
use affetto_engine::matmul::{self, Precision};
use affetto_engine::{Checkpoint, EngineError};
use serde_json::{Map, Value, json};

use crate::error::ModelError;
use crate::folder::ModelFolder;

/// Bytes of tensors in one file at most, unless a single tensor is larger.
const SHARD: usize = 4 << 30;

/// Files besides the tensors that are copied where they are there.
const COPIED: [&str; 10] = [
    crate::musicgen::AV_ENCODER_FILE,
    "generation_config.json",
    "preprocessor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "spiece.model",
    "README.md",
    "LICENSE",
    "added_tokens.json",
];

/// Ends of the names of projections.
const PROJECTIONS: [&str; 14] = [
    "_attn.q_proj.weight",
    "_attn.k_proj.weight",
    "_attn.v_proj.weight",
    "_attn.out_proj.weight",
    ".fc1.weight",
    ".fc2.weight",
    "SelfAttention.q.weight",
    "SelfAttention.k.weight",
    "SelfAttention.v.weight",
    "SelfAttention.o.weight",
    "DenseReluDense.wi.weight",
    "DenseReluDense.wi_0.weight",
    "DenseReluDense.wi_1.weight",
    "DenseReluDense.wo.weight",
];

/// How one tensor is written.
#[derive(Clone, PartialEq)]
enum Form {
    /// Its own bytes, whose kind has this name: any, also what no network reads (`position_ids`).
    AsIs(String),
    Bf16,
    Int8,
    Int8Panels,
    Scales,
    Int4,
}

struct Plan {
    /// The name in the file.
    name: String,
    /// The tensor it is made from.
    source: String,
    form: Form,
    shape: Vec<usize>,
    /// Its length.
    bytes: usize,
}

impl Plan {
    fn dtype(&self) -> &str {
        match &self.form {
            Form::AsIs(dtype) => dtype,
            Form::Scales => "F32",
            Form::Bf16 => "BF16",
            Form::Int8 => "I8",
            Form::Int4 | Form::Int8Panels => "U8",
        }
    }

    /// The bytes to write.
    fn make(&self, checkpoint: &Checkpoint) -> Result<Vec<u8>, ModelError> {
        if let Form::AsIs(_) = self.form {
            return Ok(checkpoint.raw(&self.source)?.1.to_vec());
        }
        let tensor = checkpoint.stored(&self.source)?;
        let (outputs, inputs) = (tensor.shape().first().copied().unwrap_or(1), tensor.row_len());
        Ok(match self.form {
            Form::AsIs(_) => Vec::new(),
            Form::Bf16 => matmul::to_bf16(&tensor.to_f32()),
            Form::Int8 => matmul::to_int8(&tensor.to_f32(), inputs).0.into_iter().map(|v| v as u8).collect(),
            Form::Int8Panels => matmul::to_int8_panels(&matmul::to_int8(&tensor.to_f32(), inputs).0, outputs, inputs),
            Form::Scales => {
                let scales = matmul::to_int8(&tensor.to_f32(), inputs).1;
                if scales.iter().any(|s| !s.is_finite()) {
                    return Err(ModelError::Input {
                        what: "the weights to quantise",
                        expected: "finite numbers".into(),
                        found: format!("others in tensor {}", self.source),
                    });
                }
                scales.into_iter().flat_map(f32::to_le_bytes).collect()
            }
            Form::Int4 => matmul::to_int4(&tensor.to_f32(), outputs, inputs),
        })
    }
}

/// What becomes of every tensor.
fn plan(checkpoint: &Checkpoint, precision: Precision) -> Result<Vec<Plan>, ModelError> {
    let mut all = Vec::new();
    for name in checkpoint.names() {
        let shape = checkpoint.shape(name)?.to_vec();
        let (dtype, bytes) = checkpoint.raw(name)?;
        let projection = shape.len() == 2
            && (PROJECTIONS.iter().any(|end| name.ends_with(end)) || name.contains("lm_heads."))
            && ["F32", "F16", "BF16"].contains(&dtype.as_str());
        let numbers: usize = shape.iter().product();
        let source = name;
        let mut add = |name: String, form, shape, bytes| {
            all.push(Plan { name, source: source.to_owned(), form, shape, bytes });
        };
        match precision {
            Precision::Bf16 if projection => add(name.to_owned(), Form::Bf16, shape, 2 * numbers),
            Precision::Int8 if projection && shape[1] <= matmul::MAX_INT8_INPUTS => {
                add(format!("{name}.scale"), Form::Scales, vec![shape[0]], 4 * shape[0]);
                match shape[0].is_multiple_of(16) && shape[1].is_multiple_of(4) {
                    true => {
                        let panels = vec![shape[0] / 16, shape[1] / 4, 64];
                        add(name.to_owned(), Form::Int8Panels, panels, numbers);
                    }
                    false => add(name.to_owned(), Form::Int8, shape, numbers),
                }
            }
            Precision::Int4 if projection && shape[0].is_multiple_of(16) && shape[1].is_multiple_of(64) => {
                let panels = vec![shape[0] / 16, shape[1] / 64, 576];
                add(name.to_owned(), Form::Int4, panels, numbers / (16 * 64) * 576);
            }
            _ => add(name.to_owned(), Form::AsIs(dtype), shape, bytes.len()),
        }
    }
    // Panels first, whose sizes are multiples of 64; then wide numbers before narrow ones, so that all are aligned.
    all.sort_by_key(|p| {
        let order = match (&p.form, p.dtype()) {
            (Form::Int4 | Form::Int8Panels, _) => 0,
            (_, "I64" | "U64" | "F64" | "C64") => 1,
            (_, "F32" | "I32" | "U32") => 2,
            (_, "F16" | "BF16" | "I16" | "U16") => 3,
            _ => 4,
        };
        (order, joined_order(&p.name))
    });
    Ok(all)
}

/// Where a tensor stands among those of its kind: by name, but queries, keys and values in this order.
fn joined_order(name: &str) -> String {
    let mut name = name.to_owned();
    for (i, part) in [".q_proj.", ".k_proj.", ".v_proj.", ".q.", ".k.", ".v."].into_iter().enumerate() {
        if let Some(at) = name.find(part) {
            name.replace_range(at..at + part.len(), &format!(".{i}."));
        }
    }
    name
}

/// Writes one safetensors file, tensor by tensor.
fn write_shard(path: &Path, plans: &[Plan], checkpoint: &Checkpoint, note: &str) -> Result<u64, ModelError> {
    let io = |source| EngineError::Io { file: path.display().to_string(), source };
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({"format": "pt", "quantization": note, LAYOUT_KEY: LAYOUT}));
    let mut at = 0;
    for plan in plans {
        let end = at + plan.bytes;
        header
            .insert(plan.name.clone(), json!({"dtype": plan.dtype(), "shape": plan.shape, "data_offsets": [at, end]}));
        at = end;
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize((text.len() + 8).next_multiple_of(64) - 8, b' ');
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(io)?);
    file.write_all(&(text.len() as u64).to_le_bytes()).map_err(io)?;
    file.write_all(&text).map_err(io)?;
    for plan in plans {
        file.write_all(&plan.make(checkpoint)?).map_err(io)?;
    }
    file.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)?;
    Ok((8 + text.len() + at) as u64)
}

/// Where the folder is made before it gets its name; it is removed when something fails.
struct Partial(PathBuf);

impl Partial {
    /// A new folder beside `out`, never one that is there: what an earlier run left, or another run writes, must not
    /// get into the result.
    fn new(out: &Path, name: &str) -> Result<Self, EngineError> {
        let io = |file: &Path, source| EngineError::Io { file: file.display().to_string(), source };
        if let Some(parent) = out.parent() {
            fs::create_dir_all(parent).map_err(|e| io(parent, e))?;
        }
        let mut count = 0;
        loop {
            let path = out.with_file_name(format!(".{name}.{}-{count}.partial", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && count < 1000 => count += 1,
                Err(e) => return Err(io(&path, e)),
            }
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies what belongs to a model besides weights and `config.json` (tokenizer, generation settings, licence, AV
/// encoder), as far as it is there, unless `out` has it already.
///
/// # Errors
/// A file that cannot be copied.
pub fn copy_settings(folder: &ModelFolder, out: &Path) -> Result<(), ModelError> {
    for file in COPIED.into_iter().filter(|file| !out.join(file).exists()) {
        // The tokenizer may lie elsewhere, with a text encoder that audiocraft's folder only names.
        let places = [folder.path(), folder.tokenizer_folder()].map(|place| place.join(file));
        if let Some(from) = places.iter().find(|path| path.is_file()) {
            let copied = fs::copy(from, out.join(file));
            copied.map_err(|source| EngineError::Io { file: from.display().to_string(), source })?;
        }
    }
    Ok(())
}

/// Writes the model of `folder` to the new folder `out` with its large projections in `precision`, whole or not at all,
/// and gives the bytes of its tensor files. Memory: one tensor at a time.
///
/// # Errors
/// When `precision` is f32, `out` is there already, a tensor cannot be read, or a file cannot be written.
pub fn quantize_folder(folder: &ModelFolder, out: &Path, precision: Precision) -> Result<u64, ModelError> {
    let refuse = |path: &Path, reason: &str| ModelError::Folder { path: path.to_owned(), reason: reason.to_owned() };
    let note = match precision {
        Precision::F32 => return Err(refuse(out, "nothing to quantise to f32; ask for bf16, int8 or int4")),
        Precision::Bf16 => "bf16",
        Precision::Int8 => "int8",
        Precision::Int4 => "int4",
    };
    if fs::symlink_metadata(out).is_ok() {
        return Err(refuse(out, "it is there already; name a new folder"));
    }
    if let Some(stored) = folder.quantization() {
        return Err(refuse(folder.path(), &format!("it is stored as {stored} already; quantise the original")));
    }
    let Some(name) = out.file_name() else { return Err(refuse(out, "not the name of a folder to make")) };
    let io = |file: &Path, source| EngineError::Io { file: file.display().to_string(), source };
    let partial = Partial::new(out, &name.to_string_lossy())?;

    let checkpoint = folder.checkpoint();
    let plans = plan(checkpoint, precision)?;
    let mut shards: Vec<&[Plan]> = Vec::new();
    let (mut first, mut size) = (0, 0);
    for (i, plan) in plans.iter().enumerate() {
        if i > first && size + plan.bytes > SHARD {
            shards.push(&plans[first..i]);
            (first, size) = (i, 0);
        }
        size += plan.bytes;
    }
    shards.push(&plans[first..]);
    let mut total = 0;
    let mut index = Map::new();
    for (i, shard) in shards.iter().enumerate() {
        let file = match shards.len() {
            1 => "model.safetensors".to_owned(),
            n => format!("model-{:05}-of-{n:05}.safetensors", i + 1),
        };
        total += write_shard(&partial.0.join(&file), shard, checkpoint, note)?;
        index.extend(shard.iter().map(|plan| (plan.name.clone(), json!(file))));
    }
    let write = |file: &str, value: &Value| {
        let path = partial.0.join(file);
        fs::write(&path, format!("{value:#}\n")).map_err(|e| io(&path, e))
    };
    if shards.len() > 1 {
        write("model.safetensors.index.json", &json!({"metadata": {"total_size": total}, "weight_map": index}))?;
    }
    let mut config = folder.config().clone();
    config["quantization"] = json!(note);
    write("config.json", &config)?;
    copy_settings(folder, &partial.0)?;
    fs::rename(&partial.0, out).map_err(|e| io(out, e))?;
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_left_is_not_used() -> Result<(), Box<dyn std::error::Error>> {
        let root = std::env::temp_dir().join(format!("affetto-partial-{}", std::process::id()));
        let out = root.join("parent/model");
        let pid = std::process::id();
        for stale in [".model.partial".to_owned(), format!(".model.{pid}-0.partial")] {
            let stale = out.with_file_name(stale);
            fs::create_dir_all(&stale)?;
            fs::write(stale.join("model.safetensors.index.json"), "{}")?;
        }
        let (first, second) = (Partial::new(&out, "model")?, Partial::new(&out, "model")?);
        assert_ne!(first.0, second.0);
        for partial in [&first, &second] {
            assert_eq!(fs::read_dir(&partial.0)?.count(), 0, "{}", partial.0.display());
        }
        drop((first, second));
        fs::remove_dir_all(&root)?;
        Ok(())
    }
}
