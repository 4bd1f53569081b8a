//! The sound of Basic Pitch's golden, from the same formula as in `goldens/basic_pitch.py`.

/// An arpeggio of C major and its chord, six harmonics a note under a decaying envelope: mono at 22,050 Hz.
pub fn arpeggio(seconds: f64) -> Vec<f32> {
    const NOTES: [(f64, f64, i32); 8] = [
        (0.1, 0.4, 60),
        (0.5, 0.4, 64),
        (0.9, 0.4, 67),
        (1.3, 0.4, 72),
        (1.8, 1.7, 48),
        (1.8, 1.7, 60),
        (1.8, 1.7, 64),
        (1.8, 1.7, 67),
    ];
    let count = (seconds * 22_050.0) as usize;
    let mut sound = vec![0.0f64; count];
    for (start, length, key) in NOTES {
        let pitch = 440.0 * 2f64.powf(f64::from(key - 69) / 12.0);
        for (i, x) in sound.iter_mut().enumerate() {
            let t = i as f64 / 22_050.0;
            let u = t - start;
            if u <= 0.0 || t >= start + length {
                continue;
            }
            let envelope = (u / 0.01).min(1.0) * (-2.0 * u).exp() * ((start + length - t) / 0.02).min(1.0);
            let harmonic = |h: f64| (std::f64::consts::TAU * pitch * h * u).sin() / (h * h);
            *x += 0.12 * envelope * (1..=6).map(|h| harmonic(f64::from(h))).sum::<f64>();
        }
    }
    sound.into_iter().map(|x| x as f32).collect()
}
