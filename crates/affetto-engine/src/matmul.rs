//! Multiplication by packed weights: y = x·Wᵀ + b.
//!
//! Each output number is summed along the inputs in one fixed order by one accumulator, so a row's result has the same
//! bits whatever the other rows, the number of rows, or the number of threads. Different instruction sets may differ
//! in the last bits for f32 and bf16 weights; int8 and int4 weights agree everywhere.

pub(crate) mod int4;
mod lines;
mod load;
mod store;

use std::ops::Range;

use crate::error::{EngineError, expect_size};

use crate::kernels::{self, Bf16Line, F32Line, Int4Line, Int8Line, Isa, Out, PANEL, Panels, Rows, Scales, elementwise};
use crate::threads;

pub use store::{to_bf16, to_int4, to_int8, to_int8_panels};

use lines::Lines;

/// How weights are held in memory. Inputs and results are f32 always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bfloat16: half the memory, relative error up to 2⁻⁸ a weight.
    Bf16,
    /// 8 bits with one scale for each output, inputs quantised to 12–16 bits at each call: a quarter of the memory.
    Int8,
    /// 4 bits with a scale for each 32 weights, inputs quantised to 8 bits by groups of 32 at each call: 4.5 bits a
    /// weight.
    Int4,
}

/// The widest input an int8 matrix may have: beyond, 32-bit sums would leave the inputs under 9 bits.
pub const MAX_INT8_INPUTS: usize = 65_536;

/// Multiplications (rows × in × out) below which one thread does all.
const THREAD_WORK: usize = 1 << 20;
/// Panels that the kernels walk together.
const TILE: usize = 4;

#[derive(Clone)]
enum Packed {
    F32(Vec<F32Line>),
    Bf16(Vec<Bf16Line>),
    Int8 { lines: Lines<Int8Line>, scale: Vec<f32> },
    Int4(Lines<Int4Line>),
}

/// A weight matrix `[out, in]` laid out for the kernels.
#[derive(Clone)]
pub struct PackedMatrix {
    outputs: usize,
    inputs: usize,
    /// Lines of one panel.
    lines: usize,
    packed: Packed,
}

impl PackedMatrix {
    /// Packs a row-major matrix `w` of shape `[outputs, inputs]`.
    ///
    /// # Errors
    /// When `w` has another length or is empty, or int8 is asked for more than [`MAX_INT8_INPUTS`] inputs.
    pub fn pack(w: &[f32], outputs: usize, inputs: usize, precision: Precision) -> Result<Self, EngineError> {
        let count = outputs.saturating_mul(inputs);
        expect_size("numbers in a weight matrix", count, w.len())?;
        if count == 0 {
            return Err(EngineError::Invalid {
                what: "weight matrix",
                reason: format!("{outputs} × {inputs} is empty"),
            });
        }
        let row = |o: usize| &w[o * inputs..(o + 1) * inputs];
        let panels = outputs.div_ceil(PANEL);
        let packed = match precision {
            Precision::F32 => {
                let mut lines = vec![F32Line::default(); panels * inputs];
                // By blocks of 16 × 16, which stay in the nearest cache while they are turned.
                for (panel, lines) in lines.chunks_exact_mut(inputs).enumerate() {
                    for (block, lines) in lines.chunks_mut(PANEL).enumerate() {
                        for column in 0..PANEL.min(outputs - panel * PANEL) {
                            let part = &row(panel * PANEL + column)[block * PANEL..];
                            for (line, &v) in lines.iter_mut().zip(part) {
                                line.0[column] = v;
                            }
                        }
                    }
                }
                Packed::F32(lines)
            }
            Precision::Bf16 => {
                let pairs = inputs.div_ceil(2);
                let mut lines = vec![Bf16Line::default(); panels * pairs];
                for o in 0..outputs {
                    for (i, &v) in row(o).iter().enumerate() {
                        let bits = u32::from(half::bf16::from_f32(v).to_bits());
                        lines[(o / PANEL) * pairs + i / 2].0[o % PANEL] |= bits << (16 * (i % 2));
                    }
                }
                Packed::Bf16(lines)
            }
            Precision::Int8 => {
                let (rows, scale) = to_int8(w, inputs);
                return Self::pack_int8(outputs, inputs, scale, &rows);
            }
            Precision::Int4 => Packed::Int4(int4::pack(w, outputs, inputs).into()),
        };
        let lines = match precision {
            Precision::F32 => inputs,
            Precision::Int4 => int4::lines(inputs),
            _ => inputs.div_ceil(2),
        };
        Ok(PackedMatrix { outputs, inputs, lines, packed })
    }

