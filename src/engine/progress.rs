//! How long-running engine calls tell where they are and learn that they should stop.
//!
//! The engine never prints: it calls a [`Progress`] and asks a [`Cancel`]. What becomes of the deltas (a bar on stderr,
//! a pane) is a face's business.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::error::{Error, Result};

/// Asks running work to stop, or to wait; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    gate: Arc<Gate>,
}

/// What work waits at while it is paused, without using the processor.
#[derive(Debug, Default)]
struct Gate {
    closed: AtomicBool,
    lock: Mutex<()>,
    moved: Condvar,
}

impl Gate {
    /// Changes something that work may be waiting for. Under the lock, so that nobody misses it between looking and waiting.
    fn change(&self, change: impl FnOnce()) {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        change();
        drop(guard);
        self.moved.notify_all();
    }

    /// Returns once the gate is open or `enough` is so.
    fn wait(&self, enough: impl Fn() -> bool) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.closed.load(Ordering::Relaxed) && !enough() {
            guard = self.moved.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag over an existing atomic, such as one that a signal handler sets. Raising that one from outside wakes nothing
    /// that is paused.
    pub fn from_flag(flag: Arc<AtomicBool>) -> Self {
        Self { flag, gate: Arc::default() }
    }

    /// Raises the flag; work that is paused ends too.
    pub fn cancel(&self) {
        self.gate.change(|| self.flag.store(true, Ordering::Relaxed));
    }

    /// Makes work wait where it next asks, until [`Cancel::resume`] or [`Cancel::cancel`].
    pub fn pause(&self) {
        self.gate.change(|| self.gate.closed.store(true, Ordering::Relaxed));
    }

    /// Lets work that waits go on.
    pub fn resume(&self) {
        self.gate.change(|| self.gate.closed.store(false, Ordering::Relaxed));
    }

    /// Whether work is to wait.
    pub fn is_paused(&self) -> bool {
        self.gate.closed.load(Ordering::Relaxed)
    }

    /// Whether the flag is raised.
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Waits while paused; [`Error::Cancelled`] once the flag is raised. Called at every row band, with no lock held.
    pub fn check(&self) -> Result<()> {
        if self.is_paused() {
            self.gate.wait(|| self.is_cancelled());
        }
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
    /// So many more elements were decoded from the output and their error computed again.
    Recomputed(u64),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paused_waits_until_it_is_let_go_or_cancelled() {
        for cancelled in [false, true] {
            let cancel = Cancel::new();
            cancel.pause();
            let (sender, receiver) = std::sync::mpsc::channel();
            std::thread::scope(|scope| {
                let (theirs, passed) = (cancel.clone(), sender.clone());
                scope.spawn(move || passed.send(theirs.check().is_err()));
                assert!(receiver.recv_timeout(std::time::Duration::from_millis(50)).is_err(), "it waits");
                if cancelled {
                    cancel.cancel();
                } else {
                    cancel.resume();
                }
                assert_eq!(receiver.recv(), Ok(cancelled));
            });
        }
    }
}
