//! A score in seconds: the tempo map applied once, so that many spans can be read cheaply.

use affetto_score::Score;
use affetto_score::score::TICKS_PER_QUARTER;

/// A note in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimedNote {
    /// Start, seconds from the start of the score.
    pub onset: f64,
    /// End, seconds.
    pub end: f64,
    /// MIDI key number.
    pub pitch: u8,
    /// MIDI velocity.
    pub velocity: u8,
    /// Whether the drum kit plays it.
    pub drums: bool,
}

/// All notes of a score in seconds, sorted by onset.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    notes: Vec<TimedNote>,
}

impl Timeline {
    /// Applies the tempo map of `score` to all its notes. Tempos outside 1–2000 quarter notes per
    /// minute (or not finite) are taken as the nearest of these.
    pub fn new(score: &Score) -> Self {
        let mut map: Vec<(f64, f64, f64)> = Vec::new(); // tick, seconds there, seconds per tick
        for change in &score.tempos {
            let bpm = if change.bpm.is_finite() { change.bpm.clamp(1.0, 2000.0) } else { 120.0 };
            let tick = f64::from(change.tick);
            let seconds = map.last().map_or(0.0, |&(t, s, per)| s + (tick - t) * per);
            map.push((tick, seconds, 60.0 / (bpm * f64::from(TICKS_PER_QUARTER))));
        }
        if map.is_empty() {
            map.push((0.0, 0.0, 0.5 / f64::from(TICKS_PER_QUARTER)));
        }
        let seconds = |tick: f64| {
            let i = map.partition_point(|m| m.0 <= tick).saturating_sub(1);
            let (t, s, per) = map[i];
            s + (tick - t) * per
        };
        let notes = score
            .notes
            .iter()
            .map(|n| TimedNote {
                onset: seconds(f64::from(n.onset)),
                end: seconds(f64::from(n.onset) + f64::from(n.duration)),
                pitch: n.pitch.min(127),
                velocity: n.velocity.min(127),
                drums: n.instrument.is_drums(),
            })
            .collect();
        Timeline::from_notes(notes)
    }

    /// Notes that are in seconds already, in any order.
    pub fn from_notes(mut notes: Vec<TimedNote>) -> Self {
        notes.sort_by(|a, b| a.onset.total_cmp(&b.onset).then(a.pitch.cmp(&b.pitch)));
        Timeline { notes }
    }

    /// All notes, sorted by onset.
    pub fn notes(&self) -> &[TimedNote] {
        &self.notes
    }

    /// The notes that start in `[start, end)` seconds.
    pub fn starting_in(&self, start: f64, end: f64) -> &[TimedNote] {
        let from = self.notes.partition_point(|n| n.onset < start);
        let to = self.notes.partition_point(|n| n.onset < end);
        &self.notes[from..to.max(from)]
    }

    /// The last note's end, in seconds; 0 without notes.
    pub fn end(&self) -> f64 {
        self.notes.iter().map(|n| n.end).fold(0.0, f64::max)
    }
}
