//! MERT against transformers' HubertModel on tiny random models (see `goldens/README.md`).

use std::path::{Path, PathBuf};

use affetto_engine::{Checkpoint, Precision};
use affetto_models::ModelFolder;
use affetto_models::mert::{CHUNK_SECONDS, Mert, MertConfig};
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/mert").join(name)
}

fn golden(name: &str) -> impl Fn(&str) -> Vec<f32> {
    let golden = Checkpoint::open(folder(name).join("golden.safetensors")).unwrap();
    move |tensor| golden.stored(tensor).unwrap().to_f32()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn config(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder(name).join("config.json")).unwrap()).unwrap()
}

#[test]
fn every_layer_agrees_with_transformers() {
    for name in ["post", "stable", "layer"] {
        let (net, golden) = (Mert::load(folder(name)).unwrap(), golden(name));
        assert_eq!(net.sample_rate(), 24_000);
        let layers: Vec<usize> = (0..=net.config().num_hidden_layers).collect();
        let audio = golden("audio");
        for length in [1003, 701, 333] {
            let states = net.hidden_states(&audio[..length], &layers).unwrap();
            assert_eq!(states.len(), layers.len());
            let mut worst = 0.0f32;
            for state in &states {
                assert_eq!(state.frames, net.config().frames(length));
                assert_eq!(state.data.len(), state.frames * state.width);
                worst = worst.max(distance(&state.data, &golden(&format!("{length}.{}", state.layer))));
            }
            println!("{name}, {length} samples: {worst:e}");
            assert!(worst <= 1e-4, "{name}, {length} samples: {worst:e}");
        }
    }
}

#[test]
fn layers_come_as_asked_for_and_alone() {
    let (net, golden) = (Mert::load(folder("stable")).unwrap(), golden("stable"));
    let audio = golden("audio");
    let all = net.hidden_states(&audio, &[0, 1, 2]).unwrap();
    let some = net.hidden_states(&audio, &[2, 0, 2]).unwrap();
    assert_eq!(some.iter().map(|s| s.layer).collect::<Vec<_>>(), [2, 0, 2]);
    assert!(some[0] == all[2] && some[1] == all[0] && some[2] == all[2]);
    assert!(net.hidden_states(&audio, &[1]).unwrap()[0] == all[1]);
    assert!(net.hidden_states(&audio, &[]).unwrap().is_empty());
}

#[test]
fn long_sound_goes_in_pieces() {
    let mut slow = MertConfig::from_json(&config("layer"), None).unwrap();
    slow.sample_rate = 1200;
    let net = Mert::from_parts(ModelFolder::open(folder("layer")).unwrap().checkpoint(), slow, Precision::F32).unwrap();
    let length = CHUNK_SECONDS * 1200;
    let sound: Vec<f32> = (0..2 * length + 7).map(|i| ((i * 7919) % 1013) as f32 / 1013.0 - 0.5).collect();
    let whole = net.long(&sound, &[0, 2]).unwrap();
    let each: Vec<_> = sound.chunks(length).take(2).map(|piece| net.hidden_states(piece, &[0, 2]).unwrap()).collect();
    for (i, state) in whole.iter().enumerate() {
        assert_eq!(state.frames, 2 * each[0][i].frames);
        assert!(state.data == [&each[0][i].data[..], &each[1][i].data[..]].concat());
    }
}

#[test]
fn other_sound_and_layers_are_refused() {
    let net = Mert::load(folder("post")).unwrap();
    let least = net.config().least_samples();
    assert_eq!((net.config().frames(least), net.config().frames(least - 1)), (1, 0));
    assert_eq!(net.hidden_states(&vec![0.1; least], &[0]).unwrap()[0].frames, 1);
    for error in [
        net.hidden_states(&vec![0.1; least - 1], &[0]),
        net.long(&[], &[0]),
        net.hidden_states(&vec![0.1; 60_000], &[0]),
        net.hidden_states(&[0.1, f32::NAN].repeat(99), &[0]),
        net.long(&[0.1; 999], &[4]),
    ] {
        println!("{}", error.unwrap_err());
    }
    let error = net.hidden_states(&[0.1; 999], &[0, 4]).unwrap_err().to_string();
    assert!(error.contains("0 to 3") && error.contains('4'), "{error}");
}

#[test]
fn configurations_that_are_not_supported_are_named() {
    let read = |config: &Value, preprocessor: Option<&Value>| MertConfig::from_json(config, preprocessor);
    let good = config("post");
    assert!(read(&good, None).unwrap().do_normalize);
    assert_eq!(read(&json!({ "model_type": "mert_model" }), None).unwrap().least_samples(), 400);
    assert_eq!(read(&json!({ "model_type": "hubert" }), None).unwrap().sample_rate, 16_000);
    for (key, value) in [
        ("feature_extractor_cqt", json!(true)),
        ("deepnorm", json!(true)),
        ("conv_pos_batch_norm", json!(true)),
        ("model_type", json!("wav2vec2")),
        ("feat_extract_norm", json!("batch")),
        ("hidden_act", json!("relu")),
        ("num_attention_heads", json!(5)),
        ("num_conv_pos_embedding_groups", json!(0)),
        ("conv_dim", json!([6, 8])),
        ("conv_dim", json!([6, 8, "8"])),
        ("conv_kernel", json!([])),
        ("conv_stride", json!([1000, 1000, 1000])),
        ("layer_norm_eps", json!(-1)),
        ("sample_rate", json!("fast")),
    ] {
        let mut changed = good.clone();
        changed[key] = value;
        let error = read(&changed, None).unwrap_err().to_string();
        let named = if key == "conv_dim" { "conv_" } else { key };
        assert!(error.contains(named), "{key}: {error}");
    }
    let error = read(&good, Some(&json!({ "sampling_rate": 16_000 }))).unwrap_err().to_string();
    assert!(error.contains("preprocessor_config.json.sampling_rate"), "{error}");
}

#[test]
fn weights_of_another_size_are_named() {
    let opened = ModelFolder::open(folder("stable")).unwrap();
    for (key, value, tensor) in [
        ("hidden_size", json!(36), "hidden_size"),
        ("intermediate_size", json!(21), "intermediate_dense"),
        ("num_hidden_layers", json!(3), "encoder.layers.2"),
        ("conv_bias", json!(true), "conv_layers.0.conv.bias"),
        ("num_conv_pos_embeddings", json!(8), "pos_conv_embed"),
        ("feat_extract_norm", json!("layer"), "conv_layers.1.layer_norm"),
    ] {
        let mut changed = config("stable");
        changed[key] = value;
        let config = MertConfig::from_json(&changed, None).unwrap();
        let error = Mert::from_parts(opened.checkpoint(), config, Precision::F32).err().unwrap().to_string();
        assert!(error.contains(tensor) || key == "hidden_size", "{key}: {error}");
    }
    assert!(Mert::load(folder("nothing")).is_err());
}
