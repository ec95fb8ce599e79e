//! Horizontal bars of one line: shares, progress, figures beside each other.

use ratatui::style::Style;
use ratatui::text::Span;

/// A bar of `width` cells, filled for a share of 0 to 1 in steps of half a cell.
pub fn bar(width: usize, share: f64, filled: Style, track: Style) -> [Span<'static>; 3] {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let halves = (share * (width * 2) as f64).round() as usize;
    let whole = halves / 2;
    let half = halves % 2;
    [
        Span::styled("━".repeat(whole), filled),
        Span::styled("╸".repeat(half), filled),
        Span::styled("─".repeat(width - whole - half), track),
    ]
}

/// A character as high as a share of 0 to 1: for strips of many small bars.
pub fn column(share: f64) -> char {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    STEPS[((share * 8.0).ceil() as usize).clamp(1, 8) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_its_width_whatever_the_share() {
        for share in [0.0, 0.04, 0.05, 0.5, 0.99, 1.0, 2.0, f64::NAN] {
            let spans = bar(10, share, Style::new(), Style::new());
            assert_eq!(spans.iter().map(|s| s.content.chars().count()).sum::<usize>(), 10, "{share}");
        }
        assert_eq!(column(0.0), '▁');
        assert_eq!(column(1.0), '█');
    }
}
