//! Forensics of ternary tensors in files: figures by hand for every type, verdicts, experts, the base model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use half::f16;
use serde_json::Value;
use support::{Kv, Tiny, f16_bytes, f32_bytes, normals};
use tempfile::TempDir;
use tritscope::engine::codec::DType;
use tritscope::engine::error::Error;
use tritscope::engine::forensics::base::Base;
use tritscope::engine::forensics::gather;
use tritscope::engine::forensics::native::native_float;
use tritscope::engine::model::Model;
use tritscope::engine::progress::{Cancel, Silent};
use tritscope::engine::report::trits::{TritFigures, TritsReport};
use tritscope::engine::stats::forensics::VerdictKind;

/// Writes codes (0 to 3) and the scale of each row of 256 in a type, by the layouts' descriptions and nothing of the
/// program's.
fn packed(dtype: DType, codes: &[u8], scale_of_row: &dyn Fn(usize) -> f32) -> Vec<u8> {
    let mut out = Vec::new();
    let half = |at: usize| f16::from_f32(scale_of_row(at / 256)).to_le_bytes();
    let (block, head) = match dtype {
        DType::Q2_0 => (64, true),
        DType::Q2_0_G128 => (128, true),
        DType::TQ1_0 | DType::TQ2_0 | DType::T158 => (256, false),
        DType::I2_S => (128, false),
        DType::I2_S_ARM => (64, false),
        other => panic!("{other} is not written here"),
    };
    for (i, codes) in codes.chunks(block).enumerate() {
        let place = |j: usize| match dtype {
            DType::TQ2_0 => (j / 128 * 32 + j % 32, 2 * (j % 128 / 32)),
            DType::I2_S | DType::I2_S_ARM => (j % (block / 4), 6 - 2 * (j / (block / 4))),
            _ => (j / 4, 2 * (j % 4)),
        };
        let mut bytes = vec![0u8; if dtype == DType::TQ1_0 { 52 } else { block / 4 }];
        if dtype == DType::TQ1_0 {
            base_three(codes, &mut bytes);
        } else {
            codes.iter().enumerate().for_each(|(j, c)| bytes[place(j).0] |= c << place(j).1);
        }
        if head {
            out.extend(half(i * block));
        }
        out.extend(bytes);
        if !head && block == 256 {
            out.extend(half(i * block));
        }
    }
    if matches!(dtype, DType::I2_S | DType::I2_S_ARM) {
        out.extend(scale_of_row(0).to_le_bytes());
        out.extend([0xee; 28]);
    }
    out
}

/// TQ1_0: five digits a byte in stretches of 32 and 16 bytes, then four digits in 4.
fn base_three(codes: &[u8], bytes: &mut [u8]) {
    for (from, at, count, digits) in [(0, 0, 32, 5u32), (160, 32, 16, 5), (240, 48, 4, 4)] {
        for m in 0..count {
            let q = (0..5)
                .fold(0, |q, n| q * 3 + if n < digits { u32::from(codes[from + m + count * n as usize]) } else { 0 });
            bytes[at + m] = (q * 256).div_ceil(243) as u8;
        }
    }
}

/// Five rows of 256: one of −1, 0, +1, 0 over and over, one of zeros, two copies of the first, one with another scale.
fn rows() -> Vec<u8> {
    let patterned = [0, 1, 2, 1].repeat(64);
    [patterned.clone(), vec![1; 256], patterned.repeat(3)].concat()
}

fn scales(row: usize) -> f32 {
    [0.5, 0.0, 0.5, 0.5, -0.25][row]
}

fn one(dims: &[u64], dtype: DType, data: Vec<u8>) -> Tiny {
    Tiny::default().tensor("blk.0.ffn_up.weight", dims, dtype, data).normal("output.weight", &[256, 2], 1)
}

/// Opens with the type's number taken for this type.
fn opened(tiny: &Tiny, dtype: DType) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = tiny.write(folder.path());
    let several = dtype.meanings().count() > 1;
    let options = tritscope::engine::model::OpenOptions {
        dialects: if several { vec![dtype] } else { Vec::new() },
        ..Default::default()
    };
    Model::open(&path, &options).unwrap()
}

