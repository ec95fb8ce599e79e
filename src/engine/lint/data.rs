//! Data: weights and scales that are no numbers, matrices and experts that are all zeros, codes that mean nothing, and
//! floats that are ternary already.
//!
//! Everything is read once, in bands that merge in order.

use rayon::prelude::*;

use super::{NAMED, ranges, shown, tensors, tokenizer};
use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::forensics::native::{NativeFloat, native_float};
use crate::engine::forensics::{Gathered, gather, is_zero};
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::{Model, Role, Tensor};
use crate::engine::preview::bands_of;
use crate::engine::progress::{Cancel, Delta, Progress};
use crate::engine::ternary::Format;
use crate::text::elide;

/// Weights that one task takes.
const BAND: u64 = 1 << 18;
/// Columns that a reason for not reading a tensor may take.
const REASON: usize = 200;

/// What is wrong with the weights of one matrix.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Slice {
    weights: u64,
    zeros: u64,
    nan: u64,
    infinite: u64,
    /// Element of the tensor that is the first NaN or infinity.
    first_bad: Option<u64>,
}

impl Slice {
    fn of(weights: &[f32], first: u64) -> Self {
        let zeros = weights.iter().map(|w| u64::from(*w == 0.0)).sum();
        let odd = weights.iter().map(|w| u64::from(!w.is_finite())).sum::<u64>();
        let mut slice = Self { weights: weights.len() as u64, zeros, ..Self::default() };
        if odd > 0 {
            slice.nan = weights.iter().map(|w| u64::from(w.is_nan())).sum();
            slice.infinite = odd - slice.nan;
            slice.first_bad = weights.iter().position(|w| !w.is_finite()).map(|i| first + i as u64);
        }
        slice
    }

    fn merge(&mut self, next: &Self) {
        self.weights += next.weights;
        self.zeros += next.zeros;
        self.nan += next.nan;
        self.infinite += next.infinite;
        self.first_bad = self.first_bad.or(next.first_bad);
    }

    fn bad(&self) -> u64 {
        self.nan + self.infinite
    }

    fn is_zero(&self) -> bool {
        self.weights > 0 && self.zeros == self.weights
    }
}

/// Checks every tensor that can be decoded. Errors: cancellation.
pub(super) fn check(model: &Model, progress: &dyn Progress, cancel: &Cancel) -> Result<Vec<Diagnostic>> {
    let mut found: Vec<Diagnostic> = tokenizer::bytes(model).into_iter().collect();
    let bytes = model.tensors.iter().filter(|t| is_checked(t)).map(|t| t.bytes).sum();
    progress.report(Delta::Total { tensors: model.tensors.len() as u64, bytes });
    let mut native: Vec<NativeFloat> = Vec::new();
    for (index, tensor) in model.tensors.iter().enumerate() {
        cancel.check()?;
        if is_checked(tensor) {
            match check_tensor(model, index, (progress, cancel), &mut native) {
                Ok(more) => found.extend(more),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(e) => {
                    let what = format!("cannot be read: {}", elide(&e.to_string(), REASON));
                    found.push(Diagnostic::tensor(Severity::Error, "unreadable", &tensor.name, what));
                }
            }
        }
        progress.report(Delta::TensorDone { index });
    }
    found.extend(native_notes(&native));
    Ok(found)
}

fn is_checked(tensor: &Tensor) -> bool {
    tensor.elements() > 0 && !tensor.dtype.is_integer() && tensor.decoder().is_some()
}

fn check_tensor(
    model: &Model,
    index: usize,
    (progress, cancel): (&dyn Progress, &Cancel),
    native: &mut Vec<NativeFloat>,
) -> Result<Vec<Diagnostic>> {
    let tensor = &model.tensors[index];
    if tensor.has_one_scale()
        && let Some(bad) = one_scale(model, tensor)?
    {
        return Ok(vec![bad]);
    }
    if tensor.dtype.is_ternary() {
        let gathered = gather(model, tensor, None, progress, cancel)?;
        return Ok(ternary_findings(tensor, &gathered));
    }
    let slices = look(model, tensor, progress, cancel)?;
    let mut found: Vec<Diagnostic> = non_finite(tensor, &slices).into_iter().collect();
    let dead: Vec<u64> = (0..).zip(&slices).filter(|(_, s)| s.is_zero()).map(|(i, _)| i).collect();
    found.extend(zeros(tensor, &dead, slices.len() as u64));
    if found.is_empty() {
        native.extend(native_float(model, index, cancel)?);
    }
    Ok(found)
}

