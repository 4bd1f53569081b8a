//! Files of notes to work from.

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
        Some("mid" | "midi") => Some(read_with(path, affetto_score::midi::read)),
        Some("musicxml" | "xml") => {
            Some(read_with(path, |bytes| affetto_score::musicxml::read(bytes).map(|sheet| sheet.score)))
        }
        _ => None,
    }
}

fn read_with(
    path: &Path,
    read: impl Fn(&[u8]) -> std::result::Result<Score, affetto_score::ScoreError>,
) -> Result<Score> {
    let bad = |reason: String| Error::Input { path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(|e| bad(format!("cannot be read: {e}")))?.len();
    if length > MAX_BYTES {
        return Err(bad(format!("longer than {} MB; give a shorter file", MAX_BYTES >> 20)));
    }
    let bytes = std::fs::read(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
    read(&bytes).map_err(|e| bad(e.to_string()))
}
