//! A rule: a pattern and what to do with the tensors it picks.

use super::pattern::Pattern;
use crate::engine::ternary::{Format, Method};

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Leave the tensor in its precision.
    Keep,
    /// Make it ternary. `None` takes the recipe's default.
    Ternary {
        /// Format of the output.
        format: Option<Format>,
        /// How trits are chosen.
        method: Option<Method>,
    },
}

impl Action {
    /// Ternary with the recipe's defaults.
    pub const TERNARY: Self = Self::Ternary { format: None, method: None };
}

/// A pattern and its action. In a recipe the last rule that matches a tensor wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Which tensors.
    pub pattern: Pattern,
    /// What becomes of them.
    pub action: Action,
}

impl Rule {
    /// Whether it may decide about a tensor that is protected, or not.
    pub(super) fn may_act(&self, protected: bool) -> bool {
        !protected || self.pattern.is_exact() || self.action == Action::Keep
    }
}

/// A rule as it stands in a recipe file.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "match")]
    pattern: Pattern,
    action: Verb,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<Method>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Keep,
    Ternary,
}

impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pattern = self.pattern.clone();
        let written = match self.action {
            Action::Keep => Written { pattern, action: Verb::Keep, format: None, method: None },
            Action::Ternary { format, method } => Written { pattern, action: Verb::Ternary, format, method },
        };
        written.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Rule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let action = match written.action {
            Verb::Ternary => Action::Ternary { format: written.format, method: written.method },
            Verb::Keep if written.format.is_some() || written.method.is_some() => {
                return Err(serde::de::Error::custom("a rule that keeps takes no format and no method"));
            }
            Verb::Keep => Action::Keep,
        };
        Ok(Self { pattern: written.pattern, action })
    }
}
