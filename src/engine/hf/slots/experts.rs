//! Decoders with a mixture of experts beside shared ones or none: Qwen2-MoE, Qwen3-MoE, DeepSeek.

use super::Dim::{
    Embd, ExpertFf, Experts, Ff, Head, Heads, KeyRank, KeyRankRope, Keys, Nope, Query, QueryMla, QueryRank, SharedFf,
    ValueHead, Values, Vocab,
};
use super::{Arch, Fused, Kind, NORM, Need, Slot};

const ROUTER: Slot = Slot::new("mlp.gate.weight", "ffn_gate_inp.weight", &[Embd, Experts]).experts().in_f32();
const DOWN: Slot =
    Slot::new("mlp.experts.*.down_proj.weight", "ffn_down_exps.weight", &[ExpertFf, Embd, Experts]).experts();
const GATE: Slot =
    Slot::new("mlp.experts.*.gate_proj.weight", "ffn_gate_exps.weight", &[Embd, ExpertFf, Experts]).experts();
const UP: Slot = Slot::new("mlp.experts.*.up_proj.weight", "ffn_up_exps.weight", &[Embd, ExpertFf, Experts]).experts();

/// The experts of a layer in one tensor: (experts, 2 × inner, hidden) and (experts, hidden, inner), with or without
/// `.weight`.
const FUSED: &[Fused] = &[
    Fused { hf: "mlp.experts.gate_up_proj", gguf: "ffn_gate_exps.weight", kind: Kind::GateHalf },
    Fused { hf: "mlp.experts.gate_up_proj", gguf: "ffn_up_exps.weight", kind: Kind::UpHalf },
    Fused { hf: "mlp.experts.gate_up_proj.weight", gguf: "ffn_gate_exps.weight", kind: Kind::GateHalf },
    Fused { hf: "mlp.experts.gate_up_proj.weight", gguf: "ffn_up_exps.weight", kind: Kind::UpHalf },
    Fused { hf: "mlp.experts.down_proj", gguf: "ffn_down_exps.weight", kind: Kind::Plain },
    Fused { hf: "mlp.experts.down_proj.weight", gguf: "ffn_down_exps.weight", kind: Kind::Plain },
];

/// Qwen1.5-MoE and Qwen2-MoE. llama.cpp insists on an output head.
pub(super) static QWEN2MOE: Arch = Arch {
    fused: FUSED,
    last: &[NORM, Slot::new("lm_head.weight", "output.weight", &[Embd, Vocab])],
    ..Arch::decoder(
        "qwen2moe",
        &[
            Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]),
            DOWN,
            GATE,
            UP,
            ROUTER,
            Slot::new("mlp.shared_expert.down_proj.weight", "ffn_down_shexp.weight", &[SharedFf, Embd]),
            Slot::new("mlp.shared_expert.gate_proj.weight", "ffn_gate_shexp.weight", &[Embd, SharedFf]),
            Slot::new("mlp.shared_expert.up_proj.weight", "ffn_up_shexp.weight", &[Embd, SharedFf]),
            Slot::new("mlp.shared_expert_gate.weight", "ffn_gate_inp_shexp.weight", &[Embd]).in_f32(),
            Slot::new("post_attention_layernorm.weight", "ffn_norm.weight", &[Embd]),
            Slot::new("self_attn.k_proj.bias", "attn_k.bias", &[Keys]).attention_bias(),
            Slot::new("self_attn.k_proj.weight", "attn_k.weight", &[Embd, Keys]),
            Slot::new("self_attn.o_proj.weight", "attn_output.weight", &[Embd, Embd]),
            Slot::new("self_attn.q_proj.bias", "attn_q.bias", &[Embd]).attention_bias(),
            Slot::new("self_attn.q_proj.weight", "attn_q.weight", &[Embd, Embd]),
            Slot::new("self_attn.v_proj.bias", "attn_v.bias", &[Keys]).attention_bias(),
            Slot::new("self_attn.v_proj.weight", "attn_v.weight", &[Embd, Keys]),
        ],
    )
};

/// Qwen3 with experts.
pub(super) static QWEN3MOE: Arch = Arch {
    fused: FUSED,
    ..Arch::decoder(
        "qwen3moe",
        &[
            Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]),
            DOWN,
            GATE,
            UP,
            ROUTER,
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
    )
};

