//! Symbolic metrics of a score, after MusPy's definitions where it has them.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use affetto_score::Score;
use affetto_score::score::TICKS_PER_QUARTER;
use serde::{Deserialize, Serialize};

use crate::features::entropy;

/// Ticks of a sixteenth note, the grid of groove consistency.
const SIXTEENTH: u32 = TICKS_PER_QUARTER / 4;
/// Ticks of a 24th of a quarter, the grid of verbatim repetition.
const GRID: u32 = TICKS_PER_QUARTER / 24;
/// Degrees of the major and the natural minor scale, one bit a pitch class.
const SCALES: [u16; 2] = [0b1010_1011_0101, 0b0101_1010_1101];

/// What the metrics of one score are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// -Σ p log₂ p over the twelve pitch classes, by note count.
    pub pitch_class_entropy: f64,
    /// Share of notes in the best of 24 scales (12 major, 12 natural minor).
    pub scale_consistency: f64,
    /// 1 - the mean Hamming distance, per sixteenth, of neighbouring bars' onset vectors (drums
    /// count; bars of different length are not compared). 1 where there are fewer than two bars.
    pub groove_consistency: f64,
    /// Notes per second, from the first onset to the last end.
    pub density: f64,
    /// Mean number of pitches that sound together, where any sounds: a unison of two voices is one pitch, as on MusPy's
    /// merged piano roll. Drums have none.
    pub polyphony: f64,
    /// Share of bars in which nothing sounds.
    pub empty_bars: f64,
    /// Share of the windows of four whole bars (of those with at least one onset, from the fifth
    /// bar on) that occurred before, note for note, without overlap.
    pub repetition: f64,
}

/// Names of the metrics, in the order of [`Metrics::values`].
pub const METRICS: [&str; 7] = [
    "pitch-class entropy",
    "scale consistency",
    "groove consistency",
    "density",
    "polyphony",
    "empty bars",
    "4-bar repetition",
];

impl Metrics {
    /// The metrics as numbers, in the order of [`METRICS`].
    pub fn values(&self) -> [f64; 7] {
        [
            self.pitch_class_entropy,
            self.scale_consistency,
            self.groove_consistency,
            self.density,
            self.polyphony,
            self.empty_bars,
            self.repetition,
        ]
    }
}

/// Measures a whole score. Without notes all metrics are 0, except groove consistency, 1, and
/// empty bars, 1.
pub fn measure(score: &Score) -> Metrics {
    let mut classes = [0.0; 12];
    for note in score.notes.iter().filter(|n| !n.instrument.is_drums()) {
        classes[usize::from(note.pitch % 12)] += 1.0;
    }
    let bars = Bars::of(score);
    Metrics {
        pitch_class_entropy: entropy(&classes),
        scale_consistency: scale_consistency(&classes),
        groove_consistency: groove_consistency(&bars),
        density: density(score),
        polyphony: polyphony(score),
        empty_bars: bars.empty_share(),
        repetition: repetition(&bars),
    }
}

fn scale_consistency(classes: &[f64; 12]) -> f64 {
    let total: f64 = classes.iter().sum();
    if total == 0.0 {
        return 0.0;
    }
    let mut best = 0.0f64;
    for scale in SCALES {
        for tonic in 0..12 {
            let inside: f64 = (0..12).filter(|d| scale >> d & 1 == 1).map(|d| classes[(tonic + d) % 12]).sum();
            best = best.max(inside / total);
        }
    }
    best
}

fn density(score: &Score) -> f64 {
    let Some(first) = score.notes.iter().map(|n| n.onset).min() else { return 0.0 };
    let seconds = score.seconds_at(score.end()) - score.seconds_at(first);
    if seconds > 0.0 { score.notes.len() as f64 / seconds } else { 0.0 }
}

