//! What the user should know of a plan: rules that did nothing, overrides, fallbacks, losses that add up.
//!
//! The notes are part of the plan; both faces show these words and add none of their own.

use super::recipe::{Mask, Recipe};
use super::resolve::{Decision, Reason, Step, Totals};
use super::rule::Action;
use crate::engine::error::{Diagnostic, Severity};
use crate::engine::model::{Model, Tensor};
use crate::engine::ternary::Format;
use crate::text::escape;

/// Tensors that a note names before it counts the rest.
const NAMED: usize = 3;

/// How often a rule matched, and how often it was allowed to act.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hits {
    /// Tensors that the pattern picks.
    pub matched: u64,
    /// Those among them whose protection does not stand in the way.
    pub applied: u64,
}

/// The notes of a plan, most surprising first.
pub(super) fn notes(
    model: &Model,
    recipe: &Recipe,
    decisions: &[Decision],
    totals: &Totals,
    hits: &[Hits],
) -> Vec<Diagnostic> {
    let mut notes = selection(model, recipe, totals, hits);
    lifting(model, recipe, decisions, &mut notes);
    let mut note = |severity, code, text: String| notes.push(Diagnostic::file(severity, code, text));
    let pairs = || model.tensors.iter().zip(decisions);
    if totals.overridden > 0 {
        let names = named(pairs().filter(|(_, d)| d.overridden).map(|(t, _)| t));
        note(Severity::Warning, "overridden", format!("made ternary although protected: {names}"));
    }
    if totals.fallbacks > 0 {
        let text = format!("{} in Q2_0 because rows do not divide by 256", tensors(totals.fallbacks));
        note(Severity::Note, "fallback", text);
    }
    let missed = |d: &Decision| d.misses_request() && !matches!(d.reason, Reason::FellBack { .. });
    if let Some((tensor, decision)) = pairs().find(|(_, d)| missed(d)) {
        let more = if totals.misses > 1 { format!("; and {} more", totals.misses - 1) } else { String::new() };
        let text = format!("asked for but not possible: {}: {}{more}", escape(&tensor.name), decision.reason_text());
        note(Severity::Warning, "missed", text);
    }
    if totals.requantized > 0 {
        let text = format!("{} already quantized in the source: the losses add up", tensors(totals.requantized));
        note(Severity::Warning, "requantized", text);
    }
    let written = |f: &Format| decisions.iter().any(|d| matches!(d.step, Step::Ternary(format, _) if format == *f));
    notes.extend(Format::ALL.into_iter().filter(written).filter_map(runtime));
    notes
}

/// Which runtime loads a format, where stock llama.cpp does not.
pub(super) fn runtime(format: Format) -> Option<Diagnostic> {
    let runtime = format.only_in()?;
    let what = format!("{} is loaded by {runtime}; stock llama.cpp does not load it", format.dtype());
    Some(Diagnostic::file(Severity::Warning, "runtime", what))
}

/// Masks and rules that select nothing.
fn selection(model: &Model, recipe: &Recipe, totals: &Totals, hits: &[Hits]) -> Vec<Diagnostic> {
    let mut notes = Vec::new();
    if recipe.layers == Mask::Experts && !model.has_routed_experts() {
        let text = "the mask 'experts' selects nothing: this model has no routed experts. Choose every linear layer \
                    (--layers all, key L) or pick tensors (--ternary PATTERN, key space)";
        let severity = if totals.ternary_tensors == 0 { Severity::Warning } else { Severity::Note };
        notes.push(Diagnostic::file(severity, "no-experts", text));
    }
    for (rule, hits) in recipe.rules.iter().zip(hits) {
        let pattern = &rule.pattern;
        if hits.matched == 0 {
            let text = format!("the pattern '{pattern}' matches no tensor");
            notes.push(Diagnostic::file(Severity::Warning, "rule-unused", text));
        } else if hits.applied == 0 && rule.action != Action::Keep {
            let text = format!(
                "the pattern '{pattern}' matches only protected tensors ({}), which it passes over; give a name in full, or --unprotect",
                named(model.tensors.iter().filter(|t| pattern.matches(t)))
            );
            notes.push(Diagnostic::file(Severity::Warning, "protected-skipped", text));
        }
    }
    notes
}

/// Lifted protections that change nothing.
fn lifting(model: &Model, recipe: &Recipe, decisions: &[Decision], notes: &mut Vec<Diagnostic>) {
    for pattern in &recipe.unprotect {
        let mut picked = model.tensors.iter().zip(decisions).filter(|(t, _)| pattern.matches(t)).peekable();
        let text = if picked.peek().is_none() {
            format!("nothing to unprotect: '{pattern}' matches no tensor")
        } else if picked.all(|(_, d)| d.requested.is_none()) {
            format!(
                "'{pattern}' is unprotected, but nothing makes it ternary: use --layers all or --ternary '{pattern}'"
            )
        } else {
            continue;
        };
        notes.push(Diagnostic::file(Severity::Warning, "rule-unused", text));
    }
}

/// The first names, and how many more.
fn named<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> String {
    let all: Vec<&Tensor> = tensors.collect();
    let names: Vec<String> = all.iter().take(NAMED).map(|t| escape(&t.name)).collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    names.join(", ") + &more
}

fn tensors(n: u64) -> String {
    if n == 1 { "1 tensor".to_owned() } else { format!("{n} tensors") }
}
