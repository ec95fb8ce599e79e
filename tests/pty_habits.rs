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

/// The screen without its last line, where messages come and go by the clock.
fn lasting(text: &str) -> String {
    text.trim_end().rsplit_once('\n').map_or_else(String::new, |(rest, _)| rest.to_owned())
}

#[test]
fn a_recording_that_is_played_ends_on_the_same_screen() {
    let folder = with_demo();
    let mut session = Session::start(folder.path(), &["demo.gguf", "--record", "tape.jsonl"]);
    session.wait_text("92.2 % ternary");
    session.send("L");
    session.wait_text("98.0 % ternary");
    session.send("ge");
    session.wait("exact figures of all", |shown| shown.parser.screen().contents().contains("all in full"));
    session.send("/");
    session.wait_text("filter");
    session.send("down");
    session.wait(" its matches", |shown| !shown.parser.screen().contents().contains("ffn_up_exps"));
    session.send("\r");
    // The wheel over the tree, and text that is pasted.
    session.send("\x1b[<65;10;10M");
    session.send("\x1b[<0;10;7M\x1b[<0;10;7m");
    session.send(":");
    session.wait_text("Commands");
    session.send("\x1b[200~theme light\x1b[201~");
    // A frame is whole when it is let go.
    session.wait("a whole frame", |shown| {
        shown.parser.screen().contents().contains("theme light") && shown.bytes.ends_with(b"\x1b[?2026l")
    });
    let process = session.process().to_string();
    let recorded = lasting(&session.text());
    assert!(std::process::Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    assert_eq!(session.end(), 143);
    let tape = std::fs::read_to_string(folder.path().join("tape.jsonl")).unwrap();
    assert!(
        tape.contains("\"key\":\"L\"")
            && tape.contains("wheel-down")
            && tape.contains("down-left")
            && tape.contains("\"paste\":\"theme light\"")
    );

    let mut session = Session::start(folder.path(), &["demo.gguf", "--replay", "tape.jsonl"]);
    session.wait("the same screen", |shown| lasting(&shown.parser.screen().contents()) == recorded);
    session.wait_text("the keyboard is yours");
    session.send("\x1b");
    session.wait_gone("theme light");
    session.send("q");
    assert_eq!(session.end(), 0);
    let refused = Session::start(folder.path(), &["demo.gguf", "--record", "tape.jsonl"]);
    refused.wait_text("exists; choose another file");
    assert_eq!(refused.end(), 2);
}

#[test]
fn a_recording_that_quits_leaves_its_last_screen_unless_it_may() {
    let folder = with_demo();
    let tape = "{\"tritscope\":\"0.1.0\",\"form\":1,\"size\":[80,24]}\n{\"at\":0.1,\"key\":\"S\"}\n{\"at\":0.2,\"key\":\"q\"}\n";
    std::fs::write(folder.path().join("tape.jsonl"), tape).unwrap();
    let mut session = Session::start(folder.path(), &["demo.gguf", "--replay", "tape.jsonl"]);
    session.wait_text("there it quit; the keyboard is yours");
    session.send("q");
    assert_eq!(session.end(), 0);
    let session = Session::start(folder.path(), &["demo.gguf", "--replay", "tape.jsonl", "--replay-quits"]);
    assert_eq!(session.end(), 0);
}

#[test]
fn a_folder_of_several_models_asks_which() {
    let folder = with_demo();
    std::fs::copy(folder.path().join("demo.gguf"), folder.path().join("other.gguf")).unwrap();
    let mut session = Session::start(folder.path(), &["."]);
    session.wait_text("other.gguf");
    session.send("\x03");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_key_ends_what_is_played() {
    let folder = with_demo();
    let head = "{\"tritscope\":\"0.1.0\",\"form\":1,\"size\":[80,24]}\n{\"at\":0.1,\"key\":\"?\"}\n{\"at\":600,\"key\":\"q\"}\n";
    std::fs::write(folder.path().join("tape.jsonl"), head).unwrap();
    let mut session = Session::start(
        folder.path(),
        &["demo.gguf", "--replay", "tape.jsonl", "--replay-speed", "1", "--log", "log.txt"],
    );
    session.wait_text("Main screen");
    session.send("q");
    session.wait_gone("Main screen");
    session.wait_text("92.2 % ternary");
    session.send("q");
    assert_eq!(session.end(), 0);
    let log = std::fs::read_to_string(folder.path().join("log.txt")).unwrap();
    assert!(log.contains("replay stopped after 1 events"), "{log}");
}

/// The colour of the title, which tells the themes apart.
fn title(session: &Session) -> vt100::Color {
    session.look(|shown| shown.parser.screen().cell(0, 1).unwrap().fgcolor())
}

#[test]
fn the_terminal_is_asked_for_its_background_and_a_flag_or_no_color_makes_that_needless() {
    let folder = with_demo();
    let asked = |session: &Session| session.look(|shown| shown.bytes.windows(5).any(|bytes| bytes == b"\x1b]11;"));
    let mut session = Session::start(folder.path(), &["demo.gguf"]);
    session.wait_text("all tensors");
    assert!(asked(&session));
    let dark = title(&session);
    // It answers late: none of the letters does what it does when it is typed, and the colours follow.
    session.send("\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    session.wait("light colours", |shown| shown.parser.screen().cell(0, 1).unwrap().fgcolor() != dark);
    session.wait_text("92.2 % ternary");
    session.wait_text("tensor ");
    session.send("q");
    assert_eq!(session.end(), 0);

    let setup = Setup::new(folder.path()).env("NO_COLOR", "1");
    for (setup, arguments) in
        [(&setup, &["demo.gguf"][..]), (&Setup::new(folder.path()), &["demo.gguf", "--theme", "light"])]
    {
        let mut session = setup.start(arguments);
        session.wait_text("all tensors");
        assert!(!asked(&session));
        assert_ne!(title(&session), dark);
        session.send("q");
        assert_eq!(session.end(), 0);
    }
}

#[test]
fn the_demo_begins_with_a_tour_until_that_was_taken_or_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::start(folder.path(), &["demo"]);
    session.wait_text("Tour");
    session.wait_text("go to a tensor with");
    session.send("j");
    session.wait_text("takes that back");
    session.send("K");
    session.wait_gone("skips it");
    session.send("q");
    assert_eq!(session.end(), 0);
    let mut session = Session::start(folder.path(), &["demo"]);
    session.wait_text("92.2 % ternary");
    assert!(!session.text().contains("Tour"));
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_terminal_that_is_closed_ends_the_program_and_nothing_is_lost() {
    let folder = with_demo();
    let mut session = Session::start(folder.path(), &["demo.gguf"]);
    session.wait_text("92.2 % ternary");
    session.send("L");
    session.wait_text("98.0 % ternary");
    assert_eq!(session.hang_up("?"), 128 + 1);
    assert!(kept(folder.path(), "panics").is_empty(), "no panic on the way out");
    let mut session = Session::start(folder.path(), &["demo.gguf"]);
    session.wait_text("98.0 % ternary");
    session.send("q");
    assert_eq!(session.end(), 0);
}

/// As GNU screen does: an ESC is held back and comes with the next key, and there is no alternate screen.
#[test]
fn in_gnu_screen_keys_come_whole_the_mouse_stays_and_no_frame_is_left() {
    let folder = with_demo();
    let setup = Setup::new(folder.path()).env("TERM", "screen").env("STY", "1.pts-0.host");
    let mut session = setup.start(&["demo.gguf"]);
    session.wait_text("92.2 % ternary");
    let mode = session.look(|shown| shown.parser.screen().mouse_protocol_mode());
    assert_eq!(mode, vt100::MouseProtocolMode::None);
    session.send("/attn_q");
    session.wait_text("4/8");
    session.send("\x1b\x1b[B");
    session.wait_text("8/18");
    assert!(!session.text().contains("free tensors"), "the last byte of the arrow is no key: {}", session.text());
    session.send("q");
    let position =
        |shown: &support_pty::Shown, bytes: &[u8]| shown.bytes.windows(bytes.len()).rposition(|w| w == bytes);
    session.wait("the end", |shown| position(shown, b"\x1b[?1049l").is_some());
    let (cleared, left) = session.look(|shown| (position(shown, b"\x1b[2J"), position(shown, b"\x1b[?1049l")));
    assert!(cleared.is_some_and(|at| Some(at) < left && left < Some(at + 40)), "{cleared:?} {left:?}");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_terminal_of_sixteen_colours_gets_no_more() {
    let folder = with_demo();
    let shown = |term: &str| {
        let mut session = Setup::new(folder.path()).env("TERM", term).start(&["demo.gguf"]);
        session.wait_text("92.2 % ternary");
        let colour = title(&session);
        session.send("q");
        assert_eq!(session.end(), 0);
        colour
    };
    assert_eq!(shown("xterm-16color"), vt100::Color::Idx(4));
    assert_eq!(shown("xterm-256color"), vt100::Color::Idx(110));
}
