//! One tensor's bytes: read a band, decode, code, pack, write, hash; bands in parallel, results merged in order.
//!
//! Bands are cut by elements inside one matrix of the tensor, at multiples of every block length, so that neither bytes
//! nor figures depend on the number of threads. Buffers are recycled; nothing here grows with the tensor.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

use super::ahead::Ahead;
use super::calibrated::{Calibrating, Calibration, LastFactor};
use super::target::Target;
use super::{OutputError, TensorOutcome, recode};
use crate::engine::calibrated::TileWork;
use crate::engine::codec::{DType, Layout, ONE_SCALE_TAIL, encode_dense, first_non_finite};
use crate::engine::error::{Error, Result};
use crate::engine::format::source::{AlignedBuf, Source};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::{Model, Tensor};
use crate::engine::plan::{Decision, Step};
use crate::engine::preview::{Weighing, bands_of, block_problem, find_one_scale, slices_in};
use crate::engine::progress::{Cancel, Delta, Progress};
use crate::engine::stats::BlockStats;
use crate::engine::ternary::{Coder, CoderWork, Format, Method};

/// Elements of a band where memory allows.
const BAND: u64 = 1 << 18;
/// Bands whose results are in memory at once.
pub(super) const WAVE: usize = 256;
/// Fewest elements of a band: below, what is kept of bands takes more room than they do.
const LEAST: u64 = 1 << 12;
/// Elements that every block length divides.
const GRAIN: u64 = 256;
/// Bytes in flight for each element of a band, at the most: as f64 in the source, as f32, in the output.
const BYTES_PER_ELEMENT: u64 = 16;

/// A stretch of the output and the hash of the bytes that were produced for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BandHash {
    /// Offset in the file.
    pub offset: u64,
    /// Bytes.
    pub len: usize,
    /// xxh3-128.
    pub hash: u128,
}

/// Elements of a band under a cap on working memory. Errors: a cap that is too small for that many threads.
pub(super) fn band_len(max_memory: u64, threads: usize) -> Result<u64> {
    affordable(max_memory, threads).map_err(|least| {
        let need = format!("{threads} threads need at least {least} bytes");
        Error::Usage(format!("--max-memory {max_memory} is too small: {need}"))
    })
}

fn affordable(max_memory: u64, threads: usize) -> std::result::Result<u64, u64> {
    let threads = (threads as u64).max(1);
    let affordable = max_memory / threads / BYTES_PER_ELEMENT / GRAIN * GRAIN;
    if affordable < LEAST { Err(threads * LEAST * BYTES_PER_ELEMENT) } else { Ok(affordable.min(BAND)) }
}

/// Bytes that an export with so many threads takes for the weights in work where it may have `max_memory` bytes. Errors: the
/// bytes that it cannot do without, where that is more.
pub fn working_memory(max_memory: u64, threads: usize) -> std::result::Result<u64, u64> {
    affordable(max_memory, threads).map(|band| band * BYTES_PER_ELEMENT * (threads as u64).max(1))
}

/// Writes tensors of one export.
pub(super) struct Pipeline<'a> {
    pub model: &'a Model,
    pub imatrix: Option<&'a Imatrix>,
    pub calibration: Option<&'a Calibration>,
    pub progress: &'a dyn Progress,
    pub cancel: &'a Cancel,
    /// Elements of a band.
    pub band: u64,
    /// Where the source is being read.
    pub ahead: Ahead,
    /// Buffers that wait for a worker.
    pub idle: Mutex<Vec<Work>>,
    pub last_factor: LastFactor,
}

/// Buffers of one worker.
#[derive(Default)]
pub(super) struct Work {
    pub raw: AlignedBuf,
    pub weights: Vec<f32>,
    pub out: Vec<u8>,
    pub tile: TileWork,
    coder: CoderWork,
    recode: recode::Buffers,
    pub importance: Vec<f32>,
}

/// What a band found out.
#[derive(Default)]
pub(super) struct BandOutcome {
    pub stats: BlockStats,
    pub output: OutputError,
    pub non_finite: u64,
    pub hash: Option<BandHash>,
}

