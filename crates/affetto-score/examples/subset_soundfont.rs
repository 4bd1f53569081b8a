//! Cuts a SoundFont down to the presets this project ships: `assets/soundfont/affetto-gm.sf3`.
//!
//!     cargo run --release -p affetto-score --example subset_soundfont -- FluidR3Mono_GM.sf3 affetto-gm.sf3
//!
//! What it does, in order: keeps the presets in [`KEPT`]; of the drum kit, the General MIDI keys
//! 35–81; thins instruments that are sampled more densely than the span given for them (a zone goes
//! when its neighbours' root keys are no farther apart than the span; the neighbours then share its
//! keys); drops everything no kept preset needs; writes the file. Samples are copied byte by byte,
//! never encoded again. The same input gives the same output.

use std::collections::{BTreeMap, BTreeSet};

use affetto_score::synth::tables::{
    GEN_INSTRUMENT, GEN_KEY_RANGE, GEN_SAMPLE, GEN_VELOCITY_RANGE, SampleRecord, Tables, ZoneRecord,
};

/// Largest file that may ship.
const LIMIT: usize = 8 << 20;
/// Generator that overrides a sample's root key.
const GEN_ROOT: u16 = 58;
/// Generator that tunes a zone by semitones.
const GEN_COARSE_TUNE: u16 = 51;
/// Bank of the drum kits.
const DRUMS: u16 = 128;

/// (bank, program, widest distance in semitones between the root keys of neighbouring samples).
const KEPT: &[(u16, u16, u8)] = &[
    (0, 0, 4),     // grand piano
    (0, 4, 8),     // electric piano
    (0, 6, 12),    // harpsichord
    (0, 8, 9),     // celesta
    (0, 9, 9),     // glockenspiel
    (0, 10, 9),    // music box
    (0, 11, 9),    // vibraphone
    (0, 12, 12),   // marimba
    (0, 14, 12),   // tubular bells
    (0, 16, 12),   // drawbar organ
    (0, 19, 12),   // church organ
    (0, 21, 12),   // accordion
    (0, 24, 10),   // nylon guitar
    (0, 25, 10),   // steel guitar
    (0, 27, 9),    // clean guitar
    (0, 30, 12),   // distortion guitar
    (0, 32, 9),    // acoustic bass
    (0, 33, 7),    // finger bass
    (0, 38, 12),   // synth bass
    (0, 39, 12),   // synth bass 2
    (0, 40, 6),    // violin
    (0, 41, 8),    // viola
    (0, 42, 7),    // cello
    (0, 43, 8),    // contrabass
    (0, 44, 8),    // tremolo strings
    (0, 45, 12),   // pizzicato
    (0, 46, 9),    // harp
    (0, 47, 0),    // timpani
    (0, 48, 8),    // strings
    (0, 49, 8),    // slow strings
    (0, 50, 12),   // synth strings
    (0, 52, 9),    // choir
    (0, 54, 9),    // synth voice
    (0, 56, 4),    // trumpet
    (0, 57, 5),    // trombone
    (0, 58, 9),    // tuba
    (0, 60, 9),    // french horn
    (0, 61, 14),   // brass section
    (0, 65, 4),    // alto sax
    (0, 68, 4),    // oboe
    (0, 70, 6),    // bassoon
    (0, 71, 4),    // clarinet
    (0, 72, 8),    // piccolo
    (0, 73, 5),    // flute
    (0, 74, 4),    // recorder
    (0, 75, 9),    // pan flute
    (0, 80, 12),   // square lead
    (0, 81, 12),   // saw lead
    (0, 88, 12),   // new age pad
    (0, 89, 12),   // warm pad
    (0, 95, 12),   // sweep pad
    (DRUMS, 0, 0), // standard kit
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(output)) = (args.next(), args.next()) else {
        return Err("give the SoundFont to read and the one to write".into());
    };
    let bytes = std::fs::read(&input)?;
    let all = Tables::read(&bytes)?;
    let mut kept = select(&all)?;
    let spans = spans(&kept);
    for (index, instrument) in kept.instruments.iter_mut().enumerate() {
        if let Some(&span) = spans.get(&index) {
            instrument.zones = thin(&instrument.zones, &all.samples, span);
        }
    }
    compact(&mut kept);
    let chunk = &bytes[kept.sample_bytes.clone()];
    let samples = copy_samples(&mut kept, chunk);
    let size = |s: &SampleRecord| (s.end - s.start) as usize;
    println!("| bank | program | preset | samples | bytes | of the original's |\n|---|---|---|---|---|---|");
    for preset in &kept.presets {
        let before = preset_samples(&all, preset.bank, preset.program);
        let after = preset_samples(&kept, preset.bank, preset.program);
        let sum = |tables: &Tables, set: &BTreeSet<usize>| set.iter().map(|&i| size(&tables.samples[i])).sum::<usize>();
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            preset.bank,
            preset.program,
            preset.name,
            after.len(),
            sum(&kept, &after),
            sum(&all, &before)
        );
    }
    let file = kept.write(&samples);
    println!(
        "\n{} presets, {} instruments, {} samples, {} bytes",
        kept.presets.len(),
        kept.instruments.len(),
        kept.samples.len(),
        file.len()
    );
    if file.len() > LIMIT {
        return Err(
            format!("{} bytes are more than the limit of {LIMIT}: widen spans or drop presets", file.len()).into()
        );
    }
    std::fs::write(output, file)?;
    Ok(())
}

