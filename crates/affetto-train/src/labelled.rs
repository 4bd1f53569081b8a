//! The labelled corpora, VGMIDI and EMOPIA: research data, read for labels and never for notes to
//! learn. Pieces come with their part of `emotion-splits.json` and with velocities on the common
//! scale.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use affetto_judge::features::{normalize_velocities, velocity_statistics};
use affetto_score::Score;

use crate::archive::{ArchiveError, entries};

/// Which labelled corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelledCorpus {
    /// Piano arrangements of game music, rated by about 30 listeners each.
    Vgmidi,
    /// Piano clips transcribed from audio, one quadrant each.
    Emopia,
}

/// Both, in the order of reports.
pub const LABELLED: [LabelledCorpus; 2] = [LabelledCorpus::Vgmidi, LabelledCorpus::Emopia];

impl LabelledCorpus {
    /// As printed in tables.
    pub fn name(self) -> &'static str {
        match self {
            LabelledCorpus::Vgmidi => "VGMIDI",
            LabelledCorpus::Emopia => "EMOPIA",
        }
    }
}

/// The disjoint parts of the labelled pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Fits what labels training music.
    Label,
    /// Fits the judges used while choosing.
    Dev,
    /// Fits the judges whose numbers are reported.
    Test,
}

/// All parts, in the order of reports.
pub const PARTS: [Part; 3] = [Part::Label, Part::Dev, Part::Test];

impl Part {
    /// The key in `emotion-splits.json`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Label => "label",
            Part::Dev => "dev",
            Part::Test => "test",
        }
    }
}

/// One labelled piece.
#[derive(Clone, Debug)]
pub struct LabelledPiece {
    /// Where it is from.
    pub corpus: LabelledCorpus,
    /// Which part it belongs to.
    pub part: Part,
    /// File name in the corpus.
    pub name: String,
    /// What may not be divided by a fold: VGMIDI's series, EMOPIA's song.
    pub group: String,
    /// The notes, velocities on the common scale.
    pub score: Score,
    /// Label as published: VGMIDI's mean in [-1, 1], EMOPIA's ±1.
    pub valence: f64,
    /// As `valence`.
    pub arousal: f64,
}

/// Why the labelled corpora could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LabelledError {
    /// An archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file cannot be read.
    #[error("{path}: {source}; is --data the folder with vgmidi.tar.xz, emopia.tar.gz and emotion-splits.json?")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds something else than expected.
    #[error("{path}: {what}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Reads VGMIDI and EMOPIA from the archives in `data`, with the parts of `emotion-splits.json`.
/// Ordered by corpus and name. Pieces without a part or label are left out.
///
/// # Errors
///
/// [`LabelledError`] naming the file and what is wrong with it.
pub fn read_labelled(data: &Path) -> Result<Vec<LabelledPiece>, LabelledError> {
    let splits = data.join("emotion-splits.json");
    let content = |path: &Path, what: String| LabelledError::Content { path: path.to_owned(), what };
    let text = std::fs::read_to_string(&splits).map_err(|source| LabelledError::Io { path: splits.clone(), source })?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| content(&splits, format!("not JSON ({e}); fetch it again")))?;
    let mut all = Vec::new();
    for corpus in LABELLED {
        let (file, key) = match corpus {
            LabelledCorpus::Vgmidi => ("vgmidi.tar.xz", "vgmidi"),
            LabelledCorpus::Emopia => ("emopia.tar.gz", "emopia"),
        };
        let mut parts: HashMap<&str, Part> = HashMap::new();
        for part in PARTS {
            let names = json[key][part.name()]
                .as_array()
                .ok_or_else(|| content(&splits, format!("expected a list of names under {key}.{}", part.name())))?;
            parts.extend(names.iter().filter_map(|n| n.as_str()).map(|n| (n, part)));
        }
        let archive = data.join(file);
        let files = entries(&archive)?;
        let labels = match corpus {
            LabelledCorpus::Vgmidi => vgmidi_labels(&files),
            LabelledCorpus::Emopia => HashMap::new(),
        };
        let mut pieces = Vec::new();
        for (path, bytes) in &files {
            let Some(name) = path.rsplit('/').next().filter(|n| n.ends_with(".mid")) else { continue };
            let bare = name.trim_end_matches(".mid");
            let Some(&part) = parts.get(name).or_else(|| parts.get(bare)) else { continue };
            let label = match corpus {
                LabelledCorpus::Vgmidi => labels.get(name).copied(),
                LabelledCorpus::Emopia => quadrant(name),
            };
            let Some((valence, arousal)) = label else { continue };
            let score = affetto_score::midi::read(bytes)
                .map_err(|e| content(&archive, format!("{path}: {e}; fetch the archive again")))?;
            let group = match corpus {
                LabelledCorpus::Vgmidi => name.split('_').next().unwrap_or(name).to_owned(),
                LabelledCorpus::Emopia => song(bare).to_owned(),
            };
            pieces.push(LabelledPiece { corpus, part, name: name.to_owned(), group, score, valence, arousal });
        }
        let (mean, sd) = velocity_statistics(pieces.iter().map(|p| &p.score));
        for piece in &mut pieces {
            normalize_velocities(&mut piece.score, mean, sd);
        }
        pieces.sort_by(|a, b| a.name.cmp(&b.name));
        all.extend(pieces);
    }
    if all.is_empty() {
        return Err(content(data, "no labelled piece found in vgmidi.tar.xz and emopia.tar.gz".to_owned()));
    }
    Ok(all)
}

