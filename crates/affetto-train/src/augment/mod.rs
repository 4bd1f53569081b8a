//! From a stretch of a piece to one of its many possible performances, or to the music [`untouched`].
//!
//! Everything a feeling depends on is settled here, before any label is given: accompaniment,
//! mode, key, register, orchestration, tempo, articulation, loudness. Two hidden draws, `energy` and
//! `brightness`, lean these choices the same way in part, so that corners of the plane are reached;
//! they are never told to the model, which hears only the label of what came out.

pub mod accompany;
pub mod dice;
pub mod drums;
pub mod ensembles;
pub mod harmony;
pub mod orchestrate;
pub mod recast;
pub mod velocity;

use affetto_score::{Instrument, Key, MeterChange, Note, Score, TempoChange};

use crate::corpora::{Chord, Corpus, Piece, Role};
use dice::Dice;
use drums::DrumLibrary;
use orchestrate::Chosen;

/// A stretch of a piece, its first bar line (or pick-up) at tick 0, in one meter.
#[derive(Clone, Debug)]
pub struct Texture {
    /// Notes and roles, by onset.
    pub notes: Vec<(Note, Role)>,
    /// Start of every bar and, last, the end of the last one.
    pub bars: Vec<u32>,
    /// Length of a pick-up before the first whole bar.
    pub pickup: u32,
    /// Meter.
    pub meter: MeterChange,
    /// Key where it is clear.
    pub key: Option<Key>,
    /// Chords, where given.
    pub chords: Vec<Chord>,
    /// Quarter notes a minute: what the piece brings, or 120; then what was drawn.
    pub bpm: f64,
    /// Whether the piece ends in the last bar.
    pub ends: bool,
}

/// A performance of a [`Texture`], or the texture untouched.
#[derive(Clone, Debug)]
pub struct Arrangement {
    /// The score, one tempo, one meter, sorted.
    pub score: Score,
    /// Bars, as in the texture.
    pub bars: Vec<u32>,
    /// Key where it is clear.
    pub key: Option<Key>,
    /// What a person would call the instruments; empty where there is no name for them.
    pub ensemble: &'static [&'static str],
    /// Short name of the ensemble, for statistics.
    pub ensemble_id: &'static str,
    /// Articulation factor drawn for the melody; none where it is played as written.
    pub articulation: Option<f32>,
    /// Style word of the piece.
    pub style: String,
}

/// Lowest and highest key that is used.
const LOWEST: i32 = 24;
const HIGHEST: i32 = 103;

/// Hidden leanings of a performance, each in [-1, 1].
#[derive(Clone, Copy, Debug)]
pub struct Mood {
    /// Towards fast, loud, short, busy.
    pub energy: f32,
    /// Towards major and high.
    pub brightness: f32,
}

/// One performance of `texture`, a stretch of `piece`.
pub fn augment(piece: &Piece, mut texture: Texture, library: &DrumLibrary, dice: &mut Dice) -> Arrangement {
    let mood = Mood { energy: dice.between(-1.0, 1.0), brightness: dice.between(-1.0, 1.0) };
    let alone = texture.notes.iter().all(|(_, role)| *role == Role::Melody);
    // In part as they are written, so that the families' names mean their textures.
    let plain = match piece.corpus {
        Corpus::Chorales => dice.chance(0.85),
        Corpus::Folk => dice.chance(0.6),
        Corpus::OpenEwld => dice.chance(0.7) && !texture.chords.is_empty(),
        Corpus::Pop909 => dice.chance(0.5),
        Corpus::Freedoom | Corpus::Tiny => false,
    };
    match (plain, piece.corpus) {
        (true, Corpus::OpenEwld) => accompany::hold_chords(&mut texture),
        (false, _) if alone && !texture.notes.is_empty() && !dice.chance(0.06) => {
            accompany::add(&mut texture, mood, dice);
        }
        _ => {}
    }
    if !plain {
        thin(&mut texture.notes, dice);
    }
    texture.key = recast::recast(&mut texture, mood, dice);
    transpose(&mut texture, mood, dice);
    texture.bpm = tempo(piece, &texture, mood, dice);
    let ensemble = orchestrate::orchestrate(piece, &mut texture, mood, plain, dice);
    if ensemble.drums {
        drums::add(&mut texture, library, mood, dice);
    }
    let articulation = articulate(piece, &mut texture.notes, mood, plain, dice);
    velocity::shape(piece, &mut texture, mood, dice);
    let style = match (piece.corpus, plain) {
        (Corpus::Chorales, false) => "hymn tune",
        (Corpus::OpenEwld, true) => "lead sheet",
        _ => &piece.style,
    };
    arrangement(texture, ensemble, Some(articulation), style)
}

