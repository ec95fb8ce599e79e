//! Figures and steps of models that were left: who opens one again in the same run need not wait a second time, and can undo
//! what was done before.
//!
//! Whole reports go, the small figures stay: of [`MODELS`] models and [`FIGURES`] tensors at most, which is 30 MB.

use std::collections::{BTreeSet, VecDeque};

use super::Session;
use super::plan::Steps;
use super::previews::Previews;
use crate::engine::format::source::Stamp;

/// Models that figures are kept of.
const MODELS: usize = 4;
/// Figures that are kept of all of them together; those of models left longest ago go first.
const FIGURES: usize = 50_000;

/// What was measured of a model that was left, and done with it.
#[derive(Debug, Clone)]
struct Left {
    /// Its files as they were.
    files: Vec<Stamp>,
    previews: Previews,
    exact: BTreeSet<usize>,
    steps: Option<Steps>,
}

/// What is kept of models that were left, that of the one left last at the end.
#[derive(Debug, Clone, Default)]
pub struct Parked {
    models: VecDeque<Left>,
}

impl Parked {
    /// Keeps the figures and the steps of a session that ends.
    pub fn keep(&mut self, session: Session) {
        let files = session.model.stamps();
        self.models.retain(|left| left.files != files);
        let previews = session.previews.into_figures();
        let steps = session.plan.into_steps();
        if !previews.is_empty() || steps.is_some() {
            self.models.push_back(Left { files, previews, exact: session.exact, steps });
        }
        while self.models.len() > MODELS || self.figures() > FIGURES {
            self.models.pop_front();
        }
    }

    /// Gives a session what was measured of its model and done with it before, if its files are as they were.
    pub fn give(&mut self, session: &mut Session) {
        let files = session.model.stamps();
        let Some(place) = self.models.iter().position(|left| left.files == files) else { return };
        if let Some(left) = self.models.remove(place) {
            session.previews = left.previews;
            session.exact = left.exact;
            if let Some(steps) = left.steps {
                session.plan.resume(&session.model, steps);
            }
            session.summarize();
        }
    }

    fn figures(&self) -> usize {
        self.models.iter().map(|left| left.previews.len()).sum()
    }
}
