//! Chat templates: the Jinja texts that tell a runtime how a conversation becomes a prompt.

use super::Model;
use crate::engine::error::Result;

/// The template that is used unless another is asked for.
const KEY: &str = "tokenizer.chat_template";
/// Bytes of a template that are read; real ones have some ten thousand.
pub const LONGEST: u64 = 1 << 20;

/// Templates that are read.
const MOST: usize = 64;

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its name; empty for the one that is used unless another is asked for.
    pub name: String,
    /// Its text, at most [`LONGEST`] bytes.
    pub text: String,
    /// Bytes that it has in the file.
    pub bytes: u64,
}

impl Template {
    /// The name, or what the one without a name is called.
    pub fn title(&self) -> &str {
        if self.name.is_empty() { "default" } else { &self.name }
    }

    /// Whether a part of it is left out.
    pub fn is_cut(&self) -> bool {
        (self.text.len() as u64) < self.bytes
    }
}

/// Every template of a model, the one without a name first. Errors: one cannot be read.
pub fn templates(model: &Model) -> Result<Vec<Template>> {
    let mut found = Vec::new();
    for entry in model.metadata.entries() {
        if found.len() == MOST {
            break;
        }
        let Some(name) = entry.key.strip_prefix(KEY) else { continue };
        let name = match name.strip_prefix('.') {
            Some(name) => name,
            None if name.is_empty() => "",
            // `tokenizer.chat_templates` lists the names.
            None => continue,
        };
        let glimpse = model.metadata.glimpse(entry, LONGEST, 0)?;
        if let Some(text) = glimpse.value.as_str() {
            found.push(Template { name: name.to_owned(), text: text.to_owned(), bytes: glimpse.bytes });
        }
    }
    found.sort_by_key(|t| !t.name.is_empty());
    Ok(found)
}
