//! Corpora of permissive notes as [`Piece`]s: read from their archives once ([`prepare`]), kept in
//! one compact cache ([`cache`]), split by song.
//!
//! | corpus | what it is here |
//! |---|---|
//! | POP909 | pop songs for piano; notes, bars and keys from POP909-CL, roles and tempo from POP909 |
//! | OpenEWLD | lead sheets: a melody and chord symbols |
//! | chorales | four voices, from the folk archive's MusicXML and, where it lacks them, from JSB |
//! | folk | single melodies in ABC |
//! | Freedoom | multi-track General MIDI with drums |
//! | tiny | a handful of melodies written for the tests |

pub mod abc;
pub mod cache;
pub mod chorales;
pub mod clean;
pub mod folk;
pub mod freedoom;
pub mod key;
pub mod leadsheets;
pub mod pop909;
pub mod smf;
pub mod tiny;
pub mod xml;

use std::path::{Path, PathBuf};

use affetto_score::{Key, Score};
use serde::{Deserialize, Serialize};

use crate::archive::ArchiveError;
use crate::fnv::fnv1a;

/// Why a corpus could not be prepared or loaded.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// An archive could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The cache could not be read or written.
    #[error("{path}: {source}; run the prepare step again")]
    Io {
        /// The cache.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The cache is not one of ours, or damaged.
    #[error("{path}: not a cache of pieces ({what}); run the prepare step again")]
    Damaged {
        /// The cache.
        path: PathBuf,
        /// What was wrong.
        what: String,
    },
    /// Nothing to learn from.
    #[error("no pieces left in the {split} part after the corpus weights; raise a weight in [data.corpora]")]
    Empty {
        /// Name of the part.
        split: &'static str,
    },
}

/// Where a piece comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Corpus {
    /// POP909 with POP909-CL's bars and keys.
    Pop909,
    /// OpenEWLD lead sheets.
    OpenEwld,
    /// Bach chorales.
    Chorales,
    /// Folk tunes.
    Folk,
    /// Freedoom's game music.
    Freedoom,
    /// The self-made test corpus.
    Tiny,
}

impl Corpus {
    /// Every corpus.
    pub const ALL: [Corpus; 6] =
        [Corpus::Pop909, Corpus::OpenEwld, Corpus::Chorales, Corpus::Folk, Corpus::Freedoom, Corpus::Tiny];

    /// Short name, as in the config file.
    pub fn name(self) -> &'static str {
        match self {
            Corpus::Pop909 => "pop909",
            Corpus::OpenEwld => "openewld",
            Corpus::Chorales => "chorales",
            Corpus::Folk => "folk",
            Corpus::Freedoom => "freedoom",
            Corpus::Tiny => "tiny",
        }
    }
}

/// What a note does in the texture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The tune.
    Melody,
    /// A second line: bridge, counter-melody, inner voice.
    Inner,
    /// Chords, arpeggios, pads.
    Chords,
    /// The lowest line.
    Bass,
    /// Drum kit.
    Drums,
}

impl Role {
    /// Every role, in the order of its code in the cache.
    pub const ALL: [Role; 5] = [Role::Melody, Role::Inner, Role::Chords, Role::Bass, Role::Drums];
}

/// A chord over a span of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chord {
    /// Start, in ticks.
    pub start: u32,
    /// End, in ticks.
    pub end: u32,
    /// Root pitch class.
    pub root: u8,
    /// Pitch classes above the root as bits: bit i = i semitones; bit 0 always set.
    pub tones: u16,
    /// Pitch class in the bass.
    pub bass: u8,
}

