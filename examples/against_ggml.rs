//! Compares the decoders with vectors that ggml wrote (docs/against-ggml): `against_ggml FOLDER`.

#![expect(clippy::print_stdout, reason = "a program's output")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use tritscope::engine::codec::{DType, Decoder, Layout, decoder};

#[derive(Default)]
struct Tally {
    seeds: Vec<u64>,
    failed: Vec<u64>,
    values: usize,
    nan: usize,
    infinite: usize,
    differ: usize,
}

fn find(name: &str) -> Option<(Decoder, Layout)> {
    let dtype = DType::from_name(name)?;
    Some((decoder(dtype)?, dtype.layout()?))
}

fn compare(folder: &Path, name: &str, seed: u64, tally: &mut Tally) -> Result<(), String> {
    let read = |end: &str| {
        let path = folder.join(format!("{name}.{seed}.{end}"));
        std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let (packed, raw) = (read("q")?, read("f32")?);
    let want: Vec<f32> = raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let (decoder, layout) = find(name).ok_or(format!("{name}: no decoder"))?;
    let (len, bytes) = (layout.block_len as usize, layout.block_bytes as usize);
    if packed.is_empty() || packed.len() * len != want.len() * bytes {
        return Err(format!("{name}.{seed}: {} bytes for {} values", packed.len(), want.len()));
    }
    let mut got = vec![f32::from_bits(0x5a5a_5a5a); want.len()];
    decoder.decode_blocks(&packed, &mut got);
    let same = |(a, b): &(&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    let differ = got.iter().zip(&want).filter(|pair| !same(pair)).count();
    tally.seeds.push(seed);
    tally.values += want.len();
    tally.nan += want.iter().filter(|v| v.is_nan()).count();
    tally.infinite += want.iter().filter(|v| v.is_infinite()).count();
    tally.differ += differ;
    if differ > 0 {
        tally.failed.push(seed);
    }
    Ok(())
}

fn run(folder: &Path) -> Result<bool, String> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut unknown = std::collections::BTreeSet::new();
    let mut files: Vec<(String, u64)> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| e.to_string())? {
        let file = entry.map_err(|e| e.to_string())?.file_name().to_string_lossy().into_owned();
        if let Some((name, seed)) = file.strip_suffix(".q").and_then(|f| f.rsplit_once('.')) {
            files.push((name.to_owned(), seed.parse().map_err(|e| format!("{file}: {e}"))?));
        }
    }
    files.sort();
    for (name, seed) in files {
        if find(&name).is_none() {
            unknown.insert(name);
            continue;
        }
        compare(folder, &name, seed, tallies.entry(name.clone()).or_default())?;
    }
    println!("type          seeds  failed     values        NaN        inf  differ");
    for (name, t) in &tallies {
        let (seeds, failed) = (t.seeds.len(), t.failed.len());
        println!("{name:<12} {seeds:>6} {failed:>7} {:>10} {:>10} {:>10} {:>7}", t.values, t.nan, t.infinite, t.differ);
    }
    for name in &unknown {
        println!("{name}: no decoder");
    }
    println!("{} types, {} values", tallies.len(), tallies.values().map(|t| t.values).sum::<usize>());
    Ok(!tallies.is_empty() && unknown.is_empty() && tallies.values().all(|t| t.differ == 0))
}

fn main() -> ExitCode {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| "vectors".into());
    match run(Path::new(&folder)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            println!("{e}");
            ExitCode::FAILURE
        }
    }
}
