//! What becomes of a tensor in one sign, and why in a few words: the tree's marks, the legend in help.

use super::plan::PlanState;
use super::previews::Previews;
use super::session::Session;
use super::summary::figures;
use crate::engine::model::{Model, Tensor};
use crate::engine::plan::{Protection, Reason, Winner};

/// What becomes of a tensor. Each has a sign of its own, so that none is told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It goes ternary as asked.
    Ternary,
    /// It goes ternary in another format.
    FellBack,
    /// It goes ternary although protected.
    Overridden,
    /// It is ternary in the source.
    Already,
    /// It is ternary in the source and becomes a float.
    Undone,
    /// It stays, because nobody asked for it or a rule keeps it.
    Kept,
    /// It stays, because it is protected.
    Protected,
    /// It was asked for and stays.
    Missed,
    /// It was looked at, and cannot be coded.
    Failed,
}

impl Fate {
    /// All of them, in the order of the legend.
    pub const ALL: [Self; 9] = [
        Self::Ternary,
        Self::FellBack,
        Self::Overridden,
        Self::Already,
        Self::Undone,
        Self::Kept,
        Self::Protected,
        Self::Missed,
        Self::Failed,
    ];

    /// That of a tensor.
    pub fn of(model: &Model, plan: &PlanState, previews: &Previews, index: usize) -> Self {
        let decision = plan.decision(index);
        let outlook = plan.outlook(index);
        if outlook.fault.is_some() || outlook.eligible && failure(plan, previews, index).is_some() {
            return Self::Failed;
        }
        match &decision.reason {
            _ if decision.overridden => Self::Overridden,
            Reason::FellBack { .. } if decision.is_ternary() => Self::FellBack,
            _ if decision.is_ternary() => Self::Ternary,
            _ if model.tensors[index].dtype.is_ternary() && !decision.new_type.is_ternary() => Self::Undone,
            _ if model.tensors[index].dtype.is_ternary() => Self::Already,
            _ if decision.misses_request() => Self::Missed,
            _ if decision.protection.is_some() => Self::Protected,
            _ => Self::Kept,
        }
    }

    /// Its sign.
    pub fn sign(self) -> char {
        match self {
            Self::Ternary => '●',
            Self::FellBack => '↓',
            Self::Overridden => '!',
            Self::Already => '=',
            Self::Undone => 'F',
            Self::Kept => '○',
            Self::Protected => 'P',
            Self::Missed => '×',
            Self::Failed => 'E',
        }
    }

    /// What the sign means.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Ternary => "goes ternary",
            Self::FellBack => "goes ternary in another format, because its rows do not divide by the block",
            Self::Overridden => "goes ternary although protected",
            Self::Already => "is ternary in the source already",
            Self::Undone => "is ternary in the source and becomes a float: its type cannot stand in this output",
            Self::Kept => "stays as it is, or in the precision of what stays",
            Self::Protected => {
                "protected: masks and subtrees pass over it; space twice overrides where that is possible"
            }
            Self::Missed => "was asked for and cannot be done",
            Self::Failed => "holds NaN or an infinity, or cannot be coded: it cannot go ternary",
        }
    }
}

impl Session {
    /// What becomes of a tensor.
    pub fn fate_of(&self, index: usize) -> Fate {
        Fate::of(&self.model, &self.plan, &self.previews, index)
    }
}

/// Why a tensor ends as it does, in the few words that a column takes.
pub fn why(session: &Session, index: usize) -> String {
    let fate = session.fate_of(index);
    let decision = session.plan.decision(index);
    let protection = decision.protection.map_or("", |p| p.describe());
    match (fate, &decision.reason) {
        (Fate::Failed, _) => failure(&session.plan, &session.previews, index).unwrap_or_default(),
        (Fate::Overridden, _) => format!("{protection}, overridden"),
        (Fate::FellBack, Reason::FellBack { row, .. }) => format!("rows of {row}"),
        (Fate::Protected, _) => protection.to_owned(),
        (Fate::Kept, Reason::NotSelected) => "not selected".to_owned(),
        (Fate::Missed, Reason::RowLength { row, .. }) => format!("no block: rows of {row}"),
        (Fate::Undone, _) => decision.forced.as_deref().unwrap_or("ternary in the source").to_owned(),
        (Fate::Already | Fate::Missed, _) => decision.reason_text(),
        // The name is in the row already.
        _ => match (decision.winner, session.plan.recipe()) {
            (Winner::Rule(i), recipe) if recipe.rules.get(i).is_some_and(|rule| rule.pattern.is_exact()) => {
                format!("rule {}", i + 1)
            }
            (_, recipe) => decision.rule_text(recipe),
        },
    }
}

/// The protection of a tensor that nothing lifts, if it has one.
pub fn never(plan: &PlanState, index: usize) -> Option<Protection> {
    plan.decision(index).protection.filter(|p| p.is_absolute())
}

/// Of a tensor that no choice makes ternary: what it stays, and the reason.
pub fn stays(plan: &PlanState, index: usize, tensor: &Tensor) -> Option<String> {
    let decision = plan.decision(index);
    if decision.is_ternary() {
        return None;
    }
    let outlook = plan.outlook(index);
    let why = match (never(plan, index), &outlook.format) {
        (Some(Protection::Integer), _) => "integers are indices, not weights".to_owned(),
        (Some(protection), _) => format!("{}, which llama.cpp takes only as it is", protection.describe()),
        (None, Err(why)) => why.clone(),
        (None, Ok(_)) => outlook.fault?.words(),
    };
    let verb = if decision.new_type == tensor.dtype { "stays" } else { "becomes" };
    Some(format!("{verb} {}: {why}", decision.new_type))
}

/// What was seen to stand in the way, if anything was.
fn failure(plan: &PlanState, previews: &Previews, index: usize) -> Option<String> {
    if let Some(fault) = plan.outlook(index).fault {
        return Some(fault.element.map_or_else(|| "NaN or ∞".to_owned(), |at| format!("NaN or ∞ at {at}")));
    }
    let (format, _) = super::summary::what_if(plan, index)?;
    if let Some(why) = previews.failure((index, format)) {
        return Some(why.to_owned());
    }
    let (figures, method) = figures(plan, previews, index)?;
    figures.methods.iter().find(|m| m.method == method)?.problem.clone()
}
