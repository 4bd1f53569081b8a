//! What players cannot do, put right after the model has written: a key struck while it sounds, two notes on a flute.

use std::collections::HashMap;

use affetto_score::{Instrument, Note, Score};

/// Drops notes written twice, and ends a note where its own key is struck again.
pub fn part_repeated_notes(score: &mut Score) {
    score.sort();
    score.notes.dedup_by_key(|n| (n.onset, n.instrument, n.pitch));
    let mut sounding: HashMap<(u8, u8), usize> = HashMap::new();
    for i in 0..score.notes.len() {
        let note = score.notes[i];
        if let Some(before) = sounding.insert((note.instrument.0, note.pitch), i) {
            let earlier = &mut score.notes[before];
            earlier.duration = earlier.duration.min(note.onset - earlier.onset);
        }
    }
}

/// The player, where these are one wind alone.
pub fn lone_wind(players: &[Instrument]) -> Option<Instrument> {
    match players {
        [one] if one.is_monophonic() => Some(*one),
        _ => None,
    }
}

/// Whether a note lies under one that begins before it, for half of its length or more; in any unit of time.
pub fn lies_under(before: &Note, note: &Note) -> bool {
    let covered = before.end().saturating_sub(note.onset);
    before.pitch > note.pitch && covered > 0 && 2 * covered >= note.duration
}

/// Leaves a player the top line of what is written for them: of notes that start together the highest, and none that
/// begins under the line's last note and lies under it for half of its length or more.
///
/// The model has learned the tunes of a few lone winds, and for others writes chords. Masks that forbid a chord's second
/// note leave its lowest, and then the next bar's: a long low note in every bar. Written in full, chords have a tune on top.
pub fn keep_top_line(score: &mut Score, player: Instrument) {
    score.sort();
    let mut line: Vec<Note> = Vec::new();
    for chord in score.notes.chunk_by(|a, b| a.onset == b.onset) {
        let Some(&top) = chord.iter().rfind(|note| note.instrument == player) else { continue };
        if !line.last().is_some_and(|last| lies_under(last, &top)) {
            line.push(top);
        }
    }
    score.notes.retain(|note| note.instrument != player);
    score.notes.append(&mut line);
    score.sort();
}

/// Ends every note of a player where their next one begins: what a lone wind player does.
pub fn one_at_a_time(score: &mut Score, player: Instrument) {
    let mut next = u32::MAX;
    for note in score.notes.iter_mut().rev().filter(|note| note.instrument == player) {
        note.duration = note.duration.min(next.saturating_sub(note.onset)).max(1);
        next = note.onset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(onset: u32, duration: u32, pitch: u8) -> Note {
        Note { onset, duration, pitch, velocity: 80, instrument: Instrument::PIANO }
    }

    #[test]
    fn a_key_struck_again_ends_what_it_sounded() {
        let notes = vec![note(0, 500, 60), note(0, 500, 60), note(240, 500, 64), note(480, 100, 60)];
        let mut score = Score { notes, ..Score::default() };
        part_repeated_notes(&mut score);
        assert_eq!(score.notes, [note(0, 480, 60), note(240, 500, 64), note(480, 100, 60)]);
    }

    #[test]
    fn a_lone_player_has_the_top_line() {
        let drum = Note { instrument: Instrument::DRUMS, ..note(100, 500, 90) };
        let chord = [note(0, 480, 60), note(0, 480, 64), note(0, 960, 72)];
        // Under the 72: for all of its length, for most of it, for a third.
        let inner = [note(240, 240, 67), note(480, 720, 65), note(800, 480, 69)];
        let next = [note(1200, 480, 71), note(1200, 480, 67), note(1440, 240, 74)];
        let notes = [&chord[..], &[drum], &inner, &next].concat();
        let mut score = Score { notes, ..Score::default() };
        keep_top_line(&mut score, Instrument::PIANO);
        assert_eq!(score.notes, [chord[2], drum, inner[2], next[0], next[2]]);
        // A low note that the line goes on from belongs to it.
        let rising = vec![note(0, 1920, 48), note(480, 480, 76), note(720, 120, 60)];
        let mut score = Score { notes: rising.clone(), ..Score::default() };
        keep_top_line(&mut score, Instrument::PIANO);
        assert_eq!(score.notes, rising[..2]);
        let tune: Vec<Note> = (0..8).map(|i| note(240 * i, 250, 60 - i as u8)).collect();
        let mut score = Score { notes: tune.clone(), ..Score::default() };
        keep_top_line(&mut score, Instrument::PIANO);
        assert_eq!(score.notes, tune, "notes that are held a little into the next stay");
    }

    #[test]
    fn one_note_at_a_time() {
        let drum = Note { instrument: Instrument::DRUMS, ..note(100, 500, 40) };
        let mut notes: Vec<Note> = (0..8).map(|i| note(240 * i, 500, 60)).collect();
        notes.insert(1, drum);
        let mut score = Score { notes, ..Score::default() };
        one_at_a_time(&mut score, Instrument::PIANO);
        assert_eq!(score.notes.remove(1), drum, "others play on");
        assert!(score.notes.windows(2).all(|pair| pair[0].onset + pair[0].duration == pair[1].onset));
    }
}
