//! Folders of audiocraft's layout: the same models as in Hugging Face's give the same codes and sound, and what is wrong
//! with one is said in a line. The files come from goldens/audiocraft.py.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use affetto_engine::sampling::StreamSampling;
use affetto_engine::{Checkpoint, Precision};
use affetto_models::ModelFolder;
use affetto_models::decoder::Settings;
use affetto_models::encodec::{Encodec, EncodecConfig};
use affetto_models::folder::{Cache, Layout};
use affetto_models::musicgen::{Melody, MusicGen, MusicGenConfig, Plan, Text, generate};
use affetto_models::t5::{T5Encoder, T5Tokenizer};
use safetensors::SafeTensors;
use safetensors::tensor::{TensorView, serialize};
use serde_json::Value;

const MODELS: [&str; 3] = ["text", "stereo", "melody"];

fn files() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/audiocraft")
}

fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(files().join(file)).unwrap()
}

fn json(file: &str) -> Value {
    serde_json::from_slice(&bytes(file)).unwrap()
}

fn write(folder: &Path, file: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// One safetensors file of several, the tensors of each behind a prefix.
fn joined(parts: &[(&str, &str)]) -> Vec<u8> {
    let all: Vec<(&str, Vec<u8>)> = parts.iter().map(|(file, prefix)| (*prefix, bytes(file))).collect();
    let mut tensors = Vec::new();
    for (prefix, bytes) in &all {
        for (name, view) in SafeTensors::deserialize(bytes).unwrap().iter() {
            tensors.push((format!("{prefix}{name}"), view.dtype(), view.shape().to_vec(), view.data().to_vec()));
        }
    }
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data.as_slice()).unwrap()));
    serialize(views, None).unwrap()
}

/// The model in Hugging Face's layout.
fn huggingface(at: &Path, model: &str) {
    let lm = format!("{model}/lm.safetensors");
    let whole = joined(&[(&lm, ""), ("codec.safetensors", "audio_encoder."), ("t5.safetensors", "text_encoder.")]);
    write(at, "model.safetensors", whole);
    write(at, "config.json", json(&format!("{model}/golden.json"))["config"].to_string());
}

fn t5(at: &Path) {
    write(at, "config.json", bytes("t5.json"));
    write(at, "model.safetensors", bytes("t5.safetensors"));
    let tokenizer = files().join("../goldens/t5-tokenizer.json");
    write(at, "tokenizer.json", std::fs::read(tokenizer).unwrap());
}

/// The model as audiocraft has it, with T5 in a subfolder.
fn audiocraft(at: &Path, model: &str) {
    write(at, "state_dict.bin", bytes(&format!("{model}/state_dict.bin")));
    write(at, "compression_state_dict.bin", bytes("compression_state_dict.bin"));
    t5(&at.join("t5"));
}

fn nowhere() -> Cache {
    Cache::at("/nonexistent/affetto-test-cache")
}

fn codec(folder: &ModelFolder) -> Arc<Encodec> {
    let config = EncodecConfig::from_json(&folder.config()["audio_encoder"]).unwrap();
    Arc::new(Encodec::load(folder.checkpoint(), &config, "audio_encoder.").unwrap())
}

