//! What a take shall begin with: sound, or the codes of an earlier take.

use std::path::Path;
use std::sync::Arc;

use affetto_audio::AudioBuffer;

use crate::error::{Error, Result};
use crate::melody::{check_channels, read_sound};
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
}

impl Continuation {
    /// Reads a file: a `take.json`, whose codes are kept as they are, or else sound, which the codec turns into codes.
    ///
    /// # Errors
    /// [`Error::Input`] when it cannot be read, or sound is longer than [`MAX_CONTINUED_SECONDS`] or has more than six
    /// channels.
    pub fn read(path: impl AsRef<Path>) -> Result<Continuation> {
        let path = path.as_ref();
        let name = path.display().to_string();
        if path.extension().and_then(|e| e.to_str()).is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            return Ok(Continuation { name, source: Arc::new(Source::Codes(StoredTake::read(path)?)) });
        }
        Continuation::from_audio(&name, read_sound(path, MAX_CONTINUED_SECONDS)?)
    }

    /// A beginning of sound; `name` is what messages call it.
    ///
    /// # Errors
    /// [`Error::Input`] when it has more than six channels.
    pub fn from_audio(name: &str, audio: AudioBuffer) -> Result<Continuation> {
        check_channels(name, &audio)?;
        Ok(Continuation { name: name.to_owned(), source: Arc::new(Source::Sound(audio)) })
    }

    /// Whether this is the other or a clone of it.
    pub(crate) fn is(&self, other: &Continuation) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
    }

    pub(crate) fn bad(&self, reason: String) -> Error {
        Error::Input { path: self.name.clone().into(), reason }
    }
}
