//! Broken folders: every key and tensor that is taken away is named, and nothing hostile brings the code down.

use serde_json::{Value as Json, json};
use tritscope::engine::hf::{Conversion, Folder, HfError, HfTensor, convert};

use crate::models::*;

fn says(conversion: &Conversion, what: &str) -> bool {
    conversion.missing.iter().any(|sentence| sentence.contains(what))
}

/// Keys that may be absent: those that no GGUF depends on, and those with a documented default.
const OPTIONAL: &[&str] = &[
    "attention_bias",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "aux_loss_alpha",
    "bos_token_id",
    "cache_implementation",
    "decoder_sparse_step",
    "eos_token_id",
    "gradient_checkpointing",
    "head_dim",
    "hidden_act",
    "hidden_activation",
    "hidden_dropout_prob",
    "initializer_range",
    "layer_norm_eps",
    "max_window_layers",
    "mlp_bias",
    "mlp_only_layers",
    "model_type",
    "moe_layer_freq",
    "n_group",
    "norm_topk_prob",
    "num_nextn_predict_layers",
    "output_router_logits",
    "pad_token_id",
    "position_embedding_type",
    "pretraining_tp",
    "query_pre_attn_scalar",
    "rms_norm_eps",
    "rope_local_base_freq",
    "rope_scaling",
    "rope_theta",
    "routed_scaling_factor",
    "router_aux_loss_coef",
    "scoring_func",
    "seq_aux",
    "sliding_window_pattern",
    "tie_word_embeddings",
    "topk_group",
    "topk_method",
    "torch_dtype",
    "type_vocab_size",
    "use_sliding_window",
];

/// Keys that a class needs although others do not, or the other way round.
fn is_optional(model: &Model, key: &str) -> bool {
    let follows =
        ["Llama-3.2-1B", "Phi-3-mini-4k-instruct", "deepseek-moe-16b-base", "DeepSeek-V2-Lite", "DeepSeek-V3"];
    match key {
        "num_key_value_heads" => follows.contains(&model.name) || model.name == "Gemma-3-1b",
        "sliding_window" => !model.name.starts_with("Gemma"),
        "original_max_position_embeddings" => true,
        "num_attention_heads" | "max_position_embeddings" | "vocab_size" => model.name == "Gemma-3-1b",
        "final_logit_softcapping" | "attn_logit_softcapping" => model.name != "Gemma-2-2b",
        "first_k_dense_replace" => model.name == "DeepSeek-V3",
        "norm_topk_prob" => model.name != "Qwen3-30B-A3B",
        "q_lora_rank" => false,
        _ => OPTIONAL.contains(&key),
    }
}

