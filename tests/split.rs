//! Models in several GGUF shards: opened by any of them, by folder, by glob; exported merged or as they were split.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::reading::{assert_same, complaints, files, messages, open, raw, tensor, weights};
use support::writers::Coded;
use support::{Kv, Tiny, f32_bytes, normals};
use tempfile::TempDir;
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Error, Result, Severity};
use tritscope::engine::export::{ExportOptions, ExportSummary, Verify, export};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::{Mask, Recipe, resolve};
use tritscope::engine::progress::{Cancel, Delta, Progress, Silent, Stage};

/// An unsigned 16-bit value.
fn u16_kv(n: u16) -> Kv {
    Kv::Raw(2, n.to_le_bytes().to_vec())
}

/// The split keys of shard `no` of `count`.
fn split(tiny: Tiny, no: u16, count: u16, tensors: i32) -> Tiny {
    tiny.kv("split.no", u16_kv(no)).kv("split.count", u16_kv(count)).kv("split.tensors.count", Kv::I32(tensors))
}

/// A later shard: split keys only, not even an architecture.
fn later(no: u16, count: u16, tensors: i32) -> Tiny {
    split(Tiny { kvs: Vec::new(), ..Tiny::default() }, no, count, tensors)
}

/// Three shards: the first has the metadata, an alignment of 64 and no tensors, the last an alignment of 128.
fn shards() -> [Tiny; 3] {
    let first = split(Tiny::default(), 0, 3, 5)
        .kv("general.name", Kv::Str("in parts".into()))
        .kv("llama.block_count", Kv::U32(1))
        .alignment(64);
    let second = later(1, 3, 5)
        .normal("token_embd.weight", &[256, 8], 1)
        .normal("blk.0.attn_norm.weight", &[100], 2)
        .normal("blk.0.ffn_up.weight", &[256, 33], 3);
    let third = later(2, 3, 5).alignment(128).normal("blk.0.ffn_down.weight", &[256, 20], 4).normal(
        "output_norm.weight",
        &[33],
        5,
    );
    [first, second, third]
}

/// The same tensors in one file.
fn whole() -> Tiny {
    let [first, second, third] = shards();
    let mut whole = Tiny { padded_to: 64, ..Tiny::default() };
    whole.kvs = first.kvs.into_iter().filter(|(key, _)| !key.starts_with(b"split.")).collect();
    whole.tensors = second.tensors.into_iter().chain(third.tensors).collect();
    whole
}

fn name(no: usize, count: usize) -> String {
    format!("part-{:05}-of-{count:05}.gguf", no + 1)
}

/// Writes shards into a new folder.
fn written(shards: &[Tiny]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (i, shard) in shards.iter().enumerate() {
        std::fs::write(folder.path().join(name(i, shards.len())), shard.bytes()).unwrap();
    }
    folder
}

fn all() -> Recipe {
    Recipe { layers: Mask::All, ..Recipe::default() }
}

fn run(model: &Model, options: &ExportOptions) -> Result<ExportSummary> {
    export(model, &resolve(model, &all()), &all(), options, &Silent, &Cancel::new())
}

fn kept(out: PathBuf) -> ExportOptions {
    ExportOptions { keep_split: true, sync: false, verify: Verify::Full, ..ExportOptions::new(out) }
}

/// Asserts that two models have the same tensors, byte for byte.
fn assert_same_tensors(found: &Model, meant: &Model, what: &str) {
    let names = |m: &Model| m.tensors.iter().map(|t| (t.name.clone(), t.dims.clone(), t.dtype)).collect::<Vec<_>>();
    assert_same(&names(found), &names(meant), what);
    for tensor in &meant.tensors {
        assert_same(&raw(found, &tensor.name), &raw(meant, &tensor.name), &format!("{what}: {}", tensor.name));
    }
}

