//! Mel bands on Slaney's scale (Slaney 1998, "Auditory Toolbox"): linear below 1 kHz, logarithmic above.

use crate::stft::{PowerSpectrogram, power_spectrogram};

/// What a log-mel picture is made of. The default is what MusiCNN takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MelSettings {
    /// Sample rate of the signal, in Hz.
    pub sample_rate: u32,
    /// Length of the transform.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Number of bands.
    pub bands: usize,
    /// Lowest frequency, in Hz.
    pub low: f64,
    /// Highest frequency, in Hz.
    pub high: f64,
}

impl Default for MelSettings {
    fn default() -> Self {
        MelSettings { sample_rate: 16_000, n_fft: 512, hop: 256, bands: 96, low: 0.0, high: 8000.0 }
    }
}

/// Hz to Slaney mels: 3 mels per 200 Hz up to 1 kHz, above it 27 mels per factor of 6.4.
pub fn to_mel(hz: f64) -> f64 {
    if hz < 1000.0 { hz * 3.0 / 200.0 } else { 15.0 + (hz / 1000.0).ln() * 27.0 / 6.4f64.ln() }
}

/// Slaney mels to Hz, the inverse of [`to_mel`].
fn to_hz(mel: f64) -> f64 {
    if mel < 15.0 { mel * 200.0 / 3.0 } else { 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp() }
}

/// Triangular mel bands, each of area 1 (in Hz), stored sparsely.
#[derive(Clone, Debug)]
pub struct MelFilterbank {
    /// Per band: first bin and weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
    bins: usize,
}

impl MelFilterbank {
    /// The bank for `settings`.
    pub fn new(settings: &MelSettings) -> Self {
        let bins = settings.n_fft / 2 + 1;
        let (low, high) = (to_mel(settings.low), to_mel(settings.high));
        let edge = |i: usize| to_hz(low + (high - low) * i as f64 / (settings.bands + 1) as f64);
        let hz = |bin: usize| f64::from(settings.sample_rate) * bin as f64 / settings.n_fft as f64;
        let bands = (0..settings.bands)
            .map(|b| {
                let (left, centre, right) = (edge(b), edge(b + 1), edge(b + 2));
                let weight = |bin: usize| {
                    let rise = (hz(bin) - left) / (centre - left);
                    let fall = (right - hz(bin)) / (right - centre);
                    (rise.min(fall).max(0.0) * 2.0 / (right - left)) as f32
                };
                let first = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
                let weights = (first..bins).map(weight).take_while(|&w| w > 0.0).collect();
                (first, weights)
            })
            .collect();
        MelFilterbank { bands, bins }
    }

    /// Number of bands.
    pub fn len(&self) -> usize {
        self.bands.len()
    }

    /// Whether there are no bands.
    pub fn is_empty(&self) -> bool {
        self.bands.is_empty()
    }

    /// Band powers of one frame of `n_fft / 2 + 1` powers, into `out` (`[bands]`).
    pub fn apply(&self, power: &[f32], out: &mut [f32]) {
        debug_assert_eq!(power.len(), self.bins);
        for ((first, weights), o) in self.bands.iter().zip(out) {
            *o = power[*first..].iter().zip(weights).map(|(p, w)| p * w).sum();
        }
    }

    /// Band powers of every frame, `[frames][bands]`, row-major.
    pub fn spectrogram(&self, spectrogram: &PowerSpectrogram) -> Vec<f32> {
        let mut out = vec![0.0; spectrogram.frames * self.len()];
        for (i, row) in out.chunks_exact_mut(self.len().max(1)).enumerate() {
            self.apply(spectrogram.frame(i), row);
        }
        out
    }
}

/// Log-mel picture of a mono signal: `log10(10000 x + 1)` of the band powers, `[frames][bands]`
/// row-major, with `1 + len / hop` frames. `samples` are at `settings.sample_rate`.
pub fn mel(samples: &[f32], settings: &MelSettings) -> Vec<f32> {
    let spectrogram = power_spectrogram(samples, settings.n_fft, settings.hop);
    let mut out = MelFilterbank::new(settings).spectrogram(&spectrogram);
    out.iter_mut().for_each(|x| *x = (10_000.0 * *x + 1.0).log10());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_and_bank_are_slaneys() {
        assert!((to_mel(1000.0) - 15.0).abs() < 1e-9);
        assert!((to_mel(6400.0) - 42.0).abs() < 1e-9);
        for hz in [0.0, 440.0, 999.0, 1001.0, 7000.0] {
            assert!((to_hz(to_mel(hz)) - hz).abs() < 1e-6);
        }
        let bank = MelFilterbank::new(&MelSettings::default());
        assert_eq!(bank.len(), 96);
        // Area 1: white power of 1 in bins of 31.25 Hz sums to about 1/31.25 in wide bands.
        let mut out = vec![0.0; 96];
        bank.apply(&vec![1.0; 257], &mut out);
        assert!((out[90] - 1.0 / 31.25).abs() < 1e-3, "{}", out[90]);
    }

    #[test]
    fn silence_is_zero_and_shape_is_right() {
        let m = mel(&vec![0.0; 1024], &MelSettings::default());
        assert_eq!(m.len(), 5 * 96);
        assert!(m.iter().all(|&x| x == 0.0));
    }
}
