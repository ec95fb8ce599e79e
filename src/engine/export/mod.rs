//! Writing the output: streamed, checked, and there whole or not at all.
//!
//! [`export`] freezes a plan, lays the whole file out, streams tensors band by band into `OUT.partial`, waits for the
//! disk, reads everything back and only then renames. [`pipeline`] turns one tensor into bytes, [`target`] owns the
//! partial file, [`check`] reads the result back, [`header`] makes metadata and layout, [`recode`] moves trits from one
//! ternary format to another.

mod ahead;
mod calibrated;
mod check;
mod fingerprint;
mod header;
mod pipeline;
mod recode;
pub(in crate::engine) mod target;
mod workload;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::error::{Diagnostic, Error, Result, Severity};
use super::imatrix::Imatrix;
use super::model::Model;
use super::plan::{Plan, Recipe};
use super::progress::{Cancel, Delta, Progress, Stage};
use super::stats::BlockStats;

pub use calibrated::Calibration;
pub use check::{Check, Reader};
pub use fingerprint::fingerprint;
pub use pipeline::working_memory;
pub use recode::{Survey, unfit};
pub use workload::{Labor, Workload};

use ahead::Ahead;
use check::Checker;
use header::Piece;
use pipeline::Pipeline;
use target::Target;

/// How far the output is read back before it gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// The header only.
    None,
    /// The header, and the data against the hash of the bytes produced.
    Hash,
    /// That, and every ternary tensor decoded again and its error computed against the source.
    Full,
}

/// Where an export goes and what it takes care of.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct ExportOptions {
    /// The output.
    pub out: PathBuf,
    /// Whether an existing file may be replaced.
    pub force: bool,
    /// How far the output is read back.
    pub verify: Verify,
    /// Whether to wait for the disk before and after the rename.
    pub sync: bool,
    /// Whether to say in the metadata what made the file, from what and how.
    pub provenance: bool,
    /// Most bytes of working memory.
    pub max_memory: u64,
    /// Whether a split source becomes a split output: `OUT-00001-of-0000N.gguf`.
    pub keep_split: bool,
    /// How much each input channel counts.
    pub imatrix: Option<Arc<Imatrix>>,
    /// What [`Method::Calibrated`](super::ternary::Method::Calibrated) needs.
    pub calibration: Option<Calibration>,
}

impl ExportOptions {
    /// The defaults, for this output.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self {
            out: out.into(),
            force: false,
            verify: Verify::Hash,
            sync: true,
            provenance: true,
            max_memory: 64 << 30,
            keep_split: false,
            imatrix: None,
            calibration: None,
        }
    }
}

/// Error of a layer's output under the second moments M of its input: tr(E M Eᵀ) of what is lost, tr(W M Wᵀ) of the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct OutputError {
    /// tr(E M Eᵀ), E = W − Ŵ.
    pub lost: f64,
    /// tr(W M Wᵀ).
    pub whole: f64,
}

impl OutputError {
    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        self.lost += other.lost;
        self.whole += other.whole;
    }

    /// The one over the other; 0 where there is no output.
    pub fn relative(&self) -> f64 {
        if self.whole > 0.0 { self.lost / self.whole } else { 0.0 }
    }
}

/// What the export found out about one tensor.
#[derive(Debug, Clone, Default)]
pub struct TensorOutcome {
    /// Error and scales, where it was made ternary.
    pub stats: Option<BlockStats>,
    /// The same per matrix of a tensor that has several: per expert.
    pub slices: Vec<BlockStats>,
    /// Error of the layer's output, where it was coded for that.
    pub output: Option<OutputError>,
    /// NaN and infinite values in a tensor that stays.
    pub non_finite: u64,
    /// What moving its trits to another format met.
    pub recoded: Option<Survey>,
}

/// A finished export.
#[derive(Debug, Clone)]
pub struct ExportSummary {
    /// The output; of several files the first.
    pub out: PathBuf,
    /// All its files.
    pub files: Vec<PathBuf>,
    /// Their length together.
    pub bytes: u64,
    /// One outcome a tensor, in file order.
    pub tensors: Vec<TensorOutcome>,
    /// Sum over the tensors made ternary.
    pub stats: BlockStats,
    /// Sum over the tensors coded under moments, where there are some.
    pub output: Option<OutputError>,
    /// How it was read back.
    pub check: Check,
    /// Seconds of each stage.
    pub stages: Vec<(Stage, f64)>,
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}

