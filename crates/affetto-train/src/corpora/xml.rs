//! MusicXML as far as the corpora need it: parts of notes with ties joined, one meter map, a key
//! signature and chord symbols. Repeats are read through once, grace notes left out.

use std::io::{Cursor, Read};

use affetto_score::score::TICKS_PER_QUARTER;
use affetto_score::{Key, MeterChange};
use roxmltree::{Document, Node, ParsingOptions};

use super::Chord;
use super::smf::key_of;

/// Largest MusicXML file unpacked: 32 MiB.
const MAX_XML: u64 = 32 << 20;

/// A note of a part; ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XmlNote {
    /// Start.
    pub onset: u32,
    /// Length.
    pub duration: u32,
    /// Key number.
    pub pitch: u8,
}

/// A score as read.
#[derive(Clone, Debug, Default)]
pub struct XmlScore {
    /// Notes of each part, by onset.
    pub parts: Vec<Vec<XmlNote>>,
    /// Meter changes.
    pub meters: Vec<MeterChange>,
    /// Length of the first measure where it is shorter than its meter; else 0.
    pub pickup: u32,
    /// Key signature: sharps and whether it says minor.
    pub key: Option<(i8, bool)>,
    /// Chord symbols, each until the next or the end.
    pub chords: Vec<Chord>,
    /// Share of measures that start on a bar line of the meter map.
    pub on_bars: f32,
    /// Title.
    pub title: Option<String>,
}

impl XmlScore {
    /// The key its signature names.
    pub fn signature(&self) -> Option<Key> {
        self.key.map(|(fifths, minor)| key_of(fifths, minor))
    }
}

/// Reads a compressed `.mxl`; `None` where it is not one.
pub fn read_mxl(bytes: &[u8]) -> Option<XmlScore> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut names = zip.file_names().filter_map(|n| Some(n.ok()?.into_owned()));
    let name = names.find(|n| n.ends_with(".xml") && !n.starts_with("META-INF"))?;
    drop(names);
    let mut text = String::new();
    zip.by_name(&name).ok()?.take(MAX_XML).read_to_string(&mut text).ok()?;
    read(&text)
}

/// Reads a part-wise score; `None` where it is not one.
pub fn read(text: &str) -> Option<XmlScore> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).ok()?;
    let root = document.root_element();
    let mut score = XmlScore {
        title: ["work-title", "movement-title"].iter().find_map(|tag| {
            let node = root.descendants().find(|n| n.has_tag_name(*tag))?;
            node.text().map(|t| t.trim().to_owned())
        }),
        ..XmlScore::default()
    };
    let mut starts = Vec::new();
    for (index, part) in root.children().filter(|n| n.has_tag_name("part")).enumerate() {
        let mut reader = PartReader { divisions: 1, first: index == 0, ..PartReader::default() };
        for measure in part.children().filter(|n| n.has_tag_name("measure")) {
            reader.measure(measure, &mut score);
        }
        if index == 0 {
            starts = reader.starts;
            let end = reader.at;
            let next: Vec<u32> = score.chords.iter().skip(1).map(|c| c.start).chain([end]).collect();
            score.chords.iter_mut().zip(next).for_each(|(chord, end)| chord.end = end.max(chord.start));
            score.chords.retain(|c| c.end > c.start);
        }
        let mut notes = reader.notes;
        notes.sort_by_key(|n| (n.onset, n.pitch));
        score.parts.push(notes);
    }
    let first = score.meters.first()?;
    if first.tick != 0 {
        return None;
    }
    if let Some(&second) = starts.get(1)
        && second < first.bar_ticks()
    {
        score.pickup = second;
    }
    let layout =
        affetto_score::Score { meters: score.meters.clone(), pickup: score.pickup, ..affetto_score::Score::default() };
    let bars = layout.bar_starts(starts.last().copied().unwrap_or(0));
    let hits = starts.iter().filter(|s| bars.binary_search(s).is_ok()).count();
    score.on_bars = hits as f32 / starts.len().max(1) as f32;
    Some(score)
}

