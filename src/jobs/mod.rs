//! The only place that owns threads: a latency lane for previews, a bulk lane for exports, a desk that answers questions
//! about a model's files, a check of every weight.
//!
//! Each lane has a rayon pool of its own, whose threads give way to the one that draws ([`priority`]). The latency lane works off two lists (figures of tensors, and looks into the one
//! in sight), newest list wins, and what runs is cancelled when nobody wants it any more. Exports queue, one at a time.
//! Every accepted job sends exactly one terminal event, even if it panics. What a face sees are [`JobEvent`]s through a
//! callback that it hands over.

mod check;
mod compare;
mod export;
mod lane;
mod look;
mod preview;
mod priority;
pub mod questions;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::compare::{Histograms, Outcome, Pair};
use crate::engine::error::{Error, Result};
use crate::engine::export::{ExportOptions, ExportSummary};
use crate::engine::hf;
use crate::engine::imatrix::Imatrix;
use crate::engine::model::{Model, OpenOptions};
use crate::engine::plan::{Plan, Recipe};
use crate::engine::preview::{Depth, TensorReport};
use crate::engine::progress::{Delta, Way};
use crate::engine::ternary::{Format, Method};

pub use check::CheckEvent;
pub use export::{ExportState, ExportStatus};
pub use look::{LookKey, Seen, Subject};
use questions::{Answer, Question};

/// Number of an export job, counted from 1.
pub type JobId = u64;

/// What a preview is of. The key of its cache; a report that comes back is checked against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PreviewKey {
    /// Index of the tensor in the model.
    pub tensor: usize,
    /// Format whose blocks are tried.
    pub format: Format,
    /// Sample or all.
    pub depth: Depth,
}

/// A preview that somebody would like to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// What it is of.
    pub key: PreviewKey,
    /// The methods to try; the first one's figures are also given per slice and row band.
    pub methods: Vec<Method>,
    /// Whether `exact` is also tried as if there were no importance matrix.
    pub blind: bool,
}

/// Everything an export needs.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The source.
    pub model: Arc<Model>,
    /// The plan, frozen.
    pub plan: Arc<Plan>,
    /// What the plan was resolved from.
    pub recipe: Recipe,
    /// Where it goes.
    pub options: ExportOptions,
    /// Worker threads, if not as many as the lane has.
    pub threads: Option<usize>,
}

/// What the lanes report.
#[derive(Debug)]
pub enum JobEvent {
    /// A preview is done.
    Preview {
        /// The model it is of: a key alone does not tell one file from the next.
        model: Arc<Model>,
        /// What it is of.
        key: PreviewKey,
        /// The figures.
        report: Arc<TensorReport>,
    },
    /// A preview could not be made.
    PreviewFailed {
        /// The model it is of.
        model: Arc<Model>,
        /// What it is of.
        key: PreviewKey,
        /// Why, in words.
        message: String,
    },
    /// A look is done.
    Look {
        /// The model it is of.
        model: Arc<Model>,
        /// What it is of.
        key: LookKey,
        /// What was seen, or why it could not be.
        seen: Result<Seen, String>,
    },
    /// A comparison begins: these are its pairs.
    ComparePairs {
        /// Number of the comparison.
        id: u64,
        /// The pairs.
        pairs: Arc<Vec<Pair>>,
    },
    /// What came of some of its pairs, by their indices.
    Compared {
        /// Number of the comparison.
        id: u64,
        /// The outcomes.
        outcomes: Vec<(usize, Outcome)>,
    },
    /// A comparison has ended, well or not. Terminal.
    CompareEnded {
        /// Number of the comparison.
        id: u64,
        /// Why it ended early, in words.
        result: Result<(), String>,
    },
    /// The weights of a pair were looked at (or could not be).
    PairSeen {
        /// Number of the comparison.
        id: u64,
        /// Index of the pair.
        index: usize,
        /// The histograms.
        seen: Option<Arc<Histograms>>,
    },
    /// A model was opened (or not).
    Opened {
        /// The path that was asked for.
        path: PathBuf,
        /// The model, or why it could not be opened.
        model: Result<Arc<Model>, String>,
    },
    /// A question about a model's files is answered.
    Answered {
        /// The model it is about.
        model: Arc<Model>,
        /// The answer.
        answer: Answer,
    },
    /// A check of a model's weights moves on or has ended.
    Check {
        /// The model.
        model: Arc<Model>,
        /// How it goes.
        event: CheckEvent,
    },
    /// An export moves on.
    ExportDelta(JobId, Delta),
    /// An export leaves the queue and begins.
    ExportStarted(JobId),
    /// An export is about to fail at a tensor.
    ExportMet {
        /// The source.
        model: Arc<Model>,
        /// The tensor's name.
        tensor: String,
    },
    /// An export has ended well. Terminal.
    ExportFinished(JobId, Arc<ExportSummary>),
    /// An export has failed; nothing is left of it. Terminal.
    ExportFailed(JobId, String),
    /// An export was cancelled; nothing is left of it. Terminal.
    ExportCancelled(JobId),
}

/// Takes the lanes' events; called from their threads.
pub type EventSink = Arc<dyn Fn(JobEvent) + Send + Sync>;

