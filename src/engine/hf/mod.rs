//! A Hugging Face folder as a GGUF: which metadata and which tensors it has.
//!
//! [`as_gguf`] (in `view`) reads the folder's small files and shows an opened model as the GGUF it would become; `based`
//! takes names and metadata from a GGUF instead. Everything else is numbers, names and shapes only: no file is opened, no
//! weight is read. [`tokenizer`] makes the tokenizer's metadata.
//!
//! [`convert`] reads `config.json` and the list of tensors and says what llama.cpp's converter would write, or what
//! stands in the way; [`gguf_names`] is the name table alone. Sources for every name, key and shape are llama.cpp's
//! loader (`src/models/*.cpp`, `llama-model.cpp`) and converter (`conversion/*.py`, `gguf-py`), mid-2026.
//!
//! `class` knows the model classes, `config` reads numbers, `sizes` gathers them, `slots` has the tables of tensors,
//! `names` reads names by them, `plan` brings both together, `keys` and `rope` write metadata.

mod based;
mod class;
mod config;
mod elementary;
mod head;
mod keys;
mod kvs;
mod names;
mod plan;
mod report;
mod rope;
mod sizes;
mod slots;
pub mod tokenizer;
mod transform;
mod view;

use serde_json::Value as Json;

use crate::engine::format::gguf::Value;

pub use class::{HfError, known_classes};
pub use names::{Heads, Mapped, gguf_names};
pub use slots::Kind;
pub use transform::{TensorPlan, Transform};
pub use view::{as_gguf, best_view};

/// A tensor of the folder's safetensors files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HfTensor {
    /// Its name, as the file spells it.
    pub name: String,
    /// Row-major, as the file has it.
    pub shape: Vec<u64>,
    /// `BF16`, `F16`, `F32`, …
    pub dtype: String,
}

/// What there is to convert.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a> {
    /// `config.json`.
    pub config: &'a Json,
    /// `generation_config.json`.
    pub generation: Option<&'a Json>,
    /// `1_Pooling/config.json` of a sentence-transformers model.
    pub pooling: Option<&'a Json>,
    /// What the model is called: the folder's name.
    pub name: Option<&'a str>,
    /// The tensors of all shards.
    pub tensors: &'a [HfTensor],
}

/// A model as a GGUF would have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion {
    /// `general.architecture`.
    pub architecture: String,
    /// Metadata in order, `general.architecture` first; without `tokenizer.*` and `general.file_type`.
    pub kvs: Vec<(String, Value)>,
    /// The tensors in order. Complete only if nothing is `missing`.
    pub tensors: Vec<TensorPlan>,
    /// Tensors that are computed from the configuration, in F32: name, shape, elements.
    pub computed: Vec<(String, Vec<u64>, Vec<f32>)>,
    /// Rows of the embedding, which the tokenizer must have as many tokens for.
    pub vocab_size: Option<u32>,
    /// `tokenizer.ggml.token_type_count` of an encoder: kinds of segments, without which llama.cpp does not load one.
    pub token_type_count: Option<u32>,
    /// What stops the conversion: sentences that name the key or tensor.
    pub missing: Vec<String>,
    /// What was left out or assumed.
    pub notes: Vec<String>,
}

/// Works out the GGUF of a folder. Everything that is wrong with a model class that is known goes to
/// [`Conversion::missing`].
pub fn convert(folder: &Folder<'_>) -> Result<Conversion, HfError> {
    let class = class::find(folder.config)?;
    // The class table and the architecture table are checked against each other by a test.
    let Some(arch) = slots::arch(class.arch) else {
        return Err(HfError::Unknown { name: class.name.to_owned(), known: String::new() });
    };
    let report = report::Report::default();
    let config = config::Config::new(folder.config, class, &report);
    let sizes = sizes::Sizes::read(class, &config);
    let mut kvs = kvs::Kvs::new(class.arch);
    let name = folder.name.or_else(|| published_name(folder.config));
    keys::general(class, name, folder.generation, &mut kvs);
    let computed = keys::write(class, &config, &sizes, &mut kvs);
    keys::pooling(class, &config, folder.pooling, &mut kvs);
    let head = head::Head::read(class, &config, arch, folder.tensors);
    let planner = plan::Planner { arch, sizes: &sizes, tensors: folder.tensors, head, report: &report };
    let tensors = planner.plan();
    let (vocab_size, token_type_count) = (sizes.vocab, sizes.types);
    let (missing, notes) = report.finish();
    Ok(Conversion {
        architecture: class.arch.to_owned(),
        kvs: kvs.finish(),
        tensors,
        computed,
        vocab_size,
        token_type_count,
        missing,
        notes,
    })
}

/// The model's part of `_name_or_path`, where that is a published name and not somebody's path.
fn published_name(config: &Json) -> Option<&str> {
    let name = config.get("_name_or_path")?.as_str()?;
    let published = name.matches('/').count() <= 1 && !name.starts_with(['.', '/', '~']) && !name.contains('\\');
    published.then(|| name.rsplit('/').next()).flatten()
}
