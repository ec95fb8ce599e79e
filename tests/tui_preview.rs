//! The preview pane without a terminal: keys in, state and effects out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::sync::Arc;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use support::writers::prism_ml;
use support_tui::matrix::imatrix;
use support_tui::shoot::{LARGE, render, text};
use support_tui::{App, dense, layered};
use tritscope::engine::codec::DType;
use tritscope::engine::model::Model;
use tritscope::engine::preview::{Depth, Measure};
use tritscope::engine::ternary::{Format, Method};
use tritscope::jobs::{JobEvent, LookKey, Seen, Subject};
use tritscope::tui::event::Event;
use tritscope::tui::keymap::Context;
use tritscope::tui::state::geometry::{Plot, Tiles};
use tritscope::tui::state::matrix::{Figure, Group, Row};
use tritscope::tui::state::pane::Quantity;
use tritscope::tui::state::{Area, Dialog, Tab};
use tritscope::tui::theme::Theme;

const QUERY: &str = "blk.0.attn_q.weight";
const EXPERTS: &str = "blk.0.ffn_up_exps.weight";

fn context(app: &App) -> Context {
    Context::of(&app.state)
}

fn pane(app: &App) -> &tritscope::tui::state::pane::Pane {
    &app.session().pane
}

/// On a tensor of 64 rows of one block of 256, with this tab and the keys in the pane.
fn on(tensor: &str, tab: &str) -> App {
    let mut app = App::on(&layered());
    app.go(tensor);
    app.press(tab);
    app.press("enter");
    app.serve();
    app.state.geometry.pane = Area { x: 0, y: 0, width: 40, height: 8 };
    app
}

#[test]
fn enter_gives_the_preview_the_keys_and_esc_gives_them_back() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    for (tab, context_of_tab) in [
        ("1", Context::Pane),
        ("2", Context::Pane),
        ("4", Context::Methods),
        ("5", Context::Map),
        ("6", Context::Block),
        ("7", Context::Pane),
        ("8", Context::Pane),
    ] {
        app.press(tab);
        assert_eq!(context(&app), Context::Browse);
        app.press("enter");
        assert_eq!(context(&app), context_of_tab, "tab {tab}");
        app.press("esc");
        assert_eq!(context(&app), Context::Browse);
    }
    app.press("5 enter 6");
    assert_eq!((context(&app), app.session().tab), (Context::Block, Tab::Block), "tabs change under the keys");
    app.press("tab");
    assert_eq!(app.session().tab, Tab::Trits);
    app.press("esc");
    app.go("blk.0.");
    app.press("enter");
    assert_eq!(context(&app), Context::Browse, "a folder is opened and closed as ever");
}

#[test]
fn the_arrows_go_from_tensor_to_tensor_where_a_tab_does_not_use_them() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press("2 enter down");
    assert_eq!(app.selected(), "blk.0.attn_v.weight");
    app.press("up up");
    assert_eq!((app.selected(), context(&app)), ("blk.0.attn_norm.weight", Context::Pane));
}

#[test]
fn the_map_asks_for_a_sample_and_then_for_everything() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    assert!(app.looks().is_empty(), "nobody looks at the map");
    app.press("5");
    let [sample, exact] = app.looks() else { panic!("{:?}", app.looks()) };
    assert!(matches!(sample.subject, Subject::Grid(Format::Tq2_0, Method::Exact, w) if w.rows == 64 && w.columns == 1));
    assert!(!sample.exact && exact.exact && sample.subject == exact.subject);
    let (sample, exact) = (*sample, *exact);
    app.show(sample);
    assert!(app.looks().is_empty(), "one block a cell: the sample was everything");
    app.press("space m");
    let keys = app.looks().to_vec();
    assert!(matches!(keys[0].subject, Subject::Grid(_, method, _) if method != Method::Exact), "{keys:?}");
    app.press("1");
    assert!(app.looks().is_empty(), "another tab does not want it");
    // What arrives when nobody wants it any more is dropped.
    app.show(exact);
    assert!(pane(&app).looks.best(exact.tensor, keys[0].subject).is_none());
}