/// Writes the plan's output. Errors: nothing to change, a source that is not sound, an output that must not be written,
/// no space, weights that the method cannot code, a check that does not hold, cancellation. After any of them nothing is
/// left under the output's name or its partial name.
pub fn export(
    model: &Model,
    plan: &Plan,
    recipe: &Recipe,
    options: &ExportOptions,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<ExportSummary> {
    let mut clock = Clock::start(progress);
    model.require_gguf()?;
    refuse_empty(model, plan)?;
    model.require_sound()?;
    plan.require_possible(model)?;
    refuse_unknown_layouts(model, plan)?;
    calibrated::require(model, plan, options.calibration.as_ref(), options.max_memory)?;
    // A map's pages have to be taken from it one by one before others may have their memory: reading is quicker then.
    let large = ahead::is_large(model);
    let unmapped = if large { Some(model.unmapped()?) } else { None };
    let model = unmapped.as_ref().unwrap_or(model);
    let band = pipeline::band_len(options.max_memory, rayon::current_num_threads())?;
    let pieces = header::lay_out(model, plan, recipe, options)?;
    for piece in &pieces {
        target::refuse_out(&piece.path, &model.file_ids(), options.force)?;
    }
    let surveys = recode::survey(model, plan, cancel)?;
    let len = pieces.iter().map(|p| p.header.file_len().unwrap_or(u64::MAX)).fold(0, u64::saturating_add);
    let mut targets = Vec::with_capacity(pieces.len());
    for piece in &pieces {
        let len = piece.header.file_len().unwrap_or(u64::MAX);
        let target = Target::create(&piece.path, &model.file_ids(), options.force, len)?;
        target.write_at(&piece.header.bytes, 0)?;
        targets.push(target);
    }
    progress.report(Delta::Total { tensors: plan.totals.tensors, bytes: plan.totals.new_bytes });

    clock.next(Stage::Write);
    let imatrix = options.imatrix.as_deref();
    let ahead = Ahead::new(model, large);
    let calibration = options.calibration.as_ref();
    let (idle, last_factor) = (Mutex::default(), calibrated::LastFactor::default());
    let pipeline = Pipeline { model, imatrix, calibration, progress, cancel, band, ahead, idle, last_factor };
    let mut outcomes = vec![TensorOutcome::default(); model.tensors.len()];
    let (mut hashes, mut written) = (Vec::with_capacity(pieces.len()), Vec::new());
    for (piece, target) in pieces.iter().zip(&targets) {
        let syncing = if options.sync { Some(target.begin_sync()?) } else { None };
        hashes.push(write_piece(&pipeline, plan, (piece, target), &surveys, &mut outcomes)?);
        written.extend(syncing.map(target::Syncing::written));
    }
    // The output is read back while the disk takes it.
    clock.next(Stage::Verify);
    let mut check = None;
    for ((piece, target), hashes) in pieces.iter().zip(&targets).zip(&hashes) {
        let checker = Checker { model, plan, piece, partial: target.partial(), progress, cancel, band };
        check::merge(&mut check, checker.run(options.verify, hashes, &outcomes)?);
    }
    let check = check.ok_or_else(|| Error::Check("no file was written".to_owned()))?;
    if options.sync {
        clock.next(Stage::Sync);
        written.iter().try_for_each(|written| written.wait(cancel))?;
    }

    clock.next(Stage::Finish);
    cancel.check()?;
    let unsynced = target::publish_all(targets, options.sync)?;
    let mut stats = BlockStats::default();
    outcomes.iter().filter_map(|o| o.stats.as_ref()).for_each(|s| stats.merge(s));
    let output = outcomes.iter().filter_map(|o| o.output).reduce(|mut sum, o| {
        sum.merge(&o);
        sum
    });
    let mut warnings = warnings(model, plan, &outcomes, &check);
    if let Some(imatrix) = imatrix {
        warnings.extend(imatrix.notes(model, plan, recipe.calibration_samples));
    }
    warnings.extend(unsynced.map(|why| Diagnostic::file(Severity::Warning, "folder-sync", why)));
    let files: Vec<PathBuf> = pieces.iter().map(|p| p.path.clone()).collect();
    Ok(ExportSummary {
        out: files.first().cloned().unwrap_or_else(|| options.out.clone()),
        files,
        bytes: len,
        tensors: outcomes,
        stats,
        output,
        check,
        stages: clock.stop(),
        warnings,
    })
}

/// Writes the tensors of one file; the hashes of what was written.
fn write_piece(
    pipeline: &Pipeline<'_>,
    plan: &Plan,
    (piece, target): (&Piece, &Target),
    surveys: &[Option<Survey>],
    outcomes: &mut [TensorOutcome],
) -> Result<Vec<pipeline::BandHash>> {
    let mut hashes = Vec::new();
    for (offset, index) in piece.header.offsets.iter().zip(&piece.tensors) {
        let (index, decision) = (*index, &plan.decisions[*index]);
        pipeline.cancel.check()?;
        pipeline.progress.report(Delta::Tensor { index, bytes: decision.new_bytes });
        let offset = piece.header.bytes.len() as u64 + offset;
        let tensor = &pipeline.model.tensors[index];
        let one_scale = surveys[index].as_ref().and_then(|s| s.one_scale);
        let (outcome, bands) = pipeline.write(tensor, decision, one_scale, (target, offset))?;
        outcomes[index] = TensorOutcome { recoded: surveys[index].clone(), ..outcome };
        hashes.extend(bands);
        pipeline.progress.report(Delta::TensorDone { index });
    }
    Ok(hashes)
}

/// An export that would leave every tensor as it is says what would change that.
fn refuse_empty(model: &Model, plan: &Plan) -> Result<()> {
    // A model that becomes a GGUF is a change even if no tensor's type is.
    if plan.changes_anything() || model.is_converted() {
        return Ok(());
    }
    let why = plan.notes.iter().find(|n| ["protected-skipped", "missed", "no-experts"].contains(&n.code)).map_or_else(
        || "no tensor would change its type; choose layers with --layers all or --ternary PATTERN".to_owned(),
        |note| note.message.clone(),
    );
    Err(Error::NothingToDo(why))
}

/// Largest alignment that an output is written with; the header is padded in memory.
const MAX_ALIGNMENT: u64 = 1 << 20;

/// What llama.cpp's loader could not place, and nothing here could check.
fn refuse_unknown_layouts(model: &Model, plan: &Plan) -> Result<()> {
    if model.alignment > MAX_ALIGNMENT {
        let what = format!("alignment {}; files of more than {MAX_ALIGNMENT} are not written", model.alignment);
        return Err(Error::content(&model.path, what));
    }
    let unknown = |(t, d): &(&crate::engine::model::Tensor, &crate::engine::plan::Decision)| {
        d.new_type.layout().is_none() || !t.layout_fits && t.elements() > 0
    };
    match model.tensors.iter().zip(&plan.decisions).find(unknown) {
        Some((tensor, _)) => {
            let why = tensor.undecodable_reason();
            let what = format!("{why}: such a model is shown, but not exported");
            Err(Error::tensor(&model.path, &tensor.name, what))
        }
        None => Ok(()),
    }
}

/// Seconds of each stage.
struct Clock<'a> {
    progress: &'a dyn Progress,
    stages: Vec<(Stage, f64)>,
    stage: Stage,
    since: Instant,
}

