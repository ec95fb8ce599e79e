//! The palette and the copy menu: lists of which one line is chosen.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::area_of;
use crate::text;
use crate::tui::state::copying::CopyMenu;
use crate::tui::state::geometry::scrolled;
use crate::tui::state::palette::{Choice, Palette};
use crate::tui::state::{Geometry, State};
use crate::tui::theme::Theme;
use crate::tui::view::draw::Canvas;
use crate::tui::view::tree::left;

pub(super) fn draw(state: &State, palette: &Palette, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let told = u16::from(palette.problem.is_some());
    // As high whatever is found: the line that one types in stays where it is.
    let height = area.height.min(24);
    let inner = canvas.dialog(area, area.width.min(90), height, "Commands");
    let x = canvas.text(inner, inner.x, inner.y, ":", theme.key);
    canvas.input(Rect { x, width: inner.right().saturating_sub(x), height: 1, ..inner }, &palette.input, true);
    if let Some(problem) = &palette.problem {
        canvas.text(inner, inner.x, inner.y + 1, problem, theme.warning);
    }
    let above = 1 + told;
    let list = Rect { y: inner.y + above, height: inner.height.saturating_sub(above + 1), ..inner };
    if let Some(choice) = palette.choices.get(palette.cursor) {
        // What the list has no room for.
        let help = text::clip(&in_full(choice), usize::from(inner.width));
        canvas.text(inner, inner.x, inner.bottom().saturating_sub(1), &help, theme.dim);
    }
    let shown = usize::from(list.height);
    let offset = scrolled(state.geometry.dialog_offset, palette.cursor, palette.choices.len(), shown);
    for (i, choice) in palette.choices.iter().enumerate().skip(offset).take(shown) {
        let y = list.y + (i - offset) as u16;
        canvas.line(list, y, &line(choice, theme, usize::from(list.width)));
        if i == palette.cursor {
            canvas.buf.set_style(Rect { y, height: 1, ..list }, theme.cursor);
        }
    }
    let more = palette.choices.len().saturating_sub(offset + shown);
    if more > 0 {
        let border = Rect { y: inner.bottom(), height: 1, ..inner };
        canvas.right(border, border.y, &format!(" ↓ {more} more "), theme.dim);
    }
    geometry.dialog = area_of(list);
    geometry.dialog_offset = offset;
    geometry.dialog_lines = palette.choices.len();
}

/// What a command does, and where.
fn in_full(choice: &Choice) -> String {
    choice.place.map_or_else(|| choice.help.clone(), |place| format!("in {} · {}", place.title(), choice.help))
}

/// Command, what it does, its keys at the right. What works elsewhere is dimmed and begins with where.
fn line(choice: &Choice, theme: &Theme, width: usize) -> Line<'static> {
    const KEYS: usize = 14;
    let command = text::escape(&choice.line);
    // A name of a tensor may take what is left; a command needs little.
    let names = (text::width(&command) + 1 + choice.argument.len()).max(22).min(width.saturating_sub(KEYS + 8).max(8));
    let (strong, plain, key) = match choice.place {
        None => (theme.strong, theme.text, theme.key),
        Some(_) => (theme.dim, theme.dim, theme.dim),
    };
    let help = in_full(choice);
    let mut spans = vec![Span::styled(text::elide(&command, names), strong)];
    if !choice.argument.is_empty() {
        spans.push(Span::styled(format!(" {}", choice.argument), theme.dim));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw(" ".repeat(names.saturating_sub(used) + 1)));
    let room = width.saturating_sub(names.max(used) + 2 + KEYS);
    spans.push(Span::styled(left(&text::clip(&help, room), room), plain));
    spans.push(Span::styled(format!(" {}", text::clip(&choice.keys, KEYS)), key));
    Line::from(spans)
}

pub(super) fn copying(state: &State, menu: CopyMenu, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let inner = canvas.dialog(area, 50, CopyMenu::LINES as u16 + 2, "Copy");
    let keymap = &state.settings.keymap;
    for i in 0..CopyMenu::LINES {
        let y = inner.y + i as u16;
        let (action, title) = CopyMenu::line(i);
        let bound = keymap.of(crate::tui::keymap::Context::Copy).find(|b| b.action == action);
        let keys = bound.map_or("", |b| b.shown.as_str());
        let words = vec![Span::styled(format!(" {} ", left(keys, 3)), theme.key), Span::styled(title, theme.text)];
        canvas.line(inner, y, &Line::from(words));
        if i == menu.cursor && y < inner.bottom() {
            canvas.buf.set_style(Rect { y, height: 1, ..inner }, theme.cursor);
        }
    }
    geometry.dialog = area_of(inner);
    geometry.dialog_lines = CopyMenu::LINES;
}
