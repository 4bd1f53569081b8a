//! The arithmetic of a sweep: what a measure does along strengths, how far the music stays sound, what else moves.

use affetto_judge::agreement::{along, sd};
use affetto_judge::bootstrap::{Estimate, estimate};
use affetto_judge::metrics::METRICS;
use affetto_judge::reference::Band;
use affetto_judge::stats::{mean, median};
use serde::Serialize;

use super::measures::Measured;

/// Spearman's correlation that a direction shall reach.
pub const GOAL_SPEARMAN: f64 = 0.9;

/// Takes of one direction.
pub struct Sweep {
    /// Strengths, rising, 0 in the middle.
    pub strengths: Vec<f64>,
    /// By strength and seed; the same seeds at every strength.
    pub takes: Vec<Vec<Measured>>,
}

/// A measure along strengths.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// What is measured.
    pub measure: String,
    /// The mean at each strength, with its interval over the seeds.
    pub means: Vec<Estimate>,
    /// Spearman's correlation of strengths and means, its interval over the seeds.
    pub spearman: Estimate,
    /// What strength 1 adds to it: the line of least squares through the means.
    pub slope: Estimate,
    /// The same in deviations of unsteered takes.
    pub slope_in_sd: f64,
    /// Steps on which the mean rises.
    pub rising: usize,
}

/// How far the medians of the metrics stay inside the bands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Soundness {
    /// The medians at each strength, in the order of the metrics.
    pub medians: Vec<[f64; METRICS.len()]>,
    /// The lowest and the highest strength to which, from 0 on, all medians are inside at every strength; `None` where
    /// they are not even without steering.
    pub range: Option<(f64, f64)>,
    /// Metrics outside, at each strength.
    pub outside: Vec<Vec<&'static str>>,
}

impl Sweep {
    /// Readings of a measure, `[seed][strength]`.
    pub fn readings(&self, measure: usize) -> Vec<Vec<f64>> {
        let seeds = self.takes.iter().map(Vec::len).min().unwrap_or(0);
        (0..seeds).map(|s| self.takes.iter().map(|row| row[s].values[measure]).collect()).collect()
    }

    /// A measure along the strengths; `unsteered` are takes whose spread the slope is put in relation to.
    pub fn curve(&self, name: &str, measure: usize, unsteered: &[Measured], least_sd: f64) -> Curve {
        let readings = self.readings(measure);
        let found = along(&self.strengths, &readings);
        let means = (0..self.strengths.len())
            .map(|i| {
                let column: Vec<f64> = readings.iter().map(|seed| seed[i]).collect();
                let [e] = estimate(&[column], |seeds| [mean_of(seeds)]);
                e
            })
            .collect();
        let [steepness] = estimate(&[readings], |seeds| [slope(&self.strengths, &columns(seeds))]);
        let spread = spread(unsteered, measure, least_sd);
        Curve {
            measure: name.to_owned(),
            means,
            spearman: found.spearman,
            slope: steepness,
            slope_in_sd: steepness.value / spread,
            rising: found.rising,
        }
    }

    /// How far the music stays sound.
    pub fn soundness(&self, bands: &[Band]) -> Soundness {
        let medians: Vec<[f64; METRICS.len()]> = self.takes.iter().map(|row| medians(row)).collect();
        let outside: Vec<Vec<&'static str>> = medians.iter().map(|m| outside(m, bands)).collect();
        let zero = self.strengths.iter().position(|s| *s == 0.0).unwrap_or(self.strengths.len() / 2);
        let inside = |i: &usize| outside[*i].is_empty();
        let range = outside.get(zero).is_some_and(Vec::is_empty).then(|| {
            let low = (0..=zero).rev().take_while(inside).last().unwrap_or(zero);
            let high = (zero..outside.len()).take_while(inside).last().unwrap_or(zero);
            (self.strengths[low], self.strengths[high])
        });
        Soundness { medians, range, outside }
    }

    /// What every measure changes by at a strength, in deviations of unsteered takes. Between strengths of the sweep means
    /// are joined by straight lines; beyond its ends they are those of the ends.
    pub fn changes(&self, strength: f64, unsteered: &[Measured], least_sd: impl Fn(usize) -> f64) -> Vec<f64> {
        let count = self.takes.iter().flatten().map(|t| t.values.len()).min().unwrap_or(0);
        let zero = self.strengths.iter().position(|s| *s == 0.0);
        let change = |measure: usize| {
            let means: Vec<f64> = columns(&self.readings(measure).iter().collect::<Vec<_>>());
            let before = zero.map_or_else(|| mean(&column(unsteered, measure)), |z| means[z]);
            (at(&self.strengths, &means, strength) - before) / spread(unsteered, measure, least_sd(measure))
        };
        (0..count).map(change).collect()
    }
}

/// The medians of the metrics of some takes.
pub fn medians(takes: &[Measured]) -> [f64; METRICS.len()] {
    std::array::from_fn(|m| median(&takes.iter().map(|t| t.quality[m]).collect::<Vec<_>>()))
}

