//! One line of editable text.

/// Text with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextInput {
    text: String,
    /// Byte position, always on a character boundary.
    cursor: usize,
    /// Whether it is a path that was proposed and not touched yet: one that begins anew replaces it.
    proposed: bool,
}

/// A change to a line of text, or a movement in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEdit {
    /// Puts a character in.
    Insert(char),
    /// Deletes the character before the cursor.
    Backspace,
    /// Deletes the character under the cursor.
    Delete,
    /// Deletes back to the start of the word, or of the path's last part.
    WordBack,
    /// Deletes everything.
    Clear,
    /// One character left.
    Left,
    /// One character right.
    Right,
    /// To the start.
    Home,
    /// To the end.
    End,
}

impl TextInput {
    /// This text with the cursor behind it.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text, proposed: false }
    }

    /// A path that is proposed, the cursor behind it: typing `/` or `~` there begins another one.
    pub fn proposal(path: impl Into<String>) -> Self {
        Self { proposed: true, ..Self::new(path) }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text before and behind the cursor.
    pub fn split(&self) -> (&str, &str) {
        self.text.split_at(self.cursor)
    }

    /// Replaces the text.
    pub fn set(&mut self, text: impl Into<String>) {
        *self = Self::new(text);
    }

    /// Puts text in the place of some bytes and the cursor behind it; bytes that are no whole characters stay.
    pub fn replace(&mut self, bytes: std::ops::Range<usize>, text: &str) {
        if self.text.get(bytes.clone()).is_some() {
            self.cursor = bytes.start;
            self.text.replace_range(bytes, "");
            self.insert(text);
        }
    }

    /// Puts text in at the cursor, without its control characters.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    /// Applies an edit; whether the text changed.
    pub fn apply(&mut self, edit: TextEdit) -> bool {
        if std::mem::take(&mut self.proposed) && matches!(edit, TextEdit::Insert('/' | '~')) {
            *self = Self::default();
            self.apply(edit);
            return true;
        }
        let (before, after) = self.split();
        // A letter and its accents are one sign.
        let ((_, previous), (next, _)) = (crate::text::ends(before), crate::text::ends(after));
        let len = self.text.len();
        match edit {
            TextEdit::Insert(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            TextEdit::Backspace => {
                self.text.drain(self.cursor - previous..self.cursor);
                self.cursor -= previous;
            }
            TextEdit::Delete => drop(self.text.drain(self.cursor..self.cursor + next)),
            TextEdit::WordBack => {
                let separators = ['/', ' ', '.'];
                let start = before.trim_end_matches(separators).rfind(separators).map_or(0, |i| i + 1);
                self.text.drain(start..self.cursor);
                self.cursor = start;
            }
            TextEdit::Clear => *self = Self::default(),
            TextEdit::Left => self.cursor -= previous,
            TextEdit::Right => self.cursor += next,
            TextEdit::Home => self.cursor = 0,
            TextEdit::End => self.cursor = len,
        }
        self.text.len() != len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_begins_anew_replaces_one_that_was_proposed() {
        let mut input = TextInput::proposal("/a/b.gguf");
        assert!(input.apply(TextEdit::Insert('~')) && input.apply(TextEdit::Insert('/')));
        assert_eq!(input.text(), "~/");
        let mut touched = TextInput::proposal("/a/b");
        touched.apply(TextEdit::Home);
        touched.apply(TextEdit::End);
        touched.apply(TextEdit::Insert('/'));
        assert_eq!(touched.text(), "/a/b/");
        let mut name = TextInput::proposal("/a/b.gguf");
        name.apply(TextEdit::Insert('2'));
        assert_eq!(name.text(), "/a/b.gguf2");
    }

    #[test]
    fn edits_keep_to_character_boundaries() {
        let mut input = TextInput::new("/a/öl.gguf");
        for _ in 0..6 {
            input.apply(TextEdit::Left);
        }
        assert_eq!(input.split(), ("/a/ö", "l.gguf"));
        assert!(input.apply(TextEdit::Backspace) && input.apply(TextEdit::Insert('é')));
        assert_eq!(input.text(), "/a/él.gguf");
        input.apply(TextEdit::End);
        input.apply(TextEdit::WordBack);
        assert_eq!(input.text(), "/a/él.");
        assert!(!input.apply(TextEdit::Delete));
    }
}
