//! Weight files of a folder: one safetensors file, several with an index, or one that `torch.save` wrote.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use affetto_engine::checkpoint::MAX_HEADER_BYTES;
use affetto_engine::{Checkpoint, PickleFile};
use serde_json::Value;

use super::{bad, json};
use crate::ModelError;

/// The file of an unsharded model.
pub(super) const SINGLE: &str = "model.safetensors";
/// The index of a sharded one.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// A model that was stored without safetensors.
pub(super) const TORCH: &str = "pytorch_model.bin";

/// The checkpoint of `pytorch_model.bin` and its bytes.
pub(super) fn torch(folder: &Path) -> Result<(Checkpoint, u64), ModelError> {
    let path = folder.join(TORCH);
    let bytes = std::fs::metadata(&path).map_err(|e| bad(&path, format!("cannot be read: {e}")))?.len();
    Ok((PickleFile::open(&path)?.tensors(&[])?, bytes))
}

/// The checkpoint of `model.safetensors` and its bytes.
pub(super) fn single(folder: &Path) -> Result<(Checkpoint, u64), ModelError> {
    open(&folder.join(SINGLE))
}

/// The checkpoint of all shards the index names, and their bytes.
pub(super) fn sharded(folder: &Path) -> Result<(Checkpoint, u64), ModelError> {
    let path = folder.join(INDEX);
    let index = json(&path)?;
    let Some(map) = index["weight_map"].as_object().filter(|map| !map.is_empty()) else {
        return Err(bad(&path, "it has no `weight_map` of tensors to files"));
    };
    let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in map {
        let file = file.as_str().filter(|file| is_plain_name(file)).ok_or_else(|| {
            bad(
                &path,
                format!("tensor `{tensor}` is said to be in {file}, expected the name of a file beside the index"),
            )
        })?;
        shards.entry(file).or_default().push(tensor);
    }
    // All that are missing are named at once.
    let missing: Vec<&str> = shards.keys().copied().filter(|file| !folder.join(file).is_file()).collect();
    if let Some(first) = missing.first() {
        let all = if missing.len() == 1 {
            format!("shard {first} is missing")
        } else {
            format!("{} of {} shards are missing ({} …)", missing.len(), shards.len(), first)
        };
        return Err(bad(folder, format!("{all}; copy or pull the model again")));
    }
    let (mut whole, mut total) = (Checkpoint::default(), 0);
    for (file, tensors) in shards {
        let (checkpoint, bytes) = open(&folder.join(file))?;
        if let Some(tensor) = tensors.iter().find(|tensor| !checkpoint.contains(tensor)) {
            let reason = format!("tensor `{tensor}` is not in it, though {INDEX} says so; pull the model again");
            return Err(bad(&folder.join(file), reason));
        }
        whole = whole.merge(checkpoint)?;
        total += bytes;
    }
    Ok((whole, total))
}

/// Whether a name from an index names a file in the folder itself.
fn is_plain_name(file: &str) -> bool {
    !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\\', ':', '\0'])
}

/// Maps one safetensors file. The file's length comes with it.
pub(super) fn open(path: &Path) -> Result<(Checkpoint, u64), ModelError> {
    let bytes = std::fs::metadata(path).map_err(|e| bad(path, format!("cannot be read: {e}")))?.len();
    match Checkpoint::open(path) {
        Ok(checkpoint) => Ok((checkpoint, bytes)),
        Err(error) => Err(diagnose(path, bytes).map_or_else(|| error.into(), |reason| bad(path, reason))),
    }
}

/// What is wrong with a safetensors file, where it is something that often happens.
fn diagnose(path: &Path, bytes: u64) -> Option<String> {
    let mut file = std::fs::File::open(path).ok()?;
    if bytes < 8 {
        return Some(format!("cut short: {bytes} bytes; copy or pull it again"));
    }
    let mut start = [0; 8];
    file.read_exact(&mut start).ok()?;
    if &start == b"version " {
        let remedy = "run `git lfs pull` in the folder, or `affetto models pull` the model";
        return Some(format!("a Git LFS pointer, not the weights; {remedy}"));
    }
    let length = u64::from_le_bytes(start);
    if length > MAX_HEADER_BYTES {
        return None;
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).ok()?;
    let expected = if (header.len() as u64) < length {
        format!("at least {}", 8 + length)
    } else {
        let header: Value = serde_json::from_slice(&header).ok()?;
        let end = |tensor: &Value| tensor["data_offsets"][1].as_u64();
        let data = header.as_object()?.iter().filter(|(name, _)| *name != "__metadata__").map(|(_, t)| end(t));
        let whole = (8 + length).checked_add(data.flatten().max()?)?;
        if whole <= bytes {
            return None;
        }
        whole.to_string()
    };
    Some(format!("cut short: {bytes} bytes, its header promises {expected}; copy or pull it again"))
}
