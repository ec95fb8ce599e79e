//! What the panes and the what-if ask for: a tensor tried in a format by one or more methods, on a sample or on all.
//!
//! [`measure`] reads blocks, codes them by every method that is asked for, and returns numbers only. A sample is spread
//! over the whole tensor with a fixed seed and carries intervals; the exact pass runs over bands in parallel inside the
//! caller's rayon pool and merges them in order, so that its digits do not depend on the number of threads. Formats with
//! one scale a tensor are scanned for it first ([`find_one_scale`]).

mod block;
mod grid;
mod one_scale;
mod part;
mod place;
mod sums;
mod weighing;

use std::sync::Mutex;

use rayon::prelude::*;

use super::error::{Error, Result};
use super::imatrix::Imatrix;
use super::model::{Model, Tensor};
use super::progress::Cancel;
use super::stats::{BlockStats, Estimate, F16Histogram, SampleMoments, SamplePlan, SignedF16Histogram};
use super::ternary::kernels::Weights;
use super::ternary::{Coder, CoderWork, Format, Method, WholeCode, whole_code};

pub use block::{BlockLook, CodedBlock, RawBlock, look_at_block};
pub use grid::{CELLS, Cell, Expert, Experts, Grid, GridAsk, Measure, Spot, Window, experts, grid};
pub use one_scale::find_one_scale;
pub use part::block_problem;
pub use place::BlockShape;
pub use sums::WeightSums;
pub use weighing::Weighing;

use part::{Coders, Counts, MethodPart, Part, Work};

/// Blocks in a sample, unless the caller wants another number.
pub const SAMPLE_BLOCKS: usize = 1024;
/// Seed of every sample that is shown.
pub const SAMPLE_SEED: u64 = 0x7472_6974;
/// Elements that one task of an exact pass takes.
const BAND: u64 = 1 << 16;
/// Bands whose parts are in memory at once.
const WAVE: usize = 1024;
/// Row bands that a report distinguishes at most.
const ROW_BANDS: u64 = 64;

/// How much of a tensor is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Depth {
    /// So many blocks, spread evenly, with this seed.
    Sample {
        /// Blocks wanted; all are taken where the tensor has no more.
        blocks: usize,
        /// Seed of the sample.
        seed: u64,
    },
    /// Every block.
    Exact,
}

impl Depth {
    /// The sample that is shown until the exact figures are there.
    pub const SHOWN: Self = Self::Sample { blocks: SAMPLE_BLOCKS, seed: SAMPLE_SEED };
}

/// What one method makes of the tensor.
#[derive(Debug, Clone)]
pub struct MethodReport {
    /// The method.
    pub method: Method,
    /// Error and scale sums over the blocks looked at.
    pub stats: BlockStats,
    /// Relative squared error with its 95 % interval; a point once exact.
    pub rel_mse: Estimate,
    /// Per-block sums, for estimates over several tensors.
    pub moments: SampleMoments,
    /// Per-block scales.
    pub scales: F16Histogram,
    /// Why the method cannot code the tensor, if it cannot.
    pub problem: Option<String>,
}

impl MethodReport {
    /// SQNR in dB of the (estimated) relative error.
    pub fn sqnr_db(&self) -> f64 {
        sqnr_db(self.rel_mse.value)
    }
}

/// −10·log10 of a relative squared error; infinite where there is none.
pub fn sqnr_db(rel_mse: f64) -> f64 {
    if rel_mse > 0.0 { -10.0 * rel_mse.log10() } else { f64::INFINITY }
}

/// What was measured of a tensor.
#[derive(Debug, Clone)]
pub struct TensorReport {
    /// Index of the tensor in the model.
    pub tensor: usize,
    /// The format whose block length was used.
    pub format: Format,
    /// Whether every block was looked at.
    pub exact: bool,
    /// Blocks of the tensor.
    pub blocks: u64,
    /// Blocks looked at.
    pub sampled_blocks: u64,
    /// The methods, in the order they were asked for.
    pub methods: Vec<MethodReport>,
    /// The weights looked at; empty where nobody asked for them.
    pub weights: SignedF16Histogram,
    /// Sums of the weights: Σw, Σw², Σ|w|, and how many. The same.
    pub sums: WeightSums,
    /// First method, per matrix of a 3-D tensor (per expert, where they are merged). Only in exact reports of
    /// tensors that have more than one.
    pub slices: Vec<BlockStats>,
    /// First method, in at most 64 bands of rows. Only in exact reports.
    pub row_bands: Vec<BlockStats>,
    /// Index of the first NaN or infinity among the elements looked at; no method can code the tensor then.
    pub non_finite: Option<u64>,
    /// `exact` without regard to importance, where that was asked for and there is importance to disregard.
    pub blind: Option<MethodReport>,
}

