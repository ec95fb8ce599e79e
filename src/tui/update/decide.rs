//! Budget slider and sensitivity: opening them, moving in them, and what comes of it.

use std::sync::Arc;

use super::{browse, plan, quit};
use crate::text;
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::event::Saved;
use crate::tui::state::command::{expand, shorten};
use crate::tui::state::dialog::SaveForm;
use crate::tui::state::input::{TextEdit, TextInput};
use crate::tui::state::sensitivity::document;
use crate::tui::state::slider::{Slide, Slider};
use crate::tui::state::{Dialog, Screen, Session, State, Tone};

/// Puts the slider in the place of the plan bar, and begins to measure what it may choose from.
pub(super) fn open_slider(state: &mut State) {
    let now = state.now;
    let Some(session) = &mut state.session else { return };
    let rules = std::mem::take(&mut session.budget_rules);
    session.slider = Some(Slider::new(&session.model, &session.plan, &session.previews, &rules, now));
    session.budget_rules = rules;
    session.screen = Screen::Tensors;
    session.scan = true;
    state.wants_changed = true;
}

pub(super) fn act_slider(state: &mut State, action: Action) -> Vec<Effect> {
    let page = browse::page(state);
    let Some(session) = &mut state.session else { return Vec::new() };
    let Some(slider) = &mut session.slider else { return Vec::new() };
    match action {
        Action::Slide(slide) => match (slide, &mut slider.input) {
            // While a number is typed the arrows are the line's.
            (Slide::Smaller | Slide::Larger | Slide::Least | Slide::Most, Some(_)) => slider.stop_typing(),
            _ => slider.slide(slide),
        },
        Action::SwitchUnit => slider.switch_unit(),
        Action::SetRulesAside if slider.has_pins() => {
            slider.set_rules_aside(&session.model, &session.plan, &session.previews);
        }
        Action::SetRulesAside => state.notify(Tone::Info, "no rule makes anything ternary"),
        // The key that opened it closes it, unless it is part of `MiB`.
        Action::Edit(TextEdit::Insert('B')) if slider.input.is_none() => session.slider = None,
        Action::Edit(edit) => drop(slider.type_in(edit)),
        // A number that leads nowhere is not accepted for another one.
        Action::Accept if slider.problem.is_some() => {}
        Action::Accept if slider.input.is_some() && slider.is_out_of_reach() => {
            let words = slider.nearest();
            let why = slider.obstacle(&session.model, &session.plan).map_or_else(String::new, |why| format!("; {why}"));
            slider.stop_typing();
            state.notify(Tone::Warning, format!("{words}, taken; enter accepts it{why}"));
        }
        Action::Accept => accept(state),
        Action::Back if slider.input.is_some() => slider.stop_typing(),
        Action::Back => session.slider = None,
        Action::Up => session.tree.move_by(-1),
        Action::Down => session.tree.move_by(1),
        Action::PageUp => session.tree.move_by(-page),
        Action::PageDown => session.tree.move_by(page),
        Action::Quit => return quit(state),
        _ => {}
    }
    state.wants_changed = true;
    Vec::new()
}

/// Makes the slider's place the plan: one step that can be undone.
fn accept(state: &mut State) {
    let Some(session) = &mut state.session else { return };
    let Some(slider) = session.slider.take() else { return };
    let (recipe, rules) = slider.accept(&session.model);
    let name = format!("budget {}", slider.one(slider.bytes()));
    let asked = slider.missed().map_or_else(String::new, |asked| format!(" ({asked} asked)"));
    let model = Arc::clone(&session.model);
    let changed = session.plan.apply(&model, name.clone(), recipe);
    session.budget_rules = rules;
    let totals = session.plan.plan().totals;
    let unmeasured = slider.budget.unmeasured();
    let left = if unmeasured > 0 { format!("; {unmeasured} were not measured and stay") } else { String::new() };
    let what = if changed {
        let ternary = totals.ternary_tensors;
        // The name has the one unit already.
        let bpw = format!("{:.2} bpw", totals.new_bpw());
        let size = if name.ends_with("bpw") { text::bytes(totals.new_bytes) } else { bpw };
        format!("{name}{asked}: {ternary} tensors ternary, {size}{left}; u takes it back")
    } else {
        format!("{name}{asked}: nothing changes")
    };
    state.notify(Tone::Info, what);
    state.sums_changed = true;
    state.wants_changed = true;
}

