//! The metadata of each architecture: what llama.cpp's loader reads (`src/models/*.cpp`) under the names and types that
//! its converter writes (`conversion/*.py`, mid-2026), and the settings it has no key for.

use serde_json::Value as Json;

use crate::engine::format::gguf::{Value, ValueType};

use super::class::Class;
use super::config::Config;
use super::kvs::{Kvs, float};
use super::rope::{Computed, Rope};
use super::sizes::Sizes;

/// Writes the keys of the model; the tensors that must be computed for it are returned.
pub(super) fn write(class: &Class, config: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) -> Vec<Computed> {
    let rope = Rope::new(config);
    shape(class, config, sizes, kvs);
    if class.arch != "bert" {
        rope.write(class, sizes, kvs);
        kvs.f32("attention.layer_norm_rms_epsilon", config.need_positive("rms_norm_eps"));
    }
    experts(class, config, sizes, kvs);
    activation(class, config);
    if config.has("quantization_config") {
        let sentence = "is there: the weights are stored quantized, which is not read; take the unquantized model";
        config.problem("quantization_config", sentence);
    }
    let mut computed = Vec::new();
    match class.arch {
        "llama" => {
            heads(sizes, kvs);
            kvs.u32("vocab_size", sizes.vocab);
            kvs.u32("rope.dimension_count", sizes.head);
            computed.extend(rope.llama3(sizes));
            sliding_note(config, config.has("sliding_window"));
        }
        "qwen2" | "qwen2moe" | "qwen3" | "qwen3moe" => {
            heads(sizes, kvs);
            sliding_note(config, config.flag("use_sliding_window") == Some(true));
        }
        "gemma2" | "gemma3" => gemma(class, config, sizes, kvs),
        "phi3" => {
            computed.extend(rope.phi3(sizes, kvs));
            // The loader takes 0 for a model without a window, and uses no other value for now.
            kvs.u32("attention.sliding_window", Some(config.count("sliding_window").unwrap_or(0)));
        }
        "deepseek" => deepseek(config, sizes, kvs),
        "deepseek2" => deepseek2(class, config, sizes, kvs),
        _ => bert(config, kvs),
    }
    computed
}

/// Blocks, context, widths and heads.
fn shape(class: &Class, config: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) {
    kvs.u32("block_count", sizes.layers);
    kvs.u32("context_length", sizes.context);
    kvs.u32("embedding_length", sizes.embd);
    kvs.u32("feed_forward_length", sizes.ff);
    kvs.u32("attention.head_count", sizes.heads);
    match class.arch {
        // Compressed keys are one head that all queries share.
        "deepseek2" => kvs.u32("attention.head_count_kv", sizes.kv_heads.map(|_| 1)),
        "bert" => {}
        _ => kvs.u32("attention.head_count_kv", sizes.kv_heads),
    }
    if class.arch != "bert" && config.flag("is_causal") == Some(false) {
        kvs.bool("attention.causal", false);
    }
}

/// Head sizes, where the configuration has them; llama.cpp divides otherwise.
fn heads(sizes: &Sizes, kvs: &mut Kvs) {
    kvs.u32("attention.key_length", sizes.head_given);
    kvs.u32("attention.value_length", sizes.head_given);
}

