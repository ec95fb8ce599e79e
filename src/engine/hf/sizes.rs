//! The numbers of `config.json` that shapes and metadata follow from, read once and checked against each other and
//! against llama.cpp's limits.

use super::class::Class;
use super::config::Config;
use super::names::Heads;
use super::slots::{Dim, Layers};

/// Most layers that llama.cpp takes (`LLAMA_MAX_LAYERS`, mid-2026).
const MAX_LAYERS: u32 = 512;
/// Most experts that llama.cpp takes (`LLAMA_MAX_EXPERTS`, mid-2026).
const MAX_EXPERTS: u32 = 1024;

/// Longest head that is believed; llama.cpp's attention kernels end far below.
pub(super) const MAX_HEAD: u32 = 1 << 16;

/// Sizes of a model. `None` is a number that the model does not have, or one that was reported as missing.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    pub(super) layers: Option<u32>,
    pub(super) context: Option<u32>,
    pub(super) embd: Option<u32>,
    pub(super) ff: Option<u32>,
    pub(super) heads: Option<u32>,
    pub(super) kv_heads: Option<u32>,
    /// `head_dim`, where the configuration has it.
    pub(super) head_given: Option<u32>,
    /// `head_dim`, or what follows for it.
    pub(super) head: Option<u32>,
    pub(super) vocab: Option<u32>,
    pub(super) types: Option<u32>,
    pub(super) experts: Option<u32>,
    pub(super) experts_used: Option<u32>,
    pub(super) expert_ff: Option<u32>,
    /// Inner size of the shared experts together.
    pub(super) shared_ff: Option<u64>,
    pub(super) shared_experts: Option<u32>,
    /// Leading layers without experts, in a class with experts.
    pub(super) dense_lead: Option<u32>,
    pub(super) query_rank: Option<u32>,
    pub(super) key_rank: Option<u32>,
    pub(super) nope: Option<u32>,
    /// Elements of a head that are rotated.
    pub(super) rope: Option<u32>,
    pub(super) value: Option<u32>,
    pub(super) attention_bias: bool,
    pub(super) ff_bias: bool,
    pub(super) correction_bias: bool,
}

impl Sizes {
    /// Reads what the class needs; whatever is missing or wrong is reported.
    pub(super) fn read(class: &Class, config: &Config<'_>) -> Self {
        let mut sizes = Self::common(class, config);
        match class.arch {
            "llama" => {
                sizes.ff_bias = config.flag("mlp_bias").unwrap_or(false);
                if class.name == "MixtralForCausalLM" {
                    sizes.experts_from(config, "num_local_experts", 0);
                    sizes.expert_ff = sizes.ff;
                }
            }
            // Qwen2's classes have biases without saying so; the one with experts can be told otherwise.
            "qwen2" => sizes.attention_bias = true,
            "qwen2moe" | "qwen3moe" => {
                sizes.experts_from(config, "num_experts", 0);
                sizes.expert_ff = config.need_uint("moe_intermediate_size");
                if class.arch == "qwen2moe" {
                    sizes.attention_bias = config.flag("qkv_bias").unwrap_or(true);
                    sizes.shared_ff = config.need_uint("shared_expert_intermediate_size").map(u64::from);
                }
            }
            "deepseek" | "deepseek2" => sizes.deepseek(class, config),
            "bert" => sizes.types = config.need_uint("type_vocab_size"),
            _ => {}
        }
        sizes.check(config);
        sizes
    }

    fn common(class: &Class, config: &Config<'_>) -> Self {
        let heads = config.need_uint("num_attention_heads");
        let follows = class.arch == "bert" || class.kv_heads_follow && !config.has("num_key_value_heads");
        let kv_heads = if follows { heads } else { config.need_uint("num_key_value_heads") };
        let embd = config.need_uint("hidden_size");
        let head_given = config.uint("head_dim").filter(|_| class.arch != "deepseek2");
        let head = head_given.or_else(|| head_of(class, config, embd?, heads?));
        let layers = config.need_uint("num_hidden_layers").filter(|layers| {
            let fits = *layers <= MAX_LAYERS;
            if !fits {
                let sentence = format!("is {layers}, and llama.cpp takes at most {MAX_LAYERS} layers");
                config.problem("num_hidden_layers", &sentence);
            }
            fits
        });
        Self {
            layers,
            context: config.need_uint("max_position_embeddings"),
            embd,
            ff: config.need_uint("intermediate_size"),
            heads,
            kv_heads,
            head_given,
            head,
            vocab: config.need_uint("vocab_size"),
            rope: head.filter(|_| class.arch != "bert"),
            attention_bias: config.flag("attention_bias").unwrap_or(false),
            ..Self::default()
        }
    }

