//! Opening files: the picker, the file being opened, the one that could not be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::model::Model;
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::state::command::expand;
use crate::tui::state::input::TextEdit;
use crate::tui::state::picker::{Choice, Entry, Picker, Purpose};
use crate::tui::state::{Dialog, Opening, Session, State, Tone};

use super::quit;

/// Recent files that are remembered.
const RECENT: usize = 20;

/// Begins to open a file.
pub fn begin(state: &mut State, path: PathBuf) -> Vec<Effect> {
    let path = state.settings.folder.join(path);
    state.dialog = None;
    state.opening = Some(Opening { path: path.clone(), since: state.now });
    vec![Effect::Open(path)]
}

/// Shows a model that is there already.
pub fn show_model(state: &mut State, model: Arc<Model>) {
    if let Some(left) = state.session.take() {
        state.parked.keep(left);
    }
    let mut session = Session::new(model, state.settings.recipe.clone());
    state.parked.give(&mut session);
    (state.kept, state.keep_at) = (session.plan.revision(), None);
    state.session = Some(session);
    state.opening = None;
    state.wants_changed = true;
}

pub(super) fn opened(state: &mut State, path: &Path, model: Result<Arc<Model>, String>) -> Vec<Effect> {
    // An empty path means that not even the thread could be started.
    let wanted = state.opening.as_ref().is_some_and(|o| o.path == path || path.as_os_str().is_empty());
    if !wanted {
        return Vec::new();
    }
    state.opening = None;
    match model {
        Ok(model) => {
            let mut effects = super::memory::remember(state);
            show_model(state, model);
            if state.passes(path) {
                return effects;
            }
            effects.extend(super::memory::recall(state));
            state.recent.retain(|recent| recent != path);
            state.recent.insert(0, path.to_owned());
            state.recent.truncate(RECENT);
            effects.push(Effect::WriteRecent(state.recent.clone()));
            effects
        }
        Err(message) => {
            state.dialog = Some(Dialog::Failure { path: path.to_owned(), message, purpose: Purpose::Open });
            Vec::new()
        }
    }
}

/// Opens the picker in the folder of the model, or in the working folder.
pub fn open_picker(state: &mut State) -> Vec<Effect> {
    // What passes, as the demo does, lies in no folder of the user's.
    let lasting = state.session.as_ref().map(|s| &s.model.path).filter(|path| !state.passes(path));
    let beside = lasting.and_then(|path| path.parent()).filter(|p| p.is_absolute());
    let folder = beside.unwrap_or(&state.settings.folder).to_owned();
    open_picker_in(state, &folder)
}

/// Opens the picker in a folder.
pub fn open_picker_in(state: &mut State, folder: &Path) -> Vec<Effect> {
    let folder = state.settings.folder.join(folder);
    let picker = Picker::new(folder.clone(), state.recent.clone());
    state.dialog = Some(Dialog::Picker(Picker { demo: state.session.is_none(), ..picker }));
    vec![Effect::ReadFolder(folder)]
}

/// Has the built-in demo written, where no file is open.
pub(super) fn open_demo(state: &mut State) -> Vec<Effect> {
    if state.session.is_some() || state.opening.is_some() {
        state.notify(Tone::Info, "a file is open: the demo is for when none is");
        return Vec::new();
    }
    vec![Effect::WriteDemo]
}

/// The demo is written, or why not.
pub(super) fn demo_written(state: &mut State, result: Result<PathBuf, String>) -> Vec<Effect> {
    match result {
        Ok(path) => begin(state, path),
        Err(why) => {
            state.notify(Tone::Error, format!("the demo cannot be written: {why}"));
            Vec::new()
        }
    }
}

pub(super) fn folder(state: &mut State, path: &Path, entries: Result<Vec<Entry>, String>) -> Vec<Effect> {
    if let Some(Dialog::Picker(picker)) = state.asking()
        && picker.folder == path
    {
        picker.entries = Some(entries);
    }
    Vec::new()
}

