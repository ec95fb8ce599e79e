//! Measuring: exact figures against a plain computation, samples against exact figures, what cannot be measured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::{Tiny, dense, f16_bytes, f32_bytes, moe, normals};
use tritscope::engine::codec::DType;
use tritscope::engine::demo;
use tritscope::engine::error::Error;
use tritscope::engine::format::source::AlignedBuf;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::preview::{Ask, Depth, measure, measure_weighted, sqnr_db};
use tritscope::engine::progress::Cancel;
use tritscope::engine::stats::SampleMoments;
use tritscope::engine::ternary::{Format, Method, Scratch, code_block, dequantize_block};

fn go(
    model: &Model,
    name: &str,
    format: Format,
    methods: &[Method],
    depth: Depth,
) -> tritscope::engine::preview::TensorReport {
    measure(model, model.find(name).unwrap(), format, methods, depth, &Cancel::new()).unwrap()
}

/// The error of a tensor by the plainest code there is.
fn plain_rel_mse(model: &Model, name: &str, format: Format, method: Method) -> f64 {
    let tensor = &model.tensors[model.find(name).unwrap()];
    let mut weights = vec![0.0; tensor.elements() as usize];
    model.read_f32(tensor, 0, &mut weights, &mut AlignedBuf::new()).unwrap();
    let (mut error, mut power) = (0.0, 0.0);
    for block in weights.chunks(format.block_len()) {
        let (mut trits, mut decoded) = (vec![0; block.len()], vec![0.0; block.len()]);
        let code = code_block(method, block, None, &mut trits, &mut Scratch::default()).unwrap();
        dequantize_block(code.scale, &trits, &mut decoded);
        for (w, q) in block.iter().zip(&decoded) {
            error += f64::from(w - q).powi(2);
            power += f64::from(*w).powi(2);
        }
    }
    error / power
}

#[test]
fn exact_figures_are_those_of_a_plain_computation() {
    let model = moe().open().unwrap();
    for name in ["blk.3.attn_q.weight", "blk.7.ffn_gate_exps.weight"] {
        let report = go(&model, name, Format::Q2_0, &Method::COMPARED, Depth::Exact);
        assert!(report.exact && report.blocks == report.sampled_blocks);
        for method in Method::COMPARED {
            let found = report.method(method).unwrap();
            let plain = plain_rel_mse(&model, name, Format::Q2_0, method);
            assert!((found.rel_mse.value / plain - 1.0).abs() < 1e-6, "{name} {method}");
            assert_eq!((found.rel_mse.low, found.rel_mse.high), (found.rel_mse.value, found.rel_mse.value));
            assert!((found.sqnr_db() - sqnr_db(plain)).abs() < 1e-4);
            assert_eq!(found.scales.total(), report.blocks);
        }
        assert_eq!(report.sums.n, model.tensors[report.tensor].elements());
        assert_eq!(report.weights.total(), report.sums.n);
    }
}

#[test]
fn slices_and_row_bands_add_up_to_the_whole() {
    let model = moe().open().unwrap();
    let report = go(&model, "blk.7.ffn_gate_exps.weight", Format::Q2_0, &[Method::Twn], Depth::Exact);
    let whole = &report.methods[0].stats;
    assert_eq!(report.slices.len(), 4);
    for parts in [&report.slices, &report.row_bands] {
        assert_eq!(parts.iter().map(|p| p.errors.n).sum::<u64>(), whole.errors.n);
        let error: f64 = parts.iter().map(|p| p.errors.sum_e2).sum();
        assert!((error / whole.errors.sum_e2 - 1.0).abs() < 1e-12);
    }
}

