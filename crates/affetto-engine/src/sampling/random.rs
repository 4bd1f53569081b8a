//! Random numbers that are a function of where they are used.

/// Gives a number for each (row, stream) of a take: the same seed and take give the same number there, whatever was
/// drawn before. So a take can be continued, or changed from some row on, with the rest of its chances unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterRng {
    key: u64,
}

/// The golden ratio's fraction in 64 bits: the usual step between counters.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A bijection of 64 bits in which every input bit changes every output bit with a chance near one half: two rounds of
/// multiply and shift.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

impl CounterRng {
    /// The numbers of take `take` under `seed`.
    pub fn new(seed: u64, take: u64) -> Self {
        CounterRng { key: mix(mix(seed.wrapping_add(STEP)).wrapping_add(take.wrapping_mul(STEP))) }
    }

    /// 64 random bits for a place.
    pub fn bits(&self, row: u64, stream: u64) -> u64 {
        let place = mix(self.key.wrapping_add(row.wrapping_add(1).wrapping_mul(STEP)));
        mix(place.wrapping_add(stream.wrapping_add(1).wrapping_mul(STEP)))
    }

    /// A number in [0, 1) for a place, in steps of 2⁻⁵³.
    pub fn uniform(&self, row: u64, stream: u64) -> f64 {
        (self.bits(row, stream) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_even_and_places_do_not_go_together() {
        let rng = CounterRng::new(7, 0);
        let (rows, streams) = (4000u64, 6u64);
        let mut bins = [0u32; 16];
        let mut product = 0.0;
        for row in 0..rows {
            for stream in 0..streams {
                let u = rng.uniform(row, stream);
                assert!((0.0..1.0).contains(&u));
                bins[(u * 16.0) as usize] += 1;
                product += (u - 0.5) * (rng.uniform(row, stream + 1) - 0.5);
                product += (u - 0.5) * (rng.uniform(row + 1, stream) - 0.5);
            }
        }
        let n = (rows * streams) as f64;
        let chi: f64 = bins.iter().map(|&b| (f64::from(b) - n / 16.0).powi(2) / (n / 16.0)).sum();
        assert!(chi < 45.0, "χ² of 15 degrees of freedom: {chi}");
        assert!((product / n).abs() < 0.003, "correlation {product}");
    }

    #[test]
    fn seeds_and_takes_differ_and_repeat() {
        let bits = |seed, take| CounterRng::new(seed, take).bits(3, 2);
        assert_eq!(bits(1, 0), bits(1, 0));
        let all = [bits(1, 0), bits(0, 1), bits(1, 1), bits(2, 0), bits(0, 0), bits(0, 2)];
        for (i, a) in all.iter().enumerate() {
            assert!(!all[i + 1..].contains(a));
        }
    }
}
