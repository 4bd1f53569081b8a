//! The chroma extractor against transformers (goldens/melody.py).

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use affetto_models::melody::Chroma;

/// A scale of three partials a tone, half a second each, over a soft low drone: as in the golden's script.
fn sound(samples: usize) -> Vec<f32> {
    let at = |i: usize| {
        let time = i as f64 / 32_000.0;
        let hertz = 220.0 * ((i / 16_000 * 5 % 17) as f64 / 12.0).exp2();
        let tones: f64 =
            [(1.0, 0.4), (2.0, 0.2), (3.0, 0.1)].map(|(n, level)| level * (TAU * n * hertz * time).sin()).iter().sum();
        (tones + 0.05 * (TAU * 55.0 * time).sin()) as f32
    };
    (0..samples).map(at).collect()
}

fn classes(chroma: &[f32]) -> Vec<usize> {
    let class = |frame: &[f32]| {
        assert!(frame.iter().sum::<f32>() == 1.0 && frame.contains(&1.0));
        frame.iter().position(|&x| x == 1.0).unwrap()
    };
    chroma.chunks_exact(12).map(class).collect()
}

#[test]
fn every_frame_has_the_class_that_transformers_hears() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/melody.json");
    let answers: BTreeMap<usize, Vec<usize>> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(answers.len(), 4);
    let chroma = Chroma::default();
    assert_eq!(chroma.frame_rate(), 7.8125);
    for (samples, want) in answers {
        let silent = samples == 20_000;
        let wave = if silent { vec![0.0; samples] } else { sound(samples) };
        assert_eq!(classes(&chroma.of(&wave)), want, "{samples} samples");
    }
    assert_eq!(chroma.of(&[]).len(), 5 * 12);
}
