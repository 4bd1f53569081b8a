//! Curves along strengths, as SVG.

use affetto_judge::metrics::METRICS;
use affetto_judge::plot::svg::ticks;
use affetto_judge::plot::{Anchor, Ink, Svg};
use affetto_judge::reference::Band;

use super::curve::Curve;
use super::number;
use super::sweep::Line;

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 170.0;
/// Around a panel: left, right, above, below.
const MARGIN: [f64; 4] = [58.0, 22.0, 34.0, 40.0];
const HEAD: f64 = 40.0;
/// Panels side by side.
const COLUMNS: usize = 3;

/// A line with the interval around it.
struct Series<'a> {
    ink: Ink,
    values: Vec<f64>,
    /// Lower and upper edge of its interval.
    edges: Option<(Vec<f64>, Vec<f64>)>,
    name: Option<&'a str>,
}

/// One panel: series along the same strengths.
struct Panel<'a> {
    title: String,
    xs: &'a [f64],
    series: Vec<Series<'a>>,
    /// Values between which real pieces lie.
    band: Option<(f64, f64)>,
    /// Strengths that are marked.
    marks: Vec<f64>,
}

/// The longest name of a file, without its ending and number.
const LONGEST: usize = 80;
/// Names of pictures that show several directions.
const TAKEN: [&str; 2] = ["overview", "compare"];

/// File names for directions, no two alike, capitals or not.
pub fn file_names<'a>(directions: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let mut taken: Vec<String> = TAKEN.map(str::to_owned).to_vec();
    let name = |direction: &str| {
        let stem: String = direction.chars().map(plain).skip_while(|c| *c == '-').take(LONGEST).collect();
        let stem = Some(stem.trim_end_matches('-')).filter(|stem| !stem.is_empty()).unwrap_or("direction");
        let (mut name, mut number) = (stem.to_owned(), 2);
        while taken.contains(&name.to_lowercase()) {
            name = format!("{stem}-{number}");
            number += 1;
        }
        taken.push(name.to_lowercase());
        format!("{name}.svg")
    };
    directions.into_iter().map(name).collect()
}

/// A direction: what it is meant to move, and quality beside it.
pub fn curves(line: &Line, bands: &[Band]) -> String {
    let marks = vec![-line.recommended, line.recommended];
    let mut panels: Vec<Panel<'_>> = line
        .own
        .iter()
        .map(|curve| Panel {
            title: format!("{}: Spearman {:.2}", curve.measure, curve.spearman.value),
            xs: &line.strengths,
            series: vec![of_curve(curve, Ink::Voice(0), None)],
            band: None,
            marks: marks.clone(),
        })
        .collect();
    for (m, metric) in METRICS.iter().enumerate() {
        let values = line.soundness.medians.iter().map(|row| row[m]).collect();
        panels.push(Panel {
            title: format!("{metric}, median"),
            xs: &line.strengths,
            series: vec![Series { ink: Ink::Voice(1), values, edges: None, name: None }],
            band: bands.get(m).map(|b| (b.p5, b.p95)),
            marks: marks.clone(),
        });
    }
    let title = format!("{}, steered at {} (recommended {:.2}, dashed)", line.direction, line.site, line.recommended);
    page(&title, &panels)
}

/// The first measure of every direction.
pub fn overview(lines: &[Line]) -> String {
    let mut panels = Vec::new();
    for line in lines {
        let Some(curve) = line.own.first() else { continue };
        panels.push(Panel {
            title: format!("{}: {:.2}", line.direction, curve.spearman.value),
            xs: &line.strengths,
            series: vec![of_curve(curve, Ink::Voice(0), None)],
            band: None,
            marks: vec![-line.recommended, line.recommended],
        });
    }
    page("What each direction is meant to move, along its strength (Spearman of the means)", &panels)
}

/// Several curves in one panel.
pub fn lines(title: &str, xs: &[f64], curves: &[(String, &Curve)]) -> String {
    let series = curves
        .iter()
        .enumerate()
        .map(|(i, (name, curve))| of_curve(curve, Ink::Voice(i), Some(name.as_str())))
        .collect();
    let measure = curves.first().map_or(String::new(), |c| c.1.measure.clone());
    page(title, &[Panel { title: measure, xs, series, band: None, marks: Vec::new() }])
}

fn of_curve<'a>(curve: &Curve, ink: Ink, name: Option<&'a str>) -> Series<'a> {
    let column = |of: fn(&affetto_judge::bootstrap::Estimate) -> f64| curve.means.iter().map(of).collect::<Vec<f64>>();
    Series { ink, values: column(|m| m.value), edges: Some((column(|m| m.low), column(|m| m.high))), name }
}

