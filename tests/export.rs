//! Exports: the bytes, what is carried over, what is refused, and that nothing half-written is ever left.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use support::{Kv, Tiny, dense, f16_bytes, f32_bytes, moe, normals, open_bytes};
use tempfile::TempDir;
use tritscope::engine::codec::DType;
use tritscope::engine::demo;
use tritscope::engine::error::{Error, Result};
use tritscope::engine::export::{ExportOptions, ExportSummary, Reader, Verify, export, fingerprint};
use tritscope::engine::format::gguf::Value;
use tritscope::engine::format::source::AlignedBuf;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::{Action, Mask, Pattern, Precision, Recipe, Rule, resolve};
use tritscope::engine::progress::{Cancel, Delta, Progress, Silent, Stage};
use tritscope::engine::ternary::{Format, Method};

fn all() -> Recipe {
    Recipe { layers: Mask::All, ..Recipe::default() }
}

fn run(model: &Model, recipe: &Recipe, options: &ExportOptions) -> Result<ExportSummary> {
    export(model, &resolve(model, recipe), recipe, options, &Silent, &Cancel::new())
}

/// Quantizes to `out.gguf` in a new folder and opens the result.
fn quantized(model: &Model, recipe: &Recipe) -> (TempDir, Model, ExportSummary) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.gguf");
    let summary = run(model, recipe, &ExportOptions { verify: Verify::Full, ..ExportOptions::new(&out) }).unwrap();
    let written = Model::open(&out, &OpenOptions::default()).unwrap();
    written.require_sound().unwrap();
    (folder, written, summary)
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn raw(model: &Model, name: &str) -> Vec<u8> {
    let tensor = &model.tensors[model.find(name).unwrap()];
    model.read_raw(tensor, 0, tensor.bytes as usize, &mut AlignedBuf::new()).unwrap().to_vec()
}

#[test]
fn bytes_do_not_depend_on_threads_mapping_or_memory() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("demo.gguf");
    demo::write(&source).unwrap();
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for (threads, mmap, max_memory) in
        [(1, true, u64::MAX), (3, true, u64::MAX), (8, false, u64::MAX), (2, false, 1 << 20)]
    {
        let out = folder.path().join("out.gguf");
        let model = Model::open(&source, &OpenOptions { mmap, ..OpenOptions::default() }).unwrap();
        let options = ExportOptions { max_memory, force: true, ..ExportOptions::new(&out) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&model, &Recipe::default(), &options)).unwrap();
        outputs.push(fs::read(&out).unwrap());
    }
    assert!(outputs.windows(2).all(|w| w[0] == w[1]));
}

#[test]
fn order_metadata_alignment_and_kept_bytes_are_carried_over() {
    let tiny = Tiny::default()
        .alignment(64)
        .kv("zz.last", Kv::Strings(vec!["a".into(), String::new(), "c".into()]))
        .kv("general.file_type", Kv::U32(1))
        .kv("aa.first", Kv::F64(-0.0))
        .normal("blk.1.ffn_up.weight", &[256, 16], 1)
        .normal("output_norm.weight", &[100], 2)
        .normal("blk.0.ffn_up.weight", &[256, 16, 1], 3)
        .normal("token_embd.weight", &[33, 3], 4);
    let model = tiny.open().unwrap();
    let (_folder, written, summary) = quantized(&model, &all());
    let names = |m: &Model| m.tensors.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&written), names(&model));
    assert_eq!(written.tensors[2].dims[..], [256, 16, 1]);
    let keys: Vec<&str> = written.gguf().unwrap().kvs.iter().map(|kv| kv.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "general.architecture",
            "general.alignment",
            "zz.last",
            "general.file_type",
            "aa.first",
            "general.quantization_version",
            "tritscope.version",
            "tritscope.recipe",
            "tritscope.source"
        ]
    );
    assert_eq!(written.metadata("general.file_type"), Some(Value::u32(37)));
    assert_eq!(written.metadata("general.quantization_version"), Some(Value::u32(2)));
    assert_eq!(written.gguf().unwrap().alignment, 64);
    assert!(
        written.gguf().unwrap().tensors.iter().all(|t| t.offset % 64 == 0) && written.source().len().is_multiple_of(64)
    );
    for name in ["output_norm.weight", "token_embd.weight"] {
        assert_eq!(raw(&written, name), raw(&model, name));
    }
    assert_eq!(summary.check.reader, Reader::GgufRsLib);
    assert_eq!(summary.check.recomputed, 2);
}

