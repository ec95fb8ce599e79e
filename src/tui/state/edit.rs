//! Edits of a recipe that a key stands for, worked out on values: from a recipe and a selection to the next recipe.
//!
//! Rules stay tidy: a new one replaces those that it makes meaningless, and is left out where it would change nothing.

mod types;

use std::collections::BTreeSet;

use super::fate::stays;
use super::patterns;
use super::plan::PlanState;
use crate::engine::model::{Model, RoleSet};
use crate::engine::plan::{Action, Live, Mask, Pattern, Protection, Recipe, Rule};
use crate::engine::ternary::{Format, Method};

pub use types::{TargetType, TypeMenu, TypeOffer, cycle_type, set_type};

/// What an edit acts on.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// One tensor.
    Tensor(usize),
    /// All tensors whose names begin with the prefix.
    Subtree {
        /// The prefix; empty for the model.
        prefix: String,
        /// The tensors.
        tensors: Vec<usize>,
    },
    /// All tensors of a role or family.
    Roles {
        /// The role or family.
        roles: RoleSet,
        /// The tensors.
        tensors: Vec<usize>,
    },
    /// All tensors that a pattern picks.
    Picked {
        /// The pattern.
        pattern: Pattern,
        /// The tensors.
        tensors: Vec<usize>,
    },
    /// These tensors: a selection, or what a filter leaves of a folder.
    Listed {
        /// What they are, for the name of a step.
        what: String,
        /// The tensors.
        tensors: Vec<usize>,
    },
}

impl Target {
    /// The tensors, in file order.
    pub fn tensors(&self) -> &[usize] {
        match self {
            Self::Tensor(index) => std::slice::from_ref(index),
            Self::Subtree { tensors, .. }
            | Self::Roles { tensors, .. }
            | Self::Picked { tensors, .. }
            | Self::Listed { tensors, .. } => tensors,
        }
    }

    /// What it is, for the name of a step.
    pub fn label(&self, model: &Model) -> String {
        let text = match self {
            Self::Tensor(index) => model.tensors[*index].name.clone(),
            Self::Subtree { prefix, .. } if prefix.is_empty() => "everything".to_owned(),
            Self::Subtree { prefix, .. } => format!("{prefix}*"),
            Self::Roles { roles, .. } => format!("role:{}", roles.name()),
            Self::Picked { pattern, .. } => pattern.to_string(),
            Self::Listed { what, tensors } => format!("{} {what}", count(tensors.len())),
        };
        crate::text::escape(&text)
    }

    /// Whether it is the model as a whole: what is chosen for it is the recipe's default, and no rule.
    fn is_model(&self) -> bool {
        matches!(self, Self::Subtree { prefix, .. } if prefix.is_empty())
    }

    /// The pattern of the one rule that is for all of it, and the prefix that its names share, if there is such a rule.
    fn pattern(&self) -> Result<Option<(Pattern, Option<&str>)>, String> {
        match self {
            Self::Subtree { prefix, .. } => Ok(Some((Pattern::prefix(prefix)?, Some(prefix)))),
            Self::Roles { roles, .. } => Ok(Some((Pattern::Role(*roles), None))),
            Self::Picked { pattern, .. } => Ok(Some((pattern.clone(), None))),
            Self::Tensor(_) | Self::Listed { .. } => Ok(None),
        }
    }
}

/// What came of an edit.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Another recipe, and the step's name.
    Changed(String, Recipe),
    /// It takes the same key again: why.
    NeedsConfirmation(String),
    /// It cannot be done: why.
    Refused(String),
}

/// Makes the target ternary, or keeps it if all that can be ternary is. `confirmed`: overrides a protection.
pub fn toggle(model: &Model, state: &PlanState, target: &Target, confirmed: bool) -> Outcome {
    match target {
        Target::Tensor(index) => toggle_tensor(model, state, *index, confirmed),
        _ => toggle_many(model, state, target),
    }
}

fn toggle_tensor(model: &Model, state: &PlanState, index: usize, confirmed: bool) -> Outcome {
    let tensor = &model.tensors[index];
    let decision = state.decision(index);
    let label = Target::Tensor(index).label(model);
    let pattern = Pattern::name(&tensor.name);
    if decision.is_ternary() {
        let rule = Rule { pattern, action: Action::KEEP };
        let recipe = with_rules(model, state.live(), state.recipe(), None, vec![rule]);
        return Outcome::Changed(format!("keep {label}"), recipe);
    }
    if Format::from_dtype(tensor.dtype).is_some_and(|f| f == state.recipe().format) {
        return Outcome::Refused(format!("{label} is {} already", tensor.dtype));
    }
    match decision.protection {
        Some(p) if p.is_absolute() => {
            let why = format!("{label} is protected ({}): llama.cpp cannot take it quantized", p.describe());
            return Outcome::Refused(why);
        }
        Some(p) if !confirmed => {
            let why = format!("{label} is protected ({}): press space again to override", p.describe());
            return Outcome::NeedsConfirmation(why);
        }
        _ => {}
    }
    let recipe = with_rules(model, state.live(), state.recipe(), None, vec![Rule { pattern, action: Action::TERNARY }]);
    let after = state.live().would_be(model, index, &recipe);
    if after.is_ternary() {
        Outcome::Changed(format!("ternary {label}"), recipe)
    } else {
        Outcome::Refused(format!("{label}: {}", after.reason_text()))
    }
}

