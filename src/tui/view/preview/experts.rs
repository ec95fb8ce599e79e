//! The error of each expert of a merged tensor: one small bar an expert.

use ratatui::layout::Rect;

use super::Subjected;
use crate::text;
use crate::tui::view::draw::{Canvas, fitting};
use crate::tui::widgets::gauge;

/// Rows that [`draw`] takes; 0 where there is nothing to tell experts apart.
pub(super) fn height(subject: &Subjected<'_>) -> u16 {
    if subject.report.slices.len() > 1 { 3 } else { 0 }
}

pub(super) fn draw(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 2 || height(subject) == 0 {
        return;
    }
    let theme = canvas.theme;
    let figures: Vec<f64> = subject.report.slices.iter().map(|s| s.errors.sqnr_db()).collect();
    let finite = || figures.iter().copied().enumerate().filter(|(_, db)| db.is_finite());
    let method = subject.report.methods.first().map_or("", |m| m.method.name());
    let least = finite().min_by(|a, b| a.1.total_cmp(&b.1));
    let greatest = finite().max_by(|a, b| a.1.total_cmp(&b.1));
    let what = if subject.session.model.tensors[subject.tensor].role.is_routed_expert() { "Experts" } else { "Slices" };
    let detail = match (least, greatest) {
        (Some((worst, low)), Some((best, high))) => {
            format!("{method} · worst #{worst} {} · best #{best} {} dB", text::decibels(low), text::decibels(high))
        }
        _ => format!("{method} · no error"),
    };
    super::heading(canvas, area, what, &detail);
    // The strip shows differences: its foot is a little below the worst, not zero.
    let low = least.map_or(0.0, |(_, db)| db);
    let high = greatest.map_or(1.0, |(_, db)| db);
    let span = (high - low).max(0.5);
    let per_column = figures.len().div_ceil(usize::from(area.width).max(1));
    let cell = if figures.len() * 2 <= usize::from(area.width) { 2 } else { 1 };
    for (i, chunk) in figures.chunks(per_column).enumerate() {
        let db = chunk.iter().copied().fold(f64::INFINITY, f64::min);
        let share = if db.is_finite() { 0.15 + 0.85 * (db - low) / span } else { 1.0 };
        let (x, y) = (area.x + (i * cell) as u16, area.y + 1);
        canvas.buf[(x, y)].set_char(gauge::column(share)).set_style(theme.sqnr(db));
    }
    if area.height >= 3 {
        let words = match per_column {
            1 => format!("#0 … #{}", figures.len() - 1),
            n => format!("#0 … #{} · the worst of {n} a bar", figures.len() - 1),
        };
        let words = fitting(&words, usize::from(area.width));
        canvas.text(area, area.x, area.y + 2, &words, theme.dim);
    }
}
