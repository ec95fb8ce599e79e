//! A method and a format chosen from the table of methods, put into the recipe for a tensor, its role or the model.

use super::edit::{Outcome, with_rules};
use super::plan::PlanState;
use crate::engine::model::{Model, RoleSet};
use crate::engine::plan::{Action, Pattern, Recipe, Rule};
use crate::engine::ternary::{Format, Method};

/// What a choice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The tensor.
    Tensor,
    /// Every tensor of its role.
    Role,
    /// Everything that goes ternary: the recipe's defaults.
    Model,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Tensor, Self::Role, Self::Model];
}

/// The recipe with the choice in it. Of a file, every tensor is for one runtime: formats of another can be had for the
/// model only.
pub fn apply(
    model: &Model,
    state: &PlanState,
    (scope, index): (Scope, usize),
    (format, method): (Format, Method),
) -> Outcome {
    let (tensor, recipe) = (&model.tensors[index], state.recipe());
    let what = format!("{method} {format}");
    if scope == Scope::Model {
        let mut next = Recipe { format, method, ..recipe.clone() };
        for rule in &mut next.rules {
            if let Action::Ternary { format, method } = &mut rule.action {
                (*format, *method) = (None, None);
            }
        }
        return Outcome::Changed(format!("{what} for the model"), next);
    }
    if format.only_in() != recipe.format.only_in() {
        let of = |format: Format| format.only_in().unwrap_or("llama.cpp");
        let why = format!(
            "{format} is for {}, the model's {} for {}: it can be had for the whole model only",
            of(format),
            recipe.format,
            of(recipe.format)
        );
        return Outcome::Refused(why);
    }
    let action = Action::Ternary {
        format: (format != recipe.format).then_some(format),
        method: (method != recipe.method).then_some(method),
    };
    let label = crate::text::escape(&tensor.name);
    if scope == Scope::Tensor {
        if let Some(p) = state.decision(index).protection.filter(|_| !state.decision(index).is_ternary()) {
            let how = if p.is_absolute() { "" } else { ": space twice lifts that" };
            return Outcome::Refused(format!("{label} is protected ({}){how}", p.describe()));
        }
        let rule = Rule { pattern: Pattern::name(&tensor.name), action };
        let next = with_rules(model, state.live(), recipe, None, vec![rule]);
        return checked(model, state, next, index, (format!("{what} for {label}"), (format, method)));
    }
    let role = tensor.role;
    let mut base = recipe.clone();
    // Rules for single tensors of the role give way; those that lift a protection stay.
    base.rules.retain(|rule| match &rule.pattern {
        Pattern::Name(name) => {
            let named = model.tensors.iter().position(|t| t.role == role && t.goes_by(name));
            named.is_none_or(|i| state.decision(i).protection.is_some())
        }
        _ => true,
    });
    let rule = Rule { pattern: Pattern::Role(RoleSet::One(role)), action };
    let next = with_rules(model, state.live(), &base, None, vec![rule]);
    checked(model, state, next, index, (format!("{what} for role {}", role.name()), (format, method)))
}

/// Refuses a recipe under which the tensor does not become what was chosen.
fn checked(
    model: &Model,
    state: &PlanState,
    next: Recipe,
    index: usize,
    (name, chosen): (String, (Format, Method)),
) -> Outcome {
    let decision = state.live().would_be(model, index, &next);
    if decision.is_ternary() && decision.requested == Some(chosen) {
        Outcome::Changed(name, next)
    } else {
        let label = crate::text::escape(&model.tensors[index].name);
        Outcome::Refused(format!("{label}: {}", decision.reason_text()))
    }
}
