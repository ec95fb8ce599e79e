//! A tensor coded for its layer's output: tiles of rows under the moments of their input, in parallel.

use std::sync::{Arc, Mutex};

use super::pipeline::{BandHash, BandOutcome, Job, JobAction, Pipeline, WAVE, Work};
use super::target::Target;
use super::{OutputError, TensorOutcome};
use crate::engine::calibrated::{Coded, Factor, Settings};
use crate::engine::error::{Error, Result};
use crate::engine::model::{Model, Tensor};
use crate::engine::moments::{Entry, Moments};
use crate::engine::plan::{CalibrationChoice, Plan, Step};
use crate::engine::preview::{Weighing, block_problem};
use crate::engine::stats::BlockStats;
use crate::engine::ternary::{Format, Method, encode_block, underflows};

/// Rows of a tile: few enough for a core's cache, many enough for matrix products. Fixed, so that neither threads nor memory
/// change a product's shape.
const ROWS: u64 = 64;
/// Bytes for each pair of columns while a factor is made: three matrices of f64, the triangle and two results in f32.
const FACTOR_BYTES: u64 = 36;
/// Most numbers in the joint systems of a tile's rows; rows of very many blocks come in smaller tiles.
const SYSTEMS: u64 = 1 << 21;

/// What `calibrated` needs beside the weights.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// Second moments of the layers' inputs.
    pub moments: Arc<Moments>,
    /// How they are used.
    pub settings: Settings,
}

impl Calibration {
    /// What a recipe names, opened; `None` where it names no moments. Errors: a number out of its range, a file that cannot
    /// be read.
    pub fn named_by(choice: &CalibrationChoice) -> Result<Option<Self>> {
        let settings = choice.settings().map_err(Error::Usage)?;
        let open = |path: &std::path::PathBuf| Moments::open(path).map(|m| Self { moments: Arc::new(m), settings });
        choice.moments.as_ref().map(open).transpose()
    }
}

/// The factor that was made last: neighbours in a file often share an input.
#[derive(Debug, Default)]
pub(super) struct LastFactor(Mutex<Option<(String, usize, Arc<Factor>)>>);

/// How one expert's tiles are coded.
#[derive(Clone, Copy)]
pub(super) struct Calibrating<'a> {
    pub factor: &'a Factor,
    pub format: Format,
    pub settings: &'a Settings,
    pub weighing: &'a Weighing<'a>,
}

/// Tensors of a plan that want moments have them, in a format that takes them. Errors: the first that has not.
pub(super) fn require(model: &Model, plan: &Plan, calibration: Option<&Calibration>, max_memory: u64) -> Result<()> {
    for (tensor, decision) in model.tensors.iter().zip(&plan.decisions) {
        if let Step::Ternary(format, Method::Calibrated) = decision.step {
            let (_, entry) = entry(model, tensor, format, calibration)?;
            let columns = entry.columns as u64;
            let need = columns.saturating_mul(columns).saturating_mul(FACTOR_BYTES);
            if need > max_memory {
                let what = format!("moments of {columns} columns need {need} bytes; --max-memory is {max_memory}");
                return Err(Error::tensor(&model.path, &tensor.name, what));
            }
        }
    }
    Ok(())
}

fn entry<'a>(
    model: &Model,
    tensor: &Tensor,
    format: Format,
    calibration: Option<&'a Calibration>,
) -> Result<(&'a Calibration, &'a Entry)> {
    let refuse = |what: String| Error::tensor(&model.path, &tensor.name, what);
    let Some(calibration) = calibration else {
        return Err(refuse("method calibrated needs the moments of its input: --moments FILE".to_owned()));
    };
    if format.has_one_scale() || !format.is_plain() || !tensor.row_len().is_multiple_of(format.block_len() as u64) {
        return Err(refuse(format!("method calibrated codes blocks within rows; {format} has none here")));
    }
    let found = calibration.moments.of(&tensor.name, tensor.row_len(), tensor.matrices())?;
    let found = found.ok_or_else(|| {
        let file = calibration.moments.path.display();
        refuse(format!("{file} has no moments of its input; keep it, or give it another method by a rule"))
    })?;
    Ok((calibration, found))
}

