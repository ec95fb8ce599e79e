//! The model's pages as they are used: keys in, state and effects out; what they ask for is answered by the reader.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::sync::Arc;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use support::{Kv, Tiny};
use support_tui::pages::{Reader, TEMPLATE, talkative};
use support_tui::{App, dense, layered};
use tritscope::engine::error::{Diagnostic, Severity};
use tritscope::engine::plan::{Action, Mask, Recipe};
use tritscope::engine::ternary::{Format, Method};
use tritscope::jobs::questions::{Answer, Question};
use tritscope::jobs::{CheckEvent, JobEvent};
use tritscope::tui::effect::Effect;
use tritscope::tui::event::Event;
use tritscope::tui::state::pages::metadata::Shown;
use tritscope::tui::state::pages::problems::Check;
use tritscope::tui::state::pages::{Page, Pages};
use tritscope::tui::state::{Area, Dialog, Screen};

fn pages(app: &App) -> &Pages {
    &app.session().pages
}

/// Words of the hints of what is on the screen.
fn hints(app: &App) -> Vec<&'static str> {
    app.state.settings.keymap.hints(&app.state).map(|(_, words, _)| words).collect()
}

/// The pages of a model, with what these keys ask for read.
fn on(tiny: &Tiny, keys: &str) -> (App, Reader) {
    let (mut app, mut reader) = (App::on(tiny), Reader::default());
    app.state.geometry.page = Area { x: 1, y: 2, width: 78, height: 17 };
    reader.press(&mut app, keys);
    (app, reader)
}

/// Keys of the metadata that are listed.
fn listed(app: &App) -> Vec<String> {
    let model = app.model();
    pages(app).metadata.rows.iter().map(|i| model.metadata.entries()[*i].key.clone()).collect()
}

/// Texts of the tokens that are listed.
fn tokens(app: &App) -> Vec<String> {
    let page = &pages(app).tokenizer;
    let table = page.table().unwrap();
    (0..page.len()).map(|row| table.text(page.token(row).unwrap()).unwrap().to_owned()).collect()
}

#[test]
fn i_opens_the_pages_and_closes_them_and_numbers_choose_one() {
    let (mut app, _) = on(&talkative(), "i");
    assert_eq!((app.session().screen, pages(&app).page), (Screen::Model, Page::Overview));
    for (i, page) in Page::ALL.into_iter().enumerate() {
        app.press(&(i + 1).to_string());
        assert_eq!(pages(&app).page, page);
    }
    app.press("tab");
    assert_eq!(pages(&app).page, Page::Overview, "around the end");
    app.press("3 i");
    assert_eq!(app.session().screen, Screen::Tensors);
    app.press("i");
    assert_eq!(pages(&app).page, Page::Tokenizer, "the page that was open opens again");
    app.press("esc");
    assert_eq!(app.session().screen, Screen::Tensors);
    app.press("n");
    assert_eq!((app.session().screen, pages(&app).page), (Screen::Model, Page::Problems));
}

#[test]
fn without_a_model_there_are_messages_only() {
    let mut app = App::empty();
    app.press("i");
    assert!(app.state.session.is_none());
    app.press("n");
    assert!(matches!(app.state.dialog, Some(Dialog::Messages(_))));
}

