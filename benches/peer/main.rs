//! Exports beside llama.cpp's `llama-quantize`, `cp` and reading alone, in turns: medians, ratios, peaks of memory.
//!
//! `cargo bench --bench peer -- LLAMA_QUANTIZE MODEL.gguf [IMATRIX] [--runs N]`; without arguments it says so and ends,
//! because neither program nor model is part of this project. Everything is written beside the model and removed again.
//! Like for like means `--verify none --no-sync`: the peer neither reads its output back nor waits for the disk.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a bench finds out is printed")]

#[path = "../timed.rs"]
mod timed;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use timed::median;

/// One thing that is timed.
struct Contender {
    name: String,
    command: Command,
    out: Option<PathBuf>,
    /// What it is compared with.
    peer: Option<usize>,
    seconds: Vec<f64>,
    /// Most anonymous memory that was seen, in bytes.
    anonymous: u64,
}

impl Contender {
    fn new(name: impl Into<String>, command: Command, out: Option<&Path>, peer: Option<usize>) -> Self {
        let out = out.map(Path::to_owned);
        Self { name: name.into(), command, out, peer, seconds: Vec::new(), anonymous: 0 }
    }

    /// Runs it once; what it wrote is removed.
    fn run(&mut self) -> io::Result<()> {
        let run = timed::run(&mut self.command)?;
        self.seconds.push(run.seconds);
        self.anonymous = self.anonymous.max(run.anonymous);
        self.out.as_ref().map_or(Ok(()), std::fs::remove_file)
    }

    fn median(&self) -> f64 {
        median(&self.seconds)
    }
}

/// What is asked for.
struct Asked {
    peer: PathBuf,
    model: PathBuf,
    imatrix: Option<PathBuf>,
    runs: usize,
}

fn asked() -> Option<Asked> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (mut paths, mut runs) = (Vec::new(), 5);
    while let Some(word) = words.next() {
        if word == "--runs" { runs = words.next()?.parse().ok()? } else { paths.push(PathBuf::from(word)) }
    }
    let mut paths = paths.into_iter();
    Some(Asked { peer: paths.next()?, model: paths.next()?, imatrix: paths.next(), runs })
}

fn main() -> ExitCode {
    let Some(asked) = asked() else {
        eprintln!("nothing is measured: cargo bench --bench peer -- LLAMA_QUANTIZE MODEL.gguf [IMATRIX] [--runs N]");
        return ExitCode::SUCCESS;
    };
    match measure(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn measure(asked: &Asked) -> io::Result<()> {
    let bytes = std::fs::metadata(&asked.model)?.len();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut contenders = contenders(asked, threads);
    let mut reading = Vec::new();
    // Once unmeasured, so that the model is in memory for all of them.
    read(&asked.model)?;
    for run in 0..asked.runs {
        eprintln!("run {} of {}", run + 1, asked.runs);
        reading.push(read(&asked.model)?);
        for contender in &mut contenders {
            contender.run()?;
        }
    }
    let reading = median(&reading);
    println!("{:.2} GB, {threads} threads, median of {}:\n", bytes as f64 / 1e9, asked.runs);
    println!("| what | s | GB/s of input | times the peer's speed | `RssAnon`, MB |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    println!("| reading alone | {reading:.2} | {:.2} | | |", bytes as f64 / 1e9 / reading);
    for contender in &contenders {
        let median = contender.median();
        let ratio = contender.peer.map_or(String::new(), |peer| format!("{:.1}", contenders[peer].median() / median));
        println!(
            "| {} | {median:.2} | {:.2} | {ratio} | {:.0} |",
            contender.name,
            bytes as f64 / 1e9 / median,
            contender.anonymous as f64 / 1e6
        );
    }
    Ok(())
}

/// Seconds for reading the file once, in pieces of 1 MiB.
fn read(path: &Path) -> io::Result<f64> {
    let start = Instant::now();
    let (mut file, mut piece) = (File::open(path)?, vec![0u8; 1 << 20]);
    while file.read(&mut piece)? > 0 {}
    Ok(start.elapsed().as_secs_f64())
}

/// The peer leaves embeddings and head as they are, like ours.
fn contenders(asked: &Asked, threads: usize) -> Vec<Contender> {
    let out = asked.model.with_extension("bench-out.gguf");
    let mut copy = Command::new("cp");
    copy.arg(&asked.model).arg(&out);
    let mut all = vec![Contender::new("`cp`", copy, Some(&out), None)];
    for format in ["TQ2_0", "TQ1_0", "Q2_0"] {
        let mut peer = Command::new(&asked.peer);
        peer.args(["--pure", "--output-tensor-type", "f16", "--token-embedding-type", "f16"]);
        peer.arg(&asked.model).arg(&out).arg(format).arg(threads.to_string());
        let number = all.len();
        all.push(Contender::new(format!("llama-quantize, {format}"), peer, Some(&out), None));
        let methods = ["max", "absmean", "refit", "twn", "exact"].map(|method| (method, None));
        let weighted = asked.imatrix.as_deref().map(|imatrix| ("exact", Some(imatrix)));
        let asked_for = |method: &str| format == "TQ2_0" || ["absmean", "exact"].contains(&method);
        for (method, imatrix) in methods.into_iter().chain(weighted).filter(|(method, _)| asked_for(method)) {
            for alike in [true, false] {
                let mut own = Command::new(env!("CARGO_BIN_EXE_tritscope"));
                own.arg("quantize").arg(&asked.model).arg("-o").arg(&out).args(["--layers", "all"]);
                own.args(["--format", &format.to_ascii_lowercase(), "--method", method]);
                if let Some(imatrix) = imatrix {
                    own.arg("--imatrix").arg(imatrix);
                }
                if alike {
                    own.args(["--verify", "none", "--no-sync"]);
                }
                let weighted = if imatrix.is_some() { ", weighted" } else { "" };
                let how = if alike { "like for like" } else { "default" };
                let name = format!("{format} {method}{weighted}, {how}");
                all.push(Contender::new(name, own, Some(&out), Some(number)));
            }
        }
    }
    all
}
