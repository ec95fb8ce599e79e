//! Keys of the tensors' screen: the tree, its filter.

use crossterm::event::KeyCode as K;

use super::{Binding, Context as C, ch, ctrl, key, on};
use crate::tui::action::Action;
use crate::tui::state::Tab;
use crate::tui::state::input::TextEdit;

/// Within a context the order is that of hints and help.
pub(super) static BINDINGS: &[Binding] = &[
    on(C::Browse, &[ch(' ')], "space", Action::ToggleTernary).hint("ternary"),
    on(C::Browse, &[ch('m')], "m", Action::NextMethod).hint("method"),
    on(C::Browse, &[ch('M')], "M", Action::PreviousMethod),
    on(C::Browse, &[ch('f')], "f", Action::NextFormat).hint("format"),
    on(C::Browse, &[ch('F')], "F", Action::PreviousFormat),
    on(C::Browse, &[ch('L')], "L", Action::CycleMask).hint("mask"),
    on(C::Browse, &[ch('Q')], "Q", Action::Quantize).hint("quantize"),
    on(C::Browse, &[ch('/')], "/", Action::Filter).hint("filter"),
    on(C::Browse, &[ch('u')], "u", Action::Undo).hint("undo"),
    on(C::Browse, &[ctrl('r')], "ctrl-r", Action::Redo),
    on(C::Browse, &[key(K::Up), ch('k')], "↑ k", Action::Up),
    on(C::Browse, &[key(K::Down), ch('j')], "↓ j", Action::Down),
    on(C::Browse, &[key(K::Left), ch('h')], "← h", Action::Fold),
    on(C::Browse, &[key(K::Right), ch('l')], "→ l", Action::Unfold),
    on(C::Browse, &[key(K::Enter)], "enter", Action::ToggleFold),
    on(C::Browse, &[ch('-')], "-", Action::FoldAll),
    on(C::Browse, &[ch('+'), ch('=')], "+", Action::UnfoldAll),
    on(C::Browse, &[ch('r')], "r", Action::Regroup).hint("by role"),
    on(C::Browse, &[ch('>')], ">", Action::NextSort).hint("sort"),
    on(C::Browse, &[ch('<')], "<", Action::PreviousSort),
    on(C::Browse, &[ch('\\')], "\\", Action::ReverseSort),
    on(C::Browse, &[key(K::PageUp), ctrl('b')], "pgup", Action::PageUp),
    on(C::Browse, &[key(K::PageDown), ctrl('f')], "pgdn", Action::PageDown),
    on(C::Browse, &[key(K::Home), ch('g')], "home g", Action::Top),
    on(C::Browse, &[key(K::End), ch('G')], "end G", Action::Bottom),
    on(C::Browse, &[key(K::Tab)], "tab", Action::NextTab),
    on(C::Browse, &[key(K::BackTab)], "shift-tab", Action::PreviousTab),
    on(C::Browse, &[ch('1')], "1", Action::ShowTab(Tab::Overview)),
    on(C::Browse, &[ch('2')], "2", Action::ShowTab(Tab::Scales)),
    on(C::Browse, &[ch('3')], "3", Action::ShowTab(Tab::Weights)),
    on(C::Browse, &[ch('4')], "4", Action::ShowTab(Tab::Methods)),
    on(C::Browse, &[ch('x')], "x", Action::ToggleLogAxis),
    on(C::Browse, &[ch('e')], "e", Action::MeasureExactly).hint("exact"),
    on(C::Browse, &[ch('J')], "J", Action::Jobs).hint("jobs"),
    on(C::Browse, &[ch('n')], "n", Action::Notes).hint("notes"),
    on(C::Browse, &[ch('s')], "s", Action::SaveRecipe).hint("save recipe"),
    on(C::Browse, &[ch('o')], "o", Action::Open).hint("open"),
    on(C::Browse, &[key(K::Esc)], "esc", Action::Back),
    on(C::Browse, &[ch('?'), key(K::F(1))], "?", Action::Help).hint("help"),
    on(C::Browse, &[ch('q'), ctrl('c')], "q ctrl-c", Action::Quit).hint("quit"),
    on(C::Filter, &[key(K::Enter)], "enter", Action::Accept).hint("keep the filter"),
    on(C::Filter, &[key(K::Esc), ctrl('c')], "esc", Action::Back).hint("clear it"),
    on(C::Filter, &[key(K::Tab)], "tab", Action::Complete).hint("complete"),
    on(C::Filter, &[key(K::Up)], "↑", Action::Up),
    on(C::Filter, &[key(K::Down)], "↓", Action::Down),
    on(C::Filter, &[key(K::PageUp)], "pgup", Action::PageUp),
    on(C::Filter, &[key(K::PageDown)], "pgdn", Action::PageDown),
    on(C::Filter, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::Filter, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
];
