//! Writing the output: streamed, checked, and there whole or not at all.
//!
//! [`export`] freezes a plan, lays the whole file out, streams tensors band by band into `OUT.partial`, waits for the
//! disk, reads everything back and only then renames. [`pipeline`] turns one tensor into bytes, [`target`] owns the
//! partial file, [`check`] reads the result back, [`header`] makes the metadata.

mod check;
mod header;
mod pipeline;
mod target;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::error::{Diagnostic, Error, Result, Severity};
use super::model::Model;
use super::plan::{Plan, Recipe};
use super::progress::{Cancel, Delta, Progress, Stage};
use super::stats::BlockStats;

pub use check::{Check, Reader};
pub use header::fingerprint;

use target::Target;

/// How far the output is read back before it gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// The header only.
    None,
    /// The header, and the data against the hash of the bytes produced.
    Hash,
    /// That, and every ternary tensor decoded again and its error computed against the source.
    Full,
}

/// Where an export goes and what it takes care of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOptions {
    /// The output.
    pub out: PathBuf,
    /// Whether an existing file may be replaced.
    pub force: bool,
    /// How far the output is read back.
    pub verify: Verify,
    /// Whether to wait for the disk before and after the rename.
    pub sync: bool,
    /// Whether to say in the metadata what made the file, from what and how.
    pub provenance: bool,
    /// Most bytes of working memory.
    pub max_memory: u64,
}

impl ExportOptions {
    /// The defaults, for this output.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self { out: out.into(), force: false, verify: Verify::Hash, sync: true, provenance: true, max_memory: 64 << 30 }
    }
}

/// What the export found out about one tensor.
#[derive(Debug, Clone, Default)]
pub struct TensorOutcome {
    /// Error and scales, where it was made ternary.
    pub stats: Option<BlockStats>,
    /// The same per matrix of a tensor that has several: per expert.
    pub slices: Vec<BlockStats>,
    /// NaN and infinite values in a tensor that stays.
    pub non_finite: u64,
}

/// A finished export.
#[derive(Debug, Clone)]
pub struct ExportSummary {
    /// The output.
    pub out: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// One outcome a tensor, in file order.
    pub tensors: Vec<TensorOutcome>,
    /// Sum over the tensors made ternary.
    pub stats: BlockStats,
    /// How it was read back.
    pub check: Check,
    /// Seconds of each stage.
    pub stages: Vec<(Stage, f64)>,
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}
