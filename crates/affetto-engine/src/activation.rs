//! Elementwise functions.

use crate::kernels::{Isa, elementwise};

/// x ← x·Φ(x), GELU with the error function (absolute error of erf below 5e-7).
pub fn gelu(x: &mut [f32]) {
    elementwise::gelu(Isa::best(), x);
}

/// x ← softmax(x) over the whole slice; where all are -∞ the result is all zeros, not NaN.
pub fn softmax(x: &mut [f32]) {
    elementwise::softmax(Isa::best(), x, 1.0);
}

/// x ← x + y.
///
/// # Panics
/// When the lengths differ.
pub fn add(x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len());
    elementwise::add(Isa::best(), x, y);
}
