//! Type numbers that mean different things in different programs' files: recognised from offsets, with the evidence
//! shown; overruled by the user; doubt is told and never a crash.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::reading::{assert_same, bits, complaints, messages, open, quantized, raw, tensor, weights};
use support::writers::{Coded, Dice, bitnet_cpp, prism_ml, ruvllm};
use support::{Tiny, open_bytes};
use tritscope::engine::codec::DType;
use tritscope::engine::codec::dialect::{Basis, Finding};
use tritscope::engine::error::Severity;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::{Action, Mask, Precision, Recipe, Rule, repack, resolve};
use tritscope::engine::preview::{Depth, measure};
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::{Format, Method};

/// Opens a file, read or mapped, with what the user says of it.
fn open_as(tiny: &Tiny, dialects: &[DType], rows_first: Option<bool>, mmap: bool) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = tiny.write(folder.path());
    Model::open(&path, &OpenOptions { mmap, dialects: dialects.to_vec(), rows_first }).unwrap()
}

/// What was found out about a number.
fn finding(model: &Model, number: u32) -> &Finding {
    model.dialects.iter().find(|f| f.number == number).expect("a finding")
}

/// Each meaning with its votes.
fn votes(model: &Model, number: u32) -> Vec<(DType, Option<usize>)> {
    finding(model, number).candidates.iter().map(|c| (c.dtype, c.fits)).collect()
}

/// Asserts that every tensor decodes to what its writer meant, mapped and read, whole and in part.
fn assert_means(tiny: &Tiny, written: &[(String, Coded)], dtype: DType, dialects: &[DType]) {
    for mmap in [true, false] {
        let model = open_as(tiny, dialects, None, mmap);
        for (name, coded) in written {
            assert_eq!(tensor(&model, name).dtype, dtype, "{name}");
            let meant = coded.weights(dtype);
            assert_same(&bits(&weights(&model, name)), &bits(&meant), &format!("{name} as {dtype}, mapped: {mmap}"));
            assert_eq!(tensor(&model, name).dims[..], [coded.row as u64, (coded.codes.len() / coded.row) as u64]);
        }
    }
}

