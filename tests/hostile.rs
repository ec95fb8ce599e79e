//! Files that lie: nothing panics, nothing is believed that the file's length does not back, every error says where.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set itself up should stop"
)]

mod support;

use proptest::prelude::*;
use support::{Kv, Tiny, TinyTensor, dense, moe, open_bytes, string};
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Error, Severity};
use tritscope::engine::model::Model;
use tritscope::engine::model::tree::Tree;
use tritscope::engine::plan::{Mask, Recipe, resolve};
use tritscope::engine::preview::{Depth, measure};
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::{Format, Method};

/// Opens bytes both ways, which must end alike; an error must be about the input, name the file, and show no control
/// character.
fn open(bytes: &[u8]) -> Result<Model, Error> {
    let (mapped, read) = (open_bytes(bytes, true), open_bytes(bytes, false));
    match (&mapped, &read) {
        (Ok(a), Ok(b)) => {
            assert_eq!(a.diagnostics, b.diagnostics);
            assert_eq!(format!("{:?}", a.tensors), format!("{:?}", b.tensors));
        }
        (Err(a), Err(b)) => {
            let tail = |e: &Error| e.to_string().split_once("model.gguf").map(|(_, t)| t.to_owned());
            assert!(tail(a).is_some(), "{a} does not name the file");
            assert_eq!(tail(a), tail(b));
            assert_eq!(a.exit_code(), 3, "{a}");
            assert!(!a.to_string().contains(char::is_control), "{a:?}");
        }
        (a, b) => panic!("mapped: {a:?}; read: {b:?}"),
    }
    mapped
}

/// The message of the error that opening ends in, without the file.
fn refused(bytes: &[u8]) -> String {
    let message = open(bytes).expect_err("the file should be refused").to_string();
    message.split_once("model.gguf: ").expect("the error names the file").1.to_owned()
}

/// Everything a face does with a model before an export.
fn look_around(model: &Model) {
    let tree = Tree::build(&model.tensors);
    for root in &tree.roots {
        tree.tensors_below(*root);
    }
    for tensor in &model.tensors {
        let _ = (tensor.rows(), tensor.slices(), tensor.rank(), tensor.bpw(), tensor.undecodable_reason());
    }
    for entry in &model.gguf().unwrap().kvs {
        if let Ok(value) = model.gguf().unwrap().value(model.source(), entry, 8) {
            let _ = value.to_string();
        }
    }
    let _ = (model.parameters(), model.tensor_bytes(), model.title());
    let _ = model.diagnostics.iter().map(ToString::to_string).collect::<String>();
    let _ = model.require_sound();
    for layers in Mask::ALL {
        let recipe = Recipe { layers, ..Recipe::default() };
        let plan = resolve(model, &recipe);
        for (i, decision) in plan.decisions.iter().enumerate() {
            let _ = (decision.reason_text(), decision.rule_text(&recipe));
            if decision.is_ternary() {
                let depth = Depth::Sample { blocks: 4, seed: 1 };
                let _ = measure(model, i, Format::Q2_0, &Method::COMPARED, depth, &Cancel::new());
            }
        }
    }
}

#[test]
fn an_empty_file_is_not_a_model() {
    assert_eq!(refused(b""), "the magic number needs 4 bytes, the file has 0 left (at offset 0)");
}

#[test]
fn a_header_cut_short_anywhere_names_the_offset() {
    let (bytes, marks) = dense().build();
    let header = marks.iter().find(|(_, what)| what == "padding").unwrap().0;
    for end in 0..header {
        let message = refused(&bytes[..end]);
        let offset: usize = message.rsplit_once("offset ").unwrap().1.trim_end_matches(')').parse().unwrap();
        assert!(offset <= end, "cut at {end}: {message}");
        assert!(message.contains(|c: char| c.is_ascii_digit()), "{message}");
    }
}

#[test]
fn data_cut_short_at_every_structure_is_shown_and_not_exported() {
    let (bytes, marks) = moe().build();
    let header = marks.iter().find(|(_, what)| what == "padding").unwrap().0;
    let after: Vec<usize> = marks.iter().map(|(at, _)| *at).filter(|at| *at > header).collect();
    let last = moe().tensors.last().unwrap().data.len();
    for end in after.iter().flat_map(|at| [at - 1, *at, at + 1]) {
        let model = open(&bytes[..end]).unwrap();
        look_around(&model);
        assert!(end + last > bytes.len() || model.require_sound().is_err(), "cut at {end}");
        let error = model.require_sound().unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("model.gguf"), "{error}");
    }
}

#[test]
fn other_magics_and_versions_are_named() {
    let with = |magic: &[u8; 4], version| refused(&Tiny { magic: *magic, version, ..dense() }.bytes());
    assert!(with(b"GGML", 3).contains("begins with \"GGML\""));
    assert!(with(b"\x1b[2J", 3).contains("\\x1b[2J"));
    assert!(with(b"GGUF", 1).contains("version 1"));
    assert!(with(b"GGUF", 4).contains("version 4"));
    assert!(with(b"GGUF", 3u32.swap_bytes()).contains("big-endian"));
    assert!(with(b"GGUF", 2u32.swap_bytes()).contains("big-endian"));
}

