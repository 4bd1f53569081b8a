//! What a take shall begin with: notes, sound, or what an earlier take was made of.

use std::path::Path;
use std::sync::Arc;

use affetto_audio::AudioBuffer;
use affetto_score::Score;

use crate::error::{Error, Result};
use crate::families::Family;
use crate::melody::{check_channels, read_sound};
use crate::notes_file::read_notes;
use crate::take_file::StoredTake;

/// The longest sound to go on from, in seconds. The codes of a `take.json` may be longer.
pub const MAX_CONTINUED_SECONDS: f64 = 300.0;

/// What a take shall begin with. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    pub(crate) name: String,
    pub(crate) source: Arc<Source>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Source {
    Sound(AudioBuffer),
    Codes(StoredTake),
    Notes(Score),
}

/// Whether a file's name says that it may hold notes: `.mid`, `.midi`, `.musicxml`, `.xml`, or the `.json` of a take.
pub fn names_notes(path: impl AsRef<Path>) -> bool {
    let extension = path.as_ref().extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    matches!(extension.as_deref(), Some("mid" | "midi" | "musicxml" | "xml" | "json"))
}

impl Continuation {
    /// Reads a file: notes (`.mid`, `.midi`, `.musicxml`, `.xml`), a `take.json`, whose notes or codes are kept as they are, or
    /// else sound, which the codec turns into codes. The family that writes notes goes on from notes, MusicGen models from
    /// sound and codes.
    ///
    /// # Errors
    /// [`Error::Input`] when it cannot be read, or sound is longer than [`MAX_CONTINUED_SECONDS`] or has more than six
    /// channels.
    pub fn read(path: impl AsRef<Path>) -> Result<Continuation> {
        let path = path.as_ref();
        let name = path.display().to_string();
        if let Some(score) = read_notes(path) {
            return Ok(Continuation::from_score(&name, score?));
        }
        if path.extension().and_then(|e| e.to_str()).is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            let stored = StoredTake::read(path)?;
            if stored.family == Family::Score.name() && stored.has_notes() {
                let score = stored.into_score();
                let score = score.map_err(|reason| Error::Input { path: path.to_owned(), reason })?;
                return Ok(Continuation::from_score(&name, score));
            }
            return Ok(Continuation { name, source: Arc::new(Source::Codes(stored)) });
        }
        Continuation::from_audio(&name, read_sound(path, MAX_CONTINUED_SECONDS)?)
    }

    /// A beginning of notes; `name` is what messages call it.
    pub fn from_score(name: &str, score: Score) -> Continuation {
        Continuation { name: name.to_owned(), source: Arc::new(Source::Notes(score)) }
    }

    /// A beginning of sound; `name` is what messages call it.
    ///
    /// # Errors
    /// [`Error::Input`] when it has more than six channels.
    pub fn from_audio(name: &str, audio: AudioBuffer) -> Result<Continuation> {
        check_channels(name, &audio)?;
        Ok(Continuation { name: name.to_owned(), source: Arc::new(Source::Sound(audio)) })
    }

    /// The notes, where it is some.
    pub(crate) fn notes(&self) -> Option<&Score> {
        match &*self.source {
            Source::Notes(score) => Some(score),
            Source::Sound(_) | Source::Codes(_) => None,
        }
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the other or a clone of it.
    pub(crate) fn is(&self, other: &Continuation) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
    }

    pub(crate) fn bad(&self, reason: String) -> Error {
        Error::Input { path: self.name.clone().into(), reason }
    }
}
