//! Palette, help, copying, mouse, colours: messages in, state and effects out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use support_tui::{App, layered};
use tritscope::engine::plan::budget::Goal;
use tritscope::engine::plan::{Mask, Recipe};
use tritscope::engine::ternary::{Format, Method};
use tritscope::tui::clipboard::Multiplexer;
use tritscope::tui::effect::{Effect, Exit};
use tritscope::tui::event::Event;
use tritscope::tui::event::Saved;
use tritscope::tui::keymap::Context;
use tritscope::tui::state::appearance::ThemeName;
use tritscope::tui::state::columns::{Column, Sort};
use tritscope::tui::state::palette::Run;
use tritscope::tui::state::{Dialog, Tab};
use tritscope::tui::theme::Theme;
use tritscope::tui::view;

const QUERY: &str = "blk.0.attn_q.weight";

fn draw(app: &mut App) {
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    let mut geometry = None;
    terminal.draw(|frame| geometry = Some(view::draw(&app.state, &Theme::dark(), frame))).unwrap();
    app.state.geometry = geometry.unwrap();
}

fn lines(app: &App) -> Vec<&str> {
    let Some(Dialog::Palette(palette)) = &app.state.dialog else { panic!("no palette") };
    palette.choices.iter().map(|choice| choice.line.as_str()).collect()
}

/// Types a command and runs it.
fn command(app: &mut App, line: &str) -> Vec<Effect> {
    app.press(":");
    app.type_text(line);
    app.press("enter")
}

fn copied(effects: &[Effect]) -> &str {
    match effects {
        [Effect::Copy(text)] => text,
        other => panic!("{other:?}"),
    }
}

fn mouse(app: &mut App, kind: MouseEventKind, column: u16, row: u16) -> Vec<Effect> {
    let effects = app.send(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    app.settle();
    effects
}

#[test]
fn the_palette_lists_every_command_of_where_it_was_opened() {
    let mut app = App::on(&layered());
    app.press(":");
    let listed = lines(&app);
    let keymap = &app.state.settings.keymap;
    for bound in keymap.of(Context::Browse).filter(|b| b.action.name() != "palette") {
        assert!(listed.contains(&bound.action.name()), "{}", bound.action.name());
    }
    assert!(listed.contains(&"goto") && listed.contains(&"theme"));
    app.press("esc J :");
    let place = |app: &App, name: &str| {
        let Some(Dialog::Palette(palette)) = &app.state.dialog else { panic!("no palette") };
        palette.choices.iter().find(|choice| choice.line == name).unwrap_or_else(|| panic!("no {name}")).place
    };
    assert_eq!(place(&app, "cancel-export"), None);
    assert_eq!(place(&app, "toggle-ternary"), Some(Context::Browse), "with where it works");
    assert_eq!(place(&app, "write-chart"), Some(Context::Sensitivity));
    assert_eq!(place(&app, "next-theme"), None, "works here too");
    app.press("esc");
    assert!(matches!(app.state.dialog, Some(Dialog::Jobs(_))), "what lay below is there again");
}

#[test]
fn letters_in_order_find_a_command_and_enter_runs_it() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press(":");
    app.type_text("tgltern");
    assert_eq!(lines(&app).first(), Some(&"toggle-ternary"));
    app.press("enter");
    assert!(app.ternary(QUERY) && app.state.dialog.is_none());
    command(&mut app, "tab-methods");
    assert_eq!(app.session().tab, Tab::Methods);
    command(&mut app, "undo");
    assert!(!app.ternary(QUERY));
    assert!(matches!(command(&mut app, "quit")[..], [Effect::Quit(Exit::Done)]));
}

#[test]
fn what_no_command_is_like_is_said_and_nothing_runs() {
    let mut app = App::on(&layered());
    app.press(":");
    app.type_text("zzzzqqqq");
    assert!(lines(&app).is_empty());
    app.press("enter");
    assert!(app.notice().contains("zzzzqqqq") && app.state.dialog.is_some());
    app.press("ctrl-u");
    assert!(!lines(&app).is_empty());
}

