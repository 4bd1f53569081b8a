//! Notes: reading and writing scores, musical attributes, the score codec and SoundFont rendering.

pub mod abc;
mod bars;
mod chord;
pub mod codec;
mod error;
pub mod midi;
pub mod musicxml;
pub mod score;
pub mod synth;

pub use chord::ChordSymbol;
pub use error::ScoreError;
pub use score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TempoChange};
