//! The loss log of a run, and its picture.

use std::path::Path;

use affetto_judge::plot::{Anchor, Ink, Svg};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// One line of `log.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Step.
    pub step: usize,
    /// `train` or `validation`.
    pub part: String,
    /// Sum of the streams' losses, in nats a note.
    pub loss: f32,
    /// Loss of each stream, in nats.
    pub streams: Vec<f32>,
    /// Alignment loss, where there is one: 1 − mean cosine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f32>,
    /// Learning rate.
    pub learning_rate: f64,
    /// Notes a second since the line before.
    pub notes_per_second: f64,
}

/// The log's lines up to `step`, in order. Lines that a kill cut short are left out, and so are those of steps that
/// were lost with it.
pub fn read(path: &Path, step: usize) -> Vec<LogLine> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str::<LogLine>(line).ok()).filter(|l| l.step <= step).collect()
}

/// Writes a log anew.
///
/// # Errors
/// A file that can't be written.
pub fn rewrite(path: &Path, lines: &[LogLine]) -> Result<(), TrainError> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(line).expect("a log line is plain data"));
        text.push('\n');
    }
    std::fs::write(path, text).map_err(|source| TrainError::Write { path: path.into(), source })
}

const WIDTH: f32 = 800.0;
const HEIGHT: f32 = 420.0;
const MARGIN: f32 = 50.0;
/// Training losses that one point of the curve is the mean of.
const SMOOTHED: usize = 10;

/// The curve as SVG: training losses (means of ten lines) and validations, in nats a note over steps.
pub fn svg(lines: &[LogLine]) -> String {
    let of = |part: &str| -> Vec<(f32, f32)> {
        lines.iter().filter(|l| l.part == part).map(|l| (l.step as f32, l.loss)).collect()
    };
    let mean = |points: &[(f32, f32)]| {
        let n = points.len() as f32;
        (points.iter().map(|p| p.0).sum::<f32>() / n, points.iter().map(|p| p.1).sum::<f32>() / n)
    };
    let training: Vec<(f32, f32)> = of("train").chunks(SMOOTHED).map(mean).collect();
    let validation = of("validation");
    let all = || training.iter().chain(&validation).filter(|p| p.1.is_finite());
    let right = all().map(|p| p.0).fold(1.0, f32::max);
    let low = all().map(|p| p.1).fold(f32::MAX, f32::min).min(1e6).floor();
    let high = all().map(|p| p.1).fold(low + 1.0, f32::max).ceil();
    let x = |step: f32| f64::from(MARGIN + step / right * (WIDTH - 2.0 * MARGIN));
    let y = |loss: f32| f64::from(HEIGHT - MARGIN - (loss - low) / (high - low) * (HEIGHT - 2.0 * MARGIN));
    let mut svg = Svg::new(f64::from(WIDTH), f64::from(HEIGHT), "loss over steps");
    for i in 0..=5 {
        let part = i as f32 / 5.0;
        let (loss, step) = (low + part * (high - low), part * right);
        svg.line(Ink::Grid, (x(0.0), y(loss)), (x(right), y(loss)));
        svg.text(Ink::Faint, Anchor::Start, (8.0, y(loss)), &format!("{loss:.1}"));
        svg.text(Ink::Faint, Anchor::Start, (x(step), y(low) + 20.0), &format!("{step:.0}"));
    }
    let curves = [("training", &training, Ink::Faint), ("validation", &validation, Ink::Voice(1))];
    for ((name, points, ink), row) in curves.into_iter().zip(0..) {
        svg.polyline(ink, false, points.iter().map(|&(step, loss)| (x(step), y(loss))));
        let at = (f64::from(WIDTH) - 220.0, f64::from(MARGIN) + 16.0 * f64::from(row));
        svg.text(ink, Anchor::Start, at, &format!("{name}, nats a note"));
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: usize, part: &str, loss: f32) -> LogLine {
        let part = part.into();
        LogLine { step, part, loss, streams: vec![loss], alignment: None, learning_rate: 1e-3, notes_per_second: 9.0 }
    }

    #[test]
    fn lost_steps_and_cut_lines_leave_the_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.jsonl");
        let lines = [line(10, "train", 20.0), line(20, "train", 15.0), line(30, "train", 14.0)];
        rewrite(&path, &lines).expect("written");
        let mut text = std::fs::read_to_string(&path).expect("read");
        text.push_str("{\"step\":15,\"part\":\"tra");
        std::fs::write(&path, text).expect("written");
        assert_eq!(read(&path, 20), &lines[..2]);
        assert_eq!(read(&folder.path().join("none"), 20), &[]);
    }

    #[test]
    fn the_curve_falls_where_the_loss_falls() {
        let svg = svg(&[line(0, "validation", 20.0), line(100, "validation", 10.0), line(50, "train", f32::NAN)]);
        let points = svg.split("points=\"").nth(2).expect("the validation").split('"').next().expect("its points");
        assert_eq!(points, "50.0,50.0 750.0,370.0");
        assert!(svg.contains("points=\"\"") && svg.ends_with("</svg>\n"));
    }
}
