//! A piece that a take begins with: its notes as rows, and its bars.

use affetto_control::MeterClass;
use affetto_control::conditions::{CLOSING_FAR, MAX_INSTRUMENTS};
use affetto_score::attributes::{WHOLE, key_scores};
use affetto_score::codec::{self, BAR, BarGrid, Frame, Row, TICKS_PER_STEP};
use affetto_score::{Clock, Instrument, Key, Note, Score};

use super::plan::{PlannedBar, notes_end};

/// Bars that a piece may have: an hour of fast ones.
const MAX_BARS: usize = 20_000;
/// A key signature is believed where it fits the notes almost as well as the best key (difference of correlations):
/// files often say C major, or the relative major, for want of a better.
const KEY_DOUBT: f64 = 0.15;
/// Room for new notes, in quarters.
const LEAST_QUARTERS: f64 = 1.0;

/// A piece that a take begins with.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its notes, as they were given.
    pub notes: Vec<Note>,
    /// Its notes as tokens.
    pub rows: Vec<Row>,
    /// Its tempos, meters, keys and pick-up.
    pub frame: Frame,
    /// Its meter.
    pub meter: MeterClass,
    /// The key at its end; `None` where only drums play.
    pub key: Option<Key>,
    /// Its instruments, those with most notes first.
    pub instruments: Vec<Instrument>,
    /// Quarter notes per minute: the one tempo it has, or the mean over time.
    pub tempo_bpm: f64,
    /// Distinct onsets per second.
    pub density: f32,
    /// Its bars. New notes begin with the bar that follows.
    pub bars: Vec<PlannedBar>,
    /// Where that bar begins, in seconds.
    pub end_seconds: f64,
    /// Grid steps of bar 0 that come before tick 0: those that a pick-up lacks.
    pub lead_steps: u32,
}

impl Opening {
    /// A piece as the score model reads it: up to the end of the bar in which its last note begins.
    ///
    /// # Errors
    /// What stands in the way: no notes, a meter that the model does not know, bars of several lengths.
    pub fn of(score: &Score) -> Result<Opening, String> {
        let mut score = score.clone();
        score.sort();
        if score.notes.is_empty() {
            return Err("has no notes; give a piece to go on from".into());
        }
        let meter = one_meter(&score)?;
        let encoded = codec::encode(&score);
        let grid = BarGrid::new(&encoded.frame, score.end());
        let bar_steps = meter.meter().bar_ticks() / TICKS_PER_STEP;
        let lead_steps = (-grid.start(0)).max(0) as u32;
        let last = encoded.rows.iter().map(|row| usize::from(row[BAR])).sum::<usize>();
        if grid.bar_of(i64::from((score.notes[score.notes.len() - 1].onset + TICKS_PER_STEP / 2) / TICKS_PER_STEP))
            != last
        {
            return Err("rests for more than 62 bars at once; give a part of it".into());
        }
        if last >= MAX_BARS {
            return Err(format!("has {last} bars, expected at most {MAX_BARS}; give a part of it"));
        }
        if let Some(odd) = (0..=last).find(|&bar| grid.start(bar) + i64::from(lead_steps) != place(bar, bar_steps)) {
            return Err(format!("bar {odd} is not as long as the others; give a part in one meter"));
        }
        let frame = encoded.frame;
        let clock = Clock::new(&score);
        let tick = |bar: usize| (place(bar, bar_steps) - i64::from(lead_steps)) * i64::from(TICKS_PER_STEP);
        let end = tick(last + 1) as u32;
        let tempo_at = |tick: u32| {
            let known = frame.tempos.partition_point(|change| change.tick <= tick);
            frame.tempos[known.saturating_sub(1)].bpm
        };
        let mut onsets: Vec<u32> = score.notes.iter().map(|note| note.onset).collect();
        onsets.dedup();
        let begun = |tick: u32| onsets.partition_point(|&onset| onset < tick);
        let bars = (0..=last).map(|bar| {
            let start = tick(bar);
            let (from, to) = (start.max(0) as u32, tick(bar + 1) as u32);
            let bpm = tempo_at(from);
            // A pick-up's bar began before the music did.
            let before = (-start).max(0) as f64 * 60.0 / (bpm * 480.0);
            let density = (begun(to) - begun(from)) as f64 / (clock.seconds(to) - clock.seconds(from));
            PlannedBar {
                start_step: bar as u32 * bar_steps,
                start_seconds: clock.seconds(from) - before,
                tempo_bpm: bpm,
                emotion: None,
                density: Some(density as f32).filter(|density| *density > 0.0),
                minor_share: None,
                closing: CLOSING_FAR,
            }
        });
        let bars: Vec<PlannedBar> = bars.collect();
        let end_seconds = clock.seconds(end);
        let steady = frame.tempos.iter().filter(|change| change.tick < end).all(|c| c.bpm == frame.tempos[0].bpm);
        let tempo_bpm = match steady {
            true => frame.tempos[0].bpm,
            false => (f64::from(end) / 480.0 * 60.0 / end_seconds * 100.0).round() / 100.0,
        };
        Ok(Opening {
            rows: encoded.rows,
            meter,
            key: key_at_end(&score),
            instruments: busiest(&score),
            tempo_bpm,
            density: (onsets.len() as f64 / end_seconds) as f32,
            bars,
            end_seconds,
            lead_steps,
            notes: score.notes,
            frame,
        })
    }

