//! How a file was left: kept when it is left, put back when it is opened again, and never in the way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::sync::Arc;
use std::time::Duration;

use support_tui::{App, dense, layered};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::Mask;
use tritscope::jobs::JobEvent;
use tritscope::tui::effect::Effect;
use tritscope::tui::event::Event;
use tritscope::tui::state::memory::Memory;

/// The interface on a file that has just been opened, with what that causes.
fn opened() -> (App, Vec<Effect>) {
    let mut app = App::empty();
    app.state.settings.restore = true;
    let path = layered().write(app.folder.path());
    let effects = reopen(&mut app, &path);
    (app, effects)
}

fn reopen(app: &mut App, path: &std::path::Path) -> Vec<Effect> {
    tritscope::tui::update::begin(&mut app.state, path.to_owned());
    let model = Arc::new(Model::open(path, &OpenOptions::default()).unwrap());
    let mut effects = app.send(Event::Job(JobEvent::Opened { path: path.to_owned(), model: Ok(model) }));
    effects.extend(app.settle());
    effects
}

fn remembered(effects: &[Effect]) -> Option<&Memory> {
    effects.iter().find_map(|effect| if let Effect::Remember(_, memory) = effect { Some(&**memory) } else { None })
}

fn recalls(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Recall(_)))
}

/// Through the form that it is kept in.
fn kept(memory: &Memory) -> Box<Memory> {
    serde_json::from_str(&serde_json::to_string(memory).unwrap()).unwrap()
}

/// A second model, open in place of the first.
fn another(app: &mut App) {
    let folder = app.path("other");
    std::fs::create_dir_all(&folder).unwrap();
    let path = dense().write(&folder);
    reopen(app, &path);
    app.serve();
}

#[test]
fn what_was_measured_of_a_file_is_there_when_it_is_opened_again() {
    let (mut app, _) = opened();
    let path = app.model().path.clone();
    app.press("L");
    app.go("blk.0.");
    app.press("e");
    app.serve();
    let (tensor, format) = (app.tensor("blk.0.attn_q.weight"), app.recipe().format);
    let before = app.session().previews.figures((tensor, format)).unwrap().clone();
    assert!(before.exact);
    another(&mut app);
    reopen(&mut app, &path);
    let after = app.session().previews.figures((tensor, format)).unwrap();
    assert!(after.exact && after.methods.len() == before.methods.len());
    assert!(app.session().exact.contains(&tensor), "and what is still to be measured in full is");
    let wanted = |app: &App| app.wants().iter().any(|want| want.key.tensor == tensor);
    assert!(!wanted(&app), "nobody measures it again: {:?}", app.wants());
    // A file that was written in the meantime is another one.
    another(&mut app);
    let later = std::time::SystemTime::now() + Duration::from_secs(60);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    reopen(&mut app, &path);
    assert!(app.session().previews.figures((tensor, format)).is_none());
}

#[test]
fn figures_of_a_few_models_are_kept() {
    let (mut app, _) = opened();
    let path = app.model().path.clone();
    app.press("L");
    app.serve();
    let subject = (app.tensor("blk.0.attn_q.weight"), app.recipe().format);
    for others in 0..2 {
        for other in 0..4 * others {
            let folder = app.path(&other.to_string());
            std::fs::create_dir_all(&folder).unwrap();
            let other = dense().write(&folder);
            reopen(&mut app, &other);
            app.press("L");
            app.serve();
        }
        reopen(&mut app, &path);
        assert_eq!(app.session().previews.figures(subject).is_some(), others == 0, "four models are kept");
    }
}

#[test]
fn a_file_is_shown_as_it_was_left_and_u_undoes_the_rules() {
    let (mut app, effects) = opened();
    assert!(recalls(&effects));
    app.press("+");
    app.go("blk.1.attn_q.weight");
    app.press("space");
    let rules = app.rules();
    app.press("/");
    app.type_text("attn");
    app.press("enter");
    let rows: Vec<String> = app.rows().into_iter().map(str::to_owned).collect();
    let effects = app.press("q");
    let memory = remembered(&effects).expect("it is kept before the end");
    assert!(matches!(effects.last(), Some(Effect::Quit(_))));

    let (mut again, _) = opened();
    let before = again.recipe().clone();
    let model = again.model();
    again.send(Event::Recalled(model, kept(memory)));
    again.settle();
    assert_eq!(again.selected(), "blk.1.attn_q.weight");
    assert_eq!(again.rules(), rules);
    assert_eq!(again.rows(), rows);
    assert_eq!(again.session().filter.in_force(), "attn");
    assert_eq!(
        again.notice(),
        "as it was left: cursor, folds, filter, rules: u undoes the rules, which are one step now"
    );
    again.press("u");
    assert_eq!(again.recipe(), &before);
    assert!(again.notice().contains("undone: the rules of last time"), "{}", again.notice());
    // The folds from before the filter come back with it.
    again.press("esc");
    assert!(again.session().tree.open_folders().count() > 2);
}

