//! What is remembered of a file: put back when it is opened again, and kept when it is left.

use std::sync::Arc;
use std::time::Duration;

use super::browse;
use crate::engine::model::Model;
use crate::engine::model::tree::Grouping;
use crate::tui::effect::Effect;
use crate::tui::state::columns::Sort;
use crate::tui::state::memory::Memory;
use crate::tui::state::tree::Item;
use crate::tui::state::{State, Tone};

/// Edits are kept this long after the last one, so that little is lost whatever ends the program.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks how the model that has just been opened was left.
pub(super) fn recall(state: &State) -> Vec<Effect> {
    match &state.session {
        Some(session) if state.settings.restore && !state.passes(&session.model.path) => {
            vec![Effect::Recall(Arc::clone(&session.model))]
        }
        _ => Vec::new(),
    }
}

/// Keeps how the open model is left.
pub(super) fn remember(state: &mut State) -> Vec<Effect> {
    state.keep_at = None;
    match &state.session {
        Some(session) if state.settings.restore && !state.passes(&session.model.path) => {
            let memory = Box::new(Memory::of(session, &state.settings.recipe));
            vec![Effect::Remember(Arc::clone(&session.model), memory)]
        }
        _ => Vec::new(),
    }
}

/// Keeps edits of the plan a little after they were made.
pub(super) fn settle(state: &mut State) -> Vec<Effect> {
    let Some(session) = &state.session else { return Vec::new() };
    let revision = session.plan.revision();
    if state.settings.restore && revision != state.kept {
        state.kept = revision;
        state.keep_at = Some(state.now + PATIENCE);
    }
    if state.keep_at.is_some_and(|at| at <= state.now) { remember(state) } else { Vec::new() }
}

/// How a model was left is known. What was changed meanwhile is not touched.
pub(super) fn recalled(state: &mut State, model: &Arc<Model>, memory: &Memory) -> Vec<Effect> {
    let started = state.settings.recipe.clone();
    let now = state.now;
    let Some(session) = &mut state.session else { return Vec::new() };
    if !Arc::ptr_eq(&session.model, model) || session.plan.is_stepped() {
        return Vec::new();
    }
    let mut told: Vec<&str> = Vec::new();
    if memory.by_role && session.tree.grouping() == Grouping::Names {
        session.regroup(now);
        told.push("folds");
    }
    if !memory.open.is_empty() && session.tree.open_only(&memory.open) && told.is_empty() {
        told.push("folds");
    }
    if let Some(sort) = Sort::named(&memory.sort).filter(|sort| *sort != session.sort) {
        session.sort_by(sort, now);
        told.push("order");
    }
    if let Item::Node(node) = memory.row(session) {
        let before = session.tree.selected();
        session.tree.select(node);
        if session.tree.selected() != before {
            told.insert(0, "cursor");
        }
    }
    if !memory.filter.is_empty() {
        browse::set_filter(state, &memory.filter);
        told.push("filter");
    }
    let Some(session) = &mut state.session else { return Vec::new() };
    if let Item::Node(node) = memory.row(session)
        && !memory.filter.is_empty()
    {
        session.tree.select(node);
    }
    let mut undo = "";
    if session.plan.is_resumed() {
        told.push("rules");
        undo = ": u undoes them step by step";
    } else if let Some(recipe) = memory.edits(&started)
        && session.plan.apply(model, "the rules of last time", recipe.clone())
    {
        told.push("rules");
        undo = ": u undoes the rules, which are one step now";
    }
    state.kept = state.session.as_ref().map_or(0, |s| s.plan.revision());
    state.sums_changed = true;
    state.wants_changed = true;
    if !told.is_empty() {
        state.notify(Tone::Info, format!("as it was left: {}{undo}", told.join(", ")));
    }
    Vec::new()
}
