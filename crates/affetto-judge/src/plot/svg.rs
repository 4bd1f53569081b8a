//! The one writer of SVG: shapes with roles instead of colours.
//!
//! Colours are set once, in a style sheet with a light and a dark half. A viewer that knows no `prefers-color-scheme`
//! shows the light half; the picture brings its own paper, so it can be read on any page.

use std::fmt::Write as _;

/// Colours of their own that [`Ink::Voice`] goes round.
pub const VOICES: usize = 8;

/// What a shape is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Words and marks that stand out.
    Text,
    /// Words and marks beside the matter: units, captions, what was asked.
    Faint,
    /// Lines of a grid.
    Grid,
    /// One of [`VOICES`] colours, counted round.
    Voice(usize),
}

impl Ink {
    fn class(self) -> String {
        match self {
            Ink::Text => "t".into(),
            Ink::Faint => "f".into(),
            Ink::Grid => "g".into(),
            Ink::Voice(i) => format!("v{}", i % VOICES),
        }
    }
}

/// Where a text lies from its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// To the right of it.
    Start,
    /// In its middle.
    Middle,
    /// To the left of it.
    End,
}

/// Light: dark marks on white; dark: the other way round. Blue, orange, green, purple, red, brown, teal and olive, of
/// a lightness that stands out from either paper.
const STYLE: &str = "\
.p{fill:#fff}.t{color:#222}.f{color:#666}.g{color:#ddd}\
.v0{color:#1f6fb4}.v1{color:#c85a00}.v2{color:#23864a}.v3{color:#8a4fb5}\
.v4{color:#c42f4f}.v5{color:#8a6239}.v6{color:#0f8188}.v7{color:#757a12}\
@media(prefers-color-scheme:dark){.p{fill:#16181c}.t{color:#e6e6e6}.f{color:#a0a0a0}.g{color:#3a3d43}\
.v0{color:#6cb2f0}.v1{color:#f29a4e}.v2{color:#5fc88a}.v3{color:#c79bea}\
.v4{color:#f2798f}.v5{color:#c9a077}.v6{color:#4fc5cc}.v7{color:#bcc24a}}\
text,circle{fill:currentColor}line,polyline,path{stroke:currentColor;fill:none}";

/// A picture being drawn. Positions are in its own units, from the top left. What has a number that is not finite is
/// left out.
#[derive(Clone, Debug)]
pub struct Svg {
    width: f64,
    height: f64,
    title: String,
    body: String,
}

impl Svg {
    /// An empty picture of that size; `title` is what a screen reader calls it.
    pub fn new(width: f64, height: f64, title: &str) -> Svg {
        Svg { width, height, title: title.to_owned(), body: String::new() }
    }

    /// A straight line.
    pub fn line(&mut self, ink: Ink, from: (f64, f64), to: (f64, f64)) {
        if finite(from) && finite(to) {
            let class = ink.class();
            let _ = write!(
                self.body,
                "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
                from.0, from.1, to.0, to.1
            );
        }
    }

    /// A line through points, two units wide; `dashed` where it is.
    pub fn polyline(&mut self, ink: Ink, dashed: bool, points: impl IntoIterator<Item = (f64, f64)>) {
        let dash = if dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        let _ = write!(
            self.body,
            "<polyline class=\"{}\" stroke-width=\"2\" stroke-linejoin=\"round\"{dash} points=\"",
            ink.class()
        );
        let mut space = "";
        for (x, y) in points.into_iter().filter(|&p| finite(p)) {
            let _ = write!(self.body, "{space}{x:.1},{y:.1}");
            space = " ";
        }
        self.body.push_str("\"/>");
    }

    /// A filled circle of an opacity from 0 to 1.
    pub fn dot(&mut self, ink: Ink, at: (f64, f64), radius: f64, opacity: f64) {
        if finite(at) && opacity.is_finite() {
            let _ = write!(
                self.body,
                "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\" opacity=\"{:.2}\"/>",
                ink.class(),
                at.0,
                at.1,
                opacity.clamp(0.0, 1.0)
            );
        }
    }

