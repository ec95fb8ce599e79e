//! Sums over decisions: what totals and notes are made from.

use super::decision::{Decision, Reason, Step, Totals};
use super::decisions::Decisions;
use super::resolve::loses_twice;
use crate::engine::codec::DType;
use crate::engine::model::{Model, Tensor};
use crate::engine::ternary::Format;

/// What a kind of tensors comes to: wider than any file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum(u128);

impl Sum {
    /// Adds so many tensors of this.
    fn add(&mut self, each: u64, tensors: u64) {
        self.0 = self.0.saturating_add(u128::from(each) * u128::from(tensors));
    }

    /// Adds them where they are of this kind.
    fn count(&mut self, is: bool, tensors: u64) {
        self.add(u64::from(is), tensors);
    }

    /// As 64 bits hold it.
    fn get(self) -> u64 {
        u64::try_from(self.0).unwrap_or(u64::MAX)
    }
}

/// Sums over some decisions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tally {
    tensors: Sum,
    ternary_tensors: Sum,
    converted_tensors: Sum,
    params: Sum,
    ternary_params: Sum,
    already_ternary_tensors: Sum,
    already_ternary_params: Sum,
    bytes: Sum,
    new_bytes: Sum,
    fallbacks: Sum,
    misses: Sum,
    not_finite: Sum,
    overridden: Sum,
    requantized: Sum,
    recoded_tensors: Sum,
    /// Ternary tensors that are made ternary anew.
    again: Sum,
    /// Those written in each format, in the order of [`Format::ALL`].
    written: [Sum; Format::ALL.len()],
    /// Types in the output.
    types: Vec<(DType, Sum)>,
}

impl Tally {
    /// Of all of a model.
    pub(super) fn of(model: &Model, decisions: &Decisions) -> Self {
        let mut tally = Self::default();
        for shared in decisions.shared() {
            tally.add(&model.tensors[shared.first], &shared.decision, shared.tensors);
        }
        tally
    }

    /// Adds a decision that so many tensors like this one share.
    fn add(&mut self, tensor: &Tensor, decision: &Decision, tensors: u64) {
        let elements = tensor.elements();
        self.tensors.count(true, tensors);
        self.params.add(elements, tensors);
        self.bytes.add(tensor.bytes, tensors);
        self.new_bytes.add(decision.new_bytes, tensors);
        self.overridden.count(decision.overridden, tensors);
        if decision.new_type.is_ternary() && !decision.is_ternary() {
            self.already_ternary_tensors.count(true, tensors);
            self.already_ternary_params.add(elements, tensors);
        }
        match decision.step {
            Step::Copy => {}
            Step::Convert(_) => self.converted_tensors.count(true, tensors),
            Step::Recode(_) => self.recoded_tensors.count(true, tensors),
            Step::Ternary(..) => {
                self.ternary_tensors.count(true, tensors);
                self.ternary_params.add(elements, tensors);
                self.requantized.count(loses_twice(tensor, decision), tensors);
                self.again.count(tensor.dtype.is_ternary(), tensors);
            }
        }
        if decision.misses_request() {
            self.not_finite.count(matches!(decision.reason, Reason::NotFinite(_)), tensors);
            match decision.reason {
                Reason::FellBack { .. } => self.fallbacks.count(true, tensors),
                _ => self.misses.count(true, tensors),
            }
        }
        if let Step::Ternary(format, _) | Step::Recode(format) = decision.step
            && let Some(at) = Format::ALL.iter().position(|f| *f == format)
        {
            self.written[at].count(true, tensors);
        }
        if let Some((_, sum)) = self.types.iter_mut().find(|(dtype, _)| *dtype == decision.new_type) {
            sum.count(true, tensors);
        } else {
            let mut sum = Sum::default();
            sum.count(true, tensors);
            self.types.push((decision.new_type, sum));
        }
    }

    /// Whether two types of the output have one number.
    pub(super) fn has_conflict(&self) -> bool {
        let there = || self.types.iter().filter(|(_, sum)| sum.0 > 0).map(|(dtype, _)| dtype);
        let same = |a: &DType, b: &DType| a != b && a.number().is_some() && a.number() == b.number();
        there().any(|a| there().any(|b| same(a, b)))
    }

    /// Tensors written in a format.
    pub(super) fn written(&self, format: Format) -> u64 {
        Format::ALL.iter().position(|f| *f == format).map_or(0, |at| self.written[at].get())
    }

    /// Whether a ternary tensor is made ternary anew.
    pub(super) fn codes_again(&self) -> bool {
        self.again.0 > 0
    }

    /// What is shown of it.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            tensors: self.tensors.get(),
            ternary_tensors: self.ternary_tensors.get(),
            converted_tensors: self.converted_tensors.get(),
            params: self.params.get(),
            ternary_params: self.ternary_params.get(),
            already_ternary_tensors: self.already_ternary_tensors.get(),
            already_ternary_params: self.already_ternary_params.get(),
            bytes: self.bytes.get(),
            new_bytes: self.new_bytes.get(),
            fallbacks: self.fallbacks.get(),
            misses: self.misses.get(),
            not_finite: self.not_finite.get(),
            overridden: self.overridden.get(),
            requantized: self.requantized.get(),
            recoded_tensors: self.recoded_tensors.get(),
        }
    }
}
