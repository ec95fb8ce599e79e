//! Commands that change the plan are one step back wherever they are given; the slider's, the comparison's and the
//! dialogs' keys do what they say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::collections::BTreeSet;
use std::sync::Arc;

use support::Tiny;
use support_tui::beside::{Upto, beside};
use support_tui::exports::{job, queue, run, summary};
use support_tui::pages::{Reader, talkative};
use support_tui::shoot::{SMALL, render};
use support_tui::{App, layered};
use tritscope::engine::plan::{Plan, Recipe};
use tritscope::jobs::JobEvent;
use tritscope::tui::action::Action;
use tritscope::tui::effect::Effect;
use tritscope::tui::keymap::Context;
use tritscope::tui::state::pages::Page;
use tritscope::tui::state::picker::Purpose;
use tritscope::tui::state::slider::{Slider, Unit};
use tritscope::tui::state::{Dialog, Screen, State};
use tritscope::tui::theme::Theme;
use tritscope::tui::update::act;

const QUERY: &str = "blk.0.attn_q.weight";

/// In the middle of the tree, with steps that can be undone and one that can be done again, and everything measured.
fn in_tree() -> App {
    let mut app = App::on(&layered());
    app.press("+");
    app.go("blk.1.attn_q.weight");
    app.press("space t t u");
    app.go(QUERY);
    app.settle();
    app.serve();
    app
}

/// On a page of the model, read as far as it asks for.
fn on_page(keys: &str) -> App {
    let mut app = App::on(&talkative());
    app.go("blk.1.attn_q.weight");
    app.press("space");
    app.go(QUERY);
    app.press("space t u");
    let mut reader = Reader::default();
    reader.press(&mut app, "i");
    reader.press(&mut app, keys);
    app
}

/// With keys pressed after everything in sight was measured.
fn after(keys: &str) -> App {
    let mut app = in_tree();
    app.press(keys);
    app.serve();
    app
}

/// One export is done, one runs.
fn exporting() -> App {
    let mut app = after("L");
    for (id, name) in [(1, "a.gguf"), (2, "b.gguf")] {
        queue(&mut app, id, name);
    }
    run(&mut app, 1);
    let finished = summary(&app, "a.gguf");
    job(&mut app, JobEvent::ExportFinished(1, finished));
    run(&mut app, 2);
    app
}

/// Beside a model of which one tensor has other values, one is equal, one more is there and all others are missing.
fn compared() -> App {
    let other = Tiny::default().normal("token_embd.weight", &[256, 16], 1).normal(QUERY, &[256, 64], 99).normal(
        "blk.0.extra.weight",
        &[256, 16],
        5,
    );
    let mut app = after("+");
    beside(&mut app, &other, Upto::Done);
    app
}

/// Where plans are changed, and where a command that does so elsewhere must not.
fn places() -> Vec<(&'static str, App)> {
    let mut folder = in_tree();
    folder.go("blk.");
    let mut apply = after("4 enter up");
    apply.press("enter");
    assert!(matches!(apply.state.dialog, Some(Dialog::Apply(_))), "{}", apply.notice());
    let mut places =
        vec![("the tree", in_tree()), ("a folder", folder), ("a comparison", compared()), ("apply", apply)];
    for keys in [
        "* v j j",
        "2 enter",
        "4 enter",
        "4 enter left down",
        "5 enter",
        "6 enter",
        "p j",
        "p f",
        "L Q",
        "s",
        "y",
        "?",
        "S",
        "S pgup home",
        "S w",
        "B",
        "B left left",
        "B 0 . 0 4",
        "/ a",
    ] {
        places.push((keys, after(keys)));
    }
    for keys in ["1", "2", "5", "6", "6 down", "6 end", "6 a b l k *", "6 e"] {
        places.push((keys, on_page(keys)));
    }
    places
}

/// The recipe and what follows from it.
fn plan(state: &State) -> (Recipe, Arc<Plan>) {
    let plan = &state.session.as_ref().unwrap().plan;
    (plan.recipe().clone(), Arc::clone(plan.plan()))
}

/// Goes up to the tree, as esc would from wherever it is.
fn to_the_tree(state: &mut State) {
    state.dialog = None;
    let session = state.session.as_mut().unwrap();
    (session.screen, session.slider) = (Screen::Tensors, None);
    (session.filter.editing, session.pane.focused, session.pane.goto) = (false, false, None);
    assert_eq!(Context::of(state), Context::Browse);
}

