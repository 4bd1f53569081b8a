//! Features of the top line: steps, leaps, chromatic motion, contour.

use super::timeline::TimedNote;

/// Names of what [`features`] returns, in order.
pub(super) const NAMES: [&str; 7] = [
    "melody_interval_mean",
    "melody_repeat_share",
    "melody_semitone_share",
    "melody_step_share",
    "melody_leap_share",
    "melody_rise",
    "melody_range",
];

/// The highest note of every event (onsets within 35 ms), except notes that start well below a
/// higher one still sounding (accompaniment between melody notes).
fn skyline(notes: &[TimedNote]) -> Vec<&TimedNote> {
    let mut line: Vec<&TimedNote> = Vec::new();
    for note in notes {
        match line.last_mut() {
            Some(last) if note.onset - last.onset <= 0.035 => {
                if note.pitch > last.pitch {
                    *last = note;
                }
            }
            Some(last) if note.pitch < last.pitch && note.onset < last.end - 0.05 && note.onset - last.onset < 1.5 => {}
            _ => line.push(note),
        }
    }
    line
}

/// The features of the pitched notes of a span, sorted by onset.
pub(super) fn features(notes: &[TimedNote]) -> Vec<f64> {
    let line = skyline(notes);
    let steps: Vec<i32> = line
        .windows(2)
        .filter(|w| w[1].onset - w[0].onset < 2.5)
        .map(|w| i32::from(w[1].pitch) - i32::from(w[0].pitch))
        .collect();
    let count = steps.len().max(1) as f64;
    let share = |f: &dyn Fn(i32) -> bool| steps.iter().filter(|&&s| f(s)).count() as f64 / count;
    let mean = steps.iter().map(|s| f64::from(s.abs().min(24))).sum::<f64>() / count;
    let range = match (line.iter().map(|n| n.pitch).min(), line.iter().map(|n| n.pitch).max()) {
        (Some(low), Some(high)) => f64::from(high - low),
        _ => 0.0,
    };
    vec![
        mean,
        share(&|s| s == 0),
        share(&|s| s.abs() == 1),
        share(&|s| matches!(s.abs(), 1 | 2)),
        share(&|s| s.abs() >= 5),
        share(&|s| s > 0) - share(&|s| s < 0),
        range,
    ]
}
