//! Safetensors, whole and in shards: every type decodes, every broken header ends in a clean error or a diagnostic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use support::reading::{assert_same, bits, complaints, messages, open, tensor, weights};
use support::safetensors::{Safe, with_header};
use support::{f16_bytes, f32_bytes, normals};
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Error, Result, Severity};
use tritscope::engine::model::tree::Tree;
use tritscope::engine::model::{Model, OpenOptions, Role};
use tritscope::engine::plan::{Mask, Recipe, resolve};
use tritscope::engine::preview::{Depth, measure};
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::{Format, Method};

/// Opens bytes as a file of this name, mapped and read, which must end alike.
fn open_named(bytes: &[u8], name: &str) -> Result<Model> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let [mapped, read] = [true, false].map(|mmap| Model::open(&path, &OpenOptions { mmap, ..OpenOptions::default() }));
    match (&mapped, &read) {
        (Ok(a), Ok(b)) => {
            assert_eq!(format!("{:?}{:?}", a.tensors, a.diagnostics), format!("{:?}{:?}", b.tensors, b.diagnostics));
        }
        (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
        (a, b) => panic!("mapped: {a:?}; read: {b:?}"),
    }
    mapped
}

fn open_bytes(bytes: &[u8]) -> Result<Model> {
    open_named(bytes, "model.safetensors")
}

/// The error that opening ends in; it is about the file and shows no control characters.
fn refused(bytes: &[u8]) -> String {
    let error = open_bytes(bytes).expect_err("the file should be refused");
    let text = error.to_string();
    assert_eq!(error.exit_code(), 3, "{text}");
    assert!(text.contains("model.safetensors") && !text.contains(char::is_control), "{text:?}");
    text
}

#[test]
fn every_type_decodes_to_its_values() {
    let halves = [1.5f32, -0.25, 65504.0, 6.1e-5];
    let cases: Vec<(&str, DType, Vec<u8>, Vec<f32>)> = vec![
        (
            "F64",
            DType::F64,
            [0.1f64, -1e300, 2.0, 0.0].iter().flat_map(|x| x.to_le_bytes()).collect(),
            vec![0.1, f32::NEG_INFINITY, 2.0, 0.0],
        ),
        ("F32", DType::F32, f32_bytes(&[0.1, -0.0, 3e38, 1e-45]), vec![0.1, -0.0, 3e38, 1e-45]),
        ("F16", DType::F16, f16_bytes(&halves), halves.iter().map(|h| half::f16::from_f32(*h).to_f32()).collect()),
        (
            "BF16",
            DType::BF16,
            [0x3fc0u16, 0xbe80, 0x7f80, 0x0001].iter().flat_map(|b| b.to_le_bytes()).collect(),
            vec![1.5, -0.25, f32::INFINITY, f32::from_bits(0x0001_0000)],
        ),
        ("F8_E4M3", DType::F8_E4M3, vec![0x38, 0xb8, 0x7e, 0x01], vec![1.0, -1.0, 448.0, 2f32.powi(-9)]),
        ("F8_E5M2", DType::F8_E5M2, vec![0x3c, 0xbc, 0x7b, 0x01], vec![1.0, -1.0, 57344.0, 2f32.powi(-16)]),
        ("I8", DType::I8, vec![0, 255, 128, 127], vec![0.0, -1.0, -128.0, 127.0]),
        (
            "I16",
            DType::I16,
            [0i16, -1, i16::MIN, 300].iter().flat_map(|n| n.to_le_bytes()).collect(),
            vec![0.0, -1.0, -32768.0, 300.0],
        ),
        (
            "I32",
            DType::I32,
            [0i32, -1, i32::MIN, 70000].iter().flat_map(|n| n.to_le_bytes()).collect(),
            vec![0.0, -1.0, -2_147_483_648.0, 70000.0],
        ),
        (
            "I64",
            DType::I64,
            [0i64, -1, 1 << 40, 7].iter().flat_map(|n| n.to_le_bytes()).collect(),
            vec![0.0, -1.0, 1_099_511_627_776.0, 7.0],
        ),
        ("U8", DType::U8, vec![0, 255, 128, 1], vec![0.0, 255.0, 128.0, 1.0]),
        (
            "U16",
            DType::U16,
            [0u16, 65535, 300, 1].iter().flat_map(|n| n.to_le_bytes()).collect(),
            vec![0.0, 65535.0, 300.0, 1.0],
        ),
        (
            "U32",
            DType::U32,
            [0u32, u32::MAX, 70000, 1].iter().flat_map(|n| n.to_le_bytes()).collect(),
            vec![0.0, 4_294_967_296.0, 70000.0, 1.0],
        ),
        (
            "U64",
            DType::U64,
            [0u64, 1 << 63, 70000, 1].iter().flat_map(|n| n.to_le_bytes()).collect(),
            vec![0.0, 9_223_372_036_854_775_808.0, 70000.0, 1.0],
        ),
        ("BOOL", DType::BOOL, vec![0, 1, 0, 1], vec![0.0, 1.0, 0.0, 1.0]),
    ];
    let mut safe = Safe::default();
    for (name, _, data, _) in &cases {
        safe = safe.tensor(name, name, &[2, 2], data.clone());
    }
    let model = open_bytes(&safe.bytes()).unwrap();
    assert_eq!(model.tensors.len(), 15);
    for (name, dtype, _, meant) in &cases {
        assert_eq!((tensor(&model, name).dtype, &tensor(&model, name).dims[..]), (*dtype, &[2, 2][..]), "{name}");
        assert_same(&bits(&weights(&model, name)), &bits(meant), name);
    }
}

