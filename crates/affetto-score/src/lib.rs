//! Notes: reading and writing scores, musical attributes, the score codec and SoundFont rendering.

pub mod attributes;
mod bars;
mod chord;
mod clock;
pub mod codec;
mod error;
mod instruments;
mod key_names;
pub mod midi;
pub mod musicxml;
mod range;
pub mod score;
pub mod synth;

pub use attributes::Attributes;
pub use chord::ChordSymbol;
pub use clock::Clock;
pub use error::ScoreError;
pub use instruments::{FAMILIES, Family, drum_name};
pub use score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TICKS_PER_QUARTER, TempoChange};
