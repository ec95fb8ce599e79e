//! Decisions of many tensors, each distinct one stored once.
//!
//! A model of a hundred thousand tensors has few kinds of them: experts have one shape, one type and one role, and what a
//! recipe makes of one it makes of all that the same rule picks. So a decision is made once a kind and rule, and a tensor
//! knows its number; sums are over numbers, and every tensor can be decided anew between two frames.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Index;

use super::decision::Decision;
use crate::engine::codec::DType;
use crate::engine::model::{Model, Role, Tensor};

/// What becomes of every tensor, in file order.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    shared: Vec<Shared>,
    /// Number of each tensor's decision.
    of: Vec<u32>,
}

/// A decision and who shares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// What becomes of them.
    pub decision: Decision,
    /// The first of these tensors.
    pub first: usize,
    /// How many they are.
    pub tensors: u64,
}

impl Decisions {
    /// None yet, with room for so many.
    pub(super) fn with_capacity(tensors: usize) -> Self {
        Self { shared: Vec::new(), of: Vec::with_capacity(tensors) }
    }

    /// The next tensor's decision, which others may share by its number.
    pub(super) fn add(&mut self, decision: Decision) -> u32 {
        let number = self.shared.len() as u32;
        self.shared.push(Shared { decision, first: self.of.len(), tensors: 1 });
        self.of.push(number);
        number
    }

    /// The next tensor's decision is one that is there.
    pub(super) fn share(&mut self, number: u32) {
        self.shared[number as usize].tensors += 1;
        self.of.push(number);
    }

    /// Tensors.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Each tensor's, in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Decision> + Clone {
        self.of.iter().map(|number| &self.shared[*number as usize].decision)
    }

    /// The distinct ones, by their numbers. Two may be alike.
    pub fn shared(&self) -> &[Shared] {
        &self.shared
    }

    /// Number of a tensor's decision. Panics where there is no such tensor, like an index.
    pub fn number(&self, tensor: usize) -> usize {
        self.of[tensor] as usize
    }

    /// Tensors whose decisions are not the `same` here and there.
    pub fn differing(&self, other: &Self, same: impl Fn(&Decision, &Decision) -> bool) -> Vec<usize> {
        let mut told = HashMap::new();
        // What the last pair with this number here came to: mostly the next one is the same pair.
        let mut last: Vec<Option<(u32, bool)>> = vec![None; self.shared.len()];
        let mut differing = Vec::new();
        for (tensor, (a, b)) in self.of.iter().zip(&other.of).enumerate() {
            let differs = match last[*a as usize] {
                Some((known, differs)) if known == *b => differs,
                _ => *told
                    .entry((*a, *b))
                    .or_insert_with(|| !same(&self.shared[*a as usize].decision, &other.shared[*b as usize].decision)),
            };
            last[*a as usize] = Some((*b, differs));
            if differs {
                differing.push(tensor);
            }
        }
        differing
    }
}

impl Index<usize> for Decisions {
    type Output = Decision;

    fn index(&self, tensor: usize) -> &Decision {
        &self.shared[self.of[tensor] as usize].decision
    }
}

impl<'a> IntoIterator for &'a Decisions {
    type Item = &'a Decision;
    type IntoIter = Box<dyn ExactSizeIterator<Item = &'a Decision> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

/// One of its own for each tensor.
impl FromIterator<Decision> for Decisions {
    fn from_iter<I: IntoIterator<Item = Decision>>(decisions: I) -> Self {
        let mut all = Self::default();
        for decision in decisions {
            all.add(decision);
        }
        all
    }
}

/// Equal where every tensor's decision is, however they are stored.
impl PartialEq for Decisions {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.differing(other, |a, b| a == b).is_empty()
    }
}

/// Tensors by everything about them that a decision may depend on but their names: a recipe that picks two of a class by
/// the same rule makes the same of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Classes {
    /// Class of each tensor.
    of: Vec<u32>,
    /// The first tensor of each class.
    first: Vec<usize>,
}

impl Classes {
    /// Sorts a model's tensors.
    pub(super) fn new(model: &Model) -> Self {
        let hasher = RandomState::new();
        let mut known: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut classes = Self { of: Vec::with_capacity(model.tensors.len()), first: Vec::new() };
        for (index, tensor) in model.tensors.iter().enumerate() {
            let alike = known.entry(hasher.hash_one(key(tensor))).or_default();
            let same = |class: &&u32| {
                let other = &model.tensors[classes.first[**class as usize]];
                // What is assembled from parts may differ in them.
                key(other) == key(tensor) && tensor.assembly.is_none() && other.assembly.is_none()
            };
            let class = alike.iter().find(same).copied().unwrap_or_else(|| {
                let new = classes.first.len() as u32;
                classes.first.push(index);
                // One that nothing can join need not be found.
                if tensor.assembly.is_none() {
                    alike.push(new);
                }
                new
            });
            classes.of.push(class);
        }
        classes
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.first.len()
    }

    /// The class of each tensor, in file order.
    pub(super) fn of(&self) -> &[u32] {
        &self.of
    }

    /// A tensor of each class.
    pub(super) fn examples<'a>(&'a self, model: &'a Model) -> impl Iterator<Item = &'a Tensor> {
        self.first.iter().map(|index| &model.tensors[*index])
    }
}

fn key(tensor: &Tensor) -> (Role, DType, bool, u64, &[u64]) {
    (tensor.role, tensor.dtype, tensor.layout_fits, tensor.bytes, &tensor.dims)
}
