//! The tree's filter: words that a tensor's name must contain (or resemble), and terms such as `type:f16`.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::input::TextInput;
use crate::engine::model::{Model, RoleSet, Tensor};
use crate::engine::plan::{Decision, Plan};

/// The filter line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// What was typed.
    pub input: TextInput,
    /// Whether keys go into it.
    pub editing: bool,
}

/// One word of a filter.
enum Term {
    /// In the name, ignoring case.
    Substring(String),
    /// Letters of the name in this order.
    Fuzzy(Pattern),
    /// Source or output type begins with this.
    Type(String),
    /// Role, family of roles, or a part of a role's name.
    Role(Option<RoleSet>, String),
    /// A state: ternary, kept, protected, fallback, overridden.
    State(String),
}

impl Filter {
    /// Which tensors pass; `None` for a filter without words.
    pub fn passing(&self, model: &Model, plan: &Plan) -> Option<Vec<bool>> {
        let terms: Vec<Term> = self.input.text().split_whitespace().map(|word| Term::new(word, model)).collect();
        if terms.is_empty() {
            return None;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut passes = |tensor: &Tensor, decision: &Decision| {
            terms.iter().all(|term| term.takes(tensor, decision, &mut matcher, &mut buffer))
        };
        Some(model.tensors.iter().zip(&plan.decisions).map(|(t, d)| passes(t, d)).collect())
    }
}

impl Term {
    fn new(word: &str, model: &Model) -> Self {
        let lower = word.to_lowercase();
        if let Some(name) = lower.strip_prefix("type:") {
            return Self::Type(name.to_owned());
        }
        if let Some(name) = lower.strip_prefix("role:") {
            return Self::Role(name.parse().ok(), name.to_owned());
        }
        if let Some(name) = lower.strip_prefix("is:") {
            return Self::State(name.to_owned());
        }
        // Letters in order match nearly every long name: only where nothing contains the word itself.
        if model.tensors.iter().any(|t| t.name.to_lowercase().contains(&lower)) {
            Self::Substring(lower)
        } else {
            Self::Fuzzy(Pattern::new(word, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy))
        }
    }

    fn takes(&self, tensor: &Tensor, decision: &Decision, matcher: &mut Matcher, buffer: &mut Vec<char>) -> bool {
        match self {
            Self::Substring(part) => tensor.name.to_lowercase().contains(part),
            Self::Fuzzy(pattern) => pattern.score(Utf32Str::new(&tensor.name, buffer), matcher).is_some(),
            Self::Type(name) => [tensor.dtype, decision.new_type]
                .iter()
                .any(|dtype| dtype.to_string().to_lowercase().starts_with(name.as_str())),
            Self::Role(set, name) => {
                set.is_some_and(|set| set.contains(tensor.role)) || tensor.role.name().contains(name.as_str())
            }
            Self::State(name) => match name.as_str() {
                "ternary" => decision.is_ternary(),
                "kept" => !decision.is_ternary(),
                "protected" => decision.protection.is_some(),
                "overridden" => decision.overridden,
                "fallback" => decision.misses_request(),
                _ => false,
            },
        }
    }
}
