//! `torch.save` files: dictionaries of tensors are read, anything else is refused and nothing is executed.
//! The files come from goldens/torch_files.py.

use affetto_engine::PickleFile;
use affetto_engine::checkpoint::Renamed;

const GOOD: &[u8] = include_bytes!("pickle/good.pt");
const TENSORS: &[u8] = include_bytes!("pickle/tensors.pt");
const FOREIGN: &[u8] = include_bytes!("pickle/foreign.pt");
const LEGACY: &[u8] = include_bytes!("pickle/legacy.pt");

fn read(bytes: &[u8]) -> Result<PickleFile, String> {
    PickleFile::from_bytes("x.bin", bytes.to_vec()).map_err(|e| e.to_string())
}

#[test]
fn tensors_texts_and_numbers_are_read() {
    let file = read(GOOD).unwrap();
    assert_eq!(file.text(&["xp.cfg"]), Some("dim: 4\n"));
    assert_eq!(file.keys(&[]).unwrap(), ["best_state", "xp.cfg"]);
    let tensors = file.tensors(&["best_state"]).unwrap();
    let count: Vec<f32> = (0..12).map(|i| i as f32).collect();
    for name in ["f32", "f16", "bf16"] {
        assert_eq!(tensors.tensor_f32(name, &[3, 4]).unwrap(), count, "{name}");
    }
    let turned: Vec<f32> = (0..12).map(|i| (i % 3 * 4 + i / 3) as f32).collect();
    assert_eq!(tensors.tensor_f32("transposed", &[4, 3]).unwrap(), turned);
    assert_eq!(tensors.tensor_f32("columns", &[3, 2]).unwrap(), [1.0, 2.0, 5.0, 6.0, 9.0, 10.0]);
    assert_eq!(tensors.tensor_f32("rows", &[2, 4]).unwrap(), count[4..]);
    assert_eq!(tensors.tensor_f32("shared", &[4]).unwrap(), count[8..]);
    assert_eq!(tensors.tensor_f32("scalar", &[]).unwrap(), [7.0]);
    assert!(tensors.tensor_f32("empty", &[0, 4]).unwrap().is_empty());
    assert_eq!(tensors.shape("i64").unwrap(), [5]);

    let view = tensors.view(|name, _| match name {
        "f32" => vec![Renamed::rows("q", 0..1), Renamed::rows("k", 1..3)],
        "scalar" => vec![Renamed::whole("s")],
        _ => Vec::new(),
    });
    let view = view.unwrap();
    assert_eq!(view.names(), ["k", "q", "s"]);
    assert_eq!(view.tensor_f32("k", &[2, 4]).unwrap(), count[4..]);
    assert!(tensors.view(|_, _| vec![Renamed::whole("same")]).is_err());
    assert!(tensors.view(|name, _| vec![Renamed::rows(name, 0..99)]).is_err());
}

#[test]
fn other_things_are_refused_in_a_line() {
    let foreign = read(FOREIGN).unwrap_err();
    assert!(foreign.contains("system") && foreign.contains("nothing is executed"), "{foreign}");
    assert!(read(LEGACY).unwrap_err().contains("before 1.6"));
    assert!(read(b"").unwrap_err().contains("zip"));
    let file = read(TENSORS).unwrap();
    assert_eq!(file.number(&["n"]), Some(3.0));
    let expanded = file.tensors(&["best_state"]).unwrap_err().to_string();
    assert!(expanded.contains("`expanded`") && expanded.contains("larger than what is stored"), "{expanded}");
    let none = file.tensors(&["model"]).unwrap_err().to_string();
    assert!(none.contains("it has no `model`; it holds [xp.cfg, best_state, n, x]"), "{none}");
}

#[test]
fn no_cut_and_no_flipped_byte_panics() {
    for length in (0..GOOD.len()).step_by(7) {
        assert!(read(&GOOD[..length]).is_err(), "cut at {length}");
    }
    for at in 0..GOOD.len() {
        let mut bytes = GOOD.to_vec();
        bytes[at] ^= 0x55;
        let Ok(file) = read(&bytes) else { continue };
        let Ok(tensors) = file.tensors(&["best_state"]) else { continue };
        for name in tensors.names() {
            let shape = tensors.shape(name).unwrap().to_vec();
            let _ = tensors.tensor_f32(name, &shape);
        }
    }
}
