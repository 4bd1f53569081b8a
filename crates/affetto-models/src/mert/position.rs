//! Positions: a grouped convolution over neighbouring frames, whose answer is added to them.

use affetto_engine::activation::gelu;
use affetto_engine::{Checkpoint, Linear, PackedMatrix, Precision};

use super::config::MertConfig;
use super::convolutions::taps_first;
use crate::error::ModelError;
use crate::parallel;

/// Frames that are computed at once.
const TILE: usize = 32;

/// The convolution: one matrix a group, over frames with as many zeros around them as keep their number.
pub(super) struct Positions {
    groups: Vec<Linear>,
    kernel: usize,
}

impl Positions {
    /// Reads `<prefix>encoder.pos_conv_embed.conv.…`, its weight norm under either of its names.
    pub fn load(checkpoint: &Checkpoint, prefix: &str, config: &MertConfig) -> Result<Self, ModelError> {
        let name = format!("{prefix}encoder.pos_conv_embed.conv");
        let (d, kernel) = (config.hidden_size, config.num_conv_pos_embeddings);
        let width = d / config.num_conv_pos_embedding_groups;
        let shape = [d, width, kernel];
        let weight = weight(checkpoint, &name, &shape)?;
        let bias = checkpoint.tensor_f32(&format!("{name}.bias"), &[d])?;
        let groups = weight.chunks_exact(width * width * kernel).zip(bias.chunks_exact(width));
        let groups = groups.map(|(weight, bias)| {
            let rows = taps_first(weight, width, kernel);
            Ok(Linear::new(PackedMatrix::pack(&rows, width, kernel * width, Precision::F32)?, Some(bias.to_vec()))?)
        });
        Ok(Positions { groups: groups.collect::<Result<_, ModelError>>()?, kernel })
    }

    /// Adds the positions to `x [frames, hidden]`.
    pub fn add(&self, x: &mut [f32]) {
        let width = self.groups[0].outputs();
        let d = self.groups.len() * width;
        let (frames, before) = (x.len() / d, self.kernel / 2);
        // Each group's channels by themselves, with zeros around them.
        let padded: Vec<Vec<f32>> = (0..self.groups.len())
            .map(|group| {
                let mut own = vec![0.0; (frames + self.kernel) * width];
                let inner = &mut own[before * width..][..frames * width];
                for (to, from) in inner.chunks_exact_mut(width).zip(x.chunks_exact(d)) {
                    to.copy_from_slice(&from[group * width..][..width]);
                }
                own
            })
            .collect();
        parallel::chunks(x, TILE * d, |part, x| {
            let rows = x.len() / d;
            let mut gathered = Vec::with_capacity(rows * self.kernel * width);
            let mut answer = vec![0.0; rows * width];
            for (group, (linear, own)) in self.groups.iter().zip(&padded).enumerate() {
                gathered.clear();
                for row in 0..rows {
                    gathered.extend_from_slice(&own[(part * TILE + row) * width..][..self.kernel * width]);
                }
                linear.apply(&gathered, rows, &mut answer);
                gelu(&mut answer);
                for (x, answer) in x.chunks_exact_mut(d).zip(answer.chunks_exact(width)) {
                    x[group * width..][..width].iter_mut().zip(answer).for_each(|(x, a)| *x += a);
                }
            }
        });
    }
}

/// The weight of `shape` [out, in, kernel], its norms multiplied in: at each tap g·v/‖v‖ over outputs and inputs.
fn weight(checkpoint: &Checkpoint, name: &str, shape: &[usize; 3]) -> Result<Vec<f32>, ModelError> {
    let forms = [("parametrizations.weight.original0", "parametrizations.weight.original1"), ("weight_g", "weight_v")];
    for (norm, direction) in forms.map(|(norm, direction)| (format!("{name}.{norm}"), format!("{name}.{direction}"))) {
        if !checkpoint.contains(&direction) {
            continue;
        }
        let kernel = shape[2];
        let norms = checkpoint.tensor_f32(&norm, &[1, 1, kernel])?;
        let mut weight = checkpoint.tensor_f32(&direction, shape)?;
        let mut squares = vec![0.0f64; kernel];
        for taps in weight.chunks_exact(kernel) {
            squares.iter_mut().zip(taps).for_each(|(s, &v)| *s += f64::from(v) * f64::from(v));
        }
        let scales = norms.iter().zip(&squares);
        let scales: Vec<f32> =
            scales.map(|(&g, s)| if *s > 0.0 { (f64::from(g) / s.sqrt()) as f32 } else { 0.0 }).collect();
        for taps in weight.chunks_exact_mut(kernel) {
            taps.iter_mut().zip(&scales).for_each(|(v, s)| *v *= s);
        }
        return Ok(weight);
    }
    Ok(checkpoint.tensor_f32(&format!("{name}.weight"), shape)?)
}
