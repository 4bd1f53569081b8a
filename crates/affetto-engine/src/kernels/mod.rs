//! The inner loops, one file for each instruction set, and the choice among them at run time. All of the workspace's
//! `unsafe` lives below this folder.
//!
//! Weights lie in *panels* of 16 output columns: line `i` of a panel holds the 16 columns' weights for input `i` (f32),
//! or for a pair of inputs (bf16), or for two pairs (int8). A panel is walked once with an accumulator for each column
//! and row, always along the inputs in the same order, so that a row's result does not depend on its neighbours.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod elementwise;
pub(crate) mod int4;
pub(crate) mod mapped;
#[cfg(target_arch = "aarch64")]
mod neon;
pub(crate) mod pool;
#[cfg(target_arch = "x86_64")]
mod prefetch;
mod scalar;

use std::ops::Range;
use std::sync::OnceLock;

/// Output columns in a panel.
pub(crate) const PANEL: usize = 16;

/// One line of an f32 panel: 16 columns, one input.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub(crate) struct F32Line(pub [f32; PANEL]);

/// One line of a bf16 panel: 16 columns, an even input in the low half and the odd one after it in the high half.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub(crate) struct Bf16Line(pub [u32; PANEL]);

/// One line of an int8 panel: two pairs of inputs; each pair is 16 columns × 2 inputs.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Int8Line(pub [i8; 4 * PANEL]);

impl Default for Int8Line {
    fn default() -> Self {
        Int8Line([0; 4 * PANEL])
    }
}

/// One line of a four-bit panel; `crate::matmul::int4` says what is in it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Int4Line(pub [u8; 4 * PANEL]);

/// An instruction set for which there are kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust; the oracle of the conformance tests.
    Scalar,
    /// NEON, on aarch64.
    Neon,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F and BW.
    Avx512,
    /// AVX-512 F, BW and VNNI.
    Avx512Vnni,
}

impl Isa {
    /// Every instruction set this machine has, the plainest first.
    pub fn available() -> Vec<Isa> {
        let mut all = vec![Isa::Scalar];
        #[cfg(target_arch = "aarch64")]
        all.push(Isa::Neon);
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 {
                all.push(Isa::Avx2);
            }
            if avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                all.push(Isa::Avx512);
                if is_x86_feature_detected!("avx512vnni") {
                    all.push(Isa::Avx512Vnni);
                }
            }
        }
        all
    }

    /// The best of [`available`](Self::available), found once.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Isa::available().pop().unwrap_or(Isa::Scalar))
    }
}

/// Input rows of `len` numbers, `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    data: &'a [T],
    count: usize,
    stride: usize,
    len: usize,
}

impl<'a, T> Rows<'a, T> {
    /// # Panics
    /// When the last row would end behind the data.
    pub(crate) fn new(data: &'a [T], count: usize, stride: usize, len: usize) -> Self {
        if count > 0 {
            assert!((count - 1) * stride + len <= data.len(), "rows beyond data");
        }
        Rows { data, count, stride, len }
    }
}

/// Where the rows of the result go: `cols` columns a row, rows `stride` apart. Threads write disjoint columns.
#[derive(Clone, Copy)]
pub(crate) struct Out<'a> {
    ptr: *mut f32,
    rows: usize,
    stride: usize,
    cols: usize,
    /// Added to every row; at least `cols` numbers.
    bias: Option<&'a [f32]>,
    life: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: an `Out` is shared only by `matmul` and `attention`, whose threads write disjoint columns.
unsafe impl Send for Out<'_> {}
// SAFETY: as above.
unsafe impl Sync for Out<'_> {}

impl<'a> Out<'a> {
    /// # Panics
    /// When the last row would end behind the data.
    pub(crate) fn new(data: &'a mut [f32], rows: usize, stride: usize, cols: usize) -> Self {
        if rows > 0 {
            assert!((rows - 1) * stride + cols <= data.len(), "out too small");
        }
        Out { ptr: data.as_mut_ptr(), rows, stride, cols, bias: None, life: std::marker::PhantomData }
    }

