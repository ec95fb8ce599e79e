//! Everything the interface knows, as plain values: no widget, no colour, no terminal.
//!
//! [`State`] changes in [`super::update`] only and is drawn by [`super::view`].

pub mod appearance;
pub mod apply;
pub mod columns;
pub mod command;
pub mod compare;
pub mod copying;
pub mod dialog;
pub mod edit;
pub mod fate;
pub mod filter;
pub mod geometry;
pub mod input;
pub mod jobs;
pub mod kinds;
pub mod looks;
pub mod matrix;
pub mod memory;
pub mod notice;
pub mod pages;
pub mod palette;
pub mod pane;
pub mod parked;
pub mod patterns;
pub mod picker;
pub mod plan;
pub mod presets;
pub mod previews;
pub mod quantize;
pub mod selection;
pub mod sensitivity;
pub mod session;
pub mod slider;
pub mod sparse;
pub mod summary;
pub mod tour;
pub mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::imatrix::Imatrix;
use crate::engine::plan::Recipe;
use crate::jobs::ExportStatus;
use crate::tui::action::Action;
use crate::tui::clipboard::Multiplexer;
use crate::tui::keymap::Keymap;

pub use appearance::Appearance;
pub use dialog::Dialog;
use dialog::JobsDialog;
pub use geometry::{Area, Geometry};
use jobs::Job;
use parked::Parked;
pub use session::{Screen, Session, Tab};

/// What holds for the whole run of the program.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How the program is called in the command line that is shown.
    pub command: String,
    /// The flags on it that have models read as they are here.
    pub reading: Vec<String>,
    /// The home folder, for `~`.
    pub home: Option<PathBuf>,
    /// The folder that relative paths are in.
    pub folder: PathBuf,
    /// How paths of files that do not last begin: outputs do not go beside such a source, but to the working folder.
    pub passing: Option<String>,
    /// The recipe that a model starts with.
    pub recipe: Recipe,
    /// How much each input channel counts.
    pub imatrix: Option<Arc<Imatrix>>,
    /// Worker threads of exports, unless a form says otherwise.
    pub threads: usize,
    /// What the keys do.
    pub keymap: Arc<Keymap>,
    /// Whether the colours follow the terminal's background.
    pub auto_theme: bool,
    /// Whether a file is shown as it was left.
    pub restore: bool,
    /// What stands between the program and the terminal that copies go to.
    pub multiplexer: Option<Multiplexer>,
    /// The tree's columns, most important first; none for those that fit.
    pub columns: Option<Vec<columns::Shown>>,
}

impl Settings {
    /// How the program is called.
    pub fn call(&self) -> command::Call<'_> {
        command::Call { command: &self.command, reading: &self.reading }
    }
}

/// A file that is being opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The file.
    pub path: PathBuf,
    /// Since when.
    pub since: Duration,
}

/// What the mouse has hold of while its button is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drag {
    /// The line between tree and preview.
    Splitter,
    /// The map, since the pointer was here and this row and block were its first.
    Map {
        /// Column and row of the screen.
        from: (u16, u16),
        /// First row and block of the window.
        first: (u64, u64),
    },
}

/// The state of the interface.
#[derive(Debug, Clone)]
pub struct State {
    /// What holds for the whole run.
    pub settings: Settings,
    /// Time of the last message, since the start of the program.
    pub now: Duration,
    /// Colours, signs, the mouse.
    pub appearance: Appearance,
    /// Columns and rows of the screen.
    pub size: (u16, u16),
    /// The model, if one is open.
    pub session: Option<Session>,
    /// Figures of models that were left.
    pub parked: Parked,
    /// The file that is being opened.
    pub opening: Option<Opening>,
    /// What lies over the main screen.
    pub dialog: Option<Dialog>,
    /// The exports.
    pub jobs: JobList,
    /// Messages.
    pub notices: Notices,
    /// Files that were opened before, newest first.
    pub recent: Vec<PathBuf>,
    /// Whether the program ends when the last job has.
    pub quit_when_done: bool,
    /// Whether the previews that are wanted have to be worked out anew.
    pub wants_changed: bool,
    /// Whether sums have to be made anew.
    pub sums_changed: bool,
    /// The last click: when and on which row.
    pub last_click: Option<(Duration, usize)>,
    /// Comparisons that were begun: the number of the last one.
    pub comparisons: u64,
    /// What the mouse drags.
    pub drag: Option<Drag>,
    /// The tour, while it is on.
    pub tour: Option<tour::Tour>,
    /// The plan's revision that is kept, or is going to be.
    pub kept: u64,
    /// When it is.
    pub keep_at: Option<Duration>,
    /// Where things were drawn last.
    pub geometry: Geometry,
}

