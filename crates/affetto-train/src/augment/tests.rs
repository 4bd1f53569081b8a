use std::collections::BTreeSet;

use super::ensembles::{ENSEMBLES, SOLOISTS, name, range};
use super::*;
use crate::corpora::{key, tiny};
use affetto_score::Mode;

fn texture(piece: &Piece) -> Texture {
    let end = piece.score.end().div_ceil(1920) * 1920;
    Texture {
        notes: piece.score.notes.iter().copied().zip(piece.roles.iter().copied()).collect(),
        bars: (0..=end / 1920).map(|b| b * 1920).collect(),
        pickup: 0,
        meter: piece.score.meters[0],
        key: piece.key,
        chords: piece.chords.clone(),
        bpm: 100.0,
        ends: true,
    }
}

#[test]
fn performances_stay_playable_and_differ() {
    let library = DrumLibrary::default();
    let mut seen = BTreeSet::new();
    for (i, piece) in tiny::pieces().iter().cycle().take(120).enumerate() {
        let made = augment(piece, texture(piece), &library, &mut Dice::new(&[i as u64]));
        assert!(!made.score.notes.is_empty());
        assert!((40.0..=220.0).contains(&made.score.tempos[0].bpm));
        seen.insert(made.ensemble_id);
        for pair in made.score.notes.windows(2) {
            let order = |n: &Note| (n.onset, n.instrument, n.pitch);
            assert!(order(&pair[0]) < order(&pair[1]), "sorted, no doubles");
        }
        for note in &made.score.notes {
            assert!(note.duration > 0 && note.velocity > 0 && (20..=108).contains(&note.pitch));
            assert!(made.bars.last().is_some_and(|end| note.onset < *end));
            assert_ne!(name(note.instrument.0), "instruments", "a program nobody can name: {}", note.instrument.0);
        }
    }
    assert!(seen.len() > 12, "{seen:?}");
}

#[test]
fn what_is_plain_sounds_as_long_as_it_is_written_and_so_does_most_that_brings_its_own_playing() {
    let pieces = tiny::pieces();
    let whole = |piece: &Piece, plain: bool| {
        let written = texture(piece).notes;
        let untouched = (0..300u64).filter(|&i| {
            let (mut notes, mut dice) = (written.clone(), Dice::new(&[i]));
            let mood = Mood { energy: dice.between(-1.0, 1.0), brightness: 0.0 };
            let told = articulate(piece, &mut notes, mood, plain, &mut dice);
            let kept = notes.iter().zip(&written).all(|(now, then)| then.0.duration - now.0.duration < 20);
            assert!(told > 0.95 || !kept, "notes at {told} of their length must be shorter");
            kept
        });
        untouched.count() as f32 / 300.0
    };
    let drawn = pieces.iter().find(|p| !p.tempo_known).unwrap();
    let played = Piece { tempo_known: true, ..drawn.clone() };
    assert_eq!((whole(drawn, true), whole(&played, true)), (1.0, 1.0));
    let (drawn, played) = (whole(drawn, false), whole(&played, false));
    assert!((0.15..0.5).contains(&drawn) && (0.75..0.95).contains(&played), "{drawn} {played}");
}

