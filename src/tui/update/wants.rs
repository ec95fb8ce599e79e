//! Previews: which are wanted, in what order, and what is done with those that arrive.

use std::sync::Arc;

use super::{looks, pane};
use crate::engine::model::Model;
use crate::engine::preview::{Depth, TensorReport};
use crate::engine::ternary::Method;
use crate::jobs::{PreviewKey, Want};
use crate::tui::effect::Effect;
use crate::tui::state::previews::Subject;
use crate::tui::state::summary::what_if;
use crate::tui::state::tree::Item;
use crate::tui::state::{Session, State};

/// Rows that are taken for visible before the first frame tells.
const ROWS: usize = 40;

/// A report is there. One of another model, or one that no longer says anything new, is dropped.
pub(super) fn arrived(
    state: &mut State,
    model: &Arc<Model>,
    key: PreviewKey,
    report: &Arc<TensorReport>,
) -> Vec<Effect> {
    let visible = visible(state);
    if let Some(session) = &mut state.session
        && Arc::ptr_eq(model, &session.model)
    {
        let subject = (key.tensor, key.format);
        let keep = session.tree.selected_tensor() == Some(key.tensor) || visible.contains(&key.tensor);
        session.previews.insert(subject, report, keep);
        state.sums_changed = true;
    }
    Vec::new()
}

/// A preview could not be made.
pub(super) fn failed(state: &mut State, model: &Arc<Model>, key: PreviewKey, message: String) -> Vec<Effect> {
    if let Some(session) = &mut state.session
        && Arc::ptr_eq(model, &session.model)
    {
        session.previews.fail((key.tensor, key.format), message);
        state.sums_changed = true;
    }
    Vec::new()
}

/// Keeps what the preview shows, and asks for what is missing if anything that matters has changed.
pub(super) fn settle(state: &mut State) -> Vec<Effect> {
    let changed = std::mem::take(&mut state.wants_changed);
    let visible = if changed { visible(state) } else { Vec::new() };
    let weighted = changed && pane::weighted(state);
    let Some(session) = &mut state.session else { return Vec::new() };
    if let Some(subject) = session.subject()
        && session.previews.report(subject).is_some()
    {
        session.previews.touch(subject);
        session.shown = Some(subject);
    }
    if !changed {
        return Vec::new();
    }
    let looks = looks::settle(session);
    let wanted = Effect::WantPreviews(Arc::clone(&session.model), wants(session, &visible, weighted));
    looks.into_iter().chain([wanted]).collect()
}

/// Tensors whose rows are in sight.
fn visible(state: &State) -> Vec<usize> {
    let Some(session) = &state.session else { return Vec::new() };
    let height = match usize::from(state.geometry.tree.height) {
        0 => ROWS,
        height => height,
    };
    let offset = state.geometry.tree_offset;
    session.tree.rows().iter().skip(offset).take(height).filter_map(|row| session.tree.tensor_of(*row)).collect()
}

/// What is missing, most wanted first: the tensor under the cursor (a sample, then all of it), what goes ternary in
/// sight, below the cursor and elsewhere, then what could go ternary below the cursor and in sight, then what was asked
/// for exactly.
fn wants(session: &Session, visible: &[usize], weighted: bool) -> Vec<Want> {
    let mut list = List { session, wants: Vec::new() };
    let selected = session.tree.selected_tensor();
    if let Some(tensor) = selected {
        list.wants.extend(looks::for_methods(session, weighted));
        list.add_whole(tensor, Depth::SHOWN);
        list.add_whole(tensor, Depth::Exact);
    }
    let below = match session.tree.selected() {
        Item::Node(_) if selected.is_some() => Vec::new(),
        item => session.tree.tensors_below(item),
    };
    let ternary = |t: &&usize| session.plan.decision(**t).is_ternary();
    let eligible = |t: &&usize| session.plan.outlook(**t).eligible;
    let all: Vec<usize> = (0..session.model.tensors.len()).collect();
    for tensors in [visible, &below, &all] {
        tensors.iter().filter(ternary).for_each(|t| list.add_figures(*t));
    }
    for tensors in [below.as_slice(), visible] {
        tensors.iter().filter(eligible).for_each(|t| list.add_figures(*t));
    }
    session.exact.iter().for_each(|t| list.add_exact(*t));
    let mut seen = std::collections::HashSet::new();
    list.wants.retain(|want| seen.insert(want.key));
    list.wants
}

struct List<'a> {
    session: &'a Session,
    wants: Vec<Want>,
}

impl List<'_> {
    /// The subject and method of a tensor that can be measured.
    fn subject(&self, tensor: usize) -> Option<(Subject, Method)> {
        let (format, method) = what_if(&self.session.plan, tensor)?;
        let subject = (tensor, format);
        self.session.previews.failure(subject).is_none().then_some((subject, method))
    }

    fn push(&mut self, (tensor, format): Subject, depth: Depth, method: Method) {
        // The first method's figures are also given per expert.
        let others = Method::COMPARED.into_iter().filter(|m| *m != method);
        let methods = std::iter::once(method).chain(others).collect();
        self.wants.push(Want { key: PreviewKey { tensor, format, depth }, methods, blind: false });
    }

    /// The whole report, for the preview.
    fn add_whole(&mut self, tensor: usize, depth: Depth) {
        let Some((subject, method)) = self.subject(tensor) else { return };
        let report = self.session.previews.report(subject).filter(|r| r.method(method).is_some());
        if report.is_none_or(|r| depth == Depth::Exact && !r.exact) {
            self.push(subject, depth, method);
        }
    }

    /// Figures from a sample, for the tree and the totals.
    fn add_figures(&mut self, tensor: usize) {
        let Some((subject, method)) = self.subject(tensor) else { return };
        let figures = self.session.previews.figures(subject);
        if figures.is_none_or(|f| f.methods.iter().all(|m| m.method != method)) {
            self.push(subject, Depth::SHOWN, method);
        }
    }

    /// Exact figures.
    fn add_exact(&mut self, tensor: usize) {
        let Some((subject, method)) = self.subject(tensor) else { return };
        if self.session.previews.figures(subject).is_none_or(|f| !f.exact) {
            self.push(subject, Depth::Exact, method);
        }
    }
}
