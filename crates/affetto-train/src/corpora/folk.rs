//! Folk tunes: O'Neill's, Ryan's and Aird's collections in ABC, melodies alone.

use std::collections::HashSet;
use std::path::Path;

use affetto_score::{Instrument, KeyChange, MeterChange, Note, Score};

use super::abc::{self, Tune};
use super::{Corpus, CorpusError, Piece, Role, archive, key, sorted};
use crate::archive;

/// Dance names, as they may stand in `R:` or in the title.
const DANCES: [&str; 17] = [
    "slip jig",
    "double jig",
    "single jig",
    "jig",
    "reel",
    "hornpipe",
    "strathspey",
    "highland fling",
    "waltz",
    "march",
    "polka",
    "air",
    "clog",
    "minuet",
    "gavotte",
    "quick step",
    "slide",
];

/// All tunes whose bars add up; exact copies once.
///
/// # Errors
///
/// [`CorpusError::Archive`].
pub fn read(data_dir: &Path) -> Result<Vec<Piece>, CorpusError> {
    let Some(path) = archive(data_dir, "folk-tunes") else { return Ok(Vec::new()) };
    let mut pieces = Vec::new();
    let mut seen = HashSet::new();
    for (name, bytes) in archive::entries(path)? {
        if !name.ends_with(".abc") {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        let book = name.split('/').nth(1).unwrap_or("folk").to_owned();
        let file = name.rsplit('/').next().unwrap_or("").trim_end_matches(".abc").to_owned();
        for tune in abc::read(&text) {
            let print: Vec<(u32, u8)> = tune.notes.iter().map(|n| (n.0, n.2)).collect();
            if seen.insert(print) {
                pieces.extend(piece(&format!("{book}/{file}/{}", tune.number), tune));
            }
        }
    }
    pieces.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(pieces)
}

fn piece(id: &str, tune: Tune) -> Option<Piece> {
    if tune.on_bars < 0.8 || tune.notes.iter().any(|n| !(43..=100).contains(&n.2)) {
        return None;
    }
    let notes: Vec<(Note, Role)> = tune
        .notes
        .iter()
        .map(|&(onset, duration, pitch)| {
            (Note { onset, duration, pitch, velocity: 72, instrument: Instrument::PIANO }, Role::Melody)
        })
        .collect();
    let histogram = key::histogram(notes.iter().map(|(n, _)| n));
    let named = tune.key.filter(|k| key::in_scale(&histogram, *k) > 0.85);
    let key = named.or_else(|| Some(key::best(&histogram).0).filter(|k| key::fit(&histogram, *k) > 0.7));
    let song = song_name(&tune.title);
    let score = Score {
        meters: vec![MeterChange { tick: 0, numerator: tune.meter.0, denominator: tune.meter.1 }],
        keys: key.map(|key| KeyChange { tick: 0, key }).into_iter().collect(),
        pickup: tune.pickup,
        title: Some(tune.title.clone()),
        ..Score::default()
    };
    let (score, roles) = sorted(score, notes);
    Some(Piece {
        id: format!("folk/{id}"),
        song: if song.is_empty() { format!("folk/{id}") } else { format!("folk/{song}") },
        corpus: Corpus::Folk,
        style: dance(&tune),
        score,
        roles,
        chords: Vec::new(),
        key,
        tempo_known: false,
        velocity_known: false,
        bars_known: true,
    })
}

/// The tune's dance, or "folk tune".
fn dance(tune: &Tune) -> String {
    let title = tune.title.to_lowercase().replace("slipjig", "slip jig");
    let rhythm = tune.rhythm.replace("slipjig", "slip jig");
    let of = |text: &str, whole: bool| {
        DANCES.iter().find(|d| {
            if whole { text.contains(**d) } else { text.split(|c: char| !c.is_alphabetic()).any(|w| w == **d) }
        })
    };
    of(&rhythm, true).or_else(|| of(&title, false)).map_or("folk tune", |d| *d).to_owned()
}

/// A title without articles, dance names and signs, so that versions of one tune share it.
fn song_name(title: &str) -> String {
    let title = title.to_lowercase().replace('\'', "");
    let title = title.split("--").next().unwrap_or("").to_owned();
    let words = title.split(|c: char| !c.is_alphanumeric());
    let drop = ["the", "a", "an", "reel", "jig", "hornpipe", "strathspey", "clog", "favorite"];
    words.filter(|w| !w.is_empty() && !drop.contains(w)).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_a_tune_share_a_name() {
        assert_eq!(song_name("The Devil's Dream -- Reel"), song_name("Devils Dream"));
        assert_ne!(song_name("Devils Dream"), song_name("Devils Delight"));
    }
}
