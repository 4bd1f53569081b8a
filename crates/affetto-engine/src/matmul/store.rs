//! Weights in the forms a checkpoint stores them in, to the same numbers as packing gives.

use super::int4;
use crate::kernels::{Int8Line, Isa, PANEL, elementwise};

/// Rounds to bfloat16, little-endian.
pub fn to_bf16(w: &[f32]) -> Vec<u8> {
    w.iter().flat_map(|&v| half::bf16::from_f32(v).to_le_bytes()).collect()
}

/// Quantises rows of `inputs` numbers to 8 bits: the values, row-major, and each row's scale. A row with something that
/// is not a finite number has a scale that is none, so that the fault shows in what it makes.
pub fn to_int8(w: &[f32], inputs: usize) -> (Vec<i8>, Vec<f32>) {
    let mut values = vec![0i8; w.len()];
    let inputs = inputs.max(1);
    let scales = w
        .chunks(inputs)
        .zip(values.chunks_mut(inputs))
        .map(|(row, values)| {
            if !row.iter().all(|v| v.is_finite()) {
                return f32::NAN;
            }
            let scale = elementwise::largest(Isa::best(), row) / 127.0;
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

/// Values `[outputs, inputs]` as [`to_int8`] gives them, laid out in panels of 16 outputs, 64 bytes for each 4 inputs.
/// `outputs` must be whole panels and `inputs` a multiple of 4 where the panels shall be stored.
pub fn to_int8_panels(values: &[i8], outputs: usize, inputs: usize) -> Vec<u8> {
    bytemuck::cast_slice(&int8_lines(values, outputs, inputs)).to_vec()
}

/// The panels of values `[outputs, inputs]`, zeros where there are no more outputs or inputs.
pub(super) fn int8_lines(values: &[i8], outputs: usize, inputs: usize) -> Vec<Int8Line> {
    let fours = inputs.div_ceil(4);
    let mut lines = vec![Int8Line::default(); outputs.div_ceil(PANEL) * fours];
    for (panel, rows) in lines.chunks_exact_mut(fours).zip(values.chunks(PANEL * inputs)) {
        for (i, line) in panel.iter_mut().enumerate() {
            let (first, second) = line.0.split_at_mut(2 * PANEL);
            for (column, row) in rows.chunks_exact(inputs).enumerate() {
                let mut four = [0i8; 4];
                let part = &row[4 * i..inputs.min(4 * i + 4)];
                match part.first_chunk::<4>() {
                    Some(whole) => four = *whole,
                    None => four[..part.len()].copy_from_slice(part),
                }
                first[2 * column..2 * column + 2].copy_from_slice(&four[..2]);
                second[2 * column..2 * column + 2].copy_from_slice(&four[2..]);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_are_not_numbers_stay_so() {
        let (values, scales) = to_int8(&[1.0, -2.0, f32::NAN, 3.0, f32::INFINITY, 0.0], 2);
        assert_eq!((values[1], scales[0]), (-127, 2.0 / 127.0));
        assert!(scales[1].is_nan() && scales[2].is_nan());
        let mut w = vec![0.5f32; 16 * 64];
        w[3 * 64 + 40] = f32::NAN;
        let bytes = to_int4(&w, 16, 64);
        let scale = |group: usize, column: usize| {
            let at = 2 * (16 * group + column);
            half::bf16::from_le_bytes([bytes[at], bytes[at + 1]])
        };
        assert!(scale(1, 3).is_nan() && scale(0, 3).is_finite() && scale(1, 4).is_finite());
    }
}
