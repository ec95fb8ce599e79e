//! Published models as this crate's tests see them: the keys of `config.json` that matter, and the names and shapes of
//! their tensors as the transformers library's modules spell them. Written down without looking at the tables under
//! test.

use serde_json::{Value as Json, json};
use tritscope::engine::hf::{Conversion, Folder, HfTensor, convert};

/// A model: its configuration, and how its tensors follow from it.
pub struct Model {
    pub name: &'static str,
    pub config: Json,
    tensors: fn(&Json) -> Vec<HfTensor>,
}

impl Model {
    pub fn tensors(&self) -> Vec<HfTensor> {
        (self.tensors)(&self.config)
    }

    /// The same model with other values in its configuration, and the tensors that follow.
    pub fn with(mut self, changes: &Json) -> Self {
        for (key, value) in changes.as_object().unwrap() {
            self.config[key] = value.clone();
        }
        self
    }

    pub fn convert(&self) -> Conversion {
        convert_of(&self.config, &self.tensors())
    }
}

pub fn convert_of(config: &Json, tensors: &[HfTensor]) -> Conversion {
    convert(&Folder { config, generation: None, pooling: None, name: None, tensors }).unwrap()
}

/// All models, with few layers and experts so that every tensor can be taken away in turn.
pub fn small() -> Vec<Model> {
    let few = json!({"num_hidden_layers": 2});
    vec![
        llama_3_2_1b().with(&few),
        mistral_7b().with(&few),
        mixtral_8x7b().with(&few),
        qwen2_0_5b().with(&few),
        qwen1_5_moe_a2_7b().with(&json!({"num_hidden_layers": 2, "num_experts": 5})),
        qwen3_0_6b().with(&few),
        qwen3_30b_a3b().with(&json!({"num_hidden_layers": 2, "num_experts": 9})),
        gemma_2_2b().with(&few),
        gemma_3_1b().with(&few),
        phi_3_mini_4k().with(&few),
        deepseek_moe_16b().with(&json!({"num_hidden_layers": 2, "n_routed_experts": 7})),
        deepseek_v2_lite().with(&json!({"num_hidden_layers": 26, "n_routed_experts": 6})),
        deepseek_v3().with(&json!({"num_hidden_layers": 4, "n_routed_experts": 16})),
        minilm_l6(),
    ]
}

pub fn llama_3_2_1b() -> Model {
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 128_000, "eos_token_id": 128_001, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048,
        "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131_072, "mlp_bias": false,
        "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
        "pretraining_tp": 1, "rms_norm_eps": 1e-5,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "rope_theta": 500_000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "vocab_size": 128_256
    });
    Model { name: "Llama-3.2-1B", config, tensors: |c| decoder(c, &[&norms, &attention, &feed_forward]) }
}

pub fn mistral_7b() -> Model {
    let config = json!({
        "architectures": ["MistralForCausalLM"], "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral",
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": false, "vocab_size": 32000
    });
    Model { name: "Mistral-7B-v0.1", config, tensors: |c| decoder(c, &[&norms, &attention, &feed_forward]) }
}

pub fn mixtral_8x7b() -> Model {
    let config = json!({
        "architectures": ["MixtralForCausalLM"], "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mixtral",
        "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32, "num_key_value_heads": 8,
        "num_local_experts": 8, "output_router_logits": false, "rms_norm_eps": 1e-5, "rope_theta": 1e6,
        "router_aux_loss_coef": 0.02, "sliding_window": null, "tie_word_embeddings": false, "vocab_size": 32000
    });
    Model { name: "Mixtral-8x7B-v0.1", config, tensors: |c| decoder(c, &[&norms, &attention, &mixtral_experts]) }
}

pub fn qwen2_0_5b() -> Model {
    let config = json!({
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "hidden_act": "silu", "hidden_size": 896,
        "intermediate_size": 4864, "max_position_embeddings": 131_072, "max_window_layers": 24,
        "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0, "sliding_window": 131_072, "tie_word_embeddings": true,
        "use_sliding_window": false, "vocab_size": 151_936
    });
    Model { name: "Qwen2-0.5B", config, tensors: |c| decoder(c, &[&norms, &attention, &biases, &feed_forward]) }
}

