//! What the interface does, without a terminal: messages in, state and effects out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use support_tui::{App, dense, layered};
use tritscope::engine::export::{Check, ExportSummary, Reader, Verify};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::{Action, Mask, Reason, Recipe};
use tritscope::engine::preview::Depth;
use tritscope::engine::progress::{Delta, Stage};
use tritscope::engine::stats::BlockStats;
use tritscope::engine::ternary::{Format, Method};
use tritscope::jobs::{ExportStatus, JobEvent};
use tritscope::tui::effect::{Effect, Exit};
use tritscope::tui::event::{Event, Saved};
use tritscope::tui::state::dialog::{Found, QuantizeField, Target};
use tritscope::tui::state::picker::Entry;
use tritscope::tui::state::tree::Item;
use tritscope::tui::state::{Area, Dialog, Tab};
use tritscope::tui::update;

const QUERY: &str = "blk.0.attn_q.weight";
const EXPERTS: [&str; 2] = ["blk.0.ffn_up_exps.weight", "blk.1.ffn_up_exps.weight"];

#[test]
fn the_first_screen_shows_layers_and_a_tensor_that_goes_ternary() {
    let app = App::on(&layered());
    assert_eq!(app.selected(), EXPERTS[0]);
    assert!(app.rows().contains(&"blk.1."), "layers are listed");
    assert!(!app.rows().contains(&EXPERTS[1]), "and folded");
    assert_eq!(app.all_ternary(), EXPERTS);
}

#[test]
fn space_makes_a_tensor_ternary_and_leaves_no_rule_when_taken_back() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    let before = app.session().plan.plan().totals;
    app.press("space");
    assert!(app.ternary(QUERY));
    assert!(app.session().plan.plan().totals.new_bytes < before.new_bytes, "totals change in the same frame");
    assert_eq!(app.recipe().rules.len(), 1);
    app.press("space");
    assert!(!app.ternary(QUERY));
    assert_eq!(app.recipe(), &Recipe::default(), "a rule that changes nothing is not kept");
}

#[test]
fn space_on_a_folder_takes_all_that_can_go_or_gives_all_back() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press("space");
    app.go("blk.0.");
    app.press("space");
    let names = ["blk.0.attn_q.weight", "blk.0.attn_v.weight", EXPERTS[0], EXPERTS[1]];
    assert_eq!(app.all_ternary(), names, "the router and the norm are passed over");
    assert_eq!(app.recipe().rules.len(), 1, "the tensor's own rule says nothing any more: {:?}", app.rules());
    assert_eq!(app.recipe().rules[0].pattern.to_string(), "blk.0.*");
    let fallback = &app.session().plan.decision(app.tensor("blk.0.attn_v.weight")).reason;
    assert!(matches!(fallback, Reason::FellBack { from: Format::Tq2_0, row: 320 }));
    app.press("space");
    assert_eq!(app.all_ternary(), [EXPERTS[1]]);
    app.go("");
    app.press("space");
    assert_eq!(app.all_ternary().len(), 6);
    assert_eq!(app.recipe().rules.len(), 1, "a rule for everything replaces the folder's: {:?}", app.rules());
    app.press("space");
    assert!(app.all_ternary().is_empty());
}

#[test]
fn a_folder_that_is_partly_kept_becomes_whole_first() {
    let mut app = App::on(&layered());
    app.press("L");
    app.go(QUERY);
    app.press("space");
    assert!(!app.ternary(QUERY));
    app.go("blk.");
    app.press("space");
    assert_eq!(app.all_ternary().len(), 6);
    assert_eq!(app.recipe().rules, [], "the mask says it all: {:?}", app.rules());
}

#[test]
fn a_protected_tensor_takes_a_second_press_and_a_norm_never() {
    let mut app = App::on(&layered());
    let router = "blk.0.ffn_gate_inp.weight";
    app.go(router);
    app.press("space");
    assert!(
        app.notice().contains("router") && app.notice().contains("press space again to override"),
        "{}",
        app.notice()
    );
    assert!(app.recipe().rules.is_empty());
    app.press("space");
    assert!(app.ternary(router));
    assert!(app.session().plan.decision(app.tensor(router)).overridden);
    app.press("space");
    assert!(!app.ternary(router));

    app.press("space up down space");
    assert!(!app.ternary(router), "another key in between disarms");

    app.go("blk.0.attn_norm.weight");
    app.press("space space space");
    assert!(!app.ternary("blk.0.attn_norm.weight"));
    assert!(app.notice().contains("cannot take it quantized"), "{}", app.notice());
}

