//! A file mapped into memory for reading, and lines of weights that are read where a file has them.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use super::{Int4Line, Int8Line};

/// A read-only mapping of a whole file.
pub(crate) struct MappedFile(memmap2::Mmap);

impl MappedFile {
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapping is private to this process and read-only. Another process that cuts the file short
        // while it is mapped would end this one with a bus error; `Checkpoint::open` says so.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(MappedFile(map))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Lets go of the memory that holds these bytes; whoever reads them again gets them from the file again. Does
    /// nothing where the system is not Linux.
    pub(crate) fn release(&self, range: Range<usize>) {
        #[cfg(target_os = "linux")]
        {
            /// Less is not worth the call.
            const LEAST: usize = 1 << 16;
            if range.len() >= LEAST && range.end <= self.0.len() {
                let (advice, count) = (memmap2::UncheckedAdvice::DontNeed, range.end - range.start);
                // SAFETY: the mapping is of a file and nobody writes to it, so that pages that are dropped, neighbours
                // on the first and last too, are read from the file again, with the same bytes. Where it fails,
                // nothing was dropped.
                let _ = unsafe { self.0.unchecked_advise_range(advice, range.start, count) };
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = range;
    }
}

// SAFETY: 64 signed bytes, all of which may be zero.
unsafe impl bytemuck::Zeroable for Int8Line {}
// SAFETY: 64 signed bytes aligned to 64: no padding, and any bytes are such a line.
unsafe impl bytemuck::Pod for Int8Line {}
// SAFETY: 64 bytes, all of which may be zero.
unsafe impl bytemuck::Zeroable for Int4Line {}
// SAFETY: 64 bytes aligned to 64: no padding, and any bytes are such a line.
unsafe impl bytemuck::Pod for Int4Line {}
