//! From features on disk to the windows the alignment loss compares with: pooled over time, and brought to one scale.

use crate::config::Scaling;

/// Features of one sound: a row each `hop_seconds`, the row k for the time from k to k + 1 hops.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Row-major, `[rows × width]`.
    pub values: &'a [f32],
    /// Width of a row.
    pub width: usize,
    /// Seconds of a row.
    pub hop_seconds: f64,
}

impl Rows<'_> {
    /// Means over windows of `window_seconds` (not less than a hop, else every row is a window): `[windows × width]`.
    /// A row belongs to the window its middle lies in.
    pub fn pooled(&self, window_seconds: f64) -> Vec<f32> {
        let rows = self.values.chunks_exact(self.width.max(1));
        let window =
            |row: usize| ((row as f64 + 0.5) * self.hop_seconds / window_seconds.max(self.hop_seconds)) as usize;
        let windows = rows.len().checked_sub(1).map_or(0, |last| window(last) + 1);
        let mut out = vec![0.0; windows * self.width];
        let mut counts = vec![0.0f32; windows];
        for (at, row) in rows.enumerate() {
            counts[window(at)] += 1.0;
            for (sum, x) in out[window(at) * self.width..].iter_mut().zip(row) {
                *sum += x;
            }
        }
        for (row, count) in out.chunks_exact_mut(self.width.max(1)).zip(counts) {
            row.iter_mut().for_each(|x| *x /= count.max(1.0));
        }
        out
    }
}

/// What is taken off features, and what they are divided by, before their directions are compared. Unscaled features
/// share a large constant part: all cosines are near 1, and nothing is learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl Scale {
    /// The scale of pooled features, rows `width` wide.
    pub fn fit<'a>(rows: impl Iterator<Item = &'a [f32]> + Clone, width: usize, scaling: Scaling) -> Scale {
        let count = rows.clone().count().max(1) as f64;
        let mut sums = vec![(0.0f64, 0.0f64); width];
        for row in rows {
            for (sum, &x) in sums.iter_mut().zip(row) {
                sum.0 += f64::from(x);
                sum.1 += f64::from(x) * f64::from(x);
            }
        }
        let mean = sums.iter().map(|s| if scaling == Scaling::None { 0.0 } else { (s.0 / count) as f32 }).collect();
        let deviation = |s: &(f64, f64)| match scaling {
            // A unit that never moves says nothing: its deviation of zero is not divided by.
            Scaling::Standardise => ((s.1 / count - (s.0 / count).powi(2)).max(0.0).sqrt() as f32).max(1e-4),
            _ => 1.0,
        };
        Scale { mean, deviation: sums.iter().map(deviation).collect() }
    }

    /// Brings rows to this scale, in place.
    pub fn apply(&self, values: &mut [f32]) {
        for row in values.chunks_exact_mut(self.mean.len().max(1)) {
            for ((x, mean), deviation) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *x = (*x - mean) / deviation;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_pooled_by_their_middles() {
        let rows = Rows { values: &[1.0, 0.0, 3.0, 0.0, 10.0, 2.0, 20.0, 4.0, 7.0, 7.0], width: 2, hop_seconds: 3.0 };
        assert_eq!(rows.pooled(6.0), [2.0, 0.0, 15.0, 3.0, 7.0, 7.0]);
        assert_eq!(rows.pooled(3.0), rows.values);
        assert_eq!(rows.pooled(1.0), rows.values, "no window is shorter than what was heard in one go");
        assert_eq!(rows.pooled(100.0).len(), 2);
        assert!(Rows { values: &[], ..rows }.pooled(5.0).is_empty());
    }

    #[test]
    fn scaling_takes_off_what_all_share() {
        let data = [[1.0f32, 10.0, 5.0], [3.0, 30.0, 5.0]];
        let apply = |scaling| {
            let mut row = data[1].to_vec();
            Scale::fit(data.iter().map(|r| r.as_slice()), 3, scaling).apply(&mut row);
            row
        };
        assert_eq!(apply(Scaling::None), data[1]);
        assert_eq!(apply(Scaling::Centre), [1.0, 10.0, 0.0]);
        assert_eq!(apply(Scaling::Standardise), [1.0, 1.0, 0.0]);
    }
}
