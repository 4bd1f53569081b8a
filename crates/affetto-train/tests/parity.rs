//! The network that burn trains and the one that the engine runs say the same.
#![cfg(feature = "burn")]

use std::collections::HashMap;
use std::sync::Arc;

use affetto_control::conditions::TEXT_WIDTH;
use affetto_control::encoder::ConditionEncoder;
use affetto_control::{Conditions, Emotion, MeterClass, SegmentConditions, ToldKey};
use affetto_engine::{Checkpoint, Precision};
use affetto_models::decoder::{Answers, DecoderConfig, DecoderLm, Lane, Scratch};
use affetto_score::codec::{BAR, STREAMS, VOCABULARY};
use affetto_score::{Instrument, Key, Mode};
use affetto_train::config::{ConditionDropout, ModelConfig};
use affetto_train::learn::batch::HostBatch;
use affetto_train::learn::export::{self, Storage};
use affetto_train::learn::network::Network;
use affetto_train::window::Window;
use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const ROWS: usize = 40;
const CLOSE: f32 = 1e-4;

fn model() -> ModelConfig {
    ModelConfig {
        hidden_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        ffn_dim: 128,
        window: ROWS,
        vocab_sizes: VOCABULARY.to_vec(),
    }
}

fn words(caption: &str) -> Vec<f32> {
    let mut rng = Pcg64Mcg::seed_from_u64(caption.len() as u64);
    (0..caption.split(' ').count() * TEXT_WIDTH).map(|_| rng.random::<f32>() - 0.5).collect()
}

/// A window of random rows in three segments, the last of which is told nothing of its own.
fn window(seed: u64, told: bool) -> Window {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let rows = (0..ROWS).map(|_| std::array::from_fn(|k| rng.random_range(0..VOCABULARY[k] as u16))).collect();
    let emotion = |valence, arousal| Some(Emotion { valence, arousal });
    let own = [
        SegmentConditions { emotion: emotion(-0.7, 0.2), density: Some(2.0), closing: Some(4) },
        SegmentConditions { emotion: emotion(0.4, 0.9), density: None, closing: Some(1) },
        SegmentConditions::default(),
    ];
    Window {
        rows,
        segment_of_row: (0..ROWS).map(|row| (row * 3 / ROWS) as u8).collect(),
        segments: own.to_vec(),
        tempo_bpm: 97.0,
        key: told.then_some(Key { tonic: 9, mode: Mode::Minor }),
        meter: MeterClass::SixEight,
        instruments: vec![Instrument(0), Instrument(40), Instrument(128)],
        caption: "a slow waltz for two".into(),
    }
}

/// Logits of the whole window by the engine, the conditions exchanged where the segment changes.
fn engine_logits(lm: &DecoderLm, encoder: &ConditionEncoder, window: &Window, null: bool) -> Vec<f32> {
    let mut lane = Lane::new(lm);
    let mut out = Vec::new();
    for step in 0..ROWS + STREAMS - 1 {
        // The newest row whose bar is an input already.
        let row = step.saturating_sub(1 + BAR).min(ROWS - 1);
        let segment = usize::from(window.segment_of_row[row]);
        let conditions = Conditions {
            text_states: words(&window.caption),
            tempo_bpm: Some(window.tempo_bpm),
            key: window.key.map(ToldKey::from),
            meter: Some(window.meter),
            instruments: window.instruments.clone(),
            segment: window.segments[segment],
        };
        let tokens = encoder.encode(&conditions).expect("conditions fit");
        let cross = (!null).then(|| Arc::new(lm.cross(&tokens, &[]).expect("tokens fit")));
        lane.set_cross(cross);
        let codes: Vec<u32> = (0..STREAMS)
            .map(|k| match step.checked_sub(1 + k).and_then(|row| window.rows.get(row)) {
                Some(row) => u32::from(row[k]),
                None => VOCABULARY[k] as u32,
            })
            .collect();
        let logits = lm.forward(&mut [&mut lane], &codes, 1, Answers::All, &mut Scratch::default()).expect("it fits");
        out.extend_from_slice(logits.data());
    }
    out
}

#[test]
fn burn_and_the_engine_agree() {
    let config = model();
    let device = Device::default();
    device.seed(3);
    let network = Network::new(&config, &device);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    export::write(&path, &export::tensors(&network, &config), Storage::F32, HashMap::new()).expect("written");
    let checkpoint = Checkpoint::open(&path).expect("opened");
    let sizes = DecoderConfig {
        vocab_sizes: VOCABULARY.to_vec(),
        delays: (0..STREAMS).collect(),
        hidden_size: config.hidden_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        ffn_dim: config.ffn_dim,
        max_window: ROWS + STREAMS,
    };
    let lm = DecoderLm::load(&checkpoint, &sizes, Precision::F32, "").expect("loaded");
    let encoder = ConditionEncoder::load(&checkpoint, config.hidden_size).expect("loaded");

    let windows = [window(1, true), window(2, false)];
    let width: usize = VOCABULARY.iter().sum();
    for null in [false, true] {
        let dropout = ConditionDropout { all: f32::from(u8::from(null)), ..ConditionDropout::NONE };
        let batch = HostBatch::new(&windows, &words, &dropout, &mut Pcg64Mcg::seed_from_u64(0));
        let logits = network.forward(batch.upload(&device)).into_data().try_to_vec::<f32>().expect("f32");
        let of_window = (ROWS + STREAMS - 1) * width;
        assert_eq!(logits.len(), 2 * of_window);
        for (window, ours) in windows.iter().zip(logits.chunks_exact(of_window)) {
            let theirs = engine_logits(&lm, &encoder, window, null);
            let spread = ours.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            assert!(spread > 0.1, "logits that say something, not {spread}");
            for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                assert!((a - b).abs() < CLOSE, "null {null}: step {}: {a} and {b}", i / width);
            }
        }
    }
}