pub fn qwen1_5_moe_a2_7b() -> Model {
    let config = json!({
        "architectures": ["Qwen2MoeForCausalLM"], "decoder_sparse_step": 1, "hidden_act": "silu",
        "hidden_size": 2048, "intermediate_size": 5632, "max_position_embeddings": 8192, "max_window_layers": 21,
        "model_type": "qwen2_moe", "moe_intermediate_size": 1408, "norm_topk_prob": false,
        "num_attention_heads": 16, "num_experts": 60, "num_experts_per_tok": 4, "num_hidden_layers": 24,
        "num_key_value_heads": 16, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0,
        "shared_expert_intermediate_size": 5632, "sliding_window": 32768, "tie_word_embeddings": false,
        "use_sliding_window": false, "vocab_size": 151_936
    });
    Model {
        name: "Qwen1.5-MoE-A2.7B",
        config,
        tensors: |c| decoder(c, &[&norms, &attention, &biases, &experts, &qwen_shared]),
    }
}

pub fn qwen3_0_6b() -> Model {
    let config = json!({
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "head_dim": 128, "hidden_act": "silu",
        "hidden_size": 1024, "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28,
        "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
        "rms_norm_eps": 1e-6, "rope_scaling": null, "rope_theta": 1_000_000, "sliding_window": null,
        "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 151_936
    });
    Model { name: "Qwen3-0.6B", config, tensors: |c| decoder(c, &[&norms, &attention, &head_norms, &feed_forward]) }
}

pub fn qwen3_30b_a3b() -> Model {
    let config = json!({
        "architectures": ["Qwen3MoeForCausalLM"], "attention_bias": false, "decoder_sparse_step": 1,
        "head_dim": 128, "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 6144,
        "max_position_embeddings": 40960, "mlp_only_layers": [], "model_type": "qwen3_moe",
        "moe_intermediate_size": 768, "norm_topk_prob": true, "num_attention_heads": 32, "num_experts": 128,
        "num_experts_per_tok": 8, "num_hidden_layers": 48, "num_key_value_heads": 4, "rms_norm_eps": 1e-6,
        "rope_scaling": null, "rope_theta": 1_000_000.0, "sliding_window": null, "tie_word_embeddings": false,
        "use_sliding_window": false, "vocab_size": 151_936
    });
    Model { name: "Qwen3-30B-A3B", config, tensors: |c| decoder(c, &[&norms, &attention, &head_norms, &experts]) }
}

pub fn gemma_2_2b() -> Model {
    let config = json!({
        "architectures": ["Gemma2ForCausalLM"], "attention_bias": false, "attn_logit_softcapping": 50.0,
        "cache_implementation": "hybrid", "final_logit_softcapping": 30.0, "head_dim": 256,
        "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304,
        "intermediate_size": 9216, "max_position_embeddings": 8192, "model_type": "gemma2",
        "num_attention_heads": 8, "num_hidden_layers": 26, "num_key_value_heads": 4, "query_pre_attn_scalar": 256,
        "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "sliding_window": 4096, "vocab_size": 256_000
    });
    Model { name: "Gemma-2-2b", config, tensors: |c| decoder(c, &[&norms, &gemma_norms, &attention, &feed_forward]) }
}

pub fn gemma_3_1b() -> Model {
    let config = json!({
        "architectures": ["Gemma3ForCausalLM"], "attention_bias": false, "attn_logit_softcapping": null,
        "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 1152, "intermediate_size": 6912, "max_position_embeddings": 32768,
        "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1,
        "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-6, "rope_local_base_freq": 10000, "rope_scaling": null,
        "rope_theta": 1_000_000, "sliding_window": 512, "sliding_window_pattern": 6, "vocab_size": 262_144
    });
    Model {
        name: "Gemma-3-1b",
        config,
        tensors: |c| decoder(c, &[&norms, &gemma_norms, &attention, &head_norms, &feed_forward]),
    }
}

pub fn phi_3_mini_4k() -> Model {
    let config = json!({
        "architectures": ["Phi3ForCausalLM"], "attention_bias": false, "hidden_act": "silu", "hidden_size": 3072,
        "intermediate_size": 8192, "max_position_embeddings": 4096, "model_type": "phi3",
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
        "original_max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_scaling": null,
        "rope_theta": 10000.0, "sliding_window": 2047, "tie_word_embeddings": false, "vocab_size": 32064
    });
    Model { name: "Phi-3-mini-4k-instruct", config, tensors: |c| decoder(c, &[&norms, &phi]) }
}

