//! How long-running engine calls tell where they are and learn that they should stop.
//!
//! The engine never prints: it calls a [`Progress`] and asks a [`Cancel`]. What becomes of the deltas (a bar on stderr,
//! a pane) is a face's business.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Error, Result};

/// Asks running work to stop, or to wait; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    gate: Arc<Gate>,
    way: Option<Way>,
}

/// The right of way before background work: while it is taken, work that was made to give way waits where it next asks
/// its [`Cancel`], so that what somebody waits for has the processor, its caches and its memory to itself. Clones share it.
///
/// Work waits for so long at most each time, so that it goes on, if slowly, whatever happens to the one who took it.
#[derive(Debug, Clone)]
pub struct Way {
    gate: Arc<Gate>,
    longest: Duration,
}

impl Way {
    /// A way that is free, and that work waits for so long at most each time it asks.
    pub fn new(longest: Duration) -> Self {
        Self { gate: Arc::default(), longest }
    }

    /// Takes it, until [`Way::free`].
    pub fn take(&self) {
        if !self.gate.closed.load(Ordering::Relaxed) {
            self.gate.change(|| self.gate.closed.store(true, Ordering::Relaxed));
        }
    }

    /// Lets work go on.
    pub fn free(&self) {
        if self.gate.closed.load(Ordering::Relaxed) {
            self.gate.change(|| self.gate.closed.store(false, Ordering::Relaxed));
        }
    }

    /// Waits while it is taken, not for longer than work has to.
    fn give(&self, enough: impl Fn() -> bool) {
        if self.gate.closed.load(Ordering::Relaxed) {
            self.gate.wait(Instant::now().checked_add(self.longest), enough);
        }
    }
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

    /// Returns once the gate is open, `enough` is so, or it is late.
    fn wait(&self, late: Option<Instant>, enough: impl Fn() -> bool) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.closed.load(Ordering::Relaxed) && !enough() {
            guard = match late {
                None => self.moved.wait(guard).unwrap_or_else(PoisonError::into_inner),
                Some(late) => match late.checked_duration_since(Instant::now()) {
                    None => return,
                    Some(left) => self.moved.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0,
                },
            };
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
        Self { flag, ..Self::default() }
    }

    /// A flag that is not raised, of work that gives way.
    pub fn behind(way: &Way) -> Self {
        Self { way: Some(way.clone()), ..Self::default() }
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

    /// Waits while paused, and a little while others have the [`Way`]; [`Error::Cancelled`] once the flag is raised. Called
    /// at every row band, with no lock held.
    pub fn check(&self) -> Result<()> {
        if let Some(way) = &self.way {
            way.give(|| self.is_cancelled());
        }
        if self.is_paused() {
            self.gate.wait(None, || self.is_cancelled());
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

    /// What a thread that asks `cancel` says, `then` something is done.
    fn asked(cancel: &Cancel, then: impl FnOnce()) -> Result<()> {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| cancel.check());
            std::thread::sleep(Duration::from_millis(50));
            assert!(!asking.is_finished(), "it waits");
            then();
            asking.join().unwrap()
        })
    }

    #[test]
    fn work_waits_while_others_have_the_way() {
        let way = Way::new(Duration::from_secs(3600));
        let cancel = Cancel::behind(&way);
        assert!(cancel.check().is_ok(), "the way is free");
        way.take();
        assert!(asked(&cancel, || way.free()).is_ok());
        way.take();
        assert!(Cancel::new().check().is_ok(), "other work asks nobody");
    }

    #[test]
    fn work_goes_on_though_nobody_frees_the_way() {
        let way = Way::new(Duration::from_millis(5));
        way.take();
        let cancel = Cancel::behind(&way);
        assert!(cancel.check().is_ok() && cancel.check().is_ok());
    }

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
