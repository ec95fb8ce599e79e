//! Exports as the lane would report them.

use std::sync::Arc;
use std::time::Duration;

use tritscope::engine::error::{Diagnostic, Severity};
use tritscope::engine::export::{Check, ExportOptions, ExportSummary, Reader, Verify};
use tritscope::engine::progress::{Delta, Stage};
use tritscope::engine::stats::BlockStats;
use tritscope::jobs::{ExportRequest, JobEvent, JobId};
use tritscope::tui::effect::Effect;
use tritscope::tui::event::Event;

use super::App;

/// Sends what a lane reports.
pub fn job(app: &mut App, event: JobEvent) -> Vec<Effect> {
    app.send(Event::Job(event))
}

/// An export of the present plan is accepted, described so.
pub fn accept(app: &mut App, id: JobId, name: &str, what: &str) {
    let plan = &app.state.session.as_ref().unwrap().plan;
    let (plan, recipe) = (plan.plan().clone(), plan.recipe().clone());
    let options = ExportOptions::new(app.path(name));
    let request = ExportRequest { model: app.model(), plan, recipe, options, threads: None };
    app.send(Event::ExportQueued { id, request: Arc::new(request), what: what.to_owned() });
}

/// An export is accepted.
pub fn queue(app: &mut App, id: JobId, name: &str) {
    accept(app, id, name, "6 of 14 tensors → tq2_0 · exact");
}

/// One begins and writes a tensor whole and another in part: 5 000 of 40 000 bytes, 4 000 a second.
pub fn run(app: &mut App, id: JobId) {
    job(app, JobEvent::ExportStarted(id));
    job(app, JobEvent::ExportDelta(id, Delta::Total { tensors: 14, bytes: 40_000 }));
    job(app, JobEvent::ExportDelta(id, Delta::Stage(Stage::Write)));
    let names = ["blk.0.attn_norm.weight", "blk.0.attn_q.weight"];
    let [first, second] = names.map(|name| app.tensor(name));
    job(app, JobEvent::ExportDelta(id, Delta::Tensor { index: first, bytes: 1000 }));
    job(app, JobEvent::ExportDelta(id, Delta::Bytes(1000)));
    job(app, JobEvent::ExportDelta(id, Delta::TensorDone { index: first }));
    job(app, JobEvent::ExportDelta(id, Delta::Tensor { index: second, bytes: 4_224 }));
    for _ in 0..4 {
        app.pass(Duration::from_millis(250));
        job(app, JobEvent::ExportDelta(id, Delta::Bytes(1000)));
    }
}

/// How one ended well, with a warning.
pub fn summary(app: &App, name: &str) -> Arc<ExportSummary> {
    Arc::new(ExportSummary {
        out: app.path(name),
        files: vec![app.path(name)],
        bytes: 40_960,
        tensors: Vec::new(),
        stats: BlockStats::default(),
        output: None,
        check: Check { reader: Reader::GgufRsLib, verify: Verify::Hash, bytes: 40_000, recomputed: 0, recoded: 0 },
        stages: vec![(Stage::Prepare, 0.012), (Stage::Write, 1.5), (Stage::Sync, 0.3), (Stage::Verify, 0.2)],
        warnings: vec![Diagnostic::file(Severity::Warning, "underflow", "2 scales were too small for f16")],
    })
}
