//! The problems page: everything that is odd about the file and the plan in one list, the worst first.

use crate::engine::error::{Diagnostic, Severity};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::Model;
use crate::engine::plan::{Plan, Reason, Recipe};
use crate::tui::state::Session;

/// Tensors of one kind that have a line each; the rest is counted.
const EACH: usize = 200;

/// Where a problem was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// When the file was opened, or in its metadata, types and shapes.
    File,
    /// In the weights.
    Weights,
    /// In the plan.
    Plan,
    /// In the importance matrix.
    Imatrix,
}

impl Source {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Weights => "weights",
            Self::Plan => "plan",
            Self::Imatrix => "imatrix",
        }
    }
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was found.
    pub source: Source,
    /// What was found.
    pub what: Diagnostic,
    /// The tensor that it is about, if the model has it; of several that it names the first.
    pub tensor: Option<usize>,
    /// All that it names, where it is about no one tensor.
    pub named: Vec<usize>,
}

impl Problem {
    /// A filter that shows the tensors that it names, where they are several.
    pub fn filter(&self, model: &Model) -> Option<String> {
        let names: Vec<String> =
            self.named.iter().filter_map(|i| model.tensors.get(*i)).map(|t| regex::escape(&t.name)).collect();
        (names.len() > 1).then(|| format!("name:\"re:^({})$\"", names.join("|")))
    }
}

/// How the check of every weight stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Check {
    /// Nobody asked for it.
    #[default]
    NotRun,
    /// This share of the bytes is read.
    Running(f64),
    /// It is done and found so much.
    Done(usize),
    /// It was stopped.
    Stopped,
    /// It could not be done.
    Failed(String),
}

/// The page.
#[derive(Debug, Clone, Default)]
pub struct ProblemsPage {
    /// The list, worst first.
    pub list: Vec<Problem>,
    /// The line under the cursor.
    pub cursor: usize,
    /// How the check of every weight stands.
    pub check: Check,
    /// What it found.
    pub weights: Vec<Diagnostic>,
    /// What there is to say of the importance matrix.
    pub imatrix: Vec<Diagnostic>,
}

impl ProblemsPage {
    /// The problem under the cursor.
    pub fn selected(&self) -> Option<&Problem> {
        self.list.get(self.cursor)
    }

    /// How many problems there are of each severity: errors, warnings, notes.
    pub fn counts(&self) -> [usize; 3] {
        let of = |severity| self.list.iter().filter(|p| p.what.severity == severity).count();
        [of(Severity::Error), of(Severity::Warning), of(Severity::Note)]
    }

    /// The problem under the cursor in words.
    pub fn text(&self) -> Option<String> {
        self.selected().map(|p| p.what.to_string())
    }
}

impl Session {
    /// Makes the list of problems anew.
    pub fn collect_problems(&mut self) {
        let pages = &self.pages.problems;
        let plan = self.plan.plan();
        let found = |source: Source, all: &[Diagnostic]| -> Vec<(Source, Diagnostic)> {
            all.iter().map(|d| (source, d.clone())).collect()
        };
        let mut all = found(Source::File, &self.model.diagnostics);
        all.extend(found(Source::File, &self.problems));
        all.extend(found(Source::Weights, &pages.weights));
        all.extend(self.met_by_previews().into_iter().map(|d| (Source::Weights, d)));
        all.extend(of_plan(&self.model, plan, self.plan.recipe()).into_iter().map(|d| (Source::Plan, d)));
        all.extend(found(Source::Imatrix, &pages.imatrix));
        all.sort_by_key(|(_, d)| std::cmp::Reverse(d.severity));
        let named = |name: &str| self.plan.live().number_of(&self.model, name);
        let problem = |(source, what): (Source, Diagnostic)| {
            let told = || words(&what.message).filter(|w| may_be_name(w)).filter_map(named);
            let about = what.tensor.as_deref().map(named);
            let mut others: Vec<usize> = if about.is_none() { told().collect() } else { Vec::new() };
            others.sort_unstable();
            others.dedup();
            Problem { tensor: about.unwrap_or_else(|| told().next()), source, named: others, what }
        };
        let list: Vec<Problem> = all.into_iter().map(problem).collect();
        let page = &mut self.pages.problems;
        // The cursor stays on its problem though others come before it.
        let same = page.selected().and_then(|at| list.iter().position(|p| p.what == at.what));
        page.cursor = same.unwrap_or(page.cursor).min(list.len().saturating_sub(1));
        page.list = list;
    }

