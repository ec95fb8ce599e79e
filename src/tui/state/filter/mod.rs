//! The tree's filter: the line that is typed, the filter that is in force, and how many tensors it lets through.
//!
//! While the text is wrong the last filter that was right is shown; where and why it is wrong is told beside the line, and
//! the line cannot be left with it: enter waits, esc goes back to the filter that was there before. [`parse`] reads the language, [`expr`] is a filter as a value, [`eval`] asks it of the tensors.

pub mod complete;
pub mod eval;
pub mod expr;
pub mod keys;
mod number;
pub mod parse;

use std::sync::Arc;
use std::time::Duration;

use super::input::TextInput;
use super::plan::PlanState;
use super::previews::Previews;
use super::summary::what_if;
use super::tree::Item;
use crate::engine::codec::DType;
use crate::engine::model::Model;

pub use complete::Completion;
pub use eval::{Names, World};
pub use expr::Expr;
pub use parse::Problem;

/// New figures are asked for no oftener: a scan brings hundreds a second.
const PATIENCE: Duration = Duration::from_millis(200);

/// The filter line and the filter in force.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// What was typed.
    pub input: TextInput,
    /// Whether keys go into it.
    pub editing: bool,
    /// The row that the cursor was on when typing began.
    pub home: Option<Item>,
    /// What is wrong with the text.
    problem: Option<Problem>,
    /// Whether the text was to be kept although it is wrong.
    refused: bool,
    /// The text that was in force when typing began.
    before: String,
    expr: Option<Expr>,
    /// The text that `expr` was read from.
    in_force: String,
    matches: usize,
    /// Tensors that could go ternary and of which it asks figures that are not there yet.
    unmeasured: usize,
    names: Option<Arc<Names>>,
    /// Types that there are, for completion.
    types: Vec<DType>,
    /// What the word at the cursor may become.
    offers: Vec<String>,
    asked: Option<Asked>,
}

/// What a filter was asked of last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    plan: u64,
    figures: u64,
    at: Duration,
}

impl Filter {
    /// Typing begins, with the cursor of the tree on this row.
    pub fn begin(&mut self, model: &Model, plan: &PlanState, home: Item) {
        if !self.editing {
            self.before.clone_from(&self.in_force);
        }
        self.editing = true;
        self.home = Some(home);
        // So that the first letter need not wait for them.
        self.names.get_or_insert_with(|| Arc::new(Names::new(model)));
        let shared = plan.plan().decisions.shared().iter();
        let types = shared.flat_map(|s| [model.tensors[s.first].dtype, s.decision.new_type]);
        self.types.clear();
        for dtype in types {
            if !self.types.contains(&dtype) {
                self.types.push(dtype);
            }
        }
        self.offer();
    }

    /// Completes the word before the cursor as far as there is no choice; whether the text changed.
    pub fn complete(&mut self) -> bool {
        let completion = complete::complete(self.input.split().0, &self.types);
        let written = completion.common();
        if written.len() <= completion.replaces.len() {
            return false;
        }
        self.input.replace(completion.replaces.clone(), written);
        true
    }

    /// What the word at the cursor may become.
    pub fn offers(&self) -> &[String] {
        &self.offers
    }

    fn offer(&mut self) {
        let before = self.input.split().0;
        let empty = before.is_empty() || before.ends_with(char::is_whitespace);
        self.offers = if empty && !self.input.text().is_empty() {
            Vec::new()
        } else {
            complete::complete(before, &self.types).options
        };
    }

    /// Reads the text anew; whether another filter is in force now. A text that is wrong leaves the old one.
    pub fn read(&mut self) -> bool {
        self.offer();
        self.refused = false;
        match parse::parse(self.input.text()) {
            Ok(expr) => {
                self.problem = None;
                self.input.text().trim().clone_into(&mut self.in_force);
                let changed = expr != self.expr;
                self.expr = expr;
                changed
            }
            Err(problem) => {
                self.problem = Some(problem);
                false
            }
        }
    }

    /// What is wrong with the text, if anything.
    pub fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// What is wrong with the text, in words: after it was to be kept, with the way out.
    pub fn complaint(&self) -> Option<String> {
        let message = &self.problem.as_ref()?.message;
        let way = if self.before.is_empty() { "esc clears it" } else { "esc takes the one before" };
        Some(if self.refused { format!("no filter yet: {message}; {way}") } else { message.clone() })
    }

    /// Stops typing, unless the text is wrong; whether it did.
    pub fn keep(&mut self) -> bool {
        self.refused = self.problem.is_some();
        self.editing = self.refused;
        !self.refused
    }

    /// The filter in force.
    pub fn expr(&self) -> Option<&Expr> {
        self.expr.as_ref()
    }

    /// The text of the filter in force.
    pub fn in_force(&self) -> &str {
        &self.in_force
    }

    /// How many tensors it lets through.
    pub fn matches(&self) -> usize {
        self.matches
    }

    /// How many tensors it says nothing about yet: it asks for figures, and they are not measured.
    pub fn unmeasured(&self) -> usize {
        self.unmeasured
    }

    /// What it lets through, in words: `3 of 236, 40 unmeasured`.
    pub fn counts(&self, tensors: usize) -> String {
        let found = match self.matches {
            0 => "nothing matches".to_owned(),
            matches => format!("{matches} of {tensors}"),
        };
        match self.unmeasured {
            0 => found,
            missing => format!("{found}, {missing} unmeasured"),
        }
    }

    /// Takes the filter away.
    pub fn clear(&mut self) {
        *self = Self { names: self.names.take(), ..Self::default() };
    }

    /// Stops typing where the text is wrong, and puts the one back that was in force before; what was wrong. It is to be
    /// read anew then.
    pub fn leave(&mut self) -> Option<Problem> {
        let problem = self.problem.take()?;
        (self.editing, self.refused) = (false, false);
        self.input.set(self.before.clone());
        Some(problem)
    }

    /// Asks the filter in force: which tensors pass, by index; `None` without a filter.
    pub fn ask(&mut self, model: &Model, plan: &PlanState, previews: &Previews, now: Duration) -> Option<Vec<bool>> {
        self.asked = Some(Asked { plan: plan.revision(), figures: previews.revision(), at: now });
        let expr = self.expr.as_ref()?;
        let names = self.names.get_or_insert_with(|| Arc::new(Names::new(model)));
        let passing = eval::evaluate(expr, World { model, plan, previews, names });
        self.matches = passing.iter().filter(|passes| **passes).count();
        self.unmeasured = if expr.needs().errors {
            let tried = |i: usize| what_if(plan, i).is_none_or(|(f, method)| previews.is_tried((i, f), method));
            let missing = |i: &usize| plan.outlook(*i).eligible && !tried(*i);
            (0..model.tensors.len()).filter(missing).count()
        } else {
            0
        };
        Some(passing)
    }

    /// When it has to be asked again, because what it depends on has changed; `None` while nothing has.
    pub fn due(&self, plan: &PlanState, previews: &Previews) -> Option<Duration> {
        let (expr, asked) = (self.expr.as_ref()?, self.asked?);
        let needs = expr.needs();
        if needs.plan && asked.plan != plan.revision() {
            return Some(Duration::ZERO);
        }
        (needs.figures && asked.figures != previews.revision()).then_some(asked.at + PATIENCE)
    }
}
