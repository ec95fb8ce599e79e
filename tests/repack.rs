//! Repacking: the same trits and scales in another ternary format, or a refusal with the count of what stands in the way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use support::reading::{
    Written, assert_same, bits, carry_out, codes, complaints, files, raw, repacked, tensor, weights,
};
use support::writers::{Coded, Dice, group_of};
use support::{Kv, Tiny, f16_bytes, normals};
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Error, Result};
use tritscope::engine::export::{ExportOptions, ExportSummary, Survey, Verify, export};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::{Recipe, repack};
use tritscope::engine::progress::{Cancel, Delta, Progress, Stage};
use tritscope::engine::ternary::Format;

const NAME: &str = "blk.0.ffn_up.weight";

/// Formats whose blocks are trits and a scale.
fn formats() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|f| f.dtype().is_ternary())
}

/// A model with this tensor beside a norm, a float matrix and an embedding.
fn model_of(dtype: DType, coded: &Coded) -> Model {
    opened(
        &Tiny::default()
            .kv("general.file_type", Kv::U32(1))
            .normal("token_embd.weight", &[256, 4], 1)
            .normal("blk.0.attn_norm.weight", &[256], 2)
            .coded(NAME, dtype, coded)
            .normal("blk.0.attn_q.weight", &[256, 4], 3),
        dtype,
    )
}

fn opened(tiny: &Tiny, dtype: DType) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let options = OpenOptions { dialects: vec![dtype], ..OpenOptions::default() };
    Model::open(&tiny.write(folder.path()), &options).unwrap()
}

/// What the repack met at [`NAME`].
fn survey(model: &Model, written: &Written) -> Survey {
    written.summary.tensors[model.find(NAME).unwrap()].recoded.clone().unwrap()
}

/// Why a repack is refused.
fn refused(model: &Model, to: Format) -> String {
    match repacked(model, to, false) {
        Ok(_) => panic!("{to} was written"),
        Err(error) => {
            assert_eq!(error.exit_code(), 3, "{error}");
            error.to_string()
        }
    }
}

/// Trits of a file, in order.
fn trits(model: &Model, name: &str) -> Vec<u8> {
    codes(model, name).codes
}

#[test]
fn every_pair_of_formats_keeps_trits_and_weights() {
    for from in formats() {
        // All scales are alike and f16 holds them: every format can take them.
        let coded = Coded::random(from.dtype(), 512, 12, 5).with_scale(0.375);
        let model = model_of(from.dtype(), &coded);
        for to in formats().filter(|to| *to != from) {
            let out = repacked(&model, to, false).unwrap_or_else(|e| panic!("{from} → {to}: {e}"));
            let found = tensor(&out.model, NAME);
            assert_eq!((found.dtype, &found.dims[..]), (to.dtype(), &[512, 12][..]), "{from} → {to}");
            assert_same(&trits(&out.model, NAME), &coded.codes, &format!("{from} → {to}"));
            assert_same(&weights(&out.model, NAME), &coded.weights(from.dtype()), &format!("{from} → {to}"));
            let met = survey(&model, &out);
            assert_eq!((met.rounding, met.illegal, met.adopted), (0.0, 0, 0));
            assert_eq!((out.summary.check.recoded, out.summary.check.recomputed), (1, 0));
            for name in ["token_embd.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight"] {
                assert_same(&raw(&out.model, name), &raw(&model, name), NAME);
            }
            assert_eq!(complaints(&out.model), [""; 0]);
            let text = |key: &str| out.model.metadata(key).map(|v| v.to_string());
            // One ternary tensor of three: it has more than half of the elements.
            assert_eq!(text("general.file_type"), to.file_type().map(|n| n.to_string()), "{from} → {to}");
            assert_eq!(text("general.quantization_version").as_deref(), Some("2"));
            assert_eq!(text("craftsman.bitnet.version").is_some(), to == Format::T158);
        }
    }
}

