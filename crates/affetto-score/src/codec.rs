//! The score codec: notes ⇄ [`STREAMS`] parallel token streams, one row a note.
//!
//! Rows are sorted by (onset, instrument, pitch). Times lie on a grid of [`STEPS_PER_QUARTER`]
//! steps a quarter note; onsets and durations are each rounded to the nearest step. What tokens do not carry
//! (tempo map, meters, keys, pick-up, title) travels beside them as a [`Frame`].
//!
//! | stream | vocabulary | token |
//! |---|---|---|
//! | [`POSITION`] | 192 | steps from the bar line (in a pick-up bar counted as if the bar were whole) |
//! | [`BAR`] | 64 | bars advanced since the row before (first row: since bar 0), 0–62; 63 ends the piece |
//! | [`INSTRUMENT`] | 129 | General MIDI program; 128 is the drum kit |
//! | [`PITCH`] | 256 | 0–127 pitched; 128 + key for drums |
//! | [`DURATION`] | 448 | `t < 384`: t + 1 steps; above: 16 + (t − 383) quarters |
//! | [`VELOCITY`] | 32 | velocity / 4 |
//!
//! The position comes before the bar because of the delay pattern: a row's first field is sampled
//! beside the *second* field of the row before. A position needs the position before it; a bar
//! advance needs both positions, and has them one step later.

use serde::{Deserialize, Serialize};

use crate::score::{Instrument, KeyChange, MeterChange, Note, Score, TICKS_PER_QUARTER, TempoChange};

/// Grid steps in a quarter note.
pub const STEPS_PER_QUARTER: u32 = 24;
/// Ticks in a grid step.
pub const TICKS_PER_STEP: u32 = TICKS_PER_QUARTER / STEPS_PER_QUARTER;
/// Number of parallel token streams, K.
pub const STREAMS: usize = 6;
/// Stream of positions in the bar, in grid steps.
pub const POSITION: usize = 0;
/// Stream of bar advances.
pub const BAR: usize = 1;
/// Stream of instruments.
pub const INSTRUMENT: usize = 2;
/// Stream of pitches and drum keys.
pub const PITCH: usize = 3;
/// Stream of durations.
pub const DURATION: usize = 4;
/// Stream of velocities.
pub const VELOCITY: usize = 5;
/// Vocabulary of each stream, special token not counted.
pub const VOCABULARY: [usize; STREAMS] = [192, 64, Instrument::COUNT, 256, 448, 32];
/// Names of the streams, in order.
pub const STREAM_NAMES: [&str; STREAMS] = ["position", "bar", "instrument", "pitch", "duration", "velocity"];
/// The [`BAR`] token that ends a piece; the other streams of its row are 0.
pub const END_OF_PIECE: u16 = 63;
/// Pitch token of drum key 0.
pub const DRUM_PITCH_OFFSET: u16 = 128;
/// The longest bar a position can reach, in steps.
pub const MAX_BAR_STEPS: u32 = VOCABULARY[POSITION] as u32;
/// Durations up to this many steps are exact.
pub const MAX_EXACT_DURATION_STEPS: u32 = 384;

const VELOCITY_STEP: u8 = 4;

/// One note as tokens, one per stream.
pub type Row = [u16; STREAMS];

/// What the tokens of a score do not carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Tempo map.
    pub tempos: Vec<TempoChange>,
    /// Meter map.
    pub meters: Vec<MeterChange>,
    /// Keys, where known.
    pub keys: Vec<KeyChange>,
    /// Pick-up, in ticks.
    pub pickup: u32,
    /// Title, where known.
    pub title: Option<String>,
}

/// A score as token rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncodedScore {
    /// Tempo, meters, keys, pick-up.
    pub frame: Frame,
    /// One row a note.
    pub rows: Vec<Row>,
}

/// The bars of a frame on the step grid; bars longer than [`MAX_BAR_STEPS`] are cut in equal parts
/// of at most that length, so that every position has a token.
#[derive(Clone, Debug, PartialEq)]
pub struct BarGrid {
    /// First step of each bar; the first may lie before step 0 (a pick-up's bar as if whole).
    starts: Vec<i64>,
    /// Length of the last bar, in steps: bars beyond the list repeat it.
    last_length: i64,
}

impl BarGrid {
    /// The grid of a frame, with bars listed until they pass `end` (ticks).
    pub fn new(frame: &Frame, end: u32) -> BarGrid {
        let layout = Score { meters: frame.meters.clone(), pickup: frame.pickup, ..Score::default() };
        let ticks = layout.bar_starts(end);
        let mut starts = Vec::with_capacity(ticks.len() + 1);
        let mut last_length = 1;
        for (i, &tick) in ticks.iter().enumerate() {
            let meter = frame.meters[frame.meters.partition_point(|m| m.tick <= tick).saturating_sub(1)];
            let whole = i64::from(meter.bar_ticks().div_ceil(TICKS_PER_STEP).max(1));
            let mut at = step_of(tick);
            if i == 0 && frame.pickup > 0 {
                at = step_of(frame.pickup) - whole.max(step_of(frame.pickup));
            }
            let next = ticks.get(i + 1).map_or(at + whole, |&t| step_of(t));
            let length = (next - at).max(1);
            let parts = (length as u64).div_ceil(u64::from(MAX_BAR_STEPS)) as i64;
            last_length = (length + parts - 1) / parts;
            starts.extend((0..parts).map(|p| at + p * last_length));
        }
        BarGrid { starts, last_length }
    }

