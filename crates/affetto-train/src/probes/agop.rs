//! The averaged gradient outer product of a kernel regression, and its top eigenvector (recursive feature machines,
//! Radhakrishnan et al. 2024; on music models: MusicRFM).
//!
//! A regression with a Laplace kernel is fitted on some hundred examples; the gradients of its answer at them, G `[n, d]`,
//! say which directions matter: M = GᵀG / n. The kernel then measures distances by M, which are those of the rows of X·Gᵀ,
//! and all is done once more. M's top eigenvector is found by powers of GᵀG.
//!
//! At first the kernel measures plain distances, or those in which the activations vary alike in all directions: what
//! tells music apart may be small beside what varies most. The held-out score chooses.

use affetto_judge::linear::{cholesky, cholesky_solve, dot, solve_lower, solve_upper};
use affetto_judge::stats;

use super::gram::{Moments, Targets};
use super::ridge::penalised;
use super::rows::Rows;
use crate::error::TrainError;

/// Examples that take part at most: the kernel is a matrix of all their pairs.
const EXAMPLES: usize = 600;
/// Regressions, each with the metric that the one before found.
const ROUNDS: usize = 2;
/// What is added to the kernel's diagonal, whose own is 1.
const PENALTY: f64 = 0.3;
/// What is added to the covariance before directions are brought to one level, in units of the mean variance.
const SHRINKAGE: f64 = 0.1;
/// Steps of the power method.
const POWERS: usize = 60;

/// Some of the examples, spread evenly over all.
pub(super) struct Sample {
    width: usize,
    rows: Vec<f64>,
    labels: Vec<f64>,
    fold_of: Vec<usize>,
}

impl Sample {
    /// Takes them from the rows of a place.
    pub fn take(rows: &Rows, targets: &Targets) -> Result<Sample, TrainError> {
        let (n, width) = (targets.labels.len(), rows.width);
        let wanted = n.min(EXAMPLES);
        // In the order of their labels, so that all of these are there.
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| targets.labels[a].total_cmp(&targets.labels[b]));
        let mut chosen = vec![false; n];
        (0..wanted).for_each(|k| chosen[order[k * n / wanted]] = true);
        let mut sample = Sample { width, rows: Vec::new(), labels: Vec::new(), fold_of: Vec::new() };
        rows.each(&mut |i, row| {
            if chosen[i] {
                sample.rows.extend(row.iter().map(|&x| f64::from(x)));
                sample.labels.push(targets.labels[i]);
                sample.fold_of.push(targets.fold_of[i]);
            }
        })?;
        Ok(sample)
    }

    /// The direction found on the examples outside a fold (all where there is no such fold), whose moments these are. With
    /// `level`, distances begin as those in which all directions vary alike.
    pub fn direction(&self, without: usize, moments: &Moments, level: bool) -> Vec<f64> {
        let d = self.width;
        let inside: Vec<usize> = (0..self.labels.len()).filter(|&i| self.fold_of[i] != without).collect();
        let mut x: Vec<f64> = inside.iter().flat_map(|&i| &self.rows[i * d..(i + 1) * d]).copied().collect();
        let factor = level.then(|| {
            let mut factor = penalised(moments, SHRINKAGE);
            cholesky(&mut factor, d);
            x.chunks_exact_mut(d).for_each(|row| solve_lower(&factor, row));
            factor
        });
        let mean = inside.iter().map(|&i| self.labels[i]).sum::<f64>() / inside.len().max(1) as f64;
        let y: Vec<f64> = inside.iter().map(|&i| self.labels[i] - mean).collect();
        let mut gradients = gradients(&x, &y, d);
        for _ in 1..ROUNDS {
            // In coordinates X·Bᵀ with BᵀB = GᵀG the metric is the plain one; gradients come back through B.
            let back = smaller(gradients, d);
            let turned = products(&x, &back, d);
            let turned_gradients = self::gradients(&turned, &y, back.len() / d);
            gradients = combine(&turned_gradients, &back, d);
        }
        if let Some(factor) = factor {
            gradients.chunks_exact_mut(d).for_each(|gradient| solve_upper(&factor, gradient));
        }
        top(&gradients, d)
    }
}