    /// Outputs, the rows of the matrix.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Inputs, the columns of the matrix.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How the weights are held.
    pub fn precision(&self) -> Precision {
        match self.packed {
            Packed::F32(_) => Precision::F32,
            Packed::Bf16(_) => Precision::Bf16,
            Packed::Int8 { .. } => Precision::Int8,
            Packed::Int4(_) => Precision::Int4,
        }
    }

    /// Bytes the weights take in memory.
    pub fn bytes(&self) -> usize {
        let lines = match &self.packed {
            Packed::F32(lines) => lines.len(),
            Packed::Bf16(lines) => lines.len(),
            Packed::Int8 { lines, .. } => lines.as_slice().len(),
            Packed::Int4(lines) => lines.as_slice().len(),
        };
        lines * 64
    }
}

/// `out[r] = W·x[r] + bias` for every row: `x` is `[rows, inputs]`, `out` is `[rows, outputs]`, both row-major.
///
/// # Panics
/// When `x`, `bias` or `out` do not have those sizes; they come from the caller's own layers, not from outside.
pub fn linear(x: &[f32], rows: usize, w: &PackedMatrix, bias: Option<&[f32]>, out: &mut [f32]) {
    linear_with(Isa::best(), x, rows, w, bias, out);
}

/// [`linear`] with the kernels of one instruction set, for conformance tests and comparisons.
///
/// # Panics
/// As [`linear`], or when the machine does not have `isa`.
pub fn linear_with(isa: Isa, x: &[f32], rows: usize, w: &PackedMatrix, bias: Option<&[f32]>, out: &mut [f32]) {
    assert!(isa == Isa::best() || Isa::available().contains(&isa));
    assert_eq!(x.len(), rows * w.inputs, "inputs of a linear layer");
    assert_eq!(out.len(), rows * w.outputs, "outputs of a linear layer");
    let panels = w.outputs.div_ceil(PANEL);
    let out = Out::new(out, rows, w.outputs, w.outputs).with_bias(bias);
    match &w.packed {
        Packed::F32(lines) => {
            let x = Rows::new(x, rows, w.inputs, w.inputs);
            let lines = Panels::new(lines, w.lines, w.lines);
            split(rows, w, panels, &|part| {
                kernels::mul_f32(isa, x, lines, part, out);
            });
        }
        Packed::Bf16(lines) => {
            let x = Rows::new(x, rows, w.inputs, w.inputs);
            let lines = Panels::new(lines, w.lines, w.lines);
            split(rows, w, panels, &|part| {
                kernels::mul_bf16(isa, x, lines, part, out);
            });
        }
        Packed::Int8 { lines, scale } => {
            let padded = 4 * w.lines;
            let top = (i32::MAX as usize / (127 * padded.max(1))).min(32_767) as f32;
            let mut quantised = vec![0i16; rows * padded];
            let x_scale: Vec<f32> = x
                .chunks_exact(w.inputs.max(1))
                .zip(quantised.chunks_exact_mut(padded.max(1)))
                .map(|(x, q)| elementwise::quantise(isa, x, top, q))
                .collect();
            let scales = Scales { rows: &x_scale, columns: scale };
            let x = Rows::new(&quantised, rows, padded, padded);
            let lines = Panels::new(lines.as_slice(), w.lines, w.lines);
            split(rows, w, panels, &|part| {
                kernels::mul_int8(isa, x, lines, scales, part, out);
            });
        }
        Packed::Int4(lines) => {
            let x = int4::Inputs::quantise(isa, x, w.inputs);
            let lines = Panels::new(lines.as_slice(), w.lines, w.lines);
            split(rows, w, panels, &|part| {
                kernels::int4::mul_int4(isa, &x, lines, part, out);
            });
        }
    }
}

/// Gives the panels to the threads, in groups of whole tiles; small products stay on one.
fn split(rows: usize, w: &PackedMatrix, panels: usize, job: &(dyn Fn(Range<usize>) + Sync)) {
    let threads = threads::limit();
    if threads == 1 || rows * w.inputs * w.outputs < THREAD_WORK {
        job(0..panels);
        return;
    }
    // Large parts first and small ones last: few beginnings, and little to wait for at the end.
    let mut ends = Vec::with_capacity(32);
    let mut end = 0;
    while end < panels {
        let tiles = (panels - end).div_ceil(TILE);
        end = (end + tiles.div_ceil(2 * threads) * TILE).min(panels);
        ends.push(end);
    }
    threads::for_each_part(ends.len(), &|i| {
        job(if i == 0 { 0 } else { ends[i - 1] }..ends[i]);
    });
}
