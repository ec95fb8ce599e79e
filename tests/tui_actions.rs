//! Every action in every place where it has a key: messages in, state and effects out. What has a key must do something
//! there, and what that is stands in a snapshot (`what_commands_do`): the parts of the state that change, what is said, and the
//! effects. What has no key in a place must do no harm.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::collections::{BTreeMap, BTreeSet};

use support_tui::beside::{Upto, beside};
use support_tui::exports::{queue, run};
use support_tui::pages::{Reader, talkative};
use support_tui::shoot::{LARGE, SMALL, compare_text, render};
use support_tui::told::change;
use support_tui::{App, layered};
use tritscope::jobs::JobEvent;
use tritscope::tui::action::Action;
use tritscope::tui::effect::Effect;
use tritscope::tui::event::{Event, Msg};
use tritscope::tui::keymap::Context;
use tritscope::tui::state::State;
use tritscope::tui::state::picker::Entry;
use tritscope::tui::theme::Theme;
use tritscope::tui::update;

const QUERY: &str = "blk.0.attn_q.weight";
const EXPERTS: &str = "blk.0.ffn_up_exps.weight";

/// A model of which everything in sight is measured, with a step to undo and one to do again.
fn edited() -> App {
    let mut app = App::on(&layered());
    app.press("L");
    render(&mut app, SMALL, &Theme::dark());
    app.serve();
    app.go(QUERY);
    app.press("m f u");
    app
}

/// After these keys, drawn once so that the update knows what is where, with the cursor on a tensor.
fn after(tensor: &str, keys: &str) -> App {
    let mut app = edited();
    app.go(tensor);
    if !keys.is_empty() {
        app.press(keys);
    }
    app.serve();
    render(&mut app, SMALL, &Theme::dark());
    app
}

/// The same with text typed and the cursor in the middle of it.
fn typed(keys: &str, text: &str) -> App {
    let mut app = after(QUERY, keys);
    app.type_text(text);
    app.press("left");
    render(&mut app, SMALL, &Theme::dark());
    app
}

/// The model's pages, with what they ask for read.
fn page(keys: &str) -> App {
    let (mut app, mut reader) = (App::on(&talkative()), Reader::default());
    app.go(QUERY);
    app.press("space");
    app.go(EXPERTS);
    app.press("space m u");
    reader.press(&mut app, keys);
    for _ in 0..2 {
        render(&mut app, SMALL, &Theme::dark());
        let asked = app.settle();
        reader.serve(&mut app, asked);
    }
    app
}

fn exporting(keys: &str) -> App {
    let mut app = edited();
    queue(&mut app, 1, "first.gguf");
    queue(&mut app, 2, "second.gguf");
    run(&mut app, 1);
    app.press(keys);
    render(&mut app, SMALL, &Theme::dark());
    app
}

fn picker() -> App {
    let mut app = App::empty();
    app.send(Event::Recent(vec!["/models/a.gguf".into()]));
    update::open_picker(&mut app.state);
    let folder = app.folder.path().to_owned();
    let entry = |name: &str, folder| Entry { name: name.to_owned(), folder, bytes: 1 };
    app.show_folder(&folder, vec![entry("models", true), entry("b.gguf", false), entry("c.gguf", false)]);
    app.press("down down");
    render(&mut app, SMALL, &Theme::dark());
    app
}

fn failure() -> App {
    let mut app = App::empty();
    let path = app.path("model.gguf");
    update::begin(&mut app.state, path.clone());
    app.send(Event::Job(JobEvent::Opened { path, model: Err("bad magic".to_owned()) }));
    app
}

fn compared(keys: &str) -> App {
    let mut app = edited();
    beside(&mut app, &layered().normal("blk.1.more.weight", &[256, 4], 9), Upto::Done);
    app.press(keys);
    render(&mut app, SMALL, &Theme::dark());
    app
}

