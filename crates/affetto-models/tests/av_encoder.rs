//! The AV encoder: layouts it is read from, torch's numbers, and what a feeling does to a MusicGen model.

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use affetto_engine::sampling::StreamSampling;
use affetto_engine::{Checkpoint, Precision};
use affetto_models::decoder::{Answers, Lane, Scratch, Settings};
use affetto_models::musicgen::{AvEncoder, Feeling, MusicGen, MusicGenConfig, MusicGenGuide, Plan, generate};
use common::Numbers;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value;

const WIDTH: usize = 8;

fn goldens() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

/// A file of random tensors with these names and shapes.
fn file(tensors: &[(&str, &[usize])], metadata: &[(&str, &str)]) -> Checkpoint {
    let mut numbers = Numbers::new(5);
    let bytes: Vec<(&str, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, shape)| {
            let values = numbers.vec(shape.iter().product(), 0.8);
            (*name, shape.to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
        })
        .collect();
    let views =
        bytes.iter().map(|(name, shape, data)| (*name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    let metadata: HashMap<String, String> = metadata.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Checkpoint::from_bytes("av", serialize(views, Some(metadata)).unwrap()).unwrap()
}

fn load(file: &Checkpoint) -> Result<AvEncoder, String> {
    AvEncoder::load(file, Path::new("av_encoder.safetensors"), WIDTH).map_err(|e| e.to_string())
}

fn mlp(names: &[String; 4]) -> [(&str, &'static [usize]); 4] {
    [(&names[0], &[6, 2]), (&names[1], &[6]), (&names[2], &[2 * WIDTH, 6]), (&names[3], &[2 * WIDTH])]
}

fn named(first: &str, second: &str) -> [String; 4] {
    [(first, "weight"), (first, "bias"), (second, "weight"), (second, "bias")].map(|(layer, p)| format!("{layer}.{p}"))
}

#[test]
fn torch_says_the_same() {
    let path = goldens().join("av-encoder.safetensors");
    let checkpoint = Checkpoint::open(&path).unwrap();
    let rows = |key: &str| -> Vec<Vec<f32>> { serde_json::from_str(checkpoint.metadata(key).unwrap()).unwrap() };
    let encoder = AvEncoder::open(&path, WIDTH).unwrap();
    assert_eq!((encoder.tokens(), encoder.width()), (3, WIDTH));
    for (rated, theirs) in rows("golden.rated").iter().zip(rows("golden.tokens")) {
        let [arousal, valence] = [rated[0], rated[1]].map(|x| (x - 5.0) / 4.0);
        let ours = encoder.encode(valence, arousal);
        let off = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(ours.len() == theirs.len() && off < 1e-5, "{off}");
    }
}

#[test]
fn names_order_and_scale_are_read_as_they_stand() {
    let plain = load(&file(&mlp(&named("fc1", "fc2")), &[])).unwrap().encode(0.3, -0.7);
    assert_eq!(plain.len(), 2 * WIDTH);
    for (first, second) in [("0", "2"), ("net.0", "net.2"), ("mlp.2", "mlp.10")] {
        assert_eq!(load(&file(&mlp(&named(first, second)), &[])).unwrap().encode(0.3, -0.7), plain, "{first}");
    }
    let of = |key: &str, value: &str| load(&file(&mlp(&named("0", "2")), &[(key, value)])).unwrap();
    assert_eq!(of("inputs", "valence,arousal").encode(-0.7, 0.3), plain);
    assert_eq!(of("scale", "1..9").encode((0.3 - 5.0) / 4.0, (-0.7 - 5.0) / 4.0).len(), plain.len());
    let raw = of("scale", "1..9").encode((0.3 - 5.0) / 4.0, (-0.7 - 5.0) / 4.0);
    assert!(raw.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-5));
    for other in ["relu", "silu", "tanh"] {
        assert_ne!(of("activation", other).encode(0.3, -0.7), plain, "{other}");
    }
    // One layer alone, without bias.
    assert_eq!(load(&file(&[("linear.weight", &[WIDTH, 2])], &[])).unwrap().tokens(), 1);
}

#[test]
fn what_is_none_is_told() {
    let names = named("0", "2");
    let with = |more: (&'static str, &'static [usize])| [&mlp(&names)[..], &[more]].concat();
    for tensors in [
        with(("norm.weight", &[6])),
        with(("extra", &[3])),
        mlp(&names)[..2].to_vec(),
        vec![("0.weight", &[6, 2][..]), ("2.weight", &[12, 6][..])],
        vec![("0.weight", &[6, 3][..]), ("2.weight", &[16, 6][..])],
        vec![("0.weight", &[6, 2][..]), ("2.weight", &[16, 7][..])],
        vec![("0.weight", &[0, 2][..]), ("2.weight", &[16, 0][..])],
        vec![("0.weight", &[2][..])],
    ] {
        let message = load(&file(&tensors, &[])).err().unwrap();
        assert!(message.starts_with("av_encoder.safetensors: not an AV encoder"), "{message}");
        assert!(tensors.iter().all(|(name, shape)| message.contains(&format!("{name} {shape:?}"))), "{message}");
    }
    for (key, value) in [("activation", "swish"), ("inputs", "v,a"), ("scale", "0..1")] {
        let message = load(&file(&mlp(&names), &[(key, value)])).err().unwrap();
        assert!(message.contains(value) && message.contains("expected"), "{message}");
    }
    let mut nan = vec![0u8; 2 * WIDTH * 4];
    nan[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let view = TensorView::new(Dtype::F32, vec![WIDTH, 2], &nan).unwrap();
    let bytes = serialize([("0.weight", view)], None).unwrap();
    let message = load(&Checkpoint::from_bytes("av", bytes).unwrap()).err().unwrap();
    assert!(message.contains("not finite"), "{message}");
}

/// The golden text model, with an AV encoder of random weights.
fn model(name: &str) -> Result<MusicGen, String> {
    let info = std::fs::read(goldens().join(format!("musicgen-{name}.json"))).unwrap();
    let info: Value = serde_json::from_slice(&info).unwrap();
    let checkpoint = Checkpoint::open(goldens().join(format!("musicgen-{name}.safetensors"))).unwrap();
    let config = MusicGenConfig::from_json(&info["config"]).unwrap();
    let d = config.decoder.hidden_size;
    let av = file(&[("0.weight", &[6, 2]), ("2.weight", &[4 * d, 6])], &[]);
    let av = AvEncoder::load(&av, Path::new("av"), d).unwrap();
    let model = MusicGen::load(&checkpoint, &config, Precision::F32).unwrap();
    model.with_av_encoder(Arc::new(av)).map_err(|e| e.to_string())
}

fn plan(feelings: &[(usize, f32, f32)]) -> Plan {
    let feelings = feelings.iter().map(|&(from, valence, arousal)| Feeling { from, valence, arousal }).collect();
    Plan { frames: 24, feelings, ..Plan::default() }
}

#[test]
fn a_feeling_changes_the_logits_and_the_other_branch_has_none() {
    let model = model("text").unwrap();
    let lm = model.lm();
    let special = model.config().decoder.special();
    let logits = |tokens: Option<Vec<f32>>| {
        let mut lane = Lane::new(lm);
        lane.set_cross(tokens.map(|tokens| Arc::new(lm.cross(&tokens, &[]).unwrap())));
        let answers = lm.forward(&mut [&mut lane], &special, 1, Answers::Last, &mut Scratch::default()).unwrap();
        answers.get(0, 0).to_vec()
    };
    let av = model.av_encoder().unwrap();
    let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let (glad, sad) = (logits(Some(av.encode(0.9, 0.9))), logits(Some(av.encode(-0.9, -0.9))));
    assert!(far(&glad, &sad) > 0.05 && far(&glad, &logits(None)) > 0.05);

    // With guidance 0 only the other branch speaks: no feeling reaches it.
    let settings = |guidance: f32| Settings {
        guidance: vec![guidance],
        sampling: vec![StreamSampling { temperature: 1.0, top_k: 0, top_p: 1.0 }],
        seed: 3,
        ..Settings::default()
    };
    let codes = |feelings: &[(usize, f32, f32)], guidance| {
        generate(&model, &plan(feelings), &settings(guidance), &[], |_, _| ()).unwrap()
    };
    let happy: &[(usize, f32, f32)] = &[(0, 0.9, 0.9)];
    let gloomy: &[(usize, f32, f32)] = &[(0, -0.9, -0.9)];
    assert_eq!(codes(happy, 0.0), codes(&[], 0.0));
    assert_ne!(codes(happy, 3.0), codes(&[], 3.0));
    assert_ne!(codes(happy, 3.0), codes(gloomy, 3.0));

    // A feeling that turns at row 12 changes nothing before.
    let turned = codes(&[(0, 0.9, 0.9), (12, -0.9, -0.9)], 3.0);
    let streams = model.config().decoder.streams();
    let same = turned.iter().zip(codes(happy, 3.0)).take_while(|(a, b)| **a == *b).count();
    assert!(same < turned.len() && same / streams >= 12 - streams, "row {}", same / streams);
}

#[test]
fn feelings_that_cannot_be_told_are_refused() {
    let with = model("text").unwrap();
    let refused = |model: &MusicGen, plan: &Plan| MusicGenGuide::new(model, plan).err().unwrap().to_string();
    assert!(refused(&with, &plan(&[(4, 0.0, 0.0), (4, 0.1, 0.0)])).contains("above 4"));
    let info = std::fs::read(goldens().join("musicgen-text.json")).unwrap();
    let info: Value = serde_json::from_slice(&info).unwrap();
    let checkpoint = Checkpoint::open(goldens().join("musicgen-text.safetensors")).unwrap();
    let config = MusicGenConfig::from_json(&info["config"]).unwrap();
    let without = MusicGen::load(&checkpoint, &config, Precision::F32).unwrap();
    assert!(refused(&without, &plan(&[(0, 0.0, 0.0)])).contains("av_encoder.safetensors"));
    assert!(model("melody").err().unwrap().contains("musicgen_melody"));
    let d = config.decoder.hidden_size;
    let av = file(&[("0.weight", &[4 * (d + 2), 2])], &[]);
    let av = Arc::new(AvEncoder::load(&av, Path::new("av"), d + 2).unwrap());
    assert!(without.with_av_encoder(av).err().unwrap().to_string().contains("width of the AV encoder"));
}
