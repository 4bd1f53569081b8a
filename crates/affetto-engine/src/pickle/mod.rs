//! PyTorch's `torch.save` files, read safely: a zip archive of a pickle and the tensors' storages.
//!
//! Pickle is a small program. This reader runs only what a dictionary of tensors needs (dictionaries, lists, tuples,
//! texts, numbers, tensors on storages) and refuses any other name by saying it; it calls nothing. Work and memory are
//! bounded by the file's length. Storages stay where they are in the file: contiguous tensors are mapped, transposed
//! views are copied into order. Files of PyTorch before 1.6, which are no archives, are refused.

mod archive;
mod machine;
mod tensors;
mod value;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use self::archive::Archive;
use self::value::{Id, Value, Values};
use crate::checkpoint::{Checkpoint, Shard};
use crate::error::EngineError;

/// The longest pickle that is read, in bytes. MusicGen-large's is near 300 kB.
const MAX_PICKLE_BYTES: usize = 16 << 20;

/// An opened `torch.save` file: dictionaries by their keys, and their tensors.
pub struct PickleFile {
    shard: Arc<Shard>,
    archive: Archive,
    folder: String,
    /// `data.pkl`, as a range of the file.
    pickle: std::ops::Range<usize>,
    values: Values,
    root: Id,
}

impl PickleFile {
    /// Maps a file. It must not be cut short while it is in use.
    ///
    /// # Errors
    /// [`EngineError::Io`]; [`EngineError::Pickle`] where it is not such a file, is damaged, or names anything but
    /// tensors, texts, numbers and containers.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EngineError> {
        PickleFile::read(Shard::open(path.as_ref())?)
    }

    /// Reads a file that is already in memory. `name` is used in messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, EngineError> {
        PickleFile::read(Shard::held(name, bytes.into()))
    }

    fn read(shard: Arc<Shard>) -> Result<Self, EngineError> {
        let bad = |reason: String| EngineError::Pickle { file: shard.name().to_owned(), reason };
        let bytes = shard.as_slice();
        if bytes.starts_with(b"version https://git-lfs") {
            return Err(bad("it is a Git LFS pointer, not the file; run `git lfs pull` in its folder".to_owned()));
        }
        if !bytes.starts_with(b"PK") {
            let reason = if bytes.first() == Some(&0x80) {
                "it is in the format of PyTorch before 1.6; load it there and torch.save it again, or take safetensors"
            } else {
                "it does not begin as a zip archive"
            };
            return Err(bad(reason.to_owned()));
        }
        let archive = Archive::read(bytes).map_err(bad)?;
        let Some(folder) = archive.folder().map(str::to_owned) else {
            return Err(bad("it holds no data.pkl, or several".to_owned()));
        };
        if let Some(order) = archive.find(&format!("{folder}byteorder"))
            && bytes[order.clone()].trim_ascii() != b"little"
        {
            return Err(bad("its numbers are not little-endian".to_owned()));
        }
        let pickle = archive.find(&format!("{folder}data.pkl")).unwrap_or_default();
        if pickle.len() > MAX_PICKLE_BYTES {
            return Err(bad(format!("its data.pkl has {} bytes, expected at most {MAX_PICKLE_BYTES}", pickle.len())));
        }
        let (values, root) = machine::read(&bytes[pickle.clone()]).map_err(bad)?;
        Ok(PickleFile { archive, folder, pickle, values, root, shard })
    }

    /// The file's name, for messages.
    pub fn file(&self) -> &str {
        self.shard.name()
    }

    /// The text at a path of keys, as `["xp.cfg"]`; `None` where there is none.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        match self.find(path)? {
            Value::Text(range) => self.words(range),
            _ => None,
        }
    }

    /// The number at a path of keys; `None` where there is none.
    pub fn number(&self, path: &[&str]) -> Option<f64> {
        match self.find(path)? {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// The keys of the dictionary at a path of keys (of the whole file for no keys), in the file's order; `None`
    /// where there is no dictionary. Keys that are no texts are passed over.
    pub fn keys(&self, path: &[&str]) -> Option<Vec<&str>> {
        match self.find(path)? {
            Value::Dict(pairs) => Some(pairs.iter().filter_map(|&(key, _)| self.key(key)).collect()),
            _ => None,
        }
    }

    /// The tensors of the dictionary at a path of keys, under their keys. Other values in it are passed over.
    ///
    /// # Errors
    /// [`EngineError::Pickle`] where there is no such dictionary, or a tensor lies outside its storage.
    pub fn tensors(&self, path: &[&str]) -> Result<Checkpoint, EngineError> {
        let bad = |reason: String| EngineError::Pickle { file: self.file().to_owned(), reason };
        let Some(Value::Dict(pairs)) = self.find(path) else {
            let keys = self.keys(&[]).unwrap_or_default();
            let shown: Vec<&str> = keys.into_iter().take(8).collect();
            let wanted = if path.is_empty() { "dictionary".to_owned() } else { format!("`{}`", path.join(".")) };
            return Err(bad(format!("it has no {wanted}; it holds [{}]", shown.join(", "))));
        };
        let named = pairs.iter().filter_map(|&(key, value)| match &self.values[value as usize] {
            Value::Tensor(tensor) => Some((self.key(key)?, &**tensor)),
            _ => None,
        });
        tensors::checkpoint(self, named).map_err(bad)
    }

    fn find(&self, path: &[&str]) -> Option<&Value> {
        let mut value = &self.values[self.root as usize];
        for wanted in path {
            let Value::Dict(pairs) = value else { return None };
            // The last of equal keys counts, as in Python.
            let (_, id) = pairs.iter().rev().find(|&&(key, _)| self.key(key) == Some(*wanted))?;
            value = &self.values[*id as usize];
        }
        Some(value)
    }

    fn key(&self, id: Id) -> Option<&str> {
        match &self.values[id as usize] {
            Value::Text(range) => self.words(range),
            _ => None,
        }
    }

    fn words(&self, range: &std::ops::Range<usize>) -> Option<&str> {
        std::str::from_utf8(self.shard.as_slice()[self.pickle.clone()].get(range.clone())?).ok()
    }
}

impl std::fmt::Debug for PickleFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PickleFile({}: {} values)", self.file(), self.values.len())
    }
}