    /// What previews met in weights that a check of all of them has not told yet.
    fn met_by_previews(&self) -> Vec<Diagnostic> {
        let told = &self.pages.problems.weights;
        let name = |tensor: usize| self.model.tensors.get(tensor).map(|t| t.name.as_str());
        let new = |name: &str| !told.iter().any(|d| d.tensor.as_deref() == Some(name));
        let spoilt = self.previews.spoilt().filter_map(|(tensor, element)| {
            let what = format!(
                "element {element} is NaN or infinite, as a preview found: whatever it touches becomes NaN; c checks \
                 every weight"
            );
            Some(Diagnostic::tensor(Severity::Error, "non-finite", name(tensor)?, what))
        });
        let failed = self.previews.failures().into_iter().filter_map(|(tensor, why)| {
            Some(Diagnostic::tensor(
                Severity::Warning,
                "unmeasured",
                name(tensor)?,
                format!("cannot be measured: {why}"),
            ))
        });
        spoilt.chain(failed).filter(|d| d.tensor.as_deref().is_some_and(new)).take(EACH).collect()
    }

    /// Takes in what there is to say of an importance matrix under the present plan.
    pub fn note_imatrix(&mut self, imatrix: &Imatrix) {
        let samples = self.plan.recipe().calibration_samples;
        let summary = imatrix.summary().to_string();
        let mut notes = vec![Diagnostic::file(Severity::Note, "imatrix", summary)];
        notes.extend(imatrix.notes(&self.model, self.plan.plan(), samples));
        self.pages.problems.imatrix = notes;
    }
}

/// The words of a message, without what stands around them.
fn words(message: &str) -> impl Iterator<Item = &str> {
    let around = |c: char| matches!(c, '\'' | '"' | '`' | '(' | ')' | ',' | ';' | ':' | '.');
    message.split_whitespace().map(move |word| word.trim_matches(around))
}

/// Whether a word of a message may be the name of a tensor: ordinary words are not looked up.
fn may_be_name(word: &str) -> bool {
    word.contains(['.', '_'])
}

/// The plan's notes. Where they count tensors, those have a line each, so that one can go to them.
fn of_plan(model: &Model, plan: &Plan, recipe: &Recipe) -> Vec<Diagnostic> {
    let pairs = || model.tensors.iter().zip(&plan.decisions);
    let mut lines: Vec<Diagnostic> = Vec::new();
    let told = |tensor: &crate::engine::model::Tensor, code, what: String| {
        Diagnostic::tensor(Severity::Warning, code, &tensor.name, what)
    };
    if plan.totals.overridden > 0 {
        lines.extend(pairs().filter(|(_, d)| d.overridden).take(EACH).map(|(t, d)| {
            let what = format!("made ternary although protected: {} ({})", d.reason_text(), d.rule_text(recipe));
            told(t, "overridden", what)
        }));
    }
    if plan.totals.misses > 0 {
        let missed = |d: &crate::engine::plan::Decision| {
            d.misses_request() && !matches!(d.reason, Reason::FellBack { .. } | Reason::NotFinite(_))
        };
        lines.extend(pairs().filter(|(_, d)| missed(d)).take(EACH).map(|(t, d)| {
            told(t, "missed", format!("asked for but not possible: {} ({})", d.reason_text(), d.rule_text(recipe)))
        }));
    }
    let apart = |note: &&Diagnostic| match note.code {
        "overridden" => plan.totals.overridden as usize > EACH,
        "missed" => plan.totals.misses as usize > EACH,
        _ => true,
    };
    lines.extend(plan.notes.iter().filter(apart).cloned());
    lines
}