    /// First step of bar `bar`, relative to tick 0.
    pub fn start(&self, bar: usize) -> i64 {
        match self.starts.get(bar) {
            Some(&start) => start,
            None => {
                let beyond = (bar + 1 - self.starts.len()) as i64;
                self.starts.last().copied().unwrap_or(0) + beyond * self.last_length
            }
        }
    }

    /// Length of bar `bar`, in steps.
    pub fn length(&self, bar: usize) -> u32 {
        (self.start(bar + 1) - self.start(bar)).clamp(1, i64::from(MAX_BAR_STEPS)) as u32
    }

    /// The bar that `step` lies in.
    pub fn bar_of(&self, step: i64) -> usize {
        let last = self.starts.len() - 1;
        if step >= self.start(last + 1) {
            return last + ((step - self.starts[last]) / self.last_length) as usize;
        }
        self.starts.partition_point(|&s| s <= step).saturating_sub(1)
    }
}

fn step_of(tick: u32) -> i64 {
    i64::from((tick + TICKS_PER_STEP / 2) / TICKS_PER_STEP)
}

/// Token of a duration of `steps` grid steps (at least 1); the longest token above 80 quarters.
pub fn duration_token(steps: u32) -> u16 {
    if steps <= MAX_EXACT_DURATION_STEPS {
        return steps.max(1) as u16 - 1;
    }
    let quarters = (steps + STEPS_PER_QUARTER / 2) / STEPS_PER_QUARTER;
    let first = MAX_EXACT_DURATION_STEPS / STEPS_PER_QUARTER;
    let beyond = quarters.clamp(first + 1, first + 64) - first;
    (MAX_EXACT_DURATION_STEPS + beyond - 1) as u16
}

/// Grid steps of a duration token.
pub fn duration_steps(token: u16) -> u32 {
    let token = u32::from(token);
    if token < MAX_EXACT_DURATION_STEPS {
        return token + 1;
    }
    (MAX_EXACT_DURATION_STEPS / STEPS_PER_QUARTER + token - MAX_EXACT_DURATION_STEPS + 1) * STEPS_PER_QUARTER
}

/// Token of a velocity.
pub fn velocity_token(velocity: u8) -> u16 {
    u16::from(velocity.min(127) / VELOCITY_STEP)
}

/// Velocity of a token: the middle of its bin, at least 1.
pub fn velocity_of(token: u16) -> u8 {
    (token as u8).saturating_mul(VELOCITY_STEP).saturating_add(VELOCITY_STEP / 2).clamp(1, 127)
}

/// Token of a pitch, by whether the drum kit plays it.
pub fn pitch_token(instrument: Instrument, pitch: u8) -> u16 {
    u16::from(pitch.min(127)) + if instrument.is_drums() { DRUM_PITCH_OFFSET } else { 0 }
}

/// Encodes a score as token rows and their frame. A gap of more than 62 bars is shortened to 62;
/// everything else keeps its place to half a grid step.
pub fn encode(score: &Score) -> EncodedScore {
    let frame = Frame {
        tempos: score.tempos.clone(),
        meters: score.meters.clone(),
        keys: score.keys.clone(),
        pickup: score.pickup,
        title: score.title.clone(),
    };
    let grid = BarGrid::new(&frame, score.end());
    let mut notes: Vec<(i64, &Note)> = score.notes.iter().map(|n| (step_of(n.onset), n)).collect();
    notes.sort_by_key(|(step, n)| (*step, n.instrument, n.pitch, n.duration, n.velocity));
    let mut bar = 0;
    let rows = notes
        .into_iter()
        .map(|(step, note)| {
            let own = grid.bar_of(step);
            let advance = (own - bar).min(usize::from(END_OF_PIECE) - 1);
            bar = own;
            let steps = step_of(note.duration).max(1) as u32;
            [
                (step - grid.start(own)).clamp(0, i64::from(MAX_BAR_STEPS) - 1) as u16,
                advance as u16,
                u16::from(note.instrument.0),
                pitch_token(note.instrument, note.pitch),
                duration_token(steps),
                velocity_token(note.velocity),
            ]
        })
        .collect();
    EncodedScore { frame, rows }
}

