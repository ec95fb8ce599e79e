//! A second model beside this one: choosing it, what arrives of the comparison, moving in the list.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{opening, quit};
use crate::jobs::{JobEvent, JobId};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::state::compare::{Compare, Show, Stage};
use crate::tui::state::picker::Purpose;
use crate::tui::state::{Dialog, Screen, State, Tone};

/// Shows the comparison that there is, or asks for a second model.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let Some(session) = &mut state.session else { return Vec::new() };
    if session.compare.is_some() && session.screen != Screen::Compare {
        session.screen = Screen::Compare;
        return Vec::new();
    }
    choose(state)
}

/// Asks which model to compare with.
pub(super) fn choose(state: &mut State) -> Vec<Effect> {
    let Some(session) = &state.session else { return opening::open_picker(state) };
    let open = Some(session.model.path.clone());
    // What was exported in this run is what one mostly wants to see beside its source.
    let finished = state.jobs.all().iter().rev().filter(|job| job.is_finished());
    let results: Vec<PathBuf> = finished.map(|job| job.out().to_owned()).collect();
    let effects = opening::open_picker(state);
    if let Some(Dialog::Picker(picker)) = &mut state.dialog {
        picker.purpose = Purpose::Compare;
        picker.without = open;
        picker.recent.retain(|path| !results.contains(path));
        picker.recent.splice(..0, results);
    }
    effects
}

/// Begins to compare the open model with the one at a path.
pub(super) fn begin(state: &mut State, path: PathBuf) -> Vec<Effect> {
    let Some(session) = &state.session else { return Vec::new() };
    let model = Arc::clone(&session.model);
    begin_with(state, model, path)
}

fn begin_with(state: &mut State, a: Arc<crate::engine::model::Model>, path: PathBuf) -> Vec<Effect> {
    let path = state.settings.folder.join(path);
    state.dialog = None;
    state.comparisons += 1;
    let id = state.comparisons;
    let Some(session) = &mut state.session else { return Vec::new() };
    // One that was not opened yet stood for another itself.
    let mut replaced = session.compare.take();
    let mut screen = session.screen;
    if let Some(opening) = replaced.as_mut().filter(|compare| compare.stage == Stage::Opening) {
        let (from, before) = std::mem::take(&mut opening.before);
        (screen, replaced) = (from, before);
    }
    session.compare = Some(Box::new(Compare::new(id, a, path.clone(), (screen, replaced))));
    session.screen = Screen::Compare;
    vec![Effect::Open(path)]
}

/// Compares what a finished export wrote with the model that it was made from.
pub(super) fn result_with_source(state: &mut State, id: JobId) -> Vec<Effect> {
    let Some(job) = state.jobs.get(id).filter(|job| job.is_finished()) else {
        state.notify(Tone::Warning, "there is no result to compare yet");
        return Vec::new();
    };
    let (source, out) = (Arc::clone(&job.request.model), job.out().to_owned());
    if state.session.is_none() {
        opening::show_model(state, Arc::clone(&source));
    }
    begin_with(state, source, out)
}

/// The second model is open, or cannot be; `None` where nobody waits for this path.
pub(super) fn opened(
    state: &mut State,
    path: &Path,
    model: &Result<Arc<crate::engine::model::Model>, String>,
) -> Option<Vec<Effect>> {
    // One that is to be shown comes first: both may be the same file.
    if state.opening.as_ref().is_some_and(|o| o.path == path) {
        return None;
    }
    let session = state.session.as_mut()?;
    let compare = session.compare.as_mut()?;
    if compare.stage != Stage::Opening || compare.path != path && !path.as_os_str().is_empty() {
        return None;
    }
    match model {
        Ok(other) => {
            compare.beside(Arc::clone(other));
            let (id, a) = (compare.id, Arc::clone(&compare.a));
            Some(compare.b.iter().map(|b| Effect::Compare { id, a: Arc::clone(&a), b: Arc::clone(b) }).collect())
        }
        Err(why) => {
            // Back to where it was begun, with what went wrong.
            let (screen, before) = std::mem::take(&mut compare.before);
            let path = compare.path.clone();
            let on_screen = session.screen == Screen::Compare;
            session.compare = before;
            if on_screen {
                session.screen =
                    if session.compare.is_none() && screen == Screen::Compare { Screen::Tensors } else { screen };
            }
            state.dialog = Some(Dialog::Failure { path, message: why.clone(), purpose: Purpose::Compare });
            Some(Vec::new())
        }
    }
}

