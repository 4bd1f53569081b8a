//! Key numbers → note names, by the key in force.

use crate::score::{Key, Mode};

/// Letters by their place on the line of fifths, F = 0.
const LETTERS: [char; 7] = ['F', 'C', 'G', 'D', 'A', 'E', 'B'];

/// A written pitch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spelled {
    pub step: char,
    /// Semitones: sharps positive.
    pub alter: i8,
    pub octave: i8,
}

/// Sharps (positive) or flats of the key's signature, -6 to 6 (minor -5 to 6).
pub(crate) fn fifths_of(key: Key) -> i8 {
    let relative_major = i32::from(key.tonic) + if key.mode == Mode::Minor { 3 } else { 0 };
    let fifths = (relative_major * 7).rem_euclid(12);
    (if fifths > 6 { fifths - 12 } else { fifths }) as i8
}

/// The alteration that a signature gives a letter.
pub(super) fn signature_alter(step: char, fifths: i8) -> i8 {
    let place = LETTERS.iter().position(|&l| l == step).unwrap_or(0) as i32;
    // Letters F C G ... are sharp in order; B E A ... are flat in order.
    let fifths = i32::from(fifths);
    (fifths - place - 1).div_euclid(7) as i8 + 1
}

/// Spells a key number: of its names the one within three flats and eight sharps of the signature on the line of
/// fifths (in C: B flat and E flat, but F sharp, C sharp and G sharp).
pub(super) fn spell(pitch: u8, fifths: i8) -> Spelled {
    let lowest = i32::from(fifths) - 3;
    // Seven semitones a fifth; C is 0.
    let place = lowest + (i32::from(pitch) * 7 - lowest).rem_euclid(12);
    let letter = (place + 1).rem_euclid(7) as usize;
    let alter = (place + 1).div_euclid(7);
    let natural = i32::from(pitch) - alter;
    Spelled { step: LETTERS[letter], alter: alter as i8, octave: (natural.div_euclid(12) - 1) as i8 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chord::pitch_class_of;

    #[test]
    fn every_spelling_sounds_right() {
        for fifths in -7..=7 {
            for pitch in 0..128u8 {
                let s = spell(pitch, fifths);
                let natural = i32::from(pitch_class_of(s.step).unwrap());
                assert_eq!(natural + i32::from(s.alter) + 12 * (i32::from(s.octave) + 1), i32::from(pitch));
                assert!(s.alter.abs() <= 2);
            }
        }
    }

    #[test]
    fn names_follow_the_key() {
        let name = |pitch, fifths| (spell(pitch, fifths).step, spell(pitch, fifths).alter);
        assert_eq!(name(70, 0), ('B', -1));
        assert_eq!(name(66, 0), ('F', 1));
        assert_eq!(name(70, 2), ('A', 1));
        assert_eq!(name(66, -4), ('G', -1));
    }

    #[test]
    fn signatures() {
        let sharps: String = "CDEFGAB".chars().filter(|&c| signature_alter(c, 3) == 1).collect();
        let flats: String = "CDEFGAB".chars().filter(|&c| signature_alter(c, -2) == -1).collect();
        assert_eq!((sharps.as_str(), flats.as_str()), ("CFG", "EB"));
        assert!("CDEFGAB".chars().all(|c| signature_alter(c, 0) == 0));
        assert_eq!(fifths_of(Key { tonic: 9, mode: Mode::Minor }), 0);
        assert_eq!(fifths_of(Key { tonic: 10, mode: Mode::Major }), -2);
    }
}
