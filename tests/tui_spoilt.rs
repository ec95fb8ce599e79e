//! Tensors with NaN: as soon as a look at them tells, the plan knows, and everything that reads the plan.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use support::{Kv, Tiny, f16_bytes, normals};
use support_tui::App;
use support_tui::shoot::{LARGE, SMALL, render, shoot_at, text};
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Diagnostic, Severity};
use tritscope::engine::plan::{Reason, resolve};
use tritscope::engine::preview::Depth;
use tritscope::engine::ternary::Format;
use tritscope::jobs::{CheckEvent, JobEvent};
use tritscope::tui::effect::Effect;
use tritscope::tui::event::Event;
use tritscope::tui::state::copying::Copying;
use tritscope::tui::state::fate::{Fate, why};
use tritscope::tui::state::tree::Item;
use tritscope::tui::theme::Theme;

const GOOD: &str = "blk.0.attn_q.weight";
const BAD: &str = "blk.0.ffn_up.weight";

/// A matrix whose weights are numbers, and one with a NaN far behind its beginning.
fn spoilt() -> Tiny {
    let mut weights = normals(256 * 32, 4);
    weights[300] = f32::NAN;
    Tiny::default()
        .kv("llama.block_count", Kv::U32(1))
        .normal(GOOD, &[256, 32], 3)
        .tensor(BAD, &[256, 32], DType::F16, f16_bytes(&weights))
        .normal("output.weight", &[256, 16], 5)
}

/// Both are asked for and measured.
fn measured() -> App {
    let mut app = App::on(&spoilt());
    app.press("L");
    app.go(BAD);
    app.serve();
    app
}

#[test]
fn what_holds_a_nan_is_out_of_the_plan_as_soon_as_a_preview_tells() {
    let mut app = App::on(&spoilt());
    app.press("L");
    assert_eq!(app.all_ternary(), [GOOD, BAD], "nobody has looked yet");
    app.go(BAD);
    app.serve();
    assert_eq!(app.all_ternary(), [GOOD]);
    let session = app.session();
    let decision = session.plan.decision(app.tensor(BAD));
    assert!(matches!(decision.reason, Reason::NotFinite(fault) if fault.element == Some(300)), "{decision:?}");
    assert_eq!(decision.new_type, DType::F16);
    assert_eq!(session.fate_of(app.tensor(BAD)), Fate::Failed);
    assert_eq!(why(session, app.tensor(BAD)), "NaN or ∞ at 300");
    let sum = session.summaries.of(Item::Model);
    assert_eq!((sum.ternary, sum.measured), (1, 1), "nothing is waited for");
    assert_eq!(session.plan.plan().totals.not_finite, 1);
    let notes: Vec<&str> = session.plan.plan().notes.iter().map(|n| n.message.as_str()).collect();
    assert!(
        notes.contains(&"1 tensor holds NaN or infinities and cannot go ternary: blk.0.ffn_up.weight"),
        "{notes:?}"
    );
    assert!(app.wants().is_empty(), "{:?}", app.wants());
}

#[test]
fn no_key_makes_it_ternary_and_each_says_why() {
    let mut app = measured();
    for key in ["space", "m"] {
        app.press(key);
        assert!(app.notice().contains("element 300 is NaN or infinite"), "{key}: {}", app.notice());
    }
    assert!(app.recipe().rules.is_empty());
    app.go("blk.0.");
    app.press("space");
    assert_eq!(app.notice(), "keep blk.0.*: -1 tensor", "it stands in nobody's way");
    app.press("u /");
    app.type_text("is:failed");
    assert_eq!(app.rows(), ["blk.", "blk.0.", BAD]);
}

#[test]
fn undoing_and_other_recipes_do_not_forget_it() {
    let mut app = measured();
    app.press("u ctrl-r L L");
    assert_eq!(app.recipe().layers, tritscope::engine::plan::Mask::All);
    assert_eq!(app.all_ternary(), [GOOD]);
}

#[test]
fn budget_and_sensitivity_leave_it_out() {
    let mut app = measured();
    app.press("B");
    app.serve();
    app.press("home");
    let slider = app.session().slider.as_ref().unwrap();
    let free: Vec<usize> = slider.budget.free().iter().map(|f| f.tensor).collect();
    assert_eq!((free, slider.missing), (vec![app.tensor(GOOD)], (0, 0)));
    app.press("esc S");
    app.serve();
    app.pass(std::time::Duration::from_secs(1));
    let view = &app.session().sensitivity;
    assert_eq!((view.eligible.0, view.measured), (2, (1, 1)), "it has a place in the picture, and no error");
    assert!(!view.is_measuring());
}

#[test]
fn an_export_is_told_beforehand_and_its_recipe_says_it_too() {
    let mut app = measured();
    app.press("Q");
    shoot_at(&mut app, "quantize_spoilt", &[SMALL, LARGE]);
    let effects = app.press("tab tab enter");
    let Some(Effect::Export { model, plan, recipe, .. }) =
        effects.into_iter().find(|e| matches!(e, Effect::Export { .. }))
    else {
        panic!("no export: {:?}", app.state.dialog)
    };
    assert_eq!(recipe.rules.last().unwrap().to_string(), format!("{BAD}=keep"));
    let again = resolve(&model, &recipe);
    let same = again.decisions.iter().zip(&plan.decisions).all(|(a, b)| a.step == b.step && a.new_type == b.new_type);
    assert!(same, "who knows nothing of the weights comes to the same");
    let command = Copying::Command.text(&app.state).unwrap();
    assert!(command.ends_with(&format!("--layers all --keep {BAD}")), "{command}");
}

#[test]
fn an_export_that_failed_at_it_tells_the_plan() {
    let mut app = App::on(&spoilt());
    app.press("L");
    app.go("");
    app.send(Event::Job(JobEvent::ExportMet { model: app.model(), tensor: BAD.to_owned() }));
    app.settle();
    let want = app.wants().iter().find(|want| want.key.tensor == app.tensor(BAD) && want.key.depth == Depth::Exact);
    let want = want.cloned().unwrap();
    app.deliver(&want);
    app.settle();
    assert_eq!(app.all_ternary(), [GOOD]);
}

#[test]
fn a_check_of_every_weight_tells_the_plan() {
    let mut app = App::on(&spoilt());
    app.press("L");
    let found = Diagnostic::tensor(Severity::Error, "non-finite", BAD, "1 of 8192 weights are NaN");
    let odd = Diagnostic::tensor(Severity::Warning, "zero-tensor", GOOD, "every weight is 0");
    let event = JobEvent::Check { model: app.model(), event: CheckEvent::Done(vec![found, odd]) };
    app.send(Event::Job(event));
    app.settle();
    assert_eq!(app.all_ternary(), [GOOD]);
    assert_eq!(why(app.session(), app.tensor(BAD)), "NaN or ∞");
}

#[test]
fn its_finite_weights_are_shown_beside_what_is_none() {
    let mut app = measured();
    app.press("3");
    let screen = text(&render(&mut app, LARGE, &Theme::dark()));
    // 8192 weights, of which one is NaN; the others of its block count too.
    for words in ["element 300 is NaN", "the 8.19K finite weights", "kurtosis", "zeros 0.0 % (0)", "NaN/Inf 1"] {
        assert!(screen.contains(words), "{words}\n{screen}");
    }
    let report = app.session().previews.report((app.tensor(BAD), Format::Tq2_0)).unwrap();
    assert_eq!((report.sums.n, report.sums.nan, report.weights.total()), (8191, 1, 8191));
}
