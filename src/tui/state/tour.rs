//! The first steps with the demo: what to try next, and whether it was done.

use super::columns::Column;
use super::{Screen, Session, State, Tab};
use crate::tui::state::tree::Item;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Going to a layer, and reading its error.
    Look,
    /// Making it ternary, or keeping it.
    Toggle,
    /// Finding where ternary hurts most.
    Worst,
    /// Writing the model.
    Quantize,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 4] = [Self::Look, Self::Toggle, Self::Worst, Self::Quantize];
}

/// How far one is, and how things were when the step began.
#[derive(Debug, Clone, PartialEq)]
pub struct Tour {
    /// Index of the step that is next.
    pub at: usize,
    cursor: Option<Item>,
    plan: Option<u64>,
    exports: usize,
}

impl Tour {
    /// The tour from its beginning.
    pub fn begin(state: &State) -> Self {
        Self::at(0, state)
    }

    fn at(at: usize, state: &State) -> Self {
        let session = state.session.as_ref();
        Self {
            at,
            cursor: session.map(|s| s.tree.selected()),
            plan: session.map(|s| s.plan.revision()),
            exports: state.jobs.all().len(),
        }
    }

    /// The step that is next; `None` at the end.
    pub fn step(&self) -> Option<Step> {
        Step::ALL.get(self.at).copied()
    }

    /// Whether what the step asks for was done.
    fn is_done(&self, state: &State, session: &Session) -> bool {
        match self.step() {
            Some(Step::Look) => {
                let tree = &session.tree;
                let measured = || session.subject().is_some_and(|s| session.previews.figures(s).is_some());
                Some(tree.selected()) != self.cursor && tree.selected_tensor().is_some() && measured()
            }
            Some(Step::Toggle) => Some(session.plan.revision()) != self.plan,
            Some(Step::Worst) => {
                session.worst.is_some()
                    || session.screen == Screen::Sensitivity
                    || session.tab == Tab::Methods
                    || session.sort.column == Column::Sqnr
            }
            Some(Step::Quantize) => state.jobs.all().len() > self.exports,
            None => false,
        }
    }

    /// The tour as it is now: a step further where that was done. What was there before the model was does not count.
    pub fn follow(&self, state: &State) -> Option<Self> {
        let session = state.session.as_ref()?;
        if self.cursor.is_none() {
            return Some(Self::at(self.at, state));
        }
        self.is_done(state, session).then(|| Self::at(self.at + 1, state))
    }
}
