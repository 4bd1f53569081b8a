//! The arithmetic of the fused operations on plain slices, rows shared among rayon's threads.
//!
//! Every sum is taken in an order that does not depend on the number of threads.

use rayon::prelude::*;

use super::lanes::{exp, max_of, sum_of, vectorised};

/// Rows that one task handles.
const ROWS: usize = 64;
/// Numbers that one task handles where there are no rows.
const PART: usize = 16_384;
const NORM_EPSILON: f32 = 1e-5;

/// Which columns a row of attention scores may see.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// The row's own place and those before it.
    Past,
    /// Where the mask `[batch, rows, columns]` is 1, for all heads alike.
    Mask(&'a [f32]),
}

/// Sizes of a batch of score matrices `[batch · heads, rows, columns]`.
#[derive(Clone, Copy, Debug)]
pub struct Scores {
    /// Heads.
    pub heads: usize,
    /// Rows: queries.
    pub rows: usize,
    /// Columns: keys.
    pub columns: usize,
}

/// Softmax of every row over the columns it sees, in place; the others, and rows that see none, become 0.
pub fn masked_softmax(scores: &mut [f32], sizes: Scores, seen: Seen<'_>) {
    let Scores { heads, rows, columns } = sizes;
    scores.par_chunks_mut(rows * columns).enumerate().for_each(|(matrix, scores)| match seen {
        Seen::Past => past_rows(scores, columns),
        Seen::Mask(mask) => masked_rows(scores, &mask[matrix / heads * rows * columns..][..rows * columns], columns),
    });
}

