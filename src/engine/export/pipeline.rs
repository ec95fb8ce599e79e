//! One tensor's bytes: read a band, decode, code, pack, write, hash; bands in parallel, results merged in order.
//!
//! Bands are cut by elements inside one matrix of the tensor, at multiples of every block length, so that neither bytes
//! nor figures depend on the number of threads. Buffers are recycled; nothing here grows with the tensor.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

use super::TensorOutcome;
use super::target::Target;
use crate::engine::codec::{Layout, encode_float, first_non_finite};
use crate::engine::error::{Error, Result};
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::{Model, Tensor};
use crate::engine::plan::{Decision, Step};
use crate::engine::preview::{bands_of, block_problem};
use crate::engine::progress::{Cancel, Delta, Progress};
use crate::engine::stats::BlockStats;
use crate::engine::ternary::{Format, Method, Scratch, code_block, encode_block};

/// Elements of a band where memory allows.
const BAND: u64 = 1 << 18;
/// Bands whose results are in memory at once.
const WAVE: usize = 256;
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
    let affordable = max_memory / (threads as u64).max(1) / BYTES_PER_ELEMENT / GRAIN * GRAIN;
    if affordable < LEAST {
        return Err(Error::Usage(format!(
            "--max-memory {max_memory} is too small: {threads} threads need at least {} bytes",
            threads as u64 * LEAST * BYTES_PER_ELEMENT
        )));
    }
    Ok(affordable.min(BAND))
}

/// Writes tensors of one export.
pub(super) struct Pipeline<'a> {
    pub model: &'a Model,
    pub target: &'a Target,
    pub progress: &'a dyn Progress,
    pub cancel: &'a Cancel,
    /// Elements of a band.
    pub band: u64,
    /// Buffers that wait for a worker.
    pub idle: Mutex<Vec<Work>>,
}

/// Buffers of one worker.
#[derive(Default)]
pub(super) struct Work {
    raw: AlignedBuf,
    weights: Vec<f32>,
    out: Vec<u8>,
    trits: Vec<i8>,
    scratch: Scratch,
}

/// What a band found out.
#[derive(Default)]
struct BandOutcome {
    stats: BlockStats,
    non_finite: u64,
    hash: Option<BandHash>,
}

