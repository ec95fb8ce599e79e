//! A plan that follows its recipe step by step is the plan that the resolver makes of the recipe: after edits, undo, redo,
//! budgets and presets, fallbacks, and where types take each other's numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use support::{Kv, Tiny};
use tritscope::engine::codec::DType;
use tritscope::engine::model::Model;
use tritscope::engine::plan::budget::Figure;
use tritscope::engine::plan::{
    Action, Budget, Fallback, Faults, Live, Mask, Plan, Precision, Recipe, Rule, Touched, Winner, resolve,
};
use tritscope::engine::ternary::{Format, Method};
use tritscope::tui::state::presets::Preset;

/// Experts merged and apart, rows that divide by 256, by 128, by 64 and by nothing, protections of each kind, types that
/// are ternary already and types that hide behind the same numbers.
static MODEL: LazyLock<Arc<Model>> = LazyLock::new(|| {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(3)).kv("llama.expert_count", Kv::U32(2));
    for layer in 0..3u64 {
        let rows = [256, 128, 320][layer as usize];
        for part in ["attn_q", "attn_k", "ffn_up_shexp", "ffn_gate_inp"] {
            tiny = tiny.normal(&format!("blk.{layer}.{part}.weight"), &[rows, 4], layer + 1);
        }
        tiny = tiny
            .normal(&format!("blk.{layer}.ffn_up_exps.weight"), &[256, 4, 2], layer + 7)
            .normal(&format!("blk.{layer}.ffn_down_exps.weight"), &[96, 4, 2], layer + 8)
            .normal(&format!("blk.{layer}.attn_norm.weight"), &[256], layer + 9)
            .normal(&format!("blk.{layer}.attn_q.bias"), &[256], layer + 10);
    }
    let model = tiny
        .normal("token_embd.weight", &[256, 8], 40)
        .normal("output.weight", &[256, 8], 41)
        .normal("odd*name.weight", &[256, 2], 42)
        .tensor("old.weight", &[256, 2], DType::TQ2_0, vec![0x55; 132])
        .tensor("older.weight", &[64, 2], DType::Q2_0, vec![0x55; 36])
        .tensor("ids", &[256, 4], DType::I32, vec![0; 4096])
        .open()
        .unwrap();
    Arc::new(model)
});

const PATTERNS: [&str; 16] = [
    "blk.0.attn_q.weight",
    "blk.1.ffn_gate_inp.weight",
    "token_embd.weight",
    "name:odd*name.weight",
    "nobody",
    "blk.*",
    "blk.1.*",
    "*.weight",
    "blk.*.ffn_up_exps.weight",
    "re:^blk\\.(0|2)\\.attn_",
    "re:old",
    "role:expert",
    "role:attn",
    "role:router",
    "older.weight",
    "*",
];

/// A step that somebody could take.
#[derive(Debug, Clone)]
enum Edit {
    Add(usize, Action),
    AddMany(Vec<(usize, Action)>),
    Insert(usize, usize, Action),
    Remove(usize),
    Again(usize),
    Swap(usize, usize),
    Set(usize, Action),
    Format(Format),
    Method(Method),
    Mask(Mask),
    Fallback(Fallback),
    Keep(Precision),
    Unprotect(usize),
    Preset(usize),
    Budget(u64),
    Undo(usize),
}

fn actions() -> impl Strategy<Value = Action> {
    let format = prop::option::of(prop::sample::select(Format::ALL.to_vec()));
    let method = prop::option::of(prop::sample::select(Method::ALL.to_vec()));
    prop_oneof![
        Just(Action::KEEP),
        Just(Action::TERNARY),
        prop::sample::select(Precision::ALL.to_vec()).prop_map(|(p, _)| Action::Keep { precision: Some(p) }),
        (format, method).prop_map(|(format, method)| Action::Ternary { format, method }),
    ]
}

