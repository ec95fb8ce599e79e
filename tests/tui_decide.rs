//! What helps to decide, without a terminal: the sensitivity screen, the budget slider, a second model.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::time::Duration;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use support::{Kv, Tiny, f32_bytes};
use support_tui::beside::{Upto, beside};
use support_tui::shoot::{MEDIUM, SMALL, render, text};
use support_tui::{App, dense, layered};
use tritscope::engine::codec::DType;
use tritscope::engine::compare::Outcome;
use tritscope::engine::model::Role;
use tritscope::engine::plan::Mask;
use tritscope::engine::preview::Depth;
use tritscope::engine::report::chart::Measure;
use tritscope::engine::report::compare::CompareReport;
use tritscope::jobs::JobEvent;
use tritscope::tui::effect::Effect;
use tritscope::tui::event::{Event, Saved};
use tritscope::tui::state::compare::Compare;
use tritscope::tui::state::picker::{Choice, Entry, Purpose};
use tritscope::tui::state::sensitivity::Sensitivity;
use tritscope::tui::state::slider::Lot;
use tritscope::tui::state::summary::{Mix, Summary};
use tritscope::tui::state::tree::Item;
use tritscope::tui::state::{Dialog, Screen};
use tritscope::tui::theme::Theme;

fn view(app: &App) -> &Sensitivity {
    &app.session().sensitivity
}