/// What is fixed while a tensor is written.
pub(super) struct Job<'a> {
    pub tensor: &'a Tensor,
    pub action: JobAction<'a>,
    pub target: &'a Target,
    /// Offset of the tensor's first byte in the output.
    pub base: u64,
}

/// What is done with each band.
#[derive(Clone, Copy)]
pub(super) enum JobAction<'a> {
    Copy,
    Convert(DType),
    Ternary(&'a Coder, &'a Weighing<'a>),
    Recode(Format),
    Calibrate(&'a Calibrating<'a>),
}

impl Pipeline<'_> {
    /// Writes the tensor at `offset` of a file and returns what was found out and the hashes of what was written.
    /// `one_scale` is that of a recoded tensor whose new format has one.
    pub(super) fn write(
        &self,
        tensor: &Tensor,
        decision: &Decision,
        one_scale: Option<f32>,
        (target, base): (&Target, u64),
    ) -> Result<(TensorOutcome, Vec<BandHash>)> {
        let imatrix = self.imatrix.filter(|_| decision.is_ternary());
        let weighing = Weighing::of(imatrix, tensor)?;
        let coder;
        let (action, tail) = match decision.step {
            Step::Copy => (JobAction::Copy, None),
            Step::Convert(to) => (JobAction::Convert(to), None),
            Step::Recode(to) => (JobAction::Recode(to), to.has_one_scale().then(|| one_scale.unwrap_or(0.0))),
            Step::Ternary(format, Method::Calibrated) => {
                return self.calibrate(tensor, format, &weighing, (target, base));
            }
            Step::Ternary(format, method) => {
                let whole = if format.has_one_scale() {
                    let found = find_one_scale(self.model, tensor, method, &weighing, self.cancel)?;
                    Some(found.map_err(|e| {
                        let what = block_problem(&e, 0, tensor.elements() as usize);
                        Error::tensor(&self.model.path, &tensor.name, what)
                    })?)
                } else {
                    None
                };
                coder = Coder::new(format, method, whole);
                (JobAction::Ternary(&coder, &weighing), whole.map(|w| w.scale))
            }
        };
        let job = Job { tensor, action, target, base };
        let (outcome, mut hashes) = self.bands(&job, decision)?;
        if let Some(scale) = tail {
            let mut bytes = [0u8; ONE_SCALE_TAIL as usize];
            bytes[..4].copy_from_slice(&scale.to_le_bytes());
            hashes.push(self.emit(&job, &bytes, base + decision.new_bytes - ONE_SCALE_TAIL)?);
        }
        Ok((outcome, hashes))
    }

    /// Elements of each band, or bytes where the tensor is copied.
    fn cut(&self, job: &Job<'_>) -> (Vec<(u64, u64)>, u64) {
        let tensor = job.tensor;
        match job.action {
            JobAction::Copy => {
                // Cut between blocks, so that each band can be looked over for itself.
                let whole = |l: Layout| (self.band / l.block_len).max(1) * l.block_bytes;
                let size = tensor.dtype.layout().map_or(self.band, whole);
                (bands_of(0, tensor.bytes, size).collect(), tensor.slices())
            }
            // Tiles of rows are cut by who makes them.
            JobAction::Calibrate(_) => (Vec::new(), 1),
            JobAction::Recode(_) | JobAction::Convert(_) => (bands_of(0, tensor.elements(), self.band).collect(), 1),
            JobAction::Ternary(coder, _) => {
                let slices = slices_in(tensor, coder.format());
                let slice = tensor.elements() / slices;
                ((0..slices).flat_map(|i| bands_of(i * slice, slice, self.band)).collect(), slices)
            }
        }
    }

    fn bands(&self, job: &Job<'_>, decision: &Decision) -> Result<(TensorOutcome, Vec<BandHash>)> {
        let (bands, slices) = self.cut(job);
        let ternary = decision.is_ternary();
        let mut outcome = TensorOutcome::default();
        if ternary && slices > 1 {
            outcome.slices = vec![BlockStats::default(); slices as usize];
        }
        let mut stats = BlockStats::default();
        let mut hashes = Vec::with_capacity(bands.len() + 1);
        // In waves, so that what is kept of bands does not grow with the tensor.
        for wave in bands.chunks(WAVE) {
            let results = self.wave(job, wave);
            self.cancel.check()?;
            for ((first, _), result) in wave.iter().zip(results) {
                let band = result?;
                stats.merge(&band.stats);
                outcome.non_finite += band.non_finite;
                let slice = u128::from(*first) * u128::from(slices) / u128::from(job.tensor.elements().max(1));
                if let Some(slice) = outcome.slices.get_mut(slice as usize) {
                    slice.merge(&band.stats);
                }
                hashes.extend(band.hash);
            }
        }
        outcome.stats = ternary.then_some(stats);
        Ok((outcome, hashes))
    }

    /// Writes some bands in parallel; results in their order. The first error is the first of the wave, whichever thread
    /// meets one first: only bands behind a failed one are skipped.
    pub(super) fn wave(&self, job: &Job<'_>, wave: &[(u64, u64)]) -> Vec<Result<BandOutcome>> {
        let failed = AtomicUsize::new(usize::MAX);
        let write = |(i, band): (usize, &(u64, u64))| {
            if failed.load(Ordering::Relaxed) < i {
                return Ok(BandOutcome::default());
            }
            self.cancel.check()?;
            let result = self.with_work(|work| self.band(job, *band, work));
            if result.is_err() {
                failed.fetch_min(i, Ordering::Relaxed);
            }
            result
        };
        wave.par_iter().enumerate().map(write).collect()
    }

    fn with_work<T>(&self, job: impl FnOnce(&mut Work) -> T) -> T {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let mut work = idle.unwrap_or_default();
        let result = job(&mut work);
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(work);
        }
        result
    }

    fn band(&self, job: &Job<'_>, band: (u64, u64), work: &mut Work) -> Result<BandOutcome> {
        if let Some((file, offset)) = self.place(job, band.0) {
            self.ahead.reading(job.tensor.file, file, offset);
        }
        if matches!(job.action, JobAction::Convert(_)) {
            let (first, len) = band;
            work.weights.resize(len as usize, 0.0);
            self.model.read_f32(job.tensor, first, &mut work.weights, &mut work.raw)?;
        }
        match job.action {
            JobAction::Copy => self.copy(job, band, work),
            JobAction::Convert(to) => self.convert(job, to, band.0, work),
            JobAction::Ternary(coder, weighing) => self.ternary(job, (coder, weighing), band, work),
            JobAction::Recode(to) => self.recode(job, to, band, work),
            JobAction::Calibrate(how) => self.tile(job, how, band, work),
        }
    }

    /// Where in its file a band of a tensor begins that is one stretch of it.
    fn place(&self, job: &Job<'_>, first: u64) -> Option<(&Source, u64)> {
        let tensor = job.tensor;
        if tensor.assembly.is_some() {
            return None;
        }
        let before = match (job.action, tensor.dtype.layout()) {
            (JobAction::Copy, _) => first,
            (_, layout) => layout.map(|l| first / l.block_len * l.block_bytes)?,
        };
        Some((self.model.file_of(tensor).ok()?, tensor.offset + before))
    }

    fn copy(&self, job: &Job<'_>, (first, len): (u64, u64), work: &mut Work) -> Result<BandOutcome> {
        let tensor = job.tensor;
        let bytes = self.model.read_raw(tensor, first, len as usize, &mut work.raw)?;
        let mut non_finite = 0;
        // Floats are looked over by their bits; only a band that has something to count is decoded.
        let suspicious = !tensor.dtype.is_float() || first_non_finite(tensor.dtype, bytes).is_some();
        if let (Some(decoder), Some(layout)) = (tensor.decoder(), tensor.dtype.layout())
            && !tensor.dtype.is_integer()
            && suspicious
        {
            work.weights.resize((len / layout.block_bytes * layout.block_len) as usize, 0.0);
            if decoder.decode_blocks(bytes, &mut work.weights) {
                non_finite = work.weights.iter().filter(|w| !w.is_finite()).count() as u64;
            }
        }
        let hash = self.emit(job, bytes, job.base + first)?;
        Ok(BandOutcome { non_finite, hash: Some(hash), ..BandOutcome::default() })
    }

    fn convert(&self, job: &Job<'_>, to: DType, first: u64, work: &mut Work) -> Result<BandOutcome> {
        let layout = to.layout().ok_or_else(|| self.refuse(job, format!("{to} is not written")))?;
        let bytes_at = |elements: u64| elements / layout.block_len * layout.block_bytes;
        work.out.resize(bytes_at(work.weights.len() as u64) as usize, 0);
        encode_dense(to, &work.weights, &mut work.out).map_err(|i| {
            let value = work.weights.get(i).copied().unwrap_or(f32::NAN);
            self.refuse(job, format!("element {} is {value}, which {to} cannot hold", first + i as u64))
        })?;
        let non_finite = work.weights.iter().filter(|w| !w.is_finite()).count() as u64;
        if job.tensor.dtype == DType::F64 && non_finite > 0 {
            self.refuse_overflow(job, first, work)?;
        }
        let hash = self.emit(job, &work.out, job.base + bytes_at(first))?;
        Ok(BandOutcome { non_finite, hash: Some(hash), ..BandOutcome::default() })
    }

    fn ternary(
        &self,
        job: &Job<'_>,
        (coder, weighing): (&Coder, &Weighing<'_>),
        (first, len): (u64, u64),
        work: &mut Work,
    ) -> Result<BandOutcome> {
        let format = coder.format();
        let (block_len, block_bytes) = (format.block_len(), format.block_bytes());
        let Work { raw, weights, out, coder: coder_work, importance, .. } = work;
        let weights = self.model.read_weights(job.tensor, (first, len), weights, raw)?;
        let blocks = weights.len().div_ceil(block_len);
        out.clear();
        out.resize(blocks * block_bytes, 0);
        let mut stats = BlockStats::default();
        let mut block = 0;
        while block < blocks {
            let at = first + (block * block_len) as u64;
            let rest = weights.part(block * block_len, usize::MAX);
            let out = &mut out[block * block_bytes..];
            let coded = weighing.code(coder, (rest, at), (coder_work, importance), out, &mut stats);
            block += coded.map_err(|e| self.refuse(job, block_problem(&e, at, block_len)))?;
        }
        let hash = self.emit(job, &work.out, job.base + first / block_len as u64 * block_bytes as u64)?;
        Ok(BandOutcome { stats, hash: Some(hash), ..BandOutcome::default() })
    }

    fn recode(&self, job: &Job<'_>, to: Format, band: (u64, u64), work: &mut Work) -> Result<BandOutcome> {
        recode::move_band((self.model, job.tensor), to, band, (&mut work.recode, &mut work.raw), &mut work.out)?;
        let at = band.0 / to.block_len() as u64 * to.block_bytes() as u64;
        let hash = self.emit(job, &work.out, job.base + at)?;
        Ok(BandOutcome { hash: Some(hash), ..BandOutcome::default() })
    }

    /// A double that f32 cannot hold must not become an infinity.
    fn refuse_overflow(&self, job: &Job<'_>, first: u64, work: &mut Work) -> Result<()> {
        let raw = self.model.read_raw(job.tensor, first * 8, work.weights.len() * 8, &mut work.raw)?;
        let doubles = raw.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b));
        match doubles.zip(&work.weights).enumerate().find(|(_, (x, w))| x.is_finite() && !w.is_finite()) {
            Some((i, (x, _))) => Err(self.refuse(job, format!("element {} is {x:e}, beyond F32", first + i as u64))),
            None => Ok(()),
        }
    }

    pub(super) fn refuse(&self, job: &Job<'_>, what: String) -> Error {
        Error::tensor(&self.model.path, &job.tensor.name, what)
    }

    pub(super) fn emit(&self, job: &Job<'_>, bytes: &[u8], offset: u64) -> Result<BandHash> {
        job.target.write_at(bytes, offset)?;
        self.progress.report(Delta::Bytes(bytes.len() as u64));
        Ok(BandHash { offset, len: bytes.len(), hash: xxh3_128(bytes) })
    }
}
