//! What was asked of the lanes and has not come back: a recording is played on only when there is nothing of it.

use std::collections::HashSet;

use super::effect::Effect;
use super::event::Event;
use crate::jobs::{CheckEvent, JobEvent, JobId, LookKey, PreviewKey};

/// What is still awaited. Lists of wants replace each other, and so do comparisons; all else is counted.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    openings: usize,
    previews: HashSet<PreviewKey>,
    looks: Vec<LookKey>,
    questions: usize,
    exports: HashSet<JobId>,
    check: bool,
    comparison: Option<u64>,
    pair: Option<(u64, usize)>,
}

impl Backlog {
    /// Something is asked for.
    pub(super) fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Open(_) => self.openings += 1,
            Effect::WantPreviews(_, wants) => self.previews = wants.iter().map(|want| want.key).collect(),
            Effect::WantLooks(_, looks) => self.looks.clone_from(looks),
            Effect::Ask(..) => self.questions += 1,
            Effect::Check(_) => self.check = true,
            Effect::Compare { id, .. } => self.comparison = Some(*id),
            Effect::LookAtPair { id, index, .. } => self.pair = Some((*id, *index)),
            _ => {}
        }
    }

    /// Something has come.
    pub(super) fn event(&mut self, event: &Event) {
        let job = match event {
            Event::Job(job) => job,
            Event::ExportQueued { id, .. } => {
                self.exports.insert(*id);
                return;
            }
            _ => return,
        };
        match job {
            JobEvent::Opened { .. } => self.openings = self.openings.saturating_sub(1),
            JobEvent::Preview { key, .. } | JobEvent::PreviewFailed { key, .. } => {
                self.previews.remove(key);
            }
            JobEvent::Look { key, .. } => self.looks.retain(|look| look != key),
            JobEvent::Answered { .. } => self.questions = self.questions.saturating_sub(1),
            JobEvent::Check { event: CheckEvent::Done(_) | CheckEvent::Failed(_) | CheckEvent::Stopped, .. } => {
                self.check = false;
            }
            JobEvent::CompareEnded { id, .. } if self.comparison == Some(*id) => self.comparison = None,
            JobEvent::PairSeen { id, index, .. } if self.pair == Some((*id, *index)) => self.pair = None,
            JobEvent::ExportFinished(id, _) | JobEvent::ExportFailed(id, _) | JobEvent::ExportCancelled(id) => {
                self.exports.remove(id);
            }
            _ => {}
        }
    }

    /// Whether nothing is awaited.
    pub(super) fn is_empty(&self) -> bool {
        let Self { openings, previews, looks, questions, exports, check, comparison, pair } = self;
        let counted = *openings == 0 && *questions == 0 && previews.is_empty() && looks.is_empty();
        counted && exports.is_empty() && !check && comparison.is_none() && pair.is_none()
    }
}
