//! Classifiers of styles, by notes, and of timbres, by sound: which of a few classes a span is like.
//!
//! One ridge for each class against the rest, on shared features. They judge whether steering toward a class arrives there,
//! so they are fitted on other pieces than the directions (`affetto train steer-judges`).

mod fit;

use affetto_score::Score;
use serde::{Deserialize, Serialize};

pub use fit::{Example, fit};

use crate::features::{self, Timeline};
use crate::hearing::{Hearing, Sense, texture};
use crate::ridge::RidgeError;
use affetto_models::musicnn::PENULTIMATE;

/// Standardised features are cut to this many standard deviations, as in fitting.
const OUTLIER: f64 = 4.0;

/// What classifiers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reads {
    /// The notes' features ([`features::NAMES`]), which do not tell instruments.
    Notes,
    /// The mean of MusiCNN's penultimate layer, and texture.
    Sound,
}

/// Classifiers of some classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classes {
    /// What they are, the data and the licence, in words.
    pub about: String,
    /// What they read.
    pub reads: Reads,
    /// Names of the features, in order.
    pub features: Vec<String>,
    /// Mean of each feature over the examples.
    pub mean: Vec<f32>,
    /// Standard deviation of each feature (1 where it did not vary).
    pub scale: Vec<f32>,
    /// The classes.
    pub classes: Vec<Class>,
}

/// One class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Area under the ROC curve for examples of songs that were left out.
    pub auc: f32,
    /// Examples mostly of this class, and examples of it not at all.
    pub examples: (usize, usize),
    /// Weight of each standardised feature.
    pub weights: Vec<f32>,
    /// Answer for the mean features.
    pub bias: f32,
}

/// Why classifiers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassesError {
    /// The text is none.
    #[error("classifiers: not their JSON ({0}); fit them anew with `affetto train steer-judges`")]
    Json(#[from] serde_json::Error),
    /// Their numbers do not fit one another, or the features are not those computed here.
    #[error("classifiers: {0}; fit them anew with `affetto train steer-judges`")]
    Damaged(String),
    /// They cannot be fitted.
    #[error(transparent)]
    Ridge(#[from] RidgeError),
}

impl Reads {
    /// Names of the numbers it reads, in order.
    pub fn names(self) -> Vec<String> {
        match self {
            Reads::Notes => features::NAMES.iter().map(|name| (*name).to_owned()).collect(),
            Reads::Sound => {
                let musicnn = Sense::MusiCnn.names().into_iter().take(PENULTIMATE);
                musicnn.chain(texture::feature_names()).collect()
            }
        }
    }
}

/// The numbers of a span of notes that [`Reads::Notes`] names.
pub fn notes_numbers(score: &Score, start: f64, end: f64) -> Vec<f64> {
    features::extract_from(&Timeline::new(score), start, end)
}

/// The numbers of a span of what was heard that [`Reads::Sound`] names. Transcribed notes are not among them.
pub fn sound_numbers(hearing: &Hearing, start: f64, end: f64) -> Vec<f64> {
    let mut numbers = hearing.span(Sense::MusiCnn, start, end);
    numbers.truncate(PENULTIMATE);
    numbers.extend(texture::features(hearing.cells_in(start, end)));
    numbers
}

impl Classes {
    /// Reads classifiers from their JSON.
    ///
    /// # Errors
    /// [`ClassesError`] where the text is damaged, or the features are not those computed here.
    pub fn load(json: &str) -> Result<Classes, ClassesError> {
        let classes: Classes = serde_json::from_str(json)?;
        let damaged = |what: String| Err(ClassesError::Damaged(what));
        let names = classes.reads.names();
        if let Some(at) =
            (0..names.len().max(classes.features.len())).find(|&i| classes.features.get(i) != names.get(i))
        {
            return damaged(format!(
                "feature {at} is {:?}, this version computes {:?}",
                classes.features.get(at),
                names.get(at)
            ));
        }
        let d = names.len();
        let finite = |list: &[f32]| list.len() == d && list.iter().all(|x| x.is_finite());
        if !finite(&classes.mean) || !finite(&classes.scale) || classes.scale.iter().any(|&s| s <= 0.0) {
            return damaged(format!("means or deviations are not {d} numbers that make sense"));
        }
        match classes.classes.iter().find(|c| !finite(&c.weights) || !c.bias.is_finite()) {
            Some(class) => damaged(format!("the weights of {} are not {d} finite numbers", class.name)),
            None => Ok(classes),
        }
    }

    /// Names of the classes, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().map(|class| class.name.as_str())
    }

    /// How much each class is heard in a span whose numbers these are: about 1 where it is all there is, about 0 where it
    /// is absent, in the order of [`Classes::names`].
    pub fn answers(&self, numbers: &[f64]) -> Vec<f64> {
        let standard = |(i, x): (usize, &f64)| {
            let (mean, scale) = (f64::from(self.mean[i]), f64::from(self.scale[i]));
            ((x - mean) / scale).clamp(-OUTLIER, OUTLIER)
        };
        let row: Vec<f64> = numbers.iter().enumerate().take(self.mean.len()).map(standard).collect();
        let answer = |class: &Class| {
            f64::from(class.bias) + class.weights.iter().zip(&row).map(|(w, x)| f64::from(*w) * x).sum::<f64>()
        };
        self.classes.iter().map(answer).collect()
    }
}

#[cfg(test)]
mod tests;
