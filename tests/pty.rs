//! The program in a real terminal: open, toggle, export, quit; and the terminal as it was before, whatever the way out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support_pty;

use support_pty::{Session, Setup, with_demo};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::ternary::Format;

#[test]
fn a_session_toggles_exports_and_quits() {
    let folder = with_demo();
    let mut session = Session::start(folder.path(), &["demo.gguf"]);
    session.wait_text("92.2 % ternary");
    session.wait_text("SQNR");
    session.send(" ");
    session.wait_text("keep blk.0.ffn_down_exps.weight");
    session.send("u");
    session.wait_text("undone: keep blk.0.ffn_down_exps.weight");
    session.wait_text("92.2 % ternary");
    session.send("L");
    session.wait_text("98.0 % ternary");
    session.send("Q");
    session.wait_text("demo-ternary-tq2_0.gguf");
    session.wait_text("[ Start ]");
    session.send("\r");
    session.wait_text("written and checked (hash)");
    session.send("q");
    assert_eq!(session.end(), 0);

    let out = folder.path().join("demo-ternary-tq2_0.gguf");
    let model = Model::open(&out, &OpenOptions::default()).unwrap();
    assert!(model.diagnostics.is_empty(), "{:?}", model.diagnostics);
    let ternary = model.tensors.iter().filter(|t| t.dtype == Format::Tq2_0.dtype()).count();
    assert_eq!(ternary, 21);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("partial")), "{left:?}");
    let recent = std::fs::read_to_string(folder.path().join("state/tritscope/recent")).unwrap();
    assert!(recent.contains("demo.gguf"), "{recent}");
}

#[test]
fn the_demo_opens_and_ctrl_c_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::start(folder.path(), &["demo"]);
    session.wait_text("demo.gguf");
    session.wait_text("all tensors");
    session.send("\x03");
    assert_eq!(session.end(), 0);
}

/// Whatever it is doing when it is asked to end, be it that the model is not even written.
#[test]
fn a_signal_leaves_nothing_of_the_demo() {
    for (signal, code) in [("-TERM", 143), ("-HUP", 129)] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("tmp");
        std::fs::create_dir(&place).unwrap();
        let session = Setup::new(folder.path()).env("TMPDIR", place.to_str().unwrap()).start(&["demo"]);
        let entries = || std::fs::read_dir(&place).unwrap().count();
        while entries() == 0 {
            std::thread::yield_now();
        }
        let id = session.process().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!((session.end(), entries()), (code, 0), "{signal}");
    }
}

#[test]
fn a_signal_restores_the_terminal_and_gives_its_code() {
    let folder = with_demo();
    let session = Session::start(folder.path(), &["demo.gguf"]);
    session.wait_text("all tensors");
    let id = session.process().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(session.end(), 143);
}

#[test]
fn a_file_that_cannot_be_opened_is_reported_on_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.gguf"), "not a model").unwrap();
    let mut session = Session::start(folder.path(), &["bad.gguf"]);
    session.wait_text("Cannot open this file");
    session.send("\r");
    session.wait_text("Open a model");
    session.wait_text("bad.gguf");
    session.send("\x03");
    assert_eq!(session.end(), 0);
}
