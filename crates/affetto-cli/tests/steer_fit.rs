//! `affetto steer fit` through the real binary: folders of MIDI files in, a file of directions out.

mod common;

use std::path::Path;
use std::process::Stdio;

use affetto::steering::{Directions, Freed, LabelKind, Method, Site};
use affetto_audio::{AudioBuffer, SampleFormat, write_wav};
use affetto_score::score::TICKS_PER_QUARTER;
use affetto_score::{Instrument, Note, Score, midi};
use common::Desk;

/// A piece of so many bars at 120 quarter notes a minute: another tune for each number, played by an instrument.
fn piece(path: &Path, number: u32, program: u8, notes: u32, bars: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut score = Score::default();
    let step = 4 * TICKS_PER_QUARTER / notes;
    let mut state = number.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    for i in 0..bars * notes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pitch = 55 + [0, 2, 4, 5, 7, 9, 11, 12][(state >> 28) as usize % 8] + (number % 7) as u8;
        let velocity = 60 + (state >> 20) as u8 % 40;
        let instrument = Instrument(program);
        score.notes.push(Note { onset: i * step, duration: step, pitch, velocity, instrument });
    }
    std::fs::write(path, midi::write(&score)).unwrap();
}

/// Strings and piano, eight files each, 16 s long.
fn strings_and_piano(desk: &Desk) {
    for i in 0..8 {
        piece(&desk.path().join(format!("strings/{}/{i}.mid", i % 2)), i, 48, 4, 8);
        piece(&desk.path().join(format!("piano/{i}.MID")), 100 + i, 0, 4, 8);
    }
}

const FIT: [&str; 7] = ["steer", "fit", "--positive", "strings", "--negative", "piano", "-o"];

fn fit<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&FIT[..], &[output], more].concat()
}

#[test]
fn two_folders_become_directions_that_the_same_flags_repeat() {
    let desk = Desk::new();
    strings_and_piano(&desk);
    let text = desk.ok(&fit("strings.safetensors", &["--window", "6", "--licence", "CC0"]));
    assert!(text.contains("strings by ridge, from 16 files") && text.contains("residual"), "{text}");
    assert_eq!(desk.files(), ["piano", "strings", "strings.safetensors"]);
    let found = Directions::open(desk.path().join("strings.safetensors")).unwrap();
    let about = &found.about;
    assert_eq!((about.name.as_str(), about.attribute.as_str()), ("strings", "strings"));
    assert_eq!((about.labels.clone(), about.method, about.groups), (LabelKind::Classes, Method::Ridge, 16));
    assert!(about.examples >= 32, "{}", about.examples);
    assert_eq!((about.frees.as_slice(), about.instruments.as_slice()), (&[Freed::Instruments][..], &[48][..]));
    assert!(about.provenance.starts_with("16 files, strings against piano") && about.licence == "CC0");
    assert!((0.1..=1.0).contains(&about.recommended_strength));
    // Any network tells by which instrument notes are played.
    for site in Site::ALL {
        assert!(found.best(site).unwrap().1 > 0.95, "{site:?}");
    }
    // Threads change nothing, nor does a second time.
    let again = ["--window", "6", "--licence", "CC0", "--name", "strings", "--threads", "1"];
    desk.ok(&fit("again.safetensors", &again));
    assert_eq!(desk.read("again.safetensors"), desk.read("strings.safetensors"));
    assert!(desk.ok(&["steer", "list", "strings.safetensors"]).contains("strings"));
}

