//! Multi-head attention over a cache of keys and values.

use std::sync::Mutex;

use crate::kernels::{self, Bf16Line, F32Line, Isa, Out, PANEL, Panels, Rows, elementwise};
use crate::threads;

/// How keys and values are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum CachePrecision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bfloat16: half the memory and half the bytes read at each step.
    Bf16,
}

/// Keys and values of one sequence in one layer, laid out for the kernels: keys in panels of 16 positions, values in
/// panels of 16 features. Memory is taken as positions come.
#[derive(Clone)]
pub struct KvCache {
    heads: usize,
    width: usize,
    capacity: usize,
    len: usize,
    store: Store,
}

/// Keys of each head: panel by panel of 16 positions, the lines along the features. Values of each head and panel of 16
/// features, head by head: the lines along the positions.
#[derive(Clone)]
enum Store {
    F32 { keys: Vec<Vec<F32Line>>, values: Vec<Vec<F32Line>> },
    Bf16 { keys: Vec<Vec<Bf16Line>>, values: Vec<Vec<Bf16Line>> },
}

/// Makes room for `lines` lines, a quarter more than asked so that growing step by step costs little.
fn grow<L: Clone + Default>(all: &mut [Vec<L>], lines: usize, most: usize) {
    for one in all {
        if one.len() < lines {
            let room = (lines + lines / 4).min(most).max(lines);
            one.reserve_exact(room - one.len());
            one.resize(room, L::default());
        }
    }
}

/// Writes one half of a pair.
fn put(line: &mut Bf16Line, column: usize, half: usize, value: f32) {
    let bits = u32::from(half::bf16::from_f32(value).to_bits());
    let old = line.0[column];
    line.0[column] = if half == 0 { old & 0xffff_0000 | bits } else { old & 0xffff | bits << 16 };
}

impl Store {
    fn grow(&mut self, len: usize, width: usize, capacity: usize) {
        let (panels, most) = (len.div_ceil(PANEL), capacity.div_ceil(PANEL));
        match self {
            Store::F32 { keys, values } => {
                grow(keys, panels * width, most * width);
                grow(values, len, capacity);
            }
            Store::Bf16 { keys, values } => {
                let pairs = width.div_ceil(2);
                grow(keys, panels * pairs, most * pairs);
                grow(values, len.div_ceil(2), capacity.div_ceil(2));
            }
        }
    }

    /// Writes position `t` of one head.
    fn put(&mut self, head: usize, t: usize, key: &[f32], value: &[f32]) {
        let (width, panels) = (key.len(), key.len().div_ceil(PANEL));
        match self {
            Store::F32 { keys, values } => {
                for (line, &k) in keys[head][t / PANEL * width..].iter_mut().zip(key) {
                    line.0[t % PANEL] = k;
                }
                for (panel, part) in value.chunks(PANEL).enumerate() {
                    values[head * panels + panel][t].0[..part.len()].copy_from_slice(part);
                }
            }
            Store::Bf16 { keys, values } => {
                let lines = &mut keys[head][t / PANEL * width.div_ceil(2)..];
                for (i, &k) in key.iter().enumerate() {
                    put(&mut lines[i / 2], t % PANEL, i % 2, k);
                }
                for (i, &v) in value.iter().enumerate() {
                    put(&mut values[head * panels + i / PANEL][t / 2], i % PANEL, t % 2, v);
                }
            }
        }
    }
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
        KvCache::with_precision(heads, width, capacity, CachePrecision::F32)
    }

    /// As [`new`](Self::new), held in `precision`.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn with_precision(heads: usize, width: usize, capacity: usize, precision: CachePrecision) -> Self {
        let capacity = capacity.next_multiple_of(PANEL);
        let panels = heads * width.div_ceil(PANEL);
        let store = match precision {
            CachePrecision::F32 => Store::F32 { keys: vec![Vec::new(); heads], values: vec![Vec::new(); panels] },
            CachePrecision::Bf16 => Store::Bf16 { keys: vec![Vec::new(); heads], values: vec![Vec::new(); panels] },
        };
        KvCache { heads, width, capacity, len: 0, store }
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> usize {
        let lines = match &self.store {
            Store::F32 { keys, values } => keys.iter().chain(values).map(Vec::len).sum::<usize>(),
            Store::Bf16 { keys, values } => keys.iter().chain(values).map(Vec::len).sum(),
        };
        lines * 64
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
        self.store.grow(self.len + count, self.width, self.capacity);
        for row in 0..count {
            let key = &keys[row * stride..][..d];
            let value = &values[row * stride..][..d];
            let both = key.chunks_exact(self.width).zip(value.chunks_exact(self.width));
            for (head, (key, value)) in both.enumerate() {
                self.store.put(head, self.len + row, key, value);
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
        let size = count * row_len;
        scores.resize(self.heads * size, 0.0);
        let feature_panels = self.width.div_ceil(PANEL);
        let out = Out::new(out, count, d, d);
        // Each head has scratch of its own and writes its own columns.
        let scratch: Vec<Mutex<&mut [f32]>> = scores.chunks_exact_mut(size).map(Mutex::new).collect();
        let one = |head: usize| {
            let Ok(mut scores) = scratch[head].lock() else { return };
            let q = Rows::new(&queries[head * self.width..], count, stride, self.width);
            let to = Out::new(&mut scores, count, row_len, self.len);
            match &self.store {
                Store::F32 { keys, .. } => {
                    let keys = Panels::new(&keys[head], self.width, self.width);
                    kernels::mul_f32(isa, q, keys, 0..row_len / PANEL, to);
                }
                Store::Bf16 { keys, .. } => {
                    let pairs = self.width.div_ceil(2);
                    kernels::mul_bf16(isa, q, Panels::new(&keys[head], pairs, pairs), 0..row_len / PANEL, to);
                }
            }
            for (i, row) in scores.chunks_exact_mut(row_len).enumerate() {
                let seen = seen(i);
                elementwise::softmax(isa, &mut row[..seen], factor);
                row[seen..].fill(0.0);
            }
            let p = Rows::new(&scores, count, row_len, self.len);
            for panel in 0..feature_panels {
                let wide = PANEL.min(self.width - panel * PANEL);
                let to = out.columns(head * self.width + panel * PANEL, wide);
                match &self.store {
                    Store::F32 { values, .. } => {
                        let values = &values[head * feature_panels + panel];
                        kernels::mul_f32(isa, p, Panels::new(values, self.len, self.len), 0..1, to);
                    }
                    Store::Bf16 { values, .. } => {
                        let values = &values[head * feature_panels + panel];
                        let pairs = self.len.div_ceil(2);
                        kernels::mul_bf16(isa, p, Panels::new(values, pairs, pairs), 0..1, to);
                    }
                }
            }
        };
        if count * self.len * d < THREAD_WORK {
            (0..self.heads).for_each(one);
        } else {
            threads::for_each_part(self.heads, &one);
        }
    }
}

/// Products (queries × positions × features) below which one thread does all.
const THREAD_WORK: usize = 1 << 17;
