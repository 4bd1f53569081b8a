//! Loudness (EBU R 128 / ITU-R BS.1770-4) and bringing a sound to a wanted loudness.

use ebur128::{EbuR128, Mode};

use crate::limiter::{for_each_channel, limit, per_channel};
use crate::{AudioBuffer, AudioError, Result, true_peak};

/// The loudness this project aims at, in LUFS.
pub const TARGET_LUFS: f64 = -16.0;
/// The true peak this project stays below, in dBFS.
pub const TRUE_PEAK_CEILING_DBFS: f64 = -1.0;

/// Integrated loudness in LUFS, gated; `-inf` for silence. Sound shorter than the meter's 400 ms
/// block is judged as if it were repeated.
///
/// # Errors
/// No channels, more than the meter takes, or a sample rate it refuses.
pub fn integrated_lufs(audio: &AudioBuffer) -> Result<f64> {
    let mut meter = LoudnessMeter::new(audio.sample_rate, audio.channels.len())?;
    let frames = audio.frames();
    if frames == 0 {
        return Ok(f64::NEG_INFINITY);
    }
    let block = (audio.sample_rate as usize * 2).div_ceil(5);
    let repeats = if frames <= block { block / frames + 2 } else { 1 };
    for _ in 0..repeats {
        meter.push(audio)?;
    }
    meter.integrated_lufs()
}

/// Measures the loudness of a sound that comes in blocks.
pub struct LoudnessMeter {
    meter: EbuR128,
    sample_rate: u32,
    channels: usize,
}

impl LoudnessMeter {
    /// A meter for sound of this rate and number of channels.
    ///
    /// # Errors
    /// No channels, more than the meter takes, or a sample rate it refuses.
    pub fn new(sample_rate: u32, channels: usize) -> Result<LoudnessMeter> {
        let refuse = |why: String| AudioError::Loudness { channels, sample_rate, why };
        let meter = EbuR128::new(channels as u32, sample_rate, Mode::I).map_err(|e| refuse(e.to_string()))?;
        Ok(LoudnessMeter { meter, sample_rate, channels })
    }

    /// Measures the next block.
    ///
    /// # Errors
    /// Another number of channels than the meter was made for.
    pub fn push(&mut self, block: &AudioBuffer) -> Result<()> {
        let planes: Vec<&[f32]> = block.channels.iter().map(|c| &c[..block.frames()]).collect();
        self.meter.add_frames_planar_f32(&planes).map_err(|e| self.refuse(e.to_string()))
    }

    /// Loudness of all blocks so far in LUFS, gated; `-inf` for silence and below 400 ms.
    ///
    /// # Errors
    /// The meter refuses.
    pub fn integrated_lufs(&self) -> Result<f64> {
        self.meter.loudness_global().map_err(|e| self.refuse(e.to_string()))
    }

    fn refuse(&self, why: String) -> AudioError {
        AudioError::Loudness { channels: self.channels, sample_rate: self.sample_rate, why }
    }
}

/// The true peak of all channels, in dBFS; `-inf` for silence.
pub fn true_peak_dbfs(audio: &AudioBuffer) -> f64 {
    let peak = per_channel(&audio.channels, true_peak).into_iter().fold(0.0f32, f32::max);
    20.0 * f64::from(peak).log10()
}

/// What [`normalize`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalized {
    /// Integrated loudness before, in LUFS.
    pub before_lufs: f64,
    /// Gain that was applied to everything, in dB.
    pub gain_db: f64,
    /// The most the limiter took away anywhere, in dB (0 = it did nothing).
    pub limited_db: f64,
    /// True peak after, in dBFS (an upper bound where the limiter did nothing).
    pub true_peak_dbfs: f64,
}

/// Brings a sound to `target_lufs` (usually [`TARGET_LUFS`]) with a true peak of at most
/// `ceiling_dbfs` (usually [`TRUE_PEAK_CEILING_DBFS`]): one gain for everything, then, only where
/// that pushes a peak above the ceiling, the look-ahead limiter; what the limiter took from
/// the loudness is given back in at most two more rounds. Silence stays as it is.
///
/// # Errors
/// As [`integrated_lufs`].
pub fn normalize(audio: &mut AudioBuffer, target_lufs: f64, ceiling_dbfs: f64) -> Result<Normalized> {
    let before_lufs = integrated_lufs(audio)?;
    let ceiling = 10f64.powf(ceiling_dbfs / 20.0) as f32;
    let mut done = Normalized { before_lufs, gain_db: 0.0, limited_db: 0.0, true_peak_dbfs: f64::NEG_INFINITY };
    if !before_lufs.is_finite() {
        return Ok(done);
    }
    let mut gain_db = target_lufs - before_lufs;
    // A round of limiting makes the sound softer: up to two more rounds give back what it took.
    for round in 0..3 {
        let gain = 10f64.powf(gain_db / 20.0) as f32;
        for_each_channel(&mut audio.channels, |c| c.iter_mut().for_each(|x| *x *= gain));
        done.gain_db += gain_db;
        let least = limit(audio, ceiling);
        done.limited_db -= 20.0 * f64::from(least).log10();
        if least >= 0.95 || round == 2 {
            break;
        }
        gain_db = target_lufs - integrated_lufs(audio)?;
        if gain_db < 0.2 {
            break;
        }
    }
    done.true_peak_dbfs = true_peak_dbfs(audio);
    if done.true_peak_dbfs > ceiling_dbfs {
        audio.scale(10f64.powf((ceiling_dbfs - 0.01 - done.true_peak_dbfs) / 20.0) as f32);
        done.true_peak_dbfs = ceiling_dbfs - 0.01;
    }
    Ok(done)
}
