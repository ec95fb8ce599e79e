//! Importance matrices at work: what is coded minimises the weighted error, figures say so, and what the matrix lacks is
//! told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use half::f16;
use support::reading::{Written, assert_same, carry_out, codes, files, raw, recipe, weights};
use support::writers::Dice;
use support::{Kv, Tiny, f32_bytes, normals};
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Error, Result};
use tritscope::engine::imatrix::Imatrix;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::{Mask, Recipe, resolve};
use tritscope::engine::preview::{Ask, Depth, measure_weighted};
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::{Format, Method};

const PLAIN: &str = "blk.0.ffn_up.weight";
const EXPERTS: &str = "blk.0.ffn_gate_exps.weight";
/// Experts whose size no block of 256 divides.
const ODD: &str = "blk.0.ffn_down_exps.weight";

/// Uneven importance of `n` channels, some of it 0.
fn importance(n: usize, seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    (0..n).map(|i| if i % 11 == 3 { 0.0 } else { (dice.below(1000) as f32 / 250.0).powi(3) + 0.01 }).collect()
}

/// What a matrix has about a tensor: importance of each expert's channels, and tokens that reached it.
type Entry = (&'static str, Vec<Vec<f32>>, Vec<f32>);

fn entries() -> Vec<Entry> {
    let experts = |n, seed: u64| (0..n as u64).map(|i| importance(256, seed + i)).collect::<Vec<_>>();
    let odd = (0..4).map(|i| importance(96, 50 + i)).collect();
    vec![
        (PLAIN, experts(1, 1), vec![8.0]),
        (EXPERTS, experts(3, 9), vec![8.0, 0.0, 2.0]),
        (ODD, odd, vec![4.0, 4.0, 0.0, 1.0]),
    ]
}

/// The GGUF form: sums of squares and counts.
fn gguf(entries: &[Entry]) -> Vec<u8> {
    let mut tiny = Tiny { kvs: Vec::new(), ..Tiny::default() }
        .kv("general.type", Kv::Str("imatrix".into()))
        .kv("imatrix.datasets", Kv::Strings(vec!["wiki.txt".into()]))
        .kv("imatrix.chunk_count", Kv::U32(25))
        .kv("imatrix.chunk_size", Kv::U32(512));
    for (name, experts, counts) in entries {
        let sums: Vec<f32> =
            experts.iter().zip(counts).flat_map(|(q, n)| q.iter().map(|q| q * n).collect::<Vec<_>>()).collect();
        let n = experts.len() as u64;
        let row = experts[0].len() as u64;
        tiny = tiny.tensor(&format!("{name}.in_sum2"), &[row, n], DType::F32, f32_bytes(&sums)).tensor(
            &format!("{name}.counts"),
            &[1, n],
            DType::F32,
            f32_bytes(counts),
        );
    }
    tiny.bytes()
}

/// The older form: mean × calls, all experts behind one another, 1 × calls where no token came.
fn dat(entries: &[Entry]) -> Vec<u8> {
    let int = |n: usize| (n as i32).to_le_bytes().to_vec();
    let mut out = int(entries.len());
    for (name, experts, counts) in entries {
        let reached = |(q, n): (&Vec<f32>, &f32)| if *n > 0.0 { q.clone() } else { vec![1.0; q.len()] };
        let values: Vec<f32> = experts.iter().zip(counts).flat_map(reached).map(|q| q * 4.0).collect();
        out.extend([int(name.len()), name.as_bytes().to_vec(), int(4), int(values.len()), f32_bytes(&values)].concat());
    }
    out.extend([int(25), int(8), b"wiki.txt".to_vec()].concat());
    out
}

fn read(bytes: &[u8]) -> Arc<Imatrix> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("imatrix");
    std::fs::write(&path, bytes).unwrap();
    Arc::new(Imatrix::read(&path).unwrap())
}

