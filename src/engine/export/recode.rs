//! Moving trits from one ternary format to another without a change: what fits, what is rounded, and the moving itself.
//!
//! A block of the target takes one scale. Where it covers several blocks of the source they must agree in theirs; blocks
//! of zeros agree with any, since zero times a scale is zero. Where the target has one scale for the tensor, all blocks
//! must agree. An f32 scale becomes an f16 where the target has f16s: the rounding is measured and told.

use half::f16;
use rayon::prelude::*;

use crate::engine::codec::DType;
use crate::engine::error::{Error, Result};
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::codes::{CodeRun, has_fourth_level};
use crate::engine::model::{Model, Tensor};
use crate::engine::plan::{Plan, Step};
use crate::engine::preview::bands_of;
use crate::engine::progress::Cancel;
use crate::engine::ternary::Format;
use crate::engine::ternary::kernels::Kernel;

/// Elements of a part that is looked at at once; every block length divides it.
const PART: u64 = 1 << 18;

/// What moving a tensor's trits meets.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Survey {
    /// Blocks of the target.
    pub blocks: u64,
    /// Blocks whose source blocks have different scales: they cannot be moved.
    pub disagreeing: u64,
    /// The first of them.
    pub first_disagreeing: Option<u64>,
    /// Codes that the target cannot hold: +2 outside Q2_0 and its kin.
    pub beyond: u64,
    /// Codes that mean nothing in the source and are read as 0.
    pub illegal: u64,
    /// Blocks of the target in which zeros take the scale of others.
    pub adopted: u64,
    /// Largest relative change of a scale by rounding to f16.
    pub rounding: f64,
    /// Scales that f16 cannot hold at all: infinite after rounding, or zero or subnormal though trits need them.
    pub unrepresentable: u64,
    /// The one scale of a target that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_scale: Option<f32>,
    /// Blocks of the target whose scale is another, where the target has one for all.
    pub others: u64,
}

impl Survey {
    fn merge(&mut self, other: &Self) {
        self.blocks += other.blocks;
        self.disagreeing += other.disagreeing;
        self.first_disagreeing = self.first_disagreeing.or(other.first_disagreeing);
        self.beyond += other.beyond;
        self.illegal += other.illegal;
        self.adopted += other.adopted;
        self.rounding = self.rounding.max(other.rounding);
        self.unrepresentable += other.unrepresentable;
        self.one_scale = self.one_scale.or(other.one_scale);
        self.others += other.others;
    }

    /// Why the tensor cannot be moved, with the count; `None` where it can.
    fn refusal(&self, to: Format) -> Option<String> {
        if self.beyond > 0 {
            return Some(format!("{} codes mean +2, which {} has no code for", self.beyond, to.dtype()));
        }
        if self.others > 0 {
            return Some(format!(
                "{} of {} groups of {} have another scale than the first; {} has one for all",
                self.others,
                self.blocks,
                to.block_len(),
                to.dtype()
            ));
        }
        if self.disagreeing > 0 {
            return Some(format!(
                "the scales of the source disagree in {} of {} blocks of {} (the first is block {})",
                self.disagreeing,
                self.blocks,
                to.block_len(),
                self.first_disagreeing.unwrap_or(0)
            ));
        }
        if self.unrepresentable > 0 {
            return Some(format!("{} scales are beyond what f16 holds", self.unrepresentable));
        }
        None
    }
}

/// Looks at every tensor that the plan recodes. Errors: one that cannot be moved, with the count of what stands in the
/// way; a failed read; cancellation.
pub(super) fn survey(model: &Model, plan: &Plan, cancel: &Cancel) -> Result<Vec<Option<Survey>>> {
    let (surveys, refused) = look(model, plan, cancel)?;
    match refused.first() {
        None => Ok(surveys),
        Some((index, why)) => {
            let more = if refused.len() > 1 {
                format!("; and {} more tensors like it", refused.len() - 1)
            } else {
                String::new()
            };
            Err(Error::tensor(
                &model.path,
                &model.tensors[*index].name,
                format!("not repacked: {why}{more}; --partial lets such tensors stay"),
            ))
        }
    }
}

/// The tensors among those that the plan recodes whose data cannot take their new format, and why. Errors: a failed read,
/// cancellation.
pub fn unfit(model: &Model, plan: &Plan, cancel: &Cancel) -> Result<Vec<(usize, String)>> {
    look(model, plan, cancel).map(|(_, refused)| refused)
}

type Refused = Vec<(usize, String)>;

