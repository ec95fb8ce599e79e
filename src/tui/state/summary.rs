//! Sums over parts of the tree: what a folder's row, the plan bar and a folder's preview show.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::PlanState;
use super::previews::{Figures, Previews};
use super::sparse::Sparse;
use super::tree::{Item, TreeView};
use crate::engine::codec::DType;
use crate::engine::model::Model;
use crate::engine::model::tree::{Grouping, Tree};
use crate::engine::plan::{Plan, Shared, Step, Touched};
use crate::engine::stats::{Estimate, Pooled, PooledPart};
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
    /// Those that go ternary and were tried, and no figure came of it.
    pub hopeless: usize,
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

    /// Whether figures of what goes ternary are still to come.
    pub fn is_partial(&self) -> bool {
        self.measured + self.hopeless < self.ternary
    }

    /// Adds a tensor's as often as there are such tensors.
    fn add_times(&mut self, tensor: &Self, times: usize) {
        let each = |n: u64| n.saturating_mul(times as u64);
        self.add(&Self {
            tensors: tensor.tensors * times,
            eligible: tensor.eligible * times,
            ternary: tensor.ternary * times,
            already: tensor.already * times,
            params: each(tensor.params),
            ternary_params: each(tensor.ternary_params),
            mix: Mix(tensor.mix.0.map(each)),
            bytes: each(tensor.bytes),
            new_bytes: each(tensor.new_bytes),
            ..Self::default()
        });
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
        self.hopeless += other.hopeless;
        self.tried += other.tried;
        self.tried_exact += other.tried_exact;
    }

    /// A tensor's, with what was measured of it.
    fn with(&self, part: Option<&Part>) -> Self {
        let mut sum = self.clone();
        if let Some(part) = part {
            sum.measure(self, Known::of(part));
            if let Some(found) = &part.found {
                let error = found.estimate();
                sum.error = (self.ternary > 0).then_some(error);
                sum.what_if = (self.eligible > 0).then_some(error);
            }
        }
        sum
    }

    /// Counts what is known of tensors like this one, which are in the sums.
    fn measure(&mut self, tensor: &Self, known: Known) {
        self.measured += tensor.ternary * known.measured;
        self.exact += tensor.ternary * known.exact;
        self.hopeless += tensor.ternary * known.hopeless;
        self.tried += tensor.eligible * known.measured;
        self.tried_exact += tensor.eligible * known.exact;
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
        self.hopeless -= other.hopeless;
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
    /// What a step of the plan touched.
    pub fn of(touched: Touched) -> Self {
        match touched {
            Touched::All => Self::All,
            Touched::These(tensors) => Self::These(tensors),
        }
    }

    /// Those of both.
    pub fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::These(list), Self::These(more)) => list.extend(more),
            (_, Self::All) => *self = Self::All,
            (Self::All, Self::These(_)) => {}
        }
    }
}

/// The errors that a row sums up: of what goes ternary, and of what else may.
type Pools = [Pooled; 2];

/// What one tensor adds to the rows above it, as long as nothing is measured; and in what it is measured.
#[derive(Debug, Clone)]
struct Base {
    sum: Summary,
    what_if: Option<(Format, Method)>,
}

/// What came of measuring a tensor.
#[derive(Debug, Clone, Copy)]
struct Part {
    exact: bool,
    /// `None`: it was tried, and no figure will come.
    found: Option<PooledPart>,
}

/// Of how many tensors something is known.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    measured: usize,
    exact: usize,
    hopeless: usize,
}

impl Known {
    fn of(part: &Part) -> Self {
        let found = part.found.is_some();
        Self { measured: usize::from(found), exact: usize::from(found && part.exact), hopeless: usize::from(!found) }
    }

    fn add(&mut self, other: Self) {
        self.measured += other.measured;
        self.exact += other.exact;
        self.hopeless += other.hopeless;
    }
}

/// A row: a tensor, or one of the folders.
#[derive(Debug, Clone, Copy)]
enum Row {
    Tensor(u32),
    Folder(u32),
}

/// What was measured of the tensors that lie in a folder itself, whatever becomes of them.
#[derive(Debug, Clone, Default)]
struct Own {
    known: Known,
    pooled: Pooled,
}

