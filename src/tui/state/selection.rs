//! What the keys act on instead of the row under the cursor: tensors that were chosen, and a range of rows.
//!
//! The range begins at a row and ends at the cursor; [`super::tree`] keeps it. What was chosen stays until it is dropped,
//! and a range that is kept is added to it.

use std::collections::HashMap;

use super::edit::Target;
use super::session::Session;
use super::tree::Item;
use crate::engine::model::{Model, Tensor};
use crate::engine::plan::{Pattern, around_layer};

/// Tensors that were chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Which, ascending.
    tensors: Vec<usize>,
    /// The same, by tensor.
    flags: Vec<bool>,
    /// The pattern that picks just these, where there is one.
    pattern: Option<Pattern>,
}

/// How much of what a row stands for is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selected {
    /// Nothing.
    No,
    /// Some of it.
    Part,
    /// All of it.
    Whole,
}

impl Chosen {
    /// These tensors, of so many; `None` for none.
    fn new(mut tensors: Vec<usize>, of: usize, pattern: Option<Pattern>) -> Option<Self> {
        tensors.sort_unstable();
        tensors.dedup();
        let mut flags = vec![false; of];
        for index in &tensors {
            if let Some(flag) = flags.get_mut(*index) {
                *flag = true;
            }
        }
        (!tensors.is_empty()).then_some(Self { tensors, flags, pattern })
    }

    /// Whether a tensor is among them.
    pub fn contains(&self, tensor: usize) -> bool {
        self.flags.get(tensor).copied().unwrap_or(false)
    }

    /// The tensors, in file order.
    pub fn tensors(&self) -> &[usize] {
        &self.tensors
    }

    fn target(&self) -> Target {
        match (&self.pattern, self.tensors.as_slice()) {
            (_, [only]) => Target::Tensor(*only),
            (Some(pattern), tensors) => Target::Picked { pattern: pattern.clone(), tensors: tensors.to_vec() },
            (None, tensors) => Target::Listed { what: "selected".to_owned(), tensors: tensors.to_vec() },
        }
    }
}

impl Session {
    /// What was chosen or is being chosen, if anything is.
    pub fn selection(&self) -> Option<Target> {
        let Some(range) = self.tree.range_tensors() else {
            return self.chosen.as_ref().map(Chosen::target);
        };
        let chosen = self.chosen.iter().flat_map(Chosen::tensors).copied();
        let both = Chosen::new(chosen.chain(range).collect(), self.model.tensors.len(), None);
        both.as_ref().map(Chosen::target)
    }

    /// How many tensors that is. What is both in the range and chosen before counts once only when the range is kept.
    pub fn selected_count(&self) -> usize {
        let chosen = self.chosen.as_ref().map_or(0, |chosen| chosen.tensors.len());
        chosen + self.tree.range_count()
    }

    /// Whether a row is selected, with all that it stands for, or in part.
    pub fn row_selected(&self, row: usize, item: Item) -> Selected {
        if !self.tree.stands_for_all(item) {
            return Selected::No;
        }
        if self.tree.range().is_some_and(|rows| rows.contains(&row)) {
            return Selected::Whole;
        }
        let Some(chosen) = &self.chosen else { return Selected::No };
        let mut all = true;
        let mut any = false;
        for index in self.tree.visible_below(item).iter() {
            let is = chosen.contains(*index);
            any |= is;
            all &= is;
            if any && !all {
                return Selected::Part;
            }
        }
        if any { Selected::Whole } else { Selected::No }
    }

    /// Keeps the range: its tensors are chosen from now on, with those that were.
    pub fn keep_range(&mut self) {
        let Some(range) = self.tree.range_tensors() else { return };
        self.tree.end_range();
        let chosen = self.chosen.take().map_or_else(Vec::new, |chosen| chosen.tensors);
        self.chosen = Chosen::new(chosen.into_iter().chain(range).collect(), self.model.tensors.len(), None);
    }

    /// Goes one level up: drops the range, else what was chosen. Whether there was anything.
    pub fn drop_selection(&mut self) -> bool {
        self.tree.end_range() || self.chosen.take().is_some()
    }

    /// Chooses the tensors of the row under the cursor in every layer; what to say.
    pub fn choose_in_all_layers(&mut self) -> Result<String, String> {
        let item = self.tree.selected();
        let here = self.tree.visible_below(item);
        let mut templates: HashMap<(&str, &str), usize> = HashMap::new();
        for index in here.iter() {
            let (template, number) = around_layer(&self.model.tensors[*index]);
            if !number.is_empty() {
                *templates.entry(template).or_default() += 1;
            }
        }
        let name =
            if item == Item::Model { "the model".to_owned() } else { crate::text::escape(&self.tree.title(item)) };
        if templates.is_empty() {
            return Err(format!("{} belongs to no layer", name.trim_end_matches('*')));
        }
        let visible = self.tree.visible_below(Item::Model);
        let among = |index: &usize| templates.contains_key(&around_layer(&self.model.tensors[*index]).0);
        let tensors: Vec<usize> = visible.iter().copied().filter(among).collect();
        let pattern = match templates.iter().collect::<Vec<_>>()[..] {
            [(template, _)] => one_pattern(&self.model, *template, &tensors),
            _ => None,
        };
        let words = match &pattern {
            Some(pattern) => {
                format!("{} tensors selected: {}", tensors.len(), crate::text::escape(&pattern.to_string()))
            }
            None => format!("{} tensors selected: those of {name} in every layer", tensors.len()),
        };
        self.tree.end_range();
        self.chosen = Chosen::new(tensors, self.model.tensors.len(), pattern);
        Ok(words)
    }

    /// Chooses what could go ternary and is in sight, but not what the keys would act on now; what to say.
    pub fn invert_selection(&mut self) -> Result<String, String> {
        let target = self.target();
        let mut outside = vec![true; self.model.tensors.len()];
        for index in target.tensors() {
            outside[*index] = false;
        }
        let visible = self.tree.visible_below(Item::Model);
        let others = |index: &usize| outside[*index] && self.plan.outlook(*index).eligible;
        let tensors: Vec<usize> = visible.iter().copied().filter(others).collect();
        let count = tensors.len();
        let chosen = Chosen::new(tensors, self.model.tensors.len(), None);
        if chosen.is_none() {
            return Err("nothing else here can go ternary".to_owned());
        }
        self.tree.end_range();
        self.chosen = chosen;
        let what = if count == 1 { "tensor" } else { "tensors" };
        Ok(format!("{count} other {what} selected that can go ternary"))
    }
}

/// The glob that picks just these of a name in all layers, if it does.
fn one_pattern(model: &Model, (before, behind): (&str, &str), tensors: &[usize]) -> Option<Pattern> {
    let picked = |tensor: &&Tensor| matches_between(&tensor.name, before, behind);
    let all = model.tensors.iter().filter(picked).count();
    let plain = tensors.iter().all(|index| model.tensors[*index].aliases.is_empty());
    (plain && all == tensors.len()).then(|| Pattern::between(before, behind).ok()).flatten()
}

/// Whether a name begins and ends so, with something between.
pub(super) fn matches_between(name: &str, before: &str, behind: &str) -> bool {
    name.len() >= before.len() + behind.len() && name.starts_with(before) && name.ends_with(behind)
}
