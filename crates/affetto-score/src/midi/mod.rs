//! Standard MIDI files.

mod read;
mod write;

pub use read::read;
pub use write::write;

/// Index of the percussion channel (channel 10 counted from 1).
const DRUM_CHANNEL: u8 = 9;
