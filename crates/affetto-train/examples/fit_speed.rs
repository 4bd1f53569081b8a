//! Times the probes of activation steering on made-up activations, and tells the memory they took.
//!
//!     cargo run --release -p affetto-train --example fit_speed -- EXAMPLES LAYERS WIDTH HEADS [METHOD]
//!
//! MusicGen-small has 24 layers of 1024 with 16 heads; the model that ships has 5 of 256 with 4.

use std::time::Instant;

use affetto_control::steering::{LabelKind, Method, Site};
use affetto_models::decoder::Pooled;
use affetto_train::probes::{FitOptions, Origin, Shape, Spool, fit};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = |at: usize, instead: usize| arguments.get(at).map_or(Ok(instead), |text| text.parse());
    let examples = size(0, 1000)?;
    let shape = Shape { layers: size(1, 5)?, hidden_size: size(2, 256)?, heads: size(3, 4)? };
    let method = arguments.get(4).map_or(Some(Method::Ridge), |name| Method::parse(name)).ok_or("no such method")?;
    let started = Instant::now();
    let mut spool = Spool::new(shape, LabelKind::Classes, &std::env::temp_dir())?;
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    for i in 0..examples {
        let label = if i % 2 == 0 { 1.0 } else { -1.0 };
        let means = (0..shape.layers * Site::ALL.len() * shape.hidden_size)
            .map(|k| noise() + if k % 8 == 0 { 0.1 * label } else { 0.0 });
        let pooled = Pooled { steps: 1, means: means.collect(), powers: vec![1.0; shape.layers * (2 + shape.heads)] };
        spool.push(&pooled, f64::from(label), &i.to_string())?;
    }
    println!("{examples} examples on disk after {:.1} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = FitOptions { method, threads, ..FitOptions::default() };
    let fitted = fit(&spool, &Origin::default(), &options, &mut |_| {})?;
    println!("{} fitted in {:.1} s on {threads} threads", method.name(), started.elapsed().as_secs_f64());
    for row in &fitted.comparison.rows {
        println!("{}: {} {:.3}", row.site.name(), fitted.comparison.measure(), row.score);
    }
    // Linux alone tells it.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("peak memory: {}", peak.trim_start_matches("VmHWM:").trim());
    }
    Ok(())
}