/// Decodes token rows to a score. Rows after [`END_OF_PIECE`] are ignored; tokens out of range are
/// taken at their nearest legal value, and notes before tick 0 begin there.
pub fn decode(encoded: &EncodedScore) -> Score {
    let frame = &encoded.frame;
    let bars: usize = encoded.rows.iter().map(|r| usize::from(r[BAR])).sum();
    let ticks_hint = frame.meters.last().map_or(0, |m| m.tick);
    let grid = BarGrid::new(frame, ticks_hint.saturating_add((bars as u32).min(4096)));
    let mut bar = 0;
    let mut notes = Vec::with_capacity(encoded.rows.len());
    for row in &encoded.rows {
        if row[BAR] >= END_OF_PIECE {
            break;
        }
        bar += usize::from(row[BAR]);
        let step = (grid.start(bar) + i64::from(row[POSITION])).max(0);
        let Ok(onset) = u32::try_from(step * i64::from(TICKS_PER_STEP)) else { break };
        let instrument = Instrument(row[INSTRUMENT].min(128) as u8);
        notes.push(Note {
            onset,
            duration: duration_steps(row[DURATION].min(447)) * TICKS_PER_STEP,
            pitch: (row[PITCH] % DRUM_PITCH_OFFSET) as u8,
            velocity: velocity_of(row[VELOCITY].min(31)),
            instrument,
        });
    }
    let mut score = Score {
        notes,
        tempos: frame.tempos.clone(),
        meters: frame.meters.clone(),
        keys: frame.keys.clone(),
        pickup: frame.pickup,
        title: frame.title.clone(),
    };
    score.sort();
    score
}

/// What a round trip through the codec kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// Notes in the original.
    pub notes: usize,
    /// Notes that kept instrument and pitch, and onset and duration within half a grid step.
    pub kept: usize,
}

/// Encodes and decodes a score and counts the notes that came back, each matched at most once.
pub fn round_trip(score: &Score) -> RoundTrip {
    use std::collections::HashMap;
    let half = i64::from(TICKS_PER_STEP / 2);
    let back = decode(&encode(score));
    let mut by_key: HashMap<(u8, u8), Vec<&Note>> = HashMap::new();
    for note in &back.notes {
        by_key.entry((note.instrument.0, note.pitch)).or_default().push(note);
    }
    let mut kept = 0;
    for note in &score.notes {
        let Some(candidates) = by_key.get_mut(&(note.instrument.0, note.pitch)) else { continue };
        let first = candidates.partition_point(|c| i64::from(c.onset) < i64::from(note.onset) - half);
        let found = candidates[first..]
            .iter()
            .take_while(|c| i64::from(c.onset) <= i64::from(note.onset) + half)
            .position(|c| (i64::from(c.duration) - i64::from(note.duration)).abs() <= half);
        if let Some(offset) = found {
            candidates.remove(first + offset);
            kept += 1;
        }
    }
    RoundTrip { notes: score.notes.len(), kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(onset: u32, duration: u32, pitch: u8, instrument: u8) -> Note {
        Note { onset, duration, pitch, velocity: 70, instrument: Instrument(instrument) }
    }

    fn score(notes: Vec<Note>, meters: &[(u32, u8, u8)], pickup: u32) -> Score {
        let meters = meters.iter().map(|&(tick, numerator, denominator)| MeterChange { tick, numerator, denominator });
        let mut score = Score { notes, meters: meters.collect(), pickup, ..Score::default() };
        score.sort();
        score
    }

    #[test]
    fn durations_are_exact_to_sixteen_quarters_and_every_token_has_its_length() {
        for steps in 1..=384 {
            assert_eq!(duration_steps(duration_token(steps)), steps);
        }
        for token in 0..VOCABULARY[DURATION] as u16 {
            assert_eq!(duration_token(duration_steps(token)), token);
        }
        assert_eq!(duration_steps(duration_token(1_000_000)), 80 * 24);
    }

    #[test]
    fn pickup_meters_and_drums_come_back() {
        let s = score(
            vec![note(0, 480, 60, 0), note(480, 480, 64, 40), note(480, 20, 36, 128), note(2400, 9600, 67, 0)],
            &[(0, 3, 4), (480 + 1440, 6, 8)],
            480,
        );
        let encoded = encode(&s);
        assert_eq!(encoded.rows[0][..2], [48, 0], "a pick-up of one quarter starts on the third beat");
        assert_eq!(encoded.rows[1][..2], [0, 1]);
        assert_eq!(encoded.rows[3][BAR], 1);
        assert_eq!(round_trip(&s), RoundTrip { notes: 4, kept: 4 });
        assert_eq!(decode(&encoded).notes[2].pitch, 36);
    }

    #[test]
    fn long_bars_and_long_rests_keep_their_places() {
        let s =
            score(vec![note(0, 100, 60, 0), note(480 * 13, 100, 61, 0), note(480 * 100, 100, 62, 0)], &[(0, 15, 4)], 0);
        assert_eq!(round_trip(&s).kept, 3);
    }

    #[test]
    fn a_note_out_of_place_is_not_counted_as_kept() {
        let far = score(vec![note(0, 480, 60, 0), note(480 * 4 * 200, 480, 60, 0)], &[(0, 4, 4)], 0);
        assert_eq!(round_trip(&far), RoundTrip { notes: 2, kept: 1 }, "a rest of 200 bars is shortened");
    }
}
