//! A plan that follows its recipe step by step: an edit of a rule decides those tensors anew that the rule picks.
//!
//! The decisions are those of the one resolver ([`super::resolve`]), which is asked for fewer tensors. What an edit can
//! touch follows from the recipes: rules that both have, in the same order, decide what they decided, unless a tensor is
//! picked by one that only one of them has. Where anything but rules differs, and where types would take each other's
//! numbers, everything is resolved anew.

use std::collections::HashMap;
use std::sync::Arc;

use super::notes::{Hits, notes};
use super::pattern::Pattern;
use super::protect::Protection;
use super::recipe::Recipe;
use super::resolve::{Decision, Plan, Resolved, Winner, decide, resolve_all};
use super::rule::Rule;
use super::tally::Tally;
use crate::engine::model::{Model, Tensor};

/// Patterns whose tensors are remembered.
const REMEMBERED: usize = 16;

/// A recipe, its plan, and what it takes to go from this one to the next.
#[derive(Debug, Clone)]
pub struct Live {
    recipe: Recipe,
    plan: Arc<Plan>,
    tally: Tally,
    /// Whether types would have taken each other's numbers.
    conflict: bool,
    names: Arc<Names>,
    picked: HashMap<String, Arc<Vec<usize>>>,
}

/// What a step touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Possibly everything.
    All,
    /// At most these tensors.
    These(Vec<usize>),
}

/// Tensors by what they are called: their names, and those of their parts in other files.
#[derive(Debug, Default)]
struct Names(HashMap<String, Vec<usize>>);

impl Names {
    fn new(model: &Model) -> Self {
        let mut names: HashMap<String, Vec<usize>> = HashMap::with_capacity(model.tensors.len());
        for (index, tensor) in model.tensors.iter().enumerate() {
            for name in std::iter::once(&tensor.name).chain(&tensor.aliases) {
                match names.get_mut(name) {
                    Some(known) if known.last() == Some(&index) => {}
                    Some(known) => known.push(index),
                    None => drop(names.insert(name.clone(), vec![index])),
                }
            }
        }
        Self(names)
    }
}

