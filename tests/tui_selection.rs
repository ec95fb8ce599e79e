//! What keys act on besides the row under the cursor: ranges, the same tensor in all layers, all else; and the types that
//! one key goes through.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use support::{Kv, Tiny};
use support_tui::{App, layered};
use tritscope::engine::codec::DType;
use tritscope::engine::model::RoleSet;
use tritscope::engine::plan::{Mask, Pattern, Recipe};
use tritscope::engine::ternary::{Format, Method};
use tritscope::tui::effect::Effect;
use tritscope::tui::event::Event;
use tritscope::tui::state::Dialog;

const QUERY: &str = "blk.0.attn_q.weight";

/// Layers of two matrices and a norm.
fn layers(count: u64) -> Tiny {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(count as u32));
    for layer in 0..count {
        tiny = tiny
            .normal(&format!("blk.{layer}.attn_norm.weight"), &[256], layer)
            .normal(&format!("blk.{layer}.attn_q.weight"), &[256, 4], layer)
            .normal(&format!("blk.{layer}.ffn_up.weight"), &[256, 4], layer);
    }
    tiny.normal("output.weight", &[256, 4], 1)
}

fn patterns(app: &App) -> Vec<String> {
    app.recipe().rules.iter().map(|rule| rule.pattern.to_string()).collect()
}

fn new_type(app: &App, name: &str) -> DType {
    app.session().plan.decision(app.tensor(name)).new_type
}

#[test]
fn a_range_of_rows_is_what_space_acts_on() {
    let mut app = App::on(&layers(4));
    app.press("+");
    app.go("blk.1.attn_norm.weight");
    app.press("v j j");
    assert_eq!(app.session().selected_count(), 3);
    app.press("space");
    assert_eq!(app.all_ternary(), ["blk.1.attn_q.weight", "blk.1.ffn_up.weight"]);
    assert!(app.notice().contains("ternary 3 tensors selected: +2 tensors"), "{}", app.notice());
    app.press("space");
    assert_eq!(app.all_ternary(), [""; 0], "the range stays for the next key");
    assert_eq!(app.rules(), [""; 0]);
    app.press("esc space");
    assert_eq!(app.all_ternary(), ["blk.1.ffn_up.weight"], "without a range it is the row under the cursor");
}

#[test]
fn closed_folders_count_with_all_that_is_in_them_and_open_ones_do_not() {
    let mut app = App::on(&layers(4));
    app.press("-");
    app.go("blk.0.");
    app.press("v j");
    assert_eq!(app.session().selected_count(), 6);
    app.press("space");
    assert_eq!(app.all_ternary().len(), 4);
    assert_eq!(
        patterns(&app),
        [r"re:^blk\.(0|1)\.attn_q\.weight$", r"re:^blk\.(0|1)\.ffn_up\.weight$"],
        "few rules say it"
    );
    app.press("esc");
    app.go("blk.2.");
    app.press("enter v j j");
    assert_eq!(app.session().selected_count(), 2, "the folder's own row stands for nothing while it is open");
    app.press("k k");
    assert_eq!(app.session().selected_count(), 0);
}

#[test]
fn ranges_that_are_kept_add_up() {
    let mut app = App::on(&layers(4));
    app.press("-");
    app.go("blk.0.");
    app.press("v v");
    app.go("blk.3.");
    app.press("v");
    assert_eq!(app.session().selected_count(), 6);
    app.press("v space");
    assert_eq!(app.all_ternary().len(), 4);
    assert!(app.ternary("blk.0.attn_q.weight") && app.ternary("blk.3.ffn_up.weight"));
    app.press("esc");
    assert_eq!(app.session().selected_count(), 0);
    assert!(app.session().selection().is_none());
}

#[test]
fn a_range_follows_its_row_when_folders_open_above_it() {
    let mut app = App::on(&layers(4));
    app.go("blk.2.");
    app.press("v j");
    app.press("+");
    assert_eq!(app.session().selected_count(), 3, "of two open folders the rows between their heads");
    app.press("- esc");
    assert!(app.session().tree.range().is_none());
}

#[test]
fn a_star_takes_the_tensor_in_all_layers_with_one_rule() {
    let mut app = App::on(&layers(12));
    app.go("blk.3.attn_q.weight");
    app.press("* space");
    assert_eq!(patterns(&app), ["blk.*.attn_q.weight"]);
    assert_eq!(app.all_ternary().len(), 12);
    assert!(app.notice().contains("ternary blk.*.attn_q.weight: +12"), "{}", app.notice());
    app.press("m");
    assert_eq!(
        app.rules(),
        ["Ternary { format: None, method: Some(Twn) } blk.*.attn_q.weight"],
        "all there is, and still the selection's"
    );
    assert_eq!(app.recipe().method, Method::Exact, "the model's own is changed from its row");
    assert_eq!(app.notice(), "method twn for blk.*.attn_q.weight · exact [twn] refit absmean max");
    app.press("esc");
    app.go("blk.3.");
    app.press("*");
    assert_eq!(app.session().selected_count(), 36, "a layer's tensors in every layer");
    app.press("esc");
    app.go("output.weight");
    app.press("*");
    assert!(app.notice().contains("belongs to no layer"), "{}", app.notice());
}