    fn experts_from(&mut self, config: &Config<'_>, key: &str, dense_lead: u32) {
        self.dense_lead = Some(dense_lead);
        self.experts = config.need_uint(key).filter(|experts| {
            let fits = *experts <= MAX_EXPERTS;
            if !fits {
                config.problem(key, &format!("is {experts}, and llama.cpp takes at most {MAX_EXPERTS} experts"));
            }
            fits
        });
        self.experts_used = config.need_uint("num_experts_per_tok");
        if let (Some(experts), Some(used)) = (self.experts, self.experts_used)
            && used > experts
        {
            config.problem("num_experts_per_tok", &format!("is {used} of {experts} experts"));
        }
    }

    fn deepseek(&mut self, class: &Class, config: &Config<'_>) {
        let lead = config.need_count("first_k_dense_replace").unwrap_or(0);
        self.experts_from(config, "n_routed_experts", lead);
        self.expert_ff = config.need_uint("moe_intermediate_size");
        self.shared_experts = config.need_uint("n_shared_experts");
        self.shared_ff = self.expert_ff.zip(self.shared_experts).map(|(ff, n)| u64::from(ff) * u64::from(n));
        if class.arch != "deepseek2" {
            return;
        }
        // A rank of null is a model whose queries are not compressed; an absent one says nothing.
        self.query_rank = config.uint("q_lora_rank");
        self.key_rank = config.need_uint("kv_lora_rank");
        self.nope = config.need_uint("qk_nope_head_dim");
        self.rope = config.need_uint("qk_rope_head_dim");
        self.value = config.need_uint("v_head_dim");
        // The transformers library computes V3's choice of experts in one way, whatever the configuration says.
        let method = config.text("topk_method");
        self.correction_bias = method.map_or(class.name == "DeepseekV3ForCausalLM", |method| method == "noaux_tc");
    }

    fn check(&self, config: &Config<'_>) {
        if let (Some(heads), Some(kv)) = (self.heads, self.kv_heads)
            && !heads.is_multiple_of(kv)
        {
            let sentence = format!("is {kv}, which does not divide num_attention_heads ({heads})");
            config.problem("num_key_value_heads", &sentence);
        }
        if let Some(head) = self.head.filter(|head| *head > MAX_HEAD) {
            config.problem("head_dim", &format!("is {head} (or follows as that), more than {MAX_HEAD}"));
        }
        if let Some(rope) = self.rope.filter(|rope| !rope.is_multiple_of(2)) {
            let key = if self.nope.is_some() { "qk_rope_head_dim" } else { "head_dim" };
            config.problem(key, &format!("is {rope}, an odd number, and rotary embedding turns pairs"));
        }
    }

