//! Step 2: trits fixed, all scales of a row jointly.
//!
//! With ŵ = Σ_g d_g t_g (t_g the trits of block g, 0 elsewhere) the error is dᵀAd − 2bᵀd and a constant, A_gh = t_g H t_hᵀ,
//! b_g = t_g H wᵀ: least where A d = b.

use ndarray::Array2;
use ndarray::linalg::general_mat_mul;

use super::tile::{CodedError, Shape, TileWork, matrix, matrix_mut};
use super::{Factor, spd};
use crate::engine::ternary::to_f16;

/// Replaces the scales of every row where that lowers its error; negative ones are folded into the trits.
pub(super) fn run(factor: &Factor, shape: &Shape, work: &mut TileWork) -> Result<(), CodedError> {
    systems(factor, shape, work);
    let blocks = shape.blocks();
    for row in 0..shape.rows {
        let found = solve(shape, work, row);
        let Some(found) = found else { continue };
        let old: Vec<f64> = work.scales[row * blocks..][..blocks].iter().map(|d| f64::from(*d)).collect();
        let mut new = old.clone();
        for (block, scale) in found {
            let fits = to_f16(scale.abs()).map_err(|error| CodedError { row, block, error })?;
            new[block] = f64::from(fits.to_f32()).copysign(scale);
        }
        let (system, side) =
            (&work.systems[row * blocks * blocks..][..blocks * blocks], &work.sides[row * blocks..][..blocks]);
        if cost(system, side, &new) < cost(system, side, &old) {
            take(shape, work, row, &new);
        }
    }
    Ok(())
}

/// dᵀAd − 2bᵀd.
fn cost(system: &[f64], side: &[f64], d: &[f64]) -> f64 {
    let rows = system.chunks_exact(d.len()).zip(d).zip(side);
    rows.map(|((row, d_g), b)| d_g * (row.iter().zip(d).map(|(a, d_h)| a * d_h).sum::<f64>() - 2.0 * b)).sum()
}

/// Writes new scales, and the values that they make of the trits.
fn take(shape: &Shape, work: &mut TileWork, row: usize, scales: &[f64]) {
    let (columns, len) = (shape.columns, shape.block_len);
    for (block, d) in scales.iter().enumerate() {
        let at = row * columns + block * len;
        for (value, t) in work.values[at..at + len].iter_mut().zip(&work.trits[at..at + len]) {
            *value = t * *d as f32;
        }
        work.scales[row * scales.len() + block] = d.abs() as f32;
    }
}

/// The least squares of one row over the blocks that have trits and are free; `None` where there are none.
fn solve(shape: &Shape, work: &TileWork, row: usize) -> Option<Vec<(usize, f64)>> {
    let blocks = shape.blocks();
    let system = &work.systems[row * blocks * blocks..][..blocks * blocks];
    let scales = &work.scales[row * blocks..][..blocks];
    let free: Vec<usize> =
        (0..blocks).filter(|g| !work.fixed[row * blocks + g] && system[g * blocks + g] > 0.0).collect();
    if free.is_empty() {
        return None;
    }
    let is_free = |g: &usize| free.binary_search(g).is_ok();
    let mut left = Array2::from_shape_fn((free.len(), free.len()), |(i, j)| system[free[i] * blocks + free[j]]);
    let right = free.iter().map(|g| {
        let held = (0..blocks).filter(|h| !is_free(h)).map(|h| system[g * blocks + h] * f64::from(scales[h]));
        work.sides[row * blocks + g] - held.sum::<f64>()
    });
    let solution = spd::solve(&mut left, right.collect())?;
    let found: Vec<(usize, f64)> = free.into_iter().zip(solution).collect();
    found.iter().all(|(_, d)| d.is_finite()).then_some(found)
}

/// A and b of every row; A whole, of whose triangle one half is computed.
fn systems(factor: &Factor, shape: &Shape, work: &mut TileWork) {
    let (columns, len, blocks) = (shape.columns, shape.block_len, shape.blocks());
    let TileWork { values, trits, product, systems, sides, weights_h, .. } = work;
    trits.clear();
    trits.extend(values.iter().map(|v| if *v == 0.0 { 0.0 } else { 1.0f32.copysign(*v) }));
    systems.clear();
    systems.resize(shape.rows * blocks * blocks, 0.0);
    sides.clear();
    sides.resize(shape.rows * blocks, 0.0);
    product.resize(shape.rows * columns, 0.0);
    for block in 0..blocks {
        let start = block * len;
        let rest = columns - start;
        let left = matrix(&trits[start..], (shape.rows, len), columns);
        let right = matrix(&factor.h[start * columns + start..], (len, rest), columns);
        general_mat_mul(1.0, &left, &right, 0.0, &mut matrix_mut(product, (shape.rows, rest), rest));
        for row in 0..shape.rows {
            let line = &product[row * rest..][..rest];
            let trits = &trits[row * columns..][..columns];
            for other in block..blocks {
                let at = other * len;
                let a = sum(&line[at - start..][..len], &trits[at..][..len]);
                let system = &mut systems[row * blocks * blocks..][..blocks * blocks];
                (system[block * blocks + other], system[other * blocks + block]) = (a, a);
            }
            sides[row * blocks + block] = sum(&weights_h[row * columns + start..][..len], &trits[start..][..len]);
        }
    }
}

/// Σ aᵢtᵢ: in f32 over eight, then in f64.
fn sum(a: &[f32], t: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 8];
    for (a, t) in a.chunks_exact(8).zip(t.chunks_exact(8)) {
        for (lane, (a, t)) in lanes.iter_mut().zip(a.iter().zip(t)) {
            *lane += f64::from(a * t);
        }
    }
    lanes.iter().sum()
}
