//! Tunes under another accompaniment: the top line of a texture, matched beside the whole.

use affetto_score::Score;

use super::{COPIED, CopyCount, CopyIndex};

/// The highest pitched note of each onset.
pub fn top_line(score: &Score) -> Score {
    let mut top = Score { notes: Vec::new(), ..score.clone() };
    let mut notes: Vec<_> = score.notes.iter().filter(|n| !n.instrument.is_drums()).copied().collect();
    notes.sort_by_key(|n| (n.onset, std::cmp::Reverse(n.pitch)));
    notes.dedup_by_key(|n| n.onset);
    top.notes = notes;
    top.sort();
    top
}

impl CopyIndex {
    /// Adds a training piece, and its top line where that is less than the piece.
    pub fn add_with_top_line(&mut self, name: &str, score: &Score) {
        self.add(name, score);
        let top = top_line(score);
        if top.notes.len() < score.notes.iter().filter(|n| !n.instrument.is_drums()).count() {
            self.add(&format!("{name} (top line)"), &top);
        }
    }

    /// As [`CopyIndex::count`]; a window is also copied where its top line alone matches.
    pub fn count_with_top_line(&self, score: &Score) -> CopyCount {
        let mut copied: Vec<(usize, bool)> = Vec::new();
        for window in self.search(score).into_iter().chain(self.search(&top_line(score))) {
            let found = window.share >= COPIED;
            match copied.iter_mut().find(|(bar, _)| *bar == window.bar) {
                Some((_, known)) => *known |= found,
                None => copied.push((window.bar, found)),
            }
        }
        CopyCount { copied: copied.iter().filter(|c| c.1).count(), windows: copied.len() }
    }
}

#[cfg(test)]
mod tests {
    use affetto_score::{Instrument, Note};

    use super::*;

    fn melody() -> Score {
        let mut score = Score::default();
        for i in 0..80u32 {
            let pitch = 70 + ((i * i * 5 + i * 3) % 13) as u8;
            score.notes.push(Note {
                onset: i * 480,
                duration: 480,
                pitch,
                velocity: 70,
                instrument: Instrument::PIANO,
            });
        }
        score
    }

    #[test]
    fn a_tune_is_found_under_other_chords() {
        let mut index = CopyIndex::new();
        index.add_with_top_line("tune", &melody());
        index.finish();
        assert_eq!(index.len(), 1, "a lone melody is its own top line");
        let mut accompanied = melody();
        for i in 0..80u32 {
            let note = melody().notes[i as usize];
            accompanied.notes.push(Note { pitch: 40 + (i % 7) as u8, ..note });
        }
        accompanied.sort();
        assert_eq!(index.count(&accompanied).copied, 0);
        let count = index.count_with_top_line(&accompanied);
        assert!(count.windows > 5 && count.copied == count.windows, "{count:?}");
        // And the other way round: the index knows a piece's tune.
        let mut index = CopyIndex::new();
        index.add_with_top_line("piece", &accompanied);
        index.finish();
        assert_eq!((index.len(), index.count_with_top_line(&melody()).copied), (2, count.windows));
    }
}
