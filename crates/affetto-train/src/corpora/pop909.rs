//! POP909: notes, bars, meters and keys from POP909-CL; roles and tempo from POP909.
//!
//! POP909-CL holds the same notes, moved onto corrected beats in one track. So the k-th note of a
//! pitch in one is the k-th note of that pitch in the other, which gives each its role.

use std::collections::HashMap;
use std::path::Path;

use affetto_score::{Instrument, MeterChange, Note, Score, TempoChange};

use super::clean::snap;
use super::smf::{self, RawMidi, RawNote};
use super::{Corpus, CorpusError, Piece, Role, archive, sorted};
use crate::archive;

/// Least share of notes near a sixteenth or triplet for a piece to be kept.
const MIN_ON_GRID: f32 = 0.8;

/// All songs that are in both archives and lie on a grid.
///
/// # Errors
///
/// [`CorpusError::Archive`].
pub fn read(data_dir: &Path) -> Result<Vec<Piece>, CorpusError> {
    let (Some(original), Some(corrected)) = (archive(data_dir, "pop909"), archive(data_dir, "pop909-cl")) else {
        return Ok(Vec::new());
    };
    let mut tempos: HashMap<String, f64> = HashMap::new();
    let mut tracks: HashMap<String, RawMidi> = HashMap::new();
    for (name, bytes) in archive::entries(original)? {
        let mut parts = name.split('/').skip(1);
        let (Some(song), Some(file)) = (parts.next(), parts.next()) else { continue };
        if file == "beat_midi.txt" {
            if let Some(bpm) = tempo(&String::from_utf8_lossy(&bytes)) {
                tempos.insert(song.to_owned(), bpm);
            }
        } else if file.ends_with(".mid")
            && let Some(midi) = smf::read(&bytes)
        {
            tracks.insert(song.to_owned(), midi);
        }
    }
    let mut pieces = Vec::new();
    for (name, bytes) in archive::entries(corrected)? {
        let Some(number) = name.rsplit('/').next().and_then(|f| f.strip_suffix(".mid")) else { continue };
        let (Some(roles), Some(&bpm), Some(midi)) = (tracks.get(number), tempos.get(number), smf::read(&bytes)) else {
            continue;
        };
        pieces.extend(piece(number, roles, midi, bpm));
    }
    pieces.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(pieces)
}

/// Quarter notes per minute: by the median distance of beats.
fn tempo(text: &str) -> Option<f64> {
    let beats: Vec<f64> = text.lines().filter_map(|l| l.split_whitespace().next()?.parse().ok()).collect();
    let mut gaps: Vec<f64> = beats.windows(2).map(|w| w[1] - w[0]).filter(|g| *g > 0.05).collect();
    gaps.sort_by(f64::total_cmp);
    let middle = *gaps.get(gaps.len() / 2)?;
    Some((60.0 / middle).clamp(30.0, 240.0))
}

fn piece(number: &str, original: &RawMidi, midi: RawMidi, bpm: f64) -> Option<Piece> {
    let mut notes = midi.tracks.iter().find(|t| !t.notes.is_empty())?.notes.clone();
    let phase = phase(&notes);
    for note in &mut notes {
        note.onset = (i64::from(note.onset) - phase).max(0) as u32;
    }
    let before: Vec<u32> = notes.iter().map(|n| n.onset).collect();
    let roles = roles(original, &notes);
    let mut meters = midi.meters;
    if meters.first().is_none_or(|m| m.tick > 0) {
        meters.insert(0, MeterChange { tick: 0, numerator: 4, denominator: 4 });
    }
    let on_grid = before.iter().filter(|&&t| t % 120 <= 25 || t % 120 >= 95 || t % 160 <= 12 || t % 160 >= 148).count();
    if (on_grid as f32) < MIN_ON_GRID * before.len() as f32 {
        return None;
    }
    let mut all: Vec<(Note, Role)> = Vec::with_capacity(notes.len());
    for (raw, role) in notes.iter().zip(roles) {
        let onset = snap(raw.onset, 32);
        let end = snap(raw.onset + raw.duration, 24).max(onset + 60);
        all.push((
            Note {
                onset,
                duration: end - onset,
                pitch: raw.pitch,
                velocity: raw.velocity.max(1),
                instrument: Instrument::PIANO,
            },
            role,
        ));
    }
    split_bass(&mut all);
    all.sort_by_key(|(n, _)| (n.onset, n.pitch, std::cmp::Reverse(n.duration)));
    all.dedup_by_key(|(n, _)| (n.onset, n.pitch));
    let key = midi.keys.first().map(|k| k.key);
    let score = Score {
        tempos: vec![TempoChange { tick: 0, bpm }],
        meters,
        keys: midi.keys,
        title: Some(format!("POP909 {number}")),
        ..Score::default()
    };
    let (score, roles) = sorted(score, all);
    Some(Piece {
        id: format!("pop909/{number}"),
        song: format!("pop909/{number}"),
        corpus: Corpus::Pop909,
        style: "pop".into(),
        score,
        roles,
        chords: Vec::new(),
        key,
        tempo_known: true,
        velocity_known: true,
        bars_known: true,
    })
}

