//! What `moments` can be asked for.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `moments`.
#[derive(Debug, Args)]
pub struct MomentsCommand {
    /// What to do with them
    #[command(subcommand)]
    pub command: MomentsSubcommand,
}

/// What can be done with moments.
#[derive(Debug, Subcommand)]
pub enum MomentsSubcommand {
    /// Show what is in a file of moments
    Info(MomentsInfoArgs),
    /// Merge files of one model, made from several texts: means weighted by tokens
    Merge(MomentsMergeArgs),
    /// Write the diagonals as an importance matrix, in the form of llama-imatrix
    ToImatrix(MomentsToImatrixArgs),
}

/// Arguments of `moments info`.
#[derive(Debug, Args)]
pub struct MomentsInfoArgs {
    /// File of moments
    pub file: PathBuf,
    /// Read and check every value, not the diagonals alone
    #[arg(long)]
    pub check: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `moments merge`.
#[derive(Debug, Args)]
pub struct MomentsMergeArgs {
    /// Files of moments
    #[arg(required = true, num_args = 1.., value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Store values in BF16, half the bytes [default: F32]
    #[arg(long)]
    pub bf16: bool,
    /// How the file is written
    #[command(flatten)]
    pub output: MomentsOutputArgs,
}

/// Arguments of `moments to-imatrix`.
#[derive(Debug, Args)]
pub struct MomentsToImatrixArgs {
    /// File of moments
    pub file: PathBuf,
    /// How the file is written
    #[command(flatten)]
    pub output: MomentsOutputArgs,
}

/// Where a file is written, and how.
#[derive(Debug, Args)]
pub struct MomentsOutputArgs {
    /// File to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub force: bool,
    /// Do not wait for the disk
    #[arg(long)]
    pub no_sync: bool,
}
