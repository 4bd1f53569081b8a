//! What models' activations are over given music, with small random models of both families.

mod common;

use std::path::Path;

use affetto::{Assets, Continuation, Error, ModelOptions, Prompt, Score, Studio};
use affetto_score::codec::{self, BAR};
use common::Desk;
use common::musicgen::Kind;

fn studio(desk: &Desk) -> Studio {
    Studio::open_model(desk.assets().to_str().unwrap(), &ModelOptions { threads: 1, ..ModelOptions::default() })
        .unwrap()
}

/// A WAV file of a sine that rises, 16 bit.
fn sound(path: &Path, rate: u32, channels: u16, seconds: f64, gain: f64) {
    let frames = (seconds * f64::from(rate)) as u32;
    let data = frames * u32::from(channels) * 2;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(channels) * 2).to_le_bytes());
    bytes.extend((channels * 2).to_le_bytes());
    bytes.extend(b"\x10\0data");
    bytes.extend(data.to_le_bytes());
    for i in 0..frames {
        let t = f64::from(i) / f64::from(rate);
        for channel in 0..channels {
            let x = (std::f64::consts::TAU * t * (200.0 + 100.0 * t + 50.0 * f64::from(channel))).sin();
            bytes.extend(((x * gain * 32_000.0) as i16).to_le_bytes());
        }
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn sound_is_recorded_in_stretches() {
    for kind in [Kind::Text, Kind::Stereo, Kind::Melody] {
        let desk = Desk::with_musicgen(kind);
        let mut studio = studio(&desk);
        let file = desk.path().join("long.wav");
        sound(&file, 32_000, 2, 7.0, 0.5);
        let found = studio.record(&file, 2.0).unwrap();
        let spans: Vec<(f64, f64)> = found.iter().map(|r| (r.start_seconds, r.seconds)).collect();
        assert_eq!(spans, [(0.0, 2.0), (2.0, 2.0), (4.0, 2.0), (6.0, 1.0)]);
        assert_eq!(found.iter().map(|r| r.pooled.steps).collect::<Vec<_>>(), [100, 100, 100, 50]);
        assert_eq!(studio.record(&file, 2.0).unwrap(), found);
        assert_ne!(found[0].pooled.means, found[1].pooled.means);
        // A rest of less than half a window is left out; shorter files are one stretch.
        assert_eq!(studio.record(&file, 3.0).unwrap().len(), 2);
        let whole = studio.record(&file, 30.0).unwrap();
        assert_eq!((whole.len(), whole[0].pooled.steps), (1, 350));
        let lm = studio.decoder().unwrap();
        assert_eq!(found[0].pooled.means.len(), lm.config().num_hidden_layers * 3 * lm.config().hidden_size);
        // Other rates and channels.
        let mono = desk.path().join("mono.wav");
        sound(&mono, 44_100, 1, 2.5, 0.5);
        let found = studio.record(&mono, 10.0).unwrap();
        assert_eq!((found.len(), found[0].pooled.steps), (1, 125));
    }
}

#[test]
fn codes_that_are_given_are_what_is_recorded() {
    // A take continued from sound begins with the sound's codes: pooling those is the recording.
    let desk = Desk::with_musicgen(Kind::Text);
    let mut studio = studio(&desk);
    let file = desk.path().join("two.wav");
    sound(&file, 32_000, 1, 2.0, 0.5);
    let take = studio
        .generate(&Prompt::new("calm").duration_seconds(3.0).continue_from(Continuation::read(&file).unwrap()))
        .unwrap();
    let given = take.codes();
    let rows: Vec<u32> = (0..100).flat_map(|frame| given.iter().map(move |k| k[frame])).collect();
    let pooled = studio.decoder().unwrap().pooled(&rows, &[], None).unwrap();
    assert_eq!(studio.record(&file, 2.0).unwrap()[0].pooled, pooled);
}

#[test]
fn sound_that_is_too_short_or_silent_is_named() {
    let desk = Desk::with_musicgen(Kind::Text);
    let mut studio = studio(&desk);
    let mut refused = |name: &str, make: &dyn Fn(&Path), window: f64| {
        let file = desk.path().join(name);
        make(&file);
        let error = studio.record(&file, window).err().unwrap();
        assert!(matches!(error, Error::Input { .. }) && error.to_string().contains(name), "{error}");
        error.to_string()
    };
    let message = refused("short.wav", &|file| sound(file, 32_000, 1, 1.5, 0.5), 10.0);
    assert!(message.contains("1.50 s of sound, expected at least 2"), "{message}");
    assert!(refused("short.wav", &|_| (), 2.0).contains("expected at least 2"));
    assert!(refused("quiet.wav", &|file| sound(file, 32_000, 2, 4.0, 0.0), 2.0).contains("is silent"));
    refused("none.wav", &|_| (), 2.0);
    refused("text.wav", &|file| std::fs::write(file, "no sound").unwrap(), 2.0);
    refused("tune.mid", &|file| std::fs::write(file, "MThd").unwrap(), 2.0);
    let file = desk.path().join("quiet.wav");
    for window in [0.0, 1.9, -1.0, f64::NAN, 31.0] {
        let message = studio.record(&file, window).err().unwrap().to_string();
        assert!(message.contains("the window is") && message.contains("at most 30 seconds"), "{message}");
    }
}

/// Quarters through bars of 4/4 at 120 BPM: 2 s a bar.
fn quarters(bars: u32, per_bar: u32) -> Score {
    let note = |bar: u32, i: u32| affetto_score::Note {
        onset: bar * 1920 + i * 1920 / per_bar,
        duration: 240,
        pitch: 60 + (i % 12) as u8,
        velocity: 80,
        instrument: affetto::Instrument((bar % 3) as u8),
    };
    Score { notes: (0..bars).flat_map(|bar| (0..per_bar).map(move |i| note(bar, i))).collect(), ..Score::default() }
}

#[test]
fn notes_are_recorded_in_whole_bars() {
    let desk = Desk::new();
    let mut studio = Studio::with_assets(Assets::open(desk.assets()).unwrap(), 1).unwrap();
    let file = |name: &str, score: &Score| {
        let path = desk.path().join(name);
        std::fs::write(&path, affetto_score::midi::write(score)).unwrap();
        path
    };
    let score = quarters(9, 4);
    let long = file("long.mid", &score);
    let found = studio.record(&long, 6.5).unwrap();
    let spans: Vec<(f64, f64)> = found.iter().map(|r| (r.start_seconds, r.seconds)).collect();
    assert_eq!(spans, [(0.0, 6.0), (6.0, 6.0), (12.0, 6.0)]);
    assert_eq!(studio.record(&long, 6.5).unwrap(), found);
    // The second stretch by hand: its rows, the first of which begins its bar.
    let rows = codec::encode(&affetto_score::midi::read(&std::fs::read(&long).unwrap()).unwrap()).rows;
    let mut codes: Vec<u32> = rows[12..24].iter().flatten().map(|&token| u32::from(token)).collect();
    assert_eq!(codes[BAR], 1);
    codes[BAR] = 0;
    assert_eq!(studio.decoder().unwrap().pooled(&codes, &[], None).unwrap(), found[1].pooled);
    // Rows that do not fit the model's window begin another stretch.
    let most = studio.decoder().unwrap().config().max_window;
    let dense = file("dense.mid", &quarters(40, 48));
    let found = studio.record(&dense, 60.0).unwrap();
    assert!(found.len() >= 2 && found.iter().all(|r| r.pooled.steps <= most));
    // Too few notes; none; no MIDI.
    let few = file("few.mid", &quarters(1, 7));
    let message = studio.record(&few, 10.0).err().unwrap().to_string();
    assert!(message.contains("few.mid") && message.contains("7 notes, expected at least 8"), "{message}");
    std::fs::write(&few, "no notes").unwrap();
    assert!(matches!(studio.record(&few, 10.0), Err(Error::Input { .. })));
    assert!(matches!(studio.record(&desk.path().join("none.mid"), 10.0), Err(Error::Input { .. })));
    assert!(matches!(studio.record(&long, f64::INFINITY), Err(Error::Prompt { .. })));
}
