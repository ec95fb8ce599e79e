//! A panic: the terminal given back, a report in the state folder, and a line that says where it is.
//!
//! A job's panic is caught and shown on the screen; it leaves a report too, silently.

use std::any::Any;
use std::backtrace::Backtrace;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{journal, keeping, terminal};

/// Reports that are kept.
const KEPT: usize = 20;

/// What a report says.
#[derive(Debug, Clone)]
pub struct Report {
    /// What the panic said.
    pub message: String,
    /// File, line and column.
    pub location: String,
    /// The thread.
    pub thread: String,
    /// When.
    pub time: String,
    /// The calls that led there.
    pub backtrace: String,
    /// What happened before.
    pub events: Vec<String>,
}

impl Report {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        Self {
            message: message(info.payload()),
            location: info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string),
            thread: std::thread::current().name().unwrap_or("without a name").to_owned(),
            time: journal::utc(SystemTime::now()),
            backtrace: Backtrace::force_capture().to_string(),
            events: journal::last(),
        }
    }

    /// The report as a text for people.
    pub fn text(&self) -> String {
        let mut out = format!("tritscope {} panicked: this is a bug of its own\n\n", env!("CARGO_PKG_VERSION"));
        out += &format!("message:  {}\n", self.message);
        out += &format!("where:    {}\n", self.location);
        out += &format!("thread:   {}\n", self.thread);
        out += &format!("time:     {}\n", self.time);
        out += &format!("system:   {} {}\n\nlast events:\n", std::env::consts::OS, std::env::consts::ARCH);
        for event in &self.events {
            out += &format!("  {event}\n");
        }
        out + "\nbacktrace:\n" + &self.backtrace
    }

    /// Writes it into a folder; where to.
    pub fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        let stamp = self.time.replace([':', '-'], "").replace(' ', "-");
        let path = folder.join(format!("panic-{stamp}-{}.txt", std::process::id()));
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&path)?;
        file.write_all(self.text().as_bytes())?;
        keeping::prune(folder, KEPT);
        Ok(path)
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}

/// From now on a panic leaves a report in `folder`; and where no other thread goes on with the terminal, that is given back
/// first and what happened said on stderr.
pub fn install(folder: Option<PathBuf>) {
    std::panic::set_hook(Box::new(move |info| {
        let report = Report::of(info);
        journal::note("panic", &format!("{} at {}", report.message, report.location));
        let written = folder.as_deref().and_then(|folder| report.write(&folder.join("panics")).ok());
        if !terminal::restore() {
            return;
        }
        let mut stderr = std::io::stderr().lock();
        // If stderr is closed, the report has to do.
        let _ = writeln!(stderr, "tritscope panicked: {} ({})", report.message, report.location);
        let _ = match written {
            Some(path) => writeln!(stderr, "A report that says more: {}", path.display()),
            None => writeln!(stderr, "No report could be written. {}", report.text()),
        };
    }));
}
