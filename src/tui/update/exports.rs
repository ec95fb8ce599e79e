//! Exports: queued, moving, ended; the list of them, and quitting while one is active.

use std::sync::Arc;

use crate::engine::export::{ExportSummary, Verify};
use crate::engine::model::Model;
use crate::jobs::{ExportRequest, ExportStatus, JobId};
use crate::text;
use crate::tui::action::Action;
use crate::tui::effect::{Effect, Exit};
use crate::tui::keymap::Context;
use crate::tui::state::dialog::{JobsDialog, LogView};
use crate::tui::state::geometry::Geometry;
use crate::tui::state::jobs::{Job, JobList, check_text};
use crate::tui::state::{Dialog, State, Tone};

use super::quit;

pub(super) fn queued(state: &mut State, id: JobId, request: Arc<ExportRequest>, what: String) -> Vec<Effect> {
    let words = format!("asked for: {what}");
    let mut job = Job::queued(id, request, what);
    job.note(state.now, Tone::Info, words);
    let waits = state.jobs.active().next().is_some();
    let listed = matches!(state.asking(), Some(Dialog::Jobs(_)));
    let way = if listed { String::new() } else { format!("; {} shows it", way_to_jobs(state)) };
    let text = format!("{} {}{way}", if waits { "queued" } else { "writing" }, job.name());
    state.jobs.push(job);
    if let Some(Dialog::Jobs(dialog)) = state.asking() {
        dialog.cursor = 0;
    }
    state.notify(Tone::Info, text);
    Vec::new()
}

/// The key of the list of exports where one is, or the command.
fn way_to_jobs(state: &State) -> String {
    state.settings.keymap.way_to(Context::of(state), Action::Jobs)
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
    let now = state.now;
    for warning in &summary.warnings {
        state.jobs.note(id, now, Tone::Warning, text::escape(&warning.message));
    }
    let words = format!("{checked}: {}{sqnr}", text::bytes(summary.bytes));
    // Two lines: the second is not to be cut where there is little room.
    state.jobs.note(id, now, Tone::Good, words.clone());
    state.jobs.note(id, now, Tone::Good, check_text(&summary));
    if matches!(state.asking(), Some(Dialog::Jobs(_))) {
        state.notify(Tone::Good, format!("{name} {words}"));
    } else {
        state.jobs.unseen += 1;
        let way = way_to_jobs(state);
        state.notify(Tone::Good, format!("{name} {words}; {way}: o opens it, C compares"));
    }
    end(state, id, ExportStatus::Finished(summary))
}

/// An export fails at a tensor: it is looked at in full, so that the plan learns what is wrong with its weights.
pub(super) fn met(state: &mut State, model: &Arc<Model>, tensor: &str) -> Vec<Effect> {
    if let Some(session) = state.session.as_mut().filter(|session| Arc::ptr_eq(&session.model, model)) {
        session.exact.extend(model.find(tensor));
        state.wants_changed = true;
    }
    Vec::new()
}

pub(super) fn failed(state: &mut State, id: JobId, message: String) -> Vec<Effect> {
    let text = format!("{} failed: {message}", name(state, id));
    state.notify(Tone::Error, text);
    state.jobs.note(id, state.now, Tone::Error, format!("failed: {}", text::escape(&message)));
    end(state, id, ExportStatus::Failed(message))
}

pub(super) fn cancelled(state: &mut State, id: JobId) -> Vec<Effect> {
    let text = format!("{} cancelled, nothing is left of it", name(state, id));
    state.notify(Tone::Warning, text);
    state.jobs.note(id, state.now, Tone::Warning, "cancelled; nothing is left of it");
    end(state, id, ExportStatus::Cancelled)
}

fn name(state: &State, id: JobId) -> String {
    state.jobs.get(id).map_or_else(|| format!("job {id}"), Job::name)
}

fn end(state: &mut State, id: JobId, status: ExportStatus) -> Vec<Effect> {
    state.jobs.end(id, status, state.now);
    if let Some(Dialog::Jobs(dialog)) = state.asking()
        && dialog.cancelling == Some(id)
    {
        dialog.cancelling = None;
    }
    if state.jobs.active().next().is_some() {
        return Vec::new();
    }
    // The question whether to quit stays: a key that was meant for it must not go elsewhere.
    if state.quit_when_done { vec![Effect::Quit(Exit::Done)] } else { Vec::new() }
}

pub(super) fn act_jobs(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Dialog::Jobs(dialog)) = &mut state.dialog else { return Vec::new() };
    if let Some(log) = &mut dialog.log
        && scroll(log, action, &state.jobs, &state.geometry)
    {
        return Vec::new();
    }
    let jobs = state.jobs.all();
    let selected = state.jobs.selected(dialog);
    let id = selected.map(|job| job.state.id);
    let active = selected.filter(|job| job.state.is_active()).map(|job| job.state.id);
    match (action, dialog.cancelling) {
        (Action::Accept | Action::CancelJob, Some(id)) => {
            dialog.cancelling = None;
            return vec![Effect::CancelExport(id)];
        }
        (Action::CompareResult, None) => {
            return id.map_or_else(Vec::new, |id| super::compare::result_with_source(state, id));
        }
        (Action::OpenResult, None) => return id.map_or_else(Vec::new, |id| open_result(state, id)),
        (Action::PauseJob, None) => return id.map_or_else(Vec::new, |id| pause(state, id)),
        (Action::RetryJob, None) => return id.map_or_else(Vec::new, |id| retry(state, id)),
        (Action::RunJobNext, None) => return id.map_or_else(Vec::new, |id| run_next(state, id)),
        (Action::CancelJob, None) => dialog.cancelling = active,
        (Action::JobLog | Action::Accept, None) => {
            dialog.log = if dialog.log.is_some() { None } else { id.map(|job| LogView { job, top: None }) };
        }
        (Action::Back, Some(_)) => dialog.cancelling = None,
        (Action::Back, None) if dialog.log.is_some() => dialog.log = None,
        (Action::Back, None) => state.dialog = None,
        (Action::Quit, _) => return quit(state),
        _ => move_cursor(dialog, action, jobs.len()),
    }
    Vec::new()
}