#[test]
fn shapes_are_turned_and_tensors_come_in_the_order_of_their_data() {
    let values: Vec<f32> = (0..24u8).map(f32::from).collect();
    let safe = Safe::default()
        .tensor("z.experts", "F32", &[3, 2, 4], f32_bytes(&values))
        .tensor("a.scalar", "F32", &[], f32_bytes(&[5.0]))
        .tensor("m.empty", "F16", &[0, 4], Vec::new())
        .tensor("b.row", "F32", &[4], f32_bytes(&values[..4]))
        .tensor("c.five", "U8", &[1, 2, 1, 3, 1, 2], vec![7; 12])
        .about("format", "pt")
        .about("a", "\u{1b}[2J");
    let model = open_bytes(&safe.bytes()).unwrap();
    let found: Vec<(&str, &[u64])> = model.tensors.iter().map(|t| (t.name.as_str(), t.dims.as_slice())).collect();
    let meant: [(&str, &[u64]); 5] = [
        ("z.experts", &[4, 2, 3]),
        ("a.scalar", &[]),
        ("b.row", &[4]),
        ("m.empty", &[4, 0]),
        ("c.five", &[2, 1, 3, 1, 2, 1]),
    ];
    // An empty tensor has the place of its neighbour.
    let mut sorted = (found.clone(), meant.to_vec());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1);
    assert!(found[0].0 == "z.experts" && found[4].0 == "c.five");
    assert_same(&weights(&model, "z.experts"), &values, "row by row");
    assert_eq!((tensor(&model, "z.experts").rows(), tensor(&model, "z.experts").slices()), (6, 3));
    assert_eq!((weights(&model, "a.scalar"), weights(&model, "m.empty")), (vec![5.0], vec![]));
    let keys: Vec<(String, String)> = model
        .metadata
        .entries()
        .iter()
        .map(|e| (e.key.clone(), model.metadata.get(&e.key).unwrap().to_string()))
        .collect();
    assert_eq!(keys.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["a", "format"]);
    assert_eq!((model.container_words().as_str(), complaints(&model)), ("safetensors", vec![]));
}

#[test]
fn types_that_are_not_decoded_are_named() {
    let safe = Safe::default()
        .tensor("scales", "F8_E8M0", &[4], vec![1; 4])
        .tensor("packed", "F4", &[4], vec![1; 2])
        .tensor("waves", "C64", &[2], vec![1; 16])
        .normal("model.layers.0.mlp.up_proj.weight", &[4, 256], 1);
    let model = open_bytes(&safe.bytes()).unwrap();
    for (name, dtype) in [("scales", "F8_E8M0"), ("packed", "F4"), ("waves", "C64")] {
        let found = tensor(&model, name);
        assert!(found.decoder().is_none() && found.dtype.to_string() == dtype, "{found:?}");
        assert!(messages(&model, "no-decoder").iter().any(|m| m.contains(dtype)), "{dtype}");
    }
    assert_eq!(resolve(&model, &Recipe { layers: Mask::All, ..Recipe::default() }).totals.ternary_tensors, 1);
}

/// A model of two layers under Hugging Face's names.
fn pieces(layer: u64) -> Safe {
    Safe::default()
        .normal(&format!("model.layers.{layer}.mlp.up_proj.weight"), &[6, 256], 10 + layer)
        .normal(&format!("model.layers.{layer}.mlp.experts.0.w1.weight"), &[2, 512], 20 + layer)
        .normal(&format!("model.layers.{layer}.input_layernorm.weight"), &[256], 30 + layer)
}

