//! OpenEWLD: lead sheets, a melody under chord symbols. The accompaniment is made anew for every
//! window by `augment::accompany`.

use std::path::Path;

use affetto_score::{Instrument, Key, KeyChange, Mode, Note, Score};

use super::xml::{self, XmlScore};
use super::{Corpus, CorpusError, Piece, Role, archive, key, sorted};
use crate::archive;

/// All lead sheets that have chords and clean bars.
///
/// # Errors
///
/// [`CorpusError::Archive`].
pub fn read(data_dir: &Path) -> Result<Vec<Piece>, CorpusError> {
    let Some(path) = archive(data_dir, "openewld") else { return Ok(Vec::new()) };
    let mut pieces: Vec<Piece> = archive::entries(path)?
        .into_iter()
        .filter(|(name, _)| name.ends_with(".mxl"))
        .filter_map(|(name, bytes)| piece(&name, xml::read_mxl(&bytes)?))
        .collect();
    pieces.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(pieces)
}

fn piece(name: &str, score: XmlScore) -> Option<Piece> {
    if score.chords.len() < 4 || score.on_bars < 0.9 || score.parts.len() != 1 {
        return None;
    }
    let notes: Vec<(Note, Role)> = score.parts[0]
        .iter()
        .map(|n| {
            let (onset, duration, pitch) = (n.onset, n.duration, n.pitch);
            (Note { onset, duration, pitch, velocity: 72, instrument: Instrument::PIANO }, Role::Melody)
        })
        .collect();
    let key = mode_of(&score, notes.iter().map(|(n, _)| n));
    let title = score.title.clone();
    let song = name.rsplit('/').next()?.trim_end_matches(".mxl").to_lowercase();
    let keys = key.map(|key| KeyChange { tick: 0, key }).into_iter().collect();
    let base = Score { meters: score.meters, pickup: score.pickup, keys, title, ..Score::default() };
    let (base, roles) = sorted(base, notes);
    Some(Piece {
        id: format!("openewld/{song}"),
        song: format!("openewld/{song}"),
        corpus: Corpus::OpenEwld,
        style: "old song".into(),
        score: base,
        roles,
        chords: score.chords,
        key,
        tempo_known: false,
        velocity_known: false,
        bars_known: true,
    })
}

/// The signature names nearly every song major: choose between it and its relative minor by the
/// chords (weight of the two tonics) and the notes.
fn mode_of<'a>(score: &XmlScore, notes: impl Iterator<Item = &'a Note>) -> Option<Key> {
    let (fifths, minor) = score.key?;
    if minor {
        return score.signature();
    }
    let major = super::smf::key_of(fifths, false);
    let relative = super::smf::key_of(fifths, true);
    let mut histogram = key::histogram(notes);
    for chord in &score.chords {
        let weight = ((chord.end - chord.start) as f32).sqrt() * 0.5;
        for tone in (0..12).filter(|t| chord.tones >> t & 1 == 1) {
            histogram[usize::from((chord.root + tone as u8) % 12)] += weight;
        }
    }
    let mut lean = key::fit(&histogram, relative) - key::fit(&histogram, major);
    if let Some(last) = score.chords.last() {
        lean += match (last.root, last.tones >> 3 & 1 == 1) {
            (root, true) if root == relative.tonic => 0.3,
            (root, false) if root == major.tonic => -0.2,
            _ => 0.0,
        };
    }
    Some(if lean > 0.0 { Key { tonic: relative.tonic, mode: Mode::Minor } } else { major })
}
