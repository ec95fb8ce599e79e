//! Opening a model: one file, the shards of several, GGUF or safetensors.
//!
//! Lenient: what cannot be followed is an error, everything less is a diagnostic. Type numbers with several meanings are
//! resolved here, over all shards at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Container, Metadata, Model, Tensor};
use crate::engine::codec::DType;
use crate::engine::codec::dialect::{self, Finding, Hints, Occurrence};
use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::format::cut_off::CutOff;
use crate::engine::format::gguf::{DEFAULT_ALIGNMENT, Gguf, Value};
use crate::engine::format::locate::{Located, locate};
use crate::engine::format::safetensors::{self, Header};
use crate::engine::format::source::Source;

/// How a model is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    /// Map the files, or read them through page-aligned buffers.
    pub mmap: bool,
    /// What type numbers mean, where the user says so.
    pub dialects: Vec<DType>,
    /// Whether dimensions are written rows first; `None`: told from the file.
    pub rows_first: Option<bool>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { mmap: true, dialects: Vec::new(), rows_first: None }
    }
}

impl Model {
    /// Opens what `path` stands for: a file, any shard of a model, a folder, a cache entry, a glob. Errors: nothing or
    /// several models there, an unreadable file, a structure that cannot be followed; everything less is a diagnostic.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        match locate(path)? {
            Located::File(file) => {
                let source = Arc::new(Source::open(&file, options.mmap)?);
                if is_gguf(&source) || !safetensors::looks_like(&source) {
                    open_gguf(&file, Opened::one(source), options)
                } else {
                    open_safetensors(path, vec![source], Vec::new())
                }
            }
            Located::GgufShards(files) => open_gguf(path, open_files(&files, options.mmap)?, options),
            Located::SafetensorsShards(files) => {
                let opened = open_files(&files, options.mmap)?;
                open_safetensors(path, opened.files, opened.missing)
            }
            Located::Index(index) => open_index(path, &index, options.mmap),
        }
    }
}

fn is_gguf(source: &Source) -> bool {
    let mut magic = [0; 4];
    source.len() >= 4 && source.read_at(0, &mut magic).is_ok() && magic == *b"GGUF"
}

/// Files of a model that are there.
struct Opened {
    files: Vec<Arc<Source>>,
    /// The place of each among all of the model's files.
    places: Vec<usize>,
    /// Files that there should be.
    count: usize,
    /// The others, named.
    missing: Vec<Diagnostic>,
}

impl Opened {
    fn one(file: Arc<Source>) -> Self {
        Self { files: vec![file], places: vec![0], count: 1, missing: Vec::new() }
    }
}

/// Opens those files that are there; the others are named. At least one must be.
fn open_files(files: &[PathBuf], mmap: bool) -> Result<Opened> {
    let mut opened = Opened { files: Vec::new(), places: Vec::new(), count: files.len(), missing: Vec::new() };
    for (i, file) in files.iter().enumerate() {
        if std::fs::metadata(file).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let what = format!("shard {} of {} is missing: {name}", i + 1, files.len());
            opened.missing.push(Diagnostic::file(Severity::Error, "missing-shard", what));
        } else {
            opened.files.push(Arc::new(Source::open(file, mmap)?));
            opened.places.push(i);
        }
    }
    match (opened.files.is_empty(), opened.missing.first()) {
        (true, Some(first)) => Err(Error::Usage(first.message.clone())),
        (true, None) => Err(Error::Usage("the model has no files".to_owned())),
        _ => Ok(opened),
    }
}

fn open_gguf(path: &Path, opened: Opened, options: &OpenOptions) -> Result<Model> {
    let Opened { files, places, count, missing: mut diagnostics } = opened;
    let mut shards = files.iter().map(|f| Gguf::index(f)).collect::<Result<Vec<Gguf>>>()?;
    let metadata = shards.first().map_or_else(Metadata::default, |g| Metadata::of_gguf(g, &files[0]));
    let architecture = metadata.get("general.architecture").and_then(|v| v.as_str().map(str::to_owned));
    let mut dialects = resolve_dialects(&shards, &metadata, architecture.as_deref(), &options.dialects);
    // Type 30 knows no rows in either of its meanings, so that the order of dimensions follows from it.
    let has_t158 = dialects.iter().any(|f| f.chosen == DType::T158);
    let rows_first = options.rows_first.unwrap_or(has_t158 && architecture.as_deref() == Some("craftsman"));
    if rows_first {
        shards.iter_mut().for_each(|gguf| gguf.rows_first = true);
        dialects = resolve_dialects(&shards, &metadata, architecture.as_deref(), &options.dialects);
    }
    let meaning = |number: u32| {
        dialects.iter().find(|f| f.number == number).map_or(DType::of_number(number), |finding| finding.chosen)
    };
    for gguf in &mut shards {
        gguf.settle(meaning);
    }
    let mut tensors = Vec::new();
    for (i, gguf) in shards.iter_mut().enumerate() {
        if let Some(cut) = CutOff::of_gguf(gguf) {
            gguf.diagnostics.retain(|d| d.code != super::TRUNCATED);
            report_cut(cut, &files[i], files.len(), &mut diagnostics);
        }
        diagnostics.append(&mut gguf.diagnostics);
        tensors.extend(Tensor::all_of(gguf, i, rows_first));
    }
    check_shards(&shards, &files, (&places, count), &mut diagnostics);
    if metadata.get("general.type").is_some_and(|v| v.as_str() == Some("imatrix")) {
        let what = "this is an importance matrix, no model: --imatrix takes it";
        diagnostics.push(Diagnostic::file(Severity::Note, "imatrix", what));
    } else if architecture.is_none() {
        let what = "general.architecture is missing: llama.cpp cannot load this file";
        diagnostics.push(Diagnostic::file(Severity::Warning, "no-architecture", what));
    }
    report_dialects(&dialects, &mut diagnostics);
    let alignment = shards.first().map_or(DEFAULT_ALIGNMENT, |g| g.alignment);
    let mut model = Model {
        path: path.to_owned(),
        files,
        container: Container::Gguf(shards),
        metadata,
        tensors,
        dialects,
        diagnostics,
        architecture,
        alignment,
        rows_first,
    };
    report_undecoded(&mut model);
    Ok(model)
}

