//! Jinja cut into what is coloured differently. It is no parser: whatever stands in a template, every byte of it gets a
//! kind.

use std::ops::Range;

/// What a piece of a template is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes to the prompt as it is.
    Text,
    /// `{%`, `%}`, `{{`, `}}`.
    Delimiter,
    /// A word of the language.
    Keyword,
    /// A string.
    String,
    /// A number.
    Number,
    /// Names and signs of an expression.
    Expression,
    /// A comment.
    Comment,
}

/// Words of the language.
const KEYWORDS: [&str; 30] = [
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "endfor",
    "in",
    "set",
    "endset",
    "not",
    "and",
    "or",
    "is",
    "defined",
    "none",
    "true",
    "false",
    "macro",
    "endmacro",
    "call",
    "endcall",
    "filter",
    "endfilter",
    "block",
    "endblock",
    "generation",
    "endgeneration",
    "break",
    "continue",
    "namespace",
];

/// Pieces of a template, in order and without gaps.
pub fn pieces(template: &str) -> Vec<(Range<usize>, Kind)> {
    let mut pieces = Pieces { text: template, at: 0, found: Vec::new() };
    while pieces.at < template.len() {
        let rest = &template[pieces.at..];
        let Some(open) = ["{%", "{{", "{#"].iter().filter_map(|d| rest.find(d)).min() else {
            pieces.take(rest.len(), Kind::Text);
            break;
        };
        pieces.take(open, Kind::Text);
        let rest = &template[pieces.at..];
        if rest.starts_with("{#") {
            let len = rest.find("#}").map_or(rest.len(), |end| end + 2);
            pieces.take(len, Kind::Comment);
        } else {
            let close = if rest.starts_with("{%") { "%}" } else { "}}" };
            pieces.take(2, Kind::Delimiter);
            pieces.expression(close);
        }
    }
    pieces.found
}

struct Pieces<'a> {
    text: &'a str,
    at: usize,
    found: Vec<(Range<usize>, Kind)>,
}

impl Pieces<'_> {
    fn take(&mut self, len: usize, kind: Kind) {
        if len == 0 {
            return;
        }
        let range = self.at..self.at + len;
        self.at = range.end;
        match self.found.last_mut() {
            Some((last, same)) if *same == kind && kind != Kind::Delimiter => last.end = range.end,
            _ => self.found.push((range, kind)),
        }
    }

    /// Everything up to `close`, and that too.
    fn expression(&mut self, close: &str) {
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            if rest.starts_with(close) {
                self.take(close.len(), Kind::Delimiter);
                return;
            }
            let first = rest.chars().next().unwrap_or(' ');
            let while_in = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
            match first {
                '\'' | '"' => self.take(string_len(rest, first), Kind::String),
                c if c.is_ascii_digit() => self.take(while_in(|c| c.is_ascii_digit() || c == '.'), Kind::Number),
                c if is_word(c) => {
                    let len = while_in(is_word);
                    let keyword = KEYWORDS.contains(&rest[..len].to_ascii_lowercase().as_str());
                    self.take(len, if keyword { Kind::Keyword } else { Kind::Expression });
                }
                c => self.take(c.len_utf8(), Kind::Expression),
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Bytes of a string with its quotes; one that is not closed goes to the end.
fn string_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_cut_into_its_pieces() {
        let text = "Hi {{ name|trim }}{# no #}{%- if x == 'a\\'}}' and 12 %}y";
        let found: Vec<(&str, Kind)> = pieces(text).into_iter().map(|(r, k)| (&text[r], k)).collect();
        let kind = |part: &str| found.iter().find(|(t, _)| *t == part).map(|(_, k)| *k);
        assert_eq!(kind("Hi "), Some(Kind::Text));
        assert_eq!(kind("{# no #}"), Some(Kind::Comment));
        assert_eq!(kind("if"), Some(Kind::Keyword));
        assert_eq!(kind("'a\\'}}'"), Some(Kind::String));
        assert_eq!(kind("12"), Some(Kind::Number));
        assert_eq!(kind("y"), Some(Kind::Text));
        assert_eq!(found.iter().map(|(t, _)| *t).collect::<String>(), text, "nothing is lost");
    }

    #[test]
    fn broken_templates_are_cut_all_the_same() {
        for text in ["{{", "{% 'a", "{#", "{", "}}", "{{ \"日本", "{%%}{{}}", ""] {
            let all: String = pieces(text).into_iter().map(|(r, _)| &text[r]).collect();
            assert_eq!(all, text);
        }
    }
}
