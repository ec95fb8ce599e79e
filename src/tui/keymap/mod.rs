//! The one table of keys: it decides what a key does, what the hint bar shows and what help lists.
//!
//! The tables here are what the program begins with; a [`Keymap`] is what holds for a run of it.

mod browse;
mod context;
mod decide;
mod dialogs;
mod habits;
mod meaning;
pub mod names;
mod pages;
mod pane;
mod presets;
mod rebind;
mod useful;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::Action;
use super::state::State;
use super::state::input::TextEdit;

use useful::has_use;

pub use context::Context;
pub use rebind::{Rebinding, Rebound, nearest};
pub use useful::is_anywhere;

/// A key with its modifiers.
pub type Key = (KeyModifiers, KeyCode);

/// A line of the table.
#[derive(Debug, Clone, Copy)]
struct Binding {
    context: Context,
    keys: &'static [Key],
    shown: &'static str,
    action: Action,
    hint: Option<&'static str>,
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

const fn ctrl_key(code: KeyCode) -> Key {
    (KeyModifiers::CONTROL, code)
}

const fn alt_key(code: KeyCode) -> Key {
    (KeyModifiers::ALT, code)
}

const fn shift(code: KeyCode) -> Key {
    (KeyModifiers::SHIFT, code)
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

/// The tables, one file a part of the interface.
static TABLES: [&[Binding]; 7] = [
    browse::BINDINGS,
    pane::BINDINGS,
    pages::BINDINGS,
    decide::BINDINGS,
    dialogs::BINDINGS,
    presets::BINDINGS,
    habits::BINDINGS,
];

/// A line of help: also what a document's key table is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelpRow<'a> {
    /// Where the key holds.
    pub context: Context,
    /// The key as it is shown.
    pub keys: &'a str,
    /// What it does.
    pub help: &'static str,
    /// The command that does the same.
    pub command: &'static str,
}

/// Every key and what it does, as it holds for this run of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Bound>,
}

/// An action of a context with the keys that it has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Where it holds.
    pub context: Context,
    /// What the keys do.
    pub action: Action,
    /// The keys as they are shown, most important first; empty for an action that has none.
    pub shown: String,
    /// A word for the hint bar, where it is worth the room.
    pub hint: Option<&'static str>,
    keys: Vec<Key>,
}

impl Bound {
    /// What it does there, in words.
    pub fn help(&self) -> &'static str {
        meaning::of(self.context, self.action)
    }

    /// Whether a key is one of its.
    pub fn has(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }
}

impl Bound {
    /// Whether one of its keys is one of the other's.
    fn shares_key(&self, other: &Self) -> bool {
        self.keys.iter().any(|key| other.keys.contains(key))
    }
}

impl Default for Keymap {
    /// The keys of the tables.
    fn default() -> Self {
        let bound = |b: &Binding| Bound {
            context: b.context,
            action: b.action,
            shown: b.shown.to_owned(),
            hint: b.hint,
            keys: b.keys.to_vec(),
        };
        let mut bindings: Vec<Bound> = TABLES.into_iter().flatten().map(bound).collect();
        for context in Context::ALL.into_iter().filter(|c| c.falls_back_to().is_none()) {
            for everywhere in habits::EVERYWHERE.iter().filter(|e| (e.holds)(context)) {
                let habits::Everywhere { keys, shown, action, hint, .. } = *everywhere;
                let taken =
                    |b: &Bound| b.context == context && (b.action == action || keys.iter().any(|k| b.keys.contains(k)));
                if bindings.iter().any(taken) {
                    continue;
                }
                bindings.push(Bound { context, action, shown: shown.to_owned(), hint, keys: keys.to_vec() });
            }
        }
        Self { bindings }
    }
}

impl Keymap {
    /// Every action with its keys. Within a context the order is that of hints and help.
    pub fn bindings(&self) -> impl Iterator<Item = &Bound> {
        self.bindings.iter()
    }

    /// Those of a context.
    pub fn of(&self, context: Context) -> impl Iterator<Item = &Bound> {
        self.bindings().filter(move |b| b.context == context)
    }

    /// Those that hold in a context: its own, and behind them those of the context that it lies in.
    pub fn holding(&self, context: Context) -> impl Iterator<Item = &Bound> {
        let wider = context.falls_back_to().into_iter().flat_map(|wider| self.of(wider));
        self.of(context).chain(wider)
    }

    /// The action of a key in a context, if it has one.
    pub fn resolve(&self, context: Context, event: &KeyEvent) -> Option<Action> {
        // Shift is part of the character.
        let modifiers = match event.code {
            KeyCode::Char(_) | KeyCode::BackTab => event.modifiers - KeyModifiers::SHIFT,
            _ => event.modifiers,
        };
        let pressed = (modifiers, event.code);
        if let Some(bound) = self.holding(context).find(|b| b.keys.contains(&pressed)) {
            return Some(bound.action);
        }
        if context.types() { edit(event.code, modifiers).map(Action::Edit) } else { None }
    }

