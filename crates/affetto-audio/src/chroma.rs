//! Pitch-class energy from a spectrogram.

use crate::stft::PowerSpectrogram;

/// Energy per pitch class (0 = C), `[frames][12]`, each frame scaled to a sum of 1 (all zeros where
/// the frame is silent). A bin's power goes to its two nearest pitch classes, weighted by distance;
/// bins below 55 Hz and above 5 kHz are left out. Tuning is A4 = 440 Hz.
pub fn chroma(spectrogram: &PowerSpectrogram, sample_rate: u32) -> Vec<[f32; 12]> {
    let weights: Vec<Option<(usize, f32)>> = (0..spectrogram.bins)
        .map(|bin| {
            let hz = f64::from(sample_rate) * bin as f64 / spectrogram.n_fft as f64;
            (55.0..=5000.0).contains(&hz).then(|| {
                let key = 69.0 + 12.0 * (hz / 440.0).log2();
                (key.floor().rem_euclid(12.0) as usize, (key - key.floor()) as f32)
            })
        })
        .collect();
    (0..spectrogram.frames)
        .map(|frame| {
            let mut sums = [0.0f32; 12];
            for (p, w) in spectrogram.frame(frame).iter().zip(&weights) {
                if let Some((class, rest)) = *w {
                    sums[class] += p * (1.0 - rest);
                    sums[(class + 1) % 12] += p * rest;
                }
            }
            let total: f32 = sums.iter().sum();
            if total > 0.0 { sums.map(|x| x / total) } else { sums }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stft::power_spectrogram;

    #[test]
    fn an_a_is_an_a() {
        let x: Vec<f32> = (0..16_000).map(|i| (std::f32::consts::TAU * 880.0 * i as f32 / 16_000.0).sin()).collect();
        let c = chroma(&power_spectrogram(&x, 4096, 2048), 16_000);
        let row = c[c.len() / 2];
        let best = (0..12).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        assert_eq!(best, 9);
        assert!(row[9] > 0.8 && (row.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    }
}
