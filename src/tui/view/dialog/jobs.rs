//! The exports: those that wait, the one that runs, those that have ended; newest first.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::area_of;
use crate::engine::progress::Stage;
use crate::jobs::ExportStatus;
use crate::text;
use crate::tui::action::Action;
use crate::tui::state::command::shorten;
use crate::tui::state::compare::Stage as Compared;
use crate::tui::state::dialog::{JobsDialog, LogView};
use crate::tui::state::geometry::{Spot, scrolled};
use crate::tui::state::jobs::{Job, check_text, whole_seconds};
use crate::tui::state::pages::problems::Check;
use crate::tui::state::{Geometry, Screen, State, Tone};
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, spinner, wrap};
use crate::tui::widgets::gauge;

pub(super) fn draw(state: &State, dialog: JobsDialog, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    if let Some((view, job)) = dialog.log.and_then(|view| Some((view, state.jobs.get(view.job)?))) {
        log(job, view, canvas, area, geometry);
        return;
    }
    let width = area.width.min(92);
    let columns = usize::from(width).saturating_sub(4);
    let mut lines = Vec::new();
    let mut selected = (0, 0);
    let mut spots = Vec::new();
    for (i, job) in state.jobs.all().iter().rev().enumerate() {
        if i > 0 {
            lines.push(Line::default());
        }
        let begin = lines.len();
        lines.extend(entry(state, job, i == dialog.cursor, columns, theme));
        if dialog.cancelling == Some(job.state.id) {
            let question = if job.is_queued() { "   take it off the queue? " } else { "   cancel this export? " };
            let asked = text::width(question) as u16;
            spots.push((lines.len()..lines.len() + 1, asked, 7, Spot::Act(Action::Accept)));
            spots.push((lines.len()..lines.len() + 1, asked + 7, 5, Spot::Act(Action::Back)));
            lines.push(Line::from(vec![
                Span::styled(question, theme.warning),
                Span::styled("y", theme.key),
                Span::styled(" yes  ", theme.dim),
                Span::styled("n", theme.key),
                Span::styled(" no", theme.dim),
            ]));
        }
        spots.push((begin..lines.len(), 0, width, Spot::Export(i)));
        if i == dialog.cursor {
            selected = (begin, lines.len());
        }
    }
    if lines.is_empty() {
        lines.push(Line::from(Span::styled("no export yet: Q quantizes to a new file", theme.dim)));
    }
    lines.extend(beside(state, theme));
    let inner = canvas.dialog(area, width, (lines.len() as u16).saturating_add(2), "Jobs");
    let height = usize::from(inner.height);
    let top = scrolled(0, selected.1.saturating_sub(1), lines.len(), height).min(selected.0);
    canvas.lines(inner, &lines[top..]);
    for (at, x, width, spot) in spots {
        for line in at.filter(|line| (top..top + height).contains(line)) {
            let place = Rect { x: inner.x + x, y: inner.y + (line - top) as u16, width, height: 1 };
            geometry.spots.push((area_of(place.intersection(inner)), spot));
        }
    }
    geometry.dialog = area_of(inner);
    geometry.dialog_offset = top;
    geometry.dialog_lines = lines.len();
}

