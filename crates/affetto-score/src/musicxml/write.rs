//! Score → MusicXML.

use std::fmt::Write;
use std::ops::Range;

use super::layout::{Chord, GridNote, QUARTER, voices};
use super::measure::{Staff, StaffVoices};
use super::spelling::fifths_of;
use crate::instruments::drum_name;
use crate::score::{Instrument, Key, MeterChange, Mode, Score, TICKS_PER_QUARTER};

/// Appends formatted text. Writing to a `String` cannot fail.
macro_rules! add {
    ($out:expr, $($format:tt)*) => {{
        let _ = write!($out, $($format)*);
    }};
}
pub(super) use add;

const TICKS_PER_STEP: u32 = TICKS_PER_QUARTER / QUARTER;
/// The lowest key of the upper staff of two.
const MIDDLE_C: u8 = 60;
/// Parts that lie lower than this on average get a bass clef.
const BASS_CLEF_BELOW: f64 = 56.0;
/// Programs of instruments with two staves: pianos, celesta to music box, organs.
const TWO_STAVES: [Range<u8>; 2] = [0..8, 16..21];

/// Writes MusicXML 4.0 (part-wise, plain text): one part an instrument, bars by the meter map, ties across bar lines,
/// keys, meters, tempos, velocities, drums as unpitched notes, keyboards on two staves.
///
/// Onsets and ends are rounded to 24 a quarter. Notes that overlap go to voices, at most four a staff (beyond that
/// the chord that ends first is cut short). Key changes are moved to the bar line before them.
pub fn write(score: &Score) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE score-partwise PUBLIC \"-//Recordare//DTD MusicXML 4.0 \
         Partwise//EN\" \"http://www.musicxml.org/dtds/partwise.dtd\">\n<score-partwise version=\"4.0\">\n",
    );
    if let Some(title) = &score.title {
        add!(out, "<work><work-title>{}</work-title></work>\n", escaped(title));
    }
    out.push_str("<identification><encoding><software>Affetto</software></encoding></identification>\n<part-list>\n");
    let mut instruments = score.instruments();
    if instruments.is_empty() {
        instruments.push(Instrument::PIANO);
    }
    let mut channel = 0;
    for (i, &instrument) in instruments.iter().enumerate() {
        part_header(&mut out, score, i + 1, instrument, &mut channel);
    }
    out.push_str("</part-list>\n");
    let bars = bars(score);
    for (i, &instrument) in instruments.iter().enumerate() {
        part(&mut out, score, &bars, i + 1, instrument);
    }
    out.push_str("</score-partwise>\n");
    out
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ if c.is_control() => {}
            _ => out.push(c),
        }
    }
    out
}

fn part_header(out: &mut String, score: &Score, number: usize, instrument: Instrument, channel: &mut usize) {
    add!(out, "<score-part id=\"P{number}\"><part-name>{instrument}</part-name>");
    if instrument.is_drums() {
        let keys = drum_keys(score);
        for key in &keys {
            add!(
                out,
                "<score-instrument id=\"P{number}-I{key}\"><instrument-name>{}</instrument-name></score-instrument>",
                drum_name(*key)
            );
        }
        for key in &keys {
            add!(
                out,
                "<midi-instrument id=\"P{number}-I{key}\"><midi-channel>10</midi-channel><midi-program>1</midi-program>\
                 <midi-unpitched>{}</midi-unpitched></midi-instrument>",
                key + 1
            );
        }
    } else {
        let midi = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16][*channel % 15];
        *channel += 1;
        add!(
            out,
            "<score-instrument id=\"P{number}-I1\"><instrument-name>{instrument}</instrument-name></score-instrument>\
             <midi-instrument id=\"P{number}-I1\"><midi-channel>{midi}</midi-channel><midi-program>{}</midi-program>\
             </midi-instrument>",
            u32::from(instrument.0) + 1
        );
    }
    out.push_str("</score-part>\n");
}

