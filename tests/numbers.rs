//! One meaning per type number in every output, and the files of ruvllm, which are read and written whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use support::reading::{assert_same, carry_out, codes, complaints, quantized, raw, recipe, repacked, tensor, weights};
use support::writers::{Coded, prism_ml, ruvllm};
use support::{Kv, Tiny, f16_bytes, f32_bytes, normals};
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Error, Severity};
use tritscope::engine::model::Model;
use tritscope::engine::plan::{Action, Fallback, Mask, Pattern, Plan, Precision, Recipe, Rule, Step, repack, resolve};
use tritscope::engine::ternary::{Format, Method};

/// Little-endian brain floats of numbers that they hold.
fn bf16_bytes(weights: &[f32]) -> Vec<u8> {
    weights.iter().flat_map(|w| half::bf16::from_f32(*w).to_le_bytes()).collect()
}

/// Only what this pattern picks, in this format.
fn only(pattern: &str, format: Format) -> Recipe {
    let rules = vec![Rule { pattern: pattern.parse::<Pattern>().unwrap(), action: Action::TERNARY }];
    Recipe { format, layers: Mask::Custom, fallback: Fallback::None, rules, ..Recipe::default() }
}

/// A model in BF16: matrices whose rows divide by 256 and not, an embedding, a norm.
fn brain_floats() -> Tiny {
    let matrix = |tiny: Tiny, name: &str, dims: &[u64], seed: u64| {
        let n = dims.iter().product::<u64>() as usize;
        tiny.tensor(name, dims, DType::BF16, bf16_bytes(&normals(n, seed)))
    };
    let mut tiny = Tiny::default().kv("general.file_type", Kv::U32(32)).kv("llama.block_count", Kv::U32(1));
    for (i, (name, dims)) in [
        ("token_embd.weight", vec![256, 8]),
        ("blk.0.attn_norm.weight", vec![256]),
        ("blk.0.ffn_up.weight", vec![256, 12]),
        ("blk.0.ffn_down.weight", vec![96, 40]),
        ("output.weight", vec![256, 8]),
    ]
    .iter()
    .enumerate()
    {
        tiny = matrix(tiny, name, dims, i as u64);
    }
    tiny
}

/// Dimensions as they stand in the file.
fn dims_in_file(model: &Model, name: &str) -> Vec<u64> {
    model.gguf().unwrap().tensors.iter().find(|t| t.name == name).unwrap().dims.to_vec()
}

/// Metadata entries as they stand in the file.
fn entries(model: &Model) -> Vec<(String, Vec<u8>)> {
    model.metadata.entries().iter().map(|kv| (kv.key.clone(), model.metadata.raw(kv).unwrap())).collect()
}

#[test]
fn what_stays_in_bf16_becomes_f32_beside_t158() {
    let model = brain_floats().open().unwrap();
    let written = quantized(&model, &recipe(Format::T158, Method::Exact)).unwrap();
    let types: Vec<DType> = written.model.tensors.iter().map(|t| t.dtype).collect();
    assert_eq!(types, [DType::F32, DType::F32, DType::T158, DType::T158, DType::F32]);
    for name in ["token_embd.weight", "blk.0.attn_norm.weight", "output.weight"] {
        assert_same(&weights(&written.model, name), &weights(&model, name), "weights");
    }
    let text = |key: &str| written.model.metadata(key).map(|v| v.to_string());
    assert_eq!(text("craftsman.bitnet.version").as_deref(), Some("1"));
    assert_eq!(text("craftsman.bitnet.weight_encoding").as_deref(), Some("absmean_ternary"));
    assert_eq!(text("craftsman.bitnet.activation_bits").as_deref(), Some("8"));
    assert_eq!(text("craftsman.bitnet.block_size").as_deref(), Some("256"));
    assert_eq!(text("general.architecture").as_deref(), Some("llama"));
    assert_eq!(text("general.file_type"), None);
    // An existing model keeps GGUF's order of dimensions.
    assert_eq!(dims_in_file(&written.model, "blk.0.ffn_down.weight"), [96, 40]);
    // Asking for BF16 asks for the same.
    let asked = Recipe { keep_precision: Precision::Bf16, ..recipe(Format::T158, Method::Exact) };
    let plan = resolve(&model, &asked);
    assert!(plan.decisions.iter().all(|d| d.new_type == DType::T158 || d.new_type == DType::F32));
    assert!(
        plan.decisions[0].reason_text().contains("type number 30 means T158"),
        "{}",
        plan.decisions[0].reason_text()
    );
}

