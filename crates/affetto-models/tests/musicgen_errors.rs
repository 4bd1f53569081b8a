//! What MusicGen's loading refuses, in one clear line each; defaults of absent keys.

use std::path::PathBuf;

use affetto_engine::{Checkpoint, Precision};
use affetto_models::decoder::Settings;
use affetto_models::musicgen::{Melody, MusicGen, MusicGenConfig, Plan, Text, generate};
use affetto_models::t5::{Activation, T5Config, T5Encoder};
use safetensors::SafeTensors;
use safetensors::tensor::{TensorView, serialize};
use serde_json::{Value, json};

fn goldens() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

fn config(name: &str) -> Value {
    let text = std::fs::read(goldens().join(format!("musicgen-{name}.json"))).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["config"].clone()
}

/// The golden checkpoint with one tensor left out or given another shape.
fn spoiled(name: &str, tensor: &str, shape: Option<Vec<usize>>) -> Checkpoint {
    let bytes = std::fs::read(goldens().join(format!("musicgen-{name}.safetensors"))).unwrap();
    let all = SafeTensors::deserialize(&bytes).unwrap();
    assert!(all.names().contains(&tensor), "{tensor}");
    let kept = all.iter().filter_map(|(key, view)| match (&shape, key == tensor) {
        (Some(shape), true) => Some((key, TensorView::new(view.dtype(), shape.clone(), view.data()).unwrap())),
        (None, true) => None,
        _ => Some((key, view)),
    });
    Checkpoint::from_bytes("spoiled", serialize(kept, None).unwrap()).unwrap()
}

fn load(name: &str, checkpoint: &Checkpoint) -> Result<MusicGen, String> {
    let config = MusicGenConfig::from_json(&config(name)).unwrap();
    MusicGen::load(checkpoint, &config, Precision::F32).map_err(|e| e.to_string())
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(goldens().join(format!("musicgen-{name}.safetensors"))).unwrap()
}

#[test]
fn missing_tensors_and_wrong_shapes_are_named() {
    for (name, tensor) in [
        ("text", "enc_to_dec_proj.bias"),
        ("text", "decoder.lm_heads.3.weight"),
        ("text", "decoder.model.decoder.layers.1.encoder_attn.k_proj.weight"),
        ("melody", "audio_enc_to_dec_proj.weight"),
        ("melody", "decoder.model.decoder.embed_tokens.0.weight"),
    ] {
        let message = load(name, &spoiled(name, tensor, None)).err().unwrap();
        assert!(message.contains(tensor) && message.contains("missing"), "{message}");
    }
    let tensor = "decoder.model.decoder.layers.0.fc1.weight";
    let message = load("text", &spoiled("text", tensor, Some(vec![32, 48]))).err().unwrap();
    assert!(message.contains(tensor) && message.contains("[32, 48]") && message.contains("[48, 32]"), "{message}");
    assert!(load("text", &open("text")).is_ok());
    // A text model's tensors under a melody model's configuration, and the other way round.
    assert!(load("melody", &open("text")).err().unwrap().contains("audio_enc_to_dec_proj"));
    assert!(load("text", &open("melody")).err().unwrap().contains("encoder_attn"));

    let text = MusicGenConfig::from_json(&config("text")).unwrap().text;
    let t5 = |checkpoint: &Checkpoint| {
        T5Encoder::load(checkpoint, &text, Precision::F32, "text_encoder.").err().map(|e| e.to_string())
    };
    let bias = "text_encoder.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
    assert!(t5(&spoiled("text", bias, None)).unwrap().contains(bias));
    let shared = "text_encoder.shared.weight";
    assert!(t5(&spoiled("text", shared, None)).unwrap().contains(shared));
    assert!(t5(&open("text")).is_none());
}

#[test]
fn unsupported_values_are_named_with_what_was_expected_and_found() {
    let refuse = |name: &str, at: &[&str], value: Value, expected: &str| {
        let mut json = config(name);
        let mut place = &mut json;
        for key in at {
            place = &mut place[*key];
        }
        let found = value.to_string();
        *place = value;
        let message = MusicGenConfig::from_json(&json).unwrap_err().to_string();
        let key = at[at.len().saturating_sub(2)..].join(".");
        assert!(message.contains(&format!("`{key}`")), "{key}: {message}");
        assert!(message.contains(expected) && message.contains(&found), "{message}");
        assert_eq!(message.lines().count(), 1);
    };
    refuse("text", &["model_type"], json!("musicgen_style"), "musicgen_melody");
    refuse("text", &["decoder", "activation_function"], json!("relu"), "gelu");
    refuse("text", &["decoder", "scale_embedding"], json!(true), "false");
    refuse("text", &["decoder", "tie_word_embeddings"], json!(true), "false");
    refuse("text", &["decoder", "cross_attention_hidden_size"], json!(24), "nothing");
    refuse("text", &["decoder", "num_attention_heads"], json!("four"), "a whole number");
    refuse("text", &["decoder", "hidden_size"], json!(33), "a multiple of 4 heads");
    refuse("text", &["decoder", "hidden_size"], json!(0), "a whole number from 1");
    refuse("text", &["decoder", "num_hidden_layers"], json!(1u64 << 60), "a whole number from 1 to 256");
    refuse("text", &["decoder", "max_position_embeddings"], json!(9), "at least 10");
    refuse("text", &["decoder", "pad_token_id"], json!(0), "32");
    refuse("text", &["decoder", "audio_channels"], json!(3), "from 1 to 2");
    refuse("stereo", &["decoder", "num_codebooks"], json!(7), "even");
    refuse("text", &["text_encoder", "model_type"], json!("umt5"), "t5");
    refuse("text", &["text_encoder", "dense_act_fn"], json!("silu"), "gelu_new");
    refuse("text", &["text_encoder", "relative_attention_num_buckets"], json!(2), "at least 4");
    refuse("text", &["text_encoder", "layer_norm_epsilon"], json!(-1.0), "above 0");
    refuse("text", &["audio_encoder", "model_type"], json!("dac"), "encodec");
    refuse("text", &["audio_encoder", "upsampling_ratios"], json!([4, 0]), "whole numbers");
    refuse("melody", &["chroma_length"], json!(-3), "a whole number");
    refuse("melody", &["num_chroma"], json!(24), "12, one for each pitch class");
    let mut json = config("text");
    json["audio_encoder"]["codebook_size"] = json!(16);
    let message = MusicGenConfig::from_json(&json).unwrap_err().to_string();
    assert!(message.contains("`decoder.vocab_size`: expected at most 16") && message.contains("found 32"), "{message}");
    for broken in [json!(null), json!([]), json!({}), json!({"model_type": "musicgen"}), json!("x")] {
        assert!(MusicGenConfig::from_json(&broken).is_err(), "{broken}");
    }
}

