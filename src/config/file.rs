//! The file: every entry of it taken over, or told what is wrong with it and where.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Config, Origin, Setting, columns, threads};
use crate::tui::keymap::{Context, Key, Rebinding, names, nearest};

/// Entries of the first level.
const ENTRIES: [&str; 7] = ["theme", "mouse", "ascii", "restore", "threads", "columns", "keys"];
/// The table of keys that hold wherever their action is.
const EVERYWHERE: &str = "everywhere";

/// Line, column and what is wrong there; both count from 1, columns in characters.
type Problem = (usize, usize, String);

/// Takes a file's text over; what is wrong with it, in order.
pub(super) fn apply(config: &mut Config, text: &str) -> Vec<Problem> {
    let mut reading = Reading { text, config, problems: Vec::new(), keys: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => {
            for (name, value) in table.get_ref() {
                reading.entry(name, value);
            }
            reading.rebind();
        }
        Err(e) => reading.wrong(&e.span().unwrap_or(0..0), e.message()),
    }
    let mut problems = reading.problems;
    problems.sort();
    problems
}

struct Reading<'a> {
    text: &'a str,
    config: &'a mut Config,
    problems: Vec<Problem>,
    /// Rebindings with their places.
    keys: Vec<(Rebinding, Range<usize>)>,
}

impl Reading<'_> {
    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
    }

    fn wrong(&mut self, span: &Range<usize>, what: impl Into<String>) {
        let (line, column) = self.place(span.start);
        // Parsers tell more than a line at times.
        self.problems.push((line, column, crate::text::escape(&what.into().replace('\n', ", "))));
    }

    fn entry(&mut self, name: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let origin = Origin::File(self.place(name.span().start).0);
        let got = match &**name.get_ref() {
            "theme" => string(value).and_then(str::parse).map(|v| self.config.theme = Setting { value: v, origin }),
            "mouse" => boolean(value).map(|v| self.config.mouse = Setting { value: v, origin }),
            "ascii" => boolean(value).map(|v| self.config.ascii = Setting { value: v, origin }),
            "restore" => boolean(value).map(|v| self.config.restore = Setting { value: v, origin }),
            "threads" => number(value).map(|n| self.config.threads = Setting { value: Some(n), origin }),
            "columns" => list(value)
                .and_then(|names| columns(names.into_iter()))
                .map(|chosen| self.config.columns = Setting { value: Some(chosen), origin }),
            "keys" => {
                self.contexts(value);
                Ok(())
            }
            other => {
                let near = nearest(other, ENTRIES.into_iter());
                self.wrong(&name.span(), format!("there is no entry '{other}'{near}"));
                Ok(())
            }
        };
        if let Err(what) = got {
            self.wrong(&value.span(), what);
        }
    }

    /// The tables of keys, one a context.
    fn contexts(&mut self, value: &Spanned<DeValue<'_>>) {
        let DeValue::Table(contexts) = value.get_ref() else {
            return self.wrong(&value.span(), expected("tables such as [keys.browse]", value.get_ref()));
        };
        for (name, actions) in contexts {
            let word = &**name.get_ref();
            let context = Context::ALL.into_iter().find(|c| c.name() == word);
            if context.is_none() && word != EVERYWHERE {
                let known = Context::ALL.into_iter().map(Context::name).chain([EVERYWHERE]);
                let what = format!("no part of the program is called '{word}'{}", nearest(word, known));
                self.wrong(&name.span(), what);
                continue;
            }
            let DeValue::Table(actions) = actions.get_ref() else {
                self.wrong(&actions.span(), expected("a table of actions", actions.get_ref()));
                continue;
            };
            for (action, keys) in actions {
                match keys_of(keys) {
                    Ok(keys) => {
                        let action_name = action.get_ref().clone().into_owned();
                        self.keys.push((Rebinding { context, action: action_name, keys }, action.span()));
                    }
                    Err((span, what)) => self.wrong(&span, what),
                }
            }
        }
    }

    /// Gives the actions their keys.
    fn rebind(&mut self) {
        // In the order of the file, so that of two that clash the later one is told.
        self.keys.sort_by_key(|(_, span)| span.start);
        let keys = std::mem::take(&mut self.keys);
        let wanted: Vec<Rebinding> = keys.iter().map(|(rebinding, _)| rebinding.clone()).collect();
        let done = self.config.keymap.rebind(&wanted);
        for (i, what) in done.problems {
            self.wrong(&keys[i].1.clone(), what);
        }
        self.config.notes = done.notes;
        // What is said of a context counts more than what is said of all.
        for (rebinding, span) in keys.iter().filter(|(r, _)| r.context.is_none()).chain(&keys) {
            let line = self.place(span.start).0;
            for bound in self.config.keymap.bindings().filter(|b| b.action.name() == rebinding.action) {
                let here = rebinding.context.map_or_else(
                    || rebinding.keys.iter().all(|key| bound.has(*key)),
                    |context| context == bound.context,
                );
                if here {
                    self.config.bound.insert((bound.context, bound.action.name()), line);
                }
            }
        }
    }
}

fn expected(what: &str, found: &DeValue<'_>) -> String {
    format!("{what} belongs here, not {} {}", article(found.type_str()), found.type_str())
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

fn string<'a>(value: &'a Spanned<DeValue<'_>>) -> Result<&'a str, String> {
    value.get_ref().as_str().ok_or_else(|| expected("a text", value.get_ref()))
}

fn boolean(value: &Spanned<DeValue<'_>>) -> Result<bool, String> {
    value.get_ref().as_bool().ok_or_else(|| expected("true or false", value.get_ref()))
}

fn number(value: &Spanned<DeValue<'_>>) -> Result<usize, String> {
    match value.get_ref() {
        DeValue::Integer(n) if n.radix() == 10 => threads(n.as_str()),
        other => Err(expected("a number", other)),
    }
}

fn list<'a>(value: &'a Spanned<DeValue<'_>>) -> Result<Vec<&'a str>, String> {
    let DeValue::Array(items) = value.get_ref() else {
        return Err(expected("a list of texts", value.get_ref()));
    };
    items.iter().map(string).collect()
}

/// One key, or a list of them.
fn keys_of(value: &Spanned<DeValue<'_>>) -> Result<Vec<Key>, (Range<usize>, String)> {
    let one = |item: &Spanned<DeValue<'_>>| string(item).and_then(names::parse).map_err(|what| (item.span(), what));
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(one).collect(),
        DeValue::String(_) => one(value).map(|key| vec![key]),
        other => Err((value.span(), expected("a key or a list of keys", other))),
    }
}
