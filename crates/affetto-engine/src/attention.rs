//! Multi-head attention over a cache of keys and values.

mod head;

use std::sync::Mutex;

use crate::kernels::{Bf16Line, F32Line, Out, PANEL, Rows};
use crate::threads;

use head::{Head, Line};

/// How keys and values are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum CachePrecision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bfloat16: half the memory and half the bytes read at each step.
    Bf16,
}

/// Keys and values of one sequence in one layer, laid out for the kernels. Memory is taken as positions come.
#[derive(Clone)]
pub struct KvCache {
    heads: usize,
    width: usize,
    capacity: usize,
    len: usize,
    store: Store,
}

/// The heads.
#[derive(Clone)]
enum Store {
    F32(Vec<Head<F32Line>>),
    Bf16(Vec<Head<Bf16Line>>),
}

/// Runs the same code for either kind of heads.
macro_rules! each {
    ($store:expr, $heads:ident => $body:expr) => {
        match $store {
            Store::F32($heads) => $body,
            Store::Bf16($heads) => $body,
        }
    };
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

impl Visible {
    /// Positions of `len` that query `i` sees.
    fn to(self, i: usize, len: usize) -> usize {
        match self {
            Visible::All => len,
            Visible::Causal { first } => first + i + 1,
        }
    }
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
        let store = match precision {
            CachePrecision::F32 => Store::F32(vec![Head::new(width); heads]),
            CachePrecision::Bf16 => Store::Bf16(vec![Head::new(width); heads]),
        };
        KvCache { heads, width, capacity: capacity.next_multiple_of(PANEL), len: 0, store }
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> usize {
        each!(&self.store, heads => heads.iter().map(Head::lines).sum::<usize>() * 64)
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
        let (width, len, capacity) = (self.width, self.len, self.capacity);
        each!(&mut self.store, heads => for (n, head) in heads.iter_mut().enumerate() {
            head.grow(len + count, capacity);
            for row in 0..count {
                let at = row * stride + n * width;
                head.put(len + row, &keys[at..at + width], &values[at..at + width]);
            }
        });
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
        let (d, width, len) = (self.heads * self.width, self.width, self.len);
        assert!(out.len() >= count * d);
        if let Visible::Causal { first } = visible {
            assert!(count == 0 || first + count <= len);
        }
        if len == 0 || count == 0 {
            out[..count * d].fill(0.0);
            return;
        }
        let size = count * len.next_multiple_of(PANEL);
        scores.resize(self.heads * size, 0.0);
        let out = Out::new(out, count, d, d);
        // Each head has scratch of its own and writes its own columns.
        let scratch: Vec<Mutex<&mut [f32]>> = scores.chunks_exact_mut(size).map(Mutex::new).collect();
        each!(&self.store, heads => in_parallel(heads.len(), count * len * d, &|n| {
            let Ok(mut scores) = scratch[n].lock() else { return };
            let q = Rows::new(&queries[n * width..], count, stride, width);
            heads[n].attend(q, len, visible, &mut scores, out.columns(n * width, width));
        }));
    }
}

/// One sequence's share of [`read_on`].
pub struct Turn<'a> {
    /// What the sequence has read.
    pub cache: &'a mut KvCache,
    /// Its new positions: rows of queries, keys and values side by side, each `heads × width` numbers.
    pub qkv: &'a [f32],
    /// Where the answers go, `[count, heads × width]`.
    pub out: &'a mut [f32],
}

/// Adds `count` positions to each sequence and has their queries attend to all positions up to their own: what
/// [`KvCache::push`] and [`KvCache::attend`] do one after another, with the heads of all sequences shared among the
/// threads at once.
///
/// # Panics
/// When a cache has no room or a slice is too short.
pub fn read_on(turns: &mut [Turn], count: usize, scores: &mut Vec<f32>) {
    let size = |turn: &Turn| count * (turn.cache.len + count).next_multiple_of(PANEL);
    let total: usize = turns.iter().map(|turn| turn.cache.heads * size(turn)).sum();
    scores.resize(total, 0.0);
    let mut rest = &mut scores[..];
    let mut parts = Vec::new();
    let mut work = 0;
    for turn in turns.iter_mut().filter(|_| count > 0) {
        let size = size(turn);
        let KvCache { heads, width, capacity, len: first, store } = &mut *turn.cache;
        let d = *heads * *width;
        assert!(*first + count <= *capacity, "the cache is full");
        assert!(turn.qkv.len() >= count * 3 * d && turn.out.len() >= count * d);
        let share = Share { qkv: turn.qkv, d, width: *width, count, first: *first, capacity: *capacity };
        *first += count;
        work += count * *first * d;
        let out = Out::new(turn.out, count, d, d);
        let mut add = |n: usize, head| {
            let (scores, left) = std::mem::take(&mut rest).split_at_mut(size);
            rest = left;
            parts.push(Mutex::new((head, n, share, scores, out.columns(n * share.width, share.width))));
        };
        match store {
            Store::F32(heads) => heads.iter_mut().enumerate().for_each(|(n, head)| add(n, OneHead::F32(head))),
            Store::Bf16(heads) => heads.iter_mut().enumerate().for_each(|(n, head)| add(n, OneHead::Bf16(head))),
        }
    }
    in_parallel(parts.len(), work, &|i| {
        let Ok(mut part) = parts[i].lock() else { return };
        let (head, n, share, scores, out) = &mut *part;
        match head {
            OneHead::F32(head) => share.read_on(*n, head, scores, *out),
            OneHead::Bf16(head) => share.read_on(*n, head, scores, *out),
        }
    });
}

enum OneHead<'a> {
    F32(&'a mut Head<F32Line>),
    Bf16(&'a mut Head<Bf16Line>),
}

/// What the heads of a [`Turn`] have in common.
#[derive(Clone, Copy)]
struct Share<'a> {
    qkv: &'a [f32],
    d: usize,
    width: usize,
    count: usize,
    first: usize,
    capacity: usize,
}

impl Share<'_> {
    fn read_on<L: Line>(&self, n: usize, head: &mut Head<L>, scores: &mut [f32], out: Out) {
        let &Share { qkv, d, width, count, first, capacity } = self;
        let len = first + count;
        head.grow(len, capacity);
        for (row, qkv) in qkv.chunks_exact(3 * d).take(count).enumerate() {
            let at = |part: usize| part * d + n * width..part * d + (n + 1) * width;
            head.put(first + row, &qkv[at(1)], &qkv[at(2)]);
        }
        let q = Rows::new(&qkv[n * width..], count, 3 * d, width);
        head.attend(q, len, Visible::Causal { first }, scores, out);
    }
}

/// `job(0) … job(parts - 1)`, on all threads where there is enough `work`: queries × positions × features.
fn in_parallel(parts: usize, work: usize, job: &(dyn Fn(usize) + Sync)) {
    if work < THREAD_WORK {
        (0..parts).for_each(job);
    } else {
        threads::for_each_part(parts, job);
    }
}

/// Products (queries × positions × features) below which one thread does all.
const THREAD_WORK: usize = 1 << 15;
