//! Two directions at once, their weights adding up to 1: does each come and go with its own?

use affetto::steering::{Steer, SteerOptions, Strength};
use affetto_judge::metrics::METRICS;
use serde::Serialize;

use super::curve::{Curve, GOAL_SPEARMAN, Sweep};
use super::directions::{Direction, shared_site};
use super::making::{ALMOST_ZERO, Maker};
use super::measures::Listening;
use super::{Done, number, picture, two};
use crate::failure::Failure;
use crate::output;

/// The weight of the first direction; the second has the rest.
const WEIGHTS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// What the weight does to the measure of one direction.
#[derive(Clone, Debug, Serialize)]
struct Side {
    direction: String,
    strength: f32,
    /// 1 for the first, -1 for the second: which way the measure shall go as the weight rises.
    sign: f64,
    curve: Curve,
    reached: bool,
}

/// Measures.
///
/// # Errors
/// Not two directions, or a take that cannot be made.
pub fn run(maker: &mut Maker<'_>, directions: &[Direction]) -> Result<Done, Failure> {
    let args = maker.args;
    let pair = two(directions, "fusion", "such as two styles")?;
    let own = [pair[0].own(args, maker.measures)?, pair[1].own(args, maker.measures)?];
    let strengths = pair.map(|d| d.strength(args));
    let options = SteerOptions { site: shared_site(&pair)?, orthogonal: args.orthogonal, ..SteerOptions::default() };
    let seeds = usize::from(args.seeds);
    maker.expect(seeds * WEIGHTS.len() + usize::from(args.unsteered));
    let listening = if own.iter().any(|o| maker.measures.needs(o) == Listening::Everything) {
        Listening::Everything
    } else {
        Listening::Timbre
    };
    let unsteered = maker.measured(usize::from(args.unsteered), &[], SteerOptions::default(), listening)?;
    let mut takes = Vec::new();
    for weight in WEIGHTS {
        let steers = [weighted(pair[0], strengths[0], weight), weighted(pair[1], strengths[1], 1.0 - weight)];
        takes.push(maker.measured(seeds, &steers, options, listening)?);
    }
    let sweep = Sweep { strengths: WEIGHTS.to_vec(), takes };
    let side = |i: usize, sign: f64| {
        let measure = own[i][0];
        let name = &maker.measures.names()[measure];
        let curve = sweep.curve(name, measure, &unsteered, maker.measures.least_sd(measure));
        let reached = curve.spearman.value * sign >= GOAL_SPEARMAN;
        Side { direction: pair[i].label.clone(), strength: strengths[i], sign, curve, reached }
    };
    let sides = [side(0, 1.0), side(1, -1.0)];
    let model = maker.studio.model().to_owned();
    let curves: Vec<(String, &Curve)> = sides.iter().map(|s| (s.direction.clone(), &s.curve)).collect();
    let title = format!("{} and {}: the weight of {}", sides[0].direction, sides[1].direction, sides[0].direction);
    let svg = picture::lines(&title, &WEIGHTS, &curves);
    let heading = ["DIRECTION", "STRENGTH", "MEASURE"].map(str::to_owned).into_iter();
    let heading = heading.chain(WEIGHTS.iter().map(|w| format!("w {w}")));
    let mut rows = vec![heading.chain(["SPEARMAN", "GOAL"].map(str::to_owned)).collect::<Vec<_>>()];
    for side in &sides {
        let start = [side.direction.clone(), format!("{:.2}", side.strength), side.curve.measure.clone()];
        let means = side.curve.means.iter().map(|m| number(m.value));
        let s = side.curve.spearman;
        let goal = format!("{} {}", if side.sign > 0.0 { "≥" } else { "≤" }, GOAL_SPEARMAN * side.sign);
        let ends = [
            format!("{:.2} [{:.2}, {:.2}]", s.value, s.low, s.high),
            format!("{goal}: {}", if side.reached { "PASS" } else { "miss" }),
        ];
        rows.push(start.into_iter().chain(means).chain(ends).collect());
    }
    let medians: Vec<_> = sweep.takes.iter().map(|row| super::curve::medians(row)).collect();
    Ok(Done {
        text: format!(
            "{}both directions at once: the first at w times its strength, the second at 1 - w times its own; means over \
             {seeds} seeds of {} s, Spearman of weight and mean with a 95 % bootstrap interval over the seeds; the conditions \
             that they free give way at every weight\n{model}, {:?}, neutral feeling\n",
            output::table(&rows),
            args.seconds,
            args.words
        ),
        json: serde_json::json!({
            "part": "fusion", "model": model, "weights": WEIGHTS, "sides": sides, "seeds": seeds, "metrics": METRICS,
            "quality_medians": medians, "takes": sweep.takes,
        }),
        files: vec![("fusion.svg".into(), svg)],
    })
}

/// A direction at a share of its strength. It is there at a weight of 0 as well: what the other loses to it, and the
/// conditions that give way, are the same at every weight.
fn weighted(direction: &Direction, strength: f32, weight: f64) -> Steer {
    let strength = strength * weight as f32;
    direction.at(Strength::Constant(if strength == 0.0 { ALMOST_ZERO } else { strength }))
}
