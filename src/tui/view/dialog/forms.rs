//! The forms: quantizing to a new file, saving the recipe.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::area_of;
use crate::engine::error::Severity;
use crate::engine::export::Verify;
use crate::engine::preview::sqnr_db;
use crate::text;
use crate::tui::state::dialog::{QuantizeField, QuantizeForm, SaveForm};
use crate::tui::state::geometry::Spot;
use crate::tui::state::tree::Item;
use crate::tui::state::{Geometry, Session, State};
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, wrap};

/// Columns of the names at the left.
const NAMES: u16 = 11;

pub(super) fn quantize(
    state: &State,
    form: &QuantizeForm,
    canvas: &mut Canvas<'_>,
    area: Rect,
    geometry: &mut Geometry,
) {
    let Some(session) = &state.session else { return };
    let theme = canvas.theme;
    let width = area.width.min(88);
    let columns = usize::from(width) - 4;
    let summary = summary(session, form, theme);
    let warnings = warnings(session, columns, theme);
    let fields = form.fields();
    let problem: Vec<String> = form.problem.iter().flat_map(|p| wrap(&text::escape(p), columns)).collect();
    let height = summary.len() + warnings.len() + fields.len() + problem.len() + 4;
    let inner = canvas.dialog(area, width, height as u16, "Quantize");
    let mut y = inner.y + canvas.lines(inner, &summary) + 1;
    for field in fields {
        let line = Rect { y, height: 1, ..inner }.intersection(inner);
        draw_field(form, field, canvas, line);
        geometry.spots.push((area_of(line), Spot::Field(field)));
        y += 1;
    }
    for line in &problem {
        canvas.text(inner, inner.x, y, line, theme.error);
        y += 1;
    }
    let rest = Rect { y: y + 1, height: inner.bottom().saturating_sub(y + 1), ..inner };
    canvas.lines(rest, &warnings);
}

fn draw_field(form: &QuantizeForm, field: QuantizeField, canvas: &mut Canvas<'_>, line: Rect) {
    if line.height == 0 {
        return;
    }
    let theme = canvas.theme;
    let active = form.field == field;
    let pointer = if active { "▶ " } else { "  " };
    canvas.text(line, line.x, line.y, pointer, theme.accent);
    let value = Rect { x: line.x + NAMES, width: line.width.saturating_sub(NAMES), ..line };
    let name = match field {
        QuantizeField::Path => "output",
        QuantizeField::Verify => "check",
        QuantizeField::Overwrite => "replace",
        QuantizeField::Start => "",
    };
    canvas.text(line, line.x + 2, line.y, name, theme.dim);
    let style = if active { theme.strong } else { theme.text };
    match field {
        QuantizeField::Path => canvas.input(value, &form.path, active),
        QuantizeField::Verify => {
            let words = match form.verify {
                Verify::None => "none: header only",
                Verify::Hash => "hash: read everything back",
                Verify::Full => "full: also decode again and compare every error",
            };
            canvas.text(value, value.x, value.y, &format!("‹ {words} ›"), style);
        }
        QuantizeField::Overwrite => {
            let words = if form.overwrite {
                "[x] the file that is there will be replaced"
            } else {
                "[ ] replace the file that is there"
            };
            canvas.text(value, value.x, value.y, words, if form.overwrite { theme.warning } else { style });
        }
        QuantizeField::Start => {
            let style = if active { theme.cursor } else { theme.key };
            canvas.text(value, value.x, value.y, "[ Start ]", style);
        }
    }
}

/// Bytes of the output's file: its data and as much beside it as the source has. Not told where the source is no GGUF.
fn file_bytes(session: &Session) -> Option<u64> {
    let totals = &session.plan.plan().totals;
    let beside = session.model.file_bytes().checked_sub(totals.bytes)?;
    (!session.model.is_foreign()).then(|| totals.new_bytes + beside)
}

fn summary(session: &Session, form: &QuantizeForm, theme: &Theme) -> Vec<Line<'static>> {
    let plan = session.plan.plan();
    let totals = &plan.totals;
    let recipe = session.plan.recipe();
    let width = usize::from(NAMES);
    let row = |name: &str, value: String| {
        Line::from(vec![Span::styled(format!("  {name:0$}", width - 2), theme.dim), Span::styled(value, theme.text)])
    };
    let mut tensors = format!("{} of {} go ternary", totals.ternary_tensors, totals.tensors);
    if totals.converted_tensors > 0 {
        tensors += &format!(", {} converted", totals.converted_tensors);
    }
    if totals.fallbacks > 0 {
        tensors += &format!(", {} of them in q2_0 for their shape", totals.fallbacks);
    }
    let own = recipe.rules.iter().any(|r| {
        matches!(r.action, crate::engine::plan::Action::Ternary { format, method } if format.is_some() || method.is_some())
    });
    let differs = if own { " unless a rule says otherwise" } else { "" };
    let mut lines = vec![
        row("tensors", tensors),
        row("how", format!("{} · {}{differs}", recipe.format, recipe.method)),
        row(
            "data",
            format!(
                "{} → {}   {:.2} → {:.2} bpw",
                text::bytes(totals.bytes),
                text::bytes(totals.new_bytes),
                totals.bpw(),
                totals.new_bpw()
            ),
        ),
    ];
    if let Some(file) = file_bytes(session) {
        lines.push(row("file", format!("about {} with metadata and tokenizer", text::bytes(file))));
    }
    let sum = session.summaries.of(Item::Model);
    if let Some(error) = sum.error {
        let sign = if sum.is_exact() { "" } else { "~" };
        let db = text::decibels(sqnr_db(error.value));
        lines.push(row("SQNR", format!("{sign}{db} dB over {} of {} tensors", sum.measured, sum.ternary)));
    }
    if let Some(free) = form.target.as_ref().and_then(|t| t.free) {
        lines.push(row("free", text::bytes(free)));
    }
    lines
}

/// The plan's warnings, a line or two each.
fn warnings(session: &Session, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for note in session.plan.plan().notes.iter().filter(|n| n.severity > Severity::Note) {
        for (i, line) in wrap(&text::escape(&note.message), columns.saturating_sub(2)).into_iter().enumerate() {
            let sign = if i == 0 { "⚠ " } else { "  " };
            lines.push(Line::from(Span::styled(format!("{sign}{line}"), theme.warning)));
        }
    }
    lines
}

pub(super) fn save(form: &SaveForm, (title, what): (&str, &str), canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let width = area.width.min(88);
    let problem: Vec<String> =
        form.problem.iter().flat_map(|p| wrap(&text::escape(p), usize::from(width) - 4)).collect();
    let inner = canvas.dialog(area, width, 5 + problem.len() as u16, title);
    canvas.text(inner, inner.x, inner.y, what, theme.dim);
    canvas.text(inner, inner.x, inner.y + 2, "path", theme.dim);
    let field = Rect { x: inner.x + 6, y: inner.y + 2, width: inner.width.saturating_sub(6), height: 1 };
    canvas.input(field.intersection(inner), &form.path, true);
    for (y, line) in (inner.y + 3..).zip(&problem) {
        canvas.text(inner, inner.x, y, line, theme.warning);
    }
}
