use affetto_score::Note;

use super::*;

/// Quarters at 120 a minute, each `length` ticks long.
fn line(pitches: &[u8], length: u32, instrument: u8) -> Score {
    let note = |(i, &pitch): (usize, &u8)| Note {
        onset: i as u32 * 480,
        duration: length,
        pitch,
        velocity: 70,
        instrument: Instrument(instrument),
    };
    Score { notes: pitches.iter().enumerate().map(note).collect(), ..Score::default() }
}

fn of(name: &str, score: &Score, span: (f64, f64)) -> f64 {
    measure(name, score, span.0, span.1).unwrap()
}

#[test]
fn density_counts_onsets_of_the_span_once() {
    let mut score = line(&[60; 20], 480, 0);
    assert!((of("density", &score, (0.0, 10.0)) - 2.0).abs() < 1e-12);
    // A chord is one onset; the notes behind the span do not count.
    score.notes.extend(line(&[64; 20], 480, 48).notes);
    score.sort();
    assert!((of("density", &score, (0.0, 10.0)) - 2.0).abs() < 1e-12);
    assert!((of("density", &score, (5.0, 9.0)) - 2.0).abs() < 1e-12);
    assert_eq!(of("density", &score, (20.0, 30.0)), 0.0);
}

#[test]
fn register_and_mode_rise_with_pitch_and_with_major() {
    assert_eq!(of("register", &line(&[60, 64], 480, 0), (0.0, 4.0)), 62.0);
    let major = line(&[60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60, 60], 480, 0);
    let minor = line(&[60, 62, 63, 65, 67, 68, 70, 72, 67, 63, 60, 60], 480, 0);
    let (bright, dark) = (of("mode", &major, (0.0, 6.0)), of("mode", &minor, (0.0, 6.0)));
    assert!(bright > 0.05 && dark < -0.05, "{bright} {dark}");
}

#[test]
fn mode_is_read_on_the_tonic_that_is_stated() {
    // The notes of E flat major on C: minor there, whatever other key they fit.
    let mut score = line(&[63, 67, 70, 63, 67, 70, 60, 63, 68, 70, 63, 67], 480, 0);
    let free = of("mode", &score, (0.0, 6.0));
    score.keys = vec![affetto_score::KeyChange { tick: 0, key: Key { tonic: 0, mode: Mode::Major } }];
    let on_c = of("mode", &score, (0.0, 6.0));
    score.keys[0].key.tonic = 3;
    let on_e_flat = of("mode", &score, (0.0, 6.0));
    assert!(free > 0.0 && on_c < -0.2 && on_e_flat > 0.2, "{free} {on_c} {on_e_flat}");
}

#[test]
fn articulation_is_the_part_of_the_gap_that_sounds() {
    let at = |length| of("articulation", &line(&[60, 62, 64, 65], length, 0), (0.0, 4.0));
    assert!((at(120) - 0.25).abs() < 1e-12 && (at(480) - 1.0).abs() < 1e-12 && (at(960) - 1.0).abs() < 1e-12);
    // Another instrument's onsets cut nothing short.
    let mut both = line(&[60, 62, 64, 65], 240, 0);
    both.notes.extend(line(&[60], 480, 40).notes.iter().map(|n| Note { onset: 120, ..*n }));
    both.sort();
    assert!((of("articulation", &both, (0.0, 4.0)) - 0.5).abs() < 1e-12);
    assert_eq!(of("articulation", &line(&[60], 480, 0), (0.0, 4.0)), 0.5);
}

#[test]
fn shares_are_of_those_who_play() {
    let mut score = line(&[60; 6], 480, 0);
    score.notes.extend(line(&[55; 2], 480, 41).notes);
    score.notes.extend(line(&[36; 8], 480, Instrument::DRUMS.0).notes);
    score.sort();
    assert_eq!((of("piano", &score, (0.0, 4.0)), of("strings", &score, (0.0, 4.0))), (0.75, 0.25));
    assert_eq!((of("drums", &score, (0.0, 4.0)), of("brass", &score, (0.0, 4.0))), (0.5, 0.0));
}

#[test]
fn every_attribute_is_named_once_and_finite_for_nothing() {
    let mut names: Vec<&str> = ATTRIBUTES.iter().map(|a| a.name).collect();
    let all = measure_all(&Score::default(), 0.0, f64::INFINITY);
    assert!(all.len() == names.len() && all.iter().all(|x| x.is_finite()), "{all:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ATTRIBUTES.len());
    assert!(ATTRIBUTES.iter().all(|a| a.about.ends_with('.') && find(a.name).is_some()));
    assert_eq!(find("strings").unwrap().programs(), Some((40, 51)));
}
