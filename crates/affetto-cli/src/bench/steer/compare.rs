//! Directions of one attribute side by side: which moves it most for what it costs.

use affetto_judge::bootstrap::{Estimate, difference};
use affetto_judge::reference::Band;
use affetto_judge::stats::{mean, spearman};
use serde::Serialize;

use super::curve::{Curve, slope};
use super::measures::Measured;
use super::sweep::{self, Line};
use super::{Done, number, picture};
use crate::args::BenchSteerArgs;
use crate::output;

/// One direction less the first.
#[derive(Clone, Debug, Serialize)]
struct Difference {
    direction: String,
    less: String,
    measure: String,
    /// What strength 1 adds.
    slope: Estimate,
    /// Spearman's correlation of strengths and means.
    spearman: Estimate,
}

/// The sweep's tables and what the directions differ in.
pub fn report(args: &BenchSteerArgs, lines: &[Line], unsteered: &[Measured], bands: &[Band], model: &str) -> Done {
    let mut done = sweep::report(args, lines, unsteered, bands, model);
    let mut ranked: Vec<&Line> = lines.iter().collect();
    ranked.sort_by(|a, b| steepness(b).total_cmp(&steepness(a)));
    let Some((best, rest)) = ranked.split_first() else { return done };
    let differences: Vec<Difference> = rest.iter().flat_map(|other| differences(best, other)).collect();
    let mut rows =
        vec![["STEEPEST", "LESS", "MEASURE", "A UNIT ADDS MORE", "SPEARMAN", "ELSE MOVES"].map(str::to_owned).to_vec()];
    for d in &differences {
        let other = lines.iter().find(|l| l.direction == d.less);
        let off = other.map_or(f64::NAN, |o| best.mean_off_target - o.mean_off_target);
        rows.push(vec![
            d.direction.clone(),
            d.less.clone(),
            d.measure.clone(),
            interval(d.slope),
            interval(d.spearman),
            format!("{off:+.2}"),
        ]);
    }
    let mut per =
        vec![["DIRECTION", "MOVES ITS OWN, IN SD", "ELSE MOVES, IN SD", "OWN FOR ELSE"].map(str::to_owned).to_vec()];
    for line in &ranked {
        let own = line.own.first().map_or(0.0, |c| c.slope_in_sd * line.recommended);
        let cells = [number(own), number(line.mean_off_target), number(own / line.mean_off_target.max(1e-6))];
        per.push(std::iter::once(line.direction.clone()).chain(cells).collect());
    }
    done.text += &format!(
        "\n{}\n{}the steepest against each other one, paired by seeds, with 95 % bootstrap intervals; * where it leaves out 0. \
         Second: at the recommended strength of each, its own measure (by the line of least squares) and the mean of all others\n",
        output::table(&rows),
        output::table(&per)
    );
    done.json["part"] = "compare".into();
    done.json["differences"] = serde_json::json!(differences);
    let curves: Vec<(String, &Curve)> =
        lines.iter().filter_map(|l| Some((l.direction.clone(), l.own.first()?))).collect();
    // One axis for all, which absolute strengths have.
    if lines.iter().all(|l| l.strengths == lines[0].strengths) {
        done.files.push(("compare.svg".into(), picture::lines("Side by side", &lines[0].strengths, &curves)));
    }
    done
}

fn steepness(line: &Line) -> f64 {
    line.own.first().map_or(0.0, |c| c.slope.value)
}

/// The first line less the second, in every measure of their own.
fn differences(first: &Line, second: &Line) -> Vec<Difference> {
    let pairs = first.own.iter().zip(&second.own).enumerate();
    pairs
        .filter(|(_, (a, b))| a.measure == b.measure)
        .map(|(i, (curve, _))| {
            let (a, b) = (readings(first, i), readings(second, i));
            // Both sides draw the same seeds; the strengths are put before each seed's readings.
            let [slope, spearman] = difference(&[a], &[b], numbers);
            let (direction, less) = (first.direction.clone(), second.direction.clone());
            Difference { direction, less, measure: curve.measure.clone(), slope, spearman }
        })
        .collect()
}

/// A seed's strengths and readings.
type Seed = Vec<(f64, f64)>;

fn readings(line: &Line, own: usize) -> Vec<Seed> {
    let measure = line.own_index[own];
    let seeds = line.takes.iter().map(Vec::len).min().unwrap_or(0);
    let of =
        |seed: usize| line.strengths.iter().zip(&line.takes).map(|(s, row)| (*s, row[seed].values[measure])).collect();
    (0..seeds).map(of).collect()
}

fn numbers(seeds: &[&Seed]) -> [f64; 2] {
    let Some(first) = seeds.first() else { return [0.0; 2] };
    let strengths: Vec<f64> = first.iter().map(|p| p.0).collect();
    let means: Vec<f64> =
        (0..strengths.len()).map(|i| mean(&seeds.iter().map(|s| s[i].1).collect::<Vec<_>>())).collect();
    [slope(&strengths, &means), spearman(&strengths, &means)]
}

fn interval(e: Estimate) -> String {
    let clear = if e.is_clear() { " *" } else { "" };
    format!("{:+.2} [{:+.2}, {:+.2}]{clear}", e.value, e.low, e.high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steeper_direction_is_clearly_steeper() {
        let seeds = |gain: f64| -> Vec<Seed> {
            (0..6).map(|s| [-1.0, 0.0, 1.0].map(|x| (x, gain * x + f64::from(s))).to_vec()).collect()
        };
        let [slope, spearman] = difference(&[seeds(2.0)], &[seeds(0.5)], numbers);
        assert!((slope.value - 1.5).abs() < 1e-9 && slope.is_clear() && spearman.value.abs() < 1e-9, "{slope:?}");
    }
}