#[test]
fn any_shard_a_folder_and_a_glob_open_the_whole_model() {
    let folder = written(&shards());
    let meant = whole().open().unwrap();
    let mut places: Vec<PathBuf> = (0..3).map(|i| folder.path().join(name(i, 3))).collect();
    places.extend([folder.path().to_owned(), folder.path().join("*.gguf"), folder.path().join("part-0000[23]*")]);
    for place in places {
        for mmap in [true, false] {
            let model = Model::open(&place, &OpenOptions { mmap, ..OpenOptions::default() }).unwrap();
            assert_eq!(complaints(&model), [""; 0], "{}: {:?}", place.display(), model.diagnostics);
            assert_same_tensors(&model, &meant, &place.display().to_string());
            assert_same(
                &weights(&model, "blk.0.ffn_down.weight"),
                &weights(&meant, "blk.0.ffn_down.weight"),
                "weights",
            );
            assert_eq!((model.files.len(), model.container_words().as_str()), (3, "GGUF v3, 3 shards"));
            assert_eq!((model.title().as_str(), model.architecture.as_deref()), ("in parts", Some("llama")));
            assert_eq!(model.tensors[3].file, 2);
        }
    }
}

#[test]
fn missing_shards_are_named_and_stop_an_export() {
    for absent in 0..3 {
        let folder = written(&shards());
        std::fs::remove_file(folder.path().join(name(absent, 3))).unwrap();
        let there = folder.path().join(name((absent + 1) % 3, 3));
        let model = open(&there).unwrap();
        let told = messages(&model, "missing-shard").concat();
        assert_eq!(told, format!("shard {} of 3 is missing: {}", absent + 1, name(absent, 3)));
        // What is there can be looked at.
        let plan = resolve(&model, &all());
        assert_eq!(plan.decisions.len(), [5, 2, 3][absent]);
        let error = run(&model, &ExportOptions::new(folder.path().join("out.gguf"))).unwrap_err();
        assert!(error.exit_code() == 3 && error.to_string().contains(&name(absent, 3)), "{error}");
        assert_eq!(files(folder.path()).len(), 2);
    }
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join(name(0, 3))).unwrap_err();
    assert!(error.to_string().contains(&name(0, 3)), "{error}");
}

#[test]
fn split_keys_that_disagree_with_the_files_are_errors_with_both_numbers() {
    let change = |shard: usize, key: &str, value: Kv| {
        let mut shards = shards();
        for (k, v) in shards[shard].kvs.iter_mut().filter(|(k, _)| k == key.as_bytes()) {
            assert_eq!(k, key.as_bytes());
            *v = value.clone();
        }
        let model = open(&written(&shards).path().join(name(1, 3))).unwrap();
        let error = model.require_sound().expect_err(key).to_string();
        assert!(error.contains("[split]"), "{error}");
        error
    };
    assert!(change(0, "split.count", u16_kv(2)).contains("split.count is 2, expected 3"));
    assert!(change(2, "split.count", u16_kv(4)).contains(&format!("{}: split.count is 4, expected 3", name(2, 3))));
    assert!(change(1, "split.no", u16_kv(2)).contains(&format!("{}: split.no is 2, expected 1", name(1, 3))));
    assert!(change(2, "split.no", u16_kv(1)).contains("split.no is 1, expected 2"));
    assert!(change(0, "split.no", u16_kv(1)).contains("split.no is 1, expected 0"));
    assert!(change(0, "split.tensors.count", Kv::I32(6)).contains("split.tensors.count is 6, the shards hold 5"));
    // Missing altogether.
    let mut shards = shards();
    shards[1].kvs.clear();
    let error = open(written(&shards).path()).unwrap().require_sound().unwrap_err().to_string();
    assert!(error.contains(&format!("{}: split.no is missing", name(1, 3))), "{error}");
}

