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

/// What was done, and how things were when it began.
#[derive(Debug, Clone, PartialEq)]
pub struct Tour {
    done: [bool; Step::ALL.len()],
    cursor: Option<Item>,
    plan: Option<u64>,
    exports: usize,
}

impl Tour {
    /// The tour from its beginning.
    pub fn begin(state: &State) -> Self {
        let session = state.session.as_ref();
        Self {
            done: [false; Step::ALL.len()],
            cursor: session.map(|s| s.tree.selected()),
            plan: session.map(|s| s.plan.revision()),
            exports: state.jobs.all().len(),
        }
    }

    /// The step that is next: the first that was not done; `None` at the end.
    pub fn step(&self) -> Option<Step> {
        Step::ALL.into_iter().zip(self.done).find(|(_, done)| !done).map(|(step, _)| step)
    }

    /// The steps, and whether each was done.
    pub fn steps(&self) -> impl Iterator<Item = (Step, bool)> {
        Step::ALL.into_iter().zip(self.done)
    }

    /// Whether what a step asks for was done.
    fn is_done(&self, step: Step, state: &State, session: &Session) -> bool {
        match step {
            Step::Look => {
                let tree = &session.tree;
                let measured = || session.subject().is_some_and(|s| session.previews.figures(s).is_some());
                Some(tree.selected()) != self.cursor && tree.selected_tensor().is_some() && measured()
            }
            Step::Toggle => Some(session.plan.revision()) != self.plan,
            Step::Worst => {
                session.worst.is_some() && !session.worst_of_part
                    || session.screen == Screen::Sensitivity
                    || session.tab == Tab::Methods
                    || session.sort.column == Column::Sqnr
            }
            Step::Quantize => state.jobs.all().len() > self.exports,
        }
    }

    /// The tour as it is now, where it is another: what was done counts in any order. What was there before the model was
    /// does not count.
    pub fn follow(&self, state: &State) -> Option<Self> {
        let session = state.session.as_ref()?;
        if self.cursor.is_none() {
            return Some(Self::begin(state));
        }
        let mut now = self.clone();
        for (done, step) in now.done.iter_mut().zip(Step::ALL) {
            *done |= self.is_done(step, state, session);
        }
        (now != *self).then_some(now)
    }
}