impl Pipeline<'_> {
    /// Writes a tensor whose codes are chosen under its input's moments, expert by expert.
    pub(super) fn calibrate(
        &self,
        tensor: &Tensor,
        format: Format,
        weighing: &Weighing<'_>,
        (target, base): (&Target, u64),
    ) -> Result<(TensorOutcome, Vec<BandHash>)> {
        let (calibration, entry) = entry(self.model, tensor, format, self.calibration)?;
        let experts = tensor.matrices();
        let (columns, rows) = (tensor.row_len(), tensor.elements() / tensor.row_len().max(1) / experts);
        let blocks = columns / format.block_len() as u64;
        let tile = (SYSTEMS / (blocks * blocks)).clamp(1, ROWS);
        let mut outcome = TensorOutcome::default();
        let (mut stats, mut output, mut hashes) = (BlockStats::default(), OutputError::default(), Vec::new());
        for expert in 0..experts {
            self.cancel.check()?;
            let factor = self.factor(calibration, entry, expert as usize, tensor)?;
            let settings = &calibration.settings;
            let how = Calibrating { factor: &factor, format, settings, weighing };
            let job = Job { tensor, action: JobAction::Calibrate(&how), target, base };
            let mut own = BlockStats::default();
            let tiles: Vec<(u64, u64)> = (0..rows)
                .step_by(tile as usize)
                .map(|row| ((expert * rows + row) * columns, tile.min(rows - row) * columns))
                .collect();
            for wave in tiles.chunks(WAVE) {
                for band in self.wave(&job, wave) {
                    let band = band?;
                    own.merge(&band.stats);
                    output.merge(&band.output);
                    hashes.extend(band.hash);
                }
                self.cancel.check()?;
            }
            stats.merge(&own);
            if experts > 1 {
                outcome.slices.push(own);
            }
        }
        (outcome.stats, outcome.output) = (Some(stats), Some(output));
        Ok((outcome, hashes))
    }

    /// The factor of an expert's input, made or remembered.
    fn factor(&self, calibration: &Calibration, entry: &Entry, expert: usize, tensor: &Tensor) -> Result<Arc<Factor>> {
        let mut last = self.last_factor.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, _, factor)) = last.as_ref().filter(|(name, e, _)| *name == entry.name && *e == expert) {
            return Ok(Arc::clone(factor));
        }
        *last = None;
        let packed = calibration.moments.read_shrunk(entry, expert)?;
        let factor = Factor::new(packed.columns, &packed.values, &calibration.settings)
            .map_err(|e| Error::tensor(&calibration.moments.path, &tensor.name, e.to_string()))?;
        let factor = Arc::new(factor);
        *last = Some((entry.name.clone(), expert, Arc::clone(&factor)));
        Ok(factor)
    }

    /// One tile: rows of one matrix.
    pub(super) fn tile(
        &self,
        job: &Job<'_>,
        how: &Calibrating<'_>,
        (first, len): (u64, u64),
        work: &mut Work,
    ) -> Result<BandOutcome> {
        let (block_len, block_bytes) = (how.format.block_len(), how.format.block_bytes());
        work.weights.resize(len as usize, 0.0);
        self.model.read_f32(job.tensor, first, &mut work.weights, &mut work.raw)?;
        let Work { weights, out, tile, importance, .. } = work;
        let coded = Coded::of(how.factor, weights, block_len, how.settings, tile).map_err(|e| {
            let at = first + (e.row * how.factor.columns + e.block * block_len) as u64;
            self.refuse(job, block_problem(&e.error, at, block_len))
        })?;
        let blocks = coded.scales.len();
        out.clear();
        out.resize(blocks * block_bytes, 0);
        let mut stats = BlockStats::default();
        for (block, scale) in coded.scales.iter().enumerate() {
            let range = block * block_len..(block + 1) * block_len;
            let (weights, trits) = (&weights[range.clone()], &coded.trits[range.clone()]);
            let counts = how.weighing.of_block(first + range.start as u64, block_len, importance);
            stats.add((weights, counts), (*scale, trits), underflows(*scale, weights), coded.native[block]);
            let bytes = &mut out[block * block_bytes..][..block_bytes];
            encode_block(how.format, half::f16::from_f32(*scale), trits, bytes);
        }
        let hash = self.emit(job, out, job.base + first / block_len as u64 * block_bytes as u64)?;
        let output = OutputError { lost: coded.output_error, whole: coded.output };
        Ok(BandOutcome { stats, output, hash: Some(hash), ..BandOutcome::default() })
    }
}
