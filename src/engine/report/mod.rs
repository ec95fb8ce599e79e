//! The documents that `--json` prints: plain structs over plan, previews and exports, with a stable schema.
//!
//! Both faces and scripts read the same values; what each field means is said in `docs/json.md`. Numbers are never
//! formatted here.

mod budget;
pub mod chart;
pub mod compare;
mod markdown;
pub mod moments;
mod plain;
pub mod trits;

use serde::Serialize;

use super::error::Diagnostic;
use super::export::{ExportSummary, OutputError};
use super::format::gguf::Value;
use super::model::{Model, Role, Tensor};
use super::plan::budget::Figure;
use super::plan::{Decision, Plan, Recipe};
use super::preview::{TensorReport, sqnr_db};
use super::stats::{BlockStats, ErrorSums, Estimate, SampleMoments};

pub use budget::BudgetReport;
pub use markdown::plan_markdown;
pub use plain::{plan_text, totals_text};

/// Version of the documents' form.
pub const SCHEMA: u32 = 1;

/// A number for JSON, which has no infinities: those become null.
fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

/// `plan --json` and `quantize --json`.
#[derive(Debug, Clone, Serialize)]
pub struct PlanReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Path of the source.
    pub source: String,
    /// Path of the output, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Default format.
    pub format: &'static str,
    /// Default method.
    pub method: &'static str,
    /// Sums.
    pub totals: TotalsReport,
    /// How the budget was kept, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetReport>,
    /// One row a tensor, in file order.
    pub tensors: Vec<TensorRow>,
    /// What was found odd about the file and what to know of the plan.
    pub diagnostics: Vec<Diagnostic>,
    /// How the output was checked, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<super::export::Check>,
    /// Seconds of each stage, where there was an export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<StageRow>>,
}

/// Seconds of one stage.
#[derive(Debug, Clone, Serialize)]
pub struct StageRow {
    /// The stage.
    pub stage: super::progress::Stage,
    /// Seconds it took.
    pub seconds: f64,
}

/// Sums over the model. Error figures are over the tensors that go ternary, null where there are none.
#[derive(Debug, Clone, Serialize)]
pub struct TotalsReport {
    /// Tensors.
    pub tensors: u64,
    /// Tensors made ternary.
    pub ternary_tensors: u64,
    /// Elements.
    pub params: u64,
    /// Elements of tensors made ternary.
    pub ternary_params: u64,
    /// Tensors that are ternary already and stay so.
    pub already_ternary_tensors: u64,
    /// Their elements.
    pub already_ternary_params: u64,
    /// Bytes of tensor data now.
    pub bytes: u64,
    /// Bytes of tensor data in the output.
    pub new_bytes: u64,
    /// Bits per weight now.
    pub bpw: f64,
    /// Bits per weight of the output.
    pub new_bpw: f64,
    /// Σ(w − ŵ)² ÷ Σw².
    pub rel_mse: Option<f64>,
    /// −10·log10(rel_mse); null where the error is zero.
    pub sqnr_db: Option<f64>,
    /// Σq(w − ŵ)² ÷ Σqw² with importance q, over the tensors that have any; null without.
    pub weighted_rel_mse: Option<f64>,
    /// Relative error of the layers' outputs, tr(E M Eᵀ) ÷ tr(W M Wᵀ) over the tensors coded under moments M, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_error: Option<f64>,
    /// Whether the figures are estimated from samples.
    pub estimated: bool,
    /// 95 % interval of rel_mse while estimated.
    pub interval: Option<[f64; 2]>,
}

/// One tensor. Error figures are null for tensors that stay.
#[derive(Debug, Clone, Serialize)]
pub struct TensorRow {
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Layer number.
    pub layer: Option<u32>,
    /// Dimensions, row length first.
    pub shape: Vec<u64>,
    /// Type now.
    #[serde(rename = "type")]
    pub dtype: String,
    /// Type in the output.
    pub new_type: String,
    /// Who decided.
    pub rule: String,
    /// Why, in words.
    pub reason: String,
    /// Method, where it goes ternary.
    pub method: Option<&'static str>,
    /// Bytes now.
    pub bytes: u64,
    /// Bytes in the output.
    pub new_bytes: u64,
    /// Σ(w − ŵ)² ÷ Σw².
    pub rel_mse: Option<f64>,
    /// −10·log10(rel_mse); null where the error is zero.
    pub sqnr_db: Option<f64>,
    /// Σq(w − ŵ)² ÷ Σqw² with importance q; null where the tensor has none.
    pub weighted_rel_mse: Option<f64>,
    /// Relative error of the layer's output, where it was coded under moments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_error: Option<f64>,
    /// Cosine similarity of w and ŵ.
    pub cosine: Option<f64>,
    /// Share of zero trits.
    pub zeros: Option<f64>,
    /// Largest |w − ŵ|.
    pub max_abs_err: Option<f64>,
    /// Mean of |w − ŵ|.
    pub mean_abs_err: Option<f64>,
    /// Mean of the block scales.
    pub scale_mean: Option<f64>,
    /// Standard deviation of the block scales.
    pub scale_std: Option<f64>,
    /// Whether the figures are estimated from a sample.
    pub estimated: bool,
    /// 95 % interval of rel_mse while estimated.
    pub interval: Option<[f64; 2]>,
    /// SQNR of each expert of a merged tensor, where every weight was looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slices_sqnr_db: Vec<Option<f64>>,
    /// Why no figures can be given although it goes ternary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a document needs of a preview. A preview holds histograms too, and there may be a hundred thousand of them.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Error and scale sums.
    stats: BlockStats,
    /// The same per expert, where every weight was looked at.
    slices: Vec<BlockStats>,
    /// For the model's estimate.
    moments: SampleMoments,
    /// The estimate, where a sample was looked at.
    estimate: Option<Estimate>,
    /// Why the tensor cannot be coded, if it cannot.
    pub problem: Option<String>,
}

