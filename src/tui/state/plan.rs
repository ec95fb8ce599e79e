//! The recipe under edit with the plan that follows from it, and every step that led there.

use std::sync::Arc;

use super::summary::Changed;
use crate::engine::model::{Model, Tensor};
use crate::engine::plan::{
    Action, Decision, Fallback, Fault, Live, Pattern, Plan, Precision, Reason, Recipe, Rule, Shared, Step, Winner,
};
use crate::engine::ternary::Format;

/// Steps that can be undone.
const UNDO_LIMIT: usize = 500;

/// What could be done with a tensor, whatever the recipe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The format in which it is measured, or why it cannot be.
    pub format: Result<Format, String>,
    /// Whether it may go ternary without overriding anything, or does.
    pub eligible: bool,
    /// What alone stands in the way of that: values that are no numbers.
    pub fault: Option<Fault>,
}

/// A change of the recipe: its name and what was there before (undo) or after (redo).
#[derive(Debug, Clone)]
struct Edit {
    name: String,
    recipe: Recipe,
}

/// A recipe with the steps that led to it, without the model that it was for.
#[derive(Debug, Clone)]
pub struct Steps {
    recipe: Recipe,
    undo: Vec<Edit>,
    redo: Vec<Edit>,
}

/// The recipe, the plan, and the way back.
#[derive(Debug, Clone)]
pub struct PlanState {
    live: Live,
    /// By the numbers of decisions.
    outlook: Vec<Outlook>,
    /// What the session began with.
    start: Arc<Vec<Step>>,
    /// Tensors that changes have touched since they were asked for.
    touched: Changed,
    /// Counts the changes, so that what follows from the plan can tell whether it is of today.
    revision: u64,
    /// Whether it began with steps that were made before.
    resumed: bool,
    /// Whether the recipe has changed since it began.
    stepped: bool,
    undo: Vec<Edit>,
    redo: Vec<Edit>,
}

impl PlanState {
    /// Begins with this recipe and its plan.
    pub fn new(model: &Model, live: Live) -> Self {
        let mut state = Self {
            start: Arc::new(live.plan().decisions.iter().map(|d| d.step).collect()),
            live,
            outlook: Vec::new(),
            touched: Changed::All,
            revision: 0,
            resumed: false,
            stepped: false,
            undo: Vec::new(),
            redo: Vec::new(),
        };
        state.look_out(model);
        state
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        self.live.recipe()
    }

    /// What follows from it.
    pub fn plan(&self) -> &Arc<Plan> {
        self.live.plan()
    }

    /// The decision about a tensor.
    pub fn decision(&self, tensor: usize) -> &Decision {
        &self.live.plan().decisions[tensor]
    }

    /// The rule that decided about a tensor, if one did.
    pub fn rule_of(&self, tensor: usize) -> Option<&Rule> {
        match self.decision(tensor).winner {
            Winner::Rule(number) => self.recipe().rules.get(number),
            _ => None,
        }
    }

    /// What could be done with a tensor.
    pub fn outlook(&self, tensor: usize) -> &Outlook {
        &self.outlook[self.live.plan().decisions.number(tensor)]
    }

    /// Another number after every change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether the recipe has changed since the session began.
    pub fn is_stepped(&self) -> bool {
        self.stepped
    }

    /// The steps that were made and undone; none where there was none.
    pub fn into_steps(self) -> Option<Steps> {
        let Self { live, undo, redo, .. } = self;
        let any = !undo.is_empty() || !redo.is_empty();
        any.then(|| Steps { recipe: live.recipe().clone(), undo, redo })
    }

    /// Begins where steps that were made of this model before have led.
    pub fn resume(&mut self, model: &Model, steps: Steps) {
        let Steps { recipe, undo, redo } = steps;
        self.replace(model, recipe);
        (self.undo, self.redo) = (undo, redo);
        (self.resumed, self.stepped) = (true, false);
    }

    /// Whether it began with steps that were made before.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Whether something else becomes of a tensor than when the session began.
    pub fn is_edited(&self, tensor: usize) -> bool {
        self.start.get(tensor).is_none_or(|start| *start != self.decision(tensor).step)
    }

    /// Changes the recipe; whether it is another one. `name` says what was done.
    pub fn apply(&mut self, model: &Model, name: impl Into<String>, recipe: Recipe) -> bool {
        if recipe == *self.recipe() {
            return false;
        }
        if self.undo.len() == UNDO_LIMIT {
            self.undo.remove(0);
        }
        let before = self.replace(model, recipe);
        self.undo.push(Edit { name: name.into(), recipe: before });
        self.redo.clear();
        true
    }