/// `texture` as it is written, for players who play what is written: nothing is added, left out, shortened or recast. It
/// is moved by semitones and into the players' range; loudness is drawn as for a performance, and a tempo where it brings
/// none.
pub fn untouched(piece: &Piece, mut texture: Texture, dice: &mut Dice) -> Arrangement {
    let mood = Mood { energy: dice.between(-1.0, 1.0), brightness: 0.0 };
    let alone = texture.notes.iter().all(|(_, role)| *role == Role::Melody);
    let is_lead_sheet = alone && !texture.chords.is_empty();
    if is_lead_sheet {
        accompany::hold_chords(&mut texture);
    }
    texture.key = recast::confirmed(&texture);
    let semitones = within(&texture.notes, dice.range(-6, 5));
    shift(&mut texture, semitones, |_| 0);
    if !piece.tempo_known {
        texture.bpm = drawn_tempo(piece, texture.meter, mood.energy, dice);
    }
    let ensemble = match piece.corpus {
        Corpus::Freedoom => Chosen::OWN,
        _ => orchestrate::orchestrate(piece, &mut texture, mood, true, dice),
    };
    velocity::shape(piece, &mut texture, mood, dice);
    arrangement(texture, ensemble, None, if is_lead_sheet { "lead sheet" } else { &piece.style })
}

/// What was made of a texture, in order, no key struck while it sounds.
fn arrangement(mut texture: Texture, ensemble: Chosen, articulation: Option<f32>, style: &str) -> Arrangement {
    texture.notes.sort_by_key(|(n, _)| (n.onset, n.instrument, n.pitch));
    // Two voices on one key are one note, as long and as loud as either.
    texture.notes.dedup_by(|(second, _), (first, _)| {
        let is_same = (first.onset, first.instrument, first.pitch) == (second.onset, second.instrument, second.pitch);
        if is_same {
            first.duration = first.duration.max(second.duration);
            first.velocity = first.velocity.max(second.velocity);
        }
        is_same
    });
    stop_before_repeats(&mut texture.notes);
    let score = Score {
        notes: texture.notes.iter().map(|(n, _)| *n).collect(),
        tempos: vec![TempoChange { tick: 0, bpm: texture.bpm }],
        meters: vec![MeterChange { tick: 0, ..texture.meter }],
        keys: Vec::new(),
        pickup: texture.pickup,
        title: None,
    };
    Arrangement {
        score,
        bars: texture.bars,
        key: texture.key,
        ensemble: ensemble.words,
        ensemble_id: ensemble.id,
        articulation,
        style: style.to_owned(),
    }
}

/// Seldom leaves out a layer under the melody, so that sparse textures occur without music being thinner than it is written.
fn thin(notes: &mut Vec<(Note, Role)>, dice: &mut Dice) {
    let count = |role: Role, notes: &[(Note, Role)]| notes.iter().filter(|(_, r)| *r == role).count();
    let total = notes.len();
    let drop: &[Role] = match dice.below(200) {
        0..6 => &[Role::Inner],
        6..8 => &[Role::Chords, Role::Inner],
        8..10 => &[Role::Chords],
        10..12 => &[Role::Bass],
        12..16 => &[Role::Drums],
        _ => &[],
    };
    let gone: usize = drop.iter().map(|r| count(*r, notes)).sum();
    if gone > 0 && total - gone >= 40.min(total / 3).max(8) {
        notes.retain(|(_, role)| !drop.contains(role));
    }
}

/// Moves everything by −6 … +5 semitones, and the whole or the accompaniment by octaves at times.
fn transpose(texture: &mut Texture, mood: Mood, dice: &mut Dice) {
    let semitones = dice.range(-6, 5);
    let lean = mood.brightness * 0.5 + dice.normal() * 0.7;
    let whole = if lean > 1.1 {
        12
    } else if lean < -1.1 {
        -12
    } else {
        0
    };
    let under = match dice.below(20) {
        0 => 12,
        1 | 2 => -12,
        _ => 0,
    };
    shift(texture, semitones, |role| whole + if matches!(role, Role::Chords | Role::Bass) { under } else { 0 });
}

/// As many of `semitones` as leave every pitch in the keys that are used.
fn within(notes: &[(Note, Role)], semitones: i32) -> i32 {
    let pitches = || notes.iter().filter(|(_, r)| *r != Role::Drums).map(|(n, _)| i32::from(n.pitch));
    let (down, up) = (LOWEST - pitches().min().unwrap_or(LOWEST), HIGHEST - pitches().max().unwrap_or(HIGHEST));
    semitones.max(down.min(0)).min(up.max(0))
}

