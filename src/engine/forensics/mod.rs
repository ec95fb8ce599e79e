//! What is in the ternary tensors of a model: every code and scale looked at, one tensor after the other.
//!
//! [`gather`] runs over a tensor in bands, in parallel inside the caller's rayon pool, and merges them in order, so that
//! its figures do not depend on the number of threads. What is counted and what it tells is in
//! [`crate::engine::stats::forensics`]; [`base`] compares with the model that a ternary one may have been made from,
//! [`native`] finds float weights that are ternary already. The documents are made in [`crate::engine::report::trits`].

pub mod base;
pub mod look;
pub mod native;

use rayon::prelude::*;

use super::codec::DType;
use super::error::Result;
use super::format::source::AlignedBuf;
use super::model::codes::{CodeRun, has_fourth_level};
use super::model::{Model, Tensor};
use super::preview::bands_of;
use super::progress::{Cancel, Delta, Progress};
use super::stats::forensics::{CodeThree, Context, SignAgreement, TritForensics, Verdict, verdict};

use base::Counterpart;

/// Weights that one task takes. Fixed: sums of f64 are added up band by band.
const BAND: u64 = 1 << 18;
/// Bands whose parts are in memory at once; a part has about 25 KB, and 16 bytes for each of its different blocks.
const WAVE: usize = 32;
/// Fewest weights that count as a block in formats with one scale for the tensor, whose groups may be of four.
const SHORTEST_BLOCK: usize = 64;

/// What was gathered of one tensor.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// Everything counted over all of its blocks.
    pub figures: TritForensics,
    /// The same in short for each matrix of a merged tensor; empty where there is one.
    pub slices: Vec<SliceFigures>,
    /// How its signs agree with a base model's, where one was given.
    pub agreement: Option<SignAgreement>,
    /// First weight of the first block whose scale is NaN or infinite.
    pub first_bad_scale: Option<u64>,
}

/// A few figures of one matrix of a merged tensor.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SliceFigures {
    /// Codes that mean something.
    pub codes: u64,
    /// Codes that are 0.
    pub zeros: u64,
    /// Blocks.
    pub blocks: u64,
    /// Blocks that decode to zeros: no other codes, or a scale of 0.
    pub dead_blocks: u64,
    /// Blocks whose scale is NaN, infinite or beyond f16.
    pub bad_scales: u64,
    /// Blocks with a finite scale other than 0, and their sum.
    scales: (u64, f64),
}

impl SliceFigures {
    fn add(&mut self, part: &TritForensics) {
        self.codes += part.legal_codes();
        self.zeros += part.zeros();
        self.blocks += part.blocks;
        self.dead_blocks += part.zero_blocks + part.silenced;
        self.bad_scales += part.scales.nan + part.scales.infinite;
        self.scales.0 += part.scales.usable;
        self.scales.1 += part.scales.mean() * part.scales.usable as f64;
    }

    /// Share of zeros.
    pub fn zero_share(&self) -> f64 {
        self.zeros as f64 / self.codes.max(1) as f64
    }

    /// Mean of the scales that are finite and not 0.
    pub fn scale_mean(&self) -> f64 {
        self.scales.1 / self.scales.0.max(1) as f64
    }

    /// Whether every weight decodes to 0.
    pub fn is_zero(&self) -> bool {
        self.blocks > 0 && self.dead_blocks == self.blocks
    }
}

/// Whether every weight of a tensor decodes to 0.
pub fn is_zero(figures: &TritForensics) -> bool {
    figures.blocks > 0 && figures.zero_blocks + figures.silenced == figures.blocks
}

/// What the figures of this tensor cannot say of themselves.
pub fn context(model: &Model, tensor: &Tensor) -> Context {
    Context {
        matrices: tensor.slices(),
        scale_per_tensor: tensor.has_one_scale(),
        bitnet: model.architecture.as_deref().is_some_and(|a| a.starts_with("bitnet")),
    }
}

