//! MusiCNN against the golden of its published ONNX file (see `goldens/README.md`).

use affetto_audio::{MelSettings, mel};
use affetto_engine::Checkpoint;
use affetto_models::musicnn::{BANDS, FRAMES, HOP, MusiCnn, POOLED, TAGS};

fn golden() -> Checkpoint {
    Checkpoint::from_bytes("musicnn golden", &include_bytes!("fixtures/musicnn.safetensors")[..]).unwrap()
}

fn weights() -> Checkpoint {
    let bytes = include_bytes!("../../../assets/musicnn/musicnn.safetensors");
    Checkpoint::from_bytes("musicnn.safetensors", &bytes[..]).unwrap()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn agrees_with_the_published_network() {
    let golden = golden();
    let get = |name: &str| golden.stored(name).unwrap().to_f32();
    let net = MusiCnn::load(&weights()).unwrap();
    let out = net.forward(&get("mel")).unwrap();
    let (tags, penultimate) = (distance(&out.tags, &get("tags")), distance(&out.penultimate, &get("penultimate")));
    println!("from mel on: tags {tags:e}, penultimate {penultimate:e}");
    assert!(tags <= 1e-4 && penultimate <= 1e-4, "tags {tags:e}, penultimate {penultimate:e}");
    assert_eq!(out.pooled.len(), POOLED);
    let loudest = (0..50).max_by(|&a, &b| out.tags[a].total_cmp(&out.tags[b])).unwrap();
    assert_eq!(TAGS[loudest], "electronic");
}

#[test]
fn agrees_from_the_sound_on() {
    let golden = golden();
    let get = |name: &str| golden.stored(name).unwrap().to_f32();
    let audio = get("audio");
    let picture = mel(&audio, &MelSettings::default());
    let d = distance(&picture[..FRAMES * BANDS], &get("mel"));
    println!("mel {d:e}");
    assert!(d <= 1e-3, "mel {d:e}");
    let out = MusiCnn::load(&weights()).unwrap().features(&audio).unwrap();
    assert_eq!(out.len(), 1);
    let d = distance(&out[0].penultimate, &get("penultimate"));
    assert!(d <= 1e-3, "penultimate {d:e}");
}

#[test]
fn overlapping_windows_are_what_each_is_alone() {
    let net = MusiCnn::load(&weights()).unwrap();
    let frames = FRAMES + 2 * HOP + 17;
    let picture: Vec<f32> = (0..frames * BANDS).map(|i| ((i * 7919) % 1013) as f32 / 400.0).collect();
    let all = net.windows(&picture).unwrap();
    assert_eq!(all.len(), 3);
    for (i, one) in all.iter().enumerate() {
        let alone = net.forward(&picture[i * HOP * BANDS..][..FRAMES * BANDS]).unwrap();
        assert_eq!(&alone, one);
    }
}

#[test]
fn other_sizes_are_refused_and_short_sound_is_padded() {
    let net = MusiCnn::load(&weights()).unwrap();
    assert!(net.forward(&[0.0; 96]).unwrap_err().to_string().contains("187"));
    assert!(net.windows(&[]).is_err() && net.windows(&[0.0; 95]).is_err());
    assert_eq!(net.features(&[0.1; 4000]).unwrap().len(), 1);
    assert!(MusiCnn::load(&golden()).is_err());
}
