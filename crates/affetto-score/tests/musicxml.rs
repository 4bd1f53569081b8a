//! MusicXML: what is read from hand-made files.

use std::io::Write;

use affetto_score::{Instrument, Key, Mode, Score, musicxml};

const ATTRIBUTES: &str = "<attributes><divisions>2</divisions><key><fifths>-1</fifths><mode>minor</mode></key>\
    <time><beats>3</beats><beat-type>4</beat-type></time></attributes>";

fn note(step: char, octave: u8, duration: u8, extra: &str) -> String {
    format!(
        "<note>{extra}<pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>{duration}</duration></note>"
    )
}

fn rest(duration: u8) -> String {
    format!("<note><rest/><duration>{duration}</duration></note>")
}

fn part(measures: &[String]) -> String {
    let measures: String = measures.iter().map(|m| format!("<measure>{m}</measure>")).collect();
    format!("<part id=\"P1\">{measures}</part>")
}

fn file(part_list: &str, parts: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><!DOCTYPE score-partwise PUBLIC \"-//Recordare//DTD MusicXML 2.0 Partwise//EN\" \"x.dtd\">\
         <score-partwise><work><work-title>Air</work-title></work><part-list>{part_list}</part-list>{parts}</score-partwise>"
    )
}

fn times(score: &Score) -> Vec<(u32, u32, u8)> {
    score.notes.iter().map(|n| (n.onset, n.duration, n.pitch)).collect()
}

#[test]
fn chords_voices_ties_and_pickup() {
    let measures = [
        format!("{ATTRIBUTES}<sound tempo=\"90\"/>{}", note('C', 4, 2, "")),
        format!(
            "{}{}{}<backup><duration>6</duration></backup><forward><duration>2</duration></forward>{}",
            note('D', 4, 4, ""),
            note('F', 4, 4, "<chord/>"),
            note('E', 5, 2, "<tie type=\"start\"/>"),
            note('G', 3, 4, ""),
        ),
        format!("{}{}", note('E', 5, 2, "<tie type=\"stop\"/>"), rest(4)),
    ];
    let read = musicxml::read(file("", &part(&measures)).as_bytes()).unwrap();
    let score = read.score;
    assert_eq!(times(&score), [(0, 480, 60), (480, 960, 62), (480, 960, 65), (960, 960, 55), (1440, 960, 76)]);
    assert_eq!((score.pickup, score.meters.len(), score.tempos[0].bpm), (480, 1, 90.0));
    assert_eq!(score.keys[0].key, Key { tonic: 2, mode: Mode::Minor });
    assert_eq!(score.title.as_deref(), Some("Air"));
}

#[test]
fn repeats_with_endings_are_played_out() {
    let ending = |number: u8, kind: &str| format!("<barline><ending number=\"{number}\" type=\"{kind}\"/></barline>");
    let back = "<barline><repeat direction=\"backward\"/></barline>";
    let measures = [
        format!("{ATTRIBUTES}{}", note('C', 4, 6, "")),
        format!("{}{}{}{back}", ending(1, "start"), note('D', 4, 6, ""), ending(1, "stop")),
        format!("{}{}{}", ending(2, "start"), note('E', 4, 6, ""), ending(2, "discontinue")),
        note('F', 4, 6, ""),
    ];
    let score = musicxml::read(file("", &part(&measures)).as_bytes()).unwrap().score;
    let pitches: Vec<_> = score.notes.iter().map(|n| n.pitch).collect();
    assert_eq!(pitches, [60, 62, 60, 64, 65]);
    assert_eq!(score.end(), 5 * 1440);
}

#[test]
fn chord_symbols_instruments_and_drums() {
    let list = "<score-part id=\"P1\"><midi-instrument id=\"a\"><midi-channel>1</midi-channel><midi-program>41</midi-program>\
        </midi-instrument><midi-instrument id=\"b\"><midi-channel>10</midi-channel><midi-unpitched>37</midi-unpitched>\
        </midi-instrument></score-part>";
    let harmony = "<harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root><kind>dominant</kind>\
        <bass><bass-step>D</bass-step></bass><degree><degree-value>9</degree-value><degree-alter>-1</degree-alter>\
        <degree-type>add</degree-type></degree></harmony>";
    let unpitched = "<note><unpitched/><duration>4</duration><instrument id=\"b\"/></note>";
    let measure = format!("{ATTRIBUTES}{}{harmony}{unpitched}", note('A', 4, 2, ""));
    let read = musicxml::read(file(list, &part(&[measure])).as_bytes()).unwrap();
    assert_eq!(read.score.instruments(), [Instrument(40), Instrument::DRUMS]);
    assert_eq!(read.score.notes[1].pitch, 36);
    let chord = &read.chords[0];
    assert_eq!((chord.tick, chord.root, chord.bass), (480, 10, 2));
    assert_eq!(chord.pitch_classes, [10, 2, 5, 8, 11]);
}

#[test]
fn compressed_files_are_unpacked() {
    let xml = file("", &part(&[format!("{ATTRIBUTES}{}", note('C', 4, 6, ""))]));
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("META-INF/container.xml", options).unwrap();
    archive.write_all(b"<container><rootfiles><rootfile full-path=\"b.xml\"/></rootfiles></container>").unwrap();
    archive.start_file("a.xml", options).unwrap();
    archive.write_all(b"<other/>").unwrap();
    archive.start_file("b.xml", options).unwrap();
    archive.write_all(xml.as_bytes()).unwrap();
    let bytes = archive.finish().unwrap().into_inner();
    assert_eq!(times(&musicxml::read(&bytes).unwrap().score), [(0, 1440, 60)]);
}

#[test]
fn other_xml_is_refused_by_name() {
    assert!(musicxml::read(b"<html/>").unwrap_err().to_string().contains("<html>"));
    assert!(musicxml::read(b"PK\x03\x04").is_err());
    let deep = "<a>".repeat(300_000);
    assert!(musicxml::read(deep.as_bytes()).is_err());
}
