//! Where things were drawn: what mouse and paging have to know of the last frame.
//!
//! The view fills a [`Geometry`] while it draws and the run loop stores it in the state. Plain numbers, no widgets.

use super::Tab;
use super::columns::Column;
use super::dialog::QuantizeField;
use super::pages::Page;
use crate::engine::preview::Window;
use crate::tui::action::Action;

/// The least size that there is room on for anything but its being too small.
pub const MIN_SIZE: (u16, u16) = (60, 16);

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

/// What a click at a place means, where that is more than a line of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Does this.
    Act(Action),
    /// A field of the quantize dialog.
    Field(QuantizeField),
    /// An export, counted from the newest.
    Export(usize),
    /// Row and column of a cell in the table of methods.
    Cell(usize, usize),
}

/// The last frame's layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Geometry {
    /// Rows of the tree, without border and heading.
    pub tree: Area,
    /// Columns of a name in them, which its indentation and its folding sign are part of.
    pub tree_names: usize,
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
    /// What the map has drawn.
    pub plot: Plot,
    /// The tabs of the model's pages.
    pub page_tabs: Vec<(Area, Page)>,
    /// The rows of a page's list, or the text of it that scrolls.
    pub page: Area,
    /// Index of the page's first visible line.
    pub page_offset: usize,
    /// Lines that the page has.
    pub page_lines: usize,
    /// What is on top and does something of its own when it is clicked.
    pub spots: Vec<(Area, Spot)>,
    /// The list or text of the open dialog.
    pub dialog: Area,
    /// Index of the dialog's first visible line.
    pub dialog_offset: usize,
    /// Lines that the dialog's text has.
    pub dialog_lines: usize,
}

/// What the map has drawn, and where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plot {
    /// Nothing.
    #[default]
    Nothing,
    /// A window of a tensor's blocks.
    Blocks {
        /// The cells of the screen.
        area: Area,
        /// The part of the tensor.
        window: Window,
    },
    /// The experts of a merged tensor.
    Experts {
        /// The cells of the screen.
        area: Area,
        /// How they are laid out.
        tiles: Tiles,
        /// The first line of them.
        top: usize,
    },
}

impl Plot {
    /// Row and block of a cell of the screen, if the map of blocks has drawn there.
    pub fn block_at(self, column: u16, row: u16) -> Option<(u64, u64)> {
        let Self::Blocks { area, window } = self else { return None };
        if !area.contains(column, row) {
            return None;
        }
        let at = |cell: u16, cells: u16, first: u64, span: u64| {
            first + (u128::from(cell) * u128::from(span) / u128::from(cells.max(1))) as u64
        };
        Some((
            at(row - area.y, area.height, window.row, window.rows),
            at(column - area.x, area.width, window.column, window.columns),
        ))
    }

    /// The expert of a cell of the screen, if it is one's.
    pub fn expert_at(self, column: u16, row: u16) -> Option<usize> {
        let Self::Experts { area, tiles, top } = self else { return None };
        if !area.contains(column, row) {
            return None;
        }
        let (x, y) = (usize::from((column - area.x) / tiles.width), usize::from((row - area.y) / tiles.height));
        (x < tiles.line).then_some((top + y) * tiles.line + x)
    }
}

/// How the experts of a tensor stand in an area: the largest tiles of which all fit, in lines of the same length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiles {
    /// Experts of a line.
    pub line: usize,
    /// Columns of a tile, with the one between it and the next.
    pub width: u16,
    /// Rows of a tile.
    pub height: u16,
}

impl Tiles {
    /// Columns and rows of tiles, the largest first: number and figure below each other, the figure, the number, a sign.
    const SIZES: [(u16, u16); 5] = [(13, 3), (10, 2), (8, 1), (5, 1), (2, 1)];

    /// For `n` experts in so many columns and rows.
    pub fn of(n: usize, columns: u16, rows: u16) -> Self {
        let tiles = |(width, height): (u16, u16)| {
            let line = usize::from(columns / width).clamp(1, n.max(1));
            let lines = n.div_ceil(line).max(1);
            (Self { line: n.div_ceil(lines).max(1), width, height }, lines * usize::from(height))
        };
        let fitting = Self::SIZES.into_iter().filter(|(width, _)| *width <= columns).map(tiles);
        let first = fitting.clone().find(|(_, used)| *used <= usize::from(rows));
        first.map_or(tiles(Self::SIZES[Self::SIZES.len() - 1]).0, |(tiles, _)| tiles)
    }
}

impl Geometry {
    /// What a click there means.
    pub fn spot(&self, column: u16, row: u16) -> Option<Spot> {
        self.spots.iter().find(|(area, _)| area.contains(column, row)).map(|(_, spot)| *spot)
    }

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
    fn few_experts_have_large_tiles_and_many_have_small_ones() {
        let tiles = |n, columns, rows| {
            let Tiles { line, width, height } = Tiles::of(n, columns, rows);
            (line, width, height)
        };
        assert_eq!(tiles(8, 60, 20), (4, 13, 3), "two lines of four, not of six and two");
        assert_eq!(tiles(8, 60, 4), (4, 10, 2));
        assert_eq!(tiles(8, 60, 1), (8, 5, 1));
        assert_eq!(tiles(128, 60, 20), (7, 8, 1));
        assert_eq!(tiles(128, 30, 20), (15, 2, 1));
        assert_eq!(tiles(4096, 60, 20), (30, 2, 1), "more than fit scroll");
        assert_eq!(tiles(0, 0, 0), (1, 2, 1));
    }

    #[test]
    fn a_cell_of_the_map_is_a_block_and_one_of_the_tiles_an_expert() {
        let area = Area { x: 10, y: 5, width: 20, height: 10 };
        let window = Window { row: 100, rows: 40, column: 8, columns: 10 };
        let plot = Plot::Blocks { area, window };
        assert_eq!(plot.block_at(10, 5), Some((100, 8)));
        assert_eq!(plot.block_at(29, 14), Some((136, 17)));
        assert_eq!(plot.block_at(30, 5), None);
        let tiles = Plot::Experts { area, tiles: Tiles { line: 2, width: 8, height: 2 }, top: 3 };
        assert_eq!(tiles.expert_at(10, 5), Some(6));
        assert_eq!(tiles.expert_at(18, 8), Some(9));
        assert_eq!(tiles.expert_at(26, 5), None, "beside the tiles");
        assert_eq!((tiles.block_at(10, 5), plot.expert_at(10, 5)), (None, None));
    }
}