#[derive(Default)]
struct PartReader {
    divisions: u64,
    first: bool,
    at: u32,
    notes: Vec<XmlNote>,
    starts: Vec<u32>,
}

fn number<T: std::str::FromStr>(node: Node, tag: &str) -> Option<T> {
    node.children().find(|n| n.has_tag_name(tag))?.text()?.trim().parse().ok()
}

impl PartReader {
    fn ticks(&self, node: Node) -> u32 {
        let duration: f64 = number(node, "duration").unwrap_or(0.0);
        (duration * f64::from(TICKS_PER_QUARTER) / self.divisions as f64).round().clamp(0.0, 1e6) as u32
    }

    fn measure(&mut self, measure: Node, score: &mut XmlScore) {
        let start = self.at;
        self.starts.push(start);
        let mut cursor = start;
        let mut furthest = start;
        let mut onset = start;
        for node in measure.children().filter(|n| n.is_element()) {
            match node.tag_name().name() {
                "attributes" => self.attributes(node, start, score),
                "note" => {
                    if node.children().any(|n| n.has_tag_name("grace")) {
                        continue;
                    }
                    let duration = self.ticks(node);
                    if !node.children().any(|n| n.has_tag_name("chord")) {
                        onset = cursor;
                        cursor += duration;
                    }
                    self.note(node, onset, duration);
                }
                "backup" => cursor = cursor.saturating_sub(self.ticks(node)).max(start),
                "forward" => cursor += self.ticks(node),
                "harmony" if self.first => {
                    if let Some(chord) = harmony(node, cursor) {
                        score.chords.retain(|c| c.start != cursor);
                        score.chords.push(chord);
                    }
                }
                _ => {}
            }
            furthest = furthest.max(cursor);
        }
        self.at = furthest;
    }

    fn attributes(&mut self, node: Node, start: u32, score: &mut XmlScore) {
        if let Some(divisions) = number::<u64>(node, "divisions") {
            self.divisions = divisions.max(1);
        }
        if !self.first {
            return;
        }
        if let Some(key) = node.children().find(|n| n.has_tag_name("key"))
            && score.key.is_none()
            && let Some(fifths) = number::<i8>(key, "fifths")
        {
            let minor = number::<String>(key, "mode").is_some_and(|m| m == "minor");
            score.key = Some((fifths, minor));
        }
        if let Some(time) = node.children().find(|n| n.has_tag_name("time"))
            && let (Some(numerator), Some(denominator)) = (number::<u8>(time, "beats"), number::<u8>(time, "beat-type"))
            && numerator > 0
            && denominator.is_power_of_two()
            && score.meters.last().is_none_or(|m| (m.numerator, m.denominator) != (numerator, denominator))
        {
            score.meters.retain(|m| m.tick != start);
            score.meters.push(MeterChange { tick: start, numerator, denominator });
        }
    }

    fn note(&mut self, node: Node, onset: u32, duration: u32) {
        let Some(pitch) = node.children().find(|n| n.has_tag_name("pitch")).and_then(pitch) else { return };
        let tied = node.children().any(|n| n.has_tag_name("tie") && n.attribute("type") == Some("stop"));
        if tied
            && let Some(open) = self.notes.iter_mut().rev().find(|n| n.pitch == pitch && n.onset + n.duration == onset)
        {
            open.duration += duration;
            return;
        }
        if duration > 0 {
            self.notes.push(XmlNote { onset, duration, pitch });
        }
    }
}

fn semitone(step: &str) -> Option<i32> {
    Some(match step {
        "C" => 0,
        "D" => 2,
        "E" => 4,
        "F" => 5,
        "G" => 7,
        "A" => 9,
        "B" => 11,
        _ => return None,
    })
}

fn pitch(node: Node) -> Option<u8> {
    let step = semitone(&number::<String>(node, "step")?)?;
    let alter = number::<f32>(node, "alter").unwrap_or(0.0) as i32;
    let octave: i32 = number(node, "octave")?;
    u8::try_from((octave.clamp(-1, 10) + 1) * 12 + step + alter).ok().filter(|p| *p < 128)
}

