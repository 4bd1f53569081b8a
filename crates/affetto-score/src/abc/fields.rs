//! Information fields: meter, unit length, key, tempo.

use crate::bars::bar_ticks;
use crate::chord::pitch_class_of;
use crate::score::{Key, Mode, TICKS_PER_QUARTER};

const WHOLE: f64 = 4.0 * TICKS_PER_QUARTER as f64;

/// Sharps and flats by letter, C D E F G A B.
pub(super) type Accidentals = [i8; 7];

/// What the fields say.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// `None` for free meter.
    pub meter: Option<(u8, u8)>,
    /// Unit note length in ticks, where given.
    pub length: Option<f64>,
    pub key: Option<Key>,
    pub accidentals: Accidentals,
    /// Quarter notes a minute, where given.
    pub bpm: Option<f64>,
    pub program: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { meter: Some((4, 4)), length: None, key: None, accidentals: [0; 7], bpm: None, program: 0 }
    }
}

impl Settings {
    /// Takes in a field; whether it was one that matters to the notes.
    pub fn field(&mut self, letter: char, value: &str) -> bool {
        match letter {
            'M' => self.meter = meter(value, self.meter),
            'L' => self.length = fraction(value).map(|f| f * WHOLE).or(self.length),
            'Q' => self.bpm = tempo(value).or(self.bpm),
            'K' => {
                if let Some((key, accidentals)) = key(value) {
                    self.key = key;
                    self.accidentals = accidentals;
                }
            }
            _ => return false,
        }
        true
    }
}

/// The unit length where `L:` does not say: a sixteenth in meters under 3/4, else an eighth.
pub(super) fn default_length(meter: Option<(u8, u8)>) -> f64 {
    let short = meter.is_some_and(|m| bar_ticks(m) < 3 * TICKS_PER_QUARTER);
    if short { WHOLE / 16.0 } else { WHOLE / 8.0 }
}

fn meter(value: &str, before: Option<(u8, u8)>) -> Option<(u8, u8)> {
    match value {
        "C" => return Some((4, 4)),
        "C|" => return Some((2, 2)),
        _ if value.eq_ignore_ascii_case("none") || value.is_empty() => return None,
        _ => {}
    }
    let parsed = value.split_once('/').and_then(|(beats, unit)| {
        let beats = beats.trim().trim_matches(['(', ')']);
        let numerator =
            beats.split(['+', ' ']).try_fold(0u8, |sum, part| sum.checked_add(part.trim().parse().ok()?))?;
        let digits: String = unit.trim().chars().take_while(char::is_ascii_digit).collect();
        let denominator: u8 = digits.parse().ok()?;
        (numerator > 0 && denominator.is_power_of_two() && denominator <= 64).then_some((numerator, denominator))
    });
    parsed.or(before)
}

/// `3/8` as a number between 1/1024 and 16.
fn fraction(text: &str) -> Option<f64> {
    let digits: String = text.trim().chars().take_while(|c| c.is_ascii_digit() || *c == '/').collect();
    let (above, below) = digits.split_once('/').unwrap_or((&digits, "1"));
    let (above, below): (f64, f64) = (above.parse().ok()?, below.parse().ok()?);
    let value = above / below;
    (value.is_finite() && (1.0 / 1024.0..=16.0).contains(&value)).then_some(value)
}

/// Quarter notes a minute: `1/4=120`, `3/8=60 "Slow"`, `120`.
fn tempo(value: &str) -> Option<f64> {
    let bare: String = value.split('"').step_by(2).collect();
    let bpm = match bare.split_once('=') {
        Some((beat, per_minute)) => {
            let quarters: f64 = beat.split_whitespace().filter_map(fraction).sum::<f64>() * 4.0;
            let quarters = if quarters > 0.0 { quarters } else { 1.0 };
            quarters * per_minute.split_whitespace().next()?.parse::<f64>().ok()?
        }
        None => bare.trim().parse().ok()?,
    };
    (5.0..=1000.0).contains(&bpm).then_some(bpm)
}