/// How far the notes as a whole lie off the sixteenths, in ticks, where they agree on it: some
/// files are shifted by part of a sixteenth.
fn phase(notes: &[RawNote]) -> i64 {
    let (mut x, mut y) = (0.0f64, 0.0f64);
    for note in notes {
        let (sin, cos) = (std::f64::consts::TAU * f64::from(note.onset % 120) / 120.0).sin_cos();
        x += cos;
        y += sin;
    }
    let sharpness = (x * x + y * y).sqrt() / notes.len().max(1) as f64;
    let offset = (y.atan2(x) / std::f64::consts::TAU * 120.0).round() as i64;
    if sharpness > 0.6 && offset.abs() > 3 { offset } else { 0 }
}

/// The role of each corrected note, by its rank among the notes of its pitch.
fn roles(original: &RawMidi, notes: &[RawNote]) -> Vec<Role> {
    let mut by_pitch: HashMap<u8, Vec<(u32, u8, Role)>> = HashMap::new();
    for track in &original.tracks {
        let role = match track.name.as_str() {
            "MELODY" => Role::Melody,
            "BRIDGE" => Role::Inner,
            _ => Role::Chords,
        };
        for note in &track.notes {
            by_pitch.entry(note.pitch).or_default().push((note.onset, note.velocity, role));
        }
    }
    by_pitch.values_mut().for_each(|list| list.sort_by_key(|x| (x.0, x.1)));
    let mut order: Vec<usize> = (0..notes.len()).collect();
    order.sort_by_key(|&i| (notes[i].pitch, notes[i].onset, notes[i].velocity));
    let mut used: HashMap<u8, usize> = HashMap::new();
    let mut roles = vec![Role::Chords; notes.len()];
    for i in order {
        let rank = used.entry(notes[i].pitch).or_default();
        let Some(list) = by_pitch.get(&notes[i].pitch) else { continue };
        // A velocity that differs means the lists have slipped by a note: look around the rank.
        let near = (rank.saturating_sub(3)..(*rank + 4).min(list.len()))
            .filter(|&k| list[k].1 == notes[i].velocity)
            .min_by_key(|k| k.abs_diff(*rank));
        if let Some(k) = near.or((*rank < list.len()).then_some(*rank)) {
            roles[i] = list[k].2;
        }
        *rank += 1;
    }
    roles
}

/// The lowest accompaniment note of each onset, below F#3 and a third below the rest, is bass.
fn split_bass(notes: &mut [(Note, Role)]) {
    notes.sort_by_key(|(n, _)| (n.onset, n.pitch));
    let mut i = 0;
    while i < notes.len() {
        let onset = notes[i].0.onset;
        let group = notes[i..].iter().take_while(|(n, _)| n.onset == onset).count();
        let sounding_lower = notes[..i]
            .iter()
            .rev()
            .take(24)
            .any(|(n, r)| *r == Role::Bass && n.end() > onset + 60 && n.pitch < notes[i].0.pitch.saturating_sub(0));
        if let Some((note, role)) = notes[i..i + group].iter_mut().find(|(_, r)| *r == Role::Chords)
            && note.pitch < 54
            && !sounding_lower
        {
            *role = Role::Bass;
        }
        i += group;
    }
}
