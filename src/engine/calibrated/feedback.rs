//! Step 1: block by block from the left, and what a column loses the later ones mend.

use ndarray::linalg::general_mat_mul;

use super::Factor;
use super::tile::{CodedError, Shape, TileWork, matrix, matrix_mut};
use crate::engine::ternary::{BlockError, Scratch, optimum, to_f16};

/// Fills scales and values of a tile; `work.current` holds the weights and is used up.
pub(super) fn run(factor: &Factor, shape: &Shape, work: &mut TileWork) -> Result<(), CodedError> {
    let (columns, len) = (shape.columns, shape.block_len);
    work.errors.clear();
    work.errors.resize(shape.rows * len, 0.0);
    for block in 0..shape.blocks() {
        let start = block * len;
        for row in 0..shape.rows {
            let at = row * columns + start;
            if !shape.is_fixed(work, row, block) {
                let scale =
                    scale_of(&work.current[at..at + len], &factor.diagonal[start..start + len], &mut work.scratch)
                        .map_err(|error| CodedError { row, block, error })?;
                work.scales[row * shape.blocks() + block] = scale;
            }
            row_of_block(factor, shape, work, (row, block));
        }
        let rest = columns - start - len;
        if rest > 0 {
            // current[:, start + len ..] −= errors · U[start .. start + len, start + len ..]
            let errors = matrix(&work.errors, (shape.rows, len), len);
            let u = matrix(&factor.u[start * columns + start + len..], (len, rest), columns);
            let mut right = matrix_mut(&mut work.current[start + len..], (shape.rows, rest), columns);
            general_mat_mul(-1.0, &errors, &u, 1.0, &mut right);
        }
    }
    Ok(())
}

/// The exact optimum with these weights, rounded to f16.
fn scale_of(weights: &[f32], counts: &[f32], scratch: &mut Scratch) -> Result<f32, BlockError> {
    if let Some(index) = weights.iter().position(|w| !w.is_finite()) {
        return Err(BlockError::NonFinite { index, value: weights[index] });
    }
    to_f16(optimum(weights, Some(counts), scratch).scale).map(half::f16::to_f32)
}

/// The trits of one row in one block, column by column; e = (w − ŵ)/U_jj is left in `work.errors`.
fn row_of_block(factor: &Factor, shape: &Shape, work: &mut TileWork, (row, block): (usize, usize)) {
    let (columns, len) = (shape.columns, shape.block_len);
    let start = block * len;
    let fixed = shape.is_fixed(work, row, block);
    let scale = work.scales[row * shape.blocks() + block];
    let current = &mut work.current[row * columns + start..][..len];
    let values = &mut work.values[row * columns + start..][..len];
    let errors = &mut work.errors[row * len..][..len];
    for j in 0..len {
        let w = current[j];
        if !fixed {
            values[j] = nearest(w, scale);
        }
        let u = &factor.u[(start + j) * columns + start + j..][..len - j];
        let e = (w - values[j]) / u[0];
        errors[j] = e;
        for (later, u) in current[j + 1..].iter_mut().zip(&u[1..]) {
            *later -= e * u;
        }
    }
}

/// The nearest of −d, 0, d; 0 at half.
pub(super) fn nearest(w: f32, scale: f32) -> f32 {
    if w.abs() > scale / 2.0 { scale.copysign(w) } else { 0.0 }
}