#[test]
fn what_changes_the_plan_is_one_step_back_wherever_it_was_done() {
    let mut changing = BTreeSet::new();
    for (place, mut app) in places() {
        render(&mut app, SMALL, &Theme::dark());
        let (recipe, decided) = plan(&app.state);
        let actions: Vec<Action> = app.state.settings.keymap.bindings().map(|bound| bound.action).collect();
        let mut tried: Vec<Action> = Vec::new();
        for action in actions {
            if tried.contains(&action) {
                continue;
            }
            tried.push(action);
            let mut state = app.state.clone();
            act(&mut state, action);
            if plan(&state).0 == recipe {
                continue;
            }
            changing.insert(action.name());
            to_the_tree(&mut state);
            act(&mut state, if action == Action::Undo { Action::Redo } else { Action::Undo });
            let back = plan(&state);
            assert_eq!(back.0, recipe, "{} after '{place}'", action.name());
            assert_eq!(back.1.decisions, decided.decisions, "{} after '{place}'", action.name());
        }
    }
    let known: BTreeSet<&str> = [
        "accept",
        "apply-to-model",
        "apply-to-role",
        "apply-to-tensor",
        "delete-rule",
        "next-format",
        "next-mask",
        "next-method",
        "next-type",
        "preset-experts",
        "preset-inner",
        "preset-linear",
        "preset-none",
        "preset-up-gate",
        "previous-format",
        "previous-method",
        "redo",
        "rule-down",
        "rule-up",
        "toggle-rule",
        "toggle-ternary",
        "undo",
    ]
    .into();
    assert_eq!(changing, known, "no other command changes the plan, and these do");
}

fn slider(app: &App) -> &Slider {
    app.session().slider.as_ref().unwrap()
}

#[test]
fn the_slider_goes_by_tensors_by_twentieths_and_to_its_ends() {
    let mut app = after("B");
    let all = slider(&app).budget.order().items().len();
    assert_eq!(all, 5, "one is pinned by a rule");
    app.press("end");
    assert_eq!(slider(&app).count, 0);
    let most = slider(&app).bytes();
    app.press("left");
    assert_eq!(slider(&app).count, 1, "at least one tensor more");
    app.press("right");
    assert_eq!((slider(&app).count, slider(&app).bytes()), (0, most));
    app.press("H");
    let (least, bytes) = (slider(&app).ends().0, slider(&app).bytes());
    assert!(most - bytes >= (most - least) / 20, "{most} to {bytes}, at the least {least}");
    app.press("L L L");
    assert_eq!(slider(&app).count, 0);
    app.press("home");
    assert_eq!((slider(&app).count, slider(&app).bytes()), (all, least));
}

#[test]
fn rules_that_leave_nothing_free_can_be_set_aside() {
    let mut app = App::on(&layered());
    app.press("L");
    app.go("blk.");
    app.press("m");
    app.press("S");
    app.serve();
    app.press("esc B");
    assert_eq!(slider(&app).budget.free().len(), 0, "{:?}", app.rules());
    let recipe = app.recipe().clone();
    app.press("x");
    app.serve();
    assert_eq!((slider(&app).budget.free().len(), slider(&app).budget.pinned().len()), (6, 0));
    assert_eq!(app.recipe(), &recipe, "nothing is done yet");
    app.press("home enter u");
    assert_eq!(app.recipe(), &recipe);
    // What says no more than the model's own method goes with it.
    app.go("");
    app.press("m");
    assert!(app.recipe().rules.is_empty(), "{:?}", app.rules());
    app.press("B x");
    assert_eq!(app.notice(), "no rule makes anything ternary");
}

#[test]
fn the_slider_goes_by_single_tensors_too() {
    let mut app = after("B");
    app.press("home");
    let all = slider(&app).count;
    app.press("> >");
    assert_eq!(slider(&app).count, all - 2);
    app.press("<");
    assert_eq!(slider(&app).count, all - 1);
    app.press("< <");
    assert_eq!((slider(&app).count, slider(&app).bytes()), (all, slider(&app).ends().0), "there is no further");
}

#[test]
fn a_size_out_of_reach_says_how_much_is_measured() {
    let mut app = App::on(&layered());
    app.press("B 1 K enter");
    let open = &app.session().slider;
    assert!(open.is_some(), "not accepted unseen");
    let of = slider(&app).budget.free().len();
    let words = format!("out of reach with 0 of {of} measured; nearest so far: ");
    assert!(app.notice().contains(&words), "{}", app.notice());
}

