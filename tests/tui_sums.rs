//! Sums that follow changes are the sums made anew, and what is kept in memory stays within its bounds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;
mod support_tui;

use std::sync::Arc;

use proptest::prelude::*;
use support_tui::{App, layered};
use tritscope::engine::plan::Mask;
use tritscope::engine::preview::{Ask, Depth, measure_weighted};
use tritscope::engine::progress::Cancel;
use tritscope::engine::stats::Estimate;
use tritscope::engine::ternary::{Format, Method};
use tritscope::tui::state::previews::Previews;
use tritscope::tui::state::summary::{Summaries, Summary};
use tritscope::tui::state::tree::Item;

fn close(a: Option<Estimate>, b: Option<Estimate>) -> bool {
    let near = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-12);
    match (a, b) {
        (Some(a), Some(b)) => near(a.value, b.value) && near(a.low, b.low) && near(a.high, b.high),
        (a, b) => a.is_none() && b.is_none(),
    }
}

fn counts(sum: &Summary) -> ([usize; 8], [u64; 4], [u64; 4]) {
    let tensors =
        [sum.tensors, sum.eligible, sum.ternary, sum.already, sum.measured, sum.exact, sum.tried, sum.tried_exact];
    (tensors, [sum.params, sum.ternary_params, sum.bytes, sum.new_bytes], sum.mix.0)
}

fn check(app: &App) {
    let session = app.session();
    let anew = Summaries::new(&session.model, &session.tree, &session.plan, &session.previews);
    let nodes = (0..session.tree.tree().nodes.len()).map(Item::Node);
    for item in nodes.chain([Item::Model]) {
        let (followed, made) = (session.summaries.of(item), anew.of(item));
        assert_eq!(counts(&followed), counts(&made), "{}", session.tree.path(item));
        assert!(close(followed.error, made.error), "{:?} {:?}", followed.error, made.error);
        assert!(close(followed.what_if, made.what_if), "{:?} {:?}", followed.what_if, made.what_if);
    }
}

/// What is pressed; `!` stands for a measurement that arrives.
const KEYS: [&str; 16] = ["j", "k", "j", "j", " ", " ", "u", "ctrl-r", "L", "m", "f", "r", "t", "!", "!", "!"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sums_follow_keys_and_figures(keys in prop::collection::vec(0..KEYS.len(), 1..60)) {
        let mut app = App::on(&layered());
        app.press("+");
        for key in keys {
            match KEYS[key] {
                "!" => {
                    if let Some(want) = app.wants().first().cloned() {
                        app.deliver(&want);
                    }
                }
                " " => drop(app.press("space")),
                key => drop(app.press(key)),
            }
            app.settle();
            check(&app);
        }
    }
}

#[test]
fn whole_reports_are_few_and_figures_are_one_a_tensor_and_format() {
    let app = App::on(&layered());
    let model = app.model();
    let tensor = app.tensor("blk.0.attn_q.weight");
    let ask = Ask {
        tensor,
        format: Format::Tq2_0,
        methods: &[Method::Exact],
        depth: Depth::SHOWN,
        imatrix: None,
        blind: false,
        weights: true,
    };
    let report = Arc::new(measure_weighted(&model, &ask, &Cancel::new()).unwrap());
    let mut previews = Previews::default();
    for tensor in 0..1000 {
        previews.insert((tensor, Format::Tq2_0), &report, true);
        previews.insert((tensor, Format::Tq2_0), &report, true);
    }
    let kept = (0..1000).filter(|t| previews.report((*t, Format::Tq2_0)).is_some()).collect::<Vec<_>>();
    assert_eq!(kept, (904..1000).collect::<Vec<_>>(), "the newest 96");
    assert!((0..1000).all(|t| previews.figures((t, Format::Tq2_0)).is_some()));
    assert!(previews.figures((0, Format::Q2_0)).is_none());
}

#[test]
fn steps_that_can_be_undone_are_five_hundred() {
    let app = App::on(&layered());
    let model = app.model();
    let mut plan = app.session().plan.clone();
    for i in 0..600 {
        let mut recipe = plan.recipe().clone();
        recipe.layers = Mask::ALL[(i + 1) % 3];
        assert!(plan.apply(&model, format!("step {i}"), recipe));
    }
    let undone = std::iter::from_fn(|| plan.undo(&model)).count();
    assert_eq!(undone, 500);
}