#[test]
fn a_page_is_read_when_it_is_opened_and_only_once() {
    let mut app = App::on(&talkative());
    let asked = |effects: Vec<Effect>| -> Vec<String> {
        effects
            .iter()
            .map(|e| match e {
                Effect::Ask(_, question) => format!("{question:?}"),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(asked(app.press("i")), ["Listing"], "the overview shows some of the metadata");
    assert_eq!(asked(app.press("2 6 7 5")), Vec::<String>::new(), "these need no more");
    assert_eq!(asked(app.press("3")), ["Vocabulary"]);
    assert_eq!(asked(app.press("4")), ["Templates"]);
    assert_eq!(asked(app.press("2 3 4 esc i")), Vec::<String>::new(), "asked for already");
}

#[test]
fn an_answer_about_another_model_is_dropped() {
    let mut app = App::on(&talkative());
    let other = App::on(&dense()).model();
    app.press("i 3");
    app.send(Event::Job(JobEvent::Answered { model: other, answer: Answer::Vocabulary(Ok(None)) }));
    assert!(pages(&app).tokenizer.vocabulary.here().is_none());
}

#[test]
fn metadata_is_searched_in_keys_and_values() {
    let (mut app, mut reader) = on(&talkative(), "i 2");
    assert_eq!(listed(&app).len(), app.model().metadata.len());
    assert_eq!(listed(&app)[0], "general.architecture", "in the file's order");
    reader.press(&mut app, "/");
    reader.type_text(&mut app, "SMOLLM");
    assert_eq!(listed(&app), ["tokenizer.ggml.pre"], "in values, whatever the case");
    reader.press(&mut app, "ctrl-u");
    reader.type_text(&mut app, "rope");
    assert_eq!(listed(&app), ["llama.rope.freq_base"], "in keys");
    assert_eq!(app.session().page_text().unwrap(), "10000.0");
    reader.press(&mut app, "enter");
    assert!(!pages(&app).is_typing());
    assert_eq!(listed(&app).len(), 1, "enter keeps the search");
    reader.press(&mut app, "esc");
    assert_eq!(listed(&app).len(), app.model().metadata.len(), "esc gives it up");
    assert_eq!(
        pages(&app).metadata.entry().map(|i| app.model().metadata.entries()[i].key.clone()).unwrap(),
        "llama.rope.freq_base"
    );
    reader.press(&mut app, "esc");
    assert_eq!(app.session().screen, Screen::Tensors);
}

#[test]
fn an_array_is_read_a_page_at_a_time() {
    let (mut app, mut reader) = on(&talkative(), "i 2 /");
    reader.type_text(&mut app, "ggml.tokens");
    reader.press(&mut app, "enter");
    let ranges = |effects: &[Effect]| -> Vec<(u64, u64)> {
        let range = |e: &Effect| match e {
            Effect::Ask(_, Question::Page(_, range)) => Some((range.start, range.end)),
            _ => None,
        };
        effects.iter().filter_map(range).collect()
    };
    app.send(Event::Resize(80, 24));
    let asked = app.press("enter");
    assert_eq!(ranges(&asked), Vec::new(), "the wide screen had read its first page");
    let asked = app.press("end");
    assert_eq!(ranges(&asked), [(256, 512), (512, 768)], "only what is near the cursor");
    reader.serve(&mut app, asked);
    assert_eq!(app.session().page_text().unwrap(), "tok599");
    let asked = app.press("/");
    reader.serve(&mut app, asked);
    reader.type_text(&mut app, "4");
    assert_eq!(app.session().page_text().unwrap(), "Ċ", "go to an element");
    let Shown::Array(array) = &pages(&app).metadata.detail.as_ref().unwrap().shown else { panic!("no array") };
    assert_eq!((array.cursor, array.len), (4, 607));
    reader.type_text(&mut app, "99999999999999999999");
    reader.press(&mut app, "enter left");
    assert!(!pages(&app).metadata.opened, "left goes back to the keys");
}

#[test]
fn a_long_value_is_read_whole_only_when_it_is_looked_at() {
    let (mut app, mut reader) = on(&talkative(), "i");
    app.send(Event::Resize(80, 24));
    reader.press(&mut app, "2 /");
    reader.type_text(&mut app, "license");
    let asked = app.press("enter enter");
    assert!(matches!(&asked[..], [Effect::Ask(_, Question::Value(_))]), "{asked:?}");
    assert!(app.session().page_text().unwrap().len() < 700, "the beginning, so long");
    reader.serve(&mut app, asked);
    assert_eq!(app.session().page_text().unwrap(), "long ".repeat(400));
}

#[test]
fn tokens_are_searched_by_text_and_by_id() {
    let (mut app, mut reader) = on(&talkative(), "i 3");
    assert_eq!(tokens(&app).len(), 607);
    reader.press(&mut app, "/");
    reader.type_text(&mut app, " THE");
    assert_eq!(tokens(&app), ["Ġthe"], "a space is what the file spells Ġ");
    reader.press(&mut app, "ctrl-u");
    reader.type_text(&mut app, "599");
    assert_eq!(tokens(&app), ["tok592", "tok599"], "the token with this id first, then those with it in their text");
    assert_eq!(pages(&app).tokenizer.token(0), Some(599));
    reader.press(&mut app, "down enter");
    assert_eq!(app.session().page_text().unwrap(), "tok599");
    reader.press(&mut app, "esc");
    assert_eq!((tokens(&app).len(), pages(&app).tokenizer.cursor), (607, 606), "the cursor stays on its token");
    reader.press(&mut app, "/");
    reader.type_text(&mut app, "no such token");
    assert!(pages(&app).tokenizer.is_empty());
    assert_eq!(app.session().page_text(), None);
    reader.press(&mut app, "esc");
    assert_eq!(tokens(&app).len(), 607);
}

#[test]
fn only_the_newest_search_counts() {
    let (mut app, mut reader) = on(&talkative(), "i 3 /");
    let first = app.type_text("tok1");
    let second = app.type_text("2");
    reader.serve(&mut app, second);
    let numbers = ["", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    assert_eq!(tokens(&app), numbers.map(|n| format!("tok12{n}")));
    reader.serve(&mut app, first);
    assert_eq!(tokens(&app)[0], "tok12", "an old answer changes nothing");
    assert_eq!(tokens(&app).len(), 11);
}

#[test]
fn special_tokens_and_merges_are_told() {
    let (mut app, mut reader) = on(&talkative(), "i 3");
    let table = Arc::clone(pages(&app).tokenizer.table().unwrap());
    let specials: Vec<(&str, u64)> = table.specials.iter().map(|s| (s.name.as_str(), s.id)).collect();
    assert_eq!(specials, [("bos", 0), ("eos", 1), ("padding", 900_000)]);
    assert_eq!((table.kind.as_deref(), table.pre.as_deref()), (Some("gpt2"), Some("smollm")));
    assert_eq!(table.settings, [("add_bos_token".to_owned(), "true".to_owned())]);
    assert_eq!((table.readable(2).unwrap().as_str(), table.readable(5).unwrap().as_str()), (" the", "é"));
    assert_eq!((table.kind_name(1), table.score(6)), (Some("control"), Some(-6.0)));
    reader.press(&mut app, "m end");
    assert_eq!(app.session().page_text().unwrap(), "\"t 499\"");
    reader.press(&mut app, "esc");
    assert!(pages(&app).tokenizer.merges.is_none());
    let plain = talkative().kv("x", Kv::Bool(true));
    let kvs = plain.kvs.iter().filter(|(key, _)| key != b"tokenizer.ggml.merges").cloned().collect();
    let (mut app, mut reader) = on(&Tiny { kvs, ..plain }, "i 3");
    reader.press(&mut app, "m");
    assert!(app.notice().contains("no merges"));
}

#[test]
fn templates_are_stepped_through() {
    let (mut app, mut reader) = on(&talkative(), "i 4");
    assert_eq!(pages(&app).template.count(), 2, "the list of names is no template");
    assert_eq!(app.session().page_text().unwrap(), TEMPLATE.replace('\t', "    "));
    reader.press(&mut app, "]");
    assert!(app.session().page_text().unwrap().contains("tojson"));
    assert!(hints(&app).contains(&"next template"));
    reader.press(&mut app, "]");
    assert_eq!(pages(&app).template.chosen, 0, "around the end");
}

#[test]
fn no_other_template_is_offered_where_there_is_one_only() {
    let (mut app, mut reader) = on(&dense().kv("tokenizer.chat_template", Kv::Str(TEMPLATE.to_owned())), "i 4");
    assert_eq!(pages(&app).template.count(), 1);
    assert!(!hints(&app).contains(&"next template"), "{:?}", hints(&app));
    reader.press(&mut app, "]");
    assert_eq!(pages(&app).template.chosen, 0);
    assert!(app.notice().contains("one chat template only"), "{}", app.notice());
}

#[test]
fn problems_come_worst_first_and_lead_to_their_tensor() {
    let (mut app, _) = on(&talkative(), "L n");
    let severities: Vec<Severity> = pages(&app).problems.list.iter().map(|p| p.what.severity).collect();
    assert!(severities.len() > 2 && severities.windows(2).all(|w| w[0] >= w[1]), "{severities:?}");
    let at = pages(&app).problems.list.iter().position(|p| p.tensor.is_some()).unwrap();
    let name = pages(&app).problems.list[at].what.tensor.clone().unwrap();
    for _ in 0..at {
        app.press("j");
    }
    app.press("enter");
    assert_eq!((app.session().screen, app.selected()), (Screen::Tensors, name.as_str()));
    app.press("n");
    let about_none = pages(&app).problems.list.iter().position(|p| p.tensor.is_none()).unwrap();
    app.press("home");
    (0..about_none).for_each(|_| drop(app.press("j")));
    assert!(!hints(&app).contains(&"go to the tensor"), "{:?}", hints(&app));
    app.press("enter");
    assert_eq!(app.session().screen, Screen::Model, "a problem of the file is about no tensor");
    assert!(app.notice().contains("no one tensor"));
}

#[test]
fn messages_of_the_interface_are_in_their_own_list() {
    let (mut app, _) = on(&talkative(), "");
    app.state.notify(tritscope::tui::state::Tone::Warning, "the printer is on fire");
    app.press("n");
    assert!(pages(&app).problems.list.iter().all(|p| !p.what.message.contains("printer")));
    app.press("end");
    assert_eq!(pages(&app).problems.cursor, pages(&app).problems.list.len() - 1, "nothing comes after the problems");
    app.press("N");
    assert!(matches!(app.state.dialog, Some(Dialog::Messages(_))));
    app.press("N");
    assert!(app.state.dialog.is_none());
}

#[test]
fn a_problem_that_only_names_a_tensor_leads_there_too() {
    let (mut app, _) = on(&talkative(), "n c");
    let found = [
        Diagnostic::file(Severity::Error, "odd", "see (blk.1.attn_q.weight): it is odd"),
        Diagnostic::file(Severity::Error, "other", "nothing.like.this.weight is odd"),
    ];
    app.send(Event::Job(JobEvent::Check { model: app.model(), event: CheckEvent::Done(found.to_vec()) }));
    let of = |app: &App, code: &str| pages(app).problems.list.iter().find(|p| p.what.code == code).unwrap().tensor;
    assert_eq!(of(&app, "odd"), Some(app.tensor("blk.1.attn_q.weight")));
    assert_eq!(of(&app, "other"), None);
}

#[test]
fn a_problem_that_names_several_tensors_leads_to_the_tree_of_these() {
    let (mut app, _) = on(&talkative(), "n c");
    let what = "2 tensors are odd: blk.0.attn_q.weight, blk.1.attn_q.weight, and nothing.like.this";
    let found = vec![Diagnostic::file(Severity::Error, "odd", what)];
    app.send(Event::Job(JobEvent::Check { model: app.model(), event: CheckEvent::Done(found) }));
    let at = pages(&app).problems.list.iter().position(|p| p.what.code == "odd").unwrap();
    app.press("home");
    (0..at).for_each(|_| drop(app.press("down")));
    app.press("enter");
    let session = app.session();
    assert_eq!(session.screen, Screen::Tensors);
    let shown: Vec<&str> = session
        .tree
        .rows()
        .iter()
        .filter_map(|row| session.tree.tensor_of(*row))
        .map(|tensor| session.model.tensors[tensor].name.as_str())
        .collect();
    assert_eq!(shown, ["blk.0.attn_q.weight", "blk.1.attn_q.weight"], "{}", session.filter.input.text());
    assert_eq!(app.selected(), "blk.0.attn_q.weight");
}

#[test]
fn a_nan_that_a_preview_met_is_a_problem_before_every_weight_is_checked() {
    let mut data = support::f16_bytes(&support::normals(256 * 64, 5));
    data[2 * 300..2 * 301].copy_from_slice(&half::f16::NAN.to_le_bytes());
    let tiny = dense().tensor("blk.0.ffn_down.weight", &[256, 64], tritscope::engine::codec::DType::F16, data);
    let (mut app, _) = on(&tiny, "L L n");
    let spoilt = |app: &App| {
        let found = pages(app).problems.list.iter().find(|p| p.what.code == "non-finite").cloned();
        found.map(|p| (p.tensor, p.what.severity, p.what.message))
    };
    assert_eq!(spoilt(&app), None, "nothing was looked at");
    app.serve();
    app.settle();
    let (tensor, severity, words) = spoilt(&app).unwrap();
    assert_eq!((tensor, severity), (Some(app.tensor("blk.0.ffn_down.weight")), Severity::Error));
    assert!(words.starts_with("element 300 is NaN"), "{words}");
    let told = Diagnostic::tensor(Severity::Error, "non-finite", "blk.0.ffn_down.weight", "1 of 16384 weights is NaN");
    app.send(Event::Job(JobEvent::Check { model: app.model(), event: CheckEvent::Done(vec![told]) }));
    let all = pages(&app).problems.list.iter().filter(|p| p.what.code == "non-finite").count();
    assert_eq!(all, 1, "the check says more of it: once is enough");
}

#[test]
fn a_tensor_that_the_filter_hides_is_gone_to_all_the_same() {
    let (mut app, _) = on(&talkative(), "/");
    app.type_text("attn_q");
    app.press("enter n");
    let at = pages(&app).problems.list.iter().position(|p| p.tensor.is_some()).unwrap();
    let name = pages(&app).problems.list[at].what.tensor.clone().unwrap();
    (0..at).for_each(|_| drop(app.press("j")));
    app.press("enter");
    assert_eq!(app.selected(), name);
}

#[test]
fn overridden_protections_have_a_line_each() {
    let (mut app, _) = on(&layered(), "i 6 a");
    app.type_text("blk.0.ffn_gate_inp.weight");
    app.press("enter n");
    let found: Vec<&str> = pages(&app).problems.list.iter().map(|p| p.what.code).collect();
    assert!(found.contains(&"overridden") || found.contains(&"missed"), "{found:?}");
}

#[test]
fn every_weight_is_checked_on_request_and_the_check_can_be_stopped() {
    let (mut app, _) = on(&talkative(), "n");
    let effects = app.press("c");
    assert!(matches!(&effects[..], [Effect::Check(model)] if Arc::ptr_eq(model, &app.model())), "{effects:?}");
    let event = |app: &mut App, event| app.send(Event::Job(JobEvent::Check { model: app.model(), event }));
    event(&mut app, CheckEvent::Moved(0.5));
    assert_eq!(pages(&app).problems.check, Check::Running(0.5));
    assert!(matches!(&app.press("c")[..], [Effect::StopCheck]));
    event(&mut app, CheckEvent::Stopped);
    assert_eq!(pages(&app).problems.check, Check::Stopped);
    app.press("c");
    let bad = Diagnostic::tensor(Severity::Error, "not-finite", "blk.1.attn_q.weight", "element 17 is NaN");
    event(&mut app, CheckEvent::Done(vec![bad]));
    let problems = &pages(&app).problems;
    let at = problems.list.iter().position(|p| p.what.code == "not-finite").unwrap();
    assert_eq!(problems.list[at].tensor, Some(app.tensor("blk.1.attn_q.weight")));
    assert!(app.notice().starts_with("every weight checked: 1 error"), "{}", app.notice());
    app.press("c");
    event(&mut app, CheckEvent::Failed("the disk is gone".to_owned()));
    assert!(app.notice().contains("the disk is gone"));
}

#[test]
fn rules_are_added_changed_moved_and_deleted_and_every_step_is_undone() {
    let (mut app, _) = on(&layered(), "i 6");
    let add = |app: &mut App, pattern: &str| {
        app.press("end a");
        app.type_text(pattern);
        app.press("enter");
    };
    add(&mut app, "blk.*.attn_q.weight");
    assert!(app.ternary("blk.1.attn_q.weight"));
    assert!(app.notice().contains("add rule") && app.notice().contains("+2 tensors"), "{}", app.notice());
    add(&mut app, "blk.0.*");
    app.press("space");
    assert!(!app.ternary("blk.0.attn_q.weight"), "the rule keeps now, and the last match wins");
    let hits = app.session().plan.plan().hits.clone();
    assert_eq!((hits[0].matched, hits[0].decided), (2, 1));
    assert_eq!((hits[1].matched, hits[1].decided), (5, 5));
    app.press("K");
    assert_eq!(
        (app.rules()[0].as_str(), pages(&app).recipe.cursor),
        ("Keep { precision: None } blk.0.*", 1),
        "it takes the cursor along"
    );
    assert!(app.ternary("blk.0.attn_q.weight"));
    app.press("K");
    assert!(app.notice().contains("no place further"));
    app.press("j d");
    assert_eq!(app.rules(), ["Keep { precision: None } blk.0.*"]);
    app.press("e ctrl-u");
    app.type_text("blk.1.*");
    app.press("enter");
    assert_eq!(app.rules(), ["Keep { precision: None } blk.1.*"]);
    for before in [1, 2, 2, 2, 1] {
        app.press("u");
        assert_eq!(app.recipe().rules.len(), before);
    }
    app.press("u");
    assert_eq!(app.recipe(), &Recipe::default());
    app.press("u ctrl-r ctrl-r");
    assert_eq!(app.recipe().rules.len(), 2);
}

#[test]
fn a_pattern_that_is_none_is_not_taken() {
    let (mut app, _) = on(&layered(), "i 6 a");
    app.type_text("re:(");
    app.press("enter");
    assert!(pages(&app).recipe.line.is_some() && app.recipe().rules.is_empty());
    assert!(app.notice().contains("regex"), "{}", app.notice());
    app.press("esc");
    assert!(pages(&app).recipe.line.is_none());
    app.press("a tab");
    app.type_text("role:attn");
    app.press("enter");
    assert_eq!(app.recipe().rules[0].action, Action::KEEP, "tab chose what it does");
}

#[test]
fn the_masks_line_changes_what_holds_for_all_and_rules_have_their_own() {
    let (mut app, _) = on(&layered(), "i 6");
    app.press("space");
    assert_eq!(app.recipe().layers, Mask::All);
    app.press("m");
    assert_ne!(app.recipe().method, Method::Exact);
    app.press("M f");
    assert_eq!(app.recipe().method, Method::Exact);
    assert_ne!(app.recipe().format, Format::Tq2_0);
    app.press("F d");
    assert!(app.notice().contains("cannot be deleted"));
    app.press("a");
    app.type_text("blk.0.attn_q.weight");
    app.press("enter m f");
    let Action::Ternary { format, method } = app.recipe().rules[0].action else { panic!("it keeps") };
    assert!(format.is_some() && method.is_some());
    app.press("space m");
    assert!(app.notice().contains("a rule that keeps has no method"));
    app.press("f f");
    assert_eq!(app.recipe().rules[0].to_string(), "blk.0.attn_q.weight=keep:f16", "a precision in its place");
}

#[test]
fn the_rule_under_the_cursor_is_copied_as_toml() {
    let (mut app, _) = on(&layered(), "i 6 a");
    app.type_text("blk.0.*");
    app.press("enter");
    assert_eq!(app.session().page_text().unwrap().trim(), "[[rule]]\nmatch = \"blk.0.*\"\naction = \"ternary\"");
    app.press("home");
    assert!(app.session().page_text().unwrap().contains("version = 1"));
}

#[test]
fn where_it_runs_follows_the_plan() {
    let (mut app, _) = on(&layered(), "i 7");
    let words = |app: &App| pages(app).derived.verdicts.iter().map(|v| v.words.clone()).collect::<Vec<_>>();
    let before = words(&app);
    app.press("L");
    assert_ne!(words(&app), before);
    app.press("end");
    assert!(app.session().page_text().unwrap().starts_with("ruvllm: "), "{:?}", app.session().page_text());
}

#[test]
fn the_mouse_chooses_tabs_and_rows() {
    let (mut app, mut reader) = on(&talkative(), "i 2");
    app.state.geometry.page_tabs = vec![(Area { x: 2, y: 1, width: 10, height: 1 }, Page::Recipe)];
    app.state.geometry.page_lines = app.model().metadata.len();
    let click = |app: &mut App, column, row| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        app.send(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    };
    click(&mut app, 5, 5);
    assert_eq!(pages(&app).metadata.cursor, 3);
    click(&mut app, 5, 5);
    assert!(pages(&app).metadata.opened, "a double click opens it");
    reader.press(&mut app, "esc");
    click(&mut app, 3, 1);
    assert_eq!(pages(&app).page, Page::Recipe);
}

#[test]
fn pasted_text_goes_into_the_line() {
    let (mut app, mut reader) = on(&talkative(), "i 2 /");
    app.send(Event::Paste("rope\nmore".to_owned()));
    assert_eq!(listed(&app), ["llama.rope.freq_base"]);
    reader.press(&mut app, "esc 5");
    app.send(Event::Paste("rope".to_owned()));
    assert!(!pages(&app).is_typing());
}

#[test]
fn what_is_under_the_cursor_is_copied() {
    let (mut app, mut reader) = on(&talkative(), "i 2 /");
    reader.type_text(&mut app, "rope");
    let copied = |effects: &[Effect]| match effects {
        [Effect::Copy(text)] => text.clone(),
        other => panic!("{other:?}"),
    };
    reader.press(&mut app, "enter");
    assert_eq!(copied(&app.press("y")), "10000.0");
    assert!(app.notice().starts_with("text under the cursor sent to the terminal's clipboard"), "{}", app.notice());
    reader.press(&mut app, "3");
    reader.press(&mut app, "j j");
    assert_eq!(copied(&app.press("y")), "Ġthe", "as the file has it");
    reader.press(&mut app, "4");
    assert_eq!(copied(&app.press("y")), TEMPLATE.replace('\t', "    "));
    reader.press(&mut app, "3 /");
    reader.type_text(&mut app, "no such token");
    reader.press(&mut app, "enter");
    assert!(app.press("y").is_empty());
    assert!(app.notice().contains("nothing under the cursor"));
}
