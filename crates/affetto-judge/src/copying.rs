//! Whether music is copied: eight-bar windows matched against training pieces, transposition ignored.
//!
//! A window is the set of its pitched notes as (onset from the window's start on a grid of 12 steps
//! a quarter, pitch). It matches a stretch of a training piece of the same length by
//! |common| / max(|window|, |stretch|), at the best shift and transposition. Candidates are found by
//! runs of `RUN` notes with equal intervals and onset distances, then counted note by note.

pub mod file;
pub mod lines;

use std::collections::{HashMap, HashSet};

use affetto_score::Score;
use affetto_score::score::TICKS_PER_QUARTER;
use serde::{Deserialize, Serialize};

/// Bars of a window.
pub const WINDOW_BARS: usize = 8;
/// Share of matching notes from which a window counts as copied.
pub const COPIED: f64 = 0.9;
/// Windows with fewer notes are not counted: they match by chance.
pub const FEWEST_NOTES: usize = 12;
/// Notes of a run that must match exactly for a piece to become a candidate.
const RUN: usize = 6;
/// Ticks of a grid step.
const STEP: u32 = TICKS_PER_QUARTER / 12;
/// Runs that occur more often than this in the training pieces (drones, scales) propose nobody.
const COMMON: usize = 20_000;
/// Most places tried for one window.
const TRIED: usize = 64;

/// A pitched note on the grid: (step from the start of the piece, pitch).
type GridNote = (u32, u8);

/// The training pieces, indexed by their runs of notes.
#[derive(Clone, Debug, Default)]
pub struct CopyIndex {
    names: Vec<String>,
    pieces: Vec<Vec<GridNote>>,
    /// (hash of the run, piece, index of its first note), sorted once searched.
    runs: Vec<(u64, u32, u32)>,
    sorted: bool,
}

/// How one window of a score fared.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowMatch {
    /// First bar of the window, counted from 0.
    pub bar: usize,
    /// Its notes.
    pub notes: usize,
    /// Share of matching notes with the best training stretch found; 0 without a candidate.
    pub share: f64,
    /// The piece of that stretch.
    pub piece: Option<String>,
    /// Semitones from the training piece up to the window.
    pub transposition: i16,
}

/// Copied and counted windows, to be added up over takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyCount {
    /// Windows with a match of at least [`COPIED`].
    pub copied: usize,
    /// Windows counted.
    pub windows: usize,
}

impl CopyCount {
    /// Copied ÷ counted; 0 where none was counted.
    pub fn share(&self) -> f64 {
        self.copied as f64 / self.windows.max(1) as f64
    }

    /// Adds another count.
    pub fn add(&mut self, other: CopyCount) {
        self.copied += other.copied;
        self.windows += other.windows;
    }
}

fn grid_notes(score: &Score) -> Vec<GridNote> {
    let mut notes: Vec<GridNote> = score
        .notes
        .iter()
        .filter(|n| !n.instrument.is_drums())
        .map(|n| ((n.onset.saturating_add(STEP / 2)) / STEP, n.pitch))
        .collect();
    notes.sort_unstable();
    notes.dedup();
    notes
}

/// Hashes of all runs of `RUN` notes: the onset distances and intervals between neighbours.
fn run_hashes(notes: &[GridNote]) -> impl Iterator<Item = u64> + '_ {
    notes.windows(RUN).map(|run| {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for pair in run.windows(2) {
            let distance = u64::from((pair[1].0 - pair[0].0).min(0xffff));
            let interval = (i64::from(pair[1].1) - i64::from(pair[0].1) + 256) as u64;
            hash = (hash ^ (distance << 16 | interval)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            hash ^= hash >> 29;
        }
        hash
    })
}

impl CopyIndex {
    /// An index of no pieces.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a training piece. `name` comes back with what matches it.
    pub fn add(&mut self, name: &str, score: &Score) {
        let notes = grid_notes(score);
        let piece = self.pieces.len() as u32;
        self.runs.extend(run_hashes(&notes).enumerate().map(|(i, hash)| (hash, piece, i as u32)));
        self.names.push(name.to_owned());
        self.pieces.push(notes);
        self.sorted = false;
    }

    /// How many pieces are in.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Sorts the index; [`CopyIndex::search`] needs it once after the last [`CopyIndex::add`].
    pub fn finish(&mut self) {
        self.runs.sort_unstable();
        self.sorted = true;
    }

    fn places(&self, hash: u64) -> &[(u64, u32, u32)] {
        let from = self.runs.partition_point(|r| r.0 < hash);
        let to = from + self.runs[from..].partition_point(|r| r.0 == hash);
        if to - from > COMMON { &[] } else { &self.runs[from..to] }
    }