/// (valence, arousal) by file name, from `labels_piece.csv`. Its fields hold no commas.
fn vgmidi_labels(files: &[(String, Vec<u8>)]) -> HashMap<String, (f64, f64)> {
    let Some((_, bytes)) = files.iter().find(|f| f.0.ends_with("/labels_piece.csv")) else {
        return HashMap::new();
    };
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| columns.iter().position(|c| *c == name);
    let (Some(midi), Some(valence), Some(arousal)) = (column("midi"), column("valence_mean"), column("arousal_mean"))
    else {
        return HashMap::new();
    };
    lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |i: usize| fields.get(i)?.parse::<f64>().ok();
            Some(((*fields.get(midi)?).to_owned(), (number(valence)?, number(arousal)?)))
        })
        .collect()
}

/// EMOPIA's quadrant, from the name's `Q1`…`Q4`: (±1, ±1).
fn quadrant(name: &str) -> Option<(f64, f64)> {
    match name.get(..3)? {
        "Q1_" => Some((1.0, 1.0)),
        "Q2_" => Some((-1.0, 1.0)),
        "Q3_" => Some((-1.0, -1.0)),
        "Q4_" => Some((1.0, -1.0)),
        _ => None,
    }
}

/// EMOPIA's song in a clip's name, `Q1_SONG_CLIP`; songs may hold underscores themselves.
fn song(bare: &str) -> &str {
    let rest = bare.get(3..).unwrap_or(bare);
    rest.rsplit_once('_').map_or(rest, |(song, _)| song)
}

/// Each value's quantile rank among all, mapped to [-1, 1]; ties share theirs.
pub fn quantile_ranks(values: &[f64]) -> Vec<f64> {
    let n = values.len().max(1) as f64;
    affetto_judge::stats::ranks(values).iter().map(|r| 2.0 * (r + 0.5) / n - 1.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_quadrant_and_song() {
        assert_eq!(quadrant("Q2_abc_0.mid"), Some((-1.0, 1.0)));
        assert_eq!(quadrant("x"), None);
        assert_eq!(song("Q1__8v0MFB_oco_12"), "_8v0MFB_oco");
    }

    #[test]
    fn labels_are_found_by_column() {
        let csv = b"id,midi,arousal_mean,valence_mean\n1,a b.mid,0.5,-0.25\nbroken\n".to_vec();
        let labels = vgmidi_labels(&[("v/labels_piece.csv".to_owned(), csv)]);
        assert_eq!(labels.len(), 1);
        assert_eq!(labels["a b.mid"], (-0.25, 0.5));
    }

    #[test]
    fn ranks_are_spread_and_ties_shared() {
        assert_eq!(quantile_ranks(&[5.0, 1.0, 3.0, 2.0]), [0.75, -0.75, 0.25, -0.25]);
        assert_eq!(quantile_ranks(&[1.0, -1.0, 1.0, -1.0]), [0.5, -0.5, 0.5, -0.5]);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = read_labelled(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/emotion-splits.json"), "{error}");
    }
}
