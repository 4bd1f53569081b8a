//! From a preset, a key and a velocity to what sounds: samples with all their settings worked out.

use super::tables::{GEN_INSTRUMENT, GEN_KEY_RANGE, GEN_SAMPLE, GEN_VELOCITY_RANGE, Tables, ZoneRecord};

/// Most samples one note may sound at once; more is a damaged file.
const MAX_REGIONS: usize = 12;
/// Number of generators in SoundFont 2.04.
const GENERATORS: usize = 61;

/// An envelope's times in seconds, sustain in the envelope's own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EnvelopeTimes {
    pub delay: f32,
    pub attack: f32,
    pub hold: f32,
    pub decay: f32,
    /// Volume: attenuation in dB. Modulation: level 0–1.
    pub sustain: f32,
    pub release: f32,
}

/// Which part of which sample, and how it loops: the key of the cache of decoded samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SourceKey {
    pub sample: u16,
    pub start_offset: i32,
    pub end_offset: i32,
    pub loop_start_offset: i32,
    pub loop_end_offset: i32,
    pub looped: bool,
}

/// One sample as one note plays it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Region {
    pub source: SourceKey,
    /// Pitch above the sample as recorded, in cents.
    pub cents: f32,
    /// Fixed gain, linear (without velocity).
    pub gain: f32,
    /// -0.5 left … 0.5 right.
    pub pan: f32,
    /// Filter cutoff in absolute cents, and resonance in dB.
    pub cutoff: f32,
    pub resonance: f32,
    pub volume: EnvelopeTimes,
    pub modulation: EnvelopeTimes,
    /// What the modulation envelope and the two oscillators move.
    pub envelope_to_pitch: f32,
    pub envelope_to_cutoff: f32,
    pub lfo_to_pitch: f32,
    pub lfo_to_cutoff: f32,
    pub lfo_to_volume: f32,
    pub lfo_delay: f32,
    pub lfo_hz: f32,
    pub vibrato_to_pitch: f32,
    pub vibrato_delay: f32,
    pub vibrato_hz: f32,
    /// Notes of one class cut each other off; 0 = none.
    pub exclusive: u16,
    /// Sends, 0–1.
    pub chorus: f32,
    pub reverb: f32,
}

/// Generator values, first the instrument's (absolute), then the preset's (added).
struct Generators([i32; GENERATORS]);

impl Generators {
    fn new() -> Self {
        let mut g = [0; GENERATORS];
        g[8] = 13_500;
        for time in [21, 23, 25, 26, 27, 28, 30, 33, 34, 35, 36, 38] {
            g[time] = -12_000;
        }
        g[46] = -1;
        g[47] = -1;
        g[56] = 100;
        g[58] = -1;
        Generators(g)
    }

    fn set(&mut self, zone: &ZoneRecord) {
        for &(generator, amount) in &zone.generators {
            if let Some(slot) = self.0.get_mut(usize::from(generator)) {
                *slot = i32::from(amount);
            }
        }
    }

    fn add(&mut self, generator: usize, amount: i16) {
        // Sample addresses, ranges, fixed keys and modes are the instrument's alone.
        if generator < GENERATORS && !matches!(generator, 0..=4 | 12 | 41 | 43..=47 | 50 | 53 | 54 | 57 | 58) {
            self.0[generator] += i32::from(amount);
        }
    }

    fn seconds(&self, generator: usize) -> f32 {
        let cents = self.0[generator];
        if cents <= -12_000 { 0.0 } else { 2f32.powf(cents.min(8000) as f32 / 1200.0) }
    }

    fn hz(&self, generator: usize) -> f32 {
        8.176 * 2f32.powf(self.0[generator].clamp(-16_000, 4500) as f32 / 1200.0)
    }

    /// A time that changes with the key: `timecents + (60 - key) · scale`.
    fn keyed_seconds(&self, generator: usize, scale: usize, key: u8) -> f32 {
        let cents = self.0[generator] + (60 - i32::from(key)) * self.0[scale];
        if cents <= -12_000 { 0.0 } else { 2f32.powf(cents.min(8000) as f32 / 1200.0) }
    }
}

fn holds(zone: &ZoneRecord, key: u8, velocity: u8) -> bool {
    let within = |(low, high): (u8, u8), x| low <= x && x <= high;
    within(zone.range(GEN_KEY_RANGE), key) && within(zone.range(GEN_VELOCITY_RANGE), velocity)
}

