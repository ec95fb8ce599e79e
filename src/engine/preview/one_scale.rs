//! The one scale of a tensor, found by passes over all of its weights in parallel.

use rayon::prelude::*;

use super::{Weighing, bands_of};
use crate::engine::error::Result;
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::{Model, Tensor};
use crate::engine::progress::Cancel;
use crate::engine::ternary::{BlockError, Gather, Method, Whole, WholeCode};

/// Elements of a part. Fixed: sums are added up part by part, and the result must not depend on threads or memory.
const PART: u64 = 1 << 20;
/// Elements that are read at once.
const PIECE: u64 = 1 << 16;
/// Parts whose sums are in memory at once.
const WAVE: usize = 4;

/// The tensor's code under `method`; the inner error is a tensor that the method cannot code. Errors: a failed read,
/// cancellation.
pub fn find_one_scale(
    model: &Model,
    tensor: &Tensor,
    method: Method,
    weighing: &Weighing<'_>,
    cancel: &Cancel,
) -> Result<Result<WholeCode, BlockError>> {
    let mut whole = Whole::new(method);
    let bands: Vec<(u64, u64)> = bands_of(0, tensor.elements(), PART).collect();
    loop {
        let mut total = whole.gather();
        for wave in bands.chunks(WAVE) {
            let parts: Vec<Result<Gather>> = wave
                .par_iter()
                .map_init(
                    || (Vec::new(), AlignedBuf::new(), Vec::new()),
                    |(weights, buffer, counts), (first, len)| {
                        let mut part = whole.gather();
                        for (first, len) in bands_of(*first, *len, PIECE) {
                            cancel.check()?;
                            weights.resize(len as usize, 0.0);
                            model.read_f32(tensor, first, weights, buffer)?;
                            part.add(weights, weighing.of_run(first, len as usize, counts), first);
                        }
                        Ok(part)
                    },
                )
                .collect();
            for part in parts {
                total.merge(&part?);
            }
        }
        match whole.take(&total) {
            Ok(None) => {}
            Ok(Some(code)) => return Ok(Ok(code)),
            Err(problem) => return Ok(Err(problem)),
        }
    }
}
