//! Which keys have a use with what is on the screen: the others are not hinted at. What some are hinted at with while
//! something is being typed.

use super::Context;
use crate::engine::plan;
use crate::tui::action::{Action, PaneAction};
use crate::tui::state::pane::Quantity;
use crate::tui::state::{State, Tab};

/// Whether an action does something with what is on the screen: in the open tab of the preview, on the open page.
pub(super) fn has_use(state: &State, context: Context, action: Action) -> bool {
    let Some(session) = &state.session else { return true };
    let pages = &session.pages;
    match (context, action) {
        (
            _,
            Action::ToggleLogAxis | Action::Pane(PaneAction::Overlay | PaneAction::FewerBins | PaneAction::MoreBins),
        ) => matches!(session.tab, Tab::Overview | Tab::Scales),
        (Context::Map, Action::Pane(PaneAction::Experts)) => {
            let tensor = session.tree.selected_tensor().and_then(|tensor| session.model.tensors.get(tensor));
            tensor.is_some_and(|tensor| tensor.matrices() > 1)
        }
        (Context::Experts, Action::Pane(PaneAction::By(Quantity::Hits))) => {
            session.tree.selected_tensor().is_some_and(|tensor| state.has_importance(tensor))
        }
        (Context::Templates, Action::NextTemplate | Action::PreviousTemplate) => pages.template.count() > 1,
        (Context::Rules, Action::NextMethod | Action::PreviousMethod) => {
            let rule = pages.recipe.rule().and_then(|rule| session.plan.recipe().rules.get(rule));
            rule.is_none_or(|rule| matches!(rule.action, plan::Action::Ternary { .. }))
        }
        (Context::Problems, Action::Accept) => pages.problems.selected().is_some_and(|p| p.tensor.is_some()),
        _ => true,
    }
}

/// The word of a hint: while something is typed, what leaves it ends that only.
pub(super) fn hint(state: &State, context: Context, action: Action, usual: &'static str) -> &'static str {
    let Some(session) = &state.session else { return usual };
    let slider = session.slider.as_ref().filter(|slider| slider.input.is_some());
    match (context, action, slider) {
        (Context::Budget, Action::Back, Some(_)) => "end the number",
        (Context::Budget, Action::Accept, Some(slider)) if slider.is_out_of_reach() => "take the nearest",
        (Context::Filter, Action::Back, _) if session.filter.problem().is_some() => "leave it",
        _ => usual,
    }
}
