//! A handful of small pieces written for this project (CC0), so that tests need no data: songs over
//! plain harmonies, varied by rule from a few hand-written tunes.

use affetto_score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TempoChange};

use super::{Chord, Corpus, Piece, Role, sorted};

/// Scale degrees (0 = tonic) and lengths in eighths, two bars of 4/4 a line.
const TUNES: [&[(i32, u32)]; 4] = [
    &[(0, 2), (2, 2), (4, 4), (5, 1), (4, 1), (2, 2), (1, 4)],
    &[(4, 3), (3, 1), (2, 2), (1, 2), (0, 4), (-1, 2), (1, 2)],
    &[(7, 1), (6, 1), (5, 1), (4, 1), (5, 2), (2, 2), (3, 2), (1, 2), (0, 4)],
    &[(2, 6), (1, 1), (0, 1), (-3, 4), (1, 4)],
];
/// Degrees of the chords under them, one a bar.
const CHORDS: [[i32; 2]; 4] = [[0, 4], [5, 3], [1, 4], [0, 0]];
const MAJOR: [i32; 7] = [0, 2, 4, 5, 7, 9, 11];
const MINOR: [i32; 7] = [0, 2, 3, 5, 7, 8, 10];

/// Twenty-four pieces: half melodies under chord symbols, half full textures, some with drums, in
/// major and minor.
pub fn pieces() -> Vec<Piece> {
    (0..24).map(piece).collect()
}

fn piece(number: usize) -> Piece {
    let minor = number % 2 == 1;
    let full = number % 4 >= 2;
    let tonic = (number * 5 % 12) as u8;
    let key = Key { tonic, mode: if minor { Mode::Minor } else { Mode::Major } };
    let scale = if minor { &MINOR } else { &MAJOR };
    let at = |degree: i32, base: i32| {
        (base + i32::from(tonic) + 12 * degree.div_euclid(7) + scale[degree.rem_euclid(7) as usize]) as u8
    };
    let mut notes = Vec::new();
    let mut chords = Vec::new();
    for line in 0..16 {
        let which = (line * (number + 1) + line / 4) % TUNES.len();
        let mut tick = line as u32 * 3840;
        for &(degree, eighths) in TUNES[which] {
            let note = |pitch, instrument| Note {
                onset: tick,
                duration: eighths * 240,
                pitch,
                velocity: 72,
                instrument: Instrument(instrument),
            };
            notes.push((note(at(degree, 60), 0), Role::Melody));
            tick += eighths * 240;
        }
        for (half, degree) in CHORDS[which].into_iter().enumerate() {
            let start = line as u32 * 3840 + half as u32 * 1920;
            let root = at(degree, 0) % 12;
            let tones = [0, 2, 4].iter().fold(0u16, |bits, d| bits | 1 << ((at(degree + d, 0) + 24 - root) % 12));
            chords.push(Chord { start, end: start + 1920, root, tones, bass: root });
            if full {
                for (i, d) in [0, 2, 4].into_iter().enumerate() {
                    let note = |onset, duration, pitch, instrument| Note {
                        onset,
                        duration,
                        pitch,
                        velocity: 64,
                        instrument: Instrument(instrument),
                    };
                    notes.push((note(start + 480 * i as u32, 480, at(degree + d, 48), 0), Role::Chords));
                    if i == 0 {
                        notes.push((note(start, 1920, at(degree, 36), 0), Role::Bass));
                        if number % 8 == 2 {
                            (0..4).for_each(|b| notes.push((note(start + 480 * b, 120, 42, 128), Role::Drums)));
                            notes.push((note(start, 120, 36, 128), Role::Drums));
                        }
                    }
                }
            }
        }
    }
    let score = Score {
        tempos: vec![TempoChange { tick: 0, bpm: 90.0 + 5.0 * number as f64 }],
        meters: vec![MeterChange { tick: 0, numerator: 4, denominator: 4 }],
        keys: vec![KeyChange { tick: 0, key }],
        title: Some(format!("Tiny {number}")),
        ..Score::default()
    };
    let (score, roles) = sorted(score, notes);
    Piece {
        id: format!("tiny/{number}"),
        song: format!("tiny/{number}"),
        corpus: Corpus::Tiny,
        style: "song".into(),
        score,
        roles,
        chords: if full { Vec::new() } else { chords },
        key: Some(key),
        tempo_known: false,
        velocity_known: full,
        bars_known: true,
    }
}