impl Measured {
    /// The figures of a preview's first method.
    pub fn of(report: TensorReport) -> Option<Self> {
        let method = report.methods.into_iter().next()?;
        let not_finite = report.non_finite.map(|at| format!("element {at} is not finite"));
        Some(Self {
            estimate: (!report.exact).then_some(method.rel_mse),
            stats: method.stats,
            slices: report.slices,
            moments: method.moments,
            problem: not_finite.or(method.problem),
        })
    }

    /// The sums for a chart, of a tensor with so many elements.
    pub fn errors(&self, elements: u64) -> chart::Errors {
        let (sum_e2, sum_w2) = self.moments.expanded();
        chart::Errors {
            sum_e2,
            sum_w2,
            weighted: chart::Errors::expanded(&self.stats.errors, elements),
            exact: self.estimate.is_none(),
            interval: self.estimate.map(|e| [e.low, e.high]),
        }
    }

    /// What a budget goes by; `None` where the tensor cannot be coded.
    pub fn figure(&self) -> Option<Figure> {
        let (sum_e2, sum_w2) = self.moments.expanded();
        let rel_mse = self.stats.errors.weighted_rel_mse().or_else(|| Some(self.moments.estimate().value))?;
        self.problem.is_none().then_some(Figure { rel_mse, sum_e2, sum_w2 })
    }
}

/// A measured error: of a preview, or of an export.
struct Figures<'a> {
    stats: &'a BlockStats,
    slices: &'a [BlockStats],
    estimate: Option<Estimate>,
}

fn row(model: &Model, recipe: &Recipe, index: usize, decision: &Decision, measured: Option<&Figures<'_>>) -> TensorRow {
    let tensor: &Tensor = &model.tensors[index];
    let errors = measured.map(|m| &m.stats.errors);
    let estimate = measured.and_then(|m| m.estimate);
    let rel_mse = estimate.map(|e| e.value).or(errors.map(ErrorSums::rel_mse));
    TensorRow {
        name: tensor.name.clone(),
        role: tensor.role,
        layer: tensor.layer,
        shape: tensor.dims.to_vec(),
        dtype: tensor.dtype.to_string(),
        new_type: decision.new_type.to_string(),
        rule: decision.rule_text(recipe),
        reason: decision.reason_text(),
        method: decision.method_name(),
        bytes: tensor.bytes,
        new_bytes: decision.new_bytes,
        rel_mse,
        sqnr_db: rel_mse.and_then(|r| finite(sqnr_db(r))),
        weighted_rel_mse: errors.and_then(ErrorSums::weighted_rel_mse),
        output_error: None,
        cosine: errors.and_then(|e| finite(e.cosine())),
        zeros: errors.map(ErrorSums::zero_share),
        max_abs_err: errors.map(|e| e.max_abs_err),
        mean_abs_err: errors.map(ErrorSums::mean_abs_err),
        scale_mean: measured.map(|m| m.stats.scales.mean()),
        scale_std: measured.map(|m| m.stats.scales.std()),
        estimated: estimate.is_some(),
        interval: estimate.map(|e| [e.low, e.high]),
        slices_sqnr_db: measured
            .map_or_else(Vec::new, |m| m.slices.iter().map(|s| finite(s.errors.sqnr_db())).collect()),
        problem: None,
    }
}