#[test]
fn groups_of_128_never_fall_back_to_groups_of_64() {
    let model = Tiny::default()
        .normal("blk.0.ffn_up.weight", &[256, 8], 1)
        .normal("blk.0.ffn_down.weight", &[192, 8], 2)
        .open()
        .unwrap();
    for fallback in [Fallback::Q2_0, Fallback::None] {
        let asked = Recipe { fallback, ..recipe(Format::Q2_0G128, Method::Exact) };
        let plan = resolve(&model, &asked);
        assert_eq!(plan.decisions[0].step, Step::Ternary(Format::Q2_0G128, Method::Exact));
        assert_eq!((plan.decisions[1].step, plan.decisions[1].new_type), (Step::Copy, DType::F16));
        assert!(plan.decisions[1].reason_text().contains("rows of 192 are not a multiple of 128"));
        assert_eq!(plan.first_miss(&model).unwrap().0.name, "blk.0.ffn_down.weight");
    }
    let written = quantized(&model, &recipe(Format::Q2_0G128, Method::Exact)).unwrap();
    assert_eq!(written.model.dialects[0].chosen, DType::Q2_0_G128);
}

#[test]
fn groups_of_64_that_stay_become_f16_beside_groups_of_128() {
    let coded = Coded::random(DType::Q2_0, 128, 8, 1);
    let four = Coded { codes: coded.codes.iter().map(|c| c + 1).collect(), ..coded };
    let model = Tiny::default()
        .coded("blk.0.attn_q.weight", DType::Q2_0, &four)
        .normal("blk.0.ffn_up.weight", &[256, 8], 1)
        .open()
        .unwrap();
    let written = quantized(&model, &only("*ffn_up*", Format::Q2_0G128)).unwrap();
    assert_eq!(tensor(&written.model, "blk.0.attn_q.weight").dtype, DType::F16);
    assert_same(&weights(&written.model, "blk.0.attn_q.weight"), &four.weights(DType::Q2_0), "weights");
    // And the other way round.
    let (prism, of_prism) = prism_ml(DType::Q2_0_G128, 1);
    let model = prism.open().unwrap();
    let written = quantized(&model, &only("*ffn_up*", Format::Q2_0)).unwrap();
    assert_eq!(written.model.dialects[0].chosen, DType::Q2_0);
    for (name, coded) in &of_prism {
        assert_same(&weights(&written.model, name), &coded.weights(DType::Q2_0_G128), name);
        let wanted = if name.contains("ffn_up") { DType::Q2_0 } else { DType::F16 };
        assert_eq!(tensor(&written.model, name).dtype, wanted);
    }
}

#[test]
fn two_formats_with_one_number_are_refused_before_anything_is_written() {
    let model = Tiny::default()
        .normal("blk.0.ffn_up.weight", &[256, 8], 1)
        .normal("blk.1.ffn_up.weight", &[256, 8], 2)
        .open()
        .unwrap();
    let rule = |pattern: &str, format| Rule {
        pattern: pattern.parse().unwrap(),
        action: Action::Ternary { format: Some(format), method: None },
    };
    let both = Recipe {
        layers: Mask::Custom,
        rules: vec![rule("blk.0.*", Format::Q2_0), rule("blk.1.*", Format::Q2_0G128)],
        ..Recipe::default()
    };
    let Err(error) = quantized(&model, &both) else { panic!("two meanings were written") };
    assert!(error.exit_code() == 3 && error.to_string().contains("type number 42 means Q2_0"), "{error}");
    assert!(error.to_string().contains("blk.1.ffn_up.weight"), "{error}");
}

#[test]
fn a_tensor_that_cannot_be_decoded_blocks_a_format_that_takes_its_number() {
    let model = Tiny::default()
        .architecture("bitnet")
        .numbered("blk.0.attn_q.weight", &[256, 8], 42, vec![7; 3000])
        .normal("blk.0.ffn_up.weight", &[256, 8], 1)
        .open()
        .unwrap();
    let plan = resolve(&model, &only("*ffn_up*", Format::Q2_0));
    let error = plan.require_possible(&model).unwrap_err();
    assert!(error.to_string().contains("cannot stay TL2_42: type number 42 means Q2_0"), "{error}");
}

