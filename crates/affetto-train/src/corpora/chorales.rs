//! Bach chorales: the folk archive's MusicXML, which knows rhythm, and those of JSB that it lacks.
//!
//! Versions of one tune share a `song` name, so they fall in one split: two chorales are versions
//! where their sopranos (repeated pitches joined) share at least half of their five-interval
//! patterns. A JSB chorale with such a twin whose other voices agree too adds nothing and is left
//! out. JSB does not tell a held pitch from a repeated one: here a pitch is held over equal
//! sixteenths and struck anew at every bar line and, above a quarter, at every second beat.

use std::collections::HashSet;
use std::path::Path;

use affetto_score::{Instrument, KeyChange, MeterChange, Note, Score};

use super::xml::{self, XmlScore};
use super::{Corpus, CorpusError, Piece, Role, archive, key, sorted};
use crate::archive;

const VOICES: [Role; 4] = [Role::Melody, Role::Inner, Role::Chords, Role::Bass];

/// All chorales, with `song` names shared by versions of one tune.
///
/// # Errors
///
/// [`CorpusError::Archive`].
pub fn read(data_dir: &Path) -> Result<Vec<Piece>, CorpusError> {
    let mut pieces = Vec::new();
    if let Some(path) = archive(data_dir, "folk-tunes") {
        for (name, bytes) in archive::entries(path)? {
            if name.contains("bach-chorales/")
                && name.ends_with(".mxl")
                && let Some(score) = xml::read_mxl(&bytes)
            {
                let number = name.rsplit('/').next().unwrap_or(&name).trim_end_matches(".mxl").to_owned();
                pieces.extend(from_xml(&number, score));
            }
        }
    }
    pieces.sort_by(|a, b| a.id.cmp(&b.id));
    let own = pieces.len();
    if let Some(path) = archive(data_dir, "jsb") {
        for (name, bytes) in archive::entries(path)? {
            if name.ends_with(".json") {
                let sets: std::collections::BTreeMap<String, Vec<Vec<[i16; 4]>>> =
                    serde_json::from_slice(&bytes).unwrap_or_default();
                for (set, chorales) in sets {
                    pieces.extend(chorales.iter().enumerate().filter_map(|(i, c)| from_grid(&format!("{set}{i}"), c)));
                }
            }
        }
    }
    Ok(join_versions(pieces, own))
}

fn finish(id: String, base: Score, notes: Vec<(Note, Role)>) -> Piece {
    let histogram = key::histogram(notes.iter().map(|(n, _)| n));
    let named = base.keys.first().map(|k| k.key).filter(|k| key::fit(&histogram, *k) > 0.6);
    let found = named.or_else(|| Some(key::best(&histogram).0).filter(|k| key::fit(&histogram, *k) > 0.7));
    let mut base = base;
    base.keys = found.map(|key| KeyChange { tick: 0, key }).into_iter().collect();
    let (score, roles) = sorted(base, notes);
    Piece {
        song: id.clone(),
        id,
        corpus: Corpus::Chorales,
        style: "chorale".into(),
        score,
        roles,
        chords: Vec::new(),
        key: found,
        tempo_known: false,
        velocity_known: false,
        bars_known: true,
    }
}

fn from_xml(number: &str, score: XmlScore) -> Option<Piece> {
    let mut parts: Vec<_> = score.parts.iter().filter(|p| !p.is_empty()).collect();
    if !(4..=6).contains(&parts.len()) || score.on_bars < 0.7 {
        return None;
    }
    parts.truncate(4);
    let mut notes = Vec::new();
    for (part, role) in parts.iter().zip(VOICES) {
        for n in part.iter() {
            let (onset, duration, pitch) = (n.onset, n.duration, n.pitch);
            notes.push((Note { onset, duration, pitch, velocity: 72, instrument: Instrument::PIANO }, role));
        }
    }
    let keys = score.signature().map(|key| KeyChange { tick: 0, key }).into_iter().collect();
    let title = Some(number.to_owned());
    let base = Score { meters: score.meters, pickup: score.pickup, keys, title, ..Score::default() };
    Some(finish(format!("chorales/{number}"), base, notes))
}

fn from_grid(number: &str, steps: &[[i16; 4]]) -> Option<Piece> {
    const STEP: u32 = 120;
    if steps.len() < 32 {
        return None;
    }
    let mut notes = Vec::new();
    for (voice, role) in VOICES.into_iter().enumerate() {
        let mut open: Option<(u8, u32)> = None;
        for (i, pitch) in steps.iter().map(|s| s[voice]).chain([-1]).enumerate() {
            let at = i as u32 * STEP;
            let pitch = u8::try_from(pitch).ok().filter(|p| (21..=108).contains(p));
            let again =
                open.is_some_and(|(_, onset)| at.is_multiple_of(1920) || (at.is_multiple_of(960) && at - onset > 480));
            if open.map(|(p, _)| p) != pitch || again {
                if let Some((pitch, onset)) = open {
                    let note = Note { onset, duration: at - onset, pitch, velocity: 72, instrument: Instrument::PIANO };
                    notes.push((note, role));
                }
                open = pitch.map(|p| (p, at));
            }
        }
    }
    let meters = vec![MeterChange { tick: 0, numerator: 4, denominator: 4 }];
    Some(finish(format!("chorales/jsb-{number}"), Score { meters, ..Score::default() }, notes))
}

/// Patterns of five intervals of a voice, repeated pitches joined.
fn patterns(piece: &Piece, role: Role) -> HashSet<[i8; 5]> {
    let voice = piece.score.notes.iter().zip(&piece.roles).filter(|(_, r)| **r == role);
    let mut pitches: Vec<i16> = voice.map(|(n, _)| i16::from(n.pitch)).collect();
    pitches.dedup();
    let steps: Vec<i8> = pitches.windows(2).map(|w| (w[1] - w[0]).clamp(-100, 100) as i8).collect();
    steps.windows(5).filter_map(|w| w.try_into().ok()).collect()
}

fn overlap(a: &HashSet<[i8; 5]>, b: &HashSet<[i8; 5]>) -> f32 {
    let shared = a.intersection(b).count();
    shared as f32 / a.len().min(b.len()).max(1) as f32
}

/// Gives versions of one tune one `song`, and drops JSB chorales (from index `own` on) with a twin.
fn join_versions(mut pieces: Vec<Piece>, own: usize) -> Vec<Piece> {
    let soprano: Vec<_> = pieces.iter().map(|p| patterns(p, Role::Melody)).collect();
    let bass: Vec<_> = pieces.iter().map(|p| patterns(p, Role::Bass)).collect();
    let mut group: Vec<usize> = (0..pieces.len()).collect();
    let mut twin = vec![false; pieces.len()];
    for b in 0..pieces.len() {
        for a in 0..b {
            if overlap(&soprano[a], &soprano[b]) < 0.5 {
                continue;
            }
            let (old, new) = (group[b], group[a]);
            group.iter_mut().filter(|g| **g == old).for_each(|g| *g = new);
            if a < own && b >= own && overlap(&bass[a], &bass[b]) > 0.5 {
                twin[b] = true;
            }
        }
    }
    let names: Vec<String> = group.iter().map(|&g| pieces[g].id.clone()).collect();
    pieces.iter_mut().zip(names).for_each(|(piece, name)| piece.song = name);
    let mut twins = twin.into_iter();
    pieces.retain(|_| !twins.next().unwrap_or(false));
    pieces
}
