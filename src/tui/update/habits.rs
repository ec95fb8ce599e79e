//! What works everywhere: the palette, the copy menu, colours, the mouse's switch, the splitter.

use crate::text;
use crate::tui::action::Action;
use crate::tui::background::Background;
use crate::tui::effect::Effect;
use crate::tui::state::appearance::ThemeName;
use crate::tui::state::copying::{CopyMenu, Copying};
use crate::tui::state::dialog::JobsDialog;
use crate::tui::state::session::Split;
use crate::tui::state::{Dialog, State, Tone};

use super::{palette, reading};

/// Does an action that means the same in every context; `None` if it does not.
pub(super) fn act(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::Palette => palette::open(state),
        Action::Tour => super::tour::begin(state),
        Action::SkipTour => return Some(super::tour::skip(state)),
        Action::Help => reading::open_help(state),
        Action::Messages => reading::open_messages(state),
        Action::CopyMenu => open_copy(state),
        Action::Copy(what) => return Some(copy(state, what)),
        Action::SaveReport => return Some(super::report::open(state)),
        Action::Jobs => {
            state.jobs.unseen = 0;
            state.dialog = Some(Dialog::Jobs(JobsDialog::default()));
        }
        Action::NextTheme => set_theme(state, state.appearance.theme.next()),
        Action::ToggleMouse => return Some(set_mouse(state, !state.appearance.mouse)),
        Action::Redraw => return Some(vec![Effect::Redraw]),
        Action::ToggleAscii => set_ascii(state, !state.appearance.ascii),
        Action::NarrowTree | Action::WidenTree => move_splitter(state, action == Action::WidenTree),
        _ => return None,
    }
    Some(Vec::new())
}

/// The terminal has told its background, later than it might have.
pub(super) fn background(state: &mut State, background: Background) {
    if state.settings.auto_theme {
        state.appearance.theme = ThemeName::suiting(background);
    }
}

pub(super) fn set_theme(state: &mut State, theme: ThemeName) {
    // Who chooses does not want another one.
    state.settings.auto_theme = false;
    state.appearance.theme = theme;
    state.notify(Tone::Info, format!("theme {}", theme.name()));
}

pub(super) fn set_ascii(state: &mut State, ascii: bool) {
    state.appearance.ascii = ascii;
    state.notify(Tone::Info, if ascii { "drawing in ASCII" } else { "drawing with lines and blocks" });
}

pub(super) fn set_mouse(state: &mut State, mouse: bool) -> Vec<Effect> {
    state.appearance.mouse = mouse;
    let text = if mouse { "the mouse is tritscope's" } else { "the mouse is the terminal's: it selects text" };
    state.notify(Tone::Info, text);
    vec![Effect::SetMouse(mouse)]
}

fn move_splitter(state: &mut State, wider: bool) {
    if let Some(session) = &mut state.session {
        session.split = session.split.step(wider, state.geometry.splitter, state.size.0);
    }
}

/// Puts the splitter into a column.
pub(super) fn drag_splitter(state: &mut State, column: u16) {
    if let Some(session) = &mut state.session {
        session.split = Split::at(column, state.size.0);
    }
}

fn open_copy(state: &mut State) {
    if state.session.is_some() {
        state.dialog = Some(Dialog::Copy(CopyMenu::default()));
    } else {
        state.notify(Tone::Info, "nothing to copy: no model is open");
    }
}

/// The keys of the menu.
pub(super) fn act_copy(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Dialog::Copy(menu)) = &mut state.dialog else { return Vec::new() };
    let last = CopyMenu::LINES - 1;
    match action {
        Action::Up => menu.cursor = menu.cursor.saturating_sub(1),
        Action::Down => menu.cursor = (menu.cursor + 1).min(last),
        Action::Top => menu.cursor = 0,
        Action::Bottom => menu.cursor = last,
        Action::Accept => {
            let (chosen, _) = CopyMenu::line(menu.cursor);
            return super::act(state, chosen);
        }
        Action::Quit => return super::quit(state),
        Action::Back => state.dialog = None,
        _ => {}
    }
    Vec::new()
}

/// Hands text to the terminal's clipboard and says what it was.
fn copy(state: &mut State, what: Copying) -> Vec<Effect> {
    if matches!(state.dialog, Some(Dialog::Copy(_))) {
        state.dialog = None;
    }
    match what.text(state) {
        Ok(text) => {
            let (bytes, lines) = (text::bytes(text.len() as u64), text.lines().count());
            let lines = if lines == 1 { String::new() } else { format!(", {lines} lines") };
            // Nothing tells whether it arrives.
            // What it needs is told the first time.
            let condition =
                state.settings.multiplexer.take().map_or_else(String::new, |m| format!(" · needs {}", m.condition()));
            let words = format!("{} sent to the terminal's clipboard: {bytes}{lines}{condition}", what.title());
            state.notify(Tone::Good, words);
            vec![Effect::Copy(text)]
        }
        Err(why) => {
            state.notify(Tone::Warning, why);
            Vec::new()
        }
    }
}
