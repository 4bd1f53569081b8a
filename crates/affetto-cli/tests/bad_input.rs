//! Bad input: one clear line that names the thing and the remedy, the right exit code, no file left behind.

mod common;

use common::Desk;

/// `generate` with `args` must fail with `code`, and its line must contain every one of `parts`.
fn refused(code: i32, args: &[&str], parts: &[&str]) {
    let desk = Desk::new();
    let mut all = vec!["generate", "instrumental music"];
    all.extend(args);
    let line = desk.fails(code, &all);
    for part in parts {
        assert!(line.contains(part), "{args:?}: expected {part:?} in: {line}");
    }
}

#[test]
fn an_emotion_outside_the_plane() {
    refused(2, &["--emotion", "1.5,0"], &["emotion", "valence is 1.5", "from -1 to 1"]);
    refused(2, &["--emotion=0,-7"], &["arousal is -7"]);
    refused(2, &["--emotion", "NaN,0"], &["emotion"]);
    refused(2, &["--emotion", "0.3"], &["0.3", "VALENCE,AROUSAL"]);
    refused(2, &["--emotion", ""], &["emotion"]);
}

#[test]
fn an_unknown_emotion_word_gets_suggestions() {
    refused(2, &["--emotion", "hapy"], &["\"hapy\"", "did you mean", "happy"]);
    refused(2, &["--emotion", "0:sad 9:joyfull"], &["\"joyfull\"", "joyful"]);
    refused(2, &["--emotion", "qwxzqwxz"], &["\"qwxzqwxz\"", "lexicon", "0.3,-0.6"]);
}

#[test]
fn a_curve_out_of_order() {
    refused(2, &["--emotion", "0:0,0 20:0.5,0.5 10:0,0"], &["back in time", "10", "20", "in order"]);
    refused(2, &["--emotion", "0:0,0 x"], &["SECONDS:VALENCE,AROUSAL"]);
    let long = "0:0,0 ".repeat(5000);
    refused(2, &["--emotion", &long], &["5000 points", "4096"]);
}

#[test]
fn a_duration_outside_the_limit() {
    for wrong in ["0", "36000", "-3", "NaN", "inf"] {
        refused(2, &["--duration", wrong], &["the duration is", "from 1 to 3600 seconds (one hour)"]);
    }
    refused(2, &["--duration", "long"], &["--duration", "long"]);
}

#[test]
fn controls_outside_their_ranges() {
    refused(2, &["--tempo", "1000"], &["tempo is 1000", "30 to 300"]);
    refused(2, &["--key", "H"], &["key", "\"H\"", "Am"]);
    refused(2, &["--meter", "7/8"], &["meter", "6/8"]);
    refused(2, &["--instruments", "piano,strigns"], &["strigns", "strings"]);
    refused(2, &["--density", "0"], &["density is 0", "0.25"]);
    refused(2, &["--guidance", "-1"], &["guidance is -1"]);
    refused(2, &["--temperature", "0"], &["temperature is 0"]);
    refused(2, &["--top-p", "2"], &["top-p is 2"]);
    refused(2, &["--threads", "0"], &["--threads", "1..=1024"]);
    refused(2, &["--count", "0"], &["--count"]);
    refused(2, &["--seed", "-1"], &["--seed"]);
    refused(2, &["--sample-format", "mp3"], &["sample-format", "s24"]);
    refused(2, &["--sample-format", "f32", "-o", "a.flac"], &["f32", "a.flac", "s24"]);
    refused(2, &["--no-such-flag"], &["--no-such-flag"]);
}

