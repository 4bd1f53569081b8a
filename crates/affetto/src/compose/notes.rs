//! From rows to the notes of a take: as they are written, and as they are played.

use std::collections::HashMap;

use affetto_score::attributes::{WHOLE, key_of};
use affetto_score::codec::{self, EncodedScore};
use affetto_score::{Instrument, Key, KeyChange, Note, Score};

use super::mode::Leaning;
use super::opening::Opening;
use super::plan::{Plan, PlannedBar};
use super::{clean, expression};

/// The notes of rows under a plan whose instruments are `planned`: on the grid, and with micro-timing. A wind that was
/// planned to play alone has the top line of its rows, also where a direction lets others join. Those of the opening are
/// what was given; on the grid they keep their velocities.
pub fn of_rows(
    encoded: &EncodedScore,
    plan: &Plan,
    planned: &[Instrument],
    opening: Option<&Opening>,
    seed: u64,
) -> (Score, Score) {
    let first_tick = plan.first_tick();
    let mut written = codec::decode(encoded);
    written.notes.retain(|note| note.onset >= first_tick);
    let lone_wind = clean::lone_wind(planned);
    if let Some(player) = lone_wind {
        clean::keep_top_line(&mut written, player);
    }
    let clean = |score: &mut Score| {
        clean::part_repeated_notes(score);
        if let Some(player) = lone_wind {
            clean::one_at_a_time(score, player);
        }
    };
    clean(&mut written);
    let mut played = written.clone();
    expression::lean(&mut played, seed, first_tick, plan.tick(plan.end_step));
    clean(&mut played);
    if let Some(opening) = opening {
        lead_in(&mut played, &opening.notes);
        let step = codec::TICKS_PER_STEP;
        let near = |ticks: u32| (ticks + step / 2) / step * step;
        let on_grid = |note: &Note| Note { onset: near(note.onset), duration: near(note.duration).max(step), ..*note };
        lead_in(&mut written, &opening.notes.iter().map(on_grid).collect::<Vec<_>>());
    }
    (written, played)
}

/// Puts given notes before new ones, of which those go that strike a key the given ones still sound.
fn lead_in(score: &mut Score, given: &[Note]) {
    let mut ends: HashMap<(Instrument, u8), u32> = HashMap::new();
    for note in given {
        let end = ends.entry((note.instrument, note.pitch)).or_default();
        *end = (*end).max(note.end());
    }
    score.notes.retain(|new| ends.get(&(new.instrument, new.pitch)).is_none_or(|&end| end <= new.onset));
    score.notes.extend(given);
    score.sort();
}

/// States the key that is heard where none was told, from the bar of the first of these seconds to that of the last; where
/// the tonic was told, whether its major or its minor is heard.
pub fn state_heard_key(score: &mut Score, plan: &Plan, (from, to): (f64, f64), tonic: Option<u8>) {
    let from = plan.tick(plan.bar_at(from).start_step);
    let to = plan.tick(plan.bar_at(to).start_step + plan.bar_steps);
    let goes_on = to < score.end();
    let Some(heard) = key_of(score, from..if goes_on { to } else { WHOLE.end }, tonic) else { return };
    let planned = key_at(score, to);
    score.keys.retain(|change| change.tick < from || change.tick > to);
    score.keys.push(KeyChange { tick: from, key: heard });
    score.keys.extend(planned.filter(|_| goes_on).map(|key| KeyChange { tick: to, key }));
    score.keys.sort_by_key(|change| change.tick);
    score.keys.dedup_by(|later, earlier| later.key == earlier.key);
}

/// States on `tonic` the mode that is heard where it followed the feeling, anew wherever the plan, by its model's
/// `leaning`, turns to the other one.
pub fn state_heard_modes(score: &mut Score, plan: &Plan, leaning: Leaning, tonic: u8) {
    let leans = |bar: &PlannedBar| bar.minor_share.map(|share| leaning.is_minor(share));
    for run in plan.bars[plan.given_bars..].chunk_by(|a, b| leans(a) == leans(b)) {
        if let ([first, ..], [.., last], Some(_)) = (run, run, leans(&run[0])) {
            state_heard_key(score, plan, (first.start_seconds, last.start_seconds), Some(tonic));
        }
    }
}

/// The key that a score states at a tick.
pub fn key_at(score: &Score, tick: u32) -> Option<Key> {
    score.keys[..score.keys.partition_point(|change| change.tick <= tick)].last().map(|change| change.key)
}

#[cfg(test)]
mod tests {
    use affetto_control::{Emotion, MeterClass};
    use affetto_score::Mode;

    use super::*;
    use crate::compose::plan::{Movement, plan};

    /// Two seconds a bar.
    struct Steady;
    impl Movement for Steady {
        fn tempo_bpm(&self, _: Option<Emotion>) -> f64 {
            120.0
        }
        fn density(&self, _: Option<Emotion>, _: f64) -> Option<f32> {
            None
        }
        fn tempo_is_fixed(&self) -> bool {
            true
        }
    }

    const C: Key = Key { tonic: 0, mode: Mode::Major };

