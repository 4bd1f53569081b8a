//! How well what was heard agrees with what was asked: errors, correlations, and whether the axes are told apart.

use serde::Serialize;

use crate::bootstrap::{Estimate, estimate};
use crate::notes::EmotionReading;
use crate::stats::{concordance, mean, pearson, spearman};

/// One piece: what was asked of it (or is known of it), and what a judge heard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Heard {
    /// Asked, or known.
    pub asked: EmotionReading,
    /// Heard.
    pub heard: EmotionReading,
}

/// Names of [`measures`]' numbers, in order. Errors are absolute, their `sd` the spread between pieces; `r2` is the
/// coefficient of determination, 1 − Σ(heard − asked)² / Σ(asked − mean)², below 0 where the mean would do better.
pub const MEASURES: [&str; 14] = [
    "error_valence",
    "error_valence_sd",
    "error_arousal",
    "error_arousal_sd",
    "error_euclidean",
    "error_euclidean_sd",
    "r_valence",
    "r_arousal",
    "ccc_valence",
    "ccc_arousal",
    "r2_valence",
    "r2_arousal",
    "asked_valence_heard_arousal_r",
    "asked_arousal_heard_valence_r",
];

/// The numbers that [`MEASURES`] names, of some pieces.
pub fn measures(pieces: &[&Heard]) -> [f64; MEASURES.len()] {
    let column = |of: fn(&Heard) -> f64| pieces.iter().map(|p| of(p)).collect::<Vec<f64>>();
    let asked = [column(|p| p.asked.valence), column(|p| p.asked.arousal)];
    let heard = [column(|p| p.heard.valence), column(|p| p.heard.arousal)];
    let errors: [Vec<f64>; 2] =
        std::array::from_fn(|axis| asked[axis].iter().zip(&heard[axis]).map(|(a, h)| (h - a).abs()).collect());
    let euclidean: Vec<f64> = errors[0].iter().zip(&errors[1]).map(|(v, a)| v.hypot(*a)).collect();
    [
        mean(&errors[0]),
        sd(&errors[0]),
        mean(&errors[1]),
        sd(&errors[1]),
        mean(&euclidean),
        sd(&euclidean),
        pearson(&asked[0], &heard[0]),
        pearson(&asked[1], &heard[1]),
        concordance(&asked[0], &heard[0]),
        concordance(&asked[1], &heard[1]),
        determination(&asked[0], &heard[0]),
        determination(&asked[1], &heard[1]),
        pearson(&asked[0], &heard[1]),
        pearson(&asked[1], &heard[0]),
    ]
}

/// The spread of a sample (n − 1 in the denominator); 0 of fewer than two numbers.
pub fn sd(x: &[f64]) -> f64 {
    let m = mean(x);
    match x.len() {
        0 | 1 => 0.0,
        n => (x.iter().map(|v| (v - m) * (v - m)).sum::<f64>() / (n - 1) as f64).sqrt(),
    }
}

/// The coefficient of determination; 0 where what was asked does not vary.
pub fn determination(asked: &[f64], heard: &[f64]) -> f64 {
    let m = mean(asked);
    let total: f64 = asked.iter().map(|a| (a - m) * (a - m)).sum();
    let left: f64 = asked.iter().zip(heard).map(|(a, h)| (h - a) * (h - a)).sum();
    if total > 1e-12 { 1.0 - left / total } else { 0.0 }
}

/// What moving the feeling along one axis does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Along {
    /// The values asked for, rising.
    pub asked: Vec<f64>,
    /// The mean heard at each, over the seeds.
    pub heard: Vec<f64>,
    /// Spearman's rank correlation of the two, its interval over the seeds.
    pub spearman: Estimate,
    /// Steps on which the mean rises; all of them where it is monotone.
    pub rising: usize,
}

