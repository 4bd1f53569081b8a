//! AVX2 and FMA: a panel is two registers of 8 columns.

use std::arch::x86_64::*;
use std::ops::Range;

use super::prefetch::ahead;
use super::{Bf16Line, F32Line, Int8Line, Out, PANEL, Panels, Rows, Scales};

/// Panels walked together before the next rows.
const GROUP: usize = 8;

/// Calls `$block::<R, P>` over all rows and panels.
macro_rules! tile {
    ($rows:expr, $panels:expr, $block:ident, $($arg:expr),*) => {{
        let mut first = $panels.start;
        while first < $panels.end {
            let last = (first + GROUP).min($panels.end);
            let mut r = 0;
            while r < $rows {
                let left = $rows - r;
                let mut p = first;
                if left >= 4 {
                    while p < last { $block::<4, 1>(r, p, $($arg),*); p += 1; }
                    r += 4;
                } else if left >= 2 {
                    while p + 2 <= last { $block::<2, 2>(r, p, $($arg),*); p += 2; }
                    while p < last { $block::<2, 1>(r, p, $($arg),*); p += 1; }
                    r += 2;
                } else {
                    while p + 4 <= last { $block::<1, 4>(r, p, $($arg),*); p += 4; }
                    while p < last { $block::<1, 1>(r, p, $($arg),*); p += 1; }
                    r += 1;
                }
            }
            first = last;
        }
    }};
}

/// Writes one row's 16 columns of panel `p`, adding the bias.
///
/// # Safety
/// Row `r` and panel `p` lie inside `out`; the bias covers `out.cols`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn store(r: usize, p: usize, acc: [__m256; 2], out: &Out) {
    let first = p * PANEL;
    // SAFETY: whole panels are inside the output and the bias; a cut one is written number by number.
    unsafe {
        let to = out.ptr.add(r * out.stride + first);
        if first + PANEL <= out.cols {
            for (h, a) in acc.into_iter().enumerate() {
                let plus = match out.bias {
                    Some(b) => _mm256_loadu_ps(b.as_ptr().add(first + 8 * h)),
                    None => _mm256_setzero_ps(),
                };
                _mm256_storeu_ps(to.add(8 * h), _mm256_add_ps(a, plus));
            }
        } else {
            let mut all = [0.0f32; PANEL];
            _mm256_storeu_ps(all.as_mut_ptr(), acc[0]);
            _mm256_storeu_ps(all.as_mut_ptr().add(8), acc[1]);
            for (j, value) in all.into_iter().take(out.cols - first).enumerate() {
                *to.add(j) = value + out.bias.map_or(0.0, |b| b[first + j]);
            }
        }
    }
}

/// # Safety
/// Rows `r..r + R` and panels `p..p + P` lie inside `x`, `w` and `out`.
#[target_feature(enable = "avx2,fma")]
unsafe fn block_f32<const R: usize, const P: usize>(r: usize, p: usize, x: &Rows<f32>, w: &Panels<F32Line>, out: &Out) {
    let mut acc = [[[_mm256_setzero_ps(); 2]; P]; R];
    // SAFETY: by the caller's promise; `lines == len`.
    unsafe {
        let rows: [*const f32; R] = std::array::from_fn(|i| x.data.as_ptr().add((r + i) * x.stride));
        let panels: [*const F32Line; P] = std::array::from_fn(|j| w.data.as_ptr().add((p + j) * w.stride));
        for i in 0..w.lines {
            ahead::<R, P, _>(&panels, i, w.lines);
            for j in 0..P {
                let low = _mm256_load_ps(panels[j].add(i).cast());
                let up = _mm256_load_ps(panels[j].add(i).cast::<f32>().add(8));
                for (a, row) in acc.iter_mut().zip(&rows) {
                    let xi = _mm256_set1_ps(*row.add(i));
                    a[j][0] = _mm256_fmadd_ps(low, xi, a[j][0]);
                    a[j][1] = _mm256_fmadd_ps(up, xi, a[j][1]);
                }
            }
        }
        for (i, row) in acc.into_iter().enumerate() {
            for (j, panel) in row.into_iter().enumerate() {
                store(r + i, p + j, panel, out);
            }
        }
    }
}

/// # Safety
/// The arguments have passed `super::check`; the machine has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn mul_f32(x: Rows<f32>, w: Panels<F32Line>, panels: Range<usize>, out: Out) {
    // SAFETY: `tile!` stays inside the rows and panels.
    unsafe { tile!(x.count, panels, block_f32, &x, &w, &out) }
}

