//! Numbers of MusiCNN's windows.

use affetto_models::musicnn::PENULTIMATE;

/// Names of the numbers: mean of each penultimate unit over the windows, then standard deviation.
pub fn feature_names() -> Vec<String> {
    ["mean", "sd"].iter().flat_map(|kind| (0..PENULTIMATE).map(move |i| format!("{kind}_{i:03}"))).collect()
}

/// Mean and standard deviation over windows of MusiCNN's penultimate layer, `[400]`; zeros
/// without windows. Rows of another width than [`PENULTIMATE`] are cut or count as zero.
pub fn features<'a>(penultimates: impl IntoIterator<Item = &'a [f32]>) -> Vec<f64> {
    let mut count = 0.0;
    let mut sums = vec![0.0; PENULTIMATE];
    let mut squares = vec![0.0; PENULTIMATE];
    for row in penultimates {
        count += 1.0;
        for (i, &x) in row.iter().enumerate().take(PENULTIMATE) {
            let x = if x.is_finite() { f64::from(x) } else { 0.0 };
            sums[i] += x;
            squares[i] += x * x;
        }
    }
    let count = f64::max(count, 1.0);
    let means = sums.iter().map(|s| s / count);
    let sds = sums.iter().zip(&squares).map(|(s, q)| (q / count - (s / count).powi(2)).max(0.0).sqrt());
    means.chain(sds).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_mean_and_spread() {
        let row = |first: f32| {
            let mut row = vec![0.0; PENULTIMATE];
            row[0] = first;
            row
        };
        let (a, b) = (row(0.2), row(0.6));
        let found = features([a.as_slice(), b.as_slice()]);
        assert!((found[0] - 0.4).abs() < 1e-6 && (found[PENULTIMATE] - 0.2).abs() < 1e-6);
        assert_eq!(found.len(), feature_names().len());
        assert_eq!(features([]), vec![0.0; 2 * PENULTIMATE]);
        assert!(features([[f32::NAN; PENULTIMATE].as_slice()]).iter().all(|x| x.is_finite()));
    }
}
