//! Every ternary format by every method from every kind of source: what is written decodes to scale × trits, with the
//! error that was reported; one scale for a tensor is the best there is; what is ternary already loses nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::reading::{assert_same, bits, carry_out, codes, complaints, quantized, raw, recipe, tensor, weights};
use support::writers::{Coded, Dice};
use support::{Tiny, f16_bytes, f32_bytes, normals};
use tritscope::engine::codec::DType;
use tritscope::engine::export::Reader;
use tritscope::engine::model::Model;
use tritscope::engine::plan::{Step, resolve};
use tritscope::engine::preview::{Depth, measure};
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::{Format, Method, Scratch, code_block, optimum};

/// Formats whose blocks are trits and a scale.
fn formats() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|f| f.dtype().is_ternary())
}

/// Shapes that the models here have: plain, two experts, blocks that cross rows and experts, a last partial block.
const SHAPES: [(&str, &[u64]); 4] = [
    ("blk.0.ffn_up.weight", &[512, 12]),
    ("blk.0.ffn_gate_exps.weight", &[256, 6, 3]),
    ("blk.0.ffn_down_exps.weight", &[96, 20, 4]),
    ("blk.0.attn_q.weight", &[250, 7]),
];

/// Source types, each with a writer of `n` weights in rows of `row`.
fn source_types() -> Vec<DType> {
    vec![
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::F64,
        DType::Q8_0,
        DType::Q4_0,
        DType::NVFP4,
        DType::TQ1_0,
        DType::TQ2_0,
        DType::Q2_0,
        DType::Q2_0_G128,
        DType::T158,
        DType::I2_S,
    ]
}

/// `n` elements of a type: floats of normal weights, blocks with sane scales and random codes.
fn bytes_of(dtype: DType, row: usize, n: usize, seed: u64) -> Vec<u8> {
    let plain = normals(n, seed);
    let mut dice = Dice::new(seed);
    match dtype {
        DType::F32 => f32_bytes(&plain),
        DType::F16 => f16_bytes(&plain),
        DType::BF16 => plain.iter().flat_map(|w| half::bf16::from_f32(*w).to_le_bytes()).collect(),
        DType::F64 => plain.iter().flat_map(|w| (f64::from(*w) * 1.000_000_01).to_le_bytes()).collect(),
        DType::Q8_0 | DType::Q4_0 => {
            let codes = if dtype == DType::Q8_0 { 32 } else { 16 };
            let block = |_| [f16_bytes(&[0.001 + dice.below(9) as f32 * 1e-4]), dice.bytes(codes)].concat();
            (0..n / 32).flat_map(block).collect()
        }
        DType::NVFP4 => (0..n / 64).flat_map(|_| [vec![0x30, 0x28, 0x3a, 0x21], dice.bytes(32)].concat()).collect(),
        ternary => Coded::random(ternary, row, n / row, seed).bytes(ternary),
    }
}

/// A model with those of the shapes that the type can have.
fn model_of(dtype: DType) -> Model {
    let mut tiny = Tiny::default().kv("llama.block_count", support::Kv::U32(1));
    for (i, (name, dims)) in SHAPES.into_iter().enumerate() {
        let n = dims.iter().product::<u64>();
        if dtype.layout().unwrap().takes(dims[0], n) {
            tiny = tiny.tensor(name, dims, dtype, bytes_of(dtype, dims[0] as usize, n as usize, 3 + i as u64));
        }
    }
    tiny.normal("output_norm.weight", &[64], 1).open().unwrap()
}

/// Σ(w − ŵ)² ÷ Σw², added up plainly.
fn rel_mse(weights: &[f32], decoded: &[f32]) -> f64 {
    let e2: f64 = weights.iter().zip(decoded).map(|(w, q)| (f64::from(*w) - f64::from(*q)).powi(2)).sum();
    if e2 == 0.0 { 0.0 } else { e2 / weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() }
}

