//! How often the interval of a sample holds the exact figure, on the tensors of a real model.
//!
//! `cargo run --release --example interval_coverage -- MODEL.gguf [TENSORS] [SEEDS]` measures up to TENSORS (50) linear
//! tensors exactly, then with SEEDS (200) samples of the size that is shown, and prints the share that held.

#![allow(clippy::print_stdout, reason = "a tool that prints its result")]

use rayon::prelude::*;
use tritscope::engine::error::{Error, Result};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::preview::{Depth, SAMPLE_BLOCKS, measure};
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::{Format, Method};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or_else(|| Error::Usage("interval_coverage MODEL.gguf [TENSORS] [SEEDS]".to_owned()))?;
    let tensors: usize = args.next().and_then(|n| n.parse().ok()).unwrap_or(50);
    let seeds: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(200);
    let model = Model::open(path.as_ref(), &OpenOptions::default())?;
    let linear: Vec<usize> = (0..model.tensors.len()).filter(|i| model.tensors[*i].role.is_linear()).collect();
    let step = linear.len().div_ceil(tensors).max(1);
    let (mut cases, mut held, mut width) = (0u64, 0u64, 0.0);
    for index in linear.into_iter().step_by(step) {
        let figure = |depth| {
            let report = measure(&model, index, Format::Q2_0, &[Method::Exact], depth, &Cancel::new())?;
            Ok::<_, Error>((report.exact, report.methods[0].rel_mse))
        };
        let (_, exact) = figure(Depth::Exact)?;
        let samples: Result<Vec<_>> =
            (0..seeds).into_par_iter().map(|seed| figure(Depth::Sample { blocks: SAMPLE_BLOCKS, seed })).collect();
        for (complete, interval) in samples? {
            if !complete {
                cases += 1;
                held += u64::from((interval.low..=interval.high).contains(&exact.value));
                width += (interval.high - interval.low) / exact.value;
            }
        }
    }
    println!(
        "{held} of {cases} intervals hold the exact figure: {:.2} %; mean width {:.2} % of it",
        held as f64 * 100.0 / cases.max(1) as f64,
        width * 100.0 / cases.max(1) as f64
    );
    Ok(())
}
