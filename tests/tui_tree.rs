//! The rows of the tree: folded by name or by role, sorted, with the folders above them in sight.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use support::{Kv, Tiny};
use support_tui::shoot::{render, text};
use support_tui::{App, layered};
use tritscope::engine::demo;
use tritscope::engine::model::tree::Grouping;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::progress::Cancel;
use tritscope::jobs::JobEvent;
use tritscope::jobs::questions::{Answer, Desk, Question};
use tritscope::tui::effect::Effect;
use tritscope::tui::event::Event;
use tritscope::tui::state::Tab;
use tritscope::tui::state::columns::Column;
use tritscope::tui::state::fate::Fate;
use tritscope::tui::state::tree::Item;
use tritscope::tui::theme::Theme;
use tritscope::tui::update;

const QUERIES: [&str; 2] = ["blk.0.attn_q.weight", "blk.1.attn_q.weight"];

fn click(app: &mut App, column: u16, row: u16) {
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.send(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    app.settle();
}

/// Twenty layers of two matrices, each larger than the one before.
fn tall() -> Tiny {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(20));
    for layer in 0..20u64 {
        tiny = tiny.normal(&format!("blk.{layer}.attn_q.weight"), &[256, layer + 1], layer);
        tiny = tiny.normal(&format!("blk.{layer}.ffn_up.weight"), &[256, 40 - layer], layer);
    }
    tiny.normal("output_norm.weight", &[256], 2)
}

#[test]
fn r_folds_by_role_and_back_with_the_cursor_on_its_tensor() {
    let mut app = App::on(&layered());
    app.go(QUERIES[1]);
    app.press("r");
    assert_eq!(app.selected(), QUERIES[1]);
    let roots: Vec<&str> = app.rows().into_iter().filter(|path| path.starts_with("role:")).collect();
    assert_eq!(
        roots,
        [
            "role:token_embd",
            "role:output",
            "role:attn",
            "role:attn_q",
            "role:attn_v",
            "role:expert_up",
            "role:router",
            "role:norm"
        ]
    );
    assert!(app.rows().windows(2).any(|rows| rows == QUERIES), "the layers of a role stand side by side");
    app.press("r");
    assert_eq!(app.selected(), QUERIES[1]);
    assert!(app.rows().contains(&"blk."));
}

#[test]
fn a_role_is_toggled_by_one_rule_that_says_so() {
    let mut app = App::on(&layered());
    app.press("r");
    app.go("role:attn");
    app.press("space");
    assert_eq!(app.recipe().rules.len(), 1);
    assert_eq!(app.recipe().rules[0].pattern.to_string(), "role:attn");
    assert_eq!(app.all_ternary().len(), 6);
    app.press("space");
    assert_eq!(app.recipe().rules, [], "and no rule is left: {:?}", app.rules());
    app.go("role:router");
    app.press("space");
    assert!(app.notice().contains("nothing here can go ternary"), "{}", app.notice());
}

#[test]
fn a_filter_and_the_folds_survive_a_switch() {
    let mut app = App::on(&layered());
    app.go("blk.1.");
    app.press("enter /");
    app.type_text("attn_q");
    app.press("enter r");
    assert_eq!(app.rows(), ["role:attn", "role:attn_q", QUERIES[0], QUERIES[1]]);
    app.press("esc r");
    assert!(app.rows().contains(&QUERIES[1]), "what was open is open: {:?}", app.rows());
}