#[test]
fn a_rule_for_all_layers_stands_for_the_names_before_it() {
    let mut app = App::on(&layers(4));
    app.go("blk.0.attn_q.weight");
    app.press("space");
    app.go("blk.2.attn_q.weight");
    app.press("space");
    assert_eq!(app.recipe().rules.len(), 2);
    app.press("* space");
    assert_eq!(patterns(&app), ["blk.*.attn_q.weight"]);
}

#[test]
fn a_star_takes_only_what_the_filter_lets_through() {
    let mut app = App::on(&layers(6));
    app.press("/");
    app.type_text("layer:1..3");
    app.press("enter");
    app.go("blk.2.ffn_up.weight");
    app.press("* space");
    assert_eq!(app.all_ternary(), ["blk.1.ffn_up.weight", "blk.2.ffn_up.weight", "blk.3.ffn_up.weight"]);
    assert_eq!(patterns(&app), [r"re:^blk\.(1|2|3)\.ffn_up\.weight$"]);
    app.press("esc");
    assert!(app.session().tree.is_filtered(), "the selection goes first");
    app.press("esc");
    assert!(!app.session().tree.is_filtered());
}

#[test]
fn inverting_selects_all_else_that_can_go_ternary() {
    let mut app = App::on(&layers(3));
    app.go("blk.1.");
    app.press("I");
    assert_eq!(app.session().selected_count(), 4, "two layers of two matrices; norms and the head cannot");
    app.press("space");
    assert!(!app.ternary("blk.1.attn_q.weight") && app.ternary("blk.2.attn_q.weight"));
    app.press("I");
    assert_eq!(app.session().selected_count(), 2, "and back");
    app.press("esc");
    app.go("");
    app.press("I");
    assert!(app.notice().contains("nothing else"), "{}", app.notice());
}

#[test]
fn one_key_goes_through_the_types_and_comes_round() {
    let mut app = App::on(&layers(2));
    let name = "blk.0.attn_q.weight";
    app.go(name);
    let mut seen = Vec::new();
    for _ in 0..12 {
        app.press("t");
        seen.push(new_type(&app, name));
        if *seen.last().unwrap() == DType::F16 {
            break;
        }
    }
    let formats = [DType::TQ2_0, DType::TQ1_0, DType::Q2_0, DType::IQ1_S];
    let all: Vec<DType> = formats.into_iter().chain([DType::Q8_0, DType::Q6_K, DType::Q4_0, DType::F16]).collect();
    assert_eq!(seen, all, "the ternary formats, the smaller precisions, and as it was");
    assert_eq!(app.rules(), [""; 0]);
    app.press("* t t");
    assert_eq!((new_type(&app, "blk.1.attn_q.weight"), app.recipe().rules.len()), (DType::TQ1_0, 1));
    app.press("esc m");
    app.press("t");
    let requested = app.session().plan.decision(app.tensor(name)).requested;
    assert_eq!(requested, Some((Format::Q2_0, Method::Twn)), "the method that was chosen for it stays");
}

#[test]
fn types_of_what_falls_back_are_not_offered_twice() {
    let mut app = App::on(&layered());
    let name = "blk.0.attn_v.weight";
    app.go(name);
    app.press("t");
    assert_eq!(new_type(&app, name), DType::Q2_0, "rows of 320");
    app.press("t");
    assert_eq!(new_type(&app, name), DType::Q8_0, "Q6_K has no block for them");
    app.press("t t");
    assert_eq!(new_type(&app, name), DType::F16);
    app.go("blk.0.attn_norm.weight");
    app.press("t");
    assert!(app.notice().contains("protected (norm)"), "{}", app.notice());
    app.go("blk.0.ffn_gate_inp.weight");
    app.press("t t");
    assert!(!app.ternary("blk.0.ffn_gate_inp.weight"), "only space lifts a protection: {}", app.notice());
    assert_eq!(new_type(&app, "blk.0.ffn_gate_inp.weight"), DType::Q6_K, "a tensor by itself may be made smaller");
}

