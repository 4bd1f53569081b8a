//! EnCodec against transformers (goldens/encodec.py).

use std::path::PathBuf;
use std::sync::Arc;

use affetto_engine::{Checkpoint, Precision, threads};
use affetto_models::encodec::{DecodeStream, Encodec, EncodecConfig};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::Value;

struct Golden {
    checkpoint: Checkpoint,
    codec: Arc<Encodec>,
    config: EncodecConfig,
}

fn golden(name: &str) -> Golden {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    let checkpoint = Checkpoint::open(folder.join(format!("encodec-{name}.safetensors"))).unwrap();
    let config = EncodecConfig::from_json(&json(name)).unwrap();
    let codec = Arc::new(Encodec::load(&checkpoint, &config, "").unwrap());
    Golden { checkpoint, codec, config }
}

fn json(name: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    serde_json::from_slice(&std::fs::read(folder.join(format!("encodec-{name}.json"))).unwrap()).unwrap()
}

impl Golden {
    fn numbers(&self, name: &str) -> Vec<f32> {
        self.checkpoint.stored(&format!("golden.{name}")).unwrap().to_f32()
    }

    fn codes(&self, name: &str) -> Vec<u32> {
        self.numbers(name).into_iter().map(|x| x as u32).collect()
    }
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |m, (x, y)| m.max((x - y).abs()))
}

#[test]
fn sound_becomes_the_same_codes_and_codes_the_same_sound() {
    for name in ["plain", "shortcut"] {
        let golden = golden(name);
        assert_eq!(golden.codec.encode(&golden.numbers("sound")).unwrap(), golden.codes("codes"), "{name}");
        let decoded = golden.codec.decode(&golden.codes("random")).unwrap();
        let difference = worst(&decoded, &golden.numbers("decoded"));
        assert!(difference <= 1e-4, "{name}: {difference}");
        // Shorter than the convolutions' padding, and not whole frames.
        for n in [1, 2, 5, 15, 16, 17, 47, 333] {
            let part = &golden.numbers("sound")[..n];
            assert_eq!(golden.codec.encode(part).unwrap(), golden.codes(&format!("codes.{n}")), "{name}, {n} samples");
        }
        for n in [1, 2, 7] {
            let part = golden.codec.decode(&golden.codes("random")[..n * 4]).unwrap();
            let difference = worst(&part, &golden.numbers(&format!("decoded.{n}")));
            assert!(difference <= 1e-4, "{name}, {n} frames: {difference}");
        }
    }
}

/// The checkpoint's tensors under other names.
fn renamed(checkpoint: &Checkpoint, rename: impl Fn(&str) -> String) -> Checkpoint {
    let names: Vec<&str> = checkpoint.names().into_iter().filter(|name| !name.starts_with("golden.")).collect();
    let tensors: Vec<_> = names.iter().map(|name| (rename(name), checkpoint.stored(name).unwrap())).collect();
    let views = tensors.iter().map(|(name, tensor)| {
        (name, TensorView::new(Dtype::F16, tensor.shape().to_vec(), tensor.bytes()).expect("the tensor's own bytes"))
    });
    Checkpoint::from_bytes("renamed", safetensors::serialize(views, None).unwrap()).unwrap()
}

#[test]
fn the_older_names_of_weight_norms_and_a_prefix_are_read_too() {
    let golden = golden("shortcut");
    let older = renamed(&golden.checkpoint, |name| {
        let name = name.replace("parametrizations.weight.original0", "weight_g");
        format!("audio_encoder.{}", name.replace("parametrizations.weight.original1", "weight_v"))
    });
    assert!(older.names().iter().any(|name| name.ends_with("weight_g")));
    let codec = Arc::new(Encodec::load(&older, &golden.config, "audio_encoder.").unwrap());
    let codes = golden.codes("random");
    assert_eq!(codec.decode(&codes).unwrap(), golden.codec.decode(&codes).unwrap());
    // The shortcuts are found by their tensors, not by what a configuration says.
    let without = renamed(&golden.checkpoint, |name| name.replace("shortcut", "other"));
    let without = Arc::new(Encodec::load(&without, &golden.config, "").unwrap());
    assert!(worst(&without.decode(&codes).unwrap(), &golden.numbers("decoded")) > 1e-2);
    // A direction without its norm.
    let broken = renamed(&golden.checkpoint, |name| name.replacen("weight.original0", "weight.other", 1));
    let message = Encodec::load(&broken, &golden.config, "").err().unwrap().to_string();
    assert!(message.contains("original0"), "{message}");
}

#[test]
fn however_codes_are_portioned_the_sound_is_the_same() {
    for name in ["plain", "shortcut"] {
        let golden = golden(name);
        let once: Vec<u32> = golden.codes("random");
        let codes: Vec<u32> = once.iter().chain(&once).chain(&once).copied().collect();
        let whole = golden.codec.decode(&codes).unwrap();
        for portion in [1, 3, 20, 50, 1000] {
            let mut stream = DecodeStream::new(golden.codec.clone());
            let mut samples = Vec::new();
            let mut most = 0;
            for part in codes.chunks(portion * 4) {
                let piece = stream.push(part).unwrap();
                most = most.max(piece.len());
                samples.extend(piece);
            }
            samples.extend(stream.finish().unwrap());
            assert!(worst(&samples, &whole) <= 1e-5, "{name}, {portion} at once");
            assert!(portion > 50 || most <= 60 * golden.config.hop(), "pieces come as they are ready");
        }
        threads::set_limit(1);
        let alone = golden.codec.decode(&codes).unwrap();
        threads::set_limit(2);
        assert_eq!(golden.codec.decode(&codes).unwrap(), alone);
    }
}

