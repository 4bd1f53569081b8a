//! What the project is about: emotion points and curves, conditions, the attribute prior.

pub mod conditions;
pub mod emotion;
pub mod encoder;
mod finite;
pub mod lexicon;
pub mod music_words;
pub mod prior;
pub mod steering;
pub mod words;

pub use conditions::{Conditions, MeterClass, SegmentConditions, ToldKey, scalar_features};
pub use emotion::{Emotion, EmotionCurve, EmotionError};
pub use lexicon::{Lexicon, LexiconError};
pub use words::{WordsHead, WordsReading};
