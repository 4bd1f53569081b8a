//! MusicXML → score.

use std::collections::HashMap;

use roxmltree::{Document, Node, ParsingOptions};

use super::container;
use super::part::PartReader;
use crate::bars::{self, Bar};
use crate::chord::ChordSymbol;
use crate::error::{ScoreError, limits};
use crate::score::{Instrument, Score};

const FORMAT: &str = "MusicXML";
const MOST_XML_NODES: u32 = 4_000_000;
const MOST_PARTS: usize = 256;

/// A MusicXML file as music.
#[derive(Clone, Debug, PartialEq)]
pub struct MusicXml {
    /// The notes of all parts.
    pub score: Score,
    /// The chord symbols, by tick; empty unless the file is a lead sheet.
    pub chords: Vec<ChordSymbol>,
}

/// Reads plain or compressed MusicXML (part-wise or time-wise).
///
/// Parts take their instrument from `<midi-program>` (piano where there is none, drums on channel 10); ties are
/// merged; repeats and endings are played out (da capo and segno are not); grace and cue notes are left out. Tempo comes from
/// `<sound tempo>` or a metronome mark, else it is 120. A first bar shorter than its meter is a pick-up; other bars
/// that do not fill their meter get a meter of their own, so that every bar line stays where it is written.
///
/// # Errors
/// [`ScoreError::Malformed`] where the bytes are not MusicXML, [`ScoreError::TooLarge`] above a million notes,
/// 32 MiB of XML or about 11 hours.
pub fn read(bytes: &[u8]) -> Result<MusicXml, ScoreError> {
    let text = container::text(bytes)?;
    let options = ParsingOptions { allow_dtd: true, nodes_limit: MOST_XML_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&text, options).map_err(|e| ScoreError::malformed(FORMAT, e))?;
    let root = document.root_element();
    let parts = measures_by_part(root)?;
    limits::check("parts", parts.len(), MOST_PARTS)?;
    let players = players(root);
    let mut bars: Vec<Bar> = Vec::new();
    for (number, (id, measures)) in parts.iter().enumerate() {
        let players = players.get(id).cloned().unwrap_or_default();
        let mut part = PartReader::new(number as u16, players);
        for (i, &measure) in measures.iter().enumerate() {
            if i == bars.len() {
                limits::check("bars", i + 1, limits::CHANGES)?;
                bars.push(Bar::default());
            }
            part.read_measure(measure, &mut bars[i])?;
        }
    }
    spread_endings(&mut bars);
    for bar in &mut bars {
        bar.tempos.sort_by_key(|&(tick, _)| tick);
        bar.chords.sort_by_key(|c| c.tick);
        // A tie's first half must be met before its second, whichever voice was written first.
        bar.notes.sort_by_key(|n| n.offset);
        if bar.length == 0 {
            bar.length = bar.meter.map_or(0, bars::bar_ticks);
        }
    }
    let (score, chords) = bars::assemble(&bars, title(root))?;
    Ok(MusicXml { score, chords })
}

/// Each part's id and measures, in order.
fn measures_by_part<'a>(root: Node<'a, 'a>) -> Result<Vec<(String, Vec<Node<'a, 'a>>)>, ScoreError> {
    let id = |node: Node<'_, '_>| node.attribute("id").unwrap_or_default().to_string();
    match root.tag_name().name() {
        "score-partwise" => Ok(elements(root, "part").map(|p| (id(p), elements(p, "measure").collect())).collect()),
        "score-timewise" => {
            let mut parts: Vec<(String, Vec<Node<'a, 'a>>)> = Vec::new();
            for measure in elements(root, "measure") {
                for part in elements(measure, "part") {
                    let id = id(part);
                    match parts.iter_mut().find(|(known, _)| *known == id) {
                        Some((_, measures)) => measures.push(part),
                        None => {
                            limits::check("parts", parts.len() + 1, MOST_PARTS)?;
                            parts.push((id, vec![part]));
                        }
                    }
                }
            }
            Ok(parts)
        }
        other => Err(ScoreError::malformed(
            FORMAT,
            format!("expected <score-partwise> or <score-timewise>, found <{other}>"),
        )),
    }
}

/// Instruments of one part.
#[derive(Clone, Debug, Default)]
pub(super) struct Players {
    /// The first instrument named.
    pub main: Option<Instrument>,
    /// By the instrument's id: what plays, and which key an unpitched note is.
    pub by_id: HashMap<String, (Instrument, Option<u8>)>,
}

fn players(root: Node<'_, '_>) -> HashMap<String, Players> {
    let mut all = HashMap::new();
    let parts = elements(root, "part-list").flat_map(|list| elements(list, "score-part"));
    for part in parts {
        let mut players = Players::default();
        for midi in elements(part, "midi-instrument") {
            let number = |name: &str| value::<i32>(midi, name);
            let instrument = match (number("midi-channel"), number("midi-program")) {
                (Some(10), _) => Instrument::DRUMS,
                (_, Some(program)) => Instrument((program - 1).clamp(0, 127) as u8),
                _ => Instrument::PIANO,
            };
            let key = number("midi-unpitched").map(|key| (key - 1).clamp(0, 127) as u8);
            players.main.get_or_insert(instrument);
            players.by_id.insert(midi.attribute("id").unwrap_or_default().to_string(), (instrument, key));
        }
        all.insert(part.attribute("id").unwrap_or_default().to_string(), players);
    }
    all
}

/// Readers mark an ending where it starts and where it stops; fills in the bars between.
fn spread_endings(bars: &mut [Bar]) {
    const STOP: u32 = 1 << 31;
    let mut open = 0;
    for bar in bars {
        let stops = bar.endings & STOP != 0;
        let starts = bar.endings & !STOP;
        if starts != 0 {
            open = starts;
        }
        bar.endings = open;
        if stops {
            open = 0;
        }
    }
}

fn title(root: Node<'_, '_>) -> Option<String> {
    let work = elements(root, "work").next().and_then(|w| elements(w, "work-title").next());
    let movement = elements(root, "movement-title").next();
    let text =
        [work, movement].into_iter().flatten().filter_map(|n| n.text()).map(str::trim).find(|t| !t.is_empty())?;
    Some(text.chars().filter(|c| !c.is_control()).take(200).collect())
}

/// Child elements of this name.
pub(super) fn elements<'a>(node: Node<'a, 'a>, name: &str) -> impl Iterator<Item = Node<'a, 'a>> {
    node.children().filter(move |c| c.is_element() && c.tag_name().name() == name)
}

/// The text of the first child of this name, parsed.
pub(super) fn value<T: std::str::FromStr>(node: Node<'_, '_>, name: &str) -> Option<T> {
    let child = node.children().find(|c| c.is_element() && c.tag_name().name() == name)?;
    child.text()?.trim().parse().ok()
}
