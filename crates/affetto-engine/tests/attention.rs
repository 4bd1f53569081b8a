//! Attention over the cache against a plain computation in double precision.

use affetto_engine::attention::{CachePrecision, KvCache, Turn, Visible, read_on};

/// Columns of a panel.
const PANEL: usize = 16;

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32) / (1u32 << 22) as f32 - 2.0
        })
        .collect()
}

struct Case {
    heads: usize,
    width: usize,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Case {
    fn new(heads: usize, width: usize, queries: usize, positions: usize) -> Self {
        let d = heads * width;
        Case { heads, width, q: numbers(queries * d, 1), k: numbers(positions * d, 2), v: numbers(positions * d, 3) }
    }

    /// One query's answer over the first `seen` positions.
    fn plain(&self, query: usize, seen: usize) -> Vec<f64> {
        let d = self.heads * self.width;
        let mut out = vec![0.0; d];
        for h in 0..self.heads {
            let part = h * self.width..(h + 1) * self.width;
            let weights: Vec<f64> = (0..seen)
                .map(|t| {
                    let products =
                        part.clone().map(|c| f64::from(self.q[query * d + c]) * f64::from(self.k[t * d + c]));
                    (products.sum::<f64>() / (self.width as f64).sqrt()).exp()
                })
                .collect();
            let total: f64 = weights.iter().sum();
            for c in part {
                out[c] = (0..seen).map(|t| weights[t] / total * f64::from(self.v[t * d + c])).sum();
            }
        }
        out
    }
}

fn close(got: &[f32], want: &[f64]) {
    for (g, w) in got.iter().zip(want) {
        assert!((f64::from(*g) - w).abs() < 1e-5, "{g}, expected {w}");
    }
}

#[test]
fn widths_and_lengths_of_every_kind() {
    for (heads, width, positions) in [(1, 1, 1), (2, 6, 5), (3, 16, 16), (4, 64, 37), (2, 20, 100), (1, 40, 33)] {
        let case = Case::new(heads, width, positions, positions);
        let d = heads * width;
        let mut cache = KvCache::new(heads, width, positions);
        let (mut scores, mut out) = (Vec::new(), vec![f32::NAN; positions * d]);
        // Pushed in two parts.
        let first = positions / 3;
        cache.push(&case.k, &case.v, d, first);
        cache.push(&case.k[first * d..], &case.v[first * d..], d, positions - first);

        cache.attend(&case.q, d, positions, Visible::All, &mut scores, &mut out);
        for (i, out) in out.chunks_exact(d).enumerate() {
            close(out, &case.plain(i, positions));
        }
        cache.attend(&case.q, d, positions, Visible::Causal { first: 0 }, &mut scores, &mut out);
        for (i, out) in out.chunks_exact(d).enumerate() {
            close(out, &case.plain(i, i + 1));
        }
        // The last query alone has the same bits.
        let (last, mut one) = (positions - 1, vec![0.0; d]);
        cache.attend(&case.q[last * d..], d, 1, Visible::Causal { first: last }, &mut scores, &mut one);
        assert_eq!(one, out[last * d..]);
    }
}

#[test]
fn forgotten_positions_do_not_count() {
    let case = Case::new(2, 8, 1, 40);
    let mut cache = KvCache::new(2, 8, 40);
    cache.push(&case.v, &case.k, 16, 40);
    cache.truncate(3);
    cache.truncate(30);
    assert_eq!(cache.len(), 3);
    cache.truncate(0);
    let (mut scores, mut out) = (Vec::new(), vec![f32::NAN; 16]);
    cache.attend(&case.q, 16, 1, Visible::All, &mut scores, &mut out);
    assert_eq!(out, [0.0; 16], "nothing to see gives zeros");
    cache.push(&case.k, &case.v, 16, 21);
    cache.attend(&case.q, 16, 1, Visible::All, &mut scores, &mut out);
    close(&out, &case.plain(0, 21));
}

#[test]
fn a_bfloat16_cache_is_near_and_grows_step_by_step_to_the_same_bits() {
    for (heads, width, positions) in [(1, 1, 1), (2, 5, 7), (3, 17, 33), (4, 64, 130)] {
        let d = heads * width;
        let case = Case::new(heads, width, 2, positions);
        let mut whole = KvCache::with_precision(heads, width, positions, CachePrecision::Bf16);
        whole.push(&case.k, &case.v, d, positions);
        let mut steps = KvCache::with_precision(heads, width, positions + 500, CachePrecision::Bf16);
        // What was forgotten leaves no trace.
        steps.push(&case.v, &case.k, d, positions);
        steps.truncate(0);
        for t in 0..positions {
            steps.push(&case.k[t * d..], &case.v[t * d..], d, 1);
        }
        let mut exact = KvCache::new(heads, width, positions);
        exact.push(&case.k, &case.v, d, positions);
        let (mut a, mut b) = (vec![0.0; 2 * d], vec![0.0; 2 * d]);
        whole.attend(&case.q, d, 2, Visible::All, &mut Vec::new(), &mut a);
        steps.attend(&case.q, d, 2, Visible::All, &mut Vec::new(), &mut b);
        assert_eq!(a, b);
        for query in 0..2 {
            for (got, want) in a[query * d..].iter().zip(case.plain(query, positions)) {
                assert!((f64::from(*got) - want).abs() < 0.05, "{got}, expected {want}");
            }
        }
        assert!(
            2 * whole.bytes() <= exact.bytes() + 128 * heads * (width + PANEL),
            "{} {}",
            whole.bytes(),
            exact.bytes()
        );
        assert!(steps.bytes() < 4 * whole.bytes() + 4096 * d, "memory comes as it is needed");
    }
}

#[test]
fn several_sequences_read_on_together_as_they_would_alone() {
    for precision in [CachePrecision::F32, CachePrecision::Bf16] {
        for (heads, width, before, count) in [(2, 20, [0, 37], 1), (3, 16, [5, 5], 3), (16, 64, [40, 200], 1)] {
            let d = heads * width;
            let qkv: Vec<Vec<f32>> = (0..2).map(|i| numbers(count * 3 * d, 7 + i)).collect();
            let start = || {
                before.map(|n| {
                    let mut cache = KvCache::with_precision(heads, width, n + count, precision);
                    cache.push(&numbers(n * d, 5), &numbers(n * d, 6), d, n);
                    cache
                })
            };
            let alone: Vec<Vec<f32>> = start()
                .iter_mut()
                .zip(&qkv)
                .map(|(cache, qkv)| {
                    let (first, mut out) = (cache.len(), vec![f32::NAN; count * d]);
                    cache.push(&qkv[d..], &qkv[2 * d..], 3 * d, count);
                    cache.attend(qkv, 3 * d, count, Visible::Causal { first }, &mut Vec::new(), &mut out);
                    out
                })
                .collect();
            let (mut caches, mut out) = (start(), vec![vec![f32::NAN; count * d]; 2]);
            let mut turns: Vec<Turn> =
                caches.iter_mut().zip(&qkv).zip(&mut out).map(|((cache, qkv), out)| Turn { cache, qkv, out }).collect();
            read_on(&mut turns, count, &mut Vec::new());
            assert_eq!(out, alone, "{precision:?} {heads} × {width}");
            assert_eq!(caches.map(|cache| cache.len()), before.map(|n| n + count));
        }
    }
}