pub(super) fn recent(state: &mut State, paths: Vec<PathBuf>) -> Vec<Effect> {
    // A file may have been opened before the list was read: it stays in front.
    let mut list = std::mem::take(&mut state.recent);
    list.extend(paths.into_iter().filter(|p| !p.as_os_str().is_empty()));
    let mut seen = std::collections::HashSet::new();
    list.retain(|path| seen.insert(path.clone()));
    list.truncate(RECENT);
    if let Some(Dialog::Picker(picker)) = state.asking() {
        picker.recent.clone_from(&list);
    }
    state.recent = list;
    Vec::new()
}

pub(super) fn act_failure(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => quit(state),
        Action::Open if matches!(state.dialog, Some(Dialog::Failure { purpose: Purpose::Compare, .. })) => {
            super::compare::choose(state)
        }
        Action::Open => open_picker(state),
        // Without a model there is nothing behind the report but the picker.
        Action::Back if state.session.is_none() => open_picker(state),
        Action::Back => {
            state.dialog = None;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

pub(super) fn act_picker(state: &mut State, action: Action) -> Vec<Effect> {
    let page = usize::from(state.geometry.dialog.height).max(1);
    let (home, base) = (state.settings.home.clone(), state.settings.folder.clone());
    let Some(Dialog::Picker(picker)) = &mut state.dialog else { return Vec::new() };
    let choices = picker.choices();
    let last = choices.len().saturating_sub(1);
    match action {
        Action::Up => picker.cursor = picker.cursor.saturating_sub(1),
        Action::Down => picker.cursor = (picker.cursor + 1).min(last),
        Action::PageUp => picker.cursor = picker.cursor.saturating_sub(page),
        Action::PageDown => picker.cursor = (picker.cursor + page).min(last),
        Action::Fold => return enter_parent(picker),
        Action::Edit(TextEdit::Backspace) if picker.input.text().is_empty() => return enter_parent(picker),
        Action::Edit(edit) if picker.input.apply(edit) => return typed(picker, home.as_deref(), &base),
        Action::NextField => {
            let chosen = choices.get(picker.cursor).and_then(|choice| picker.path_of(choice));
            match chosen {
                Some((path, true)) => return enter(picker, path),
                Some((path, false)) => picker.input.set(path.to_string_lossy()),
                None => {}
            }
        }
        Action::Accept => {
            if choices.get(picker.cursor) == Some(&Choice::Demo) {
                return open_demo(state);
            }
            let chosen = choices.get(picker.cursor).and_then(|choice| picker.path_of(choice));
            return match chosen {
                Some((path, true)) => enter(picker, path),
                Some((path, false)) => choose(state, path),
                None if picker.input.text().is_empty() => Vec::new(),
                None => {
                    let path = base.join(expand(picker.input.text(), home.as_deref()));
                    choose(state, path)
                }
            };
        }
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        _ => {}
    }
    Vec::new()
}

/// Does what the picker was opened for.
fn choose(state: &mut State, path: PathBuf) -> Vec<Effect> {
    match &state.dialog {
        Some(Dialog::Picker(picker)) if picker.purpose == Purpose::Compare => super::compare::begin(state, path),
        _ => begin(state, path),
    }
}

/// Follows the typed text into the folder that it names.
pub(super) fn typed(picker: &mut Picker, home: Option<&Path>, base: &Path) -> Vec<Effect> {
    picker.cursor = 0;
    match picker.wanted_folder(home, base) {
        Some(folder) => {
            picker.enter(folder.clone());
            vec![Effect::ReadFolder(folder)]
        }
        None => Vec::new(),
    }
}

fn enter(picker: &mut Picker, folder: PathBuf) -> Vec<Effect> {
    picker.input.set("");
    picker.enter(folder.clone());
    vec![Effect::ReadFolder(folder)]
}

fn enter_parent(picker: &mut Picker) -> Vec<Effect> {
    match picker.folder.parent().map(Path::to_owned) {
        Some(parent) => enter(picker, parent),
        None => Vec::new(),
    }
}
