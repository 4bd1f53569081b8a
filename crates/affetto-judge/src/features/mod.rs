//! Instrument-neutral note features for the emotion of a span of music.
//!
//! [`extract`] gives one number per name in [`NAMES`], all finite for any score, empty spans
//! included. Drums count in the rhythm features and are left out of those of pitch. Velocities are
//! taken as they are: normalise them per corpus first ([`normalize_velocities`]), or they tell the
//! corpus rather than the feeling.

mod melody;
mod pitch;
mod rhythm;
mod timeline;
mod tonal;

use std::sync::LazyLock;

use affetto_score::Score;

pub(crate) use rhythm::events;
pub use timeline::{TimedNote, Timeline};

/// Mean velocity every corpus is brought to before features are taken.
pub const VELOCITY_MEAN: f64 = 72.0;
/// Standard deviation of velocity every corpus is brought to before features are taken.
pub const VELOCITY_SD: f64 = 16.0;

/// Names of the features, in the order of [`extract`]'s answer.
pub static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| [&rhythm::NAMES[..], &pitch::NAMES[..], &tonal::NAMES[..], &melody::NAMES[..]].concat());

/// What a feature is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Time and touch: density, regularity, length, loudness.
    Rhythm,
    /// Register and texture.
    Register,
    /// Key, mode and harmony.
    Tonal,
    /// The top line.
    Melody,
}

/// What the feature at `index` in [`NAMES`] is about.
pub fn group(index: usize) -> Group {
    let register = rhythm::NAMES.len();
    let tonal = register + pitch::NAMES.len();
    let melody = tonal + tonal::NAMES.len();
    match index {
        i if i < register => Group::Rhythm,
        i if i < tonal => Group::Register,
        i if i < melody => Group::Tonal,
        _ => Group::Melody,
    }
}

/// The features of the span `[start_seconds, end_seconds)` of `score`, as many as [`NAMES`].
///
/// Notes belong to the span they start in. For many spans of one score make a [`Timeline`] once
/// and use [`extract_from`].
pub fn extract(score: &Score, start_seconds: f64, end_seconds: f64) -> Vec<f64> {
    extract_from(&Timeline::new(score), start_seconds, end_seconds)
}

/// As [`extract`], from a score whose tempo map has been applied already.
pub fn extract_from(timeline: &Timeline, start_seconds: f64, end_seconds: f64) -> Vec<f64> {
    let start = if start_seconds.is_finite() { start_seconds } else { 0.0 };
    let end = if end_seconds.is_finite() { end_seconds.max(start) } else { timeline.end().max(start) };
    let notes = timeline.starting_in(start, end);
    let pitched: Vec<TimedNote> = notes.iter().filter(|n| !n.drums).copied().collect();
    let seconds = (end - start).max(0.5);
    let slices = tonal::slices(&pitched, end);
    let mut all = rhythm::features(notes, seconds);
    all.extend(pitch::features(&pitched, &slices, seconds));
    all.extend(tonal::features(&pitched, &slices, start, end));
    all.extend(melody::features(&pitched));
    debug_assert_eq!(all.len(), NAMES.len());
    for x in &mut all {
        if !x.is_finite() {
            *x = 0.0;
        }
    }
    all
}

/// How much more major than minor the notes of a span are: the correlation of what they hold with the best major key
/// less that with the best minor key (the feature `major_minus_minor`).
pub fn mode(timeline: &Timeline, start_seconds: f64, end_seconds: f64) -> f64 {
    let pitched: Vec<TimedNote> =
        timeline.starting_in(start_seconds, end_seconds).iter().filter(|n| !n.drums).copied().collect();
    tonal::major_minus_minor(&pitched)
}

/// Mean and standard deviation of the velocities of all notes of some scores: (mean, sd).
/// Without notes, the target values themselves.
pub fn velocity_statistics<'a>(scores: impl IntoIterator<Item = &'a Score>) -> (f64, f64) {
    let moments = Moments::of(scores.into_iter().flat_map(|s| s.notes.iter()).map(|n| f64::from(n.velocity)));
    if moments.count == 0.0 { (VELOCITY_MEAN, VELOCITY_SD) } else { (moments.mean, moments.sd) }
}

/// Brings velocities drawn from a corpus with `mean` and `sd` to [`VELOCITY_MEAN`] and
/// [`VELOCITY_SD`], clamped to 1–127. A corpus of constant velocity (`sd` below 1) is only shifted.
pub fn normalize_velocities(score: &mut Score, mean: f64, sd: f64) {
    let scale = if sd >= 1.0 { VELOCITY_SD / sd } else { 1.0 };
    for note in &mut score.notes {
        let v = VELOCITY_MEAN + (f64::from(note.velocity) - mean) * scale;
        note.velocity = v.round().clamp(1.0, 127.0) as u8;
    }
}

/// Count, mean and standard deviation of some numbers; zeros where there are none.
pub(crate) struct Moments {
    pub count: f64,
    pub mean: f64,
    pub sd: f64,
}

impl Moments {
    /// Weighs all alike.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        Self::weighted(values.into_iter().map(|v| (v, 1.0)))
    }

    /// From pairs (value, weight).
    pub fn weighted(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (mut w, mut s, mut q) = (0.0, 0.0, 0.0);
        for (v, weight) in pairs {
            w += weight;
            s += weight * v;
            q += weight * v * v;
        }
        if w <= 0.0 {
            return Moments { count: 0.0, mean: 0.0, sd: 0.0 };
        }
        let mean = s / w;
        Moments { count: w, mean, sd: (q / w - mean * mean).max(0.0).sqrt() }
    }
}

/// Entropy in bits of a histogram of non-negative weights; 0 where it is empty.
pub(crate) fn entropy(histogram: &[f64]) -> f64 {
    let total: f64 = histogram.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    -histogram.iter().filter(|&&x| x > 0.0).map(|x| x / total * (x / total).log2()).sum::<f64>()
}

#[cfg(test)]
mod tests;