#[test]
fn a_look_of_another_model_or_of_another_place_is_dropped() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press("6");
    let key = app.looks()[0];
    assert!(matches!(key.subject, Subject::Block(_, _, (0, 0))));
    let other: Arc<Model> = App::on(&dense()).model();
    app.send(Event::Job(JobEvent::Look { model: other, key, seen: Err("of another".to_owned()) }));
    let model = app.model();
    let late = LookKey { subject: Subject::Block(Format::Tq2_0, Method::Exact, (9, 0)), ..key };
    app.send(Event::Job(JobEvent::Look { model, key: late, seen: Err("late".to_owned()) }));
    assert!(pane(&app).looks.best(key.tensor, key.subject).is_none());
    assert!(pane(&app).looks.best(key.tensor, late.subject).is_none());
    app.show(key);
    assert!(pane(&app).looks.best(key.tensor, key.subject).is_some());
}

#[test]
fn keys_move_in_the_map_and_find_its_worst_block() {
    let mut app = on(QUERY, "5");
    app.press("down down");
    assert_eq!(pane(&app).place.at, (8, 0), "a step is a cell of the screen: 64 rows in 16 half lines");
    app.press("+ + +");
    assert_eq!(pane(&app).place.window.rows, 8);
    app.press("up pgdn");
    app.press("0");
    assert_eq!(pane(&app).place.window.rows, 64);
    app.press("v v");
    assert_eq!(pane(&app).measure, Measure::Zeros);
    app.press("v d");
    assert_eq!((pane(&app).measure, pane(&app).signs), (Measure::Error, true));
    app.press("w");
    let key = (app.tensor(QUERY), app.session().look().unwrap().1);
    let Some(Ok(Seen::Grid(grid))) = pane(&app).looks.best(key.0, key.1) else { panic!("no grid") };
    let greatest = grid.cells.iter().filter_map(|c| c.value(Measure::Error)).fold(0.0, f64::max);
    let spot = grid.worst(Measure::Error).unwrap();
    assert_eq!((spot.value, spot.row), (greatest, pane(&app).place.at.0));
    assert!(app.notice().contains("the greatest of all blocks here"), "{}", app.notice());
    let worst = pane(&app).place.at;
    app.press("enter");
    assert_eq!((app.session().tab, pane(&app).place.at), (Tab::Block, worst), "enter opens the block");
    app.press("5 end");
    assert_eq!(pane(&app).place.at, (63, 0));
    app.press("home");
    assert_eq!(pane(&app).place.at, (0, 0));
}

#[test]
fn experts_are_told_apart_in_the_map() {
    let mut app = on(EXPERTS, "5");
    app.press("x");
    let subject = app.session().look().unwrap().1;
    assert_eq!(subject, Subject::Experts(Format::Tq2_0, Method::Exact));
    app.serve();
    let Some(Ok(Seen::Experts(all))) = pane(&app).looks.best(app.tensor(EXPERTS), subject) else { panic!("none") };
    let values: Vec<f64> = all.experts.iter().map(|e| e.cell.value(Measure::Error).unwrap()).collect();
    assert_eq!((values.len(), all.exact), (4, true));
    let worst = (0..4).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap();
    assert_eq!(context(&app), Context::Experts);
    app.press("right right right right");
    assert_eq!(pane(&app).expert, 3, "the last");
    app.press("left up up");
    assert_eq!(pane(&app).expert, 0, "two lines of two, and there is none above");
    for (key, quantity) in [("s", Quantity::Scale), ("z", Quantity::Zeros), ("n", Quantity::NonFinite)] {
        app.press(key);
        assert_eq!(pane(&app).quantity, quantity);
    }
    assert_eq!(pane(&app).measure, Measure::Zeros, "blocks keep what they have too");
    app.press("i");
    assert!(app.notice().contains("--imatrix") && pane(&app).quantity == Quantity::NonFinite, "{}", app.notice());
    app.press("v");
    assert_eq!(pane(&app).quantity, Quantity::Error, "no hits: round to the first");
    app.press("w");
    assert_eq!(pane(&app).expert, worst);
    app.press("enter");
    let window = pane(&app).place.window;
    assert_eq!((window.row, window.rows, pane(&app).experts), (16 * worst as u64, 16, false));
    let mut app = on(QUERY, "5");
    app.press("x");
    assert!(!pane(&app).experts && app.notice().contains("one matrix"), "{}", app.notice());
}

