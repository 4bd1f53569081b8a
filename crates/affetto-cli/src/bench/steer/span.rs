//! A direction on the middle third of a take: does that third change, and what came before stay as it was?

use affetto::steering::Strength;
use affetto::{Score, Take};
use affetto_judge::bootstrap::{Estimate, difference};
use affetto_judge::stats::mean;
use serde::Serialize;

use super::directions::Direction;
use super::making::{Maker, NEUTRAL};
use super::{Done, number};
use crate::bench::no_notes;
use crate::failure::Failure;
use crate::output;

/// One direction.
#[derive(Clone, Debug, Serialize)]
struct Line {
    direction: String,
    strength: f32,
    measure: String,
    /// The measure in each third, without and with the direction.
    without: [f64; 3],
    with: [f64; 3],
    /// What the direction adds in each third.
    change: [Estimate; 3],
    /// Notes that begin before the span in takes without it, and those of them that are alike with it.
    before: usize,
    alike: usize,
    /// Takes in which all of them are.
    whole_takes: usize,
}

/// Measures.
///
/// # Errors
/// A take that cannot be made or heard.
pub fn run(maker: &mut Maker<'_>, directions: &[Direction]) -> Result<Done, Failure> {
    let args = maker.args;
    let own = directions.iter().map(|d| d.own(args, maker.measures)).collect::<Result<Vec<_>, _>>()?;
    let third = args.seconds / 2.0;
    let spans = [(0.0, third), (third, 2.0 * third), (2.0 * third, 3.0 * third)];
    let seeds = usize::from(args.seeds);
    maker.expect(seeds * (directions.len() + 1));
    // The takes without are the same for all directions; they are heard for whatever any of them needs.
    let listening = own.iter().map(|o| maker.measures.needs(o)).max().unwrap_or(super::measures::Listening::Timbre);
    let mut plain: Vec<(Take, Vec<Vec<f64>>)> = Vec::new();
    for number in 0..seeds {
        let take = maker.take(number, 3.0 * third, NEUTRAL, &[], Default::default())?;
        let measured = maker.measures.measure_spans(&take, listening, &spans)?;
        plain.push((take, measured.into_iter().map(|m| m.values).collect()));
    }
    let mut lines = Vec::new();
    for (direction, own) in directions.iter().zip(&own) {
        let strength = direction.strength(args);
        let steer = direction.at(Strength::Span { strength, from: third, to: 2.0 * third });
        let (mut without, mut with) = (vec![Vec::new(); 3], vec![Vec::new(); 3]);
        let (mut before, mut alike, mut whole_takes) = (0, 0, 0);
        for (number, (take, values)) in plain.iter().enumerate() {
            let steered =
                maker.take(number, 3.0 * third, NEUTRAL, std::slice::from_ref(&steer), direction.options())?;
            let measured = maker.measures.measure_spans(&steered, maker.measures.needs(own), &spans)?;
            for i in 0..3 {
                without[i].push(values[i][own[0]]);
                with[i].push(measured[i].values[own[0]]);
            }
            let (first, second) = (take.written().ok_or_else(no_notes)?, steered.written().ok_or_else(no_notes)?);
            let found = alike_before(first, second, third);
            before += found.0;
            alike += found.1;
            whole_takes += usize::from(found.0 == found.1);
        }
        let change = |i: usize| {
            let [d] = difference(&[with[i].clone()], &[without[i].clone()], |x| {
                [mean(&x.iter().map(|x| **x).collect::<Vec<_>>())]
            });
            d
        };
        lines.push(Line {
            direction: direction.label.clone(),
            strength,
            measure: maker.measures.names()[own[0]].clone(),
            without: std::array::from_fn(|i| mean(&without[i])),
            with: std::array::from_fn(|i| mean(&with[i])),
            change: std::array::from_fn(change),
            before,
            alike,
            whole_takes,
        });
    }
    let model = maker.studio.model().to_owned();
    let heading = |i: usize| format!("{:.0}–{:.0} s", spans[i].0, spans[i].1);
    let start = ["DIRECTION", "STRENGTH", "MEASURE"].map(str::to_owned).into_iter();
    let ends = ["ALIKE BEFORE", "WHOLE TAKES"].map(str::to_owned);
    let mut rows = vec![start.chain((0..3).map(heading)).chain(ends).collect::<Vec<_>>()];
    for line in &lines {
        let start = [line.direction.clone(), format!("{:.2}", line.strength), line.measure.clone()];
        let thirds = (0..3).map(|i| {
            let (c, clear) = (line.change[i], if line.change[i].is_clear() { " *" } else { "" });
            let (a, b) = (number(line.without[i]), number(line.with[i]));
            format!("{a} → {b} ({:+.2} [{:+.2}, {:+.2}]{clear})", c.value, c.low, c.high)
        });
        let ends = [format!("{} of {}", line.alike, line.before), format!("{} of {seeds}", line.whole_takes)];
        rows.push(start.into_iter().chain(thirds).chain(ends).collect());
    }
    Ok(Done {
        text: format!(
            "{}each third of {seeds} takes of {} s without → with the direction on the middle one; in brackets the paired \
             difference with its 95 % bootstrap interval over the seeds, * where it leaves out 0. ALIKE BEFORE: notes that \
             begin before the span and are the same in both, in every respect\n{model}, {:?}, neutral feeling\n",
            output::table(&rows),
            3.0 * third,
            args.words
        ),
        json: serde_json::json!({ "part": "span", "model": model, "spans": spans, "seeds": seeds, "directions": lines }),
        files: Vec::new(),
    })
}

/// Notes of `first` that begin before a second, and those of them that `second` has in the same order, in every respect,
/// with nothing between them.
fn alike_before(first: &Score, second: &Score, seconds: f64) -> (usize, usize) {
    let before = |score: &Score| {
        let notes = score.notes.iter().filter(|n| score.seconds_at(n.onset) < seconds).copied();
        notes.map(|n| (n.onset, n.instrument, n.pitch, n.duration, n.velocity)).collect::<Vec<_>>()
    };
    let (mut a, mut b) = (before(first), before(second));
    a.sort_unstable();
    b.sort_unstable();
    let same = a.iter().filter(|note| b.binary_search(note).is_ok()).count();
    // What was added counts against it as well.
    (a.len().max(b.len()), same)
}

#[cfg(test)]
mod tests {
    use affetto::Instrument;

    use super::*;

    #[test]
    fn only_what_begins_before_is_compared_and_additions_count() {
        let note = |onset: u32, pitch: u8| affetto_score::Note {
            onset,
            duration: 480,
            pitch,
            velocity: 70,
            instrument: Instrument(0),
        };
        let score = |notes: &[(u32, u8)]| Score {
            notes: notes.iter().map(|&(onset, pitch)| note(onset, pitch)).collect(),
            ..Score::default()
        };
        let plain = score(&[(0, 60), (480, 62), (1920, 64)]);
        assert_eq!(alike_before(&plain, &score(&[(0, 60), (480, 62), (1920, 70)]), 2.0), (2, 2));
        assert_eq!(alike_before(&plain, &score(&[(0, 60), (480, 63)]), 2.0), (2, 1));
        assert_eq!(alike_before(&plain, &score(&[(0, 60), (240, 50), (480, 62)]), 2.0), (3, 2));
    }
}
