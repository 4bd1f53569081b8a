//! General MIDI: names of instruments, families and drum keys, and the everyday words for them.

use crate::error::ScoreError;
use crate::score::Instrument;

/// A General MIDI family: eight neighbouring programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Everyday name, such as "strings".
    pub name: &'static str,
    /// Program of the first member.
    pub first: u8,
}

impl Family {
    /// The members, by program.
    pub fn members(self) -> impl Iterator<Item = Instrument> {
        (self.first..self.first + 8).map(Instrument)
    }
}

/// The sixteen families of eight programs each, by program.
pub const FAMILIES: [Family; 16] = [
    Family { name: "piano", first: 0 },
    Family { name: "mallets", first: 8 },
    Family { name: "organ", first: 16 },
    Family { name: "guitar", first: 24 },
    Family { name: "bass", first: 32 },
    Family { name: "strings", first: 40 },
    Family { name: "ensemble", first: 48 },
    Family { name: "brass", first: 56 },
    Family { name: "reed", first: 64 },
    Family { name: "pipe", first: 72 },
    Family { name: "synth lead", first: 80 },
    Family { name: "synth pad", first: 88 },
    Family { name: "synth effects", first: 96 },
    Family { name: "ethnic", first: 104 },
    Family { name: "percussive", first: 112 },
    Family { name: "sound effects", first: 120 },
];

#[rustfmt::skip]
const NAMES: [&str; 128] = [
    "Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano",
    "Electric Piano 1", "Electric Piano 2", "Harpsichord", "Clavinet",
    "Celesta", "Glockenspiel", "Music Box", "Vibraphone",
    "Marimba", "Xylophone", "Tubular Bells", "Dulcimer",
    "Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ",
    "Reed Organ", "Accordion", "Harmonica", "Tango Accordion",
    "Nylon Guitar", "Steel Guitar", "Jazz Guitar", "Clean Guitar",
    "Muted Guitar", "Overdriven Guitar", "Distortion Guitar", "Guitar Harmonics",
    "Acoustic Bass", "Fingered Bass", "Picked Bass", "Fretless Bass",
    "Slap Bass 1", "Slap Bass 2", "Synth Bass 1", "Synth Bass 2",
    "Violin", "Viola", "Cello", "Contrabass",
    "Tremolo Strings", "Pizzicato Strings", "Harp", "Timpani",
    "String Ensemble 1", "String Ensemble 2", "Synth Strings 1", "Synth Strings 2",
    "Choir Aahs", "Voice Oohs", "Synth Voice", "Orchestra Hit",
    "Trumpet", "Trombone", "Tuba", "Muted Trumpet",
    "French Horn", "Brass Section", "Synth Brass 1", "Synth Brass 2",
    "Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax",
    "Oboe", "English Horn", "Bassoon", "Clarinet",
    "Piccolo", "Flute", "Recorder", "Pan Flute",
    "Blown Bottle", "Shakuhachi", "Whistle", "Ocarina",
    "Square Lead", "Sawtooth Lead", "Calliope Lead", "Chiff Lead",
    "Charang Lead", "Voice Lead", "Fifths Lead", "Bass and Lead",
    "New Age Pad", "Warm Pad", "Polysynth Pad", "Choir Pad",
    "Bowed Pad", "Metallic Pad", "Halo Pad", "Sweep Pad",
    "Rain", "Soundtrack", "Crystal", "Atmosphere",
    "Brightness", "Goblins", "Echoes", "Sci-fi",
    "Sitar", "Banjo", "Shamisen", "Koto",
    "Kalimba", "Bagpipe", "Fiddle", "Shanai",
    "Tinkle Bell", "Agogo", "Steel Drums", "Woodblock",
    "Taiko Drum", "Melodic Tom", "Synth Drum", "Reverse Cymbal",
    "Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet",
    "Telephone Ring", "Helicopter", "Applause", "Gunshot",
];