#[test]
fn steps_can_be_undone_after_another_model_was_looked_at() {
    let (mut app, _) = opened();
    let path = app.model().path.clone();
    let before = app.recipe().clone();
    app.press("+");
    app.go("blk.1.attn_q.weight");
    app.press("space");
    app.go("blk.0.attn_q.weight");
    app.press("space");
    let both = app.recipe().clone();
    app.press("u");
    let one = app.recipe().clone();
    let next = app.session().plan.next_undo().map(str::to_owned);
    another(&mut app);
    let effects = reopen(&mut app, &path);
    assert!(recalls(&effects));
    let memory = Memory::of(app.session(), &before);
    let model = app.model();
    app.send(Event::Recalled(model, Box::new(memory)));
    app.settle();
    assert_eq!(app.recipe(), &one);
    assert_eq!(app.session().plan.next_undo(), next.as_deref());
    assert!(app.notice().ends_with("rules: u undoes them step by step"), "{}", app.notice());
    app.press("ctrl-r");
    assert_eq!(app.recipe(), &both);
    app.press("u");
    app.press("u");
    assert_eq!(app.recipe(), &before);
}

#[test]
fn a_file_that_was_left_alone_comes_back_without_a_word() {
    let (mut app, _) = opened();
    let effects = app.press("q");
    let memory = kept(remembered(&effects).unwrap());
    assert_eq!(memory.recipe, None);
    let (mut again, _) = opened();
    let model = again.model();
    again.send(Event::Recalled(model, memory));
    assert_eq!(again.notice(), "");
    assert_eq!(again.session().plan.next_undo(), None);
}

#[test]
fn edits_of_another_recipe_are_left_aside_and_what_was_done_meanwhile_stays() {
    let (mut app, _) = opened();
    app.press("L");
    let effects = app.press("q");
    let memory = remembered(&effects).unwrap();
    assert_eq!(memory.recipe.as_ref().map(|r| r.layers), Some(Mask::All));

    let mut other = App::empty();
    other.state.settings.restore = true;
    other.state.settings.recipe.layers = Mask::Custom;
    let path = layered().write(other.folder.path());
    reopen(&mut other, &path);
    let model = other.model();
    other.send(Event::Recalled(model, kept(memory)));
    assert_eq!(other.recipe().layers, Mask::Custom);

    let (mut quick, _) = opened();
    quick.press("space");
    let rules = quick.rules();
    let model = quick.model();
    quick.send(Event::Recalled(model, kept(memory)));
    assert_eq!(quick.rules(), rules);
}

#[test]
fn edits_are_kept_a_little_after_they_were_made() {
    let (mut app, _) = opened();
    app.pass(Duration::from_secs(10));
    assert!(remembered(&app.settle()).is_none(), "nothing has changed");
    app.press("L");
    let due = app.state.next_wake().expect("something is due");
    assert!(due <= app.state.now + Duration::from_secs(3));
    app.pass(Duration::from_secs(3));
    let effects = app.settle();
    assert_eq!(remembered(&effects).and_then(|m| m.recipe.as_ref()).map(|r| r.layers), Some(Mask::All));
    app.pass(Duration::from_secs(10));
    assert!(remembered(&app.settle()).is_none(), "once is enough");
}

#[test]
fn another_file_leaves_the_first_one_kept() {
    let (mut app, _) = opened();
    app.press("L");
    let path = app.model().path.clone();
    let effects = reopen(&mut app, &path);
    let kept = effects.iter().position(|e| matches!(e, Effect::Remember(..))).expect("the first is kept");
    let asked = effects.iter().position(|e| matches!(e, Effect::Recall(_))).expect("the second is looked up");
    assert!(kept < asked);
}

#[test]
fn nothing_is_kept_or_looked_up_where_that_is_not_wanted() {
    let mut app = App::empty();
    let path = layered().write(app.folder.path());
    assert!(!recalls(&reopen(&mut app, &path)));
    app.press("L");
    app.pass(Duration::from_secs(3));
    assert!(remembered(&app.settle()).is_none());
    assert!(remembered(&app.press("q")).is_none());
}
