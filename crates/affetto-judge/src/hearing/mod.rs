//! Hearing sound: what MusiCNN, Basic Pitch and a spectrogram say of it, as it streams by. The emotion judges of sound
//! and the emotion predictor read from this.

mod embedding;
mod listener;
mod span;
pub mod texture;

pub use listener::{Ears, Listener};
pub use span::Sense;

use crate::features::Timeline;

/// What MusiCNN heard in one of its windows of 3 s.
#[derive(Clone, Debug, PartialEq)]
pub struct HeardWindow {
    /// Middle of the window, in seconds.
    pub middle: f64,
    /// MusiCNN's penultimate layer, `[200]`.
    pub penultimate: Vec<f32>,
}

/// What was heard in a sound: a few kilobytes for each of its seconds.
#[derive(Clone, Debug, Default)]
pub struct Hearing {
    /// Length of the sound, in seconds.
    pub seconds: f64,
    /// MusiCNN's windows, in order.
    pub windows: Vec<HeardWindow>,
    /// Half seconds of texture, from the start, [`texture::CELL_SECONDS`] each.
    pub cells: Vec<texture::Cell>,
    /// The notes that Basic Pitch transcribed; their velocity is 127 times its amplitude.
    pub notes: Timeline,
}

/// Loudness that sound is brought to before it is heard, in LUFS: how loud a file is says nothing.
pub const LOUDNESS: f64 = -16.0;
/// Most a quiet sound is lifted, as a factor: 40 dB.
const MAX_GAIN: f64 = 100.0;

/// The factor that brings a sound of `lufs` to [`LOUDNESS`]; 1 for silence.
pub fn gain_to_loudness(lufs: f64) -> f32 {
    if lufs.is_finite() { 10f64.powf((LOUDNESS - lufs) / 20.0).min(MAX_GAIN) as f32 } else { 1.0 }
}
