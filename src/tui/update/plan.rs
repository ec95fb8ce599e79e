//! The keys that change the plan. The edits themselves are in [`crate::tui::state::edit`].

use crate::engine::model::{Model, Role};
use crate::engine::plan::{Mask, Protection, Shared};
use crate::engine::ternary::Method;
use crate::text;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::state::edit::{self, Outcome};
use crate::tui::state::plan::PlanState;
use crate::tui::state::{Session, State, Tone};

pub(super) fn act(state: &mut State, action: Action) {
    let back = state.settings.keymap.key_of(Context::of(state), Action::Redo).map(str::to_owned);
    let Some(session) = &mut state.session else { return };
    let (tone, text) = match action {
        Action::Undo => match session.plan.undo(&session.model) {
            Some(name) => {
                let back = back.map_or_else(String::new, |key| format!(" · {key} redoes it"));
                (Tone::Info, stepped("undone", &name, session.plan.next_undo()) + &back)
            }
            None => (Tone::Info, "nothing to undo".to_owned()),
        },
        Action::Redo => match session.plan.redo(&session.model) {
            Some(name) => (Tone::Info, stepped("redone", &name, session.plan.next_redo())),
            None => (Tone::Info, "nothing to redo".to_owned()),
        },
        _ => change(session, action),
    };
    state.notify(tone, text);
    state.sums_changed = true;
    state.wants_changed = true;
}

/// Makes a change that a command names.
pub(super) fn set(state: &mut State, choice: Choice, edit: impl FnOnce(&Model, &PlanState, &edit::Target) -> Outcome) {
    let Some(session) = &mut state.session else { return };
    let outcome = edit(&session.model, &session.plan, &session.target());
    let (tone, text) = settle(session, outcome, choice);
    state.notify(tone, text);
    state.sums_changed = true;
    state.wants_changed = true;
}

/// What was done, and what the same key does next.
fn stepped(done: &str, name: &str, next: Option<&str>) -> String {
    let next = next.map_or_else(String::new, |next| format!(" · next: {next}"));
    format!("{done}: {name}{next}")
}

fn change(session: &mut Session, action: Action) -> (Tone, String) {
    let target = session.target();
    let single = if let edit::Target::Tensor(index) = target { Some(index) } else { None };
    let confirmed = single.is_some() && session.armed == single;
    session.armed = None;
    let (model, plan) = (&session.model, &session.plan);
    let outcome = match action {
        Action::ToggleTernary => edit::toggle(model, plan, &target, confirmed),
        Action::CycleType => edit::cycle_type(model, plan, &target),
        Action::NextMethod | Action::PreviousMethod => {
            let is_native = |subject| session.previews.figures(subject).is_some_and(|f| f.native);
            let (next, all) = edit::next_method(plan, &target, action == Action::NextMethod, is_native);
            let outcome = edit::set_method(model, plan, &target, next);
            let changed = matches!(outcome, Outcome::Changed(..));
            let (tone, text) = settle(session, outcome, Choice::Method);
            return (tone, if changed { format!("{text} · {}", circle(next, all)) } else { text });
        }
        Action::NextFormat | Action::PreviousFormat => {
            edit::cycle_format(model, plan, &target, action == Action::NextFormat)
        }
        _ => edit::cycle_mask(model, plan),
    };
    let choice = match action {
        Action::CycleMask => Choice::Mask,
        Action::ToggleTernary | Action::CycleType => Choice::Tensors,
        _ => Choice::Method,
    };
    settle(session, outcome, choice)
}

/// The methods that the key goes through, with the one that it has come to.
fn circle(now: Method, all: &[Method]) -> String {
    let name = |method: &Method| if *method == now { format!("[{method}]") } else { method.to_string() };
    all.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// Does what came of an edit, and says so.
pub(super) fn take(state: &mut State, outcome: Outcome) {
    let Some(session) = &mut state.session else { return };
    let (tone, text) = settle(session, outcome, Choice::Tensors);
    state.notify(tone, text);
    state.sums_changed = true;
    state.wants_changed = true;
}

/// What an edit chooses: it decides what is worth saying where nothing goes ternary.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Choice {
    /// Which tensors go ternary, one by one.
    Tensors,
    /// Which do by their role.
    Mask,
    /// The method or the format.
    Method,
}

/// What a mask that has just become every linear layer says of matrices whose names tell no role: it does not take them.
fn left_out(session: &Session, before: Mask) -> String {
    if session.plan.recipe().layers != Mask::All || before == Mask::All {
        return String::new();
    }
    // Those that share a decision are of one class, and so of one role.
    let unknown = |shared: &&Shared| {
        let tensor = &session.model.tensors[shared.first];
        tensor.role == Role::Other && !shared.decision.is_ternary() && Protection::of(tensor).is_none()
    };
    let shared = session.plan.plan().decisions.shared().iter();
    match shared.filter(unknown).map(|shared| shared.tensors as usize).sum() {
        0 => String::new(),
        n => format!(" · {} of unknown role left out (/ role:other lists them)", text::counted(n, "tensor")),
    }
}

/// Takes an edit over, and says what came of it.
fn settle(session: &mut Session, outcome: Outcome, choice: Choice) -> (Tone, String) {
    match outcome {
        Outcome::Changed(name, recipe) => {
            let model = std::sync::Arc::clone(&session.model);
            let (was, mask) = (session.plan.plan().totals, session.plan.recipe().layers);
            let before = was.ternary_tensors;
            if !session.plan.apply(&model, name.clone(), recipe) {
                return (Tone::Info, format!("{name}: nothing changes"));
            }
            let totals = session.plan.plan().totals;
            let none = totals.ternary_tensors == 0;
            match choice {
                Choice::Mask if none => {
                    return (Tone::Warning, format!("{name}: selects nothing here{}", left_out(session, mask)));
                }
                Choice::Method if none => {
                    let how = "nothing goes ternary yet: space, L or p";
                    return (Tone::Info, format!("{name} · {how}"));
                }
                _ => {}
            }
            let tensors = i128::from(totals.ternary_tensors) - i128::from(before);
            let text = match tensors {
                0 => name,
                n => format!("{name}: {n:+} tensor{}", if n.abs() == 1 { "" } else { "s" }),
            };
            let undone = match was
                .already_ternary_tensors
                .saturating_sub(totals.already_ternary_tensors + totals.ternary_tensors.saturating_sub(before))
            {
                0 => String::new(),
                n => format!(" · {} of the source would be none any more", text::counted(n as usize, "ternary tensor")),
            };
            let told = left_out(session, mask) + &undone;
            (if told.is_empty() { Tone::Info } else { Tone::Warning }, text + &told)
        }
        Outcome::NeedsConfirmation(why) => {
            session.armed = session.tree.selected_tensor();
            (Tone::Warning, why)
        }
        Outcome::Refused(why) => (Tone::Warning, why),
    }
}