/// # Safety
/// As [`block_f32`], with `lines == len / 2` rounded up.
#[target_feature(enable = "avx2,fma")]
unsafe fn block_bf16<const R: usize, const P: usize>(
    r: usize,
    p: usize,
    x: &Rows<f32>,
    w: &Panels<Bf16Line>,
    out: &Out,
) {
    let mut acc = [[[_mm256_setzero_ps(); 2]; P]; R];
    let high = _mm256_set1_epi32(0xffff_0000u32 as i32);
    // SAFETY: by the caller's promise; the odd half of the last line of an odd row is not used.
    unsafe {
        let rows: [*const f32; R] = std::array::from_fn(|i| x.data.as_ptr().add((r + i) * x.stride));
        let panels: [*const Bf16Line; P] = std::array::from_fn(|j| w.data.as_ptr().add((p + j) * w.stride));
        for i in 0..w.lines {
            ahead::<R, P, _>(&panels, i, w.lines);
            let pair = 2 * i + 1 < x.len;
            for j in 0..P {
                for h in 0..2 {
                    let both = _mm256_load_si256(panels[j].add(i).cast::<__m256i>().add(h));
                    let even = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(both));
                    for (a, row) in acc.iter_mut().zip(&rows) {
                        a[j][h] = _mm256_fmadd_ps(even, _mm256_set1_ps(*row.add(2 * i)), a[j][h]);
                    }
                    if pair {
                        let odd = _mm256_castsi256_ps(_mm256_and_si256(both, high));
                        for (a, row) in acc.iter_mut().zip(&rows) {
                            let x1 = _mm256_set1_ps(*row.add(2 * i + 1));
                            a[j][h] = _mm256_fmadd_ps(odd, x1, a[j][h]);
                        }
                    }
                }
            }
        }
        for (i, row) in acc.into_iter().enumerate() {
            for (j, panel) in row.into_iter().enumerate() {
                store(r + i, p + j, panel, out);
            }
        }
    }
}

/// # Safety
/// The arguments have passed `super::check`; the machine has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn mul_bf16(x: Rows<f32>, w: Panels<Bf16Line>, panels: Range<usize>, out: Out) {
    // SAFETY: `tile!` stays inside the rows and panels.
    unsafe { tile!(x.count, panels, block_bf16, &x, &w, &out) }
}

/// # Safety
/// As [`block_f32`], with `lines * 4 == len`.
#[target_feature(enable = "avx2,fma")]
unsafe fn block_int8<const R: usize, const P: usize>(
    r: usize,
    p: usize,
    x: &Rows<i16>,
    w: &Panels<Int8Line>,
    scales: Scales,
    out: &Out,
) {
    let mut acc = [[[_mm256_setzero_si256(); 2]; P]; R];
    // SAFETY: by the caller's promise; a half line is 32 bytes: 16 columns × 2 inputs.
    unsafe {
        let rows: [*const i16; R] = std::array::from_fn(|i| x.data.as_ptr().add((r + i) * x.stride));
        let panels: [*const Int8Line; P] = std::array::from_fn(|j| w.data.as_ptr().add((p + j) * w.stride));
        for i in 0..2 * w.lines {
            if i % 2 == 0 {
                ahead::<R, P, _>(&panels, i / 2, w.lines);
            }
            for j in 0..P {
                let half = panels[j].cast::<__m128i>().add(2 * i);
                let low = _mm256_cvtepi8_epi16(_mm_load_si128(half));
                let up = _mm256_cvtepi8_epi16(_mm_load_si128(half.add(1)));
                for (a, row) in acc.iter_mut().zip(&rows) {
                    let xi = _mm256_set1_epi32(row.add(2 * i).cast::<i32>().read_unaligned());
                    a[j][0] = _mm256_add_epi32(a[j][0], _mm256_madd_epi16(low, xi));
                    a[j][1] = _mm256_add_epi32(a[j][1], _mm256_madd_epi16(up, xi));
                }
            }
        }
        for (i, row) in acc.into_iter().enumerate() {
            for (j, panel) in row.into_iter().enumerate() {
                let first = (p + j) * PANEL;
                let mut column = [0.0f32; PANEL];
                let count = PANEL.min(out.cols - first);
                column[..count].copy_from_slice(&scales.columns[first..first + count]);
                let mut sums = [_mm256_setzero_ps(); 2];
                for h in 0..2 {
                    let both =
                        _mm256_mul_ps(_mm256_loadu_ps(column.as_ptr().add(8 * h)), _mm256_set1_ps(scales.rows[r + i]));
                    sums[h] = _mm256_mul_ps(_mm256_cvtepi32_ps(panel[h]), both);
                }
                store(r + i, p + j, sums, out);
            }
        }
    }
}

/// # Safety
/// The arguments have passed `super::check`; the machine has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn mul_int8(x: Rows<i16>, w: Panels<Int8Line>, scales: Scales, panels: Range<usize>, out: Out) {
    // SAFETY: `tile!` stays inside the rows and panels.
    unsafe { tile!(x.count, panels, block_int8, &x, &w, scales, &out) }
}
