//! What a score is like, estimated from its notes: key, tempo, meter, density, texture.

mod key;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use key::{key_of, key_scores};

use crate::score::{Instrument, Key, MeterChange, Note, Score};

/// The whole of any score, as a tick range.
pub const WHOLE: Range<u32> = 0..u32::MAX;

/// What a score (or a part of it) is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    /// Length in seconds, to the last note's end.
    pub seconds: f64,
    /// The likeliest key; `None` without pitched notes.
    pub key: Option<Key>,
    /// Quarter notes a minute, on average over time.
    pub tempo: f64,
    /// Quarter notes a minute at the start.
    pub first_tempo: f64,
    /// Beats and beat value of the meter in force for most ticks.
    pub meter: (u8, u8),
    /// Distinct onsets a second, drums included.
    pub density: f64,
    /// Notes sounding together on average while any sounds, drums not counted.
    pub polyphony: f64,
    /// Mean MIDI key number, each note once, drums not counted; `None` without pitched notes.
    pub mean_pitch: Option<f64>,
    /// Mean MIDI velocity, each note once; `None` without notes.
    pub mean_velocity: Option<f64>,
    /// The instruments that play, in order.
    pub instruments: Vec<Instrument>,
}

impl Attributes {
    /// Attributes of the whole score.
    pub fn of(score: &Score) -> Attributes {
        Attributes::of_range(score, WHOLE)
    }

    /// Attributes of the ticks in `range`. Notes count where they begin in it; key and polyphony also count what
    /// sounds on into it.
    pub fn of_range(score: &Score, range: Range<u32>) -> Attributes {
        let range = range.start..range.end.min(score.end()).max(range.start);
        let begun = || score.notes.iter().filter(|n| range.contains(&n.onset));
        let pitched = || begun().filter(|n| !n.instrument.is_drums());
        let seconds = score.seconds_at(range.end) - score.seconds_at(range.start);
        let quarters = f64::from(range.end - range.start) / f64::from(crate::score::TICKS_PER_QUARTER);
        let first_tempo = tempo_at(score, range.start);
        let mut instruments: Vec<_> = begun().map(|n| n.instrument).collect();
        instruments.sort_unstable();
        instruments.dedup();
        Attributes {
            seconds,
            key: key_of(score, range.clone(), None),
            tempo: if seconds > 0.0 { quarters * 60.0 / seconds } else { first_tempo },
            first_tempo,
            meter: meter_of(score, range.clone()),
            density: density_of(score, range.clone()),
            polyphony: polyphony_of(score, range.clone()),
            mean_pitch: mean(pitched().map(|n| n.pitch)),
            mean_velocity: mean(begun().map(|n| n.velocity)),
            instruments,
        }
    }
}

fn mean(values: impl Iterator<Item = u8>) -> Option<f64> {
    let (count, sum) = values.fold((0u64, 0u64), |(count, sum), v| (count + 1, sum + u64::from(v)));
    (count > 0).then(|| sum as f64 / count as f64)
}

fn tempo_at(score: &Score, tick: u32) -> f64 {
    let at = score.tempos.partition_point(|t| t.tick <= tick).saturating_sub(1);
    score.tempos.get(at).map_or(120.0, |t| t.bpm)
}

/// Distinct onsets a second among the ticks in `range` (cut at the score's end), drums included; 0 without time.
pub fn density_of(score: &Score, range: Range<u32>) -> f64 {
    let end = range.end.min(score.end()).max(range.start);
    let seconds = score.seconds_at(end) - score.seconds_at(range.start);
    let mut onsets: Vec<u32> = score.notes.iter().map(|n| n.onset).filter(|o| (range.start..end).contains(o)).collect();
    onsets.sort_unstable();
    onsets.dedup();
    if seconds > 0.0 { onsets.len() as f64 / seconds } else { 0.0 }
}

