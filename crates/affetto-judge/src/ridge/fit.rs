//! Fitting a ridge: grouped folds, weighted sums.

use std::collections::BTreeMap;

use super::{KNOTS, OUTLIER, RidgeError, RidgeModel};
use crate::{linear, stats};

/// What to fit: rows of features, their targets, weights, and the group each belongs to. Rows of
/// one group are never on both sides of a fold.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// One row of features a sample.
    pub features: Vec<Vec<f64>>,
    /// What each should give.
    pub targets: Vec<f64>,
    /// How much each counts.
    pub weights: Vec<f64>,
    /// The group of each.
    pub groups: Vec<String>,
}

impl Samples {
    /// Adds one sample.
    pub fn push(&mut self, features: Vec<f64>, target: f64, weight: f64, group: &str) {
        self.features.push(features);
        self.targets.push(target);
        self.weights.push(weight);
        self.groups.push(group.to_owned());
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

/// A fit with what cross-validation said about it.
#[derive(Clone, Debug)]
pub struct RidgeFit {
    /// The model, fitted on all samples, knots from the out-of-fold answers.
    pub model: RidgeModel,
    /// The penalty chosen (on features and targets of unit scale, per unit of weight).
    pub lambda: f64,
    /// The linear answer for each sample by a model that did not see its group.
    pub out_of_fold: Vec<f64>,
}

/// Weighted sums of one fold.
#[derive(Clone)]
struct Sums {
    weight: f64,
    y: f64,
    x: Vec<f64>,
    xy: Vec<f64>,
    xx: Vec<f64>,
}

impl Sums {
    fn new(d: usize) -> Self {
        Sums { weight: 0.0, y: 0.0, x: vec![0.0; d], xy: vec![0.0; d], xx: vec![0.0; d * d] }
    }

    fn add(&mut self, row: &[f64], y: f64, weight: f64) {
        let d = row.len();
        self.weight += weight;
        self.y += weight * y;
        for i in 0..d {
            let wx = weight * row[i];
            self.x[i] += wx;
            self.xy[i] += wx * y;
            for (sum, x) in self.xx[i * d..(i + 1) * d].iter_mut().zip(row) {
                *sum += wx * x;
            }
        }
    }

    fn combine(&mut self, other: &Sums, sign: f64) {
        self.weight += sign * other.weight;
        self.y += sign * other.y;
        let pairs = [(&mut self.x, &other.x), (&mut self.xy, &other.xy), (&mut self.xx, &other.xx)];
        for (mine, theirs) in pairs {
            for (a, b) in mine.iter_mut().zip(theirs) {
                *a += sign * b;
            }
        }
    }

    /// Weights and intercept of the ridge with penalty `lambda` times each feature's own.
    fn solve(&self, lambda: f64, penalties: &[f64]) -> (Vec<f64>, f64) {
        let d = self.x.len();
        let mean: Vec<f64> = self.x.iter().map(|x| x / self.weight).collect();
        let y = self.y / self.weight;
        let mut a = vec![0.0; d * d];
        let mut b = vec![0.0; d];
        for i in 0..d {
            for j in 0..d {
                a[i * d + j] = self.xx[i * d + j] / self.weight - mean[i] * mean[j];
            }
            a[i * d + i] += lambda * penalties.get(i).copied().unwrap_or(1.0);
            b[i] = self.xy[i] / self.weight - mean[i] * y;
        }
        linear::cholesky_solve(&mut a, &mut b);
        let shift: f64 = b.iter().zip(&mean).map(|(w, m)| w * m).sum();
        (b, y - shift)
    }
}

/// How to fit.
#[derive(Clone, Debug)]
pub struct RidgeOptions {
    /// Number of folds of whole groups.
    pub folds: usize,
    /// Penalties to choose from.
    pub lambdas: Vec<f64>,
    /// How dear each feature is: its penalty is the chosen one times this. 1 where missing.
    pub penalties: Vec<f64>,
}

impl Default for RidgeOptions {
    fn default() -> Self {
        RidgeOptions { folds: 8, lambdas: vec![0.03, 0.1, 0.3, 1.0, 3.0], penalties: Vec::new() }
    }
}

/// Fits a ridge on `samples`; the penalty is the one of `options.lambdas` with the highest weighted
/// correlation of out-of-fold answers and targets.
///
/// Groups are dealt to folds by decreasing weight, so the same samples give the same folds.
///
/// # Errors
///
/// [`RidgeError::Samples`] where lists differ in length, numbers are not finite, or there are
/// fewer groups than two.
pub fn fit(names: &[&str], samples: &Samples, options: &RidgeOptions) -> Result<RidgeFit, RidgeError> {
    let n = samples.len();
    let d = names.len();
    let wrong = |what: &str| RidgeError::Samples { what: what.to_owned() };
    if n == 0 || samples.features.len() != n || samples.weights.len() != n || samples.groups.len() != n {
        return Err(wrong("no samples, or lists of different lengths"));
    }
    if samples.features.iter().any(|f| f.len() != d || f.iter().any(|x| !x.is_finite())) {
        return Err(wrong("a row of features has another length than the names, or a number that is not finite"));
    }
    if samples.targets.iter().chain(&samples.weights).any(|x| !x.is_finite()) || options.lambdas.is_empty() {
        return Err(wrong("a target or weight is not finite, or there is no penalty to choose from"));
    }
    let total: f64 = samples.weights.iter().sum();
    let (mean, scale) = standardisation(samples, d, total);
    let rows: Vec<Vec<f64>> = samples
        .features
        .iter()
        .map(|f| (0..d).map(|i| ((f[i] - mean[i]) / scale[i]).clamp(-OUTLIER, OUTLIER)).collect())
        .collect();

    let fold_of = deal(samples, options.folds)?;
    let count = fold_of.iter().max().map_or(0, |m| m + 1);
    let mut parts = vec![Sums::new(d); count];
    for i in 0..n {
        parts[fold_of[i]].add(&rows[i], samples.targets[i], samples.weights[i]);
    }
    let mut all = Sums::new(d);
    for part in &parts {
        all.combine(part, 1.0);
    }

    let mut chosen: Option<(f64, f64, Vec<f64>)> = None;
    for &lambda in &options.lambdas {
        let models: Vec<(Vec<f64>, f64)> = parts
            .iter()
            .map(|part| {
                let mut rest = all.clone();
                rest.combine(part, -1.0);
                rest.solve(lambda, &options.penalties)
            })
            .collect();
        let answers: Vec<f64> = (0..n).map(|i| apply(&models[fold_of[i]], &rows[i])).collect();
        let score = weighted_correlation(&answers, &samples.targets, &samples.weights);
        if chosen.as_ref().is_none_or(|c| score > c.0) {
            chosen = Some((score, lambda, answers));
        }
    }
    let (_, lambda, out_of_fold) = chosen.ok_or_else(|| wrong("no penalty to choose from"))?;
    let (weights, bias) = all.solve(lambda, &options.penalties);
    let knots = weighted_quantiles(&out_of_fold, &samples.weights);
    let names = names.iter().map(|n| (*n).to_owned()).collect();
    Ok(RidgeFit { model: RidgeModel { names, mean, scale, weights, bias, knots }, lambda, out_of_fold })
}

fn apply(model: &(Vec<f64>, f64), row: &[f64]) -> f64 {
    model.1 + model.0.iter().zip(row).map(|(w, x)| w * x).sum::<f64>()
}

fn standardisation(samples: &Samples, d: usize, total: f64) -> (Vec<f64>, Vec<f64>) {
    let mut mean = vec![0.0; d];
    let mut scale = vec![0.0; d];
    for (f, w) in samples.features.iter().zip(&samples.weights) {
        for i in 0..d {
            mean[i] += w * f[i] / total;
        }
    }
    for (f, w) in samples.features.iter().zip(&samples.weights) {
        for i in 0..d {
            scale[i] += w * (f[i] - mean[i]).powi(2) / total;
        }
    }
    for s in &mut scale {
        *s = if *s > 1e-12 { s.sqrt() } else { 1.0 };
    }
    (mean, scale)
}

/// The fold of each sample: groups, heaviest first, each to the lightest fold so far.
pub(super) fn deal(samples: &Samples, folds: usize) -> Result<Vec<usize>, RidgeError> {
    let mut groups: BTreeMap<&str, f64> = BTreeMap::new();
    for (group, w) in samples.groups.iter().zip(&samples.weights) {
        *groups.entry(group).or_default() += w;
    }
    if groups.len() < 2 {
        return Err(RidgeError::Samples { what: "cross-validation needs at least two groups".to_owned() });
    }
    let mut order: Vec<(&str, f64)> = groups.into_iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    let mut loads = vec![0.0f64; folds.clamp(2, order.len())];
    let mut fold_of = BTreeMap::new();
    for (group, weight) in order {
        let lightest = (0..loads.len()).min_by(|&a, &b| loads[a].total_cmp(&loads[b])).unwrap_or(0);
        loads[lightest] += weight;
        fold_of.insert(group, lightest);
    }
    Ok(samples.groups.iter().map(|g| fold_of[g.as_str()]).collect())
}

/// Pearson's correlation with weights.
pub fn weighted_correlation(x: &[f64], y: &[f64], w: &[f64]) -> f64 {
    let total: f64 = w.iter().sum();
    let mean = |v: &[f64]| v.iter().zip(w).map(|(a, w)| a * w).sum::<f64>() / total;
    let (mx, my) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for i in 0..x.len() {
        xy += w[i] * (x[i] - mx) * (y[i] - my);
        xx += w[i] * (x[i] - mx).powi(2);
        yy += w[i] * (y[i] - my).powi(2);
    }
    let scale = (xx * yy).sqrt();
    if scale > 1e-12 { xy / scale } else { 0.0 }
}

/// [`KNOTS`] evenly spaced quantiles of weighted values.
fn weighted_quantiles(values: &[f64], weights: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    // Each value spread over its weight's share of a fine sample.
    let total: f64 = weights.iter().sum();
    let fine = 4096;
    let mut sample = Vec::with_capacity(fine);
    let mut below = 0.0;
    let mut at = 0;
    for i in 0..fine {
        let share = (i as f64 + 0.5) / fine as f64 * total;
        while at + 1 < order.len() && below + weights[order[at]] < share {
            below += weights[order[at]];
            at += 1;
        }
        sample.push(values[order[at]]);
    }
    (0..KNOTS).map(|k| stats::quantile_of_sorted(&sample, k as f64 / (KNOTS - 1) as f64)).collect()
}
