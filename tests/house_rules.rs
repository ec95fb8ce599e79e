//! Rules about the sources themselves: which way imports point, what every file begins with, where `unsafe` may live.
//!
//! The rules and their reasons are in ARCHITECTURE.md; what is checked here is text, so a rule is phrased as what may
//! not stand in which folder.

#![allow(clippy::unwrap_used, reason = "a source that cannot be read should stop the test")]

use std::path::Path;

/// Files may explain themselves above 400 lines; none may pass this.
const MAX_LINES: usize = 600;
/// Longest function, signature and closing brace included.
const MAX_FUNCTION: usize = 90;
/// Where `unsafe` may stand.
const UNSAFE_ROOMS: [&str; 3] = ["engine/codec/wide.rs", "engine/format/source.rs", "engine/ternary/kernels/"];

struct File {
    /// Path below `src`, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_in(&self, place: &str) -> bool {
        self.path.starts_with(place)
    }

    /// Lines with their numbers, without comments, and without the unit tests at the end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(i, line)| (i + 1, line));
        lines
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .map(|(i, line)| (i, line.split("//").next().unwrap_or("")))
    }

    /// Lines of code that contain one of `words`, as `path:line: text`.
    fn lines_with(&self, words: &[&str]) -> Vec<String> {
        let hits = self.code().filter(|(_, line)| words.iter().any(|w| mentions(line, w)));
        hits.map(|(i, line)| format!("src/{}:{i}: {}", self.path, line.trim())).collect()
    }
}

/// Whether `word` stands in `line` and is not a part of a longer identifier.
fn mentions(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !part(before.chars().next_back()) && (!word.ends_with(is_word) || !part(after.chars().next()))
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn sources() -> Vec<File> {
    fn walk(folder: &Path, root: &Path, files: &mut Vec<File>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, files);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                files.push(File { path: name, text: std::fs::read_to_string(&path).unwrap() });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &root, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Asserts that no file in `places` has a line of code with one of `words`.
fn forbid(places: &[&str], words: &[&str], why: &str) {
    let files = sources();
    let inside = files.iter().filter(|f| places.iter().any(|p| f.is_in(p)));
    let found: Vec<String> = inside.flat_map(|f| f.lines_with(words)).collect();
    assert!(found.is_empty(), "{why}:\n{}", found.join("\n"));
}

#[test]
fn the_engine_knows_no_face_and_no_job() {
    let words = ["crate::tui", "crate::cli", "crate::jobs", "ratatui", "crossterm", "clap", "indicatif", "color_eyre"];
    forbid(&["engine/", "text.rs"], &words, "the engine is below the faces and the jobs");
    forbid(&["engine/"], &["std::env"], "the engine reads no environment");
}

#[test]
fn jobs_know_the_engine_only() {
    let words = ["crate::tui", "crate::cli", "ratatui", "crossterm", "clap", "indicatif", "color_eyre"];
    forbid(&["jobs/"], &words, "jobs are below the faces");
}

#[test]
fn the_faces_do_not_see_each_other() {
    forbid(&["cli/", "cli.rs"], &["crate::tui", "ratatui", "crossterm"], "the command line does not use the interface");
    forbid(&["tui/", "tui.rs"], &["crate::cli", "clap"], "the interface does not use the command line");
    forbid(&["config/"], &["crate::cli", "clap", "std::env"], "the configuration is told flags and variables");
    forbid(&["cli/", "tui/", "jobs/", "engine/"], &["crate::config"], "the configuration is above the faces");
}

#[test]
fn state_knows_no_screen_and_drawing_changes_no_state() {
    forbid(&["tui/state"], &["ratatui", "crossterm", "tui::view"], "state is plain data");
    forbid(&["tui/view", "tui/widgets"], &["&mut State"], "drawing changes nothing");
    forbid(
        &["tui/view", "tui/widgets"],
        &["Instant::now", "std::fs", "std::thread"],
        "drawing has no clock and no I/O",
    );
}

#[test]
fn only_faces_print() {
    let words = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];
    forbid(&["engine/", "jobs/", "tui/", "text.rs"], &words, "the engine, the jobs and the interface are silent");
}

#[test]
fn unsafe_code_stays_in_its_rooms_and_says_why() {
    let files = sources();
    let outside = files.iter().filter(|f| !UNSAFE_ROOMS.iter().any(|room| f.is_in(room)));
    let found: Vec<String> = outside.flat_map(|f| f.lines_with(&["unsafe", "unsafe_code"])).collect();
    assert!(found.is_empty(), "unsafe outside {UNSAFE_ROOMS:?}:\n{}", found.join("\n"));
    for file in files.iter().filter(|f| UNSAFE_ROOMS.iter().any(|room| f.is_in(room))) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (i, _) in file.code().filter(|(_, line)| mentions(line, "unsafe {")) {
            let before = &lines[i.saturating_sub(6)..i];
            let reasoned = before.iter().any(|line| line.contains("SAFETY:"));
            assert!(reasoned, "src/{}:{i}: unsafe without a SAFETY comment", file.path);
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_stays_readable() {
    for file in sources() {
        assert!(file.text.starts_with("//!"), "src/{} does not begin with //!", file.path);
        let lines = file.text.lines().count();
        assert!(lines <= MAX_LINES, "src/{} has {lines} lines, at most {MAX_LINES} are allowed", file.path);
    }
}

#[test]
fn functions_fit_a_screen() {
    let mut long = Vec::new();
    for file in sources() {
        // rustfmt puts a function's closing brace in the column that the function begins in.
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (i, line) in file.code() {
            let indent = line.len() - line.trim_start().len();
            let begins = format!(" {}", line.trim_start()).contains(" fn ") && line.contains('(');
            if begins && !line.trim_end().ends_with(['}', ';']) {
                open.push((indent, i));
            } else if line.trim() == "}"
                && let Some((_, begin)) = open.pop_if(|(at, _)| *at == indent)
                && i - begin >= MAX_FUNCTION
            {
                long.push(format!("src/{}:{begin}: {} lines", file.path, i - begin + 1));
            }
        }
    }
    assert!(long.is_empty(), "functions of more than {MAX_FUNCTION} lines:\n{}", long.join("\n"));
}
