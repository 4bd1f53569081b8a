//! Checkpoints that are not safetensors files: tensors at given places of other bytes, and views of a checkpoint
//! under other names.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use safetensors::Dtype;

use super::{Bytes, Checkpoint, Entry, Shard};
use crate::error::EngineError;
use crate::kernels::mapped::MappedFile;

/// A tensor's place in a file.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// Its bytes: as many as shape and dtype say.
    pub(crate) range: Range<usize>,
}

/// What a tensor is called in a view of a checkpoint ([`Checkpoint::view`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The new name.
    pub name: String,
    /// The rows (places of the first dimension) it has there; all for `None`.
    pub rows: Option<Range<usize>>,
}

impl Renamed {
    /// The whole tensor under another name.
    pub fn whole(name: impl Into<String>) -> Self {
        Renamed { name: name.into(), rows: None }
    }

    /// Some rows of a tensor under another name.
    pub fn rows(name: impl Into<String>, rows: Range<usize>) -> Self {
        Renamed { name: name.into(), rows: Some(rows) }
    }
}

impl Shard {
    /// Maps a file.
    pub(crate) fn open(path: &Path) -> Result<Arc<Self>, EngineError> {
        let name = path.display().to_string();
        let file = MappedFile::open(path).map_err(|source| EngineError::Io { file: name.clone(), source })?;
        Ok(Arc::new(Shard { name, bytes: Bytes::Mapped(file), layout: None }))
    }

    /// Bytes in memory.
    pub(crate) fn held(name: &str, bytes: Cow<'static, [u8]>) -> Arc<Self> {
        Arc::new(Shard { name: name.to_owned(), bytes: Bytes::Held(bytes), layout: None })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Lets go of the memory behind bytes that are mapped.
    pub(crate) fn release(&self, range: Range<usize>) {
        if let Bytes::Mapped(file) = &self.bytes {
            file.release(range);
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}

impl Checkpoint {
    /// Tensors at given places of `shard`. Each range must lie in it.
    pub(crate) fn from_parts(shard: Arc<Shard>, parts: Vec<Part>) -> Result<Self, EngineError> {
        let mut checkpoint = Checkpoint { shards: vec![shard.clone()], ..Checkpoint::default() };
        for part in parts {
            let (start, end) = (part.range.start, part.range.end);
            debug_assert!(start <= end && end <= shard.as_slice().len());
            checkpoint
                .insert(part.name, Entry { shard: shard.clone(), dtype: part.dtype, shape: part.shape, start, end })?;
        }
        Ok(checkpoint)
    }

    /// The same bytes under other names: `rename` is asked for each tensor by name and shape, in the order of names,
    /// and says what it is called, once, several times (rows of it, as the q, k and v of one stored matrix) or not at
    /// all. Nothing is copied.
    ///
    /// # Errors
    /// [`EngineError::Duplicate`] for two tensors of one name; [`EngineError::Invalid`] for rows a tensor does not have.
    pub fn view(&self, mut rename: impl FnMut(&str, &[usize]) -> Vec<Renamed>) -> Result<Self, EngineError> {
        let mut view =
            Checkpoint { shards: self.shards.clone(), metadata: self.metadata.clone(), ..Checkpoint::default() };
        for old in self.names() {
            let Some(entry) = self.entries.get(old) else { continue };
            for Renamed { name, rows } in rename(old, &entry.shape) {
                let mut entry = entry.clone();
                if let Some(rows) = rows {
                    let count = entry.shape.first().copied().unwrap_or(0);
                    if count == 0 || rows.start > rows.end || rows.end > count {
                        let reason = format!("`{old}` has {count} rows, rows {rows:?} were asked for as `{name}`");
                        return Err(EngineError::Invalid { what: "view of a checkpoint", reason });
                    }
                    let row = (entry.end - entry.start) / count;
                    entry.end = entry.start + rows.end * row;
                    entry.start += rows.start * row;
                    entry.shape[0] = rows.len();
                }
                view.insert(name, entry)?;
            }
        }
        Ok(view)
    }
}
