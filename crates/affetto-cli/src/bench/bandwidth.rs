//! How many bytes of memory the processor reads in a second: the limit of a decoder that reads all its weights at each
//! step.

use std::time::Instant;

/// Larger than any processor's caches, in bytes.
const BUFFER_BYTES: usize = 512 << 20;
/// Readings; the fastest counts.
const READINGS: usize = 3;

/// Bytes read in a second by `threads` threads, each with a part of the buffer.
pub fn measure(threads: usize) -> f64 {
    let words = vec![1u64; BUFFER_BYTES / 8];
    let part = words.len().div_ceil(threads.max(1));
    let mut best = f64::INFINITY;
    for _ in 0..READINGS {
        let started = Instant::now();
        let sum: u64 = std::thread::scope(|scope| {
            let readers: Vec<_> = words.chunks(part).map(|part| scope.spawn(|| sum(part))).collect();
            readers.into_iter().map(|reader| reader.join().unwrap_or(0)).fold(0, u64::wrapping_add)
        });
        let seconds = started.elapsed().as_secs_f64();
        if std::hint::black_box(sum) > 0 {
            best = best.min(seconds);
        }
    }
    BUFFER_BYTES as f64 / best
}

/// Eight sums side by side, so that reading, not adding, takes the time.
fn sum(words: &[u64]) -> u64 {
    let mut sums = [0u64; 8];
    for eight in words.as_chunks::<8>().0 {
        for (sum, word) in sums.iter_mut().zip(eight) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.into_iter().fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_words_are_read() {
        assert_eq!(super::sum(&[3; 64]), 192);
    }
}
