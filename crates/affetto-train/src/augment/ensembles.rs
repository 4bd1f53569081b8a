//! Who plays: named groups of General MIDI programs, one list for each role, and comfortable ranges.
//! Only programs of the shipped SoundFont are used.

use affetto_score::Instrument;

/// A group of instruments.
#[derive(Clone, Copy, Debug)]
pub struct Ensemble {
    /// Short name.
    pub id: &'static str,
    /// How often it is drawn.
    pub weight: f32,
    /// How people call it.
    pub words: &'static [&'static str],
    /// Programs for the melody; one is drawn.
    pub melody: &'static [u8],
    /// Programs for inner lines and the upper half of split chords.
    pub inner: &'static [u8],
    /// Programs for chords.
    pub chords: &'static [u8],
    /// Programs for the bass.
    pub bass: &'static [u8],
    /// Chance that the chords are held as pads.
    pub pads: f32,
    /// Whether a drum kit joins.
    pub drums: bool,
    /// Whether chords are divided between `inner` (upper) and `chords` (lower).
    pub split: bool,
    /// Leaning: drawn more often with energy of this sign.
    pub energy: f32,
    /// Leaning: drawn more often with brightness, and in major, where positive; in minor where negative.
    pub light: f32,
}

const fn group(
    id: &'static str,
    weight: f32,
    words: &'static [&'static str],
    parts: [&'static [u8]; 4],
    options: (f32, bool, bool, f32, f32),
) -> Ensemble {
    let [melody, inner, chords, bass] = parts;
    let (pads, drums, split, energy, light) = options;
    Ensemble { id, weight, words, melody, inner, chords, bass, pads, drums, split, energy, light }
}

