//! Features of time and touch: how dense, how regular, how long, how loud.

use super::timeline::TimedNote;
use super::{Moments, entropy};

/// Onsets closer than this many seconds count as one event (a chord struck together).
const SAME_EVENT: f64 = 0.035;
/// Durations above this many seconds count as this long.
const LONGEST: f64 = 4.0;

/// Names of what [`features`] returns, in order.
pub(super) const NAMES: [&str; 15] = [
    "onset_rate_log",
    "note_rate_log",
    "ioi_median_log",
    "ioi_sd_log",
    "ioi_entropy",
    "pulse_period_log",
    "pulse_strength",
    "duration_mean_log",
    "duration_sd_log",
    "short_note_share",
    "articulation_log",
    "velocity_mean",
    "velocity_sd",
    "velocity_high",
    "energy_log",
];

/// Times of the distinct events, in seconds: onsets merged when closer than [`SAME_EVENT`].
pub(crate) fn events(notes: &[TimedNote]) -> Vec<f64> {
    let mut events: Vec<f64> = Vec::new();
    for note in notes {
        if events.last().is_none_or(|&last| note.onset - last > SAME_EVENT) {
            events.push(note.onset);
        }
    }
    events
}

/// The features of the notes that start in a span of `seconds`; drums count.
pub(super) fn features(notes: &[TimedNote], seconds: f64) -> Vec<f64> {
    let events = events(notes);
    let iois: Vec<f64> = events.windows(2).map(|w| (w[1] - w[0]).clamp(SAME_EVENT, LONGEST)).collect();
    let mut sorted = iois.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(LONGEST);
    let logs = Moments::of(iois.iter().map(|x| x.ln()));
    let mut histogram = [0.0; 16];
    for ioi in &iois {
        let bin = ((ioi / SAME_EVENT).log2() * 2.0).floor().clamp(0.0, 15.0);
        histogram[bin as usize] += 1.0;
    }
    let (period, strength) = pulse(&events);

    let pitched: Vec<&TimedNote> = notes.iter().filter(|n| !n.drums).collect();
    let length = |n: &TimedNote| (n.end - n.onset).clamp(0.02, LONGEST);
    let durations = Moments::of(pitched.iter().map(|n| length(n).ln()));
    let short = pitched.iter().filter(|n| length(n) < 0.25).count() as f64 / pitched.len().max(1) as f64;
    let articulation = Moments::of(pitched.iter().filter_map(|n| {
        let next = events.partition_point(|&e| e <= n.onset + SAME_EVENT);
        let gap = (events.get(next)? - n.onset).clamp(SAME_EVENT, LONGEST);
        Some((length(n) / gap).clamp(0.1, 8.0).ln())
    }));
    let velocities = Moments::of(notes.iter().map(|n| f64::from(n.velocity)));
    let mut loud: Vec<u8> = notes.iter().map(|n| n.velocity).collect();
    loud.sort_unstable();
    let high = loud.get(loud.len() * 9 / 10).copied().unwrap_or(0);
    let energy: f64 = notes.iter().map(|n| (f64::from(n.velocity) / 100.0).powi(2)).sum();

    vec![
        (events.len() as f64 / seconds + 0.1).ln(),
        (notes.len() as f64 / seconds + 0.1).ln(),
        median.ln(),
        logs.sd,
        entropy(&histogram),
        period.ln(),
        strength,
        durations.mean,
        durations.sd,
        short,
        articulation.mean,
        velocities.mean,
        velocities.sd,
        f64::from(high),
        (energy / seconds + 0.1).ln(),
    ]
}

/// The period in seconds (0.2–1.5) at which events repeat best, and how strongly: the share of
/// events that have another event one period later (within 8 %), less what chance would give.
fn pulse(events: &[f64]) -> (f64, f64) {
    let mut best = (0.6, 0.0);
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return best;
    };
    let span = (last - first).max(1.0);
    let mut period = 0.2;
    while period <= 1.5 {
        let tolerance = 0.08 * period;
        let usable = events.iter().filter(|&&e| e + period <= last + tolerance).count();
        if usable >= 4 {
            let hits = events
                .iter()
                .filter(|&&e| {
                    let i = events.partition_point(|&x| x < e + period - tolerance);
                    events.get(i).is_some_and(|&x| x <= e + period + tolerance)
                })
                .count();
            let chance = 1.0 - (-(2.0 * tolerance) * events.len() as f64 / span).exp();
            // A mild preference for walking pace, so that half and double periods do not flip.
            let prior = (-0.5 * ((period / 0.55).ln() / 0.7).powi(2)).exp();
            let score = (hits as f64 / usable as f64 - chance).max(0.0) * prior;
            if score > best.1 {
                best = (period, score);
            }
        }
        period *= 1.03;
    }
    best
}
