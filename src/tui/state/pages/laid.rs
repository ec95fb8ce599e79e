//! Texts from files made safe and cut into lines of a width: once, not at every frame.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use crate::text;

/// A text as it may be shown or copied: lines as they are, tabs as spaces, everything else that moves a cursor escaped.
pub fn plain(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    for (i, line) in content.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.contains('\t') {
            out.push_str(&text::escape(&line.replace('\t', "    ")));
        } else {
            out.push_str(&text::escape(line));
        }
    }
    out
}

/// Where to cut a line so that no part takes more than `columns`: behind a space where there is one in its second half.
pub fn folds(line: &str, columns: usize) -> Vec<Range<usize>> {
    let columns = columns.max(4);
    let mut parts = Vec::new();
    let (mut start, mut used, mut space) = (0, 0, None);
    for (at, c) in line.char_indices() {
        let width = c.width().unwrap_or(0);
        if used + width > columns {
            let end = space.filter(|s| *s > start).unwrap_or(at);
            parts.push(start..end);
            used = text::width(&line[end..at]);
            (start, space) = (end, None);
        }
        used += width;
        if c == ' ' && used * 2 > columns {
            space = Some(at + 1);
        }
    }
    parts.push(start..line.len());
    parts
}

/// A text in lines of a width.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Laid {
    columns: usize,
    content: String,
    lines: Vec<Range<usize>>,
    /// For each line the number that it has in the text, where it begins one.
    numbers: Vec<Option<u32>>,
}

impl Laid {
    /// Lays a text from a file out.
    pub fn new(content: &str, columns: usize) -> Self {
        let mut laid = Self { columns: 0, content: plain(content), ..Self::default() };
        laid.fit(columns);
        laid
    }

    /// Lays it out anew if it was for another width.
    pub fn fit(&mut self, columns: usize) {
        if self.columns == columns {
            return;
        }
        self.columns = columns;
        self.lines.clear();
        self.numbers.clear();
        let mut start = 0;
        for (line, number) in self.content.split('\n').zip(1..) {
            self.numbers.push(Some(number));
            self.lines.extend(folds(line, columns).into_iter().map(|r| start + r.start..start + r.end));
            self.numbers.resize(self.lines.len(), None);
            start += line.len() + 1;
        }
    }

    /// The number of the line of the text that begins here; `None` where a line goes on.
    pub fn number(&self, line: usize) -> Option<u32> {
        self.numbers.get(line).copied().flatten()
    }

    /// The text, safe to print.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// How many lines it takes.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    /// Where the lines lie in the content.
    pub fn lines(&self) -> &[Range<usize>] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_width_and_nothing_is_lost() {
        let laid = Laid::new("one two three\n\nabcdefghijklmnop\t|\u{1b}[2J 日本語日本語日本語", 8);
        let lines: Vec<&str> = laid.lines().iter().map(|r| &laid.content()[r.clone()]).collect();
        assert!(lines.iter().all(|l| text::width(l) <= 8), "{lines:?}");
        assert_eq!(lines[..4], ["one two ", "three", "", "abcdefgh"]);
        assert_eq!([0, 1, 2, 3, 4].map(|i| laid.number(i)), [Some(1), None, Some(2), Some(3), None]);
        assert_eq!(lines.concat(), laid.content().replace('\n', ""));
        assert!(laid.content().contains("\\u{1b}[2J") && !laid.content().contains('\t'));
    }

    #[test]
    fn another_width_gives_other_lines() {
        let mut laid = Laid::new("aaaa bbbb cccc", 5);
        assert_eq!(laid.len(), 3);
        laid.fit(80);
        assert_eq!(laid.len(), 1);
        assert_eq!(Laid::new("", 5).lines(), std::slice::from_ref(&(0..0)));
    }
}