#[test]
fn four_rows_a_byte_are_read_and_moved_but_not_written() {
    let coded = Coded::random(DType::I2_S_ROWS, 512, 12, 5).with_scale(0.375);
    let model = model_of(DType::I2_S_ROWS, &coded);
    for to in formats() {
        let out = repacked(&model, to, false).unwrap_or_else(|e| panic!("{to}: {e}"));
        assert_same(&trits(&out.model, NAME), &coded.codes, to.name());
        assert_same(&weights(&out.model, NAME), &coded.weights(DType::I2_S_ROWS), to.name());
    }
    assert_eq!(Format::from_dtype(DType::I2_S_ROWS), None);
}

#[test]
fn scales_are_copied_where_blocks_become_shorter_and_joined_where_they_agree() {
    for from in formats().filter(|f| !f.has_one_scale()) {
        for to in formats().filter(|to| !to.has_one_scale() && *to != from) {
            // A scale for every 256 elements, repeated where the source's groups are shorter.
            let mut coded = Coded::random(from.dtype(), 512, 9, 8);
            let group = group_of(from.dtype());
            let per_256 = |i: usize| (1 + i * group / 256) as f32 / 64.0;
            coded.scales = (0..coded.scales.len()).map(per_256).collect();
            let model = model_of(from.dtype(), &coded);
            let out = repacked(&model, to, false).unwrap_or_else(|e| panic!("{from} → {to}: {e}"));
            let run = codes(&out.model, NAME);
            let expected: Vec<f32> =
                (0..run.scales.len()).map(|i| (1 + i * to.block_len() / 256) as f32 / 64.0).collect();
            assert_eq!((run.codes, run.scales), (coded.codes.clone(), expected), "{from} → {to}");
            assert_same(
                &bits(&weights(&out.model, NAME)),
                &bits(&coded.weights(from.dtype())),
                &format!("{from} → {to}"),
            );
        }
    }
}

#[test]
fn a_scale_in_f32_is_rounded_to_f16_by_what_is_told() {
    for scale in [0.37f32, -1.9, 3.1e4, 1.0e-3] {
        for from in [Format::I2S, Format::I2SArm] {
            let coded = Coded::random(from.dtype(), 256, 12, 5).with_scale(scale);
            let model = model_of(from.dtype(), &coded);
            for to in formats().filter(|to| *to != from) {
                let out = repacked(&model, to, false).unwrap();
                let rounded = if to.has_one_scale() { scale } else { half::f16::from_f32(scale).to_f32() };
                assert_same(&weights(&out.model, NAME), &coded.clone().with_scale(rounded).weights(from.dtype()), NAME);
                let change = f64::from((rounded - scale).abs()) / f64::from(scale.abs());
                assert_eq!(survey(&model, &out).rounding, change, "{to} {scale}");
                assert!(change < 5e-4);
            }
        }
    }
}

#[test]
fn scales_that_disagree_are_refused_with_their_count() {
    let mut coded = Coded::random(DType::Q2_0, 256, 12, 5).with_scale(0.5);
    // Blocks of 256: the third and the eighth have a sub-block with another scale.
    coded.scales[4 * 2 + 1] = 0.25;
    coded.scales[4 * 7 + 3] = 0.75;
    coded.scales[4 * 7] = 0.75;
    let model = model_of(DType::Q2_0, &coded);
    for to in [Format::Tq2_0, Format::Tq1_0, Format::T158] {
        let why = refused(&model, to);
        assert!(
            why.contains(NAME) && why.contains("disagree in 2 of 12 blocks of 256 (the first is block 2)"),
            "{why}"
        );
    }
    let why = refused(&model, Format::Q2_0G128);
    assert!(why.contains("disagree in 3 of 24 blocks of 128 (the first is block 4)"), "{why}");
    for to in [Format::I2S, Format::I2SArm] {
        assert!(refused(&model, to).contains("have another scale than the first"));
    }
}

#[test]
fn blocks_with_another_scale_than_the_first_are_counted_for_one_scale() {
    let mut coded = Coded::random(DType::TQ2_0, 256, 12, 5).with_scale(0.5);
    for block in [3, 4, 9] {
        coded.scales[block] = 0.25;
    }
    let why = refused(&model_of(DType::TQ2_0, &coded), Format::I2S);
    assert!(why.contains("6 of 24 groups of 128 have another scale than the first; I2_S has one for all"), "{why}");
}