fn tiny() -> Tiny {
    let tensor = |tiny: Tiny, name: &str, dims: &[u64], seed| {
        let n = dims.iter().product::<u64>() as usize;
        tiny.tensor(name, dims, DType::F32, f32_bytes(&normals(n, seed)))
    };
    let tiny = Tiny::default().kv("llama.block_count", Kv::U32(1)).kv("llama.expert_count", Kv::U32(3));
    let tiny = tensor(tiny, PLAIN, &[256, 20], 1);
    let tiny = tensor(tiny, EXPERTS, &[256, 6, 3], 2);
    tensor(tiny, ODD, &[96, 20, 4], 3)
}

fn quantized(model: &Model, format: Format, method: Method, imatrix: Option<&Arc<Imatrix>>) -> Result<Written> {
    let asked = recipe(format, method);
    carry_out(model, &resolve(model, &asked), &asked, |options| options.imatrix = imatrix.cloned())
}

fn block_formats() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|f| f.dtype().is_ternary() && !f.has_one_scale())
}

/// Importance of each element of a tensor as the matrix has it; `None` in experts that no token reached.
fn laid_out(entry: &Entry, elements: usize) -> Vec<Option<f32>> {
    let (_, experts, counts) = entry;
    let expert = elements / experts.len();
    (0..elements)
        .map(|i| {
            let q = &experts[i / expert];
            (counts[i / expert] > 0.0).then(|| q[i % q.len()])
        })
        .collect()
}

/// The same where an expert without importance counts as the others do on average.
fn filled(entry: &Entry, elements: usize) -> Vec<f32> {
    let reached: Vec<f32> =
        entry.1.iter().zip(&entry.2).filter(|(_, n)| **n > 0.0).flat_map(|(q, _)| q.clone()).collect();
    let mean = reached.iter().map(|q| f64::from(*q)).sum::<f64>() / reached.len() as f64;
    laid_out(entry, elements).into_iter().map(|q| q.unwrap_or(mean as f32)).collect()
}

/// The best scale of all prefixes of |w| in descending order, by trying each; q is importance over its mean + 10⁻⁶.
fn best_scale(weights: &[f32], importance: &[f32]) -> f64 {
    let mean = importance.iter().map(|q| f64::from(*q)).sum::<f64>() / importance.len() as f64;
    let mut pairs: Vec<(f64, f64)> =
        weights.iter().zip(importance).map(|(w, q)| (f64::from(w.abs()), f64::from(*q) / mean + 1e-6)).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let error = |k: usize| {
        let (sum, mass) = pairs[..k].iter().fold((0.0, 0.0), |(s, m), (w, q)| (s + q * w, m + q));
        let d = sum / mass;
        let kept: f64 = pairs[..k].iter().map(|(w, q)| q * (w - d) * (w - d)).sum();
        (kept + pairs[k..].iter().map(|(w, q)| q * w * w).sum::<f64>(), d)
    };
    (1..=pairs.len()).map(error).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1
}

/// Σq(w − ŵ)² ÷ Σqw² over the elements that have importance.
fn weighted_error(weights: &[f32], decoded: &[f32], importance: &[Option<f32>]) -> f64 {
    let sums = weights.iter().zip(decoded).zip(importance).filter_map(|((w, v), q)| {
        let (w, v, q) = (f64::from(*w), f64::from(*v), f64::from((*q)?));
        Some((q * (w - v) * (w - v), q * w * w))
    });
    let (e2, w2) = sums.fold((0.0, 0.0), |(a, b), (e, w)| (a + e, b + w));
    e2 / w2
}

