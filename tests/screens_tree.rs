//! The tree as it looks: filtered, wrong, by role, sorted, scrolled.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use support::{Kv, Tiny};
use support_tui::shoot::{LARGE, MEDIUM, SMALL, compare, render, shoot_at, shoot_both};
use support_tui::{App, layered};
use tritscope::engine::codec::DType;
use tritscope::tui::state::fate::{Fate, why};
use tritscope::tui::theme::Theme;

/// A model of which everything that is wanted has been measured.
fn measured() -> App {
    let mut app = App::on(&layered());
    app.press("L");
    app.go("");
    app.serve();
    app.go("blk.0.attn_q.weight");
    app.serve();
    app
}

/// On the least screen names are cut; what is left of them differs.
#[test]
fn cut_names_differ() {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(1));
    let parts = ["attn_k", "attn_k_norm_of_cross", "attn_norm", "attn_q_norm_of_cross", "attn_v", "ffn_gate_up_exps"];
    for (seed, part) in parts.into_iter().enumerate() {
        tiny = tiny.normal(&format!("blk.0.{part}.weight"), &[256, 4], seed as u64);
    }
    let mut app = App::on(&tiny);
    app.serve();
    let seen = support_tui::shoot::text(&render(&mut app, (60, 16), &Theme::dark()));
    let name = |line: &str| Some(line.split_whitespace().nth(2)?.to_owned());
    let tensors =
        seen.lines().filter(|line| ["○", "P", "●"].iter().any(|mark| line.contains(&format!(" {mark}       "))));
    let cut: Vec<String> = tensors.filter_map(name).collect();
    let apart: std::collections::BTreeSet<&String> = cut.iter().collect();
    assert!(cut.len() == 6 && apart.len() == 6 && cut.iter().any(|name| name.contains('…')), "{cut:?}\n{seen}");
    shoot_at(&mut app, "tree_cut_names", &[(60, 16)]);
}

#[test]
fn filters() {
    let mut app = measured();
    app.press("/");
    shoot_at(&mut app, "tree_filter_empty", &[SMALL, LARGE]);
    app.type_text("role:attn sqnr>7.36 or is:protected dims:2 -layer");
    shoot_at(&mut app, "tree_filter_offers", &[SMALL, LARGE]);
    app.type_text(":x");
    shoot_at(&mut app, "tree_filter_wrong", &[SMALL, LARGE]);
    app.press("ctrl-u");
    app.type_text("layer:7");
    shoot_both(&mut app, "tree_filter_nothing");
    app.press("ctrl-u");
    app.type_text("name:re:attn_[qv]");
    app.press("enter");
    shoot_at(&mut app, "tree_filter_chip", &[SMALL, LARGE]);
    let mut app = App::on(&layered());
    app.press("/");
    app.type_text("sqnr<8");
    shoot_both(&mut app, "tree_filter_unmeasured");
}

#[test]
fn by_role_and_sorted() {
    let mut app = measured();
    app.press("r +");
    shoot_at(&mut app, "tree_roles", &[SMALL, LARGE]);
    app.press("<");
    shoot_at(&mut app, "tree_roles_by_error", &[SMALL, LARGE]);
    compare("tree_roles_plain_120x40", &render(&mut app, MEDIUM, &Theme::plain()));
}

#[test]
fn scrolled_with_its_folders_at_the_top() {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(12));
    for layer in 0..12u64 {
        tiny = tiny
            .normal(&format!("blk.{layer}.attn_norm.weight"), &[256], layer)
            .normal(&format!("blk.{layer}.attn_q.weight"), &[256, 8], layer)
            .normal(&format!("blk.{layer}.ffn_up.weight"), &[256, 16], layer)
            .normal(&format!("blk.{layer}.ffn_down.weight"), &[100, 16], layer);
    }
    let mut app = App::on(&tiny);
    app.press("L +");
    app.go("blk.11.ffn_up.weight");
    app.serve();
    shoot_at(&mut app, "tree_scrolled", &[SMALL, LARGE]);
}

#[test]
fn selections() {
    let mut app = measured();
    app.press("+");
    app.go("blk.0.attn_q.weight");
    app.press("*");
    app.go("blk.0.ffn_gate_inp.weight");
    app.press("v j");
    app.pass(std::time::Duration::from_secs(60));
    shoot_at(&mut app, "tree_selection", &[SMALL, LARGE]);
    compare("tree_selection_light_160x50", &render(&mut app, LARGE, &Theme::light()));
    compare("tree_selection_plain_120x40", &render(&mut app, MEDIUM, &Theme::plain()));
    app.press("v /");
    app.type_text("layer:0");
    app.press("enter -");
    app.pass(std::time::Duration::from_secs(60));
    shoot_at(&mut app, "tree_selection_filtered", &[SMALL, LARGE]);
}

