//! How sensitivity, budget slider and comparison look, at two sizes: text, and below it how many cells have which style.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use support::{Kv, Tiny, f32_bytes};
use support_tui::beside::{Upto, beside, press};
use support_tui::shoot::{LARGE, SMALL, render, shoot_at, shoot_both};
use support_tui::{App, layered};
use tritscope::engine::codec::DType;
use tritscope::engine::preview::Depth;
use tritscope::tui::event::{Event, Saved};
use tritscope::tui::theme::Theme;

const SIZES: [(u16, u16); 2] = [SMALL, LARGE];

/// So many layers with an attention, a feed-forward and a norm each.
fn deep(layers: u32) -> Tiny {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(layers)).normal("token_embd.weight", &[256, 16], 1);
    for layer in 0..layers {
        let seed = u64::from(10 * layer + 10);
        tiny = tiny
            .normal(&format!("blk.{layer}.attn_norm.weight"), &[256], seed)
            .normal(&format!("blk.{layer}.attn_q.weight"), &[256, 32], seed + 1)
            .normal(&format!("blk.{layer}.attn_output.weight"), &[256, 32], seed + 2)
            .normal(&format!("blk.{layer}.ffn_up.weight"), &[256, 64], seed + 3);
    }
    tiny
}

/// A model in which nothing may go ternary.
fn stubborn() -> Tiny {
    Tiny::default().kv("llama.block_count", Kv::U32(1)).normal("blk.0.attn_norm.weight", &[256], 2)
}

/// Half of what is wanted has been measured.
fn half_measured(app: &mut App) {
    for want in app.wants().to_vec().iter().step_by(2) {
        app.deliver(want);
    }
    app.pass(std::time::Duration::from_millis(300));
}

#[test]
fn sensitivity() {
    let mut app = App::on(&stubborn());
    app.press("S");
    shoot_at(&mut app, "sensitivity_empty", &SIZES);
    let mut app = App::on(&deep(12));
    app.press("S");
    shoot_at(&mut app, "sensitivity_loading", &SIZES);
    half_measured(&mut app);
    shoot_at(&mut app, "sensitivity_partial", &SIZES);
    app.serve();
    app.press("x");
    app.pass(std::time::Duration::from_secs(60));
    shoot_at(&mut app, "sensitivity_done", &SIZES);
    app.press("v");
    shoot_both(&mut app, "sensitivity_rel_mse");
    app.press("W enter");
    let path = app.path("model-sensitivity");
    app.send(Event::ChartWritten { path, files: 3, result: Saved::Exists });
    shoot_at(&mut app, "sensitivity_write", &SIZES);
    app.press("enter");
    let path = app.path("model-sensitivity");
    let why = "model-sensitivity.svg: cannot write: No space left on device (os error 28)".to_owned();
    app.send(Event::ChartWritten { path, files: 0, result: Saved::Failed(why) });
    shoot_both(&mut app, "sensitivity_write_error");
}

#[test]
fn sensitivity_of_samples_says_so() {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(12));
    for layer in 0..12 {
        let rows = if layer == 0 { 2048 } else { 32 };
        tiny = tiny.normal(&format!("blk.{layer}.attn_q.weight"), &[512, rows], layer);
    }
    let mut app = App::on(&tiny);
    app.press("S");
    let wants = app.wants().to_vec();
    wants.iter().filter(|want| want.key.depth != Depth::Exact).for_each(|want| app.deliver(want));
    app.pass(std::time::Duration::from_secs(1));
    app.settle();
    let seen = support_tui::shoot::text(&render(&mut app, SMALL, &Theme::dark()));
    let line = |part: &str| seen.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}\n{seen}"));
    assert!(line("attn_q    ").contains("~7.4"), "the cell that was sampled\n{seen}");
    assert_eq!(line("attn_q    ").matches('~').count(), 1, "and no other\n{seen}");
    assert!(line("best ").contains("~ sampled"), "{seen}");
    assert!(line("by layer · ").contains("1 of 12 from samples (~)"), "{seen}");
    shoot_both(&mut app, "sensitivity_sampled");
}

#[test]
fn sensitivity_of_what_cannot_be_measured() {
    let spoilt = deep(2).tensor("blk.1.attn_k.weight", &[256, 2], DType::F32, f32_bytes(&[f32::NAN; 512]));
    let mut app = App::on(&spoilt);
    app.press("S");
    app.serve();
    app.press("pgup end down");
    shoot_at(&mut app, "sensitivity_error", &SIZES);
}

