//! One part of a MusicXML file, measure by measure.

use roxmltree::Node;

use super::read::{Players, elements, value};
use crate::bars::{Bar, BarNote, bar_ticks};
use crate::chord::{ChordSymbol, intervals_of_kind, pitch_class_of};
use crate::error::{ScoreError, limits};
use crate::score::{Instrument, Key, Mode, TICKS_PER_QUARTER};

/// MusicXML counts dynamics in percent of this velocity.
const FORTE: f64 = 90.0;
const DEFAULT_VELOCITY: u8 = 80;
const WHOLE_NOTE: f64 = 4.0 * TICKS_PER_QUARTER as f64;
const SNARE: u8 = 38;
const SLOWEST_BPM: f64 = 5.0;
const FASTEST_BPM: f64 = 1000.0;

/// What carries over from measure to measure.
pub(super) struct PartReader {
    part: u16,
    players: Players,
    /// Ticks of one division.
    tick: f64,
    meter: (u8, u8),
    transpose: i32,
    velocity: u8,
}

/// Where in a measure the reader is.
#[derive(Default)]
struct Cursor {
    /// Ticks from the bar line; fractional, so that rounding does not add up.
    at: f64,
    /// Where the last note that was no chord member began.
    chord: f64,
    furthest: f64,
}

impl Cursor {
    fn forward(&mut self, ticks: f64) -> Result<(), ScoreError> {
        self.at += ticks;
        limits::check("length in ticks", self.at as usize, limits::TICKS as usize)?;
        self.furthest = self.furthest.max(self.at);
        Ok(())
    }
}

impl PartReader {
    pub fn new(part: u16, players: Players) -> PartReader {
        let tick = f64::from(TICKS_PER_QUARTER);
        PartReader { part, players, tick, meter: (4, 4), transpose: 0, velocity: DEFAULT_VELOCITY }
    }

