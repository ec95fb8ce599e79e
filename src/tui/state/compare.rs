//! A second model beside the first: pairs of tensors, what came of each, and the list that a filter and an order leave.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Screen;
use super::slider::Fresh;
use crate::engine::compare::{Histograms, Outcome, Pair, Totals, Verdict};
use crate::engine::model::Model;
use crate::engine::model::names::natural_cmp;

/// Which pairs are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Show {
    /// All of them.
    #[default]
    All,
    /// Those whose weights or shapes differ, or that could not be compared.
    Differ,
    /// Those with the same weights.
    Equal,
    /// Those that only one model has.
    Missing,
    /// Those whose types differ.
    Type,
}

impl Show {
    /// Every filter, in the order of the head line.
    pub const ALL: [Self; 5] = [Self::All, Self::Differ, Self::Equal, Self::Missing, Self::Type];

    /// Name on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Differ => "differ",
            Self::Equal => "equal",
            Self::Missing => "missing",
            Self::Type => "type",
        }
    }
}

/// How far the comparison is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The second model is being opened.
    Opening,
    /// Tensors are being compared.
    Running,
    /// All are.
    Done,
    /// It ended early: why.
    Failed(String),
}

/// A comparison.
#[derive(Debug, Clone)]
pub struct Compare {
    /// Its number: events of another one are old.
    pub id: u64,
    /// The reference: the open model, until the second one is open and has more bytes.
    pub a: Arc<Model>,
    /// The path of the model beside it.
    pub path: PathBuf,
    /// The model beside the reference, once both are open.
    pub b: Option<Arc<Model>>,
    /// How far it is.
    pub stage: Stage,
    /// The pairs.
    pub pairs: Arc<Vec<Pair>>,
    /// What came of them, as far as they were compared.
    pub outcomes: Vec<Option<Outcome>>,
    /// Pairs that were compared.
    pub done: usize,
    /// How many came to each of [`Verdict::ALL`].
    verdicts: [usize; Verdict::ALL.len()],
    /// Bytes of the pairs that were compared, and of all.
    pub bytes: (u64, u64),
    /// When comparing began.
    pub since: Duration,
    /// The screen that it was begun from, and the comparison that it is instead of: where a second model that cannot be
    /// opened leads back to.
    pub before: (Screen, Option<Box<Compare>>),
    /// The pairs by their names, in natural order.
    by_name: Vec<usize>,
    /// Errors over the pairs, so far.
    pub total: Totals,
    /// How many pairs each filter leaves, so far.
    counts: [usize; Show::ALL.len()],
    /// The filter.
    pub show: Show,
    /// Whether the greatest differences come first, instead of the order of names.
    pub by_error: bool,
    /// The pairs that are listed.
    pub rows: Vec<usize>,
    /// The row under the cursor.
    pub cursor: usize,
    /// The row that was drawn first last time.
    pub offset: usize,
    /// Whether the rows are those of all outcomes.
    pub fresh: Fresh,
    /// The pair whose histograms were asked for, until they are there.
    pub asked: Option<usize>,
    /// The histograms that were looked at last, and of which pair.
    pub seen: Option<(usize, Arc<Histograms>)>,
}

impl Compare {
    /// A comparison with a model that is being opened.
    pub fn new(id: u64, a: Arc<Model>, path: PathBuf, before: (Screen, Option<Box<Self>>)) -> Self {
        Self {
            id,
            a,
            path,
            b: None,
            stage: Stage::Opening,
            pairs: Arc::default(),
            outcomes: Vec::new(),
            done: 0,
            verdicts: [0; Verdict::ALL.len()],
            bytes: (0, 0),
            since: Duration::ZERO,
            before,
            by_name: Vec::new(),
            total: Totals::default(),
            counts: [0; Show::ALL.len()],
            show: Show::default(),
            by_error: false,
            rows: Vec::new(),
            cursor: 0,
            offset: 0,
            fresh: Fresh::default(),
            asked: None,
            seen: None,
        }
    }

    /// The second model is open. The one with more bytes of tensor data is the reference, since what is less quantized is
    /// nearer to the truth that errors are relative to; of two that are alike it is the one that was open.
    pub fn beside(&mut self, other: Arc<Model>) {
        let other = if other.tensor_bytes() > self.a.tensor_bytes() {
            let first = std::mem::replace(&mut self.a, other);
            self.path.clone_from(&first.path);
            first
        } else {
            other
        };
        self.b = Some(other);
        self.stage = Stage::Running;
        self.before.1 = None;
    }

    /// Bytes of the larger side of a pair: what comparing it takes.
    fn bytes_of(&self, index: usize) -> u64 {
        let (Some(pair), Some(b)) = (self.pairs.get(index), &self.b) else { return 0 };
        match pair.tensors(&self.a, b) {
            (Some(one), Some(other)) => one.bytes.max(other.bytes),
            _ => 0,
        }
    }

