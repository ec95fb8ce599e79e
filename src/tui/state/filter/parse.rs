//! From what was typed to a filter, or to what is wrong with it and where.
//!
//! ```text
//! either := both ("or" both)*
//! both   := one ("and"? one)*
//! one    := ("not" | "-" | "!") one | "(" either ")" | term
//! ```

use std::ops::Range;

use super::expr::{Expr, NameTest, Op, Term, Test, TypeOf};
use super::keys::{Figure, Flag, Joint, TextKey};
use super::number;
use crate::engine::codec::DType;
use crate::engine::model::{Role, RoleSet};
use crate::engine::plan::Pattern;
use crate::engine::ternary::Method;

/// Parentheses and negations within each other: the parser recurses, and text can be pasted.
const MAX_DEPTH: usize = 100;

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The bytes of the text that are wrong; empty at its end where something is missing.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
}

type Parsed<T> = Result<T, Problem>;

/// Parses a filter; `None` for a text without words.
pub fn parse(text: &str) -> Parsed<Option<Expr>> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    parser.skip_spaces();
    if parser.at == text.len() {
        return Ok(None);
    }
    let expr = parser.either()?;
    // Only a parenthesis too many stops before the end.
    if parser.at < text.len() {
        return Err(problem(parser.at..parser.at + 1, "no ( is open here"));
    }
    Ok(Some(expr))
}

