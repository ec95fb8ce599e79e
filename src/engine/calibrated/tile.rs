//! A tile of rows coded, from weights to trits and scales.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

use super::{Factor, SWEEPS, Settings, descent, feedback, refit};
use crate::engine::ternary::{BlockError, Scratch, native_scale};

/// A block that cannot be coded.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("row {row}, block {block}: {error}")]
pub struct CodedError {
    /// Row of the tile.
    pub row: usize,
    /// Block of the row.
    pub block: usize,
    /// Why; indices count from the block's first weight.
    pub error: BlockError,
}

/// Buffers of one worker. All matrices are row by row.
#[derive(Debug, Default)]
pub struct TileWork {
    /// Weights as feedback changes them; later H times the residual.
    pub(super) current: Vec<f32>,
    /// What trits and scales decode to.
    pub(super) values: Vec<f32>,
    /// A scale for each row and block.
    pub(super) scales: Vec<f32>,
    /// Blocks that keep the code that they came with, for each row and block.
    pub(super) fixed: Vec<bool>,
    /// Feedback's e of one block; later the residual.
    pub(super) errors: Vec<f32>,
    /// W·H.
    pub(super) weights_h: Vec<f32>,
    /// Trits as floats.
    pub(super) trits: Vec<f32>,
    /// Trits of a block times its rows of H.
    pub(super) product: Vec<f32>,
    /// For each row the systems of [`refit`], blocks × blocks, and their right sides.
    pub(super) systems: Vec<f64>,
    pub(super) sides: Vec<f64>,
    pub(super) scratch: Scratch,
}

/// Sizes of a tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub rows: usize,
    pub columns: usize,
    pub block_len: usize,
}

impl Shape {
    pub(super) fn blocks(&self) -> usize {
        self.columns / self.block_len
    }

    pub(super) fn is_fixed(&self, work: &TileWork, row: usize, block: usize) -> bool {
        work.fixed[row * self.blocks() + block]
    }
}

/// What became of a tile. Errors are summed over its rows, e M eᵀ with the moments M as measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Coded {
    /// −1, 0 or 1 for each weight.
    pub trits: Vec<i8>,
    /// What a trit of 1 decodes to, for each row and block: what an f16 holds, never negative.
    pub scales: Vec<f32>,
    /// Whether a block was ternary before and keeps its code, for each row and block.
    pub native: Vec<bool>,
    /// Σ (w − ŵ) M (w − ŵ)ᵀ.
    pub output_error: f64,
    /// Σ w M wᵀ.
    pub output: f64,
    /// The damped error behind feedback and behind each round, for those who look at the way.
    pub course: Vec<f64>,
}

impl Coded {
    /// Codes the rows `weights` (as many as fit, each of `factor.columns`) in blocks of `block_len`, which divides the columns.
    /// A row's code does not depend on the other rows of the tile but for the last bits of matrix products. Errors: a weight
    /// that is NaN or infinite, a scale beyond f16.
    pub fn of(
        factor: &Factor,
        weights: &[f32],
        block_len: usize,
        settings: &Settings,
        work: &mut TileWork,
    ) -> Result<Self, CodedError> {
        let columns = factor.columns;
        let shape = Shape { rows: weights.len() / columns.max(1), columns, block_len };
        begin(weights, &shape, work)?;
        feedback::run(factor, &shape, work)?;
        product(weights, factor, &shape, &mut work.weights_h);
        let mut course = vec![residual(factor, weights, &shape, work)];
        for _ in 0..settings.rounds {
            refit::run(factor, &shape, work)?;
            residual(factor, weights, &shape, work);
            (0..SWEEPS).for_each(|_| descent::sweep(factor, &shape, work));
            // The sweeps have kept H times the residual.
            differences(weights, work);
            course.push(inner(&work.errors, &work.current));
        }
        if settings.rounds > 0 {
            refit::run(factor, &shape, work)?;
            course.push(residual(factor, weights, &shape, work));
        }
        Ok(finish(factor, weights, &shape, work, course))
    }
}

/// Buffers of the right length, and the codes of blocks that are ternary already.
fn begin(weights: &[f32], shape: &Shape, work: &mut TileWork) -> Result<(), CodedError> {
    let blocks = shape.blocks();
    work.current.clear();
    work.current.extend_from_slice(weights);
    work.values.clear();
    work.values.resize(weights.len(), 0.0);
    work.scales.clear();
    work.scales.resize(shape.rows * blocks, 0.0);
    work.fixed.clear();
    work.fixed.resize(shape.rows * blocks, false);
    for (i, block) in weights.chunks_exact(shape.block_len).enumerate() {
        if let Some(index) = block.iter().position(|w| !w.is_finite()) {
            let error = BlockError::NonFinite { index, value: block[index] };
            return Err(CodedError { row: i / blocks, block: i % blocks, error });
        }
        if let Some(scale) = native_scale(block) {
            let scale = scale.to_f32();
            (work.fixed[i], work.scales[i]) = (true, scale);
            for (value, w) in work.values[i * shape.block_len..].iter_mut().zip(block) {
                *value = if *w == 0.0 { 0.0 } else { scale.copysign(*w) };
            }
        }
    }
    Ok(())
}

/// A matrix that lies row by row in `values`, rows `stride` apart.
pub(super) fn matrix(values: &[f32], (rows, columns): (usize, usize), stride: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns).strides((stride, 1)), values).unwrap_or_else(|e| unreachable!("{e}"))
}

/// The same, to be written.
pub(super) fn matrix_mut(values: &mut [f32], (rows, columns): (usize, usize), stride: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, columns).strides((stride, 1)), values).unwrap_or_else(|e| unreachable!("{e}"))
}

/// `out` = rows · H.
fn product(rows: &[f32], factor: &Factor, shape: &Shape, out: &mut Vec<f32>) {
    out.resize(rows.len(), 0.0);
    let n = shape.columns;
    let h = matrix(&factor.h, (n, n), n);
    general_mat_mul(1.0, &matrix(rows, (shape.rows, n), n), &h, 0.0, &mut matrix_mut(out, (shape.rows, n), n));
}

/// The residual w − ŵ in `work.errors`.
fn differences(weights: &[f32], work: &mut TileWork) {
    work.errors.clear();
    work.errors.extend(weights.iter().zip(&work.values).map(|(w, v)| w - v));
}

/// The residual w − ŵ in `work.errors`, H times it in `work.current`; returns their product, the damped error.
fn residual(factor: &Factor, weights: &[f32], shape: &Shape, work: &mut TileWork) -> f64 {
    differences(weights, work);
    product(&work.errors, factor, shape, &mut work.current);
    inner(&work.errors, &work.current)
}

/// Σ aᵢbᵢ in f64.
pub(super) fn inner(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn finish(factor: &Factor, weights: &[f32], shape: &Shape, work: &TileWork, course: Vec<f64>) -> Coded {
    let columns = shape.columns;
    let each = |values: &[f32], times_h: &[f32]| -> f64 {
        let rows = values.chunks_exact(columns).zip(times_h.chunks_exact(columns));
        rows.map(|(row, h)| factor.undamped(inner(row, h), row.iter().copied())).sum()
    };
    Coded {
        trits: work.values.iter().map(|v| i8::from(*v > 0.0) - i8::from(*v < 0.0)).collect(),
        scales: work.scales.clone(),
        native: work.fixed.clone(),
        output_error: each(&work.errors, &work.current),
        output: each(weights, &work.weights_h),
        course,
    }
}
