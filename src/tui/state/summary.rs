//! Sums over parts of the tree: what a folder's row, the plan bar and a folder's preview show.

use super::plan::PlanState;
use super::previews::{Figures, Previews};
use super::tree::{Item, TreeView};
use crate::engine::codec::DType;
use crate::engine::model::Model;
use crate::engine::model::tree::NodeKind;
use crate::engine::plan::Step;
use crate::engine::stats::{Estimate, SampleMoments};
use crate::engine::ternary::{Format, Method};

/// Elements by what their types are: ternary, other blocks, halves, the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mix(pub [u64; 4]);

impl Mix {
    /// So many elements of a type.
    pub(super) fn of(dtype: DType, elements: u64) -> Self {
        let mut mix = Self::default();
        let class = match dtype {
            t if t.is_ternary() => 0,
            t if t.is_quantized() || matches!(t, DType::F8_E4M3 | DType::F8_E5M2) => 1,
            DType::F16 | DType::BF16 => 2,
            _ => 3,
        };
        mix.0[class] = elements;
        mix
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a = a.saturating_add(b));
    }
}

/// Sums over some tensors.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Tensors.
    pub tensors: usize,
    /// Those that may go ternary, or do.
    pub eligible: usize,
    /// Those that go ternary.
    pub ternary: usize,
    /// Those that are ternary in the source already.
    pub already: usize,
    /// Elements.
    pub params: u64,
    /// Elements of those that go ternary.
    pub ternary_params: u64,
    /// Elements by what their types in the output are.
    pub mix: Mix,
    /// Bytes now.
    pub bytes: u64,
    /// Bytes in the output.
    pub new_bytes: u64,
    /// Measured among those that go ternary.
    pub measured: usize,
    /// Measured with every block.
    pub exact: usize,
    /// Error over those that go ternary and are measured.
    pub error: Option<Estimate>,
    /// Measured among those that may go ternary.
    pub tried: usize,
    /// Measured among them with every block.
    pub tried_exact: usize,
    /// Error over those that may go ternary and are measured, whether they do or not.
    pub what_if: Option<Estimate>,
}

impl Summary {
    /// Whether every figure in [`Summary::error`] is exact and none is missing.
    pub fn is_exact(&self) -> bool {
        self.ternary > 0 && self.exact == self.ternary
    }

    fn add(&mut self, other: &Self) {
        self.tensors += other.tensors;
        self.eligible += other.eligible;
        self.ternary += other.ternary;
        self.already += other.already;
        self.params = self.params.saturating_add(other.params);
        self.ternary_params = self.ternary_params.saturating_add(other.ternary_params);
        self.mix.add(other.mix);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.new_bytes = self.new_bytes.saturating_add(other.new_bytes);
        self.measured += other.measured;
        self.exact += other.exact;
        self.tried += other.tried;
        self.tried_exact += other.tried_exact;
    }
}

/// The summaries of every node and of the model.
#[derive(Debug, Clone, Default)]
pub struct Summaries {
    nodes: Vec<Summary>,
    model: Summary,
}

impl Summaries {
    /// Sums everything up, children before their folders.
    pub fn new(model: &Model, tree: &TreeView, plan: &PlanState, previews: &Previews) -> Self {
        let nodes = &tree.tree().nodes;
        let mut sums = vec![Summary::default(); nodes.len()];
        let mut model_sum = Summary::default();
        for (id, node) in nodes.iter().enumerate().rev() {
            if let NodeKind::Tensor(index) = node.kind {
                sums[id] = of_tensor(model, plan, previews, index);
            } else {
                combine(&mut sums[id], &tree.tensors_below(Item::Node(id)), plan, previews);
            }
            let sum = sums[id].clone();
            match node.parent {
                Some(parent) => sums[parent].add(&sum),
                None => model_sum.add(&sum),
            }
        }
        combine(&mut model_sum, &tree.tensors_below(Item::Model), plan, previews);
        Self { nodes: sums, model: model_sum }
    }

    /// The summary of a row.
    pub fn of(&self, item: Item) -> &Summary {
        match item {
            Item::Node(node) => self.nodes.get(node).unwrap_or(&self.model),
            Item::Model => &self.model,
        }
    }
}

/// The format and method that a tensor goes ternary with, or would.
pub fn what_if(plan: &PlanState, tensor: usize) -> Option<(Format, Method)> {
    match plan.decision(tensor).step {
        Step::Ternary(format, method) => Some((format, method)),
        _ => Some((plan.outlook(tensor).format.clone().ok()?, plan.recipe().method)),
    }
}

/// The figures of a tensor in the format it is measured in.
pub fn figures<'a>(plan: &PlanState, previews: &'a Previews, tensor: usize) -> Option<(&'a Figures, Method)> {
    let (format, method) = what_if(plan, tensor)?;
    Some((previews.figures((tensor, format))?, method))
}

fn of_tensor(model: &Model, plan: &PlanState, previews: &Previews, index: usize) -> Summary {
    let (tensor, decision, outlook) = (&model.tensors[index], plan.decision(index), plan.outlook(index));
    let measured = figures(plan, previews, index).and_then(|(f, method)| Some((f, f.method(method)?)));
    let ternary = decision.is_ternary();
    let known = usize::from(measured.is_some());
    Summary {
        tensors: 1,
        eligible: usize::from(outlook.eligible),
        ternary: usize::from(ternary),
        already: usize::from(tensor.dtype.is_ternary()),
        params: tensor.elements(),
        ternary_params: if ternary { tensor.elements() } else { 0 },
        mix: Mix::of(decision.new_type, tensor.elements()),
        bytes: tensor.bytes,
        new_bytes: decision.new_bytes,
        measured: if ternary { known } else { 0 },
        exact: usize::from(ternary && measured.is_some_and(|(f, _)| f.exact)),
        error: measured.filter(|_| ternary).map(|(_, m)| m.rel_mse),
        tried: if outlook.eligible { known } else { 0 },
        tried_exact: usize::from(outlook.eligible && measured.is_some_and(|(f, _)| f.exact)),
        what_if: measured.filter(|_| outlook.eligible).map(|(_, m)| m.rel_mse),
    }
}

fn combine(sum: &mut Summary, tensors: &[usize], plan: &PlanState, previews: &Previews) {
    let moments = |ternary_only: bool| -> Vec<&SampleMoments> {
        tensors
            .iter()
            .filter(|t| if ternary_only { plan.decision(**t).is_ternary() } else { plan.outlook(**t).eligible })
            .filter_map(|t| figures(plan, previews, *t).and_then(|(f, method)| f.method(method)))
            .map(|m| &m.moments)
            .collect()
    };
    let estimate = |parts: Vec<&SampleMoments>| (!parts.is_empty()).then(|| SampleMoments::combine(parts.into_iter()));
    sum.error = estimate(moments(true));
    sum.what_if = estimate(moments(false));
}