#[test]
fn exact_minimises_the_weighted_error_of_every_block() {
    let model = tiny().open().unwrap();
    let entries = entries();
    for (form, matrix) in [("gguf", read(&gguf(&entries))), ("dat", read(&dat(&entries)))] {
        for format in block_formats() {
            let out = quantized(&model, format, Method::Exact, Some(&matrix)).unwrap();
            for entry in &entries {
                let name = entry.0;
                let all = weights(&model, name);
                let len = format.block_len();
                if !format.takes(model.tensors[model.find(name).unwrap()].row_len(), all.len() as u64) {
                    continue;
                }
                let (of_elements, filled) = (laid_out(entry, all.len()), filled(entry, all.len()));
                let run = codes(&out.model, name);
                for (b, weights) in all.chunks(len).enumerate() {
                    let at = b * len..b * len + weights.len();
                    let even = vec![1.0; weights.len()];
                    // A block of which nothing is known is coded as if there were no matrix.
                    let q =
                        if of_elements[at.clone()].iter().all(Option::is_none) { &even } else { &filled[at.clone()] };
                    let d = f16::from_f32(best_scale(weights, q) as f32).to_f32();
                    let what = format!("{form} {format} {name} block {b}");
                    assert_eq!(run.scales[b], d, "{what}");
                    let trit = |w: &f32| 1 + u8::from(*w > d / 2.0) - u8::from(*w < -d / 2.0);
                    assert_same(&run.codes[at], &weights.iter().map(trit).collect::<Vec<_>>(), &what);
                }
            }
        }
    }
}

#[test]
fn one_scale_minimises_the_weighted_error_of_the_tensor() {
    let model = tiny().open().unwrap();
    let entries = entries();
    let matrix = read(&gguf(&entries));
    for format in [Format::I2S, Format::I2SArm] {
        let out = quantized(&model, format, Method::Exact, Some(&matrix)).unwrap();
        let without = quantized(&model, format, Method::Exact, None).unwrap();
        for entry in &entries {
            let all = weights(&model, entry.0);
            let found = codes(&out.model, entry.0).scales[0];
            let best = best_scale(&all, &filled(entry, all.len()));
            assert!((f64::from(found) / best - 1.0).abs() < 1e-5, "{format} {}: {found} {best}", entry.0);
            assert_ne!(found, codes(&without.model, entry.0).scales[0], "{format} {}", entry.0);
        }
    }
}

#[test]
fn importance_of_nothing_weighs_nothing() {
    let model = tiny().open().unwrap();
    let zeros: Vec<Entry> = vec![
        (PLAIN, vec![vec![0.0; 256]], vec![8.0]),
        (EXPERTS, vec![importance(256, 1); 3], vec![0.0; 3]),
        (ODD, vec![vec![2.5; 96]; 4], vec![1.0; 4]),
    ];
    let matrix = read(&gguf(&zeros));
    for format in Format::ALL.into_iter().filter(|f| f.dtype().is_ternary()) {
        let out = quantized(&model, format, Method::Exact, Some(&matrix)).unwrap();
        let without = quantized(&model, format, Method::Exact, None).unwrap();
        for (name, ..) in &zeros {
            assert_same(&raw(&out.model, name), &raw(&without.model, name), &format!("{format} {name}"));
        }
    }
}

#[test]
fn figures_are_those_of_the_weighted_error_and_lowest_under_exact() {
    let model = tiny().open().unwrap();
    let entries = entries();
    let matrix = read(&gguf(&entries));
    for format in Format::ALL.into_iter().filter(|f| f.dtype().is_ternary()) {
        let exact = quantized(&model, format, Method::Exact, Some(&matrix)).unwrap();
        for method in Method::COMPARED {
            let out = quantized(&model, format, method, Some(&matrix)).unwrap();
            for entry in &entries {
                let i = model.find(entry.0).unwrap();
                let Some(stats) = &out.summary.tensors[i].stats else { continue };
                let (all, of_elements) =
                    (weights(&model, entry.0), laid_out(entry, model.tensors[i].elements() as usize));
                let what = format!("{format} {method} {}", entry.0);
                let measure = |w: &Written| weighted_error(&all, &weights(&w.model, entry.0), &of_elements);
                // Blocks that run over into an expert without tokens count with what that was taken for.
                if entry.0 != ODD {
                    let reported = stats.errors.weighted_rel_mse().unwrap();
                    // Differences are taken in f32.
                    assert!((reported - measure(&out)).abs() < 1e-6 * reported, "{what}: {reported}");
                    // Rounding to f16 costs a little; one scale for an expert that has no importance costs more.
                    let slack = if format.has_one_scale() { 1.05 } else { 1.0005 };
                    assert!(measure(&exact) <= slack * measure(&out), "{what}: {} {}", measure(&exact), measure(&out));
                }
                let ask = Ask {
                    tensor: i,
                    format,
                    methods: &[method],
                    depth: Depth::Exact,
                    imatrix: Some(&*matrix),
                    blind: false,
                    weights: true,
                };
                let measured = measure_weighted(&model, &ask, &Cancel::new()).unwrap();
                let found = measured.methods[0].stats.errors.weighted_rel_mse();
                let written = stats.errors.weighted_rel_mse();
                assert!((found.unwrap() / written.unwrap() - 1.0).abs() < 1e-12, "{what}: {found:?} {written:?}");
            }
        }
        let without = quantized(&model, format, Method::Exact, None).unwrap();
        assert!(without.summary.tensors.iter().flat_map(|t| &t.stats).all(|s| s.errors.weighted_rel_mse().is_none()));
    }
}

