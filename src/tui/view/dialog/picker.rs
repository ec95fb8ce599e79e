//! The picker: a line to type into, recent files, what lies in the folder.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::area_of;
use crate::text;
use crate::tui::state::command::shorten;
use crate::tui::state::geometry::scrolled;
use crate::tui::state::picker::{Choice, Picker, Purpose};
use crate::tui::state::{Geometry, State};
use crate::tui::theme::Theme;
use crate::tui::view::draw::Canvas;
use crate::tui::view::tree::{left, right};

pub(super) fn draw(state: &State, picker: &Picker, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let home = state.settings.home.as_deref();
    let title = match picker.purpose {
        Purpose::Open => "Open a model",
        Purpose::Compare => "Compare with which model?",
    };
    let inner = canvas.dialog(area, area.width.min(90), area.height.saturating_sub(1), title);
    let folder = shorten(&picker.folder, home);
    let x = canvas.text(inner, inner.x, inner.y, "path ", theme.dim);
    let typed = Rect { x, width: inner.right().saturating_sub(x), height: 1, ..inner };
    canvas.input(typed, &picker.input, true);
    if picker.input.text().is_empty() {
        canvas.text(typed, typed.x + 1, typed.y, "a .gguf or .safetensors file, typed or chosen below", theme.dim);
    }
    let x = canvas.text(inner, inner.x, inner.y + 1, "in   ", theme.dim);
    let folder = text::elide(&folder, usize::from(inner.right().saturating_sub(x)));
    canvas.text(inner, x, inner.y + 1, &folder, theme.title);
    let list = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    let choices = picker.choices();
    let offset = scrolled(state.geometry.dialog_offset, picker.cursor, choices.len(), usize::from(list.height));
    for (i, choice) in choices.iter().enumerate().skip(offset).take(usize::from(list.height)) {
        let y = list.y + (i - offset) as u16;
        canvas.line(list, y, &line(picker, choice, state, theme, usize::from(list.width)));
        if i == picker.cursor {
            canvas.buf.set_style(Rect { y, height: 1, ..list }, theme.cursor);
        }
    }
    let rest = list.y + choices.len().saturating_sub(offset) as u16;
    let words = match &picker.entries {
        None => Some("reading the folder …".to_owned()),
        Some(Err(why)) => Some(text::escape(why)),
        Some(Ok(_)) if picker.input.text().is_empty() && choices.iter().all(is_apart) => {
            Some("no model and no folder here; a path can be typed".to_owned())
        }
        Some(Ok(_)) if choices.iter().all(is_apart) => {
            Some("no model and no folder of this name here; enter opens the path as typed".to_owned())
        }
        Some(Ok(_)) => None,
    };
    if let Some(words) = words
        && rest < list.bottom()
    {
        let style = if matches!(picker.entries, Some(Err(_))) { theme.error } else { theme.dim };
        canvas.text(list, list.x, rest, &format!("  {words}"), style);
    }
    geometry.dialog = area_of(list);
    geometry.dialog_offset = offset;
    geometry.dialog_lines = choices.len();
}

/// Whether a choice lies in no folder that is shown.
fn is_apart(choice: &Choice) -> bool {
    matches!(choice, Choice::Parent | Choice::Demo | Choice::Recent(_))
}

fn line(picker: &Picker, choice: &Choice, state: &State, theme: &Theme, width: usize) -> Line<'static> {
    match choice {
        Choice::Demo => {
            Line::from(vec![Span::styled("★ ", theme.accent), Span::styled("built-in demo (MoE, 20 MB)", theme.text)])
        }
        Choice::Recent(path) => {
            let path = shorten(path, state.settings.home.as_deref());
            let shown = text::elide(&path, width.saturating_sub(11));
            Line::from(vec![
                Span::styled("↺ ", theme.accent),
                Span::styled(left(&shown, width - 9), theme.text),
                Span::styled(" recent", theme.dim),
            ])
        }
        Choice::Parent => Line::from(Span::styled("▴ ..", theme.dim)),
        Choice::Entry(index) => {
            let entry = picker.entries.as_ref().and_then(|e| e.as_ref().ok()).and_then(|e| e.get(*index));
            let Some(entry) = entry else { return Line::default() };
            let name = text::elide(&text::escape(&entry.name), width.saturating_sub(14));
            if entry.folder {
                Line::from(vec![Span::styled("▸ ", theme.dim), Span::styled(format!("{name}/"), theme.title)])
            } else {
                let size = right(&text::bytes(entry.bytes), 10);
                Line::from(vec![
                    Span::styled("  ", theme.dim),
                    Span::styled(left(&name, width.saturating_sub(12)), theme.text),
                    Span::styled(size, theme.dim),
                ])
            }
        }
    }
}
