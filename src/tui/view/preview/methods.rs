//! All methods side by side: a line each, the chosen one and the best marked.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Subjected;
use crate::engine::preview::MethodReport;
use crate::engine::ternary::Method;
use crate::text;
use crate::tui::view::draw::{Canvas, wrap};
use crate::tui::view::tree::{left, right};
use crate::tui::widgets::gauge;

/// Rows that [`draw`] takes.
pub(super) fn height(subject: &Subjected<'_>) -> u16 {
    if subject.report.format.is_plain() { subject.report.methods.len() as u16 + 1 } else { 2 }
}

/// What methods are compared by: the importance-weighted error where there is one.
fn error(method: &MethodReport) -> f64 {
    method.stats.errors.weighted_rel_mse().unwrap_or(method.rel_mse.value)
}

/// Draws the table; rows taken.
pub(super) fn draw(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let theme = canvas.theme;
    let width = area.width;
    let mut methods: Vec<_> = subject.report.methods.iter().collect();
    methods.sort_by_key(|m| m.method);
    if !subject.report.format.is_plain() {
        // A codebook is searched in one way.
        methods.truncate(1);
    }
    let weighted_too = methods.iter().any(|m| m.stats.errors.weighted_rel_mse().is_some());
    let able = || methods.iter().filter(|m| m.problem.is_none());
    let best = able().map(|m| error(m)).fold(f64::INFINITY, f64::min);
    let loudest = able().map(|m| m.sqnr_db()).filter(|db| db.is_finite()).fold(0.1, f64::max);
    // Name, SQNR and relative error are always there; the rest comes with the room for it.
    let mut room = usize::from(width).saturating_sub(24);
    let importance = if room < 9 { ("imx MSE", 8) } else { ("weighted", 9) };
    let mut take = |columns: usize| {
        let fits = room >= columns;
        room -= if fits { columns } else { 0 };
        fits
    };
    let weighted = weighted_too && take(importance.1);
    let cosine = take(7);
    let zeros = take(7);
    let narrow = take(7);
    let max = take(10);
    let bar = if narrow { 6 + room.min(10) } else { 0 };
    // Where even these do not fit, a digit goes.
    let (error_name, error_columns, digits) = if width < 24 { ("error", 7, 3) } else { ("rel MSE", 8, 4) };
    let mut head = left("  method", 10) + &right("SQNR", 6);
    head += &" ".repeat(if bar > 0 { bar + 1 } else { 0 });
    head += &right(error_name, error_columns);
    for (shown, name, columns) in
        [(weighted, importance.0, importance.1), (cosine, "cosine", 7), (zeros, "zeros", 7), (max, "max |e|", 10)]
    {
        head += &if shown { right(name, columns) } else { String::new() };
    }
    let mut lines = vec![Line::from(Span::styled(head, theme.dim))];
    for method in methods {
        let chosen = method.method == subject.method.method;
        let db = method.sqnr_db();
        let is_best = method.problem.is_none() && error(method) <= best;
        let sign = match (chosen, is_best) {
            (true, _) => "▶ ",
            (false, true) => "★ ",
            (false, false) => "  ",
        };
        let style = if chosen { theme.strong } else { theme.text };
        let mark = if is_best { theme.good } else { theme.accent };
        let name = if subject.report.format.is_plain() { method.method.name() } else { "codebook" };
        let mut spans = vec![Span::styled(sign, mark), Span::styled(left(name, 8), style)];
        if let Some(problem) = &method.problem {
            spans.push(Span::styled(format!(" {}", text::escape(problem)), theme.dim));
            lines.push(Line::from(spans));
            continue;
        }
        spans.push(Span::styled(right(&text::decibels(db), 6), theme.sqnr(db)));
        if bar > 0 {
            spans.push(Span::raw(" "));
            spans.extend(gauge::bar(bar, db / loudest, theme.sqnr(db), theme.track));
        }
        let errors = &method.stats.errors;
        let mut cell = |shown: bool, text: String, columns: usize| {
            if shown {
                spans.push(Span::styled(right(&text, columns), theme.text));
            }
        };
        cell(true, format!("{:.digits$}", method.rel_mse.value), error_columns);
        cell(weighted, errors.weighted_rel_mse().map_or_else(String::new, |w| format!("{w:.4}")), importance.1);
        cell(cosine, format!("{:.3}", errors.cosine()), 7);
        cell(zeros, text::percent(errors.zero_share()), 7);
        cell(max, text::number(errors.max_abs_err), 10);
        lines.push(Line::from(spans));
    }
    canvas.lines(area, &lines)
}

/// What the methods do; rows taken.
pub(super) fn legend(canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    const INDENT: usize = 11;
    let theme = canvas.theme;
    let columns = usize::from(area.width).saturating_sub(INDENT);
    let mut lines = Vec::new();
    for method in Method::COMPARED {
        for (i, words) in wrap(method.describe(), columns).into_iter().enumerate() {
            let name = if i == 0 { format!("  {method}") } else { String::new() };
            lines.push(Line::from(Span::styled(format!("{}{words}", left(&name, INDENT)), theme.dim)));
        }
    }
    canvas.lines(area, &lines)
}