#[test]
fn counts_that_the_file_cannot_hold_are_refused() {
    for count in [1 << 63, u64::MAX, 1 << 32, 100_000_000] {
        let tensors = refused(&Tiny { n_tensors: Some(count), ..dense() }.bytes());
        assert!(tensors.contains(&count.to_string()) && tensors.ends_with("(at offset 8)"), "{tensors}");
        let kvs = refused(&Tiny { n_kvs: Some(count), ..dense() }.bytes());
        assert!(kvs.contains(&count.to_string()) && kvs.ends_with("(at offset 16)"), "{kvs}");
    }
    // One too many, or one too few: what follows is read as something else.
    for change in [-1i64, 1] {
        let n = |len: usize| Some((len as i64 + change) as u64);
        let (tensors, kvs) = (dense().tensors.len(), dense().kvs.len());
        for tiny in [Tiny { n_tensors: n(tensors), ..dense() }, Tiny { n_kvs: n(kvs), ..dense() }] {
            if let Ok(model) = open(&tiny.bytes()) {
                look_around(&model);
            }
        }
    }
}

#[test]
fn lengths_that_the_file_cannot_hold_are_refused() {
    for len in [1u64 << 63, u64::MAX, 1 << 40, 1 << 30, 1 << 20] {
        let head = len.to_le_bytes().to_vec();
        let value = refused(&dense().kv("long", Kv::Raw(8, head.clone())).bytes());
        assert!(value.contains(&len.to_string()), "{value}");
        for place in ["key general.name", "name blk.0.ffn_up.weight"] {
            let (mut bytes, marks) = dense().build();
            let at = marks.iter().find(|(_, what)| what == place).unwrap().0;
            bytes[at..at + 8].copy_from_slice(&head);
            let message = refused(&bytes);
            assert!(message.contains(&len.to_string()), "{message}");
            // At the length where it is over the limit, behind it where the file ends too early.
            assert!([at, at + 8].iter().any(|at| message.ends_with(&format!("(at offset {at})"))), "{message}");
        }
    }
}

#[test]
fn arrays_that_the_file_cannot_hold_are_refused() {
    let array = |element: u32, len: u64| {
        let bytes = element.to_le_bytes().into_iter().chain(len.to_le_bytes()).collect();
        dense().kv("array", Kv::Raw(9, bytes)).bytes()
    };
    for len in [1u64 << 61, u64::MAX, (1 << 30) + 1] {
        for element in [0, 4, 8, 12] {
            assert!(refused(&array(element, len)).contains(&len.to_string()));
        }
    }
    assert!(refused(&array(4, 1 << 30)).contains("4294967296 bytes"));
    refused(&array(8, 1 << 30));
    assert!(refused(&array(9, 1)).contains("array of arrays"));
    assert!(refused(&array(13, 1)).contains("element type 13"));
    assert!(refused(&dense().kv("x", Kv::Raw(13, vec![0; 8])).bytes()).contains("unknown value type 13"));
}

#[test]
fn an_alignment_that_is_no_power_of_two_is_refused() {
    for (value, shown) in [
        (Kv::U32(0), "is 0 (u32)"),
        (Kv::U32(7), "is 7 (u32)"),
        (Kv::U32(u32::MAX), "is 4294967295 (u32)"),
        (Kv::U64(32), "is 32 (u64)"),
        (Kv::I32(-32), "is -32 (i32)"),
        (Kv::Str("32".into()), "is 32 (string)"),
        (Kv::F32s(vec![32.0]), "(array)"),
    ] {
        let message = refused(&dense().kv("general.alignment", value).bytes());
        assert!(message.contains("general.alignment") && message.contains(shown), "{message}");
        assert!(message.contains("power of two"), "{message}");
    }
    // A power of two that the file was not padded to moves the data section.
    let model = open(&dense().kv("general.alignment", Kv::U32(1 << 31)).bytes()).unwrap();
    look_around(&model);
    assert!(model.require_sound().is_err());
}

#[test]
fn shapes_that_overflow_are_refused() {
    for dims in [vec![1 << 32, 1 << 32], vec![u64::MAX], vec![1 << 63], vec![3, 1 << 62], vec![1 << 31, 1 << 31, 2, 1]]
    {
        let message = refused(&dense().last(|t| t.dims.clone_from(&dims)).bytes());
        assert!(message.contains("output.weight") && message.contains(&dims[0].to_string()), "{message}");
    }
    // Fits 63 bits as a count, not as bytes.
    for dims in [vec![1 << 62, 1], vec![i64::MAX as u64]] {
        let model = open(&dense().last(|t| t.dims = dims).bytes()).unwrap();
        look_around(&model);
        assert_eq!(model.require_sound().unwrap_err().exit_code(), 3);
    }
    // No elements at all, yet rows without end.
    for dims in [vec![0, 1 << 40, 1 << 40], vec![0, 1, 1 << 40, 1 << 40], vec![0, u64::MAX], vec![256, 0, u64::MAX]] {
        assert!(refused(&dense().last(|t| t.dims = dims).bytes()).contains("output.weight"));
    }
}

