//! Every screen as it looks, at two sizes: text, and below it how many cells have which style.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::sync::Arc;

use support::writers::prism_ml;
use support::{Tiny, f32_bytes};
use support_tui::shoot::{MEDIUM, measured, picture, render, shoot_at, shoot_both};
use support_tui::{App, dense, layered};
use tritscope::engine::codec::DType;
use tritscope::engine::error::Diagnostic;
use tritscope::engine::error::Severity;
use tritscope::engine::export::{Check, ExportSummary, Reader, Verify};
use tritscope::engine::progress::{Delta, Stage};
use tritscope::engine::stats::BlockStats;
use tritscope::jobs::JobEvent;
use tritscope::tui::event::{Event, Saved};
use tritscope::tui::state::Tone;
use tritscope::tui::state::dialog::{Found, Target};
use tritscope::tui::state::picker::Entry;
use tritscope::tui::theme::Theme;
use tritscope::tui::update;

/// Snapshots at both sizes.
fn shoot(app: &mut App, name: &str) {
    shoot_both(app, name);
}

#[test]
fn main_screen_on_a_tensor() {
    let mut app = measured();
    app.pass(std::time::Duration::from_secs(60));
    shoot(&mut app, "main_tensor");
}

/// Weights of which one is no number.
fn spoilt() -> Tiny {
    dense().tensor("blk.0.attn_k.weight", &[256, 2], DType::F32, f32_bytes(&[f32::NAN; 512]))
}

#[test]
fn main_screen_before_anything_is_measured_while_it_is_and_where_nothing_can_be() {
    shoot(&mut App::on(&Tiny::default()), "main_empty");
    let mut app = App::on(&layered());
    app.press("L");
    app.pass(std::time::Duration::from_secs(60));
    shoot(&mut app, "main_loading");
    for want in app.wants().to_vec().iter().step_by(3) {
        app.deliver(want);
    }
    app.pass(std::time::Duration::from_secs(60));
    shoot(&mut app, "main_partial");
    let mut app = App::on(&spoilt());
    app.press("L");
    app.go("blk.0.attn_k.weight");
    app.serve();
    app.pass(std::time::Duration::from_secs(60));
    shoot(&mut app, "main_error");
}

#[test]
fn a_folder_before_its_tensors_are_measured() {
    let mut app = App::on(&layered());
    app.press("L");
    app.go("blk.0.");
    app.pass(std::time::Duration::from_secs(60));
    shoot_both(&mut app, "preview_folder_loading");
}

#[test]
fn main_screen_without_routed_experts() {
    shoot(&mut App::on(&dense()), "main_no_experts");
}

#[test]
fn main_screen_while_the_next_preview_is_measured() {
    let mut app = measured();
    app.go("output.weight");
    app.press("2");
    shoot(&mut app, "preview_pending");
}

#[test]
fn preview_of_weights_and_methods() {
    let mut app = measured();
    app.press("3");
    shoot(&mut app, "preview_weights");
    app.press("4");
    shoot(&mut app, "preview_methods");
}

#[test]
fn preview_of_a_folder() {
    let mut app = measured();
    app.go("blk.");
    app.press("space");
    app.serve();
    shoot(&mut app, "preview_folder");
}

#[test]
fn preview_of_what_never_goes_ternary() {
    let mut app = measured();
    app.go("blk.0.attn_norm.weight");
    app.settle();
    app.serve();
    app.press("space");
    shoot(&mut app, "preview_protected");
}

/// A file of another tool whose tensors are ternary already, under a type number that means two things.
#[test]
fn a_ternary_file_of_another_dialect() {
    let (tiny, _) = prism_ml(DType::Q2_0_G128, 2);
    let mut app = App::on(&tiny);
    app.go("blk.0.ffn_up.weight");
    app.settle();
    app.serve();
    let text = picture(&render(&mut app, MEDIUM, &Theme::dark()));
    assert!(text.contains("ternary already and stay") && text.contains("42 is Q2_0_G128: 6/6, Q2_0 0"), "{text}");
    shoot(&mut app, "ternary_already");
}

