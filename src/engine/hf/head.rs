//! Whether a model has an output head of its own.

use super::HfTensor;
use super::class::Class;
use super::config::Config;
use super::names::{self, Reading};
use super::slots::Arch;

/// Name of the output head in a GGUF.
pub(super) const OUTPUT: &str = "output.weight";

/// Where the output head's weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// In a tensor of their own, which must be there.
    Own,
    /// They are the embedding's; a tensor of their own is left out.
    Shared,
    /// In a tensor of their own if there is one; the embedding's otherwise.
    Either,
}

impl Head {
    /// Reads `tie_word_embeddings`. Where it says that the head is shared, the transformers library overwrites a head
    /// that is stored nonetheless.
    pub(super) fn read(class: &Class, config: &Config<'_>, arch: &'static Arch, tensors: &[HfTensor]) -> Self {
        let is_output = |name: &str| match names::read(arch, name) {
            Reading::Placed(places) => places.iter().any(|place| place.slot.gguf == OUTPUT),
            _ => false,
        };
        let stored = tensors.iter().any(|tensor| is_output(&tensor.name));
        let tied = config.flag("tie_word_embeddings").or(class.tied.then_some(true));
        if arch.name == "gemma2" {
            let own = tensors.iter().any(|tensor| tensor.name.ends_with("lm_head.weight"));
            if own && tied == Some(false) {
                let sentence = "is false, and llama.cpp takes no output head of its own for gemma2";
                config.problem("tie_word_embeddings", sentence);
            }
        }
        match tied {
            Some(true) => Self::Shared,
            _ if !class.has_head => Self::Either,
            Some(false) => Self::Own,
            None if stored => Self::Own,
            None => {
                config.report().note(
                    "there is no lm_head.weight and config.json does not say whether it is tied; the embedding is \
                     taken for it"
                        .to_owned(),
                );
                Self::Either
            }
        }
    }
}