impl Live {
    /// Begins with this recipe.
    pub fn new(model: &Model, recipe: Recipe) -> Self {
        let Resolved { plan, tally, conflict } = resolve_all(model, &recipe);
        let names = Arc::new(Names::new(model));
        Self { recipe, plan: Arc::new(plan), tally, conflict, names, picked: HashMap::new() }
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What follows from it.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The tensor with this name, the first if there are several.
    pub fn tensor<'a>(&self, model: &'a Model, name: &str) -> Option<&'a Tensor> {
        let called = self.names.0.get(name)?.iter().filter_map(|index| model.tensors.get(*index));
        called.into_iter().find(|tensor| tensor.name == name)
    }

    /// Takes another recipe; the one before, and what that touched.
    pub fn step(&mut self, model: &Model, recipe: Recipe) -> (Recipe, Touched) {
        let touched = match self.changed_rules(&recipe) {
            Some(kept) => self.follow(model, &recipe, &kept),
            None => None,
        };
        let touched = touched.unwrap_or_else(|| {
            let Resolved { plan, tally, conflict } = resolve_all(model, &recipe);
            (self.plan, self.tally, self.conflict) = (Arc::new(plan), tally, conflict);
            Touched::All
        });
        (std::mem::replace(&mut self.recipe, recipe), touched)
    }

    /// Whether these rules, asked last, would change what is done with any tensor, or what is asked for it.
    pub fn would_change(&self, model: &Model, recipe: &Recipe, rules: &[Rule]) -> bool {
        let mut next = recipe.clone();
        next.rules.extend_from_slice(rules);
        let (mut before, mut after) =
            (vec![Hits::default(); recipe.rules.len()], vec![Hits::default(); next.rules.len()]);
        let mut differs = |tensor: &Tensor| {
            let (old, new) = (decide(tensor, recipe, &mut before), decide(tensor, &next, &mut after));
            (old.step, old.requested) != (new.step, new.requested)
        };
        let mut seen = std::collections::HashSet::new();
        let mut broad = Vec::new();
        for Rule { pattern, .. } in rules {
            match pattern {
                Pattern::Name(_) => {
                    let picked = self.called(model, pattern);
                    if picked.into_iter().filter(|i| seen.insert(*i)).any(|i| differs(&model.tensors[i])) {
                        return true;
                    }
                }
                pattern => broad.push(pattern),
            }
        }
        !broad.is_empty() && model.tensors.iter().any(|t| broad.iter().any(|p| p.matches(t)) && differs(t))
    }

    /// What the recipe would make of one tensor, but for types that would take each other's numbers.
    pub fn would_be(tensor: &Tensor, recipe: &Recipe) -> Decision {
        decide(tensor, recipe, &mut vec![Hits::default(); recipe.rules.len()])
    }

    /// Where each of the rules in force is in the next recipe; `None` where more than rules is another. What both have
    /// and what not is told by walking along both: edits take rules out and put new ones at the end.
    fn changed_rules(&self, next: &Recipe) -> Option<Vec<Option<usize>>> {
        let rules = |recipe: &Recipe| Recipe { rules: Vec::new(), ..recipe.clone() };
        if rules(&self.recipe) != rules(next) {
            return None;
        }
        let mut from = 0;
        let find = |rule: &Rule| {
            let found = next.rules[from..].iter().position(|other| other == rule).map(|at| from + at);
            if let Some(at) = found {
                from = at + 1;
            }
            found
        };
        Some(self.recipe.rules.iter().map(find).collect())
    }

    /// Decides anew what differs; `None` where that is everything.
    fn follow(&mut self, model: &Model, next: &Recipe, kept: &[Option<usize>]) -> Option<Touched> {
        if self.conflict {
            return None;
        }
        let gone = self.recipe.rules.iter().zip(kept).filter(|(_, to)| to.is_none()).map(|(rule, _)| &rule.pattern);
        let stays: Vec<usize> = kept.iter().flatten().copied().collect();
        let is_new = |i: &usize| stays.binary_search(i).is_err();
        let new: Vec<usize> = (0..next.rules.len()).filter(is_new).collect();
        let gone: Vec<Pattern> = gone.cloned().collect();
        let mut flags = vec![false; model.tensors.len()];
        let mut touched = Vec::new();
        let mut hits = vec![Hits::default(); next.rules.len()];
        for pattern in &gone {
            touch(&self.picks(model, pattern), &mut flags, &mut touched);
        }
        for at in new {
            let rule = &next.rules[at];
            let picked = self.picks(model, &rule.pattern);
            hits[at].matched = picked.len() as u64;
            let protected = |t: &Tensor| Protection::of(t).is_some() && !next.unprotect.iter().any(|p| p.matches(t));
            let acts = |i: &&usize| rule.may_act(protected(&model.tensors[**i]));
            hits[at].applied = picked.iter().filter(acts).count() as u64;
            touch(&picked, &mut flags, &mut touched);
        }
        for (old, at) in self.plan.hits.iter().zip(kept) {
            if let Some(at) = at {
                hits[*at] = *old;
            }
        }
        self.redo(model, next, kept, &touched, hits)?;
        Some(Touched::These(touched))
    }

    /// Puts new decisions in the place of the old ones; `None` where types would take each other's numbers.
    fn redo(
        &mut self,
        model: &Model,
        next: &Recipe,
        kept: &[Option<usize>],
        touched: &[usize],
        mut hits: Vec<Hits>,
    ) -> Option<()> {
        let plan = Arc::make_mut(&mut self.plan);
        let mut scratch = vec![Hits::default(); next.rules.len()];
        for index in touched {
            let tensor = &model.tensors[*index];
            let old = &mut plan.decisions[*index];
            self.tally.remove(tensor, old);
            // Which rule decided is told after those that stay have their new numbers.
            if let Winner::Rule(i) = old.winner
                && let Some(hits) = kept.get(i).and_then(|at| hits.get_mut((*at)?))
            {
                hits.decided -= 1;
            }
        }
        if kept.iter().enumerate().any(|(i, at)| at.is_some_and(|at| at != i)) {
            for decision in &mut plan.decisions {
                if let Winner::Rule(i) = &mut decision.winner
                    && let Some(at) = kept.get(*i).copied().flatten()
                {
                    *i = at;
                }
            }
        }
        for index in touched {
            let tensor = &model.tensors[*index];
            let new = decide(tensor, next, &mut scratch);
            self.tally.add(tensor, &new);
            if let Winner::Rule(i) = new.winner {
                hits[i].decided += 1;
            }
            plan.decisions[*index] = new;
        }
        if self.tally.has_conflict() {
            return None;
        }
        plan.totals = self.tally.totals();
        plan.notes = notes(model, next, &plan.decisions, &self.tally, &hits);
        plan.hits = hits;
        Some(())
    }

    /// Tensors that a name picks.
    fn called(&self, model: &Model, pattern: &Pattern) -> Vec<usize> {
        let Pattern::Name(name) = pattern else { return Vec::new() };
        let called = self.names.0.get(name).map_or(&[][..], Vec::as_slice);
        called.iter().copied().filter(|index| pattern.matches(&model.tensors[*index])).collect()
    }

    /// Tensors that a pattern picks, in file order.
    fn picks(&mut self, model: &Model, pattern: &Pattern) -> Arc<Vec<usize>> {
        if matches!(pattern, Pattern::Name(_)) {
            return Arc::new(self.called(model, pattern));
        }
        let text = pattern.to_string();
        if let Some(known) = self.picked.get(&text) {
            return Arc::clone(known);
        }
        let tensors = model.tensors.iter().enumerate();
        let picked: Vec<usize> = tensors.filter(|(_, t)| pattern.matches(t)).map(|(index, _)| index).collect();
        let picked = Arc::new(picked);
        if self.picked.len() >= REMEMBERED {
            self.picked.clear();
        }
        self.picked.insert(text, Arc::clone(&picked));
        picked
    }
}

fn touch(picked: &[usize], flags: &mut [bool], touched: &mut Vec<usize>) {
    for index in picked {
        if !std::mem::replace(&mut flags[*index], true) {
            touched.push(*index);
        }
    }
}