/// The metrics of `medians` that lie outside their bands.
pub fn outside(medians: &[f64; METRICS.len()], bands: &[Band]) -> Vec<&'static str> {
    (0..METRICS.len()).filter(|&m| bands.get(m).is_some_and(|b| !b.holds(medians[m]))).map(|m| METRICS[m]).collect()
}

/// The values of a measure.
pub fn column(takes: &[Measured], measure: usize) -> Vec<f64> {
    takes.iter().map(|t| t.values[measure]).collect()
}

fn spread(unsteered: &[Measured], measure: usize, least: f64) -> f64 {
    let spread = sd(&column(unsteered, measure));
    // What was not listened for has no spread, and then no change either.
    if spread.is_nan() { spread } else { spread.max(least) }
}

/// Means over seeds, at each strength.
fn columns(seeds: &[&Vec<f64>]) -> Vec<f64> {
    let width = seeds.iter().map(|s| s.len()).min().unwrap_or(0);
    (0..width).map(|i| mean(&seeds.iter().map(|s| s[i]).collect::<Vec<_>>())).collect()
}

fn mean_of(seeds: &[&f64]) -> f64 {
    mean(&seeds.iter().map(|x| **x).collect::<Vec<_>>())
}

/// The slope of the line of least squares; 0 where `x` does not vary.
pub fn slope(x: &[f64], y: &[f64]) -> f64 {
    let (mx, my) = (mean(x), mean(y));
    let xx: f64 = x.iter().map(|a| (a - mx) * (a - mx)).sum();
    let xy: f64 = x.iter().zip(y).map(|(a, b)| (a - mx) * (b - my)).sum();
    if xx > 1e-12 { xy / xx } else { 0.0 }
}

/// The value at `x` of straight lines through points with rising `xs`.
fn at(xs: &[f64], ys: &[f64], x: f64) -> f64 {
    let after = xs.partition_point(|&a| a <= x);
    match (after.checked_sub(1), ys.get(after)) {
        (None, first) => first.copied().unwrap_or(0.0),
        (Some(before), None) => ys[before],
        (Some(before), Some(&next)) => {
            let share = (x - xs[before]) / (xs[after] - xs[before]);
            ys[before] + (next - ys[before]) * share
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes whose first value is `gain` times the strength, with noise by seed; the second does not move.
    fn sweep(gain: f64) -> Sweep {
        let strengths = vec![-1.0, -0.5, 0.0, 0.5, 1.0];
        let take = |strength: f64, seed: usize| Measured {
            values: vec![gain * strength + seed as f64 * 0.1, seed as f64, f64::NAN],
            quality: [1.0, 1.0, 1.0, 4.0 + 4.0 * strength, 1.0, 0.0, 0.0],
        };
        let takes = strengths.iter().map(|&s| (0..4).map(|seed| take(s, seed)).collect()).collect();
        Sweep { strengths, takes }
    }

    fn bands() -> Vec<Band> {
        METRICS.iter().map(|m| Band { metric: (*m).into(), p5: 0.0, p50: 1.0, p95: 6.5 }).collect()
    }

    #[test]
    fn a_planted_slope_is_found_with_its_rank_correlation() {
        let sweep = sweep(2.0);
        let unsteered = sweep.takes[2].clone();
        let curve = sweep.curve("x", 0, &unsteered, 1e-6);
        assert!((curve.spearman.value - 1.0).abs() < 1e-12 && curve.spearman.low > 0.99 && curve.rising == 4);
        assert!((curve.slope.value - 2.0).abs() < 1e-9 && (curve.means[2].value - 0.15).abs() < 1e-9);
        assert!((curve.slope_in_sd - 2.0 / sd(&[0.0, 0.1, 0.2, 0.3])).abs() < 1e-9);
        assert!(curve.means[0].low < curve.means[0].value && curve.means[0].high > curve.means[0].value);
        let back = self::sweep(-2.0).curve("x", 0, &unsteered, 1e-6);
        assert!((back.spearman.value + 1.0).abs() < 1e-12 && back.rising == 0);
    }

    #[test]
    fn the_music_is_sound_as_far_as_every_median_is_inside() {
        let found = sweep(1.0).soundness(&bands());
        // Density is 0, 2, 4, 6, 8: outside at the last alone.
        assert_eq!(found.range, Some((-1.0, 0.5)));
        assert_eq!(found.outside[4], ["density"]);
        let mut narrow = bands();
        narrow[3].p5 = 3.0;
        assert_eq!(sweep(1.0).soundness(&narrow).range, Some((0.0, 0.5)));
        narrow[3].p95 = 3.5;
        assert_eq!(sweep(1.0).soundness(&narrow).range, None);
    }

    #[test]
    fn changes_are_in_deviations_of_unsteered_takes() {
        let sweep = sweep(2.0);
        let unsteered = sweep.takes[2].clone();
        let changes = sweep.changes(0.25, &unsteered, |_| 1e-6);
        assert!((changes[0] - 0.5 / sd(&[0.0, 0.1, 0.2, 0.3])).abs() < 1e-9 && changes[1].abs() < 1e-12);
        assert!(changes[2].is_nan());
        // The spread is never taken as less than this; beyond the ends nothing more is added.
        assert!((sweep.changes(9.0, &unsteered, |_| 4.0)[0] - 0.5).abs() < 1e-9);
    }
}
