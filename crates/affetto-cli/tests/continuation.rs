//! Going on from a given piece with the model that writes notes.

mod common;

use affetto::Studio;
use affetto::steering::Freed;
use affetto_score::{Instrument, MeterChange, Note, Score, TempoChange, midi};
use common::Desk;
use common::directions::directions;
use common::musicgen::Kind;

/// Three bars, off the grid here and there, with the velocities of a person.
fn piece() -> Score {
    let mut notes = Vec::new();
    for i in 0..12u32 {
        let flute = Note {
            onset: i * 480 + i % 3,
            duration: 400 + 7 * i,
            pitch: 72 + [0, 4, 7, 5][i as usize % 4],
            velocity: 61 + i as u8,
            instrument: Instrument(73),
        };
        notes.extend([flute, Note { pitch: 36, duration: 100, instrument: Instrument::DRUMS, ..flute }]);
    }
    // Rings over into the bars that follow.
    notes.push(Note { onset: 5280, duration: 960, pitch: 48, velocity: 90, instrument: Instrument(0) });
    let tempos = vec![TempoChange { tick: 0, bpm: 96.0 }, TempoChange { tick: 3840, bpm: 84.0 }];
    let mut score = Score { notes, tempos, ..Score::default() };
    score.sort();
    score
}

/// Where the bars that follow begin, in ticks.
const SEAM: u32 = 3 * 1920;

fn write(desk: &Desk, name: &str, score: &Score) {
    std::fs::write(desk.path().join(name), midi::write(score)).unwrap();
}

/// The notes of a take that goes on from `file`, given and new.
fn went_on(desk: &Desk, file: &str, flags: &[&str]) -> (Vec<Note>, Vec<Note>, Score) {
    went_on_with(desk, file, "5", flags)
}

fn went_on_with(desk: &Desk, file: &str, seed: &str, flags: &[&str]) -> (Vec<Note>, Vec<Note>, Score) {
    let args = ["generate", "", "--duration", "20", "--seed", seed, "--continue", file, "--force", "-o", "out.mid"];
    desk.ok(&[&args[..], flags].concat());
    let score = midi::read(&desk.read("out.mid")).unwrap();
    let (given, new) = score.notes.iter().copied().partition(|note| note.onset < SEAM);
    (given, new, score)
}

#[test]
fn given_notes_are_kept_and_new_ones_follow() {
    let desk = Desk::new();
    let piece = piece();
    write(&desk, "piece.mid", &piece);
    let (given, new, score) = went_on(&desk, "piece.mid", &[]);
    assert_eq!(given, piece.notes);
    assert!(new.len() > 2 && new[0].onset < SEAM + 1920, "{} notes, the first at {}", new.len(), new[0].onset);
    let players = piece.instruments();
    assert!(new.iter().all(|note| players.contains(&note.instrument)));
    let ringing = |note: &&Note| note.instrument == Instrument(0) && note.pitch == 48 && note.onset < 6240;
    assert_eq!(new.iter().find(ringing), None, "a key that sounds is not struck");
    assert_eq!(score.tempos[..2], piece.tempos);
    // Beats of 96 and 84 a minute have a mean.
    let seconds = 8.0 * 60.0 / 96.0 + 4.0 * 60.0 / 84.0;
    assert!((score.tempos[2].bpm - 12.0 * 60.0 / seconds).abs() < 0.01, "{:?}", score.tempos);
    assert_eq!((score.tempos[2].tick, score.tempos.len()), (SEAM, 3));
    assert!(score.seconds_at(score.end()) <= 20.0);
    assert_eq!(went_on(&desk, "piece.mid", &[]).2, score, "the same seed repeats");
    assert_ne!(went_on_with(&desk, "piece.mid", "6", &[]).1, new);
}

#[test]
fn what_is_fixed_holds_for_the_new_bars() {
    let desk = Desk::new();
    let piece = piece();
    write(&desk, "piece.mid", &piece);
    let flags = ["--instruments", "violin", "--tempo", "120", "--key", "Eb", "--emotion", "0.5,0.5"];
    let (given, new, score) = went_on(&desk, "piece.mid", &flags);
    assert_eq!(given, piece.notes);
    assert!(!new.is_empty() && new.iter().all(|note| note.instrument == Instrument(40)));
    assert_eq!(score.tempos[2], TempoChange { tick: SEAM, bpm: 120.0 });
    assert_eq!(
        (score.keys.last().unwrap().tick, score.keys.last().unwrap().key.to_string()),
        (SEAM, "Eb major".into())
    );
    let told = desk.json(&["generate", "", "--duration", "20", "--continue", "piece.mid", "-o", "b.json"]);
    assert_eq!(told["meter"], "4/4");
    assert_eq!(told["tempo_bpm"], 96.0);
    assert_eq!(told["notes_continued"], 25);
}

#[test]
fn a_take_is_gone_on_from_by_its_json() {
    let desk = Desk::new();
    desk.ok(&["generate", "x", "--duration", "8", "--seed", "2", "-o", "t.json", "-o", "t.mid"]);
    let first = midi::read(&desk.read("t.mid")).unwrap();
    let (_, _, by_midi) = went_on(&desk, "t.mid", &[]);
    let (_, _, by_json) = went_on(&desk, "t.json", &[]);
    for score in [by_midi, by_json] {
        assert_eq!(score.notes[..first.notes.len()], first.notes);
        assert!(score.notes.len() > first.notes.len());
    }
}

