//! Histograms of eighth blocks with an axis below: bars, marks on the axis, labels that do not run into each other.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A mark on the axis.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// Column, from the left end of the axis.
    pub column: u16,
    /// What stands on the axis.
    pub sign: char,
    /// How it looks.
    pub style: Style,
}

/// Draws one bar a column, the highest as high as the area; what is not zero has at least an eighth.
pub fn bars(buf: &mut Buffer, area: Rect, values: &[f64], style: impl Fn(usize) -> Style) {
    bars_to(buf, area, values, values.iter().copied().fold(0.0, f64::max), style);
}

/// The same where `highest` is as high as the area.
pub fn bars_to(buf: &mut Buffer, area: Rect, values: &[f64], highest: f64, style: impl Fn(usize) -> Style) {
    const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if highest <= 0.0 || area.height == 0 {
        return;
    }
    for (column, value) in values.iter().enumerate().take(usize::from(area.width)) {
        if *value <= 0.0 {
            continue;
        }
        let eighths = ((value / highest * f64::from(area.height) * 8.0).round() as u16).max(1);
        for row in 0..area.height {
            let level = eighths.saturating_sub(row * 8).min(8);
            if level == 0 {
                break;
            }
            let (x, y) = (area.x + column as u16, area.y + area.height - 1 - row);
            buf[(x, y)].set_char(EIGHTHS[usize::from(level) - 1]).set_style(style(column));
        }
    }
}

/// Draws a sign where each bar would end: a second histogram over the bars of a first, told apart without colour.
pub fn tops(buf: &mut Buffer, area: Rect, values: &[f64], highest: f64, (sign, style): (char, Style)) {
    if highest <= 0.0 || area.height == 0 {
        return;
    }
    for (column, value) in values.iter().enumerate().take(usize::from(area.width)).filter(|(_, v)| **v > 0.0) {
        let row = ((value / highest * f64::from(area.height)).ceil() as u16).clamp(1, area.height) - 1;
        buf[(area.x + column as u16, area.y + area.height - 1 - row)].set_char(sign).set_style(style);
    }
}

/// Draws the axis: a line with marks on it.
pub fn axis(buf: &mut Buffer, area: Rect, line: Style, marks: &[Mark]) {
    for x in area.left()..area.right() {
        buf[(x, area.y)].set_char('─').set_style(line);
    }
    for mark in marks.iter().filter(|m| m.column < area.width) {
        buf[(area.x + mark.column, area.y)].set_char(mark.sign).set_style(mark.style);
    }
}

/// Puts labels under their columns, moved inside the area. Earlier ones come first: one that would touch another is left
/// out.
pub fn labels(buf: &mut Buffer, area: Rect, labels: &[(u16, String, Style)]) {
    let mut taken: Vec<(u16, u16)> = Vec::new();
    for (column, text, style) in labels {
        let width = crate::text::width(text) as u16;
        if width == 0 || width > area.width {
            continue;
        }
        let start = column.saturating_sub(width / 2).min(area.width - width);
        let end = start + width;
        if taken.iter().any(|(from, to)| start <= *to && end >= *from) {
            continue;
        }
        buf.set_stringn(area.x + start, area.y, crate::text::spelled(text), usize::from(width), *style);
        taken.push((start, end));
    }
}

/// The column of a value on a linear axis of `width` columns, if it is on it.
pub fn column_of(value: f64, lo: f64, hi: f64, width: u16) -> Option<u16> {
    if !(lo..=hi).contains(&value) || hi <= lo || width == 0 {
        return None;
    }
    Some((((value - lo) / (hi - lo) * f64::from(width)) as u16).min(width - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_scaled_to_the_highest_and_rare_bins_stay_visible() {
        let area = Rect::new(0, 0, 4, 2);
        let mut buf = Buffer::empty(area);
        bars(&mut buf, area, &[16.0, 8.0, 0.001, 0.0], |_| Style::new());
        let row = |y| (0..4).map(|x| buf[(x, y)].symbol().to_owned()).collect::<String>();
        assert_eq!((row(0), row(1)), ("█   ".to_owned(), "██▁ ".to_owned()));
    }

    #[test]
    fn a_second_histogram_has_a_sign_at_its_tops() {
        let area = Rect::new(0, 0, 3, 2);
        let mut buf = Buffer::empty(area);
        bars_to(&mut buf, area, &[4.0, 2.0, 0.0], 4.0, |_| Style::new());
        tops(&mut buf, area, &[1.0, 4.0, 0.0], 4.0, ('◆', Style::new()));
        let row = |y| (0..3).map(|x| buf[(x, y)].symbol().to_owned()).collect::<String>();
        assert_eq!((row(0), row(1)), ("█◆ ".to_owned(), "◆█ ".to_owned()));
    }

    #[test]
    fn labels_stay_inside_and_apart() {
        let area = Rect::new(0, 0, 12, 1);
        let mut buf = Buffer::empty(area);
        let label = |column, text: &str| (column, text.to_owned(), Style::new());
        labels(&mut buf, area, &[label(0, "0.5"), label(11, "1.5"), label(2, "no"), label(6, "1")]);
        let row: String = (0..12).map(|x| buf[(x, 0)].symbol()).collect();
        assert_eq!(row, "0.5   1  1.5");
    }
}