/// At most d rows B with the BᵀB of the given ones: where there are more, the transpose of their product's Cholesky factor.
fn smaller(rows: Vec<f64>, d: usize) -> Vec<f64> {
    if rows.len() <= d * d {
        return rows;
    }
    let mut product = vec![0.0; d * d];
    for row in rows.chunks_exact(d) {
        for (i, line) in product.chunks_exact_mut(d).enumerate() {
            line[..=i].iter_mut().zip(row).for_each(|(p, x)| *p += row[i] * x);
        }
    }
    let trace: f64 = (0..d).map(|i| product[i * d + i]).sum();
    // In units of its own, a little away from lacking rank.
    let unit = if trace > 0.0 { trace / d as f64 } else { 1.0 };
    product.iter_mut().for_each(|p| *p /= unit);
    (0..d).for_each(|i| product[i * d + i] += 1e-9);
    cholesky(&mut product, d);
    let factor = |row: usize, column: usize| if column <= row { product[row * d + column] * unit.sqrt() } else { 0.0 };
    (0..d * d).map(|k| factor(k % d, k / d)).collect()
}

/// Gradients `[n, d]` at its own examples of the kernel regression of y on x.
fn gradients(x: &[f64], y: &[f64], d: usize) -> Vec<f64> {
    let n = y.len();
    let mut distances = products(x, x, d);
    let squares: Vec<f64> = (0..n).map(|i| distances[i * n + i]).collect();
    for i in 0..n {
        for j in 0..n {
            distances[i * n + j] = (squares[i] + squares[j] - 2.0 * distances[i * n + j]).max(0.0).sqrt();
        }
    }
    let some: Vec<f64> =
        (0..n).flat_map(|i| (0..i).step_by(7).map(move |j| (i, j))).map(|(i, j)| distances[i * n + j]).collect();
    let bandwidth = stats::median(&some).max(f64::MIN_POSITIVE);
    let kernel: Vec<f64> = distances.iter().map(|x| (-x / bandwidth).exp()).collect();
    let (mut a, mut alpha) = (kernel.clone(), y.to_vec());
    (0..n).for_each(|i| a[i * n + i] = 1.0 + PENALTY);
    cholesky_solve(&mut a, &mut alpha);
    // ∇f(xᵢ) = Σⱼ bᵢⱼ (xⱼ - xᵢ) with bᵢⱼ = αⱼ Kᵢⱼ / (bandwidth · distance).
    let mut shares = kernel;
    for i in 0..n {
        for j in 0..n {
            let far = distances[i * n + j];
            shares[i * n + j] *= if i != j && far > 1e-9 * bandwidth { alpha[j] / (far * bandwidth) } else { 0.0 };
        }
    }
    let mut out = combine(&shares, x, d);
    for (i, gradient) in out.chunks_exact_mut(d).enumerate() {
        let all: f64 = shares[i * n..(i + 1) * n].iter().sum();
        gradient.iter_mut().zip(&x[i * d..(i + 1) * d]).for_each(|(g, x)| *g -= all * x);
    }
    out
}

/// A·Bᵀ for rows of d numbers.
fn products(a: &[f64], b: &[f64], d: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(a.len() / d * (b.len() / d));
    for row in a.chunks_exact(d) {
        out.extend(b.chunks_exact(d).map(|other| dot(row, other)));
    }
    out
}

/// A·B, where B has rows of d numbers.
fn combine(a: &[f64], b: &[f64], d: usize) -> Vec<f64> {
    let inner = b.len() / d;
    let mut out = vec![0.0; a.len() / inner * d];
    for (row, out) in a.chunks_exact(inner).zip(out.chunks_exact_mut(d)) {
        for (by, other) in row.iter().zip(b.chunks_exact(d)) {
            out.iter_mut().zip(other).for_each(|(o, x)| *o += by * x);
        }
    }
    out
}

/// The top eigenvector of GᵀG, begun at the mean gradient; of no particular sign.
fn top(gradients: &[f64], d: usize) -> Vec<f64> {
    let mut v = vec![0.0; d];
    for gradient in gradients.chunks_exact(d) {
        v.iter_mut().zip(gradient).for_each(|(v, g)| *v += g);
    }
    for _ in 0..POWERS {
        let size = dot(&v, &v).sqrt();
        if size < f64::MIN_POSITIVE {
            return v;
        }
        let mut next = vec![0.0; d];
        for gradient in gradients.chunks_exact(d) {
            let along = dot(gradient, &v) / size;
            next.iter_mut().zip(gradient).for_each(|(n, g)| *n += along * g);
        }
        v = next;
    }
    v
}