fn report(model: &Model, base: Option<&Model>) -> TritsReport {
    TritsReport::of(model, |_| true, base, &Silent, &Cancel::new()).unwrap()
}

fn figures(model: &Model) -> TritFigures {
    report(model, None).tensors.remove(0).figures.expect("the tensor can be read")
}

fn near(what: &str, got: f64, want: f64) {
    assert!((got - want).abs() < 1e-12, "{what}: {got}, expected {want}");
}

#[test]
fn every_type_gives_the_figures_of_its_codes() {
    // Blocks: of all, of zeros, repetitions (all but the first of each kind of other blocks).
    for (dtype, blocks, zero, repeated) in [
        (DType::TQ1_0, 5, 1, 2),
        (DType::TQ2_0, 5, 1, 2),
        (DType::T158, 5, 1, 2),
        (DType::Q2_0, 20, 4, 11 + 3),
        (DType::Q2_0_G128, 10, 2, 5 + 1),
        (DType::I2_S, 10, 2, 7),
        (DType::I2_S_ARM, 20, 4, 15),
    ] {
        let f = figures(&opened(&one(&[256, 5], dtype, packed(dtype, &rows(), &scales)), dtype));
        let name = dtype.to_string();
        near(&name, f.negative, 0.2);
        near(&name, f.zero, 0.6);
        near(&name, f.positive, 0.2);
        near(&name, f.entropy, 0.6 * (1.0 / 0.6f64).log2() + 0.4 * 5f64.log2());
        near(&name, f.sign_balance, 0.0);
        assert_eq!((f.plus_two, f.illegal_codes, f.illegal_bytes, f.silenced_blocks), (0.0, 0, 0, 0), "{name}");
        assert_eq!((f.blocks, f.zero_blocks, f.repeated_blocks), (blocks, zero, repeated), "{name}");
        assert!(!f.repeated_estimated && f.experts.is_empty() && f.base.is_none(), "{name}");
        let rows = f.row_zeros.unwrap();
        near(&name, rows.mean, 0.6);
        assert_eq!((rows.min, rows.max), (0.5, 1.0), "{name}");
        let (s, spread) = (f.scales, f.scales.spread.unwrap());
        if dtype == DType::I2_S || dtype == DType::I2_S_ARM {
            assert_eq!((spread.mean, spread.std, s.distinct, s.changes, s.zero, s.negative), (0.5, 0.0, 1, 0, 0, 0));
            continue;
        }
        // Three blocks in four have 0.5, one −0.25.
        near(&name, spread.mean, 0.3125);
        near(&name, spread.std, 0.105_468_75f64.sqrt());
        assert_eq!((spread.min, spread.max, s.distinct, s.changes), (-0.25, 0.5, 2, 1), "{name}");
        assert_eq!((s.zero, s.negative), (zero, blocks / 5), "{name}");
        assert_eq!((s.nan, s.infinite, s.subnormal), (0, 0, 0), "{name}");
    }
}

#[test]
fn blocks_over_the_flattened_tensor_end_where_it_does() {
    // 300 weights: the second block of 256 stands for 44, the filler behind them is −1 to a decoder.
    let codes = [2; 300];
    let f = figures(&opened(&one(&[100, 3], DType::T158, packed(DType::T158, &codes, &|_| 1.0)), DType::T158));
    assert_eq!((f.blocks, f.positive, f.negative, f.illegal_codes), (2, 1.0, 0.0, 0));
    assert_eq!(f.row_zeros.unwrap().max, 0.0);
}

