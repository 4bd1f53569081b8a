//! Each direction by itself: strengths from one end to the other.

use affetto_judge::metrics::METRICS;
use affetto_judge::reference::Band;
use serde::Serialize;

use super::curve::{Curve, GOAL_SPEARMAN, Soundness, Sweep};
use super::directions::Direction;
use super::making::Maker;
use super::measures::{Listening, Measured, Measures};
use super::picture;
use super::{Done, number};
use crate::args::{BenchSteerArgs, SteerScale};
use crate::failure::Failure;
use crate::output;

/// How many off-target changes the table names.
const NAMED: usize = 3;

/// What a direction does.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What it is called.
    pub direction: String,
    /// The site it acts at.
    pub site: &'static str,
    /// How it was found.
    pub method: &'static str,
    /// The strength its file recommends.
    pub recommended: f64,
    /// Strengths.
    pub strengths: Vec<f64>,
    /// What it is meant to move; the first is the one that counts.
    pub own: Vec<Curve>,
    /// Where those stand among the measures.
    #[serde(skip)]
    pub own_index: Vec<usize>,
    /// Quality.
    pub soundness: Soundness,
    /// Whether Spearman's goal is reached.
    pub monotone: bool,
    /// Whether all medians stay inside their bands up to the recommended strength, either way; `None` where no strength
    /// as high was tried.
    pub sound: Option<bool>,
    /// What else moves at the recommended strength: measure, change at it, and at its negative, in deviations.
    pub off_target: Vec<(String, f64, f64)>,
    /// The mean size of those changes, of both ways.
    pub mean_off_target: f64,
    /// Every take's numbers, by strength and seed.
    pub takes: Vec<Vec<Measured>>,
}

/// What the sweep of a direction needs.
pub struct Ground<'a> {
    /// Takes without steering, heard for everything.
    pub unsteered: &'a [Measured],
    /// The bands around those of all families.
    pub bands: &'a [Band],
}

/// The strengths for a direction.
pub fn strengths(args: &BenchSteerArgs, recommended: f64) -> Vec<f64> {
    let unit = match args.scale() {
        SteerScale::Absolute => 1.0,
        SteerScale::Recommended => recommended,
    };
    let half = i32::from(args.steps() / 2);
    let at = |i: i32| f64::from(i) / f64::from(half) * f64::from(args.most()) * unit;
    // In single precision, as they are used and named.
    (-half..=half).map(|i| f64::from(at(i) as f32)).collect()
}

/// Sweeps one direction.
///
/// # Errors
/// A take that cannot be made or heard, a direction of which nobody knows what it moves.
pub fn sweep(maker: &mut Maker<'_>, direction: &Direction, ground: &Ground<'_>) -> Result<Line, Failure> {
    let own = direction.own(maker.args, maker.measures)?;
    let recommended = f64::from(direction.file.about.recommended_strength);
    let strengths = strengths(maker.args, recommended);
    let listening = maker.measures.needs(&own);
    let takes = maker.along(direction, &strengths, ground.unsteered, listening)?;
    Ok(line(direction, &own, maker.measures, Sweep { strengths, takes }, ground))
}

fn line(direction: &Direction, own: &[usize], measures: &Measures, sweep: Sweep, ground: &Ground<'_>) -> Line {
    let about = &direction.file.about;
    let recommended = f64::from(about.recommended_strength);
    let least = |i: usize| measures.least_sd(i);
    let curve = |&i: &usize| sweep.curve(&measures.names()[i], i, ground.unsteered, least(i));
    let curves: Vec<Curve> = own.iter().map(curve).collect();
    let soundness = sweep.soundness(ground.bands);
    let up = sweep.changes(recommended, ground.unsteered, least);
    let down = sweep.changes(-recommended, ground.unsteered, least);
    let others = (0..up.len()).filter(|i| !own.contains(i) && up[*i].is_finite() && down[*i].is_finite());
    let mut off: Vec<(String, f64, f64)> = others.map(|i| (measures.names()[i].clone(), up[i], down[i])).collect();
    off.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let mean = off.iter().map(|(_, up, down)| (up.abs() + down.abs()) / 2.0).sum::<f64>() / off.len().max(1) as f64;
    Line {
        direction: direction.label.clone(),
        site: direction.acting_site().name(),
        method: about.method.name(),
        recommended,
        monotone: curves.first().is_some_and(|c| c.spearman.value >= GOAL_SPEARMAN),
        sound: sound_to(&sweep.strengths, &soundness, recommended),
        own: curves,
        own_index: own.to_vec(),
        soundness,
        off_target: off,
        mean_off_target: mean,
        takes: sweep.takes,
        strengths: sweep.strengths,
    }
}

