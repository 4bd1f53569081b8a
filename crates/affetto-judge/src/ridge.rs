//! Ridge regression with its penalty chosen by grouped cross-validation, and the quantile map that
//! spreads its answers over [-1, 1].

mod fit;

use serde::{Deserialize, Serialize};

pub use fit::{RidgeFit, RidgeOptions, Samples, fit, weighted_correlation};

/// Number of knots of the quantile map.
pub const KNOTS: usize = 33;
/// Standardised features are cut to this many standard deviations, in fitting and in use.
const OUTLIER: f64 = 4.0;

/// A fitted ridge: standardise, weigh, add, and map by the quantiles of its own label set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RidgeModel {
    /// Names of the features, in order.
    pub names: Vec<String>,
    /// Mean of each feature over the samples fitted.
    pub mean: Vec<f64>,
    /// Standard deviation of each feature (1 where it did not vary).
    pub scale: Vec<f64>,
    /// Weight of each standardised feature.
    pub weights: Vec<f64>,
    /// Answer for the mean features.
    pub bias: f64,
    /// Quantiles 0, 1/32 … 1 of the out-of-fold answers, not decreasing; empty for no map.
    pub knots: Vec<f64>,
}

/// Why a stored model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RidgeError {
    /// Lengths do not agree, or a number is not finite or (scale) not positive.
    #[error("ridge model: {what}; fit it anew with `affetto train predictor`")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// Features have other names than those computed here.
    #[error(
        "ridge model: feature {at} is {found:?}, this version computes {expected:?}; fit it anew with `affetto train predictor`"
    )]
    Names {
        /// Position in the list.
        at: usize,
        /// Name in the model.
        found: String,
        /// Name computed here.
        expected: String,
    },
    /// Nothing to fit.
    #[error("ridge fit: {what}")]
    Samples {
        /// What is wrong with the samples.
        what: String,
    },
}

impl RidgeModel {
    /// Checks lengths and numbers, and, where `names` are given, that the features are those.
    ///
    /// # Errors
    ///
    /// [`RidgeError`] naming what does not fit.
    pub fn check(&self, names: Option<&[&str]>) -> Result<(), RidgeError> {
        let damaged = |what: String| Err(RidgeError::Damaged { what });
        let d = self.names.len();
        for (list, len) in [("mean", self.mean.len()), ("scale", self.scale.len()), ("weights", self.weights.len())] {
            if len != d {
                return damaged(format!("{len} numbers in {list}, expected {d}"));
            }
        }
        if !self.knots.is_empty() && self.knots.len() != KNOTS {
            return damaged(format!("{} knots, expected {KNOTS} or none", self.knots.len()));
        }
        let finite = |v: &[f64]| v.iter().all(|x| x.is_finite());
        if ![&self.mean, &self.scale, &self.weights, &self.knots].into_iter().all(|v| finite(v))
            || !self.bias.is_finite()
        {
            return damaged("a number is not finite".to_owned());
        }
        if self.scale.iter().any(|&s| s <= 0.0) || self.knots.windows(2).any(|w| w[1] < w[0]) {
            return damaged("a scale is not positive, or the knots go down".to_owned());
        }
        if let Some(expected) = names {
            if expected.len() != d {
                return damaged(format!("{d} features, this version computes {}", expected.len()));
            }
            for (at, (found, expected)) in self.names.iter().zip(expected).enumerate() {
                if found != expected {
                    return Err(RidgeError::Names { at, found: found.clone(), expected: (*expected).to_owned() });
                }
            }
        }
        Ok(())
    }

    /// The linear answer, before the quantile map. Features missing at the end count as average.
    pub fn raw(&self, features: &[f64]) -> f64 {
        let mut sum = self.bias;
        for (i, x) in features.iter().enumerate().take(self.weights.len()) {
            sum += self.weights[i] * ((x - self.mean[i]) / self.scale[i]).clamp(-OUTLIER, OUTLIER);
        }
        sum
    }

    /// The answer in [-1, 1]: the share of its own label set's answers below this one, q ↦ 2q − 1,
    /// linear between the knots. Without knots the linear answer, cut to [-1, 1].
    pub fn predict(&self, features: &[f64]) -> f64 {
        self.map(self.raw(features))
    }

    /// The quantile map alone: see [`RidgeModel::predict`].
    pub fn map(&self, raw: f64) -> f64 {
        if self.knots.is_empty() {
            return raw.clamp(-1.0, 1.0);
        }
        let last = self.knots.len() - 1;
        let above = self.knots.partition_point(|&k| k <= raw);
        if above == 0 {
            return -1.0;
        }
        if above > last {
            return 1.0;
        }
        let (low, high) = (self.knots[above - 1], self.knots[above]);
        let part = if high > low { (raw - low) / (high - low) } else { 0.5 };
        2.0 * ((above - 1) as f64 + part) / last as f64 - 1.0
    }
}

#[cfg(test)]
mod tests;