fn index(files: &[(&Safe, &str)]) -> String {
    let map: serde_json::Map<String, serde_json::Value> =
        files.iter().flat_map(|(safe, file)| safe.pieces.iter().map(|p| (p.name.clone(), (*file).into()))).collect();
    serde_json::json!({ "metadata": { "total_size": 1 }, "weight_map": map }).to_string()
}

/// Two shards in a folder, with or without an index.
fn sharded(folder: &Path, with_index: bool) -> [String; 2] {
    let names = [1, 2].map(|i| format!("model-0000{i}-of-00002.safetensors"));
    let (first, second) = (pieces(0), pieces(1));
    first.write(folder, &names[0]);
    second.write(folder, &names[1]);
    if with_index {
        let text = index(&[(&first, &names[0]), (&second, &names[1])]);
        std::fs::write(folder.join("model.safetensors.index.json"), text).unwrap();
    }
    names
}

#[test]
fn shards_are_one_model_with_and_without_an_index() {
    for with_index in [true, false] {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("models--a--b/snapshots/abc");
        std::fs::create_dir_all(&folder).unwrap();
        let names = sharded(&folder, with_index);
        let mut places =
            vec![folder.join(&names[0]), folder.join(&names[1]), folder.clone(), cache.path().join("models--a--b")];
        places.extend([folder.join("model-*.safetensors"), cache.path().join("models--*")]);
        if with_index {
            places.push(folder.join("model.safetensors.index.json"));
        }
        for place in places {
            let model = open(&place).unwrap_or_else(|e| panic!("{}: {e}", place.display()));
            assert_eq!(complaints(&model), [""; 0], "{}", place.display());
            assert_eq!((model.tensors.len(), model.container_words().as_str()), (6, "safetensors, 2 shards"));
            assert_eq!(model.tensors[5].file, 1);
            assert_same(&weights(&model, "model.layers.1.mlp.up_proj.weight"), &normals(1536, 11), "weights");
            let role = |name: &str| tensor(&model, name).role;
            assert!(role("model.layers.0.mlp.experts.0.w1.weight").is_routed_expert());
            assert_eq!(role("model.layers.0.input_layernorm.weight"), Role::Norm);
        }
    }
}

#[test]
fn shards_and_tensors_that_are_missing_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let names = sharded(folder.path(), true);
    std::fs::remove_file(folder.path().join(&names[1])).unwrap();
    let model = open(folder.path()).unwrap();
    assert!(messages(&model, "missing-shard").concat().contains(&names[1]), "{:?}", model.diagnostics);
    assert!(model.require_sound().is_err() && model.tensors.len() == 3);
    // The shard is there and lacks a tensor of the index; another tensor is in both.
    let mut second = pieces(1);
    let gone = second.pieces.remove(1).name;
    second = second.normal("model.layers.0.mlp.up_proj.weight", &[6, 256], 1);
    second.write(folder.path(), &names[1]);
    let model = open(folder.path()).unwrap();
    let absent = model.diagnostics.iter().find(|d| d.code == "missing-tensor").unwrap();
    assert_eq!((absent.severity, absent.tensor.as_deref()), (Severity::Error, Some(gone.as_str())));
    let twice = model.diagnostics.iter().find(|d| d.code == "duplicate-name").unwrap();
    assert_eq!(twice.tensor.as_deref(), Some("model.layers.0.mlp.up_proj.weight"));
    // No shard at all.
    for name in &names {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let error = open(folder.path()).unwrap_err();
    assert!(error.to_string().contains(&names[0]), "{error}");
}

