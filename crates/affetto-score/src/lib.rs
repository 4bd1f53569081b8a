//! Notes: reading and writing scores, musical attributes, the score codec and SoundFont rendering.

pub mod abc;
mod bars;
mod chord;
pub mod codec;
mod error;
mod instruments;
pub mod midi;
pub mod musicxml;
pub mod score;
pub mod synth;

pub use chord::ChordSymbol;
pub use error::ScoreError;
pub use instruments::{FAMILIES, Family, drum_name};
pub use score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TICKS_PER_QUARTER, TempoChange};
