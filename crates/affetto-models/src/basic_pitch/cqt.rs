//! The network's ear: a constant-Q transform (3 bins a semitone, octave by octave on halved sample rates), as decibels
//! scaled to 0–1 within the window.

use affetto_engine::{Checkpoint, Linear, PackedMatrix, Precision};

use super::conv::Plane;
use super::{FRAMES, HOP, WINDOW};
use crate::{ModelError, parallel};

/// Bins of the transform, from 27.5 Hz up.
pub(super) const BINS: usize = 309;
/// Bins of an octave.
const OCTAVE: usize = 36;
const OCTAVES: usize = 9;
/// Length of the kernels and of the low-pass filter, in samples.
const LENGTH: usize = 256;
/// Samples of the halved signal that one product gives.
const BLOCK: usize = 32;
/// Zeros the halved signal is filtered with on each side.
const AROUND: usize = 127;

/// The transform.
pub(super) struct Cqt {
    /// Cosine kernels of the top octave, then its sine kernels: `[72, 256]`.
    kernels: Linear,
    lowpass: Linear,
    /// √ of each bin's length.
    scale: Vec<f32>,
    /// What the scaled decibels are multiplied by, and what is added then.
    affine: (f32, f32),
}

impl Cqt {
    pub fn load(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let mut kernels = checkpoint.tensor_f32("cqt.cosine", &[OCTAVE, LENGTH])?;
        kernels.extend(checkpoint.tensor_f32("cqt.sine", &[OCTAVE, LENGTH])?);
        let kernels = PackedMatrix::pack(&kernels, 2 * OCTAVE, LENGTH, Precision::F32)?;
        let filter = checkpoint.tensor_f32("cqt.lowpass", &[LENGTH])?;
        let span = 2 * (BLOCK - 1) + LENGTH;
        let mut lowpass = vec![0.0; BLOCK * span];
        for p in 0..BLOCK {
            lowpass[p * span + 2 * p..][..LENGTH].copy_from_slice(&filter);
        }
        let lowpass = PackedMatrix::pack(&lowpass, BLOCK, span, Precision::F32)?;
        let one = |name: &str| checkpoint.tensor_f32(name, &[1]).map(|x| x[0]);
        Ok(Cqt {
            kernels: Linear::new(kernels, None)?,
            lowpass: Linear::new(lowpass, None)?,
            scale: checkpoint.tensor_f32("cqt.scale", &[BINS])?,
            affine: (one("norm.scale")?, one("norm.shift")?),
        })
    }

    /// A window of [`WINDOW`] samples as decibels between 0 (the window's softest) and 1 (its loudest), then scaled and
    /// shifted as the network learned to; zeros `around` it. A window without any difference is all 0 before the shift.
    pub fn apply(&self, window: &[f32], around: (usize, usize)) -> Plane {
        debug_assert_eq!(window.len(), WINDOW);
        let mut octaves = vec![window.to_vec()];
        for _ in 1..OCTAVES {
            octaves.push(self.halved(&octaves[octaves.len() - 1]));
        }
        let powers = parallel::map(OCTAVES, |i| self.octave(&octaves[i], HOP >> i));

        let mut plane = Plane::new(BINS, 1, around);
        let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
        // The lowest octave comes first; its first bins lie below what the network hears.
        let unheard = OCTAVES * OCTAVE - BINS;
        for (t, frame) in plane.frames_mut().enumerate() {
            for (bin, (x, scale)) in frame.iter_mut().zip(&self.scale).enumerate() {
                let (octave, k) = ((bin + unheard) / OCTAVE, (bin + unheard) % OCTAVE);
                let (cosine, sine) = powers[OCTAVES - 1 - octave][t * OCTAVE + k];
                let (cosine, sine) = (cosine * scale, sine * scale);
                *x = 10.0 * (cosine * cosine + sine * sine + 1e-10).log10();
                least = least.min(*x);
                most = most.max(*x);
            }
        }
        let (span, (scale, shift)) = (most - least, self.affine);
        for x in plane.frames_mut().flatten() {
            let level = if span > 0.0 { (*x - least) / span } else { 0.0 };
            *x = level * scale + shift;
        }
        plane
    }

    /// The signal at half its sample rate.
    fn halved(&self, signal: &[f32]) -> Vec<f32> {
        let count = (signal.len() + 2 * AROUND - LENGTH) / 2 + 1;
        let (blocks, span) = (count.div_ceil(BLOCK), self.lowpass.inputs());
        let mut padded = vec![0.0; (2 * BLOCK * blocks + span).max(AROUND + signal.len())];
        padded[AROUND..][..signal.len()].copy_from_slice(signal);
        let mut patches = Vec::with_capacity(blocks * span);
        for b in 0..blocks {
            patches.extend_from_slice(&padded[2 * BLOCK * b..][..span]);
        }
        let mut half = self.lowpass.forward(&patches, blocks);
        half.truncate(count);
        half
    }

    /// Cosine and sine parts of one octave of a signal, `[172, 36]`; the signal is mirrored at its ends.
    fn octave(&self, signal: &[f32], hop: usize) -> Vec<(f32, f32)> {
        let (n, side) = (signal.len(), LENGTH / 2);
        let before = (1..=side).rev().map(|i| signal[i]);
        let after = (2..2 + side).map(|i| signal[n - i]);
        let padded: Vec<f32> = before.chain(signal.iter().copied()).chain(after).collect();
        let mut patches = Vec::with_capacity(FRAMES * LENGTH);
        for t in 0..FRAMES {
            patches.extend_from_slice(&padded[t * hop..][..LENGTH]);
        }
        let parts = self.kernels.forward(&patches, FRAMES);
        let rows = parts.chunks_exact(2 * OCTAVE);
        rows.flat_map(|row| (0..OCTAVE).map(|k| (row[k], row[OCTAVE + k]))).collect()
    }
}
