//! The command line: one of two faces of the engine.
//!
//! [`args`] says what can be typed; one file a subcommand does it. Data goes to stdout, progress and warnings to stderr;
//! what is decided about tensors is decided in the engine.

pub mod args;
mod compare;
mod demo;
mod inspect;
mod measure;
mod moments;
mod output;
mod plan;
mod quantize;
mod recipe;
mod repack;
mod trits;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::error::{Error, Result};
use crate::engine::export::Calibration;
use crate::engine::hf;
use crate::engine::imatrix::Imatrix;
use crate::engine::model::{Model, OpenOptions};
use crate::engine::plan::{CalibrationChoice, Recipe};
use crate::engine::progress::Cancel;

use args::{Command, OpenArgs, WriteArgs};

/// What `main` hands down: everything that comes from the environment or the system.
#[derive(Debug, Clone)]
pub struct Context {
    /// Worker threads where no flag says otherwise.
    pub threads: usize,
    /// Raised by signals.
    pub cancel: Cancel,
    /// Whether stderr is a terminal: only then is progress drawn.
    pub progress: bool,
    /// The home folder, for a leading `~`.
    pub home: Option<PathBuf>,
    /// Whether both stdin and stdout are terminals: only then can an interface be shown.
    pub interactive: bool,
}

/// What is left to do after a subcommand.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing.
    Done,
    /// Show the interface on the demo model in this file; the folder lives as long as the value.
    OpenDemo(tempfile::TempDir, std::path::PathBuf),
}

/// Prints text to stdout, for what is made elsewhere.
pub fn print(text: &str) -> Result<()> {
    output::print(text)
}

/// Runs a subcommand to its end.
pub fn run(command: Command, context: &Context) -> Result<Outcome> {
    match command {
        Command::Inspect(args) => inspect::run(&args, context).map(|()| Outcome::Done),
        Command::Plan(args) => plan::run(&args, context).map(|()| Outcome::Done),
        Command::Quantize(args) => quantize::run(&args, context).map(|()| Outcome::Done),
        Command::Compare(args) => compare::run(&args, context).map(|()| Outcome::Done),
        Command::Repack(args) => repack::run(&args, context).map(|()| Outcome::Done),
        Command::Moments(args) => moments::run(&args, context).map(|()| Outcome::Done),
        Command::Recipe(args) => recipe::run(&args).map(|()| Outcome::Done),
        Command::Demo(args) => demo::run(&args, context),
        // The configuration is above both faces: who has it prints it.
        Command::Config(_) => Ok(Outcome::Done),
    }
}

/// Opens a model; a leading `~` is the home folder, as in a shell that did not see it.
fn open(path: &Path, args: &OpenArgs, context: &Context) -> Result<Model> {
    Model::open(&expand(path, context), &args.options())
}

/// Opens a model as it is exported: safetensors as the GGUF that they would become, with `base` for names and metadata.
fn open_as_gguf(path: &Path, args: &OpenArgs, base: Option<&Path>, context: &Context) -> Result<Model> {
    let model = open(path, args, context)?;
    let base = base.map(|path| Model::open(&expand(path, context), &OpenOptions::default())).transpose()?;
    hf::best_view(model, base.as_ref())
}

fn expand(path: &Path, context: &Context) -> PathBuf {
    match (path.strip_prefix("~"), &context.home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// The recipe's importance matrix, read.
fn imatrix(recipe: &Recipe, context: &Context) -> Result<Option<Arc<Imatrix>>> {
    recipe.imatrix.as_deref().map(|path| Imatrix::read(&expand(path, context)).map(Arc::new)).transpose()
}

/// The recipe's moments, opened.
fn calibration(recipe: &Recipe, context: &Context) -> Result<Option<Calibration>> {
    let moments = recipe.calibration.moments.as_deref().map(|path| expand(path, context));
    Calibration::named_by(&CalibrationChoice { moments, ..(*recipe.calibration).clone() })
}

/// A rayon pool of the size that flag or context ask for.
fn pool(write: &WriteArgs, context: &Context) -> Result<rayon::ThreadPool> {
    pool_of(write.threads, context)
}

fn pool_of(threads: Option<u16>, context: &Context) -> Result<rayon::ThreadPool> {
    let threads = threads.map_or(context.threads, usize::from);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Usage(format!("cannot start {threads} threads: {e}")))
}
