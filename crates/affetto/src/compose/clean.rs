//! What players cannot do, put right after the model has written: a key struck while it sounds, two notes on a flute.

use std::collections::HashMap;

use affetto_score::{Instrument, Score};

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
    use affetto_score::Note;

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
