//! The table of containers, types and operations (docs/containers.md) is true: its tests exist and it leaves no type out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use support::Tiny;
use support::reading::{messages, quantized, recipe, tensor};
use support::writers::Dice;
use tritscope::engine::codec::DType;
use tritscope::engine::plan::resolve;
use tritscope::engine::ternary::{Format, Method};

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Rows of the document's tables, heading and rule left out, as cells.
fn rows(document: &str) -> Vec<Vec<String>> {
    let lines = document.lines().filter(|l| l.starts_with('|') && !l.starts_with("| ---"));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    lines.map(cells).filter(|cells| cells[1] != "open").collect()
}

/// What stands between back quotes and names a test.
fn named(cell: &str) -> Vec<(&str, &str)> {
    cell.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once("::")).collect()
}

/// Names of the functions that are tests in a file.
fn tests_of(file: &str) -> BTreeSet<String> {
    let text = read(&format!("tests/{file}.rs"));
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_test = |i: usize| lines[i.saturating_sub(4)..i].contains(&"#[test]");
    let name = |line: &str| Some(line.strip_prefix("fn ")?.split('(').next()?.to_owned());
    (0..lines.len()).filter(|i| is_test(*i)).filter_map(|i| name(lines[i])).collect()
}

#[test]
fn every_test_that_the_table_names_exists() {
    let document = read("docs/containers.md");
    let rows = rows(&document);
    assert!(rows.len() > 20, "the tables were not found");
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut named_tests = 0;
    for row in &rows {
        for cell in &row[1..] {
            let tests = named(cell);
            assert!(cell == "–" || !tests.is_empty(), "'{cell}' of '{}' names no test", row[0]);
            for (file, test) in tests {
                let known = files.entry(file.to_owned()).or_insert_with(|| tests_of(file));
                assert!(known.contains(test), "there is no test {file}::{test}");
                named_tests += 1;
            }
        }
        assert!(row[1] != "–", "'{}' is not even opened", row[0]);
    }
    assert!(named_tests > 80, "{named_tests}");
}

/// Every type that has a name, with and without a number.
fn known_types() -> Vec<DType> {
    let numbered = (0..300).flat_map(|n| DType::of_number(n).meanings().collect::<Vec<_>>());
    let of_safetensors = [
        "F8_E4M3",
        "F8_E5M2",
        "BOOL",
        "U8",
        "U16",
        "U32",
        "U64",
        "F4",
        "F6_E2M3",
        "F6_E3M2",
        "F8_E8M0",
        "F8_E4M3FNUZ",
        "F8_E5M2FNUZ",
        "C64",
    ];
    numbered.chain(of_safetensors.map(|name| DType::from_name(name).expect(name))).collect()
}

#[test]
fn no_type_is_left_out() {
    let document = read("docs/containers.md");
    let listed: BTreeSet<String> =
        rows(&document).iter().flat_map(|row| row[0].split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    let known = known_types();
    assert!(known.len() > 75, "{}", known.len());
    for dtype in known {
        assert!(listed.contains(&dtype.to_string()), "{dtype} is missing in docs/containers.md");
    }
}

#[test]
fn types_that_are_only_named_open_and_list() {
    let mut seen = 0;
    for dtype in known_types().into_iter().filter(|t| t.layout().is_none() && t.number().is_some()) {
        let number = dtype.number().unwrap();
        // No size that any other meaning of the number could have.
        let tiny = Tiny::default()
            .numbered("blk.0.attn_q.weight", &[256, 12], number, Dice::new(1).bytes(5000))
            .normal("blk.0.ffn_up.weight", &[256, 8], 1);
        let folder = tempfile::tempdir().unwrap();
        let options = tritscope::engine::model::OpenOptions { dialects: vec![dtype], ..Default::default() };
        let model = tritscope::engine::model::Model::open(&tiny.write(folder.path()), &options).unwrap();
        let found = tensor(&model, "blk.0.attn_q.weight");
        assert_eq!((found.dtype, found.decoder().is_none(), found.bytes), (dtype, true, 5024), "{dtype}");
        assert!(messages(&model, "no-decoder").concat().contains(&dtype.to_string()), "{dtype}");
        let plan = resolve(&model, &recipe(Format::Tq2_0, Method::Exact));
        assert!(plan.decisions[0].reason_text().contains(&dtype.to_string()), "{}", plan.decisions[0].reason_text());
        let Err(error) = quantized(&model, &recipe(Format::Tq2_0, Method::Exact)) else {
            panic!("{dtype} was written")
        };
        assert!(error.exit_code() == 3 && error.to_string().contains("blk.0.attn_q.weight"), "{error}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}