impl<'a> Clock<'a> {
    fn start(progress: &'a dyn Progress) -> Self {
        progress.report(Delta::Stage(Stage::Prepare));
        Self { progress, stages: Vec::new(), stage: Stage::Prepare, since: Instant::now() }
    }

    fn next(&mut self, stage: Stage) {
        self.stages.push((self.stage, self.since.elapsed().as_secs_f64()));
        (self.stage, self.since) = (stage, Instant::now());
        self.progress.report(Delta::Stage(stage));
    }

    fn stop(mut self) -> Vec<(Stage, f64)> {
        self.stages.push((self.stage, self.since.elapsed().as_secs_f64()));
        self.stages
    }
}

fn warnings(model: &Model, plan: &Plan, outcomes: &[TensorOutcome], check: &Check) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = plan.notes.clone();
    for (tensor, outcome) in model.tensors.iter().zip(outcomes) {
        if outcome.non_finite > 0 {
            let what = format!("{} NaN or infinite values, kept as they are", outcome.non_finite);
            found.push(Diagnostic::tensor(Severity::Warning, "non-finite", &tensor.name, what));
        }
        if let Some(stats) = &outcome.stats
            && stats.scales.underflow > 0
        {
            let what = format!(
                "{} of {} blocks have a scale that is zero or subnormal as f16",
                stats.scales.underflow, stats.scales.blocks
            );
            found.push(Diagnostic::tensor(Severity::Warning, "scale-underflow", &tensor.name, what));
        }
    }
    if let Reader::Own { because } = &check.reader {
        let what = format!("checked by our own reader alone: {because}");
        found.push(Diagnostic::file(Severity::Note, "own-reader", what));
    }
    found
}
