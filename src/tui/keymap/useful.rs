//! Which keys have a use with what is on the screen: the others are not hinted at. What some are hinted at with while
//! something is being typed.

use super::{Context, Key, Keymap};
use crate::engine::plan;
use crate::tui::action::{Action, PaneAction};
use crate::tui::state::copying::Copying;
use crate::tui::state::edit::Target;
use crate::tui::state::pane::Quantity;
use crate::tui::state::{Dialog, State, Tab};

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
        (Context::Types, Action::ToggleTernary) => overrides(state),
        (Context::Problems, Action::Accept) => pages.problems.selected().is_some_and(|p| p.tensor.is_some()),
        _ => true,
    }
}

/// Whether the menu of types is for a tensor whose protection can be overridden, and is not.
fn overrides(state: &State) -> bool {
    let (Some(session), Some(Dialog::Types(_, Target::Tensor(tensor)))) = (&state.session, &state.dialog) else {
        return false;
    };
    let decision = session.plan.decision(*tensor);
    !decision.is_ternary() && decision.protection.is_some_and(|protection| !protection.is_absolute())
}

impl Keymap {
    /// The key that means an action in a context, if one does there.
    pub fn key_of(&self, context: Context, action: Action) -> Option<&str> {
        let means = |key: &Key| self.holding(context).find(|b| b.keys.contains(key)).map(|b| b.action);
        let bound = self.holding(context).find(|b| b.keys.first().and_then(means) == Some(action))?;
        bound.shown.split(' ').next().filter(|key| !key.is_empty())
    }

    /// How an action is reached from a context: its key, or else the command.
    pub fn way_to(&self, context: Context, action: Action) -> String {
        self.key_of(context, action).map_or_else(|| format!(":{}", action.name()), str::to_owned)
    }
}

/// Whether an action means the same wherever it is asked for, whatever has the keys.
pub fn is_anywhere(action: Action) -> bool {
    use Action::{Copy, CopyMenu, Help, Jobs, Messages, NarrowTree, NextTheme, Redraw};
    use Action::{SaveReport, SkipTour, ToggleAscii, ToggleMouse, Tour, WidenTree};
    let copies = matches!(action, Copy(what) if what != Copying::Value);
    copies
        || matches!(action, CopyMenu | Help | Jobs | Messages | NarrowTree | NextTheme | Redraw)
        || matches!(action, SaveReport | SkipTour | ToggleAscii | ToggleMouse | Tour | WidenTree)
}

/// The word of a hint: while something is typed, what leaves it ends that only.
pub(super) fn hint(state: &State, context: Context, action: Action, usual: &'static str) -> &'static str {
    let Some(session) = &state.session else {
        return if (context, action) == (Context::Failure, Action::Back) { "choose a file" } else { usual };
    };
    let slider = session.slider.as_ref().filter(|slider| slider.input.is_some());
    match (context, action, slider) {
        (Context::Budget, Action::Back, Some(_)) => "end the number",
        (Context::Budget, Action::Accept, Some(slider)) if slider.is_out_of_reach() => "take the nearest",
        (Context::Filter, Action::Back, _) if session.filter.problem().is_some() => "leave it",
        _ => usual,
    }
}
