//! The one table of keys: it decides what a key does, what the hint bar shows and what help lists.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::Action;
use super::state::input::TextEdit;
use super::state::{Dialog, State, Tab};

/// What takes the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// The tree.
    Browse,
    /// The filter line.
    Filter,
    /// A text that scrolls: help, notes.
    Reading,
    /// The list of exports.
    Jobs,
    /// The quantize dialog.
    Quantize,
    /// The line that a recipe's path is typed into.
    SaveRecipe,
    /// The question whether to quit.
    Quit,
    /// Choosing a file.
    Picker,
    /// The report that a file cannot be opened.
    Failure,
}

impl Context {
    /// Every context, in the order of help.
    pub const ALL: [Self; 9] = [
        Self::Browse,
        Self::Filter,
        Self::Reading,
        Self::Jobs,
        Self::Quantize,
        Self::SaveRecipe,
        Self::Quit,
        Self::Picker,
        Self::Failure,
    ];

    /// What takes the keys in this state.
    pub fn of(state: &State) -> Self {
        match &state.dialog {
            Some(Dialog::Help(_) | Dialog::Notes(_)) => Self::Reading,
            Some(Dialog::Jobs(_)) => Self::Jobs,
            Some(Dialog::Quantize(_)) => Self::Quantize,
            Some(Dialog::SaveRecipe(_)) => Self::SaveRecipe,
            Some(Dialog::Quit) => Self::Quit,
            Some(Dialog::Picker(_)) => Self::Picker,
            Some(Dialog::Failure { .. }) => Self::Failure,
            None if state.session.as_ref().is_some_and(|s| s.filter.editing) => Self::Filter,
            None => Self::Browse,
        }
    }

    /// Heading in help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Browse => "Main screen",
            Self::Filter => "Filter",
            Self::Reading => "Help and notes",
            Self::Jobs => "Jobs",
            Self::Quantize => "Quantize dialog",
            Self::SaveRecipe => "Saving the recipe",
            Self::Quit => "Quitting while exports run",
            Self::Picker => "Choosing a file",
            Self::Failure => "A file that cannot be opened",
        }
    }

    /// Whether a character that no key is bound to goes into a line of text.
    fn types(self) -> bool {
        matches!(self, Self::Filter | Self::Quantize | Self::SaveRecipe | Self::Picker)
    }
}

/// A key with its modifiers.
type Key = (KeyModifiers, KeyCode);

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    keys: &'static [Key],
    /// The keys as they are shown.
    pub shown: &'static str,
    /// What they do.
    pub action: Action,
    /// A word for the hint bar, where it is worth the room.
    pub hint: Option<&'static str>,
}

const fn key(code: KeyCode) -> Key {
    (KeyModifiers::NONE, code)
}

const fn ch(c: char) -> Key {
    (KeyModifiers::NONE, KeyCode::Char(c))
}

const fn ctrl(c: char) -> Key {
    (KeyModifiers::CONTROL, KeyCode::Char(c))
}

const fn on(context: Context, keys: &'static [Key], shown: &'static str, action: Action) -> Binding {
    Binding { context, keys, shown, action, hint: None }
}

impl Binding {
    const fn hint(mut self, word: &'static str) -> Self {
        self.hint = Some(word);
        self
    }
}

use Context as C;
use KeyCode as K;

/// Every key. Within a context the order is that of hints and help.
pub static BINDINGS: &[Binding] = &[
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
    on(C::Filter, &[key(K::Up)], "↑", Action::Up),
    on(C::Filter, &[key(K::Down)], "↓", Action::Down),
    on(C::Filter, &[key(K::PageUp)], "pgup", Action::PageUp),
    on(C::Filter, &[key(K::PageDown)], "pgdn", Action::PageDown),
    on(C::Filter, &[ctrl('w')], "ctrl-w", Action::Edit(TextEdit::WordBack)),
    on(C::Filter, &[ctrl('u')], "ctrl-u", Action::Edit(TextEdit::Clear)),
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

/// The action of a key in a context, if it has one.
pub fn resolve(context: Context, event: &KeyEvent) -> Option<Action> {
    // Shift is part of the character.
    let modifiers = match event.code {
        KeyCode::Char(_) | KeyCode::BackTab => event.modifiers - KeyModifiers::SHIFT,
        _ => event.modifiers,
    };
    let pressed = (modifiers, event.code);
    if let Some(binding) = BINDINGS.iter().find(|b| b.context == context && b.keys.contains(&pressed)) {
        return Some(binding.action);
    }
    if !context.types() {
        return None;
    }
    let edit = match event.code {
        KeyCode::Char(c) if !modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => TextEdit::Insert(c),
        KeyCode::Backspace => TextEdit::Backspace,
        KeyCode::Delete => TextEdit::Delete,
        KeyCode::Left => TextEdit::Left,
        KeyCode::Right => TextEdit::Right,
        KeyCode::Home => TextEdit::Home,
        KeyCode::End => TextEdit::End,
        _ => return None,
    };
    Some(Action::Edit(edit))
}

/// A line of help: also what a document's key table is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelpRow {
    /// Where the key holds.
    pub context: Context,
    /// The key as it is shown.
    pub keys: &'static str,
    /// What it does.
    pub help: &'static str,
}

/// Every key with what it does, context by context.
pub fn rows() -> impl Iterator<Item = HelpRow> {
    BINDINGS.iter().map(|b| HelpRow { context: b.context, keys: b.shown, help: b.action.describe() })
}

/// The hints of a state: key and word. Without a model, what needs one is left out.
pub fn hints(state: &State) -> impl Iterator<Item = (&'static str, &'static str)> {
    let context = Context::of(state);
    let bare = context == Context::Browse && state.session.is_none();
    let works = move |action: Action| {
        !bare || matches!(action, Action::Open | Action::Jobs | Action::Notes | Action::Help | Action::Quit)
    };
    let first = |shown: &'static str| shown.split(' ').next().unwrap_or(shown);
    let bindings = BINDINGS.iter().filter(move |b| b.context == context && works(b.action));
    bindings.filter_map(move |b| Some((first(b.shown), b.hint?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_context() {
        for context in Context::ALL {
            let keys: Vec<Key> =
                BINDINGS.iter().filter(|b| b.context == context).flat_map(|b| b.keys.iter().copied()).collect();
            for (i, key) in keys.iter().enumerate() {
                assert!(!keys[..i].contains(key), "{context:?}: {key:?} twice");
            }
        }
    }

    #[test]
    fn every_context_can_be_left() {
        for context in Context::ALL {
            let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert!(resolve(context, &interrupt).is_some(), "{context:?}");
        }
    }

    #[test]
    fn letters_are_typed_where_there_is_a_line_and_mean_something_elsewhere() {
        let q = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(resolve(Context::Browse, &q), Some(Action::Quit));
        assert_eq!(resolve(Context::Filter, &q), Some(Action::Edit(TextEdit::Insert('q'))));
        let shifted = KeyEvent::new(KeyCode::Char('Q'), KeyModifiers::SHIFT);
        assert_eq!(resolve(Context::Browse, &shifted), Some(Action::Quantize));
    }
}
