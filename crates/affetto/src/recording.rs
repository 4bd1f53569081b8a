//! What a model's activations are while it reads given music as if it had written it: what probes of activation steering
//! are fitted on.

use std::path::Path;
use std::sync::Arc;

use affetto_models::decoder::{DecoderLm, Pooled};

use crate::error::Result;
use crate::studio::{Models, Studio};

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
    /// stretch for each `window_seconds` of it.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) names a file that cannot be read or is too short.
    pub fn record(&mut self, file: &Path, window_seconds: f64) -> Result<Vec<Recorded>> {
        match &mut self.models {
            Models::Score(studio) => studio.record(file, window_seconds),
            Models::MusicGen(studio) => studio.record(file, window_seconds),
        }
    }
}