vectorised! {
    fn past_rows<'a>(scores: &'a mut [f32], columns: usize) {
        for (row, scores) in scores.chunks_exact_mut(columns).enumerate() {
            let (past, future) = scores.split_at_mut((row + 1).min(columns));
            softmax_row(past);
            future.fill(0.0);
        }
    }

    fn masked_rows<'a>(scores: &'a mut [f32], mask: &'a [f32], columns: usize) {
        for (scores, mask) in scores.chunks_exact_mut(columns).zip(mask.chunks_exact(columns)) {
            softmax_masked_row(scores, mask);
        }
    }

    fn softmax_backward_rows<'a>(grads: &'a mut [f32], shares: &'a [f32], columns: usize) {
        for (g, p) in grads.chunks_exact_mut(columns).zip(shares.chunks_exact(columns)) {
            let mean = sum_of([g, p], |[g, p]| g * p);
            for (g, p) in g.iter_mut().zip(p) {
                *g = (*g - mean) * p;
            }
        }
    }

    fn norm_rows<'a>(out: &'a mut [f32], x: &'a [f32], gamma: &'a [f32], beta: &'a [f32]) {
        let d = gamma.len();
        for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
            let (mean, rate) = moments(x);
            for (((out, x), gamma), beta) in out.iter_mut().zip(x).zip(gamma).zip(beta) {
                *out = (x - mean) * rate * gamma + beta;
            }
        }
    }

    fn norm_backward_rows<'a>(
        by_x: &'a mut [f32],
        part: &'a mut [f32],
        x: &'a [f32],
        gamma: &'a [f32],
        grads: &'a [f32],
    ) {
        let d = gamma.len();
        let (by_gamma, by_beta) = part.split_at_mut(d);
        for ((by_x, x), g) in by_x.chunks_exact_mut(d).zip(x.chunks_exact(d)).zip(grads.chunks_exact(d)) {
            let (mean, rate) = moments(x);
            let n = d as f32;
            let a = sum_of([g, gamma], |[g, c]| g * c) / n;
            let b = sum_of([g, gamma, x], |[g, c, x]| g * c * (x - mean) * rate) / n;
            for (((by_x, x), g), gamma) in by_x.iter_mut().zip(x).zip(g).zip(gamma) {
                *by_x = rate * (g * gamma - a - (x - mean) * rate * b);
            }
            for (((by_gamma, by_beta), x), g) in by_gamma.iter_mut().zip(by_beta.iter_mut()).zip(x).zip(g) {
                *by_gamma += g * (x - mean) * rate;
                *by_beta += g;
            }
        }
    }

    fn gelu_part<'a>(out: &'a mut [f32], x: &'a [f32]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = x * normal_share(x).0;
        }
    }

    fn gelu_backward_part<'a>(out: &'a mut [f32], x: &'a [f32], grads: &'a [f32]) {
        const DENSITY: f32 = 0.398_942_3;
        for ((out, &x), &g) in out.iter_mut().zip(x).zip(grads) {
            let (share, bell) = normal_share(x);
            *out = g * (share + x * DENSITY * bell);
        }
    }

    fn embed_rows<'a>(out: &'a mut [f32], first: usize, weight: &'a [f32], inputs: Ids<'a>, positions: &'a [f32]) {
        let Ids { ids, streams, width } = inputs;
        let steps = positions.len() / width;
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            let row = first + i;
            out.copy_from_slice(&positions[row % steps * width..][..width]);
            for &id in &ids[row * streams..][..streams] {
                let embedding = &weight[id as usize * width..][..width];
                out.iter_mut().zip(embedding).for_each(|(o, w)| *o += w);
            }
        }
    }

    fn loss_rows<'a>(out: &'a mut [f32], logits: &'a [f32], targets: &'a [i64], vocabulary: &'a [usize], width: usize) {
        let streams = vocabulary.len();
        let rows = logits.chunks_exact(width).zip(targets.chunks_exact(streams));
        for (out, (logits, targets)) in out.chunks_exact_mut(streams).zip(rows) {
            let mut from = 0;
            for ((out, &size), &target) in out.iter_mut().zip(vocabulary).zip(targets) {
                let x = &logits[from..from + size];
                from += size;
                if target >= 0 {
                    let top = max_of([x], |[x]| x);
                    *out = sum_of([x], |[x]| exp(x - top)).ln() + top - x[target as usize];
                }
            }
        }
    }

    fn loss_backward_rows<'a>(
        out: &'a mut [f32],
        targets: &'a [i64],
        vocabulary: &'a [usize],
        factors: &'a [f32],
        width: usize,
    ) {
        let rows = out.chunks_exact_mut(width).zip(targets.chunks_exact(vocabulary.len()));
        for (out, targets) in rows {
            let mut from = 0;
            for ((&size, &target), factor) in vocabulary.iter().zip(targets).zip(factors) {
                let out = &mut out[from..from + size];
                from += size;
                if target < 0 {
                    out.fill(0.0);
                    continue;
                }
                softmax_row(out);
                out[target as usize] -= 1.0;
                out.iter_mut().for_each(|o| *o *= factor);
            }
        }
    }
}

/// Token ids `[rows, streams]` and the width of their embeddings.
#[derive(Clone, Copy, Debug)]
pub struct Ids<'a> {
    /// Ids.
    pub ids: &'a [i64],
    /// Ids in a row.
    pub streams: usize,
    /// Width of an embedding.
    pub width: usize,
}

#[inline(always)]
fn softmax_row(x: &mut [f32]) {
    let top = max_of([&*x], |[x]| x);
    for x in x.iter_mut() {
        *x = exp(*x - top);
    }
    let scale = 1.0 / sum_of([&*x], |[x]| x);
    for x in x.iter_mut() {
        *x *= scale;
    }
}

#[inline(always)]
fn softmax_masked_row(x: &mut [f32], mask: &[f32]) {
    let hidden = |m: f32| (m - 1.0) * 1e9;
    let top = max_of([&*x, mask], |[x, m]| x + hidden(m));
    for (x, m) in x.iter_mut().zip(mask) {
        *x = exp((*x - top).min(0.0)) * m;
    }
    let total = sum_of([&*x], |[x]| x);
    let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
    for x in x.iter_mut() {
        *x *= scale;
    }
}

