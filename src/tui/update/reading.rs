//! Texts that scroll: help and the messages.

use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::keymap::Context;
use crate::tui::state::dialog::{HelpText, Scroll};
use crate::tui::state::{Dialog, State};

/// Opens help over whatever has the keys; its keys come first.
pub(super) fn open_help(state: &mut State) {
    let of = Context::of(state);
    let beneath = state.dialog.take();
    state.dialog = Some(Dialog::Help(Box::new(HelpText::new(of, beneath))));
}

/// Opens the messages.
pub(super) fn open_messages(state: &mut State) {
    state.dialog = Some(Dialog::Messages(Scroll::default()));
}

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let page = usize::from(state.geometry.dialog.height).max(1);
    let last = state.geometry.dialog_lines.saturating_sub(page);
    let scroll = match &mut state.dialog {
        Some(Dialog::Messages(scroll)) => scroll,
        Some(Dialog::Help(help)) => &mut help.scroll,
        _ => return Vec::new(),
    };
    scroll.top = match action {
        Action::Up => scroll.top.saturating_sub(1),
        Action::Down => scroll.top + 1,
        Action::PageUp => scroll.top.saturating_sub(page),
        Action::PageDown => scroll.top + page,
        Action::Top => 0,
        Action::Bottom => last,
        Action::Back => {
            close(state);
            return Vec::new();
        }
        Action::Quit => return super::quit(state),
        _ => scroll.top,
    }
    .min(last);
    Vec::new()
}

/// What help lay over has the keys again.
fn close(state: &mut State) {
    state.dialog = match state.dialog.take() {
        Some(Dialog::Help(help)) => help.beneath.map(|dialog| *dialog),
        _ => None,
    };
}

pub(super) fn act_help(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Dialog::Help(help)) = &mut state.dialog else { return Vec::new() };
    match action {
        Action::Search => help.searching = true,
        Action::Accept => help.searching = false,
        Action::Edit(edit) if help.searching => {
            help.search.apply(edit);
            help.scroll = Scroll::default();
        }
        // One level up: the search first.
        Action::Back if help.searching || !help.search.text().is_empty() => {
            help.searching = false;
            help.search.set("");
            help.scroll = Scroll::default();
        }
        _ => return act(state, action),
    }
    Vec::new()
}
