//! Two models side by side: the engine's verdicts and figures against ones worked out here, and the command line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use support::{Tiny, f16_bytes, f32_bytes, normals};
use tempfile::TempDir;
use tritscope::engine::codec::DType;
use tritscope::engine::compare::{Outcome, Pair, Verdict, compare, histograms, pair_up};
use tritscope::engine::error::Error;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::progress::Cancel;

fn weights(seed: u64) -> Vec<f32> {
    normals(256 * 300, seed).into_iter().map(|w| half::f16::from_f32(w).to_f32()).collect()
}

/// A model with one tensor of each fate; `other` is the second.
fn tiny(other: bool) -> Tiny {
    let (shape, base) = ([256, 300], weights(1));
    let changed: Vec<f32> = base.iter().enumerate().map(|(i, w)| if i % 7 == 0 { w * 0.5 } else { *w }).collect();
    let mut nan = base.clone();
    nan[5] = f32::NAN;
    let mut tiny = Tiny::default().tensor("same.weight", &shape, DType::F16, f16_bytes(&base));
    tiny = if other {
        tiny.tensor("values.weight", &shape, DType::F32, f32_bytes(&base))
            .tensor("changed.weight", &shape, DType::F16, f16_bytes(&changed))
            .tensor("shape.weight", &[300, 256], DType::F16, f16_bytes(&base))
            .tensor("nan.weight", &shape, DType::F32, f32_bytes(&nan))
            .tensor("extra.weight", &shape, DType::F16, f16_bytes(&base))
    } else {
        tiny.tensor("values.weight", &shape, DType::F16, f16_bytes(&base))
            .tensor("changed.weight", &shape, DType::F16, f16_bytes(&base))
            .tensor("missing.weight", &shape, DType::F16, f16_bytes(&base))
            .tensor("shape.weight", &shape, DType::F16, f16_bytes(&base))
            .tensor("nan.weight", &shape, DType::F32, f32_bytes(&base))
    };
    tiny
}

fn write(folder: &Path, name: &str, tiny: &Tiny) -> PathBuf {
    let written = tiny.write(folder);
    let path = folder.join(name);
    std::fs::rename(written, &path).unwrap();
    path
}

fn models() -> (TempDir, Model, Model) {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: PathBuf| Model::open(&path, &OpenOptions::default()).unwrap();
    let a = open(write(folder.path(), "a.gguf", &tiny(false)));
    let b = open(write(folder.path(), "b.gguf", &tiny(true)));
    (folder, a, b)
}

fn outcomes(a: &Model, b: &Model) -> Vec<(String, Pair, Outcome)> {
    let each = |pair: Pair| (pair.name(a, b).to_owned(), pair, compare(a, b, &pair, &Cancel::new()).unwrap());
    pair_up(a, b).into_iter().map(each).collect()
}

#[test]
fn every_fate_of_a_tensor_has_its_verdict_and_its_figures() {
    let (_folder, a, b) = models();
    let found = outcomes(&a, &b);
    let verdicts: Vec<(&str, Verdict)> = found.iter().map(|(name, _, o)| (name.as_str(), o.verdict)).collect();
    let wanted = [
        ("same.weight", Verdict::Equal),
        ("values.weight", Verdict::SameValues),
        ("changed.weight", Verdict::Differ),
        ("missing.weight", Verdict::Missing),
        ("shape.weight", Verdict::Shape),
        ("nan.weight", Verdict::Differ),
        ("extra.weight", Verdict::Extra),
    ];
    assert_eq!(verdicts, wanted);
    let changed = &found[2].2;
    let base = weights(1);
    let (mut e, mut all) = (0.0, 0.0);
    for (i, w) in base.iter().map(|w| f64::from(*w)).enumerate() {
        all += w * w;
        e += if i % 7 == 0 { (w - w * 0.5).powi(2) } else { 0.0 };
    }
    // Half of an f16 is an f16, but for the smallest.
    assert!((changed.rel_mse().unwrap() / (e / all) - 1.0).abs() < 1e-6);
    let halved = base.iter().enumerate().filter(|(i, w)| i % 7 == 0 && **w != 0.0).count() as u64;
    assert_eq!(changed.unequal, halved);
    let nan = &found[5].2;
    assert_eq!((nan.unequal, nan.non_finite, nan.rel_mse()), (1, 1, Some(0.0)), "the rest is the same");
    assert_eq!(found[1].2.rel_mse(), Some(0.0));
    assert!(found[1].1.changes_type(&a, &b) && !found[0].1.changes_type(&a, &b));
}

#[test]
fn figures_do_not_depend_on_threads_or_on_how_files_are_read() {
    let (folder, a, b) = models();
    let options = OpenOptions { mmap: false, ..OpenOptions::default() };
    let open = |name: &str| Model::open(&folder.path().join(name), &options).unwrap();
    let (read_a, read_b) = (open("a.gguf"), open("b.gguf"));
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let one = pool(1).install(|| outcomes(&a, &b));
    let four = pool(4).install(|| outcomes(&read_a, &read_b));
    assert_eq!(one, four);
}

#[test]
fn it_can_be_stopped() {
    let (_folder, a, b) = models();
    let cancel = Cancel::new();
    cancel.cancel();
    for pair in pair_up(&a, &b) {
        assert!(matches!(compare(&a, &b, &pair, &cancel), Err(Error::Cancelled)));
        assert!(matches!(histograms(&a, &b, &pair, &cancel), Err(Error::Cancelled)));
    }
}

