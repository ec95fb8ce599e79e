//! Other keys for actions, as a configuration wants them.

use std::collections::HashMap;

use super::names::{self, INTERRUPT};
use super::{Bound, Context, Key, Keymap};
use crate::tui::state::input::TextEdit;

/// Other keys for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebinding {
    /// Where; none for wherever the action is and no text is typed.
    pub context: Option<Context>,
    /// The action's name.
    pub action: String,
    /// Its keys from now on; none takes them all away.
    pub keys: Vec<Key>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebound {
    /// What cannot be done, each with the index of the rebinding that asks for it.
    pub problems: Vec<(usize, String)>,
    /// Actions that have lost their last key to another one.
    pub notes: Vec<String>,
}

/// How much a binding's word counts: what was asked for in its context, everywhere, not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Default,
    Everywhere,
    Context,
}

impl Keymap {
    /// Gives actions other keys. A key that was another action's in the same place is taken from it; two that were asked for
    /// the same key in the same place are a problem, and so is what would leave a place without a way out.
    pub fn rebind(&mut self, wanted: &[Rebinding]) -> Rebound {
        let mut out = Rebound::default();
        let mut asked: HashMap<usize, (Rank, usize)> = HashMap::new();
        for (i, rebinding) in wanted.iter().enumerate() {
            let rank = if rebinding.context.is_some() { Rank::Context } else { Rank::Everywhere };
            match self.places(rebinding) {
                Ok(places) => {
                    for place in places {
                        let known = asked.entry(place).or_insert((rank, i));
                        if rank > known.0 {
                            *known = (rank, i);
                        }
                    }
                }
                Err(why) => out.problems.push((i, why)),
            }
        }
        for (place, (_, i)) in &asked {
            let bound = &mut self.bindings[*place];
            let leaves = bound.keys.contains(&INTERRUPT);
            bound.keys.clone_from(&wanted[*i].keys);
            bound.show();
            // What ends everything stays what it is.
            if leaves && !bound.keys.contains(&INTERRUPT) {
                bound.keys.push(INTERRUPT);
            }
        }
        for context in Context::ALL {
            self.settle(context, &asked, &mut out);
        }
        out.problems.sort();
        out.problems.dedup();
        out
    }

    /// Indices of the bindings that a rebinding is about.
    fn places(&self, wanted: &Rebinding) -> Result<Vec<usize>, String> {
        let Rebinding { context, action, keys } = wanted;
        // A character that a line would take, unless the line gives that one up anyway.
        let takes = |b: &Bound, key: &Key| {
            let typed = matches!(super::edit(key.1, key.0), Some(TextEdit::Insert(_)));
            typed && b.context.types() && !b.keys.contains(key)
        };
        let everywhere = |b: &Bound| !keys.iter().any(|key| takes(b, key));
        let places: Vec<usize> = (self.bindings.iter().enumerate())
            .filter(|(_, b)| b.action.name() == action && context.map_or_else(|| everywhere(b), |c| b.context == c))
            .map(|(i, _)| i)
            .collect();
        if places.is_empty() {
            let names =
                self.bindings.iter().filter(|b| context.is_none_or(|c| c == b.context)).map(|b| b.action.name());
            let place = context.map_or_else(String::new, |c| format!(" in {}", c.name()));
            return Err(format!("no action is called '{action}'{place}{}", nearest(action, names)));
        }
        if let Some(key) = keys.iter().find(|key| **key == INTERRUPT)
            && !places.iter().all(|place| self.bindings[*place].keys.contains(key))
        {
            return Err("ctrl-c stays the way out of everything".to_owned());
        }
        if let Some(key) = keys.iter().find(|key| places.iter().any(|place| takes(&self.bindings[*place], key))) {
            let context = self.bindings[places[0]].context.name();
            return Err(format!("'{}' is for the text that is typed in {context}", names::name(*key)));
        }
        Ok(places)
    }

    /// Sees to it that no key of a context means two things.
    fn settle(&mut self, context: Context, asked: &HashMap<usize, (Rank, usize)>, out: &mut Rebound) {
        let here: Vec<usize> = (0..self.bindings.len()).filter(|i| self.bindings[*i].context == context).collect();
        let word = |place: &usize| asked.get(place).map_or((Rank::Default, 0), |(rank, i)| (*rank, *i));
        let mut owners: HashMap<Key, usize> = HashMap::new();
        for place in &here {
            for key in &self.bindings[*place].keys {
                let owner = owners.entry(*key).or_insert(*place);
                let (mine, theirs) = (word(place), word(owner));
                if *owner == *place || mine.0 < theirs.0 {
                    continue;
                }
                if mine.0 == theirs.0 && mine.0 != Rank::Default {
                    let (a, b) = (self.bindings[*owner].action.name(), self.bindings[*place].action.name());
                    let what = format!("'{}' would mean {a} and {b} in {}", names::name(*key), context.name());
                    out.problems.push((mine.1.max(theirs.1), what));
                } else if mine.0 > theirs.0 {
                    *owner = *place;
                }
            }
        }
        for place in here {
            let bound = &mut self.bindings[place];
            let before = bound.keys.len();
            let lost = bound.keys.iter().find(|key| owners.get(key) != Some(&place)).copied();
            bound.keys.retain(|key| owners.get(key) == Some(&place));
            if bound.keys.len() == before {
                continue;
            }
            bound.show();
            let name = bound.action.name();
            if let (true, Some(key)) = (bound.keys.is_empty(), lost)
                && let Some(owner) = owners.get(&key)
            {
                let (key, taker) = (names::name(key), self.bindings[*owner].action.name());
                out.notes.push(format!("{}: {name} has no key any more, '{key}' is {taker}", context.name()));
            }
        }
    }