#[test]
fn figures_do_not_depend_on_threads_or_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.gguf");
    demo::write(&path).unwrap();
    let mut seen = Vec::new();
    for (threads, mmap) in [(1, true), (5, false)] {
        let model = Model::open(&path, &OpenOptions { mmap, ..OpenOptions::default() }).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for depth in [Depth::SHOWN, Depth::Exact] {
            let report =
                pool.install(|| go(&model, "blk.1.ffn_down_exps.weight", Format::Tq2_0, &[Method::Exact], depth));
            seen.push((report.methods[0].stats.errors, report.methods[0].rel_mse, report.sums));
        }
    }
    assert_eq!(seen[0], seen[2]);
    assert_eq!(seen[1], seen[3]);
    assert_ne!(seen[0].1, seen[1].1);
}

#[test]
fn intervals_of_samples_hold_the_exact_figure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.gguf");
    demo::write(&path).unwrap();
    let model = Model::open(&path, &OpenOptions::default()).unwrap();
    let tensors: Vec<&str> =
        model.tensors.iter().filter(|t| t.role.is_routed_expert()).map(|t| t.name.as_str()).collect();
    let (mut cases, mut held) = (0, 0);
    for name in tensors {
        let exact = go(&model, name, Format::Q2_0, &[Method::Exact], Depth::Exact).methods[0].rel_mse.value;
        for seed in 0..25 {
            let report = go(&model, name, Format::Q2_0, &[Method::Exact], Depth::Sample { blocks: 256, seed });
            let interval = report.methods[0].rel_mse;
            assert!(!report.exact && report.sampled_blocks == 256);
            assert!(interval.low <= interval.value && interval.value <= interval.high);
            cases += 1;
            held += u32::from((interval.low..=interval.high).contains(&exact));
        }
    }
    assert!(f64::from(held) >= 0.9 * f64::from(cases), "{held} of {cases}");
}

#[test]
fn a_sample_as_large_as_the_tensor_is_exact() {
    let model = dense().open().unwrap();
    let depth = Depth::Sample { blocks: 100_000, seed: 1 };
    let report = go(&model, "blk.0.ffn_up.weight", Format::Tq2_0, &[Method::Exact], depth);
    assert!(report.exact && report.sampled_blocks == 64);
}

#[test]
fn estimates_of_several_tensors_combine() {
    let model = moe().open().unwrap();
    let names = ["blk.1.attn_q.weight", "blk.2.attn_q.weight", "blk.3.ffn_gate_exps.weight"];
    let reports: Vec<_> =
        names.iter().map(|name| go(&model, name, Format::Q2_0, &[Method::Exact], Depth::Exact)).collect();
    let combined = SampleMoments::combine(reports.iter().map(|r| &r.methods[0].moments));
    let (error, power) = reports
        .iter()
        .map(|r| &r.methods[0].stats.errors)
        .fold((0.0, 0.0), |(e, w), sums| (e + sums.sum_e2, w + sums.sum_w2));
    assert!((combined.value / (error / power) - 1.0).abs() < 1e-12);
    assert_eq!(combined.low, combined.high);
}

#[test]
fn not_a_number_and_methods_that_refuse_are_told_not_hidden() {
    let mut weights = normals(256 * 4, 1);
    weights[700] = f32::NAN;
    let model = Tiny::default()
        .tensor("blk.0.ffn_up.weight", &[256, 4], DType::F32, f32_bytes(&weights))
        .tensor("blk.0.ffn_gate.weight", &[256, 4], DType::F16, f16_bytes(&normals(1024, 2)))
        .open()
        .unwrap();
    assert_eq!(go(&model, "blk.0.ffn_up.weight", Format::Tq2_0, &[Method::Exact], Depth::Exact).non_finite, Some(700));
    let report = go(&model, "blk.0.ffn_gate.weight", Format::Tq2_0, &[Method::Lossless, Method::Exact], Depth::Exact);
    assert!(report.methods[0].problem.as_ref().unwrap().contains("block 0 is not ternary"));
    assert!(report.methods[1].problem.is_none());
}

