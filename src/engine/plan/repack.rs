//! The plan of a repack: every ternary tensor keeps its trits and takes another format.
//!
//! Shapes are asked here; whether scales fit is seen when the data is looked at, before anything is written.

use std::collections::BTreeMap;

use super::decision::{Decision, Reason, Step, Winner};
use super::decisions::Decisions;
use super::notes::notes_on_formats;
use super::numbers::one_meaning;
use super::recipe::Recipe;
use super::resolve::{Plan, keep};
use super::tally::Tally;
use crate::engine::error::{Diagnostic, Severity};
use crate::engine::model::{Model, Tensor};
use crate::engine::ternary::Format;

/// Decides what becomes of every tensor when a model is repacked to `to`. Tensors that cannot take the format make the
/// plan impossible, unless `partial` lets them stay. `recipe` says what becomes of the others (precision of what stays);
/// `unfit` are tensors whose data cannot take the format, with the reason, as a look at it found.
pub fn repack(model: &Model, to: Format, recipe: &Recipe, partial: bool, unfit: &[(usize, String)]) -> Plan {
    let unfit: BTreeMap<usize, &String> = unfit.iter().map(|(i, why)| (*i, why)).collect();
    let mut notes = Vec::new();
    let mut misfits = Vec::new();
    let mut decisions: Vec<Decision> = model
        .tensors
        .iter()
        .enumerate()
        .map(|(index, tensor)| {
            let kept = |why: String| keep(tensor, recipe, Winner::Repack, Reason::NotRecoded(why));
            let found = unfit.get(&index).map(|why| Fits::No((*why).clone()));
            match found.unwrap_or_else(|| fits(tensor, to)) {
                Fits::NotTernary => kept("not ternary".to_owned()),
                Fits::There => Decision {
                    step: Step::Copy,
                    new_type: tensor.dtype,
                    new_bytes: tensor.bytes,
                    ..keep(tensor, recipe, Winner::Repack, Reason::AlreadyThere)
                },
                Fits::No(why) => {
                    misfits.push((tensor, why.clone()));
                    Decision {
                        step: Step::Copy,
                        new_type: tensor.dtype,
                        new_bytes: tensor.bytes,
                        ..keep(tensor, recipe, Winner::Repack, Reason::NotRecoded(format!("stays: {why}")))
                    }
                }
                Fits::Yes => Decision {
                    step: Step::Recode(to),
                    new_type: to.dtype(),
                    new_bytes: to.dtype().bytes_for(tensor.elements()).unwrap_or(0),
                    unconverted: None,
                    forced: None,
                    ..keep(tensor, recipe, Winner::Repack, Reason::Recoded)
                },
            }
        })
        .collect();
    if let Some((tensor, why)) = misfits.first() {
        let more = if misfits.len() > 1 { format!("; and {} more tensors", misfits.len() - 1) } else { String::new() };
        let what = format!("cannot be {}: {why}{more}", to.dtype());
        let (severity, hint) =
            if partial { (Severity::Warning, "") } else { (Severity::Error, "; --partial lets such tensors stay") };
        notes.push(Diagnostic::tensor(severity, "not-repacked", &tensor.name, what + hint));
    }
    let quantized = |t: &Tensor| t.dtype.is_quantized() && !t.dtype.is_ternary();
    if let Some(tensor) = model.tensors.iter().find(|t| quantized(t)).filter(|_| misfits.is_empty()) {
        let what = format!("{} is not a ternary type: it is copied as it is", tensor.dtype);
        notes.push(Diagnostic::tensor(Severity::Note, "not-ternary", &tensor.name, what));
    }
    notes.extend(in_doubt(model, &decisions));
    notes.extend(one_meaning(model, &mut decisions));
    let decisions: Decisions = decisions.into_iter().collect();
    let tally = Tally::of(model, &decisions);
    notes_on_formats(model, &decisions, &tally, &mut notes);
    Plan { totals: tally.totals(), decisions, notes, hits: Vec::new() }
}

/// What would be moved under a type number whose meaning is in doubt.
fn in_doubt(model: &Model, decisions: &[Decision]) -> Option<Diagnostic> {
    let finding = model.dialects.iter().find(|finding| {
        let moved = |(t, d): (&Tensor, &Decision)| t.dtype == finding.chosen && matches!(d.step, Step::Recode(_));
        finding.is_ambiguous() && model.tensors.iter().zip(decisions).any(moved)
    })?;
    Some(Diagnostic::file(Severity::Error, "dialect-ambiguous", finding.to_string()))
}

enum Fits {
    NotTernary,
    There,
    Yes,
    No(String),
}

fn fits(tensor: &Tensor, to: Format) -> Fits {
    if !tensor.dtype.is_ternary() || tensor.elements() == 0 {
        return Fits::NotTernary;
    }
    if let Some(why) = tensor.bound_reason() {
        return Fits::No(why);
    }
    if tensor.dtype == to.dtype() {
        return Fits::There;
    }
    if !to.takes(tensor.row_len(), tensor.elements()) {
        let what = if to.has_one_scale() {
            format!("{} elements", tensor.elements())
        } else {
            format!("rows of {}", tensor.row_len())
        };
        return Fits::No(format!("{what} are not a multiple of {}", to.block_len()));
    }
    Fits::Yes
}