const DENSE_DOWN: Slot = Slot::new("mlp.down_proj.weight", "ffn_down.weight", &[Ff, Embd]).dense();
const DENSE_GATE: Slot = Slot::new("mlp.gate_proj.weight", "ffn_gate.weight", &[Embd, Ff]).dense();
const DENSE_UP: Slot = Slot::new("mlp.up_proj.weight", "ffn_up.weight", &[Embd, Ff]).dense();
const SHARED_DOWN: Slot =
    Slot::new("mlp.shared_experts.down_proj.weight", "ffn_down_shexp.weight", &[SharedFf, Embd]).experts();
const SHARED_GATE: Slot =
    Slot::new("mlp.shared_experts.gate_proj.weight", "ffn_gate_shexp.weight", &[Embd, SharedFf]).experts();
const SHARED_UP: Slot =
    Slot::new("mlp.shared_experts.up_proj.weight", "ffn_up_shexp.weight", &[Embd, SharedFf]).experts();

/// DeepSeek-MoE: rotary weights permuted as llama's are.
pub(super) static DEEPSEEK: Arch = Arch::decoder(
    "deepseek",
    &[
        Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]),
        DENSE_DOWN,
        DENSE_GATE,
        DENSE_UP,
        DOWN,
        GATE,
        UP,
        ROUTER,
        SHARED_DOWN,
        SHARED_GATE,
        SHARED_UP,
        Slot::new("post_attention_layernorm.weight", "ffn_norm.weight", &[Embd]),
        Slot::new("self_attn.k_proj.bias", "attn_k.bias", &[Keys]).kind(Kind::Key).attention_bias(),
        Slot::new("self_attn.k_proj.weight", "attn_k.weight", &[Embd, Keys]).kind(Kind::Key),
        Slot::new("self_attn.o_proj.weight", "attn_output.weight", &[Embd, Embd]),
        Slot::new("self_attn.q_proj.bias", "attn_q.bias", &[Embd]).kind(Kind::Query).attention_bias(),
        Slot::new("self_attn.q_proj.weight", "attn_q.weight", &[Embd, Embd]).kind(Kind::Query),
        Slot::new("self_attn.v_proj.bias", "attn_v.bias", &[Keys]).attention_bias(),
        Slot::new("self_attn.v_proj.weight", "attn_v.weight", &[Embd, Keys]),
    ],
);

/// DeepSeek-V2 and V3: compressed keys and values. `kv_b_proj` is split into what multiplies queries and what makes
/// values, the form in which llama.cpp keeps the cache compressed; its loader still takes the unsplit tensor of older
/// files, with other key lengths in the metadata.
pub(super) static DEEPSEEK2: Arch = Arch::decoder(
    "deepseek2",
    &[
        Slot::new("input_layernorm.weight", "attn_norm.weight", &[Embd]),
        DENSE_DOWN,
        DENSE_GATE,
        DENSE_UP,
        DOWN,
        GATE,
        UP,
        ROUTER,
        Slot::new("mlp.gate.e_score_correction_bias", "exp_probs_b.bias", &[Experts])
            .experts()
            .need(Need::CorrectionBias),
        SHARED_DOWN,
        SHARED_GATE,
        SHARED_UP,
        Slot::new("post_attention_layernorm.weight", "ffn_norm.weight", &[Embd]),
        Slot::new("self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight", &[KeyRank]),
        Slot::new("self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight", &[Embd, KeyRankRope]),
        Slot::new("self_attn.kv_b_proj.weight", "attn_k_b.weight", &[Nope, KeyRank, Heads]).kind(Kind::KeyUp),
        Slot::new("self_attn.kv_b_proj.weight", "attn_v_b.weight", &[KeyRank, ValueHead, Heads]).kind(Kind::ValueUp),
        Slot::new("self_attn.o_proj.weight", "attn_output.weight", &[Values, Embd]),
        Slot::new("self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight", &[QueryRank]).need(Need::CompressedQueries),
        Slot::new("self_attn.q_a_proj.weight", "attn_q_a.weight", &[Embd, QueryRank]).need(Need::CompressedQueries),
        Slot::new("self_attn.q_b_proj.weight", "attn_q_b.weight", &[QueryRank, QueryMla]).need(Need::CompressedQueries),
        Slot::new("self_attn.q_proj.weight", "attn_q.weight", &[Embd, QueryMla]).need(Need::PlainQueries),
    ],
);
