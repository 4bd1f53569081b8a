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
/// A rate below 1 kHz or above 768 kHz, or rates whose ratio needs an unreasonably long filter (their
/// greatest common divisor is tiny).
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    let bad = |why: String| AudioError::Resample { from, to, why };
    if from == to || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    if !RATES_HZ.contains(&from) || !RATES_HZ.contains(&to) {
        return Err(bad(format!("rates must be {} to {} Hz", RATES_HZ.start(), RATES_HZ.end())));
    }
    let length = (samples.len() as u128 * u128::from(to) + u128::from(from) / 2) / u128::from(from);
    let length = usize::try_from(length).map_err(|_| bad("the result does not fit memory".into()))?;
    // Blocks of an even number of output frames: half of one is the filter's delay, which must be
    // whole to be cut off exactly.
    let divisor = gcd(from, to);
    let (unit_in, unit_out) = ((from / divisor) as usize, (to / divisor) as usize);
    if unit_in.max(unit_out) > 96_000 {
        return Err(bad("the rates have too small a common divisor".into()));
    }
    let block = unit_in * (2048usize.div_ceil(unit_in.min(unit_out))).next_multiple_of(2);
    let mut resampler = Fft::<f32>::new_custom(
        from as usize,
        to as usize,
        block,
        1,
        1,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )
    .map_err(|e| bad(e.to_string()))?;
    let input = SequentialSlice::new(samples, 1, samples.len()).map_err(|e| bad(e.to_string()))?;
    let out = resampler.process_all(&input, samples.len(), None).map_err(|e| bad(e.to_string()))?;
    let mut out = out.take_data();
    out.resize(length, 0.0);
    Ok(out)
}

/// Greatest common divisor (Euclid).
fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
