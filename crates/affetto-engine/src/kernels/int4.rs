//! Four-bit weights (the layout is in `crate::matmul::int4`): the oracle, AVX2 and AVX-512 VNNI (NEON's is in `neon`).

use std::ops::Range;

use super::{Int4Line, Isa, Out, PANEL, Panels};
use crate::matmul::int4::{BLOCK, BLOCK_LINES, GROUP, Inputs};

/// out[r][o] = Σ_groups (Σ_i x[r][i]·(c[o][i] - 8))·(scale of x · scale of w) + bias[o] for the columns of `panels`.
pub(crate) fn mul_int4(isa: Isa, x: &Inputs, w: Panels<Int4Line>, panels: Range<usize>, out: Out) {
    w.check(&panels);
    let blocks = w.lines / BLOCK_LINES;
    assert!(w.lines == blocks * BLOCK_LINES && panels.end <= out.cols.div_ceil(PANEL));
    assert!(x.values.len() == out.rows * blocks * BLOCK);
    assert!(x.scales.len() == out.rows * blocks * 2 && x.starts.len() == x.scales.len());
    match isa {
        // SAFETY: the sizes were checked above; the machine has the instructions `isa` names.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => unsafe { x86::mul_vnni(x, w, panels, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx2 => unsafe { x86::mul_avx2(x, w, panels, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { super::neon::mul_int4(x, w, panels, out) },
        _ => mul_scalar(x, w, panels, out),
    }
}

/// A bfloat16 scale as f32.
fn scale(line: &Int4Line, at: usize) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes([line.0[2 * at], line.0[2 * at + 1]])) << 16)
}

