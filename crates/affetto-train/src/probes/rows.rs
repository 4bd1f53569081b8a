//! The rows of one place: in memory where they are few, else from disk at every pass.

use affetto_judge::linear::dot;

use super::spool::{Place, Spool};
use crate::error::TrainError;

/// Rows of up to as many bytes are held in memory.
const HELD_BYTES: usize = 64 << 20;
/// A row of which less than this is left beside the rows before it adds no new axis.
const NEW: f64 = 1e-7;

/// The activations of all examples at one place.
pub(super) struct Rows<'a> {
    spool: &'a Spool,
    place: Place,
    /// Numbers of a row.
    pub width: usize,
    /// What rows are divided by: the activations' root mean square, so that penalties and pivots mean the same everywhere.
    pub unit: f64,
    held: Option<Vec<f32>>,
    /// Where there are fewer rows than numbers in one: axes `[width, numbers]` that span the rows, which are then given
    /// by their coordinates. A probe never leaves that space, so nothing is lost, and all is small.
    axes: Option<Vec<f64>>,
}

impl<'a> Rows<'a> {
    pub fn open(spool: &'a Spool, place: Place) -> Result<Rows<'a>, TrainError> {
        let width = spool.shape().width(place.site);
        let unit = spool.rms(place).max(f64::from(f32::MIN_POSITIVE));
        let mut rows = Rows { spool, place, width, unit, held: None, axes: None };
        if 4 * width * spool.len() <= HELD_BYTES {
            let mut all = Vec::with_capacity(width * spool.len());
            spool.stream(place, &mut |_, rows| all.extend(rows.iter().map(|x| x / unit as f32)))?;
            rows.held = Some(all);
        }
        if let (true, Some(all)) = (spool.len() < width, &rows.held) {
            let (axes, coordinates) = span(all, width);
            rows.width = coordinates.len() / spool.len();
            (rows.axes, rows.held) = (Some(axes), Some(coordinates));
        }
        Ok(rows)
    }

    /// Gives every row, in order: its number and its numbers.
    pub fn each(&self, visit: &mut dyn FnMut(usize, &[f32])) -> Result<(), TrainError> {
        match &self.held {
            Some(all) => {
                all.chunks_exact(self.width).enumerate().for_each(|(i, row)| visit(i, row));
                Ok(())
            }
            None => {
                let mut scaled = vec![0.0; self.width];
                self.spool.stream(self.place, &mut |first, rows| {
                    for (i, row) in rows.chunks_exact(self.width).enumerate() {
                        scaled.iter_mut().zip(row).for_each(|(s, x)| *s = x / self.unit as f32);
                        visit(first + i, &scaled);
                    }
                })
            }
        }
    }

    /// A direction among the rows as one among the activations.
    pub fn outside(&self, direction: &[f64]) -> Vec<f64> {
        let Some(axes) = &self.axes else { return direction.to_vec() };
        let mut out = vec![0.0; axes.len() / self.width];
        for (axis, &by) in axes.chunks_exact(out.len()).zip(direction) {
            out.iter_mut().zip(axis).for_each(|(o, a)| *o += by * a);
        }
        out
    }
}

/// Orthonormal axes that span rows, and the rows' coordinates (Gram–Schmidt, twice over for the sake of rounding).
fn span(rows: &[f32], width: usize) -> (Vec<f64>, Vec<f32>) {
    let mut axes: Vec<f64> = Vec::new();
    for row in rows.chunks_exact(width) {
        let mut left: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        let length = dot(&left, &left).sqrt();
        for _ in 0..2 {
            for axis in axes.chunks_exact(width) {
                let shared = dot(axis, &left);
                left.iter_mut().zip(axis).for_each(|(l, a)| *l -= shared * a);
            }
        }
        let size = dot(&left, &left).sqrt();
        if size > NEW * length {
            axes.extend(left.iter().map(|l| l / size));
        }
    }
    if axes.is_empty() {
        // All rows are zeros.
        axes = vec![0.0; width];
        axes[0] = 1.0;
    }
    let mut coordinates = Vec::with_capacity(rows.len() / width * (axes.len() / width));
    let mut wide = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        wide.iter_mut().zip(row).for_each(|(w, &x)| *w = f64::from(x));
        coordinates.extend(axes.chunks_exact(width).map(|axis| dot(axis, &wide) as f32));
    }
    (axes, coordinates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_keep_every_distance() {
        // Three rows, of which the third lies between the others.
        let rows = [1.0, 2.0, 0.0, 4.0, 5.0, 3.0, -1.0, 0.5, 0.0, 2.0];
        let third: Vec<f32> = (0..5).map(|k| 0.5 * (rows[k] + rows[5 + k])).collect();
        let all: Vec<f32> = rows.iter().copied().chain(third).collect();
        let (axes, coordinates) = span(&all, 5);
        assert_eq!((axes.len(), coordinates.len()), (10, 6));
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        for (i, j) in [(0, 0), (0, 1), (0, 2), (1, 2)] {
            let (a, b) = (product(&all[5 * i..5 * i + 5], &all[5 * j..5 * j + 5]), (2 * i, 2 * j));
            assert!((a - product(&coordinates[b.0..b.0 + 2], &coordinates[b.1..b.1 + 2])).abs() < 1e-4);
        }
    }
}