#[test]
fn blocks_with_what_is_no_number_are_passed_over_and_the_others_counted() {
    let mut weights = normals(256 * 600, 3);
    for (at, spoilt) in [(700, f32::NAN), (702, f32::INFINITY), (70_000, f32::NEG_INFINITY), (140_000, f32::NAN)] {
        weights[at] = spoilt;
    }
    (weights[0], weights[1]) = (0.0, -0.0);
    let name = "blk.0.ffn_up.weight";
    for (dtype, bytes) in [(DType::F32, f32_bytes(&weights)), (DType::F16, f16_bytes(&weights))] {
        let model = Tiny::default().tensor(name, &[256, 600], dtype, bytes).open().unwrap();
        for (format, lost) in [(Format::Tq2_0, 3 * 256), (Format::Q2_0, 3 * 64)] {
            let methods = [Method::Absmean, Method::Exact];
            let report = go(&model, name, format, &methods, Depth::Exact);
            let n = weights.len() as u64;
            assert_eq!((report.non_finite, report.sums.nan, report.sums.infinite), (Some(700), 2, 2));
            assert_eq!(
                (report.sums.n, report.weights.total(), report.sums.zeros),
                (n - 4, n - 4, report.weights.zeros)
            );
            for figures in &report.methods {
                assert_eq!(figures.problem, None);
                assert_eq!(figures.stats.errors.n, n - lost, "{dtype} {format}");
                assert_eq!(figures.scales.total(), figures.stats.scales.blocks);
            }
            // Nobody asks for the weights: the same figures, and what is no number is met all the same.
            let depth = Depth::Exact;
            let ask = Ask { tensor: 0, format, methods: &methods, depth, imatrix: None, blind: false, weights: false };
            let brief = measure_weighted(&model, &ask, &Cancel::new()).unwrap();
            assert_eq!((brief.non_finite, brief.sums.n, brief.weights.total()), (Some(700), 0, 0));
            for (brief, full) in brief.methods.iter().zip(&report.methods) {
                assert_eq!((brief.stats, &brief.scales), (full.stats, &full.scales));
            }
        }
    }
}

#[test]
fn rows_that_do_not_divide_and_cancelled_work_are_errors() {
    let model = dense().open().unwrap();
    let index = model.find("blk.0.ffn_down.weight").unwrap();
    let error = measure(&model, index, Format::Tq2_0, &[Method::Exact], Depth::Exact, &Cancel::new()).unwrap_err();
    assert!(error.to_string().contains("rows of 64"), "{error}");
    let cancel = Cancel::new();
    cancel.cancel();
    for depth in [Depth::Exact, Depth::Sample { blocks: 8, seed: 0 }] {
        let result = measure(&model, index, Format::Q2_0, &[Method::Exact], depth, &cancel);
        assert!(matches!(result, Err(Error::Cancelled)));
    }
}

#[test]
fn a_sample_of_shorter_blocks_than_the_sources_reads_the_right_weights() {
    // Q4_K blocks are 256 long, ours 64: each sampled block must be its own quarter.
    let mut blocks = Vec::new();
    for i in 0..16u8 {
        let mut block = vec![0u8; 144];
        block[..2].copy_from_slice(&half::f16::from_f32(0.01 * f32::from(i + 1)).to_le_bytes());
        block[4..16].fill(1);
        block[16..].iter_mut().enumerate().for_each(|(j, b)| *b = (j as u8).wrapping_mul(37).wrapping_add(i));
        blocks.extend(block);
    }
    let model = Tiny::default().tensor("blk.0.ffn_up.weight", &[1024, 4], DType::Q4_K, blocks).open().unwrap();
    let exact = go(&model, "blk.0.ffn_up.weight", Format::Q2_0, &[Method::Exact], Depth::Exact);
    let nearly_all =
        go(&model, "blk.0.ffn_up.weight", Format::Q2_0, &[Method::Exact], Depth::Sample { blocks: 63, seed: 3 });
    let (a, b) = (exact.methods[0].rel_mse.value, nearly_all.methods[0].rel_mse.value);
    assert!((a / b - 1.0).abs() < 0.1, "{a} {b}");
}