#[test]
fn the_untouched_is_moved_and_nothing_else() {
    let timed = |notes: &[Note]| {
        let mut all: Vec<_> = notes.iter().map(|n| (n.onset, n.duration, n.instrument.is_drums())).collect();
        all.sort_unstable();
        all
    };
    let (mut shifts, mut drummed) = (BTreeSet::new(), 0);
    for (i, tiny) in tiny::pieces().into_iter().cycle().take(48).enumerate() {
        let alone = tiny.roles.iter().all(|role| *role == Role::Melody);
        let corpus = if alone { Corpus::Folk } else { Corpus::Freedoom };
        let piece = Piece { corpus, chords: Vec::new(), tempo_known: !alone, ..tiny };
        let mut written = texture(&piece);
        // An instrument of its own, so that no two notes share a key.
        let melody = written.notes.iter_mut().filter(|(_, role)| *role == Role::Melody);
        melody.for_each(|(note, _)| note.instrument = Instrument(40));
        let then: Vec<Note> = written.notes.iter().map(|(n, _)| *n).collect();
        let made = untouched(&piece, written.clone(), &mut Dice::new(&[i as u64]));
        let now = &made.score.notes;
        assert_eq!(timed(now), timed(&then));
        drummed += usize::from(now.iter().any(|n| n.instrument.is_drums()));
        let (then, now) = (key::histogram(&then), key::histogram(now));
        let same = |by: usize| (0..12).all(|c| (then[c] - now[(c + by) % 12]).abs() < 1e-3);
        shifts.insert((0..12).find(|by| same(*by)).expect("all are moved by the same"));
        assert_eq!((made.articulation, made.style.as_str()), (None, "song"));
        assert!(alone || made.score.tempos[0].bpm == written.bpm, "the tempo that it brings");
    }
    assert!(shifts.len() > 6 && drummed > 0, "{shifts:?} {drummed}");
}

#[test]
fn an_untouched_lead_sheet_has_its_chords_held() {
    let sheet = tiny::pieces().into_iter().find(|p| !p.chords.is_empty()).unwrap();
    let written = texture(&sheet);
    let made = untouched(&sheet, written.clone(), &mut Dice::new(&[1]));
    assert_eq!(made.style, "lead sheet");
    let moved = made.key.unwrap().tonic + 12 - sheet.key.unwrap().tonic;
    for chord in &written.chords {
        let sounding = |tick: u32| made.score.notes.iter().filter(move |n| n.onset <= tick && n.end() > tick);
        for tone in (0..12u8).filter(|t| chord.tones >> t & 1 == 1) {
            let class = (chord.root + tone + moved) % 12;
            for tick in [chord.start, chord.end - 1] {
                assert!(sounding(tick).any(|n| n.pitch % 12 == class), "{class} at {tick} of {chord:?}");
            }
        }
    }
}

#[test]
fn an_untouched_chorale_keeps_its_intervals() {
    for (i, tiny) in tiny::pieces().into_iter().filter(|p| p.chords.is_empty()).cycle().take(30).enumerate() {
        let chorale = Piece { corpus: Corpus::Chorales, ..tiny };
        let written = texture(&chorale);
        let made = untouched(&chorale, written.clone(), &mut Dice::new(&[i as u64]));
        let lowest = |notes: &mut dyn Iterator<Item = &Note>, tick: u32| {
            let pitches = notes.filter(|n| n.onset == tick && !n.instrument.is_drums()).map(|n| i32::from(n.pitch));
            pitches.min()
        };
        let bars = (0..written.bars.len() as u32 - 1).map(|bar| bar * 1920);
        let moved: BTreeSet<Option<i32>> = bars
            .map(|tick| {
                let now = lowest(&mut made.score.notes.iter(), tick)?;
                Some(now - lowest(&mut written.notes.iter().map(|(n, _)| n), tick)?)
            })
            .collect();
        assert_eq!(moved.len(), 1, "{moved:?}");
    }
}

#[test]
fn nothing_is_moved_beyond_the_keys() {
    let at = |pitch| {
        let note = Note { onset: 0, duration: 1, pitch, velocity: 1, instrument: Instrument::PIANO };
        (note, Role::Bass)
    };
    let notes = [at(28), at(101)];
    assert_eq!([-6, -4, 0, 2, 5].map(|semitones| within(&notes, semitones)), [-4, -4, 0, 2, 2]);
    assert_eq!(within(&[at(20)], -3), 0);
}

