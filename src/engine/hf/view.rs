//! A safetensors model as the GGUF that it would become: a [`Model`] over the same files, without a copied byte.
//!
//! Metadata comes from the folder's own files (`config.json`, the tokenizer), or from a GGUF of the same architecture.
//! What cannot be derived stops the conversion and is named, all of it at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;

use super::based;
use super::tokenizer::{self, TokenizerFiles};
use super::{Conversion, Folder, HfTensor, TensorPlan, convert};
use crate::engine::codec::DType;
use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::format::gguf::{DEFAULT_ALIGNMENT, Value};
use crate::engine::model::assembly::{Assembly, Part};
use crate::engine::model::{Container, Metadata, Model, Tensor};
use crate::text::escape;

/// Longest file of a folder (other than weights) that is read.
const MAX_FILE: u64 = 256 << 20;
/// Code of the diagnostic that says why a model is shown but cannot be exported.
const NOT_A_GGUF: &str = "not-a-gguf";
/// Missing things that an error names before it counts the rest.
const NAMED: usize = 8;

impl Model {
    /// Whether it has to be converted before it can be exported.
    pub fn is_foreign(&self) -> bool {
        matches!(self.container, Container::Safetensors(_))
    }

    /// Whether it is shown as the GGUF that it would become.
    pub fn is_converted(&self) -> bool {
        matches!(self.container, Container::Converted(_))
    }

    /// Refuses a model that is no GGUF and was not converted: why not, where that was tried.
    pub fn require_gguf(&self) -> Result<()> {
        if !self.is_foreign() {
            return Ok(());
        }
        let tried = self.diagnostics.iter().find(|d| d.code == NOT_A_GGUF).map(|d| d.message.clone());
        let what = tried.unwrap_or_else(|| "safetensors have to be converted before they are exported".to_owned());
        Err(Error::content(&self.path, what))
    }
}

/// The model as the GGUF that it would become; with `base`, a GGUF of the same architecture, names and metadata come from
/// there. Errors: no `config.json`, an architecture that is not known, and everything that cannot be derived, by name.
pub fn as_gguf(model: &Model, base: Option<&Model>) -> Result<Model> {
    model.require_sound()?;
    match base {
        Some(base) => based::as_gguf(model, base),
        None => from_folder(model),
    }
}

/// The model as the GGUF that it would become; one that cannot become one (and every other model) as it is, with the
/// reason among its diagnostics. Errors: a base that is not for this model, a failed read.
pub fn best_view(mut model: Model, base: Option<&Model>) -> Result<Model> {
    if !model.is_foreign() {
        return match base {
            Some(_) => Err(Error::Usage("--base is for safetensors; this model is a GGUF already".to_owned())),
            None => Ok(model),
        };
    }
    match as_gguf(&model, base) {
        Ok(view) => Ok(view),
        Err(Error::Format { path, what, .. } | Error::Content { path, what }) => {
            let name = path.file_name().filter(|_| path != model.path);
            let what = name.map_or_else(|| what.clone(), |name| format!("{}: {what}", name.to_string_lossy()));
            model.diagnostics.push(Diagnostic::file(Severity::Warning, NOT_A_GGUF, what));
            Ok(model)
        }
        Err(e) => Err(e),
    }
}

fn from_folder(model: &Model) -> Result<Model> {
    let folder = folder_of(model);
    let config = read_json(&folder, "config.json")?.ok_or_else(|| {
        let what = "no config.json beside the weights: give a GGUF of the same architecture with --base";
        Error::content(&model.path, what)
    })?;
    let generation = read_json(&folder, "generation_config.json")?;
    let pooling = read_json(&folder, "1_Pooling/config.json")?;
    let tensors = hf_tensors(model);
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned());
    let conversion = convert(&Folder {
        config: &config,
        generation: generation.as_ref(),
        pooling: pooling.as_ref(),
        name: name.as_deref(),
        tensors: &tensors,
    })
    .map_err(|e| Error::content(&folder.join("config.json"), e.to_string()))?;
    let mut missing = conversion.missing.clone();
    let mut notes = conversion.notes.clone();
    let tokens = tokenizer_entries(&folder, &conversion)?;
    missing.extend(tokens.missing);
    notes.extend(tokens.notes);
    refuse_missing(model, &missing)?;
    let mut kvs = conversion.kvs.clone();
    kvs.extend(file_type(model, &conversion.tensors).map(|n| ("general.file_type".to_owned(), Value::u32(n))));
    kvs.extend(tokens.kvs);
    let mut converted = Vec::with_capacity(conversion.tensors.len() + conversion.computed.len());
    for (name, dims, values) in conversion.computed {
        let assembly = Arc::new(Assembly::Values(values));
        converted.push(Tensor { assembly: Some(assembly), ..Tensor::named(name, dims, DType::F32) });
    }
    converted.extend(conversion.tensors.into_iter().map(|plan| assembled(model, plan)));
    Ok(view(model, Metadata::of_values(kvs), converted, Some(conversion.architecture), &notes))
}

/// Refuses a conversion in which something is missing: as much of it as a line holds.
pub(super) fn refuse_missing(model: &Model, missing: &[String]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let named: Vec<&str> = missing.iter().take(NAMED).map(String::as_str).collect();
    let more = if missing.len() > NAMED { format!("; and {} more", missing.len() - NAMED) } else { String::new() };
    let what = format!("cannot become a GGUF: {}{more}", named.join("; "));
    Err(Error::content(&model.path, what))
}

