//! AVX-512: 16 columns in one register.

use std::arch::x86_64::*;
use std::ops::Range;

use super::prefetch::ahead;
use super::{Bf16Line, F32Line, Int8Line, Out, PANEL, Panels, Rows, Scales};

/// Panels walked together before the next rows, so that their weights stay in the cache for many rows.
const GROUP: usize = 8;

/// Calls `$block::<R, P>` over all rows and panels: as many rows at once as there are registers for.
macro_rules! tile {
    ($rows:expr, $panels:expr, $block:ident, $($arg:expr),*) => {{
        let mut first = $panels.start;
        while first < $panels.end {
            let last = (first + GROUP).min($panels.end);
            let mut r = 0;
            while r < $rows {
                let left = $rows - r;
                let mut p = first;
                if left >= 8 {
                    while p + 2 <= last { $block::<8, 2>(r, p, $($arg),*); p += 2; }
                    while p < last { $block::<8, 1>(r, p, $($arg),*); p += 1; }
                    r += 8;
                } else if left >= 4 {
                    while p + 4 <= last { $block::<4, 4>(r, p, $($arg),*); p += 4; }
                    while p < last { $block::<4, 1>(r, p, $($arg),*); p += 1; }
                    r += 4;
                } else if left >= 2 {
                    while p + 4 <= last { $block::<2, 4>(r, p, $($arg),*); p += 4; }
                    while p < last { $block::<2, 1>(r, p, $($arg),*); p += 1; }
                    r += 2;
                } else {
                    while p + 8 <= last { $block::<1, 8>(r, p, $($arg),*); p += 8; }
                    while p + 4 <= last { $block::<1, 4>(r, p, $($arg),*); p += 4; }
                    while p < last { $block::<1, 1>(r, p, $($arg),*); p += 1; }
                    r += 1;
                }
            }
            first = last;
        }
    }};
}

/// Writes R rows × P panels, adding the bias; columns behind the last are left alone.
///
/// # Safety
/// Rows `r..r + R` and panels `p..p + P` lie inside `out`; the bias covers `out.cols`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn store<const R: usize, const P: usize>(r: usize, p: usize, acc: [[__m512; P]; R], out: &Out) {
    for (j, first) in (0..P).map(|j| (j, (p + j) * PANEL)) {
        let count = PANEL.min(out.cols - first);
        let mask = ((1u32 << count) - 1) as __mmask16;
        let plus = match out.bias {
            // SAFETY: the mask keeps the load inside `out.cols` numbers of the bias.
            Some(b) => unsafe { _mm512_maskz_loadu_ps(mask, b.as_ptr().add(first)) },
            None => _mm512_setzero_ps(),
        };
        for (i, row) in acc.iter().enumerate() {
            // SAFETY: row and columns lie inside the output; the mask cuts off columns behind the last.
            unsafe {
                let to = out.ptr.add((r + i) * out.stride + first);
                _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(row[j], plus));
            }
        }
    }
}

/// # Safety
/// As [`store`], and rows and panels lie inside `x` and `w`.
#[target_feature(enable = "avx512f")]
unsafe fn block_f32<const R: usize, const P: usize>(r: usize, p: usize, x: &Rows<f32>, w: &Panels<F32Line>, out: &Out) {
    let mut acc = [[_mm512_setzero_ps(); P]; R];
    // SAFETY: rows `r..r+R` of `len` numbers and panels `p..p+P` of `lines == len` lines were checked by the caller.
    unsafe {
        let rows: [*const f32; R] = std::array::from_fn(|i| x.data.as_ptr().add((r + i) * x.stride));
        let panels: [*const F32Line; P] = std::array::from_fn(|j| w.data.as_ptr().add((p + j) * w.stride));
        for i in 0..w.lines {
            ahead::<R, P, _>(&panels, i, w.lines);
            let wi: [__m512; P] = load_f32(&panels, i);
            for (a, row) in acc.iter_mut().zip(&rows) {
                let xi = _mm512_set1_ps(*row.add(i));
                for (a, w) in a.iter_mut().zip(&wi) {
                    *a = _mm512_fmadd_ps(*w, xi, *a);
                }
            }
        }
        store(r, p, acc, out);
    }
}

/// # Safety
/// Line `i` is inside every panel.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_f32<const P: usize>(panels: &[*const F32Line; P], i: usize) -> [__m512; P] {
    let mut lines = [_mm512_setzero_ps(); P];
    for (line, panel) in lines.iter_mut().zip(panels) {
        // SAFETY: by the caller's promise; lines are aligned to 64 bytes.
        *line = unsafe { _mm512_load_ps(panel.add(i).cast()) };
    }
    lines
}

/// # Safety
/// The arguments have passed `super::check`; the machine has AVX-512 F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn mul_f32(x: Rows<f32>, w: Panels<F32Line>, panels: Range<usize>, out: Out) {
    // SAFETY: `tile!` stays inside the rows and panels.
    unsafe { tile!(x.count, panels, block_f32, &x, &w, &out) }
}

