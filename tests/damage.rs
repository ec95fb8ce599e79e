//! Random damage to files of every dialect and container: nothing panics, nothing is believed, whatever is written is whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use proptest::prelude::*;
use support::reading::files;
use support::writers::{Coded, Dice, bitnet_cpp, prism_ml, ruvllm};
use support::{Kv, Tiny};
use tritscope::engine::codec::DType;
use tritscope::engine::error::Error;
use tritscope::engine::export::{ExportOptions, Verify, export};
use tritscope::engine::format::source::AlignedBuf;
use tritscope::engine::lint::{self, lint};
use tritscope::engine::model::codes::CodeRun;
use tritscope::engine::model::tree::Tree;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::{Mask, Plan, Recipe, repack, resolve};
use tritscope::engine::preview::{Depth, measure};
use tritscope::engine::progress::{Cancel, Silent};
use tritscope::engine::ternary::{Format, Method};

/// Files as other programs write them.
fn sources() -> Vec<Tiny> {
    let tiled = Tiny::default()
        .architecture("bitnet-b1.58")
        .numbered("blk.0.ffn_up.weight", &[256, 12], 38, Dice::new(1).bytes(901))
        .numbered("blk.0.ffn_down.weight", &[256, 9], 39, Dice::new(2).bytes(713))
        .numbered("blk.0.attn_q.weight", &[256, 4], 40, Dice::new(3).bytes(1024 / 64 * 36))
        .numbered("blk.0.attn_k.weight", &[256, 4], 41, Dice::new(4).bytes(1024 / 128 * 18))
        .numbered("blk.0.attn_v.weight", &[256, 4], 999, Dice::new(5).bytes(77))
        .normal("output_norm.weight", &[256], 3);
    let mut every = Tiny::default();
    for (i, dtype) in [DType::TQ2_0, DType::TQ1_0, DType::Q2_0, DType::T158, DType::I2_S].into_iter().enumerate() {
        every = every.coded(&format!("blk.{i}.ffn_up.weight"), dtype, &Coded::random(dtype, 256, 6, i as u64));
    }
    vec![
        bitnet_cpp(DType::I2_S, 1).0,
        bitnet_cpp(DType::I2_S_ROWS, 1).0,
        prism_ml(DType::Q2_0_G128, 1).0,
        prism_ml(DType::PQ2_0, 1).0,
        ruvllm().0,
        tiled,
        every,
    ]
}

/// A model in two shards.
fn shards() -> [Tiny; 2] {
    let split = |tiny: Tiny, no: u16| {
        let short = |n: u16| Kv::Raw(2, n.to_le_bytes().to_vec());
        tiny.kv("split.no", short(no)).kv("split.count", short(2)).kv("split.tensors.count", Kv::I32(4))
    };
    let (first, second) = (bitnet_cpp(DType::I2_S, 1).0, prism_ml(DType::Q2_0_G128, 1).0);
    let (mut a, mut b) = (split(first, 0), split(Tiny { kvs: Vec::new(), ..second }, 1));
    a.tensors.truncate(3);
    b.tensors.drain(..3);
    [a, b]
}

/// Everything a face does with a model, and what an export makes of it.
fn look_around(model: &Model, folder: &Path) {
    let tree = Tree::build(&model.tensors);
    tree.roots.iter().for_each(|root| {
        tree.tensors_below(*root);
    });
    let (mut run, mut buffer) = (CodeRun::default(), AlignedBuf::new());
    for tensor in &model.tensors {
        let _ = (tensor.rows(), tensor.slices(), tensor.matrices(), tensor.rank(), tensor.bpw());
        let _ = (tensor.undecodable_reason(), tensor.bound_reason());
        if tensor.elements() <= 1 << 20 {
            let _ = model.read_codes(tensor, (0, tensor.elements()), &mut run, &mut buffer);
            let mut out = vec![0.0; tensor.elements() as usize];
            let _ = model.read_f32(tensor, 0, &mut out, &mut buffer);
        }
    }
    let checked = lint(model, lint::Depth::Data, &Silent, &Cancel::new()).unwrap_or_default();
    for diagnostic in model.diagnostics.iter().chain(&checked) {
        assert!(!diagnostic.to_string().contains(char::is_control), "{diagnostic:?}");
    }
    for format in [Format::Q2_0, Format::I2S, Format::T158] {
        let recipe = Recipe { format, layers: Mask::All, ..Recipe::default() };
        for plan in [resolve(model, &recipe), repack(model, format, &recipe, true, &[])] {
            for (i, decision) in plan.decisions.iter().enumerate() {
                let _ = (decision.reason_text(), decision.rule_text(&recipe));
                if decision.is_ternary() {
                    let depth = Depth::Sample { blocks: 4, seed: 1 };
                    let _ = measure(model, i, format, &[Method::Exact, Method::Lossless], depth, &Cancel::new());
                }
            }
            write(model, &plan, &recipe, folder);
        }
    }
}

