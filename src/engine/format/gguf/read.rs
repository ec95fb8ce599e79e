//! Indexing a GGUF: header, where each metadata value lies, tensor infos. Tensor data is never touched.
//!
//! One parser with llama.cpp's limits. What makes the structure unreadable is an error; what merely makes the file
//! unfit for llama.cpp (gaps between tensors, odd names, unknown types) becomes a [`Diagnostic`], and an export
//! refuses a file that has one of severity `error`.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use smallvec::SmallVec;

use super::value::{self, Value, ValueType};
use super::{DEFAULT_ALIGNMENT, MAGIC, MAX_DIMS, MAX_NAME, MAX_STRING, align_up};
use crate::engine::codec::DType;
use crate::engine::codec::dialect::Occurrence;
use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::format::bytes::Cursor;
use crate::engine::format::source::Source;

/// Fewest bytes of a metadata entry: empty key, type, one byte of value.
const MIN_KV: u64 = 8 + 4 + 1;
/// Fewest bytes of a tensor info: empty name, dimension count, type, offset.
const MIN_INFO: u64 = 8 + 4 + 4 + 8;

/// Diagnostics of one kind that are kept.
const MAX_OF_A_KIND: usize = 100;

/// Where one metadata entry lies in the file.
#[derive(Debug, Clone)]
pub struct KvEntry {
    /// The key; bytes that are not UTF-8 are replaced.
    pub key: String,
    /// Type of the value.
    pub value_type: ValueType,
    /// The whole entry, key included.
    pub bytes: Range<u64>,
    /// Offset of the value's first byte.
    pub value_offset: u64,
}

/// What the file says about one tensor.
#[derive(Debug, Clone)]
pub struct TensorInfo {
    /// The name; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// Dimensions, row length first; at most four, none for a scalar.
    pub dims: Dims,
    /// The type: what the number means in this file.
    pub dtype: DType,
    /// Offset in the data section.
    pub offset: u64,
    /// Bytes its type and dimensions need, where the type is known.
    pub bytes: Option<u64>,
    /// Bytes from its offset to the next tensor's, or to the end of the file.
    pub extent: u64,
    /// Offset of this description in the file.
    pub info_offset: u64,
}

/// The index of a GGUF file.
#[derive(Debug, Clone)]
pub struct Gguf {
    /// 2 or 3.
    pub version: u32,
    /// Metadata in file order.
    pub kvs: Vec<KvEntry>,
    /// Tensors in file order.
    pub tensors: Vec<TensorInfo>,
    /// Alignment of the data section.
    pub alignment: u64,
    /// Offset of the data section.
    pub data_offset: u64,
    /// Length of the data section.
    pub data_len: u64,
    /// What is odd about the file.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether dimensions stand rows first, against GGUF's convention. Reading leaves it `false`; who knows better says so
    /// before [`Gguf::settle`].
    pub rows_first: bool,
}

impl Gguf {
    /// Indexes `source`; `meaning` says what its type numbers mean. Errors: those of [`Gguf::index`].
    pub fn read(source: &Source, meaning: impl Fn(u32) -> DType) -> Result<Self> {
        let mut gguf = Self::index(source)?;
        gguf.settle(meaning);
        Ok(gguf)
    }

    /// Reads header, metadata and tensor infos, taking type numbers for ggml's; sizes are not known before
    /// [`Gguf::settle`]. Errors: not a GGUF, a version other than 2 and 3, a structure that the file's length does not
    /// back, an alignment that is no power of two.
    pub fn index(source: &Source) -> Result<Self> {
        let mut cursor = Cursor::new(source, 0);
        let (version, n_tensors, n_kvs) = read_counts(&mut cursor)?;
        let mut diagnostics = Findings::default();
        let kvs = read_kvs(&mut cursor, n_kvs, &mut diagnostics)?;
        let alignment = read_alignment(source, &kvs)?;
        let mut tensors = read_infos(&mut cursor, n_tensors, &mut diagnostics)?;
        let end = cursor.position();
        let mut data_offset =
            align_up(end, alignment).ok_or_else(|| cursor.error("the data section's offset overflows"))?;
        if data_offset > source.len() {
            if tensors.iter().any(|t| t.elements() > 0) {
                let what = format!(
                    "the data section would begin at {data_offset}, the file has {} bytes: it is cut short",
                    source.len()
                );
                diagnostics.push(Diagnostic::file(Severity::Error, "truncated", what).at(end));
            }
            data_offset = source.len();
        }
        let data_len = source.len() - data_offset;
        extents(&mut tensors, data_len);
        let diagnostics = diagnostics.finish();
        Ok(Self { version, kvs, tensors, alignment, data_offset, data_len, diagnostics, rows_first: false })
    }

