//! The preview pane while it has the keys: moving in a tensor's blocks, choosing figures, applying a method.

use super::{browse, plan, quit};
use crate::engine::model::Tensor;
use crate::engine::preview::Grid;
use crate::jobs::{Seen, Subject};
use crate::tui::action::{Action, PaneAction};
use crate::tui::effect::Effect;
use crate::tui::keymap::Context;
use crate::tui::state::apply::apply;
use crate::tui::state::dialog::ApplyForm;
use crate::tui::state::fate::stays;
use crate::tui::state::geometry::Tiles;
use crate::tui::state::matrix::Row;
use crate::tui::state::pane::{GotoLine, Quantity};
use crate::tui::state::summary::what_if;
use crate::tui::state::tree::Item;
use crate::tui::state::{Dialog, Session, State, Tab, Tone};

/// Gives the pane the keys, if it shows a tensor; whether it does.
pub(super) fn focus(state: &mut State) -> bool {
    let weighted = weighted(state);
    let Some(session) = &mut state.session else { return false };
    let Some(tensor) = session.tree.selected_tensor() else { return false };
    session.pane.focused = true;
    session.pane.scroll = 0;
    if let Some((format, method)) = what_if(&session.plan, tensor) {
        session.pane.matrix.follow(format, method, weighted);
    }
    true
}

/// Whether the importance matrix has something for the tensor under the cursor.
pub(super) fn weighted(state: &State) -> bool {
    let selected = state.session.as_ref().and_then(|s| s.tree.selected_tensor());
    selected.is_some_and(|tensor| state.has_importance(tensor))
}

pub(super) fn act(state: &mut State, context: Context, action: Action) -> Vec<Effect> {
    match action {
        Action::Back => {
            if let Some(session) = &mut state.session {
                session.pane.focused = false;
            }
            state.wants_changed = true;
            return Vec::new();
        }
        Action::NextTab | Action::PreviousTab | Action::ShowTab(_) => {
            let effects = browse::act(state, action);
            if let Some(session) = &mut state.session {
                session.pane.scroll = 0;
            }
            return effects;
        }
        _ => {}
    }
    state.wants_changed = true;
    match (context, action) {
        (Context::Methods, _) if in_matrix(state, action) => Vec::new(),
        (Context::Map, _) if in_map(state, action) => Vec::new(),
        (Context::Experts, _) if in_experts(state, action) => Vec::new(),
        (Context::Block, _) if in_block(state, action) => Vec::new(),
        (_, Action::Pane(pane)) => {
            anywhere(state, pane);
            Vec::new()
        }
        (_, Action::Up | Action::Down) => {
            next_tensor(state, action == Action::Down);
            Vec::new()
        }
        (_, Action::PageUp | Action::PageDown | Action::Top | Action::Bottom) => {
            scroll(state, action);
            Vec::new()
        }
        (_, Action::Quit) => quit(state),
        _ => browse::act(state, action),
    }
}

/// What works in the pane and, as far as it has keys there, in the tree.
pub(super) fn anywhere(state: &mut State, action: PaneAction) {
    let Some(session) = &mut state.session else { return };
    match action {
        PaneAction::MoreBins => session.pane.step_bins(true),
        PaneAction::FewerBins => session.pane.step_bins(false),
        PaneAction::Overlay => {
            let chosen = session.tree.selected_tensor().and_then(|t| what_if(&session.plan, t));
            if let Some((_, method)) = chosen {
                session.pane.next_overlay(method);
            }
        }
        PaneAction::Goto => session.pane.goto = Some(GotoLine::default()),
        _ => {}
    }
}

/// To the next or previous tensor that has a row.
fn next_tensor(state: &mut State, forward: bool) {
    let Some(session) = &mut state.session else { return };
    let tree = &mut session.tree;
    let is_tensor = |i: &usize| tree.rows().get(*i).is_some_and(|row| tree.tensor_of(*row).is_some());
    let cursor = tree.cursor();
    let found =
        if forward { (cursor + 1..tree.rows().len()).find(is_tensor) } else { (0..cursor).rev().find(is_tensor) };
    if let Some(row) = found {
        tree.move_to(row);
        session.pane.scroll = 0;
    }
}