fn toggle_many(model: &Model, state: &PlanState, target: &Target) -> Outcome {
    let able: Vec<usize> = target.tensors().iter().copied().filter(|t| state.outlook(*t).eligible).collect();
    let label = target.label(model);
    if able.is_empty() {
        return Outcome::Refused(format!("{label}: nothing here can go ternary"));
    }
    let keep = able.iter().all(|t| state.decision(*t).is_ternary());
    let (action, verb) = if keep { (Action::KEEP, "keep") } else { (Action::TERNARY, "ternary") };
    let changing: Vec<usize> = able.iter().copied().filter(|t| keep || !state.decision(*t).is_ternary()).collect();
    match rules_for(model, target, &changing, action) {
        Ok((prefix, rules)) => {
            Outcome::Changed(format!("{verb} {label}"), with_rules(model, state.live(), state.recipe(), prefix, rules))
        }
        Err(why) => Outcome::Refused(why),
    }
}

/// Rules that say this of the target: one for all of it where there is such a rule, else what these tensors of it take;
/// and the prefix that the one rule was made from, if it is a subtree's.
fn rules_for<'a>(
    model: &Model,
    target: &'a Target,
    tensors: &[usize],
    action: Action,
) -> Result<(Option<&'a str>, Vec<Rule>), String> {
    Ok(match target.pattern()? {
        Some((pattern, prefix)) => (prefix, vec![Rule { pattern, action }]),
        None => (None, patterns::of(model, tensors).into_iter().map(|pattern| Rule { pattern, action }).collect()),
    })
}

/// The next (or previous) method for the ternary tensors of the target, and all there are; of the model as a whole, the one
/// after the recipe's default. `lossless` is among them where `is_native` says of every tensor that it is ternary already.
pub fn next_method(
    state: &PlanState,
    target: &Target,
    forward: bool,
    is_native: impl Fn((usize, Format)) -> bool,
) -> (Method, &'static [Method]) {
    let pairs = requested(state, target);
    let current = pairs.first().filter(|_| !target.is_model()).map_or(state.recipe().method, |(_, _, method)| *method);
    let native = !pairs.is_empty() && pairs.iter().all(|(tensor, format, _)| is_native((*tensor, *format)));
    let offered = if native { &Method::ALL[..] } else { &Method::COMPARED };
    (step(offered, current, forward), offered)
}

/// This method for the ternary tensors of the target; of the model as a whole, as the recipe's default.
pub fn set_method(model: &Model, state: &PlanState, target: &Target, next: Method) -> Outcome {
    let pairs = requested(state, target);
    if let Some(refused) = nothing_ternary(model, state, target, &pairs, "method") {
        return refused;
    }
    if target.is_model() {
        let mut recipe = state.recipe().clone();
        recipe.method = next;
        clear_explicit(model, state, &mut recipe, false);
        return Outcome::Changed(format!("method {next} for the model"), recipe);
    }
    let pairs = pairs.into_iter().map(|(tensor, format, _)| (tensor, format, next)).collect::<Vec<_>>();
    explicit(model, state, target, &pairs, &format!("method {next}"))
}

/// The same for the format. Of a single tensor only formats that its rows divide by are offered.
pub fn cycle_format(model: &Model, state: &PlanState, target: &Target, forward: bool) -> Outcome {
    let pairs = requested(state, target);
    if let Some(refused) = nothing_ternary(model, state, target, &pairs, "format") {
        return refused;
    }
    let current = pairs.first().filter(|_| !target.is_model()).map_or(state.recipe().format, |(_, format, _)| *format);
    if target.is_model() {
        return set_format(model, state, target, step(&Format::ALL, current, forward));
    }
    let single = if let Target::Tensor(index) = target { Some(&model.tensors[*index]) } else { None };
    let fits = |f: &Format| single.is_none_or(|t| f.takes(t.row_len(), t.elements()));
    // A file is for one runtime.
    let runtime = state.recipe().format.only_in();
    let offered: Vec<Format> = Format::ALL.into_iter().filter(|f| f.only_in() == runtime && fits(f)).collect();
    match (offered.as_slice(), single) {
        ([only], Some(t)) => {
            let what = format!("of the formats for this runtime only {only} takes rows of {}", t.row_len());
            return Outcome::Refused(what);
        }
        ([], Some(t)) => return Outcome::Refused(format!("rows of {} fit no such format", t.row_len())),
        _ => {}
    }
    set_format(model, state, target, step(&offered, current, forward))
}

