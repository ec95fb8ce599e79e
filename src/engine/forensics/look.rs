//! One ternary tensor as the interface shows it: a sample of its codes first, then all of them with a verdict.

use super::base::{Base, Counterpart};
use super::{Gathered, SHORTEST_BLOCK, code_three, gather, judge};
use crate::engine::error::{Error, Result};
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::Model;
use crate::engine::model::codes::CodeRun;
use crate::engine::progress::{Cancel, Silent};
use crate::engine::stats::forensics::{SignAgreement, TritForensics, Verdict};
use crate::engine::stats::{Estimate, SampleMoments, SamplePlan};

/// Stretches of 256 weights that a sample looks at: whole blocks of every ternary type.
const STRETCH: u64 = 256;
/// How many of them.
const SAMPLED: usize = 1024;
/// Seed of the sample.
const SEED: u64 = 0x7472_6974;

/// What is in a ternary tensor.
#[derive(Debug, Clone)]
pub struct TritsLook {
    /// Whether every code was looked at.
    pub exact: bool,
    /// Weights looked at, and those of the tensor.
    pub weights: (u64, u64),
    /// Everything counted. Of a sample, repetitions and rows say nothing.
    pub figures: TritForensics,
    /// Shares of −1, 0 and +1 among all codes, with intervals until exact.
    pub shares: [Estimate; 3],
    /// Where it comes from; not told from a sample.
    pub verdict: Option<Verdict>,
    /// How it agrees with the base model, where there is one, or why nothing could be compared; not told from a sample.
    pub base: Option<Result<SignAgreement, String>>,
    /// The matrices of a merged tensor, once exact.
    pub slices: Vec<super::SliceFigures>,
    /// First weight of the first block whose scale is NaN or infinite.
    pub first_bad_scale: Option<u64>,
}

/// Looks at a ternary tensor. Errors: a type that has no codes, a failed read, cancellation.
pub fn look(model: &Model, index: usize, base: Option<&Model>, exact: bool, cancel: &Cancel) -> Result<TritsLook> {
    let tensor = &model.tensors[index];
    if !tensor.dtype.is_ternary() || tensor.decoder().is_none() {
        let why = if tensor.dtype.is_ternary() {
            tensor.undecodable_reason()
        } else {
            format!("{} is no ternary type", tensor.dtype)
        };
        return Err(Error::tensor(&model.path, &tensor.name, why));
    }
    let counterpart = base.map(|base| Base::new(base).counterpart(tensor));
    if !exact && tensor.elements() > STRETCH * SAMPLED as u64 {
        return sample(model, index, cancel);
    }
    let beside = counterpart.as_ref().and_then(|c| c.as_ref().ok()).copied();
    let gathered = gather(model, tensor, beside, &Silent, cancel)?;
    let verdict = Some(judge(model, tensor, &gathered));
    Ok(whole(gathered, verdict, counterpart, tensor.elements()))
}

fn whole(
    gathered: Gathered,
    verdict: Option<Verdict>,
    counterpart: Option<Result<Counterpart<'_>, String>>,
    elements: u64,
) -> TritsLook {
    let f = gathered.figures;
    let legal = f.legal_codes().max(1) as f64;
    let point = |n: u64| Estimate { value: n as f64 / legal, low: n as f64 / legal, high: n as f64 / legal };
    let agreement = gathered.agreement.unwrap_or_default();
    TritsLook {
        exact: true,
        weights: (elements, elements),
        shares: [point(f.negative()), point(f.zeros()), point(f.positive())],
        figures: f,
        verdict,
        base: counterpart.map(|c| c.map(|_| agreement)),
        slices: gathered.slices,
        first_bad_scale: gathered.first_bad_scale,
    }
}

fn sample(model: &Model, index: usize, cancel: &Cancel) -> Result<TritsLook> {
    let tensor = &model.tensors[index];
    let stretches = tensor.elements().div_ceil(STRETCH);
    // Blocks come from here and there: no row is seen whole.
    let mut figures = TritForensics::new(code_three(tensor.dtype), 0, 0);
    let mut moments = [0; 3].map(|_| SampleMoments::new(stretches));
    let (mut run, mut buffer) = (CodeRun::default(), AlignedBuf::new());
    let (mut seen, mut first_bad_scale) = (0, None);
    for stretch in SamplePlan::new(stretches, SAMPLED, SEED).iter() {
        cancel.check()?;
        let first = stretch * STRETCH;
        let len = STRETCH.min(tensor.elements() - first);
        model.read_codes(tensor, (first, len), &mut run, &mut buffer)?;
        seen += len;
        let per_block = SHORTEST_BLOCK.div_ceil(run.block_len.max(1));
        let block_len = per_block * run.block_len.max(1);
        let scales = run.scales.chunks(per_block).zip(run.illegal.chunks(per_block));
        for (i, (codes, (scales, illegal))) in run.codes.chunks(block_len).zip(scales).enumerate() {
            let scale = scales.first().copied().unwrap_or(0.0);
            if !scale.is_finite() {
                first_bad_scale.get_or_insert(first + (i * block_len) as u64);
            }
            figures.add_block(codes, scale, illegal.iter().sum());
        }
        for (code, moments) in (0..3).zip(&mut moments) {
            let of_it = run.codes.iter().map(|c| u64::from(*c == code)).sum::<u64>();
            moments.add(of_it as f64, len as f64);
        }
    }
    Ok(TritsLook {
        exact: false,
        weights: (seen, tensor.elements()),
        shares: moments.map(|m| m.estimate()),
        figures,
        verdict: None,
        base: None,
        slices: Vec::new(),
        first_bad_scale,
    })
}
