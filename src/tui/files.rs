//! The small things that are done with files besides models: folders, recipes, the list of recent files.
//!
//! One thread does them in order, so that a slow disk never holds up the screen.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::event::{Event, Saved};
use super::state::dialog::{Found, Target};
use super::state::picker::Entry;
use crate::engine::error::{Error, Result};
use crate::engine::format::source::FileId;
use crate::engine::model::Model;
use crate::engine::plan::Recipe;
use crate::engine::report::chart::{Measure, Sensitivity};
use crate::engine::report::{PlanReport, plan_markdown, plan_text};

/// Entries of a folder that are shown at most.
const ENTRIES: usize = 20_000;

/// How long the end of the program waits for what is being written.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Something to do.
type Work = Box<dyn FnOnce() -> Option<Event> + Send>;

/// The thread.
pub(super) struct Files {
    sender: Sender<Work>,
    ended: Receiver<()>,
    pending: Arc<AtomicUsize>,
}

impl Files {
    /// Starts it; what it finds goes to `events`.
    pub(super) fn start(events: Sender<Event>) -> Result<Self> {
        let (sender, receiver) = channel::<Work>();
        let (end, ended) = channel();
        let pending = Arc::new(AtomicUsize::new(0));
        let done = Arc::clone(&pending);
        let run = move || {
            // Dropped when the thread ends, which is what is waited for.
            let _end: Sender<()> = end;
            for work in receiver {
                if let Some(event) = work()
                    && events.send(event).is_err()
                {
                    return;
                }
                done.fetch_sub(1, Ordering::Release);
            }
        };
        std::thread::Builder::new()
            .name("files".to_owned())
            .spawn(run)
            .map_err(|e| Error::Usage(format!("cannot start a thread: {e}")))?;
        Ok(Self { sender, ended, pending })
    }

    /// Whether all that was asked for is done, and told.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    /// Waits until what was asked for is done, but not forever: a folder on a disk that hangs holds nobody up.
    pub(super) fn finish(self) {
        drop(self.sender);
        let _ = self.ended.recv_timeout(PATIENCE);
    }

    /// Does something after what was asked for before.
    pub(super) fn submit(&self, work: impl FnOnce() -> Option<Event> + Send + 'static) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        // The thread ends only with the program.
        let _ = self.sender.send(Box::new(work));
    }
}

/// Reads a folder: folders and models, folders first, in natural order.
pub(super) fn read_folder(path: PathBuf) -> Event {
    let entries = list(&path).map_err(|e| format!("cannot read the folder: {e}"));
    Event::Folder { path, entries }
}

fn list(path: &Path) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path)?.take(ENTRIES) {
        let entry = entry?;
        // Follows links; one that leads nowhere is left out.
        let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        let folder = metadata.is_dir();
        let lower = name.to_lowercase();
        if folder || [".gguf", ".safetensors", ".safetensors.index.json"].iter().any(|end| lower.ends_with(end)) {
            entries.push(Entry { name, folder, bytes: metadata.len() });
        }
    }
    entries.sort_by(|a, b| {
        b.folder.cmp(&a.folder).then_with(|| crate::engine::model::names::natural_cmp(&a.name, &b.name))
    });
    Ok(entries)
}

/// Looks at a path that an output is to be written to.
pub(super) fn probe(path: PathBuf, model: &Model) -> Event {
    let metadata = std::fs::metadata(&path).ok();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let free = rustix::fs::statvfs(folder).ok().map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    let found = match metadata {
        Some(file) if model.file_ids().contains(&FileId::of(&file)) => Found::Source,
        Some(file) if file.is_dir() => Found::Folder,
        Some(_) => Found::File,
        // A link that leads nowhere is replaced as a file is.
        None if path.symlink_metadata().is_ok() => Found::File,
        None => Found::Nothing,
    };
    Event::Probed(Target { found, folder_exists: folder.is_dir(), free, path })
}

/// Writes a recipe beside its final name and renames it, so that no half recipe is ever there.
pub(super) fn write_recipe(path: PathBuf, recipe: &Recipe, overwrite: bool) -> Event {
    let result = match save(&path, recipe, overwrite) {
        Ok(true) => Saved::Written,
        Ok(false) => Saved::Exists,
        Err(e) => Saved::Failed(e.to_string()),
    };
    Event::RecipeWritten { path, result }
}