    /// Adds what this part plays in one measure to the bar.
    pub fn read_measure(&mut self, measure: Node<'_, '_>, bar: &mut Bar) -> Result<(), ScoreError> {
        let mut cursor = Cursor::default();
        for node in measure.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "attributes" => self.attributes(node, cursor.at, bar),
                "note" => self.note(node, &mut cursor, bar)?,
                "backup" => cursor.at = (cursor.at - self.duration(node)).max(0.0),
                "forward" => cursor.forward(self.duration(node))?,
                "direction" => self.direction(node, cursor.at, bar),
                "sound" => self.sound(node, cursor.at, bar),
                "harmony" => {
                    let offset = value::<f64>(node, "offset").filter(|o| o.is_finite()).unwrap_or(0.0) * self.tick;
                    bar.chords.extend(chord(node, round(cursor.at + offset), self.transpose));
                }
                "barline" => barline(node, bar),
                _ => {}
            }
        }
        if self.part == 0 || bar.meter.is_none() {
            bar.meter = Some(self.meter);
        }
        bar.length = bar.length.max(round(cursor.furthest));
        Ok(())
    }

    /// `<duration>` in ticks; 0 where it is missing or nonsense.
    fn duration(&self, node: Node<'_, '_>) -> f64 {
        let ticks = value::<f64>(node, "duration").unwrap_or(0.0) * self.tick;
        if ticks.is_finite() { ticks.clamp(0.0, f64::from(limits::TICKS)) } else { 0.0 }
    }

    fn attributes(&mut self, node: Node<'_, '_>, at: f64, bar: &mut Bar) {
        if let Some(divisions) = value::<f64>(node, "divisions").filter(|d| d.is_finite() && *d >= 1e-3) {
            self.tick = f64::from(TICKS_PER_QUARTER) / divisions;
        }
        for transpose in elements(node, "transpose") {
            let octaves = value::<i32>(transpose, "octave-change").unwrap_or(0).clamp(-8, 8);
            self.transpose = value::<i32>(transpose, "chromatic").unwrap_or(0).clamp(-96, 96) + 12 * octaves;
        }
        for time in elements(node, "time") {
            if let Some(meter) = meter(time) {
                self.meter = meter;
            }
        }
        for key in elements(node, "key") {
            let Some(fifths) = value::<i32>(key, "fifths").filter(|f| (-7..=7).contains(f)) else { continue };
            let minor = value::<String>(key, "mode").is_some_and(|mode| matches!(mode.as_str(), "minor" | "aeolian"));
            let mode = if minor { Mode::Minor } else { Mode::Major };
            let tonic = (fifths * 7 + if minor { 9 } else { 0 } + self.transpose).rem_euclid(12) as u8;
            if self.part == 0 {
                bar.keys.push((round(at), Key { tonic, mode }));
            }
        }
    }

    fn note(&mut self, node: Node<'_, '_>, cursor: &mut Cursor, bar: &mut Bar) -> Result<(), ScoreError> {
        let has = |name: &str| elements(node, name).next().is_some();
        if has("grace") {
            return Ok(());
        }
        let mut duration = self.duration(node);
        let rest = elements(node, "rest").next();
        // A whole-bar rest lasts as long as the bar, though some writers give it the length of its sign, a whole note.
        let whole_bar = rest.is_some_and(|r| r.attribute("measure") == Some("yes")) && cursor.at == 0.0;
        if whole_bar && (duration == 0.0 || duration == WHOLE_NOTE) {
            duration = f64::from(bar_ticks(self.meter));
        }
        let start = if has("chord") { cursor.chord } else { cursor.at };
        if !has("chord") {
            cursor.chord = cursor.at;
            cursor.forward(duration)?;
        }
        if rest.is_some() || has("cue") {
            return Ok(());
        }
        let named = elements(node, "instrument").next().and_then(|i| i.attribute("id"));
        let named = named.and_then(|id| self.players.by_id.get(id)).copied();
        let instrument = named.map(|(i, _)| i).or(self.players.main).unwrap_or(Instrument::PIANO);
        let (instrument, pitch) = if has("unpitched") {
            (Instrument::DRUMS, named.and_then(|(_, key)| key).unwrap_or(SNARE))
        } else {
            match elements(node, "pitch").next().and_then(|p| self.pitch(p)) {
                Some(pitch) => (instrument, pitch),
                None => return Ok(()),
            }
        };
        let tied = |kind: &str| elements(node, "tie").any(|t| t.attribute("type") == Some(kind));
        let loudness = node.attribute("dynamics").and_then(|d| d.parse().ok()).map(velocity_of);
        let offset = round(start);
        bar.notes.push(BarNote {
            offset,
            duration: round(start + duration).saturating_sub(offset).max(1),
            pitch,
            velocity: loudness.unwrap_or(self.velocity),
            instrument,
            part: self.part,
            tied_on: tied("start"),
            tied_back: tied("stop"),
        });
        limits::check("notes of one bar", bar.notes.len(), limits::NOTES)
    }

    fn pitch(&self, node: Node<'_, '_>) -> Option<u8> {
        let step = pitch_class_of(value::<char>(node, "step")?)?;
        let octave = value::<i32>(node, "octave")?.clamp(-2, 12);
        let alter = value::<f64>(node, "alter").filter(|a| a.is_finite()).unwrap_or(0.0).clamp(-12.0, 12.0).round();
        let key = 12 * (octave + 1) + i32::from(step) + alter as i32 + self.transpose;
        u8::try_from(key).ok().filter(|&key| key < 128)
    }

    fn direction(&mut self, node: Node<'_, '_>, at: f64, bar: &mut Bar) {
        let offset = elements(node, "offset").next().filter(|o| o.attribute("sound") == Some("yes"));
        let steps = offset.and_then(|o| o.text()?.trim().parse::<f64>().ok()).filter(|o| o.is_finite());
        let at = at + steps.unwrap_or(0.0) * self.tick;
        let mut told = false;
        for sound in elements(node, "sound") {
            told |= sound.attribute("tempo").is_some();
            self.sound(sound, at, bar);
        }
        for kind in elements(node, "direction-type") {
            for metronome in elements(kind, "metronome").filter(|_| !told) {
                bar.tempos.extend(metronome_bpm(metronome).map(|bpm| (round(at), bpm)));
            }
            for mark in elements(kind, "dynamics").flat_map(|d| d.children()).filter(Node::is_element) {
                self.velocity = match mark.tag_name().name() {
                    "ppp" => 24,
                    "pp" => 36,
                    "p" => 50,
                    "mp" => 64,
                    "mf" => 78,
                    "f" | "fp" => 92,
                    "ff" => 106,
                    "fff" => 120,
                    _ => self.velocity,
                };
            }
        }
    }

    fn sound(&mut self, node: Node<'_, '_>, at: f64, bar: &mut Bar) {
        if let Some(bpm) = node.attribute("tempo").and_then(|t| t.trim().parse::<f64>().ok()).and_then(sane_bpm) {
            bar.tempos.push((round(at), bpm));
        }
        if let Some(percent) = node.attribute("dynamics").and_then(|d| d.trim().parse().ok()) {
            self.velocity = velocity_of(percent);
        }
    }
}

