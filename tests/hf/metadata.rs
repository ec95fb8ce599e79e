//! The metadata of published models against what llama.cpp's converter writes for them.

use serde_json::{Value as Json, json};
use tritscope::engine::format::gguf::Value;
use tritscope::engine::hf::{Folder, convert};

use crate::models::*;

/// Keys with their types and values, one a line, as `KEY TYPE VALUE`.
fn lines(kvs: &[(String, Value)]) -> Vec<String> {
    kvs.iter().map(|(key, value)| format!("{key} {} {value}", value.value_type().name())).collect()
}

fn check(model: &Model, expected: &str) {
    let conversion = model.convert();
    assert_eq!(conversion.missing, Vec::<String>::new(), "{}", model.name);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(lines(&conversion.kvs), expected, "{}", model.name);
}

#[test]
fn llamas() {
    check(
        &llama_3_2_1b(),
        "general.architecture string llama
        general.type string model
        llama.block_count u32 16
        llama.context_length u32 131072
        llama.embedding_length u32 2048
        llama.feed_forward_length u32 8192
        llama.attention.head_count u32 32
        llama.attention.head_count_kv u32 8
        llama.rope.freq_base f32 500000.0
        llama.attention.layer_norm_rms_epsilon f32 1e-5
        llama.attention.key_length u32 64
        llama.attention.value_length u32 64
        llama.vocab_size u32 128256
        llama.rope.dimension_count u32 64",
    );
    check(
        &mistral_7b(),
        "general.architecture string llama
        general.type string model
        llama.block_count u32 32
        llama.context_length u32 32768
        llama.embedding_length u32 4096
        llama.feed_forward_length u32 14336
        llama.attention.head_count u32 32
        llama.attention.head_count_kv u32 8
        llama.rope.freq_base f32 10000.0
        llama.attention.layer_norm_rms_epsilon f32 1e-5
        llama.vocab_size u32 32000
        llama.rope.dimension_count u32 128",
    );
    check(
        &mixtral_8x7b(),
        "general.architecture string llama
        general.type string model
        llama.block_count u32 32
        llama.context_length u32 32768
        llama.embedding_length u32 4096
        llama.feed_forward_length u32 14336
        llama.attention.head_count u32 32
        llama.attention.head_count_kv u32 8
        llama.rope.freq_base f32 1000000.0
        llama.attention.layer_norm_rms_epsilon f32 1e-5
        llama.expert_count u32 8
        llama.expert_used_count u32 2
        llama.vocab_size u32 32000
        llama.rope.dimension_count u32 128",
    );
}

#[test]
fn qwens() {
    check(
        &qwen2_0_5b(),
        "general.architecture string qwen2
        general.type string model
        qwen2.block_count u32 24
        qwen2.context_length u32 131072
        qwen2.embedding_length u32 896
        qwen2.feed_forward_length u32 4864
        qwen2.attention.head_count u32 14
        qwen2.attention.head_count_kv u32 2
        qwen2.rope.freq_base f32 1000000.0
        qwen2.attention.layer_norm_rms_epsilon f32 1e-6",
    );
    check(
        &qwen3_0_6b(),
        "general.architecture string qwen3
        general.type string model
        qwen3.block_count u32 28
        qwen3.context_length u32 40960
        qwen3.embedding_length u32 1024
        qwen3.feed_forward_length u32 3072
        qwen3.attention.head_count u32 16
        qwen3.attention.head_count_kv u32 8
        qwen3.rope.freq_base f32 1000000.0
        qwen3.attention.layer_norm_rms_epsilon f32 1e-6
        qwen3.attention.key_length u32 128
        qwen3.attention.value_length u32 128",
    );
}

#[test]
fn qwens_with_experts() {
    check(
        &qwen1_5_moe_a2_7b(),
        "general.architecture string qwen2moe
        general.type string model
        qwen2moe.block_count u32 24
        qwen2moe.context_length u32 8192
        qwen2moe.embedding_length u32 2048
        qwen2moe.feed_forward_length u32 5632
        qwen2moe.attention.head_count u32 16
        qwen2moe.attention.head_count_kv u32 16
        qwen2moe.rope.freq_base f32 1000000.0
        qwen2moe.attention.layer_norm_rms_epsilon f32 1e-6
        qwen2moe.expert_count u32 60
        qwen2moe.expert_used_count u32 4
        qwen2moe.expert_feed_forward_length u32 1408
        qwen2moe.expert_shared_feed_forward_length u32 5632",
    );
    check(
        &qwen3_30b_a3b(),
        "general.architecture string qwen3moe
        general.type string model
        qwen3moe.block_count u32 48
        qwen3moe.context_length u32 40960
        qwen3moe.embedding_length u32 2048
        qwen3moe.feed_forward_length u32 6144
        qwen3moe.attention.head_count u32 32
        qwen3moe.attention.head_count_kv u32 4
        qwen3moe.rope.freq_base f32 1000000.0
        qwen3moe.attention.layer_norm_rms_epsilon f32 1e-6
        qwen3moe.expert_count u32 128
        qwen3moe.expert_used_count u32 8
        qwen3moe.expert_feed_forward_length u32 768
        qwen3moe.attention.key_length u32 128
        qwen3moe.attention.value_length u32 128",
    );
}

