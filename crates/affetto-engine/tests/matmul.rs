//! Every kernel this machine has against a plain double-precision product.

use affetto_engine::matmul::{PackedMatrix, Precision, linear_with};
use affetto_engine::{Isa, threads};

/// Numbers in [-1, 1) from a small generator.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32) / (1u32 << 23) as f32 - 1.0
        })
        .collect()
}

fn plain(x: &[f32], rows: usize, w: &[f32], n: usize, k: usize, bias: Option<&[f32]>) -> Vec<f32> {
    let mut out = Vec::new();
    for r in 0..rows {
        for o in 0..n {
            let sum: f64 = (0..k).map(|i| f64::from(x[r * k + i]) * f64::from(w[o * k + i])).sum();
            out.push((sum + bias.map_or(0.0, |b| f64::from(b[o]))) as f32);
        }
    }
    out
}

const SHAPES: [(usize, usize); 9] =
    [(1, 1), (3, 2), (16, 16), (17, 33), (31, 7), (64, 256), (130, 65), (200, 300), (257, 1030)];

#[test]
fn every_kernel_agrees_with_a_plain_product() {
    for (n, k) in SHAPES {
        let w = numbers(n * k, 1);
        let bias = numbers(n, 2);
        for precision in [Precision::F32, Precision::Bf16, Precision::Int8, Precision::Int4] {
            let packed = PackedMatrix::pack(&w, n, k, precision).unwrap();
            // The error of rounding the weights, for sums of k random products.
            let grain = match precision {
                Precision::F32 => 4e-6,
                Precision::Bf16 => 6e-3,
                Precision::Int8 => 1e-2,
                Precision::Int4 => 2e-1,
            };
            let tolerance = grain * (k as f32).sqrt() + 1e-6;
            for rows in [1, 2, 3, 4, 7, 8, 9, 23] {
                let x = numbers(rows * k, 3);
                for bias in [None, Some(&bias[..])] {
                    let want = plain(&x, rows, &w, n, k, bias);
                    let mut scalar = vec![f32::NAN; rows * n];
                    linear_with(Isa::Scalar, &x, rows, &packed, bias, &mut scalar);
                    for isa in Isa::available() {
                        let mut got = vec![f32::NAN; rows * n];
                        linear_with(isa, &x, rows, &packed, bias, &mut got);
                        for ((g, w), s) in got.iter().zip(&want).zip(&scalar) {
                            let at = format!("{isa:?} {precision:?} {n}×{k} rows {rows}");
                            assert!((g - w).abs() < tolerance, "{at}: {g}, expected {w}");
                            if precision == Precision::Int4 {
                                assert_eq!(g, s, "{at}");
                            }
                            assert!((g - s).abs() < 1e-6 * (k as f32).sqrt() * 3.0, "{at}: {g}, scalar {s}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours_or_the_threads() {
    let (n, k, rows) = (300, 700, 13);
    let w = numbers(n * k, 4);
    let x = numbers(rows * k, 5);
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8, Precision::Int4] {
        let packed = PackedMatrix::pack(&w, n, k, precision).unwrap();
        for isa in Isa::available() {
            threads::set_limit(1);
            let mut all = vec![0.0; rows * n];
            linear_with(isa, &x, rows, &packed, None, &mut all);
            for count in [1, 2, 5, 8] {
                let mut some = vec![0.0; count * n];
                linear_with(isa, &x[..count * k], count, &packed, None, &mut some);
                assert_eq!(some, all[..count * n], "{isa:?} {precision:?}");
            }
            threads::set_limit(4);
            let mut threaded = vec![0.0; rows * n];
            linear_with(isa, &x, rows, &packed, None, &mut threaded);
            assert_eq!(threaded, all, "{isa:?} {precision:?}");
        }
    }
}

#[test]
fn int8_keeps_whole_numbers_exactly() {
    // Weights that are multiples of 1/127 of the row's largest and inputs that are multiples of 1/32767 of theirs.
    let w: Vec<f32> = (0..16 * 64).map(|i| ((i * 31) % 255) as f32 - 127.0).collect();
    let mut w = w;
    for row in w.chunks_exact_mut(64) {
        row[0] = 127.0;
    }
    let x: Vec<f32> = (0..64).map(|i| if i == 5 { 32_767.0 } else { (i * 401) as f32 }).collect();
    let packed = PackedMatrix::pack(&w, 16, 64, Precision::Int8).unwrap();
    for isa in Isa::available() {
        let mut out = vec![0.0; 16];
        linear_with(isa, &x, 1, &packed, None, &mut out);
        for (o, got) in out.iter().enumerate() {
            let want: i64 = (0..64).map(|i| w[o * 64 + i] as i64 * x[i] as i64).sum();
            assert!((f64::from(*got) - want as f64).abs() <= want.abs() as f64 * 3e-7);
        }
    }
}

#[test]
fn inputs_that_are_not_numbers_stay_so() {
    for precision in [Precision::Int8, Precision::Int4] {
        let packed = PackedMatrix::pack(&[1.0; 32], 2, 16, precision).unwrap();
        let mut x = vec![0.5; 16];
        x[3] = f32::INFINITY;
        for isa in Isa::available() {
            let mut out = vec![0.0; 2];
            linear_with(isa, &x, 1, &packed, None, &mut out);
            assert!(out.iter().all(|v| v.is_nan()), "{isa:?} {precision:?}");
        }
    }
}

#[test]
fn wrong_sizes_are_errors() {
    assert!(PackedMatrix::pack(&[0.0; 5], 2, 3, Precision::F32).is_err());
    assert!(PackedMatrix::pack(&[], usize::MAX, 0, Precision::Int8).is_err());
    assert!(PackedMatrix::pack(&[], usize::MAX, 2, Precision::F32).is_err());
    assert!(PackedMatrix::pack(&[0.0; 65_537], 1, 65_537, Precision::Int8).is_err());
}