fn experts(class: &Class, config: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) {
    if sizes.dense_lead.is_none() {
        return;
    }
    kvs.u32("expert_count", sizes.experts);
    kvs.u32("expert_used_count", sizes.experts_used);
    expert_groups(config, sizes, kvs);
    // V3's scores are sigmoids; configurations that the transformers library saved may not say so.
    let usual = (class.name == "DeepseekV3ForCausalLM").then_some("sigmoid");
    let gating = config.text("scoring_func").or(usual).and_then(|name| match name {
        "softmax" => Some(1),
        "sigmoid" if class.arch == "deepseek2" => Some(2),
        _ => {
            config.problem("scoring_func", "is a function that llama.cpp does not have for this architecture");
            None
        }
    });
    kvs.u32("expert_gating_func", gating);
    if class.arch != "llama" && class.arch != "deepseek2" {
        // Whether weights of the chosen experts are scaled to sum up to 1 is fixed for these in llama.cpp's graphs.
        // All of their configuration classes document false as the default.
        let (fixed, ours) = (class.arch == "qwen3moe", config.flag("norm_topk_prob").unwrap_or(false));
        if fixed != ours {
            config.problem("norm_topk_prob", &format!("is {ours}, and llama.cpp computes this as if it were {fixed}"));
        }
    }
    if config.has("moe_layer_freq") && config.uint("moe_layer_freq") != Some(1) {
        config.problem("moe_layer_freq", "is not 1, and llama.cpp expects experts in every layer behind the first");
    }
    if class.arch.starts_with("qwen") {
        kvs.u32("expert_feed_forward_length", sizes.expert_ff);
    }
    if class.arch == "qwen2moe" {
        let shared = sizes.shared_ff.and_then(|ff| u32::try_from(ff).ok());
        kvs.u32("expert_shared_feed_forward_length", shared);
    }
}

/// Groups of experts, within the limits that llama.cpp's loader stops at.
fn expert_groups(config: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) {
    let (groups, used) = (config.uint("n_group"), config.uint("topk_group"));
    if groups.is_some_and(|groups| groups > 1) && config.text("topk_method").is_some_and(|name| name != "noaux_tc") {
        config.report().note(
            "llama.cpp chooses groups of experts by the sum of their two best scores; this model's topk_method does \
             not"
            .to_owned(),
        );
    }
    if let (Some(groups), Some(experts)) = (groups, sizes.experts) {
        if groups >= experts || groups > 1 && !experts.is_multiple_of(groups) {
            config.problem("n_group", &format!("is {groups}, which {experts} experts do not divide into"));
        }
        if groups > 1 && used.is_none_or(|used| used >= groups) {
            config.problem("topk_group", &format!("is not below n_group ({groups})"));
        }
    }
    kvs.u32("expert_group_count", groups);
    kvs.u32("expert_group_used_count", used);
}

/// llama.cpp's graphs have one activation function each.
fn activation(class: &Class, config: &Config<'_>) {
    let fitting: &[&str] = match class.arch {
        "gemma2" | "gemma3" => &["gelu_pytorch_tanh", "gelu_new"],
        "bert" => &["gelu", "gelu_new", "gelu_pytorch_tanh"],
        _ => &["silu", "swish"],
    };
    let key = if config.has("hidden_activation") { "hidden_activation" } else { "hidden_act" };
    if config.text(key).is_some_and(|name| !fitting.contains(&name)) {
        config.problem(key, &format!("is a function that llama.cpp does not use here; it has {}", fitting[0]));
    }
}

/// These architectures attend to everything in llama.cpp.
fn sliding_note(config: &Config<'_>, has_window: bool) {
    if let Some(window) = config.count("sliding_window").filter(|_| has_window) {
        config.report().note(format!(
            "the sliding window of {window} tokens was left out; llama.cpp lets this architecture attend to all \
             tokens"
        ));
    }
}

fn gemma(class: &Class, config: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) {
    kvs.u32("attention.key_length", sizes.head);
    kvs.u32("attention.value_length", sizes.head);
    if class.arch == "gemma2" {
        kvs.f32("attn_logit_softcapping", config.need_positive("attn_logit_softcapping"));
        kvs.f32("final_logit_softcapping", config.need_positive("final_logit_softcapping"));
    } else {
        if config.has("attn_logit_softcapping") {
            config.problem("attn_logit_softcapping", "is set, and llama.cpp has no such thing in gemma3");
        }
        kvs.f32("final_logit_softcapping", config.positive("final_logit_softcapping"));
    }
    gemma_scale(class, config, sizes);
    gemma_window(class, config, sizes, kvs);
}

