//! Patterns that pick tensors: a name, a glob over the whole name, `re:` an unanchored regex, `role:` a role.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use rayon::prelude::*;
use regex::Regex;

use crate::engine::model::{Model, RoleSet, Tensor};

/// Tensors that a thread is asked about at a time.
const CHUNK: usize = 4096;
/// Characters that make a pattern a glob.
const GLOB_CHARACTERS: [char; 6] = ['*', '?', '[', ']', '{', '}'];

/// Picks tensors. Written and read back as text.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Exactly one name. The only kind that may override a protection.
    Name(String),
    /// A glob over the whole name; `*` also matches dots.
    Glob(Glob),
    /// A regular expression that matches anywhere in the name.
    Regex(Regex),
    /// A role or a family of roles.
    Role(RoleSet),
}

/// A glob. What its text says in the commonest form, `BEGINNING*END`, is compared without a regular expression.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    matcher: GlobMatcher,
    ends: Option<(String, String)>,
}

impl Glob {
    fn new(text: &str) -> Result<Self, String> {
        GlobBuilder::new(text)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map(|glob| Self { text: text.to_owned(), matcher: glob.compile_matcher(), ends: ends(text) })
            .map_err(|e| format!("bad glob '{text}': {}", e.kind()))
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole name is as it says.
    pub fn is_match(&self, name: &str) -> bool {
        match &self.ends {
            // Nothing is not compared: an empty text lies nowhere, and a comparison that loads from there under a mask takes
            // the processor's slow way, a hundred thousand times.
            Some((before, behind)) => {
                name.len() >= before.len() + behind.len()
                    && (before.is_empty() || name.starts_with(before))
                    && (behind.is_empty() || name.ends_with(behind))
            }
            None => self.matcher.is_match(name),
        }
    }
}

/// What stands before and behind the only star of a glob that has no other wildcard but bracketed single characters.
fn ends(text: &str) -> Option<(String, String)> {
    let (mut before, mut behind) = (String::new(), None::<String>);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let literal = match c {
            '*' if behind.is_none() => {
                behind = Some(String::new());
                continue;
            }
            '[' => {
                let inside = rest.next().filter(|c| !matches!(c, '!' | '^' | '/'))?;
                rest.next().filter(|c| *c == ']')?;
                inside
            }
            '*' | '?' | ']' | '{' | '}' | ',' | '\\' | '/' => return None,
            c => c,
        };
        behind.as_mut().unwrap_or(&mut before).push(literal);
    }
    behind.map(|behind| (before, behind))
}

impl Pattern {
    /// The pattern that matches this name and no other.
    pub fn name(name: impl Into<String>) -> Self {
        Self::Name(name.into())
    }

    /// The glob that matches every name that begins with `prefix`, taken literally.
    pub fn prefix(prefix: &str) -> Result<Self, String> {
        Self::between(prefix, "")
    }

    /// The glob that matches every name that begins with `before` and ends with `behind`, both taken literally.
    pub fn between(before: &str, behind: &str) -> Result<Self, String> {
        let escaped = |text: &str| -> String {
            let literal = |c| if GLOB_CHARACTERS.contains(&c) { vec!['[', c, ']'] } else { vec![c] };
            text.chars().flat_map(literal).collect()
        };
        Self::glob(&format!("{}*{}", escaped(before), escaped(behind)))
    }

    fn glob(text: &str) -> Result<Self, String> {
        Glob::new(text).map(Self::Glob)
    }

    /// Parses what lifts a protection: a role (`router`, `role:router`) or one name. Globs and regexes would lift more than
    /// anybody looks at.
    pub fn name_or_role(text: &str) -> Result<Self, String> {
        if let Ok(role) = text.parse::<RoleSet>() {
            return Ok(Self::Role(role));
        }
        match text.parse()? {
            Self::Glob(_) | Self::Regex(_) => Err(format!("'{text}' is neither a role nor the name of one tensor")),
            pattern => Ok(pattern),
        }
    }

    /// Whether the tensor is picked: by its name, or by those of all its parts in the files it was assembled from.
    pub fn matches(&self, tensor: &Tensor) -> bool {
        let by = |test: &dyn Fn(&str) -> bool| {
            test(&tensor.name) || !tensor.aliases.is_empty() && tensor.aliases.iter().all(|alias| test(alias))
        };
        match self {
            Self::Role(roles) => roles.contains(tensor.role),
            _ => by(&|n| self.matches_name(n)),
        }
    }

