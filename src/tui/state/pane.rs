//! What the preview pane remembers: whether it has the keys, where it is in the tensor, how figures are drawn.

use super::input::TextInput;
use super::looks::Looks;
use super::matrix::Matrix;
use crate::engine::preview::{BlockShape, Measure, Window};
use crate::engine::ternary::Method;

/// Numbers of bins that the scales' histogram can have; none is one a column.
pub const BINS: [usize; 5] = [8, 16, 32, 64, 128];

/// Least rows and blocks of a window of the map.
const CLOSEST: u64 = 8;

/// The preview pane.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Pane {
    /// Whether it has the keys.
    pub focused: bool,
    /// Bins of the scales' histogram; one a column where not set.
    pub bins: Option<usize>,
    /// The method whose scales are drawn over those of the chosen one.
    pub overlay: Option<Method>,
    /// The cell of the methods' table.
    pub matrix: Matrix,
    /// Where in the tensor the map and the block view are.
    pub place: Place,
    /// What the map is coloured by.
    pub measure: Measure,
    /// Whether the map shows experts, not blocks.
    pub experts: bool,
    /// The expert under the map's cursor.
    pub expert: usize,
    /// Whether the map is drawn in signs where it could be drawn in colours alone.
    pub signs: bool,
    /// Whether the block view shows bytes first.
    pub bytes: bool,
    /// First visible line of what scrolls.
    pub scroll: usize,
    /// The place that is being typed, if one is.
    pub goto: Option<TextInput>,
    /// Grids, blocks and trits that were looked at.
    pub looks: Looks,
}

/// A place in a tensor's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// How blocks lie; `None` before a tensor was looked at.
    pub shape: Option<BlockShape>,
    /// The tensor that the rest is about.
    pub tensor: usize,
    /// Row and block under the cursor.
    pub at: (u64, u64),
    /// What the map shows.
    pub window: Window,
}

impl Default for Place {
    fn default() -> Self {
        Self { shape: None, tensor: 0, at: (0, 0), window: Window { row: 0, rows: 1, column: 0, columns: 1 } }
    }
}

impl Place {
    /// Begins anew if it is of another tensor or of blocks of another length.
    pub fn follow(&mut self, tensor: usize, shape: Option<BlockShape>) {
        if self.shape == shape && self.tensor == tensor {
            return;
        }
        *self = Self { shape, tensor, ..Self::default() };
        if let Some(shape) = shape {
            self.window = shape.whole();
        }
    }

    /// Moves the cursor by so many rows and blocks, and the window after it.
    pub fn step(&mut self, rows: i64, columns: i64) {
        let Some(shape) = self.shape else { return };
        let row = self.at.0.saturating_add_signed(rows).min(shape.rows - 1);
        let column = self.at.1.saturating_add_signed(columns).min(shape.columns - 1);
        self.go(row, column);
    }

    /// The next or previous block in the tensor's order.
    pub fn next_block(&mut self, forward: bool) {
        let Some(shape) = self.shape else { return };
        let block = self.at.0 * shape.columns + self.at.1;
        let to = if forward { (block + 1).min(shape.blocks() - 1) } else { block.saturating_sub(1) };
        self.go(to / shape.columns, to % shape.columns);
    }

    /// Puts the cursor on a block, or on the nearest that there is.
    pub fn go(&mut self, row: u64, column: u64) {
        let Some(shape) = self.shape else { return };
        let block = (row.min(shape.rows - 1) * shape.columns + column.min(shape.columns - 1)).min(shape.blocks() - 1);
        self.at = (block / shape.columns, block % shape.columns);
        let moved = |first: u64, span: u64, at: u64| {
            // By half a window at least, so that a walk over its edge does not ask for a grid at each step.
            if at < first {
                at.saturating_sub(span / 2)
            } else if at >= first + span {
                at.saturating_sub(span - 1 - span / 2)
            } else {
                first
            }
        };
        self.window.row = moved(self.window.row, self.window.rows, self.at.0);
        self.window.column = moved(self.window.column, self.window.columns, self.at.1);
        self.window = shape.clamp(self.window);
    }

    /// Halves the window around the cursor, or doubles it.
    pub fn zoom(&mut self, closer: bool) {
        let Some(shape) = self.shape else { return };
        let span = |now: u64, all: u64| {
            let least = CLOSEST.min(all);
            if closer { (now / 2).max(least) } else { now.saturating_mul(2).min(all) }
        };
        let (rows, columns) = (span(self.window.rows, shape.rows), span(self.window.columns, shape.columns));
        let row = self.at.0.saturating_sub(rows / 2);
        let column = self.at.1.saturating_sub(columns / 2);
        self.window = shape.clamp(Window { row, rows, column, columns });
    }

    /// The whole tensor.
    pub fn zoom_out(&mut self) {
        if let Some(shape) = self.shape {
            self.window = shape.whole();
        }
    }

