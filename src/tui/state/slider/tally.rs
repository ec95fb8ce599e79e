//! What the budget slider's place makes of every tensor and folder, before it is accepted: the tree's rows while it is
//! open.

use crate::engine::codec::DType;
use crate::engine::model::Model;
use crate::engine::model::tree::NodeKind;
use crate::engine::plan::Winner;
use crate::engine::plan::budget::Figure;
use crate::engine::stats::Estimate;
use crate::tui::state::plan::PlanState;
use crate::tui::state::session::Session;
use crate::tui::state::summary::{Mix, Summary};
use crate::tui::state::tree::{Item, TreeView};

use super::Slider;

/// What the slider's place makes of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lot {
    /// Free, and taken: it would go ternary.
    Taken,
    /// Free, and left as it is.
    Left,
    /// A rule makes it ternary, whatever the budget.
    PinnedTernary,
    /// A rule keeps it, whatever the budget.
    PinnedKept,
    /// It cannot go ternary, or nothing asks for it.
    Other,
}

impl Lot {
    /// Its sign in the tree; what is not the budget's business keeps its own.
    pub fn sign(self) -> Option<char> {
        match self {
            Self::Taken => Some('◆'),
            Self::Left => Some('◇'),
            Self::PinnedTernary => Some('■'),
            Self::PinnedKept => Some('□'),
            Self::Other => None,
        }
    }

    /// Whether it would be ternary, where the budget knows.
    fn is_ternary(self) -> Option<bool> {
        match self {
            Self::Taken | Self::PinnedTernary => Some(true),
            Self::Left | Self::PinnedKept => Some(false),
            Self::Other => None,
        }
    }
}

/// The lots of all tensors and what folders come to.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    lots: Vec<Lot>,
    nodes: Vec<Part>,
    model: Part,
    /// The node of each tensor.
    places: Vec<Option<usize>>,
}

/// What was measured of a tensor, and whether of every weight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) figure: Figure,
    pub(super) exact: bool,
}

/// What a row comes to.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    ternary: usize,
    eligible: usize,
    ternary_params: u64,
    new_bytes: u64,
    mix: Mix,
    /// Σ of squared errors and of squared weights of what would be ternary, as far as measured.
    sums: (f64, f64),
    measured: usize,
    exact: usize,
    pinned: usize,
}

/// Everything that sums over tensors are made of.
type Sources<'a> = (&'a Model, &'a TreeView, &'a PlanState);

impl Part {
    /// Something in it has become something else.
    fn swap(&mut self, old: &Self, new: &Self) {
        self.ternary = self.ternary + new.ternary - old.ternary;
        self.eligible = self.eligible + new.eligible - old.eligible;
        self.ternary_params = self.ternary_params.saturating_add(new.ternary_params).saturating_sub(old.ternary_params);
        self.new_bytes = self.new_bytes.saturating_add(new.new_bytes).saturating_sub(old.new_bytes);
        self.mix.add(new.mix);
        self.mix.0.iter_mut().zip(old.mix.0).for_each(|(now, old)| *now = now.saturating_sub(old));
        self.sums = (self.sums.0 + new.sums.0 - old.sums.0, self.sums.1 + new.sums.1 - old.sums.1);
        self.measured = self.measured + new.measured - old.measured;
        self.exact = self.exact + new.exact - old.exact;
    }

    fn add(&mut self, other: &Self) {
        self.ternary += other.ternary;
        self.eligible += other.eligible;
        self.ternary_params = self.ternary_params.saturating_add(other.ternary_params);
        self.new_bytes = self.new_bytes.saturating_add(other.new_bytes);
        self.mix.add(other.mix);
        self.sums = (self.sums.0 + other.sums.0, self.sums.1 + other.sums.1);
        self.measured += other.measured;
        self.exact += other.exact;
        self.pinned += other.pinned;
    }
}

impl Tally {
    /// Goes through all tensors once, children before their folders. `figures` are those of the order, by tensor.
    pub(super) fn new(slider: &Slider, (model, tree, plan): Sources<'_>, figures: &[Option<Measured>]) -> Self {
        let lots = lots(slider, plan, model.tensors.len());
        let nodes = &tree.tree().nodes;
        let places = vec![None; lots.len()];
        let mut tally = Self { lots, nodes: vec![Part::default(); nodes.len()], model: Part::default(), places };
        for (id, node) in nodes.iter().enumerate().rev() {
            if let NodeKind::Tensor(index) = node.kind {
                tally.places[index] = Some(id);
                tally.nodes[id] = tally.part(slider, (model, plan), index, figures.get(index).copied().flatten());
            }
            let part = tally.nodes[id];
            match node.parent {
                Some(parent) => tally.nodes[parent].add(&part),
                None => tally.model.add(&part),
            }
        }
        tally
    }

