//! The names people give to keys, meters and instruments, read and written.

use affetto_control::MeterClass;
use affetto_control::lexicon::closest;
use affetto_score::{Instrument, Key, Mode};

use crate::error::{Error, Result};

/// General MIDI's names of its 128 programs, in lower case; the drum kit follows as `drums`.
pub const INSTRUMENT_NAMES: [&str; Instrument::COUNT] = [
    "acoustic grand piano",
    "bright acoustic piano",
    "electric grand piano",
    "honky-tonk piano",
    "electric piano 1",
    "electric piano 2",
    "harpsichord",
    "clavinet",
    "celesta",
    "glockenspiel",
    "music box",
    "vibraphone",
    "marimba",
    "xylophone",
    "tubular bells",
    "dulcimer",
    "drawbar organ",
    "percussive organ",
    "rock organ",
    "church organ",
    "reed organ",
    "accordion",
    "harmonica",
    "tango accordion",
    "nylon guitar",
    "steel guitar",
    "jazz guitar",
    "clean guitar",
    "muted guitar",
    "overdriven guitar",
    "distortion guitar",
    "guitar harmonics",
    "acoustic bass",
    "finger bass",
    "pick bass",
    "fretless bass",
    "slap bass 1",
    "slap bass 2",
    "synth bass 1",
    "synth bass 2",
    "violin",
    "viola",
    "cello",
    "contrabass",
    "tremolo strings",
    "pizzicato strings",
    "orchestral harp",
    "timpani",
    "string ensemble 1",
    "string ensemble 2",
    "synth strings 1",
    "synth strings 2",
    "choir aahs",
    "voice oohs",
    "synth voice",
    "orchestra hit",
    "trumpet",
    "trombone",
    "tuba",
    "muted trumpet",
    "french horn",
    "brass section",
    "synth brass 1",
    "synth brass 2",
    "soprano sax",
    "alto sax",
    "tenor sax",
    "baritone sax",
    "oboe",
    "english horn",
    "bassoon",
    "clarinet",
    "piccolo",
    "flute",
    "recorder",
    "pan flute",
    "blown bottle",
    "shakuhachi",
    "whistle",
    "ocarina",
    "square lead",
    "sawtooth lead",
    "calliope lead",
    "chiff lead",
    "charang lead",
    "voice lead",
    "fifths lead",
    "bass and lead",
    "new age pad",
    "warm pad",
    "polysynth pad",
    "choir pad",
    "bowed pad",
    "metallic pad",
    "halo pad",
    "sweep pad",
    "rain",
    "soundtrack",
    "crystal",
    "atmosphere",
    "brightness",
    "goblins",
    "echoes",
    "sci-fi",
    "sitar",
    "banjo",
    "shamisen",
    "koto",
    "kalimba",
    "bagpipe",
    "fiddle",
    "shanai",
    "tinkle bell",
    "agogo",
    "steel drums",
    "woodblock",
    "taiko drum",
    "melodic tom",
    "synth drum",
    "reverse cymbal",
    "guitar fret noise",
    "breath noise",
    "seashore",
    "bird tweet",
    "telephone ring",
    "helicopter",
    "applause",
    "gunshot",
    "drums",
];

/// Short names beside General MIDI's own.
const SHORT_NAMES: [(&str, u8); 40] = [
    ("piano", 0),
    ("grand piano", 0),
    ("electric piano", 4),
    ("bells", 14),
    ("organ", 19),
    ("guitar", 24),
    ("classical guitar", 24),
    ("acoustic guitar", 25),
    ("electric guitar", 27),
    ("bass", 33),
    ("upright bass", 32),
    ("electric bass", 33),
    ("bass guitar", 33),
    ("synth bass", 38),
    ("double bass", 43),
    ("pizzicato", 45),
    ("harp", 46),
    ("strings", 48),
    ("string section", 48),
    ("slow strings", 49),
    ("synth strings", 50),
    ("choir", 52),
    ("voice", 53),
    ("voices", 52),
    ("horn", 60),
    ("horns", 60),
    ("brass", 61),
    ("synth brass", 62),
    ("sax", 65),
    ("saxophone", 65),
    ("lead", 81),
    ("synth lead", 81),
    ("synth", 81),
    ("pad", 89),
    ("synth pad", 89),
    ("panflute", 75),
    ("percussion", 128),
    ("drum kit", 128),
    ("drum", 128),
    ("kit", 128),
];

