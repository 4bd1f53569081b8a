//! The melody of a sound as MusicGen's melody models hear it: of each frame, the strongest pitch class.
//!
//! As transformers' feature extractor computes it, without the source separation that its authors put before: give
//! a melody alone, or music whose melody stands out.

use affetto_audio::power_spectrogram;

/// Pitch classes.
const CLASSES: usize = 12;
/// Frames whose spectra are held at once.
const BLOCK: usize = 64;

/// The chroma extractor.
pub struct Chroma {
    sample_rate: u32,
    n_fft: usize,
    hop: usize,
    /// Weight of each bin in each class, `[bins, 12]`; class 0 is C.
    filters: Vec<[f32; CLASSES]>,
}

impl Default for Chroma {
    /// The published models': 32 kHz, frames of 16384 samples, 4096 apart.
    fn default() -> Self {
        Chroma::new(32_000, 16_384, 4096)
    }
}

impl Chroma {
    /// An extractor for sound of `sample_rate`, frames of `n_fft` samples, `hop` apart.
    ///
    /// # Panics
    /// When `n_fft` is odd or 0, or not a multiple of twice the `hop` (programming errors, never data).
    pub fn new(sample_rate: u32, n_fft: usize, hop: usize) -> Self {
        assert!(n_fft > 0 && hop > 0 && n_fft.is_multiple_of(2 * hop), "n_fft must be a multiple of twice the hop");
        Chroma { sample_rate, n_fft, hop, filters: filters(sample_rate, n_fft) }
    }

    /// Samples a second of the sound it expects.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Frames a second.
    pub fn frame_rate(&self) -> f64 {
        f64::from(self.sample_rate) / self.hop as f64
    }

    /// The strongest pitch class of each frame, one-hot `[1 + samples / hop, 12]`; C for silence, and of equals the
    /// lowest. Sound shorter than a frame is set amid zeros.
    pub fn of(&self, samples: &[f32]) -> Vec<f32> {
        let half = self.n_fft / 2;
        let short = self.n_fft.saturating_sub(samples.len());
        let mut padded = vec![0.0; half + short / 2];
        padded.extend_from_slice(samples);
        padded.resize(half + samples.len() + short, 0.0);
        // Mirrored at both ends.
        let length = padded.len() - half;
        for i in 0..half {
            padded[half - 1 - i] = padded[half + 1 + i];
        }
        for i in 0..half {
            padded.push(padded[half + length - 2 - i]);
        }
        let frames = 1 + length / self.hop;
        let mut chroma = vec![0.0; frames * CLASSES];
        // The spectrogram pads too: its frame `inside` is the first that lies wholly within.
        let inside = half / self.hop;
        for (block, out) in chroma.chunks_mut(BLOCK * CLASSES).enumerate() {
            let count = out.len() / CLASSES;
            let from = block * BLOCK * self.hop;
            let window = &padded[from..from + (count - 1) * self.hop + self.n_fft];
            let spectra = power_spectrogram(window, self.n_fft, self.hop);
            for (i, out) in out.chunks_exact_mut(CLASSES).enumerate() {
                out[self.strongest(spectra.frame(inside + i))] = 1.0;
            }
        }
        chroma
    }

    fn strongest(&self, power: &[f32]) -> usize {
        let mut sums = [0.0f64; CLASSES];
        for (&p, weights) in power.iter().zip(&self.filters) {
            for (sum, &weight) in sums.iter_mut().zip(weights) {
                *sum += f64::from(p) * f64::from(weight);
            }
        }
        (1..CLASSES).fold(0, |best, class| if sums[class] > sums[best] { class } else { best })
    }
}

/// Each bin's weights: a bump around its pitch as wide as the bin (or a semitone), of length 1, times a wide bump around
/// the fifth octave above 27.5 Hz.
fn filters(sample_rate: u32, n_fft: usize) -> Vec<[f32; CLASSES]> {
    let classes = CLASSES as f64;
    // In semitones above A 27.5 Hz.
    let tone = |bin: usize| classes * (f64::from(sample_rate) * bin as f64 / n_fft as f64 / 27.5).log2();
    // 0 Hz is put one and a half octaves below the first bin.
    let tone = |bin: usize| if bin == 0 { tone(1) - 1.5 * classes } else { tone(bin) };
    (0..=n_fft / 2)
        .map(|bin| {
            let here = tone(bin);
            let width = if bin + 1 < n_fft { (tone(bin + 1) - here).max(1.0) } else { 1.0 };
            let bump = |class: usize| {
                let distance = (here - class as f64 + classes / 2.0).rem_euclid(classes) - classes / 2.0;
                (-0.5 * (2.0 * distance / width).powi(2)).exp()
            };
            let length = (0..CLASSES).map(|class| bump(class).powi(2)).sum::<f64>().sqrt();
            let octave = (-0.5 * ((here / classes - 5.0) / 2.0).powi(2)).exp();
            // Counted from A so far; C is three above.
            std::array::from_fn(|class| (bump((class + 3) % CLASSES) / length * octave) as f32)
        })
        .collect()
}