#[test]
fn a_tensor_in_two_shards_is_an_error_that_names_them() {
    let mut shards = shards();
    let [_, second, third] = &mut shards;
    second.tensors.push(third.tensors[0].clone());
    let model = open(written(&shards).path()).unwrap();
    let twice = model.diagnostics.iter().find(|d| d.code == "duplicate-name").unwrap();
    assert_eq!(twice.tensor.as_deref(), Some("blk.0.ffn_down.weight"));
    assert!(twice.severity == Severity::Error && twice.message == "is in shard 2 and in shard 3", "{twice}");
}

#[test]
fn keys_that_say_one_mean_not_split() {
    for count in [0, 1] {
        let tiny = split(support::dense(), 0, count, 5);
        let model = tiny.open().unwrap();
        assert_eq!(complaints(&model), [""; 0]);
        let folder = tempfile::tempdir().unwrap();
        for keep_split in [true, false] {
            let options = ExportOptions { keep_split, ..kept(folder.path().join("out.gguf")) };
            let summary = run(&model, &ExportOptions { force: true, ..options }).unwrap();
            assert_eq!(summary.files, [folder.path().join("out.gguf")]);
            let out = open(&summary.out).unwrap();
            assert!(!out.metadata.entries().iter().any(|e| e.key.starts_with("split.")));
        }
    }
    // More than one, in a file whose name does not tell where the others are.
    let model = split(support::dense(), 1, 3, 15).open().unwrap();
    assert!(messages(&model, "missing-shard").concat().contains("one of 3 shards"));
}

#[test]
fn dialects_are_told_over_all_shards() {
    // The one tensor of the second shard leaves both meanings open, those of the first do not.
    let coded = Coded::random(DType::Q2_0_G128, 128, 1, 1);
    let mut first = split(Tiny::default(), 0, 2, 3);
    for i in 0..2 {
        let name = format!("blk.{i}.ffn_up.weight");
        first = first.coded(&name, DType::Q2_0_G128, &Coded::random(DType::Q2_0_G128, 256, 16, i));
    }
    let second = later(1, 2, 3).coded("blk.2.ffn_up.weight", DType::Q2_0_G128, &coded);
    let model = open(written(&[first, second]).path()).unwrap();
    assert_eq!((model.dialects[0].chosen, model.dialects[0].tensors), (DType::Q2_0_G128, 3));
    assert_same(&weights(&model, "blk.2.ffn_up.weight"), &coded.weights(DType::Q2_0_G128), "weights");
}

#[test]
fn a_merged_output_is_that_of_the_whole_model() {
    let folder = written(&shards());
    let model = open(folder.path()).unwrap();
    let out = folder.path().join("merged/out.gguf");
    std::fs::create_dir(out.parent().unwrap()).unwrap();
    let options = |out: &Path| ExportOptions { provenance: false, ..ExportOptions::new(out) };
    let summary = run(&model, &options(&out)).unwrap();
    assert_eq!(summary.files, std::slice::from_ref(&out));
    let of_whole = folder.path().join("merged/whole.gguf");
    run(&whole().open().unwrap(), &options(&of_whole)).unwrap();
    assert_same(&std::fs::read(&out).unwrap(), &std::fs::read(&of_whole).unwrap(), "the file");
}