/// This format for the ternary tensors of the target; of the model as a whole, as the recipe's default.
pub fn set_format(model: &Model, state: &PlanState, target: &Target, next: Format) -> Outcome {
    let pairs = requested(state, target);
    if let Some(refused) = nothing_ternary(model, state, target, &pairs, "format") {
        return refused;
    }
    if target.is_model() {
        let mut recipe = state.recipe().clone();
        recipe.format = next;
        clear_explicit(model, state, &mut recipe, true);
        return Outcome::Changed(format!("format {next} for the model"), recipe);
    }
    let pairs = pairs.into_iter().map(|(tensor, _, method)| (tensor, next, method)).collect::<Vec<_>>();
    explicit(model, state, target, &pairs, &format!("format {next}"))
}

/// The next mask that makes anything ternary here; the next, where none does.
pub fn cycle_mask(model: &Model, state: &PlanState) -> Outcome {
    let next = step(&Mask::ALL, state.recipe().layers, true);
    let with = |layers: Mask| Recipe { layers, ..state.recipe().clone() };
    let selects = |layers: &Mask| state.live().plan_of(model, &with(*layers)).totals.ternary_tensors > 0;
    let all = std::iter::successors(Some(next), |mask| Some(step(&Mask::ALL, *mask, true)));
    set_mask(state, all.take(Mask::ALL.len() - 1).find(selects).unwrap_or(next))
}

/// This mask.
pub fn set_mask(state: &PlanState, mask: Mask) -> Outcome {
    let mut recipe = state.recipe().clone();
    recipe.layers = mask;
    Outcome::Changed(format!("mask {}", recipe.layers.name()), recipe)
}

/// What is asked of the target's ternary tensors.
fn requested(state: &PlanState, target: &Target) -> Vec<(usize, Format, Method)> {
    let ternary = |t: &usize| match (state.decision(*t).is_ternary(), state.decision(*t).requested) {
        (true, Some((format, method))) => Some((*t, format, method)),
        _ => None,
    };
    target.tensors().iter().filter_map(ternary).collect()
}

/// Why a method or format says nothing of a target of which nothing goes ternary. The row of the whole model is the way to
/// what holds everywhere.
fn nothing_ternary(
    model: &Model,
    state: &PlanState,
    target: &Target,
    pairs: &[(usize, Format, Method)],
    what: &str,
) -> Option<Outcome> {
    if target.is_model() || !pairs.is_empty() {
        return None;
    }
    let label = target.label(model);
    let able = target.tensors().iter().any(|t| state.outlook(*t).eligible);
    let first = match target {
        Target::Tensor(index) => match stays(state, *index, &model.tensors[*index]) {
            Some(why) => return Some(Outcome::Refused(format!("{label} {why}: there is no {what} to choose"))),
            None => format!("{label} does not go ternary"),
        },
        _ => format!("{label}: nothing here goes ternary"),
    };
    let way = if able { "space makes it, then choose" } else { "choose" };
    Some(Outcome::Refused(format!("{first}: {way} the {what}; for all that does, from the model's row")))
}

/// Rules that ask for these formats and methods: one for the subtree if they agree and it has nothing else that could
/// go ternary, else one a tensor.
fn explicit(
    model: &Model,
    state: &PlanState,
    target: &Target,
    pairs: &[(usize, Format, Method)],
    what: &str,
) -> Outcome {
    let recipe = state.recipe();
    let action = |format: Format, method: Method| Action::Ternary {
        format: (format != recipe.format).then_some(format),
        method: (method != recipe.method).then_some(method),
    };
    let agree = pairs.windows(2).all(|w| (w[0].1, w[0].2) == (w[1].1, w[1].2));
    let able = target.tensors().iter().filter(|t| state.outlook(**t).eligible).count();
    let name = format!("{what} for {}", target.label(model));
    let pattern = match target.pattern() {
        Ok(pattern) => pattern,
        Err(why) => return Outcome::Refused(why),
    };
    let next = match (pattern, pairs.first()) {
        (Some((pattern, prefix)), Some((_, format, method))) if agree && able == pairs.len() => {
            let rule = Rule { pattern, action: action(*format, *method) };
            with_rules(model, state.live(), state.recipe(), prefix, vec![rule])
        }
        _ => {
            let mut asked: Vec<(Action, Vec<usize>)> = Vec::new();
            for (tensor, format, method) in pairs {
                let action = action(*format, *method);
                match asked.iter_mut().find(|(known, _)| *known == action) {
                    Some((_, tensors)) => tensors.push(*tensor),
                    None => asked.push((action, vec![*tensor])),
                }
            }
            let rules = asked.into_iter().flat_map(|(action, tensors)| {
                patterns::of(model, &tensors).into_iter().map(move |pattern| Rule { pattern, action })
            });
            with_rules(model, state.live(), state.recipe(), None, rules.collect())
        }
    };
    Outcome::Changed(name, next)
}

