//! Two-dimensional convolutions as matrix products over several neighbouring places at once.
//!
//! A convolution with few outputs would leave most of a panel of the engine's matrices empty. So one product gives the
//! outputs of a whole block of neighbouring places: its matrix holds the filter once for each place, shifted.

use affetto_engine::{Checkpoint, Linear, PackedMatrix, Precision};

use super::FRAMES;
use crate::{ModelError, parallel};

/// Frames whose patches one product takes.
pub(super) const CHUNK: usize = 4;

/// Numbers `[172, places, channels]` framed by zeros, so that filters may reach over the edges.
pub(super) struct Plane {
    places: usize,
    channels: usize,
    /// Zero frames before and after.
    frames_around: usize,
    /// Zero places on both sides of each frame.
    places_around: usize,
    data: Vec<f32>,
}

impl Plane {
    /// All zeros. `around` is how many frames and places of zeros stand on each side.
    pub fn new(places: usize, channels: usize, around: (usize, usize)) -> Self {
        let row = (places + 2 * around.1) * channels;
        let data = vec![0.0; (FRAMES + 2 * around.0) * row];
        Plane { places, channels, frames_around: around.0, places_around: around.1, data }
    }

    fn row_len(&self) -> usize {
        (self.places + 2 * self.places_around) * self.channels
    }

    /// Row `row` with its frame of zeros; frame 0 is row `frames_around`.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.row_len()..][..self.row_len()]
    }

    /// One frame without the zeros around it, `[places, channels]`.
    pub fn frame(&self, frame: usize) -> &[f32] {
        let side = self.places_around * self.channels;
        &self.row(frame + self.frames_around)[side..][..self.places * self.channels]
    }

    /// Every frame without the zeros around it, `[places, channels]` each.
    pub fn frames_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let (side, inner, row) = (self.places_around * self.channels, self.places * self.channels, self.row_len());
        let rows = self.data.chunks_exact_mut(row).skip(self.frames_around).take(FRAMES);
        rows.map(move |row| &mut row[side..][..inner])
    }

    /// `fill(first, frames)` for chunks of [`CHUNK`] frames on the engine's threads: `first` is the number of the
    /// chunk's first frame.
    pub fn fill(&mut self, fill: impl Fn(usize, &mut [&mut [f32]]) + Sync) {
        let mut frames: Vec<&mut [f32]> = self.frames_mut().collect();
        parallel::chunks(&mut frames, CHUNK, |i, frames| fill(i * CHUNK, frames));
    }
}

/// What follows a convolution.
#[derive(Clone, Copy)]
pub(super) enum Activation {
    Relu,
    Sigmoid,
}

impl Activation {
    pub fn apply(self, x: &mut [f32]) {
        match self {
            Activation::Relu => x.iter_mut().for_each(|x| *x = x.max(0.0)),
            Activation::Sigmoid => x.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
        }
    }
}

/// The shape of a convolution.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub channels: usize,
    pub outputs: usize,
    /// Length of a filter in frames and in places.
    pub filter: (usize, usize),
    /// Places from one output to the next.
    pub stride: usize,
    /// Output places that one product gives; the number of output places is a multiple of it.
    pub block: usize,
}

/// A convolution and what follows it.
pub(super) struct Conv {
    shape: Shape,
    weight: Linear,
    activation: Activation,
}

impl Conv {
    /// Reads `<name>.weight` `[outputs, channels, frames, places]` and `<name>.bias` `[outputs]`.
    pub fn load(checkpoint: &Checkpoint, name: &str, shape: Shape, activation: Activation) -> Result<Self, ModelError> {
        let Shape { channels, outputs, filter: (frames, places), stride, block } = shape;
        let filters = checkpoint.tensor_f32(&format!("{name}.weight"), &[outputs, channels, frames, places])?;
        let bias = checkpoint.tensor_f32(&format!("{name}.bias"), &[outputs])?;
        let span = shape.span();
        let mut matrix = vec![0.0; block * outputs * frames * span * channels];
        let mut from = filters.iter();
        for o in 0..outputs {
            for c in 0..channels {
                for t in 0..frames {
                    for f in 0..places {
                        let w = *from.next().expect("the tensor has this many numbers");
                        for p in 0..block {
                            let column = (t * span + p * stride + f) * channels + c;
                            matrix[(p * outputs + o) * frames * span * channels + column] = w;
                        }
                    }
                }
            }
        }
        let packed = PackedMatrix::pack(&matrix, block * outputs, frames * span * channels, Precision::F32)?;
        Ok(Conv { shape, weight: Linear::new(packed, Some(bias.repeat(block)))?, activation })
    }

    /// Convolves `input` into `out`. The zeros around `input` are the convolution's padding.
    pub fn apply(&self, input: &Plane, out: &mut Plane) {
        let Shape { channels, filter: (filter_frames, _), stride, block, .. } = self.shape;
        let blocks = out.places / block;
        let (step, span) = (block * stride * channels, self.shape.span() * channels);
        out.fill(|first, frames| {
            let mut patches = Vec::with_capacity(frames.len() * blocks * self.weight.inputs());
            for t in first..first + frames.len() {
                for b in 0..blocks {
                    for row in t..t + filter_frames {
                        patches.extend_from_slice(&input.row(row)[b * step..][..span]);
                    }
                }
            }
            let mut answers = self.weight.forward(&patches, frames.len() * blocks);
            self.activation.apply(&mut answers);
            for (frame, answer) in frames.iter_mut().zip(answers.chunks_exact(blocks * self.weight.outputs())) {
                frame.copy_from_slice(answer);
            }
        });
    }
}

impl Shape {
    /// Input places under one block of outputs.
    fn span(&self) -> usize {
        (self.block - 1) * self.stride + self.filter.1
    }
}
