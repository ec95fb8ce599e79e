//! The tensors of published models: names, shapes, order, and where their elements come from.

use serde_json::json;
use tritscope::engine::hf::{HfTensor, TensorPlan, Transform};

use crate::models::*;

fn plan<'a>(plans: &'a [TensorPlan], name: &str) -> &'a TensorPlan {
    plans.iter().find(|plan| plan.name == name).unwrap()
}

/// Files of DeepSeek-V2-Lite from before 2025-04 have 377, one fewer a layer, with `kv_b_proj` unsplit.
#[test]
fn every_model_has_its_tensors_in_order() {
    for (model, count, first, last) in [
        (llama_3_2_1b(), 146, "token_embd.weight", "output_norm.weight"),
        (mistral_7b(), 291, "token_embd.weight", "output.weight"),
        (mixtral_8x7b(), 323, "token_embd.weight", "output.weight"),
        (qwen2_0_5b(), 290, "token_embd.weight", "output_norm.weight"),
        (qwen1_5_moe_a2_7b(), 411, "token_embd.weight", "output.weight"),
        (qwen3_0_6b(), 310, "token_embd.weight", "output_norm.weight"),
        (qwen3_30b_a3b(), 579, "token_embd.weight", "output.weight"),
        (gemma_2_2b(), 288, "token_embd.weight", "output_norm.weight"),
        (gemma_3_1b(), 340, "token_embd.weight", "output_norm.weight"),
        (phi_3_mini_4k(), 195, "token_embd.weight", "output.weight"),
        (deepseek_moe_16b(), 363, "token_embd.weight", "output.weight"),
        (deepseek_v2_lite(), 404, "token_embd.weight", "output.weight"),
        (minilm_l6(), 101, "token_embd.weight", "blk.5.ffn_down.weight"),
    ] {
        let conversion = model.convert();
        assert_eq!(conversion.missing, Vec::<String>::new(), "{}", model.name);
        let names: Vec<&str> = conversion.tensors.iter().map(|plan| plan.name.as_str()).collect();
        assert_eq!(names.len(), count, "{}", model.name);
        assert_eq!((names[0], *names.last().unwrap()), (first, last), "{}", model.name);
        let layers: Vec<u32> = names.iter().filter_map(|name| name.split('.').nth(1)?.parse().ok()).collect();
        assert!(layers.is_sorted(), "{}: layer after layer", model.name);
        let mut used = vec![0; model.tensors().len()];
        conversion.tensors.iter().flat_map(|plan| &plan.parts).for_each(|part| used[*part] += 1);
        let left_out = used.iter().filter(|count| **count == 0).count();
        assert_eq!(left_out, if model.name.contains("MiniLM") { 3 } else { 0 }, "{}", model.name);
    }
}

