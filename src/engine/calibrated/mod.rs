//! Codes chosen for the output of a layer instead of its weights: error feedback, joint scales, descent.
//!
//! For a matrix W (rows × columns) whose inputs have the second moments H = E\[x xᵀ\], a code Ŵ costs
//! tr((W − Ŵ) H (W − Ŵ)ᵀ), and that is a sum over rows: every row is coded for itself. [`Factor`] prepares H (shrunk, damped,
//! factorised) once for an input, [`Coded::of`] codes a tile of rows:
//!
//! 1. *Feedback* (GPTQ, arXiv 2210.17323, with ternary codes): block by block from the left; a block's scale is the
//!    exact optimum with the weights diag H on what the columns have become; then column by column the nearest trit, and what is
//!    lost there the later columns mend, by U with UᵀU = H⁻¹.
//! 2. *Refit*: trits fixed, all scales of a row by least squares under H, jointly ([`refit`]).
//! 3. *Descent*: scales fixed, each trit again given all others ([`descent`]); rounds of 2 and 3, and 2 at the end.
//!
//! A refit is kept, after rounding to f16, only where it lowers the row's error, and a trit moves only where that does: so the
//! error never rises. Blocks that are ternary already keep their codes, as under every method. Nothing here knows files.

mod descent;
mod factor;
mod feedback;
mod refit;
mod spd;
mod tile;

pub use factor::{Factor, FactorError};
pub use tile::{Coded, CodedError, TileWork};

/// How the moments are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Added to the diagonal of H, as a share of its mean.
    pub damping: f64,
    /// How far H is moved towards its diagonal: 0 leaves it, 1 leaves nothing else.
    pub shrinkage: f64,
    /// Rounds of refit and descent.
    pub rounds: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { damping: 0.01, shrinkage: 0.0, rounds: 3 }
    }
}

/// Sweeps over the columns in each round.
const SWEEPS: usize = 2;