    /// Seconds until all are compared, at the rate so far; none before there is one.
    pub fn remaining(&self, now: Duration) -> Option<f64> {
        let (done, all) = self.bytes;
        let took = now.saturating_sub(self.since).as_secs_f64();
        (self.stage == Stage::Running && done > 0 && took >= 1.0).then(|| took * (all - done) as f64 / done as f64)
    }

    /// The share of the work that is done.
    pub fn share(&self) -> f64 {
        if self.bytes.1 == 0 { 0.0 } else { self.bytes.0 as f64 / self.bytes.1 as f64 }
    }

    /// How many pairs came to a verdict, so far.
    pub fn verdicts(&self, verdict: Verdict) -> usize {
        let at = Verdict::ALL.iter().position(|v| *v == verdict);
        at.map_or(0, |at| self.verdicts[at])
    }

    /// The pairs are known; nothing is compared yet.
    pub fn begin(&mut self, pairs: Arc<Vec<Pair>>, now: Duration) {
        self.since = now;
        self.outcomes = vec![None; pairs.len()];
        self.pairs = pairs;
        self.stage = Stage::Running;
        self.bytes = (0, (0..self.pairs.len()).map(|index| self.bytes_of(index)).sum());
        self.by_name = (0..self.pairs.len()).collect();
        if let Some(b) = &self.b {
            let name = |index: usize| self.pairs[index].name(&self.a, b);
            self.by_name.sort_by(|x, y| natural_cmp(name(*x), name(*y)));
        }
        self.list();
    }

    /// Takes an outcome in.
    pub fn take(&mut self, index: usize, outcome: Outcome) {
        let Some(slot) = self.outcomes.get_mut(index).filter(|slot| slot.is_none()) else { return };
        if let (Some(b), Some(pair)) = (&self.b, self.pairs.get(index)) {
            self.total.add((&self.a, b), pair, &outcome);
        }
        if let Some(at) = Verdict::ALL.iter().position(|v| *v == outcome.verdict) {
            self.verdicts[at] += 1;
        }
        *slot = Some(outcome);
        self.done += 1;
        self.bytes.0 += self.bytes_of(index);
        for (i, show) in Show::ALL.into_iter().enumerate() {
            self.counts[i] += usize::from(self.passes(show, index));
        }
        self.fresh.stale = true;
    }

    /// How many pairs a filter leaves, so far.
    pub fn count(&self, show: Show) -> usize {
        let at = Show::ALL.iter().position(|s| *s == show).unwrap_or(0);
        if show == Show::All { self.pairs.len() } else { self.counts[at] }
    }

    fn passes(&self, show: Show, index: usize) -> bool {
        let verdict = self.outcomes.get(index).and_then(Option::as_ref).map(|o| o.verdict);
        match (show, verdict) {
            (Show::All, _) => true,
            (_, None) => false,
            (Show::Differ, Some(v)) => matches!(v, Verdict::Differ | Verdict::Shape | Verdict::Unknown),
            (Show::Equal, Some(v)) => matches!(v, Verdict::Equal | Verdict::SameValues),
            (Show::Missing, Some(v)) => matches!(v, Verdict::Missing | Verdict::Extra),
            (Show::Type, Some(_)) => match (self.pairs.get(index), &self.b) {
                (Some(pair), Some(b)) => pair.changes_type(&self.a, b),
                _ => false,
            },
        }
    }

    /// Makes the rows anew; the cursor stays on its pair where that is still listed.
    pub fn list(&mut self) {
        let at = self.selected();
        let mut rows: Vec<usize> = self.by_name.iter().copied().filter(|i| self.passes(self.show, *i)).collect();
        if self.by_error {
            let error = |i: &usize| {
                let outcome = self.outcomes.get(*i).and_then(Option::as_ref);
                // What has no figure comes behind what has one; what is no number before everything.
                outcome.and_then(Outcome::rel_mse).map_or(-1.0, |x| if x.is_nan() { f64::INFINITY } else { x })
            };
            rows.sort_by(|x, y| error(y).total_cmp(&error(x)));
        }
        self.rows = rows;
        let found = at.and_then(|pair| self.rows.iter().position(|row| *row == pair));
        self.cursor = found.unwrap_or(self.cursor).min(self.rows.len().saturating_sub(1));
    }

    /// The pair under the cursor.
    pub fn selected(&self) -> Option<usize> {
        self.rows.get(self.cursor).copied()
    }

    /// Moves the cursor by so many rows, stopping at the ends.
    pub fn move_by(&mut self, rows: isize) {
        self.move_to(self.cursor.saturating_add_signed(rows));
    }

    /// Moves the cursor to a row, or the last one.
    pub fn move_to(&mut self, row: usize) {
        self.cursor = row.min(self.rows.len().saturating_sub(1));
    }

    /// The pair whose histograms are missing and not on their way.
    pub fn wanted_look(&self) -> Option<usize> {
        let pair = self.selected()?;
        let seen = self.seen.as_ref().is_some_and(|(of, _)| *of == pair);
        (self.b.is_some() && !seen && self.asked.is_none()).then_some(pair)
    }
}
