//! The exports in the interface, without a terminal: messages in, state and effects out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;
mod support_tui;

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{Kv, Tiny};
use support_tui::exports::{job, queue, run, summary};
use support_tui::{App, layered};
use tritscope::engine::export::ExportOptions;
use tritscope::engine::plan::{Recipe, resolve};
use tritscope::engine::progress::{Delta, Stage};
use tritscope::jobs::{ExportRequest, JobEvent, Jobs};
use tritscope::tui::action::Action;
use tritscope::tui::effect::{Effect, Exit};
use tritscope::tui::keymap::Context;
use tritscope::tui::state::Dialog;
use tritscope::tui::state::dialog::{JobsDialog, LogView};
use tritscope::tui::state::jobs::Job;

fn dialog(app: &App) -> JobsDialog {
    let Some(Dialog::Jobs(dialog)) = &app.state.dialog else { panic!("{:?}", app.state.dialog) };
    *dialog
}

fn log(job: &Job) -> Vec<&str> {
    job.log.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn a_pause_stops_the_clocks_and_the_screen() {
    let mut app = App::on(&layered());
    queue(&mut app, 1, "out.gguf");
    run(&mut app, 1);
    let worked = |app: &App| app.state.jobs.get(1).unwrap().worked(app.state.now).unwrap();
    // Every message takes the tests' clock a little on.
    let before = worked(&app);
    assert!((1.0..1.1).contains(&before.as_secs_f64()), "{before:?}");
    assert!(app.state.jobs.get(1).unwrap().remaining().is_some());
    let effects = app.press("J p");
    assert!(matches!(effects.as_slice(), [Effect::PauseExport(1, true)]), "{effects:?}");
    app.pass(Duration::from_secs(3600));
    assert_eq!(app.state.next_wake(), None, "nothing moves");
    assert_eq!(app.state.jobs.get(1).unwrap().remaining(), None);
    assert!(worked(&app).abs_diff(before) < Duration::from_millis(100), "{:?}", worked(&app));
    let effects = app.press("p");
    assert!(matches!(effects.as_slice(), [Effect::PauseExport(1, false)]), "{effects:?}");
    assert!(app.state.next_wake().is_some());
    assert_eq!(app.state.jobs.get(1).unwrap().rate(), None, "an hour without a byte is no throughput");
    for _ in 0..2 {
        app.pass(Duration::from_millis(500));
        job(&mut app, JobEvent::ExportDelta(1, Delta::Bytes(1000)));
    }
    let rate = app.state.jobs.get(1).unwrap().rate().unwrap();
    assert!((1900.0..2010.0).contains(&rate), "{rate}");
    assert!((2.0..2.2).contains(&worked(&app).as_secs_f64()), "{:?}", worked(&app));
}

#[test]
fn only_what_runs_can_be_paused_and_only_a_result_be_opened() {
    let mut app = App::on(&layered());
    queue(&mut app, 1, "out.gguf");
    assert!(app.press("J p").is_empty());
    assert!(app.notice().contains("only an export that runs"), "{}", app.notice());
    assert!(app.press("o").is_empty());
    assert!(app.notice().contains("no result yet"), "{}", app.notice());
    run(&mut app, 1);
    let finished = summary(&app, "out.gguf");
    job(&mut app, JobEvent::ExportFinished(1, finished));
    assert!(app.press("p").is_empty(), "what has ended cannot be paused");
    let effects = app.press("o");
    assert!(matches!(effects.as_slice(), [Effect::Open(path)] if *path == app.path("out.gguf")), "{effects:?}");
    assert!(app.state.opening.is_some() && app.state.dialog.is_none());
}

#[test]
fn an_export_that_ends_while_paused_is_paused_no_more() {
    let mut app = App::on(&layered());
    queue(&mut app, 1, "out.gguf");
    run(&mut app, 1);
    app.press("J p");
    assert!(matches!(app.press("c y").as_slice(), [Effect::CancelExport(1)]));
    job(&mut app, JobEvent::ExportCancelled(1));
    assert_eq!(app.state.jobs.get(1).unwrap().paused, None);
    assert_eq!(log(app.state.jobs.get(1).unwrap())[4..], ["paused", "cancelled; nothing is left of it"]);
}

#[test]
fn a_log_tells_what_happened_and_when() {
    let mut app = App::on(&layered());
    queue(&mut app, 1, "out.gguf");
    run(&mut app, 1);
    let finished = summary(&app, "out.gguf");
    job(&mut app, JobEvent::ExportFinished(1, finished));
    let export = app.state.jobs.get(1).unwrap();
    let lines = log(export);
    assert_eq!(lines[..2], ["asked for: 6 of 14 tensors → tq2_0 · exact", "begins"]);
    assert_eq!(lines[2..5], ["writing", "blk.0.attn_norm.weight 1000 B", "2 scales were too small for f16"]);
    assert_eq!(lines[5], "written and checked (hash): 40.0 KiB");
    assert!(lines[6].starts_with("header read by gguf-rs-lib"), "{lines:?}");
    assert!(export.log.iter().is_sorted_by_key(|line| line.at));

    queue(&mut app, 2, "bad.gguf");
    job(&mut app, JobEvent::ExportFailed(2, "disk \u{1b}[2J full".to_owned()));
    let lines = log(app.state.jobs.get(2).unwrap());
    assert!(lines[1].starts_with("failed: disk ") && !lines[1].contains('\u{1b}'), "{lines:?}");
}

#[test]
fn a_log_keeps_its_newest_lines() {
    let mut app = App::on(&layered());
    queue(&mut app, 1, "out.gguf");
    run(&mut app, 1);
    for _ in 0..5000 {
        job(&mut app, JobEvent::ExportDelta(1, Delta::TensorDone { index: 1 }));
    }
    let export = app.state.jobs.get(1).unwrap();
    assert_eq!(export.log.len(), 1000);
    assert!(!log(export).contains(&"begins"));
}

#[test]
fn the_log_scrolls_and_follows_its_end() {
    let mut app = App::on(&layered());
    queue(&mut app, 1, "out.gguf");
    run(&mut app, 1);
    for _ in 0..100 {
        job(&mut app, JobEvent::ExportDelta(1, Delta::TensorDone { index: 1 }));
    }
    app.press("J l");
    assert_eq!(dialog(&app).log, Some(LogView { job: 1, top: None }));
    let top = |app: &App| dialog(app).log.unwrap().top;
    app.press("g");
    assert_eq!(top(&app), Some(0));
    app.press("j j k");
    assert_eq!(top(&app), Some(1));
    app.press("G");
    assert_eq!(top(&app), None);
    app.press("k");
    assert!(top(&app).is_some());
    app.press("pgup pgdn pgdn");
    assert_eq!(top(&app), None, "at the end it follows again");
    app.press("esc");
    assert_eq!(dialog(&app).log, None);
    app.press("l l");
    assert_eq!(dialog(&app).log, None);
    app.press("esc");
    assert!(app.state.dialog.is_none());
}

#[test]
fn the_cursor_goes_through_the_list_and_a_log_is_of_the_selected_export() {
    let mut app = App::on(&layered());
    for (id, name) in [(1, "a.gguf"), (2, "b.gguf"), (3, "c.gguf")] {
        queue(&mut app, id, name);
    }
    app.press("J");
    assert_eq!(dialog(&app).cursor, 0, "newest first");
    app.press("G");
    assert_eq!(dialog(&app).cursor, 2);
    app.press("k enter");
    assert_eq!(dialog(&app).log.unwrap().job, 2);
    queue(&mut app, 4, "d.gguf");
    assert_eq!(dialog(&app).log.unwrap().job, 2, "a new export does not change whose log it is");
    assert!(matches!(app.press("c y").as_slice(), [Effect::CancelExport(2)]), "keys act on the export of the log");
}

/// A large table that is copied, before a matrix that is to be quantized.
fn lopsided() -> App {
    let tiny = Tiny::default().kv("llama.block_count", Kv::U32(1)).normal("token_embd.weight", &[256, 2048], 1).normal(
        "blk.0.ffn_up.weight",
        &[256, 1024],
        3,
    );
    let mut app = App::on(&tiny);
    app.press("L");
    app
}

#[test]
fn what_is_left_goes_by_the_work_and_not_by_the_bytes() {
    let mut app = lopsided();
    queue(&mut app, 1, "out.gguf");
    let [table, matrix] = ["token_embd.weight", "blk.0.ffn_up.weight"].map(|name| app.tensor(name));
    let bytes = |app: &App, tensor: usize| app.session().plan.decision(tensor).new_bytes;
    let (copied, coded) = (bytes(&app, table), bytes(&app, matrix));
    let delta = |app: &mut App, delta| drop(job(app, JobEvent::ExportDelta(1, delta)));
    job(&mut app, JobEvent::ExportStarted(1));
    delta(&mut app, Delta::Total { tensors: 2, bytes: copied + coded });
    delta(&mut app, Delta::Stage(Stage::Write));
    delta(&mut app, Delta::Tensor { index: table, bytes: copied });
    for _ in 0..4 {
        app.pass(Duration::from_millis(100));
        delta(&mut app, Delta::Bytes(copied / 4));
    }
    let now = |app: &App| {
        let job = app.state.jobs.get(1).unwrap();
        (job.state.fraction(), job.remaining().unwrap())
    };
    let (share, left) = now(&app);
    assert!(copied > coded * 10 && share < 0.4, "nine tenths of the bytes are {share} of the work");
    assert!(left > 0.5, "{left}: the matrix takes more than the table");
    // It takes longer than anybody could know: its own pace is believed from then on.
    delta(&mut app, Delta::Tensor { index: matrix, bytes: coded });
    for _ in 0..5 {
        app.pass(Duration::from_secs(1));
        delta(&mut app, Delta::Bytes(coded / 10));
    }
    let (halfway, left) = now(&app);
    assert!(halfway > share && (4.0..8.0).contains(&left), "{left}: as long as it has taken, and the check");
    delta(&mut app, Delta::Bytes(coded / 2));
    delta(&mut app, Delta::Stage(Stage::Verify));
    let (written, _) = now(&app);
    assert!(written > halfway && written < 0.999, "the check is work too: {written}");
    app.pass(Duration::from_millis(300));
    delta(&mut app, Delta::Bytes(copied + coded));
    assert_eq!(now(&app), (0.999, 0.0), "all is done when it has its name");
}

#[test]
fn quitting_from_the_list_asks_and_leaving_it_does_not() {
    let mut app = App::on(&layered());
    queue(&mut app, 1, "out.gguf");
    run(&mut app, 1);
    assert!(app.press("J esc").is_empty() && app.state.dialog.is_none());
    assert!(app.press("J J").is_empty() && app.state.dialog.is_none());
    assert!(app.press("J q").is_empty());
    assert!(matches!(app.state.dialog, Some(Dialog::Quit)), "{:?}", app.state.dialog);
    let effects = app.press("c");
    assert!(matches!(effects.as_slice(), [.., Effect::Quit(Exit::Done)]), "{effects:?}");
    let mut app = App::on(&layered());
    let effects = app.press("J q");
    assert!(matches!(effects.as_slice(), [.., Effect::Quit(Exit::Done)]), "nothing runs: {effects:?}");
}

#[test]
fn waiting_for_the_end_lets_paused_exports_go_on() {
    let mut app = App::on(&layered());
    queue(&mut app, 1, "out.gguf");
    run(&mut app, 1);
    app.press("J p esc q");
    assert!(matches!(app.state.dialog, Some(Dialog::Quit)));
    let effects = app.press("w");
    assert!(matches!(effects.as_slice(), [Effect::PauseExport(1, false)]), "{effects:?}");
    app.press("q s");
    assert!(!app.state.quit_when_done, "staying calls the waiting off");
    app.press("q w");
    let finished = summary(&app, "out.gguf");
    let effects = job(&mut app, JobEvent::ExportFinished(1, finished));
    assert!(matches!(effects.as_slice(), [Effect::Quit(Exit::Done)]), "{effects:?}");
}

fn order(app: &App) -> Vec<u64> {
    app.state.jobs.all().iter().map(|job| job.state.id).collect()
}

#[test]
fn what_waits_can_be_the_next_and_the_cursor_stays_on_it() {
    let mut app = App::on(&layered());
    for (id, name) in [(1, "a.gguf"), (2, "b.gguf"), (3, "c.gguf"), (4, "d.gguf")] {
        queue(&mut app, id, name);
    }
    run(&mut app, 1);
    let effects = app.press("J f");
    assert!(matches!(effects.as_slice(), [Effect::RunExportNext(4)]), "{effects:?}");
    assert_eq!(order(&app), [1, 4, 2, 3]);
    assert_eq!(dialog(&app).cursor, 2, "newest first: behind 3 and 2");
    assert!(app.press("f").is_empty());
    assert!(app.notice().contains("next already"), "{}", app.notice());
    assert!(app.press("G f").is_empty(), "what runs does not wait");
    assert!(app.notice().contains("only an export that waits"), "{}", app.notice());
    assert_eq!(order(&app), [1, 4, 2, 3]);
}

#[test]
fn what_came_to_nothing_can_be_tried_again() {
    let mut app = App::on(&layered());
    queue(&mut app, 1, "out.gguf");
    app.press("J");
    assert!(app.press("r").is_empty());
    assert!(app.notice().contains("failed or was cancelled"), "{}", app.notice());
    job(&mut app, JobEvent::ExportFailed(1, "disk full".to_owned()));
    // The plan of then is written, whatever the plan is now.
    let plan = app.state.jobs.get(1).unwrap().request.plan.clone();
    app.press("esc L J l");
    let effects = app.press("r");
    let [Effect::Export { plan: again, options, what, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(Arc::ptr_eq(again, &plan));
    assert_eq!((options.out.clone(), what.as_str()), (app.path("out.gguf"), "6 of 14 tensors → tq2_0 · exact"));
    queue(&mut app, 2, "out.gguf");
    assert_eq!((dialog(&app).cursor, dialog(&app).log), (0, None), "the list, on the new one");
    assert!(app.press("G r").is_empty(), "two at once would write to the same file");
    assert!(app.notice().contains("not finished"), "{}", app.notice());
    job(&mut app, JobEvent::ExportCancelled(2));
    assert!(matches!(app.press("r").as_slice(), [Effect::Export { .. }]));
}

#[test]
fn only_keys_that_have_something_to_act_on_are_hinted() {
    let mut app = App::on(&layered());
    app.press("J");
    let hinted = |app: &App, key: &str| app.state.settings.keymap.hints(&app.state).any(|(k, ..)| k == key);
    let keys =
        |app: &App| ["p", "c", "f", "r", "o", "C", "l"].into_iter().filter(|k| hinted(app, k)).collect::<String>();
    assert_eq!(keys(&app), "");
    queue(&mut app, 1, "a.gguf");
    queue(&mut app, 2, "b.gguf");
    assert_eq!(keys(&app), "cfl");
    run(&mut app, 1);
    app.press("G");
    assert_eq!(keys(&app), "pcl");
    job(&mut app, JobEvent::ExportFailed(1, "disk full".to_owned()));
    assert_eq!(keys(&app), "rl");
    app.press("g");
    run(&mut app, 2);
    let finished = summary(&app, "b.gguf");
    job(&mut app, JobEvent::ExportFinished(2, finished));
    assert_eq!(keys(&app), "oCl");
}

#[test]
fn the_list_opens_over_every_screen_and_leaves_it_as_it_was() {
    for way in ["i", "S", "n", "2 enter"] {
        let mut app = App::on(&layered());
        app.press(way);
        let screen = app.state.session.as_ref().unwrap().screen;
        app.press("J");
        dialog(&app);
        app.press("esc");
        assert!(app.state.dialog.is_none());
        assert_eq!(app.state.session.as_ref().unwrap().screen, screen, "{way}");
    }
}

/// An export of a small model by the default recipe.
fn export_to(out: PathBuf) -> ExportRequest {
    let model = Arc::new(layered().open().unwrap());
    let recipe = Recipe::default();
    let plan = Arc::new(resolve(&model, &recipe));
    ExportRequest { model, plan, recipe, options: ExportOptions::new(out), threads: None }
}

/// The lane itself: the first export is held where it begins, while the queue behind it is changed.
#[test]
fn the_queue_can_be_changed_while_an_export_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, events) = channel();
    let (release, held) = channel::<()>();
    let held = Mutex::new(held);
    let sink = Arc::new(move |event: JobEvent| {
        let (words, first) = match event {
            JobEvent::ExportStarted(id) => (format!("{id} begins"), id == 1),
            JobEvent::ExportFinished(id, _) => (format!("{id} done"), false),
            JobEvent::ExportCancelled(id) => (format!("{id} cancelled"), false),
            JobEvent::ExportFailed(id, why) => (format!("{id} failed: {why}"), false),
            _ => return,
        };
        sender.send(words).unwrap();
        if first {
            held.lock().unwrap().recv().unwrap();
        }
    });
    let jobs = Jobs::start(1, None, None, sink).unwrap();
    let out = |id: u64| folder.path().join(format!("{id}.gguf"));
    for id in 1..=4 {
        assert_eq!(jobs.export(export_to(out(id))), id);
    }
    assert_eq!(events.recv().unwrap(), "1 begins");
    jobs.cancel_export(2);
    assert_eq!(events.recv().unwrap(), "2 cancelled", "what waits leaves the queue at once");
    jobs.cancel_export(2);
    jobs.run_export_next(4);
    release.send(()).unwrap();
    let told: Vec<String> = events.iter().take(5).collect();
    assert_eq!(told, ["1 done", "4 begins", "4 done", "3 begins", "3 done"]);
    jobs.shut_down();
    assert_eq!(events.iter().count(), 0, "nothing ends twice");
    assert_eq!([1, 2, 3, 4].map(|id| out(id).exists()), [true, false, true, true]);
}

/// What quitting does while an export runs: it is cancelled, waited for, and leaves nothing.
#[test]
fn shutting_down_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, events) = channel();
    let (release, held) = channel::<()>();
    let held = Mutex::new(held);
    let sink = Arc::new(move |event: JobEvent| match event {
        // Nothing is written before the pause has come.
        JobEvent::ExportStarted(_) => {
            sender.send("begins").unwrap();
            held.lock().unwrap().recv().unwrap();
        }
        JobEvent::ExportDelta(_, Delta::Stage(Stage::Write)) => sender.send("writes").unwrap(),
        JobEvent::ExportCancelled(_) => sender.send("cancelled").unwrap(),
        JobEvent::ExportFinished(..) | JobEvent::ExportFailed(..) => sender.send("ended").unwrap(),
        _ => {}
    });
    let jobs = Jobs::start(1, None, None, sink).unwrap();
    jobs.export(export_to(folder.path().join("out.gguf")));
    assert_eq!(events.recv().unwrap(), "begins");
    jobs.pause_export(1, true);
    release.send(()).unwrap();
    let said = events.recv().unwrap();
    assert!(said == "writes", "{said}");
    let files = || std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(files(), ["out.gguf.partial"], "it waits with a file under way");
    jobs.shut_down();
    assert_eq!(events.iter().collect::<Vec<_>>(), ["cancelled"]);
    assert!(files().is_empty(), "{:?}", files());
}

