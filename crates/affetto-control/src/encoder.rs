//! Conditions → the sequence of tokens that the score family's cross-attention reads.

use affetto_engine::{Checkpoint, Embedding, EngineError, Linear, Precision, activation};
use affetto_score::{Instrument, Key, Mode};

use crate::conditions::{
    CLOSING_FAR, Conditions, EMOTION_TOKENS, KEY_CLASSES, MAX_INSTRUMENTS, MAX_TEXT_TOKENS, MeterClass,
    SCALAR_FEATURES, TEXT_WIDTH, ToldKey, density_scalar, scalar_features, tempo_scalar,
};
use crate::emotion::Emotion;
use crate::finite::check_finite;

/// Width of the AV encoder's hidden layer.
pub const AV_HIDDEN: usize = 128;

/// Kinds of condition token, in the order of the rows of `conditions.type.weight`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A word piece.
    Text,
    /// Tempo.
    Tempo,
    /// Onset density.
    Density,
    /// Key.
    Key,
    /// Meter.
    Meter,
    /// One instrument.
    Instrument,
    /// One of the AV encoder's tokens.
    Emotion,
    /// Bars left until the end.
    Closing,
}

impl TokenKind {
    /// Number of kinds.
    pub const COUNT: usize = 8;
}

/// The AV encoder: (valence, arousal) → [`EMOTION_TOKENS`] condition tokens (LARA-Gen's trainable emotion encoder;
/// here an MLP on [`scalar_features`]).
pub struct AvEncoder {
    fc1: Linear,
    fc2: Linear,
}

impl AvEncoder {
    fn load(checkpoint: &Checkpoint, hidden_size: usize) -> Result<AvEncoder, EngineError> {
        let layer = |name: &str, inputs, outputs| {
            Linear::load(checkpoint, &format!("conditions.av.{name}"), outputs, inputs, true, Precision::F32)
        };
        Ok(AvEncoder {
            fc1: layer("fc1", 2 * SCALAR_FEATURES, AV_HIDDEN)?,
            fc2: layer("fc2", AV_HIDDEN, EMOTION_TOKENS * hidden_size)?,
        })
    }

    /// The tokens of one feeling, `[EMOTION_TOKENS × hidden size]`.
    pub fn encode(&self, emotion: Emotion) -> Vec<f32> {
        let features = [scalar_features(emotion.valence), scalar_features(emotion.arousal)].concat();
        let mut hidden = self.fc1.forward(&features, 1);
        activation::gelu(&mut hidden);
        self.fc2.forward(&hidden, 1)
    }
}

/// Makes condition tokens; see the table "Conditions of the score family" in ARCHITECTURE.md.
pub struct ConditionEncoder {
    hidden_size: usize,
    text: Linear,
    tempo: Linear,
    density: Linear,
    key: Embedding,
    meter: Embedding,
    instrument: Embedding,
    av: AvEncoder,
    closing: Embedding,
    kinds: Embedding,
}

impl ConditionEncoder {
    /// Loads the `conditions.*` tensors of a checkpoint whose model is `hidden_size` wide.
    ///
    /// # Errors
    /// A tensor that is missing, has another shape, or holds numbers that are not finite.
    pub fn load(checkpoint: &Checkpoint, hidden_size: usize) -> Result<ConditionEncoder, EngineError> {
        let linear = |name: &str, inputs| {
            Linear::load(checkpoint, &format!("conditions.{name}"), hidden_size, inputs, true, Precision::F32)
        };
        let embedding =
            |name: &str, rows| Embedding::load(checkpoint, &format!("conditions.{name}.weight"), rows, hidden_size);
        check_finite(checkpoint, "conditions.")?;
        Ok(ConditionEncoder {
            hidden_size,
            text: linear("text_proj", TEXT_WIDTH)?,
            tempo: linear("tempo", SCALAR_FEATURES)?,
            density: linear("density", SCALAR_FEATURES)?,
            key: embedding("key", KEY_CLASSES)?,
            meter: embedding("meter", MeterClass::ALL.len())?,
            instrument: embedding("instrument", Instrument::COUNT)?,
            av: AvEncoder::load(checkpoint, hidden_size)?,
            closing: embedding("closing", usize::from(CLOSING_FAR) + 1)?,
            kinds: embedding("type", TokenKind::COUNT)?,
        })
    }

