//! Saving the recipe, and text that is pasted into whatever is typed.

use std::path::PathBuf;

use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::event::Saved;
use crate::tui::state::command::expand;
use crate::tui::state::dialog::{QuantizeField, SaveForm};
use crate::tui::state::input::TextInput;
use crate::tui::state::{Dialog, Screen, State, Tone};

use super::{opening, quantize, quit};

/// Opens the line that asks where the recipe goes.
pub(super) fn open_save(state: &mut State) -> Vec<Effect> {
    let Some(session) = &state.session else { return Vec::new() };
    let file = crate::tui::state::command::recipe_name(&session.model.path);
    let path = state.out_folder(&session.model.path).join(file);
    let text = crate::tui::state::command::shorten(&path, state.settings.home.as_deref());
    state.dialog = Some(Dialog::SaveRecipe(SaveForm { path: TextInput::proposal(text), exists: None, problem: None }));
    Vec::new()
}

pub(super) fn act_save(state: &mut State, action: Action) -> Vec<Effect> {
    let (home, folder) = (state.settings.home.clone(), state.settings.folder.clone());
    let (Some(Dialog::SaveRecipe(form)), Some(session)) = (&mut state.dialog, &state.session) else {
        return Vec::new();
    };
    match action {
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        Action::Accept => {
            if form.path.text().trim().is_empty() {
                form.problem = Some("the path names no file".to_owned());
                return Vec::new();
            }
            let path = folder.join(expand(form.path.text().trim(), home.as_deref()));
            let overwrite = form.exists.as_ref() == Some(&path);
            return vec![Effect::WriteRecipe { path, recipe: session.plan.spelled_out(&session.model), overwrite }];
        }
        Action::Edit(edit) if form.path.apply(edit) => {
            form.exists = None;
            form.problem = None;
        }
        _ => {}
    }
    Vec::new()
}

pub(super) fn recipe_written(state: &mut State, path: PathBuf, result: Saved) -> Vec<Effect> {
    let shown = crate::tui::state::command::shorten(&path, state.settings.home.as_deref());
    match (result, state.asking()) {
        (Saved::Written, asking) => {
            if matches!(asking, Some(Dialog::SaveRecipe(_))) {
                state.asked();
            }
            state.notify(Tone::Good, format!("recipe written to {shown}"));
        }
        (Saved::Exists, Some(Dialog::SaveRecipe(form))) => {
            form.problem = Some("the file exists: enter again replaces it".to_owned());
            form.exists = Some(path);
        }
        (Saved::Failed(why), Some(Dialog::SaveRecipe(form))) => form.problem = Some(why),
        (Saved::Failed(why), _) => state.notify(Tone::Error, why),
        (Saved::Exists, _) => {}
    }
    Vec::new()
}

/// Text from the clipboard goes where typed text would.
pub(super) fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    let (home, folder) = (state.settings.home.clone(), state.settings.folder.clone());
    let text = text.lines().next().unwrap_or("").trim();
    match (&mut state.dialog, &mut state.session) {
        (Some(Dialog::Quantize(form)), _) if form.field == QuantizeField::Path => {
            form.path.insert(text);
            quantize::path_changed(state)
        }
        (
            Some(
                Dialog::SaveRecipe(form)
                | Dialog::SaveReport(form)
                | Dialog::SaveChart(form)
                | Dialog::ReadRecipe(form),
            ),
            _,
        ) => {
            form.path.insert(text);
            form.exists = None;
            Vec::new()
        }
        (Some(Dialog::Picker(picker)), _) => {
            picker.input.insert(text);
            opening::typed(picker, home.as_deref(), &folder)
        }
        (Some(Dialog::Palette(palette)), _) => {
            palette.input.insert(text);
            super::palette::retype(state);
            Vec::new()
        }
        (Some(Dialog::Help(help)), _) if help.searching => {
            help.search.insert(text);
            Vec::new()
        }
        (None, Some(session)) if session.pages.is_typing() && session.screen == Screen::Model => {
            super::pages::paste(session, text);
            Vec::new()
        }
        (None, Some(session)) if session.filter.editing => {
            session.filter.input.insert(text);
            super::browse::filter_typed(session, state.now);
            state.wants_changed = true;
            Vec::new()
        }
        _ => Vec::new(),
    }
}
