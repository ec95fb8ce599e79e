//! Decoders with one feed-forward network a layer: llama (with Mixtral's experts beside it), Qwen, Gemma, Phi-3.

use super::Dim::{Embd, ExpertFf, Experts, Ff, GateUp, Head, Keys, Qkv, Query};
use super::{Arch, HEAD, Kind, NORM, Need, Slot};

/// Llama, Mistral and Mixtral. All rotary weights are permuted.
pub(super) static LLAMA: Arch = Arch::decoder(
    "llama",
    &[
        Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]),
        Slot::new("mlp.down_proj.weight", "ffn_down.weight", &[Ff, Embd]).dense(),
        Slot::new("mlp.down_proj.bias", "ffn_down.bias", &[Embd]).dense().need(Need::FeedForwardBias),
        Slot::new("mlp.gate_proj.weight", "ffn_gate.weight", &[Embd, Ff]).dense(),
        Slot::new("mlp.gate_proj.bias", "ffn_gate.bias", &[Ff]).dense().need(Need::FeedForwardBias),
        Slot::new("mlp.up_proj.weight", "ffn_up.weight", &[Embd, Ff]).dense(),
        Slot::new("mlp.up_proj.bias", "ffn_up.bias", &[Ff]).dense().need(Need::FeedForwardBias),
        Slot::new("block_sparse_moe.gate.weight", "ffn_gate_inp.weight", &[Embd, Experts]).experts().in_f32(),
        Slot::new("block_sparse_moe.experts.*.w1.weight", "ffn_gate_exps.weight", &[Embd, ExpertFf, Experts]).experts(),
        Slot::new("block_sparse_moe.experts.*.w2.weight", "ffn_down_exps.weight", &[ExpertFf, Embd, Experts]).experts(),
        Slot::new("block_sparse_moe.experts.*.w3.weight", "ffn_up_exps.weight", &[Embd, ExpertFf, Experts]).experts(),
        Slot::new("post_attention_layernorm.weight", "ffn_norm.weight", &[Embd]),
        Slot::new("self_attn.k_proj.weight", "attn_k.weight", &[Embd, Keys]).kind(Kind::Key),
        Slot::new("self_attn.k_proj.bias", "attn_k.bias", &[Keys]).kind(Kind::Key).attention_bias(),
        Slot::new("self_attn.o_proj.weight", "attn_output.weight", &[Query, Embd]),
        Slot::new("self_attn.o_proj.bias", "attn_output.bias", &[Embd]).attention_bias(),
        Slot::new("self_attn.q_proj.weight", "attn_q.weight", &[Embd, Query]).kind(Kind::Query),
        Slot::new("self_attn.q_proj.bias", "attn_q.bias", &[Query]).kind(Kind::Query).attention_bias(),
        Slot::new("self_attn.v_proj.weight", "attn_v.weight", &[Embd, Keys]),
        Slot::new("self_attn.v_proj.bias", "attn_v.bias", &[Keys]).attention_bias(),
    ],
);

/// Qwen1.5, Qwen2 and Qwen2.5.
pub(super) static QWEN2: Arch = Arch::decoder(
    "qwen2",
    &[
        Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]),
        Slot::new("mlp.down_proj.weight", "ffn_down.weight", &[Ff, Embd]),
        Slot::new("mlp.gate_proj.weight", "ffn_gate.weight", &[Embd, Ff]),
        Slot::new("mlp.up_proj.weight", "ffn_up.weight", &[Embd, Ff]),
        Slot::new("post_attention_layernorm.weight", "ffn_norm.weight", &[Embd]),
        Slot::new("self_attn.k_proj.bias", "attn_k.bias", &[Keys]).attention_bias(),
        Slot::new("self_attn.k_proj.weight", "attn_k.weight", &[Embd, Keys]),
        Slot::new("self_attn.o_proj.weight", "attn_output.weight", &[Embd, Embd]),
        Slot::new("self_attn.q_proj.bias", "attn_q.bias", &[Embd]).attention_bias(),
        Slot::new("self_attn.q_proj.weight", "attn_q.weight", &[Embd, Embd]),
        Slot::new("self_attn.v_proj.bias", "attn_v.bias", &[Keys]).attention_bias(),
        Slot::new("self_attn.v_proj.weight", "attn_v.weight", &[Embd, Keys]),
    ],
);