#[test]
fn odd_codes_and_scales_are_counted() {
    let mut codes = rows();
    codes[7] = 3;
    for (dtype, plus_two, illegal) in
        [(DType::TQ2_0, 0.0, 1), (DType::T158, 0.0, 1), (DType::I2_S, 0.0, 1), (DType::Q2_0, 1.0 / 1280.0, 0)]
    {
        let f = figures(&opened(&one(&[256, 5], dtype, packed(dtype, &codes, &scales)), dtype));
        assert_eq!((f.plus_two, f.illegal_codes, f.illegal_bytes), (plus_two, illegal, illegal), "{dtype}");
    }
    let mut bytes = packed(DType::TQ1_0, &rows(), &scales);
    // ⌈0·256/243⌉ = 0 and ⌈1·256/243⌉ = 2: no digits are written as 1.
    bytes[0] = 1;
    let f = figures(&opened(&one(&[256, 5], DType::TQ1_0, bytes), DType::TQ1_0));
    assert_eq!((f.illegal_codes, f.illegal_bytes), (0, 1));
    let subnormal = f16::from_bits(1).to_f32();
    let odd = |row: usize| [f32::NAN, f32::INFINITY, subnormal, 0.0, 1.0][row];
    let f = figures(&opened(&one(&[256, 5], DType::TQ2_0, packed(DType::TQ2_0, &rows(), &odd)), DType::TQ2_0));
    assert_eq!((f.scales.nan, f.scales.infinite, f.scales.subnormal, f.scales.zero), (1, 1, 1, 1));
    assert_eq!((f.silenced_blocks, f.zero_blocks, f.scales.distinct), (1, 1, 2));
}

/// Codes of a matrix that no period of a power of two divides.
fn mixed(n: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % 3
    };
    (0..n).map(|_| next() as u8).collect()
}

fn share_of_zeros(codes: &[u8]) -> f64 {
    codes.iter().map(|c| f64::from(u8::from(*c == 1))).sum::<f64>() / codes.len() as f64
}

#[test]
fn one_scale_for_a_matrix_is_native_and_one_for_a_block_is_not() {
    let codes = mixed(256 * 64);
    let with = |scale: &dyn Fn(usize) -> f32| {
        figures(&opened(&one(&[256, 64], DType::TQ2_0, packed(DType::TQ2_0, &codes, scale)), DType::TQ2_0))
    };
    let native = with(&|_| 0.02);
    assert_eq!(native.verdict.kind, VerdictKind::NativelyTernary);
    assert!(native.verdict.evidence[0].starts_with("all 64 blocks have the scale"), "{:?}", native.verdict);
    let later = with(&|row| 0.02 + 0.001 * ((row * row) % 17) as f32);
    assert_eq!((later.verdict.kind, later.scales.distinct), (VerdictKind::PostTraining, 9));
    // In a format with one scale the architecture is what is left to go by.
    let tiny = one(&[256, 64], DType::I2_S, packed(DType::I2_S, &codes, &|_| 0.02));
    assert_eq!(figures(&opened(&tiny, DType::I2_S)).verdict.kind, VerdictKind::Unclear);
    let bitnet = Tiny { kvs: vec![(b"general.architecture".to_vec(), Kv::Str("bitnet-b1.58".into()))], ..tiny };
    assert_eq!(figures(&opened(&bitnet, DType::I2_S)).verdict.kind, VerdictKind::NativelyTernary);
}

#[test]
fn merged_experts_have_figures_of_their_own() {
    // Expert 0 half zeros, expert 1 all zeros, expert 2 without.
    let codes = [[0, 1, 2, 1].repeat(256), vec![1; 1024], [0, 2].repeat(512)].concat();
    let scale = |row: usize| [0.5, 0.5, 0.25][row / 4];
    let tiny = one(&[256, 4, 3], DType::Q2_0, packed(DType::Q2_0, &codes, &scale));
    let f = figures(&opened(&tiny, DType::Q2_0));
    let of: Vec<(f64, f64, bool)> = f.experts.iter().map(|e| (e.zero, e.scale_mean, e.all_zero)).collect();
    assert_eq!(of, [(0.5, 0.5, false), (1.0, 0.5, true), (0.0, 0.25, false)]);
    near("all", f.zero, 0.5);
    // Trits behind a scale of 0 are zeros as well.
    let silent = |row: usize| [0.5, 0.5, 0.0][row / 4];
    let tiny = one(&[256, 4, 3], DType::Q2_0, packed(DType::Q2_0, &codes, &silent));
    assert!(figures(&opened(&tiny, DType::Q2_0)).experts[2].all_zero);
}

