//! What the preview pane remembers: whether it has the keys, where it is in the tensor, how figures are drawn.

use super::input::TextInput;
use super::looks::Looks;
use super::matrix::Matrix;
use crate::engine::preview::{BlockShape, Expert, Measure, Window};
use crate::engine::ternary::Method;

/// Numbers of bins that the scales' histogram can have; none is one a column.
pub const BINS: [usize; 5] = [8, 16, 32, 64, 128];

/// Least rows and blocks of a window of the map.
const CLOSEST: u64 = 8;

/// What experts are coloured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantity {
    /// Relative squared error.
    #[default]
    Error,
    /// Mean scale.
    Scale,
    /// Share of zeros.
    Zeros,
    /// Weights that are NaN or infinite.
    NonFinite,
    /// Activations that the importance matrix has counted.
    Hits,
}

impl Quantity {
    /// Every quantity.
    pub const ALL: [Self; 5] = [Self::Error, Self::Scale, Self::Zeros, Self::NonFinite, Self::Hits];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::NonFinite => "NaN and infinities",
            Self::Hits => "imatrix hits",
            other => other.measure().map_or("", Measure::name),
        }
    }

    /// The same of blocks, which have fewer figures.
    pub fn measure(self) -> Option<Measure> {
        match self {
            Self::Error => Some(Measure::Error),
            Self::Scale => Some(Measure::Scale),
            Self::Zeros => Some(Measure::Zeros),
            Self::NonFinite | Self::Hits => None,
        }
    }

    /// The figure of an expert; none where nothing could be coded, or where nothing was counted.
    pub fn of(self, expert: &Expert) -> Option<f64> {
        match self {
            Self::NonFinite => Some(f64::from(expert.cell.non_finite)),
            Self::Hits => expert.hits.map(f64::from),
            other => other.measure().and_then(|measure| expert.cell.value(measure)),
        }
    }

    /// Of two experts the worse: the greater figure, but of hits the fewer.
    pub fn worse(self, a: f64, b: f64) -> std::cmp::Ordering {
        if self == Self::Hits { b.total_cmp(&a) } else { a.total_cmp(&b) }
    }
}

/// A place that is being typed.
#[derive(Debug, Clone, Default)]
pub struct GotoLine {
    /// The text.
    pub input: TextInput,
    /// Why it cannot be gone to, once that was tried.
    pub problem: Option<String>,
}

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
    /// What the map of blocks is coloured by.
    pub measure: Measure,
    /// What experts are coloured by.
    pub quantity: Quantity,
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
    pub goto: Option<GotoLine>,
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

    /// Halves the window or doubles it around a block that stays where it is on the screen; the cursor goes to it.
    pub fn zoom_at(&mut self, closer: bool, at: (u64, u64)) {
        let Some(shape) = self.shape else { return };
        let before = self.window;
        self.at = at;
        self.zoom(closer);
        let moved = |at: u64, (first, span): (u64, u64), now: u64| {
            let above = u128::from(at.saturating_sub(first)) * u128::from(now) / u128::from(span.max(1));
            at.saturating_sub(above as u64)
        };
        let row = moved(at.0, (before.row, before.rows), self.window.rows);
        let column = moved(at.1, (before.column, before.columns), self.window.columns);
        self.window = shape.clamp(Window { row, column, ..self.window });
        self.go(at.0, at.1);
    }

    /// Shows the window from this row and block on; the cursor stays inside.
    pub fn pan(&mut self, row: u64, column: u64) {
        let Some(shape) = self.shape else { return };
        self.window = shape.clamp(Window { row, column, ..self.window });
        let Window { row, rows, column, columns } = self.window;
        self.at.0 = self.at.0.clamp(row, row + rows.saturating_sub(1));
        self.at.1 = self.at.1.clamp(column, column + columns.saturating_sub(1));
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

    /// The next quantity that experts are coloured by; hits only where there are some.
    pub fn next_quantity(&mut self, hits: bool) {
        let at = Quantity::ALL.iter().position(|q| *q == self.quantity).unwrap_or(0);
        let all = Quantity::ALL.len() - usize::from(!hits);
        self.colour_by(Quantity::ALL[(at + 1) % all]);
    }

    /// Colours by this, blocks too if they have it.
    pub fn colour_by(&mut self, quantity: Quantity) {
        self.quantity = quantity;
        self.measure = quantity.measure().unwrap_or(self.measure);
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
    fn what_is_under_the_pointer_stays_there_while_the_map_is_zoomed_and_moved() {
        let mut p = place(128, 64);
        p.zoom_at(true, (96, 16));
        assert_eq!(p.at, (96, 16));
        let Window { row, rows, column, columns } = p.window;
        assert_eq!((row, rows, column, columns), (48, 64, 8, 32), "three quarters down, a quarter across, as before");
        p.zoom_at(false, (96, 16));
        assert_eq!(p.window, Window { row: 0, rows: 128, column: 0, columns: 64 });
        p.zoom_at(true, (96, 16));
        p.pan(0, 60);
        assert_eq!((p.window.row, p.window.column), (0, 32), "no further than the tensor goes");
        assert_eq!(p.at, (63, 32), "the cursor is taken along");
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
