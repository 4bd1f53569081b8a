//! MusicXML: what is written comes back.

use affetto_score::{
    Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TICKS_PER_QUARTER, TempoChange, musicxml,
};

const STEP: u32 = TICKS_PER_QUARTER / 24;

fn note(onset: u32, duration: u32, pitch: u8, velocity: u8, instrument: u8) -> Note {
    let instrument = Instrument(instrument);
    Note { onset: onset * STEP, duration: duration * STEP, pitch, velocity, instrument }
}

fn back(score: &Score) -> Score {
    let text = musicxml::write(score);
    musicxml::read(text.as_bytes()).unwrap().score
}

#[test]
fn a_piece_with_everything_comes_back() {
    let mut score = Score {
        notes: vec![
            note(0, 24, 67, 80, 0),
            note(24, 200, 40, 81, 0),
            note(24, 8, 72, 82, 0),
            note(32, 8, 73, 83, 0),
            note(40, 8, 74, 84, 0),
            note(48, 60, 60, 1, 0),
            note(50, 10, 61, 127, 0),
            note(24, 71, 43, 90, 33),
            note(95, 1, 44, 90, 33),
            note(24, 6, 36, 100, 128),
            note(30, 6, 38, 101, 128),
            note(300, 7, 42, 102, 128),
        ],
        tempos: vec![TempoChange { tick: 0, bpm: 96.0 }, TempoChange { tick: 72 * STEP, bpm: 101.25 }],
        meters: vec![
            MeterChange { tick: 0, numerator: 3, denominator: 4 },
            MeterChange { tick: (24 + 72) * STEP, numerator: 7, denominator: 8 },
        ],
        keys: vec![
            KeyChange { tick: 0, key: Key { tonic: 3, mode: Mode::Major } },
            KeyChange { tick: (24 + 72) * STEP, key: Key { tonic: 1, mode: Mode::Minor } },
        ],
        pickup: 24 * STEP,
        title: Some("Über <Alles> & \"so\"".into()),
    };
    score.sort();
    assert_eq!(back(&score), score);
}

#[test]
fn every_bar_of_every_voice_is_full() {
    // Each triplet position and length, over a held note, in a bar of 6/8.
    let mut notes = vec![note(0, 720, 48, 80, 40)];
    for i in 0..60 {
        notes.push(note(i * 11, 1 + i % 37, 60 + (i % 12) as u8, 80, 40));
    }
    let meters = vec![MeterChange { tick: 0, numerator: 6, denominator: 8 }];
    let mut score = Score { notes, meters, ..Score::default() };
    score.sort();
    let text = musicxml::write(&score);
    let document = roxmltree::Document::parse_with_options(
        &text,
        roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() },
    )
    .unwrap();
    let mut voices = 0;
    for measure in document.descendants().filter(|n| n.has_tag_name("measure")) {
        let number = |node: roxmltree::Node<'_, '_>, name: &str| -> Option<u32> {
            node.children().find(|c| c.has_tag_name(name))?.text()?.parse().ok()
        };
        let mut at = 0;
        for node in measure.children() {
            match node.tag_name().name() {
                "note" if node.children().all(|c| !c.has_tag_name("chord")) => at += number(node, "duration").unwrap(),
                "backup" => {
                    assert_eq!(number(node, "duration"), Some(at), "a voice fills its bar");
                    voices += 1;
                    at = 0;
                }
                _ => {}
            }
        }
        assert_eq!(at, 72);
    }
    assert!(voices > 0);
}

#[test]
fn an_empty_score_is_a_bar_of_rest() {
    let empty = Score::default();
    assert_eq!(back(&empty), Score { keys: back(&empty).keys, ..empty });
}
