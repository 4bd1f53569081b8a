//! Reading safetensors, good and bad.

use affetto_engine::matmul::Precision;
use affetto_engine::{Checkpoint, Embedding, EngineError, Linear, PackedMatrix, linear};
use safetensors::tensor::{Dtype, TensorView, serialize};

fn file(tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.to_vec(), data).unwrap()));
    serialize(views, None).unwrap()
}

fn f32s(v: &[f32]) -> Vec<u8> {
    v.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn sample() -> Vec<u8> {
    let values = [1.0f32, -2.0, 0.5, 3.0, 0.0, -0.25];
    let half = values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect();
    let brain = values.iter().flat_map(|&v| half::bf16::from_f32(v).to_le_bytes()).collect();
    file(&[
        ("a.weight", Dtype::F32, &[2, 3], f32s(&values)),
        ("b.weight", Dtype::F16, &[2, 3], half),
        ("c.weight", Dtype::BF16, &[2, 3], brain),
        ("q.weight", Dtype::I8, &[2, 3], vec![2, 0xfc, 1, 127, 0, 0x81]),
        ("q.weight.scale", Dtype::F32, &[2], f32s(&[0.5, 2.0])),
        ("n", Dtype::I64, &[1], vec![0; 8]),
    ])
}

#[test]
fn all_kinds_of_numbers_are_read() {
    let c = Checkpoint::from_bytes("x.safetensors", sample()).unwrap();
    for name in ["a.weight", "b.weight", "c.weight"] {
        let got = c.tensor_f32(name, &[2, 3]).unwrap();
        assert_eq!(got, [1.0, -2.0, 0.5, 3.0, 0.0, -0.25]);
    }
    let got = c.tensor_f32("q.weight", &[2, 3]).unwrap();
    assert_eq!(got, [1.0, -2.0, 0.5, 254.0, 0.0, -254.0]);
    let table = Embedding::load(&c, "q.weight", 2, 3).unwrap();
    let mut row = [0.0; 3];
    table.get(1, &mut row).unwrap();
    assert_eq!(row, [254.0, 0.0, -254.0]);
    assert!(table.get(2, &mut row).is_err());
    let table = Embedding::load(&c, "b.weight", 2, 3).unwrap();
    table.get(0, &mut row).unwrap();
    assert_eq!(row, [1.0, -2.0, 0.5]);
}

#[test]
fn stored_int8_is_packed_without_another_rounding() {
    let c = Checkpoint::from_bytes("x.safetensors", sample()).unwrap();
    let w = PackedMatrix::load(&c, "q.weight", 2, 3, Precision::Int8).unwrap();
    let mut out = [0.0; 2];
    linear(&[1.0, 1.0, 1.0], 1, &w, None, &mut out);
    assert!((out[0] + 0.5).abs() < 1e-6 && out[1].abs() < 1e-6, "{out:?}");
}

#[test]
fn a_file_is_mapped_and_shards_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.safetensors"), folder.path().join("2.safetensors"));
    std::fs::write(&one, sample()).unwrap();
    let other = file(&[("d.weight", Dtype::F32, &[1], f32s(&[7.0]))]);
    std::fs::write(&two, &other).unwrap();
    let c = Checkpoint::open_shards([&one, &two]).unwrap();
    assert_eq!(c.names().len(), 7);
    assert_eq!(c.tensor_f32("d.weight", &[1]).unwrap(), [7.0]);
    assert_eq!(c.shape("a.weight").unwrap(), [2, 3]);
    let twice = Checkpoint::open_shards([&one, &one]);
    assert!(matches!(twice, Err(EngineError::Duplicate { .. })));
    let merged = Checkpoint::open(&one).unwrap().merge(Checkpoint::open(&two).unwrap());
    assert_eq!(merged.unwrap().names().len(), 7);
    assert!(matches!(Checkpoint::open(folder.path().join("3")), Err(EngineError::Io { .. })));
}