#[test]
fn a_subtree_takes_another_precision_but_for_what_is_protected() {
    let mut app = App::on(&layered());
    app.go("blk.0.");
    app.press("c");
    choose(&mut app, "q8_0");
    assert_eq!(app.recipe().rules[0].to_string(), "blk.0.*=keep:q8_0");
    assert_eq!(app.notice(), "Q8_0 blk.0.*: -1 tensor");
    assert_eq!(new_type(&app, QUERY), DType::Q8_0);
    assert_eq!(new_type(&app, "blk.0.ffn_gate_inp.weight"), DType::F16, "the router is protected");
    assert_eq!(new_type(&app, "blk.1.attn_q.weight"), DType::F16);
    app.press("space");
    assert!(app.ternary(QUERY) && app.recipe().rules.len() == 1, "{:?}", app.rules());
    app.press("u u");
    assert_eq!(app.recipe(), &Recipe::default());
}

#[test]
fn the_menu_of_types_says_what_each_takes_and_why_some_cannot_be_had() {
    let mut app = App::on(&layered());
    app.go("blk.0.attn_v.weight");
    app.press("c");
    let of = |app: &App, name: &str| {
        let Some(Dialog::Types(menu, _)) = &app.state.dialog else { panic!("no menu: {}", app.notice()) };
        menu.offers.iter().find(|offer| offer.chosen.name() == name).unwrap().bytes.clone()
    };
    assert_eq!(of(&app, "keep"), Ok(320 * 16 * 2));
    assert_eq!(of(&app, "q8_0"), Ok(320 * 16 / 32 * 34));
    assert_eq!(of(&app, "tq2_0"), Ok(320 * 16 / 64 * 18), "it falls back");
    assert_eq!(of(&app, "q6_k"), Err("rows of 320: no block of 256".to_owned()));
    assert!(of(&app, "i2_s").is_err_and(|why| why.contains("bitnet.cpp")));
    choose(&mut app, "q6_k");
    assert!(app.notice().contains("rows of 320") && app.state.dialog.is_some(), "{}", app.notice());
    app.press("esc");
    app.go("blk.0.attn_norm.weight");
    app.press("c");
    assert!(of(&app, "tq2_0").is_err_and(|why| why.contains("norm")));
    assert!(of(&app, "q8_0").is_err_and(|why| why.contains("norm")));
    app.press("esc");
    app.go("token_embd.weight");
    app.press("c");
    assert!(of(&app, "tq2_0").is_err_and(|why| why.contains("space overrides that")));
    app.press("space");
    assert_eq!(new_type(&app, "token_embd.weight"), DType::TQ2_0, "{}", app.notice());
    assert!(of(&app, "tq2_0").is_ok(), "the menu is still there");
    app.press("space");
    choose(&mut app, "q6_k");
    assert_eq!(new_type(&app, "token_embd.weight"), DType::Q6_K);
    assert_eq!(app.recipe().rules[0].to_string(), "token_embd.weight=keep:q6_k");
}

#[test]
fn a_type_can_be_typed_as_a_command() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press(":");
    app.type_text("type q4");
    app.press("enter");
    assert_eq!((new_type(&app, QUERY), app.notice()), (DType::Q4_0, "Q4_0 blk.0.attn_q.weight"));
    app.press(":");
    app.type_text("type keep");
    app.press("enter");
    assert_eq!(app.recipe(), &Recipe::default());
}

/// Goes to a line of the menu of types and takes it.
fn choose(app: &mut App, name: &str) {
    let Some(Dialog::Types(menu, _)) = &app.state.dialog else { panic!("no menu: {}", app.notice()) };
    let at = menu.offers.iter().position(|offer| offer.chosen.name() == name).unwrap();
    app.press("home");
    for _ in 0..at {
        app.press("j");
    }
    app.press("enter");
}

#[test]
fn a_selection_with_parts_of_another_type_becomes_whole_first() {
    let mut app = App::on(&layers(3));
    app.go("blk.0.attn_q.weight");
    app.press("t t * t");
    let types: Vec<DType> = (0..3).map(|layer| new_type(&app, &format!("blk.{layer}.attn_q.weight"))).collect();
    assert_eq!(types, [DType::TQ2_0; 3]);
}

#[test]
fn steps_back_say_what_comes_next() {
    let mut app = App::on(&layers(2));
    app.go("blk.0.attn_q.weight");
    app.press("* space t L");
    assert_eq!(app.recipe().layers, Mask::All);
    app.press("u");
    assert_eq!(app.notice(), "undone: mask all · next: TQ1_0 blk.*.attn_q.weight · ctrl-r redoes it");
    app.press("u u");
    assert_eq!(app.notice(), "undone: ternary blk.*.attn_q.weight · ctrl-r redoes it");
    app.press("ctrl-r");
    assert_eq!(app.notice(), "redone: ternary blk.*.attn_q.weight · next: TQ1_0 blk.*.attn_q.weight");
    let role: Pattern = Pattern::Role(RoleSet::Attention);
    assert!(!patterns(&app).contains(&role.to_string()));
}