#[test]
fn presets() {
    let mut app = measured();
    app.press("p j");
    shoot_at(&mut app, "tree_presets", &[SMALL, LARGE]);
    app.press("f ctrl-u");
    shoot_both(&mut app, "tree_read_recipe_empty");
    app.press("esc p f");
    shoot_both(&mut app, "tree_read_recipe");
    let path = app.path("mine.toml");
    let result =
        Err("mine.toml: TOML parse error at line 1, column 1\n  |\n1 | formt = 1\n  | ^^^^^\nunknown field".to_owned());
    app.send(tritscope::tui::event::Event::RecipeRead { path, result });
    shoot_at(&mut app, "tree_read_recipe_error", &[SMALL, LARGE]);
    let mut app = App::on(&support_tui::dense());
    app.press("p");
    shoot_both(&mut app, "tree_presets_empty");
}

/// One tensor of every fate.
fn fates() -> App {
    let mut holes = support::normals(256 * 8, 5);
    holes[700] = f32::NAN;
    let tiny = Tiny::default()
        .kv("llama.block_count", Kv::U32(1))
        .normal("blk.0.attn_k.weight", &[256, 8], 1)
        .normal("blk.0.attn_norm.weight", &[256], 2)
        .normal("blk.0.attn_q.weight", &[256, 8], 3)
        .normal("blk.0.attn_v.weight", &[320, 8], 4)
        .tensor("blk.0.ffn_down.weight", &[256, 8], DType::F32, support::f32_bytes(&holes))
        .normal("blk.0.ffn_gate_inp.weight", &[256, 4], 6)
        .normal("blk.0.ffn_gate.weight", &[100, 4], 7)
        .tensor("blk.0.ffn_up.weight", &[256, 8], DType::TQ2_0, vec![0; 8 * 66])
        .normal("output.weight", &[256, 8], 8);
    let mut app = App::on(&tiny);
    app.press("L");
    app.go("blk.0.attn_k.weight");
    app.press("space");
    app.go("blk.0.ffn_gate_inp.weight");
    app.press("space space");
    app.go("blk.0.ffn_down.weight");
    app.serve();
    app.pass(std::time::Duration::from_secs(60));
    app
}

#[test]
fn every_fate_has_a_sign_and_a_reason() {
    let mut app = fates();
    let of = |name: &str| (app.session().fate_of(app.tensor(name)), why(app.session(), app.tensor(name)));
    let found = [
        of("blk.0.attn_q.weight"),
        of("blk.0.attn_v.weight"),
        of("blk.0.ffn_gate_inp.weight"),
        of("blk.0.ffn_up.weight"),
        of("blk.0.attn_k.weight"),
        of("output.weight"),
        of("blk.0.ffn_gate.weight"),
        of("blk.0.ffn_down.weight"),
    ];
    let meant = [
        (Fate::Ternary, "mask all"),
        (Fate::FellBack, "rows of 320"),
        (Fate::Overridden, "router, overridden"),
        (Fate::Already, "is TQ2_0 already"),
        (Fate::Kept, "rule 1"),
        (Fate::Protected, "output head"),
        (Fate::Missed, "no block: rows of 100"),
        (Fate::Failed, "NaN or ∞ at 700"),
    ];
    assert_eq!(found, meant.map(|(fate, words)| (fate, words.to_owned())));
    let signs: std::collections::HashSet<char> = Fate::ALL.into_iter().map(Fate::sign).collect();
    assert_eq!(signs.len(), Fate::ALL.len());
    shoot_at(&mut app, "tree_fates", &[SMALL, LARGE, (200, 60)]);
    compare("tree_fates_light_160x50", &render(&mut app, LARGE, &Theme::light()));
    compare("tree_fates_plain_80x24", &render(&mut app, SMALL, &Theme::plain()));
}

#[test]
fn what_is_wrong_with_a_filter_is_told_in_full() {
    let mut app = App::on(&layered());
    app.press("/");
    app.type_text("attn_q or role:nonsense");
    shoot_both(&mut app, "tree_filter_wrong_at_length");
}
