//! The first convolution towards the contours, by far the greatest: 8 filters of 3 frames × 39 bins over 8 shifted
//! copies of the transform ("harmonic stacking": the same bin's harmonics side by side).
//!
//! The copies are never made here. Where filter and shift lead to the same bin the weights are added once, when the
//! network is loaded: 176 bins a frame instead of 8 × 39. Near the edges a filter reaches beyond the stacked picture,
//! where it must hear zeros though the transform goes on; those places have matrices of their own.

use affetto_engine::{Checkpoint, Linear, PackedMatrix, Precision};

use super::conv::{Activation, Plane};
use super::cqt::BINS;
use super::{CONTOUR_BINS, SHIFTS};
use crate::ModelError;

/// Filters.
pub(super) const FILTERS: usize = 8;
/// Zeros that the transform needs around it: frames, bins.
pub(super) const AROUND: (usize, usize) = (2, 54);

const FRAMES_HIGH: usize = 3;
const BINS_WIDE: usize = 39;
const REACH: usize = BINS_WIDE / 2;
/// Places that one product of the middle gives, and how many such products there are in a frame.
const BLOCK: usize = 8;
const BLOCKS: usize = 28;
/// First place behind the middle.
const HIGH: usize = REACH + BLOCK * BLOCKS;
/// Bins of the transform that the low edge, one block of the middle, and the high edge look at: first, count. The
/// first bin of the middle is that of its first block.
const LOW_BINS: (isize, usize) = (0, 139);
const MIDDLE_BINS: (isize, usize) = (-36, 183);
const HIGH_BINS: (isize, usize) = (188, 121);

/// The convolution with its ReLU.
pub(super) struct Contour {
    low: Linear,
    middle: Linear,
    high: Linear,
}

impl Contour {
    /// Reads `contour.0.{weight [8, 8, 3, 39], bias [8]}`.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let filters = checkpoint.tensor_f32("contour.0.weight", &[FILTERS, SHIFTS.len(), FRAMES_HIGH, BINS_WIDE])?;
        let bias = checkpoint.tensor_f32("contour.0.bias", &[FILTERS])?;
        let layer = |places, bins| -> Result<Linear, ModelError> { Ok(matrix(&filters, &bias, places, bins)?) };
        Ok(Contour {
            low: layer(0..REACH, LOW_BINS)?,
            middle: layer(REACH..REACH + BLOCK, MIDDLE_BINS)?,
            high: layer(HIGH..CONTOUR_BINS, HIGH_BINS)?,
        })
    }

    /// From the transform, with [`AROUND`] zeros, to `[172, 264, 8]`.
    pub fn apply(&self, transform: &Plane, out: &mut Plane) {
        let low = REACH * FILTERS;
        let high = HIGH * FILTERS;
        out.fill(|first, frames| {
            let n = frames.len();
            let gather = |blocks: usize, (bin, count): (isize, usize)| {
                let start = AROUND.1.saturating_add_signed(bin);
                let mut patches = Vec::with_capacity(n * blocks * FRAMES_HIGH * count);
                for t in first..first + n {
                    for b in 0..blocks {
                        // Row `t` of the plane is frame `t - 2`; the filter begins at frame `t - 1`.
                        for row in t + 1..t + 1 + FRAMES_HIGH {
                            patches.extend_from_slice(&transform.row(row)[start + b * BLOCK..][..count]);
                        }
                    }
                }
                patches
            };
            let parts = [
                (self.low.forward(&gather(1, LOW_BINS), n), 0..low),
                (self.middle.forward(&gather(BLOCKS, MIDDLE_BINS), n * BLOCKS), low..high),
                (self.high.forward(&gather(1, HIGH_BINS), n), high..CONTOUR_BINS * FILTERS),
            ];
            for (answers, range) in parts {
                for (frame, answer) in frames.iter_mut().zip(answers.chunks_exact(range.len())) {
                    frame[range.clone()].copy_from_slice(answer);
                }
            }
            frames.iter_mut().for_each(|frame| Activation::Relu.apply(frame));
        });
    }
}

/// The matrix that gives the outputs of `places` from the bins `first..first + count` of three frames.
fn matrix(
    filters: &[f32],
    bias: &[f32],
    places: std::ops::Range<usize>,
    (first, count): (isize, usize),
) -> Result<Linear, affetto_engine::EngineError> {
    let inputs = FRAMES_HIGH * count;
    let mut matrix = vec![0.0; places.len() * FILTERS * inputs];
    let mut from = filters.iter();
    for o in 0..FILTERS {
        for shift in SHIFTS {
            for t in 0..FRAMES_HIGH {
                for f in 0..BINS_WIDE {
                    let w = from.next().expect("the tensor has this many numbers");
                    for (p, place) in places.clone().enumerate() {
                        let stacked = (place + f) as isize - REACH as isize;
                        if !(0..CONTOUR_BINS as isize).contains(&stacked) {
                            continue;
                        }
                        // Bins outside the transform are zeros.
                        let bin = stacked + shift - first;
                        if (0..count as isize).contains(&bin) {
                            matrix[(p * FILTERS + o) * inputs + t * count + bin as usize] += w;
                        }
                    }
                }
            }
        }
    }
    debug_assert!(first + count as isize <= (BINS + AROUND.1) as isize);
    let packed = PackedMatrix::pack(&matrix, places.len() * FILTERS, inputs, Precision::F32)?;
    Linear::new(packed, Some(bias.repeat(places.len())))
}
