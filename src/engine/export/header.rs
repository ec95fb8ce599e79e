//! The output's metadata and layout: what is carried over, what is put right, what is added, and which tensors go to
//! which file.
//!
//! Entries are carried over byte for byte in the source's order. `general.file_type` and
//! `general.quantization_version` are put right in place; what a format's runtime asks for and provenance are appended.

use std::path::PathBuf;

use super::{ExportOptions, fingerprint};
use crate::engine::codec::DType;
use crate::engine::codec::dialect::PACKING_KEY;
use crate::engine::error::{Error, Result};
use crate::engine::format::gguf::write::entry;
use crate::engine::format::gguf::{Header, HeaderTensor, Value, ValueType};
use crate::engine::format::locate::shard_path;
use crate::engine::model::Model;
use crate::engine::model::metadata::Entry;
use crate::engine::plan::{Plan, Recipe};

/// `general.quantization_version` of every file with quantized tensors (ggml's `GGML_QNT_VERSION`).
const QUANTIZATION_VERSION: u32 = 2;
/// Keys that are ours.
const OWN_PREFIX: &str = "tritscope.";
/// Keys of ruvllm that tell how its ternary tensors are coded.
const RUVLLM_PREFIX: &str = "craftsman.bitnet.";

/// One file of the output.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Where it goes.
    pub path: PathBuf,
    /// Its layout.
    pub header: Header,
    /// Indices of its tensors in the model.
    pub tensors: Vec<usize>,
}

/// Lays the output out. Errors: a type that a GGUF cannot hold, a layout that overflows, a name that shards cannot have.
pub(super) fn lay_out(model: &Model, plan: &Plan, recipe: &Recipe, options: &ExportOptions) -> Result<Vec<Piece>> {
    let kvs = metadata(model, plan, recipe, options)?;
    let groups = groups(model, options);
    let count = groups.len();
    let rows_first = writes_rows_first(model, plan);
    let pieces = groups.into_iter().enumerate().map(|(i, tensors)| {
        let mut entries = if i == 0 { kvs.clone() } else { Vec::new() };
        let mut path = options.out.clone();
        if count > 1 {
            path = shard_path(&options.out, i, count);
            entries.extend(split_entries(i, count, model.tensors.len()));
        }
        let infos = tensors
            .iter()
            .map(|t| header_tensor(model, plan, rows_first, *t))
            .collect::<Result<Vec<HeaderTensor>>>()?;
        // Alignment is written in the first shard only; the others have the default.
        let alignment = if i == 0 { model.alignment } else { crate::engine::format::gguf::DEFAULT_ALIGNMENT };
        let header = Header::lay_out(&entries, &infos, alignment)
            .ok_or_else(|| Error::content(&model.path, "the output's layout overflows 64 bits"))?;
        Ok(Piece { path, header, tensors })
    });
    pieces.collect()
}

fn header_tensor(model: &Model, plan: &Plan, rows_first: bool, index: usize) -> Result<HeaderTensor> {
    let (tensor, decision) = (&model.tensors[index], &plan.decisions[index]);
    let number = decision.new_type.number().ok_or_else(|| {
        let hint =
            if tensor.dtype.is_integer() { "integers are not converted" } else { "--keep-precision converts it" };
        let what = format!("{} is no type that a GGUF can hold; {hint}", decision.new_type);
        Error::tensor(&model.path, &tensor.name, what)
    })?;
    let mut dims = tensor.dims.to_vec();
    if rows_first {
        dims.reverse();
    }
    Ok(HeaderTensor { name: tensor.name.clone(), dims, number, bytes: decision.new_bytes })
}

/// ruvllm's files write dimensions rows first, and a file of its architecture with its ternary type is read so. A source
/// that has both and was read the other way (by `--dims`) keeps its order.
pub(super) fn writes_rows_first(model: &Model, plan: &Plan) -> bool {
    let otherwise = || !model.rows_first && model.tensors.iter().any(|t| t.dtype == DType::T158);
    is_ruvllm(model) && !otherwise() && plan.decisions.iter().any(|d| d.new_type == DType::T158)
}

fn is_ruvllm(model: &Model) -> bool {
    model.architecture.as_deref() == Some("craftsman")
}

