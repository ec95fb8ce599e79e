//! In a real terminal: files come back as they were left, a log is written, and a panic leaves a report and a sane terminal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support_pty;

use std::path::{Path, PathBuf};

use support_pty::{Session, Setup, with_demo};
use tritscope::tui::{crash, journal, terminal};

/// Files of a folder below the state folder.
fn kept(folder: &Path, below: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("state/tritscope").join(below)).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_file_comes_back_as_it_was_left_unless_that_is_switched_off_or_broken() {
    let folder = with_demo();
    let mut session = Session::start(folder.path(), &["demo.gguf"]);
    session.wait_text("92.2 % ternary");
    session.send("L");
    session.wait_text("98.0 % ternary");
    session.send("q");
    assert_eq!(session.end(), 0);
    let files = kept(folder.path(), "files");
    assert_eq!(files.len(), 1, "{files:?}");

    let mut session = Session::start(folder.path(), &["demo.gguf"]);
    session.wait_text("98.0 % ternary");
    session.wait_text("u undoes the rules");
    session.send("u");
    session.wait_text("92.2 % ternary");
    session.send("\x12");
    session.wait_text("98.0 % ternary");
    session.send("\x03");
    assert_eq!(session.end(), 0);

    let mut session = Session::start(folder.path(), &["demo.gguf", "--no-restore"]);
    session.wait_text("92.2 % ternary");
    session.send("q");
    assert_eq!(session.end(), 0);

    std::fs::write(&files[0], "{\"version\": 1, \"cursor\": ").unwrap();
    let mut session = Session::start(folder.path(), &["demo.gguf", "--log", "log.txt"]);
    session.wait_text("92.2 % ternary");
    session.send("q");
    assert_eq!(session.end(), 0);
    let log = std::fs::read_to_string(folder.path().join("log.txt")).unwrap();
    assert!(log.contains("cannot be read, and is ignored"), "{log}");
}

#[test]
fn a_state_folder_that_cannot_be_written_stops_nothing() {
    let folder = with_demo();
    // A file where the folder should be: not even root can write into it.
    std::fs::write(folder.path().join("state"), "").unwrap();
    let mut session = Session::start(folder.path(), &["demo.gguf", "--log", "log.txt"]);
    session.wait_text("92.2 % ternary");
    session.send("L");
    session.wait_text("98.0 % ternary");
    session.send("q");
    assert_eq!(session.end(), 0);
    let log = std::fs::read_to_string(folder.path().join("log.txt")).unwrap();
    assert!(log.contains("not kept"), "{log}");
}

#[test]
fn the_log_tells_of_opening_keys_effects_and_errors_with_their_times() {
    let folder = with_demo();
    std::fs::write(folder.path().join("bad.gguf"), "not a model").unwrap();
    let mut session = Session::start(folder.path(), &["bad.gguf", "--log", "log.txt"]);
    session.wait_text("Cannot open this file");
    session.send("\r");
    session.wait_text("demo.gguf");
    session.send("demo\r");
    session.wait_text("92.2 % ternary");
    session.send("q");
    assert_eq!(session.end(), 0);
    let log = std::fs::read_to_string(folder.path().join("log.txt")).unwrap();
    for part in
        ["start   tritscope ", "bad.gguf failed: ", "key     enter", "effect  open ", "demo.gguf", "effect  quit, 0"]
    {
        assert!(log.contains(part), "{part} is not in\n{log}");
    }
    for line in log.lines() {
        assert!(line[..10].trim().parse::<f64>().is_ok(), "{line} begins with no time");
    }
    let refused = Session::start(folder.path(), &["demo.gguf", "--log", "no/such/folder/log"]);
    refused.wait_text("cannot create");
    assert_eq!(refused.end(), 4);
}

/// What the test below runs in a terminal of its own.
#[test]
#[ignore = "panics, as the test below wants it to"]
fn a_panic_with_the_terminal_taken() {
    let folder = std::env::var_os("TRITSCOPE_TEST_REPORTS").map(PathBuf::from);
    crash::install(folder);
    journal::start(None);
    journal::note("key", "ctrl-x");
    let mut screen = terminal::Screen::enter(true).unwrap();
    screen.draw(|_| panic!("a test of the hook")).unwrap();
}

#[test]
fn a_panic_gives_the_terminal_back_and_leaves_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("reports");
    let setup = Setup::new(folder.path()).size(200, 30).program(std::env::current_exe().unwrap());
    let setup = setup.env("TRITSCOPE_TEST_REPORTS", reports.to_str().unwrap());
    let session =
        setup.start(&["--exact", "a_panic_with_the_terminal_taken", "--ignored", "--nocapture", "--test-threads=1"]);
    session.wait_text("tritscope panicked: a test of the hook (tests/pty_habits.rs:");
    session.wait_text("A report that says more: ");
    assert_ne!(session.end(), 0, "the terminal is as it was");
    let path = std::fs::read_dir(reports.join("panics")).unwrap().next().unwrap().unwrap().path();
    let report = std::fs::read_to_string(path).unwrap();
    for part in [
        concat!("tritscope ", env!("CARGO_PKG_VERSION"), " panicked"),
        "message:  a test of the hook\n",
        "where:    tests/pty_habits.rs:",
        "key     ctrl-x",
        "backtrace:\n",
        "a_panic_with_the_terminal_taken",
    ] {
        assert!(report.contains(part), "{part} is not in\n{report}");
    }
}
