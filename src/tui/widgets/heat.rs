//! Heatmaps: two values a character, one above the other, or a sign a character where there are no colours.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::Span;

use crate::tui::theme::Ramp;

/// Share from which on a ramp's colours are light: dark words are read on them.
const LIGHT: f64 = 0.4;

/// Draws shares of 0 to 1; `share` is asked for each column and each half row of the area. Where it has nothing, the cell
/// stays empty.
pub fn draw(buf: &mut Buffer, area: Rect, ramp: Ramp, plain: Style, share: impl Fn(u16, u16) -> Option<f64>) {
    for y in 0..area.height {
        for x in 0..area.width {
            let (upper, lower) = (share(x, 2 * y), share(x, 2 * y + 1));
            let Some(cell) = buf.cell_mut((area.x + x, area.y + y)) else { continue };
            let colour = |share: Option<f64>| share.and_then(|s| ramp.colour(s));
            match (upper, lower) {
                (None, None) => {}
                (Some(_), Some(_)) if ramp.halves => {
                    let mut style = plain;
                    (style.fg, style.bg) = (colour(upper), colour(lower));
                    cell.set_char('▀').set_style(style);
                }
                (Some(one), None) | (None, Some(one)) if ramp.halves => {
                    let mut style = plain;
                    style.fg = ramp.colour(one);
                    cell.set_char(if upper.is_some() { '▀' } else { '▄' }).set_style(style);
                }
                _ => {
                    let (sum, n) = [upper, lower].into_iter().flatten().fold((0.0, 0.0), |(s, n), x| (s + x, n + 1.0));
                    let mut style = plain;
                    style.fg = ramp.colour(sum / n).or(style.fg);
                    cell.set_char(Ramp::sign(sum / n)).set_style(style);
                }
            }
        }
    }
}

/// The style of an area that stands for a share: filled with its colour, with words in it that can be read; where there
/// are no colours, or none that fill, the words have the colour.
pub fn filled(share: f64, ramp: Ramp, plain: Style) -> Style {
    let mut style = plain;
    match ramp.colour(share) {
        Some(colour) if ramp.halves => {
            // The ramp goes from dark to light.
            let ink = if share < LIGHT { Color::White } else { Color::Black };
            (style.fg, style.bg) = (Some(ink), Some(colour));
        }
        colour => style.fg = colour.or(style.fg),
    }
    style
}

/// The sign of a share.
pub fn sign(share: f64) -> char {
    Ramp::sign(share)
}

/// The ramp from low to high, `width` characters: what a map's legend is made of. Always in signs, so that it says which
/// end is high, in their colours where there are colours.
pub fn legend(width: usize, ramp: Ramp, plain: Style) -> Vec<Span<'static>> {
    let share = |i: usize| i as f64 / (width.max(2) - 1) as f64;
    (0..width)
        .map(|i| {
            let mut style = plain;
            style.fg = ramp.colour(share(i)).or(style.fg);
            let sign = if ramp.halves { '█' } else { Ramp::sign(share(i)) };
            Span::styled(sign.to_string(), style)
        })
        .collect()
}

/// Which of `cells` a point of a drawing with `points` points stands for: at least one.
pub fn cells_of(point: usize, points: usize, cells: usize) -> (usize, usize) {
    let at = |i: usize| i * cells / points.max(1);
    let first = at(point).min(cells.saturating_sub(1));
    (first, at(point + 1).clamp(first + 1, cells.max(first + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_holds_two_values_or_a_sign() {
        let area = Rect::new(0, 0, 3, 1);
        let share = |x: u16, y: u16| match (x, y) {
            (0, 0) => Some(1.0),
            (0, 1) => Some(0.0),
            (1, 0) => Some(1.0),
            _ => None,
        };
        let text = |ramp: Ramp| {
            let mut buf = Buffer::empty(area);
            draw(&mut buf, area, ramp, Style::new(), share);
            (0..3).map(|x| buf[(x, 0)].symbol().to_owned()).collect::<String>()
        };
        assert_eq!(text(Ramp::TRUE), "▀▀ ");
        assert_eq!(text(Ramp::SIGNS), "+@ ");
        assert_eq!(text(Ramp::TRUE.in_signs()), "+@ ");
    }

    #[test]
    fn every_cell_is_drawn_somewhere() {
        for (points, cells) in [(7, 3), (3, 7), (5, 5), (1, 9), (9, 1)] {
            let mut seen = vec![false; cells];
            for point in 0..points {
                let (from, to) = cells_of(point, points, cells);
                assert!(from < to && to <= cells, "{point} {points} {cells}");
                seen[from..to].fill(true);
            }
            assert!(seen.iter().all(|s| *s));
        }
    }
}