#[test]
fn an_override_survives_a_toggle_of_the_folder_around_it() {
    let mut app = App::on(&layered());
    let router = "blk.0.ffn_gate_inp.weight";
    app.go(router);
    app.press("space space");
    app.go("blk.0.");
    app.press("space");
    assert!(app.ternary(router) && app.ternary(QUERY));
}

#[test]
fn undo_and_redo_name_their_step() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press("space L u");
    assert_eq!(
        (app.recipe().layers, app.notice()),
        (Mask::Experts, "undone: mask all · next: ternary blk.0.attn_q.weight · ctrl-r redoes it")
    );
    app.press("u");
    assert_eq!(app.notice(), "undone: ternary blk.0.attn_q.weight · ctrl-r redoes it");
    assert!(!app.ternary(QUERY));
    app.press("u");
    assert_eq!(app.notice(), "nothing to undo");
    app.press("ctrl-r ctrl-r");
    assert_eq!((app.recipe().layers, app.notice()), (Mask::All, "redone: mask all"));
    assert!(app.ternary(QUERY));
    app.press("u L ctrl-r");
    assert_eq!(app.notice(), "nothing to redo", "a new step ends the old future");
}

#[test]
fn the_method_changes_for_what_is_selected() {
    let mut app = App::on(&layered());
    app.go(EXPERTS[0]);
    app.press("m");
    assert_eq!(app.session().plan.decision(app.tensor(EXPERTS[0])).method(), Some(Method::Twn));
    assert_eq!(app.session().plan.decision(app.tensor(EXPERTS[1])).method(), Some(Method::Exact));
    let rule = format!("{}=ternary:twn", EXPERTS[0]);
    assert_eq!(app.recipe().flags()[6..], ["--rule".to_owned(), rule], "flags alone say this");
    app.press("M");
    assert_eq!(app.recipe(), &Recipe::default());
    app.go("");
    app.press("m");
    assert_eq!(
        (app.recipe().method, app.recipe().rules.len()),
        (Method::Twn, 0),
        "of the model as a whole: the default"
    );
    assert_eq!(app.notice(), "method twn for the model · exact [twn] refit absmean max");
    app.go(QUERY);
    app.press("m");
    assert_eq!(app.recipe().method, Method::Twn, "a tensor that stays has none: {}", app.notice());
}

#[test]
fn the_format_changes_for_what_is_selected_where_rows_divide() {
    let mut app = App::on(&layered());
    app.press("L");
    app.go("blk.0.attn_v.weight");
    app.press("f");
    assert!(app.notice().contains("rows of 320"), "{}", app.notice());
    app.go(QUERY);
    app.press("f");
    assert_eq!(app.session().plan.decision(app.tensor(QUERY)).new_type, Format::Tq1_0.dtype());
    app.go("");
    app.press("F");
    assert!(app.recipe().rules.iter().all(|r| r.action == Action::TERNARY), "{:?}", app.rules());
    assert_ne!(app.recipe().format, Format::Tq2_0);
}

#[test]
fn a_folder_gets_one_rule_only_where_that_makes_nothing_else_ternary() {
    let mut app = App::on(&layered());
    app.go("blk.0.");
    app.press("m");
    assert_eq!(app.all_ternary(), EXPERTS, "the method changes, the choice does not");
    assert_eq!(app.recipe().rules.len(), 1);
    assert!(app.recipe().rules[0].pattern.is_exact());
    app.press("u space m");
    assert_eq!(app.recipe().rules.len(), 1, "{:?}", app.rules());
    assert_eq!(app.recipe().rules[0].pattern.to_string(), "blk.0.*");
}

