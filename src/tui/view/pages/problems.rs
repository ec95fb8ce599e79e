//! The problems page: a line each, worst first; below them the one under the cursor in full.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Drawing, airy, below, paragraph};
use crate::engine::error::Severity;
use crate::text;
use crate::tui::state::pages::problems::{Check, Problem};
use crate::tui::theme::Theme;
use crate::tui::view::tree::left;
use crate::tui::widgets::gauge;

pub(super) fn draw(drawing: &mut Drawing<'_, '_>, inner: Rect, beneath: Rect) {
    let theme = drawing.canvas.theme;
    let page = &drawing.session.pages.problems;
    let status = status(&page.check, page.counts(), usize::from(inner.width.saturating_sub(2)), theme);
    drawing.canvas.line(airy(inner), inner.y, &status);
    let rows = below(inner, 1);
    let len = page.list.len();
    let outer = Rect { x: inner.x - 1, y: inner.y - 1, width: inner.width + 2, height: inner.height + 2 };
    drawing.place(outer, &format!(" {}/{len} ", (page.cursor + 1).min(len)));
    if len == 0 {
        nothing(drawing, rows);
    }
    let width = usize::from(rows.width);
    drawing.list(rows, page.cursor, len, true, |canvas, row| {
        page.list.get(row).map_or_else(Line::default, |problem| problem_line(problem, width, canvas.theme))
    });
    if let Some(problem) = page.selected() {
        let inside = airy(drawing.canvas.boxed(beneath, ""));
        let lines = whole(problem, inside.width, theme);
        drawing.canvas.lines(inside, &lines);
    }
}

/// What was looked at and found in order, and what was not looked at.
fn nothing(drawing: &mut Drawing<'_, '_>, rows: Rect) {
    let theme = drawing.canvas.theme;
    let weights = match &drawing.session.pages.problems.check {
        Check::Done(_) => ("✓", "every weight was read", theme.good),
        Check::Running(_) => ("…", "the weights are being read", theme.accent),
        _ => ("·", "the weights were not read: c checks every one", theme.dim),
    };
    let matrix = match drawing.state.settings.imatrix {
        Some(_) => ("✓", "importance matrix: fits the model", theme.good),
        None => ("·", "importance matrix: none is loaded", theme.dim),
    };
    let looked = [
        ("✓", "header, metadata, types and shapes", theme.good),
        ("✓", "offsets: every tensor lies whole in the file", theme.good),
        ("✓", "plan: every rule decides on something it can decide on", theme.good),
        weights,
        matrix,
    ];
    let inside = airy(rows);
    let y = inside.y + inside.height.saturating_sub(looked.len() as u16 + 2) / 3;
    drawing.canvas.text(inside, inside.x, y, "Nothing to note.", theme.strong);
    for (y, (sign, words, style)) in (y + 2..inside.bottom()).zip(looked) {
        let x = drawing.canvas.text(inside, inside.x, y, sign, style);
        drawing.canvas.text(inside, x + 1, y, words, theme.text);
    }
}

/// How many there are, and how the check of every weight stands.
fn status(check: &Check, [errors, warnings, notes]: [usize; 3], width: usize, theme: &Theme) -> Line<'static> {
    let of = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let counted = |n: usize, (sign, what): (&str, &str), style: Style| match n {
        0 => Span::styled(format!("no {what}s  "), theme.dim),
        n => Span::styled(format!("{sign} {}  ", of(n, what)), style),
    };
    let mut spans = vec![
        counted(errors, ("✗", "error"), theme.error),
        counted(warnings, ("⚠", "warning"), theme.warning),
        counted(notes, ("·", "note"), theme.dim),
        Span::raw(" "),
    ];
    let used: usize = spans.iter().map(Span::width).sum();
    match check {
        Check::NotRun => {
            let words = ["weights not looked at: c checks every one", "c checks every weight"];
            let fitting = words.into_iter().find(|words| used + words.len() <= width).unwrap_or(words[1]);
            spans.push(Span::styled(fitting, theme.dim));
        }
        Check::Running(share) => {
            let words = if used + 52 <= width { "checking every weight " } else { "checking " };
            spans.push(Span::styled(words, theme.accent));
            spans.extend(gauge::bar(12, *share, theme.accent, theme.track));
            spans.push(Span::styled(format!(" {:.0} % (c stops)", (share * 100.0).floor()), theme.text));
        }
        Check::Done(0) => spans.push(Span::styled("✓ every weight checked, nothing found", theme.good)),
        Check::Done(n) => spans.push(Span::styled(format!("every weight checked: {}", of(*n, "finding")), theme.text)),
        Check::Stopped => spans.push(Span::styled("check of the weights stopped: c begins anew", theme.dim)),
        Check::Failed(why) => {
            let why = text::clip(&text::escape(why), width.saturating_sub(60).max(20));
            spans.push(Span::styled(format!("check failed: {why}"), theme.error));
        }
    }
    Line::from(spans)
}

fn sign(severity: Severity, theme: &Theme) -> (&'static str, Style) {
    match severity {
        Severity::Note => ("·", theme.dim),
        Severity::Warning => ("⚠", theme.warning),
        Severity::Error => ("✗", theme.error),
    }
}

fn problem_line(problem: &Problem, width: usize, theme: &Theme) -> Line<'static> {
    let (sign, style) = sign(problem.what.severity, theme);
    let about = problem.what.tensor.as_deref().map(text::escape).unwrap_or_default();
    let mut room = width.saturating_sub(12);
    let mut spans =
        vec![Span::styled(format!(" {sign} "), style), Span::styled(left(problem.source.word(), 8), theme.dim)];
    if !about.is_empty() {
        let about = text::elide(&about, (room / 3).max(12));
        room = room.saturating_sub(text::width(&about) + 2);
        spans.push(Span::styled(format!("{about}  "), theme.strong));
    }
    spans.push(Span::styled(text::clip(&text::escape(&problem.what.message), room), theme.text));
    Line::from(spans)
}

/// Everything that is known of a problem.
fn whole(problem: &Problem, width: u16, theme: &Theme) -> Vec<Line<'static>> {
    let what = &problem.what;
    let (sign, style) = sign(what.severity, theme);
    let mut head = vec![
        Span::styled(format!("{sign} {} ", what.severity.name()), style),
        Span::styled(format!("[{}]", what.code), theme.dim),
    ];
    if let Some(offset) = what.offset {
        head.push(Span::styled(format!(" at byte {offset}"), theme.dim));
    }
    let mut lines = vec![Line::from(head)];
    if let Some(tensor) = &what.tensor {
        let name = text::elide(&text::escape(tensor), usize::from(width).saturating_sub(20));
        let go = if problem.tensor.is_some() { "  enter goes there" } else { "" };
        lines.push(Line::from(vec![Span::styled(name, theme.strong), Span::styled(go, theme.dim)]));
    }
    lines.extend(paragraph(&text::escape(&what.message), width, theme.text));
    if let (None, Some(_)) = (&what.tensor, problem.tensor) {
        let words = match problem.named.len() {
            0 | 1 => "enter goes to the tensor that it names".to_owned(),
            n => format!("enter shows the {n} tensors that it names"),
        };
        lines.push(Line::from(Span::styled(words, theme.dim)));
    }
    lines
}
