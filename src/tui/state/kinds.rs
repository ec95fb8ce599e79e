//! What tensors are for and of which types they are, counted: for the title, and for the folder under the cursor.
//!
//! Counting a hundred thousand takes longer than a frame should, so what was counted last is kept.

use super::session::Session;
use super::tree::Item;
use crate::engine::codec::DType;
use crate::engine::model::tree::Grouping;
use crate::engine::model::{Model, Role};
use crate::engine::plan::Decisions;

/// Tensors by role, and tensors and elements by type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds {
    /// How many of each role, in no order.
    pub roles: Vec<(Role, usize)>,
    /// How many of each type, and their elements, in no order.
    pub types: Vec<(DType, usize, u64)>,
}

impl Kinds {
    /// Counts some tensors of which these are the decisions. Those that share one are of one role, type and shape, so
    /// that not every tensor is looked at.
    pub fn of(model: &Model, decisions: &Decisions, tensors: impl Iterator<Item = usize>) -> Self {
        let mut times = vec![0; decisions.shared().len()];
        tensors.for_each(|index| times[decisions.number(index)] += 1);
        let mut kinds = Self::default();
        for (shared, times) in decisions.shared().iter().zip(times).filter(|(_, times)| *times > 0) {
            let tensor = &model.tensors[shared.first];
            match kinds.roles.iter_mut().find(|(role, _)| *role == tensor.role) {
                Some((_, count)) => *count += times,
                None => kinds.roles.push((tensor.role, times)),
            }
            let elements = tensor.elements().saturating_mul(times as u64);
            match kinds.types.iter_mut().find(|(dtype, ..)| *dtype == tensor.dtype) {
                Some((_, count, sum)) => (*count, *sum) = (*count + times, sum.saturating_add(elements)),
                None => kinds.types.push((tensor.dtype, times, elements)),
            }
        }
        kinds
    }

    /// The elements of all of them.
    pub fn elements(&self) -> u64 {
        self.types.iter().fold(0, |sum, (_, _, elements)| sum.saturating_add(*elements))
    }

    /// How many are ternary as they are.
    pub fn ternary(&self) -> usize {
        self.types.iter().filter(|(dtype, ..)| dtype.is_ternary()).map(|(_, count, _)| count).sum()
    }
}

/// What was counted last below a folder.
pub type Counted = (Grouping, Item, Kinds);

impl Session {
    /// Counts what is below the folder under the cursor, unless that is known.
    pub fn count_below(&mut self) {
        let (grouping, item) = (self.tree.grouping(), self.tree.selected());
        let known = self.counted.as_ref().is_some_and(|(g, i, _)| (*g, *i) == (grouping, item));
        if !known && self.tree.tensor_of(item).is_none() {
            self.counted = Some((grouping, item, self.kinds_below(item)));
        }
    }

    /// What is at or below a row.
    pub fn kinds_below(&self, item: Item) -> Kinds {
        match &self.counted {
            Some((grouping, known, kinds)) if (*grouping, *known) == (self.tree.grouping(), item) => kinds.clone(),
            _ if item == Item::Model => self.kinds.clone(),
            _ => {
                let below = self.tree.tensors_below(item).iter().copied();
                Kinds::of(&self.model, &self.plan.plan().decisions, below)
            }
        }
    }
}
