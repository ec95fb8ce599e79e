//! The budget slider in the place of the plan bar: sizes from the least to all, the handle, what it comes to.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::draw::{Canvas, spinner};
use crate::engine::preview::sqnr_db;
use crate::text;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::state::slider::{Lot, Slider, Unit};
use crate::tui::state::{Area, Geometry, Session, State};

pub(super) fn draw(
    state: &State,
    session: &Session,
    slider: &Slider,
    canvas: &mut Canvas<'_>,
    area: Rect,
    geometry: &mut Geometry,
) {
    let row = |i: u16| Rect { y: area.y + i, height: 1, ..area };
    track(slider, canvas, row(0), geometry);
    figures(state, session, slider, canvas, row(1));
    let right = super::bar::job(state, canvas, row(2));
    what(state, session, slider, canvas, Rect { width: right.saturating_sub(area.x), ..row(2) });
    super::bar::hints(state, canvas, area, geometry);
}

/// The track with its ends, and the handle on it. Left of the handle is what ternary tensors save no more.
fn track(slider: &Slider, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let (least, most) = slider.ends();
    let shown = |bytes: u64| match slider.unit {
        Unit::Size => text::bytes(bytes),
        Unit::Bpw => format!("{:.2} bpw", slider.budget.bpw(bytes)),
    };
    let mut x = canvas.text(area, area.x + 1, area.y, "budget ", theme.title);
    if let Some(input) = &slider.input {
        let field = Rect { x, width: 12.min(area.right().saturating_sub(x)), ..area };
        canvas.input(field, input, true);
        let unit = if slider.unit == Unit::Size { " MiB " } else { " bpw " };
        x = canvas.text(area, field.right(), area.y, unit, theme.dim);
    } else {
        x = canvas.text(area, x, area.y, &shown(slider.bytes()), theme.strong);
    }
    x = canvas.text(area, x + 2, area.y, &shown(least), theme.dim) + 1;
    let end = canvas.right(Rect { width: area.width.saturating_sub(1), ..area }, area.y, &shown(most), theme.dim);
    let width = end.saturating_sub(x + 1);
    if width < 3 {
        return;
    }
    let handle = (slider.share() * f64::from(width - 1)).round() as u16;
    for column in 0..width {
        let (sign, style) = match column {
            c if c == handle => ('◆', theme.marker),
            c if c < handle => ('━', theme.accent),
            _ => ('─', theme.track),
        };
        canvas.buf[(x + column, area.y)].set_char(sign).set_style(style);
    }
    geometry.slider = Area { x, y: area.y, width, height: 1 };
}

/// What the place comes to.
fn figures(state: &State, session: &Session, slider: &Slider, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let dim = |words: String| Span::styled(words, theme.dim);
    let strong = |words: String| Span::styled(words, theme.strong);
    let bytes = slider.bytes();
    let mut parts = vec![
        vec![
            Span::styled(format!(" data {}", text::bytes(session.model.tensor_bytes())), theme.dim),
            dim(" → ".to_owned()),
            strong(text::bytes(bytes)),
            dim("  ".to_owned()),
            strong(format!("{:.2} bpw", slider.budget.bpw(bytes))),
        ],
        vec![
            dim("  ".to_owned()),
            strong(slider.count.to_string()),
            dim(format!(" of {} free ternary", slider.budget.free().len())),
        ],
    ];
    if let Some(rel) = slider.budget.rel_mse_at(slider.count) {
        let db = sqnr_db(rel);
        let sign = if slider.tally.is_exact() { "" } else { "~" };
        let words = format!("{sign}{} dB", text::decibels(db));
        parts.push(vec![dim("  SQNR ".to_owned()), Span::styled(words, theme.sqnr(db))]);
    }
    let (coming, never) = slider.missing;
    if coming > 0 {
        let measured = slider.budget.free().len() - coming - never;
        let words = format!("  {} {measured} measured, the others stay so far", spinner(state.phase()));
        parts.push(vec![Span::styled(words, theme.warning)]);
    }
    if never > 0 {
        parts.push(vec![Span::styled(format!("  {never} cannot be measured and stay"), theme.warning)]);
    }
    if slider.budget.pinned().len() > 0 {
        parts.push(vec![dim(format!("  {} more ternary by rules", slider.budget.pinned().len()))]);
    }
    let mut line = Line::default();
    for part in parts {
        let columns: usize = part.iter().map(Span::width).sum();
        if line.width() + columns <= usize::from(area.width) {
            line.spans.extend(part);
        }
    }
    canvas.line(area, area.y, &line);
}

/// Why not, or the tensor that would be next.
fn what(state: &State, session: &Session, slider: &Slider, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    if let Some(problem) = &slider.problem {
        canvas.text(area, area.x, area.y, &format!("⚠ {}", text::escape(problem)), theme.warning);
        return;
    }
    if slider.is_out_of_reach() {
        let obstacle = slider.obstacle(&session.model, &session.plan);
        let parts = [Some(format!("⚠ {}", slider.nearest())), obstacle].into_iter().flatten();
        canvas.text(area, area.x, area.y, &parts.collect::<Vec<_>>().join(": "), theme.warning);
        return;
    }
    if slider.budget.free().is_empty() {
        let free = state.settings.keymap.key_of(Context::Budget, Action::SetRulesAside);
        let words = match (slider.budget.pinned().len() > 0, free.filter(|_| slider.has_pins())) {
            (true, Some(key)) => format!("rules decide every tensor that could go ternary: {key} sets those aside"),
            (true, None) => "nothing is free: rules decide every tensor that could go ternary".to_owned(),
            (false, _) => "nothing in this model may go ternary".to_owned(),
        };
        canvas.text(area, area.x, area.y, &words, theme.warning);
        return;
    }
    if let Some(gap) = slider.gap(&session.model) {
        canvas.text(area, area.x, area.y, &format!("⚠ {gap}"), theme.warning);
        return;
    }
    let items = slider.budget.order().items();
    let named = |what: &str, at: Option<usize>| {
        let item = at.and_then(|at| items.get(at))?;
        let name = text::elide(&text::escape(&session.model.tensors[item.tensor].name), 34);
        Some(vec![Span::styled(format!("{what} {name}"), theme.dim)])
    };
    let sign = |lot: Lot, word: &str| {
        let (sign, style) = super::tree::lot_mark(lot, theme);
        vec![Span::styled(sign.to_string(), style), Span::styled(format!(" {word}"), theme.dim)]
    };
    let mut parts = vec![sign(Lot::Taken, "taken"), sign(Lot::Left, "stays")];
    if slider.tally.pinned() > 0 {
        let mut both = sign(Lot::PinnedTernary, "");
        both.extend(sign(Lot::PinnedKept, "pinned by rules"));
        parts.push(both);
    }
    parts.extend(named("last taken", slider.count.checked_sub(1)));
    parts.extend(named("next", Some(slider.count)));
    parts.push(vec![Span::styled("a number types a size · least error per saved byte first", theme.dim)]);
    let mut line = Line::default();
    for part in parts {
        let columns: usize = part.iter().map(Span::width).sum();
        let gap = if line.width() == 0 { "" } else { "  " };
        if line.width() + gap.len() + columns <= usize::from(area.width) {
            line.push_span(Span::raw(gap));
            line.spans.extend(part);
        }
    }
    canvas.line(area, area.y, &line);
}
