//! Fréchet distance of two sets of embeddings, each taken as a Gaussian (Dowson & Landau 1982; as "Fréchet Audio
//! Distance": Kilgour et al. 2019): |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½).
//!
//! The trace of (Σ₁ Σ₂)^½ is that of (Σ₁^½ Σ₂ Σ₁^½)^½, whose matrix is symmetric: two symmetric eigenproblems, solved by
//! Jacobi rotations, and nothing goes complex. Covariances that lack rank, as those of fewer rows than dimensions do, are
//! handled like any others (eigenvalues below 0 count as 0); [`Gaussian::lacks_rank`] says so.

use crate::linear::eigen;

/// Mean and covariance of a set of embeddings.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    count: usize,
    mean: Vec<f64>,
    /// `[d × d]`, symmetric.
    covariance: Vec<f64>,
}

impl Gaussian {
    /// That of a set of rows, all as wide as the first; the covariance has n − 1 in its denominator. `None` for fewer
    /// than two rows, rows of different widths, or numbers that are not finite.
    pub fn of<R: AsRef<[f32]>>(rows: &[R]) -> Option<Gaussian> {
        let width = rows.first()?.as_ref().len();
        let sound = |row: &[f32]| row.len() == width && row.iter().all(|x| x.is_finite());
        if rows.len() < 2 || width == 0 || !rows.iter().all(|r| sound(r.as_ref())) {
            return None;
        }
        let count = rows.len() as f64;
        let mut mean = vec![0.0; width];
        for row in rows {
            mean.iter_mut().zip(row.as_ref()).for_each(|(m, x)| *m += f64::from(*x) / count);
        }
        let mut covariance = vec![0.0; width * width];
        let mut centred = vec![0.0; width];
        for row in rows {
            centred.iter_mut().zip(row.as_ref()).zip(&mean).for_each(|((c, x), m)| *c = f64::from(*x) - m);
            for (i, line) in covariance.chunks_exact_mut(width).enumerate() {
                let scaled = centred[i] / (count - 1.0);
                line.iter_mut().zip(&centred).for_each(|(c, x)| *c += scaled * x);
            }
        }
        Some(Gaussian { count: rows.len(), mean, covariance })
    }

    /// Rows it was made of.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether there were too few rows for a covariance of full rank: distances from it are then too large, and hold only
    /// between sets of like size.
    pub fn lacks_rank(&self) -> bool {
        self.count <= self.mean.len()
    }

    /// The Fréchet distance; `None` where the widths differ.
    pub fn distance(&self, other: &Gaussian) -> Option<f64> {
        let d = self.mean.len();
        if d != other.mean.len() {
            return None;
        }
        let means: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b) * (a - b)).sum();
        let trace = |g: &Gaussian| (0..d).map(|i| g.covariance[i * d + i]).sum::<f64>();
        let root = root(&self.covariance, d);
        let inner = product(&product(&root, &other.covariance, d), &root, d);
        let shared: f64 = eigen(&inner, d).0.iter().map(|x| x.max(0.0).sqrt()).sum();
        Some((means + trace(self) + trace(other) - 2.0 * shared).max(0.0))
    }
}

/// The symmetric root of a symmetric matrix without negative eigenvalues (those that rounding makes count as 0).
fn root(matrix: &[f64], d: usize) -> Vec<f64> {
    let (values, vectors) = eigen(matrix, d);
    let mut scaled = vectors.clone();
    for (value, row) in values.iter().zip(scaled.chunks_exact_mut(d)) {
        let by = value.max(0.0).sqrt();
        row.iter_mut().for_each(|x| *x *= by);
    }
    // Eigenvectors are rows: Σ √λ v vᵀ.
    let mut out = vec![0.0; d * d];
    for (v, s) in vectors.chunks_exact(d).zip(scaled.chunks_exact(d)) {
        for (i, line) in out.chunks_exact_mut(d).enumerate() {
            line.iter_mut().zip(s).for_each(|(o, x)| *o += v[i] * x);
        }
    }
    out
}

