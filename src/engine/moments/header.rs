//! Reading a file's header: names, shapes, counts and metadata, all checked before a value is looked at.

use std::collections::{BTreeMap, HashMap};

use super::packed::columns_of;
use super::{About, Entry, FORMAT, MOMENTS, Store, TOKENS, VERSION};
use crate::engine::codec::DType;
use crate::engine::error::{Error, Result};
use crate::engine::format::gguf::MAGIC;
use crate::engine::format::safetensors::{Header, Info};
use crate::engine::format::source::{AlignedBuf, Source};
use crate::engine::model::names::natural_cmp;

/// The two tensors of an input; either may be missing yet.
type Pair<'a> = [Option<&'a Info>; 2];

/// What the file says about itself, and its inputs in natural order.
pub(super) fn read(source: &Source) -> Result<(About, Vec<Entry>)> {
    let mut magic = [0; 4];
    if source.len() >= 4 {
        source.read_at(0, &mut magic)?;
    }
    if magic == MAGIC {
        return Err(Error::content(source.path(), "a GGUF file, not moments (a safetensors file)"));
    }
    let header = Header::read(source)?;
    let about = about(source, &header.metadata)?;
    require_length(source, &header)?;
    let mut entries = Vec::new();
    for (name, pair) in pairs(source, &header)? {
        entries.push(entry(source, name, pair)?);
    }
    if entries.is_empty() {
        return Err(Error::content(source.path(), "the file has no moments"));
    }
    entries.sort_by(|a, b| natural_cmp(&a.name, &b.name));
    share(source, header.metadata.get("inputs"), &mut entries)?;
    Ok((about, entries))
}

fn about(source: &Source, metadata: &BTreeMap<String, String>) -> Result<About> {
    let refuse = |what: String| Err(Error::content(source.path(), what));
    match metadata.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => return refuse(format!("the metadata's format is '{other}', expected '{FORMAT}': no moments")),
        None => return refuse(format!("the metadata has no format, expected '{FORMAT}': no moments")),
    }
    let version = metadata.get("version").map_or("", String::as_str);
    if version.parse() != Ok(VERSION) {
        return refuse(format!("moments of version '{version}', this program reads version {VERSION}"));
    }
    let tokens = metadata.get("tokens").map_or("", String::as_str);
    let Some(tokens) = tokens.parse().ok().filter(|n| *n > 0) else {
        return refuse(format!("the metadata's tokens are '{tokens}', expected a number above 0"));
    };
    let text = |key: &str| metadata.get(key).filter(|text| !text.trim().is_empty()).cloned();
    let texts = text("text").map_or_else(Vec::new, |list| list.split(',').map(|t| t.trim().to_owned()).collect());
    Ok(About { model: text("model"), tokens, texts, tool: text("tool"), version: VERSION })
}

/// Refuses a file that ends before its last tensor does, or goes on behind it.
fn require_length(source: &Source, header: &Header) -> Result<()> {
    if let Some(cut) = header.tensors.iter().find(|t| t.offset.saturating_add(t.bytes) > source.len()) {
        let (bytes, offset, len) = (cut.bytes, cut.offset, source.len());
        let what = format!("{bytes} bytes at offset {offset} are announced, the file has {len} bytes: it is cut off");
        return Err(Error::tensor(source.path(), &cut.name, what));
    }
    let end = header.data_offset.saturating_add(header.data_len);
    if end == source.len() {
        return Ok(());
    }
    Err(Error::format(source.path(), end, format!("{} bytes follow the last tensor", source.len().saturating_sub(end))))
}

/// The pairs by the name of their input, sorted.
fn pairs<'a>(source: &Source, header: &'a Header) -> Result<BTreeMap<&'a str, Pair<'a>>> {
    let mut pairs: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
    for info in &header.tensors {
        let named = [MOMENTS, TOKENS].into_iter().enumerate().find_map(|(i, s)| Some((i, info.name.strip_suffix(s)?)));
        let Some((which, name)) = named.filter(|(_, name)| !name.is_empty()) else {
            let what = format!("is neither NAME{MOMENTS} nor NAME{TOKENS}");
            return Err(Error::tensor(source.path(), &info.name, what));
        };
        pairs.entry(name).or_default()[which] = Some(info);
    }
    Ok(pairs)
}

