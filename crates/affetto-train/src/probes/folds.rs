//! Folds of whole groups.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

/// The fold of each example. `groups` numbers each example's group from 0; examples of one group share a fold. Groups are
/// sorted by their mean label, and of every `folds` neighbours each goes to another fold: so all folds have about the same
/// labels, and both classes as far as there are groups of both. The same seed gives the same folds.
pub fn deal(groups: &[usize], labels: &[f64], folds: usize, seed: u64) -> Vec<usize> {
    let count = groups.iter().max().map_or(0, |last| last + 1);
    let mut sums = vec![(0.0, 0.0); count];
    for (&group, label) in groups.iter().zip(labels) {
        sums[group].0 += label;
        sums[group].1 += 1.0;
    }
    let mean = |group: usize| sums[group].0 / f64::max(sums[group].1, 1.0);
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..count).collect();
    // The sort keeps the drawn order among groups of like labels.
    order.shuffle(&mut random);
    order.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)));
    let mut of_group = vec![0; count];
    let mut turn: Vec<usize> = (0..folds.max(1)).collect();
    for neighbours in order.chunks(turn.len()) {
        turn.shuffle(&mut random);
        neighbours.iter().zip(&turn).for_each(|(&group, &fold)| of_group[group] = fold);
    }
    groups.iter().map(|&group| of_group[group]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_whole_and_every_fold_has_both_classes() {
        // 23 groups of 1 to 4 examples, a third of them positive.
        let groups: Vec<usize> = (0..23).flat_map(|g| vec![g; 1 + g % 4]).collect();
        let labels: Vec<f64> = groups.iter().map(|g| if g % 3 == 0 { 1.0 } else { -1.0 }).collect();
        let folds = deal(&groups, &labels, 5, 7);
        for (i, j) in (0..groups.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
            assert!(groups[i] != groups[j] || folds[i] == folds[j]);
        }
        for fold in 0..5 {
            let inside = |class: f64| (0..groups.len()).any(|i| folds[i] == fold && labels[i] == class);
            assert!(inside(1.0) && inside(-1.0), "fold {fold}");
        }
        assert_eq!(folds, deal(&groups, &labels, 5, 7));
        assert_ne!(folds, deal(&groups, &labels, 5, 8));
    }
}
