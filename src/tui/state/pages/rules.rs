//! The recipe page: the mask and the rules in their order, and the edits of them. An edit gives a step's name and the next
//! recipe; it is applied, and undone, like any other step of the plan.

use std::str::FromStr;

use crate::engine::plan::{Action, Mask, Pattern, Precision, Recipe, Rule};
use crate::engine::ternary::{Format, Method};
use crate::text::{clip, escape};
use crate::tui::state::input::TextInput;

/// Columns of a pattern in a step's name.
const NAMED: usize = 40;

/// A pattern that is being typed.
#[derive(Debug, Clone)]
pub struct PatternLine {
    /// The text.
    pub input: TextInput,
    /// The rule that it replaces the pattern of; `None` for a new rule.
    pub of: Option<usize>,
    /// Whether the new rule keeps what it picks.
    pub keep: bool,
}

impl PatternLine {
    /// The pattern that the text is, or why it is none.
    pub fn pattern(&self) -> Result<Pattern, String> {
        Pattern::from_str(self.input.text().trim())
    }
}

/// The page.
#[derive(Debug, Clone, Default)]
pub struct RecipePage {
    /// The line under the cursor: 0 is the mask, then the rules.
    pub cursor: usize,
    /// A pattern that is being typed.
    pub line: Option<PatternLine>,
}

/// An edit: the step's name and the next recipe; and the line that the cursor should be on.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The step's name.
    pub name: String,
    /// The next recipe.
    pub recipe: Recipe,
    /// The line for the cursor.
    pub cursor: usize,
}

impl RecipePage {
    /// The rule under the cursor.
    pub fn rule(&self) -> Option<usize> {
        self.cursor.checked_sub(1)
    }

    /// Keeps the cursor on a line, whatever became of the recipe.
    pub fn clamp(&mut self, recipe: &Recipe) {
        self.cursor = self.cursor.min(recipe.rules.len());
    }

    /// What the row under the cursor says: the whole recipe on the mask's line, else the rule as it stands in the file.
    pub fn text(&self, recipe: &Recipe) -> Option<String> {
        let Some(rule) = self.rule() else { return recipe.to_toml().ok() };
        let only = Recipe { rules: vec![recipe.rules.get(rule)?.clone()], ..Recipe::default() };
        let text = only.to_toml().ok()?;
        text.find("[[rule]]").map(|at| text[at..].to_owned())
    }

    /// Makes the rule under the cursor do the other thing: keep, or ternary; the mask the next one.
    pub fn toggle(&self, recipe: &Recipe) -> Option<Edit> {
        let Some(index) = self.rule() else {
            let at = Mask::ALL.iter().position(|m| *m == recipe.layers).unwrap_or(0);
            let layers = Mask::ALL[(at + 1) % Mask::ALL.len()];
            return Some(self.edit(format!("mask {}", layers.name()), Recipe { layers, ..recipe.clone() }));
        };
        let keep = !recipe.rules.get(index)?.action.keeps();
        let (action, verb) = if keep { (Action::KEEP, "keeps") } else { (Action::TERNARY, "makes ternary") };
        self.change(recipe, index, &format!("{verb} {}", named(recipe, index)), |rule| rule.action = action)
    }

    /// The next or previous method of the rule under the cursor: the recipe's own, then each; on the mask's line that of
    /// the recipe.
    pub fn step_method(&self, recipe: &Recipe, forward: bool) -> Option<Edit> {
        let Some(index) = self.rule() else {
            let method = after(&Method::ALL, recipe.method, forward);
            return Some(self.edit(format!("method {method}"), Recipe { method, ..recipe.clone() }));
        };
        let Action::Ternary { format, method } = recipe.rules.get(index)?.action else { return None };
        let method = after(&optional(&Method::ALL), method, forward);
        let word = method.map_or("the recipe's method", Method::name);
        self.change(recipe, index, &format!("{word} for {}", named(recipe, index)), |rule| {
            rule.action = Action::Ternary { format, method };
        })
    }

