//! Bad input to `generate --model`: one clear line, the right exit code, no file left behind.

mod common;

use common::Desk;
use common::musicgen::Kind;

fn refused(desk: &Desk, code: i32, args: &[&str], parts: &[&str]) {
    let line = desk.fails(code, &desk.with_model(&[&["x", "-o", "out.wav"], args].concat()));
    for part in parts {
        assert!(line.contains(part), "{args:?}: expected {part:?} in: {line}");
    }
}

#[test]
fn controls_that_the_family_does_not_hear() {
    let desk = Desk::with_musicgen(Kind::Text);
    let unheard = [
        ("--tempo", "90"),
        ("--key", "Am"),
        ("--meter", "3/4"),
        ("--instruments", "piano"),
        ("--density", "2"),
        ("--emotion", "serene"),
    ];
    for (flag, value) in unheard {
        refused(&desk, 2, &[flag, value], &[flag, "musicgen", "words"]);
    }
    refused(&desk, 2, &["-o", "a.mid"], &["a.mid", "notes", ".wav"]);
    refused(&desk, 2, &["--quantize", "int7"], &["--quantize", "int7", "int8"]);
    refused(&desk, 2, &["--kv-cache", "int8"], &["--kv-cache", "int8", "bf16"]);
    refused(&desk, 2, &["--assets", "/tmp"], &["--assets"]);
    refused(&desk, 2, &["--duration", "0.01"], &["duration", "0.1"]);
    refused(&desk, 2, &["--duration", "36000"], &["duration", "one hour"]);

    for args in [["--melody", "a.wav"], ["--continue", "a.wav"], ["--quantize", "int8"], ["--kv-cache", "bf16"]] {
        let line = Desk::new().fails(2, &[&["generate", "x", "-o", "a.wav"], &args[..]].concat());
        assert!(line.contains(args[0]) && line.contains("--model"), "{line}");
    }
    let line = desk.fails(2, &desk.with_model(&["0: a | b", "-o", "a.wav"]));
    assert!(line.contains("\"b\"") && line.contains("0: calm piano | 20: drums enter"), "{line}");
}

#[test]
fn folders_that_are_none() {
    let desk = Desk::with_musicgen(Kind::Text);
    let line = desk.fails(1, &["generate", "x", "--model", "/no/such/folder", "-o", "a.wav"]);
    assert!(line.contains("/no/such/folder"), "{line}");
    let whole = std::fs::read(desk.assets().join("model.safetensors")).unwrap();
    for keep in [7, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(desk.assets().join("model.safetensors"), &whole[..keep]).unwrap();
        refused(&desk, 1, &["--duration", "1"], &["model.safetensors"]);
    }
    std::fs::write(desk.assets().join("model.safetensors"), &whole).unwrap();
    let config = std::fs::read_to_string(desk.assets().join("config.json")).unwrap();
    for (from, to, part) in [
        ("\"gelu\"", "\"swish\"", "activation_function"),
        ("\"hidden_size\":16", "\"hidden_size\":18", "hidden_size"),
        ("\"model_type\":\"musicgen\"", "\"model_type\":\"bert\"", "model_type"),
        ("\"ffn_dim\":32", "\"ffn_dim\":48", "fc1"),
    ] {
        let spoiled = config.replace(from, to);
        assert_ne!(spoiled, config, "{from}");
        std::fs::write(desk.assets().join("config.json"), spoiled).unwrap();
        let line = desk.fails(1, &desk.with_model(&["x", "--duration", "1", "-o", "a.wav"]));
        assert!(line.contains(part) || line.contains("shape"), "{part}: {line}");
    }
    std::fs::write(desk.assets().join("config.json"), "{").unwrap();
    refused(&desk, 1, &[], &["config.json"]);
    std::fs::remove_file(desk.assets().join("config.json")).unwrap();
    refused(&desk, 1, &[], &["config.json"]);
}

#[test]
fn takes_that_do_not_fit() {
    let desk = Desk::with_musicgen(Kind::Text);
    let write = |text: &str| std::fs::write(desk.path().join("t.json"), text).unwrap();
    let go_on = ["--duration", "1", "--continue", "t.json"];
    let stored = |codes: &str| format!("{{\"family\":\"musicgen\",\"sample_rate\":32000,\"codes\":{codes}}}");
    let cases = [
        (stored("[[1],[1]]"), "2 streams"),
        (stored("[[1],[1],[24],[1]]"), "code 24 in stream 2"),
        (stored("[[1],[1],[4294967295],[1]]"), "code 4294967295"),
        (stored("[[1],[1],[1,2],[1]]"), "stream 2 has 2 codes"),
        (stored("[[],[],[],[]]"), "no codes"),
        (stored("[[-1],[1],[1],[1]]"), "take.json"),
        (stored("[[1],[1],[1],[1]]").replace("32000", "16000"), "16000"),
        (stored("[[1],[1],[1],[1]]").replace("musicgen", "affetto-score"), "affetto-score"),
        ("{}".to_owned(), "take.json"),
        ("not json".to_owned(), "take.json"),
    ];
    for (text, part) in cases {
        write(&text);
        refused(&desk, 1, &go_on, &["t.json", part]);
    }
    let long = vec!["1"; 60].join(",");
    write(&stored(&format!("[[{long}],[{long}],[{long}],[{long}]]")));
    refused(&desk, 2, &go_on, &["duration", "1.2 s"]);
    refused(&desk, 1, &["--continue", "none.json"], &["none.json", "cannot be read"]);
}

/// The head of a 16-bit WAV file, and zeros after it that take no room on the disk.
fn silence(desk: &Desk, name: &str, channels: u16, frames: u64) {
    let data = frames * u64::from(channels) * 2;
    let mut head = b"RIFF".to_vec();
    head.extend((36 + data as u32).to_le_bytes());
    head.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    head.extend(channels.to_le_bytes());
    head.extend(32_000u32.to_le_bytes());
    head.extend((64_000 * u32::from(channels)).to_le_bytes());
    head.extend((channels * 2).to_le_bytes());
    head.extend(b"\x10\0data");
    head.extend((data as u32).to_le_bytes());
    let path = desk.path().join(name);
    std::fs::write(&path, head).unwrap();
    std::fs::File::options().append(true).open(path).unwrap().set_len(44 + data).unwrap();
}

#[test]
fn sound_that_does_not_serve() {
    let desk = Desk::with_musicgen(Kind::Melody);
    silence(&desk, "silence.wav", 1, 32_000);
    silence(&desk, "seven.wav", 7, 32_000);
    silence(&desk, "hours.wav", 2, 3 * 3600 * 32_000);
    silence(&desk, "short.wav", 1, 100);
    std::fs::write(desk.path().join("text.wav"), "words").unwrap();
    for (file, part) in [
        ("silence.wav", "silent"),
        ("seven.wav", "7 channels"),
        ("hours.wav", "longer than the limit"),
        ("text.wav", "not a sound file"),
        ("none.wav", "cannot be read"),
        ("none.mid", "cannot be read"),
    ] {
        refused(&desk, 1, &["--duration", "1", "--melody", file], &[file, part]);
    }
    for (file, part) in [
        ("seven.wav", "7 channels"),
        ("hours.wav", "longer than the limit"),
        ("short.wav", "frame"),
        ("text.wav", "not a sound file"),
    ] {
        refused(&desk, 1, &["--duration", "1", "--continue", file], &[file, part]);
    }
}