/// The kept presets, in the order of [`KEPT`], with everything else still in place.
fn select(all: &Tables) -> Result<Tables, String> {
    let mut kept = all.clone();
    kept.presets.clear();
    for &(bank, program, _) in KEPT {
        let preset = all.presets.iter().find(|p| p.bank == bank && p.program == program);
        let preset = preset.ok_or_else(|| format!("no preset {bank}:{program}"))?.clone();
        if bank == DRUMS {
            for instrument in instruments_of(&preset.zones) {
                let zones = &mut kept.instruments[instrument].zones;
                zones.retain(|z| z.get(GEN_SAMPLE).is_none() || in_general_midi(z));
            }
        }
        kept.presets.push(preset);
    }
    Ok(kept)
}

/// Whether a drum zone touches the General MIDI percussion keys.
fn in_general_midi(zone: &ZoneRecord) -> bool {
    let (low, high) = zone.range(GEN_KEY_RANGE);
    low <= 81 && high >= 35
}

fn instruments_of(zones: &[ZoneRecord]) -> impl Iterator<Item = usize> {
    zones.iter().filter_map(|z| z.get(GEN_INSTRUMENT)).map(|i| usize::from(i as u16))
}

/// The span of every pitched instrument: the smallest of the presets that use it.
fn spans(kept: &Tables) -> BTreeMap<usize, u8> {
    let mut spans = BTreeMap::new();
    for (preset, &(_, _, span)) in kept.presets.iter().zip(KEPT) {
        for instrument in instruments_of(&preset.zones) {
            let entry = spans.entry(instrument).or_insert(span);
            *entry = span.min(*entry);
        }
    }
    spans
}

/// The zones of an instrument without those whose neighbours can stand in for them.
fn thin(zones: &[ZoneRecord], samples: &[SampleRecord], span: u8) -> Vec<ZoneRecord> {
    // The key at which a zone sounds as recorded.
    let root = |zone: &ZoneRecord| {
        let header = zone.get(GEN_SAMPLE).and_then(|s| samples.get(usize::from(s as u16))).map_or(60, |s| s.root);
        let given = zone.get(GEN_ROOT).filter(|r| (0..128).contains(r));
        given.unwrap_or(i16::from(header)) - zone.get(GEN_COARSE_TUNE).unwrap_or(0)
    };
    // Layers: zones of one velocity range whose keys do not overlap, from low to high.
    let mut order: Vec<usize> = (0..zones.len()).filter(|&i| zones[i].get(GEN_SAMPLE).is_some()).collect();
    order.sort_by_key(|&i| (zones[i].range(GEN_VELOCITY_RANGE), zones[i].range(GEN_KEY_RANGE), i));
    let mut layers: Vec<Vec<usize>> = Vec::new();
    for &i in &order {
        let fits = |layer: &&mut Vec<usize>| {
            let last = &zones[layer[layer.len() - 1]];
            last.range(GEN_VELOCITY_RANGE) == zones[i].range(GEN_VELOCITY_RANGE)
                && last.range(GEN_KEY_RANGE).1 < zones[i].range(GEN_KEY_RANGE).0
        };
        match layers.iter_mut().find(fits) {
            Some(layer) => layer.push(i),
            None => layers.push(vec![i]),
        }
    }
    let mut result: Vec<Option<ZoneRecord>> = zones.iter().cloned().map(Some).collect();
    for layer in &layers {
        let mut last = 0;
        for at in 1..layer.len() {
            let wide = |a: usize, b: usize| root(&zones[layer[b]]).abs_diff(root(&zones[layer[a]]));
            if at + 1 < layer.len() && wide(last, at + 1) <= u16::from(span) {
                result[layer[at]] = None;
                continue;
            }
            // `last` and `at` stay: they share the keys between them.
            let (below, above) = (zones[layer[last]].range(GEN_KEY_RANGE), zones[layer[at]].range(GEN_KEY_RANGE));
            if at > last + 1 {
                let middle = below.1 + (above.0 - below.1) / 2;
                stretch(&mut result[layer[last]], |(low, _)| (low, middle));
                stretch(&mut result[layer[at]], |(_, high)| (middle + 1, high));
            }
            last = at;
        }
    }
    result.into_iter().flatten().collect()
}