#[test]
fn a_budget_is_typed_in_either_unit_and_enter_takes_it() {
    let mut app = after("B");
    let before = app.recipe().clone();
    let params = slider(&app).budget.params();
    app.press("u");
    assert_eq!(slider(&app).unit, Unit::Bpw);
    app.type_text("9.5");
    let goal = slider(&app).goal;
    assert_eq!(goal, (9.5 * params as f64 / 8.0) as u64);
    assert!(slider(&app).bytes() <= goal && *app.recipe() == before);
    app.type_text("xyz");
    assert_eq!(slider(&app).input.as_ref().unwrap().text(), "9.5", "letters of no unit are no part of it");
    let bytes = slider(&app).bytes();
    app.press("enter");
    assert!(app.session().slider.is_none());
    assert_eq!(app.session().plan.plan().totals.new_bytes, bytes);
    assert!(app.notice().starts_with("budget ") && app.notice().ends_with("u takes it back"), "{}", app.notice());
    app.press("u");
    assert_eq!(*app.recipe(), before);
    app.press("B u 0 . 0 1 enter");
    let least = slider(&app).ends().0;
    assert!(slider(&app).input.is_none() && slider(&app).bytes() == least, "the nearest is taken instead");
    let nearest = "cannot be reached; nearest: ";
    assert!(app.notice().contains(nearest) && app.notice().contains("enter accepts it"), "{}", app.notice());
    assert_eq!(*app.recipe(), before, "and not accepted by the same key");
    app.press("esc");
    assert!(app.session().slider.is_none() && *app.recipe() == before);
}

/// The hint of a key, if it is hinted at.
fn hint(app: &App, key: &str) -> Option<&'static str> {
    app.state.settings.keymap.hints(&app.state).find(|(shown, ..)| *shown == key).map(|(_, word, _)| word)
}

#[test]
fn a_size_that_was_not_asked_says_which_was_and_what_lies_between() {
    let mut app = after("B tab");
    assert_eq!(hint(&app, "esc"), Some("leave all as it was"));
    let order = slider(&app).budget.order();
    // A size a little below what three tensors leave: the fourth is one step too long.
    let (above, below) = (order.bytes_at(3), order.bytes_at(4));
    assert!((above - below) as f64 > above as f64 * 0.03, "{above} {below}");
    let (bpw, last) = (|bytes| slider(&app).budget.bpw(bytes), order.items()[3].tensor);
    let (asked, got, higher) = (format!("{:.2}", bpw(above) - 0.02), bpw(below), bpw(above));
    app.type_text(&asked);
    assert_eq!(slider(&app).count, 4);
    let gap = slider(&app).gap(&app.model()).unwrap();
    let words = format!("asked, {got:.2} bpw is the next below: one tensor fewer is {higher:.2} bpw");
    assert!(gap.contains(&words) && gap.contains(&app.model().tensors[last].name), "{gap}");
    assert_eq!(hint(&app, "esc"), Some("end the number"));
    app.press("enter");
    assert!(app.notice().contains(" bpw asked): ") && app.notice().starts_with("budget "), "{}", app.notice());
    app.press("u B");
    assert!(slider(&app).gap(&app.model()).is_none(), "nothing was asked");
    app.press("tab");
    app.type_text(&format!("{:.2}", got + 0.005));
    assert!(slider(&app).missed().is_none(), "that is the size that was asked");
}

#[test]
fn what_keeps_a_size_out_of_reach_is_named() {
    let mut app = App::on(&layered());
    app.press("S");
    app.serve();
    app.press("esc B tab 0 . 5");
    assert_eq!(hint(&app, "enter"), Some("take the nearest"));
    let nearest = slider(&app).nearest();
    assert!(nearest.starts_with("0.5 bpw cannot be reached; nearest: ") && nearest.ends_with(" KiB)"), "{nearest}");
    let why = slider(&app).obstacle(&app.model(), &app.session().plan).unwrap();
    assert!(why.contains("output.weight, protected (c on it offers smaller types, space twice overrides)"), "{why}");
    app.press("enter");
    assert!(app.notice().ends_with(&why), "{}", app.notice());
}

fn listed(app: &App) -> Vec<&str> {
    let compare = app.session().compare.as_ref().unwrap();
    let name = |row: &usize| compare.pairs[*row].name(&compare.a, compare.b.as_ref().unwrap());
    compare.rows.iter().map(name).collect()
}