#[test]
fn methods_are_compared_and_frees_can_be_said() {
    let desk = Desk::new();
    strings_and_piano(&desk);
    let more = ["--compare", "--method", "means", "--site", "heads", "--frees", "none", "--attribute", "bows"];
    let answer = desk.json(&fit("bows.safetensors", &more));
    assert_eq!(
        (&answer["method"], &answer["site"], &answer["attribute"]),
        (&"means".into(), &"heads".into(), &"bows".into())
    );
    assert_eq!(answer["frees"], serde_json::json!([]));
    assert_eq!(answer["comparison"]["rows"].as_array().unwrap().len(), 12);
    assert_eq!((answer["files"].as_u64(), answer["sites"].as_array().unwrap().len()), (Some(16), 3));
    let text = desk.ok(&fit("bows.safetensors", &[&more[..], &["--force"]].concat()));
    for word in ["METHOD", "logistic", "agop", "best: ", "regression", "AUC"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_table_of_numbers_is_regressed() {
    let desk = Desk::new();
    let mut table = String::from("file,value,group\n");
    for i in 0..16u32 {
        let notes = [2, 4, 8, 16][i as usize % 4];
        piece(&desk.path().join(format!("music/{i}.mid")), i, 0, notes, 12);
        table += &format!("music/{i}.mid,{notes},song {}\n", i / 2);
    }
    std::fs::create_dir(desk.path().join("tables")).unwrap();
    std::fs::write(desk.path().join("tables/density.csv"), table.replace("music/", "../music/")).unwrap();
    let answer = desk.json(&["steer", "fit", "--labels", "tables/density.csv", "-o", "density.safetensors"]);
    assert_eq!((&answer["labels"], &answer["groups"], &answer["files"]), (&"numbers".into(), &8.into(), &16.into()));
    let best = answer["sites"][0]["scores"][0].as_f64().unwrap();
    assert!(best > 0.5, "R2 {best}");
    assert_eq!(answer["frees"], serde_json::json!([]));
}

#[test]
fn files_that_cannot_be_used_are_named_and_counted_up_to_half() {
    let desk = Desk::new();
    strings_and_piano(&desk);
    std::fs::write(desk.path().join("piano/broken.mid"), "no MIDI").unwrap();
    piece(&desk.path().join("strings/short.mid"), 1, 48, 4, 1);
    let done = desk.run(&fit("a.safetensors", &[]));
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{told}");
    assert!(
        told.contains("skipped: piano/broken.mid: ") && told.contains("skipped: strings/short.mid: 4 notes"),
        "{told}"
    );
    assert!(String::from_utf8(done.stdout).unwrap().contains("2 skipped"));
    for i in 0..30 {
        std::fs::write(desk.path().join(format!("piano/broken{i}.mid")), "no MIDI").unwrap();
    }
    let told = desk.fails(1, &fit("b.safetensors", &[]));
    assert!(told.contains("more than half"), "{told}");
}

#[test]
fn what_cannot_be_fitted_is_refused_in_one_line_and_leaves_nothing() {
    let desk = Desk::new();
    strings_and_piano(&desk);
    std::fs::create_dir(desk.path().join("empty")).unwrap();
    let refused = |code: i32, args: &[&str], word: &str| {
        let line = desk.fails(code, args);
        assert!(line.contains(word), "{args:?}: {line}");
    };
    let folders =
        |positive, negative| ["steer", "fit", "--positive", positive, "--negative", negative, "-o", "x.safetensors"];
    refused(1, &folders("empty", "piano"), "--positive empty: holds no files that end in mid");
    refused(1, &folders("strings", "none"), "--negative none: no such folder");
    refused(2, &folders("strings", "strings"), "among the positive and the negative files");
    refused(2, &["steer", "fit", "--positive", "strings", "-o", "x.safetensors"], "--negative");
    refused(2, &["steer", "fit", "-o", "x.safetensors"], "--labels");
    refused(2, &fit("x.safetensors", &["--labels", "t.csv"]), "--labels");
    refused(2, &fit("x.safetensors", &["--folds", "17"]), "--folds 17: there are only 16 files");
    refused(2, &fit("x.safetensors", &["--folds", "1"]), "--folds");
    refused(2, &fit("x.safetensors", &["--window", "nan"]), "--window");
    refused(2, &fit("x.safetensors", &["--window", "1e9"]), "the window");
    refused(2, &fit("x.safetensors", &["--method", "guess"]), "expected ridge, logistic, means or agop");
    refused(2, &fit("x.safetensors", &["--cache", "nowhere"]), "--cache nowhere: no such folder");
    refused(2, &fit("x.safetensors", &["--name", "two words"]), "--name");
    refused(2, &fit("x.safetensors", &["--frees", "tempo"]), "expected key, mode, density, instruments or none");
    refused(2, &fit("x.json", &[]), "ends in .safetensors");
    refused(1, &fit("x.safetensors", &["--model", "empty"]), "empty");
    std::fs::write(desk.path().join("x.safetensors"), "there already").unwrap();
    refused(1, &fit("x.safetensors", &[]), "x.safetensors");
    assert_eq!(desk.read("x.safetensors"), b"there already");
    std::fs::remove_file(desk.path().join("x.safetensors")).unwrap();

    let table = |text: &str, code: i32, word: &str| {
        std::fs::write(desk.path().join("t.csv"), text).unwrap();
        refused(code, &["steer", "fit", "--labels", "t.csv", "-o", "x.safetensors", "--folds", "2"], word);
    };
    table("piano/0.MID,1\npiano/1.MID,nan\n", 1, "t.csv, line 2: the value of piano/1.MID is nan");
    table("file,value\npiano/0.MID,1\npiano/1.MID\n", 1, "t.csv, line 3: piano/1.MID has no value");
    table("piano/0.MID,1\npiano/99.MID,2\n", 1, "t.csv, line 2: piano/99.MID is no file");
    table("piano/0.MID,3\npiano/1.MID,3\n", 1, "every value is 3");
    table("", 1, "no rows");
    table("piano/0.MID,1,a\npiano/1.MID,2,a\n", 2, "--folds 2: there are only 1 files or groups");
}

#[test]
fn sound_is_fitted_on_a_model_of_sound_and_on_no_other() {
    let desk = Desk::with_musicgen(common::musicgen::Kind::Text);
    for i in 0..6u32 {
        // A soft low hum and loud high noise: a random codec and a random model hear little else.
        for (folder, gain, hz) in [("low", 0.02, 90.0), ("high", 0.9, 5000.0)] {
            let mut state = i;
            let mut tone = |t: u32| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = if hz > 1000.0 { (state >> 8) as f32 / (1 << 23) as f32 - 1.0 } else { 0.0 };
                gain * (0.5 * (std::f32::consts::TAU * (hz + 10.0 * i as f32) * t as f32 / 32_000.0).sin()
                    + 0.5 * noise)
            };
            let path = desk.path().join(format!("{folder}/{i}.wav"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let sound = AudioBuffer { sample_rate: 32_000, channels: vec![(0..3 * 32_000).map(&mut tone).collect()] };
            write_wav(std::fs::File::create(path).unwrap(), &sound, SampleFormat::Pcm16).unwrap();
        }
    }
    let model = desk.assets().to_str().unwrap().to_owned();
    let high = ["steer", "fit", "--positive", "high", "--negative", "low", "--folds", "3", "-o", "high.safetensors"];
    let told = desk.fails(2, &[&high[..], &["--model", &model, "--frees", "key"]].concat());
    assert!(told.contains("--frees is for the score model"), "{told}");
    let answer = desk.json(&[&high[..], &["--model", &model, "--window", "2"]].concat());
    assert_eq!((answer["files"].as_u64(), answer["examples"].as_u64()), (Some(12), Some(24)));
    let found = Directions::open(desk.path().join("high.safetensors")).unwrap();
    let best = found.best(found.about.site).unwrap();
    assert!(best.1 > 0.8, "{best:?}");
    // The score model has other weights.
    let told = Desk::new()
        .fails(1, &["generate", "x", "--steer", &format!("{}=1", desk.path().join("high.safetensors").display())]);
    assert!(told.contains("fitted on"), "{told}");
}

#[test]
fn noise_is_told_as_noise() {
    let desk = Desk::new();
    for i in 0..12 {
        // The same tunes in both folders: nothing tells them apart, held-out answers are no better than chance.
        piece(&desk.path().join(format!("strings/{i}.mid")), i, 0, 4, 8);
        piece(&desk.path().join(format!("piano/{i}.mid")), i, 0, 4, 8);
    }
    let done = desk.run(&fit("n.safetensors", &["--method", "means"]));
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(told.contains("hear nothing of it") || told.contains("hear little of it"), "{told}");
    assert_eq!(done.status.success(), desk.files().contains(&"n.safetensors".to_owned()));
}

#[cfg(unix)]
#[test]
fn a_killed_run_leaves_nothing_half_made() {
    let desk = Desk::new();
    strings_and_piano(&desk);
    for i in 0..100 {
        piece(&desk.path().join(format!("piano/more{i}.mid")), i, 0, 16, 40);
    }
    let mut there = 0;
    for milliseconds in [50, 100, 150, 200, 300] {
        let mut child = desk.command(&fit("k.safetensors", &["--compare"])).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        let files: Vec<String> = desk.files().into_iter().filter(|name| name != "k.safetensors").collect();
        assert_eq!(files, ["piano", "strings"], "after {milliseconds} ms");
        let whole = desk.path().join("k.safetensors");
        if whole.exists() {
            Directions::open(&whole).unwrap();
            std::fs::remove_file(whole).unwrap();
            there += 1;
        }
    }
    assert!(there < 5, "it was never killed in time");
}
