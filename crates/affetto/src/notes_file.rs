//! Files of notes to work from.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use affetto_score::Score;

use crate::error::{Error, Result};

/// The most bytes of a file of notes.
const MAX_BYTES: u64 = 64 << 20;

/// The notes of a file that its name says has some: `.mid`, `.midi`, `.musicxml`, `.xml`. `None` for other names.
///
/// # Errors
/// [`Error::Input`] when it cannot be read.
pub(crate) fn read_notes(path: &Path) -> Option<Result<Score>> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("mid" | "midi") => Some(read_midi(path)),
        Some("musicxml" | "xml") => {
            Some(read_with(path, |bytes| affetto_score::musicxml::read(bytes).map(|sheet| sheet.score)))
        }
        _ => None,
    }
}

/// The notes of a MIDI file of at most 64 MB, whatever its name.
///
/// # Errors
/// [`Error::Input`] when it cannot be read.
pub fn read_midi(path: &Path) -> Result<Score> {
    read_with(path, affetto_score::midi::read)
}

fn read_with(
    path: &Path,
    read: impl Fn(&[u8]) -> std::result::Result<Score, affetto_score::ScoreError>,
) -> Result<Score> {
    let bad = |reason: String| Error::Input { path: path.to_owned(), reason };
    let unreadable = |e: std::io::Error| bad(format!("cannot be read: {e}"));
    // Opening a pipe would wait for whoever writes to it.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(bad("is no file".into()));
    }
    // A file's size may say less than it gives.
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(bad(format!("longer than {} MB; give a shorter file", MAX_BYTES >> 20)));
    }
    read(&bytes).map_err(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_end_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| read_midi(path).unwrap_err().to_string();
        assert!(said(folder.path()).contains("is no file"));
        assert!(said(&folder.path().join("none.mid")).contains("cannot be read"));
        let long = folder.path().join("long.mid");
        File::create(&long).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(said(&long).contains("longer than 64 MB"));
        #[cfg(unix)]
        assert!(said(Path::new("/dev/zero")).contains("is no file"));
    }
}