fn look(model: &Model, plan: &Plan, cancel: &Cancel) -> Result<(Vec<Option<Survey>>, Refused)> {
    let mut surveys = Vec::with_capacity(model.tensors.len());
    let mut refused: Refused = Vec::new();
    for (index, (tensor, decision)) in model.tensors.iter().zip(&plan.decisions).enumerate() {
        let Step::Recode(to) = decision.step else {
            surveys.push(None);
            continue;
        };
        let found = survey_tensor(model, tensor, to, cancel)?;
        refused.extend(found.refusal(to).map(|why| (index, why)));
        surveys.push(Some(found));
    }
    Ok((surveys, refused))
}

fn survey_tensor(model: &Model, tensor: &Tensor, to: Format, cancel: &Cancel) -> Result<Survey> {
    let bands: Vec<(u64, u64)> = bands_of(0, tensor.elements(), PART).collect();
    let one_scale = if to.has_one_scale() { first_scale(model, tensor, to, &bands, cancel)? } else { None };
    let parts: Vec<Result<Survey>> = bands
        .par_iter()
        .map_init(
            || (CodeRun::default(), AlignedBuf::new()),
            |(run, buffer), band| {
                cancel.check()?;
                if let Some(found) = survey_groups(model, tensor, (to, one_scale), *band, buffer)? {
                    return Ok(found);
                }
                model.read_codes(tensor, *band, run, buffer)?;
                Ok(survey_run(run, tensor.dtype, (to, one_scale), band.0))
            },
        )
        .collect();
    let mut total = Survey::default();
    for part in parts {
        total.merge(&part?);
    }
    Ok(total)
}

/// What is found in a band whose groups are all ordinary for the kernel: scales that agree, in f16 already, and no code
/// 3, so nothing to be counted. `None` where one is not, or where that is not known.
fn survey_groups(
    model: &Model,
    tensor: &Tensor,
    (to, one_scale): (Format, Option<f32>),
    band: (u64, u64),
    buffer: &mut AlignedBuf,
) -> Result<Option<Survey>> {
    let only = if to.has_one_scale() {
        match one_scale.map(|one| (one, f16::from_f32(one))) {
            Some((one, half)) if half.to_f32().to_bits() == one.to_bits() => Some(half.to_bits()),
            _ => return Ok(None),
        }
    } else {
        None
    };
    let Some(from) = with_scales(tensor).filter(|_| to.is_plain() && is_whole(band)) else { return Ok(None) };
    let blocks = groups_of(model, tensor, from, band, buffer)?;
    if Kernel::current().ordinary_groups(from, blocks, only) as u64 * GROUP < band.1 {
        return Ok(None);
    }
    Ok(Some(Survey { blocks: band.1 / to.block_len() as u64, one_scale, ..Survey::default() }))
}

/// The scale of the first block that has trits other than zero.
fn first_scale(
    model: &Model,
    tensor: &Tensor,
    to: Format,
    bands: &[(u64, u64)],
    cancel: &Cancel,
) -> Result<Option<f32>> {
    let (mut run, mut buffer) = (CodeRun::default(), AlignedBuf::new());
    for band in bands {
        cancel.check()?;
        model.read_codes(tensor, *band, &mut run, &mut buffer)?;
        let starts = (0..run.codes.len()).step_by(to.block_len());
        let mut joined = starts.map(|at| joined_scale(&run, at, to.block_len().min(run.codes.len() - at)));
        if let Some(found) = joined.find(|j| !j.zeros) {
            return Ok(Some(found.scale));
        }
    }
    Ok(None)
}

/// `one_scale` is that of the tensor, where the target has one.
fn survey_run(run: &CodeRun, from: DType, (to, one_scale): (Format, Option<f32>), first: u64) -> Survey {
    let mut survey = Survey { illegal: illegal_codes(run, from), one_scale, ..Survey::default() };
    if means_two(from) && !has_fourth_level(to.dtype()) {
        survey.beyond = threes(run);
    }
    let len = to.block_len();
    for (i, codes) in run.codes.chunks(len).enumerate() {
        survey.blocks += 1;
        let joined = joined_scale(run, i * len, codes.len());
        if !joined.agree {
            survey.disagreeing += 1;
            survey.first_disagreeing.get_or_insert(first / len as u64 + i as u64);
        }
        let scale = joined.scale;
        if to.has_one_scale() {
            let another = one_scale.is_some_and(|one| one.to_bits() != scale.to_bits());
            survey.adopted += u64::from(joined.adopted || joined.zeros && another);
            survey.others += u64::from(!joined.zeros && another);
            continue;
        }
        survey.adopted += u64::from(joined.adopted);
        if scale.is_finite() && scale != 0.0 {
            let rounded = f16::from_f32(scale);
            let change = f64::from((rounded.to_f32() - scale).abs()) / f64::from(scale.abs());
            let vanished = change > 0.0 && rounded.to_f32().abs() < f16::MIN_POSITIVE.to_f32();
            survey.unrepresentable += u64::from(!joined.zeros && (!rounded.is_finite() || vanished));
            survey.rounding = survey.rounding.max(change);
        }
    }
    survey
}