    /// Reads `row:block`, or a row alone; why it cannot be gone to, if it cannot.
    pub fn read(&self, text: &str) -> Result<(u64, u64), String> {
        let Some(shape) = self.shape else { return Err("there are no blocks here".to_owned()) };
        let (row, column) = text.split_once(':').unwrap_or((text, "0"));
        let number = |text: &str, what: &str, below: u64| {
            let n: u64 =
                text.trim().parse().map_err(|_| format!("{what} is no number: type row:block, such as 12:3"))?;
            if n < below { Ok(n) } else { Err(format!("{what} goes from 0 to {}", below - 1)) }
        };
        Ok((number(row, "the row", shape.rows)?, number(column, "the block", shape.columns)?))
    }
}

impl Pane {
    /// More or fewer bins; past the most, one a column again.
    pub fn step_bins(&mut self, more: bool) {
        let at = self.bins.and_then(|bins| BINS.iter().position(|b| *b == bins));
        self.bins = match (at, more) {
            (None, true) => None,
            (None, false) => BINS.last().copied(),
            (Some(i), true) => BINS.get(i + 1).copied(),
            (Some(i), false) => BINS.get(i.saturating_sub(1)).copied(),
        };
    }

    /// The next method whose scales are drawn over those of `chosen`, or none.
    pub fn next_overlay(&mut self, chosen: Method) {
        let others: Vec<Method> = Method::COMPARED.into_iter().filter(|m| *m != chosen).collect();
        let at = self.overlay.and_then(|m| others.iter().position(|o| *o == m));
        self.overlay = match (self.overlay, at) {
            (None, _) => others.first().copied(),
            (Some(_), Some(i)) => others.get(i + 1).copied(),
            (Some(_), None) => None,
        };
    }

    /// The next figure that the map is coloured by.
    pub fn next_measure(&mut self) {
        let at = Measure::ALL.iter().position(|m| *m == self.measure).unwrap_or(0);
        self.measure = Measure::ALL[(at + 1) % Measure::ALL.len()];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(rows: u64, columns: u64) -> Place {
        let shape = BlockShape { rows, columns, block_len: 64, elements: rows * columns * 64, in_rows: true };
        let mut place = Place::default();
        place.follow(3, Some(shape));
        place
    }

    #[test]
    fn the_cursor_stays_in_the_tensor_and_the_window_around_it() {
        let mut p = place(100, 20);
        p.step(-5, 7);
        assert_eq!(p.at, (0, 7));
        p.step(1000, 1000);
        assert_eq!(p.at, (99, 19));
        p.next_block(true);
        assert_eq!(p.at, (99, 19), "the last block");
        p.go(40, 0);
        p.next_block(false);
        assert_eq!(p.at, (39, 19), "the block before is in the row before");
        for _ in 0..9 {
            p.zoom(true);
        }
        assert_eq!((p.window.rows, p.window.columns), (8, 8));
        assert!((p.window.row..p.window.row + 8).contains(&39) && p.window.column == 12);
        let before = p.window;
        p.step(1, -1);
        assert_eq!(p.window, before, "inside the window nothing moves");
        p.step(20, 0);
        assert!((p.window.row..p.window.row + 8).contains(&60), "{:?}", p.window);
        p.zoom_out();
        assert_eq!((p.window.row, p.window.rows), (0, 100));
        p.follow(3, p.shape);
        assert_eq!(p.at, (60, 18), "the same tensor");
        p.follow(4, p.shape);
        assert_eq!(p.at, (0, 0));
    }

    #[test]
    fn a_place_is_typed_as_row_and_block() {
        let p = place(100, 20);
        assert_eq!(p.read("12:3"), Ok((12, 3)));
        assert_eq!(p.read(" 99 "), Ok((99, 0)));
        assert!(p.read("100:0").is_err_and(|e| e.contains("0 to 99")));
        assert!(p.read("1:x").is_err_and(|e| e.contains("no number")));
        assert!(Place::default().read("1").is_err());
    }

    #[test]
    fn bins_and_overlays_go_round() {
        let mut pane = Pane::default();
        pane.step_bins(true);
        assert_eq!(pane.bins, None);
        pane.step_bins(false);
        pane.step_bins(false);
        assert_eq!(pane.bins, Some(64));
        (0..9).for_each(|_| pane.step_bins(false));
        assert_eq!(pane.bins, Some(8));
        (0..5).for_each(|_| pane.step_bins(true));
        assert_eq!(pane.bins, None);
        let mut seen = Vec::new();
        for _ in 0..5 {
            pane.next_overlay(Method::Exact);
            seen.push(pane.overlay);
        }
        let named = [Method::Twn, Method::Refit, Method::Absmean, Method::Max].map(Some);
        assert_eq!(seen, [&named[..], &[None]].concat());
    }
}
