//! The forms: quantizing to a file, saving the recipe.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::export::{ExportOptions, Verify};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::event::Saved;
use crate::tui::state::command::{default_out, expand};
use crate::tui::state::dialog::{Found, QuantizeField, QuantizeForm, SaveForm, Target};
use crate::tui::state::input::{TextEdit, TextInput};
use crate::tui::state::{Dialog, Screen, Session, State, Tone};

use super::{opening, quit, reading};

/// The question where a file is there.
const EXISTS: &str = "the file exists: replace it? (y/n)";

/// Opens the quantize dialog, unless nothing would change.
pub(super) fn open_quantize(state: &mut State) -> Vec<Effect> {
    let Some(session) = &state.session else { return Vec::new() };
    if !session.plan.plan().changes_anything() && !session.model.is_converted() {
        state.notify(Tone::Warning, "nothing to do: choose tensors first (space), or another mask (L)");
        return Vec::new();
    }
    let out = default_out(&session.model.path, state.out_folder(&session.model.path), session.plan.recipe());
    let sound = session.model.require_sound().and_then(|()| session.model.require_gguf());
    let problem = sound.err().map(|e| e.to_string());
    let form = QuantizeForm {
        path: TextInput::new(crate::tui::state::command::shorten(&out, state.settings.home.as_deref())),
        verify: Verify::Hash,
        overwrite: false,
        field: QuantizeField::Path,
        target: None,
        problem,
    };
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

pub(super) fn act_quantize(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Dialog::Quantize(form)) = &mut state.dialog else { return Vec::new() };
    match action {
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        Action::NextField => form.step(true),
        Action::PreviousField => form.step(false),
        Action::Accept => return start(state),
        Action::NextValue | Action::PreviousValue if form.field != QuantizeField::Path => {
            change(form, action == Action::NextValue);
        }
        Action::Edit(TextEdit::Insert(' ')) if form.field != QuantizeField::Path => change(form, true),
        Action::Edit(TextEdit::Insert(c)) if form.field == QuantizeField::Overwrite => match c {
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

/// A click on a field gives it the keys; what can be switched is, the button starts.
pub(super) fn click(state: &mut State, field: QuantizeField) -> Vec<Effect> {
    let Some(Dialog::Quantize(form)) = &mut state.dialog else { return Vec::new() };
    form.field = field;
    change(form, true);
    if field == QuantizeField::Start { start(state) } else { Vec::new() }
}

fn change(form: &mut QuantizeForm, forward: bool) {
    match form.field {
        QuantizeField::Verify => form.cycle_verify(forward),
        QuantizeField::Overwrite => replace(form, !form.overwrite),
        QuantizeField::Path | QuantizeField::Start => {}
    }
}

/// Answers the question whether the file that is there may be replaced; once it may, the question is gone.
fn replace(form: &mut QuantizeForm, overwrite: bool) {
    form.overwrite = overwrite;
    if overwrite && form.problem.as_deref() == Some(EXISTS) {
        form.problem = None;
    }
}

fn path_changed(state: &mut State) -> Vec<Effect> {
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
    let problem = problem.or_else(|| busy.then(|| "another export is writing to this path".to_owned()));
    if problem.is_none() {
        let effect = export(session, form, path, state.settings.imatrix.clone());
        state.dialog = None;
        return vec![effect];
    }
    let must_overwrite = form.must_overwrite() && !form.overwrite;
    if let Some(Dialog::Quantize(form)) = &mut state.dialog {
        form.problem = problem;
        if must_overwrite {
            form.field = QuantizeField::Overwrite;
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

fn export(
    session: &Session,
    form: &QuantizeForm,
    path: PathBuf,
    imatrix: Option<Arc<crate::engine::imatrix::Imatrix>>,
) -> Effect {
    let plan = session.plan.plan();
    let recipe = session.plan.spelled_out(&session.model);
    let totals = &plan.totals;
    let what =
        format!("{} of {} tensors → {} · {}", totals.ternary_tensors, totals.tensors, recipe.format, recipe.method);
    let mut options = ExportOptions::new(path);
    options.force = form.overwrite;
    options.verify = form.verify;
    options.imatrix = imatrix;
    Effect::Export { model: Arc::clone(&session.model), plan: Arc::clone(plan), recipe, options, what }
}

/// Opens the line that asks where the recipe goes.
pub(super) fn open_save(state: &mut State) -> Vec<Effect> {
    let Some(session) = &state.session else { return Vec::new() };
    let file = crate::tui::state::command::recipe_name(&session.model.path);
    let path = state.out_folder(&session.model.path).join(file);
    let text = crate::tui::state::command::shorten(&path, state.settings.home.as_deref());
    state.dialog = Some(Dialog::SaveRecipe(SaveForm { path: TextInput::new(text), exists: None, problem: None }));
    Vec::new()
}

pub(super) fn act_save(state: &mut State, action: Action) -> Vec<Effect> {
    let (home, folder) = (state.settings.home.clone(), state.settings.folder.clone());
    let (Some(Dialog::SaveRecipe(form)), Some(session)) = (&mut state.dialog, &state.session) else {
        return Vec::new();
    };
    match action {
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        Action::Accept => {
            if form.path.text().trim().is_empty() {
                form.problem = Some("the path names no file".to_owned());
                return Vec::new();
            }
            let path = folder.join(expand(form.path.text().trim(), home.as_deref()));
            let overwrite = form.exists.as_ref() == Some(&path);
            return vec![Effect::WriteRecipe { path, recipe: session.plan.spelled_out(&session.model), overwrite }];
        }
        Action::Edit(edit) if form.path.apply(edit) => {
            form.exists = None;
            form.problem = None;
        }
        _ => {}
    }
    Vec::new()
}

pub(super) fn recipe_written(state: &mut State, path: PathBuf, result: Saved) -> Vec<Effect> {
    let shown = crate::tui::state::command::shorten(&path, state.settings.home.as_deref());
    match (result, state.asking()) {
        (Saved::Written, asking) => {
            if matches!(asking, Some(Dialog::SaveRecipe(_))) {
                state.asked();
            }
            state.notify(Tone::Good, format!("recipe written to {shown}"));
        }
        (Saved::Exists, Some(Dialog::SaveRecipe(form))) => {
            form.problem = Some("the file exists: enter again replaces it".to_owned());
            form.exists = Some(path);
        }
        (Saved::Failed(why), Some(Dialog::SaveRecipe(form))) => form.problem = Some(why),
        (Saved::Failed(why), _) => state.notify(Tone::Error, why),
        (Saved::Exists, _) => {}
    }
    Vec::new()
}

/// Text from the clipboard goes where typed text would.
pub(super) fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    let (home, folder) = (state.settings.home.clone(), state.settings.folder.clone());
    let text = text.lines().next().unwrap_or("").trim();
    match (&mut state.dialog, &mut state.session) {
        (Some(Dialog::Quantize(form)), _) if form.field == QuantizeField::Path => {
            form.path.insert(text);
            path_changed(state)
        }
        (Some(Dialog::SaveRecipe(form) | Dialog::SaveChart(form) | Dialog::ReadRecipe(form)), _) => {
            form.path.insert(text);
            form.exists = None;
            Vec::new()
        }
        (Some(Dialog::Picker(picker)), _) => {
            picker.input.insert(text);
            opening::typed(picker, home.as_deref(), &folder)
        }
        (Some(Dialog::Palette(palette)), _) => {
            palette.input.insert(text);
            super::palette::retype(state);
            Vec::new()
        }
        (Some(Dialog::Help(help)), _) if help.searching => {
            help.search.insert(text);
            Vec::new()
        }
        (None, Some(session)) if session.pages.is_typing() && session.screen == Screen::Model => {
            super::pages::paste(session, text);
            Vec::new()
        }
        (None, Some(session)) if session.filter.editing => {
            session.filter.input.insert(text);
            super::browse::filter_typed(session, state.now);
            state.wants_changed = true;
            Vec::new()
        }
        _ => Vec::new(),
    }
}
