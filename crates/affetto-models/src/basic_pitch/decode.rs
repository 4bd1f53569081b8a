//! From posteriors to notes.
//!
//! The way of Basic Pitch's authors: a note begins where the onset posterior has a peak in time, and lasts until the
//! note posterior has stayed low for a while. Sound that a note has explained is taken away, with the neighbouring
//! keys'. What still sounds after that becomes notes too, the loudest first, grown to both sides (their "melodia
//! trick").

use super::{KEYS, LOWEST_KEY, Posteriors, frame_seconds};

/// How notes are told from posteriors.
#[derive(Clone, Debug, PartialEq)]
pub struct NoteOptions {
    /// Least onset posterior at which a note begins.
    pub onset_threshold: f32,
    /// Note posterior below which a key is no longer heard.
    pub frame_threshold: f32,
    /// Notes of this many frames or fewer are dropped (11 frames are 128 ms). At most 4096.
    pub minimum_frames: usize,
    /// A note ends when its key has not been heard for this many frames. At most 4096, at least 1.
    pub tolerance_frames: usize,
    /// Whether a sudden rise of the note posterior counts as an onset too.
    pub infer_onsets: bool,
    /// Whether what sounds on without an onset becomes notes.
    pub without_onset: bool,
}

impl Default for NoteOptions {
    /// What the authors use: 0.5, 0.3, 11 frames, 11 frames, both ways on.
    fn default() -> Self {
        NoteOptions {
            onset_threshold: 0.5,
            frame_threshold: 0.3,
            minimum_frames: 11,
            tolerance_frames: 11,
            infer_onsets: true,
            without_onset: true,
        }
    }
}

/// One note that was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoteEvent {
    /// Where it begins, in seconds.
    pub start_seconds: f64,
    /// Where it ends, in seconds.
    pub end_seconds: f64,
    /// MIDI key, 21–108.
    pub key: u8,
    /// Mean of its note posterior, 0–1: how surely, and by that how loudly, it sounds.
    pub amplitude: f32,
}

/// Notes and options longer than this many frames are not waited for, so that time stays in proportion to the frames.
const MOST_FRAMES: usize = 4096;

/// The notes of stitched posteriors ([`BasicPitch::posteriors`](super::BasicPitch::posteriors), or a
/// [`Stitcher`](super::Stitcher)'s), by start and key. Numbers that are not finite count as 0; frames beyond what
/// either list holds are ignored.
pub fn notes(posteriors: &Posteriors, options: &NoteOptions) -> Vec<NoteEvent> {
    let frames = posteriors.frames.min(posteriors.notes.len() / KEYS).min(posteriors.onsets.len() / KEYS);
    let finite = |x: &[f32]| -> Vec<f32> {
        x[..frames * KEYS].iter().map(|&x| if x.is_finite() { x.max(0.0) } else { 0.0 }).collect()
    };
    let sounding = finite(&posteriors.notes);
    let mut onsets = finite(&posteriors.onsets);
    if options.infer_onsets {
        infer_onsets(&mut onsets, &sounding);
    }
    let mut decoder = Decoder {
        frames,
        threshold: options.frame_threshold,
        minimum: options.minimum_frames.min(MOST_FRAMES),
        tolerance: options.tolerance_frames.clamp(1, MOST_FRAMES),
        unexplained: sounding.clone(),
        sounding,
        events: Vec::new(),
    };
    decoder.struck(&onsets, options.onset_threshold);
    if options.without_onset {
        decoder.remaining();
    }
    decoder.events.sort_by(|a, b| a.start_seconds.total_cmp(&b.start_seconds).then(a.key.cmp(&b.key)));
    decoder.events
}

