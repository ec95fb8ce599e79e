//! How long a key takes to the screen: the real program in a pty, on a model of a hundred thousand tensors, with nothing
//! else to do and while an export and a scan run; the time to the first frame; what it costs to do nothing.
//!
//! `cargo bench --bench latency` prints a Markdown table, as docs/performance.md has it. `TRITSCOPE_BENCH_MODEL` is a file
//! to use instead of one that is made, `TRITSCOPE_BENCH_TENSORS` how many tensors that has, `TRITSCOPE_BENCH_RUNS` how
//! often everything is done: what is printed are medians over the runs.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench prints, and stops where it cannot go on"
)]

mod terminal;

use std::path::{Path, PathBuf};
use std::time::Duration;

use terminal::{Probe, SIZE, Terminal};
use tritscope::engine::demo;

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tritscope");
/// The lower border of the tree: the row under the cursor, of how many.
const PLACE: Probe = Probe { row: -5, rows: 1, from: 0, to: SIZE.0 };
/// What the plan amounts to.
const PLAN: Probe = Probe { row: -4, rows: 1, from: 0, to: SIZE.0 };
/// Hints, or the newest message.
const MESSAGE: Probe = Probe { row: -1, rows: 1, from: 0, to: SIZE.0 };
/// The line that a filter is typed into, and what is said below it.
const FILTER: Probe = Probe { row: -6, rows: 3, from: 0, to: 60 };
/// The preview's tabs.
const TABS: Probe = Probe { row: 1, rows: 1, from: 80, to: SIZE.0 };
/// The title: which screen is shown.
const TITLE: Probe = Probe { row: 0, rows: 1, from: 0, to: SIZE.0 };

/// A kind of key and how long its presses took.
struct Kind {
    name: &'static str,
    took: Vec<Duration>,
}

/// Presses keys one at a time, and keeps what they took.
struct Session {
    terminal: Terminal,
    kinds: Vec<Kind>,
    presses: u64,
    /// Where exports go, if one is to run all the time.
    exports: Option<PathBuf>,
    /// Exports that were begun.
    begun: usize,
}

impl Session {
    fn new(terminal: Terminal, exports: Option<PathBuf>) -> Self {
        Self { terminal, kinds: Vec::new(), presses: 0, exports, begun: 0 }
    }

    /// Begins an export if none runs and one should.
    fn keep_busy(&mut self) {
        let Some(folder) = &self.exports else { return };
        let text = self.terminal.text();
        if ["writing", "checking", "preparing", "syncing"].iter().any(|stage| text.contains(stage)) {
            return;
        }
        // What was written before only takes room.
        drop(std::fs::remove_file(folder.join(format!("{}.gguf", self.begun))));
        self.begun += 1;
        self.terminal.send("Q");
        self.terminal.wait("[ Start ]");
        // The path is the field that has the keys.
        let out = folder.join(format!("{}.gguf", self.begun));
        self.terminal.send(&format!("\x15{}\r", out.display()));
        self.terminal.wait("writing");
        std::thread::sleep(Duration::from_secs(1));
    }

    fn press(&mut self, name: &'static str, keys: &str, probe: Probe) {
        // As a hand does, and at no fixed distance from whatever else is drawn.
        self.presses += 1;
        std::thread::sleep(Duration::from_millis(40 + self.presses * 7919 % 53));
        let took = self.terminal.press(keys, probe);
        match self.kinds.iter_mut().find(|kind| kind.name == name) {
            Some(kind) => kind.took.push(took),
            None => self.kinds.push(Kind { name, took: vec![took] }),
        }
    }

