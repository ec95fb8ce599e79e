//! The bulk lane: exports, one at a time, in the order they were asked for; and the fold of their deltas into a state.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::{EventSink, ExportRequest, JobEvent, JobId};
use crate::engine::error::{Error, Result};
use crate::engine::export::{ExportSummary, export};
use crate::engine::progress::{Cancel, Delta, Progress, Stage};

struct Job {
    id: JobId,
    request: ExportRequest,
    cancel: Cancel,
}

/// The lane.
pub(super) struct Lane {
    sender: Sender<Job>,
    next_id: AtomicU64,
    cancels: Mutex<Vec<(JobId, Cancel)>>,
    thread: JoinHandle<()>,
}

impl Lane {
    /// Starts the lane's thread, which works in `pool`.
    pub(super) fn start(pool: rayon::ThreadPool, sink: EventSink) -> Result<Self> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("export".to_owned())
            .spawn(move || run(&receiver, &pool, &sink))
            .map_err(|e| Error::Usage(format!("cannot start a thread: {e}")))?;
        Ok(Self { sender, next_id: AtomicU64::new(1), cancels: Mutex::new(Vec::new()), thread })
    }

    /// Queues an export.
    pub(super) fn submit(&self, request: ExportRequest) -> JobId {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let cancel = Cancel::new();
        if let Ok(mut cancels) = self.cancels.lock() {
            cancels.push((id, cancel.clone()));
        }
        // The receiver lives as long as the thread; after that nobody listens for the job's end either.
        let _ = self.sender.send(Job { id, request, cancel });
        id
    }

    /// Raises a job's flag.
    pub(super) fn cancel(&self, id: JobId) {
        if let Ok(cancels) = self.cancels.lock() {
            cancels.iter().filter(|(job, _)| *job == id).for_each(|(_, cancel)| cancel.cancel());
        }
    }

    /// Makes a job wait, or go on. One that is queued waits when its turn comes.
    pub(super) fn pause(&self, id: JobId, paused: bool) {
        if let Ok(cancels) = self.cancels.lock() {
            let of_job = cancels.iter().filter(|(job, _)| *job == id);
            of_job.for_each(|(_, cancel)| if paused { cancel.pause() } else { cancel.resume() });
        }
    }

    /// Cancels every job and waits for the thread.
    pub(super) fn stop(self) {
        if let Ok(cancels) = self.cancels.lock() {
            cancels.iter().for_each(|(_, cancel)| cancel.cancel());
        }
        drop(self.sender);
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

fn run(receiver: &Receiver<Job>, pool: &rayon::ThreadPool, sink: &EventSink) {
    for job in receiver {
        let id = job.id;
        sink(JobEvent::ExportStarted(id));
        let progress = Forward { id, sink };
        let work = || {
            let ExportRequest { model, plan, recipe, options } = &job.request;
            pool.install(|| export(model, plan, recipe, options, &progress, &job.cancel))
        };
        let end = match std::panic::catch_unwind(AssertUnwindSafe(work)) {
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
}

impl ExportState {
    /// A job that waits.
    pub fn queued(id: JobId) -> Self {
        Self { id, status: ExportStatus::Queued, tensors: (0, 0), done: 0, total: 0, current: None }
    }

    /// Whether it has not ended.
    pub fn is_active(&self) -> bool {
        matches!(self.status, ExportStatus::Queued | ExportStatus::Running(_))
    }

    /// Folds one delta in.
    pub fn apply(&mut self, delta: &Delta) {
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
        }
    }

    /// Share of the present stage that is done, below 1 until the export has finished.
    pub fn fraction(&self) -> f64 {
        match self.status {
            ExportStatus::Finished(_) => 1.0,
            _ if self.total == 0 => 0.0,
            _ => (self.done as f64 / self.total as f64).min(0.999),
        }
    }
}