#[test]
fn a_command_with_an_argument_is_completed_and_run() {
    let mut app = App::on(&layered());
    app.press(":");
    app.type_text("goto");
    app.press("enter");
    let Some(Dialog::Palette(palette)) = &app.state.dialog else { panic!() };
    assert_eq!(palette.input.text(), "goto ", "the argument is asked for");
    app.type_text("1.attn_q");
    assert_eq!(lines(&app), ["goto blk.1.attn_q.weight"]);
    app.press("enter");
    assert_eq!(app.selected(), "blk.1.attn_q.weight");

    command(&mut app, "filter attn_v");
    assert!(app.session().tree.is_filtered() && !app.session().filter.editing);
    command(&mut app, "goto blk.0.attn_q.weight");
    assert_eq!(app.selected(), QUERY, "a filter that hides the tensor is cleared");
    assert!(!app.session().tree.is_filtered());

    command(&mut app, "mask all");
    assert_eq!(app.recipe().layers, Mask::All);
    command(&mut app, "method absmean");
    let decision = app.session().plan.decision(app.tensor(QUERY));
    assert_eq!(decision.method_name(), Some(Method::Absmean.name()), "of the selection");
    assert_eq!(app.recipe().method, Recipe::default().method, "and not of the others");
    app.go("");
    command(&mut app, "format q2_0");
    assert_eq!(app.recipe().format, Format::Q2_0);
    let effects = command(&mut app, "open other.gguf");
    let wanted = app.path("other.gguf");
    assert!(matches!(&effects[..], [Effect::Open(path)] if *path == wanted), "{effects:?}");
}

#[test]
fn commands_of_other_places_are_run_there_or_say_where() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    command(&mut app, "next-measure");
    assert_eq!(Context::of(&app.state), Context::Sensitivity);
    command(&mut app, "merges");
    assert_eq!(Context::of(&app.state), Context::Tokens);
    command(&mut app, "select-layers");
    assert_eq!(Context::of(&app.state), Context::Browse);
    command(&mut app, "by-zeros");
    assert_eq!(Context::of(&app.state), Context::Map);
    app.press("esc");
    command(&mut app, "pairs-differ");
    assert_eq!(Context::of(&app.state), Context::Browse);
    assert_eq!(app.notice(), "pairs-differ works in: Comparing two models");
    app.go("");
    command(&mut app, "by-zeros");
    assert!(app.notice().ends_with("with the cursor on a tensor"), "{}", app.notice());
}

#[test]
fn sort_and_budget_take_arguments_and_a_wrong_filter_says_why() {
    let mut app = App::on(&layered());
    command(&mut app, "sort size");
    assert_eq!(app.session().sort, Sort::by(Column::Size));
    command(&mut app, "sort -size");
    assert_eq!(app.session().sort, Sort::by(Column::Size).reversed());
    app.press(":");
    app.type_text("budget 3");
    assert_eq!(lines(&app), ["budget 3bpw", "budget 3MiB", "budget 3GiB"]);
    app.type_text("x");
    let told = |app: &App| {
        let Some(Dialog::Palette(palette)) = &app.state.dialog else { panic!("no palette") };
        palette.problem.clone()
    };
    assert!(lines(&app).is_empty() && told(&app).unwrap().contains("'3x' is no budget"));
    app.press("backspace");
    app.type_text("k");
    assert_eq!(lines(&app), ["budget 3KiB", "budget 3k"]);
    app.press("backspace");
    app.type_text("b");
    app.press("enter");
    let slider = app.session().slider.as_ref().unwrap();
    assert_eq!(slider.asked, Some(Goal::Bpw(3.0)));
    app.press("esc esc :");
    app.type_text("filter type:f16 and");
    assert!(told(&app).is_some() && !lines(&app).contains(&"filter type:f16 and"));
    app.press("ctrl-u");
    app.type_text("filter type:f1");
    assert_eq!(told(&app), None);
    app.press("down enter");
    assert_eq!(lines(&app).first(), Some(&"filter type:f16"), "typed out");
    app.press("enter");
    assert_eq!(app.session().filter.in_force(), "type:f16");
}

#[test]
fn the_report_of_the_plan_goes_to_a_file_and_over_another_only_when_asked_twice() {
    let mut app = App::on(&layered());
    let path = app.path("report.json");
    let effects = command(&mut app, "save-report report.json");
    assert!(
        matches!(&effects[..], [Effect::WriteReport { path: p, overwrite: false, .. }] if *p == path),
        "{effects:?}"
    );
    app.send(Event::ReportWritten { path: path.clone(), result: Saved::Exists });
    let effects = app.press("enter");
    assert!(matches!(&effects[..], [Effect::WriteReport { overwrite: true, .. }]), "{effects:?}");
    app.send(Event::ReportWritten { path, result: Saved::Written });
    assert!(app.state.dialog.is_none());
    assert_eq!(app.notice(), "report written to ~/report.json");
    app.press("y w");
    assert_eq!(Context::of(&app.state), Context::SaveReport);
    app.press("ctrl-u enter");
    let Some(Dialog::SaveReport(form)) = &app.state.dialog else { panic!() };
    assert_eq!(form.problem.as_deref(), Some("the path names no file"));
    app.press("esc");
    assert!(app.state.dialog.is_none());
}

