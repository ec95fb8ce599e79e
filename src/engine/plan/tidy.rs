//! Rules that make exactly these tensors ternary, as few as say it: the way back from a choice to a recipe.
//!
//! Names are taken apart at the number of the layer. What all layers share is one glob; what some of them share is one
//! regular expression that lists the layers, or the glob and an exception, whichever is shorter.

use std::collections::BTreeMap;

use super::budget::Free;
use super::pattern::Pattern;
use super::recipe::{Mask, Recipe};
use super::resolve::{Plan, resolve};
use super::rule::{Action, Rule};
use crate::engine::model::{Model, Tensor};

/// What the free tensors of one name share, without the layer's number.
pub type Template<'a> = (&'a str, &'a str);

/// One of them: its layer's number as the name has it, and whether it is wanted.
struct Member<'a> {
    number: &'a str,
    tensor: usize,
    wanted: bool,
}

/// The recipe in which of the free tensors those go ternary that are `wanted`. The rules of `recipe` stay and are asked
/// last, so that what they decide stays decided.
pub(super) fn recipe(model: &Model, recipe: &Recipe, free: &[Free], wanted: impl Fn(usize) -> bool) -> Recipe {
    let fits = |plan: &Plan| free.iter().all(|f| plan.decisions[f.tensor].is_ternary() == wanted(f.tensor));
    for layers in [recipe.layers, Mask::Custom, Mask::All, Mask::Experts] {
        let masked = Recipe { layers, ..recipe.clone() };
        if fits(&resolve(model, &masked)) {
            return masked;
        }
    }
    let mut templates: BTreeMap<Template<'_>, Vec<Member<'_>>> = BTreeMap::new();
    for f in free {
        let (template, number) = split(&model.tensors[f.tensor]);
        let member = Member { number, tensor: f.tensor, wanted: wanted(f.tensor) };
        templates.entry(template).or_default().push(member);
    }
    let mut rules: Vec<Rule> = templates.iter().flat_map(|(template, all)| rules_of(model, *template, all)).collect();
    let with = |rules: &[Rule]| {
        let rules = rules.iter().chain(&recipe.rules).cloned().collect();
        Recipe { layers: Mask::Custom, rules, ..recipe.clone() }
    };
    let next = with(&rules);
    let plan = resolve(model, &next);
    if fits(&plan) {
        return next;
    }
    // A glob took more than was meant, or a protection was lifted for names only: those are said one by one.
    let wrong = free.iter().filter(|f| plan.decisions[f.tensor].is_ternary() != wanted(f.tensor));
    rules.extend(wrong.map(|f| one(model, f.tensor, wanted(f.tensor))));
    with(&rules)
}

/// A name before and behind the layer's number, and the number; a name without one as a whole.
pub fn split(tensor: &Tensor) -> (Template<'_>, &str) {
    let name = tensor.name.as_str();
    let whole = ((name, ""), "");
    let Some(layer) = tensor.layer else { return whole };
    let mut from = 0;
    for part in name.split('.') {
        if part.parse() == Ok(layer) {
            return ((&name[..from], &name[from + part.len()..]), part);
        }
        from += part.len() + 1;
    }
    whole
}

fn rules_of(model: &Model, (before, behind): Template<'_>, all: &[Member<'_>]) -> Vec<Rule> {
    let (taken, left): (Vec<&Member<'_>>, Vec<&Member<'_>>) = all.iter().partition(|m| m.wanted);
    let named = |members: &[&Member<'_>]| members.iter().map(|m| one(model, m.tensor, m.wanted)).collect();
    let every = || Pattern::between(before, behind);
    let listed = |members: &[&Member<'_>]| {
        let numbers: Vec<&str> = members.iter().map(|m| m.number).collect();
        let (before, behind) = (regex::escape(before), regex::escape(behind));
        format!("re:^{before}({}){behind}$", numbers.join("|")).parse::<Pattern>()
    };
    let ternary = |pattern| Rule { pattern, action: Action::TERNARY };
    let keep = |pattern| Rule { pattern, action: Action::KEEP };
    let rules = match (taken.len(), left.len()) {
        (0, _) => Ok(Vec::new()),
        (1, _) => return named(&taken),
        (_, 0) => every().map(|pattern| vec![ternary(pattern)]),
        (some, rest) if some <= rest => listed(&taken).map(|pattern| vec![ternary(pattern)]),
        (_, 1) => every().map(|pattern| vec![ternary(pattern), one(model, left[0].tensor, false)]),
        _ => every().and_then(|pattern| Ok(vec![ternary(pattern), keep(listed(&left)?)])),
    };
    // A pattern that cannot be made, such as one of a hundred thousand layers, is written out.
    rules.unwrap_or_else(|_| named(&taken))
}

fn one(model: &Model, tensor: usize, wanted: bool) -> Rule {
    let action = if wanted { Action::TERNARY } else { Action::KEEP };
    Rule { pattern: Pattern::name(&model.tensors[tensor].name), action }
}