#[test]
fn provenance_is_true_and_can_be_left_out() {
    let model = dense().open().unwrap();
    let (folder, written, _) = quantized(&model, &all());
    let text = |key: &str| written.metadata(key).unwrap().as_str().unwrap().to_owned();
    assert_eq!(text("tritscope.version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(text("tritscope.recipe").parse::<Recipe>().unwrap(), all());
    assert_eq!(text("tritscope.source"), fingerprint(&model).unwrap());
    // A second run replaces what the first said of itself, instead of repeating it.
    let (_f, twice, _) = quantized(&written, &Recipe { format: Format::Tq1_0, ..all() });
    assert_eq!(twice.gguf().unwrap().kvs.iter().filter(|kv| kv.key.starts_with("tritscope.")).count(), 3);
    assert_eq!(twice.metadata("tritscope.source").unwrap().as_str().unwrap(), fingerprint(&written).unwrap());

    let out = folder.path().join("plain.gguf");
    run(&model, &all(), &ExportOptions { provenance: false, ..ExportOptions::new(&out) }).unwrap();
    let plain = Model::open(&out, &OpenOptions::default()).unwrap();
    assert!(plain.gguf().unwrap().kvs.iter().all(|kv| !kv.key.starts_with("tritscope.")));
}

#[test]
fn the_fingerprint_changes_with_header_length_and_sampled_pages() {
    let bytes = dense().bytes();
    let of = |bytes: &[u8]| fingerprint(&open_bytes(bytes, true).unwrap()).unwrap();
    let base = of(&bytes);
    assert_eq!(base, fingerprint(&open_bytes(&bytes, false).unwrap()).unwrap());
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_ne!(of(&other), base);
    assert_ne!(of(&[bytes.clone(), vec![0]].concat()), base);
    assert_ne!(of(&dense().kv("a.b", Kv::U32(1)).bytes()), base);
}

#[test]
fn version_2_is_read_and_version_3_written() {
    let model = Tiny { version: 2, ..dense() }.open().unwrap();
    assert_eq!(model.gguf().unwrap().version, 2);
    let (_folder, written, summary) = quantized(&model, &all());
    assert_eq!(written.gguf().unwrap().version, 3);
    assert_eq!(summary.check.reader, Reader::GgufRsLib);
}

#[test]
fn kept_tensors_are_converted_on_request() {
    let weights = [1.0, -2.5, 65504.0, 1e-7, -0.0, 3.140_625, 0.1, 7.0];
    let model = Tiny::default()
        .tensor("token_embd.weight", &[4, 2], DType::F16, f16_bytes(&weights))
        .tensor("output_norm.weight", &[8], DType::F16, f16_bytes(&weights))
        .open()
        .unwrap();
    let keep = |keep_precision| Recipe { keep_precision, ..Recipe::default() };
    let (_folder, written, _) = quantized(&model, &keep(Precision::F32));
    let exact: Vec<f32> = weights.iter().map(|w| half::f16::from_f32(*w).to_f32()).collect();
    assert_eq!(raw(&written, "token_embd.weight"), f32_bytes(&exact));
    assert_eq!(written.metadata("general.file_type"), Some(Value::u32(0)));
    assert!(written.metadata("general.quantization_version").is_none());
    let (_folder, written, _) = quantized(&model, &keep(Precision::Bf16));
    assert_eq!(written.tensors[0].dtype, DType::BF16);
    assert_eq!(raw(&written, "output_norm.weight"), f32_bytes(&exact));
}

#[test]
fn a_value_that_the_new_type_cannot_hold_is_an_error() {
    let model = Tiny::default()
        .tensor("token_embd.weight", &[2, 2], DType::F32, f32_bytes(&[1.0, 2.0, 3.0, 1e6]))
        .open()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { keep_precision: Precision::F16, ..Recipe::default() };
    let error = run(&model, &recipe, &ExportOptions::new(folder.path().join("o.gguf"))).unwrap_err();
    assert!(error.to_string().contains("token_embd.weight") && error.to_string().contains("element 3"), "{error}");
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_natively_ternary_tensor_loses_nothing_but_under_absmean() {
    let trits: Vec<f32> =
        normals(512 * 8, 3).iter().map(|w| if w.abs() < 0.01 { 0.0 } else { 0.375 * w.signum() }).collect();
    let model = Tiny::default().tensor("blk.0.ffn_up.weight", &[512, 8], DType::F16, f16_bytes(&trits)).open().unwrap();
    for method in Method::ALL {
        // One scale for a tensor has rules of its own, and its tests.
        for format in Format::ALL.into_iter().filter(|f| f.is_plain() && !f.has_one_scale()) {
            let (_folder, written, summary) = quantized(&model, &Recipe { method, format, ..all() });
            let mut decoded = vec![0.0; trits.len()];
            written.read_f32(&written.tensors[0], 0, &mut decoded, &mut AlignedBuf::new()).unwrap();
            assert_eq!(decoded == trits, method != Method::Absmean, "{method} {format}");
            assert_eq!(summary.stats.errors.rel_mse() == 0.0, method != Method::Absmean);
        }
    }
}

#[test]
fn lossless_refuses_what_is_not_ternary_and_names_the_block() {
    let folder = tempfile::tempdir().unwrap();
    let model = dense().open().unwrap();
    let error =
        run(&model, &Recipe { method: Method::Lossless, ..all() }, &ExportOptions::new(folder.path().join("o")))
            .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("blk.0.ffn_up.weight") && text.contains("block 0"), "{text}");
    assert_eq!(error.exit_code(), 3);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn experts_have_figures_of_their_own() {
    let model = moe().open().unwrap();
    let rules = vec![Rule { pattern: "*gate_exps*".parse::<Pattern>().unwrap(), action: Action::TERNARY }];
    let recipe = Recipe { format: Format::Q2_0, layers: Mask::Custom, rules, ..Recipe::default() };
    let (_folder, _, summary) = quantized(&model, &recipe);
    let outcome = &summary.tensors[model.find("blk.3.ffn_gate_exps.weight").unwrap()];
    assert_eq!(outcome.slices.len(), 4);
    let whole = outcome.stats.unwrap().errors;
    assert_eq!(outcome.slices.iter().map(|s| s.errors.n).sum::<u64>(), whole.n);
    let sum: f64 = outcome.slices.iter().map(|s| s.errors.sum_e2).sum();
    assert!((sum / whole.sum_e2 - 1.0).abs() < 1e-12);
}

#[test]
fn a_nan_that_goes_ternary_is_an_error_and_one_that_stays_is_reported() {
    let mut weights = normals(256 * 8, 1);
    weights[1000] = f32::NAN;
    weights[1500] = f32::INFINITY;
    let build = |name: &str| {
        Tiny::default()
            .normal("blk.0.ffn_down.weight", &[256, 4], 2)
            .tensor(name, &[256, 8], DType::F32, f32_bytes(&weights))
            .open()
            .unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.gguf");
    for method in [Method::Exact, Method::Absmean, Method::Max] {
        let error =
            run(&build("blk.0.ffn_up.weight"), &Recipe { method, ..all() }, &ExportOptions::new(&out)).unwrap_err();
        assert!(error.to_string().contains("'blk.0.ffn_up.weight': element 1000 is NaN"), "{error}");
        assert!(files(folder.path()).is_empty());
    }
    let summary = run(&build("token_embd.weight"), &all(), &ExportOptions::new(&out)).unwrap();
    let warning = summary.warnings.iter().find(|w| w.code == "non-finite").unwrap();
    assert!(warning.message.starts_with("2 NaN or infinite") && warning.tensor.as_deref() == Some("token_embd.weight"));
}

#[test]
fn scales_that_f16_cannot_hold_are_an_error_or_reported() {
    let folder = tempfile::tempdir().unwrap();
    let build = |size: f32| {
        let weights: Vec<f32> = normals(256 * 4, 1).iter().map(|w| w * size).collect();
        Tiny::default().tensor("blk.0.ffn_up.weight", &[256, 4], DType::F32, f32_bytes(&weights)).open().unwrap()
    };
    let error = run(&build(1e9), &all(), &ExportOptions::new(folder.path().join("a"))).unwrap_err();
    assert!(error.to_string().contains("block 0") && files(folder.path()).is_empty(), "{error}");
    let summary = run(&build(1e-5), &all(), &ExportOptions::new(folder.path().join("b"))).unwrap();
    assert!(summary.warnings.iter().any(|w| w.code == "scale-underflow" && w.message.contains("4 of 4 blocks")));
}

#[test]
fn outputs_that_must_not_be_written_are_refused_before_anything_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let source = dense().write(folder.path());
    let model = Model::open(&source, &OpenOptions::default()).unwrap();
    let link = folder.path().join("link.gguf");
    let hard = folder.path().join("hard.gguf");
    std::os::unix::fs::symlink(&source, &link).unwrap();
    fs::hard_link(&source, &hard).unwrap();
    let before = fs::read(&source).unwrap();
    let refused = |out: &Path, force: bool| {
        let error = run(&model, &all(), &ExportOptions { force, ..ExportOptions::new(out) }).unwrap_err();
        (error.exit_code(), error.to_string())
    };
    for out in [&source, &link, &hard] {
        let (code, text) = refused(out, true);
        assert!(code == 2 && text.contains("is the source itself"), "{text}");
    }
    let other = folder.path().join("other");
    fs::write(&other, "mine").unwrap();
    assert!(refused(&other, false).1.contains("--force replaces it"));
    assert!(refused(folder.path(), true).1.contains("no regular file"));
    assert_eq!(refused(&folder.path().join("no/such/o.gguf"), false).0, 4);
    assert_eq!(refused(Path::new("/"), true).0, 2);
    assert_eq!(files(folder.path()), ["hard.gguf", "link.gguf", "model.gguf", "other"]);
    assert_eq!(fs::read(&source).unwrap(), before);
    run(&model, &all(), &ExportOptions { force: true, ..ExportOptions::new(&other) }).unwrap();
    assert!(fs::read(&other).unwrap().starts_with(b"GGUF"));
}

#[test]
fn a_run_that_would_change_nothing_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        run(&dense().open().unwrap(), &Recipe::default(), &ExportOptions::new(folder.path().join("o"))).unwrap_err();
    assert!(matches!(error, Error::NothingToDo(_)) && error.exit_code() == 2);
    assert!(error.to_string().contains("no routed experts"), "{error}");
}

#[test]
fn an_unsound_source_is_refused_with_the_first_reason() {
    let folder = tempfile::tempdir().unwrap();
    let model = dense().tensor("blk.0.attn_q.weight", &[256, 2], DType::of_number(999), vec![0; 64]).open().unwrap();
    let error = run(&model, &all(), &ExportOptions::new(folder.path().join("o"))).unwrap_err();
    assert!(error.exit_code() == 3 && error.to_string().contains("999"), "{error}");
    let shard = dense().kv("split.count", Kv::U32(3)).open().unwrap();
    let error = run(&shard, &all(), &ExportOptions::new(folder.path().join("o"))).unwrap_err();
    assert!(error.to_string().contains("one of 3 shards"), "{error}");
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_partial_file_of_a_killed_run_is_only_replaced_under_force_and_a_live_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.gguf");
    let partial = folder.path().join("o.gguf.partial");
    fs::write(&partial, "left over").unwrap();
    let model = dense().open().unwrap();
    let options = |force| ExportOptions { force, ..ExportOptions::new(&out) };
    let error = run(&model, &all(), &options(false)).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("as a run that was killed leaves it"), "{error}");
    let live = fs::File::open(&partial).unwrap();
    rustix::fs::flock(&live, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let error = run(&model, &all(), &options(true)).unwrap_err();
    assert!(error.to_string().contains("being written by another run"), "{error}");
    assert_eq!(fs::read(&partial).unwrap(), b"left over");
    drop(live);
    run(&model, &all(), &options(true)).unwrap();
    assert_eq!(files(folder.path()), ["o.gguf"]);
}

/// Does something at one point of an export.
struct At<F: Fn(&Delta) + Sync>(F);

impl<F: Fn(&Delta) + Sync> Progress for At<F> {
    fn report(&self, delta: Delta) {
        (self.0)(&delta);
    }
}

#[test]
fn an_export_that_pauses_moves_no_byte_and_ends_as_if_it_had_not() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("demo.gguf");
    demo::write(&source).unwrap();
    let model = Model::open(&source, &OpenOptions::default()).unwrap();
    let straight = folder.path().join("straight.gguf");
    run(&model, &all(), &ExportOptions::new(&straight)).unwrap();

    let moved = AtomicU64::new(0);
    for cancelled in [false, true] {
        let out = folder.path().join(format!("paused-{cancelled}.gguf"));
        let cancel = Cancel::new();
        // Paused from within, after a tensor of the middle.
        let follow = |delta: &Delta| {
            moved.fetch_add(1, Ordering::SeqCst);
            if matches!(delta, Delta::TensorDone { index: 3 }) {
                cancel.pause();
            }
        };
        let result = std::thread::scope(|scope| {
            let export = scope.spawn(|| run_at(&model, &out, &cancel, follow));
            while !cancel.is_paused() {
                std::thread::yield_now();
            }
            // What was under way may still come to the next question; then all is still.
            let mut before = u64::MAX;
            while before != moved.load(Ordering::SeqCst) {
                before = moved.load(Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(100));
            }
            assert!(!export.is_finished());
            assert!(!out.exists(), "nothing has the name before the end");
            if cancelled {
                cancel.cancel();
            } else {
                cancel.resume();
            }
            export.join().unwrap()
        });
        if cancelled {
            assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
            assert_eq!(files(folder.path()), ["demo.gguf", "paused-false.gguf", "straight.gguf"]);
        } else {
            result.unwrap();
            assert!(fs::read(&out).unwrap() == fs::read(&straight).unwrap());
        }
    }
}

fn run_at(model: &Model, out: &Path, cancel: &Cancel, at: impl Fn(&Delta) + Sync) -> Result<ExportSummary> {
    let options = ExportOptions { verify: Verify::Full, ..ExportOptions::new(out) };
    export(model, &resolve(model, &all()), &all(), &options, &At(at), cancel)
}

#[test]
fn cancelling_at_any_stage_leaves_nothing() {
    let model = dense().open().unwrap();
    for stage in [Stage::Prepare, Stage::Write, Stage::Sync, Stage::Verify, Stage::Finish] {
        let folder = tempfile::tempdir().unwrap();
        let cancel = Cancel::new();
        let raise = |delta: &Delta| {
            if *delta == Delta::Stage(stage) {
                cancel.cancel();
            }
        };
        let result = run_at(&model, &folder.path().join("o.gguf"), &cancel, raise);
        assert!(matches!(result, Err(Error::Cancelled)), "{stage:?}");
        assert!(files(folder.path()).is_empty(), "{stage:?}");
    }
}

#[test]
fn damage_between_writing_and_checking_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let model = dense().open().unwrap();
    let out = folder.path().join("o.gguf");
    let damage_at = |offset_from_end: u64| {
        let partial: PathBuf = folder.path().join("o.gguf.partial");
        let damage = |delta: &Delta| {
            if *delta == Delta::Stage(Stage::Verify) {
                let file = fs::OpenOptions::new().read(true).write(true).open(&partial).unwrap();
                let offset = file.metadata().unwrap().len() - offset_from_end;
                let mut byte = [0];
                file.read_exact_at(&mut byte, offset).unwrap();
                file.write_all_at(&[byte[0] ^ 4], offset).unwrap();
            }
        };
        run_at(&model, &out, &Cancel::new(), damage)
    };
    let size = fs::metadata({
        run(&model, &all(), &ExportOptions::new(&out)).unwrap();
        &out
    })
    .unwrap()
    .len();
    fs::remove_file(&out).unwrap();
    // In the data; in a tensor info; in the tensor count.
    for from_end in [1000, size - 8] {
        let error = damage_at(from_end).unwrap_err();
        assert!(matches!(error.exit_code(), 1 | 3), "{error}");
        assert!(files(folder.path()).is_empty());
    }
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.gguf");
    let appear = |delta: &Delta| {
        if *delta == Delta::Stage(Stage::Finish) {
            fs::write(&out, "somebody else's").unwrap();
        }
    };
    let error = run_at(&dense().open().unwrap(), &out, &Cancel::new(), appear).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_eq!(fs::read(&out).unwrap(), b"somebody else's");
    assert_eq!(files(folder.path()), ["o.gguf"]);
}