#[test]
fn a_kept_split_has_the_same_data_and_keys_that_are_right() {
    let folder = written(&shards());
    let model = open(folder.path()).unwrap();
    let place = folder.path().join("kept");
    std::fs::create_dir(&place).unwrap();
    let merged = run(&model, &ExportOptions::new(folder.path().join("merged.gguf"))).unwrap();
    let merged = open(&merged.out).unwrap();
    for out in ["out.gguf", "other"] {
        let summary = run(&model, &kept(place.join(out))).unwrap();
        let stem = out.trim_end_matches(".gguf");
        let names: Vec<PathBuf> = (1..4).map(|i| place.join(format!("{stem}-{i:05}-of-00003.gguf"))).collect();
        assert_eq!((&summary.files, &summary.out), (&names, &names[0]));
        assert_eq!(summary.bytes, names.iter().map(|n| n.metadata().unwrap().len()).sum::<u64>());
        let split = open(&names[1]).unwrap();
        split.require_sound().unwrap();
        assert_eq!(complaints(&split), [""; 0]);
        assert_same_tensors(&split, &merged, out);
        assert_eq!(split.tensors.iter().map(|t| t.file).collect::<Vec<_>>(), [1, 1, 1, 2, 2]);
        for (i, path) in names.iter().enumerate() {
            // Under another name it is a file of its own, whose keys can be read.
            let alone = place.join("alone.gguf");
            std::fs::copy(path, &alone).unwrap();
            let shard = open(&alone).unwrap();
            let number = |key: &str| shard.metadata(key).and_then(|v| v.as_u64());
            assert_eq!(number("split.no"), Some(i as u64));
            assert_eq!((number("split.count"), number("split.tensors.count")), (Some(3), Some(5)));
            assert_eq!(shard.metadata("general.name").is_some(), i == 0);
            assert_eq!(shard.alignment, if i == 0 { 64 } else { 32 });
            std::fs::remove_file(alone).unwrap();
        }
    }
}

#[test]
fn an_existing_shard_is_not_replaced_unless_told() {
    let folder = written(&shards());
    let model = open(folder.path()).unwrap();
    let place = folder.path().join("kept");
    std::fs::create_dir(&place).unwrap();
    let taken = place.join("out-00002-of-00003.gguf");
    std::fs::write(&taken, "mine").unwrap();
    let error = run(&model, &kept(place.join("out.gguf"))).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("out-00002-of-00003.gguf exists"), "{error}");
    assert_eq!(files(&place), ["out-00002-of-00003.gguf"]);
    assert_eq!(std::fs::read(&taken).unwrap(), b"mine");
    run(&model, &ExportOptions { force: true, ..kept(place.join("out.gguf")) }).unwrap();
    assert_eq!(files(&place).len(), 3);
    open(&taken).unwrap().require_sound().unwrap();
    // No shard is written over a shard of the source.
    let error = run(&model, &ExportOptions { force: true, ..kept(folder.path().join("part.gguf")) }).unwrap_err();
    assert!(error.to_string().contains("is the source itself"), "{error}");
    assert_same_tensors(&open(&folder.path().join(name(0, 3))).unwrap(), &whole().open().unwrap(), "the source");
}

/// Does something at one stage of an export.
struct At<F: Fn(&Delta) + Sync>(F);

impl<F: Fn(&Delta) + Sync> Progress for At<F> {
    fn report(&self, delta: Delta) {
        (self.0)(&delta);
    }
}

fn run_at(model: &Model, out: PathBuf, cancel: &Cancel, at: impl Fn(&Delta) + Sync) -> Result<ExportSummary> {
    export(model, &resolve(model, &all()), &all(), &kept(out), &At(at), cancel)
}