fn entry(state: &State, job: &Job, selected: bool, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let (sign, style) = match &job.state.status {
        ExportStatus::Queued => ("…".to_owned(), theme.dim),
        ExportStatus::Running(_) if job.paused.is_some() => ("‖".to_owned(), theme.warning),
        ExportStatus::Running(_) => (spinner(state.phase()).to_string(), theme.accent),
        ExportStatus::Finished(_) => ("✓".to_owned(), theme.good),
        ExportStatus::Failed(_) => ("✗".to_owned(), theme.error),
        ExportStatus::Cancelled => ("–".to_owned(), theme.warning),
    };
    let pointer = if selected { "▶" } else { " " };
    let name = text::elide(&job.name(), columns.saturating_sub(8));
    let mut lines = vec![
        Line::from(vec![
            Span::styled(pointer, theme.accent),
            Span::styled(format!("{sign} "), style),
            Span::styled(name, theme.strong),
        ]),
        Line::from(Span::styled(format!("   {}", text::clip(&job.what, columns.saturating_sub(3))), theme.dim)),
    ];
    match &job.state.status {
        ExportStatus::Queued => {
            let before = state.jobs.waiting().take_while(|other| other.state.id != job.state.id).count();
            let words = match before {
                0 => "waits; it is the next".to_owned(),
                n => format!("waits; {n} before it in the queue"),
            };
            lines.push(plain(&words, theme));
        }
        ExportStatus::Running(stage) => lines.extend(running(job, *stage, state.now, columns, theme)),
        ExportStatus::Finished(summary) => {
            let seconds: f64 = summary.stages.iter().map(|(_, s)| s).sum();
            let mut words = format!("{} in {}", text::bytes(summary.bytes), text::seconds(seconds));
            if summary.stats.errors.n > 0 {
                let errors = &summary.stats.errors;
                words += &format!(
                    " · SQNR {} dB · rel MSE {}",
                    text::decibels(errors.sqnr_db()),
                    text::number(errors.rel_mse())
                );
            }
            lines.push(Line::from(Span::styled(format!("   {words}"), theme.text)));
            let path = shorten(job.out(), state.settings.home.as_deref());
            lines.push(plain(&text::elide(&path, columns.saturating_sub(3)), theme));
            lines.extend(wrap(&check_text(summary), columns - 3).into_iter().map(|l| plain(&l, theme)));
            // Unbreakable spaces: a number and its unit stay together.
            let stages: Vec<String> = summary
                .stages
                .iter()
                .map(|(stage, s)| format!("{} {}", stage.label(), text::seconds(*s)).replace(' ', "\u{a0}"))
                .collect();
            lines.extend(wrap(&stages.join(" · "), columns - 3).into_iter().map(|l| plain(&l, theme)));
            for warning in &summary.warnings {
                let words = text::escape(&warning.message);
                let wrapped = wrap(&words, columns - 5);
                lines.extend(wrapped.into_iter().map(|l| Line::from(Span::styled(format!("   ⚠ {l}"), theme.warning))));
            }
        }
        ExportStatus::Failed(message) => {
            let wrapped = wrap(&text::escape(message), columns - 3);
            lines.extend(wrapped.into_iter().map(|l| Line::from(Span::styled(format!("   {l}"), theme.error))));
        }
        ExportStatus::Cancelled => lines.push(plain("cancelled; nothing is left of it", theme)),
    }
    lines
}

/// The log of one export: the newest lines, or those that were scrolled to. Times count from when it was asked for.
fn log(job: &Job, view: LogView, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let width = area.width.min(92);
    let height = (job.log.len() as u16).saturating_add(2);
    let title = format!("Log of {}", text::elide(&job.name(), usize::from(width).saturating_sub(16)));
    let inner = canvas.dialog(area, width, height, &title);
    let rows = usize::from(inner.height);
    let top = view.top.unwrap_or(usize::MAX).min(job.log.len().saturating_sub(rows));
    let begin = job.log.front().map_or(Duration::ZERO, |line| line.at);
    let lines = job.log.iter().skip(top).take(rows).map(|line| {
        let (sign, style) = match line.tone {
            Tone::Info => ("·", theme.accent),
            Tone::Good => ("✓", theme.good),
            Tone::Warning => ("⚠", theme.warning),
            Tone::Error => ("✗", theme.error),
        };
        let time = format!("{:9.2} s ", line.at.saturating_sub(begin).as_secs_f64());
        let words = text::clip(&line.text, usize::from(inner.width).saturating_sub(15));
        Line::from(vec![
            Span::styled(time, theme.dim),
            Span::styled(format!("{sign} "), style),
            Span::styled(words, theme.text),
        ])
    });
    let lines: Vec<_> = lines.collect();
    canvas.lines(inner, &lines);
    geometry.dialog = area_of(inner);
    geometry.dialog_offset = top;
    geometry.dialog_lines = job.log.len();
}

