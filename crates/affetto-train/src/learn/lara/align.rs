//! The second loss: hidden states, pooled over windows of time and sent through a proxy network, should point where
//! an understanding network's features of the same windows point.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};

/// Added to squared lengths, so that a zero vector has a direction's gradient of zero and not of NaN.
const TINY: f32 = 1e-12;

/// The proxy network: linear layers with SiLU between them, from hidden states to features.
#[derive(Module, Debug)]
pub struct Proxy {
    layers: Vec<Linear>,
}

impl Proxy {
    /// A proxy with random weights: `layers` linear layers (at least one), from `inputs` wide over `hidden` to
    /// `outputs`.
    pub fn new(inputs: usize, hidden: usize, layers: usize, outputs: usize, device: &Device) -> Proxy {
        let layers = layers.max(1);
        let width = |edge: usize| match edge {
            0 => inputs,
            edge if edge == layers => outputs,
            _ => hidden,
        };
        Proxy { layers: (0..layers).map(|i| LinearConfig::new(width(i), width(i + 1)).init(device)).collect() }
    }

    /// `[rows, inputs]` → `[rows, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (last, before) = self.layers.split_last().expect("a proxy has a layer");
        last.forward(before.iter().fold(x, |x, layer| silu(layer.forward(x))))
    }
}

/// One sequence of a batch and what was heard in it.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// For each step of the sequence the window of time it belongs to; `None` for steps that belong to none.
    pub window_of_step: Vec<Option<usize>>,
    /// Features of each window, row-major `[windows × width]`.
    pub features: Vec<f32>,
}

/// The windows of a batch before they become tensors, so that another thread can make them.
#[derive(Clone, Debug)]
pub struct HostTargets {
    sequences: usize,
    steps: usize,
    windows: usize,
    width: usize,
    pooling: Vec<f32>,
    features: Vec<f32>,
    present: Vec<f32>,
}

impl HostTargets {
    /// The windows of `heard`, for hidden states of `steps` steps a sequence (shorter sequences are padded) and
    /// features `width` wide. A window that no step belongs to, or that has no features, is masked.
    pub fn new(heard: &[Heard], steps: usize, width: usize) -> HostTargets {
        let windows = heard.iter().map(|h| h.features.len() / width.max(1)).max().unwrap_or(0).max(1);
        let mut targets = HostTargets {
            sequences: heard.len(),
            steps,
            windows,
            width,
            pooling: vec![0.0; heard.len() * windows * steps],
            features: vec![0.0; heard.len() * windows * width],
            present: vec![0.0; heard.len() * windows],
        };
        for (at, heard) in heard.iter().enumerate() {
            targets.features[at * windows * width..][..heard.features.len()].copy_from_slice(&heard.features);
            for window in 0..heard.features.len() / width.max(1) {
                let members: Vec<usize> =
                    (0..steps).filter(|&step| heard.window_of_step.get(step) == Some(&Some(window))).collect();
                let row = at * windows + window;
                targets.present[row] = f32::from(!members.is_empty());
                for &step in &members {
                    targets.pooling[row * steps + step] = 1.0 / members.len() as f32;
                }
            }
        }
        targets
    }

    /// Windows that count.
    pub fn present(&self) -> usize {
        self.present.iter().filter(|p| **p > 0.0).count()
    }

    /// The windows as tensors on `device`.
    pub fn upload(&self, device: &Device) -> Targets {
        let rows = self.sequences * self.windows;
        let pooling = TensorData::new(self.pooling.clone(), [self.sequences, self.windows, self.steps]);
        Targets {
            pooling: Tensor::from_data(pooling, device),
            features: Tensor::from_data(TensorData::new(self.features.clone(), [rows, self.width]), device),
            present: Tensor::from_data(TensorData::new(self.present.clone(), [rows]), device),
        }
    }
}

/// The windows of a batch on a device.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Means over steps, `[sequences, windows, steps]`.
    pub pooling: Tensor<3>,
    /// What was heard, `[sequences · windows, width]`.
    pub features: Tensor<2>,
    /// 1 for windows that count, else 0: `[sequences · windows]`.
    pub present: Tensor<1>,
}

impl Targets {
    /// Mean hidden state of each window: `[sequences · steps, d]` → `[sequences · windows, d]`.
    pub fn pool(&self, hidden: Tensor<2>) -> Tensor<2> {
        let [sequences, windows, steps] = self.pooling.dims();
        let d = hidden.dims()[1];
        self.pooling.clone().matmul(hidden.reshape([sequences, steps, d])).reshape([sequences * windows, d])
    }

