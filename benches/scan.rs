//! Opening and scanning one model inside one process: its index alone, its bytes alone, each method alone, and all methods
//! in one pass, as the interface scans a model; in turns, medians.
//!
//! `cargo bench --bench scan -- MODEL.gguf [FORMAT] [--runs N]`; without arguments it says so and ends. Every tensor whose
//! rows divide into blocks of the format is scanned.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a bench finds out is printed")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use rayon::prelude::*;
use tritscope::engine::error::Result;
use tritscope::engine::format::source::AlignedBuf;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::preview::{Ask, Depth, measure_weighted};
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::{Format, Method};

/// Bytes that are read at once.
const PIECE: u64 = 1 << 18;

/// Every byte of some tensors is read once, by all threads.
fn read(model: &Model, tensors: &[usize]) -> Result<()> {
    for tensor in tensors.iter().map(|i| &model.tensors[*i]) {
        let pieces: Vec<u64> = (0..tensor.bytes.div_ceil(PIECE)).collect();
        let sum = |buffer: &mut AlignedBuf, piece: &u64| -> Result<u64> {
            let first = piece * PIECE;
            let bytes = model.read_raw(tensor, first, PIECE.min(tensor.bytes - first) as usize, buffer)?;
            Ok(bytes.as_chunks::<8>().0.iter().fold(0, |sum, b| sum ^ u64::from_le_bytes(*b)))
        };
        black_box(pieces.par_iter().map_init(AlignedBuf::new, sum).try_reduce(|| 0, |a, b| Ok(a ^ b))?);
    }
    Ok(())
}

/// Every block of some tensors by some methods; their weights are summed and counted too where `weights`.
fn scan(model: &Model, tensors: &[usize], format: Format, methods: &[Method], weights: bool) -> Result<()> {
    for tensor in tensors {
        let ask = Ask { tensor: *tensor, format, methods, depth: Depth::Exact, imatrix: None, blind: false, weights };
        black_box(measure_weighted(model, &ask, &Cancel::new())?);
    }
    Ok(())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

fn run(path: &Path, format: Format, runs: usize) -> Result<()> {
    let open = || timed(|| Model::open(path, &OpenOptions::default()).map(|model| drop(black_box(model))));
    let index = median((0..20 * runs).map(|_| open()).collect::<Result<_>>()?);
    let model = Model::open(path, &OpenOptions::default())?;
    let scanned = |i: &usize| {
        let t = &model.tensors[*i];
        t.rows() > 1 && t.dtype.is_float() && format.takes(t.row_len(), t.elements())
    };
    let tensors: Vec<usize> = (0..model.tensors.len()).filter(scanned).collect();
    let bytes: u64 = tensors.iter().map(|i| model.tensors[*i].bytes).sum();
    let all = Method::COMPARED;
    let mut taken = vec![Vec::new(); all.len() + 3];
    for _ in 0..runs {
        taken[0].push(timed(|| read(&model, &tensors))?);
        for (i, method) in all.iter().enumerate() {
            taken[1 + i].push(timed(|| scan(&model, &tensors, format, &[*method], false))?);
        }
        taken[1 + all.len()].push(timed(|| scan(&model, &tensors, format, &all, false))?);
        taken[2 + all.len()].push(timed(|| scan(&model, &tensors, format, &all, true))?);
    }
    let taken: Vec<f64> = taken.into_iter().map(median).collect();
    println!(
        "{} threads; {} tensors, {:.2} GB, in {format}\n",
        rayon::current_num_threads(),
        tensors.len(),
        bytes as f64 / 1e9
    );
    println!("| what | ms | GB/s | all methods and the weights, times reading and this |");
    println!("| --- | ---: | ---: | ---: |");
    println!("| index alone | {:.2} | | |", 1e3 * index);
    let names = ["reading alone".to_owned()].into_iter().chain(all.map(|m| m.to_string()));
    let names = names.chain(["all methods".to_owned(), "all methods and the weights".to_owned()]);
    let whole = taken[2 + all.len()];
    for (i, (name, seconds)) in names.zip(&taken).enumerate() {
        let times =
            if (1..=all.len()).contains(&i) { format!("{:.2}", whole / (taken[0] + seconds)) } else { String::new() };
        println!("| {name} | {:.1} | {:.2} | {times} |", 1e3 * seconds, bytes as f64 / 1e9 / seconds);
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (mut model, mut format, mut runs) = (None, Format::Tq2_0, 5);
    while let Some(word) = words.next() {
        if word == "--runs" {
            runs = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0).unwrap_or(runs);
        } else if let Ok(named) = word.parse() {
            format = named;
        } else {
            model = Some(PathBuf::from(word));
        }
    }
    let Some(model) = model else {
        eprintln!("nothing is measured: cargo bench --bench scan -- MODEL.gguf [FORMAT] [--runs N]");
        return ExitCode::SUCCESS;
    };
    match run(&model, format, runs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