#[test]
fn rows_are_sorted_in_their_folders_by_any_column_either_way() {
    let mut app = App::on(&tall());
    app.press("> > >");
    assert_eq!(app.session().sort.column, Column::Size);
    let layers = |app: &App| -> Vec<String> {
        app.rows()
            .into_iter()
            .filter(|path| path.starts_with("blk.") && path.ends_with('.'))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(layers(&app)[0], "blk.", "greatest first: the folder before the norm");
    app.press("+");
    let rows = app.rows();
    let at = |name: &str| rows.iter().position(|row| *row == name).unwrap();
    assert!(at("blk.0.ffn_up.weight") < at("blk.0.attn_q.weight"), "40 rows before one");
    app.press("\\");
    let rows = app.rows();
    let at = |name: &str| rows.iter().position(|row| *row == name).unwrap();
    assert!(at("blk.0.ffn_up.weight") > at("blk.0.attn_q.weight"));
    assert!(at("output_norm.weight") < at("blk."));
    app.press("< < <");
    assert_eq!(app.session().sort.column, Column::Name);
    assert_eq!(layers(&app)[1..4], ["blk.0.", "blk.1.", "blk.2."], "natural order again");
    app.press("\\");
    assert_eq!(layers(&app)[1..3], ["blk.19.", "blk.18."]);
}

#[test]
fn rows_sorted_by_error_follow_figures_after_a_while() {
    let mut app = App::on(&tall());
    app.press("L");
    app.press("<");
    assert_eq!(app.session().sort.column, Column::Sqnr);
    app.go("blk.");
    app.settle();
    app.serve();
    assert!(app.state.next_wake().is_some(), "a wake is asked for");
    app.pass(Duration::from_secs(1));
    app.settle();
    let session = app.session();
    let layers = session.tree.children(tritscope::tui::state::tree::Item::Node(
        session.tree.tree().nodes.iter().position(|n| &*n.path == "blk.").unwrap(),
    ));
    let errors: Vec<f64> = layers
        .iter()
        .map(|node| Column::Sqnr.key(&session.summaries.of(tritscope::tui::state::tree::Item::Node(*node))))
        .collect();
    assert_eq!(errors.len(), 20);
    assert!(errors.iter().all(|e| e.is_finite()) && errors.is_sorted(), "worst first: {errors:?}");
}

#[test]
fn a_click_on_a_heading_sorts_and_another_turns_it_round() {
    let mut app = App::on(&layered());
    render(&mut app, (120, 40), &Theme::dark());
    let (area, column) = app.state.geometry.headings.iter().find(|(_, c)| *c == Column::NewSize).copied().unwrap();
    click(&mut app, area.x + 1, area.y);
    assert_eq!((app.session().sort.column, app.session().sort.descending), (column, true));
    let screen = text(&render(&mut app, (120, 40), &Theme::dark()));
    assert!(screen.contains("new size▼"), "{screen}");
    click(&mut app, area.x + 1, area.y);
    assert!(!app.session().sort.descending);
    let small = text(&render(&mut app, (80, 24), &Theme::dark()));
    assert!(small.contains("new size▲"), "without room for the column the foot tells: {small}");
}

#[test]
fn folders_above_the_first_row_stay_at_the_top_and_can_be_clicked() {
    let mut app = App::on(&tall());
    app.press("+");
    app.go("blk.15.attn_q.weight");
    let screen = text(&render(&mut app, (120, 40), &Theme::dark()));
    let rows: Vec<&str> = screen.lines().skip(2).take(2).collect();
    assert!(rows[0].contains("▾ blk"), "{screen}");
    assert_eq!(app.state.geometry.sticky.len(), 2, "{screen}");
    for _ in 0..60 {
        app.press("up");
        render(&mut app, (120, 40), &Theme::dark());
        let (tree, geometry) = (&app.session().tree, &app.state.geometry);
        let line = tree.cursor() - geometry.tree_offset.min(tree.cursor());
        let covered = line < geometry.sticky.len() && geometry.sticky[line] != tree.cursor();
        assert!(!covered && tree.cursor() >= geometry.tree_offset, "the cursor is never covered");
    }
    app.press("end");
    render(&mut app, (120, 40), &Theme::dark());
    let area = app.state.geometry.tree;
    click(&mut app, area.x + 3, area.y);
    assert_eq!(app.selected(), "blk.");
    app.go("blk.15.attn_q.weight");
    render(&mut app, (60, 16), &Theme::dark());
    assert!(app.state.geometry.sticky.len() <= 1, "not where there is no room");
}

#[test]
fn w_goes_to_the_tensor_with_the_greatest_error_of_those_in_sight() {
    let mut app = App::on(&layered());
    app.press("L");
    assert!(app.press("w").is_empty());
    let words = "nothing is measured yet: measuring 6, then it is told";
    assert!(app.notice() == words && app.session().scan, "{}", app.notice());
    app.settle();
    app.serve();
    app.press("- w");
    let sqnr = |app: &App, tensor: usize| {
        let node = app.session().node_of(tensor).unwrap();
        Column::Sqnr.key(&app.session().summaries.of(Item::Node(node)))
    };
    let worst = app.tensor(app.selected());
    let ternary: Vec<usize> = app.all_ternary().into_iter().map(|name| app.tensor(name)).collect();
    assert!(ternary.iter().all(|t| sqnr(&app, *t) >= sqnr(&app, worst)));
    assert!(app.notice().contains("the worst of 6 measured"), "{}", app.notice());
    // With a filter, of what it lets through.
    let name = app.selected().to_owned();
    app.press("/");
    app.type_text(&format!("is:ternary not name:{name}"));
    app.press("enter w");
    assert_ne!(app.selected(), name);
    assert!(app.notice().contains("the worst of 5 measured"), "{}", app.notice());
}

#[test]
fn rows_are_sorted_by_what_becomes_of_them_too() {
    let mut app = App::on(&layered());
    app.press("L < <");
    assert_eq!(app.session().sort.column, Column::Why);
    let fates = |app: &App| -> Vec<usize> {
        let session = app.session();
        let tree = &session.tree;
        let tensors = tree
            .rows()
            .iter()
            .filter_map(|row| tree.tensor_of(*row))
            .filter(|tensor| session.model.tensors[*tensor].name.starts_with("blk.0."));
        tensors.map(|tensor| Fate::ALL.iter().position(|fate| *fate == session.fate_of(tensor)).unwrap()).collect()
    };
    app.press("+");
    let found = fates(&app);
    assert!(found.len() == 5 && found.is_sorted_by(|a, b| a >= b) && found[0] != found[4], "{found:?}");
    app.press("\\");
    assert!(fates(&app).is_sorted(), "the other way round");
    // At this width there is no such column: the order is told beside the names.
    let screen = text(&render(&mut app, (80, 24), &Theme::dark()));
    assert!(screen.lines().nth(1).unwrap().contains("sort why▲"), "{screen}");
}

#[test]
fn w_asks_for_what_is_not_measured_and_looks_beyond_a_single_ternary_tensor() {
    let mut app = App::on(&layered());
    let eligible = (0..app.model().tensors.len()).filter(|i| app.session().plan.outlook(*i).eligible).count();
    assert!(eligible > app.all_ternary().len(), "only experts go ternary");
    let wants = app.wants().to_vec();
    app.deliver(&wants[0]);
    app.settle();
    app.press("w");
    let missing = format!("; measuring {} more, then it is told again", eligible - 1);
    assert!(app.notice().contains("the worst of 1 measured"), "{}", app.notice());
    assert!(app.notice().ends_with(&missing), "{}", app.notice());
    let at_first = app.selected().to_owned();
    app.settle();
    app.serve();
    assert!(app.notice().starts_with("all is measured now: "), "{}", app.notice());
    assert!(app.notice().ends_with("the worst of 2 measured"), "{}", app.notice());
    assert!(app.notice().contains("it stays") == (app.selected() == at_first), "{}", app.notice());
    app.go("");
    app.press("w");
    assert!(app.notice().ends_with("the worst of 2 measured"), "those that go ternary: {}", app.notice());
    app.press("w");
    let all = format!("the worst of {eligible} measured of all that may go ternary");
    assert!(app.notice().ends_with(&all), "the cursor was there already: {}", app.notice());
    // One that goes ternary says little of where it would hurt.
    app.go("blk.0.ffn_up_exps.weight");
    app.press("space w");
    assert!(app.notice().ends_with(&all), "{}", app.notice());
}

#[test]
fn who_sorts_sees_the_first_row_of_the_folder() {
    let mut app = App::on(&layered());
    app.press("L");
    app.settle();
    app.serve();
    app.go("blk.1.");
    app.press("<");
    assert_eq!(app.session().sort.column, Column::Sqnr);
    let rows = app.session().tree.rows();
    let first = rows.iter().position(|row| *row == app.session().tree.selected()).unwrap();
    assert_eq!(app.session().tree.path(rows[first - 1]), "blk.", "the row above is the folder");
}

#[test]
fn number_keys_say_that_a_folder_has_no_tabs() {
    let mut app = App::on(&layered());
    app.go("blk.0.");
    app.press("5");
    assert!(app.notice().contains("this is a folder"), "{}", app.notice());
    app.go("blk.0.attn_q.weight");
    app.press("4");
    assert_eq!(app.session().tab, Tab::Methods);
}

#[test]
fn space_overrides_a_protection_that_was_told() {
    let mut app = App::on(&layered());
    app.go("token_embd.weight");
    app.press("space");
    assert!(app.notice().contains("press space again to override"), "{}", app.notice());
    assert!(!app.ternary("token_embd.weight"));
    app.press("space");
    assert!(app.ternary("token_embd.weight"), "{}", app.notice());
}

#[test]
fn of_many_tensors_the_tree_by_roles_is_made_ahead() {
    let mut app = App::empty();
    let path = app.folder.path().join("large.gguf");
    demo::write_large(&path, 10_000).unwrap();
    let model = Arc::new(Model::open(&path, &OpenOptions::default()).unwrap());
    update::show_model(&mut app.state, Arc::clone(&model));
    let asked = |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Ask(_, Question::ByRole))).count();
    assert_eq!([asked(&app.settle()), asked(&app.settle())], [1, 0]);
    let expected = app.session().tree.tree().by_role(&model.tensors);
    let answer = Desk::default().answer(&model, Question::ByRole, &Cancel::new()).unwrap();
    let Answer::ByRole(tree) = &answer else { panic!("{answer:?}") };
    assert_eq!(**tree, expected);
    app.send(Event::Job(JobEvent::Answered { model, answer }));
    assert_eq!(app.session().tree.grouping(), Grouping::Names, "it is only kept");
    app.press("r");
    assert_eq!(*app.session().tree.tree(), expected);
}

#[test]
fn of_few_tensors_no_tree_is_made_ahead() {
    let mut app = App::empty();
    let path = layered().write(app.folder.path());
    update::show_model(&mut app.state, Arc::new(Model::open(&path, &OpenOptions::default()).unwrap()));
    assert!(!app.settle().iter().any(|e| matches!(e, Effect::Ask(_, Question::ByRole))));
}