    /// Gives every tensor the meaning of its type number, and with it its size; reports what does not fit together.
    pub fn settle(&mut self, meaning: impl Fn(u32) -> DType) {
        let mut diagnostics = Findings::of(std::mem::take(&mut self.diagnostics));
        for tensor in &mut self.tensors {
            if let Some(number) = tensor.dtype.number() {
                tensor.dtype = meaning(number);
            }
            match sized(tensor.dtype, tensor.row_len(self.rows_first), tensor.elements()) {
                Ok(bytes) => tensor.bytes = bytes,
                Err((code, what)) => {
                    diagnostics
                        .push(Diagnostic::tensor(Severity::Error, code, &tensor.name, what).at(tensor.info_offset));
                }
            }
        }
        check_places(&self.tensors, self.data_len, self.alignment, &mut diagnostics);
        self.diagnostics = diagnostics.finish();
    }

    /// The tensors of each type number as their places tell them, for [`crate::engine::codec::dialect`].
    pub fn occurrences(&self) -> BTreeMap<u32, Vec<Occurrence>> {
        let last = self.tensors.iter().map(|t| t.offset).max().unwrap_or(0);
        let mut found: BTreeMap<u32, Vec<Occurrence>> = BTreeMap::new();
        for tensor in &self.tensors {
            let Some(number) = tensor.dtype.number() else { continue };
            found.entry(number).or_default().push(Occurrence {
                elements: tensor.elements(),
                row: tensor.row_len(self.rows_first),
                extent: tensor.extent,
                alignment: self.alignment,
                last: tensor.offset == last,
            });
        }
        found
    }

    /// The entry with this key; of several the first.
    pub fn kv(&self, key: &str) -> Option<&KvEntry> {
        self.kvs.iter().find(|kv| kv.key == key)
    }

    /// Decodes an entry's value; of an array at most `head` elements.
    pub fn value(&self, source: &Source, entry: &KvEntry, head: u64) -> Result<Value> {
        value::decode(&mut Cursor::new(source, entry.value_offset), entry.value_type, head)
    }

    /// The value of a key, if it is there and readable.
    pub fn get(&self, source: &Source, key: &str) -> Option<Value> {
        self.value(source, self.kv(key)?, 0).ok()
    }
}

impl TensorInfo {
    /// Elements; reading made sure that they fit 63 bits.
    pub fn elements(&self) -> u64 {
        self.dims.iter().product()
    }

    /// Elements of a row.
    fn row_len(&self, rows_first: bool) -> u64 {
        let row = if rows_first { self.dims.last() } else { self.dims.first() };
        row.copied().unwrap_or(1)
    }
}

/// Dimensions of a tensor. GGML has four at the most, which need no memory of their own.
pub type Dims = SmallVec<[u64; 4]>;

/// Diagnostics while a file is read. Of each kind only the first hundred are kept: a run of zeros parses as hundreds of
/// thousands of nameless tensors, and each complaint is larger than what it is about.
#[derive(Default)]
struct Findings {
    kept: Vec<Diagnostic>,
    counts: BTreeMap<&'static str, usize>,
}

impl Findings {
    fn push(&mut self, found: Diagnostic) {
        let count = self.counts.entry(found.code).or_insert(0);
        *count += 1;
        if *count <= MAX_OF_A_KIND {
            self.kept.push(found);
        }
    }

    /// Goes on with what was found before.
    fn of(kept: Vec<Diagnostic>) -> Self {
        Self { kept, counts: BTreeMap::new() }
    }

    fn finish(mut self) -> Vec<Diagnostic> {
        for (code, count) in self.counts {
            if let Some(more) = count.checked_sub(MAX_OF_A_KIND).filter(|more| *more > 0) {
                let severity = self.kept.iter().filter(|d| d.code == code).map(|d| d.severity).max();
                let what = format!("and {more} more of the kind '{code}'");
                self.kept.push(Diagnostic::file(severity.unwrap_or(Severity::Warning), code, what));
            }
        }
        self.kept
    }
}

fn read_counts(cursor: &mut Cursor<'_>) -> Result<(u32, u64, u64)> {
    let magic = cursor.take(4, "the magic number")?;
    if magic != MAGIC {
        let found = magic.escape_ascii().to_string();
        return Err(cursor.error_at(0, format!("not a GGUF file: begins with \"{found}\", expected \"GGUF\"")));
    }
    let version = cursor.u32("the version")?;
    match version {
        2 | 3 => {}
        0x0200_0000 | 0x0300_0000 => {
            return Err(cursor.error_at(4, "a big-endian GGUF, which this program does not read"));
        }
        _ => return Err(cursor.error_at(4, format!("GGUF version {version}; versions 2 and 3 are read"))),
    }
    let n_tensors = cursor.u64("the tensor count")?;
    let n_kvs = cursor.u64("the metadata count")?;
    let left = cursor.remaining();
    if n_tensors > left / MIN_INFO {
        let what =
            format!("{n_tensors} tensors announced; the {left} bytes that follow hold at most {}", left / MIN_INFO);
        return Err(cursor.error_at(8, what));
    }
    if n_kvs > left / MIN_KV {
        let what =
            format!("{n_kvs} metadata entries announced; the {left} bytes that follow hold at most {}", left / MIN_KV);
        return Err(cursor.error_at(16, what));
    }
    Ok((version, n_tensors, n_kvs))
}