#[test]
fn every_key_that_is_needed_is_named_when_it_is_gone() {
    let mut checked = 0;
    for model in small() {
        let tensors = model.tensors();
        for (key, value) in model.config.as_object().unwrap() {
            if key == "architectures" || value.is_null() || is_optional(&model, key) {
                continue;
            }
            let mut config = model.config.clone();
            config.as_object_mut().unwrap().remove(key);
            let conversion = convert_of(&config, &tensors);
            assert!(says(&conversion, key), "{} without {key}: {:?}", model.name, conversion.missing);
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn every_tensor_that_is_needed_is_named_when_it_is_gone() {
    let mut checked = 0;
    for model in small() {
        let tensors = model.tensors();
        assert_eq!(model.convert().missing, Vec::<String>::new(), "{}", model.name);
        for (i, gone) in tensors.iter().enumerate() {
            let spare = ["position_ids", "pooler", "eh_proj", "layers.4.input_layernorm"];
            if spare.iter().any(|part| gone.name.contains(part)) {
                continue;
            }
            let rest: Vec<HfTensor> =
                tensors.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, t)| t.clone()).collect();
            let conversion = convert_of(&model.config, &rest);
            let said = format!("tensor {} is missing", gone.name);
            assert_eq!(conversion.missing, [said.as_str()], "{}", model.name);
            checked += 1;
        }
    }
    assert!(checked > 400, "{checked}");
}

#[test]
fn a_tensor_of_another_shape_is_named() {
    for model in small() {
        let mut tensors = model.tensors();
        // Of the model with many layers every seventh will do: all kinds come up.
        for i in (0..tensors.len()).step_by(if tensors.len() > 300 { 7 } else { 1 }) {
            let shape = tensors[i].shape.clone();
            let name = tensors[i].name.clone();
            let spare = ["position_ids", "pooler", "eh_proj", "layers.4.input_layernorm"];
            if spare.iter().any(|part| name.contains(part)) {
                continue;
            }
            for change in [shape[0] + 2, shape[0] * 2, 0, u64::MAX] {
                tensors[i].shape[0] = change;
                let conversion = convert_of(&model.config, &tensors);
                let named = conversion.missing.iter().any(|s| s.contains(&name) || s.contains("differs in shape"));
                assert!(named, "{} {name} {change}: {:?}", model.name, conversion.missing);
            }
            tensors[i].shape = [shape, vec![3]].concat();
            assert!(!convert_of(&model.config, &tensors).missing.is_empty(), "{} {name}", model.name);
            tensors[i].shape.pop();
        }
    }
}

#[test]
fn tensors_without_a_place_stop_the_conversion() {
    let model = llama_3_2_1b().with(&json!({"num_hidden_layers": 1}));
    for name in [
        "model.layers.0.self_attn.q_proj.weight_scale_inv",
        "model.layers.0.self_attn.q_proj.lora_A.weight",
        "model.layers.0.self_attn.q_norm.weight",
        "model.layers.1.input_layernorm.weight",
        "model.layers.0.block_sparse_moe.gate.weight",
        "model.layers.0.block_sparse_moe.experts.0.w1.weight",
        "model.layers.0.mlp.experts.gate_up_proj",
        "embed_tokens.weight",
        "something\u{1b}[31m",
    ] {
        let mut tensors = model.tensors();
        tensors.push(tensor(name, &[2, 2]));
        let conversion = convert_of(&model.config, &tensors);
        assert_eq!(conversion.missing.len(), 1, "{name}: {:?}", conversion.missing);
        let escaped = name.replace('\u{1b}', "\\u{1b}");
        assert!(conversion.missing[0].contains(&escaped), "{:?}", conversion.missing);
    }
    let mut tensors = model.tensors();
    tensors.push(tensor("model.layers.0.self_attn.rotary_emb.inv_freq", &[32]));
    assert!(convert_of(&model.config, &tensors).missing.is_empty(), "an old buffer does no harm");
}

#[test]
fn experts_that_do_not_add_up() {
    let model = qwen3_30b_a3b().with(&json!({"num_hidden_layers": 1, "num_experts": 10}));
    let more = model.config.clone();
    let mut extra = model.tensors();
    extra.push(tensor("model.layers.0.mlp.experts.10.up_proj.weight", &[768, 2048]));
    assert!(says(&convert_of(&more, &extra), "experts.10.up_proj.weight is expert 10, and config.json counts 10"));

    let mut both = model.tensors();
    both.push(tensor("model.layers.0.mlp.experts.down_proj", &[10, 2048, 768]));
    assert!(says(&convert_of(&more, &both), "down_proj holds all experts, which are there one by one as well"));

    let mut turned: Vec<HfTensor> = model.tensors().into_iter().filter(|t| !t.name.contains(".experts.")).collect();
    turned.push(tensor("model.layers.0.mlp.experts.gate_up_proj", &[10, 2048, 1536]));
    turned.push(tensor("model.layers.0.mlp.experts.down_proj", &[10, 768, 2048]));
    let conversion = convert_of(&more, &turned);
    assert_eq!(conversion.missing.len(), 3, "rows and columns changed places: {:?}", conversion.missing);

    let square =
        qwen3_30b_a3b().with(&json!({"num_hidden_layers": 1, "num_experts": 10, "moe_intermediate_size": 1024}));
    let mut fused: Vec<HfTensor> = square.tensors().into_iter().filter(|t| !t.name.contains(".experts.")).collect();
    fused.push(tensor("model.layers.0.mlp.experts.gate_up_proj", &[10, 2048, 2048]));
    fused.push(tensor("model.layers.0.mlp.experts.down_proj", &[10, 2048, 1024]));
    assert!(says(&convert_of(&square.config, &fused), "rows cannot be told from columns"));

    let none: Vec<HfTensor> = qwen3_30b_a3b().tensors().into_iter().filter(|t| !t.name.contains(".experts.")).collect();
    let conversion = convert_of(&qwen3_30b_a3b().config, &none);
    assert!(conversion.missing.len() < 20, "a long list is cut short: {}", conversion.missing.len());
    assert!(says(&conversion, "more missing tensors"));

    let mut mixed = model.tensors();
    let one = mixed.iter_mut().find(|t| t.name.contains("experts.3.up_proj")).unwrap();
    one.dtype = "F32".into();
    assert!(says(&convert_of(&more, &mixed), "experts.3.up_proj.weight"), "experts are merged in one format");
}

#[test]
fn settings_that_llama_cpp_has_no_key_for() {
    for (model, key, value) in [
        (llama_3_2_1b(), "hidden_act", json!("relu")),
        (llama_3_2_1b(), "partial_rotary_factor", json!(0.5)),
        (llama_3_2_1b(), "quantization_config", json!({"quant_method": "fp8"})),
        (mistral_7b(), "rope_scaling", json!({"rope_type": "longrope", "factor": 2.0})),
        (mistral_7b(), "rope_scaling", json!({"factor": 2.0})),
        (mistral_7b(), "rope_scaling", json!({"type": "linear"})),
        (qwen2_0_5b(), "rope_scaling", json!({"rope_type": "llama3", "factor": 8.0})),
        (qwen3_30b_a3b(), "norm_topk_prob", json!(false)),
        (qwen1_5_moe_a2_7b(), "norm_topk_prob", json!(true)),
        (qwen3_30b_a3b(), "num_experts_per_tok", json!(129)),
        (gemma_2_2b(), "query_pre_attn_scalar", json!(224)),
        (gemma_3_1b(), "attn_logit_softcapping", json!(50.0)),
        (deepseek_moe_16b(), "moe_layer_freq", json!(2)),
        (deepseek_moe_16b(), "scoring_func", json!("sigmoid")),
        (deepseek_v2_lite(), "n_group", json!(64)),
        (minilm_l6(), "position_embedding_type", json!("relative_key")),
        (minilm_l6(), "hidden_act", json!("relu")),
    ] {
        let whole = ["all-MiniLM-L6-v2", "DeepSeek-V2-Lite"].contains(&model.name);
        let few = if whole { json!({}) } else { json!({"num_hidden_layers": 1}) };
        let model = model.with(&few);
        assert!(model.convert().missing.is_empty(), "{}", model.name);
        let tensors = model.tensors();
        let model = model.with(&json!({ key: value }));
        let conversion = convert_of(&model.config, &tensors);
        assert!(says(&conversion, key), "{} {key} {value}: {:?}", model.name, conversion.missing);
    }
    let plain_queries = deepseek_v2_lite().with(&json!({"num_hidden_layers": 30}));
    assert!(says(&plain_queries.convert(), "q_lora_rank"));
    let windowed = qwen2_0_5b().with(&json!({"use_sliding_window": true})).convert();
    assert!(windowed.missing.is_empty() && windowed.notes[0].contains("131072 tokens"), "{:?}", windowed.notes);
}

#[test]
fn formats_that_are_not_read() {
    let model = mistral_7b().with(&json!({"num_hidden_layers": 1}));
    let mut tensors = model.tensors();
    tensors[1].dtype = "F8_E4M3".into();
    let conversion = convert_of(&model.config, &tensors);
    assert_eq!(conversion.missing.len(), 1);
    assert!(says(&conversion, "model.layers.0.input_layernorm.weight is stored as F8_E4M3; F32, F16, BF16 are read"));
}

/// Values that no key should have.
fn hostile() -> Vec<Json> {
    vec![
        json!("text"),
        json!(""),
        json!(-1),
        json!(0),
        json!(1),
        json!(3),
        json!(1e300),
        json!(-1e300),
        json!(1e-320),
        json!(0.5),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(u32::MAX),
        json!(65536),
        json!(true),
        json!([]),
        json!([1, "a", null]),
        json!({}),
        json!({"factor": "x", "rope_type": 7}),
        json!(null),
        json!({"rope_type": "llama3", "factor": 1e-30, "low_freq_factor": 1e-30, "high_freq_factor": 1e30,
            "original_max_position_embeddings": 1}),
        json!({"type": "yarn", "factor": 1e39}),
        json!({"type": "longrope", "long_factor": [1e300], "short_factor": 1}),
        json!({"full_attention": 3, "sliding_attention": "x"}),
        json!("\u{202e}\u{0}".repeat(1000)),
    ]
}

#[test]
fn no_value_of_any_key_brings_it_down() {
    let also = [
        "rope_parameters",
        "rope_scaling",
        "text_config",
        "head_dim",
        "partial_rotary_factor",
        "layer_types",
        "sliding_window_pattern",
        "quantization_config",
        "is_causal",
        "attention_bias",
        "qkv_bias",
        "_name_or_path",
    ];
    for model in small() {
        let tensors = model.tensors();
        let keys: Vec<&str> = model.config.as_object().unwrap().keys().map(String::as_str).collect();
        for key in keys.iter().chain(&also) {
            for value in hostile() {
                let mut config = model.config.clone();
                config[*key] = value.clone();
                let folder = Folder {
                    config: &config,
                    generation: Some(&value),
                    pooling: Some(&value),
                    name: None,
                    tensors: &tensors,
                };
                let Ok(conversion) = convert(&folder) else {
                    assert_eq!(*key, "architectures");
                    continue;
                };
                for plan in &conversion.tensors {
                    let last = plan.elements().and_then(|n| n.checked_sub(1)).unwrap();
                    let (part, element) = plan.source(last).unwrap();
                    let from = &tensors[plan.parts[part]];
                    assert!(element < from.shape.iter().product(), "{} {key} {value} {}", model.name, plan.name);
                }
                let computed: usize = conversion.computed.iter().map(|(_, _, values)| values.len()).sum();
                assert!(computed <= 65536, "{computed} computed elements");
            }
        }
    }
}

#[test]
fn needed_numbers_of_the_wrong_kind_are_named() {
    for model in small() {
        let tensors = model.tensors();
        for key in ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size"] {
            for value in [json!("text"), json!(-1), json!(0), json!(1e300), json!(0.5), json!([]), json!(true)] {
                let mut config = model.config.clone();
                config[key] = value.clone();
                let conversion = convert_of(&config, &tensors);
                let said = format!("config.json: {key} is {value} and must be");
                assert!(says(&conversion, &said), "{} {key} {value}: {:?}", model.name, conversion.missing);
            }
        }
    }
}

