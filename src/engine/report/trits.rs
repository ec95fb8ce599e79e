//! What `inspect --trits` prints: the figures of every ternary tensor, its verdict, and float tensors that are ternary
//! already.

use serde::Serialize;

use crate::engine::codec::DType;
use crate::engine::error::{Diagnostic, Result, Severity};
use crate::engine::forensics::base::Base;
use crate::engine::forensics::native::{NativeFloat, native_float};
use crate::engine::forensics::{Gathered, SliceFigures, gather, judge};
use crate::engine::model::{Model, Tensor};
use crate::engine::progress::{Cancel, Delta, Progress};
use crate::engine::stats::forensics::{MAX_ENTROPY, RowSpread, ScaleForensics, SignAgreement, TritForensics, Verdict};
use crate::text::percent;

/// The ternary tensors of a model.
#[derive(Debug, Clone, Serialize)]
pub struct TritsReport {
    /// Bits that a trit can carry at most, log₂ 3.
    pub max_entropy: f64,
    /// Path of the base model, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Ternary tensors in file order.
    pub tensors: Vec<TritRow>,
    /// Float tensors that are ternary already, in file order.
    pub native_float: Vec<NativeFloat>,
    /// What was not looked at, and why.
    pub notes: Vec<Diagnostic>,
}

/// One ternary tensor.
#[derive(Debug, Clone, Serialize)]
pub struct TritRow {
    /// Name.
    pub name: String,
    /// Dimensions, row length first.
    pub shape: Vec<u64>,
    /// Type.
    #[serde(rename = "type")]
    pub dtype: DType,
    /// What was found, if its codes could be read.
    #[serde(flatten)]
    pub figures: Option<TritFigures>,
    /// Why its codes could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What was found in the codes and scales of one tensor.
#[derive(Debug, Clone, Serialize)]
pub struct TritFigures {
    /// Share of −1 among the codes that mean something.
    pub negative: f64,
    /// Share of 0.
    pub zero: f64,
    /// Share of +1.
    pub positive: f64,
    /// Share of +2, where the type has it.
    pub plus_two: f64,
    /// Bits of information in a code.
    pub entropy: f64,
    /// (positive − negative) ÷ (positive + negative).
    pub sign_balance: f64,
    /// How much the number of zeros differs between blocks, in units of what chance would do.
    pub zero_dispersion: f64,
    /// Codes that mean nothing in the type.
    pub illegal_codes: u64,
    /// Bytes that no writer of the type produces.
    pub illegal_bytes: u64,
    /// Blocks; in types with one scale for the tensor, groups.
    pub blocks: u64,
    /// Blocks of zeros.
    pub zero_blocks: u64,
    /// Blocks with other codes and a scale of 0.
    pub silenced_blocks: u64,
    /// Blocks that repeat an earlier one.
    pub repeated_blocks: u64,
    /// Whether that number is an estimate.
    pub repeated_estimated: bool,
    /// Share of zeros row by row; null where no row was seen whole.
    pub row_zeros: Option<Spread>,
    /// The blocks' scales.
    pub scales: ScaleRow,
    /// Where the tensor comes from.
    pub verdict: Verdict,
    /// In short, each matrix of a merged tensor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub experts: Vec<ExpertRow>,
    /// How its signs agree with the base model's, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseRow>,
}

/// Mean, standard deviation and range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub std: f64,
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
}

/// Scales of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScaleRow {
    /// Over those that are finite and not 0; null where there are none.
    #[serde(flatten)]
    pub spread: Option<Spread>,
    /// How many different ones these are.
    pub distinct: u64,
    /// How often a block's is another than that of the block before, by more than one step of f16.
    pub changes: u64,
    /// Scales that are 0.
    pub zero: u64,
    /// Scales that are no number.
    pub nan: u64,
    /// Scales that are infinite or beyond f16.
    pub infinite: u64,
    /// Scales below 0.
    pub negative: u64,
    /// Scales that are subnormal in f16.
    pub subnormal: u64,
}

/// One matrix of a merged tensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExpertRow {
    /// Share of zeros.
    pub zero: f64,
    /// Mean of its scales that are finite and not 0.
    pub scale_mean: f64,
    /// Whether every weight is 0.
    pub all_zero: bool,
}

/// A ternary tensor beside the base model's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaseRow {
    /// Share of nonzero trits that have their weight's sign: ½ for strangers.
    pub sign_agreement: Option<f64>,
    /// Correlation between |w| and "the trit is not 0": 0 for strangers.
    pub correlation: Option<f64>,
    /// Nonzero trits.
    pub nonzero: u64,
    /// Those with their weight's sign.
    pub agree: u64,
    /// Those with the other.
    pub disagree: u64,
    /// Weights of the base that are NaN or infinite.
    pub non_finite: u64,
    /// Why nothing was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl TritsReport {
    /// Looks at the tensors that `keep` lets through. Errors: a failed read, cancellation.
    pub fn of(
        model: &Model,
        keep: impl Fn(&Tensor) -> bool,
        base: Option<&Model>,
        progress: &dyn Progress,
        cancel: &Cancel,
    ) -> Result<Self> {
        let by_name = base.map(Base::new);
        let kept: Vec<usize> = (0..model.tensors.len()).filter(|i| keep(&model.tensors[*i])).collect();
        let ternary = || kept.iter().map(|i| &model.tensors[*i]).filter(|t| t.dtype.is_ternary());
        let bytes = ternary().filter(|t| t.decoder().is_some()).map(|t| t.bytes).sum();
        progress.report(Delta::Total { tensors: kept.len() as u64, bytes });
        let mut report = Self {
            max_entropy: MAX_ENTROPY,
            base: base.map(|b| b.path.display().to_string()),
            tensors: Vec::new(),
            native_float: Vec::new(),
            notes: left_out(&kept.iter().map(|i| &model.tensors[*i]).collect::<Vec<_>>()),
        };
        for index in kept {
            let tensor = &model.tensors[index];
            if tensor.dtype.is_ternary() {
                report.tensors.push(row(model, tensor, by_name.as_ref(), progress, cancel)?);
            } else {
                cancel.check()?;
                report.native_float.extend(native_float(model, index, cancel)?);
            }
            progress.report(Delta::TensorDone { index });
        }
        Ok(report)
    }
}

