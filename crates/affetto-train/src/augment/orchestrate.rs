//! Gives each role its instrument, and each line its register.

use std::collections::BTreeMap;

use affetto_score::{Instrument, Mode, Note};

use super::dice::Dice;
use super::ensembles::{ENSEMBLES, Ensemble, SOLOISTS, range};
use super::{HIGHEST, LOWEST, Mood, Texture, fold};
use crate::corpora::{Corpus, Piece, Role};

/// What was chosen.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    /// Short name.
    pub id: &'static str,
    /// How people call it; empty where only the instruments' names fit.
    pub words: &'static [&'static str],
    /// Whether drums are still to be added.
    pub drums: bool,
}

impl Chosen {
    /// The instruments that the piece brings.
    pub const OWN: Chosen = Chosen { id: "own", words: &[], drums: false };
}

/// Ensembles that play a piece of a corpus as it stands: four equal voices for chorales, keyboards for songs.
fn written_for(corpus: Corpus) -> &'static [&'static str] {
    match corpus {
        Corpus::Chorales => &["choir", "organ", "string quartet", "brass", "woodwinds"],
        _ => &["piano", "electric piano"],
    }
}

/// Draws an ensemble and hands out the lines. A multi-track piece keeps its own instruments in
/// three of five performances; a `plain` piece is given to those who play what is written.
///
/// Who plays leans with what is played: lively textures to lively groups, minor to darker ones, so that timbre tells
/// of the feeling as it does in music at large.
pub fn orchestrate(piece: &Piece, texture: &mut Texture, mood: Mood, plain: bool, dice: &mut Dice) -> Chosen {
    let multi = piece.corpus == Corpus::Freedoom;
    let has_drums = texture.notes.iter().any(|(_, r)| *r == Role::Drums);
    if multi && dice.chance(0.6) {
        return Chosen::OWN;
    }
    if texture.notes.iter().all(|(_, r)| *r == Role::Melody) {
        let program = *dice.pick(&SOLOISTS);
        assign(&mut texture.notes, |_, _| program);
        fit(&mut texture.notes, plain);
        return Chosen { id: "alone", words: &[], drums: false };
    }
    let (energy, light) = (liveliness(texture, mood), lightness(texture, mood));
    let weight = |e: &Ensemble| {
        let drums = if e.drums && texture.meter.numerator != 4 { 0.3 } else { 1.0 };
        let style = match (piece.corpus, e.id) {
            (Corpus::Chorales, "choir" | "organ" | "string quartet" | "brass" | "woodwinds") => 3.0,
            (Corpus::Folk, "folk band" | "accordion" | "flute and harp") => 3.0,
            (Corpus::Chorales | Corpus::Folk, "rock band" | "electronic beat" | "pop band") => 0.35,
            (Corpus::Pop909, "pop band" | "rock band" | "synth pop") => 1.4,
            (Corpus::OpenEwld, "jazz band") => 3.0,
            _ => 1.0,
        };
        let voices = if plain && !written_for(piece.corpus).contains(&e.id) { 0.0 } else { 1.0 };
        e.weight * drums * style * voices * (1.3 * e.energy * energy + 0.9 * e.light * light).exp()
    };
    let ensemble = &ENSEMBLES[dice.weighted(ENSEMBLES.iter().map(weight))];
    let (melody, inner) = (*dice.pick(ensemble.melody), *dice.pick(ensemble.inner));
    let (chords, bass) = (*dice.pick(ensemble.chords), *dice.pick(ensemble.bass));
    if !plain && dice.chance(ensemble.pads) {
        hold(&mut texture.notes, &texture.bars);
    }
    let mut own: Vec<u8> = texture.notes.iter().filter(|(_, r)| *r == Role::Chords).map(|(n, _)| n.pitch).collect();
    own.sort_unstable();
    let middle = own.get(own.len() / 2).copied().unwrap_or(60);
    assign(&mut texture.notes, |role, pitch| match role {
        Role::Melody => melody,
        Role::Inner => inner,
        // A voice as written has one player.
        Role::Chords if ensemble.split && !plain && pitch > middle => inner,
        Role::Chords => chords,
        Role::Bass => bass,
        Role::Drums => 128,
    });
    fit(&mut texture.notes, plain);
    if matches!(ensemble.id, "orchestra" | "cinematic") && dice.chance(0.35 + 0.3 * mood.energy) {
        timpani(texture, dice);
    }
    if !plain && !ensemble.drums && has_drums && dice.chance(0.8) {
        texture.notes.retain(|(_, r)| *r != Role::Drums);
    }
    let words = if ensemble.words[0].starts_with("SOLO") { &[] } else { ensemble.words };
    Chosen { id: ensemble.id, words, drums: ensemble.drums && !has_drums }
}