#[test]
fn progress_never_reports_more_than_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let state = std::sync::Mutex::new((0u64, 0u64, 0u64));
    let follow = |delta: &Delta| {
        let mut s = state.lock().unwrap();
        match delta {
            Delta::Total { bytes, .. } => s.0 = *bytes,
            Delta::Stage(Stage::Verify) => {
                assert_eq!(s.1, s.0);
                s.1 = 0;
            }
            Delta::Bytes(n) => s.1 += n,
            Delta::TensorDone { .. } => s.2 += 1,
            _ => {}
        }
        assert!(s.1 <= s.0);
    };
    let model = dense().open().unwrap();
    run_at(&model, &folder.path().join("o"), &Cancel::new(), follow).unwrap();
    let s = state.into_inner().unwrap();
    assert_eq!((s.1, s.2), (s.0, model.tensors.len() as u64));
}

#[test]
fn a_source_that_has_the_partial_name_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("m.gguf.partial");
    fs::write(&source, dense().bytes()).unwrap();
    let model = Model::open(&source, &OpenOptions::default()).unwrap();
    for force in [false, true] {
        let options = ExportOptions { force, ..ExportOptions::new(folder.path().join("m.gguf")) };
        let error = run(&model, &all(), &options).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("is the source itself"), "{error}");
        assert_eq!(fs::read(&source).unwrap(), dense().bytes());
    }
    // The same through a link under the partial name; and what is no regular file stays.
    let other = folder.path().join("o.gguf.partial");
    std::os::unix::fs::symlink(&source, &other).unwrap();
    let options = ExportOptions { force: true, ..ExportOptions::new(folder.path().join("o.gguf")) };
    assert!(run(&model, &all(), &options).unwrap_err().to_string().contains("is the source itself"));
    fs::remove_file(&other).unwrap();
    fs::create_dir(&other).unwrap();
    assert!(run(&model, &all(), &options).unwrap_err().to_string().contains("no regular file"));
    assert_eq!(files(folder.path()), ["m.gguf.partial", "o.gguf.partial"]);
}

