//! What an export has to do, weighed by what it takes: a copied embedding is soon done for its bytes, a tensor that goes
//! ternary is not. Faces fold the deltas of an export into it.
//!
//! A unit of work is about a nanosecond of one thread of an ordinary desktop computer. How fast this one is at each kind of
//! work shows as it goes; bars go by the units.

use std::sync::Arc;

use super::Verify;
use crate::engine::codec::DType;
use crate::engine::model::{Model, Tensor};
use crate::engine::plan::{Decision, Plan, Step};
use crate::engine::progress::{Delta, Stage};
use crate::engine::ternary::{Format, Method};

/// A kind of work. What one takes says little about another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labor {
    /// Copying bytes.
    Copy,
    /// Storing weights in another precision, trits in another format.
    Convert,
    /// Choosing trits and scales.
    Quantize,
    /// Searching a codebook.
    Search,
    /// Reading back what was written.
    Check,
    /// Decoding it and computing its error again.
    Recompute,
}

impl Labor {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Copy, Self::Convert, Self::Quantize, Self::Search, Self::Check, Self::Recompute];

    /// Its place among them.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Units for a byte that is copied, that is read back, and for an element whose error is computed again.
const COPY: f64 = 2.0;
const CHECK: f64 = 0.5;
const RECOMPUTE: f64 = 10.0;

/// What is done with a tensor: the kind of work, and its units.
fn work(tensor: &Tensor, decision: &Decision) -> (Labor, f64) {
    let elements = tensor.elements() as f64;
    match decision.step {
        Step::Copy => (Labor::Copy, tensor.bytes as f64 * COPY),
        Step::Convert(DType::Q6_K) => (Labor::Convert, elements * 13.0),
        Step::Convert(to) => (Labor::Convert, elements * if to.is_quantized() { 5.0 } else { 8.0 }),
        Step::Recode(_) => (Labor::Convert, elements * 4.0),
        Step::Ternary(Format::Iq1S, _) => (Labor::Search, elements * 600.0),
        Step::Ternary(_, Method::Exact) => (Labor::Quantize, elements * 18.0),
        Step::Ternary(_, Method::Absmean | Method::Refit) => (Labor::Quantize, elements * 12.0),
        Step::Ternary(..) => (Labor::Quantize, elements * 6.0),
    }
}

/// The work on a tensor for each byte of it that is written.
#[derive(Debug, Clone, Copy)]
struct Share {
    labor: Labor,
    per_byte: f32,
}

/// The work of an export, and how much of it is done.
#[derive(Debug, Clone)]
pub struct Workload {
    total: [f64; Labor::ALL.len()],
    done: [f64; Labor::ALL.len()],
    /// By tensor.
    shares: Arc<[Share]>,
    /// What is being done with the bytes that come next.
    now: Option<Share>,
}

impl Workload {
    /// All that is to be done for a plan.
    pub fn new(model: &Model, plan: &Plan, verify: Verify) -> Self {
        let mut total = [0.0; Labor::ALL.len()];
        let mut of_decision = Vec::with_capacity(plan.decisions.shared().len());
        for shared in plan.decisions.shared() {
            let (labor, units) = work(&model.tensors[shared.first], &shared.decision);
            let (tensors, bytes) = (shared.tensors as f64, shared.decision.new_bytes as f64);
            total[labor.index()] += units * tensors;
            if verify != Verify::None {
                total[Labor::Check.index()] += bytes * CHECK * tensors;
            }
            if verify == Verify::Full && shared.decision.is_ternary() {
                let elements = model.tensors[shared.first].elements() as f64;
                total[Labor::Recompute.index()] += elements * RECOMPUTE * tensors;
            }
            of_decision.push(Share { labor, per_byte: (units / bytes.max(1.0)) as f32 });
        }
        let shares = (0..plan.decisions.len()).map(|tensor| of_decision[plan.decisions.number(tensor)]).collect();
        Self { total, done: [0.0; Labor::ALL.len()], shares, now: None }
    }

    /// Takes in what was done: the kind of work and its units, if it was work.
    pub fn apply(&mut self, delta: &Delta) -> Option<(Labor, f64)> {
        match delta {
            Delta::Stage(stage) => {
                self.now = (*stage == Stage::Verify).then_some(Share { labor: Labor::Check, per_byte: CHECK as f32 });
                if *stage > Stage::Write {
                    for labor in [Labor::Copy, Labor::Convert, Labor::Quantize, Labor::Search] {
                        self.done[labor.index()] = self.total[labor.index()];
                    }
                }
                None
            }
            Delta::Tensor { index, .. } => {
                self.now = self.shares.get(*index).copied();
                None
            }
            Delta::Bytes(bytes) => {
                let Share { labor, per_byte } = self.now?;
                Some(self.add(labor, *bytes as f64 * f64::from(per_byte)))
            }
            Delta::Recomputed(elements) => Some(self.add(Labor::Recompute, *elements as f64 * RECOMPUTE)),
            _ => None,
        }
    }

    fn add(&mut self, labor: Labor, units: f64) -> (Labor, f64) {
        let (done, total) = (&mut self.done[labor.index()], self.total[labor.index()]);
        *done = (*done + units).min(total);
        (labor, units)
    }

    /// Units of a kind that are left.
    pub fn left(&self, labor: Labor) -> f64 {
        self.total[labor.index()] - self.done[labor.index()]
    }

    /// The share of all work that is done.
    pub fn fraction(&self) -> f64 {
        let (done, total): (f64, f64) = (self.done.iter().sum(), self.total.iter().sum());
        if total > 0.0 { done / total } else { 0.0 }
    }
}
