//! The palette: typing, choosing, and what its commands do.

use crate::engine::plan::Mask;
use crate::engine::ternary::{Format, Method};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::keymap::Context;
use crate::tui::state::appearance::ThemeName;
use crate::tui::state::columns::Sort;
use crate::tui::state::command::expand;
use crate::tui::state::edit;
use crate::tui::state::input::TextEdit;
use crate::tui::state::pages::Page;
use crate::tui::state::palette::{Palette, Run, Verb, choices, problem};
use crate::tui::state::{Dialog, Screen, State, Tab, Tone};

use super::plan::Choice;
use super::{browse, decide, habits, opening, plan};

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
        palette.problem = problem(palette.input.text(), &found);
        palette.choices = found;
        palette.cursor = 0;
    }
}

/// Types the chosen command out.
fn complete(state: &mut State) {
    let Some(Dialog::Palette(palette)) = &mut state.dialog else { return };
    let Some(choice) = palette.choices.get(palette.cursor) else { return };
    let space = if choice.argument.is_empty() { "" } else { " " };
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
        Run::Ask(_) | Run::Fill => {
            complete(state);
            Vec::new()
        }
        Run::Act(action) => {
            close(state);
            super::act(state, action)
        }
        Run::Elsewhere(context, action) => {
            close(state);
            elsewhere(state, context, action)
        }
        Run::Verb(verb, argument) => {
            close(state);
            obey(state, verb, &argument)
        }
    }
}

/// What leads to a context from the tree; nothing where it takes more than that.
fn route(context: Context) -> Option<&'static [Action]> {
    use Action::{Budget, Jobs, Pages, Presets, Sensitivity, ShowPage, ShowTab, ToggleFold};
    Some(match context {
        Context::Browse => &[],
        Context::Pane => &[ToggleFold],
        Context::Methods => &[ShowTab(Tab::Methods), ToggleFold],
        Context::Map => &[ShowTab(Tab::Map), ToggleFold],
        Context::Block => &[ShowTab(Tab::Block), ToggleFold],
        Context::Page => &[Pages],
        Context::Values => &[Pages, ShowPage(Page::Metadata)],
        Context::Tokens => &[Pages, ShowPage(Page::Tokenizer)],
        Context::Templates => &[Pages, ShowPage(Page::Template)],
        Context::Problems => &[Pages, ShowPage(Page::Problems)],
        Context::Rules => &[Pages, ShowPage(Page::Recipe)],
        Context::Sensitivity => &[Sensitivity],
        Context::Budget => &[Budget],
        Context::Jobs => &[Jobs],
        Context::Presets => &[Presets],
        _ => return None,
    })
}

/// Gives the tree the keys, whatever had them.
fn to_tree(state: &mut State) {
    state.dialog = None;
    if let Some(session) = &mut state.session {
        session.screen = Screen::Tensors;
        session.pane.focused = false;
    }
    state.wants_changed = true;
}

/// Goes to where a command works and does it there; where that is not simple, says where it works.
fn elsewhere(state: &mut State, context: Context, action: Action) -> Vec<Effect> {
    let on_tensor = state.session.as_ref().is_some_and(|session| session.tree.selected_tensor().is_some());
    let (name, place) = (action.name(), context.title());
    let Some(route) = route(context) else {
        state.notify(Tone::Warning, format!("{name} works in: {place}"));
        return Vec::new();
    };
    if route.contains(&Action::ToggleFold) && !on_tensor {
        state.notify(Tone::Warning, format!("{name} works in: {place}, with the cursor on a tensor"));
        return Vec::new();
    }
    to_tree(state);
    let mut effects: Vec<Effect> = route.iter().flat_map(|step| super::act(state, *step)).collect();
    let there = Context::of(state);
    if there == context || there.falls_back_to() == Some(context) {
        effects.extend(super::act(state, action));
    } else {
        state.notify(Tone::Warning, format!("{name} works in: {place}"));
    }
    effects
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
        Verb::SaveReport => return super::report::save_to(state, argument),
        Verb::Sort => {
            to_tree(state);
            if let (Some(session), Some(sort)) = (&mut state.session, Sort::named(argument)) {
                let words = browse::sort_by(session, sort, state.now);
                state.notify(Tone::Info, words);
            }
        }
        Verb::Budget => {
            to_tree(state);
            decide::open_slider(state);
            if let Some(slider) = state.session.as_mut().and_then(|session| session.slider.as_mut()) {
                for sign in argument.chars() {
                    slider.type_in(TextEdit::Insert(sign));
                }
            }
        }
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
