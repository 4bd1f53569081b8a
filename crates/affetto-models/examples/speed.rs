//! How fast the listening networks are: `cargo run --release -p affetto-models --example speed -- [threads]`.

use std::time::Instant;

use affetto_engine::{Checkpoint, Precision, threads};
use affetto_models::basic_pitch::{BasicPitch, SAMPLE_RATE, WINDOW};
use affetto_models::minilm::MiniLm;
use affetto_models::musicnn::{BANDS, FRAMES, HOP, MusiCnn};

fn milliseconds<T>(what: &str, times: u32, mut job: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..times {
        let start = Instant::now();
        std::hint::black_box(job());
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    println!("{what}: {best:.2} ms (best of {times})");
    best
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(n) = std::env::args().nth(1) {
        threads::set_limit(n.parse()?);
    }
    println!("{} threads", threads::limit());
    let vocabulary = &include_bytes!("../../../assets/minilm/vocab.txt")[..];
    let shards = [
        ("embeddings", &include_bytes!("../../../assets/minilm/embeddings.safetensors")[..]),
        ("encoder", &include_bytes!("../../../assets/minilm/encoder.safetensors")[..]),
    ];
    for precision in [Precision::Int8, Precision::F32] {
        let load = || MiniLm::with_precision(&Checkpoint::from_shards(shards).unwrap(), vocabulary, precision).unwrap();
        milliseconds(&format!("MiniLM {precision:?}, load from bytes"), 5, load);
        let model = load();
        let text = "a quiet piano at dusk with soft strings and rain";
        println!("{} word pieces", model.encode(text).tokens);
        milliseconds(&format!("MiniLM {precision:?}, encode"), 20, || model.encode(text));
    }
    let weights = &include_bytes!("../../../assets/musicnn/musicnn.safetensors")[..];
    let load = || MusiCnn::load(&Checkpoint::from_bytes("musicnn", weights).unwrap()).unwrap();
    milliseconds("MusiCNN, load", 5, load);
    let net = load();
    let count = 20;
    let frames = FRAMES + (count - 1) * HOP;
    let picture: Vec<f32> = (0..frames * BANDS).map(|i| ((i * 7919) % 1013) as f32 / 400.0).collect();
    milliseconds("MusiCNN, one window", 5, || net.forward(&picture[..FRAMES * BANDS]).unwrap());
    let took = milliseconds(&format!("MusiCNN, {count} overlapping windows"), 5, || net.windows(&picture).unwrap());
    println!("{:.1} windows/s", count as f64 / took * 1e3);
    let weights = &include_bytes!("../../../assets/basic-pitch/basic_pitch.safetensors")[..];
    let load = || BasicPitch::load(&Checkpoint::from_bytes("basic pitch", weights).unwrap()).unwrap();
    milliseconds("Basic Pitch, load", 5, load);
    let net = load();
    let seconds = 30;
    let sound: Vec<f32> = (0..seconds * SAMPLE_RATE as usize)
        .map(|i| ((i * 7919) % 1013) as f32 / 4000.0 * (i as f32 * 0.06).sin())
        .collect();
    milliseconds("Basic Pitch, one window", 20, || net.window(&sound[..WINDOW]));
    let took = milliseconds(&format!("Basic Pitch, {seconds} s of sound"), 5, || net.posteriors(&sound));
    println!("{:.1} × real time", seconds as f64 / took * 1e3);
    Ok(())
}
