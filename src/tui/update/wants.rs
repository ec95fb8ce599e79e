//! Previews: which are wanted, in what order, and what is done with those that arrive.

use std::collections::HashSet;
use std::sync::Arc;

use super::{looks, pane};
use crate::engine::model::Model;
use crate::engine::preview::{Depth, TensorReport};
use crate::engine::ternary::Method;
use crate::jobs::{PreviewKey, Want};
use crate::tui::effect::Effect;
use crate::tui::state::previews::Subject;
use crate::tui::state::summary::what_if;
use crate::tui::state::{Screen, Session, State};

/// Rows that are taken for visible before the first frame tells.
const ROWS: usize = 40;
/// Wants that the lane is given at a time. Of a hundred thousand tensors the others are asked for when half of these
/// have been measured.
const LIMIT: usize = 512;
/// Tensors that are looked at for that before a frame: the others are looked at before the next.
const LOOKS: usize = 20_000;

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
        figures_arrived(session);
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
        figures_arrived(session);
        state.sums_changed = true;
    }
    Vec::new()
}

/// One of the wants is done; what is derived from figures is old.
fn figures_arrived(session: &mut Session) {
    session.sweeps.outstanding = session.sweeps.outstanding.saturating_sub(1);
    super::decide::figures_arrived(session);
}

/// Keeps what the preview shows, and asks for what is missing if anything that matters has changed, or if the lane has
/// done half of what it was given and there is more.
pub(super) fn settle(state: &mut State) -> Vec<Effect> {
    let refill = |s: &Session| s.sweeps.unfinished || s.sweeps.more && s.sweeps.outstanding < LIMIT / 2;
    let changed = std::mem::take(&mut state.wants_changed) || state.session.as_ref().is_some_and(refill);
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

/// Tensors whose rows or cells are in sight.
fn visible(state: &State) -> Vec<usize> {
    let Some(session) = &state.session else { return Vec::new() };
    if session.screen == Screen::Sensitivity {
        return session.sensitivity.in_sight(state.geometry.map_first, state.geometry.map_cells());
    }
    let height = match usize::from(state.geometry.tree.height) {
        0 => ROWS,
        height => height,
    };
    let offset = state.geometry.tree_offset;
    session.tree.rows().iter().skip(offset).take(height).filter_map(|row| session.tree.tensor_of(*row)).collect()
}

/// What is missing, most wanted first: the tensor under the cursor (a sample, then all of it), what goes ternary in
/// sight, below the cursor and elsewhere, then what could go ternary below the cursor and in sight, and of a scan
/// elsewhere, then what was asked for exactly.
fn wants(session: &mut Session, visible: &[usize], weighted: bool) -> Vec<Want> {
    let mut sweeps = std::mem::take(&mut session.sweeps);
    let mut list = List { session, wants: Vec::new(), seen: HashSet::new(), looks: LOOKS };
    let selected = session.tree.selected_tensor();
    let on_screen = if session.screen == Screen::Sensitivity { session.sensitivity.tensor() } else { selected };
    if selected.is_some() && session.screen == Screen::Tensors {
        list.wants.extend(looks::for_methods(session, weighted));
        list.seen.extend(list.wants.iter().map(|want| want.key));
    }
    if let Some(tensor) = on_screen {
        list.add_whole(tensor, Depth::SHOWN);
        list.add_whole(tensor, Depth::Exact);
    }
    let item = session.tree.selected();
    let (below, mut at) = match sweeps.below.filter(|(known, _)| *known == item) {
        _ if selected.is_some() => (&[][..], [0; 2]),
        Some((_, [all, also])) if all.min(also) >= session.summaries.of(item).tensors => (&[][..], [all, also]),
        known => (session.tree.tensors_below(item), known.map_or([0; 2], |(_, at)| at)),
    };
    let ternary = |t: &usize| session.plan.decision(*t).is_ternary();
    let eligible = |t: &usize| session.plan.outlook(*t).eligible;
    let all = 0..session.model.tensors.len();
    list.add_all(visible.iter().copied().filter(ternary));
    list.sweep(below.iter().copied(), &mut at[0], ternary);
    list.sweep(all.clone(), &mut sweeps.ternary, ternary);
    list.sweep(below.iter().copied(), &mut at[1], eligible);
    list.add_all(visible.iter().copied().filter(eligible));
    if session.scan {
        list.sweep(all, &mut sweeps.eligible, eligible);
    }
    sweeps.below = selected.is_none().then_some((item, at));
    sweeps.unfinished = list.looks == 0 && list.has_room();
    for tensor in &session.exact {
        if !list.has_room() {
            break;
        }
        list.add_exact(*tensor);
    }
    let wants = list.wants;
    (sweeps.more, sweeps.outstanding) = (wants.len() >= LIMIT, wants.len());
    session.sweeps = sweeps;
    wants
}

struct List<'a> {
    session: &'a Session,
    wants: Vec<Want>,
    seen: HashSet<PreviewKey>,
    /// How many tensors may still be looked at.
    looks: usize,
}

impl List<'_> {
    /// The subject and method of a tensor that can be measured.
    fn subject(&self, tensor: usize) -> Option<(Subject, Method)> {
        let (format, method) = what_if(&self.session.plan, tensor)?;
        let subject = (tensor, format);
        self.session.previews.failure(subject).is_none().then_some((subject, method))
    }

    fn has_room(&self) -> bool {
        self.wants.len() < LIMIT
    }

    fn push(&mut self, (tensor, format): Subject, depth: Depth, method: Method) {
        let key = PreviewKey { tensor, format, depth };
        if !self.seen.insert(key) {
            return;
        }
        // The first method's figures are also given per expert.
        let others = Method::COMPARED.into_iter().filter(|m| *m != method);
        let methods = std::iter::once(method).chain(others).collect();
        self.wants.push(Want { key, methods, blind: false });
    }

    /// Figures of these, as far as there is room.
    fn add_all(&mut self, tensors: impl Iterator<Item = usize>) {
        for tensor in tensors {
            if !self.has_room() {
                return;
            }
            self.add_figures(tensor);
        }
    }

    /// Figures of everything in a list of which `which` holds, from a place on. What stands before the first that is
    /// missing is not asked again: figures do not go away.
    fn sweep(&mut self, list: impl Iterator<Item = usize>, from: &mut usize, which: impl Fn(&usize) -> bool) {
        let mut complete = true;
        for (place, tensor) in list.enumerate().skip(*from) {
            if !self.has_room() || self.looks == 0 {
                return;
            }
            self.looks -= 1;
            if which(&tensor) && self.lacks_figures(tensor).is_some() {
                complete = false;
                self.add_figures(tensor);
            }
            if complete {
                *from = place + 1;
            }
        }
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
        if let Some((subject, method)) = self.lacks_figures(tensor) {
            self.push(subject, Depth::SHOWN, method);
        }
    }

    /// What would have to be measured of a tensor of which nothing is known.
    fn lacks_figures(&self, tensor: usize) -> Option<(Subject, Method)> {
        let (subject, method) = self.subject(tensor)?;
        (!self.session.previews.is_tried(subject, method)).then_some((subject, method))
    }

    /// Exact figures.
    fn add_exact(&mut self, tensor: usize) {
        let Some((subject, method)) = self.subject(tensor) else { return };
        if self.session.previews.figures(subject).is_none_or(|f| !f.exact) {
            self.push(subject, Depth::Exact, method);
        }
    }
}