/// From softmax's outputs and their gradients (overwritten) to the gradients of its inputs.
pub fn softmax_backward(shares: &[f32], grads: &mut [f32], columns: usize) {
    let size = ROWS * columns;
    let parts = grads.par_chunks_mut(size).zip(shares.par_chunks(size));
    parts.for_each(|(grads, shares)| softmax_backward_rows(grads, shares, columns));
}

/// Where the heads of one input lie in its rows.
#[derive(Clone, Copy, Debug)]
pub struct HeadLayout {
    /// Rows of one batch entry.
    pub rows: usize,
    /// Heads.
    pub heads: usize,
    /// Width of a head.
    pub width: usize,
    /// Width of a whole row.
    pub stride: usize,
    /// Where in a row the first head begins.
    pub offset: usize,
}

/// `[batch · rows, stride]` → `[batch · heads, rows, width]`, times `scale`.
pub fn split_heads(input: &[f32], layout: HeadLayout, scale: f32) -> Vec<f32> {
    let HeadLayout { rows, heads, width, stride, offset } = layout;
    let batch = input.len() / (rows * stride);
    let mut out = vec![0.0; batch * heads * rows * width];
    out.par_chunks_mut(rows * width).enumerate().for_each(|(matrix, out)| {
        let from = matrix / heads * rows * stride + offset + matrix % heads * width;
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            for (o, x) in out.iter_mut().zip(&input[from + row * stride..][..width]) {
                *o = x * scale;
            }
        }
    });
    out
}

/// The inverse of [`split_heads`] for several inputs `[batch · heads, rows, width]` that follow one another in each
/// row of the output `[batch · rows, heads · width · inputs]`, each times its scale.
pub fn merge_heads(inputs: &[(&[f32], f32)], rows: usize, heads: usize, width: usize) -> Vec<f32> {
    let stride = heads * width * inputs.len();
    let total: usize = inputs.iter().map(|(x, _)| x.len()).sum();
    let mut out = vec![0.0; total];
    out.par_chunks_mut(stride * ROWS).enumerate().for_each(|(chunk, out)| {
        for (i, out) in out.chunks_exact_mut(stride).enumerate() {
            let (batch, row) = ((chunk * ROWS + i) / rows, (chunk * ROWS + i) % rows);
            for (part, out) in out.chunks_exact_mut(width).enumerate() {
                let (input, scale) = inputs[part / heads];
                let from = ((batch * heads + part % heads) * rows + row) * width;
                for (o, x) in out.iter_mut().zip(&input[from..from + width]) {
                    *o = x * scale;
                }
            }
        }
    });
    out
}

#[inline(always)]
fn moments(x: &[f32]) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum_of([x], |[x]| x) / n;
    let variance = sum_of([x], |[x]| (x - mean) * (x - mean)) / n;
    (mean, 1.0 / (variance + NORM_EPSILON).sqrt())
}

/// LayerNorm of rows as wide as `gamma`.
pub fn layer_norm(x: &[f32], gamma: &[f32], beta: &[f32]) -> Vec<f32> {
    let size = ROWS * gamma.len();
    let mut out = vec![0.0; x.len()];
    let parts = out.par_chunks_mut(size).zip(x.par_chunks(size));
    parts.for_each(|(out, x)| norm_rows(out, x, gamma, beta));
    out
}

/// Gradients of [`layer_norm`] by its three inputs.
pub fn layer_norm_backward(x: &[f32], gamma: &[f32], grads: &[f32]) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let d = gamma.len();
    let size = ROWS * d;
    let mut by_x = vec![0.0; x.len()];
    let parts: Vec<Vec<f32>> = by_x
        .par_chunks_mut(size)
        .zip(x.par_chunks(size))
        .zip(grads.par_chunks(size))
        .map(|((by_x, x), grads)| {
            let mut part = vec![0.0; 2 * d];
            norm_backward_rows(by_x, &mut part, x, gamma, grads);
            part
        })
        .collect();
    let mut both = vec![0.0; 2 * d];
    for part in &parts {
        both.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
    }
    let by_beta = both.split_off(d);
    (by_x, both, by_beta)
}