/// A file that is cut off is said first: most of what else is found follows from it.
fn report_cut(cut: CutOff, file: &Source, files: usize, diagnostics: &mut Vec<Diagnostic>) {
    let name = file.path().file_name().unwrap_or_default().to_string_lossy();
    let which = if files > 1 { format!(" (in {name})") } else { String::new() };
    diagnostics.insert(0, Diagnostic::file(Severity::Error, super::TRUNCATED, format!("{cut}{which}")));
}

/// Which meaning every ambiguous number has, over all shards.
fn resolve_dialects(
    shards: &[Gguf],
    metadata: &Metadata,
    architecture: Option<&str>,
    overrides: &[DType],
) -> Vec<Finding> {
    let mut occurrences: BTreeMap<u32, Vec<Occurrence>> = BTreeMap::new();
    for gguf in shards {
        for (number, mut found) in gguf.occurrences() {
            occurrences.entry(number).or_default().append(&mut found);
        }
    }
    let hints = Hints {
        architecture,
        ruvllm: metadata.find("craftsman.bitnet.version").is_some(),
        packing: metadata
            .get(dialect::PACKING_KEY)
            .and_then(|v| v.as_str().and_then(DType::from_name))
            .filter(|t| t.number() == DType::I2_S.number()),
        rotated: metadata.rotation_key().is_some(),
    };
    let overruled = |number| overrides.iter().rev().copied().find(|t| t.number() == Some(number));
    occurrences
        .iter()
        .filter_map(|(number, found)| dialect::resolve(*number, found, hints, overruled(*number)))
        .collect()
}

fn report_dialects(dialects: &[Finding], diagnostics: &mut Vec<Diagnostic>) {
    for finding in dialects.iter().filter(|f| f.is_remarkable()) {
        let severity = if finding.is_ambiguous() { Severity::Warning } else { Severity::Note };
        let code = if finding.is_ambiguous() { "dialect-ambiguous" } else { "dialect" };
        diagnostics.push(Diagnostic::file(severity, code, finding.to_string()));
    }
}

/// Split keys against the files that are there (their places among `count`); names that stand in several shards.
fn check_shards(
    shards: &[Gguf],
    files: &[Arc<Source>],
    (places, count): (&[usize], usize),
    diagnostics: &mut Vec<Diagnostic>,
) {
    let get = |i: usize, key: &str| shards[i].get(&files[i], key).and_then(|v: Value| v.as_u64());
    if count < 2 {
        if let Some(announced) = get(0, "split.count").filter(|n| *n > 1) {
            let what =
                format!("one of {announced} shards of a split model; its name does not tell where the others are");
            diagnostics.push(Diagnostic::file(Severity::Error, "missing-shard", what));
        }
        return;
    }
    for (i, (file, place)) in files.iter().zip(places).enumerate() {
        let name = file.path().file_name().unwrap_or_default().to_string_lossy();
        let mut report = |key: &str, found: Option<u64>, expected: usize| {
            let found = found.map_or_else(|| "missing".to_owned(), |n| n.to_string());
            let what = format!("{name}: {key} is {found}, expected {expected}");
            diagnostics.push(Diagnostic::file(Severity::Error, "split", what));
        };
        let (no, announced) = (get(i, "split.no"), get(i, "split.count"));
        if no != Some(*place as u64) {
            report("split.no", no, *place);
        }
        // llama.cpp asks the first shard alone how many there are.
        if announced != Some(count as u64) && (announced.is_some() || *place == 0) {
            report("split.count", announced, count);
        }
    }
    let there: u64 = shards.iter().map(|g| g.tensors.len() as u64).sum();
    let missing = diagnostics.iter().any(|d| d.code == "missing-shard");
    if let Some(total) = get(0, "split.tensors.count").filter(|n| *n != there && !missing) {
        let what = format!("split.tensors.count is {total}, the shards hold {there}");
        diagnostics.push(Diagnostic::file(Severity::Error, "split", what));
    }
    let mut seen = std::collections::HashMap::new();
    for (i, tensor) in shards.iter().enumerate().flat_map(|(i, g)| g.tensors.iter().map(move |t| (i, t))) {
        if let Some(first) = seen.insert(tensor.name.as_str(), i).filter(|first| *first != i) {
            let what = format!("is in shard {} and in shard {}", first + 1, i + 1);
            diagnostics.push(Diagnostic::tensor(Severity::Error, "duplicate-name", &tensor.name, what));
        }
    }
}