/// llama.cpp divides scores by the root of the head size, and of hidden size ÷ heads in the models with 46 (Gemma 2)
/// or 62 (Gemma 3) layers.
fn gemma_scale(class: &Class, config: &Config<'_>, sizes: &Sizes) {
    let (Some(embd), Some(heads), Some(head)) = (sizes.embd, sizes.heads, sizes.head) else { return };
    let largest = sizes.layers == Some(if class.arch == "gemma2" { 46 } else { 62 });
    let expected = if largest { embd / heads } else { head };
    let asked = config.positive("query_pre_attn_scalar");
    if asked.is_some_and(|asked| asked != f64::from(expected)) {
        config.problem("query_pre_attn_scalar", &format!("is not {expected}, the number that llama.cpp computes"));
    }
}

/// The window and which layers have it. Every second (Gemma 2) or all but every sixth layer (Gemma 3) has it without a
/// key; other patterns are written out, which loaders from 2025 do not read.
fn gemma_window(class: &Class, config: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) {
    let usual: u32 = if class.arch == "gemma2" { 2 } else { 6 };
    let has_window = |layer: usize, period: u32| !(layer as u64 + 1).is_multiple_of(u64::from(period));
    let windows = layer_types(config, sizes);
    let period = ["sliding_window_pattern", "_sliding_window_pattern"].into_iter().find_map(|key| config.uint(key));
    let pattern = match (&windows, period) {
        (Some(windows), _) if windows.iter().enumerate().all(|(i, window)| *window == has_window(i, usual)) => None,
        (Some(windows), _) => {
            let head: Vec<Value> = windows.iter().map(|window| Value::Bool(*window)).collect();
            Some(Value::Array { element: ValueType::Bool, len: head.len() as u64, head })
        }
        (None, Some(period)) => (period != usual).then(|| Value::u32(period)),
        (None, None) => None,
    };
    let none_has = windows.as_ref().map_or(period == Some(1), |windows| !windows.contains(&true));
    if none_has && class.arch == "gemma3" {
        return;
    }
    kvs.u32("attention.sliding_window", config.need_uint("sliding_window"));
    kvs.value("attention.sliding_window_pattern", pattern);
}

/// Which layers have a window, if the configuration lists them.
fn layer_types(config: &Config<'_>, sizes: &Sizes) -> Option<Vec<bool>> {
    let words = config.words("layer_types")?;
    if sizes.layers.is_some_and(|layers| layers as usize != words.len()) {
        config.problem("layer_types", &format!("has {} entries, another number than num_hidden_layers", words.len()));
        return None;
    }
    let window = |word: &&str| match *word {
        "sliding_attention" => Some(true),
        "full_attention" => Some(false),
        _ => None,
    };
    let windows: Option<Vec<bool>> = words.iter().map(window).collect();
    if windows.is_none() {
        config.problem("layer_types", "has something else than sliding_attention and full_attention in it");
    }
    windows
}

fn deepseek(config: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) {
    heads(sizes, kvs);
    kvs.u32("rope.dimension_count", sizes.head);
    if !config.has("rope_scaling") && !config.has("rope_parameters") {
        kvs.text("rope.scaling.type", "none");
    }
    kvs.u32("leading_dense_block_count", sizes.dense_lead);
    kvs.u32("vocab_size", sizes.vocab);
    kvs.u32("expert_feed_forward_length", sizes.expert_ff);
    kvs.f32("expert_weights_scale", Some(config.positive("routed_scaling_factor").unwrap_or(1.0)));
    kvs.u32("expert_shared_count", sizes.shared_experts);
}

