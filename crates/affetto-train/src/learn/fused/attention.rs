//! Attention cores: heads split, scores, masked softmax, heads joined. The projections around them are burn's.

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;

use super::kernels::{HeadLayout, Scores, Seen, masked_softmax, merge_heads, softmax_backward, split_heads};
use super::{floats, tensor};

/// Sizes of an attention: `keys` equals `steps` in self-attention.
#[derive(Clone, Copy, Debug)]
pub struct AttentionSizes {
    /// Batch entries.
    pub batch: usize,
    /// Queries of an entry.
    pub steps: usize,
    /// Keys of an entry.
    pub keys: usize,
    /// Heads.
    pub heads: usize,
    /// Width of all heads together.
    pub width: usize,
}

/// What a backward pass needs: queries (scaled), keys, values and attention shares, each `[batch · heads, …]`.
#[derive(Clone, Debug)]
pub struct AttentionState {
    q: FloatTensor<Flex>,
    k: FloatTensor<Flex>,
    v: FloatTensor<Flex>,
    shares: FloatTensor<Flex>,
}

impl AttentionSizes {
    fn head(&self) -> usize {
        self.width / self.heads
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head() as f32).sqrt()
    }

    /// Splits `input` (rows of `parts` widths) at part `part`.
    fn split(&self, input: &[f32], rows: usize, parts: usize, part: usize, scale: f32) -> FloatTensor<Flex> {
        let stride = parts * self.width;
        let layout = HeadLayout { rows, heads: self.heads, width: self.head(), stride, offset: part * self.width };
        tensor(split_heads(input, layout, scale), &[self.batch * self.heads, rows, self.head()])
    }

    fn merge(&self, inputs: &[(&FloatTensor<Flex>, f32)], rows: usize) -> FloatTensor<Flex> {
        let whole: Vec<FloatTensor<Flex>> = inputs.iter().map(|(x, _)| x.to_contiguous()).collect();
        let parts: Vec<(&[f32], f32)> = whole.iter().zip(inputs).map(|(x, (_, scale))| (floats(x), *scale)).collect();
        let merged = merge_heads(&parts, rows, self.heads, self.head());
        tensor(merged, &[self.batch * rows, self.width * inputs.len()])
    }

    fn scores(&self) -> Scores {
        Scores { heads: self.heads, rows: self.steps, columns: self.keys }
    }
}

fn transposed(x: &FloatTensor<Flex>) -> FloatTensor<Flex> {
    Flex::float_swap_dims(x.clone(), 1, 2)
}

/// Attention of a step to itself and the steps before it. `qkv` is `[batch · steps, 3 · width]`; returns
/// `[batch · steps, width]` and the state for [`backward`].
pub fn causal(qkv: FloatTensor<Flex>, sizes: AttentionSizes) -> (FloatTensor<Flex>, AttentionState) {
    let qkv = qkv.to_contiguous();
    let x = floats(&qkv);
    let q = sizes.split(x, sizes.steps, 3, 0, sizes.scale());
    let k = sizes.split(x, sizes.steps, 3, 1, 1.0);
    let v = sizes.split(x, sizes.steps, 3, 2, 1.0);
    attend(q, k, v, sizes, Seen::Past)
}

/// Attention to condition tokens. `q` is `[batch · steps, width]`, `kv` `[batch · keys, 2 · width]`, `visible`
/// `[batch, steps, keys]` of zeros and ones; a step that sees no token gets zeros.
pub fn cross(
    q: FloatTensor<Flex>,
    kv: FloatTensor<Flex>,
    visible: &FloatTensor<Flex>,
    sizes: AttentionSizes,
) -> (FloatTensor<Flex>, AttentionState) {
    let (q, kv, visible) = (q.to_contiguous(), kv.to_contiguous(), visible.to_contiguous());
    let q = sizes.split(floats(&q), sizes.steps, 1, 0, sizes.scale());
    let k = sizes.split(floats(&kv), sizes.keys, 2, 0, 1.0);
    let v = sizes.split(floats(&kv), sizes.keys, 2, 1, 1.0);
    attend(q, k, v, sizes, Seen::Mask(floats(&visible)))
}

fn attend(
    q: FloatTensor<Flex>,
    k: FloatTensor<Flex>,
    v: FloatTensor<Flex>,
    sizes: AttentionSizes,
    seen: Seen<'_>,
) -> (FloatTensor<Flex>, AttentionState) {
    let mut shares = Flex::float_matmul(q.clone(), transposed(&k));
    masked_softmax(shares.storage_mut::<f32>(), sizes.scores(), seen);
    let out = Flex::float_matmul(shares.clone(), v.clone());
    (sizes.merge(&[(&out, 1.0)], sizes.steps), AttentionState { q, k, v, shares })
}

/// Gradients by queries, keys and values, each `[batch · heads, …]`, of an output's gradient `[batch · steps, width]`.
/// The queries' is still to be multiplied by the scale.
fn grads(grad: FloatTensor<Flex>, state: AttentionState, sizes: AttentionSizes) -> [FloatTensor<Flex>; 3] {
    let AttentionState { q, k, v, shares } = state;
    let grad = grad.to_contiguous();
    let grad = sizes.split(floats(&grad), sizes.steps, 1, 0, 1.0);
    let by_v = Flex::float_matmul(transposed(&shares), grad.clone());
    let mut by_scores = Flex::float_matmul(grad, transposed(&v));
    softmax_backward(floats(&shares), by_scores.storage_mut::<f32>(), sizes.keys);
    let by_q = Flex::float_matmul(by_scores.clone(), k);
    let by_k = Flex::float_matmul(transposed(&by_scores), q);
    [by_q, by_k, by_v]
}

/// Gradient of [`causal`] by `qkv`.
pub fn causal_backward(grad: FloatTensor<Flex>, state: AttentionState, sizes: AttentionSizes) -> FloatTensor<Flex> {
    let [q, k, v] = grads(grad, state, sizes);
    sizes.merge(&[(&q, sizes.scale()), (&k, 1.0), (&v, 1.0)], sizes.steps)
}

/// Gradients of [`cross`] by `q` and `kv`.
pub fn cross_backward(
    grad: FloatTensor<Flex>,
    state: AttentionState,
    sizes: AttentionSizes,
) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    let [q, k, v] = grads(grad, state, sizes);
    (sizes.merge(&[(&q, sizes.scale())], sizes.steps), sizes.merge(&[(&k, 1.0), (&v, 1.0)], sizes.keys))
}