#[test]
fn an_index_leads_nowhere_but_to_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    pieces(0).write(folder.path(), "x.safetensors");
    let text = |file: &str| serde_json::json!({ "weight_map": { "a": file } }).to_string();
    let absolute = folder.path().join("x.safetensors").to_string_lossy().into_owned();
    for (content, named) in [
        (text("../x.safetensors"), "../x.safetensors"),
        (text("./../x.safetensors"), "x.safetensors"),
        (text(&absolute), "x.safetensors"),
        (text(".."), ".."),
        (text(""), "''"),
        (text("sub/x.safetensors"), "sub/x.safetensors"),
        (r#"{"weight_map":{"a":7}}"#.to_owned(), "'a'"),
        (r#"{"weight_map":[]}"#.to_owned(), "weight_map"),
        (r#"{"metadata":{}}"#.to_owned(), "weight_map"),
        ("[1,2".to_owned(), "JSON"),
        (String::new(), "JSON"),
        ("[".repeat(100_000), "JSON"),
    ] {
        let path = inside.join("model.safetensors.index.json");
        std::fs::write(&path, &content).unwrap();
        for place in [&path, &inside] {
            let error = open(place).unwrap_err();
            let shown: String = content.chars().take(60).collect();
            assert_eq!(error.exit_code(), 3, "{shown}: {error}");
            assert!(error.to_string().contains(named) && error.to_string().contains("index.json"), "{shown}: {error}");
        }
    }
    // An empty map names no file.
    std::fs::write(inside.join("model.safetensors.index.json"), text("gone.safetensors")).unwrap();
    assert!(open(&inside).unwrap_err().to_string().contains("gone.safetensors"));
    std::fs::write(inside.join("model.safetensors.index.json"), r#"{"weight_map":{}}"#).unwrap();
    assert!(matches!(open(&inside), Err(Error::Usage(_) | Error::Content { .. })));
}

#[test]
fn lengths_that_the_file_does_not_back_are_refused() {
    let sound = pieces(0);
    for len in [0, 1, u64::MAX, 1 << 63, 1 << 40, 100_000_001, sound.bytes().len() as u64] {
        let text = refused(&Safe { header_len: Some(len), ..sound.clone() }.bytes());
        assert!(text.contains(&len.to_string()) || text.contains("not valid"), "{len}: {text}");
    }
    let bytes = sound.bytes();
    let header = 8 + sound.header().len();
    for end in 0..header {
        refused(&bytes[..end]);
    }
    // Data that is cut short is shown, and not read.
    for end in [header, header + 1, bytes.len() - 1] {
        let model = open_bytes(&bytes[..end]).unwrap();
        assert!(complaints(&model).contains(&"truncated") && model.require_sound().is_err());
        assert!(model.tensors.iter().any(|t| t.decoder().is_none()), "{end}");
        look_around(&model);
    }
    let model = open_bytes(&[bytes, vec![0; 9]].concat()).unwrap();
    assert_eq!(complaints(&model), ["trailing"]);
}

#[test]
fn broken_headers_are_refused_with_what_is_wrong() {
    let one = |change: fn(&mut support::safetensors::Piece)| pieces(0).last(change).bytes();
    for (what, bytes) in [
        ("out of order", one(|p| p.offsets = Some([9000, 8000]))),
        ("a gap", one(|p| p.offsets = Some([20000, 21024]))),
        ("an overlap", one(|p| p.offsets = Some([0, 1024]))),
        ("another size", one(|p| p.shape = vec![255])),
        ("another type", one(|p| p.dtype = "F16".into())),
        ("no such type", one(|p| p.dtype = "Q8_0".into())),
        ("more than 64 bits", one(|p| p.shape = vec![1 << 40, 1 << 40])),
        ("bits that fill no byte", one(|p| (p.dtype, p.shape) = ("F4".into(), vec![1]))),
    ] {
        let text = refused(&bytes);
        assert!(text.contains("safetensors header is not valid"), "{what}: {text}");
    }
    for (what, header) in [
        ("no object", "[]".to_owned()),
        ("no JSON", "{\"a\"".to_owned()),
        ("something behind it", "{}x".to_owned()),
        ("depth", format!("{{\"a\":{}", "[".repeat(100_000))),
        ("negative offsets", r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}}"#.to_owned()),
        ("fractions", r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4.5]}}"#.to_owned()),
        ("negative shapes", r#"{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}"#.to_owned()),
        ("three offsets", r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,8]}}"#.to_owned()),
        ("no shape", r#"{"a":{"dtype":"U8","data_offsets":[0,4]}}"#.to_owned()),
        ("metadata of numbers", r#"{"__metadata__":{"a":1}}"#.to_owned()),
        ("control characters", "{\"\u{1b}[2J\":{\"dtype\":\"U8\"}}".to_owned()),
    ] {
        let text = refused(&with_header(&header, None, &[0; 16]));
        assert!(text.contains("header"), "{what}: {text}");
    }
    // Invalid UTF-8.
    let mut bytes = with_header(r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, None, &[0; 4]);
    bytes[10] = 0xff;
    refused(&bytes);
}

#[test]
fn sizes_near_the_end_of_64_bits_are_no_way_to_overflow() {
    // Each is possible for itself; together they end where no offset can.
    let most = (1u64 << 61) - 1;
    let entry = |i: u64| {
        format!("\"t{i}\":{{\"dtype\":\"U8\",\"shape\":[{most}],\"data_offsets\":[{},{}]}}", i * most, (i + 1) * most)
    };
    for n in [1, 2, 8] {
        let entries: Vec<String> = (0..n).map(entry).collect();
        if let Ok(model) = open_bytes(&with_header(&format!("{{{}}}", entries.join(",")), None, &[0; 64])) {
            assert!(complaints(&model).contains(&"truncated"));
            look_around(&model);
        }
    }
    // No elements, and dimensions whose product is none.
    for shape in
        ["[0,4294967296,4294967296,4294967296]", "[4294967296,0,4294967296,4294967296]", "[18446744073709551615,0]"]
    {
        let header = format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,0]}}}}");
        if let Ok(model) = open_bytes(&with_header(&header, None, &[])) {
            look_around(&model);
        }
    }
}

