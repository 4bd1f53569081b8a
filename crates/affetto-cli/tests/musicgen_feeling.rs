//! `affetto generate --model … --emotion` where the model's folder has an AV encoder.

mod common;

use common::Desk;
use common::musicgen::{self, Kind};
use serde_json::Value;

/// Codes of a take with this seed, and the take.
fn take(desk: &Desk, args: &[&str]) -> (Value, Value) {
    let options = ["--duration", "5", "--seed", "3", "-o", "take.json", "--force", "--quiet"];
    desk.ok(&desk.with_model(&[&["calm", "--guidance", "3"], args, &options].concat()));
    let take: Value = serde_json::from_slice(&desk.read("take.json")).unwrap();
    (take["codes"].clone(), take)
}

#[test]
fn a_feeling_is_heard_as_a_point_and_as_a_curve() {
    let desk = Desk::with_musicgen(Kind::Text);
    let (plain, _) = take(&desk, &[]);
    musicgen::write_av_encoder(desk.assets());
    assert_eq!(take(&desk, &[]).0, plain, "no feeling asked, none told");

    let (glad, told) = take(&desk, &["--emotion", "0.9,0.9"]);
    assert_ne!(glad, plain);
    assert_eq!(told["emotion_from"], "asked");
    assert_eq!(told["emotion_asked"][0]["valence"].as_f64().map(|v| v as f32), Some(0.9));
    assert_eq!(take(&desk, &["--emotion", "0.9,0.9"]).0, glad);
    assert_ne!(take(&desk, &["--emotion", "0.9,-0.9"]).0, glad);

    // The first two seconds of the curve are told as one point.
    let (turned, told) = take(&desk, &["--emotion", "0:0.9,0.9 2:0.9,0.9 3:-0.9,-0.9"]);
    assert_ne!(turned, glad);
    let frames = |codes: &Value, k: usize| codes[k].as_array().unwrap()[..96].to_vec();
    (0..4).for_each(|k| assert_eq!(frames(&turned, k), frames(&glad, k), "stream {k}"));
    assert_eq!(told["emotion_asked"].as_array().unwrap().len(), 3);

    let said = desk.ok(&desk.with_model(&["x", "--emotion", "0.5,-0.5", "--duration", "0.2", "-o", "a.wav"]));
    assert!(said.contains("valence 0.50, arousal -0.50 (as asked)"), "{said}");
}

#[test]
fn an_encoder_of_another_layout_is_told() {
    let desk = Desk::with_musicgen(Kind::Text);
    let file = desk.assets().join("av_encoder.safetensors");
    std::fs::copy(desk.assets().join("model.safetensors"), &file).unwrap();
    let line = desk.fails(1, &desk.with_model(&["x", "--emotion", "0,0", "-o", "a.wav"]));
    assert!(line.contains("av_encoder.safetensors") && line.contains("and ") && line.contains("more"), "{line}");
    std::fs::write(&file, b"nothing").unwrap();
    let line = desk.fails(1, &desk.with_model(&["x", "-o", "a.wav"]));
    assert!(line.contains("av_encoder.safetensors"), "{line}");

    let desk = Desk::with_musicgen(Kind::Text);
    musicgen::write_av_encoder(desk.assets());
    let line = desk.fails(2, &desk.with_model(&["x", "--emotion", "3,0", "-o", "a.wav"]));
    assert!(line.contains("valence is 3"), "{line}");

    let desk = Desk::with_musicgen(Kind::Melody);
    musicgen::write_av_encoder(desk.assets());
    let line = desk.fails(1, &desk.with_model(&["x", "--emotion", "0,0", "-o", "a.wav"]));
    assert!(line.contains("cross-attention"), "{line}");
}