/// Tensors of each file: all in one, or as the source's shards had them.
fn groups(model: &Model, options: &ExportOptions) -> Vec<Vec<usize>> {
    if !options.keep_split || model.files.len() < 2 {
        return vec![(0..model.tensors.len()).collect()];
    }
    let mut groups = vec![Vec::new(); model.files.len()];
    for (i, tensor) in model.tensors.iter().enumerate() {
        groups[tensor.file.min(model.files.len() - 1)].push(i);
    }
    groups
}

/// The keys by which llama.cpp finds a model's shards.
fn split_entries(i: usize, count: usize, tensors: usize) -> [Vec<u8>; 3] {
    let short = |n: usize| Value::Unsigned(n as u64, ValueType::U16);
    [
        entry("split.no", &short(i)),
        entry("split.count", &short(count)),
        entry("split.tensors.count", &Value::Signed(tensors as i64, ValueType::I32)),
    ]
}

fn metadata(model: &Model, plan: &Plan, recipe: &Recipe, options: &ExportOptions) -> Result<Vec<Vec<u8>>> {
    let mut pending: Vec<(String, Value)> = Vec::new();
    if let Some(file_type) = plan.file_type(model) {
        pending.push(("general.file_type".to_owned(), Value::u32(file_type)));
    }
    if plan.decisions.iter().any(|d| d.new_type.is_quantized()) {
        pending.push(("general.quantization_version".to_owned(), Value::u32(QUANTIZATION_VERSION)));
    }
    let t158 = plan.decisions.iter().any(|d| d.new_type == DType::T158);
    if t158 {
        pending.extend(ruvllm_entries(recipe));
    }
    if let Some(imatrix) = options.imatrix.as_deref().filter(|_| plan.totals.ternary_tensors > 0) {
        pending.extend(imatrix.provenance());
    }
    let mut kvs = Vec::with_capacity(model.metadata.len() + pending.len() + 3);
    for kv in model.metadata.entries() {
        if let Some(at) = pending.iter().position(|(key, _)| *key == kv.key) {
            let (key, value) = pending.remove(at);
            // ruvllm's own words about its own tensors stand.
            let keep = is_ruvllm(model) && key.starts_with(RUVLLM_PREFIX);
            kvs.push(if keep { model.metadata.raw(kv)? } else { entry(&key, &value) });
        } else if !is_dropped(kv, t158 || is_ruvllm(model)) {
            kvs.push(model.metadata.raw(kv)?);
        }
    }
    kvs.extend(pending.iter().map(|(key, value)| entry(key, value)));
    // Nothing else in a file tells the packings of I2_S apart: no provenance, but what the bytes mean.
    let packing = plan.decisions.iter().find(|d| d.new_type.number() == DType::I2_S.number());
    if let Some(decision) = packing.filter(|d| d.new_type.is_ternary()) {
        kvs.push(entry(PACKING_KEY, &Value::string(decision.new_type.to_string())));
    }
    if options.provenance {
        let own = [("version", env!("CARGO_PKG_VERSION").to_owned()), ("recipe", recipe.to_toml()?)];
        for (key, text) in own.into_iter().chain([("source", fingerprint(model)?)]) {
            kvs.push(entry(&format!("{OWN_PREFIX}{key}"), &Value::string(text)));
        }
    }
    Ok(kvs)
}

/// What ruvllm reads of a file with its ternary type.
fn ruvllm_entries(recipe: &Recipe) -> Vec<(String, Value)> {
    let key = |name: &str| format!("{RUVLLM_PREFIX}{name}");
    vec![
        (key("version"), Value::u32(1)),
        (key("weight_encoding"), Value::string("absmean_ternary")),
        (key("activation_bits"), Value::u32(8)),
        (key("router_precision"), Value::string(recipe.keep_precision.ruvllm_name())),
        (key("block_size"), Value::u32(256)),
    ]
}

/// What an earlier run said of itself is not true of this output; split keys are written anew where they mean something;
/// what ruvllm says of its coding stays in its own files and beside its type; a file type that does not hold any more is
/// left out.
fn is_dropped(kv: &Entry, ruvllm: bool) -> bool {
    kv.key.starts_with(OWN_PREFIX)
        || kv.key.starts_with("split.")
        || kv.key == "general.file_type"
        || !ruvllm && kv.key.starts_with(RUVLLM_PREFIX)
}
