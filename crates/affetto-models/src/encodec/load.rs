//! Reading an EnCodec checkpoint by Hugging Face's names.

use affetto_engine::{Checkpoint, Linear, PackedMatrix, Precision};

use super::config::EncodecConfig;
use super::conv::{Conv, Upsample};
use super::lstm::LstmLayer;
use crate::error::ModelError;

/// A residual unit.
pub(super) struct Residual {
    pub spread: Conv,
    pub point: Conv,
    /// None where what comes in is added as it is.
    pub shortcut: Option<Conv>,
}

/// Reads layers in the order in which transformers numbers them.
pub(super) struct Reader<'a> {
    pub checkpoint: &'a Checkpoint,
    pub config: &'a EncodecConfig,
    /// Up to and with `encoder.` or `decoder.`.
    pub side: String,
    /// How the LSTM's weights for its own state are held: those are read whole for each frame.
    pub recurrent: Precision,
    /// The number of the next layer; functions between layers have numbers too.
    pub layer: usize,
}

impl Reader<'_> {
    fn name(&self, part: &str) -> String {
        format!("{}layers.{}.{part}", self.side, self.layer)
    }

    /// A weight of `shape`, its norms multiplied in: w = g·v/‖v‖ over all but the first dimension.
    fn weight(&self, name: &str, shape: &[usize; 3]) -> Result<Vec<f32>, ModelError> {
        let forms =
            [("parametrizations.weight.original0", "parametrizations.weight.original1"), ("weight_g", "weight_v")];
        for (norm, direction) in forms {
            let (norm, direction) = (format!("{name}.{norm}"), format!("{name}.{direction}"));
            if !self.checkpoint.contains(&direction) {
                continue;
            }
            let norms = self.checkpoint.tensor_f32(&norm, &[shape[0], 1, 1])?;
            let mut weight = self.checkpoint.tensor_f32(&direction, shape)?;
            for (row, norm) in weight.chunks_exact_mut(shape[1] * shape[2]).zip(norms) {
                let length = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
                let scale = if length > 0.0 { (f64::from(norm) / length) as f32 } else { 0.0 };
                row.iter_mut().for_each(|v| *v *= scale);
            }
            return Ok(weight);
        }
        Ok(self.checkpoint.tensor_f32(&format!("{name}.weight"), shape)?)
    }

    /// The convolution `part`, whose tensors are `<part>.conv.…`.
    fn conv(
        &self,
        part: &str,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
        dilation: usize,
    ) -> Result<Conv, ModelError> {
        let name = self.name(&format!("{part}conv"));
        let stored = self.weight(&name, &[outputs, inputs, kernel])?;
        // [out, in, kernel] to [out, kernel, in]: as a step's neighbours lie.
        let mut rows = vec![0.0; stored.len()];
        for (to, from) in rows.chunks_exact_mut(kernel * inputs).zip(stored.chunks_exact(kernel * inputs)) {
            for (i, taps) in from.chunks_exact(kernel).enumerate() {
                for (j, &tap) in taps.iter().enumerate() {
                    to[j * inputs + i] = tap;
                }
            }
        }
        let bias = self.checkpoint.tensor_f32(&format!("{name}.bias"), &[outputs])?;
        let matrix = PackedMatrix::pack(&rows, outputs, kernel * inputs, Precision::F32)?;
        Ok(Conv {
            linear: Linear::new(matrix, Some(bias))?,
            inputs,
            kernel,
            stride,
            dilation,
            reflect: self.config.reflect,
        })
    }

    /// A convolution that is a layer.
    pub fn layer(&mut self, inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Result<Conv, ModelError> {
        let conv = self.conv("", inputs, outputs, kernel, stride, 1)?;
        self.layer += 1;
        Ok(conv)
    }

    /// A transposed convolution.
    pub fn upsample(&mut self, inputs: usize, outputs: usize, stride: usize) -> Result<Upsample, ModelError> {
        let kernel = 2 * stride;
        let name = self.name("conv");
        let stored = self.weight(&name, &[inputs, outputs, kernel])?;
        // [in, out, kernel] to [kernel, out, in].
        let mut rows = vec![0.0; stored.len()];
        for (i, from) in stored.chunks_exact(outputs * kernel).enumerate() {
            for (at, &tap) in from.iter().enumerate() {
                let (o, j) = (at / kernel, at % kernel);
                rows[(j * outputs + o) * inputs + i] = tap;
            }
        }
        let bias = self.checkpoint.tensor_f32(&format!("{name}.bias"), &[outputs])?;
        let matrix = PackedMatrix::pack(&rows, kernel * outputs, inputs, Precision::F32)?;
        self.layer += 1;
        Ok(Upsample { linear: Linear::new(matrix, None)?, bias, inputs, stride })
    }

    /// The residual units at one stride.
    pub fn residuals(&mut self, width: usize) -> Result<Vec<Residual>, ModelError> {
        let config = self.config;
        let inside = width / config.compress;
        (0..config.num_residual_layers)
            .map(|unit| {
                let dilation = config.dilation_growth_rate.saturating_pow(unit as u32);
                let spread = self.conv("block.1.", width, inside, config.residual_kernel_size, 1, dilation)?;
                let point = self.conv("block.3.", inside, width, 1, 1, 1)?;
                // Stored revisions differ in this, whatever their configurations say.
                let has = self.checkpoint.contains(&self.name("shortcut.conv.bias"));
                let shortcut = has.then(|| self.conv("shortcut.", width, width, 1, 1, 1)).transpose()?;
                self.layer += 1;
                Ok(Residual { spread, point, shortcut })
            })
            .collect()
    }

    /// Skips a function without weights.
    pub fn skip(&mut self) {
        self.layer += 1;
    }

    /// The LSTM.
    pub fn lstm(&mut self, width: usize) -> Result<Vec<LstmLayer>, ModelError> {
        let layers = (0..self.config.num_lstm_layers)
            .map(|i| {
                let weight = |part: &str, precision| {
                    let name = self.name(&format!("lstm.weight_{part}_l{i}"));
                    PackedMatrix::load(self.checkpoint, &name, 4 * width, width, precision)
                };
                let bias = |part: &str| {
                    self.checkpoint.tensor_f32(&self.name(&format!("lstm.bias_{part}_l{i}")), &[4 * width])
                };
                let both = bias("ih")?.iter().zip(bias("hh")?).map(|(a, b)| a + b).collect();
                Ok(LstmLayer {
                    input: Linear::new(weight("ih", Precision::F32)?, Some(both))?,
                    hidden: Linear::new(weight("hh", self.recurrent)?, None)?,
                })
            })
            .collect::<Result<_, ModelError>>()?;
        self.layer += 1;
        Ok(layers)
    }
}
