//! Freedoom: multi-track game music with drums. Roles are read off each channel's register and
//! texture; programs outside the shipped SoundFont go to their nearest relative in it.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use affetto_score::{Instrument, KeyChange, MeterChange, Note, Score, TempoChange};

use super::clean::snap;
use super::smf::{self, RawMidi, RawNote};
use super::{Corpus, CorpusError, Piece, Role, archive, key, sorted};
use crate::archive;

/// Least share of notes near a sixteenth or triplet where bars count as known: a sixth of the files are played freely over
/// a nominal tempo.
const MIN_ON_GRID: f32 = 0.7;

/// All pieces, but for those played freely of which another version lies on a grid: pieces without known bars are held
/// out, and no version of what is learned from may be.
///
/// # Errors
///
/// [`CorpusError::Archive`].
pub fn read(data_dir: &Path) -> Result<Vec<Piece>, CorpusError> {
    let Some(path) = archive(data_dir, "freedoom-midi") else { return Ok(Vec::new()) };
    let mut pieces: Vec<Piece> = archive::entries(path)?
        .into_iter()
        .filter(|(name, _)| name.ends_with(".mid"))
        .filter_map(|(name, bytes)| {
            let file = name.rsplit('/').next()?.trim_end_matches(".mid").to_owned();
            piece(&file, smf::read(&bytes)?)
        })
        .collect();
    pieces.sort_by(|a, b| a.id.cmp(&b.id));
    drop_free_versions(&mut pieces);
    Ok(pieces)
}

/// Leaves out what is played freely and of which another version is not, whatever part that is in.
fn drop_free_versions(pieces: &mut Vec<Piece>) {
    let songs: HashSet<String> = pieces.iter().filter(|p| p.bars_known).map(|p| p.song.clone()).collect();
    pieces.retain(|p| p.bars_known || !songs.contains(&p.song));
}

fn piece(name: &str, midi: RawMidi) -> Option<Piece> {
    let mut voices: BTreeMap<(u8, u8), Vec<RawNote>> = BTreeMap::new();
    for note in midi.tracks.iter().flat_map(|t| &t.notes) {
        let program = if note.channel == 9 { 128 } else { note.program };
        voices.entry((note.channel, program)).or_default().push(*note);
    }
    let total: usize = voices.values().map(Vec::len).sum();
    let near = |t: u32| t % 120 <= 15 || t % 120 >= 105 || t % 160 <= 10 || t % 160 >= 150;
    let hits = voices.values().flatten().filter(|n| near(n.onset)).count();
    if total == 0 {
        return None;
    }
    let mut notes: Vec<(Note, Role)> = Vec::with_capacity(total);
    for (((_, program), list), role) in voices.iter().zip(roles(&voices)) {
        let Some(instrument) = shipped(*program) else { continue };
        for raw in list {
            let onset = snap(raw.onset, 24);
            let velocity = raw.velocity.max(1);
            // Drums carry no length: one sixteenth, whatever the file says.
            let duration = if *program == 128 { 120 } else { (raw.onset + raw.duration).saturating_sub(onset).max(40) };
            notes.push((Note { onset, duration, pitch: raw.pitch, velocity, instrument }, role));
        }
    }
    notes.sort_by_key(|(n, _)| (n.onset, n.instrument, n.pitch, std::cmp::Reverse(n.velocity)));
    notes.dedup_by_key(|(n, _)| (n.onset, n.instrument, n.pitch));
    let histogram = key::histogram(notes.iter().map(|(n, _)| n));
    let (found, fit) = key::best(&histogram);
    let key = (fit > 0.7 && key::in_scale(&histogram, found) > 0.85).then_some(found);
    let mut tempos: Vec<TempoChange> = midi.tempos;
    tempos.dedup_by(|b, a| (a.bpm - b.bpm).abs() < 1.0);
    if tempos.first().is_none_or(|t| t.tick > 0) {
        tempos.insert(0, TempoChange { tick: 0, bpm: 120.0 });
    }
    tempos.iter_mut().for_each(|t| t.bpm = t.bpm.clamp(30.0, 300.0));
    let mut meters = midi.meters;
    meters.dedup_by_key(|m| m.tick);
    if meters.first().is_none_or(|m| m.tick > 0) {
        meters.insert(0, MeterChange { tick: 0, numerator: 4, denominator: 4 });
    }
    let keys = key.map(|key| KeyChange { tick: 0, key }).into_iter().collect();
    let title = Some(name.to_owned());
    let (score, roles) = sorted(Score { tempos, meters, keys, title, ..Score::default() }, notes);
    // Names of one tune's later versions end in a digit: THEDA2, THE_DA; they share their letters.
    let tune: String = name.rsplit("D_").next()?.chars().filter(|c| c.is_ascii_alphabetic()).take(5).collect();
    Some(Piece {
        id: format!("freedoom/{name}"),
        song: format!("freedoom/{}", if name.contains("D_E") && name.contains('M') { name } else { tune.as_str() }),
        corpus: Corpus::Freedoom,
        style: "game music".into(),
        score,
        roles,
        chords: Vec::new(),
        key,
        tempo_known: true,
        velocity_known: true,
        bars_known: hits as f32 >= MIN_ON_GRID * total as f32,
    })
}