/// More layers than columns: the cursor's layer stays in sight.
#[test]
fn sensitivity_of_a_deep_model() {
    let mut app = App::on(&deep(200));
    app.press("S");
    app.serve();
    app.press("end");
    app.pass(std::time::Duration::from_secs(1));
    shoot_at(&mut app, "sensitivity_deep", &SIZES);
}

/// A rule that makes one tensor ternary, and one that keeps one.
fn pinned(app: &mut App) {
    app.go("blk.1.attn_q.weight");
    app.press("space L");
    app.go("blk.0.attn_q.weight");
    app.press("space");
    app.state.notices.dismiss();
}

#[test]
fn the_budget_slider_and_what_it_takes_in_the_tree() {
    let mut app = App::on(&stubborn());
    app.press("B");
    shoot_at(&mut app, "budget_empty", &SIZES);
    let mut app = App::on(&deep(3));
    pinned(&mut app);
    app.press("B");
    shoot_at(&mut app, "budget_loading", &SIZES);
    half_measured(&mut app);
    app.press("left left");
    shoot_at(&mut app, "budget_partial", &SIZES);
    app.serve();
    app.press("H H H");
    shoot_at(&mut app, "budget_done", &SIZES);
    app.press("tab");
    app.type_text("0.5");
    shoot_at(&mut app, "budget_error", &SIZES);
    app.press("esc esc");
    shoot_both(&mut app, "budget_left");
}

/// The other one: a tensor of other values, one of another type, one missing and one more.
fn other() -> Tiny {
    Tiny::default()
        .kv("llama.block_count", Kv::U32(2))
        .normal("token_embd.weight", &[256, 16], 1)
        .normal("blk.0.attn_norm.weight", &[256], 10)
        .normal("blk.0.attn_q.weight", &[256, 32], 99)
        .normal("blk.0.attn_output.weight", &[256, 16], 12)
        .normal("blk.0.extra.weight", &[256, 64], 13)
        .normal("blk.1.attn_q.weight", &[256, 32], 21)
}

#[test]
fn a_comparison() {
    for (name, upto) in [
        ("loading", Upto::Opening),
        ("error", Upto::Broken),
        ("partial", Upto::Half),
        ("done", Upto::Done),
        ("torn", Upto::Torn),
    ] {
        let mut app = App::on(&deep(2));
        beside(&mut app, &other(), upto);
        shoot_at(&mut app, &format!("compare_{name}"), &SIZES);
    }
    let mut app = App::on(&deep(2));
    beside(&mut app, &other(), Upto::Done);
    press(&mut app, "d s");
    shoot_at(&mut app, "compare_differ", &SIZES);
    press(&mut app, "t");
    shoot_both(&mut app, "compare_none_found");
    let mut app = App::on(&stubborn());
    app.press("C");
    let folder = app.folder.path().to_owned();
    app.show_folder(&folder, Vec::new());
    shoot_at(&mut app, "compare_choose_empty", &SIZES);
    let mut app = App::on(&stubborn());
    app.press("C");
    shoot_both(&mut app, "compare_choose_loading");
    let why = Err("cannot read the folder: Permission denied (os error 13)".to_owned());
    app.send(Event::Folder { path: folder_of(&app), entries: why });
    shoot_both(&mut app, "compare_choose_error");
}

fn folder_of(app: &App) -> std::path::PathBuf {
    app.folder.path().to_owned()
}

#[test]
fn no_size_panics() {
    for model in [deep(40), layered(), stubborn()] {
        let mut app = App::on(&model);
        for keys in ["S", "esc B", "esc C"] {
            app.press(keys);
            for size in [(1, 1), (60, 16), (61, 17), (79, 23), (99, 30), (120, 40), (200, 60), (400, 120)] {
                render(&mut app, size, &Theme::dark());
            }
            app.serve();
            for size in [(60, 16), (80, 24), (110, 31), (200, 60), (400, 120)] {
                render(&mut app, size, &Theme::plain());
            }
        }
    }
}

#[test]
fn the_menu_of_types() {
    let mut app = App::on(&layered());
    app.go("blk.0.attn_v.weight");
    app.press("c");
    shoot_at(&mut app, "types_tensor", &SIZES);
    app.press("esc");
    app.go("blk.1.");
    app.press("c j");
    shoot_both(&mut app, "types_subtree");
    app.press("end");
    shoot_at(&mut app, "types_little_room", &[(60, 16)]);
    app.press("esc");
    app.go("blk.0.attn_norm.weight");
    app.press("c");
    shoot_both(&mut app, "types_protected");
    // Nothing in it can be anything else.
    app.press("esc");
    app.go("output_norm.weight");
    app.press("c");
    shoot_both(&mut app, "types_norm");
}
