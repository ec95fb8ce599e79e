//! Keys of what helps to decide: the budget slider, sensitivity, a second model beside this one.

use crossterm::event::{KeyCode as K, KeyModifiers};

use super::{Binding, Context as C, Key, ch, ctrl, key, on};
use crate::tui::action::Action;
use crate::tui::state::compare::Show;
use crate::tui::state::input::TextEdit;
use crate::tui::state::slider::Slide;

const fn shift(code: K) -> Key {
    (KeyModifiers::SHIFT, code)
}

/// Within a context the order is that of hints and help.
pub(super) static BINDINGS: &[Binding] = &[
    on(C::Budget, &[key(K::Left), ch('h'), ch('-')], "← h", Action::Slide(Slide::Smaller)).hint("smaller"),
    on(C::Budget, &[key(K::Right), ch('l'), ch('+')], "→ l", Action::Slide(Slide::Larger)).hint("larger"),
    on(C::Budget, &[shift(K::Left), ch('H')], "shift-← H", Action::Slide(Slide::MuchSmaller)),
    on(C::Budget, &[shift(K::Right), ch('L')], "shift-→ L", Action::Slide(Slide::MuchLarger)),
    on(C::Budget, &[ch('<')], "<", Action::Slide(Slide::OneMore)),
    on(C::Budget, &[ch('>')], ">", Action::Slide(Slide::OneFewer)),
    on(C::Budget, &[key(K::Home)], "home", Action::Slide(Slide::Least)),
    on(C::Budget, &[key(K::End)], "end", Action::Slide(Slide::Most)),
    on(C::Budget, &[key(K::Enter)], "enter", Action::Accept).hint("accept"),
    on(C::Budget, &[key(K::Tab), ch('u')], "tab u", Action::SwitchUnit).hint("MiB/bpw"),
    on(C::Budget, &[ch('x')], "x", Action::SetRulesAside),
    on(C::Budget, &[key(K::Up), ch('k')], "↑ k", Action::Up),
    on(C::Budget, &[key(K::Down), ch('j')], "↓ j", Action::Down),
    on(C::Budget, &[key(K::PageUp)], "pgup", Action::PageUp),
    on(C::Budget, &[key(K::PageDown)], "pgdn", Action::PageDown),
    on(C::Budget, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
    on(C::Budget, &[key(K::Esc), ch('q')], "esc q", Action::Back).hint("leave all as it was"),
    on(C::Budget, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::Sensitivity, &[key(K::Up), ch('k')], "↑ k", Action::Up).hint("role"),
    on(C::Sensitivity, &[key(K::Down), ch('j')], "↓ j", Action::Down),
    on(C::Sensitivity, &[key(K::Left), ch('h')], "← h", Action::Fold).hint("layer"),
    on(C::Sensitivity, &[key(K::Right), ch('l')], "→ l", Action::Unfold),
    on(C::Sensitivity, &[key(K::Home), ch('g')], "home g", Action::Top),
    on(C::Sensitivity, &[key(K::End), ch('G')], "end G", Action::Bottom),
    on(C::Sensitivity, &[key(K::PageUp)], "pgup", Action::PageUp),
    on(C::Sensitivity, &[key(K::PageDown)], "pgdn", Action::PageDown),
    on(C::Sensitivity, &[ch('w'), ch('x')], "w x", Action::Worst).hint("worst"),
    on(C::Sensitivity, &[key(K::Enter)], "enter", Action::GoToTensor).hint("to the tensor"),
    on(C::Sensitivity, &[key(K::Esc), ch('S')], "esc S", Action::Back).hint("back"),
    on(C::Sensitivity, &[ch('v')], "v", Action::NextMeasure).hint("measure"),
    on(C::Sensitivity, &[ch(' ')], "space", Action::ToggleTernary).hint("ternary"),
    on(C::Sensitivity, &[ch('m')], "m", Action::NextMethod).hint("method"),
    on(C::Sensitivity, &[ch('M')], "M", Action::PreviousMethod),
    on(C::Sensitivity, &[ch('u')], "u", Action::Undo),
    on(C::Sensitivity, &[ctrl('r')], "ctrl-r", Action::Redo),
    on(C::Sensitivity, &[ch('e')], "e", Action::MeasureExactly).hint("exact"),
    on(C::Sensitivity, &[ch('W')], "W", Action::WriteChart).hint("write chart"),
    on(C::Sensitivity, &[ch('?'), key(K::F(1))], "?", Action::Help).hint("help"),
    on(C::Sensitivity, &[ch('q'), ctrl('c')], "q ctrl-c", Action::Quit).hint("quit"),
    on(C::SaveChart, &[key(K::Enter)], "enter", Action::Accept).hint("write"),
    on(C::SaveChart, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::SaveChart, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
    on(C::SaveChart, &[key(K::Esc)], "esc", Action::Back).hint("close"),
    on(C::SaveChart, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::Compare, &[key(K::Up), ch('k')], "↑ k", Action::Up),
    on(C::Compare, &[key(K::Down), ch('j')], "↓ j", Action::Down),
    on(C::Compare, &[key(K::PageUp), ctrl('b')], "pgup", Action::PageUp),
    on(C::Compare, &[key(K::PageDown), ctrl('f')], "pgdn", Action::PageDown),
    on(C::Compare, &[key(K::Home), ch('g')], "home g", Action::Top),
    on(C::Compare, &[key(K::End), ch('G')], "end G", Action::Bottom),
    on(C::Compare, &[ch('a')], "a", Action::ShowPairs(Show::All)).hint("all"),
    on(C::Compare, &[ch('d')], "d", Action::ShowPairs(Show::Differ)).hint("differ"),
    on(C::Compare, &[ch('e')], "e", Action::ShowPairs(Show::Equal)).hint("equal"),
    on(C::Compare, &[ch('m')], "m", Action::ShowPairs(Show::Missing)).hint("missing"),
    on(C::Compare, &[ch('t')], "t", Action::ShowPairs(Show::Type)).hint("type"),
    on(C::Compare, &[ch('s')], "s", Action::SortPairs).hint("sort"),
    on(C::Compare, &[key(K::Enter)], "enter", Action::GoToTensor).hint("to the tensor"),
    on(C::Compare, &[ch('C'), ch('o')], "C o", Action::Compare).hint("another"),
    on(C::Compare, &[key(K::Esc)], "esc", Action::Back).hint("back"),
    on(C::Compare, &[ch('?'), key(K::F(1))], "?", Action::Help).hint("help"),
    on(C::Compare, &[ch('q'), ctrl('c')], "q ctrl-c", Action::Quit).hint("quit"),
];