/// What sounds when preset `preset` plays `key` at `velocity`: every matching pair of a preset zone
/// and an instrument zone. Broken references are skipped.
pub(super) fn regions(tables: &Tables, preset: usize, key: u8, velocity: u8) -> Vec<Region> {
    let mut found = Vec::new();
    let Some(preset) = tables.presets.get(preset) else { return found };
    let preset_global = preset.zones.first().filter(|z| z.get(GEN_INSTRUMENT).is_none());
    for preset_zone in &preset.zones {
        let Some(instrument) = preset_zone.get(GEN_INSTRUMENT) else { continue };
        if !holds(preset_zone, key, velocity) {
            continue;
        }
        let Some(instrument) = tables.instruments.get(usize::from(instrument as u16)) else { continue };
        let global = instrument.zones.first().filter(|z| z.get(GEN_SAMPLE).is_none());
        for zone in &instrument.zones {
            let Some(sample) = zone.get(GEN_SAMPLE) else { continue };
            let limits = ZoneRecord {
                generators: global
                    .iter()
                    .chain(std::iter::once(&zone))
                    .flat_map(|z| z.generators.iter().copied())
                    .collect(),
                modulators: Vec::new(),
            };
            if !holds(&limits, key, velocity) {
                continue;
            }
            let mut g = Generators::new();
            g.set(&limits);
            for &(generator, amount) in &preset_zone.generators {
                g.add(usize::from(generator), amount);
            }
            if let Some(global) = preset_global {
                for &(generator, amount) in &global.generators {
                    if preset_zone.get(generator).is_none() {
                        g.add(usize::from(generator), amount);
                    }
                }
            }
            if let Some(region) = region(tables, &g, sample as u16, key) {
                found.push(region);
                if found.len() == MAX_REGIONS {
                    return found;
                }
            }
        }
    }
    found
}

fn region(tables: &Tables, g: &Generators, sample: u16, key: u8) -> Option<Region> {
    let header = tables.samples.get(usize::from(sample))?;
    let v = &g.0;
    let key = u8::try_from(v[46]).ok().filter(|k| *k < 128).unwrap_or(key);
    let header_root = if header.root < 128 { header.root } else { 60 };
    let root = u8::try_from(v[58]).ok().filter(|k| *k < 128).unwrap_or(header_root);
    let cents = (i32::from(key) - i32::from(root)) * v[56].clamp(0, 1200)
        + v[51].clamp(-120, 120) * 100
        + v[52].clamp(-99, 99)
        + i32::from(header.correction);
    let envelope = |first: usize, sustain: f32| EnvelopeTimes {
        delay: g.seconds(first),
        attack: g.seconds(first + 1),
        hold: g.keyed_seconds(first + 2, first + 6, key),
        decay: g.keyed_seconds(first + 3, first + 7, key),
        sustain,
        release: g.seconds(first + 5),
    };
    Some(Region {
        source: SourceKey {
            sample,
            start_offset: v[0] + v[4] * 32_768,
            end_offset: v[1] + v[12] * 32_768,
            loop_start_offset: v[2] + v[45] * 32_768,
            loop_end_offset: v[3] + v[50] * 32_768,
            looped: v[54] & 1 == 1,
        },
        cents: cents as f32,
        // Sound card makers' 0.4: what the generator says in centibels sounds as 0.4 of it.
        gain: 10f32.powf(-0.4 * v[48].clamp(0, 1440) as f32 / 200.0),
        pan: v[17].clamp(-500, 500) as f32 / 1000.0,
        cutoff: v[8].clamp(1500, 13_500) as f32,
        resonance: v[9].clamp(0, 960) as f32 / 10.0,
        volume: envelope(33, v[37].clamp(0, 1440) as f32 / 10.0),
        modulation: envelope(25, 1.0 - v[29].clamp(0, 1000) as f32 / 1000.0),
        envelope_to_pitch: v[7].clamp(-12_000, 12_000) as f32,
        envelope_to_cutoff: v[11].clamp(-12_000, 12_000) as f32,
        lfo_to_pitch: v[5].clamp(-12_000, 12_000) as f32,
        lfo_to_cutoff: v[10].clamp(-12_000, 12_000) as f32,
        lfo_to_volume: v[13].clamp(-960, 960) as f32 / 10.0,
        lfo_delay: g.seconds(21),
        lfo_hz: g.hz(22),
        vibrato_to_pitch: v[6].clamp(-12_000, 12_000) as f32,
        vibrato_delay: g.seconds(23),
        vibrato_hz: g.hz(24),
        exclusive: v[57].clamp(0, 127) as u16,
        chorus: v[15].clamp(0, 1000) as f32 / 1000.0,
        reverb: v[16].clamp(0, 1000) as f32 / 1000.0,
    })
}
