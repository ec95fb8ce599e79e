//! The exports as the interface shows them: what was asked for, where they are, how fast they go.

mod pace;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::export::{ExportSummary, Reader, Verify, Workload};
use crate::engine::progress::{Delta, Stage};
use crate::jobs::{ExportRequest, ExportState, ExportStatus, JobId};
use crate::text;
use crate::tui::state::dialog::JobsDialog;
use crate::tui::state::notice::Tone;

use pace::Pace;

/// How far back the moving average of the throughput looks.
const WINDOW: Duration = Duration::from_secs(5);
/// Lines that a log keeps, the newest ones.
const LOG: usize = 1000;

/// A line of an export's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When, since the program began.
    pub at: Duration,
    /// How it is meant.
    pub tone: Tone,
    /// What happened. Names from files are escaped.
    pub text: String,
}

/// One export.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where it is.
    pub state: ExportState,
    /// What was asked for: source, plan, output.
    pub request: Arc<ExportRequest>,
    /// What it does, in a few words.
    pub what: String,
    /// When it began to run.
    pub started: Option<Duration>,
    /// When it ended.
    pub ended: Option<Duration>,
    /// Since when it waits because the user wants it to.
    pub paused: Option<Duration>,
    /// What happened, oldest first; the newest thousand lines.
    pub log: VecDeque<LogLine>,
    /// How long it has waited altogether, without the present pause.
    waited: Duration,
    /// Bytes done at times, of the present stage.
    samples: VecDeque<(Duration, u64)>,
    pace: Pace,
}

impl Job {
    /// A job that waits.
    pub fn queued(id: JobId, request: Arc<ExportRequest>, what: String) -> Self {
        Self {
            state: ExportState::queued(id, Workload::new(&request.model, &request.plan, request.options.verify)),
            request,
            what,
            started: None,
            ended: None,
            paused: None,
            log: VecDeque::new(),
            waited: Duration::ZERO,
            samples: VecDeque::new(),
            pace: Pace::default(),
        }
    }

    /// Adds a line to the log.
    pub fn note(&mut self, at: Duration, tone: Tone, text: impl Into<String>) {
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(LogLine { at, tone, text: text.into() });
    }

    /// How long it has worked, pauses not counted.
    pub fn worked(&self, now: Duration) -> Option<Duration> {
        let end = self.ended.or(self.paused).unwrap_or(now);
        Some(end.saturating_sub(self.started?).saturating_sub(self.waited))
    }

    /// Pauses it, or ends the pause.
    fn pause(&mut self, paused: bool, now: Duration) {
        match (paused, self.paused) {
            (true, None) => {
                self.paused = Some(now);
                self.note(now, Tone::Warning, "paused");
            }
            (false, Some(_)) => {
                self.end_pause(now);
                self.note(now, Tone::Info, "goes on");
            }
            _ => {}
        }
    }

    fn end_pause(&mut self, now: Duration) {
        if let Some(since) = self.paused.take() {
            self.waited += now.saturating_sub(since);
            // The pause says nothing about the speed.
            self.samples.clear();
            self.pace.interrupt();
        }
    }

    /// The output's name without its folder.
    pub fn name(&self) -> String {
        let out = self.out();
        text::escape(&out.file_name().unwrap_or(out.as_os_str()).to_string_lossy())
    }

    /// Its output.
    pub fn out(&self) -> &Path {
        &self.request.options.out
    }

    /// Whether it waits for its turn.
    pub fn is_queued(&self) -> bool {
        matches!(self.state.status, ExportStatus::Queued)
    }

    /// Whether it ended without an output, so that it can be tried again.
    pub fn can_retry(&self) -> bool {
        matches!(self.state.status, ExportStatus::Failed(_) | ExportStatus::Cancelled)
    }

    /// Whether its output is there.
    pub fn is_finished(&self) -> bool {
        matches!(self.state.status, ExportStatus::Finished(_))
    }

    /// Bytes a second over the last few seconds; `None` until that can be told.
    pub fn rate(&self) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.0.saturating_sub(first.0).as_secs_f64();
        (seconds >= 0.2).then(|| last.1.saturating_sub(first.1) as f64 / seconds)
    }

    /// Seconds that all that is left still takes, the check included, as far as the pace of the last seconds tells; `None`
    /// while paused, and while the disk is waited for: nobody knows how long that takes.
    pub fn remaining(&self) -> Option<f64> {
        let works = matches!(self.stage(), Some(Stage::Write | Stage::Verify)) && self.paused.is_none();
        if works { self.pace.remaining(&self.state.work) } else { None }
    }

    /// The stage it is in, while it runs.
    pub fn stage(&self) -> Option<Stage> {
        if let ExportStatus::Running(stage) = self.state.status { Some(stage) } else { None }
    }

    fn apply(&mut self, delta: &Delta, now: Duration) {
        let current = self.state.current;
        if let Some(work) = self.state.apply(delta) {
            self.pace.note(work, now);
        }
        match delta {
            Delta::Stage(stage) => {
                self.samples.clear();
                self.pace.begin(now);
                self.note(now, Tone::Info, stage.label());
            }
            Delta::TensorDone { index } => {
                let bytes = current.filter(|(tensor, ..)| tensor == index).map(|(_, bytes, _)| text::bytes(bytes));
                let name = self.request.model.tensors.get(*index).map(|t| text::escape(&t.name)).unwrap_or_default();
                self.note(now, Tone::Good, format!("{name} {}", bytes.unwrap_or_default()).trim_end());
            }
            Delta::Bytes(_) => {
                // One sample in a while is enough; the newest always counts.
                let crowded = self.samples.len() > 1
                    && self.samples.get(self.samples.len() - 2).is_some_and(|s| now.saturating_sub(s.0) < WINDOW / 50);
                if crowded {
                    self.samples.pop_back();
                }
                self.samples.push_back((now, self.state.done));
                while self.samples.len() > 2 && self.samples.front().is_some_and(|s| now.saturating_sub(s.0) > WINDOW) {
                    self.samples.pop_front();
                }
            }
            _ => {}
        }
    }
}

