//! Reading the output back before it gets its name.
//!
//! The header goes through gguf-rs-lib, an independent reader; our own reader holds what that one cannot see (order,
//! gaps). The data is read again and compared with the hashes of what was produced; on request every ternary tensor is
//! decoded again and its error computed against the source.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::sync::Mutex;

use gguf_rs_lib::reader::file_reader::GGUFFileReader;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

use super::header::Piece;
use super::pipeline::BandHash;
use super::{TensorOutcome, Verify, recode};
use crate::engine::codec::DType;
use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::format::gguf::Gguf;
use crate::engine::format::source::{AlignedBuf, Source};
use crate::engine::model::codes::CodeRun;
use crate::engine::model::{Model, OpenOptions, Tensor};
use crate::engine::plan::{Plan, Step};
use crate::engine::preview::{bands_of, slices_in};
use crate::engine::progress::{Cancel, Delta, Progress};
use crate::engine::stats::ErrorSums;

/// How far a recomputed error may lie from the reported one, relative: it is added up in f64, the reported one within
/// blocks in f32.
const TOLERANCE: f64 = 1e-6;

/// Which reader looked at the output's header.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Reader {
    /// gguf-rs-lib, besides our own.
    GgufRsLib,
    /// Our own strict reader alone.
    Own {
        /// Why: gguf-rs-lib does not know a type of the output, or refuses the source too.
        because: String,
    },
}

/// How the output was read back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// Who read the header.
    pub reader: Reader,
    /// How far it went.
    pub verify: Verify,
    /// Bytes of tensor data that were read again and are what was produced.
    pub bytes: u64,
    /// Tensors whose error was computed again from the output.
    pub recomputed: u64,
    /// Tensors whose trits and scales were read from the output and are those of the source.
    pub recoded: u64,
}

/// Adds the check of another file of the output.
pub(super) fn merge(total: &mut Option<Check>, more: Check) {
    match total {
        None => *total = Some(more),
        Some(total) => {
            total.bytes += more.bytes;
            total.recomputed += more.recomputed;
            total.recoded += more.recoded;
            if total.reader == Reader::GgufRsLib {
                total.reader = more.reader;
            }
        }
    }
}

/// What the output is compared with.
pub(super) struct Checker<'a> {
    pub model: &'a Model,
    pub plan: &'a Plan,
    pub piece: &'a Piece,
    pub partial: &'a Path,
    pub progress: &'a dyn Progress,
    pub cancel: &'a Cancel,
    /// Elements that are decoded at once.
    pub band: u64,
}

