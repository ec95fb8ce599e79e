//! Does in the world what updates ask for.

use std::path::PathBuf;
use std::sync::mpsc::Sender;

use super::effect::{Effect, Exit};
use super::event::Event;
use super::files::{self, Files};
use crate::engine::error::Result;
use crate::jobs::{ExportRequest, Jobs};

/// The lanes and what else effects need.
pub(super) struct Runtime {
    jobs: Jobs,
    files: Files,
    mmap: bool,
    recent_file: Option<PathBuf>,
    /// Set once the program is to end.
    pub(super) exit: Option<Exit>,
}

impl Runtime {
    /// Starts the lanes; what they report goes to `events`.
    pub(super) fn start(
        threads: usize,
        mmap: bool,
        recent_file: Option<PathBuf>,
        events: &Sender<Event>,
    ) -> Result<Self> {
        let sender = events.clone();
        // Nobody listens any more once the loop has ended.
        let sink = std::sync::Arc::new(move |event| drop(sender.send(Event::Job(event))));
        let files = Files::start(events.clone())?;
        Ok(Self { jobs: Jobs::start(threads, sink)?, files, mmap, recent_file, exit: None })
    }

    /// Does one thing; what is known of it at once comes back.
    pub(super) fn run(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Open(path) => self.jobs.open(path, self.mmap),
            Effect::WantPreviews(model, wants) => self.jobs.want_previews(&model, wants),
            Effect::Export { model, plan, recipe, options, what } => {
                let request =
                    ExportRequest { model: std::sync::Arc::clone(&model), plan, recipe, options: options.clone() };
                let id = self.jobs.export(request);
                return Some(Event::ExportQueued { id, model, options, what });
            }
            Effect::CancelExport(id) => self.jobs.cancel_export(id),
            Effect::ReadFolder(path) => self.files.submit(move || Some(files::read_folder(path))),
            Effect::ReadRecent => {
                if let Some(list) = self.recent_file.clone() {
                    self.files.submit(move || Some(files::read_recent(&list)));
                }
            }
            Effect::WriteRecent(paths) => {
                if let Some(list) = self.recent_file.clone() {
                    self.files.submit(move || {
                        files::write_recent(&list, &paths);
                        None
                    });
                }
            }
            Effect::Probe { path, model } => self.files.submit(move || Some(files::probe(path, &model.source))),
            Effect::WriteRecipe { path, recipe, overwrite } => {
                self.files.submit(move || Some(files::write_recipe(path, &recipe, overwrite)));
            }
            Effect::Quit(exit) => self.exit = Some(exit),
        }
        None
    }

    /// Cancels what runs and waits until nothing of it is left.
    pub(super) fn shut_down(self) {
        self.jobs.shut_down();
    }
}
