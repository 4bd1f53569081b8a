//! Rendering with tiny SoundFonts made here, and with the one that ships.

mod fonts;
mod hostile;

use affetto_score::synth::tables::Tables;
use affetto_score::synth::{RenderOptions, SoundFont, SynthError, render};
use affetto_score::{Instrument, Score};
use fonts::{score, shipped, tables, tiny};

fn dry(seconds: Option<f64>) -> RenderOptions {
    RenderOptions { seconds, reverb: 0.0, chorus: 0.0, ..RenderOptions::default() }
}

fn font() -> SoundFont {
    SoundFont::from_bytes(tiny()).unwrap()
}

fn rms(x: &[f32]) -> f32 {
    (x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32).sqrt()
}

/// Frequency by counting upward zero crossings.
fn frequency(x: &[f32], rate: f32) -> f32 {
    let ups: Vec<usize> = (1..x.len()).filter(|&i| x[i - 1] < 0.0 && x[i] >= 0.0).collect();
    (ups.len() - 1) as f32 * rate / (ups[ups.len() - 1] - ups[0]) as f32
}

#[test]
fn tables_come_back_as_they_were_written() {
    let (mut wanted, samples) = tables();
    let file = wanted.write(&samples);
    let read = Tables::read(&file).unwrap();
    assert_eq!(file[read.sample_bytes.clone()], samples);
    wanted.sample_bytes = read.sample_bytes.clone();
    assert_eq!(read, wanted);
}

#[test]
fn pitch_time_and_velocity_are_right() {
    // A3, an octave above at half the velocity, 0.5 s each from 1 s and 2 s on.
    let audio = render(&font(), &score(&[(960, 480, 57, 120, 0), (1920, 480, 69, 60, 0)]), &dry(Some(4.0))).unwrap();
    assert_eq!((audio.frames(), audio.channels.len()), (176_400, 2));
    let left = &audio.channels[0];
    assert_eq!(rms(&left[..44_000]), 0.0);
    let (first, second) = (&left[46_000..66_000], &left[90_000..109_000]);
    assert!((frequency(first, 44_100.0) - 220.0).abs() < 0.5, "{}", frequency(first, 44_100.0));
    assert!((frequency(second, 44_100.0) - 440.0).abs() < 1.0);
    let ratio = rms(first) / rms(second);
    assert!((3.0..6.0).contains(&ratio), "twice the velocity is about 12 dB: {ratio}");
    // Released, not chopped: 0.1 s after the end it still sounds, softer; 1 s after it is gone.
    let tail = rms(&left[66_150 + 2205..66_150 + 4410]);
    assert!(tail > 0.001 * rms(first) && tail < 0.5 * rms(first), "{tail}");
    assert!(rms(&left[85_000..88_000]) < 1e-4);
    let jump = left.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    assert!(jump < 0.05, "no clicks: {jump}");
}

#[test]
fn the_bits_do_not_depend_on_threads_or_on_what_was_decoded_before() {
    let notes: Vec<_> = (0..300u32)
        .map(|i| {
            (
                i * 97 % 3000,
                100 + i * 31 % 900,
                30 + (i * 7 % 60) as u8,
                20 + (i % 100) as u8,
                [0, 40, 128][i as usize % 3],
            )
        })
        .map(|(o, d, p, v, i)| if i == 128 { (o, d, 36 + p % 11, v, i) } else { (o, d, p, v, i) })
        .collect();
    let piece = score(&notes);
    let with = |threads| RenderOptions { threads, seconds: Some(5.0), ..RenderOptions::default() };
    let wanted = render(&font(), &piece, &with(1)).unwrap();
    assert!(rms(&wanted.channels[0]) > 0.01);
    let other = font();
    for threads in [2, 3, 16, 1] {
        assert!(render(&other, &piece, &with(threads)).unwrap() == wanted, "{threads} threads");
    }
}

