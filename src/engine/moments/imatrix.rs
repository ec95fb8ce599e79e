//! The diagonals as an importance matrix, in the form that `llama-imatrix` writes.

use super::{Entry, Moments, Output};
use crate::engine::codec::DType;
use crate::engine::error::{Error, Result};
use crate::engine::export::target::{Syncing, Target};
use crate::engine::format::gguf::write::entry as kv;
use crate::engine::format::gguf::{Header, HeaderTensor, Value, ValueType};
use crate::engine::format::source::FileId;
use crate::engine::model::names::natural_cmp;
use crate::engine::progress::Cancel;

/// Offsets of tensors are multiples of this, as GGUF has it where nothing else is said.
const ALIGNMENT: u64 = 32;
/// Longest chunk that is told.
const CHUNK: u64 = 512;

/// Writes `WEIGHT.in_sum2` (means of squares × tokens) and `WEIGHT.counts` (tokens) for every weight that an input feeds.
/// `Some(why)`: the file is there and whole, but the folder could not be synced.
pub fn to_imatrix(moments: &Moments, output: &Output<'_>, cancel: &Cancel) -> Result<Option<String>> {
    let mut weights: Vec<(&str, &Entry)> =
        moments.entries.iter().flat_map(|e| e.weights.iter().map(move |w| (w.as_str(), e))).collect();
    weights.sort_by(|(a, _), (b, _)| natural_cmp(a, b));
    let Some(number) = DType::F32.number() else {
        return Err(Error::content(output.path, "GGUF has no number for F32"));
    };
    let tensor =
        |name: String, dims: [u64; 2]| HeaderTensor { name, dims: dims.to_vec(), number, bytes: 4 * dims[0] * dims[1] };
    let mut tensors = Vec::with_capacity(2 * weights.len());
    for (weight, entry) in &weights {
        let (columns, experts) = (entry.columns as u64, entry.experts as u64);
        tensors.push(tensor(format!("{weight}.in_sum2"), [columns, experts]));
        tensors.push(tensor(format!("{weight}.counts"), [1, experts]));
    }
    let laid_out = Header::lay_out(&metadata(moments), &tensors, ALIGNMENT);
    let sized = laid_out.and_then(|header| Some((header.file_len()?, header)));
    let (len, header) = sized.ok_or_else(|| Error::content(output.path, "the file would be too large"))?;
    let sources: Vec<FileId> = output.sources.iter().copied().chain([moments.id()]).collect();
    let target = Target::create(output.path, &sources, output.force, len)?;
    target.write_at(&header.bytes, 0)?;
    let syncing = if output.sync { Some(target.begin_sync()?) } else { None };
    let start = header.bytes.len() as u64;
    for ((_, entry), places) in weights.iter().zip(header.offsets.as_chunks::<2>().0) {
        cancel.check()?;
        let mut sums = Vec::with_capacity(4 * entry.columns * entry.experts);
        let mut counts = Vec::with_capacity(4 * entry.experts);
        for (expert, tokens) in entry.tokens.iter().enumerate() {
            for square in moments.diagonal(entry, expert)? {
                let sum = (f64::from(square) * *tokens as f64) as f32;
                if !sum.is_finite() {
                    let what = format!("{square} × {tokens} tokens is more than F32 holds");
                    return Err(Error::tensor(&moments.path, &entry.name, what));
                }
                sums.extend_from_slice(&sum.to_le_bytes());
            }
            counts.extend_from_slice(&(*tokens as f32).to_le_bytes());
        }
        target.write_at(&sums, start + places[0])?;
        target.write_at(&counts, start + places[1])?;
    }
    if let Some(written) = syncing.map(Syncing::written) {
        written.wait(cancel)?;
    }
    target.publish(output.sync)
}

/// The keys that `llama-imatrix` writes. Moments know tokens, not chunks: the longest chunk that the tokens are a
/// multiple of, so that chunks × size is what was measured.
fn metadata(moments: &Moments) -> Vec<Vec<u8>> {
    let about = &moments.about;
    let mut size = CHUNK;
    while !about.tokens.is_multiple_of(size) {
        size /= 2;
    }
    let small = |n: u64| Value::u32(u32::try_from(n).unwrap_or(u32::MAX));
    let names: Vec<Value> = about.texts.iter().map(|text| Value::string(format!("xxh3-128:{text}"))).collect();
    let file = || Value::string(moments.path.file_name().unwrap_or_default().to_string_lossy());
    let names = if names.is_empty() { vec![file()] } else { names };
    let datasets = Value::Array { element: ValueType::String, len: names.len() as u64, head: names };
    vec![
        kv("general.type", &Value::string("imatrix")),
        kv("imatrix.datasets", &datasets),
        kv("imatrix.chunk_count", &small(about.tokens / size)),
        kv("imatrix.chunk_size", &small(size)),
    ]
}