#[test]
fn a_comparison_is_filtered_by_one_key_each_and_sorted_by_another() {
    let mut app = compared();
    assert_eq!(listed(&app).len(), 14, "of both models");
    app.press("d");
    assert_eq!(listed(&app), [QUERY]);
    app.press("e");
    assert_eq!(listed(&app), ["token_embd.weight"]);
    app.press("m");
    assert_eq!(listed(&app).len(), 12);
    assert!(listed(&app).contains(&"blk.0.extra.weight") && !listed(&app).contains(&QUERY));
    app.press("t");
    assert_eq!(listed(&app), [""; 0]);
    app.press("t");
    assert_eq!(listed(&app).len(), 14, "the same key again lists all");
    app.press("d a s");
    assert_eq!(listed(&app)[0], QUERY, "what differs most");
    app.press("enter");
    assert_eq!((app.session().screen, app.selected()), (Screen::Tensors, QUERY));
    app.press("C a s home");
    let extra = listed(&app).iter().position(|name| *name == "blk.0.extra.weight").unwrap();
    (0..extra).for_each(|_| drop(app.press("j")));
    app.press("enter");
    assert_eq!(app.session().screen, Screen::Compare);
    assert!(app.notice().contains("does not have this tensor"), "{}", app.notice());
    app.press("esc");
    assert_eq!(app.session().screen, Screen::Tensors);
    app.press("C C");
    assert!(matches!(&app.state.dialog, Some(Dialog::Picker(p)) if p.purpose == Purpose::Compare), "another one");
}

#[test]
fn the_result_of_an_export_is_compared_with_its_source() {
    let mut app = exporting();
    let out = app.path("a.gguf");
    let effects = app.press("J G C");
    assert!(matches!(effects.as_slice(), [Effect::Open(path)] if *path == out), "{effects:?}");
    assert_eq!(app.session().screen, Screen::Compare);
    let words = |app: &App| app.state.settings.keymap.hints(&app.state).map(|(_, word, _)| word).collect::<Vec<_>>();
    let mut app = exporting();
    app.press("J G");
    let (ended, both) = (words(&app), ["open the result", "compare with the source"]);
    assert!(
        both.iter().all(|w| ended.contains(w)) && !ended.contains(&"pause, go on") && !ended.contains(&"cancel"),
        "{ended:?}"
    );
    app.press("g");
    let runs = words(&app);
    assert!(
        runs.contains(&"pause, go on") && runs.contains(&"cancel") && !both.iter().any(|w| runs.contains(w)),
        "{runs:?}"
    );
    let mut app = exporting();
    assert!(app.press("J g C").is_empty() && app.notice().contains("no result"), "{}", app.notice());
}

#[test]
fn keys_that_go_back_undo_those_that_go_on() {
    let mut app = in_tree();
    for (on, back) in [
        (Action::NextTab, Action::PreviousTab),
        (Action::NextSort, Action::PreviousSort),
        (Action::Down, Action::Up),
        (Action::PageUp, Action::PageDown),
    ] {
        let at = |app: &App| (app.session().tab, app.session().sort, app.session().tree.cursor());
        app.go("blk.0.attn_norm.weight");
        app.state.geometry.tree.height = 4;
        let before = at(&app);
        act(&mut app.state, on);
        assert_ne!(at(&app), before, "{}", on.name());
        act(&mut app.state, back);
        assert_eq!(at(&app), before, "{}", back.name());
    }
    let splitter = |app: &mut App| {
        render(app, SMALL, &Theme::dark());
        app.state.geometry.splitter
    };
    let before = splitter(&mut app);
    act(&mut app.state, Action::NarrowTree);
    assert!(splitter(&mut app) < before);
    act(&mut app.state, Action::WidenTree);
    assert_eq!(splitter(&mut app), before);
    let mut app = on_page("2");
    let page = |app: &App| app.session().pages.page;
    act(&mut app.state, Action::NextPage);
    assert_eq!(page(&app), Page::Tokenizer);
    act(&mut app.state, Action::PreviousPage);
    act(&mut app.state, Action::PreviousPage);
    assert_eq!(page(&app), Page::Overview);
}

#[test]
fn fields_and_values_of_the_quantize_dialog_go_both_ways() {
    let mut app = after("L Q");
    let form = |app: &App| match &app.state.dialog {
        Some(Dialog::Quantize(form)) => (form.field, form.verify),
        other => panic!("{other:?}"),
    };
    let first = form(&app);
    act(&mut app.state, Action::NextField);
    let second = form(&app);
    assert_ne!(first.0, second.0);
    act(&mut app.state, Action::NextValue);
    assert_ne!(form(&app).1, second.1);
    act(&mut app.state, Action::PreviousValue);
    assert_eq!(form(&app), second);
    act(&mut app.state, Action::PreviousField);
    assert_eq!(form(&app), first);
}