    /// Seconds of music that leave room for new notes; `None` where `seconds` do.
    pub fn needs_seconds(&self, seconds: f64) -> Option<f64> {
        let least = self.end_seconds + LEAST_QUARTERS * 60.0 / self.tempo_bpm;
        // The tail is no longer than the difference of these.
        (notes_end(seconds) < least).then(|| least + seconds - notes_end(seconds))
    }
}

/// First step of a bar where all are equally long.
fn place(bar: usize, bar_steps: u32) -> i64 {
    bar as i64 * i64::from(bar_steps)
}

/// The meter of a piece that has but one.
fn one_meter(score: &Score) -> Result<MeterClass, String> {
    let first = score.meters[0];
    let class = MeterClass::of(first.numerator, first.denominator);
    let name = |meter: &affetto_score::MeterChange| format!("{}/{}", meter.numerator, meter.denominator);
    if class.meter().bar_ticks() != first.bar_ticks() {
        return Err(format!("is in {}; the model goes on in 4/4, 3/4, 2/4, 6/8 and 5/4", name(&first)));
    }
    let end = score.notes.iter().map(|note| note.onset).max().unwrap_or(0);
    match score.meters.iter().find(|meter| meter.tick <= end && meter.bar_ticks() != first.bar_ticks()) {
        Some(other) => Err(format!("goes from {} to {}; give a part in one meter", name(&first), name(other))),
        None => Ok(class),
    }
}

/// The key signature in force at the end, or the key that fits the notes where that does not.
fn key_at_end(score: &Score) -> Option<Key> {
    let stated = score.keys.last().map(|change| (change.tick, change.key));
    let range = stated.map_or(0, |(tick, _)| tick)..WHOLE.end;
    let scores = key_scores(score, range).or_else(|| key_scores(score, WHOLE))?;
    // The first of equals.
    let best = (0..scores.len()).rev().max_by(|&a, &b| scores[a].total_cmp(&scores[b]))?;
    match stated {
        Some((_, key)) if scores[key.index()] >= scores[best] - KEY_DOUBT => Some(key),
        _ => Some(Key::from_index(best)),
    }
}

/// The instruments with most notes, as many as the model can be told.
fn busiest(score: &Score) -> Vec<Instrument> {
    let mut counted: Vec<(Instrument, usize)> = Vec::new();
    for instrument in score.instruments() {
        counted.push((instrument, score.notes.iter().filter(|note| note.instrument == instrument).count()));
    }
    counted.sort_by_key(|&(instrument, count)| (std::cmp::Reverse(count), instrument));
    counted.into_iter().map(|(instrument, _)| instrument).take(MAX_INSTRUMENTS).collect()
}

#[cfg(test)]
mod tests {
    use affetto_score::{KeyChange, MeterChange, Mode, TempoChange};

    use super::*;

    fn note(onset: u32, pitch: u8, program: u8) -> Note {
        Note { onset, duration: 230, pitch, velocity: 71, instrument: Instrument(program) }
    }

    fn piece(notes: Vec<Note>, (numerator, denominator): (u8, u8)) -> Score {
        let meters = vec![MeterChange { tick: 0, numerator, denominator }];
        Score { notes, meters, ..Score::default() }
    }

