//! In one output a type number has one meaning.
//!
//! What is written ternary fixes the meaning of its number, then what is copied; tensors that would have the same number
//! with another meaning are converted to a float that holds them, or the plan cannot be carried out.

use std::collections::BTreeMap;

use super::decision::{Decision, Step};
use crate::engine::codec::DType;
use crate::engine::error::{Diagnostic, Severity};
use crate::engine::model::Model;

/// Converts what stands in the way of one meaning for each number; what cannot be converted is an error.
pub(super) fn one_meaning(model: &Model, decisions: &mut [Decision]) -> Vec<Diagnostic> {
    let mut meanings: BTreeMap<u32, DType> = BTreeMap::new();
    let mut problems = Vec::new();
    let written = |d: &Decision| matches!(d.step, Step::Ternary(..) | Step::Recode(_));
    for (tensor, decision) in model.tensors.iter().zip(decisions.iter()).filter(|(_, d)| written(d)) {
        let Some(number) = decision.new_type.number() else { continue };
        let meaning = *meanings.entry(number).or_insert(decision.new_type);
        if meaning != decision.new_type {
            let what = format!(
                "would be {}, but type number {number} means {meaning} in this output already",
                decision.new_type
            );
            problems.push(Diagnostic::tensor(Severity::Error, "two-meanings", &tensor.name, what));
        }
    }
    // A copy keeps the source's meaning, of which there is one; a conversion can go to another float.
    for decision in decisions.iter().filter(|d| d.step == Step::Copy) {
        if let Some(number) = decision.new_type.number() {
            meanings.entry(number).or_insert(decision.new_type);
        }
    }
    for (tensor, decision) in model.tensors.iter().zip(decisions.iter_mut()).filter(|(_, d)| !written(d)) {
        let Some(number) = decision.new_type.number() else { continue };
        let Some(meaning) = meanings.get(&number).filter(|m| **m != decision.new_type) else {
            continue;
        };
        let why = format!("type number {number} means {meaning} in this output");
        if tensor.decoder().is_none() {
            let what = format!("cannot stay {}: {why}, and it cannot be decoded", decision.new_type);
            problems.push(Diagnostic::tensor(Severity::Error, "two-meanings", &tensor.name, what));
            continue;
        }
        // BF16 needs F32's exponent, and so does an f32 scale; every other type here has an f16 scale times at most two.
        let wide = decision.new_type == DType::BF16 || tensor.has_one_scale();
        let to = if wide { DType::F32 } else { DType::F16 };
        decision.convert(tensor, to);
        decision.forced = Some(why);
    }
    problems
}
