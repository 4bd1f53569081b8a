//! How well answers fit labels.

use affetto_control::steering::LabelKind;
use affetto_judge::stats;

/// What knowing nothing scores.
pub(super) fn chance(kind: &LabelKind) -> f64 {
    match kind {
        LabelKind::Numbers => 0.0,
        LabelKind::Classes => 0.5,
    }
}

/// R² for numbers (of what the labels vary around their mean), AUC for classes; `None` where the labels do not vary, or
/// where numbers are so large that no score comes of them.
pub(super) fn score(kind: &LabelKind, answers: &[f64], labels: &[f64]) -> Option<f64> {
    let mean = stats::mean(labels);
    let spread: f64 = labels.iter().map(|y| (y - mean) * (y - mean)).sum();
    if labels.is_empty()
        || answers.iter().any(|x| !x.is_finite())
        || spread <= f64::EPSILON * (1.0 + mean * mean) * labels.len() as f64
    {
        return None;
    }
    let score = match kind {
        LabelKind::Numbers => {
            let missed: f64 = answers.iter().zip(labels).map(|(a, y)| (a - y) * (a - y)).sum();
            1.0 - missed / spread
        }
        LabelKind::Classes => stats::auc(answers, &labels.iter().map(|&y| y > 0.0).collect::<Vec<_>>()),
    };
    score.is_finite().then_some(score)
}

/// The same fold by fold; folds whose labels do not vary have none.
pub(super) fn by_fold(kind: &LabelKind, answers: &[f64], labels: &[f64], fold_of: &[usize], folds: usize) -> Vec<f64> {
    let inside = |list: &[f64], fold| -> Vec<f64> {
        list.iter().zip(fold_of).filter(|(_, of)| **of == fold).map(|(x, _)| *x).collect()
    };
    (0..folds).filter_map(|fold| score(kind, &inside(answers, fold), &inside(labels, fold))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_mean_and_useless_answers_score_as_they_should() {
        let labels = [1.0, 2.0, 3.0, 6.0];
        let numbers = |answers: &[f64]| score(&LabelKind::Numbers, answers, &labels).unwrap();
        assert_eq!((numbers(&labels), numbers(&[3.0; 4])), (1.0, 0.0));
        assert!(numbers(&[6.0, 3.0, 2.0, 1.0]) < 0.0);
        assert_eq!(score(&LabelKind::Numbers, &[1.0, 2.0], &[4.0, 4.0]), None);
        for large in [1e155, 1e300, f64::INFINITY, f64::NAN] {
            assert_eq!(score(&LabelKind::Numbers, &[large, 0.0], &[1e155, -1e155]), None);
            assert_eq!(score(&LabelKind::Numbers, &[0.0, 0.0], &[large, -large]), None);
        }
        assert_eq!(score(&LabelKind::Classes, &[f64::NAN, 0.0], &[1.0, -1.0]), None);
        let classes = |answers: &[f64]| score(&LabelKind::Classes, answers, &[-1.0, 1.0, 1.0]);
        assert_eq!((classes(&[0.0, 1.0, 2.0]), classes(&[5.0, 5.0, 5.0])), (Some(1.0), Some(0.5)));
        let folds = by_fold(&LabelKind::Classes, &[0.0, 1.0, 2.0], &[-1.0, 1.0, 1.0], &[0, 0, 1], 2);
        assert_eq!(folds, [1.0]);
    }
}