#[test]
fn messages_name_file_tensor_expected_and_found() {
    let c = Checkpoint::from_bytes("x.safetensors", sample()).unwrap();
    let message = c.tensor_f32("a.weight", &[3, 2]).unwrap_err().to_string();
    for part in ["x.safetensors", "a.weight", "[3, 2]", "[2, 3]"] {
        assert!(message.contains(part), "{message}");
    }
    let message = c.tensor_f32("model.a.weight", &[2, 3]).unwrap_err().to_string();
    assert!(message.contains("nearest name is `a.weight`"), "{message}");
    let message = c.tensor_f32("n", &[1]).unwrap_err().to_string();
    assert!(message.contains("I64"), "{message}");
    let no_scale = file(&[("q", Dtype::I8, &[1, 1], vec![1])]);
    let message = Checkpoint::from_bytes("y", no_scale).unwrap().tensor_f32("q", &[1, 1]).unwrap_err();
    assert!(message.to_string().contains("q.scale"), "{message}");
    assert!(Linear::load(&c, "a", 2, 3, true, Precision::F32).is_err());
}

#[test]
fn broken_bytes_are_errors() {
    let good = sample();
    for cut in 0..good.len() {
        assert!(Checkpoint::from_bytes("cut", good[..cut].to_vec()).is_err());
    }
    let mut huge = good.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(Checkpoint::from_bytes("huge", huge).is_err());
    let header = br#"{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,4]}}"#;
    let mut overflow = (header.len() as u64).to_le_bytes().to_vec();
    overflow.extend(header);
    overflow.extend([0; 4]);
    assert!(Checkpoint::from_bytes("overflow", overflow).is_err());
    for i in 0..good.len().min(400) {
        let mut flipped = good.clone();
        flipped[i] ^= 0x55;
        if let Ok(c) = Checkpoint::from_bytes("flipped", flipped) {
            for name in c.names() {
                let shape = c.shape(name).unwrap().to_vec();
                let _ = c.tensor_f32(name, &shape);
            }
        }
    }
}

#[test]
fn ten_thousand_mutations_never_panic() {
    let good = sample();
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut random = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % n.max(1)
    };
    let mut read = 0;
    for _ in 0..10_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + random(4) {
            let at = if random(3) == 0 { random(bytes.len()) } else { random(400) };
            match random(4) {
                0 => bytes[at] = b"0123456789[]{},:\"-"[random(18)],
                1 => bytes[at] ^= 1 << random(8),
                2 => bytes.truncate(at.max(401)),
                _ => bytes.insert(at, b'9'),
            }
        }
        let Ok(c) = Checkpoint::from_bytes("mutated", bytes) else { continue };
        read += 1;
        for name in c.names() {
            let shape = c.shape(name).unwrap().to_vec();
            let _ = c.tensor_f32(name, &shape);
            if let [rows, width] = shape[..] {
                let _ = PackedMatrix::load(&c, name, rows, width, Precision::Int8);
                if let Ok(table) = Embedding::load(&c, name, rows, width) {
                    let _ = table.get(rows.wrapping_sub(1), &mut vec![0.0; width]);
                }
            }
        }
    }
    assert!(read > 100, "only {read} mutations were still files");
}

#[test]
fn each_file_says_how_its_own_panels_lie() {
    let panels = |name: &str, layout: Option<&str>| {
        let (data, scale) = (vec![1u8; 64], f32s(&[1.0; 16]));
        let scale_name = format!("{name}.scale");
        let views = [
            (name, TensorView::new(Dtype::U8, vec![1, 1, 64], &data).unwrap()),
            (&*scale_name, TensorView::new(Dtype::F32, vec![16], &scale).unwrap()),
        ];
        let pairs = layout.map(|layout| [("layout".to_owned(), layout.to_owned())].into());
        Checkpoint::from_bytes(&format!("{name}.safetensors"), serialize(views, pairs).unwrap()).unwrap()
    };
    let load = |c: &Checkpoint, name: &str| PackedMatrix::load(c, name, 16, 4, Precision::Int8).map(drop);
    let known = || panels("known", Some("affetto-panels-1"));
    for other in [None, Some("affetto-panels-9")] {
        for merged in [known().merge(panels("other", other)), panels("other", other).merge(known())] {
            let merged = merged.unwrap();
            assert!(load(&merged, "known").is_ok());
            let message = load(&merged, "other").unwrap_err().to_string();
            assert!(message.contains("other.safetensors") && message.contains("affetto-panels-1"), "{message}");
        }
    }
}