/// The greedy codes of a folder's model for the golden text and melody.
fn codes(folder: &ModelFolder, golden: &Value) -> Vec<u32> {
    let config = MusicGenConfig::from_json(folder.config()).unwrap();
    let model = MusicGen::load(folder.checkpoint(), &config, Precision::F32).unwrap();
    let t5 = T5Encoder::load(folder.checkpoint(), &config.text, Precision::F32, "text_encoder.").unwrap();
    let ids: Vec<u32> = golden["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
    let mut chroma = vec![0.0; 5 * 12];
    (0..5).for_each(|i| chroma[i * 12 + (i * i + 3 * i) % 12] = 1.0);
    let plan = Plan {
        frames: golden["codes"].as_array().unwrap().len(),
        texts: vec![Text { from: 0, states: t5.encode(&ids).unwrap() }],
        melody: config.chroma.map(|_| Melody { chroma, frame_rate: 7.8125 }),
        ..Plan::default()
    };
    let settings = Settings { sampling: vec![StreamSampling::greedy()], ..Settings::default() };
    generate(&model, &plan, &settings, &[], |_, _| ()).unwrap()
}

#[test]
fn both_layouts_give_the_same_codes_and_the_same_sound() {
    for name in MODELS {
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        huggingface(theirs.path(), name);
        audiocraft(ours.path(), name);
        let theirs = ModelFolder::open_in(&nowhere(), theirs.path()).unwrap();
        let ours = ModelFolder::open_in(&nowhere(), ours.path()).unwrap();
        assert_eq!((theirs.layout(), ours.layout()), (Layout::Single, Layout::Audiocraft));
        let config = |folder: &ModelFolder| MusicGenConfig::from_json(folder.config()).unwrap();
        assert_eq!(config(&ours), config(&theirs), "{name}");

        let golden = json(&format!("{name}/golden.json"));
        let want: Vec<u32> = golden["codes"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|code| code.as_u64().unwrap() as u32)
            .collect();
        let found = codes(&ours, &golden);
        assert_eq!(found, codes(&theirs, &golden), "{name}");
        assert_eq!(found, want, "{name}: transformers' codes");
        // Directions serve a model in any layout and precision.
        let print = |folder: &ModelFolder, precision| {
            MusicGen::load(folder.checkpoint(), &config(folder), precision).unwrap().lm().fingerprint()
        };
        let known = print(&ours, Precision::F32);
        for precision in [Precision::F32, Precision::Bf16, Precision::Int8, Precision::Int4] {
            assert_eq!(print(&theirs, precision), known, "{name} as {precision:?}");
        }

        let file = Checkpoint::open(files().join("codec.safetensors")).unwrap();
        let numbers = |name: &str| file.stored(name).unwrap().to_f32();
        let codes: Vec<u32> = numbers("golden.codes").into_iter().map(|code| code as u32).collect();
        let (sound, other) = (codec(&ours).decode(&codes).unwrap(), codec(&theirs).decode(&codes).unwrap());
        assert_eq!(sound, other, "{name}");
        assert_eq!(codec(&ours).encode(&sound).unwrap(), codec(&theirs).encode(&sound).unwrap());
        // The codec's edges are zeros, as its settings say.
        let off = sound.iter().zip(numbers("golden.sound")).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= 1e-4, "{off}");

        assert!(T5Tokenizer::open(ours.tokenizer_folder()).is_ok());
        assert!(ours.tokenizer_folder().join("tokenizer.json").is_file());
        assert_eq!(ours.companions(), [("text encoder", ours.path().join("t5"))]);
        let size = |file: &str| bytes(file).len() as u64;
        let sizes = [&format!("{name}/state_dict.bin"), "compression_state_dict.bin", "t5.safetensors"];
        assert_eq!(ours.bytes(), sizes.map(size).iter().sum::<u64>());
        assert!(ours.licence().to_string().contains("CC-BY-NC-4.0"), "{}", ours.licence());
    }
}

