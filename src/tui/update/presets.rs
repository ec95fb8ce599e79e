//! The menu of presets, and the line that asks for a recipe file.

use std::path::Path;

use super::{plan, quit};
use crate::engine::plan::Recipe;
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::state::command::{expand, recipe_name, shorten};
use crate::tui::state::dialog::SaveForm;
use crate::tui::state::edit::Outcome;
use crate::tui::state::input::TextInput;
use crate::tui::state::presets::{Preset, PresetMenu, taken_over};
use crate::tui::state::{Dialog, State};

pub(super) fn open(state: &mut State) {
    let Some(session) = &state.session else { return };
    state.dialog = Some(Dialog::Presets(PresetMenu::new(&session.model, session.plan.live())));
}

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Dialog::Presets(menu)) = &mut state.dialog else { return Vec::new() };
    match action {
        Action::Up => menu.step(-1),
        Action::Down => menu.step(1),
        Action::Top => menu.cursor = 0,
        Action::Bottom => menu.cursor = menu.offers.len().saturating_sub(1),
        Action::Accept => {
            if let Some((preset, _)) = menu.offers.get(menu.cursor) {
                let preset = *preset;
                take(state, preset);
            }
        }
        Action::TakePreset(preset) => take(state, preset),
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        _ => {}
    }
    Vec::new()
}

/// Makes a preset the plan, or asks for the file that says it.
pub(super) fn take(state: &mut State, preset: Preset) {
    let Some(session) = &state.session else { return };
    if let Some(recipe) = preset.recipe(&session.model, session.plan.recipe()) {
        state.dialog = None;
        plan::take(state, Outcome::Changed(format!("preset {}", preset.title()), recipe));
        return;
    }
    let path = state.out_folder(&session.model.path).join(recipe_name(&session.model.path));
    let text = shorten(&path, state.settings.home.as_deref());
    state.dialog = Some(Dialog::ReadRecipe(SaveForm { path: TextInput::proposal(text), exists: None, problem: None }));
}

pub(super) fn act_file(state: &mut State, action: Action) -> Vec<Effect> {
    let (home, folder) = (state.settings.home.clone(), state.settings.folder.clone());
    let Some(Dialog::ReadRecipe(form)) = &mut state.dialog else { return Vec::new() };
    match action {
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        Action::Accept if form.path.text().trim().is_empty() => {
            form.problem = Some("the path names no file".to_owned());
        }
        Action::Accept => {
            return vec![Effect::ReadRecipe(folder.join(expand(form.path.text().trim(), home.as_deref())))];
        }
        Action::Edit(edit) if form.path.apply(edit) => form.problem = None,
        _ => {}
    }
    Vec::new()
}

/// A recipe file was read, or not.
pub(super) fn read(state: &mut State, path: &Path, result: Result<Box<Recipe>, String>) -> Vec<Effect> {
    let Some(Dialog::ReadRecipe(form)) = state.asking() else { return Vec::new() };
    let recipe = match result {
        Ok(recipe) => recipe,
        Err(why) => {
            form.problem = Some(why);
            return Vec::new();
        }
    };
    match &state.session {
        Some(session) => {
            let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let other_matrix = recipe.imatrix.is_some() && recipe.imatrix != session.plan.recipe().imatrix;
            let beside = if other_matrix { " (its importance matrix takes --recipe at the start)" } else { "" };
            let next = taken_over(*recipe, session.plan.recipe());
            let name = format!("recipe {}{beside}", crate::text::escape(&name));
            state.asked();
            plan::take(state, Outcome::Changed(name, next));
        }
        None => state.asked(),
    }
    Vec::new()
}
