//! A tensor that is not one stretch of one file: several parts behind one another, their rows in another order, or
//! values that were computed.
//!
//! This is how a model under other names is shown as the GGUF it would become without copying a byte: separate experts
//! as one 3-D tensor, query and key rows in the order llama.cpp's rope wants, norms stored as `w` and used as `1 + w`.

use std::sync::Arc;

use crate::engine::codec::{DType, decoder};
use crate::engine::error::{Error, Result};
use crate::engine::format::source::{AlignedBuf, Source};

/// A stretch of a file: as many elements as every other part of the tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Index of the file in the model.
    pub file: usize,
    /// Byte offset in it.
    pub offset: u64,
}

/// What is changed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The rows of each head, stored as two halves that are rotated against each other, become pairs of neighbours:
    /// row 2j + p of a head comes from row p·(rows of a head)/2 + j. Llama-style models need it for q and k.
    PairHalves {
        /// Heads that share the rows evenly.
        heads: u64,
    },
    /// Every value plus one; the result is F32.
    AddOne,
}

/// Where the elements come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// Parts of files.
    Parts {
        /// In order.
        parts: Vec<Part>,
        /// Type of their elements: one element a block.
        dtype: DType,
        /// Elements of each part.
        elements: u64,
        /// Elements of a row; 1 for vectors whose elements are rows.
        row: u64,
        /// What is changed.
        change: Change,
    },
    /// Values that follow from the model's configuration; F32.
    Values(Vec<f32>),
}

/// The elements of an assembled tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembly(pub Origin);

impl Assembly {
    /// The type that the assembled tensor has.
    pub fn dtype(&self) -> DType {
        match &self.0 {
            Origin::Values(_) | Origin::Parts { change: Change::AddOne, .. } => DType::F32,
            Origin::Parts { dtype, .. } => *dtype,
        }
    }

    /// The file and offset where its first part lies.
    pub fn first(&self) -> Part {
        match &self.0 {
            Origin::Parts { parts, .. } => parts.first().copied().unwrap_or(Part { file: 0, offset: 0 }),
            Origin::Values(_) => Part { file: 0, offset: 0 },
        }
    }

    /// Decodes elements from `first` on.
    pub fn read_f32(&self, files: &[Arc<Source>], first: u64, out: &mut [f32], buffer: &mut AlignedBuf) -> Result<()> {
        let (dtype, change) = match &self.0 {
            Origin::Values(values) => {
                let values = usize::try_from(first).ok().and_then(|at| values.get(at..at.checked_add(out.len())?));
                out.copy_from_slice(values.ok_or_else(outside)?);
                return Ok(());
            }
            Origin::Parts { dtype, change, .. } => (*dtype, *change),
        };
        let decode = decoder(dtype).ok_or_else(outside)?;
        let mut done = 0;
        while done < out.len() {
            let run = self.run(first + done as u64, (out.len() - done) as u64)?;
            let width = dtype.layout().map_or(1, |l| l.block_bytes);
            let bytes =
                files.get(run.file).ok_or_else(outside)?.slice(run.offset, (run.len * width) as usize, buffer)?;
            let target = out.get_mut(done..done + run.len as usize).ok_or_else(outside)?;
            decode.decode_blocks(bytes, target);
            done += run.len as usize;
        }
        if change == Change::AddOne {
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
        let width = self.dtype().layout().map_or(1, |l| l.block_bytes);
        let copied = matches!(&self.0, Origin::Parts { change: Change::None | Change::PairHalves { .. }, .. });
        // Whole elements around what is wanted.
        let (start, end) = (first / width, (first + len as u64).div_ceil(width));
        if !copied {
            let mut values = vec![0.0; (end - start) as usize];
            self.read_f32(files, start, &mut values, buffer)?;
            let out = buffer.sized(values.len() * 4);
            for (b, v) in out.as_chunks_mut::<4>().0.iter_mut().zip(&values) {
                *b = v.to_le_bytes();
            }
            let skipped = (first - start * width) as usize;
            return out.get(skipped..skipped + len).ok_or_else(outside);
        }
        let whole = self.run(start, end - start)?;
        if whole.len == end - start {
            let source = files.get(whole.file).ok_or_else(outside)?;
            return source.slice(whole.offset + (first - start * width), len, buffer);
        }
        let out = buffer.sized(((end - start) * width) as usize);
        let mut scratch = AlignedBuf::new();
        let mut at = start;
        while at < end {
            let run = self.run(at, end - at)?;
            let source = files.get(run.file).ok_or_else(outside)?;
            let bytes = source.slice(run.offset, (run.len * width) as usize, &mut scratch)?;
            let to = ((at - start) * width) as usize;
            out.get_mut(to..to + bytes.len()).ok_or_else(outside)?.copy_from_slice(bytes);
            at += run.len;
        }
        let skipped = (first - start * width) as usize;
        out.get(skipped..skipped + len).ok_or_else(outside)
    }

    /// The longest stretch of a file that holds elements from `at` on, at most `most` of them.
    fn run(&self, at: u64, most: u64) -> Result<Run> {
        let Origin::Parts { parts, dtype, elements, row, change } = &self.0 else { return Err(outside()) };
        let width = dtype.layout().map_or(1, |l| l.block_bytes);
        let elements = (*elements).max(1);
        let part = usize::try_from(at / elements).ok().and_then(|i| parts.get(i)).ok_or_else(outside)?;
        let inside = at % elements;
        let Change::PairHalves { heads } = change else {
            let len = most.min(elements - inside);
            return Ok(Run { file: part.file, offset: part.offset + inside * width, len });
        };
        let row = (*row).max(1);
        let (r, column) = (inside / row, inside % row);
        let of_head = (elements / row / (*heads).max(1)).max(1);
        let (head, within) = (r / of_head, r % of_head);
        let from = head * of_head + (within % 2) * (of_head / 2) + within / 2;
        let len = most.min(row - column);
        Ok(Run { file: part.file, offset: part.offset + (from * row + column) * width, len })
    }
}

/// Consecutive elements of a file.
struct Run {
    file: usize,
    offset: u64,
    len: u64,
}

fn outside() -> Error {
    Error::Usage("a range outside the tensor's parts was asked for".to_owned())
}
