//! The budget slider: a size that is wanted, and which tensors would go ternary to reach it.
//!
//! While it is open nothing of the plan changes; what is shown is the first part of the budget's order.

mod tally;
mod told;

use std::time::Duration;

use super::input::{TextEdit, TextInput};
use super::plan::PlanState;
use super::previews::Previews;
use super::tree::TreeView;
use crate::engine::model::Model;
use crate::engine::plan::budget::{Figure, Goal};
use crate::engine::plan::{Budget, Recipe, Rule};

use tally::Measured;
pub use tally::{Lot, Tally};

/// Shortest time between two sorts while figures keep arriving.
const PAUSE: Duration = Duration::from_millis(250);
/// So many tensors are sorted at once, whatever the time.
const FEW: usize = 4000;
/// Parts of the way that a step goes, and a great one.
const STEPS: (u64, u64) = (200, 20);

/// What a number that is typed means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    /// MiB of tensor data.
    #[default]
    Size,
    /// Bits per weight.
    Bpw,
}

/// A movement of the slider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slide {
    /// A smaller file: at least one more tensor ternary.
    Smaller,
    /// A larger one.
    Larger,
    /// A much smaller one.
    MuchSmaller,
    /// A much larger one.
    MuchLarger,
    /// As small as it gets.
    Least,
    /// Nothing that is free goes ternary.
    Most,
    /// One tensor more goes ternary.
    OneMore,
    /// One tensor fewer does.
    OneFewer,
}

/// When something that is derived from arriving figures was made last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fresh {
    /// Whether figures have arrived since.
    pub stale: bool,
    made: Duration,
}

impl Fresh {
    /// Whether it is to be made anew now; it counts as made then.
    pub fn due(&mut self, now: Duration, size: usize) -> bool {
        let due = self.stale && (size <= FEW || now.saturating_sub(self.made) >= PAUSE);
        if due {
            (self.stale, self.made) = (false, now);
        }
        due
    }

    /// When it will be due.
    pub fn wake(&self) -> Option<Duration> {
        self.stale.then(|| self.made + PAUSE)
    }
}

/// The slider.
#[derive(Debug, Clone)]
pub struct Slider {
    /// Every budget of the model.
    pub budget: Budget,
    /// The recipe without the rules of the budget that was accepted before.
    pub base: Recipe,
    /// Bytes of tensor data that are wanted at most.
    pub goal: u64,
    /// The size that was typed, as long as nothing else was wanted since.
    pub asked: Option<Goal>,
    /// How many of the order are taken for that.
    pub count: usize,
    /// Free tensors whose figures are still to come, and those that no figure will come of.
    pub missing: (usize, usize),
    /// Whether the mouse holds the handle.
    pub held: bool,
    /// What typed numbers mean.
    pub unit: Unit,
    /// The number that is being typed.
    pub input: Option<TextInput>,
    /// Why what was typed cannot be had.
    pub problem: Option<String>,
    /// Whether the order is that of all figures.
    pub fresh: Fresh,
    /// What it makes of tensors and folders.
    pub tally: Tally,
    /// The place that the tally is of; nothing after the order has changed.
    tallied: Option<usize>,
    /// What was measured, by tensor.
    figures: Vec<Option<Measured>>,
}

impl Slider {
    /// A slider at the size that the plan has now. `earlier` are the rules of the budget that was accepted before: they
    /// pin nothing.
    pub fn new(model: &Model, plan: &PlanState, previews: &Previews, earlier: &[Rule], now: Duration) -> Self {
        let mut base = plan.recipe().clone();
        if base.rules.starts_with(earlier) {
            base.rules.drain(..earlier.len());
        }
        let budget = Budget::new(model, &base, plan.live().faults());
        let fresh = Fresh { stale: false, made: now };
        let goal = plan.plan().totals.new_bytes;
        let mut slider = Self {
            budget,
            base,
            goal,
            asked: None,
            count: 0,
            missing: (0, 0),
            held: false,
            unit: Unit::default(),
            input: None,
            problem: None,
            fresh,
            tally: Tally::default(),
            tallied: None,
            figures: vec![None; model.tensors.len()],
        };
        slider.rank(previews);
        slider
    }

    /// Whether rules make tensors ternary that would be free without them.
    pub fn has_pins(&self) -> bool {
        self.base.rules.iter().any(|rule| !rule.action.keeps())
    }

    /// Leaves the rules aside that make tensors ternary: the budget decides on those too. What rules keep stays kept.
    pub fn set_rules_aside(&mut self, model: &Model, plan: &PlanState, previews: &Previews) {
        self.base.rules.retain(|rule| rule.action.keeps());
        self.budget = Budget::new(model, &self.base, plan.live().faults());
        self.figures.fill(None);
        self.rank(previews);
    }

    /// Sorts what was measured anew; the wanted size stays.
    pub fn rank(&mut self, previews: &Previews) {
        let known = |tensor, format, method| {
            let figures = previews.figures((tensor, format))?;
            let found = figures.method(method)?;
            let (sum_e2, sum_w2) = found.pooled.expanded();
            let weighted = found.weighted.filter(|(_, w)| *w > 0.0).map(|(e, w)| e / w);
            let figure = Figure { rel_mse: weighted.unwrap_or(found.rel_mse.value), sum_e2, sum_w2 };
            Some(Measured { figure, exact: figures.exact })
        };
        self.budget.rank(|tensor, format, method| Some(known(tensor, format, method)?.figure));
        for (tensor, format, method) in self.budget.candidates() {
            self.figures[tensor] = known(tensor, format, method);
        }
        self.tallied = None;
        let all = self.budget.free().iter();
        let hopeless = all.filter(|f| previews.is_hopeless((f.tensor, f.format), f.method)).count();
        self.missing = (self.budget.unmeasured().saturating_sub(hopeless), hopeless);
        self.settle();
    }