#[test]
fn a_file_of_ruvllm_has_nothing_to_repack_to_its_own_type() {
    let (tiny, _) = ruvllm();
    let folder = tempfile::tempdir().unwrap();
    tiny.write(folder.path());
    let output = run(folder.path(), &["repack", "model.gguf", "-o", "out.gguf", "--to", "t158"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("nothing to do"), "{told}");
    let model = tiny.open().unwrap();
    assert!(matches!(repacked(&model, Format::T158, false), Err(Error::NothingToDo(_))));
}

#[test]
fn another_tensor_of_ruvllms_goes_ternary_and_all_else_stays_exactly() {
    let (tiny, of_ruvllm) = ruvllm();
    let model = tiny.open().unwrap();
    let name = "model.layers.0.self_attn.q_proj.weight";
    for format in Format::ALL.into_iter().filter(|f| f.dtype().is_ternary()) {
        let written = carry_out(&model, &resolve(&model, &only(name, format)), &only(name, format), |options| {
            options.provenance = false;
        })
        .unwrap_or_else(|e| panic!("{format}: {e}"));
        let out = &written.model;
        assert_eq!(tensor(out, name).dtype, format.dtype());
        assert!(out.rows_first);
        assert_eq!((&tensor(out, name).dims[..], dims_in_file(out, name)), (&[256, 16][..], vec![16, 256]));
        for (name, coded) in &of_ruvllm {
            assert_same(&raw(out, name), &raw(&model, name), &format!("{format}: {name}"));
            assert_eq!(dims_in_file(out, name), dims_in_file(&model, name));
            let (found, meant) = (codes(out, name), coded);
            assert_eq!((&found.codes, &found.scales), (&meant.codes, &meant.scales));
        }
        let mut kept = entries(out);
        let ours = ["general.file_type", "general.quantization_version", "tritscope.i2_s_packing"];
        kept.retain(|(key, _)| !ours.contains(&key.as_str()));
        assert_eq!(kept, entries(&model), "{format}");
        let names = |m: &Model| m.tensors.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(out), names(&model));
        assert_eq!(complaints(out), [""; 0], "{format}");
    }
}

#[test]
fn other_words_of_ruvllm_about_its_coding_stand() {
    let (mut tiny, _) = ruvllm();
    for (key, value) in &mut tiny.kvs {
        if key == b"craftsman.bitnet.router_precision" {
            *value = Kv::Str("bf16".into());
        }
    }
    let model = tiny.open().unwrap();
    let written = quantized(&model, &only("*q_proj*", Format::T158)).unwrap();
    let found = written.model.metadata("craftsman.bitnet.router_precision").unwrap();
    assert_eq!(found.as_str(), Some("bf16"));
}

#[test]
fn leaving_t158_leaves_its_order_of_dimensions_and_coming_back_restores_all() {
    // All rows divide by 64, so that everything can go.
    let coded = Coded::random(DType::T158, 256, 24, 3);
    let (tiny, _) = ruvllm();
    let mut tiny = Tiny { tensors: Vec::new(), ..tiny };
    tiny = tiny
        .coded("model.layers.0.mlp.gate_proj.weight", DType::T158, &coded)
        .last(|t| t.dims.reverse())
        .tensor("model.layers.0.self_attn.q_proj.weight", &[16, 256], DType::F16, f16_bytes(&normals(4096, 8)))
        .tensor("model.norm.weight", &[256], DType::F32, f32_bytes(&normals(256, 7)));
    let model = tiny.open().unwrap();
    let written = repacked(&model, Format::Tq2_0, false).unwrap();
    let out = &written.model;
    let of_ruvllm = |m: &Model| {
        let mut kept = entries(m);
        kept.retain(|(key, _)| key.starts_with("craftsman."));
        kept
    };
    assert_eq!(of_ruvllm(out), of_ruvllm(&model));
    assert_eq!(out.metadata("general.file_type").and_then(|v| v.as_u64()), Some(37));
    assert_eq!(out.metadata("general.quantization_version").and_then(|v| v.as_u64()), Some(2));
    assert!(!out.rows_first);
    assert_eq!(dims_in_file(out, "model.layers.0.mlp.gate_proj.weight"), [256, 24]);
    assert_eq!(dims_in_file(out, "model.layers.0.self_attn.q_proj.weight"), [256, 16]);
    assert_same(&weights(out, "model.layers.0.mlp.gate_proj.weight"), &coded.weights(DType::T158), "weights");
    let back = repacked(out, Format::T158, false).unwrap();
    let name = "model.layers.0.mlp.gate_proj.weight";
    assert!(back.model.rows_first);
    assert_eq!((&tensor(&back.model, name).dims[..], dims_in_file(&back.model, name)), (&[256, 24][..], vec![24, 256]));
    assert_same(&raw(&back.model, name), &raw(&model, name), name);
    assert_eq!(of_ruvllm(&back.model), of_ruvllm(&model));
}