/// Takes the handle, or lets go of it.
pub(super) fn hold_slider(state: &mut State, held: bool) {
    if let Some(slider) = state.session.as_mut().and_then(|s| s.slider.as_mut()) {
        slider.held = held;
    }
}

/// Drags the handle to a column of the track. A drag that began on the track goes on wherever the pointer is.
pub(super) fn drag_slider(state: &mut State, column: u16) {
    let area = state.geometry.slider;
    let Some(slider) = state.session.as_mut().and_then(|s| s.slider.as_mut()) else { return };
    if slider.held && area.width > 1 {
        slider.drag(f64::from(column.saturating_sub(area.x).min(area.width - 1)) / f64::from(area.width - 1));
    }
}

/// Puts the cursor on the cell of the map under the pointer.
pub(super) fn click_map(state: &mut State, column: u16, row: u16) {
    let (area, wide, first) = (state.geometry.map, state.geometry.map_cell.max(1), state.geometry.map_first);
    let Some(session) = state.session.as_mut().filter(|_| area.contains(column, row)) else { return };
    let view = &mut session.sensitivity;
    view.row = (first.0 + usize::from(row - area.y)).min(view.grid.roles.len().saturating_sub(1));
    view.column = (first.1 + usize::from((column - area.x) / wide)).min(view.grid.layers.len().saturating_sub(1));
    state.wants_changed = true;
}

/// Shows the sensitivity screen, and begins to measure everything that may go ternary.
pub(super) fn open_sensitivity(state: &mut State) {
    let Some(session) = &mut state.session else { return };
    session.screen = Screen::Sensitivity;
    session.scan = true;
    session.sensitivity.refresh(&session.model, &session.plan, &session.previews);
    let selected = session.tree.selected_tensor().map(|i| &session.model.tensors[i]);
    if let Some(tensor) = selected {
        let grid = &session.sensitivity.grid;
        let row = grid.roles.iter().position(|r| *r == tensor.role);
        let column = tensor.layer.and_then(|layer| grid.layers.iter().position(|l| *l == layer));
        if let (Some(row), Some(column)) = (row, column) {
            (session.sensitivity.row, session.sensitivity.column) = (row, column);
        }
    }
    state.wants_changed = true;
}

pub(super) fn act_sensitivity(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(session) = &mut state.session else { return Vec::new() };
    let view = &mut session.sensitivity;
    let far = isize::MAX / 2;
    match action {
        Action::Up => view.step(-1, 0),
        Action::Down => view.step(1, 0),
        Action::Fold => view.step(0, -1),
        Action::Unfold => view.step(0, 1),
        Action::Top => view.step(0, -far),
        Action::Bottom => view.step(0, far),
        Action::PageUp => view.step(-far, 0),
        Action::PageDown => view.step(far, 0),
        Action::NextMeasure => view.next_measure(),
        Action::Worst if view.go_to_worst() => {}
        Action::Worst => state.notify(Tone::Info, "nothing is measured yet"),
        Action::Back | Action::Sensitivity => session.screen = Screen::Tensors,
        Action::GoToTensor => go_to_cell(state),
        Action::MeasureExactly => measure(state),
        Action::WriteChart => open_save(state),
        Action::ToggleTernary | Action::NextMethod | Action::PreviousMethod | Action::Undo | Action::Redo => {
            if !matches!(action, Action::Undo | Action::Redo) {
                put_cursor_on_cell(session);
            }
            plan::act(state, action);
            if let Some(session) = &mut state.session {
                session.sensitivity.fresh.stale = true;
            }
        }
        Action::Quit => return quit(state),
        _ => {}
    }
    state.wants_changed = true;
    Vec::new()
}

/// Selects the tensor of the cell in the tree, so that keys that act on the selection act on it.
fn put_cursor_on_cell(session: &mut Session) -> bool {
    let node = session.sensitivity.tensor().and_then(|tensor| session.node_of(tensor));
    if let Some(node) = node {
        session.show_node(node);
    }
    node.is_some()
}

fn go_to_cell(state: &mut State) {
    let Some(session) = &mut state.session else { return };
    if put_cursor_on_cell(session) {
        session.screen = Screen::Tensors;
    }
    state.wants_changed = true;
}

/// Asks for exact figures of everything in the grid.
fn measure(state: &mut State) {
    let Some(session) = &mut state.session else { return };
    let eligible: Vec<usize> = (0..session.model.tensors.len()).filter(|i| session.plan.outlook(*i).eligible).collect();
    let text = format!("measuring every weight of {} tensors in the background", eligible.len());
    session.exact.extend(eligible);
    state.wants_changed = true;
    state.notify(Tone::Info, text);
}

