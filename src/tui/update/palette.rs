//! The palette: typing, choosing, and what its commands do.

use crate::engine::plan::Mask;
use crate::engine::ternary::{Format, Method};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::state::appearance::ThemeName;
use crate::tui::state::command::expand;
use crate::tui::state::edit;
use crate::tui::state::palette::{Palette, Run, Verb, choices};
use crate::tui::state::{Dialog, State, Tone};

use super::plan::Choice;
use super::{browse, habits, opening, plan};

/// Opens it over whatever has the keys.
pub(super) fn open(state: &mut State) {
    let palette = Palette::new(state);
    state.dialog = Some(Dialog::Palette(Box::new(palette)));
}

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let page = usize::from(state.geometry.dialog.height).max(1);
    let Some(Dialog::Palette(palette)) = &mut state.dialog else { return Vec::new() };
    let last = palette.choices.len().saturating_sub(1);
    match action {
        Action::Up => palette.cursor = if palette.cursor == 0 { last } else { palette.cursor - 1 },
        Action::Down => palette.cursor = if palette.cursor >= last { 0 } else { palette.cursor + 1 },
        Action::PageUp => palette.cursor = palette.cursor.saturating_sub(page),
        Action::PageDown => palette.cursor = (palette.cursor + page).min(last),
        Action::Edit(edit) if palette.input.apply(edit) => retype(state),
        Action::NextField => complete(state),
        Action::Accept => return accept(state),
        Action::Back => close(state),
        Action::Quit => {
            close(state);
            return super::quit(state);
        }
        _ => {}
    }
    Vec::new()
}

/// The text has changed: other commands are meant.
pub(super) fn retype(state: &mut State) {
    let Some(Dialog::Palette(palette)) = &state.dialog else { return };
    let found = choices(state, palette.from, palette.input.text());
    if let Some(Dialog::Palette(palette)) = &mut state.dialog {
        palette.choices = found;
        palette.cursor = 0;
    }
}

/// Types the chosen command out.
fn complete(state: &mut State) {
    let Some(Dialog::Palette(palette)) = &mut state.dialog else { return };
    let Some(choice) = palette.choices.get(palette.cursor) else { return };
    let space = if matches!(choice.run, Run::Ask(_)) { " " } else { "" };
    let line = format!("{}{space}", choice.line);
    palette.input.set(line);
    retype(state);
}

/// Puts back what it lay over.
fn close(state: &mut State) {
    if let Some(Dialog::Palette(palette)) = state.dialog.take() {
        state.dialog = palette.beneath.map(|dialog| *dialog);
    }
}

fn accept(state: &mut State) -> Vec<Effect> {
    let Some(Dialog::Palette(palette)) = &state.dialog else { return Vec::new() };
    let Some(run) = palette.choices.get(palette.cursor).map(|choice| choice.run.clone()) else {
        let line = palette.input.text().to_owned();
        state.notify(Tone::Warning, format!("no command is like '{line}'"));
        return Vec::new();
    };
    match run {
        Run::Ask(_) => {
            complete(state);
            Vec::new()
        }
        Run::Act(action) => {
            close(state);
            super::act(state, action)
        }
        Run::Verb(verb, argument) => {
            close(state);
            obey(state, verb, &argument)
        }
    }
}

/// Does what a command with an argument says.
fn obey(state: &mut State, verb: Verb, argument: &str) -> Vec<Effect> {
    let switch = argument == "on";
    match verb {
        Verb::Theme => match argument.parse::<ThemeName>() {
            Ok(theme) => habits::set_theme(state, theme),
            Err(why) => state.notify(Tone::Warning, why),
        },
        Verb::Mouse => return habits::set_mouse(state, switch),
        Verb::Ascii => habits::set_ascii(state, switch),
        Verb::Open => {
            let path = state.settings.folder.join(expand(argument, state.settings.home.as_deref()));
            return opening::begin(state, path);
        }
        Verb::Goto => goto(state, argument),
        Verb::Filter => {
            state.dialog = None;
            browse::set_filter(state, argument);
        }
        Verb::Method => match argument.parse::<Method>() {
            Ok(method) => {
                plan::set(state, Choice::Method, |model, plan, target| edit::set_method(model, plan, target, method));
            }
            Err(why) => state.notify(Tone::Warning, why),
        },
        Verb::Format => match argument.parse::<Format>() {
            Ok(format) => {
                plan::set(state, Choice::Method, |model, plan, target| edit::set_format(model, plan, target, format));
            }
            Err(why) => state.notify(Tone::Warning, why),
        },
        Verb::Type => match edit::TargetType::all().find(|chosen| chosen.name() == argument) {
            Some(chosen) => {
                plan::set(state, Choice::Tensors, |model, plan, target| edit::set_type(model, plan, target, chosen));
            }
            None => state.notify(Tone::Warning, format!("'{argument}' is no type; delete it to see which there are")),
        },
        Verb::Mask => match Mask::ALL.into_iter().find(|mask| mask.name() == argument) {
            Some(mask) => plan::set(state, Choice::Mask, |_, plan, _| edit::set_mask(plan, mask)),
            None => state.notify(Tone::Warning, format!("'{argument}' is no mask: experts, all or custom")),
        },
    }
    Vec::new()
}

/// Puts the cursor on a tensor; a filter that hides it is cleared.
fn goto(state: &mut State, name: &str) {
    state.dialog = None;
    let Some(session) = &mut state.session else { return };
    let Some(tensor) = session.model.find(name) else {
        state.notify(Tone::Warning, format!("no tensor is called '{name}'"));
        return;
    };
    if !session.show(tensor) {
        browse::clear_filter(session);
        session.show(tensor);
    }
    state.wants_changed = true;
}
