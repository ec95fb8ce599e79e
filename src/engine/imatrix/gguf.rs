//! The GGUF form: `general.type = "imatrix"`, and for a weight tensor `T` the sums `T.in_sum2` and counts `T.counts`.
//!
//! Both are F32. `in_sum2` has a row of squared activations summed per input channel for each expert, `counts` one
//! number for each row (`[1, experts]`), or one for all rows. Rules are those of llama.cpp's loader
//! (`imatrix-loader.cpp`, mid-2026), except that it takes an expert without tokens for one of importance 1.

use std::collections::HashMap;

use super::{Entry, Imatrix, read_values};
use crate::engine::codec::DType;
use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::format::gguf::{Gguf, TensorInfo, Value};
use crate::engine::format::source::Source;

/// Key of the array of text files.
const DATASETS: &str = "imatrix.datasets";
/// Key of the number of chunks.
const CHUNK_COUNT: &str = "imatrix.chunk_count";
/// Key of the tokens in a chunk.
const CHUNK_SIZE: &str = "imatrix.chunk_size";
/// Names of text files that are kept; they are only shown.
const MAX_DATASETS: u64 = 256;

/// Reads a file that begins with GGUF's magic number.
pub(super) fn read(source: &Source) -> Result<Imatrix> {
    let gguf = Gguf::read(source, DType::of_number)?;
    let mut imatrix = Imatrix::empty(source.path(), false);
    read_metadata(source, &gguf, &mut imatrix)?;
    // Nothing can be done with half a matrix, and llama.cpp refuses such files too.
    if let Some(wrong) = gguf.diagnostics.iter().find(|d| d.severity == Severity::Error) {
        let what = format!("{} [{}]", wrong.message, wrong.code);
        return Err(match &wrong.tensor {
            Some(tensor) => Error::tensor(source.path(), tensor, what),
            None => Error::format(source.path(), wrong.offset.unwrap_or(0), what),
        });
    }
    imatrix.diagnostics.extend(gguf.diagnostics.iter().cloned());
    for (name, pair) in pairs(&gguf, &mut imatrix.diagnostics) {
        let entry = read_entry(source, &gguf, name, pair)?;
        imatrix.insert(entry);
    }
    if imatrix.entries.is_empty() {
        return Err(Error::format(source.path(), gguf.data_offset, "the importance matrix has no entries"));
    }
    Ok(imatrix)
}

/// Checks that this is an importance matrix and takes what it says about itself.
fn read_metadata(source: &Source, gguf: &Gguf, imatrix: &mut Imatrix) -> Result<()> {
    if let Some(entry) = gguf.kv("general.type") {
        let found = gguf.value(source, entry, 0)?;
        if found.as_str() != Some("imatrix") {
            let what = format!("general.type is '{found}', expected 'imatrix': this is no importance matrix");
            return Err(Error::format(source.path(), entry.value_offset, what));
        }
    }
    let keys = ["general.type", DATASETS, CHUNK_COUNT, CHUNK_SIZE];
    let missing: Vec<&str> = keys.into_iter().filter(|key| gguf.kv(key).is_none()).collect();
    if !missing.is_empty() {
        let what = format!("no importance matrix: the metadata lacks {}", missing.join(", "));
        return Err(Error::content(source.path(), what));
    }
    imatrix.chunks = Some(number(source, gguf, CHUNK_COUNT)?);
    imatrix.chunk_size = Some(number(source, gguf, CHUNK_SIZE)?);
    let Some(entry) = gguf.kv(DATASETS) else { return Ok(()) };
    let Value::Array { len, head, .. } = gguf.value(source, entry, MAX_DATASETS)? else {
        let what = format!("{DATASETS} is of type {}, expected an array of strings", entry.value_type.name());
        return Err(Error::format(source.path(), entry.value_offset, what));
    };
    imatrix.datasets = head.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if imatrix.datasets.len() != head.len() {
        let what = format!("{DATASETS} has elements that are no strings");
        return Err(Error::format(source.path(), entry.value_offset, what));
    }
    if len > MAX_DATASETS {
        let what = format!("of {len} names in {DATASETS} the first {MAX_DATASETS} are kept");
        imatrix.diagnostics.push(Diagnostic::file(Severity::Note, "imatrix-datasets", what).at(entry.value_offset));
    }
    Ok(())
}