/// Runs the program in a folder.
fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// Types that a source may have, one meaning for each number.
fn source_types() -> impl Strategy<Value = Vec<DType>> {
    let plain =
        [DType::F32, DType::F16, DType::F64, DType::Q8_0, DType::TQ1_0, DType::TQ2_0, DType::I2_S, DType::NVFP4];
    let of_30 = prop::sample::select(vec![DType::BF16, DType::T158]);
    let of_42 = prop::sample::select(vec![DType::Q2_0, DType::Q2_0_G128]);
    (of_30, of_42, prop::collection::vec(0..10usize, 3..9)).prop_map(move |(of_30, of_42, picks)| {
        picks.into_iter().map(|i| plain.get(i).copied().unwrap_or(if i == 8 { of_30 } else { of_42 })).collect()
    })
}

/// A model with a tensor of each of these types, under names of all roles.
fn model_of(types: &[DType], rows: &[u64]) -> Model {
    let names =
        ["token_embd", "blk.0.ffn_gate_exps", "blk.0.attn_q", "blk.0.ffn_up", "blk.1.attn_k", "blk.1.ffn_up", "output"];
    let mut tiny = Tiny::default();
    for (i, dtype) in types.iter().enumerate() {
        let name = names.get(i).map_or_else(|| format!("blk.{i}.ffn_down.weight"), |n| format!("{n}.weight"));
        let dims = [rows[i % rows.len()], 4];
        let bytes = dtype.bytes_for(dims[0] * dims[1]).expect("rows of 256 suit every type");
        tiny = tiny.tensor(&name, &dims, *dtype, vec![0; bytes as usize]);
    }
    support::open_bytes(&tiny.normal("output_norm.weight", &[64], 1).bytes(), true).unwrap()
}

/// Asserts that a plan gives no number two meanings, unless it says that it cannot be carried out.
fn assert_one_meaning(model: &Model, plan: &Plan, what: &str) {
    let mut meanings: BTreeMap<u32, DType> = BTreeMap::new();
    let impossible = plan.notes.iter().any(|n| n.severity == Severity::Error);
    for (tensor, decision) in model.tensors.iter().zip(&plan.decisions) {
        let number = decision.new_type.number().unwrap();
        let meaning = *meanings.entry(number).or_insert(decision.new_type);
        assert!(
            impossible || meaning == decision.new_type,
            "{what}: {number} is {meaning} and, for '{}', {}",
            tensor.name,
            decision.new_type
        );
        if let Step::Copy = decision.step {
            assert_eq!(
                (decision.new_type, decision.new_bytes),
                (tensor.dtype, tensor.bytes),
                "{what}: {}",
                tensor.name
            );
        } else if !impossible {
            assert_eq!(
                Some(decision.new_bytes),
                decision.new_type.bytes_for(tensor.elements()),
                "{what}: {}",
                tensor.name
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_output_gives_a_number_two_meanings(
        types in source_types(),
        format in prop::sample::select(Format::ALL.to_vec()),
        second in prop::sample::select(Format::ALL.to_vec()),
        (keep, embeddings) in (0..Precision::ALL.len(), 0..Precision::ALL.len()),
        mask in prop::sample::select(Mask::ALL.to_vec()),
        with_rule in any::<bool>(),
        fallback in prop::sample::select(vec![Fallback::Q2_0, Fallback::None]),
    ) {
        let model = model_of(&types, &[256, 512]);
        let rule = Rule {
            pattern: "blk.1.*".parse().unwrap(),
            action: Action::Ternary { format: Some(second), method: None },
        };
        let recipe = Recipe {
            format,
            fallback,
            layers: mask,
            keep_precision: Precision::ALL[keep].0,
            embeddings: Some(Precision::ALL[embeddings].0),
            rules: if with_rule { vec![rule] } else { Vec::new() },
            ..Recipe::default()
        };
        assert_one_meaning(&model, &resolve(&model, &recipe), &format!("{types:?} {recipe:?}"));
        for partial in [true, false] {
            let plan = repack(&model, format, &recipe, partial, &[]);
            assert_one_meaning(&model, &plan, &format!("repack {types:?} {recipe:?}"));
        }
    }
}
