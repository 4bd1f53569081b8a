//! From a request to notes.

use affetto_control::{EmotionCurve, MeterClass};
use affetto_score::codec::Row;
use affetto_score::{Instrument, Key, Score};

use affetto_models::minilm::MiniLm;

use crate::assets::{Assets, SCORE_MODEL, TEXT_EMBEDDINGS, TEXT_ENCODER, TEXT_VOCABULARY};
use crate::error::{Error, Result};
use crate::prompt::Sampling;

/// What is asked of the model. `None` or empty = the model chooses.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prompt's words.
    pub text: String,
    /// The feeling over time.
    pub emotion: Option<EmotionCurve>,
    /// Length of the music, in seconds.
    pub duration_seconds: f64,
    /// Quarter notes per minute.
    pub tempo_bpm: Option<f32>,
    /// Key.
    pub key: Option<Key>,
    /// Meter.
    pub meter: Option<MeterClass>,
    /// Instruments.
    pub instruments: Vec<Instrument>,
    /// Distinct onsets per second.
    pub density: Option<f32>,
    /// Seed of all that is drawn.
    pub seed: u64,
    /// How tokens are picked.
    pub sampling: Sampling,
}

/// What the model made.
#[derive(Clone, Debug)]
pub struct Composition {
    /// The notes.
    pub score: Score,
    /// The tokens, one row a note, the delay undone.
    pub rows: Vec<Row>,
    /// Quarter notes per minute.
    pub tempo_bpm: f32,
    /// Key.
    pub key: Key,
    /// Meter.
    pub meter: MeterClass,
    /// Instruments.
    pub instruments: Vec<Instrument>,
    /// Distinct onsets per second.
    pub density: f32,
}

/// The score model, ready to write.
pub struct Composer {
    text: MiniLm,
}

impl Composer {
    /// Loads the model.
    ///
    /// # Errors
    /// Names the file that is missing or broken.
    pub fn open(assets: &Assets, threads: usize) -> Result<Composer> {
        let _ = (assets.checkpoint(&[SCORE_MODEL])?, threads);
        let weights = assets.checkpoint(&[TEXT_EMBEDDINGS, TEXT_ENCODER])?;
        let text = MiniLm::from_parts(&weights, &assets.read(TEXT_VOCABULARY)?)
            .map_err(|error| Error::AssetBroken { reason: error.to_string() })?;
        Ok(Composer { text })
    }

    /// The sentence embedding of a text, `[384]`, L2-normalised.
    ///
    /// # Errors
    /// What the text encoder says.
    pub fn sentence(&self, text: &str) -> Result<Vec<f32>> {
        Ok(self.text.sentence_embedding(text))
    }

    /// Writes music. `progress` hears the share done, 0 to 1.
    ///
    /// # Errors
    /// What the model cannot do.
    pub fn compose(&mut self, _request: &Request, _progress: &mut dyn FnMut(f32)) -> Result<Composition> {
        Err(Error::Compose("the generation loop is not wired yet".into()))
    }
}