    /// The same for the format; a rule's is one for the recipe's runtime, as a file is for one. What keeps has a precision
    /// in its place.
    pub fn step_format(&self, recipe: &Recipe, forward: bool) -> Option<Edit> {
        let Some(index) = self.rule() else {
            let format = after(&Format::ALL, recipe.format, forward);
            return Some(self.edit(format!("format {format}"), Recipe { format, ..recipe.clone() }));
        };
        let (format, method) = match recipe.rules.get(index)?.action {
            Action::Ternary { format, method } => (format, method),
            Action::Keep { precision } => {
                let next = after(&optional(&Precision::ALL.map(|(p, _)| p)), precision, forward);
                let word = next.map_or("the recipe's precision", Precision::name);
                let name = format!("{word} for {}", named(recipe, index));
                return self.change(recipe, index, &name, |rule| rule.action = Action::Keep { precision: next });
            }
        };
        let runtime = recipe.format.only_in();
        let offered: Vec<Format> = Format::ALL.into_iter().filter(|f| f.only_in() == runtime).collect();
        let format = after(&optional(&offered), format, forward);
        let word = format.map_or("the recipe's format", Format::name);
        self.change(recipe, index, &format!("{word} for {}", named(recipe, index)), |rule| {
            rule.action = Action::Ternary { format, method };
        })
    }

    /// The rule under the cursor one place up or down; it goes along.
    pub fn shift(&self, recipe: &Recipe, down: bool) -> Option<Edit> {
        let index = self.rule()?;
        let to = if down { index + 1 } else { index.checked_sub(1)? };
        if to >= recipe.rules.len() {
            return None;
        }
        let mut next = recipe.clone();
        next.rules.swap(index, to);
        let name =
            format!("{} {}", named(recipe, index), if down { "after the next rule" } else { "before the rule above" });
        Some(Edit { name, recipe: next, cursor: to + 1 })
    }

    /// Without the rule under the cursor.
    pub fn delete(&self, recipe: &Recipe) -> Option<Edit> {
        let index = self.rule().filter(|i| *i < recipe.rules.len())?;
        let mut next = recipe.clone();
        next.rules.remove(index);
        let cursor = self.cursor.min(next.rules.len());
        Some(Edit { name: format!("delete {}", named(recipe, index)), recipe: next, cursor })
    }

    /// What the typed pattern makes: a rule behind the one under the cursor, or another pattern of a rule. Errors: what is
    /// wrong with the pattern.
    pub fn accept(&self, recipe: &Recipe) -> Result<Option<Edit>, String> {
        let Some(line) = &self.line else { return Ok(None) };
        let pattern = line.pattern()?;
        let mut next = recipe.clone();
        let text = clip(&escape(&pattern.to_string()), NAMED);
        if let Some(index) = line.of {
            let Some(rule) = next.rules.get_mut(index) else { return Ok(None) };
            rule.pattern = pattern;
            let name = format!("rule {} picks {text}", index + 1);
            return Ok(Some(Edit { name, recipe: next, cursor: index + 1 }));
        }
        // On the mask's line there is no place to speak of: a new rule should have the last word.
        let at = if self.cursor == 0 { next.rules.len() } else { self.cursor.min(next.rules.len()) };
        let (action, verb) = if line.keep { (Action::KEEP, "keep") } else { (Action::TERNARY, "ternary") };
        next.rules.insert(at, Rule { pattern, action });
        Ok(Some(Edit { name: format!("add rule: {verb} {text}"), recipe: next, cursor: at + 1 }))
    }

    fn edit(&self, name: String, recipe: Recipe) -> Edit {
        Edit { name, recipe, cursor: self.cursor }
    }

    fn change(&self, recipe: &Recipe, index: usize, name: &str, change: impl FnOnce(&mut Rule)) -> Option<Edit> {
        let mut next = recipe.clone();
        change(next.rules.get_mut(index)?);
        Some(self.edit(name.to_owned(), next))
    }
}

/// A rule for the name of a step.
fn named(recipe: &Recipe, index: usize) -> String {
    let pattern = recipe.rules.get(index).map(|r| r.pattern.to_string()).unwrap_or_default();
    format!("rule {} ({})", index + 1, clip(&escape(&pattern), NAMED))
}

/// Nothing of its own, then each.
fn optional<T: Copy>(all: &[T]) -> Vec<Option<T>> {
    std::iter::once(None).chain(all.iter().copied().map(Some)).collect()
}

fn after<T: Copy + PartialEq>(all: &[T], current: T, forward: bool) -> T {
    let len = all.len().max(1);
    let at = all.iter().position(|x| *x == current).map_or(0, |i| if forward { i + 1 } else { i + len - 1 });
    all.get(at % len).copied().unwrap_or(current)
}
