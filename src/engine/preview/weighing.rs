//! What each weight of a tensor counts: the importance of input channels laid over rows, experts and blocks.
//!
//! An expert that no token reached has no importance. Its blocks are coded without; where it shares a block or the one
//! scale with others, its weights count as much as theirs do on average.

use super::super::error::Result;
use super::super::imatrix::{Imatrix, Importance};
use super::super::model::{Role, Tensor};
use super::super::stats::BlockStats;
use super::super::ternary::kernels::Weights;
use super::super::ternary::{BlockError, Coder, CoderWork};

/// Added to importance over its mean where a whole tensor is weighed, as `optimum` does for blocks: no weight counts
/// for nothing.
const FLOOR: f32 = 1e-6;

/// Importance of a tensor's elements, if there is any.
#[derive(Debug, Clone, Copy)]
pub struct Weighing<'a> {
    importance: Option<Importance<'a>>,
    /// Elements of a row.
    row: u64,
    /// Elements of an expert.
    expert: u64,
    /// Mean importance of the channels of all experts that tokens reached.
    mean: f32,
}

impl<'a> Weighing<'a> {
    /// What an importance matrix has about a tensor. Of token embeddings a matrix of another size is passed over; of other
    /// tensors it is an error.
    pub fn of(imatrix: Option<&'a Imatrix>, tensor: &Tensor) -> Result<Self> {
        let experts = tensor.matrices();
        let importance = match imatrix.map(|m| (m, m.for_tensor(&tensor.name, tensor.row_len(), experts))) {
            None => None,
            Some((_, Ok(found))) => found,
            Some((matrix, Err(mismatch))) => {
                mismatch.judge(&matrix.path, tensor.role == Role::TokenEmbd)?;
                None
            }
        };
        let reached = |i: &Importance<'a>| {
            let columns = (0..i.experts()).filter_map(|e| i.of_expert(e)).flatten();
            columns.fold((0.0f64, 0u64), |(sum, n), q| (sum + f64::from(*q), n + 1))
        };
        let (sum, n) = importance.as_ref().map_or((0.0, 0), reached);
        Ok(Self {
            importance,
            row: tensor.row_len().max(1),
            expert: (tensor.elements() / experts).max(1),
            mean: (sum / n.max(1) as f64) as f32,
        })
    }

    /// Whether there is any importance of the tensor.
    pub fn is_known(&self) -> bool {
        self.importance.is_some()
    }

    /// The same tensor as if nothing were known of it.
    #[must_use]
    pub fn without_importance(&self) -> Self {
        Self { importance: None, ..*self }
    }

    /// How many activations an expert's importance rests on, where the matrix counts them; 0 of one that no token
    /// reached.
    pub fn hits(&self, expert: u64) -> Option<f32> {
        self.importance.as_ref()?.count(usize::try_from(expert).ok()?)
    }

    /// Importance of each element of a block; `None` where it has none.
    pub fn of_block<'b>(&'b self, first: u64, len: usize, buffer: &'b mut Vec<f32>) -> Option<&'b [f32]> {
        let importance = self.importance.as_ref()?;
        let (from, to) = (first / self.expert, first.saturating_add(len as u64).saturating_sub(1) / self.expert);
        if from == to {
            let columns = importance.of_expert(from as usize)?;
            let start = (first % self.row) as usize;
            if let Some(inside) = columns.get(start..start + len) {
                return Some(inside);
            }
        } else if (from..=to).all(|e| importance.of_expert(e as usize).is_none()) {
            return None;
        }
        self.fill(importance, first, len, buffer);
        Some(buffer)
    }

    /// Importance of whole blocks from `first` on, to be laid over `len` elements or fewer again and again, and over how
    /// many: to the end of the row, or from the beginning of one to the end of the expert. `None` where they have none of
    /// their own, or a row ends within a block.
    fn of_rows(&self, first: u64, len: usize, block: usize) -> Option<(&[f32], usize)> {
        let expert = first / self.expert;
        let row = self.importance.as_ref()?.of_expert(expert as usize)?.get(..self.row as usize)?;
        let rest = row.get((first % self.row) as usize..)?;
        let whole = rest.len() == row.len() && row.len().is_multiple_of(block);
        let end = if whole { (expert + 1) * self.expert - first } else { rest.len() as u64 };
        let len = len.min(usize::try_from(end).unwrap_or(usize::MAX)) / block * block;
        (len > 0).then(|| (&rest[..rest.len().min(len)], len))
    }

    /// Codes blocks from the front of `weights`, the first of which is element `first` of the tensor, as [`Coder::code_many`]
    /// does; where importance is known, whole blocks of many rows at a time.
    pub fn code(
        &self,
        coder: &Coder,
        (weights, first): (Weights<'_>, u64),
        (work, buffer): (&mut CoderWork, &mut Vec<f32>),
        out: &mut [u8],
        stats: &mut BlockStats,
    ) -> Result<usize, BlockError> {
        let block = coder.format().block_len();
        if !self.is_known() {
            return coder.code_many(weights, work, out, stats);
        }
        if let Some((importance, len)) = self.of_rows(first, weights.len(), block) {
            return coder.code_weighted((weights.part(0, len), importance), work, out, stats);
        }
        let weights = weights.part(0, block);
        let importance = self.of_block(first, weights.len(), buffer);
        coder.code_one(weights, importance, work, &mut out[..coder.format().block_bytes()], stats).map(|()| 1)
    }

    /// Importance over its mean of each of many elements, for a tensor with one scale; `None` where it has none.
    pub fn of_run<'b>(&self, first: u64, len: usize, buffer: &'b mut Vec<f32>) -> Option<&'b [f32]> {
        let importance = self.importance.as_ref().filter(|_| self.mean > 0.0 && self.mean.is_finite())?;
        self.fill(importance, first, len, buffer);
        buffer.iter_mut().for_each(|q| *q = *q / self.mean + FLOOR);
        Some(buffer)
    }

    fn fill(&self, importance: &Importance<'_>, first: u64, len: usize, buffer: &mut Vec<f32>) {
        buffer.clear();
        while buffer.len() < len {
            let at = first + buffer.len() as u64;
            let column = (at % self.row) as usize;
            let run = (self.row as usize - column).min(len - buffer.len());
            match importance.of_expert((at / self.expert) as usize).and_then(|q| q.get(column..column + run)) {
                Some(columns) => buffer.extend_from_slice(columns),
                None => buffer.resize(buffer.len() + run, self.mean),
            }
        }
    }
}
