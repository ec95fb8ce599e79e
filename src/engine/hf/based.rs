//! A safetensors model with the names and the metadata of a GGUF of the same architecture.
//!
//! Every tensor of the base needs a counterpart of its shape. Whether query and key rows have to be paired for llama.cpp's
//! rope is not taken from the table alone: both orders are compared with the base's values.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{Heads, dims, unused};
use super::view::{assembled, file_type, hf_tensors, refuse_missing, view};
use super::{HfTensor, Kind, TensorPlan, Transform, gguf_names};
use crate::engine::error::{Error, Result};
use crate::engine::format::gguf::Value;
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::assembly::{Assembly, Part};
use crate::engine::model::{Model, Tensor};

/// Rows of a tensor that are compared with the base's.
const ROWS: u64 = 32;
/// Below this correlation two tensors have nothing in common, and their comparison says nothing.
const UNRELATED: f64 = 0.1;

/// Elements of a tensor that is taken from the base: rope factors, one for each pair of a head.
const MAX_BORROWED: u64 = 1 << 16;

/// What stands for one tensor of the base.
#[derive(Clone, Copy)]
struct Place {
    /// Index of the Hugging Face tensor.
    part: usize,
    expert: Option<u32>,
    kind: Kind,
    f32_only: bool,
}

/// The model under the base's names and with its metadata. Errors: a base without an architecture that is known, tensors
/// without a counterpart or of another shape.
pub(super) fn as_gguf(model: &Model, base: &Model) -> Result<Model> {
    let architecture = base
        .architecture
        .clone()
        .ok_or_else(|| Error::content(&base.path, "no general.architecture: it cannot be a base"))?;
    let tensors = hf_tensors(model);
    let (mut notes, mut missing) = (Vec::new(), Vec::new());
    if let Some(tensor) = tensors.iter().find(|t| !["F32", "F16", "BF16"].contains(&t.dtype.as_str())) {
        missing.push(format!("{} is {}: only F32, F16 and BF16 weights are converted", tensor.name, tensor.dtype));
    }
    let places = places(&architecture, &tensors, base, (&mut notes, &mut missing));
    let heads = heads_of(base);
    let mut plans = Vec::new();
    let mut borrowed = Vec::new();
    for tensor in &base.tensors {
        let Some(found) = places.get(tensor.name.as_str()) else {
            if tensor.name.starts_with("rope_f") && tensor.dtype.is_float() && tensor.elements() <= MAX_BORROWED {
                borrowed.push(tensor);
            } else {
                missing.push(format!("{} has no counterpart", tensor.name));
            }
            continue;
        };
        match plan(tensor, found, &tensors, &heads) {
            Ok(plan) => plans.push(plan),
            Err(why) => missing.push(why),
        }
    }
    refuse_missing(model, &missing)?;
    check_pairs(model, base, &mut plans, &mut notes)?;
    let mut metadata = base.metadata.clone();
    metadata.retain(|key| {
        key != "general.file_type"
            && !["split.", "tritscope.", "quantize.", "craftsman."].iter().any(|own| key.starts_with(own))
    });
    if let Some(number) = file_type(model, &plans) {
        metadata.push("general.file_type", Value::u32(number));
    }
    let mut converted: Vec<Tensor> = Vec::with_capacity(base.tensors.len());
    for tensor in borrowed {
        notes.push(format!("{} is taken from the base: it follows from its metadata", tensor.name));
        converted.push(borrow(base, tensor)?);
    }
    converted.extend(plans.into_iter().map(|plan| assembled(model, plan)));
    let mut whole = view(model, metadata, converted, Some(architecture), &notes);
    whole.alignment = base.alignment;
    Ok(whole)
}

/// For each tensor of the base the Hugging Face tensors that the name table puts there.
fn places<'a>(
    architecture: &str,
    tensors: &[HfTensor],
    base: &'a Model,
    (notes, missing): (&mut Vec<String>, &mut Vec<String>),
) -> BTreeMap<&'a str, Vec<Place>> {
    let names: BTreeMap<&str, &'a str> = base.tensors.iter().map(|t| (t.name.as_str(), t.name.as_str())).collect();
    let mut places: BTreeMap<&'a str, Vec<Place>> = BTreeMap::new();
    let mut left = Vec::new();
    for (part, tensor) in tensors.iter().enumerate() {
        let mut placed = false;
        for mapped in gguf_names(architecture, &tensor.name) {
            if let Some(name) = names.get(mapped.name.as_str()) {
                let place = Place { part, expert: mapped.expert, kind: mapped.kind, f32_only: mapped.f32_only };
                places.entry(*name).or_default().push(place);
                placed = true;
            }
        }
        match (placed, unused(architecture, &tensor.name)) {
            (true, _) => {}
            (false, Some(_)) => left.push(tensor.name.as_str()),
            // A base without a head of its own ties it to the embeddings.
            (false, None) if tensor.name.ends_with("lm_head.weight") && !names.contains_key("output.weight") => {
                left.push(tensor.name.as_str());
            }
            (false, None) => missing.push(format!("{} has no place in the base", tensor.name)),
        }
    }
    // A head of its own in the base, tied to the embeddings here.
    if let (Some(name), Some(embedding)) = (names.get("output.weight"), places.get("token_embd.weight").cloned())
        && !places.contains_key(*name)
    {
        notes.push("output.weight is tied: the embeddings stand for it".to_owned());
        places.insert(*name, embedding);
    }
    if let Some(first) = left.first() {
        notes.push(format!("{} tensors have no place in the base and are left out, the first is {first}", left.len()));
    }
    places
}

