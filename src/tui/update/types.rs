//! The menu of types for the selection.

use super::{plan, quit};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::state::edit::{TypeMenu, set_type, toggle};
use crate::tui::state::{Dialog, State, Tone};

pub(super) fn open(state: &mut State) {
    let Some(session) = &state.session else { return };
    let target = session.target();
    state.dialog = Some(Dialog::Types(TypeMenu::new(&session.model, &session.plan, &target), target));
}

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Dialog::Types(menu, _)) = &mut state.dialog else { return Vec::new() };
    match action {
        Action::Up => menu.step(-1),
        Action::Down => menu.step(1),
        Action::Top => menu.cursor = 0,
        Action::Bottom => menu.cursor = menu.offers.len().saturating_sub(1),
        Action::Accept => accept(state),
        Action::ToggleTernary => over(state),
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        _ => {}
    }
    Vec::new()
}

/// Makes the selection ternary whatever protects it, or keeps it again. The menu stays and offers what can be had now.
fn over(state: &mut State) {
    let (Some(Dialog::Types(_, target)), Some(session)) = (&state.dialog, &state.session) else { return };
    let target = target.clone();
    let outcome = toggle(&session.model, &session.plan, &target, true);
    plan::take(state, outcome);
    if let Some(session) = &state.session {
        state.dialog = Some(Dialog::Types(TypeMenu::new(&session.model, &session.plan, &target), target));
    }
}

/// Gives the selection the type under the cursor. One that cannot be had is told, and the menu stays.
pub(super) fn accept(state: &mut State) {
    let (Some(Dialog::Types(menu, target)), Some(session)) = (&state.dialog, &state.session) else { return };
    let Some(offer) = menu.offers.get(menu.cursor) else { return };
    if let Err(why) = &offer.bytes {
        let words = format!("{}: {why}", offer.chosen.name());
        return state.notify(Tone::Warning, words);
    }
    let outcome = set_type(&session.model, &session.plan, target, offer.chosen);
    state.dialog = None;
    plan::take(state, outcome);
}