#[test]
fn a_block_far_into_a_large_tensor_is_named_by_its_number() {
    let mut coded = Coded::random(DType::Q2_0, 256, 2100, 5).with_scale(0.5);
    coded.scales[4 * 2001 + 2] = 1.0;
    let model = model_of(DType::Q2_0, &coded);
    for threads in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let why = pool.install(|| refused(&model, Format::Tq1_0));
        assert!(why.contains("disagree in 1 of 2100 blocks of 256 (the first is block 2001)"), "{why}");
    }
}

#[test]
fn several_tensors_that_cannot_be_moved_are_counted() {
    let coded = Coded::random(DType::TQ2_0, 256, 4, 5);
    let mut tiny = Tiny::default();
    for i in 0..3 {
        tiny = tiny.coded(&format!("blk.{i}.ffn_up.weight"), DType::TQ2_0, &coded);
    }
    let why = refused(&tiny.open().unwrap(), Format::I2S);
    assert!(why.contains("blk.0.ffn_up.weight") && why.contains("and 2 more tensors like it"), "{why}");
}

#[test]
fn plus_two_stays_where_there_is_a_code_for_it_and_is_refused_elsewhere() {
    for from in [DType::Q2_0, DType::Q2_0_G128] {
        let mut coded = Coded::random(from, 256, 12, 5).with_scale(0.5);
        for at in [3, 700, 2999] {
            coded.codes[at] = 3;
        }
        let model = model_of(from, &coded);
        for to in formats().filter(|to| to.dtype() != from) {
            if matches!(to, Format::Q2_0 | Format::Q2_0G128) {
                let out = repacked(&model, to, false).unwrap();
                assert_same(&trits(&out.model, NAME), &coded.codes, NAME);
                assert_same(&weights(&out.model, NAME), &coded.weights(from), NAME);
            } else {
                let why = refused(&model, to);
                assert!(why.contains(&format!("3 codes mean +2, which {} has no code for", to.dtype())), "{why}");
            }
        }
    }
}

#[test]
fn codes_that_mean_nothing_are_counted_and_read_as_the_decoder_reads_them() {
    for from in [DType::T158, DType::I2_S, DType::I2_S_ARM] {
        let mut coded = Coded::random(from, 256, 12, 5).with_scale(0.5);
        for at in [3, 700, 2999] {
            coded.codes[at] = 3;
        }
        let model = model_of(from, &coded);
        for to in formats().filter(|to| to.dtype() != from) {
            let out = repacked(&model, to, false).unwrap();
            assert_same(&weights(&out.model, NAME), &coded.weights(from), &format!("{from} → {to}"));
            assert_eq!(survey(&model, &out).illegal, 3);
        }
    }
    // llama.cpp decodes the fourth code of TQ2_0 as +2, though no writer produces it.
    let mut coded = Coded::random(DType::TQ2_0, 256, 12, 5).with_scale(0.5);
    coded.codes[700] = 3;
    let model = model_of(DType::TQ2_0, &coded);
    for to in formats().filter(|to| *to != Format::Tq2_0) {
        match repacked(&model, to, false) {
            Ok(out) => assert_same(&weights(&out.model, NAME), &coded.weights(DType::TQ2_0), to.name()),
            Err(error) => assert!(error.to_string().contains("1 codes mean +2"), "{error}"),
        }
    }
}