/// What else works in the background, and where it is shown.
fn beside(state: &State, theme: &Theme) -> Vec<Line<'static>> {
    let Some(session) = &state.session else { return Vec::new() };
    let mut lines = Vec::new();
    let mut add = |what: &str, share: f64, place: &str| {
        if lines.is_empty() {
            lines.extend([Line::default(), Line::from(Span::styled(" Beside the exports", theme.title))]);
        }
        let mut spans = vec![Span::styled(format!("   {what:23}"), theme.text)];
        spans.extend(gauge::bar(10, share, theme.accent, theme.track));
        spans.push(Span::styled(format!(" {:3.0} %", (share * 100.0).floor()), theme.text));
        spans.push(Span::styled(format!("  {place}"), theme.dim));
        lines.push(Line::from(spans));
    };
    let share = |done: usize, all: usize| done as f64 / all.max(1) as f64;
    if let Check::Running(share) = session.pages.problems.check {
        add("check of every weight", share, "among the problems");
    }
    let scan = &session.sensitivity;
    if session.screen == Screen::Sensitivity && scan.is_measuring() {
        add("sensitivity scan", share(scan.measured.0 + scan.measured.1, scan.eligible.0), "on the screen below");
    }
    if let Some(compare) = session.compare.as_ref().filter(|compare| compare.stage == Compared::Running) {
        add("comparison of two models", share(compare.done, compare.pairs.len()), "on its own screen");
    }
    lines
}

fn plain(words: &str, theme: &Theme) -> Line<'static> {
    Line::from(Span::styled(format!("   {words}"), theme.dim))
}

fn running(job: &Job, stage: Stage, now: Duration, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let width = (columns / 3).clamp(8, 30);
    let bar = |name: &'static str, share: f64, detail: String| {
        let mut spans = vec![Span::styled(format!("   {name:7}"), theme.dim)];
        spans.extend(gauge::bar(width, share, theme.accent, theme.track));
        spans.push(Span::styled(format!(" {:3.0} %", (share * 100.0).floor()), theme.text));
        spans.push(Span::styled(format!("  {detail}"), theme.dim));
        Line::from(spans)
    };
    let state = &job.state;
    // Only two stages move bytes; the others keep the place free, so that nothing jumps.
    let (name, moved) = match stage {
        Stage::Write => ("total", "written"),
        Stage::Verify => ("total", "read back"),
        Stage::Prepare | Stage::Sync | Stage::Finish => ("", ""),
    };
    // The share goes by work: bytes that are copied are a little of it.
    let detail = format!("of the work · {} of {} {moved}", text::bytes(state.done), text::bytes(state.total));
    let mut lines = vec![if name.is_empty() { Line::default() } else { bar(name, state.fraction(), detail) }];
    if let Some((index, bytes, done)) = state.current {
        let share = if bytes == 0 { 0.0 } else { (done as f64 / bytes as f64).min(1.0) };
        let name = job.request.model.tensors.get(index).map(|t| text::escape(&t.name)).unwrap_or_default();
        lines.push(bar("tensor", share, text::elide(&name, columns.saturating_sub(width + 18))));
    } else {
        lines.push(plain("", theme));
    }
    let doing = if job.paused.is_some() { "paused while " } else { "" };
    let tensors = text::counted(state.tensors.1, "tensor");
    let mut stage = format!("{doing}{} · {} of {}", stage.label(), state.tensors.0, tensors);
    if let Some(worked) = job.worked(now) {
        stage += &format!(" · {} so far", whole_seconds(worked.as_secs_f64()));
    }
    if let Some(rate) = job.rate().filter(|_| job.paused.is_none()) {
        stage += &format!(" · {}/s", text::bytes(rate as u64));
    }
    if let Some(left) = job.remaining() {
        stage += &format!(" · {} left", whole_seconds(left));
    }
    lines.push(plain(&stage, theme));
    lines
}