/// Drum keys 35–81.
#[rustfmt::skip]
const DRUM_NAMES: [&str; 47] = [
    "Acoustic Bass Drum", "Bass Drum", "Side Stick", "Snare Drum", "Hand Clap", "Electric Snare",
    "Low Floor Tom", "Closed Hi-hat", "High Floor Tom", "Pedal Hi-hat", "Low Tom", "Open Hi-hat",
    "Low-mid Tom", "High-mid Tom", "Crash Cymbal 1", "High Tom", "Ride Cymbal 1", "Chinese Cymbal",
    "Ride Bell", "Tambourine", "Splash Cymbal", "Cowbell", "Crash Cymbal 2", "Vibraslap",
    "Ride Cymbal 2", "High Bongo", "Low Bongo", "Mute High Conga", "Open High Conga", "Low Conga",
    "High Timbale", "Low Timbale", "High Agogo", "Low Agogo", "Cabasa", "Maracas",
    "Short Whistle", "Long Whistle", "Short Guiro", "Long Guiro", "Claves", "High Wood Block",
    "Low Wood Block", "Mute Cuica", "Open Cuica", "Mute Triangle", "Open Triangle",
];

/// Everyday words and the programs they may mean, likeliest first.
#[rustfmt::skip]
const WORDS: &[(&str, &[u8])] = &[
    ("piano", &[0, 1, 2, 3]),
    ("grand piano", &[0]),
    ("keys", &[0, 4, 5]),
    ("keyboard", &[0, 4, 5]),
    ("electric piano", &[4, 5]),
    ("e-piano", &[4, 5]),
    ("rhodes", &[4]),
    ("clav", &[7]),
    ("bells", &[14, 9, 112]),
    ("glocken", &[9]),
    ("mallets", &[12, 11, 13, 9]),
    ("organ", &[19, 16, 17, 18, 20]),
    ("guitar", &[24, 25, 26, 27, 28, 29, 30]),
    ("acoustic guitar", &[24, 25]),
    ("classical guitar", &[24]),
    ("electric guitar", &[27, 26, 28, 29, 30]),
    ("distorted guitar", &[30, 29]),
    ("bass", &[33, 32, 34, 35, 36, 37, 38, 39]),
    ("bass guitar", &[33, 34, 35, 36, 37]),
    ("electric bass", &[33, 34, 35]),
    ("slap bass", &[36, 37]),
    ("synth bass", &[38, 39]),
    ("upright bass", &[32]),
    ("double bass", &[43, 32]),
    ("strings", &[48, 49, 40, 41, 42, 43, 44, 45, 50, 51]),
    ("string", &[48, 49, 40, 41, 42, 43]),
    ("string section", &[48, 49]),
    ("string ensemble", &[48, 49]),
    ("string quartet", &[40, 41, 42]),
    ("pizzicato", &[45]),
    ("synth strings", &[50, 51]),
    ("orchestra", &[48, 40, 41, 42, 43, 60, 56, 57, 73, 68, 71, 70, 47]),
    ("ensemble", &[48, 49]),
    ("choir", &[52, 53, 54, 91]),
    ("voice", &[53, 52, 54]),
    ("vocals", &[53, 52, 54]),
    ("brass", &[61, 56, 57, 58, 60, 62, 63]),
    ("horn", &[60]),
    ("horns", &[61, 60]),
    ("sax", &[65, 66, 64, 67]),
    ("saxophone", &[65, 66, 64, 67]),
    ("cor anglais", &[69]),
    ("woodwind", &[73, 71, 68, 70, 72]),
    ("woodwinds", &[73, 71, 68, 70, 72]),
    ("winds", &[73, 71, 68, 70, 72]),
    ("reed", &[71, 68, 70, 65]),
    ("pipe", &[73, 75, 74]),
    ("flute", &[73, 72, 74, 75]),
    ("whistle", &[78]),
    ("panpipes", &[75]),
    ("lead", &[81, 80, 82, 83, 84, 85, 86, 87]),
    ("synth lead", &[81, 80, 82, 83, 84, 85, 86, 87]),
    ("pad", &[89, 88, 90, 91, 92, 93, 94, 95]),
    ("synth pad", &[89, 88, 90, 91, 92, 93, 94, 95]),
    ("warm pad", &[89]),
    ("synth", &[81, 80, 90, 89, 88, 38, 50, 62]),
    ("synthesizer", &[81, 80, 90, 89, 88, 38, 50, 62]),
    ("synthesiser", &[81, 80, 90, 89, 88, 38, 50, 62]),
    ("ethnic", &[104, 107, 108, 109]),
    ("bagpipes", &[109]),
    ("steelpan", &[114]),
    ("steel pan", &[114]),
    ("taiko", &[116]),
    ("drums", &[128]),
    ("drum", &[128]),
    ("drum kit", &[128]),
    ("drum set", &[128]),
    ("percussion", &[128]),
    ("beat", &[128]),
    ("beats", &[128]),
];