/// Takes the format or the method out of every rule, so that the default holds again; and the rules that then say no more
/// than what holds without them.
fn clear_explicit(model: &Model, state: &PlanState, recipe: &mut Recipe, formats: bool) {
    let mut others = Vec::new();
    for rule in &mut recipe.rules {
        let had = match &mut rule.action {
            Action::Ternary { format, .. } if formats => format.take().is_some(),
            Action::Ternary { method, .. } => method.take().is_some(),
            Action::Keep { .. } => false,
        };
        if !had || rule.action != Action::TERNARY {
            others.push(rule.clone());
        }
    }
    if others.len() == recipe.rules.len() {
        return;
    }
    let without = Recipe { rules: others, ..recipe.clone() };
    let plan = |recipe: &Recipe| state.live().plan_of(model, recipe);
    if plan(recipe).decisions.differing(&plan(&without).decisions, |a, b| a.step == b.step).is_empty() {
        *recipe = without;
    }
}

/// The recipe with rules added, without those that they make meaningless, and without themselves if nothing changes.
/// `prefix` is what the one rule's pattern was made from, if it is a subtree's.
pub(super) fn with_rules(
    model: &Model,
    live: &Live,
    recipe: &Recipe,
    prefix: Option<&str>,
    rules: Vec<Rule>,
) -> Recipe {
    let mut next = recipe.clone();
    let named: BTreeSet<String> = rules.iter().map(|r| r.pattern.to_string()).collect();
    let ternary = rules.first().is_some_and(|r| !r.action.keeps());
    let literal = prefix.and_then(|p| Pattern::prefix(p).ok()).map(|p| p.to_string());
    let literal = literal.as_deref().and_then(|text| text.strip_suffix('*'));
    // What picks several tensors stands for the names that it picks, unless these lift a protection.
    let broad: Vec<&Pattern> = rules.iter().map(|r| &r.pattern).filter(|p| prefix.is_none() && !p.is_exact()).collect();
    let called = |name: &str| live.tensor(model, name);
    next.rules.retain(|old| {
        let text = old.pattern.to_string();
        if named.contains(&text) {
            return false;
        }
        if let Pattern::Name(name) = &old.pattern
            && !broad.is_empty()
            && let Some(tensor) = called(name)
            && broad.iter().any(|pattern| pattern.matches(tensor))
        {
            return ternary && Protection::of(tensor).is_some();
        }
        match (&old.pattern, prefix, literal) {
            // A subtree's rule passes over what is protected; a name's override stays beside it.
            (Pattern::Name(name), Some(prefix), _) if name.starts_with(prefix) => {
                ternary && called(name).is_some_and(|t| Protection::of(t).is_some())
            }
            (Pattern::Glob(glob), _, Some(literal)) => {
                !glob.text().strip_suffix('*').is_some_and(|old| old.starts_with(literal) && is_literal(old))
            }
            _ => true,
        }
    });
    if live.would_change(model, &next, &rules) {
        next.rules.extend(rules);
    }
    next
}

/// Whether a glob's text is what [`Pattern::prefix`] makes of a name: no wildcard that is not bracketed.
fn is_literal(glob: &str) -> bool {
    let mut rest = glob;
    while let Some(at) = rest.find(['*', '?', '[', ']', '{', '}', '\\']) {
        let bracketed = rest[at..].starts_with('[') && rest[at..].chars().nth(2) == Some(']');
        if !bracketed {
            return false;
        }
        rest = &rest[at + 3..];
    }
    true
}

fn step<T: Copy + PartialEq>(all: &[T], current: T, forward: bool) -> T {
    let len = all.len().max(1);
    let at = all.iter().position(|x| *x == current).map_or(0, |i| if forward { i + 1 } else { i + len - 1 });
    all.get(at % len).copied().unwrap_or(current)
}

fn count(n: usize) -> String {
    if n == 1 { "1 tensor".to_owned() } else { format!("{n} tensors") }
}
