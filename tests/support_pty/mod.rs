//! The program in a real terminal, for tests: a pty, and what a terminal of a given size shows of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]
#![allow(dead_code, reason = "no test needs all of it")]

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::TempDir;
use tritscope::engine::demo;

/// Long enough for a debug build on a busy machine; nothing waits that long unless it fails.
const DEADLINE: Duration = Duration::from_secs(90);

/// What the terminal shows, and whether the program has closed it.
#[derive(Default)]
pub struct Shown {
    /// The terminal.
    pub parser: vt100::Parser,
    /// Every byte that the program wrote.
    pub bytes: Vec<u8>,
    closed: bool,
}

/// How the program is started.
pub struct Setup<'a> {
    folder: &'a Path,
    size: (u16, u16),
    environment: Vec<(&'a str, &'a str)>,
    program: PathBuf,
}

/// The program in a terminal.
pub struct Session {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    modes: String,
    reader: JoinHandle<()>,
    deaf: Arc<AtomicBool>,
}

impl<'a> Setup<'a> {
    /// A terminal of 100 columns and 30 rows with 256 colours; state and configuration lie in `folder`.
    pub fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            size: (100, 30),
            environment: vec![("TERM", "xterm-256color")],
            program: env!("CARGO_BIN_EXE_tritscope").into(),
        }
    }

    /// Another size, columns and rows.
    pub fn size(mut self, columns: u16, rows: u16) -> Self {
        self.size = (columns, rows);
        self
    }

    /// A variable of the environment; the last one with a name counts.
    pub fn env(mut self, name: &'a str, value: &'a str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Another program.
    pub fn program(mut self, path: PathBuf) -> Self {
        self.program = path;
        self
    }

    /// Starts the program.
    pub fn start(&self, arguments: &[&str]) -> Session {
        let pty = native_pty_system().openpty(pty_size(self.size.0, self.size.1)).unwrap();
        let modes = format!("{:?}", pty.master.get_termios().unwrap());
        let mut command = CommandBuilder::new(&self.program);
        command.args(arguments);
        command.cwd(self.folder);
        for name in ["NO_COLOR", "COLORTERM", "TMUX", "STY", "SSH_TTY"] {
            command.env_remove(name);
        }
        command.env("HOME", self.folder);
        command.env("XDG_STATE_HOME", self.folder.join("state"));
        command.env("XDG_CONFIG_HOME", self.folder.join("config"));
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let shown =
            Shown { parser: vt100::Parser::new(nonzero(self.size.1), nonzero(self.size.0), 0), ..Shown::default() };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let mut output = pty.master.try_clone_reader().unwrap();
        let theirs = Arc::clone(&shown);
        let deaf = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&deaf);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Linux ends a terminal that nobody holds any more with an error, others with nothing.
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                let mut shown = theirs.0.lock().unwrap();
                shown.parser.process(&buffer[..n]);
                shown.bytes.extend_from_slice(&buffer[..n]);
                drop(shown);
                theirs.1.notify_all();
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
            theirs.0.lock().unwrap().closed = true;
            theirs.1.notify_all();
        });
        Session { keys: pty.master.take_writer().unwrap(), master: pty.master, child, shown, modes, reader, deaf }
    }
}

fn pty_size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn nonzero(n: u16) -> NonZero<u16> {
    n.try_into().unwrap()
}

impl Session {
    /// The program in a terminal as [`Setup::new`] has it.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        Setup::new(folder).start(arguments)
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.shown.0.lock().unwrap().parser.screen_mut().set_size(nonzero(rows), nonzero(columns));
        self.master.resize(pty_size(columns, rows)).unwrap();
    }

    /// The number of the process.
    pub fn process(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Looks at what is shown.
    pub fn look<T>(&self, look: impl FnOnce(&Shown) -> T) -> T {
        look(&self.shown.0.lock().unwrap())
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.look(|shown| shown.parser.screen().contents())
    }

    /// Waits until the terminal is as wanted.
    pub fn wait(&self, what: &str, wanted: impl Fn(&Shown) -> bool) {
        let (lock, changed) = &*self.shown;
        let end = Instant::now() + DEADLINE;
        let mut shown = lock.lock().unwrap();
        while !wanted(&shown) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let screen = shown.parser.screen().contents();
                // The thread that reads needs the lock.
                drop(shown);
                panic!("waited for {what} in vain; the screen:\n{screen}");
            }
            shown = changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Waits until the screen has this text.
    pub fn wait_text(&self, text: &str) {
        self.wait(text, |shown| shown.parser.screen().contents().contains(text));
    }

    /// Waits until the screen has this text no more.
    pub fn wait_gone(&self, text: &str) {
        self.wait(&format!("the end of {text}"), |shown| !shown.parser.screen().contents().contains(text));
    }

    /// Closes the terminal under the program, as a window that is closed does; its exit code. `keys` make it write something,
    /// so that nobody is left who reads.
    pub fn hang_up(mut self, keys: &str) -> u32 {
        self.deaf.store(true, Ordering::Relaxed);
        self.send(keys);
        self.reader.join().unwrap();
        drop(self.keys);
        drop(self.master);
        self.child.wait().unwrap().exit_code()
    }

    /// Waits for the program's end; its exit code. The terminal must be as it was.
    pub fn end(mut self) -> u32 {
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

/// A folder with the demo model in it.
pub fn with_demo() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    demo::write(&folder.path().join("demo.gguf")).unwrap();
    folder
}
