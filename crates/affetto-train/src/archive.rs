//! Reading the corpora straight from their `.tar.gz` and `.tar.xz` archives, in pure Rust.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Largest archive, unpacked, that [`entries`] reads: 512 MiB.
pub const MAX_UNPACKED: usize = 512 << 20;

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file could not be opened, or its bytes are damaged.
    #[error("{path}: cannot be read as a .tar.gz or .tar.xz archive ({source}); fetch the file again")]
    Io {
        /// The archive.
        path: PathBuf,
        /// What the reader said.
        source: std::io::Error,
    },
    /// The name ends in something else than `.tar.gz` or `.tar.xz`.
    #[error("{path}: expected a name ending in .tar.gz or .tar.xz")]
    Kind {
        /// The archive.
        path: PathBuf,
    },
    /// More than [`MAX_UNPACKED`] bytes.
    #[error("{path}: more than {MAX_UNPACKED} bytes unpacked; this is not one of the corpora")]
    TooLarge {
        /// The archive.
        path: PathBuf,
    },
}

/// A growing buffer that refuses to grow past a limit.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        if data.len() > self.limit - self.bytes.len() {
            self.full = true;
            return Err(std::io::Error::other("larger than the limit"));
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All plain files of the archive at `path`, in its order: (name inside the archive, bytes).
///
/// # Errors
///
/// [`ArchiveError`] where the file is missing, damaged, of another kind, or unpacks to more than
/// [`MAX_UNPACKED`] bytes.
pub fn entries(path: impl AsRef<Path>) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
    entries_bounded(path.as_ref(), MAX_UNPACKED)
}

fn entries_bounded(path: &Path, limit: usize) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
    let io = |source| ArchiveError::Io { path: path.to_owned(), source };
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let mut tar = Bounded { bytes: Vec::new(), limit, full: false };
    let outcome = if name.ends_with(".tar.gz") {
        std::io::copy(&mut flate2::read::GzDecoder::new(file), &mut tar).map(|_| ())
    } else if name.ends_with(".tar.xz") {
        lzma_rs::xz_decompress(&mut file, &mut tar).map_err(|e| std::io::Error::other(format!("{e:?}")))
    } else {
        return Err(ArchiveError::Kind { path: path.to_owned() });
    };
    if tar.full {
        return Err(ArchiveError::TooLarge { path: path.to_owned() });
    }
    outcome.map_err(io)?;
    let mut files = Vec::new();
    for entry in tar::Archive::new(tar.bytes.as_slice()).entries().map_err(io)? {
        let mut entry = entry.map_err(io)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(io)?;
        files.push((name, bytes));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn write(name: &str, tar: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let mut packed = Vec::new();
        if name.ends_with(".gz") {
            let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
            encoder.write_all(tar).unwrap();
            encoder.finish().unwrap();
        } else {
            lzma_rs::xz_compress(&mut &tar[..], &mut packed).unwrap();
        }
        std::fs::write(&path, packed).unwrap();
        (folder, path)
    }

    #[test]
    fn both_packings_give_the_files_back() {
        let tar = tar_of(&[("a/one.txt", b"one"), ("a/two.bin", &[7; 3000])]);
        for name in ["x.tar.gz", "x.tar.xz"] {
            let (_folder, path) = write(name, &tar);
            let files = entries(&path).unwrap();
            assert_eq!(files.len(), 2, "{name}");
            assert_eq!(files[0], ("a/one.txt".to_owned(), b"one".to_vec()));
            assert_eq!(files[1].1, vec![7; 3000]);
        }
    }

    #[test]
    fn limits_damage_and_other_kinds_are_errors() {
        let tar = tar_of(&[("a", &[1; 100_000])]);
        let (_folder, path) = write("x.tar.gz", &tar);
        assert!(matches!(entries_bounded(&path, 1000), Err(ArchiveError::TooLarge { .. })));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(entries(&path), Err(ArchiveError::Io { .. })));
        let other = path.with_file_name("x.zip");
        std::fs::write(&other, b"PK").unwrap();
        assert!(matches!(entries(&other), Err(ArchiveError::Kind { .. })));
    }
}
