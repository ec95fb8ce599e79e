//! The quantize dialog: its fields, and the export that it starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::export::ExportOptions;
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::state::command::{default_out, expand, shorten};
use crate::tui::state::dialog::{Found, QuantizeField, QuantizeForm, Target};
use crate::tui::state::edit::{self, Outcome};
use crate::tui::state::input::TextEdit;
use crate::tui::state::{Dialog, Session, State, Tone};

use super::{quit, reading};

/// The question where a file is there.
const EXISTS: &str = "the file exists: replace it? (y/n)";

/// Opens the quantize dialog, unless nothing would change.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let Some(session) = &state.session else { return Vec::new() };
    if !session.plan.plan().changes_anything() && !session.model.is_converted() {
        match session.model.require_sound() {
            Err(why) => state.notify(Tone::Error, why.to_string()),
            Ok(()) => state.notify(Tone::Warning, "nothing to do: choose tensors first (space), or another mask (L)"),
        }
        return Vec::new();
    }
    let out = default_out(&session.model.path, state.out_folder(&session.model.path), session.plan.recipe());
    let sound = session.model.require_sound().and_then(|()| session.model.require_gguf());
    let problem = sound.err().map(|e| e.to_string());
    let path = shorten(&out, state.settings.home.as_deref());
    let form = QuantizeForm::new(path, state.settings.threads, ExportOptions::new(&out).max_memory, problem);
    state.dialog = Some(Dialog::Quantize(form));
    probe(state)
}

/// The path that the form's text stands for.
fn out_path(state: &State, text: &str) -> PathBuf {
    absolute(text, state.settings.home.as_deref(), &state.settings.folder)
}

fn absolute(text: &str, home: Option<&Path>, folder: &Path) -> PathBuf {
    folder.join(expand(text.trim(), home))
}

fn probe(state: &State) -> Vec<Effect> {
    match (&state.dialog, &state.session) {
        (Some(Dialog::Quantize(form)), Some(session)) => {
            let path = out_path(state, form.path.text());
            vec![Effect::Probe { path, model: Arc::clone(&session.model) }]
        }
        _ => Vec::new(),
    }
}

pub(super) fn probed(state: &mut State, target: Target) -> Vec<Effect> {
    let (home, folder) = (state.settings.home.clone(), state.settings.folder.clone());
    if let Some(Dialog::Quantize(form)) = state.asking()
        && absolute(form.path.text(), home.as_deref(), &folder) == target.path
    {
        form.target = Some(target);
    }
    Vec::new()
}

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Dialog::Quantize(form)) = &mut state.dialog else { return Vec::new() };
    match action {
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        Action::NextField => form.step(true),
        Action::PreviousField => form.step(false),
        Action::Accept => return start(state),
        Action::NextValue | Action::PreviousValue if form.field != QuantizeField::Path => {
            return change(state, action == Action::NextValue);
        }
        Action::Edit(edit) if form.type_number(edit) => {}
        Action::Edit(TextEdit::Insert(' ')) if form.field != QuantizeField::Path => return change(state, true),
        Action::Edit(TextEdit::Insert(c)) if form.field == QuantizeField::Overwrite => match c {
            // The answer to the question that start has asked.
            'y' if form.problem.as_deref() == Some(EXISTS) => {
                replace(form, true);
                return start(state);
            }
            'y' => replace(form, true),
            'n' => replace(form, false),
            '?' => reading::open_help(state),
            _ => {}
        },
        Action::Edit(TextEdit::Insert('?')) if form.field != QuantizeField::Path => reading::open_help(state),
        Action::NextValue => drop(form.path.apply(TextEdit::Right)),
        Action::PreviousValue => drop(form.path.apply(TextEdit::Left)),
        Action::Edit(edit) if form.field == QuantizeField::Path && form.path.apply(edit) => return path_changed(state),
        _ => {}
    }
    Vec::new()
}

/// A click on a field gives it the keys; what can be switched is, the button starts. Numbers are for keys.
pub(super) fn click(state: &mut State, field: QuantizeField) -> Vec<Effect> {
    let Some(Dialog::Quantize(form)) = &mut state.dialog else { return Vec::new() };
    form.go_to(field);
    match field {
        QuantizeField::Start => start(state),
        QuantizeField::Threads | QuantizeField::Memory => Vec::new(),
        _ => change(state, true),
    }
}

fn change(state: &mut State, forward: bool) -> Vec<Effect> {
    let Some(Dialog::Quantize(form)) = &mut state.dialog else { return Vec::new() };
    match form.field {
        QuantizeField::Verify => form.cycle_verify(forward),
        QuantizeField::Overwrite => replace(form, !form.overwrite),
        QuantizeField::Threads | QuantizeField::Memory => form.step_number(forward),
        QuantizeField::Format | QuantizeField::Method => return change_plan(state, forward),
        QuantizeField::Path | QuantizeField::Start => {}
    }
    Vec::new()
}

