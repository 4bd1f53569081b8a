//! What the multiplications cost: the memory's speed, each of MusicGen-small's matrices by precision and instruction
//! set with weights out of the cache, and the error each precision makes against f32 on normally distributed weights.
//!
//!     cargo run --release -p affetto-engine --example kernel_speed -- [threads]

use std::time::Instant;

use affetto_engine::matmul::linear_with;
use affetto_engine::{Isa, PackedMatrix, Precision, threads};

/// MusicGen-small's multiplications of a step: name, outputs, inputs, how many in a step.
const SHAPES: [(&str, usize, usize, usize); 5] = [
    ("self qkv", 3072, 1024, 24),
    ("d × d", 1024, 1024, 24 * 3),
    ("fc1", 4096, 1024, 24),
    ("fc2", 1024, 4096, 24),
    ("heads", 8192, 1024, 1),
];
/// Bytes of weights walked through in a measurement, more than any cache.
const WALK: usize = 192 << 20;
const PRECISIONS: [Precision; 4] = [Precision::F32, Precision::Bf16, Precision::Int8, Precision::Int4];

/// Normally distributed numbers: sums of uniform ones from a small generator.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 24) as f32 - 0.5
    };
    (0..count).map(|_| (0..12).map(|_| uniform()).sum()).collect()
}

/// Bytes a second that the threads read together.
fn bandwidth(count: usize) -> f64 {
    // Not zeros: those the system keeps in a single page.
    let data: Vec<Vec<u64>> = (0..count).map(|i| vec![i as u64 + 1; WALK / 8]).collect();
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for part in &data {
                scope.spawn(|| std::hint::black_box(part.iter().fold(0u64, |a, b| a.wrapping_add(*b))));
            }
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    (WALK * count) as f64 / best
}

/// The best and the median milliseconds of one multiplication, walking through `matrices` several times.
fn time(isa: Isa, matrices: &[PackedMatrix], rows: usize, least: f64) -> (f64, f64) {
    let (n, k) = (matrices[0].outputs(), matrices[0].inputs());
    let x = numbers(rows * k, 3);
    let mut out = vec![0.0; rows * n];
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 4 || start.elapsed().as_secs_f64() < least {
        let start = Instant::now();
        for w in matrices {
            linear_with(isa, &x, rows, w, None, &mut out);
        }
        times.push(start.elapsed().as_secs_f64() * 1e3 / matrices.len() as f64);
    }
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

fn main() {
    if let Some(n) = std::env::args().nth(1) {
        threads::set_limit(n.parse().expect("a number of threads"));
    }
    println!("{} threads; instruction sets: {:?}", threads::limit(), Isa::available());
    for count in [1, threads::limit()] {
        println!("memory: {:.1} GB/s read by {count} threads", bandwidth(count) / 1e9);
    }
    println!("\n2 rows, weights out of the cache: best and median ms of a multiplication, GB/s of weights at the best");
    for precision in PRECISIONS {
        for isa in Isa::available().into_iter().skip(1) {
            let mut step = 0.0;
            for (name, n, k, times) in SHAPES {
                let first = PackedMatrix::pack(&numbers(n * k, 1), n, k, precision).expect("sizes fit");
                let bytes = first.bytes();
                let mut all = vec![first];
                while all.len() * bytes < WALK {
                    all.push(all[0].clone());
                }
                let (best, median) = time(isa, &all, 2, 0.3);
                step += median * times as f64;
                println!(
                    "{precision:>5?} {isa:>10?} {name:>9} {n:4} × {k:4}: {best:.3} {median:.3} ms, {:5.1} GB/s",
                    bytes as f64 / best / 1e6
                );
            }
            println!("{precision:>5?} {isa:>10?} all of a step: {step:.2} ms by the medians");
        }
    }
    println!("\nerror against f32, per cent of the rms, normal weights and inputs");
    for (name, n, k, _) in SHAPES {
        let (w, x) = (numbers(n * k, 5), numbers(2 * k, 6));
        let run = |precision| {
            let packed = PackedMatrix::pack(&w, n, k, precision).expect("sizes fit");
            let mut out = vec![0.0; 2 * n];
            linear_with(Isa::best(), &x, 2, &packed, None, &mut out);
            out
        };
        let exact = run(Precision::F32);
        let size: f64 = exact.iter().map(|&v| f64::from(v).powi(2)).sum();
        print!("{name:>9}");
        for precision in PRECISIONS.into_iter().skip(1) {
            let error: f64 = run(precision).iter().zip(&exact).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            print!("  {precision:?} {:.3}", 100.0 * (error / size).sqrt());
        }
        println!();
    }
}
