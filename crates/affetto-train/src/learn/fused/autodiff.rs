//! The gradients of the fused operations, recorded in burn's autodiff graph.

use burn::backend::Flex;
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::attention::{self, AttentionSizes, AttentionState};
use super::{EmbedInputs, Fused, Targets, floats, kernels, tensor};

type Plain = FloatTensor<Flex>;

#[derive(Debug)]
struct LayerNormStep;

impl Backward<Flex, 3> for LayerNormStep {
    type State = (Plain, Plain);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (x, gamma) = ops.state;
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (by_x, by_gamma, by_beta) = kernels::layer_norm_backward(floats(&x), floats(&gamma), floats(&grad));
        let d = by_gamma.len();
        let rows = by_x.len() / d;
        let all = [tensor(by_x, &[rows, d]), tensor(by_gamma, &[d]), tensor(by_beta, &[d])];
        for (parent, by) in ops.parents.into_iter().zip(all) {
            if let Some(node) = parent {
                grads.register::<Flex>(node.id, by);
            }
        }
    }
}

#[derive(Debug)]
struct GeluStep;

impl Backward<Flex, 1> for GeluStep {
    type State = Plain;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let by = kernels::gelu_backward(floats(&ops.state), floats(&grad));
            grads.register::<Flex>(node.id, tensor(by, ops.state.layout().shape().as_slice()));
        }
    }
}

#[derive(Debug)]
struct CausalStep;

impl Backward<Flex, 1> for CausalStep {
    type State = (AttentionState, AttentionSizes);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let (state, sizes) = ops.state;
            grads.register::<Flex>(node.id, attention::causal_backward(grad, state, sizes));
        }
    }
}

#[derive(Debug)]
struct CrossStep;

impl Backward<Flex, 2> for CrossStep {
    type State = (AttentionState, AttentionSizes);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (state, sizes) = ops.state;
        let (by_q, by_kv) = attention::cross_backward(grad, state, sizes);
        for (parent, by) in ops.parents.into_iter().zip([by_q, by_kv]) {
            if let Some(node) = parent {
                grads.register::<Flex>(node.id, by);
            }
        }
    }
}

#[derive(Debug)]
struct EmbedStep;

impl Backward<Flex, 1> for EmbedStep {
    type State = (EmbedInputs, [usize; 2]);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let (inputs, [rows, d]) = ops.state;
            let by = kernels::embed_backward(floats(&grad), inputs.of_width(d), rows);
            grads.register::<Flex>(node.id, tensor(by, &[rows, d]));
        }
    }
}

#[derive(Debug)]
struct LossesStep;

impl Backward<Flex, 1> for LossesStep {
    type State = (Plain, Targets);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let (logits, targets) = ops.state;
            let by = kernels::losses_backward(floats(&logits), &targets.tokens, &targets.vocabulary, floats(&grad));
            grads.register::<Flex>(node.id, tensor(by, logits.layout().shape().as_slice()));
        }
    }
}

impl<C: CheckpointStrategy> Fused for Autodiff<Flex, C> {
    fn fused_layer_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node(), gamma.node(), beta.node()];
        let (x, gamma, beta) = (x.into_primitive(), gamma.into_primitive(), beta.into_primitive());
        let (x, gamma) = (x.to_contiguous(), gamma.to_contiguous());
        let out = Flex::fused_layer_norm(x.clone(), gamma.clone(), beta);
        match LayerNormStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, gamma), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn fused_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let x = x.into_primitive().to_contiguous();
        let out = Flex::fused_gelu(x.clone());
        match GeluStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(x, out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn fused_causal(qkv: FloatTensor<Self>, sizes: AttentionSizes) -> FloatTensor<Self> {
        let nodes = [qkv.node()];
        let (out, state) = attention::causal(qkv.into_primitive(), sizes);
        match CausalStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((state, sizes), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn fused_cross(
        q: FloatTensor<Self>,
        kv: FloatTensor<Self>,
        visible: FloatTensor<Self>,
        sizes: AttentionSizes,
    ) -> FloatTensor<Self> {
        let nodes = [q.node(), kv.node()];
        let visible = visible.into_primitive();
        let (out, state) = attention::cross(q.into_primitive(), kv.into_primitive(), &visible, sizes);
        match CrossStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((state, sizes), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn fused_embed(weight: FloatTensor<Self>, inputs: EmbedInputs) -> FloatTensor<Self> {
        let nodes = [weight.node()];
        let weight = weight.into_primitive();
        let shape = [weight.layout().shape()[0], weight.layout().shape()[1]];
        let out = Flex::fused_embed(weight, inputs.clone());
        match EmbedStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((inputs, shape), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn fused_losses(logits: FloatTensor<Self>, targets: Targets) -> FloatTensor<Self> {
        let nodes = [logits.node()];
        let logits = logits.into_primitive().to_contiguous();
        let out = Flex::fused_losses(logits.clone(), targets.clone());
        match LossesStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((logits, targets), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}
