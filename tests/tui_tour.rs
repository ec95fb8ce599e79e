//! The tour: each step waits for what it asks for, it can be ended and begun again, and its end is remembered; and how the
//! interface looks before there is a model, and where there is no room for it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::sync::Arc;
use std::time::Duration;

use support_tui::shoot::{LARGE, SMALL, render, shoot_at, shoot_both, text};
use support_tui::{App, layered};
use tritscope::jobs::{ExportRequest, JobEvent};
use tritscope::tui::effect::Effect;
use tritscope::tui::event::Event;
use tritscope::tui::state::picker::Entry;
use tritscope::tui::state::tour::{Step, Tour};
use tritscope::tui::theme::Theme;
use tritscope::tui::update;

fn on_tour() -> App {
    let mut app = App::on(&layered());
    app.press("L");
    render(&mut app, SMALL, &Theme::dark());
    app.serve();
    app.pass(Duration::from_secs(60));
    app.state.tour = Some(Tour::begin(&app.state));
    app.settle();
    app
}

fn step(app: &App) -> Option<Step> {
    app.state.tour.as_ref().and_then(Tour::step)
}

fn ends(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::EndTour))
}

#[test]
fn each_step_waits_for_what_it_asks_for() {
    let mut app = on_tour();
    assert_eq!(step(&app), Some(Step::Look));
    shoot_both(&mut app, "tour_1");
    app.go("blk.0.attn_q.weight");
    app.settle();
    assert_eq!(step(&app), Some(Step::Toggle));
    app.pass(Duration::from_secs(60));
    shoot_both(&mut app, "tour_2");
    app.press("space");
    assert_eq!(step(&app), Some(Step::Worst));
    app.pass(Duration::from_secs(60));
    shoot_both(&mut app, "tour_3");
    app.press("S");
    assert_eq!(step(&app), Some(Step::Quantize));
    app.pass(Duration::from_secs(60));
    shoot_both(&mut app, "tour_4");
    app.press("esc Q");
    let effects = app.press("enter");
    assert!(!ends(&effects));
    let queued = effects.into_iter().find_map(|effect| match effect {
        Effect::Export { model, plan, recipe, options, threads, what } => {
            let request = Arc::new(ExportRequest { model, plan, recipe, options, threads });
            Some(Event::ExportQueued { id: 1, request, what })
        }
        _ => None,
    });
    app.send(queued.expect("an export begins"));
    let effects = app.settle();
    assert!(ends(&effects) && app.state.tour.is_none());
    assert!(app.notice().starts_with("that was the tour"), "{}", app.notice());
    shoot_both(&mut app, "tour_end");
}

#[test]
fn what_is_done_before_its_turn_counts() {
    let mut app = on_tour();
    app.press("space");
    app.settle();
    assert_eq!(step(&app), Some(Step::Look), "it does not stand in for the step that waits");
    app.go("blk.0.attn_q.weight");
    app.settle();
    assert_eq!(step(&app), Some(Step::Worst), "the layer was made ternary already");
    let mut app = on_tour();
    app.press("w");
    app.settle();
    app.go("blk.0.attn_q.weight");
    app.settle();
    assert_eq!(step(&app), Some(Step::Toggle));
    app.press("space");
    app.settle();
    assert_eq!(step(&app), Some(Step::Quantize));
}

#[test]
fn it_can_be_ended_and_begun_again() {
    let mut app = on_tour();
    let effects = app.press("K");
    assert!(ends(&effects) && app.state.tour.is_none());
    assert!(app.press("K").is_empty(), "nothing is left to end");
    app.press(":");
    app.type_text("tour");
    app.press("enter");
    assert_eq!(step(&app), Some(Step::Look));
}

#[test]
fn the_keys_that_it_tells_are_those_that_hold() {
    let mut app = on_tour();
    let mut keymap = tritscope::tui::keymap::Keymap::default();
    let keys = vec![tritscope::tui::keymap::names::parse("f9").unwrap()];
    let context = Some(tritscope::tui::keymap::Context::Browse);
    let action = "skip-tour".to_owned();
    assert!(keymap.rebind(&[tritscope::tui::keymap::Rebinding { context, action, keys }]).problems.is_empty());
    app.state.settings.keymap = keymap.into();
    assert!(text(&render(&mut app, SMALL, &Theme::dark())).contains("f9 skips it"));
}

#[test]
fn a_file_that_is_being_opened() {
    let mut app = App::empty();
    let path = app.path("models/gemma-3-270m-it.gguf");
    update::begin(&mut app.state, path);
    shoot_both(&mut app, "first_loading");
    app.pass(Duration::from_secs(7));
    for size in [SMALL, LARGE] {
        assert!(text(&render(&mut app, size, &Theme::dark())).contains("for 7 s"), "what takes long is told");
    }
}

#[test]
fn a_file_that_cannot_be_opened_and_one_that_is_no_model() {
    let mut app = App::empty();
    for (name, path, message) in [
        ("missing", "gone.gguf", "~/gone.gguf: cannot open: No such file or directory (os error 2)"),
        ("no_model", "photo.gguf", "~/photo.gguf: no GGUF: the file begins with 89 50 4e 47 (at offset 0)"),
    ] {
        let path = app.path(path);
        update::begin(&mut app.state, path.clone());
        app.send(Event::Job(JobEvent::Opened { path, model: Err(message.to_owned()) }));
        shoot_both(&mut app, &format!("first_{name}"));
        app.press("esc");
    }
    assert!(matches!(app.state.dialog, Some(tritscope::tui::state::Dialog::Picker(_))), "esc leads to the picker");
}

#[test]
fn nothing_given_asks_which_file() {
    let mut app = App::empty();
    update::open_picker(&mut app.state);
    shoot_both(&mut app, "first_picker_reading");
    let folder = app.folder.path().to_owned();
    app.show_folder(&folder, vec![]);
    shoot_both(&mut app, "first_picker_empty");
    let file = |name: &str, bytes| Entry { name: name.to_owned(), folder: false, bytes };
    app.show_folder(&folder, vec![file("a.gguf", 1 << 30), file("日本語.safetensors", 5 << 20)]);
    shoot_both(&mut app, "first_picker");
    app.state.dialog = None;
    shoot_both(&mut app, "first_nothing");
}

#[test]
fn a_terminal_that_is_too_small_says_what_it_takes() {
    let mut app = on_tour();
    for size in [(59, 16), (60, 15), (20, 5), (1, 1)] {
        shoot_at(&mut app, "first_too_small", &[size]);
    }
    // The least size shows the screen; the tour waits for a larger one.
    let least = text(&render(&mut app, (60, 16), &Theme::dark()));
    assert!(least.contains("ffn_up_exps") && !least.contains("Tour"), "{least}");
}

#[test]
fn the_key_to_the_worst_tensor_is_the_third_step_too() {
    let mut app = on_tour();
    app.go("blk.0.attn_q.weight");
    app.settle();
    app.press("space");
    assert_eq!(step(&app), Some(Step::Worst));
    app.press("w");
    app.settle();
    assert_eq!(step(&app), Some(Step::Quantize), "{}", app.notice());
}