impl Own {
    fn of<'a>(parts: impl Iterator<Item = &'a Part>) -> Self {
        let mut own = Self::default();
        for part in parts {
            own.known.add(Known::of(part));
            if let Some(found) = &part.found {
                own.pooled.add_part(found);
            }
        }
        own
    }
}

/// The sums over a folder.
#[derive(Debug, Clone, Default)]
struct Folder {
    sum: Summary,
    pools: Box<Pools>,
    /// Kept where one decision is for all of its own tensors: the next one mostly is, too.
    own: Option<Own>,
}

impl Folder {
    /// Adds what another one has.
    fn take_in(&mut self, other: &Self) {
        self.sum.add(&other.sum);
        self.pools.iter_mut().zip(other.pools.iter()).for_each(|(sum, more)| sum.add(more));
    }

    fn estimate(&mut self) {
        let of = |pool: &Pooled| (!pool.is_empty()).then(|| pool.estimate());
        let [ternary, others] = &*self.pools;
        self.sum.error = of(ternary);
        self.sum.what_if = if others.is_empty() {
            self.sum.error
        } else {
            let mut all = ternary.clone();
            all.add(others);
            of(&all)
        };
    }
}

/// The summaries of every node and of the model. They follow changes tensor by tensor, up through the folders.
#[derive(Debug, Clone, Default)]
pub struct Summaries {
    /// The plan that they are of.
    plan: Arc<Plan>,
    /// By the numbers of its decisions.
    bases: Vec<Base>,
    /// By tensor.
    parts: Sparse<Part>,
    /// By node.
    rows: Vec<Row>,
    /// What makes folders of them.
    grouping: Grouping,
    folders: Vec<Folder>,
    model: Folder,
    /// Whether sums are too great for 64 bits, so that nothing can be taken from them again.
    saturated: bool,
}

impl Summaries {
    /// Sums everything up, children before their folders.
    pub fn new(model: &Model, tree: &TreeView, plan: &PlanState, previews: &Previews) -> Self {
        Self::default().renewed(model, tree, plan, previews, &[])
    }

    /// Sums everything up again. What was measured is looked up only of tensors that are measured in another way now, or
    /// are among those of which something `came` in.
    fn renewed(self, model: &Model, tree: &TreeView, plan: &PlanState, previews: &Previews, came: &[usize]) -> Self {
        let Self { plan: old_plan, bases: old_bases, mut parts, rows, folders, grouping, .. } = self;
        let known = parts.entries() == model.tensors.len() && old_plan.decisions.len() == parts.entries();
        parts.resize(model.tensors.len());
        let mut stale = vec![!known; model.tensors.len()];
        came.iter().for_each(|index| stale[*index] = true);
        let tree = tree.tree();
        let bases = bases(model, plan);
        let plan = Arc::clone(plan.plan());
        for (index, stale) in stale.iter_mut().enumerate() {
            let base = &bases[plan.decisions.number(index)];
            if *stale || old_bases[old_plan.decisions.number(index)].what_if != base.what_if {
                *stale = true;
                parts.set(index, measured(previews, index, base));
            }
        }
        let mut made = Self { plan, bases, parts, grouping: tree.grouping, ..Self::default() };
        made.saturated = is_vast(&made.bases, &made.plan);
        if tree.grouping == grouping && rows.len() == tree.nodes.len() {
            // The same rows: what was measured of their own tensors may still hold.
            made.rows = rows;
            made.folders = folders.into_iter().map(|folder| Folder { own: folder.own, ..Folder::default() }).collect();
        } else {
            made.lay_out(tree);
        }
        made.model = made.own(&tree.roots, None, &stale);
        for id in tree.folders().rev() {
            let Row::Folder(folder) = made.rows[id] else { continue };
            let mut nested = std::mem::take(&mut made.folders[folder as usize]);
            let mut done = made.own(tree.children(id), nested.own.take(), &stale);
            done.take_in(&nested);
            done.estimate();
            let above = match tree.nodes[id].parent.map(|parent| made.rows[parent]) {
                Some(Row::Folder(folder)) => &mut made.folders[folder as usize],
                _ => &mut made.model,
            };
            above.take_in(&done);
            made.folders[folder as usize] = done;
        }
        made.model.estimate();
        made
    }

