//! The families of models behind a [`Studio`](crate::Studio): one that writes notes, one that writes a codec's codes.

pub(crate) mod musicgen;
pub(crate) mod score;

use std::path::Path;

use crate::error::{Error, Result};
use crate::save::Format;

/// A family of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Notes, and sound by a SoundFont: the model that ships.
    Score,
    /// Codes of a neural codec: MusicGen's published layouts.
    MusicGen,
}

impl Family {
    /// Its name, as in `take.json`.
    pub fn name(self) -> &'static str {
        match self {
            Family::Score => "affetto-score",
            Family::MusicGen => "musicgen",
        }
    }

    /// Whether its takes have notes.
    pub fn has_notes(self) -> bool {
        self == Family::Score
    }

    /// Checks that its takes can be saved in the formats that the paths' extensions name.
    ///
    /// # Errors
    /// [`Error::Extension`], or [`Error::Family`] for notes where there are none.
    pub fn check_formats<P: AsRef<Path>>(self, paths: &[P]) -> Result<()> {
        for path in paths.iter().map(AsRef::as_ref) {
            let format = Format::of(path)?;
            if format.is_notes() && !self.has_notes() {
                return Err(Error::Family {
                    what: path.display().to_string(),
                    family: self.name(),
                    reason: "make sound without notes; end its name in .wav, .flac or .json",
                });
            }
        }
        Ok(())
    }
}
