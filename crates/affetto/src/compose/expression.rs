//! Expressive micro-timing: notes lean a few milliseconds off the grid, and the leanings of each bar cancel.

use std::ops::Range;

use affetto_score::Score;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Standard deviation of an onset's leaning, in seconds.
const LEAN_SECONDS: f64 = 0.006;
/// Largest leaning, in seconds.
const MAX_LEAN_SECONDS: f64 = 0.015;
/// Tells the draws of micro-timing apart from the sampler's of the same seed.
const STREAM: u64 = 0x6d69_6372_6f74_696d;

/// Moves onsets off the grid by seeded leanings whose mean over the onsets of each bar is zero (to a tick). Notes that
/// start together stay together, an onset at `first_tick`, where the music begins, stays where it is, order is kept, and
/// ends do not move beyond `end_tick`.
pub fn lean(score: &mut Score, seed: u64, first_tick: u32, end_tick: u32) {
    let mut rng = Pcg64Mcg::seed_from_u64(seed ^ STREAM);
    score.sort();
    let bars = score.bar_starts(score.end());
    let mut first = 0;
    while first < score.notes.len() {
        let onset = score.notes[first].onset;
        let bar = bars.partition_point(|&start| start <= onset);
        let bar_end = bars.get(bar).copied().unwrap_or(u32::MAX);
        let last = first + score.notes[first..].partition_point(|n| n.onset < bar_end);
        lean_bar(score, first..last, &mut rng, first_tick, end_tick);
        first = last;
    }
    score.sort();
}

fn lean_bar(score: &mut Score, notes: Range<usize>, rng: &mut Pcg64Mcg, first_tick: u32, end_tick: u32) {
    let mut onsets: Vec<u32> = score.notes[notes.clone()].iter().map(|n| n.onset).collect();
    onsets.dedup();
    let seconds_per_tick = score.seconds_at(onsets[0] + 480) / 480.0 - score.seconds_at(onsets[0]) / 480.0;
    let gap = onsets.windows(2).map(|w| w[1] - w[0]).min().unwrap_or(u32::MAX);
    let most = (MAX_LEAN_SECONDS / seconds_per_tick).min(f64::from(gap) * 0.4).floor();
    let mut leanings: Vec<i64> = onsets
        .iter()
        .map(|&onset| match onset > first_tick {
            false => 0,
            true => (gaussian(rng) * LEAN_SECONDS / seconds_per_tick).clamp(-most, most).round() as i64,
        })
        .collect();
    cancel(&onsets, &mut leanings, first_tick);
    for note in &mut score.notes[notes] {
        let at = onsets.partition_point(|&o| o < note.onset);
        note.onset = (i64::from(note.onset) + leanings[at]).max(0) as u32;
        note.duration = note.duration.min(end_tick.saturating_sub(note.onset).max(1));
    }
}

/// Takes the mean off the leanings of a bar, in whole ticks, leaving an onset at `first_tick` alone.
fn cancel(onsets: &[u32], leanings: &mut [i64], first_tick: u32) {
    let movable: Vec<usize> = (0..onsets.len()).filter(|&i| onsets[i] > first_tick).collect();
    if movable.len() < 2 {
        leanings.fill(0);
        return;
    }
    let sum: i64 = leanings.iter().sum();
    let share = sum.div_euclid(movable.len() as i64);
    let rest = sum.rem_euclid(movable.len() as i64) as usize;
    for (k, &i) in movable.iter().enumerate() {
        leanings[i] -= share + i64::from(k < rest);
    }
}

/// A standard normal draw (Box–Muller).
fn gaussian(rng: &mut Pcg64Mcg) -> f64 {
    let radius = (-2.0f64 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use affetto_score::{Instrument, Note};

    use super::*;

    fn eighths(bars: u32) -> Score {
        let notes = (0..bars * 8)
            .flat_map(|i| [60, 67].map(|pitch| (i, pitch)))
            .map(|(i, pitch)| Note {
                onset: i * 240,
                duration: 240,
                pitch,
                velocity: 80,
                instrument: Instrument::PIANO,
            })
            .collect();
        Score { notes, ..Score::default() }
    }

    #[test]
    fn leanings_cancel_in_every_bar_and_are_there() {
        let straight = eighths(6);
        let mut leaned = straight.clone();
        lean(&mut leaned, 7, 0, straight.end());
        for bar in 0..6 {
            let of = |s: &Score| -> i64 { s.notes[bar * 16..(bar + 1) * 16].iter().map(|n| i64::from(n.onset)).sum() };
            assert_eq!(of(&straight), of(&leaned), "bar {bar}");
        }
        assert_ne!(straight, leaned);
        assert_eq!(leaned.notes[0].onset, 0);
        assert!(leaned.end() <= straight.end());
        assert!(leaned.notes.chunks(2).all(|pair| pair[0].onset == pair[1].onset), "chords stay together");
    }

    #[test]
    fn the_same_seed_leans_the_same_way() {
        let (mut a, mut b, mut c) = (eighths(2), eighths(2), eighths(2));
        lean(&mut a, 1, 0, 10_000);
        lean(&mut b, 1, 0, 10_000);
        lean(&mut c, 2, 0, 10_000);
        assert_eq!(a, b);
        assert_ne!(a, c);
    }
}
