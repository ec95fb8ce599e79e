//! What has been measured: small figures of every tensor, whole reports of the few that were looked at last.
//!
//! The key is the tensor and the format: a report holds every method, so that a change of method needs no new work.
//! Whole reports hold histograms of a hundred kilobytes, hence the bound.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::engine::preview::{MethodReport, TensorReport, sqnr_db};
use crate::engine::stats::{Estimate, PooledPart};
use crate::engine::ternary::{Format, Method};

/// Whole reports that are kept.
const REPORTS: usize = 96;

/// A tensor in a format.
pub type Subject = (usize, Format);

/// What one method makes of a tensor, in a few numbers.
#[derive(Debug, Clone)]
pub struct MethodFigures {
    /// The method.
    pub method: Method,
    /// Relative squared error with its interval.
    pub rel_mse: Estimate,
    /// The same as a part of estimates over several tensors.
    pub pooled: PooledPart,
    /// Σ of squared errors and of squared weights, weighted by importance where there is any.
    pub weighted: Option<(f64, f64)>,
    /// Why the method cannot code the tensor, if it cannot.
    pub problem: Option<String>,
}

impl MethodFigures {
    /// SQNR in dB.
    pub fn sqnr_db(&self) -> f64 {
        sqnr_db(self.rel_mse.value)
    }
}

/// The importance-weighted sums, expanded from the blocks that were looked at to the tensor.
fn weighted(report: &TensorReport, method: &MethodReport) -> Option<(f64, f64)> {
    let errors = &method.stats.errors;
    let share = report.blocks as f64 / report.sampled_blocks.max(1) as f64;
    (errors.sum_qw2 > 0.0).then_some((share * errors.sum_qe2, share * errors.sum_qw2))
}

/// What was measured of a tensor, in a few numbers.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Whether every block was looked at.
    pub exact: bool,
    /// One entry a method.
    pub methods: Vec<MethodFigures>,
    /// Index of the first NaN or infinity.
    pub non_finite: Option<u64>,
    /// Whether every block looked at was {−s, 0, +s} before.
    pub native: bool,
}

impl Figures {
    fn of(report: &TensorReport) -> Self {
        let methods = report.methods.iter().map(|m| MethodFigures {
            method: m.method,
            rel_mse: m.rel_mse,
            pooled: PooledPart::of(&m.moments),
            weighted: weighted(report, m),
            problem: m.problem.clone(),
        });
        Self {
            exact: report.exact,
            methods: methods.collect(),
            non_finite: report.non_finite,
            native: report.is_native(),
        }
    }

    /// The figures of a method that can code the tensor.
    pub fn method(&self, method: Method) -> Option<&MethodFigures> {
        self.methods.iter().find(|m| m.method == method && m.problem.is_none() && self.non_finite.is_none())
    }
}

/// The cache.
#[derive(Debug, Clone, Default)]
pub struct Previews {
    /// By tensor; each in few formats.
    figures: Vec<Vec<(Format, Figures)>>,
    failures: HashMap<Subject, String>,
    /// Tensors with a NaN or an infinity, and the first element that was seen to be one.
    spoilt: BTreeMap<usize, u64>,
    /// Least recently used first.
    reports: VecDeque<(Subject, Arc<TensorReport>)>,
    /// Tensors of which something came in since they were asked for.
    changed: Vec<usize>,
    /// Counts what came in, so that what follows from figures can tell whether it is of today.
    revision: u64,
}

impl Previews {
    /// Takes a report in. Only if `keep` is its whole kept, because somebody may look at it. A sample never replaces
    /// exact figures.
    pub fn insert(&mut self, subject: Subject, report: &Arc<TensorReport>, keep: bool) {
        self.revision += 1;
        self.changed.push(subject.0);
        if let Some(element) = report.non_finite {
            let first = self.spoilt.entry(subject.0).or_insert(element);
            *first = element.min(*first);
        }
        if report.exact || self.figures(subject).is_none_or(|old| !old.exact) {
            self.put(subject, Figures::of(report));
        }
        let old = self.reports.iter().position(|(s, _)| *s == subject);
        if let Some(i) = old
            && self.reports[i].1.exact
            && !report.exact
        {
            return;
        }
        if let Some(i) = old {
            self.reports.remove(i);
        }
        if keep || old.is_some() {
            if self.reports.len() == REPORTS {
                self.reports.pop_front();
            }
            self.reports.push_back((subject, Arc::clone(report)));
        }
    }