fn read_kvs(cursor: &mut Cursor<'_>, n: u64, diagnostics: &mut Findings) -> Result<Vec<KvEntry>> {
    let mut kvs: Vec<KvEntry> = Vec::new();
    let mut seen: HashMap<String, u64> = HashMap::new();
    for _ in 0..n {
        let start = cursor.position();
        let raw = cursor.string(MAX_STRING, "a metadata key")?;
        let valid = std::str::from_utf8(raw).is_ok();
        let key = String::from_utf8_lossy(raw).into_owned();
        let number = cursor.u32("a value type")?;
        let value_type = ValueType::from_number(number).ok_or_else(|| {
            cursor.error(format!(
                "key '{}' has the unknown value type {number}; types 0 to 12 exist",
                crate::text::escape(&key)
            ))
        })?;
        let value_offset = cursor.position();
        value::skip(cursor, value_type)?;
        if !valid {
            diagnostics
                .push(Diagnostic::file(Severity::Warning, "key-utf8", format!("key '{key}' is not UTF-8")).at(start));
        }
        if key.is_empty() {
            diagnostics.push(Diagnostic::file(Severity::Error, "empty-key", "a metadata key is empty").at(start));
        }
        if let Some(first) = seen.insert(key.clone(), start) {
            let what = format!("key '{key}' was there before, at offset {first}; llama.cpp refuses duplicates");
            diagnostics.push(Diagnostic::file(Severity::Error, "duplicate-key", what).at(start));
        }
        kvs.push(KvEntry { key, value_type, bytes: start..cursor.position(), value_offset });
    }
    Ok(kvs)
}

fn read_alignment(source: &Source, kvs: &[KvEntry]) -> Result<u64> {
    let Some(entry) = kvs.iter().find(|kv| kv.key == "general.alignment") else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    let found = value::decode(&mut Cursor::new(source, entry.value_offset), entry.value_type, 0)?;
    match found {
        Value::Unsigned(n, ValueType::U32) if n.is_power_of_two() => Ok(n),
        other => Err(Error::format(
            source.path(),
            entry.value_offset,
            format!(
                "general.alignment is {other} ({}); it must be a u32 and a power of two",
                other.value_type().name()
            ),
        )),
    }
}

fn read_infos(cursor: &mut Cursor<'_>, n: u64, diagnostics: &mut Findings) -> Result<Vec<TensorInfo>> {
    let mut tensors: Vec<TensorInfo> = Vec::new();
    let mut seen = Seen::default();
    for _ in 0..n {
        let start = cursor.position();
        let raw = cursor.string(MAX_STRING, "a tensor name")?;
        let valid = std::str::from_utf8(raw).is_ok();
        let raw_len = raw.len();
        let name = String::from_utf8_lossy(raw).into_owned();
        let n_dims = cursor.u32("a dimension count")?;
        if n_dims > MAX_DIMS {
            let what = format!(
                "tensor '{}' has {n_dims} dimensions, at most {MAX_DIMS} are allowed",
                crate::text::escape(&name)
            );
            return Err(cursor.error(what));
        }
        let mut dims = Dims::new();
        for _ in 0..n_dims {
            dims.push(cursor.u64("a dimension")?);
        }
        // Zeros count as ones: rows and slices are products of some of the dimensions and must not overflow either.
        let volume =
            dims.iter().try_fold(1u64, |n, d| n.checked_mul((*d).max(1))).filter(|n| i64::try_from(*n).is_ok());
        if volume.is_none() {
            let what = format!("the dimensions {dims:?} of tensor '{}' overflow", crate::text::escape(&name));
            return Err(cursor.error(what));
        }
        let dtype = DType::of_number(cursor.u32("a tensor type")?);
        let offset = cursor.u64("a tensor offset")?;
        let mut report = |severity, code, what: String| {
            diagnostics.push(Diagnostic::tensor(severity, code, &name, what).at(start));
        };
        if !valid {
            report(Severity::Error, "name-utf8", "the name is not UTF-8".to_owned());
        }
        if raw_len > MAX_NAME {
            report(Severity::Error, "long-name", format!("the name has {raw_len} bytes, llama.cpp takes {MAX_NAME}"));
        }
        if name.is_empty() {
            report(Severity::Error, "empty-name", "the name is empty".to_owned());
        }
        if let Some(first) = seen.before(&name, &tensors) {
            report(Severity::Error, "duplicate-name", format!("the name was there before, at offset {first}"));
        }
        tensors.push(TensorInfo { name, dims, dtype, offset, bytes: None, extent: 0, info_offset: start });
    }
    tensors.shrink_to_fit();
    Ok(tensors)
}

