//! Exports of calibrated codes: less error of the output than any other method, the same bytes for any number of threads, and
//! clear words where moments are missing or do not fit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use support::reading::{carry_out, files, open, raw, recipe, weights};
use support::{Kv, Tiny, f32_bytes, normals};
use tempfile::TempDir;
use tritscope::engine::calibrated::Settings;
use tritscope::engine::codec::DType;
use tritscope::engine::export::{Calibration, Verify};
use tritscope::engine::model::Model;
use tritscope::engine::moments::{About, Moments, Output, Packed, Planned, Store, Writer};
use tritscope::engine::plan::resolve;
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::{Format, Method};

const PLAIN: &str = "blk.0.ffn_up.weight";
const EXPERTS: &str = "blk.0.ffn_gate_exps.weight";

/// Mean products of inputs that have to do with each other.
fn moments_of(columns: usize, tokens: usize, seed: u64) -> Packed {
    let noise = normals(columns * tokens, seed);
    let common = normals(4 * tokens, seed + 1);
    let input = |t: usize, i: usize| {
        f64::from(noise[t * columns + i]) * (1.0 + (i % 5) as f64) + f64::from(common[t * 4 + i % 4]) * 2.0
    };
    let mean = |i, j| ((0..tokens).map(|t| input(t, i) * input(t, j)).sum::<f64>() / tokens as f64) as f32;
    Packed { columns, values: (0..columns).flat_map(|i| (i..columns).map(move |j| mean(i, j))).collect() }
}

struct Given {
    folder: TempDir,
    model: PathBuf,
    moments: PathBuf,
}

/// A layer with a plain matrix of 130 rows and three experts, of which one saw no token, and the moments of the inputs.
fn given() -> Given {
    let folder = tempfile::tempdir().unwrap();
    let tensor = |tiny: Tiny, name: &str, dims: &[u64], seed| {
        let n = dims.iter().product::<u64>() as usize;
        tiny.tensor(name, dims, DType::F32, f32_bytes(&normals(n, seed)))
    };
    let tiny = Tiny::default().kv("llama.block_count", Kv::U32(1)).kv("llama.expert_count", Kv::U32(3));
    let tiny = tensor(tensor(tiny, PLAIN, &[256, 130], 1), EXPERTS, &[256, 6, 3], 2);
    let model = tiny.write(folder.path());
    let moments = folder.path().join("m.safetensors");
    let planned = vec![
        Planned { weights: vec![EXPERTS.into()], columns: 256, experts: 3 },
        Planned { weights: vec![PLAIN.into()], columns: 256, experts: 1 },
    ];
    let about = About { model: None, tokens: 500, texts: Vec::new(), tool: None, version: 1 };
    let output = Output { sync: false, ..Output::new(&moments) };
    let mut writer = Writer::create(&output, &about, planned, Store::F32).unwrap();
    writer.write(&moments_of(256, 300, 5), 300).unwrap();
    writer.write(&Packed { columns: 256, values: vec![0.0; 256 * 257 / 2] }, 0).unwrap();
    writer.write(&moments_of(256, 20, 7), 20).unwrap();
    writer.write(&moments_of(256, 500, 9), 500).unwrap();
    writer.finish(&Cancel::new()).unwrap();
    Given { folder, model, moments }
}

/// tr(E M Eᵀ) ÷ tr(W M Wᵀ) from the files alone.
fn output_error(source: &Model, output: &Model, moments: &Packed) -> f64 {
    let (w, v) = (weights(source, PLAIN), weights(output, PLAIN));
    let n = moments.columns;
    let form = |row: &[f64]| -> f64 {
        (0..n).map(|i| row[i] * (0..n).map(|j| f64::from(moments.at(i, j)) * row[j]).sum::<f64>()).sum()
    };
    let (mut lost, mut whole) = (0.0, 0.0);
    for (w, v) in w.chunks_exact(n).zip(v.chunks_exact(n)) {
        lost += form(&w.iter().zip(v).map(|(w, v)| f64::from(*w) - f64::from(*v)).collect::<Vec<_>>());
        whole += form(&w.iter().map(|w| f64::from(*w)).collect::<Vec<_>>());
    }
    lost / whole
}

