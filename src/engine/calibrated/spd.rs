//! Symmetric positive definite matrices: Cholesky's factor, its inverse, small systems. In blocks, so that nearly all of the
//! work is in matrix products.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, s};

/// Rows and columns that are done at a time.
const BLOCK: usize = 64;

/// Replaces the lower triangle of `a` by L with L Lᵀ = a; what stands above the diagonal is of no account, before and after.
/// `None` where `a` is not positive definite.
pub(super) fn factorise(a: &mut Array2<f64>) -> Option<()> {
    let n = a.nrows();
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        for i in start..n {
            for j in start..end.min(i + 1) {
                let before: f64 = (start..j).map(|k| a[(i, k)] * a[(j, k)]).sum();
                let rest = a[(i, j)] - before;
                a[(i, j)] = if i > j {
                    rest / a[(j, j)]
                } else if rest > 0.0 {
                    rest.sqrt()
                } else {
                    return None;
                };
            }
        }
        let panel = a.slice(s![end.., start..end]).to_owned();
        for strip in (end..n).step_by(BLOCK) {
            let below = panel.slice(s![strip - end.., ..]);
            let across = panel.slice(s![strip - end..(strip + BLOCK).min(n) - end, ..]);
            let mut out = a.slice_mut(s![strip.., strip..(strip + BLOCK).min(n)]);
            general_mat_mul(-1.0, &below, &across.t(), 1.0, &mut out);
        }
    }
    Some(())
}

/// The inverse of the lower triangle of `l`; zeros above its diagonal.
pub(super) fn invert_lower(l: &ArrayView2<'_, f64>) -> Array2<f64> {
    let n = l.nrows();
    let mut inverse = Array2::zeros((n, n));
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        // The rows of this block times what is inverted already, then solved for by the block itself.
        let mut left = Array2::zeros((end - start, end));
        let (above, _) = inverse.view().split_at(ndarray::Axis(0), start);
        general_mat_mul(
            -1.0,
            &l.slice(s![start..end, ..start]),
            &above.slice(s![.., ..start]),
            0.0,
            &mut left.slice_mut(s![.., ..start]),
        );
        for i in start..end {
            left[(i - start, i)] = 1.0;
            for k in start..i {
                let factor = l[(i, k)];
                let (done, mut row) = left.view_mut().split_at(ndarray::Axis(0), i - start);
                row.row_mut(0).scaled_add(-factor, &done.row(k - start));
            }
            let pivot = l[(i, i)];
            left.row_mut(i - start).mapv_inplace(|x| x / pivot);
        }
        inverse.slice_mut(s![start..end, ..end]).assign(&left);
    }
    inverse
}

/// x of a·x = b for a small positive definite `a`, which is used up; `None` where it is not.
pub(super) fn solve(a: &mut Array2<f64>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    factorise(a)?;
    for i in 0..b.len() {
        let before: f64 = (0..i).map(|k| a[(i, k)] * b[k]).sum();
        b[i] = (b[i] - before) / a[(i, i)];
    }
    for i in (0..b.len()).rev() {
        let behind: f64 = (i + 1..b.len()).map(|k| a[(k, i)] * b[k]).sum();
        b[i] = (b[i] - behind) / a[(i, i)];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positive definite, of no special form.
    fn example(n: usize) -> Array2<f64> {
        let x = Array2::from_shape_fn((n, n), |(i, j)| ((i * 7919 + j * 104_729) % 1009) as f64 / 500.0 - 1.0);
        x.dot(&x.t()) + Array2::<f64>::eye(n)
    }

    fn lower(l: &Array2<f64>) -> Array2<f64> {
        Array2::from_shape_fn(l.dim(), |(i, j)| if i >= j { l[(i, j)] } else { 0.0 })
    }

    #[test]
    fn factors_multiply_to_the_matrix_and_inverses_to_one() {
        for n in [1, 2, 63, 64, 65, 128, 200] {
            let a = example(n);
            let mut l = a.clone();
            factorise(&mut l).unwrap();
            let l = lower(&l);
            let scale = a.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            assert!((l.dot(&l.t()) - &a).iter().all(|x| x.abs() < 1e-12 * scale * n as f64), "{n}");
            let one = l.dot(&invert_lower(&l.view()));
            assert!((one - Array2::<f64>::eye(n)).iter().all(|x| x.abs() < 1e-9), "{n}");
            let x: Vec<f64> = (0..n).map(|i| i as f64 - 3.5).collect();
            let b = a.dot(&ndarray::arr1(&x)).to_vec();
            let found = solve(&mut a.clone(), b).unwrap();
            assert!(found.iter().zip(&x).all(|(f, x)| (f - x).abs() < 1e-7), "{n}");
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        let mut a = example(100);
        a[(80, 80)] = -1.0;
        assert!(factorise(&mut a).is_none());
        assert!(factorise(&mut Array2::zeros((3, 3))).is_none());
        let mut a = example(4);
        a[(2, 2)] = f64::NAN;
        assert!(factorise(&mut a).is_none());
    }
}