#[test]
fn filtered_tree() {
    let mut app = measured();
    app.press("/");
    app.type_text("attn_q");
    shoot(&mut app, "filter");
}

#[test]
fn help() {
    let mut app = measured();
    app.press("?");
    shoot(&mut app, "help");
}

#[test]
fn notes() {
    let mut app = App::empty();
    let wrong = "model\u{1b}.gguf: bad magic (at offset 0)";
    app.state.notify(Tone::Error, wrong);
    app.press("n");
    shoot(&mut app, "notes");
    let mut app = App::empty();
    app.press("n");
    shoot_both(&mut app, "notes_empty");
}

#[test]
fn quantize_dialog() {
    let mut app = measured();
    app.press("Q ctrl-u");
    app.type_text("out.gguf");
    let path = app.path("out.gguf");
    app.send(Event::Probed(Target { path, found: Found::File, folder_exists: true, free: Some(5 << 30) }));
    app.press("enter");
    shoot(&mut app, "quantize");
    app.press("f1");
    shoot(&mut app, "quantize_help");
}

#[test]
fn quantize_dialog_before_the_place_is_known_and_where_nothing_can_go() {
    let mut app = measured();
    app.press("Q ctrl-u");
    app.type_text("none/out.gguf");
    shoot_both(&mut app, "quantize_loading");
    let path = app.path("none/out.gguf");
    app.send(Event::Probed(Target { path, folder_exists: false, ..Target::default() }));
    app.press("enter");
    shoot_both(&mut app, "quantize_error");
}

#[test]
fn recipe_dialog() {
    let mut app = measured();
    app.press("s ctrl-u");
    shoot(&mut app, "save_recipe_empty");
    app.type_text("recipe.toml");
    shoot(&mut app, "save_recipe");
    app.press("enter");
    let path = app.path("recipe.toml");
    app.send(Event::RecipeWritten { path: path.clone(), result: Saved::Exists });
    shoot_both(&mut app, "save_recipe_exists");
    app.press("enter");
    app.send(Event::RecipeWritten { path, result: Saved::Failed("recipe.toml: no space left on device".to_owned()) });
    shoot_both(&mut app, "save_recipe_error");
}

#[test]
fn report_dialog() {
    let mut app = measured();
    app.press("y w ctrl-u");
    shoot(&mut app, "save_report_empty");
    app.type_text("report.md");
    shoot(&mut app, "save_report");
    let path = app.path("report.md");
    app.press("enter");
    app.send(Event::ReportWritten { path: path.clone(), result: Saved::Exists });
    shoot_both(&mut app, "save_report_exists");
    app.press("enter");
    app.send(Event::ReportWritten { path, result: Saved::Failed("report.md: no space left on device".to_owned()) });
    shoot_both(&mut app, "save_report_error");
}

#[test]
fn quantize_dialog_with_what_cannot_be() {
    let mut app = measured();
    app.press("Q tab tab tab tab tab");
    app.type_text("100");
    app.press("B enter");
    shoot_both(&mut app, "quantize_memory");
}

fn queue(app: &mut App, id: u64, name: &str) {
    support_tui::exports::queue(app, id, name);
}

