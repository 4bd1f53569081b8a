//! Sounds that are no music: what a predictor must not be sure about.

use crate::augment::dice::Dice;

/// Sounds until the kinds begin anew.
const KINDS: usize = 8;

/// The kind of sound number `index`: those of one kind are made alike. Steady noise, the first, comes up twice as often.
pub fn kind(index: usize) -> usize {
    (index % KINDS).max(1)
}

/// Mono sound number `index` of `seconds` at `rate` Hz: noise of several colours, clicks, hum, sirens, bursts, speech-like
/// babble. Equal numbers give equal sounds.
pub fn not_music(index: usize, seconds: f64, rate: u32) -> Vec<f32> {
    let mut dice = Dice::new(&[0x6e6f_6973, index as u64]);
    let frames = (seconds * f64::from(rate)) as usize;
    let kind = kind(index);
    let (low, high) = (dice.between(40.0, 120.0), dice.between(300.0, 3000.0));
    let (speed, keep) = (dice.between(0.1, 4.0), dice.unit() * 0.99);
    let (mut brown, mut phase, mut click) = (0.0f32, 0.0f32, 0usize);
    let tau = std::f32::consts::TAU;
    (0..frames)
        .map(|i| {
            let t = i as f32 / rate as f32;
            let white = dice.between(-1.0, 1.0);
            brown = keep * brown + (1.0 - keep) * white;
            match kind {
                // Steady noise, white to brown.
                1 => brown,
                // Clicks at odd times.
                2 => {
                    if click == 0 {
                        click = (rate as f32 * dice.between(0.05, 1.5)) as usize;
                        0.9
                    } else {
                        click -= 1;
                        0.0002 * white
                    }
                }
                // Mains hum and its harmonics.
                3 => (1..6).map(|k| (tau * low * k as f32 * t).sin() / k as f32).sum::<f32>() * 0.3 + 0.01 * white,
                // A siren.
                4 => {
                    phase += (low + high * (0.5 + 0.5 * (tau * speed * t).sin())) / rate as f32;
                    (tau * phase.fract()).sin() * 0.5
                }
                // Noise in waves: wind, sea, applause.
                5 => brown * (0.2 + (0.5 + 0.5 * (tau * speed * t * 0.3).sin()).powi(2)),
                // Bursts of noise: steps, typing.
                6 => white * (-(t * speed * 2.0).fract() * 25.0).exp(),
                // Babble: a buzz whose pitch and loudness wander as syllables do.
                _ => {
                    let pitch = 110.0 + 40.0 * (tau * 0.7 * speed * t).sin() + 25.0 * (tau * 2.3 * t).sin();
                    phase += pitch / rate as f32;
                    let syllable = (0.5 + 0.5 * (tau * 4.1 * t).sin()) * (0.6 + 0.4 * (tau * 0.9 * t).sin());
                    (2.0 * phase.fract() - 1.0) * syllable * 0.4 + 0.1 * brown * syllable
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_sound_and_differ() {
        let sounds: Vec<Vec<f32>> = (0..KINDS).map(|k| not_music(k, 1.0, 8000)).collect();
        for (k, sound) in sounds.iter().enumerate() {
            assert_eq!(sound.len(), 8000);
            assert!(sound.iter().all(|x| x.is_finite()) && sound.iter().any(|x| x.abs() > 0.05), "kind {k}");
            assert!(sounds[..k].iter().all(|other| other != sound));
        }
        assert_eq!(not_music(5, 1.0, 8000), sounds[5]);
    }
}
