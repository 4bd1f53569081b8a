use affetto_score::{Instrument, Note, Score, TempoChange};

use super::*;

fn index(name: &str) -> usize {
    NAMES.iter().position(|n| *n == name).unwrap_or_else(|| panic!("no feature {name}"))
}

/// Four bars of block chords, I IV V I, with a walking top line, in C major or C minor.
fn piece(minor: bool, bpm: f64, shift: i8) -> Score {
    let third = if minor { 3 } else { 4 };
    let sixth = if minor { 8 } else { 9 };
    let chords = [[0, third, 7], [5, sixth, 12], [7, 11, 14], [0, third, 7]];
    let mut score = Score { tempos: vec![TempoChange { tick: 0, bpm }], ..Score::default() };
    for repeat in 0..3u32 {
        for (bar, chord) in chords.iter().enumerate() {
            for beat in 0..4u32 {
                let onset = (repeat * 4 + bar as u32) * 1920 + beat * 480;
                for (i, tone) in chord.iter().enumerate() {
                    let octave = if i == beat as usize % 3 { 72 } else { 48 };
                    let pitch = (octave + tone + i32::from(shift)) as u8;
                    score.notes.push(Note { onset, duration: 440, pitch, velocity: 70, instrument: Instrument::PIANO });
                }
            }
        }
    }
    score.sort();
    score
}

#[test]
fn names_are_unique_and_as_many_as_features() {
    let mut names = NAMES.clone();
    assert_eq!(extract(&piece(false, 120.0, 0), 0.0, 20.0).len(), names.len());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), NAMES.len());
}

#[test]
fn mode_features_tell_major_from_minor() {
    let major = extract(&piece(false, 120.0, 0), 0.0, 20.0);
    let minor = extract(&piece(true, 120.0, 0), 0.0, 20.0);
    for name in ["major_minus_minor", "third_major_minus_minor", "chord_major_minus_minor", "degree_3"] {
        assert!(major[index(name)] > minor[index(name)] + 0.05, "{name}");
    }
    assert!(minor[index("degree_flat3")] > 0.1 && major[index("degree_flat3")] == 0.0);
}

#[test]
fn transposition_moves_register_only() {
    let here = extract(&piece(true, 120.0, 0), 0.0, 20.0);
    let there = extract(&piece(true, 120.0, 5), 0.0, 20.0);
    let register = ["pitch_mean", "low_share", "high_share", "bass_mean", "top_mean", "low_thickness"];
    for (i, name) in NAMES.iter().enumerate() {
        if !register.contains(name) {
            assert!((here[i] - there[i]).abs() < 1e-9, "{name}: {} {}", here[i], there[i]);
        }
    }
    assert!((there[index("pitch_mean")] - here[index("pitch_mean")] - 5.0).abs() < 1e-9);
}

#[test]
fn twice_the_tempo_is_twice_as_dense() {
    let slow = extract(&piece(false, 60.0, 0), 0.0, 40.0);
    let fast = extract(&piece(false, 120.0, 0), 0.0, 20.0);
    let i = index("ioi_median_log");
    assert!((slow[i] - fast[i] - 2f64.ln()).abs() < 0.01);
    assert!(fast[index("onset_rate_log")] > slow[index("onset_rate_log")] + 0.5);
}

#[test]
fn anything_gives_finite_numbers() {
    let empty = Score::default();
    let mut odd = piece(false, 120.0, 0);
    odd.tempos = vec![TempoChange { tick: 0, bpm: f64::NAN }, TempoChange { tick: 960, bpm: 0.0 }];
    odd.notes.push(Note {
        onset: u32::MAX - 10,
        duration: u32::MAX,
        pitch: 255,
        velocity: 255,
        instrument: Instrument::DRUMS,
    });
    for score in [&empty, &odd] {
        for (start, end) in
            [(0.0, 20.0), (5.0, 5.0), (9.0, 1.0), (0.0, f64::INFINITY), (f64::NAN, f64::NAN), (1e9, 2e9)]
        {
            let x = extract(score, start, end);
            assert!(x.iter().all(|v| v.is_finite()), "{start} {end} {x:?}");
        }
    }
}

#[test]
fn drums_count_in_rhythm_and_not_in_pitch() {
    let plain = piece(false, 120.0, 0);
    let mut drummed = plain.clone();
    for i in 0..96u32 {
        let onset = i * 240 + 120;
        drummed.notes.push(Note { onset, duration: 60, pitch: 42, velocity: 70, instrument: Instrument::DRUMS });
    }
    drummed.sort();
    let (a, b) = (extract(&plain, 0.0, 20.0), extract(&drummed, 0.0, 20.0));
    assert!(b[index("onset_rate_log")] > a[index("onset_rate_log")] + 0.5);
    for name in pitch::NAMES.iter().chain(&tonal::NAMES).chain(&melody::NAMES) {
        assert_eq!(a[index(name)], b[index(name)], "{name}");
    }
}

#[test]
fn velocities_come_to_the_common_scale() {
    let mut score = piece(false, 120.0, 0);
    for (i, n) in score.notes.iter_mut().enumerate() {
        n.velocity = if i % 2 == 0 { 100 } else { 80 };
    }
    let (mean, sd) = velocity_statistics([&score]);
    assert!((mean - 90.0).abs() < 1e-9 && (sd - 10.0).abs() < 1e-9);
    normalize_velocities(&mut score, mean, sd);
    assert_eq!((score.notes[0].velocity, score.notes[1].velocity), (88, 56));
}
