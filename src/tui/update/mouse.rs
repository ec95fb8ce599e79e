//! The mouse: a click selects, a double click toggles, the wheel moves.

use std::time::Duration;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{act, compare, decide};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::keymap::Context;
use crate::tui::state::columns::Sort;
use crate::tui::state::{Dialog, Screen, State};

/// Clicks closer than this are one double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);
/// Rows a notch of the wheel moves.
const NOTCH: usize = 3;

pub(super) fn update(state: &mut State, event: MouseEvent) -> Vec<Effect> {
    match event.kind {
        MouseEventKind::ScrollUp => repeat(state, Action::Up),
        MouseEventKind::ScrollDown => repeat(state, Action::Down),
        MouseEventKind::Down(MouseButton::Left) => click(state, event.column, event.row),
        MouseEventKind::Drag(MouseButton::Left) => {
            decide::drag_slider(state, event.column);
            Vec::new()
        }
        MouseEventKind::Up(MouseButton::Left) => {
            decide::hold_slider(state, false);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn repeat(state: &mut State, action: Action) -> Vec<Effect> {
    match Context::of(state) {
        Context::Quantize | Context::SaveRecipe | Context::SaveChart | Context::Quit | Context::Failure => Vec::new(),
        _ => (0..NOTCH).flat_map(|_| act(state, action)).collect(),
    }
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
    if state.dialog.is_some() {
        return Vec::new();
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
    let area = state.geometry.tree;
    if !area.contains(column, row) {
        return Vec::new();
    }
    let line = usize::from(row - area.y);
    let line = state.geometry.sticky.get(line).copied().unwrap_or(state.geometry.tree_offset + line);
    if line >= session.tree.rows().len() {
        return Vec::new();
    }
    let double = state.last_click.is_some_and(|(at, on)| on == line && now.saturating_sub(at) < DOUBLE_CLICK);
    session.tree.move_to(line);
    session.filter.editing = false;
    state.wants_changed = true;
    state.last_click = if double { None } else { Some((now, line)) };
    if double { act(state, Action::ToggleTernary) } else { Vec::new() }
}