#[test]
fn long_sound_is_encoded_in_windows_as_in_one_piece() {
    let golden = golden("plain");
    let hop = golden.config.hop();
    let sound: Vec<f32> = (0..700 * hop).map(|i| (i as f32 * 0.37).sin() * (i as f32 * 0.0021).cos()).collect();
    let whole = golden.codec.encode(&sound).unwrap();
    assert_eq!(whole.len(), 700 * 4);
    // The beginning of a longer piece has the codes of that beginning but where its end shows.
    let part = golden.codec.encode(&sound[..400 * hop]).unwrap();
    assert_eq!(part[..390 * 4], whole[..390 * 4]);
    let odd = golden.codec.encode(&sound[..10 * hop + 1]).unwrap();
    assert_eq!(odd.len(), 11 * 4);
}

#[test]
fn what_is_wrong_is_named() {
    let golden = golden("plain");
    assert!(golden.codec.encode(&[]).unwrap_err().to_string().contains("at least one"));
    assert!(golden.codec.encode(&[f32::NAN; 64]).is_err());
    assert!(golden.codec.decode(&[0; 5]).unwrap_err().to_string().contains("whole frames of 4"));
    assert!(golden.codec.decode(&[99; 4]).unwrap_err().to_string().contains("below 16"));
    for (key, value, expected) in [
        ("use_causal_conv", Value::Bool(true), "false"),
        ("norm_type", "time_group_norm".into(), "weight_norm"),
        ("pad_mode", "replicate".into(), "reflect"),
        ("upsampling_ratios", serde_json::json!([0]), "1 to 64"),
        ("upsampling_ratios", serde_json::json!([64, 64, 64, 64]), "up to 16384"),
        ("dilation_growth_rate", 16.into(), "up to 2048"),
        ("audio_channels", 2.into(), "1"),
        ("chunk_length_s", 1.0.into(), "nothing"),
        ("num_filters", 16_384.into(), "1024"),
    ] {
        let mut config = json("plain");
        config["num_residual_layers"] = if key == "dilation_growth_rate" { 16 } else { 1 }.into();
        config[key] = value;
        let message = EncodecConfig::from_json(&config).unwrap_err().to_string();
        assert!(message.contains(key) && message.contains(expected), "{message}");
    }
    // The encoder is read when it is first needed.
    let without = renamed(&golden.checkpoint, |name| name.replacen("encoder.layers.0.conv.bias", "gone", 1));
    let codec = Arc::new(Encodec::load(&without, &golden.config, "").unwrap());
    assert!(codec.decode(&[0; 4]).is_ok());
    let message = codec.encode(&[0.5; 64]).unwrap_err().to_string();
    assert!(message.contains("encoder.layers.0.conv.bias"), "{message}");
    let mut config = golden.config.clone();
    config.num_filters = 8;
    let message = Encodec::load(&golden.checkpoint, &config, "").err().unwrap().to_string();
    assert!(message.contains("layers.0") && message.contains("shape"), "{message}");
}

#[test]
fn the_first_codebooks_alone_code_and_decode() {
    let golden = golden("plain");
    let load = || Encodec::load(&golden.checkpoint, &golden.config, "").unwrap();
    let fewer = Arc::new(load().with_codebooks(2).unwrap());
    let sound: Vec<f32> = (0..8 * golden.config.hop()).map(|i| (i as f32 * 0.3).sin()).collect();
    let all = golden.codec.encode(&sound).unwrap();
    let first: Vec<u32> = all.chunks_exact(4).flat_map(|frame| frame[..2].to_vec()).collect();
    assert_eq!(fewer.encode(&sound).unwrap(), first);
    assert_eq!(fewer.decode(&first).unwrap().len(), sound.len());
    assert!(load().with_codebooks(5).err().unwrap().to_string().contains("at most the codec's 4"));
}

#[test]
fn an_lstm_in_bf16_changes_the_sound_little_and_the_codes_not_at_all() {
    for name in ["plain", "shortcut"] {
        let golden = golden(name);
        let rounded = Arc::new(Encodec::load_with(&golden.checkpoint, &golden.config, "", Precision::Bf16).unwrap());
        let sound = golden.numbers("sound");
        assert_eq!(rounded.encode(&sound).unwrap(), golden.codec.encode(&sound).unwrap());
        let codes = golden.codes("random");
        let (exact, near) = (golden.codec.decode(&codes).unwrap(), rounded.decode(&codes).unwrap());
        let energy = |x: &mut dyn Iterator<Item = f32>| x.map(|v| f64::from(v).powi(2)).sum::<f64>();
        let error = energy(&mut exact.iter().zip(&near).map(|(a, b)| a - b));
        let below = 10.0 * (error / energy(&mut exact.iter().copied())).log10();
        println!("{name}: the difference is {below:.1} dB under the sound");
        assert!(error > 0.0 && below < -40.0, "{name}: {below} dB");
    }
}