    /// Takes as many as the wanted size needs, or all.
    fn settle(&mut self) {
        let order = self.budget.order();
        self.count = order.fit(self.goal).unwrap_or(order.items().len());
    }

    /// Brings what tensors and folders come to up to date with the place.
    pub fn tally(&mut self, model: &Model, tree: &TreeView, plan: &PlanState) {
        let sources = (model, tree, plan);
        match self.tallied {
            Some(count) if count == self.count => return,
            Some(from) => {
                let mut tally = std::mem::take(&mut self.tally);
                tally.step(self, sources, &self.figures, from);
                self.tally = tally;
            }
            None => self.tally = Tally::new(self, sources, &self.figures),
        }
        self.tallied = Some(self.count);
    }

    /// Bytes with what is taken.
    pub fn bytes(&self) -> u64 {
        self.budget.order().bytes_at(self.count)
    }

    /// The ends of the slider: the least that can be reached, and nothing ternary that is free.
    pub fn ends(&self) -> (u64, u64) {
        (self.budget.order().least(), self.budget.order().bytes_at(0))
    }

    /// Where the handle is, from 0 at the least to 1.
    pub fn share(&self) -> f64 {
        let (least, most) = self.ends();
        if most > least { self.bytes().saturating_sub(least) as f64 / (most - least) as f64 } else { 1.0 }
    }

    /// Wants this size. One that is out of reach stays wanted: what is measured next may bring it into reach.
    pub fn want(&mut self, bytes: u64) {
        self.goal = bytes.min(self.ends().1);
        self.asked = None;
        self.problem = None;
        self.settle();
    }

    /// Whether less is wanted than all that was measured can save. Wanting nothing means as little as it gets.
    pub fn is_out_of_reach(&self) -> bool {
        self.goal > 0 && self.goal < self.ends().0
    }

    /// Stops typing; the size is the one that was reached.
    pub fn stop_typing(&mut self) {
        self.input = None;
        self.want(self.bytes());
    }

    /// Puts the handle at a share of the way from the least size.
    pub fn drag(&mut self, share: f64) {
        let (least, most) = self.ends();
        self.input = None;
        self.want(least + (share.clamp(0.0, 1.0) * (most - least) as f64).round() as u64);
    }

    /// Moves it by a step, at least by one tensor.
    pub fn slide(&mut self, slide: Slide) {
        let (least, most) = self.ends();
        let part = |parts: u64| ((most - least) / parts).max(1);
        let at = self.bytes();
        let order = self.budget.order();
        let goal = match slide {
            Slide::Least => 0,
            Slide::Most => most,
            Slide::Smaller => at.saturating_sub(part(STEPS.0)).min(order.bytes_at(self.count + 1)).max(least),
            Slide::MuchSmaller => at.saturating_sub(part(STEPS.1)).min(order.bytes_at(self.count + 1)).max(least),
            Slide::OneMore => order.bytes_at(self.count + 1),
            Slide::OneFewer => order.bytes_at(self.count.saturating_sub(1)),
            Slide::Larger => (at + part(STEPS.0)).max(order.bytes_at(self.count.saturating_sub(1))),
            Slide::MuchLarger => (at + part(STEPS.1)).max(order.bytes_at(self.count.saturating_sub(1))),
        };
        self.input = None;
        self.want(goal);
    }

    /// What a typed number means is another.
    pub fn switch_unit(&mut self) {
        self.unit = match self.unit {
            Unit::Size => Unit::Bpw,
            Unit::Bpw => Unit::Size,
        };
        if self.input.is_some() {
            self.follow();
        }
    }

    /// Types; a digit begins a number. Whether there was something to type into.
    pub fn type_in(&mut self, edit: TextEdit) -> bool {
        if self.input.is_none() {
            if !matches!(edit, TextEdit::Insert(c) if c.is_ascii_digit() || c == '.') {
                return false;
            }
            self.input = Some(TextInput::default());
        }
        if let Some(input) = &mut self.input {
            let before = input.clone();
            input.apply(edit);
            if !Goal::may_begin(input.text()) {
                *input = before;
                return false;
            }
        }
        if self.input.as_ref().is_some_and(|input| input.text().is_empty()) {
            self.stop_typing();
            return true;
        }
        self.follow();
        true
    }

    /// Goes where the typed text says, if it says a size already.
    fn follow(&mut self) {
        let Some(input) = &self.input else { return };
        let text = input.text().trim();
        let bare = text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
        let unit = match self.unit {
            Unit::Size => "MiB",
            Unit::Bpw => "bpw",
        };
        let goal: Result<Goal, String> = if bare { format!("{text}{unit}").parse() } else { text.parse() };
        match goal {
            Err(why) => self.problem = Some(why),
            Ok(goal) => {
                self.want(goal.bytes(self.budget.params()));
                self.asked = Some(goal);
            }
        }
    }

    /// Why a tensor has its lot, in the few words that a column takes.
    pub fn why(&self, tensor: usize, lot: Lot) -> String {
        let all = self.budget.order().items().len();
        match (lot, self.budget.rank_of(tensor)) {
            (Lot::PinnedTernary | Lot::PinnedKept, _) => "pinned by a rule".to_owned(),
            (_, Some(rank)) => format!("place {} of {all}", rank + 1),
            (_, None) => "not measured".to_owned(),
        }
    }

    /// The recipe that it comes to, and the rules in it that are the budget's.
    pub fn accept(&self, model: &Model) -> (Recipe, Vec<Rule>) {
        let recipe = self.budget.recipe(model, &self.base, self.count);
        let own = recipe.rules.len() - self.base.rules.len();
        let rules = recipe.rules[..own].to_vec();
        (recipe, rules)
    }
}