impl Pipeline<'_> {
    /// Writes the tensor at `offset` of the file and returns what was found out and the hashes of what was written.
    pub(super) fn write(
        &self,
        tensor: &Tensor,
        decision: &Decision,
        offset: u64,
    ) -> Result<(TensorOutcome, Vec<BandHash>)> {
        let slices = tensor.slices();
        let bands: Vec<(u64, u64)> = if decision.step == Step::Copy {
            // Cut between blocks, so that each band can be looked over for itself.
            let whole = |l: Layout| (self.band / l.block_len).max(1) * l.block_bytes;
            bands_of(0, tensor.bytes, tensor.dtype.layout().map_or(self.band, whole)).collect()
        } else {
            let slice = tensor.elements() / slices;
            (0..slices).flat_map(|i| bands_of(i * slice, slice, self.band)).collect()
        };
        let ternary = decision.is_ternary();
        let mut outcome = TensorOutcome::default();
        if ternary && slices > 1 {
            outcome.slices = vec![BlockStats::default(); slices as usize];
        }
        let mut stats = BlockStats::default();
        let mut hashes = Vec::with_capacity(bands.len());
        // In waves, so that what is kept of bands does not grow with the tensor.
        for wave in bands.chunks(WAVE) {
            let results = self.wave(tensor, decision.step, wave, offset);
            self.cancel.check()?;
            for ((first, _), result) in wave.iter().zip(results) {
                let band = result?;
                stats.merge(&band.stats);
                outcome.non_finite += band.non_finite;
                let slice = u128::from(*first) * u128::from(slices) / u128::from(tensor.elements().max(1));
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
    fn wave(&self, tensor: &Tensor, step: Step, wave: &[(u64, u64)], offset: u64) -> Vec<Result<BandOutcome>> {
        let failed = AtomicUsize::new(usize::MAX);
        let write = |(i, band): (usize, &(u64, u64))| {
            if failed.load(Ordering::Relaxed) < i {
                return Ok(BandOutcome::default());
            }
            self.cancel.check()?;
            let result = self.with_work(|work| self.band(tensor, step, *band, offset, work));
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

    fn band(&self, tensor: &Tensor, step: Step, band: (u64, u64), base: u64, work: &mut Work) -> Result<BandOutcome> {
        match step {
            Step::Copy => self.copy(tensor, band, base, work),
            Step::Convert(_) | Step::Ternary(..) => {
                let (first, len) = band;
                work.weights.resize(len as usize, 0.0);
                self.model.read_f32(tensor, first, &mut work.weights, &mut work.raw)?;
                match step {
                    Step::Ternary(format, method) => self.ternary(tensor, (format, method), first, base, work),
                    _ => self.convert(tensor, step, first, base, work),
                }
            }
        }
    }

    fn copy(&self, tensor: &Tensor, (first, len): (u64, u64), base: u64, work: &mut Work) -> Result<BandOutcome> {
        let bytes = self.model.read_raw(tensor, first, len as usize, &mut work.raw)?;
        let mut non_finite = 0;
        // Floats are looked over by their bits; only a band that has something to count is decoded.
        let suspicious = !tensor.dtype.is_float() || first_non_finite(tensor.dtype, bytes).is_some();
        if let (Some(decode), Some(layout)) = (tensor.decoder(), tensor.dtype.layout())
            && !tensor.dtype.is_integer()
            && suspicious
        {
            work.weights.resize((len / layout.block_bytes * layout.block_len) as usize, 0.0);
            decode(bytes, &mut work.weights);
            non_finite = work.weights.iter().filter(|w| !w.is_finite()).count() as u64;
        }
        let hash = self.emit(bytes, base + first)?;
        Ok(BandOutcome { non_finite, hash: Some(hash), ..BandOutcome::default() })
    }

    fn convert(&self, tensor: &Tensor, step: Step, first: u64, base: u64, work: &mut Work) -> Result<BandOutcome> {
        let Step::Convert(to) = step else {
            return Ok(BandOutcome::default());
        };
        let width = to.layout().map_or(4, |l| l.block_bytes);
        work.out.resize(work.weights.len() * width as usize, 0);
        encode_float(to, &work.weights, &mut work.out).map_err(|i| {
            let what = format!("element {} is {}, too large for {to}", first + i as u64, work.weights[i]);
            Error::tensor(&self.model.path, &tensor.name, what)
        })?;
        let non_finite = work.weights.iter().filter(|w| !w.is_finite()).count() as u64;
        let hash = self.emit(&work.out, base + first * width)?;
        Ok(BandOutcome { non_finite, hash: Some(hash), ..BandOutcome::default() })
    }

    fn ternary(
        &self,
        tensor: &Tensor,
        (format, method): (Format, Method),
        first: u64,
        base: u64,
        work: &mut Work,
    ) -> Result<BandOutcome> {
        let (block_len, block_bytes) = (format.block_len(), format.block_bytes());
        work.trits.resize(block_len, 0);
        work.out.resize(work.weights.len() / block_len * block_bytes, 0);
        let mut stats = BlockStats::default();
        let blocks = work.weights.chunks_exact(block_len).zip(work.out.chunks_exact_mut(block_bytes));
        for (i, (weights, out)) in blocks.enumerate() {
            let code = code_block(method, weights, None, &mut work.trits, &mut work.scratch).map_err(|e| {
                let what = block_problem(&e, first + (i * block_len) as u64, block_len);
                Error::tensor(&self.model.path, &tensor.name, what)
            })?;
            stats.errors.add_block(weights, code.scale.to_f32(), &work.trits);
            stats.scales.add(code.scale.to_f32(), code.underflow, code.native);
            encode_block(format, code.scale, &work.trits, out);
        }
        let hash = self.emit(&work.out, base + first / block_len as u64 * block_bytes as u64)?;
        Ok(BandOutcome { stats, non_finite: 0, hash: Some(hash) })
    }

    fn emit(&self, bytes: &[u8], offset: u64) -> Result<BandHash> {
        self.target.write_at(bytes, offset)?;
        self.progress.report(Delta::Bytes(bytes.len() as u64));
        Ok(BandHash { offset, len: bytes.len(), hash: xxh3_128(bytes) })
    }
}
