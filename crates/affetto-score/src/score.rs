//! The score: notes in ticks over a map of tempos, meters and keys.

use serde::{Deserialize, Serialize};

/// Resolution of every [`Score`]: ticks per quarter note.
pub const TICKS_PER_QUARTER: u32 = 480;

/// What plays a note: a General MIDI program (0–127) or the drum kit (128).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instrument(pub u8);

impl Instrument {
    /// The General MIDI drum kit (MIDI channel 10).
    pub const DRUMS: Instrument = Instrument(128);
    /// Acoustic grand piano, General MIDI program 0.
    pub const PIANO: Instrument = Instrument(0);
    /// Number of distinct instruments: 128 programs and the drum kit.
    pub const COUNT: usize = 129;

    /// Whether this is the drum kit.
    pub fn is_drums(self) -> bool {
        self == Self::DRUMS
    }
}

/// One note. Times are ticks ([`TICKS_PER_QUARTER`]) from the start of the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Start, in ticks.
    pub onset: u32,
    /// Length, in ticks; at least 1.
    pub duration: u32,
    /// MIDI key number, 0–127; for drums the General MIDI percussion key.
    pub pitch: u8,
    /// MIDI velocity, 1–127.
    pub velocity: u8,
    /// What plays it.
    pub instrument: Instrument,
}

impl Note {
    /// End of the note, in ticks.
    pub fn end(&self) -> u32 {
        self.onset + self.duration
    }
}

/// From `tick` on, the music goes at `bpm` quarter notes per minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TempoChange {
    /// Where the change happens, in ticks.
    pub tick: u32,
    /// Quarter notes per minute.
    pub bpm: f64,
}

/// From `tick` on, bars have `numerator` beats of `1/denominator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterChange {
    /// Where the change happens, in ticks; a bar line.
    pub tick: u32,
    /// Beats in a bar.
    pub numerator: u8,
    /// Note value of a beat: 1, 2, 4, 8, 16, 32 or 64.
    pub denominator: u8,
}

impl MeterChange {
    /// Length of one bar, in ticks.
    pub fn bar_ticks(&self) -> u32 {
        (u32::from(self.numerator) * 4 * TICKS_PER_QUARTER) / u32::from(self.denominator.max(1))
    }
}

/// Major or minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Major (Ionian).
    Major,
    /// Minor (natural, harmonic or melodic).
    Minor,
}

/// A key: tonic pitch class (0 = C) and mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Tonic pitch class, 0 = C … 11 = B.
    pub tonic: u8,
    /// Major or minor.
    pub mode: Mode,
}

/// From `tick` on, the music is in `key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// Where the change happens, in ticks.
    pub tick: u32,
    /// The key.
    pub key: Key,
}

/// A piece of music as notes.
///
/// Invariants kept by every reader in this crate: `tempos` and `meters` are not empty, start at
/// tick 0 and are sorted; `notes` are sorted by (onset, instrument, pitch).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The notes, sorted by onset, instrument, pitch.
    pub notes: Vec<Note>,
    /// Tempo map.
    pub tempos: Vec<TempoChange>,
    /// Meter map.
    pub meters: Vec<MeterChange>,
    /// Key signatures, where known (may be empty).
    pub keys: Vec<KeyChange>,
    /// Length of the pick-up, in ticks: the first bar line after tick 0 lies here. 0 = none.
    pub pickup: u32,
    /// Title, where known.
    pub title: Option<String>,
}

impl Default for Score {
    fn default() -> Self {
        Score {
            notes: Vec::new(),
            tempos: vec![TempoChange { tick: 0, bpm: 120.0 }],
            meters: vec![MeterChange { tick: 0, numerator: 4, denominator: 4 }],
            keys: Vec::new(),
            pickup: 0,
            title: None,
        }
    }
}

impl Score {
    /// Sorts the notes by (onset, instrument, pitch), the order every consumer relies on.
    pub fn sort(&mut self) {
        self.notes.sort_by_key(|n| (n.onset, n.instrument, n.pitch, n.duration, n.velocity));
    }

    /// The last note's end, in ticks; 0 without notes.
    pub fn end(&self) -> u32 {
        self.notes.iter().map(Note::end).max().unwrap_or(0)
    }

    /// Seconds from the start to `tick`, by the tempo map. For many ticks, ask a [`Clock`](crate::Clock).
    pub fn seconds_at(&self, tick: u32) -> f64 {
        let mut seconds = 0.0;
        for (i, change) in self.tempos.iter().enumerate() {
            if change.tick >= tick {
                break;
            }
            let until = self.tempos.get(i + 1).map_or(tick, |next| next.tick.min(tick));
            seconds += f64::from(until - change.tick) * 60.0 / (change.bpm * f64::from(TICKS_PER_QUARTER));
        }
        seconds
    }

    /// Tick at `seconds` from the start, by the tempo map, rounded to the nearest tick.
    pub fn tick_at(&self, seconds: f64) -> u32 {
        let mut start = 0.0;
        for (i, change) in self.tempos.iter().enumerate() {
            let per_tick = 60.0 / (change.bpm * f64::from(TICKS_PER_QUARTER));
            let tick = f64::from(change.tick) + (seconds - start).max(0.0) / per_tick;
            match self.tempos.get(i + 1) {
                Some(next) if tick >= f64::from(next.tick) => {
                    start += f64::from(next.tick - change.tick) * per_tick;
                }
                _ => return tick.round().min(f64::from(u32::MAX)) as u32,
            }
        }
        0
    }

    /// The instruments that play, each once, in order.
    pub fn instruments(&self) -> Vec<Instrument> {
        let mut all: Vec<_> = self.notes.iter().map(|n| n.instrument).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The start of every bar, in ticks, from tick 0 (which starts the pick-up bar where there is
    /// one) until past `end`. Bars follow the meter map.
    pub fn bar_starts(&self, end: u32) -> Vec<u32> {
        let mut starts = vec![0];
        let mut at = 0u32;
        let mut first = true;
        loop {
            let meter_index = self.meters.partition_point(|m| m.tick <= at).saturating_sub(1);
            let bar = self.meters[meter_index].bar_ticks().max(1);
            let mut next = if first && self.pickup > 0 { self.pickup } else { at.saturating_add(bar) };
            first = false;
            if let Some(change) = self.meters.get(meter_index + 1) {
                next = next.min(change.tick.max(at + 1));
            }
            if next > end {
                return starts;
            }
            starts.push(next);
            at = next;
        }
    }
}