/// Every export of this run of the program, in the order in which they run.
#[derive(Debug, Clone, Default)]
pub struct JobList {
    jobs: Vec<Job>,
    /// Exports that ended well since the list was looked at.
    pub unseen: usize,
}

impl JobList {
    /// All, in the order in which they ran and will run.
    pub fn all(&self) -> &[Job] {
        &self.jobs
    }

    /// What ended, a line each, for who has left the interface.
    pub fn outcomes(&self) -> Vec<String> {
        let line = |job: &Job| {
            let out = text::escape(&job.out().to_string_lossy());
            match &job.state.status {
                ExportStatus::Finished(summary) => {
                    Some(format!("{out}: {}, {}", text::bytes(summary.bytes), check_text(summary)))
                }
                ExportStatus::Failed(why) => Some(format!("{out}: failed: {}", text::escape(why))),
                _ => None,
            }
        };
        self.jobs.iter().filter_map(line).collect()
    }

    /// Those that have not ended.
    pub fn active(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.state.is_active())
    }

    /// The one that runs, or else the next in the queue.
    pub fn current(&self) -> Option<&Job> {
        self.active().find(|job| job.stage().is_some()).or_else(|| self.active().next())
    }

    /// The one that the list's cursor is on, or whose log is shown.
    pub fn selected(&self, dialog: &JobsDialog) -> Option<&Job> {
        let shown = dialog.log.and_then(|log| self.get(log.job));
        shown.or_else(|| self.jobs.iter().rev().nth(dialog.cursor))
    }

    /// Those that wait, the next one first.
    pub fn waiting(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.is_queued())
    }

    /// Puts one that waits before all others that do; whether that changed anything.
    pub fn run_next(&mut self, id: JobId) -> bool {
        let first = self.jobs.iter().position(Job::is_queued);
        let at = self.jobs.iter().position(|job| job.state.id == id && job.is_queued());
        let (Some(first), Some(at)) = (first, at) else { return false };
        self.jobs[first..=at].rotate_right(1);
        first != at
    }

    /// Adds one.
    pub fn push(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// The one with this number.
    pub fn get(&self, id: JobId) -> Option<&Job> {
        self.jobs.iter().find(|job| job.state.id == id)
    }

    fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.state.id == id)
    }

    /// Pauses one, or lets it go on.
    pub fn pause(&mut self, id: JobId, paused: bool, now: Duration) {
        if let Some(job) = self.get_mut(id) {
            job.pause(paused, now);
        }
    }

    /// Adds a line to the log of one.
    pub fn note(&mut self, id: JobId, now: Duration, tone: Tone, text: impl Into<String>) {
        if let Some(job) = self.get_mut(id) {
            job.note(now, tone, text);
        }
    }

    /// One begins.
    pub fn start(&mut self, id: JobId, now: Duration) {
        if let Some(job) = self.get_mut(id) {
            job.started = Some(now);
            job.note(now, Tone::Info, "begins");
            job.state.status = ExportStatus::Running(Stage::Prepare);
        }
    }

    /// One moves on.
    pub fn delta(&mut self, id: JobId, delta: &Delta, now: Duration) {
        if let Some(job) = self.get_mut(id) {
            job.apply(delta, now);
        }
    }

    /// One has ended.
    pub fn end(&mut self, id: JobId, status: ExportStatus, now: Duration) {
        if let Some(job) = self.get_mut(id) {
            job.end_pause(now);
            job.state.status = status;
            job.ended = Some(now);
        }
    }
}

/// How an export was checked, in a line.
pub fn check_text(summary: &ExportSummary) -> String {
    let check = &summary.check;
    let reader = match &check.reader {
        Reader::GgufRsLib => "header read by gguf-rs-lib".to_owned(),
        Reader::Own { .. } => "header read by our own reader only".to_owned(),
    };
    match check.verify {
        Verify::None => format!("{reader}, data not checked"),
        Verify::Hash => format!("{reader}, {} read back and equal", text::bytes(check.bytes)),
        Verify::Full => format!(
            "{reader}, {} read back and equal, {} errors computed again",
            text::bytes(check.bytes),
            check.recomputed
        ),
    }
}

/// Seconds that are only roughly known: no fractions.
pub fn whole_seconds(seconds: f64) -> String {
    if seconds < 60.0 { format!("{:.0} s", seconds.ceil()) } else { text::seconds(seconds) }
}
