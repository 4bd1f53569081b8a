//! Ridge regression of the label.

use affetto_judge::linear::cholesky_solve;

use super::gram::Moments;

/// Penalties to choose from, in units of the activations' mean variance; the strongest first, which wins where it is
/// nearly as good.
pub(super) const PENALTIES: [f64; 9] = [10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 1e-2, 1e-3, 1e-4];

/// Weights of the regression with a penalty: (C + λI)⁻¹ c.
pub(super) fn ridge(moments: &Moments, penalty: f64) -> Vec<f64> {
    let mut weights = moments.xy.clone();
    cholesky_solve(&mut penalised(moments, penalty), &mut weights);
    weights
}

/// The covariance with a penalty, in units of its mean variance, on its diagonal.
pub(super) fn penalised(moments: &Moments, penalty: f64) -> Vec<f64> {
    let d = moments.mean.len();
    let mut a = moments.covariance.clone();
    let by = penalty * moments.scale();
    (0..d).for_each(|i| a[i * d + i] += by);
    a
}