/// An output is there, whole and sound, or not at all.
fn write(model: &Model, plan: &Plan, recipe: &Recipe, folder: &Path) {
    let out = folder.join("out.gguf");
    let options = ExportOptions { sync: false, verify: Verify::Full, ..ExportOptions::new(&out) };
    match export(model, plan, recipe, &options, &Silent, &Cancel::new()) {
        Ok(_) => {
            let written = Model::open(&out, &OpenOptions::default()).unwrap();
            written.require_sound().unwrap();
            std::fs::remove_file(&out).unwrap();
        }
        Err(error) => {
            assert!(!matches!(error, Error::Check(_)), "{error}");
            assert!(!files(folder).iter().any(|f| f.starts_with("out")), "{error}");
        }
    }
}

/// Opens a file or folder both ways, which must end alike.
fn open(path: &Path) -> Option<Model> {
    let [mapped, read] = [true, false].map(|mmap| Model::open(path, &OpenOptions { mmap, ..OpenOptions::default() }));
    match (mapped, read) {
        (Ok(a), Ok(b)) => {
            assert_eq!(
                format!("{:?}{:?}{:?}", a.tensors, a.diagnostics, a.dialects),
                format!("{:?}{:?}{:?}", b.tensors, b.diagnostics, b.dialects)
            );
            Some(a)
        }
        (Err(a), Err(b)) => {
            assert_eq!((a.to_string(), a.exit_code()), (b.to_string(), 3));
            assert!(!a.to_string().contains(char::is_control), "{a:?}");
            None
        }
        (a, b) => panic!("mapped: {a:?}; read: {b:?}"),
    }
}

/// Puts some bytes in the place of others; half of the time in the header.
fn damaged(tiny: &Tiny, flips: &[(prop::sample::Index, u8)], in_header: bool) -> Vec<u8> {
    let (mut bytes, marks) = tiny.build();
    let header = marks.iter().find(|(_, what)| what == "padding").unwrap().0;
    let reach = if in_header { header } else { bytes.len() };
    for (index, byte) in flips {
        bytes[index.index(reach)] = *byte;
    }
    bytes
}

#[test]
fn undamaged_they_are_what_they_are() {
    for (i, tiny) in sources().into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let model = open(&tiny.write(folder.path())).unwrap();
        look_around(&model, folder.path());
        assert_eq!(model.require_sound().is_ok(), i != 5, "{i}: {:?}", model.diagnostics);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_dialect_panics_when_damaged(
        which in 0..7usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_header in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, damaged(&sources()[which], &flips, in_header)).unwrap();
        if let Some(model) = open(&path) {
            look_around(&model, folder.path());
        }
    }

    #[test]
    fn no_shard_panics_when_damaged(
        which in 0..2usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_header in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (i, shard) in shards().iter().enumerate() {
            let bytes = if i == which { damaged(shard, &flips, in_header) } else { shard.bytes() };
            std::fs::write(folder.path().join(format!("m-0000{}-of-00002.gguf", i + 1)), bytes).unwrap();
        }
        if let Some(model) = open(&folder.path().join("m-00001-of-00002.gguf")) {
            look_around(&model, folder.path());
        }
    }
}

#[test]
fn a_tensor_without_elements_takes_no_bytes_along() {
    // Its place is a gap like any other.
    let coded = Coded::random(DType::T158, 256, 6, 1);
    let tiny = Tiny::default()
        .coded("blk.0.ffn_up.weight", DType::T158, &coded)
        .coded("blk.1.ffn_up.weight", DType::T158, &coded)
        .last(|t| t.dims = vec![256, 0])
        .normal("blk.2.ffn_up.weight", &[256, 4], 1);
    let model = tiny.open().unwrap();
    assert_eq!((model.tensors[1].bytes, model.tensors[1].layout_fits), (0, true));
    let written = support::reading::repacked(&model, Format::Tq2_0, false).unwrap();
    assert_eq!((written.model.tensors[1].bytes, written.model.tensors[1].dims.as_slice()), (0, [256, 0].as_slice()));
}
