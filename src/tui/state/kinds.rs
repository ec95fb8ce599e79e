//! What tensors are for and of which types they are, counted: for the title, and for the folder under the cursor.
//!
//! Counting a hundred thousand takes longer than a frame should, so what was counted last is kept.

use super::session::Session;
use super::tree::Item;
use crate::engine::codec::DType;
use crate::engine::model::tree::Grouping;
use crate::engine::model::{Model, Role};

/// Tensors by role, and tensors and elements by type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds {
    /// How many of each role, in no order.
    pub roles: Vec<(Role, usize)>,
    /// How many of each type, and their elements, in no order.
    pub types: Vec<(DType, usize, u64)>,
}

impl Kinds {
    /// Counts some tensors.
    pub fn of(model: &Model, tensors: impl Iterator<Item = usize>) -> Self {
        let mut kinds = Self::default();
        for tensor in tensors.filter_map(|index| model.tensors.get(index)) {
            match kinds.roles.iter_mut().find(|(role, _)| *role == tensor.role) {
                Some((_, count)) => *count += 1,
                None => kinds.roles.push((tensor.role, 1)),
            }
            let elements = tensor.elements();
            match kinds.types.iter_mut().find(|(dtype, ..)| *dtype == tensor.dtype) {
                Some((_, count, sum)) => (*count, *sum) = (*count + 1, sum.saturating_add(elements)),
                None => kinds.types.push((tensor.dtype, 1, elements)),
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
            _ => Kinds::of(&self.model, self.tree.tensors_below(item).iter().copied()),
        }
    }
}
