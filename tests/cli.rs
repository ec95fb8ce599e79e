//! The binary as a script sees it: stdout, stderr, exit codes, JSON.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::{Kv, Tiny, dense, moe};
use tempfile::TempDir;
use tritscope::engine::ternary::kernels::Kernel;

/// Runs tritscope in a folder, without a terminal.
fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tritscope"))
        .args(args)
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn folder(tiny: &Tiny) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny.write(folder.path());
    folder
}

/// Every key of a document, with its path; arrays count as one element.
fn keys(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            into.insert(format!("{at}.{key}"));
            keys(value, &format!("{at}.{key}"), into);
        }),
        Value::Array(items) => items.iter().for_each(|item| keys(item, &format!("{at}[]"), into)),
        _ => {}
    }
}

#[test]
fn the_demo_runs_the_whole_job_without_a_terminal_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tritscope"))
        .arg("demo")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for part in ["expert_down", "TQ2_0", "95 % within", "gguf-rs-lib", "error of 9 tensors computed again, equal"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_plan_document_has_the_keys_of_the_committed_sample() {
    let folder = folder(&moe());
    let output = run(folder.path(), &["plan", "model.gguf", "--format", "q2_0", "--json"]);
    let sample: Value = serde_json::from_str(
        &fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plan.sample.json")).unwrap(),
    )
    .unwrap();
    let (mut found, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    keys(&json(&output), "", &mut found);
    keys(&sample, "", &mut wanted);
    // Optional keys show in one of the two only where a tensor calls for them.
    let optional =
        |key: &String| key.contains("slices_sqnr_db") || key.contains("problem") || key.contains("diagnostics");
    found.retain(|key| !optional(key));
    wanted.retain(|key| !optional(key));
    assert_eq!(found, wanted);
}

#[test]
fn estimates_are_marked_and_exact_figures_are_points() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["demo", "--write", "demo.gguf"]);
    let sampled = json(&run(folder.path(), &["plan", "demo.gguf", "--json"]));
    let exact = json(&run(folder.path(), &["plan", "demo.gguf", "--json", "--exact"]));
    let written = json(&run(folder.path(), &["quantize", "demo.gguf", "-o", "out.gguf", "--json"]));
    assert_eq!(sampled["totals"]["estimated"], true);
    assert_eq!(exact["totals"]["estimated"], false);
    assert!(exact["totals"]["interval"].is_null());
    let interval = &sampled["totals"]["interval"];
    let rel = exact["totals"]["rel_mse"].as_f64().unwrap();
    assert!(interval[0].as_f64().unwrap() <= rel && rel <= interval[1].as_f64().unwrap());
    assert!((written["totals"]["rel_mse"].as_f64().unwrap() / rel - 1.0).abs() < 1e-9);
    let row = |document: &Value, name: &str| -> Value {
        let rows = document["tensors"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap().clone()
    };
    let kept = row(&written, "token_embd.weight");
    for field in ["rel_mse", "sqnr_db", "cosine", "zeros", "max_abs_err", "scale_mean", "interval"] {
        assert!(kept[field].is_null(), "{field}");
    }
    assert_eq!(kept["reason"], "protected: token embeddings");
    assert_eq!(row(&written, "blk.0.ffn_up_exps.weight")["slices_sqnr_db"].as_array().unwrap().len(), 8);
    assert_eq!(written["check"]["reader"]["name"], "gguf-rs-lib");
    assert_eq!(written["output"], "out.gguf");
}

#[test]
fn inspect_lists_filters_and_summarises() {
    let folder = folder(&moe().kv("tokenizer.ggml.tokens", Kv::Strings(vec!["x".repeat(50); 500])));
    let text = run(folder.path(), &["inspect", "model.gguf"]);
    assert!(stdout(&text).contains("blk.11.ffn_down_exps.weight") && !stdout(&text).contains("tokenizer.ggml.tokens"));
    let all = run(folder.path(), &["inspect", "model.gguf", "--kv"]);
    let line = stdout(&all).lines().find(|line| line.starts_with("tokenizer.ggml.tokens")).unwrap();
    assert!(line.contains("[string × 500]") && line.len() < 200, "{line}");
    let some = json(&run(folder.path(), &["inspect", "model.gguf", "--json", "--filter", "role:router"]));
    assert_eq!(some["tensors"].as_array().unwrap().len(), 12);
    assert_eq!(some["totals"]["tensors"], 87);
    assert_eq!(some["schema"], 1);
}

#[test]
fn strict_stops_before_anything_is_read_or_written() {
    let folder = folder(&dense());
    let args = ["quantize", "model.gguf", "-o", "out.gguf", "--layers", "all", "--strict"];
    let output = run(folder.path(), &args);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("blk.0.ffn_down.weight") && stderr(&output).contains("rows of 64"),
        "{}",
        stderr(&output)
    );
    assert!(!folder.path().join("out.gguf").exists());
    assert!(run(folder.path(), &[&args[..], &["--format", "q2_0"]].concat()).status.success());
}

