//! Comparing two models in the background: one comparison at a time, newest wins.
//!
//! It has a pool of its own that ends with it. Outcomes are sent in handfuls, so that a model of a hundred thousand small
//! tensors does not become as many events.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{EventSink, JobEvent};
use crate::engine::compare::{Outcome, Pair, compare, histograms, pair_up};
use crate::engine::error::{Error, Result};
use crate::engine::model::Model;
use crate::engine::progress::{Cancel, Way};

/// Longest time that an outcome waits for others.
const HANDFUL: Duration = Duration::from_millis(50);

/// The comparison that runs, if one does.
pub(super) struct Lane {
    way: Way,
    running: Mutex<Option<(Cancel, JoinHandle<()>)>>,
}

impl Lane {
    /// A lane that gives way.
    pub(super) fn behind(way: &Way) -> Self {
        Self { way: way.clone(), running: Mutex::default() }
    }

    /// Compares two models; what is being compared is given up.
    pub(super) fn start(&self, id: u64, models: (Arc<Model>, Arc<Model>), threads: usize, sink: &EventSink) {
        let cancel = Cancel::behind(&self.way);
        let (theirs, sink_of_thread) = (cancel.clone(), Arc::clone(sink));
        let run = move || {
            let work = || work(id, &models.0, &models.1, threads, &theirs, &sink_of_thread);
            let result = match std::panic::catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(())) => Ok(()),
                // Whoever cancelled it wants to hear no more of it.
                Ok(Err(Error::Cancelled)) => Err("cancelled".to_owned()),
                Ok(Err(e)) => Err(e.to_string()),
                Err(_) => Err("the comparison panicked; this is a bug".to_owned()),
            };
            sink_of_thread(JobEvent::CompareEnded { id, result });
        };
        self.stop();
        match std::thread::Builder::new().name("compare".to_owned()).spawn(run) {
            Ok(thread) => *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some((cancel, thread)),
            Err(e) => sink(JobEvent::CompareEnded { id, result: Err(format!("cannot start a thread: {e}")) }),
        }
    }

    /// Gives up what is being compared and waits until it has ended, which takes a band's time.
    pub(super) fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((cancel, thread)) = running {
            cancel.cancel();
            let _ = thread.join();
        }
    }
}

fn work(id: u64, a: &Model, b: &Model, threads: usize, cancel: &Cancel, sink: &EventSink) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("compare-{i}"))
        .start_handler(|_| super::priority::give_way(super::priority::BULK))
        .build()
        .map_err(|e| Error::Usage(format!("cannot start {threads} threads: {e}")))?;
    let pairs = Arc::new(pair_up(a, b));
    sink(JobEvent::ComparePairs { id, pairs: Arc::clone(&pairs) });
    let mut handful: Vec<(usize, Outcome)> = Vec::new();
    let mut sent = Instant::now();
    for (index, pair) in pairs.iter().enumerate() {
        handful.push((index, pool.install(|| compare(a, b, pair, cancel))?));
        if sent.elapsed() >= HANDFUL {
            sink(JobEvent::Compared { id, outcomes: std::mem::take(&mut handful) });
            sent = Instant::now();
        }
    }
    sink(JobEvent::Compared { id, outcomes: handful });
    Ok(())
}

/// Looks at the weights of one pair, on a thread of its own; it reads half a million weights at most.
pub(super) fn look(id: u64, models: (Arc<Model>, Arc<Model>), index: usize, pair: Pair, sink: &EventSink) {
    let theirs = Arc::clone(sink);
    let run = move || {
        let work = || histograms(&models.0, &models.1, &pair, &Cancel::new());
        let seen = std::panic::catch_unwind(AssertUnwindSafe(work)).ok().and_then(Result::ok).map(Arc::new);
        theirs(JobEvent::PairSeen { id, index, seen });
    };
    if std::thread::Builder::new().name("look".to_owned()).spawn(run).is_err() {
        sink(JobEvent::PairSeen { id, index, seen: None });
    }
}