impl TensorReport {
    /// Whether every block looked at was {−s, 0, +s} before, so that coding it loses nothing.
    pub fn is_native(&self) -> bool {
        let scales = self.methods.first().map(|m| &m.stats.scales);
        self.format.is_plain() && scales.is_some_and(|s| s.blocks > 0 && s.native == s.blocks)
    }

    /// What one method makes of the tensor, if it was asked for.
    pub fn method(&self, method: Method) -> Option<&MethodReport> {
        self.methods.iter().find(|m| m.method == method)
    }
}

/// What is measured: a tensor in blocks of a format, by these methods, weighted or not.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Index of the tensor in the model.
    pub tensor: usize,
    /// The format.
    pub format: Format,
    /// The methods; the first one's figures are also given per slice and row band.
    pub methods: &'a [Method],
    /// How much is looked at.
    pub depth: Depth,
    /// What each column counts, if it is known.
    pub imatrix: Option<&'a Imatrix>,
    /// Whether `exact` is also tried as if there were no importance matrix, to show what it changes.
    pub blind: bool,
    /// Whether the weights themselves are looked at: their histogram and sums.
    pub weights: bool,
}

/// Measures what `methods` make of a tensor in blocks of `format`. The first method's figures are also given per slice
/// and row band. Errors: a tensor whose type has no decoder or whose rows do not divide, an importance matrix of another
/// size, a failed read, cancellation.
pub fn measure(
    model: &Model,
    index: usize,
    format: Format,
    methods: &[Method],
    depth: Depth,
    cancel: &Cancel,
) -> Result<TensorReport> {
    let ask = Ask { tensor: index, format, methods, depth, imatrix: None, blind: false, weights: true };
    measure_weighted(model, &ask, cancel)
}

/// The same with an importance matrix.
pub fn measure_weighted(model: &Model, ask: &Ask<'_>, cancel: &Cancel) -> Result<TensorReport> {
    let (tensor, format) = (&model.tensors[ask.tensor], ask.format);
    let block_len = format.block_len() as u64;
    if !format.takes(tensor.row_len(), tensor.elements()) || tensor.elements() == 0 {
        let what = format!("rows of {} are not a multiple of the {block_len} elements of a block", tensor.row_len());
        return Err(Error::tensor(&model.path, &tensor.name, what));
    }
    let weighing = Weighing::of(ask.imatrix, tensor)?;
    let blocks = tensor.elements().div_ceil(block_len);
    let mut report = TensorReport {
        tensor: ask.tensor,
        format,
        exact: true,
        blocks,
        sampled_blocks: blocks,
        methods: Vec::new(),
        weights: SignedF16Histogram::new(),
        sums: WeightSums::default(),
        slices: Vec::new(),
        row_bands: Vec::new(),
        non_finite: None,
        blind: None,
    };
    // A codebook is searched in one way: what is found stands for every method that was asked for.
    let distinct = if format.is_plain() { ask.methods.len() } else { ask.methods.len().min(1) };
    let blind = ask.blind && format.is_plain() && weighing.is_known();
    let (methods, weights) = (&ask.methods[..distinct], ask.weights);
    let look = Look { model, tensor, format, methods, blind, weights, weighing, cancel };
    let (total, counts) = match ask.depth {
        Depth::Sample { blocks: wanted, seed } if (wanted as u64) < blocks => {
            report.exact = false;
            report.sampled_blocks = wanted as u64;
            look.sample(&SamplePlan::new(blocks, wanted, seed))?
        }
        _ => look.exact(&mut report)?,
    };
    report.weights = counts.weights.histogram();
    report.sums = total.sums;
    report.non_finite = total.non_finite;
    let named = look.methods.iter().copied().chain(blind.then_some(Method::Exact));
    let figures = |((method, part), scales)| method_report(method, part, scales, blocks);
    report.methods = named.zip(total.methods).zip(counts.scales).map(figures).collect();
    report.blind = if blind { report.methods.pop() } else { None };
    if let Some(first) = report.methods.first().cloned() {
        let others = ask.methods.iter().skip(distinct);
        report.methods.extend(others.map(|method| MethodReport { method: *method, ..first.clone() }));
    }
    Ok(report)
}

