//! Writing the report of the plan to a file.

use std::path::PathBuf;

use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::event::Saved;
use crate::tui::state::command::{expand, report_name, shorten};
use crate::tui::state::copying;
use crate::tui::state::dialog::SaveForm;
use crate::tui::state::input::TextInput;
use crate::tui::state::{Dialog, State, Tone};

use super::quit;

/// Opens the line that asks where the report goes.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let Some(session) = &state.session else {
        state.notify(Tone::Info, "nothing to report: no model is open");
        return Vec::new();
    };
    let source = &session.model.path;
    let path = state.out_folder(source).join(report_name(source));
    ask(state, shorten(&path, state.settings.home.as_deref()));
    Vec::new()
}

fn ask(state: &mut State, path: String) {
    state.dialog = Some(Dialog::SaveReport(SaveForm { path: TextInput::proposal(path), exists: None, problem: None }));
}

/// Writes it to the path that was given with the command; what is there already is asked about.
pub(super) fn save_to(state: &mut State, path: &str) -> Vec<Effect> {
    ask(state, path.to_owned());
    act(state, Action::Accept)
}

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let (home, folder) = (state.settings.home.clone(), state.settings.folder.clone());
    let (Some(Dialog::SaveReport(form)), Some(session)) = (&mut state.dialog, &state.session) else {
        return Vec::new();
    };
    match action {
        Action::Back => state.dialog = None,
        Action::Quit => return quit(state),
        Action::Accept => {
            let text = form.path.text().trim();
            if text.is_empty() || text.ends_with('/') {
                form.problem = Some("the path names no file".to_owned());
                return Vec::new();
            }
            let path = folder.join(expand(text, home.as_deref()));
            let overwrite = form.exists.as_ref() == Some(&path);
            return vec![Effect::WriteReport { path, report: Box::new(copying::report(session)), overwrite }];
        }
        Action::Edit(edit) if form.path.apply(edit) => {
            form.exists = None;
            form.problem = None;
        }
        _ => {}
    }
    Vec::new()
}

pub(super) fn written(state: &mut State, path: PathBuf, result: Saved) -> Vec<Effect> {
    let shown = shorten(&path, state.settings.home.as_deref());
    match (result, state.asking()) {
        (Saved::Written, asking) => {
            if matches!(asking, Some(Dialog::SaveReport(_))) {
                state.asked();
            }
            state.notify(Tone::Good, format!("report written to {shown}"));
        }
        (Saved::Exists, Some(Dialog::SaveReport(form))) => {
            form.problem = Some("the file exists: enter again replaces it".to_owned());
            form.exists = Some(path);
        }
        (Saved::Failed(why), Some(Dialog::SaveReport(form))) => form.problem = Some(why),
        (Saved::Failed(why), _) => state.notify(Tone::Error, why),
        (Saved::Exists, _) => {}
    }
    Vec::new()
}
