//! BERT encoders, as sentence-transformers models use them.

use super::Dim::{Context, Embd, Ff, Types, Vocab};
use super::{Arch, Slot};

/// Without the pooler and the heads of pre-training, which embeddings do not need.
pub(super) static BERT: Arch = Arch {
    name: "bert",
    prefixes: &["bert.", "model."],
    layer_prefix: "encoder.layer.",
    first: &[
        Slot::new("embeddings.word_embeddings.weight", "token_embd.weight", &[Embd, Vocab]),
        Slot::new("embeddings.LayerNorm.bias", "token_embd_norm.bias", &[Embd]),
        Slot::new("embeddings.LayerNorm.weight", "token_embd_norm.weight", &[Embd]),
        Slot::new("embeddings.position_embeddings.weight", "position_embd.weight", &[Embd, Context]).in_f32(),
        Slot::new("embeddings.token_type_embeddings.weight", "token_types.weight", &[Embd, Types]).in_f32(),
    ],
    layer: &[
        Slot::new("attention.output.LayerNorm.bias", "attn_output_norm.bias", &[Embd]),
        Slot::new("attention.output.LayerNorm.weight", "attn_output_norm.weight", &[Embd]),
        Slot::new("attention.output.dense.bias", "attn_output.bias", &[Embd]),
        Slot::new("attention.output.dense.weight", "attn_output.weight", &[Embd, Embd]),
        Slot::new("attention.self.key.bias", "attn_k.bias", &[Embd]),
        Slot::new("attention.self.key.weight", "attn_k.weight", &[Embd, Embd]),
        Slot::new("attention.self.query.bias", "attn_q.bias", &[Embd]),
        Slot::new("attention.self.query.weight", "attn_q.weight", &[Embd, Embd]),
        Slot::new("attention.self.value.bias", "attn_v.bias", &[Embd]),
        Slot::new("attention.self.value.weight", "attn_v.weight", &[Embd, Embd]),
        Slot::new("intermediate.dense.bias", "ffn_up.bias", &[Ff]),
        Slot::new("intermediate.dense.weight", "ffn_up.weight", &[Embd, Ff]),
        Slot::new("output.LayerNorm.bias", "layer_output_norm.bias", &[Embd]),
        Slot::new("output.LayerNorm.weight", "layer_output_norm.weight", &[Embd]),
        Slot::new("output.dense.bias", "ffn_down.bias", &[Embd]),
        Slot::new("output.dense.weight", "ffn_down.weight", &[Ff, Embd]),
    ],
    last: &[],
    fused: &[],
    unused: &[
        ("embeddings.position_ids", "position numbers"),
        ("pooler.", "the pooler"),
        ("cls.", "the heads of pre-training"),
    ],
};