/// Beats and beat value of the meter in force for most ticks of `range` (cut at the score's end).
pub fn meter_of(score: &Score, range: Range<u32>) -> (u8, u8) {
    let end = range.end.min(score.end()).max(range.start.saturating_add(1));
    let mut held: Vec<((u8, u8), u32)> = Vec::new();
    for (i, &MeterChange { tick, numerator, denominator }) in score.meters.iter().enumerate() {
        let until = score.meters.get(i + 1).map_or(end, |next| next.tick.min(end));
        let ticks = until.saturating_sub(tick.max(range.start));
        match held.iter_mut().find(|(meter, _)| *meter == (numerator, denominator)) {
            Some((_, sum)) => *sum = sum.saturating_add(ticks),
            None => held.push(((numerator, denominator), ticks)),
        }
    }
    // The first of equals.
    held.iter().rev().max_by_key(|(_, ticks)| *ticks).map_or((4, 4), |(meter, _)| *meter)
}

/// Pitched notes sounding together on average while any sounds, among the ticks in `range`; 0 in silence.
pub fn polyphony_of(score: &Score, range: Range<u32>) -> f64 {
    let mut edges: Vec<(u32, i32)> = Vec::new();
    for note in &score.notes {
        if let Some(span) = within(note, &range) {
            edges.push((span.start, 1));
            edges.push((span.end, -1));
        }
    }
    edges.sort_unstable();
    let (mut sounding, mut last, mut covered, mut sum) = (0i64, 0, 0u64, 0i64);
    for (tick, step) in edges {
        let ticks = i64::from(tick - last);
        if sounding > 0 {
            covered += ticks as u64;
            sum += sounding * ticks;
        }
        sounding += i64::from(step);
        last = tick;
    }
    if covered > 0 { sum as f64 / covered as f64 } else { 0.0 }
}

/// The part of a pitched note's span that lies in `range`.
fn within(note: &Note, range: &Range<u32>) -> Option<Range<u32>> {
    let start = note.onset.max(range.start);
    let end = note.onset.saturating_add(note.duration).min(range.end);
    (!note.instrument.is_drums() && start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::TempoChange;

    fn note(onset: u32, duration: u32, pitch: u8, instrument: u8) -> Note {
        Note { onset, duration, pitch, velocity: 60 + pitch % 2 * 20, instrument: Instrument(instrument) }
    }

    fn score() -> Score {
        let mut score = Score {
            notes: vec![note(0, 960, 60, 0), note(480, 480, 65, 40), note(480, 480, 36, 128), note(1440, 480, 67, 40)],
            tempos: vec![TempoChange { tick: 0, bpm: 60.0 }, TempoChange { tick: 960, bpm: 120.0 }],
            meters: vec![
                MeterChange { tick: 0, numerator: 2, denominator: 4 },
                MeterChange { tick: 960, numerator: 3, denominator: 4 },
            ],
            ..Score::default()
        };
        score.sort();
        score
    }

    #[test]
    fn numbers_of_a_small_score() {
        let a = Attributes::of(&score());
        assert!((a.seconds - 3.0).abs() < 1e-9);
        assert!((a.tempo - 80.0).abs() < 1e-9);
        assert_eq!((a.first_tempo, a.meter), (60.0, (2, 4)));
        assert!((a.density - 1.0).abs() < 1e-9);
        assert!((a.polyphony - 4.0 / 3.0).abs() < 1e-9);
        assert_eq!((a.mean_pitch, a.mean_velocity), (Some(64.0), Some(70.0)));
        assert_eq!(a.instruments, [Instrument(0), Instrument(40), Instrument::DRUMS]);
    }

    #[test]
    fn numbers_of_a_range() {
        let a = Attributes::of_range(&score(), 960..1920);
        assert_eq!((a.meter, a.first_tempo, a.mean_pitch), ((3, 4), 120.0, Some(67.0)));
        assert!((a.density - 1.0).abs() < 1e-9);
    }

    #[test]
    fn silence_has_no_key_and_no_density() {
        let a = Attributes::of(&Score::default());
        assert_eq!((a.key, a.density, a.polyphony, a.mean_pitch), (None, 0.0, 0.0, None));
        assert_eq!((a.tempo, a.meter), (120.0, (4, 4)));
    }
}