/// The scale behind an I2_S tensor; the 28 bytes of filler after it mean nothing.
fn one_scale(model: &Model, tensor: &Tensor) -> Result<Option<Diagnostic>> {
    let scale = model.one_scale(tensor)?;
    let offset = tensor.offset.saturating_add(tensor.elements() / 4);
    let report =
        |severity, what: String| Some(Diagnostic::tensor(severity, "tensor-scale", &tensor.name, what).at(offset));
    Ok(if !scale.is_finite() {
        let what = format!("its one scale is {scale}: every weight of it is no number; convert the tensor again");
        report(Severity::Error, what)
    } else if scale == 0.0 {
        let what = "its one scale is 0: every weight decodes to 0; expected a positive number".to_owned();
        report(Severity::Warning, what)
    } else if scale < 0.0 {
        report(
            Severity::Warning,
            format!("its one scale is {scale}, which no known quantizer writes; expected a positive number"),
        )
    } else {
        None
    })
}

/// Counts over all weights, for each matrix of a merged tensor.
fn look(model: &Model, tensor: &Tensor, progress: &dyn Progress, cancel: &Cancel) -> Result<Vec<Slice>> {
    let slices = tensor.slices();
    let slice_len = (tensor.elements() / slices).max(1);
    let layout = tensor.dtype.layout();
    let bands: Vec<(u64, u64)> = (0..slices).flat_map(|slice| bands_of(slice * slice_len, slice_len, BAND)).collect();
    let parts: Vec<Result<(u64, Slice)>> = bands
        .par_iter()
        .map_init(
            || (Vec::new(), AlignedBuf::new()),
            |(weights, buffer), (first, len)| {
                cancel.check()?;
                weights.resize(*len as usize, 0.0f32);
                model.read_f32(tensor, *first, weights, buffer)?;
                progress.report(Delta::Bytes(layout.map_or(0, |l| len.div_ceil(l.block_len) * l.block_bytes)));
                Ok((first / slice_len, Slice::of(weights, *first)))
            },
        )
        .collect();
    let mut total = vec![Slice::default(); slices as usize];
    for part in parts {
        let (slice, part) = part?;
        if let Some(sum) = total.get_mut(slice as usize) {
            sum.merge(&part);
        }
    }
    Ok(total)
}

/// Where an element's block begins in its file.
fn offset_of(tensor: &Tensor, element: u64) -> u64 {
    let within = tensor.dtype.layout().map_or(0, |l| element / l.block_len * l.block_bytes);
    tensor.offset.saturating_add(within)
}

fn non_finite(tensor: &Tensor, slices: &[Slice]) -> Option<Diagnostic> {
    let mut sum = Slice::default();
    slices.iter().for_each(|s| sum.merge(s));
    let first = sum.first_bad?;
    let bad: Vec<u64> = (0..).zip(slices).filter(|(_, s)| s.bad() > 0).map(|(i, _)| i).collect();
    let what = format!(
        "{} of {} weights are NaN, {} infinite; element {first} is the first{}: whatever it touches becomes NaN; convert \
         the tensor again",
        sum.nan,
        sum.weights,
        sum.infinite,
        in_matrices(tensor, &bad, slices.len() as u64)
    );
    // Factors of positions may be infinite on purpose.
    let severity = if tensor.role == Role::Position && sum.nan == 0 { Severity::Note } else { Severity::Error };
    Some(Diagnostic::tensor(severity, "non-finite", &tensor.name, what).at(offset_of(tensor, first)))
}

/// `, in experts 3, 7–9`, where there are several matrices.
fn in_matrices(tensor: &Tensor, which: &[u64], of: u64) -> String {
    let word = if tensor.role.is_routed_expert() { "experts" } else { "matrices" };
    if of > 1 { format!(", in {word} {}", ranges(which)) } else { String::new() }
}