#[test]
fn experts_without_tokens_are_coded_unweighted_and_reported() {
    let model = tiny().open().unwrap();
    let matrix = read(&gguf(&entries()));
    let out = quantized(&model, Format::Tq2_0, Method::Exact, Some(&matrix)).unwrap();
    let without = quantized(&model, Format::Tq2_0, Method::Exact, None).unwrap();
    let (a, b) = (raw(&out.model, EXPERTS), raw(&without.model, EXPERTS));
    let expert = a.len() / 3;
    assert_same(&a[expert..2 * expert], &b[expert..2 * expert], "the expert without tokens");
    assert!(a[..expert] != b[..expert] && a[2 * expert..] != b[2 * expert..]);
    let told: Vec<String> =
        out.summary.warnings.iter().filter(|w| w.code == "imatrix-unreached").map(ToString::to_string).collect();
    assert!(told.iter().any(|w| w.contains(EXPERTS) && w.contains("no token reached experts 1: ")), "{told:?}");
    // Its slice has no weighted figure, those of the others have.
    let slices = &out.summary.tensors[model.find(EXPERTS).unwrap()].slices;
    let known: Vec<bool> = slices.iter().map(|s| s.errors.weighted_rel_mse().is_some()).collect();
    assert_eq!(known, [true, false, true]);
}

#[test]
fn what_the_matrix_lacks_is_named() {
    let model = tiny().open().unwrap();
    let matrix = read(&gguf(&entries()[..1]));
    let out = quantized(&model, Format::T158, Method::Exact, Some(&matrix)).unwrap();
    let told = out.summary.warnings.iter().find(|w| w.code == "imatrix-missing").unwrap();
    assert!(told.message.contains(EXPERTS) && told.message.contains(ODD) && !told.message.contains(PLAIN), "{told}");
    let without = quantized(&model, Format::T158, Method::Exact, None).unwrap();
    assert_same(&raw(&out.model, EXPERTS), &raw(&without.model, EXPERTS), "unweighted");
    let chunks = out.summary.warnings.iter().find(|w| w.code == "imatrix-chunks").unwrap();
    assert!(chunks.message.contains("25 chunks") && chunks.message.contains("1000"), "{chunks}");
    let text = |key: &str| out.model.metadata(&format!("quantize.imatrix.{key}")).map(|v| v.to_string());
    let found = [text("file"), text("dataset"), text("entries_count"), text("chunks_count")];
    assert_eq!(found.map(Option::unwrap), ["imatrix", "wiki.txt", "1", "25"]);
}