/// Lines of a pane that is longer than it is high, up or down; whether it is.
pub(super) fn scroll_by(state: &mut State, lines: isize) -> bool {
    let last = state.geometry.pane_lines.saturating_sub(usize::from(state.geometry.pane.height));
    let Some(session) = state.session.as_mut().filter(|_| last > 0) else { return false };
    let top = &mut session.pane.scroll;
    *top = (*top).min(last).saturating_add_signed(lines).min(last);
    true
}

/// A click on a cell of the table of methods chooses it and gives the table the keys; on the chosen one it asks what it is to be
/// applied to.
pub(super) fn click_cell(state: &mut State, row: usize, column: usize) -> Vec<Effect> {
    let had_keys = Context::of(state) == Context::Methods;
    if !had_keys && (Context::of(state) != Context::Browse || !focus(state)) {
        return Vec::new();
    }
    let Some(session) = &mut state.session else { return Vec::new() };
    let matrix = &mut session.pane.matrix;
    let chosen = had_keys && (matrix.row, matrix.column) == (row, column);
    (matrix.row, matrix.column) = (row, column);
    state.wants_changed = true;
    if chosen { super::act(state, Action::Pane(PaneAction::Enter)) } else { Vec::new() }
}

/// Lines of a pane that is longer than it is high.
fn scroll(state: &mut State, action: Action) {
    let page = usize::from(state.geometry.pane.height).saturating_sub(1).max(1);
    let last = state.geometry.pane_lines.saturating_sub(usize::from(state.geometry.pane.height));
    let Some(session) = &mut state.session else { return };
    let top = &mut session.pane.scroll;
    *top = match action {
        Action::PageUp => top.saturating_sub(page),
        Action::PageDown => *top + page,
        Action::Top => 0,
        _ => last,
    }
    .min(last);
}

fn in_matrix(state: &mut State, action: Action) -> bool {
    let weighted = weighted(state);
    let Some(session) = &mut state.session else { return false };
    let matrix = &mut session.pane.matrix;
    match action {
        Action::Up => matrix.step(-1, 0),
        Action::Down => matrix.step(1, 0),
        Action::Pane(PaneAction::Left) => matrix.step(0, -1),
        Action::Pane(PaneAction::Right) => matrix.step(0, 1),
        Action::Pane(PaneAction::NextFigure) => matrix.next_figure(weighted),
        Action::Pane(PaneAction::Enter) => ask(state, weighted),
        _ => return false,
    }
    true
}

/// Asks what the cell under the cursor is to be applied to.
fn ask(state: &mut State, weighted: bool) {
    let Some(session) = &state.session else { return };
    let Some(tensor) = session.tree.selected_tensor() else { return };
    if let Some(why) = stays(&session.plan, tensor, &session.model.tensors[tensor]) {
        state.notify(Tone::Warning, format!("there is no method to choose: it {why}"));
        return;
    }
    let (row, group) = session.pane.matrix.cell();
    let current = what_if(&session.plan, tensor).map_or(session.plan.recipe().format, |(format, _)| format);
    let refused = match row {
        Row::Weighted if !weighted => Some("weighing needs an importance matrix for this tensor: --imatrix FILE"),
        Row::Plain(crate::engine::ternary::Method::Exact) if weighted => {
            Some("with an importance matrix exact is weighted: choose exact·imx, or leave out --imatrix")
        }
        _ => None,
    };
    if let Some(why) = refused {
        state.notify(Tone::Warning, why);
        return;
    }
    let form = ApplyForm { tensor, format: group.format(current), method: row.method() };
    state.dialog = Some(Dialog::Apply(form));
}

/// The question has the keys.
pub(super) fn act_apply(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Dialog::Apply(form)) = state.dialog else { return Vec::new() };
    match action {
        Action::Quit => return quit(state),
        Action::Pane(PaneAction::Apply(scope)) => {
            state.dialog = None;
            let Some(session) = &state.session else { return Vec::new() };
            let chosen = (form.format, form.method);
            let outcome = apply(&session.model, &session.plan, (scope, form.tensor), chosen);
            plan::take(state, outcome);
        }
        Action::Back => state.dialog = None,
        _ => {}
    }
    Vec::new()
}

