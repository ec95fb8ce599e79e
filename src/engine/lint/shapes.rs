//! Shapes: rows that ternary formats do not take.

use crate::engine::error::{Diagnostic, Severity};
use crate::engine::model::{Model, Tensor};

use super::{named, tensors};

/// Block of Q2_0, the smallest of llama.cpp's ternary types.
const SMALL: u64 = 64;
/// Block of TQ1_0 and TQ2_0.
const LARGE: u64 = 256;

pub(super) fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let could = |t: &&Tensor| t.role.is_linear() && !t.dtype.is_ternary() && t.elements() > 0;
    let rows = |wanted: &dyn Fn(u64) -> bool| -> Vec<&Tensor> {
        model.tensors.iter().filter(could).filter(|t| wanted(t.row_len())).collect()
    };
    let odd = rows(&|row| !row.is_multiple_of(SMALL));
    if let Some(first) = odd.first() {
        let what = format!(
            "{} with rows that are not a multiple of {SMALL} ({}, rows of {}): no ternary type of llama.cpp takes them, \
             they stay when the model goes ternary",
            tensors(odd.len()),
            named(&odd),
            first.row_len()
        );
        found.push(Diagnostic::file(Severity::Note, "rows-64", what));
    }
    let uneven = rows(&|row| row.is_multiple_of(SMALL) && !row.is_multiple_of(LARGE));
    if let Some(first) = uneven.first() {
        let what = format!(
            "{} with rows that are not a multiple of {LARGE} ({}, rows of {}): TQ1_0 and TQ2_0 fall back to Q2_0 there",
            tensors(uneven.len()),
            named(&uneven),
            first.row_len()
        );
        found.push(Diagnostic::file(Severity::Note, "rows-256", what));
    }
}
