//! Linear algebra on dense row-major matrices of `f64`: a Cholesky factor, the systems it solves, and the eigenvectors of
//! a symmetric matrix.

/// Sweeps of Jacobi rotations at most; ten are plenty for what comes up.
const SWEEPS: usize = 60;
/// Rows of a factor that are made together, so that a row above them is read once for all.
const TOGETHER: usize = 4;
/// The smallest square of a pivot: a matrix that lacks rank is factored as if it had a little.
const LEAST_PIVOT: f64 = 1e-12;

/// Replaces the lower triangle of a symmetric positive definite `a` (d × d) by its Cholesky factor L, a = L·Lᵀ. What is
/// above the diagonal is neither read nor changed.
pub fn cholesky(a: &mut [f64], d: usize) {
    for start in (0..d).step_by(TOGETHER) {
        let end = (start + TOGETHER).min(d);
        let (above, own) = a.split_at_mut(start * d);
        for (j, pivot_row) in above.chunks_exact(d).enumerate() {
            for row in own[..(end - start) * d].chunks_exact_mut(d) {
                row[j] = (row[j] - dot(&row[..j], &pivot_row[..j])) / pivot_row[j];
            }
        }
        for i in start..end {
            let (before, row) = own.split_at_mut((i - start) * d);
            for (j, pivot_row) in (start..i).zip(before.chunks_exact(d)) {
                row[j] = (row[j] - dot(&row[..j], &pivot_row[..j])) / pivot_row[j];
            }
            row[i] = (row[i] - dot(&row[..i], &row[..i])).max(LEAST_PIVOT).sqrt();
        }
    }
}

/// Solves L·Lᵀ·x = b in place, `factor` (d × d) from [`cholesky`].
pub fn solve_factored(factor: &[f64], b: &mut [f64]) {
    solve_lower(factor, b);
    solve_upper(factor, b);
}

/// Solves L·x = b in place.
pub fn solve_lower(factor: &[f64], b: &mut [f64]) {
    let d = b.len();
    for i in 0..d {
        let (known, rest) = b.split_at_mut(i);
        rest[0] = (rest[0] - dot(&factor[i * d..i * d + i], known)) / factor[i * d + i];
    }
}

/// Solves Lᵀ·x = b in place.
pub fn solve_upper(factor: &[f64], b: &mut [f64]) {
    let d = b.len();
    for i in (0..d).rev() {
        let (rest, known) = b.split_at_mut(i);
        known[0] /= factor[i * d + i];
        // A column of Lᵀ is a row of L: what is known is taken from what is not yet.
        rest.iter_mut().zip(&factor[i * d..i * d + i]).for_each(|(x, l)| *x -= l * known[0]);
    }
}

/// Solves a·x = b in place for a symmetric positive definite `a` (d × d): x in `b`, the factor in `a`.
pub fn cholesky_solve(a: &mut [f64], b: &mut [f64]) {
    cholesky(a, b.len());
    solve_factored(a, b);
}

/// The sum of products, in eight running sums that the compiler computes side by side.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (x, y) in a8.iter().zip(b8) {
        for k in 0..8 {
            sums[k] += x[k] * y[k];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f64>() + rest
}

/// Eigenvalues and eigenvectors (a row each) of a symmetric matrix (d × d), by cyclic Jacobi rotations: in no order, and
/// for matrices of some hundred rows at most.
pub fn eigen(matrix: &[f64], d: usize) -> (Vec<f64>, Vec<f64>) {
    // Rounding may have left it a little askew.
    let mut a: Vec<f64> = (0..d * d).map(|k| 0.5 * (matrix[k] + matrix[k % d * d + k / d])).collect();
    let mut vectors = vec![0.0; d * d];
    (0..d).for_each(|i| vectors[i * d + i] = 1.0);
    let scale: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..SWEEPS {
        let off: f64 = (0..d * d).filter(|k| k / d != k % d).map(|k| a[k] * a[k]).sum();
        if off <= scale * 1e-26 {
            break;
        }
        for p in 0..d {
            for q in p + 1..d {
                rotate(&mut a, &mut vectors, d, p, q);
            }
        }
    }
    ((0..d).map(|i| a[i * d + i]).collect(), vectors)
}

/// Turns the plane of axes p < q so that a[p, q] becomes 0.
fn rotate(a: &mut [f64], vectors: &mut [f64], d: usize, p: usize, q: usize) {
    let apq = a[p * d + q];
    if apq == 0.0 {
        return;
    }
    let theta = (a[q * d + q] - a[p * d + p]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for k in 0..d {
        let (x, y) = (a[k * d + p], a[k * d + q]);
        a[k * d + p] = c * x - s * y;
        a[k * d + q] = s * x + c * y;
    }
    turn_rows(a, d, (p, q), (c, s));
    turn_rows(vectors, d, (p, q), (c, s));
}

fn turn_rows(a: &mut [f64], d: usize, (p, q): (usize, usize), (c, s): (f64, f64)) {
    let (before, from) = a.split_at_mut(q * d);
    for (x, y) in before[p * d..(p + 1) * d].iter_mut().zip(&mut from[..d]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::splitmix;

    #[test]
    fn what_a_factor_solves_solves_the_matrix() {
        // Sizes that are and are not whole blocks; a = rᵀr + I.
        for d in [1, 3, 4, 17, 64] {
            let mut state = d as u64;
            let mut number = || (splitmix(&mut state) >> 40) as f64 / (1u64 << 23) as f64 - 1.0;
            let r: Vec<f64> = (0..d * d).map(|_| number()).collect();
            let mut a = vec![0.0; d * d];
            for i in 0..d {
                for j in 0..d {
                    a[i * d + j] = (0..d).map(|k| r[k * d + i] * r[k * d + j]).sum::<f64>() + f64::from(i == j);
                }
            }
            let b: Vec<f64> = (0..d).map(|_| number()).collect();
            let (mut factor, mut x) = (a.clone(), b.clone());
            // Nothing above the diagonal may be read.
            (0..d).for_each(|i| factor[i * d + i + 1..(i + 1) * d].fill(f64::NAN));
            cholesky_solve(&mut factor, &mut x);
            for i in 0..d {
                assert!((dot(&a[i * d..(i + 1) * d], &x) - b[i]).abs() < 1e-9, "{d}");
            }
        }
    }

    #[test]
    fn eigenvectors_are_only_stretched() {
        let a = [4.0, 1.0, 0.0, 1.0, 3.0, 1.0, 0.0, 1.0, 2.0];
        let (values, vectors) = eigen(&a, 3);
        assert!((values.iter().sum::<f64>() - 9.0).abs() < 1e-12);
        for (value, v) in values.iter().zip(vectors.chunks_exact(3)) {
            for i in 0..3 {
                assert!((dot(&a[3 * i..3 * i + 3], v) - value * v[i]).abs() < 1e-12);
            }
        }
    }
}
