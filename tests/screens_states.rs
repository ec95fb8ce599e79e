//! States of screens that the other tests of screens do not come by. Which states there are, and why some are not:
//!
//! | screen | loading | empty | partial | error |
//! | --- | --- | --- | --- | --- |
//! | Overview | none: made of what opening has read | `screens_pages` | measured in part: here | of a damaged file: here |
//! | Metadata | `screens_pages` | `screens_pages` | an array of which a page is here: here | values that cannot be read: here |
//! | Tokenizer | `screens_pages` | `screens_pages` | the table without what is searched: here | `screens_pages` |
//! | Chat template | `screens_pages` | `screens_pages` | none: all come in one answer | `screens_pages` |
//! | Problems | `screens_pages` (checking) | here | `screens_pages` (found) | the check failed: here |
//! | Recipe | none: it is in memory | `screens_pages` | none: what rules match is known at once | `screens_pages` |
//! | Where it runs | none: a table of the program | `screens_pages` | none, as before | none: a type that nobody takes is a verdict |
//! | Folder preview | `screens` | nothing that could go ternary: here | here | weights that are no numbers: here |
//! | Experts grid | `screens_preview` | one matrix, and what stays: here | a sample: here | `screens_preview` |
//! | Dialogs of paths | none: answers come at once | `screens`, `screens_tree` | none | `screens`, `screens_decide`, `screens_tree` |
//! | Menus of types, presets | none: worked out at once | `screens_decide`, `screens_tree` | `screens_decide` | `screens_decide` |
//! | Quantize | `screens` | no path: here | none: a place is known or not | `screens` |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use support::{Tiny, f32_bytes};
use support_tui::pages::{Reader, talkative};
use support_tui::shoot::{LARGE, MEDIUM, SMALL, measured, render, shoot_at, shoot_both};
use support_tui::{App, dense, layered};
use tritscope::engine::codec::DType;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::jobs::questions::Answer;
use tritscope::jobs::{CheckEvent, JobEvent};
use tritscope::tui::event::Event;
use tritscope::tui::theme::Theme;

/// Draws once at a size, and answers what that asks, or not.
fn look(app: &mut App, reader: Option<&mut Reader>, size: (u16, u16)) {
    app.send(Event::Resize(size.0, size.1));
    let asked = app.settle();
    if let Some(reader) = reader {
        reader.serve(app, asked);
    }
}

fn shoot(app: &mut App, mut reader: Option<&mut Reader>, name: &str) {
    app.state.notices.dismiss();
    for size in [SMALL, LARGE] {
        look(app, reader.as_deref_mut(), size);
        shoot_at(app, name, &[size]);
    }
}

/// Weights that are no numbers beside others.
fn spoilt() -> Tiny {
    layered().tensor("blk.0.attn_k.weight", &[256, 2], DType::F32, f32_bytes(&[f32::NAN; 512]))
}

/// Measures every third of what is wanted.
fn measure_some(app: &mut App) {
    render(app, MEDIUM, &Theme::dark());
    for want in app.wants().to_vec().iter().step_by(3) {
        app.deliver(want);
    }
    app.settle();
}

#[test]
fn an_overview_of_what_is_measured_in_part_and_of_a_damaged_file() {
    let (mut app, mut reader) = (App::on(&talkative()), Reader::default());
    app.press("L");
    measure_some(&mut app);
    reader.press(&mut app, "i");
    shoot(&mut app, Some(&mut reader), "page_overview_partial");

    let damaged = App::empty();
    let path = talkative().write(damaged.folder.path());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 4096]).unwrap();
    let model = Model::open(&path, &OpenOptions::default()).unwrap();
    let (mut app, mut reader) = (damaged, Reader::default());
    tritscope::tui::update::show_model(&mut app.state, std::sync::Arc::new(model));
    app.settle();
    reader.press(&mut app, "i");
    shoot(&mut app, Some(&mut reader), "page_overview_error");
}

#[test]
fn metadata_of_which_a_part_is_here_or_cannot_be_read() {
    let (mut app, mut reader) = (App::on(&talkative()), Reader::default());
    reader.press(&mut app, "i 2 /");
    reader.type_text(&mut app, "ggml.tokens");
    reader.press(&mut app, "enter enter");
    look(&mut app, Some(&mut reader), SMALL);
    // The second page of the array is asked for and does not come.
    app.press("/");
    app.type_text("260");
    shoot(&mut app, None, "page_metadata_partial");

    let why = || "talk\u{1b}.gguf: a string is 18446744073709551615 bytes long (at offset 1234)".to_owned();
    let mut app = App::on(&talkative());
    app.press("i 2");
    let model = app.model();
    let listing = model.metadata.entries().iter().map(|_| Err(why())).collect();
    app.send(Event::Job(JobEvent::Answered { model, answer: Answer::Listing(listing) }));
    shoot(&mut app, None, "page_metadata_error");
}

#[test]
fn a_tokenizer_before_a_search_is_answered() {
    let (mut app, mut reader) = (App::on(&talkative()), Reader::default());
    reader.press(&mut app, "i 3 /");
    app.type_text("tok59");
    shoot(&mut app, None, "page_tokenizer_partial");
}

#[test]
fn problems_where_there_are_none_and_where_the_check_failed() {
    let (mut app, mut reader) = (App::on(&layered()), Reader::default());
    app.press("n");
    app.state.session.as_mut().unwrap().pages.problems.list.clear();
    shoot(&mut app, Some(&mut reader), "page_problems_empty");
    let (mut app, mut reader) = (App::on(&talkative()), Reader::default());
    app.press("n");
    let failed = CheckEvent::Failed("cannot read model.gguf: input/output error".to_owned());
    let model = app.model();
    app.send(Event::Job(JobEvent::Check { model, event: failed }));
    shoot(&mut app, Some(&mut reader), "page_problems_error");
}

#[test]
fn folders_of_nothing_of_a_part_and_of_no_numbers() {
    let norms = Tiny::default().normal("blk.0.attn_norm.weight", &[256], 2).normal("blk.0.ffn_norm.weight", &[256], 3);
    let mut app = App::on(&norms);
    app.go("blk.0.");
    shoot_both(&mut app, "preview_folder_empty");
    let mut app = App::on(&layered());
    app.press("L");
    app.go("blk.0.");
    measure_some(&mut app);
    app.state.notices.dismiss();
    shoot_both(&mut app, "preview_folder_partial");
    let mut app = App::on(&spoilt());
    app.press("L");
    app.go("blk.0.attn_k.weight");
    app.serve();
    app.go("blk.0.");
    app.serve();
    app.state.notices.dismiss();
    shoot_both(&mut app, "preview_folder_error");
}

#[test]
fn experts_where_there_are_none_and_as_a_sample() {
    let mut app = App::on(&dense());
    app.go("blk.0.ffn_up.weight");
    app.press("L 5 enter x");
    app.serve();
    shoot_both(&mut app, "tab_map_experts_empty");
    let mut app = App::on(&layered());
    app.go("blk.0.ffn_up_exps.weight");
    app.press("L enter 5 x");
    app.state.notices.dismiss();
    render(&mut app, SMALL, &Theme::dark());
    for want in app.wants().to_vec().iter().take(1) {
        app.deliver(want);
        app.settle();
    }
    // The first look at it is a sample.
    let key = *app.looks().first().unwrap();
    app.show(key);
    shoot_both(&mut app, "tab_map_experts_partial");
}

#[test]
fn a_quantize_dialog_without_a_path() {
    let mut app = measured();
    app.press("Q ctrl-u enter");
    shoot_both(&mut app, "quantize_empty");
}
