//! What an update wants done in the world, as data. [`super::runtime`] does it.

use std::path::PathBuf;
use std::sync::Arc;

use super::state::memory::Memory;
use crate::engine::compare::Pair;
use crate::engine::export::ExportOptions;
use crate::engine::model::Model;
use crate::engine::plan::{Plan, Recipe};
use crate::engine::report::PlanReport;
use crate::engine::report::chart::{Measure, Sensitivity};
use crate::jobs::questions::Question;
use crate::jobs::{JobId, LookKey, Want};

/// How the interface ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The user quit.
    Done,
    /// A signal asked for it.
    Signal(i32),
}

impl Exit {
    /// Exit code of the process: 0, or 128 and the signal's number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(255),
        }
    }
}

/// Something to do.
#[derive(Debug)]
pub enum Effect {
    /// Open a model in the background.
    Open(PathBuf),
    /// Replace the list of previews that are wanted.
    WantPreviews(Arc<Model>, Vec<Want>),
    /// Replace the list of looks that are wanted into the model.
    WantLooks(Arc<Model>, Vec<LookKey>),
    /// Queue an export.
    Export {
        /// The source.
        model: Arc<Model>,
        /// The plan.
        plan: Arc<Plan>,
        /// What it was resolved from.
        recipe: Recipe,
        /// Where it goes.
        options: ExportOptions,
        /// Worker threads, if not as many as exports have anyway.
        threads: Option<usize>,
        /// What it does, in a few words.
        what: String,
    },
    /// Stop an export.
    CancelExport(JobId),
    /// Make an export wait, or go on.
    PauseExport(JobId, bool),
    /// Let a queued export be the next one.
    RunExportNext(JobId),
    /// Read something of a model's files in the background.
    Ask(Arc<Model>, Question),
    /// Check every weight of a model in the background.
    Check(Arc<Model>),
    /// Stop that.
    StopCheck,
    /// Write the built-in demo to a passing file.
    WriteDemo,
    /// Read a folder.
    ReadFolder(PathBuf),
    /// Read the list of recent files.
    ReadRecent,
    /// Write the list of recent files.
    WriteRecent(Vec<PathBuf>),
    /// Look at a path that an output is to be written to.
    Probe {
        /// The path.
        path: PathBuf,
        /// The source that it must not be.
        model: Arc<Model>,
    },
    /// Write the recipe.
    WriteRecipe {
        /// Where to.
        path: PathBuf,
        /// The recipe.
        recipe: Recipe,
        /// Whether an existing file may be replaced.
        overwrite: bool,
    },
    /// Write the report of the plan: as JSON or Markdown where the path ends so, else as text.
    WriteReport {
        /// Where to.
        path: PathBuf,
        /// The report.
        report: Box<PlanReport>,
        /// Whether an existing file may be replaced.
        overwrite: bool,
    },
    /// Write the sensitivity chart: in the form that the path ends with, or in all.
    WriteChart {
        /// Where to.
        path: PathBuf,
        /// The chart.
        chart: Box<Sensitivity>,
        /// The error that the picture shows.
        measure: Measure,
        /// Whether existing files may be replaced.
        overwrite: bool,
    },
    /// Compare two models in the background.
    Compare {
        /// Number of the comparison.
        id: u64,
        /// The first model.
        a: Arc<Model>,
        /// The second model.
        b: Arc<Model>,
    },
    /// Look at the weights of a pair.
    LookAtPair {
        /// Number of the comparison.
        id: u64,
        /// The first model.
        a: Arc<Model>,
        /// The second model.
        b: Arc<Model>,
        /// Index of the pair in the comparison.
        index: usize,
        /// The pair.
        pair: Pair,
    },
    /// Hand text to the terminal's clipboard.
    Copy(String),
    /// Draw the whole screen anew, whatever the terminal shows.
    Redraw,
    /// Take the mouse, or leave it to the terminal.
    SetMouse(bool),
    /// Read a recipe file.
    ReadRecipe(PathBuf),
    /// Look up how a model was left.
    Recall(Arc<Model>),
    /// Keep how a model is left.
    Remember(Arc<Model>, Box<Memory>),
    /// Remember that the tour was taken, or skipped.
    EndTour,
    /// End the program.
    Quit(Exit),
}
