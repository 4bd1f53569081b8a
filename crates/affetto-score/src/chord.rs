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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_transposed_to_their_root() {
        let chord = ChordSymbol::new(7, 6, intervals_of_kind("half-diminished"), Some(9));
        assert_eq!((chord.tick, chord.root, chord.bass), (7, 6, 9));
        assert_eq!(chord.pitch_classes, [6, 9, 0, 4]);
        assert!(ChordSymbol::new(0, 0, intervals_of_kind("none"), None).pitch_classes.is_empty());
    }
}