fn method_report(method: Method, part: MethodPart, scales: F16Histogram, blocks: u64) -> MethodReport {
    let errors = &part.stats.errors;
    let moments = part.moments.unwrap_or_else(|| SampleMoments::complete(blocks, errors.sum_e2, errors.sum_w2));
    MethodReport { method, rel_mse: moments.estimate(), stats: part.stats, moments, scales, problem: part.problem }
}

/// Matrices of a tensor that bands of a format keep apart: all of them where blocks end with them, else none.
pub fn slices_in(tensor: &Tensor, format: Format) -> u64 {
    let slices = tensor.slices();
    if (tensor.elements() / slices).is_multiple_of(format.block_len() as u64) { slices } else { 1 }
}

/// One look at a tensor.
struct Look<'a> {
    model: &'a Model,
    tensor: &'a Tensor,
    format: Format,
    methods: &'a [Method],
    blind: bool,
    weights: bool,
    weighing: Weighing<'a>,
    cancel: &'a Cancel,
}

impl Look<'_> {
    fn sample(&self, plan: &SamplePlan) -> Result<(Part, Counts)> {
        let (tensor, block_len) = (self.tensor, self.format.block_len() as u64);
        let blocks = tensor.elements().div_ceil(block_len);
        // A block of the source may be longer than ours: the unit that is read holds whole blocks of both.
        let unit = tensor.dtype.layout().map_or(block_len, |l| l.block_len.max(block_len));
        let mut work = Work::default();
        let mut read = |i: usize, block: u64, out: &mut Vec<f32>| -> Result<()> {
            if i.is_multiple_of(32) {
                self.cancel.check()?;
            }
            let first = block * block_len;
            let start = first / unit * unit;
            work.weights.resize((tensor.elements() - start).min(unit) as usize, 0.0);
            self.model.read_f32(tensor, start, &mut work.weights, &mut work.buffer)?;
            let at = (first - start) as usize;
            let end = (at + block_len as usize).min(work.weights.len());
            out.extend_from_slice(&work.weights[at..end]);
            Ok(())
        };
        let mut block_weights = Vec::new();
        if self.format.has_one_scale() {
            // The scale of the sample stands for the tensor's.
            let (mut all, mut counts, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
            for (i, block) in plan.iter().enumerate() {
                let (first, before) = (block * block_len, all.len());
                read(i, block, &mut all)?;
                counts.extend(self.weighing.of_run(first, all.len() - before, &mut buffer).into_iter().flatten());
            }
            let counts = (!counts.is_empty()).then_some(counts.as_slice());
            let coder = |(method, blind): (Method, bool)| {
                let counts = counts.filter(|_| !blind);
                let code = whole_code(method, &all, counts).map_err(|e| block_problem(&e, 0, all.len()))?;
                Ok(Coder::new(self.format, method, Some(code)))
            };
            let coders: Coders = self.trials().map(coder).collect();
            let (mut part, mut counted) = (Part::new(&coders, Some(blocks)), Counts::new(&coders));
            let mut work = CoderWork::default();
            for (block, weights) in plan.iter().zip(all.chunks(block_len as usize)) {
                let first = block * block_len;
                let importance = self.weighing.of_block(first, weights.len(), &mut buffer);
                part.add_block(&coders, weights, (importance, first), (&mut work, &mut counted));
            }
            return Ok((part, counted));
        }
        let coders: Coders = self.trials().map(|trial| Ok(self.coder(trial, None))).collect();
        let (mut part, mut counts) = (Part::new(&coders, Some(blocks)), Counts::new(&coders));
        let (mut coder_work, mut importance) = (CoderWork::default(), Vec::new());
        for (i, block) in plan.iter().enumerate() {
            block_weights.clear();
            read(i, block, &mut block_weights)?;
            let first = block * block_len;
            let importance = self.weighing.of_block(first, block_weights.len(), &mut importance);
            part.add_block(&coders, &block_weights, (importance, first), (&mut coder_work, &mut counts));
        }
        Ok((part, counts))
    }

    /// What is tried: the methods, and `exact` without regard to importance.
    fn trials(&self) -> impl Iterator<Item = (Method, bool)> {
        self.methods.iter().map(|m| (*m, false)).chain(self.blind.then_some((Method::Exact, true)))
    }

    fn coder(&self, (method, blind): (Method, bool), whole: Option<WholeCode>) -> Coder {
        let coder = Coder::new(self.format, method, whole);
        if blind { coder.blind() } else { coder }
    }

    fn coders(&self) -> Result<Coders> {
        let mut coders = Coders::new();
        let unweighted = self.weighing.without_importance();
        for trial in self.trials() {
            let weighing = if trial.1 { &unweighted } else { &self.weighing };
            let whole = if self.format.has_one_scale() {
                match find_one_scale(self.model, self.tensor, trial.0, weighing, self.cancel)? {
                    Ok(code) => Some(code),
                    Err(problem) => {
                        coders.push(Err(block_problem(&problem, 0, self.tensor.elements() as usize)));
                        continue;
                    }
                }
            } else {
                None
            };
            coders.push(Ok(self.coder(trial, whole)));
        }
        Ok(coders)
    }

    fn exact(&self, report: &mut TensorReport) -> Result<(Part, Counts)> {
        let tensor = self.tensor;
        let coders = self.coders()?;
        let slices = slices_in(tensor, self.format);
        let slice_len = tensor.elements() / slices;
        let bands: Vec<(u64, u64)> =
            (0..slices).flat_map(|slice| bands_of(slice * slice_len, slice_len, BAND)).collect();
        report.slices = if slices > 1 { vec![BlockStats::default(); slices as usize] } else { Vec::new() };
        let row_bands = tensor.rows().clamp(1, ROW_BANDS);
        report.row_bands = vec![BlockStats::default(); row_bands as usize];
        let mut total = Part::new(&coders, None);
        let idle: Mutex<Vec<(Work, Counts)>> = Mutex::default();
        let part = |band: &(u64, u64)| {
            let waiting = idle.lock().ok().and_then(|mut idle| idle.pop());
            let mut own = waiting.unwrap_or_else(|| (Work::default(), Counts::new(&coders)));
            let part = self.band_part(*band, &coders, &mut own);
            if let Ok(mut idle) = idle.lock() {
                idle.push(own);
            }
            part
        };
        // In waves: a tensor may have a hundred thousand bands.
        for wave in bands.chunks(WAVE) {
            let parts: Vec<Result<Part>> = wave.par_iter().map(part).collect();
            for ((first, _), part) in wave.iter().zip(parts) {
                let part = part?;
                if let Some(primary) = part.methods.first() {
                    if let Some(slice) = report.slices.get_mut((first / slice_len) as usize) {
                        slice.merge(&primary.stats);
                    }
                    let band = u128::from(*first) * u128::from(row_bands) / u128::from(tensor.elements());
                    if let Some(band) = report.row_bands.get_mut(band as usize) {
                        band.merge(&primary.stats);
                    }
                }
                total.merge(part);
            }
        }
        let mut counts = Counts::new(&coders);
        // Whole numbers: the order, which is nobody's, does not show.
        idle.into_inner().unwrap_or_default().iter().for_each(|(_, own)| counts.merge(own));
        Ok((total, counts))
    }

    fn band_part(&self, band: (u64, u64), coders: &Coders, own: &mut (Work, Counts)) -> Result<Part> {
        self.cancel.check()?;
        let (Work { buffer, weights, band: work }, counts) = own;
        let mut part = Part::new(coders, None);
        let weights: Weights<'_> = self.model.read_weights(self.tensor, band, weights, buffer)?;
        if self.weights || coders.iter().all(Result::is_err) {
            part.look_over(weights, band.0, &mut counts.weights);
        }
        part.add_band(coders, (weights, band.0), &self.weighing, (work, counts));
        Ok(part)
    }
}

/// Cuts `len` elements from `first` on into bands of at most `size`, a multiple of every block length.
pub fn bands_of(first: u64, len: u64, size: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..len.div_ceil(size)).map(move |i| (first + i * size, size.min(len - i * size)))
}
