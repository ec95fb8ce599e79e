//! The forms: quantizing to a new file, saving the recipe.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::area_of;
use crate::engine::error::Severity;
use crate::engine::export::Verify;
use crate::engine::plan::Action;
use crate::engine::preview::sqnr_db;
use crate::text;
use crate::tui::state::dialog::{QuantizeField, QuantizeForm, SaveForm};
use crate::tui::state::geometry::Spot;
use crate::tui::state::quantize::kept;
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
    let summary = summary(session, form, columns, theme);
    let warnings = warnings(session, columns, theme);
    let fields = form.fields();
    let problem: Vec<String> = form.problem.iter().flat_map(|p| wrap(&text::escape(p), columns)).collect();
    let height = summary.len() + warnings.len() + fields.len() + problem.len() + 3;
    let inner = canvas.dialog(area, width, height as u16, "Quantize");
    // What is edited comes first: where there is little room, the end of the summary is what is missing.
    let mut y = inner.y;
    for field in fields {
        let line = Rect { y, height: 1, ..inner }.intersection(inner);
        draw_field(session, form, field, canvas, line);
        geometry.spots.push((area_of(line), Spot::Field(field)));
        y += 1;
    }
    for line in &problem {
        canvas.text(inner, inner.x, y, line, theme.error);
        y += 1;
    }
    let rest = Rect { y: y + 1, height: inner.bottom().saturating_sub(y + 1), ..inner };
    let lines: Vec<Line<'_>> = warnings.into_iter().chain(summary).collect();
    canvas.lines(rest, &lines);
    let missing = lines.len().saturating_sub(usize::from(rest.height));
    if missing > 0 {
        let border = Rect { y: inner.bottom(), height: 1, ..inner };
        canvas.right(border, border.y, &format!(" {missing} more on a larger screen "), theme.dim);
    }
}

fn draw_field(session: &Session, form: &QuantizeForm, field: QuantizeField, canvas: &mut Canvas<'_>, line: Rect) {
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
        QuantizeField::Format => "format",
        QuantizeField::Method => "method",
        QuantizeField::Threads => "threads",
        QuantizeField::Memory => "memory",
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
        QuantizeField::Format | QuantizeField::Method => {
            let recipe = session.plan.recipe();
            let name = if field == QuantizeField::Format { recipe.format.name() } else { recipe.method.name() };
            let differs = if has_own(session) { "  unless a rule says otherwise" } else { "" };
            let x = canvas.text(value, value.x, value.y, &format!("‹ {name} ›"), style);
            canvas.text(value, x, value.y, differs, theme.dim);
        }
        QuantizeField::Threads | QuantizeField::Memory => draw_number(form, field, canvas, value),
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

/// A number of the form: threads, or memory with what it comes to.
fn draw_number(form: &QuantizeForm, field: QuantizeField, canvas: &mut Canvas<'_>, value: Rect) {
    let theme = canvas.theme;
    let active = form.field == field;
    let input = if field == QuantizeField::Threads { &form.threads } else { &form.memory };
    let x = if active {
        canvas.input(Rect { width: value.width.min(10), ..value }, input, true);
        value.x + 10
    } else {
        canvas.text(value, value.x, value.y, input.text(), theme.text)
    };
    if field == QuantizeField::Memory {
        let (words, style) = match form.memory_use() {
            Some(Ok(words)) => (words, theme.dim),
            Some(Err(words)) => (words, theme.error),
            None => return,
        };
        canvas.text(value, x + 2, value.y, &words, style);
    }
}

/// Bytes of the output's file: its data and as much beside it as the source has. Not told where the source is no GGUF.
fn file_bytes(session: &Session) -> Option<u64> {
    let totals = &session.plan.plan().totals;
    let beside = session.model.file_bytes().checked_sub(totals.bytes)?;
    (!session.model.is_foreign()).then(|| totals.new_bytes + beside)
}

/// Whether a rule asks for a format or method of its own.
fn has_own(session: &Session) -> bool {
    let own =
        |action: &Action| matches!(action, Action::Ternary { format, method } if format.is_some() || method.is_some());
    session.plan.recipe().rules.iter().any(|rule| own(&rule.action))
}

/// What the plan comes to: tensors, sizes, errors.
fn summary(session: &Session, form: &QuantizeForm, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let totals = &session.plan.plan().totals;
    let width = usize::from(NAMES);
    let mut lines = Vec::new();
    let mut row = |name: &str, value: &str| {
        for (i, value) in wrap(value, columns.saturating_sub(width)).into_iter().enumerate() {
            let name = if i == 0 { name } else { "" };
            let name = Span::styled(format!("  {name:0$}", width - 2), theme.dim);
            lines.push(Line::from(vec![name, Span::styled(value, theme.text)]));
        }
    };
    let sizes = format!("{} → {}", text::bytes(totals.bytes), text::bytes(totals.new_bytes));
    row("data", &format!("{sizes} · {:.2} → {:.2} bpw", totals.bpw(), totals.new_bpw()));
    let free = form.target.as_ref().and_then(|t| t.free).map(|free| format!("{} are free", text::bytes(free)));
    let file = file_bytes(session).map(|file| format!("about {} with metadata and tokenizer", text::bytes(file)));
    let parts: Vec<String> = file.into_iter().chain(free).collect();
    if !parts.is_empty() {
        row("file", &parts.join(" · "));
    }
    let mut tensors = format!("{} of {} go ternary", totals.ternary_tensors, totals.tensors);
    if totals.converted_tensors > 0 {
        tensors += &format!(", {} converted", totals.converted_tensors);
    }
    if totals.fallbacks > 0 {
        tensors += &format!(", {} of them in q2_0 for their shape", totals.fallbacks);
    }
    row("tensors", &tensors);
    if let Some(kept) = kept(session) {
        row("others", &kept);
    }
    let sum = session.summaries.of(Item::Model);
    if let Some(error) = sum.error {
        let sign = if sum.is_exact() { "" } else { "~" };
        let db = text::decibels(sqnr_db(error.value));
        row("SQNR", &format!("{sign}{db} dB over {} of {} tensors", sum.measured, sum.ternary));
    }
    if let Some((tensor, db)) = form.worst.0
        && let Some(tensor) = session.model.tensors.get(tensor)
    {
        let db = format!(" {} dB", text::decibels(db));
        let room = columns.saturating_sub(width + text::width(&db));
        row("worst", &(text::elide(&text::escape(&tensor.name), room) + &db));
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
