//! Damaged bytes: no reader panics, and whatever is read keeps the invariants of a score.

use std::io::Write;

use affetto_score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, midi, musicxml};

const CASES: u32 = 2000;

/// Small deterministic generator (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }
}

/// A few random edits: bits, bytes, numbers, cuts, copies.
fn damaged(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..1 + random.below(6) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'-', b'9', b'<'][random.below(8)],
            2 => bytes[at] = original[random.below(original.len())],
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..(at + random.below(20)).min(bytes.len()))),
            5 => {
                let from = random.below(original.len());
                let piece = original[from..(from + random.below(60)).min(original.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => drop(bytes.splice(at..at, *b"999999999")),
        }
    }
    bytes
}

/// Other digits, minus signs and letters in place of some digits: the form stays whole, the numbers do not.
fn renumbered(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let digits: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i].is_ascii_digit()).collect();
    for _ in 0..(1 + random.below(8)) * usize::from(!digits.is_empty()) {
        bytes[digits[random.below(digits.len())]] = b"00123456789999-.e"[random.below(17)];
    }
    bytes
}

/// Checks what [`Score`] promises of every reader.
fn check(score: &Score, what: &str) {
    let rising = |ticks: Vec<u32>| ticks.windows(2).all(|pair| pair[0] < pair[1]);
    let tempos: Vec<u32> = score.tempos.iter().map(|t| t.tick).collect();
    let meters: Vec<u32> = score.meters.iter().map(|m| m.tick).collect();
    assert_eq!((tempos.first(), meters.first()), (Some(&0), Some(&0)), "{what}: maps begin at 0");
    assert!(
        rising(tempos) && rising(meters) && rising(score.keys.iter().map(|k| k.tick).collect()),
        "{what}: maps rise"
    );
    assert!(score.tempos.iter().all(|t| (1.0..=60e6).contains(&t.bpm)), "{what}: {:?}", score.tempos);
    let meter_fits = |m: &MeterChange| m.numerator > 0 && m.denominator.is_power_of_two() && m.denominator <= 64;
    assert!(score.meters.iter().all(meter_fits), "{what}: {:?}", score.meters);
    assert!(score.keys.iter().all(|k| k.key.tonic < 12), "{what}: {:?}", score.keys);
    assert!(score.pickup == 0 || score.pickup < score.meters[0].bar_ticks(), "{what}: pick-up {}", score.pickup);
    let note_fits = |n: &Note| {
        n.duration > 0
            && n.pitch <= 127
            && (1..=127).contains(&n.velocity)
            && n.instrument.0 <= 128
            && n.onset.checked_add(n.duration).is_some_and(|end| end <= 480 * 4 * 20_000)
    };
    assert_eq!(score.notes.iter().find(|n| !note_fits(n)), None, "{what}");
    assert!(score.notes.is_sorted_by_key(|n| (n.onset, n.instrument, n.pitch)), "{what}: notes in order");
}

/// Reads damaged copies of `original`; how many could still be read.
fn survive(original: &[u8], seed: u64, read: impl Fn(&[u8]) -> bool) -> u32 {
    assert!(read(original), "the undamaged file is read");
    let mut random = Random(seed);
    (0..CASES)
        .filter(|case| {
            read(&if case % 2 == 0 { damaged(original, &mut random) } else { renumbered(original, &mut random) })
        })
        .count() as u32
}

fn piece() -> Score {
    let note = |i: u32| Note {
        onset: i * 170,
        duration: 100 + i * 40,
        pitch: 50 + i as u8,
        velocity: 60 + i as u8,
        instrument: Instrument([0, 40, 128][i as usize % 3]),
    };
    let mut score = Score {
        notes: (0..12).map(note).collect(),
        meters: vec![
            MeterChange { tick: 0, numerator: 3, denominator: 4 },
            MeterChange { tick: 480 + 1440, numerator: 6, denominator: 8 },
        ],
        keys: vec![KeyChange { tick: 0, key: Key { tonic: 5, mode: Mode::Minor } }],
        pickup: 480,
        title: Some("Piece".into()),
        ..Score::default()
    };
    score.sort();
    score
}

