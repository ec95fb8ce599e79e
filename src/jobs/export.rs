//! The bulk lane: exports, one at a time, in the order they were asked for; and the fold of their deltas into a state.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{EventSink, ExportRequest, JobEvent, JobId};
use crate::engine::error::{Error, Result};
use crate::engine::export::{Calibration, ExportOptions, ExportSummary, Labor, Workload, export};
use crate::engine::progress::{Cancel, Delta, Progress, Stage, Way};

struct Job {
    id: JobId,
    request: ExportRequest,
    cancel: Cancel,
}

/// What waits, what runs, and whether more may come.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    running: Option<(JobId, Cancel)>,
    closed: bool,
}

/// The queue as lane and thread share it.
#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, which runs from now on; waits for one. `None` once the lane is closed and nothing waits.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        queue.running = None;
        loop {
            if let Some(job) = queue.waiting.pop_front() {
                queue.running = Some((job.id, job.cancel.clone()));
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The lane.
pub(super) struct Lane {
    shared: Arc<Shared>,
    next_id: AtomicU64,
    way: Way,
    sink: EventSink,
    thread: JoinHandle<()>,
}

impl Lane {
    /// Starts the lane's thread, which works in `pool`.
    pub(super) fn start(pool: rayon::ThreadPool, way: &Way, sink: EventSink) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (theirs, events) = (Arc::clone(&shared), Arc::clone(&sink));
        let thread = std::thread::Builder::new()
            .name("export".to_owned())
            .spawn(move || run(&theirs, &pool, &events))
            .map_err(|e| Error::Usage(format!("cannot start a thread: {e}")))?;
        Ok(Self { shared, next_id: AtomicU64::new(1), way: way.clone(), sink, thread })
    }

    /// Queues an export.
    pub(super) fn submit(&self, request: ExportRequest) -> JobId {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.shared.lock().waiting.push_back(Job { id, request, cancel: Cancel::behind(&self.way) });
        self.shared.changed.notify_all();
        id
    }

    /// Asks the job that runs to stop; one that waits leaves the queue at once.
    pub(super) fn cancel(&self, id: JobId) {
        let mut queue = self.shared.lock();
        if let Some((_, cancel)) = queue.running.as_ref().filter(|(running, _)| *running == id) {
            cancel.cancel();
            return;
        }
        let before = queue.waiting.len();
        queue.waiting.retain(|job| job.id != id);
        let left = queue.waiting.len() < before;
        drop(queue);
        if left {
            (self.sink)(JobEvent::ExportCancelled(id));
        }
    }

    /// Makes the job that runs wait, or go on.
    pub(super) fn pause(&self, id: JobId, paused: bool) {
        let queue = self.shared.lock();
        if let Some((_, cancel)) = queue.running.as_ref().filter(|(running, _)| *running == id) {
            if paused { cancel.pause() } else { cancel.resume() }
        }
    }

    /// Puts a job that waits before all others that do.
    pub(super) fn run_next(&self, id: JobId) {
        let mut queue = self.shared.lock();
        let at = queue.waiting.iter().position(|job| job.id == id);
        if let Some(job) = at.and_then(|at| queue.waiting.remove(at)) {
            queue.waiting.push_front(job);
        }
    }

    /// Cancels every job and waits for the thread.
    pub(super) fn stop(self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.running.iter().for_each(|(_, cancel)| cancel.cancel());
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        self.shared.changed.notify_all();
        for job in waiting {
            (self.sink)(JobEvent::ExportCancelled(job.id));
        }
        let _ = self.thread.join();
    }
}

struct Forward<'a> {
    id: JobId,
    sink: &'a EventSink,
}

impl Progress for Forward<'_> {
    fn report(&self, delta: Delta) {
        (self.sink)(JobEvent::ExportDelta(self.id, delta));
    }
}