#[test]
fn masks_go_round_past_empty_ones_and_an_empty_one_says_so() {
    let mut app = App::on(&dense());
    assert!(app.session().plan.plan().notes.iter().any(|n| n.code == "no-experts"));
    app.press("L");
    assert_eq!(app.all_ternary(), ["blk.0.ffn_up.weight"]);
    app.press("L");
    assert_eq!(app.recipe().layers, Mask::Custom, "nothing else selects anything");
    assert!(app.notice().contains("selects nothing"), "{}", app.notice());
    app.press("L");
    assert_eq!(app.recipe().layers, Mask::All, "there are no experts to stop at");
}

#[test]
fn the_filter_narrows_the_tree_and_gives_it_back() {
    let mut app = App::on(&layered());
    let before: Vec<String> = app.rows().iter().map(|r| (*r).to_owned()).collect();
    app.press("/");
    app.type_text("attn_q");
    assert_eq!(app.rows(), ["blk.", "blk.0.", QUERY, "blk.1.", "blk.1.attn_q.weight"]);
    app.press("enter");
    assert!(!app.session().filter.editing && app.session().tree.is_filtered());
    app.press("esc");
    assert_eq!(app.rows(), before);

    let count = |app: &mut App, text: &str| {
        app.press("/");
        app.type_text(text);
        let shown = app.session().tree.visible_below(Item::Model).len();
        app.press("esc");
        shown
    };
    assert_eq!(count(&mut app, "role:router"), 2);
    assert_eq!(count(&mut app, "type:f32"), 3);
    assert_eq!(count(&mut app, "is:ternary"), 2);
    assert_eq!(count(&mut app, "blk.1 norm"), 1, "every word must match");
    assert_eq!(count(&mut app, "bkaq"), 2, "letters in order, where nothing contains the word");
    assert_eq!(count(&mut app, "zzz"), 0);
}

#[test]
fn in_a_filtered_tree_only_what_is_seen_is_toggled() {
    let mut app = App::on(&layered());
    app.press("/");
    app.type_text("attn_q");
    app.press("enter");
    app.go("blk.");
    app.press("space");
    let wanted = [QUERY, EXPERTS[0], "blk.1.attn_q.weight", EXPERTS[1]];
    assert_eq!(app.all_ternary(), wanted);
    app.press("space");
    assert_eq!(app.all_ternary(), EXPERTS);
}

#[test]
fn previews_are_wanted_for_the_cursor_first_and_never_twice() {
    let mut app = App::on(&layered());
    let first: Vec<_> = app.wants().iter().map(|w| (w.key.tensor, w.key.depth)).take(3).collect();
    let (cursor, other) = (app.tensor(EXPERTS[0]), app.tensor(EXPERTS[1]));
    assert_eq!(first, [(cursor, Depth::SHOWN), (cursor, Depth::Exact), (other, Depth::SHOWN)]);
    assert_eq!(app.wants()[0].methods.len(), Method::COMPARED.len());
    app.serve();
    assert!(app.session().previews.report((cursor, Format::Tq2_0)).unwrap().exact);
    assert!(app.session().summaries.of(Item::Model).error.is_some());
    app.press("m");
    assert!(app.wants().is_empty(), "a report holds every method: {:?}", app.wants());
    app.press("f");
    assert!(app.wants().iter().all(|w| w.key.format == Format::Tq1_0), "other blocks: {:?}", app.wants());
}

#[test]
fn a_sample_never_replaces_exact_figures() {
    let mut app = App::on(&layered());
    let wants = app.wants().to_vec();
    app.deliver(&wants[1]);
    app.deliver(&wants[0]);
    let report = app.session().previews.report((wants[0].key.tensor, Format::Tq2_0)).unwrap();
    assert!(report.exact);
}

