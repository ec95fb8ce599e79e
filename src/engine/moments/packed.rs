//! The upper triangle of a symmetric matrix, row by row, and what must be true of second moments.

/// By how much a product may pass what its squares allow. Rounding to bf16 moves each of the three by up to 2⁻⁹, together
/// 2⁻⁸; this leaves room for a few such roundings, of files that were merged. Means of such matrices keep within it.
const SLACK: f64 = 1.0 / 64.0;

/// Values of a packed triangle of `columns`, saturating.
pub(super) fn len(columns: usize) -> usize {
    columns.checked_add(1).and_then(|n| columns.checked_mul(n)).map_or(usize::MAX, |twice| twice / 2)
}

/// The columns whose triangle has `len` values; `None` where no triangle has so many.
pub(super) fn columns_of(len: u64) -> Option<u64> {
    // The root is right to within a few units; the exact product decides.
    let root = (((8.0 * len as f64 + 1.0).sqrt() - 1.0) / 2.0) as u64;
    let triangle = |n: u64| u128::from(n) * (u128::from(n) + 1) / 2;
    (root.saturating_sub(2)..=root + 2).find(|n| *n > 0 && triangle(*n) == u128::from(len))
}

/// Where row `i` of a triangle of `columns` begins: its first value is the one on the diagonal.
pub(super) fn row_start(columns: usize, i: usize) -> usize {
    i * (2 * columns + 1 - i) / 2
}

/// Moments of one input: means of x_i·x_j for j ≥ i.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    /// Rows and columns of the whole matrix.
    pub columns: usize,
    /// Its upper triangle row by row: (i, j ≥ i) at i·n − i·(i − 1)/2 + (j − i).
    pub values: Vec<f32>,
}

impl Packed {
    /// The mean of x_i·x_j; NaN outside the matrix.
    pub fn at(&self, i: usize, j: usize) -> f32 {
        let (i, j) = (i.min(j), i.max(j));
        if j >= self.columns {
            return f32::NAN;
        }
        self.values.get(row_start(self.columns, i) + (j - i)).copied().unwrap_or(f32::NAN)
    }

    /// The means of squares.
    pub fn diagonal(&self) -> Vec<f32> {
        (0..self.columns).map(|i| self.at(i, i)).collect()
    }

    /// Row `i` from the diagonal on: `columns − i` values.
    pub fn row(&self, i: usize) -> &[f32] {
        let start = row_start(self.columns, i.min(self.columns));
        self.values.get(start..start + (self.columns - i.min(self.columns))).unwrap_or(&[])
    }

    /// Whether these can be second moments of `tokens` inputs, or what speaks against it.
    pub(super) fn check(&self, tokens: u64) -> Result<(), String> {
        if self.values.len() != len(self.columns) {
            let (found, wanted) = (self.values.len(), len(self.columns));
            return Err(format!("{found} values, {} columns have {wanted}", self.columns));
        }
        let diagonal = self.diagonal();
        check_diagonal(&diagonal, tokens)?;
        if tokens == 0 {
            // The diagonal is zero, so that the rule for products says the same of the others.
            return match self.values.iter().position(|v| *v != 0.0) {
                Some(at) => Err(format!("value {at} is {}, and no token is behind it", self.values[at])),
                None => Ok(()),
            };
        }
        // Each factor takes half of the slack; f64, because squares of small values have no f32 of their own.
        let roots: Vec<f64> = diagonal.iter().map(|d| (f64::from(*d) * (1.0 + SLACK)).sqrt()).collect();
        for (i, root) in roots.iter().enumerate() {
            // The smallest normal value is for what was rounded below it.
            let fits = |value: &f32, other: &f64| f64::from(value.abs()) <= root * other + f64::from(f32::MIN_POSITIVE);
            let row = self.row(i);
            if row.iter().zip(&roots[i..]).fold(true, |all, (value, other)| all & fits(value, other)) {
                continue;
            }
            if let Some(at) = row.iter().zip(&roots[i..]).position(|(value, other)| !fits(value, other)) {
                return Err(self.impossible(i, i + at));
            }
        }
        Ok(())
    }

    /// What is wrong with the product of i and j.
    fn impossible(&self, i: usize, j: usize) -> String {
        let value = self.at(i, j);
        if !value.is_finite() {
            return format!("the product of columns {i} and {j} is {value}, expected a finite number");
        }
        format!(
            "the product of columns {i} and {j} is {value}, more than their squares {} and {} allow: no second moments",
            self.at(i, i),
            self.at(j, j)
        )
    }
}