impl Checker<'_> {
    /// Reads the output back as far as `verify` says. Any difference is an [`Error::Check`].
    pub(super) fn run(&self, verify: Verify, hashes: &[BandHash], outcomes: &[TensorOutcome]) -> Result<Check> {
        let source = Source::open(self.partial, false)?;
        let mut own = Gguf::index(&source)?;
        own.rows_first = self.rows_first();
        let meanings = self.meanings();
        own.settle(|number| meanings.get(&number).copied().unwrap_or(DType::of_number(number)));
        self.own_header(&own)?;
        self.default_reading()?;
        let reader = self.independent_header(&own, &source)?;
        let mut check = Check { reader, verify, bytes: 0, recomputed: 0, recoded: 0 };
        if verify != Verify::None {
            check.bytes = self.data(&source, hashes)?;
            check.recoded = self.codes()?;
        }
        if verify == Verify::Full {
            check.recomputed = self.errors(outcomes)?;
        }
        Ok(check)
    }

    /// Whether the output's dimensions stand rows first.
    fn rows_first(&self) -> bool {
        super::header::writes_rows_first(self.model, self.plan)
    }

    /// Whoever opens the output with nothing said must see the shapes that were meant.
    fn default_reading(&self) -> Result<()> {
        let output = Model::open(self.partial, &OpenOptions { mmap: false, ..OpenOptions::default() })?;
        if output.architecture.is_none() {
            // A later shard says nothing of how it is to be read.
            return Ok(());
        }
        let meant = |(found, index): (&Tensor, &usize)| found.dims == self.model.tensors[*index].dims;
        let same = output.rows_first == self.rows_first() && output.tensors.iter().zip(&self.piece.tensors).all(meant);
        // Only a source whose order was overruled is read otherwise.
        let overruled = !self.model.rows_first && self.model.tensors.iter().any(|t| t.dtype == DType::T158);
        if same || overruled {
            return Ok(());
        }
        Err(Error::Check("the output's shapes read back in another order than was meant".to_owned()))
    }

    /// What the plan means by its type numbers; in one output each has one meaning.
    fn meanings(&self) -> BTreeMap<u32, DType> {
        self.plan.decisions.iter().filter_map(|d| Some((d.new_type.number()?, d.new_type))).collect()
    }

    /// The output as a model, each type number read as the plan means it.
    fn output(&self) -> Result<Model> {
        let dialects = self.meanings().into_values().collect();
        Model::open(self.partial, &OpenOptions { mmap: false, dialects, rows_first: Some(self.rows_first()) })
    }

    /// Our own reader, strict: order, names, shapes, types, offsets as the running padded sum.
    fn own_header(&self, own: &Gguf) -> Result<()> {
        // Keys are carried over as they are; llama.cpp does not ask what they are encoded in.
        let strange = |d: &&Diagnostic| d.severity != Severity::Note && d.code != "key-utf8";
        if let Some(found) = own.diagnostics.iter().find(strange) {
            return Err(Error::Check(format!("the output reads back with: {found}")));
        }
        let rows_first = self.rows_first();
        let same = own.tensors.len() == self.piece.tensors.len()
            && own.tensors.iter().zip(&self.piece.tensors).all(|(found, index)| {
                let (tensor, decision) = (&self.model.tensors[*index], &self.plan.decisions[*index]);
                let mut dims = found.dims.clone();
                if rows_first {
                    dims.reverse();
                }
                found.name == tensor.name
                    && dims == tensor.dims
                    && found.dtype == decision.new_type
                    && found.bytes == Some(decision.new_bytes)
            });
        if same { Ok(()) } else { Err(Error::Check("the output's tensors do not read back as planned".to_owned())) }
    }

    fn independent_header(&self, own: &Gguf, source: &Source) -> Result<Reader> {
        if let Some(foreign) = own.tensors.iter().find(|t| !t.dtype.is_mainline()) {
            return Ok(Reader::Own { because: format!("gguf-rs-lib does not know {}", foreign.dtype) });
        }
        match open_independent(self.partial) {
            Ok(independent) => {
                compare_headers(&independent, own, source)?;
                Ok(Reader::GgufRsLib)
            }
            Err(of_output) => match open_independent(self.model.source().path()) {
                Err(of_source) if self.model.gguf().is_some() => {
                    // Which key it meets first differs from run to run: what it says up to the key is enough.
                    let said = of_source.split(['\'', '"']).next().unwrap_or(&of_source).trim_end();
                    Ok(Reader::Own { because: format!("gguf-rs-lib refuses the source: {said}") })
                }
                _ => Err(Error::Check(format!("gguf-rs-lib refuses the output: {of_output}"))),
            },
        }
    }

    /// Compares the data with the hashes of what was produced.
    fn data(&self, source: &Source, hashes: &[BandHash]) -> Result<u64> {
        let idle: Mutex<Vec<AlignedBuf>> = Mutex::new(Vec::new());
        hashes.par_iter().try_for_each(|band| {
            self.cancel.check()?;
            let mut buffer = idle.lock().ok().and_then(|mut idle| idle.pop()).unwrap_or_default();
            let found = xxh3_128(source.slice(band.offset, band.len, &mut buffer)?);
            if let Ok(mut idle) = idle.lock() {
                idle.push(buffer);
            }
            if found != band.hash {
                let what = format!("{} bytes at offset {} do not read back as written", band.len, band.offset);
                return Err(Error::Check(what));
            }
            self.progress.report(Delta::Bytes(band.len as u64));
            Ok(())
        })?;
        Ok(hashes.iter().map(|band| band.len as u64).sum())
    }

    /// Reads the codes and scales of every recoded tensor from the output and compares them with the source's.
    fn codes(&self) -> Result<u64> {
        let recoded = |index: &usize| matches!(self.plan.decisions[*index].step, Step::Recode(_));
        if !self.piece.tensors.iter().any(recoded) {
            return Ok(0);
        }
        let output = self.output()?;
        let mut compared = 0;
        for (place, index) in self.piece.tensors.iter().enumerate() {
            let Step::Recode(to) = self.plan.decisions[*index].step else { continue };
            let (tensor, written) = (&self.model.tensors[*index], &output.tensors[place]);
            let bands: Vec<(u64, u64)> = bands_of(0, tensor.elements(), self.band).collect();
            bands.par_iter().try_for_each_init(
                || {
                    (
                        CodeRun::default(),
                        CodeRun::default(),
                        recode::Buffers::default(),
                        [(); 2].map(|()| AlignedBuf::new()),
                    )
                },
                |(source, found, moving, [buffer, other]), band| {
                    self.cancel.check()?;
                    if recode::comes_back((self.model, tensor), (&output, written), *band, (moving, buffer, other))? {
                        return Ok(());
                    }
                    self.model.read_codes(tensor, *band, source, buffer)?;
                    output.read_codes(written, *band, found, buffer)?;
                    recode::compare(source, tensor.dtype, found, to).map_err(|what| {
                        Error::Check(format!("tensor '{}': from element {}: {what}", tensor.name, band.0))
                    })
                },
            )?;
            compared += 1;
        }
        Ok(compared)
    }

    /// Decodes every ternary tensor of the output and computes its error against the source again.
    fn errors(&self, outcomes: &[TensorOutcome]) -> Result<u64> {
        let output = self.output()?;
        let mut recomputed = 0;
        for (place, index) in self.piece.tensors.iter().enumerate() {
            let Some(reported) = &outcomes[*index].stats else { continue };
            let found = self.recompute(&output.tensors[place], &output, *index)?;
            let reported = reported.errors.rel_mse();
            let close = (found.rel_mse() - reported).abs() <= TOLERANCE * reported.max(f64::MIN_POSITIVE);
            if !close {
                let name = &self.model.tensors[*index].name;
                let what = format!(
                    "tensor '{name}' decodes with a relative error of {}, reported was {reported}",
                    found.rel_mse()
                );
                return Err(Error::Check(what));
            }
            recomputed += 1;
        }
        Ok(recomputed)
    }

    fn recompute(&self, written: &Tensor, output: &Model, index: usize) -> Result<ErrorSums> {
        let tensor = &self.model.tensors[index];
        let slices = match self.plan.decisions[index].step {
            Step::Ternary(format, _) => slices_in(tensor, format),
            _ => 1,
        };
        let slice = tensor.elements() / slices;
        let bands: Vec<(u64, u64)> = (0..slices).flat_map(|i| bands_of(i * slice, slice, self.band)).collect();
        let parts: Vec<Result<ErrorSums>> = bands
            .par_iter()
            .map_init(
                || (Vec::new(), Vec::new(), AlignedBuf::new()),
                |(weights, decoded, buffer), (first, len)| {
                    self.cancel.check()?;
                    weights.resize(*len as usize, 0.0);
                    decoded.resize(*len as usize, 0.0);
                    self.model.read_f32(tensor, *first, weights, buffer)?;
                    output.read_f32(written, *first, decoded, buffer)?;
                    let mut sums = ErrorSums::default();
                    sums.add_decoded(weights, decoded);
                    self.progress.report(Delta::Recomputed(*len));
                    Ok(sums)
                },
            )
            .collect();
        let mut total = ErrorSums::default();
        for part in parts {
            total.merge(&part?);
        }
        Ok(total)
    }
}