/// Writes the report of a plan in the form that the path ends with: JSON, Markdown, else the text that `plan` prints.
pub(super) fn write_report(path: PathBuf, report: &PlanReport, overwrite: bool) -> Event {
    let ends = |form: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(form));
    let content = match (ends("json"), ends("md")) {
        (true, _) => serde_json::to_string_pretty(report).map(|json| json + "\n").map_err(|e| e.to_string()),
        (_, true) => Ok(plan_markdown(report)),
        _ => Ok(plan_text(report)),
    };
    let result = match content.and_then(|text| save_text(&path, &text, overwrite).map_err(|e| e.to_string())) {
        Ok(true) => Saved::Written,
        Ok(false) => Saved::Exists,
        Err(why) => Saved::Failed(why),
    };
    Event::ReportWritten { path, result }
}

/// Whether it was written; false if a file is there.
fn save(path: &Path, recipe: &Recipe, overwrite: bool) -> Result<bool> {
    save_text(path, &recipe.to_toml()?, overwrite)
}

/// Writes a text beside its final name and renames it. Whether it was written; false if a file is there.
pub(super) fn save_text(path: &Path, text: &str, overwrite: bool) -> Result<bool> {
    let io = |action: &str, e| Error::io(path, action, e);
    if path.is_dir() {
        return Err(Error::Usage("this is a folder; name a file in it".to_owned()));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Temporary files are for their owner alone; this one is not to stay temporary.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    if !folder.is_dir() {
        return Err(Error::Usage(format!("{}: its folder does not exist", path.display())));
    }
    let mut file = builder.prefix(".tritscope").tempfile_in(folder).map_err(|e| io("create", nameless(&e)))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|e| io("write", e))?;
    let kept = if overwrite { file.persist(path) } else { file.persist_noclobber(path) };
    match kept {
        Ok(_) => Ok(true),
        Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(io("rename", e.error)),
    }
}

/// An error of a temporary file without that file's name, which nobody has heard of.
fn nameless(error: &std::io::Error) -> std::io::Error {
    let inner = error.get_ref().and_then(std::error::Error::source);
    let number = inner.and_then(|e| e.downcast_ref::<std::io::Error>()).and_then(std::io::Error::raw_os_error);
    number.or(error.raw_os_error()).map_or_else(|| error.kind().into(), std::io::Error::from_raw_os_error)
}

/// Writes the chart: a path that ends with a form's name in that form, any other in all three.
pub(super) fn write_chart(path: PathBuf, chart: &Sensitivity, measure: Measure, overwrite: bool) -> Event {
    let forms = ["svg", "csv", "json"];
    let named = |form: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(form));
    let mut targets: Vec<(&str, PathBuf)> =
        forms.into_iter().filter(|form| named(form)).map(|form| (form, path.clone())).collect();
    if targets.is_empty() {
        let with = |form: &str| PathBuf::from(format!("{}.{form}", path.to_string_lossy()));
        targets = forms.into_iter().map(|form| (form, with(form))).collect();
    }
    let files = targets.len();
    // All or none: whether something is there is asked before anything is written.
    if !overwrite && targets.iter().any(|(_, target)| target.symlink_metadata().is_ok()) {
        return Event::ChartWritten { path, files, result: Saved::Exists };
    }
    let mut result = Saved::Written;
    for (form, target) in targets {
        let text = match form {
            "svg" => chart.svg(measure),
            "csv" => chart.csv(),
            _ => chart.json(),
        };
        match save_text(&target, &text, overwrite) {
            Ok(true) => {}
            Ok(false) => result = Saved::Exists,
            Err(e) => result = Saved::Failed(e.to_string()),
        }
    }
    Event::ChartWritten { path, files, result }
}

/// Reads a recipe.
pub(super) fn read_recipe(path: PathBuf) -> Event {
    let result = Recipe::read(&path).map(Box::new).map_err(|e| e.to_string());
    Event::RecipeRead { path, result }
}

/// Reads the list of recent files, one path a line; a list that is not there is empty.
pub(super) fn read_recent(list: &Path) -> Event {
    let text = std::fs::read_to_string(list).unwrap_or_default();
    Event::Recent(text.lines().map(PathBuf::from).filter(|path| path.is_file()).collect())
}

/// Writes the list of recent files. A convenience: a failure is not worth a message.
pub(super) fn write_recent(list: &Path, paths: &[PathBuf]) {
    let line = |path: &PathBuf| path.to_str().filter(|p| !p.contains('\n')).map(str::to_owned);
    let text: Vec<String> = paths.iter().filter_map(line).collect();
    if let Some(folder) = list.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    let _ = save_text(list, &(text.join("\n") + "\n"), true);
}
