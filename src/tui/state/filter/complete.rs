//! What a word of the filter may become: keys, states, roles, types.

use std::ops::Range;

use super::keys::{Figure, Flag, TextKey};
use super::parse::starts_with;
use crate::engine::codec::DType;
use crate::engine::model::{Role, RoleSet};
use crate::engine::ternary::Method;

/// The word at the cursor and what it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The bytes that are replaced.
    pub replaces: Range<usize>,
    /// What may stand there, most likely first.
    pub options: Vec<String>,
}

impl Completion {
    /// The beginning that all options share.
    pub fn common(&self) -> &str {
        let Some((first, rest)) = self.options.split_first() else { return "" };
        let shared = |other: &String| first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        // Options are plain ASCII.
        let len = rest.iter().map(shared).min().unwrap_or(first.len());
        first.get(..len).unwrap_or("")
    }
}

/// What the word before the cursor may become. `types`: those that the model has or would have.
pub fn complete(before: &str, types: &[DType]) -> Completion {
    let word_at = before.rfind(|c: char| c.is_whitespace() || "()".contains(c)).map_or(0, |i| i + 1);
    let signs = before[word_at..].len() - before[word_at..].trim_start_matches(['-', '!']).len();
    let word_at = word_at + signs;
    let word = &before[word_at..];
    let Some((key, values)) = word.split_once([':', '=']) else {
        let options = keys().filter(|option| starts_with(option, word) && option != word);
        return Completion { replaces: word_at..before.len(), options: options.collect() };
    };
    let last = values.rfind(',').map_or(0, |i| i + 1);
    let value = &values[last..];
    let options: Vec<String> = match TextKey::named(key.trim_end_matches('!')) {
        Some(TextKey::Is) => named(Flag::ALL.iter().map(|(_, name)| *name)),
        Some(TextKey::Role) => {
            named(RoleSet::FAMILIES.iter().map(|(_, name)| *name).chain(Role::ALL.iter().map(|(_, name)| *name)))
        }
        Some(TextKey::Method) => named(Method::ALL.iter().map(|m| m.name())),
        Some(TextKey::Type | TextKey::From | TextKey::To) => {
            types.iter().map(|t| t.to_string().to_lowercase()).collect()
        }
        Some(TextKey::Name) => named(["re:"].into_iter()),
        None => Vec::new(),
    };
    let options = options.into_iter().filter(|option| starts_with(option, value) && option != value);
    Completion { replaces: before.len() - value.len()..before.len(), options: options.collect() }
}

fn named<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(str::to_owned).collect()
}

/// Keys as they are written with what comes behind them, those first that are asked for most.
fn keys() -> impl Iterator<Item = String> {
    const FIRST: [&str; 4] = ["type:", "role:", "layer", "sqnr"];
    let rest = all_keys().filter(|key| !FIRST.contains(&key.as_str()));
    FIRST.into_iter().map(str::to_owned).chain(rest)
}

fn all_keys() -> impl Iterator<Item = String> {
    let texts = TextKey::ALL.iter().map(|(_, name)| format!("{name}:"));
    let figures = Figure::ALL.iter().map(|(figure, _)| figure.name().to_owned());
    let bare = Flag::ALL.iter().filter(|(_, name)| Flag::bare(name).is_some()).map(|(_, name)| (*name).to_owned());
    texts.chain(figures).chain(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(before: &str) -> Vec<String> {
        complete(before, &[DType::F16, DType::TQ2_0]).options
    }

    #[test]
    fn keys_states_roles_and_types_are_completed() {
        assert_eq!(options("ro"), ["role:", "rows"]);
        assert_eq!(options("a (-is:ter"), ["ternary"]);
        assert_eq!(options("role:attn_k"), ["attn_kv"]);
        assert_eq!(options("type:f16,t"), ["tq2_0"]);
        assert_eq!(options("sqnr<"), [""; 0]);
        assert_eq!(complete("x role:expert_g", &[]).common(), "expert_gate");
        assert_eq!(complete("x role:expert_g", &[]).replaces, 7..15);
    }
}
