//! A cheap identity of the source, for an output's provenance.

use std::hash::Hasher;

use xxhash_rust::xxh3::Xxh3;

use crate::engine::error::Result;
use crate::engine::format::source::{AlignedBuf, Source};
use crate::engine::model::{Container, Model};
use crate::engine::preview::bands_of;

/// Pages that a fingerprint samples, and their size.
const PAGES: u64 = 64;
const PAGE: u64 = 4096;

/// xxh3-128, in hex, over `tritscope fingerprint 1`, the file's length (u64, little-endian), all bytes before the data
/// section, and 64 pages of 4096 bytes at the offsets i·(length − 4096)/63, rounded down (the whole data section where it
/// is shorter than that). Of several files: xxh3-128 over `tritscope fingerprint 1 of N files` and the 128-bit digest of
/// each (little-endian), in order.
pub fn fingerprint(model: &Model) -> Result<String> {
    let headers: Vec<u64> = match &model.container {
        Container::Gguf(shards) => shards.iter().map(|g| g.data_offset).collect(),
        Container::Safetensors(ends) | Container::Converted(ends) => ends.clone(),
    };
    let digests = model
        .files
        .iter()
        .enumerate()
        .map(|(i, file)| digest(file, headers.get(i).copied().unwrap_or(0)))
        .collect::<Result<Vec<u128>>>()?;
    if let [one] = digests[..] {
        return Ok(format!("{one:032x}"));
    }
    let mut hash = Xxh3::new();
    hash.update(format!("tritscope fingerprint 1 of {} files", digests.len()).as_bytes());
    digests.iter().for_each(|d| hash.write(&d.to_le_bytes()));
    Ok(format!("{:032x}", hash.digest128()))
}

fn digest(source: &Source, data_offset: u64) -> Result<u128> {
    let mut hash = Xxh3::new();
    hash.update(b"tritscope fingerprint 1");
    hash.write(&source.len().to_le_bytes());
    let mut buffer = AlignedBuf::new();
    for (offset, len) in bands_of(0, data_offset.min(source.len()), 1 << 20) {
        hash.update(source.slice(offset, len as usize, &mut buffer)?);
    }
    let data = source.len().saturating_sub(data_offset);
    if data <= PAGES * PAGE {
        hash.update(source.slice(source.len() - data, data as usize, &mut buffer)?);
    } else {
        for i in 0..PAGES {
            let offset = (u128::from(source.len() - PAGE) * u128::from(i) / u128::from(PAGES - 1)) as u64;
            hash.update(source.slice(offset, PAGE as usize, &mut buffer)?);
        }
    }
    Ok(hash.digest128())
}
