//! Opening files: both versions, both ways of reading, lenient diagnostics, order, roles.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set itself up should stop"
)]

mod support;

use support::{Kv, Tiny, dense, f16_bytes, moe, normals, open_bytes};
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Diagnostic, Severity};
use tritscope::engine::format::gguf::{Value, ValueType};
use tritscope::engine::format::source::AlignedBuf;
use tritscope::engine::model::tree::{NodeKind, Tree};
use tritscope::engine::model::{Model, OpenOptions, Role};
use tritscope::text;

/// Codes of the diagnostics that are not mere notes, in order.
fn codes(model: &Model) -> Vec<&'static str> {
    model.diagnostics.iter().filter(|d| d.severity > Severity::Note).map(|d| d.code).collect()
}

fn found<'a>(model: &'a Model, code: &str) -> &'a Diagnostic {
    model.diagnostics.iter().find(|d| d.code == code).expect(code)
}

fn decoded(model: &Model) -> Vec<Vec<f32>> {
    let mut buffer = AlignedBuf::new();
    let read = |t: &tritscope::engine::model::Tensor| {
        let mut out = vec![0.0; t.elements() as usize];
        model.read_f32(t, 0, &mut out, &mut buffer).unwrap();
        out
    };
    model.tensors.iter().map(read).collect()
}

#[test]
fn versions_2_and_3_are_read_alike() {
    for version in [2, 3] {
        let model = Tiny { version, ..dense() }.open().unwrap();
        assert_eq!(model.gguf().unwrap().version, version);
        assert_eq!(codes(&model), [""; 0]);
        assert_eq!(model.architecture.as_deref(), Some("llama"));
        assert_eq!(model.title(), "dense");
        let names: Vec<_> = model.tensors.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names[..2], ["token_embd.weight", "blk.0.attn_norm.weight"]);
        let up = &model.tensors[model.find("blk.0.ffn_up.weight").unwrap()];
        assert_eq!((up.dims.as_slice(), up.dtype, up.bytes), ([256, 64].as_slice(), DType::F16, 32768));
        assert_eq!(decoded(&model)[1], normals(256, 2));
    }
}

#[test]
fn every_metadata_type_is_decoded_in_file_order() {
    let model = Tiny::default()
        .kv("a", Kv::U8(200))
        .kv("b", Kv::Raw(1, vec![0xff]))
        .kv("c", Kv::Raw(2, vec![0x34, 0x12]))
        .kv("d", Kv::Raw(3, vec![0xfe, 0xff]))
        .kv("e", Kv::U32(u32::MAX))
        .kv("f", Kv::I32(-7))
        .kv("g", Kv::F32(0.5))
        .kv("h", Kv::Bool(true))
        .kv("i", Kv::Str("ünï".into()))
        .kv("j", Kv::I32s(vec![1, -2, 3]))
        .kv("k", Kv::U64(u64::MAX))
        .kv("l", Kv::Raw(11, i64::MIN.to_le_bytes().to_vec()))
        .kv("m", Kv::F64(-1e300))
        .open()
        .unwrap();
    let keys: String = model.gguf().unwrap().kvs.iter().skip(1).map(|kv| kv.key.as_str()).collect();
    assert_eq!(keys, "abcdefghijklm");
    let shown: Vec<String> = model
        .gguf()
        .unwrap()
        .kvs
        .iter()
        .skip(1)
        .map(|kv| model.gguf().unwrap().value(model.source(), kv, 2).unwrap().to_string())
        .collect();
    let expected = ["200", "-1", "4660", "-2", "4294967295", "-7", "0.5", "true", "ünï", "[i32 × 3] 1, -2, …"];
    assert_eq!(shown[..10], expected);
    assert_eq!(model.metadata("k").unwrap().as_u64(), Some(u64::MAX));
    assert_eq!(model.metadata("l"), Some(Value::Signed(i64::MIN, ValueType::I64)));
    assert_eq!(model.metadata("m"), Some(Value::Float(-1e300, ValueType::F64)));
}