#[test]
fn a_preset_is_one_step_in_place_of_mask_and_rules() {
    let mut app = App::on(&layered());
    app.go("blk.0.attn_q.weight");
    app.press("space f");
    let format = app.recipe().format;
    app.press("p");
    let Some(Dialog::Presets(menu)) = &app.state.dialog else { panic!("no menu") };
    assert_eq!(menu.offers.len(), 6);
    assert_eq!(menu.offers[1].1.unwrap().ternary_tensors, 6, "what it would amount to");
    app.press("j enter");
    assert!(app.state.dialog.is_none());
    assert_eq!((app.recipe().layers, app.rules().len(), app.all_ternary().len()), (Mask::All, 0, 6));
    assert_eq!(app.recipe().format, format, "the format stays");
    assert!(app.notice().starts_with("preset all linear layers: +"), "{}", app.notice());
    app.press("u");
    assert!(app.ternary("blk.0.attn_q.weight") && app.all_ternary().len() == 3, "{:?}", app.all_ternary());
    app.press("p u");
    assert_eq!(patterns(&app), ["role:expert_up"], "roles that there are");
    assert_eq!(app.all_ternary().len(), 2);
    app.press("p n");
    assert_eq!(app.all_ternary(), [""; 0]);
    app.press("p e");
    assert_eq!(app.all_ternary().len(), 2);
    app.press("p esc");
    assert!(app.state.dialog.is_none());
}

#[test]
fn a_preset_keeps_the_first_and_the_last_layer() {
    let mut app = App::on(&layers(12));
    app.press("p m");
    assert_eq!(
        (app.recipe().layers, patterns(&app).as_slice()),
        (Mask::All, ["blk.0.*", "blk.11.*"].map(String::from).as_slice())
    );
    let ternary = app.all_ternary();
    assert_eq!(ternary.len(), 20, "two tensors in each of ten layers");
    assert!(ternary.iter().all(|name| !name.starts_with("blk.0.") && !name.starts_with("blk.11.")), "{ternary:?}");
    assert!(ternary.iter().any(|name| name.starts_with("blk.1.")), "the rule of layer 0 is not that of layer 10");
    let mut app = App::on(&layers(1));
    app.press("p m");
    assert_eq!((patterns(&app).as_slice(), app.all_ternary().len()), (["blk.0.*".to_owned()].as_slice(), 0));
    // An encoder and a decoder have ends of their own.
    let mut both = Tiny::default();
    for (stack, last) in [("enc", 2), ("dec", 3)] {
        for layer in 0..=last {
            both = both.normal(&format!("{stack}.blk.{layer}.attn_q.weight"), &[256, 4], layer);
        }
    }
    let mut app = App::on(&both);
    app.press("p m");
    assert_eq!(app.all_ternary(), ["enc.blk.1.attn_q.weight", "dec.blk.1.attn_q.weight", "dec.blk.2.attn_q.weight"]);
}

#[test]
fn a_preset_from_a_recipe_file_is_read_in_the_background() {
    let mut app = App::on(&layered());
    app.press("p f ctrl-u");
    app.press("enter");
    let problem = |app: &App| match &app.state.dialog {
        Some(Dialog::ReadRecipe(form)) => form.problem.clone().unwrap_or_default(),
        _ => panic!("closed"),
    };
    assert!(problem(&app).contains("names no file"));
    app.type_text("~/mine.toml");
    let effects = app.press("enter");
    let [Effect::ReadRecipe(path)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*path, app.path("mine.toml"));
    let path = path.clone();
    app.send(Event::RecipeRead { path: path.clone(), result: Err("line 1: what is this".to_owned()) });
    assert!(problem(&app).contains("line 1"));
    let recipe: Recipe =
        "layers = \"custom\"\nimatrix = \"other.dat\"\n[[rule]]\nmatch = \"role:attn_q\"\naction = \"ternary\"\n"
            .parse()
            .unwrap();
    app.send(Event::RecipeRead { path: path.clone(), result: Ok(Box::new(recipe.clone())) });
    assert!(app.state.dialog.is_none());
    assert_eq!((patterns(&app).as_slice(), app.all_ternary().len()), (["role:attn_q".to_owned()].as_slice(), 2));
    assert_eq!(app.recipe().imatrix, None, "no matrix is loaded by it");
    assert!(app.notice().contains("recipe mine.toml (its importance matrix"), "{}", app.notice());
    app.press("u");
    assert_eq!(app.recipe().layers, Mask::Experts);
    app.send(Event::RecipeRead { path, result: Ok(Box::new(recipe)) });
    assert_eq!(app.recipe().layers, Mask::Experts, "nobody waits for it any more");
}