/// # Safety
/// As [`block_f32`], with `lines == len / 2` rounded up.
#[target_feature(enable = "avx512f")]
unsafe fn block_bf16<const R: usize, const P: usize>(
    r: usize,
    p: usize,
    x: &Rows<f32>,
    w: &Panels<Bf16Line>,
    out: &Out,
) {
    let mut acc = [[_mm512_setzero_ps(); P]; R];
    let high = _mm512_set1_epi32(0xffff_0000u32 as i32);
    // SAFETY: as in `block_f32`; line `i` pairs inputs 2i and 2i+1, and the last input of an odd count stands alone.
    unsafe {
        let rows: [*const f32; R] = std::array::from_fn(|i| x.data.as_ptr().add((r + i) * x.stride));
        let panels: [*const Bf16Line; P] = std::array::from_fn(|j| w.data.as_ptr().add((p + j) * w.stride));
        for i in 0..x.len / 2 {
            ahead::<R, P, _>(&panels, i, w.lines);
            let mut even = [_mm512_setzero_ps(); P];
            let mut odd = [_mm512_setzero_ps(); P];
            for j in 0..P {
                let both = _mm512_load_si512(panels[j].add(i).cast());
                even[j] = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(both));
                odd[j] = _mm512_castsi512_ps(_mm512_and_si512(both, high));
            }
            for (a, row) in acc.iter_mut().zip(&rows) {
                let x0 = _mm512_set1_ps(*row.add(2 * i));
                let x1 = _mm512_set1_ps(*row.add(2 * i + 1));
                for j in 0..P {
                    a[j] = _mm512_fmadd_ps(even[j], x0, a[j]);
                }
                for j in 0..P {
                    a[j] = _mm512_fmadd_ps(odd[j], x1, a[j]);
                }
            }
        }
        if x.len % 2 == 1 {
            for j in 0..P {
                let both = _mm512_load_si512(panels[j].add(x.len / 2).cast());
                let even = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(both));
                for (a, row) in acc.iter_mut().zip(&rows) {
                    a[j] = _mm512_fmadd_ps(even, _mm512_set1_ps(*row.add(x.len - 1)), a[j]);
                }
            }
        }
        store(r, p, acc, out);
    }
}

/// # Safety
/// The arguments have passed `super::check`; the machine has AVX-512 F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn mul_bf16(x: Rows<f32>, w: Panels<Bf16Line>, panels: Range<usize>, out: Out) {
    // SAFETY: `tile!` stays inside the rows and panels.
    unsafe { tile!(x.count, panels, block_bf16, &x, &w, &out) }
}

macro_rules! int8 {
    ($features:literal, $block:ident, $mul:ident, |$a:ident, $w:ident, $x:ident| $dot:expr) => {
        /// # Safety
        /// As [`block_f32`], with `lines * 4 == len`.
        #[target_feature(enable = $features)]
        unsafe fn $block<const R: usize, const P: usize>(
            r: usize,
            p: usize,
            x: &Rows<i16>,
            w: &Panels<Int8Line>,
            scales: Scales,
            out: &Out,
        ) {
            let mut acc = [[_mm512_setzero_si512(); P]; R];
            // SAFETY: as in `block_f32`; a line holds two halves of 32 bytes, each for two inputs, and a row has four
            // inputs a line. The pair of 16-bit inputs is read unaligned.
            unsafe {
                let rows: [*const i16; R] = std::array::from_fn(|i| x.data.as_ptr().add((r + i) * x.stride));
                let panels: [*const Int8Line; P] = std::array::from_fn(|j| w.data.as_ptr().add((p + j) * w.stride));
                for i in 0..2 * w.lines {
                    if i % 2 == 0 {
                        ahead::<R, P, _>(&panels, i / 2, w.lines);
                    }
                    let mut wi = [_mm512_setzero_si512(); P];
                    for j in 0..P {
                        wi[j] = _mm512_cvtepi8_epi16(_mm256_load_si256(panels[j].cast::<__m256i>().add(i)));
                    }
                    for (a, row) in acc.iter_mut().zip(&rows) {
                        let pair = row.add(2 * i).cast::<i32>().read_unaligned();
                        let $x = _mm512_set1_epi32(pair);
                        for j in 0..P {
                            let ($a, $w) = (a[j], wi[j]);
                            a[j] = $dot;
                        }
                    }
                }
                let mut sums = [[_mm512_setzero_ps(); P]; R];
                for j in 0..P {
                    let first = (p + j) * PANEL;
                    let mask = ((1u32 << PANEL.min(out.cols - first)) - 1) as __mmask16;
                    let column = _mm512_maskz_loadu_ps(mask, scales.columns.as_ptr().add(first));
                    for i in 0..R {
                        let both = _mm512_mul_ps(column, _mm512_set1_ps(*scales.rows.get_unchecked(r + i)));
                        sums[i][j] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[i][j]), both);
                    }
                }
                store(r, p, sums, out);
            }
        }

        /// # Safety
        /// The arguments have passed `super::check`; the machine has the instructions named.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $mul(x: Rows<i16>, w: Panels<Int8Line>, scales: Scales, panels: Range<usize>, out: Out) {
            // SAFETY: `tile!` stays inside the rows and panels.
            unsafe { tile!(x.count, panels, $block, &x, &w, scales, &out) }
        }
    };
}

int8!("avx512f,avx512bw", block_int8, mul_int8, |a, w, x| _mm512_add_epi32(a, _mm512_madd_epi16(w, x)));
int8!("avx512f,avx512bw,avx512vnni", block_int8_vnni, mul_int8_vnni, |a, w, x| _mm512_dpwssd_epi32(a, w, x));