#[test]
fn hits_of_the_importance_matrix_colour_the_experts_and_the_worst_has_fewest() {
    let mut app = on(EXPERTS, "5");
    app.state.settings.imatrix = Some(imatrix(app.folder.path(), EXPERTS, 256, &[90.0, 7.0, 0.0, 30.0]));
    app.press("x i");
    app.serve();
    assert_eq!((pane(&app).quantity, app.notice()), (Quantity::Hits, ""));
    let (tensor, subject) = app.session().look().unwrap();
    let Some(Ok(Seen::Experts(all))) = pane(&app).looks.best(tensor, subject) else { panic!("none") };
    let hits: Vec<Option<f64>> = all.experts.iter().map(|e| Quantity::Hits.of(e)).collect();
    assert_eq!(hits, [90.0, 7.0, 0.0, 30.0].map(Some));
    app.press("w");
    assert_eq!(pane(&app).expert, 2);
}

#[test]
fn the_mouse_goes_to_blocks_zooms_and_moves_the_map() {
    let (left, wheel) = (MouseButton::Left, MouseEventKind::ScrollUp);
    let mouse = |app: &mut App, kind, column, row| {
        app.send(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
        app.settle();
    };
    let mut app = on("blk.0.attn_v.weight", "5");
    let window = pane(&app).place.window;
    assert_eq!((window.rows, window.columns), (16, 5));
    let area = Area { x: 60, y: 4, width: 40, height: 8 };
    app.state.geometry.plot = Plot::Blocks { area, window };
    app.press("esc");
    mouse(&mut app, MouseEventKind::Down(left), 60 + 16, 4 + 6);
    mouse(&mut app, MouseEventKind::Up(left), 60 + 16, 4 + 6);
    assert_eq!((pane(&app).place.at, context(&app)), ((12, 2), Context::Map), "the preview has the keys now");
    mouse(&mut app, wheel, 60 + 16, 4 + 6);
    let closer = pane(&app).place.window;
    assert_eq!((closer.row, closer.rows, pane(&app).place.at), (6, 8, (12, 2)));
    app.state.geometry.plot = Plot::Blocks { area, window: closer };
    mouse(&mut app, MouseEventKind::Down(left), 70, 6);
    mouse(&mut app, MouseEventKind::Drag(left), 70, 10);
    assert_eq!(pane(&app).place.window.row, 2, "four rows of the screen are four of the tensor's");
    mouse(&mut app, MouseEventKind::Up(left), 70, 10);
    mouse(&mut app, MouseEventKind::Drag(left), 70, 4);
    assert_eq!(pane(&app).place.window.row, 2, "nothing is held any more");
    mouse(&mut app, MouseEventKind::ScrollDown, 70, 6);
    assert_eq!(pane(&app).place.window, window, "the whole again");

    let mut app = on(EXPERTS, "5");
    app.press("x");
    app.serve();
    app.state.geometry.plot = Plot::Experts { area, tiles: Tiles::of(4, 40, 8), top: 0 };
    mouse(&mut app, MouseEventKind::Down(left), 60 + 22, 4);
    assert_eq!((pane(&app).expert, pane(&app).experts), (1, true));
    mouse(&mut app, MouseEventKind::Down(left), 60 + 22, 5);
    assert!(!pane(&app).experts && pane(&app).place.at.0 == 16, "a second click opens its blocks");
}

#[test]
fn the_block_view_steps_goes_and_reads_bytes() {
    let mut app = on("blk.0.attn_v.weight", "6");
    // Rows of 320 are five blocks of 64.
    app.press("right");
    assert_eq!(pane(&app).place.at, (0, 1));
    app.press("down left left");
    assert_eq!(pane(&app).place.at, (0, 4), "before the first block of a row is the last of the row above");
    app.press("g");
    assert_eq!(context(&app), Context::Goto);
    app.type_text("15:9");
    app.press("enter");
    let problem = |app: &App| pane(app).goto.as_ref().unwrap().problem.clone();
    assert!(problem(&app).unwrap().contains("0 to 4"), "{:?}", problem(&app));
    assert_eq!(app.notice(), "", "it is told beside the field");
    app.press("backspace");
    assert_eq!(problem(&app), None, "the text is another now");
    app.press("3 enter");
    assert_eq!((pane(&app).place.at, context(&app)), ((15, 3), Context::Block));
    app.press("g esc");
    assert_eq!(context(&app), Context::Block);
    app.serve();
    let (tensor, subject) = app.session().look().unwrap();
    let Some(Ok(Seen::Block(block))) = pane(&app).looks.best(tensor, subject) else { panic!("no block") };
    assert_eq!((block.at, block.first, block.weights.len()), ((15, 3), (15 * 5 + 3) * 64, 64));
    let coded = block.coded.as_ref().unwrap();
    assert_eq!((coded.bytes.len(), coded.trits.len()), (18, 64));
    app.press("v");
    assert!(pane(&app).bytes);
}

#[test]
fn the_table_of_methods_measures_every_group_that_the_rows_divide_by() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press("4");
    let asked = |depth| -> Vec<Format> {
        let index = app.tensor(QUERY);
        let wants = app.wants().iter().filter(|w| w.key.tensor == index && w.key.depth == depth);
        wants.map(|w| w.key.format).collect()
    };
    let all = [Format::Q2_0, Format::Q2_0G128, Format::Tq2_0, Format::I2S];
    assert_eq!((asked(Depth::SHOWN), asked(Depth::Exact)), (all.to_vec(), all.to_vec()));
    app.go("blk.0.attn_v.weight");
    app.settle();
    let index = app.tensor("blk.0.attn_v.weight");
    let formats: Vec<Format> = app
        .wants()
        .iter()
        .filter(|w| w.key.tensor == index && w.key.depth == Depth::Exact)
        .map(|w| w.key.format)
        .collect();
    assert_eq!(formats, [Format::Q2_0, Format::I2S], "rows of 320 divide by neither 128 nor 256");
    app.serve();
    assert!(app.session().previews.report((index, Format::I2S)).is_some_and(|r| r.exact));
}