/// Tensors of zeros and experts of zeros. Biases may well be zero.
fn zeros(tensor: &Tensor, dead: &[u64], slices: u64) -> Option<Diagnostic> {
    let weighs =
        tensor.role.is_linear() || matches!(tensor.role, Role::TokenEmbd | Role::Output | Role::Router | Role::Norm);
    let (code, what) = if dead.is_empty() || !weighs {
        return None;
    } else if dead.len() as u64 == slices {
        ("zero-tensor", "every weight is 0: what passes through it is lost; expected a trained tensor".to_owned())
    } else if tensor.role.is_routed_expert() {
        let what = format!(
            "{} of its {slices} experts are all zeros: {}; expected trained ones, or a model without them",
            dead.len(),
            ranges(dead)
        );
        ("zero-expert", what)
    } else {
        return None;
    };
    Some(Diagnostic::tensor(Severity::Warning, code, &tensor.name, what).at(tensor.offset))
}

fn ternary_findings(tensor: &Tensor, gathered: &Gathered) -> Vec<Diagnostic> {
    let f = &gathered.figures;
    let mut found = Vec::new();
    let bad_scales = f.scales.nan + f.scales.infinite;
    if let Some(first) = gathered.first_bad_scale.filter(|_| bad_scales > 0) {
        let bad: Vec<u64> = (0..).zip(&gathered.slices).filter(|(_, s)| s.bad_scales > 0).map(|(i, _)| i).collect();
        let what = format!(
            "the scales of {bad_scales} of {} blocks are NaN or infinite; the block of element {first} is the first{}: \
             its weights are no numbers; convert the tensor again",
            f.blocks,
            in_matrices(tensor, &bad, gathered.slices.len() as u64)
        );
        let found_at = offset_of(tensor, first);
        found.push(Diagnostic::tensor(Severity::Error, "non-finite", &tensor.name, what).at(found_at));
    }
    if f.illegal_codes() + f.illegal_bytes > 0 {
        let what = format!(
            "{} codes and {} bytes mean nothing in {}: the data is damaged, or of another type",
            f.illegal_codes(),
            f.illegal_bytes,
            tensor.dtype
        );
        found.push(Diagnostic::tensor(Severity::Warning, "illegal-codes", &tensor.name, what).at(tensor.offset));
    }
    let dead: Vec<u64> = if gathered.slices.is_empty() {
        if is_zero(f) { vec![0] } else { Vec::new() }
    } else {
        (0..).zip(&gathered.slices).filter(|(_, s)| s.is_zero()).map(|(i, _)| i).collect()
    };
    found.extend(zeros(tensor, &dead, gathered.slices.len().max(1) as u64));
    found
}

/// Floats that a ternary format holds as they are: a note for each format.
fn native_notes(native: &[NativeFloat]) -> impl Iterator<Item = Diagnostic> {
    Format::ALL.into_iter().filter_map(|format| {
        let held: Vec<&NativeFloat> = native.iter().filter(|n| n.format == format).collect();
        let names: Vec<String> = held.iter().take(NAMED).map(|n| shown(&n.tensor)).collect();
        let what = format!(
            "natively ternary float weights: every block of {} in {} is −s, 0, +s ({}{}): --method lossless --format \
             {format} codes them without loss",
            format.block_len(),
            tensors(held.len()),
            names.join(", "),
            if held.len() > NAMED { ", …" } else { "" },
        );
        (!held.is_empty()).then(|| Diagnostic::file(Severity::Note, "natively-ternary", what))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_counted_by_kind_and_the_first_is_named() {
        let slice = Slice::of(&[0.0, 1.0, f32::NAN, f32::NEG_INFINITY, -0.0], 10);
        let want = Slice { weights: 5, zeros: 2, nan: 1, infinite: 1, first_bad: Some(12) };
        assert_eq!(slice, want);
        let mut sum = Slice::of(&[0.0, 0.0], 8);
        assert!(sum.is_zero());
        sum.merge(&slice);
        assert_eq!((sum.first_bad, sum.bad(), sum.is_zero()), (Some(12), 2, false));
    }
}
