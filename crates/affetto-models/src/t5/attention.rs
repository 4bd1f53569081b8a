//! Attention with biases by relative position.

use affetto_engine::activation::softmax;

use super::config::T5Config;

/// The biases of all pairs of `n` positions, `[heads, n, n]` (query, key): `table` is `[buckets, heads]`.
pub(super) fn position_biases(config: &T5Config, table: &[f32], n: usize) -> Vec<f32> {
    let heads = config.num_heads;
    // The biases depend on key - query only.
    let buckets: Vec<usize> = (0..2 * n).map(|i| bucket(config, i as i64 - n as i64)).collect();
    let mut out = Vec::with_capacity(heads * n * n);
    for head in 0..heads {
        for query in 0..n {
            out.extend((0..n).map(|key| table[buckets[n + key - query] * heads + head]));
        }
    }
    out
}

/// The bucket of a key `distance` after the query: half the buckets for either direction; of those, the lower half for
/// exact distances, the rest for logarithmically wider ones. In f32, as PyTorch computes it.
fn bucket(config: &T5Config, distance: i64) -> usize {
    let half = config.relative_attention_num_buckets / 2;
    let exact = half / 2;
    let first = if distance > 0 { half } else { 0 };
    let distance = distance.unsigned_abs() as usize;
    if distance < exact {
        return first + distance;
    }
    let range = (config.relative_attention_max_distance as f64 / exact as f64).ln() as f32;
    let wide = (distance as f32 / exact as f32).ln() / range * (half - exact) as f32;
    first + (exact + wide as usize).min(half - 1)
}

/// softmax(q·Kᵀ + biases)·V: `qkv` is `[n, 3·heads·width]`, the answer `[n, heads·width]`.
pub(super) fn attend(config: &T5Config, qkv: &[f32], biases: &[f32], out: &mut [f32]) {
    let (heads, width) = (config.num_heads, config.d_kv);
    let inner = heads * width;
    let n = qkv.len() / (3 * inner);
    let mut scores = vec![0.0; n];
    let mut keys = vec![0.0; width * n];
    for head in 0..heads {
        // Keys by feature, so that the sums run over all keys at once.
        for (i, row) in qkv.chunks_exact(3 * inner).enumerate() {
            let key = &row[inner + head * width..][..width];
            key.iter().enumerate().for_each(|(f, &k)| keys[f * n + i] = k);
        }
        for query in 0..n {
            scores.copy_from_slice(&biases[(head * n + query) * n..][..n]);
            let q = &qkv[query * 3 * inner + head * width..][..width];
            for (&q, keys) in q.iter().zip(keys.chunks_exact(n)) {
                scores.iter_mut().zip(keys).for_each(|(s, k)| *s += q * k);
            }
            softmax(&mut scores);
            let out = &mut out[query * inner + head * width..][..width];
            out.fill(0.0);
            for (row, &p) in qkv.chunks_exact(3 * inner).zip(&scores) {
                let value = &row[2 * inner + head * width..][..width];
                out.iter_mut().zip(value).for_each(|(o, v)| *o += p * v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_grow_exactly_then_logarithmically() {
        let config = T5Config::default();
        let of = |distance| bucket(&config, distance);
        assert_eq!([of(0), of(-1), of(-7), of(-8), of(-15), of(-16)], [0, 1, 7, 8, 9, 10]);
        assert_eq!([of(1), of(7), of(8), of(127), of(128), of(5000)], [17, 23, 24, 31, 31, 31]);
        assert_eq!(of(-5000), 15);
    }
}
