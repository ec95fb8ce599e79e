//! What a budget came to.

use serde::Serialize;

use crate::engine::plan::Budget;
use crate::engine::plan::budget::Goal;

/// The field `budget` of `plan --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetReport {
    /// Bytes of tensor data that were asked for at most.
    pub goal_bytes: u64,
    /// Bytes of tensor data that the choice has.
    pub bytes: u64,
    /// Its bits per weight.
    pub bpw: f64,
    /// The least that could be reached.
    pub least_bytes: u64,
    /// Tensors that no rule decides.
    pub free: usize,
    /// Those among them that go ternary.
    pub taken: usize,
    /// Those of which nothing is known; they stay.
    pub unmeasured: usize,
    /// Tensors that rules make ternary whatever the budget.
    pub pinned: usize,
}

impl BudgetReport {
    /// Of a budget, what was asked, and how many of its order are taken.
    pub fn of(budget: &Budget, goal: Goal, taken: usize) -> Self {
        let bytes = budget.order().bytes_at(taken);
        Self {
            goal_bytes: goal.bytes(budget.params()),
            bytes,
            bpw: budget.bpw(bytes),
            least_bytes: budget.order().least(),
            free: budget.free().len(),
            taken,
            unmeasured: budget.unmeasured(),
            pinned: budget.pinned().len(),
        }
    }
}