    /// Every kind of key.
    fn keys(&mut self) {
        self.keep_busy();
        self.press("unfold all, fold all", "+", PLACE);
        self.press("first row, last row", "g", PLACE);
        for _ in 0..60 {
            self.press("cursor down", "j", PLACE);
        }
        for _ in 0..30 {
            self.press("page down", "\x1b[6~", PLACE);
        }
        for _ in 0..5 {
            self.press("first row, last row", "G", PLACE);
            self.press("first row, last row", "g", PLACE);
        }
        self.keep_busy();
        self.press("unfold all, fold all", "-", PLACE);
        for _ in 0..8 {
            self.press("unfold all, fold all", "+", PLACE);
            self.press("unfold all, fold all", "-", PLACE);
        }
        // `blk`, its first layer, the first folder in there, the first tensor in that.
        self.press("cursor down", "j", PLACE);
        for _ in 0..10 {
            self.press("unfold, fold a folder", "l", PLACE);
            self.press("unfold, fold a folder", "h", PLACE);
        }
        self.keep_busy();
        self.toggles();
        self.keep_busy();
        self.filters();
        self.keep_busy();
        self.find_a_tensor();
        self.terminal.send("\x1b");
        std::thread::sleep(Duration::from_millis(500));
        for tab in ["2", "3", "4", "5", "6", "7", "8", "1"].iter().cycle().take(32) {
            self.press("tab of the preview", tab, TABS);
        }
        self.keep_busy();
        for _ in 0..7 {
            self.press("sort by another column", ">", MESSAGE);
        }
        for _ in 0..6 {
            self.press("sort the other way", "\\", MESSAGE);
        }
        for _ in 0..7 {
            self.press("sort by another column", "<", MESSAGE);
        }
        for _ in 0..6 {
            self.press("fold by role, by name", "r", MESSAGE);
        }
        for _ in 0..6 {
            self.press("model pages and back", "i", TITLE);
            self.press("model pages and back", "\x1b", TITLE);
        }
    }

    /// A tensor and folders toggled, and all of that undone and done again.
    fn toggles(&mut self) {
        self.terminal.send("ljl");
        self.terminal.settle(Duration::from_millis(100));
        for _ in 0..20 {
            self.press("toggle a layer", " ", PLAN);
        }
        self.find_a_tensor();
        for _ in 0..20 {
            self.press("toggle a tensor", " ", PLAN);
        }
        self.keep_busy();
        self.press("undo, redo", "u", PLAN);
        self.terminal.send("\x1b");
        std::thread::sleep(Duration::from_millis(500));
        for _ in 0..20 {
            self.press("undo, redo", "u", PLAN);
        }
        for _ in 0..20 {
            self.press("undo, redo", "\x12", PLAN);
        }
        self.keep_busy();
        self.terminal.send("gj");
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..8 {
            self.press("toggle 98 000 tensors", " ", PLAN);
        }
        for _ in 0..8 {
            self.press("undo 98 000 tensors", "u", PLAN);
        }
        for _ in 0..6 {
            self.press("mask", "L", PLAN);
        }
        for _ in 0..6 {
            self.press("undo a mask", "u", PLAN);
        }
    }

    /// Puts the cursor on an expert of the first layer, with a filter.
    fn find_a_tensor(&mut self) {
        self.terminal.send("/layer:0 role:expert_up\r");
        std::thread::sleep(Duration::from_millis(500));
    }

    fn filters(&mut self) {
        for text in ["ffn_down", "layer:12", "size>100k", "role:expert not up", "is:ternary"] {
            self.terminal.send("/");
            std::thread::sleep(Duration::from_millis(200));
            // A blank alone changes nothing that is seen.
            let mut keys = String::new();
            for letter in text.chars() {
                keys.push(letter);
                if letter != ' ' {
                    self.press("letter of a filter", &std::mem::take(&mut keys), FILTER);
                }
            }
            self.press("end of a filter", "\x1b", FILTER);
        }
    }
}

/// What one run found.
struct Run {
    start: Vec<Duration>,
    idle: Vec<Kind>,
    busy: Vec<Kind>,
    /// CPU seconds in ten seconds of doing nothing, and frames drawn meanwhile.
    doing_nothing: (f64, u64),
    /// Memory in use when everything had been pressed while an export and a scan ran, in MiB.
    memory: f64,
}