#[test]
fn a_name_that_stands_twice_is_told() {
    let twice = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]}}"#;
    match open_bytes(&with_header(twice, None, &[0; 4])) {
        Ok(model) => assert!(model.require_sound().is_err(), "{:?}", model.diagnostics),
        Err(error) => assert!(error.exit_code() == 3 && error.to_string().contains('a'), "{error}"),
    }
}

/// Everything a face does with a model before an export.
fn look_around(model: &Model) {
    let tree = Tree::build(&model.tensors);
    tree.roots.iter().for_each(|root| {
        tree.tensors_below(*root);
    });
    for tensor in &model.tensors {
        let _ = (tensor.rows(), tensor.slices(), tensor.rank(), tensor.bpw(), tensor.undecodable_reason());
    }
    let _ = (model.parameters(), model.tensor_bytes(), model.title(), model.file_bytes());
    for diagnostic in &model.diagnostics {
        assert!(!diagnostic.to_string().contains(char::is_control), "{diagnostic:?}");
    }
    let plan = resolve(model, &Recipe { layers: Mask::All, ..Recipe::default() });
    for (i, decision) in plan.decisions.iter().enumerate().filter(|(_, d)| d.is_ternary()) {
        let _ = decision.reason_text();
        let depth = Depth::Sample { blocks: 4, seed: 1 };
        let _ = measure(model, i, Format::Q2_0, &Method::COMPARED, depth, &Cancel::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_damage_never_panics(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
                                  in_header in any::<bool>()) {
        let safe = pieces(0);
        let mut bytes = safe.bytes();
        let reach = if in_header { 8 + safe.header().len() } else { bytes.len() };
        for (index, byte) in flips {
            bytes[index.index(reach)] = byte;
        }
        match open_bytes(&bytes) {
            Ok(model) => look_around(&model),
            Err(error) => prop_assert_eq!(error.exit_code(), 3, "{}", error),
        }
    }
}

#[test]
fn weights_are_measured_as_those_of_a_gguf_are() {
    let model = open_bytes(&pieces(0).bytes()).unwrap();
    let gguf = support::Tiny::default()
        .tensor("blk.0.ffn_up.weight", &[256, 6], DType::F32, f32_bytes(&normals(1536, 10)))
        .open()
        .unwrap();
    let report = |model: &Model, name: &str| {
        let index = model.find(name).unwrap();
        measure(model, index, Format::Tq2_0, &Method::COMPARED, Depth::Exact, &Cancel::new()).unwrap()
    };
    let (a, b) = (report(&model, "model.layers.0.mlp.up_proj.weight"), report(&gguf, "blk.0.ffn_up.weight"));
    for (a, b) in a.methods.iter().zip(&b.methods) {
        assert_eq!(a.stats, b.stats);
    }
}

#[test]
fn the_command_line_inspects_and_plans() {
    let folder = tempfile::tempdir().unwrap();
    sharded(folder.path(), true);
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
        let output = command.args(args).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&["inspect", "."]);
    assert!(code == Some(0) && text.contains("safetensors, 2 shards") && text.contains("up_proj"), "{text}");
    for place in [".", "model-00002-of-00002.safetensors", "model.safetensors.index.json"] {
        let (code, text) = run(&["plan", place, "--layers", "all", "--exact"]);
        assert!(code == Some(0) && text.contains("4 of 6 tensors"), "{place}: {text}");
    }
    let bad = with_header("{\"a\"", None, &[]);
    std::fs::write(folder.path().join("bad.safetensors"), bad).unwrap();
    for command in ["inspect", "plan"] {
        let (code, text) = run(&[command, "bad.safetensors"]);
        assert!(code == Some(3) && text.contains("bad.safetensors"), "{text}");
    }
}