/// Figures have arrived: what is derived from them is old.
pub(super) fn figures_arrived(session: &mut Session) {
    session.sensitivity.fresh.stale = true;
    if let Some(slider) = &mut session.slider {
        slider.fresh.stale = true;
    }
}

/// Brings slider and grid up to date, as far as they are seen, and not too often.
pub(super) fn settle(state: &mut State) {
    let now = state.now;
    let Some(session) = &mut state.session else { return };
    if let Some(slider) = &mut session.slider
        && slider.fresh.due(now, slider.budget.free().len())
    {
        slider.rank(&session.previews);
    }
    if let Some(slider) = &mut session.slider {
        slider.tally(&session.model, &session.tree, &session.plan);
    }
    let size = session.model.tensors.len();
    if session.screen == Screen::Sensitivity && session.sensitivity.fresh.due(now, size) {
        session.sensitivity.refresh(&session.model, &session.plan, &session.previews);
    }
}

/// Opens the line that asks where the chart goes.
fn open_save(state: &mut State) {
    let Some(session) = &state.session else { return };
    if session.sensitivity.measured.0 == 0 {
        state.notify(Tone::Warning, "nothing is measured yet");
        return;
    }
    let source = &session.model.path;
    let stem = source.file_stem().map_or_else(|| "model".to_owned(), |s| s.to_string_lossy().into_owned());
    let path = state.out_folder(source).join(format!("{stem}-sensitivity"));
    let text = shorten(&path, state.settings.home.as_deref());
    state.dialog = Some(Dialog::SaveChart(SaveForm { path: TextInput::proposal(text), exists: None, problem: None }));
}

pub(super) fn act_save(state: &mut State, action: Action) -> Vec<Effect> {
    let (home, folder) = (state.settings.home.clone(), state.settings.folder.clone());
    let (Some(Dialog::SaveChart(form)), Some(session)) = (&mut state.dialog, &state.session) else {
        return Vec::new();
    };
    match action {
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        Action::Accept => {
            let text = form.path.text().trim();
            if text.is_empty() || text.ends_with('/') {
                form.problem = Some("the path names no file".to_owned());
                return Vec::new();
            }
            if let Some(ending) = other_ending(text) {
                form.problem =
                    Some(format!("no chart ends with .{ending}: .svg, .csv or .json does; without, all three"));
                return Vec::new();
            }
            let path = folder.join(expand(text, home.as_deref()));
            let overwrite = form.exists.as_ref() == Some(&path);
            let chart = Box::new(document(&session.model, &session.plan, &session.previews));
            return vec![Effect::WriteChart { path, chart, measure: session.sensitivity.measure, overwrite }];
        }
        Action::Edit(edit) if form.path.apply(edit) => {
            form.exists = None;
            form.problem = None;
        }
        _ => {}
    }
    Vec::new()
}

/// The ending of a path that is meant as one and is no chart's: letters behind the last dot. What is a part of a model's
/// name has digits or dashes in it.
fn other_ending(path: &str) -> Option<&str> {
    let ending = std::path::Path::new(path).extension()?.to_str()?;
    let is_ending = (2..=5).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphabetic());
    let is_chart = ["svg", "csv", "json"].iter().any(|form| ending.eq_ignore_ascii_case(form));
    (is_ending && !is_chart).then_some(ending)
}

pub(super) fn chart_written(state: &mut State, path: &std::path::Path, files: usize, result: Saved) -> Vec<Effect> {
    let shown = shorten(path, state.settings.home.as_deref());
    match (result, state.asking()) {
        (Saved::Written, asking) => {
            if matches!(asking, Some(Dialog::SaveChart(_))) {
                state.asked();
            }
            let what = if files > 1 { format!("{shown}.svg, .csv and .json") } else { shown };
            state.notify(Tone::Good, format!("chart written to {what}"));
        }
        (Saved::Exists, Some(Dialog::SaveChart(form))) => {
            form.problem = Some("there is a file already: enter again replaces it".to_owned());
            form.exists = Some(path.to_owned());
        }
        (Saved::Failed(why), Some(Dialog::SaveChart(form))) => form.problem = Some(why),
        (Saved::Failed(why), _) => state.notify(Tone::Error, why),
        (Saved::Exists, _) => {}
    }
    Vec::new()
}