fn heads_of(base: &Model) -> Heads {
    let number = |name: &str| base.hyperparameter(name).and_then(|v| v.as_u64()).unwrap_or(0);
    let heads = number("attention.head_count");
    let kv_heads = number("attention.head_count_kv");
    Heads {
        heads,
        kv_heads: if kv_heads == 0 { heads } else { kv_heads },
        nope: number("attention.key_length_mla").saturating_sub(number("rope.dimension_count")),
        value: number("attention.value_length_mla"),
    }
}

fn plan(tensor: &Tensor, found: &[Place], tensors: &[HfTensor], heads: &Heads) -> Result<TensorPlan, String> {
    let mut found = found.to_vec();
    found.sort_by_key(|p| p.expert);
    let experts = tensor.dims.get(2).copied();
    if found.first().is_some_and(|p| p.expert.is_some()) {
        let count = experts.unwrap_or(1);
        let complete = found.iter().enumerate().all(|(i, p)| p.expert == u32::try_from(i).ok());
        if !complete || found.len() as u64 != count {
            return Err(format!("{} has {count} experts, {} are there", tensor.name, found.len()));
        }
    } else if found.len() > 1 {
        return Err(format!("{} has {} counterparts", tensor.name, found.len()));
    }
    let [first, ..] = found[..] else { return Err(format!("{} has no counterpart", tensor.name)) };
    let shape = &tensors[first.part].shape;
    let alike = |p: &Place| tensors[p.part].shape == *shape && tensors[p.part].dtype == tensors[first.part].dtype;
    if !found.iter().all(alike) {
        return Err(format!("the experts of {} differ in shape or type", tensor.name));
    }
    let transform = first
        .kind
        .transform(shape, heads)
        .ok_or_else(|| format!("{}: shape {shape:?} does not divide into its heads", tensors[first.part].name))?;
    let count = first.expert.map(|_| found.len() as u64);
    let dims = dims(transform, shape, count)
        .ok_or_else(|| format!("{}: shape {shape:?} has no elements", tensors[first.part].name))?;
    if *dims != *tensor.dims {
        return Err(format!("{} has shape {:?} in the base, {dims:?} here", tensor.name, tensor.dims));
    }
    let parts = found.iter().map(|p| p.part).collect();
    Ok(TensorPlan { name: tensor.name.clone(), parts, dims, transform, f32_only: first.f32_only })
}

/// Compares the first query and the first key tensor with the base's in both row orders, and takes the one that agrees.
fn check_pairs(model: &Model, base: &Model, plans: &mut [TensorPlan], notes: &mut Vec<String>) -> Result<()> {
    for word in ["attn_q.", "attn_k."] {
        let permuted = |p: &&TensorPlan| {
            p.name.contains(word) && matches!(p.transform, Transform::PermuteHeads { .. }) && p.dims.len() > 1
        };
        let Some(plan) = plans.iter().find(permuted) else { continue };
        let Some(theirs) = base.find(&plan.name).map(|i| &base.tensors[i]).filter(|t| t.decoder().is_some()) else {
            continue;
        };
        let straight = TensorPlan { transform: Transform::Identity, ..plan.clone() };
        let paired = correlation(model, &assembled(model, plan.clone()), base, theirs)?;
        let plain = correlation(model, &assembled(model, straight), base, theirs)?;
        let figures =
            format!("correlation with {} of the base: {paired:.4} with rows paired, {plain:.4} as stored", plan.name);
        if paired.abs().max(plain.abs()) < UNRELATED {
            notes.push(format!("{figures}: other weights, so the order of rows is the architecture's, unchecked"));
        } else if paired >= plain {
            notes.push(format!("{figures}: paired"));
        } else {
            notes.push(format!("{figures}: kept as stored"));
            for plan in plans.iter_mut().filter(|p| p.name.contains(word)) {
                plan.transform = Transform::Identity;
            }
        }
    }
    Ok(())
}

/// Pearson correlation of some rows of two tensors of one shape.
fn correlation(a: &Model, mine: &Tensor, b: &Model, theirs: &Tensor) -> Result<f64> {
    let (row, rows) = (mine.row_len(), mine.rows());
    let mut buffer = AlignedBuf::new();
    let (mut x, mut y) = (vec![0.0f32; row as usize], vec![0.0f32; row as usize]);
    let (mut xx, mut yy, mut xy) = (0.0f64, 0.0f64, 0.0f64);
    for i in 0..rows.min(ROWS) {
        // Spread over the tensor, odd and even rows alike.
        let at = (i * rows / rows.min(ROWS) + i % 2).min(rows - 1);
        a.read_f32(mine, at * row, &mut x, &mut buffer)?;
        b.read_f32(theirs, at * row, &mut y, &mut buffer)?;
        for (x, y) in x.iter().zip(&y) {
            let (x, y) = (f64::from(*x), f64::from(*y));
            xx += x * x;
            yy += y * y;
            xy += x * y;
        }
    }
    let norm = (xx * yy).sqrt();
    Ok(if norm > 0.0 { xy / norm } else { 0.0 })
}

/// A small tensor of the base itself.
fn borrow(base: &Model, tensor: &Tensor) -> Result<Tensor> {
    let mut values = vec![0.0; tensor.elements() as usize];
    base.read_f32(tensor, 0, &mut values, &mut AlignedBuf::new())?;
    let assembly = Assembly::Values(values);
    let Part { file, offset } = assembly.first();
    let named = Tensor::named(tensor.name.clone(), tensor.dims.clone(), assembly.dtype());
    Ok(Tensor { file, offset, assembly: Some(Arc::new(assembly)), ..named })
}
