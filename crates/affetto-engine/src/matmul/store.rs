//! Weights in the forms a checkpoint stores them in, to the same numbers as packing gives.

use super::int4;
use crate::error::EngineError;
use crate::kernels::{Int4Line, Isa, PANEL, elementwise};

/// Rounds to bfloat16, little-endian.
pub fn to_bf16(w: &[f32]) -> Vec<u8> {
    w.iter().flat_map(|&v| half::bf16::from_f32(v).to_le_bytes()).collect()
}

/// Quantises rows of `inputs` numbers to 8 bits: the values, row-major, and each row's scale.
pub fn to_int8(w: &[f32], inputs: usize) -> (Vec<i8>, Vec<f32>) {
    let mut values = vec![0i8; w.len()];
    let inputs = inputs.max(1);
    let scales = w
        .chunks(inputs)
        .zip(values.chunks_mut(inputs))
        .map(|(row, values)| {
            let scale = row.iter().fold(0.0f32, |a, v| a.max(v.abs())) / 127.0;
            elementwise::quantise8(Isa::best(), row, if scale > 0.0 { 1.0 / scale } else { 0.0 }, values);
            scale
        })
        .collect();
    (values, scales)
}

/// Quantises a matrix `[outputs, inputs]` to 4 bits, as panels of 16 outputs in blocks of 64 inputs, 576 bytes each.
pub fn to_int4(w: &[f32], outputs: usize, inputs: usize) -> Vec<u8> {
    int4::pack(w, outputs, inputs).into_iter().flat_map(|line| line.0).collect()
}

/// Panels of several tensors, one after another; none where one of them has another size.
pub(super) fn panels(parts: &[&[u8]], outputs: usize, inputs: usize) -> Result<Vec<Int4Line>, EngineError> {
    let count = outputs / PANEL * int4::lines(inputs);
    let mut lines = Vec::with_capacity(count);
    for part in parts {
        lines.extend(part.as_chunks::<{ 4 * PANEL }>().0.iter().map(|bytes| Int4Line(*bytes)));
    }
    crate::error::expect_size("lines of int4 weights", count, lines.len())?;
    Ok(lines)
}