fn totals(plan: &Plan, estimate: Option<Estimate>, estimated: bool, weighted: &ErrorSums) -> TotalsReport {
    let t = &plan.totals;
    TotalsReport {
        tensors: t.tensors,
        ternary_tensors: t.ternary_tensors,
        params: t.params,
        ternary_params: t.ternary_params,
        already_ternary_tensors: t.already_ternary_tensors,
        already_ternary_params: t.already_ternary_params,
        bytes: t.bytes,
        new_bytes: t.new_bytes,
        bpw: t.bpw(),
        new_bpw: t.new_bpw(),
        rel_mse: estimate.map(|e| e.value),
        sqnr_db: estimate.and_then(|e| finite(sqnr_db(e.value))),
        weighted_rel_mse: weighted.weighted_rel_mse(),
        output_error: None,
        estimated,
        interval: estimate.filter(|_| estimated).map(|e| [e.low, e.high]),
    }
}

fn diagnostics(model: &Model, more: &[Diagnostic]) -> Vec<Diagnostic> {
    model.diagnostics.iter().chain(more).cloned().collect()
}

impl PlanReport {
    /// Of a plan and what was measured of the tensors that go ternary.
    pub fn of_plan(model: &Model, recipe: &Recipe, plan: &Plan, measured: &[Option<Measured>]) -> Self {
        let mut parts: Vec<&SampleMoments> = Vec::new();
        let mut tensors = Vec::with_capacity(plan.decisions.len());
        let mut estimated = false;
        let mut weighted = ErrorSums::default();
        for (index, decision) in plan.decisions.iter().enumerate() {
            let measured = measured.get(index).and_then(Option::as_ref);
            let figures = measured.filter(|m| m.problem.is_none()).map(|m| {
                parts.push(&m.moments);
                estimated |= m.estimate.is_some();
                // A sample stands for all of its tensor.
                let errors = &m.stats.errors;
                let share = model.tensors[index].elements() as f64 / errors.n.max(1) as f64;
                weighted.sum_qw2 += share * errors.sum_qw2;
                weighted.sum_qe2 += share * errors.sum_qe2;
                Figures { stats: &m.stats, slices: &m.slices, estimate: m.estimate }
            });
            let problem = measured.and_then(|m| m.problem.clone());
            tensors.push(TensorRow { problem, ..row(model, recipe, index, decision, figures.as_ref()) });
        }
        let estimate = (!parts.is_empty()).then(|| SampleMoments::combine(parts.into_iter()));
        Self {
            schema: SCHEMA,
            source: model.path.display().to_string(),
            output: None,
            format: recipe.format.name(),
            method: recipe.method.name(),
            totals: totals(plan, estimate, estimated, &weighted),
            budget: None,
            tensors,
            diagnostics: diagnostics(model, &plan.notes),
            check: None,
            stages: None,
        }
    }

    /// Of a finished export.
    pub fn of_export(model: &Model, recipe: &Recipe, plan: &Plan, summary: &ExportSummary) -> Self {
        let tensors = plan
            .decisions
            .iter()
            .enumerate()
            .map(|(index, decision)| {
                let outcome = &summary.tensors[index];
                let measured =
                    outcome.stats.as_ref().map(|stats| Figures { stats, slices: &outcome.slices, estimate: None });
                let output_error = outcome.output.as_ref().map(OutputError::relative);
                TensorRow { output_error, ..row(model, recipe, index, decision, measured.as_ref()) }
            })
            .collect();
        let output_error = summary.output.as_ref().map(OutputError::relative);
        let rel = summary.stats.errors.rel_mse();
        let estimate = (plan.totals.ternary_tensors > 0).then_some(Estimate { value: rel, low: rel, high: rel });
        Self {
            schema: SCHEMA,
            source: model.path.display().to_string(),
            output: Some(summary.out.display().to_string()),
            format: recipe.format.name(),
            method: recipe.method.name(),
            totals: TotalsReport { output_error, ..totals(plan, estimate, false, &summary.stats.errors) },
            budget: None,
            tensors,
            diagnostics: diagnostics(model, &summary.warnings),
            check: Some(summary.check.clone()),
            stages: Some(
                summary.stages.iter().map(|(stage, seconds)| StageRow { stage: *stage, seconds: *seconds }).collect(),
            ),
        }
    }
}

/// `inspect --json`.
#[derive(Debug, Clone, Serialize)]
pub struct InspectReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Path of the file.
    pub source: String,
    /// Container and version.
    pub container: String,
    /// Length of the file.
    pub file_bytes: u64,
    /// `general.architecture`.
    pub architecture: Option<String>,
    /// `general.name`.
    pub name: Option<String>,
    /// Alignment of the data section.
    pub alignment: u64,
    /// Sums over all tensors.
    pub totals: GroupRow,
    /// Sums by type, largest first.
    pub types: Vec<GroupRow>,
    /// Sums by role, largest first.
    pub roles: Vec<GroupRow>,
    /// Metadata in file order.
    pub metadata: Vec<MetadataRow>,
    /// Tensors in file order, those that the filter lets through.
    pub tensors: Vec<InspectRow>,
    /// What was found odd.
    pub diagnostics: Vec<Diagnostic>,
    /// The ternary tensors, where they were looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trits: Option<trits::TritsReport>,
}