#[test]
fn blocks_of_zeros_take_the_scale_of_their_neighbours() {
    let mut coded = Coded::random(DType::Q2_0, 256, 12, 5).with_scale(0.5);
    for (block, scale) in [(1, 0.0), (6, 9.0), (7, 0.5), (12, 1.0), (13, 2.0), (14, 3.0), (15, 4.0)] {
        coded.codes[64 * block..64 * (block + 1)].fill(1);
        coded.scales[block] = scale;
    }
    let model = model_of(DType::Q2_0, &coded);
    for to in [Format::Tq2_0, Format::Tq1_0, Format::T158, Format::I2S, Format::I2SArm] {
        let out = repacked(&model, to, false).unwrap_or_else(|e| panic!("{to}: {e}"));
        assert_same(&trits(&out.model, NAME), &coded.codes, NAME);
        assert_same(&weights(&out.model, NAME), &coded.weights(DType::Q2_0), NAME);
        assert!(survey(&model, &out).adopted >= 3, "{to}: {:?}", survey(&model, &out));
        let run = codes(&out.model, NAME);
        // The fourth block of 256 has nothing but zeros that agree in nothing.
        let expected = if to.has_one_scale() { 0.5 } else { 0.0 };
        assert_eq!((run.scales[0], run.scales[1]), (0.5, 0.5));
        assert_eq!(run.scales[3 * 256 / to.block_len()], expected, "{to}");
    }
}

#[test]
fn scales_beyond_f16_are_refused() {
    for scale in [1e5f32, 3e-9, -7e4] {
        let model = model_of(DType::I2_S, &Coded::random(DType::I2_S, 256, 12, 5).with_scale(scale));
        let why = refused(&model, Format::Tq2_0);
        assert!(why.contains("12 scales are beyond what f16 holds"), "{scale}: {why}");
        repacked(&model, Format::I2SArm, false).unwrap();
    }
    // With nothing but zeros no scale is needed.
    let mut zeros = Coded::random(DType::I2_S, 256, 12, 5).with_scale(1e-12);
    zeros.codes.fill(1);
    let out = repacked(&model_of(DType::I2_S, &zeros), Format::Tq2_0, false).unwrap();
    assert_eq!(weights(&out.model, NAME), vec![0.0; 3072]);
}

#[test]
fn shapes_that_do_not_suit_are_refused_or_stay_under_partial() {
    let coded = Coded::random(DType::Q2_0, 192, 12, 5).with_scale(0.5);
    let narrow = Coded::random(DType::Q2_0, 64, 3, 6).with_scale(0.5);
    let model = Tiny::default()
        .coded(NAME, DType::Q2_0, &coded)
        .coded("blk.1.ffn_up.weight", DType::Q2_0, &Coded::random(DType::Q2_0, 256, 16, 7).with_scale(0.5))
        .coded("blk.2.ffn_up.weight", DType::Q2_0, &narrow)
        .open()
        .unwrap();
    let why = refused(&model, Format::Tq2_0);
    assert!(why.contains("rows of 192 are not a multiple of 256; and 1 more tensors; --partial lets"), "{why}");
    let why = refused(&model, Format::I2S);
    assert!(why.contains("blk.2.ffn_up.weight") && why.contains("192 elements are not a multiple of 128"), "{why}");
    let out = repacked(&model, Format::Tq2_0, true).unwrap();
    let types: Vec<DType> = out.model.tensors.iter().map(|t| t.dtype).collect();
    assert_eq!(types, [DType::Q2_0, DType::TQ2_0, DType::Q2_0]);
    assert_same(&raw(&out.model, NAME), &raw(&model, NAME), NAME);
    assert!(out.summary.warnings.iter().any(|w| w.code == "not-repacked" && w.message.contains("and 1 more")));
    // Groups of 128 take the number of groups of 64: what stays under it becomes F16.
    let out = repacked(&model, Format::Q2_0G128, true).unwrap();
    let types: Vec<DType> = out.model.tensors.iter().map(|t| t.dtype).collect();
    assert_eq!(types, [DType::F16, DType::Q2_0_G128, DType::F16]);
    assert_same(&weights(&out.model, NAME), &coded.weights(DType::Q2_0), NAME);
}