/// The trits and the scale of each block, as they are read from a file.
fn trits_and_scales(model: &Model, name: &str) -> (Vec<i8>, Vec<f32>, usize) {
    let run = codes(model, name);
    assert_eq!(run.illegal.iter().sum::<u32>(), 0, "{name}");
    (run.codes.iter().map(|c| *c as i8 - 1).collect(), run.scales, run.block_len)
}

#[test]
fn what_is_written_is_scale_times_trits_with_the_error_that_is_reported() {
    let mut written = 0;
    for dtype in source_types() {
        let model = model_of(dtype);
        for format in formats().filter(|f| f.dtype() != dtype) {
            for method in Method::COMPARED {
                let out =
                    quantized(&model, &recipe(format, method)).unwrap_or_else(|e| panic!("{dtype} {format}: {e}"));
                let plan = resolve(&model, &recipe(format, method));
                for (i, decision) in plan.decisions.iter().enumerate().filter(|(_, d)| d.is_ternary()) {
                    let name = &model.tensors[i].name;
                    let what = format!("{dtype} → {format} by {method}: {name}");
                    let (source, decoded) = (weights(&model, name), weights(&out.model, name));
                    let (trits, scales, len) = trits_and_scales(&out.model, name);
                    for (b, (trits, decoded)) in trits.chunks(len).zip(decoded.chunks(len)).enumerate() {
                        let rebuilt: Vec<f32> = trits.iter().map(|t| scales[b] * f32::from(*t)).collect();
                        assert_eq!(rebuilt, decoded, "{what}: block {b}");
                    }
                    let reported = out.summary.tensors[i].stats.as_ref().unwrap();
                    let found = rel_mse(&source, &decoded);
                    // Reported errors are summed in f32 within blocks.
                    assert!((reported.errors.rel_mse() - found).abs() <= 1e-6 * found, "{what}: {found}");
                    assert_eq!(reported.errors.n, source.len() as u64, "{what}");
                    let zeros = trits.iter().filter(|t| **t == 0).count() as u64;
                    assert_eq!(reported.errors.zeros, zeros, "{what}");
                    assert_eq!(Some(decision.new_bytes), format.dtype().bytes_for(source.len() as u64), "{what}");
                    if !format.has_one_scale() {
                        assert_coded_as_blocks(&source, (&trits, &scales, len), method, &what);
                    }
                    written += 1;
                }
                assert_eq!(complaints(&out.model), [""; 0], "{dtype} {format}");
                assert_eq!(out.summary.check.recomputed, plan.totals.ternary_tensors);
            }
        }
    }
    assert!(written > 900, "{written}");
}

/// Asserts that every block is what the quantizer of one block makes of its weights.
fn assert_coded_as_blocks(source: &[f32], (trits, scales, len): (&[i8], &[f32], usize), method: Method, what: &str) {
    let mut scratch = Scratch::default();
    for (b, (weights, found)) in source.chunks(len).zip(trits.chunks(len)).enumerate() {
        let mut expected = vec![0; weights.len()];
        let code = code_block(method, weights, None, &mut expected, &mut scratch).unwrap();
        assert_eq!((found, scales[b]), (expected.as_slice(), code.scale.to_f32()), "{what}: block {b}");
    }
}

#[test]
fn measuring_and_writing_agree() {
    for dtype in source_types() {
        assert_measured_as_written(&model_of(dtype), dtype);
    }
}