    /// Follows the slider from one place in the same order to another: what lies between them changes, and the folders
    /// above it.
    pub(super) fn step(
        &mut self,
        slider: &Slider,
        (model, tree, plan): Sources<'_>,
        figures: &[Option<Measured>],
        from: usize,
    ) {
        let to = slider.count;
        let (between, lot) = if to > from { (from..to, Lot::Taken) } else { (to..from, Lot::Left) };
        let nodes = &tree.tree().nodes;
        for item in slider.budget.order().items().get(between).unwrap_or_default() {
            let Some(leaf) = self.places.get(item.tensor).copied().flatten() else { continue };
            let old = self.nodes[leaf];
            self.lots[item.tensor] = lot;
            let known = figures.get(item.tensor).copied().flatten();
            let new = self.part(slider, (model, plan), item.tensor, known);
            let mut at = Some(leaf);
            while let Some(id) = at {
                self.nodes[id].swap(&old, &new);
                at = nodes[id].parent;
            }
            self.model.swap(&old, &new);
        }
    }

    fn part(
        &self,
        slider: &Slider,
        (model, plan): (&Model, &PlanState),
        index: usize,
        known: Option<Measured>,
    ) -> Part {
        let (tensor, decision) = (&model.tensors[index], plan.decision(index));
        let elements = tensor.elements();
        let lot = self.lots[index];
        let ternary = lot.is_ternary().unwrap_or(decision.is_ternary());
        let (dtype, new_bytes) = slider.becomes(index, lot).unwrap_or((decision.new_type, decision.new_bytes));
        let figure = known.filter(|_| ternary);
        Part {
            ternary: usize::from(ternary),
            eligible: usize::from(plan.outlook(index).eligible || ternary),
            ternary_params: if ternary { elements } else { 0 },
            new_bytes,
            mix: Mix::of(dtype, elements),
            sums: figure.map_or((0.0, 0.0), |f| (f.figure.sum_e2, f.figure.sum_w2)),
            measured: usize::from(figure.is_some()),
            exact: usize::from(figure.is_some_and(|f| f.exact)),
            pinned: usize::from(matches!(lot, Lot::PinnedTernary | Lot::PinnedKept)),
        }
    }

    /// What is made of a tensor.
    pub fn lot(&self, tensor: usize) -> Lot {
        self.lots.get(tensor).copied().unwrap_or(Lot::Other)
    }

    /// Whether every weight was looked at of all that would be ternary.
    pub fn is_exact(&self) -> bool {
        self.model.ternary > 0 && self.model.exact == self.model.ternary
    }

    /// Tensors that rules decide.
    pub fn pinned(&self) -> usize {
        self.model.pinned
    }

    /// The sums of a row as they would be: those of the plan, with what the budget decides in their place.
    fn over(&self, item: Item, plain: &Summary) -> Summary {
        let part = match item {
            Item::Model => Some(&self.model),
            Item::Node(node) => self.nodes.get(node),
        };
        let Some(part) = part else { return plain.clone() };
        let (error, weights) = part.sums;
        let value = error / weights;
        Summary {
            ternary: part.ternary,
            eligible: part.eligible,
            ternary_params: part.ternary_params,
            new_bytes: part.new_bytes,
            mix: part.mix,
            measured: part.measured,
            exact: part.exact,
            error: (part.measured > 0 && weights > 0.0).then_some(Estimate { value, low: value, high: value }),
            ..plain.clone()
        }
    }
}

fn lots(slider: &Slider, plan: &PlanState, tensors: usize) -> Vec<Lot> {
    let mut lots: Vec<Lot> = (0..tensors)
        .map(|index| match plan.decision(index).winner {
            Winner::Rule(_) if plan.outlook(index).eligible => Lot::PinnedKept,
            _ => Lot::Other,
        })
        .collect();
    let mut put = |index: usize, lot: Lot| {
        if let Some(place) = lots.get_mut(index) {
            *place = lot;
        }
    };
    slider.budget.pinned().for_each(|index| put(index, Lot::PinnedTernary));
    for free in slider.budget.free() {
        let taken = slider.budget.takes(free.tensor, slider.count);
        put(free.tensor, if taken { Lot::Taken } else { Lot::Left });
    }
    lots
}

impl Slider {
    /// Type and bytes of a free tensor in the output.
    pub fn becomes(&self, tensor: usize, lot: Lot) -> Option<(DType, u64)> {
        let free = self.budget.free();
        let free = free.get(free.binary_search_by_key(&tensor, |f| f.tensor).ok()?)?;
        match lot {
            Lot::Taken => Some((free.format.dtype(), free.kept.1.saturating_sub(free.saved))),
            Lot::Left => Some(free.kept),
            _ => None,
        }
    }
}

impl Session {
    /// The sums of a row: while the budget slider is open, with what its place would make of the tensors.
    pub fn sums(&self, item: Item) -> Summary {
        let plain = self.summaries.of(item);
        match &self.slider {
            Some(slider) => slider.tally.over(item, &plain),
            None => plain.into_owned(),
        }
    }

    /// What the open slider makes of a tensor, if it has to do with it.
    pub fn lot(&self, tensor: usize) -> Option<(&Slider, Lot)> {
        let slider = self.slider.as_ref()?;
        Some((slider, slider.tally.lot(tensor))).filter(|(_, lot)| *lot != Lot::Other)
    }
}