#[test]
fn what_is_written_has_the_error_that_is_reported_and_less_than_others() {
    let given = given();
    let source = open(&given.model).unwrap();
    let moments = Arc::new(Moments::open(&given.moments).unwrap());
    let packed = moments.read(moments.entry(PLAIN).unwrap(), 0).unwrap();
    let calibration = Calibration { moments, settings: Settings::default() };
    for format in [Format::Tq2_0, Format::Tq1_0, Format::Q2_0, Format::T158] {
        let write = |method| {
            let asked = recipe(format, method);
            carry_out(&source, &resolve(&source, &asked), &asked, |options| {
                options.calibration = Some(calibration.clone());
                options.verify = Verify::Full;
            })
            .unwrap()
        };
        let (calibrated, exact) = (write(Method::Calibrated), write(Method::Exact));
        let found = output_error(&source, &calibrated.model, &packed);
        let index = calibrated.model.find(PLAIN).unwrap();
        let told = calibrated.summary.tensors[index].output.unwrap().relative();
        assert!((found - told).abs() < 1e-3 * found, "{format}: {found} {told}");
        assert!(found < 0.8 * output_error(&source, &exact.model, &packed), "{format}");
        assert_eq!(calibrated.summary.tensors[calibrated.model.find(EXPERTS).unwrap()].slices.len(), 3);
        assert_eq!(exact.summary.output, None);
    }
}

#[test]
fn bytes_do_not_depend_on_threads_or_memory() {
    let given = given();
    let source = open(&given.model).unwrap();
    let moments = Arc::new(Moments::open(&given.moments).unwrap());
    let asked = recipe(Format::Q2_0, Method::Calibrated);
    let write = |threads: usize, memory: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let written = pool.install(|| {
            carry_out(&source, &resolve(&source, &asked), &asked, |options| {
                options.calibration =
                    Some(Calibration { moments: Arc::clone(&moments), settings: Settings::default() });
                options.max_memory = memory;
            })
        });
        let written = written.unwrap();
        (raw(&written.model, PLAIN), raw(&written.model, EXPERTS))
    };
    let one = write(1, 64 << 30);
    assert!(one == write(8, 64 << 30));
    assert!(one == write(2, 32 << 20));
}

fn run(given: &Given, more: &[&str]) -> (Option<i32>, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_tritscope"));
    let mut command = Command::new(program);
    command.arg("quantize").arg(&given.model).arg("-o").arg(given.folder.path().join("out.gguf"));
    command.args(["--layers", "all", "--method", "calibrated"]).args(more).stdin(Stdio::null());
    let output = command.output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout),
    )
}

#[test]
fn missing_and_unfit_moments_are_named_and_leave_nothing() {
    let given = given();
    let moments = given.moments.display().to_string();
    let with = |more: &[&str]| run(&given, &[&["--moments", moments.as_str()], more].concat());
    for ((code, said), words) in [
        (run(&given, &[]), "needs the moments of its input: --moments FILE"),
        (run(&given, &["--moments", "/nowhere/m.safetensors"]), "/nowhere/m.safetensors"),
        (with(&["--format", "i2_s"]), "codes blocks within rows; i2_s has none here"),
        (with(&["--damping=-1"]), "damping is -1"),
        (with(&["--shrinkage", "1.5"]), "shrinkage is 1.5"),
        (with(&["--max-memory", "1M", "--threads", "1"]), "moments of 256 columns need 2359296 bytes"),
    ] {
        assert!(matches!(code, Some(1..=4)), "{code:?} {said}");
        assert!(said.contains(words), "{said}");
        assert_eq!(files(given.folder.path()), ["m.safetensors", "model.gguf"], "{said}");
    }
    let (code, said) = with(&["--format", "tq2_0"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("of the layers' outputs under the moments given"), "{said}");
}

#[test]
fn a_tensor_without_moments_is_named() {
    let given = given();
    let other = Tiny::default().kv("llama.block_count", Kv::U32(1)).tensor(
        "blk.0.ffn_down.weight",
        &[256, 4],
        DType::F32,
        f32_bytes(&normals(1024, 3)),
    );
    let folder = tempfile::tempdir().unwrap();
    let source = open(&other.write(folder.path())).unwrap();
    let asked = recipe(Format::Tq2_0, Method::Calibrated);
    let moments = Arc::new(Moments::open(&given.moments).unwrap());
    let found = carry_out(&source, &resolve(&source, &asked), &asked, |options| {
        options.calibration = Some(Calibration { moments, settings: Settings::default() });
    });
    let said = found.err().unwrap().to_string();
    assert!(said.contains("blk.0.ffn_down.weight") && said.contains("has no moments of its input"), "{said}");
}
