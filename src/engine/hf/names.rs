//! From a Hugging Face tensor name to its place in a GGUF, by the tables of [`super::slots`].

use super::slots::{self, Arch, Kind, Slot};
use super::transform::Transform;

/// What a Hugging Face tensor becomes in a GGUF of some architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Name in the GGUF.
    pub name: String,
    /// Which expert of that tensor it is, where experts are stored one by one.
    pub expert: Option<u32>,
    /// How its elements change.
    pub kind: Kind,
    /// Whether llama.cpp wants it in F32 ([`super::TensorPlan::f32_only`]).
    pub f32_only: bool,
}

/// What [`Kind::transform`] has to know of a model; numbers that it does not have are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heads {
    /// Attention heads.
    pub heads: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// DeepSeek-V2: elements of a key head without rotary embedding (`key_length_mla` − `rope.dimension_count`).
    pub nope: u64,
    /// DeepSeek-V2: elements of a value head (`value_length_mla`).
    pub value: u64,
}

impl Kind {
    /// The transform for a tensor of row-major shape `shape`; `None` where the shape does not divide as it should.
    pub fn transform(self, shape: &[u64], heads: &Heads) -> Option<Transform> {
        let rows = *shape.first()?;
        let permute = |heads: u64| {
            let fits = heads > 0 && shape.len() <= 2 && rows % heads.checked_mul(2)? == 0;
            fits.then_some(Transform::PermuteHeads { heads })
        };
        let group = heads.nope.checked_add(heads.value);
        let group = group.filter(|group| *group > 0 && shape.len() == 2 && rows % group == 0);
        let half = || shape.get(1).filter(|rows| shape.len() == 3 && **rows % 2 == 0).map(|rows| (*rows, rows / 2));
        match self {
            Self::Plain => Some(Transform::Identity),
            Self::AddOne => Some(Transform::AddOne),
            Self::Query => permute(heads.heads),
            Self::Key => permute(heads.kv_heads),
            Self::KeyUp => Some(Transform::TakeRowsTransposed { group: group?, from: 0, count: heads.nope }),
            Self::ValueUp => Some(Transform::TakeRows { group: group?, from: heads.nope, count: heads.value }),
            Self::GateHalf => half().map(|(group, count)| Transform::TakeRows { group, from: 0, count }),
            Self::UpHalf => half().map(|(group, count)| Transform::TakeRows { group, from: count, count }),
        }
    }
}

/// Shape in GGUF order of what `transform` makes of `experts` tensors (`None`: of one) of row-major shape `shape`.
/// `None` where it has no elements or more than 64 bits count.
pub(super) fn dims(transform: Transform, shape: &[u64], experts: Option<u64>) -> Option<Vec<u64>> {
    let (columns, outer) = shape.split_last()?;
    let rows = outer.iter().try_fold(1u64, |n, d| n.checked_mul(*d))?;
    rows.checked_mul(*columns)?;
    let dims: Vec<u64> = match transform {
        Transform::TakeRows { group, count, .. } => vec![*columns, count, rows.checked_div(group)?],
        Transform::TakeRowsTransposed { group, count, .. } => vec![count, *columns, rows.checked_div(group)?],
        _ => shape.iter().rev().copied().chain(experts).collect(),
    };
    let elements = dims.iter().try_fold(1u64, |n, d| n.checked_mul(*d))?;
    (elements > 0).then_some(dims)
}

/// The names that a Hugging Face tensor has in a GGUF of `architecture` (as `general.architecture` spells it): none
/// for a tensor without a place, two for one that is split, else one. Names alone are looked at, so layers that the
/// model does not have are named too.
pub fn gguf_names(architecture: &str, hf_name: &str) -> Vec<Mapped> {
    let Some(arch) = slots::arch(architecture) else { return Vec::new() };
    let Reading::Placed(places) = read(arch, hf_name) else { return Vec::new() };
    let mapped = |place: Place| Mapped {
        name: gguf_name(place.slot, place.layer),
        expert: place.expert,
        kind: place.kind,
        f32_only: f32_only(place.slot),
    };
    places.into_iter().map(mapped).collect()
}

