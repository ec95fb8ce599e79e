//! Keys of what lies over the main screen.

use crossterm::event::KeyCode as K;

use super::{Binding, Context as C, ch, ctrl, key, on};
use crate::tui::action::Action;
use crate::tui::state::input::TextEdit;

/// Within a context the order is that of hints and help.
pub(super) static BINDINGS: &[Binding] = &[
    on(C::Reading, &[key(K::Up), ch('k')], "↑ k", Action::Up).hint("up"),
    on(C::Reading, &[key(K::Down), ch('j')], "↓ j", Action::Down).hint("down"),
    on(C::Reading, &[key(K::PageUp), ch('b')], "pgup b", Action::PageUp),
    on(C::Reading, &[key(K::PageDown), ch(' ')], "pgdn space", Action::PageDown),
    on(C::Reading, &[key(K::Home), ch('g')], "home g", Action::Top),
    on(C::Reading, &[key(K::End), ch('G')], "end G", Action::Bottom),
    on(C::Reading, &[key(K::Esc), ch('q'), ch('?'), ch('n'), key(K::Enter)], "esc q", Action::Back).hint("close"),
    on(C::Reading, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::Jobs, &[key(K::Up), ch('k')], "↑ k", Action::Up).hint("up"),
    on(C::Jobs, &[key(K::Down), ch('j')], "↓ j", Action::Down).hint("down"),
    on(C::Jobs, &[ch('c'), ch('x')], "c x", Action::CancelJob).hint("cancel"),
    on(C::Jobs, &[ch('C')], "C", Action::CompareResult).hint("compare with the source"),
    on(C::Jobs, &[key(K::Enter), ch('y')], "enter y", Action::Accept),
    on(C::Jobs, &[key(K::Esc), ch('q'), ch('J'), ch('n')], "esc q", Action::Back).hint("close"),
    on(C::Jobs, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::Quantize, &[key(K::Enter)], "enter", Action::Accept).hint("start"),
    on(C::Quantize, &[key(K::Tab), key(K::Down)], "tab ↓", Action::NextField).hint("field"),
    on(C::Quantize, &[key(K::BackTab), key(K::Up)], "shift-tab ↑", Action::PreviousField),
    on(C::Quantize, &[key(K::Right)], "→ space", Action::NextValue).hint("change"),
    on(C::Quantize, &[key(K::Left)], "←", Action::PreviousValue),
    on(C::Quantize, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::Quantize, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
    on(C::Quantize, &[key(K::Esc)], "esc", Action::Back).hint("close"),
    on(C::Quantize, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::SaveRecipe, &[key(K::Enter)], "enter", Action::Accept).hint("write"),
    on(C::SaveRecipe, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::SaveRecipe, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
    on(C::SaveRecipe, &[key(K::Esc)], "esc", Action::Back).hint("close"),
    on(C::SaveRecipe, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::Quit, &[ch('w'), key(K::Enter)], "w enter", Action::QuitWhenDone).hint("wait, then quit"),
    on(C::Quit, &[ch('c'), ctrl('c')], "c", Action::CancelAndQuit).hint("cancel and quit"),
    on(C::Quit, &[key(K::Esc), ch('s'), ch('q'), ch('n')], "s esc", Action::Back).hint("stay"),
    on(C::Picker, &[key(K::Enter)], "enter", Action::Accept).hint("open"),
    on(C::Picker, &[key(K::Up), ctrl('p')], "↑", Action::Up),
    on(C::Picker, &[key(K::Down), ctrl('n')], "↓", Action::Down).hint("choose"),
    on(C::Picker, &[key(K::PageUp)], "pgup", Action::PageUp),
    on(C::Picker, &[key(K::PageDown)], "pgdn", Action::PageDown),
    on(C::Picker, &[key(K::Tab), key(K::Right)], "tab →", Action::NextField).hint("complete"),
    on(C::Picker, &[key(K::Left), key(K::BackTab)], "←", Action::Fold).hint("folder above"),
    on(C::Picker, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::Picker, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
    on(C::Picker, &[key(K::Esc)], "esc", Action::Back).hint("close"),
    on(C::Picker, &[ctrl('c')], "ctrl-c", Action::Quit).hint("quit"),
    on(C::Failure, &[key(K::Enter), ch('o')], "enter o", Action::Open).hint("open another file"),
    on(C::Failure, &[key(K::Esc)], "esc", Action::Back).hint("close"),
    on(C::Failure, &[ch('q'), ctrl('c')], "q ctrl-c", Action::Quit).hint("quit"),
];