#[test]
fn i2_s_is_told_from_offsets_and_decodes_in_every_packing() {
    for packing in [DType::I2_S, DType::I2_S_ARM, DType::I2_S_ROWS] {
        let (tiny, written) = bitnet_cpp(packing, 3);
        // Published files have the first packing: the others are for the user to say.
        let said = if packing == DType::I2_S { vec![] } else { vec![packing] };
        assert_means(&tiny, &written, packing, &said);
    }
    let model = bitnet_cpp(DType::I2_S, 3).0.open().unwrap();
    assert_eq!((finding(&model, 36).chosen, &finding(&model, 36).basis), (DType::I2_S, &Basis::Offsets));
    assert_eq!(votes(&model, 36), [(DType::IQ4_NL_4_4, Some(0)), (DType::I2_S, Some(9))]);
    let told = messages(&model, "dialect").concat();
    for part in ["type 36 read as I2_S", "as I2_S 9 of 9 tensors fit", "as IQ4_NL_4_4 0 of 9", "I2_S_ARM and I2_S_ROWS"]
    {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
    assert_eq!(complaints(&model), [""; 0]);
}

#[test]
fn rows_that_only_the_arm_packing_allows_are_read_as_that() {
    // 64 × 3 elements are no whole groups of 128.
    let coded = Coded::random(DType::I2_S_ARM, 64, 3, 5);
    let tiny = Tiny::default().architecture("bitnet").coded("blk.0.ffn_up.weight", DType::I2_S_ARM, &coded);
    assert_means(&tiny, &[("blk.0.ffn_up.weight".into(), coded)], DType::I2_S_ARM, &[]);
}

#[test]
fn groups_of_128_are_told_from_groups_of_64() {
    for dtype in [DType::Q2_0_G128, DType::PQ2_0] {
        let (tiny, written) = prism_ml(dtype, 4);
        assert_means(&tiny, &written, dtype, &[]);
    }
    let model = prism_ml(DType::Q2_0_G128, 4).0.open().unwrap();
    assert_eq!(finding(&model, 42).basis, Basis::Offsets);
    assert_eq!(votes(&model, 42)[..2], [(DType::Q2_0, Some(0)), (DType::Q2_0_G128, Some(12))]);
    let told = messages(&model, "dialect").concat();
    assert!(told.contains("as Q2_0_G128 12 of 12 tensors fit; as Q2_0 0 of 12 tensors fit"), "{told}");
    // ggml's own are nothing to speak of.
    let coded = Coded::random(DType::Q2_0, 256, 4, 1);
    let mainline = Tiny::default().coded("blk.0.ffn_up.weight", DType::Q2_0, &coded).open().unwrap();
    assert_eq!((finding(&mainline, 42).chosen, messages(&mainline, "dialect").len()), (DType::Q2_0, 0));
    assert_same(&bits(&weights(&mainline, "blk.0.ffn_up.weight")), &bits(&coded.weights(DType::Q2_0)), "weights");
}

#[test]
fn a_rotated_file_says_so() {
    let model = prism_ml(DType::PQ2_0, 1).0.open().unwrap();
    assert_eq!(finding(&model, 142).chosen, DType::PQ2_0);
    assert!(finding(&model, 142).to_string().contains("rotated basis"), "{}", finding(&model, 142));
    // Weights in a rotated basis mean nothing in another type: they stay, whatever is asked for.
    let asked = Recipe { layers: Mask::All, keep_precision: Precision::F16, ..Recipe::default() };
    let plan = resolve(&model, &asked);
    for (tensor, decision) in model.tensors.iter().zip(&plan.decisions).filter(|(t, _)| t.dtype == DType::PQ2_0) {
        assert_eq!(decision.new_type, DType::PQ2_0, "{}", tensor.name);
        assert!(decision.reason_text().contains("rotated basis"), "{}", decision.reason_text());
    }
    let plan = repack(&model, Format::Q2_0, &asked, false, &[]);
    assert!(plan.require_possible(&model).unwrap_err().to_string().contains("rotated basis"));
}

#[test]
fn what_cannot_leave_its_type_is_copied_beside_what_goes_ternary() {
    for (number, bytes) in [(142u32, 34 * 24), (40, 6 * 96), (31, 18 * 96), (36, 18 * 96), (38, 18 * 96)] {
        let tiny = Tiny::default()
            .numbered("blk.0.attn_q.weight", &[256, 12], number, Dice::new(1).bytes(bytes))
            .normal("blk.0.ffn_up.weight", &[256, 8], 1)
            .normal("output_norm.weight", &[256], 3);
        let model = tiny.open().unwrap();
        let rule = Rule { pattern: "*ffn_up*".parse().unwrap(), action: Action::TERNARY };
        let asked = Recipe { layers: Mask::Custom, rules: vec![rule], ..Recipe::default() };
        let out = quantized(&model, &asked).unwrap_or_else(|e| panic!("{number}: {e}"));
        assert_same(&raw(&out.model, "blk.0.attn_q.weight"), &raw(&model, "blk.0.attn_q.weight"), &number.to_string());
        assert_eq!(tensor(&out.model, "blk.0.attn_q.weight").dtype, tensor(&model, "blk.0.attn_q.weight").dtype);
    }
}

#[test]
fn files_of_ruvllm_are_read_in_either_order_of_dimensions() {
    let (tiny, written) = ruvllm();
    assert_means(&tiny, &written, DType::T158, &[]);
    let model = tiny.open().unwrap();
    assert!(model.rows_first);
    assert_eq!(votes(&model, 30), [(DType::BF16, Some(0)), (DType::T158, Some(4))]);
    assert!(messages(&model, "dialect").concat().contains("as T158 4 of 4 tensors fit; as BF16 0 of 4 tensors fit"));
    assert_eq!(tensor(&model, "model.layers.0.mlp.gate.weight").dims[..], [256, 2]);
    assert_eq!(complaints(&model), [""; 0]);
    // The user may say that the file has GGUF's order after all: the same elements in other rows.
    let turned = open_as(&tiny, &[], Some(false), true);
    for (name, coded) in &written {
        assert_eq!(tensor(&turned, name).dims[..], [(coded.codes.len() / coded.row) as u64, coded.row as u64]);
        assert_same(&bits(&weights(&turned, name)), &bits(&coded.weights(DType::T158)), "weights");
    }
    // Any other architecture has GGUF's order; there too it can be said.
    let (name, coded) = &written[0];
    let own = Tiny::default().coded(name, DType::T158, coded);
    assert_eq!(tensor(&own.open().unwrap(), name).dims[..], [96, 40]);
    assert_eq!(tensor(&open_as(&own, &[], Some(true), true), name).dims[..], [40, 96]);
}

#[test]
fn parts_of_a_flattened_tensor_decode_alike_and_no_reader_sees_the_filler() {
    let coded = Coded::random(DType::T158, 250, 7, 3);
    let model = Tiny::default().coded("blk.0.ffn_up.weight", DType::T158, &coded).open().unwrap();
    let found = tensor(&model, "blk.0.ffn_up.weight");
    let meant = coded.weights(DType::T158);
    let mut buffer = tritscope::engine::format::source::AlignedBuf::new();
    for (first, len) in [(0, 256), (256, 512), (1536, 214), (1024, 726)] {
        let mut out = vec![0.0; len];
        model.read_f32(found, first as u64, &mut out, &mut buffer).unwrap();
        assert_same(&bits(&out), &bits(&meant[first..first + len]), &format!("{first}..+{len}"));
    }
    assert!(model.read_f32(found, 0, &mut [0.0; 214], &mut buffer).is_err());
    assert!(model.read_f32(found, 1536, &mut [0.0; 256], &mut buffer).is_err());
}

#[test]
fn types_without_a_layout_are_named_listed_and_left_alone() {
    // Tiled by kernel configuration: the size follows from nothing in the file.
    for (number, name) in [(38, "TL1"), (39, "TL2"), (42, "TL2_42"), (37, "I8_S")] {
        let tiny = Tiny::default()
            .architecture("bitnet-b1.58")
            .numbered("blk.0.ffn_up.weight", &[256, 12], number, Dice::new(1).bytes(901))
            .numbered("blk.0.ffn_down.weight", &[256, 9], number, Dice::new(2).bytes(713))
            .normal("output_norm.weight", &[256], 3);
        for mmap in [true, false] {
            let model = open_as(&tiny, &[], None, mmap);
            let found = tensor(&model, "blk.0.ffn_up.weight");
            assert_eq!((found.dtype.to_string().as_str(), found.bytes), (name, 928), "{number}");
            assert!(found.decoder().is_none());
            assert!(messages(&model, "no-decoder").concat().contains(name));
            let told: Vec<&str> =
                model.diagnostics.iter().filter(|d| d.code.starts_with("dialect")).map(|d| d.code).collect();
            assert_eq!(told.len(), 1, "{:?}", model.diagnostics);
            let plan = resolve(&model, &Recipe { layers: Mask::All, ..Recipe::default() });
            assert_eq!(plan.totals.ternary_tensors, 0);
            assert!(plan.decisions[0].reason_text().contains(name), "{}", plan.decisions[0].reason_text());
            let error = measure(&model, 0, Format::Q2_0, &[Method::Exact], Depth::Exact, &Cancel::new()).unwrap_err();
            assert!(error.exit_code() == 3 && error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn numbers_40_and_41_are_told_apart_too() {
    let nvfp4 = Tiny::default()
        .numbered("blk.0.ffn_up.weight", &[256, 8], 40, Dice::new(1).bytes(256 * 8 / 64 * 36))
        .normal("output_norm.weight", &[256], 3);
    let model = nvfp4.open().unwrap();
    assert_eq!((finding(&model, 40).chosen, messages(&model, "dialect").len()), (DType::NVFP4, 0));
    assert_eq!(votes(&model, 40), [(DType::NVFP4, Some(1)), (DType::Q1_0_G32, Some(0))]);
    let old = Tiny::default()
        .numbered("blk.0.ffn_up.weight", &[256, 8], 40, Dice::new(1).bytes(256 * 8 / 32 * 6))
        .normal("output_norm.weight", &[256], 3);
    let model = old.open().unwrap();
    assert_eq!(finding(&model, 40).chosen, DType::Q1_0_G32);
    assert!(messages(&model, "dialect").concat().contains("as Q1_0_G32 1 of 1 tensors fit; as NVFP4 0 of 1"));
    let signs = Tiny::default()
        .numbered("blk.0.ffn_up.weight", &[256, 8], 41, Dice::new(1).bytes(256 * 8 / 128 * 18))
        .normal("output_norm.weight", &[256], 3);
    let model = signs.open().unwrap();
    assert_eq!(tensor(&model, "blk.0.ffn_up.weight").dtype, DType::Q1_0);
    assert!(weights(&model, "blk.0.ffn_up.weight").len() == 2048);
}

#[test]
fn an_unknown_type_opens_and_lists() {
    let tiny = Tiny::default().numbered("blk.0.ffn_up.weight", &[256, 12], 999, Dice::new(1).bytes(700)).normal(
        "blk.0.ffn_down.weight",
        &[256, 8],
        3,
    );
    let model = tiny.open().unwrap();
    let found = tensor(&model, "blk.0.ffn_up.weight");
    assert_eq!((found.dtype.to_string().as_str(), found.bytes, found.decoder().is_none()), ("type 999", 704, true));
    assert!(complaints(&model).contains(&"unknown-type"));
    let plan = resolve(&model, &Recipe { layers: Mask::All, ..Recipe::default() });
    assert_eq!(plan.totals.ternary_tensors, 1);
}

#[test]
fn doubt_is_told_and_the_user_decides() {
    // 128 elements take 34 bytes in one group and 36 in two: padding hides the difference.
    for written in [DType::Q2_0, DType::Q2_0_G128] {
        let coded = Coded::random(written, 128, 1, 3);
        let tiny =
            Tiny::default().coded("blk.0.ffn_up.weight", written, &coded).normal("output_norm.weight", &[128], 3);
        let model = tiny.open().unwrap();
        let found = finding(&model, 42);
        assert!(found.chosen == DType::Q2_0 && found.basis == Basis::Default && found.is_ambiguous());
        assert_eq!(votes(&model, 42)[..2], [(DType::Q2_0, Some(1)), (DType::Q2_0_G128, Some(1))]);
        let warning = model.diagnostics.iter().find(|d| d.code == "dialect-ambiguous").unwrap();
        assert!(warning.severity == Severity::Warning && warning.message.contains("--dialect"), "{warning}");
        let told = open_as(&tiny, &[written], None, false);
        assert_eq!((finding(&told, 42).chosen, &finding(&told, 42).basis), (written, &Basis::Override));
        assert!(!complaints(&told).contains(&"dialect-ambiguous"));
        assert_same(&bits(&weights(&told, "blk.0.ffn_up.weight")), &bits(&coded.weights(written)), "weights");
    }
    // One last tensor that fills more than either meaning needs; a key of the file decides.
    let last = |tiny: Tiny| tiny.numbered("blk.0.ffn_up.weight", &[256, 1], 30, vec![1; 4096]);
    let open = last(Tiny::default()).open().unwrap();
    assert_eq!((finding(&open, 30).chosen, finding(&open, 30).is_ambiguous()), (DType::BF16, true));
    let told = last(Tiny::default().kv("craftsman.bitnet.version", support::Kv::U32(1))).open().unwrap();
    assert_eq!(finding(&told, 30).chosen, DType::T158);
    assert!(messages(&told, "dialect").concat().contains("craftsman.bitnet.version decides"));
}

#[test]
fn the_majority_decides_and_what_does_not_fit_is_an_error_with_its_numbers() {
    let mut tiny = Tiny::default();
    for i in 0..4 {
        let dtype = if i == 2 { DType::Q2_0 } else { DType::Q2_0_G128 };
        tiny = tiny.coded(&format!("blk.{i}.ffn_up.weight"), dtype, &Coded::random(dtype, 256, 16, i));
    }
    let model = tiny.normal("output_norm.weight", &[256], 1).open().unwrap();
    assert_eq!(votes(&model, 42)[..2], [(DType::Q2_0, Some(1)), (DType::Q2_0_G128, Some(3))]);
    assert_eq!(finding(&model, 42).chosen, DType::Q2_0_G128);
    assert!(finding(&model, 42).to_string().contains("as Q2_0_G128 3 of 4 tensors fit; as Q2_0 1 of 4"));
    let misfit = tensor(&model, "blk.2.ffn_up.weight");
    assert!(misfit.decoder().is_none(), "{misfit:?}");
    assert!(
        model.require_sound().is_err()
            || model.diagnostics.iter().any(|d| d.tensor.as_deref() == Some("blk.2.ffn_up.weight"))
    );
}

#[test]
fn an_override_that_does_not_fit_decodes_nothing() {
    let (tiny, written) = prism_ml(DType::Q2_0_G128, 2);
    let model = open_as(&tiny, &[DType::Q2_0], None, true);
    assert_eq!(finding(&model, 42).basis, Basis::Override);
    for (name, _) in &written {
        assert!(tensor(&model, name).decoder().is_none());
    }
    assert!(model.require_sound().is_err());
    assert!(finding(&model, 42).to_string().contains("as Q2_0 0 of 6 tensors fit; as Q2_0_G128 6 of 6"));
}

#[test]
fn of_several_overrides_of_a_number_the_last_counts() {
    let (tiny, written) = bitnet_cpp(DType::I2_S_ROWS, 1);
    assert_means(&tiny, &written, DType::I2_S_ROWS, &[DType::I2_S_ARM, DType::I2_S_ROWS]);
}

/// Runs the program in a folder.
fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_command_line_shows_the_evidence_and_takes_overrides() {
    let folder = tempfile::tempdir().unwrap();
    bitnet_cpp(DType::I2_S_ARM, 1).0.write(folder.path());
    let text = |args: &[&str]| {
        let output = run(folder.path(), args);
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    let (code, shown) = text(&["inspect", "model.gguf"]);
    assert!(code == Some(0) && shown.contains("as I2_S 3 of 3 tensors fit; as IQ4_NL_4_4 0 of 3"), "{shown}");
    let (code, shown) = text(&["inspect", "model.gguf", "--dialect", "36=i2_s_arm"]);
    assert!(code == Some(0) && shown.contains("I2_S_ARM") && shown.contains("chosen by --dialect"), "{shown}");
    let rel = |more: &[&str]| {
        let args = [&["plan", "model.gguf", "--layers", "all", "--format", "q2_0", "--json", "--exact"], more].concat();
        let output = run(folder.path(), &args);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        document["totals"]["rel_mse"].as_f64().unwrap()
    };
    // Trits stay trits whatever the packing; the plan is made of the meaning that was said.
    assert_eq!((rel(&[]) < 1e-6, rel(&["--dialect", "36=I2_S_ARM", "--no-mmap"]) < 1e-6), (true, true));
    for wrong in ["36=Q2_0", "36", "x=I2_S", "36="] {
        let (code, shown) = text(&["inspect", "model.gguf", "--dialect", wrong]);
        assert!(code == Some(2) && shown.contains("--dialect"), "{wrong}: {shown}");
    }
    assert!(text(&["inspect", "model.gguf", "--dialect", "36=Q2_0"]).1.contains("I2_S_ROWS"));
}

#[test]
fn the_command_line_turns_dimensions() {
    let folder = tempfile::tempdir().unwrap();
    ruvllm().0.write(folder.path());
    let shape = |more: &[&str]| {
        let output =
            run(folder.path(), &[&["inspect", "model.gguf", "--json", "--filter", "*.0.gate_proj*"], more].concat());
        let output =
            if output.status.success() { output } else { panic!("{}", String::from_utf8_lossy(&output.stderr)) };
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let row = document["tensors"].as_array().unwrap().first().cloned().unwrap_or_default();
        (row["shape"].to_string(), row["type"].to_string(), row["type_number"].as_u64())
    };
    let t158 = |shape: &str| (shape.to_owned(), "\"T158\"".to_owned(), Some(30));
    assert_eq!(shape(&[]), t158("[256,24]"));
    assert_eq!(shape(&["--dims", "gguf"]), t158("[24,256]"));
    assert_eq!(shape(&["--dims", "rows-first"]), t158("[256,24]"));
}

#[test]
fn opened_from_a_folder_or_by_a_glob_the_evidence_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = prism_ml(DType::Q2_0_G128, 2).0.write(folder.path());
    let whole = open(&path).unwrap();
    for place in [folder.path().to_owned(), folder.path().join("*.gguf"), folder.path().join("mod?l.gguf")] {
        assert_eq!(open(&place).unwrap().dialects, whole.dialects);
    }
    assert_eq!(open_bytes(&prism_ml(DType::Q2_0_G128, 2).0.bytes(), false).unwrap().dialects, whole.dialects);
}