#[test]
fn tensors_that_are_not_ternary_are_copied_and_bf16_gives_way_to_t158() {
    let brain: Vec<u8> = normals(1024, 1).iter().flat_map(|w| half::bf16::from_f32(*w).to_le_bytes()).collect();
    let coded = Coded::random(DType::TQ2_0, 256, 12, 5);
    let model = Tiny::default()
        .tensor("token_embd.weight", &[256, 4], DType::BF16, brain)
        .coded(NAME, DType::TQ2_0, &coded)
        .tensor("blk.0.attn_q.weight", &[256, 2], DType::Q8_0, [f16_bytes(&[0.01]), vec![3; 32]].concat().repeat(16))
        .open()
        .unwrap();
    let out = repacked(&model, Format::Q2_0, false).unwrap();
    for name in ["token_embd.weight", "blk.0.attn_q.weight"] {
        assert_eq!(
            (raw(&out.model, name), tensor(&out.model, name).dtype),
            (raw(&model, name), tensor(&model, name).dtype)
        );
    }
    let out = repacked(&model, Format::T158, false).unwrap();
    assert_eq!(tensor(&out.model, "token_embd.weight").dtype, DType::F32);
    assert_same(&weights(&out.model, "token_embd.weight"), &weights(&model, "token_embd.weight"), NAME);
    assert_same(&weights(&out.model, NAME), &coded.weights(DType::TQ2_0), NAME);
}

#[test]
fn flattened_and_merged_tensors_move_too() {
    // Blocks that cross rows and experts, and a part of a block at the end.
    let coded = Coded::random(DType::T158, 64, 25, 5).with_scale(0.5);
    let mut tiny = Tiny::default().coded(NAME, DType::T158, &coded);
    tiny = tiny.last(|t| t.dims = vec![64, 5, 5]);
    let model = tiny.open().unwrap();
    for to in [Format::Q2_0, Format::I2SArm] {
        let out = repacked(&model, to, false).unwrap();
        assert_eq!(
            (trits(&out.model, NAME), &tensor(&out.model, NAME).dims[..]),
            (coded.codes.clone(), &[64, 5, 5][..])
        );
        let back = repacked(&out.model, Format::T158, false).unwrap();
        assert_same(&raw(&back.model, NAME), &raw(&model, NAME), &format!("{to}"));
    }
}

/// Does something at one stage of an export.
struct At<F: Fn(&Delta) + Sync>(F);

impl<F: Fn(&Delta) + Sync> Progress for At<F> {
    fn report(&self, delta: Delta) {
        (self.0)(&delta);
    }
}

fn run_at(model: &Model, out: &Path, cancel: &Cancel, at: impl Fn(&Delta) + Sync) -> Result<ExportSummary> {
    let recipe = Recipe { format: Format::Q2_0, ..Recipe::default() };
    let options = ExportOptions { verify: Verify::Hash, sync: false, ..ExportOptions::new(out) };
    export(model, &repack(model, Format::Q2_0, &recipe, false, &[]), &recipe, &options, &At(at), cancel)
}

#[test]
fn damage_between_writing_and_checking_is_found() {
    let model = model_of(DType::TQ2_0, &Coded::random(DType::TQ2_0, 256, 12, 5));
    let clean = repacked(&model, Format::Q2_0, false).unwrap();
    let found = tensor(&clean.model, NAME);
    // A scale, a code, the last byte; each alone.
    for inside in [0, 1, 2, 500, found.bytes - 1] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o.gguf");
        let damage = |delta: &Delta| {
            if *delta == Delta::Stage(Stage::Verify) {
                let partial = folder.path().join("o.gguf.partial");
                let file = std::fs::OpenOptions::new().read(true).write(true).open(partial).unwrap();
                let mut byte = [0];
                file.read_exact_at(&mut byte, found.offset + inside).unwrap();
                file.write_all_at(&[byte[0] ^ 1], found.offset + inside).unwrap();
            }
        };
        let error = run_at(&model, &out, &Cancel::new(), damage).unwrap_err();
        assert!(matches!(error, Error::Check(_)) && error.exit_code() == 1, "{error}");
        assert_eq!(files(folder.path()), [""; 0]);
    }
}

#[test]
fn cancelling_at_any_stage_leaves_nothing() {
    let model = model_of(DType::TQ2_0, &Coded::random(DType::TQ2_0, 256, 12, 5));
    for stage in [Stage::Prepare, Stage::Write, Stage::Verify, Stage::Finish] {
        let folder = tempfile::tempdir().unwrap();
        let cancel = Cancel::new();
        let raise = |delta: &Delta| {
            if *delta == Delta::Stage(stage) {
                cancel.cancel();
            }
        };
        let result = run_at(&model, &folder.path().join("o.gguf"), &cancel, raise);
        assert!(matches!(result, Err(Error::Cancelled)), "{stage:?}");
        assert_eq!(files(folder.path()), [""; 0], "{stage:?}");
    }
}