fn problem(at: Range<usize>, message: impl Into<String>) -> Problem {
    Problem { at, message: message.into() }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// The operator that is next, and its length.
    fn joint(&self) -> Option<(Joint, usize)> {
        let word = self.rest().split(|c: char| c.is_whitespace() || "()\"".contains(c)).next().unwrap_or("");
        Joint::named(word).map(|joint| (joint, word.len()))
    }

    fn missing(&self, behind: &str) -> Problem {
        problem(self.at..self.at, format!("something has to stand behind {behind}"))
    }

    fn either(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.both()?];
        while let Some((Joint::Or, len)) = self.joint() {
            self.at += len;
            self.skip_spaces();
            if self.ends() {
                return Err(self.missing("or"));
            }
            parts.push(self.both()?);
        }
        Ok(single(parts, Expr::Or))
    }

    fn ends(&self) -> bool {
        matches!(self.peek(), None | Some(')'))
    }

    fn both(&mut self) -> Parsed<Expr> {
        if let Some((joint @ (Joint::And | Joint::Or), len)) = self.joint() {
            let word = if joint == Joint::And { "and" } else { "or" };
            return Err(problem(self.at..self.at + len, format!("nothing stands before {word}")));
        }
        let mut parts = vec![self.one()?];
        loop {
            match self.joint() {
                Some((Joint::Or, _)) => break,
                Some((Joint::And, len)) => {
                    self.at += len;
                    self.skip_spaces();
                    if self.ends() || matches!(self.joint(), Some((Joint::And | Joint::Or, _))) {
                        return Err(self.missing("and"));
                    }
                }
                _ if self.ends() => break,
                _ => {}
            }
            parts.push(self.one()?);
        }
        Ok(single(parts, Expr::And))
    }

    fn one(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(problem(self.at..self.at, "too many parentheses within each other"));
        }
        let start = self.at;
        let expr = match (self.joint(), self.peek()) {
            (Some((Joint::Not, len)), _) => self.negated(len, "not")?,
            (_, Some('-')) => self.negated(1, "-")?,
            (_, Some('!')) => self.negated(1, "!")?,
            (_, Some('(')) => {
                self.at += 1;
                self.skip_spaces();
                if self.ends() {
                    return Err(self.missing("("));
                }
                let inner = self.either()?;
                if self.peek() != Some(')') {
                    return Err(problem(start..start + 1, "this ( is not closed"));
                }
                self.at += 1;
                inner
            }
            (_, None | Some(')')) => return Err(self.missing("this")),
            _ => self.term()?,
        };
        self.skip_spaces();
        self.depth -= 1;
        Ok(expr)
    }

    fn negated(&mut self, len: usize, word: &str) -> Parsed<Expr> {
        self.at += len;
        self.skip_spaces();
        if self.ends() || matches!(self.joint(), Some((Joint::And | Joint::Or, _))) {
            return Err(self.missing(word));
        }
        Ok(Expr::Not(Box::new(self.one()?)))
    }

    fn term(&mut self) -> Parsed<Expr> {
        let start = self.at;
        if self.peek() == Some('"') {
            return Ok(Expr::Term(Term::Word(self.quoted()?)));
        }
        let head_len = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest().len());
        let head = &self.rest()[..head_len];
        let behind = &self.rest()[head_len..];
        if let Some(figure) = Figure::named(head) {
            let spaced = behind.trim_start();
            let compared = spaced.starts_with(['<', '>', '=', '%']) || spaced.starts_with("!=");
            if compared || behind.starts_with(':') {
                self.at += head_len;
                return self.comparison(figure, start);
            }
        }
        let sign = ["!=", ":", "=", "<", ">"].into_iter().find(|sign| behind.starts_with(sign));
        if let (Some(sign), false) = (sign, head.is_empty()) {
            let range = start..start + head_len;
            self.at += head_len + sign.len();
            return match TextKey::named(head) {
                Some(_) if matches!(sign, "<" | ">") => {
                    Err(problem(range, format!("{head} is no number: write {head}:… ")))
                }
                Some(key) => {
                    let term = Expr::Term(self.text_term(key)?);
                    Ok(if sign == "!=" { Expr::Not(Box::new(term)) } else { term })
                }
                None if head.eq_ignore_ascii_case("re") => {
                    self.at = start;
                    Ok(Expr::Term(self.text_term(TextKey::Name)?))
                }
                None => Err(problem(range, unknown_key(head))),
            };
        }
        self.word()
    }

    /// A word of a name; `*` and `?` make it a glob for a part of the name.
    fn word(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let word = self.bare();
        if let Some(flag) = Flag::bare(word) {
            return Ok(Expr::Term(Term::Is(vec![flag])));
        }
        if let Some(figure) = Figure::named(word).filter(|figure| !figure.is_in_names()) {
            return Err(problem(self.at..self.at, format!("compare it with a number: {}", figure.example())));
        }
        if word.contains(['*', '?']) {
            let glob = format!("*{}*", word.trim_matches('*'));
            check_glob(&glob).map_err(|why| problem(start..self.at, why))?;
            return Ok(Expr::Term(Term::Name(NameTest::Glob(glob))));
        }
        Ok(Expr::Term(Term::Word(word.to_owned())))
    }

    /// What stands here up to a space, or a parenthesis that was not opened in it.
    fn bare(&mut self) -> &'a str {
        let mut open = 0usize;
        let rest = self.rest();
        let end = rest.char_indices().find(|(_, c)| match c {
            '(' => {
                open += 1;
                false
            }
            ')' if open > 0 => {
                open -= 1;
                false
            }
            c => *c == ')' || c.is_whitespace(),
        });
        let len = end.map_or(rest.len(), |(i, _)| i);
        self.at += len;
        &rest[..len]
    }

    /// Text in quotation marks; a backslash before one, or before a backslash, makes it part of the text.
    fn quoted(&mut self) -> Parsed<String> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    if text.is_empty() {
                        return Err(problem(start..self.at, "nothing stands between the quotation marks"));
                    }
                    return Ok(text);
                }
                '\\' if matches!(chars.peek(), Some((_, '"' | '\\'))) => {
                    text.extend(chars.next().map(|(_, c)| c));
                }
                c => text.push(c),
            }
        }
        Err(problem(start..start + 1, "this quotation mark is not closed"))
    }

    fn text_term(&mut self, key: TextKey) -> Parsed<Term> {
        let start = self.at;
        let text = if self.peek() == Some('"') { self.quoted()? } else { self.bare().to_owned() };
        let range = start..self.at;
        if text.is_empty() {
            return Err(problem(range, format!("a value is missing: {}", examples(key))));
        }
        match key {
            TextKey::Name => name_test(&text).map(Term::Name).map_err(|why| problem(range, why)),
            TextKey::Is => list(&text, &range, |word| Flag::named(word).ok_or_else(unknown_state)).map(Term::Is),
            TextKey::Type => list(&text, &range, type_name).map(|names| Term::Type(TypeOf::Any, names)),
            TextKey::From => list(&text, &range, type_name).map(|names| Term::Type(TypeOf::Source, names)),
            TextKey::To => list(&text, &range, type_name).map(|names| Term::Type(TypeOf::Output, names)),
            TextKey::Role => list(&text, &range, role_name).map(Term::Role),
            TextKey::Method => list(&text, &range, method_name).map(Term::Method),
        }
    }

    /// `sqnr<7`, `layer:4..12`, `cols%256!=0`; spaces around the sign are allowed.
    fn comparison(&mut self, figure: Figure, start: usize) -> Parsed<Expr> {
        self.skip_spaces();
        let mut modulo = None;
        if self.peek() == Some('%') {
            self.at += 1;
            self.skip_spaces();
            let (at, word) = self.number_word();
            modulo = match word.parse::<u64>() {
                Ok(n) if n > 0 => Some(n),
                _ if word.is_empty() => return Err(problem(at, "a number is missing: cols%256!=0")),
                _ => return Err(problem(at, "the remainder of what? cols%256!=0")),
            };
            self.skip_spaces();
        }
        if self.peek() == Some(':') {
            self.at += 1;
        }
        let signs = [
            ("<=", Some(Op::AtMost)),
            (">=", Some(Op::AtLeast)),
            ("!=", Some(Op::Not)),
            ("==", None),
            ("<", Some(Op::Less)),
            (">", Some(Op::Greater)),
            ("=", None),
            ("", None),
        ];
        let found = signs.iter().find(|(sign, _)| self.rest().starts_with(sign));
        let (sign, op) = found.copied().unwrap_or(("", None));
        if modulo.is_some() && sign.is_empty() && !self.text[start..self.at].ends_with(':') {
            return Err(problem(self.at..self.at, "compare the remainder: cols%256!=0"));
        }
        self.at += sign.len();
        self.skip_spaces();
        let (at, word) = self.number_word();
        if word.is_empty() {
            return Err(problem(at, format!("a number is missing: {}", figure.example())));
        }
        let test = match op {
            Some(op) => number::parse(word, figure.is_bytes()).map(|bound| Test::Op(op, bound)),
            None => number::ranges(word, figure.is_bytes()).map(Test::Within),
        };
        test.map(|test| Expr::Term(Term::Number(figure, modulo, test))).map_err(|why| problem(at, why))
    }

    fn number_word(&mut self) -> (Range<usize>, &'a str) {
        let start = self.at;
        let rest = self.rest();
        let len = rest.find(|c: char| c.is_whitespace() || "()<>=!%\"".contains(c)).unwrap_or(rest.len());
        self.at += len;
        (start..self.at, &rest[..len])
    }
}