/// The next format or method for the model, as its row in the tree has it. However often they are changed while the form is
/// open, it is one step that can be undone; the name of the output follows as long as it is the usual one.
fn change_plan(state: &mut State, forward: bool) -> Vec<Effect> {
    let usual = usual_path(state);
    let (Some(Dialog::Quantize(form)), Some(session)) = (&mut state.dialog, &mut state.session) else {
        return Vec::new();
    };
    let model = Arc::clone(&session.model);
    let all = edit::Target::Subtree { prefix: String::new(), tensors: (0..model.tensors.len()).collect() };
    let outcome = if form.field == QuantizeField::Format {
        edit::cycle_format(&model, &session.plan, &all, forward)
    } else {
        let is_native = |subject| session.previews.figures(subject).is_some_and(|f| f.native);
        let (next, _) = edit::next_method(&session.plan, &all, forward, is_native);
        edit::set_method(&model, &session.plan, &all, next)
    };
    match outcome {
        Outcome::Changed(_, recipe) => {
            if std::mem::take(&mut form.stepped) {
                session.plan.undo(&model);
            }
            let name = format!("{} · {} for the model", recipe.format, recipe.method);
            form.stepped = session.plan.apply(&model, name, recipe);
        }
        Outcome::NeedsConfirmation(why) | Outcome::Refused(why) => {
            form.problem = Some(why);
            return Vec::new();
        }
    }
    state.sums_changed = true;
    state.wants_changed = true;
    let now = usual_path(state);
    match &mut state.dialog {
        Some(Dialog::Quantize(form)) if form.path.text() == usual && usual != now => {
            form.path.set(now);
            path_changed(state)
        }
        _ => Vec::new(),
    }
}

/// The path that an output of the present plan has unless the user says otherwise.
fn usual_path(state: &State) -> String {
    let Some(session) = &state.session else { return String::new() };
    let source = &session.model.path;
    let out = default_out(source, state.out_folder(source), session.plan.recipe());
    shorten(&out, state.settings.home.as_deref())
}

/// Brings what the summary says up to date before it is drawn.
pub(super) fn settle(state: &mut State) {
    if let (Some(Dialog::Quantize(form)), Some(session)) = (&mut state.dialog, &state.session) {
        form.follow(session);
    }
}

/// Answers the question whether the file that is there may be replaced; once it may, the question is gone.
fn replace(form: &mut QuantizeForm, overwrite: bool) {
    form.overwrite = overwrite;
    if overwrite && form.problem.as_deref() == Some(EXISTS) {
        form.problem = None;
    }
}

pub(super) fn path_changed(state: &mut State) -> Vec<Effect> {
    if let Some(Dialog::Quantize(form)) = &mut state.dialog {
        form.target = None;
        form.overwrite = false;
        form.problem = None;
    }
    probe(state)
}

/// Starts the export if the form allows it; else says why not.
fn start(state: &mut State) -> Vec<Effect> {
    let (Some(Dialog::Quantize(form)), Some(session)) = (&state.dialog, &state.session) else {
        return Vec::new();
    };
    let path = out_path(state, form.path.text());
    let known = form.target.as_ref().filter(|t| t.path == path);
    let problem = if let Err(e) = session.model.require_sound().and_then(|()| session.model.require_gguf()) {
        Some(e.to_string())
    } else if form.path.text().trim().is_empty() || path.file_name().is_none() || form.path.text().trim().ends_with('/')
    {
        Some("the path names no file".to_owned())
    } else {
        known.and_then(|target| refusal(target, form.overwrite))
    };
    let busy = state.jobs.active().any(|job| job.out() == path);
    let numbers = form.numbers();
    let problem = problem
        .or_else(|| numbers.as_ref().err().cloned())
        .or_else(|| form.memory_use()?.err().map(|why| format!("memory: {why}")))
        .or_else(|| busy.then(|| "another export is writing to this path".to_owned()));
    if let (None, Ok((threads, memory))) = (&problem, numbers) {
        let threads = (threads != state.settings.threads).then_some(threads);
        let mut options = ExportOptions::new(path);
        options.force = form.overwrite;
        options.verify = form.verify;
        options.max_memory = memory;
        options.imatrix.clone_from(&state.settings.imatrix);
        let effect = export(session, options, threads);
        state.dialog = None;
        return vec![effect];
    }
    let must_overwrite = form.must_overwrite() && !form.overwrite;
    if let Some(Dialog::Quantize(form)) = &mut state.dialog {
        form.problem = problem;
        if must_overwrite {
            form.go_to(QuantizeField::Overwrite);
        }
    }
    Vec::new()
}

fn refusal(target: &Target, overwrite: bool) -> Option<String> {
    match target.found {
        Found::Source => Some("this is the source; choose another file".to_owned()),
        Found::Folder => Some("this is a folder; name a file in it".to_owned()),
        Found::File if !overwrite => Some(EXISTS.to_owned()),
        Found::Nothing if !target.folder_exists => Some("its folder does not exist".to_owned()),
        Found::Nothing | Found::File => None,
    }
}

fn export(session: &Session, options: ExportOptions, threads: Option<usize>) -> Effect {
    let (model, plan) = (Arc::clone(&session.model), Arc::clone(session.plan.plan()));
    let recipe = session.plan.spelled_out(&session.model);
    let totals = &plan.totals;
    let others = if totals.fallbacks > 0 { format!(" ({} in q2_0)", totals.fallbacks) } else { String::new() };
    let how = format!("{}{others} · {}", recipe.format, recipe.method);
    let what = format!("{} of {} tensors → {how}", totals.ternary_tensors, totals.tensors);
    Effect::Export { model, plan, recipe, options, threads, what }
}