/// All ensembles but the one a piece brings itself.
pub const ENSEMBLES: [Ensemble; 36] = [
    group(
        "piano",
        55.0,
        &["piano", "solo piano", "piano solo", "piano"],
        [&[0], &[0], &[0], &[0]],
        (0.05, false, false, 0.0, 0.0),
    ),
    group(
        "electric piano",
        2.5,
        &["electric piano", "rhodes"],
        [&[4], &[4], &[4], &[4, 33]],
        (0.1, false, false, -0.2, 0.1),
    ),
    group("harpsichord", 1.5, &["harpsichord"], [&[6], &[6], &[6], &[6]], (0.0, false, false, 0.2, 0.0)),
    group("music box", 1.5, &["music box"], [&[10], &[10], &[10], &[10]], (0.0, false, false, -0.6, 0.4)),
    group(
        "celesta",
        1.2,
        &["celesta", "bells", "celesta and harp"],
        [&[8, 9], &[8], &[46, 8], &[46]],
        (0.0, false, false, -0.5, 0.5),
    ),
    group(
        "piano and strings",
        5.0,
        &["piano and strings", "piano with strings"],
        [&[0, 48, 40], &[48], &[0], &[0, 43]],
        (0.0, false, false, -0.1, -0.1),
    ),
    group(
        "strings over piano",
        2.5,
        &["piano and strings", "strings and piano"],
        [&[0], &[49], &[48, 49], &[42, 0]],
        (0.8, false, false, -0.3, -0.3),
    ),
    group(
        "string quartet",
        4.0,
        &["string quartet", "strings"],
        [&[40], &[40], &[41], &[42]],
        (0.2, false, true, 0.0, -0.1),
    ),
    group(
        "strings",
        5.0,
        &["strings", "string orchestra", "string ensemble"],
        [&[48, 40, 48], &[48], &[48, 49], &[43, 42, 48]],
        (0.45, false, false, -0.2, -0.4),
    ),
    group(
        "pizzicato",
        1.5,
        &["pizzicato strings", "plucked strings"],
        [&[45], &[45], &[45], &[45, 43]],
        (0.0, false, false, 0.3, 0.4),
    ),
    group(
        "tremolo strings",
        0.9,
        &["tremolo strings", "tense strings"],
        [&[44], &[44], &[44], &[44, 43]],
        (0.7, false, false, 0.5, -0.9),
    ),
    group(
        "woodwinds",
        3.0,
        &["woodwinds", "wind quintet", "woodwind ensemble"],
        [&[73, 68], &[68, 71], &[71], &[70]],
        (0.3, false, true, 0.0, 0.3),
    ),
    group(
        "brass",
        3.5,
        &["brass", "brass ensemble", "brass band"],
        [&[56, 61], &[60], &[57, 61, 60], &[58, 57]],
        (0.4, false, true, 0.6, 0.1),
    ),
    group("horns", 0.8, &["horns", "french horns"], [&[60], &[60], &[60], &[58]], (0.5, false, false, -0.1, -0.4)),
    group(
        "classical guitar",
        4.0,
        &["guitar", "classical guitar", "nylon guitar", "acoustic guitar"],
        [&[24], &[24], &[24], &[24]],
        (0.0, false, false, -0.3, 0.2),
    ),
    group(
        "steel guitar",
        2.0,
        &["acoustic guitar", "steel guitar", "guitar"],
        [&[25], &[25], &[25], &[25, 32]],
        (0.0, false, false, 0.1, 0.4),
    ),
    group(
        "guitar and bass",
        2.0,
        &["guitar and bass", "electric guitar and bass"],
        [&[27, 24], &[27], &[27, 25], &[33, 32]],
        (0.0, false, false, 0.1, 0.2),
    ),
    group(
        "rock band",
        5.0,
        &["rock band", "rock", "electric guitars and drums", "distorted guitars", "metal"],
        [&[30, 29, 27], &[29, 27], &[29, 30], &[33]],
        (0.2, true, false, 1.0, -0.5),
    ),
    group(
        "pop band",
        5.0,
        &["pop band", "band", "full band", "pop", "band with drums"],
        [&[0, 65, 73, 81, 27], &[48, 27], &[0, 4, 25], &[33]],
        (0.1, true, false, 0.5, 0.4),
    ),
    group(
        "jazz band",
        3.0,
        &["jazz", "jazz trio", "jazz band", "lounge jazz"],
        [&[0, 65, 56, 11], &[65, 0], &[0, 27], &[32]],
        (0.0, true, false, 0.1, 0.4),
    ),
    group(
        "synth pop",
        3.0,
        &["synthesizer", "synth pop", "electronic", "synths"],
        [&[80, 81], &[81, 88], &[88, 89, 81], &[38]],
        (0.3, true, false, 0.5, 0.3),
    ),
    group(
        "synths",
        2.0,
        &["synth", "synthesizer", "electronic"],
        [&[80, 81], &[88], &[89, 91, 88], &[38]],
        (0.5, false, false, 0.0, -0.1),
    ),
    group(
        "ambient",
        3.0,
        &["ambient", "synth pads", "ambient pads", "atmospheric pads"],
        [&[88, 89, 0], &[91], &[89, 91, 88], &[89, 38]],
        (0.9, false, false, -1.0, -0.3),
    ),
    group(
        "flute and harp",
        3.0,
        &["flute and harp", "harp and flute"],
        [&[73], &[73, 46], &[46], &[46]],
        (0.0, false, false, -0.5, 0.4),
    ),
    group("harp", 1.5, &["harp", "solo harp"], [&[46], &[46], &[46], &[46]], (0.0, false, false, -0.4, 0.2)),
    group(
        "organ",
        2.5,
        &["organ", "church organ", "pipe organ"],
        [&[19], &[19], &[19], &[19]],
        (0.3, false, false, 0.0, -0.5),
    ),
    group(
        "choir",
        2.5,
        &["choir", "choral voices", "voices"],
        [&[52], &[52], &[52], &[52]],
        (0.5, false, false, -0.4, -0.5),
    ),
    group(
        "chiptune",
        2.5,
        &["chiptune", "8-bit", "chip music", "retro game"],
        [&[80, 81], &[80], &[80], &[38, 81]],
        (0.0, false, false, 0.5, 0.4),
    ),
    group(
        "mallets",
        2.0,
        &["marimba", "vibraphone", "mallets", "marimba and vibraphone"],
        [&[11, 12, 9], &[11, 12], &[12, 11], &[12]],
        (0.0, false, false, 0.0, 0.5),
    ),
    group(
        "orchestra",
        6.0,
        &["orchestra", "full orchestra", "symphony orchestra", "orchestral"],
        [&[48, 73, 68, 56, 40], &[60, 71, 41, 68], &[48, 49, 46], &[43, 42, 58]],
        (0.4, false, false, 0.2, 0.0),
    ),
    group(
        "cinematic",
        2.5,
        &["film score", "cinematic orchestra", "cinematic", "epic orchestra"],
        [&[48, 60, 52, 61], &[60, 52, 61], &[48, 49], &[43, 58]],
        (0.6, false, false, 0.4, -0.6),
    ),
    group(
        "accordion",
        2.0,
        &["accordion", "accordion and bass"],
        [&[21], &[21, 40], &[21], &[32, 21]],
        (0.1, false, false, 0.1, 0.4),
    ),
    group(
        "folk band",
        2.5,
        &["folk band", "fiddle and guitar", "flute and guitar"],
        [&[40, 73, 74], &[21], &[24, 25], &[32]],
        (0.0, false, false, 0.2, 0.6),
    ),
    group(
        "soloist and piano",
        5.0,
        &["SOLO and piano"],
        [&[40, 42, 73, 71, 68, 65, 56, 60], &[0], &[0], &[0]],
        (0.0, false, false, 0.0, 0.0),
    ),
    group(
        "soloist and strings",
        2.0,
        &["SOLO and strings"],
        [&[0, 73, 68, 60, 24, 71], &[48], &[48, 49], &[43, 42]],
        (0.7, false, false, -0.2, -0.2),
    ),
    group(
        "electronic beat",
        1.5,
        &["electronic beat", "dance music", "electronica", "lo-fi beat"],
        [&[4, 80, 81, 0], &[89], &[4, 89, 88], &[38]],
        (0.4, true, false, 0.4, 0.1),
    ),
];

