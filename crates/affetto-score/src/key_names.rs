//! Names of keys: "F# minor", "Bb major", "Am".

use std::fmt;
use std::str::FromStr;

use crate::chord::pitch_class_of;
use crate::error::ScoreError;
use crate::score::{Key, Mode};

const MAJOR: [&str; 12] = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const MINOR: [&str; 12] = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"];

impl Key {
    /// All 24 keys: twelve major from C upwards, then twelve minor.
    pub fn all() -> impl Iterator<Item = Key> {
        (0..24).map(Key::from_index)
    }

    /// Tonic + 12 · minor, 0–23.
    pub fn index(self) -> usize {
        usize::from(self.tonic % 12) + if self.mode == Mode::Minor { 12 } else { 0 }
    }

    /// The key of an [`index`](Key::index), taken modulo 24.
    pub fn from_index(index: usize) -> Key {
        let mode = if index % 24 < 12 { Mode::Major } else { Mode::Minor };
        Key { tonic: (index % 12) as u8, mode }
    }
}

impl fmt::Display for Key {
    /// "F# minor", with the usual spelling of the tonic.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tonic = usize::from(self.tonic % 12);
        match self.mode {
            Mode::Major => write!(f, "{} major", MAJOR[tonic]),
            Mode::Minor => write!(f, "{} minor", MINOR[tonic]),
        }
    }
}

impl FromStr for Key {
    type Err = ScoreError;

    /// Reads "F# minor", "Bb major", "Bb", "Am", "e minor", "A-flat major", "c♯m". Dorian, Phrygian and Aeolian count as
    /// minor, Lydian, Mixolydian and Ionian as major.
    fn from_str(text: &str) -> Result<Key, ScoreError> {
        parse(text.trim()).ok_or_else(|| ScoreError::Unknown {
            what: "key",
            name: text.chars().take(80).collect(),
            hint: "write a tonic and a mode, such as \"F# minor\", \"Bb major\" or \"Am\"",
        })
    }
}

fn parse(text: &str) -> Option<Key> {
    let letter = text.chars().next().filter(char::is_ascii)?;
    let mut tonic = i32::from(pitch_class_of(letter)?);
    let mut rest = &text[1..];
    loop {
        let lower = rest.to_lowercase();
        let signs =
            [("#", 1), ("♯", 1), ("b", -1), ("♭", -1), ("-sharp", 1), (" sharp", 1), ("-flat", -1), (" flat", -1)];
        let Some(&(sign, step)) = signs.iter().find(|(sign, _)| lower.starts_with(sign)) else { break };
        tonic += step;
        // The signs' lower and upper case have the same number of bytes.
        rest = rest.get(sign.len()..)?;
    }
    let mode = rest.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == ':' || c == '_');
    let mode = if mode == "M" { "major".to_string() } else { mode.to_lowercase() };
    let mode = match mode.as_str() {
        "" | "maj" | "major" | "dur" | "ionian" | "lydian" | "mixolydian" => Mode::Major,
        "m" | "min" | "minor" | "moll" | "aeolian" | "dorian" | "phrygian" => Mode::Minor,
        _ => return None,
    };
    Some(Key { tonic: tonic.rem_euclid(12) as u8, mode })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for key in Key::all() {
            assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
            assert_eq!(Key::from_index(key.index()), key);
        }
    }

    #[test]
    fn other_spellings() {
        for (text, name) in [
            ("Am", "A minor"),
            ("bb", "Bb major"),
            ("b minor", "B minor"),
            ("A-flat major", "Ab major"),
            ("c♯m", "C# minor"),
            ("Cb", "B major"),
            ("D Dorian", "D minor"),
            ("G#:min", "G# minor"),
            ("CM", "C major"),
        ] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), name, "{text}");
        }
        for text in ["", "H", "C sharpish", "major", "é"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }
}