fn size(change: &(String, f64, f64)) -> f64 {
    change.1.abs().max(change.2.abs())
}

/// Whether all medians are inside at every strength up to the first that is at least `recommended`, on both sides; `None`
/// where none so high was tried on one of them.
fn sound_to(strengths: &[f64], soundness: &Soundness, recommended: f64) -> Option<bool> {
    let reached = recommended - 1e-6;
    let up = strengths.iter().copied().find(|&s| s >= reached)?;
    let down = strengths.iter().rev().copied().find(|&s| s <= -reached)?;
    Some(soundness.range.is_some_and(|(low, high)| high >= up && low <= down))
}

/// Sweeps all directions.
///
/// # Errors
/// As [`sweep`].
pub fn run(
    maker: &mut Maker<'_>,
    directions: &[Direction],
    bands: &[Band],
) -> Result<(Vec<Line>, Vec<Measured>), Failure> {
    let args = maker.args;
    // What nobody can measure shall be known before takes are made.
    directions.iter().try_for_each(|d| d.own(args, maker.measures).map(drop))?;
    let unsteered = args.unsteered.max(args.seeds);
    maker.expect(usize::from(unsteered));
    let rows = |d: &Direction| usize::from(args.steps()) - usize::from(!maker.frees_at_zero(d));
    let rows: usize = directions.iter().map(rows).sum();
    maker.expect(rows * usize::from(args.seeds));
    let unsteered = maker.measured(usize::from(unsteered), &[], Default::default(), Listening::Everything)?;
    let ground = Ground { unsteered: &unsteered, bands };
    let lines = directions.iter().map(|d| sweep(maker, d, &ground)).collect::<Result<Vec<_>, _>>()?;
    maker.finish();
    Ok((lines, unsteered))
}

/// The table, the pictures and the JSON.
pub fn report(args: &BenchSteerArgs, lines: &[Line], unsteered: &[Measured], bands: &[Band], model: &str) -> Done {
    let names = picture::file_names(lines.iter().map(|line| line.direction.as_str()));
    let mut files: Vec<(String, String)> =
        names.into_iter().zip(lines).map(|(name, line)| (name, picture::curves(line, bands))).collect();
    files.push(("overview.svg".into(), picture::overview(lines)));
    Done {
        json: serde_json::json!({
            "part": "sweep", "model": model, "words": args.words, "seconds": args.seconds, "seeds": args.seeds,
            "freed_zero": args.freed_zero, "judges_fitted_on": args.judges.name(), "goal_spearman": GOAL_SPEARMAN, "metrics": METRICS, "bands": bands,
            "directions": lines, "unsteered": unsteered,
        }),
        text: text(args, lines, unsteered, bands, model),
        files,
    }
}