    /// All windows of [`WINDOW_BARS`] whole bars of `score` with at least [`FEWEST_NOTES`] pitched
    /// notes, each with its best match.
    ///
    /// # Panics
    ///
    /// In debug builds, where [`CopyIndex::finish`] was forgotten.
    pub fn search(&self, score: &Score) -> Vec<WindowMatch> {
        debug_assert!(self.sorted || self.runs.is_empty(), "CopyIndex::finish was not called");
        let notes = grid_notes(score);
        let hashes: Vec<u64> = run_hashes(&notes).collect();
        // Up to the line that closes the last bar.
        let last_bar = score.meters.last().map_or(0, |m| m.bar_ticks());
        let starts = score.bar_starts(score.end().saturating_add(last_bar.saturating_sub(1)));
        let mut matches = Vec::new();
        for bar in 0..starts.len().saturating_sub(WINDOW_BARS) {
            let (start, end) = (starts[bar] / STEP, starts[bar + WINDOW_BARS] / STEP);
            let from = notes.partition_point(|n| n.0 < start);
            let to = notes.partition_point(|n| n.0 < end);
            if to - from < FEWEST_NOTES {
                continue;
            }
            let window = &notes[from..to];
            let last_run = (to + 1).saturating_sub(RUN).clamp(from, hashes.len());
            let mut best = WindowMatch { bar, notes: window.len(), share: 0.0, piece: None, transposition: 0 };
            for (piece, shift, transposition) in self.candidates(&notes, &hashes[from..last_run], from) {
                let share = overlap(window, &self.pieces[piece as usize], (start, end), shift, transposition);
                if share > best.share {
                    best.share = share;
                    best.piece = Some(self.names[piece as usize].clone());
                    best.transposition = transposition;
                }
            }
            matches.push(best);
        }
        matches
    }

    /// The places with the most runs in common: (piece, steps from the piece's to the score's
    /// time, semitones up).
    fn candidates(&self, notes: &[GridNote], hashes: &[u64], first: usize) -> Vec<(u32, i64, i16)> {
        let mut votes: HashMap<(u32, i64, i16), u32> = HashMap::new();
        let mut looked_up: HashSet<(u64, u32)> = HashSet::new();
        for (i, &hash) in hashes.iter().enumerate() {
            let (step, pitch) = notes[first + i];
            if !looked_up.insert((hash, step)) {
                continue;
            }
            for &(_, piece, at) in self.places(hash) {
                let (there, other) = self.pieces[piece as usize][at as usize];
                let key = (piece, i64::from(step) - i64::from(there), i16::from(pitch) - i16::from(other));
                *votes.entry(key).or_default() += 1;
            }
        }
        let mut order: Vec<_> = votes.into_iter().collect();
        order.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        order.truncate(TRIED);
        order.into_iter().map(|(key, _)| key).collect()
    }

    /// How many windows of `score` are copied, and how many were counted.
    pub fn count(&self, score: &Score) -> CopyCount {
        let windows = self.search(score);
        CopyCount { copied: windows.iter().filter(|w| w.share >= COPIED).count(), windows: windows.len() }
    }
}

/// |common| / max(|window|, |stretch|) of a window over `span` steps and the stretch of `piece` that
/// lies there after moving it by `shift` steps and `transposition` semitones.
fn overlap(window: &[GridNote], piece: &[GridNote], span: (u32, u32), shift: i64, transposition: i16) -> f64 {
    let moved = |n: &GridNote| (i64::from(n.0) + shift, i16::from(n.1) + transposition);
    let from = piece.partition_point(|n| moved(n).0 < i64::from(span.0));
    let to = piece.partition_point(|n| moved(n).0 < i64::from(span.1));
    let mut stretch = piece[from..to].iter().map(moved).peekable();
    let mut common = 0usize;
    for note in window {
        let note = (i64::from(note.0), i16::from(note.1));
        while stretch.next_if(|n| *n < note).is_some() {}
        common += usize::from(stretch.next_if_eq(&note).is_some());
    }
    common as f64 / window.len().max(to - from).max(1) as f64
}

#[cfg(test)]
mod tests {
    use affetto_score::{Instrument, Note};

    use super::*;
    use crate::stats::splitmix;

    fn random_piece(seed: u64, notes: u32) -> Score {
        let mut state = seed;
        let mut score = Score::default();
        let mut onset = 0;
        for _ in 0..notes {
            let draw = splitmix(&mut state);
            let pitch = 55 + (draw % 20) as u8;
            score.notes.push(Note { onset, duration: 200, pitch, velocity: 70, instrument: Instrument::PIANO });
            onset += 120 * (1 + (draw >> 8) as u32 % 3);
        }
        score
    }

    fn index() -> CopyIndex {
        let mut index = CopyIndex::new();
        for seed in 0..50 {
            index.add(&format!("piece {seed}"), &random_piece(seed, 300));
        }
        index.finish();
        index
    }

    #[test]
    fn a_transposed_excerpt_is_found() {
        let mut taken = random_piece(7, 300);
        for note in &mut taken.notes {
            note.pitch += 5;
            note.instrument = Instrument(40);
        }
        // Three bars on: found at another place of the piece, too.
        taken.notes.retain(|n| n.onset >= 3 * 1920);
        for note in &mut taken.notes {
            note.onset -= 3 * 1920;
        }
        let found = index().search(&taken);
        assert!(found.len() > 10);
        for window in &found {
            assert_eq!((window.share, window.piece.as_deref(), window.transposition), (1.0, Some("piece 7"), 5));
        }
    }

    #[test]
    fn one_note_in_fourteen_changed_still_matches_one_in_five_does_not() {
        let index = index();
        for (every, copied) in [(14, true), (5, false)] {
            let mut taken = random_piece(3, 300);
            for note in taken.notes.iter_mut().step_by(every) {
                note.pitch += 30;
            }
            let count = index.count(&taken);
            assert!(count.windows > 10);
            assert_eq!(count.copied == count.windows, copied, "{every}: {count:?}");
            assert_eq!(count.copied > 0, copied);
        }
    }

    #[test]
    fn other_music_is_not_copied() {
        let count = index().count(&random_piece(99, 300));
        assert!(count.windows > 10);
        assert_eq!(count.copied, 0);
        assert_eq!(CopyIndex::new().count(&random_piece(1, 300)).copied, 0);
    }
}