#[test]
fn rules_apply_in_the_order_in_which_they_are_typed() {
    let folder = folder(&moe());
    let ternary = |flags: &[&str]| {
        let document =
            json(&run(folder.path(), &[&["plan", "model.gguf", "--json", "--format", "q2_0"], flags].concat()));
        document["totals"]["ternary_tensors"].as_u64().unwrap()
    };
    let keep_then_take = ternary(&["--layers", "custom", "--keep", "blk.1.*", "--ternary", "*attn_q*"]);
    let take_then_keep = ternary(&["--layers", "custom", "--ternary", "*attn_q*", "--keep", "blk.1.*"]);
    assert_eq!((keep_then_take, take_then_keep), (12, 11));
}

#[test]
fn a_recipe_says_the_same_as_its_flags() {
    let folder = folder(&moe());
    let flags =
        ["--format", "q2_0", "--method", "twn", "--layers", "all", "--keep", "blk.0.*", "--unprotect", "router"];
    let written = run(folder.path(), &[&["recipe", "show", "-o", "r.toml"], &flags[..]].concat());
    assert!(written.status.success(), "{}", stderr(&written));
    let shown = run(folder.path(), &["recipe", "show", "--recipe", "r.toml"]);
    assert_eq!(stdout(&shown), fs::read_to_string(folder.path().join("r.toml")).unwrap());
    assert!(run(folder.path(), &[&["quantize", "model.gguf", "-o", "a.gguf"], &flags[..]].concat()).status.success());
    assert!(run(folder.path(), &["quantize", "model.gguf", "-o", "b.gguf", "--recipe", "r.toml"]).status.success());
    assert_eq!(fs::read(folder.path().join("a.gguf")).unwrap(), fs::read(folder.path().join("b.gguf")).unwrap());
    let again = run(folder.path(), &["recipe", "show", "-o", "r.toml"]);
    assert_eq!(again.status.code(), Some(2), "a recipe file is not overwritten");
}