#[test]
fn long_arrays_of_strings_are_passed_over_and_their_head_is_there_when_asked() {
    let tokens: Vec<String> = (0..262_144).map(|i| format!("token {i}")).collect();
    let tiny = dense().kv("tokenizer.ggml.tokens", Kv::Strings(tokens)).kv("behind.it", Kv::U32(7));
    let bytes = tiny.bytes();
    for mmap in [true, false] {
        let model = open_bytes(&bytes, mmap).unwrap();
        assert_eq!(model.metadata("behind.it").unwrap().as_u64(), Some(7));
        let entry = model.gguf().unwrap().kv("tokenizer.ggml.tokens").unwrap();
        let Value::Array { element, len, head } = model.gguf().unwrap().value(model.source(), entry, 3).unwrap() else {
            panic!("an array was written");
        };
        assert_eq!((element, len), (ValueType::String, 262_144));
        assert_eq!(head, ["token 0", "token 1", "token 2"].map(Value::string));
        let Some(Value::Array { len, head, .. }) = model.metadata("tokenizer.ggml.tokens") else {
            panic!("an array was written");
        };
        assert_eq!((len, head.len()), (262_144, 0));
    }
}

#[test]
fn a_map_and_plain_reads_give_the_same_model() {
    let tiny = moe().alignment(64);
    let bytes = tiny.bytes();
    let (mapped, read) = (open_bytes(&bytes, true).unwrap(), open_bytes(&bytes, false).unwrap());
    assert!(mapped.source().mapped().is_some() && read.source().mapped().is_none());
    assert_eq!(format!("{:?}", mapped.tensors), format!("{:?}", read.tensors));
    assert_eq!(format!("{:?}", mapped.gguf().unwrap()), format!("{:?}", read.gguf().unwrap()));
    assert_eq!(mapped.diagnostics, read.diagnostics);
    assert_eq!(decoded(&mapped), decoded(&read));
    // The middle of a tensor, too: two rows, not from the first on.
    let tensor = mapped.find("blk.3.ffn_gate_exps.weight").unwrap();
    let rows = |model: &Model| {
        let mut out = vec![0.0; 128];
        model.read_f32(&model.tensors[tensor], 640, &mut out, &mut AlignedBuf::new()).unwrap();
        out
    };
    assert_eq!(rows(&mapped), rows(&read));
    assert_eq!(rows(&mapped), decoded(&mapped)[tensor][640..768]);
}

#[test]
fn reading_outside_a_tensor_is_refused() {
    let model = dense().open().unwrap();
    let tensor = &model.tensors[2];
    let mut buffer = AlignedBuf::new();
    for (first, len) in [(tensor.elements(), 1usize), (0, tensor.elements() as usize + 1), (u64::MAX, 2)] {
        let error = model.read_f32(tensor, first, &mut vec![0.0; len], &mut buffer).unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        assert!(error.to_string().contains("blk.0.ffn_up.weight"), "{error}");
    }
    assert!(model.read_raw(tensor, tensor.bytes - 1, 2, &mut buffer).is_err());
    assert_eq!(model.read_raw(tensor, tensor.bytes - 1, 1, &mut buffer).unwrap().len(), 1);
}

#[test]
fn unknown_types_are_listed_with_their_number_and_the_size_their_offsets_leave() {
    let model = Tiny::default()
        .tensor("odd", &[256, 2], DType::of_number(999), vec![7; 100])
        .normal("fine.weight", &[32, 2], 1)
        .open()
        .unwrap();
    let odd = &model.tensors[0];
    assert_eq!((odd.dtype.to_string(), odd.bytes), ("type 999".to_owned(), 128));
    assert!(odd.decoder().is_none());
    assert_eq!(odd.undecodable_reason(), "type number 999 is not known");
    assert_eq!(codes(&model), ["unknown-type"]);
    let mut out = [0.0; 256];
    let error = model.read_f32(odd, 0, &mut out, &mut AlignedBuf::new()).unwrap_err().to_string();
    assert!(error.contains("'odd'") && error.contains("999"), "{error}");
    assert_eq!(model.require_sound().unwrap_err().exit_code(), 3);
}

#[test]
fn overlapping_tensors_are_shown_and_not_exported() {
    let model = dense().last(|t| t.offset = Some(4096 + 512)).open().unwrap();
    let overlap = found(&model, "overlap");
    assert_eq!(overlap.tensor.as_deref(), Some("blk.0.attn_norm.weight"));
    assert!(overlap.message.contains("1024"), "{overlap}");
    let error = model.require_sound().unwrap_err().to_string();
    assert!(error.contains("model.gguf") && error.contains("overlap"), "{error}");
}

