//! Weights of a pair as two histograms, from a sample that is spread over the tensor.

use super::Pair;
use crate::engine::error::Result;
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::{Model, Tensor};
use crate::engine::progress::Cancel;
use crate::engine::stats::{SamplePlan, SignedF16Histogram};

/// Consecutive weights that are read at a time: a multiple of every block length.
const RUN: u64 = 1024;
/// Runs that are read at most.
const RUNS: usize = 512;
/// Seed of the sample: both tensors are looked at in the same places.
const SEED: u64 = 0x7061_6972;

/// The weights of both, as far as they can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histograms {
    /// Of the first model.
    pub a: Option<SignedF16Histogram>,
    /// Of the second model.
    pub b: Option<SignedF16Histogram>,
    /// Weights that were looked at in each.
    pub looked_at: u64,
    /// Whether those are all.
    pub whole: bool,
}

/// Looks at both tensors of a pair. Errors: cancellation; what cannot be read is left out.
pub fn histograms(a: &Model, b: &Model, pair: &Pair, cancel: &Cancel) -> Result<Histograms> {
    let (one, other) = pair.tensors(a, b);
    let elements = one.or(other).map_or(0, Tensor::elements);
    let plan = SamplePlan::new(elements.div_ceil(RUN), RUNS, SEED);
    let of = |model: &Model, tensor: Option<&Tensor>| -> Result<Option<SignedF16Histogram>> {
        match tensor.filter(|t| t.decoder().is_some()) {
            Some(tensor) => read(model, tensor, &plan, cancel),
            None => Ok(None),
        }
    };
    let looked_at = plan.iter().map(|run| RUN.min(elements - run * RUN)).sum();
    Ok(Histograms { a: of(a, one)?, b: of(b, other)?, looked_at, whole: looked_at == elements })
}

fn read(model: &Model, tensor: &Tensor, plan: &SamplePlan, cancel: &Cancel) -> Result<Option<SignedF16Histogram>> {
    let mut histogram = SignedF16Histogram::new();
    let (mut weights, mut buffer) = (Vec::new(), AlignedBuf::new());
    for run in plan.iter() {
        cancel.check()?;
        // Of another shape the second may be shorter.
        let Some(left) = tensor.elements().checked_sub(run * RUN).filter(|left| *left > 0) else { break };
        weights.resize(RUN.min(left) as usize, 0.0);
        if model.read_f32(tensor, run * RUN, &mut weights, &mut buffer).is_err() {
            return Ok(None);
        }
        weights.iter().filter(|w| w.is_finite()).for_each(|w| histogram.add_f32(*w));
    }
    Ok(Some(histogram))
}
