//! Whole sittings in a terminal: from opening a model to comparing what was written with it, and terminals of other kinds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support_pty;

use support_pty::{Session, Setup, with_demo};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::ternary::Format;

/// Types these one after another, each when the screen shows what comes with it.
fn walk(session: &mut Session, steps: &[(&str, &str)]) {
    for (keys, answer) in steps {
        session.send(keys);
        session.wait_text(answer);
    }
}

#[test]
fn a_whole_sitting() {
    let folder = with_demo();
    let mut session = Setup::new(folder.path()).size(120, 40).start(&["demo.gguf"]);
    session.wait_text("92.2 % ternary");
    // A filter, and what it shows of the model.
    walk(&mut session, &[("/", "filter"), ("role:expert layer:0..1", "6 of 33"), ("\r", "/ role:expert layer:0..1")]);
    // A range of two of its rows is kept; that is taken back, done again, and taken back.
    walk(&mut session, &[("G", "10/10"), ("k", "9/10"), ("v", "selecting"), ("j", "2 selected")]);
    walk(
        &mut session,
        &[(" ", "keep 2 tensors selected: -2 tensors"), ("u", "undone: keep 2"), ("\x12", "redone: keep 2")],
    );
    walk(&mut session, &[("u", "92.2 % ternary")]);
    session.send("\x1b");
    session.wait_gone("2 selected");
    walk(&mut session, &[("\x1b", "/28")]);
    // A budget: every figure comes in, a size is typed and accepted.
    walk(&mut session, &[("B", "21 of 21 free ternary"), ("6.5", "18 of 21 free")]);
    walk(&mut session, &[("\r", "u takes it back")]);
    // Another method for one tensor.
    walk(&mut session, &[("g", "1/28"), ("jjj", "blk.0.attn_k.weight"), ("4", "4 Methods"), ("\r", "esc: tree")]);
    walk(&mut session, &[("k", "twn at 256"), ("\r", "for the model"), ("t", "twn tq2_0 for blk.0.attn_k.weight")]);
    // It is written in the background while the tree is walked through.
    session.send("\x1b");
    session.wait_gone("esc: tree");
    walk(&mut session, &[("Q", "[ Start ]"), ("\r", "4/28"), ("G", "28/28"), ("g", "1/28")]);
    session.wait_text("written and checked (hash)");
    // The result beside its source: what stayed is equal, what went ternary differs.
    walk(
        &mut session,
        &[("J", "18 of 33 tensors"), ("C", "d differ 17  e equal 16  m missing 0  t type 18"), ("q", "")],
    );
    assert_eq!(session.end(), 0);

    let model = Model::open(&folder.path().join("demo-ternary-tq2_0.gguf"), &OpenOptions::default()).unwrap();
    let ternary: Vec<_> = model.tensors.iter().filter(|t| t.dtype == Format::Tq2_0.dtype()).collect();
    assert_eq!(ternary.len(), 18);
    assert!(ternary.iter().any(|t| t.name == "blk.0.attn_k.weight"));
}

#[test]
fn a_terminal_that_is_resized_while_the_program_works() {
    let folder = with_demo();
    let mut session = Setup::new(folder.path()).size(120, 40).start(&["demo.gguf"]);
    session.wait_text("92.2 % ternary");
    walk(&mut session, &[("jjj", "7.27"), ("Q", "[ Start ]"), ("\r", "tritscope")]);
    for (columns, rows) in [(80, 24), (200, 60), (61, 18), (137, 33), (100, 30)] {
        session.resize(columns, rows);
        session.wait(&format!("{columns} columns"), |shown| {
            let screen = shown.parser.screen();
            let at = |row, column| screen.cell(row, column).map(|cell| cell.contents().to_owned());
            at(1, columns - 1).as_deref() == Some("╮") && at(rows - 1, 1).is_some_and(|text| text != " ")
        });
    }
    session.resize(20, 5);
    session.wait_text("too small");
    session.resize(100, 30);
    // Keys do nothing until there is something to be seen.
    session.wait_text("Overview");
    walk(&mut session, &[("J", "read back and equal"), ("\x03", "")]);
    assert_eq!(session.end(), 0);
}

/// Goes through what there is to see: every tab of the preview, the model's pages, the screens for deciding, a dialog; calls
/// `check` at each. Ends the program.
fn tour(mut session: Session, check: impl Fn(&Session, &str)) {
    session.wait_text("92.2 % ternary");
    session.wait_text("#0");
    for (tab, name) in [
        ("2", "outlier"),
        ("3", "skew"),
        ("4", "whole"),
        ("5", "rows"),
        ("6", "threshold"),
        ("7", "blocks"),
        ("8", "offset"),
    ] {
        walk(&mut session, &[(tab, name)]);
        check(&session, name);
    }
    for (keys, answer) in
        [("1i", "Where the bytes go"), ("2", "general.architecture"), ("7", "llama.cpp"), ("1", "parameters")]
    {
        walk(&mut session, &[(keys, answer)]);
        check(&session, answer);
    }
    walk(&mut session, &[("i", "all tensors"), ("S", "21 of 21 eligible tensors measured")]);
    check(&session, "sensitivity");
    walk(&mut session, &[("S", "SQNR"), ("?", "Help")]);
    check(&session, "help");
    session.send("\x03");
    assert_eq!(session.end(), 0);
}