fn assert_measured_as_written(model: &Model, dtype: DType) {
    for format in formats().filter(|f| f.dtype() != dtype) {
        for method in Method::COMPARED {
            let plan = resolve(model, &recipe(format, method));
            let out = quantized(model, &recipe(format, method)).unwrap();
            for (i, _) in plan.decisions.iter().enumerate().filter(|(_, d)| d.is_ternary()) {
                let report = measure(model, i, format, &[method], Depth::Exact, &Cancel::new()).unwrap();
                let written = out.summary.tensors[i].stats.as_ref().unwrap().errors.rel_mse();
                let measured = report.methods[0].stats.errors.rel_mse();
                assert!((written - measured).abs() <= 1e-12 * written, "{format} {method}: {written} {measured}");
                // The whole tensor, too, where a sample is asked that has no fewer blocks.
                let sample = Depth::Sample { blocks: 1 << 20, seed: 1 };
                let sampled = measure(model, i, format, &[method], sample, &Cancel::new()).unwrap();
                assert!(sampled.exact && sampled.methods[0].stats.errors == report.methods[0].stats.errors);
                // A small one comes near, and its interval says how near.
                let few = measure(model, i, format, &[method], Depth::Sample { blocks: 5, seed: 1 }, &Cancel::new());
                let few = few.unwrap();
                assert!(
                    !few.exact && few.sampled_blocks == 5 && (few.methods[0].rel_mse.value > 0.0) == (written > 0.0),
                    "{format} {method}"
                );
            }
        }
    }
}

/// Reads one scale and the trits of a one-scale tensor.
fn one_scale(model: &Model, name: &str) -> (f32, Vec<i8>) {
    let (trits, scales, _) = trits_and_scales(model, name);
    assert!(scales.windows(2).all(|w| w[0].to_bits() == w[1].to_bits()));
    (scales[0], trits)
}

#[test]
fn one_scale_is_the_optimum_over_the_whole_tensor() {
    // Normal weights, heavy tails, few distinct values, one outlier; sizes around the parts of the search.
    let shapes: [fn(usize, f32) -> f32; 4] = [
        |_, w| w,
        |_, w| w.powi(3) * 900.0,
        |_, w| (w * 40.0).round() / 16.0,
        |i, w| if i == 777 { 9.0 } else { w * 1e-3 },
    ];
    for (k, shape) in shapes.into_iter().enumerate() {
        for (row, rows) in [(128, 11), (512, 65), (1024, 1030)] {
            let all: Vec<f32> =
                normals(row * rows, k as u64 + 5).into_iter().enumerate().map(|(i, w)| shape(i, w)).collect();
            let dims = [row as u64, rows as u64];
            let name = "blk.0.ffn_up.weight";
            let model = Tiny::default().tensor(name, &dims, DType::F32, f32_bytes(&all)).open().unwrap();
            let best = optimum(&all, None, &mut Scratch::default());
            let out = quantized(&model, &recipe(Format::I2S, Method::Exact)).unwrap();
            let (scale, trits) = one_scale(&out.model, name);
            let what = format!("shape {k}, {row}×{rows}: {scale} against {}", best.scale);
            assert!((f64::from(scale) / best.scale - 1.0).abs() < 2.0 * f64::from(f32::EPSILON), "{what}");
            assert_eq!(trits.iter().filter(|t| **t != 0).count(), best.support, "{what}");
            // No other scale does better with the trits that suit it.
            let w2: f64 = all.iter().map(|w| f64::from(*w).powi(2)).sum();
            let found = rel_mse(&all, &weights(&out.model, name)) * w2;
            assert!((found - (w2 - best.gain)).abs() < 1e-6 * w2, "{what}");
        }
    }
}

#[test]
fn one_scale_does_not_depend_on_threads_memory_or_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let path = Tiny::default()
        .normal("blk.0.ffn_up.weight", &[1024, 1100], 1)
        .normal("blk.0.ffn_gate_exps.weight", &[256, 300, 3], 2)
        .normal("blk.0.ffn_down_exps.weight", &[96, 1000, 4], 3)
        .write(folder.path());
    for format in [Format::I2S, Format::I2SArm, Format::T158] {
        for method in [Method::Exact, Method::Refit] {
            let mut first: Option<Vec<u8>> = None;
            for (threads, max_memory, mmap) in
                [(1, u64::MAX, true), (4, u64::MAX, false), (2, 1 << 20, true), (3, 5 << 20, false)]
            {
                let options = tritscope::engine::model::OpenOptions { mmap, ..Default::default() };
                let model = Model::open(&path, &options).unwrap();
                let asked = recipe(format, method);
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let out = pool.install(|| {
                    carry_out(&model, &resolve(&model, &asked), &asked, |o| o.max_memory = max_memory).unwrap()
                });
                let bytes = std::fs::read(&out.path).unwrap();
                assert!(*first.get_or_insert_with(|| bytes.clone()) == bytes, "{format} {method}, {threads} threads");
            }
        }
    }
}

