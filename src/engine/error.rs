//! What can go wrong in the engine, as one closed enum, and what is merely worth telling (a [`Diagnostic`]).
//!
//! Every error names the file, and where it has them the tensor, the offset and the number that is wrong, so that
//! both faces only have to print it. The process exit code follows from the variant and lives here too, so that no
//! face has a table of its own.

use std::path::{Path, PathBuf};

use super::ternary::kernels::KernelError;
use crate::text::{elide, escape};

/// Columns of a tensor name in a line of text; names that llama.cpp takes have 63 at most.
const NAME_COLUMNS: usize = 160;

/// Result of every engine call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything the engine refuses or fails at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Opening, reading, writing, syncing or renaming failed.
    #[error("{}: cannot {action}: {source}", escape(&path.to_string_lossy()))]
    Io {
        /// File the system call was about.
        path: PathBuf,
        /// What was tried, as a verb phrase: "open", "read 64 bytes at offset 24".
        action: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The container's structure is not what it should be.
    #[error("{}: {} (at offset {offset})", escape(&path.to_string_lossy()), escape(what))]
    Format {
        /// The file.
        path: PathBuf,
        /// Byte offset of the structure that is wrong.
        offset: u64,
        /// What was found and what was expected.
        what: String,
    },
    /// What a file holds, or lacks, does not do for what was asked, and no one place in it is to blame.
    #[error("{}: {}", escape(&path.to_string_lossy()), escape(what))]
    Content {
        /// The file, or the folder of a model.
        path: PathBuf,
        /// What was found and what was expected.
        what: String,
    },
    /// A tensor's description or its data is not what it should be.
    #[error("{}: tensor '{}': {}", escape(&path.to_string_lossy()), escape(tensor), escape(what))]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Name of the tensor as the file spells it.
        tensor: String,
        /// What was found and what was expected.
        what: String,
    },
    /// The file system has less room than the output needs.
    #[error(
        "{}: not enough space: the output needs {needed} bytes, {available} are free",
        escape(&path.to_string_lossy())
    )]
    NoSpace {
        /// The output.
        path: PathBuf,
        /// Bytes the output needs.
        needed: u64,
        /// Bytes the file system has for us.
        available: u64,
    },
    /// The request contradicts itself, or would overwrite something it was not told to.
    #[error("{0}")]
    Usage(String),
    /// The kernel that was asked for cannot be had.
    #[error("TRITSCOPE_KERNEL: {}", escape(&.0.to_string()))]
    Kernel(#[from] KernelError),
    /// The request is fine but would leave everything as it is.
    #[error("nothing to do: {0}")]
    NothingToDo(String),
    /// A check the user asked for did not hold.
    #[error("check failed: {}", escape(.0))]
    Check(String),
    /// The user or a signal stopped the work.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// An I/O error with its file and what was tried.
    pub fn io(path: &Path, action: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), action: action.into(), source }
    }

    /// A structural error at a byte offset of a file.
    pub fn format(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), offset, what: what.into() }
    }

    /// An error about what a file holds as a whole.
    pub fn content(path: &Path, what: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), what: what.into() }
    }

    /// An error about one tensor of a file.
    pub fn tensor(path: &Path, tensor: &str, what: impl Into<String>) -> Self {
        Self::Tensor { path: path.to_owned(), tensor: tensor.to_owned(), what: what.into() }
    }

    /// Exit code of the process: 1 a check did not hold, 2 usage or nothing to do, 3 bad input, 4 I/O, 130 cancelled.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Check(_) => 1,
            Self::Usage(_) | Self::Kernel(_) | Self::NothingToDo(_) => 2,
            Self::Format { .. } | Self::Content { .. } | Self::Tensor { .. } => 3,
            Self::Io { .. } | Self::NoSpace { .. } => 4,
            Self::Cancelled => 130,
        }
    }
}

/// How much a [`Diagnostic`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Odd, but the file can be used.
    Warning,
    /// The file cannot be exported or loaded as it is.
    Error,
}

impl Severity {
    /// Lower-case word, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something found while reading a file that does not stop it from being shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    /// How much it matters. [`Severity::Error`] stops an export.
    pub severity: Severity,
    /// Stable short name, for scripts: `overlap`, `unknown-type`, …
    pub code: &'static str,
    /// The tensor it is about, if it is about one.
    pub tensor: Option<String>,
    /// Byte offset in the file, if it has one.
    pub offset: Option<u64>,
    /// What was found, what was expected.
    pub message: String,
}

impl Diagnostic {
    /// A diagnostic about the file as a whole.
    pub fn file(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self { severity, code, tensor: None, offset: None, message: message.into() }
    }

    /// A diagnostic about one tensor.
    pub fn tensor(severity: Severity, code: &'static str, name: &str, message: impl Into<String>) -> Self {
        Self { severity, code, tensor: Some(name.to_owned()), offset: None, message: message.into() }
    }

    /// The same with the byte offset it was found at.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.severity.name(), self.code)?;
        if let Some(tensor) = &self.tensor {
            write!(f, " {}", elide(&escape(tensor), NAME_COLUMNS))?;
        }
        write!(f, ": {}", escape(&self.message))?;
        if let Some(offset) = self.offset {
            write!(f, " (at offset {offset})")?;
        }
        Ok(())
    }
}
