//! Where the time of a MusicGen take goes before its codes become sound: loading, text encoder, steps.
//!
//!     cargo run --release -p affetto-models --example musicgen_time -- FOLDER [f32|bf16|int8|int4] [steps] [threads]

use std::path::Path;
use std::time::Instant;

use affetto_engine::sampling::StreamSampling;
use affetto_engine::{Checkpoint, Precision, threads};
use affetto_models::decoder::Settings;
use affetto_models::musicgen::{MusicGen, MusicGenConfig, Plan, Text, generate};
use affetto_models::t5::T5Encoder;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("a model's folder");
    let precision = match arguments.next().as_deref() {
        Some("f32") => Precision::F32,
        Some("bf16") => Precision::Bf16,
        Some("int8") | None => Precision::Int8,
        Some("int4") => Precision::Int4,
        Some(other) => panic!("{other}: expected f32, bf16, int8 or int4"),
    };
    let steps: usize = arguments.next().map_or(60, |n| n.parse().expect("a number of steps"));
    threads::set_limit(arguments.next().map_or(2, |n| n.parse().expect("a number of threads")));
    let mut since = Instant::now();
    let mut lap = |what: &str| {
        println!("{what:24} {:8.3} s", since.elapsed().as_secs_f64());
        since = Instant::now();
    };
    let config = std::fs::read(Path::new(&folder).join("config.json")).expect("config.json");
    let config = MusicGenConfig::from_json(&serde_json::from_slice(&config).expect("JSON")).expect("a MusicGen model");
    let checkpoint = Checkpoint::open(Path::new(&folder).join("model.safetensors")).expect("model.safetensors");
    lap("open");
    let t5 = T5Encoder::load(&checkpoint, &config.text, precision, "text_encoder.").expect("T5");
    lap("T5 load");
    let states = t5.encode(&[5, 9, 17, 33, 8, 1]).expect("ids");
    lap("T5 encode 6 tokens");
    drop(t5);
    let model = MusicGen::load(&checkpoint, &config, precision).expect("MusicGen");
    lap("decoder load");
    let frames = steps.saturating_sub(config.codebooks() - 1);
    let plan = Plan { frames, texts: vec![Text { from: 0, states }], ..Plan::default() };
    let settings = Settings { sampling: vec![StreamSampling::greedy()], ..Settings::default() };
    let started = Instant::now();
    let codes = generate(&model, &plan, &settings, &[], |_, _| ()).expect("codes");
    lap("steps");
    println!("{:.2} steps/s, {} bytes a step", steps as f64 / started.elapsed().as_secs_f64(), model.lm().bytes());
    println!("{:?}", &codes[..codes.len().min(80)]);
}
