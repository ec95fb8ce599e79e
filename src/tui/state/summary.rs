//! Sums over parts of the tree: what a folder's row, the plan bar and a folder's preview show.

use std::sync::Arc;

use super::plan::PlanState;
use super::previews::{Figures, Previews};
use super::tree::{Item, TreeView};
use crate::engine::codec::DType;
use crate::engine::model::Model;
use crate::engine::model::tree::NodeKind;
use crate::engine::plan::Step;
use crate::engine::stats::{Estimate, Pooled};
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

    fn remove(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a -= b);
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

    /// Takes away what was added before.
    fn remove(&mut self, other: &Self) {
        self.tensors -= other.tensors;
        self.eligible -= other.eligible;
        self.ternary -= other.ternary;
        self.already -= other.already;
        self.params -= other.params;
        self.ternary_params -= other.ternary_params;
        self.mix.remove(other.mix);
        self.bytes -= other.bytes;
        self.new_bytes -= other.new_bytes;
        self.measured -= other.measured;
        self.exact -= other.exact;
        self.tried -= other.tried;
        self.tried_exact -= other.tried_exact;
    }
}

/// Which tensors have changed since sums were made: in what becomes of them, or in what was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Any may have.
    All,
    /// These, some perhaps more than once.
    These(Vec<usize>),
}

impl Default for Changed {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Changed {
    /// Those of both.
    pub fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::These(list), Self::These(more)) => list.extend(more),
            (_, Self::All) => *self = Self::All,
            (Self::All, Self::These(_)) => {}
        }
    }
}

/// The errors that a row sums up: of what goes ternary, and of what may.
type Pools = [Pooled; 2];

/// The summaries of every node and of the model. They follow changes tensor by tensor, up through the folders.
#[derive(Debug, Clone, Default)]
pub struct Summaries {
    nodes: Vec<Summary>,
    model: Summary,
    /// What was counted of a tensor that was measured.
    parts: Vec<Option<Arc<Pooled>>>,
    /// Sums of folders, by node.
    pools: Vec<Option<Box<Pools>>>,
    /// Those of the model.
    all: Pools,
    /// Whether sums are too great for 64 bits, so that nothing can be taken from them again.
    saturated: bool,
}

impl Summaries {
    /// Sums everything up, children before their folders.
    pub fn new(model: &Model, tree: &TreeView, plan: &PlanState, previews: &Previews) -> Self {
        let nodes = &tree.tree().nodes;
        let mut made = Self {
            nodes: vec![Summary::default(); nodes.len()],
            parts: vec![None; model.tensors.len()],
            pools: vec![None; nodes.len()],
            saturated: is_vast(model),
            ..Self::default()
        };
        for (id, node) in nodes.iter().enumerate().rev() {
            if let NodeKind::Tensor(index) = node.kind {
                let (sum, part) = of_tensor(model, plan, previews, index);
                let pools = match node.parent {
                    Some(parent) => &mut **made.pools[parent].get_or_insert_default(),
                    None => &mut made.all,
                };
                if let Some(part) = &part {
                    count(pools, &sum, part, Pooled::add);
                }
                made.parts[index] = part;
                made.nodes[id] = sum;
            } else {
                let pools = made.pools[id].get_or_insert_default().clone();
                estimate(&mut made.nodes[id], &pools);
                let above = match node.parent {
                    Some(parent) => &mut **made.pools[parent].get_or_insert_default(),
                    None => &mut made.all,
                };
                above.iter_mut().zip(pools.iter()).for_each(|(sum, more)| sum.add(more));
            }
            let sum = made.nodes[id].clone();
            match node.parent {
                Some(parent) => made.nodes[parent].add(&sum),
                None => made.model.add(&sum),
            }
        }
        estimate(&mut made.model, &made.all);
        made
    }

    /// Brings the sums up to date; every tensor that has changed is among those given.
    pub fn follow(&mut self, model: &Model, tree: &TreeView, plan: &PlanState, previews: &Previews, changed: &Changed) {
        let nodes = &tree.tree().nodes;
        let few = match changed {
            Changed::These(list) if !self.saturated && nodes.len() == self.nodes.len() => list,
            _ => return *self = Self::new(model, tree, plan, previews),
        };
        // A change walks up; all at once are cheaper from the bottom.
        if few.len() > model.tensors.len() / 4 + 64 {
            return *self = Self::new(model, tree, plan, previews);
        }
        let mut folders = Vec::new();
        for index in few {
            let Some(leaf) = tree.tree().leaf(*index) else { continue };
            let (sum, part) = of_tensor(model, plan, previews, *index);
            let before = std::mem::replace(&mut self.nodes[leaf], sum.clone());
            let old = std::mem::replace(&mut self.parts[*index], part.clone());
            let mut at = nodes[leaf].parent;
            loop {
                let (above, pools) = match at {
                    Some(folder) => (&mut self.nodes[folder], &mut **self.pools[folder].get_or_insert_default()),
                    None => (&mut self.model, &mut self.all),
                };
                above.remove(&before);
                above.add(&sum);
                if let Some(old) = &old {
                    count(pools, &before, old, Pooled::remove);
                }
                if let Some(part) = &part {
                    count(pools, &sum, part, Pooled::add);
                }
                let Some(folder) = at else { break };
                folders.push(folder);
                at = nodes[folder].parent;
            }
        }
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            if let Some(pools) = &self.pools[folder] {
                estimate(&mut self.nodes[folder], pools);
            }
        }
        estimate(&mut self.model, &self.all);
    }

    /// The summary of a row.
    pub fn of(&self, item: Item) -> &Summary {
        match item {
            Item::Node(node) => self.nodes.get(node).unwrap_or(&self.model),
            Item::Model => &self.model,
        }
    }
}

/// Whether a model claims so much that sums of it reach the end of 64 bits.
fn is_vast(model: &Model) -> bool {
    // No type of an output has more than eight bytes a weight.
    let most = model.tensors.iter().map(|t| u128::from(t.elements()) * 8 + u128::from(t.bytes)).sum::<u128>();
    most > u128::from(u64::MAX)
}

/// Adds a tensor's error to the sums that it belongs in, or takes it from them.
fn count(pools: &mut Pools, sum: &Summary, part: &Pooled, how: fn(&mut Pooled, &Pooled)) {
    let [error, what_if] = pools;
    if sum.error.is_some() {
        how(error, part);
    }
    if sum.what_if.is_some() {
        how(what_if, part);
    }
}

fn estimate(sum: &mut Summary, [error, what_if]: &Pools) {
    let of = |pool: &Pooled| (!pool.is_empty()).then(|| pool.estimate());
    (sum.error, sum.what_if) = (of(error), of(what_if));
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

/// What a tensor adds to the rows above it, and its error if it was measured.
fn of_tensor(model: &Model, plan: &PlanState, previews: &Previews, index: usize) -> (Summary, Option<Arc<Pooled>>) {
    let (tensor, decision, outlook) = (&model.tensors[index], plan.decision(index), plan.outlook(index));
    let measured = figures(plan, previews, index).and_then(|(f, method)| Some((f, f.method(method)?)));
    let ternary = decision.is_ternary();
    let known = usize::from(measured.is_some());
    let sum = Summary {
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
    };
    (sum, measured.map(|(_, m)| Arc::clone(&m.pooled)))
}
