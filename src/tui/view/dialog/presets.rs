//! The menu of presets with what each would amount to, and the line that asks for a recipe file.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::area_of;
use crate::engine::plan::Totals;
use crate::text;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::state::dialog::SaveForm;
use crate::tui::state::presets::{Preset, PresetMenu};
use crate::tui::state::{Geometry, State};
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, wrap};
use crate::tui::view::tree::{left, right};
use crate::tui::widgets::gauge;

pub(super) fn menu(state: &State, menu: &PresetMenu, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let inner = canvas.dialog(area, area.width.min(84), menu.offers.len() as u16 + 4, "What goes ternary");
    for (i, (preset, totals)) in menu.offers.iter().enumerate() {
        let y = inner.y + i as u16;
        canvas.line(inner, y, &offer(state, *preset, *totals, theme, usize::from(inner.width)));
        if i == menu.cursor && y < inner.bottom() {
            canvas.buf.set_style(Rect { y, height: 1, ..inner }, theme.cursor);
        }
    }
    let words = "takes the place of mask and rules, as one step that can be undone";
    let y = inner.y + menu.offers.len() as u16 + 1;
    canvas.text(inner, inner.x, y, words, theme.dim);
    geometry.dialog = area_of(Rect { height: menu.offers.len() as u16, ..inner });
    geometry.dialog_lines = menu.offers.len();
}

/// Key, name, and what the plan would be: tensors, share, size.
fn offer(state: &State, preset: Preset, totals: Option<Totals>, theme: &Theme, width: usize) -> Line<'static> {
    let keymap = &state.settings.keymap;
    let bound = keymap.of(Context::Presets).find(|bound| bound.action == Action::TakePreset(preset));
    let keys = bound.map_or("", |bound| bound.shown.as_str());
    let mut line = Line::from(vec![
        Span::styled(format!(" {} ", left(keys, 2)), theme.key),
        Span::styled(left(preset.title(), 23), theme.text),
    ]);
    let Some(totals) = totals else { return line };
    if totals.ternary_tensors == 0 && preset != Preset::None {
        line.push_span(Span::styled("there is nothing of the kind here", theme.dim));
        return line;
    }
    if width >= 66 {
        line.push_span(Span::styled(right(&text::counted(totals.ternary_tensors as usize, "tensor"), 14), theme.dim));
    }
    line.push_span(Span::raw("  "));
    if width >= 70 {
        line.spans.extend(gauge::bar(8, totals.ternary_share(), theme.ternary, theme.track));
    }
    line.push_span(Span::styled(right(&text::percent(totals.ternary_share()), 8), theme.text));
    line.push_span(Span::styled(format!("  → {}", text::bytes(totals.new_bytes)), theme.text));
    line
}

pub(super) fn file(form: &SaveForm, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let width = area.width.min(88);
    let columns = usize::from(width).saturating_sub(4);
    // A mistake in a file is shown with its line and a mark below it, which must not move.
    let lines = |line: &str| {
        let line = text::escape(line);
        if line.contains('|') { vec![text::clip(&line, columns)] } else { wrap(&line, columns) }
    };
    let problem: Vec<String> = form.problem.iter().flat_map(|p| p.lines()).flat_map(lines).collect();
    let inner = canvas.dialog(area, width, 5 + problem.len() as u16, "Read a recipe");
    canvas.text(inner, inner.x, inner.y, "as `s` here and `tritscope … --save-recipe` write it", theme.dim);
    canvas.text(inner, inner.x, inner.y + 2, "path", theme.dim);
    let field = Rect { x: inner.x + 6, y: inner.y + 2, width: inner.width.saturating_sub(6), height: 1 };
    canvas.input(field.intersection(inner), &form.path, true);
    for (y, line) in (inner.y + 3..).zip(&problem) {
        canvas.text(inner, inner.x, y, line, theme.warning);
    }
}
