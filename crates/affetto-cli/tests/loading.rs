//! Models from elsewhere: folders of audiocraft's layout, and what `affetto models pull` says where it cannot fetch
//! (downloads themselves are tested in affetto-models).

mod common;

use std::path::Path;

use common::{Desk, one_error};

/// Puts a tiny model in audiocraft's layout into `folder`.
fn audiocraft(folder: &Path) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../affetto-models/tests");
    std::fs::create_dir_all(folder.join("t5")).unwrap();
    for (from, to) in [
        ("audiocraft/text/state_dict.bin", "state_dict.bin"),
        ("audiocraft/compression_state_dict.bin", "compression_state_dict.bin"),
        ("audiocraft/t5.json", "t5/config.json"),
        ("audiocraft/t5.safetensors", "t5/model.safetensors"),
        ("goldens/t5-tokenizer.json", "t5/tokenizer.json"),
    ] {
        std::fs::copy(tests.join(from), folder.join(to)).unwrap();
    }
}

#[test]
fn a_folder_of_audiocrafts_layout_is_shown_and_makes_music() {
    let desk = Desk::new();
    let model = desk.path().join("theirs");
    audiocraft(&model);
    let card = desk.ok(&["models", "info", "./theirs"]);
    for part in
        ["audiocraft's state_dict.bin", "4 of 16 codes, late by 0, 1, 2, 3", "the text encoder is in", "CC-BY-NC"]
    {
        assert!(card.contains(part), "{part}: {card}");
    }
    let card = desk.json(&["models", "info", "./theirs", "--tensors"]);
    let tensors = card["tensors"].as_array().unwrap();
    assert!(tensors.iter().any(|t| t[0] == "decoder.model.decoder.layers.1.encoder_attn.k_proj.weight"));
    assert_eq!(card["companions"][0][0], "text encoder");
    desk.ok(&["generate", "a calm piano", "--model", "./theirs", "--duration", "1", "-o", "a.wav"]);
    desk.ok(&["models", "quantize", "./theirs", "int8"]);
    desk.ok(&["generate", "a calm piano", "--model", "./int8", "--duration", "1", "-o", "b.wav"]);
    // 800 samples of 16 bits, and what is said about them.
    assert!(["a.wav", "b.wav"].iter().all(|name| (1600..4000).contains(&desk.read(name).len())));

    std::fs::remove_file(model.join("compression_state_dict.bin")).unwrap();
    let line = desk.fails(1, &["models", "info", "./theirs"]);
    assert!(line.contains("compression_state_dict.bin: no such file"), "{line}");
}

#[test]
fn a_folder_of_mert_is_shown() {
    let desk = Desk::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../affetto-models/tests/goldens/mert/post");
    let folder = model.to_str().unwrap();
    let card = desk.ok(&["models", "info", folder]);
    for part in ["mert_model", "pytorch_model.bin", "24000 samples", "width 16, 3 layers, 2 heads, feed-forward 24"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    let card = desk.json(&["models", "info", folder, "--tensors"]);
    assert!(card["tensors"].as_array().unwrap().iter().any(|t| t[0] == "encoder.layers.2.attention.k_proj.weight"));
    assert_eq!(card["frame_rate"], 1200.0);
}

#[cfg(feature = "pull")]
#[test]
fn no_network_is_said_in_a_line() {
    let desk = Desk::new();
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = |args: &[&str], endpoint: &str| {
        let mut command = desk.command(args);
        command.env("HF_ENDPOINT", endpoint).env("HF_HOME", desk.path()).env_remove("HF_HUB_CACHE");
        command.output().unwrap()
    };
    let args = ["models", "pull", "org/model", "--revision", "v1"];
    let line = one_error(1, &run(&args, &format!("http://{free}")), &args);
    assert!(line.contains("org/model") && line.contains("cannot be reached"), "{line}");
    let line = one_error(1, &run(&args, "nonsense"), &args);
    assert!(line.contains("HF_ENDPOINT"), "{line}");
    assert!(desk.files().is_empty());

    let line = desk.fails(2, &["models", "pull", "../etc/passwd"]);
    assert!(line.contains("facebook/musicgen-small"), "{line}");
    let line = desk.fails(2, &["models", "pull", "org/model", "--revision", "a/../b"]);
    assert!(line.contains("--revision"), "{line}");
}

#[cfg(not(feature = "pull"))]
#[test]
fn a_build_without_it_says_what_to_do() {
    let args = ["models", "pull", "org/model", "--revision", "v1"];
    let desk = Desk::new();
    let line = one_error(1, &desk.run(&args), &args);
    assert!(line.contains("--features pull") && line.contains("hf download org/model --revision v1"), "{line}");
}
