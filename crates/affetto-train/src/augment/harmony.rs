//! Simple chords under a bare melody: for every half or whole bar the triad of the key that holds
//! most of it, with a leaning towards common steps (a best path by dynamic programming).

use affetto_score::{Key, Mode, Note};

use crate::corpora::Chord;

/// Root degree in semitones, tones, and how common it is.
type Candidate = (u8, u16, f32);

const MAJOR_TRIAD: u16 = 0b1001_0001;
const MINOR_TRIAD: u16 = 0b1000_1001;
const IN_MAJOR: [Candidate; 6] = [
    (0, MAJOR_TRIAD, 0.30),
    (7, MAJOR_TRIAD, 0.22),
    (5, MAJOR_TRIAD, 0.16),
    (9, MINOR_TRIAD, 0.06),
    (2, MINOR_TRIAD, 0.06),
    (4, MINOR_TRIAD, 0.0),
];
const IN_MINOR: [Candidate; 6] = [
    (0, MINOR_TRIAD, 0.30),
    (7, MAJOR_TRIAD, 0.16),
    (10, MAJOR_TRIAD, 0.16),
    (5, MINOR_TRIAD, 0.12),
    (8, MAJOR_TRIAD, 0.1),
    (3, MAJOR_TRIAD, 0.1),
];

/// Chords for `melody` over `bars` (starts, then the end), two a bar where `halves`.
pub fn infer<'a>(
    melody: impl Iterator<Item = &'a Note> + Clone,
    bars: &[u32],
    key: Key,
    halves: bool,
    ends: bool,
) -> Vec<Chord> {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for pair in bars.windows(2) {
        if halves && pair[1] - pair[0] >= 960 {
            let middle = pair[0] + (pair[1] - pair[0]) / 2;
            spans.extend([(pair[0], middle), (middle, pair[1])]);
        } else {
            spans.push((pair[0], pair[1]));
        }
    }
    let table = if key.mode == Mode::Major { &IN_MAJOR } else { &IN_MINOR };
    let mut best = [0.0f32; 6];
    let mut back: Vec<[usize; 6]> = Vec::with_capacity(spans.len());
    for (index, &(start, end)) in spans.iter().enumerate() {
        let mut weights = [0.0f32; 12];
        let mut total = 0.0;
        for note in melody.clone().filter(|n| n.onset < end && n.end() > start) {
            let held = (note.end().min(end) - note.onset.max(start)) as f32;
            let held = held * if note.onset == start { 1.5 } else { 1.0 };
            weights[usize::from((note.pitch + 12 - key.tonic) % 12)] += held;
            total += held;
        }
        let mut next = [f32::MIN; 6];
        let mut from = [0; 6];
        for (c, &(root, tones, common)) in table.iter().enumerate() {
            let inside: f32 =
                (0..12).filter(|t| tones >> t & 1 == 1).map(|t| weights[(usize::from(root) + t) % 12]).sum();
            let mut own = if total > 0.0 { 1.6 * inside / total } else { 0.0 } + common;
            if ends && index + 1 == spans.len() && c == 0 {
                own += 2.0;
            }
            for (p, &before) in best.iter().enumerate() {
                let stay = if p == c { 0.12 } else { 0.0 };
                if before + own + stay > next[c] {
                    next[c] = before + own + stay;
                    from[c] = p;
                }
            }
        }
        best = next;
        back.push(from);
    }
    let mut at = (0..6).max_by(|a, b| best[*a].total_cmp(&best[*b])).unwrap_or(0);
    let mut chords: Vec<Chord> = Vec::with_capacity(spans.len());
    for (&(start, end), from) in spans.iter().zip(&back).rev() {
        let root = (table[at].0 + key.tonic) % 12;
        match chords.last_mut().filter(|c| c.root == root) {
            Some(same) => same.start = start,
            None => chords.push(Chord { start, end, root, tones: table[at].1, bass: root }),
        }
        at = from[at];
    }
    chords.reverse();
    chords
}
