//! Checks of every weight of a model, in the background: one at a time, on a pool of its own, so that previews stay quick.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::{EventSink, JobEvent};
use crate::engine::error::{Diagnostic, Error, Result};
use crate::engine::lint::weights;
use crate::engine::model::Model;
use crate::engine::progress::{Cancel, Delta, Progress, Way};

/// Steps in which a check tells how far it is.
const STEPS: u64 = 200;

/// How a check goes. It ends with exactly one of the last three.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckEvent {
    /// This share of the bytes is read.
    Moved(f64),
    /// It is done; what it found.
    Done(Vec<Diagnostic>),
    /// It could not be done: why.
    Failed(String),
    /// It was stopped.
    Stopped,
}

/// Turns deltas into shares, no more of them than a screen can show.
struct Meter<'a> {
    total: AtomicU64,
    bytes: AtomicU64,
    tell: &'a (dyn Fn(f64) + Sync),
}

impl Progress for Meter<'_> {
    fn report(&self, delta: Delta) {
        match delta {
            Delta::Total { bytes, .. } => self.total.store(bytes.max(1), Ordering::Relaxed),
            Delta::Bytes(n) => {
                let total = self.total.load(Ordering::Relaxed).max(1);
                let before = self.bytes.fetch_add(n, Ordering::Relaxed);
                let step = |bytes: u64| u128::from(bytes) * u128::from(STEPS) / u128::from(total);
                if step(before) != step(before.saturating_add(n)) {
                    (self.tell)((before.saturating_add(n) as f64 / total as f64).min(1.0));
                }
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Running {
    cancel: Option<Cancel>,
    thread: Option<JoinHandle<()>>,
}

/// The check that runs, if one does.
pub(super) struct Lane {
    pool: Arc<rayon::ThreadPool>,
    way: Way,
    sink: EventSink,
    running: Mutex<Running>,
}

impl Lane {
    /// A lane that works in `pool` and gives way.
    pub(super) fn new(pool: rayon::ThreadPool, way: &Way, sink: EventSink) -> Self {
        Self { pool: Arc::new(pool), way: way.clone(), sink, running: Mutex::default() }
    }

    /// Begins a check; one that runs is stopped first.
    pub(super) fn begin(&self, model: Arc<Model>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cancel) = running.cancel.take() {
            cancel.cancel();
        }
        let cancel = Cancel::behind(&self.way);
        running.cancel = Some(cancel.clone());
        let (pool, sink) = (Arc::clone(&self.pool), Arc::clone(&self.sink));
        let before = running.thread.take();
        let checked = Arc::clone(&model);
        let job = move || {
            if let Some(before) = before {
                let _ = before.join();
            }
            check(&model, &pool, &cancel, &sink);
        };
        match std::thread::Builder::new().name("check".to_owned()).spawn(job) {
            Ok(thread) => running.thread = Some(thread),
            Err(e) => {
                let event = CheckEvent::Failed(format!("cannot start a thread: {e}"));
                (self.sink)(JobEvent::Check { model: checked, event });
            }
        }
    }

    /// Stops the check that runs.
    pub(super) fn cancel(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.cancel.iter().for_each(Cancel::cancel);
    }

    /// Stops it and waits for its thread.
    pub(super) fn stop(self) {
        self.cancel();
        let running = self.running.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = running.thread {
            let _ = thread.join();
        }
    }
}

fn check(model: &Arc<Model>, pool: &rayon::ThreadPool, cancel: &Cancel, sink: &EventSink) {
    let send = |event| sink(JobEvent::Check { model: Arc::clone(model), event });
    let tell = |share| send(CheckEvent::Moved(share));
    let meter = Meter { total: AtomicU64::new(0), bytes: AtomicU64::new(0), tell: &tell };
    let work = AssertUnwindSafe(|| pool.install(|| weights(model, &meter, cancel)));
    let done: Result<Vec<Diagnostic>> = match std::panic::catch_unwind(work) {
        Ok(done) => done,
        Err(_) => Err(Error::Usage("the check panicked; this is a bug".to_owned())),
    };
    send(match done {
        Ok(found) => CheckEvent::Done(found),
        Err(Error::Cancelled) => CheckEvent::Stopped,
        Err(e) => CheckEvent::Failed(e.to_string()),
    });
}