    /// The figures without whole reports, and without what could not be measured: that may be tried again.
    #[must_use]
    pub fn into_figures(self) -> Self {
        Self { figures: self.figures, spoilt: self.spoilt, revision: self.revision, ..Self::default() }
    }

    /// How many figures there are: one a tensor and format.
    pub fn len(&self) -> usize {
        self.figures.iter().map(Vec::len).sum()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that a tensor cannot be measured.
    pub fn fail(&mut self, subject: Subject, message: String) {
        self.revision += 1;
        self.changed.push(subject.0);
        self.failures.insert(subject, message);
    }

    fn put(&mut self, (tensor, format): Subject, figures: Figures) {
        if self.figures.len() <= tensor {
            self.figures.resize_with(tensor + 1, Vec::new);
        }
        let known = &mut self.figures[tensor];
        if let Some((_, old)) = known.iter_mut().find(|(f, _)| *f == format) {
            *old = figures;
        } else {
            known.reserve_exact(1);
            known.push((format, figures));
        }
    }

    /// Tensors that were seen to hold a NaN or an infinity, with the first such element that was met, in file order.
    pub fn spoilt(&self) -> impl ExactSizeIterator<Item = (usize, u64)> {
        self.spoilt.iter().map(|(tensor, element)| (*tensor, *element))
    }

    /// Tensors that could not be measured, and why, in file order.
    pub fn failures(&self) -> Vec<(usize, &str)> {
        let mut all: Vec<(usize, &str)> =
            self.failures.iter().map(|((tensor, _), why)| (*tensor, why.as_str())).collect();
        all.sort_unstable();
        all.dedup_by_key(|(tensor, _)| *tensor);
        all
    }

    /// How many tensors have something wrong with them: another number when [`Self::spoilt`] or [`Self::failures`] grow.
    pub fn odd(&self) -> usize {
        self.spoilt.len() + self.failures.len()
    }

    /// Tensors of which something came in since this was asked last.
    pub fn take_changed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.changed)
    }

    /// Another number after every report and every failure.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Marks a report as just used.
    pub fn touch(&mut self, subject: Subject) {
        if let Some(i) = self.reports.iter().position(|(s, _)| *s == subject)
            && let Some(entry) = self.reports.remove(i)
        {
            self.reports.push_back(entry);
        }
    }

    /// The whole report, if it is kept.
    pub fn report(&self, subject: Subject) -> Option<&Arc<TensorReport>> {
        self.reports.iter().find(|(s, _)| *s == subject).map(|(_, r)| r)
    }

    /// The figures, if it was measured.
    pub fn figures(&self, subject: Subject) -> Option<&Figures> {
        let known = self.figures.get(subject.0)?;
        known.iter().find(|(format, _)| *format == subject.1).map(|(_, figures)| figures)
    }

    /// Whether it was tried by this method: there is a figure, or why there is none.
    pub fn is_tried(&self, subject: Subject, method: Method) -> bool {
        let measured = |figures: &Figures| figures.methods.iter().any(|m| m.method == method);
        self.failure(subject).is_some() || self.figures(subject).is_some_and(measured)
    }

    /// Whether it was tried and no figure of this method will come.
    pub fn is_hopeless(&self, subject: Subject, method: Method) -> bool {
        let problem = |m: &MethodFigures| m.method == method && m.problem.is_some();
        let spoilt = |f: &Figures| f.non_finite.is_some() || f.methods.iter().any(problem);
        self.failure(subject).is_some() || self.figures(subject).is_some_and(spoilt)
    }

    /// Why it cannot be measured, if that was tried.
    pub fn failure(&self, subject: Subject) -> Option<&str> {
        // Mostly there are none, and this is asked of every tensor.
        if self.failures.is_empty() { None } else { self.failures.get(&subject).map(String::as_str) }
    }
}
