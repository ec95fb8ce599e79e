//! Every tab of the preview as it looks, in every state: nothing to show, nothing measured yet, a sample, everything, and
//! weights that are no numbers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use support::writers::prism_ml;
use support::{Kv, Tiny, f32_bytes};
use support_tui::matrix::imatrix;
use support_tui::shoot::{LARGE, SMALL, render, shoot_at, shoot_both, text};
use support_tui::{App, layered};
use tritscope::engine::codec::DType;
use tritscope::tui::theme::Theme;

const TABS: [&str; 8] = ["overview", "scales", "weights", "methods", "map", "block", "trits", "info"];
const QUERY: &str = "blk.0.attn_q.weight";

/// One layer: a tensor of more blocks than a sample has, one with a NaN, and a norm.
fn model() -> Tiny {
    let spoilt: Vec<f32> = (0..1024).map(|i| if i == 700 { f32::NAN } else { (i as f32 - 512.0) / 512.0 }).collect();
    Tiny::default()
        .kv("llama.block_count", Kv::U32(1))
        .normal("blk.0.attn_norm.weight", &[256], 2)
        .normal(QUERY, &[512, 2048], 3)
        .tensor("blk.0.attn_k.weight", &[256, 4], DType::F32, f32_bytes(&spoilt))
}

/// The preview has the keys, on a tensor, with a tab open.
fn on(tiny: &Tiny, tensor: &str, tab: usize) -> App {
    let mut app = App::on(tiny);
    app.go(tensor);
    app.press("L enter");
    app.press(&(tab + 1).to_string());
    app.state.notices.dismiss();
    app
}

/// What is seen first of the tensor under the cursor: a sample.
fn first_sight(app: &mut App) {
    let tensor = app.session().tree.selected_tensor();
    let first = app.wants().iter().find(|want| Some(want.key.tensor) == tensor).cloned();
    if let Some(want) = first {
        app.deliver(&want);
        app.settle();
    }
    if let Some(key) = app.looks().first().copied() {
        app.show(key);
    }
}

/// Shoots every tab after something was done to it.
fn every_tab(state: &str, tensor: &str, prepare: impl Fn(&mut App)) {
    for (tab, name) in TABS.into_iter().enumerate() {
        let mut app = on(&model(), tensor, tab);
        render(&mut app, SMALL, &Theme::dark());
        prepare(&mut app);
        shoot_both(&mut app, &format!("tab_{name}_{state}"));
    }
}

#[test]
fn tabs_of_what_never_goes_ternary() {
    every_tab("empty", "blk.0.attn_norm.weight", App::serve);
}

#[test]
fn tabs_before_anything_is_measured() {
    every_tab("loading", QUERY, |_| {});
}

#[test]
fn tabs_of_a_sample() {
    every_tab("partial", QUERY, first_sight);
}

#[test]
fn tabs_of_what_is_measured() {
    every_tab("done", QUERY, App::serve);
}

#[test]
fn tabs_of_weights_that_are_no_numbers() {
    every_tab("error", "blk.0.attn_k.weight", App::serve);
}

/// Beside the tree there are 36 columns at 80: every tab keeps its number.
#[test]
fn narrow_tabs_keep_all_their_numbers() {
    for (tab, name) in TABS.into_iter().enumerate() {
        let mut app = on(&model(), QUERY, tab);
        app.press("esc");
        app.serve();
        let seen = text(&render(&mut app, SMALL, &Theme::dark()));
        let border = seen.lines().nth(1).unwrap().to_owned();
        for number in 1..=8 {
            assert!(border.contains(&format!(" {number} ")), "{name}: {border}");
        }
        let open = format!("{} {}{}", tab + 1, name[..1].to_uppercase(), &name[1..]);
        assert!(border.contains(&open), "{name}: {border}");
        shoot_at(&mut app, &format!("tab_{name}_narrow"), &[SMALL]);
    }
}

#[test]
fn all_names_of_tabs_fit_at_eighty_columns() {
    let mut app = on(&model(), QUERY, 0);
    let seen = text(&render(&mut app, SMALL, &Theme::dark()));
    for name in TABS {
        let name = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        assert!(seen.lines().nth(1).unwrap().contains(&name), "{name}");
    }
}

#[test]
fn experts_as_large_tiles_and_as_small_ones() {
    let experts = "blk.0.ffn_up_exps.weight";
    let mut app = on(&layered(), experts, 4);
    app.press("x");
    app.serve();
    shoot_both(&mut app, "tab_map_experts");
    let mut app = on(&layered(), experts, 4);
    app.state.settings.imatrix = Some(imatrix(app.folder.path(), experts, 256, &[90.0, 7.0, 0.0, 30.0]));
    app.press("x i");
    app.serve();
    shoot_both(&mut app, "tab_map_expert_hits");
    let mut app = on(&layered(), experts, 4);
    app.press("x");
    shoot_both(&mut app, "tab_map_experts_loading");
    // One expert of four that holds what is no number, and blocks that run over the ends of the matrices.
    let spoilt: Vec<f32> = (0..256 * 16).map(|i| if i == 1700 { f32::NAN } else { (i % 17) as f32 - 8.0 }).collect();
    let spoilt = layered().tensor("blk.2.ffn_up_exps.weight", &[256, 4, 4], DType::F32, f32_bytes(&spoilt));
    let mut app = on(&spoilt, "blk.2.ffn_up_exps.weight", 4);
    app.press("x n w");
    app.serve();
    app.press("w");
    shoot_both(&mut app, "tab_map_experts_error");
    let many = Tiny::default().kv("llama.block_count", Kv::U32(1)).kv("llama.expert_count", Kv::U32(96)).normal(
        experts,
        &[256, 2, 96],
        5,
    );
    let mut app = on(&many, experts, 4);
    app.press("x");
    app.serve();
    shoot_both(&mut app, "tab_map_many_experts");
}

#[test]
fn what_is_typed_and_asked_over_a_tab() {
    let mut app = on(&model(), QUERY, 4);
    app.serve();
    app.press("g");
    app.type_text("12:1");
    shoot_both(&mut app, "tab_map_goto");
    app.type_text("2");
    app.press("enter");
    shoot_both(&mut app, "tab_map_goto_wrong");
    app.press("backspace enter + + v");
    app.serve();
    shoot_both(&mut app, "tab_map_zoomed");
    app.press("4");
    app.serve();
    app.press("enter");
    shoot_both(&mut app, "tab_methods_apply");
    let mut app = on(&model(), QUERY, 1);
    app.serve();
    app.press("b x");
    app.serve();
    shoot_both(&mut app, "tab_scales_overlay");
    let mut app = on(&model(), QUERY, 5);
    app.serve();
    app.press("v pgdn");
    shoot_both(&mut app, "tab_block_bytes");
}

#[test]
fn trits_of_what_is_ternary_already() {
    let (tiny, _) = prism_ml(DType::Q2_0_G128, 2);
    let mut app = on(&tiny, "blk.0.ffn_up.weight", 6);
    shoot_at(&mut app, "tab_trits_ternary_loading", &[SMALL, LARGE]);
    app.serve();
    shoot_both(&mut app, "tab_trits_ternary");
}
