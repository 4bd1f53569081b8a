//! What the language model of the score family is told, before it becomes tokens.

use affetto_score::{Instrument, Key, MeterChange, Mode};
use serde::{Deserialize, Serialize};

use crate::emotion::Emotion;

/// Width of MiniLM's token states and of its sentence embeddings.
pub const TEXT_WIDTH: usize = affetto_models::minilm::WIDTH;
/// Number of keys: tonic + 12 where it is minor.
pub const KEY_CLASSES: usize = 24;
/// Most word pieces of a prompt that are heard, `[CLS]` and `[SEP]` included.
pub const MAX_TEXT_TOKENS: usize = 24;
/// Most instruments named to the model.
pub const MAX_INSTRUMENTS: usize = 8;
/// Condition tokens the AV encoder makes of one emotion.
pub const EMOTION_TOKENS: usize = 4;
/// Most segments (each with its own emotion, density and closing) in one training window.
pub const MAX_SEGMENTS: usize = 4;
/// `closing` for four or more bars before the end.
pub const CLOSING_FAR: u8 = 4;
/// Width of [`scalar_features`].
pub const SCALAR_FEATURES: usize = 16;

/// The meters the model tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MeterClass {
    /// 4/4, and 2/2.
    FourFour,
    /// 3/4.
    ThreeFour,
    /// 2/4.
    TwoFour,
    /// 6/8, and 12/8.
    SixEight,
    /// Any other.
    Other,
}

impl MeterClass {
    /// Every class, in the order of the embedding's rows.
    pub const ALL: [MeterClass; 5] =
        [MeterClass::FourFour, MeterClass::ThreeFour, MeterClass::TwoFour, MeterClass::SixEight, MeterClass::Other];

    /// The class of a time signature.
    pub fn of(numerator: u8, denominator: u8) -> MeterClass {
        match (numerator, denominator) {
            (4, 4) | (2, 2) => MeterClass::FourFour,
            (3, 4) => MeterClass::ThreeFour,
            (2, 4) => MeterClass::TwoFour,
            (6, 8) | (12, 8) => MeterClass::SixEight,
            _ => MeterClass::Other,
        }
    }

    /// The time signature generated for a class, from tick 0; 5/4 for [`MeterClass::Other`].
    pub fn meter(self) -> MeterChange {
        let (numerator, denominator) = match self {
            MeterClass::FourFour => (4, 4),
            MeterClass::ThreeFour => (3, 4),
            MeterClass::TwoFour => (2, 4),
            MeterClass::SixEight => (6, 8),
            MeterClass::Other => (5, 4),
        };
        MeterChange { tick: 0, numerator, denominator }
    }

    /// Row of the embedding.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Conditions that may change along the music. `None` = not given (masked).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SegmentConditions {
    /// The feeling.
    pub emotion: Option<Emotion>,
    /// Distinct onsets per second.
    pub density: Option<f32>,
    /// Bars left until the end, [`CLOSING_FAR`] for that many or more.
    pub closing: Option<u8>,
}

/// The key, and how surely it is told to be major or minor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToldKey {
    /// The key.
    pub key: Key,
    /// The share of the other mode on the same tonic in what is told: 0 = none; at 0.5 the mode is open.
    pub other_mode: f32,
}

impl ToldKey {
    /// A key on the tonic of `key` that is told to be minor by `share`: from 0, all major, to 1.
    pub fn minor_by(key: Key, share: f32) -> ToldKey {
        ToldKey { key, other_mode: if key.mode == Mode::Minor { 1.0 - share } else { share } }
    }
}

impl From<Key> for ToldKey {
    fn from(key: Key) -> ToldKey {
        ToldKey { key, other_mode: 0.0 }
    }
}

/// Everything the model is told. `None` or empty = not given (masked).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// MiniLM token states, `[tokens × TEXT_WIDTH]`, at most [`MAX_TEXT_TOKENS`] tokens.
    pub text_states: Vec<f32>,
    /// Quarter notes per minute.
    pub tempo_bpm: Option<f32>,
    /// Key.
    pub key: Option<ToldKey>,
    /// Meter.
    pub meter: Option<MeterClass>,
    /// Instruments, at most [`MAX_INSTRUMENTS`].
    pub instruments: Vec<Instrument>,
    /// The segment in force.
    pub segment: SegmentConditions,
}

/// The scalar a tempo is embedded as: log2(bpm / 120), kept within [-1.5, 1.5].
pub fn tempo_scalar(bpm: f32) -> f32 {
    (bpm / 120.0).log2().clamp(-1.5, 1.5)
}

/// The scalar a density is embedded as: log2(onsets per second / 3) / 3, kept within [-1, 1].
pub fn density_scalar(onsets_per_second: f32) -> f32 {
    ((onsets_per_second.max(0.05) / 3.0).log2() / 3.0).clamp(-1.0, 1.0)
}

/// The features a scalar enters the network as: powers, sines and bumps, so that a linear layer can
/// follow both slow and sharp dependences. See the table in ARCHITECTURE.md.
pub fn scalar_features(x: f32) -> [f32; SCALAR_FEATURES] {
    let mut out = [0.0; SCALAR_FEATURES];
    out[..4].copy_from_slice(&[x, x * x, x * x * x, 1.0]);
    for (i, factor) in [0.5, 1.0, 2.0].into_iter().enumerate() {
        let (sin, cos) = (std::f32::consts::PI * x * factor).sin_cos();
        out[4 + 2 * i] = sin;
        out[5 + 2 * i] = cos;
    }
    for (i, centre) in [-1.0f32, -0.6, -0.2, 0.2, 0.6, 1.0].into_iter().enumerate() {
        out[10 + i] = (1.0 - (x - centre).abs() / 0.4).max(0.0);
    }
    out
}
