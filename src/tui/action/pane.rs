//! Intents of the preview pane.

use crate::tui::state::apply::Scope;
use crate::tui::state::pane::Quantity;

/// An intent of the preview pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaneAction {
    /// One block, cell or column to the left.
    Left,
    /// One to the right.
    Right,
    /// More bins in the scales' histogram.
    MoreBins,
    /// Fewer bins.
    FewerBins,
    /// The next method's scales over those of the chosen one.
    Overlay,
    /// The next figure: of the table of methods, of the map.
    NextFigure,
    /// Colours the map by this.
    By(Quantity),
    /// Closer to the cursor.
    ZoomIn,
    /// Further away.
    ZoomOut,
    /// The whole tensor.
    Whole,
    /// To the block with the greatest figure.
    Worst,
    /// Experts, or blocks.
    Experts,
    /// Signs beside colours, or colours alone.
    Signs,
    /// Values first, or bytes.
    Bytes,
    /// Types a place to go to.
    Goto,
    /// The block under the map's cursor; what the cell of the table is to be applied to.
    Enter,
    /// Applies the cell to this.
    Apply(Scope),
}

impl PaneAction {
    /// Its name in palette and configuration, and what it does.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Left => ("left", "one to the left"),
            Self::Right => ("right", "one to the right"),
            Self::MoreBins => ("more-bins", "scales: more bins"),
            Self::FewerBins => ("fewer-bins", "scales: fewer bins"),
            Self::Overlay => ("overlay", "scales: another method's over them, or none"),
            Self::NextFigure => ("next-figure", "another figure"),
            Self::By(Quantity::Error) => ("by-error", "map: relative error"),
            Self::By(Quantity::Scale) => ("by-scale", "map: scale"),
            Self::By(Quantity::Zeros) => ("by-zeros", "map: share of zeros"),
            Self::By(Quantity::NonFinite) => ("by-nan", "experts: NaN and infinities"),
            Self::By(Quantity::Hits) => ("by-hits", "experts: what the importance matrix has counted"),
            Self::ZoomIn => ("zoom-in", "closer"),
            Self::ZoomOut => ("zoom-out", "further away"),
            Self::Whole => ("zoom-whole", "the whole tensor"),
            Self::Worst => ("worst-block", "to the block with the greatest figure"),
            Self::Experts => ("experts", "experts, or blocks"),
            Self::Signs => ("signs", "signs, or colours alone"),
            Self::Bytes => ("bytes-first", "bytes first, or values"),
            Self::Goto => ("go-to-block", "go to row:block"),
            Self::Enter => ("enter", "open: the block, or what the cell is for"),
            Self::Apply(Scope::Tensor) => ("apply-to-tensor", "for this tensor"),
            Self::Apply(Scope::Role) => ("apply-to-role", "for every tensor of its role"),
            Self::Apply(Scope::Model) => ("apply-to-model", "for the model"),
        }
    }
}