fn product(a: &[f64], b: &[f64], d: usize) -> Vec<f64> {
    let mut out = vec![0.0; d * d];
    for (row, line) in a.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
        for (x, b) in row.iter().zip(b.chunks_exact(d)) {
            line.iter_mut().zip(b).for_each(|(o, y)| *o += x * y);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::splitmix;

    fn gaussian(mean: &[f64], covariance: &[f64]) -> Gaussian {
        Gaussian { count: 1000, mean: mean.to_vec(), covariance: covariance.to_vec() }
    }

    #[test]
    fn two_known_gaussians_are_as_far_apart_as_the_formula_says() {
        // Diagonal: Σ (√λ₁ − √λ₂)² + |Δμ|² = (2 − 1)² + (3 − 5)² + 9 + 16.
        let a = gaussian(&[0.0, 0.0], &[4.0, 0.0, 0.0, 9.0]);
        let b = gaussian(&[3.0, 4.0], &[1.0, 0.0, 0.0, 25.0]);
        assert!((a.distance(&b).unwrap() - 30.0).abs() < 1e-9);
        // Both turned by the same angle: the same distance. And a case that does not commute:
        // Σ₁ = [[2, 1], [1, 2]], Σ₂ = diag(1, 4); tr (Σ₁ Σ₂)^½ = √(tr + 2 √det) of Σ₁ Σ₂ = √(10 + 2 √12).
        let a = gaussian(&[0.0, 0.0], &[2.0, 1.0, 1.0, 2.0]);
        let b = gaussian(&[0.0, 0.0], &[1.0, 0.0, 0.0, 4.0]);
        let want = 4.0 + 5.0 - 2.0 * (10.0 + 2.0 * 12f64.sqrt()).sqrt();
        assert!((a.distance(&b).unwrap() - want).abs() < 1e-9);
        assert!((b.distance(&a).unwrap() - want).abs() < 1e-9);
        assert!(a.distance(&a).unwrap() < 1e-9);
        assert!(a.distance(&gaussian(&[0.0], &[1.0])).is_none());
    }

    fn rows(count: usize, width: usize, shift: f32, seed: u64) -> Vec<Vec<f32>> {
        let mut state = seed;
        let mut uniform = || (splitmix(&mut state) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        (0..count).map(|_| (0..width).map(|_| uniform() + shift).collect()).collect()
    }

    #[test]
    fn a_shift_is_found_and_missing_rank_is_said() {
        let a = Gaussian::of(&rows(4000, 12, 0.0, 1)).unwrap();
        let b = Gaussian::of(&rows(4000, 12, 0.5, 2)).unwrap();
        let near = a.distance(&Gaussian::of(&rows(4000, 12, 0.0, 3)).unwrap()).unwrap();
        let far = a.distance(&b).unwrap();
        assert!(near < 0.02 && (far - 12.0 * 0.25).abs() < 0.1, "{near} {far}");
        assert!(!a.lacks_rank());
        // Five rows in twelve dimensions.
        let few = Gaussian::of(&rows(5, 12, 0.0, 4)).unwrap();
        assert!(few.lacks_rank() && few.distance(&few).unwrap() < 1e-6);
        let d = few.distance(&a).unwrap();
        assert!(d.is_finite() && (d - a.distance(&few).unwrap()).abs() < 1e-6 && d > near);
    }

    #[test]
    fn what_is_no_set_of_embeddings_is_none() {
        assert!(Gaussian::of::<Vec<f32>>(&[]).is_none());
        assert!(Gaussian::of(&[vec![1.0]]).is_none());
        assert!(Gaussian::of(&[vec![1.0], vec![1.0, 2.0]]).is_none());
        assert!(Gaussian::of(&[vec![1.0], vec![f32::NAN]]).is_none());
        assert_eq!(Gaussian::of(&[vec![1.0], vec![3.0]]).unwrap().covariance, [2.0]);
    }

    #[test]
    fn a_matrix_is_the_square_of_its_root() {
        let g = Gaussian::of(&rows(60, 20, 0.0, 9)).unwrap();
        let half = root(&g.covariance, 20);
        let back = product(&half, &half, 20);
        let worst = back.iter().zip(&g.covariance).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-10, "{worst}");
    }
}
