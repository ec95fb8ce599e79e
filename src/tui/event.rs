//! What can happen to the interface, each with the time at which it did.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};

use super::background::Background;
use super::state::dialog::Target;
use super::state::memory::Memory;
use super::state::picker::Entry;
use crate::engine::model::Model;
use crate::engine::plan::Recipe;
use crate::jobs::{ExportRequest, JobEvent, JobId};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Text pasted into the terminal.
    Paste(String),
    /// The screen has another size.
    Resize(u16, u16),
    /// What the terminal's background is.
    Background(Background),
    /// A signal that asks the program to end.
    Signal(i32),
    /// Something from the lanes.
    Job(JobEvent),
    /// An export was accepted and has this number.
    ExportQueued {
        /// Its number.
        id: JobId,
        /// What was asked for.
        request: Arc<ExportRequest>,
        /// What it does, in a few words.
        what: String,
    },
    /// The built-in demo was written to a passing file, or why not.
    DemoWritten(Result<PathBuf, String>),
    /// A folder was read.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What lies in it, or why it cannot be read.
        entries: Result<Vec<Entry>, String>,
    },
    /// The list of recent files was read.
    Recent(Vec<PathBuf>),
    /// A path for an output was looked at.
    Probed(Target),
    /// The recipe was written, or not.
    RecipeWritten {
        /// Where to.
        path: PathBuf,
        /// How it ended.
        result: Saved,
    },
    /// The report of the plan was written, or not.
    ReportWritten {
        /// Where to.
        path: PathBuf,
        /// How it ended.
        result: Saved,
    },
    /// The sensitivity chart was written, or not.
    ChartWritten {
        /// Where to.
        path: PathBuf,
        /// How many files that is.
        files: usize,
        /// How it ended.
        result: Saved,
    },
    /// A recipe file was read.
    RecipeRead {
        /// The file.
        path: PathBuf,
        /// What it says, or why it cannot be read.
        result: Result<Box<Recipe>, String>,
    },
    /// How a model was left is known.
    Recalled(Arc<Model>, Box<Memory>),
    /// Time has passed.
    Wake,
    /// Everything that was waiting is handled and a frame will be drawn.
    Settle,
}

impl Event {
    /// Whether it is something that the user did, and waits to see the effect of.
    pub fn is_users(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Mouse(_) | Self::Paste(_) | Self::Resize(..) | Self::Signal(_))
    }
}

/// How writing a recipe, a report or a chart ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// It is written.
    Written,
    /// A file is there and was left alone.
    Exists,
    /// It could not be written: why.
    Failed(String),
}

/// An event and its time since the start of the program.
#[derive(Debug)]
pub struct Msg {
    /// When.
    pub at: Duration,
    /// What.
    pub event: Event,
}
