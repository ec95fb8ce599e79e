//! Every type in every container goes all the way: opened, measured, planned, exported.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::reading::{assert_same, bits, carry_out, complaints, open, quantized, raw, recipe, tensor, weights};
use support::safetensors::Safe;
use support::writers::Dice;
use support::{Kv, Tiny, f16_bytes, f32_bytes, normals};
use tritscope::engine::codec::DType;
use tritscope::engine::hf;
use tritscope::engine::plan::{Mask, Precision, Recipe, Step, resolve};
use tritscope::engine::preview::{Depth, measure};
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::{Format, Method};

/// Vectors that ggml's quantizers made.
const GGML: [&str; 27] = [
    "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "tq1_0", "tq2_0",
    "q2_0", "iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s", "iq4_nl", "iq4_xs", "mxfp4", "nvfp4",
    "q1_0",
];

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/ggml").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const UP: &str = "blk.0.ffn_up.weight";

/// Σ(w − ŵ)² ÷ Σw², added up plainly.
fn rel_mse(weights: &[f32], decoded: &[f32]) -> f64 {
    let e2: f64 = weights.iter().zip(decoded).map(|(w, q)| (f64::from(*w) - f64::from(*q)).powi(2)).sum();
    if e2 == 0.0 { 0.0 } else { e2 / weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() }
}

#[test]
fn every_type_of_ggml_is_opened_measured_planned_and_exported() {
    for name in GGML {
        let dtype = DType::from_name(name).unwrap();
        let packed = fixture(&format!("{name}.q"));
        let meant: Vec<f32> = fixture(&format!("{name}.f32"))
            .chunks_exact(4)
            .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
            .collect();
        // Rows of 256, and another tensor behind it, so that offsets tell what they can.
        let dims = [256, meant.len() as u64 / 256];
        let model =
            Tiny::default().tensor(UP, &dims, dtype, packed).normal("output_norm.weight", &[64], 1).open().unwrap();
        assert_eq!((tensor(&model, UP).dtype, complaints(&model)), (dtype, vec![]), "{name}");
        assert_same(&bits(&weights(&model, UP)), &bits(&meant), name);
        for format in [Format::Q2_0, Format::Tq2_0, Format::I2S].into_iter().filter(|f| f.dtype() != dtype) {
            let report = measure(&model, 0, format, &[Method::Exact], Depth::Exact, &Cancel::new()).unwrap();
            let plan = resolve(&model, &recipe(format, Method::Exact));
            assert_eq!(plan.decisions[0].step, Step::Ternary(format, Method::Exact), "{name}");
            let out = quantized(&model, &recipe(format, Method::Exact)).unwrap_or_else(|e| panic!("{name}: {e}"));
            let found = rel_mse(&meant, &weights(&out.model, UP));
            let reported = out.summary.tensors[0].stats.unwrap().errors.rel_mse();
            // Reported errors are summed in f32 within blocks.
            assert!((found - reported).abs() <= 1e-6 * found, "{name} → {format}: {found} {reported}");
            assert!((report.methods[0].rel_mse.value - reported).abs() <= 1e-9 * found, "{name} → {format}");
        }
    }
}

#[test]
fn every_type_of_ggml_stays_byte_for_byte_or_becomes_a_float() {
    for name in GGML {
        let dtype = DType::from_name(name).unwrap();
        let packed = fixture(&format!("{name}.q"));
        let rows = packed.len() as u64 / dtype.bytes_for(256).unwrap();
        let model = Tiny::default()
            .tensor("blk.0.attn_q.weight", &[256, rows], dtype, packed)
            .normal(UP, &[256, 4], 1)
            .open()
            .unwrap();
        let only_up = |keep_precision| Recipe {
            keep_precision,
            layers: Mask::Custom,
            rules: vec![tritscope::engine::plan::Rule {
                pattern: UP.parse().unwrap(),
                action: tritscope::engine::plan::Action::TERNARY,
            }],
            ..Recipe::default()
        };
        let out = quantized(&model, &only_up(Precision::Source)).unwrap();
        assert_same(&raw(&out.model, "blk.0.attn_q.weight"), &raw(&model, "blk.0.attn_q.weight"), name);
        let out = quantized(&model, &only_up(Precision::F32)).unwrap();
        assert_eq!(tensor(&out.model, "blk.0.attn_q.weight").dtype, DType::F32);
        let (found, meant) = (weights(&out.model, "blk.0.attn_q.weight"), weights(&model, "blk.0.attn_q.weight"));
        assert_same(&bits(&found), &bits(&meant), name);
    }
}