/// Names that were there, by their hashes, so that none is kept twice.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    known: HashMap<u64, SmallVec<[u32; 2]>>,
}

impl Seen {
    /// Where the last tensor of this name was described. The next tensor will have it.
    fn before(&mut self, name: &str, tensors: &[TensorInfo]) -> Option<u64> {
        let alike = self.known.entry(self.hasher.hash_one(name)).or_default();
        let found = alike.iter().rev().map(|i| &tensors[*i as usize]).find(|t| t.name == name).map(|t| t.info_offset);
        alike.push(tensors.len() as u32);
        found
    }
}

/// `type number 99`, for types without a name.
pub fn number_words(dtype: DType) -> String {
    dtype.number().map_or_else(|| "a type without a number".to_owned(), |n| format!("type number {n}"))
}

/// Bytes of a tensor of this type: `None` for a type without a known layout, an error where rows do not fit.
fn sized(dtype: DType, row: u64, elements: u64) -> Result<Option<u64>, (&'static str, String)> {
    let Some(layout) = dtype.layout() else {
        return Ok(None);
    };
    if !layout.takes(row, elements) {
        let what = if layout.row_grain() > 1 {
            format!("rows of {row} are not a multiple of the {} elements of a {dtype} block", layout.block_len)
        } else {
            format!("{elements} elements are not a multiple of the {} of a {dtype} group", layout.block_len)
        };
        return Err(("row-length", what));
    }
    layout
        .bytes_for(elements)
        .map(Some)
        .ok_or_else(|| ("size-overflow", format!("{elements} elements of {dtype} overflow")))
}

/// Fills in the bytes between each tensor's offset and the next one's.
fn extents(tensors: &mut [TensorInfo], data_len: u64) {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|i| (tensors[*i].offset, *i));
    // From the back: the end of each tensor is the nearest larger offset, which equal offsets share.
    let (mut end, mut offset) = (data_len, u64::MAX);
    for i in order.iter().copied().rev() {
        if tensors[i].offset < offset {
            end = if offset == u64::MAX { data_len } else { offset.min(data_len) };
            offset = tensors[i].offset;
        }
        tensors[i].extent = end.saturating_sub(offset);
    }
}

/// Reports what offsets are not as llama.cpp wants them: the running padded sum.
fn check_places(tensors: &[TensorInfo], data_len: u64, alignment: u64, diagnostics: &mut Findings) {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|i| (tensors[*i].offset, *i));
    for pair in order.windows(2) {
        let (first, second) = (&tensors[pair[0]], &tensors[pair[1]]);
        if first.offset == second.offset && first.bytes != Some(0) && second.bytes != Some(0) {
            let what = format!("begins at the same offset as '{}'", first.name);
            diagnostics.push(Diagnostic::tensor(Severity::Error, "overlap", &second.name, what).at(second.offset));
        }
    }
    let mut expected = Some(0u64);
    for tensor in tensors {
        let mut report = |severity, code, what| {
            diagnostics.push(Diagnostic::tensor(severity, code, &tensor.name, what).at(tensor.offset));
        };
        if tensor.dtype.known_name().is_none() {
            report(Severity::Error, "unknown-type", format!("{} is not known", number_words(tensor.dtype)));
        }
        if !tensor.offset.is_multiple_of(alignment) {
            report(Severity::Error, "misaligned", format!("offset {} is not a multiple of {alignment}", tensor.offset));
        }
        if tensor.offset > data_len || tensor.bytes.is_some_and(|b| b > data_len - tensor.offset) {
            let what = format!(
                "bytes {}..{} of the data section, which has {data_len}",
                tensor.offset,
                tensor.offset.saturating_add(tensor.bytes.unwrap_or(0))
            );
            report(Severity::Error, "out-of-file", what);
        } else if tensor.bytes.is_some_and(|b| b > tensor.extent) {
            let what = format!(
                "as {} it needs {} bytes, but the next tensor begins {} bytes after it: it overlaps, or its type means something else",
                tensor.dtype,
                tensor.bytes.unwrap_or(0),
                tensor.extent
            );
            report(Severity::Error, "overlap", what);
        }
        if let Some(want) = expected
            && want != tensor.offset
        {
            report(Severity::Warning, "offset", format!("tensor has offset {}, expected {want}", tensor.offset));
        }
        // Behind a tensor of unknown size nothing can be expected; behind a wrong one, go on from where it is.
        expected = tensor.bytes.and_then(|b| tensor.offset.checked_add(b)).and_then(|end| align_up(end, alignment));
    }
}