/// The value of a key that must be an unsigned integer.
fn number(source: &Source, gguf: &Gguf, key: &str) -> Result<u64> {
    let Some(entry) = gguf.kv(key) else {
        return Err(Error::content(source.path(), format!("the metadata lacks {key}")));
    };
    let found = gguf.value(source, entry, 0)?;
    found.as_u64().ok_or_else(|| {
        let what = format!("{key} is {found} ({}), expected a number of at least 0", found.value_type().name());
        Error::format(source.path(), entry.value_offset, what)
    })
}

/// Sums and counts of one weight tensor; either may be missing yet.
type Pair<'a> = [Option<&'a TensorInfo>; 2];

/// What the two tensors of a pair are called behind the weight's name.
const SUFFIXES: [&str; 2] = [".in_sum2", ".counts"];

/// The pairs by weight tensor, in the order in which the file first mentions each.
fn pairs<'a>(gguf: &'a Gguf, diagnostics: &mut Vec<Diagnostic>) -> Vec<(&'a str, Pair<'a>)> {
    let mut found: Vec<(&str, Pair<'_>)> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    let mut others: Vec<&TensorInfo> = Vec::new();
    for tensor in &gguf.tensors {
        let named = SUFFIXES.iter().enumerate().find_map(|(i, s)| Some((i, tensor.name.strip_suffix(s)?)));
        let Some((which, weight)) = named else {
            others.push(tensor);
            continue;
        };
        let at = *index.entry(weight).or_insert_with(|| {
            found.push((weight, [None, None]));
            found.len() - 1
        });
        found[at].1[which] = Some(tensor);
    }
    if let Some(first) = others.first() {
        let what = format!("{} tensors are neither sums nor counts and are passed over, this one first", others.len());
        diagnostics.push(Diagnostic::tensor(Severity::Warning, "imatrix-tensor", &first.name, what));
    }
    found
}

/// Reads a pair, checks it and divides.
fn read_entry(source: &Source, gguf: &Gguf, name: &str, pair: Pair<'_>) -> Result<Entry> {
    let refuse = |what: String| Error::tensor(source.path(), name, what);
    let (sums, counts) = match pair {
        [Some(sums), Some(counts)] => (sums, counts),
        [sums, _] => {
            let (there, missing) = if sums.is_some() { (0, 1) } else { (1, 0) };
            let (there, missing) = (SUFFIXES[there], SUFFIXES[missing]);
            return Err(refuse(format!("'{name}{there}' is there, '{name}{missing}' is missing")));
        }
    };
    if let Some(other) = [sums, counts].into_iter().find(|t| t.dtype != DType::F32) {
        return Err(refuse(format!("'{}' is of type {}, expected F32", other.name, other.dtype)));
    }
    let columns = sums.dims.first().copied().unwrap_or(1);
    // Products of dimensions do not overflow: the index has refused a tensor where they would.
    let rows: u64 = sums.dims.iter().skip(1).product();
    let counted: u64 = counts.dims.iter().product();
    if columns == 0 || rows == 0 {
        return Err(refuse(format!("'{}' has the shape {}: no values", sums.name, crate::text::shape(&sums.dims))));
    }
    if counted != rows && counted != 1 {
        return Err(refuse(format!(
            "'{}' has {rows} rows, '{}' has {counted} numbers: expected one for each row",
            sums.name, counts.name
        )));
    }
    let values = |tensor: &TensorInfo, count| {
        read_values(source, gguf.data_offset.saturating_add(tensor.offset), count, &tensor.name)
    };
    let mut importance = values(sums, columns * rows)?;
    // Counts above 2^24 have lost their last digits in F32 already; llama.cpp rounds what is no integer.
    let mut counts: Vec<f32> = values(counts, counted)?.into_iter().map(f32::round).collect();
    if let [one] = counts[..] {
        counts.resize(rows as usize, one);
    }
    for (row, count) in importance.chunks_exact_mut(columns as usize).zip(&counts) {
        for value in row {
            *value = if *count > 0.0 { *value / count } else { 0.0 };
        }
    }
    Ok(Entry { name: name.to_owned(), columns: columns as usize, experts: rows as usize, importance, counts })
}
