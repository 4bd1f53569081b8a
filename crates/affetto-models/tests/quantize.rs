//! A folder stored quantised loads to the same bits as the original quantised while loading.

use affetto_engine::{PackedMatrix, Precision, linear};
use affetto_models::ModelFolder;
use affetto_models::quantize::quantize_folder;
use safetensors::Dtype;

const NAMES: [(&str, usize, usize); 6] = [
    ("decoder.model.decoder.layers.0.fc1.weight", 128, 64),
    ("decoder.model.decoder.layers.0.self_attn.k_proj.weight", 48, 192),
    ("decoder.model.decoder.layers.0.self_attn.out_proj.weight", 48, 192),
    ("decoder.model.decoder.layers.0.self_attn.q_proj.weight", 48, 192),
    ("decoder.model.decoder.layers.0.self_attn.v_proj.weight", 48, 192),
    ("decoder.lm_heads.0.weight", 20, 33),
];
/// What is multiplied together.
const JOINED: [(&str, usize); 3] = [(NAMES[3].0, 48), (NAMES[1].0, 48), (NAMES[4].0, 48)];

/// Tensors that are carried along.
const STRAY: [&str; 3] = ["text_encoder.embeddings.position_ids", "decoder.mask", "decoder.lm_heads.bytes"];

fn folder(path: &std::path::Path) {
    let mut data: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = NAMES
        .iter()
        .map(|&(name, n, k)| {
            let numbers = (0..n * k).map(|i| ((i * 7919 % 1009) as f32 - 504.0) * 1e-3 * (1.0 + (i / k) as f32));
            (name.to_owned(), Dtype::F32, vec![n, k], numbers.flat_map(f32::to_le_bytes).collect())
        })
        .collect();
    // What no network reads, of kinds that are no weights.
    data.push((STRAY[0].into(), Dtype::I64, vec![1, 3], (0..3i64).flat_map(i64::to_le_bytes).collect()));
    data.push((STRAY[1].into(), Dtype::BOOL, vec![3], vec![1, 0, 1]));
    data.push((STRAY[2].into(), Dtype::I8, vec![2, 2], vec![1, 2, 3, 255]));
    let views = data.iter().map(|(name, dtype, shape, bytes)| {
        (name, safetensors::tensor::TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let file = safetensors::serialize(views, None).unwrap();
    std::fs::write(path.join("model.safetensors"), file).unwrap();
    std::fs::write(path.join("config.json"), r#"{"model_type": "musicgen"}"#).unwrap();
}

#[test]
fn stored_and_quantised_at_load_are_the_same_bits() {
    let room = tempfile::tempdir().unwrap();
    folder(room.path());
    let from = ModelFolder::open(room.path()).unwrap();
    for (precision, note) in [(Precision::Bf16, "bf16"), (Precision::Int8, "int8"), (Precision::Int4, "int4")] {
        let out = room.path().join(note);
        let bytes = quantize_folder(&from, &out, precision).unwrap();
        assert!(bytes < from.bytes() * 3 / 4, "{bytes} of {}", from.bytes());
        let stored = ModelFolder::open(&out).unwrap();
        assert_eq!(stored.quantization(), Some(note));
        for name in STRAY {
            let both = [&from, &stored].map(|folder| folder.checkpoint().raw(name).unwrap());
            assert_eq!(both[0], both[1], "{name}");
            assert_eq!(from.checkpoint().shape(name).unwrap(), stored.checkpoint().shape(name).unwrap());
        }
        for (name, n, k) in NAMES {
            let x: Vec<f32> = (0..2 * k).map(|i| (i as f32 * 0.37).sin()).collect();
            let run = |folder: &ModelFolder| {
                let w = PackedMatrix::load(folder.checkpoint(), name, n, k, precision).unwrap();
                let mut out = vec![0.0; 2 * n];
                linear(&x, 2, &w, None, &mut out);
                out
            };
            assert_eq!(run(&from), run(&stored), "{precision:?} {name}");
        }
        let x: Vec<f32> = (0..192).map(|i| (i as f32 * 0.37).sin()).collect();
        let joined = |folder: &ModelFolder, precision| {
            let w = PackedMatrix::load_joined(folder.checkpoint(), &JOINED, 192, precision).unwrap();
            let mut out = vec![0.0; 144];
            linear(&x, 1, &w, None, &mut out);
            out
        };
        assert_eq!(joined(&from, precision), joined(&stored, precision), "{precision:?}");
        if precision != Precision::Int4 {
            // What is stored in fewer bits can be held in more.
            let (want, got) = (joined(&from, Precision::F32), joined(&stored, Precision::F32));
            let most = want.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            assert!(want.iter().zip(&got).all(|(a, b)| (a - b).abs() < most * 0.02), "{want:?} {got:?}");
        }
        // A folder that is there is left alone, and nothing half done lies about.
        assert!(quantize_folder(&from, &out, precision).unwrap_err().to_string().contains("there already"));
        assert!(quantize_folder(&stored, &room.path().join("again"), precision).is_err());
    }
    // Panels that lie in a way a later version may choose are refused.
    let file = room.path().join("int8/model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(16).position(|w| w == b"affetto-panels-1").unwrap();
    let later = [&bytes[..at + 15], b"9", &bytes[at + 16..]].concat();
    std::fs::write(&file, later).unwrap();
    let stored = ModelFolder::open(room.path().join("int8")).unwrap();
    let refused = PackedMatrix::load(stored.checkpoint(), NAMES[0].0, 128, 64, Precision::Int8);
    assert!(refused.err().unwrap().to_string().contains("quantise the original model anew"));
    let left = std::fs::read_dir(room.path()).unwrap().flatten();
    assert!(left.into_iter().all(|e| !e.file_name().to_string_lossy().contains("partial")));
}