#[test]
fn absent_keys_have_the_defaults_of_transformers() {
    let small = MusicGenConfig::from_json(&json!({
        "model_type": "musicgen",
        "text_encoder": {"model_type": "t5", "d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
        "audio_encoder": {"model_type": "encodec", "sampling_rate": 32000, "upsampling_ratios": [8, 5, 4, 4],
            "codebook_size": 2048},
        "decoder": {}
    }))
    .unwrap();
    assert_eq!(small.text, T5Config::default());
    assert_eq!(small.text.activation, Activation::Relu);
    let decoder = &small.decoder;
    assert_eq!((decoder.hidden_size, decoder.num_hidden_layers, decoder.num_attention_heads), (1024, 24, 16));
    assert_eq!((decoder.ffn_dim, decoder.max_window), (4096, 1503));
    assert_eq!((&decoder.vocab_sizes, &decoder.delays), (&vec![2048; 4], &vec![0, 1, 2, 3]));
    assert_eq!((small.channels, small.sampling_rate, small.frame_rate), (1, 32_000, 50));
    let stereo = MusicGenConfig::from_json(&config("stereo")).unwrap();
    assert_eq!(stereo.decoder.delays, [0, 0, 1, 1, 2, 2, 3, 3]);
    assert_eq!((stereo.channels, stereo.codebooks(), stereo.decoder.max_window), (2, 4, 1503));
}

#[test]
fn plans_that_do_not_fit_the_model_are_errors() {
    let model = load("text", &open("text")).unwrap();
    let run = |model: &MusicGen, plan: &Plan| {
        generate(model, plan, &Settings::default(), &[], |_, _| ()).err().map(|e| e.to_string())
    };
    let text = |from, n| Text { from, states: vec![0.1; n] };
    let plan = |texts, melody| Plan { frames: 5, texts, melody, ..Plan::default() };
    assert_eq!(run(&model, &plan(vec![text(0, 48), text(3, 24)], None)), None);
    assert!(run(&model, &plan(vec![text(0, 23)], None)).unwrap().contains("states of the text"));
    assert!(run(&model, &plan(vec![text(3, 24), text(3, 24)], None)).unwrap().contains("first row"));
    let one = |chroma: Vec<f32>| Some(Melody { chroma, frame_rate: 7.8 });
    assert!(run(&model, &plan(Vec::new(), one(vec![0.0; 12]))).unwrap().contains("musicgen_melody"));
    let model = load("melody", &open("melody")).unwrap();
    assert_eq!(run(&model, &plan(vec![text(0, 48)], one(vec![0.0; 12]))), None);
    assert!(run(&model, &plan(Vec::new(), one(Vec::new()))).unwrap().contains("chroma"));
    assert!(run(&model, &plan(Vec::new(), one(vec![0.0; 13]))).unwrap().contains("chroma"));
    assert!(run(&model, &plan(Vec::new(), one(vec![f32::NAN; 12]))).unwrap().contains("chroma"));
    let still = Some(Melody { chroma: vec![0.0; 12], frame_rate: 0.0 });
    assert!(run(&model, &plan(Vec::new(), still)).unwrap().contains("frames a second"));
}

/// Every place in a value, as the keys that lead to it.
fn places(value: &Value, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    if let Some(object) = value.as_object() {
        for (key, value) in object {
            path.push(key.clone());
            out.push(path.clone());
            places(value, path, out);
            path.pop();
        }
    }
}

#[test]
fn no_value_anywhere_makes_loading_panic_or_a_message_of_many_lines() {
    for name in ["text", "melody"] {
        let (config, checkpoint) = (config(name), open(name));
        let mut all = Vec::new();
        places(&config, &mut Vec::new(), &mut all);
        let odd =
            [json!(null), json!(-1), json!(0), json!(3), json!(1e300), json!(u64::MAX), json!("\n\"x"), json!([])];
        let (mut loaded, mut refused) = (0, 0);
        for place in &all {
            for value in &odd {
                let mut json = config.clone();
                *json.pointer_mut(&format!("/{}", place.join("/"))).unwrap() = value.clone();
                let model = MusicGenConfig::from_json(&json)
                    .and_then(|config| MusicGen::load(&checkpoint, &config, Precision::F32));
                match model {
                    Ok(_) => loaded += 1,
                    Err(e) => {
                        refused += 1;
                        assert_eq!(e.to_string().lines().count(), 1, "{place:?} = {value}: {e}");
                    }
                }
            }
        }
        assert!(loaded > 100 && refused > 100, "{loaded} loaded, {refused} refused");
    }
}