    /// The tokens of `conditions`, `[tokens × hidden size]`; empty if nothing is given. What is not given has no
    /// token: the model does not see it.
    ///
    /// # Errors
    /// Text states that are not a multiple of [`TEXT_WIDTH`] wide; an instrument or key that does not exist.
    pub fn encode(&self, conditions: &Conditions) -> Result<Vec<f32>, EngineError> {
        let mut tokens = Vec::new();
        check_text(conditions.text_states.len())?;
        let words = (conditions.text_states.len() / TEXT_WIDTH).min(MAX_TEXT_TOKENS);
        if words > 0 {
            let states = self.text.forward(&conditions.text_states[..words * TEXT_WIDTH], words);
            self.push(&mut tokens, TokenKind::Text, &states)?;
        }
        if let Some(bpm) = conditions.tempo_bpm {
            let token = self.tempo.forward(&scalar_features(tempo_scalar(bpm)), 1);
            self.push(&mut tokens, TokenKind::Tempo, &token)?;
        }
        if let Some(key) = conditions.key {
            let token = self.key_token(key)?;
            self.push(&mut tokens, TokenKind::Key, &token)?;
        }
        if let Some(meter) = conditions.meter {
            self.push_row(&mut tokens, TokenKind::Meter, &self.meter, meter.index())?;
        }
        for instrument in conditions.instruments.iter().take(MAX_INSTRUMENTS) {
            self.push_row(&mut tokens, TokenKind::Instrument, &self.instrument, usize::from(instrument.0))?;
        }
        if let Some(emotion) = conditions.segment.emotion {
            self.push(&mut tokens, TokenKind::Emotion, &self.av.encode(emotion))?;
        }
        if let Some(density) = conditions.segment.density {
            let token = self.density.forward(&scalar_features(density_scalar(density)), 1);
            self.push(&mut tokens, TokenKind::Density, &token)?;
        }
        if let Some(closing) = conditions.segment.closing {
            self.push_row(&mut tokens, TokenKind::Closing, &self.closing, usize::from(closing.min(CLOSING_FAR)))?;
        }
        Ok(tokens)
    }

    /// The embedding of a key, mixed with that of its other mode.
    fn key_token(&self, ToldKey { key, other_mode }: ToldKey) -> Result<Vec<f32>, EngineError> {
        let mut token = vec![0.0; self.hidden_size];
        self.key.get(key.index(), &mut token)?;
        if other_mode > 0.0 {
            let mode = if key.mode == Mode::Major { Mode::Minor } else { Mode::Major };
            let mut other = vec![0.0; self.hidden_size];
            self.key.get(Key { mode, ..key }.index(), &mut other)?;
            token.iter_mut().zip(&other).for_each(|(x, y)| *x += other_mode * (y - *x));
        }
        Ok(token)
    }

    fn push_row(
        &self,
        tokens: &mut Vec<f32>,
        kind: TokenKind,
        table: &Embedding,
        row: usize,
    ) -> Result<(), EngineError> {
        let mut token = vec![0.0; self.hidden_size];
        table.get(row, &mut token)?;
        self.push(tokens, kind, &token)
    }

    fn push(&self, tokens: &mut Vec<f32>, kind: TokenKind, states: &[f32]) -> Result<(), EngineError> {
        let mut kind_vector = vec![0.0; self.hidden_size];
        self.kinds.get(kind as usize, &mut kind_vector)?;
        for state in states.chunks_exact(self.hidden_size) {
            tokens.extend(state.iter().zip(&kind_vector).map(|(x, k)| x + k));
        }
        Ok(())
    }
}

fn check_text(values: usize) -> Result<(), EngineError> {
    match values % TEXT_WIDTH {
        0 => Ok(()),
        _ => Err(EngineError::Invalid {
            what: "the text's states",
            reason: format!("{values} numbers; expected {TEXT_WIDTH} for each word piece"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ragged_text_states_are_refused() {
        assert!(check_text(0).is_ok() && check_text(2 * TEXT_WIDTH).is_ok());
        assert!(check_text(TEXT_WIDTH + 1).unwrap_err().to_string().contains("385"));
    }
}
