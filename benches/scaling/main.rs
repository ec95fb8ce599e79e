//! Exports by each method: anonymous memory for models of several sizes, speed on one thread and on two, and whether the
//! bytes are the same for any number of threads and any kernel.
//!
//! `cargo bench --bench scaling -- MODEL.gguf… [--runs N]`; without arguments it says so and ends. Outputs are written
//! beside the models and removed again.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a bench finds out is printed")]

#[path = "../timed.rs"]
mod timed;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use timed::median;
use xxhash_rust::xxh3::Xxh3;

/// Methods, and the format that each is tried with.
const METHODS: [(&str, &str); 6] = [
    ("max", "tq2_0"),
    ("absmean", "tq2_0"),
    ("refit", "tq2_0"),
    ("twn", "tq2_0"),
    ("exact", "tq2_0"),
    ("exact", "i2_s"),
];
/// Kernels that a CPU may have.
const KERNELS: [&str; 4] = ["scalar", "avx2", "avx512", "neon"];

/// An export with so many threads.
fn export(model: &Path, out: &Path, (method, format): (&str, &str), threads: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
    command.arg("quantize").arg(model).arg("-o").arg(out).args(["--layers", "all", "--force"]);
    command.args(["--method", method, "--format", format, "--verify", "none", "--no-sync"]);
    command.args(["--threads", &threads.to_string()]);
    command
}

/// A hash of a file's bytes.
fn hash(path: &Path) -> io::Result<u128> {
    let (mut file, mut hash) = (std::fs::File::open(path)?, Xxh3::new());
    let mut piece = vec![0u8; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut piece)? {
            0 => return Ok(hash.digest128()),
            n => hash.update(&piece[..n]),
        }
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (mut models, mut runs) = (Vec::new(), 3);
    while let Some(word) = words.next() {
        if word == "--runs" {
            runs = words.next().and_then(|n| n.parse().ok()).unwrap_or(runs);
        } else {
            models.push(PathBuf::from(word));
        }
    }
    if models.is_empty() {
        eprintln!("nothing is measured: cargo bench --bench scaling -- MODEL.gguf… [--runs N]");
        return ExitCode::SUCCESS;
    }
    match models.iter().try_for_each(|model| measure(model, runs)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn measure(model: &Path, runs: usize) -> io::Result<()> {
    let out = model.with_extension("bench-out.gguf");
    println!("{:.2} GB:\n", std::fs::metadata(model)?.len() as f64 / 1e9);
    println!("| method, format | 1 thread, s | 2 threads, s | quicker by | `RssAnon`, MB | the same bytes |");
    println!("| --- | ---: | ---: | ---: | ---: | --- |");
    // So that the model is in memory for all of them.
    hash(model)?;
    for (method, format) in METHODS {
        let (mut seconds, mut anonymous) = ([Vec::new(), Vec::new()], 0);
        for _ in 0..runs {
            for (threads, seconds) in [1, 2].into_iter().zip(&mut seconds) {
                let run = timed::run(&mut export(model, &out, (method, format), threads))?;
                seconds.push(run.seconds);
                anonymous = anonymous.max(run.anonymous);
            }
        }
        let expected = hash(&out)?;
        let mut same = vec!["1, 2".to_owned()];
        for threads in [1, 3, 8] {
            timed::run(&mut export(model, &out, (method, format), threads))?;
            if hash(&out)? != expected {
                return Err(io::Error::other(format!("{method}, {format}: other bytes with {threads} threads")));
            }
        }
        same.push("3, 8 threads".to_owned());
        for kernel in KERNELS {
            // One that the CPU does not have is refused.
            if timed::run(export(model, &out, (method, format), 2).env("TRITSCOPE_KERNEL", kernel)).is_err() {
                continue;
            }
            if hash(&out)? != expected {
                return Err(io::Error::other(format!("{method}, {format}: other bytes with {kernel}")));
            }
            same.push(kernel.to_owned());
        }
        let [one, two] = [median(&seconds[0]), median(&seconds[1])];
        println!(
            "| {method}, {format} | {one:.2} | {two:.2} | {:.2} | {:.1} | {} |",
            one / two,
            anonymous as f64 / 1e6,
            same.join(", ")
        );
    }
    println!();
    std::fs::remove_file(&out)
}
