//! The second moments of an input, made ready: shrunk, damped, factorised.

use ndarray::{Array2, s};

use super::{Settings, spd};

/// Why moments cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FactorError {
    /// Not a triangle of that many columns.
    #[error("{found} values are no triangle of {columns} columns ({expected} wanted)")]
    Size {
        /// Columns.
        columns: usize,
        /// Values wanted.
        expected: usize,
        /// Values there.
        found: usize,
    },
    /// A value is NaN or infinite.
    #[error("moment ({row}, {column}) is {value}")]
    NonFinite {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
        /// Its value.
        value: f32,
    },
    /// No input was ever anything but zero.
    #[error("all moments of the input are zero: nothing was measured")]
    Zero,
    /// The damped matrix has no Cholesky factor.
    #[error("the moments are not positive definite with a damping of {damping}; a greater one helps if they are sound")]
    NotPositive {
        /// The damping.
        damping: f64,
    },
}

/// H of one input, damped, with what feedback needs of its inverse. Both matrices are row by row, `columns` × `columns`.
#[derive(Debug, Clone)]
pub struct Factor {
    /// Inputs.
    pub columns: usize,
    /// H = (1 − shrinkage)·M + (shrinkage·diag M + damping·mean(diag M))·I of the moments M.
    pub(super) h: Vec<f32>,
    /// U, upper, with UᵀU = H⁻¹.
    pub(super) u: Vec<f32>,
    /// diag H.
    pub(super) diagonal: Vec<f32>,
    /// diag M, as measured.
    measured: Vec<f32>,
    /// What was added to the diagonal.
    added: f64,
    shrinkage: f64,
}

impl Factor {
    /// From the mean products of inputs i and j ≥ i, row by row (the upper triangle, `columns·(columns + 1)/2` values).
    ///
    /// U comes from the Cholesky factor of H turned around, J H J = L Lᵀ: R = J L J is upper with R Rᵀ = H, so that U = R⁻¹ has
    /// UᵀU = H⁻¹ without H⁻¹ ever being made.
    pub fn new(columns: usize, triangle: &[f32], settings: &Settings) -> Result<Self, FactorError> {
        let expected = columns * (columns + 1) / 2;
        if triangle.len() != expected {
            return Err(FactorError::Size { columns, expected, found: triangle.len() });
        }
        let mut full = Array2::<f64>::zeros((columns, columns));
        let mut values = triangle.iter();
        for (row, column) in (0..columns).flat_map(|i| (i..columns).map(move |j| (i, j))) {
            let value = values.next().copied().unwrap_or(0.0);
            if !value.is_finite() {
                return Err(FactorError::NonFinite { row, column, value });
            }
            let kept = if row == column { 1.0 } else { 1.0 - settings.shrinkage };
            full[(row, column)] = f64::from(value) * kept;
            full[(column, row)] = full[(row, column)];
        }
        let measured: Vec<f32> = (0..columns).map(|i| full[(i, i)] as f32).collect();
        let mean = measured.iter().map(|x| f64::from(*x)).sum::<f64>() / columns.max(1) as f64;
        if mean <= 0.0 {
            return Err(FactorError::Zero);
        }
        let added = settings.damping * mean;
        (0..columns).for_each(|i| full[(i, i)] += added);
        let mut turned = full.slice(s![..;-1, ..;-1]).to_owned();
        spd::factorise(&mut turned).ok_or(FactorError::NotPositive { damping: settings.damping })?;
        let inverse = spd::invert_lower(&turned.view());
        let (mut h, mut u) = (vec![0.0; columns * columns], vec![0.0; columns * columns]);
        for (i, j) in (0..columns).flat_map(|i| (0..columns).map(move |j| (i, j))) {
            h[i * columns + j] = full[(i, j)] as f32;
            if j >= i {
                u[i * columns + j] = inverse[(columns - 1 - i, columns - 1 - j)] as f32;
            }
        }
        let diagonal = (0..columns).map(|i| full[(i, i)] as f32).collect();
        Ok(Self { columns, h, u, diagonal, measured, added, shrinkage: settings.shrinkage })
    }

    /// e M eᵀ of the moments as measured, from e H eᵀ of the damped ones.
    pub(super) fn undamped(&self, damped: f64, e: impl Iterator<Item = f32>) -> f64 {
        let (plain, weighted) = e.zip(&self.measured).fold((0.0, 0.0), |(plain, weighted), (e, d)| {
            let square = f64::from(e) * f64::from(e);
            (plain + square, weighted + square * f64::from(*d))
        });
        let kept = 1.0 - self.shrinkage;
        if kept <= 0.0 {
            return weighted;
        }
        ((damped - self.added * plain - self.shrinkage * weighted) / kept).max(0.0)
    }

    /// Row `i` of H.
    pub(super) fn row(&self, i: usize) -> &[f32] {
        &self.h[i * self.columns..][..self.columns]
    }
}
