//! A model of as many tensors as asked for, to try the program's speed on: a mixture whose experts are tensors of their
//! own, as older files have them.
//!
//! Nearly all of it is a hole in the file: norms, routers, attention and the first expert of every layer have weights, the
//! other experts are zeros that take no room on the disk. It opens wherever a GGUF does; llama.cpp wants experts merged.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::write_tensor;
use super::{EMBED, HEADS, KV_HEADS, Random, SEED, Shape, Spec, Texture, create, lay_out, metadata, vocabulary};
use crate::engine::codec::DType;
use crate::engine::error::{Error, Result};

/// Fewest tensors of such a model.
pub const LEAST: u64 = 64;
/// Most tensors of such a model.
pub const MOST: u64 = 1_000_000;

/// Tensors outside the layers: embeddings, the last norm, the head.
const OUTSIDE: u64 = 3;
/// Tensors of a layer beside its experts.
const FIXED: u64 = 7;
/// Projections of an expert.
const PROJECTIONS: [&str; 3] = ["gate", "up", "down"];
/// Rows and columns of an expert's projections.
const FFN: u64 = EMBED;
/// What a layer may have besides, so that any number of tensors can be reached.
const EXTRAS: [&str; 6] =
    ["attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_output.bias", "attn_q_norm.weight", "attn_k_norm.weight"];

/// How many tensors become how many layers and experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    layers: u64,
    experts: u64,
    /// Biases and small norms, spread over the first layers.
    extras: u64,
}

impl Count {
    /// Exactly `tensors`, with as many experts as go, up to 128.
    fn of(tensors: u64) -> Option<Self> {
        let inside = tensors.checked_sub(OUTSIDE)?;
        (0..=7).rev().map(|power| 1 << power).find_map(|experts| {
            let layer = FIXED + PROJECTIONS.len() as u64 * experts;
            let (layers, extras) = (inside / layer, inside % layer);
            (layers > 0 && extras <= layers * EXTRAS.len() as u64).then_some(Self { layers, experts, extras })
        })
    }
}

/// Writes a model of so many tensors to a new file, which appears whole or not at all: the same bytes on every machine.
/// Errors: fewer tensors than [`LEAST`], more than [`MOST`], the file exists or cannot be written.
pub fn write_large(path: &Path, tensors: u64) -> Result<()> {
    let count = Some(tensors).filter(|n| (LEAST..=MOST).contains(n)).and_then(Count::of);
    let count =
        count.ok_or_else(|| Error::Usage(format!("a model of {tensors} tensors; {LEAST} to {MOST} are made")))?;
    create(path, |file| write_to(file, count))
}

fn write_to(file: &File, count: Count) -> io::Result<()> {
    let shape = Shape {
        name: "tritscope large demo",
        description: "Random weights and many zeros, to try programs on many tensors. It says nothing.",
        layers: count.layers,
        ffn: FFN,
        experts: count.experts,
    };
    let specs = specs(count);
    let (header, _) = lay_out(&specs, &metadata(&shape))?;
    let overflow = || io::Error::other("the model's layout overflows");
    file.set_len(header.file_len().ok_or_else(overflow)?)?;
    file.write_all_at(&header.bytes, 0)?;
    let mut bytes = Vec::new();
    for (i, (spec, offset)) in specs.iter().zip(&header.offsets).enumerate() {
        if is_hole(&spec.name) {
            continue;
        }
        bytes.clear();
        write_tensor(&mut bytes, spec, &mut Random::new(SEED ^ ((i as u64) << 32)))?;
        file.write_all_at(&bytes, header.bytes.len() as u64 + offset)?;
    }
    Ok(())
}

/// Whether a tensor's zeros are left out of the file: those of all experts but the first.
fn is_hole(name: &str) -> bool {
    PROJECTIONS.iter().any(|part| {
        let expert = name.split_once(&format!("ffn_{part}.")).and_then(|(_, rest)| rest.split('.').next());
        expert.is_some_and(|number| number != "0")
    })
}

fn specs(count: Count) -> Vec<Spec> {
    let vocab = vocabulary().len() as u64;
    let (head, kv) = (EMBED / HEADS, EMBED / HEADS * KV_HEADS);
    let spec = |name: String, dims: &[u64], texture| {
        let dtype = if dims.len() == 1 || name.contains("ffn_gate_inp") { DType::F32 } else { DType::F16 };
        Spec { name, dims: dims.to_vec(), dtype, texture }
    };
    let mut specs = vec![spec("token_embd.weight".into(), &[EMBED, vocab], Texture::Gaussian)];
    for layer in 0..count.layers {
        let mut add = |part: &str, dims: &[u64], texture| {
            specs.push(spec(format!("blk.{layer}.{part}"), dims, texture));
        };
        // Layers differ, so that there is something to find.
        let texture = [Texture::Gaussian, Texture::HeavyTailed, Texture::OutlierColumns][layer as usize % 3];
        add("attn_norm.weight", &[EMBED], Texture::Norm);
        add("attn_q.weight", &[EMBED, EMBED], Texture::Gaussian);
        add("attn_k.weight", &[EMBED, kv], Texture::Gaussian);
        add("attn_v.weight", &[EMBED, kv], texture);
        add("attn_output.weight", &[EMBED, EMBED], Texture::Gaussian);
        add("ffn_norm.weight", &[EMBED], Texture::Norm);
        add("ffn_gate_inp.weight", &[EMBED, count.experts], Texture::Gaussian);
        for expert in 0..count.experts {
            for part in PROJECTIONS {
                let dims = if part == "down" { [FFN, EMBED] } else { [EMBED, FFN] };
                add(&format!("ffn_{part}.{expert}.weight"), &dims, texture);
            }
        }
        let extras = count.extras.saturating_sub(layer * EXTRAS.len() as u64) as usize;
        for part in EXTRAS.into_iter().take(extras) {
            let dims = match part {
                "attn_q_norm.weight" | "attn_k_norm.weight" => head,
                "attn_k.bias" | "attn_v.bias" => kv,
                _ => EMBED,
            };
            add(part, &[dims], Texture::Norm);
        }
    }
    specs.push(spec("output_norm.weight".into(), &[EMBED], Texture::Norm));
    specs.push(spec("output.weight".into(), &[EMBED, vocab], Texture::Head));
    specs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_tensors_is_reached_exactly() {
        for tensors in (LEAST..2_000).chain([9_999, 100_000, MOST]) {
            let count = Count::of(tensors).unwrap();
            assert_eq!(specs(count).len() as u64, tensors, "{count:?}");
        }
        assert_eq!(Count::of(100_000).map(|c| (c.layers, c.experts)), Some((255, 128)));
    }

    #[test]
    fn only_later_experts_are_holes() {
        for (name, hole) in [
            ("blk.0.ffn_gate.0.weight", false),
            ("blk.10.ffn_gate.10.weight", true),
            ("blk.0.ffn_gate_inp.weight", false),
            ("blk.3.attn_q.bias", false),
        ] {
            assert_eq!(is_hole(name), hole, "{name}");
        }
    }
}
