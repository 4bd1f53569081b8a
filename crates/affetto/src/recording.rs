//! What a model's activations are while it reads given music as if it had written it: what probes of activation steering
//! are fitted on.

mod notes;

use std::path::Path;
use std::sync::Arc;

use affetto_models::decoder::{DecoderLm, Pooled};

use crate::error::{Error, Result};
use crate::studio::{Models, Studio};

/// The shortest window, in seconds: shorter ones hold too little music, and make examples without end.
pub const MIN_WINDOW_SECONDS: f64 = 2.0;

/// One stretch of a file, and the model's activations over it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Where it begins in the file, in seconds.
    pub start_seconds: f64,
    /// Its length in seconds.
    pub seconds: f64,
    /// The activations, pooled over its steps.
    pub pooled: Pooled,
}

impl Studio {
    /// The language model, loaded if it was not yet.
    ///
    /// # Errors
    /// What is missing or broken.
    pub fn decoder(&mut self) -> Result<Arc<DecoderLm>> {
        match &mut self.models {
            Models::Score(studio) => Ok(studio.decoder()),
            Models::MusicGen(studio) => studio.decoder(),
        }
    }

    /// Reads a file (MIDI for the family that writes notes, sound for the one that writes codes) through the codec and the
    /// language model: delays, start tokens and no conditions, as generation's null branch sees them. The answer has a
    /// stretch for each `window_seconds` of it: whole bars of about that length and no more rows than the model reads at
    /// once, or exactly that length of sound. A shorter file is one stretch; a rest of less than half of that is left out,
    /// and so are stretches of silence, or of fewer than 8 notes. The same file gives the same answer.
    ///
    /// # Errors
    /// [`Error::Input`] names a file that cannot be read, has fewer than 8 notes or less than 2 s of sound, or is silent;
    /// [`Error::Prompt`] is for a window below [`MIN_WINDOW_SECONDS`] or longer than the model hears at once.
    pub fn record(&mut self, file: &Path, window_seconds: f64) -> Result<Vec<Recorded>> {
        match &mut self.models {
            Models::Score(studio) => notes::record(&studio.decoder(), file, window_seconds),
            Models::MusicGen(studio) => studio.record(file, window_seconds),
        }
    }
}

/// Refuses windows that are too short, and those that the model cannot hear at once.
pub(crate) fn check_window(seconds: f64, most: f64) -> Result<()> {
    if (MIN_WINDOW_SECONDS..=most).contains(&seconds) {
        return Ok(());
    }
    Err(Error::Prompt {
        what: "the window",
        found: format!("{seconds} s"),
        expected: format!("at least {MIN_WINDOW_SECONDS}, at most {most} seconds"),
    })
}
