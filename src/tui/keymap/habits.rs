//! Keys of what works everywhere, of the palette, of the copy menu and of help.

use crossterm::event::KeyCode as K;

use super::{Binding, Context as C, alt_key, ch, ctrl, ctrl_key, key, on};
use crate::tui::action::Action;
use crate::tui::state::copying::Copying;
use crate::tui::state::input::TextEdit;

/// Within a context the order is that of hints and help.
pub(super) static BINDINGS: &[Binding] = &[
    on(C::Browse, &[ch('y')], "y", Action::CopyMenu),
    on(C::Browse, &[ch('T')], "T", Action::NextTheme),
    on(C::Browse, &[ch('X')], "X", Action::ToggleMouse),
    on(C::Browse, &[ctrl_key(K::Left), alt_key(K::Left)], "ctrl-← alt-←", Action::NarrowTree),
    on(C::Browse, &[ctrl_key(K::Right), alt_key(K::Right)], "ctrl-→ alt-→", Action::WidenTree),
    on(C::Browse, &[ch('K')], "K", Action::SkipTour),
    on(C::Browse, &[], "", Action::Tour),
    on(C::Browse, &[], "", Action::ToggleAscii),
    on(C::Browse, &[], "", Action::Copy(Copying::Name)),
    on(C::Browse, &[], "", Action::Copy(Copying::Row)),
    on(C::Browse, &[], "", Action::Copy(Copying::Command)),
    on(C::Browse, &[], "", Action::Copy(Copying::Recipe)),
    on(C::Browse, &[], "", Action::Copy(Copying::Json)),
    on(C::Browse, &[], "", Action::Copy(Copying::Markdown)),
    on(C::Browse, &[], "", Action::SaveReport),
    on(C::Palette, &[key(K::Enter)], "enter", Action::Accept).hint("run"),
    on(C::Palette, &[key(K::Tab), key(K::Right)], "tab →", Action::NextField).hint("complete"),
    on(C::Palette, &[key(K::Up), ctrl('p'), key(K::BackTab)], "↑ ctrl-p", Action::Up),
    on(C::Palette, &[key(K::Down), ctrl('n')], "↓ ctrl-n", Action::Down).hint("choose"),
    on(C::Palette, &[key(K::PageUp)], "pgup", Action::PageUp),
    on(C::Palette, &[key(K::PageDown)], "pgdn", Action::PageDown),
    on(C::Palette, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::Palette, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
    on(C::Palette, &[key(K::Esc), ctrl('c')], "esc", Action::Back).hint("close"),
    on(C::Copy, &[ch('n')], "n", Action::Copy(Copying::Name)),
    on(C::Copy, &[ch('r')], "r", Action::Copy(Copying::Row)),
    on(C::Copy, &[ch('c')], "c", Action::Copy(Copying::Command)),
    on(C::Copy, &[ch('t')], "t", Action::Copy(Copying::Recipe)),
    on(C::Copy, &[ch('j')], "j", Action::Copy(Copying::Json)),
    on(C::Copy, &[ch('m')], "m", Action::Copy(Copying::Markdown)),
    on(C::Copy, &[ch('w')], "w", Action::SaveReport),
    on(C::Copy, &[key(K::Up)], "↑", Action::Up),
    on(C::Copy, &[key(K::Down)], "↓", Action::Down).hint("choose"),
    on(C::Copy, &[key(K::Enter)], "enter", Action::Accept).hint("copy"),
    on(C::Copy, &[key(K::Esc), ch('q'), ch('y')], "esc q", Action::Back).hint("close"),
    on(C::Copy, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::Help, &[ch('/')], "/", Action::Search).hint("search"),
    on(C::Help, &[key(K::Up), ch('k')], "↑ k", Action::Up).hint("up"),
    on(C::Help, &[key(K::Down), ch('j')], "↓ j", Action::Down).hint("down"),
    on(C::Help, &[key(K::PageUp), ch('b')], "pgup b", Action::PageUp),
    on(C::Help, &[key(K::PageDown), ch(' ')], "pgdn space", Action::PageDown),
    on(C::Help, &[key(K::Home), ch('g')], "home g", Action::Top),
    on(C::Help, &[key(K::End), ch('G')], "end G", Action::Bottom),
    on(C::Help, &[key(K::Esc), ch('q'), ch('?'), key(K::Enter)], "esc q", Action::Back).hint("close"),
    on(C::Help, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::HelpSearch, &[key(K::Enter)], "enter", Action::Accept).hint("keep it"),
    on(C::HelpSearch, &[key(K::Up)], "↑", Action::Up),
    on(C::HelpSearch, &[key(K::Down)], "↓", Action::Down),
    on(C::HelpSearch, &[key(K::PageUp)], "pgup", Action::PageUp),
    on(C::HelpSearch, &[key(K::PageDown)], "pgdn", Action::PageDown),
    on(C::HelpSearch, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::HelpSearch, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
    on(C::HelpSearch, &[key(K::Esc), ctrl('c')], "esc", Action::Back).hint("clear it"),
];

/// What holds in many contexts, unless one of them has another meaning for the key.
pub(super) struct Everywhere {
    pub keys: &'static [super::Key],
    pub shown: &'static str,
    pub action: Action,
    pub hint: Option<&'static str>,
    /// Where it holds.
    pub holds: fn(C) -> bool,
}

pub(super) static EVERYWHERE: &[Everywhere] = &[
    everywhere(&[ch(':')], ":", Action::Palette, Some("commands"), |c| !c.types() && !c.asks()),
    everywhere(&[ch('J')], "J", Action::Jobs, None, |c| !c.types() && !c.asks()),
    everywhere(&[ch('N')], "N", Action::Messages, None, |c| !c.types() && !c.asks()),
    everywhere(&[ch('?'), key(K::F(1))], "? f1", Action::Help, Some("help"), |c| !c.types_words() && !c.is_help()),
    everywhere(&[key(K::F(1))], "f1", Action::Help, Some("help"), |c| c.types_words() && !c.is_help()),
    everywhere(&[ctrl('l')], "ctrl-l", Action::Redraw, None, |_| true),
];

const fn everywhere(
    keys: &'static [super::Key],
    shown: &'static str,
    action: Action,
    hint: Option<&'static str>,
    holds: fn(C) -> bool,
) -> Everywhere {
    Everywhere { keys, shown, action, hint, holds }
}