#[test]
fn shapes_and_transforms_of_each_family() {
    let permuted = |heads| Transform::PermuteHeads { heads };
    for (model, name, dims, transform) in [
        (llama_3_2_1b(), "token_embd.weight", vec![2048, 128_256], Transform::Identity),
        (llama_3_2_1b(), "blk.3.attn_q.weight", vec![2048, 2048], permuted(32)),
        (llama_3_2_1b(), "blk.3.attn_k.weight", vec![2048, 512], permuted(8)),
        (llama_3_2_1b(), "blk.3.attn_v.weight", vec![2048, 512], Transform::Identity),
        (mixtral_8x7b(), "blk.31.ffn_down_exps.weight", vec![14336, 4096, 8], Transform::Identity),
        (mixtral_8x7b(), "blk.31.ffn_gate_inp.weight", vec![4096, 8], Transform::Identity),
        (qwen2_0_5b(), "blk.0.attn_q.weight", vec![896, 896], Transform::Identity),
        (qwen2_0_5b(), "blk.0.attn_k.bias", vec![128], Transform::Identity),
        (qwen1_5_moe_a2_7b(), "blk.0.ffn_gate_inp_shexp.weight", vec![2048, 1], Transform::Identity),
        (qwen1_5_moe_a2_7b(), "blk.0.ffn_up_exps.weight", vec![2048, 1408, 60], Transform::Identity),
        (qwen3_30b_a3b(), "blk.47.ffn_down_exps.weight", vec![768, 2048, 128], Transform::Identity),
        (qwen3_0_6b(), "blk.0.attn_output.weight", vec![2048, 1024], Transform::Identity),
        (gemma_2_2b(), "blk.0.ffn_norm.weight", vec![2304], Transform::AddOne),
        (gemma_2_2b(), "output_norm.weight", vec![2304], Transform::AddOne),
        (gemma_3_1b(), "blk.25.attn_q_norm.weight", vec![256], Transform::AddOne),
        (phi_3_mini_4k(), "blk.0.attn_qkv.weight", vec![3072, 9216], Transform::Identity),
        (phi_3_mini_4k(), "blk.0.ffn_up.weight", vec![3072, 16384], Transform::Identity),
        (deepseek_moe_16b(), "blk.0.ffn_up.weight", vec![2048, 10944], Transform::Identity),
        (deepseek_moe_16b(), "blk.1.ffn_up_shexp.weight", vec![2048, 2816], Transform::Identity),
        (deepseek_moe_16b(), "blk.1.attn_q.weight", vec![2048, 2048], permuted(16)),
        (
            deepseek_v2_lite(),
            "blk.0.attn_k_b.weight",
            vec![128, 512, 16],
            Transform::TakeRowsTransposed { group: 256, from: 0, count: 128 },
        ),
        (
            deepseek_v2_lite(),
            "blk.0.attn_v_b.weight",
            vec![512, 128, 16],
            Transform::TakeRows { group: 256, from: 128, count: 128 },
        ),
        (minilm_l6(), "position_embd.weight", vec![384, 512], Transform::Identity),
        (minilm_l6(), "blk.5.layer_output_norm.bias", vec![384], Transform::Identity),
    ] {
        let conversion = model.convert();
        let found = plan(&conversion.tensors, name);
        assert_eq!((&found.dims, found.transform), (&dims, transform), "{} {name}", model.name);
    }
}

#[test]
fn small_tensors_stay_in_f32() {
    let conversion = qwen1_5_moe_a2_7b().convert();
    let in_f32: Vec<&str> = conversion.tensors.iter().filter(|plan| plan.f32_only).map(|plan| &*plan.name).collect();
    let of_block_0: Vec<&str> = in_f32.iter().filter_map(|name| name.strip_prefix("blk.0.")).collect();
    let expected = ["attn_norm", "ffn_gate_inp", "ffn_gate_inp_shexp", "ffn_norm"].map(|stem| format!("{stem}.weight"));
    let biases = ["attn_k", "attn_q", "attn_v"].map(|stem| format!("{stem}.bias"));
    assert_eq!(of_block_0, expected.iter().chain(&biases).map(String::as_str).collect::<Vec<_>>());
    let bert = minilm_l6().convert();
    assert!(plan(&bert.tensors, "token_types.weight").f32_only && plan(&bert.tensors, "position_embd.weight").f32_only);
    assert!(!plan(&bert.tensors, "token_embd.weight").f32_only);
}