fn row(
    model: &Model,
    tensor: &Tensor,
    base: Option<&Base<'_>>,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<TritRow> {
    let (name, shape, dtype) = (tensor.name.clone(), tensor.dims.to_vec(), tensor.dtype);
    if tensor.decoder().is_none() {
        let problem = Some(tensor.undecodable_reason());
        return Ok(TritRow { name, shape, dtype, figures: None, problem });
    }
    let (counterpart, problem) = match base.map(|b| b.counterpart(tensor)) {
        None => (None, None),
        Some(Ok(found)) => (Some(found), None),
        Some(Err(why)) => (None, Some(why)),
    };
    let gathered = gather(model, tensor, counterpart, progress, cancel)?;
    let agreement = base.map(|_| base_row(gathered.agreement.as_ref(), problem));
    let mut verdict = judge(model, tensor, &gathered);
    verdict.evidence.extend(agreement.as_ref().and_then(base_evidence));
    let figures = figures(&gathered, verdict, agreement);
    Ok(TritRow { name, shape, dtype, figures: Some(figures), problem: None })
}

fn figures(gathered: &Gathered, verdict: Verdict, base: Option<BaseRow>) -> TritFigures {
    let f: &TritForensics = &gathered.figures;
    let share = |n: u64| n as f64 / f.legal_codes().max(1) as f64;
    TritFigures {
        negative: share(f.negative()),
        zero: f.zero_share(),
        positive: share(f.positive()),
        plus_two: share(f.plus_two()),
        entropy: f.entropy(),
        sign_balance: f.sign_balance(),
        zero_dispersion: f.zero_dispersion(),
        illegal_codes: f.illegal_codes(),
        illegal_bytes: f.illegal_bytes,
        blocks: f.blocks,
        zero_blocks: f.zero_blocks,
        silenced_blocks: f.silenced,
        repeated_blocks: f.duplicates.repeated(),
        repeated_estimated: f.duplicates.is_estimate(),
        row_zeros: row_zeros(&f.rows),
        scales: scale_row(&f.scales),
        verdict,
        experts: gathered.slices.iter().map(expert_row).collect(),
        base,
    }
}

fn row_zeros(rows: &RowSpread) -> Option<Spread> {
    rows.range().map(|(min, max)| Spread { mean: rows.mean(), std: rows.std(), min, max })
}

fn scale_row(s: &ScaleForensics) -> ScaleRow {
    ScaleRow {
        spread: (s.usable > 0).then(|| Spread { mean: s.mean(), std: s.std(), min: s.min, max: s.max }),
        distinct: s.distinct(),
        changes: s.changes(),
        zero: s.zero,
        nan: s.nan,
        infinite: s.infinite,
        negative: s.negative,
        subnormal: s.subnormal,
    }
}

fn expert_row(slice: &SliceFigures) -> ExpertRow {
    ExpertRow { zero: slice.zero_share(), scale_mean: slice.scale_mean(), all_zero: slice.is_zero() }
}

fn base_row(agreement: Option<&SignAgreement>, problem: Option<String>) -> BaseRow {
    let a = agreement.copied().unwrap_or_default();
    BaseRow {
        sign_agreement: a.share(),
        correlation: a.correlation(),
        nonzero: a.nonzero,
        agree: a.agree,
        disagree: a.disagree,
        non_finite: a.non_finite,
        problem,
    }
}

/// What the comparison with the base says. It tells no native tensor from another: the weights that a ternary model was
/// trained with have its signs too.
fn base_evidence(row: &BaseRow) -> Option<String> {
    let share = row.sign_agreement?;
    let meaning = match share {
        0.95.. => "made from this base, or from a model close to it",
        0.6..0.95 => "related to this base, but changed since",
        0.45..0.6 => "as by chance: not made from this base",
        _ => "fewer than by chance: signs are turned round somewhere",
    };
    Some(format!("{} of the nonzero trits have the sign of the base's weight: {meaning}", percent(share)))
}

/// Types that have to do with trits and are left out, one note each.
fn left_out(tensors: &[&Tensor]) -> Vec<Diagnostic> {
    const IQ1: &str = "its vectors of trits are shifted by an eighth of the scale: not purely ternary";
    const NO_LAYOUT: &str = "ternary, but this version has no layout for it";
    let iq1_bn = [134, 135].map(DType::of_number);
    let types = [
        (DType::IQ1_S, IQ1),
        (DType::IQ1_M, IQ1),
        (DType::TL1, NO_LAYOUT),
        (DType::TL2, NO_LAYOUT),
        (DType::TL2_42, NO_LAYOUT),
        (DType::PTQ1_0, NO_LAYOUT),
        (DType::IQ2_TN, NO_LAYOUT),
        (iq1_bn[0], NO_LAYOUT),
        (iq1_bn[1], NO_LAYOUT),
    ];
    let note = |(dtype, why): (DType, &str)| {
        let n = tensors.iter().filter(|t| t.dtype == dtype).count();
        let what = format!("{n} {} of type {dtype} not looked at: {why}", if n == 1 { "tensor" } else { "tensors" });
        (n > 0).then(|| Diagnostic::file(Severity::Note, "not-looked-at", what))
    };
    types.into_iter().filter_map(note).collect()
}