/// What a tensor is that has no place in a GGUF on purpose; `None` for every other.
pub(super) fn unused(architecture: &str, hf_name: &str) -> Option<&'static str> {
    match read(slots::arch(architecture)?, hf_name) {
        Reading::Unused(what) => Some(what),
        Reading::Placed(_) | Reading::Unknown => None,
    }
}

/// The name in a GGUF.
pub(super) fn gguf_name(slot: &Slot, layer: Option<u32>) -> String {
    layer.map_or_else(|| slot.gguf.to_owned(), |layer| format!("blk.{layer}.{}", slot.gguf))
}

/// llama.cpp's operations take norms, biases and other vectors in F32 only, and its converter keeps some small
/// matrices in F32 beside them.
pub(super) fn f32_only(slot: &Slot) -> bool {
    slot.f32_only || slot.dims.len() == 1
}

/// A place for a tensor.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) slot: &'static Slot,
    pub(super) layer: Option<u32>,
    pub(super) expert: Option<u32>,
    pub(super) kind: Kind,
}

/// What a name says.
#[derive(Debug)]
pub(super) enum Reading {
    /// Where it goes; never empty.
    Placed(Vec<Place>),
    /// Left out on purpose: as what.
    Unused(&'static str),
    /// No tensor of this architecture.
    Unknown,
}

/// Reads a Hugging Face name.
pub(super) fn read(arch: &'static Arch, hf_name: &str) -> Reading {
    let name = normal(arch, hf_name);
    if let Some((_, what)) = arch.unused.iter().find(|(start, _)| name.starts_with(start)) {
        return Reading::Unused(what);
    }
    // Old checkpoints carry buffers that are computed anyway.
    if name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".masked_bias") {
        return Reading::Unused("buffers that the model computes");
    }
    let (layer, rest) = match name.strip_prefix(arch.layer_prefix) {
        Some(inside) => match number(inside) {
            Some((layer, rest)) => (Some(layer), rest),
            None => return Reading::Unknown,
        },
        None => (None, name.as_str()),
    };
    if rest.contains('*') {
        return Reading::Unknown;
    }
    let (expert, stem) = without_expert(rest);
    let places = places(arch, layer, expert, &stem);
    if places.is_empty() { Reading::Unknown } else { Reading::Placed(places) }
}

/// The layer that a name lies in, whether or not the rest of it is known.
pub(super) fn layer(arch: &Arch, hf_name: &str) -> Option<u32> {
    let name = normal(arch, hf_name);
    number(name.strip_prefix(arch.layer_prefix)?).map(|(layer, _)| layer)
}

fn places(arch: &'static Arch, layer: Option<u32>, expert: Option<u32>, stem: &str) -> Vec<Place> {
    let (inside, outside): (&[Slot], [&[Slot]; 2]) = match layer {
        Some(_) => (arch.layer, [&[], &[]]),
        None => (&[], [arch.first, arch.last]),
    };
    let slots = inside.iter().chain(outside.into_iter().flatten()).filter(|slot| slot.hf == stem);
    let mut places: Vec<Place> = slots.map(|slot| Place { slot, layer, expert, kind: slot.kind }).collect();
    for fused in arch.fused.iter().filter(|fused| fused.hf == stem) {
        let slots = inside.iter().filter(|slot| slot.gguf == fused.gguf);
        places.extend(slots.map(|slot| Place { slot, layer, expert: None, kind: fused.kind }));
    }
    places
}

/// The name as the tables have it: without the prefix that base models lack, without the wrapper of multimodal
/// models, with the present names of a LayerNorm's weights.
fn normal(arch: &Arch, hf_name: &str) -> String {
    let mut name = hf_name.replacen("language_model.", "", 1);
    if let Some(rest) = arch.prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest.to_owned();
    }
    if let Some(stem) = name.strip_suffix(".gamma") {
        name = format!("{stem}.weight");
    } else if let Some(stem) = name.strip_suffix(".beta") {
        name = format!("{stem}.bias");
    }
    name
}

/// Splits "12.rest" into number and rest. Only the usual spelling counts, so that two names never mean one tensor.
fn number(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_once('.')?;
    let usual = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    usual.then(|| digits.parse().ok()).flatten().map(|number| (number, rest))
}