    /// Mean over the windows that count of 1 − cosine between `predicted` `[sequences · windows, width]` and what was
    /// heard: `[1]`, from 0 (the same directions) to 2 (opposite ones); 0 where no window counts.
    pub fn distance(&self, predicted: Tensor<2>) -> Tensor<1> {
        let length = |x: Tensor<2>| (x.clone() * x).sum_dim(1).add_scalar(TINY).sqrt();
        let dot = (predicted.clone() * self.features.clone()).sum_dim(1);
        let cosine = dot / (length(predicted) * length(self.features.clone()));
        let rows = self.present.dims()[0];
        let apart = cosine.reshape([rows]).neg().add_scalar(1.0) * self.present.clone();
        apart.sum() / self.present.clone().sum().clamp_min(1.0)
    }

    /// The alignment loss of `hidden` `[sequences · steps, d]`: [pooled](Self::pool), sent through the proxy,
    /// [compared](Self::distance).
    pub fn loss(&self, proxy: &Proxy, hidden: Tensor<2>) -> Tensor<1> {
        self.distance(proxy.forward(self.pool(hidden)))
    }
}

#[cfg(test)]
mod tests {
    use burn::optim::{AdamWConfig, GradientsParams};

    use super::*;

    fn targets(features: &[f32], window_of_step: &[Option<usize>], device: &Device) -> Targets {
        let heard = Heard { window_of_step: window_of_step.to_vec(), features: features.to_vec() };
        HostTargets::new(&[heard], window_of_step.len(), 2).upload(device)
    }

    fn rows(values: &[f32], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / 2, 2]), device)
    }

    fn distance(features: &[f32], predicted: &[f32], members: &[Option<usize>]) -> f32 {
        let device = Device::default();
        targets(features, members, &device).distance(rows(predicted, &device)).into_scalar::<f32>()
    }

    #[test]
    fn equal_directions_are_0_apart_and_opposite_ones_2() {
        let both = [Some(0), Some(1)];
        assert!(distance(&[1.0, 2.0, -3.0, 0.5], &[2.0, 4.0, -6.0, 1.0], &both).abs() < 1e-6);
        assert!((distance(&[1.0, 2.0, -3.0, 0.5], &[-1.0, -2.0, 3.0, -0.5], &both) - 2.0).abs() < 1e-6);
        assert!((distance(&[1.0, 0.0], &[0.0, 5.0], &[Some(0)]) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn windows_without_steps_do_not_count() {
        // The second window is opposite, but no step lies in it.
        assert!(distance(&[1.0, 0.0, 0.0, 1.0], &[1.0, 0.0, 0.0, -1.0], &[Some(0), None]).abs() < 1e-6);
        // Steps of a window that nothing was heard in are nobody's.
        let host =
            HostTargets::new(&[Heard { window_of_step: vec![Some(0), Some(7)], features: vec![1.0, 0.0] }], 2, 2);
        assert_eq!(host.present(), 1);
        assert_eq!(distance(&[], &[0.3, 0.4], &[None]), 0.0);
    }

    #[test]
    fn states_are_averaged_over_the_steps_of_their_window() {
        let device = Device::default();
        // Two sequences; the second is shorter and has one window.
        let heard = [
            Heard { window_of_step: vec![Some(0), Some(1), Some(0)], features: vec![0.0; 4] },
            Heard { window_of_step: vec![Some(0)], features: vec![0.0; 2] },
        ];
        let targets = HostTargets::new(&heard, 3, 2).upload(&device);
        let hidden = rows(&[1.0, 2.0, 10.0, 20.0, 3.0, 6.0, 7.0, 8.0, 99.0, 99.0, 99.0, 99.0], &device);
        let pooled = targets.pool(hidden).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(pooled, [2.0, 4.0, 10.0, 20.0, 7.0, 8.0, 0.0, 0.0]);
    }

    #[test]
    fn learning_turns_states_and_proxy_towards_what_was_heard() {
        let device = Device::default();
        device.seed(3);
        let device = device.autodiff();
        let mut proxy = Proxy::new(2, 8, 3, 2, &device);
        let mut optimizer = AdamWConfig::new().init();
        let targets = targets(&[1.0, -1.0, -1.0, -0.2], &[Some(0), Some(1), None], &device);
        let hidden = rows(&[0.5, 0.1, -0.4, 0.9, 5.0, 5.0], &device).require_grad();
        let mut losses = Vec::new();
        for _ in 0..60 {
            let loss = targets.loss(&proxy, hidden.clone());
            losses.push(loss.clone().into_scalar::<f32>());
            let gradients = loss.backward();
            let by_hidden = hidden.grad(&gradients).expect("the states have a gradient");
            let by_hidden = by_hidden.into_data().try_to_vec::<f32>().unwrap();
            assert!(by_hidden.iter().all(|g| g.is_finite()) && by_hidden[..4].iter().any(|g| *g != 0.0));
            assert_eq!(by_hidden[4..], [0.0, 0.0], "a step outside of all windows learns nothing");
            proxy = optimizer.step(3e-2, proxy.clone(), GradientsParams::from_grads(gradients, &proxy));
        }
        assert!(losses[59] < 0.05 && losses[0] > 0.2, "{losses:?}");
    }
}