/// Key and accidentals of a `K:` field; the key is `None` for `none`. `None` where it names no key at all.
fn key(value: &str) -> Option<(Option<Key>, Accidentals)> {
    let mut words = value.split_whitespace();
    let first = words.next()?;
    let mut accidentals = [0; 7];
    if first.eq_ignore_ascii_case("none") {
        return Some((None, accidentals));
    }
    if first == "HP" || first == "Hp" {
        // Highland pipes: A mixolydian.
        return Some((Some(Key { tonic: 9, mode: Mode::Major }), signature(2)));
    }
    let letter = first.chars().next().filter(|c| ('A'..='G').contains(c))?;
    let mut tonic = i32::from(pitch_class_of(letter)?);
    let mut rest = &first[1..];
    match rest.chars().next() {
        Some('#') => (tonic, rest) = (tonic + 1, &rest[1..]),
        Some('b') => (tonic, rest) = (tonic - 1, &rest[1..]),
        _ => {}
    }
    let mut explicit = Vec::new();
    let mut named = rest.to_lowercase();
    for word in words {
        if word.starts_with(['^', '_', '=']) {
            explicit.push(word);
        } else if named.is_empty() && !word.contains('=') {
            named = word.to_lowercase();
        }
    }
    // Fifths of the mode against major on the same tonic.
    let (shift, mode) = match named.get(..3).unwrap_or(&named) {
        "m" | "min" | "aeo" => (-3, Mode::Minor),
        "dor" => (-2, Mode::Minor),
        "phr" => (-4, Mode::Minor),
        "loc" => (-5, Mode::Minor),
        "mix" => (-1, Mode::Major),
        "lyd" => (1, Mode::Major),
        _ => (0, Mode::Major),
    };
    let natural_fifths = "FCGDAEB".find(letter)? as i32 - 1;
    let altered = tonic - i32::from(pitch_class_of(letter)?);
    if named != "exp" {
        accidentals = signature((natural_fifths + 7 * altered + shift).clamp(-7, 7));
    }
    for word in explicit {
        let (sign, rest) = sign(word);
        if let (Some(sign), Some(at)) = (sign, rest.chars().next().and_then(letter_index)) {
            accidentals[at] = sign;
        }
    }
    Some((Some(Key { tonic: tonic.rem_euclid(12) as u8, mode }), accidentals))
}

/// Accidentals of a signature with this many sharps (flats where negative).
fn signature(fifths: i32) -> Accidentals {
    let mut accidentals = [0; 7];
    let order = ['F', 'C', 'G', 'D', 'A', 'E', 'B'];
    for k in 0..fifths.unsigned_abs().min(7) as usize {
        let (letter, sign) = if fifths > 0 { (order[k], 1) } else { (order[6 - k], -1) };
        if let Some(at) = letter_index(letter) {
            accidentals[at] = sign;
        }
    }
    accidentals
}

/// The place of a note letter in [`Accidentals`].
pub(super) fn letter_index(letter: char) -> Option<usize> {
    "CDEFGAB".find(letter.to_ascii_uppercase())
}

/// A leading accidental in semitones and the rest of the text.
pub(super) fn sign(text: &str) -> (Option<i8>, &str) {
    for (mark, semitones) in [("^^", 2), ("^", 1), ("__", -2), ("_", -1), ("=", 0)] {
        if let Some(rest) = text.strip_prefix(mark) {
            return (Some(semitones), rest);
        }
    }
    (None, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_modes() {
        assert_eq!(key("Bb").unwrap().1, [0, 0, -1, 0, 0, 0, -1]);
        assert_eq!(key("F#m").unwrap(), (Some(Key { tonic: 6, mode: Mode::Minor }), [1, 0, 0, 1, 1, 0, 0]));
        assert_eq!(key("A Mixolydian").unwrap().1, [1, 0, 0, 1, 0, 0, 0]);
        assert_eq!(key("ADor").unwrap(), (Some(Key { tonic: 9, mode: Mode::Minor }), [0, 0, 0, 1, 0, 0, 0]));
        assert_eq!(key("D ^g =f").unwrap().1, [1, 0, 0, 0, 1, 0, 0]);
        assert_eq!(key("none").unwrap(), (None, [0; 7]));
        assert!(key("treble").is_none());
    }

    #[test]
    fn meters_lengths_tempos() {
        assert_eq!(meter("C|", None), Some((2, 2)));
        assert_eq!(meter("2+3/8", None), Some((5, 8)));
        assert_eq!(meter("x", Some((3, 4))), Some((3, 4)));
        assert_eq!(default_length(Some((2, 4))), 120.0);
        assert_eq!(default_length(Some((6, 8))), 240.0);
        assert_eq!(tempo("3/8=60 \"Slow\""), Some(90.0));
        assert_eq!(tempo("\"Slow\""), None);
    }
}
