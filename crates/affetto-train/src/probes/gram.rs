//! Running sums over the rows of one place, and what they say of any part of them.

use affetto_judge::linear::dot;

use super::rows::Rows;
use crate::error::TrainError;

/// Rows that are added to a matrix of products together.
const TOGETHER: usize = 8;

/// What is known of the examples.
pub(super) struct Targets<'a> {
    /// The label of each.
    pub labels: &'a [f64],
    /// The fold of each.
    pub fold_of: &'a [usize],
    /// How many folds.
    pub folds: usize,
    /// Labels from here on are the upper end: the positive class, or the upper third.
    pub high: f64,
    /// Labels up to here are the lower end.
    pub low: f64,
    /// Labels above are positive for a classifier.
    pub middle: f64,
}

/// Sums over the rows of a fold.
#[derive(Clone)]
struct Sums {
    n: f64,
    y: f64,
    yy: f64,
    x: Vec<f64>,
    xy: Vec<f64>,
    /// Lower triangle of Σ x xᵀ.
    xx: Vec<f64>,
    high: (f64, Vec<f64>),
    low: (f64, Vec<f64>),
    /// Rows that are not in `xx` yet.
    pending: Vec<f64>,
}

impl Sums {
    fn new(d: usize) -> Sums {
        let zeros = || vec![0.0; d];
        Sums {
            n: 0.0,
            y: 0.0,
            yy: 0.0,
            x: zeros(),
            xy: zeros(),
            xx: vec![0.0; d * d],
            high: (0.0, zeros()),
            low: (0.0, zeros()),
            pending: Vec::with_capacity(TOGETHER * d),
        }
    }

    fn add(&mut self, row: &[f32], y: f64, targets: &Targets) {
        let start = self.pending.len();
        self.pending.extend(row.iter().map(|&x| f64::from(x)));
        let row = &self.pending[start..];
        self.n += 1.0;
        self.y += y;
        self.yy += y * y;
        self.x.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        self.xy.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * y);
        for (end, belongs) in [(&mut self.high, y >= targets.high), (&mut self.low, y <= targets.low)] {
            if belongs {
                end.0 += 1.0;
                end.1.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
        }
        if self.pending.len() == TOGETHER * self.x.len() {
            self.settle();
        }
    }

    /// Adds the pending rows' products, [`TOGETHER`] at a time so that the matrix is gone through once for all of them.
    fn settle(&mut self) {
        let d = self.x.len();
        self.pending.resize(TOGETHER * d, 0.0);
        let rows: Vec<&[f64]> = self.pending.chunks_exact(d).collect();
        for (i, line) in self.xx.chunks_exact_mut(d).enumerate() {
            let [a0, a1, a2, a3, a4, a5, a6, a7] = std::array::from_fn(|k| rows[k][i]);
            let line = &mut line[..=i];
            let n = line.len();
            let (r0, r1, r2, r3) = (&rows[0][..n], &rows[1][..n], &rows[2][..n], &rows[3][..n]);
            let (r4, r5, r6, r7) = (&rows[4][..n], &rows[5][..n], &rows[6][..n], &rows[7][..n]);
            for j in 0..n {
                let first = (a0 * r0[j] + a1 * r1[j]) + (a2 * r2[j] + a3 * r3[j]);
                let second = (a4 * r4[j] + a5 * r5[j]) + (a6 * r6[j] + a7 * r7[j]);
                line[j] += first + second;
            }
        }
        self.pending.clear();
    }

