//! The program in a real terminal: open, toggle, export, quit; and the terminal as it was before, whatever the way out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::TempDir;
use tritscope::engine::demo;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::ternary::Format;

const ROWS: u16 = 30;
const COLUMNS: u16 = 100;
/// Long enough for a debug build on a busy machine; nothing waits that long unless it fails.
const DEADLINE: Duration = Duration::from_secs(90);

/// What the terminal shows, and whether the program has closed it.
#[derive(Default)]
struct Shown {
    parser: vt100::Parser,
    closed: bool,
}

/// The program in a terminal.
struct Session {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    modes: String,
}

impl Session {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        let modes = format!("{:?}", pty.master.get_termios().unwrap());
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tritscope"));
        command.args(arguments);
        command.cwd(folder);
        command.env("HOME", folder);
        command.env("XDG_STATE_HOME", folder.join("state"));
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let shown = Shown {
            parser: vt100::Parser::new(ROWS.try_into().unwrap(), COLUMNS.try_into().unwrap(), 0),
            closed: false,
        };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let mut output = pty.master.try_clone_reader().unwrap();
        let theirs = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Linux ends a terminal that nobody holds any more with an error, others with nothing.
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                theirs.0.lock().unwrap().parser.process(&buffer[..n]);
                theirs.1.notify_all();
            }
            theirs.0.lock().unwrap().closed = true;
            theirs.1.notify_all();
        });
        Self { keys: pty.master.take_writer().unwrap(), master: pty.master, child, shown, modes }
    }

    fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the terminal is as wanted.
    fn wait(&self, what: &str, wanted: impl Fn(&Shown) -> bool) {
        let (lock, changed) = &*self.shown;
        let end = Instant::now() + DEADLINE;
        let mut shown = lock.lock().unwrap();
        while !wanted(&shown) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what} in vain; the screen:\n{}", shown.parser.screen().contents());
            shown = changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    fn wait_text(&self, text: &str) {
        self.wait(text, |shown| shown.parser.screen().contents().contains(text));
    }

    /// Waits for the program's end; its exit code. The terminal must be as it was.
    fn end(mut self) -> u32 {
        let code = self.child.wait().unwrap().exit_code();
        let modes = format!("{:?}", self.master.get_termios().unwrap());
        assert_eq!(modes, self.modes, "raw mode is left");
        drop(self.master);
        drop(self.keys);
        let (lock, changed) = &*self.shown;
        let mut shown = lock.lock().unwrap();
        let end = Instant::now() + DEADLINE;
        while !shown.closed && shown.parser.screen().alternate_screen() && Instant::now() < end {
            shown = changed.wait_timeout(shown, Duration::from_millis(200)).unwrap().0;
        }
        let screen = shown.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "pasting is as before");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is given back");
        code
    }
}

fn with_demo() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    demo::write(&folder.path().join("demo.gguf")).unwrap();
    folder
}

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

#[test]
fn a_signal_restores_the_terminal_and_gives_its_code() {
    let folder = with_demo();
    let session = Session::start(folder.path(), &["demo.gguf"]);
    session.wait_text("all tensors");
    let id = session.child.process_id().unwrap().to_string();
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
