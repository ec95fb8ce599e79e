//! Folders of Hugging Face become GGUFs: the published models of `tests/hf`, made small, with weights and all the way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "tests/hf uses the rest")]
#[path = "hf/models.rs"]
mod models;
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use support::normals;
use support::reading::{assert_same, messages, open, quantized, recipe, weights};
use support::safetensors::Safe;
use tritscope::engine::error::Severity;
use tritscope::engine::hf::{self, HfTensor};
use tritscope::engine::lint::{Depth, lint};
use tritscope::engine::model::{Model, Tensor};
use tritscope::engine::plan::{Mask, Recipe};
use tritscope::engine::progress::{Cancel, Silent};
use tritscope::engine::ternary::{Format, Method};

/// Width of the model.
const H: u64 = 64;
/// More than ten, so that the order of names is not that of numbers.
const EXPERTS: u64 = 12;
/// Width of a head.
const HEAD: u64 = 16;

/// A published model in small.
struct Checkpoint {
    class: &'static str,
    architecture: &'static str,
    model: models::Model,
}

impl Checkpoint {
    fn new(class: &'static str, architecture: &'static str, model: models::Model, changes: &Value) -> Self {
        let small = json!({"hidden_size": H, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 32,
            "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 0, "eos_token_id": 5});
        Self { class, architecture, model: model.with(&small).with(changes) }
    }

    /// Tensors, without those of layers behind the counted ones.
    fn tensors(&self) -> Vec<HfTensor> {
        let mut tensors = self.model.tensors();
        tensors.retain(|t| !t.name.starts_with("model.layers.2."));
        tensors
    }

    /// Writes the folder; tensor `i` has the weights of seed `i`.
    fn write(&self, folder: &Path) {
        let with = |safe: Safe, (i, t): (usize, &HfTensor)| match t.dtype.as_str() {
            "I64" => safe.tensor(&t.name, "I64", &t.shape, vec![0; 8 * elements(t) as usize]),
            _ => safe.normal(&t.name, &t.shape, i as u64),
        };
        self.tensors().iter().enumerate().fold(Safe::default(), with).write(folder, "model.safetensors");
        std::fs::write(folder.join("config.json"), self.model.config.to_string()).unwrap();
        std::fs::write(folder.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    }

    /// Weights of a tensor of the checkpoint.
    fn weights(&self, name: &str) -> Vec<f32> {
        let tensors = self.tensors();
        let i = tensors.iter().position(|t| t.name == name).unwrap_or_else(|| panic!("{}: no {name}", self.class));
        normals(elements(&tensors[i]) as usize, i as u64)
    }
}

fn elements(tensor: &HfTensor) -> u64 {
    tensor.shape.iter().product()
}

/// A byte-level BPE of eight tokens; what is left of the vocabulary is filled up.
fn tokenizer() -> Value {
    let added = |id: u64, text: &str| json!({"id": id, "content": text, "special": true, "normalized": false, "lstrip": false, "rstrip": false});
    json!({
        "added_tokens": [added(0, "<s>"), added(5, "</s>"), added(6, "<unk>"), added(7, "<|endoftext|>")],
        "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
        "post_processor": null,
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 1, "b": 2, "ab": 3, "c": 4}, "merges": ["a b"]},
    })
}

fn checkpoints() -> Vec<Checkpoint> {
    let moe = json!({"num_experts": EXPERTS, "num_experts_per_tok": 2, "moe_intermediate_size": 64,
        "shared_expert_intermediate_size": 128, "head_dim": HEAD});
    let mixtral = json!({"num_local_experts": EXPERTS, "intermediate_size": 64});
    let heads = json!({"head_dim": HEAD});
    let gemma = json!({"head_dim": HEAD, "query_pre_attn_scalar": HEAD, "sliding_window": 64});
    let phi = json!({"sliding_window": 255});
    let deepseek = json!({"n_routed_experts": EXPERTS, "num_experts_per_tok": 2, "n_shared_experts": 2,
        "moe_intermediate_size": 64, "first_k_dense_replace": 1});
    let latent = json!({"n_routed_experts": EXPERTS, "num_experts_per_tok": 2, "n_shared_experts": 2,
        "moe_intermediate_size": 64, "first_k_dense_replace": 1, "kv_lora_rank": 32, "q_lora_rank": 32,
        "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12, "num_key_value_heads": 4, "n_group": 2,
        "topk_group": 1});
    // Without frequency factors, which would be a tensor that is in no checkpoint.
    let llama = json!({"head_dim": HEAD, "rope_scaling": null});
    vec![
        Checkpoint::new("LlamaForCausalLM", "llama", models::llama_3_2_1b(), &llama),
        Checkpoint::new("MistralForCausalLM", "llama", models::mistral_7b(), &json!({})),
        Checkpoint::new("MixtralForCausalLM", "llama", models::mixtral_8x7b(), &mixtral),
        Checkpoint::new("Qwen2ForCausalLM", "qwen2", models::qwen2_0_5b(), &json!({})),
        Checkpoint::new("Qwen2MoeForCausalLM", "qwen2moe", models::qwen1_5_moe_a2_7b(), &moe),
        Checkpoint::new("Qwen3ForCausalLM", "qwen3", models::qwen3_0_6b(), &heads),
        Checkpoint::new("Qwen3MoeForCausalLM", "qwen3moe", models::qwen3_30b_a3b(), &moe),
        Checkpoint::new("Gemma2ForCausalLM", "gemma2", models::gemma_2_2b(), &gemma),
        Checkpoint::new("Gemma3ForCausalLM", "gemma3", models::gemma_3_1b(), &gemma),
        Checkpoint::new("Phi3ForCausalLM", "phi3", models::phi_3_mini_4k(), &phi),
        Checkpoint::new("DeepseekForCausalLM", "deepseek", models::deepseek_moe_16b(), &deepseek),
        Checkpoint::new("DeepseekV3ForCausalLM", "deepseek2", models::deepseek_v3(), &latent),
    ]
}

fn of(class: &str) -> Checkpoint {
    checkpoints().into_iter().find(|c| c.class == class).unwrap()
}

/// The checkpoint as the GGUF that it becomes.
fn converted(checkpoint: &Checkpoint) -> Model {
    let folder = tempfile::tempdir().unwrap();
    checkpoint.write(folder.path());
    let view = hf::best_view(open(folder.path()).unwrap(), None).unwrap();
    let refusals = messages(&view, "not-a-gguf");
    assert!(refusals.is_empty(), "{}: {refusals:?}", checkpoint.class);
    view.require_gguf().unwrap();
    // The mapping outlives the folder.
    view
}

/// What every check of a file has to say against it.
fn faults(model: &Model) -> Vec<String> {
    let found = lint(model, Depth::Data, &Silent, &Cancel::new()).unwrap();
    found.iter().filter(|d| d.severity != Severity::Note).map(ToString::to_string).collect()
}

fn whole(format: Format) -> Recipe {
    Recipe { layers: Mask::All, ..recipe(format, Method::Exact) }
}

#[test]
fn every_class_becomes_a_gguf_with_nothing_wrong_in_it() {
    for checkpoint in checkpoints() {
        let class = checkpoint.class;
        let out = quantized(&converted(&checkpoint), &whole(Format::Q2_0)).unwrap_or_else(|e| panic!("{class}: {e}"));
        let key = |key: &str| out.model.metadata(key).unwrap_or_else(|| panic!("{class}: no {key}"));
        let of_arch = |name: &str| key(&format!("{}.{name}", checkpoint.architecture)).as_u64().unwrap();
        assert_eq!(key("general.architecture").as_str(), Some(checkpoint.architecture));
        assert_eq!((of_arch("block_count"), of_arch("embedding_length"), of_arch("attention.head_count")), (2, H, 4));
        assert_eq!(key("tokenizer.ggml.model").as_str(), Some("gpt2"), "{class}");
        assert_eq!(faults(&out.model), [""; 0], "{class}");
        let ternary = out.summary.tensors.iter().filter(|t| t.stats.is_some()).count();
        assert!(ternary >= 8, "{class}: {ternary}");
        // Nothing is lost: every weight of the checkpoint is in the file.
        let params: u64 = checkpoint.tensors().iter().map(elements).sum();
        assert_eq!(out.model.tensors.iter().map(Tensor::elements).sum::<u64>(), params, "{class}");
    }
}

#[test]
fn every_class_that_the_program_names_is_known_here_or_a_variant() {
    let here: BTreeSet<&str> = checkpoints().iter().map(|c| c.class).collect();
    let variants =
        ["LlamaModel", "Qwen2Model", "Qwen3Model", "Gemma3ForConditionalGeneration", "DeepseekV2ForCausalLM"];
    let bert = ["BertModel", "BertForMaskedLM"];
    for class in hf::known_classes() {
        assert!(
            here.contains(class) || variants.contains(&class) || bert.contains(&class),
            "{class} has no checkpoint"
        );
    }
}

#[test]
fn rows_of_rotated_queries_and_keys_stand_in_pairs() {
    let llama = of("LlamaForCausalLM");
    let model = converted(&llama);
    for (gguf, hf) in [("attn_q", "q_proj"), ("attn_k", "k_proj")] {
        let source = llama.weights(&format!("model.layers.1.self_attn.{hf}.weight"));
        let rows: Vec<&[f32]> = source.chunks(H as usize).collect();
        // Row 2i of a head is row i of its first half, row 2i + 1 is row i of its second.
        let half = HEAD as usize / 2;
        let place = |r: usize| r / (2 * half) * (2 * half) + r % 2 * half + r % (2 * half) / 2;
        let meant: Vec<f32> = (0..rows.len()).flat_map(|r| rows[place(r)].to_vec()).collect();
        assert_same(&weights(&model, &format!("blk.1.{gguf}.weight")), &meant, gguf);
    }
    // Values and other families are not turned.
    let value = llama.weights("model.layers.1.self_attn.v_proj.weight");
    assert_same(&weights(&model, "blk.1.attn_v.weight"), &value, "attn_v");
    let qwen = of("Qwen3ForCausalLM");
    let query = qwen.weights("model.layers.0.self_attn.q_proj.weight");
    assert_same(&weights(&converted(&qwen), "blk.0.attn_q.weight"), &query, "qwen3");
}

#[test]
fn experts_lie_in_the_order_of_their_numbers() {
    let usual = ["mlp.experts", "gate_proj", "up_proj", "down_proj"];
    for (class, layer, [folder, gate, up, down]) in [
        ("MixtralForCausalLM", 0, ["block_sparse_moe.experts", "w1", "w3", "w2"]),
        ("Qwen2MoeForCausalLM", 0, usual),
        ("Qwen3MoeForCausalLM", 1, usual),
        ("DeepseekForCausalLM", 1, usual),
    ] {
        let checkpoint = of(class);
        let model = converted(&checkpoint);
        for (gguf, hf) in [("ffn_gate_exps", gate), ("ffn_up_exps", up), ("ffn_down_exps", down)] {
            let expert = |e| checkpoint.weights(&format!("model.layers.{layer}.{folder}.{e}.{hf}.weight"));
            let meant: Vec<f32> = (0..EXPERTS).flat_map(expert).collect();
            assert_same(&weights(&model, &format!("blk.{layer}.{gguf}.weight")), &meant, class);
        }
    }
}

#[test]
fn gemmas_norms_have_their_one_added() {
    let gemma = of("Gemma3ForCausalLM");
    let model = converted(&gemma);
    for (gguf, hf) in [("attn_norm", "input_layernorm"), ("attn_q_norm", "self_attn.q_norm")] {
        let source = gemma.weights(&format!("model.layers.0.{hf}.weight"));
        let meant: Vec<f32> = source.iter().map(|w| w + 1.0).collect();
        assert_same(&weights(&model, &format!("blk.0.{gguf}.weight")), &meant, gguf);
    }
}

#[test]
fn latent_attention_is_taken_apart() {
    let checkpoint = of("DeepseekV3ForCausalLM");
    let model = converted(&checkpoint);
    let source = checkpoint.weights("model.layers.0.self_attn.kv_b_proj.weight");
    let row = |head: usize, r: usize| &source[(head * 28 + r) * 32..][..32];
    // Keys stand turned, [head][rank][row]; values as they were, [head][row][rank].
    let keys: Vec<f32> = (0..4)
        .flat_map(|h| (0..32).flat_map(move |k| (0..16).map(move |r| (h, k, r))))
        .map(|(h, k, r)| row(h, r)[k])
        .collect();
    let values: Vec<f32> = (0..4).flat_map(|h| (16..28).flat_map(move |r| row(h, r).to_vec())).collect();
    assert_same(&weights(&model, "blk.0.attn_k_b.weight"), &keys, "attn_k_b");
    assert_same(&weights(&model, "blk.0.attn_v_b.weight"), &values, "attn_v_b");
}

#[test]
fn bert_is_converted_with_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let changes = json!({"num_hidden_layers": 1});
    let checkpoint = Checkpoint::new("BertModel", "bert", models::minilm_l6(), &changes);
    checkpoint.write(folder.path());
    std::fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    let mut words: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from).to_vec();
    words.extend((5..32).map(|i| format!("{}w{i}", if i % 2 == 0 { "##" } else { "" })));
    std::fs::write(folder.path().join("vocab.txt"), words.join("\n")).unwrap();
    // Nothing says whether letters are lowered: that is asked for, not guessed.
    let view = hf::best_view(open(folder.path()).unwrap(), None).unwrap();
    assert!(messages(&view, "not-a-gguf").join("").contains("do_lower_case"));
    std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"do_lower_case": true}"#).unwrap();
    let view = hf::best_view(open(folder.path()).unwrap(), None).unwrap();
    assert_eq!(messages(&view, "not-a-gguf"), [""; 0]);
    let out = quantized(&view, &whole(Format::Q2_0)).unwrap();
    let number = |key: &str| out.model.metadata(key).and_then(|v| v.as_u64());
    assert_eq!((number("bert.block_count"), number("tokenizer.ggml.token_type_count")), (Some(1), Some(2)));
    assert_eq!(faults(&out.model), [""; 0]);
    let query = checkpoint.weights("encoder.layer.0.attention.self.query.weight");
    assert_eq!(weights(&view, "blk.0.attn_q.weight"), query);
}

#[test]
fn a_key_that_is_missing_is_named_and_nothing_is_invented() {
    for key in ["num_attention_heads", "hidden_size", "num_hidden_layers"] {
        let checkpoint = of("Qwen3ForCausalLM");
        let folder = tempfile::tempdir().unwrap();
        checkpoint.write(folder.path());
        let mut config = checkpoint.model.config.clone();
        config.as_object_mut().unwrap().remove(key);
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let view = hf::best_view(open(folder.path()).unwrap(), None).unwrap();
        let told = messages(&view, "not-a-gguf").join("\n");
        assert!(told.contains(key), "{key}: {told}");
        let refused = quantized(&view, &whole(Format::Q2_0)).err().expect("an export without a key").to_string();
        assert!(refused.contains(key), "{refused}");
    }
}