    #[test]
    fn a_piece_is_read_to_the_end_of_its_last_bar() {
        let notes = (0..9).map(|i| note(i * 240, [60, 64, 67][i as usize % 3], 40)).chain([note(7, 36, 128)]).collect();
        let mut score = piece(notes, (3, 4));
        score.tempos[0].bpm = 90.0;
        let opening = Opening::of(&score).unwrap();
        assert_eq!((opening.bars.len(), opening.rows.len(), opening.meter), (2, 10, MeterClass::ThreeFour));
        assert_eq!((opening.tempo_bpm, opening.end_seconds), (90.0, 4.0));
        assert_eq!(opening.bars[1].start_seconds, 2.0);
        assert_eq!(opening.instruments, [Instrument(40), Instrument::DRUMS]);
        assert_eq!(opening.key, Some(Key { tonic: 0, mode: Mode::Major }));
        assert!((opening.density - 10.0 / 4.0).abs() < 1e-6);
        assert!(opening.needs_seconds(10.0).is_none());
        let needed = opening.needs_seconds(5.0).unwrap();
        assert!(
            opening.needs_seconds(needed - 0.1).is_some() && opening.needs_seconds(needed + 0.1).is_none(),
            "{needed}"
        );
    }

    #[test]
    fn a_pick_up_comes_before_the_first_whole_bar() {
        let score = Score { pickup: 480, ..piece((0..6).map(|i| note(i * 480, 60, 0)).collect(), (4, 4)) };
        let opening = Opening::of(&score).unwrap();
        assert_eq!((opening.bars.len(), opening.lead_steps), (3, 72));
        assert_eq!((opening.bars[0].start_seconds, opening.bars[1].start_seconds), (-1.5, 0.5));
        assert_eq!(opening.end_seconds, 4.5);
    }

    #[test]
    fn a_key_signature_is_believed_where_it_fits() {
        let minor = [57, 60, 64, 62, 60, 59, 57, 65, 64, 68, 57, 64, 57];
        let notes: Vec<Note> = minor.iter().zip(0..).map(|(&pitch, i)| note(i * 480, pitch, 0)).collect();
        let with = |tonic, mode| {
            let keys = vec![KeyChange { tick: 0, key: Key { tonic, mode } }];
            Opening::of(&Score { keys, ..piece(notes.clone(), (4, 4)) }).unwrap().key.unwrap()
        };
        let found = Key { tonic: 9, mode: Mode::Minor };
        assert_eq!(with(9, Mode::Minor), found);
        assert_eq!(with(6, Mode::Major), found, "F# major does not fit");
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let bad = |score: Score| Opening::of(&score).unwrap_err();
        assert!(bad(Score::default()).contains("no notes"));
        assert!(bad(piece(vec![note(0, 60, 0)], (7, 8))).contains("is in 7/8"));
        let mut two = piece((0..20).map(|i| note(i * 480, 60, 0)).collect(), (4, 4));
        two.meters.push(MeterChange { tick: 1920, numerator: 3, denominator: 4 });
        assert!(bad(two.clone()).contains("from 4/4 to 3/4"));
        // Cut short, then in the same meter again.
        two.meters[1] = MeterChange { tick: 2400, numerator: 4, denominator: 4 };
        assert!(bad(two).contains("bar 2 is not as long"));
        assert!(bad(piece(vec![note(0, 60, 0), note(1920 * 100, 60, 0)], (4, 4))).contains("62 bars"));
    }

    #[test]
    fn no_file_makes_it_panic() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/midi");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let whole = std::fs::read(entry.unwrap().path()).unwrap();
            for i in 0..300usize.min(whole.len() * 8) {
                let mut bytes = whole.clone();
                let at = i * 7919 % bytes.len();
                bytes[at] ^= 1 << (i % 8);
                let Ok(score) = affetto_score::midi::read(&bytes) else { continue };
                read += usize::from(Opening::of(&score).is_ok());
            }
        }
        assert!(read > 100, "{read} were read");
    }

    #[test]
    fn tempos_that_change_have_a_mean() {
        let mut score = piece((0..8).map(|i| note(i * 480, 60, 0)).collect(), (4, 4));
        score.tempos.push(TempoChange { tick: 1920, bpm: 60.0 });
        let opening = Opening::of(&score).unwrap();
        assert_eq!((opening.end_seconds, opening.tempo_bpm), (6.0, 80.0));
        assert_eq!(opening.bars[1].tempo_bpm, 60.0);
    }
}