    /// The number behind a dimension, where it is known and fits 64 bits.
    pub(super) fn dim(&self, dim: Dim) -> Option<u64> {
        let wide = |n: Option<u32>| n.map(u64::from);
        let product = |a: Option<u32>, b: Option<u64>| wide(a)?.checked_mul(b?);
        let sum = |a: Option<u32>, b: Option<u32>| Some(wide(a)? + wide(b)?);
        match dim {
            Dim::Embd => wide(self.embd),
            Dim::Vocab => wide(self.vocab),
            Dim::Context => wide(self.context),
            Dim::Types => wide(self.types),
            Dim::Ff => wide(self.ff),
            Dim::GateUp => product(Some(2), wide(self.ff)),
            Dim::Head => wide(self.head),
            Dim::Query => product(self.heads, wide(self.head)),
            Dim::Keys => product(self.kv_heads, wide(self.head)),
            Dim::Qkv => {
                let keys = product(Some(2), self.dim(Dim::Keys));
                self.dim(Dim::Query)?.checked_add(keys?)
            }
            Dim::Experts => wide(self.experts),
            Dim::ExpertFf => wide(self.expert_ff),
            Dim::SharedFf => self.shared_ff,
            Dim::QueryRank => wide(self.query_rank),
            Dim::KeyRank => wide(self.key_rank),
            Dim::KeyRankRope => sum(self.key_rank, self.rope),
            Dim::QueryMla => product(self.heads, sum(self.nope, self.rope)),
            Dim::Heads => wide(self.heads),
            Dim::Nope => wide(self.nope),
            Dim::ValueHead => wide(self.value),
            Dim::Values => product(self.heads, wide(self.value)),
        }
    }

    /// What transforms ask for.
    pub(super) fn transform_heads(&self) -> Heads {
        let number = |n: Option<u32>| n.map_or(0, u64::from);
        Heads {
            heads: number(self.heads),
            kv_heads: number(self.kv_heads),
            nope: number(self.nope),
            value: number(self.value),
        }
    }

    /// Whether a layer is one of `layers`.
    pub(super) fn is_one_of(&self, layers: Layers, layer: Option<u32>) -> bool {
        let sparse = self.dense_lead.is_some_and(|lead| layer.is_none_or(|layer| layer >= lead));
        match layers {
            Layers::All => true,
            Layers::Dense => !sparse,
            Layers::Experts => sparse,
        }
    }
}

/// The head size that follows from the others. DeepSeek-V2 has sizes of its own.
fn head_of(class: &Class, config: &Config<'_>, embd: u32, heads: u32) -> Option<u32> {
    if class.arch == "deepseek2" {
        return None;
    }
    let head = embd.checked_div(heads).filter(|head| *head > 0 && embd.is_multiple_of(heads));
    if head.is_none() {
        let sentence = format!("is {heads}, which does not divide hidden_size ({embd}), and there is no head_dim");
        config.problem("num_attention_heads", &sentence);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hf::class;
    use crate::engine::hf::report::Report;
    use serde_json::{Value as Json, json};

    fn sizes(json: &Json) -> (Sizes, Vec<String>) {
        let report = Report::default();
        let class = class::find(json).unwrap();
        let sizes = Sizes::read(class, &Config::new(json, class, &report));
        (sizes, report.finish().0)
    }

    fn llama() -> Json {
        json!({"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 100,
            "max_position_embeddings": 32})
    }

    #[test]
    fn products_of_the_largest_numbers_are_not_wrong() {
        let mut json = llama();
        for key in ["hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size"] {
            json[key] = json!(u32::MAX);
        }
        let (sizes, _) = sizes(&json);
        let max = u64::from(u32::MAX);
        assert_eq!(sizes.dim(Dim::Query), Some(max * max));
        assert_eq!(sizes.dim(Dim::GateUp), Some(2 * max));
        assert_eq!(sizes.dim(Dim::Qkv), None, "three times that does not fit");
    }

    #[test]
    fn contradictions_are_told() {
        for (key, value, said) in [
            ("num_attention_heads", json!(5), "num_attention_heads is 5, which does not divide hidden_size (64)"),
            (
                "num_key_value_heads",
                json!(3),
                "num_key_value_heads is 3, which does not divide num_attention_heads (4)",
            ),
            ("num_hidden_layers", json!(513), "num_hidden_layers is 513, and llama.cpp takes at most 512"),
            ("head_dim", json!(15), "head_dim is 15, an odd number"),
            ("num_attention_heads", json!(0), "num_attention_heads is 0"),
        ] {
            let mut json = llama();
            json[key] = value;
            let (_, missing) = sizes(&json);
            assert!(missing.iter().any(|sentence| sentence.contains(said)), "{key}: {missing:?}");
        }
        let (sizes, missing) = sizes(&llama());
        assert_eq!((sizes.head, missing), (Some(16), vec![]));
    }
}
