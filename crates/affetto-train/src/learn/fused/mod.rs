//! Operations that burn's autodiff would make of many passes over memory, each in one, with its gradient.
//!
//! They extend burn's Flex (CPU) backend. The high-level functions at the end are what the network calls; with
//! plain tensors they compute, with autodiff tensors they also record their gradient.

pub mod attention;
mod autodiff;
pub mod kernels;
mod lanes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};

pub use attention::AttentionSizes;

/// Token ids of rows, `[rows, streams]`, and what is looked up beside them.
#[derive(Clone, Debug)]
pub struct EmbedInputs {
    /// Ids, `[rows, streams]`.
    pub ids: Arc<Vec<i64>>,
    /// Ids in a row.
    pub streams: usize,
    /// Added to row r: `positions[r % steps]`, `[steps, width]`.
    pub positions: Arc<Vec<f32>>,
}

impl EmbedInputs {
    fn of_width(&self, width: usize) -> kernels::Ids<'_> {
        kernels::Ids { ids: &self.ids, streams: self.streams, width }
    }
}

/// What the logits of a batch should have said.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Token, or -1 where nothing is asked, `[rows, streams]`.
    pub tokens: Arc<Vec<i64>>,
    /// Vocabulary of each stream.
    pub vocabulary: Arc<Vec<usize>>,
}

/// The fused operations of a backend.
#[backend_extension(Flex, Autodiff)]
pub trait Fused: Backend {
    /// LayerNorm of rows.
    fn fused_layer_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self>;
    /// GELU with the error function.
    fn fused_gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;
    /// Causal self-attention of `[batch · steps, 3 · width]`.
    fn fused_causal(qkv: FloatTensor<Self>, sizes: AttentionSizes) -> FloatTensor<Self>;
    /// Attention to condition tokens.
    fn fused_cross(
        q: FloatTensor<Self>,
        kv: FloatTensor<Self>,
        visible: FloatTensor<Self>,
        sizes: AttentionSizes,
    ) -> FloatTensor<Self>;
    /// Sum of embeddings and positions.
    fn fused_embed(weight: FloatTensor<Self>, inputs: EmbedInputs) -> FloatTensor<Self>;
    /// Mean loss of each stream.
    fn fused_losses(logits: FloatTensor<Self>, targets: Targets) -> FloatTensor<Self>;
}

/// The numbers of a contiguous tensor.
fn floats(x: &FloatTensor<Flex>) -> &[f32] {
    let from = x.layout().start_offset();
    &x.storage::<f32>()[from..from + x.layout().num_elements()]
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FloatTensor<Flex> {
    <FloatTensor<Flex>>::from_data(TensorData::new(values, shape.to_vec()))
}

impl Fused for Flex {
    fn fused_layer_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, gamma, beta) = (x.to_contiguous(), gamma.to_contiguous(), beta.to_contiguous());
        let d = floats(&gamma).len();
        let out = kernels::layer_norm(floats(&x), floats(&gamma), floats(&beta));
        let rows = out.len() / d;
        tensor(out, &[rows, d])
    }

    fn fused_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let x = x.to_contiguous();
        tensor(kernels::gelu(floats(&x)), x.layout().shape().as_slice())
    }

    fn fused_causal(qkv: FloatTensor<Self>, sizes: AttentionSizes) -> FloatTensor<Self> {
        attention::causal(qkv, sizes).0
    }

    fn fused_cross(
        q: FloatTensor<Self>,
        kv: FloatTensor<Self>,
        visible: FloatTensor<Self>,
        sizes: AttentionSizes,
    ) -> FloatTensor<Self> {
        attention::cross(q, kv, &visible, sizes).0
    }

    fn fused_embed(weight: FloatTensor<Self>, inputs: EmbedInputs) -> FloatTensor<Self> {
        let weight = weight.to_contiguous();
        let d = weight.layout().shape()[1];
        let out = kernels::embed(floats(&weight), inputs.of_width(d), &inputs.positions);
        tensor(out, &[inputs.ids.len() / inputs.streams, d])
    }

    fn fused_losses(logits: FloatTensor<Self>, targets: Targets) -> FloatTensor<Self> {
        let logits = logits.to_contiguous();
        tensor(kernels::losses(floats(&logits), &targets.tokens, &targets.vocabulary), &[targets.vocabulary.len()])
    }
}

/// LayerNorm of the rows of `x` `[rows, d]`, with burn's epsilon 1e-5.
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>) -> Tensor<2> {
    let out = <Dispatch as Fused>::fused_layer_norm(x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
    Tensor::from_dispatch(out)
}

/// GELU with the error function.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Fused>::fused_gelu(x.into_dispatch()))
}

/// Causal self-attention: `[batch · steps, 3 · width]` → `[batch · steps, width]`.
pub fn causal_attention(qkv: Tensor<2>, sizes: AttentionSizes) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::fused_causal(qkv.into_dispatch(), sizes))
}

/// Attention of `q` `[batch · steps, width]` to `kv` `[batch · keys, 2 · width]` where `visible`
/// `[batch, steps, keys]` is 1; zeros for a step that sees nothing. No gradient flows to `visible`.
pub fn cross_attention(q: Tensor<2>, kv: Tensor<2>, visible: Tensor<3>, sizes: AttentionSizes) -> Tensor<2> {
    let out = <Dispatch as Fused>::fused_cross(q.into_dispatch(), kv.into_dispatch(), visible.into_dispatch(), sizes);
    Tensor::from_dispatch(out)
}

/// Sum of each row's embeddings and its position: `[rows, width]`.
pub fn embed(weight: Tensor<2>, inputs: EmbedInputs) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::fused_embed(weight.into_dispatch(), inputs))
}

/// Mean negative log-likelihood of each stream, in nats: `[streams]`.
pub fn losses(logits: Tensor<2>, targets: Targets) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Fused>::fused_losses(logits.into_dispatch(), targets))
}
