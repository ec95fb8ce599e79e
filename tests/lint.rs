//! The checks of a file: one tiny model with exactly one thing wrong for each, and one with nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::{Kv, Tiny, f16_bytes, f32_bytes, moe, normals};
use tempfile::TempDir;
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Diagnostic, Error, Severity};
use tritscope::engine::lint::{Depth, lint, structural};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::progress::{Cancel, Silent};

/// A file as llama.cpp's tools write it: nothing to find.
fn sound() -> Tiny {
    metadata()
        .normal("token_embd.weight", &[256, 8], 1)
        .normal("blk.0.attn_norm.weight", &[256], 2)
        .normal("blk.0.attn_q.weight", &[256, 16], 3)
        .normal("blk.0.ffn_up.weight", &[256, 64], 4)
        .normal("output.weight", &[256, 8], 5)
}

fn metadata() -> Tiny {
    Tiny::default()
        .kv("llama.block_count", Kv::U32(1))
        .kv("general.file_type", Kv::U32(1))
        .kv("tokenizer.ggml.tokens", Kv::Strings((0..8).map(|i| format!("t{i}")).collect()))
        .kv("tokenizer.ggml.bos_token_id", Kv::U32(1))
        .kv("tokenizer.ggml.eos_token_id", Kv::U32(7))
}

/// A sound mixture of two experts.
fn experts() -> Tiny {
    sound().kv("llama.expert_count", Kv::U32(2)).normal("blk.0.ffn_gate_inp.weight", &[256, 2], 6).normal(
        "blk.0.ffn_up_exps.weight",
        &[256, 16, 2],
        7,
    )
}

/// Replaces the value of a key.
fn set(mut tiny: Tiny, key: &str, value: Kv) -> Tiny {
    tiny.kvs.iter_mut().find(|(k, _)| k == key.as_bytes()).expect(key).1 = value;
    tiny
}

/// Leaves a key out.
fn without(mut tiny: Tiny, key: &str) -> Tiny {
    tiny.kvs.retain(|(k, _)| k != key.as_bytes());
    tiny
}

/// Leaves a tensor out.
fn without_tensor(mut tiny: Tiny, name: &str) -> Tiny {
    tiny.tensors.retain(|t| t.name != name.as_bytes());
    tiny
}

fn checked(tiny: &Tiny, depth: Depth) -> Vec<Diagnostic> {
    lint(&tiny.open().unwrap(), depth, &Silent, &Cancel::new()).unwrap()
}

