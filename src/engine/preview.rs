//! What the panes and the what-if ask for: a tensor tried in a format by one or more methods, on a sample or on all.
//!
//! [`measure`] reads blocks, codes them by every method that is asked for, and returns numbers only. A sample is spread
//! over the whole tensor with a fixed seed and carries intervals; the exact pass runs over bands in parallel inside the
//! caller's rayon pool and merges them in order, so that its digits do not depend on the number of threads.

use rayon::prelude::*;

use super::error::{Error, Result};
use super::format::source::AlignedBuf;
use super::model::{Model, Tensor};
use super::progress::Cancel;
use super::stats::{BlockStats, Estimate, F16Histogram, SampleMoments, SamplePlan, SignedF16Histogram};
use super::ternary::{BlockError, Format, Method, Scratch, code_block};

/// Blocks in a sample, unless the caller wants another number.
pub const SAMPLE_BLOCKS: usize = 1024;
/// Seed of every sample that is shown.
pub const SAMPLE_SEED: u64 = 0x7472_6974;
/// Elements that one task of an exact pass takes.
const BAND: u64 = 1 << 16;
/// Bands whose parts are in memory at once.
const WAVE: usize = 64;
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
    /// The weights looked at.
    pub weights: SignedF16Histogram,
    /// Sums of the weights: Σw, Σw², Σ|w|, and how many.
    pub sums: WeightSums,
    /// First method, per matrix of a 3-D tensor (per expert, where they are merged). Only in exact reports of
    /// tensors that have more than one.
    pub slices: Vec<BlockStats>,
    /// First method, in at most 64 bands of rows. Only in exact reports.
    pub row_bands: Vec<BlockStats>,
    /// Index of the first NaN or infinity among the elements looked at; no method can code the tensor then.
    pub non_finite: Option<u64>,
}

impl TensorReport {
    /// What one method makes of the tensor, if it was asked for.
    pub fn method(&self, method: Method) -> Option<&MethodReport> {
        self.methods.iter().find(|m| m.method == method)
    }
}

/// Plain sums over weights, in f64.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WeightSums {
    /// Weights.
    pub n: u64,
    /// Σw.
    pub sum: f64,
    /// Σw².
    pub sum_sq: f64,
    /// Σ|w|.
    pub sum_abs: f64,
    /// Largest |w|.
    pub max_abs: f64,
    /// Weights that are zero.
    pub zeros: u64,
}

impl WeightSums {
    fn add(&mut self, weights: &[f32]) {
        self.n += weights.len() as u64;
        for &w in weights {
            let w = f64::from(w);
            self.sum += w;
            self.sum_sq += w * w;
            self.sum_abs += w.abs();
            self.max_abs = self.max_abs.max(w.abs());
            self.zeros += u64::from(w == 0.0);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.sum_sq += other.sum_sq;
        self.sum_abs += other.sum_abs;
        self.max_abs = self.max_abs.max(other.max_abs);
        self.zeros += other.zeros;
    }

    /// Mean of the weights.
    pub fn mean(&self) -> f64 {
        if self.n == 0 { 0.0 } else { self.sum / self.n as f64 }
    }

    /// Standard deviation of the weights.
    pub fn std(&self) -> f64 {
        if self.n == 0 { 0.0 } else { (self.sum_sq / self.n as f64 - self.mean().powi(2)).max(0.0).sqrt() }
    }

    /// Mean of |w|.
    pub fn mean_abs(&self) -> f64 {
        if self.n == 0 { 0.0 } else { self.sum_abs / self.n as f64 }
    }
}

/// What is summed over some blocks; merges in order.
struct Part {
    methods: Vec<MethodPart>,
    weights: SignedF16Histogram,
    sums: WeightSums,
    non_finite: Option<u64>,
}

struct MethodPart {
    stats: BlockStats,
    /// Only of a sample: what is complete needs no estimate.
    moments: Option<SampleMoments>,
    scales: F16Histogram,
    problem: Option<String>,
}

impl Part {
    /// `sampled_of` is the number of blocks that a sample stands for.
    fn new(methods: usize, sampled_of: Option<u64>) -> Self {
        let method = || MethodPart {
            stats: BlockStats::default(),
            moments: sampled_of.map(SampleMoments::new),
            scales: F16Histogram::new(),
            problem: None,
        };
        Self {
            methods: (0..methods).map(|_| method()).collect(),
            weights: SignedF16Histogram::new(),
            sums: WeightSums::default(),
            non_finite: None,
        }
    }

    fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.methods.iter_mut().zip(other.methods) {
            mine.stats.merge(&theirs.stats);
            mine.scales.merge(&theirs.scales);
            mine.problem = mine.problem.take().or(theirs.problem);
        }
        self.weights.merge(&other.weights);
        self.sums.merge(&other.sums);
        self.non_finite = self.non_finite.or(other.non_finite);
    }

    /// Codes one block, whose first element is `first`, by every method.
    fn add_block(&mut self, methods: &[Method], weights: &[f32], first: u64, work: &mut Work) {
        if let Some(i) = weights.iter().position(|w| !w.is_finite()) {
            self.non_finite.get_or_insert(first + i as u64);
            return;
        }
        self.sums.add(weights);
        weights.iter().for_each(|w| self.weights.add_f32(*w));
        for (method, part) in methods.iter().zip(&mut self.methods) {
            match code_block(*method, weights, None, &mut work.trits, &mut work.scratch) {
                Ok(code) => {
                    let mut block = BlockStats::default();
                    block.errors.add_block(weights, code.scale.to_f32(), &work.trits);
                    block.scales.add(code.scale.to_f32(), code.underflow, code.native);
                    if let Some(moments) = &mut part.moments {
                        moments.add(block.errors.sum_e2, block.errors.sum_w2);
                    }
                    part.scales.add(code.scale);
                    part.stats.merge(&block);
                }
                Err(e) => {
                    part.problem.get_or_insert_with(|| block_problem(&e, first, weights.len()));
                }
            }
        }
    }
}

/// A block's error in words that name the block and the element of the tensor.
pub fn block_problem(error: &BlockError, first: u64, block_len: usize) -> String {
    let block = first / block_len as u64;
    match error {
        BlockError::NonFinite { index, value } => format!("element {} is {value}", first + *index as u64),
        BlockError::NotTernary { index } => {
            format!("block {block} is not ternary: element {} is neither zero nor ±s", first + *index as u64)
        }
        other => format!("block {block} (elements from {first}): {other}"),
    }
}

/// Buffers of one worker.
struct Work {
    scratch: Scratch,
    trits: Vec<i8>,
    buffer: AlignedBuf,
    weights: Vec<f32>,
}

impl Work {
    fn new(block_len: usize) -> Self {
        Self { scratch: Scratch::default(), trits: vec![0; block_len], buffer: AlignedBuf::new(), weights: Vec::new() }
    }
}

/// Measures what `methods` make of a tensor in blocks of `format`. The first method's figures are also given per slice
/// and row band. Errors: a tensor whose type has no decoder or whose rows do not divide, a failed read, cancellation.
pub fn measure(
    model: &Model,
    index: usize,
    format: Format,
    methods: &[Method],
    depth: Depth,
    cancel: &Cancel,
) -> Result<TensorReport> {
    let tensor = &model.tensors[index];
    let block_len = format.block_len() as u64;
    if !tensor.row_len().is_multiple_of(block_len) || tensor.elements() == 0 {
        let what = format!("rows of {} are not a multiple of the {block_len} elements of a block", tensor.row_len());
        return Err(Error::tensor(&model.path, &tensor.name, what));
    }
    let blocks = tensor.elements() / block_len;
    let mut report = TensorReport {
        tensor: index,
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
    };
    let total = match depth {
        Depth::Sample { blocks: wanted, seed } if (wanted as u64) < blocks => {
            report.exact = false;
            report.sampled_blocks = wanted as u64;
            sample(model, tensor, format, methods, &SamplePlan::new(blocks, wanted, seed), cancel)?
        }
        _ => exact(model, tensor, block_len, methods, &mut report, cancel)?,
    };
    report.weights = total.weights;
    report.sums = total.sums;
    report.non_finite = total.non_finite;
    report.methods = methods
        .iter()
        .zip(total.methods)
        .map(|(method, part)| {
            let errors = &part.stats.errors;
            let moments = part.moments.unwrap_or_else(|| SampleMoments::complete(blocks, errors.sum_e2, errors.sum_w2));
            MethodReport {
                method: *method,
                rel_mse: moments.estimate(),
                stats: part.stats,
                moments,
                scales: part.scales,
                problem: part.problem,
            }
        })
        .collect();
    Ok(report)
}

