//! What the slider says of the size that was typed: that it cannot be had, why, and what there is instead.

use super::{Slider, Unit};
use crate::engine::model::Model;
use crate::engine::plan::budget::Goal;
use crate::text;
use crate::tui::state::plan::PlanState;

/// Sizes that differ by no more than this part are the same to the eye.
const NEAR: f64 = 0.01;

impl Slider {
    /// Whether sizes are bits per weight: what was typed is, or would be.
    fn is_bpw(&self) -> bool {
        match self.asked {
            Some(goal) => matches!(goal, Goal::Bpw(_)),
            None => self.unit == Unit::Bpw,
        }
    }

    fn bpw_words(&self, bytes: u64) -> String {
        format!("{:.2} bpw", self.budget.bpw(bytes))
    }

    /// A size in the unit that was typed.
    pub fn one(&self, bytes: u64) -> String {
        if self.is_bpw() { self.bpw_words(bytes) } else { text::bytes(bytes) }
    }

    /// A size in both units, that which was typed first.
    pub fn words(&self, bytes: u64) -> String {
        let (bpw, size) = (self.bpw_words(bytes), text::bytes(bytes));
        if self.is_bpw() { format!("{bpw} ({size})") } else { format!("{size} ({bpw})") }
    }

    /// The size that is wanted, as it was typed.
    fn goal_words(&self) -> String {
        match self.asked {
            Some(Goal::Bpw(bpw)) => format!("{bpw} bpw"),
            Some(Goal::Bytes(bytes)) => text::bytes(bytes),
            None => self.one(self.goal),
        }
    }

    /// The typed size, where the one that was reached is another.
    pub fn missed(&self) -> Option<String> {
        let asked = self.asked?.bytes(self.budget.params()) as f64;
        let off = (asked - self.bytes() as f64).abs();
        (off > asked * NEAR).then(|| self.goal_words())
    }

    /// That another size than the typed one was reached, and what lies between: the tensor whose step is too long.
    pub fn gap(&self, model: &Model) -> Option<String> {
        let asked = self.missed()?;
        let got = self.one(self.bytes());
        let order = self.budget.order();
        let Some(last) = self.count.checked_sub(1).and_then(|last| order.items().get(last)) else {
            return Some(format!("{asked} is more than with no free tensor ternary: {got}"));
        };
        let name = text::escape(&model.tensors[last.tensor].name);
        let above = self.one(order.bytes_at(self.count - 1));
        Some(format!("{asked} asked, {got} is the next below: one tensor fewer is {above} (> leaves {name})"))
    }

    /// Of a size that is out of reach: what is the nearest that can be had.
    pub fn nearest(&self) -> String {
        let (goal, least) = (self.goal_words(), self.words(self.ends().0));
        match self.missing.0 {
            0 => format!("{goal} cannot be reached; nearest: {least}"),
            coming => {
                let measured = self.budget.free().len() - coming;
                let of = self.budget.free().len();
                let least = self.one(self.ends().0);
                format!("{goal} is out of reach with {measured} of {of} measured; nearest so far: {least}")
            }
        }
    }

    /// What stands in the way of a smaller size: the largest tensor that stays whatever the budget, and what frees it.
    pub fn obstacle(&self, model: &Model, plan: &PlanState) -> Option<String> {
        let mut stays = vec![true; model.tensors.len()];
        let budget = self.budget.free().iter().map(|free| free.tensor).chain(self.budget.pinned());
        budget.for_each(|tensor| stays[tensor] = false);
        let stays = (0..model.tensors.len()).filter(|tensor| stays[*tensor]);
        let largest = stays.max_by_key(|tensor| plan.decision(*tensor).new_bytes)?;
        let decision = plan.decision(largest);
        // Below a tenth it is no reason worth telling.
        if decision.new_bytes < self.ends().0 / 10 {
            return None;
        }
        let (size, name) = (text::bytes(decision.new_bytes), text::escape(&model.tensors[largest].name));
        let why = match decision.protection {
            Some(protection) if protection.is_absolute() => format!("protected ({})", protection.describe()),
            _ if plan.rule_of(largest).is_some() => "kept by a rule".to_owned(),
            _ if model.tensors[largest].dtype.is_ternary() => "ternary already".to_owned(),
            Some(_) if plan.outlook(largest).format.is_ok() => {
                "protected (c on it offers smaller types, space twice overrides)".to_owned()
            }
            _ => "which nothing makes ternary".to_owned(),
        };
        Some(format!("{size} is {name}, {why}"))
    }
}