/// (1 + erf(x / √2)) / 2 and e^(-x²/2); erf by Abramowitz & Stegun 7.1.26, absolute error below 2e-7.
#[inline(always)]
fn normal_share(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152_1;
    let p = p * t + 1.421_413_8;
    let p = p * t - 0.284_496_72;
    let p = p * t + 0.254_829_6;
    let bell = exp(-0.5 * x * x);
    let tail = 0.5 * p * t * bell;
    (if x > 0.0 { 1.0 - tail } else { tail }, bell)
}

/// GELU with the error function.
pub fn gelu(x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(out, x)| gelu_part(out, x));
    out
}

/// Gradient of [`gelu`] by its input.
pub fn gelu_backward(x: &[f32], grads: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let parts = out.par_chunks_mut(PART).zip(x.par_chunks(PART)).zip(grads.par_chunks(PART));
    parts.for_each(|((out, x), grads)| gelu_backward_part(out, x, grads));
    out
}

/// Sum of the embeddings `weight[id]` of each row's ids, plus the row's position `positions[row % steps]`.
pub fn embed(weight: &[f32], inputs: Ids<'_>, positions: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; inputs.ids.len() / inputs.streams * inputs.width];
    let parts = out.par_chunks_mut(ROWS * inputs.width).enumerate();
    parts.for_each(|(chunk, out)| embed_rows(out, chunk * ROWS, weight, inputs, positions));
    out
}

/// Gradient of [`embed`] by the weight, of `rows` embeddings.
pub fn embed_backward(grads: &[f32], inputs: Ids<'_>, rows: usize) -> Vec<f32> {
    let Ids { ids, streams, width } = inputs;
    let mut out = vec![0.0; rows * width];
    for (g, ids) in grads.chunks_exact(width).zip(ids.chunks_exact(streams)) {
        for &id in ids {
            out[id as usize * width..][..width].iter_mut().zip(g).for_each(|(o, g)| *o += g);
        }
    }
    out
}

/// Mean negative log-likelihood of each stream over its targets (those ≥ 0), in nats. `logits` are
/// `[rows, Σ vocabulary]`, `targets` `[rows, streams]`.
pub fn losses(logits: &[f32], targets: &[i64], vocabulary: &[usize]) -> Vec<f32> {
    let (width, streams) = (vocabulary.iter().sum::<usize>(), vocabulary.len());
    let mut each = vec![0.0f32; targets.len()];
    each.par_chunks_mut(ROWS * streams)
        .zip(logits.par_chunks(ROWS * width))
        .zip(targets.par_chunks(ROWS * streams))
        .for_each(|((out, logits), targets)| loss_rows(out, logits, targets, vocabulary, width));
    let mut sums = vec![0.0f64; streams];
    for row in each.chunks_exact(streams) {
        sums.iter_mut().zip(row).for_each(|(sum, loss)| *sum += f64::from(*loss));
    }
    sums.iter().zip(counts(targets, streams)).map(|(sum, count)| (sum / count) as f32).collect()
}

fn counts(targets: &[i64], streams: usize) -> Vec<f64> {
    let count = |stream| targets.iter().skip(stream).step_by(streams).filter(|t| **t >= 0).count();
    (0..streams).map(|stream| count(stream).max(1) as f64).collect()
}

/// Gradient of [`losses`] by the logits, the gradient of each stream's loss being `grads`.
pub fn losses_backward(logits: &[f32], targets: &[i64], vocabulary: &[usize], grads: &[f32]) -> Vec<f32> {
    let (width, streams) = (vocabulary.iter().sum::<usize>(), vocabulary.len());
    let factors: Vec<f32> = grads.iter().zip(counts(targets, streams)).map(|(g, n)| g / n as f32).collect();
    let mut out = logits.to_vec();
    let parts = out.par_chunks_mut(ROWS * width).zip(targets.par_chunks(ROWS * streams));
    parts.for_each(|(out, targets)| loss_backward_rows(out, targets, vocabulary, &factors, width));
    out
}