#[test]
fn experts_are_in_the_order_of_their_numbers() {
    let model = mixtral_8x7b();
    let (conversion, tensors) = (model.convert(), model.tensors());
    let up = plan(&conversion.tensors, "blk.2.ffn_up_exps.weight");
    let names: Vec<&str> = up.parts.iter().map(|part| tensors[*part].name.as_str()).collect();
    let expected: Vec<String> =
        (0..8).map(|expert| format!("model.layers.2.block_sparse_moe.experts.{expert}.w3.weight")).collect();
    assert_eq!(names, expected);
    // Ten comes after nine, whatever order the file has.
    let model = qwen3_30b_a3b().with(&json!({"num_hidden_layers": 1, "num_experts": 12}));
    let mut tensors = model.tensors();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let conversion = convert_of(&model.config, &tensors);
    let down = plan(&conversion.tensors, "blk.0.ffn_down_exps.weight");
    let numbers: Vec<usize> =
        down.parts.iter().map(|p| tensors[*p].name.split('.').nth(5).unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
}

/// Experts one by one and all in one tensor give the same file.
#[test]
fn fused_experts_equal_separate_ones() {
    let model = qwen3_30b_a3b().with(&json!({
        "num_hidden_layers": 1, "num_experts": 3, "hidden_size": 8, "moe_intermediate_size": 5, "vocab_size": 4,
        "num_experts_per_tok": 1}));
    let separate = model.tensors();
    let mut fused: Vec<HfTensor> = separate.iter().filter(|t| !t.name.contains(".experts.")).cloned().collect();
    fused.push(tensor("model.layers.0.mlp.experts.gate_up_proj", &[3, 10, 8]));
    fused.push(tensor("model.layers.0.mlp.experts.down_proj", &[3, 8, 5]));
    let (a, b) = (model.convert(), convert_of(&model.config, &fused));
    assert_eq!((&a.missing, &b.missing), (&vec![], &vec![]));
    assert_eq!(a.kvs, b.kvs);
    for stem in ["gate", "up", "down"] {
        let name = format!("blk.0.ffn_{stem}_exps.weight");
        let (one_by_one, together) = (plan(&a.tensors, &name), plan(&b.tensors, &name));
        assert_eq!(one_by_one.dims, together.dims);
        for element in 0..one_by_one.elements().unwrap() {
            let (expert, inside) = one_by_one.source(element).unwrap();
            let (part, at) = together.source(element).unwrap();
            // gate_up_proj is (expert, gate rows then up rows, hidden); down_proj is (expert, hidden, inner).
            let offset = match stem {
                "gate" => expert as u64 * 80,
                "up" => expert as u64 * 80 + 40,
                _ => expert as u64 * 40,
            };
            assert_eq!((part, at), (0, offset + inside), "{name} {element}");
        }
    }
}

#[test]
fn latent_attention_is_split_by_head() {
    let model = deepseek_v2_lite().with(&json!({
        "num_hidden_layers": 27, "num_attention_heads": 2, "num_key_value_heads": 2, "kv_lora_rank": 3,
        "qk_nope_head_dim": 2, "v_head_dim": 1, "qk_rope_head_dim": 2}));
    let conversion = model.convert();
    assert_eq!(conversion.missing, Vec::<String>::new());
    let (keys, values) =
        (plan(&conversion.tensors, "blk.0.attn_k_b.weight"), plan(&conversion.tensors, "blk.0.attn_v_b.weight"));
    assert_eq!((&keys.dims, &values.dims), (&vec![2, 3, 2], &vec![3, 1, 2]));
    let from = |plan: &TensorPlan| -> Vec<u64> {
        (0..plan.elements().unwrap()).map(|element| plan.source(element).unwrap().1).collect()
    };
    // kv_b_proj has rows k0 k1 v of head 0, then of head 1; three columns each.
    assert_eq!(from(keys), [0, 3, 1, 4, 2, 5, 9, 12, 10, 13, 11, 14]);
    assert_eq!(from(values), [6, 7, 8, 15, 16, 17]);
}

#[test]
fn output_heads_of_their_own_and_shared_ones() {
    let names = |model: &Model, tensors: &[HfTensor]| {
        let conversion = convert_of(&model.config, tensors);
        let has = conversion.tensors.iter().any(|plan| plan.name == "output.weight");
        (has, conversion.missing, conversion.notes)
    };
    let tied = llama_3_2_1b();
    let mut tensors = tied.tensors();
    assert_eq!(names(&tied, &tensors), (false, vec![], vec![]));
    tensors.push(tensor("lm_head.weight", &[128_256, 2048]));
    let left_out = "lm_head.weight was left out: tie_word_embeddings makes it the embedding".to_owned();
    assert_eq!(names(&tied, &tensors), (false, vec![], vec![left_out]));

    let own = mistral_7b();
    let without: Vec<HfTensor> = own.tensors().into_iter().filter(|t| t.name != "lm_head.weight").collect();
    assert_eq!(names(&own, &without).1, ["tensor lm_head.weight is missing"]);
    let mut silent = mistral_7b();
    silent.config.as_object_mut().unwrap().remove("tie_word_embeddings");
    assert!(names(&silent, &own.tensors()).0, "a head that is there is used");
    let (has, missing, notes) = names(&silent, &without);
    assert!(!has && missing.is_empty() && notes.iter().any(|note| note.contains("lm_head.weight")), "{notes:?}");

    let gemma = gemma_2_2b();
    let mut tensors = gemma.tensors();
    tensors.push(tensor("lm_head.weight", &[256_000, 2304]));
    assert!(names(&gemma, &tensors).1.is_empty());
    let untied = gemma_2_2b().with(&json!({"tie_word_embeddings": false}));
    assert!(names(&untied, &tensors).1[0].contains("tie_word_embeddings"), "llama.cpp has no place for it");

    // This loader wants an output head, so a tied model gets a copy.
    let moe = qwen1_5_moe_a2_7b().with(&json!({"tie_word_embeddings": true, "num_hidden_layers": 1}));
    let conversion = moe.convert();
    let output = plan(&conversion.tensors, "output.weight");
    assert_eq!(output.parts, plan(&conversion.tensors, "token_embd.weight").parts);
    assert!(conversion.missing.is_empty());
}

#[test]
fn base_models_have_names_without_a_prefix() {
    let mut model = qwen3_0_6b();
    model.config["architectures"] = json!(["Qwen3Model"]);
    let mut tensors = model.tensors();
    for tensor in &mut tensors {
        tensor.name = tensor.name.trim_start_matches("model.").to_owned();
    }
    let conversion = convert_of(&model.config, &tensors);
    assert_eq!((&conversion.missing, &conversion.notes), (&vec![], &vec![]));
    assert_eq!(conversion.tensors, qwen3_0_6b().convert().tensors);

    let mut tensors = minilm_l6().tensors();
    for tensor in &mut tensors {
        tensor.name = format!("bert.{}", tensor.name).replace("LayerNorm.weight", "LayerNorm.gamma");
    }
    tensors.push(tensor("cls.predictions.transform.dense.weight", &[384, 384]));
    let conversion = convert_of(&minilm_l6().config, &tensors);
    assert_eq!(conversion.missing, Vec::<String>::new());
    assert_eq!(conversion.tensors, minilm_l6().convert().tensors);
}

/// The factors of Llama 3.2, computed in f32 with NumPy by the formula of `_compute_llama3_parameters`.
#[test]
fn llama_3_frequency_factors() {
    let conversion = llama_3_2_1b().convert();
    assert_eq!(conversion.computed.len(), 1);
    let (name, dims, factors) = &conversion.computed[0];
    assert_eq!((name.as_str(), dims.as_slice(), factors.len()), ("rope_freqs.weight", &[32][..], 32));
    assert_eq!(factors[..15], [1.0; 15]);
    assert_eq!(factors[15..18], [1.651_329_3, 3.292_262_8, 9.666_731]);
    assert_eq!(factors[18..], [32.0; 14]);
    assert!(mistral_7b().convert().computed.is_empty());
}

#[test]
fn phi_factors_for_long_contexts() {
    let (long, short) = (vec![1.5; 48], vec![1.0; 48]);
    let model = phi_3_mini_4k().with(&json!({"max_position_embeddings": 131_072, "sliding_window": 262_144,
        "rope_scaling": {"type": "longrope", "long_factor": long, "short_factor": short}}));
    let conversion = model.convert();
    assert_eq!(conversion.missing, Vec::<String>::new());
    let names: Vec<(&str, usize, f32)> =
        conversion.computed.iter().map(|(n, d, x)| (n.as_str(), d[0] as usize, x[0])).collect();
    assert_eq!(names, [("rope_factors_long.weight", 48, 1.5), ("rope_factors_short.weight", 48, 1.0)]);
    let factor = conversion.kvs.iter().find(|(key, _)| key == "phi3.rope.scaling.attn_factor").unwrap();
    // sqrt(1 + ln 32 ÷ ln 4096), as in the published GGUFs.
    assert_eq!(factor.1.to_string(), "1.1902381");
    let short =
        phi_3_mini_4k().with(&json!({"rope_scaling": {"type": "su", "long_factor": [1.0], "short_factor": [1.0]}}));
    assert!(short.convert().missing[0].contains("rope_scaling.long_factor has a length of 1 and must have one of 48"));
}