/// Asserts that this is the only finding, that it says all of `words`, and gives it.
fn only(tiny: &Tiny, severity: Severity, code: &str, words: &[&str]) -> Diagnostic {
    let found = checked(tiny, Depth::Data);
    let listed: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{code}: {listed:#?}");
    assert_eq!((found[0].severity, found[0].code), (severity, code), "{listed:#?}");
    for word in words {
        assert!(found[0].message.contains(word), "{word} is missing: {}", found[0]);
    }
    found[0].clone()
}

/// The same for a finding that needs no data.
fn structure(tiny: &Tiny, severity: Severity, code: &str, words: &[&str]) -> Diagnostic {
    let found = only(tiny, severity, code, words);
    assert_eq!(structural(&tiny.open().unwrap()), std::slice::from_ref(&found));
    found
}

use Severity::{Error as E, Note as N, Warning as W};

#[test]
fn sound_models_are_clean() {
    assert_eq!(checked(&sound(), Depth::Data), []);
    assert_eq!(checked(&experts(), Depth::Data), []);
    assert_eq!(checked(&experts(), Depth::Structure), []);
}

#[test]
fn the_file_type_is_held_against_the_weights() {
    let typed = |n: u32| set(sound(), "general.file_type", Kv::U32(n));
    structure(&typed(37), W, "file-type", &["37 (TQ2_0)", "100.0 % F16", "1 (F16) would fit"]);
    structure(&typed(15), W, "file-type", &["15 (Q4_K_M)"]);
    structure(&typed(40), W, "file-type", &["40 (Q1_0)", "bitnet.cpp's forks mean I2_S"]);
    structure(&typed(1025), N, "file-type", &["1025", "guessed"]);
    structure(&typed(999), N, "file-type", &["999", "does not know"]);
    structure(&set(sound(), "general.file_type", Kv::Str("F16".into())), W, "file-type", &["a string"]);
    // Half of the linear layers is enough, and another type that is there makes a mixture.
    let zeros = |n: usize| vec![0x11; n / 32 * 18];
    let quantized = |n: u32, ffn: bool| {
        let tiny = without_tensor(typed(n), if ffn { "blk.0.ffn_up.weight" } else { "blk.0.attn_q.weight" });
        let (name, rows) = if ffn { ("blk.0.ffn_up.weight", 64) } else { ("blk.0.attn_q.weight", 16) };
        let data = zeros(256 * rows as usize);
        tiny.tensor(name, &[256, rows], DType::Q4_0, data).kv("general.quantization_version", Kv::U32(2))
    };
    assert_eq!(checked(&quantized(2, true), Depth::Data), []);
    assert_eq!(checked(&quantized(1, false), Depth::Data), []);
    structure(&quantized(2, false), N, "file-type", &["2 (Q4_0)", "most weights are not Q4_0"]);
    structure(&quantized(1, true), W, "file-type", &["1 (F16)", "2 (Q4_0) would fit"]);
}

/// One trit repeated: a block of each type and the bytes of `n` weights in it.
fn i2_s(n: usize, scale: f32) -> Vec<u8> {
    let mut bytes = vec![0b10_01_00_10; n / 4];
    bytes.extend(scale.to_le_bytes());
    bytes.extend([0xaa; 28]);
    bytes
}

fn with_i2_s(number: u32, scale: f32) -> Tiny {
    set(without_tensor(sound(), "blk.0.ffn_up.weight"), "general.file_type", Kv::U32(number))
        .kv("general.quantization_version", Kv::U32(2))
        .tensor("blk.0.ffn_up.weight", &[256, 64], DType::I2_S, i2_s(256 * 64, scale))
}

#[test]
fn numbers_of_forks_are_explained() {
    let found = checked(&with_i2_s(40, 0.5), Depth::Data);
    let of = |code: &str| found.iter().find(|d| d.code == code).expect(code);
    assert_eq!((found.len(), of("dialect").severity, of("file-type").severity), (2, N, N));
    assert!(of("file-type").message.contains("40: I2_S to bitnet.cpp"), "{}", of("file-type"));
}

#[test]
fn the_one_scale_of_a_tensor_is_a_positive_number_and_its_filler_is_nobodys() {
    for (scale, severity, words) in [
        (f32::NAN, E, "NaN"),
        (f32::INFINITY, E, "inf"),
        (0.0, W, "every weight decodes to 0"),
        (-0.5, W, "no known quantizer"),
    ] {
        let found = checked(&with_i2_s(40, scale), Depth::Data);
        let found: Vec<&Diagnostic> = found.iter().filter(|d| !matches!(d.code, "dialect" | "file-type")).collect();
        assert_eq!((found.len(), found[0].code, found[0].severity), (1, "tensor-scale", severity), "{scale}");
        assert!(found[0].message.contains(words), "{}", found[0]);
        let model = with_i2_s(40, scale).open().unwrap();
        let tensor = &model.tensors[model.find("blk.0.ffn_up.weight").unwrap()];
        assert_eq!(found[0].offset, Some(tensor.offset + 256 * 64 / 4));
    }
}

#[test]
fn weights_that_are_no_numbers_are_found_where_they_are() {
    let spoilt = |value: f32, at: usize| {
        let mut weights = normals(256 * 16, 3);
        weights[at] = value;
        without_tensor(sound(), "blk.0.attn_q.weight").tensor(
            "blk.0.attn_q.weight",
            &[256, 16],
            DType::F16,
            f16_bytes(&weights),
        )
    };
    let tiny = spoilt(f32::NAN, 700);
    let found = only(&tiny, E, "non-finite", &["1 of 4096 weights are NaN, 0 infinite", "element 700"]);
    let model = tiny.open().unwrap();
    let tensor = &model.tensors[model.find("blk.0.attn_q.weight").unwrap()];
    assert_eq!(found.offset, Some(tensor.offset + 1400));
    assert_eq!(structural(&model), []);
    only(&spoilt(f32::NEG_INFINITY, 0), E, "non-finite", &["0 of 4096 weights are NaN, 1 infinite"]);
    // A scale that is no number spoils its block: the second of 256 weights.
    let mut blocks = vec![0b10_01_00_10; 66 * 16];
    blocks.chunks_exact_mut(66).for_each(|b| b[64..].copy_from_slice(&[0, 0x38]));
    blocks[66 + 64..66 + 66].copy_from_slice(&[1, 0x7c]);
    let tiny = without_tensor(sound(), "blk.0.attn_q.weight").kv("general.quantization_version", Kv::U32(2)).tensor(
        "blk.0.attn_q.weight",
        &[256, 16],
        DType::TQ2_0,
        blocks,
    );
    let found = only(&tiny, E, "non-finite", &["1 of 16 blocks", "element 256"]);
    let model = tiny.open().unwrap();
    assert_eq!(found.offset, Some(model.tensors[model.find("blk.0.attn_q.weight").unwrap()].offset + 66));
}

#[test]
fn experts_that_are_broken_are_numbered() {
    let with = |change: &dyn Fn(&mut [f32])| {
        let mut weights = normals(256 * 16 * 2, 7);
        change(&mut weights[256 * 16..]);
        without_tensor(experts(), "blk.0.ffn_up_exps.weight").tensor(
            "blk.0.ffn_up_exps.weight",
            &[256, 16, 2],
            DType::F16,
            f16_bytes(&weights),
        )
    };
    only(&with(&|w| w[5] = f32::NAN), E, "non-finite", &["element 4101", "in experts 1:"]);
    only(&with(&|w| w.fill(0.0)), W, "zero-expert", &["1 of its 2 experts are all zeros: 1;"]);
}

#[test]
fn tensors_of_zeros_are_found_but_biases_may_be() {
    let zero = |name: &str, rows: u64| {
        without_tensor(sound(), name).tensor(name, &[256, rows], DType::F16, vec![0; 512 * rows as usize])
    };
    only(&zero("blk.0.attn_q.weight", 16), W, "zero-tensor", &["every weight is 0"]);
    only(&zero("token_embd.weight", 8), W, "zero-tensor", &["every weight is 0"]);
    let bias = sound().tensor("blk.0.attn_q.bias", &[256], DType::F32, vec![0; 1024]);
    assert_eq!(checked(&bias, Depth::Data), []);
    let ternary = without_tensor(sound(), "blk.0.attn_q.weight").kv("general.quantization_version", Kv::U32(2)).tensor(
        "blk.0.attn_q.weight",
        &[256, 16],
        DType::TQ2_0,
        [0x55; 64].iter().chain(&[0, 0x38]).copied().cycle().take(66 * 16).collect(),
    );
    only(&ternary, W, "zero-tensor", &["every weight is 0"]);
}

#[test]
fn codes_that_mean_nothing_are_counted() {
    let mut blocks: Vec<u8> = [0x26; 64].iter().chain(&[0, 0x38]).copied().cycle().take(66 * 16).collect();
    blocks[3] = 0b11_01_00_11;
    let tiny = without_tensor(sound(), "blk.0.attn_q.weight").kv("general.quantization_version", Kv::U32(2)).tensor(
        "blk.0.attn_q.weight",
        &[256, 16],
        DType::TQ2_0,
        blocks,
    );
    only(&tiny, W, "illegal-codes", &["2 codes and 1 bytes mean nothing in TQ2_0"]);
}

#[test]
fn floats_that_are_ternary_already_are_a_note() {
    let native: Vec<f32> = normals(256 * 64, 4).iter().map(|w| 0.25 * (w * 40.0).round().clamp(-1.0, 1.0)).collect();
    let with = |data: Vec<u8>, dtype| {
        without_tensor(sound(), "blk.0.ffn_up.weight").tensor("blk.0.ffn_up.weight", &[256, 64], dtype, data)
    };
    let words = ["every block of 256 in 1 tensor", "blk.0.ffn_up.weight", "--method lossless --format tq2_0"];
    only(&with(f16_bytes(&native), DType::F16), N, "natively-ternary", &words);
    // One weight that no sample need meet.
    let mut nearly = native;
    nearly[256 * 63 + 200] = 0.125;
    assert_eq!(checked(&with(f16_bytes(&nearly), DType::F16), Depth::Data), []);
}

#[test]
fn rows_that_ternary_types_do_not_take_are_notes() {
    let odd = sound().normal("blk.0.ffn_gate.weight", &[100, 64], 8).normal("blk.0.ffn_down.weight", &[36, 256], 8);
    structure(&odd, N, "rows-64", &["2 tensors", "blk.0.ffn_gate.weight, blk.0.ffn_down.weight", "rows of 100"]);
    let uneven = sound().normal("blk.0.ffn_down.weight", &[64, 256], 8);
    structure(&uneven, N, "rows-256", &["1 tensor", "rows of 64", "fall back to Q2_0"]);
}

#[test]
fn the_head_is_there_or_tied() {
    structure(&without_tensor(sound(), "output.weight"), N, "tied-head", &["token_embd.weight"]);
    structure(&without_tensor(sound(), "token_embd.weight"), W, "no-embedding", &["no token_embd.weight"]);
    let neither = without_tensor(without_tensor(sound(), "output.weight"), "token_embd.weight");
    structure(&neither, E, "no-head", &["neither"]);
    // Files that are no text model have no head to miss.
    assert_eq!(checked(&neither.kv("general.type", Kv::Str("adapter".into())), Depth::Data), []);
}

#[test]
fn layers_are_counted() {
    let layers = |n: u32| set(sound(), "llama.block_count", Kv::U32(n));
    let found = structure(&layers(4), E, "missing-layers", &["llama.block_count is 4", "3 of these layers", "1–3;"]);
    assert_eq!(found.tensor, None);
    structure(&layers(u32::MAX), E, "missing-layers", &["1–4294967294"]);
    structure(&layers(0), E, "block-count", &["tensors of layer 0"]);
    structure(&without(sound(), "llama.block_count"), E, "block-count", &["llama.block_count is missing"]);
    let two = layers(3).normal("blk.2.attn_q.weight", &[256, 16], 9);
    structure(&two, E, "missing-layers", &["1 of these layers have no tensor: 1;"]);
}

#[test]
fn experts_are_counted() {
    let four = set(without_tensor(experts(), "blk.0.ffn_gate_inp.weight"), "llama.expert_count", Kv::U32(4));
    let found = structure(&four, E, "expert-count", &["third dimension is 2", "llama.expert_count is 4"]);
    assert_eq!(found.tensor.as_deref(), Some("blk.0.ffn_up_exps.weight"));
    let router =
        without_tensor(experts(), "blk.0.ffn_gate_inp.weight").normal("blk.0.ffn_gate_inp.weight", &[256, 3], 6);
    structure(&router, E, "expert-count", &["number of rows is 3"]);
    structure(&without(experts(), "llama.expert_count"), E, "expert-count", &["is missing"]);
}

#[test]
fn tokens_are_counted() {
    let bos = |value| set(sound(), "tokenizer.ggml.bos_token_id", value);
    structure(&bos(Kv::U32(8)), W, "token-id", &["bos_token_id is 8", "8 tokens (0 to 7)"]);
    structure(&bos(Kv::I32(-1)), W, "token-id", &["bos_token_id is -1"]);
    let tokens = set(sound(), "tokenizer.ggml.tokens", Kv::Strings(vec!["x".into(); 9]));
    let found = checked(&tokens, Depth::Data);
    let of = |i: usize| (found[i].severity, found[i].code, found[i].tensor.as_deref());
    assert_eq!(
        (of(0), of(1)),
        ((E, "vocabulary", Some("token_embd.weight")), (W, "vocabulary", Some("output.weight")))
    );
    assert!(found.len() == 2 && found[0].message.contains("has 8 rows, the number of tokens is 9"), "{found:?}");
    let odd = Kv::Raw(
        9,
        [8u32.to_le_bytes().to_vec(), 8u64.to_le_bytes().to_vec(), [1, 0, 0, 0, 0, 0, 0, 0, 0xff].repeat(8)].concat(),
    );
    only(&set(sound(), "tokenizer.ggml.tokens", odd), N, "token-utf8", &["8 of 8 tokens", "token 0 first"]);
}

#[test]
fn metadata_is_text_where_it_should_be() {
    let bad = |key: &str| sound().kv(key, Kv::Raw(8, vec![2, 0, 0, 0, 0, 0, 0, 0, b'a', 0xff]));
    let found = structure(&bad("tokenizer.chat_template"), W, "value-utf8", &["'tokenizer.chat_template'", "byte 1"]);
    let (bytes, marks) = bad("tokenizer.chat_template").build();
    let (at, _) = marks.iter().find(|(_, what)| what == "value of tokenizer.chat_template").unwrap();
    assert_eq!((found.offset, bytes[*at]), (Some(*at as u64), 2));
    let mut key = sound();
    key.kvs.push((vec![b'k', 0xff], Kv::U8(1)));
    only(&key, W, "key-utf8", &["not UTF-8"]);
    only(&sound().kv("llama.block_count", Kv::U32(1)), E, "duplicate-key", &["llama.block_count"]);
    let nameless = set(Tiny { tensors: Vec::new(), ..sound() }, "general.architecture", Kv::Str(" ".into()));
    structure(&nameless, W, "no-architecture", &["is empty"]);
    let none = without(Tiny { tensors: Vec::new(), ..sound() }, "general.architecture");
    only(&none, W, "no-architecture", &["is missing"]);
}

#[test]
fn quantized_files_say_by_which_version() {
    let quantized = |version: Option<u32>| {
        let blocks = [0x26; 64].iter().chain(&[0, 0x38]).copied().cycle().take(66 * 16).collect();
        let tiny = without_tensor(sound(), "blk.0.attn_q.weight").tensor(
            "blk.0.attn_q.weight",
            &[256, 16],
            DType::TQ2_0,
            blocks,
        );
        version.map_or(tiny.clone(), |v| tiny.kv("general.quantization_version", Kv::U32(v)))
    };
    assert_eq!(checked(&quantized(Some(2)), Depth::Data), []);
    structure(&quantized(None), W, "quantization-version", &["is missing", "blk.0.attn_q.weight is TQ2_0"]);
    structure(&quantized(Some(1)), W, "quantization-version", &["is 1, expected 2"]);
}

#[test]
fn keys_of_split_models_do_not_belong_in_whole_ones() {
    structure(&sound().kv("split.count", Kv::U32(0)), N, "split-keys", &["split.count left over"]);
    let short = sound().kv("split.count", Kv::U32(1)).kv("split.tensors.count", Kv::I32(5));
    structure(&short, N, "split-keys", &["split.count, split.tensors.count"]);
    let found = checked(&sound().kv("split.count", Kv::U32(0)).kv("split.tensors.count", Kv::I32(9)), Depth::Data);
    assert_eq!((found.len(), found[1].severity, found[1].code), (2, W, "split-keys"));
    assert!(found[1].message.contains("is 9, the file holds 5"), "{}", found[1]);
    only_error(&sound().kv("split.count", Kv::U32(3)), "missing-shard");
}

/// The finding is opening's, and what depends on the missing part is not checked.
fn only_error(tiny: &Tiny, code: &str) {
    let found = checked(tiny, Depth::Data);
    assert_eq!((found.len(), found[0].code, found[0].severity), (1, code, E), "{found:?}");
}

#[test]
fn rotated_types_and_their_keys_go_together() {
    let block: Vec<u8> = [0, 0x38].into_iter().chain([0x26; 32]).collect();
    let rotated = without_tensor(sound(), "blk.0.attn_q.weight").kv("general.quantization_version", Kv::U32(2)).tensor(
        "blk.0.attn_q.weight",
        &[256, 16],
        DType::PQ2_0,
        block.repeat(32),
    );
    let found: Vec<Diagnostic> =
        checked(&rotated, Depth::Data).into_iter().filter(|d| !d.code.starts_with("dialect")).collect();
    assert_eq!((found.len(), found[0].code, found[0].severity), (1, "rotation", W), "{found:?}");
    assert!(found[0].message.contains("no key declares"), "{}", found[0]);
    let declared = checked(&rotated.kv("prism.hadamard_size", Kv::U32(128)), Depth::Data);
    assert!(declared.iter().all(|d| d.code == "dialect"), "{declared:?}");
    structure(&sound().kv("prism.rotation", Kv::U32(128)), W, "rotation", &["'prism.rotation'", "no tensor is PQ2_0"]);
}

#[test]
fn ruvllms_type_outside_its_files_is_a_note() {
    let block: Vec<u8> = [0x26; 64].into_iter().chain([0, 0x38]).collect();
    let tiny = without_tensor(sound(), "blk.0.attn_q.weight").kv("general.quantization_version", Kv::U32(2)).tensor(
        "blk.0.attn_q.weight",
        &[256, 16],
        DType::T158,
        block.repeat(16),
    );
    let found = checked(&tiny, Depth::Data);
    let codes: Vec<_> = found.iter().map(|d| (d.code, d.severity)).collect();
    assert_eq!(codes, [("dialect", N), ("t158", N)]);
    assert!(found[1].message.contains("the architecture is llama, not craftsman"), "{}", found[1]);
}

#[test]
fn small_alignments_are_a_note() {
    structure(&sound().alignment(8), N, "alignment", &["aligned to 8 bytes"]);
    assert_eq!(checked(&sound().alignment(4096), Depth::Data), []);
}

#[test]
fn what_opening_found_is_in_the_list_and_damaged_tensors_are_passed_over() {
    let found = checked(&sound().last(|t| t.offset = Some(1 << 40)), Depth::Data);
    assert_eq!((found[0].code, found[0].severity), ("out-of-file", E));
}

#[test]
fn safetensors_are_checked_for_shapes_and_data_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut weights = normals(100 * 4, 1);
    weights[3] = f32::NAN;
    let header = br#"{"model.layers.0.mlp.up_proj.weight":{"dtype":"F32","shape":[4,100],"data_offsets":[0,1600]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &f32_bytes(&weights)].concat();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    let model = Model::open(&path, &OpenOptions::default()).unwrap();
    let found = lint(&model, Depth::Data, &Silent, &Cancel::new()).unwrap();
    let codes: Vec<_> = found.iter().map(|d| (d.code, d.severity)).collect();
    assert_eq!(codes, [("rows-64", N), ("non-finite", E)]);
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(matches!(lint(&model, Depth::Data, &Silent, &cancel), Err(Error::Cancelled)));
}

