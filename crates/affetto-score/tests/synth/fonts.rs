//! SoundFonts made for the tests.

use affetto_score::synth::tables::{InstrumentRecord, PresetRecord, SampleRecord, Tables, ZoneRecord};
use affetto_score::{Instrument, Note, Score};

pub fn zone(generators: &[(u16, i16)]) -> ZoneRecord {
    ZoneRecord { generators: generators.to_vec(), modulators: Vec::new() }
}

/// A looped sine (100 points a period, 22,050 Hz, so 220.5 Hz: key 57 and 4 cents) as programs 0 and
/// 40, a decaying noise burst as the drum kit, whose keys 42 and 46 cut each other off.
pub fn tables() -> (Tables, Vec<u8>) {
    let mut points: Vec<i16> =
        (0..1000).map(|i| (16_000.0 * (std::f32::consts::TAU * i as f32 / 100.0).sin()) as i16).collect();
    let mut state = 1u32;
    for i in 0..4000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        points.push(((state >> 17) as f32 * (1.0 - i as f32 / 4000.0)) as i16 / 2);
    }
    let sample = |name: &str, start, end, loop_start, loop_end, root| SampleRecord {
        name: name.into(),
        start,
        end,
        loop_start,
        loop_end,
        rate: 22_050,
        root,
        correction: -4,
        link: 0,
        kind: 1,
    };
    let preset = |name: &str, bank, program, instrument| PresetRecord {
        name: name.into(),
        program,
        bank,
        zones: vec![zone(&[]), zone(&[(41, instrument)])],
    };
    let tables = Tables {
        info: vec![(*b"ifil", vec![2, 0, 4, 0]), (*b"INAM", b"tiny\0".to_vec())],
        presets: vec![preset("sine", 0, 0, 0), preset("soft sine", 0, 40, 1), preset("kit", 128, 0, 2)],
        instruments: vec![
            // Global zone: release of 0.25 s; the sample loops.
            InstrumentRecord { name: "sine".into(), zones: vec![zone(&[(38, -2400)]), zone(&[(54, 1), (53, 0)])] },
            // Filter, vibrato, slow attack, low keys only.
            InstrumentRecord {
                name: "soft".into(),
                zones: vec![zone(&[(43, 0x7F00), (8, 6000), (6, 20), (34, -3600), (11, 1200), (54, 1), (53, 0)])],
            },
            InstrumentRecord {
                name: "kit".into(),
                zones: vec![
                    zone(&[(43, 0x2A2A), (57, 1), (58, 42), (38, 2000), (53, 1)]),
                    zone(&[(43, 0x2E2E), (57, 1), (58, 46), (38, 2000), (53, 1)]),
                    zone(&[(43, 0x2924), (58, 36), (53, 1)]),
                ],
            },
        ],
        samples: vec![sample("sine", 0, 1000, 100, 900, 57), sample("noise", 1000, 5000, 1000, 5000, 60)],
        sample_bytes: 0..0,
    };
    (tables, points.iter().flat_map(|p| p.to_le_bytes()).collect())
}

pub fn tiny() -> Vec<u8> {
    let (tables, samples) = tables();
    tables.write(&samples)
}

/// The shipped font's file.
pub fn shipped() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/soundfont/affetto-gm.sf3");
    std::fs::read(path).expect("assets/soundfont/affetto-gm.sf3")
}

/// A SoundFont 3 of one Vorbis sample, the smallest of the shipped font.
pub fn tiny_vorbis() -> Vec<u8> {
    let file = shipped();
    let all = Tables::read(&file).unwrap();
    let small = all.samples.iter().min_by_key(|s| s.end - s.start).unwrap();
    let chunk = &file[all.sample_bytes.clone()];
    let bytes = chunk[small.start as usize..small.end as usize].to_vec();
    let (mut tables, _) = tables();
    tables.samples = vec![SampleRecord { start: 0, end: bytes.len() as u32, ..small.clone() }; 2];
    tables.write(&bytes)
}

/// A score at 120 to the minute: (onset, duration in ticks, pitch, velocity, program).
pub fn score(notes: &[(u32, u32, u8, u8, u8)]) -> Score {
    let mut score = Score::default();
    for &(onset, duration, pitch, velocity, program) in notes {
        score.notes.push(Note { onset, duration, pitch, velocity, instrument: Instrument(program) });
    }
    score.sort();
    score
}