#[test]
fn neither_threads_nor_memory_nor_mapping_change_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    let coded = Coded::random(DType::TQ1_0, 512, 2100, 5);
    let path = Tiny::default().coded(NAME, DType::TQ1_0, &coded).write(folder.path());
    let mut outputs = Vec::new();
    for (threads, max_memory, mmap) in [(1, u64::MAX, true), (4, u64::MAX, false), (2, 1 << 20, true)] {
        let model = Model::open(&path, &OpenOptions { mmap, ..OpenOptions::default() }).unwrap();
        let recipe = Recipe { format: Format::Q2_0, ..Recipe::default() };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let plan = repack(&model, Format::Q2_0, &recipe, false, &[]);
        let out = pool.install(|| carry_out(&model, &plan, &recipe, |o| o.max_memory = max_memory).unwrap());
        outputs.push(std::fs::read(&out.path).unwrap());
    }
    assert!(outputs.windows(2).all(|w| w[0] == w[1]));
}

/// Runs the program in a folder.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
    let output: Output = command.args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[test]
fn the_command_line_says_what_was_moved_rounded_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let mut coded = Coded::random(DType::I2_S, 256, 12, 5).with_scale(0.37);
    coded.codes[9] = 3;
    Tiny::default().coded(NAME, DType::I2_S, &coded).write(folder.path());
    let (code, text) = run(folder.path(), &["repack", "model.gguf", "-o", "out.gguf", "--to", "tq2_0"]);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "repacked 1 of 1 tensors to TQ2_0",
        "rounded from f32 to f16: at most 0.0317 %",
        "1 codes mean nothing in the source and were read as 0",
        "trits and scales of 1 tensors read back, equal",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    let (code, text) = run(folder.path(), &["repack", "model.gguf", "-o", "out.gguf", "--to", "tq2_0"]);
    assert!(code == Some(2) && text.contains("--force"), "{text}");
    let (code, text) = run(folder.path(), &["repack", "out.gguf", "-o", "i2.gguf", "--to", "i2_s"]);
    assert!(
        code == Some(0) && text.contains("which bitnet.cpp loads") && text.contains("scales   unchanged"),
        "{text}"
    );
    let (code, text) = run(folder.path(), &["repack", "out.gguf", "-o", "j.gguf", "--to", "q2_0", "--json"]);
    assert!(code == Some(0) && serde_json::from_str::<serde_json::Value>(&text).unwrap()["check"]["recoded"] == 1);
    assert_eq!(run(folder.path(), &["repack", "out.gguf", "-o", "k.gguf", "--to", "q8_0"]).0, Some(2));
}

#[test]
fn partial_lets_tensors_stay_whose_scales_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let fits = Coded::random(DType::Q2_0, 256, 4, 7).with_scale(0.5);
    let differs = Coded::random(DType::Q2_0, 256, 4, 5);
    Tiny::default()
        .coded(NAME, DType::Q2_0, &differs)
        .coded("blk.1.ffn_up.weight", DType::Q2_0, &fits)
        .write(folder.path());
    // Tensors as small as these fit both meanings of the number.
    let (code, text) = run(folder.path(), &["repack", "model.gguf", "-o", "out.gguf", "--to", "tq2_0"]);
    assert!(code == Some(2) && text.contains("--dialect"), "{text}");
    let told = ["repack", "model.gguf", "-o", "out.gguf", "--to", "tq2_0", "--dialect", "42=Q2_0"];
    let (code, text) = run(folder.path(), &told);
    assert!(code == Some(3) && text.contains("disagree in 4 of 4 blocks") && text.contains("--partial"), "{text}");
    let (code, text) = run(folder.path(), &[&told[..], &["--partial"]].concat());
    assert!(code == Some(0) && text.contains("disagree in 4 of 4 blocks"), "{text}");
    let out = support::reading::open(&folder.path().join("out.gguf")).unwrap();
    let types: Vec<DType> = out.tensors.iter().map(|t| t.dtype).collect();
    assert_eq!(types, [DType::Q2_0, DType::TQ2_0]);
    assert_same(&weights(&out, NAME), &differs.weights(DType::Q2_0), NAME);
    let (code, text) = run(
        folder.path(),
        &["repack", "model.gguf", "-o", "n.gguf", "--to", "i2_s", "--partial", "--dialect", "42=Q2_0"],
    );
    assert!(code == Some(0) && text.contains("repacked 1 of 2"), "{text}");
}

