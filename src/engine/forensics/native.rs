//! Float weights that are ternary already: every block {−s, 0, +s}, so that `--method lossless` codes them as they are.
//!
//! A small sample tells ordinary weights at once; only where it holds nothing but ternary blocks every weight is looked at.

use crate::engine::codec::DType;
use crate::engine::error::Result;
use crate::engine::model::{Model, Tensor};
use crate::engine::preview::{Depth, SAMPLE_SEED, measure};
use crate::engine::progress::Cancel;
use crate::engine::ternary::{Format, Method};

/// Blocks of the sample. One block of 64 normal weights is never ternary; more guard against tensors that are zero in part.
const SAMPLE: Depth = Depth::Sample { blocks: 256, seed: SAMPLE_SEED };

/// Formats that are tried: the usual one, smaller groups, and the one whose scale is an f32 for the tensor.
const TRIED: [Format; 3] = [Format::Tq2_0, Format::Q2_0, Format::I2S];

/// A float tensor that is ternary already.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct NativeFloat {
    /// Its name.
    pub tensor: String,
    /// Its type.
    #[serde(rename = "type")]
    pub dtype: DType,
    /// A format that holds it without loss.
    pub format: Format,
    /// Blocks of this format, every one of them ternary.
    pub blocks: u64,
    /// Share of zeros.
    pub zero_share: f64,
    /// Mean of the blocks' scales.
    pub scale_mean: f64,
    /// Their standard deviation: 0 where the tensor has one scale, as a model trained ternary has.
    pub scale_std: f64,
}

/// Whether a tensor is one that could be: a linear layer in floats.
fn could_be(tensor: &Tensor) -> bool {
    let float = matches!(tensor.dtype, DType::F16 | DType::BF16 | DType::F32);
    float && tensor.role.is_linear() && tensor.elements() > 0 && tensor.decoder().is_some()
}

/// Looks whether a float tensor is ternary already. Errors: a failed read, cancellation.
pub fn native_float(model: &Model, index: usize, cancel: &Cancel) -> Result<Option<NativeFloat>> {
    let Some(tensor) = model.tensors.get(index).filter(|t| could_be(t)) else { return Ok(None) };
    for format in TRIED.into_iter().filter(|f| f.takes(tensor.row_len(), tensor.elements())) {
        if all_native(model, index, format, SAMPLE, cancel)?.is_some()
            && let Some(found) = all_native(model, index, format, Depth::Exact, cancel)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The tensor's figures, if every block looked at is ternary and not all are zero.
fn all_native(
    model: &Model,
    index: usize,
    format: Format,
    depth: Depth,
    cancel: &Cancel,
) -> Result<Option<NativeFloat>> {
    let report = measure(model, index, format, &[Method::Lossless], depth, cancel)?;
    let Some(method) = report.method(Method::Lossless) else { return Ok(None) };
    let scales = &method.stats.scales;
    let coded = method.problem.is_none() && report.non_finite.is_none();
    if !coded || scales.native != report.sampled_blocks || scales.sum == 0.0 {
        return Ok(None);
    }
    Ok(model.tensors.get(index).map(|tensor| NativeFloat {
        tensor: tensor.name.clone(),
        dtype: tensor.dtype,
        format,
        blocks: report.blocks,
        zero_share: method.stats.errors.zero_share(),
        scale_mean: scales.mean(),
        scale_std: scales.std(),
    }))
}
