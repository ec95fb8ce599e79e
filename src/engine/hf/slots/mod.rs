//! The tensors that llama.cpp's loader creates for an architecture: name on either side, shape, and when it must be
//! there. The tables themselves are in [`decoder`], [`experts`] and [`bert`].
//!
//! Names are those of the transformers library's modules and of llama.cpp's `gguf-py/gguf/tensor_mapping.py`; shapes
//! and conditions are those of `src/models/*.cpp` (mid-2026).

mod bert;
mod decoder;
mod experts;

/// A size that a dimension stands for; `Sizes` has the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dim {
    /// `hidden_size`.
    Embd,
    /// `vocab_size`.
    Vocab,
    /// `max_position_embeddings`.
    Context,
    /// `type_vocab_size`.
    Types,
    /// `intermediate_size`.
    Ff,
    /// Gate and up of a fused feed-forward layer.
    GateUp,
    /// One head.
    Head,
    /// All query heads.
    Query,
    /// All key (or value) heads.
    Keys,
    /// Query, key and value heads of a fused projection.
    Qkv,
    /// Routed experts.
    Experts,
    /// Inner size of a routed expert.
    ExpertFf,
    /// Inner size of the shared experts together.
    SharedFf,
    /// Rank of DeepSeek's compressed queries.
    QueryRank,
    /// Rank of DeepSeek's compressed keys and values.
    KeyRank,
    /// That rank and the rotary part beside it.
    KeyRankRope,
    /// Query heads of nope and rope parts.
    QueryMla,
    /// Attention heads.
    Heads,
    /// The part of a head without rotary embedding.
    Nope,
    /// A value head.
    ValueHead,
    /// All value heads.
    Values,
}

/// Which layers have a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layers {
    /// All (and tensors outside of layers).
    All,
    /// Those with one feed-forward network.
    Dense,
    /// Those with a mixture of experts.
    Experts,
}

/// When a tensor must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Always.
    Yes,
    /// The output head: unless it shares the embedding's weights.
    Output,
    /// Where queries are not compressed; not taken otherwise.
    PlainQueries,
    /// Where queries are compressed; not taken otherwise.
    CompressedQueries,
    /// Where the router has a correction bias; it may be there otherwise.
    CorrectionBias,
    /// Where the attention's projections have biases; it may be there otherwise.
    AttentionBias,
    /// Where the feed-forward projections have biases; it may be there otherwise.
    FeedForwardBias,
}

/// How a tensor's elements follow from the Hugging Face tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// As they are.
    Plain,
    /// The query rows of a llama-style model, permuted within each head.
    Query,
    /// The key rows of a llama-style model, permuted within each key head.
    Key,
    /// 1 is added: a norm of a Gemma model.
    AddOne,
    /// The key half of DeepSeek's `kv_b_proj`, transposed within each head.
    KeyUp,
    /// The value half of DeepSeek's `kv_b_proj`.
    ValueUp,
    /// The upper half of each expert of a fused `gate_up_proj`.
    GateHalf,
    /// The lower half of it.
    UpHalf,
}

/// One tensor of an architecture.
#[derive(Debug)]
pub(super) struct Slot {
    /// Hugging Face name, behind the layer; `*` stands for an expert's number.
    pub(super) hf: &'static str,
    /// GGUF name, behind the layer.
    pub(super) gguf: &'static str,
    /// Shape in GGUF order.
    pub(super) dims: &'static [Dim],
    pub(super) layers: Layers,
    pub(super) need: Need,
    pub(super) kind: Kind,
    /// Whether llama.cpp's converter keeps it in F32 although it has two dimensions.
    pub(super) f32_only: bool,
}

/// Another Hugging Face name for a slot: the experts of a layer in one tensor.
#[derive(Debug)]
pub(super) struct Fused {
    pub(super) hf: &'static str,
    pub(super) gguf: &'static str,
    pub(super) kind: Kind,
}