/// Weights that are {−s, 0, +s} in every block of 256, with scales that f16 and bf16 hold.
fn native(n: usize, one: bool, seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    let scale = |block: usize| if one { 0.375 } else { (1 + block % 13) as f32 / 32.0 };
    (0..n).map(|i| scale(i / 256) * (dice.below(3) as f32 - 1.0)).collect()
}

#[test]
fn lossless_keeps_every_natively_ternary_weight() {
    for format in formats() {
        for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            let mut tiny = Tiny::default();
            for (i, (name, dims)) in SHAPES.into_iter().enumerate() {
                let all = native(dims.iter().product::<u64>() as usize, format.has_one_scale(), i as u64);
                let bytes = match dtype {
                    DType::F16 => f16_bytes(&all),
                    DType::BF16 => all.iter().flat_map(|w| half::bf16::from_f32(*w).to_le_bytes()).collect(),
                    DType::F32 => f32_bytes(&all),
                    _ => all.iter().flat_map(|w| f64::from(*w).to_le_bytes()).collect(),
                };
                tiny = tiny.tensor(name, dims, dtype, bytes);
            }
            let model = tiny.open().unwrap();
            // Exact finds the same, because such blocks keep what they are.
            for method in [Method::Lossless, Method::Exact] {
                let out =
                    quantized(&model, &recipe(format, method)).unwrap_or_else(|e| panic!("{dtype} {format}: {e}"));
                for (i, tensor) in model.tensors.iter().enumerate() {
                    assert_same(
                        &weights(&out.model, &tensor.name),
                        &weights(&model, &tensor.name),
                        &format!("{dtype} {format}"),
                    );
                    if let Some(stats) = &out.summary.tensors[i].stats {
                        assert_eq!(stats.errors.sum_e2, 0.0);
                        assert_eq!(stats.scales.native, stats.scales.blocks);
                    }
                }
                assert!(out.summary.stats.errors.n > 0);
            }
        }
    }
}

#[test]
fn lossless_refuses_other_weights_and_names_the_first() {
    for format in formats() {
        for (at, n) in [(300usize, 256 * 12), (70_000, 256 * 300)] {
            let mut all = native(n, true, 1);
            all[at] = 0.25;
            let name = "blk.0.ffn_up.weight";
            let model =
                Tiny::default().tensor(name, &[256, n as u64 / 256], DType::F32, f32_bytes(&all)).open().unwrap();
            let Err(error) = quantized(&model, &recipe(format, Method::Lossless)) else { panic!("{format} took them") };
            let text = error.to_string();
            assert!(error.exit_code() == 3 && text.contains(name), "{text}");
            assert!(text.contains(&format!("element {at} ")), "{format}: {text}");
            let report = measure(&model, 0, format, &[Method::Lossless], Depth::Exact, &Cancel::new()).unwrap();
            let problem = report.methods[0].problem.as_ref().unwrap();
            assert!(problem.contains(&format!("element {at} ")), "{format}: {problem}");
        }
    }
}

#[test]
fn weights_that_are_not_finite_are_an_error_with_their_index() {
    for format in formats() {
        for (at, value) in [(0, f32::NAN), (5000, f32::INFINITY), (300_000, f32::NEG_INFINITY)] {
            let mut all = normals(256 * 1200, 1);
            all[at] = value;
            let model = Tiny::default()
                .tensor("blk.0.ffn_up.weight", &[256, 1200], DType::F32, f32_bytes(&all))
                .open()
                .unwrap();
            let Err(error) = quantized(&model, &recipe(format, Method::Exact)) else { panic!("{format} took {value}") };
            assert!(
                error.exit_code() == 3 && error.to_string().contains(&format!("element {at} is {value}")),
                "{error}"
            );
        }
    }
}

