//! Sound of any length, in pieces: overlapping windows, of whose answers the ends are cut off.

use super::{BasicPitch, FRAMES, HOP, KEYS, Posteriors, SAMPLE_RATE, WINDOW};
use crate::parallel;

/// Frames cut off each end of a window, where it hears silence that is not there.
const CUT: usize = 15;
/// Frames kept of a window.
const KEPT: usize = FRAMES - 2 * CUT;
/// Samples from one window to the next. A little less than [`KEPT`] frames: see [`frame_seconds`].
const STEP: usize = WINDOW - 2 * CUT * HOP;
/// Windows heard at once, at most; this many samples are held.
const BATCH: usize = 16;

/// The time of a frame of stitched [`Posteriors`], in seconds from the beginning of the sound. Frames are 256 samples
/// apart within a window; the first frame of each next window comes 188 samples early, because windows overlap by whole
/// frames but are not whole frames long.
pub fn frame_seconds(frame: usize) -> f64 {
    let (window, within) = (frame / KEPT, frame % KEPT);
    (window as f64 * STEP as f64 + (within * HOP) as f64) / f64::from(SAMPLE_RATE)
}

/// Takes a sound piece by piece. Holds a few windows of sound at most; only the answers grow, 61 kB a second.
///
/// ```no_run
/// # use affetto_models::basic_pitch::{BasicPitch, Stitcher};
/// # fn f(net: &BasicPitch, pieces: &[Vec<f32>]) {
/// let mut stitcher = Stitcher::new(net);
/// for piece in pieces {
///     stitcher.push(piece);
/// }
/// let posteriors = stitcher.finish();
/// # }
/// ```
pub struct Stitcher<'a> {
    net: &'a BasicPitch,
    /// Sound from the beginning of the next window on.
    held: Vec<f32>,
    /// Samples pushed so far.
    samples: usize,
    answers: Posteriors,
}

impl<'a> Stitcher<'a> {
    /// For one sound. Half an overlap of silence stands before it, as in the original.
    pub fn new(net: &'a BasicPitch) -> Self {
        Stitcher { net, held: vec![0.0; CUT * HOP], samples: 0, answers: Posteriors::default() }
    }

    /// Hears the next samples, mono at 22,050 Hz. The answers do not depend on where the sound is cut into pieces.
    pub fn push(&mut self, mut samples: &[f32]) {
        self.samples += samples.len();
        while !samples.is_empty() {
            let room = (STEP * (BATCH - 1) + WINDOW).saturating_sub(self.held.len());
            let (now, later) = samples.split_at(room.min(samples.len()));
            self.held.extend_from_slice(now);
            samples = later;
            let whole = (self.held.len() + STEP).saturating_sub(WINDOW) / STEP;
            self.hear(whole);
        }
    }

    /// Ends the sound: what it said of every frame.
    pub fn finish(mut self) -> Posteriors {
        self.hear(self.held.len().div_ceil(STEP));
        // As many frames as the original keeps.
        let frames = (self.samples as u128 * KEPT as u128 / STEP as u128) as usize;
        self.answers.notes.truncate(frames * KEYS);
        self.answers.onsets.truncate(frames * KEYS);
        self.answers.frames = self.answers.notes.len() / KEYS;
        self.answers
    }

    /// Hears the first windows of what is held and lets their sound go.
    fn hear(&mut self, windows: usize) {
        let (net, held) = (self.net, &self.held);
        for answer in parallel::map(windows, |i| net.window(&held[i * STEP..])) {
            self.answers.notes.extend_from_slice(&answer.notes[CUT * KEYS..][..KEPT * KEYS]);
            self.answers.onsets.extend_from_slice(&answer.onsets[CUT * KEYS..][..KEPT * KEYS]);
        }
        self.held.drain(..(windows * STEP).min(self.held.len()));
    }
}
