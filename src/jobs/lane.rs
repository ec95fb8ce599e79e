//! The latency lane: lists of things to look at, most wanted first, newest list wins.
//!
//! There are two lists, so that what the pane in sight shows never waits for the exact figures of some other tensor:
//! [`Want`](super::Want)s (figures of tensors) and [`LookKey`](super::LookKey)s (the grid, block or trits in sight). Each
//! has a thread that waits; the work of both is done in one pool, whose tasks are short and take turns.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{EventSink, JobEvent};
use crate::engine::error::{Error, Result};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::Model;
use crate::engine::progress::{Cancel, Way};

/// What looking at tensors needs beside the model.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    /// How much each column counts.
    pub imatrix: Option<Arc<Imatrix>>,
    /// The model that ternary weights are compared with.
    pub base: Option<Arc<Model>>,
    /// What it gives way to.
    pub way: Way,
}

/// Something on a list.
pub(super) trait Task: Send + Sync + 'static {
    /// What tells it from others.
    type Key: Copy + PartialEq + Send;

    /// Its key.
    fn key(&self) -> Self::Key;

    /// Does it, in the lane's pool.
    fn run(&self, model: &Arc<Model>, beside: &Beside, cancel: &Cancel) -> Result<JobEvent>;

    /// What is reported where it cannot be done.
    fn failed(&self, model: &Arc<Model>, message: String) -> JobEvent;
}

struct Wanted<T: Task> {
    model: Option<Arc<Model>>,
    /// Least wanted first, so that the next one is popped.
    tasks: Vec<T>,
    running: Option<(T::Key, Cancel)>,
    stopped: bool,
}

struct Shared<T: Task> {
    wanted: Mutex<Wanted<T>>,
    changed: Condvar,
}

impl<T: Task> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Wanted<T>> {
        // A panic inside the lock leaves a list that is still a list.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A list and the thread that works it off.
pub(super) struct Lane<T: Task> {
    shared: Arc<Shared<T>>,
    thread: JoinHandle<()>,
}

impl<T: Task> Lane<T> {
    /// Starts the list's thread, which works in `pool`.
    pub(super) fn start(name: &str, pool: Arc<rayon::ThreadPool>, beside: Beside, sink: EventSink) -> Result<Self> {
        let wanted = Wanted { model: None, tasks: Vec::new(), running: None, stopped: false };
        let shared = Arc::new(Shared { wanted: Mutex::new(wanted), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&theirs, &pool, &beside, &sink))
            .map_err(|e| Error::Usage(format!("cannot start a thread: {e}")))?;
        Ok(Self { shared, thread })
    }

    /// Replaces the list; cancels what runs unless it is on the new list too (of the same model).
    pub(super) fn replace(&self, model: Arc<Model>, mut tasks: Vec<T>) {
        tasks.reverse();
        let mut wanted = self.shared.lock();
        let same_model = wanted.model.as_ref().is_some_and(|m| Arc::ptr_eq(m, &model));
        if let Some((key, cancel)) = &wanted.running {
            let key = *key;
            if same_model && tasks.iter().any(|t| t.key() == key) {
                tasks.retain(|t| t.key() != key);
            } else {
                cancel.cancel();
            }
        }
        wanted.model = Some(model);
        wanted.tasks = tasks;
        drop(wanted);
        self.shared.changed.notify_one();
    }

    /// Cancels what runs and waits for the thread.
    pub(super) fn stop(self) {
        {
            let mut wanted = self.shared.lock();
            wanted.stopped = true;
            wanted.tasks.clear();
            if let Some((_, cancel)) = &wanted.running {
                cancel.cancel();
            }
        }
        self.shared.changed.notify_one();
        let _ = self.thread.join();
    }
}

fn run<T: Task>(shared: &Shared<T>, pool: &rayon::ThreadPool, beside: &Beside, sink: &EventSink) {
    while let Some((model, task, cancel)) = next(shared, &beside.way) {
        let work = || pool.install(|| task.run(&model, beside, &cancel));
        let result = std::panic::catch_unwind(AssertUnwindSafe(work));
        shared.lock().running = None;
        match result {
            Ok(Ok(event)) => sink(event),
            Ok(Err(Error::Cancelled)) => {}
            Ok(Err(e)) => sink(task.failed(&model, e.to_string())),
            Err(_) => sink(task.failed(&model, "the preview panicked; this is a bug".to_owned())),
        }
    }
}

/// Waits for the next task; `None` once the lane is stopped.
fn next<T: Task>(shared: &Shared<T>, way: &Way) -> Option<(Arc<Model>, T, Cancel)> {
    let mut wanted = shared.lock();
    loop {
        if wanted.stopped {
            return None;
        }
        if let Some(model) = wanted.model.clone()
            && let Some(task) = wanted.tasks.pop()
        {
            let cancel = Cancel::behind(way);
            wanted.running = Some((task.key(), cancel.clone()));
            return Some((model, task, cancel));
        }
        wanted = shared.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner);
    }
}
