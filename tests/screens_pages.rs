//! The model's pages as they look: while they are read, with something to show, and with nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use support::Tiny;
use support_tui::pages::{Reader, talkative};
use support_tui::shoot::{LARGE, SMALL, render, shoot_at, shoot_both};
use support_tui::{App, dense, layered};
use tritscope::engine::error::{Diagnostic, Severity};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::jobs::questions::Answer;
use tritscope::jobs::{CheckEvent, JobEvent};
use tritscope::tui::event::Event;
use tritscope::tui::state::Dialog;
use tritscope::tui::theme::Theme;
use tritscope::tui::update::show_model;

/// Snapshots at both sizes, with what the size asks for read; without a reader nothing comes.
fn shoot(app: &mut App, mut reader: Option<&mut Reader>, name: &str) {
    app.state.notices.dismiss();
    for size in [SMALL, LARGE] {
        read(app, reader.as_deref_mut(), size);
        shoot_at(app, &format!("page_{name}"), &[size]);
    }
}

fn read(app: &mut App, reader: Option<&mut Reader>, size: (u16, u16)) {
    app.send(Event::Resize(size.0, size.1));
    let asked = app.settle();
    if let Some(reader) = reader {
        reader.serve(app, asked);
    }
}

/// The pages of a model with everything in it, with what they ask for read.
fn opened(tiny: &Tiny, keys: &str) -> (App, Reader) {
    let (mut app, mut reader) = (App::on(tiny), Reader::default());
    reader.press(&mut app, keys);
    (app, reader)
}

#[test]
fn overview() {
    let (mut app, mut reader) = opened(&talkative(), "L i");
    shoot(&mut app, Some(&mut reader), "overview");
    let (mut app, mut reader) = opened(&Tiny::default(), "i");
    shoot(&mut app, Some(&mut reader), "overview_empty");
}

#[test]
fn metadata() {
    let (mut app, mut reader) = opened(&talkative(), "i 2 j j j");
    shoot(&mut app, Some(&mut reader), "metadata");
    reader.press(&mut app, "/");
    reader.type_text(&mut app, "ggml.t");
    shoot(&mut app, Some(&mut reader), "metadata_searched");
    reader.press(&mut app, "enter enter /");
    reader.type_text(&mut app, "300");
    shoot(&mut app, Some(&mut reader), "metadata_array");
    reader.press(&mut app, "esc esc /");
    reader.type_text(&mut app, "nothing has this");
    shoot(&mut app, Some(&mut reader), "metadata_none_found");
    let (mut app, _) = opened(&Tiny { kvs: Vec::new(), ..dense() }, "i 2");
    shoot_both(&mut app, "page_metadata_empty");
}

#[test]
fn a_long_value() {
    let (mut app, mut reader) = opened(&talkative(), "i 2 /");
    reader.type_text(&mut app, "license");
    reader.press(&mut app, "enter enter pgdn");
    shoot(&mut app, Some(&mut reader), "metadata_value");
}

#[test]
fn tokenizer() {
    let (mut app, mut reader) = opened(&talkative(), "i 3 j j");
    shoot(&mut app, Some(&mut reader), "tokenizer");
    reader.press(&mut app, "/");
    reader.type_text(&mut app, "tok59");
    shoot(&mut app, Some(&mut reader), "tokenizer_searched");
    reader.press(&mut app, "enter m end");
    shoot(&mut app, Some(&mut reader), "tokenizer_merges");
}

#[test]
fn template() {
    let (mut app, mut reader) = opened(&talkative(), "i 4");
    shoot(&mut app, Some(&mut reader), "template");
}

#[test]
fn what_is_being_read_is_said_to_be() {
    for (key, name) in [("2", "metadata"), ("3", "tokenizer"), ("4", "template")] {
        let mut app = App::on(&talkative());
        app.press("i");
        app.press(key);
        shoot(&mut app, None, &format!("{name}_loading"));
    }
}

#[test]
fn a_file_without_tokenizer_and_template_says_so() {
    let (mut app, mut reader) = opened(&dense(), "i 3");
    shoot(&mut app, Some(&mut reader), "tokenizer_empty");
    reader.press(&mut app, "4");
    shoot(&mut app, Some(&mut reader), "template_empty");
}