#[test]
fn what_ended_well_is_told_until_the_list_was_looked_at_and_after_the_end() {
    let mut app = App::on(&layered());
    let title = |app: &mut App| {
        let drawn = support_tui::shoot::render(app, (120, 40), &tritscope::tui::theme::Theme::dark());
        support_tui::shoot::text(&drawn).lines().next().unwrap().to_owned()
    };
    queue(&mut app, 1, "a.gguf");
    assert!(app.notice().ends_with("a.gguf; J shows it"), "{}", app.notice());
    run(&mut app, 1);
    assert!(app.state.jobs.outcomes().is_empty());
    let done = summary(&app, "a.gguf");
    job(&mut app, JobEvent::ExportFinished(1, done));
    assert!(app.notice().ends_with("J: o opens it, C compares"), "{}", app.notice());
    app.pass(Duration::from_secs(3600));
    assert!(title(&mut app).ends_with("✓ 1 export done · J"), "{}", title(&mut app));
    app.press("J");
    assert!(!title(&mut app).contains("done"), "it was looked at");
    queue(&mut app, 2, "b.gguf");
    run(&mut app, 2);
    job(&mut app, JobEvent::ExportFailed(2, "no room".to_owned()));
    let lines = app.state.jobs.outcomes();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].ends_with("a.gguf: 40.0 KiB, header read by gguf-rs-lib, 39.1 KiB read back and equal"),
        "{lines:?}"
    );
    assert!(lines[1].ends_with("b.gguf: failed: no room"), "{lines:?}");
}

#[test]
fn the_key_of_the_list_is_named_where_it_means_that() {
    let mut app = App::on(&layered());
    let keymap = app.state.settings.keymap.clone();
    for (context, way) in [(Context::Browse, "J"), (Context::Rules, ":jobs"), (Context::Page, "J")] {
        assert_eq!(keymap.way_to(context, Action::Jobs), way, "{context:?}");
    }
    assert_eq!(keymap.key_of(Context::Browse, Action::CopyMenu), Some("y"));
    assert_eq!(keymap.key_of(Context::Rules, Action::CopyMenu), None, "there y copies a rule");
    app.state.session.as_mut().unwrap().screen = tritscope::tui::state::Screen::Model;
    app.state.session.as_mut().unwrap().pages.page = tritscope::tui::state::pages::Page::Recipe;
    queue(&mut app, 1, "a.gguf");
    assert!(app.notice().ends_with("a.gguf; :jobs shows it"), "{}", app.notice());
}