/// Types that are listed only: one note a type.
fn report_undecoded(model: &mut Model) {
    let mut first: BTreeMap<DType, (usize, usize)> = BTreeMap::new();
    for (i, tensor) in model.tensors.iter().enumerate() {
        if tensor.dtype.known_name().is_some() && tensor.decoder().is_none() && tensor.elements() > 0 {
            first.entry(tensor.dtype).or_insert((i, 0)).1 += 1;
        }
    }
    for (i, count) in first.into_values() {
        let tensor = &model.tensors[i];
        let more = if count > 1 { format!("; and {} more tensors", count - 1) } else { String::new() };
        let what = format!("listed, not decoded: {}{more}", tensor.undecodable_reason());
        model.diagnostics.push(Diagnostic::tensor(Severity::Note, "no-decoder", &tensor.name, what));
    }
}

fn open_index(path: &Path, index: &Path, mmap: bool) -> Result<Model> {
    let map = safetensors::read_index(index)?;
    let mut names: Vec<&String> = map.values().collect();
    names.sort();
    names.dedup();
    let folder = index.parent().unwrap_or(Path::new(""));
    let files: Vec<PathBuf> = names.iter().map(|n| folder.join(n)).collect();
    let opened = open_files(&files, mmap)?;
    let mut model = open_safetensors(path, opened.files, opened.missing)?;
    let there: std::collections::HashSet<&str> = model.tensors.iter().map(|t| t.name.as_str()).collect();
    let complete = model.diagnostics.iter().all(|d| d.code != "missing-shard");
    let absent: Vec<&String> = map.keys().filter(|name| complete && !there.contains(name.as_str())).collect();
    let absent: Vec<Diagnostic> = absent
        .into_iter()
        .take(100)
        .map(|name| {
            Diagnostic::tensor(Severity::Error, "missing-tensor", name, "is in the index and in none of the shards")
        })
        .collect();
    model.diagnostics.extend(absent);
    Ok(model)
}

fn open_safetensors(path: &Path, files: Vec<Arc<Source>>, mut diagnostics: Vec<Diagnostic>) -> Result<Model> {
    let headers = files.iter().map(|f| Header::read(f)).collect::<Result<Vec<Header>>>()?;
    let mut tensors = Vec::new();
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    let mut seen = std::collections::HashSet::new();
    for (i, (header, source)) in headers.iter().zip(&files).enumerate() {
        let end = header.data_offset + header.data_len;
        let ends = header.tensors.iter().map(|t| t.offset.saturating_add(t.bytes));
        if let Some(cut) = CutOff::of(source.len(), ends) {
            report_cut(cut, source, files.len(), &mut diagnostics);
        } else if end != source.len() {
            let what = format!("the header speaks of {end} bytes, {} has {}", source.path().display(), source.len());
            diagnostics.push(Diagnostic::file(Severity::Warning, "trailing", what));
        }
        for (key, value) in &header.metadata {
            values.insert(key.clone(), Value::string(value.clone()));
        }
        for info in &header.tensors {
            if !seen.insert(info.name.as_str()) {
                let what = "is in more than one shard";
                diagnostics.push(Diagnostic::tensor(Severity::Error, "duplicate-name", &info.name, what));
            }
            let there = info.offset.saturating_add(info.bytes) <= source.len();
            tensors.push(Tensor {
                file: i,
                offset: info.offset,
                bytes: if there { info.bytes } else { source.len().saturating_sub(info.offset) },
                layout_fits: there && info.dtype.layout().is_some(),
                ..Tensor::named(info.name.clone(), info.dims.clone(), info.dtype)
            });
        }
    }
    let mut model = Model {
        path: path.to_owned(),
        files,
        container: Container::Safetensors(headers.iter().map(|h| h.data_offset).collect()),
        metadata: Metadata::of_values(values),
        tensors,
        dialects: Vec::new(),
        diagnostics,
        architecture: None,
        alignment: DEFAULT_ALIGNMENT,
        rows_first: false,
    };
    report_undecoded(&mut model);
    Ok(model)
}
