//! Writes the fuzz corpora under `fuzz/corpus/`: small files made here, so that they are ours.
//!
//!     cargo run -p affetto --example fuzz_corpus

use std::path::Path;

use affetto_score::synth::tables::{
    GEN_INSTRUMENT, GEN_KEY_RANGE, GEN_SAMPLE, InstrumentRecord, PresetRecord, SampleRecord, Tables, ZoneRecord,
};
use affetto_score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TempoChange, midi, musicxml};

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let put = |target: &str, name: &str, bytes: &[u8]| {
        std::fs::create_dir_all(corpus.join(target))?;
        std::fs::write(corpus.join(target).join(name), bytes)
    };
    for (name, score) in [("waltz", waltz()), ("band", band()), ("empty", Score::default())] {
        put("midi", &format!("{name}.mid"), &midi::write(&score))?;
        put("musicxml", &format!("{name}.musicxml"), musicxml::write(&score).as_bytes())?;
    }
    let container = r#"<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>"#;
    let sheet = musicxml::write(&waltz());
    put("musicxml", "waltz.mxl", &zip(&[("META-INF/container.xml", container), ("a.xml", &sheet)]))?;
    // Running status, a pedal, a tempo and SMPTE timing: what our writer does not write.
    put("midi", "smpte.mid", b"MThd\0\0\0\x06\0\0\0\x01\xe7\x28MTrk\0\0\0\x1a\0\xc0\x00\0\xb0\x40\x7f\0\x90\x3c\x50\x20\x3c\0\x20\xb0\x40\0\0\xff\x2f\0\0")?;
    put("soundfont", "tone.sf2", &soundfont(0))?;
    put("soundfont", "looped.sf2", &soundfont(1))?;
    for (name, header, data) in [
        (
            "two",
            r#"{"weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"bias":{"dtype":"F16","shape":[2],"data_offsets":[16,20]}}"#,
            20,
        ),
        (
            "int8",
            r#"{"w":{"dtype":"I8","shape":[2,3],"data_offsets":[0,6]},"w.scale":{"dtype":"F32","shape":[2],"data_offsets":[6,14]},"__metadata__":{"a":"b"}}"#,
            14,
        ),
        ("none", "{}", 0),
    ] {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.resize(file.len() + data, 0x3c);
        put("safetensors_header", &format!("{name}.safetensors"), &file)?;
    }
    for (i, text) in [
        "0.3,-0.6",
        "-0.8,0.4",
        "0:-0.6,-0.4 15:0.1,0.2 30:0.8,0.7",
        "0:sad 10:happy",
        "not happy, but sad-sounding",
        "word,valence,arousal\n# remark\ncalm,0.4,-0.8,more\n",
        "1e308:0,0 inf:1,1",
    ]
    .into_iter()
    .enumerate()
    {
        put("curve", &format!("{i}.txt"), text.as_bytes())?;
    }
    Ok(())
}

/// A zip archive of texts, stored as they are.
fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut directory = Vec::new();
    for (name, text) in files {
        let at = all.len() as u32;
        let mut crc = !0u32;
        for byte in text.bytes() {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
            }
        }
        let size = text.len() as u32;
        let mut entry = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        [!crc, size, size].iter().for_each(|n| entry.extend(n.to_le_bytes()));
        entry.extend((name.len() as u16).to_le_bytes());
        entry.extend([0, 0]);
        all.extend(b"PK\x03\x04");
        all.extend(&entry);
        all.extend(name.bytes().chain(text.bytes()));
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&entry);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.bytes());
    }
    let (start, size, count) = (all.len() as u32, directory.len() as u32, files.len() as u16);
    all.extend(directory);
    all.extend(b"PK\x05\x06\0\0\0\0");
    [count, count].iter().for_each(|n| all.extend(n.to_le_bytes()));
    [size, start].iter().for_each(|n| all.extend(n.to_le_bytes()));
    all.extend([0, 0]);
    all
}

/// A pick-up, a chord, a tie over a bar line, a tempo and a key change.
fn waltz() -> Score {
    let note = |onset, duration, pitch| Note { onset, duration, pitch, velocity: 80, instrument: Instrument::PIANO };
    let mut score = Score {
        notes: vec![
            note(0, 480, 67),
            note(480, 480, 72),
            note(480, 1440, 48),
            note(480, 1440, 55),
            note(1800, 300, 76),
        ],
        tempos: vec![TempoChange { tick: 0, bpm: 132.0 }, TempoChange { tick: 1920, bpm: 98.5 }],
        meters: vec![MeterChange { tick: 0, numerator: 3, denominator: 4 }],
        keys: vec![KeyChange { tick: 0, key: Key { tonic: 0, mode: Mode::Major } }],
        pickup: 480,
        title: Some("Waltz & <more>".into()),
    };
    score.sort();
    score
}

/// Drums, a bass and a change of meter.
fn band() -> Score {
    let note = |onset, duration, pitch, instrument| Note { onset, duration, pitch, velocity: 100, instrument };
    let mut notes = Vec::new();
    for beat in 0..4 {
        notes.push(note(beat * 480, 40, if beat % 2 == 0 { 36 } else { 38 }, Instrument::DRUMS));
        notes.push(note(beat * 480, 240, 40 + beat as u8, Instrument(33)));
        notes.push(note(beat * 480 + 160, 160, 70, Instrument(73)));
    }
    let meters = vec![
        MeterChange { tick: 0, numerator: 2, denominator: 4 },
        MeterChange { tick: 960, numerator: 6, denominator: 8 },
    ];
    let mut score = Score { notes, meters, ..Score::default() };
    score.sort();
    score
}

/// One short tone for the piano and the drum kit.
fn soundfont(loop_mode: i16) -> Vec<u8> {
    let samples: Vec<u8> = (0..64u32)
        .map(|i| ((f64::from(i) * std::f64::consts::TAU / 16.0).sin() * 12_000.0) as i16)
        .chain([0; 46])
        .flat_map(i16::to_le_bytes)
        .collect();
    let zone = |generators: &[(u16, i16)]| ZoneRecord { generators: generators.to_vec(), modulators: Vec::new() };
    let preset = |name: &str, bank| PresetRecord {
        name: name.into(),
        program: 0,
        bank,
        zones: vec![zone(&[(GEN_INSTRUMENT, 0)])],
    };
    let tables = Tables {
        info: vec![(*b"ifil", vec![2, 0, 4, 0]), (*b"INAM", b"corpus\0\0".to_vec())],
        presets: vec![preset("tone", 0), preset("kit", 128)],
        instruments: vec![InstrumentRecord {
            name: "tone".into(),
            // 54: sample modes (1 loops), 38: release, 8: filter cutoff.
            zones: vec![zone(&[(GEN_KEY_RANGE, 0x7f00), (8, 9000), (38, -6000), (54, loop_mode), (GEN_SAMPLE, 0)])],
        }],
        samples: vec![SampleRecord {
            name: "tone".into(),
            start: 0,
            end: 64,
            loop_start: 16,
            loop_end: 48,
            rate: 8000,
            root: 60,
            correction: 0,
            link: 0,
            kind: 1,
        }],
        sample_bytes: 0..0,
    };
    tables.write(&samples)
}