    fn tune(pitches: [u8; 8]) -> Score {
        let note = |(i, &pitch): (u32, &u8)| Note {
            onset: i * 960,
            duration: 480,
            pitch,
            velocity: 80,
            instrument: Instrument::PIANO,
        };
        let notes = (0..).zip(&pitches).map(note).collect();
        Score { notes, keys: vec![KeyChange { tick: 0, key: C }], ..Score::default() }
    }

    #[test]
    fn the_key_that_is_heard_is_stated_where_none_was_told() {
        let plan = plan(10.0, MeterClass::FourFour, Some(C), None, &Steady, None);
        let fis = Key { tonic: 6, mode: Mode::Major };
        let mut all = tune([66, 70, 73, 66, 70, 73, 66, 78]);
        state_heard_key(&mut all, &plan, (0.0, 7.5), None);
        assert_eq!(all.keys, [KeyChange { tick: 0, key: fis }]);
        let mut minor = tune([60, 63, 67, 60, 68, 63, 58, 60]);
        state_heard_key(&mut minor, &plan, (0.0, 7.5), Some(C.tonic));
        assert_eq!(minor.keys, [KeyChange { tick: 0, key: Key { mode: Mode::Minor, ..C } }]);
        let mut part = tune([60, 64, 66, 70, 73, 66, 60, 67]);
        state_heard_key(&mut part, &plan, (2.5, 5.0), None);
        let changes = [(0, C), (1920, fis), (5760, C)].map(|(tick, key)| KeyChange { tick, key });
        assert_eq!(part.keys, changes);
        let mut drums = tune([60; 8]);
        drums.notes.iter_mut().for_each(|note| note.instrument = Instrument::DRUMS);
        state_heard_key(&mut drums, &plan, (0.0, 7.5), None);
        assert_eq!(drums.keys, [KeyChange { tick: 0, key: C }], "drums are in no key");
    }

    #[test]
    fn modes_that_followed_the_feeling_are_stated_as_they_are_heard() {
        let mut plan = plan(20.0, MeterClass::FourFour, Some(C), None, &Steady, None);
        let minor = Key { mode: Mode::Minor, ..C };
        let turning = tune([60, 63, 67, 60, 60, 64, 67, 60]);
        let leaning: Leaning = serde_json::from_str(r#"{"clarity": 1.0, "open": 0.6, "spread": 1.0}"#).unwrap();
        let stated = |plan: &Plan| {
            let mut score = turning.clone();
            state_heard_modes(&mut score, plan, leaning, C.tonic);
            score.keys
        };
        assert_eq!(stated(&plan), turning.keys, "an asked key stays as it is");
        plan.bars.iter_mut().for_each(|bar| bar.minor_share = Some(if bar.start_seconds < 3.9 { 0.9 } else { 0.1 }));
        assert_eq!(stated(&plan), [(0, minor), (3840, C)].map(|(tick, key)| KeyChange { tick, key }));
        plan.bars.iter_mut().for_each(|bar| bar.minor_share = Some(if bar.start_seconds < 3.9 { 0.4 } else { 0.55 }));
        assert_eq!(stated(&plan).len(), 1, "one leaning, one key");
    }

    #[test]
    fn a_lone_wind_plays_the_tune_of_chords_and_others_play_all() {
        let plan = plan(10.0, MeterClass::FourFour, Some(C), None, &Steady, None);
        let (flute, cello) = (Instrument(73), Instrument(42));
        let played_by = |chords: Instrument, planned: &[Instrument]| {
            let mut chorale = tune([60, 62, 64, 65, 67, 65, 64, 62]);
            let thirds: Vec<Note> = chorale.notes.iter().map(|note| Note { pitch: note.pitch + 4, ..*note }).collect();
            chorale.notes.extend(thirds);
            chorale.notes.iter_mut().for_each(|note| note.instrument = chords);
            chorale.sort();
            let encoded = codec::encode(&chorale);
            let (written, played) = of_rows(&encoded, &plan, planned, None, 1);
            assert_eq!(written.notes.len(), played.notes.len());
            written.notes.iter().map(|note| note.pitch).collect::<Vec<_>>()
        };
        assert_eq!(played_by(flute, &[flute]), [64, 66, 68, 69, 71, 69, 68, 66]);
        assert_eq!(played_by(flute, &[flute, cello]).len(), 16);
        assert_eq!(played_by(Instrument::PIANO, &[Instrument::PIANO]).len(), 16);
    }

    #[test]
    fn new_notes_strike_no_key_that_a_given_one_sounds() {
        let mut given = tune([60; 8]).notes;
        given.truncate(1);
        given[0].duration = 2000;
        let mut new = tune([60, 62, 60, 64, 60, 60, 60, 60]);
        new.notes.iter_mut().for_each(|note| note.onset += 960);
        lead_in(&mut new, &given);
        let onsets: Vec<u32> = new.notes.iter().filter(|note| note.pitch == 60).map(|note| note.onset).collect();
        assert_eq!(onsets, [0, 2880, 4800, 5760, 6720, 7680]);
        assert_eq!(new.notes[0], given[0]);
    }
}