/// States in which each context has the keys: enough of them that every key has something to do in one.
fn places() -> Vec<App> {
    let mut places = vec![App::empty(), picker(), failure()];
    let mut path = picker();
    path.type_text("ab");
    places.push(path);
    let mut opening = App::empty();
    let path = opening.path("model.gguf");
    update::begin(&mut opening.state, path);
    places.push(opening);
    for (tensor, keys) in [
        (QUERY, ""),
        ("blk.0.", ""),
        ("blk.1.ffn_up_exps.weight", "v up"),
        (EXPERTS, "> >"),
        (QUERY, "z"),
        (QUERY, "2 ["),
    ] {
        places.push(after(tensor, keys));
    }
    places.push(typed("/", "attn"));
    let mut completing = after(QUERY, "/");
    completing.type_text("rol");
    places.push(completing);
    for tab in ["1", "2", "3", "7", "8"] {
        places.push(after(QUERY, &format!("enter {tab} down")));
    }
    places.push(after(QUERY, "enter 2 ["));
    let mut long = after(QUERY, "enter 8");
    render(&mut long, (60, 16), &Theme::dark());
    long.press("pgdn");
    render(&mut long, (60, 16), &Theme::dark());
    places.push(long);
    let mut top = after(QUERY, "enter 8");
    render(&mut top, (60, 16), &Theme::dark());
    places.push(top);
    places.push(after(QUERY, "6 enter pgdn"));
    places.push(after(QUERY, "6 enter down down"));
    places.push(after(QUERY, "4 enter up left"));
    places.push(after(QUERY, "4 enter down right"));
    places.push(after(EXPERTS, "5 enter + + down down"));
    places.push(after("blk.0.attn_v.weight", "5 enter right right v"));
    places.push(after(QUERY, "c down"));
    places.push(after("blk.0.attn_v.weight", "5 enter"));
    places.push(after(EXPERTS, "5 enter x right"));
    for keys in ["5 enter x s", "5 enter x s right right"] {
        let mut tiles = after(EXPERTS, keys);
        // Two lines of two.
        tiles.state.geometry.pane.width = 26;
        places.push(tiles);
    }
    places.push(after(EXPERTS, "5 enter down down pgdn"));
    places.push(typed("5 enter g", "12"));
    places.push(after(QUERY, "4 enter enter"));
    for number in 1..=7 {
        places.push(page(&format!("i {number} down down")));
    }
    places.push(page("i 2 down down end"));
    let mut value = page("i 2 down down");
    value.press("enter");
    places.push(value);
    let mut searched = page("i 2 /");
    searched.type_text("ggml");
    render(&mut searched, SMALL, &Theme::dark());
    searched.press("down down");
    places.push(searched);
    places.push(page("i 3 pgdn pgdn"));
    places.push(page("i 4 down pgdn"));
    places.push(page("i 6 down"));
    for keys in ["i 2 /", "i 3 /", "i 6 e", "i 6 a"] {
        let mut app = page(keys);
        app.type_text("a bc");
        app.press("left");
        places.push(app);
    }
    let mut notes = App::empty();
    for n in 0..40 {
        notes.state.notify(tritscope::tui::state::Tone::Info, format!("note {n}"));
    }
    notes.press("n");
    render(&mut notes, SMALL, &Theme::dark());
    notes.press("down down");
    places.push(notes);
    places.extend(["J", "J down", "q", "J l"].into_iter().map(exporting));
    places.extend(["Q down", "Q", "p down", "p", "c down", "c"].into_iter().map(|keys| after(QUERY, keys)));
    places.push(typed("s ctrl-u", "a b"));
    places.push(typed("y w ctrl-u", "a b"));
    places.push(typed("p end enter", "a b"));
    places.extend(vec![after("blk.1.", "B H"), after(QUERY, "B home"), after(QUERY, "B H tab")]);
    let mut number = after(QUERY, "B");
    number.type_text("12");
    places.push(number);
    places.extend([after(QUERY, "S"), after("blk.1.attn_v.weight", "S down")]);
    places.push(typed("S W ctrl-u", "a b"));
    places.extend(vec![compared("down down"), compared("d"), compared("a end")]);
    places.extend(vec![typed(":", "go"), after(QUERY, ": down down pgdn"), after(QUERY, "y down")]);
    let mut help = after(QUERY, "?");
    help.press("down down");
    places.extend([help, typed("? /", "ab")]);
    let mut found = after(QUERY, "? /");
    found.type_text("the");
    render(&mut found, SMALL, &Theme::dark());
    found.press("down down");
    places.push(found);
    places
}