fn mul_scalar(x: &Inputs, w: Panels<Int4Line>, panels: Range<usize>, out: Out) {
    let blocks = w.lines / BLOCK_LINES;
    for panel in panels {
        let lines = &w.data[panel * w.stride..][..w.lines];
        for r in 0..out.rows {
            let mut acc = [0.0f32; PANEL];
            for g in 0..2 * blocks {
                let block = &lines[g / 2 * BLOCK_LINES..][..BLOCK_LINES];
                let values = &x.values[(r * 2 * blocks + g) * GROUP..][..GROUP];
                let mut sums = [x.starts[r * 2 * blocks + g]; PANEL];
                for (line, eight) in block[1 + g % 2 * 4..].iter().zip(values.chunks_exact(8)) {
                    for (sum, bytes) in sums.iter_mut().zip(line.0.chunks_exact(4)) {
                        for (t, byte) in bytes.iter().enumerate() {
                            *sum += i32::from(eight[t]) * i32::from(byte & 15)
                                + i32::from(eight[4 + t]) * i32::from(byte >> 4);
                        }
                    }
                }
                for (j, (a, sum)) in acc.iter_mut().zip(sums).enumerate() {
                    let both = scale(&block[0], g % 2 * PANEL + j) * x.scales[r * 2 * blocks + g];
                    *a = (sum as f32).mul_add(both, *a);
                }
            }
            // SAFETY: `r` is below `out.rows` and the panel was checked.
            unsafe { super::scalar::store(&out, r, panel, acc) };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::ops::Range;

    use super::{BLOCK, BLOCK_LINES, Inputs, Int4Line, Out, Panels};
    use crate::kernels::prefetch::ahead;
    use crate::kernels::{avx2, avx512};

    /// Four inputs as one 32-bit number.
    ///
    /// # Safety
    /// Four bytes from `at` on are readable.
    #[inline(always)]
    unsafe fn four(at: *const i8) -> i32 {
        // SAFETY: by the caller's promise.
        unsafe { at.cast::<i32>().read_unaligned() }
    }

    /// # Safety
    /// Rows `r..r + R` and panels `p..p + P` lie inside `x`, `w` and `out`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma")]
    unsafe fn block_vnni<const R: usize, const P: usize>(
        r: usize,
        p: usize,
        x: &Inputs,
        w: &Panels<Int4Line>,
        out: &Out,
    ) {
        let blocks = w.lines / BLOCK_LINES;
        let low = _mm512_set1_epi8(15);
        let mut acc = [[_mm512_setzero_ps(); P]; R];
        // SAFETY: by the caller's promise; a row has `blocks` blocks of 64 inputs and twice as many groups.
        unsafe {
            let rows: [*const i8; R] = std::array::from_fn(|i| x.values.as_ptr().add((r + i) * blocks * BLOCK));
            let panels: [*const Int4Line; P] = std::array::from_fn(|j| w.data.as_ptr().add((p + j) * w.stride));
            for g in 0..2 * blocks {
                let first = g / 2 * BLOCK_LINES;
                if g % 2 == 0 {
                    ahead::<R, P, _>(&panels, first, w.lines);
                }
                let mut sums = [[_mm512_setzero_si512(); P]; R];
                for (i, sums) in sums.iter_mut().enumerate() {
                    *sums = [_mm512_set1_epi32(*x.starts.get_unchecked((r + i) * 2 * blocks + g)); P];
                }
                for l in 0..4 {
                    let line = first + 1 + g % 2 * 4 + l;
                    ahead::<R, P, _>(&panels, line, w.lines);
                    let x: [_; R] = std::array::from_fn(|i| {
                        let at = rows[i].add(32 * g + 8 * l);
                        (_mm512_set1_epi32(four(at)), _mm512_set1_epi32(four(at.add(4))))
                    });
                    for j in 0..P {
                        let both = _mm512_load_si512(panels[j].add(line).cast());
                        let even = _mm512_and_si512(both, low);
                        let odd = _mm512_and_si512(_mm512_srli_epi16::<4>(both), low);
                        for (sums, x) in sums.iter_mut().zip(&x) {
                            sums[j] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sums[j], even, x.0), odd, x.1);
                        }
                    }
                }
                for j in 0..P {
                    let half = _mm256_load_si256(panels[j].add(first).cast::<__m256i>().add(g % 2));
                    let scale = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half)));
                    for i in 0..R {
                        let xs = _mm512_set1_ps(*x.scales.get_unchecked((r + i) * 2 * blocks + g));
                        let both = _mm512_mul_ps(scale, xs);
                        acc[i][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i][j]), both, acc[i][j]);
                    }
                }
            }
            avx512::store(r, p, acc, out);
        }
    }

    /// Calls `$block::<R, P>` over all rows and panels; `$wide` panels at once for one or two rows, else two.
    macro_rules! tile {
        ($x:expr, $w:expr, $panels:expr, $out:expr, $block:ident, $wide:literal) => {{
            let (mut r, rows) = (0, $out.rows);
            while r < rows {
                let mut p = $panels.start;
                let step = if rows - r >= 4 { 4 } else { (rows - r).min(2) };
                while p < $panels.end {
                    if step <= 2 && p + $wide <= $panels.end {
                        match step {
                            2 => $block::<2, $wide>(r, p, $x, &$w, &$out),
                            _ => $block::<1, $wide>(r, p, $x, &$w, &$out),
                        }
                        p += $wide;
                        continue;
                    }
                    let pair = p + 2 <= $panels.end;
                    match (step, pair) {
                        (4, true) => $block::<4, 2>(r, p, $x, &$w, &$out),
                        (4, false) => $block::<4, 1>(r, p, $x, &$w, &$out),
                        (2, true) => $block::<2, 2>(r, p, $x, &$w, &$out),
                        (2, false) => $block::<2, 1>(r, p, $x, &$w, &$out),
                        (_, true) => $block::<1, 2>(r, p, $x, &$w, &$out),
                        (_, false) => $block::<1, 1>(r, p, $x, &$w, &$out),
                    }
                    p += if pair { 2 } else { 1 };
                }
                r += step;
            }
        }};
    }

    /// # Safety
    /// The sizes have passed `super::mul_int4`; the machine has AVX-512 F, BW and VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma")]
    pub(super) unsafe fn mul_vnni(x: &Inputs, w: Panels<Int4Line>, panels: Range<usize>, out: Out) {
        // SAFETY: `tile!` stays inside the rows and panels.
        unsafe { tile!(x, w, panels, out, block_vnni, 4) }
    }

    /// # Safety
    /// As [`block_vnni`].
    #[allow(clippy::needless_range_loop, reason = "rows, panels and halves index several arrays at once")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn block_avx2<const R: usize, const P: usize>(
        r: usize,
        p: usize,
        x: &Inputs,
        w: &Panels<Int4Line>,
        out: &Out,
    ) {
        let blocks = w.lines / BLOCK_LINES;
        let low = _mm256_set1_epi8(15);
        let ones = _mm256_set1_epi16(1);
        // SAFETY: as in `block_vnni`; half `h` of a line holds columns 8h to 8h + 7.
        unsafe {
            let rows: [*const i8; R] = std::array::from_fn(|i| x.values.as_ptr().add((r + i) * blocks * BLOCK));
            let panels: [*const Int4Line; P] = std::array::from_fn(|j| w.data.as_ptr().add((p + j) * w.stride));
            let mut acc = [[[_mm256_setzero_ps(); 2]; P]; R];
            for g in 0..2 * blocks {
                let first = g / 2 * BLOCK_LINES;
                for j in 0..P {
                    for h in 0..2 {
                        let mut sums = [_mm256_setzero_si256(); R];
                        for (i, sum) in sums.iter_mut().enumerate() {
                            *sum = _mm256_set1_epi32(*x.starts.get_unchecked((r + i) * 2 * blocks + g));
                        }
                        for l in 0..4 {
                            let line = first + 1 + g % 2 * 4 + l;
                            if j == 0 && h == 0 {
                                ahead::<R, P, _>(&panels, line, w.lines);
                            }
                            let both = _mm256_load_si256(panels[j].add(line).cast::<__m256i>().add(h));
                            let even = _mm256_and_si256(both, low);
                            let odd = _mm256_and_si256(_mm256_srli_epi16::<4>(both), low);
                            for (sum, row) in sums.iter_mut().zip(&rows) {
                                let x0 = _mm256_set1_epi32(four(row.add(32 * g + 8 * l)));
                                let x1 = _mm256_set1_epi32(four(row.add(32 * g + 8 * l + 4)));
                                // At most 4·15·127: the pairs' sums fit 16 bits.
                                let pairs =
                                    _mm256_add_epi16(_mm256_maddubs_epi16(even, x0), _mm256_maddubs_epi16(odd, x1));
                                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
                            }
                        }
                        let half = panels[j].add(first).cast::<__m128i>().add(g % 2 * 2 + h);
                        let bits = _mm256_cvtepu16_epi32(_mm_load_si128(half));
                        let scale = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits));
                        for i in 0..R {
                            let xs = _mm256_set1_ps(*x.scales.get_unchecked((r + i) * 2 * blocks + g));
                            let value = _mm256_cvtepi32_ps(sums[i]);
                            acc[i][j][h] = _mm256_fmadd_ps(value, _mm256_mul_ps(scale, xs), acc[i][j][h]);
                        }
                    }
                }
            }
            for (i, row) in acc.into_iter().enumerate() {
                for (j, panel) in row.into_iter().enumerate() {
                    avx2::store(r + i, p + j, panel, out);
                }
            }
        }
    }

    /// # Safety
    /// The sizes have passed `super::mul_int4`; the machine has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn mul_avx2(x: &Inputs, w: Panels<Int4Line>, panels: Range<usize>, out: Out) {
        // SAFETY: `tile!` stays inside the rows and panels.
        unsafe { tile!(x, w, panels, out, block_avx2, 2) }
    }
}