fn in_map(state: &mut State, action: Action) -> bool {
    let area = state.geometry.pane;
    let Some(session) = &mut state.session else { return false };
    let pane = &mut session.pane;
    let place = &mut pane.place;
    // A step is a cell of the screen: two cells stand in one character, one above the other.
    let cell = |span: u64, cells: u16| span.div_ceil(u64::from(cells.max(1))).max(1) as i64;
    let (down, right) =
        (cell(place.window.rows, area.height.saturating_mul(2)), cell(place.window.columns, area.width));
    let page = (place.window.rows / 2).max(1) as i64;
    match action {
        Action::Up => place.step(-down, 0),
        Action::Down => place.step(down, 0),
        Action::Pane(PaneAction::Left) => place.step(0, -right),
        Action::Pane(PaneAction::Right) => place.step(0, right),
        Action::PageUp => place.step(-page, 0),
        Action::PageDown => place.step(page, 0),
        Action::Top => place.go(0, 0),
        Action::Bottom => place.go(u64::MAX, u64::MAX),
        Action::Pane(PaneAction::ZoomIn) => place.zoom(true),
        Action::Pane(PaneAction::ZoomOut) => place.zoom(false),
        Action::Pane(PaneAction::Whole) => place.zoom_out(),
        Action::Pane(PaneAction::NextFigure) => pane.next_measure(),
        Action::Pane(PaneAction::By(quantity)) => pane.colour_by(quantity),
        Action::Pane(PaneAction::Signs) => pane.signs = !pane.signs,
        Action::Pane(PaneAction::Experts) => toggle_experts(state),
        Action::Pane(PaneAction::Worst) => to_worst(state),
        Action::Pane(PaneAction::Enter) => {
            session.tab = Tab::Block;
            session.pane.scroll = 0;
        }
        _ => return false,
    }
    true
}

fn toggle_experts(state: &mut State) {
    let Some(session) = &mut state.session else { return };
    let tensor = session.tree.selected_tensor().and_then(|t| session.model.tensors.get(t));
    if let Some(n) = tensor.map(Tensor::matrices).filter(|n| *n > 1) {
        session.pane.experts = !session.pane.experts;
        session.pane.expert = session.pane.expert.min(n as usize - 1);
    } else {
        state.notify(Tone::Info, "one matrix: there are no experts to tell apart");
    }
}

/// Keys of the grid of experts; whether it has this one.
fn in_experts(state: &mut State, action: Action) -> bool {
    let (area, hits) = (state.geometry.pane, weighted(state));
    let Some(session) = &mut state.session else { return false };
    let Some(tensor) = session.tree.selected_tensor().and_then(|t| session.model.tensors.get(t)) else { return false };
    let n = (tensor.matrices() as usize).max(1);
    let rows = tensor.rows() / tensor.matrices().max(1);
    let pane = &mut session.pane;
    pane.expert = pane.expert.min(n - 1);
    let tiles = Tiles::of(n, area.width, area.height);
    let line = tiles.line;
    let page = line * usize::from(area.height / tiles.height).max(1);
    let to = match action {
        Action::Pane(PaneAction::By(Quantity::Hits)) if !hits => {
            state.notify(Tone::Info, "no importance matrix counts what reached these experts: --imatrix FILE");
            return true;
        }
        Action::Pane(PaneAction::By(quantity)) => {
            pane.colour_by(quantity);
            return true;
        }
        Action::Pane(PaneAction::NextFigure) => {
            pane.next_quantity(hits);
            return true;
        }
        Action::Pane(PaneAction::Experts) => {
            pane.experts = false;
            return true;
        }
        // In its column, so that the way back leads to where it came from.
        Action::Up => {
            if pane.expert < line {
                pane.expert
            } else {
                pane.expert - line
            }
        }
        Action::Down => {
            if pane.expert + line < n {
                pane.expert + line
            } else {
                pane.expert
            }
        }
        Action::PageUp => pane.expert.saturating_sub(page),
        Action::PageDown => pane.expert + page,
        Action::Pane(PaneAction::Left) => pane.expert.saturating_sub(1),
        Action::Pane(PaneAction::Right) => pane.expert + 1,
        Action::Top => 0,
        Action::Bottom => n,
        Action::Pane(PaneAction::Worst) => worst_expert(session).unwrap_or(0),
        Action::Pane(PaneAction::Enter) => {
            // The blocks of this expert.
            pane.experts = false;
            pane.place.zoom_out();
            if let Some(shape) = pane.place.shape {
                pane.place.window = shape.clamp(crate::engine::preview::Window {
                    row: rows * pane.expert as u64,
                    rows,
                    column: 0,
                    columns: shape.columns,
                });
            }
            pane.place.go(rows * pane.expert as u64, 0);
            return true;
        }
        _ => return false,
    };
    session.pane.expert = to.min(n - 1);
    true
}

