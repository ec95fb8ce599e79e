//! What the user should know of a plan: rules that did nothing, overrides, fallbacks, losses that add up.
//!
//! The notes are part of the plan; both faces show these words and add none of their own.

use super::decision::{Decision, Reason, Step, Totals};
use super::decisions::{Decisions, Shared};
use super::recipe::{Mask, Recipe};
use super::tally::Tally;
use std::collections::BTreeMap;

use crate::engine::codec::DType;
use crate::engine::error::{Diagnostic, Severity};
use crate::engine::model::{Model, Role, Tensor};
use crate::engine::ternary::Format;
use crate::text::escape;

/// Tensors that a note names before it counts the rest.
const NAMED: usize = 3;

/// How often a rule matched, was allowed to act, and had the last word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hits {
    /// Tensors that the pattern picks.
    pub matched: u64,
    /// Those among them whose protection does not stand in the way.
    pub applied: u64,
    /// Those among them that no later rule takes over.
    pub decided: u64,
}

/// The notes of a plan, most surprising first.
pub(super) fn notes(
    model: &Model,
    recipe: &Recipe,
    decisions: &Decisions,
    tally: &Tally,
    hits: &[Hits],
) -> Vec<Diagnostic> {
    let totals = &tally.totals();
    let mut notes = selection(model, recipe, totals, hits);
    lifting(model, recipe, decisions, &mut notes);
    let mut note = |severity, code, text: String| notes.push(Diagnostic::file(severity, code, text));
    let pairs = || model.tensors.iter().zip(decisions);
    if totals.overridden > 0 {
        let names = named(pairs().filter(|(_, d)| d.overridden).map(|(t, _)| t));
        note(Severity::Warning, "overridden", format!("made ternary although protected: {names}"));
    }
    for (flag, wanted, role) in
        [("--head", recipe.head, Role::Output), ("--embeddings", recipe.embeddings, Role::TokenEmbd)]
    {
        if wanted.is_some() && model.tensors.iter().all(|t| t.role != role) {
            let tied = if role == Role::Output { ": it is tied to the embeddings" } else { "" };
            note(Severity::Warning, "rule-unused", format!("{flag} changes nothing, there is no such tensor{tied}"));
        }
    }
    if totals.fallbacks > 0 {
        let text = format!("{} in Q2_0 because rows do not divide by 256", tensors(totals.fallbacks));
        note(Severity::Note, "fallback", text);
    }
    if totals.not_finite > 0 {
        let holds = |d: &Decision| d.misses_request() && matches!(d.reason, Reason::NotFinite(_));
        let names = named(pairs().filter(|(_, d)| holds(d)).map(|(t, _)| t));
        let verb = if totals.not_finite == 1 { "holds" } else { "hold" };
        let text = format!("{} {verb} NaN or infinities and cannot go ternary: {names}", tensors(totals.not_finite));
        note(Severity::Warning, "non-finite", text);
    }
    let misses = totals.misses.saturating_sub(totals.not_finite);
    let missed =
        |d: &Decision| d.misses_request() && !matches!(d.reason, Reason::FellBack { .. } | Reason::NotFinite(_));
    let first_missed = if misses > 0 { pairs().find(|(_, d)| missed(d)) } else { None };
    if let Some((tensor, decision)) = first_missed {
        let more = if misses > 1 { format!("; and {} more", misses - 1) } else { String::new() };
        let text = format!("asked for but not possible: {}: {}{more}", escape(&tensor.name), decision.reason_text());
        note(Severity::Warning, "missed", text);
    }
    notes_on_formats(model, decisions, tally, &mut notes);
    let mut note = |severity, code, text: String| notes.push(Diagnostic::file(severity, code, text));
    if totals.requantized > 0 {
        let hint =
            if tally.codes_again() { " (repack moves ternary tensors to another format without loss)" } else { "" };
        let text = format!("{} already quantized in the source: the losses add up{hint}", tensors(totals.requantized));
        note(Severity::Warning, "requantized", text);
    }
    notes
}

/// What the formats ask of whoever loads the output, and what they make of tensors that stay.
pub(super) fn notes_on_formats(model: &Model, decisions: &Decisions, tally: &Tally, notes: &mut Vec<Diagnostic>) {
    for format in Format::ALL {
        let count = tally.written(format);
        if let Some(runtime) = format.only_in().filter(|_| count > 0) {
            let text =
                format!("{} in {}, which {runtime} loads and stock llama.cpp does not", tensors(count), format.dtype());
            notes.push(Diagnostic::file(Severity::Warning, "runtime", text));
        }
    }
    notes.extend(foreign_architecture(model, tally));
    let mut forced: BTreeMap<(&str, DType, bool), u64> = BTreeMap::new();
    for Shared { decision, tensors, first, .. } in decisions.shared() {
        if let (Some(why), Step::Convert(to)) = (&decision.forced, decision.step) {
            let was_ternary = model.tensors[*first].dtype.is_ternary();
            *forced.entry((why, to, was_ternary)).or_default() += tensors;
        }
    }
    for ((why, to, was_ternary), count) in forced {
        // What was ternary takes more room then: nobody asks for that.
        let (severity, what) = if was_ternary { (Severity::Warning, "ternary ") } else { (Severity::Note, "") };
        let text = format!("{what}{} converted to {to}: {why}", tensors(count));
        notes.push(Diagnostic::file(severity, "converted", text));
    }
}

/// Architectures that forks write and stock llama.cpp does not know, and who does.
const FOREIGN: [(&str, &str); 3] =
    [("bitnet-b1.58", "bitnet.cpp"), ("bitnet-25", "bitnet.cpp"), ("craftsman", "ruvllm")];

/// A format of llama.cpp's in a file whose architecture it does not know.
fn foreign_architecture(model: &Model, tally: &Tally) -> Option<Diagnostic> {
    let architecture = model.architecture.as_deref()?;
    let (_, runtime) = FOREIGN.iter().find(|(name, _)| *name == architecture)?;
    let stock = |format: &Format| format.only_in().is_none() && tally.written(*format) > 0;
    Format::ALL.iter().any(stock).then(|| {
        let text = format!(
            "general.architecture is '{architecture}', which {runtime} knows and stock llama.cpp does not: it reads the \
             types of this output and still refuses the file"
        );
        Diagnostic::file(Severity::Warning, "runtime", text)
    })
}

/// Masks and rules that select nothing.
fn selection(model: &Model, recipe: &Recipe, totals: &Totals, hits: &[Hits]) -> Vec<Diagnostic> {
    let mut notes = Vec::new();
    if recipe.layers == Mask::Experts && !model.has_routed_experts() {
        let text = "the mask 'experts' selects nothing: this model has no routed experts. Choose every linear layer \
                    (--layers all, key L) or pick tensors (--ternary PATTERN, key space)";
        let nothing = totals.ternary_tensors + totals.already_ternary_tensors == 0;
        let severity = if nothing { Severity::Warning } else { Severity::Note };
        notes.push(Diagnostic::file(severity, "no-experts", text));
    }
    for (rule, hits) in recipe.rules.iter().zip(hits) {
        let pattern = &rule.pattern;
        if hits.matched == 0 {
            let text = format!("the pattern '{pattern}' matches no tensor");
            notes.push(Diagnostic::file(Severity::Warning, "rule-unused", text));
        } else if hits.applied == 0 && !rule.action.keeps() {
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
fn lifting(model: &Model, recipe: &Recipe, decisions: &Decisions, notes: &mut Vec<Diagnostic>) {
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
