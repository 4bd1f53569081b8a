//! The oracle: plain loops over panels. The compiler vectorises them for the target's base instructions (NEON, SSE2).

use std::ops::Range;

use super::{Bf16Line, F32Line, Int8Line, Out, PANEL, Panels, Rows, Scales};

/// Writes one row's 16 columns of one panel, adding the bias.
///
/// # Safety
/// `r` is below `out.rows` and `panel` below `out.cols` / 16, rounded up; the bias covers `out.cols`.
pub(super) unsafe fn store(out: &Out, r: usize, panel: usize, acc: [f32; PANEL]) {
    let first = panel * PANEL;
    let count = PANEL.min(out.cols - first);
    for (j, value) in acc.into_iter().take(count).enumerate() {
        let value = value + out.bias.map_or(0.0, |b| b[first + j]);
        // SAFETY: row `r` and column `first + j` are inside the output, by the caller's promise.
        unsafe { *out.ptr.add(r * out.stride + first + j) = value };
    }
}

/// # Safety
/// The arguments have passed `super::check`.
pub(super) unsafe fn mul_f32(x: Rows<f32>, w: Panels<F32Line>, panels: Range<usize>, out: Out) {
    for panel in panels {
        let lines = &w.data[panel * w.stride..][..w.lines];
        for r in 0..x.count {
            let row = &x.data[r * x.stride..][..x.len];
            let mut acc = [0.0f32; PANEL];
            for (&xi, line) in row.iter().zip(lines) {
                for (a, &wi) in acc.iter_mut().zip(&line.0) {
                    *a += xi * wi;
                }
            }
            // SAFETY: `r` and `panel` were checked.
            unsafe { store(&out, r, panel, acc) };
        }
    }
}

/// # Safety
/// The arguments have passed `super::check`.
pub(super) unsafe fn mul_bf16(x: Rows<f32>, w: Panels<Bf16Line>, panels: Range<usize>, out: Out) {
    for panel in panels {
        let lines = &w.data[panel * w.stride..][..w.lines];
        for r in 0..x.count {
            let row = &x.data[r * x.stride..][..x.len];
            let mut acc = [0.0f32; PANEL];
            for (pair, line) in row.chunks(2).zip(lines) {
                for (a, &both) in acc.iter_mut().zip(&line.0) {
                    *a += pair[0] * f32::from_bits(both << 16);
                }
                if let Some(&odd) = pair.get(1) {
                    for (a, &both) in acc.iter_mut().zip(&line.0) {
                        *a += odd * f32::from_bits(both & 0xffff_0000);
                    }
                }
            }
            // SAFETY: `r` and `panel` were checked.
            unsafe { store(&out, r, panel, acc) };
        }
    }
}

/// # Safety
/// The arguments have passed `super::check`.
pub(super) unsafe fn mul_int8(x: Rows<i16>, w: Panels<Int8Line>, scales: Scales, panels: Range<usize>, out: Out) {
    for panel in panels {
        let lines = &w.data[panel * w.stride..][..w.lines];
        for (r, &row_scale) in scales.rows.iter().enumerate().take(x.count) {
            let row = &x.data[r * x.stride..][..x.len];
            let mut acc = [0i32; PANEL];
            for (four, line) in row.chunks_exact(4).zip(lines) {
                let (first, second) = line.0.split_at(2 * PANEL);
                for (j, a) in acc.iter_mut().enumerate() {
                    *a += i32::from(four[0]) * i32::from(first[2 * j])
                        + i32::from(four[1]) * i32::from(first[2 * j + 1])
                        + i32::from(four[2]) * i32::from(second[2 * j])
                        + i32::from(four[3]) * i32::from(second[2 * j + 1]);
                }
            }
            let mut value = [0.0f32; PANEL];
            for (j, (v, &a)) in value.iter_mut().zip(&acc).enumerate() {
                let column = scales.columns.get(panel * PANEL + j).copied().unwrap_or(0.0);
                *v = a as f32 * (column * row_scale);
            }
            // SAFETY: `r` and `panel` were checked.
            unsafe { store(&out, r, panel, value) };
        }
    }
}