fn sample(
    model: &Model,
    tensor: &Tensor,
    format: Format,
    methods: &[Method],
    plan: &SamplePlan,
    cancel: &Cancel,
) -> Result<Part> {
    let block_len = format.block_len() as u64;
    let blocks = tensor.elements() / block_len;
    // A block of the source may be longer than ours: the unit that is read holds whole blocks of both.
    let unit = tensor.dtype.layout().map_or(block_len, |l| l.block_len.max(block_len));
    let mut part = Part::new(methods.len(), Some(blocks));
    let mut work = Work::new(block_len as usize);
    let mut weights = vec![0.0; unit as usize];
    for (i, block) in plan.iter().enumerate() {
        if i % 32 == 0 {
            cancel.check()?;
        }
        let first = block * block_len;
        let start = first / unit * unit;
        model.read_f32(tensor, start, &mut weights, &mut work.buffer)?;
        let at = (first - start) as usize;
        part.add_block(methods, &weights[at..at + block_len as usize], first, &mut work);
    }
    Ok(part)
}

fn exact(
    model: &Model,
    tensor: &Tensor,
    block_len: u64,
    methods: &[Method],
    report: &mut TensorReport,
    cancel: &Cancel,
) -> Result<Part> {
    let slice_len = tensor.elements() / tensor.slices();
    let bands: Vec<(u64, u64)> =
        (0..tensor.slices()).flat_map(|slice| bands_of(slice * slice_len, slice_len, BAND)).collect();
    let slices = tensor.slices();
    report.slices = if slices > 1 { vec![BlockStats::default(); slices as usize] } else { Vec::new() };
    let row_bands = tensor.rows().clamp(1, ROW_BANDS);
    report.row_bands = vec![BlockStats::default(); row_bands as usize];
    let mut total = Part::new(methods.len(), None);
    // In waves: a part holds its histograms, and a tensor may have a hundred thousand bands.
    for wave in bands.chunks(WAVE) {
        let parts: Vec<Result<Part>> = wave
            .par_iter()
            .map_init(
                || Work::new(block_len as usize),
                |work, band| band_part(model, tensor, *band, methods, work, cancel),
            )
            .collect();
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
    Ok(total)
}

fn band_part(
    model: &Model,
    tensor: &Tensor,
    (first, len): (u64, u64),
    methods: &[Method],
    work: &mut Work,
    cancel: &Cancel,
) -> Result<Part> {
    cancel.check()?;
    let mut weights = std::mem::take(&mut work.weights);
    weights.resize(len as usize, 0.0);
    model.read_f32(tensor, first, &mut weights, &mut work.buffer)?;
    let block_len = work.trits.len();
    let mut part = Part::new(methods.len(), None);
    for (i, block) in weights.chunks_exact(block_len).enumerate() {
        part.add_block(methods, block, first + (i * block_len) as u64, work);
    }
    work.weights = weights;
    Ok(part)
}

/// Cuts `len` elements from `first` on into bands of at most `size`, a multiple of every block length.
pub fn bands_of(first: u64, len: u64, size: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..len.div_ceil(size)).map(move |i| (first + i * size, size.min(len - i * size)))
}
