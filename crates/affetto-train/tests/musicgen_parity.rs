//! MusicGen's network that burn trains and the one that the engine runs say the same.
#![cfg(feature = "burn")]

#[path = "../../affetto-cli/tests/common/model.rs"]
#[allow(dead_code, reason = "shared with the command's tests")]
mod model;
#[path = "../../affetto-cli/tests/common/musicgen.rs"]
#[allow(dead_code, reason = "shared with the command's tests")]
mod musicgen;

use std::sync::Arc;

use affetto_engine::Precision;
use affetto_models::ModelFolder;
use affetto_models::decoder::{Answers, Lane, Scratch};
use affetto_models::musicgen::{MusicGen, MusicGenConfig};
use affetto_train::config::EmotionDropout;
use affetto_train::learn::lara::align::Heard;
use affetto_train::learn::musicgen::batch::{Crop, HostBatch, Shape};
use affetto_train::learn::musicgen::network::MusicGenNetwork;
use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const ROWS: usize = 30;
const TOKENS: usize = 3;
const CLOSE: f32 = 1e-4;

fn crop(seed: u64, config: &MusicGenConfig, words: usize) -> Crop {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let vocab = config.decoder.vocab_sizes[0] as u32;
    Crop {
        codes: (0..ROWS * config.decoder.streams()).map(|_| rng.random_range(0..vocab)).collect(),
        text: Arc::new((0..words * config.text.d_model).map(|_| rng.random::<f32>() - 0.5).collect()),
        emotion: [rng.random::<f32>() * 2.0 - 1.0, rng.random::<f32>() * 2.0 - 1.0],
        heard: Heard::default(),
    }
}

#[test]
fn burn_and_the_engine_agree_on_musicgen() {
    for kind in [musicgen::Kind::Text, musicgen::Kind::Stereo] {
        let folder = tempfile::tempdir().expect("a folder");
        musicgen::write(folder.path(), kind);
        let opened = ModelFolder::open(folder.path()).expect("opened");
        let config = MusicGenConfig::from_json(opened.config()).expect("sizes");
        let device = Device::default();
        device.seed(3);
        let network = MusicGenNetwork::load(opened.checkpoint(), &config, TOKENS, &device).expect("loaded");
        let engine = MusicGen::load(opened.checkpoint(), &config, Precision::F32).expect("loaded");
        let lm = engine.lm();

        let shape = Shape {
            decoder: config.decoder.clone(),
            text_width: config.text.d_model,
            emotion_tokens: TOKENS,
            feature_width: 1,
        };
        let crops = [crop(1, &config, 5), crop(2, &config, 2), crop(3, &config, 0)];
        for (all, emotion) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)] {
            let dropout = EmotionDropout { all, emotion, text: 0.0 };
            let batch = HostBatch::new(&crops, &shape, &dropout, &mut Pcg64Mcg::seed_from_u64(0));
            let steps = batch.steps();
            let logits = network.forward(batch.upload(&device), 1).logits.into_data().try_to_vec::<f32>().expect("f32");
            let of_crop = logits.len() / crops.len();
            for (crop, ours) in crops.iter().zip(logits.chunks_exact(of_crop)) {
                let mut tokens = Vec::new();
                if all == 0.0 {
                    tokens.extend(engine.text_tokens(&crop.text).expect("states"));
                }
                if all == 0.0 && emotion == 0.0 {
                    tokens.extend(network.emotion(crop.emotion));
                }
                let mut lane = Lane::new(lm);
                lane.set_cross(Some(Arc::new(lm.cross(&tokens, &[]).expect("tokens fit"))));
                let streams = config.decoder.streams();
                let codes: Vec<u32> = (0..steps)
                    .flat_map(|step| (0..streams).map(move |k| (step, k)))
                    .map(|(step, k)| match step.checked_sub(1 + config.decoder.delays[k]) {
                        Some(row) if row < ROWS => crop.codes[row * streams + k],
                        _ => config.decoder.vocab_sizes[k] as u32,
                    })
                    .collect();
                let answers = lm.forward(&mut [&mut lane], &codes, steps, Answers::All, &mut Scratch::default());
                let answers = answers.expect("it fits");
                assert_eq!(answers.data().len(), ours.len());
                let spread = ours.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                assert!(spread > 0.1, "logits that say something, not {spread}");
                for (i, (a, b)) in ours.iter().zip(answers.data()).enumerate() {
                    assert!((a - b).abs() < CLOSE, "all {all} emotion {emotion}: number {i}: {a} and {b}");
                }
            }
        }
    }
}

#[test]
fn melody_models_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    musicgen::write(folder.path(), musicgen::Kind::Melody);
    let opened = ModelFolder::open(folder.path()).expect("opened");
    let config = MusicGenConfig::from_json(opened.config()).expect("sizes");
    let error = MusicGenNetwork::load(opened.checkpoint(), &config, TOKENS, &Device::default()).expect_err("refused");
    assert!(error.to_string().contains("text model"), "{error}");
}