/// Sums over a group of tensors.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GroupRow {
    /// What they share.
    pub name: String,
    /// How many.
    pub tensors: u64,
    /// Their elements.
    pub params: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their bits per weight.
    pub bpw: f64,
}

/// One metadata entry.
#[derive(Debug, Clone, Serialize)]
pub struct MetadataRow {
    /// Key.
    pub key: String,
    /// Type of the value, `array of string` for arrays.
    #[serde(rename = "type")]
    pub value_type: String,
    /// Elements, for arrays.
    pub len: Option<u64>,
    /// The value; of an array the first few elements.
    pub value: serde_json::Value,
}

/// One tensor of `inspect`.
#[derive(Debug, Clone, Serialize)]
pub struct InspectRow {
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Layer number.
    pub layer: Option<u32>,
    /// Dimensions, row length first.
    pub shape: Vec<u64>,
    /// Type.
    #[serde(rename = "type")]
    pub dtype: String,
    /// The type's number in the file; null in safetensors.
    pub type_number: Option<u32>,
    /// Byte offset in the file.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
    /// Bits per weight.
    pub bpw: f64,
    /// Whether this version can decode it.
    pub decodable: bool,
}

/// Elements of an array that a report shows.
const ARRAY_HEAD: u64 = 8;

impl InspectReport {
    /// Of a model; `keep` says which tensors are listed (sums are over all of them).
    pub fn of(model: &Model, keep: impl Fn(&Tensor) -> bool) -> Self {
        let group = |name: &str, tensors: &[&Tensor]| {
            let params = tensors.iter().fold(0u64, |n, t| n.saturating_add(t.elements()));
            let bytes = tensors.iter().fold(0u64, |n, t| n.saturating_add(t.bytes));
            let bpw = if params == 0 { 0.0 } else { bytes as f64 * 8.0 / params as f64 };
            GroupRow { name: name.to_owned(), tensors: tensors.len() as u64, params, bytes, bpw }
        };
        let groups = |key: &dyn Fn(&Tensor) -> String| {
            let mut by_key: std::collections::BTreeMap<String, Vec<&Tensor>> = std::collections::BTreeMap::new();
            for tensor in &model.tensors {
                by_key.entry(key(tensor)).or_default().push(tensor);
            }
            let mut rows: Vec<GroupRow> = by_key.iter().map(|(name, tensors)| group(name, tensors)).collect();
            rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
            rows
        };
        Self {
            schema: SCHEMA,
            source: model.path.display().to_string(),
            container: model.container_words(),
            file_bytes: model.file_bytes(),
            architecture: model.architecture.clone(),
            name: model.metadata("general.name").and_then(|v| v.as_str().map(str::to_owned)),
            alignment: model.alignment,
            totals: group("all", &model.tensors.iter().collect::<Vec<_>>()),
            types: groups(&|t| t.dtype.to_string()),
            roles: groups(&|t| t.role.to_string()),
            metadata: model.metadata.entries().iter().map(|kv| metadata_row(model, kv)).collect(),
            tensors: model.tensors.iter().filter(|t| keep(t)).map(inspect_row).collect(),
            diagnostics: model.diagnostics.clone(),
            trits: None,
        }
    }
}

fn inspect_row(tensor: &Tensor) -> InspectRow {
    InspectRow {
        name: tensor.name.clone(),
        role: tensor.role,
        layer: tensor.layer,
        shape: tensor.dims.to_vec(),
        dtype: tensor.dtype.to_string(),
        type_number: tensor.dtype.number(),
        offset: tensor.offset,
        bytes: tensor.bytes,
        bpw: tensor.bpw(),
        decodable: tensor.decoder().is_some(),
    }
}

fn metadata_row(model: &Model, kv: &super::model::metadata::Entry) -> MetadataRow {
    let value = model.metadata.value(kv, ARRAY_HEAD);
    let (value_type, len) = match &value {
        Ok(Value::Array { element, len, .. }) => (format!("array of {}", element.name()), Some(*len)),
        _ => (kv.value_type.name().to_owned(), None),
    };
    MetadataRow { key: kv.key.clone(), value_type, len, value: value.map_or(serde_json::Value::Null, |v| json(&v)) }
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Unsigned(n, _) => (*n).into(),
        Value::Signed(n, _) => (*n).into(),
        Value::Float(x, _) => (*x).into(),
        Value::Bool(b) => (*b).into(),
        Value::String(s) => s.clone().into(),
        Value::Array { head, .. } => head.iter().map(json).collect(),
    }
}
