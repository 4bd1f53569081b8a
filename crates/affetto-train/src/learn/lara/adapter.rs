//! Low-rank adapters (LoRA, arXiv 2106.09685): a frozen matrix W learns as W + down · up, and is merged for export.

use burn::module::{Initializer, Module, Param, ParamId};
use burn::tensor::{Device, Tensor};

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