pub use jobs::JobList;
pub use notice::{Notices, Tone};

/// Interval of whatever moves by itself.
const ANIMATION: Duration = Duration::from_millis(125);

impl State {
    /// Nothing open yet.
    pub fn new(settings: Settings, size: (u16, u16)) -> Self {
        Self {
            settings,
            now: Duration::ZERO,
            appearance: Appearance::default(),
            size,
            session: None,
            parked: Parked::default(),
            opening: None,
            dialog: None,
            jobs: JobList::default(),
            notices: Notices::default(),
            recent: Vec::new(),
            quit_when_done: false,
            wants_changed: false,
            sums_changed: false,
            last_click: None,
            comparisons: 0,
            drag: None,
            tour: None,
            kept: 0,
            keep_at: None,
            geometry: Geometry::default(),
        }
    }

    /// Whether a file goes away with the program, such as the demo.
    pub fn passes(&self, path: &Path) -> bool {
        self.settings.passing.as_deref().is_some_and(|prefix| path.to_string_lossy().starts_with(prefix))
    }

    /// Whether the importance matrix has something about a tensor of the open model.
    pub fn has_importance(&self, tensor: usize) -> bool {
        let tensor = self.session.as_ref().and_then(|s| s.model.tensors.get(tensor));
        self.settings.imatrix.as_ref().zip(tensor).is_some_and(|(m, t)| m.entry(&t.name).is_some())
    }

    /// Where outputs go unless told otherwise: beside the source.
    pub fn out_folder<'a>(&'a self, source: &'a Path) -> &'a Path {
        source.parent().filter(|_| !self.passes(source)).unwrap_or(&self.settings.folder)
    }

    /// What is asked of the user, if anything, though help or the palette may lie over it.
    pub fn asking(&mut self) -> Option<&mut Dialog> {
        self.dialog.as_mut()?.asking()
    }

    /// Closes what was asked.
    pub fn asked(&mut self) {
        self.dialog = self.dialog.take().and_then(Dialog::settled);
    }

    /// Shows a message.
    pub fn notify(&mut self, tone: Tone, text: impl Into<String>) {
        self.notices.push(tone, text, self.now);
    }

    /// Whether the screen is too small to show what keys would do.
    pub fn is_blind(&self) -> bool {
        let (least, (columns, rows)) = (geometry::MIN_SIZE, self.size);
        columns > 0 && rows > 0 && (columns < least.0 || rows < least.1)
    }

    /// Whether an action has something to act on in the list of exports.
    pub fn fits_job(&self, action: Action) -> bool {
        let dialog = if let Some(Dialog::Jobs(dialog)) = self.dialog { dialog } else { JobsDialog::default() };
        let job = self.jobs.selected(&dialog);
        if dialog.cancelling.is_some() {
            return matches!(action, Action::Accept | Action::Back);
        }
        match action {
            Action::Accept => false,
            Action::PauseJob => job.is_some_and(|job| job.stage().is_some()),
            Action::CancelJob => job.is_some_and(|job| job.state.is_active()),
            Action::RunJobNext => job.is_some_and(Job::is_queued) && self.jobs.waiting().count() > 1,
            Action::RetryJob => job.is_some_and(Job::can_retry),
            Action::OpenResult | Action::CompareResult => job.is_some_and(Job::is_finished),
            Action::JobLog => job.is_some(),
            Action::Up | Action::Down => dialog.log.is_some() || self.jobs.all().len() > 1,
            _ => true,
        }
    }

    /// When the screen changes without an event; `None` while nothing moves.
    pub fn next_wake(&self) -> Option<Duration> {
        let running =
            self.jobs.active().any(|job| matches!(job.state.status, ExportStatus::Running(_)) && job.paused.is_none());
        let animated = (self.opening.is_some() || running).then(|| self.now + ANIMATION);
        let filter = self.session.as_ref().and_then(|s| s.filter.due(&s.plan, &s.previews));
        let session = self.session.as_ref();
        let sort = session.and_then(Session::sort_due);
        let sweep = session.and_then(|s| s.sweeps.unfinished.then_some(self.now));
        let decisions = session.and_then(|s| s.decisions_wake(self.now, ANIMATION));
        let all = [animated, self.notices.expires(self.now), filter, sort, sweep, decisions, self.keep_at];
        all.into_iter().flatten().min()
    }

    /// A phase that counts up while something animates.
    pub fn phase(&self) -> usize {
        (self.now.as_millis() / ANIMATION.as_millis()) as usize
    }
}