fn page(title: &str, panels: &[Panel<'_>]) -> String {
    let columns = panels.len().clamp(1, COLUMNS);
    let rows = panels.len().div_ceil(columns).max(1);
    let (across, down) = (WIDTH + MARGIN[0] + MARGIN[1], HEIGHT + MARGIN[2] + MARGIN[3]);
    let mut svg = Svg::new(across * columns as f64, HEAD + down * rows as f64, title);
    svg.heading((MARGIN[0], 26.0), title);
    for (i, panel) in panels.iter().enumerate() {
        let left = across * (i % columns) as f64 + MARGIN[0];
        let top = HEAD + down * (i / columns) as f64 + MARGIN[2];
        draw(&mut svg, panel, (left, top));
    }
    svg.finish()
}

fn draw(svg: &mut Svg, panel: &Panel<'_>, (left, top): (f64, f64)) {
    let ends = |s: &Series<'_>| {
        let edges = s.edges.iter().flat_map(|(low, high)| low.iter().chain(high)).copied();
        s.values.iter().copied().chain(edges).collect::<Vec<f64>>()
    };
    let inside = panel.series.iter().flat_map(ends).filter(|x| x.is_finite());
    let (mut low, mut high) = inside.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    if !low.is_finite() || high - low < 1e-9 {
        (low, high) = if low.is_finite() { (low - 0.5, high + 0.5) } else { (0.0, 1.0) };
    }
    // The band's edges are shown where they are near; a far one would flatten the curve.
    let reach = high - low;
    for edge in panel.band.iter().flat_map(|(a, b)| [*a, *b]) {
        if edge > low - reach && edge < high + reach {
            (low, high) = (low.min(edge), high.max(edge));
        }
    }
    let (first, last) = (panel.xs.first().copied().unwrap_or(0.0), panel.xs.last().copied().unwrap_or(1.0));
    let x = |v: f64| left + (v - first) / (last - first).max(1e-9) * WIDTH;
    let y = |v: f64| top + (high - v) / (high - low) * HEIGHT;
    svg.text(Ink::Text, Anchor::Start, (left, top - 10.0), &panel.title);
    for tick in ticks(low, high, 4) {
        svg.line(Ink::Grid, (left, y(tick)), (left + WIDTH, y(tick)));
        svg.text(Ink::Faint, Anchor::End, (left - 6.0, y(tick) + 4.0), &number(tick));
    }
    for tick in ticks(first, last, 5) {
        svg.line(Ink::Grid, (x(tick), top), (x(tick), top + HEIGHT));
        svg.text(Ink::Faint, Anchor::Middle, (x(tick), top + HEIGHT + 16.0), &number(tick));
    }
    for mark in panel.marks.iter().filter(|m| (first..=last).contains(*m)) {
        svg.polyline(Ink::Grid, true, [(x(*mark), top), (x(*mark), top + HEIGHT)]);
    }
    for edge in panel.band.iter().flat_map(|(a, b)| [*a, *b]).filter(|e| (low..=high).contains(e)) {
        svg.polyline(Ink::Faint, true, [(left, y(edge)), (left + WIDTH, y(edge))]);
    }
    for (i, series) in panel.series.iter().enumerate() {
        let points = |values: &[f64]| panel.xs.iter().zip(values).map(|(a, b)| (x(*a), y(*b))).collect::<Vec<_>>();
        if let Some((below, above)) = &series.edges {
            band(svg, series.ink, &points(below), &points(above));
        }
        let points = points(&series.values);
        points.iter().for_each(|p| svg.dot(series.ink, *p, 3.0, 1.0));
        svg.polyline(series.ink, false, points);
        if let Some(name) = series.name {
            svg.text(series.ink, Anchor::End, (left + WIDTH - 4.0, top + 14.0 + 15.0 * i as f64), name);
        }
    }
}

/// Fills what lies between two lines with level bars, a unit high.
fn band(svg: &mut Svg, ink: Ink, below: &[(f64, f64)], above: &[(f64, f64)]) {
    const STEP: f64 = 2.0;
    let mut bars = Vec::new();
    for (b, a) in below.windows(2).zip(above.windows(2)) {
        let (from, to) = (b[0].0, b[1].0);
        let steps = ((to - from) / STEP).round().max(1.0) as usize;
        for i in 0..steps {
            let share = (i as f64 + 0.5) / steps as f64;
            let mix = |p: &[(f64, f64)]| p[0].1 + (p[1].1 - p[0].1) * share;
            bars.push((from + (to - from) * share, mix(a), mix(b) - mix(a)));
        }
    }
    // Upright strips: a short level bar as thick as the interval is high.
    for (x, top, height) in bars.into_iter().filter(|b| b.2.is_finite() && b.2 > 0.0) {
        svg.bars(ink, height, 0.18, [(x - STEP / 2.0, top + height / 2.0, STEP)]);
    }
}

#[cfg(test)]
mod tests {
    use affetto_judge::bootstrap::Estimate;

    use super::*;

    #[test]
    fn a_picture_has_its_lines_bands_and_names() {
        let means = (0..3).map(|i| Estimate { value: f64::from(i), low: f64::from(i) - 0.5, high: f64::from(i) + 0.5 });
        let curve = Curve {
            measure: "density".into(),
            means: means.collect(),
            spearman: Estimate::default(),
            slope: Estimate::default(),
            slope_in_sd: 0.0,
            rising: 2,
        };
        let svg = lines("a & b", &[-1.0, 0.0, 1.0], &[("one".into(), &curve), ("two".into(), &curve)]);
        assert!(svg.starts_with("<svg") && svg.contains("a &amp; b") && svg.contains(">one<") && svg.contains(">two<"));
        assert_eq!(svg.matches("<circle").count(), 6);
        assert!(svg.matches("<path").count() > 100 && !svg.contains("NaN"));
    }

    #[test]
    fn no_two_pictures_have_the_same_name() {
        assert_eq!(file_names(["valence@heads", "../a b"]), ["valence-heads.svg", "a-b.svg"]);
        assert_eq!(file_names(["a.b", "a-b", "A b", "a-b-2"]), ["a-b.svg", "a-b-2.svg", "A-b-3.svg", "a-b-2-2.svg"]);
        assert_eq!(file_names(["明", "暗"]), ["direction.svg", "direction-2.svg"]);
        assert_eq!(file_names(["overview", "Compare"]), ["overview-2.svg", "Compare-2.svg"]);
        assert_eq!(file_names(["x".repeat(400).as_str()])[0].len(), LONGEST + 4);
    }
}
