//! Basic Pitch (Bittner et al. 2022, "A lightweight instrument-agnostic model for polyphonic note transcription and
//! multipitch estimation"): the notes that sound in a recording, and where they begin.
//!
//! A window of sound becomes a constant-Q transform, whose harmonics are laid side by side; a small
//! convolutional network says for each frame which pitch contours sound (3 bins a semitone), from these which of the
//! 88 keys sound, and from keys and transform where a key is struck. Long sound is cut into overlapping windows by a
//! [`Stitcher`]; [`notes`] makes notes of what the network says.

mod contour;
mod conv;
mod cqt;
mod decode;
mod stitch;

use affetto_engine::Checkpoint;

use self::contour::Contour;
use self::conv::{Activation, Conv, Plane, Shape};
use self::cqt::Cqt;
use crate::ModelError;

pub use decode::{NoteEvent, NoteOptions, notes};
pub use stitch::{Stitcher, frame_seconds};

/// Sample rate of the sound it hears, in Hz.
pub const SAMPLE_RATE: u32 = 22_050;
/// Samples of a window, a little below 2 s.
pub const WINDOW: usize = 43_844;
/// Frames of a window.
pub const FRAMES: usize = 172;
/// Samples from one frame to the next.
pub const HOP: usize = 256;
/// Piano keys that are told apart.
pub const KEYS: usize = 88;
/// MIDI key of the first of [`KEYS`]: A0, 27.5 Hz.
pub const LOWEST_KEY: u8 = 21;

/// Bins of the contours: 3 for each key.
const CONTOUR_BINS: usize = 3 * KEYS;
/// How many bins above (below) a bin its harmonics ½, 1, 2, … 7 lie.
const SHIFTS: [isize; 8] = [-36, 0, 36, 57, 72, 84, 93, 101];
/// Channels between the two layers of notes, and of onsets.
const WIDTH: usize = 32;

/// What the network says of each frame, all in 0–1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Posteriors {
    /// Number of frames.
    pub frames: usize,
    /// How surely each key sounds, `[frames, 88]`.
    pub notes: Vec<f32>,
    /// How surely each key is struck, `[frames, 88]`.
    pub onsets: Vec<f32>,
}

/// The network with its weights packed.
pub struct BasicPitch {
    cqt: Cqt,
    contour: (Contour, Conv),
    note: [Conv; 2],
    onset: [Conv; 2],
}

impl BasicPitch {
    /// Reads the tensors of `assets/basic-pitch/basic_pitch.safetensors`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where a tensor is missing or has another shape.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let conv = |name, channels, outputs, filter, stride, block, activation| {
            Conv::load(checkpoint, name, Shape { channels, outputs, filter, stride, block }, activation)
        };
        let (relu, sigmoid) = (Activation::Relu, Activation::Sigmoid);
        Ok(BasicPitch {
            cqt: Cqt::load(checkpoint)?,
            contour: (Contour::load(checkpoint)?, conv("contour.1", contour::FILTERS, 1, (5, 5), 1, 12, sigmoid)?),
            note: [conv("note.0", 1, WIDTH, (7, 7), 3, 1, relu)?, conv("note.1", WIDTH, 1, (7, 3), 1, 11, sigmoid)?],
            onset: [
                conv("onset.0", SHIFTS.len(), WIDTH, (5, 5), 3, 1, relu)?,
                conv("onset.1", WIDTH + 1, 1, (3, 3), 1, 11, sigmoid)?,
            ],
        })
    }

    /// One window: up to [`WINDOW`] mono samples at 22,050 Hz, fewer are followed by silence and more are cut off.
    /// Gives [`FRAMES`] frames; frame `t` stands at sample `256 · t`. Samples that are not finite are heard as silence.
    pub fn window(&self, samples: &[f32]) -> Posteriors {
        let [notes, onsets, _] = self.forward(samples);
        Posteriors { frames: FRAMES, notes: inner(&notes), onsets: inner(&onsets) }
    }

    /// A sound of any length, mono at 22,050 Hz, by overlapping windows; on the engine's threads, and the answer does
    /// not depend on how many. Frame `t` stands at [`frame_seconds`]`(t)`.
    pub fn posteriors(&self, samples: &[f32]) -> Posteriors {
        let mut stitcher = Stitcher::new(self);
        stitcher.push(samples);
        stitcher.finish()
    }

    /// Notes, onsets and contours of one window.
    fn forward(&self, samples: &[f32]) -> [Plane; 3] {
        let mut window: Vec<f32> = samples.iter().take(WINDOW).map(|&x| tame(x)).collect();
        window.resize(WINDOW, 0.0);
        let transform = self.cqt.apply(&window, contour::AROUND);

        let mut features = Plane::new(CONTOUR_BINS, contour::FILTERS, (2, 2));
        self.contour.0.apply(&transform, &mut features);
        let mut contours = Plane::new(CONTOUR_BINS, 1, (3, 2));
        self.contour.1.apply(&features, &mut contours);

        let mut features = Plane::new(KEYS, WIDTH, (3, 1));
        self.note[0].apply(&contours, &mut features);
        let mut notes = Plane::new(KEYS, 1, (0, 0));
        self.note[1].apply(&features, &mut notes);

        let stacked = stack(&transform);
        let mut struck = Plane::new(KEYS, WIDTH, (0, 0));
        self.onset[0].apply(&stacked, &mut struck);
        let mut both = Plane::new(KEYS, WIDTH + 1, (1, 1));
        for (t, frame) in both.frames_mut().enumerate() {
            let features = struck.frame(t).chunks_exact(WIDTH);
            for ((both, note), features) in frame.chunks_exact_mut(WIDTH + 1).zip(notes.frame(t)).zip(features) {
                both[0] = *note;
                both[1..].copy_from_slice(features);
            }
        }
        let mut onsets = Plane::new(KEYS, 1, (0, 0));
        self.onset[1].apply(&both, &mut onsets);
        [notes, onsets, contours]
    }
}

/// A sample within what the transform's squares can hold.
fn tame(x: f32) -> f32 {
    if x.is_finite() { x.clamp(-1e6, 1e6) } else { 0.0 }
}

/// The harmonics of each contour bin side by side, `[172, 264, 8]`, framed for the first convolution of the onsets.
fn stack(transform: &Plane) -> Plane {
    let mut stacked = Plane::new(CONTOUR_BINS, SHIFTS.len(), (2, 1));
    for (t, frame) in stacked.frames_mut().enumerate() {
        let bins = transform.frame(t);
        for (place, harmonics) in frame.chunks_exact_mut(SHIFTS.len()).enumerate() {
            for (x, shift) in harmonics.iter_mut().zip(SHIFTS) {
                *x = place.checked_add_signed(shift).and_then(|bin| bins.get(bin)).copied().unwrap_or(0.0);
            }
        }
    }
    stacked
}

/// All numbers of a plane, `[172, places · channels]`.
fn inner(plane: &Plane) -> Vec<f32> {
    (0..FRAMES).flat_map(|t| plane.frame(t)).copied().collect()
}

#[cfg(test)]
mod tests;
