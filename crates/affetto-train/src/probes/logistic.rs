//! Logistic regression of the class; numbers are classed by the middle of their range.
//!
//! Newton's method with Böhning's bound in place of the second derivatives (Böhning & Lindsay 1988: p(1-p) ≤ 1/4, so they
//! are at most C/4 + λI): one Cholesky factor for a whole descent, and each step a pass over the rows, with momentum. All
//! training sets descend in the same passes.

use affetto_judge::linear::{cholesky, dot, solve_factored};

use super::gram::{Moments, Targets};
use super::ridge::penalised;
use super::rows::Rows;
use crate::error::TrainError;

/// Penalties to choose from, in units of the activations' mean variance (a quarter of ridge's: so is the curvature).
pub(super) const PENALTIES: [f64; 4] = [1.0, 0.1, 1e-2, 1e-3];
/// Passes over the rows.
const PASSES: usize = 40;

/// One training set's descent.
struct Descent {
    factor: Vec<f64>,
    penalty: f64,
    /// Where it stands, and where it stood one pass before: weights and, last, the bias.
    now: Vec<f64>,
    before: Vec<f64>,
    /// Where the gradient is taken.
    ahead: Vec<f64>,
    gradient: Vec<f64>,
    n: f64,
}

/// Weights for each training set, as in `moments`.
pub(super) fn logistic(
    rows: &Rows,
    targets: &Targets,
    moments: &[Moments],
    penalty: f64,
) -> Result<Vec<Vec<f64>>, TrainError> {
    let d = rows.width;
    let mut descents: Vec<Descent> = moments.iter().map(|m| Descent::new(m, penalty)).collect();
    let mut centred = vec![0.0; d];
    for pass in 0..PASSES {
        for descent in &mut descents {
            descent.look_ahead(pass);
        }
        rows.each(&mut |i, row| {
            for (set, descent) in descents.iter_mut().enumerate() {
                if targets.fold_of[i] == set {
                    continue;
                }
                let parts = centred.iter_mut().zip(row).zip(&moments[set].mean);
                parts.for_each(|((c, &x), m)| *c = f64::from(x) - m);
                descent.hear(&centred, targets.labels[i] > targets.middle);
            }
        })?;
        descents.iter_mut().for_each(Descent::step);
    }
    Ok(descents.into_iter().map(|descent| descent.now[..d].to_vec()).collect())
}

impl Descent {
    fn new(moments: &Moments, penalty: f64) -> Descent {
        let d = moments.mean.len();
        // (C + 4λI) / 4 bounds the curvature with penalty λ.
        let mut factor = penalised(moments, 4.0 * penalty);
        cholesky(&mut factor, d);
        let zeros = vec![0.0; d + 1];
        Descent {
            factor,
            penalty: penalty * moments.scale(),
            now: zeros.clone(),
            before: zeros.clone(),
            ahead: zeros.clone(),
            gradient: zeros,
            n: 0.0,
        }
    }

    /// Nesterov's momentum: as far again as the share of the last step that the number of passes allows.
    fn look_ahead(&mut self, pass: usize) {
        let share = pass.saturating_sub(1) as f64 / (pass + 2) as f64;
        for ((ahead, now), before) in self.ahead.iter_mut().zip(&self.now).zip(&self.before) {
            *ahead = now + share * (now - before);
        }
        self.gradient.fill(0.0);
        self.n = 0.0;
    }

    fn hear(&mut self, row: &[f64], positive: bool) {
        let d = row.len();
        let answer = 1.0 / (1.0 + (-dot(&self.ahead[..d], row) - self.ahead[d]).exp());
        let miss = answer - f64::from(positive);
        self.gradient[..d].iter_mut().zip(row).for_each(|(g, x)| *g += miss * x);
        self.gradient[d] += miss;
        self.n += 1.0;
    }

    fn step(&mut self) {
        let d = self.now.len() - 1;
        let n = self.n.max(1.0);
        let mut step: Vec<f64> =
            self.gradient[..d].iter().zip(&self.ahead).map(|(g, w)| g / n + self.penalty * w).collect();
        solve_factored(&self.factor, &mut step);
        // The rows are centred, so the bias has a curvature of its own.
        step.push(self.gradient[d] / n);
        std::mem::swap(&mut self.before, &mut self.now);
        for ((now, ahead), by) in self.now.iter_mut().zip(&self.ahead).zip(&step) {
            *now = ahead - 4.0 * by;
        }
    }
}
