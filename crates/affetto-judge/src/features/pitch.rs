//! Features of register and texture: how high, how wide, how thick.

use super::Moments;
use super::timeline::TimedNote;
use super::tonal::Slice;

/// Names of what [`features`] returns, in order.
pub(super) const NAMES: [&str; 9] = [
    "pitch_mean",
    "pitch_sd",
    "low_share",
    "high_share",
    "bass_mean",
    "top_mean",
    "polyphony",
    "sounding_share",
    "chord_size",
];

/// The features of the pitched notes of a span of `seconds`. Where there is no note, register is
/// taken to be around middle C.
pub(super) fn features(notes: &[TimedNote], slices: &[Slice], seconds: f64) -> Vec<f64> {
    let pitches = Moments::of(notes.iter().map(|n| f64::from(n.pitch)));
    let count = notes.len().max(1) as f64;
    let share = |f: &dyn Fn(u8) -> bool| notes.iter().filter(|n| f(n.pitch)).count() as f64 / count;
    let sounding: f64 = slices.iter().map(|s| s.seconds).sum();
    let mean = |f: &dyn Fn(&Slice) -> f64, empty: f64| {
        let m = Moments::weighted(slices.iter().map(|s| (f(s), s.seconds)));
        if m.count > 0.0 { m.mean } else { empty }
    };
    vec![
        if notes.is_empty() { 60.0 } else { pitches.mean },
        pitches.sd,
        share(&|p| p < 48),
        share(&|p| p >= 72),
        mean(&|s| f64::from(s.bass), 48.0),
        mean(&|s| f64::from(s.top), 66.0),
        mean(&|s| f64::from(s.sounding).min(12.0), 0.0),
        (sounding / seconds).min(1.0),
        mean(&|s| f64::from(s.classes.count_ones()), 0.0),
    ]
}