/// Work waits for what somebody else waits for, for so long at most before each band: some frames.
const WAY: Duration = Duration::from_millis(50);

/// The lanes.
pub struct Jobs {
    sink: EventSink,
    previews: lane::Lane<Want>,
    looks: lane::Lane<LookKey>,
    exports: export::Lane,
    comparison: compare::Lane,
    threads: usize,
    questions: questions::Lane,
    checks: check::Lane,
    way: Way,
}

/// So many threads of a lane, which give way to what is more urgent.
fn pool(name: &'static str, niceness: i32, threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |i| format!("{name}-{i}"))
        .start_handler(move |_| priority::give_way(niceness))
        .build()
        .map_err(|e| Error::Usage(format!("cannot start {threads} threads: {e}")))
}

impl Jobs {
    /// Starts the lanes. `threads` is the size of the bulk pool; the latency pool has as many.
    /// Previews are weighted by `imatrix` and ternary weights compared with `base`, if there are such.
    pub fn start(
        threads: usize,
        imatrix: Option<Arc<Imatrix>>,
        base: Option<Arc<Model>>,
        sink: EventSink,
    ) -> Result<Self> {
        let way = Way::new(WAY);
        let pool = |name: &'static str, niceness: i32| pool(name, niceness, threads);
        let latency = Arc::new(pool("preview", priority::PREVIEWS)?);
        let beside = lane::Beside { imatrix, base, way: way.clone() };
        let previews = lane::Lane::start("preview", Arc::clone(&latency), beside.clone(), Arc::clone(&sink))?;
        let looks = lane::Lane::start("look", latency, beside, Arc::clone(&sink))?;
        let exports = export::Lane::start(pool("export", priority::BULK)?, &way, Arc::clone(&sink))?;
        let comparison = compare::Lane::behind(&way);
        let questions = questions::Lane::start(Arc::clone(&sink))?;
        let checks = check::Lane::new(pool("check", priority::BULK)?, &way, Arc::clone(&sink));
        Ok(Self { sink, previews, looks, exports, comparison, threads, questions, checks, way })
    }

    /// What every lane gives way to, for as long as it is taken.
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// Replaces the list of previews that are wanted of a model, most wanted first.
    pub fn want_previews(&self, model: &Arc<Model>, wants: Vec<Want>) {
        self.previews.replace(Arc::clone(model), wants);
    }

    /// Replaces the list of looks that are wanted into a model, most wanted first.
    pub fn want_looks(&self, model: &Arc<Model>, looks: Vec<LookKey>) {
        self.looks.replace(Arc::clone(model), looks);
    }

    /// Queues an export. Its events carry the number that is returned.
    pub fn export(&self, request: ExportRequest) -> JobId {
        self.exports.submit(request)
    }

    /// Asks an export that runs to stop; one that is queued leaves the queue at once.
    pub fn cancel_export(&self, id: JobId) {
        self.exports.cancel(id);
    }

    /// Makes a running export wait where it is, using nothing, or go on.
    pub fn pause_export(&self, id: JobId, paused: bool) {
        self.exports.pause(id, paused);
    }

    /// Puts an export that waits before all others that do.
    pub fn run_export_next(&self, id: JobId) {
        self.exports.run_next(id);
    }

    /// Compares two models in the background; what is being compared is given up.
    pub fn compare(&self, id: u64, a: Arc<Model>, b: Arc<Model>) {
        self.comparison.start(id, (a, b), self.threads, &self.sink);
    }

    /// Looks at the weights of a pair, for histograms.
    pub fn look_at_pair(&self, id: u64, a: Arc<Model>, b: Arc<Model>, index: usize, pair: Pair) {
        compare::look(id, (a, b), index, pair, &self.sink);
    }

    /// Asks something about a model's files.
    pub fn ask(&self, model: Arc<Model>, question: Question) {
        self.questions.ask(model, question);
    }

    /// Checks every weight of a model; a check that runs is stopped.
    pub fn check(&self, model: Arc<Model>) {
        self.checks.begin(model);
    }

    /// Stops the check that runs.
    pub fn cancel_check(&self) {
        self.checks.cancel();
    }

    /// Opens a model in the background; safetensors as the GGUF that they would become, with `base` for names and metadata.
    pub fn open(&self, path: PathBuf, options: OpenOptions, base: Option<Arc<Model>>) {
        let sink = Arc::clone(&self.sink);
        let job = move || {
            let opened = Model::open(&path, &options);
            let viewed = opened.and_then(|m| {
                let base = base.as_deref().filter(|_| m.is_foreign());
                hf::best_view(m, base)
            });
            let model = viewed.map(Arc::new).map_err(|e| e.to_string());
            sink(JobEvent::Opened { path, model });
        };
        // A thread that cannot be started is reported like any other failure: by the job itself, here.
        if let Err(e) = std::thread::Builder::new().name("open".to_owned()).spawn(job) {
            (self.sink)(JobEvent::Opened { path: PathBuf::new(), model: Err(format!("cannot start a thread: {e}")) });
        }
    }

    /// Cancels everything and waits for the lanes to end, so that no partial file is left behind.
    pub fn shut_down(self) {
        self.looks.stop();
        self.comparison.stop();
        self.previews.stop();
        self.checks.stop();
        self.exports.stop();
    }
}
