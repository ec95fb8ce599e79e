//! What happened, line by line: to the file that `--log` names, and the last lines for the report of a panic.
//!
//! One for the process, because a panic hook has nothing else to hold on to.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crossterm::event::{MouseEvent, MouseEventKind};

use super::effect::Effect;
use super::event::Event;
use super::keymap::names;
use super::tape::plain;
use crate::jobs::{CheckEvent, JobEvent};
use crate::text::escape;

/// Lines that are kept for a report.
const LAST: usize = 60;

struct Journal {
    start: Option<Instant>,
    file: Option<File>,
    last: VecDeque<String>,
}

static JOURNAL: Mutex<Journal> = Mutex::new(Journal { start: None, file: None, last: VecDeque::new() });

fn journal() -> MutexGuard<'static, Journal> {
    JOURNAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins, with a file that every line goes to, if there is one.
pub fn start(file: Option<File>) {
    let mut journal = journal();
    journal.start = Some(Instant::now());
    journal.file = file;
    drop(journal);
    note("start", &format!("tritscope {}, {}", env!("CARGO_PKG_VERSION"), utc(SystemTime::now())));
}

/// Adds a line. A file that cannot be written to any more is given up.
pub fn note(kind: &str, text: &str) {
    let mut journal = journal();
    let at = journal.start.map_or(Duration::ZERO, |start| start.elapsed());
    let line = format!("{:>10.3} {kind:<7} {}", at.as_secs_f64(), escape(text));
    if let Some(file) = &mut journal.file
        && writeln!(file, "{line}").is_err()
    {
        journal.file = None;
    }
    if journal.last.len() == LAST {
        journal.last.pop_front();
    }
    journal.last.push_back(line);
}

/// The last lines, oldest first.
pub fn last() -> Vec<String> {
    journal().last.iter().cloned().collect()
}

/// Notes what happened, unless it is of no interest.
pub(super) fn event(event: &Event) {
    if let Some((kind, text)) = of_event(event) {
        note(kind, &text);
    }
}

/// Notes what is to be done.
pub(super) fn effect(effect: &Effect) {
    if let Some(text) = of_effect(effect) {
        note("effect", &text);
    }
}

fn of_event(event: &Event) -> Option<(&'static str, String)> {
    Some(match event {
        Event::Key(key) => ("key", names::name((plain(key), key.code))),
        Event::Mouse(MouseEvent { kind: MouseEventKind::Moved, .. }) | Event::Wake | Event::Settle => return None,
        Event::Mouse(mouse) => ("mouse", format!("{:?} {},{}", mouse.kind, mouse.column, mouse.row)),
        Event::Paste(text) => ("paste", format!("{} bytes", text.len())),
        Event::Resize(columns, rows) => ("resize", format!("{columns}×{rows}")),
        Event::Background(background) => ("screen", format!("the background is {background:?}")),
        Event::Signal(number) => ("signal", number.to_string()),
        Event::Job(job) => return of_job(job),
        Event::ExportQueued { id, request, .. } => ("job", format!("export {id} to {}", request.options.out.display())),
        Event::DemoWritten(result) => ("file", format!("demo: {result:?}")),
        Event::Folder { path, entries } => {
            ("file", ended(&format!("folder {}", path.display()), entries.as_ref().err()))
        }
        Event::Recent(paths) => ("file", format!("{} recent files", paths.len())),
        Event::Probed(target) => ("file", format!("looked at {}", target.path.display())),
        Event::ReportWritten { path, result } => ("file", format!("report {}: {result:?}", path.display())),
        Event::RecipeWritten { path, result } => ("file", format!("recipe {}: {result:?}", path.display())),
        Event::ChartWritten { path, result, .. } => ("file", format!("chart {}: {result:?}", path.display())),
        Event::RecipeRead { path, result } => {
            ("file", ended(&format!("recipe {}", path.display()), result.as_ref().err()))
        }
        Event::Recalled(model, _) => ("state", format!("as {} was left", model.path.display())),
    })
}

fn of_job(job: &JobEvent) -> Option<(&'static str, String)> {
    let text = match job {
        JobEvent::Preview { key, .. } => format!("preview of {} as {}", key.tensor, key.format),
        JobEvent::PreviewFailed { key, message, .. } => format!("preview of {} failed: {message}", key.tensor),
        JobEvent::Look { key, seen, .. } => ended(&format!("look {key:?}"), seen.as_ref().err()),
        JobEvent::ComparePairs { id, pairs } => format!("compare {id}: {} pairs", pairs.len()),
        JobEvent::CompareEnded { id, result } => ended(&format!("compare {id}"), result.as_ref().err()),
        JobEvent::Opened { path, model } => ended(&format!("open {}", path.display()), model.as_ref().err()),
        JobEvent::ExportStarted(id) => format!("export {id} begins"),
        JobEvent::ExportFinished(id, summary) => format!("export {id} written, {} bytes", summary.bytes),
        JobEvent::ExportMet { tensor, .. } => format!("export fails at {tensor}"),
        JobEvent::ExportFailed(id, why) => format!("export {id} failed: {why}"),
        JobEvent::ExportCancelled(id) => format!("export {id} cancelled"),
        JobEvent::Check { event: CheckEvent::Done(found), .. } => {
            format!("check of the weights: {} found", found.len())
        }
        JobEvent::Check { event: CheckEvent::Failed(why), .. } => format!("check of the weights failed: {why}"),
        // These come by the hundred.
        _ => return None,
    };
    Some(("job", text))
}

fn ended(what: &str, why: Option<&String>) -> String {
    why.map_or_else(|| what.to_owned(), |why| format!("{what} failed: {why}"))
}

fn of_effect(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Open(path) => format!("open {}", path.display()),
        Effect::WantPreviews(_, wants) => format!("want {} previews", wants.len()),
        Effect::WantLooks(_, looks) => format!("want {} looks", looks.len()),
        Effect::Export { options, what, .. } => format!("export {what} to {}", options.out.display()),
        Effect::CancelExport(id) => format!("cancel export {id}"),
        Effect::RunExportNext(id) => format!("export {id} is the next"),
        Effect::PauseExport(id, true) => format!("pause export {id}"),
        Effect::PauseExport(id, false) => format!("resume export {id}"),
        Effect::WriteDemo => "write the demo".to_owned(),
        Effect::Copy(text) => format!("copy {} bytes", text.len()),
        Effect::Compare { id, b, .. } => format!("compare {id} with {}", b.path.display()),
        Effect::Quit(exit) => format!("quit, {}", exit.code()),
        Effect::WriteRecipe { path, .. } => format!("write the recipe to {}", path.display()),
        Effect::WriteReport { path, .. } => format!("write the report to {}", path.display()),
        Effect::WriteChart { path, .. } => format!("write the chart to {}", path.display()),
        Effect::Check(_) => "check every weight".to_owned(),
        _ => return None,
    })
}

/// A time as `2026-11-27 15:30:00 UTC`.
pub fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, second) = (seconds / 86400, seconds % 86400);
    // Howard Hinnant's civil_from_days, for days after 1970: years begin in March, so that leap days end them.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |seconds| utc(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(at(951_827_696), "2000-02-29 12:34:56 UTC");
        assert_eq!(at(1_795_793_400), "2026-11-27 15:30:00 UTC");
        assert_eq!(at(4_107_542_399), "2100-02-28 23:59:59 UTC");
    }
}