    /// Whether it picks a tensor that has this name only; one of roles picks none by its name.
    pub(super) fn matches_name(&self, name: &str) -> bool {
        match self {
            Self::Name(wanted) => name == wanted,
            Self::Glob(glob) => glob.is_match(name),
            Self::Regex(regex) => regex.is_match(name),
            Self::Role(_) => false,
        }
    }

    /// The tensors of a model that it picks, in file order.
    pub(super) fn picks(&self, model: &Model) -> Vec<usize> {
        // Names lie all over the memory: several threads wait for them at once.
        let tensors = model.tensors.par_iter().enumerate().with_min_len(CHUNK);
        tensors.filter(|(_, tensor)| self.matches(tensor)).map(|(index, _)| index).collect()
    }

    /// Whether it names one tensor outright.
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Name(_))
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        if s.is_empty() {
            return Err("an empty pattern matches nothing".to_owned());
        }
        if let Some(name) = s.strip_prefix("name:") {
            return Ok(Self::Name(name.to_owned()));
        }
        if let Some(regex) = s.strip_prefix("re:") {
            return Regex::new(regex).map(Self::Regex).map_err(|e| {
                // The lines before the last show the text again, which stands here already.
                let why = e.to_string();
                let why = why.lines().last().map_or("", |line| line.strip_prefix("error: ").unwrap_or(line));
                format!("bad regex '{regex}': {why}")
            });
        }
        if let Some(role) = s.strip_prefix("role:") {
            return role.parse().map(Self::Role);
        }
        if s.contains(GLOB_CHARACTERS) { Self::glob(s) } else { Ok(Self::Name(s.to_owned())) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                let ambiguous =
                    name.contains(GLOB_CHARACTERS) || ["name:", "re:", "role:"].iter().any(|p| name.starts_with(p));
                write!(f, "{}{name}", if ambiguous { "name:" } else { "" })
            }
            Self::Glob(glob) => f.write_str(&glob.text),
            Self::Regex(regex) => write!(f, "re:{regex}"),
            Self::Role(roles) => write!(f, "role:{}", roles.name()),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a == b,
            (Self::Glob(a), Self::Glob(b)) => a.text == b.text,
            (Self::Regex(a), Self::Regex(b)) => a.as_str() == b.as_str(),
            (Self::Role(a), Self::Role(b)) => a.name() == b.name(),
            _ => false,
        }
    }
}

impl serde::Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_a_round_trip() {
        for text in ["blk.0.attn_q.weight", "blk.*.ffn_*", "re:ffn_(up|gate)$", "role:expert", "name:odd*name"] {
            let pattern: Pattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), text);
        }
        assert!("re:(".parse::<Pattern>().is_err());
        assert!("role:nonsense".parse::<Pattern>().unwrap_err().contains("attn_q"));
        assert!("blk.[".parse::<Pattern>().is_err());
    }

    #[test]
    fn a_prefix_is_taken_literally() {
        let Pattern::Glob(glob) = Pattern::prefix("a[1].").unwrap() else { panic!() };
        assert_eq!(glob.text(), "a[[]1[]].*");
        assert!(glob.is_match("a[1].weight") && !glob.is_match("a1.weight"));
    }

    #[test]
    fn a_glob_is_compared_as_its_regular_expression_has_it() {
        let globs =
            ["*", "a*", "*a", "a*a", "a[*]*b", "a[]]*", "[[]*", "a**", "a*b*", "[!a]*", "[^a]*", "é*", "a,b*", "[a]*"];
        let names =
            ["", "a", "aa", "aba", "a*b", "a*xb", "a]", "[", "ab", "a\nb", "é", "éa", "a/b", "a,b", "^a", "!a", "a."];
        for text in globs {
            let glob = Glob::new(text).unwrap();
            for name in names {
                assert_eq!(glob.is_match(name), glob.matcher.is_match(name), "{text} {name:?}");
            }
        }
        assert!(Glob::new("blk.*.ffn_up.weight").unwrap().ends.is_some());
        assert!(Glob::new("a*b*").unwrap().ends.is_none());
    }
}
