//! Guidance and top-p act in the direction they are asked to: what was sampled is held against the logits it came from.

mod common;

use affetto_engine::attention::CachePrecision;
use affetto_engine::sampling::StreamSampling;
use affetto_engine::{Checkpoint, Precision};
use affetto_models::decoder::{Answers, Lane, Logits, Scratch, Settings};
use affetto_models::musicgen::{MusicGen, MusicGenConfig, Plan, Text, generate};
use common::Numbers;

const FRAMES: usize = 200;

fn model() -> MusicGen {
    model_with(None)
}

fn model_with(cache: Option<CachePrecision>) -> MusicGen {
    let file = |end: &str| format!("{}/tests/goldens/musicgen-text.{end}", env!("CARGO_MANIFEST_DIR"));
    let info: serde_json::Value = serde_json::from_slice(&std::fs::read(file("json")).unwrap()).unwrap();
    let config = MusicGenConfig::from_json(&info["config"]).unwrap();
    MusicGen::load_with(&Checkpoint::open(file("safetensors")).unwrap(), &config, Precision::F32, cache).unwrap()
}

/// A text of random states.
fn states(model: &MusicGen) -> Vec<f32> {
    Numbers::new(3).vec(5 * model.config().text.d_model, 1.5)
}

fn sample(model: &MusicGen, guidance: f32, top_p: f32, seed: u64) -> Vec<u32> {
    let texts = vec![Text { from: 0, states: states(model) }];
    let plan = Plan { frames: FRAMES, texts, ..Plan::default() };
    let sampling = StreamSampling { temperature: 1.0, top_k: 0, top_p };
    let settings = Settings { guidance: vec![guidance], sampling: vec![sampling], seed, ..Settings::default() };
    generate(model, &plan, &settings, &[], |_, _| {}).unwrap()
}

/// The logits that codes were sampled from, with the text and without.
struct Heard {
    given: Logits,
    null: Logits,
}

impl Heard {
    fn of(model: &MusicGen, codes: &[u32]) -> Heard {
        let config = &model.config().decoder;
        let streams = config.streams();
        // What the network reads in step s of stream k: the code of row s - 1 - delay.
        let read = |step: usize, k: usize| match step.checked_sub(1 + config.delays[k]) {
            Some(row) if row < FRAMES => codes[row * streams + k],
            _ => config.vocab_sizes[k] as u32,
        };
        let steps = FRAMES + config.delays.iter().max().unwrap();
        let delayed: Vec<u32> = (0..steps).flat_map(|step| (0..streams).map(move |k| read(step, k))).collect();
        let tokens = model.text_tokens(&states(model)).unwrap();
        let cross = std::sync::Arc::new(model.lm().cross(&tokens, &[]).unwrap());
        let logits = |cross| model.lm().logits(&delayed, cross).unwrap();
        Heard { given: logits(Some(cross)), null: logits(None) }
    }

    /// Of each code: its number, and the log-probabilities of all codes in its place with the text and without.
    fn each(&self, model: &MusicGen, codes: &[u32], mut hear: impl FnMut(usize, &[f64], &[f64])) {
        let config = &model.config().decoder;
        for (row, codes) in codes.chunks_exact(config.streams()).enumerate() {
            for (k, &code) in codes.iter().enumerate() {
                let line = row + config.delays[k];
                hear(code as usize, &log_softmax(self.given.get(line, k)), &log_softmax(self.null.get(line, k)));
            }
        }
    }
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - most).exp()).sum();
    logits.iter().map(|l| f64::from(l - most) - sum.ln()).collect()
}

#[test]
fn guidance_presses_towards_the_text_and_the_more_the_harder() {
    let model = model();
    // How much likelier the codes are under the text than without it, on average.
    let pull = |guidance: f32| {
        let (mut sum, mut count) = (0.0, 0);
        for seed in 0..3 {
            let codes = sample(&model, guidance, 1.0, seed);
            Heard::of(&model, &codes).each(&model, &codes, |code, given, null| {
                sum += given[code] - null[code];
                count += 1;
            });
        }
        sum / f64::from(count)
    };
    let pulls = [1.0, 2.0, 4.0].map(pull);
    println!("log-likelihood ratio under guidance 1, 2, 4: {pulls:?}");
    assert!(pulls[0] > 0.0 && pulls[1] > pulls[0] * 1.2 && pulls[2] > pulls[1] * 1.2, "{pulls:?}");
}

#[test]
fn top_p_leaves_out_what_is_unlikely_and_nothing_else() {
    let model = model();
    // The share of probability before each code, counted from the likeliest; without guidance.
    let before = |top_p: f32| {
        let codes = sample(&model, 1.0, top_p, 7);
        let mut shares = Vec::new();
        Heard::of(&model, &codes).each(&model, &codes, |code, given, _| {
            shares.push(given.iter().filter(|&&other| other > given[code]).map(|other| other.exp()).sum::<f64>());
        });
        shares.into_iter().fold(0.0, f64::max)
    };
    // A code is kept while those before it do not make up the share, and nearly all of the share is used.
    for top_p in [0.3, 0.6, 0.9] {
        let most = before(top_p);
        assert!(most <= f64::from(top_p) + 1e-4 && most > f64::from(top_p) - 0.15, "{top_p}: {most}");
    }
    assert!(before(1.0) > 0.97);
}

#[test]
fn keys_and_values_in_bf16_take_half_the_memory_and_change_little() {
    let heard = |precision: Option<CachePrecision>| {
        let model = model_with(precision);
        let (config, mut lane) = (&model.config().decoder, Lane::new(model.lm()));
        let mut numbers = Numbers::new(5);
        let codes: Vec<u32> =
            (0..100).flat_map(|_| config.vocab_sizes.clone()).map(|size| numbers.below(size) as u32).collect();
        let mut scratch = Scratch::default();
        let logits = model.lm().forward(&mut [&mut lane], &codes, 100, Answers::All, &mut scratch).unwrap();
        (lane.bytes(), logits)
    };
    let ((wide, exact), (narrow, rounded)) = (heard(None), heard(Some(CachePrecision::Bf16)));
    assert_eq!(heard(Some(CachePrecision::F32)), (wide, exact.clone()), "f32 weights have an f32 cache");
    assert!(narrow <= wide / 2, "{narrow} bytes and {wide}");
    let largest = exact.data().iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let off = exact.data().iter().zip(rounded.data()).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    println!("largest logit {largest}, largest difference {off}");
    assert!(off > 0.0 && off < 0.01 * largest, "{off} of {largest}");
}