#[test]
fn a_tensor_outside_the_file_is_shown_and_not_read() {
    let model = dense().last(|t| t.offset = Some(1 << 40)).open().unwrap();
    let outside = found(&model, "out-of-file");
    assert_eq!(outside.tensor.as_deref(), Some("output.weight"));
    assert!(outside.message.contains("1099511627776"), "{outside}");
    let last = model.tensors.last().unwrap();
    assert_eq!((last.bytes, last.layout_fits), (0, false));
    let mut out = [0.0; 256];
    assert!(model.read_f32(last, 0, &mut out, &mut AlignedBuf::new()).is_err());
}

#[test]
fn odd_offsets_and_gaps_are_named() {
    let misaligned = dense().last(|t| t.offset = Some(4096 + 1024 + 32768 + 32768 + 8)).open().unwrap();
    assert!(found(&misaligned, "misaligned").message.contains("not a multiple of 32"));
    assert_eq!(misaligned.require_sound().unwrap_err().exit_code(), 3);
    let tiny = dense().last(|t| t.data.splice(0..0, [0; 64]).for_each(drop));
    let gap = tiny.last(|t| t.offset = Some(4096 + 1024 + 32768 + 32768 + 64)).open().unwrap();
    assert_eq!(codes(&gap), ["offset"]);
    assert!(found(&gap, "offset").message.contains("has offset 70720, expected 70656"));
    gap.require_sound().unwrap();
}

#[test]
fn the_last_tensors_padding_may_be_missing() {
    let tiny = Tiny { pad_last: false, ..Tiny::default().normal("blk.0.ffn_up.weight", &[3, 3], 1) };
    assert!(!tiny.bytes().len().is_multiple_of(32));
    let model = tiny.open().unwrap();
    assert_eq!(codes(&model), [""; 0]);
    assert_eq!(decoded(&model)[0].len(), 9);
}

#[test]
fn duplicate_names_and_keys_are_diagnostics() {
    let model = dense().normal("output.weight", &[256, 8], 9).kv("general.name", Kv::U32(1)).open().unwrap();
    assert!(codes(&model).contains(&"duplicate-key"));
    let duplicate = found(&model, "duplicate-name");
    assert_eq!(duplicate.severity, Severity::Error);
    assert_eq!(duplicate.tensor.as_deref(), Some("output.weight"));
    assert!(model.require_sound().is_err());
}

#[test]
fn a_missing_architecture_is_a_warning() {
    let model = Tiny { kvs: Vec::new(), ..dense() }.open().unwrap();
    assert_eq!(codes(&model), ["no-architecture"]);
}

#[test]
fn alignment_is_honoured() {
    for alignment in [1, 8, 64, 4096] {
        let model = dense().alignment(alignment).open().unwrap();
        assert_eq!(model.gguf().unwrap().alignment, u64::from(alignment));
        assert_eq!(codes(&model), [""; 0], "alignment {alignment}");
        assert_eq!(decoded(&model)[1], normals(256, 2));
    }
}

#[test]
fn scalars_empty_tensors_and_trailing_ones_are_shapes_like_others() {
    let model = Tiny::default()
        .tensor("scalar", &[], DType::F32, 1.5f32.to_le_bytes().to_vec())
        .tensor("column.weight", &[256, 1], DType::F16, f16_bytes(&normals(256, 1)))
        .tensor("empty.weight", &[256, 0], DType::F16, Vec::new())
        .open()
        .unwrap();
    assert_eq!(codes(&model), [""; 0]);
    assert_eq!(decoded(&model)[0], [1.5]);
    let ranks: Vec<_> = model.tensors.iter().map(|t| (t.rank(), t.elements())).collect();
    assert_eq!(ranks, [(1, 1), (1, 256), (2, 0)]);
}

#[test]
fn the_tree_is_in_natural_order() {
    let model = moe().open().unwrap();
    let tree = Tree::build(&model.tensors);
    let labels = |ids: &[usize]| ids.iter().map(|id| tree.nodes[*id].label().to_owned()).collect::<Vec<_>>();
    assert_eq!(labels(&tree.roots), ["blk.", "output.weight", "output_norm.weight", "token_embd.weight"]);
    let NodeKind::Folder(blocks) = &tree.nodes[tree.roots[0]].kind else { panic!("blk. is a folder") };
    let numbers: Vec<String> = (0..12).map(|i| format!("{i}.")).collect();
    assert_eq!(labels(blocks), numbers);
    assert_eq!(tree.tensors_below(tree.roots[0]).len(), 12 * 7);
    assert_eq!(&*tree.nodes[blocks[10]].path, "blk.10.");
    assert!(tree.nodes.iter().enumerate().all(|(i, n)| n.parent.is_none_or(|p| p < i)));
}

