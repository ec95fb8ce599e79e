//! What is worth showing of one input: how large its squares are, and what will make its moments hard to invert.

use super::{Entry, Moments};
use crate::engine::error::Result;
use crate::text;

/// A column whose share of all squares is above this is told.
const GREAT: f64 = 0.5;

/// One input in a few figures, over the experts that have tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Smallest mean of squares.
    pub least: f64,
    /// Mean of them.
    pub mean: f64,
    /// Largest.
    pub most: f64,
    /// Columns that were never anything but zero, in the expert that has most of them.
    pub zero_columns: usize,
    /// The largest share that one column has of an expert's squares.
    pub greatest_share: f64,
    /// Experts without tokens.
    pub unreached: usize,
    /// Experts whose tokens are fewer than the columns, those without any not counted: their moments have no full rank.
    pub short: usize,
}

impl Moments {
    /// The figures of one input, from its diagonals alone.
    pub fn facts(&self, entry: &Entry) -> Result<Facts> {
        let reached = || entry.tokens.iter().filter(|t| **t > 0);
        let mut facts = Facts {
            least: f64::INFINITY,
            mean: 0.0,
            most: 0.0,
            zero_columns: 0,
            greatest_share: 0.0,
            unreached: entry.experts - reached().count(),
            short: reached().filter(|t| **t < entry.columns as u64).count(),
        };
        for (expert, _) in entry.tokens.iter().enumerate().filter(|(_, tokens)| **tokens > 0) {
            let diagonal = self.diagonal(entry, expert)?;
            let sum: f64 = diagonal.iter().map(|d| f64::from(*d)).sum();
            let range = diagonal
                .iter()
                .fold((f64::INFINITY, 0.0f64), |(least, most), d| (least.min(f64::from(*d)), most.max(f64::from(*d))));
            facts.least = facts.least.min(range.0);
            facts.most = facts.most.max(range.1);
            facts.mean += sum / (entry.columns * reached().count()) as f64;
            facts.zero_columns = facts.zero_columns.max(diagonal.iter().filter(|d| **d == 0.0).count());
            facts.greatest_share = facts.greatest_share.max(range.1 / sum);
        }
        Ok(facts)
    }
}

impl Facts {
    /// What will make the moments hard to invert without damping, in words.
    pub fn hints(&self, entry: &Entry) -> Vec<String> {
        let mut hints = Vec::new();
        if self.unreached > 0 {
            hints.push(format!("{} without tokens", text::counted(self.unreached, "expert")));
        }
        if self.short > 0 {
            let few = "fewer tokens than columns";
            hints.push(if entry.experts > 1 {
                format!("{} with {few}", text::counted(self.short, "expert"))
            } else {
                few.to_owned()
            });
        }
        if self.zero_columns > 0 {
            hints.push(text::counted(self.zero_columns, "zero column"));
        }
        if self.greatest_share > GREAT {
            hints.push(format!("one column has {} of the squares", text::percent(self.greatest_share)));
        }
        hints
    }
}
