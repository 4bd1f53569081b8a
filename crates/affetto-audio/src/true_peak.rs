//! Inter-sample peaks by 4× oversampling (ITU-R BS.1770-4, annex 2).

use std::sync::OnceLock;

/// Oversampling factor.
const FACTOR: usize = 4;
/// Taps of each phase.
const TAPS: usize = 12;
/// Frames judged at once when looking for peaks.
pub(crate) const BLOCK: usize = 32;

/// The interpolation filter: phases 1, 2 and 3 of 4 (phase 0 is the samples themselves).
struct Phases {
    /// `[phase][tap]`: the value between samples `n` and `n + 1` is `Σ taps[t] · x[n - 5 + t]`.
    taps: [[f32; TAPS]; FACTOR - 1],
    /// Largest sum of absolute taps: no value between samples exceeds this times the largest sample.
    bound: f32,
}

fn phases() -> &'static Phases {
    static PHASES: OnceLock<Phases> = OnceLock::new();
    PHASES.get_or_init(|| {
        let mut taps = [[0.0f32; TAPS]; FACTOR - 1];
        let mut bound = 1.0f32;
        for (p, row) in taps.iter_mut().enumerate() {
            let fraction = (p + 1) as f64 / FACTOR as f64;
            for (t, tap) in row.iter_mut().enumerate() {
                // Distance from the point to the sample, in samples; Hann-windowed sinc.
                let d = (t as f64 - 5.0) - fraction;
                let window = 0.5 + 0.5 * (std::f64::consts::PI * d / 6.0).cos();
                let sinc = (std::f64::consts::PI * d).sin() / (std::f64::consts::PI * d);
                *tap = (sinc * window) as f32;
            }
            bound = bound.max(row.iter().map(|x| x.abs()).sum());
        }
        Phases { taps, bound }
    })
}

/// Calls `found(block, peak)` with the true peak of every block of [`BLOCK`] frames whose true peak
/// may exceed `floor()`; blocks that cannot are skipped (their samples are too small).
fn scan(samples: &[f32], mut floor: impl FnMut() -> f32, mut found: impl FnMut(usize, f32)) {
    let phases = phases();
    let plain: Vec<f32> = samples.chunks(BLOCK).map(|c| c.iter().fold(0.0f32, |m, x| m.max(x.abs()))).collect();
    let mut padded = [0.0f32; BLOCK + TAPS];
    for block in 0..plain.len() {
        let near = plain[block.saturating_sub(1)..(block + 2).min(plain.len())].iter().fold(0.0f32, |m, &x| m.max(x));
        if near * phases.bound <= floor() {
            continue;
        }
        // padded[i] = x[start - 5 + i]; one block starts where the last one ended, so the gap to
        // the next block's first sample belongs to this block.
        let start = block * BLOCK;
        for (i, p) in padded.iter_mut().enumerate() {
            *p = (start + i).checked_sub(5).and_then(|at| samples.get(at)).copied().unwrap_or(0.0);
        }
        let mut peak = plain[block];
        for taps in &phases.taps {
            let mut sums = [0.0f32; BLOCK];
            for (t, &tap) in taps.iter().enumerate() {
                for (s, x) in sums.iter_mut().zip(&padded[t..t + BLOCK]) {
                    *s += tap * x;
                }
            }
            peak = sums.iter().fold(peak, |m, x| m.max(x.abs()));
        }
        found(block, peak);
    }
}

/// Largest inter-sample peak of one channel, linear (1 = full scale), never below the largest sample.
pub fn true_peak(samples: &[f32]) -> f32 {
    let peak = std::cell::Cell::new(samples.iter().fold(0.0f32, |m, x| m.max(x.abs())));
    scan(samples, || peak.get(), |_, p| peak.set(peak.get().max(p)));
    peak.get()
}

/// True peaks of the blocks of [`BLOCK`] frames, where they exceed `floor`; elsewhere 0.
pub(crate) fn peaks_above(samples: &[f32], floor: f32) -> Vec<f32> {
    let mut peaks = vec![0.0f32; samples.len().div_ceil(BLOCK)];
    scan(
        samples,
        || floor,
        |block, p| {
            if p > floor {
                peaks[block] = p;
            }
        },
    );
    peaks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_between_samples_is_found() {
        // A quarter of the sample rate, 45° off: samples ±0.707, true peak 1.
        let x: Vec<f32> = (0..4000).map(|i| (std::f32::consts::TAU * (i as f32 + 0.5) / 4.0).sin()).collect();
        let plain = x.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!((plain - 0.5f32.sqrt()).abs() < 1e-3);
        let tp = true_peak(&x[100..]);
        assert!((tp - 1.0).abs() < 0.08, "{tp}");
        assert_eq!(true_peak(&[]), 0.0);
    }

    #[test]
    fn agrees_with_the_crate_ebur128() {
        let mut state = 1u32;
        let x: Vec<f32> = (0..20_000)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state as f32 / u32::MAX as f32 - 0.5) * (0.2 + (i as f32 / 3000.0).sin().abs())
            })
            .collect();
        let mut meter = ebur128::EbuR128::new(1, 44_100, ebur128::Mode::TRUE_PEAK).unwrap();
        meter.add_frames_f32(&x).unwrap();
        let theirs = meter.true_peak(0).unwrap();
        let ours = f64::from(true_peak(&x));
        assert!((ours / theirs).log10().abs() * 20.0 < 0.1, "{ours} {theirs}");
    }
}
