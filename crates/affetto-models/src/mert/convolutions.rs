//! The feature extractor: sound to frames by convolutions without padding, each followed by GELU.

use affetto_engine::activation::gelu;
use affetto_engine::{Checkpoint, LayerNorm, Linear, PackedMatrix, Precision};

use super::config::{Convolution, MertConfig};
use crate::error::ModelError;
use crate::parallel;

/// Outputs that are computed at once.
const TILE: usize = 64;
/// ε of the norms here, whatever the configuration says.
const EPS: f32 = 1e-5;

/// What stands between a convolution and its GELU.
enum Norm {
    None,
    /// Over the channels of each step.
    Layer(LayerNorm),
    /// Over time, each channel by itself: weights and biases.
    Time(Vec<f32>, Vec<f32>),
}

/// One convolution over `[steps, inputs]`.
pub(super) struct Layer {
    linear: Linear,
    inputs: usize,
    size: Convolution,
    norm: Norm,
}

impl Layer {
    /// Reads `<prefix>feature_extractor.conv_layers.<index>.…`.
    pub fn load(checkpoint: &Checkpoint, prefix: &str, config: &MertConfig, index: usize) -> Result<Self, ModelError> {
        let name = format!("{prefix}feature_extractor.conv_layers.{index}");
        let size = config.convolutions[index];
        let inputs = index.checked_sub(1).map_or(1, |before| config.convolutions[before].outputs);
        let stored = checkpoint.tensor_f32(&format!("{name}.conv.weight"), &[size.outputs, inputs, size.kernel])?;
        let bias = format!("{name}.conv.bias");
        let bias = config.conv_bias.then(|| checkpoint.tensor_f32(&bias, &[size.outputs])).transpose()?;
        let rows = taps_first(&stored, inputs, size.kernel);
        let matrix = PackedMatrix::pack(&rows, size.outputs, size.kernel * inputs, Precision::F32)?;
        let norm = format!("{name}.layer_norm");
        let norm = if config.layer_norms {
            Norm::Layer(LayerNorm::load(checkpoint, &norm, size.outputs, EPS)?)
        } else if index == 0 {
            let part = |part: &str| checkpoint.tensor_f32(&format!("{norm}.{part}"), &[size.outputs]);
            Norm::Time(part("weight")?, part("bias")?)
        } else {
            Norm::None
        };
        Ok(Layer { linear: Linear::new(matrix, bias)?, inputs, size, norm })
    }

    /// `x` is `[steps, inputs]`, the answer `[(steps - kernel) / stride + 1, outputs]`; there are steps enough.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let Convolution { outputs, kernel, stride } = self.size;
        let steps = x.len() / self.inputs;
        let mut out = vec![0.0; ((steps - kernel) / stride + 1) * outputs];
        let width = kernel * self.inputs;
        parallel::chunks(&mut out, TILE * outputs, |part, out| {
            let rows = out.len() / outputs;
            let mut gathered = Vec::with_capacity(rows * width);
            for row in 0..rows {
                gathered.extend_from_slice(&x[(part * TILE + row) * stride * self.inputs..][..width]);
            }
            self.linear.apply(&gathered, rows, out);
            if let Norm::Layer(norm) = &self.norm {
                let bare = out.to_vec();
                norm.apply(&bare, out);
            }
            if !matches!(self.norm, Norm::Time(..)) {
                gelu(out);
            }
        });
        if let Norm::Time(weight, bias) = &self.norm {
            let affine = over_time(&out, weight, bias);
            parallel::chunks(&mut out, TILE * outputs, |_, out| {
                for row in out.chunks_exact_mut(outputs) {
                    row.iter_mut().zip(&affine).for_each(|(x, (scale, shift))| *x = *x * scale + shift);
                }
                gelu(out);
            });
        }
        out
    }
}

/// `[out, in, kernel]` to `[out, kernel, in]`: as a step's neighbours lie.
pub(super) fn taps_first(stored: &[f32], inputs: usize, kernel: usize) -> Vec<f32> {
    let mut rows = vec![0.0; stored.len()];
    for (to, from) in rows.chunks_exact_mut(kernel * inputs).zip(stored.chunks_exact(kernel * inputs)) {
        for (i, taps) in from.chunks_exact(kernel).enumerate() {
            for (j, &tap) in taps.iter().enumerate() {
                to[j * inputs + i] = tap;
            }
        }
    }
    rows
}

/// Scale and shift that bring each channel of `x [steps, channels]` to mean 0 and variance 1, then to weight and bias.
fn over_time(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<(f32, f32)> {
    let channels = weight.len();
    let steps = (x.len() / channels) as f64;
    let total = |f: &dyn Fn(usize, f64) -> f64| {
        let mut sums = vec![0.0f64; channels];
        for row in x.chunks_exact(channels) {
            sums.iter_mut().zip(row).enumerate().for_each(|(c, (s, &v))| *s += f(c, f64::from(v)));
        }
        sums
    };
    let means: Vec<f64> = total(&|_, v| v).iter().map(|s| s / steps).collect();
    let squares = total(&|c, v| (v - means[c]) * (v - means[c]));
    let both = means.iter().zip(squares).zip(weight.iter().zip(bias));
    both.map(|((mean, squares), (&w, &b))| {
        let scale = f64::from(w) / (squares / steps + f64::from(EPS)).sqrt();
        (scale as f32, (f64::from(b) - mean * scale) as f32)
    })
    .collect()
}
