//! Notes on a grid → voices of chords → written note values, bar by bar.

use std::ops::Range;

/// Grid steps in a quarter note.
pub(super) const QUARTER: u32 = 24;
const MOST_VOICES: usize = 4;

/// A note on the grid: steps from the start of the score.
#[derive(Clone, Copy, Debug)]
pub(super) struct GridNote {
    pub start: u32,
    pub end: u32,
    pub pitch: u8,
    pub velocity: u8,
}

/// Notes with one onset and one end.
#[derive(Clone, Debug)]
pub(super) struct Chord {
    pub start: u32,
    pub end: u32,
    /// Pitch and velocity, each pitch once.
    pub notes: Vec<(u8, u8)>,
}

/// A note value: type name and dots.
pub(super) type Value = (&'static str, u8);

/// Part of a chord (or of a rest) that one note value can write.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub start: u32,
    pub end: u32,
    pub value: Value,
    /// Written three in the time of two.
    pub triplet: bool,
    /// The bracket of its triplet begins, ends here.
    pub opens: bool,
    pub closes: bool,
    /// Pitch and velocity; empty for a rest.
    pub notes: Vec<(u8, u8)>,
    /// Continues the atom before, continues in the next.
    pub tied_back: bool,
    pub tied_on: bool,
}

/// Note values in steps, longest first.
const PLAIN: [(u32, Value); 11] = [
    (144, ("whole", 1)),
    (96, ("whole", 0)),
    (72, ("half", 1)),
    (48, ("half", 0)),
    (36, ("quarter", 1)),
    (24, ("quarter", 0)),
    (18, ("eighth", 1)),
    (12, ("eighth", 0)),
    (9, ("16th", 1)),
    (6, ("16th", 0)),
    (3, ("32nd", 0)),
];
/// Note values within a triplet, in steps, longest first.
const TRIPLET: [(u32, Value); 8] = [
    (16, ("quarter", 0)),
    (12, ("eighth", 1)),
    (8, ("eighth", 0)),
    (6, ("16th", 1)),
    (4, ("16th", 0)),
    (3, ("32nd", 1)),
    (2, ("32nd", 0)),
    (1, ("64th", 0)),
];

/// Deals notes (sorted by start) to at most four voices of chords that do not overlap. Beyond four, the chord that
/// ends first is cut short.
pub(super) fn voices(notes: &[GridNote]) -> Vec<Vec<Chord>> {
    let mut voices: Vec<Vec<Chord>> = Vec::new();
    for note in notes {
        let fits = |chord: &Chord| chord.start == note.start && chord.end == note.end;
        if let Some(chord) = voices.iter_mut().filter_map(|v| v.last_mut()).find(|c| fits(c)) {
            add(chord, note);
            continue;
        }
        let new = Chord { start: note.start, end: note.end, notes: vec![(note.pitch, note.velocity)] };
        let free = |voice: &Vec<Chord>| voice.last().is_none_or(|c| c.end <= note.start);
        if let Some(voice) = voices.iter_mut().find(|v| free(v)) {
            voice.push(new);
        } else if voices.len() < MOST_VOICES {
            voices.push(vec![new]);
        } else {
            let last = |voice: &Vec<Chord>| voice.last().map_or((false, 0), |c| (c.start == note.start, c.end));
            if let Some(voice) = voices.iter_mut().min_by_key(|v| last(v))
                && let Some(chord) = voice.last_mut()
            {
                if chord.start < note.start {
                    chord.end = note.start;
                    voice.push(new);
                } else {
                    add(chord, note);
                }
            }
        }
    }
    voices
}

fn add(chord: &mut Chord, note: &GridNote) {
    if chord.notes.iter().all(|&(pitch, _)| pitch != note.pitch) {
        chord.notes.push((note.pitch, note.velocity));
    }
}

/// What one voice writes in a bar, gaps filled with rests; empty where it is silent. Beats are counted from
/// `origin` (a bar line). A beat with onsets or ends off the binary grid is written as a triplet.
pub(super) fn bar_atoms(voice: &[Chord], bar: Range<u32>, origin: u32) -> Vec<Atom> {
    let first = voice.partition_point(|c| c.end <= bar.start);
    let inside: Vec<&Chord> = voice[first..].iter().take_while(|c| c.start < bar.end).collect();
    if inside.is_empty() {
        return Vec::new();
    }
    let mut spans: Vec<(Range<u32>, Option<&Chord>)> = Vec::new();
    let mut at = bar.start;
    for chord in inside {
        let (start, end) = (chord.start.max(bar.start), chord.end.min(bar.end));
        if start > at {
            spans.push((at..start, None));
        }
        spans.push((start..end, Some(chord)));
        at = end;
    }
    if at < bar.end {
        spans.push((at..bar.end, None));
    }
    let beat_of = |step: u32| (i64::from(step) - i64::from(origin)).div_euclid(i64::from(QUARTER));
    let off_grid = |step: u32| (i64::from(step) - i64::from(origin)).rem_euclid(3) != 0;
    let mut triplets: Vec<i64> =
        spans.iter().flat_map(|(s, _)| [s.start, s.end]).filter(|&s| off_grid(s)).map(beat_of).collect();
    triplets.dedup();
    let mut atoms = Vec::new();
    for (span, chord) in spans {
        let mut at = span.start;
        while at < span.end {
            let beat = beat_of(at);
            let edge = |beat: i64| (i64::from(origin) + beat * i64::from(QUARTER)).max(0) as u32;
            let in_triplet = triplets.binary_search(&beat).is_ok();
            let until = if in_triplet {
                edge(beat + 1)
            } else {
                let next = triplets.partition_point(|&t| t < beat);
                triplets.get(next).map_or(span.end, |&t| edge(t))
            };
            let until = until.clamp(at + 1, span.end);
            values(at, until, origin, in_triplet, |start, end, value, triplet| {
                atoms.push(Atom {
                    start,
                    end,
                    value,
                    triplet,
                    opens: false,
                    closes: false,
                    notes: chord.map_or_else(Vec::new, |c| c.notes.clone()),
                    tied_back: chord.is_some_and(|c| c.start < start),
                    tied_on: chord.is_some_and(|c| c.end > end),
                });
            });
            at = until;
        }
    }
    for i in 0..atoms.len() {
        if atoms[i].triplet && triplets.binary_search(&beat_of(atoms[i].start)).is_ok() {
            let other = |j: Option<usize>| {
                j.and_then(|j| atoms.get(j)).is_none_or(|a| !a.triplet || beat_of(a.start) != beat_of(atoms[i].start))
            };
            (atoms[i].opens, atoms[i].closes) = (other(i.checked_sub(1)), other(Some(i + 1)));
        }
    }
    atoms
}

