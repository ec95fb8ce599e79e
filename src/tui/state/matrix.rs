//! The table of methods by group sizes: its rows and columns, the figure that it shows, the cell under the cursor.

use super::previews::Previews;
use crate::engine::model::Tensor;
use crate::engine::preview::{MethodReport, TensorReport};
use crate::engine::ternary::{Format, Method};

/// How many weights share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// 64.
    Of64,
    /// 128.
    Of128,
    /// 256.
    Of256,
    /// The whole tensor.
    Whole,
}

impl Group {
    /// Every column of the table.
    pub const ALL: [Self; 4] = [Self::Of64, Self::Of128, Self::Of256, Self::Whole];

    /// Heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::Of64 => "64",
            Self::Of128 => "128",
            Self::Of256 => "256",
            Self::Whole => "whole",
        }
    }

    /// The group that a format has.
    pub fn of(format: Format) -> Self {
        match format {
            Format::I2S | Format::I2SArm => Self::Whole,
            Format::Q2_0 => Self::Of64,
            Format::Q2_0G128 => Self::Of128,
            Format::Tq2_0 | Format::Tq1_0 | Format::T158 | Format::Iq1S => Self::Of256,
        }
    }

    /// The format that stands for it: `current` if that has such groups of trits, else the usual one.
    pub fn format(self, current: Format) -> Format {
        match self {
            _ if Self::of(current) == self && current.is_plain() => current,
            Self::Of64 => Format::Q2_0,
            Self::Of128 => Format::Q2_0G128,
            Self::Of256 => Format::Tq2_0,
            Self::Whole => Format::I2S,
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// A method without regard to importance.
    Plain(Method),
    /// `exact` with regard to it.
    Weighted,
}

impl Row {
    /// Every row, as they grew out of each other.
    pub const ALL: [Self; 6] = [
        Self::Plain(Method::Absmean),
        Self::Plain(Method::Refit),
        Self::Plain(Method::Twn),
        Self::Plain(Method::Exact),
        Self::Weighted,
        Self::Plain(Method::Max),
    ];

    /// Heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain(method) => method.name(),
            Self::Weighted => "exact·imx",
        }
    }

    /// The method that a recipe names it by.
    pub fn method(self) -> Method {
        match self {
            Self::Plain(method) => method,
            Self::Weighted => Method::Exact,
        }
    }

    /// Its figures in a report. `weighted`: there is importance for the tensor, and then the recipe's `exact` regards it.
    pub fn of(self, report: &TensorReport, weighted: bool) -> Option<&MethodReport> {
        match self {
            Self::Plain(Method::Exact) if weighted => report.blind.as_ref(),
            Self::Plain(method) => report.method(method),
            Self::Weighted if weighted => report.method(Method::Exact),
            Self::Weighted => None,
        }
    }
}

/// What the table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Relative squared error.
    RelMse,
    /// The same weighted by importance.
    WeightedRelMse,
    /// Signal to noise.
    Sqnr,
    /// Cosine of the angle between weights and their reconstruction.
    Cosine,
    /// Share of zeros.
    Zeros,
    /// Greatest error.
    MaxError,
    /// Bytes in the output.
    Bytes,
}

impl Figure {
    /// Every figure.
    pub const ALL: [Self; 7] =
        [Self::RelMse, Self::WeightedRelMse, Self::Sqnr, Self::Cosine, Self::Zeros, Self::MaxError, Self::Bytes];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::RelMse => "rel MSE",
            Self::WeightedRelMse => "weighted rel MSE",
            Self::Sqnr => "SQNR dB",
            Self::Cosine => "cosine",
            Self::Zeros => "zeros",
            Self::MaxError => "max |e|",
            Self::Bytes => "bytes",
        }
    }

    /// The figure of a method, the lower the better; `None` where no better and worse go with it, or it is not known.
    pub fn cost(self, method: &MethodReport) -> Option<f64> {
        let errors = &method.stats.errors;
        match self {
            Self::RelMse | Self::Sqnr => Some(method.rel_mse.value),
            Self::WeightedRelMse => errors.weighted_rel_mse(),
            Self::Cosine => Some(-errors.cosine()),
            Self::MaxError => Some(errors.max_abs_err),
            Self::Zeros | Self::Bytes => None,
        }
    }
}

/// The table's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    /// What it shows.
    pub figure: Figure,
    /// The row under the cursor.
    pub row: usize,
    /// The column under the cursor.
    pub column: usize,
}

impl Default for Matrix {
    fn default() -> Self {
        Self { figure: Figure::RelMse, row: 3, column: 2 }
    }
}

impl Matrix {
    /// The row and the column under the cursor.
    pub fn cell(&self) -> (Row, Group) {
        let row = Row::ALL.get(self.row).copied().unwrap_or(Row::Plain(Method::Exact));
        (row, Group::ALL.get(self.column).copied().unwrap_or(Group::Of256))
    }

    /// Moves the cursor, stopping at the edges.
    pub fn step(&mut self, rows: isize, columns: isize) {
        self.row = self.row.saturating_add_signed(rows).min(Row::ALL.len() - 1);
        self.column = self.column.saturating_add_signed(columns).min(Group::ALL.len() - 1);
    }

    /// The next figure; that weighted by importance only where there is some.
    pub fn next_figure(&mut self, weighted: bool) {
        let at = Figure::ALL.iter().position(|f| *f == self.figure).unwrap_or(0);
        self.figure = Figure::ALL[(at + 1) % Figure::ALL.len()];
        if self.figure == Figure::WeightedRelMse && !weighted {
            self.figure = Figure::Sqnr;
        }
    }

    /// Puts the cursor on what is chosen.
    pub fn follow(&mut self, format: Format, method: Method, weighted: bool) {
        let row = if weighted && method == Method::Exact { Row::Weighted } else { Row::Plain(method) };
        self.row = Row::ALL.iter().position(|r| *r == row).unwrap_or(self.row);
        self.column = Group::ALL.iter().position(|g| *g == Group::of(format)).unwrap_or(self.column);
    }
}

/// What is known of a column: its format and report, or why the tensor cannot be cut so.
pub fn column<'a>(
    previews: &'a Previews,
    (index, tensor): (usize, &Tensor),
    group: Group,
    current: Format,
) -> (Format, Result<Option<&'a TensorReport>, String>) {
    let format = group.format(current);
    if !format.takes(tensor.row_len(), tensor.elements()) {
        let what = if format.has_one_scale() { tensor.elements() } else { tensor.row_len() };
        return (format, Err(format!("{what} does not divide by {}", format.block_len())));
    }
    (format, Ok(previews.report((index, format)).map(AsRef::as_ref)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_column_and_keeps_it() {
        for format in Format::ALL {
            let group = Group::of(format);
            assert!(Group::of(group.format(format)) == group);
            assert_eq!(group.format(format) == format, format.is_plain(), "{format}");
            for other in Group::ALL {
                assert_eq!(Group::of(other.format(format)), other);
            }
        }
    }

    #[test]
    fn figures_go_round_and_the_cursor_stops_at_the_edges() {
        let mut m = Matrix::default();
        m.next_figure(false);
        assert_eq!(m.figure, Figure::Sqnr, "without importance nothing is weighted");
        (0..6).for_each(|_| m.next_figure(true));
        assert_eq!(m.figure, Figure::WeightedRelMse);
        m.step(-9, 9);
        assert_eq!(m.cell(), (Row::Plain(Method::Absmean), Group::Whole));
        m.follow(Format::Tq1_0, Method::Exact, true);
        assert_eq!(m.cell(), (Row::Weighted, Group::Of256));
    }
}
