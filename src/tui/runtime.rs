//! Does in the world what updates ask for.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use tempfile::TempDir;

use super::Options;
use super::backlog::Backlog;
use super::clipboard::{self, Multiplexer};
use super::effect::{Effect, Exit};
use super::event::Event;
use super::files::{self, Files};
use super::terminal;
use super::{journal, keeping};
use crate::engine::demo;
use crate::engine::error::{Error, Result};
use crate::engine::model::{Model, OpenOptions};
use crate::jobs::{ExportRequest, Jobs};

/// The lanes and what else effects need.
pub(super) struct Runtime {
    jobs: Jobs,
    files: Files,
    open: OpenOptions,
    base: Option<Arc<Model>>,
    state_folder: Option<PathBuf>,
    multiplexer: Option<Multiplexer>,
    /// Where the built-in demo was written, if it was asked for.
    demo: Option<TempDir>,
    /// What has not come back.
    pub(super) backlog: Backlog,
    /// Set while the next frame is to be drawn as a whole.
    pub(super) redraw: bool,
    /// Set once the program is to end.
    pub(super) exit: Option<Exit>,
}

impl Runtime {
    /// Starts the lanes; what they report goes to `events`.
    pub(super) fn start(options: &Options, events: &Sender<Event>) -> Result<Self> {
        let sender = events.clone();
        // Nobody listens any more once the loop has ended.
        let sink = std::sync::Arc::new(move |event| drop(sender.send(Event::Job(event))));
        let files = Files::start(events.clone())?;
        let jobs = Jobs::start(options.threads.max(1), options.imatrix.clone(), options.base.clone(), sink)?;
        Ok(Self {
            jobs,
            files,
            open: options.open.clone(),
            base: options.base.clone(),
            state_folder: options.state_folder.clone(),
            multiplexer: options.multiplexer,
            demo: None,
            backlog: Backlog::default(),
            redraw: false,
            exit: None,
        })
    }

    /// Does one thing; what is known of it at once comes back.
    pub(super) fn run(&mut self, effect: Effect) -> Option<Event> {
        journal::effect(&effect);
        self.backlog.effect(&effect);
        match effect {
            Effect::Open(path) => self.jobs.open(path, self.open.clone(), self.base.clone()),
            Effect::WantPreviews(model, wants) => self.jobs.want_previews(&model, wants),
            Effect::WantLooks(model, looks) => self.jobs.want_looks(&model, looks),
            Effect::Export { model, plan, recipe, options, threads, what } => {
                let request = ExportRequest { model, plan, recipe, options, threads };
                let id = self.jobs.export(request.clone());
                return Some(Event::ExportQueued { id, request: Arc::new(request), what });
            }
            Effect::CancelExport(id) => self.jobs.cancel_export(id),
            Effect::PauseExport(id, paused) => self.jobs.pause_export(id, paused),
            Effect::RunExportNext(id) => self.jobs.run_export_next(id),
            Effect::Ask(model, question) => self.jobs.ask(model, question),
            Effect::Check(model) => self.jobs.check(model),
            Effect::StopCheck => self.jobs.cancel_check(),
            Effect::WriteDemo => return Some(Event::DemoWritten(self.demo().map_err(|e| e.to_string()))),
            Effect::ReadFolder(path) => self.files.submit(move || Some(files::read_folder(path))),
            Effect::ReadRecent => {
                if let Some(list) = self.recent_list() {
                    self.files.submit(move || Some(files::read_recent(&list)));
                }
            }
            Effect::WriteRecent(paths) => {
                if let Some(list) = self.recent_list() {
                    self.files.submit(move || {
                        files::write_recent(&list, &paths);
                        None
                    });
                }
            }
            Effect::Probe { path, model } => self.files.submit(move || Some(files::probe(path, &model))),
            Effect::WriteRecipe { path, recipe, overwrite } => {
                self.files.submit(move || Some(files::write_recipe(path, &recipe, overwrite)));
            }
            Effect::WriteReport { path, report, overwrite } => {
                self.files.submit(move || Some(files::write_report(path, &report, overwrite)));
            }
            Effect::WriteChart { path, chart, measure, overwrite } => {
                self.files.submit(move || Some(files::write_chart(path, &chart, measure, overwrite)));
            }
            Effect::Compare { id, a, b } => self.jobs.compare(id, a, b),
            Effect::LookAtPair { id, a, b, index, pair } => self.jobs.look_at_pair(id, a, b, index, pair),
            Effect::Copy(text) => terminal::send(&clipboard::copy(&text, self.multiplexer)),
            Effect::Redraw => self.redraw = true,
            Effect::SetMouse(on) => terminal::set_mouse(on),
            Effect::ReadRecipe(path) => self.files.submit(move || Some(files::read_recipe(path))),
            Effect::EndTour => {
                if let Some(folder) = self.state_folder.clone() {
                    self.files.submit(move || {
                        keeping::end_tour(&folder);
                        None
                    });
                }
            }
            Effect::Recall(model) => {
                if let Some(folder) = self.state_folder.clone() {
                    self.files.submit(move || keeping::recall(&folder, &model));
                }
            }
            Effect::Remember(model, memory) => {
                if let Some(folder) = self.state_folder.clone() {
                    self.files.submit(move || {
                        keeping::remember(&folder, &model, &memory);
                        None
                    });
                }
            }
            Effect::Quit(exit) => self.exit = Some(exit),
        }
        None
    }

    /// Has the background wait for what is done next, or no longer.
    pub(super) fn go_first(&self, first: bool) {
        if first { self.jobs.way().take() } else { self.jobs.way().free() }
    }

    /// Whether all that was asked for is done.
    pub(super) fn is_idle(&self) -> bool {
        self.backlog.is_empty() && self.files.is_idle()
    }

    /// The built-in demo in a folder that goes when the program ends.
    fn demo(&mut self) -> Result<PathBuf> {
        let folder = match self.demo.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new()
                .prefix("tritscope-demo-")
                .tempdir()
                .map_err(|e| Error::io(&std::env::temp_dir(), "create a temporary folder", e))?,
        };
        let path = self.demo.insert(folder).path().join("demo.gguf");
        if !path.exists() {
            demo::write(&path)?;
        }
        Ok(path)
    }

    /// The list of recent files.
    fn recent_list(&self) -> Option<PathBuf> {
        self.state_folder.as_ref().map(|folder| folder.join("recent"))
    }

    /// Cancels what runs and waits until nothing of it is left.
    pub(super) fn shut_down(self) {
        self.files.finish();
        self.jobs.shut_down();
    }
}