#[test]
fn signs_are_compared_with_the_base_of_the_same_name_and_shape() {
    let codes = mixed(256 * 8);
    let data = packed(DType::TQ2_0, &codes, &|_| 0.5);
    let tiny = one(&[256, 8], DType::TQ2_0, data.clone())
        .tensor("blk.0.ffn_down.weight", &[256, 8], DType::TQ2_0, data.clone())
        .tensor("blk.0.attn_q.weight", &[256, 8], DType::TQ2_0, data);
    // Weights with the trits' signs, but for every eighth.
    let weights: Vec<f32> = codes
        .iter()
        .enumerate()
        .map(|(i, c)| {
            let sign = [-1.0, if i % 2 == 0 { 0.25 } else { -0.25 }, 1.0][usize::from(*c)];
            if i % 8 == 0 { -sign } else { sign }
        })
        .collect();
    let base = Tiny::default()
        .normal("blk.0.ffn_down.weight", &[256, 4], 1)
        // In blocks of 32 that hold the weights as they are: Q8_0 with scales of 1/128.
        .tensor("blk.0.ffn_up.weight", &[256, 8], DType::Q8_0, q8_0(&weights))
        .open()
        .unwrap();
    let model = tiny.open().unwrap();
    let found = report(&model, Some(&base));
    let row = |i: usize| found.tensors[i].figures.as_ref().unwrap();
    let nonzero = codes.iter().filter(|c| **c != 1).count() as u64;
    let turned = codes.iter().step_by(8).filter(|c| **c != 1).count() as u64;
    let up = row(0).base.as_ref().unwrap();
    assert_eq!((up.nonzero, up.disagree, up.agree, up.non_finite), (nonzero, turned, nonzero - turned, 0));
    near("share", up.sign_agreement.unwrap(), (nonzero - turned) as f64 / nonzero as f64);
    // |w| is 1 where the trit is not 0, and ¼ where it is.
    near("correlation", up.correlation.unwrap(), 1.0);
    assert!(row(0).verdict.evidence.last().unwrap().contains("related to this base"), "{:?}", row(0).verdict);
    let why = |i: usize| row(i).base.as_ref().unwrap().problem.clone().unwrap();
    assert_eq!(
        (why(1).as_str(), why(2).as_str()),
        ("the base has it as 256×4, here it is 256×8", "the base has no tensor of this name")
    );
    assert_eq!(row(1).base.as_ref().unwrap().sign_agreement, None);
}

fn q8_0(weights: &[f32]) -> Vec<u8> {
    let block = |w: &[f32]| -> Vec<u8> {
        let scale = f16::from_f32(1.0 / 64.0).to_le_bytes();
        scale.into_iter().chain(w.iter().map(|w| (w * 64.0) as i8 as u8)).collect()
    };
    weights.chunks(32).flat_map(block).collect()
}

#[test]
fn a_base_with_longer_blocks_is_read_around_the_band() {
    // 64 weights a block here, 256 there; a matrix of three with 128 weights each: bands begin inside blocks of the base.
    let codes = mixed(384);
    let scale = |_: usize| 1.0;
    let tiny = Tiny::default().tensor("t.weight", &[64, 2, 3], DType::Q2_0, packed(DType::Q2_0, &codes, &scale));
    let base = Tiny::default().tensor("t.weight", &[64, 2, 3], DType::T158, packed(DType::T158, &codes, &scale));
    let (model, base) = (tiny.open().unwrap(), opened(&base, DType::T158));
    let counterpart = Base::new(&base).counterpart(&model.tensors[0]).unwrap();
    let gathered = gather(&model, &model.tensors[0], Some(counterpart), &Silent, &Cancel::new()).unwrap();
    let agreement = gathered.agreement.unwrap();
    assert_eq!((agreement.weights, agreement.share(), gathered.slices.len()), (384, Some(1.0), 3));
}

