//! Multi-head attention over a cache of keys and values.

use crate::kernels::{self, F32Line, Isa, Out, PANEL, Panels, Rows, elementwise};

/// Keys and values of one sequence in one layer, laid out for the kernels: keys in panels of 16 positions, values in
/// panels of 16 features.
#[derive(Clone)]
pub struct KvCache {
    heads: usize,
    width: usize,
    capacity: usize,
    len: usize,
    keys: Vec<F32Line>,
    values: Vec<F32Line>,
}

/// Which positions a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible {
    /// All in the cache.
    All,
    /// Query `i` sees positions `0 ..= first + i`; `first` is the position of the first query.
    Causal {
        /// Position of query 0.
        first: usize,
    },
}

impl KvCache {
    /// An empty cache for `heads` heads of `width` numbers and up to `capacity` positions.
    ///
    /// # Panics
    /// When the sizes overflow memory.
    pub fn new(heads: usize, width: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(PANEL);
        KvCache {
            heads,
            width,
            capacity,
            len: 0,
            keys: vec![F32Line::default(); heads * capacity / PANEL * width],
            values: vec![F32Line::default(); heads * capacity * width.div_ceil(PANEL)],
        }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Positions there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets all positions.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Forgets the positions from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Adds positions: rows of `heads × width` numbers, `stride` apart, in `keys` and `values`.
    ///
    /// # Panics
    /// When there is no room or the slices are too short.
    pub fn push(&mut self, keys: &[f32], values: &[f32], stride: usize, count: usize) {
        assert!(self.len + count <= self.capacity, "the cache is full");
        let d = self.heads * self.width;
        let feature_panels = self.width.div_ceil(PANEL);
        for row in 0..count {
            let t = self.len + row;
            let key = &keys[row * stride..][..d];
            let value = &values[row * stride..][..d];
            for head in 0..self.heads {
                let first = (head * self.capacity / PANEL + t / PANEL) * self.width;
                let lines = &mut self.keys[first..first + self.width];
                let from = &key[head * self.width..][..self.width];
                for (line, &k) in lines.iter_mut().zip(from) {
                    line.0[t % PANEL] = k;
                }
                let from = &value[head * self.width..][..self.width];
                for (panel, part) in from.chunks(PANEL).enumerate() {
                    let line = (head * feature_panels + panel) * self.capacity + t;
                    self.values[line].0[..part.len()].copy_from_slice(part);
                }
            }
        }
        self.len += count;
    }

    /// softmax(q·Kᵀ / √width)·V for every head: `queries` has `count` rows of `heads × width` numbers `stride` apart;
    /// `out` is `[count, heads × width]`, `scores` is scratch. A query that sees nothing gives zeros.
    ///
    /// # Panics
    /// When the slices are too short, or a causal query sees beyond the cache.
    pub fn attend(
        &self,
        queries: &[f32],
        stride: usize,
        count: usize,
        visible: Visible,
        scores: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let isa = Isa::best();
        let d = self.heads * self.width;
        assert!(out.len() >= count * d);
        if let Visible::Causal { first } = visible {
            assert!(count == 0 || first + count <= self.len);
        }
        if self.len == 0 {
            out[..count * d].fill(0.0);
            return;
        }
        let seen = |i: usize| match visible {
            Visible::All => self.len,
            Visible::Causal { first } => first + i + 1,
        };
        let row_len = self.len.next_multiple_of(PANEL);
        let factor = 1.0 / (self.width as f32).sqrt();
        scores.resize(count * row_len, 0.0);
        let feature_panels = self.width.div_ceil(PANEL);
        for head in 0..self.heads {
            let q = Rows::new(&queries[head * self.width..], count, stride, self.width);
            let keys = &self.keys[head * self.capacity / PANEL * self.width..];
            let keys = Panels::new(keys, self.width, self.width);
            let to = Out::new(scores, count, row_len, self.len);
            kernels::mul_f32(isa, q, keys, 0..row_len / PANEL, to);
            for (i, row) in scores.chunks_exact_mut(row_len).enumerate() {
                let seen = seen(i);
                elementwise::softmax(isa, &mut row[..seen], factor);
                row[seen..].fill(0.0);
            }
            let p = Rows::new(scores, count, row_len, self.len);
            let values = &self.values[head * feature_panels * self.capacity..];
            let values = Panels::new(values, self.capacity, self.len);
            let to = Out::new(&mut out[head * self.width..], count, d, self.width);
            kernels::mul_f32(isa, p, values, 0..feature_panels, to);
        }
    }
}
