//! Steps a second of a decoder with random weights, by precision and threads, and what the precisions cost in accuracy.
//!
//!     cargo run --release -p affetto-models --example decoder_speed -- [score|small] [steps]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::Instant;

use affetto_engine::{Isa, Precision, threads};
use affetto_models::decoder::{Answers, DecoderConfig, DecoderLm, Lane, Scratch};
use common::{Numbers, checkpoint, tensors};

fn config(name: &str) -> DecoderConfig {
    match name {
        "score" => DecoderConfig {
            vocab_sizes: vec![64, 192, 129, 256, 448, 32],
            delays: (0..6).collect(),
            hidden_size: 256,
            num_hidden_layers: 6,
            num_attention_heads: 4,
            ffn_dim: 1024,
            max_window: 384,
        },
        "small" => DecoderConfig {
            vocab_sizes: vec![2048; 4],
            delays: (0..4).collect(),
            hidden_size: 1024,
            num_hidden_layers: 24,
            num_attention_heads: 16,
            ffn_dim: 4096,
            max_window: 1536,
        },
        other => panic!("{other}: expected score or small"),
    }
}

/// Nanoseconds this thread has been computing, where the system tells (Linux): what a step costs on a machine that others
/// use too.
fn computing() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// The same codes for every measurement.
fn codes(config: &DecoderConfig, steps: usize) -> Vec<u32> {
    let mut numbers = Numbers::new(1);
    let mut codes = config.special();
    for _ in 1..steps {
        codes.extend(config.vocab_sizes.iter().map(|&v| numbers.below(v) as u32));
    }
    codes
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "score".into());
    let config = config(&name);
    let steps = arguments.next().map_or(config.max_window, |n| n.parse().expect("a number of steps"));
    let (d, k) = (config.hidden_size, config.streams());
    println!(
        "{name}: {:.1} M parameters, {:?}, {steps} steps, 2 rows, 48 condition tokens",
        config.parameters() as f64 / 1e6,
        Isa::best()
    );
    let checkpoint = checkpoint(&tensors(&config, 1), "");
    let codes = codes(&config, steps);
    let tokens = Numbers::new(2).vec(48 * d, 1.0);
    let mut exact: Option<Vec<f32>> = None;
    println!(
        "precision threads  weights MB  prefill ms  cross ms  ms/step  median  computing   steps/s  rms error of logits"
    );
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let lm = DecoderLm::load(&checkpoint, &config, precision, "").expect("random weights load");
        let start = Instant::now();
        let cross = Arc::new(lm.cross(&tokens, &[]).expect("sizes fit"));
        let cross_ms = start.elapsed().as_secs_f64() * 1e3;
        for count in [1, 2] {
            threads::set_limit(count);
            let mut scratch = Scratch::default();
            let lanes = || {
                let (mut given, null) = (Lane::new(&lm), Lane::new(&lm));
                given.set_cross(Some(cross.clone()));
                (given, null)
            };
            let (mut given, mut null) = lanes();
            let start = Instant::now();
            let half = &codes[..steps / 2 * k].repeat(2);
            lm.forward(&mut [&mut given, &mut null], half, steps / 2, Answers::Last, &mut scratch).expect("prefill");
            let prefill_ms = start.elapsed().as_secs_f64() * 1e3;

            let (mut given, mut null) = lanes();
            let mut times = Vec::new();
            let started = computing();
            let mut lines = Vec::new();
            for step in codes.chunks_exact(k) {
                let start = Instant::now();
                let logits = lm
                    .forward(&mut [&mut given, &mut null], &step.repeat(2), 1, Answers::Last, &mut scratch)
                    .expect("a step");
                times.push(start.elapsed().as_secs_f64() * 1e3);
                lines.extend_from_slice(logits.data());
            }
            let computed = started.zip(computing()).map_or(f64::NAN, |(a, b)| (b - a) / 1e6 / times.len() as f64);
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            times.sort_by(f64::total_cmp);
            let median = times[times.len() / 2];
            let exact = exact.get_or_insert_with(|| lines.clone());
            let square = |x: f64| x * x;
            let error: f64 = lines.iter().zip(&*exact).map(|(a, b)| square(f64::from(a - b))).sum();
            let size: f64 = exact.iter().map(|&b| square(f64::from(b))).sum();
            println!(
                "{precision:>9?} {count:7} {:11.1} {prefill_ms:11.1} {cross_ms:9.2} {mean:8.3} {median:7.3} {computed:11.3} {:8.0}  {:.5} ({:.3} % of their rms)",
                lm.bytes() as f64 / 1e6,
                1e3 / mean,
                (error / lines.len() as f64).sqrt(),
                100.0 * (error / size).sqrt(),
            );
        }
    }
}