/// Whether runtimes decode code 3 as +2: where it is a level, and in TQ2_0, whose writers do not produce it.
fn means_two(from: DType) -> bool {
    has_fourth_level(from) || from == DType::TQ2_0
}

fn illegal_codes(run: &CodeRun, from: DType) -> u64 {
    if means_two(from) { 0 } else { threes(run) }
}

fn threes(run: &CodeRun) -> u64 {
    run.codes.iter().map(|code| u64::from(*code == 3)).sum()
}

/// The scale of a block of the target.
struct Joined {
    /// Of the source blocks with nonzero codes; where there are none, what the zeros agree in, else 0.
    scale: f32,
    /// Whether every code is zero.
    zeros: bool,
    /// Whether the source blocks with nonzero codes have one scale.
    agree: bool,
    /// Whether some of its source blocks are zeros with another scale.
    adopted: bool,
}

/// The scale of the source blocks that hold codes `at .. at + len` of the run.
fn joined_scale(run: &CodeRun, at: usize, len: usize) -> Joined {
    let block_len = run.block_len.max(1);
    let (mut of_trits, mut of_zeros): (Option<f32>, Option<f32>) = (None, None);
    let (mut agree, mut zeros_agree) = (true, true);
    let same = |a: f32, b: f32| a.to_bits() == b.to_bits();
    for block in at / block_len..(at + len).div_ceil(block_len) {
        let Some(scale) = run.scales.get(block).copied() else { continue };
        let from = (block * block_len).max(at);
        let to = ((block + 1) * block_len).min(at + len);
        if run.codes[from..to].iter().all(|c| *c == 1) {
            zeros_agree &= same(*of_zeros.get_or_insert(scale), scale);
        } else {
            agree &= same(*of_trits.get_or_insert(scale), scale);
        }
    }
    let scale = of_trits.or(of_zeros.filter(|_| zeros_agree)).unwrap_or(0.0);
    let adopted = of_zeros.is_some_and(|zero| !zeros_agree || !same(zero, scale));
    Joined { scale, zeros: of_trits.is_none(), agree, adopted }
}

/// Buffers of a worker that moves trits.
#[derive(Default)]
pub(super) struct Buffers {
    codes: CodeRun,
    trits: Vec<i8>,
    moved: Vec<u8>,
}

/// Writes a band of a tensor to `out` as blocks of the target: groups that are ordinary for the kernel whole, others code by
/// code.
pub(super) fn move_band(
    (model, tensor): (&Model, &Tensor),
    to: Format,
    (first, len): (u64, u64),
    (buffers, raw): (&mut Buffers, &mut AlignedBuf),
    out: &mut Vec<u8>,
) -> Result<()> {
    let at = |elements: u64| elements.div_ceil(to.block_len() as u64) as usize * to.block_bytes();
    out.clear();
    out.resize(at(len), 0);
    let mut done = 0;
    while done < len {
        done += move_groups((model, tensor), to, (first + done, len - done), raw, &mut out[at(done)..])?;
        let rest = PATCH.min(len - done);
        if rest > 0 {
            model.read_codes(tensor, (first + done, rest), &mut buffers.codes, raw)?;
            pack(&buffers.codes, tensor.dtype, to, &mut buffers.trits, &mut out[at(done)..at(done + rest)]);
            done += rest;
        }
    }
    Ok(())
}

/// Moves ordinary groups from the front of a band; returns how many elements they have.
fn move_groups(
    (model, tensor): (&Model, &Tensor),
    to: Format,
    (first, len): (u64, u64),
    raw: &mut AlignedBuf,
    out: &mut [u8],
) -> Result<u64> {
    let Some(from) = Format::from_dtype(tensor.dtype).filter(|from| from.moves_in_groups()) else { return Ok(0) };
    let one = if from.has_one_scale() { f16::from_f32(model.one_scale(tensor)?).to_bits() } else { 0 };
    let blocks = groups_of(model, tensor, from, (first, len), raw)?;
    Ok(Kernel::current().repack((from, to), (blocks, one), out) as u64 * GROUP)
}

/// Weights of a group.
const GROUP: u64 = Kernel::GROUP as u64;
/// Codes that are packed one by one before groups are moved again.
const PATCH: u64 = 32 * GROUP;

