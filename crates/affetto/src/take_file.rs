//! `take.json`: everything there is to a take. One format for all families; notes only where there are notes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use affetto_score::{Instrument, KeyChange, MeterChange, Note, Score, TempoChange};
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

/// What is read of a `take.json` to go on from it. No part is flattened: serde would hold the whole file as values first, and
/// say of a wrong field no more than that none of it fits.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct StoredTake {
    pub family: String,
    #[serde(default)]
    pub sample_rate: Option<u32>,
    #[serde(default)]
    pub frame_rate: Option<f64>,
    pub codes: Vec<Vec<u32>>,
    #[serde(default)]
    tempos: Vec<TempoChange>,
    #[serde(default)]
    meters: Vec<MeterChange>,
    #[serde(default)]
    keys: Vec<KeyChange>,
    #[serde(default)]
    pickup: u32,
    #[serde(default)]
    notes: Option<Vec<Note>>,
}

/// The most notes of a take that are read, and the last tick they may end at: eleven hours at 120 quarters a minute.
const MAX_NOTES: usize = 1_000_000;
const MAX_TICKS: u32 = 480 * 4 * 20_000;

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

    /// Whether it has notes.
    pub fn has_notes(&self) -> bool {
        self.notes.is_some()
    }

    /// Its notes.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn into_score(self) -> std::result::Result<Score, String> {
        let StoredTake { tempos, meters, keys, pickup, notes, .. } = self;
        let notes = notes.ok_or("has no notes; give a take.json of a model that writes notes")?;
        let from_start = |ticks: &[u32]| ticks.first() == Some(&0) && ticks.is_sorted();
        let ticks: Vec<u32> = tempos.iter().map(|tempo| tempo.tick).collect();
        if !from_start(&ticks) || tempos.iter().any(|tempo| !(1.0..=5000.0).contains(&tempo.bpm)) {
            return Err("its tempos do not begin at 0, are not in order, or are none that can be played".into());
        }
        let ticks: Vec<u32> = meters.iter().map(|meter| meter.tick).collect();
        let odd = |meter: &MeterChange| meter.numerator == 0 || !meter.denominator.is_power_of_two();
        if !from_start(&ticks) || meters.iter().any(odd) || pickup > meters[0].bar_ticks() {
            return Err("its meters do not begin at 0, are not in order, or are none".into());
        }
        if keys.iter().any(|change| change.key.tonic > 11) || !keys.iter().map(|change| change.tick).is_sorted() {
            return Err("its keys are not in order, or are none".into());
        }
        let bad = |note: &&Note| {
            let end = note.onset.saturating_add(note.duration);
            note.duration == 0
                || end > MAX_TICKS
                || note.pitch > 127
                || !(1..=127).contains(&note.velocity)
                || usize::from(note.instrument.0) >= Instrument::COUNT
        };
        if notes.len() > MAX_NOTES {
            return Err(format!("has {} notes, expected at most {MAX_NOTES}", notes.len()));
        }
        if let Some(note) = notes.iter().find(bad) {
            return Err(format!("has a note that cannot be played (key {}, tick {})", note.pitch, note.onset));
        }
        let mut score = Score { notes, tempos, meters, keys, pickup, title: None };
        score.sort();
        Ok(score)
    }
}