#[test]
fn what_belongs_to_another_file_is_dropped() {
    let mut app = App::on(&layered());
    let stale = app.wants()[0].clone();
    let old = app.model();
    let report = tritscope::engine::preview::measure(
        &old,
        stale.key.tensor,
        stale.key.format,
        &stale.methods,
        stale.key.depth,
        &tritscope::engine::progress::Cancel::new(),
    );
    let path = dense().write(app.folder.path());
    let model = Arc::new(Model::open(&path, &OpenOptions::default()).unwrap());
    update::show_model(&mut app.state, model);
    app.settle();
    let report = Arc::new(report.unwrap());
    app.send(Event::Job(JobEvent::Preview { model: old, key: stale.key, report }));
    assert!(app.session().previews.figures((stale.key.tensor, stale.key.format)).is_none());

    // A file that was asked for before the one that is being opened now.
    let opened = JobEvent::Opened { path: app.path("other.gguf"), model: Err("gone".to_owned()) };
    app.send(Event::Job(opened));
    assert!(app.state.dialog.is_none());
}

/// As tmux and screen send Esc with a key soon after it.
#[test]
fn alt_with_a_key_that_means_nothing_is_esc_and_that_key() {
    let mut app = App::on(&layered());
    app.press("/");
    app.type_text("attn_q");
    let alt = |c| Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT));
    app.send(alt('L'));
    app.settle();
    assert!(!app.session().tree.is_filtered(), "Esc leaves the filter");
    assert_eq!(app.recipe().layers, Mask::All, "and the key does what it does");
}

#[test]
fn the_quantize_dialog_asks_for_what_it_needs() {
    let mut app = App::on(&layered());
    let effects = app.press("Q");
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("no dialog") };
    let out = app.path("model-ternary-tq2_0.gguf");
    assert_eq!(form.path.text(), "~/model-ternary-tq2_0.gguf");
    assert!(matches!(effects.as_slice(), [Effect::Probe { path, .. }] if *path == out));

    // A file is there: the first Enter asks, the answer starts.
    let found = |found| Target { path: out.clone(), found, folder_exists: true, ..Target::default() };
    app.send(Event::Probed(found(Found::File)));
    assert!(app.press("enter").is_empty());
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("closed") };
    assert_eq!(form.field, QuantizeField::Overwrite);
    let question = form.problem.clone().unwrap();
    assert!(question.contains("(y/n)"), "{question}");
    app.press("n");
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("closed") };
    assert!(!form.overwrite);
    app.press("enter");
    let effects = app.press("y");
    let [Effect::Export { options, plan, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((&options.out, options.force, options.verify), (&out, true, Verify::Hash));
    assert_eq!(plan.totals.ternary_tensors, 2);
    assert!(app.state.dialog.is_none());

    // The source itself: refused.
    app.press("Q");
    app.send(Event::Probed(found(Found::Source)));
    assert!(app.press("enter").is_empty());
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("closed") };
    assert!(form.problem.as_ref().unwrap().contains("source"));

    // A folder: refused, and nothing is asked.
    app.send(Event::Probed(found(Found::Folder)));
    assert!(app.press("enter").is_empty());
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("closed") };
    assert!(form.problem.as_ref().unwrap().contains("this is a folder") && !form.must_overwrite());

    // Another way of checking, another path.
    app.press("esc Q ctrl-u");
    app.type_text("there.gguf");
    let effects = app.press("tab right enter");
    let [Effect::Export { options, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((&options.out, options.force, options.verify), (&app.path("there.gguf"), false, Verify::Full));
}

#[test]
fn format_and_method_in_the_quantize_dialog_are_the_plans_and_one_step() {
    let mut app = App::on(&layered());
    let before = app.recipe().clone();
    app.press("Q tab tab");
    let (format, method) = (before.format, before.method);
    app.press("right right tab right");
    assert_ne!(app.recipe().method, method);
    assert_ne!(app.recipe().format, format);
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("closed") };
    let name = format!("~/model-ternary-{}.gguf", app.recipe().format);
    assert_eq!(form.path.text(), name, "the usual name follows");
    app.press("esc u");
    assert_eq!(*app.recipe(), before, "{}", app.notice());
    app.press("u");
    assert_eq!(app.notice(), "nothing to undo");
}