#[test]
fn a_cell_of_the_table_is_applied_to_the_tensor_its_role_or_the_model() {
    let mut app = on(QUERY, "4");
    assert_eq!(pane(&app).matrix.cell(), (Row::Plain(Method::Exact), Group::Of256), "begins on what is chosen");
    app.press("v");
    assert_eq!(pane(&app).matrix.figure, Figure::Sqnr);
    app.press("up left left enter");
    assert!(matches!(app.state.dialog, Some(Dialog::Apply(f)) if f.format == Format::Q2_0 && f.method == Method::Twn));
    assert_eq!(context(&app), Context::Apply);
    app.press("esc");
    assert!(app.state.dialog.is_none() && app.recipe().rules.is_empty());
    app.press("enter t");
    let asked = |app: &App, name: &str| app.session().plan.decision(app.tensor(name)).requested;
    assert_eq!(asked(&app, QUERY), Some((Format::Q2_0, Method::Twn)));
    assert_eq!(asked(&app, "blk.1.attn_q.weight"), None);
    app.press("enter r");
    assert_eq!(asked(&app, "blk.1.attn_q.weight"), Some((Format::Q2_0, Method::Twn)));
    assert_eq!(app.recipe().rules.len(), 1, "the role's rule replaces the tensor's: {:?}", app.rules());
    app.press("enter m");
    assert_eq!((app.recipe().format, app.recipe().method), (Format::Q2_0, Method::Twn));
    assert_eq!(asked(&app, EXPERTS), Some((Format::Q2_0, Method::Twn)));
    app.press("u u");
    assert_eq!(
        app.notice(),
        "undone: twn q2_0 for role attn_q · next: twn q2_0 for blk.0.attn_q.weight · ctrl-r redoes it"
    );
    assert_eq!(asked(&app, "blk.1.attn_q.weight"), None);
}

#[test]
fn what_cannot_be_applied_says_why() {
    let mut app = on(QUERY, "4");
    app.press("right enter t");
    assert!(app.notice().contains("bitnet.cpp") && app.notice().contains("whole model"), "{}", app.notice());
    assert!(app.recipe().rules.is_empty());
    app.press("down enter");
    assert!(app.notice().contains("--imatrix") && app.state.dialog.is_none(), "{}", app.notice());
    app.press("left down enter");
    let Some(Dialog::Apply(form)) = app.state.dialog else { panic!("no question") };
    assert_eq!((form.format, form.method), (Format::Tq2_0, Method::Max));
    app.press("esc esc");
    let router = "blk.0.ffn_gate_inp.weight";
    app.go(router);
    app.press("enter");
    app.serve();
    app.press("enter t");
    assert!(app.notice().contains("protected"), "{}", app.notice());
    assert!(!app.ternary(router));
}

