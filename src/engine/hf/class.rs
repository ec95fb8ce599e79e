//! The Hugging Face classes that can be converted, by the name in `architectures` of `config.json`, and what their
//! configuration classes document as defaults.

use serde_json::Value as Json;

use crate::text::escape;

/// Why nothing could be converted at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HfError {
    /// `config.json` holds something else than an object.
    #[error("config.json is not a JSON object")]
    NotAnObject,
    /// `config.json` does not say what model it is.
    #[error("config.json has no 'architectures' with the name of a model class in it; known are {known}")]
    Unnamed {
        /// The classes that can be converted.
        known: String,
    },
    /// A model class that cannot be converted.
    #[error("config.json names the model class '{}', which cannot be converted; known are {known}", escape(name))]
    Unknown {
        /// Name in `config.json`.
        name: String,
        /// The classes that can be converted.
        known: String,
    },
}

/// A model class of the transformers library.
#[derive(Debug)]
pub(super) struct Class {
    /// Its name in `architectures`.
    pub(super) name: &'static str,
    /// `general.architecture` of the GGUF.
    pub(super) arch: &'static str,
    /// Values that its configuration class documents for keys that are absent.
    pub(super) defaults: &'static [(&'static str, f64)],
    /// Whether `num_key_value_heads` is documented to be `num_attention_heads` where it is absent.
    pub(super) kv_heads_follow: bool,
    /// Whether the class ends in an output head over the vocabulary.
    pub(super) has_head: bool,
    /// Whether `tie_word_embeddings` is documented to be true where it is absent.
    pub(super) tied: bool,
}

/// LlamaConfig, MistralConfig, Qwen2Config, Qwen2MoeConfig, Qwen3MoeConfig, DeepseekConfig and DeepseekV2Config agree
/// on these (here and below: transformers 4.56).
const USUAL: &[(&str, f64)] = &[("rope_theta", 1e4), ("rms_norm_eps", 1e-6)];
/// MixtralConfig.
const MIXTRAL: &[(&str, f64)] = &[("rope_theta", 1e6), ("rms_norm_eps", 1e-5)];
/// Qwen3Config.
const QWEN3: &[(&str, f64)] = &[("rope_theta", 1e4), ("rms_norm_eps", 1e-6), ("head_dim", 128.0)];
/// Gemma2Config.
const GEMMA2: &[(&str, f64)] = &[("rope_theta", 1e4), ("rms_norm_eps", 1e-6), ("head_dim", 256.0)];
/// Gemma3TextConfig. The published `text_config` of the larger models names only what differs from it.
const GEMMA3: &[(&str, f64)] = &[
    ("rope_theta", 1e6),
    ("rope_local_base_freq", 1e4),
    ("rms_norm_eps", 1e-6),
    ("head_dim", 256.0),
    ("num_attention_heads", 8.0),
    ("num_key_value_heads", 4.0),
    ("max_position_embeddings", 131_072.0),
    ("vocab_size", 262_208.0),
];
/// Phi3Config.
const PHI3: &[(&str, f64)] =
    &[("rope_theta", 1e4), ("rms_norm_eps", 1e-5), ("original_max_position_embeddings", 4096.0)];
/// DeepseekV3Config.
const DEEPSEEK3: &[(&str, f64)] = &[
    ("rope_theta", 1e4),
    ("rms_norm_eps", 1e-6),
    ("first_k_dense_replace", 3.0),
    ("n_group", 8.0),
    ("topk_group", 4.0),
    ("routed_scaling_factor", 2.5),
];
/// BertConfig.
const BERT: &[(&str, f64)] = &[("layer_norm_eps", 1e-12), ("type_vocab_size", 2.0)];

impl Class {
    const fn new(name: &'static str, arch: &'static str, defaults: &'static [(&'static str, f64)]) -> Self {
        Self { name, arch, defaults, kv_heads_follow: false, has_head: true, tied: false }
    }

    const fn kv_heads_follow(mut self) -> Self {
        self.kv_heads_follow = true;
        self
    }

    const fn headless(mut self) -> Self {
        self.has_head = false;
        self
    }

    const fn tied(mut self) -> Self {
        self.tied = true;
        self
    }
}

static CLASSES: [Class; 19] = [
    Class::new("LlamaForCausalLM", "llama", USUAL).kv_heads_follow(),
    Class::new("LlamaModel", "llama", USUAL).kv_heads_follow().headless(),
    Class::new("MistralForCausalLM", "llama", USUAL),
    Class::new("MixtralForCausalLM", "llama", MIXTRAL),
    Class::new("Qwen2ForCausalLM", "qwen2", USUAL),
    Class::new("Qwen2Model", "qwen2", USUAL).headless(),
    Class::new("Qwen2MoeForCausalLM", "qwen2moe", USUAL),
    Class::new("Qwen3ForCausalLM", "qwen3", QWEN3),
    Class::new("Qwen3Model", "qwen3", QWEN3).headless(),
    Class::new("Qwen3MoeForCausalLM", "qwen3moe", USUAL),
    Class::new("Gemma2ForCausalLM", "gemma2", GEMMA2).tied(),
    Class::new("Gemma3ForCausalLM", "gemma3", GEMMA3).tied(),
    Class::new("Gemma3ForConditionalGeneration", "gemma3", GEMMA3).tied(),
    Class::new("Phi3ForCausalLM", "phi3", PHI3).kv_heads_follow(),
    Class::new("DeepseekForCausalLM", "deepseek", USUAL).kv_heads_follow(),
    Class::new("DeepseekV2ForCausalLM", "deepseek2", USUAL).kv_heads_follow(),
    Class::new("DeepseekV3ForCausalLM", "deepseek2", DEEPSEEK3).kv_heads_follow(),
    Class::new("BertModel", "bert", BERT).headless(),
    Class::new("BertForMaskedLM", "bert", BERT).headless(),
];

/// Names of the model classes that can be converted.
pub fn known_classes() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().map(|class| class.name)
}

/// The class that `config.json` names first.
pub(super) fn find(config: &Json) -> Result<&'static Class, HfError> {
    let config = config.as_object().ok_or(HfError::NotAnObject)?;
    let known = || known_classes().collect::<Vec<_>>().join(", ");
    let named = config.get("architectures").and_then(Json::as_array).and_then(|names| names.first());
    let name = named.and_then(Json::as_str).ok_or_else(|| HfError::Unnamed { known: known() })?;
    let found = CLASSES.iter().find(|class| class.name == name);
    found.ok_or_else(|| HfError::Unknown { name: name.to_owned(), known: known() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_class_has_the_tables_of_its_architecture() {
        for class in &CLASSES {
            assert!(crate::engine::hf::slots::arch(class.arch).is_some(), "{}", class.arch);
        }
    }

    #[test]
    fn a_model_that_cannot_be_converted_is_named_with_those_that_can() {
        let error = find(&json!({"architectures": ["MambaForCausalLM\u{1b}"]})).unwrap_err().to_string();
        assert!(error.contains("MambaForCausalLM\\u{1b}"), "{error}");
        assert!(error.contains("LlamaForCausalLM, ") && error.contains("BertModel"), "{error}");
        assert_eq!(find(&json!([1])).unwrap_err(), HfError::NotAnObject);
        for config in [json!({}), json!({"architectures": []}), json!({"architectures": [7]})] {
            assert!(matches!(find(&config), Err(HfError::Unnamed { .. })), "{config}");
        }
    }
}
