//! What recordings suffer: another balance, a narrow band, noise, a lossy codec, a driven stage. So that what is fitted on
//! renderings survives real sound.

use affetto_audio::{AudioError, resample};
use realfft::RealFftPlanner;

use crate::augment::dice::Dice;

/// Frames of the simulated codec's transform.
const TRANSFORM: usize = 1024;
/// Bands of the simulated codec.
const CODEC_BANDS: usize = 24;

/// Damages a mono sound of `rate` Hz the way `dice` fall: each kind with its own chance, in the order in which a recording
/// meets them.
///
/// # Errors
/// Resampling fails (a rate nothing can be resampled from).
pub fn damage(samples: &mut Vec<f32>, rate: u32, dice: &mut Dice) -> Result<(), AudioError> {
    if dice.chance(0.5) {
        tilt(samples, rate, dice.between(-6.0, 6.0));
    }
    if dice.chance(0.3) {
        drive(samples, dice.between(1.0, 4.0));
    }
    if dice.chance(0.5) {
        let snr_db = dice.between(12.0, 45.0);
        let color = dice.unit();
        noise(samples, snr_db, color, dice);
    }
    if dice.chance(0.3) {
        let narrow = *dice.pick(&[8_000, 11_025, 16_000, 22_050]);
        let frames = samples.len();
        *samples = resample(&resample(samples, rate, narrow)?, narrow, rate)?;
        samples.resize(frames, 0.0);
    }
    if dice.chance(0.5) {
        let (cutoff, mask_db) = (dice.between(7_000.0, 16_000.0), dice.between(8.0, 22.0));
        codec(samples, rate, cutoff, mask_db);
    }
    Ok(())
}

/// Lifts what is above about 1 kHz by `db`, and lowers the rest by as much.
fn tilt(samples: &mut [f32], rate: u32, db: f32) {
    let share = 1.0 - (-std::f32::consts::TAU * 1000.0 / rate.max(1) as f32).exp();
    let gain = 10f32.powf(db / 20.0);
    let mut low = 0.0;
    for x in samples {
        low += share * (*x - low);
        *x = low / gain + (*x - low) * gain;
    }
}

/// Drives a soft limiter, and gives the level back.
fn drive(samples: &mut [f32], gain: f32) {
    let peak = samples.iter().fold(1e-9f32, |m, x| m.max(x.abs()));
    samples.iter_mut().for_each(|x| *x = (*x / peak * gain).tanh() / gain.tanh() * peak);
}

/// Adds noise `snr_db` below the sound's mean power: white at `color` 0, brown at 1.
fn noise(samples: &mut [f32], snr_db: f32, color: f32, dice: &mut Dice) {
    let power = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>() / x.len().max(1) as f32;
    let mut before = 0.0;
    let keep = 0.98 * color;
    let hiss: Vec<f32> = (0..samples.len())
        .map(|_| {
            before = keep * before + dice.between(-1.0, 1.0);
            before
        })
        .collect();
    let gain = (power(samples) / power(&hiss).max(1e-12) / 10f32.powf(snr_db / 10.0)).sqrt();
    samples.iter_mut().zip(&hiss).for_each(|(x, n)| *x += gain * n);
}

/// What a transform codec leaves: nothing above `cutoff` Hz, and in each band steps of the size of the band's greatest
/// line less `mask_db`.
fn codec(samples: &mut [f32], rate: u32, cutoff: f32, mask_db: f32) {
    let (n, hop) = (TRANSFORM, TRANSFORM / 2);
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
    let window: Vec<f32> = (0..n).map(|i| (std::f32::consts::PI * (i as f32 + 0.5) / n as f32).sin()).collect();
    let last = ((cutoff / rate.max(1) as f32 * n as f32) as usize).min(n / 2);
    // Bands widen as the ear's do.
    let edge = |b: usize| ((last as f32 + 1.0).powf(b as f32 / CODEC_BANDS as f32)) as usize;
    let mask = 10f32.powf(-mask_db / 20.0);
    let mut out = vec![0.0; samples.len()];
    let (mut time, mut lines) = (forward.make_input_vec(), forward.make_output_vec());
    for start in (0..samples.len() + hop).step_by(hop) {
        for (i, x) in time.iter_mut().enumerate() {
            let at = (start + i).checked_sub(hop);
            *x = at.and_then(|at| samples.get(at)).map_or(0.0, |s| s * window[i]);
        }
        if forward.process(&mut time, &mut lines).is_err() {
            return;
        }
        for b in 0..CODEC_BANDS {
            let band = &mut lines[edge(b)..edge(b + 1).max(edge(b) + 1)];
            let greatest = band.iter().fold(0.0f32, |m, c| m.max(c.norm()));
            let step = greatest * mask;
            for line in band.iter_mut().filter(|_| step > 0.0) {
                let size = line.norm();
                *line *= (size / step).round() * step / size.max(1e-12);
            }
        }
        lines[(last + 1).min(n / 2)..].iter_mut().for_each(|line| *line *= 0.0);
        // The first and the last line of a real signal have no imaginary part.
        lines[0].im = 0.0;
        lines[n / 2].im = 0.0;
        if inverse.process(&mut lines, &mut time).is_err() {
            return;
        }
        for (i, x) in time.iter().enumerate() {
            if let Some(o) = (start + i).checked_sub(hop).and_then(|at| out.get_mut(at)) {
                *o += x * window[i] / n as f32;
            }
        }
    }
    samples.copy_from_slice(&out);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 44_100;

    fn tone(hz: f32) -> Vec<f32> {
        (0..20_000).map(|i| 0.3 * (std::f32::consts::TAU * hz * i as f32 / RATE as f32).sin()).collect()
    }

    fn power(x: &[f32]) -> f32 {
        x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32
    }

    #[test]
    fn a_codec_keeps_what_is_loud_and_drops_what_is_high() {
        let mut kept = tone(440.0);
        codec(&mut kept, RATE, 8000.0, 18.0);
        let off: Vec<f32> = kept.iter().zip(tone(440.0)).map(|(a, b)| a - b).collect();
        assert!(power(&off) < 0.02 * power(&kept), "{} of {}", power(&off), power(&kept));
        assert!(power(&off) > 0.0, "nothing was lost");
        let mut high = tone(12_000.0);
        codec(&mut high, RATE, 8000.0, 18.0);
        assert!(power(&high) < 1e-4 * power(&tone(12_000.0)));
    }

    #[test]
    fn noise_is_as_loud_as_asked() {
        let mut x = tone(440.0);
        let clean = x.clone();
        noise(&mut x, 20.0, 0.5, &mut Dice::new(&[1]));
        let added: Vec<f32> = x.iter().zip(&clean).map(|(a, b)| a - b).collect();
        assert!((power(&clean) / power(&added) / 100.0 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn damage_keeps_the_length_and_follows_the_dice() {
        for seed in 0..20 {
            let mut a = tone(500.0);
            damage(&mut a, RATE, &mut Dice::new(&[seed])).unwrap();
            assert!(a.len() == 20_000 && a.iter().all(|x| x.is_finite()));
            let mut b = tone(500.0);
            damage(&mut b, RATE, &mut Dice::new(&[seed])).unwrap();
            assert_eq!(a, b);
        }
    }
}
