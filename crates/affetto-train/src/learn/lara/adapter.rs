//! Low-rank adapters (LoRA, arXiv 2106.09685): a frozen matrix W learns as W + down · up, and is merged for export.

use burn::module::{Initializer, Module, Param, ParamId};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use crate::learn::network::Layer;

/// What is added to one matrix of shape `[inputs, outputs]` (burn's layout): `down [inputs, rank] · up [rank, outputs]`.
#[derive(Module, Debug)]
pub struct Adapter {
    down: Param<Tensor<2>>,
    up: Param<Tensor<2>>,
}

impl Adapter {
    /// An adapter that adds nothing yet: `down` is random, `up` zero.
    pub fn new(shape: [usize; 2], rank: usize, device: &Device) -> Adapter {
        let [inputs, outputs] = shape;
        let std = 1.0 / (inputs as f64).sqrt();
        Adapter {
            down: Initializer::Normal { mean: 0.0, std }.init([inputs, rank], device),
            up: Initializer::Zeros.init([rank, outputs], device),
        }
    }

    /// The matrix with what the adapter adds; gradients flow to the adapter, and to the matrix unless it is frozen.
    pub fn merged(&self, weight: &Param<Tensor<2>>) -> Param<Tensor<2>> {
        Param::initialized(ParamId::new(), weight.val() + self.down.val().matmul(self.up.val()))
    }
}

/// Adapters of one decoder layer's matrices; both families' layers are alike. Queries, keys and values share `down`.
#[derive(Module, Debug)]
pub struct LayerAdapters {
    self_qkv: Adapter,
    self_out: Adapter,
    cross_q: Adapter,
    cross_kv: Adapter,
    cross_out: Adapter,
    fc1: Adapter,
    fc2: Adapter,
}

impl LayerAdapters {
    /// Adapters of a rank that add nothing yet to the matrices of `layer`.
    pub fn new(layer: &Layer, rank: usize, device: &Device) -> LayerAdapters {
        let adapter = |linear: &Linear| Adapter::new(linear.weight.dims(), rank, device);
        LayerAdapters {
            self_qkv: adapter(&layer.self_qkv),
            self_out: adapter(&layer.self_out),
            cross_q: adapter(&layer.cross_q),
            cross_kv: adapter(&layer.cross_kv),
            cross_out: adapter(&layer.cross_out),
            fc1: adapter(&layer.fc1),
            fc2: adapter(&layer.fc2),
        }
    }

    /// The layer with what its adapters add.
    pub fn merged(&self, layer: &Layer) -> Layer {
        let merged = |adapter: &Adapter, linear: &Linear| Linear {
            weight: adapter.merged(&linear.weight),
            bias: linear.bias.clone(),
        };
        let mut out = layer.clone();
        out.self_qkv = merged(&self.self_qkv, &layer.self_qkv);
        out.self_out = merged(&self.self_out, &layer.self_out);
        out.cross_q = merged(&self.cross_q, &layer.cross_q);
        out.cross_kv = merged(&self.cross_kv, &layer.cross_kv);
        out.cross_out = merged(&self.cross_out, &layer.cross_out);
        out.fc1 = merged(&self.fc1, &layer.fc1);
        out.fc2 = merged(&self.fc2, &layer.fc2);
        out
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::optim::{AdamWConfig, GradientsParams};

    use super::*;

    #[test]
    fn an_adapter_begins_as_nothing_and_learns_while_its_matrix_stays() {
        let device = Device::default();
        device.seed(1);
        let device = device.autodiff();
        let linear = LinearConfig::new(3, 4).with_bias(false).init(&device).no_grad();
        let mut adapter = Adapter::new([3, 4], 2, &device);
        let numbers = |p: &Param<Tensor<2>>| p.val().into_data().try_to_vec::<f32>().unwrap();
        let before = numbers(&linear.weight);
        assert_eq!(numbers(&adapter.merged(&linear.weight)), before);
        let mut optimizer = AdamWConfig::new().init();
        let x = Tensor::<2>::from_data([[1.0, -2.0, 0.5]], &device);
        let mut losses = Vec::new();
        for _ in 0..50 {
            let mut used = linear.clone();
            used.weight = adapter.merged(&linear.weight);
            let loss = (used.forward(x.clone()) - 1.0).powi_scalar(2).sum();
            losses.push(loss.clone().into_scalar::<f32>());
            adapter = optimizer.step(5e-2, adapter.clone(), GradientsParams::from_grads(loss.backward(), &adapter));
        }
        assert_eq!(numbers(&linear.weight), before);
        assert!(losses[49] < 0.05 * losses[0], "{losses:?}");
    }
}
