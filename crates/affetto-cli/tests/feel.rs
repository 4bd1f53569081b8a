//! `affetto feel`: what files feel like, through the real binary.

mod common;

use std::path::Path;

use affetto_audio::{AudioBuffer, SampleFormat, write_flac, write_wav};
use common::Desk;

const RATE: u32 = 22_050;

/// Broken chords, plucked, of some seconds.
fn music(seconds: f64, rate: u32) -> Vec<f32> {
    let keys = [60, 64, 67, 72, 65, 69, 72, 77, 67, 71, 74, 79, 60, 64, 67, 72];
    let tau = std::f32::consts::TAU;
    (0..(seconds * f64::from(rate)) as usize)
        .map(|i| {
            let t = i as f32 / rate as f32;
            let (note, at) = ((t * 4.0) as usize, (t * 4.0).fract() / 4.0);
            let hz = 440.0 * 2f32.powf((keys[note % keys.len()] as f32 - 69.0) / 12.0);
            let tone = (1..6).map(|k| (tau * hz * k as f32 * at).sin() / (k * k) as f32).sum::<f32>();
            0.3 * tone * (-6.0 * at).exp() * (at * 400.0).min(1.0)
        })
        .collect()
}

fn wav(path: &Path, rate: u32, channels: Vec<Vec<f32>>) {
    let file = std::fs::File::create(path).unwrap();
    write_wav(file, &AudioBuffer { sample_rate: rate, channels }, SampleFormat::Pcm16).unwrap();
}

fn number(answer: &serde_json::Value, name: &str) -> f64 {
    answer[name].as_f64().unwrap_or_else(|| panic!("{name} in {answer}"))
}

#[test]
fn windows_cover_the_file_and_form_and_rate_hardly_matter() {
    let desk = Desk::new();
    let sound = music(12.0, RATE);
    wav(&desk.path().join("a.wav"), RATE, vec![sound.clone()]);
    let stereo = AudioBuffer { sample_rate: 48_000, channels: vec![music(12.0, 48_000); 2] };
    write_flac(std::fs::File::create(desk.path().join("b.flac")).unwrap(), &stereo, SampleFormat::Pcm24).unwrap();
    let text = desk.ok(&["feel", "a.wav", "b.flac", "--json", "--window", "4"]);
    let answers: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 2);
    for (answer, file) in answers.iter().zip(["a.wav", "b.flac"]) {
        assert_eq!(answer["file"], file);
        assert!((0.0..=1.0).contains(&number(answer, "confidence")));
        let windows = answer["windows"].as_array().unwrap();
        assert_eq!(windows.len(), 3);
        let mut end = 0.0;
        for window in windows {
            assert_eq!(number(window, "start"), end);
            end = number(window, "end");
            assert!(number(window, "valence").abs() <= 1.0 && number(window, "arousal").abs() <= 1.0);
            assert!((0.0..=1.0).contains(&number(window, "confidence")));
        }
        assert!((end - 12.0).abs() < 0.01, "{end}");
    }
    for axis in ["valence", "arousal"] {
        let (a, b) = (number(&answers[0], axis), number(&answers[1], axis));
        assert!((a - b).abs() < 0.35, "{axis}: {a} of mono at 22 kHz, {b} of stereo at 48 kHz");
    }
}

#[test]
fn what_is_no_music_is_refused_or_doubted() {
    let desk = Desk::new();
    let mut state = 1u32;
    let mut white = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let seconds = |s: usize| s * RATE as usize;
    wav(&desk.path().join("silence.wav"), RATE, vec![vec![0.0; seconds(5)]]);
    wav(&desk.path().join("short.wav"), RATE, vec![music(0.01, RATE)]);
    wav(&desk.path().join("noise.wav"), RATE, vec![(0..seconds(6)).map(|_| 0.3 * white()).collect()]);
    let click = |i: usize| if i.is_multiple_of(9000) { 0.9 } else { 0.0 };
    wav(&desk.path().join("clicks.wav"), RATE, vec![(0..seconds(6)).map(click).collect()]);
    assert!(desk.fails(1, &["feel", "silence.wav"]).contains("silence.wav: silence"));
    let line = desk.fails(1, &["feel", "short.wav"]);
    assert!(line.contains("short.wav: 0.010 s") && line.contains("1 s at least"), "{line}");
    for file in ["noise.wav", "clicks.wav"] {
        let confidence = number(&desk.json(&["feel", file]), "confidence");
        assert!(confidence < 0.3, "{file}: confidence {confidence}");
    }
}

#[test]
fn notes_are_heard_as_they_are_rendered_and_the_picture_shows_them() {
    let desk = Desk::new();
    desk.ok(&["generate", "a piano", "--seed", "3", "--duration", "8", "--emotion", "0.5,0.5", "-o", "a.mid"]);
    let answer = desk.json(&["feel", "a.mid", "--plot", "a.svg"]);
    assert!(!answer["windows"].as_array().unwrap().is_empty());
    let svg = std::fs::read_to_string(desk.path().join("a.svg")).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    assert_eq!(document.root_element().tag_name().name(), "svg");
    assert!(svg.contains("valence") && svg.contains("arousal"));
    let line = desk.fails(1, &["feel", "a.mid", "--plot", "a.svg"]);
    assert!(line.contains("a.svg") && line.contains("--force"), "{line}");
}

#[test]
fn one_bad_file_does_not_keep_the_others_from_being_heard() {
    let desk = Desk::new();
    wav(&desk.path().join("a.wav"), RATE, vec![music(3.0, RATE)]);
    std::fs::write(desk.path().join("bad.mp3"), b"no sound at all").unwrap();
    let done = desk.run(&["feel", "bad.mp3", "a.wav", "none.wav", "--json"]);
    assert_eq!(done.status.code(), Some(1));
    let (out, said) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(said.contains("bad.mp3") && said.contains("none.wav") && said.contains("2 of 3 files"), "{said}");
}

#[test]
fn flags_that_make_no_sense() {
    let desk = Desk::new();
    assert!(desk.fails(2, &["feel", "a.wav", "--window", "0"]).contains("--window 0"));
    assert!(desk.fails(2, &["feel", "a.wav", "--window", "NaN"]).contains("--window"));
    assert!(desk.fails(2, &["feel", "a.wav", "b.wav", "--plot", "x.svg"]).contains("one picture"));
    assert!(desk.fails(2, &["feel", "a.wav", "--plot", "x.png"]).contains(".svg"));
}
