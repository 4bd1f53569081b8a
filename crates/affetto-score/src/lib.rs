//! Notes: reading and writing scores, musical attributes, the score codec and SoundFont rendering.

pub mod codec;
pub mod score;

pub use score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TempoChange};