/// What a voice is like.
struct Voice {
    program: u8,
    pitch: f32,
    notes_per_onset: f32,
    notes: usize,
}

/// The role of each voice: drums by channel, bass by program or register, the highest mostly
/// single-note voice is the melody, chordal voices are chords, the rest inner lines.
fn roles(voices: &BTreeMap<(u8, u8), Vec<RawNote>>) -> Vec<Role> {
    let facts: Vec<Voice> = voices
        .iter()
        .map(|((_, program), list)| {
            let mut onsets: Vec<u32> = list.iter().map(|n| n.onset).collect();
            onsets.dedup();
            let n = list.len().max(1) as f32;
            Voice {
                program: *program,
                pitch: list.iter().map(|n| f32::from(n.pitch)).sum::<f32>() / n,
                notes_per_onset: n / onsets.len().max(1) as f32,
                notes: list.len(),
            }
        })
        .collect();
    let most = facts.iter().map(|f| f.notes).max().unwrap_or(0);
    let leads = |f: &Voice| {
        f.program < 112
            && !(32..40).contains(&f.program)
            && f.notes_per_onset < 1.5
            && f.notes * 10 > most
            && f.pitch > 55.0
    };
    let candidates = facts.iter().enumerate().filter(|(_, f)| leads(f));
    let melody = candidates.max_by(|a, b| a.1.pitch.total_cmp(&b.1.pitch)).map(|(i, _)| i);
    let role = |(i, f): (usize, &Voice)| match f.program {
        128 => Role::Drums,
        32..40 | 43 | 58 => Role::Bass,
        _ if Some(i) == melody => Role::Melody,
        _ if f.pitch < 45.0 && f.notes_per_onset < 1.3 => Role::Bass,
        _ if f.notes_per_onset >= 1.5 => Role::Chords,
        _ => Role::Inner,
    };
    facts.iter().enumerate().map(role).collect()
}

/// A program of the shipped SoundFont for any General MIDI program; sound effects have none.
fn shipped(program: u8) -> Option<Instrument> {
    let to = match program {
        0..4 => 0,
        4 | 5 => 4,
        6 | 7 => 6,
        14 | 15 => 9,
        13 => 12,
        16..=20 => 19,
        22 | 23 => 21,
        26 | 28 => 27,
        31 => 30,
        34..=37 => 33,
        39 => 38,
        50 | 51 => 48,
        53 | 54 => 52,
        55 => 61,
        59 => 56,
        62 | 63 => 61,
        64 | 66 | 67 => 65,
        69 => 68,
        76..80 => 75,
        82..=87 => 81,
        90 => 89,
        92 | 94 => 91,
        93 | 95 => 89,
        96..=103 => 88,
        104..=107 => 25,
        108 => 12,
        109 | 111 => 68,
        110 => 40,
        112.. if program < 128 => return None,
        other => other,
    };
    Some(Instrument(to))
}

#[cfg(test)]
mod tests {
    use super::super::Split;
    use super::super::smf::RawTrack;
    use super::*;

    /// Eighths of one voice, each `late` by more ticks than the one before.
    fn played(name: &str, late: u32) -> Piece {
        let note = |i: u32| RawNote {
            onset: i * (240 + late),
            duration: 200,
            pitch: 60 + (i % 12) as u8,
            velocity: 90,
            channel: 0,
            program: 0,
        };
        let notes = (0..80).map(note).collect();
        piece(name, RawMidi { tracks: vec![RawTrack { name: String::new(), notes }], ..RawMidi::default() }).unwrap()
    }

    #[test]
    fn what_is_played_freely_is_held_out_unless_another_version_is_not() {
        let (strict, free) = (played("freedoom2_D_DOOM", 0), played("freedoom2_D_DOOM2", 47));
        assert!(strict.bars_known && !free.bars_known);
        assert_eq!((strict.split(), free.split()), (Split::of(&strict.song), Split::Test));
        assert_eq!(strict.song, free.song);
        let other = played("freedoom2_D_ULTIMA", 47);
        let mut pieces = vec![strict.clone(), free, other.clone()];
        drop_free_versions(&mut pieces);
        assert_eq!(pieces, [strict, other]);
    }
}