/// A piece to learn from or to compare with.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Unique name: corpus and number or title.
    pub id: String,
    /// Name shared by all versions of one work; the split goes by it where bars are known.
    pub song: String,
    /// Where it is from.
    pub corpus: Corpus,
    /// Style word for captions: "pop", "chorale", "reel" …
    pub style: String,
    /// The notes. Velocities have mean 72 and deviation 16 over the corpus's pieces with known bars, or are all 72 where
    /// the corpus has none.
    pub score: Score,
    /// Role of each note of `score`, in its order.
    pub roles: Vec<Role>,
    /// Chord symbols, where the piece brings them.
    pub chords: Vec<Chord>,
    /// Main key, where it is clear.
    pub key: Option<Key>,
    /// Whether the tempo is the piece's own.
    pub tempo_known: bool,
    /// Whether velocities are the piece's own.
    pub velocity_known: bool,
    /// Whether the notes lie on the grid of the bars. Otherwise the piece is played freely over nominal bars, would teach
    /// wrong ones, and is held out.
    pub bars_known: bool,
}

impl Piece {
    /// The part of the data the piece belongs to: its song's, where its bars are known; else the test part.
    pub fn split(&self) -> Split {
        if self.bars_known { Split::of(&self.song) } else { Split::Test }
    }
}

/// Part of the data a song belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// 90 %.
    Train,
    /// 5 %.
    Valid,
    /// 5 %.
    Test,
}

impl Split {
    /// The part of a song, by a hash of its name (FNV-1a, 64 bits, modulo 100).
    pub fn of(song: &str) -> Split {
        let hash = fnv1a(song);
        match (hash ^ (hash >> 32)) % 100 {
            0..90 => Split::Train,
            90..95 => Split::Valid,
            _ => Split::Test,
        }
    }

    /// Name.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        }
    }
}

/// What [`prepare`] found in one corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorpusCount {
    /// Pieces read.
    pub read: usize,
    /// Pieces kept.
    pub kept: usize,
    /// Notes kept.
    pub notes: usize,
}

/// Reads every permissive archive found in `data_dir`, cleans the pieces and writes the cache to
/// `out`. Archives that are missing are passed over. Returns the counts of each corpus.
///
/// # Errors
///
/// [`CorpusError`] where an archive is damaged or the cache cannot be written.
pub fn prepare(data_dir: &Path, out: &Path) -> Result<Vec<(Corpus, CorpusCount)>, CorpusError> {
    let mut all = Vec::new();
    let mut counts = Vec::new();
    type Reader = fn(&Path) -> Result<Vec<Piece>, CorpusError>;
    let readers: [(Corpus, Reader); 5] = [
        (Corpus::Pop909, pop909::read),
        (Corpus::OpenEwld, leadsheets::read),
        (Corpus::Chorales, chorales::read),
        (Corpus::Folk, folk::read),
        (Corpus::Freedoom, freedoom::read),
    ];
    for (corpus, reader) in readers {
        let pieces = reader(data_dir)?;
        let read = pieces.len();
        let mut kept: Vec<Piece> = pieces.into_iter().filter_map(clean::clean).collect();
        clean::normalize_velocities(&mut kept);
        let notes = kept.iter().map(|p| p.score.notes.len()).sum();
        counts.push((corpus, CorpusCount { read, kept: kept.len(), notes }));
        all.append(&mut kept);
    }
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).map_err(|source| CorpusError::Io { path: folder.to_owned(), source })?;
    }
    cache::write(out, &all)?;
    Ok(counts)
}

/// The archive `name` with either ending in `data_dir`, if it is there.
fn archive(data_dir: &Path, name: &str) -> Option<PathBuf> {
    [".tar.xz", ".tar.gz"].iter().map(|ending| data_dir.join(format!("{name}{ending}"))).find(|p| p.is_file())
}

/// Sorts notes and roles together into the score's order and builds the piece's score.
pub(crate) fn sorted(mut score: Score, mut notes: Vec<(affetto_score::Note, Role)>) -> (Score, Vec<Role>) {
    notes.sort_by_key(|(n, r)| (n.onset, n.instrument, n.pitch, n.duration, n.velocity, *r));
    let roles = notes.iter().map(|(_, role)| *role).collect();
    score.notes = notes.into_iter().map(|(note, _)| note).collect();
    (score, roles)
}
