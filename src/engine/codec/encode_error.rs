//! Why a block of weights cannot be written in a type.

/// What an encoder refuses. The block's bytes are then not to be used.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// The first weight of the block that is NaN or infinite.
    #[error("weight {0} of the block is not a finite number")]
    NonFinite(usize),
    /// The scale that the block needs is beyond f16's range.
    #[error("the block's largest weight is {largest:e}, and the scale it needs is beyond f16's range")]
    ScaleOverflow {
        /// Largest magnitude among the block's weights.
        largest: f32,
    },
}

/// The largest magnitude of a block, every weight of which must be finite.
pub(super) fn largest_magnitude(weights: &[f32]) -> Result<f32, EncodeError> {
    let bits = weights.iter().fold(0, |max, w| max.max(w.to_bits() & 0x7fff_ffff));
    let largest = f32::from_bits(bits);
    if largest.is_finite() {
        return Ok(largest);
    }
    Err(EncodeError::NonFinite(weights.iter().position(|w| !w.is_finite()).unwrap_or(0)))
}
