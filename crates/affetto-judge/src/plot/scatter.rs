//! Asked against heard: a square for each dimension.

use super::svg::{Anchor, Ink, Svg};

const SIDE: f64 = 300.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 70.0;
/// From one square's left edge to the next one's.
const STEP: f64 = SIDE + 76.0;

/// One square.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterPanel {
    /// The dimension, such as `valence`.
    pub label: String,
    /// A line above the square: its numbers.
    pub numbers: String,
    /// (asked, heard), from -1 to 1; what lies outside is drawn on the edge.
    pub points: Vec<(f64, f64)>,
}

/// A picture of squares side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// Heading.
    pub title: String,
    /// The squares.
    pub panels: Vec<ScatterPanel>,
}

impl Scatter {
    /// Draws it, as a whole SVG file: a dot for each point, a ring of dots' mean at each value asked, the line on which
    /// heard is asked (dashed).
    pub fn svg(&self) -> String {
        let width = LEFT + STEP * self.panels.len().max(1) as f64 - 40.0;
        let mut svg = Svg::new(width, TOP + SIDE + 48.0, &self.title);
        svg.heading((LEFT, 26.0), &self.title);
        for (i, panel) in self.panels.iter().enumerate() {
            square(&mut svg, panel, LEFT + STEP * i as f64, i);
        }
        svg.finish()
    }
}

fn square(svg: &mut Svg, panel: &ScatterPanel, left: f64, voice: usize) {
    let x = |asked: f64| left + (asked.clamp(-1.0, 1.0) + 1.0) / 2.0 * SIDE;
    let y = |heard: f64| TOP + (1.0 - heard.clamp(-1.0, 1.0)) / 2.0 * SIDE;
    svg.text(Ink::Text, Anchor::Start, (left, TOP - 10.0), &panel.numbers);
    for (value, name) in [(-1.0, "−1"), (-0.5, "−0.5"), (0.0, "0"), (0.5, "0.5"), (1.0, "1")] {
        svg.line(Ink::Grid, (x(value), y(-1.0)), (x(value), y(1.0)));
        svg.line(Ink::Grid, (x(-1.0), y(value)), (x(1.0), y(value)));
        svg.text(Ink::Faint, Anchor::Middle, (x(value), y(-1.0) + 16.0), name);
        svg.text(Ink::Faint, Anchor::End, (left - 6.0, y(value) + 4.0), name);
    }
    svg.text(Ink::Text, Anchor::Middle, (x(0.0), TOP + SIDE + 36.0), &format!("{} asked", panel.label));
    svg.upright(Ink::Text, (left - 42.0, y(0.0)), &format!("{} heard", panel.label));
    svg.polyline(Ink::Faint, true, [(x(-1.0), y(-1.0)), (x(1.0), y(1.0))]);
    let points = panel.points.iter().enumerate().map(|(i, &(asked, heard))| {
        // Those asked alike are drawn a little apart, always the same way.
        let apart = ((i as f64 * 0.618_034).fract() - 0.5) * 8.0;
        (x(asked) + apart, y(heard))
    });
    svg.dots(Ink::Voice(voice), 3.0, 0.4, points);
    let means = means(&panel.points);
    if means.len() < panel.points.len() {
        svg.polyline(Ink::Text, false, means.iter().map(|m| (x(m.0), y(m.1))));
        means.iter().for_each(|m| svg.dot(Ink::Text, (x(m.0), y(m.1)), 4.5, 1.0));
    }
}

/// The mean heard at each value asked, in order; none where hardly any value was asked twice.
fn means(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<(f64, f64)> = points.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let groups: Vec<&[(f64, f64)]> = sorted.chunk_by(|a, b| a.0 == b.0).collect();
    if groups.len() * 2 > sorted.len() {
        return Vec::new();
    }
    groups.iter().map(|g| (g[0].0, g.iter().map(|p| p.1).sum::<f64>() / g.len() as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_their_means_lie_where_they_say() {
        let points = vec![(-1.0, -1.0), (-1.0, 0.0), (1.0, 1.0), (1.0, 5.0)];
        assert_eq!(means(&points), [(-1.0, -0.5), (1.0, 3.0)]);
        assert!(means(&points[1..3]).is_empty());
        let panel = ScatterPanel { label: "valence".into(), numbers: "r 0.50".into(), points };
        let svg = Scatter { title: "LARA, notes".into(), panels: vec![panel.clone(), panel] }.svg();
        assert_eq!(svg.matches("<circle").count(), 12);
        assert!(svg.contains("points=\"64.0,295.0 364.0,70.0\""), "{svg}");
        assert!(svg.contains("valence asked") && svg.contains("valence heard") && svg.contains("r 0.50"));
    }
}