#[test]
fn gemmas_and_phi() {
    check(
        &gemma_2_2b(),
        "general.architecture string gemma2
        general.type string model
        gemma2.block_count u32 26
        gemma2.context_length u32 8192
        gemma2.embedding_length u32 2304
        gemma2.feed_forward_length u32 9216
        gemma2.attention.head_count u32 8
        gemma2.attention.head_count_kv u32 4
        gemma2.rope.freq_base f32 10000.0
        gemma2.attention.layer_norm_rms_epsilon f32 1e-6
        gemma2.attention.key_length u32 256
        gemma2.attention.value_length u32 256
        gemma2.attn_logit_softcapping f32 50.0
        gemma2.final_logit_softcapping f32 30.0
        gemma2.attention.sliding_window u32 4096",
    );
    check(
        &gemma_3_1b(),
        "general.architecture string gemma3
        general.type string model
        gemma3.block_count u32 26
        gemma3.context_length u32 32768
        gemma3.embedding_length u32 1152
        gemma3.feed_forward_length u32 6912
        gemma3.attention.head_count u32 4
        gemma3.attention.head_count_kv u32 1
        gemma3.rope.freq_base f32 1000000.0
        gemma3.rope.freq_base_swa f32 10000.0
        gemma3.attention.layer_norm_rms_epsilon f32 1e-6
        gemma3.attention.key_length u32 256
        gemma3.attention.value_length u32 256
        gemma3.attention.sliding_window u32 512",
    );
    check(
        &phi_3_mini_4k(),
        "general.architecture string phi3
        general.type string model
        phi3.block_count u32 32
        phi3.context_length u32 4096
        phi3.embedding_length u32 3072
        phi3.feed_forward_length u32 8192
        phi3.attention.head_count u32 32
        phi3.attention.head_count_kv u32 32
        phi3.rope.freq_base f32 10000.0
        phi3.attention.layer_norm_rms_epsilon f32 1e-5
        phi3.rope.scaling.original_context_length u32 4096
        phi3.rope.dimension_count u32 96
        phi3.attention.sliding_window u32 2047",
    );
}

#[test]
fn deepseeks() {
    check(
        &deepseek_moe_16b(),
        "general.architecture string deepseek
        general.type string model
        deepseek.block_count u32 28
        deepseek.context_length u32 4096
        deepseek.embedding_length u32 2048
        deepseek.feed_forward_length u32 10944
        deepseek.attention.head_count u32 16
        deepseek.attention.head_count_kv u32 16
        deepseek.rope.freq_base f32 10000.0
        deepseek.attention.layer_norm_rms_epsilon f32 1e-6
        deepseek.expert_count u32 64
        deepseek.expert_used_count u32 6
        deepseek.expert_gating_func u32 1
        deepseek.rope.dimension_count u32 128
        deepseek.rope.scaling.type string none
        deepseek.leading_dense_block_count u32 1
        deepseek.vocab_size u32 102400
        deepseek.expert_feed_forward_length u32 1408
        deepseek.expert_weights_scale f32 1.0
        deepseek.expert_shared_count u32 2",
    );
    check(
        &deepseek_v2_lite(),
        "general.architecture string deepseek2
        general.type string model
        deepseek2.block_count u32 27
        deepseek2.context_length u32 163840
        deepseek2.embedding_length u32 2048
        deepseek2.feed_forward_length u32 10944
        deepseek2.attention.head_count u32 16
        deepseek2.attention.head_count_kv u32 1
        deepseek2.rope.scaling.type string yarn
        deepseek2.rope.scaling.factor f32 40.0
        deepseek2.rope.scaling.original_context_length u32 4096
        deepseek2.rope.scaling.yarn_beta_fast f32 32.0
        deepseek2.rope.scaling.yarn_beta_slow f32 1.0
        deepseek2.rope.freq_base f32 10000.0
        deepseek2.attention.layer_norm_rms_epsilon f32 1e-6
        deepseek2.expert_count u32 64
        deepseek2.expert_used_count u32 6
        deepseek2.expert_group_count u32 1
        deepseek2.expert_group_used_count u32 1
        deepseek2.expert_gating_func u32 1
        deepseek2.leading_dense_block_count u32 1
        deepseek2.vocab_size u32 102400
        deepseek2.attention.kv_lora_rank u32 512
        deepseek2.attention.key_length u32 576
        deepseek2.attention.value_length u32 512
        deepseek2.attention.key_length_mla u32 192
        deepseek2.attention.value_length_mla u32 128
        deepseek2.expert_feed_forward_length u32 1408
        deepseek2.expert_shared_count u32 2
        deepseek2.expert_weights_scale f32 1.0
        deepseek2.rope.dimension_count u32 64
        deepseek2.rope.scaling.yarn_log_multiplier f32 0.0707",
    );
}