#[test]
fn integers_are_kept_whatever_is_asked_for() {
    for (dtype, width) in [(DType::I8, 1), (DType::I16, 2), (DType::I32, 4), (DType::I64, 8)] {
        let model = Tiny::default()
            .tensor("blk.0.attn_q.weight", &[256, 2], dtype, Dice::new(1).bytes(512 * width))
            .normal(UP, &[256, 4], 1)
            .open()
            .unwrap();
        let asked = Recipe { keep_precision: Precision::F16, ..recipe(Format::Tq2_0, Method::Exact) };
        let out = quantized(&model, &asked).unwrap();
        assert_eq!(tensor(&out.model, "blk.0.attn_q.weight").dtype, dtype);
        assert_same(&raw(&out.model, "blk.0.attn_q.weight"), &raw(&model, "blk.0.attn_q.weight"), "integers");
    }
}

/// Channels, heads, key heads and rows of a head of the models below.
const EMBD: u64 = 256;
const HEADS: u64 = 4;
const KEY_HEADS: u64 = 2;

/// Tensors of a one-layer llama: name in a GGUF, name at Hugging Face, shape (rows first), heads whose rows are paired.
fn llama() -> Vec<(&'static str, &'static str, Vec<u64>, u64)> {
    let keys = EMBD / HEADS * KEY_HEADS;
    vec![
        ("token_embd.weight", "model.embed_tokens.weight", vec![8, EMBD], 0),
        ("blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight", vec![EMBD], 0),
        ("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight", vec![EMBD, EMBD], HEADS),
        ("blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight", vec![keys, EMBD], KEY_HEADS),
        ("blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight", vec![keys, EMBD], 0),
        ("blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight", vec![EMBD, EMBD], 0),
        ("blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight", vec![EMBD], 0),
        ("blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight", vec![12, EMBD], 0),
        (UP, "model.layers.0.mlp.up_proj.weight", vec![12, EMBD], 0),
        ("blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", vec![EMBD, 12], 0),
        ("output_norm.weight", "model.norm.weight", vec![EMBD], 0),
        ("output.weight", "lm_head.weight", vec![8, EMBD], 0),
    ]
}

/// Rows of each head, stored as halves at Hugging Face, as pairs of neighbours.
fn paired(values: &[f32], heads: u64) -> Vec<f32> {
    if heads == 0 {
        return values.to_vec();
    }
    let rows: Vec<&[f32]> = values.chunks(EMBD as usize).collect();
    let of_head = rows.len() / heads as usize;
    let from = |r: usize| r / of_head * of_head + r % of_head % 2 * (of_head / 2) + r % of_head / 2;
    (0..rows.len()).flat_map(|r| rows[from(r)].to_vec()).collect()
}

/// Float values in a type of safetensors; what a decoder will read, and the bytes.
fn encoded(dtype: &str, plain: &[f32], seed: u64) -> (Vec<f32>, Vec<u8>) {
    match dtype {
        "F64" => (plain.to_vec(), plain.iter().flat_map(|w| f64::from(*w).to_le_bytes()).collect()),
        "F32" => (plain.to_vec(), f32_bytes(plain)),
        "F16" => (plain.iter().map(|w| half::f16::from_f32(*w).to_f32()).collect(), f16_bytes(plain)),
        "BF16" => {
            let halves: Vec<half::bf16> = plain.iter().map(|w| half::bf16::from_f32(*w)).collect();
            (halves.iter().map(|h| h.to_f32()).collect(), halves.iter().flat_map(|h| h.to_le_bytes()).collect())
        }
        // Bytes below 0x38 are numbers of at most 1 in both eight-bit types; the sign is the top bit.
        _ => {
            let mut dice = Dice::new(seed);
            let bytes: Vec<u8> = plain.iter().map(|_| dice.below(0x38) as u8 | (dice.below(2) as u8) << 7).collect();
            let (mantissa, bias) = if dtype == "F8_E4M3" { (3, 7) } else { (2, 15) };
            (bytes.iter().map(|b| eight_bits(*b, mantissa, bias)).collect(), bytes)
        }
    }
}