/// Instruments that may play a melody all alone.
pub const SOLOISTS: [u8; 22] = [0, 0, 0, 0, 0, 0, 40, 40, 73, 73, 74, 71, 68, 24, 25, 46, 21, 75, 72, 42, 10, 65];

/// Comfortable range of a program, low and high.
pub fn range(program: u8) -> (i32, i32) {
    let range = Instrument(program).comfortable_range();
    (i32::from(*range.start()), i32::from(*range.end()))
}

/// What a person calls a program.
pub fn name(program: u8) -> &'static str {
    match program {
        0 => "piano",
        4 => "electric piano",
        6 => "harpsichord",
        8 => "celesta",
        9 => "glockenspiel",
        10 => "music box",
        11 => "vibraphone",
        12 => "marimba",
        19 => "organ",
        21 => "accordion",
        24 => "classical guitar",
        25 => "acoustic guitar",
        27 => "electric guitar",
        29 => "overdriven guitar",
        30 => "distorted guitar",
        32 => "double bass",
        33 => "bass guitar",
        38 => "synth bass",
        40 => "violin",
        41 => "viola",
        42 => "cello",
        43 => "contrabass",
        44 => "tremolo strings",
        45 => "pizzicato strings",
        46 => "harp",
        47 => "timpani",
        48 | 49 => "strings",
        52 => "choir",
        56 => "trumpet",
        57 => "trombone",
        58 => "tuba",
        60 => "french horn",
        61 => "brass",
        65 => "saxophone",
        68 => "oboe",
        70 => "bassoon",
        71 => "clarinet",
        72 => "piccolo",
        73 => "flute",
        74 => "recorder",
        75 => "pan flute",
        80 | 81 => "synth lead",
        88 | 89 | 91 => "synth pad",
        128 => "drums",
        _ => "instruments",
    }
}
