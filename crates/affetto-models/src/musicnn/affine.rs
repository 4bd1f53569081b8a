//! Batch normalisation, folded.

use affetto_engine::Checkpoint;

use crate::ModelError;

/// A batch normalisation folded to `scale · x + shift`, one pair a channel.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

impl Affine {
    /// Folds `<name>.{weight,bias,running_mean,running_var}`, each `[channels]`, with epsilon 1e-3.
    pub fn batch_norm(checkpoint: &Checkpoint, name: &str, channels: usize) -> Result<Self, ModelError> {
        let part = |part: &str| checkpoint.tensor_f32(&format!("{name}.{part}"), &[channels]);
        let (weight, bias) = (part("weight")?, part("bias")?);
        let (mean, var) = (part("running_mean")?, part("running_var")?);
        let scale: Vec<f32> = weight.iter().zip(&var).map(|(w, v)| w / (v + 1e-3).sqrt()).collect();
        let shift = bias.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Ok(Affine { scale, shift })
    }

    /// Reads `<name>.{scale,shift}`, each `[channels]`.
    pub fn folded(checkpoint: &Checkpoint, name: &str, channels: usize) -> Result<Self, ModelError> {
        Ok(Affine {
            scale: checkpoint.tensor_f32(&format!("{name}.scale"), &[channels])?,
            shift: checkpoint.tensor_f32(&format!("{name}.shift"), &[channels])?,
        })
    }

    /// Applies it to rows of `scale.len()` channels.
    pub fn apply(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.scale.len()) {
            for ((x, s), b) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
                *x = *x * s + b;
            }
        }
    }
}
