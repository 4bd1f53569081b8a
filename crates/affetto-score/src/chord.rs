//! Chord symbols, as lead sheets carry them.

use serde::{Deserialize, Serialize};

/// A chord symbol over the music from `tick` until the next symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChordSymbol {
    /// Where the chord begins, in ticks.
    pub tick: u32,
    /// Pitch class of the root, 0 = C.
    pub root: u8,
    /// Pitch classes of the chord, root first, each once. Empty for "no chord".
    pub pitch_classes: Vec<u8>,
    /// Pitch class of the bass; the root unless the symbol says otherwise.
    pub bass: u8,
}

impl ChordSymbol {
    /// A chord of `root` with these intervals above it, in semitones.
    pub(crate) fn new(tick: u32, root: u8, intervals: &[u8], bass: Option<u8>) -> ChordSymbol {
        let root = root % 12;
        let mut pitch_classes = Vec::with_capacity(intervals.len());
        for interval in intervals {
            let pitch_class = (root + interval % 12) % 12;
            if !pitch_classes.contains(&pitch_class) {
                pitch_classes.push(pitch_class);
            }
        }
        ChordSymbol { tick, root, pitch_classes, bass: bass.unwrap_or(root) % 12 }
    }

    /// Reads a symbol such as `Am`, `F#m7b5`, `Bbmaj7/D`; `None` where it does not begin with a note name.
    pub fn parse(tick: u32, text: &str) -> Option<ChordSymbol> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("n.c.") || text.eq_ignore_ascii_case("nc") {
            return Some(ChordSymbol { tick, root: 0, pitch_classes: Vec::new(), bass: 0 });
        }
        let (chord, bass) = match text.split_once('/') {
            Some((chord, bass)) => (chord, note_name(bass).map(|(pitch_class, _)| pitch_class)),
            None => (text, None),
        };
        let (root, kind) = note_name(chord)?;
        Some(ChordSymbol::new(tick, root, intervals_of_suffix(kind), bass))
    }
}

/// Pitch class of a natural note, by letter.
pub(crate) fn pitch_class_of(letter: char) -> Option<u8> {
    Some(match letter.to_ascii_uppercase() {
        'C' => 0,
        'D' => 2,
        'E' => 4,
        'F' => 5,
        'G' => 7,
        'A' => 9,
        'B' => 11,
        _ => return None,
    })
}

/// A note name at the start of `text` (capital letter, then sharps or flats) and what follows it.
pub(crate) fn note_name(text: &str) -> Option<(u8, &str)> {
    let mut chars = text.chars();
    let letter = chars.next().filter(char::is_ascii_uppercase)?;
    let mut pitch_class = i32::from(pitch_class_of(letter)?);
    let mut rest = chars.as_str();
    while let Some(c) = rest.chars().next() {
        pitch_class += match c {
            '#' | '♯' => 1,
            'b' | '♭' => -1,
            _ => break,
        };
        rest = &rest[c.len_utf8()..];
    }
    Some((pitch_class.rem_euclid(12) as u8, rest))
}

/// Semitones above the root of a MusicXML chord kind; a major triad where the kind is not known.
pub(crate) fn intervals_of_kind(kind: &str) -> &'static [u8] {
    match kind {
        "none" => &[],
        "minor" => &[0, 3, 7],
        "augmented" => &[0, 4, 8],
        "diminished" => &[0, 3, 6],
        "dominant" => &[0, 4, 7, 10],
        "major-seventh" => &[0, 4, 7, 11],
        "minor-seventh" => &[0, 3, 7, 10],
        "diminished-seventh" => &[0, 3, 6, 9],
        "augmented-seventh" => &[0, 4, 8, 10],
        "half-diminished" => &[0, 3, 6, 10],
        "major-minor" => &[0, 3, 7, 11],
        "major-sixth" => &[0, 4, 7, 9],
        "minor-sixth" => &[0, 3, 7, 9],
        "dominant-ninth" => &[0, 4, 7, 10, 14],
        "major-ninth" => &[0, 4, 7, 11, 14],
        "minor-ninth" => &[0, 3, 7, 10, 14],
        "dominant-11th" => &[0, 4, 7, 10, 14, 17],
        "major-11th" => &[0, 4, 7, 11, 14, 17],
        "minor-11th" => &[0, 3, 7, 10, 14, 17],
        "dominant-13th" => &[0, 4, 7, 10, 14, 21],
        "major-13th" => &[0, 4, 7, 11, 14, 21],
        "minor-13th" => &[0, 3, 7, 10, 14, 21],
        "suspended-second" => &[0, 2, 7],
        "suspended-fourth" => &[0, 5, 7],
        "Neapolitan" => &[0, 4, 7],
        "Italian" => &[0, 4, 10],
        "French" => &[0, 4, 6, 10],
        "German" => &[0, 4, 7, 10],
        "power" => &[0, 7],
        "pedal" => &[0],
        _ => &[0, 4, 7],
    }
}

/// Semitones above the root of what follows the root in a written symbol.
fn intervals_of_suffix(suffix: &str) -> &'static [u8] {
    let suffix = suffix.trim().trim_matches(|c| c == '(' || c == ')');
    let kind = match suffix {
        "m" | "min" | "-" | "mi" => "minor",
        "7" => "dominant",
        "maj7" | "M7" | "Maj7" | "ma7" | "j7" | "Δ" => "major-seventh",
        "m7" | "min7" | "-7" | "mi7" => "minor-seventh",
        "dim" | "o" | "°" | "mb5" => "diminished",
        "dim7" | "o7" | "°7" => "diminished-seventh",
        "m7b5" | "ø" | "-7b5" | "min7b5" => "half-diminished",
        "aug" | "+" => "augmented",
        "aug7" | "+7" | "7#5" => "augmented-seventh",
        "6" => "major-sixth",
        "m6" | "min6" => "minor-sixth",
        "9" => "dominant-ninth",
        "maj9" | "M9" => "major-ninth",
        "m9" | "min9" => "minor-ninth",
        "11" => "dominant-11th",
        "m11" => "minor-11th",
        "13" => "dominant-13th",
        "sus2" => "suspended-second",
        "sus" | "sus4" | "4" => "suspended-fourth",
        "5" => "power",
        _ if suffix.starts_with("maj") => "major",
        _ if suffix.starts_with("dim") => "diminished",
        _ if suffix.starts_with("sus") => "suspended-fourth",
        _ if suffix.starts_with('m') || suffix.starts_with('-') => "minor",
        _ if suffix.starts_with('7') => "dominant",
        _ => "major",
    };
    intervals_of_kind(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_read_as_written() {
        let chord = ChordSymbol::parse(7, "F#m7b5/A").unwrap();
        assert_eq!((chord.tick, chord.root, chord.bass), (7, 6, 9));
        assert_eq!(chord.pitch_classes, [6, 9, 0, 4]);
        assert_eq!(ChordSymbol::parse(0, "Bb").unwrap().pitch_classes, [10, 2, 5]);
        assert!(ChordSymbol::parse(0, "N.C.").unwrap().pitch_classes.is_empty());
        assert!(ChordSymbol::parse(0, "slowly").is_none());
    }
}
