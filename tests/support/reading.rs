//! What a model says when it is read through the program: weights, codes, evidence; and exports into a folder.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tritscope::engine::codec::DType;
use tritscope::engine::error::{Result, Severity};
use tritscope::engine::export::{ExportOptions, ExportSummary, Verify, export};
use tritscope::engine::format::source::AlignedBuf;
use tritscope::engine::model::codes::CodeRun;
use tritscope::engine::model::{Model, OpenOptions, Tensor};
use tritscope::engine::plan::{Fallback, Mask, Plan, Recipe, repack, resolve};
use tritscope::engine::progress::{Cancel, Silent};
use tritscope::engine::ternary::{Format, Method};

/// The tensor with this name.
pub fn tensor<'a>(model: &'a Model, name: &str) -> &'a Tensor {
    &model.tensors[model.find(name).expect(name)]
}

/// All weights of a tensor.
pub fn weights(model: &Model, name: &str) -> Vec<f32> {
    let tensor = tensor(model, name);
    let mut out = vec![f32::NAN; tensor.elements() as usize];
    model.read_f32(tensor, 0, &mut out, &mut AlignedBuf::new()).expect(name);
    out
}

/// Codes and scales of a tensor.
pub fn codes(model: &Model, name: &str) -> CodeRun {
    let tensor = tensor(model, name);
    let mut run = CodeRun::default();
    model.read_codes(tensor, (0, tensor.elements()), &mut run, &mut AlignedBuf::new()).expect(name);
    run
}

/// All bytes of a tensor.
pub fn raw(model: &Model, name: &str) -> Vec<u8> {
    let tensor = tensor(model, name);
    model.read_raw(tensor, 0, tensor.bytes as usize, &mut AlignedBuf::new()).expect(name).to_vec()
}

/// Asserts that two lists are equal, and shows where they begin to differ rather than all of them.
#[track_caller]
pub fn assert_same<T: PartialEq + std::fmt::Debug>(found: &[T], meant: &[T], what: &str) {
    assert_eq!(found.len(), meant.len(), "{what}: lengths");
    if let Some(i) = found.iter().zip(meant).position(|(a, b)| a != b) {
        assert_eq!(found[i], meant[i], "{what}: element {i}");
    }
}

/// Bits of floats, so that −0 and 0 differ.
pub fn bits(weights: &[f32]) -> Vec<u32> {
    weights.iter().map(|w| w.to_bits()).collect()
}

/// Messages of the diagnostics with this code.
pub fn messages(model: &Model, code: &str) -> Vec<String> {
    model.diagnostics.iter().filter(|d| d.code == code).map(|d| d.message.clone()).collect()
}

/// Codes of the diagnostics that are not mere notes.
pub fn complaints(model: &Model) -> Vec<&'static str> {
    model.diagnostics.iter().filter(|d| d.severity > Severity::Note).map(|d| d.code).collect()
}

/// Opens a path as a user would.
pub fn open(path: &Path) -> Result<Model> {
    Model::open(path, &OpenOptions::default())
}

/// Every layer ternary in this format by this method; rows that do not divide stay.
pub fn recipe(format: Format, method: Method) -> Recipe {
    Recipe { format, method, layers: Mask::All, fallback: Fallback::None, ..Recipe::default() }
}

/// Names of the files in a folder, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder that can be read");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A finished output, opened.
pub struct Written {
    pub folder: TempDir,
    pub path: PathBuf,
    pub model: Model,
    pub summary: ExportSummary,
}

/// Carries a plan out, checks everything that can be checked, and opens the result.
pub fn carry_out(
    model: &Model,
    plan: &Plan,
    recipe: &Recipe,
    change: impl FnOnce(&mut ExportOptions),
) -> Result<Written> {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let out = folder.path().join("out.gguf");
    let mut options = ExportOptions { verify: Verify::Full, sync: false, ..ExportOptions::new(out) };
    change(&mut options);
    let summary = export(model, plan, recipe, &options, &Silent, &Cancel::new());
    if summary.is_err() {
        assert_eq!(files(folder.path()), [""; 0], "a failed export left something behind");
    }
    let summary = summary?;
    let path = summary.out.clone();
    // Nothing in a file says which packing it has: who wrote the rarer one says so.
    let arm = plan.decisions.iter().map(|d| d.new_type).find(|t| *t == DType::I2_S_ARM);
    let written = Model::open(&path, &OpenOptions { dialects: arm.into_iter().collect(), ..OpenOptions::default() })?;
    written.require_sound()?;
    Ok(Written { folder, path, model: written, summary })
}

/// Quantizes by a recipe.
pub fn quantized(model: &Model, recipe: &Recipe) -> Result<Written> {
    carry_out(model, &resolve(model, recipe), recipe, |_| {})
}

/// Repacks.
pub fn repacked(model: &Model, to: Format, partial: bool) -> Result<Written> {
    let recipe = Recipe { format: to, ..Recipe::default() };
    carry_out(model, &repack(model, to, &recipe, partial, &[]), &recipe, |_| {})
}