/// The name of an instrument; General MIDI's, in lower case.
pub fn instrument_name(instrument: Instrument) -> &'static str {
    INSTRUMENT_NAMES[usize::from(instrument.0).min(Instrument::COUNT - 1)]
}

/// Reads instruments by name, separated by commas: General MIDI's names, or short ones such as `piano`,
/// `strings`, `bass` and `drums`. Each is kept once, in the order given.
///
/// # Errors
/// [`Error::Prompt`] with names that are close.
///
/// ```
/// let both = affetto::names::parse_instruments("piano, Strings").unwrap();
/// assert_eq!(affetto::names::instrument_name(both[0]), "acoustic grand piano");
/// ```
pub fn parse_instruments(text: &str) -> Result<Vec<Instrument>> {
    let mut found = Vec::new();
    for name in text.split(',') {
        let instrument = parse_instrument(name.trim())?;
        if !found.contains(&instrument) {
            found.push(instrument);
        }
    }
    Ok(found)
}

fn parse_instrument(name: &str) -> Result<Instrument> {
    let wanted = name.to_lowercase();
    let long = || INSTRUMENT_NAMES.iter().position(|known| *known == wanted).map(|i| i as u8);
    if let Some(program) = SHORT_NAMES.iter().find(|(known, _)| *known == wanted).map(|(_, i)| *i).or_else(long) {
        return Ok(Instrument(program));
    }
    let all = SHORT_NAMES.iter().map(|(known, _)| *known).chain(INSTRUMENT_NAMES);
    let near = closest(&wanted, all, 4);
    let hint = if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(", ")) };
    Err(Error::Prompt {
        what: "an instrument",
        found: format!("{:?}{hint}", shortened(name)),
        expected: "a General MIDI name, or one such as piano, strings, guitar, bass, flute, drums".into(),
    })
}

/// The name of a key, such as `F# minor`.
pub fn key_name(key: Key) -> String {
    const MAJOR: [&str; 12] = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
    const MINOR: [&str; 12] = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"];
    let tonic = usize::from(key.tonic % 12);
    match key.mode {
        Mode::Major => format!("{} major", MAJOR[tonic]),
        Mode::Minor => format!("{} minor", MINOR[tonic]),
    }
}

/// Reads a key: `C`, `C major`, `Am`, `a minor`, `F# minor`, `Bb`, `Ebm`.
///
/// # Errors
/// [`Error::Prompt`] says what a key looks like.
///
/// ```
/// use affetto::names::{key_name, parse_key};
/// assert_eq!(key_name(parse_key("Bbm").unwrap()), "Bb minor");
/// assert!(parse_key("H major").is_err());
/// ```
pub fn parse_key(text: &str) -> Result<Key> {
    read_key(text.trim()).ok_or_else(|| Error::Prompt {
        what: "the key",
        found: format!("{:?}", shortened(text)),
        expected: "a tonic A to G with # or b, and major or minor, such as \"F# minor\", Am or Eb".into(),
    })
}

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
                assert_eq!(parse_key(&key_name(key)).unwrap(), key);
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
    fn every_instrument_and_meter_is_read_back_from_its_name() {
        for i in 0..Instrument::COUNT as u8 {
            assert_eq!(parse_instruments(instrument_name(Instrument(i))).unwrap(), [Instrument(i)]);
        }
        for (name, i) in SHORT_NAMES {
            assert_eq!(parse_instruments(name).unwrap(), [Instrument(i)], "{name}");
        }
        for meter in MeterClass::ALL {
            assert_eq!(parse_meter(&meter_name(meter)).unwrap(), meter);
        }
        assert!(parse_meter("7/8").unwrap_err().to_string().contains("6/8"));
    }

    #[test]
    fn instruments_are_kept_once_and_misspelt_ones_get_suggestions() {
        assert_eq!(parse_instruments("piano,drums,piano").unwrap(), [Instrument::PIANO, Instrument::DRUMS]);
        let message = parse_instruments("piano,strigns").unwrap_err().to_string();
        assert!(message.contains("strings"), "{message}");
        assert!(parse_instruments("").is_err());
    }
}