#[test]
fn a_rule_in_full_gives_one_tensor_another_precision_and_one_another_format() {
    let folder = folder(&moe());
    let rules = ["--rule", "*attn_q*=keep:q8_0", "--rule", "blk.1.*exps*=ternary:q2_0:twn"];
    let shown = run(folder.path(), &[&["recipe", "show"], &rules[..]].concat());
    let text = stdout(&shown);
    assert!(text.contains("precision = \"q8_0\"") && text.contains("method = \"twn\""), "{text}");
    let document = json(&run(folder.path(), &[&["plan", "model.gguf", "--json"], &rules[..]].concat()));
    let types: Vec<&str> = document["tensors"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|t| t["name"].as_str().unwrap().contains("attn_q"))
        .map(|t| t["new_type"].as_str().unwrap())
        .collect();
    assert!(!types.is_empty() && types.iter().all(|t| *t == "Q8_0"), "{types:?}");
    let out = run(folder.path(), &[&["quantize", "model.gguf", "-o", "a.gguf"], &rules[..]].concat());
    assert!(out.status.success(), "{}", stderr(&out));
    let wrong = run(folder.path(), &["plan", "model.gguf", "--rule", "a*=keep:q9"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("unknown precision 'q9'"), "{}", stderr(&wrong));
}

#[test]
fn data_goes_to_stdout_and_warnings_to_stderr() {
    let folder = folder(&dense());
    let output = run(folder.path(), &["plan", "model.gguf", "--layers", "all", "--ternary", "nothing.*", "--json"]);
    let document = json(&output);
    assert!(document["diagnostics"].as_array().unwrap().iter().any(|d| d["code"] == "rule-unused"));
    let text = run(folder.path(), &["plan", "model.gguf"]);
    assert!(stderr(&text).contains("no routed experts") && stderr(&text).contains("--layers all"));
    assert!(!stdout(&text).contains("warning"));
}

#[test]
fn usage_errors_and_nothing_to_do_are_2() {
    let folder = folder(&dense());
    fs::create_dir(folder.path().join("empty")).unwrap();
    for args in [
        &["quantize", "model.gguf", "-o", "out.gguf"][..],
        &["quantize", "model.gguf", "-o", "model.gguf", "--layers", "all", "--force"],
        &["quantize", "model.gguf", "-o", "out.gguf", "--layers", "most"],
        &["quantize", "model.gguf"],
        &["plan", "model.gguf", "--ternary", "re:("],
        &["plan", "model.gguf", "--max-memory", "lots"],
        &["quantize", "model.gguf", "-o", "o", "--layers", "all", "--max-memory", "100"],
        &["plan", "model.gguf", "--recipe", "model.gguf"],
        &["inspect", "empty"],
        &["model.gguf"],
        &[],
    ] {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(!stderr(&output).is_empty() && output.stdout.is_empty(), "{args:?}");
    }
    assert_eq!(run(folder.path(), &["inspect", "no-such-file"]).status.code(), Some(4));
}

/// Runs tritscope with a kernel forced.
fn run_with_kernel(folder: &Path, kernel: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
    command.args(args).current_dir(folder).env("TRITSCOPE_KERNEL", kernel).stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn a_kernel_that_cannot_be_had_is_2_and_all_others_write_the_same_file() {
    let folder = folder(&dense());
    for kernel in Kernel::ALL.into_iter().map(Kernel::name).chain(["mmx"]) {
        let out = format!("{kernel}.gguf");
        let args = ["quantize", "model.gguf", "-o", &out, "--layers", "all", "--no-sync"];
        let output = run_with_kernel(folder.path(), kernel, &args);
        if Kernel::named(kernel).is_ok() {
            assert!(output.status.success(), "{kernel}: {}", stderr(&output));
            let written = fs::read(folder.path().join(&out)).unwrap();
            assert_eq!(written, fs::read(folder.path().join("scalar.gguf")).unwrap(), "{kernel}");
            let version = run_with_kernel(folder.path(), kernel, &["--version"]);
            assert!(stdout(&version).ends_with(&format!("\nkernel: {kernel}\n")), "{}", stdout(&version));
            let config = run_with_kernel(folder.path(), kernel, &["config", "--print"]);
            assert!(stdout(&config).contains(&format!("\n# kernel: {kernel}, of scalar")), "{}", stdout(&config));
        } else {
            assert_eq!(output.status.code(), Some(2), "{kernel}");
            assert!(stderr(&output).contains("TRITSCOPE_KERNEL") && stderr(&output).contains(kernel), "{kernel}");
            assert!(!folder.path().join(&out).exists(), "{kernel}");
        }
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = folder(&moe());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tritscope"))
        .args(["inspect", "model.gguf", "--json"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}

#[test]
fn names_from_files_cannot_write_escape_sequences() {
    let folder = folder(
        &Tiny::default().normal("a\x1b[2Jb\u{202e}", &[64, 2], 1).kv("x.\x1b]0;t\x07", Kv::Str("\x1b[31m".into())),
    );
    let output = run(folder.path(), &["inspect", "model.gguf", "--kv"]);
    assert!(output.status.success());
    assert!(!stdout(&output).contains(['\x1b', '\x07', '\u{202e}']) && stdout(&output).contains("\\u{1b}[2J"));
}

#[test]
fn one_absurd_name_does_not_widen_every_row() {
    let folder = folder(&dense().normal(&"n".repeat(100_000), &[256, 2], 1));
    let output = run(folder.path(), &["inspect", "model.gguf"]);
    assert!(output.stdout.len() < 20_000, "{}", output.stdout.len());
    let document = json(&run(folder.path(), &["inspect", "model.gguf", "--json"]));
    assert!(document["tensors"].as_array().unwrap().iter().any(|t| t["name"].as_str().unwrap().len() == 100_000));
}