#[test]
fn tab_types_the_chosen_command_out() {
    let mut app = App::on(&layered());
    app.press(":");
    app.type_text("them");
    let Some(Dialog::Palette(palette)) = &app.state.dialog else { panic!() };
    let at = palette.choices.iter().position(|c| matches!(c.run, Run::Ask(_))).unwrap();
    for _ in 0..at {
        app.press("down");
    }
    app.press("tab");
    assert_eq!(lines(&app).len(), ThemeName::ALL.len());
    app.type_text("li");
    app.press("enter");
    assert_eq!(app.state.appearance.theme, ThemeName::Light);
}

#[test]
fn without_a_model_only_what_needs_none_is_offered() {
    let mut app = App::empty();
    app.press(":");
    assert!(!lines(&app).contains(&"toggle-ternary") && !lines(&app).contains(&"goto"));
    assert!(lines(&app).contains(&"open") && lines(&app).contains(&"theme"));
}

#[test]
fn help_is_searched_as_one_types() {
    let mut app = App::on(&layered());
    app.press("?");
    draw(&mut app);
    let all = app.state.geometry.dialog_lines;
    app.press("/");
    app.type_text("mask");
    draw(&mut app);
    let found = app.state.geometry.dialog_lines;
    assert!(found > 1 && found < all / 4, "{found} of {all}");
    app.press("enter esc");
    draw(&mut app);
    assert_eq!(app.state.geometry.dialog_lines, all, "esc goes up one level: the search first");
    app.press("esc");
    assert!(app.state.dialog.is_none());
}

/// What help lies over, if it is open.
fn helped(app: &App) -> Option<Context> {
    match &app.state.dialog {
        Some(Dialog::Help(help)) => Some(help.of),
        _ => None,
    }
}

/// The screen as lines.
fn screen(app: &App) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    terminal.draw(|frame| drop(view::draw(&app.state, &Theme::dark(), frame))).unwrap();
    let buffer = terminal.backend().buffer();
    buffer.content().chunks(120).map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect()).collect()
}

#[test]
fn a_tensor_that_loses_nothing_has_no_figure_that_reads_as_one_in_ascii() {
    let lossless: Vec<f32> = support::normals(256 * 16, 3).iter().map(|w| 0.25f32.copysign(*w)).collect();
    let bytes = support::f32_bytes(&lossless);
    let tiny = layered().tensor("blk.0.attn_k.weight", &[256, 16], tritscope::engine::codec::DType::F32, bytes);
    let mut app = App::on(&tiny);
    app.press("L +");
    app.go("blk.0.attn_k.weight");
    screen(&app);
    app.serve();
    for (ascii, sign) in [(false, "∞"), (true, "inf")] {
        app.state.appearance.ascii = ascii;
        let shown = screen(&app);
        let rows = shown.iter().skip(2).map(|row| row.chars().take(64).collect::<String>());
        let tree = rows.filter(|row| row.contains("attn_k")).collect::<String>();
        assert!(tree.contains(sign), "{ascii}: {tree}\n{}", shown.join("\n"));
    }
}