    /// Goes a step back; its name.
    pub fn undo(&mut self, model: &Model) -> Option<String> {
        let Edit { name, recipe } = self.undo.pop()?;
        let after = self.replace(model, recipe);
        self.redo.push(Edit { name: name.clone(), recipe: after });
        Some(name)
    }

    /// Goes a step forward again; its name.
    pub fn redo(&mut self, model: &Model) -> Option<String> {
        let Edit { name, recipe } = self.redo.pop()?;
        let before = self.replace(model, recipe);
        self.undo.push(Edit { name: name.clone(), recipe: before });
        Some(name)
    }

    /// The step that would be undone.
    pub fn next_undo(&self) -> Option<&str> {
        self.undo.last().map(|edit| edit.name.as_str())
    }

    /// The step that would be redone.
    pub fn next_redo(&self) -> Option<&str> {
        self.redo.last().map(|edit| edit.name.as_str())
    }

    fn replace(&mut self, model: &Model, recipe: Recipe) -> Recipe {
        self.revision += 1;
        self.stepped = true;
        let (before, touched) = self.live.step(model, recipe);
        self.look_out(model);
        self.touched.join(Changed::of(touched));
        before
    }

    /// Takes in that tensors hold values that are no numbers; whether that was news.
    pub fn learn(&mut self, model: &Model, found: impl IntoIterator<Item = (usize, Option<u64>)>) -> bool {
        let Some(touched) = self.live.learn(model, found) else { return false };
        self.revision += 1;
        self.look_out(model);
        self.touched.join(Changed::of(touched));
        true
    }

    /// The recipe as it comes to the same where nothing is known of the weights: what cannot go ternary for them is kept by
    /// name.
    pub fn spelled_out(&self, model: &Model) -> Recipe {
        let mut recipe = self.recipe().clone();
        recipe.rules.extend(self.live.faults().iter().filter_map(|(tensor, _)| {
            let decision = self.decision(tensor);
            let unconverted = decision.unconverted.is_some();
            let needed = unconverted || matches!(decision.reason, Reason::NotFinite(_));
            let precision = unconverted.then_some(Precision::Source);
            let pattern = Pattern::name(&model.tensors[tensor].name);
            needed.then_some(Rule { pattern, action: Action::Keep { precision } })
        }));
        recipe
    }

    /// Tensors that changes have touched since this was asked last.
    pub fn take_touched(&mut self) -> Changed {
        std::mem::take(&mut self.touched)
    }

    /// What is asked beside the plan: which tensors a name or rules would touch.
    pub fn live(&self) -> &Live {
        &self.live
    }

    fn look_out(&mut self, model: &Model) {
        let outlook = |shared: &Shared| {
            let fault = self.live.faults().of(shared.first);
            Outlook::of(&model.tensors[shared.first], &shared.decision, self.recipe(), fault)
        };
        self.outlook = self.plan().decisions.shared().iter().map(outlook).collect();
    }
}

impl Outlook {
    fn of(tensor: &Tensor, decision: &Decision, recipe: &Recipe, fault: Option<Fault>) -> Self {
        let format = match decision.step {
            Step::Ternary(format, _) => Ok(format),
            _ => measured_format(tensor, recipe),
        };
        let shape_fits =
            |f: &Format| *f == recipe.format || recipe.fallback == Fallback::Q2_0 && recipe.format.only_in().is_none();
        let may = decision.protection.is_none() && !tensor.dtype.is_ternary();
        let eligible = decision.is_ternary() || may && format.as_ref().is_ok_and(shape_fits);
        let fault = fault.filter(|_| eligible || decision.misses_request());
        Self { format, eligible: eligible && fault.is_none(), fault }
    }
}

/// The recipe's format, or the one with shorter blocks where rows do not divide.
fn measured_format(tensor: &Tensor, recipe: &Recipe) -> Result<Format, String> {
    if tensor.decoder().is_none() {
        return Err(tensor.undecodable_reason());
    }
    if tensor.elements() == 0 {
        return Err("has no elements".to_owned());
    }
    let fits = |f: &Format| f.takes(tensor.row_len(), tensor.elements());
    [recipe.format, Format::Q2_0].into_iter().find(fits).ok_or_else(|| {
        let short = Format::Q2_0.block_len();
        format!("rows of {} do not divide into blocks of {short} or 256", tensor.row_len())
    })
}