fn round(ticks: f64) -> u32 {
    ticks.round().clamp(0.0, f64::from(limits::TICKS)) as u32
}

fn velocity_of(percent: f64) -> u8 {
    (percent * FORTE / 100.0).round().clamp(1.0, 127.0) as u8
}

fn sane_bpm(bpm: f64) -> Option<f64> {
    (SLOWEST_BPM..=FASTEST_BPM).contains(&bpm).then_some(bpm)
}

/// Beats (numerators such as `3+2` are added up) and beat value.
fn meter(time: Node<'_, '_>) -> Option<(u8, u8)> {
    let beats: String = value(time, "beats")?;
    let mut numerator = 0u8;
    for part in beats.split('+') {
        numerator = numerator.checked_add(part.trim().parse().ok()?)?;
    }
    let denominator: u8 = value(time, "beat-type")?;
    (numerator > 0 && denominator.is_power_of_two() && denominator <= 64).then_some((numerator, denominator))
}

/// Quarter notes a minute of a metronome mark.
fn metronome_bpm(node: Node<'_, '_>) -> Option<f64> {
    let quarters = match value::<String>(node, "beat-unit")?.as_str() {
        "whole" => 4.0,
        "half" => 2.0,
        "quarter" => 1.0,
        "eighth" => 0.5,
        "16th" => 0.25,
        _ => return None,
    };
    let dotted = if elements(node, "beat-unit-dot").next().is_some() { 1.5 } else { 1.0 };
    sane_bpm(value::<f64>(node, "per-minute")? * quarters * dotted)
}

fn barline(node: Node<'_, '_>, bar: &mut Bar) {
    for repeat in elements(node, "repeat") {
        match repeat.attribute("direction") {
            Some("forward") => bar.repeat_start = true,
            Some("backward") => {
                let times = repeat.attribute("times").and_then(|t| t.parse::<u8>().ok()).unwrap_or(2);
                bar.repeat_end = times.clamp(2, 8);
            }
            _ => {}
        }
    }
    for ending in elements(node, "ending") {
        match ending.attribute("type") {
            Some("start") => {
                let numbers = ending.attribute("number").unwrap_or_default().split([',', ' ']);
                for number in numbers.filter_map(|n| n.parse::<u32>().ok()).filter(|n| (1..=8).contains(n)) {
                    bar.endings |= 1 << number;
                }
            }
            Some("stop" | "discontinue") => bar.endings |= 1 << 31,
            _ => {}
        }
    }
}

fn chord(node: Node<'_, '_>, tick: u32, transpose: i32) -> Option<ChordSymbol> {
    let note = |parent: &str, step: &str, alter: &str| {
        let node = elements(node, parent).next()?;
        let alter = value::<f64>(node, alter).filter(|a| a.is_finite()).unwrap_or(0.0).clamp(-3.0, 3.0) as i32;
        Some((i32::from(pitch_class_of(value::<char>(node, step)?)?) + alter + transpose).rem_euclid(12) as u8)
    };
    let kind = value::<String>(node, "kind").unwrap_or_default();
    let root = note("root", "root-step", "root-alter");
    if root.is_none() && kind != "none" {
        return None;
    }
    let mut intervals = intervals_of_kind(&kind).to_vec();
    for degree in elements(node, "degree").take(16) {
        let (Some(number), Some(how)) = (value::<u8>(degree, "degree-value"), value::<String>(degree, "degree-type"))
        else {
            continue;
        };
        let natural = [0, 2, 4, 5, 7, 9, 11][usize::from(number.clamp(1, 13) - 1) % 7];
        // A seventh in a chord symbol is the minor one.
        let natural = if number == 7 { 10 } else { natural };
        let alter = value::<i32>(degree, "degree-alter").unwrap_or(0).clamp(-2, 2);
        let interval = (natural + alter).rem_euclid(12) as u8;
        let near = |i: &u8| i32::from(*i % 12).abs_diff(natural) <= 1;
        match how.as_str() {
            "alter" => {
                intervals.retain(|i| !near(i));
                intervals.push(interval);
            }
            "subtract" => intervals.retain(|i| !near(i)),
            _ => intervals.push(interval),
        }
    }
    if !intervals.contains(&0) && !intervals.is_empty() {
        intervals.insert(0, 0);
    }
    Some(ChordSymbol::new(tick, root.unwrap_or(0), &intervals, note("bass", "bass-step", "bass-alter")))
}
