//! Each fused operation against burn's own composition of it: values and gradients.

use std::slice::from_ref;
use std::sync::Arc;

use burn::tensor::activation::{gelu, log_softmax, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{AttentionSizes, EmbedInputs, Targets};

const SIZES: AttentionSizes = AttentionSizes { batch: 2, steps: 19, keys: 19, heads: 2, width: 16 };

fn device() -> Device {
    Device::default().autodiff()
}

fn random<const D: usize>(seed: u64, shape: [usize; D]) -> Tensor<D> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random::<f32>() * 4.0 - 2.0).collect();
    Tensor::<D>::from_data(TensorData::new(values, shape), &device()).require_grad()
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec::<f32>().expect("f32")
}

#[track_caller]
fn assert_close(a: Vec<f32>, b: Vec<f32>) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!((a - b).abs() < 2e-5 * (1.0 + b.abs()), "number {i}: {a} and {b}");
    }
}

/// Compares two ways of computing one output, and the gradients of its weighted sum by `inputs`.
#[track_caller]
fn compare<const D: usize>(inputs: &[Tensor<2>], fused: Tensor<D>, composed: Tensor<D>) {
    assert_close(values(fused.clone()), values(composed.clone()));
    let weights = random(99, fused.dims()).detach();
    let ours = (fused * weights.clone()).sum().backward();
    let theirs = (composed * weights).sum().backward();
    for input in inputs {
        let ours = input.grad(&ours).expect("a gradient");
        assert_close(values(ours), values(input.grad(&theirs).expect("a gradient")));
    }
}

#[test]
fn layer_norm_and_gelu() {
    let (x, gamma, beta) = (random(1, [150, 20]), random(2, [1, 20]), random(3, [1, 20]));
    let fused = super::layer_norm(x.clone(), gamma.clone().reshape([20]), beta.clone().reshape([20]));
    let centred = x.clone() - x.clone().mean_dim(1);
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    let composed = centred / (variance + 1e-5).sqrt() * gamma.clone() + beta.clone();
    compare(&[x.clone(), gamma, beta], fused, composed);
    compare(from_ref(&x), super::gelu(x.clone()), gelu(x.clone()));
}

fn heads(x: Tensor<2>, rows: usize) -> Tensor<4> {
    x.reshape([SIZES.batch, rows, SIZES.heads, SIZES.width / SIZES.heads]).swap_dims(1, 2)
}

fn attention(q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, keys: usize, mask: Tensor<4>) -> Tensor<2> {
    let scale = ((SIZES.width / SIZES.heads) as f64).sqrt();
    let scores = heads(q, SIZES.steps).matmul(heads(k, keys).swap_dims(2, 3)) / scale + (mask.clone() - 1.0) * 1e4;
    let out = (softmax(scores, 3) * mask).matmul(heads(v, keys));
    out.swap_dims(1, 2).reshape([SIZES.batch * SIZES.steps, SIZES.width])
}

#[test]
fn causal_attention() {
    let AttentionSizes { batch, steps, width, .. } = SIZES;
    let qkv = random(4, [batch * steps, 3 * width]);
    let past: Vec<f32> = (0..steps * steps).map(|i| f32::from(u8::from(i % steps <= i / steps))).collect();
    let mask = Tensor::<4>::from_data(TensorData::new(past, [1, 1, steps, steps]), &device());
    let part = |i: usize| qkv.clone().narrow(1, i * width, width);
    let composed = attention(part(0), part(1), part(2), steps, mask);
    compare(from_ref(&qkv), super::causal_attention(qkv.clone(), SIZES), composed);
}

#[test]
fn cross_attention_with_rows_that_see_nothing() {
    let AttentionSizes { batch, steps, width, .. } = SIZES;
    let keys = 21;
    let (q, kv) = (random(5, [batch * steps, width]), random(6, [batch * keys, 2 * width]));
    let mut rng = Pcg64Mcg::seed_from_u64(7);
    let mut seen: Vec<f32> = (0..batch * steps * keys).map(|_| f32::from(u8::from(rng.random::<bool>()))).collect();
    seen[3 * keys..5 * keys].fill(0.0);
    let visible = Tensor::<3>::from_data(TensorData::new(seen, [batch, steps, keys]), &device());
    let (k, v) = (kv.clone().narrow(1, 0, width), kv.clone().narrow(1, width, width));
    let composed = attention(q.clone(), k, v, keys, visible.clone().unsqueeze_dim(1));
    let fused = super::cross_attention(q.clone(), kv.clone(), visible, AttentionSizes { keys, ..SIZES });
    let out = values(fused.clone());
    assert!(out[3 * width..5 * width].iter().all(|x| *x == 0.0), "nothing seen, nothing said");
    assert!(out[2 * width..3 * width].iter().any(|x| *x != 0.0));
    compare(&[q, kv], fused, composed);
}

#[test]
fn embeddings_and_losses() {
    let (rows, streams, d) = (70, 2, 8);
    let weight = random(8, [11, d]);
    let ids: Vec<i64> = (0..rows * streams).map(|i| (i * 7 % 11) as i64).collect();
    let positions: Vec<f32> = (0..35 * d).map(|i| i as f32 * 0.01).collect();
    let inputs = EmbedInputs { ids: Arc::new(ids.clone()), streams, positions: Arc::new(positions.clone()) };
    let index = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows * streams]), &device());
    let added = Tensor::<2>::from_data(TensorData::new([positions.clone(), positions].concat(), [rows, d]), &device());
    let composed = weight.clone().select(0, index).reshape([rows, streams, d]).sum_dim(1).reshape([rows, d]) + added;
    compare(from_ref(&weight), super::embed(weight.clone(), inputs), composed);

    let logits = random(9, [rows, 5 + 19]);
    let tokens: Vec<i64> = (0..rows as i64).flat_map(|i| [i % 5, if i % 3 == 0 { -1 } else { i % 19 }]).collect();
    let targets = Targets { tokens: Arc::new(tokens.clone()), vocabulary: Arc::new(vec![5, 19]) };
    let composed = [(0, 5), (5, 19)].map(|(from, size)| {
        let asked: Vec<i64> = tokens.iter().skip(usize::from(from > 0)).step_by(2).copied().collect();
        let counted: Vec<f32> = asked.iter().map(|t| f32::from(u8::from(*t >= 0))).collect();
        let count = counted.iter().sum::<f32>();
        let asked = asked.into_iter().map(|t| t.max(0)).collect::<Vec<_>>();
        let asked = Tensor::<2, Int>::from_data(TensorData::new(asked, [rows, 1]), &device());
        let counted = Tensor::<2>::from_data(TensorData::new(counted, [rows, 1]), &device());
        let shares = log_softmax(logits.clone().narrow(1, from, size), 1);
        (shares.gather(1, asked) * counted).sum().neg() / count
    });
    let composed = Tensor::cat(composed.to_vec(), 0);
    compare(from_ref(&logits), super::losses(logits.clone(), targets), composed);
}
