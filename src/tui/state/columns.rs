//! The columns of the tree that it can be sorted by, and what is compared.

use super::summary::Summary;
use crate::engine::preview::sqnr_db;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Column {
    /// The name, in natural order.
    #[default]
    Name,
    /// The types, by bits per weight in the output.
    Type,
    /// The shape, by elements.
    Shape,
    /// Bytes now.
    Size,
    /// Bytes in the output.
    NewSize,
    /// The error of what goes ternary, or would.
    Sqnr,
    /// Why it ends so, by what becomes of it: what went wrong first.
    Why,
}

impl Column {
    /// Every column, in the order in which keys go through them: one step back from the name is what one mostly wants.
    pub const ALL: [Self; 7] = [Self::Name, Self::Type, Self::Shape, Self::Size, Self::NewSize, Self::Why, Self::Sqnr];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Name => "tensor",
            Self::Type => "type",
            Self::Shape => "shape",
            Self::Size => "size",
            Self::NewSize => "new size",
            Self::Sqnr => "SQNR",
            Self::Why => "why",
        }
    }

    /// Its name in a command.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::NewSize => "new-size",
            Self::Sqnr => "sqnr",
            Self::Type | Self::Shape | Self::Size | Self::Why => self.title(),
        }
    }

    /// The column so many places further, around the ends.
    #[must_use]
    pub fn step(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|c| *c == self).unwrap_or(0) as isize;
        Self::ALL[(at + by).rem_euclid(Self::ALL.len() as isize) as usize]
    }

    /// What is compared of a row; NaN where there is nothing. The name needs no figure, and why a row ends so is no sum.
    pub fn key(self, sum: &Summary) -> f64 {
        match self {
            Self::Name | Self::Why => f64::NAN,
            Self::Type if sum.params == 0 => f64::NAN,
            Self::Type => sum.new_bytes as f64 / sum.params as f64,
            Self::Shape => sum.params as f64,
            Self::Size => sum.bytes as f64,
            Self::NewSize => sum.new_bytes as f64,
            Self::Sqnr => sum.error.or(sum.what_if).map_or(f64::NAN, |e| sqnr_db(e.value)),
        }
    }
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sort {
    /// The column.
    pub column: Column,
    /// Greatest first.
    pub descending: bool,
}

impl Sort {
    /// Another column, the way round that one mostly wants: names from the first, the worst SQNR first, else the
    /// greatest.
    pub fn by(column: Column) -> Self {
        Self { column, descending: !matches!(column, Column::Name | Column::Sqnr) }
    }

    /// What a command says: a column, with `-` before it the other way round.
    pub fn named(words: &str) -> Option<Self> {
        let (word, back) = words.strip_prefix('-').map_or((words, false), |word| (word, true));
        let sort = Self::by(Column::ALL.into_iter().find(|column| column.word() == word)?);
        Some(if back { sort.reversed() } else { sort })
    }

    /// What [`Sort::named`] reads.
    pub fn command(self) -> String {
        let back = if self == Self::by(self.column) { "" } else { "-" };
        format!("{back}{}", self.column.word())
    }

    /// The other way round.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { descending: !self.descending, ..self }
    }

    /// Whether it is the order that the tree has anyway.
    pub fn is_natural(self) -> bool {
        self == Self::default()
    }

    /// The order of two keys: what has none comes last, either way round.
    pub fn compare(self, a: f64, b: f64) -> std::cmp::Ordering {
        match (a.is_nan(), b.is_nan()) {
            (false, false) if self.descending => b.total_cmp(&a),
            (false, false) => a.total_cmp(&b),
            (a, b) => a.cmp(&b),
        }
    }

    /// The sign in the heading.
    pub fn sign(self) -> char {
        if self.descending { '▼' } else { '▲' }
    }
}

/// What may stand behind the names, by its name in a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// The types.
    Type,
    /// The shape.
    Shape,
    /// Bytes now.
    Size,
    /// Bytes in the output.
    NewSize,
    /// The error.
    Sqnr,
    /// The error as a bar.
    Bar,
    /// Why it ends so.
    Why,
}

impl Shown {
    /// Every column, from left to right.
    pub const ALL: [Self; 7] = [Self::Type, Self::Shape, Self::Size, Self::NewSize, Self::Sqnr, Self::Bar, Self::Why];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Shape => "shape",
            Self::Size => "size",
            Self::NewSize => "new-size",
            Self::Sqnr => "sqnr",
            Self::Bar => "bar",
            Self::Why => "why",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_figure_comes_last_either_way_round() {
        for descending in [false, true] {
            let sort = Sort { column: Column::Size, descending };
            let mut keys = [f64::NAN, 2.0, 1.0, f64::NAN, f64::INFINITY];
            keys.sort_by(|a, b| sort.compare(*a, *b));
            assert!(keys[3].is_nan() && keys[4].is_nan());
            assert_eq!(keys[0], if descending { f64::INFINITY } else { 1.0 });
        }
        assert_eq!(Column::Name.step(-1), Column::Sqnr);
        assert_eq!(Column::Sqnr.step(1), Column::Name);
    }
}
