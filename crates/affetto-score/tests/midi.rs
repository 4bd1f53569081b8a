//! MIDI files: what is read from hand-made bytes, and round trips.

use affetto_score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TempoChange, midi};

fn note(onset: u32, duration: u32, pitch: u8, instrument: u8) -> Note {
    Note { onset, duration, pitch, velocity: 80, instrument: Instrument(instrument) }
}

/// A file of format 0 with this division and these track bytes (end of track is added).
fn file(division: u16, track: &[u8]) -> Vec<u8> {
    files(division, &[track])
}

fn files(division: u16, tracks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"MThd\0\0\0\x06\0".to_vec();
    bytes.push(u8::from(tracks.len() > 1));
    bytes.extend((tracks.len() as u16).to_be_bytes());
    bytes.extend(division.to_be_bytes());
    for track in tracks {
        bytes.extend(b"MTrk");
        bytes.extend((track.len() as u32 + 4).to_be_bytes());
        bytes.extend(*track);
        bytes.extend([0, 0xff, 0x2f, 0]);
    }
    bytes
}

fn times(score: &Score) -> Vec<(u32, u32, u8)> {
    score.notes.iter().map(|n| (n.onset, n.duration, n.pitch)).collect()
}

#[test]
fn everything_written_comes_back() {
    let mut score = Score {
        notes: vec![
            note(0, 480, 60, 0),
            note(240, 480, 60, 0),
            note(240, 480, 64, 40),
            note(480, 30, 36, 128),
            note(480, 30, 36, 128),
            note(961, 1, 72, 127),
        ],
        tempos: vec![TempoChange { tick: 0, bpm: 87.0 }, TempoChange { tick: 1000, bpm: 141.3 }],
        meters: vec![
            MeterChange { tick: 0, numerator: 3, denominator: 4 },
            MeterChange { tick: 240 + 1440, numerator: 6, denominator: 8 },
        ],
        keys: vec![
            KeyChange { tick: 0, key: Key { tonic: 10, mode: Mode::Major } },
            KeyChange { tick: 480, key: Key { tonic: 6, mode: Mode::Minor } },
        ],
        pickup: 240,
        title: Some("Ländler".into()),
    };
    score.sort();
    assert_eq!(midi::read(&midi::write(&score)).unwrap(), score);
}

#[test]
fn more_instruments_than_channels_keep_their_names() {
    let mut score =
        Score { notes: (0..40).map(|i| note(u32::from(i % 7) * 100, 90, 60, i)).collect(), ..Score::default() };
    score.sort();
    assert_eq!(midi::read(&midi::write(&score)).unwrap(), score);
}

#[test]
fn every_key_comes_back() {
    for tonic in 0..12 {
        for mode in [Mode::Major, Mode::Minor] {
            let score = Score { keys: vec![KeyChange { tick: 0, key: Key { tonic, mode } }], ..Score::default() };
            assert_eq!(midi::read(&midi::write(&score)).unwrap().keys, score.keys);
        }
    }
}

#[test]
fn the_pedal_holds_until_it_lifts_or_the_key_is_struck_again() {
    let track = [
        0, 0xb0, 64, 127, // pedal down
        0, 0x90, 60, 80, 0, 62, 80, // two notes
        96, 0x80, 60, 0, 0, 62, 0, // both keys up
        96, 0x90, 60, 80, 96, 0x80, 60, 0, // one again
        96, 0xb0, 64, 0, // pedal up
    ];
    assert_eq!(times(&midi::read(&file(96, &track)).unwrap()), [(0, 960, 60), (0, 1920, 62), (960, 960, 60)]);
}

#[test]
fn a_second_stroke_ends_the_first_and_keeps_its_own_release() {
    let track = [0, 0x90, 60, 80, 48, 0x90, 60, 81, 48, 0x80, 60, 0, 48, 0x80, 60, 0, 0, 0x90, 70, 80, 0, 0x90, 70, 0];
    assert_eq!(times(&midi::read(&file(96, &track)).unwrap()), [(0, 240, 60), (240, 480, 60), (720, 1, 70)]);
}

#[test]
fn programs_belong_to_track_and_channel_and_channel_ten_is_drums() {
    let tracks: [&[u8]; 2] = [
        &[0, 0x90, 60, 80, 96, 0x80, 60, 0, 0, 0xc0, 40, 0, 0x90, 60, 80, 96, 0x80, 60, 0],
        &[0, 0xc0, 7, 0, 0x90, 48, 80, 96, 0x80, 48, 0, 0, 0x99, 38, 80, 96, 0x89, 38, 0],
    ];
    let score = midi::read(&files(96, &tracks)).unwrap();
    let heard: Vec<_> = score.notes.iter().map(|n| (n.onset, n.instrument.0, n.pitch)).collect();
    assert_eq!(heard, [(0, 7, 48), (0, 7, 60), (480, 40, 60), (480, 128, 38)]);
}

#[test]
fn smpte_ticks_are_parts_of_a_second() {
    // 25 frames a second of 40 ticks: 1000 ticks a second, two quarters at 120 BPM. Tempo events do not count.
    let track = [0, 0xff, 0x51, 3, 1, 0, 0, 0x83, 0x74, 0x90, 60, 80, 0x83, 0x74, 0x80, 60, 0];
    let score = midi::read(&file(u16::from_be_bytes([0xe7, 40]), &track)).unwrap();
    assert_eq!(times(&score), [(480, 480, 60)]);
    assert_eq!(score.tempos, [TempoChange { tick: 0, bpm: 120.0 }]);
}

#[test]
fn a_short_first_meter_is_a_pickup_and_a_lone_one_is_not() {
    let quarter = [0, 0xff, 0x58, 4, 1, 2, 24, 8];
    let lone = midi::read(&file(96, &quarter)).unwrap();
    assert_eq!((lone.pickup, lone.meters[0].numerator), (0, 1));
    let then_three: Vec<u8> = quarter.iter().copied().chain([96, 0xff, 0x58, 4, 3, 2, 24, 8]).collect();
    let picked = midi::read(&file(96, &then_three)).unwrap();
    assert_eq!((picked.pickup, picked.meters.len(), picked.meters[0].numerator), (480, 1, 3));
}

#[test]
fn nonsense_and_endless_files_are_refused() {
    assert!(midi::read(b"not midi").unwrap_err().to_string().contains("MIDI"));
    assert!(midi::read(&file(0, &[])).is_err());
    let far = [0xff, 0xff, 0xff, 0x7f, 0x90, 60, 80];
    assert!(midi::read(&file(1, &far)).unwrap_err().to_string().contains("too large"));
}