#[test]
fn midi_files() {
    let pedal = [
        b"MThd\0\0\0\x06\0\0\0\x01\x01\xe0MTrk\0\0\0\x1e".as_slice(),
        &[0, 0xb0, 64, 127, 0, 0x90, 60, 80, 96, 0x80, 60, 0, 9, 0x90, 60, 80, 9, 60, 0, 96, 0xb0, 64, 0],
        &[0, 0xc0, 9, 0, 0xff, 0x2f, 0],
    ]
    .concat();
    for (original, seed) in [(midi::write(&piece()), 1), (pedal, 2)] {
        let read = |bytes: &[u8]| {
            let Ok(score) = midi::read(bytes) else { return false };
            check(&score, "MIDI");
            let again = midi::read(&midi::write(&score)).expect("what is written can be read");
            assert_eq!(again.notes.len(), score.notes.len());
            true
        };
        assert!(survive(&original, seed, read) > CASES / 10);
    }
}

#[test]
fn musicxml_files() {
    let attributes = "<attributes><divisions>2</divisions><key><fifths>1</fifths></key><time><beats>2</beats>\
        <beat-type>4</beat-type></time><transpose><chromatic>-2</chromatic></transpose></attributes>";
    let note = "<note><pitch><step>G</step><alter>1</alter><octave>4</octave></pitch><duration>2</duration><tie type=\"start\"/></note>";
    let harmony = "<harmony><root><root-step>G</root-step></root><kind>dominant</kind><degree><degree-value>9</degree-value>\
        <degree-alter>0</degree-alter><degree-type>add</degree-type></degree></harmony>";
    let barline =
        "<barline><ending number=\"1\" type=\"start\"/><repeat direction=\"backward\" times=\"3\"/></barline>";
    let lead_sheet = format!(
        "<score-partwise><part id=\"P1\"><measure>{attributes}<sound tempo=\"90\"/>{note}</measure><measure>{harmony}{note}\
         <backup><duration>2</duration></backup>{note}{note}{barline}</measure></part></score-partwise>"
    );
    let written = musicxml::write(&piece());
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("score.xml", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(lead_sheet.as_bytes()).unwrap();
    let compressed = archive.finish().unwrap().into_inner();
    for (original, seed, least) in
        [(lead_sheet.as_bytes(), 3, CASES / 5), (written.as_bytes(), 4, CASES / 5), (&compressed, 5, 1)]
    {
        let read = |bytes: &[u8]| {
            let Ok(read) = musicxml::read(bytes) else { return false };
            check(&read.score, "MusicXML");
            assert!(read.chords.iter().all(|c| c.root < 12 && c.bass < 12));
            let text = musicxml::write(&read.score);
            check(&musicxml::read(text.as_bytes()).expect("what is written can be read").score, "MusicXML again");
            true
        };
        let read_count = survive(original, seed, read);
        assert!(read_count >= least, "{read_count} of {CASES} damaged files could be read");
    }
}

/// A pedal that goes up and down while very many keys are held down must not look at each of them each time.
#[test]
fn pedals_over_many_held_keys_end_quickly() {
    let track = |events: &[u8]| [b"MTrk".as_slice(), &(events.len() as u32).to_be_bytes(), events].concat();
    let (tracks, pedals) = (1000u16, 100_000);
    let strokes: Vec<u8> = (0..128u8).flat_map(|key| [0, 0x90, key, 80]).collect();
    let steps: Vec<u8> = (0..pedals).flat_map(|i| [0, 0xb0, 64, if i % 2 == 0 { 127 } else { 0 }]).collect();
    let mut file = [b"MThd\0\0\0\x06\0\x01".as_slice(), &(tracks + 1).to_be_bytes(), b"\x01\xe0"].concat();
    file.extend((0..tracks).flat_map(|_| track(&strokes)));
    file.extend(track(&steps));
    let start = std::time::Instant::now();
    let score = midi::read(&file).unwrap();
    assert_eq!(score.notes.len(), 128_000);
    // It takes half a second; looking at every key each time takes minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn deep_and_swollen_documents_end_quickly() {
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert!(musicxml::read(deep.as_bytes()).is_err());
    let entities: String =
        (1..9).map(|i| format!("<!ENTITY e{i} \"{}\">", format!("&e{};", i - 1).repeat(10))).collect();
    let bomb = format!("<!DOCTYPE a [<!ENTITY e0 \"x\">{entities}]><score-partwise>&e8;</score-partwise>");
    assert!(musicxml::read(bomb.as_bytes()).is_err());
}