/// Where the tensor comes from, as its figures tell.
pub fn judge(model: &Model, tensor: &Tensor, gathered: &Gathered) -> Verdict {
    verdict(&gathered.figures, context(model, tensor))
}

/// What the fourth code means in a type.
fn code_three(dtype: DType) -> CodeThree {
    if has_fourth_level(dtype) { CodeThree::PlusTwo } else { CodeThree::Illegal }
}

/// Looks at every code of a ternary tensor, and at the weights of `base` beside them. Errors: a type that has no codes, a
/// failed read, cancellation.
pub fn gather(
    model: &Model,
    tensor: &Tensor,
    base: Option<Counterpart<'_>>,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Gathered> {
    let look = Look { model, tensor, base, cancel };
    let slices = tensor.slices();
    let slice_len = tensor.elements() / slices;
    let bands: Vec<(u64, u64)> = (0..slices).flat_map(|slice| bands_of(slice * slice_len, slice_len, BAND)).collect();
    let mut total = Gathered {
        figures: TritForensics::new(code_three(tensor.dtype), tensor.row_len(), 0),
        slices: if slices > 1 { vec![SliceFigures::default(); slices as usize] } else { Vec::new() },
        agreement: base.map(|_| SignAgreement::default()),
        first_bad_scale: None,
    };
    for wave in bands.chunks(WAVE) {
        let parts: Vec<Result<Gathered>> =
            wave.par_iter().map_init(Work::default, |work, band| look.part(*band, work)).collect();
        for ((first, len), part) in wave.iter().zip(parts) {
            let part = part?;
            total.figures.merge(&part.figures);
            if let Some(slice) = total.slices.get_mut((first / slice_len.max(1)) as usize) {
                slice.add(&part.figures);
            }
            if let (Some(sum), Some(part)) = (&mut total.agreement, &part.agreement) {
                sum.merge(part);
            }
            total.first_bad_scale = total.first_bad_scale.or(part.first_bad_scale);
            progress.report(Delta::Bytes(blocks_bytes(tensor, *len)));
        }
    }
    Ok(total)
}

/// Bytes of the blocks of `len` weights.
fn blocks_bytes(tensor: &Tensor, len: u64) -> u64 {
    tensor.dtype.layout().map_or(0, |l| len.div_ceil(l.block_len) * l.block_bytes)
}

/// One look at a tensor.
struct Look<'a> {
    model: &'a Model,
    tensor: &'a Tensor,
    base: Option<Counterpart<'a>>,
    cancel: &'a Cancel,
}

/// Buffers of one worker.
#[derive(Default)]
struct Work {
    run: CodeRun,
    buffer: AlignedBuf,
    weights: Vec<f32>,
}

impl Look<'_> {
    fn part(&self, (first, len): (u64, u64), work: &mut Work) -> Result<Gathered> {
        self.cancel.check()?;
        self.model.read_codes(self.tensor, (first, len), &mut work.run, &mut work.buffer)?;
        let run = &work.run;
        let per_block = SHORTEST_BLOCK.div_ceil(run.block_len.max(1));
        let block_len = per_block * run.block_len.max(1);
        let mut figures = TritForensics::new(code_three(self.tensor.dtype), self.tensor.row_len(), first);
        let mut first_bad_scale = None;
        let scales = run.scales.chunks(per_block).zip(run.illegal.chunks(per_block));
        for (i, (codes, (scales, illegal))) in run.codes.chunks(block_len).zip(scales).enumerate() {
            let scale = scales.first().copied().unwrap_or(0.0);
            if !scale.is_finite() {
                first_bad_scale.get_or_insert(first + (i * block_len) as u64);
            }
            figures.add_block(codes, scale, illegal.iter().sum());
        }
        let agreement = match &self.base {
            None => None,
            Some(base) => {
                let weights = base.read((first, len), &mut work.weights, &mut work.buffer)?;
                let mut agreement = SignAgreement::default();
                agreement.add(&work.run.codes, weights);
                Some(agreement)
            }
        };
        Ok(Gathered { figures, slices: Vec::new(), agreement, first_bad_scale })
    }
}
