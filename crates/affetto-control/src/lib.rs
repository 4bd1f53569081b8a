//! What the project is about: emotion points and curves, conditions, the attribute prior.

pub mod conditions;
pub mod emotion;

pub use conditions::{Conditions, MeterClass, SegmentConditions, scalar_features};
pub use emotion::{Emotion, EmotionCurve, EmotionError};
