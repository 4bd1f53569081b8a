//! `take.json`: everything there is to a take. One format for all families; notes only where there are notes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use affetto_score::{KeyChange, MeterChange, Note, Score, TempoChange};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::families::Family;
use crate::summary::TakeSummary;
use crate::take::Take;

/// The longest `take.json` that is read, in bytes: an hour of stereo codes takes a tenth of it.
const MAX_BYTES: u64 = 128 << 20;

/// What is written.
#[derive(Serialize)]
struct TakeFile<'a> {
    #[serde(flatten)]
    summary: &'a TakeSummary,
    sample_rate: u32,
    /// Rows of codes a second; none for notes.
    frame_rate: Option<f64>,
    streams: &'a [String],
    codes: &'a [Vec<u32>],
    #[serde(flatten)]
    notes: Option<Notes<'a>>,
}

#[derive(Serialize)]
struct Notes<'a> {
    ticks_per_quarter: u32,
    tempos: &'a [TempoChange],
    meters: &'a [MeterChange],
    keys: &'a [KeyChange],
    pickup: u32,
    notes: &'a [Note],
}

impl<'a> Notes<'a> {
    fn of(score: &'a Score) -> Notes<'a> {
        Notes {
            ticks_per_quarter: affetto_score::score::TICKS_PER_QUARTER,
            tempos: &score.tempos,
            meters: &score.meters,
            keys: &score.keys,
            pickup: score.pickup,
            notes: &score.notes,
        }
    }
}

impl Take {
    /// The family it comes from.
    pub fn family(&self) -> Family {
        if self.score().is_some() { Family::Score } else { Family::MusicGen }
    }

    /// The take as JSON: its summary, its codes `[K][rows]`, and its notes, if any.
    pub fn to_json(&self) -> String {
        let file = TakeFile {
            summary: self.summary(),
            sample_rate: self.sample_rate(),
            frame_rate: self.frame_rate(),
            streams: &self.stream_names(),
            codes: &self.codes(),
            notes: self.score().map(Notes::of),
        };
        serde_json::to_string(&file).expect("numbers, strings and lists are always JSON")
    }
}

/// What is read of a `take.json` to go on from it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct StoredTake {
    pub family: String,
    #[serde(default)]
    pub sample_rate: Option<u32>,
    #[serde(default)]
    pub frame_rate: Option<f64>,
    pub codes: Vec<Vec<u32>>,
}

impl StoredTake {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Input`] when it cannot be read or is no take.
    pub fn read(path: &Path) -> Result<StoredTake> {
        let bad = |reason: String| Error::Input { path: path.to_owned(), reason };
        let file = File::open(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| bad(format!("cannot be read: {e}")))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(bad(format!("longer than {} MB; that is no take.json", MAX_BYTES >> 20)));
        }
        serde_json::from_slice(&bytes)
            .map_err(|e| bad(format!("not a take.json ({e}); give one that `-o take.json` wrote")))
    }
}