/// A model over the files of `model` with other tensors and metadata.
pub(super) fn view(
    model: &Model,
    metadata: Metadata,
    tensors: Vec<Tensor>,
    architecture: Option<String>,
    notes: &[String],
) -> Model {
    let mut diagnostics = model.diagnostics.clone();
    diagnostics.extend(notes.iter().map(|note| Diagnostic::file(Severity::Note, "conversion", note.clone())));
    let headers = match &model.container {
        Container::Safetensors(headers) | Container::Converted(headers) => headers.clone(),
        Container::Gguf(shards) => shards.iter().map(|g| g.data_offset).collect(),
    };
    Model {
        path: model.path.clone(),
        files: model.files.clone(),
        container: Container::Converted(headers),
        metadata,
        tensors,
        dialects: Vec::new(),
        diagnostics,
        architecture,
        alignment: DEFAULT_ALIGNMENT,
        rows_first: false,
    }
}

/// A tensor put together from the model's tensors as `plan` says.
pub(super) fn assembled(model: &Model, plan: TensorPlan) -> Tensor {
    let sources: Vec<&Tensor> = plan.parts.iter().filter_map(|i| model.tensors.get(*i)).collect();
    let parts = sources.iter().map(|t| Part { file: t.file, offset: t.offset }).collect();
    let dtype = sources.first().map_or(DType::F32, |t| t.dtype);
    let aliases = sources.iter().map(|t| t.name.clone()).collect();
    let (name, dims) = (plan.name.clone(), plan.dims.clone());
    let assembly = Assembly::Parts { parts, dtype, plan };
    let first = assembly.first();
    Tensor {
        aliases,
        file: first.file,
        offset: first.offset,
        assembly: Some(Arc::new(assembly.clone())),
        ..Tensor::named(name, dims, assembly.dtype())
    }
}

/// The model's tensors as the conversion knows them.
pub(super) fn hf_tensors(model: &Model) -> Vec<HfTensor> {
    let tensor = |t: &Tensor| HfTensor {
        name: t.name.clone(),
        shape: t.dims.iter().rev().copied().collect(),
        dtype: t.dtype.to_string(),
    };
    model.tensors.iter().map(tensor).collect()
}

/// `general.file_type` of the weights as they are: that of the type most elements have.
pub(super) fn file_type(model: &Model, plans: &[TensorPlan]) -> Option<u32> {
    let elements = |dtype: DType| -> u64 {
        let of =
            |p: &&TensorPlan| p.parts.first().and_then(|i| model.tensors.get(*i)).is_some_and(|t| t.dtype == dtype);
        plans.iter().filter(of).filter_map(TensorPlan::elements).fold(0, u64::saturating_add)
    };
    let numbers = [(DType::F32, 0), (DType::F16, 1), (DType::BF16, 32)];
    numbers.into_iter().max_by_key(|(dtype, _)| elements(*dtype)).filter(|(t, _)| elements(*t) > 0).map(|(_, n)| n)
}

/// What the tokenizer's files give, with what the architecture adds to it.
fn tokenizer_entries(folder: &Path, conversion: &Conversion) -> Result<tokenizer::TokenizerKvs> {
    let files = [
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "generation_config.json",
        "tokenizer.model",
        "vocab.txt",
        "chat_template.jinja",
        "config.json",
        "added_tokens.json",
    ];
    let bytes = files.iter().map(|name| read(folder, name)).collect::<Result<Vec<Option<Vec<u8>>>>>()?;
    let of = |name: &str| files.iter().position(|n| *n == name).and_then(|i| bytes.get(i)).and_then(|b| b.as_deref());
    let given = TokenizerFiles {
        tokenizer_json: of("tokenizer.json"),
        tokenizer_config: of("tokenizer_config.json"),
        special_tokens_map: of("special_tokens_map.json"),
        generation_config: of("generation_config.json"),
        sentencepiece: of("tokenizer.model"),
        vocab_txt: of("vocab.txt"),
        chat_template: of("chat_template.jinja"),
        config: of("config.json"),
        added_tokens: of("added_tokens.json"),
    };
    let rows = conversion.vocab_size.map_or(0, u64::from);
    let mut found = tokenizer::convert(&given, &conversion.architecture, rows);
    if let Some(count) = conversion.token_type_count {
        found.kvs.push(("tokenizer.ggml.token_type_count".to_owned(), Value::u32(count)));
    }
    Ok(found)
}

/// The folder of the weights: as they were named, so that a cache's links keep their neighbours.
fn folder_of(model: &Model) -> PathBuf {
    let parent = model.source().path().parent().unwrap_or(Path::new(""));
    if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }
}

fn read_json(folder: &Path, name: &str) -> Result<Option<Json>> {
    let Some(bytes) = read(folder, name)? else { return Ok(None) };
    let path = folder.join(name);
    serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::content(&path, format!("not valid JSON: {e}")))
}

/// A file of the folder, if it is there.
fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let path = folder.join(name);
    let metadata = match std::fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(Error::io(&path, "open", e)),
    };
    if !metadata.is_file() {
        return Ok(None);
    }
    if metadata.len() > MAX_FILE {
        let what = format!("{} has {} bytes; at most {MAX_FILE} are read", escape(name), metadata.len());
        return Err(Error::content(&path, what));
    }
    std::fs::read(&path).map(Some).map_err(|e| Error::io(&path, "read", e))
}
