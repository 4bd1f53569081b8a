//! NEON, which every aarch64 has: a panel is four registers of 4 columns. Products of bytes are widened, not dotted: the
//! dot product instructions are an extension, and their intrinsics are not stable.

use std::arch::aarch64::*;
use std::ops::Range;

use super::{Bf16Line, F32Line, Int4Line, Int8Line, Out, PANEL, Panels, Rows, Scales};
use crate::matmul::int4::{BLOCK, BLOCK_LINES, Inputs};

/// Registers of a panel.
const QUARTERS: usize = PANEL / 4;

/// Calls `$block::<R>` over all rows and panels. A block of four rows holds 16 of the 32 registers as sums.
macro_rules! tile {
    ($rows:expr, $panels:expr, $most:literal, $block:ident, $($arg:expr),*) => {
        for p in $panels {
            let mut r = 0;
            while r < $rows {
                let left = $rows - r;
                if $most >= 4 && left >= 4 {
                    $block::<4>(r, p, $($arg),*);
                    r += 4;
                } else if left >= 2 {
                    $block::<2>(r, p, $($arg),*);
                    r += 2;
                } else {
                    $block::<1>(r, p, $($arg),*);
                    r += 1;
                }
            }
        }
    };
}

/// Writes one row's 16 columns of panel `p`, adding the bias.
///
/// # Safety
/// Row `r` and panel `p` lie inside `out`; the bias covers `out.cols`.
#[target_feature(enable = "neon")]
unsafe fn store(r: usize, p: usize, acc: [float32x4_t; QUARTERS], out: &Out) {
    let mut all = [0.0f32; PANEL];
    // SAFETY: four numbers at a time into sixteen; `super::scalar::store` has the caller's promise.
    unsafe {
        for (quarter, acc) in all.chunks_exact_mut(4).zip(acc) {
            vst1q_f32(quarter.as_mut_ptr(), acc);
        }
        super::scalar::store(out, r, p, all);
    }
}

/// # Safety
/// Rows `r..r + R` and panel `p` lie inside `x`, `w` and `out`; `lines == len`.
#[target_feature(enable = "neon")]
unsafe fn block_f32<const R: usize>(r: usize, p: usize, x: &Rows<f32>, w: &Panels<F32Line>, out: &Out) {
    // SAFETY: by the caller's promise.
    unsafe {
        let mut acc = [[vdupq_n_f32(0.0); QUARTERS]; R];
        let rows: [*const f32; R] = std::array::from_fn(|i| x.data.as_ptr().add((r + i) * x.stride));
        let panel = w.data.as_ptr().add(p * w.stride);
        for i in 0..w.lines {
            let line: *const f32 = panel.add(i).cast();
            for q in 0..QUARTERS {
                let weights = vld1q_f32(line.add(4 * q));
                for (acc, row) in acc.iter_mut().zip(&rows) {
                    acc[q] = vfmaq_n_f32(acc[q], weights, *row.add(i));
                }
            }
        }
        for (i, acc) in acc.into_iter().enumerate() {
            store(r + i, p, acc, out);
        }
    }
}

/// # Safety
/// The arguments have passed `super::check`.
#[target_feature(enable = "neon")]
pub(super) unsafe fn mul_f32(x: Rows<f32>, w: Panels<F32Line>, panels: Range<usize>, out: Out) {
    // SAFETY: `tile!` stays inside the rows and panels.
    unsafe { tile!(x.count, panels, 4, block_f32, &x, &w, &out) }
}

/// # Safety
/// As [`block_f32`], with `lines == len / 2` rounded up.
#[target_feature(enable = "neon")]
unsafe fn block_bf16<const R: usize>(r: usize, p: usize, x: &Rows<f32>, w: &Panels<Bf16Line>, out: &Out) {
    // SAFETY: by the caller's promise; the odd half of the last line of an odd row is not used.
    unsafe {
        let high = vdupq_n_u32(0xffff_0000);
        let mut acc = [[vdupq_n_f32(0.0); QUARTERS]; R];
        let rows: [*const f32; R] = std::array::from_fn(|i| x.data.as_ptr().add((r + i) * x.stride));
        let panel = w.data.as_ptr().add(p * w.stride);
        for i in 0..w.lines {
            let pair = 2 * i + 1 < x.len;
            let line: *const u32 = panel.add(i).cast();
            for q in 0..QUARTERS {
                let both = vld1q_u32(line.add(4 * q));
                let even = vreinterpretq_f32_u32(vshlq_n_u32::<16>(both));
                let odd = vreinterpretq_f32_u32(vandq_u32(both, high));
                for (acc, row) in acc.iter_mut().zip(&rows) {
                    acc[q] = vfmaq_n_f32(acc[q], even, *row.add(2 * i));
                    if pair {
                        acc[q] = vfmaq_n_f32(acc[q], odd, *row.add(2 * i + 1));
                    }
                }
            }
        }
        for (i, acc) in acc.into_iter().enumerate() {
            store(r + i, p, acc, out);
        }
    }
}

/// # Safety
/// The arguments have passed `super::check`.
#[target_feature(enable = "neon")]
pub(super) unsafe fn mul_bf16(x: Rows<f32>, w: Panels<Bf16Line>, panels: Range<usize>, out: Out) {
    // SAFETY: `tile!` stays inside the rows and panels.
    unsafe { tile!(x.count, panels, 4, block_bf16, &x, &w, &out) }
}

