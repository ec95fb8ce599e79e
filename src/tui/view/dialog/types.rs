//! The menu of types: what the selection can be made, what it would take, and what stands in the way.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::area_of;
use crate::text;
use crate::tui::state::Geometry;
use crate::tui::state::edit::{TargetType, TypeMenu, TypeOffer};
use crate::tui::theme::Theme;
use crate::tui::view::draw::Canvas;
use crate::tui::view::tree::{left, right};

/// Columns of name and size.
const NAME: usize = 11;
const SIZE: usize = 12;

pub(super) fn menu(menu: &TypeMenu, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let width = area.width.min(100);
    let label = text::elide(&menu.label, usize::from(width).saturating_sub(16));
    let inner = canvas.dialog(area, width, menu.offers.len() as u16 + 4, &format!("Type of {label}"));
    // Where not all lines have room, the one under the cursor does.
    let rows = menu.offers.len().min(usize::from(inner.height.saturating_sub(2)).max(1));
    let top = (menu.cursor + 1).saturating_sub(rows);
    for (y, (i, offer)) in (inner.y..).zip(menu.offers.iter().enumerate().skip(top).take(rows)) {
        // A reason is told once.
        let above = i.checked_sub(1).filter(|_| y > inner.y).and_then(|above| menu.offers.get(above));
        let again = above.is_some_and(|above| above.bytes.is_err() && above.bytes == offer.bytes);
        canvas.line(inner, y, &line(menu, offer, again, theme, usize::from(inner.width)));
        if i == menu.cursor {
            canvas.buf.set_style(Rect { y, height: 1, ..inner }, theme.cursor);
        }
    }
    let words = format!("{} in the source; a choice is one step, which can be undone", text::bytes(menu.source));
    canvas.text(inner, inner.x, inner.y + rows as u16 + 1, &words, theme.dim);
    geometry.dialog = area_of(Rect { height: rows as u16, ..inner });
    geometry.dialog_offset = top;
    geometry.dialog_lines = menu.offers.len();
}

/// Sign, name, size, and what it is or why it cannot be had.
fn line(menu: &TypeMenu, offer: &TypeOffer, again: bool, theme: &Theme, width: usize) -> Line<'static> {
    let rest = width.saturating_sub(NAME + SIZE + 5);
    let sign = if menu.present == Some(offer.chosen) { " ▸ " } else { "   " };
    let (name, size, words) = match &offer.bytes {
        Ok(bytes) => {
            let words = match (offer.chosen, offer.falls_back) {
                (TargetType::Ternary(_), Some((n, dtype))) => {
                    format!("{dtype} where rows do not divide: {}", text::counted(n, "tensor"))
                }
                _ => offer.chosen.describe().to_owned(),
            };
            (theme.text, text::bytes(*bytes), words)
        }
        Err(_) if again => (theme.dim, "—".to_owned(), "as above".to_owned()),
        Err(why) => (theme.dim, "—".to_owned(), why.clone()),
    };
    Line::from(vec![
        Span::styled(sign, theme.accent),
        Span::styled(left(offer.chosen.name(), NAME), name),
        Span::styled(right(&size, SIZE), name),
        Span::raw("  "),
        Span::styled(left(&text::clip(&words, rest), rest), theme.dim),
    ])
}