#[test]
fn what_never_goes_ternary_is_neither_mapped_nor_tried() {
    let norm = "blk.0.attn_norm.weight";
    let mut app = on(norm, "5");
    assert!(app.looks().is_empty() && pane(&app).looks.best(app.tensor(norm), Subject::Trits).is_none());
    app.press("w");
    assert!(app.notice().contains("it stays F32: norm"), "{}", app.notice());
    app.press("4");
    assert!(app.wants().iter().all(|want| want.key.tensor != app.tensor(norm)), "{:?}", app.wants());
    app.press("enter");
    assert!(app.state.dialog.is_none() && app.notice().contains("no method to choose"), "{}", app.notice());
    app.press("6");
    let keys = app.looks().to_vec();
    assert!(matches!(keys[0].subject, Subject::Block(_, _, (0, 0))), "its values are there to be read: {keys:?}");
}

#[test]
fn methods_and_formats_are_of_what_goes_ternary() {
    let mut app = App::on(&layered());
    let before = app.recipe().clone();
    for (tensor, keys, words) in [
        ("blk.0.attn_norm.weight", "m", "stays F32: norm, which llama.cpp takes only as it is: there is no method"),
        (QUERY, "f", "does not go ternary: space makes it, then choose the format"),
        (QUERY, "M", "from the model's row"),
        ("blk.0.ffn_gate_inp.weight", "m", "does not go ternary: choose the method; for all"),
    ] {
        app.go(tensor);
        app.press(keys);
        assert!(app.notice().contains(words), "{tensor}: {}", app.notice());
        assert_eq!(app.recipe(), &before, "and nothing changes elsewhere");
    }
    app.go("");
    app.press("m");
    assert_ne!(app.recipe().method, before.method, "from the model's row it is for all");
    let mut app = App::on(&dense());
    app.go("blk.0.ffn_up.weight");
    app.press("m");
    assert!(app.notice().contains("does not go ternary: space makes it"), "{}", app.notice());
    assert_eq!(app.recipe().method, Method::Exact, "a tensor's row never changes the model's default");
    app.go("");
    app.press("m");
    assert!(app.notice().contains("nothing goes ternary yet: space, L or p"), "{}", app.notice());
    assert_ne!(app.recipe().method, Method::Exact);
}

#[test]
fn bins_and_overlay_of_the_scales_change_from_the_tree_too() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press("2 [ [");
    assert_eq!(pane(&app).bins, Some(64));
    app.press("]");
    assert_eq!(pane(&app).bins, Some(128));
    app.press("b");
    assert_eq!(pane(&app).overlay, Some(Method::Twn));
    app.press("enter b b b b");
    assert_eq!((pane(&app).overlay, context(&app)), (None, Context::Pane));
}

#[test]
fn trits_are_counted_in_the_background_and_only_where_there_are_some() {
    let (tiny, _) = prism_ml(DType::Q2_0_G128, 2);
    let mut app = App::on(&tiny);
    app.go("blk.0.ffn_up.weight");
    app.press("7");
    assert_eq!(app.looks().len(), 2, "sampled first, exact after");
    app.serve();
    let (tensor, subject) = app.session().look().unwrap();
    let Some(Ok(Seen::Trits(trits))) = pane(&app).looks.best(tensor, subject) else { panic!("no trits") };
    assert!(trits.exact && trits.verdict.is_some());
    let sum: f64 = trits.shares.iter().map(|s| s.value).sum();
    assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press("7");
    assert!(app.looks().is_empty(), "floats have no trits");
}

#[test]
fn a_matrix_that_has_nothing_of_a_tensor_is_no_missing_matrix() {
    let mut app = on(QUERY, "4");
    app.state.settings.imatrix = Some(imatrix(app.folder.path(), EXPERTS, 256, &[90.0, 7.0, 0.0, 30.0]));
    (0..6).for_each(|_| drop(app.press("up")));
    let words = "the importance matrix has no entry for this tensor";
    let seen = (0..6).any(|_| {
        let screen = text(&render(&mut app, LARGE, &Theme::dark()));
        assert!(!screen.contains("needs an importance matrix"), "{screen}");
        app.press("down");
        screen.contains(words)
    });
    assert!(seen, "one of the rows is for the matrix");
}

#[test]
fn long_texts_scroll_and_stop_at_their_end() {
    let mut app = on(QUERY, "8");
    app.state.geometry.pane_lines = 20;
    app.press("pgdn");
    assert_eq!(pane(&app).scroll, 7);
    app.press("end");
    assert_eq!(pane(&app).scroll, 12);
    app.press("pgup pgup");
    assert_eq!(pane(&app).scroll, 0);
    app.press("end 6");
    assert_eq!(pane(&app).scroll, 0, "another tab begins at its top");
}
