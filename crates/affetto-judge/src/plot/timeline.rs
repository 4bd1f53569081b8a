//! Feeling over time, above the notes or the sound.

use affetto_score::{Clock, Instrument, Score};

use super::spectrogram::Spectrogram;
use super::svg::{Anchor, Ink, Svg, ticks};

const WIDTH: f64 = 960.0;
/// Left edge of the fields (room for marks), and right.
const FIELD: (f64, f64) = (64.0, WIDTH - 24.0);
/// Height of a strip and of the panel, and the room between.
const STRIP: f64 = 110.0;
const PANEL: f64 = 230.0;
const GAP: f64 = 20.0;
/// Height of the drums' part of the piano roll.
const DRUMS: f64 = 36.0;
/// Captions drawn at most.
const MAX_CAPTIONS: usize = 8;

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When, in seconds.
    pub seconds: f64,
    /// From -1 to 1; what lies outside is drawn on the edge.
    pub value: f64,
    /// From 0 to 1: how surely it was heard. Points are the paler the less.
    pub confidence: f64,
}

/// A curve over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Whether it was asked for (dashed, without dots) and not heard.
    pub asked: bool,
    /// Its points, in order of time.
    pub points: Vec<Point>,
}

impl Curve {
    /// A curve that was asked for, by its corners (seconds, value); before the first and after the last it stays level.
    pub fn asked(name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Curve {
        Curve { asked: true, ..Curve::heard(name, points) }
    }

    /// A curve that was heard, (seconds, value), all of it surely.
    pub fn heard(name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Curve {
        let point = |(seconds, value)| Point { seconds, value, confidence: 1.0 };
        Curve { name: name.to_owned(), asked: false, points: points.into_iter().map(point).collect() }
    }
}

/// A field for one dimension of feeling, from -1 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// The dimension, such as `valence`.
    pub label: String,
    /// Its curves.
    pub curves: Vec<Curve>,
}

/// A feeling at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeelingPoint {
    /// When, in seconds.
    pub seconds: f64,
    /// Unpleasant (-1) to pleasant (1).
    pub valence: f64,
    /// Calm (-1) to excited (1).
    pub arousal: f64,
    /// From 0 to 1: how surely it was heard; 1 for what was asked.
    pub confidence: f64,
}

impl FeelingPoint {
    /// One that is sure.
    pub fn sure(seconds: f64, valence: f64, arousal: f64) -> FeelingPoint {
        FeelingPoint { seconds, valence, arousal, confidence: 1.0 }
    }
}

impl Strip {
    /// The two fields of feeling: the corners of what was asked for, if anything was, and what a judge of that name heard.
    pub fn of_feeling(asked: &[FeelingPoint], heard: Option<(&str, &[FeelingPoint])>) -> Vec<Strip> {
        let strip = |label: &str, value: fn(&FeelingPoint) -> f64| {
            let curve = |name: &str, asked: bool, points: &[FeelingPoint]| {
                let point = |p: &FeelingPoint| Point { seconds: p.seconds, value: value(p), confidence: p.confidence };
                Curve { name: name.to_owned(), asked, points: points.iter().map(point).collect() }
            };
            let mut curves = vec![curve("asked", true, asked)];
            curves.extend(heard.map(|(name, points)| curve(name, false, points)));
            curves.retain(|curve| !curve.points.is_empty());
            Strip { label: label.to_owned(), curves }
        };
        vec![strip("valence", |p| p.valence), strip("arousal", |p| p.arousal)]
    }
}

/// What lies below the curves.
#[derive(Clone, Copy, Debug)]
pub enum Panel<'a> {
    /// A piano roll, an instrument a colour.
    Notes(&'a Score),
    /// A mel spectrogram.
    Sound(&'a Spectrogram),
    /// Nothing.
    Nothing,
}

/// One picture of a piece: feeling over time, and what it was heard in.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    /// Heading.
    pub title: String,
    /// Length of the piece, in seconds.
    pub seconds: f64,
    /// Fields of curves, from above.
    pub strips: Vec<Strip>,
    /// What lies below them.
    pub panel: Panel<'a>,
    /// Lines below the picture; at most eight are drawn.
    pub caption: Vec<String>,
}

