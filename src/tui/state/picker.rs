//! Choosing a file: a line to type a path into, recent files, and what lies in the folder.

use std::path::{Path, PathBuf};

use super::command::expand;
use super::input::TextInput;

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name as the system spells it.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Bytes of a file.
    pub bytes: u64,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The built-in demo model.
    Demo,
    /// A file that was opened before.
    Recent(PathBuf),
    /// The folder above.
    Parent,
    /// Something in the folder, by its index.
    Entry(usize),
}

/// What the chosen file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// To be shown.
    #[default]
    Open,
    /// To stand beside the open model.
    Compare,
}

/// The picker.
#[derive(Debug, Clone)]
pub struct Picker {
    /// What the chosen file is for.
    pub purpose: Purpose,
    /// What was typed: a path, or the beginning of a name in the folder.
    pub input: TextInput,
    /// The folder that is shown.
    pub folder: PathBuf,
    /// What lies in it, or why it cannot be read; `None` until it is read.
    pub entries: Option<Result<Vec<Entry>, String>>,
    /// Index into [`Picker::choices`].
    pub cursor: usize,
    /// Files that were opened before, newest first.
    pub recent: Vec<PathBuf>,
    /// Whether the built-in demo model is offered.
    pub demo: bool,
    /// A file that is not offered: the one that another is wanted for.
    pub without: Option<PathBuf>,
}

impl Picker {
    /// A picker that starts in this folder.
    pub fn new(folder: PathBuf, recent: Vec<PathBuf>) -> Self {
        Self {
            purpose: Purpose::default(),
            input: TextInput::default(),
            folder,
            entries: None,
            cursor: 0,
            recent,
            demo: false,
            without: None,
        }
    }

    /// The typed text cut into the folder it names, if it names one, and the beginning of a name.
    fn parts(&self, home: Option<&Path>, base: &Path) -> (Option<PathBuf>, &str) {
        let text = self.input.text();
        if text == "~" {
            return (Some(expand(text, home)), "");
        }
        match text.rfind('/') {
            Some(at) => {
                // Through its components: without the slash at the end, and without `.`.
                let folder = base.join(expand(&text[..=at], home));
                (Some(folder.components().collect()), &text[at + 1..])
            }
            None => (None, text),
        }
    }

    /// The folder that the typed text asks for, if it is another than the one shown.
    pub fn wanted_folder(&self, home: Option<&Path>, base: &Path) -> Option<PathBuf> {
        self.parts(home, base).0.filter(|folder| *folder != self.folder)
    }

    /// What the list offers for what was typed.
    pub fn choices(&self) -> Vec<Choice> {
        let typed = self.input.text();
        let name = typed.rfind('/').map_or(typed, |at| &typed[at + 1..]).to_lowercase();
        let name = if typed == "~" { String::new() } else { name };
        let offered = |path: &Path| self.without.as_deref() != Some(path);
        let mut choices = Vec::new();
        let entries = self.matching(&name, &offered);
        // Who has typed a name in full means it, whatever else contains it.
        let exact = entries.first().filter(|(rank, _)| *rank == 0).map(|(_, entry)| Choice::Entry(*entry));
        choices.extend(exact.clone());
        if self.demo && typed.is_empty() {
            choices.push(Choice::Demo);
        }
        if !typed.contains('/') {
            let matches = |path: &&PathBuf| offered(path) && path.to_string_lossy().to_lowercase().contains(&name);
            choices.extend(self.recent.iter().filter(matches).cloned().map(Choice::Recent));
        }
        if name.is_empty() && self.folder.parent().is_some() {
            choices.push(Choice::Parent);
        }
        choices.extend(entries.into_iter().skip(usize::from(exact.is_some())).map(|(_, entry)| Choice::Entry(entry)));
        choices
    }

    /// What lies in the folder and has this in its name: first what is called so, then what begins so.
    fn matching(&self, name: &str, offered: &impl Fn(&Path) -> bool) -> Vec<(usize, usize)> {
        let Some(Ok(entries)) = &self.entries else { return Vec::new() };
        let matches = |e: &Entry| {
            e.name.to_lowercase().contains(name)
                && (!e.name.starts_with('.') || name.starts_with('.'))
                && (e.folder || offered(&self.folder.join(&e.name)))
        };
        let rank = |e: &Entry| match e.name.to_lowercase() {
            full if full == name => 0,
            full if full.starts_with(name) => 1,
            _ => 2,
        };
        let found = entries.iter().enumerate().filter(|(_, e)| matches(e));
        let mut found: Vec<(usize, usize)> = found.map(|(i, e)| (rank(e), i)).collect();
        found.sort_by_key(|(rank, _)| *rank);
        found
    }

    /// The path of a choice, and whether it is a folder.
    pub fn path_of(&self, choice: &Choice) -> Option<(PathBuf, bool)> {
        Some(match choice {
            Choice::Demo => return None,
            Choice::Recent(path) => (path.clone(), false),
            Choice::Parent => (self.folder.parent()?.to_owned(), true),
            Choice::Entry(index) => {
                let entry = self.entries.as_ref()?.as_ref().ok()?.get(*index)?;
                (self.folder.join(&entry.name), entry.folder)
            }
        })
    }

    /// Shows another folder; its entries are still to be read.
    pub fn enter(&mut self, folder: PathBuf) {
        self.folder = folder;
        // They are for the folder that one begins in.
        self.recent.clear();
        self.entries = None;
        self.cursor = 0;
    }
}