/// The blocks of the whole groups of a band.
fn groups_of<'a>(
    model: &'a Model,
    tensor: &'a Tensor,
    from: Format,
    (first, len): (u64, u64),
    raw: &'a mut AlignedBuf,
) -> Result<&'a [u8]> {
    let bytes = |elements: u64| elements / from.block_len() as u64 * from.block_bytes() as u64;
    model.read_raw(tensor, bytes(first), bytes(len / GROUP * GROUP) as usize, raw)
}

/// The format of a tensor that kernels move and whose blocks have scales.
fn with_scales(tensor: &Tensor) -> Option<Format> {
    Format::from_dtype(tensor.dtype).filter(|format| format.moves_in_groups() && !format.has_one_scale())
}

fn is_whole((_, len): (u64, u64)) -> bool {
    len.is_multiple_of(GROUP)
}

/// Whether a band that was written, moved back, is the source's bytes: then every code and scale is the same. `false`
/// also where that cannot be asked; [`compare`] tells.
pub(super) fn comes_back(
    (model, tensor): (&Model, &Tensor),
    (output, written): (&Model, &Tensor),
    band: (u64, u64),
    (buffers, raw, raw_written): (&mut Buffers, &mut AlignedBuf, &mut AlignedBuf),
) -> Result<bool> {
    let (Some(from), Some(to)) = (with_scales(tensor), with_scales(written)) else { return Ok(false) };
    if !is_whole(band) {
        return Ok(false);
    }
    let source = groups_of(model, tensor, from, band, raw)?;
    let found = groups_of(output, written, to, band, raw_written)?;
    buffers.moved.resize(source.len(), 0);
    let groups = Kernel::current().repack((to, from), (found, 0), &mut buffers.moved);
    Ok(groups as u64 * GROUP == band.1 && buffers.moved == source)
}

/// Packs a run of codes as blocks of the target, as many as `out` has; `trits` is a buffer.
fn pack(run: &CodeRun, from: DType, to: Format, trits: &mut Vec<i8>, out: &mut [u8]) {
    let (len, bytes) = (to.block_len(), to.block_bytes());
    if run.codes.len().is_multiple_of(len) && !run.codes.contains(&3) {
        let scale = |i: usize| f16::from_f32(joined_scale(run, i * len, len).scale).to_bits();
        let scales: Vec<u16> = (0..run.codes.len() / len).map(scale).collect();
        if Kernel::current().pack(to, &run.codes, &scales, out) {
            return;
        }
    }
    for (i, (codes, block)) in run.codes.chunks(len).zip(out.chunks_exact_mut(bytes)).enumerate() {
        let scale = f16::from_f32(joined_scale(run, i * len, codes.len()).scale);
        if codes.contains(&3) && means_two(from) && has_fourth_level(to.dtype()) {
            pack_four_levels(scale, codes, block);
            continue;
        }
        trits.clear();
        // A code that means nothing is read as zero.
        trits.extend(codes.iter().map(|c| if *c == 3 { 0 } else { *c as i8 - 1 }));
        trits.resize(len, -1);
        crate::engine::ternary::encode_block(to, scale, trits, block);
    }
}

/// Q2_0 in either group length: `d qs[…]`, four codes a byte, lowest bits first.
fn pack_four_levels(scale: f16, codes: &[u8], block: &mut [u8]) {
    let (d, qs) = block.split_at_mut(2);
    d.copy_from_slice(&scale.to_le_bytes());
    for (q, four) in qs.iter_mut().zip(codes.chunks(4)) {
        *q = four.iter().rev().fold(0, |byte, code| byte << 2 | code);
    }
}

/// Compares a stretch of the source with what was written: codes must be equal, scales equal to the source's or to its
/// rounding. The error is what differs.
pub(super) fn compare(source: &CodeRun, from: DType, written: &CodeRun, to: Format) -> Result<(), String> {
    let legal = |code: u8| if code == 3 && !means_two(from) { 1 } else { code };
    if let Some(i) = source.codes.iter().zip(&written.codes).position(|(a, b)| legal(*a) != *b) {
        return Err(format!("code {i} of a stretch is {} instead of {}", written.codes[i], source.codes[i]));
    }
    for (i, codes) in source.codes.chunks(written.block_len.max(1)).enumerate() {
        let joined = joined_scale(source, i * written.block_len, codes.len());
        let expected = if to.has_one_scale() { joined.scale } else { f16::from_f32(joined.scale).to_f32() };
        let found = written.scales.get(i).copied().unwrap_or(f32::NAN);
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        let indifferent = joined.zeros && to.has_one_scale();
        if !same && !indifferent {
            return Err(format!("scale {i} of a stretch is {found} instead of {expected}"));
        }
    }
    Ok(())
}