/// Every cell's colours.
fn colours(session: &Session) -> Vec<vt100::Color> {
    session.look(|shown| {
        let (rows, columns): (u16, u16) = {
            let (r, c) = shown.parser.screen().size();
            (r.into(), c.into())
        };
        let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let cells = cells.filter_map(|(row, column)| shown.parser.screen().cell(row, column));
        cells.flat_map(|cell| [cell.fgcolor(), cell.bgcolor()]).collect()
    })
}

#[test]
fn sixteen_colours_are_enough() {
    let folder = with_demo();
    let setup = Setup::new(folder.path()).size(120, 40).env("TERM", "xterm-16color");
    tour(setup.start(&["demo.gguf", "--theme", "16"]), |session, what| {
        let colours = colours(session);
        let foreign = colours.iter().find(|c| !matches!(c, vt100::Color::Default | vt100::Color::Idx(0..16)));
        assert_eq!(foreign, None, "{what}: {}", session.text());
        assert!(colours.iter().any(|c| *c != vt100::Color::Default), "{what} is in colour");
    });
}

#[test]
fn ascii_is_enough() {
    let folder = with_demo();
    tour(Setup::new(folder.path()).size(120, 40).start(&["demo.gguf", "--ascii"]), |session, what| {
        let text = session.text();
        let foreign = text.chars().find(|c| !c.is_ascii());
        assert_eq!(foreign, None, "{what}: {text}");
        // One of the demo's tensors loses nothing, which is no figure.
        assert!(what != "sensitivity" || text.contains("inf"), "{text}");
    });
}

#[test]
fn without_colours_nothing_has_one() {
    let folder = with_demo();
    tour(Setup::new(folder.path()).size(120, 40).env("NO_COLOR", "1").start(&["demo.gguf"]), |session, what| {
        assert!(colours(session).iter().all(|c| *c == vt100::Color::Default), "{what}: {}", session.text());
    });
}

/// `NO_COLOR` wins over the file; a flag and a key win over it, and then there are colours.
#[test]
fn no_color_is_obeyed_until_colours_are_asked_for() {
    let folder = with_demo();
    let config = folder.path().join("config/tritscope");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("config.toml"), "theme = \"dark\"\n").unwrap();
    let setup = Setup::new(folder.path()).env("NO_COLOR", "1");
    let coloured = |shown: &support_pty::Shown| {
        let screen = shown.parser.screen();
        (0..100).any(|column| screen.cell(0, column).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default))
    };
    let mut session = setup.start(&["demo.gguf"]);
    session.wait_text("92.2 % ternary");
    assert!(!session.look(coloured));
    let marked = session.look(|shown| {
        let screen = shown.parser.screen();
        (1..29).any(|row| (2..12).all(|column| screen.cell(row, column).is_some_and(|c| c.inverse() || c.bold())))
    });
    assert!(marked, "the row under the cursor is seen: {}", session.text());
    session.send("T");
    session.wait("colours", coloured);
    session.send("q");
    assert_eq!(session.end(), 0);
    let mut session = setup.start(&["demo.gguf", "--theme", "dark"]);
    session.wait_text("92.2 % ternary");
    session.wait("colours", coloured);
    session.send("q");
    assert_eq!(session.end(), 0);
}

/// A terminal that says nothing, as over a slow line: the screen is cleared and drawn anew, and nothing is asked.
#[test]
fn redrawing_waits_for_no_answer() {
    let folder = with_demo();
    let mut session = Setup::new(folder.path()).start(&["demo.gguf"]);
    session.wait_text("92.2 % ternary");
    let count =
        |shown: &support_pty::Shown, what: &[u8]| shown.bytes.windows(what.len()).filter(|w| *w == what).count();
    let (clear, ask) = (b"\x1b[2J", b"\x1b[6n");
    let cleared = session.look(|shown| count(shown, clear));
    session.send("\x0c");
    session.wait("a screen drawn anew", |shown| {
        count(shown, clear) == cleared + 1 && shown.parser.screen().contents().contains("92.2 % ternary")
    });
    assert_eq!(session.look(|shown| count(shown, ask)), 0);
    session.send("q");
    assert_eq!(session.end(), 0);
}