#[test]
fn no_byte_of_a_header_makes_a_check_fail() {
    let (good, marks) = experts().kv("split.count", Kv::U32(0)).kv("x.rotation", Kv::Str("y".into())).build();
    let end = marks.iter().find(|(_, what)| what == "padding").unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let mut opened = 0;
    for at in 0..end {
        for value in [0, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(model) = Model::open(&path, &OpenOptions { mmap: false, ..OpenOptions::default() }) {
                opened += 1;
                let found = lint(&model, Depth::Data, &Silent, &Cancel::new()).unwrap();
                assert!(found.iter().all(|d| d.message.len() < 2000), "{at} {value}");
            }
        }
    }
    assert!(opened > end, "{opened} of {end} times two");
}

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tritscope")).args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn folder(tiny: &Tiny) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny.write(folder.path());
    folder
}

#[test]
fn the_command_line_prints_the_findings_and_ends_with_1_on_more_than_notes() {
    let clean = folder(&without_tensor(sound(), "output.weight"));
    let output = run(clean.path(), &["inspect", "model.gguf", "--check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()), "{text}");
    assert!(text.contains("note [tied-head]") && text.ends_with("0 errors, 0 warnings, 1 note\n"), "{text}");
    assert!(!text.contains("ffn_up"), "the listing is left out:\n{text}");
    let bad = folder(&set(sound(), "llama.block_count", Kv::U32(2)));
    let output = run(bad.path(), &["inspect", "model.gguf", "--check"]);
    assert_eq!(output.status.code(), Some(1));
    let (text, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(text.contains("error [missing-layers]: llama.block_count is 2"), "{text}");
    assert!(errors.contains("check failed: found 1 error, 0 warnings, 0 notes"), "{errors}");
    // Without --check nothing is judged.
    assert_eq!(run(bad.path(), &["inspect", "model.gguf"]).status.code(), Some(0));
    let output = run(bad.path(), &["inspect", "model.gguf", "--check", "--json", "--threads", "1"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &document["diagnostics"][0]["code"]), (Some(1), &Value::from("missing-layers")));
    assert_eq!(document["tensors"].as_array().unwrap().len(), 5);
}

#[test]
fn figures_do_not_depend_on_threads() {
    let tiny = moe();
    let folder = folder(&tiny);
    let with = |threads: &str| run(folder.path(), &["inspect", "model.gguf", "--check", "--threads", threads]).stdout;
    assert_eq!(with("1"), with("4"));
}
