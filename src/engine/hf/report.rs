//! What a conversion collects to say: what stops it, and what it left out or assumed.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Sentences of one kind that are kept; a model with thousands of tensors may lack all of them.
const KEPT: usize = 16;

/// Kinds of gaps, so that many of one kind do not hide the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// A key of a configuration file.
    Config,
    /// A tensor that should be there.
    Missing,
    /// A tensor that is there and has no place.
    Extra,
    /// A tensor of the wrong shape.
    Shape,
    /// A tensor in a format that is not read.
    Format,
}

impl Gap {
    /// What the sentences that were not kept are about.
    fn noun(self) -> &'static str {
        match self {
            Self::Config => "problems with config.json",
            Self::Missing => "missing tensors",
            Self::Extra => "tensors without a place",
            Self::Shape => "tensors of the wrong shape",
            Self::Format => "tensors in a format that is not read",
        }
    }
}

/// Collects both lists behind a shared reference, so that every reader of the configuration can report.
#[derive(Debug, Default)]
pub(super) struct Report {
    gaps: RefCell<BTreeMap<Gap, (Vec<String>, usize)>>,
    notes: RefCell<Vec<String>>,
}

impl Report {
    /// Something stops the conversion. The sentence is only made while it will be kept; the same one counts once.
    pub(super) fn gap(&self, kind: Gap, sentence: impl FnOnce() -> String) {
        let mut gaps = self.gaps.borrow_mut();
        let (kept, more) = gaps.entry(kind).or_default();
        if kept.len() == KEPT {
            *more += 1;
            return;
        }
        let sentence = sentence();
        if !kept.contains(&sentence) {
            kept.push(sentence);
        }
    }

    /// Something was left out or assumed; the same note counts once.
    pub(super) fn note(&self, sentence: String) {
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&sentence) {
            notes.push(sentence);
        }
    }

    /// What stops the conversion, and what is worth knowing.
    pub(super) fn finish(self) -> (Vec<String>, Vec<String>) {
        let mut missing = Vec::new();
        for (kind, (kept, more)) in self.gaps.into_inner() {
            missing.extend(kept);
            if more > 0 {
                missing.push(format!("and {more} more {}", kind.noun()));
            }
        }
        (missing, self.notes.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_gaps_of_one_kind_do_not_hide_another() {
        let report = Report::default();
        for i in 0..20 {
            report.gap(Gap::Missing, || format!("tensor {i}"));
        }
        report.gap(Gap::Config, || "key".into());
        report.gap(Gap::Config, || "key".into());
        report.note("a".into());
        report.note("a".into());
        let (missing, notes) = report.finish();
        assert_eq!(missing.len(), 1 + 16 + 1);
        assert_eq!(missing[0], "key");
        assert_eq!(missing[17], "and 4 more missing tensors");
        assert_eq!(notes, ["a"]);
    }
}
