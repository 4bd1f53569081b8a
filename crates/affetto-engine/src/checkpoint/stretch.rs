//! Bytes of a checkpoint that are used where they lie.

use std::ops::Range;
use std::sync::Arc;

use safetensors::Dtype;

use super::{Checkpoint, Shard};
use crate::error::EngineError;

/// The metadata key that names how panels lie in a file, and the one layout there is.
pub const LAYOUT_KEY: &str = "layout";
/// Panels as [`to_int8_panels`](crate::matmul::to_int8_panels) and [`to_int4`](crate::matmul::to_int4) write them.
pub const LAYOUT: &str = "affetto-panels-1";

/// A stretch of a checkpoint's bytes. When the last user lets go of it, it takes no memory any more.
pub(crate) struct Stretch {
    shard: Arc<Shard>,
    range: Range<usize>,
}

impl Stretch {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.shard.as_slice()[self.range.clone()]
    }

    /// Several stretches as one, where they lie behind one another in one file.
    pub(crate) fn joined(parts: &[Stretch]) -> Option<Stretch> {
        let (first, last) = (parts.first()?, parts.last()?);
        let next =
            |pair: &[Stretch]| Arc::ptr_eq(&pair[0].shard, &pair[1].shard) && pair[0].range.end == pair[1].range.start;
        let whole = Stretch { shard: first.shard.clone(), range: first.range.start..last.range.end };
        parts.windows(2).all(next).then_some(whole)
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        self.shard.release(self.range.clone());
    }
}

impl Checkpoint {
    /// The bytes of a tensor of panels, unsigned bytes of this shape; none where it is stored in another way.
    ///
    /// # Errors
    /// When it is such a tensor, but the file says that its panels lie in a way that is not known here.
    pub(crate) fn panels(&self, name: &str, shape: [usize; 3]) -> Result<Option<Stretch>, EngineError> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        if entry.dtype != Dtype::U8 || entry.shape != shape {
            return Ok(None);
        }
        match entry.shard.layout.as_deref() {
            Some(LAYOUT) => Ok(Some(Stretch { shard: entry.shard.clone(), range: entry.start..entry.end })),
            other => Err(EngineError::Format {
                file: entry.shard.name().to_owned(),
                reason: format!(
                    "its panels lie as {:?} says, expected {LAYOUT:?}; quantise the original model anew with this \
                     version",
                    other.unwrap_or("nothing")
                ),
            }),
        }
    }
}