    /// Every action of a context with the names of its keys, as a configuration would say it.
    pub fn named(&self, context: Context) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        self.of(context).map(|b| (b.action.name(), b.keys.iter().map(|key| names::name(*key)).collect()))
    }
}

impl Bound {
    /// Shows the keys that it has.
    fn show(&mut self) {
        self.shown = self.keys.iter().map(|key| names::shown(*key)).collect::<Vec<_>>().join(" ");
    }
}

/// ` (did you mean 'x'?)`, where something is spelled nearly so.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let close = known.map(|name| (distance(word, name), name)).min().filter(|(d, _)| *d <= 1 + word.len() / 4);
    close.map_or_else(String::new, |(_, name)| format!(" (did you mean '{name}'?)"))
}

/// Characters to insert, delete or replace to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, c) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, d) in b.iter().enumerate() {
            let best = (row[j] + 1).min(row[j + 1] + 1).min(corner + usize::from(c != *d));
            corner = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::action::Action;

    fn rebinding(context: Option<Context>, action: &str, keys: &[&str]) -> Rebinding {
        let keys = keys.iter().map(|key| names::parse(key).unwrap()).collect();
        Rebinding { context, action: action.to_owned(), keys }
    }

    fn resolved(keymap: &Keymap, context: Context, key: &str) -> Option<Action> {
        let (modifiers, code) = names::parse(key).unwrap();
        keymap.resolve(context, &crossterm::event::KeyEvent::new(code, modifiers))
    }

    #[test]
    fn a_key_is_taken_from_the_action_that_had_it() {
        let mut keymap = Keymap::default();
        let out = keymap.rebind(&[rebinding(Some(Context::Browse), "quantize", &["t", "f5"])]);
        assert_eq!(out.problems, []);
        assert_eq!(out.notes, ["browse: next-type has no key any more, 't' is quantize"]);
        assert_eq!(resolved(&keymap, Context::Browse, "t"), Some(Action::Quantize));
        assert_eq!(resolved(&keymap, Context::Browse, "f5"), Some(Action::Quantize));
        assert_eq!(resolved(&keymap, Context::Browse, "Q"), None);
        let row = keymap.rows().find(|row| row.context == Context::Browse && row.keys == "t f5");
        assert!(row.is_some(), "help shows the keys that hold");
    }

    #[test]
    fn everywhere_means_everywhere_but_where_text_is_typed_and_a_context_knows_better() {
        let mut keymap = Keymap::default();
        let out = keymap.rebind(&[rebinding(None, "down", &["s"]), rebinding(Some(Context::Jobs), "down", &["w"])]);
        assert_eq!(out.problems, []);
        assert_eq!(resolved(&keymap, Context::Browse, "s"), Some(Action::Down));
        assert_eq!(resolved(&keymap, Context::Jobs, "w"), Some(Action::Down));
        assert_ne!(resolved(&keymap, Context::Jobs, "s"), Some(Action::Down));
        assert!(matches!(resolved(&keymap, Context::Filter, "s"), Some(Action::Edit(_))), "letters are typed");
        assert_eq!(resolved(&keymap, Context::Filter, "down"), Some(Action::Down));
    }

    #[test]
    fn clashes_and_misspellings_are_told_with_the_place_that_has_them() {
        let mut keymap = Keymap::default();
        let out = keymap.rebind(&[
            rebinding(Some(Context::Browse), "undo", &["z"]),
            rebinding(Some(Context::Browse), "redo", &["z"]),
            rebinding(Some(Context::Browse), "quantise", &["z"]),
            rebinding(Some(Context::Filter), "up", &["k"]),
            rebinding(Some(Context::Browse), "undo-all", &["ctrl-c"]),
            rebinding(Some(Context::Browse), "jobs", &["ctrl-c"]),
        ]);
        let (at, texts): (Vec<usize>, Vec<&str>) = out.problems.iter().map(|(i, text)| (*i, text.as_str())).unzip();
        assert_eq!(at, [1, 2, 3, 4, 5]);
        assert_eq!(texts[0], "'z' would mean undo and redo in browse");
        assert_eq!(texts[1], "no action is called 'quantise' in browse (did you mean 'quantize'?)");
        assert_eq!(texts[2], "'k' is for the text that is typed in filter");
        assert!(texts[3].starts_with("no action is called 'undo-all'"), "{}", texts[3]);
        assert_eq!(texts[4], "ctrl-c stays the way out of everything");
    }

    #[test]
    fn every_context_can_be_left_whatever_is_rebound() {
        let mut keymap = Keymap::default();
        let all: Vec<Rebinding> =
            ["quit", "back", "accept"].into_iter().map(|action| rebinding(None, action, &[])).collect();
        assert_eq!(keymap.rebind(&all).problems, []);
        for context in Context::ALL {
            assert!(resolved(&keymap, context, "ctrl-c").is_some(), "{context:?}");
        }
    }
}
