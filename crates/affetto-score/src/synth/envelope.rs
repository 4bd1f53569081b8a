//! Envelopes and oscillators as functions of time.

use super::region::EnvelopeTimes;

/// Shortest release, in seconds, so that no note ends in a click.
const MIN_RELEASE: f32 = 0.015;

/// `10^(-db/20)`.
pub(super) fn from_db(db: f32) -> f32 {
    10f32.powf(-db / 20.0)
}

/// Volume envelope at `t` seconds after the start of a note released at `release` seconds: linear
/// attack, decay and release linear in dB (100 dB in the time given), SoundFont 2.04, 8.1.2.
pub(super) fn volume(e: &EnvelopeTimes, t: f32, release: f32) -> f32 {
    if t > release {
        let fall = 100.0 * (t - release) / e.release.max(MIN_RELEASE);
        return held_volume(e, release) * from_db(fall);
    }
    held_volume(e, t)
}

fn held_volume(e: &EnvelopeTimes, t: f32) -> f32 {
    let t = t - e.delay;
    if t < 0.0 {
        return 0.0;
    }
    // Attacks shorter than the grid of blocks are instantaneous: the recording has its own.
    if t < e.attack && e.attack > 0.0025 {
        return t / e.attack;
    }
    let t = t - e.attack - e.hold;
    if t <= 0.0 {
        return 1.0;
    }
    let fall = if e.decay > 0.0 { (100.0 * t / e.decay).min(e.sustain) } else { e.sustain };
    from_db(fall)
}

/// Modulation envelope at `t` (0–1): every part linear.
pub(super) fn modulation(e: &EnvelopeTimes, t: f32, release: f32) -> f32 {
    let held = |t: f32| {
        let t = t - e.delay;
        if t < 0.0 {
            0.0
        } else if t < e.attack {
            t / e.attack
        } else {
            let t = t - e.attack - e.hold;
            if t <= 0.0 {
                1.0
            } else if e.decay > 0.0 {
                (1.0 - t / e.decay).max(e.sustain)
            } else {
                e.sustain
            }
        }
    };
    if t > release { (held(release) - (t - release) / e.release.max(MIN_RELEASE)).max(0.0) } else { held(t) }
}

/// Triangle of ±1 at `t` seconds, starting at 0 after `delay`.
pub(super) fn triangle(t: f32, delay: f32, hz: f32) -> f32 {
    let t = t - delay;
    if t <= 0.0 {
        return 0.0;
    }
    let phase = (t * hz + 0.25).fract();
    1.0 - 4.0 * (phase - 0.5).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volume_goes_up_holds_decays_and_releases() {
        let e = EnvelopeTimes { delay: 0.1, attack: 0.1, hold: 0.1, decay: 1.0, sustain: 20.0, release: 1.0 };
        assert_eq!(volume(&e, 0.05, 9.0), 0.0);
        assert!((volume(&e, 0.15, 9.0) - 0.5).abs() < 1e-5);
        assert_eq!(volume(&e, 0.25, 9.0), 1.0);
        assert!((volume(&e, 5.0, 9.0) - 0.1).abs() < 1e-6);
        assert!((volume(&e, 5.2, 5.0) - 0.01).abs() < 1e-5);
    }

    #[test]
    fn modulation_and_triangle_stay_in_range() {
        let e = EnvelopeTimes { delay: 0.0, attack: 0.5, hold: 0.0, decay: 1.0, sustain: 0.25, release: 0.5 };
        assert_eq!(modulation(&e, 0.25, 9.0), 0.5);
        assert_eq!(modulation(&e, 5.0, 9.0), 0.25);
        assert_eq!(modulation(&e, 9.5, 9.0), 0.0);
        assert!((triangle(0.25, 0.0, 1.0) - 1.0).abs() < 1e-6);
        assert!((triangle(0.75, 0.0, 1.0) + 1.0).abs() < 1e-6);
        assert_eq!(triangle(0.2, 0.5, 1.0), 0.0);
    }
}