/// Qwen3 without experts.
pub(super) static QWEN3: Arch = Arch::decoder(
    "qwen3",
    &[
        Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]),
        Slot::new("mlp.down_proj.weight", "ffn_down.weight", &[Ff, Embd]),
        Slot::new("mlp.gate_proj.weight", "ffn_gate.weight", &[Embd, Ff]),
        Slot::new("mlp.up_proj.weight", "ffn_up.weight", &[Embd, Ff]),
        Slot::new("post_attention_layernorm.weight", "ffn_norm.weight", &[Embd]),
        Slot::new("self_attn.k_norm.weight", "attn_k_norm.weight", &[Head]),
        Slot::new("self_attn.k_proj.bias", "attn_k.bias", &[Keys]).attention_bias(),
        Slot::new("self_attn.k_proj.weight", "attn_k.weight", &[Embd, Keys]),
        Slot::new("self_attn.o_proj.weight", "attn_output.weight", &[Query, Embd]),
        Slot::new("self_attn.q_norm.weight", "attn_q_norm.weight", &[Head]),
        Slot::new("self_attn.q_proj.bias", "attn_q.bias", &[Query]).attention_bias(),
        Slot::new("self_attn.q_proj.weight", "attn_q.weight", &[Embd, Query]),
        Slot::new("self_attn.v_proj.bias", "attn_v.bias", &[Keys]).attention_bias(),
        Slot::new("self_attn.v_proj.weight", "attn_v.weight", &[Embd, Keys]),
    ],
);

const GEMMA_NORM: Slot = NORM.kind(Kind::AddOne);

/// Gemma 2. llama.cpp takes no output head of its own.
pub(super) static GEMMA2: Arch = Arch {
    last: &[GEMMA_NORM],
    unused: &[("lm_head.", "the output head, which is the embedding in this architecture")],
    ..Arch::decoder(
        "gemma2",
        &[
            Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]).kind(Kind::AddOne),
            Slot::new("mlp.down_proj.weight", "ffn_down.weight", &[Ff, Embd]),
            Slot::new("mlp.gate_proj.weight", "ffn_gate.weight", &[Embd, Ff]),
            Slot::new("mlp.up_proj.weight", "ffn_up.weight", &[Embd, Ff]),
            Slot::new("post_attention_layernorm.weight", "post_attention_norm.weight", &[Embd]).kind(Kind::AddOne),
            Slot::new("post_feedforward_layernorm.weight", "post_ffw_norm.weight", &[Embd]).kind(Kind::AddOne),
            Slot::new("pre_feedforward_layernorm.weight", "ffn_norm.weight", &[Embd]).kind(Kind::AddOne),
            Slot::new("self_attn.k_proj.weight", "attn_k.weight", &[Embd, Keys]),
            Slot::new("self_attn.o_proj.weight", "attn_output.weight", &[Query, Embd]),
            Slot::new("self_attn.q_proj.weight", "attn_q.weight", &[Embd, Query]),
            Slot::new("self_attn.v_proj.weight", "attn_v.weight", &[Embd, Keys]),
        ],
    )
};

/// Gemma 3, text only or the language part of the larger models.
pub(super) static GEMMA3: Arch = Arch {
    last: &[GEMMA_NORM, HEAD],
    unused: &[("vision_tower.", "the image encoder"), ("multi_modal_projector.", "the image encoder")],
    ..Arch::decoder(
        "gemma3",
        &[
            Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]).kind(Kind::AddOne),
            Slot::new("mlp.down_proj.weight", "ffn_down.weight", &[Ff, Embd]),
            Slot::new("mlp.gate_proj.weight", "ffn_gate.weight", &[Embd, Ff]),
            Slot::new("mlp.up_proj.weight", "ffn_up.weight", &[Embd, Ff]),
            Slot::new("post_attention_layernorm.weight", "post_attention_norm.weight", &[Embd]).kind(Kind::AddOne),
            Slot::new("post_feedforward_layernorm.weight", "post_ffw_norm.weight", &[Embd]).kind(Kind::AddOne),
            Slot::new("pre_feedforward_layernorm.weight", "ffn_norm.weight", &[Embd]).kind(Kind::AddOne),
            Slot::new("self_attn.k_norm.weight", "attn_k_norm.weight", &[Head]).kind(Kind::AddOne),
            Slot::new("self_attn.k_proj.weight", "attn_k.weight", &[Embd, Keys]),
            Slot::new("self_attn.o_proj.weight", "attn_output.weight", &[Query, Embd]),
            Slot::new("self_attn.q_norm.weight", "attn_q_norm.weight", &[Head]).kind(Kind::AddOne),
            Slot::new("self_attn.q_proj.weight", "attn_q.weight", &[Embd, Query]),
            Slot::new("self_attn.v_proj.weight", "attn_v.weight", &[Embd, Keys]),
        ],
    )
};

/// Phi-3 and Phi-4-mini: projections stay fused as they are.
pub(super) static PHI3: Arch = Arch::decoder(
    "phi3",
    &[
        Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]),
        Slot::new("mlp.down_proj.weight", "ffn_down.weight", &[Ff, Embd]),
        Slot::new("mlp.gate_up_proj.weight", "ffn_up.weight", &[Embd, GateUp]),
        Slot::new("post_attention_layernorm.weight", "ffn_norm.weight", &[Embd]),
        Slot::new("self_attn.o_proj.weight", "attn_output.weight", &[Embd, Embd]),
        Slot::new("self_attn.qkv_proj.weight", "attn_qkv.weight", &[Embd, Qkv]),
    ],
);
