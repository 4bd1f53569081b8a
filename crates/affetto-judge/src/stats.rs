//! Statistics of pairs and samples: correlations, agreement, bootstrap intervals.

/// Pearson's correlation of two equally long samples; 0 where either does not vary.
///
/// # Panics
///
/// Never; a longer sample's surplus is ignored.
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    if n < 2 {
        return 0.0;
    }
    let (mx, my) = (mean(&x[..n]), mean(&y[..n]));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (a, b) in x[..n].iter().zip(&y[..n]) {
        xy += (a - mx) * (b - my);
        xx += (a - mx) * (a - mx);
        yy += (b - my) * (b - my);
    }
    let scale = (xx * yy).sqrt();
    if scale > 1e-12 { (xy / scale).clamp(-1.0, 1.0) } else { 0.0 }
}

/// Spearman's rank correlation: Pearson's of the ranks, ties sharing their mean rank.
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    pearson(&ranks(&x[..n]), &ranks(&y[..n]))
}

/// Lin's concordance correlation: 2·cov / (var x + var y + (mean x - mean y)²).
pub fn concordance(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    if n < 2 {
        return 0.0;
    }
    let (mx, my) = (mean(&x[..n]), mean(&y[..n]));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (a, b) in x[..n].iter().zip(&y[..n]) {
        xy += (a - mx) * (b - my);
        xx += (a - mx) * (a - mx);
        yy += (b - my) * (b - my);
    }
    let scale = xx + yy + n as f64 * (mx - my) * (mx - my);
    if scale > 1e-12 { 2.0 * xy / scale } else { 0.0 }
}

/// Area under the ROC curve: how often a positive's score lies above a negative's (ties half).
/// 0.5 where one of the classes is missing.
pub fn auc(scores: &[f64], positive: &[bool]) -> f64 {
    let n = scores.len().min(positive.len());
    let ranks = ranks(&scores[..n]);
    let p = positive[..n].iter().filter(|&&x| x).count() as f64;
    let q = n as f64 - p;
    if p == 0.0 || q == 0.0 {
        return 0.5;
    }
    let sum: f64 = ranks.iter().zip(positive).filter(|(_, p)| **p).map(|(r, _)| r + 1.0).sum();
    (sum - p * (p + 1.0) / 2.0) / (p * q)
}

/// Ranks from 0, ties sharing the mean of theirs.
pub fn ranks(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    let mut ranks = vec![0.0; x.len()];
    let mut i = 0;
    while i < order.len() {
        let mut j = i;
        while j + 1 < order.len() && x[order[j + 1]] == x[order[i]] {
            j += 1;
        }
        for &k in &order[i..=j] {
            ranks[k] = (i + j) as f64 / 2.0;
        }
        i = j + 1;
    }
    ranks
}

/// The `q`-quantile (0–1) of a sample, linear between order statistics; 0 of an empty sample.
pub fn quantile(x: &[f64], q: f64) -> f64 {
    let mut sorted = x.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

/// As [`quantile`], of a sample sorted already.
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> f64 {
    if sorted.is_empty() {
        return 0.0;
    }
    let at = q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64)
}

/// The median; 0 of an empty sample.
pub fn median(x: &[f64]) -> f64 {
    quantile(x, 0.5)
}

/// The arithmetic mean; 0 of an empty sample.
pub fn mean(x: &[f64]) -> f64 {
    if x.is_empty() { 0.0 } else { x.iter().sum::<f64>() / x.len() as f64 }
}

/// A 95 % bootstrap interval (percentile method): `statistic` over `draws` resamples of the
/// indices `0..count`, with replacement, from `seed`. The same seed gives the same interval.
pub fn bootstrap95(count: usize, draws: usize, seed: u64, mut statistic: impl FnMut(&[usize]) -> f64) -> (f64, f64) {
    if count == 0 || draws == 0 {
        return (0.0, 0.0);
    }
    let mut state = seed;
    let mut values: Vec<f64> = (0..draws)
        .map(|_| {
            let chosen: Vec<usize> =
                (0..count).map(|_| ((u128::from(splitmix(&mut state)) * count as u128) >> 64) as usize).collect();
            statistic(&chosen)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    (quantile_of_sorted(&values, 0.025), quantile_of_sorted(&values, 0.975))
}

/// A 95 % bootstrap interval of Pearson's correlation, pairs resampled 2000 times.
pub fn pearson95(x: &[f64], y: &[f64], seed: u64) -> (f64, f64) {
    let n = x.len().min(y.len());
    bootstrap95(n, 2000, seed, |chosen| {
        let a: Vec<f64> = chosen.iter().map(|&i| x[i]).collect();
        let b: Vec<f64> = chosen.iter().map(|&i| y[i]).collect();
        pearson(&a, &b)
    })
}

/// Steele, Lea and Flood's SplitMix64: the next of a stream of well-mixed 64-bit numbers.
pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_know_lines_and_ranks() {
        let x = [1.0, 2.0, 3.0, 4.0];
        assert!((pearson(&x, &[2.0, 4.0, 6.0, 8.0]) - 1.0).abs() < 1e-12);
        assert!((spearman(&x, &[1.0, 10.0, 100.0, 1000.0]) - 1.0).abs() < 1e-12);
        assert!(pearson(&x, &[1.0, 10.0, 100.0, 1000.0]) < 0.9);
        assert_eq!(pearson(&x, &[5.0; 4]), 0.0);
        // By hand: x, y = x + 1 → cov 1.25, var 1.25 each, shift 1: 2.5 / 3.5.
        assert!((concordance(&x, &[2.0, 3.0, 4.0, 5.0]) - 2.5 / 3.5).abs() < 1e-12);
    }

    #[test]
    fn ties_share_ranks_and_auc_counts_pairs() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0]), [1.5, 0.0, 1.5]);
        assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), 0.75);
        assert_eq!(auc(&[1.0, 2.0], &[true, true]), 0.5);
    }

    #[test]
    fn bootstrap_is_repeatable_and_holds_the_estimate() {
        let x: Vec<f64> = (0..60).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|v| v + 20.0 * (v * 1.7).sin()).collect();
        let interval = pearson95(&x, &y, 3);
        assert_eq!(interval, pearson95(&x, &y, 3));
        let r = pearson(&x, &y);
        assert!(interval.0 < r && r < interval.1 && interval.1 - interval.0 < 0.4, "{interval:?} {r}");
    }
}