/// The value of an eight-bit float that is no special one.
fn eight_bits(byte: u8, mantissa_bits: i32, bias: i32) -> f32 {
    let (exponent, mantissa) = (i32::from(byte & 0x7f) >> mantissa_bits, i32::from(byte) & ((1 << mantissa_bits) - 1));
    let fraction = mantissa as f32 / (1 << mantissa_bits) as f32;
    let magnitude =
        if exponent == 0 { fraction * 2f32.powi(1 - bias) } else { (1.0 + fraction) * 2f32.powi(exponent - bias) };
    if byte >> 7 == 1 { -magnitude } else { magnitude }
}

/// A safetensors model in this type (vectors in F32), and the GGUF with the same values in F32.
fn twins(dtype: &str) -> (Safe, Tiny) {
    let mut safe = Safe::default();
    let mut tiny = Tiny::default()
        .kv("llama.block_count", Kv::U32(1))
        .kv("llama.embedding_length", Kv::U32(EMBD as u32))
        .kv("llama.attention.head_count", Kv::U32(HEADS as u32))
        .kv("llama.attention.head_count_kv", Kv::U32(KEY_HEADS as u32))
        .kv("llama.feed_forward_length", Kv::U32(12))
        .kv("general.file_type", Kv::U32(0));
    for (i, (gguf, hf, shape, heads)) in llama().into_iter().enumerate() {
        let plain = normals(shape.iter().product::<u64>() as usize, 70 + i as u64);
        let dtype = if shape.len() == 1 { "F32" } else { dtype };
        let (values, bytes) = encoded(dtype, &plain, i as u64);
        safe = safe.tensor(hf, dtype, &shape, bytes);
        let dims: Vec<u64> = shape.iter().rev().copied().collect();
        tiny = tiny.tensor(gguf, &dims, DType::F32, f32_bytes(&paired(&values, heads)));
    }
    (safe, tiny)
}

#[test]
fn floats_of_safetensors_are_exported_as_the_gguf_with_their_values() {
    for dtype in ["F32", "F16", "BF16"] {
        let folder = tempfile::tempdir().unwrap();
        let (safe, twin) = twins(dtype);
        let base = open(&twin.write(folder.path())).unwrap();
        let model = open(&safe.write(folder.path(), "m.safetensors")).unwrap();
        let view = hf::best_view(model, Some(&base)).unwrap();
        assert!(view.diagnostics.iter().all(|d| d.code != "not-a-gguf"), "{dtype}: {:?}", view.diagnostics);
        for (name, ..) in llama() {
            assert_same(&weights(&view, name), &weights(&base, name), &format!("{dtype}: {name}"));
        }
        for format in [Format::Q2_0, Format::I2S, Format::T158] {
            let asked = Recipe { keep_precision: Precision::F32, ..recipe(format, Method::Exact) };
            let out = quantized(&view, &asked).unwrap_or_else(|e| panic!("{dtype} → {format}: {e}"));
            let of_twin = quantized(&base, &asked).unwrap();
            for (name, ..) in llama() {
                assert_eq!(tensor(&out.model, name).dtype, tensor(&of_twin.model, name).dtype, "{dtype}: {name}");
                assert_same(&raw(&out.model, name), &raw(&of_twin.model, name), &format!("{dtype} → {format}: {name}"));
            }
            assert_eq!(out.model.metadata("llama.block_count").and_then(|v| v.as_u64()), Some(1));
        }
    }
}

#[test]
fn other_floats_of_safetensors_are_planned_and_measured_and_say_why_they_are_not_exported() {
    for dtype in ["F64", "F8_E4M3", "F8_E5M2"] {
        let folder = tempfile::tempdir().unwrap();
        let (safe, twin) = twins(dtype);
        let base = open(&twin.write(folder.path())).unwrap();
        let view = hf::best_view(open(&safe.write(folder.path(), "m.safetensors")).unwrap(), Some(&base)).unwrap();
        let why = view.diagnostics.iter().find(|d| d.code == "not-a-gguf").unwrap();
        assert!(why.message.contains(dtype) && why.message.contains("model.embed_tokens.weight"), "{why}");
        assert!(quantized(&view, &recipe(Format::Q2_0, Method::Exact)).is_err_and(|e| e.exit_code() == 3));
        let (up, meant) = ("model.layers.0.mlp.up_proj.weight", weights(&base, UP));
        assert_same(&weights(&view, up), &meant, dtype);
        let plan = resolve(&view, &recipe(Format::Q2_0, Method::Exact));
        let index = view.find(up).unwrap();
        assert!(plan.decisions[index].is_ternary(), "{dtype}");
        let of = |model, index| measure(model, index, Format::Q2_0, &[Method::Exact], Depth::Exact, &Cancel::new());
        let (found, twin) = (of(&view, index).unwrap(), of(&base, base.find(UP).unwrap()).unwrap());
        assert_eq!(found.methods[0].stats, twin.methods[0].stats, "{dtype}");
    }
}