fn mouse(app: &mut App, kind: MouseEventKind, column: u16, row: u16) {
    app.send(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    app.settle();
}

const DOWN: MouseEventKind = MouseEventKind::Down(MouseButton::Left);

#[test]
fn a_scan_measures_all_that_may_go_ternary_and_fills_the_grid() {
    let mut app = App::on(&layered());
    app.serve();
    let eligible: Vec<usize> =
        (0..app.model().tensors.len()).filter(|i| app.session().plan.outlook(*i).eligible).collect();
    let known = |app: &App, i: &usize| {
        let subject = app.session().subject_of(*i).unwrap();
        app.session().previews.figures(subject).is_some()
    };
    app.press("S");
    assert_eq!(app.session().screen, Screen::Sensitivity);
    assert_eq!(view(&app).eligible, (6, 0), "two layers of query, value and experts");
    app.serve();
    assert!(eligible.iter().all(|i| known(&app, i)));
    assert_eq!(view(&app).measured, (6, 0));
    assert!(!view(&app).is_measuring());
    let grid = &view(&app).grid;
    assert_eq!(grid.layers, [0, 1]);
    assert!(grid.roles.iter().enumerate().all(|(r, _)| grid.row(r, Measure::Sqnr).all(|v| v.is_some())));
    assert!(app.state.next_wake().is_none(), "nothing moves any more");
}

#[test]
fn what_is_in_sight_is_measured_first_and_the_cell_under_the_cursor_before_it() {
    let mut app = App::on(&layered());
    app.press("S");
    let row = view(&app).grid.roles.iter().position(|r| *r == Role::AttnV).unwrap();
    app.press("pgup end");
    (0..row).for_each(|_| drop(app.press("down")));
    assert_eq!(view(&app).row, row);
    let wanted = app.tensor("blk.1.attn_v.weight");
    assert_eq!(app.wants()[0].key.tensor, wanted);
    assert_eq!((app.wants()[0].key.depth, app.wants()[1].key.depth), (Depth::SHOWN, Depth::Exact));
    render(&mut app, SMALL, &Theme::dark());
    app.press("left right");
    let tensors: Vec<usize> = app.wants().iter().map(|w| w.key.tensor).collect();
    let place = |name: &str| tensors.iter().position(|t| *t == app.tensor(name)).unwrap();
    assert!(place("blk.0.attn_v.weight") < place("blk.0.attn_q.weight"), "the cursor's role before the others");
}

#[test]
fn the_cursor_stays_on_its_role_and_layer_and_goes_to_the_worst() {
    let mut app = App::on(&layered());
    app.press("S");
    app.press("x");
    assert!(app.notice().contains("nothing is measured"), "{}", app.notice());
    app.serve();
    app.press("w");
    let (row, column) = view(&app).grid.worst(Measure::Sqnr).unwrap();
    assert_eq!((view(&app).row, view(&app).column), (row, column));
    let worst = view(&app).tensor().unwrap();
    app.press("enter");
    assert_eq!(app.session().screen, Screen::Tensors);
    assert_eq!(app.session().tree.selected_tensor(), Some(worst));
    app.press("S");
    assert_eq!(view(&app).tensor(), Some(worst), "it opens where the tree's cursor is");
    app.press("esc");
    assert_eq!(app.session().screen, Screen::Tensors);
}

#[test]
fn the_cell_is_made_ternary_from_the_map_and_taken_back() {
    let mut app = App::on(&layered());
    app.go("blk.0.attn_q.weight");
    app.press("S space");
    assert!(app.ternary("blk.0.attn_q.weight"));
    app.press("u");
    assert!(!app.ternary("blk.0.attn_q.weight"));
    app.press("ctrl-r");
    assert!(app.ternary("blk.0.attn_q.weight"));
    assert_eq!(app.session().screen, Screen::Sensitivity);
}

#[test]
fn a_tensor_that_a_filter_hides_is_found_from_the_map() {
    let mut app = App::on(&layered());
    app.press("/");
    app.type_text("attn_q");
    app.press("enter S end down down up up");
    let tensor = view(&app).tensor().unwrap();
    app.press("down enter");
    assert_ne!(app.session().tree.selected_tensor(), Some(tensor), "another role");
    assert!(app.session().tree.selected_tensor().is_some() && app.session().filter.expr().is_none());
}

#[test]
fn measures_change_and_the_weighted_one_is_passed_over_where_there_is_none() {
    let mut app = App::on(&layered());
    app.press("S");
    app.serve();
    app.press("v");
    assert_eq!(view(&app).measure, Measure::RelMse);
    app.press("v");
    assert_eq!(view(&app).measure, Measure::Sqnr);
}

#[test]
fn the_chart_is_written_in_every_form_and_not_over_a_file_unasked() {
    let mut app = App::on(&layered());
    app.press("S W");
    assert!(app.state.dialog.is_none() && app.notice().contains("nothing is measured"), "{}", app.notice());
    app.serve();
    app.press("W");
    let effects = app.press("enter");
    let [Effect::WriteChart { path, chart, measure: Measure::Sqnr, overwrite: false }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(*path, app.path("model-sensitivity"));
    assert_eq!(chart.points.len(), 6);
    assert!(chart.svg(Measure::Sqnr).contains("<svg") && chart.csv().lines().count() == 7);
    let path = path.clone();
    app.send(Event::ChartWritten { path: path.clone(), files: 3, result: Saved::Exists });
    let effects = app.press("enter");
    assert!(matches!(effects.as_slice(), [Effect::WriteChart { overwrite: true, .. }]), "{effects:?}");
    app.send(Event::ChartWritten { path: path.clone(), files: 3, result: Saved::Failed("disk full".to_owned()) });
    assert!(matches!(&app.state.dialog, Some(Dialog::SaveChart(f)) if f.problem.as_deref() == Some("disk full")));
    app.send(Event::ChartWritten { path, files: 3, result: Saved::Written });
    assert!(app.state.dialog.is_none() && app.notice().contains(".csv and .json"), "{}", app.notice());
}

#[test]
fn an_ending_that_no_chart_has_is_refused_and_part_of_a_name_is_none() {
    let mut app = App::on(&layered());
    app.press("S");
    app.serve();
    app.press("W");
    for (name, written) in
        [("c.png", false), ("c.svg", true), ("c.JSON", true), ("qwen2.5-0.5B-it", true), ("c.jpeg", false)]
    {
        app.press("ctrl-u");
        app.type_text(name);
        let effects = app.press("enter");
        assert_eq!(matches!(effects.as_slice(), [Effect::WriteChart { .. }]), written, "{name}: {effects:?}");
        let Some(Dialog::SaveChart(form)) = &app.state.dialog else { panic!("{:?}", app.state.dialog) };
        let told = form.problem.as_deref().is_some_and(|why| why.contains(".svg, .csv or .json"));
        assert_eq!(told, !written, "{name}: {:?}", form.problem);
    }
}

#[test]
fn every_linear_layer_says_how_many_matrices_it_left_out_for_want_of_a_role() {
    let odd = layered().normal("blk.0.mystery.weight", &[256, 8], 3).normal("blk.1.mystery.weight", &[256, 8], 4);
    let mut app = App::on(&odd);
    app.press("L");
    assert_eq!(app.recipe().layers, Mask::All);
    assert!(app.notice().contains("2 tensors of unknown role left out"), "{}", app.notice());
    app.press("L");
    assert!(!app.notice().contains("left out"), "{}", app.notice());
    let mut app = App::on(&layered());
    app.press("L");
    assert!(!app.notice().contains("left out"), "{}", app.notice());
}

#[test]
fn exact_figures_of_everything_are_asked_for_from_the_map() {
    let long = Tiny::default().kv("llama.block_count", Kv::U32(1)).normal("blk.0.ffn_up.weight", &[2560, 256], 1);
    let mut app = App::on(&long);
    app.press("S");
    app.serve();
    let up = app.tensor("blk.0.ffn_up.weight");
    app.go("");
    app.press("e");
    assert!(app.session().exact.contains(&up));
    app.serve();
    assert!(view(&app).grid.cell(0, 0).unwrap().errors.exact);
}

#[test]
fn a_click_on_the_map_chooses_a_cell() {
    let mut app = App::on(&layered());
    app.press("S");
    render(&mut app, MEDIUM, &Theme::dark());
    let area = app.state.geometry.map;
    assert!(area.width > 0 && area.height == 3, "{area:?}");
    let wide = app.state.geometry.map_cell;
    mouse(&mut app, DOWN, area.x + wide, area.y + 2);
    assert_eq!((view(&app).row, view(&app).column), (2, 1));
    mouse(&mut app, DOWN, area.x.saturating_sub(3), area.y);
    assert_eq!((view(&app).row, view(&app).column), (2, 1), "beside it is nothing");
    mouse(&mut app, MouseEventKind::ScrollUp, area.x, area.y);
    assert_eq!(view(&app).row, 0);
}

#[test]
fn of_many_tensors_the_lane_is_given_some_hundreds_at_a_time_and_gets_all() {
    let mut many = Tiny::default().kv("llama.block_count", Kv::U32(700));
    for layer in 0..700 {
        many = many.normal(&format!("blk.{layer}.ffn_up.weight"), &[256, 2], layer);
    }
    let mut app = App::on(&many);
    app.press("S");
    assert!((400..=512).contains(&app.wants().len()), "{}", app.wants().len());
    app.serve();
    app.pass(Duration::from_secs(1));
    app.settle();
    assert_eq!(view(&app).measured, (700, 0));
    app.press("left");
    assert!(app.wants().is_empty());
    assert_eq!(app.session().sweeps.eligible, 700, "and it is not gone through again");
}

#[test]
fn what_cannot_be_measured_is_counted_and_not_waited_for() {
    let mut app = App::on(&dense().tensor("blk.0.attn_k.weight", &[256, 2], DType::F32, f32_bytes(&[f32::NAN; 512])));
    app.press("S");
    app.serve();
    assert_eq!(view(&app).measured, (1, 1));
    assert!(!view(&app).is_measuring() && app.state.next_wake().is_none());
}

/// What the tree shows while the slider is open is what the plan says once it is accepted: every row's sums.
#[test]
fn the_tree_shows_what_the_budget_would_take_and_accepting_changes_nothing_of_it() {
    let mut app = App::on(&layered());
    app.go("blk.1.attn_q.weight");
    app.press("space L");
    app.go("blk.0.attn_v.weight");
    app.press("space B");
    app.serve();
    let (taken, kept) = (app.tensor("blk.1.attn_q.weight"), app.tensor("blk.0.attn_v.weight"));
    assert_eq!(app.session().lot(taken).map(|(_, lot)| lot), Some(Lot::PinnedTernary));
    assert_eq!(app.session().lot(kept).map(|(_, lot)| lot), Some(Lot::PinnedKept));
    assert!(app.session().lot(app.tensor("output_norm.weight")).is_none(), "a norm is not the budget's business");
    let rows = |app: &App| -> Vec<Item> {
        let nodes = app.session().tree.tree().nodes.len();
        std::iter::once(Item::Model).chain((0..nodes).map(Item::Node)).collect()
    };
    let sums = |app: &App| -> Vec<(usize, u64, u64, Mix)> {
        let of = |item: &Item| app.session().sums(*item);
        let short = |s: Summary| (s.ternary, s.new_bytes, s.ternary_params, s.mix);
        rows(app).iter().map(|item| short(of(item))).collect()
    };
    let mut places = Vec::new();
    for slide in ["end", "left", "left", "H", "home"] {
        app.press(slide);
        let slider = app.session().slider.as_ref().unwrap();
        let lots = app.model().tensors.len();
        let of = |lot: Lot| (0..lots).filter(|i| slider.tally.lot(*i) == lot).count();
        assert_eq!((of(Lot::Taken), of(Lot::Left)), (slider.count, slider.budget.free().len() - slider.count));
        assert_eq!(slider.tally.pinned(), 2);
        assert_eq!(app.session().sums(Item::Model).new_bytes, slider.bytes(), "{slide}");
        let (before, count) = (sums(&app), slider.count);
        let open = app.state.clone();
        app.press("enter");
        assert!(app.session().slider.is_none());
        assert_eq!(sums(&app), before, "{slide}");
        app.state = open;
        places.push(count);
    }
    assert!(places.windows(2).all(|w| w[0] < w[1]), "{places:?}");
    app.press("end");
    let back = sums(&app);
    app.press("esc B end");
    assert_eq!(sums(&app), back, "the way back leaves nothing behind");
    app.press("esc");
    assert!(app.session().lot(taken).is_none(), "closed: the plan's own marks");
}

/// Figures of folders follow: an error where something is taken, none where nothing is.
#[test]
fn folders_have_the_error_of_what_the_budget_takes() {
    let mut app = App::on(&layered());
    app.press("B");
    app.serve();
    app.press("end");
    assert!(app.session().sums(Item::Model).error.is_none());
    app.press("home");
    let sum = app.session().sums(Item::Model);
    let slider = app.session().slider.as_ref().unwrap();
    let all = slider.budget.rel_mse_at(slider.count).unwrap();
    assert!((sum.error.unwrap().value - all).abs() < 1e-12 && sum.measured == 6);
    let unmeasured = app.session().slider.as_ref().unwrap().why(app.tensor("blk.0.attn_q.weight"), Lot::Taken);
    assert!(unmeasured.starts_with("place ") && unmeasured.ends_with(" of 6"), "{unmeasured}");
}

fn comparison(app: &App) -> &Compare {
    app.session().compare.as_ref().unwrap()
}

/// `dense` with other weights in one tensor, and one more that makes it the larger of the two.
fn larger() -> Tiny {
    Tiny::default()
        .kv("llama.block_count", Kv::U32(1))
        .normal("blk.0.attn_norm.weight", &[256], 2)
        .normal("blk.0.ffn_up.weight", &[256, 64], 77)
        .normal("blk.0.more.weight", &[256, 64], 4)
}

#[test]
fn the_model_with_more_bytes_is_the_reference_whichever_was_open() {
    let mut app = App::on(&dense());
    beside(&mut app, &larger(), Upto::Done);
    let compare = comparison(&app);
    let open = app.model();
    assert!(std::sync::Arc::ptr_eq(compare.b.as_ref().unwrap(), &open), "the open one stands beside it");
    assert!(compare.a.tensor_bytes() > open.tensor_bytes());
    assert_eq!(compare.path, open.path);
    let screen = text(&render(&mut app, MEDIUM, &Theme::dark()));
    let line = |start: &str| screen.lines().find(|l| l.contains(start)).unwrap_or_default().to_owned();
    assert!(line("A ~/other/").contains("(reference)"), "{screen}");
    assert!(line("B ~/model.gguf").contains("3 tensors") && !line("B ~/").contains("(reference)"), "{screen}");

    let mut app = App::on(&larger());
    beside(&mut app, &dense(), Upto::Done);
    assert!(std::sync::Arc::ptr_eq(&comparison(&app).a, &app.model()));
    // Of two that are alike it is the open one.
    let mut app = App::on(&dense());
    beside(&mut app, &dense(), Upto::Done);
    assert!(std::sync::Arc::ptr_eq(&comparison(&app).a, &app.model()));
}

#[test]
fn the_total_of_a_comparison_is_that_of_the_command_line() {
    let mut app = App::on(&dense());
    let other = dense().normal("blk.0.more.weight", &[256, 4], 9);
    beside(&mut app, &other, Upto::Done);
    assert!(text(&render(&mut app, MEDIUM, &Theme::dark())).contains("total: no error"));
    let mut app = App::on(&dense());
    beside(&mut app, &larger(), Upto::Done);
    let compare = comparison(&app);
    let outcomes = compare.outcomes.iter().flatten().cloned();
    let compared: Vec<(_, Outcome)> = compare.pairs.iter().copied().zip(outcomes).collect();
    let totals = CompareReport::of(&compare.a, compare.b.as_ref().unwrap(), &compared).totals;
    assert_eq!((compare.total.all.1, compare.total.ternary.1, totals.differ), (1, 0, 1));
    assert_eq!(totals.rel_mse, Some(compare.total.all.0.rel_mse()));
    let words = format!("total: SQNR {} dB", tritscope::text::decibels(totals.sqnr_db.unwrap()));
    let screen = text(&render(&mut app, MEDIUM, &Theme::dark()));
    assert!(screen.contains(&words) && screen.contains("against A, over 1 tensor"), "{screen}");
}

#[test]
fn where_nothing_is_comparable_no_one_says_that_there_is_no_error() {
    let one = |dims: &[u64]| Tiny::default().normal("x.weight", dims, 1);
    let mut app = App::on(&one(&[256, 4]));
    beside(&mut app, &one(&[128, 8]), Upto::Done);
    let screen = text(&render(&mut app, MEDIUM, &Theme::dark()));
    assert!(screen.contains("no tensor could be compared: 1 of another shape"), "{screen}");
    assert!(screen.contains("≠ 1 not comparable") && !screen.contains("no error"), "{screen}");
}

#[test]
fn pairs_stand_in_natural_order_of_their_names_and_say_how_long_the_rest_takes() {
    let of = |numbers: &[u64]| {
        let name = |n: &u64| format!("blk.{n}.ffn_up.weight");
        numbers.iter().fold(Tiny::default(), |tiny, n| tiny.normal(&name(n), &[256, 4], *n))
    };
    let mut app = App::on(&of(&[10, 2, 1]));
    beside(&mut app, &of(&[3, 10, 2]), Upto::Half);
    let compare = comparison(&app);
    let b = compare.b.as_ref().unwrap();
    let names: Vec<&str> = compare.rows.iter().map(|row| compare.pairs[*row].name(&compare.a, b)).collect();
    assert_eq!(names, [1, 2, 3, 10].map(|n| format!("blk.{n}.ffn_up.weight")));
    // Of the two that both have one was compared, in the second since.
    assert!((compare.share() - 0.5).abs() < 1e-9, "{}", compare.share());
    let left = compare.remaining(app.state.now).unwrap();
    assert!((0.9..1.2).contains(&left), "{left}");
}

#[test]
fn a_second_model_that_cannot_be_opened_leads_back_with_the_reason() {
    let fail = |app: &mut App, name: &str| {
        app.press("ctrl-u");
        app.type_text(name);
        let effects = app.press("enter");
        let [Effect::Open(path)] = effects.as_slice() else { panic!("{effects:?}") };
        app.send(Event::Job(JobEvent::Opened { path: path.clone(), model: Err("no such file".to_owned()) }));
    };
    let mut app = App::on(&dense());
    app.press("C");
    fail(&mut app, "/nowhere/a.gguf");
    assert_eq!((app.session().screen, app.session().compare.is_some()), (Screen::Tensors, false));
    let Some(Dialog::Failure { message, .. }) = &app.state.dialog else { panic!("{:?}", app.state.dialog) };
    assert_eq!(message, "no such file");
    app.press("enter");
    let Some(Dialog::Picker(picker)) = &app.state.dialog else { panic!("{:?}", app.state.dialog) };
    assert_eq!(picker.purpose, Purpose::Compare, "another one to compare with");
    app.press("esc");

    beside(&mut app, &larger(), Upto::Done);
    let id = comparison(&app).id;
    app.press("o");
    fail(&mut app, "/nowhere/b.gguf");
    app.press("esc");
    assert_eq!((app.session().screen, comparison(&app).id), (Screen::Compare, id), "the one before is there again");
    assert_eq!(comparison(&app).done, comparison(&app).pairs.len());
}

#[test]
fn a_tensor_is_found_where_the_open_model_is_not_the_reference() {
    let mut app = App::on(&dense());
    beside(&mut app, &larger(), Upto::Done);
    app.press("home j enter");
    assert_eq!((app.session().screen, app.selected()), (Screen::Tensors, "blk.0.ffn_up.weight"));
    // The last one is only in B, which is open; the one before it only in A.
    app.press("C end enter");
    assert_eq!((app.session().screen, app.selected()), (Screen::Tensors, "output.weight"));
    app.press("C k enter");
    assert_eq!(app.session().screen, Screen::Compare);
    assert!(app.notice().contains("does not have this tensor"), "{}", app.notice());
}

#[test]
fn the_open_file_is_not_offered_as_the_one_beside_it() {
    let mut app = App::on(&dense());
    let (open, second) = (app.model().path.clone(), app.path("second.gguf"));
    app.state.recent = vec![open.clone(), second.clone()];
    let entry = |name: &str| Entry { name: name.to_owned(), folder: false, bytes: 1 };
    let folder = app.folder.path().to_owned();
    let offered = |app: &mut App, key: &str| -> Vec<_> {
        app.press(key);
        app.show_folder(&folder, vec![entry("model.gguf"), entry("second.gguf")]);
        let Some(Dialog::Picker(picker)) = &app.state.dialog else { panic!("no picker") };
        let choices = picker.choices().into_iter().filter(|choice| *choice != Choice::Parent);
        choices.filter_map(|choice| picker.path_of(&choice)).map(|(path, _)| path).collect()
    };
    assert_eq!(offered(&mut app, "C"), [second.clone(), second.clone()]);
    app.press("esc");
    assert_eq!(offered(&mut app, "o"), [open.clone(), second.clone(), open, second]);
}
