//! What `compare` can be asked for.

use std::path::PathBuf;

use clap::Args;

use super::{MAX_THREADS, OpenArgs};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Model file: the reference that errors are relative to
    pub a: PathBuf,
    /// Model that stands beside it
    pub b: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Let types differ where every weight is the same
    #[arg(long)]
    pub values: bool,
    /// Worker threads [default: as many as the system gives this process]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub threads: Option<u16>,
    /// How the files are read
    #[command(flatten)]
    pub open: OpenArgs,
}
