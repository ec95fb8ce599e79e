//! The latency lane: previews, most wanted first, newest list wins.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{EventSink, JobEvent, PreviewKey, Want};
use crate::engine::error::{Error, Result};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::Model;
use crate::engine::preview::{Ask, measure_weighted};
use crate::engine::progress::Cancel;

#[derive(Default)]
struct Wanted {
    model: Option<Arc<Model>>,
    /// Least wanted first, so that the next one is popped.
    wants: Vec<Want>,
    running: Option<(PreviewKey, Cancel)>,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        // A panic inside the lock leaves a list that is still a list.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lane.
pub(super) struct Lane {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Lane {
    /// Starts the lane's thread, which works in `pool`.
    pub(super) fn start(pool: rayon::ThreadPool, imatrix: Option<Arc<Imatrix>>, sink: EventSink) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("preview".to_owned())
            .spawn(move || run(&theirs, &pool, imatrix.as_deref(), &sink))
            .map_err(|e| Error::Usage(format!("cannot start a thread: {e}")))?;
        Ok(Self { shared, thread })
    }

    /// Replaces the list; cancels what runs unless it is on the new list too (of the same model).
    pub(super) fn replace(&self, model: Arc<Model>, mut wants: Vec<Want>) {
        wants.reverse();
        let mut wanted = self.shared.lock();
        let same_model = wanted.model.as_ref().is_some_and(|m| Arc::ptr_eq(m, &model));
        if let Some((key, cancel)) = &wanted.running {
            let key = *key;
            if same_model && wants.iter().any(|w| w.key == key) {
                wants.retain(|w| w.key != key);
            } else {
                cancel.cancel();
            }
        }
        wanted.model = Some(model);
        wanted.wants = wants;
        drop(wanted);
        self.shared.changed.notify_one();
    }

    /// Cancels what runs and waits for the thread.
    pub(super) fn stop(self) {
        {
            let mut wanted = self.shared.lock();
            wanted.stopped = true;
            wanted.wants.clear();
            if let Some((_, cancel)) = &wanted.running {
                cancel.cancel();
            }
        }
        self.shared.changed.notify_one();
        let _ = self.thread.join();
    }
}

fn run(shared: &Shared, pool: &rayon::ThreadPool, imatrix: Option<&Imatrix>, sink: &EventSink) {
    while let Some((model, want, cancel)) = next(shared) {
        let key = want.key;
        let PreviewKey { tensor, format, depth } = key;
        let ask = Ask { tensor, format, methods: &want.methods, depth, imatrix };
        let work = || pool.install(|| measure_weighted(&model, &ask, &cancel));
        let result = std::panic::catch_unwind(AssertUnwindSafe(work));
        shared.lock().running = None;
        match result {
            Ok(Ok(report)) => sink(JobEvent::Preview { model, key, report: Arc::new(report) }),
            Ok(Err(Error::Cancelled)) => {}
            Ok(Err(e)) => sink(JobEvent::PreviewFailed { model, key, message: e.to_string() }),
            Err(_) => {
                let message = "the preview panicked; this is a bug".to_owned();
                sink(JobEvent::PreviewFailed { model, key, message });
            }
        }
    }
}

/// Waits for the next want; `None` once the lane is stopped.
fn next(shared: &Shared) -> Option<(Arc<Model>, Want, Cancel)> {
    let mut wanted = shared.lock();
    loop {
        if wanted.stopped {
            return None;
        }
        if let Some(model) = wanted.model.clone()
            && let Some(want) = wanted.wants.pop()
        {
            let cancel = Cancel::new();
            wanted.running = Some((want.key, cancel.clone()));
            return Some((model, want, cancel));
        }
        wanted = shared.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner);
    }
}