    /// The columns from `first` on, `count` of them.
    ///
    /// # Panics
    /// When they are not all there.
    pub(crate) fn columns(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.cols, "columns beyond the result");
        // SAFETY: `first` lies inside a row.
        let ptr = unsafe { self.ptr.add(first) };
        Out { ptr, cols: count, bias: self.bias.map(|b| &b[first..]), ..self }
    }

    /// Adds `bias` to every row that is written.
    ///
    /// # Panics
    /// When the bias is shorter than a row.
    pub(crate) fn with_bias(mut self, bias: Option<&'a [f32]>) -> Self {
        assert!(bias.is_none_or(|b| b.len() >= self.cols), "bias too short");
        self.bias = bias;
        self
    }
}

/// What the sums of an int8 product are multiplied by.
#[derive(Clone, Copy)]
pub(crate) struct Scales<'a> {
    /// One for each input row.
    pub rows: &'a [f32],
    /// One for each output column.
    pub columns: &'a [f32],
}

/// Panels of weights: `lines` lines each, `first` panels lie at `data[p * stride..]`.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'a, L> {
    data: &'a [L],
    stride: usize,
    lines: usize,
}

impl<'a, L> Panels<'a, L> {
    /// `lines` used lines of each panel, panels `stride` lines apart.
    pub(crate) fn new(data: &'a [L], stride: usize, lines: usize) -> Self {
        assert!(lines <= stride || stride == 0);
        Panels { data, stride, lines }
    }

    fn check(&self, panels: &Range<usize>) {
        if panels.end > panels.start {
            assert!((panels.end - 1) * self.stride + self.lines <= self.data.len());
        }
    }
}

/// Checks everything the unsafe kernels rely on: rows agree, panels are there, columns are enough.
fn check<T, L>(x: &Rows<T>, w: &Panels<L>, panels: &Range<usize>, out: &Out) {
    w.check(panels);
    assert!(x.count == out.rows);
    assert!(panels.end <= out.cols.div_ceil(PANEL));
}

/// out[r][o] = Σ_i x[r][i]·w[o][i] + bias[o] for the columns of `panels`.
pub(crate) fn mul_f32(isa: Isa, x: Rows<f32>, w: Panels<F32Line>, panels: Range<usize>, out: Out) {
    check(&x, &w, &panels, &out);
    assert!(w.lines == x.len);
    match isa {
        // SAFETY: `check` and the line above hold; the machine has the instructions `isa` names.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Vnni => unsafe { avx512::mul_f32(x, w, panels, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::mul_f32(x, w, panels, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { neon::mul_f32(x, w, panels, out) },
        // SAFETY: as above.
        _ => unsafe { scalar::mul_f32(x, w, panels, out) },
    }
}

/// As [`mul_f32`] with bf16 weights.
pub(crate) fn mul_bf16(isa: Isa, x: Rows<f32>, w: Panels<Bf16Line>, panels: Range<usize>, out: Out) {
    check(&x, &w, &panels, &out);
    assert!(w.lines == x.len.div_ceil(2));
    match isa {
        // SAFETY: `check` and the line above hold; the machine has the instructions `isa` names.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Vnni => unsafe { avx512::mul_bf16(x, w, panels, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::mul_bf16(x, w, panels, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { neon::mul_bf16(x, w, panels, out) },
        // SAFETY: as above.
        _ => unsafe { scalar::mul_bf16(x, w, panels, out) },
    }
}

/// As [`mul_f32`] with int8 weights: `x` is quantised to 16 bits with one scale a row, the weights have
/// one a column. The products are summed exactly in 32 bits, so all instruction sets agree.
pub(crate) fn mul_int8(isa: Isa, x: Rows<i16>, w: Panels<Int8Line>, scales: Scales, panels: Range<usize>, out: Out) {
    check(&x, &w, &panels, &out);
    assert!(w.lines * 4 == x.len && scales.rows.len() >= x.count && scales.columns.len() >= out.cols);
    match isa {
        // SAFETY: `check` and the line above hold; the machine has the instructions `isa` names.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => unsafe { avx512::mul_int8_vnni(x, w, scales, panels, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::mul_int8(x, w, scales, panels, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::mul_int8(x, w, scales, panels, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { neon::mul_int8(x, w, scales, panels, out) },
        // SAFETY: as above.
        _ => unsafe { scalar::mul_int8(x, w, scales, panels, out) },
    }
}
