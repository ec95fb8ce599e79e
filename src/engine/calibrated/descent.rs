//! Step 3: scales fixed, each trit again given all others.

use super::Factor;
use super::feedback::nearest;
use super::tile::{Shape, TileWork};
use crate::engine::ternary::kernels::{Kernel, subtract_multiple};

/// One sweep over the columns. `work.current` holds (w − ŵ)·H and is kept so.
///
/// With all others fixed the error is H_jj·(z − v)² and what does not depend on z, where v = ŵ_j + ((w − ŵ)H)_j / H_jj: the best z is the
/// nearest of −d, 0, d to v.
pub(super) fn sweep(factor: &Factor, shape: &Shape, work: &mut TileWork) {
    let (columns, blocks) = (shape.columns, shape.blocks());
    let subtract = subtract_multiple(Kernel::current());
    // Column by column, so that a row of H serves all rows of the tile.
    for j in 0..columns {
        let (h, diagonal) = (factor.row(j), factor.diagonal[j]);
        for row in 0..shape.rows {
            let block = row * blocks + j / shape.block_len;
            if work.fixed[block] {
                continue;
            }
            let value = &mut work.values[row * columns + j];
            let current = &mut work.current[row * columns..][..columns];
            let best = nearest(*value + current[j] / diagonal, work.scales[block]);
            let step = best - *value;
            if step != 0.0 {
                *value = best;
                subtract(current, step, h);
            }
        }
    }
}