#[test]
fn voices_that_meet_on_a_key_are_held_until_both_end() {
    let note = |onset, duration| {
        (Note { onset, duration, pitch: 60, velocity: 70, instrument: Instrument::PIANO }, Role::Inner)
    };
    let mut notes = vec![note(0, 960), note(480, 240), note(960, 480)];
    stop_before_repeats(&mut notes);
    let spans: Vec<_> = notes.iter().map(|(n, _)| (n.onset, n.end())).collect();
    assert_eq!(spans, [(0, 480), (480, 960), (960, 1440)]);
}

#[test]
fn a_layer_that_is_left_out_is_never_the_melody() {
    let pieces = tiny::pieces();
    let piece = pieces.iter().find(|p| p.roles.contains(&Role::Bass)).unwrap();
    let written = texture(piece).notes;
    let melody = |notes: &[(Note, Role)]| notes.iter().filter(|(_, role)| *role == Role::Melody).count();
    let mut thinner = 0;
    for i in 0..400 {
        let mut notes = written.clone();
        thin(&mut notes, &mut Dice::new(&[i]));
        assert_eq!(melody(&notes), melody(&written));
        thinner += usize::from(notes.len() < written.len());
    }
    assert!(melody(&written) > 0 && thinner > 0);
}

#[test]
fn a_recast_turns_the_third() {
    let major = &tiny::pieces()[0];
    let key = major.key.unwrap();
    let mut turned = 0;
    for i in 0..60 {
        let mut texture = texture(major);
        let mood = Mood { energy: 0.0, brightness: -1.0 };
        let heard = recast::recast(&mut texture, mood, &mut Dice::new(&[i])).unwrap();
        let thirds =
            |semitones: u8| texture.notes.iter().filter(|(n, _)| (n.pitch + 12 - key.tonic) % 12 == semitones).count();
        if heard.mode == Mode::Minor {
            turned += 1;
            assert!(thirds(4) == 0 && thirds(3) > 0);
        } else {
            assert!(thirds(3) == 0 && thirds(4) > 0);
        }
    }
    assert!((15..50).contains(&turned), "{turned}");
}

#[test]
fn melodies_under_chords_get_an_accompaniment_of_chord_tones() {
    let piece = &tiny::pieces()[0];
    let mut texture = texture(piece);
    let melody = texture.notes.len();
    accompany::add(&mut texture, Mood { energy: 0.0, brightness: 0.0 }, &mut Dice::new(&[4]));
    assert!(texture.notes.len() > melody + 30);
    for (note, _) in texture.notes.iter().filter(|(_, r)| *r == Role::Chords) {
        let chord = texture.chords.iter().find(|c| c.start <= note.onset && note.onset < c.end).unwrap();
        assert_eq!(chord.tones >> ((note.pitch + 12 - chord.root) % 12) & 1, 1);
    }
}

#[test]
fn a_scale_is_harmonised_and_ends_on_its_tonic() {
    let key = Key { tonic: 0, mode: Mode::Major };
    let pitches = [60, 64, 67, 64, 62, 67, 71, 67, 65, 69, 72, 69, 60, 64, 67, 60];
    let notes: Vec<Note> = (0u32..16)
        .map(|i| Note {
            onset: 480 * i,
            duration: 480,
            pitch: pitches[i as usize],
            velocity: 70,
            instrument: Instrument::PIANO,
        })
        .collect();
    let bars = [0, 1920, 3840, 5760, 7680];
    let roots: Vec<u8> = harmony::infer(notes.iter(), &bars, key, false, true).iter().map(|c| c.root).collect();
    assert_eq!(roots, [0, 7, 5, 0]);
}

#[test]
fn every_program_named_has_a_range() {
    for ensemble in &ENSEMBLES {
        for program in [ensemble.melody, ensemble.inner, ensemble.chords, ensemble.bass].into_iter().flatten() {
            let (low, high) = range(*program);
            assert!(high - low >= 12, "{program}");
            assert_ne!(name(*program), "instruments", "{program}");
        }
    }
    assert!(SOLOISTS.iter().all(|p| name(*p) != "instruments"));
}