impl Timeline<'_> {
    /// Draws it, as a whole SVG file.
    pub fn svg(&self) -> String {
        let captions = &self.caption[..self.caption.len().min(MAX_CAPTIONS)];
        let legend = self.instruments();
        let strips = self.strips.len() as f64 * (STRIP + GAP);
        let panel = if matches!(self.panel, Panel::Nothing) { 0.0 } else { PANEL + GAP };
        let below = 34.0 + if legend.is_empty() { 0.0 } else { 18.0 } + 16.0 * captions.len() as f64;
        let top = 64.0;
        let mut svg = Svg::new(WIDTH, (top + strips + panel + below).round(), &self.title);
        svg.heading((FIELD.0, 26.0), &shortened(&self.title, 100));
        self.names(&mut svg);
        let mut y = top;
        for strip in &self.strips {
            self.frame(&mut svg, y, STRIP);
            self.strip(&mut svg, strip, y);
            y += STRIP + GAP;
        }
        match self.panel {
            Panel::Nothing => {}
            Panel::Notes(score) => {
                self.frame(&mut svg, y, PANEL);
                self.notes(&mut svg, score, y);
                y += PANEL + GAP;
            }
            Panel::Sound(spectrogram) => {
                self.frame(&mut svg, y, PANEL);
                svg.upright(Ink::Text, (16.0, y + PANEL / 2.0), "frequency, Hz");
                spectrogram.draw(&mut svg, (FIELD.0, y + PANEL), self.units(), PANEL);
                y += PANEL + GAP;
            }
        }
        let marks = ticks(0.0, self.seconds, 10);
        for &t in &marks {
            svg.text(Ink::Faint, Anchor::Middle, (self.x(t), y - GAP + 16.0), &number(t));
        }
        svg.text(Ink::Text, Anchor::Middle, ((FIELD.0 + FIELD.1) / 2.0, y + 14.0), "time, s");
        y += 14.0;
        if !legend.is_empty() {
            y += 18.0;
            let mut x = FIELD.0;
            for (i, instrument) in legend.iter().enumerate() {
                let name = instrument.name();
                if x > FIELD.1 - 80.0 {
                    svg.text(Ink::Faint, Anchor::Start, (x, y), "…");
                    break;
                }
                svg.dot(Ink::Voice(i), (x + 4.0, y - 4.0), 4.0, 1.0);
                svg.text(Ink::Faint, Anchor::Start, (x + 12.0, y), name);
                x += 30.0 + 6.6 * name.chars().count() as f64;
            }
        }
        for line in captions {
            y += 16.0;
            svg.text(Ink::Faint, Anchor::Start, (FIELD.0, y), &shortened(line, 150));
        }
        svg.finish()
    }

    /// Units a second.
    fn units(&self) -> f64 {
        let seconds = if self.seconds.is_finite() && self.seconds > 0.0 { self.seconds } else { 1.0 };
        (FIELD.1 - FIELD.0) / seconds
    }

    fn x(&self, seconds: f64) -> f64 {
        (FIELD.0 + seconds * self.units()).clamp(FIELD.0, FIELD.1)
    }

    /// Lines of time, and the edge of a field.
    fn frame(&self, svg: &mut Svg, top: f64, height: f64) {
        for t in ticks(0.0, self.seconds, 10) {
            svg.line(Ink::Grid, (self.x(t), top), (self.x(t), top + height));
        }
        for (from, to) in [((0.0, 0.0), (1.0, 0.0)), ((0.0, 1.0), (1.0, 1.0)), ((0.0, 0.0), (0.0, 1.0))] {
            let at = |(x, y): (f64, f64)| (FIELD.0 + x * (FIELD.1 - FIELD.0), top + y * height);
            svg.line(Ink::Grid, at(from), at(to));
        }
    }

    /// The legend of the curves: each name once.
    fn names(&self, svg: &mut Svg) {
        let mut seen: Vec<&str> = Vec::new();
        let mut x = FIELD.0;
        for curve in self.strips.iter().flat_map(|s| &s.curves).filter(|c| !c.points.is_empty()) {
            if seen.contains(&curve.name.as_str()) {
                continue;
            }
            seen.push(&curve.name);
            svg.polyline(Ink::Text, curve.asked, [(x, 44.0), (x + 26.0, 44.0)]);
            if !curve.asked {
                svg.dot(Ink::Text, (x + 13.0, 44.0), 3.5, 1.0);
            }
            let name = shortened(&curve.name, 60);
            svg.text(Ink::Text, Anchor::Start, (x + 32.0, 48.0), &name);
            x += 56.0 + 6.6 * name.chars().count() as f64;
        }
    }

    fn strip(&self, svg: &mut Svg, strip: &Strip, top: f64) {
        let y = |value: f64| top + STRIP * (1.0 - (value.clamp(-1.0, 1.0) + 1.0) / 2.0);
        svg.upright(Ink::Text, (16.0, top + STRIP / 2.0), &strip.label);
        for (value, name) in [(-1.0, "−1"), (0.0, "0"), (1.0, "1")] {
            svg.line(Ink::Grid, (FIELD.0, y(value)), (FIELD.1, y(value)));
            svg.text(Ink::Faint, Anchor::End, (FIELD.0 - 6.0, y(value) + 4.0), name);
        }
        // Asked curves first, so that what was heard lies above; each heard curve has a colour.
        for curve in strip.curves.iter().filter(|c| c.asked && !c.points.is_empty()) {
            let (first, last) = (curve.points[0], curve.points[curve.points.len() - 1]);
            let ends = [Point { seconds: 0.0, ..first }, Point { seconds: self.seconds, ..last }];
            let points =
                ends[..1].iter().chain(curve.points.iter().filter(|p| p.seconds < self.seconds)).chain(&ends[1..]);
            svg.polyline(Ink::Text, true, points.map(|p| (self.x(p.seconds), y(p.value))));
        }
        for (voice, curve) in strip.curves.iter().filter(|c| !c.asked && !c.points.is_empty()).enumerate() {
            svg.polyline(Ink::Voice(voice), false, curve.points.iter().map(|p| (self.x(p.seconds), y(p.value))));
            for p in &curve.points {
                svg.dot(Ink::Voice(voice), (self.x(p.seconds), y(p.value)), 3.5, 0.2 + 0.8 * p.confidence);
            }
        }
    }

    /// The instruments of a piano roll, in the order of their colours.
    fn instruments(&self) -> Vec<Instrument> {
        match self.panel {
            Panel::Notes(score) => score.instruments(),
            _ => Vec::new(),
        }
    }

    fn notes(&self, svg: &mut Svg, score: &Score, top: f64) {
        svg.upright(Ink::Text, (16.0, top + PANEL / 2.0), "pitch");
        let instruments = self.instruments();
        let clock = Clock::new(score);
        let pitches = |drums: bool| {
            let of = score.notes.iter().filter(move |n| n.instrument.is_drums() == drums).map(|n| n.pitch);
            of.clone().min().zip(of.max())
        };
        let drums = pitches(true);
        let height = PANEL - if drums.is_some() { DRUMS } else { 0.0 };
        // At least two octaves, with a little air.
        let (low, high) = pitches(false).unwrap_or((60, 72));
        let (low, high) = (f64::from(low) - 2.0, f64::from(high) + 2.0);
        let (low, high) =
            if high - low < 24.0 { ((low + high) / 2.0 - 12.0, (low + high) / 2.0 + 12.0) } else { (low, high) };
        let row = height / (high - low + 1.0);
        let y = |pitch: f64| top + height - (pitch - low + 0.5) * row;
        for octave in 0..=10 {
            let c = f64::from(12 * octave);
            if (low..=high).contains(&c) {
                svg.line(Ink::Grid, (FIELD.0, y(c)), (FIELD.1, y(c)));
                svg.text(Ink::Faint, Anchor::End, (FIELD.0 - 6.0, y(c) + 4.0), &format!("C{}", octave - 1));
            }
        }
        if let Some((lowest, highest)) = drums {
            svg.line(Ink::Grid, (FIELD.0, top + height), (FIELD.1, top + height));
            svg.text(Ink::Faint, Anchor::End, (FIELD.0 - 6.0, top + PANEL - DRUMS / 2.0 + 4.0), "drums");
            let share = |pitch: u8| f64::from(pitch - lowest) / f64::from((highest - lowest).max(1));
            let y = |pitch: u8| top + PANEL - 5.0 - share(pitch) * (DRUMS - 10.0);
            let voice = instruments.iter().position(|i| i.is_drums()).unwrap_or(0);
            let hits = score.notes.iter().filter(|n| n.instrument.is_drums());
            svg.bars(Ink::Voice(voice), 2.5, 0.9, hits.map(|n| (self.x(clock.seconds(n.onset)), y(n.pitch), 2.5)));
        }
        for (voice, &instrument) in instruments.iter().enumerate().filter(|(_, i)| !i.is_drums()) {
            let notes = score.notes.iter().filter(|n| n.instrument == instrument);
            let bars = notes.map(|n| {
                let (from, to) = (self.x(clock.seconds(n.onset)), self.x(clock.seconds(n.end())));
                (from, y(f64::from(n.pitch)), (to - from).max(1.0))
            });
            svg.bars(Ink::Voice(voice), (row * 0.85).clamp(1.0, 8.0), 0.85, bars);
        }
    }
}