/// Scales that f16 holds, one for each 256 elements.
fn scale(dice: &mut Dice) -> f32 {
    let bits = 0x0400 + dice.below(0x7800) as u16;
    half::f16::from_bits(bits | if dice.below(8) == 0 { 0x8000 } else { 0 }).to_f32()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chains_of_repacks_end_where_they_began(
        seed in any::<u64>(),
        picks in prop::collection::vec(0..5usize, 2..5),
        (row, rows) in prop::sample::select(vec![(256usize, 5usize), (512, 3), (768, 2)]),
        four in any::<bool>(),
    ) {
        let chain = [Format::Tq2_0, Format::Tq1_0, Format::Q2_0, Format::Q2_0G128, Format::T158];
        let mut dice = Dice::new(seed);
        let start = chain[picks[0]];
        let mut coded = Coded::random(start.dtype(), row, rows, seed);
        // Blocks of zeros here and there, and +2 where every format of the chain has it.
        for block in coded.codes.chunks_mut(64).filter(|_| dice.below(5) == 0) {
            block.fill(1);
        }
        if four && picks.iter().all(|i| matches!(chain[*i], Format::Q2_0 | Format::Q2_0G128)) {
            coded.codes.iter_mut().step_by(7).for_each(|c| *c = 3);
        }
        let per_256: Vec<f32> = (0..coded.codes.len() / 256).map(|_| scale(&mut dice)).collect();
        let group = group_of(start.dtype());
        coded.scales = (0..coded.scales.len()).map(|i| per_256[i * group / 256]).collect();
        let model = model_of(start.dtype(), &coded);
        let mut at: Option<Written> = None;
        for pick in picks[1..].iter().chain([&picks[0]]) {
            let here = at.as_ref().map_or(&model, |w| &w.model);
            if tensor(here, NAME).dtype == chain[*pick].dtype() {
                continue;
            }
            let next = repacked(here, chain[*pick], false).unwrap();
            assert_same(&bits(&weights(&next.model, NAME)), &bits(&coded.weights(start.dtype())), NAME);
            at = Some(next);
        }
        if let Some(end) = at {
            assert_same(&raw(&end.model, NAME), &raw(&model, NAME), NAME);
        }
    }

    #[test]
    fn whatever_is_moved_decodes_to_the_same(
        seed in any::<u64>(),
        (from, to) in (0..7usize, 0..7usize),
        agree in any::<bool>(),
    ) {
        let all: Vec<Format> = formats().collect();
        let (from, to) = (all[from % all.len()], all[to % all.len()]);
        prop_assume!(from != to);
        let mut dice = Dice::new(seed);
        let mut coded = Coded::random(from.dtype(), 256, 16, seed);
        let one = scale(&mut dice);
        for s in &mut coded.scales {
            *s = if agree { one } else { scale(&mut dice) };
        }
        for block in coded.codes.chunks_mut(64).filter(|_| dice.below(2) == 0) {
            block.fill(1);
        }
        if from != Format::Tq1_0 && dice.below(3) == 0 {
            let at = dice.below(4096) as usize;
            coded.codes[at] = 3;
        }
        let model = model_of(from.dtype(), &coded);
        match repacked(&model, to, false) {
            // −0 and 0 may be told apart by a scale's sign that zeros adopted.
            Ok(out) => assert_same(&weights(&out.model, NAME), &coded.weights(from.dtype()), NAME),
            Err(error) => prop_assert_eq!(error.exit_code(), 3, "{}", error),
        }
    }
}