/// Rests that fill a bar.
pub(super) fn rests(bar: Range<u32>, origin: u32) -> Vec<Atom> {
    let mut atoms = Vec::new();
    values(bar.start, bar.end, origin, false, |start, end, value, triplet| {
        let notes = Vec::new();
        atoms.push(Atom {
            start,
            end,
            value,
            triplet,
            opens: false,
            closes: false,
            notes,
            tied_back: false,
            tied_on: false,
        });
    });
    atoms
}

/// Cuts `start..end` into note values.
fn values(start: u32, end: u32, origin: u32, triplet: bool, mut push: impl FnMut(u32, u32, Value, bool)) {
    let mut at = start;
    while at < end {
        let length = end - at;
        let exact = |table: &[(u32, Value)]| table.iter().find(|(steps, _)| *steps == length).copied();
        let off = (i64::from(at) - i64::from(origin)).rem_euclid(i64::from(QUARTER)) as u32;
        // What does not go into one value is filled up to the beat first.
        let most = if off == 0 { length } else { length.min(QUARTER - off) };
        let largest = |table: &[(u32, Value)]| table.iter().find(|(steps, _)| *steps <= most).copied();
        let plain = if triplet { None } else { exact(&PLAIN).or_else(|| largest(&PLAIN)) };
        let (steps, value, as_triplet) = match plain {
            Some((steps, value)) => (steps, value, false),
            None => {
                let (steps, value) = exact(&TRIPLET).or_else(|| largest(&TRIPLET)).unwrap_or((1, ("64th", 0)));
                (steps, value, true)
            }
        };
        push(at, at + steps, value, as_triplet);
        at += steps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(spans: &[(u32, u32, u8)]) -> Vec<GridNote> {
        spans.iter().map(|&(start, end, pitch)| GridNote { start, end, pitch, velocity: 80 }).collect()
    }

    fn written(voice: &[Chord], bar: Range<u32>) -> Vec<(u32, &'static str, u8, bool)> {
        let origin = bar.start;
        bar_atoms(voice, bar, origin).iter().map(|a| (a.end - a.start, a.value.0, a.value.1, a.triplet)).collect()
    }

    #[test]
    fn overlaps_make_voices_and_equal_spans_make_chords() {
        let v = voices(&notes(&[(0, 24, 60), (0, 24, 64), (12, 48, 67), (24, 48, 62)]));
        assert_eq!(v.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(v[0][0].notes.len(), 2);
        let crowded: Vec<_> = (0..6).map(|i| (i, 100, 60 + i as u8)).collect();
        let v = voices(&notes(&crowded));
        assert_eq!(v.len(), 4);
        assert!(v.iter().all(|voice| voice.windows(2).all(|w| w[0].end <= w[1].start)));
    }

    #[test]
    fn values_across_beats_bars_and_triplets() {
        let v = voices(&notes(&[(12, 72, 60), (72, 80, 62), (80, 88, 64), (88, 96, 65), (96, 126, 67)]));
        assert_eq!(
            written(&v[0], 0..96),
            [
                (12, "eighth", 0, false),
                (12, "eighth", 0, false),
                (48, "half", 0, false),
                (8, "eighth", 0, true),
                (8, "eighth", 0, true),
                (8, "eighth", 0, true)
            ]
        );
        let atoms = bar_atoms(&v[0], 0..96, 0);
        assert!(atoms[1].tied_on && atoms[2].tied_back && !atoms[2].tied_on);
        assert_eq!(atoms.iter().map(|a| (a.opens, a.closes)).filter(|&b| b != (false, false)).count(), 2);
        let second = written(&v[0], 96..192);
        assert_eq!(second.iter().map(|a| a.0).sum::<u32>(), 96);
    }

    #[test]
    fn every_span_is_filled_exactly() {
        for start in 0..48 {
            for end in start + 1..=100 {
                let v = voices(&notes(&[(start, end, 60)]));
                let atoms = bar_atoms(&v[0], 0..120, 0);
                assert_eq!(atoms.first().unwrap().start, 0);
                assert_eq!(atoms.last().unwrap().end, 120);
                assert!(atoms.windows(2).all(|w| w[0].end == w[1].start));
                let sounding: u32 = atoms.iter().filter(|a| !a.notes.is_empty()).map(|a| a.end - a.start).sum();
                assert_eq!(sounding, end - start);
            }
        }
    }
}