#[test]
fn an_exact_length_ends_in_silence_and_a_free_one_when_all_is_quiet() {
    let piece = score(&[(0, 1900, 57, 127, 0), (0, 1900, 64, 127, 40)]);
    for seconds in [0.02, 1.0, 2.0, 2.5] {
        let audio =
            render(&font(), &piece, &RenderOptions { seconds: Some(seconds), ..RenderOptions::default() }).unwrap();
        assert_eq!(audio.frames(), (seconds * 44_100.0).round() as usize);
        let last = audio.frames() - (0.05 * 44_100.0f64).min(seconds * 44_100.0) as usize;
        assert!(audio.channels.iter().all(|c| c[last..].iter().all(|x| x.abs() < 1e-3)));
        assert!(audio.channels[0].iter().all(|x| x.is_finite()));
    }
    let free = render(&font(), &piece, &RenderOptions::default()).unwrap();
    assert!(free.seconds() > 2.2 && free.seconds() < 8.0, "{}", free.seconds());
    assert!(rms(&free.channels[0][80_000..85_000]) > 0.01);
    let nothing = render(&font(), &Score::default(), &dry(Some(1.0))).unwrap();
    assert_eq!((nothing.frames(), nothing.peak()), (44_100, 0.0));
}

#[test]
fn an_open_hi_hat_is_cut_off_by_a_closed_one() {
    let open = render(&font(), &score(&[(0, 480, 46, 100, 128)]), &dry(Some(1.0))).unwrap();
    let cut = render(&font(), &score(&[(0, 480, 46, 100, 128), (96, 24, 42, 1, 128)]), &dry(Some(1.0))).unwrap();
    let part = 6_200..7_000;
    assert!(rms(&cut.channels[0][part.clone()]) < 0.1 * rms(&open.channels[0][part]));
}

#[test]
fn missing_instruments_fall_back_and_missing_kits_are_named() {
    let font = font();
    assert!(font.has(Instrument(40)) && !font.has(Instrument(41)));
    assert_eq!(font.tables().presets[font.preset(Instrument(41)).unwrap()].program, 40);
    assert_eq!(font.tables().presets[font.preset(Instrument(30)).unwrap()].program, 0);
    let (mut tables, samples) = tables();
    tables.presets.pop();
    let font = SoundFont::from_bytes(tables.write(&samples)).unwrap();
    let refused = render(&font, &score(&[(0, 10, 36, 99, 128)]), &dry(None)).unwrap_err();
    assert!(refused.to_string().contains("no preset for drums"), "{refused}");
}

#[test]
fn options_out_of_range_are_refused() {
    let bad = [
        RenderOptions { seconds: Some(f64::NAN), ..dry(None) },
        RenderOptions { seconds: Some(0.0), ..dry(None) },
        RenderOptions { sample_rate: 10, ..dry(None) },
        RenderOptions { reverb: 2.0, ..dry(None) },
    ];
    for options in bad {
        assert!(matches!(render(&font(), &Score::default(), &options), Err(SynthError::Option { .. })));
    }
}

#[test]
fn the_shipped_font_plays_every_instrument_in_tune() {
    let font = SoundFont::from_bytes(shipped()).unwrap();
    assert!(shipped().len() <= 8 << 20);
    for program in 0..=128u8 {
        let pitch = if program == 128 { 38 } else { 64 };
        let audio = render(&font, &score(&[(0, 960, pitch, 100, program)]), &dry(Some(1.5))).unwrap();
        assert!(audio.peak() > 0.01 && audio.peak() < 1.0, "{program}: {}", audio.peak());
        // Even where the instrument does not reach.
        let (low, high) = if program == 128 { (27, 87) } else { (21, 108) };
        for pitch in [low, high] {
            let audio = render(&font, &score(&[(0, 240, pitch, 100, program)]), &dry(Some(0.5))).unwrap();
            assert!(audio.peak() > 1e-4, "{program}, key {pitch}: {}", audio.peak());
        }
    }
    // The piano's A4, by the strongest line near it.
    let audio = render(&font, &score(&[(0, 1920, 69, 90, 0)]), &dry(Some(2.0))).unwrap();
    let x = &audio.channels[0][4410..70_000];
    let power = |hz: f32| {
        let (mut re, mut im) = (0.0f64, 0.0f64);
        for (i, v) in x.iter().enumerate() {
            let phase = f64::from(hz) * i as f64 / 44_100.0 * std::f64::consts::TAU;
            re += f64::from(*v) * phase.cos();
            im += f64::from(*v) * phase.sin();
        }
        re * re + im * im
    };
    let best = (4300..4500).map(|d| d as f32 / 10.0).max_by(|a, b| power(*a).total_cmp(&power(*b))).unwrap();
    assert!((best - 440.0).abs() < 3.0, "{best}");
}
