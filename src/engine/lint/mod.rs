//! Checks of a model file: does what it says of itself agree with what is in it, and would llama.cpp take it?
//!
//! One small function a check, each giving [`Diagnostic`]s that say what was found, what was expected and what to do.
//! [`structural`] reads metadata and shapes only; [`lint`] can read all data too. A file as llama.cpp writes it has notes
//! at most. What opening found ([`Model::diagnostics`]) comes first in the list of [`lint`]. Safetensors have no metadata
//! to check: only shapes and data are looked at.

mod data;
mod file_type;
mod layers;
mod metadata;
mod shapes;
mod tokenizer;

use std::collections::BTreeMap;

use super::error::{Diagnostic, Error, Result, Severity};
use super::model::{Container, Model, Tensor};
use super::progress::{Cancel, Progress};
use crate::text::{elide, escape};

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Metadata, types and shapes.
    Structure,
    /// Every weight and scale as well.
    Data,
}

/// Findings of one code that are listed.
const MAX_OF_A_KIND: usize = 100;
/// Tensors that a finding names before it counts the rest.
const NAMED: usize = 3;

/// Everything odd about a model: what opening found, then structure, then (if asked for) data in file order. Errors:
/// cancellation. What cannot be read is a finding.
pub fn lint(model: &Model, depth: Depth, progress: &dyn Progress, cancel: &Cancel) -> Result<Vec<Diagnostic>> {
    let mut found = model.diagnostics.clone();
    found.extend(structural(model));
    if depth == Depth::Data {
        found.extend(data::check(model, progress, cancel)?);
    }
    Ok(limited(found))
}

/// What every weight and scale tells, without what opening found and structure tells. Errors: cancellation.
pub fn weights(model: &Model, progress: &dyn Progress, cancel: &Cancel) -> Result<Vec<Diagnostic>> {
    data::check(model, progress, cancel).map(limited)
}

/// What metadata, types and shapes alone tell, without what opening found.
pub fn structural(model: &Model) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if matches!(model.container, Container::Gguf(_)) {
        metadata::check(model, &mut found);
        file_type::check(model, &mut found);
        // A vocabulary, an importance matrix or a projector has no layers to count.
        if is_language_model(model) && !model.tensors.is_empty() {
            layers::check(model, &mut found);
            tokenizer::check(model, &mut found);
        }
    }
    shapes::check(model, &mut found);
    limited(found)
}

/// Whether the file is the text model that the checks of layers and tokens are about, and all of it is there.
fn is_language_model(model: &Model) -> bool {
    let kind = model.metadata("general.type");
    let whole = model.diagnostics.iter().all(|d| d.code != "missing-shard");
    whole
        && kind.as_ref().and_then(|k| k.as_str()).is_none_or(|k| k == "model")
        && model.architecture.as_deref().is_some_and(|a| a != "clip")
}

/// How many findings of each severity there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Counts {
    /// Of these findings.
    pub fn of(found: &[Diagnostic]) -> Self {
        let count = |severity| found.iter().filter(|d| d.severity == severity).count();
        Self { errors: count(Severity::Error), warnings: count(Severity::Warning), notes: count(Severity::Note) }
    }

    /// [`Error::Check`] where there is more than notes.
    pub fn require_clean(self) -> Result<()> {
        if self.errors + self.warnings == 0 { Ok(()) } else { Err(Error::Check(format!("found {self}"))) }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let Self { errors, warnings, notes } = *self;
        write!(f, "{}, {}, {}", of(errors, "error"), of(warnings, "warning"), of(notes, "note"))
    }
}

/// Keeps the first findings of each code and counts the rest.
fn limited(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut counts: BTreeMap<&'static str, (usize, Severity)> = BTreeMap::new();
    let mut kept = Vec::with_capacity(found.len().min(4 * MAX_OF_A_KIND));
    for diagnostic in found {
        let (count, severity) = counts.entry(diagnostic.code).or_insert((0, diagnostic.severity));
        *count += 1;
        *severity = (*severity).max(diagnostic.severity);
        // What opening found is limited already, and the line that counts its rest is one more.
        if *count <= MAX_OF_A_KIND + 1 {
            kept.push(diagnostic);
        }
    }
    for (code, (count, severity)) in counts {
        if let Some(more) = count.checked_sub(MAX_OF_A_KIND + 1).filter(|more| *more > 0) {
            kept.push(Diagnostic::file(severity, code, format!("and {more} more of the kind '{code}'")));
        }
    }
    kept
}

/// `1 tensor`, `3 tensors`.
fn tensors(n: usize) -> String {
    if n == 1 { "1 tensor".to_owned() } else { format!("{n} tensors") }
}

/// The first names, and how many more.
fn named(all: &[&Tensor]) -> String {
    let names: Vec<String> = all.iter().take(NAMED).map(|t| shown(&t.name)).collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    names.join(", ") + &more
}

/// A value or a key from the file, short enough for a sentence.
fn shown(text: &impl std::fmt::Display) -> String {
    elide(&escape(&text.to_string()), 80)
}

/// Numbers as ranges: `3, 7–9`, at most eight of them.
fn ranges(numbers: &[u64]) -> String {
    const SHOWN: usize = 8;
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for n in numbers {
        match runs.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(*n) => *end = *n,
            _ => runs.push((*n, *n)),
        }
    }
    runs_in_words(&runs, SHOWN)
}

fn runs_in_words(runs: &[(u64, u64)], shown: usize) -> String {
    let word = |(a, b): &(u64, u64)| if a == b { a.to_string() } else { format!("{a}–{b}") };
    let words: Vec<String> = runs.iter().take(shown).map(word).collect();
    let more = if runs.len() > shown { ", …" } else { "" };
    words.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_ranges() {
        assert_eq!(ranges(&[3, 7, 8, 9, 20]), "3, 7–9, 20");
        assert_eq!(ranges(&[]), "");
        let even: Vec<u64> = (0..20).map(|i| 2 * i).collect();
        assert_eq!(ranges(&even), "0, 2, 4, 6, 8, 10, 12, 14, …");
        assert_eq!(ranges(&[u64::MAX, u64::MAX]), format!("{0}, {0}", u64::MAX));
    }

    #[test]
    fn many_findings_of_one_kind_are_counted() {
        let one = |i: usize| Diagnostic::tensor(Severity::Warning, "a", &i.to_string(), "x");
        let mut all: Vec<Diagnostic> = (0..250).map(one).collect();
        all.push(Diagnostic::file(Severity::Note, "b", "y"));
        let kept = limited(all);
        assert_eq!(kept.len(), 103);
        assert_eq!(kept[102].message, "and 149 more of the kind 'a'");
        assert_eq!(Counts::of(&kept), Counts { errors: 0, warnings: 102, notes: 1 });
        assert_eq!(Counts::of(&kept).to_string(), "0 errors, 102 warnings, 1 note");
        assert!(Counts::of(&kept).require_clean().is_err() && Counts::default().require_clean().is_ok());
    }
}