fn open_independent(path: &Path) -> Result<GGUFFileReader<BufReader<File>>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    GGUFFileReader::new(BufReader::with_capacity(1 << 20, file)).map_err(|e| e.to_string())
}

/// Names, dimensions, types, offsets and metadata: what gguf-rs-lib read against what our reader read.
fn compare_headers<R: Read + Seek>(independent: &GGUFFileReader<R>, own: &Gguf, source: &Source) -> Result<()> {
    let differs = |what: String| Err(Error::Check(format!("gguf-rs-lib reads the output differently: {what}")));
    if independent.tensor_count() != own.tensors.len() || independent.metadata().len() != own.kvs.len() {
        return differs(format!(
            "{} tensors and {} metadata entries instead of {} and {}",
            independent.tensor_count(),
            independent.metadata().len(),
            own.tensors.len(),
            own.kvs.len()
        ));
    }
    for (theirs, ours) in independent.tensor_infos().iter().zip(&own.tensors) {
        let same = theirs.name() == ours.name
            && theirs.shape().dims() == ours.dims.as_slice()
            && Some(theirs.tensor_type() as u32) == ours.dtype.number()
            && theirs.data_offset() == ours.offset;
        if !same {
            return differs(format!("tensor '{}'", ours.name));
        }
    }
    let mut encoded = Vec::new();
    let mut buffer = AlignedBuf::new();
    for kv in &own.kvs {
        encoded.clear();
        let found = independent.metadata().get(&kv.key).is_some_and(|value| value.write_to(&mut encoded).is_ok());
        let len = (kv.bytes.end - kv.value_offset) as usize;
        if !found || source.slice(kv.value_offset, len, &mut buffer)? != encoded.as_slice() {
            return differs(format!("key '{}'", kv.key));
        }
    }
    Ok(())
}