/// About -1 … 1: half the hidden energy, half how many onsets a second there are.
fn liveliness(texture: &Texture, mood: Mood) -> f32 {
    let mut onsets: Vec<u32> = texture.notes.iter().map(|(n, _)| n.onset).collect();
    onsets.sort_unstable();
    onsets.dedup();
    let quarters = texture.bars.last().map_or(0.0, |end| f64::from(*end) / 480.0);
    let seconds = (quarters * 60.0 / texture.bpm).max(1.0);
    let rate = (onsets.len() as f64 / seconds).max(0.1) as f32;
    0.5 * mood.energy + 0.5 * ((rate / 3.0).ln() / 0.7).clamp(-1.2, 1.2)
}

/// -1 … 1: part the hidden brightness, part the mode.
fn lightness(texture: &Texture, mood: Mood) -> f32 {
    let mode = match texture.key.map(|k| k.mode) {
        Some(Mode::Major) => 1.0,
        Some(Mode::Minor) => -1.0,
        None => 0.0,
    };
    0.4 * mood.brightness + 0.6 * mode
}

fn assign(notes: &mut [(Note, Role)], mut program: impl FnMut(Role, u8) -> u8) {
    for (note, role) in notes.iter_mut().filter(|(_, r)| *r != Role::Drums) {
        note.instrument = Instrument(program(*role, note.pitch));
    }
}

/// Brings the notes into their instruments' ranges; what is plain keeps its intervals.
fn fit(notes: &mut [(Note, Role)], plain: bool) {
    match plain {
        true => fit_together(notes),
        false => fit_registers(notes),
    }
}

/// Moves every line by octaves into its instrument's range; single notes left over are folded in.
fn fit_registers(notes: &mut [(Note, Role)]) {
    let mut lines: BTreeMap<(u8, Role), Vec<u8>> = BTreeMap::new();
    for (note, role) in notes.iter() {
        lines.entry((note.instrument.0, *role)).or_default().push(note.pitch);
    }
    let mut shifts: BTreeMap<(u8, Role), i32> = BTreeMap::new();
    for (line, pitches) in &lines {
        let (low, high) = range(line.0);
        let best = best_octaves(|shift| pitches.iter().map(|p| outside(i32::from(*p) + shift, (low, high))).sum());
        shifts.insert(*line, best);
    }
    for (note, role) in notes.iter_mut().filter(|(_, r)| *r != Role::Drums) {
        let (low, high) = range(note.instrument.0);
        let shift = shifts.get(&(note.instrument.0, *role)).copied().unwrap_or(0);
        note.pitch = fold(i32::from(note.pitch) + shift, low, high);
    }
}

/// Moves all lines by the same octaves, as near to their instruments' ranges as that brings them: voices keep their
/// distances.
fn fit_together(notes: &mut [(Note, Role)]) {
    let best = best_octaves(|shift| {
        let pitched = notes.iter().filter(|(_, r)| *r != Role::Drums);
        pitched.map(|(note, _)| outside(i32::from(note.pitch) + shift, range(note.instrument.0))).sum()
    });
    for (note, _) in notes.iter_mut().filter(|(_, r)| *r != Role::Drums) {
        note.pitch = fold(i32::from(note.pitch) + best, LOWEST, HIGHEST);
    }
}

