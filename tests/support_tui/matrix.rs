//! An importance matrix in the GGUF form, written without the program's writer.

use std::path::Path;
use std::sync::Arc;

use tritscope::engine::imatrix::Imatrix;

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// Sums of squares that grow along the columns, for experts that so many tokens reached.
pub fn imatrix(folder: &Path, tensor: &str, columns: u64, hits: &[f32]) -> Arc<Imatrix> {
    let experts = hits.len() as u64;
    let sums: Vec<f32> = hits.iter().flat_map(|n| (0..columns).map(move |c| n * (1.0 + c as f32 / 64.0))).collect();
    let texts = [&9u32.to_le_bytes()[..], &8u32.to_le_bytes(), &1u64.to_le_bytes(), &string("wiki.txt")].concat();
    let kvs = [
        [string("imatrix.datasets"), texts].concat(),
        [string("general.type"), 8u32.to_le_bytes().to_vec(), string("imatrix")].concat(),
        [string("imatrix.chunk_count"), 4u32.to_le_bytes().to_vec(), 40u32.to_le_bytes().to_vec()].concat(),
        [string("imatrix.chunk_size"), 4u32.to_le_bytes().to_vec(), 512u32.to_le_bytes().to_vec()].concat(),
    ];
    let tensors = [("in_sum2", [columns, experts], &sums[..]), ("counts", [1, experts], hits)];
    let mut file = [&b"GGUF"[..], &3u32.to_le_bytes(), &2u64.to_le_bytes(), &4u64.to_le_bytes()].concat();
    file.extend(kvs.concat());
    let (mut data, mut infos) = (Vec::new(), Vec::new());
    for (part, shape, values) in tensors {
        infos.extend(string(&format!("{tensor}.{part}")));
        infos.extend(2u32.to_le_bytes());
        infos.extend(shape.iter().flat_map(|n| n.to_le_bytes()));
        infos.extend(0u32.to_le_bytes());
        infos.extend((data.len() as u64).to_le_bytes());
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        data.resize(data.len().next_multiple_of(32), 0);
    }
    file.extend(infos);
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(data);
    let path = folder.join("hits.gguf");
    std::fs::write(&path, file).unwrap();
    Arc::new(Imatrix::read(&path).unwrap())
}