#[test]
fn a_v3_configuration_may_leave_out_what_the_class_always_does() {
    let whole = deepseek_v3().with(&json!({"num_hidden_layers": 4, "n_routed_experts": 16}));
    let mut bare = whole.config.clone();
    for key in ["scoring_func", "topk_method", "norm_topk_prob", "n_group", "topk_group", "routed_scaling_factor"] {
        bare.as_object_mut().unwrap().remove(key).unwrap();
    }
    let (whole, bare) = (whole.convert(), convert_of(&bare, &whole.tensors()));
    assert_eq!((lines(&whole.kvs), &whole.missing), (lines(&bare.kvs), &bare.missing));
    let has = |line: &str| assert!(lines(&whole.kvs).contains(&line.to_owned()), "{line}");
    has("deepseek2.expert_gating_func u32 2");
    has("deepseek2.expert_weights_norm bool true");
    has("deepseek2.attention.q_lora_rank u32 1536");
    has("deepseek2.expert_group_count u32 8");
}

#[test]
fn an_encoder_with_its_pooling() {
    let (model, pooling) = (
        minilm_l6(),
        json!({"word_embedding_dimension": 384, "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false}),
    );
    let tensors = model.tensors();
    let folder = Folder {
        config: &model.config,
        generation: None,
        pooling: Some(&pooling),
        name: Some("all-MiniLM-L6-v2"),
        tensors: &tensors,
    };
    let conversion = convert(&folder).unwrap();
    let expected = "general.architecture string bert
        general.type string model
        general.name string all-MiniLM-L6-v2
        bert.block_count u32 6
        bert.context_length u32 512
        bert.embedding_length u32 384
        bert.feed_forward_length u32 1536
        bert.attention.head_count u32 12
        bert.attention.layer_norm_epsilon f32 1e-12
        bert.attention.causal bool false
        bert.pooling_type u32 1";
    assert_eq!(lines(&conversion.kvs), expected.lines().map(str::trim).collect::<Vec<_>>());
    assert_eq!((conversion.vocab_size, conversion.token_type_count), (Some(30522), Some(2)));
    for (pooling, number) in [
        (json!({"pooling_mode_cls_token": true}), Some(2)),
        (json!({"pooling_mode_lasttoken": true}), Some(3)),
        (json!({"pooling_mode": "mean"}), Some(1)),
        (json!({"pooling_mode_max_tokens": true}), None),
        (json!("mean"), None),
    ] {
        let conversion = convert(&Folder { pooling: Some(&pooling), ..folder }).unwrap();
        let found = conversion.kvs.iter().find(|(key, _)| key == "bert.pooling_type");
        assert_eq!(found.and_then(|(_, value)| value.as_u64()), number, "{pooling}");
        assert_eq!(conversion.missing.is_empty(), number.is_some(), "{pooling}: {:?}", conversion.missing);
    }
}

#[test]
fn the_language_part_of_a_larger_gemma() {
    // What google/gemma-3-4b-it has, and its tensor names from before and after transformers 4.52.
    let text = json!({"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
        "num_hidden_layers": 2, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024});
    let config = json!({"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
        "text_config": text, "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27}});
    let mut plain = gemma_3_1b();
    plain = plain.with(&text).with(&json!({"num_attention_heads": 8, "num_key_value_heads": 4,
        "max_position_embeddings": 131_072, "vocab_size": 262_208}));
    let old = |name: &str| format!("language_model.{name}");
    let new = |name: &str| name.replacen("model.", "model.language_model.", 1);
    let renames: [&dyn Fn(&str) -> String; 2] = [&old, &new];
    for rename in renames {
        let mut tensors = plain.tensors();
        for tensor in &mut tensors {
            tensor.name = rename(&tensor.name);
        }
        tensors.push(tensor("vision_tower.vision_model.embeddings.patch_embedding.weight", &[1152, 3, 14, 14]));
        tensors.push(tensor("model.multi_modal_projector.mm_input_projection_weight", &[1152, 2560]));
        let conversion = convert_of(&config, &tensors);
        assert_eq!(conversion.missing, Vec::<String>::new());
        assert_eq!(lines(&conversion.kvs), lines(&plain.convert().kvs));
        assert!(lines(&conversion.kvs).contains(&"gemma3.rope.scaling.factor f32 8.0".to_owned()));
        assert_eq!(conversion.tensors, plain.convert().tensors);
        assert!(conversion.notes.contains(&"2 tensors were left out: the image encoder".to_owned()));
    }
}

#[test]
fn rotary_parameters_in_the_newer_spelling() {
    let (old, mut new) = (llama_3_2_1b(), llama_3_2_1b());
    let map = new.config.as_object_mut().unwrap();
    let mut parameters = map.remove("rope_scaling").unwrap();
    parameters["rope_theta"] = map.remove("rope_theta").unwrap();
    map.insert("rope_parameters".into(), parameters);
    let (old, new) = (old.convert(), new.convert());
    assert_eq!((old.kvs, old.computed, old.missing), (new.kvs, new.computed, new.missing));

    let mut gemma = gemma_3_1b();
    for key in ["rope_theta", "rope_local_base_freq", "rope_scaling"] {
        gemma.config.as_object_mut().unwrap().remove(key);
    }
    gemma.config["rope_parameters"] = json!({
        "full_attention": {"rope_theta": 1_000_000.0, "rope_type": "linear", "factor": 8.0},
        "sliding_attention": {"rope_theta": 20000.0, "rope_type": "default"}});
    let found = lines(&gemma.convert().kvs);
    for line in [
        "gemma3.rope.scaling.type string linear",
        "gemma3.rope.freq_base f32 1000000.0",
        "gemma3.rope.freq_base_swa f32 20000.0",
    ] {
        assert!(found.contains(&line.to_owned()), "{line}: {found:?}");
    }
}

#[test]
fn windows_that_do_not_follow_the_usual_pattern() {
    let pattern = |model: Model, changes: Json| {
        let kvs = model.with(&changes).convert().kvs;
        let value = |key: &str| kvs.iter().find(|(k, _)| k.ends_with(key)).map(|(_, value)| value.to_string());
        (value("attention.sliding_window"), value("attention.sliding_window_pattern"))
    };
    let (full, window) = ("full_attention", "sliding_attention");
    let usual = json!({"num_hidden_layers": 7, "layer_types": [window, window, window, window, window, full, window]});
    assert_eq!(pattern(gemma_3_1b(), usual), (Some("512".into()), None));
    let other = json!({"num_hidden_layers": 2, "layer_types": [full, window]});
    assert_eq!(pattern(gemma_3_1b(), other), (Some("512".into()), Some("[bool × 2] false, true".into())));
    let none = json!({"num_hidden_layers": 2, "layer_types": [full, full]});
    assert_eq!(pattern(gemma_3_1b(), none), (None, None));
    assert_eq!(pattern(gemma_3_1b(), json!({"sliding_window_pattern": 4})), (Some("512".into()), Some("4".into())));
    assert_eq!(pattern(gemma_3_1b(), json!({"sliding_window_pattern": 1})), (None, None));
    let gemma2 = json!({"num_hidden_layers": 2, "layer_types": [window, full]});
    assert_eq!(pattern(gemma_2_2b(), gemma2), (Some("4096".into()), None));
}

#[test]
fn names_and_recommended_sampling() {
    let mut model = llama_3_2_1b();
    let generation = json!({"temperature": 0.6, "top_p": 0.9, "top_k": 50, "repetition_penalty": "x", "min_p": 0,
        "do_sample": true});
    let tensors = model.tensors();
    let general = |config: &Json, name: Option<&str>| -> Vec<String> {
        let folder = Folder { config, generation: Some(&generation), pooling: None, name, tensors: &tensors };
        let kvs = convert(&folder).unwrap().kvs;
        lines(&kvs).into_iter().skip(2).take_while(|line| line.starts_with("general.")).collect()
    };
    let sampling = ["general.sampling.top_k i32 50", "general.sampling.top_p f32 0.9", "general.sampling.temp f32 0.6"];
    assert_eq!(general(&model.config, None), sampling);
    assert_eq!(general(&model.config, Some("my-llama"))[0], "general.name string my-llama");
    for (path, name) in [
        ("meta-llama/Llama-3.2-1B", Some("Llama-3.2-1B")),
        ("/home/someone/checkpoints", None),
        ("./out/checkpoint-100", None),
        ("C:\\models\\llama", None),
    ] {
        model.config["_name_or_path"] = json!(path);
        let first = &general(&model.config, None)[0];
        assert_eq!(first.strip_prefix("general.name string "), name, "{path}");
    }
}