#[test]
fn a_matrix_of_another_size_is_an_error_with_tensor_and_numbers() {
    let model = tiny().normal("token_embd.weight", &[256, 4], 5).open().unwrap();
    for (name, experts, numbers) in [
        (PLAIN, vec![importance(128, 1)], "128 columns × 1 experts for it, the tensor has rows of 256 × 1 experts"),
        (
            EXPERTS,
            vec![importance(256, 1); 4],
            "256 columns × 4 experts for it, the tensor has rows of 256 × 3 experts",
        ),
        (EXPERTS, vec![importance(256, 1)], "256 columns × 1 experts for it, the tensor has rows of 256 × 3 experts"),
    ] {
        let n = experts.len();
        let matrix = read(&gguf(&[(name, experts, vec![1.0; n])]));
        let Err(error) = quantized(&model, Format::Tq2_0, Method::Exact, Some(&matrix)) else { panic!("{numbers}") };
        assert!(matches!(error, Error::Tensor { .. }) && error.exit_code() == 3);
        assert!(error.to_string().contains(name) && error.to_string().contains(numbers), "{error}");
        let ask = Ask {
            tensor: model.find(name).unwrap(),
            format: Format::Tq2_0,
            methods: &[Method::Exact],
            depth: Depth::SHOWN,
            imatrix: Some(&*matrix),
            blind: false,
            weights: true,
        };
        assert!(measure_weighted(&model, &ask, &Cancel::new()).unwrap_err().to_string().contains(numbers));
    }
    // Of embeddings, which are looked up and not multiplied, it is a warning.
    let matrix = read(&gguf(&[("token_embd.weight", vec![importance(64, 1)], vec![1.0])]));
    let unprotected =
        Recipe { unprotect: vec!["role:token_embd".parse().unwrap()], ..recipe(Format::Tq2_0, Method::Exact) };
    let out = carry_out(&model, &resolve(&model, &unprotected), &unprotected, |o| o.imatrix = Some(matrix)).unwrap();
    let told = out.summary.warnings.iter().find(|w| w.code == "imatrix-size").unwrap();
    assert_eq!(told.tensor.as_deref(), Some("token_embd.weight"));
}

#[test]
fn experts_of_flattened_tensors_have_their_importance_too() {
    // The source's blocks run over the ends of experts: its matrices have no figures, and importance all the same.
    let coded = support::writers::Coded::random(DType::T158, 96, 80, 1);
    let source = Tiny::default().coded(ODD, DType::T158, &coded).last(|t| t.dims = vec![96, 20, 4]);
    let model = source.open().unwrap();
    let entry = entries().remove(2);
    let matrix = read(&gguf(std::slice::from_ref(&entry)));
    let out = quantized(&model, Format::I2S, Method::Absmean, Some(&matrix)).unwrap();
    let stats = out.summary.tensors[0].stats.as_ref().unwrap();
    assert!(stats.errors.weighted_rel_mse().is_some());
    assert!(out.summary.warnings.iter().any(|w| w.code == "imatrix-unreached" && w.message.contains("experts 2")));
}

#[test]
fn neither_threads_nor_memory_nor_mapping_change_a_weighted_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = Tiny::default()
        .normal(PLAIN, &[256, 5000], 1)
        .normal(ODD, &[96, 5000, 4], 3)
        .normal(EXPERTS, &[256, 600, 3], 3)
        .write(folder.path());
    let matrix = read(&gguf(&entries()));
    for format in [Format::I2S, Format::T158, Format::Q2_0] {
        let mut first: Option<Vec<u8>> = None;
        for (threads, max_memory, mmap) in [(1, u64::MAX, true), (4, u64::MAX, false), (2, 1 << 20, true)] {
            let model = Model::open(&path, &OpenOptions { mmap, ..OpenOptions::default() }).unwrap();
            let asked = recipe(format, Method::Exact);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let out = pool.install(|| {
                carry_out(&model, &resolve(&model, &asked), &asked, |o| {
                    (o.max_memory, o.imatrix) = (max_memory, Some(Arc::clone(&matrix)));
                })
                .unwrap()
            });
            let bytes = std::fs::read(&out.path).unwrap();
            assert!(*first.get_or_insert_with(|| bytes.clone()) == bytes, "{format}, {threads} threads");
        }
    }
}