fn run(model: &str, folder: &Path) -> Run {
    // A theme is named: nobody here answers the question for the background, which a real terminal does at once.
    let recipe = folder.join("custom.toml");
    std::fs::write(&recipe, "layers = \"custom\"\n").expect("a recipe");
    let custom = ["--theme", "dark", "--recipe", recipe.to_str().expect("a path"), model];
    let start = (0..5)
        .map(|_| {
            let terminal = Terminal::start(PROGRAM, folder, &["--theme", "dark", model]);
            let took = terminal.wait("all tensors");
            terminal.end();
            took
        })
        .collect();

    // Nothing goes ternary with this recipe, so that there is nothing to measure but what is in sight.
    let terminal = Terminal::start(PROGRAM, folder, &custom);
    terminal.wait("all tensors");
    assert!(terminal.settle(Duration::from_secs(2)), "it never comes to rest:\n{}", terminal.text());
    let (cpu, frames) = (terminal.cpu(), terminal.frames());
    std::thread::sleep(Duration::from_secs(10));
    let doing_nothing = (terminal.cpu() - cpu, terminal.frames() - frames);
    let mut session = Session::new(terminal, None);
    session.keys();
    session.terminal.end();
    let idle = session.kinds;

    let out = folder.join("out");
    std::fs::create_dir_all(&out).expect("a folder");
    let mut terminal = Terminal::start(PROGRAM, folder, &["--theme", "dark", model]);
    terminal.wait("all tensors");
    terminal.send("S");
    terminal.wait("Sensitivity");
    terminal.send("\x1b");
    std::thread::sleep(Duration::from_millis(300));
    let mut session = Session::new(terminal, Some(out.clone()));
    session.keys();
    let memory = memory(session.terminal.process());
    session.terminal.end();
    std::fs::remove_dir_all(&out).expect("a folder of its own");
    Run { start, idle, busy: session.kinds, doing_nothing, memory }
}

/// Memory of its own that a process uses, in MiB: the mapped file is the system's.
fn memory(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).expect("a number") / 1024.0
}

/// The value below which a share of them lies.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len()) - 1]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// p50, p99 and the greatest of some presses in milliseconds, each the median over the runs; and how many they were.
fn figures(runs: &[Run], of: impl Fn(&Run) -> Vec<Duration>) -> ([f64; 3], usize) {
    let sorted: Vec<Vec<Duration>> = runs
        .iter()
        .map(|run| {
            let mut took = of(run);
            took.sort_unstable();
            took
        })
        .collect();
    let at = |share| median(sorted.iter().map(|took| milliseconds(quantile(took, share))).collect());
    ([at(0.5), at(0.99), at(1.0)], sorted.iter().map(Vec::len).sum())
}

fn print(runs: &[Run]) {
    println!("| key → screen, ms | presses | idle p50 | p99 | max | busy p50 | p99 | max |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let of = |kinds: &[Kind], name: &str| -> Vec<Duration> {
        kinds.iter().filter(|k| name == "all" || k.name == name).flat_map(|k| k.took.iter().copied()).collect()
    };
    let names: Vec<&str> = runs[0].idle.iter().map(|kind| kind.name).collect();
    for name in names.into_iter().chain(["all"]) {
        let (idle, presses) = figures(runs, |run| of(&run.idle, name));
        let (busy, _) = figures(runs, |run| of(&run.busy, name));
        let [a, b, c] = idle.map(|ms| format!("{ms:.1}"));
        let [d, e, f] = busy.map(|ms| format!("{ms:.1}"));
        println!("| {name} | {presses} | {a} | {b} | {c} | {d} | {e} | {f} |");
    }
    println!();
    let ([p50, _, max], starts) = figures(runs, |run| run.start.clone());
    println!("| | |\n| --- | ---: |");
    println!("| start to the first frame with the tree, median of {starts} | {p50:.0} ms |");
    println!("| the slowest of five | {max:.0} ms |");
    let cpu = median(runs.iter().map(|run| run.doing_nothing.0).collect());
    let frames = runs.iter().map(|run| run.doing_nothing.1).max().unwrap_or(0);
    println!("| CPU in 10 s of doing nothing, user and system | {cpu:.2} s |");
    println!("| frames drawn meanwhile | {frames} |");
    println!(
        "| memory of its own after all of this, export and scan running | {:.0} MiB |",
        median(runs.iter().map(|r| r.memory).collect())
    );
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let model = std::env::var_os("TRITSCOPE_BENCH_MODEL").map_or_else(
        || {
            let path = folder.path().join("large.gguf");
            demo::write_large(&path, number("TRITSCOPE_BENCH_TENSORS", 100_000)).expect("a model");
            path
        },
        PathBuf::from,
    );
    let model = model.to_str().expect("a path that is text");
    let runs: Vec<Run> = (0..number("TRITSCOPE_BENCH_RUNS", 3)).map(|_| run(model, folder.path())).collect();
    print(&runs);
}