/// # Safety
/// As [`block_f32`], with `lines * 4 == len`.
#[target_feature(enable = "neon")]
unsafe fn block_int8<const R: usize>(
    r: usize,
    p: usize,
    x: &Rows<i16>,
    w: &Panels<Int8Line>,
    scales: Scales,
    out: &Out,
) {
    // SAFETY: by the caller's promise; a half line is 32 bytes, 16 columns × 2 inputs, taken apart by the load.
    unsafe {
        let mut acc = [[vdupq_n_s32(0); QUARTERS]; R];
        let rows: [*const i16; R] = std::array::from_fn(|i| x.data.as_ptr().add((r + i) * x.stride));
        let panel: *const i8 = w.data.as_ptr().add(p * w.stride).cast();
        for i in 0..2 * w.lines {
            let pair = vld2q_s8(panel.add(2 * PANEL * i));
            for (input, weights) in [pair.0, pair.1].into_iter().enumerate() {
                let low = vmovl_s8(vget_low_s8(weights));
                let up = vmovl_high_s8(weights);
                for (acc, row) in acc.iter_mut().zip(&rows) {
                    let x = *row.add(2 * i + input);
                    acc[0] = vmlal_n_s16(acc[0], vget_low_s16(low), x);
                    acc[1] = vmlal_high_n_s16(acc[1], low, x);
                    acc[2] = vmlal_n_s16(acc[2], vget_low_s16(up), x);
                    acc[3] = vmlal_high_n_s16(acc[3], up, x);
                }
            }
        }
        let first = p * PANEL;
        let mut column = [0.0f32; PANEL];
        let count = PANEL.min(out.cols - first);
        column[..count].copy_from_slice(&scales.columns[first..first + count]);
        for (i, acc) in acc.into_iter().enumerate() {
            let value = |q: usize| {
                let both = vmulq_n_f32(vld1q_f32(column.as_ptr().add(4 * q)), scales.rows[r + i]);
                vmulq_f32(vcvtq_f32_s32(acc[q]), both)
            };
            store(r + i, p, [value(0), value(1), value(2), value(3)], out);
        }
    }
}

/// # Safety
/// The arguments have passed `super::check`.
#[target_feature(enable = "neon")]
pub(super) unsafe fn mul_int8(x: Rows<i16>, w: Panels<Int8Line>, scales: Scales, panels: Range<usize>, out: Out) {
    // SAFETY: `tile!` stays inside the rows and panels.
    unsafe { tile!(x.count, panels, 4, block_int8, &x, &w, scales, &out) }
}

/// # Safety
/// As [`block_f32`]; a row has `lines / BLOCK_LINES` blocks of inputs and twice as many groups.
#[target_feature(enable = "neon")]
unsafe fn block_int4<const R: usize>(r: usize, p: usize, x: &Inputs, w: &Panels<Int4Line>, out: &Out) {
    let groups = w.lines / BLOCK_LINES * 2;
    // SAFETY: by the caller's promise.
    unsafe {
        let low = vdupq_n_u8(15);
        let mut acc = [[vdupq_n_f32(0.0); QUARTERS]; R];
        let rows: [*const i8; R] = std::array::from_fn(|i| x.values.as_ptr().add((r + i) * groups / 2 * BLOCK));
        let panel = w.data.as_ptr().add(p * w.stride);
        for g in 0..groups {
            let block = panel.add(g / 2 * BLOCK_LINES);
            // A column's products in 16 bits, four of them side by side: at most 8·15·127 each.
            let mut sums = [[[vdupq_n_s16(0); 2]; QUARTERS]; R];
            for l in 0..4 {
                let line: *const u8 = block.add(1 + g % 2 * 4 + l).cast();
                let x: [_; R] = std::array::from_fn(|i| {
                    let at: *const i32 = rows[i].add(32 * g + 8 * l).cast();
                    [at, at.add(1)].map(|at| vreinterpretq_s8_s32(vdupq_n_s32(at.read_unaligned())))
                });
                for q in 0..QUARTERS {
                    let both = vld1q_u8(line.add(16 * q));
                    let even = vreinterpretq_s8_u8(vandq_u8(both, low));
                    let odd = vreinterpretq_s8_u8(vshrq_n_u8::<4>(both));
                    for (sums, x) in sums.iter_mut().zip(&x) {
                        let [first, last] = &mut sums[q];
                        *first = vmlal_s8(*first, vget_low_s8(even), vget_low_s8(x[0]));
                        *first = vmlal_s8(*first, vget_low_s8(odd), vget_low_s8(x[1]));
                        *last = vmlal_high_s8(*last, even, x[0]);
                        *last = vmlal_high_s8(*last, odd, x[1]);
                    }
                }
            }
            let scales: *const u16 = block.cast::<u16>().add(g % 2 * PANEL);
            for q in 0..QUARTERS {
                let scale = vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(scales.add(4 * q))));
                for i in 0..R {
                    let at = (r + i) * groups + g;
                    let sum = vpaddq_s32(vpaddlq_s16(sums[i][q][0]), vpaddlq_s16(sums[i][q][1]));
                    let value = vcvtq_f32_s32(vaddq_s32(vdupq_n_s32(x.starts[at]), sum));
                    acc[i][q] = vfmaq_f32(acc[i][q], value, vmulq_n_f32(scale, x.scales[at]));
                }
            }
        }
        for (i, acc) in acc.into_iter().enumerate() {
            store(r + i, p, acc, out);
        }
    }
}

/// # Safety
/// The sizes have passed `super::int4::mul_int4`.
#[target_feature(enable = "neon")]
pub(super) unsafe fn mul_int4(x: &Inputs, w: Panels<Int4Line>, panels: Range<usize>, out: Out) {
    // SAFETY: `tile!` stays inside the rows and panels.
    unsafe { tile!(out.rows, panels, 2, block_int4, x, &w, &out) }
}