fn deepseek2(class: &Class, config: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) {
    let sum = |a: Option<u32>, b: Option<u32>| a?.checked_add(b?);
    // The loader knows models with plain queries by their size.
    let lite = match sizes.layers {
        Some(26 | 27) | None => true,
        Some(48) => sizes.vocab == Some(128_256),
        Some(_) => false,
    };
    if sizes.query_rank.is_none() && !lite {
        let sentence = "is missing, and llama.cpp takes models without it only if they have 26 or 27 layers";
        config.problem("q_lora_rank", sentence);
    }
    kvs.u32("leading_dense_block_count", sizes.dense_lead);
    kvs.u32("vocab_size", sizes.vocab);
    kvs.u32("attention.q_lora_rank", sizes.query_rank);
    kvs.u32("attention.kv_lora_rank", sizes.key_rank);
    kvs.u32("attention.key_length", sum(sizes.key_rank, sizes.rope));
    kvs.u32("attention.value_length", sizes.key_rank);
    kvs.u32("attention.key_length_mla", sum(sizes.nope, sizes.rope));
    kvs.u32("attention.value_length_mla", sizes.value);
    kvs.u32("expert_feed_forward_length", sizes.expert_ff);
    kvs.u32("expert_shared_count", sizes.shared_experts);
    kvs.f32("expert_weights_scale", config.positive("routed_scaling_factor"));
    if config.flag("norm_topk_prob").unwrap_or(class.name == "DeepseekV3ForCausalLM") {
        kvs.bool("expert_weights_norm", true);
    }
    kvs.u32("rope.dimension_count", sizes.rope);
    kvs.f32("rope.scaling.yarn_log_multiplier", Rope::new(config).yarn_log_multiplier());
}

fn bert(config: &Config<'_>, kvs: &mut Kvs) {
    kvs.f32("attention.layer_norm_epsilon", config.need_positive("layer_norm_eps"));
    kvs.bool("attention.causal", false);
    if config.text("position_embedding_type").is_some_and(|kind| kind != "absolute") {
        config.problem("position_embedding_type", "is not 'absolute', the only kind that llama.cpp has for bert");
    }
}

/// `general.*`: what the file is, its name, and the sampling that `generation_config.json` recommends.
pub(super) fn general(class: &Class, name: Option<&str>, generation: Option<&Json>, kvs: &mut Kvs) {
    kvs.plain("general.architecture", Value::string(class.arch));
    kvs.plain("general.type", Value::string("model"));
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        kvs.plain("general.name", Value::string(name));
    }
    let Some(generation) = generation.and_then(Json::as_object) else { return };
    let number = |key: &str| generation.get(key).and_then(Json::as_f64);
    let above_0 = |key: &str| number(key).filter(|x| *x as f32 > 0.0 && (*x as f32).is_finite()).map(float);
    let top_k = generation.get("top_k").and_then(Json::as_i64).filter(|k| (1..=i64::from(i32::MAX)).contains(k));
    let recommended = [
        ("general.sampling.top_k", top_k.map(|k| Value::Signed(k, ValueType::I32))),
        ("general.sampling.top_p", above_0("top_p")),
        ("general.sampling.min_p", above_0("min_p")),
        ("general.sampling.temp", above_0("temperature")),
        ("general.sampling.penalty_repeat", above_0("repetition_penalty")),
    ];
    for (key, value) in recommended {
        if let Some(value) = value {
            kvs.plain(key, value);
        }
    }
}

/// `pooling_type` from the `config.json` of a sentence-transformers pooling module.
pub(super) fn pooling(class: &Class, config: &Config<'_>, pooling: Option<&Json>, kvs: &mut Kvs) {
    let Some(pooling) = pooling else {
        if class.arch == "bert" {
            config.report().note(
                "no pooling configuration was given, so the file says nothing about how token embeddings are pooled"
                    .to_owned(),
            );
        }
        return;
    };
    let set = |key: &str| pooling.get(key).and_then(Json::as_bool) == Some(true);
    let mode = pooling.get("pooling_mode").and_then(Json::as_str);
    let number = if set("pooling_mode_mean_tokens") || mode == Some("mean") {
        Some(1)
    } else if set("pooling_mode_cls_token") || mode == Some("cls") {
        Some(2)
    } else if set("pooling_mode_lasttoken") || mode == Some("lasttoken") {
        Some(3)
    } else {
        config.report().gap(super::report::Gap::Config, || {
            "the pooling configuration asks for none of the kinds that llama.cpp has: mean, cls, lasttoken".to_owned()
        });
        None
    };
    kvs.u32("pooling_type", number);
}