pub fn deepseek_moe_16b() -> Model {
    let config = json!({
        "architectures": ["DeepseekForCausalLM"], "attention_bias": false, "aux_loss_alpha": 0.001,
        "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 10944,
        "max_position_embeddings": 4096, "model_type": "deepseek", "moe_intermediate_size": 1408,
        "moe_layer_freq": 1, "n_routed_experts": 64, "n_shared_experts": 2, "norm_topk_prob": false,
        "num_attention_heads": 16, "num_experts_per_tok": 6, "num_hidden_layers": 28, "num_key_value_heads": 16,
        "rms_norm_eps": 1e-6, "rope_scaling": null, "rope_theta": 10000, "scoring_func": "softmax",
        "seq_aux": true, "tie_word_embeddings": false, "vocab_size": 102_400
    });
    Model { name: "deepseek-moe-16b-base", config, tensors: |c| decoder(c, &[&norms, &attention, &deepseek_mlp]) }
}

pub fn deepseek_v2_lite() -> Model {
    let config = json!({
        "architectures": ["DeepseekV2ForCausalLM"], "attention_bias": false, "first_k_dense_replace": 1,
        "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 10944, "kv_lora_rank": 512,
        "max_position_embeddings": 163_840, "model_type": "deepseek_v2", "moe_intermediate_size": 1408,
        "moe_layer_freq": 1, "n_group": 1, "n_routed_experts": 64, "n_shared_experts": 2, "norm_topk_prob": false,
        "num_attention_heads": 16, "num_experts_per_tok": 6, "num_hidden_layers": 27, "num_key_value_heads": 16,
        "q_lora_rank": null, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-6,
        "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
            "original_max_position_embeddings": 4096, "type": "yarn"},
        "rope_theta": 10000, "routed_scaling_factor": 1.0, "scoring_func": "softmax", "tie_word_embeddings": false,
        "topk_group": 1, "topk_method": "greedy", "v_head_dim": 128, "vocab_size": 102_400
    });
    Model { name: "DeepSeek-V2-Lite", config, tensors: |c| decoder(c, &[&norms, &latent_attention, &deepseek_mlp]) }
}

/// An unquantized copy, with the layer for multi-token prediction behind the counted ones.
pub fn deepseek_v3() -> Model {
    let config = json!({
        "architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false, "first_k_dense_replace": 3,
        "hidden_act": "silu", "hidden_size": 7168, "intermediate_size": 18432, "kv_lora_rank": 512,
        "max_position_embeddings": 163_840, "model_type": "deepseek_v3", "moe_intermediate_size": 2048,
        "moe_layer_freq": 1, "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1, "norm_topk_prob": true,
        "num_attention_heads": 128, "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128,
        "num_nextn_predict_layers": 1, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
        "rms_norm_eps": 1e-6,
        "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
            "original_max_position_embeddings": 4096, "type": "yarn"},
        "rope_theta": 10000, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "tie_word_embeddings": false,
        "topk_group": 4, "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 129_280
    });
    let tensors: fn(&Json) -> Vec<HfTensor> = |c| {
        let mut list = decoder(c, &[&norms, &latent_attention, &deepseek_mlp]);
        let next = format!("model.layers.{}", n(c, "num_hidden_layers"));
        list.push(tensor(format!("{next}.eh_proj.weight"), &[n(c, "hidden_size"), 2 * n(c, "hidden_size")]));
        list.push(tensor(format!("{next}.input_layernorm.weight"), &[n(c, "hidden_size")]));
        list
    };
    Model { name: "DeepSeek-V3", config, tensors }
}

pub fn minilm_l6() -> Model {
    let config = json!({
        "architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "gradient_checkpointing": false,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 384, "intermediate_size": 1536,
        "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert", "num_attention_heads": 12,
        "num_hidden_layers": 6, "pad_token_id": 0, "position_embedding_type": "absolute", "type_vocab_size": 2,
        "vocab_size": 30522
    });
    Model { name: "all-MiniLM-L6-v2", config, tensors: bert }
}

/// Number under a key; a default of 1 lets hostile configurations through to the code under test.
fn n(c: &Json, key: &str) -> u64 {
    c[key].as_u64().unwrap_or(1)
}

fn head(c: &Json) -> u64 {
    c["head_dim"].as_u64().unwrap_or_else(|| n(c, "hidden_size") / n(c, "num_attention_heads"))
}