fn drum_keys(score: &Score) -> Vec<u8> {
    let drums = score.notes.iter().filter(|n| n.instrument.is_drums());
    let mut keys: Vec<u8> = drums.map(|n| n.pitch.min(127)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// A bar on the step grid.
struct BarLines {
    steps: Range<u32>,
    ticks: Range<u32>,
    meter: MeterChange,
    pickup: bool,
}

fn step(tick: u32) -> u32 {
    tick / TICKS_PER_STEP + u32::from(tick % TICKS_PER_STEP >= TICKS_PER_STEP / 2)
}

fn bars(score: &Score) -> Vec<BarLines> {
    let end = score.end();
    let starts = score.bar_starts(end.saturating_sub(1));
    let meter_at = |tick: u32| score.meters[score.meters.partition_point(|m| m.tick <= tick).saturating_sub(1)];
    let bar = |(i, &start): (usize, &u32)| {
        let meter = meter_at(start);
        let pickup = i == 0 && score.pickup > 0;
        let whole = if pickup { score.pickup } else { meter.bar_ticks() };
        let next = starts.get(i + 1).copied().unwrap_or(start.saturating_add(whole));
        BarLines { steps: step(start)..step(next).max(step(start) + 1), ticks: start..next, meter, pickup }
    };
    starts.iter().enumerate().map(bar).collect()
}

fn grid_notes(score: &Score, instrument: Instrument, pitches: Range<u8>) -> Vec<Vec<Chord>> {
    let mut notes: Vec<GridNote> = score
        .notes
        .iter()
        .filter(|n| n.instrument == instrument && pitches.contains(&n.pitch.min(127)))
        .map(|n| {
            let start = step(n.onset);
            let end = step(n.onset.saturating_add(n.duration)).max(start + 1);
            GridNote { start, end, pitch: n.pitch.min(127), velocity: n.velocity.clamp(1, 127) }
        })
        .collect();
    notes.sort_by_key(|n| (n.start, n.end, n.pitch));
    voices(&notes)
}

fn part(out: &mut String, score: &Score, bars: &[BarLines], number: usize, instrument: Instrument) {
    let two = TWO_STAVES.iter().any(|r| r.contains(&instrument.0));
    let staves: Vec<StaffVoices> = if two {
        vec![grid_notes(score, instrument, MIDDLE_C..128), grid_notes(score, instrument, 0..MIDDLE_C)]
    } else {
        vec![grid_notes(score, instrument, 0..128)]
    };
    let clefs = clefs(score, instrument, two);
    add!(out, "<part id=\"P{number}\">\n");
    let mut key = None;
    let mut meter = None;
    for (i, bar) in bars.iter().enumerate() {
        let offset = usize::from(!bars[0].pickup);
        let implicit = if bar.pickup { " implicit=\"yes\"" } else { "" };
        add!(out, "<measure number=\"{}\"{implicit}>\n", i + offset);
        let key_now = score.keys.iter().rev().find(|k| k.tick < bar.ticks.end).map(|k| k.key);
        let meter_now = (bar.meter.numerator, bar.meter.denominator);
        if i == 0 || key_now != key || Some(meter_now) != meter {
            out.push_str("<attributes>");
            if i == 0 {
                add!(out, "<divisions>{QUARTER}</divisions>");
            }
            if !instrument.is_drums() && (i == 0 || key_now != key) {
                key_signature(out, key_now);
            }
            if Some(meter_now) != meter {
                let (beats, unit) = meter_now;
                add!(out, "<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>");
            }
            if i == 0 {
                out.push_str(&clefs);
            }
            out.push_str("</attributes>\n");
        }
        (key, meter) = (key_now, Some(meter_now));
        if number == 1 {
            tempos(out, score, bar);
        }
        // In a pick-up beats are counted back from the bar line.
        let origin = if bar.pickup { bar.steps.end } else { bar.steps.start };
        let fifths = key.map_or(0, fifths_of);
        for (s, voices) in staves.iter().enumerate() {
            if s > 0 {
                add!(out, "<backup><duration>{}</duration></backup>\n", bar.steps.end - bar.steps.start);
            }
            let staff = Staff { part: number, number: two.then_some(s + 1), drums: instrument.is_drums(), fifths };
            staff.measure(out, voices, bar.steps.clone(), origin);
        }
        out.push_str("</measure>\n");
    }
    out.push_str("</part>\n");
}

fn clefs(score: &Score, instrument: Instrument, two: bool) -> String {
    let clef =
        |number: &str, sign: &str, line: u8| format!("<clef{number}><sign>{sign}</sign><line>{line}</line></clef>");
    if two {
        let upper = clef(" number=\"1\"", "G", 2);
        return format!("<staves>2</staves>{upper}{}", clef(" number=\"2\"", "F", 4));
    }
    if instrument.is_drums() {
        return clef("", "percussion", 2);
    }
    let pitches = score.notes.iter().filter(|n| n.instrument == instrument).map(|n| f64::from(n.pitch));
    let (count, sum) = pitches.fold((0.0, 0.0), |(count, sum), p| (count + 1.0, sum + p));
    if count > 0.0 && sum / count < BASS_CLEF_BELOW { clef("", "F", 4) } else { clef("", "G", 2) }
}

fn key_signature(out: &mut String, key: Option<Key>) {
    let mode = match key {
        Some(Key { mode: Mode::Minor, .. }) => "<mode>minor</mode>",
        Some(_) => "<mode>major</mode>",
        None => "",
    };
    add!(out, "<key><fifths>{}</fifths>{mode}</key>", key.map_or(0, fifths_of));
}

fn tempos(out: &mut String, score: &Score, bar: &BarLines) {
    for tempo in score.tempos.iter().filter(|t| bar.ticks.contains(&t.tick)) {
        let offset = match step(tempo.tick).saturating_sub(bar.steps.start) {
            0 => String::new(),
            steps => format!("<offset sound=\"yes\">{steps}</offset>"),
        };
        let bpm = (tempo.bpm * 1000.0).round() / 1000.0;
        add!(
            out,
            "<direction placement=\"above\"><direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>{bpm}\
             </per-minute></metronome></direction-type>{offset}<sound tempo=\"{bpm}\"/></direction>\n"
        );
    }
}
