//! A file mapped into memory for reading.

use std::fs::File;
use std::path::Path;

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
}
