//! Short-time Fourier transform.

use realfft::RealFftPlanner;

/// Power of a short-time Fourier transform, `[frames][bins]` in one row-major vector.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerSpectrogram {
    /// `|X|²`, row-major: `frames` rows of `bins`.
    pub power: Vec<f32>,
    /// Number of frames.
    pub frames: usize,
    /// Number of bins a frame: `n_fft / 2 + 1`.
    pub bins: usize,
    /// Length of the transform.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
}

impl PowerSpectrogram {
    /// One frame's powers, `[bins]`.
    pub fn frame(&self, index: usize) -> &[f32] {
        &self.power[index * self.bins..(index + 1) * self.bins]
    }
}

/// The periodic Hann window, `0.5 - 0.5 cos(2πi/n)`.
pub fn hann(n: usize) -> Vec<f32> {
    (0..n).map(|i| (0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / n as f64).cos()) as f32).collect()
}

/// Power spectrogram with a periodic Hann window of `n_fft`, centred: the signal is padded by
/// `n_fft / 2` zeros on both sides, so there are `1 + len / hop` frames (0 for no samples).
///
/// # Panics
/// If `n_fft` is 0 or odd, or `hop` is 0 (programming errors, never data).
pub fn power_spectrogram(samples: &[f32], n_fft: usize, hop: usize) -> PowerSpectrogram {
    assert!(n_fft > 0 && n_fft.is_multiple_of(2) && hop > 0, "n_fft must be even and hop positive");
    let bins = n_fft / 2 + 1;
    let frames = if samples.is_empty() { 0 } else { 1 + samples.len() / hop };
    let window = hann(n_fft);
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(n_fft);
    let mut input = fft.make_input_vec();
    let mut spectrum = fft.make_output_vec();
    let mut scratch = fft.make_scratch_vec();
    let mut power = vec![0.0f32; frames * bins];
    for (index, row) in power.chunks_exact_mut(bins).enumerate() {
        // Sample `start` of the padded signal is sample `start - n_fft/2` of the signal.
        let start = index * hop;
        for (i, (x, w)) in input.iter_mut().zip(&window).enumerate() {
            let at = (start + i).checked_sub(n_fft / 2);
            *x = at.and_then(|at| samples.get(at)).map_or(0.0, |s| s * w);
        }
        if fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch).is_ok() {
            for (p, c) in row.iter_mut().zip(&spectrum) {
                *p = c.re * c.re + c.im * c.im;
            }
        }
    }
    PowerSpectrogram { power, frames, bins, n_fft, hop }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_peaks_in_its_bin_with_the_known_power() {
        // Bin 8 of 64: amplitude 1 → |X|² = (n/4)² under a Hann window.
        let x: Vec<f32> = (0..640).map(|i| (std::f32::consts::TAU * 8.0 * i as f32 / 64.0).cos()).collect();
        let s = power_spectrogram(&x, 64, 16);
        assert_eq!((s.frames, s.bins), (41, 33));
        let row = s.frame(20);
        let best = (0..33).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        assert_eq!(best, 8);
        assert!((row[8] - 256.0).abs() < 0.1, "{}", row[8]);
        assert!(row[20] < 1e-4);
        assert_eq!(power_spectrogram(&[], 64, 16).frames, 0);
    }
}