pub fn tensor(name: impl Into<String>, shape: &[u64]) -> HfTensor {
    HfTensor { name: name.into(), shape: shape.to_vec(), dtype: "BF16".into() }
}

/// Tensors of one layer: name behind the layer, and shape.
type Parts = Vec<(String, Vec<u64>)>;
/// Makes some tensors of a layer from the configuration and the layer's number.
type Part<'a> = &'a dyn Fn(&Json, u64) -> Parts;

fn decoder(c: &Json, parts: &[Part<'_>]) -> Vec<HfTensor> {
    let (embd, vocab) = (n(c, "hidden_size"), n(c, "vocab_size"));
    let mut list = vec![tensor("model.embed_tokens.weight", &[vocab, embd])];
    for layer in 0..n(c, "num_hidden_layers") {
        for (name, shape) in parts.iter().flat_map(|part| part(c, layer)) {
            list.push(tensor(format!("model.layers.{layer}.{name}"), &shape));
        }
    }
    list.push(tensor("model.norm.weight", &[embd]));
    if c["tie_word_embeddings"] == json!(false) {
        list.push(tensor("lm_head.weight", &[vocab, embd]));
    }
    list
}

fn norms(c: &Json, _: u64) -> Parts {
    let names = ["input_layernorm.weight", "post_attention_layernorm.weight"];
    names.map(|name| (name.to_owned(), vec![n(c, "hidden_size")])).to_vec()
}

fn gemma_norms(c: &Json, _: u64) -> Parts {
    let names = ["pre_feedforward_layernorm.weight", "post_feedforward_layernorm.weight"];
    names.map(|name| (name.to_owned(), vec![n(c, "hidden_size")])).to_vec()
}

fn head_norms(c: &Json, _: u64) -> Parts {
    ["self_attn.q_norm.weight", "self_attn.k_norm.weight"].map(|name| (name.to_owned(), vec![head(c)])).to_vec()
}

fn attention(c: &Json, _: u64) -> Parts {
    let embd = n(c, "hidden_size");
    let (q, kv) = (n(c, "num_attention_heads") * head(c), n(c, "num_key_value_heads") * head(c));
    vec![
        ("self_attn.q_proj.weight".into(), vec![q, embd]),
        ("self_attn.k_proj.weight".into(), vec![kv, embd]),
        ("self_attn.v_proj.weight".into(), vec![kv, embd]),
        ("self_attn.o_proj.weight".into(), vec![embd, q]),
    ]
}

fn biases(c: &Json, _: u64) -> Parts {
    let (q, kv) = (n(c, "num_attention_heads") * head(c), n(c, "num_key_value_heads") * head(c));
    vec![
        ("self_attn.q_proj.bias".into(), vec![q]),
        ("self_attn.k_proj.bias".into(), vec![kv]),
        ("self_attn.v_proj.bias".into(), vec![kv]),
    ]
}

fn gated(prefix: &str, embd: u64, ff: u64) -> Parts {
    vec![
        (format!("{prefix}.gate_proj.weight"), vec![ff, embd]),
        (format!("{prefix}.up_proj.weight"), vec![ff, embd]),
        (format!("{prefix}.down_proj.weight"), vec![embd, ff]),
    ]
}

fn feed_forward(c: &Json, _: u64) -> Parts {
    gated("mlp", n(c, "hidden_size"), n(c, "intermediate_size"))
}

fn mixtral_experts(c: &Json, _: u64) -> Parts {
    let (embd, ff, count) = (n(c, "hidden_size"), n(c, "intermediate_size"), n(c, "num_local_experts"));
    let mut parts = vec![("block_sparse_moe.gate.weight".into(), vec![count, embd])];
    for expert in 0..count {
        let prefix = format!("block_sparse_moe.experts.{expert}");
        parts.push((format!("{prefix}.w1.weight"), vec![ff, embd]));
        parts.push((format!("{prefix}.w2.weight"), vec![embd, ff]));
        parts.push((format!("{prefix}.w3.weight"), vec![ff, embd]));
    }
    parts
}

/// Experts of Qwen and DeepSeek.
fn experts(c: &Json, _: u64) -> Parts {
    let (embd, ff) = (n(c, "hidden_size"), n(c, "moe_intermediate_size"));
    let count = c["num_experts"].as_u64().unwrap_or_else(|| n(c, "n_routed_experts"));
    let mut parts = vec![("mlp.gate.weight".into(), vec![count, embd])];
    parts.extend((0..count).flat_map(|expert| gated(&format!("mlp.experts.{expert}"), embd, ff)));
    parts
}

fn qwen_shared(c: &Json, _: u64) -> Parts {
    let embd = n(c, "hidden_size");
    let mut parts = gated("mlp.shared_expert", embd, n(c, "shared_expert_intermediate_size"));
    parts.push(("mlp.shared_expert_gate.weight".into(), vec![1, embd]));
    parts
}

fn phi(c: &Json, _: u64) -> Parts {
    let (embd, ff) = (n(c, "hidden_size"), n(c, "intermediate_size"));
    let heads = n(c, "num_attention_heads") + 2 * n(c, "num_key_value_heads");
    vec![
        ("self_attn.qkv_proj.weight".into(), vec![heads * head(c), embd]),
        ("self_attn.o_proj.weight".into(), vec![embd, embd]),
        ("mlp.gate_up_proj.weight".into(), vec![2 * ff, embd]),
        ("mlp.down_proj.weight".into(), vec![embd, ff]),
    ]
}

fn deepseek_mlp(c: &Json, layer: u64) -> Parts {
    if layer < n(c, "first_k_dense_replace") {
        return feed_forward(c, layer);
    }
    let mut parts = experts(c, layer);
    if c["topk_method"] == json!("noaux_tc") {
        parts.push(("mlp.gate.e_score_correction_bias".into(), vec![n(c, "n_routed_experts")]));
    }
    let shared = n(c, "n_shared_experts") * n(c, "moe_intermediate_size");
    parts.extend(gated("mlp.shared_experts", n(c, "hidden_size"), shared));
    parts
}

fn latent_attention(c: &Json, _: u64) -> Parts {
    let (embd, heads, rank) = (n(c, "hidden_size"), n(c, "num_attention_heads"), n(c, "kv_lora_rank"));
    let (nope, rope, value) = (n(c, "qk_nope_head_dim"), n(c, "qk_rope_head_dim"), n(c, "v_head_dim"));
    let mut parts: Parts = vec![
        ("self_attn.kv_a_layernorm.weight".into(), vec![rank]),
        ("self_attn.kv_a_proj_with_mqa.weight".into(), vec![rank + rope, embd]),
        ("self_attn.kv_b_proj.weight".into(), vec![heads * (nope + value), rank]),
        ("self_attn.o_proj.weight".into(), vec![embd, heads * value]),
    ];
    if let Some(rank) = c["q_lora_rank"].as_u64() {
        parts.push(("self_attn.q_a_proj.weight".into(), vec![rank, embd]));
        parts.push(("self_attn.q_a_layernorm.weight".into(), vec![rank]));
        parts.push(("self_attn.q_b_proj.weight".into(), vec![heads * (nope + rope), rank]));
    } else {
        parts.push(("self_attn.q_proj.weight".into(), vec![heads * (nope + rope), embd]));
    }
    parts
}

fn bert(c: &Json) -> Vec<HfTensor> {
    let (embd, ff) = (n(c, "hidden_size"), n(c, "intermediate_size"));
    let mut list = vec![
        HfTensor { name: "embeddings.position_ids".into(), shape: vec![1, 512], dtype: "I64".into() },
        tensor("embeddings.LayerNorm.bias", &[embd]),
        tensor("embeddings.LayerNorm.weight", &[embd]),
        tensor("embeddings.position_embeddings.weight", &[n(c, "max_position_embeddings"), embd]),
        tensor("embeddings.token_type_embeddings.weight", &[n(c, "type_vocab_size"), embd]),
        tensor("embeddings.word_embeddings.weight", &[n(c, "vocab_size"), embd]),
    ];
    for layer in 0..n(c, "num_hidden_layers") {
        let mut push = |name: &str, shape: &[u64]| {
            list.push(tensor(format!("encoder.layer.{layer}.{name}.weight"), shape));
            list.push(tensor(format!("encoder.layer.{layer}.{name}.bias"), &shape[..1]));
        };
        for name in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] {
            push(name, &[embd, embd]);
        }
        push("intermediate.dense", &[ff, embd]);
        push("output.dense", &[embd, ff]);
        push("attention.output.LayerNorm", &[embd]);
        push("output.LayerNorm", &[embd]);
    }
    list.push(tensor("pooler.dense.bias", &[embd]));
    list.push(tensor("pooler.dense.weight", &[embd, embd]));
    list
}