fn edits() -> impl Strategy<Value = Edit> {
    let pattern = 0..PATTERNS.len();
    let precisions = vec![Precision::Source, Precision::F16, Precision::Q8_0, Precision::Q4_0];
    prop_oneof![
        8 => (pattern.clone(), actions()).prop_map(|(p, a)| Edit::Add(p, a)),
        2 => prop::collection::vec((pattern.clone(), actions()), 1..4).prop_map(Edit::AddMany),
        2 => (pattern.clone(), 0..9usize, actions()).prop_map(|(p, at, a)| Edit::Insert(p, at, a)),
        3 => (0..9usize).prop_map(Edit::Remove),
        3 => (0..9usize).prop_map(Edit::Again),
        1 => (0..9usize, 0..9usize).prop_map(|(a, b)| Edit::Swap(a, b)),
        2 => (0..9usize, actions()).prop_map(|(i, a)| Edit::Set(i, a)),
        1 => prop::sample::select(Format::ALL.to_vec()).prop_map(Edit::Format),
        1 => prop::sample::select(Method::ALL.to_vec()).prop_map(Edit::Method),
        1 => prop::sample::select(Mask::ALL.to_vec()).prop_map(Edit::Mask),
        1 => prop::sample::select(vec![Fallback::Q2_0, Fallback::None]).prop_map(Edit::Fallback),
        1 => prop::sample::select(precisions).prop_map(Edit::Keep),
        1 => pattern.prop_map(Edit::Unprotect),
        1 => (0..4usize).prop_map(Edit::Preset),
        1 => (1..100u64).prop_map(Edit::Budget),
        4 => (1..6usize).prop_map(Edit::Undo),
    ]
}

fn rule(pattern: usize, action: Action) -> Rule {
    Rule { pattern: PATTERNS[pattern].parse().unwrap(), action }
}

/// The recipe after a step; `before` are those that were in force earlier, oldest first.
fn next(model: &Model, recipe: &Recipe, before: &[Recipe], edit: &Edit) -> Recipe {
    let mut next = recipe.clone();
    let len = next.rules.len();
    match edit {
        Edit::Add(p, a) => next.rules.push(rule(*p, *a)),
        Edit::AddMany(rules) => next.rules.extend(rules.iter().map(|(p, a)| rule(*p, *a))),
        Edit::Insert(p, at, a) => next.rules.insert(at % (len + 1), rule(*p, *a)),
        Edit::Remove(at) if len > 0 => drop(next.rules.remove(at % len)),
        // Out of its place and to the end, as a key that is pressed again does it.
        Edit::Again(at) if len > 0 => {
            let rule = next.rules.remove(at % len);
            next.rules.push(rule);
        }
        Edit::Swap(a, b) if len > 0 => next.rules.swap(a % len, b % len),
        Edit::Set(at, action) if len > 0 => next.rules[at % len].action = *action,
        Edit::Format(format) => next.format = *format,
        Edit::Method(method) => next.method = *method,
        Edit::Mask(mask) => next.layers = *mask,
        Edit::Fallback(fallback) => next.fallback = *fallback,
        Edit::Keep(precision) => next.keep_precision = *precision,
        Edit::Unprotect(p) => match PATTERNS[*p].parse() {
            Ok(pattern) if !next.unprotect.contains(&pattern) => next.unprotect.push(pattern),
            _ => next.unprotect.clear(),
        },
        Edit::Preset(at) => return Preset::ALL[*at].recipe(model, recipe).unwrap(),
        Edit::Budget(percent) => {
            let mut budget = Budget::new(model, recipe, &Faults::default());
            budget.rank(|t, _, _| Some(Figure { rel_mse: 1.0 + (t * 7 % 5) as f64, sum_e2: 1.0, sum_w2: 2.0 }));
            let count = budget.order().items().len() * *percent as usize / 100;
            return budget.recipe(model, recipe, count);
        }
        Edit::Undo(steps) => return before.iter().rev().nth(*steps).unwrap_or(recipe).clone(),
        Edit::Remove(_) | Edit::Again(_) | Edit::Swap(..) | Edit::Set(..) => {}
    }
    next
}