#[test]
fn no_command_and_wrong_commands() {
    let desk = Desk::new();
    assert!(desk.fails(2, &[]).contains("affetto generate"));
    assert!(desk.fails(2, &["generate"]).contains("PROMPT"));
    assert!(desk.fails(2, &["genrate", "x"]).contains("generate"));
    assert!(desk.fails(2, &["models", "info", "gpt"]).contains("minilm"));
    // A folder of the same name does not hide a model that ships; with its path it is what is meant.
    std::fs::create_dir(desk.path().join("minilm")).unwrap();
    std::fs::create_dir(desk.path().join("mine")).unwrap();
    assert!(desk.ok(&["models", "info", "minilm"]).contains("vocab.txt"));
    assert!(desk.fails(1, &["models", "info", "./minilm"]).contains("minilm"));
    assert!(desk.fails(1, &["models", "info", "mine"]).contains("mine"));
}

#[test]
fn negative_points_parse_in_both_forms() {
    // The path is looked at after the feeling, before anything is computed.
    refused(1, &["--emotion", "-0.8,0.4", "-o", "nowhere/a.wav"], &["nowhere/a.wav", "does not exist"]);
    refused(1, &["--emotion=-0.8,0.4", "-o", "nowhere/a.wav"], &["nowhere/a.wav", "does not exist"]);
}

#[test]
fn targets_that_cannot_be_written() {
    refused(2, &["-o", "a.mp3"], &["a.mp3", ".mp3", ".wav, .flac, .mid, .musicxml or .json"]);
    refused(2, &["-o", "a"], &["no extension"]);
    refused(2, &["-o", ".wav"], &[".wav: a dot with no name before it"]);
    refused(2, &["-o", "a.wav", "-o", "./a.wav"], &["a.wav", "twice"]);
    refused(1, &["-o", "nowhere/a.wav"], &["nowhere/a.wav", "does not exist", "nothing of this take was written"]);
    refused(1, &["-o", "/proc/a.wav"], &["/proc/a.wav", "nothing of this take was written"]);
    refused(1, &["-o", "/dev/null/a.wav"], &["/dev/null/a.wav", "folder"]);
    refused(2, &["-o", "-", "--count", "2"], &["-o -", "--count"]);
    refused(2, &["-o", "-", "--json"], &["--json"]);
}

#[test]
fn a_file_that_is_there_stays_unless_forced() {
    let desk = Desk::new();
    std::fs::write(desk.path().join("a.wav"), "mine").unwrap();
    std::fs::create_dir(desk.path().join("b.wav")).unwrap();
    let line = desk.fails(1, &["generate", "x", "-o", "a.mid", "-o", "a.wav"]);
    assert!(line.contains("a.wav: already exists") && line.contains("--force"), "{line}");
    assert_eq!(desk.read("a.wav"), b"mine");
    assert!(desk.fails(1, &["generate", "x", "--force", "-o", "b.wav"]).contains("is a folder"));
}

#[test]
fn models_that_are_missing_or_cut_short() {
    let desk = Desk::new();
    let line = desk.fails(1, &["generate", "x", "--assets", "nowhere"]);
    assert!(line.contains("nowhere: not a folder"), "{line}");
    let done = desk.command(&["generate", "x"]).env("AFFETTO_ASSETS", "elsewhere").output().unwrap();
    assert!(common::one_error(1, &done, &[]).contains("elsewhere: not a folder"));
    for name in [
        "score/model.safetensors",
        "score/config.json",
        "minilm/vocab.txt",
        "minilm/embeddings.safetensors",
        "minilm/encoder.safetensors",
        "soundfont/affetto-gm.sf3",
        "lexicon/lexicon.csv",
        "words-emotion/head.safetensors",
    ] {
        let desk = Desk::new();
        let file = name.rsplit('/').next().unwrap();
        let generate = ["generate", "x", "--emotion", "0,0", "--duration", "2"];
        desk.damage(name, Some(100_000));
        let line = desk.fails(1, &generate);
        assert!(line.contains(file) && line.contains("assets/"), "{name} cut to half: {line}");
        desk.damage(name, Some(7));
        let line = desk.fails(1, &generate);
        assert!(line.contains(file) && line.contains("assets/"), "{name} cut to 7 bytes: {line}");
        desk.damage(name, None);
        let line = desk.fails(1, &generate);
        assert!(line.contains(name) && line.contains("missing"), "{name} missing: {line}");
    }
}
