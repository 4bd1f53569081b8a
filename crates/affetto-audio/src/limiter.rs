//! A look-ahead limiter for inter-sample peaks.
//!
//! The gain is worked out on a grid of 32-frame blocks: what each block needs, the minimum over the
//! look-ahead on both sides, a slow release, then two moving averages no wider than the look-ahead.
//! So the gain is smooth, and nowhere above what the block needs.

use crate::AudioBuffer;
use crate::true_peak::{BLOCK, peaks_above};

/// Look-ahead on each side, in blocks (8 blocks are 5.8 ms at 44.1 kHz).
const LOOK: usize = 8;

/// Limits the true peak of all channels together to `ceiling` (linear). Returns the smallest gain
/// that was applied, 1 where the sound was left as it was.
pub fn limit(audio: &mut AudioBuffer, ceiling: f32) -> f32 {
    let frames = audio.frames();
    // Gain moves inside a block lift peaks a hair: aim 0.05 dB lower.
    let aim = ceiling * 0.9943;
    let peaks = per_channel(&audio.channels, |c| peaks_above(&c[..frames], ceiling));
    let blocks = frames.div_ceil(BLOCK);
    let mut need = vec![1.0f32; blocks];
    for channel in &peaks {
        for (n, &p) in need.iter_mut().zip(channel) {
            if p > ceiling {
                *n = n.min(aim / p);
            }
        }
    }
    if need.iter().all(|&n| n >= 1.0) {
        return 1.0;
    }
    let knots = smooth(&need, release(audio.sample_rate));
    for_each_channel(&mut audio.channels, |channel| {
        for (block, chunk) in channel[..frames].chunks_mut(BLOCK).enumerate() {
            let (a, b) = (knots[block], knots[block + 1]);
            if a < 1.0 || b < 1.0 {
                let step = (b - a) / BLOCK as f32;
                for (i, x) in chunk.iter_mut().enumerate() {
                    *x *= a + step * i as f32;
                }
            }
        }
    });
    knots.iter().fold(1.0, |m, &k| m.min(k))
}

/// Share of the way back to 1 that a block takes: 120 ms to recover by 63 %.
fn release(sample_rate: u32) -> f32 {
    1.0 - (-(BLOCK as f32) / (0.12 * sample_rate.max(1) as f32)).exp()
}

/// Gains at the block edges (`need.len() + 1` knots), each at most what both its blocks need.
fn smooth(need: &[f32], release: f32) -> Vec<f32> {
    let knots = need.len() + 1;
    // Minimum over the blocks within LOOK of the knot.
    let mut gain = vec![1.0f32; knots];
    for (b, &n) in need.iter().enumerate() {
        if n < 1.0 {
            for g in &mut gain[b.saturating_sub(LOOK)..(b + LOOK + 2).min(knots)] {
                *g = g.min(n);
            }
        }
    }
    let mut last = 1.0f32;
    for g in &mut gain {
        last = g.min(last + (1.0 - last) * release);
        *g = last;
    }
    average(&average(&gain, LOOK / 2), LOOK / 2)
}

/// Mean over `radius` knots on each side (cut at the ends).
fn average(x: &[f32], radius: usize) -> Vec<f32> {
    (0..x.len())
        .map(|i| {
            let near = &x[i.saturating_sub(radius)..(i + radius + 1).min(x.len())];
            near.iter().sum::<f32>() / near.len() as f32
        })
        .collect()
}

/// `f` of every channel, each on a thread of its own where there are several.
pub(crate) fn per_channel<T: Send>(channels: &[Vec<f32>], f: impl Fn(&[f32]) -> T + Sync) -> Vec<T> {
    match channels {
        [] => Vec::new(),
        [only] => vec![f(only)],
        [first, rest @ ..] => std::thread::scope(|scope| {
            let f = &f;
            let others: Vec<_> = rest.iter().map(|c| scope.spawn(move || f(c))).collect();
            let mut all = vec![f(first)];
            all.extend(others.into_iter().map(|t| match t.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }));
            all
        }),
    }
}

/// Changes every channel, each on a thread of its own where there are several.
pub(crate) fn for_each_channel(channels: &mut [Vec<f32>], f: impl Fn(&mut [f32]) + Sync) {
    if let [first, rest @ ..] = channels {
        std::thread::scope(|scope| {
            let f = &f;
            for channel in rest {
                scope.spawn(move || f(channel));
            }
            f(first);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::true_peak;

    #[test]
    fn holds_the_ceiling_and_leaves_quiet_parts_alone() {
        let x: Vec<f32> = (0..88_200)
            .map(|i| {
                let loud = if (30_000..31_000).contains(&i) { 1.5 } else { 0.3 };
                loud * (i as f32 * 0.31).sin()
            })
            .collect();
        let mut audio = AudioBuffer { sample_rate: 44_100, channels: vec![x.clone(), vec![0.1; 88_200]] };
        let least = limit(&mut audio, 0.5);
        assert!(least < 0.34 && least > 0.3, "{least}");
        assert!(true_peak(&audio.channels[0]) <= 0.5);
        assert_eq!(audio.channels[0][..20_000], x[..20_000]);
        // Both channels move together.
        assert!(audio.channels[1][30_500] < 0.04);
        assert!(audio.channels[1][80_000] > 0.097);
    }
}
