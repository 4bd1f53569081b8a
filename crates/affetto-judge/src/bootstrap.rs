//! Bootstrap intervals of takes that several models made of the same requests.
//!
//! A table holds one row a model (a training seed), one column an item (a target and a generation seed). Items are drawn
//! with replacement, the same for all models, and where there are several models they are drawn as well: what training
//! seeds do to the numbers is in the interval. The difference of two arms draws the same items on both sides, and the
//! same models where both sides have as many (the first seed beside the first).

use serde::Serialize;

use crate::stats::{quantile_of_sorted, splitmix};

/// Resamples drawn.
pub const DRAWS: usize = 2000;

/// A number and its 95 % bootstrap interval (percentile method).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Of the sample as it is.
    pub value: f64,
    /// 2.5 % of the resamples lie below.
    pub low: f64,
    /// 2.5 % of the resamples lie above.
    pub high: f64,
}

impl Estimate {
    /// Whether the interval leaves out 0.
    pub fn is_clear(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    fn of(value: f64, mut resampled: Vec<f64>) -> Estimate {
        resampled.sort_by(f64::total_cmp);
        Estimate { value, low: quantile_of_sorted(&resampled, 0.025), high: quantile_of_sorted(&resampled, 0.975) }
    }
}

/// Estimates of `statistic`'s numbers over a table `[model][item]`, its rows equally long (longer ones are cut). It is
/// given the items of a resample in no particular order. The same table gives the same intervals; an empty one zeros.
pub fn estimate<T, const N: usize>(table: &[Vec<T>], statistic: impl Fn(&[&T]) -> [f64; N]) -> [Estimate; N] {
    let none: [Vec<T>; 0] = [];
    difference(table, &none, statistic)
}

/// Estimates of `statistic` of one table less that of another, whose items are the same requests in the same order.
pub fn difference<T, const N: usize>(
    table: &[Vec<T>],
    other: &[Vec<T>],
    statistic: impl Fn(&[&T]) -> [f64; N],
) -> [Estimate; N] {
    let items = table.iter().chain(other).map(Vec::len).min().unwrap_or(0);
    if items == 0 {
        return [Estimate::default(); N];
    }
    let paired = table.len() == other.len();
    let less = |a: [f64; N], b: Option<[f64; N]>| std::array::from_fn(|i| a[i] - b.map_or(0.0, |b: [f64; N]| b[i]));
    let of = |table: &[Vec<T>], models: &[usize], chosen: &[usize]| -> Option<[f64; N]> {
        let picked: Vec<&T> = models.iter().flat_map(|&m| chosen.iter().map(move |&i| &table[m][i])).collect();
        (!table.is_empty()).then(|| statistic(&picked))
    };
    let both = |models: (&[usize], &[usize]), chosen: &[usize]| {
        less(of(table, models.0, chosen).unwrap_or([0.0; N]), of(other, models.1, chosen))
    };
    let every = |n: usize| (0..n).collect::<Vec<usize>>();
    let value: [f64; N] = both((&every(table.len()), &every(other.len())), &every(items));
    let mut state = 0x6166_6665_7474_6f31;
    let mut draw = |n: usize| -> Vec<usize> {
        (0..n).map(|_| ((u128::from(splitmix(&mut state)) * n as u128) >> 64) as usize).collect()
    };
    let mut resampled: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(DRAWS));
    for _ in 0..DRAWS {
        let chosen = draw(items);
        let first = draw(table.len());
        let second = if paired { first.clone() } else { draw(other.len()) };
        for (all, x) in resampled.iter_mut().zip(both((&first, &second), &chosen)) {
            all.push(x);
        }
    }
    let mut resampled = resampled.into_iter();
    value.map(|value| Estimate::of(value, resampled.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::mean;

    fn average(items: &[&f64]) -> [f64; 1] {
        [mean(&items.iter().map(|x| **x).collect::<Vec<_>>())]
    }

    #[test]
    fn the_interval_of_a_mean_is_the_known_one() {
        // 100 numbers of mean 0 and variance 1: standard error 0.1.
        let numbers: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let [e] = estimate(&[numbers], average);
        assert_eq!(e.value, 0.0);
        assert!((e.low + 0.196).abs() < 0.03 && (e.high - 0.196).abs() < 0.03, "{e:?}");
        assert!(!e.is_clear());
    }

    #[test]
    fn what_models_differ_in_is_in_the_interval() {
        let noise: Vec<f64> = (0..50).map(|i| f64::from(i % 5) * 0.01).collect();
        let shifted = |by: f64| noise.iter().map(|x| x + by).collect::<Vec<_>>();
        let [alike] = estimate(&[shifted(0.0), shifted(0.0), shifted(0.0)], average);
        let [apart] = estimate(&[shifted(-1.0), shifted(0.0), shifted(1.0)], average);
        assert!((alike.value - apart.value).abs() < 1e-9);
        assert!(alike.high - alike.low < 0.01 && apart.high - apart.low > 1.0, "{alike:?} {apart:?}");
    }

    #[test]
    fn a_paired_difference_is_sharper_than_either_side() {
        let wide: Vec<f64> = (0..80).map(|i| f64::from(i) - 40.0).collect();
        let better: Vec<f64> = wide.iter().map(|x| x + 0.5).collect();
        let [d] = difference(std::slice::from_ref(&better), std::slice::from_ref(&wide), average);
        assert!((d.value - 0.5).abs() < 1e-9 && (d.low - 0.5).abs() < 1e-9 && d.is_clear(), "{d:?}");
        // Three seeds beside one: still the same items on both sides.
        let [d] = difference(&[better.clone(), better.clone(), better], std::slice::from_ref(&wide), average);
        assert!((d.high - 0.5).abs() < 1e-9, "{d:?}");
        let [none] = difference(&[wide], &[Vec::new()], average);
        assert_eq!(none, Estimate::default());
    }
}