/// The name with `*` for the expert's number, and that number.
fn without_expert(rest: &str) -> (Option<u32>, String) {
    let Some((before, behind)) = rest.split_once(".experts.") else { return (None, rest.to_owned()) };
    match number(behind) {
        Some((expert, behind)) => (Some(expert), format!("{before}.experts.*.{behind}")),
        None => (None, rest.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(architecture: &str, name: &str) -> (String, Option<u32>, Kind) {
        let mut mapped = gguf_names(architecture, name);
        assert_eq!(mapped.len(), 1, "{name}: {mapped:?}");
        let mapped = mapped.remove(0);
        (mapped.name, mapped.expert, mapped.kind)
    }

    #[test]
    fn names_of_each_family() {
        let cases = [
            ("llama", "model.embed_tokens.weight", "token_embd.weight", None, Kind::Plain),
            ("llama", "lm_head.weight", "output.weight", None, Kind::Plain),
            ("llama", "layers.3.self_attn.q_proj.weight", "blk.3.attn_q.weight", None, Kind::Query),
            ("llama", "model.layers.3.self_attn.k_proj.bias", "blk.3.attn_k.bias", None, Kind::Key),
            ("llama", "model.layers.10.post_attention_layernorm.weight", "blk.10.ffn_norm.weight", None, Kind::Plain),
            (
                "llama",
                "model.layers.0.block_sparse_moe.experts.7.w2.weight",
                "blk.0.ffn_down_exps.weight",
                Some(7),
                Kind::Plain,
            ),
            ("qwen2", "model.layers.0.self_attn.q_proj.bias", "blk.0.attn_q.bias", None, Kind::Plain),
            (
                "qwen3moe",
                "model.layers.1.mlp.experts.127.up_proj.weight",
                "blk.1.ffn_up_exps.weight",
                Some(127),
                Kind::Plain,
            ),
            (
                "qwen2moe",
                "model.layers.1.mlp.shared_expert_gate.weight",
                "blk.1.ffn_gate_inp_shexp.weight",
                None,
                Kind::Plain,
            ),
            (
                "gemma2",
                "model.layers.0.post_attention_layernorm.weight",
                "blk.0.post_attention_norm.weight",
                None,
                Kind::AddOne,
            ),
            ("gemma3", "language_model.model.norm.weight", "output_norm.weight", None, Kind::AddOne),
            ("gemma3", "model.language_model.layers.2.mlp.up_proj.weight", "blk.2.ffn_up.weight", None, Kind::Plain),
            ("gemma3", "language_model.lm_head.weight", "output.weight", None, Kind::Plain),
            ("phi3", "model.layers.0.mlp.gate_up_proj.weight", "blk.0.ffn_up.weight", None, Kind::Plain),
            (
                "bert",
                "bert.encoder.layer.0.output.LayerNorm.gamma",
                "blk.0.layer_output_norm.weight",
                None,
                Kind::Plain,
            ),
            ("bert", "embeddings.LayerNorm.beta", "token_embd_norm.bias", None, Kind::Plain),
            (
                "deepseek2",
                "model.layers.4.mlp.gate.e_score_correction_bias",
                "blk.4.exp_probs_b.bias",
                None,
                Kind::Plain,
            ),
        ];
        for (architecture, name, gguf, expert, kind) in cases {
            assert_eq!(one(architecture, name), (gguf.to_owned(), expert, kind), "{name}");
        }
    }

    #[test]
    fn some_tensors_become_two() {
        let names = |architecture, name| -> Vec<String> {
            gguf_names(architecture, name).into_iter().map(|mapped| mapped.name).collect()
        };
        let kv = names("deepseek2", "model.layers.0.self_attn.kv_b_proj.weight");
        assert_eq!(kv, ["blk.0.attn_k_b.weight", "blk.0.attn_v_b.weight"]);
        let fused = names("qwen3moe", "model.layers.0.mlp.experts.gate_up_proj");
        assert_eq!(fused, ["blk.0.ffn_gate_exps.weight", "blk.0.ffn_up_exps.weight"]);
    }

    #[test]
    fn names_without_a_place() {
        for (architecture, name) in [
            ("llama", "model.layers.0.mlp.experts.gate_up_proj"),
            ("llama", "model.layers.00.input_layernorm.weight"),
            ("llama", "model.layers.+1.input_layernorm.weight"),
            ("llama", "model.layers.99999999999.input_layernorm.weight"),
            ("llama", "model.layers..input_layernorm.weight"),
            ("llama", "model.layers.0.embed_tokens.weight"),
            ("llama", "input_layernorm.weight"),
            ("llama", "model.layers.0.self_attn.rotary_emb.inv_freq"),
            ("llama", ""),
            ("llama", "model."),
            ("qwen3moe", "model.layers.0.mlp.experts.*.up_proj.weight.extra"),
            ("qwen3moe", "model.layers.0.mlp.experts.x.up_proj.weight"),
            ("bert", "pooler.dense.weight"),
            ("gemma3", "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"),
            ("mamba", "model.embed_tokens.weight"),
        ] {
            assert_eq!(gguf_names(architecture, name), [], "{architecture}: {name}");
        }
    }

    #[test]
    fn a_star_in_a_name_is_no_expert() {
        // The tables' own spelling must not be a way in.
        assert_eq!(gguf_names("qwen3moe", "model.layers.0.mlp.experts.*.up_proj.weight"), []);
    }

    #[test]
    fn transforms_ask_for_shapes_that_divide() {
        let heads = Heads { heads: 4, kv_heads: 2, nope: 3, value: 5 };
        assert_eq!(Kind::Query.transform(&[16, 8], &heads), Some(Transform::PermuteHeads { heads: 4 }));
        assert_eq!(Kind::Key.transform(&[16, 8], &heads), Some(Transform::PermuteHeads { heads: 2 }));
        assert_eq!(Kind::Query.transform(&[12, 8], &heads), None, "heads of three rows have no halves");
        assert_eq!(
            Kind::KeyUp.transform(&[16, 8], &heads),
            Some(Transform::TakeRowsTransposed { group: 8, from: 0, count: 3 })
        );
        assert_eq!(
            Kind::ValueUp.transform(&[16, 8], &heads),
            Some(Transform::TakeRows { group: 8, from: 3, count: 5 })
        );
        assert_eq!(Kind::ValueUp.transform(&[17, 8], &heads), None);
        assert_eq!(
            Kind::UpHalf.transform(&[2, 6, 8], &heads),
            Some(Transform::TakeRows { group: 6, from: 3, count: 3 })
        );
        assert_eq!(Kind::GateHalf.transform(&[2, 7, 8], &heads), None);
        for kind in [Kind::Query, Kind::Key, Kind::KeyUp, Kind::ValueUp] {
            assert_eq!(kind.transform(&[16, 8], &Heads::default()), None);
            let huge = Heads { heads: u64::MAX, kv_heads: u64::MAX, nope: u64::MAX, value: u64::MAX };
            assert_eq!(kind.transform(&[16, 8], &huge), None);
        }
        assert_eq!(Kind::Plain.transform(&[], &heads), None);
        assert_eq!(Kind::Query.transform(&[16, 8, 2], &heads), None);
        assert_eq!(Kind::KeyUp.transform(&[16], &heads), None);
    }

    #[test]
    fn shapes_follow_from_transforms() {
        assert_eq!(dims(Transform::Identity, &[3, 2], Some(4)), Some(vec![2, 3, 4]));
        assert_eq!(dims(Transform::Identity, &[4, 3, 2], None), Some(vec![2, 3, 4]));
        assert_eq!(dims(Transform::TakeRows { group: 6, from: 3, count: 3 }, &[4, 6, 2], None), Some(vec![2, 3, 4]));
        let keys = Transform::TakeRowsTransposed { group: 8, from: 0, count: 3 };
        assert_eq!(dims(keys, &[16, 5], None), Some(vec![3, 5, 2]));
        for shape in [vec![], vec![0, 4], vec![u64::MAX, 2], vec![u64::MAX, u64::MAX, 1]] {
            assert_eq!(dims(Transform::Identity, &shape, None), None, "{shape:?}");
            assert_eq!(dims(keys, &shape, None), None, "{shape:?}");
        }
    }
}
