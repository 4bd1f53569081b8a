//! Changing the sample rate.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use crate::{AudioError, Result};

/// Rates that are resampled, in Hz: slower ones hold no music, and cost memory by the ratio of the rates.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1000..=768_000;

/// Resamples one channel by a band-limited FFT filter (crate `rubato`), without delay.
///
/// The result has `round(len · to / from)` samples. Equal rates give the samples back unchanged.
///
/// # Errors
/// As [`StreamResampler::new`].
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    if from == to || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let mut stream = StreamResampler::new(from, to)?;
    let mut out = stream.push(samples)?;
    out.extend(stream.finish()?);
    Ok(out)
}

/// As [`resample()`], of a sound that comes in pieces: what all calls give together is the same.
pub struct StreamResampler {
    from: u32,
    to: u32,
    /// `None` between equal rates.
    filter: Option<Fft<f32>>,
    /// Samples that wait for a whole block.
    waiting: Vec<f32>,
    /// Samples taken so far.
    taken: u64,
    /// Samples given so far.
    given: u64,
    /// Samples of the filter's delay that are still to be left out.
    delay: usize,
}

impl StreamResampler {
    /// Makes the filter.
    ///
    /// # Errors
    /// A rate below 1 kHz or above 768 kHz, or rates whose ratio needs an unreasonably long filter (their greatest
    /// common divisor is tiny). Equal rates always serve.
    pub fn new(from: u32, to: u32) -> Result<StreamResampler> {
        let bad = |why: String| AudioError::Resample { from, to, why };
        let mut stream = StreamResampler { from, to, filter: None, waiting: Vec::new(), taken: 0, given: 0, delay: 0 };
        if from == to {
            return Ok(stream);
        }
        if !RATES_HZ.contains(&from) || !RATES_HZ.contains(&to) {
            return Err(bad(format!("rates must be {} to {} Hz", RATES_HZ.start(), RATES_HZ.end())));
        }
        // Blocks of an even number of output frames: half of one is the filter's delay, which must be
        // whole to be cut off exactly.
        let divisor = gcd(from, to);
        let (unit_in, unit_out) = ((from / divisor) as usize, (to / divisor) as usize);
        if unit_in.max(unit_out) > 96_000 {
            return Err(bad("the rates have too small a common divisor".into()));
        }
        let block = unit_in * (2048usize.div_ceil(unit_in.min(unit_out))).next_multiple_of(2);
        let window = WindowFunction::BlackmanHarris2;
        let filter = Fft::new_custom(from as usize, to as usize, block, 1, 1, window, FixedSync::Both)
            .map_err(|e| bad(e.to_string()))?;
        stream.delay = filter.output_delay();
        stream.filter = Some(filter);
        Ok(stream)
    }

    /// Takes the next samples; gives those that are settled by now.
    ///
    /// # Errors
    /// The filter refuses to go on.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        self.taken += samples.len() as u64;
        let Some(filter) = &mut self.filter else { return Ok(samples.to_vec()) };
        let bad = |why: String| AudioError::Resample { from: self.from, to: self.to, why };
        self.waiting.extend_from_slice(samples);
        let block = filter.input_frames_next();
        let mut out = Vec::new();
        for input in self.waiting.chunks_exact(block) {
            let input = SequentialSlice::new(input, 1, block).map_err(|e| bad(e.to_string()))?;
            let got = filter.process(&input, None).map_err(|e| bad(e.to_string()))?.take_data();
            let left_out = self.delay.min(got.len());
            self.delay -= left_out;
            out.extend_from_slice(&got[left_out..]);
        }
        let whole = self.waiting.len() / block * block;
        self.waiting.drain(..whole);
        self.given += out.len() as u64;
        Ok(out)
    }

    /// The end: gives what is left.
    ///
    /// # Errors
    /// As [`StreamResampler::push`].
    pub fn finish(mut self) -> Result<Vec<f32>> {
        let Some(block) = self.filter.as_ref().map(Resampler::input_frames_next) else { return Ok(Vec::new()) };
        let length = (u128::from(self.taken) * u128::from(self.to) + u128::from(self.from) / 2) / u128::from(self.from);
        let before = self.given;
        let left = (length as u64).saturating_sub(before) as usize;
        let mut out = Vec::with_capacity(left);
        while out.len() < left {
            let silence = vec![0.0; block - self.waiting.len()];
            out.extend(self.push(&silence)?);
        }
        out.truncate(left);
        Ok(out)
    }
}

/// Greatest common divisor (Euclid).
fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let x: Vec<f32> = (0..50_000).map(|i| (i as f32 * 0.07).sin() * 0.5).collect();
        for (from, to) in [(44_100, 16_000), (8_000, 22_050), (48_000, 48_000), (22_050, 44_100)] {
            let whole = resample(&x, from, to).unwrap();
            let length = (x.len() as u64 * u64::from(to) + u64::from(from) / 2) / u64::from(from);
            assert_eq!(whole.len() as u64, length);
            let mut stream = StreamResampler::new(from, to).unwrap();
            let mut out = Vec::new();
            for piece in x.chunks(777) {
                out.extend(stream.push(piece).unwrap());
            }
            out.extend(stream.finish().unwrap());
            assert_eq!(out, whole, "{from} to {to}");
        }
    }
}
