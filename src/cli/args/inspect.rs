//! What `inspect` can be asked for.

use std::path::PathBuf;

use clap::Args;

use super::{MAX_THREADS, OpenArgs};
use crate::engine::plan::Pattern;

/// Arguments of `inspect`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct InspectArgs {
    /// Model file
    pub file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Print every metadata entry
    #[arg(long)]
    pub kv: bool,
    /// List only tensors that this pattern picks: a glob, re:REGEX, role:NAME or a name
    #[arg(long, value_name = "PATTERN")]
    pub filter: Option<Pattern>,
    /// Check metadata, shapes and every weight; exit with code 1 on a warning or an error
    #[arg(long)]
    pub check: bool,
    /// Look into ternary tensors: shares of trits, scales, repetitions, and whether they were trained so
    #[arg(long)]
    pub trits: bool,
    /// Model that the ternary one may have been made from: compare signs, tensor by tensor
    #[arg(long, value_name = "FILE", requires = "trits")]
    pub base: Option<PathBuf>,
    /// Worker threads [default: as many as the system gives this process]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub threads: Option<u16>,
    /// How the file is read
    #[command(flatten)]
    pub open: OpenArgs,
}
