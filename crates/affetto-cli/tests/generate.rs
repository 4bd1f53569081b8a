//! `affetto generate` from prompt to files, with a small random model.

mod common;

use std::io::Read;
use std::process::Stdio;

use affetto_score::{Instrument, midi};
use common::Desk;

/// Frames of a 16-bit stereo WAV file of 44.1 kHz, as (left, right).
fn frames(wav: &[u8]) -> Vec<(i16, i16)> {
    assert_eq!((&wav[..4], &wav[8..16], &wav[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
    let number = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap());
    assert_eq!((number(4), number(40)), (wav.len() as u32 - 8, wav.len() as u32 - 44));
    assert_eq!((number(24), wav[22], wav[34]), (44_100, 2, 16));
    let sample = |b: &[u8]| i16::from_le_bytes([b[0], b[1]]);
    wav[44..].chunks_exact(4).map(|f| (sample(&f[..2]), sample(&f[2..]))).collect()
}

#[test]
fn every_format_is_written_and_is_what_it_says() {
    let desk = Desk::new();
    let all = ["-o", "a.wav", "-o", "a.flac", "-o", "a.mid", "-o", "a.musicxml", "-o", "a.json"];
    let printed =
        desk.ok(&[&["generate", "x", "--emotion", "0.3,-0.6", "--duration", "4", "--seed", "7"], &all[..]].concat());
    assert_eq!(desk.files(), ["a.flac", "a.json", "a.mid", "a.musicxml", "a.wav"]);
    assert!(printed.contains("valence 0.30, arousal -0.60") && printed.contains("seed      7"), "{printed}");
    assert_eq!(frames(&desk.read("a.wav")).len(), 4 * 44_100);
    assert!(desk.read("a.flac").starts_with(b"fLaC"));
    let score = midi::read(&desk.read("a.mid")).unwrap();
    assert!(!score.notes.is_empty());
    let sheet = affetto_score::musicxml::read(&desk.read("a.musicxml")).unwrap().score;
    assert!(!sheet.notes.is_empty());
    let take: serde_json::Value = serde_json::from_slice(&desk.read("a.json")).unwrap();
    assert_eq!((take["family"].as_str(), take["seed"].as_u64()), (Some("affetto-score"), Some(7)));
    let codes = take["codes"].as_array().unwrap();
    let rows = codes[0].as_array().unwrap().len();
    assert!(codes.len() == 6 && codes.iter().all(|stream| stream.as_array().unwrap().len() == rows), "{codes:?}");
    assert_eq!(take["notes"].as_array().unwrap().len(), take["note_count"].as_u64().unwrap() as usize);
}

#[test]
fn the_sound_is_as_long_as_asked_and_ends_in_silence() {
    let desk = Desk::new();
    desk.ok(&["generate", "x", "--duration", "5.5", "--seed", "1", "-o", "a.wav"]);
    let sound = frames(&desk.read("a.wav"));
    assert_eq!(sound.len(), 242_550);
    let loudest = |part: &[(i16, i16)]| part.iter().map(|(l, r)| l.unsigned_abs().max(r.unsigned_abs())).max().unwrap();
    assert!(loudest(&sound) > 1000, "there is music");
    assert!(loudest(&sound[sound.len() - 2205..]) <= 32, "the last 50 ms are below -60 dBFS");
}

#[test]
fn a_seed_repeats_a_take_on_any_number_of_threads_and_another_does_not() {
    let desk = Desk::new();
    let make = |seed: &str, threads: &str, name: &str| {
        let wav = format!("{name}.wav");
        let mid = format!("{name}.mid");
        desk.ok(&["generate", "x", "--duration", "6", "--seed", seed, "--threads", threads, "-o", &wav, "-o", &mid]);
        (desk.read(&wav), desk.read(&mid))
    };
    let first = make("5", "1", "a");
    assert!(first == make("5", "2", "b") && first == make("5", "5", "c"), "threads changed the music");
    let other = make("6", "1", "d");
    assert!(first.0 != other.0 && first.1 != other.1);
}

#[test]
fn names_without_o_and_with_count() {
    let desk = Desk::new();
    desk.ok(&["generate", "x", "--duration", "1", "--seed", "9"]);
    assert_eq!(desk.files(), ["affetto-9.mid", "affetto-9.wav"]);
    let desk = Desk::new();
    let report = desk.json(&["generate", "x", "--duration", "1", "--seed", "9", "--count", "2", "-o", "t.mid"]);
    assert_eq!(desk.files(), ["t-1.mid", "t-2.mid"]);
    let takes = report["takes"].as_array().unwrap();
    assert_eq!((takes[0]["seed"].as_u64(), takes[1]["seed"].as_u64()), (Some(9), Some(10)));
    assert_eq!(takes[1]["files"][0], "t-2.mid");
    desk.ok(&["generate", "x", "--duration", "1", "--seed", "10", "-o", "again.mid"]);
    assert_eq!(desk.read("again.mid"), desk.read("t-2.mid"), "the second take's seed repeats it");
}

#[test]
fn a_seed_is_drawn_and_told() {
    let desk = Desk::new();
    let seeds: Vec<u64> =
        (0..2).map(|_| desk.json(&["generate", "x", "--duration", "1"])["seed"].as_u64().unwrap()).collect();
    assert_ne!(seeds[0], seeds[1]);
    assert!(desk.files().contains(&format!("affetto-{}.wav", seeds[0])));
}

#[test]
fn json_says_all_that_is_promised() {
    let desk = Desk::new();
    let curve = "0:-0.6,-0.4 1:0.1,0.2";
    let report = desk.json(&["generate", "x", "--duration", "2", "--emotion", curve, "-o", "a.mid"]);
    for field in [
        "seed",
        "model",
        "licences",
        "duration_seconds",
        "tempo_bpm",
        "key",
        "meter",
        "instruments",
        "files",
        "seconds_taken",
    ] {
        assert!(!report[field].is_null(), "{field} is missing: {report}");
    }
    assert_eq!(report["emotion_from"], "asked");
    assert_eq!(report["emotion_asked"][1], serde_json::json!({"seconds": 1.0, "valence": 0.1, "arousal": 0.2}));
}

#[test]
fn what_is_fixed_is_kept() {
    let desk = Desk::new();
    let report = desk.json(&[
        "generate",
        "x",
        "--duration",
        "8",
        "--tempo",
        "96",
        "--key",
        "F#m",
        "--meter",
        "3/4",
        "--instruments",
        "violin,cello",
        "--emotion",
        "-0.5,0.5",
        "-o",
        "a.mid",
    ]);
    assert_eq!((report["key"].as_str(), report["meter"].as_str()), (Some("F# minor"), Some("3/4")));
    assert_eq!(report["instruments"], serde_json::json!(["Violin", "Cello"]));
    assert_eq!(report["tempo_bpm"], 96.0);
    let score = midi::read(&desk.read("a.mid")).unwrap();
    assert!(
        score.instruments().iter().all(|i| [Instrument(40), Instrument(42)].contains(i)),
        "{:?}",
        score.instruments()
    );
    assert_eq!((score.meters[0].numerator, score.meters[0].denominator), (3, 4));
    assert!(score.tempos.iter().all(|t| (t.bpm - 96.0).abs() < 0.001), "{:?}", score.tempos);
}

#[test]
fn words_are_read_for_feeling_only_without_an_emotion() {
    let desk = Desk::new();
    let felt = |args: &[&str]| {
        let report = desk.json(&[&["generate", "--duration", "1", "--force", "-o", "a.mid"], args].concat());
        let point = &report["emotion_asked"][0];
        (point["valence"].as_f64().unwrap(), point["arousal"].as_f64().unwrap(), report["emotion_from"].clone())
    };
    let (happy, funeral) = (felt(&["happy"]), felt(&["a funeral in the rain"]));
    assert!(happy.0 > 0.0 && funeral.0 < 0.0 && happy.1 > funeral.1, "{happy:?} {funeral:?}");
    assert_eq!(happy.2, "lexicon");
    assert_eq!(felt(&["water over stones"]).2, "words");
    assert_eq!(felt(&["a happy waltz for piano"]).2, "lexicon");
    let plain = desk.json(&["generate", "a waltz for piano", "--duration", "1", "--force", "-o", "a.mid"]);
    assert_eq!(
        (plain["emotion_from"].as_str(), plain["emotion_asked"].as_array().map(Vec::len)),
        (Some("none"), Some(0))
    );
    assert_eq!(felt(&["happy", "--emotion", "-0.8,0.4"]).0, -0.8);
    assert_eq!(felt(&["happy", "--emotion=-0.8,0.4"]).1, 0.4);
    assert_eq!(felt(&["happy", "--emotion", "serene"]).2, "asked");
}

#[test]
fn sound_streams_to_standard_output() {
    let desk = Desk::new();
    let args = ["generate", "x", "--duration", "2", "--seed", "3"];
    let streamed = desk.run(&[&args[..], &["-o", "-"]].concat());
    assert!(streamed.status.success());
    assert!(String::from_utf8_lossy(&streamed.stderr).contains("seed      3"));
    assert!(desk.files().is_empty());
    desk.ok(&[&args[..], &["-o", "a.wav"]].concat());
    assert_eq!(streamed.stdout, desk.read("a.wav"));
    // A reader that goes away is no cause for complaint.
    let mut child = desk
        .command(&[&args[..], &["-o", "-", "--quiet"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn quiet_prints_nothing() {
    let desk = Desk::new();
    let done = desk.run(&["generate", "x", "--duration", "1", "--quiet", "-o", "a.wav"]);
    assert!(done.status.success() && done.stdout.is_empty() && done.stderr.is_empty());
}

#[test]
fn force_replaces_and_its_absence_does_not() {
    let desk = Desk::new();
    let args = ["generate", "x", "--duration", "1", "--seed", "4", "-o", "a.mid"];
    std::fs::write(desk.path().join("a.mid"), "mine").unwrap();
    assert!(desk.fails(1, &args).contains("--force"));
    assert_eq!(desk.read("a.mid"), b"mine");
    desk.ok(&[&args[..], &["--force", "--force"]].concat());
    assert!(desk.read("a.mid").starts_with(b"MThd"));
}

#[cfg(unix)]
#[test]
fn a_file_size_limit_leaves_no_file() {
    let desk = Desk::new();
    let limited = |limit: u32| {
        let script = format!("ulimit -f {limit}; exec \"$0\" generate x --duration 20 -o a.mid -o a.wav -o a.json");
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_affetto")]).current_dir(desk.path());
        command.env("AFFETTO_ASSETS", desk.assets()).output().unwrap()
    };
    let line = common::one_error(1, &limited(100), &["ulimit -f 100"]);
    assert!(
        line.contains("a.wav") && line.contains("ulimit -f") && line.contains("nothing of this take was written"),
        "{line}"
    );
    assert!(desk.files().is_empty(), "{:?}", desk.files());
    common::one_error(1, &limited(0), &["ulimit -f 0"]);
    assert!(desk.files().is_empty(), "{:?}", desk.files());
}
