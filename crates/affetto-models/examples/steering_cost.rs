//! What steering costs: steps of a decoder with and without it, in turns, so that a busy machine slows them alike.
//!
//!     cargo run --release -p affetto-models --example steering_cost -- score|FOLDER [steps] [threads]
//!
//! `score` is the model that ships; FOLDER holds a MusicGen model. Two rows (both branches of guidance), three directions
//! with a push at every layer and a probe each.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use affetto_engine::{Checkpoint, Precision, threads};
use affetto_models::ModelFolder;
use affetto_models::decoder::{
    Answers, Branch, DecoderConfig, DecoderLm, Lane, Probe, Push, Scratch, Site, SteerVector, Steering,
};
use affetto_models::musicgen::{MusicGen, MusicGenConfig};

const DIRECTIONS: usize = 3;

fn open(name: &str) -> Arc<DecoderLm> {
    if name != "score" {
        let folder = ModelFolder::open(name).expect("a model's folder");
        let config = MusicGenConfig::from_json(folder.config()).expect("a MusicGen model");
        let precision = match folder.quantization() {
            Some("int8") => Precision::Int8,
            Some("int4") => Precision::Int4,
            _ => Precision::Bf16,
        };
        return MusicGen::load(folder.checkpoint(), &config, precision).expect("MusicGen").shared_lm();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/score");
    let config = std::fs::read(folder.join("config.json")).expect("config.json");
    let config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    let config: DecoderConfig = serde_json::from_value(config["decoder"].clone()).expect("a decoder");
    let checkpoint = Checkpoint::open(folder.join("model.safetensors")).expect("model.safetensors");
    Arc::new(DecoderLm::load(&checkpoint, &config, Precision::Int8, "").expect("a decoder"))
}

fn steering(config: &DecoderConfig, site: Site) -> Arc<Steering> {
    let d = config.hidden_size;
    let numbers =
        |seed: usize| -> Vec<f32> { (0..d).map(|i| ((i * 7 + seed * 13) % 17) as f32 / 160.0 - 0.05).collect() };
    let direction = |of: usize| SteerVector {
        pushes: (0..config.num_hidden_layers)
            .map(|layer| Push { layer, site, vector: numbers(of + 3 * layer) })
            .collect(),
        probe: Some(Probe { layer: config.num_hidden_layers / 2, site, weight: numbers(of), bias: 0.0 }),
    };
    let vectors: Vec<SteerVector> = (0..DIRECTIONS).map(direction).collect();
    Arc::new(Steering::new(config, &vectors, Branch::Both).expect("sizes fit"))
}

/// One way to run: both lanes, and what each step took in milliseconds.
struct Way {
    name: String,
    lanes: [Lane; 2],
    strengths: Option<f32>,
    times: Vec<f64>,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "score".into());
    let lm = open(&name);
    let config = lm.config().clone();
    let steps = arguments.next().map_or(config.max_window, |n| n.parse().expect("a number of steps"));
    let count = arguments.next().map_or(1, |n| n.parse().expect("a number of threads"));
    threads::set_limit(count);
    let (d, streams) = (config.hidden_size, config.streams());
    let tokens: Vec<f32> = (0..24 * d).map(|i| ((i * 31) % 97) as f32 / 97.0 - 0.5).collect();
    let cross = Arc::new(lm.cross(&tokens, &[]).expect("sizes fit"));
    let way = |name: &str, site: Option<Site>, strength: f32| {
        let (mut given, mut null) = (Lane::new(&lm), Lane::new(&lm));
        given.set_cross(Some(cross.clone()));
        for lane in [&mut given, &mut null] {
            lane.set_steering(site.map(|site| steering(&config, site)));
        }
        Way { name: name.to_owned(), lanes: [given, null], strengths: site.map(|_| strength), times: Vec::new() }
    };
    let mut ways = vec![way("none", None, 0.0), way("strengths of 0", Some(Site::Residual), 0.0)];
    ways.extend(Site::ALL.map(|site| way(site.name(), Some(site), 0.5)));
    let mut scratch = Scratch::default();
    for step in 0..steps {
        let codes: Vec<u32> = match step {
            0 => config.special(),
            _ => config.vocab_sizes.iter().enumerate().map(|(k, v)| ((step * 37 + k * 11) % v) as u32).collect(),
        };
        let codes = codes.repeat(2);
        // Each way comes first as often as the others.
        for turn in 0..ways.len() {
            let at = (turn + step) % ways.len();
            let Way { lanes: [given, null], strengths, times, .. } = &mut ways[at];
            let start = Instant::now();
            if let Some(strength) = strengths {
                given.steer(&[*strength; DIRECTIONS]);
                null.steer(&[*strength; DIRECTIONS]);
            }
            lm.forward(&mut [given, null], &codes, 1, Answers::Last, &mut scratch).expect("a step");
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!(
        "{name}: {} layers of {d}, {streams} streams, {steps} steps of 2 rows, {DIRECTIONS} directions, {count} threads",
        config.num_hidden_layers
    );
    let median = |mut list: Vec<f64>| {
        list.sort_by(f64::total_cmp);
        list[list.len() / 2]
    };
    let plain = ways[0].times.clone();
    println!("{:>15}  median ms/step  steps/s  median of what a step takes more", "steered at");
    for Way { name, times, .. } in &ways {
        let more = median(times.iter().zip(&plain).map(|(a, b)| 100.0 * (a / b - 1.0)).collect());
        let time = median(times.clone());
        println!("{name:>15}  {time:14.4}  {:7.1}  {more:+.2} %", 1e3 / time);
    }
}
