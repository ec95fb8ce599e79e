//! Looking a weight tensor up: its importance expert by expert, or by how much the sizes differ.

use std::path::Path;

use super::{Entry, Imatrix};
use crate::engine::error::{Diagnostic, Error, Result, Severity};

/// Importance of one weight tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Importance<'a> {
    entry: &'a Entry,
    row_len: usize,
    experts: usize,
    legacy: bool,
}

/// The matrix was measured on a tensor of another size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the importance matrix has {columns} columns × {measured} experts for it, \
     the tensor has rows of {row_len} × {experts} experts"
)]
pub struct Mismatch {
    /// The weight tensor.
    pub tensor: String,
    /// Values per expert in the matrix.
    pub columns: usize,
    /// Experts in the matrix; 1 also where it does not tell them apart.
    pub measured: usize,
    /// Row length of the tensor.
    pub row_len: u64,
    /// Experts of the tensor.
    pub experts: u64,
}

impl Mismatch {
    /// What becomes of it: a warning for token embeddings, which are looked up and not multiplied, so that what was
    /// measured under their name belongs to the output layer; an error for every other tensor. So does llama.cpp.
    pub fn judge(&self, imatrix: &Path, is_embedding: bool) -> Result<Diagnostic> {
        if is_embedding {
            let what = format!("{self}; it is passed over");
            return Ok(Diagnostic::tensor(Severity::Warning, "imatrix-size", &self.tensor, what));
        }
        Err(Error::tensor(imatrix, &self.tensor, self.to_string()))
    }
}

impl Imatrix {
    /// Importance of the weight tensor `name` with rows of `row_len`, merged from `experts` matrices (1 for a plain
    /// one). `None` where the matrix does not have the tensor.
    ///
    /// Sizes fit where experts and columns are the same, or where an entry with one count for all has as many values as
    /// all experts together: the legacy form, and merged tensors that every token goes through.
    pub fn for_tensor(&self, name: &str, row_len: u64, experts: u64) -> Result<Option<Importance<'_>>, Mismatch> {
        let Some(entry) = self.entry(name) else { return Ok(None) };
        let (columns, measured) = (entry.columns as u64, entry.experts as u64);
        let apart = columns == row_len && measured == experts;
        let together = measured == 1 && row_len > 0 && row_len.checked_mul(experts) == Some(columns);
        if !apart && !together {
            let tensor = name.to_owned();
            return Err(Mismatch { tensor, columns: entry.columns, measured: entry.experts, row_len, experts });
        }
        // Both are at most the number of values, which are in memory.
        Ok(Some(Importance { entry, row_len: row_len as usize, experts: experts as usize, legacy: self.legacy }))
    }
}

impl<'a> Importance<'a> {
    /// Experts, 1 for a plain matrix.
    pub fn experts(&self) -> usize {
        self.experts
    }

    /// Elements of a row.
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// Importance of each element of a row of expert `i`; `None` where no token reached that expert, or there is no
    /// such expert. (llama.cpp takes 1 for every element then, which weighs nothing either.)
    pub fn of_expert(&self, i: usize) -> Option<&'a [f32]> {
        let start = i.checked_mul(self.row_len)?;
        let values = self.entry.importance.get(start..start.checked_add(self.row_len)?)?;
        let reached = if self.legacy {
            // The form has no counts; what was never measured is written as exactly 1 throughout.
            values.iter().any(|v| *v != 1.0)
        } else {
            let count = if let [one] = self.entry.counts[..] { Some(one) } else { self.entry.counts.get(i).copied() };
            count.is_some_and(|count| count > 0.0)
        };
        reached.then_some(values)
    }

    /// Activations behind the importance of expert `i`; `None` where the matrix has no count of its own for it.
    pub fn count(&self, i: usize) -> Option<f32> {
        if self.legacy || self.entry.counts.len() != self.experts { None } else { self.entry.counts.get(i).copied() }
    }

    /// Experts that no token reached, ascending: they are quantized as if there were no importance matrix.
    pub fn unreached(&self) -> Vec<usize> {
        (0..self.experts).filter(|i| self.of_expert(*i).is_none()).collect()
    }
}
