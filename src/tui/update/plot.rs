//! The mouse on the map: a click goes to a block or an expert, dragging moves the window, the wheel zooms.

use super::act;
use crate::engine::model::Tensor;
use crate::tui::action::{Action, PaneAction};
use crate::tui::effect::Effect;
use crate::tui::keymap::Context;
use crate::tui::state::geometry::Plot;
use crate::tui::state::{Drag, State};

/// Whether the map is on the screen and has drawn at this cell.
fn is_on(state: &State, column: u16, row: u16) -> bool {
    let plot = state.geometry.plot;
    state.dialog.is_none() && (plot.block_at(column, row).is_some() || plot.expert_at(column, row).is_some())
}

/// A click: the preview has the keys, the cursor is there, and a second click on the same cell opens what it is on.
/// Whether the map lies there.
pub(super) fn click(state: &mut State, column: u16, row: u16) -> Option<Vec<Effect>> {
    if !is_on(state, column, row) || !matches!(Context::of(state), Context::Browse | Context::Map | Context::Experts) {
        return None;
    }
    let had_keys = Context::of(state) != Context::Browse;
    if !had_keys && !super::pane::focus(state) {
        return None;
    }
    let plot = state.geometry.plot;
    state.wants_changed = true;
    let session = state.session.as_mut()?;
    let pane = &mut session.pane;
    let mut same = false;
    if let Some(expert) = plot.expert_at(column, row) {
        let last =
            session.tree.selected_tensor().and_then(|t| session.model.tensors.get(t)).map_or(1, Tensor::matrices);
        let expert = expert.min((last as usize).saturating_sub(1));
        same = had_keys && pane.expert == expert;
        pane.expert = expert;
    } else if let (Some((at_row, at_column)), Plot::Blocks { window, .. }) = (plot.block_at(column, row), plot) {
        pane.place.go(at_row, at_column);
        state.drag = Some(Drag::Map { from: (column, row), first: (window.row, window.column) });
    }
    Some(if same { act(state, Action::Pane(PaneAction::Enter)) } else { Vec::new() })
}

/// The window follows the pointer, so that the block that was taken hold of stays under it.
pub(super) fn drag(state: &mut State, from: (u16, u16), first: (u64, u64), to: (u16, u16)) {
    let Plot::Blocks { area, .. } = state.geometry.plot else { return };
    let Some(session) = &mut state.session else { return };
    let place = &mut session.pane.place;
    let moved = |first: u64, (from, to): (u16, u16), span: u64, cells: u16| {
        let blocks = |cells_moved: u16| u64::from(cells_moved) * span / u64::from(cells.max(1));
        if to <= from { first.saturating_add(blocks(from - to)) } else { first.saturating_sub(blocks(to - from)) }
    };
    let row = moved(first.0, (from.1, to.1), place.window.rows, area.height);
    let column = moved(first.1, (from.0, to.0), place.window.columns, area.width);
    place.pan(row, column);
    state.wants_changed = true;
}

/// The wheel on the map of blocks: closer, or further away. Whether it lies there.
pub(super) fn wheel(state: &mut State, column: u16, row: u16, closer: bool) -> bool {
    if state.dialog.is_some() || Context::of(state) != Context::Map {
        return false;
    }
    let Some(at) = state.geometry.plot.block_at(column, row) else { return false };
    let Some(session) = &mut state.session else { return false };
    session.pane.place.zoom_at(closer, at);
    state.wants_changed = true;
    true
}
