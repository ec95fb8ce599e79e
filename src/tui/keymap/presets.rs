//! Keys of the menus of presets and of types, and of the line that asks for a recipe file.

use crossterm::event::KeyCode as K;

use super::{Binding, Context as C, ch, ctrl, key, on};
use crate::tui::action::Action;
use crate::tui::state::input::TextEdit;
use crate::tui::state::presets::Preset;

/// Within a context the order is that of hints and help.
pub(super) static BINDINGS: &[Binding] = &[
    on(C::Presets, &[key(K::Enter)], "enter", Action::Accept).hint("take it"),
    on(C::Presets, &[key(K::Up), ch('k')], "↑ k", Action::Up),
    on(C::Presets, &[key(K::Down), ch('j')], "↓ j", Action::Down).hint("choose"),
    on(C::Presets, &[key(K::Home), ch('g')], "home g", Action::Top),
    on(C::Presets, &[key(K::End), ch('G')], "end G", Action::Bottom),
    on(C::Presets, &[ch('e')], "e", Action::TakePreset(Preset::Experts)),
    on(C::Presets, &[ch('a')], "a", Action::TakePreset(Preset::Linear)),
    on(C::Presets, &[ch('m')], "m", Action::TakePreset(Preset::Inner)),
    on(C::Presets, &[ch('u')], "u", Action::TakePreset(Preset::UpGate)),
    on(C::Presets, &[ch('n')], "n", Action::TakePreset(Preset::None)),
    on(C::Presets, &[ch('f')], "f", Action::TakePreset(Preset::File)),
    on(C::Presets, &[key(K::Esc), ch('q'), ch('p')], "esc q", Action::Back).hint("close"),
    on(C::Presets, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::Types, &[key(K::Enter)], "enter", Action::Accept).hint("take it"),
    on(C::Types, &[key(K::Up), ch('k')], "↑ k", Action::Up),
    on(C::Types, &[key(K::Down), ch('j')], "↓ j", Action::Down).hint("choose"),
    on(C::Types, &[ch(' ')], "space", Action::ToggleTernary).hint("override"),
    on(C::Types, &[key(K::Home), ch('g')], "home g", Action::Top),
    on(C::Types, &[key(K::End), ch('G')], "end G", Action::Bottom),
    on(C::Types, &[key(K::Esc), ch('q'), ch('c')], "esc q", Action::Back).hint("close"),
    on(C::Types, &[ctrl('c')], "ctrl-c", Action::Quit),
    on(C::ReadRecipe, &[key(K::Enter)], "enter", Action::Accept).hint("read it"),
    on(C::ReadRecipe, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::ReadRecipe, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
    on(C::ReadRecipe, &[key(K::Esc)], "esc", Action::Back).hint("close"),
    on(C::ReadRecipe, &[ctrl('c')], "ctrl-c", Action::Quit),
];