/// Squares are finite and not negative; with tokens behind them some are above zero, without all are zero.
pub(super) fn check_diagonal(diagonal: &[f32], tokens: u64) -> Result<(), String> {
    if let Some(i) = diagonal.iter().position(|d| !d.is_finite() || *d < 0.0) {
        return Err(format!("the square of column {i} is {}, expected a finite number of at least 0", diagonal[i]));
    }
    let positive = diagonal.iter().position(|d| *d > 0.0);
    match (positive, tokens) {
        (None, 1..) => Err(format!("all squares are zero, but {tokens} tokens are behind them: no second moments")),
        (Some(i), 0) => Err(format!("the square of column {i} is {}, and no token is behind it", diagonal[i])),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_a_triangle_are_those_of_the_form() {
        for n in [1usize, 2, 3, 7, 40] {
            let mut at = 0;
            for i in 0..n {
                assert_eq!(row_start(n, i), at, "row {i} of {n}");
                assert_eq!(row_start(n, i) as i64, (i * n) as i64 - (i as i64 * (i as i64 - 1)) / 2);
                at += n - i;
            }
            assert_eq!(len(n), at);
            assert_eq!(columns_of(at as u64), Some(n as u64));
        }
    }

    #[test]
    fn only_triangles_have_columns() {
        for n in [1u64, 2, 1000, 16_384, 3_000_000_000, 4_000_000_000] {
            let triangle = n * (n + 1) / 2;
            assert_eq!(columns_of(triangle), Some(n));
            assert_eq!(columns_of(triangle + 1), None, "{n}");
        }
        assert_eq!(columns_of(0), None);
        assert_eq!(columns_of(u64::MAX), None);
        assert_eq!(len(usize::MAX), usize::MAX);
    }

    #[test]
    fn both_halves_are_the_same_and_outside_there_is_nothing() {
        let packed = Packed { columns: 3, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        assert_eq!([packed.at(0, 2), packed.at(2, 0), packed.at(2, 1), packed.at(1, 1)], [3.0, 3.0, 5.0, 4.0]);
        assert_eq!(packed.diagonal(), [1.0, 4.0, 6.0]);
        assert_eq!(packed.row(1), [4.0, 5.0]);
        assert!(packed.at(0, 3).is_nan() && packed.row(3).is_empty() && packed.row(9).is_empty());
    }

    #[test]
    fn what_cannot_be_second_moments_is_told() {
        let check = |values: &[f32], tokens| Packed { columns: 2, values: values.to_vec() }.check(tokens);
        assert_eq!(check(&[4.0, 2.0, 1.0], 1), Ok(()));
        assert_eq!(check(&[4.0, -2.0, 1.0], 1), Ok(()));
        assert_eq!(check(&[4.0, 2.01, 1.0], 1), Ok(()), "rounding");
        assert_eq!(check(&[4.0, 0.0, 0.0], 1), Ok(()), "a column that is always zero");
        assert_eq!(check(&[1e-44, 1e-42, 1e-40], 1), Ok(()), "values below the normal ones");
        assert_eq!(check(&[0.0, 0.0, 0.0], 0), Ok(()));
        for (values, tokens, part) in [
            ([4.0, 2.04, 1.0], 1, "columns 0 and 1 is 2.04"),
            ([4.0, -2.04, 1.0], 1, "columns 0 and 1 is -2.04"),
            ([4.0, 1.0, 0.0], 1, "their squares 4 and 0 allow"),
            ([4.0, f32::NAN, 1.0], 1, "is NaN"),
            ([4.0, f32::INFINITY, 1.0], 1, "is inf"),
            ([f32::INFINITY, 0.0, 1.0], 1, "the square of column 0 is inf"),
            ([1.0, 0.0, -1.0], 1, "the square of column 1 is -1"),
            ([0.0, 0.0, 0.0], 7, "but 7 tokens"),
            ([0.0, 0.0, 1.0], 0, "no token is behind it"),
            ([0.0, 1.0, 0.0], 0, "no token is behind it"),
        ] {
            let wrong = check(&values, tokens).unwrap_err();
            assert!(wrong.contains(part), "{values:?}: {wrong}");
        }
        assert!(Packed { columns: 2, values: vec![1.0] }.check(1).is_err());
    }
}