#[test]
fn a_damaged_tensor_is_an_outcome_and_the_rest_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let data = weights(3);
    let good = Tiny::default().tensor("x.weight", &[256, 300], DType::F16, f16_bytes(&data));
    let odd = Tiny::default().tensor("x.weight", &[256, 300], DType::F16, f16_bytes(&data)[..1024].to_vec());
    let open =
        |name: &str, tiny: &Tiny| Model::open(&write(folder.path(), name, tiny), &OpenOptions::default()).unwrap();
    let (a, b) = (open("a.gguf", &good), open("b.gguf", &odd));
    let found = outcomes(&a, &b);
    assert_eq!(found[0].2.verdict, Verdict::Unknown, "{found:?}");
    assert!(found[0].2.problem.is_some());
}

#[test]
fn histograms_look_at_the_same_places_of_both() {
    let (_folder, a, b) = models();
    let pairs = pair_up(&a, &b);
    let seen = histograms(&a, &b, &pairs[0], &Cancel::new()).unwrap();
    assert_eq!(seen.a, seen.b);
    assert_eq!((seen.looked_at, seen.whole), (76_800, true));
    assert_eq!(seen.a.unwrap().total(), 76_800);
    let missing = histograms(&a, &b, &pairs[3], &Cancel::new()).unwrap();
    assert!(missing.a.is_some() && missing.b.is_none());
    let extra = histograms(&a, &b, pairs.last().unwrap(), &Cancel::new()).unwrap();
    assert!(extra.a.is_none() && extra.b.is_some());
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_tritscope")).args(arguments).current_dir(folder).output().unwrap()
}

fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            let path = format!("{path}.{key}");
            keys(value, &path, found);
            found.insert(path);
        }),
        Value::Array(items) => items.iter().for_each(|item| keys(item, path, found)),
        _ => {}
    }
}

#[test]
fn the_command_says_what_differs_and_its_exit_code_too() {
    let (folder, ..) = models();
    let same = run(folder.path(), &["compare", "a.gguf", "a.gguf"]);
    assert_eq!(same.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&same.stdout).contains("6 equal"));
    let output = run(folder.path(), &["compare", "a.gguf", "b.gguf"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    for words in
        ["1 equal, 1 same values, 2 differ, 1 other shape, 1 missing, 1 extra", "F16 → F32", "256×300 → 300×256"]
    {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    assert!(!text.contains("same.weight"), "what is equal is a count");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("2 differ, 1 have the same values in another type"), "{told}");
    assert_eq!(run(folder.path(), &["compare", "a.gguf", "nothing.gguf"]).status.code(), Some(4));
}

#[test]
fn types_may_differ_where_values_do_not_if_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let base = weights(2);
    let of = |dtype, bytes| Tiny::default().tensor("x.weight", &[256, 300], dtype, bytes);
    write(folder.path(), "half.gguf", &of(DType::F16, f16_bytes(&base)));
    write(folder.path(), "single.gguf", &of(DType::F32, f32_bytes(&base)));
    let code = |arguments: &[&str]| run(folder.path(), arguments).status.code();
    assert_eq!(code(&["compare", "half.gguf", "single.gguf"]), Some(1));
    assert_eq!(code(&["compare", "half.gguf", "single.gguf", "--values"]), Some(0));
}

#[test]
fn a_repacked_file_has_the_values_of_its_source() {
    let folder = tempfile::tempdir().unwrap();
    // The last is ternary as it is: nothing is lost of it, and it counts as the others do.
    let lossless: Vec<f32> =
        normals(256 * 64, 6).iter().map(|w| if w.abs() < 0.5 { 0.0 } else { 0.25f32.copysign(*w) }).collect();
    let model = Tiny::default()
        .normal("blk.0.ffn_up.weight", &[256, 64], 4)
        .normal("blk.0.attn_q.weight", &[256, 64], 5)
        .tensor("blk.0.ffn_down.weight", &[256, 64], DType::F32, f32_bytes(&lossless));
    write(folder.path(), "m.gguf", &model);
    let ok = |arguments: &[&str]| {
        let output = run(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    ok(&["quantize", "m.gguf", "-o", "t.gguf", "--layers", "all"]);
    ok(&["repack", "t.gguf", "-o", "r.gguf", "--to", "q2_0"]);
    ok(&["compare", "t.gguf", "r.gguf", "--values"]);
    let plan: Value =
        serde_json::from_slice(&run(folder.path(), &["plan", "m.gguf", "--layers", "all", "--exact", "--json"]).stdout)
            .unwrap();
    let compared: Value =
        serde_json::from_slice(&run(folder.path(), &["compare", "m.gguf", "t.gguf", "--json"]).stdout).unwrap();
    let error = |document: &Value| document["totals"]["rel_mse"].as_f64().unwrap();
    assert!((error(&plan) / error(&compared) - 1.0).abs() < 1e-3, "result against source is the plan's error");
    assert_eq!(compared["totals"]["differ"], 2);
    assert_eq!(compared["totals"]["ternary"], 3);
    assert_eq!(compared["totals"]["ternary_rel_mse"], compared["totals"]["rel_mse"]);
}

#[test]
fn the_document_has_the_keys_of_the_committed_sample() {
    let (folder, ..) = models();
    let output = run(folder.path(), &["compare", "a.gguf", "b.gguf", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/compare.sample.json");
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut have, mut want) = (BTreeSet::new(), BTreeSet::new());
    keys(&found, "", &mut have);
    keys(&sample, "", &mut want);
    assert_eq!(have, want);
    assert_eq!(found["equal"], false);
    assert_eq!(found["tensors"][1]["verdict"], "same-values");
}
