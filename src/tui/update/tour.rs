//! The tour: begun, followed, ended.

use crate::tui::effect::Effect;
use crate::tui::state::tour::Tour;
use crate::tui::state::{State, Tone};

/// Begins it from the start.
pub(super) fn begin(state: &mut State) {
    if state.session.is_none() {
        state.notify(Tone::Info, "the tour needs a model: open one, or run `tritscope demo`");
        return;
    }
    state.tour = Some(Tour::begin(state));
}

/// Ends it before its end.
pub(super) fn skip(state: &mut State) -> Vec<Effect> {
    if state.tour.take().is_none() {
        state.notify(Tone::Info, "no tour is on: the command `tour` begins one");
        return Vec::new();
    }
    state.notify(Tone::Info, "the tour is over: the command `tour` begins it again");
    vec![Effect::EndTour]
}

/// Goes on where a step was done.
pub(super) fn settle(state: &mut State) -> Vec<Effect> {
    let Some(next) = state.tour.as_ref().and_then(|tour| tour.follow(state)) else { return Vec::new() };
    if next.step().is_some() {
        state.tour = Some(next);
        return Vec::new();
    }
    state.tour = None;
    state.notify(Tone::Good, "that was the tour: ? lists every key, : every command, J shows the export");
    vec![Effect::EndTour]
}