/// Changes a zone's key range.
fn stretch(zone: &mut Option<ZoneRecord>, change: impl Fn((u8, u8)) -> (u8, u8)) {
    if let Some(zone) = zone {
        let (low, high) = change(zone.range(GEN_KEY_RANGE));
        zone.generators.retain(|g| g.0 != GEN_KEY_RANGE);
        // A key range comes first in its zone.
        zone.generators.insert(0, (GEN_KEY_RANGE, i16::from_le_bytes([low, high])));
    }
}

/// Drops instruments and samples that nothing needs, and numbers the rest anew.
fn compact(kept: &mut Tables) {
    let used: BTreeSet<usize> = kept.presets.iter().flat_map(|p| instruments_of(&p.zones)).collect();
    let old = std::mem::take(&mut kept.instruments);
    kept.instruments = used.iter().map(|&i| old[i].clone()).collect();
    let number: BTreeMap<usize, usize> = used.into_iter().enumerate().map(|(new, old)| (old, new)).collect();
    for zone in kept.presets.iter_mut().flat_map(|p| &mut p.zones) {
        renumber(zone, GEN_INSTRUMENT, &number);
    }
    let used: BTreeSet<usize> = kept
        .instruments
        .iter()
        .flat_map(|i| i.zones.iter().filter_map(|z| z.get(GEN_SAMPLE)))
        .map(|s| usize::from(s as u16))
        .collect();
    let old = std::mem::take(&mut kept.samples);
    kept.samples = used.iter().map(|&i| old[i].clone()).collect();
    let number: BTreeMap<usize, usize> = used.into_iter().enumerate().map(|(new, old)| (old, new)).collect();
    for sample in &mut kept.samples {
        sample.link = number.get(&usize::from(sample.link)).map_or(0, |&n| n as u16);
    }
    for zone in kept.instruments.iter_mut().flat_map(|i| &mut i.zones) {
        renumber(zone, GEN_SAMPLE, &number);
    }
}

fn renumber(zone: &mut ZoneRecord, generator: u16, number: &BTreeMap<usize, usize>) {
    for (g, amount) in &mut zone.generators {
        if *g == generator {
            *amount = number[&usize::from(*amount as u16)] as u16 as i16;
        }
    }
}

/// The new `smpl` chunk; samples that share bytes share them still.
fn copy_samples(kept: &mut Tables, chunk: &[u8]) -> Vec<u8> {
    let mut places: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    let mut out = Vec::new();
    for sample in &mut kept.samples {
        let start = *places.entry((sample.start, sample.end)).or_insert_with(|| {
            let start = out.len() as u32;
            out.extend_from_slice(&chunk[sample.start as usize..sample.end as usize]);
            start
        });
        sample.end = start + (sample.end - sample.start);
        sample.start = start;
    }
    out
}

fn preset_samples(tables: &Tables, bank: u16, program: u16) -> BTreeSet<usize> {
    let Some(preset) = tables.presets.iter().find(|p| p.bank == bank && p.program == program) else {
        return BTreeSet::new();
    };
    instruments_of(&preset.zones)
        .flat_map(|i| tables.instruments[i].zones.iter().filter_map(|z| z.get(GEN_SAMPLE)))
        .map(|s| usize::from(s as u16))
        .collect()
}