/// Moves notes, chords and key by `semitones`, and the notes of a role by `more` beside.
fn shift(texture: &mut Texture, semitones: i32, more: impl Fn(Role) -> i32) {
    for (note, role) in texture.notes.iter_mut().filter(|(_, r)| *r != Role::Drums) {
        note.pitch = fold(i32::from(note.pitch) + semitones + more(*role), LOWEST, HIGHEST);
    }
    for chord in &mut texture.chords {
        chord.root = (i32::from(chord.root) + semitones).rem_euclid(12) as u8;
        chord.bass = (i32::from(chord.bass) + semitones).rem_euclid(12) as u8;
    }
    if let Some(key) = &mut texture.key {
        key.tonic = (i32::from(key.tonic) + semitones).rem_euclid(12) as u8;
    }
}

/// The pitch brought into low … high by octaves.
pub(crate) fn fold(mut pitch: i32, low: i32, high: i32) -> u8 {
    while pitch < low {
        pitch += 12;
    }
    while pitch > high {
        pitch -= 12;
    }
    pitch.clamp(0, 127) as u8
}

/// Typical quarter notes per minute of a style without a tempo of its own.
fn typical(piece: &Piece) -> f32 {
    match piece.style.as_str() {
        "chorale" => 72.0,
        "reel" | "hornpipe" | "polka" | "clog" | "quick step" => 100.0,
        "jig" | "double jig" | "single jig" | "slip jig" | "slide" => 150.0,
        "air" => 76.0,
        "waltz" => 130.0,
        "strathspey" | "highland fling" => 110.0,
        _ => 100.0,
    }
}

fn tempo(piece: &Piece, texture: &Texture, mood: Mood, dice: &mut Dice) -> f64 {
    if piece.tempo_known {
        let factor = (0.16 * mood.energy + 0.14 * dice.normal()).exp().clamp(0.75, 1.33);
        return (texture.bpm * f64::from(factor)).clamp(40.0, 220.0);
    }
    drawn_tempo(piece, texture.meter, mood.energy, dice)
}

/// A tempo for a piece that brings none: about its style's, faster with energy (-1 … 1).
pub(crate) fn drawn_tempo(piece: &Piece, meter: MeterChange, energy: f32, dice: &mut Dice) -> f64 {
    let log = typical(piece).ln() + 0.35 * energy + 0.22 * dice.normal();
    let low = if meter.denominator == 8 { 60.0 } else { 45.0 };
    f64::from(log.exp().clamp(low, 210.0)).round()
}

/// Shortens the notes of each layer; returns the melody's factor. What is `plain` sounds as long as it is written, and so
/// do three quarters of what brings its own playing: were all shortened, music would be thinner than real pieces are.
fn articulate(piece: &Piece, notes: &mut [(Note, Role)], mood: Mood, plain: bool, dice: &mut Dice) -> f32 {
    let center = 0.92 - 0.2 * mood.energy + 0.17 * dice.normal();
    let melody = center.clamp(0.35, 1.0);
    let under = if dice.chance(0.6) { melody } else { dice.between(0.5, 1.0) };
    let is_spared = plain || (piece.tempo_known && dice.chance(0.75));
    let (melody, under) = if is_spared { (1.0, 1.0) } else { (melody, under) };
    for (note, role) in notes.iter_mut() {
        let factor = match role {
            Role::Drums => continue,
            Role::Melody | Role::Inner => melody,
            _ => under,
        };
        let played = (note.duration as f32 * factor).round() as u32;
        // On the codec's grid of 20 ticks; never below a thirty-second's half.
        note.duration = (played / 20 * 20).max(note.duration.min(40));
    }
    melody
}

/// Ends each note where the same key is struck again, which then is held until both would have ended: two voices of one
/// instrument may meet on a key.
fn stop_before_repeats(notes: &mut [(Note, Role)]) {
    let mut last = vec![usize::MAX; 129 * 128];
    for i in 0..notes.len() {
        let note = notes[i].0;
        let slot = usize::from(note.instrument.0.min(128)) * 128 + usize::from(note.pitch & 127);
        let before = std::mem::replace(&mut last[slot], i);
        if before != usize::MAX && note.instrument != Instrument::DRUMS {
            let earlier = notes[before].0;
            notes[before].0.duration = earlier.duration.min(note.onset - earlier.onset).max(1);
            notes[i].0.duration = earlier.end().max(note.end()) - note.onset;
        }
    }
}

#[cfg(test)]
mod tests;