#[test]
fn shards_of_safetensors_are_exported_as_the_whole_is() {
    let folder = tempfile::tempdir().unwrap();
    let (safe, twin) = twins("BF16");
    let base = open(&twin.write(folder.path())).unwrap();
    let shards = folder.path().join("shards");
    std::fs::create_dir(&shards).unwrap();
    let (mut first, mut second) = (safe.clone(), safe);
    second.pieces = first.pieces.split_off(5);
    first.write(&shards, "model-00001-of-00002.safetensors");
    second.write(&shards, "model-00002-of-00002.safetensors");
    let view = hf::best_view(open(&shards).unwrap(), Some(&base)).unwrap();
    let asked = Recipe { keep_precision: Precision::F32, ..recipe(Format::Tq2_0, Method::Exact) };
    let of_twin = quantized(&base, &asked).unwrap();
    for (keep_split, count) in [(false, 1), (true, 2)] {
        let plan = resolve(&view, &asked);
        let out = carry_out(&view, &plan, &asked, |options| options.keep_split = keep_split).unwrap();
        assert_eq!(out.summary.files.len(), count);
        for (name, ..) in llama() {
            assert_same(&raw(&out.model, name), &raw(&of_twin.model, name), name);
        }
    }
}

#[test]
fn safetensors_without_what_a_gguf_needs_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (safe, _) = twins("F16");
    safe.write(folder.path(), "m.safetensors");
    let run = |args: &[&str]| run(folder.path(), args);
    let (code, text) = run(&["quantize", "m.safetensors", "-o", "out.gguf", "--layers", "all"]);
    assert!(code == Some(3) && text.contains("config.json") && text.contains("--base"), "{text}");
    assert!(!folder.path().join("out.gguf").exists());
    let (code, text) = run(&["plan", "m.safetensors", "--layers", "all"]);
    assert!(code == Some(0) && text.contains("up_proj"), "{text}");
    let (code, text) = run(&["repack", "m.safetensors", "-o", "out.gguf", "--to", "tq2_0"]);
    assert!(code == Some(2) && text.contains("nothing to do"), "{text}");
}

fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
    let output = command.args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

#[test]
fn types_that_llama_cpp_keeps_in_memory_are_read_too() {
    let mut dice = Dice::new(4);
    let mut blocks = |head: &[u8], codes: usize, tail: usize, n: usize| -> (Vec<u8>, Vec<f32>) {
        let (mut bytes, mut values) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let qs = dice.bytes(codes);
            values.extend(qs.iter().map(|q| 0.25 * f32::from(*q as i8)));
            bytes.extend([head, &qs, &vec![9; tail]].concat());
        }
        (bytes, values)
    };
    let q8_1 = blocks(&[f16_bytes(&[0.25]), vec![7, 7]].concat(), 32, 0, 32);
    let q8_k = blocks(&0.25f32.to_le_bytes(), 256, 32, 4);
    for (dtype, (bytes, meant)) in [(DType::Q8_1, q8_1), (DType::Q8_K, q8_k)] {
        let model =
            Tiny::default().tensor(UP, &[256, 4], dtype, bytes).normal("output_norm.weight", &[64], 1).open().unwrap();
        assert_same(&weights(&model, UP), &meant, "decoded");
        let report = measure(&model, 0, Format::Q2_0, &[Method::Exact], Depth::Exact, &Cancel::new()).unwrap();
        let out = quantized(&model, &recipe(Format::Q2_0, Method::Exact)).unwrap();
        let found = rel_mse(&meant, &weights(&out.model, UP));
        assert!((report.methods[0].rel_mse.value - found).abs() <= 1e-6 * found, "{dtype}");
    }
}
