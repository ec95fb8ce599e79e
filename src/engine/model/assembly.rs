//! A tensor that is not one stretch of one file: parts of files put together by a [`TensorPlan`], or values that were
//! computed.
//!
//! This is how a model under other names is shown as the GGUF it would become without copying a byte: separate experts
//! as one 3-D tensor, query and key rows in the order llama.cpp's rope wants, norms stored as `w` and used as `1 + w`.

use std::sync::Arc;

use crate::engine::codec::{DType, decoder};
use crate::engine::error::{Error, Result};
use crate::engine::format::source::{AlignedBuf, Source};
use crate::engine::hf::{TensorPlan, Transform};

/// Where a part of the tensor begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Index of the file in the model.
    pub file: usize,
    /// Byte offset in it.
    pub offset: u64,
}

/// Where the elements come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Assembly {
    /// Parts of files.
    Parts {
        /// One for each of the plan's.
        parts: Vec<Part>,
        /// Type of their elements: one element a block.
        dtype: DType,
        /// How the elements follow from them.
        plan: TensorPlan,
    },
    /// Values that follow from the model's configuration; F32.
    Values(Vec<f32>),
}

/// Consecutive elements of a file.
struct Run {
    file: usize,
    offset: u64,
    len: u64,
}

impl Assembly {
    /// The type that the assembled tensor has.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Parts { dtype, plan, .. } if plan.transform != Transform::AddOne => *dtype,
            _ => DType::F32,
        }
    }

    /// Whether llama.cpp wants it in F32 whatever the rest is stored in.
    pub fn is_f32_only(&self) -> bool {
        matches!(self, Self::Parts { plan, .. } if plan.f32_only)
    }

    /// The file and offset where its first part lies.
    pub fn first(&self) -> Part {
        match self {
            Self::Parts { parts, .. } => parts.first().copied().unwrap_or(Part { file: 0, offset: 0 }),
            Self::Values(_) => Part { file: 0, offset: 0 },
        }
    }

    /// Decodes elements from `first` on.
    pub fn read_f32(&self, files: &[Arc<Source>], first: u64, out: &mut [f32], buffer: &mut AlignedBuf) -> Result<()> {
        let (dtype, add_one) = match self {
            Self::Values(values) => {
                let values = usize::try_from(first).ok().and_then(|at| values.get(at..at.checked_add(out.len())?));
                out.copy_from_slice(values.ok_or_else(outside)?);
                return Ok(());
            }
            Self::Parts { dtype, plan, .. } => (*dtype, plan.transform == Transform::AddOne),
        };
        let decode = decoder(dtype).ok_or_else(outside)?;
        self.runs(first, out.len() as u64, |at, run, width| {
            let bytes = source(files, run.file)?.slice(run.offset, (run.len * width) as usize, buffer)?;
            let at = (at - first) as usize;
            decode.decode_blocks(bytes, out.get_mut(at..at + run.len as usize).ok_or_else(outside)?);
            Ok(())
        })?;
        if add_one {
            out.iter_mut().for_each(|w| *w += 1.0);
        }
        Ok(())
    }

    /// The bytes `first .. first + len` of the assembled tensor.
    pub fn read_raw<'a>(
        &'a self,
        files: &'a [Arc<Source>],
        first: u64,
        len: usize,
        buffer: &'a mut AlignedBuf,
    ) -> Result<&'a [u8]> {
        let width = self.width();
        // Whole elements around what is wanted.
        let (start, end) = (first / width, (first + len as u64).div_ceil(width));
        let skipped = (first - start * width) as usize;
        let is_copy = matches!(self, Self::Parts { plan, .. } if plan.transform != Transform::AddOne);
        if !is_copy {
            let mut values = vec![0.0; (end - start) as usize];
            self.read_f32(files, start, &mut values, buffer)?;
            let out = buffer.sized(values.len() * 4);
            for (b, v) in out.as_chunks_mut::<4>().0.iter_mut().zip(&values) {
                *b = v.to_le_bytes();
            }
            return out.get(skipped..skipped + len).ok_or_else(outside);
        }
        let whole = self.run(start, end - start)?;
        if whole.len == end - start {
            return source(files, whole.file)?.slice(whole.offset + skipped as u64, len, buffer);
        }
        let out = buffer.sized(((end - start) * width) as usize);
        let mut scratch = AlignedBuf::new();
        self.runs(start, end - start, |at, run, width| {
            let bytes = source(files, run.file)?.slice(run.offset, (run.len * width) as usize, &mut scratch)?;
            let to = ((at - start) * width) as usize;
            out.get_mut(to..to + bytes.len()).ok_or_else(outside)?.copy_from_slice(bytes);
            Ok(())
        })?;
        out.get(skipped..skipped + len).ok_or_else(outside)
    }

    /// Bytes of an element of the assembled tensor.
    fn width(&self) -> u64 {
        self.dtype().layout().map_or(1, |l| l.block_bytes)
    }

    /// Calls `take` for every stretch of a file that elements `first .. first + len` lie in, in order: the first element,
    /// the stretch, and the bytes of an element there.
    fn runs(&self, first: u64, len: u64, mut take: impl FnMut(u64, Run, u64) -> Result<()>) -> Result<()> {
        let Self::Parts { dtype, .. } = self else { return Err(outside()) };
        let width = dtype.layout().map_or(1, |l| l.block_bytes);
        let mut at = first;
        while at < first + len {
            let run = self.run(at, first + len - at)?;
            let step = run.len.max(1);
            take(at, run, width)?;
            at += step;
        }
        Ok(())
    }

    /// The longest stretch of a file that holds elements from `at` on, at most `most` of them.
    fn run(&self, at: u64, most: u64) -> Result<Run> {
        let Self::Parts { parts, dtype, plan } = self else { return Err(outside()) };
        let width = dtype.layout().map_or(1, |l| l.block_bytes);
        let (part, element) = plan.source(at).ok_or_else(outside)?;
        let columns = plan.dims.first().copied().unwrap_or(1).max(1);
        let len = match plan.transform {
            Transform::Identity | Transform::AddOne => {
                let each = plan.elements().unwrap_or(0) / (plan.parts.len() as u64).max(1);
                each.saturating_sub(element)
            }
            _ if plan.source_row(at / columns).is_some() => columns - at % columns,
            _ => 1,
        };
        let from = parts.get(part).ok_or_else(outside)?;
        Ok(Run { file: from.file, offset: from.offset + element * width, len: len.clamp(1, most.max(1)) })
    }
}

fn source(files: &[Arc<Source>], file: usize) -> Result<&Source> {
    files.get(file).map(AsRef::as_ref).ok_or_else(outside)
}

fn outside() -> Error {
    Error::Usage("a range outside the tensor's parts was asked for".to_owned())
}
