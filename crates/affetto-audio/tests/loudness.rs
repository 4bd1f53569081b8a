//! Loudness and normalisation on synthetic sound.

use affetto_audio::loudness::{integrated_lufs, normalize, true_peak_dbfs};
use affetto_audio::{AudioBuffer, AudioError};

fn sine(seconds: f64, amplitude: f32) -> AudioBuffer {
    let n = (44_100.0 * seconds) as usize;
    let x: Vec<f32> = (0..n).map(|i| amplitude * (std::f32::consts::TAU * 997.0 * i as f32 / 44_100.0).sin()).collect();
    AudioBuffer { sample_rate: 44_100, channels: vec![x.clone(), x] }
}

#[test]
fn a_stereo_sine_at_full_scale_is_about_zero_lufs() {
    // EBU Tech 3341: a 1 kHz stereo sine at -23 dBFS reads -23 LUFS.
    let lufs = integrated_lufs(&sine(3.0, 10f32.powf(-23.0 / 20.0))).unwrap();
    assert!((lufs + 23.0).abs() < 0.1, "{lufs}");
    // Even when shorter than one block.
    let short = integrated_lufs(&sine(0.1, 10f32.powf(-23.0 / 20.0))).unwrap();
    assert!((short + 23.0).abs() < 0.3, "{short}");
}

#[test]
fn normalize_hits_the_target_below_the_ceiling() {
    let mut soft = sine(2.0, 0.01);
    normalize(&mut soft, -16.0, -1.0).unwrap();
    assert!((integrated_lufs(&soft).unwrap() + 16.0).abs() < 0.1);

    // Clicks over a soft tone: a plain gain would clip.
    let mut spiky = sine(4.0, 0.02);
    for channel in &mut spiky.channels {
        for i in (0..channel.len()).step_by(11_025) {
            channel[i] = 0.9;
        }
    }
    let done = normalize(&mut spiky, -16.0, -1.0).unwrap();
    assert!(done.limited_db > 3.0, "{done:?}");
    assert!(true_peak_dbfs(&spiky) <= -0.99, "{}", true_peak_dbfs(&spiky));
    let lufs = integrated_lufs(&spiky).unwrap();
    assert!((lufs + 16.0).abs() < 0.5, "{lufs} {done:?}");
}

#[test]
fn silence_stays_silent_and_nothing_is_refused_clearly() {
    let mut silence = AudioBuffer::silence(44_100, 2, 44_100);
    normalize(&mut silence, -16.0, -1.0).unwrap();
    assert_eq!(silence.peak(), 0.0);
    let none = AudioBuffer { sample_rate: 44_100, channels: vec![] };
    assert!(matches!(integrated_lufs(&none), Err(AudioError::Loudness { .. })));
}