fn text(args: &BenchSteerArgs, lines: &[Line], unsteered: &[Measured], bands: &[Band], model: &str) -> String {
    let Some(first) = lines.first() else { return String::new() };
    let mut rows = Vec::new();
    let alike = lines.iter().all(|l| l.strengths == first.strengths);
    let steps = |i: usize| match alike {
        true => format!("{:+.2}", first.strengths[i]),
        false => format!("#{}", i + 1),
    };
    let heading = ["DIRECTION".into(), "MEASURE".into()].into_iter().chain((0..first.strengths.len()).map(steps));
    let ends = ["SPEARMAN", "GOAL", "A UNIT ADDS", "IN SD"].map(str::to_owned);
    rows.push(heading.chain(ends).collect::<Vec<String>>());
    for line in lines {
        for (i, curve) in line.own.iter().enumerate() {
            let goal = match curve.spearman.value >= GOAL_SPEARMAN {
                // Ranks rise in what hardly moves as well.
                true if !curve.slope.is_clear() => format!("≥ {GOAL_SPEARMAN}: PASS, slope may be 0"),
                true => format!("≥ {GOAL_SPEARMAN}: PASS"),
                false => format!("≥ {GOAL_SPEARMAN}: miss"),
            };
            let name = if i == 0 { line.direction.clone() } else { String::new() };
            let means = curve.means.iter().map(|m| number(m.value));
            let (s, slope) = (curve.spearman, curve.slope);
            let ends = [
                format!("{:.2} [{:.2}, {:.2}]", s.value, s.low, s.high),
                goal,
                format!("{} [{}, {}]", number(slope.value), number(slope.low), number(slope.high)),
                format!("{:+.1}", curve.slope_in_sd),
            ];
            rows.push([name, curve.measure.clone()].into_iter().chain(means).chain(ends).collect());
        }
    }
    let heading = [
        "DIRECTION",
        "SITE",
        "FOUND BY",
        "RECOMMENDED",
        "SOUND FROM, TO",
        "SOUND AT IT",
        "OUTSIDE AT",
        "ELSE MOVES, IN SD",
    ];
    let mut quality = vec![heading.map(str::to_owned).to_vec()];
    quality.extend(lines.iter().map(quality_row));
    let freed = match args.freed_zero {
        true => "; at strength 0 the conditions that a direction frees give way as they do elsewhere",
        false => "",
    };
    let shown: Vec<String> = super::curve::medians(unsteered)
        .iter()
        .zip(bands)
        .map(|(m, b)| format!("{} {} [{}, {}]", b.metric, number(*m), number(b.p5), number(b.p95)))
        .collect();
    format!(
        "{}mean at each strength over {} seeds of {} s; Spearman of the means, and what strength 1 adds by the line of least \
         squares, with 95 % bootstrap intervals over the seeds; IN SD: in deviations of {} takes without steering\n\n\
         {}sound: the medians of all {} metrics lie inside the bands of held-out real pieces, pooled over the families: from \
         the lowest 5th percentile to the highest 95th; their stretches are 30 s long. ELSE MOVES: mean size over all \
         measures but its own at the recommended strength, both ways, and the {NAMED} that move most (up / down)\n\
         without steering, with the bands: {}\n\
         {model}, {:?}, neutral feeling, judges fitted on the {} part{freed}\n",
        output::table(&rows),
        args.seeds,
        args.seconds,
        unsteered.len(),
        output::table(&quality),
        METRICS.len(),
        shown.join("; "),
        args.words,
        args.judges.name(),
    )
}

fn quality_row(line: &Line) -> Vec<String> {
    let range = line.soundness.range.map_or("not even at 0".into(), |(low, high)| format!("{low:+.2}, {high:+.2}"));
    let outside: Vec<String> = line
        .strengths
        .iter()
        .zip(&line.soundness.outside)
        .filter(|(_, metrics)| !metrics.is_empty())
        .map(|(s, metrics)| format!("{s:+.2} {}", metrics.join(", ")))
        .collect();
    let most: Vec<String> =
        line.off_target.iter().take(NAMED).map(|(name, up, down)| format!("{name} {up:+.1} / {down:+.1}")).collect();
    vec![
        line.direction.clone(),
        line.site.into(),
        line.method.into(),
        format!("{:.2}", line.recommended),
        range,
        line.sound.map_or("not tried", |sound| if sound { "PASS" } else { "miss" }).into(),
        if outside.is_empty() { "–".into() } else { outside.join("; ") },
        format!("{:.2}: {}", line.mean_off_target, most.join(", ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soundness_at_the_recommended_strength_needs_a_strength_as_high_on_both_sides() {
        let strengths = [-1.0, -0.5, 0.0, 0.5, 1.0];
        let found = |range| Soundness { medians: vec![], range, outside: vec![] };
        let sound = |range, recommended| sound_to(&strengths, &found(range), recommended);
        assert_eq!(sound(Some((-0.5, 0.5)), 0.5), Some(true));
        assert_eq!(sound(Some((-1.0, 1.0)), 0.6), Some(true));
        // What is sound at 0.5 need not be at 0.6: the next that was tried counts.
        assert_eq!(sound(Some((-0.5, 1.0)), 0.6), Some(false));
        assert_eq!(sound(Some((-1.0, 0.5)), 0.6), Some(false));
        assert_eq!(sound(Some((0.0, 0.0)), 0.2), Some(false));
        assert_eq!(sound(None, 0.2), Some(false));
        assert_eq!(sound(Some((-1.0, 1.0)), 1.5), None);
        assert_eq!(sound_to(&strengths[1..], &found(Some((-0.5, 1.0))), 0.6), None, "one side alone");
    }
}