    fn combine(&mut self, other: &Sums, sign: f64) {
        self.n += sign * other.n;
        self.y += sign * other.y;
        self.yy += sign * other.yy;
        self.high.0 += sign * other.high.0;
        self.low.0 += sign * other.low.0;
        let lists = [
            (&mut self.x, &other.x),
            (&mut self.xy, &other.xy),
            (&mut self.xx, &other.xx),
            (&mut self.high.1, &other.high.1),
            (&mut self.low.1, &other.low.1),
        ];
        for (mine, theirs) in lists {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += sign * b);
        }
    }

    fn moments(mut self) -> Moments {
        let n = self.n.max(1.0);
        let d = self.x.len();
        let y = self.y / n;
        let mean: Vec<f64> = self.x.iter().map(|x| x / n).collect();
        for i in 0..d {
            for j in 0..=i {
                self.xx[i * d + j] = self.xx[i * d + j] / n - mean[i] * mean[j];
            }
        }
        let xy = self.xy.iter().zip(&mean).map(|(xy, m)| xy / n - m * y).collect();
        let end = |(n, sum): (f64, Vec<f64>)| (n > 0.0).then(|| sum.iter().map(|x| x / n).collect::<Vec<f64>>());
        let ends = match (end(self.high), end(self.low)) {
            (Some(high), Some(low)) => high.iter().zip(&low).map(|(h, l)| h - l).collect(),
            _ => vec![0.0; d],
        };
        Moments { mean, y, yy: (self.yy / n - y * y).max(0.0), covariance: self.xx, xy, ends }
    }
}

/// Means and covariances of the rows that a probe is fitted on.
pub(super) struct Moments {
    /// Means of the numbers.
    pub mean: Vec<f64>,
    /// Mean of the labels.
    pub y: f64,
    /// Variance of the labels.
    pub yy: f64,
    /// Lower triangle of the numbers' covariance, `[d, d]`.
    pub covariance: Vec<f64>,
    /// Covariance of numbers and labels.
    pub xy: Vec<f64>,
    /// Mean of the upper end less mean of the lower end; zeros where one is missing.
    pub ends: Vec<f64>,
}

impl Moments {
    /// Mean variance of a number: the unit of penalties.
    pub fn scale(&self) -> f64 {
        let d = self.mean.len();
        let trace: f64 = (0..d).map(|i| self.covariance[i * d + i]).sum();
        (trace / d as f64).max(f64::MIN_POSITIVE)
    }

    /// Variance along a direction.
    pub fn variance(&self, v: &[f64]) -> f64 {
        let d = v.len();
        let half =
            |i: usize| dot(&self.covariance[i * d..i * d + i], &v[..i]) * 2.0 + self.covariance[i * d + i] * v[i];
        (0..d).map(|i| v[i] * half(i)).sum::<f64>().max(0.0)
    }

    /// The line of the label over the rows' projections on a direction: slope and intercept.
    pub fn line(&self, v: &[f64]) -> (f64, f64) {
        let variance = self.variance(v);
        let slope = if variance > 1e-12 * self.scale() { dot(v, &self.xy) / variance } else { 0.0 };
        (slope, self.y - slope * dot(v, &self.mean))
    }
}

/// The moments of the rows outside each fold, and last of all rows: total sums less those of a fold.
pub(super) fn moments(rows: &Rows, targets: &Targets) -> Result<Vec<Moments>, TrainError> {
    let mut folds = vec![Sums::new(rows.width); targets.folds];
    rows.each(&mut |i, row| folds[targets.fold_of[i]].add(row, targets.labels[i], targets))?;
    let mut total = Sums::new(rows.width);
    for fold in &mut folds {
        fold.settle();
        total.combine(fold, 1.0);
    }
    let outside = |mut fold: Sums| {
        fold.combine(&total, -1.0);
        // Of total - fold this is the negative, in every sum.
        let mut rest = fold;
        rest.negate();
        rest.moments()
    };
    let mut all: Vec<Moments> = folds.into_iter().map(outside).collect();
    all.push(total.moments());
    Ok(all)
}

impl Sums {
    fn negate(&mut self) {
        for number in [&mut self.n, &mut self.y, &mut self.yy, &mut self.high.0, &mut self.low.0] {
            *number = -*number;
        }
        for list in [&mut self.x, &mut self.xy, &mut self.xx, &mut self.high.1, &mut self.low.1] {
            list.iter_mut().for_each(|x| *x = -*x);
        }
    }
}