fn entry(source: &Source, name: &str, pair: Pair<'_>) -> Result<Entry> {
    let (values, counts) = match pair {
        [Some(values), Some(counts)] => (values, counts),
        [values, _] => {
            let (there, missing) = if values.is_some() { (MOMENTS, TOKENS) } else { (TOKENS, MOMENTS) };
            let what = format!("is there, '{name}{missing}' is missing");
            return Err(Error::tensor(source.path(), &format!("{name}{there}"), what));
        }
    };
    let refuse = |info: &Info, what: String| Error::tensor(source.path(), &info.name, what);
    let store = match values.dtype {
        DType::F32 => Store::F32,
        DType::BF16 => Store::Bf16,
        other => return Err(refuse(values, format!("is of type {other}, expected F32 or BF16"))),
    };
    let shape = |info: &Info| info.dims.iter().rev().copied().collect::<Vec<u64>>();
    let [len, experts] = values.dims[..] else {
        return Err(refuse(values, format!("has the shape {:?}, expected [experts, n(n+1)/2]", shape(values))));
    };
    let Some(columns) = columns_of(len) else {
        return Err(refuse(values, format!("has {len} values an expert, which is n(n+1)/2 for no n")));
    };
    if counts.dtype != DType::I64 || counts.dims != [experts] {
        let (dtype, shape) = (counts.dtype, shape(counts));
        return Err(refuse(counts, format!("is of type {dtype} and shape {shape:?}, expected I64 and [{experts}]")));
    }
    let tokens = tokens(source, counts)?;
    // Both are at most the bytes of the file.
    Ok(Entry {
        name: name.to_owned(),
        weights: vec![name.to_owned()],
        columns: columns as usize,
        experts: experts as usize,
        tokens,
        store,
        offset: values.offset,
    })
}

fn tokens(source: &Source, info: &Info) -> Result<Vec<u64>> {
    let mut buffer = AlignedBuf::new();
    let bytes = source.slice(info.offset, info.bytes as usize, &mut buffer)?;
    let counts: Vec<i64> = bytes.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect();
    let refuse = |what: String| Err(Error::tensor(source.path(), &info.name, what));
    if let Some(expert) = counts.iter().position(|n| *n < 0) {
        return refuse(format!("expert {expert} has {} tokens, expected at least 0", counts[expert]));
    }
    if counts.iter().all(|n| *n == 0) {
        return refuse("no tokens: there is nothing that the moments are the mean of".to_owned());
    }
    Ok(counts.into_iter().map(|n| n as u64).collect())
}

/// Gives each input the weights that the metadata's `inputs` says it feeds too.
fn share(source: &Source, inputs: Option<&String>, entries: &mut [Entry]) -> Result<()> {
    let Some(json) = inputs.filter(|json| !json.trim().is_empty()) else { return Ok(()) };
    let wrong = |what: String| Err(Error::content(source.path(), what));
    let shared: BTreeMap<String, String> = match serde_json::from_str(json) {
        Ok(shared) => shared,
        Err(e) => return wrong(format!("the metadata's inputs are no JSON object of names: {e}")),
    };
    let index: HashMap<String, usize> = entries.iter().enumerate().map(|(i, e)| (e.name.clone(), i)).collect();
    let mut shared: Vec<(String, String)> = shared.into_iter().filter(|(weight, entry)| weight != entry).collect();
    shared.sort_by(|(a, _), (b, _)| natural_cmp(a, b));
    for (weight, name) in shared {
        if index.contains_key(&weight) {
            return wrong(format!("'{weight}' has moments of its own and is said to share those of '{name}'"));
        }
        let Some(entry) = index.get(&name).and_then(|i| entries.get_mut(*i)) else {
            return wrong(format!("'{weight}' is said to share the input of '{name}', which has no moments"));
        };
        entry.weights.push(weight);
    }
    Ok(())
}