fn run(shared: &Shared, pool: &rayon::ThreadPool, sink: &EventSink) {
    while let Some(job) = shared.next() {
        let id = job.id;
        sink(JobEvent::ExportStarted(id));
        let progress = Forward { id, sink };
        let work = || {
            let ExportRequest { model, plan, recipe, options, threads } = &job.request;
            let other = threads.filter(|threads| *threads != pool.current_num_threads());
            let own = other.map(|threads| super::pool("export", super::priority::BULK, threads)).transpose()?;
            let pool = own.as_ref().unwrap_or(pool);
            // The recipe names the moments; the file is opened when they are wanted.
            let calibration = match &options.calibration {
                None => Calibration::named_by(&recipe.calibration)?,
                Some(given) => Some(given.clone()),
            };
            let options = &ExportOptions { calibration, ..options.clone() };
            pool.install(|| export(model, plan, recipe, options, &progress, &job.cancel))
        };
        let result = std::panic::catch_unwind(AssertUnwindSafe(work));
        if let Ok(Err(Error::Tensor { tensor, .. })) = &result {
            sink(JobEvent::ExportMet { model: Arc::clone(&job.request.model), tensor: tensor.clone() });
        }
        let end = match result {
            Ok(Ok(summary)) => JobEvent::ExportFinished(id, Arc::new(summary)),
            Ok(Err(Error::Cancelled)) => JobEvent::ExportCancelled(id),
            Ok(Err(e)) => JobEvent::ExportFailed(id, e.to_string()),
            Err(_) => JobEvent::ExportFailed(id, "the export panicked; this is a bug".to_owned()),
        };
        sink(end);
    }
}

/// Where an export is.
#[derive(Debug, Clone)]
pub enum ExportStatus {
    /// Another one runs.
    Queued,
    /// In this stage.
    Running(Stage),
    /// Done and checked.
    Finished(Arc<ExportSummary>),
    /// Failed, with the reason.
    Failed(String),
    /// Cancelled.
    Cancelled,
}

/// An export as a face shows it: deltas folded, pure.
#[derive(Debug, Clone)]
pub struct ExportState {
    /// Its number.
    pub id: JobId,
    /// Where it is.
    pub status: ExportStatus,
    /// Tensors done, of how many.
    pub tensors: (u64, u64),
    /// Bytes of the present stage done.
    pub done: u64,
    /// Bytes of a stage: those of the output's tensor data.
    pub total: u64,
    /// The tensor that is being written, its bytes, and how many of them are done.
    pub current: Option<(usize, u64, u64)>,
    /// All that there is to do, and what of it is done.
    pub work: Workload,
}

impl ExportState {
    /// A job that waits, with what there is to do.
    pub fn queued(id: JobId, work: Workload) -> Self {
        Self { id, status: ExportStatus::Queued, tensors: (0, 0), done: 0, total: 0, current: None, work }
    }

    /// Whether it has not ended.
    pub fn is_active(&self) -> bool {
        matches!(self.status, ExportStatus::Queued | ExportStatus::Running(_))
    }

    /// Folds one delta in: the work that was done since the last, if that is what it tells.
    pub fn apply(&mut self, delta: &Delta) -> Option<(Labor, f64)> {
        match delta {
            Delta::Total { tensors, bytes } => {
                self.tensors.1 = *tensors;
                self.total = *bytes;
            }
            Delta::Stage(stage) => {
                self.status = ExportStatus::Running(*stage);
                self.done = 0;
                self.current = None;
            }
            Delta::Tensor { index, bytes } => self.current = Some((*index, *bytes, 0)),
            Delta::Bytes(n) => {
                self.done = self.done.saturating_add(*n);
                if let Some((_, _, done)) = &mut self.current {
                    *done = done.saturating_add(*n);
                }
            }
            Delta::TensorDone { .. } => self.tensors.0 += 1,
            Delta::Recomputed(_) => {}
        }
        self.work.apply(delta)
    }

    /// Share of all work that is done, below 1 until the export has finished.
    pub fn fraction(&self) -> f64 {
        match self.status {
            ExportStatus::Finished(_) => 1.0,
            _ => self.work.fraction().min(0.999),
        }
    }
}
