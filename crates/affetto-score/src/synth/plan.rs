//! From a score to the voices that will sound.

use std::collections::HashMap;
use std::sync::Arc;

use super::bank::SoundFont;
use super::envelope::from_db;
use super::error::{Result, SynthError};
use super::fallback::drum_substitute;
use super::placement::{Placement, placement};
use super::region::{Region, regions};
use super::render::RenderOptions;
use super::tables::Tables;
use super::voice::Planned;
use crate::clock::Clock;
use crate::{Instrument, Score};

/// Longest piece that is rendered, in seconds.
pub(super) const MAX_SECONDS: f64 = 70.0 * 60.0;
/// Gain of everything: about what makes a piano and a band land near full scale.
const MASTER: f32 = 0.5;

/// What will sound, in order of start.
pub(super) struct Plan {
    pub voices: Vec<Planned>,
    /// Frame where the last note ends.
    pub end: u64,
    /// Whether anything goes to the chorus.
    pub chorus: bool,
}

/// The regions one key sounds.
type Sounding = Arc<[Arc<Region>]>;

/// The regions of a key; where the preset has none, those of the nearest key that has some, tuned
/// to the one asked (drums: another key's sound, as it is).
fn reachable(tables: &Tables, preset: usize, instrument: Instrument, key: u8, velocity: u8) -> Vec<Region> {
    let found = regions(tables, preset, key, velocity);
    if !found.is_empty() {
        return found;
    }
    if instrument.is_drums() {
        return drum_substitute(key).map_or(found, |other| regions(tables, preset, other, velocity));
    }
    let near = (1..128u8).flat_map(|d| [key.checked_sub(d), key.checked_add(d).filter(|k| *k < 128)]).flatten();
    for other in near {
        let mut found = regions(tables, preset, other, velocity);
        if !found.is_empty() {
            let shift = 100.0 * (f32::from(key) - f32::from(other));
            found.iter_mut().for_each(|r| r.cents += shift);
            return found;
        }
    }
    found
}

/// Works out every voice of `score`, decoding the samples they need.
pub(super) fn plan(font: &SoundFont, score: &Score, options: &RenderOptions, threads: usize) -> Result<Plan> {
    let rate = f64::from(options.sample_rate);
    let clock = Clock::new(score);
    let instruments = score.instruments();
    let mut presets: HashMap<Instrument, (usize, Placement)> = HashMap::new();
    for &instrument in &instruments {
        let mut place = placement(instrument);
        if instruments.len() == 1 {
            // Alone on the stage: nearer to the middle.
            place.pan *= 0.3;
        }
        presets.insert(instrument, (font.preset(instrument)?, place));
    }

    // What every key and velocity in use needs.
    let mut needed: HashMap<(Instrument, u8, u8), Sounding> = HashMap::new();
    for note in &score.notes {
        let (key, velocity) = (note.pitch.min(127), note.velocity.clamp(1, 127));
        needed.entry((note.instrument, key, velocity)).or_insert_with(|| {
            let preset = presets[&note.instrument].0;
            reachable(font.tables(), preset, note.instrument, key, velocity).into_iter().map(Arc::new).collect()
        });
    }
    let mut keys: Vec<_> = needed.values().flat_map(|r| r.iter().map(|r| r.source)).collect();
    keys.sort_unstable();
    keys.dedup();
    let sources = font.sources(&keys, threads)?;

    let mut voices: Vec<Planned> = Vec::with_capacity(score.notes.len());
    let mut classes: HashMap<(Instrument, u16), Vec<usize>> = HashMap::new();
    let mut last = 0u64;
    let limit = options.seconds.map(|s| (s * rate).round() as u64);
    let mut notes: Vec<_> = score.notes.iter().collect();
    notes.sort_by_key(|n| (n.onset, n.instrument, n.pitch));
    for note in notes {
        let from = clock.seconds(note.onset);
        let to = clock.seconds(note.onset.saturating_add(note.duration.max(1)));
        if to > MAX_SECONDS && options.seconds.is_none() {
            return Err(SynthError::Option {
                what: "the piece's length",
                value: format!("{to:.0} s"),
                expected: "at most 70 minutes",
            });
        }
        let start = (from * rate).round() as u64;
        let end = ((to * rate).round() as u64).max(start + 1);
        if limit.is_some_and(|limit| start >= limit) {
            continue;
        }
        last = last.max(end);
        let (_, place) = presets[&note.instrument];
        let velocity = note.velocity.clamp(1, 127);
        let loudness = (f32::from(velocity) / 127.0).powi(2) * MASTER * from_db(-place.trim_db);
        let regions = &needed[&(note.instrument, note.pitch.min(127), velocity)];
        let first = voices.len();
        for region in regions.iter() {
            let Some(source) = sources.get(&region.source) else { continue };
            let lean = (f32::from(note.pitch) - 64.0) / 44.0 * place.width;
            let pan = (place.pan + lean + 2.0 * region.pan).clamp(-1.0, 1.0);
            let angle = (pan + 1.0) * std::f32::consts::FRAC_PI_4;
            let gain = loudness * region.gain;
            let reverb = (place.reverb + 0.5 * region.reverb).min(1.0) * options.reverb;
            let chorus = (place.chorus + 0.5 * region.chorus).min(1.0) * options.chorus;
            voices.push(Planned {
                region: region.clone(),
                source: source.clone(),
                start,
                length: end - start,
                cut: None,
                step: 2f64.powf(f64::from(region.cents.clamp(-7200.0, 7200.0)) / 1200.0) * f64::from(source.rate)
                    / rate,
                gains: [gain * angle.cos(), gain * angle.sin(), gain * reverb, gain * chorus * 0.7],
            });
        }
        // Notes of one exclusive class cut off those before them.
        for index in first..voices.len() {
            let class = voices[index].region.exclusive;
            if class == 0 {
                continue;
            }
            let open = classes.entry((note.instrument, class)).or_default();
            open.retain(|&earlier| {
                let sounding = voices[earlier].start < start;
                if sounding {
                    let cut = start - voices[earlier].start;
                    let cut = voices[earlier].cut.map_or(cut, |c| c.min(cut));
                    voices[earlier].cut = Some(cut);
                }
                !sounding
            });
            open.push(index);
        }
    }
    let chorus = voices.iter().any(|v| v.gains[3] != 0.0);
    Ok(Plan { voices, end: last, chorus })
}
