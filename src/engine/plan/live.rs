//! A plan that follows its recipe step by step: what patterns pick is remembered, so that every tensor is decided anew
//! between two frames.
//!
//! The decisions are those of the one resolver ([`super::resolve`]), which is asked with what is known already: the classes
//! of the tensors, what names and patterns pick, and the plan of a recipe that was tried just before it is taken.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::decision::Decision;
use super::decisions::Classes;
use super::faults::Faults;
use super::names::Names;
use super::pattern::Pattern;
use super::recipe::Recipe;
use super::resolve::{Asked, Known, Plan, decide, resolve_with};
use super::rule::Rule;
use crate::engine::model::{Model, Tensor};

/// Patterns whose tensors are remembered.
const REMEMBERED: usize = 16;

/// A recipe, its plan, and what it takes to go from this one to the next.
#[derive(Debug, Clone)]
pub struct Live {
    recipe: Recipe,
    plan: Arc<Plan>,
    classes: Arc<Classes>,
    faults: Faults,
    names: Arc<Names>,
    picked: RefCell<HashMap<String, Arc<Vec<usize>>>>,
    /// The recipe that was tried last, and its plan.
    tried: RefCell<Option<(Recipe, Arc<Plan>)>>,
}

/// What a step touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Possibly everything.
    All,
    /// At most these tensors, in file order.
    These(Vec<usize>),
}

impl Live {
    /// Begins with this recipe.
    pub fn new(model: &Model, recipe: Recipe) -> Self {
        let classes = Arc::new(Classes::new(model));
        let mut live = Self {
            recipe: Recipe::default(),
            plan: Arc::default(),
            classes,
            faults: Faults::default(),
            names: Arc::new(Names::new(model)),
            picked: RefCell::default(),
            tried: RefCell::default(),
        };
        live.plan = Arc::new(live.resolve(model, &recipe));
        live.recipe = recipe;
        live
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
        let mut called = self.names.called(name).filter_map(|index| model.tensors.get(index));
        called.find(|tensor| tensor.name == name)
    }

    /// Number of the tensor with this name, the last if there are several.
    pub fn number_of(&self, model: &Model, name: &str) -> Option<usize> {
        self.names.called(name).filter(|index| model.tensors.get(*index).is_some_and(|t| t.name == name)).last()
    }

    /// Takes another recipe; the one before, and what that touched.
    pub fn step(&mut self, model: &Model, recipe: Recipe) -> (Recipe, Touched) {
        let plan = self.plan_of(model, &recipe);
        let rules_aside = |recipe: &Recipe| Recipe { rules: Vec::new(), ..recipe.clone() };
        let touched = if rules_aside(&self.recipe) == rules_aside(&recipe) {
            Touched::These(self.differing(&plan))
        } else {
            Touched::All
        };
        self.plan = plan;
        (std::mem::replace(&mut self.recipe, recipe), touched)
    }

    /// Takes in that tensors hold values that are no numbers, each with an element where that is known; what that touched,
    /// if it was news.
    pub fn learn(&mut self, model: &Model, found: impl IntoIterator<Item = (usize, Option<u64>)>) -> Option<Touched> {
        let news: Vec<usize> =
            found.into_iter().filter(|(tensor, element)| self.faults.note(*tensor, *element)).map(|(t, _)| t).collect();
        if news.is_empty() {
            return None;
        }
        *self.tried.borrow_mut() = None;
        let plan = Arc::new(self.resolve(model, &self.recipe));
        // What could become of a tensor has changed too, where nobody asks for it.
        let mut touched = self.differing(&plan);
        touched.extend(news);
        touched.sort_unstable();
        touched.dedup();
        self.plan = plan;
        Some(Touched::These(touched))
    }

    /// What is known of the weights.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Tensors of which another plan makes something else.
    fn differing(&self, plan: &Plan) -> Vec<usize> {
        // Which rule decided is told by its place, which moves where others go.
        let same = |a: &Decision, b: &Decision| Decision { winner: b.winner, ..a.clone() } == *b;
        self.plan.decisions.differing(&plan.decisions, same)
    }

    /// Whether these rules, asked last, would change what is done with any tensor, or what is asked for it.
    pub fn would_change(&self, model: &Model, recipe: &Recipe, rules: &[Rule]) -> bool {
        let mut next = recipe.clone();
        next.rules.extend_from_slice(rules);
        let (old, new) = (self.plan_of(model, recipe), self.plan_of(model, &next));
        let same = |a: &Decision, b: &Decision| (a.step, a.requested) == (b.step, b.requested);
        !old.decisions.differing(&new.decisions, same).is_empty()
    }

    /// What the recipe would make of one tensor, but for types that would take each other's numbers.
    pub fn would_be(&self, model: &Model, tensor: usize, recipe: &Recipe) -> Decision {
        let fault = self.faults.of(tensor);
        let tensor = &model.tensors[tensor];
        decide(tensor, recipe, Asked::of(tensor, recipe), fault)
    }

    /// The plan of a recipe that may be taken next.
    pub fn plan_of(&self, model: &Model, recipe: &Recipe) -> Arc<Plan> {
        if *recipe == self.recipe {
            return Arc::clone(&self.plan);
        }
        if let Some((tried, plan)) = &*self.tried.borrow()
            && tried == recipe
        {
            return Arc::clone(plan);
        }
        let plan = Arc::new(self.resolve(model, recipe));
        *self.tried.borrow_mut() = Some((recipe.clone(), Arc::clone(&plan)));
        plan
    }

    fn resolve(&self, model: &Model, recipe: &Recipe) -> Plan {
        let known = Known { classes: &self.classes, faults: &self.faults };
        resolve_with(model, recipe, known, |pattern| self.picks(model, pattern))
    }

    /// Tensors that a pattern picks, in file order.
    fn picks(&self, model: &Model, pattern: &Pattern) -> Arc<Vec<usize>> {
        if let Pattern::Name(_) = pattern {
            return Arc::new(self.names.picked(model, &self.classes, pattern));
        }
        let mut picked = self.picked.borrow_mut();
        let text = pattern.to_string();
        if let Some(known) = picked.get(&text) {
            return Arc::clone(known);
        }
        if picked.len() >= REMEMBERED {
            picked.clear();
        }
        let tensors = Arc::new(self.names.picked(model, &self.classes, pattern));
        picked.insert(text, Arc::clone(&tensors));
        tensors
    }
}
