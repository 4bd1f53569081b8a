//! `affetto generate --model` from prompt to files, with small random MusicGen models.

mod common;

use common::Desk;
use common::musicgen::{CODES, Kind};
use serde_json::Value;

/// Runs `generate` with the desk's model and gives its `take.json`.
fn take(desk: &Desk, args: &[&str]) -> Value {
    desk.ok(&[&desk.with_model(args)[..], &["-o", "take.json", "--force", "--quiet"]].concat());
    serde_json::from_slice(&desk.read("take.json")).unwrap()
}

/// The codes of a `take.json`, `[K][frames]`.
fn codes(take: &Value) -> Vec<Vec<u64>> {
    let stream = |s: &Value| s.as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).collect();
    take["codes"].as_array().unwrap().iter().map(stream).collect()
}

fn made(desk: &Desk, args: &[&str]) -> Vec<Vec<u64>> {
    codes(&take(desk, args))
}

/// Samples of a 16-bit WAV file, interleaved, and its channels.
fn samples(wav: &[u8]) -> (Vec<i16>, usize) {
    let number = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap());
    assert_eq!((&wav[..4], &wav[8..16], &wav[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
    assert_eq!((number(4) as usize, number(24), wav[34]), (wav.len() - 8, 32_000, 16));
    let data = &wav[44..44 + number(40) as usize];
    (data.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect(), usize::from(wav[22]))
}

/// A mono WAV file of sines, each for a second.
fn tune(desk: &Desk, name: &str, rate: u32, pitches: &[f32]) {
    let samples: Vec<i16> = (0..pitches.len() as u32 * rate)
        .map(|i| {
            let angle = std::f32::consts::TAU * pitches[(i / rate) as usize] * i as f32 / rate as f32;
            (angle.sin() * 12_000.0) as i16
        })
        .collect();
    wav(desk, name, rate, 1, &samples);
}

fn wav(desk: &Desk, name: &str, rate: u32, channels: u16, samples: &[i16]) {
    let data = samples.len() as u32 * 2;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(channels) * 2).to_le_bytes());
    bytes.extend((channels * 2).to_le_bytes());
    bytes.extend(b"\x10\0data");
    bytes.extend(data.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
    std::fs::write(desk.path().join(name), bytes).unwrap();
}

#[test]
fn lengths_are_exact_and_files_are_what_they_say() {
    let desk = Desk::with_musicgen(Kind::Text);
    for (duration, frames) in [("0.5", 25), ("1.23", 62), ("2", 100)] {
        let args = desk.with_model(&["lo-fi beat", "--duration", duration, "--seed", "7", "--force"]);
        let report = desk.json(&[&args[..], &["-o", "a.wav", "-o", "a.flac", "-o", "a.json"]].concat());
        assert_eq!((report["frames"].as_u64(), report["family"].as_str()), (Some(frames), Some("musicgen")));
        let (sound, channels) = samples(&desk.read("a.wav"));
        assert_eq!((sound.len(), channels), (frames as usize * 640, 1));
        assert!(sound.iter().any(|&s| s.unsigned_abs() > 30), "there is sound");
        let take: Value = serde_json::from_slice(&desk.read("a.json")).unwrap();
        assert_eq!((take["sample_rate"].as_u64(), take["frame_rate"].as_f64()), (Some(32_000), Some(50.0)));
        assert_eq!((take["family"].as_str(), take["seed"].as_u64()), (Some("musicgen"), Some(7)));
        assert!(take.get("notes").is_none());
        let codes = codes(&take);
        assert!(codes.len() == 4 && codes.iter().all(|stream| stream.len() == frames as usize));
        assert!(codes.iter().flatten().all(|&code| (code as usize) < CODES));
    }
}

#[test]
fn the_licence_is_told_everywhere() {
    let desk = Desk::with_musicgen(Kind::Text);
    let args =
        desk.with_model(&["x", "--duration", "0.5", "--seed", "1", "-o", "a.wav", "-o", "a.flac", "-o", "a.json"]);
    assert!(desk.ok(&args).contains("CC-BY-NC-4.0"));
    for file in ["a.wav", "a.flac", "a.json"] {
        let text = String::from_utf8_lossy(&desk.read(file)).into_owned();
        assert!(text.contains("CC-BY-NC-4.0"), "{file}");
    }
    let folder = desk.assets().to_str().unwrap();
    let info = desk.ok(&["models", "info", folder]);
    for part in ["CC-BY-NC-4.0", "4 of 24 codes", "50 frames and 32000 samples", "width 16, 2 layers", "MB"] {
        assert!(info.contains(part), "{part}: {info}");
    }
    let info = desk.json(&["models", "info", folder, "--tensors"]);
    assert_eq!(info["delays"], serde_json::json!([0, 1, 2, 3]));
    assert!(info["tensors"].as_array().unwrap().len() > 50);
}

#[test]
fn a_seed_repeats_a_take_on_any_number_of_threads_and_in_any_company() {
    let desk = Desk::with_musicgen(Kind::Text);
    let make = |seed: &str, threads: &str| {
        let args = ["x", "--duration", "2", "--seed", seed, "--threads", threads, "-o", "a.wav", "--force"];
        desk.ok(&desk.with_model(&args));
        desk.read("a.wav")
    };
    let first = make("5", "1");
    assert!(first == make("5", "2") && first == make("5", "3"), "threads changed the sound");
    assert!(first != make("6", "1"));
    // Six at once, in two batches: each is what it is alone.
    desk.ok(&desk.with_model(&["x", "--duration", "2", "--seed", "1", "--count", "6", "-o", "t.wav"]));
    assert!(desk.read("t-5.wav") == first, "its company changed a take");
    assert!(desk.read("t-6.wav") == make("6", "2"));
    assert!(desk.read("t-1.wav") != desk.read("t-2.wav"));
}

#[test]
fn words_guidance_and_sampling_change_the_codes() {
    let desk = Desk::with_musicgen(Kind::Text);
    let base = ["calm piano", "--duration", "2", "--seed", "4"];
    let with = |more: &[&str]| made(&desk, &[&base[..], more].concat());
    let plain = with(&[]);
    assert_eq!(plain, with(&["--guidance", "3"]), "3 is the models' own");
    assert_ne!(plain, with(&["--guidance", "1"]));
    assert_ne!(plain, with(&["--temperature", "0.3"]));
    assert_ne!(plain, made(&desk, &["loud drums", "--duration", "2", "--seed", "4"]));
    // The likeliest token does not depend on chance.
    let greedy = |seed: &str| made(&desk, &["x", "--duration", "2", "--seed", seed, "--top-k", "1"]);
    assert_eq!(greedy("1"), greedy("2"));
    assert_eq!(greedy("1"), made(&desk, &["x", "--duration", "2", "--seed", "3", "--top-p", "0.01"]));
    // Bolder choices are more various.
    let kinds = |codes: Vec<Vec<u64>>| codes[0].iter().collect::<std::collections::HashSet<_>>().len();
    assert!(kinds(with(&["--temperature", "0.2"])) < kinds(with(&["--temperature", "3", "--top-k", "0"])));
}

#[test]
fn weights_may_be_held_in_fewer_bits() {
    let desk = Desk::with_musicgen(Kind::Text);
    let with = |form: &[&str]| made(&desk, &[&["x", "--duration", "2", "--seed", "1"], form].concat());
    let floats = with(&[]);
    assert_eq!(floats, with(&["--quantize", "none"]));
    for form in ["bf16", "int8", "int4"] {
        let codes = with(&["--quantize", form]);
        assert!(codes.iter().all(|stream| stream.len() == 100), "{form}");
        assert_ne!(codes, floats, "{form} rounds the weights");
        assert_eq!(codes, with(&["--quantize", form, "--threads", "1"]), "{form}");
    }
}

#[test]
fn keys_and_values_may_be_held_in_fewer_bits() {
    let desk = Desk::with_musicgen(Kind::Text);
    // Long enough for the little that it changes to show.
    let long = ["x", "--duration", "20", "--seed", "1", "--guidance", "10"];
    let with = |more: &[&str]| made(&desk, &[&long[..], more].concat());
    // As the precision of the weights would have it, where nothing is asked.
    assert_eq!(with(&[]), with(&["--kv-cache", "f32"]));
    assert_ne!(with(&[]), with(&["--kv-cache", "bf16"]));
    assert_eq!(with(&["--quantize", "int8"]), with(&["--quantize", "int8", "--kv-cache", "bf16"]));
    assert_ne!(with(&["--quantize", "int8"]), with(&["--quantize", "int8", "--kv-cache", "f32"]));
    let folder = desk.assets().to_str().unwrap();
    desk.json(&["bench", "speed", "--model", folder, "--steps", "10", "--kv-cache", "bf16"]);
}

#[test]
fn a_model_may_be_stored_quantised() {
    let desk = Desk::with_musicgen(Kind::Text);
    let folder = desk.assets().to_str().unwrap();
    for form in ["int8", "int4", "bf16"] {
        let told = desk.ok(&["models", "quantize", folder, form, "--quantize", form]);
        assert!(told.contains("MB") && told.contains(form), "{told}");
        let info = desk.json(&["models", "info", &format!("./{form}")]);
        assert_eq!(info["quantization"], form);
        assert!(info["licence"].as_str().unwrap().contains("CC-BY-NC-4.0"), "{info}");
        // Held as stored, it is what it is when quantised at load.
        let args = ["x", "--duration", "1", "--seed", "1"];
        let at_load = made(&desk, &[&args[..], &["--quantize", form]].concat());
        let stored = format!("./{form}");
        let report = [&["generate"], &args[..], &["--model", &stored, "-o", "s.json", "--force", "--quiet"]].concat();
        desk.ok(&report);
        let take: Value = serde_json::from_slice(&desk.read("s.json")).unwrap();
        assert_eq!(codes(&take), at_load, "{form}");
        desk.ok(&[&report[..], &["--quantize", form]].concat());
        // What was rounded is not to be had otherwise; bf16 is, for it is rounded little.
        for other in ["none", "bf16", "int8", "int4"].into_iter().filter(|other| *other != form) {
            let args = [&report[..], &["--quantize", other]].concat();
            if form == "bf16" {
                desk.ok(&args);
                continue;
            }
            let told = desk.fails(2, &args);
            assert!(told.contains(&format!("{stored} is stored as {form}")), "{told}");
            assert!(told.contains("leave --quantize out"), "{told}");
        }
    }
    assert!(desk.fails(1, &["models", "quantize", folder, "int8"]).contains("int8"), "it is there already");
    assert!(desk.fails(2, &["models", "quantize", folder, "x", "--quantize", "none"]).contains("int8"));
}

#[test]
fn speed_is_measured() {
    let desk = Desk::with_musicgen(Kind::Text);
    let folder = desk.assets().to_str().unwrap();
    let report = desk.json(&["bench", "speed", "--model", folder, "--steps", "40"]);
    assert_eq!((report["steps"].as_u64(), report["threads"].as_u64()), (Some(40), Some(2)));
    for field in [
        "steps_per_second",
        "real_time_factor",
        "seconds_to_first_sound",
        "peak_bytes",
        "bytes_per_step",
        "bandwidth_bytes_per_second",
        "bus_share",
        "t5_seconds",
        "decode_seconds",
    ] {
        assert!(report[field].as_f64().is_some_and(|x| x > 0.0), "{field}: {report}");
    }
    let table = desk.ok(&["bench", "speed", "--model", folder, "--steps", "40", "--quantize", "int8"]);
    assert!(table.contains("STEPS/S") && table.contains("ENCODEC"), "{table}");
}

#[test]
fn a_prompt_along_time_changes_when_it_says() {
    let desk = Desk::with_musicgen(Kind::Text);
    let args = |prompt| [prompt, "--duration", "3", "--seed", "2", "--top-k", "1"];
    let whole = made(&desk, &args("calm piano"));
    let changed = made(&desk, &args("0: calm piano | 1.5: drums enter"));
    let within_a_frame = made(&desk, &args("0: a | 0.001: calm piano | 1.5: drums enter"));
    assert_eq!(within_a_frame, changed, "of two texts in one frame the later holds");
    assert_eq!(whole, made(&desk, &args("0: calm piano")));
    let same = |k: usize| whole[k].iter().zip(&changed[k]).take_while(|(a, b)| a == b).count();
    // The last stream of a frame is sampled three steps after its first.
    assert!(same(0) >= 75 && same(3) >= 72, "{} {}", same(0), same(3));
    assert!((0..4).any(|k| same(k) < 150), "the new words changed nothing");
    assert_eq!(changed, made(&desk, &args("calm piano | 0:01.5: drums enter")), "the start needs no time");
    let told = |prompt| desk.fails(2, &desk.with_model(&args(prompt)));
    assert!(told("0: calm piano | 3: drums enter").contains("the music ends at 3 s"));
    assert!(told("calm piano | 0:02 drums").contains("\"0:02 drums\""));
    let drums = made(&desk, &args("drums enter"));
    assert!(drums != whole && drums != changed);
}

#[test]
fn going_on_from_codes_is_generating_in_one_go() {
    for kind in [Kind::Text, Kind::Melody, Kind::Stereo] {
        let desk = Desk::with_musicgen(kind);
        let one_go = made(&desk, &["x", "--duration", "3", "--seed", "1", "--top-k", "1"]);
        made(&desk, &["x", "--duration", "1.2", "--seed", "1", "--top-k", "1"]);
        std::fs::rename(desk.path().join("take.json"), desk.path().join("first.json")).unwrap();
        let went_on = take(&desk, &["x", "--duration", "3", "--seed", "9", "--top-k", "1", "--continue", "first.json"]);
        assert_eq!(went_on["frames_continued"], 60);
        assert_eq!(codes(&went_on), one_go);
    }
}

#[test]
fn progress_goes_to_the_end_and_not_beyond() {
    let desk = Desk::with_musicgen(Kind::Text);
    made(&desk, &["x", "--duration", "1", "--seed", "1"]);
    let folder = desk.assets().to_str().unwrap();
    let mut studio = affetto::Studio::open_model(folder, &affetto::ModelOptions::default()).unwrap();
    let whole = affetto::Prompt::new("x").duration_seconds(1.2).seed(1);
    let beginning = affetto::Continuation::read(desk.path().join("take.json")).unwrap();
    for prompt in [whole.clone().continue_from(beginning), whole] {
        let mut shares = Vec::new();
        studio.generate_with(&prompt, &mut |share| shares.push(share)).unwrap();
        assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{shares:?}");
    }
}

#[test]
fn going_on_beyond_a_window_is_generating_in_one_go() {
    let desk = Desk::with_musicgen(Kind::Text);
    let greedy = |more: &[&str]| made(&desk, &[&["x", "--seed", "1", "--top-k", "1"], more].concat());
    let one_go = greedy(&["--duration", "70"]);
    assert_eq!(one_go[0].len(), 3500);
    greedy(&["--duration", "45"]);
    std::fs::rename(desk.path().join("take.json"), desk.path().join("first.json")).unwrap();
    assert_eq!(greedy(&["--duration", "70", "--continue", "first.json"]), one_go);
}

#[test]
fn sound_streams_to_standard_output() {
    for kind in [Kind::Text, Kind::Stereo] {
        let desk = Desk::with_musicgen(kind);
        let args = desk.with_model(&["x", "--duration", "4.5", "--seed", "3"]);
        let streamed = desk.run(&[&args[..], &["-o", "-"]].concat());
        assert!(streamed.status.success(), "{}", String::from_utf8_lossy(&streamed.stderr));
        assert!(String::from_utf8_lossy(&streamed.stderr).contains("seed      3"));
        assert!(desk.files().is_empty());
        desk.ok(&[&args[..], &["-o", "a.wav"]].concat());
        assert!(streamed.stdout == desk.read("a.wav"), "the stream is not the file");
    }
}

#[test]
fn stereo_has_two_sides() {
    let desk = Desk::with_musicgen(Kind::Stereo);
    let take = take(&desk, &["x", "--duration", "1", "--seed", "3", "-o", "a.wav"]);
    assert_eq!(take["streams"], serde_json::json!(["1L", "1R", "2L", "2R", "3L", "3R", "4L", "4R"]));
    assert_eq!(codes(&take).len(), 8);
    let (sound, channels) = samples(&desk.read("a.wav"));
    assert_eq!((sound.len(), channels), (2 * 32_000, 2));
    assert!(sound.chunks_exact(2).any(|frame| frame[0] != frame[1]));
}

#[test]
fn going_on_from_sound_keeps_it() {
    let desk = Desk::with_musicgen(Kind::Text);
    desk.ok(&desk.with_model(&["x", "--duration", "1", "--seed", "3", "-o", "a.wav"]));
    // Another rate, and more channels than the model has.
    tune(&desk, "b.wav", 44_100, &[440.0, 660.0]);
    let (sound, _) = samples(&desk.read("a.wav"));
    let twice: Vec<i16> = sound.iter().flat_map(|&s| [s, s]).collect();
    wav(&desk, "two.wav", 32_000, 2, &twice);
    let go_on = |file: &str, duration: &str| {
        let args = ["x", "--duration", duration, "--seed", "5", "--continue", file, "-o", "c.wav"];
        let take = take(&desk, &args);
        (codes(&take), take["frames_continued"].as_u64().unwrap() as usize)
    };
    let (codes, given) = go_on("a.wav", "3");
    assert_eq!((given, codes[0].len()), (50, 150));
    assert_eq!(go_on("two.wav", "2").0[0][..50], codes[0][..50], "equal channels are one");
    let (other, given) = go_on("b.wav", "3");
    assert_eq!(given, 100);
    assert_ne!(other[0][..50], codes[0][..50]);
    // What is kept does not depend on what follows.
    let (longer, _) = go_on("a.wav", "4");
    assert!((0..4).all(|k| longer[k][..50] == codes[k][..50]));
    // Where the given part ends there is no more of a jump than elsewhere.
    let (sound, _) = samples(&desk.read("c.wav"));
    let jump = |at: usize| (i32::from(sound[at]) - i32::from(sound[at - 1])).abs();
    let seam = (32_000 - 640..32_000 + 640).map(jump).max().unwrap();
    let elsewhere = (40_000..120_000).map(jump).max().unwrap();
    assert!(seam <= 2 * elsewhere + 1, "{seam} against {elsewhere}");
}

#[test]
fn a_melody_is_followed() {
    let desk = Desk::with_musicgen(Kind::Melody);
    tune(&desk, "up.wav", 22_050, &[262.0, 330.0, 392.0]);
    tune(&desk, "up48.wav", 48_000, &[262.0, 330.0, 392.0]);
    tune(&desk, "down.wav", 44_100, &[392.0, 330.0, 294.0]);
    let with = |file: &str| take(&desk, &["x", "--duration", "2", "--seed", "1", "--top-k", "1", "--melody", file]);
    let up = with("up.wav");
    assert_eq!(up["melody"], "up.wav");
    let none = made(&desk, &["x", "--duration", "2", "--seed", "1", "--top-k", "1"]);
    assert_ne!(codes(&up), none);
    assert_ne!(codes(&up), codes(&with("down.wav")));
    // The same pitches by another sample rate.
    assert_eq!(codes(&up), codes(&with("up48.wav")));
}

/// The models hear a melody in frames of 4096 samples at 32 kHz: around each in sound, within each in notes. Where a note
/// ends 0.6 into a frame, both hear the same.
#[test]
fn a_melody_in_notes_is_the_melody_in_sound() {
    let desk = Desk::with_musicgen(Kind::Melody);
    let melodies = [[60, 64, 67, 62], [67, 62, 64, 60]];
    let end = |i: usize| (i as f64 + 1.0) * 10.0 - 0.4;
    for (melody, name) in melodies.iter().zip(["up", "down"]) {
        let samples: Vec<i16> = (0..(end(3) * 4096.0) as usize)
            .map(|at| {
                let note = (0..4).find(|&i| (at as f64) < end(i) * 4096.0).unwrap_or(3);
                let hertz = 440.0 * ((f64::from(melody[note]) - 69.0) / 12.0).exp2();
                ((std::f64::consts::TAU * hertz * at as f64 / 32_000.0).sin() * 12_000.0) as i16
            })
            .collect();
        wav(&desk, &format!("{name}.wav"), 32_000, 1, &samples);
        // 960 ticks a second.
        let tick = |i: usize| (end(i) * 4096.0 / 32_000.0 * 960.0).round() as u32;
        let note = |i: usize| {
            let onset = if i == 0 { 0 } else { tick(i - 1) };
            let instrument = affetto_score::Instrument(0);
            affetto_score::Note { onset, duration: tick(i) - onset, pitch: melody[i], velocity: 80, instrument }
        };
        let score = affetto_score::Score { notes: (0..4).map(note).collect(), ..Default::default() };
        std::fs::write(desk.path().join(format!("{name}.mid")), affetto_score::midi::write(&score)).unwrap();
    }
    let with = |file: &str| made(&desk, &["x", "--duration", "4", "--seed", "1", "--top-k", "1", "--melody", file]);
    let (up, down) = (with("up.mid"), with("down.mid"));
    assert_ne!(up, down);
    assert_eq!((up, down), (with("up.wav"), with("down.wav")));
}