fn harmony(node: Node, start: u32) -> Option<Chord> {
    let class = |tag: &str, prefix: &str| -> Option<u8> {
        let of = node.children().find(|n| n.has_tag_name(tag))?;
        let step = semitone(&number::<String>(of, &format!("{prefix}-step"))?)?;
        let alter = number::<f32>(of, &format!("{prefix}-alter")).unwrap_or(0.0) as i32;
        Some((step + alter).rem_euclid(12) as u8)
    };
    let root = class("root", "root")?;
    let kind = child_text(node, "kind");
    Some(Chord { start, end: start, root, tones: tones(&kind), bass: class("bass", "bass").unwrap_or(root) })
}

fn child_text(node: Node, tag: &str) -> String {
    node.children().find(|n| n.has_tag_name(tag)).and_then(|n| n.text()).unwrap_or("").trim().to_owned()
}

/// Pitch classes above the root of a MusicXML chord kind; ninths and above are cut to sevenths.
fn tones(kind: &str) -> u16 {
    let set: &[u8] = match kind {
        "minor" => &[0, 3, 7],
        "dominant" | "dominant-ninth" | "dominant-11th" | "dominant-13th" => &[0, 4, 7, 10],
        "minor-seventh" | "minor-ninth" | "minor-11th" | "minor-13th" => &[0, 3, 7, 10],
        "major-seventh" | "major-ninth" => &[0, 4, 7, 11],
        "major-sixth" | "maj69" => &[0, 4, 7, 9],
        "minor-sixth" => &[0, 3, 7, 9],
        "diminished" => &[0, 3, 6],
        "diminished-seventh" => &[0, 3, 6, 9],
        "half-diminished" => &[0, 3, 6, 10],
        "augmented" => &[0, 4, 8],
        "augmented-seventh" | "augmented-ninth" => &[0, 4, 8, 10],
        "suspended-fourth" => &[0, 5, 7],
        "suspended-second" => &[0, 2, 7],
        "minor-major" | "major-minor" => &[0, 3, 7, 11],
        "power" => &[0, 7],
        _ => &[0, 4, 7],
    };
    set.iter().fold(0, |bits, i| bits | 1 << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAD: &str = r#"<score-partwise><work><work-title> A Tune </work-title></work><part id="P1">
      <measure><attributes><divisions>2</divisions><key><fifths>-3</fifths><mode>minor</mode></key>
        <time><beats>3</beats><beat-type>4</beat-type></time></attributes>
        <note><pitch><step>G</step><octave>4</octave></pitch><duration>2</duration></note></measure>
      <measure><harmony><root><root-step>E</root-step><root-alter>-1</root-alter></root><kind>dominant</kind></harmony>
        <note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>6</duration>
        <tie type="start"/></note></measure>
      <measure><note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>2</duration>
        <tie type="stop"/></note><note><grace/><pitch><step>C</step><octave>4</octave></pitch></note>
        <note><rest/><duration>4</duration></note></measure></part></score-partwise>"#;

    #[test]
    fn pickup_ties_keys_and_chords_are_read() {
        let score = read(LEAD).unwrap();
        assert_eq!(score.title.as_deref(), Some("A Tune"));
        assert_eq!(score.pickup, 480);
        assert_eq!(score.on_bars, 1.0);
        assert_eq!(score.signature(), Some(Key { tonic: 0, mode: affetto_score::Mode::Minor }));
        let held = XmlNote { onset: 480, duration: 1920, pitch: 70 };
        assert_eq!(score.parts, vec![vec![XmlNote { onset: 0, duration: 480, pitch: 67 }, held]]);
        assert_eq!((score.chords[0].root, score.chords[0].start, score.chords[0].end), (3, 480, 3360));
        assert_eq!(score.chords[0].tones, 0b100_1001_0001);
    }

    #[test]
    fn what_is_not_a_score_is_refused() {
        assert!(read("<html/>").is_none());
        assert!(read("<<").is_none());
        assert!(read_mxl(b"PK..").is_none());
    }
}