/// How far a pitch lies outside a range.
fn outside(pitch: i32, (low, high): (i32, i32)) -> i32 {
    (low - pitch).max(pitch - high).max(0)
}

/// The octaves, in semitones, that leave least outside; the fewest of those.
fn best_octaves(outside: impl Fn(i32) -> i32) -> i32 {
    [0, 12, -12, 24, -24].into_iter().min_by_key(|shift| (outside(*shift), shift.abs())).unwrap_or(0)
}

/// Turns chords into pads: within half a bar every chord pitch sounds once, from its first onset
/// to the end.
fn hold(notes: &mut Vec<(Note, Role)>, bars: &[u32]) {
    let (chords, mut rest): (Vec<_>, Vec<_>) = notes.drain(..).partition(|(_, r)| *r == Role::Chords);
    let mut held: Vec<(Note, Role)> = Vec::new();
    for pair in bars.windows(2) {
        let length = pair[1] - pair[0];
        let parts = if length >= 1920 { 2 } else { 1 };
        for part in 0..parts {
            let (start, end) = (pair[0] + length * part / parts, pair[0] + length * (part + 1) / parts);
            let first = chords.partition_point(|(n, _)| n.onset < start);
            let mut seen = 0u128;
            for (note, role) in chords[first..].iter().take_while(|(n, _)| n.onset < end) {
                if seen >> note.pitch & 1 == 0 {
                    seen |= 1 << note.pitch;
                    held.push((Note { duration: end - note.onset, ..*note }, *role));
                }
            }
        }
    }
    rest.append(&mut held);
    rest.sort_by_key(|(n, r)| (n.onset, *r, n.pitch));
    *notes = rest;
}

/// Timpani on the bass of bar lines.
fn timpani(texture: &mut Texture, dice: &mut Dice) {
    let every = if dice.chance(0.5) { 1 } else { 2 };
    let mut strokes = Vec::new();
    for bar in texture.bars.windows(2).step_by(every) {
        let bass = texture.notes.iter().find(|(n, r)| *r == Role::Bass && n.onset >= bar[0] && n.onset < bar[1]);
        if let Some((note, _)) = bass {
            let pitch = fold(i32::from(note.pitch), 38, 57);
            strokes.push((Note { pitch, duration: 480, instrument: Instrument(47), ..*note }, Role::Bass));
        }
    }
    texture.notes.append(&mut strokes);
    texture.notes.sort_by_key(|(n, r)| (n.onset, *r, n.pitch));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_keep_their_distances_where_they_are_moved_together() {
        let voice = |(pitch, role)| {
            let note = Note { onset: 0, duration: 480, pitch, velocity: 70, instrument: Instrument(52) };
            (note, role)
        };
        // Too low for the choir as a whole. Moved by themselves, the soprano would stay where the tenor goes.
        let written = [(28, Role::Bass), (36, Role::Chords), (43, Role::Inner), (48, Role::Melody)];
        let mut notes: Vec<_> = written.map(voice).to_vec();
        let mut alone = notes.clone();
        fit_registers(&mut alone);
        assert_eq!(alone.iter().map(|(n, _)| n.pitch).collect::<Vec<_>>(), [40, 48, 43, 48]);
        notes.push((Note { instrument: Instrument::DRUMS, pitch: 36, ..notes[0].0 }, Role::Drums));
        fit_together(&mut notes);
        let moved: Vec<u8> = notes.iter().map(|(n, _)| n.pitch).collect();
        assert_eq!(moved, [40, 48, 55, 60, 36]);
        assert_eq!((outside(39, (40, 84)), outside(90, (40, 84)), outside(50, (40, 84))), (1, 6, 0));
    }
}
