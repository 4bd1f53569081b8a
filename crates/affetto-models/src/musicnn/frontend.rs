//! The musically shaped filters of MusiCNN's front end, each followed by ReLU, batch norm and a maximum over
//! frequency.
//!
//! ReLU and a batch norm with a positive slope keep order, so the maximum is taken first, on the bare
//! convolution; where the slope is negative it is the minimum, which is the maximum with the filter's sign turned.
//! A convolution is a matrix product over patches laid side by side, few enough at a time to stay in the cache.

use affetto_engine::{Checkpoint, Linear, PackedMatrix, Precision};

use super::affine::Affine;
use super::{BANDS, FRAMES};
use crate::ModelError;

/// Frames the timbral filters reach to either side.
pub(super) const REACH: usize = 3;
/// Frames a timbral product takes at once.
const TIMBRAL_FRAMES: usize = 4;

/// One bank of filters with a common shape.
pub(super) struct Bank {
    weight: Linear,
    bias: Vec<f32>,
    sign: Vec<f32>,
    norm: Affine,
    /// Length in frames.
    time: usize,
    /// Height in bands.
    bands: usize,
}

impl Bank {
    /// Reads `frontend.<name>.{conv,bn}`: `channels` filters of `time` frames × `bands` bands.
    pub fn load(
        checkpoint: &Checkpoint,
        name: &str,
        channels: usize,
        time: usize,
        bands: usize,
    ) -> Result<Self, ModelError> {
        let name = format!("frontend.{name}");
        let mut weight = checkpoint.tensor_f32(&format!("{name}.conv.weight"), &[channels, 1, time, bands])?;
        let bias = checkpoint.tensor_f32(&format!("{name}.conv.bias"), &[channels])?;
        let norm = Affine::batch_norm(checkpoint, &format!("{name}.bn"), channels)?;
        let sign: Vec<f32> = norm.scale.iter().map(|&s| if s < 0.0 { -1.0 } else { 1.0 }).collect();
        for (row, s) in weight.chunks_exact_mut(time * bands).zip(&sign) {
            row.iter_mut().for_each(|w| *w *= s);
        }
        let weight = Linear::new(PackedMatrix::pack(&weight, channels, time * bands, Precision::F32)?, None)?;
        Ok(Bank { weight, bias, sign, norm, time, bands })
    }

    /// Number of filters.
    pub fn channels(&self) -> usize {
        self.bias.len()
    }

    /// Makes the answers of a row of greatest (sign-turned) convolutions, in place.
    fn finish(&self, row: &mut [f32]) {
        for (c, x) in row.iter_mut().enumerate() {
            let rectified = (*x * self.sign[c] + self.bias[c]).max(0.0);
            *x = rectified * self.norm.scale[c] + self.norm.shift[c];
        }
    }

    /// Answers of a timbral bank where the filters' first frame is row `start` of `picture [rows, 96]`, for every
    /// start: `[starts, channels]`.
    pub fn timbral(&self, picture: &[f32], starts: &[usize]) -> Vec<f32> {
        let n = self.channels();
        let places = BANDS - self.bands + 1;
        let mut answers = vec![f32::NEG_INFINITY; starts.len() * n];
        let mut patches = Vec::with_capacity(TIMBRAL_FRAMES * places * self.weight.inputs());
        let mut products = vec![0.0; TIMBRAL_FRAMES * places * n];
        for (starts, answers) in starts.chunks(TIMBRAL_FRAMES).zip(answers.chunks_mut(TIMBRAL_FRAMES * n)) {
            patches.clear();
            for &start in starts {
                let rows = &picture[start * BANDS..][..self.time * BANDS];
                for place in 0..places {
                    for row in rows.chunks_exact(BANDS) {
                        patches.extend_from_slice(&row[place..place + self.bands]);
                    }
                }
            }
            let products = &mut products[..starts.len() * places * n];
            self.weight.apply(&patches, starts.len() * places, products);
            for (answer, products) in answers.chunks_exact_mut(n).zip(products.chunks_exact(places * n)) {
                products.chunks_exact(n).for_each(|product| keep_greatest(answer, product));
                self.finish(answer);
            }
        }
        answers
    }

    /// Answers of a temporal bank (1 band high) over one window `[187, 96]`: `[187, channels]`.
    pub fn temporal(&self, window: &[f32]) -> Vec<f32> {
        let n = self.channels();
        let mut answers = vec![f32::NEG_INFINITY; FRAMES * n];
        let mut line = vec![0.0; FRAMES + self.time - 1];
        let mut patches = Vec::with_capacity(FRAMES * self.time);
        let mut products = vec![0.0; FRAMES * n];
        for band in 0..BANDS {
            let inside = &mut line[(self.time - 1) / 2..][..FRAMES];
            for (x, row) in inside.iter_mut().zip(window.chunks_exact(BANDS)) {
                *x = row[band];
            }
            patches.clear();
            line.windows(self.time).for_each(|patch| patches.extend_from_slice(patch));
            self.weight.apply(&patches, FRAMES, &mut products);
            keep_greatest(&mut answers, &products);
        }
        answers.chunks_exact_mut(n).for_each(|row| self.finish(row));
        answers
    }
}

fn keep_greatest(best: &mut [f32], x: &[f32]) {
    for (b, &x) in best.iter_mut().zip(x) {
        *b = if x > *b { x } else { *b };
    }
}
