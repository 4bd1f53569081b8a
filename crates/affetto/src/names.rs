//! The names people give to keys, meters and instruments, read and written.

use affetto_control::MeterClass;
use affetto_control::lexicon::closest;
use affetto_score::{Instrument, Key, Mode};

use crate::error::{Error, Result};

/// Everyday words that a misspelt instrument may have meant, beside General MIDI's own names.
const EVERYDAY: [&str; 16] = [
    "piano",
    "organ",
    "guitar",
    "bass",
    "strings",
    "choir",
    "brass",
    "horn",
    "sax",
    "woodwinds",
    "flute",
    "synth",
    "pad",
    "lead",
    "bells",
    "drums",
];

/// Reads instruments by name, separated by commas: General MIDI's names, or words such as `piano`, `strings`,
/// `bass` and `drums`, which mean the likeliest of their kind. Each is kept once, in the order given.
///
/// # Errors
/// [`Error::Prompt`] with names that are close.
///
/// ```
/// let both = affetto::names::parse_instruments("piano, Violin").unwrap();
/// assert_eq!(both.iter().map(|i| i.name()).collect::<Vec<_>>(), ["Acoustic Grand Piano", "Violin"]);
/// ```
pub fn parse_instruments(text: &str) -> Result<Vec<Instrument>> {
    let mut found = Vec::new();
    for name in text.split(',').map(str::trim) {
        let meant = Instrument::parse(name).ok().and_then(|all| all.first().copied());
        let instrument = meant.ok_or_else(|| unknown_instrument(name))?;
        if !found.contains(&instrument) {
            found.push(instrument);
        }
    }
    Ok(found)
}

fn unknown_instrument(name: &str) -> Error {
    let names: Vec<String> = (0..128).map(|i| Instrument(i).name().to_lowercase()).collect();
    let near = closest(name, EVERYDAY.into_iter().chain(names.iter().map(String::as_str)), 4);
    let hint = if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(", ")) };
    Error::Prompt {
        what: "an instrument",
        found: format!("{:?}{hint}", shortened(name)),
        expected: format!(
            "a General MIDI name, or one such as piano, strings, guitar, bass, flute, drums{}",
            if name.contains(' ') { "; commas part several" } else { "" }
        ),
    }
}

/// Reads a key: `C`, `C major`, `Am`, `a minor`, `F# minor`, `Bb`, `Ebm`.
///
/// # Errors
/// [`Error::Prompt`] says what a key looks like.
///
/// ```
/// use affetto::names::parse_key;
/// assert_eq!(parse_key("Bbm").unwrap().to_string(), "Bb minor");
/// assert!(parse_key("H major").is_err());
/// ```
pub fn parse_key(text: &str) -> Result<Key> {
    read_key(text.trim()).ok_or_else(|| Error::Prompt {
        what: "the key",
        found: format!("{:?}", shortened(text)),
        expected: "a tonic A to G with # or b, and major or minor, such as \"F# minor\", Am or Eb".into(),
    })
}

/// Stricter than the reader of files in `affetto_score`: a church mode or a double sign is refused, not taken for the
/// nearest major or minor key.
fn read_key(text: &str) -> Option<Key> {
    let mut rest = text.chars();
    let letter = rest.next()?;
    let natural: i16 = match letter.to_ascii_uppercase() {
        'C' => 0,
        'D' => 2,
        'E' => 4,
        'F' => 5,
        'G' => 7,
        'A' => 9,
        'B' => 11,
        _ => return None,
    };
    let rest = rest.as_str();
    let (shift, mode) = match rest.chars().next() {
        Some('#' | '♯') => (1, &rest[rest.chars().next()?.len_utf8()..]),
        Some('b' | '♭') => (-1, &rest[rest.chars().next()?.len_utf8()..]),
        _ => (0, rest),
    };
    let mode = match mode.trim_start_matches([' ', '-', '_']) {
        "" | "M" | "maj" | "major" | "Major" => Mode::Major,
        "m" | "min" | "minor" | "Minor" => Mode::Minor,
        _ => return None,
    };
    Some(Key { tonic: (natural + shift).rem_euclid(12) as u8, mode })
}

/// The name of a meter, such as `6/8`.
pub fn meter_name(meter: MeterClass) -> String {
    let meter = meter.meter();
    format!("{}/{}", meter.numerator, meter.denominator)
}

/// Reads a meter: `4/4`, `3/4`, `2/4`, `6/8` or `5/4`.
///
/// # Errors
/// [`Error::Prompt`] lists the meters there are.
pub fn parse_meter(text: &str) -> Result<MeterClass> {
    MeterClass::ALL.into_iter().find(|meter| meter_name(*meter) == text.trim()).ok_or_else(|| Error::Prompt {
        what: "the meter",
        found: format!("{:?}", shortened(text)),
        expected: MeterClass::ALL.map(meter_name).join(", "),
    })
}

/// At most 40 characters of a text, for messages.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_back_from_its_name() {
        for tonic in 0..12 {
            for mode in [Mode::Major, Mode::Minor] {
                let key = Key { tonic, mode };
                assert_eq!(parse_key(&key.to_string()).unwrap(), key);
            }
        }
        assert_eq!(parse_key("b").unwrap(), Key { tonic: 11, mode: Mode::Major });
        assert_eq!(parse_key("bb minor").unwrap(), Key { tonic: 10, mode: Mode::Minor });
        assert_eq!(parse_key("Cb").unwrap().tonic, 11);
        for wrong in ["", "H", "C dorian", "C##", "♭"] {
            assert!(parse_key(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_meter_is_read_back_from_its_name() {
        for meter in MeterClass::ALL {
            assert_eq!(parse_meter(&meter_name(meter)).unwrap(), meter);
        }
        assert!(parse_meter("7/8").unwrap_err().to_string().contains("6/8"));
    }

    #[test]
    fn every_everyday_word_means_something() {
        for word in EVERYDAY {
            assert_eq!(parse_instruments(word).unwrap().len(), 1, "{word}");
        }
    }

    #[test]
    fn instruments_are_kept_once_and_misspelt_ones_get_suggestions() {
        assert_eq!(parse_instruments("piano,drums,piano").unwrap(), [Instrument::PIANO, Instrument::DRUMS]);
        let message = parse_instruments("piano,strigns").unwrap_err().to_string();
        assert!(message.contains("strings"), "{message}");
        assert!(parse_instruments("").is_err());
        assert!(parse_instruments("piano violin").unwrap_err().to_string().contains("commas"));
    }
}
