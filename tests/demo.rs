//! The demo model as the program sees it: sound, with roles, and with the textures it was made to show.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

use tritscope::engine::demo;
use tritscope::engine::error::Error;
use tritscope::engine::format::source::AlignedBuf;
use tritscope::engine::model::{Model, OpenOptions, Role};

fn weights(model: &Model, name: &str) -> Vec<f32> {
    let tensor = &model.tensors[model.find(name).unwrap()];
    let mut out = vec![0.0; tensor.elements() as usize];
    model.read_f32(tensor, 0, &mut out, &mut AlignedBuf::new()).unwrap();
    out
}

/// Fourth moment over the squared second: 3 for normal weights.
fn kurtosis(weights: &[f32]) -> f64 {
    let moment = |p| weights.iter().map(|w| f64::from(*w).powi(p)).sum::<f64>() / weights.len() as f64;
    moment(4) / moment(2).powi(2)
}

#[test]
fn the_demo_model_is_sound_and_shows_what_it_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.gguf");
    demo::write(&path).unwrap();
    let model = Model::open(&path, &OpenOptions::default()).unwrap();
    assert!(model.diagnostics.is_empty(), "{:?}", model.diagnostics);
    model.require_sound().unwrap();
    assert!(model.has_routed_experts());
    assert_eq!(model.title(), "tritscope demo");
    assert_eq!(model.hyperparameter("expert_count").unwrap().as_u64(), Some(8));
    let role = |name: &str| model.tensors[model.find(name).unwrap()].role;
    assert_eq!(role("blk.1.ffn_gate_inp.weight"), Role::Router);
    assert_eq!(role("blk.2.ffn_down_exps.weight"), Role::ExpertDown);
    assert!(model.tensors.iter().all(|t| t.row_len().is_multiple_of(256) && t.layout_fits));

    assert!(kurtosis(&weights(&model, "blk.0.ffn_up_exps.weight")) < 4.0);
    assert!(kurtosis(&weights(&model, "blk.1.ffn_down_exps.weight")) > 15.0);
    assert!(kurtosis(&weights(&model, "blk.1.attn_v.weight")) > 15.0);
    let loud = weights(&model, "blk.1.ffn_up_exps.weight");
    let energy: Vec<f64> = loud.chunks(loud.len() / 8).map(|e| e.iter().map(|w| f64::from(*w).powi(2)).sum()).collect();
    assert!(energy[5] > 12.0 * energy[4] && energy[5] < 20.0 * energy[4], "{energy:?}");
    for block in weights(&model, "blk.2.ffn_gate_exps.weight").chunks(256) {
        let s = block.iter().fold(0f32, |s, w| s.max(w.abs()));
        assert!(s > 0.0 && block.iter().all(|w| *w == 0.0 || w.abs() == s));
    }
}

#[test]
fn an_existing_file_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.gguf");
    std::fs::write(&path, "mine").unwrap();
    let refused = demo::write(&path).unwrap_err();
    assert!(matches!(refused, Error::Usage(_)) && refused.exit_code() == 2);
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_large_model_has_the_tensors_asked_for_and_is_mostly_hole() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.gguf");
    demo::write_large(&path, 1_000).unwrap();
    let model = Model::open(&path, &OpenOptions::default()).unwrap();
    assert_eq!(model.tensors.len(), 1_000);
    assert!(model.diagnostics.is_empty(), "{:?}", model.diagnostics);
    assert!(
        tritscope::engine::lint::structural(&model).is_empty(),
        "{:?}",
        tritscope::engine::lint::structural(&model)
    );
    assert!(model.has_routed_experts());
    let found = std::fs::metadata(&path).unwrap();
    assert!(found.blocks() * 512 < found.len() / 2, "{} of {} bytes are there", found.blocks() * 512, found.len());
    assert!(kurtosis(&weights(&model, "blk.1.ffn_gate.0.weight")) > 15.0);
    assert!(weights(&model, "blk.1.ffn_gate.1.weight").iter().all(|w| *w == 0.0));
    assert!(matches!(demo::write_large(&folder.path().join("none.gguf"), 3), Err(Error::Usage(_))));

    let again = folder.path().join("again.gguf");
    demo::write_large(&again, 1_000).unwrap();
    assert!(std::fs::read(&path).unwrap() == std::fs::read(&again).unwrap(), "the same bytes every time");
}