#[test]
fn floats_that_are_ternary_already_are_found_in_a_format_that_holds_them() {
    let codes = mixed(256 * 64);
    let weights = |s: f32| -> Vec<f32> { codes.iter().map(|c| s * (f32::from(*c) - 1.0)).collect() };
    let mut broken = weights(0.25);
    broken[256 * 40 + 3] = 0.5;
    let groups: Vec<f32> = weights(1.0).iter().enumerate().map(|(i, w)| w * [0.5, 0.25][i / 64 % 2]).collect();
    let model = Tiny::default()
        .tensor("blk.0.ffn_up.weight", &[256, 64], DType::F16, f16_bytes(&weights(0.25)))
        .tensor("blk.0.ffn_down.weight", &[256, 64], DType::F32, f32_bytes(&weights(0.1)))
        .tensor("blk.0.ffn_gate.weight", &[256, 64], DType::F32, f32_bytes(&groups))
        .tensor("blk.0.attn_q.weight", &[256, 64], DType::F32, f32_bytes(&broken))
        .tensor("blk.0.attn_k.weight", &[256, 64], DType::F32, f32_bytes(&normals(256 * 64, 1)))
        .tensor("blk.0.attn_v.weight", &[256, 64], DType::F16, vec![0; 256 * 64 * 2])
        .tensor("token_embd.weight", &[256, 64], DType::F16, f16_bytes(&weights(0.25)))
        .open()
        .unwrap();
    let found = report(&model, None).native_float;
    let of: Vec<(&str, &str, u64)> = found.iter().map(|n| (n.tensor.as_str(), n.format.name(), n.blocks)).collect();
    // 0.1 is no f16, so only the format with an f32 scale holds it; scales change every 64 weights in the third.
    assert_eq!(
        of,
        [
            ("blk.0.ffn_up.weight", "tq2_0", 64),
            ("blk.0.ffn_down.weight", "i2_s", 128),
            ("blk.0.ffn_gate.weight", "q2_0", 256)
        ]
    );
    assert_eq!((found[0].scale_mean, found[0].scale_std, found[2].scale_mean), (0.25, 0.0, 0.375));
    near("zeros", found[0].zero_share, share_of_zeros(&codes));
    assert_eq!(native_float(&model, 99, &Cancel::new()).unwrap(), None);
}

#[test]
fn what_is_not_looked_at_is_said() {
    let model = one(&[256, 2], DType::IQ1_S, vec![0; 100]).open().unwrap();
    let found = report(&model, None);
    assert!(found.tensors.is_empty() && found.notes[0].message.contains("1 tensor of type IQ1_S"), "{:?}", found.notes);
    let cut = one(&[256, 5], DType::TQ2_0, packed(DType::TQ2_0, &rows(), &scales))
        .last(|t| t.offset = Some(32))
        .open()
        .unwrap();
    let row = report(&cut, None).tensors.remove(0);
    assert!(row.figures.is_none() && row.problem.unwrap().contains("TQ2_0"));
    let cancel = Cancel::new();
    cancel.cancel();
    let model = one(&[256, 5], DType::TQ2_0, packed(DType::TQ2_0, &rows(), &scales)).open().unwrap();
    assert!(matches!(TritsReport::of(&model, |_| true, None, &Silent, &cancel), Err(Error::Cancelled)));
}

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tritscope")).args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A model made ternary by the program itself, beside its source.
fn quantized() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tiny =
        Tiny::default().normal("blk.0.ffn_up.weight", &[256, 64], 3).normal("blk.0.ffn_down.weight", &[256, 64], 4);
    tiny.write(folder.path());
    text(&run(folder.path(), &["quantize", "model.gguf", "-o", "t.gguf", "--layers", "all"]));
    folder
}

#[test]
fn the_command_line_shows_the_table_then_the_evidence_once() {
    let folder = quantized();
    let shown = text(&run(folder.path(), &["inspect", "t.gguf", "--trits", "--base", "model.gguf"]));
    let lines: Vec<&str> = shown.lines().filter(|l| l.starts_with("blk.0.ffn_")).collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(lines.iter().all(|l| l.contains("100.0 %") && l.ends_with("made ternary after training")), "{shown}");
    assert!(shown.contains("made ternary after training: 2 tensors; of the first, blk.0.ffn_up.weight:"), "{shown}");
    assert_eq!(shown.matches("made from this base, or from a model close to it").count(), 1, "{shown}");
    let one = text(&run(folder.path(), &["inspect", "t.gguf", "--trits", "--filter", "*ffn_down*"]));
    assert!(
        one.contains("made ternary after training: blk.0.ffn_down.weight, because") && !one.contains("signs as base"),
        "{one}"
    );
    assert!(text(&run(folder.path(), &["inspect", "model.gguf", "--trits"])).contains("no ternary tensors"));
    assert_eq!(run(folder.path(), &["inspect", "t.gguf", "--base", "model.gguf"]).status.code(), Some(2));
    assert_eq!(run(folder.path(), &["inspect", "t.gguf", "--trits", "--base", "none.gguf"]).status.code(), Some(4));
}

