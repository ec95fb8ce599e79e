//! Folders of Hugging Face become GGUFs: one small checkpoint of every class, with names, shapes and keys written down here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use support::reading::{assert_same, messages, open, quantized, recipe, weights};
use support::safetensors::Safe;
use support::{f32_bytes, normals};
use tritscope::engine::error::Severity;
use tritscope::engine::hf;
use tritscope::engine::lint::{Depth, lint};
use tritscope::engine::model::{Model, Tensor};
use tritscope::engine::plan::{Mask, Recipe};
use tritscope::engine::progress::{Cancel, Silent};
use tritscope::engine::ternary::{Format, Method};

/// Tokens.
const VOCAB: u64 = 32;
/// Width of the model, of its feed-forward layers, of an expert.
const H: u64 = 64;
const F: u64 = 128;
const FE: u64 = 64;
/// More than ten, so that the order of names is not that of numbers.
const EXPERTS: u64 = 12;
/// Width of a head; rows of queries and of keys.
const HEAD: u64 = 16;
const Q: u64 = 64;
const KV: u64 = 32;

type Shapes = Vec<(String, Vec<u64>)>;

/// What a class of model adds to the tensors of layer `l`, all names behind `model.layers.l.`.
type Layer = fn(u64) -> Vec<(&'static str, Vec<u64>)>;

fn attention(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![
        ("self_attn.q_proj.weight", vec![Q, H]),
        ("self_attn.k_proj.weight", vec![KV, H]),
        ("self_attn.v_proj.weight", vec![KV, H]),
        ("self_attn.o_proj.weight", vec![H, Q]),
    ]
}

fn attention_biases(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![("self_attn.q_proj.bias", vec![Q]), ("self_attn.k_proj.bias", vec![KV]), ("self_attn.v_proj.bias", vec![KV])]
}

fn head_norms(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![("self_attn.q_norm.weight", vec![HEAD]), ("self_attn.k_norm.weight", vec![HEAD])]
}

fn latent_attention(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![
        ("self_attn.q_a_proj.weight", vec![32, H]),
        ("self_attn.q_a_layernorm.weight", vec![32]),
        ("self_attn.q_b_proj.weight", vec![4 * (16 + 8), 32]),
        ("self_attn.kv_a_proj_with_mqa.weight", vec![32 + 8, H]),
        ("self_attn.kv_a_layernorm.weight", vec![32]),
        ("self_attn.kv_b_proj.weight", vec![4 * (16 + 12), 32]),
        ("self_attn.o_proj.weight", vec![H, 4 * 12]),
    ]
}

fn dense(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![("mlp.gate_proj.weight", vec![F, H]), ("mlp.up_proj.weight", vec![F, H]), ("mlp.down_proj.weight", vec![H, F])]
}

fn fused(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![
        ("self_attn.qkv_proj.weight", vec![Q + 2 * KV, H]),
        ("self_attn.o_proj.weight", vec![H, Q]),
        ("mlp.gate_up_proj.weight", vec![2 * F, H]),
        ("mlp.down_proj.weight", vec![H, F]),
    ]
}

fn two_norms(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![("input_layernorm.weight", vec![H]), ("post_attention_layernorm.weight", vec![H])]
}

fn gemma_norms(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![("pre_feedforward_layernorm.weight", vec![H]), ("post_feedforward_layernorm.weight", vec![H])]
}

fn router(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![("mlp.gate.weight", vec![EXPERTS, H])]
}

fn shared_expert(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![
        ("mlp.shared_expert.gate_proj.weight", vec![F, H]),
        ("mlp.shared_expert.up_proj.weight", vec![F, H]),
        ("mlp.shared_expert.down_proj.weight", vec![H, F]),
        ("mlp.shared_expert_gate.weight", vec![1, H]),
    ]
}

fn deepseek_feed_forward(layer: u64) -> Vec<(&'static str, Vec<u64>)> {
    if layer == 0 {
        return dense(layer);
    }
    vec![
        ("mlp.gate.weight", vec![EXPERTS, H]),
        ("mlp.shared_experts.gate_proj.weight", vec![2 * FE, H]),
        ("mlp.shared_experts.up_proj.weight", vec![2 * FE, H]),
        ("mlp.shared_experts.down_proj.weight", vec![H, 2 * FE]),
    ]
}

fn score_bias(layer: u64) -> Vec<(&'static str, Vec<u64>)> {
    (layer > 0).then(|| ("mlp.gate.e_score_correction_bias", vec![EXPERTS])).into_iter().collect()
}

fn mixtral_router(_: u64) -> Vec<(&'static str, Vec<u64>)> {
    vec![("block_sparse_moe.gate.weight", vec![EXPERTS, H])]
}

/// How the experts' tensors are called: folder, gate, up, down.
type Experts = Option<[&'static str; 4]>;
const BY_PROJECTION: Experts = Some(["mlp.experts", "gate_proj", "up_proj", "down_proj"]);
const BY_NUMBER: Experts = Some(["block_sparse_moe.experts", "w1", "w3", "w2"]);

/// A checkpoint of one class.
struct Checkpoint {
    class: &'static str,
    architecture: &'static str,
    tied: bool,
    config: Value,
    layers: &'static [Layer],
    experts: Experts,
    /// First layer with experts.
    from: u64,
}

impl Checkpoint {
    fn new(class: &'static str, architecture: &'static str, config: Value, layers: &'static [Layer]) -> Self {
        Self { class, architecture, tied: false, config, layers, experts: None, from: 0 }
    }

    fn tied(self) -> Self {
        Self { tied: true, ..self }
    }

    fn experts(self, names: Experts, from: u64) -> Self {
        Self { experts: names, from, ..self }
    }

    fn shapes(&self) -> Shapes {
        let mut shapes: Shapes =
            vec![("model.embed_tokens.weight".into(), vec![VOCAB, H]), ("model.norm.weight".into(), vec![H])];
        if !self.tied {
            shapes.push(("lm_head.weight".into(), vec![VOCAB, H]));
        }
        for l in 0..2 {
            let own = self.layers.iter().flat_map(|part| part(l));
            shapes.extend(own.map(|(name, shape)| (format!("model.layers.{l}.{name}"), shape)));
            let Some([folder, gate, up, down]) = self.experts.filter(|_| l >= self.from) else { continue };
            for e in 0..EXPERTS {
                for (name, shape) in [(gate, [FE, H]), (up, [FE, H]), (down, [H, FE])] {
                    shapes.push((format!("model.layers.{l}.{folder}.{e}.{name}.weight"), shape.to_vec()));
                }
            }
        }
        shapes
    }

    fn config(&self) -> Value {
        let mut config = json!({
            "architectures": [self.class], "hidden_size": H, "intermediate_size": F, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": VOCAB, "max_position_embeddings": 512,
            "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": self.tied,
            "bos_token_id": 0, "eos_token_id": 5,
        });
        config.as_object_mut().unwrap().extend(self.config.as_object().unwrap().clone());
        config
    }

    /// Writes the folder; tensor `i` has the weights of seed `i`.
    fn write(&self, folder: &Path) {
        let shapes = self.shapes();
        let with = |safe: Safe, (i, (name, shape)): (usize, &(String, Vec<u64>))| safe.normal(name, shape, i as u64);
        shapes.iter().enumerate().fold(Safe::default(), with).write(folder, "model.safetensors");
        std::fs::write(folder.join("config.json"), self.config().to_string()).unwrap();
        std::fs::write(folder.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    }

    /// Weights of a tensor of the checkpoint.
    fn weights(&self, name: &str) -> Vec<f32> {
        let shapes = self.shapes();
        let i = shapes.iter().position(|(n, _)| n == name).unwrap_or_else(|| panic!("{}: no {name}", self.class));
        normals(shapes[i].1.iter().product::<u64>() as usize, i as u64)
    }
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
    let moe = json!({"num_experts": EXPERTS, "num_experts_per_tok": 2, "moe_intermediate_size": FE,
        "shared_expert_intermediate_size": F, "norm_topk_prob": false, "decoder_sparse_step": 1, "head_dim": HEAD});
    let mut qwen3moe = moe.clone();
    qwen3moe["norm_topk_prob"] = true.into();
    let gemma = |more: Value| {
        let mut config = json!({"head_dim": HEAD, "query_pre_attn_scalar": HEAD, "sliding_window": 64,
            "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let deepseek = json!({"n_routed_experts": EXPERTS, "num_experts_per_tok": 2, "n_shared_experts": 2,
        "moe_intermediate_size": FE, "first_k_dense_replace": 1, "moe_layer_freq": 1, "norm_topk_prob": false,
        "scoring_func": "softmax"});
    let mut latent = deepseek.clone();
    latent.as_object_mut().unwrap().extend(
        json!({"kv_lora_rank": 32, "q_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12,
            "num_key_value_heads": 4, "scoring_func": "sigmoid", "topk_method": "noaux_tc", "n_group": 2,
            "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": 2.5})
        .as_object()
        .unwrap()
        .clone(),
    );
    let (none, gemma2) = (json!({}), json!({"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}));
    let gemma3 = json!({"layer_types": ["full_attention", "sliding_attention"]});
    vec![
        Checkpoint::new("LlamaForCausalLM", "llama", none.clone(), &[attention, dense, two_norms]).tied(),
        Checkpoint::new("MistralForCausalLM", "llama", none.clone(), &[attention, dense, two_norms]),
        Checkpoint::new(
            "MixtralForCausalLM",
            "llama",
            json!({"num_local_experts": EXPERTS, "num_experts_per_tok": 2, "intermediate_size": FE}),
            &[attention, two_norms, mixtral_router],
        )
        .experts(BY_NUMBER, 0),
        Checkpoint::new("Qwen2ForCausalLM", "qwen2", none, &[attention, attention_biases, dense, two_norms]).tied(),
        Checkpoint::new(
            "Qwen2MoeForCausalLM",
            "qwen2moe",
            moe.clone(),
            &[attention, attention_biases, two_norms, router, shared_expert],
        )
        .experts(BY_PROJECTION, 0),
        Checkpoint::new(
            "Qwen3ForCausalLM",
            "qwen3",
            json!({"head_dim": HEAD}),
            &[attention, head_norms, dense, two_norms],
        ),
        Checkpoint::new("Qwen3MoeForCausalLM", "qwen3moe", qwen3moe, &[attention, head_norms, two_norms, router])
            .experts(BY_PROJECTION, 0),
        Checkpoint::new("Gemma2ForCausalLM", "gemma2", gemma(gemma2), &[attention, dense, two_norms, gemma_norms])
            .tied(),
        Checkpoint::new(
            "Gemma3ForCausalLM",
            "gemma3",
            gemma(gemma3),
            &[attention, head_norms, dense, two_norms, gemma_norms],
        )
        .tied(),
        Checkpoint::new(
            "Phi3ForCausalLM",
            "phi3",
            json!({"original_max_position_embeddings": 512, "rope_scaling": null, "sliding_window": 255}),
            &[fused, two_norms],
        ),
        Checkpoint::new("DeepseekForCausalLM", "deepseek", deepseek, &[attention, two_norms, deepseek_feed_forward])
            .experts(BY_PROJECTION, 1),
        Checkpoint::new(
            "DeepseekV3ForCausalLM",
            "deepseek2",
            latent,
            &[latent_attention, two_norms, deepseek_feed_forward, score_bias],
        )
        .experts(BY_PROJECTION, 1),
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
        let params: u64 = checkpoint.shapes().iter().map(|(_, shape)| shape.iter().product::<u64>()).sum();
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
    for (class, layer) in
        [("MixtralForCausalLM", 0), ("Qwen2MoeForCausalLM", 0), ("Qwen3MoeForCausalLM", 1), ("DeepseekForCausalLM", 1)]
    {
        let checkpoint = of(class);
        let model = converted(&checkpoint);
        let [folder, gate, up, down] = checkpoint.experts.unwrap();
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
    let mut safe = Safe::default()
        .normal("embeddings.word_embeddings.weight", &[VOCAB, H], 1)
        .normal("embeddings.position_embeddings.weight", &[64, H], 2)
        .normal("embeddings.token_type_embeddings.weight", &[2, H], 3)
        .normal("embeddings.LayerNorm.weight", &[H], 4)
        .normal("embeddings.LayerNorm.bias", &[H], 5)
        .tensor("embeddings.position_ids", "I64", &[1, 64], (0..64u64).flat_map(u64::to_le_bytes).collect())
        .tensor("pooler.dense.weight", "F32", &[H, H], f32_bytes(&normals((H * H) as usize, 6)))
        .normal("pooler.dense.bias", &[H], 7);
    let square = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"];
    for (i, name) in square.into_iter().enumerate() {
        let name = format!("encoder.layer.0.{name}");
        safe = safe.normal(&format!("{name}.weight"), &[H, H], 10 + i as u64);
        safe = safe.normal(&format!("{name}.bias"), &[H], 20 + i as u64);
    }
    for (name, out, row) in [("intermediate.dense", F, H), ("output.dense", H, F)] {
        let name = format!("encoder.layer.0.{name}");
        safe = safe.normal(&format!("{name}.weight"), &[out, row], 30 + out);
        safe = safe.normal(&format!("{name}.bias"), &[out], 31 + out);
    }
    for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
        safe = safe.normal(&format!("encoder.layer.0.{name}.weight"), &[H], 40);
        safe = safe.normal(&format!("encoder.layer.0.{name}.bias"), &[H], 41);
    }
    safe.write(folder.path(), "model.safetensors");
    let config = json!({"architectures": ["BertModel"], "hidden_size": H, "intermediate_size": F,
        "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": VOCAB, "max_position_embeddings": 64,
        "layer_norm_eps": 1e-12, "type_vocab_size": 2, "hidden_act": "gelu", "position_embedding_type": "absolute"});
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let mut words: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from).to_vec();
    words.extend((5..VOCAB).map(|i| format!("{}w{i}", if i % 2 == 0 { "##" } else { "" })));
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
    assert_eq!(weights(&view, "blk.0.attn_q.weight"), normals((H * H) as usize, 10));
}

#[test]
fn a_key_that_is_missing_is_named_and_nothing_is_invented() {
    for key in ["num_attention_heads", "hidden_size", "num_hidden_layers"] {
        let checkpoint = of("Qwen3ForCausalLM");
        let folder = tempfile::tempdir().unwrap();
        checkpoint.write(folder.path());
        let mut config = checkpoint.config();
        config.as_object_mut().unwrap().remove(key);
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let view = hf::best_view(open(folder.path()).unwrap(), None).unwrap();
        let told = messages(&view, "not-a-gguf").join("\n");
        assert!(told.contains(key), "{key}: {told}");
        let refused = quantized(&view, &whole(Format::Q2_0)).err().expect("an export without a key").to_string();
        assert!(refused.contains(key), "{refused}");
    }
}