fn polyphony(score: &Score) -> f64 {
    let mut changes: Vec<(u32, i32, u8)> = score
        .notes
        .iter()
        .filter(|n| !n.instrument.is_drums())
        .flat_map(|n| [(n.onset, 1, n.pitch), (n.onset.saturating_add(n.duration), -1, n.pitch)])
        .collect();
    changes.sort_unstable();
    // Notes that sound on each key, and keys on which any does.
    let mut notes_on = [0i32; 256];
    let (mut sounding, mut last, mut pitch_ticks, mut any_ticks) = (0i32, 0u32, 0.0, 0.0);
    for (tick, change, pitch) in changes {
        if sounding > 0 {
            pitch_ticks += f64::from(sounding) * f64::from(tick - last);
            any_ticks += f64::from(tick - last);
        }
        let on = &mut notes_on[usize::from(pitch)];
        let before = i32::from(*on > 0);
        *on += change;
        sounding += i32::from(*on > 0) - before;
        last = tick;
    }
    if any_ticks > 0.0 { pitch_ticks / any_ticks } else { 0.0 }
}

/// What happens in each bar.
struct Bars {
    /// Length in ticks.
    lengths: Vec<u32>,
    /// Sixteenths with an onset, sorted, each once.
    onsets: Vec<Vec<u32>>,
    /// Hash of the bar's notes: position, pitch, instrument.
    hashes: Vec<u64>,
    /// Whether anything sounds in it.
    sounding: Vec<bool>,
}

impl Bars {
    /// The bars from the first line to the last end. At most a million.
    fn of(score: &Score) -> Self {
        let end = score
            .end()
            .min(score.meters.iter().map(|m| m.bar_ticks()).min().unwrap_or(1).max(1).saturating_mul(1_000_000));
        let mut starts = score.bar_starts(end.saturating_sub(1));
        if score.notes.is_empty() {
            starts.clear();
        }
        let count = starts.len();
        let mut bars = Bars {
            lengths: (0..count).map(|i| starts.get(i + 1).copied().unwrap_or(end) - starts[i]).collect(),
            onsets: vec![Vec::new(); count],
            hashes: vec![0; count],
            sounding: vec![false; count],
        };
        if let (Some(last), Some(&start)) = (bars.lengths.last_mut(), starts.last()) {
            // The last bar is as long as its meter says.
            let meter = score.meters.partition_point(|m| m.tick <= start).saturating_sub(1);
            *last = score.meters.get(meter).map_or(*last, |m| m.bar_ticks());
        }
        for note in &score.notes {
            let bar = starts.partition_point(|&s| s <= note.onset).saturating_sub(1);
            if bar >= count {
                continue;
            }
            let within = note.onset - starts[bar].min(note.onset);
            bars.onsets[bar].push((within + SIXTEENTH / 2) / SIXTEENTH);
            let mut hasher = DefaultHasher::new();
            ((within + GRID / 2) / GRID, note.pitch, note.instrument.0).hash(&mut hasher);
            // Addition does not depend on the order of the notes.
            bars.hashes[bar] = bars.hashes[bar].wrapping_add(hasher.finish() | 1);
            let last = starts.partition_point(|&s| s < note.onset.saturating_add(note.duration));
            for sounding in &mut bars.sounding[bar..last.clamp(bar + 1, count)] {
                *sounding = true;
            }
        }
        for onsets in &mut bars.onsets {
            onsets.sort_unstable();
            onsets.dedup();
        }
        bars
    }

    fn empty_share(&self) -> f64 {
        let empty = self.sounding.iter().filter(|&&s| !s).count();
        if self.sounding.is_empty() { 1.0 } else { empty as f64 / self.sounding.len() as f64 }
    }
}

fn groove_consistency(bars: &Bars) -> f64 {
    let (mut distance, mut pairs) = (0.0, 0.0);
    for i in 1..bars.lengths.len() {
        if bars.lengths[i] != bars.lengths[i - 1] {
            continue;
        }
        let steps = f64::from((bars.lengths[i] / SIXTEENTH).max(1));
        let (a, b) = (&bars.onsets[i - 1], &bars.onsets[i]);
        let common = a.iter().filter(|x| b.binary_search(x).is_ok()).count();
        distance += ((a.len() + b.len() - 2 * common) as f64 / steps).min(1.0);
        pairs += 1.0;
    }
    if pairs > 0.0 { 1.0 - distance / pairs } else { 1.0 }
}