fn single(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => join(parts),
    }
}

/// The parts between commas, each read by `read`; a part that cannot be read is what is wrong.
fn list<T>(text: &str, range: &Range<usize>, read: impl Fn(&str) -> Result<T, String>) -> Parsed<Vec<T>> {
    let exact = range.len() == text.len();
    let mut at = range.start;
    let mut values = Vec::new();
    for part in text.split(',') {
        let here = if exact { at..at + part.len() } else { range.clone() };
        at += part.len() + 1;
        // A comma at the end is on its way to the next value.
        if part.is_empty() && !values.is_empty() {
            continue;
        }
        values.push(read(part).map_err(|why| problem(here, why))?);
    }
    Ok(values)
}

fn name_test(text: &str) -> Result<NameTest, String> {
    if let Some(regex) = text.strip_prefix("re:") {
        if regex.is_empty() {
            return Err("a regular expression is missing: name:re:^blk".to_owned());
        }
        return match text.parse::<Pattern>() {
            Ok(_) => Ok(NameTest::Regex(regex.to_owned())),
            // The parser's own drawing takes several lines; the last says what it is.
            Err(why) => Err(why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()),
        };
    }
    if text.contains(['*', '?', '[', ']', '{', '}']) {
        check_glob(text)?;
        return Ok(NameTest::Glob(text.to_owned()));
    }
    Ok(NameTest::Part(text.to_owned()))
}

fn check_glob(text: &str) -> Result<(), String> {
    text.parse::<Pattern>().map(drop)
}

fn type_name(word: &str) -> Result<String, String> {
    let lower = word.to_lowercase();
    let known = DType::names().any(|name| !lower.is_empty() && starts_with(name, &lower));
    // A number that no table knows is shown as `type 99`.
    let number = lower.parse::<u32>().is_ok();
    if known || number { Ok(lower) } else { Err(format!("no type begins with '{word}': {}", examples(TextKey::Type))) }
}

/// Whether a word begins with another, ignoring case.
pub(super) fn starts_with(word: &str, beginning: &str) -> bool {
    word.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

fn role_name(word: &str) -> Result<String, String> {
    let lower = word.to_lowercase();
    let part = |name: &str| !lower.is_empty() && name.contains(&lower);
    if Role::ALL.iter().any(|(_, name)| part(name)) || RoleSet::FAMILIES.iter().any(|(_, name)| part(name)) {
        return Ok(lower);
    }
    Err(format!("no role has '{word}' in its name: {}", examples(TextKey::Role)))
}

fn method_name(word: &str) -> Result<String, String> {
    let lower = word.to_lowercase();
    if !lower.is_empty() && Method::ALL.iter().any(|m| starts_with(m.name(), &lower)) {
        return Ok(lower);
    }
    Err(format!("no method begins with '{word}': {}", examples(TextKey::Method)))
}

fn unknown_state() -> String {
    let names: Vec<&str> = Flag::ALL.iter().map(|(_, name)| *name).collect();
    format!("no such state: {}", names.join(", "))
}

fn unknown_key(head: &str) -> String {
    let texts = TextKey::ALL.iter().map(|(_, name)| *name);
    let figures = Figure::ALL.iter().map(|(figure, _)| figure.name());
    format!("no key '{head}': {}", texts.chain(figures).collect::<Vec<_>>().join(", "))
}

fn examples(key: TextKey) -> String {
    match key {
        TextKey::Type | TextKey::From | TextKey::To => "f16, q8_0, tq2_0, …".to_owned(),
        TextKey::Role => "expert, attn, ffn, linear, router, attn_q, …".to_owned(),
        TextKey::Name => "name:blk.*.ffn_*, name:re:^blk".to_owned(),
        TextKey::Method => Method::ALL.iter().map(|m| m.name()).collect::<Vec<_>>().join(", "),
        TextKey::Is => Flag::ALL.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", "),
    }
}
