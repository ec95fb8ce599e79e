//! How long-running engine calls tell where they are and learn that they should stop.
//!
//! The engine never prints: it calls a [`Progress`] and asks a [`Cancel`]. What becomes of the deltas (a bar on stderr,
//! a pane) is a face's business.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{Error, Result};

/// A flag that asks running work to stop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag over an existing atomic, such as one that a signal handler sets.
    pub fn from_flag(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// Raises the flag.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is raised.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// [`Error::Cancelled`] once the flag is raised; called at every row band.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// What an export is doing, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Laying out the header, checking space, creating the partial file.
    Prepare,
    /// Streaming tensors.
    Write,
    /// Waiting for the disk.
    Sync,
    /// Reading the output back.
    Verify,
    /// Renaming into place.
    Finish,
}

impl Stage {
    /// Verb for a status line.
    pub fn label(self) -> &'static str {
        match self {
            Self::Prepare => "preparing",
            Self::Write => "writing",
            Self::Sync => "syncing",
            Self::Verify => "checking",
            Self::Finish => "finishing",
        }
    }
}

/// A change in the state of running work. Deltas, so that a receiver can fold them in any grouping.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// Total work: tensors, and bytes of output plus bytes to read back.
    Total {
        /// Tensors in the output.
        tensors: u64,
        /// Bytes of tensor data to write.
        bytes: u64,
    },
    /// A stage begins.
    Stage(Stage),
    /// A tensor begins: its index in the model and its output bytes.
    Tensor {
        /// Index in the model's file order.
        index: usize,
        /// Output bytes of this tensor.
        bytes: u64,
    },
    /// So many more bytes of output were written (or, while checking, read back).
    Bytes(u64),
    /// A tensor is done.
    TensorDone {
        /// Index in the model's file order.
        index: usize,
    },
}

/// Receives [`Delta`]s. Called from worker threads; must not block.
pub trait Progress: Sync {
    /// Takes one delta.
    fn report(&self, delta: Delta);
}

/// Throws every delta away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _delta: Delta) {}
}