/// The tensors of an architecture, in the order they take in the GGUF.
#[derive(Debug)]
pub(super) struct Arch {
    /// `general.architecture`.
    pub(super) name: &'static str,
    /// Prefixes that the names may or may not have.
    pub(super) prefixes: &'static [&'static str],
    /// What stands before a layer's number.
    pub(super) layer_prefix: &'static str,
    /// Before the layers.
    pub(super) first: &'static [Slot],
    /// Of each layer.
    pub(super) layer: &'static [Slot],
    /// Behind the layers.
    pub(super) last: &'static [Slot],
    pub(super) fused: &'static [Fused],
    /// Names without a layer that are left out on purpose, with their reason: the name begins with the text.
    pub(super) unused: &'static [(&'static str, &'static str)],
}

impl Slot {
    const fn new(hf: &'static str, gguf: &'static str, dims: &'static [Dim]) -> Self {
        Self { hf, gguf, dims, layers: Layers::All, need: Need::Yes, kind: Kind::Plain, f32_only: false }
    }

    const fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    const fn need(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    const fn attention_bias(self) -> Self {
        self.need(Need::AttentionBias)
    }

    const fn dense(mut self) -> Self {
        self.layers = Layers::Dense;
        self
    }

    const fn experts(mut self) -> Self {
        self.layers = Layers::Experts;
        self
    }

    const fn in_f32(mut self) -> Self {
        self.f32_only = true;
        self
    }
}

const EMBEDDING: Slot = Slot::new("embed_tokens.weight", "token_embd.weight", &[Dim::Embd, Dim::Vocab]);
const NORM: Slot = Slot::new("norm.weight", "output_norm.weight", &[Dim::Embd]);
const HEAD: Slot = Slot::new("lm_head.weight", "output.weight", &[Dim::Embd, Dim::Vocab]).need(Need::Output);

impl Arch {
    /// A decoder whose modules have the transformers library's usual names.
    const fn decoder(name: &'static str, layer: &'static [Slot]) -> Self {
        Self {
            name,
            prefixes: &["model."],
            layer_prefix: "layers.",
            first: &[EMBEDDING],
            layer,
            last: &[NORM, HEAD],
            fused: &[],
            unused: &[],
        }
    }
}

static ARCHES: [&Arch; 11] = [
    &decoder::LLAMA,
    &decoder::QWEN2,
    &decoder::QWEN3,
    &decoder::GEMMA2,
    &decoder::GEMMA3,
    &decoder::PHI3,
    &experts::QWEN2MOE,
    &experts::QWEN3MOE,
    &experts::DEEPSEEK,
    &experts::DEEPSEEK2,
    &bert::BERT,
];

/// The tables of an architecture, by its name in a GGUF.
pub(super) fn arch(name: &str) -> Option<&'static Arch> {
    ARCHES.iter().find(|arch| arch.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_gguf_name_stands_twice_in_an_architecture() {
        for arch in ARCHES {
            let mut seen = BTreeSet::new();
            for slot in arch.first.iter().chain(arch.layer).chain(arch.last) {
                assert!(seen.insert(slot.gguf), "{}: {}", arch.name, slot.gguf);
                assert!(matches!(slot.gguf.rsplit_once('.'), Some((_, "weight" | "bias"))), "{}", slot.gguf);
                assert!(slot.gguf.len() + "blk.511.".len() <= 63, "{}", slot.gguf);
                assert_eq!(slot.hf.contains('*'), slot.gguf.contains("_exps"), "{}", slot.hf);
                assert_eq!(slot.dims.last() == Some(&Dim::Experts) && slot.dims.len() == 3, slot.hf.contains('*'));
            }
            for fused in arch.fused {
                assert!(arch.layer.iter().any(|slot| slot.gguf == fused.gguf), "{}: {}", arch.name, fused.gguf);
            }
        }
    }
}