#[test]
fn what_cannot_be_read_says_why() {
    let why = || "talk\u{1b}.gguf: a string is 18446744073709551615 bytes long (at offset 1234)".to_owned();
    let answers = [("3", Answer::Vocabulary(Err(why()))), ("4", Answer::Templates(Err(why())))];
    for ((key, answer), name) in answers.into_iter().zip(["tokenizer", "template"]) {
        let mut app = App::on(&talkative());
        app.press("i");
        app.press(key);
        let model = app.model();
        app.send(Event::Job(JobEvent::Answered { model, answer }));
        shoot(&mut app, None, &format!("{name}_error"));
    }
}

#[test]
fn problems() {
    let (mut app, mut reader) = opened(&talkative(), "n");
    shoot(&mut app, Some(&mut reader), "problems");
    let model = app.model();
    app.send(Event::Job(JobEvent::Check { model, event: CheckEvent::Moved(0.42) }));
    shoot(&mut app, Some(&mut reader), "problems_checking");
    let model = app.model();
    let bad = Diagnostic::tensor(Severity::Error, "not-finite", "blk.1.attn_q.weight", "element 17 is NaN");
    app.send(Event::Job(JobEvent::Check { model, event: CheckEvent::Done(vec![bad]) }));
    shoot(&mut app, Some(&mut reader), "problems_found");
    let (mut app, mut reader) = opened(&dense(), "L n");
    shoot(&mut app, Some(&mut reader), "problems_few");
}

/// A file that ends too early, wherever one looks.
#[test]
fn cut_off() {
    let mut app = App::empty();
    let path = app.folder.path().join("model.gguf");
    let bytes = layered().bytes();
    std::fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
    show_model(&mut app.state, std::sync::Arc::new(Model::open(&path, &OpenOptions::default()).unwrap()));
    app.press("L");
    shoot(&mut app, None, "cut_off_main");
    app.press("n");
    shoot(&mut app, None, "cut_off_problems");
    let sentence = app.model().cut_off().unwrap().to_owned();
    assert_eq!(app.session().pages.problems.list[0].what.message, sentence);
    app.press("esc Q");
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("no dialog") };
    let problem = form.problem.as_deref().unwrap();
    assert!(problem.ends_with(&sentence), "{problem}");
}

#[test]
fn recipe() {
    let (mut app, mut reader) = opened(&talkative(), "i 6");
    shoot(&mut app, Some(&mut reader), "recipe_empty");
    for pattern in ["blk.*.attn_q.weight", "blk.0.*", "no.such.tensor"] {
        app.press("end a");
        app.type_text(pattern);
        app.press("enter");
    }
    app.press("k space");
    shoot(&mut app, Some(&mut reader), "recipe");
    app.press("a");
    app.type_text("re:(");
    shoot(&mut app, Some(&mut reader), "recipe_typing");
    app.press("enter");
    shoot_both(&mut app, "page_recipe_error");
}

#[test]
fn runtimes() {
    let (mut app, mut reader) = opened(&talkative(), "L i 7 j");
    shoot(&mut app, Some(&mut reader), "runtimes");
    let (mut app, mut reader) = opened(&Tiny::default(), "i 7");
    shoot(&mut app, Some(&mut reader), "runtimes_empty");
}

/// Every page on odd sizes, with nothing and with everything in the file.
#[test]
fn no_size_makes_a_page_panic() {
    for tiny in [Tiny::default(), dense(), talkative()] {
        let (mut app, mut reader) = opened(&tiny, "i");
        for keys in ["1", "2", "2 enter", "3", "3 m", "4", "5", "6", "6 a", "7"] {
            reader.press(&mut app, "esc i esc i");
            reader.press(&mut app, keys);
            for size in [(1, 1), (10, 3), (60, 16), (61, 17), (109, 39), (110, 40), (200, 60), (400, 120)] {
                read(&mut app, Some(&mut reader), size);
                render(&mut app, size, &Theme::dark());
                reader.press(&mut app, "end home pgdn");
            }
        }
    }
}
