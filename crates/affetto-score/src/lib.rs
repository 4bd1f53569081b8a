//! Notes: reading and writing scores, musical attributes, the score codec and SoundFont rendering.

pub mod codec;
mod error;
pub mod midi;
pub mod score;

pub use error::ScoreError;
pub use score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TempoChange};