#[test]
fn names_that_cannot_become_a_file_are_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let model = dense().open().unwrap();
    let slash = PathBuf::from(format!("{}/new/", folder.path().display()));
    assert!(run(&model, &all(), &ExportOptions::new(slash)).unwrap_err().to_string().contains("names no file"));
    let link = folder.path().join("dangling");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
    let error = run(&model, &all(), &ExportOptions::new(&link)).unwrap_err();
    assert!(error.to_string().contains("leads nowhere"), "{error}");
    run(&model, &all(), &ExportOptions { force: true, ..ExportOptions::new(&link) }).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_file() && !folder.path().join("nowhere").exists());
}

#[test]
fn a_type_without_a_layout_and_an_absurd_alignment_are_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let options = ExportOptions::new(folder.path().join("o.gguf"));
    let model = dense().tensor("blk.0.attn_q.weight", &[256, 2], DType::of_number(134), vec![0; 160]).open().unwrap();
    let error = run(&model, &all(), &options).unwrap_err();
    assert!(
        error.exit_code() == 3
            && error.to_string().contains("'blk.0.attn_q.weight': IQ1_BN is named but has no layout"),
        "{error}"
    );
    let model = Tiny::default().alignment(1 << 22).normal("blk.0.ffn_up.weight", &[256, 4], 1).open().unwrap();
    let error = run(&model, &all(), &options).unwrap_err();
    assert!(error.exit_code() == 3 && error.to_string().contains("alignment 4194304"), "{error}");
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_key_that_is_not_utf8_is_carried_over() {
    let mut tiny = dense();
    tiny.kvs.push((vec![b'x', 0xff], Kv::U32(7)));
    let (_folder, written, _) = quantized(&tiny.open().unwrap(), &all());
    assert!(written.diagnostics.iter().any(|d| d.code == "key-utf8"));
}