    /// Rows for a tree's nodes, and empty sums for its folders.
    fn lay_out(&mut self, tree: &Tree) {
        self.rows.reserve_exact(tree.nodes.len());
        for node in 0..tree.nodes.len() {
            let row = if let Some(index) = tree.tensor_at(node) {
                Row::Tensor(index as u32)
            } else {
                self.folders.push(Folder::default());
                Row::Folder(self.folders.len() as u32 - 1)
            };
            self.rows.push(row);
        }
    }

    /// The sums over the tensors among these nodes. What was measured of them is summed up only if any of that is stale,
    /// or if they do not share a decision.
    fn own(&self, children: &[usize], known: Option<Own>, stale: &[bool]) -> Folder {
        let tensor = |child: &usize| match self.rows[*child] {
            Row::Tensor(index) => Some(index as usize),
            Row::Folder(_) => None,
        };
        let number = |index: usize| self.plan.decisions.number(index);
        let mut folder = Folder::default();
        let Some(first) = children.iter().find_map(tensor).map(number) else { return folder };
        let (mut tensors, mut shared, mut fresh) = (0, true, true);
        for index in children.iter().filter_map(tensor) {
            tensors += 1;
            shared &= number(index) == first;
            fresh &= !stale[index];
        }
        if !shared {
            for index in children.iter().filter_map(tensor) {
                let sum = &self.bases[number(index)].sum;
                folder.sum.add(sum);
                if let Some(part) = self.parts.get(index) {
                    folder.sum.measure(sum, Known::of(part));
                    if let (Some(found), Some(pool)) = (&part.found, pool(&mut folder.pools, sum)) {
                        pool.add_part(found);
                    }
                }
            }
            return folder;
        }
        let parts = || children.iter().filter_map(tensor).filter_map(|index| self.parts.get(index));
        let own = known.filter(|_| fresh).unwrap_or_else(|| Own::of(parts()));
        let sum = &self.bases[first].sum;
        folder.sum.add_times(sum, tensors);
        folder.sum.measure(sum, own.known);
        if let Some(pool) = pool(&mut folder.pools, sum) {
            pool.add(&own.pooled);
        }
        folder.own = Some(own);
        folder
    }

    /// Brings the sums up to date: every tensor of which something else becomes is among those `touched`, and every one
    /// of which something was measured among those of which it `came`.
    pub fn follow(
        &mut self,
        model: &Model,
        tree: &TreeView,
        plan: &PlanState,
        previews: &Previews,
        (touched, came): (&Changed, &[usize]),
    ) {
        let nodes = &tree.tree().nodes;
        // A change walks up; all at once are cheaper from the bottom.
        let most = model.tensors.len() / 8 + 64;
        let few = match touched {
            Changed::These(list)
                if !self.saturated && nodes.len() == self.rows.len() && list.len() + came.len() <= most =>
            {
                list
            }
            _ => return *self = std::mem::take(self).renewed(model, tree, plan, previews, came),
        };
        if few.is_empty() && came.is_empty() && Arc::ptr_eq(&self.plan, plan.plan()) {
            return;
        }
        // One that is named twice has changed once.
        let few: BTreeSet<usize> = few.iter().chain(came).copied().collect();
        let new = bases(model, plan);
        let mut folders = Vec::new();
        for index in &few {
            let Some(leaf) = tree.tree().leaf(*index) else { continue };
            let base = &new[plan.plan().decisions.number(*index)];
            let part = measured(previews, *index, base);
            let sum = base.sum.with(part.as_ref());
            let before = self.leaf(*index).into_owned();
            let old = self.parts.set(*index, part);
            let (was, is) = (old.and_then(|part| part.found), part.and_then(|part| part.found));
            let mut at = nodes[leaf].parent;
            loop {
                let above = match at.map(|node| self.rows[node]) {
                    Some(Row::Folder(folder)) => {
                        folders.push(folder as usize);
                        &mut self.folders[folder as usize]
                    }
                    _ => &mut self.model,
                };
                above.own = None;
                above.sum.remove(&before);
                above.sum.add(&sum);
                if let (Some(found), Some(pool)) = (was, pool(&mut above.pools, &before)) {
                    pool.remove_part(&found);
                }
                if let (Some(found), Some(pool)) = (is, pool(&mut above.pools, &sum)) {
                    pool.add_part(&found);
                }
                let Some(folder) = at else { break };
                at = nodes[folder].parent;
            }
        }
        folders.sort_unstable();
        folders.dedup();
        folders.into_iter().for_each(|folder| self.folders[folder].estimate());
        self.model.estimate();
        (self.bases, self.plan) = (new, Arc::clone(plan.plan()));
    }