#[test]
fn a_base_in_safetensors_is_found_under_the_names_of_the_model() {
    let folder = quantized();
    let header = br#"{"model.layers.0.mlp.up_proj.weight":{"dtype":"F32","shape":[64,256],"data_offsets":[0,65536]},"model.layers.0.mlp.down_proj.weight":{"dtype":"F32","shape":[64,256],"data_offsets":[65536,131072]}}"#;
    let weights = [normals(256 * 64, 3), normals(256 * 64, 5)].concat();
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &f32_bytes(&weights)].concat();
    std::fs::write(folder.path().join("base.safetensors"), bytes).unwrap();
    let shown = text(&run(folder.path(), &["inspect", "t.gguf", "--trits", "--base", "base.safetensors", "--json"]));
    let document: Value = serde_json::from_str(&shown).unwrap();
    let share = |i: usize| document["trits"]["tensors"][i]["base"]["sign_agreement"].as_f64().unwrap();
    // The second has other weights than it was made from.
    assert!(share(0) == 1.0 && (share(1) - 0.5).abs() < 0.05, "{} {}", share(0), share(1));
}

#[test]
fn the_document_has_every_figure() {
    let folder = quantized();
    let shown = text(&run(folder.path(), &["inspect", "t.gguf", "--trits", "--base", "model.gguf", "--json"]));
    let document: Value = serde_json::from_str(&shown).unwrap();
    let trits = &document["trits"];
    let row = &trits["tensors"][1];
    assert_eq!((&row["name"], &row["type"]), (&Value::from("blk.0.ffn_down.weight"), &Value::from("TQ2_0")));
    assert_eq!(
        (&row["verdict"]["kind"], &row["base"]["sign_agreement"]),
        (&Value::from("post-training"), &Value::from(1.0))
    );
    for key in ["negative", "zero", "positive", "plus_two", "entropy", "sign_balance", "zero_dispersion"] {
        assert!(row[key].is_f64(), "{key}");
    }
    for key in ["illegal_codes", "illegal_bytes", "blocks", "zero_blocks", "silenced_blocks", "repeated_blocks"] {
        assert!(row[key].is_u64(), "{key}");
    }
    for key in ["mean", "std", "min", "max", "distinct", "changes", "zero", "nan", "infinite", "negative", "subnormal"]
    {
        assert!(row["scales"][key].is_number(), "{key}");
    }
    assert!(trits["max_entropy"].as_f64().unwrap() > 1.58 && trits["base"] == "model.gguf");
    assert!(document["tensors"].is_array() && document["diagnostics"].is_array());
    let plain: Value = serde_json::from_str(&text(&run(folder.path(), &["inspect", "t.gguf", "--json"]))).unwrap();
    assert!(plain.get("trits").is_none());
}

#[test]
fn figures_do_not_depend_on_threads() {
    // Three bands, and rows that run over their ends.
    let codes = mixed(320 * 2100);
    let scale = |row: usize| 0.02 + 0.001 * ((row * row) % 17) as f32;
    let tiny = one(&[320, 2100], DType::Q2_0, packed(DType::Q2_0, &codes, &scale));
    let folder = tempfile::tempdir().unwrap();
    tiny.write(folder.path());
    let with = |threads: &str| {
        text(&run(folder.path(), &["inspect", "model.gguf", "--trits", "--json", "--threads", threads, "--no-mmap"]))
    };
    let single = with("1");
    assert_eq!(single, with("5"));
    let document: Value = serde_json::from_str(&single).unwrap();
    let row = &document["trits"]["tensors"][0];
    let zeros = share_of_zeros(&codes);
    near("zeros", row["zero"].as_f64().unwrap(), zeros);
    near("rows", row["row_zeros"]["mean"].as_f64().unwrap(), zeros);
    assert_eq!(row["blocks"], 10_500);
}
