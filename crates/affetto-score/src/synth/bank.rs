//! A SoundFont in memory: its tables, and the samples decoded so far.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::error::{Result, SynthError};
use super::fallback::substitutes;
use super::parallel::parallel;
use super::region::SourceKey;
use super::samples::{self, Source};
use super::tables::Tables;
use crate::Instrument;

/// Largest SoundFont file [`SoundFont::open`] reads.
const MAX_FILE: u64 = 1 << 30;
/// Most decoded sample points kept at once (256 MiB of them).
const MAX_DECODED: usize = 64 << 20;

/// A SoundFont (`.sf2`, `.sf3`). Opening reads the tables only; samples are decoded when a piece
/// needs them, and kept for the next one.
#[derive(Debug)]
pub struct SoundFont {
    bytes: Cow<'static, [u8]>,
    tables: Tables,
    decoded: Mutex<HashMap<SourceKey, Arc<Source>>>,
}

impl SoundFont {
    /// Reads the tables of a SoundFont in memory (`&'static [u8]` or `Vec<u8>`).
    ///
    /// # Errors
    /// Not a SoundFont, cut short, or its tables contradict each other.
    pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>) -> Result<SoundFont> {
        let bytes = bytes.into();
        let tables = Tables::read(&bytes)?;
        if tables.presets.is_empty() {
            return Err(SynthError::Damaged("it has no presets".into()));
        }
        Ok(SoundFont { bytes, tables, decoded: Mutex::default() })
    }

    /// Reads a SoundFont file.
    ///
    /// # Errors
    /// The file cannot be read, or as [`SoundFont::from_bytes`].
    pub fn open(path: impl AsRef<Path>) -> Result<SoundFont> {
        use std::io::Read;
        let path = path.as_ref();
        let failed = |source| SynthError::Open { path: path.into(), source };
        let mut bytes = Vec::new();
        std::fs::File::open(path).map_err(failed)?.take(MAX_FILE).read_to_end(&mut bytes).map_err(failed)?;
        SoundFont::from_bytes(bytes).map_err(|e| match e {
            SynthError::Damaged(why) => SynthError::Damaged(format!("{}: {why}", path.display())),
            other => other,
        })
    }

    /// The tables: presets, instruments, sample headers.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Whether this exact instrument is in the file (not only a substitute for it).
    pub fn has(&self, instrument: Instrument) -> bool {
        self.exact(instrument).is_some()
    }

    fn exact(&self, instrument: Instrument) -> Option<usize> {
        let (bank, program) = if instrument.is_drums() { (128, 0) } else { (0, u16::from(instrument.0)) };
        self.tables.presets.iter().position(|p| p.bank == bank && p.program == program)
    }

    /// The preset that plays `instrument`: its own, or the nearest that the file has
    /// ([`substitutes`]). Index into [`Tables::presets`].
    ///
    /// # Errors
    /// Drums in a file without any drum kit, or notes in a file with nothing but drums.
    pub fn preset(&self, instrument: Instrument) -> Result<usize> {
        if let Some(exact) = self.exact(instrument) {
            return Ok(exact);
        }
        let presets = &self.tables.presets;
        if instrument.is_drums() {
            return presets.iter().position(|p| p.bank == 128).ok_or_else(|| SynthError::NoPreset("drums".into()));
        }
        substitutes(instrument.0)
            .find_map(|program| self.exact(Instrument(program)))
            .or_else(|| presets.iter().position(|p| p.bank != 128))
            .ok_or_else(|| SynthError::NoPreset(format!("program {}", instrument.0)))
    }

    /// The decoded samples for `keys`, decoding those not yet there on `threads` threads.
    pub(super) fn sources(&self, keys: &[SourceKey], threads: usize) -> Result<HashMap<SourceKey, Arc<Source>>> {
        let mut ready: HashMap<SourceKey, Arc<Source>> = {
            let cache = self.cache();
            keys.iter().filter_map(|k| Some((*k, cache.get(k)?.clone()))).collect()
        };
        let mut missing: Vec<SourceKey> = keys.iter().filter(|k| !ready.contains_key(k)).copied().collect();
        missing.sort_unstable();
        missing.dedup();
        // The longest first, so that no thread is left with a long one at the end.
        missing.sort_by_key(|k| {
            let s = self.tables.samples.get(usize::from(k.sample));
            std::cmp::Reverse(s.map_or(0, |s| s.end.saturating_sub(s.start)))
        });
        let mut total: usize = ready.values().map(|s| s.data.len()).sum();
        let (bytes, tables) = (self.bytes.as_ref(), &self.tables);
        // In batches, so that a file made to explode is stopped early.
        for batch in missing.chunks(threads.max(1) * 8) {
            let decoded = parallel(threads, batch.len(), |i| samples::decode(bytes, tables, batch[i]));
            for (key, source) in batch.iter().zip(decoded) {
                let source = source?;
                total += source.data.len();
                ready.insert(*key, Arc::new(source));
            }
            if total > MAX_DECODED {
                return Err(SynthError::Damaged(format!(
                    "the samples this piece needs have more than {MAX_DECODED} points"
                )));
            }
        }
        let mut cache = self.cache();
        let mut kept: usize = cache.values().map(|s| s.data.len()).sum();
        for key in &missing {
            let source = &ready[key];
            kept += source.data.len();
            if kept > MAX_DECODED {
                break;
            }
            cache.insert(*key, source.clone());
        }
        Ok(ready)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<SourceKey, Arc<Source>>> {
        // A panic elsewhere cannot leave the map half-written: take it as it is.
        self.decoded.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