/// A click on an export selects it; on the selected one it shows the log. A question that was asked is answered with no.
pub(super) fn click(state: &mut State, export: usize) -> Vec<Effect> {
    let Some(Dialog::Jobs(dialog)) = &mut state.dialog else { return Vec::new() };
    let chosen = dialog.cursor == export && dialog.cancelling.take().is_none();
    dialog.cursor = export;
    if chosen { super::act(state, Action::JobLog) } else { Vec::new() }
}

fn move_cursor(dialog: &mut JobsDialog, action: Action, jobs: usize) {
    let last = jobs.saturating_sub(1);
    dialog.cursor = match action {
        Action::Up | Action::PageUp => dialog.cursor.saturating_sub(1),
        Action::Down | Action::PageDown => (dialog.cursor + 1).min(last),
        Action::Top => 0,
        Action::Bottom => last,
        _ => dialog.cursor,
    };
}

/// Scrolls a log; whether the action was about that. At the end it follows what comes.
fn scroll(log: &mut LogView, action: Action, jobs: &JobList, geometry: &Geometry) -> bool {
    let height = usize::from(geometry.dialog.height).max(1);
    let last = jobs.get(log.job).map_or(0, |job| job.log.len()).saturating_sub(height);
    let top = log.top.unwrap_or(last);
    let to = match action {
        Action::Up => top.saturating_sub(1),
        Action::Down => top + 1,
        Action::PageUp => top.saturating_sub(height),
        Action::PageDown => top + height,
        Action::Top => 0,
        Action::Bottom => last,
        _ => return false,
    };
    log.top = (to < last).then_some(to);
    true
}

/// Pauses an export that runs, or lets it go on.
fn pause(state: &mut State, id: JobId) -> Vec<Effect> {
    let Some(job) = state.jobs.get(id) else { return Vec::new() };
    if job.stage().is_none() {
        state.notify(Tone::Warning, "only an export that runs can be paused");
        return Vec::new();
    }
    let paused = job.paused.is_none();
    state.jobs.pause(id, paused, state.now);
    vec![Effect::PauseExport(id, paused)]
}

/// Asks for an export again that ended without an output.
fn retry(state: &mut State, id: JobId) -> Vec<Effect> {
    let Some(job) = state.jobs.get(id) else { return Vec::new() };
    if !job.can_retry() {
        state.notify(Tone::Warning, "only an export that failed or was cancelled can be tried again");
        return Vec::new();
    }
    if state.jobs.active().any(|other| other.out() == job.out()) {
        state.notify(Tone::Warning, "another export to this file is not finished");
        return Vec::new();
    }
    let ExportRequest { model, plan, recipe, options, threads } = (*job.request).clone();
    let what = job.what.clone();
    if let Some(Dialog::Jobs(dialog)) = &mut state.dialog {
        dialog.log = None;
    }
    vec![Effect::Export { model, plan, recipe, options, threads, what }]
}

/// Lets an export that waits be the next one; the cursor stays on it.
fn run_next(state: &mut State, id: JobId) -> Vec<Effect> {
    if !state.jobs.get(id).is_some_and(Job::is_queued) {
        state.notify(Tone::Warning, "only an export that waits can be the next");
        return Vec::new();
    }
    if !state.jobs.run_next(id) {
        state.notify(Tone::Info, "it is the next already");
        return Vec::new();
    }
    let at = state.jobs.all().iter().rev().position(|job| job.state.id == id);
    if let (Some(at), Some(Dialog::Jobs(dialog))) = (at, &mut state.dialog) {
        dialog.cursor = at;
    }
    vec![Effect::RunExportNext(id)]
}

/// Lets everything go on that is paused.
fn resume_all(state: &mut State) -> Vec<Effect> {
    let paused: Vec<_> = state.jobs.active().filter(|job| job.paused.is_some()).map(|job| job.state.id).collect();
    paused.into_iter().flat_map(|id| pause(state, id)).collect()
}

/// Opens what an export wrote.
fn open_result(state: &mut State, id: JobId) -> Vec<Effect> {
    let Some(job) = state.jobs.get(id) else { return Vec::new() };
    if !job.is_finished() {
        state.notify(Tone::Warning, "there is no result yet that could be opened");
        return Vec::new();
    }
    let out = job.out().to_owned();
    super::opening::begin(state, out)
}

pub(super) fn act_quit(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::CancelAndQuit => return vec![Effect::Quit(Exit::Done)],
        Action::QuitWhenDone if state.jobs.active().next().is_none() => return vec![Effect::Quit(Exit::Done)],
        Action::QuitWhenDone => {
            state.dialog = None;
            state.quit_when_done = true;
            state.notify(Tone::Info, "quits when the exports have ended; q asks again");
            return resume_all(state);
        }
        _ => {
            state.dialog = None;
            state.quit_when_done = false;
        }
    }
    Vec::new()
}