#[test]
fn hostile_lists_of_tensors() {
    let model = deepseek_v2_lite().with(&json!({"num_hidden_layers": 2, "n_routed_experts": 3}));
    let shapes: [&[u64]; 7] =
        [&[], &[0], &[u64::MAX], &[u64::MAX, u64::MAX], &[1, 2, 3, 4, 5], &[0, 0, 0], &[u64::MAX, 1]];
    for shape in shapes {
        let mut tensors = model.tensors();
        for tensor in &mut tensors {
            tensor.shape = shape.to_vec();
        }
        assert!(!convert_of(&model.config, &tensors).missing.is_empty());
    }
    let twice = [model.tensors(), model.tensors()].concat();
    let conversion = convert_of(&model.config, &twice);
    assert!(says(&conversion, "tensor model.embed_tokens.weight has the place of tensor model.embed_tokens.weight"));
    assert!(!convert_of(&model.config, &[]).missing.is_empty());
}

#[test]
fn an_unknown_class_is_an_error_that_lists_the_known_ones() {
    let config = json!({"architectures": ["MambaForCausalLM"]});
    let folder = Folder { config: &config, generation: None, pooling: None, name: None, tensors: &[] };
    let error = convert(&folder).unwrap_err();
    assert!(matches!(&error, HfError::Unknown { name, .. } if name == "MambaForCausalLM"));
    let sentence = error.to_string();
    assert!(sentence.contains("MambaForCausalLM") && sentence.contains("Qwen3MoeForCausalLM"), "{sentence}");
}