/// A number without decimals that say nothing.
fn number(x: f64) -> String {
    let text = format!("{x:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() {
        count if count <= most => text.to_owned(),
        _ => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use affetto_score::Note;

    use super::*;

    fn score() -> Score {
        let note = |onset, pitch, instrument| Note { onset, duration: 480, pitch, velocity: 80, instrument };
        let notes = vec![note(0, 60, Instrument(0)), note(480, 67, Instrument(40)), note(960, 36, Instrument::DRUMS)];
        Score { notes, ..Score::default() }
    }

    fn timeline<'a>(panel: Panel<'a>) -> Timeline<'a> {
        let asked = Curve::asked("asked", [(0.0, -1.0), (5.0, 1.0)]);
        let heard = Curve::heard("a judge", [(2.5, 0.0), (7.5, 3.0)]);
        let strips = vec![
            Strip { label: "valence".into(), curves: vec![asked, heard] },
            Strip { label: "arousal".into(), curves: Vec::new() },
        ];
        Timeline { title: "x < y".into(), seconds: 10.0, strips, panel, caption: vec!["seed 7".into()] }
    }

    #[test]
    fn curves_lie_where_they_say() {
        let svg = timeline(Panel::Nothing).svg();
        // 87.2 units a second from 64; the strip from 64 to 174.
        assert!(svg.contains("points=\"64.0,174.0 64.0,174.0 500.0,64.0 936.0,64.0\""), "{svg}");
        assert!(svg.contains("points=\"282.0,119.0 718.0,64.0\""), "{svg}");
        assert!(svg.contains("time, s") && svg.contains(">a judge<") && svg.contains("x &lt; y"));
        assert_eq!(svg.matches("<svg").count(), 1);
    }

    #[test]
    fn feeling_makes_two_strips_of_what_there_is() {
        let heard = [FeelingPoint { confidence: 0.3, ..FeelingPoint::sure(2.5, 0.1, 0.2) }];
        let strips = Strip::of_feeling(&[FeelingPoint::sure(0.0, 0.5, -0.5)], Some(("judge", &heard)));
        assert_eq!(strips[1].label, "arousal");
        assert_eq!(strips[1].curves[0], Curve::asked("asked", [(0.0, -0.5)]));
        assert_eq!(strips[1].curves[1].points, [Point { seconds: 2.5, value: 0.2, confidence: 0.3 }]);
        assert!(Strip::of_feeling(&[], None).iter().all(|s| s.curves.is_empty()));
    }

    #[test]
    fn notes_have_pitches_colours_and_names() {
        let score = score();
        let svg = timeline(Panel::Notes(&score)).svg();
        for part in [">pitch<", ">C4<", ">drums<", "class=\"v0\"", "class=\"v1\"", "class=\"v2\""] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        // The violin's G: half a second (120 BPM) from the first half second.
        assert!(svg.contains("M107.6 ") && svg.contains("h43.6"), "{svg}");
    }

    #[test]
    fn sound_without_notes_and_pieces_without_length_are_drawn() {
        let mut spectrogram = Spectrogram::new(16_000);
        spectrogram.push(&[0.1; 16_000]);
        assert!(timeline(Panel::Sound(&spectrogram)).svg().contains("frequency, Hz"));
        let empty = Score::default();
        for seconds in [0.0, f64::NAN, -1.0] {
            let svg = Timeline { seconds, ..timeline(Panel::Notes(&empty)) }.svg();
            assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"));
        }
    }
}
