//! The probes of one place.

use affetto_control::steering::{LabelKind, Method};
use affetto_judge::linear::dot;

use super::agop::Sample;
use super::gram::{Moments, Targets, moments};
use super::rows::Rows;
use super::spool::{Place, Spool};
use super::{logistic, ridge, scores};
use crate::error::TrainError;

/// What one method found at one place.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// Unit vector of the place's width, towards larger labels; zeros where nothing was found.
    pub vector: Vec<f32>,
    /// Held-out score.
    pub score: f64,
    /// The same, fold by fold.
    pub folds: Vec<f64>,
    /// The label is about slope · (vector · activations) + intercept.
    pub slope: f64,
    /// See `slope`.
    pub intercept: f64,
    /// How far apart the classes' means lie along the vector, or how far one deviation of the label leads, in units of the
    /// activations' root mean square times √width, as strengths are.
    pub reach: f64,
}

/// Of what the best penalty's score has above chance, the share that may be given up for a stronger one. Weak penalties find
/// directions in which activations hardly vary: they tell labels apart a little better, and steer far less.
const NEARLY: f64 = 0.1;

/// One way to find a direction, tried on every training set: those without each fold, and all.
struct Candidate {
    method: Method,
    /// A unit vector for each set, towards larger labels.
    vectors: Vec<Vec<f64>>,
    /// The line of the label over the projection, for each set.
    lines: Vec<(f64, f64)>,
    /// Answers to each example by the set that has not seen it.
    answers: Vec<f64>,
}

impl Candidate {
    fn new(method: Method, mut vectors: Vec<Vec<f64>>, moments: &[Moments], examples: usize) -> Candidate {
        for (vector, moments) in vectors.iter_mut().zip(moments) {
            let sign = if dot(vector, &moments.xy) < 0.0 { -1.0 } else { 1.0 };
            let size = dot(vector, vector).sqrt();
            match size.is_normal() {
                true => vector.iter_mut().for_each(|x| *x *= sign / size),
                // Zeros even where numbers are not finite.
                false => vector.fill(0.0),
            }
        }
        let lines = vectors.iter().zip(moments).map(|(v, m)| m.line(v)).collect();
        Candidate { method, vectors, lines, answers: vec![0.0; examples] }
    }
}

/// Fits each method at a place, its penalty (where it has one) by the held-out score: the strongest that is nearly as
/// good as the best.
pub(super) fn probes(
    spool: &Spool,
    place: Place,
    targets: &Targets,
    methods: &[Method],
) -> Result<Vec<Probe>, TrainError> {
    let rows = Rows::open(spool, place)?;
    let moments = moments(&rows, targets)?;
    let mut candidates = Vec::new();
    for &method in methods {
        for vectors in vectors(method, &rows, targets, &moments)? {
            candidates.push(Candidate::new(method, vectors, &moments, targets.labels.len()));
        }
    }
    let mut wide = vec![0.0; rows.width];
    rows.each(&mut |i, row| {
        wide.iter_mut().zip(row).for_each(|(w, &x)| *w = f64::from(x));
        let fold = targets.fold_of[i];
        for candidate in &mut candidates {
            let (slope, intercept) = candidate.lines[fold];
            candidate.answers[i] = slope * dot(&candidate.vectors[fold], &wide) + intercept;
        }
    })?;
    let kind = spool.kind();
    let score = |c: &Candidate| scores::score(kind, &c.answers, targets.labels).unwrap_or(scores::chance(kind));
    let best = |method: Method| {
        let own: Vec<(f64, &Candidate)> =
            candidates.iter().filter(|c| c.method == method).map(|c| (score(c), c)).collect();
        let most = own.iter().map(|(score, _)| *score).fold(f64::MIN, f64::max);
        let enough = most - NEARLY * (most - scores::chance(kind)).max(0.0);
        own.into_iter().find(|(score, _)| *score >= enough)
    };
    let last = &moments[targets.folds];
    let probe = |(score, candidate): (f64, &Candidate)| {
        let (vector, (slope, intercept)) = (&candidate.vectors[targets.folds], candidate.lines[targets.folds]);
        let reach = match kind {
            LabelKind::Classes => dot(vector, &last.ends),
            LabelKind::Numbers => dot(vector, &last.xy) / last.yy.sqrt().max(f64::MIN_POSITIVE),
        };
        let outside = rows.outside(vector);
        Probe {
            folds: scores::by_fold(kind, &candidate.answers, targets.labels, targets.fold_of, targets.folds),
            score,
            slope: slope / rows.unit,
            intercept,
            reach: reach / (outside.len() as f64).sqrt(),
            vector: outside.into_iter().map(|x| x as f32).collect(),
        }
    };
    Ok(methods.iter().filter_map(|&method| best(method).map(probe)).collect())
}

/// The directions of a method for each training set; once for each of its penalties.
fn vectors(
    method: Method,
    rows: &Rows,
    targets: &Targets,
    moments: &[Moments],
) -> Result<Vec<Vec<Vec<f64>>>, TrainError> {
    Ok(match method {
        Method::Ridge => {
            let each = |penalty: &f64| moments.iter().map(|m| ridge::ridge(m, *penalty)).collect();
            ridge::PENALTIES.iter().map(each).collect()
        }
        Method::Logistic => {
            let each = |penalty: &f64| logistic::logistic(rows, targets, moments, *penalty);
            logistic::PENALTIES.iter().map(each).collect::<Result<_, _>>()?
        }
        Method::Means => vec![moments.iter().map(|m| m.ends.clone()).collect()],
        Method::Agop => {
            let sample = Sample::take(rows, targets)?;
            let each = |level| moments.iter().enumerate().map(|(set, m)| sample.direction(set, m, level)).collect();
            [false, true].into_iter().map(each).collect()
        }
    })
}
