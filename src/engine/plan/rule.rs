//! A rule: a pattern and what to do with the tensors it picks.

use std::fmt;
use std::str::FromStr;

use super::pattern::Pattern;
use super::recipe::Precision;
use crate::engine::ternary::{Format, Method};

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Do not make the tensor ternary.
    Keep {
        /// Its precision. `None` takes what the recipe has for tensors that stay.
        precision: Option<Precision>,
    },
    /// Make it ternary. `None` takes the recipe's default.
    Ternary {
        /// Format of the output.
        format: Option<Format>,
        /// How trits are chosen.
        method: Option<Method>,
    },
}

impl Action {
    /// Kept, in the precision that the recipe has for tensors that stay.
    pub const KEEP: Self = Self::Keep { precision: None };
    /// Ternary with the recipe's defaults.
    pub const TERNARY: Self = Self::Ternary { format: None, method: None };

    /// Whether what it acts on does not go ternary.
    pub fn keeps(self) -> bool {
        matches!(self, Self::Keep { .. })
    }

    /// Whether protections are no matter to it: it takes nothing away from a tensor.
    fn is_harmless(self) -> bool {
        matches!(self, Self::Keep { precision: None | Some(Precision::Source) })
    }
}

impl fmt::Display for Action {
    /// `keep`, `keep:q8_0`, `ternary`, `ternary:q2_0`, `ternary:q2_0:twn`: what it is parsed from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, words) = match self {
            Self::Keep { precision } => ("keep", [precision.map(Precision::name), None]),
            Self::Ternary { format, method } => ("ternary", [format.map(Format::name), method.map(Method::name)]),
        };
        f.write_str(verb)?;
        words.into_iter().flatten().try_for_each(|word| write!(f, ":{word}"))
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("'{text}' is no action: keep, keep:TYPE, ternary, ternary:FORMAT, ternary:FORMAT:METHOD");
        let mut words = text.split(':');
        match (words.next(), words.collect::<Vec<_>>().as_slice()) {
            (Some("keep"), []) => Ok(Self::KEEP),
            (Some("keep"), [precision]) => Ok(Self::Keep { precision: Some(precision.parse()?) }),
            (Some("ternary"), words @ ([] | [_] | [_, _])) => {
                let (mut format, mut method) = (None, None);
                for word in words {
                    match (word.parse::<Format>(), word.parse::<Method>()) {
                        (Ok(known), _) if format.is_none() => format = Some(known),
                        (_, Ok(known)) if method.is_none() => method = Some(known),
                        _ => return Err(refuse()),
                    }
                }
                Ok(Self::Ternary { format, method })
            }
            _ => Err(refuse()),
        }
    }
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
        !protected || self.pattern.is_exact() || self.action.is_harmless()
    }
}

impl fmt::Display for Rule {
    /// `PATTERN=ACTION`: what it is parsed from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.pattern, self.action)
    }
}

impl FromStr for Rule {
    type Err = String;

    /// What stands behind the last `=` is the action: a pattern may hold one of its own.
    fn from_str(text: &str) -> Result<Self, String> {
        let (pattern, action) = text
            .rsplit_once('=')
            .ok_or_else(|| format!("'{text}' is no rule: PATTERN=ACTION, such as 'blk.0.*=keep:q8_0'"))?;
        Ok(Self { pattern: pattern.parse()?, action: action.parse()? })
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    precision: Option<Precision>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Keep,
    Ternary,
}

impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let blank =
            |action| Written { pattern: self.pattern.clone(), action, format: None, method: None, precision: None };
        let written = match self.action {
            Action::Keep { precision } => Written { precision, ..blank(Verb::Keep) },
            Action::Ternary { format, method } => Written { format, method, ..blank(Verb::Ternary) },
        };
        written.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Rule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refuse = |why: &str| Err(serde::de::Error::custom(why));
        let Written { pattern, action, format, method, precision } = Written::deserialize(deserializer)?;
        let action = match action {
            Verb::Ternary if precision.is_some() => {
                return refuse("a rule that makes ternary takes a format, and no precision");
            }
            Verb::Ternary => Action::Ternary { format, method },
            Verb::Keep if format.is_some() || method.is_some() => {
                return refuse("a rule that keeps takes a precision, and no format and no method");
            }
            Verb::Keep => Action::Keep { precision },
        };
        Ok(Self { pattern, action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_back_as_they_are_written() {
        for text in [
            "blk.*=keep",
            "blk.0.*=keep:q8_0",
            "role:ffn_up=ternary",
            "re:a=b$=ternary:q2_0:twn",
            "output.weight=ternary:max",
        ] {
            assert_eq!(text.parse::<Rule>().map(|rule| rule.to_string()), Ok(text.to_owned()));
        }
        let bad = ["blk.*", "blk.*=", "a=keep:q9", "a=keep:f16:f16", "a=ternary:q8_0", "a=ternary:twn:max", "a=drop"];
        for text in bad {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_takes_nothing_away_acts_on_protected_tensors_it_does_not_name() {
        let acts = |text: &str| text.parse::<Rule>().is_ok_and(|rule| rule.may_act(true));
        assert!(acts("*=keep") && acts("*=keep:source") && acts("output.weight=keep:q8_0"));
        assert!(!acts("*=keep:q8_0") && !acts("*=ternary"));
    }
}