    /// The summary of a row.
    pub fn of(&self, item: Item) -> Cow<'_, Summary> {
        let Item::Node(node) = item else { return Cow::Borrowed(&self.model.sum) };
        match self.rows.get(node) {
            Some(Row::Tensor(index)) => self.leaf(*index as usize),
            Some(Row::Folder(folder)) => Cow::Borrowed(&self.folders[*folder as usize].sum),
            None => Cow::Borrowed(&self.model.sum),
        }
    }

    fn leaf(&self, index: usize) -> Cow<'_, Summary> {
        let base = &self.bases[self.plan.decisions.number(index)].sum;
        match self.parts.get(index) {
            Some(part) => Cow::Owned(base.with(Some(part))),
            None => Cow::Borrowed(base),
        }
    }
}

/// What tensors add, by the numbers of the plan's decisions.
fn bases(model: &Model, plan: &PlanState) -> Vec<Base> {
    let base = |shared: &Shared| {
        let (tensor, decision, outlook) = (&model.tensors[shared.first], &shared.decision, plan.outlook(shared.first));
        let ternary = decision.is_ternary();
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
            ..Summary::default()
        };
        Base { sum, what_if: what_if(plan, shared.first) }
    };
    plan.plan().decisions.shared().iter().map(base).collect()
}

/// The figures of a tensor in what it goes ternary with, or would.
fn measured(previews: &Previews, index: usize, base: &Base) -> Option<Part> {
    let (format, method) = base.what_if?;
    let figures = previews.figures((index, format));
    let found = figures.and_then(|figures| figures.method(method)).map(|m| m.pooled);
    let known = found.is_some() || previews.is_hopeless((index, format), method);
    known.then(|| Part { exact: figures.is_some_and(|f| f.exact), found })
}

/// Whether a model claims so much that sums of it reach the end of 64 bits.
fn is_vast(bases: &[Base], plan: &Plan) -> bool {
    // No type of an output has more than eight bytes a weight.
    let each = |sum: &Summary| u128::from(sum.params) * 8 + u128::from(sum.bytes);
    let shared = bases.iter().zip(plan.decisions.shared());
    let most = shared.fold(0u128, |most, (base, shared)| {
        most.saturating_add(each(&base.sum).saturating_mul(u128::from(shared.tensors)))
    });
    most > u128::from(u64::MAX)
}

/// The sums that such a tensor's error belongs in, if it belongs in any.
fn pool<'a>([ternary, others]: &'a mut Pools, sum: &Summary) -> Option<&'a mut Pooled> {
    // What goes ternary may do so.
    if sum.ternary > 0 { Some(ternary) } else { (sum.eligible > 0).then_some(others) }
}

/// The format and method that a tensor goes ternary with, or would.
pub fn what_if(plan: &PlanState, tensor: usize) -> Option<(Format, Method)> {
    match plan.decision(tensor).step {
        Step::Ternary(format, method) => Some((format, method)),
        _ => Some((plan.outlook(tensor).format.as_ref().ok().copied()?, plan.recipe().method)),
    }
}

/// The figures of a tensor in the format it is measured in.
pub fn figures<'a>(plan: &PlanState, previews: &'a Previews, tensor: usize) -> Option<(&'a Figures, Method)> {
    let (format, method) = what_if(plan, tensor)?;
    Some((previews.figures((tensor, format))?, method))
}