#[test]
fn names_that_differ_beyond_ascii_differ_when_drawn_in_ascii() {
    let named = |tiny: support::Tiny, name: &str| tiny.normal(name, &[256, 4], 1);
    let tiny = named(named(layered(), "blk.0.gr\u{f6}\u{df}e.weight"), "blk.0.gr\u{fc}\u{df}e.weight");
    let mut app = App::on(&tiny);
    app.state.appearance.ascii = true;
    app.press("+");
    let shown = screen(&app).join("\n");
    assert!(shown.is_ascii(), "{shown}");
    for part in ["gr\\u{f6}\\u{df}e", "gr\\u{fc}\\u{df}e"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    app.state.appearance.ascii = false;
    assert!(screen(&app).join("\n").contains("gr\u{f6}\u{df}e"), "elsewhere names are as they are");
}

#[test]
fn help_opens_everywhere_and_begins_with_the_keys_of_where_it_was_opened() {
    let places = [
        ("", Context::Browse, "Main screen"),
        ("J", Context::Jobs, "Jobs"),
        ("N", Context::Reading, "Messages"),
        ("p", Context::Presets, "Presets"),
        ("y", Context::Copy, "Copying"),
        ("S", Context::Sensitivity, "Sensitivity"),
        ("i 5", Context::Problems, "Problems, besides"),
        ("L B", Context::Budget, "Budget slider"),
    ];
    for (keys, of, title) in places {
        let mut app = App::on(&layered());
        app.go(QUERY);
        app.press(keys);
        assert_eq!(Context::of(&app.state), of, "{keys}");
        app.press("?");
        assert_eq!(helped(&app), Some(of), "{keys}");
        let shown = screen(&app);
        let at = shown.iter().position(|line| line.contains(" Help ")).unwrap();
        assert!(shown[at + 1].contains(title), "{keys}: {}", shown[at + 1]);
        app.press("esc");
        assert_eq!(Context::of(&app.state), of, "{keys}: what it lay over has the keys again");
    }
}

#[test]
fn a_question_mark_is_typed_where_words_are_and_f1_helps_there() {
    let mut app = App::on(&layered());
    app.press("/ ? f1");
    assert_eq!((app.session().filter.input.text(), helped(&app)), ("?", Some(Context::Filter)));
    app.press("esc");
    assert!(app.session().filter.editing, "the filter is typed on");

    app.press("esc s ? f1");
    assert_eq!(helped(&app), Some(Context::SaveRecipe));
    app.press("esc");
    let Some(Dialog::SaveRecipe(form)) = &app.state.dialog else { panic!("{:?}", app.state.dialog) };
    assert!(form.path.text().ends_with('?'));

    app.press("esc L Q ?");
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("{:?}", app.state.dialog) };
    assert!(form.path.text().ends_with('?'));
    app.press("tab ?");
    assert_eq!(helped(&app), Some(Context::Quantize), "no text is typed in the other fields");
}

#[test]
fn what_comes_from_the_background_reaches_the_dialog_below_help() {
    let mut app = App::on(&layered());
    app.press("o f1");
    let Some(Dialog::Help(help)) = &app.state.dialog else { panic!("{:?}", app.state.dialog) };
    let Some(Dialog::Picker(picker)) = help.beneath.as_deref() else { panic!() };
    let path = picker.folder.clone();
    app.send(Event::Folder { path, entries: Ok(Vec::new()) });
    app.press("esc");
    let Some(Dialog::Picker(picker)) = &app.state.dialog else { panic!("{:?}", app.state.dialog) };
    assert!(picker.entries.is_some());

    app.press("esc s enter f1");
    let path = app.path("recipe.toml");
    app.send(Event::RecipeWritten { path, result: tritscope::tui::event::Saved::Written });
    assert!(helped(&app).is_some(), "help stays open");
    app.press("esc");
    assert!(app.state.dialog.is_none(), "what was asked is settled");
}

#[test]
fn y_copies_what_is_asked_for_and_says_how_much() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    assert_eq!(copied(&app.press("y n")), QUERY);
    assert!(app.notice().contains("19 B") && app.state.dialog.is_none(), "{}", app.notice());
    let row = copied(&app.press("y r")).to_owned();
    assert_eq!(row.split('\t').take(4).collect::<Vec<_>>(), [QUERY, "F16", "F16", "256×64"]);
    assert!(copied(&app.press("y c")).starts_with("tritscope quantize /"));
    let recipe: Recipe = copied(&app.press("y t")).parse().unwrap();
    assert_eq!(&recipe, app.recipe());
    app.press("L");
    app.serve();
    let json: serde_json::Value = serde_json::from_str(copied(&app.press("y j"))).unwrap();
    assert_eq!(json["totals"]["ternary_tensors"], 6);
    assert!(json["tensors"][2]["sqnr_db"].as_f64().is_some_and(|db| db > 0.0), "figures that are known are in it");
    let markdown = copied(&app.press("y down down down down down enter")).to_owned();
    assert!(
        markdown.contains("6 of 13 tensors go ternary") && markdown.contains("| `blk.0.attn_q.weight` |"),
        "{markdown}"
    );
    app.press("y esc");
    assert!(app.state.dialog.is_none());
}

#[test]
fn a_copy_says_that_it_was_sent_and_what_must_pass_it_on() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    let said = |app: &mut App, through| {
        app.state.settings.multiplexer = through;
        app.press("y n");
        app.notice().to_owned()
    };
    assert_eq!(said(&mut app, None), "name sent to the terminal's clipboard: 19 B");
    let tmux = said(&mut app, Some(Multiplexer::Tmux));
    assert_eq!(tmux, "name sent to the terminal's clipboard: 19 B · needs tmux: set -g set-clipboard on");
    app.press("y n");
    assert_eq!(app.notice(), "name sent to the terminal's clipboard: 19 B", "that is told once");
    assert!(said(&mut app, Some(Multiplexer::Screen)).ends_with("· needs screen: if the terminal takes OSC 52"));
}