/// Everything that is remembered, but for what is only asked for anew.
fn memory(state: &State) -> String {
    format!("{state:?}")
}

/// What an action does: the state after it, whether anything came of it, and the effects.
fn act(before: &State, action: Action) -> (State, bool, Vec<Effect>) {
    let mut state = before.clone();
    state.wants_changed = true;
    let was = memory(&state);
    let effects = update::act(&mut state, action);
    state.wants_changed = true;
    let did = !effects.is_empty() || memory(&state) != was;
    (state, did, effects)
}

#[test]
fn every_command_does_what_is_told_of_it() {
    let places = places();
    let reached: BTreeSet<&str> = places.iter().map(|app| Context::of(&app.state).name()).collect();
    let missing: Vec<&str> = Context::ALL.iter().map(|c| c.name()).filter(|name| !reached.contains(name)).collect();
    assert!(missing.is_empty(), "no state of these tests has {missing:?}");
    let mut idle = BTreeSet::new();
    let mut useful = BTreeSet::new();
    // What each does in the first place where it does something that is told.
    let mut told: BTreeMap<(usize, usize), (&str, &str, String)> = BTreeMap::new();
    for app in &places {
        let context = Context::of(&app.state);
        for (at, bound) in app.state.settings.keymap.of(context).enumerate() {
            let (after, did, effects) = act(&app.state, bound.action);
            let name = (context.name(), bound.action.name());
            let order = (Context::ALL.iter().position(|other| *other == context).unwrap(), at);
            if told.get(&order).is_none_or(|(_, _, words)| words.is_empty()) {
                let folder = app.folder.path().to_str().unwrap();
                told.insert(order, (name.0, name.1, change(&app.state, &after, &effects).replace(folder, "~")));
            }
            if did {
                useful.insert(name)
            } else {
                idle.insert(name)
            };
        }
    }
    let never: Vec<_> = idle.difference(&useful).collect();
    assert!(never.is_empty(), "these do nothing anywhere: {never:?}");
    let untold: Vec<_> = told.values().filter(|(_, _, words)| words.is_empty()).map(|told| (told.0, told.1)).collect();
    assert!(untold.is_empty(), "of these it is not told what they do: {untold:?}");
    let lines: Vec<String> =
        told.values().map(|(context, name, words)| format!("{context} {name}\n    {words}")).collect();
    compare_text("what_commands_do", &lines.join("\n"));
}

#[test]
fn no_action_panics_where_it_has_no_key() {
    let actions: Vec<Action> = {
        let keymap = App::empty().state.settings.keymap;
        let mut actions: Vec<Action> = Vec::new();
        for bound in keymap.bindings() {
            if !actions.contains(&bound.action) {
                actions.push(bound.action);
            }
        }
        actions
    };
    assert!(actions.len() > 120, "{}", actions.len());
    for app in &mut places() {
        let kept = app.state.clone();
        for action in &actions {
            let mut state = kept.clone();
            update::act(&mut state, *action);
            let at = state.now;
            update::update(&mut state, Msg { at, event: Event::Settle });
            app.state = state;
            // One size a round is enough to see that what came of it can be drawn.
            let size = if action.name().len() % 2 == 0 { SMALL } else { LARGE };
            render(app, size, &Theme::dark());
        }
        app.state = kept;
    }
}
