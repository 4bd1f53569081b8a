//! `quantisation_loss MODEL CONFIG CORPUS ASSETS [WINDOWS]`: what each precision of the engine costs the score model in
//! validation loss. MODEL is a run's float32 `model.safetensors`, CORPUS the cache that `prepare` writes, ASSETS the
//! repository's `assets/`.
//!
//! The windows are the validation's: songs that training has not seen, everything told, every row read before the next
//! is asked for. The loss is the sum over streams of the mean negative log-likelihood, in nats a note; stream weights
//! are not applied. The change against f32 is paired by window, its interval a bootstrap over windows.

use std::path::PathBuf;
use std::sync::Arc;

use affetto_control::encoder::ConditionEncoder;
use affetto_control::{Conditions, ToldKey};
use affetto_engine::{Checkpoint, Precision};
use affetto_models::decoder::{Answers, DecoderConfig, DecoderLm, Lane, Scratch};
use affetto_score::codec::{BAR, END_OF_PIECE, POSITION, STREAMS, VOCABULARY};
use affetto_train::config::TrainConfig;
use affetto_train::corpora::Split;
use affetto_train::learn::score::{Captions, ScoreRun, windows};
use affetto_train::window::Window;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const WINDOWS: usize = 240;
const RESAMPLES: usize = 2000;
const PRECISIONS: [Precision; 4] = [Precision::F32, Precision::Bf16, Precision::Int8, Precision::Int4];

/// Summed negative log-likelihood and number of targets of each stream in a window.
type Sums = [(f64, f64); STREAMS];

/// Nats a note over windows: each stream's mean over all of its targets, added up.
fn loss<'a>(windows: impl Iterator<Item = &'a Sums>) -> f64 {
    let mut all: Sums = [(0.0, 0.0); STREAMS];
    for window in windows {
        all.iter_mut().zip(window).for_each(|(all, one)| *all = (all.0 + one.0, all.1 + one.1));
    }
    all.iter().map(|(sum, count)| sum / count.max(1.0)).sum()
}

fn surprise(logits: &[f32], target: usize) -> f64 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - top).exp()).sum();
    sum.ln() - f64::from(logits[target] - top)
}

fn measure(lm: &DecoderLm, encoder: &ConditionEncoder, window: &Window, words: &[f32]) -> Sums {
    let mut sums = [(0.0, 0.0); STREAMS];
    let (mut lane, mut scratch) = (Lane::new(lm), Scratch::default());
    let (rows, last) = (&window.rows, window.rows.len() - 1);
    let steps = rows.len() + STREAMS - 1;
    // The newest row whose bar is an input already says which segment a step is in.
    let segment = |step: usize| usize::from(window.segment_of_row[step.saturating_sub(1 + BAR).min(last)]);
    let mut from = 0;
    while from < steps {
        let now = segment(from);
        let count = (from..steps).take_while(|&step| segment(step) == now).count();
        let conditions = Conditions {
            text_states: words.to_vec(),
            tempo_bpm: Some(window.tempo_bpm),
            key: window.key.map(ToldKey::from),
            meter: Some(window.meter),
            instruments: window.instruments.clone(),
            segment: window.segments[now],
        };
        let tokens = encoder.encode(&conditions).expect("conditions fit");
        lane.set_cross(Some(Arc::new(lm.cross(&tokens, &[]).expect("tokens fit"))));
        let code = |step: usize, k: usize| step.checked_sub(1 + k).and_then(|row| rows.get(row)).map(|row| row[k]);
        let codes: Vec<u32> = (from..from + count)
            .flat_map(|step| (0..STREAMS).map(move |k| code(step, k).map_or(VOCABULARY[k] as u32, u32::from)))
            .collect();
        let logits = lm.forward(&mut [&mut lane], &codes, count, Answers::All, &mut scratch).expect("a window fits");
        for line in 0..count {
            for (k, sum) in sums.iter_mut().enumerate() {
                let Some(row) = (from + line).checked_sub(k).and_then(|row| rows.get(row)) else { continue };
                // Only place and bar say something in the row that ends a piece.
                if row[BAR] != END_OF_PIECE || k == BAR || k == POSITION {
                    *sum = (sum.0 + surprise(logits.get(line, k), usize::from(row[k])), sum.1 + 1.0);
                }
            }
        }
        from += count;
    }
    sums
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, config, corpus, assets, rest @ ..] = args.as_slice() else {
        panic!("usage: quantisation_loss MODEL CONFIG CORPUS ASSETS [WINDOWS]")
    };
    let count: usize = rest.first().map_or(WINDOWS, |n| n.parse().expect("a number of windows"));
    let run = ScoreRun {
        config: config.into(),
        corpus: corpus.into(),
        assets: assets.into(),
        run_dir: PathBuf::new(),
        hours: None,
        steps: None,
    };
    let config = TrainConfig::read(&run.config).unwrap_or_else(|error| panic!("{error}"));
    let source = windows(&run, &config, Split::Valid).unwrap_or_else(|error| panic!("{error}"));
    let captions = Captions::open(&run.assets).unwrap_or_else(|error| panic!("{error}"));
    let per_step = config.train.batch_size;
    let all: Vec<Window> = (0..count).map(|i| source.window(i / per_step, i % per_step)).collect();
    let words: Vec<Vec<f32>> = all.iter().map(|window| captions.states(&window.caption)).collect();
    let checkpoint = Checkpoint::open(model).unwrap_or_else(|error| panic!("{error}"));
    let sizes = DecoderConfig {
        vocab_sizes: VOCABULARY.to_vec(),
        delays: (0..STREAMS).collect(),
        hidden_size: config.model.hidden_size,
        num_hidden_layers: config.model.num_hidden_layers,
        num_attention_heads: config.model.num_attention_heads,
        ffn_dim: config.model.ffn_dim,
        max_window: config.model.window + STREAMS,
    };
    let encoder = ConditionEncoder::load(&checkpoint, sizes.hidden_size).unwrap_or_else(|error| panic!("{error}"));
    println!("{count} windows, {} notes", all.iter().map(|window| window.rows.len()).sum::<usize>());
    let mut exact: Vec<Sums> = Vec::new();
    for precision in PRECISIONS {
        let lm = DecoderLm::load(&checkpoint, &sizes, precision, "").unwrap_or_else(|error| panic!("{error}"));
        let of = |(window, words): (&Window, &Vec<f32>)| measure(&lm, &encoder, window, words);
        let found: Vec<Sums> = all.iter().zip(&words).map(of).collect();
        if exact.is_empty() {
            exact.clone_from(&found);
        }
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut changes: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let drawn: Vec<usize> = (0..count).map(|_| rng.random_range(0..count)).collect();
                let of = |sums: &[Sums]| loss(drawn.iter().map(|&i| &sums[i]));
                100.0 * (of(&found) / of(&exact) - 1.0)
            })
            .collect();
        changes.sort_by(f64::total_cmp);
        let (loss_now, loss_exact) = (loss(found.iter()), loss(exact.iter()));
        println!(
            "{precision:>5?}: {loss_now:.5} nats a note, {:+.3} % [{:+.3}, {:+.3}], {} bytes of weights",
            100.0 * (loss_now / loss_exact - 1.0),
            changes[RESAMPLES / 40],
            changes[RESAMPLES - 1 - RESAMPLES / 40],
            lm.bytes()
        );
    }
}
