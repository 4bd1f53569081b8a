//! How long EnCodec takes, and how much memory: the least and the middle of some runs.
//!
//!     cargo run --release -p affetto-models --example encodec_time -- FOLDER [seconds] [runs] [threads] [OUT]
//!
//! The codes are numbers i·7919 mod the codebook's size; `OUT` is written with their sound as raw little-endian f32, for
//! comparing with another implementation.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use affetto_engine::{Checkpoint, threads};
use affetto_models::encodec::{DecodeStream, Encodec, EncodecConfig};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("a model's folder");
    let mut number = |default: usize| arguments.next().map_or(default, |n| n.parse().expect("a number"));
    let (seconds, runs) = (number(5), number(5).max(1));
    threads::set_limit(number(2));
    let started = Instant::now();
    let config = std::fs::read(Path::new(&folder).join("config.json")).expect("config.json");
    let config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    let config = EncodecConfig::from_json(config.get("audio_encoder").unwrap_or(&config)).expect("an EnCodec model");
    let checkpoint = Checkpoint::open(Path::new(&folder).join("model.safetensors")).expect("model.safetensors");
    let prefix =
        if checkpoint.contains("audio_encoder.quantizer.layers.0.codebook.embed") { "audio_encoder." } else { "" };
    let codec = Arc::new(Encodec::load(&checkpoint, &config, prefix).expect("EnCodec"));
    println!("load {:.3} s, peak {} MB", started.elapsed().as_secs_f64(), peak());

    let frames = seconds * config.sampling_rate as usize / config.hop();
    let books = codec.codebooks();
    let codes: Vec<u32> = (0..frames * books).map(|i| (i * 7919 % config.codebook_size) as u32).collect();
    let stream = time(&format!("decode {seconds} s in portions of 50 frames"), runs, || {
        let mut stream = DecodeStream::new(codec.clone());
        let mut samples = Vec::new();
        for part in codes.chunks(50 * books) {
            samples.extend(stream.push(part).expect("codes"));
        }
        samples.extend(stream.finish().expect("codes"));
        samples
    });
    let sound = time(&format!("decode {seconds} s at once"), runs, || codec.decode(&codes).expect("codes"));
    let apart = sound.iter().zip(&stream).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    println!("{} and {} samples, at most {apart:e} apart", sound.len(), stream.len());
    time(&format!("encode {seconds} s"), runs, || codec.encode(&sound).expect("sound"));
    if let Some(out) = arguments.next() {
        let bytes: Vec<u8> = sound.iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(out, bytes).expect("OUT");
    }
}

fn time<T>(what: &str, runs: usize, work: impl Fn() -> T) -> T {
    let mut times = Vec::new();
    let mut given = None;
    for _ in 0..runs {
        let started = Instant::now();
        given = Some(work());
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    println!("{what}: least {:.3} s, middle {:.3} s of {runs}; peak {} MB", times[0], times[runs / 2], peak());
    given.expect("a run")
}

/// The most memory this process has had, in MB; 0 where the system does not say.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0) / 1024
}
