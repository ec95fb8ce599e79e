//! The program in a pty, and when each of its frames arrived.
//!
//! A frame ends with the end of its synchronised update. A thread reads, notes the time before it looks at the bytes, and
//! asks after every frame whether the part of the screen that is watched has become another.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Columns and rows of the terminal.
pub const SIZE: (u16, u16) = (160, 50);
/// What every frame ends with.
const FRAME_END: &[u8] = b"\x1b[?2026l";
/// A key that is not answered by then is not answered.
const DEADLINE: Duration = Duration::from_secs(30);

/// A part of some rows: what a key has to change.
#[derive(Clone, Copy)]
pub struct Probe {
    /// The last row, from the bottom if negative.
    pub row: i32,
    /// How many rows up to it.
    pub rows: u16,
    /// First column.
    pub from: u16,
    /// Column behind the last.
    pub to: u16,
}

impl Probe {
    /// The text there and which of it is bold: the open tab differs from the others in that alone.
    fn of(self, screen: &vt100::Screen) -> String {
        let last = if self.row < 0 { i32::from(SIZE.1) + self.row } else { self.row } as u16;
        let places =
            (0..self.rows).flat_map(|up| (self.from..self.to).map(move |column| (last.saturating_sub(up), column)));
        let cells = places.filter_map(|(row, column)| screen.cell(row, column));
        cells.flat_map(|cell| [cell.contents(), if cell.bold() { "\u{1}" } else { "" }]).collect()
    }
}

struct Shown {
    parser: vt100::Parser,
    frames: u64,
    last_frame: Instant,
    /// What is watched, what it was, and when it became another.
    watched: Option<(Probe, String, Option<Instant>)>,
    closed: bool,
}

/// The program in a terminal.
pub struct Terminal {
    _master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    started: Instant,
    _home: tempfile::TempDir,
}

impl Terminal {
    /// Starts the program with these arguments; what it remembers lies in `folder`.
    pub fn start(program: &str, folder: &Path, arguments: &[&str]) -> Self {
        let size = PtySize { rows: SIZE.1, cols: SIZE.0, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("a pty");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(folder);
        for name in ["NO_COLOR", "COLORTERM", "TMUX", "STY", "SSH_TTY"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        // Each start is the first one: files are not shown as they were left.
        let home = tempfile::tempdir_in(folder).expect("a folder");
        for name in ["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            command.env(name, home.path());
        }
        let nonzero = |n: u16| NonZero::new(n).expect("a size");
        let parser = vt100::Parser::new(nonzero(SIZE.1), nonzero(SIZE.0), 0);
        let started = Instant::now();
        let shown = Shown { parser, frames: 0, last_frame: started, watched: None, closed: false };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let child = pty.slave.spawn_command(command).expect("the program starts");
        drop(pty.slave);
        let output = pty.master.try_clone_reader().expect("a reader");
        let theirs = Arc::clone(&shown);
        std::thread::spawn(move || read(output, &theirs));
        let keys = pty.master.take_writer().expect("a writer");
        Self { _master: pty.master, keys, child, shown, started, _home: home }
    }

    /// The number of the process.
    pub fn process(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    /// Types without waiting.
    pub fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("it takes keys");
    }

    /// Types, and waits until the part of the screen has become another: how long that took.
    pub fn press(&mut self, keys: &str, probe: Probe) -> Duration {
        let (lock, changed) = &*self.shown;
        let mut shown = lock.lock().expect("the reader lives");
        let before = probe.of(shown.parser.screen());
        shown.watched = Some((probe, before, None));
        drop(shown);
        let at = Instant::now();
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("it takes keys");
        let mut shown = lock.lock().expect("the reader lives");
        loop {
            if let Some((_, _, Some(answered))) = &shown.watched {
                return answered.saturating_duration_since(at);
            }
            assert!(at.elapsed() < DEADLINE, "{keys:?} is not answered:\n{}", shown.parser.screen().contents());
            shown = changed.wait_timeout(shown, Duration::from_millis(200)).expect("the reader lives").0;
        }
    }

    /// Waits until the screen has this text; when its frame arrived, since the start of the program.
    pub fn wait(&self, text: &str) -> Duration {
        let (lock, changed) = &*self.shown;
        let mut shown = lock.lock().expect("the reader lives");
        let begun = Instant::now();
        while !shown.parser.screen().contents().contains(text) {
            assert!(begun.elapsed() < DEADLINE, "no {text:?}:\n{}", shown.parser.screen().contents());
            shown = changed.wait_timeout(shown, Duration::from_millis(200)).expect("the reader lives").0;
        }
        shown.last_frame.saturating_duration_since(self.started)
    }

    /// Waits until nothing was drawn for so long, or for a minute; whether it came to that.
    pub fn settle(&self, quiet: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            let since = self.shown.0.lock().expect("the reader lives").last_frame.elapsed();
            if since >= quiet {
                return true;
            }
            std::thread::sleep(quiet.saturating_sub(since).max(Duration::from_millis(10)));
        }
        false
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.shown.0.lock().expect("the reader lives").parser.screen().contents()
    }

    /// Frames that were drawn.
    pub fn frames(&self) -> u64 {
        self.shown.0.lock().expect("the reader lives").frames
    }

    /// CPU seconds of the process so far, all of its threads, user and system.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process())).expect("Linux");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("its fields").split(' ').collect();
        let ticks = |i: usize| fields[i].parse::<f64>().expect("a number");
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Asks it to end, and waits for that.
    pub fn end(mut self) {
        // The signal that ends a session also ends what it does in the background.
        self.send("\x03");
        std::thread::sleep(Duration::from_millis(300));
        if self.text().contains("An export is") || self.child.try_wait().expect("its state").is_none() {
            let id = self.process().to_string();
            std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill");
        }
        self.child.wait().expect("it ends");
    }
}

fn read(mut output: Box<dyn Read + Send>, shared: &(Mutex<Shown>, Condvar)) {
    let mut buffer = vec![0; 1 << 16];
    let mut pending: Vec<u8> = Vec::new();
    while let Ok(n @ 1..) = output.read(&mut buffer) {
        let now = Instant::now();
        pending.extend_from_slice(&buffer[..n]);
        while let Some(at) = pending.windows(FRAME_END.len()).position(|w| w == FRAME_END) {
            let end = at + FRAME_END.len();
            let mut shown = shared.0.lock().expect("nobody panics in it");
            shown.parser.process(&pending[..end]);
            pending.drain(..end);
            shown.frames += 1;
            shown.last_frame = now;
            let shown = &mut *shown;
            if let Some((probe, before, answered @ None)) = &mut shown.watched
                && probe.of(shown.parser.screen()) != *before
            {
                *answered = Some(now);
            }
            shared.1.notify_all();
        }
    }
    shared.0.lock().expect("nobody panics in it").closed = true;
    shared.1.notify_all();
}