#[test]
fn a_kept_split_that_fails_leaves_nothing() {
    let source = written(&shards());
    let model = open(source.path()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let out = || place.path().join("out.gguf");
    for stage in [Stage::Prepare, Stage::Write, Stage::Verify, Stage::Finish] {
        let cancel = Cancel::new();
        let raise = |delta: &Delta| {
            if *delta == Delta::Stage(stage) {
                cancel.cancel();
            }
        };
        assert!(matches!(run_at(&model, out(), &cancel, raise), Err(Error::Cancelled)), "{stage:?}");
        assert_eq!(files(place.path()), [""; 0], "{stage:?}");
    }
    // Damage to the second shard before it is checked.
    let damage = |delta: &Delta| {
        if *delta == Delta::Stage(Stage::Verify) {
            let partial = place.path().join("out-00002-of-00003.gguf.partial");
            let file = std::fs::OpenOptions::new().write(true).open(&partial).unwrap();
            file.write_all_at(&[0x55], file.metadata().unwrap().len() - 100).unwrap();
        }
    };
    let error = run_at(&model, out(), &Cancel::new(), damage).unwrap_err();
    assert!(matches!(error, Error::Check(_)), "{error}");
    assert_eq!(files(place.path()), [""; 0]);
    // A file that appears under the last shard's name: those that had theirs already are taken back.
    let taken = place.path().join("out-00003-of-00003.gguf");
    let appear = |delta: &Delta| {
        if *delta == Delta::Stage(Stage::Finish) {
            std::fs::write(&taken, "somebody else's").unwrap();
        }
    };
    let error = run_at(&model, out(), &Cancel::new(), appear).unwrap_err();
    assert!(error.exit_code() == 2, "{error}");
    assert_eq!(files(place.path()), ["out-00003-of-00003.gguf"]);
    assert_eq!(std::fs::read(&taken).unwrap(), b"somebody else's");
}

#[test]
fn weights_of_the_last_shard_that_cannot_be_coded_leave_nothing() {
    let mut shards = shards();
    let mut bad = normals(256 * 4, 1);
    bad[1000] = f32::NAN;
    let [first, _, third] = &mut shards;
    *third = third.clone().tensor("blk.1.ffn_up.weight", &[256, 4], DType::F32, f32_bytes(&bad));
    *first = split(Tiny { kvs: vec![first.kvs[0].clone()], ..Tiny::default() }, 0, 3, 6);
    let source = written(&shards);
    let model = open(source.path()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let error = run(&model, &kept(place.path().join("out.gguf"))).unwrap_err();
    assert!(error.to_string().contains("element 1000 is NaN"), "{error}");
    assert_eq!(files(place.path()), [""; 0]);
}

#[test]
fn the_command_line_merges_and_keeps() {
    let folder = written(&shards());
    let tritscope = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
        let output = command.args(args).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    let shard = name(1, 3);
    let (code, text) = tritscope(&["inspect", &shard]);
    assert!(code == Some(0) && text.contains("GGUF v3, 3 shards") && text.contains("5 tensors"), "{text}");
    let quantize = |out: &'static str, more: &[&'static str]| {
        let args = ["quantize", shard.as_str(), "-o", out, "--layers", "all"];
        tritscope(&[args.as_slice(), more].concat())
    };
    assert_eq!(quantize("merged.gguf", &[]).0, Some(0));
    let (code, text) = quantize("kept.gguf", &["--keep-split"]);
    assert!(code == Some(0) && text.contains("kept-00001-of-00003.gguf"), "{text}");
    let (kept, merged) = (folder.path().join("kept-00003-of-00003.gguf"), folder.path().join("merged.gguf"));
    assert_same_tensors(&open(&kept).unwrap(), &open(&merged).unwrap(), "kept and merged");
    assert_eq!(tensor(&open(&kept).unwrap(), "blk.0.ffn_up.weight").dtype, DType::TQ2_0);
    let (code, text) =
        tritscope(&["repack", "kept-00002-of-00003.gguf", "-o", "q.gguf", "--to", "q2_0", "--keep-split"]);
    assert!(code == Some(0) && text.contains("q-00003-of-00003.gguf"), "{text}");
    assert_eq!(open(&folder.path().join("q-00001-of-00003.gguf")).unwrap().tensors[2].dtype, DType::Q2_0);
    std::fs::remove_file(folder.path().join("kept-00001-of-00003.gguf")).unwrap();
    let (code, text) = tritscope(&["inspect", "kept-00002-of-00003.gguf"]);
    assert!(code == Some(0) && text.contains("shard 1 of 3 is missing: kept-00001-of-00003.gguf"), "{text}");
    let (code, text) = tritscope(&["repack", "kept-00002-of-00003.gguf", "-o", "x.gguf", "--to", "q2_0"]);
    assert!(code == Some(3) && text.contains("kept-00001-of-00003.gguf"), "{text}");
    let (code, text) = tritscope(&["inspect", "."]);
    assert!(code == Some(2) && text.contains("models; name one of them"), "{text}");
}