#[test]
fn more_than_four_dimensions_are_refused() {
    for n_dims in [5, 100, u32::MAX] {
        let message = refused(&dense().last(|t| t.n_dims = Some(n_dims)).bytes());
        assert!(
            message.contains(&format!("has {n_dims} dimensions")) && message.contains("output.weight"),
            "{message}"
        );
    }
}

#[test]
fn strange_types_and_offsets_can_be_looked_at() {
    for number in [4, 5, 31, 36, 38, 43, 99, 999, u32::MAX] {
        let model = open(&dense().last(|t| t.type_number = number).bytes()).unwrap();
        look_around(&model);
        assert!(model.tensors.last().unwrap().decoder().is_none());
    }
    for offset in [1, 4096, 1 << 40, 1 << 63, u64::MAX - 31, u64::MAX] {
        let model = open(&dense().last(|t| t.offset = Some(offset)).bytes()).unwrap();
        look_around(&model);
        let named = model.diagnostics.iter().any(|d| d.severity == Severity::Error);
        assert!(named && model.require_sound().is_err(), "offset {offset}: {:?}", model.diagnostics);
    }
    // All at the same place.
    let mut tiny = moe();
    tiny.tensors.iter_mut().for_each(|t| t.offset = Some(0));
    let model = open(&tiny.bytes()).unwrap();
    look_around(&model);
    assert!(model.diagnostics.iter().any(|d| d.code == "overlap"));
}

#[test]
fn names_cannot_reach_the_terminal_or_the_stack() {
    let names: Vec<Vec<u8>> = vec![
        b"\x1b[2J\x1b]0;owned\x07.weight".to_vec(),
        b"blk.0.\r\n\tffn_up.weight".to_vec(),
        "blk.0.\u{202e}thgiew.\u{9b}31m".as_bytes().to_vec(),
        b"\xff\xfe\x80".to_vec(),
        Vec::new(),
        b".".repeat(100_000),
        b"a.".repeat(50_000),
        b"9".repeat(10_000),
        b"blk.99999999999999999999.ffn_up.weight".to_vec(),
        b"x".repeat(1 << 20),
    ];
    let mut tiny = dense();
    for name in &names {
        let shape = tiny.tensors[2].clone();
        tiny.tensors.push(TinyTensor { name: name.clone(), ..shape });
    }
    for (key, value) in [("\x1b[31mkey", "\x1b[31mvalue"), ("", "empty key")] {
        tiny = tiny.kv(key, Kv::Str(value.into()));
    }
    let model = open(&tiny.bytes()).unwrap();
    look_around(&model);
    for diagnostic in &model.diagnostics {
        assert!(!diagnostic.to_string().contains(char::is_control), "{diagnostic:?}");
    }
    let error = model.require_sound().unwrap_err().to_string();
    assert!(!error.contains(char::is_control), "{error:?}");
    for code in ["name-utf8", "empty-name", "long-name", "empty-key"] {
        assert!(model.diagnostics.iter().any(|d| d.code == code), "{code}");
    }
    // In errors, too.
    let broken = dense().last(|t| (t.name, t.n_dims) = (names[0].clone(), Some(9)));
    assert!(refused(&broken.bytes()).contains("\\u{1b}[2J"));
    let key = Kv::Raw(77, string(b"x"));
    assert!(refused(&dense().kv("\x1b[2J", key).bytes()).contains("\\u{1b}[2J"));
}

#[test]
fn non_finite_weights_are_found_and_named_by_their_index() {
    let mut weights = support::normals(512, 1);
    weights[300] = f32::NAN;
    let model = open(
        &Tiny::default().tensor("blk.0.ffn_up.weight", &[256, 2], DType::F32, support::f32_bytes(&weights)).bytes(),
    )
    .unwrap();
    let report = measure(&model, 0, Format::Tq2_0, &[Method::Exact], Depth::Exact, &Cancel::new()).unwrap();
    assert_eq!(report.non_finite, Some(300));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_damage_never_panics(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
                                  in_header in any::<bool>()) {
        let (mut bytes, marks) = dense().build();
        let header = marks.iter().find(|(_, what)| what == "padding").unwrap().0;
        let reach = if in_header { header } else { bytes.len() };
        for (index, byte) in flips {
            bytes[index.index(reach)] = byte;
        }
        if let Ok(model) = open(&bytes) {
            look_around(&model);
        }
    }

    #[test]
    fn random_bytes_behind_a_magic_never_panic(tail in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = [b"GGUF\x03\0\0\0".as_slice(), &tail].concat();
        if let Ok(model) = open(&bytes) {
            look_around(&model);
        }
    }
}
