//! Kernels beside memcpy on one core, as ratios: every round times each once, memcpy before every one of them, so that a
//! busy machine slows both. Prints the best speed of each and the median of its ratios.
//!
//! `cargo bench --bench ratios [-- PART_OF_A_NAME …]`.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

use std::hint::black_box;
use std::time::Instant;

use half::f16;
use tritscope::engine::stats::BlockStats;
use tritscope::engine::ternary::kernels::{Kernel, Weights};
use tritscope::engine::ternary::{Coder, CoderWork, Format, Method};

#[path = "../tests/support/noise.rs"]
mod noise;

/// Weights of a band, as an export reads it, and bands that are gone through: 32 MiB of F16, more than a core's caches.
const BAND: usize = 1 << 18;
const BANDS: usize = 64;
const ROUNDS: usize = 15;

/// Something that is timed, and the bytes of its input.
struct Job<'a> {
    name: String,
    bytes: usize,
    run: Box<dyn FnMut() + 'a>,
}

fn coding<'a>(kernel: Kernel, all: &'a [[u8; 2]], importance: &'a [f32]) -> Vec<Job<'a>> {
    let mut kinds: Vec<(Method, Format, bool)> = Method::COMPARED.map(|m| (m, Format::Tq2_0, false)).to_vec();
    kinds.push((Method::Exact, Format::Tq2_0, true));
    kinds.extend([Format::Tq1_0, Format::Q2_0, Format::T158].map(|f| (Method::Absmean, f, false)));
    let job = |(method, format, weighted): (Method, Format, bool)| {
        let coder = Coder::new(format, method, None).with_kernel(kernel);
        let (len, bytes) = (format.block_len(), format.block_bytes());
        let (mut work, mut out) = (CoderWork::default(), vec![0u8; BAND / len * bytes]);
        let run = move || {
            let mut stats = BlockStats::default();
            for band in all.chunks_exact(BAND) {
                let (mut block, band) = (0, Weights::F16(black_box(band)));
                while block < BAND / len {
                    let (rest, out) = (band.part(block * len, usize::MAX), &mut out[block * bytes..]);
                    block += if weighted {
                        let (one, importance) = (rest.part(0, len), Some(importance));
                        coder.code_one(one, importance, &mut work, &mut out[..bytes], &mut stats).map_or(1, |()| 1)
                    } else {
                        coder.code_many(rest, &mut work, out, &mut stats).unwrap_or(1)
                    };
                }
                black_box(&out);
            }
            black_box(stats);
        };
        let name = format!("{kernel} {method}{} -> {format}", if weighted { ", weighted" } else { "" });
        Job { name, bytes: 2 * all.len(), run: Box::new(run) }
    };
    kinds.into_iter().map(job).collect()
}

/// Groups of one format moved to another, as many bytes of input as are copied.
fn repacking(kernel: Kernel, codes: &[u8]) -> Vec<Job<'static>> {
    let formats = [Format::Tq2_0, Format::Tq1_0, Format::Q2_0];
    let mut pairs: Vec<(Format, Format)> =
        formats.into_iter().flat_map(|from| formats.map(|to| (from, to))).filter(|(from, to)| from != to).collect();
    pairs.extend([(Format::Tq2_0, Format::I2S), (Format::I2S, Format::Tq2_0)]);
    let job = |(from, to): (Format, Format)| {
        let bytes_of = |format: Format, n: usize| n / format.block_len() * format.block_bytes();
        let mut part = vec![0u8; bytes_of(from, codes.len())];
        kernel.pack(from, codes, &vec![0x2000; codes.len() / from.block_len()], &mut part);
        let times = 2 * BAND * BANDS / part.len();
        let packed = part.repeat(times);
        let mut out = vec![0u8; bytes_of(to, codes.len() * times)];
        let bytes = packed.len();
        let repack = move || {
            black_box(kernel.repack((from, to), (black_box(&packed), 0x2000), &mut out));
            black_box(&out);
        };
        Job { name: format!("{kernel} repack {from} -> {to}"), bytes, run: Box::new(repack) }
    };
    pairs.into_iter().map(job).collect()
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let mut noise = noise::Noise::new(1);
    let band: Vec<[u8; 2]> = (0..BAND).map(|_| f16::from_f32(0.02 * noise.normal() as f32).to_le_bytes()).collect();
    let all: Vec<[u8; 2]> = (0..BANDS).flat_map(|_| band.iter().copied()).collect();
    let importance: Vec<f32> = (0..256).map(|_| noise.student3().powi(2) as f32 + 0.01).collect();
    let codes: Vec<u8> = (0..1usize << 20).map(|i| ((i * i + i / 7) % 3) as u8).collect();
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for kernel in Kernel::available().into_iter().filter(|k| *k != Kernel::Scalar) {
        jobs.extend(coding(kernel, &all, &importance));
        jobs.extend(repacking(kernel, &codes));
    }
    jobs.retain(|job| wanted.is_empty() || wanted.iter().any(|w| job.name.contains(w.as_str())));
    let mut copy = vec![[0u8; 2]; all.len()];
    let (mut copying, mut best) = (f64::INFINITY, vec![f64::INFINITY; jobs.len()]);
    let mut ratios = vec![Vec::new(); jobs.len()];
    for _ in 0..ROUNDS {
        for (i, job) in jobs.iter_mut().enumerate() {
            let start = Instant::now();
            copy.copy_from_slice(black_box(&all));
            black_box(&copy);
            let of_copy = start.elapsed().as_secs_f64() / (2 * all.len()) as f64;
            let start = Instant::now();
            (job.run)();
            let of_job = start.elapsed().as_secs_f64() / job.bytes as f64;
            copying = copying.min(of_copy);
            best[i] = best[i].min(of_job);
            ratios[i].push(of_copy / of_job);
        }
    }
    println!("{:36} {:6.2} GB/s", "memcpy", 1e-9 / copying);
    for ((job, best), ratios) in jobs.iter().zip(best).zip(&mut ratios) {
        ratios.sort_by(f64::total_cmp);
        println!(
            "{:36} {:6.2} GB/s   of memcpy: {:.3} median, {:.3} best to best",
            job.name,
            1e-9 / best,
            ratios[ROUNDS / 2],
            copying / best
        );
    }
}
