//! The error of the chosen method, in numbers, with the interval while it comes from a sample.

use ratatui::layout::Rect;
use ratatui::text::Span;

use super::Subjected;
use crate::engine::preview::sqnr_db;
use crate::text;
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, flow};

/// Rows that [`draw`] takes.
pub(super) fn height(subject: &Subjected<'_>, columns: u16, headed: bool) -> u16 {
    if headed { flow(items(subject, &Theme::plain()), columns).len() as u16 + 1 } else { 1 }
}

/// Draws the figures, with a heading or only the first line of them; rows taken.
pub(super) fn draw(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect, headed: bool) -> u16 {
    if headed {
        let report = subject.report;
        let blocks = if report.exact {
            format!("all {} blocks", text::count(report.blocks))
        } else {
            format!("~ sample of {} of {} blocks", text::count(report.sampled_blocks), text::count(report.blocks))
        };
        let what = format!("{} · {} · {blocks}", subject.method.method, report.format);
        let fits = text::width(&what) + "Error  ".len() <= usize::from(area.width);
        let short = if report.exact { "all blocks" } else { "~ a sample" };
        let what = if fits { what } else { format!("{} · {} · {short}", subject.method.method, report.format) };
        super::heading(canvas, area, "Error", &what);
    }
    let used = u16::from(headed);
    if let Some(problem) = &subject.method.problem {
        let style = canvas.theme.warning;
        let words = flow(vec![vec![Span::styled(text::escape(problem), style)]], area.width);
        return used + canvas.lines(super::below(area, used), &words);
    }
    let mut lines = flow(items(subject, canvas.theme), area.width);
    lines.truncate(if headed { usize::MAX } else { 1 });
    used + canvas.lines(super::below(area, used), &lines)
}

fn items(subject: &Subjected<'_>, theme: &Theme) -> Vec<Vec<Span<'static>>> {
    let method = subject.method;
    let errors = &method.stats.errors;
    let estimate = method.rel_mse;
    let db = sqnr_db(estimate.value);
    let exact = subject.report.exact;
    let sign = if exact { "" } else { "~" };
    // Of what stays, or gets another type, it is what it would be.
    let ternary = subject.session.plan.decision(subject.tensor).is_ternary();
    let mut sqnr = vec![
        Span::styled(if ternary { "SQNR " } else { "SQNR if ternary " }, theme.dim),
        Span::styled(format!("{sign}{} dB", text::decibels(db)), theme.sqnr(db)),
    ];
    if !exact {
        let (low, high) = (sqnr_db(estimate.high.max(estimate.value)), sqnr_db(estimate.low));
        let interval = format!(" [{}, {}]", text::decibels(low), text::decibels(high));
        sqnr.push(Span::styled(interval, theme.dim));
    }
    let pair = |name: &'static str, value: String| {
        vec![Span::styled(format!("{name} "), theme.dim), Span::styled(value, theme.text)]
    };
    let mut items = vec![sqnr, pair("rel MSE", format!("{sign}{}", text::number(estimate.value)))];
    items.extend(errors.weighted_rel_mse().map(|w| pair("weighted", format!("{sign}{}", text::number(w)))));
    items.extend([
        pair("cosine", format!("{sign}{:.4}", errors.cosine())),
        pair("zeros", format!("{sign}{}", text::percent(errors.zero_share()))),
        pair("|e|", format!("{sign}{}", text::number(errors.mean_abs_err()))),
        pair("max |e|", format!("{}{}", if exact { "" } else { "≥" }, text::number(errors.max_abs_err))),
    ]);
    items
}