#[test]
fn what_a_folder_only_names_comes_from_the_cache() {
    let (at, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(at.path(), "state_dict.bin", bytes("stereo/state_dict.bin"));
    write(at.path(), "compression_state_dict.bin", bytes("pretrained.bin"));
    let hub = Cache::at(cache.path());
    let open = || ModelFolder::open_in(&hub, at.path()).map_err(|e| e.to_string());

    let message = open().unwrap_err();
    for part in ["codec facebook/encodec_32khz", "encodec_32khz", "models pull facebook/encodec_32khz"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(message.contains(&cache.path().display().to_string()) && !message.contains('\n'), "{message}");
    let codec_at = cache.path().join("models--facebook--encodec_32khz/snapshots/c0ffee");
    write(&codec_at, "model.safetensors", bytes("codec.safetensors"));
    write(&codec_at, "config.json", bytes("codec.json"));
    write(cache.path(), "models--facebook--encodec_32khz/refs/main", "c0ffee");

    let message = open().unwrap_err();
    for part in ["text encoder t5-base", "subfolder t5 or t5-base", "models pull google-t5/t5-base"] {
        assert!(message.contains(part), "{message}");
    }
    let t5_at = cache.path().join("models--google-t5--t5-base/snapshots/beef");
    t5(&t5_at);
    write(cache.path(), "models--google-t5--t5-base/refs/main", "beef");
    let found = open().unwrap();
    assert_eq!(found.companions(), [("codec", codec_at), ("text encoder", t5_at.clone())]);
    assert_eq!(found.tokenizer_folder(), t5_at);
    let golden = json("stereo/golden.json");
    let theirs = tempfile::tempdir().unwrap();
    huggingface(theirs.path(), "stereo");
    let theirs = ModelFolder::open_in(&hub, theirs.path()).unwrap();
    assert_eq!(codes(&found, &golden), codes(&theirs, &golden));
    codec(&found);

    // A subfolder goes first, and must be what it is said to be.
    write(at.path(), "t5-base/model.safetensors", bytes("codec.safetensors"));
    write(at.path(), "t5-base/config.json", bytes("codec.json"));
    let message = open().unwrap_err();
    assert!(message.contains("t5-base") && message.contains("\"encodec\", expected \"t5\""), "{message}");
    // Weights in Hugging Face's layout go before audiocraft's, as in the published repositories.
    huggingface(at.path(), "stereo");
    assert_eq!(open().unwrap().layout(), Layout::Single);
}

fn refusal(at: &Path) -> String {
    let message = ModelFolder::open_in(&nowhere(), at).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn what_is_wrong_is_said_in_a_line() {
    let at = tempfile::tempdir().unwrap();
    audiocraft(at.path(), "text");
    let (lm, codec) = (at.path().join("state_dict.bin"), at.path().join("compression_state_dict.bin"));
    std::fs::remove_file(&codec).unwrap();
    let message = refusal(at.path());
    assert!(message.contains("compression_state_dict.bin: no such file") && message.contains("copy both"), "{message}");
    std::fs::rename(&lm, &codec).unwrap();
    let message = refusal(at.path());
    assert!(message.contains("state_dict.bin: no such file; audiocraft publishes it with compression"), "{message}");

    // The files exchanged, cut short, or full of something else.
    audiocraft(at.path(), "text");
    std::fs::write(&lm, bytes("compression_state_dict.bin")).unwrap();
    let message = refusal(at.path());
    assert!(message.contains("transformer_lm.norm_first: nothing"), "{message}");
    let whole = bytes("text/state_dict.bin");
    for cut in [0, 3, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&lm, &whole[..cut]).unwrap();
        assert!(refusal(at.path()).contains("state_dict.bin: not a file of tensors"), "{cut}");
    }
    std::fs::write(&lm, bytes("pretrained.bin")).unwrap();
    let message = refusal(at.path());
    assert!(message.contains("`xp.cfg`") && message.contains("[pretrained, exported, version]"), "{message}");
    std::fs::write(&lm, include_bytes!("../../affetto-engine/tests/pickle/foreign.pt")).unwrap();
    let message = refusal(at.path());
    assert!(message.contains("system") && message.contains("nothing is executed"), "{message}");
    std::fs::write(&lm, include_bytes!("../../affetto-engine/tests/pickle/good.pt")).unwrap();
    assert!(refusal(at.path()).contains("transformer_lm.norm_first"));
}

/// A file with some bytes exchanged for as many others. The reader does not check the archive's sums.
fn changed(file: &str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes(file);
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|&i| bytes[i..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{from}");
    places.iter().for_each(|&i| bytes[i..i + to.len()].copy_from_slice(to.as_bytes()));
    bytes
}

#[test]
fn settings_and_tensors_that_do_not_fit_are_named() {
    let at = tempfile::tempdir().unwrap();
    audiocraft(at.path(), "melody");
    for (from, to, expected) in [
        ("bias_ff: false", "bias_ff: true ", "`transformer_lm.bias_ff: true`, expected false"),
        ("  n_q: 4\n", "  n_q: x\n", "`transformer_lm.n_q: x`, expected a whole number"),
        ("modeling: delay", "modeling: valle", "`codebooks_pattern.modeling: valle`, expected delay"),
        ("    - 3\n    f", "    - 4\n    f", "`codebooks_pattern.delay.delays: [0, 1, 2, 4]`, expected [0, 1, 2, 3]"),
        ("model: chroma_stem", "model: styles_stem", "`conditioners.self_wav.model: styles_stem`"),
        ("lm_model: transformer_lm", "lm_model: magnet_for_lms", "`lm_model: magnet_for_lms`, expected transformer_lm"),
        ("  - self_wav\n  - d", "  - self_way\n  - d", "`fuser.prepend: [self_way, description]`, expected [self_wav,"),
        ("radix2_exp: 14", "radix2_exp: 12", "radix2_exp: 12`, expected 14"),
        ("out_norm.weight", "out_form.weight", "tensor `out_form.weight` is none that a MusicGen model has"),
    ] {
        write(at.path(), "state_dict.bin", changed("melody/state_dict.bin", from, to));
        let message = refusal(at.path());
        assert!(message.contains(expected) && message.contains("state_dict.bin"), "{message}");
    }
    audiocraft(at.path(), "melody");
    for (from, to, expected) in [
        ("autoencoder: seanet", "autoencoder: dacnet", "`encodec.autoencoder: dacnet`, expected seanet"),
        ("  ratios:\n  - 4", "  ratios:\n  - x", "`seanet.ratios: [x, 4]`, expected a list of whole numbers"),
        ("quantizer.vq.layers.0._codebook.embed", "quantizer.vq.layers.0._codebook.emsed", "is none that"),
    ] {
        write(at.path(), "compression_state_dict.bin", changed("compression_state_dict.bin", from, to));
        let message = refusal(at.path());
        assert!(message.contains(expected) && message.contains("compression_state_dict.bin"), "{message}");
    }

    // A tensor that is not there is named when it is asked for, by the name it should have.
    audiocraft(at.path(), "text");
    write(at.path(), "state_dict.bin", changed("text/state_dict.bin", "linears.3.weight", "linears.7.weight"));
    let folder = ModelFolder::open_in(&nowhere(), at.path()).unwrap();
    let config = MusicGenConfig::from_json(folder.config()).unwrap();
    let message = MusicGen::load(folder.checkpoint(), &config, Precision::F32).err().unwrap().to_string();
    assert!(message.contains("`decoder.lm_heads.3.weight` is missing"), "{message}");
}

#[test]
fn a_quantised_folder_is_whole() {
    let at = tempfile::tempdir().unwrap();
    audiocraft(&at.path().join("from"), "text");
    let from = ModelFolder::open_in(&nowhere(), at.path().join("from")).unwrap();
    let out = at.path().join("int8");
    affetto_models::quantize::quantize_folder(&from, &out, Precision::Int8).unwrap();
    let stored = ModelFolder::open_in(&nowhere(), &out).unwrap();
    assert_eq!((stored.layout(), stored.quantization()), (Layout::Single, Some("int8")));
    assert!(T5Tokenizer::open(stored.tokenizer_folder()).is_ok());
    assert_eq!(MusicGenConfig::from_json(stored.config()).unwrap(), MusicGenConfig::from_json(from.config()).unwrap());
    codec(&stored);
}