    /// Filled circles, all of one radius and opacity: each is seen through those above it.
    pub fn dots(&mut self, ink: Ink, radius: f64, opacity: f64, points: impl IntoIterator<Item = (f64, f64)>) {
        let mut circles = String::new();
        for (x, y) in points.into_iter().filter(|&p| finite(p)) {
            let _ = write!(circles, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>");
        }
        if !circles.is_empty() {
            let _ = write!(
                self.body,
                "<g class=\"{}\" fill-opacity=\"{:.2}\">{circles}</g>",
                ink.class(),
                opacity.clamp(0.0, 1.0)
            );
        }
    }

    /// Level bars (left end x, middle y, length), all of one height and opacity, as a single path: thousands of notes
    /// or cells stay small.
    pub fn bars(&mut self, ink: Ink, height: f64, opacity: f64, bars: impl IntoIterator<Item = (f64, f64, f64)>) {
        let mut path = String::new();
        for (x, y, length) in bars.into_iter().filter(|b| finite((b.0, b.1)) && b.2.is_finite()) {
            let _ = write!(path, "M{x:.1} {y:.1}h{length:.1}");
        }
        if !path.is_empty() {
            let _ = write!(
                self.body,
                "<path class=\"{}\" stroke-width=\"{height:.2}\" opacity=\"{opacity:.2}\" d=\"{path}\"/>",
                ink.class()
            );
        }
    }

    /// Words. Characters that XML gives a meaning are escaped; those it does not know are left out.
    pub fn text(&mut self, ink: Ink, anchor: Anchor, at: (f64, f64), text: &str) {
        self.words(ink, anchor, at, 12.0, "", text);
    }

    /// Words larger than others.
    pub fn heading(&mut self, at: (f64, f64), text: &str) {
        self.words(Ink::Text, Anchor::Start, at, 15.0, " font-weight=\"bold\"", text);
    }

    /// Words that run upwards, their middle at the point.
    pub fn upright(&mut self, ink: Ink, at: (f64, f64), text: &str) {
        let turned = format!(" transform=\"rotate(-90 {:.1} {:.1})\"", at.0, at.1);
        self.words(ink, Anchor::Middle, at, 12.0, &turned, text);
    }

    fn words(&mut self, ink: Ink, anchor: Anchor, at: (f64, f64), size: f64, more: &str, text: &str) {
        if !finite(at) || text.is_empty() {
            return;
        }
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = write!(
            self.body,
            "<text class=\"{}\" x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\"{more}>{}</text>",
            ink.class(),
            at.0,
            at.1,
            escaped(text)
        );
    }

    /// The picture as a whole file.
    pub fn finish(self) -> String {
        let Svg { width, height, title, body } = self;
        let title = escaped(&title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" font-family=\"sans-serif\" role=\"img\"><title>{title}</title><style>{STYLE}</style>\
             <rect class=\"p\" width=\"{width}\" height=\"{height}\"/>{body}</svg>\n"
        )
    }
}

fn finite(at: (f64, f64)) -> bool {
    at.0.is_finite() && at.1.is_finite()
}

/// Text as XML takes it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

/// Round numbers from `low` to `high`, about `count` of them: their distance is 1, 2 or 5 times a power of ten.
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let span = high - low;
    if !(span.is_finite() && low.is_finite() && span > 0.0) {
        return vec![low].into_iter().filter(|x| x.is_finite()).collect();
    }
    let rough = span / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= rough).unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil() as i64;
    (first..).map(|i| i as f64 * step).take_while(|&x| x <= high + 1e-9 * span).take(1000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_from_outside_cannot_leave_their_place() {
        let mut svg = Svg::new(10.0, 10.0, "a \"b\" <c>");
        svg.text(Ink::Text, Anchor::End, (1.0, 2.0), "<script>&\u{0}\u{7}\n\u{ffff}é");
        let text = svg.finish();
        assert!(text.contains(">&lt;script&gt;&amp; é</text>"), "{text}");
        assert!(text.contains("<title>a &quot;b&quot; &lt;c&gt;</title>"), "{text}");
        assert!(text.contains("prefers-color-scheme:dark") && !text.contains("url("));
    }

    #[test]
    fn what_is_no_number_is_not_drawn() {
        let mut svg = Svg::new(10.0, 10.0, "x");
        svg.line(Ink::Grid, (f64::NAN, 0.0), (1.0, 1.0));
        svg.dot(Ink::Text, (0.0, f64::INFINITY), 1.0, 1.0);
        svg.dots(Ink::Text, 1.0, 1.0, [(f64::NAN, 0.0)]);
        svg.bars(Ink::Text, 1.0, 1.0, [(0.0, f64::NAN, 1.0)]);
        svg.polyline(Ink::Voice(9), true, [(0.0, 0.0), (f64::NAN, 1.0), (2.0, 3.0)]);
        let text = svg.finish();
        assert!(
            !text.contains("NaN") && !text.contains("inf") && !text.contains("<path") && !text.contains("<g"),
            "{text}"
        );
        assert!(text.contains("class=\"v1\"") && text.contains("points=\"0.0,0.0 2.0,3.0\""), "{text}");
    }

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(0.0, 20.0, 10), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0]);
        assert_eq!(ticks(-1.0, 1.0, 2), [-1.0, 0.0, 1.0]);
        assert_eq!(ticks(0.0, 3600.0, 8).len(), 8);
        assert_eq!(ticks(2.0, 2.0, 5), [2.0]);
        assert!(ticks(f64::NAN, 1.0, 5).is_empty());
    }
}