/// Runs the program in a folder; its code, its data, its messages.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
    let output = command.args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn json(folder: &Path, args: &[&str]) -> serde_json::Value {
    let (code, text, errors) = run(folder, args);
    assert_eq!(code, Some(0), "{errors}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_command_line_shows_weighted_errors_where_there_is_a_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let model: PathBuf = tiny().write(folder.path());
    let entries = entries();
    std::fs::write(folder.path().join("m.gguf"), gguf(&entries)).unwrap();
    std::fs::write(folder.path().join("m.dat"), dat(&entries)).unwrap();
    let all = ["--layers", "all", "--format", "q2_0"];
    let plan =
        |more: &[&str]| json(folder.path(), &[&["plan", "model.gguf", "--json", "--exact"], &all[..], more].concat());
    let row = |document: &serde_json::Value, name: &str| -> serde_json::Value {
        document["tensors"].as_array().unwrap().iter().find(|r| r["name"] == name).unwrap()["weighted_rel_mse"].clone()
    };
    let without = plan(&[]);
    assert!(row(&without, PLAIN).is_null() && without["totals"]["weighted_rel_mse"].is_null());
    let source = support::reading::open(&model).unwrap();
    for (form, matrix) in [("gguf", "m.gguf"), ("dat", "m.dat")] {
        let planned = plan(&["--imatrix", matrix]);
        let out = format!("{form}.out");
        let quantize = ["quantize", "model.gguf", "-o", &out, "--json", "--imatrix", matrix];
        let written = json(folder.path(), &[&quantize[..], &all[..]].concat());
        for document in [&planned, &written] {
            for entry in &entries[..2] {
                let decoded = weights(&support::reading::open(&folder.path().join(&out)).unwrap(), entry.0);
                let expected = weighted_error(&weights(&source, entry.0), &decoded, &laid_out(entry, decoded.len()));
                let found = row(document, entry.0).as_f64().unwrap();
                // The older form has lost a little in means times calls.
                assert!((found / expected - 1.0).abs() < 1e-5, "{form} {}: {found} {expected}", entry.0);
            }
            assert!(row(document, ODD).is_null(), "rows of 96 are no groups of 64");
            let total = document["totals"]["weighted_rel_mse"].as_f64().unwrap();
            assert!(total > 0.0 && total < 1.0);
        }
        // A sample stands for its tensor.
        let sampled = json(folder.path(), &[&["plan", "model.gguf", "--json", "--imatrix", matrix], &all[..]].concat());
        assert!((row(&sampled, PLAIN).as_f64().unwrap() / row(&planned, PLAIN).as_f64().unwrap() - 1.0).abs() < 0.2);
    }
    let (_, text, errors) = run(folder.path(), &[&["plan", "model.gguf", "--imatrix", "m.gguf"], &all[..]].concat());
    assert!(text.contains("weighted") && text.contains("weighted by importance: rel. MSE"), "{text}");
    assert!(errors.contains("no token reached experts 1"), "{errors}");
    let (_, text, _) = run(folder.path(), &[&["plan", "model.gguf"], &all[..]].concat());
    assert!(!text.contains("weighted"), "{text}");
    std::fs::write(folder.path().join("bad"), gguf(&[(PLAIN, vec![importance(64, 1)], vec![1.0])])).unwrap();
    for command in [&["plan", "model.gguf"][..], &["quantize", "model.gguf", "-o", "x.gguf"]] {
        let (code, _, errors) = run(folder.path(), &[command, &["--imatrix", "bad"], &all].concat());
        assert!(code == Some(3) && errors.contains("64 columns") && errors.contains(PLAIN), "{errors}");
    }
    assert!(!files(folder.path()).iter().any(|f| f.starts_with('x')));
    let recipe = Recipe { layers: Mask::All, imatrix: Some("m.gguf".into()), ..Recipe::default() };
    std::fs::write(folder.path().join("r.toml"), recipe.to_toml().unwrap()).unwrap();
    assert!(row(&json(folder.path(), &["plan", "model.gguf", "--json", "--recipe", "r.toml"]), PLAIN).is_f64());
}