#[test]
fn jobs() {
    let mut app = measured();
    app.press("J");
    shoot(&mut app, "jobs_empty");
    for (id, name) in [(1, "first.gguf"), (2, "second.gguf"), (3, "third.gguf")] {
        queue(&mut app, id, name);
    }
    let summary = ExportSummary {
        out: app.path("first.gguf"),
        files: vec![app.path("first.gguf")],
        bytes: 40_960,
        tensors: Vec::new(),
        stats: BlockStats::default(),
        output: None,
        check: Check { reader: Reader::GgufRsLib, verify: Verify::Hash, bytes: 40_000, recomputed: 0, recoded: 0 },
        stages: vec![(Stage::Prepare, 0.012), (Stage::Write, 1.5), (Stage::Sync, 0.3), (Stage::Verify, 0.2)],
        warnings: vec![Diagnostic::file(Severity::Warning, "underflow", "2 scales were too small for f16")],
    };
    app.send(Event::Job(JobEvent::ExportStarted(1)));
    app.send(Event::Job(JobEvent::ExportFinished(1, Arc::new(summary))));
    app.send(Event::Job(JobEvent::ExportStarted(2)));
    app.send(Event::Job(JobEvent::ExportDelta(2, Delta::Total { tensors: 14, bytes: 40_000 })));
    app.send(Event::Job(JobEvent::ExportDelta(2, Delta::Stage(Stage::Write))));
    let (index, bytes) = (app.tensor("blk.0.attn_q.weight"), 4_224);
    app.send(Event::Job(JobEvent::ExportDelta(2, Delta::Tensor { index, bytes })));
    for _ in 0..4 {
        app.pass(std::time::Duration::from_millis(250));
        app.send(Event::Job(JobEvent::ExportDelta(2, Delta::Bytes(1000))));
    }
    app.press("j c");
    shoot(&mut app, "jobs");
    app.press("n esc q");
    shoot(&mut app, "quit");
}

#[test]
fn picker() {
    let mut app = App::empty();
    app.send(Event::Recent(vec!["/models/gemma-3-270m-f16.gguf".into(), "/models/smollm2.gguf".into()]));
    update::open_picker(&mut app.state);
    let folder = app.folder.path().to_owned();
    let entry = |name: &str, folder, bytes| Entry { name: name.to_owned(), folder, bytes };
    let entries = vec![entry("models", true, 0), entry("a\u{1b}[2J.gguf", false, 123), entry("b.gguf", false, 1 << 30)];
    app.show_folder(&folder, entries);
    shoot(&mut app, "picker");
    let why = "cannot read /root: permission denied".to_owned();
    app.send(Event::Folder { path: folder, entries: Err(why) });
    shoot_both(&mut app, "picker_error");
}

#[test]
fn loading_and_failing() {
    let mut app = App::empty();
    let path = app.path("model.gguf");
    update::begin(&mut app.state, path.clone());
    shoot(&mut app, "loading");
    let message = "model.gguf: bad magic (at offset 0)".to_owned();
    app.send(Event::Job(JobEvent::Opened { path, model: Err(message) }));
    shoot(&mut app, "failure");
}

#[test]
fn a_screen_that_is_too_small_says_so_and_none_panics() {
    let mut app = measured();
    shoot_at(&mut app, "too_small", &[(50, 10)]);
    for key in ["?", "n", "Q", "J", "s", "o", "q"] {
        app.state.dialog = None;
        app.press(key);
        for size in [(1, 1), (10, 3), (60, 16), (61, 17), (79, 23), (99, 30), (200, 60), (400, 120)] {
            render(&mut app, size, &Theme::dark());
        }
    }
    app.state.dialog = None;
    for row in ["", "blk.", "blk.0.attn_q.weight", "blk.0.attn_norm.weight"] {
        app.go(row);
        for tab in ["1", "2", "3", "4"] {
            app.press(tab);
            app.serve();
            for size in [(60, 16), (80, 24), (200, 60), (400, 120)] {
                render(&mut app, size, &Theme::dark());
            }
        }
    }
}

#[test]
fn without_colour_there_is_none() {
    let mut app = measured();
    let buffer = render(&mut app, MEDIUM, &Theme::plain());
    assert!(
        buffer.content().iter().all(|c| c.fg == ratatui::style::Color::Reset && c.bg == ratatui::style::Color::Reset)
    );
}

#[test]
fn names_from_files_cannot_move_the_cursor() {
    let evil = support::Tiny::default().normal("blk.0.ffn_up.\u{1b}[2J\u{202e}x.weight", &[256, 16], 1);
    let mut app = App::on(&evil);
    app.press("L");
    app.serve();
    let buffer = render(&mut app, MEDIUM, &Theme::dark());
    let text: String = buffer.content().iter().map(|c| c.symbol().to_owned()).collect();
    assert!(text.contains("\\u{1b}[2J\\u{202e}x"), "escaped");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
}
