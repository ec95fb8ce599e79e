//! Where things were drawn: what mouse and paging have to know of the last frame.
//!
//! The view fills a [`Geometry`] while it draws and the run loop stores it in the state. Plain numbers, no widgets.

use super::Tab;
use super::columns::Column;
use super::pages::Page;

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Area {
    /// Left column.
    pub x: u16,
    /// Top row.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Area {
    /// Whether the cell lies inside.
    pub fn contains(self, x: u16, y: u16) -> bool {
        x >= self.x && y >= self.y && x - self.x < self.width && y - self.y < self.height
    }
}

/// The last frame's layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Geometry {
    /// Rows of the tree, without border and heading.
    pub tree: Area,
    /// Index of the row that is drawn first.
    pub tree_offset: usize,
    /// Rows that stand at the top instead of those that scrolled there: the folders above what is below them.
    pub sticky: Vec<usize>,
    /// The headings of the tree's columns.
    pub headings: Vec<(Area, Column)>,
    /// The track of the budget slider.
    pub slider: Area,
    /// The map of the sensitivity screen, without its names.
    pub map: Area,
    /// Columns of a layer in it.
    pub map_cell: u16,
    /// Its first role and layer.
    pub map_first: (usize, usize),
    /// The list of pairs of a comparison.
    pub pairs: Area,
    /// Index of the pair that is drawn first.
    pub pairs_offset: usize,
    /// The preview pane.
    pub preview: Area,
    /// The column between tree and preview.
    pub splitter: u16,
    /// The preview's tabs.
    pub tabs: Vec<(Area, Tab)>,
    /// The part of the preview that keys move in: the map's cells, or the lines that scroll.
    pub pane: Area,
    /// Lines that the preview's text has.
    pub pane_lines: usize,
    /// The tabs of the model's pages.
    pub page_tabs: Vec<(Area, Page)>,
    /// The rows of a page's list, or the text of it that scrolls.
    pub page: Area,
    /// Index of the page's first visible line.
    pub page_offset: usize,
    /// Lines that the page has.
    pub page_lines: usize,
    /// The list or text of the open dialog.
    pub dialog: Area,
    /// Index of the dialog's first visible line.
    pub dialog_offset: usize,
    /// Lines that the dialog's text has.
    pub dialog_lines: usize,
}

impl Geometry {
    /// Roles and layers of the map that are in sight.
    pub fn map_cells(&self) -> (usize, usize) {
        (usize::from(self.map.height), usize::from(self.map.width / self.map_cell.max(1)))
    }
}

/// The first visible index of a list of `len` lines, moved from `offset` no further than `cursor` needs to be visible
/// among `height` lines, with a little context around it.
pub fn scrolled(offset: usize, cursor: usize, len: usize, height: usize) -> usize {
    if height == 0 || len <= height {
        return 0;
    }
    let margin = if height > 8 { 2 } else { 0 };
    let lowest = (cursor + margin + 1).saturating_sub(height);
    let highest = cursor.saturating_sub(margin);
    offset.clamp(lowest.min(highest), highest).min(len - height)
}

/// Experts that stand in a line of an area of so many columns and rows: one, with its figures, where there is a row for
/// each of the `n` below a heading, else a bar of two columns each.
pub fn experts_in_a_line(n: usize, columns: u16, rows: u16) -> usize {
    if n < usize::from(rows) && columns >= 47 { 1 } else { usize::from(columns / 2).clamp(1, n.max(1)).min(64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_visible_and_the_list_moves_little() {
        assert_eq!(scrolled(0, 5, 100, 10), 0);
        assert_eq!(scrolled(0, 9, 100, 10), 2);
        assert_eq!(scrolled(0, 99, 100, 10), 90);
        assert_eq!(scrolled(50, 10, 100, 10), 8);
        assert_eq!(scrolled(7, 3, 5, 10), 0);
    }

    #[test]
    fn few_experts_have_a_line_each_and_many_share_one() {
        assert_eq!(experts_in_a_line(8, 60, 9), 1);
        assert_eq!(experts_in_a_line(8, 60, 8), 8, "the heading takes a row");
        assert_eq!(experts_in_a_line(8, 40, 20), 8, "figures need columns");
        assert_eq!(experts_in_a_line(128, 60, 20), 30);
        assert_eq!(experts_in_a_line(0, 0, 0), 1);
    }
}