#[test]
fn zeros_stay_zeros_in_every_format() {
    for format in formats() {
        for method in Method::COMPARED {
            let name = "blk.0.ffn_up.weight";
            let model = Tiny::default().tensor(name, &[256, 32], DType::F32, vec![0; 32 * 1024]).open().unwrap();
            let out = quantized(&model, &recipe(format, method)).unwrap();
            assert!(weights(&out.model, name).iter().all(|w| *w == 0.0), "{format} {method}");
        }
    }
}

#[test]
fn what_a_format_cannot_hold_stays_and_says_why() {
    let model = Tiny::default()
        .normal("blk.0.ffn_up.weight", &[100, 3], 1)
        .normal("blk.0.ffn_down.weight", &[96, 2], 2)
        .open()
        .unwrap();
    for format in formats() {
        let plan = resolve(&model, &recipe(format, Method::Exact));
        for (tensor, decision) in model.tensors.iter().zip(&plan.decisions) {
            let takes = format.takes(tensor.row_len(), tensor.elements());
            assert_eq!(decision.is_ternary(), takes);
            let expected = match (takes, format.has_one_scale()) {
                (true, _) => "selected".to_owned(),
                (false, true) => format!("its elements are not a multiple of the {} of a group", format.block_len()),
                (false, false) => format!("rows of {} are not a multiple of {}", tensor.row_len(), format.block_len()),
            };
            assert!(decision.reason_text().contains(&expected), "{format}: {}", decision.reason_text());
        }
    }
}

#[test]
fn a_tensor_that_is_there_already_is_copied_byte_for_byte() {
    for format in formats() {
        let coded = Coded::random(format.dtype(), 256, 6, 9);
        let model = Tiny::default().coded("blk.0.ffn_up.weight", format.dtype(), &coded).normal(
            "blk.0.ffn_down.weight",
            &[256, 4],
            1,
        );
        let folder = tempfile::tempdir().unwrap();
        let options = tritscope::engine::model::OpenOptions { dialects: vec![format.dtype()], ..Default::default() };
        let model = Model::open(&model.write(folder.path()), &options).unwrap();
        let plan = resolve(&model, &recipe(format, Method::Exact));
        assert_eq!(plan.decisions[0].step, Step::Copy);
        let out = quantized(&model, &recipe(format, Method::Exact)).unwrap();
        assert_same(&raw(&out.model, "blk.0.ffn_up.weight"), &raw(&model, "blk.0.ffn_up.weight"), &format!("{format}"));
        assert_same(
            &bits(&weights(&out.model, "blk.0.ffn_up.weight")),
            &bits(&coded.weights(format.dtype())),
            "weights",
        );
    }
}

#[test]
fn the_summary_says_who_read_the_output_and_who_loads_it() {
    let model = model_of(DType::F16);
    for format in formats() {
        let out = quantized(&model, &recipe(format, Method::Exact)).unwrap();
        let foreign = !format.dtype().is_mainline();
        assert_eq!(
            matches!(out.summary.check.reader, Reader::Own { .. }),
            foreign,
            "{format}: {:?}",
            out.summary.check
        );
        let warned = |code: &str| out.summary.warnings.iter().find(|w| w.code == code).map(|w| w.message.clone());
        assert_eq!(warned("own-reader").is_some(), foreign, "{format}");
        match format.only_in() {
            Some(runtime) => assert!(warned("runtime").unwrap().contains(runtime), "{format}"),
            None => assert_eq!(warned("runtime"), None),
        }
        let file_type = out.model.metadata("general.file_type").and_then(|v| v.as_u64());
        assert_eq!(file_type, format.file_type().map(u64::from), "{format}");
        assert_eq!(out.model.metadata("general.quantization_version").and_then(|v| v.as_u64()), Some(2));
        let found = tensor(&out.model, "blk.0.ffn_up.weight");
        assert_eq!((found.dtype, found.bytes), (format.dtype(), format.dtype().bytes_for(512 * 12).unwrap()));
    }
}
