//! Exports: queued, moving, ended; the list of them, and quitting while one is active.

use std::sync::Arc;

use crate::engine::export::{ExportOptions, ExportSummary, Verify};
use crate::engine::model::Model;
use crate::jobs::{ExportStatus, JobId};
use crate::text;
use crate::tui::action::Action;
use crate::tui::effect::{Effect, Exit};
use crate::tui::state::jobs::Job;
use crate::tui::state::{Dialog, State, Tone};

use super::quit;

pub(super) fn queued(
    state: &mut State,
    id: JobId,
    model: Arc<Model>,
    options: ExportOptions,
    what: String,
) -> Vec<Effect> {
    let job = Job::queued(id, model, options.out, what);
    let waits = state.jobs.active().next().is_some();
    let text = format!("{} {}; J shows it", if waits { "queued" } else { "writing" }, job.name());
    state.jobs.push(job);
    state.notify(Tone::Info, text);
    Vec::new()
}

pub(super) fn finished(state: &mut State, id: JobId, summary: Arc<ExportSummary>) -> Vec<Effect> {
    let name = name(state, id);
    let sqnr = match summary.stats.errors.n {
        0 => String::new(),
        _ => format!(", SQNR {} dB", text::decibels(summary.stats.errors.sqnr_db())),
    };
    let checked = match summary.check.verify {
        Verify::None => "written, data not checked",
        Verify::Hash => "written and checked (hash)",
        Verify::Full => "written and checked (full)",
    };
    let text = format!("{name} {checked}: {}{sqnr}", text::bytes(summary.bytes));
    state.notify(Tone::Good, text);
    end(state, id, ExportStatus::Finished(summary))
}

pub(super) fn failed(state: &mut State, id: JobId, message: String) -> Vec<Effect> {
    let text = format!("{} failed: {message}", name(state, id));
    state.notify(Tone::Error, text);
    end(state, id, ExportStatus::Failed(message))
}

pub(super) fn cancelled(state: &mut State, id: JobId) -> Vec<Effect> {
    let text = format!("{} cancelled, nothing is left of it", name(state, id));
    state.notify(Tone::Warning, text);
    end(state, id, ExportStatus::Cancelled)
}

fn name(state: &State, id: JobId) -> String {
    state.jobs.get(id).map_or_else(|| format!("job {id}"), Job::name)
}

fn end(state: &mut State, id: JobId, status: ExportStatus) -> Vec<Effect> {
    state.jobs.end(id, status, state.now);
    if let Some(Dialog::Jobs(dialog)) = &mut state.dialog
        && dialog.cancelling == Some(id)
    {
        dialog.cancelling = None;
    }
    if state.jobs.active().next().is_some() {
        return Vec::new();
    }
    if matches!(state.dialog, Some(Dialog::Quit)) {
        state.dialog = None;
    }
    if state.quit_when_done { vec![Effect::Quit(Exit::Done)] } else { Vec::new() }
}

pub(super) fn act_jobs(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Dialog::Jobs(dialog)) = &mut state.dialog else { return Vec::new() };
    let jobs = state.jobs.all();
    let selected = jobs.iter().rev().nth(dialog.cursor);
    let id = selected.filter(|job| job.state.is_active()).map(|job| job.state.id);
    match (action, dialog.cancelling) {
        (Action::Accept | Action::CancelJob, Some(id)) => {
            dialog.cancelling = None;
            return vec![Effect::CancelExport(id)];
        }
        (Action::CompareResult, None) => {
            let job = selected.map(|job| job.state.id);
            return job.map_or_else(Vec::new, |id| super::compare::result_with_source(state, id));
        }
        (Action::CancelJob, None) => dialog.cancelling = id,
        (Action::Back, Some(_)) => dialog.cancelling = None,
        (Action::Back, None) => state.dialog = None,
        (Action::Up, _) => dialog.cursor = dialog.cursor.saturating_sub(1),
        (Action::Down, _) => dialog.cursor = (dialog.cursor + 1).min(jobs.len().saturating_sub(1)),
        (Action::Quit, _) => return quit(state),
        _ => {}
    }
    Vec::new()
}

pub(super) fn act_quit(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::CancelAndQuit => return vec![Effect::Quit(Exit::Done)],
        Action::QuitWhenDone => {
            state.dialog = None;
            state.quit_when_done = true;
            state.notify(Tone::Info, "quits when the exports have ended; q asks again");
        }
        _ => {
            state.dialog = None;
            state.quit_when_done = false;
        }
    }
    Vec::new()
}
