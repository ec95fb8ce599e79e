//! The mouse: a click selects and gives the keys to what it hits, a double click toggles, the wheel moves what lies under
//! it, the splitter can be dragged.

use std::time::Duration;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{act, compare, decide, exports, habits, pane, plot, quantize};
use crate::engine::model::tree::NodeKind;
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::keymap::Context;
use crate::tui::state::columns::Sort;
use crate::tui::state::dialog::Scroll;
use crate::tui::state::geometry::Spot;
use crate::tui::state::tree::Item;
use crate::tui::state::{Area, Dialog, Drag, Screen, Session, State};

/// Clicks closer than this are one double click.
pub(super) const DOUBLE_CLICK: Duration = Duration::from_millis(400);
/// Columns of a row's mark.
const MARK: usize = 3;
/// Rows a notch of the wheel moves.
const NOTCH: usize = 3;

pub(super) fn update(state: &mut State, event: MouseEvent) -> Vec<Effect> {
    match event.kind {
        MouseEventKind::ScrollUp => wheel(state, event, Action::Up),
        MouseEventKind::ScrollDown => wheel(state, event, Action::Down),
        MouseEventKind::Down(MouseButton::Left) => click(state, event.column, event.row),
        MouseEventKind::Drag(MouseButton::Left) => {
            match state.drag {
                Some(Drag::Splitter) => habits::drag_splitter(state, event.column),
                Some(Drag::Map { from, first }) => plot::drag(state, from, first, (event.column, event.row)),
                None => decide::drag_slider(state, event.column),
            }
            Vec::new()
        }
        MouseEventKind::Up(MouseButton::Left) => {
            state.drag = None;
            decide::hold_slider(state, false);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// The wheel moves what lies under the pointer: on the preview's tabs it goes through them, elsewhere through rows.
fn wheel(state: &mut State, event: MouseEvent, action: Action) -> Vec<Effect> {
    let on_tabs = state.geometry.tabs.iter().any(|(area, _)| area.y == event.row)
        && state.geometry.preview.contains(event.column, event.row);
    if plot::wheel(state, event.column, event.row, action == Action::Up) {
        return Vec::new();
    }
    let over = |area: Area| area.contains(event.column, event.row);
    match Context::of(state) {
        Context::Browse if on_tabs => {
            act(state, if action == Action::Up { Action::PreviousTab } else { Action::NextTab })
        }
        // What the preview shows belongs to the row under the cursor: the wheel must not change that from there.
        Context::Browse | Context::Filter if over(state.geometry.preview) => {
            pane::scroll_by(state, lines(action));
            Vec::new()
        }
        Context::Pane | Context::Block if over(state.geometry.pane) && pane::scroll_by(state, lines(action)) => {
            Vec::new()
        }
        Context::Pane | Context::Methods | Context::Map | Context::Experts | Context::Block
            if over(state.geometry.tree) =>
        {
            if let Some(session) = &mut state.session {
                session.tree.move_by(lines(action));
            }
            state.wants_changed = true;
            Vec::new()
        }
        _ => repeat(state, action),
    }
}

/// Lines of a notch.
fn lines(action: Action) -> isize {
    if action == Action::Up { -(NOTCH as isize) } else { NOTCH as isize }
}

fn repeat(state: &mut State, action: Action) -> Vec<Effect> {
    match Context::of(state) {
        Context::Quantize
        | Context::SaveRecipe
        | Context::SaveChart
        | Context::SaveReport
        | Context::ReadRecipe
        | Context::Quit
        | Context::Failure => Vec::new(),
        _ => (0..NOTCH).flat_map(|_| act(state, action)).collect(),
    }
}

/// A click on a line of a list chooses it; on the chosen one it accepts.
fn click_dialog(state: &mut State, column: u16, row: u16) -> Vec<Effect> {
    let area = state.geometry.dialog;
    if !area.contains(column, row) {
        return Vec::new();
    }
    let line = state.geometry.dialog_offset + usize::from(row - area.y);
    let last = state.geometry.dialog_lines.saturating_sub(usize::from(area.height));
    let cursor = match &mut state.dialog {
        // The line goes to the top, as far as there is more.
        Some(Dialog::Help(help)) => {
            help.scroll = Scroll { top: line.min(last) };
            return Vec::new();
        }
        Some(Dialog::Palette(palette)) if line < palette.choices.len() => &mut palette.cursor,
        Some(Dialog::Copy(menu)) => &mut menu.cursor,
        Some(Dialog::Presets(menu)) if line < menu.offers.len() => &mut menu.cursor,
        Some(Dialog::Types(menu, _)) if line < menu.offers.len() => &mut menu.cursor,
        _ => return Vec::new(),
    };
    if *cursor == line {
        return act(state, Action::Accept);
    }
    *cursor = line;
    Vec::new()
}

/// A click on what does something of its own.
fn click_spot(state: &mut State, spot: Spot) -> Vec<Effect> {
    match spot {
        Spot::Act(action) => act(state, action),
        Spot::Field(field) => quantize::click(state, field),
        Spot::Export(export) => exports::click(state, export),
        Spot::Cell(row, column) => pane::click_cell(state, row, column),
    }
}

/// Opens or closes the folder of a row, if that is where its sign and the indentation before it are; whether they are.
fn click_fold(session: &mut Session, line: usize, column: u16, names: usize) -> bool {
    let Some(Item::Node(node)) = session.tree.rows().get(line).copied() else { return false };
    let Some(folder) = session.tree.tree().nodes.get(node) else { return false };
    // Three columns of signs stand before, the folding sign and a space behind.
    let indent = (folder.depth as usize * 2).min(names / 3);
    let hit = (3..3 + indent + 2).contains(&usize::from(column));
    if !hit || !matches!(folder.kind, NodeKind::Folder(_)) {
        return false;
    }
    session.tree.move_to(line);
    session.tree.toggle_fold()
}

fn click(state: &mut State, column: u16, row: u16) -> Vec<Effect> {
    if let Some(Dialog::Picker(picker)) = &mut state.dialog {
        let area = state.geometry.dialog;
        if area.contains(column, row) {
            let line = state.geometry.dialog_offset + usize::from(row - area.y);
            let chosen = picker.cursor == line;
            picker.cursor = line.min(picker.choices().len().saturating_sub(1));
            return if chosen { act(state, Action::Accept) } else { Vec::new() };
        }
        return Vec::new();
    }
    if let Some(spot) = state.geometry.spot(column, row) {
        return click_spot(state, spot);
    }
    if state.dialog.is_some() {
        return click_dialog(state, column, row);
    }
    // The border on either side of the divide.
    let preview = state.geometry.preview;
    if state.session.is_some() && preview.width > 0 && (column == preview.x || column + 1 == preview.x) {
        let body = Area { x: preview.x.saturating_sub(1), width: 2, ..preview };
        if body.contains(column, row) {
            state.drag = Some(Drag::Splitter);
            return Vec::new();
        }
    }
    match state.session.as_ref().map(|s| s.screen) {
        Some(Screen::Sensitivity) => {
            decide::click_map(state, column, row);
            return Vec::new();
        }
        Some(Screen::Compare) => {
            compare::click(state, column, row);
            return Vec::new();
        }
        _ => {}
    }
    if state.geometry.slider.contains(column, row) {
        decide::hold_slider(state, true);
        decide::drag_slider(state, column);
        return Vec::new();
    }
    let now = state.now;
    let Some(session) = &mut state.session else { return Vec::new() };
    if session.screen == Screen::Model {
        return super::pages::click(state, column, row);
    }
    if let Some((_, tab)) = state.geometry.tabs.iter().find(|(area, _)| area.contains(column, row)) {
        session.tab = *tab;
        state.wants_changed = true;
        return Vec::new();
    }
    if let Some((_, column)) = state.geometry.headings.iter().find(|(area, _)| area.contains(column, row)) {
        let same = session.sort.column == *column;
        session.sort_by(if same { session.sort.reversed() } else { Sort::by(*column) }, now);
        state.wants_changed = true;
        return Vec::new();
    }
    if let Some(effects) = plot::click(state, column, row) {
        return effects;
    }
    if state.geometry.preview.contains(column, row) && Context::of(state) == Context::Browse {
        pane::focus(state);
        return Vec::new();
    }
    click_tree(state, column, row)
}

/// A click on a row of the tree gives the tree the keys.
fn click_tree(state: &mut State, column: u16, row: u16) -> Vec<Effect> {
    let (now, area) = (state.now, state.geometry.tree);
    let Some(session) = state.session.as_mut().filter(|_| area.contains(column, row)) else { return Vec::new() };
    let line = usize::from(row - area.y);
    let line = state.geometry.sticky.get(line).copied().unwrap_or(state.geometry.tree_offset + line);
    if line >= session.tree.rows().len() {
        return Vec::new();
    }
    session.pane.focused = false;
    session.pane.goto = None;
    state.wants_changed = true;
    let folded = click_fold(session, line, column - area.x, state.geometry.tree_names);
    if !folded {
        session.tree.move_to(line);
    }
    super::browse::leave_filter(session, now);
    session.filter.keep();
    if folded {
        state.last_click = None;
        return Vec::new();
    }
    // The mark before the name: a click on it does what the key does, a second one soon after it nothing.
    let marked = usize::from(column - area.x) < MARK;
    let double = state.last_click.is_some_and(|(at, on)| on == line && now.saturating_sub(at) < DOUBLE_CLICK);
    state.last_click = if double && !marked { None } else { Some((now, line)) };
    if double == marked { Vec::new() } else { act(state, Action::ToggleTernary) }
}
