//! Fitting classifiers.

use super::{Class, Classes, ClassesError, Reads};
use crate::ridge::{self, RidgeOptions, Samples};
use crate::stats;

/// Penalties to choose from.
const LAMBDAS: [f64; 7] = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
/// A class makes up this share of an example that counts as one of it; below the second, as one without it.
const SHARES: (f64, f64) = (0.5, 0.1);

/// An example.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What is read of it.
    pub numbers: Vec<f64>,
    /// How much of it is of each class, from 0 to 1.
    pub shares: Vec<f64>,
    /// The song it comes from: a song is never on both sides of a fold.
    pub song: String,
}

/// Fits a ridge for each of `names`, on the share that the class has of an example. The areas under the ROC curve are of
/// answers by models that did not see the song.
///
/// # Errors
/// [`ClassesError`] where examples do not agree in length, or are of fewer than two songs.
pub fn fit(about: &str, reads: Reads, names: &[&str], examples: &[Example]) -> Result<Classes, ClassesError> {
    let features = reads.names();
    let by_name: Vec<&str> = features.iter().map(String::as_str).collect();
    let (mut classes, mut mean, mut scale) = (Vec::new(), Vec::new(), Vec::new());
    for (k, name) in names.iter().enumerate() {
        let share = |e: &Example| e.shares.get(k).copied().unwrap_or(0.0);
        let mut samples = Samples::default();
        // All weigh the same for every class, so that means and deviations can be shared.
        examples.iter().for_each(|e| samples.push(e.numbers.clone(), share(e), 1.0, &e.song));
        let options = RidgeOptions { lambdas: LAMBDAS.to_vec(), ..RidgeOptions::default() };
        let found = ridge::fit(&by_name, &samples, &options)?;
        let clear: Vec<usize> =
            (0..examples.len()).filter(|&i| !(SHARES.1..SHARES.0).contains(&samples.targets[i])).collect();
        let answers: Vec<f64> = clear.iter().map(|&i| found.out_of_fold[i]).collect();
        let of_class: Vec<bool> = clear.iter().map(|&i| samples.targets[i] >= SHARES.0).collect();
        let positives = of_class.iter().filter(|p| **p).count();
        classes.push(Class {
            name: (*name).to_owned(),
            auc: short(stats::auc(&answers, &of_class)),
            examples: (positives, clear.len() - positives),
            weights: found.model.weights.iter().map(|x| short(*x)).collect(),
            bias: short(found.model.bias),
        });
        mean = found.model.mean.iter().map(|x| short(*x)).collect();
        scale = found.model.scale.iter().map(|x| short(*x)).collect();
    }
    Ok(Classes { about: about.to_owned(), reads, features, mean, scale, classes })
}

/// A number with five digits: the file shall be small.
fn short(x: f64) -> f32 {
    format!("{x:.4e}").parse().unwrap_or(0.0)
}
