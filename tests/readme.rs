//! The README's tables are the program's own: keys from the keymap, options from the command line, types from the decoders.
//!
//! Where one differs, the failure prints the table to paste.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;

use tritscope::cli::args::option_table;
use tritscope::tui::keymap::{Context, Keymap};

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// What stands between `<!-- name: … -->` and `<!-- /name -->`.
fn section(readme: &str, name: &str) -> String {
    let open = readme.find(&format!("<!-- {name}:")).unwrap();
    let start = open + readme[open..].find("-->").unwrap() + 3;
    let end = readme.find(&format!("<!-- /{name} -->")).unwrap();
    readme[start..end].trim().to_owned()
}

fn code(text: &str) -> String {
    text.split(' ').map(|part| format!("`{part}`")).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_key_table_is_the_keymap() {
    let mut table = String::from("| key | what it does |\n| --- | --- |\n");
    let keymap = Keymap::default();
    for row in keymap.rows().filter(|row| row.context == Context::Browse) {
        table += &format!("| {} | {} |\n", code(row.keys), row.help);
    }
    let found = section(&readme(), "keys");
    assert!(found == table.trim(), "the README's keys should be:\n\n{table}");
}

#[test]
fn the_option_table_is_the_command_line() {
    let rows = option_table();
    let mut seen: Vec<(String, String, Vec<String>)> = Vec::new();
    for (sub, long, help) in rows.into_iter().filter(|(_, long, _)| long != "--help") {
        match seen.iter_mut().find(|(l, h, _)| *l == long && *h == help) {
            Some((_, _, subs)) => subs.push(sub),
            None => seen.push((long, help, vec![sub])),
        }
    }
    let mut table = String::from("| option | of | what it does |\n| --- | --- | --- |\n");
    for (long, help, subs) in seen {
        table += &format!("| `{long}` | {} | {} |\n", subs.join(", "), help.replace('|', "\\|"));
    }
    let found = section(&readme(), "options");
    assert!(found == table.trim(), "the README's options should be:\n\n{table}");
}

#[test]
fn the_two_commands_are_the_ones_that_ci_runs() {
    let ci = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/run")).unwrap();
    for command in ["cargo run --release -- demo", "cargo test"] {
        assert!(readme().lines().any(|line| line.starts_with(command)), "{command}");
    }
    assert!(ci.contains("cargo test") && ci.contains("--release -- demo"));
}

#[test]
fn pictures_and_pages_that_are_linked_are_there() {
    let text = readme();
    for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if !link.starts_with("http") {
            assert!(fs::exists(format!("{}/{link}", env!("CARGO_MANIFEST_DIR"))).unwrap(), "{link}");
        }
    }
}
