//! A filter as a value: terms joined by and, or, not. Written out it is a filter again.

use std::fmt;

use super::keys::{Figure, Flag, Joint, TextKey};

/// A filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of these.
    And(Vec<Expr>),
    /// Any of these.
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// One question.
    Term(Term),
}

/// One question about a tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// The name contains this, or its letters in this order where no name does.
    Word(String),
    /// The name.
    Name(NameTest),
    /// A type begins with one of these.
    Type(TypeOf, Vec<String>),
    /// The role is one of these, in one of these families, or has one of these in its name.
    Role(Vec<String>),
    /// The method begins with one of these.
    Method(Vec<String>),
    /// One of these states.
    Is(Vec<Flag>),
    /// A figure, compared. A tensor that has no such figure does not pass.
    Number(Figure, Option<u64>, Test),
}

/// A question about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameTest {
    /// It contains this, whatever the case.
    Part(String),
    /// This glob matches all of it.
    Glob(String),
    /// This regular expression matches somewhere.
    Regex(String),
}

/// Which type is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeOf {
    /// Either.
    Any,
    /// The source's.
    Source,
    /// The output's.
    Output,
}

/// How a figure is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// With one number.
    Op(Op, f64),
    /// With ranges, both ends included; an open end is infinite.
    Within(Vec<(f64, f64)>),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `!=`
    Not,
}

impl Op {
    /// How it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Not => "!=",
        }
    }
}

impl Test {
    /// Whether a figure stands the test. What is no number stands none.
    pub fn holds(&self, value: f64) -> bool {
        match self {
            Self::Op(Op::Less, bound) => value < *bound,
            Self::Op(Op::AtMost, bound) => value <= *bound,
            Self::Op(Op::Greater, bound) => value > *bound,
            Self::Op(Op::AtLeast, bound) => value >= *bound,
            Self::Op(Op::Not, bound) => !value.is_nan() && value != *bound,
            Self::Within(ranges) => ranges.iter().any(|(low, high)| (*low..=*high).contains(&value)),
        }
    }
}

/// What has to be asked again when something changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// It asks what becomes of tensors.
    pub plan: bool,
    /// It asks what was measured.
    pub figures: bool,
    /// It compares errors, of which nothing is known of what was not measured.
    pub errors: bool,
}

impl Needs {
    /// What either needs.
    fn or(self, other: Self) -> Self {
        Self {
            plan: self.plan || other.plan,
            figures: self.figures || other.figures,
            errors: self.errors || other.errors,
        }
    }
}

impl Expr {
    /// What the answer depends on, beside names and shapes.
    pub fn needs(&self) -> Needs {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::needs).fold(Needs::default(), Needs::or),
            Self::Not(inner) => inner.needs(),
            Self::Term(term) => term.needs(),
        }
    }
}

impl Term {
    fn needs(&self) -> Needs {
        let plan = Needs { plan: true, ..Needs::default() };
        let all = Needs { figures: true, ..plan };
        match self {
            Self::Type(TypeOf::Any | TypeOf::Output, _) | Self::Method(_) => plan,
            Self::Is(flags) if flags.iter().any(|f| matches!(f, Flag::Measured | Flag::Exact | Flag::Failed)) => all,
            Self::Is(_) => plan,
            // The format and method that a tensor is measured in follow the plan.
            Self::Number(Figure::Sqnr | Figure::RelMse, ..) => Needs { errors: true, ..all },
            Self::Number(Figure::NewSize | Figure::NewBpw, ..) => plan,
            _ => Needs::default(),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let enclosed = |f: &mut fmt::Formatter<'_>, part: &Self, enclose: bool| {
            if enclose { write!(f, "({part})") } else { write!(f, "{part}") }
        };
        match self {
            Self::And(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { " " })?;
                    enclosed(f, part, matches!(part, Self::And(_) | Self::Or(_)))?;
                }
                Ok(())
            }
            Self::Or(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { " or " })?;
                    enclosed(f, part, matches!(part, Self::Or(_)))?;
                }
                Ok(())
            }
            Self::Not(inner) => {
                f.write_str("not ")?;
                enclosed(f, inner, matches!(**inner, Self::And(_) | Self::Or(_)))
            }
            Self::Term(term) => term.fmt(f),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) if is_plain_word(word) => f.write_str(word),
            Self::Word(word) => quoted(f, word),
            Self::Name(test) => {
                f.write_str("name:")?;
                match test {
                    NameTest::Part(text) => value(f, text),
                    NameTest::Glob(text) => value(f, text),
                    NameTest::Regex(text) => value(f, &format!("re:{text}")),
                }
            }
            Self::Type(TypeOf::Any, names) => listed(f, TextKey::Type, names),
            Self::Type(TypeOf::Source, names) => listed(f, TextKey::From, names),
            Self::Type(TypeOf::Output, names) => listed(f, TextKey::To, names),
            Self::Role(names) => listed(f, TextKey::Role, names),
            Self::Method(names) => listed(f, TextKey::Method, names),
            Self::Is(flags) => {
                let names: Vec<&str> = flags.iter().map(|flag| flag.name()).collect();
                write!(f, "is:{}", names.join(","))
            }
            Self::Number(figure, modulo, test) => {
                f.write_str(figure.name())?;
                if let Some(modulo) = modulo {
                    write!(f, "%{modulo}")?;
                }
                match test {
                    Test::Op(op, bound) => write!(f, "{}{bound}", op.sign()),
                    Test::Within(ranges) => {
                        for (i, (low, high)) in ranges.iter().enumerate() {
                            f.write_str(if i == 0 { "=" } else { "," })?;
                            range(f, *low, *high)?;
                        }
                        Ok(())
                    }
                }
            }
        }
    }
}

fn range(f: &mut fmt::Formatter<'_>, low: f64, high: f64) -> fmt::Result {
    if low == high {
        return write!(f, "{low}");
    }
    if low.is_finite() {
        write!(f, "{low}")?;
    }
    f.write_str("..")?;
    if high.is_finite() { write!(f, "{high}") } else { Ok(()) }
}

fn listed(f: &mut fmt::Formatter<'_>, key: TextKey, values: &[String]) -> fmt::Result {
    write!(f, "{}:{}", key.name(), values.join(","))
}

/// Whether a word can stand as it is: it has nothing of the language's own, and is none of its words.
fn is_plain_word(word: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    !word.is_empty()
        && word.chars().all(plain)
        && Joint::named(word).is_none()
        && Flag::bare(word).is_none()
        && Figure::named(word).is_none_or(Figure::is_in_names)
}

fn value(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || "_.*?:^$|+-/\\[]{}".contains(c);
    if !text.is_empty() && text.chars().all(plain) { f.write_str(text) } else { quoted(f, text) }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