impl Instrument {
    /// General MIDI name, such as "Acoustic Grand Piano"; "Drum Kit" for the drums.
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("Drum Kit")
    }

    /// The family of a pitched instrument; `None` for the drums.
    pub fn family(self) -> Option<Family> {
        FAMILIES.get(usize::from(self.0 / 8)).copied()
    }

    /// Whether one player of it sounds one note at a time: trumpet to French horn, the reeds and the pipes.
    pub fn is_monophonic(self) -> bool {
        matches!(self.0, 56..=60 | 64..=79)
    }

    /// The instruments that a name or an everyday word may mean, likeliest first: "Violin", "strings", "pad",
    /// "drums", "warm pad", a program number 0–127. Case, hyphens and a plural "s" do not matter.
    ///
    /// # Errors
    /// [`ScoreError::Unknown`] where nothing is called so.
    pub fn parse(text: &str) -> Result<Vec<Instrument>, ScoreError> {
        let wanted = normal(text);
        if let Ok(program) = wanted.parse::<u8>()
            && program < 128
        {
            return Ok(vec![Instrument(program)]);
        }
        let singular = wanted.strip_suffix('s').filter(|s| s.len() > 2);
        for spelling in [Some(wanted.as_str()), singular].into_iter().flatten() {
            if let Some((_, programs)) = WORDS.iter().find(|(word, _)| normal(word) == spelling) {
                return Ok(programs.iter().copied().map(Instrument).collect());
            }
            if let Some(program) = NAMES.iter().position(|name| normal(name) == spelling) {
                return Ok(vec![Instrument(program as u8)]);
            }
            if let Some(family) = FAMILIES.iter().find(|family| family.name == spelling) {
                return Ok(family.members().collect());
            }
            // A name without its number, or the last word of one: "electric piano", "trombone".
            let alike = |name: &&str| {
                let name = normal(name);
                let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
                bare == spelling || bare.ends_with(&format!(" {spelling}"))
            };
            let found: Vec<_> = (0..128).filter(|&i| alike(&NAMES[usize::from(i)])).map(Instrument).collect();
            if !found.is_empty() && spelling.len() > 2 {
                return Ok(found);
            }
        }
        Err(ScoreError::Unknown {
            what: "instrument",
            name: text.to_string(),
            hint: "write a General MIDI name or a word such as piano, strings, pad, bass, flute, drums",
        })
    }
}

impl std::fmt::Display for Instrument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Name of a General MIDI percussion key; "Percussion" beyond the standard's 35–81.
pub fn drum_name(key: u8) -> &'static str {
    key.checked_sub(35).and_then(|at| DRUM_NAMES.get(usize::from(at))).copied().unwrap_or("Percussion")
}

fn normal(text: &str) -> String {
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c == '-' || c == '_').collect();
    words.iter().filter(|w| !w.is_empty()).map(|w| w.to_lowercase()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_own() {
        for program in 0..128 {
            let name = Instrument(program).name();
            let found = Instrument::parse(name).unwrap();
            assert_eq!(found[0], Instrument(program), "{name}");
        }
    }

    #[test]
    fn everyday_words() {
        for (word, first) in
            [("Strings", 48), ("violins", 40), ("drums", 128), ("warm pads", 89), ("string-ensemble", 48), ("40", 40)]
        {
            assert_eq!(Instrument::parse(word).unwrap()[0].0, first, "{word}");
        }
        assert!(Instrument::parse("spoon").unwrap_err().to_string().contains("spoon"));
        assert!(Instrument::parse("s").is_err());
    }

    #[test]
    fn families_and_drum_keys() {
        assert_eq!(Instrument(42).family().unwrap().name, "strings");
        assert_eq!(Instrument::DRUMS.family(), None);
        assert_eq!(
            (drum_name(36), drum_name(38), drum_name(81), drum_name(2)),
            ("Bass Drum", "Snare Drum", "Open Triangle", "Percussion")
        );
    }
}