#[test]
fn the_wheel_moves_what_lies_under_it() {
    let mut app = App::on(&layered());
    app.go("");
    draw(&mut app);
    let (tree, preview) = (app.state.geometry.tree, app.state.geometry.preview);
    mouse(&mut app, MouseEventKind::ScrollDown, tree.x + 1, tree.y + 1);
    assert_eq!(app.session().tree.cursor(), 3);
    mouse(&mut app, MouseEventKind::ScrollDown, preview.x + 3, preview.y + 10);
    assert_eq!(app.session().tree.cursor(), 3, "over the preview the tree stays");
    app.go(QUERY);
    draw(&mut app);
    let tab = app.state.geometry.tabs[0].0;
    mouse(&mut app, MouseEventKind::ScrollDown, tab.x, tab.y);
    assert_ne!(app.session().tab, Tab::default(), "over the tabs it goes through them");
}

#[test]
fn the_splitter_is_dragged_and_stays_where_it_was_put() {
    let mut app = App::on(&layered());
    draw(&mut app);
    let at = app.state.geometry.splitter;
    mouse(&mut app, MouseEventKind::Drag(MouseButton::Left), 50, 10);
    draw(&mut app);
    assert_eq!(app.state.geometry.splitter, at, "only what was grabbed is dragged");
    mouse(&mut app, MouseEventKind::Down(MouseButton::Left), at, 10);
    for column in [at - 5, 50, 45] {
        mouse(&mut app, MouseEventKind::Drag(MouseButton::Left), column, 12);
    }
    mouse(&mut app, MouseEventKind::Up(MouseButton::Left), 45, 12);
    draw(&mut app);
    assert_eq!(app.state.geometry.splitter, 45);
    mouse(&mut app, MouseEventKind::Drag(MouseButton::Left), 80, 12);
    mouse(&mut app, MouseEventKind::Down(MouseButton::Left), 45, 10);
    mouse(&mut app, MouseEventKind::Drag(MouseButton::Left), 0, 12);
    draw(&mut app);
    assert_eq!(app.state.geometry.splitter, 24, "neither side vanishes");
    command(&mut app, "widen-tree");
    draw(&mut app);
    assert_eq!(app.state.geometry.splitter, 28);
}

#[test]
fn a_click_in_the_palette_chooses_and_a_second_runs() {
    let mut app = App::on(&layered());
    app.press(":");
    app.type_text("theme");
    draw(&mut app);
    let list = app.state.geometry.dialog;
    let Some(Dialog::Palette(palette)) = &app.state.dialog else { panic!() };
    let at = palette.choices.iter().position(|c| c.line == "next-theme").unwrap();
    for _ in 0..2 {
        mouse(&mut app, MouseEventKind::Down(MouseButton::Left), list.x + 2, list.y + at as u16);
    }
    assert_eq!(app.state.appearance.theme, ThemeName::Light);
}

#[test]
fn the_mouse_can_be_left_to_the_terminal() {
    let mut app = App::on(&layered());
    assert!(matches!(app.press("X")[..], [Effect::SetMouse(false)]));
    assert!(!app.state.appearance.mouse && app.notice().contains("terminal"));
    assert!(matches!(command(&mut app, "mouse on")[..], [Effect::SetMouse(true)]));
    assert!(app.state.appearance.mouse);
}

#[test]
fn colours_go_round() {
    let mut app = App::on(&layered());
    let seen: Vec<ThemeName> = (0..ThemeName::ALL.len())
        .map(|_| {
            app.press("T");
            app.state.appearance.theme
        })
        .collect();
    assert_eq!(seen.last(), Some(&ThemeName::Dark));
    command(&mut app, "ascii on");
    assert!(app.state.appearance.ascii);
    command(&mut app, "toggle-ascii");
    assert!(!app.state.appearance.ascii);
}

#[test]
fn the_screen_can_be_drawn_anew_from_everywhere() {
    for context in tritscope::tui::keymap::Context::ALL {
        let key = KeyEvent::new(KeyCode::Char('l'), KeyModifiers::CONTROL);
        let action = App::empty().state.settings.keymap.resolve(context, &key);
        assert_eq!(action, Some(tritscope::tui::action::Action::Redraw), "{context:?}");
    }
    assert!(matches!(App::empty().press("ctrl-l")[..], [Effect::Redraw]));
}
