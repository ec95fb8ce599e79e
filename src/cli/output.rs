//! Where the subcommands print: stdout for data, stderr for progress and warnings.
//!
//! A closed pipe on stdout is no error: whoever reads the output has seen enough.

use std::io::{self, ErrorKind, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::export::Workload;
use crate::engine::progress::{Delta, Progress};

/// Prints text to stdout.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::io(std::path::Path::new("stdout"), "write to it", e)),
        _ => Ok(()),
    }
}

/// Prints one JSON document to stdout.
pub(super) fn print_json(document: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|e| Error::io(std::path::Path::new("stdout"), "encode JSON", e.into()))?;
    print(&(text + "\n"))
}

/// Prints warnings to stderr; notes on a file are left to `inspect` and `--json`.
pub(super) fn warn<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
    tell(diagnostics.into_iter().filter(|d| d.severity > Severity::Note));
}

/// Prints notes too: what a plan does that was not asked for in so many words.
pub(super) fn tell<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
    let mut stderr = io::stderr().lock();
    for diagnostic in diagnostics {
        // Nobody is left to tell if stderr is closed.
        let _ = writeln!(stderr, "{diagnostic}");
    }
}

/// Parts of a bar that goes by the work.
const PARTS: u64 = 10_000;

/// A bar on stderr that follows an export.
pub(super) struct Bar {
    line: ProgressBar,
    /// What an export has to do; without it the bar goes by bytes.
    work: Option<Mutex<Workload>>,
    /// Tensors in the output, and how many are done.
    tensors: AtomicU64,
    done: AtomicU64,
}

impl Bar {
    /// A bar; hidden unless `visible`.
    pub(super) fn new(visible: bool) -> Self {
        Self::drawn(visible, "{msg:9} {prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}", None)
    }

    /// A bar of an export: it goes by the work, from the first stage to the last.
    pub(super) fn of_export(visible: bool, work: Workload) -> Self {
        let bar = Self::drawn(visible, "{msg:9} {prefix} {wide_bar} {percent} % eta {eta}", Some(Mutex::new(work)));
        bar.line.set_length(PARTS);
        bar
    }

    fn drawn(visible: bool, template: &str, work: Option<Mutex<Workload>>) -> Self {
        let bar = if visible { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        Self { line: bar, work, tensors: AtomicU64::new(0), done: AtomicU64::new(0) }
    }

    /// Takes the bar off the screen.
    pub(super) fn clear(&self) {
        self.line.finish_and_clear();
    }
}

impl Progress for Bar {
    fn report(&self, delta: Delta) {
        if let Some(work) = self.work.as_ref().and_then(|work| work.lock().ok()).as_mut()
            && work.apply(&delta).is_some()
        {
            self.line.set_position((work.fraction() * PARTS as f64) as u64);
        }
        match delta {
            Delta::Total { bytes, tensors } => {
                if self.work.is_none() {
                    self.line.set_length(bytes);
                }
                self.tensors.store(tensors, Ordering::Relaxed);
            }
            Delta::Stage(stage) => {
                if self.work.is_none() {
                    self.line.reset();
                }
                self.line.set_message(stage.label());
            }
            Delta::Bytes(n) if self.work.is_none() => self.line.inc(n),
            Delta::TensorDone { .. } => {
                let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
                self.line.set_prefix(format!("{done}/{} tensors", self.tensors.load(Ordering::Relaxed)));
            }
            Delta::Tensor { .. } | Delta::Bytes(_) | Delta::Recomputed(_) => {}
        }
    }
}