/// Sums up readings along an axis, `[seed][value]`, of values `asked`.
pub fn along(asked: &[f64], readings: &[Vec<f64>]) -> Along {
    let means = |seeds: &[&Vec<f64>]| -> Vec<f64> {
        (0..asked.len()).map(|i| mean(&seeds.iter().filter_map(|s| s.get(i).copied()).collect::<Vec<_>>())).collect()
    };
    let [correlation] = estimate(&[readings.to_vec()], |seeds| [spearman(asked, &means(seeds))]);
    let heard = means(&readings.iter().collect::<Vec<_>>());
    let rising = heard.windows(2).filter(|w| w[1] > w[0]).count();
    Along { asked: asked.to_vec(), heard, spearman: correlation, rising }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(asked: (f64, f64), heard: (f64, f64)) -> Heard {
        let reading = |(valence, arousal)| EmotionReading { valence, arousal };
        Heard { asked: reading(asked), heard: reading(heard) }
    }

    #[test]
    fn numbers_are_those_computed_by_hand() {
        // Valence heard half as far as asked; arousal heard 0.5 too high; so both errors are known.
        let pieces = [piece((-0.8, -0.4), (-0.4, 0.1)), piece((0.0, 0.4), (0.0, 0.9)), piece((0.8, 0.0), (0.4, 0.5))];
        let m = measures(&pieces.iter().collect::<Vec<_>>());
        let by = |name: &str| m[MEASURES.iter().position(|n| *n == name).unwrap()];
        let near = |name: &str, want: f64| assert!((by(name) - want).abs() < 1e-9, "{name}: {} {want}", by(name));
        near("error_valence", 0.8 / 3.0);
        // 0.4, 0, 0.4: variance (2 · 0.1333² + 0.2667²) / 2.
        near("error_valence_sd", (0.16f64 / 3.0).sqrt());
        near("error_arousal", 0.5);
        near("error_arousal_sd", 0.0);
        near("error_euclidean", (2.0 * 0.41f64.sqrt() + 0.5) / 3.0);
        near("r_valence", 1.0);
        near("r_arousal", 1.0);
        // Valence: 2 · Σxy / (Σx² + Σy²) = 2 · 0.64 / (1.28 + 0.32); arousal: 2 · 0.32 / (0.32 + 0.32 + 3 · 0.25).
        near("ccc_valence", 0.8);
        near("ccc_arousal", 0.64 / 1.39);
        near("r2_valence", 1.0 - 0.32 / 1.28);
        near("r2_arousal", 1.0 - 0.75 / 0.32);
        // Asked valence and heard arousal: Σxy = 0.32, Σx² = 1.28, Σy² = 0.32.
        near("asked_valence_heard_arousal_r", 0.32 / (1.28f64 * 0.32).sqrt());
        near("asked_arousal_heard_valence_r", 0.16 / (0.32f64 * 0.32).sqrt());
        assert!(measures(&[]).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn a_monotone_rise_is_told_from_a_dip() {
        let asked = [-0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9];
        let seeds: Vec<Vec<f64>> =
            (0..8).map(|s| asked.iter().map(|a| a * 0.5 + f64::from(s) * 0.1).collect()).collect();
        let up = along(&asked, &seeds);
        assert_eq!((up.rising, up.spearman.value, up.spearman.low), (6, 1.0, 1.0));
        let dips: Vec<Vec<f64>> =
            (0..8).map(|s| (0..7).map(|i| f64::from(i) + if (i + s) % 3 == 0 { 4.0 } else { 0.0 }).collect()).collect();
        let dipped = along(&asked, &dips);
        assert!(dipped.spearman.low < 1.0, "{dipped:?}");
        // Swapping the two last of seven: 1 − 6 · 2 / (7 · 48).
        let swapped = vec![vec![0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 5.0]; 3];
        let swapped = along(&asked, &swapped);
        assert!((swapped.spearman.value - (1.0 - 12.0 / 336.0)).abs() < 1e-9 && swapped.rising == 5);
    }
}
