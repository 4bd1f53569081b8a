//! Keys and values of one head, laid out for the kernels.

use std::ops::Range;

use super::Visible;
use crate::kernels::{self, Bf16Line, F32Line, Isa, Out, PANEL, Panels, Rows, elementwise};

/// Positions there is room for at first.
const LEAST: usize = 64;

/// How numbers lie in a line: one row of 16 columns, or two.
pub(super) trait Line: Copy + Default + Send + Sync {
    /// Rows of a line.
    const ROWS: usize;

    /// Writes numbers to one column, each in the next row, from the first row of the first line on.
    fn put_column(lines: &mut [Self], column: usize, numbers: &[f32]);

    /// Writes up to 16 numbers to one row of this line.
    fn put_row(&mut self, row: usize, numbers: &[f32]);

    /// The product of rows and panels.
    fn mul(isa: Isa, x: Rows<f32>, w: Panels<Self>, panels: Range<usize>, out: Out);
}

impl Line for F32Line {
    const ROWS: usize = 1;

    #[inline]
    fn put_column(lines: &mut [Self], column: usize, numbers: &[f32]) {
        for (line, &v) in lines.iter_mut().zip(numbers) {
            line.0[column] = v;
        }
    }

    #[inline]
    fn put_row(&mut self, _: usize, numbers: &[f32]) {
        self.0[..numbers.len()].copy_from_slice(numbers);
    }

    fn mul(isa: Isa, x: Rows<f32>, w: Panels<Self>, panels: Range<usize>, out: Out) {
        kernels::mul_f32(isa, x, w, panels, out);
    }
}

/// A number rounded to bfloat16, to the nearest, ties to even.
#[inline]
fn rounded(v: f32) -> u32 {
    let bits = v.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    // What is not a number must not become an infinity.
    if v.is_nan() { bits >> 16 | 0x40 } else { nearest }
}

impl Line for Bf16Line {
    const ROWS: usize = 2;

    #[inline]
    fn put_column(lines: &mut [Self], column: usize, numbers: &[f32]) {
        for (line, pair) in lines.iter_mut().zip(numbers.chunks(2)) {
            line.0[column] = rounded(pair[0]) | pair.get(1).map_or(0, |&v| rounded(v) << 16);
        }
    }

    #[inline]
    fn put_row(&mut self, row: usize, numbers: &[f32]) {
        let (keep, shift) = if row == 0 { (0xffff_0000, 0) } else { (0xffff, 16) };
        for (both, &v) in self.0.iter_mut().zip(numbers) {
            *both = *both & keep | rounded(v) << shift;
        }
    }

    fn mul(isa: Isa, x: Rows<f32>, w: Panels<Self>, panels: Range<usize>, out: Out) {
        kernels::mul_bf16(isa, x, w, panels, out);
    }
}

/// Keys in panels of 16 positions, their lines along the features; values in panels of 16 features, their lines along
/// the positions.
#[derive(Clone)]
pub(super) struct Head<L> {
    width: usize,
    keys: Vec<L>,
    values: Vec<L>,
    /// Lines there is room for in each panel of values.
    room: usize,
}

impl<L: Line> Head<L> {
    pub(super) fn new(width: usize) -> Self {
        Head { width, keys: Vec::new(), values: Vec::new(), room: 0 }
    }

    /// Lines held.
    pub(super) fn lines(&self) -> usize {
        self.keys.len() + self.values.len()
    }

    /// Makes room for `len` positions: a quarter more than asked, and 64 at least, so that growing step by step costs
    /// little.
    pub(super) fn grow(&mut self, len: usize, capacity: usize) {
        let more =
            |count: usize, most: usize, per: usize| (count + count / 4).max(LEAST.div_ceil(per)).min(most).max(count);
        let panel = self.width.div_ceil(L::ROWS);
        let panels = len.div_ceil(PANEL);
        if self.keys.len() < panels * panel {
            let room = more(panels, capacity.div_ceil(PANEL), PANEL) * panel;
            self.keys.reserve_exact(room - self.keys.len());
            self.keys.resize(room, L::default());
        }
        let lines = len.div_ceil(L::ROWS);
        if self.room < lines {
            let room = more(lines, capacity.div_ceil(L::ROWS), L::ROWS);
            let mut values = Vec::with_capacity(room * self.width.div_ceil(PANEL));
            for panel in 0..self.width.div_ceil(PANEL) {
                values.extend_from_slice(&self.values[panel * self.room..(panel + 1) * self.room]);
                values.resize((panel + 1) * room, L::default());
            }
            (self.values, self.room) = (values, room);
        }
    }

    /// Writes position `t`, for which there is room.
    pub(super) fn put(&mut self, t: usize, key: &[f32], value: &[f32]) {
        let panel = self.width.div_ceil(L::ROWS);
        L::put_column(&mut self.keys[t / PANEL * panel..][..panel], t % PANEL, key);
        for (panel, part) in value.chunks(PANEL).enumerate() {
            self.values[panel * self.room + t / L::ROWS].put_row(t % L::ROWS, part);
        }
    }

    /// softmax(q·Kᵀ / √width)·V over the first `len` positions. `scores` is scratch, a row of `len` rounded up to panels
    /// for each query; `out` is this head's columns.
    pub(super) fn attend(&self, q: Rows<f32>, len: usize, visible: Visible, scores: &mut [f32], out: Out) {
        let isa = Isa::best();
        let row_len = len.next_multiple_of(PANEL);
        let count = scores.len() / row_len;
        let panel = self.width.div_ceil(L::ROWS);
        L::mul(
            isa,
            q,
            Panels::new(&self.keys, panel, panel),
            0..row_len / PANEL,
            Out::new(scores, count, row_len, len),
        );
        let factor = 1.0 / (self.width as f32).sqrt();
        for (i, row) in scores.chunks_exact_mut(row_len).enumerate() {
            let seen = visible.to(i, len);
            elementwise::softmax(isa, &mut row[..seen], factor);
            row[seen..].fill(0.0);
        }
        let values = Panels::new(&self.values, self.room, len.div_ceil(L::ROWS));
        L::mul(isa, Rows::new(scores, count, row_len, len), values, 0..self.width.div_ceil(PANEL), out);
    }
}