#[test]
fn pieces_longer_than_a_window_are_read_in_windows() {
    let desk = Desk::new();
    let mut piece = piece();
    piece.tempos.truncate(1);
    let bars = piece.notes.clone();
    for time in 1..8 {
        piece.notes.extend(bars.iter().map(|note| Note { onset: note.onset + time * SEAM, ..*note }));
    }
    piece.sort();
    write(&desk, "long.mid", &piece);
    let args = ["generate", "", "--duration", "70", "--seed", "5", "--continue", "long.mid", "-o", "out.mid"];
    desk.ok(&args);
    let score = midi::read(&desk.read("out.mid")).unwrap();
    // Rows in another order, as far as notes start together.
    assert!(piece.notes.len() > 128 && score.notes.len() > piece.notes.len());
    assert!(piece.notes.iter().all(|note| score.notes.contains(note)));
}

#[test]
fn steering_changes_only_what_follows() {
    let desk = Desk::new();
    let piece = piece();
    write(&desk, "piece.mid", &piece);
    let lm = Studio::open(desk.assets()).unwrap().decoder().unwrap();
    let mut made = directions(&lm, "strings", 1);
    made.about.frees = vec![Freed::Instruments];
    made.about.instruments = vec![48];
    std::fs::write(desk.path().join("strings.safetensors"), made.to_bytes().unwrap()).unwrap();
    let plain = went_on(&desk, "piece.mid", &[]);
    let (given, new, _) = went_on(&desk, "piece.mid", &["--steer", "strings.safetensors=1"]);
    assert_eq!(given, piece.notes);
    assert_ne!(new, plain.1);
    let may_play = [0, 48, 73, 128].map(Instrument);
    // The random model writes a handful of notes: whether those who may join do shows in several takes.
    let steered = |seed| went_on_with(&desk, "piece.mid", seed, &["--steer", "strings.safetensors=1"]).1;
    let takes: Vec<Vec<Note>> = ["5", "6", "7", "8"].map(steered).to_vec();
    assert_eq!(takes[0], new);
    assert!(takes.iter().flatten().all(|note| may_play.contains(&note.instrument)));
    assert!(takes.iter().flatten().any(|note| note.instrument == Instrument(48)));
    assert_eq!(went_on(&desk, "piece.mid", &["--steer", "strings.safetensors=0"]), plain);
}

#[test]
fn what_cannot_be_gone_on_from_is_named() {
    let desk = Desk::new();
    write(&desk, "empty.mid", &Score::default());
    let odd = Score { meters: vec![MeterChange { tick: 0, numerator: 7, denominator: 8 }], ..piece() };
    write(&desk, "odd.mid", &odd);
    write(&desk, "piece.mid", &piece());
    std::fs::write(desk.path().join("text.mid"), "words").unwrap();
    std::fs::write(desk.path().join("codes.json"), "{\"family\":\"musicgen\",\"codes\":[[1]]}").unwrap();
    desk.ok(&["generate", "x", "--duration", "4", "-o", "take.json"]);
    let take = String::from_utf8(desk.read("take.json")).unwrap();
    let broken = |name: &str, from: &str, to: &str| {
        assert!(take.contains(from), "{from}");
        std::fs::write(desk.path().join(name), take.replacen(from, to, 1)).unwrap();
    };
    broken("velocity.json", "\"velocity\":", "\"velocity\":1000");
    broken("tempos.json", "\"tempos\":[", "\"tempo\":[");
    std::fs::write(desk.path().join("none.json"), "{\"family\":\"affetto-score\",\"codes\":[]}").unwrap();
    let line = |code: i32, flags: &[&str], parts: &[&str]| {
        let line = desk.fails(code, &[&["generate", "x", "-o", "a.mid", "--continue"], flags].concat());
        assert!(parts.iter().all(|part| line.contains(part)), "{parts:?}: {line}");
    };
    line(1, &["empty.mid"], &["empty.mid", "no notes"]);
    line(1, &["odd.mid"], &["odd.mid", "7/8", "4/4"]);
    line(1, &["text.mid"], &["text.mid", "MIDI"]);
    line(1, &["missing.mid"], &["missing.mid", "cannot be read"]);
    line(2, &["none.json"], &["--continue", "from notes"]);
    line(1, &["velocity.json"], &["velocity.json", "expected u8"]);
    line(1, &["tempos.json"], &["tempos.json", "tempos do not begin at 0"]);
    line(2, &["codes.json"], &["--continue", "--model"]);
    line(2, &["a.wav"], &["--continue", "a.wav", "--model"]);
    line(2, &["piece.mid", "--duration", "8"], &["duration", "piece.mid", "7.9 s", "11"]);
    line(2, &["piece.mid", "--meter", "3/4"], &["meter", "piece.mid", "4/4"]);
    let musicgen = Desk::with_musicgen(Kind::Text);
    write(&musicgen, "piece.mid", &piece());
    let args = ["x", "--duration", "20", "-o", "a.wav", "--continue", "piece.mid"];
    let line = musicgen.fails(2, &musicgen.with_model(&args));
    assert!(line.contains("--continue") && line.contains("leave out --model"), "{line}");
}