fn check(live: &Live, model: &Model, touched: &Touched, before: &Plan) {
    let full = resolve(model, live.recipe());
    assert_eq!(**live.plan(), full, "after {:?}", live.recipe());
    let Touched::These(tensors) = touched else { return };
    for (index, (old, new)) in before.decisions.iter().zip(&full.decisions).enumerate() {
        let same = (old.step, old.requested, &old.reason) == (new.step, new.requested, &new.reason);
        assert!(same || tensors.contains(&index), "{} changed untold", model.tensors[index].name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn step_by_step_is_all_at_once(edits in prop::collection::vec(edits(), 1..24)) {
        let model = &*MODEL;
        let mut live = Live::new(model, Recipe::default());
        let mut before = Vec::new();
        for edit in &edits {
            let recipe = next(model, live.recipe(), &before, edit);
            let old = Arc::clone(live.plan());
            let (last, touched) = live.step(model, recipe);
            check(&live, model, &touched, &old);
            before.push(last);
        }
    }

    #[test]
    fn rules_that_would_change_nothing_are_told(
        first in prop::collection::vec((0..PATTERNS.len(), actions()), 0..5),
        added in prop::collection::vec((0..PATTERNS.len(), actions()), 1..3),
        mask in prop::sample::select(Mask::ALL.to_vec()),
    ) {
        let model = &*MODEL;
        let rules = |list: &[(usize, Action)]| list.iter().map(|(p, a)| rule(*p, *a)).collect::<Vec<_>>();
        let recipe = Recipe { layers: mask, rules: rules(&first), ..Recipe::default() };
        let added = rules(&added);
        let mut with = recipe.clone();
        with.rules.extend(added.iter().cloned());
        let steps = |plan: &Plan| plan.decisions.iter().map(|d| (d.step, d.requested)).collect::<Vec<_>>();
        let (a, b) = (resolve(model, &recipe), resolve(model, &with));
        let live = Live::new(model, Recipe::default());
        prop_assert_eq!(live.would_change(model, &recipe, &added), steps(&a) != steps(&b));
    }
}

#[test]
fn an_edit_of_one_tensor_touches_one() {
    let model = &*MODEL;
    let mut live = Live::new(model, Recipe { layers: Mask::All, ..Recipe::default() });
    let mut recipe = live.recipe().clone();
    recipe.rules.push(rule(0, Action::KEEP));
    let (_, touched) = live.step(model, recipe);
    assert_eq!(touched, Touched::These(vec![model.find("blk.0.attn_q.weight").unwrap()]));
}

#[test]
fn the_model_has_what_the_properties_are_about() {
    let model = &*MODEL;
    let clash = Recipe {
        layers: Mask::All,
        rules: vec![rule(0, Action::Ternary { format: Some(Format::Q2_0G128), method: None })],
        ..Recipe::default()
    };
    let plan = resolve(model, &clash);
    assert!(plan.notes.iter().any(|n| n.code == "two-meanings") || plan.decisions.iter().any(|d| d.forced.is_some()));
    assert!(plan.totals.fallbacks > 0 && plan.totals.misses > 0, "{:?}", plan.totals);
    assert!(plan.totals.already_ternary_tensors > 0);
}

/// Who goes by several names is picked by its own, or by all of the others.
#[test]
fn other_names_are_asked_too() {
    let mut model = (**MODEL).clone();
    let at = model.find("blk.0.ffn_up_exps.weight").unwrap();
    model.tensors[at].aliases = vec!["experts.0.up".to_owned(), "experts.1.up".to_owned()];
    let rule = |text: &str| Rule { pattern: text.parse().unwrap(), action: Action::KEEP };
    for text in ["experts.*", "experts.0.*", "*.up", "re:^experts", "re:0.up$", "experts.0.up", "blk.0.*", "nobody.*"] {
        let recipe = Recipe { layers: Mask::All, rules: vec![rule(text)], ..Recipe::default() };
        let mut live = Live::new(&model, Recipe::default());
        live.step(&model, recipe.clone());
        let plan = resolve(&model, &recipe);
        assert_eq!(**live.plan(), plan, "{text}");
        let kept = plan.decisions[at].winner == Winner::Rule(0);
        assert_eq!(kept, ["experts.*", "*.up", "re:^experts", "blk.0.*"].contains(&text), "{text}");
    }
}