    /// Whether an action has something to act on: without a model, few have.
    pub fn works(&self, state: &State, context: Context, action: Action) -> bool {
        const BARE: [Action; 12] = [
            Action::Open,
            Action::Jobs,
            Action::Notes,
            Action::Messages,
            Action::Help,
            Action::Quit,
            Action::Palette,
            Action::NextTheme,
            Action::ToggleMouse,
            Action::ToggleAscii,
            Action::Redraw,
            Action::OpenDemo,
        ];
        context != Context::Browse || state.session.is_some() || BARE.contains(&action)
    }

    /// Every key with what it does, context by context.
    pub fn rows(&self) -> impl Iterator<Item = HelpRow<'_>> {
        let keyed = self.bindings().filter(|b| !b.shown.is_empty());
        keyed.map(|b| HelpRow { context: b.context, keys: &b.shown, help: b.help(), command: b.action.name() })
    }

    /// The hints of a state: key, word and what the key does; last those that lead to everything else. Without a model, what
    /// needs one is left out.
    pub fn hints(&self, state: &State) -> impl Iterator<Item = (&str, &'static str, Action)> {
        const LAST: [Action; 3] = [Action::Palette, Action::Help, Action::Quit];
        let context = Context::of(state);
        let of = move |last: bool| {
            let fits = move |b: &&Bound| context != Context::Jobs || state.fits_job(b.action);
            let working = move |b: &&Bound| self.works(state, context, b.action) && LAST.contains(&b.action) == last;
            // A key that the tab has for itself means nothing else there.
            let own = move |b: &&Bound| b.context == context || !self.of(context).any(|o| o.shares_key(b));
            self.holding(context)
                .filter(working)
                .filter(own)
                .filter(fits)
                .filter(move |b| has_use(state, context, b.action))
        };
        let hinted = of(false).chain(of(true)).filter(|b| !b.shown.is_empty());
        hinted.filter_map(move |b| {
            Some((b.shown.split(' ').next()?, useful::hint(state, context, b.action, b.hint?), b.action))
        })
    }
}

/// What a key that is bound to nothing does to a line of text.
fn edit(code: KeyCode, modifiers: KeyModifiers) -> Option<TextEdit> {
    Some(match code {
        KeyCode::Char(c) if !modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => TextEdit::Insert(c),
        KeyCode::Backspace => TextEdit::Backspace,
        KeyCode::Delete => TextEdit::Delete,
        KeyCode::Left => TextEdit::Left,
        KeyCode::Right => TextEdit::Right,
        KeyCode::Home => TextEdit::Home,
        KeyCode::End => TextEdit::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_context() {
        let keymap = Keymap::default();
        for context in Context::ALL {
            let keys: Vec<Key> = keymap.of(context).flat_map(|b| b.keys.iter().copied()).collect();
            for (i, key) in keys.iter().enumerate() {
                assert!(!keys[..i].contains(key), "{context:?}: {key:?} twice");
            }
        }
    }

    #[test]
    fn no_action_has_two_lines_in_one_context() {
        let keymap = Keymap::default();
        for context in Context::ALL {
            let actions: Vec<Action> = keymap.of(context).map(|b| b.action).collect();
            for (i, action) in actions.iter().enumerate() {
                assert!(!actions[..i].contains(action), "{context:?}: {action:?} twice");
            }
        }
    }

    #[test]
    fn a_name_stands_for_one_action_and_can_be_typed() {
        let keymap = Keymap::default();
        let mut named: std::collections::HashMap<&str, Action> = std::collections::HashMap::new();
        for Bound { action, .. } in keymap.bindings() {
            let name = action.name();
            let kept = *named.entry(name).or_insert(*action);
            assert_eq!(kept, *action, "two actions are called {name}");
            let parts = name
                .split('-')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
            assert!(parts, "{name:?}");
        }
        let contexts: std::collections::HashSet<&str> = Context::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(contexts.len(), Context::ALL.len());
    }

    #[test]
    fn every_context_can_be_left() {
        for context in Context::ALL {
            let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert!(Keymap::default().resolve(context, &interrupt).is_some(), "{context:?}");
        }
    }

    #[test]
    fn letters_are_typed_where_there_is_a_line_and_mean_something_elsewhere() {
        let keymap = Keymap::default();
        let q = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(keymap.resolve(Context::Browse, &q), Some(Action::Quit));
        assert_eq!(keymap.resolve(Context::Filter, &q), Some(Action::Edit(TextEdit::Insert('q'))));
        let shifted = KeyEvent::new(KeyCode::Char('Q'), KeyModifiers::SHIFT);
        assert_eq!(keymap.resolve(Context::Browse, &shifted), Some(Action::Quantize));
    }
}