/// Something of a comparison; of an older one it is dropped.
pub(super) fn arrived(state: &mut State, event: JobEvent) -> Vec<Effect> {
    let now = state.now;
    let Some(compare) = state.session.as_mut().and_then(|s| s.compare.as_mut()) else { return Vec::new() };
    match event {
        JobEvent::ComparePairs { id, pairs } if id == compare.id => compare.begin(pairs, now),
        JobEvent::Compared { id, outcomes } if id == compare.id => {
            outcomes.into_iter().for_each(|(index, outcome)| compare.take(index, outcome));
        }
        JobEvent::CompareEnded { id, result } if id == compare.id => {
            compare.stage = match result {
                Ok(()) => Stage::Done,
                Err(why) => Stage::Failed(why),
            };
            compare.list();
        }
        JobEvent::PairSeen { id, index, seen } if id == compare.id => {
            compare.asked = None;
            if let Some(seen) = seen {
                compare.seen = Some((index, seen));
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Brings the list up to date, not too often, and asks for the histograms of what is under the cursor.
pub(super) fn settle(state: &mut State) -> Vec<Effect> {
    let now = state.now;
    let Some(session) = state.session.as_mut().filter(|s| s.screen == Screen::Compare) else { return Vec::new() };
    let Some(compare) = &mut session.compare else { return Vec::new() };
    if compare.fresh.due(now, compare.pairs.len()) {
        compare.list();
    }
    match (compare.wanted_look(), &compare.b) {
        (Some(index), Some(b)) => {
            compare.asked = Some(index);
            let pair = compare.pairs[index];
            vec![Effect::LookAtPair { id: compare.id, a: Arc::clone(&compare.a), b: Arc::clone(b), index, pair }]
        }
        _ => Vec::new(),
    }
}

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let page = isize::try_from(state.geometry.pairs.height).unwrap_or(1).saturating_sub(1).max(1);
    let Some(session) = &mut state.session else { return Vec::new() };
    let Some(compare) = &mut session.compare else {
        session.screen = Screen::Tensors;
        return Vec::new();
    };
    match action {
        Action::Up => compare.move_by(-1),
        Action::Down => compare.move_by(1),
        Action::PageUp => compare.move_by(-page),
        Action::PageDown => compare.move_by(page),
        Action::Top => compare.move_to(0),
        Action::Bottom => compare.move_to(usize::MAX),
        Action::ShowPairs(show) => {
            compare.show = if compare.show == show { Show::All } else { show };
            compare.list();
            compare.move_to(0);
        }
        Action::SortPairs => {
            compare.by_error = !compare.by_error;
            compare.list();
            compare.move_to(0);
        }
        Action::GoToTensor => go_to_tensor(state),
        Action::Compare => return open(state),
        Action::Back => session.screen = Screen::Tensors,
        Action::Quit => return quit(state),
        _ => {}
    }
    Vec::new()
}

/// A click on a pair chooses it; on the chosen one it goes to the tensor, as enter does.
pub(super) fn click(state: &mut State, column: u16, row: u16) {
    let (area, offset) = (state.geometry.pairs, state.geometry.pairs_offset);
    let compare = state.session.as_mut().and_then(|s| s.compare.as_mut());
    if let Some(compare) = compare.filter(|_| area.contains(column, row)) {
        let line = offset + usize::from(row - area.y);
        if line < compare.rows.len() {
            if compare.cursor == line {
                return go_to_tensor(state);
            }
            compare.move_to(line);
        }
    }
}

fn go_to_tensor(state: &mut State) {
    let Some(session) = &mut state.session else { return };
    let Some(compare) = &session.compare else { return };
    let Some(b) = &compare.b else { return };
    // The open model may have been opened anew since, or once more to be compared.
    if ![&compare.a, b].iter().any(|side| side.path == session.model.path) {
        return state.notify(Tone::Info, "the open model is neither of the two");
    }
    let name = compare.selected().and_then(|pair| compare.pairs.get(pair)).map(|pair| pair.name(&compare.a, b));
    let tensor = name.and_then(|name| session.model.tensors.iter().position(|t| t.name == name));
    match tensor.and_then(|tensor| session.node_of(tensor)) {
        Some(node) => {
            session.show_node(node);
            session.screen = Screen::Tensors;
            state.wants_changed = true;
        }
        None => state.notify(Tone::Info, "the open model does not have this tensor"),
    }
}