/// Raises onsets where the note posterior rises above both frames before, scaled to the loudest onset.
fn infer_onsets(onsets: &mut [f32], sounding: &[f32]) {
    let mut rises = vec![0.0f32; sounding.len()];
    for i in 2 * KEYS..sounding.len() {
        let before = sounding[i - KEYS].max(sounding[i - 2 * KEYS]);
        rises[i] = (sounding[i] - before).max(0.0);
    }
    let greatest = |x: &[f32]| x.iter().copied().fold(0.0, f32::max);
    let (onset, rise) = (greatest(onsets), greatest(&rises));
    if rise > 0.0 {
        for (onset_here, rise_here) in onsets.iter_mut().zip(&rises) {
            *onset_here = onset_here.max(onset * (rise_here / rise));
        }
    }
}

struct Decoder {
    frames: usize,
    threshold: f32,
    minimum: usize,
    tolerance: usize,
    /// Note posteriors, `[frames, 88]`.
    sounding: Vec<f32>,
    /// The same without what notes have explained.
    unexplained: Vec<f32>,
    events: Vec<NoteEvent>,
}

impl Decoder {
    /// Notes that begin with an onset, from the last to the first.
    fn struck(&mut self, onsets: &[f32], threshold: f32) {
        for start in (1..self.frames.saturating_sub(1)).rev() {
            for key in (0..KEYS).rev() {
                let i = start * KEYS + key;
                let peak = onsets[i] > onsets[i - KEYS] && onsets[i] > onsets[i + KEYS];
                if !(peak && onsets[i] >= threshold) {
                    continue;
                }
                let mut end = start + 1;
                let mut low = 0;
                while end < self.frames - 1 && low < self.tolerance {
                    low = if self.unexplained[end * KEYS + key] < self.threshold { low + 1 } else { 0 };
                    end += 1;
                }
                end -= low;
                if end - start > self.minimum {
                    (start..end).for_each(|t| self.explain(t, key));
                    self.add(start, end, key);
                }
            }
        }
    }

    /// Notes of what still sounds, the loudest frame first, grown to both sides.
    fn remaining(&mut self) {
        let mut peaks: Vec<usize> =
            (0..self.unexplained.len()).filter(|&i| self.unexplained[i] > self.threshold).collect();
        peaks.sort_by(|&a, &b| self.unexplained[b].total_cmp(&self.unexplained[a]).then(a.cmp(&b)));
        for i in peaks {
            // Something louder has explained it since.
            if self.unexplained[i] <= self.threshold {
                continue;
            }
            let (middle, key) = (i / KEYS, i % KEYS);
            self.unexplained[i] = 0.0;
            let mut low = 0;
            let mut end = middle + 1;
            while end < self.frames - 1 && low < self.tolerance {
                low = if self.unexplained[end * KEYS + key] < self.threshold { low + 1 } else { 0 };
                self.explain(end, key);
                end += 1;
            }
            let end = (end - 1).saturating_sub(low);
            let mut low = 0;
            let mut start = middle as isize - 1;
            while start > 0 && low < self.tolerance {
                let t = start as usize;
                low = if self.unexplained[t * KEYS + key] < self.threshold { low + 1 } else { 0 };
                self.explain(t, key);
                start -= 1;
            }
            let start = (start + 1) as usize + low;
            if end > start && end - start > self.minimum {
                self.add(start, end, key);
            }
        }
    }

    /// Takes one frame of a key and its neighbours out of what is unexplained.
    fn explain(&mut self, frame: usize, key: usize) {
        for key in key.saturating_sub(1)..=(key + 1).min(KEYS - 1) {
            self.unexplained[frame * KEYS + key] = 0.0;
        }
    }

    fn add(&mut self, start: usize, end: usize, key: usize) {
        let sum: f64 = (start..end).map(|t| f64::from(self.sounding[t * KEYS + key])).sum();
        self.events.push(NoteEvent {
            start_seconds: frame_seconds(start),
            end_seconds: frame_seconds(end),
            key: LOWEST_KEY + key as u8,
            amplitude: (sum / (end - start) as f64) as f32,
        });
    }
}
