//! Four-bit weights and the inputs they are multiplied with.
//!
//! Each 32 inputs of an output are a group with a bfloat16 scale s: w ≈ s·(c - 8), c in 0..=15, 4.5 bits a weight. Inputs
//! are quantised to 8 bits with a scale a group and row. Sums within a group are exact whole numbers; the groups are
//! added in order by fused multiply-adds, so that all instruction sets give the same bits.
//!
//! A panel holds for every 64 inputs a block of nine lines: the scales of two groups (16 columns each), then four lines a
//! group. Byte 4·column + t of a group's line l holds input 8·l + t in its low and 8·l + 4 + t in its high half.

use crate::kernels::{Int4Line, Isa, PANEL, elementwise};

/// Inputs that share a scale.
pub(crate) const GROUP: usize = 32;
/// Inputs in a block: two groups.
pub(crate) const BLOCK: usize = 2 * GROUP;
/// Lines of a block.
pub(crate) const BLOCK_LINES: usize = 9;

/// Lines of one panel over `inputs` inputs.
pub(crate) fn lines(inputs: usize) -> usize {
    inputs.div_ceil(BLOCK) * BLOCK_LINES
}

/// Quantises the row-major matrix `w` `[outputs, inputs]` into panels.
pub(crate) fn pack(w: &[f32], outputs: usize, inputs: usize) -> Vec<Int4Line> {
    let isa = Isa::best();
    let per_panel = lines(inputs);
    // A code of 8 is a weight of 0.
    let mut all = vec![Int4Line([0x88; 4 * PANEL]); outputs.div_ceil(PANEL) * per_panel];
    for block in all.chunks_exact_mut(BLOCK_LINES) {
        block[0] = Int4Line([0; 4 * PANEL]);
    }
    let mut group = [0.0f32; GROUP];
    let mut codes = [0u8; GROUP];
    for o in 0..outputs {
        let column = o % PANEL;
        let panel = &mut all[o / PANEL * per_panel..][..per_panel];
        for (g, part) in w[o * inputs..(o + 1) * inputs].chunks(GROUP).enumerate() {
            group[..part.len()].copy_from_slice(part);
            group[part.len()..].fill(0.0);
            let mut scale = elementwise::quantise4(isa, &group, &mut codes);
            if !group.iter().all(|v| v.is_finite()) {
                scale = half::bf16::NAN.to_bits();
            }
            let block = &mut panel[g / 2 * BLOCK_LINES..][..BLOCK_LINES];
            let at = 2 * (g % 2 * PANEL + column);
            block[0].0[at..at + 2].copy_from_slice(&scale.to_le_bytes());
            for (l, eight) in codes.chunks_exact(8).enumerate() {
                let line = &mut block[1 + g % 2 * 4 + l].0[4 * column..][..4];
                for (t, byte) in line.iter_mut().enumerate() {
                    *byte = eight[t] | eight[4 + t] << 4;
                }
            }
        }
    }
    all
}

/// Input rows quantised by groups.
pub(crate) struct Inputs {
    /// `[rows, inputs rounded up to a block]`.
    pub values: Vec<i8>,
    /// `[rows, groups]`.
    pub scales: Vec<f32>,
    /// -8·Σ of a group's values: what codes counted from 0 have too much.
    pub starts: Vec<i32>,
}

impl Inputs {
    pub(crate) fn quantise(isa: Isa, x: &[f32], inputs: usize) -> Self {
        let rows = x.len() / inputs;
        let padded = inputs.next_multiple_of(BLOCK);
        let groups = padded / GROUP;
        let mut all =
            Inputs { values: vec![0; rows * padded], scales: vec![0.0; rows * groups], starts: vec![0; rows * groups] };
        for (r, x) in x.chunks_exact(inputs).enumerate() {
            let values = &mut all.values[r * padded..(r + 1) * padded];
            let scales = &mut all.scales[r * groups..(r + 1) * groups];
            let starts = &mut all.starts[r * groups..(r + 1) * groups];
            elementwise::quantise_groups(isa, x, values, scales, starts);
        }
        all
    }
}