#[test]
fn threads_and_memory_of_an_export_are_typed_or_stepped() {
    let mut app = App::on(&layered());
    app.state.settings.threads = 2;
    app.press("Q tab tab tab tab 1 6 left tab");
    app.type_text("512M");
    let effects = app.press("enter");
    let [Effect::Export { options, threads, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((options.max_memory, *threads), (512 << 20, Some(15)));

    app.press("Q tab tab tab tab tab");
    app.type_text("100");
    app.press("B");
    let effects = app.press("enter");
    assert!(effects.is_empty(), "{effects:?}");
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("closed") };
    let problem = "memory: too small: 2 threads need 128 KiB at least";
    assert_eq!(form.problem.as_deref(), Some(problem));
    app.press("esc");

    let effects = app.press("Q enter");
    let export = effects.iter().find(|e| matches!(e, Effect::Export { .. })).unwrap();
    assert!(matches!(export, Effect::Export { threads: None, .. }), "as many as exports have");

    app.press("Q tab tab tab tab backspace enter");
    let problem = |app: &App| match &app.state.dialog {
        Some(Dialog::Quantize(form)) => form.problem.clone().unwrap_or_default(),
        _ => panic!("closed"),
    };
    assert!(problem(&app).starts_with("threads"), "{}", problem(&app));
    app.press("1 tab");
    app.type_text("3bpw");
    app.press("enter");
    assert!(problem(&app).starts_with("memory"), "{}", problem(&app));
}

#[test]
fn nothing_to_do_opens_no_dialog() {
    let mut app = App::on(&dense());
    app.press("Q");
    assert!(app.state.dialog.is_none());
    assert!(app.notice().contains("nothing to do"), "{}", app.notice());
}

/// Accepts an export, as the lane would.
fn queue(app: &mut App, id: u64) {
    support_tui::exports::accept(app, id, "out.gguf", "2 tensors");
}

fn job(app: &mut App, event: JobEvent) -> Vec<Effect> {
    app.send(Event::Job(event))
}

fn summary(app: &App) -> Arc<ExportSummary> {
    Arc::new(ExportSummary {
        out: app.path("out.gguf"),
        files: vec![app.path("out.gguf")],
        bytes: 4096,
        tensors: Vec::new(),
        stats: BlockStats::default(),
        output: None,
        check: Check { reader: Reader::GgufRsLib, verify: Verify::Hash, bytes: 4000, recomputed: 0, recoded: 0 },
        stages: vec![(Stage::Write, 1.0)],
        warnings: Vec::new(),
    })
}

#[test]
fn an_export_is_followed_from_queue_to_end() {
    let mut app = App::on(&layered());
    queue(&mut app, 1);
    job(&mut app, JobEvent::ExportStarted(1));
    job(&mut app, JobEvent::ExportDelta(1, Delta::Total { tensors: 2, bytes: 1000 }));
    job(&mut app, JobEvent::ExportDelta(1, Delta::Stage(Stage::Write)));
    let index = app.tensor(EXPERTS[0]);
    job(&mut app, JobEvent::ExportDelta(1, Delta::Tensor { index, bytes: 1000 }));
    let mut shares = vec![app.state.jobs.current().unwrap().state.fraction()];
    for _ in 0..4 {
        app.pass(Duration::from_millis(250));
        job(&mut app, JobEvent::ExportDelta(1, Delta::Bytes(100)));
        shares.push(app.state.jobs.current().unwrap().state.fraction());
    }
    let running = app.state.jobs.current().unwrap();
    assert!(shares[0] == 0.0 && shares.windows(2).all(|w| w[0] < w[1]) && shares[4] < 0.999, "{shares:?}");
    let rate = running.rate().unwrap();
    assert!((350.0..450.0).contains(&rate), "bytes a second: {rate}");
    assert!(running.remaining().unwrap() > 2.0, "most of the work is still to come");
    assert!(app.state.next_wake().is_some(), "the screen keeps moving");
    let finished = summary(&app);
    assert!(job(&mut app, JobEvent::ExportFinished(1, finished)).is_empty());
    assert!(app.notice().contains("written and checked (hash)"), "{}", app.notice());
    assert!(app.state.jobs.active().next().is_none());
    app.pass(Duration::from_secs(60));
    assert_eq!(app.state.next_wake(), None, "and rests when it is over");
}

#[test]
fn cancelling_an_export_is_confirmed() {
    let mut app = App::on(&layered());
    queue(&mut app, 7);
    job(&mut app, JobEvent::ExportStarted(7));
    assert!(app.press("J c").is_empty());
    assert!(app.press("n").is_empty());
    assert!(matches!(app.state.dialog, Some(Dialog::Jobs(d)) if d.cancelling.is_none()));
    let effects = app.press("c y");
    assert!(matches!(effects.as_slice(), [Effect::CancelExport(7)]), "{effects:?}");
    job(&mut app, JobEvent::ExportCancelled(7));
    assert!(matches!(app.state.jobs.all()[0].state.status, ExportStatus::Cancelled));
    assert!(app.press("c").is_empty(), "what has ended cannot be cancelled");
    job(&mut app, JobEvent::ExportFailed(7, "no space".to_owned()));
    assert!(app.notice().contains("no space"));
}

#[test]
fn quitting_asks_while_an_export_runs() {
    let mut app = App::on(&layered());
    assert!(matches!(app.press("q").as_slice(), [Effect::Quit(Exit::Done)]));
    queue(&mut app, 1);
    assert!(app.press("q").is_empty());
    assert!(matches!(app.state.dialog, Some(Dialog::Quit)));
    assert!(app.press("s").is_empty());
    assert!(app.state.dialog.is_none() && !app.state.quit_when_done);
    assert!(matches!(app.press("q c").as_slice(), [Effect::Quit(Exit::Done)]));
    app.state.dialog = None;
    assert!(app.press("ctrl-c w").is_empty());
    let finished = summary(&app);
    let effects = job(&mut app, JobEvent::ExportFinished(1, finished));
    assert!(matches!(effects.as_slice(), [Effect::Quit(Exit::Done)]), "{effects:?}");
}

#[test]
fn the_question_whether_to_quit_outlives_the_export() {
    let mut app = App::on(&layered());
    queue(&mut app, 1);
    app.press("q");
    let finished = summary(&app);
    job(&mut app, JobEvent::ExportFinished(1, finished));
    assert!(matches!(app.state.dialog, Some(Dialog::Quit)), "a key that answers it must not go to the tree");
    assert!(matches!(app.press("w").as_slice(), [Effect::Quit(Exit::Done)]));
}

#[test]
fn what_cannot_be_seen_is_not_done() {
    let mut app = App::on(&layered());
    let (rules, row) = (app.recipe().clone(), app.selected().to_owned());
    app.send(Event::Resize(40, 10));
    app.press("down space L Q : m");
    app.send(Event::Paste("x".to_owned()));
    assert_eq!((app.recipe(), app.selected()), (&rules, row.as_str()));
    assert!(app.state.dialog.is_none());
    queue(&mut app, 1);
    assert!(app.press("q").is_empty());
    assert!(app.press("x s").is_empty() && app.state.dialog.is_none(), "the question can be answered");
    assert!(matches!(app.press("q c").as_slice(), [Effect::Quit(Exit::Done)]));
    app.state.dialog = None;
    app.send(Event::Resize(80, 24));
    app.press("down");
    assert_ne!(app.selected(), row);
}

#[test]
fn a_signal_ends_the_program_at_once() {
    let mut app = App::on(&layered());
    queue(&mut app, 1);
    assert!(matches!(app.send(Event::Signal(15)).as_slice(), [Effect::Quit(Exit::Signal(15))]));
    assert_eq!((Exit::Signal(15).code(), Exit::Signal(2).code(), Exit::Done.code()), (143, 130, 0));
}

fn entry(name: &str, folder: bool) -> Entry {
    Entry { name: name.to_owned(), folder, bytes: 1 << 20 }
}

#[test]
fn the_picker_walks_folders_and_opens_files() {
    let mut app = App::empty();
    let effects = update::open_picker(&mut app.state);
    let folder = app.folder.path().to_owned();
    assert!(matches!(effects.as_slice(), [Effect::ReadFolder(f)] if *f == folder));
    app.show_folder(&folder, vec![entry("models", true), entry("a.gguf", false), entry("b.gguf", false)]);
    app.type_text("mod");
    let effects = app.press("enter");
    assert!(matches!(effects.as_slice(), [Effect::ReadFolder(f)] if *f == folder.join("models")), "{effects:?}");
    // A folder that is no longer the one shown.
    app.show_folder(&folder, vec![entry("stale.gguf", false)]);
    let Some(Dialog::Picker(picker)) = &app.state.dialog else { panic!("closed") };
    assert!(picker.entries.is_none());
    let effects = app.press("backspace");
    assert!(matches!(effects.as_slice(), [Effect::ReadFolder(f)] if *f == folder), "{effects:?}");
    app.show_folder(&folder, vec![entry("models", true), entry("a.gguf", false)]);
    app.type_text("a.g");
    let effects = app.press("enter");
    assert!(matches!(effects.as_slice(), [Effect::Open(f)] if *f == folder.join("a.gguf")), "{effects:?}");
    assert!(app.state.opening.is_some() && app.state.next_wake().is_some());
}

#[test]
fn a_name_that_was_typed_in_full_is_the_one_that_opens() {
    let mut app = App::empty();
    update::open_picker(&mut app.state);
    let folder = app.folder.path().to_owned();
    app.show_folder(&folder, vec![entry("out.gguf", false), entry("t.gguf", false), entry("t2.gguf", false)]);
    app.type_text("t");
    let Some(Dialog::Picker(picker)) = &app.state.dialog else { panic!("closed") };
    let names = picker.choices().iter().filter_map(|c| picker.path_of(c)).map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(names, ["t.gguf", "t2.gguf", "out.gguf"].map(|name| folder.join(name)), "what begins so comes first");
    app.type_text(".gguf");
    let effects = app.press("enter");
    assert!(matches!(effects.as_slice(), [Effect::Open(f)] if *f == folder.join("t.gguf")), "{effects:?}");
}

#[test]
fn without_a_model_the_demo_is_offered_first_and_esc_leads_to_the_welcome_screen() {
    let mut app = App::empty();
    update::open_picker(&mut app.state);
    let folder = app.folder.path().to_owned();
    app.show_folder(&folder, vec![entry("a.gguf", false)]);
    app.type_text("a");
    let effects = app.press("enter");
    assert!(
        matches!(effects.as_slice(), [Effect::Open(f)] if *f == folder.join("a.gguf")),
        "only while nothing is typed"
    );

    let mut app = App::empty();
    update::open_picker(&mut app.state);
    app.press("esc");
    assert!(app.state.dialog.is_none());
    let effects = app.press("d");
    assert!(matches!(effects.as_slice(), [Effect::WriteDemo]), "{effects:?}");
    app.press("o");
    assert!(matches!(app.press("enter").as_slice(), [Effect::WriteDemo]));
    let path = app.path("demo.gguf");
    let effects = app.send(Event::DemoWritten(Ok(path.clone())));
    assert!(matches!(effects.as_slice(), [Effect::Open(f)] if *f == path), "{effects:?}");
    assert!(app.state.dialog.is_none() && app.state.opening.is_some());
    assert!(app.press("d").is_empty(), "once is enough");

    let mut app = App::empty();
    app.send(Event::DemoWritten(Err("no room".to_owned())));
    assert!(app.notice().contains("no room"), "{}", app.notice());
    let mut app = App::on(&layered());
    assert!(app.press("d").is_empty() && app.notice().contains("demo"), "an open model stays");
    app.press("o");
    assert!(matches!(&app.state.dialog, Some(Dialog::Picker(picker)) if !picker.demo));
}

#[test]
fn a_typed_path_is_followed_as_it_is_typed() {
    let mut app = App::empty();
    app.state.settings.home = Some("/home/somebody".into());
    update::open_picker(&mut app.state);
    let effects = app.type_text("~/mo");
    assert!(
        matches!(effects.as_slice(), [Effect::ReadFolder(a)] if a.to_str() == Some("/home/somebody")),
        "{effects:?}"
    );
    app.press("ctrl-u");
    app.type_text("/nowhere/x.gguf");
    let effects = app.press("enter");
    assert!(matches!(effects.as_slice(), [Effect::Open(f)] if f.to_str() == Some("/nowhere/x.gguf")), "{effects:?}");
}

#[test]
fn a_file_that_cannot_be_opened_leads_to_another() {
    let mut app = App::empty();
    let path = app.path("bad.gguf");
    update::begin(&mut app.state, path.clone());
    job(&mut app, JobEvent::Opened { path, model: Err("bad magic".to_owned()) });
    assert!(matches!(&app.state.dialog, Some(Dialog::Failure { message, .. }) if message == "bad magic"));
    app.press("enter");
    assert!(matches!(app.state.dialog, Some(Dialog::Picker(_))));
}

#[test]
fn an_opened_file_is_remembered() {
    let mut app = App::empty();
    let path = layered().write(app.folder.path());
    app.send(Event::Recent(vec!["/old.gguf".into(), path.clone()]));
    update::begin(&mut app.state, path.clone());
    let model = Model::open(&path, &OpenOptions::default()).map(Arc::new).map_err(|e| e.to_string());
    let effects = job(&mut app, JobEvent::Opened { path: path.clone(), model });
    let wanted = [path, "/old.gguf".into()];
    assert!(matches!(effects.as_slice(), [Effect::WriteRecent(paths)] if *paths == wanted), "{effects:?}");
    assert!(app.state.session.is_some());
}

#[test]
fn the_recipe_is_saved_and_not_over_a_file_unasked() {
    let mut app = App::on(&layered());
    app.press("s");
    let effects = app.press("enter");
    let [Effect::WriteRecipe { path, overwrite: false, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*path, app.path("model.recipe.toml"));
    let path = path.clone();
    app.send(Event::RecipeWritten { path: path.clone(), result: Saved::Exists });
    let effects = app.press("enter");
    assert!(matches!(effects.as_slice(), [Effect::WriteRecipe { overwrite: true, .. }]), "{effects:?}");
    app.send(Event::RecipeWritten { path, result: Saved::Written });
    assert!(app.state.dialog.is_none() && app.notice().contains("written"));
}

#[test]
fn the_mouse_selects_and_a_double_click_toggles() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.state.geometry.tree = Area { x: 1, y: 2, width: 40, height: 20 };
    app.state.geometry.tabs = vec![(Area { x: 60, y: 1, width: 8, height: 1 }, Tab::Weights)];
    let row = app.session().tree.cursor() as u16 + 2;
    let click = |column, row| MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column,
        row,
        modifiers: KeyModifiers::NONE,
    };
    app.press("home");
    app.send(Event::Mouse(click(5, row)));
    assert_eq!(app.selected(), QUERY);
    assert!(!app.ternary(QUERY));
    app.send(Event::Mouse(click(5, row)));
    assert!(app.ternary(QUERY));
    app.send(Event::Mouse(click(61, 1)));
    assert_eq!(app.session().tab, Tab::Weights);
    app.send(Event::Mouse(click(5, 25)));
    assert_eq!(app.selected(), QUERY, "a click beside the rows does nothing");
}

#[test]
fn folds_move_as_people_expect() {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.press("h");
    assert_eq!(app.selected(), "blk.0.", "from a tensor to its folder");
    app.press("h");
    assert!(!app.rows().contains(&QUERY), "an open folder closes");
    app.press("l l");
    assert_eq!(app.selected(), "blk.0.attn_norm.weight", "a closed one opens, an open one is entered");
    app.press("-");
    assert_eq!(app.selected(), "blk.", "what is folded away hands the cursor to its folder");
    app.press("+ G");
    assert_eq!(app.selected(), "token_embd.weight");
    app.press("g");
    assert_eq!(app.selected(), "");
}

#[test]
fn asking_for_exact_figures_measures_what_goes_ternary() {
    let mut app = App::on(&layered());
    app.serve();
    assert_eq!(app.session().summaries.of(Item::Model).exact, 2, "small tensors are exact anyway");
    let mut app = App::on(&layered());
    app.go("");
    app.press("e");
    let exact = app.wants().iter().filter(|w| w.key.depth == Depth::Exact).count();
    assert_eq!(exact, 2, "{:?}", app.wants());
}