fn worst_expert(session: &Session) -> Option<usize> {
    let pane = &session.pane;
    let (tensor, subject) = super::looks::subject(session)?;
    let Some(Ok(Seen::Experts(all))) = pane.looks.best(tensor, subject) else { return None };
    let quantity = pane.quantity;
    let values = all.experts.iter().enumerate().filter_map(|(i, e)| Some((i, quantity.of(e)?)));
    // Of experts that are alike the first.
    values.rev().max_by(|a, b| quantity.worse(a.1, b.1)).map(|(i, _)| i)
}

/// To the worst block of the window that the map shows; of the whole tensor, while that is what was looked at.
fn to_worst(state: &mut State) {
    let Some(session) = &mut state.session else { return };
    let measure = session.pane.measure;
    let worst = known_grid(session).and_then(|grid| Some((grid.worst(measure)?, grid.exact)));
    let Some((spot, exact)) = worst else {
        let tensor = session.tree.selected_tensor();
        let stays = tensor.and_then(|t| stays(&session.plan, t, &session.model.tensors[t]));
        let words = stays.map(|why| format!("there is no worst block: it {why}"));
        state.notify(Tone::Info, words.unwrap_or_else(|| "nothing is measured here yet".to_owned()));
        return;
    };
    session.pane.place.go(spot.row, spot.column);
    let of = if exact { "of all blocks here" } else { "of a sample: the exact pass may find a worse one" };
    let value = crate::text::number(spot.value);
    state.notify(
        Tone::Info,
        format!("row {} block {}: {} {value}, the greatest {of}", spot.row, spot.column, measure.name()),
    );
}

/// The grid of the map's window, or of the whole tensor.
fn known_grid(session: &Session) -> Option<&Grid> {
    let (tensor, (format, method)) = super::looks::coded(session)?;
    let place = &session.pane.place;
    let windows = [Some(place.window), place.shape.map(|s| s.whole())];
    windows.into_iter().flatten().find_map(|window| {
        match session.pane.looks.best(tensor, Subject::Grid(format, method, window)) {
            Some(Ok(Seen::Grid(grid))) => Some(grid.as_ref()),
            _ => None,
        }
    })
}

fn in_block(state: &mut State, action: Action) -> bool {
    let Some(session) = &mut state.session else { return false };
    let pane = &mut session.pane;
    match action {
        Action::Pane(PaneAction::Left) => pane.place.next_block(false),
        Action::Pane(PaneAction::Right) => pane.place.next_block(true),
        Action::Up => pane.place.step(-1, 0),
        Action::Down => pane.place.step(1, 0),
        Action::Pane(PaneAction::Bytes) => {
            pane.bytes = !pane.bytes;
            pane.scroll = 0;
        }
        Action::Pane(PaneAction::Worst) => to_worst(state),
        _ => return false,
    }
    true
}

/// A place is being typed.
pub(super) fn act_goto(state: &mut State, action: Action) -> Vec<Effect> {
    state.wants_changed = true;
    let Some(session) = &mut state.session else { return Vec::new() };
    let pane = &mut session.pane;
    let Some(line) = &mut pane.goto else { return Vec::new() };
    match action {
        Action::Edit(edit) => {
            line.input.apply(edit);
            line.problem = None;
        }
        Action::Back => pane.goto = None,
        Action::Accept => match pane.place.read(line.input.text()) {
            Ok((row, block)) => {
                pane.place.go(row, block);
                pane.goto = None;
            }
            Err(why) => line.problem = Some(why),
        },
        _ => {}
    }
    Vec::new()
}

/// Takes the keys back where there is nothing to give them to.
pub(super) fn check(session: &mut Session) {
    if session.pane.focused && session.tree.selected_tensor().is_none() {
        session.pane.focused = false;
    }
    if session.tree.selected() == Item::Model {
        session.pane.goto = None;
    }
}