#[test]
fn a_mixture_of_experts_has_its_roles() {
    let model = moe().open().unwrap();
    let role = |name: &str| model.tensors[model.find(name).unwrap()].role;
    assert_eq!(role("token_embd.weight"), Role::TokenEmbd);
    assert_eq!(role("output.weight"), Role::Output);
    assert_eq!(role("output_norm.weight"), Role::Norm);
    assert_eq!(role("blk.11.attn_q.weight"), Role::AttnQ);
    assert_eq!(role("blk.11.attn_output.weight"), Role::AttnOut);
    assert_eq!(role("blk.11.ffn_gate_inp.weight"), Role::Router);
    assert_eq!(role("blk.11.ffn_gate_exps.weight"), Role::ExpertGate);
    assert_eq!(role("blk.11.ffn_down_exps.weight"), Role::ExpertDown);
    assert!(model.has_routed_experts());
    let experts = &model.tensors[model.find("blk.11.ffn_down_exps.weight").unwrap()];
    assert_eq!((experts.layer, experts.slices(), experts.rows()), (Some(11), 4, 256));
    assert!(!dense().open().unwrap().has_routed_experts());
}

#[test]
fn complaints_of_one_kind_are_counted_not_repeated_without_end() {
    let mut tiny = Tiny::default();
    for i in 0..500 {
        tiny = tiny.tensor(&format!("t{i}"), &[32], DType::of_number(999), vec![0; 32]);
    }
    let model = tiny.open().unwrap();
    let unknown: Vec<_> = model.diagnostics.iter().filter(|d| d.code == "unknown-type").collect();
    assert_eq!(unknown.len(), 101);
    assert!(unknown[100].message.contains("400 more") && unknown[100].severity == Severity::Error);
}

#[test]
fn a_file_that_is_cut_off_is_said_to_be_and_a_wrong_offset_is_not() {
    let bytes = moe().bytes();
    let (len, whole) = (bytes.len() as u64, text::bytes(bytes.len() as u64));
    let open = |bytes: &[u8]| open_bytes(bytes, true).unwrap();
    assert_eq!(open(&bytes).cut_off(), None);
    let model = open(&bytes[..bytes.len() / 2]);
    let (sentence, first) = (model.cut_off().unwrap(), &model.diagnostics[0]);
    assert_eq!((first.code, first.severity, first.message.as_str()), ("truncated", Severity::Error, sentence));
    let incomplete = model.tensors.iter().filter(|t| !t.layout_fits).count();
    assert!(sentence.starts_with("cut off: ") && sentence.contains(&format!(" of {whole} are there; ")), "{sentence}");
    assert!(sentence.contains(&format!("; {incomplete} of {} tensors are missing", model.tensors.len())), "{sentence}");
    let refused = model.require_sound().unwrap_err().to_string();
    assert!(refused.ends_with(sentence) && !refused.contains("offset"), "{refused}");
    assert!(open(&bytes[..bytes.len() - 1]).cut_off().unwrap().contains("1 of "), "of {len} bytes one is missing");
    // An offset that points beyond the file says nothing of the file's end.
    let wrong = moe().last(|t| t.offset = Some(1 << 40));
    let model = wrong.open().unwrap();
    assert!(model.require_sound().is_err() && model.cut_off().is_none(), "{:?}", model.diagnostics);
}

#[test]
fn what_is_read_ahead_and_given_back_stays_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = moe().write(folder.path());
    let mapped = Model::open(&path, &OpenOptions::default()).unwrap();
    let expected = decoded(&mapped);
    let unmapped = mapped.unmapped().unwrap();
    for model in [&mapped, &unmapped] {
        let file = &model.files[0];
        file.will_need(0, u64::MAX);
        file.will_need(file.len() + 5, 1);
        for (offset, len) in [(0, file.len()), (4097, 3), (file.len(), 10), (0, 0)] {
            file.forget(offset, len);
        }
        assert_eq!(decoded(model), expected);
    }
    assert!(mapped.files[0].mapped().is_some() && unmapped.files[0].mapped().is_none());
}

#[test]
fn a_file_that_was_changed_is_not_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = moe().write(folder.path());
    let model = Model::open(&path, &OpenOptions::default()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, [&bytes[..], b"more"].concat()).unwrap();
    let refused = model.unmapped().unwrap_err().to_string();
    assert!(refused.contains("it was changed after it was opened"), "{refused}");
}
