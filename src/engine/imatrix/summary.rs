//! What is worth showing of an importance matrix: how much text it saw, and whom it never saw.

use std::fmt;

use super::Imatrix;
use crate::engine::error::{Diagnostic, Severity};
use crate::text::{count, escape};

/// The matrix in a few figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Weight tensors.
    pub entries: usize,
    /// Chunks of text, where the file says so.
    pub chunks: Option<u64>,
    /// Tokens of a chunk, where the file says so.
    pub chunk_size: Option<u64>,
    /// Chunks × tokens of a chunk.
    pub tokens: Option<u64>,
    /// Text files.
    pub datasets: Vec<String>,
    /// Read from the `.dat` form.
    pub legacy: bool,
    /// Experts of all tensors that have more than one; 0 for legacy files, which do not tell them apart.
    pub experts: usize,
    /// Those of them that no token reached.
    pub unreached_experts: usize,
    /// Tensors without experts that no token reached.
    pub unreached_tensors: usize,
}

impl Imatrix {
    /// The matrix in a few figures.
    pub fn summary(&self) -> Summary {
        let unreached = |counts: &[f32]| counts.iter().filter(|c| !self.legacy && **c <= 0.0).count();
        let merged = || self.entries.iter().filter(|e| e.experts > 1);
        let plain = self.entries.iter().filter(|e| e.experts == 1);
        Summary {
            entries: self.entries.len(),
            chunks: self.chunks,
            chunk_size: self.chunk_size,
            tokens: self.chunks.zip(self.chunk_size).and_then(|(chunks, size)| chunks.checked_mul(size)),
            datasets: self.datasets.clone(),
            legacy: self.legacy,
            experts: merged().map(|e| e.experts).sum(),
            unreached_experts: merged().map(|e| unreached(&e.counts)).sum(),
            unreached_tensors: plain.map(|e| unreached(&e.counts)).sum(),
        }
    }

    /// A warning where the matrix was made from another number of chunks than the recipe's `calibration_samples`. It
    /// changes nothing: how much text was measured is settled once the file exists.
    pub fn calibration_note(&self, calibration_samples: usize) -> Option<Diagnostic> {
        let made = match self.chunks {
            Some(chunks) if chunks == calibration_samples as u64 => return None,
            Some(1) => "1 chunk".to_owned(),
            Some(chunks) => format!("{chunks} chunks"),
            None => "an unknown number of chunks".to_owned(),
        };
        let what = format!("the importance matrix was made from {made}, calibration_samples is {calibration_samples}");
        Some(Diagnostic::file(Severity::Warning, "imatrix-chunks", what))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tensors", self.entries)?;
        match (self.chunks, self.chunk_size) {
            (Some(chunks), Some(size)) => write!(f, ", {chunks} chunks of {size} tokens")?,
            (Some(chunks), None) => write!(f, ", {chunks} chunks")?,
            (None, _) => write!(f, ", number of chunks unknown")?,
        }
        if let Some(tokens) = self.tokens {
            write!(f, " ({})", count(tokens))?;
        }
        let names: Vec<String> = self.datasets.iter().map(|name| escape(name)).collect();
        if !names.is_empty() {
            write!(f, ", from {}", names.join(", "))?;
        }
        if self.experts > 0 {
            write!(f, ", {} of {} experts without tokens", self.unreached_experts, self.experts)?;
        }
        if self.unreached_tensors > 0 {
            write!(f, ", {} tensors without tokens", self.unreached_tensors)?;
        }
        write!(f, "{}", if self.legacy { " (legacy form)" } else { "" })
    }
}
