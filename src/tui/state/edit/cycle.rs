//! One key through everything that a tensor can become: kept, ternary, ternary in each other format that fits.

use super::{Outcome, Target, rules_for, toggle_tensor, with_rules};
use crate::engine::model::Model;
use crate::engine::plan::Action;
use crate::engine::ternary::{Format, Method};
use crate::tui::state::plan::PlanState;

/// The next type for the target. Where some of it goes ternary and some does not, all does first.
pub fn cycle_type(model: &Model, state: &PlanState, target: &Target) -> Outcome {
    let able: Vec<usize> = target.tensors().iter().copied().filter(|t| state.outlook(*t).eligible).collect();
    let label = target.label(model);
    if able.is_empty() {
        return match target {
            Target::Tensor(index) => toggle_tensor(model, state, *index, false),
            _ => Outcome::Refused(format!("{label}: nothing here can go ternary")),
        };
    }
    let asked: Vec<(Format, Method)> = able.iter().filter_map(|t| asked(state, *t)).collect();
    let offered = offered(model, state, &able);
    let next = match asked.first() {
        Some((format, _)) if asked.len() == able.len() => {
            let at = offered.iter().position(|f| f == format);
            at.map_or(offered.first(), |at| offered.get(at + 1)).copied()
        }
        _ => offered.first().copied(),
    };
    let recipe = state.recipe();
    let method = asked.first().map(|(_, method)| *method).filter(|m| asked.iter().all(|(_, other)| other == m));
    let (action, verb) = match next {
        None => (Action::Keep, "keep".to_owned()),
        Some(format) => {
            let action = Action::Ternary {
                format: (format != recipe.format).then_some(format),
                method: method.filter(|m| *m != recipe.method),
            };
            (action, format.dtype().to_string())
        }
    };
    match rules_for(model, target, &able, action) {
        Ok((prefix, rules)) => {
            Outcome::Changed(format!("{verb} {label}"), with_rules(model, state.live(), state.recipe(), prefix, rules))
        }
        Err(why) => Outcome::Refused(why),
    }
}

/// What is asked of a tensor that goes ternary.
fn asked(state: &PlanState, tensor: usize) -> Option<(Format, Method)> {
    let decision = state.decision(tensor);
    decision.requested.filter(|_| decision.is_ternary())
}

/// The recipe's format, then the others for the same runtime that take all of the rows, but the one that the recipe's
/// falls back to.
fn offered(model: &Model, state: &PlanState, able: &[usize]) -> Vec<Format> {
    let first = state.recipe().format;
    let fits = |f: Format| able.iter().map(|t| &model.tensors[*t]).all(|t| f.takes(t.row_len(), t.elements()));
    let rest = Format::ALL.into_iter().filter(|f| *f != first && f.only_in() == first.only_in() && fits(*f));
    let falls_back = !fits(first);
    std::iter::once(first).chain(rest.filter(|f| !(falls_back && *f == Format::Q2_0))).collect()
}
