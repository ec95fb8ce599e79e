//! Keys of the preview pane while it has them. What a tab has no key of its own for is looked up under `Pane`.

use crossterm::event::KeyCode as K;

use super::{Binding, Context as C, ch, ctrl, key, on};
use crate::tui::action::{Action, PaneAction as P};
use crate::tui::state::Tab;
use crate::tui::state::apply::Scope;
use crate::tui::state::input::TextEdit;

const fn p(action: P) -> Action {
    Action::Pane(action)
}

/// Within a context the order is that of hints and help.
pub(super) static BINDINGS: &[Binding] = &[
    on(C::Methods, &[key(K::Enter)], "enter", p(P::Enter)).hint("apply"),
    on(C::Methods, &[ch('v')], "v", p(P::NextFigure)).hint("figure"),
    on(C::Methods, &[key(K::Left), ch('h')], "← h", p(P::Left)).hint("group"),
    on(C::Methods, &[key(K::Right), ch('l')], "→ l", p(P::Right)),
    on(C::Methods, &[key(K::Up), ch('k')], "↑ k", Action::Up).hint("method"),
    on(C::Methods, &[key(K::Down), ch('j')], "↓ j", Action::Down),
    on(C::Map, &[key(K::Enter)], "enter", p(P::Enter)).hint("block"),
    on(C::Map, &[ch('w')], "w", p(P::Worst)).hint("worst"),
    on(C::Map, &[ch('v')], "v", p(P::NextFigure)).hint("figure"),
    on(C::Map, &[ch('+'), ch('=')], "+", p(P::ZoomIn)).hint("zoom"),
    on(C::Map, &[ch('-')], "-", p(P::ZoomOut)),
    on(C::Map, &[ch('0')], "0", p(P::Whole)).hint("whole"),
    on(C::Map, &[ch('x')], "x", p(P::Experts)).hint("experts"),
    on(C::Map, &[ch('d')], "d", p(P::Signs)).hint("signs"),
    on(C::Map, &[ch('g'), ch('/')], "g", p(P::Goto)).hint("go to"),
    on(C::Map, &[key(K::Left), ch('h')], "← h", p(P::Left)),
    on(C::Map, &[key(K::Right), ch('l')], "→ l", p(P::Right)),
    on(C::Map, &[key(K::Up), ch('k')], "↑ k", Action::Up),
    on(C::Map, &[key(K::Down), ch('j')], "↓ j", Action::Down),
    on(C::Map, &[key(K::PageUp)], "pgup", Action::PageUp),
    on(C::Map, &[key(K::PageDown)], "pgdn", Action::PageDown),
    on(C::Map, &[key(K::Home)], "home", Action::Top),
    on(C::Map, &[key(K::End), ch('G')], "end G", Action::Bottom),
    on(C::Block, &[key(K::Left), ch('h')], "← h", p(P::Left)).hint("block"),
    on(C::Block, &[key(K::Right), ch('l')], "→ l", p(P::Right)),
    on(C::Block, &[key(K::Up), ch('k')], "↑ k", Action::Up).hint("row"),
    on(C::Block, &[key(K::Down), ch('j')], "↓ j", Action::Down),
    on(C::Block, &[ch('g'), ch('/')], "g", p(P::Goto)).hint("go to"),
    on(C::Block, &[ch('w')], "w", p(P::Worst)).hint("worst"),
    on(C::Block, &[ch('v')], "v", p(P::Bytes)).hint("bytes"),
    on(C::Goto, &[key(K::Enter)], "enter", Action::Accept).hint("go"),
    on(C::Goto, &[key(K::Esc), ctrl('c')], "esc", Action::Back).hint("stay"),
    on(C::Goto, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::Goto, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
    on(C::Apply, &[ch('t'), key(K::Enter)], "t enter", p(P::Apply(Scope::Tensor))).hint("the tensor"),
    on(C::Apply, &[ch('r')], "r", p(P::Apply(Scope::Role))).hint("its role"),
    on(C::Apply, &[ch('m')], "m", p(P::Apply(Scope::Model))).hint("the model"),
    on(C::Apply, &[key(K::Esc), ch('q'), ch('n')], "esc", Action::Back).hint("no"),
    on(C::Apply, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::Pane, &[key(K::Esc)], "esc", Action::Back).hint("tree"),
    on(C::Pane, &[key(K::Up), ch('k')], "↑ k", Action::Up),
    on(C::Pane, &[key(K::Down), ch('j')], "↓ j", Action::Down),
    on(C::Pane, &[key(K::PageUp)], "pgup", Action::PageUp),
    on(C::Pane, &[key(K::PageDown)], "pgdn", Action::PageDown),
    on(C::Pane, &[key(K::Home)], "home", Action::Top),
    on(C::Pane, &[key(K::End), ch('G')], "end G", Action::Bottom),
    on(C::Pane, &[key(K::Tab)], "tab", Action::NextTab),
    on(C::Pane, &[key(K::BackTab)], "shift-tab", Action::PreviousTab),
    on(C::Pane, &[ch('1')], "1", Action::ShowTab(Tab::Overview)),
    on(C::Pane, &[ch('2')], "2", Action::ShowTab(Tab::Scales)),
    on(C::Pane, &[ch('3')], "3", Action::ShowTab(Tab::Weights)),
    on(C::Pane, &[ch('4')], "4", Action::ShowTab(Tab::Methods)),
    on(C::Pane, &[ch('5')], "5", Action::ShowTab(Tab::Map)),
    on(C::Pane, &[ch('6')], "6", Action::ShowTab(Tab::Block)),
    on(C::Pane, &[ch('7')], "7", Action::ShowTab(Tab::Trits)),
    on(C::Pane, &[ch('8')], "8", Action::ShowTab(Tab::Info)),
    on(C::Pane, &[ch('m')], "m", Action::NextMethod).hint("method"),
    on(C::Pane, &[ch('M')], "M", Action::PreviousMethod),
    on(C::Pane, &[ch('f')], "f", Action::NextFormat).hint("format"),
    on(C::Pane, &[ch('F')], "F", Action::PreviousFormat),
    on(C::Pane, &[ch('x')], "x", Action::ToggleLogAxis).hint("log"),
    on(C::Pane, &[ch('b')], "b", p(P::Overlay)).hint("overlay"),
    on(C::Pane, &[ch('[')], "[", p(P::FewerBins)).hint("bins"),
    on(C::Pane, &[ch(']')], "]", p(P::MoreBins)),
    on(C::Pane, &[ch('e')], "e", Action::MeasureExactly),
    on(C::Pane, &[ch('u')], "u", Action::Undo).hint("undo"),
    on(C::Pane, &[ctrl('r')], "ctrl-r", Action::Redo),
    on(C::Pane, &[ch('?'), key(K::F(1))], "?", Action::Help).hint("help"),
    on(C::Pane, &[ch('q'), ctrl('c')], "q ctrl-c", Action::Quit),
];
