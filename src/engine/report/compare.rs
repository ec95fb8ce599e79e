//! `compare --json`: two models side by side.

use serde::Serialize;

use super::{SCHEMA, finite};
use crate::engine::compare::{Outcome, Pair, Totals, Verdict};
use crate::engine::model::{Model, Role, Tensor};
use crate::engine::preview::sqnr_db;

/// The document.
#[derive(Debug, Clone, Serialize)]
pub struct CompareReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Path of the first model.
    pub a: String,
    /// Path of the second model.
    pub b: String,
    /// Whether nothing differs: every tensor is there in both, in the same type and with the same bytes.
    pub equal: bool,
    /// Sums.
    pub totals: CompareTotals,
    /// A row for each name, in the order of the first model, then what only the second has.
    pub tensors: Vec<CompareRow>,
}

/// Sums over all pairs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CompareTotals {
    /// Tensors of the first model.
    pub tensors_a: usize,
    /// Tensors of the second model.
    pub tensors_b: usize,
    /// Same type, same bytes.
    pub equal: usize,
    /// Another type, every weight the same.
    pub same_values: usize,
    /// Weights differ.
    pub differ: usize,
    /// Shapes differ.
    pub shape: usize,
    /// Only in the first model.
    pub missing: usize,
    /// Only in the second model.
    pub extra: usize,
    /// Could not be compared.
    pub unknown: usize,
    /// In both, in different types.
    pub type_changes: usize,
    /// Bytes of tensor data of the first model.
    pub bytes_a: u64,
    /// Bytes of tensor data of the second model.
    pub bytes_b: u64,
    /// Σ(a − b)² ÷ Σa² over the tensors that went ternary and all others that differ; null where there are none.
    pub rel_mse: Option<f64>,
    /// −10·log10(rel_mse).
    pub sqnr_db: Option<f64>,
    /// Tensors that are ternary in the second model and were not in the first.
    pub ternary: usize,
    /// As `rel_mse`, over those alone: what an export says of its output.
    pub ternary_rel_mse: Option<f64>,
    /// −10·log10(ternary_rel_mse).
    pub ternary_sqnr_db: Option<f64>,
}

/// A tensor on one side.
#[derive(Debug, Clone, Serialize)]
pub struct CompareSide {
    /// Dimensions, row length first.
    pub shape: Vec<u64>,
    /// Type.
    #[serde(rename = "type")]
    pub dtype: String,
    /// Bytes.
    pub bytes: u64,
}

/// A name.
#[derive(Debug, Clone, Serialize)]
pub struct CompareRow {
    /// The name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Layer number.
    pub layer: Option<u32>,
    /// In a word.
    pub verdict: Verdict,
    /// In the first model.
    pub a: Option<CompareSide>,
    /// In the second model.
    pub b: Option<CompareSide>,
    /// Σ(a − b)² ÷ Σa²; null where nothing was compared.
    pub rel_mse: Option<f64>,
    /// −10·log10(rel_mse); null where nothing differs.
    pub sqnr_db: Option<f64>,
    /// Cosine similarity, where weights were decoded.
    pub cosine: Option<f64>,
    /// Largest |a − b|, where weights were decoded.
    pub max_abs_err: Option<f64>,
    /// Weights that differ.
    pub unequal: u64,
    /// Places where one of them is NaN or infinite.
    pub non_finite: u64,
    /// Why it could not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl CompareReport {
    /// Of two models and what came of their pairs.
    pub fn of(a: &Model, b: &Model, compared: &[(Pair, Outcome)]) -> Self {
        let mut totals = CompareTotals {
            tensors_a: a.tensors.len(),
            tensors_b: b.tensors.len(),
            bytes_a: a.tensor_bytes(),
            bytes_b: b.tensor_bytes(),
            ..CompareTotals::default()
        };
        let mut sums = Totals::default();
        for (pair, outcome) in compared {
            *match outcome.verdict {
                Verdict::Equal => &mut totals.equal,
                Verdict::SameValues => &mut totals.same_values,
                Verdict::Differ => &mut totals.differ,
                Verdict::Shape => &mut totals.shape,
                Verdict::Missing => &mut totals.missing,
                Verdict::Extra => &mut totals.extra,
                Verdict::Unknown => &mut totals.unknown,
            } += 1;
            totals.type_changes += usize::from(pair.changes_type(a, b));
            sums.add((a, b), pair, outcome);
        }
        totals.ternary = sums.ternary.1;
        if sums.all.1 > 0 {
            totals.rel_mse = finite(sums.all.0.rel_mse());
            totals.sqnr_db = finite(sums.all.0.sqnr_db());
        }
        if sums.ternary.1 > 0 {
            totals.ternary_rel_mse = finite(sums.ternary.0.rel_mse());
            totals.ternary_sqnr_db = finite(sums.ternary.0.sqnr_db());
        }
        Self {
            schema: SCHEMA,
            a: a.path.display().to_string(),
            b: b.path.display().to_string(),
            equal: totals.equal == compared.len(),
            totals,
            tensors: compared.iter().filter_map(|(pair, outcome)| row(a, b, pair, outcome)).collect(),
        }
    }

    /// What differs, in words; `None` where nothing does. `values`: types may differ where weights do not.
    pub fn differences(&self, values: bool) -> Option<String> {
        let t = &self.totals;
        let same = if values { 0 } else { t.same_values };
        let counts = [
            (t.differ, "differ"),
            (same, "have the same values in another type"),
            (t.shape, "have another shape"),
            (t.missing, "are missing from the second"),
            (t.extra, "are only in the second"),
            (t.unknown, "cannot be compared"),
        ];
        let words: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if words.is_empty() { None } else { Some(format!("of the tensors {}", words.join(", "))) }
    }
}

fn row(a: &Model, b: &Model, pair: &Pair, outcome: &Outcome) -> Option<CompareRow> {
    let (one, other) = pair.tensors(a, b);
    let tensor = one.or(other)?;
    let side = |t: &Tensor| CompareSide { shape: t.dims.to_vec(), dtype: t.dtype.to_string(), bytes: t.bytes };
    let rel_mse = outcome.rel_mse().and_then(finite);
    Some(CompareRow {
        name: tensor.name.clone(),
        role: tensor.role,
        layer: tensor.layer,
        verdict: outcome.verdict,
        a: one.map(side),
        b: other.map(side),
        rel_mse,
        sqnr_db: rel_mse.and_then(|r| finite(sqnr_db(r))),
        cosine: outcome.errors.and_then(|e| finite(e.cosine())),
        max_abs_err: outcome.errors.map(|e| e.max_abs_err),
        unequal: outcome.unequal,
        non_finite: outcome.non_finite,
        problem: outcome.problem.clone(),
    })
}