fn repetition(bars: &Bars) -> f64 {
    const LENGTH: usize = 4;
    let window = |i: usize| (&bars.hashes[i..i + LENGTH], &bars.lengths[i..i + LENGTH]);
    let mut seen = HashSet::new();
    let (mut repeated, mut windows) = (0.0, 0.0);
    for i in LENGTH..(bars.hashes.len() + 1).saturating_sub(LENGTH) {
        seen.insert(window(i - LENGTH));
        if bars.onsets[i..i + LENGTH].iter().all(Vec::is_empty) {
            continue;
        }
        windows += 1.0;
        repeated += f64::from(u8::from(seen.contains(&window(i))));
    }
    if windows > 0.0 { repeated / windows } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use affetto_score::{Instrument, Note};

    use super::*;

    fn score(notes: &[(u32, u32, u8)]) -> Score {
        let mut score = Score::default();
        for &(onset, duration, pitch) in notes {
            score.notes.push(Note { onset, duration, pitch, velocity: 70, instrument: Instrument::PIANO });
        }
        score.sort();
        score
    }

    /// `bars` bars of four quarters; bar b starts on pitches from `bar_pitch(b)`.
    fn tune(bars: u32, bar_pitch: impl Fn(u32) -> u8) -> Score {
        let mut notes = Vec::new();
        for bar in 0..bars {
            for beat in 0..4 {
                notes.push((bar * 1920 + beat * 480, 480, bar_pitch(bar) + beat as u8 * 2));
            }
        }
        score(&notes)
    }

    #[test]
    fn four_tones_alike_have_two_bits_and_fit_a_scale() {
        let m = measure(&tune(4, |_| 60));
        assert!((m.pitch_class_entropy - 2.0).abs() < 1e-12);
        // C D E F#: three of four in C major, all in G major.
        assert_eq!(m.scale_consistency, 1.0);
        let chromatic = measure(&score(&(0..12).map(|i| (i * 480, 480, 60 + i as u8)).collect::<Vec<_>>()));
        assert!((chromatic.scale_consistency - 7.0 / 12.0).abs() < 1e-12);
    }

    #[test]
    fn groove_counts_sixteenths_that_differ() {
        assert_eq!(measure(&tune(4, |_| 60)).groove_consistency, 1.0);
        // Bars of [0, 4] and [0, 6] differ in two of sixteen.
        let notes = [(0, 100, 60), (480, 100, 60), (1920, 100, 60), (1920 + 720, 100, 60)];
        assert!((measure(&score(&notes)).groove_consistency - 14.0 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn density_and_polyphony_are_of_time() {
        let m = measure(&score(&[(0, 480, 60), (0, 480, 64), (480, 480, 67), (960, 960, 60)]));
        assert!((m.density - 4.0 / 2.0).abs() < 1e-12);
        assert!((m.polyphony - (480.0 * 4.0 + 480.0) / 1920.0).abs() < 1e-12);
    }

    #[test]
    fn voices_in_unison_are_one_pitch() {
        // Two voices on C, one of which leaves for E half-way; a third strikes the C that still sounds.
        let m = measure(&score(&[(0, 960, 60), (0, 480, 60), (480, 480, 64), (720, 240, 60)]));
        assert!((m.polyphony - (480.0 + 480.0 * 2.0) / 960.0).abs() < 1e-12, "{}", m.polyphony);
    }

    #[test]
    fn empty_bars_are_those_where_nothing_sounds() {
        let m = measure(&score(&[(0, 480, 60), (1920, 1920 * 2, 60), (1920 * 5, 480, 60)]));
        assert!((m.empty_bars - 2.0 / 6.0).abs() < 1e-12, "{}", m.empty_bars);
        assert_eq!(measure(&Score::default()).empty_bars, 1.0);
    }

    #[test]
    fn only_verbatim_repeats_count() {
        assert_eq!(measure(&tune(8, |bar| 60 + (bar % 4) as u8)).repetition, 1.0);
        assert_eq!(measure(&tune(8, |bar| 60 + bar as u8)).repetition, 0.0);
        // A-B-A' with one note changed in the last bar: 12 bars, the only repeat would be bars 8–11.
        let mut changed = tune(12, |bar| if !(4..8).contains(&bar) { 60 + (bar % 4) as u8 } else { 70 + bar as u8 });
        assert!((measure(&changed).repetition - 1.0 / 5.0).abs() < 1e-12);
        changed.notes.last_mut().unwrap().pitch += 1;
        assert_eq!(measure(&changed).repetition, 0.0);
    }
}
