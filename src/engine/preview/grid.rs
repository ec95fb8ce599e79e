//! Error, scale and zeros over the rows and blocks of a tensor: a grid of bounded size over a window of it.
//!
//! A [`Window`] is cut into at most [`CELLS`] × [`CELLS`] cells. A sample looks at one block of each cell, an exact pass at
//! every block. Cells hold sums, so that a drawing may put several together. [`experts`] does the same with a cell for each
//! matrix of a merged tensor. Grids are computed in the caller's rayon pool and can be cancelled between rows.

use rayon::prelude::*;

use super::place::{BlockShape, Reader};
use super::{Weighing, block_problem, slices_in};
use crate::engine::error::{Error, Result};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::{Model, Tensor};
use crate::engine::progress::Cancel;
use crate::engine::stats::{BlockStats, Estimate, SampleMoments, SamplePlan};
use crate::engine::ternary::{BlockError, Coder, CoderWork, Format, Method};

/// Rows and columns of cells that a grid has at most.
pub const CELLS: u64 = 96;
/// Blocks of an expert that a sample looks at.
const SAMPLED_OF_EXPERT: usize = 32;
/// Blocks that are read at once.
const PIECE: u64 = 256;

/// A part of a tensor: rows of blocks, and blocks of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// First row.
    pub row: u64,
    /// Rows.
    pub rows: u64,
    /// First block of each row.
    pub column: u64,
    /// Blocks of each row.
    pub columns: u64,
}

/// What is looked at, and how it is coded.
#[derive(Debug, Clone, Copy)]
pub struct GridAsk<'a> {
    /// Index of the tensor in the model.
    pub tensor: usize,
    /// The format whose blocks are meant.
    pub format: Format,
    /// The method.
    pub method: Method,
    /// Every block, or one a cell.
    pub exact: bool,
    /// What each column counts, if it is known.
    pub imatrix: Option<&'a Imatrix>,
}

/// Sums over the blocks of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cell {
    /// Blocks looked at.
    pub blocks: u32,
    /// Weights that are NaN or infinite; their blocks are in no sum.
    pub non_finite: u32,
    /// Weights.
    pub n: u64,
    /// Trits that are zero.
    pub zeros: u64,
    /// Σ(w − ŵ)².
    pub sum_e2: f64,
    /// Σw².
    pub sum_w2: f64,
    /// Σ of the blocks' scales.
    pub sum_scale: f64,
}

/// What a cell is coloured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Measure {
    /// Relative squared error.
    #[default]
    Error,
    /// Mean scale.
    Scale,
    /// Share of zeros.
    Zeros,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 3] = [Self::Error, Self::Scale, Self::Zeros];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "rel MSE",
            Self::Scale => "scale",
            Self::Zeros => "zeros",
        }
    }
}

impl Cell {
    fn of(stats: &BlockStats) -> Self {
        let errors = &stats.errors;
        Self {
            blocks: stats.scales.blocks as u32,
            non_finite: 0,
            n: errors.n,
            zeros: errors.zeros,
            sum_e2: errors.sum_e2,
            sum_w2: errors.sum_w2,
            sum_scale: stats.scales.sum,
        }
    }

    /// Adds another cell's sums.
    pub fn merge(&mut self, other: &Self) {
        self.blocks = self.blocks.saturating_add(other.blocks);
        self.non_finite = self.non_finite.saturating_add(other.non_finite);
        self.n += other.n;
        self.zeros += other.zeros;
        self.sum_e2 += other.sum_e2;
        self.sum_w2 += other.sum_w2;
        self.sum_scale += other.sum_scale;
    }

    /// The figure that is drawn; `None` of a cell without a coded block.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        if self.blocks == 0 {
            return None;
        }
        Some(match measure {
            Measure::Error if self.sum_e2 == 0.0 => 0.0,
            Measure::Error => self.sum_e2 / self.sum_w2,
            Measure::Scale => self.sum_scale / f64::from(self.blocks),
            Measure::Zeros => self.zeros as f64 / self.n.max(1) as f64,
        })
    }
}

/// A block and its figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Row.
    pub row: u64,
    /// Block of the row.
    pub column: u64,
    /// The figure.
    pub value: f64,
}

/// A window of a tensor as a grid.
#[derive(Debug, Clone)]
pub struct Grid {
    /// The part of the tensor.
    pub window: Window,
    /// Rows and columns of cells.
    pub size: (usize, usize),
    /// The cells, row by row.
    pub cells: Vec<Cell>,
    /// Whether every block of the window was looked at.
    pub exact: bool,
    /// Blocks looked at, and those of the window.
    pub blocks: (u64, u64),
    /// Relative error over the window, with its interval until exact.
    pub rel_mse: Estimate,
    /// The greatest of each of [`Measure::ALL`] among the blocks looked at.
    pub worst: [Option<Spot>; 3],
    /// Why blocks could not be coded, if some could not.
    pub problem: Option<String>,
}

impl Grid {
    /// The block with the greatest figure.
    pub fn worst(&self, measure: Measure) -> Option<Spot> {
        self.worst[measure as usize]
    }

    /// The rows or blocks from and to which a cell goes: cell `i` of `cells` over `span` from `first` on.
    pub fn stretch(first: u64, span: u64, cells: usize, i: usize) -> (u64, u64) {
        let at = |i: usize| first + (i as u128 * u128::from(span) / (cells as u128).max(1)) as u64;
        (at(i), at(i + 1))
    }
}

/// The figures of one matrix of a merged tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expert {
    /// Sums over its blocks.
    pub cell: Cell,
    /// Activations that its importance rests on, where a matrix says so.
    pub hits: Option<f32>,
}

/// The matrices of a merged tensor.
#[derive(Debug, Clone)]
pub struct Experts {
    /// One entry a matrix.
    pub experts: Vec<Expert>,
    /// Whether every block was looked at.
    pub exact: bool,
    /// Why blocks could not be coded, if some could not.
    pub problem: Option<String>,
}

/// What is fixed while a tensor is looked at.
struct Look<'a> {
    model: &'a Model,
    tensor: &'a Tensor,
    shape: BlockShape,
    coder: Coder,
    weighing: Weighing<'a>,
    cancel: &'a Cancel,
}

/// Buffers of one worker.
#[derive(Default)]
struct Work {
    reader: Reader,
    coder: CoderWork,
    importance: Vec<f32>,
}

/// What one row of cells adds up to.
#[derive(Default)]
struct Strip {
    cells: Vec<Cell>,
    worst: [Option<Spot>; 3],
    /// Squared errors and weights of the blocks, where they are a sample.
    pairs: Option<Vec<(f64, f64)>>,
    problem: Option<String>,
}

impl Strip {
    fn spot(&mut self, row: u64, column: u64, cell: &Cell) {
        for (worst, measure) in self.worst.iter_mut().zip(Measure::ALL) {
            let Some(value) = cell.value(measure) else { continue };
            if worst.is_none_or(|w| value > w.value) {
                *worst = Some(Spot { row, column, value });
            }
        }
    }
}

/// A window as a grid. Errors: a tensor that the format's blocks do not divide, a failed read, cancellation.
pub fn grid(model: &Model, ask: &GridAsk<'_>, window: Window, cancel: &Cancel) -> Result<Grid> {
    let look = Look::new(model, ask, cancel)?;
    let window = look.shape.clamp(window);
    let size = (window.rows.min(CELLS) as usize, window.columns.min(CELLS) as usize);
    let total = look.shape.blocks_in(window);
    let exact = ask.exact || total <= (size.0 * size.1) as u64;
    let strips: Vec<Result<Strip>> = (0..size.0)
        .into_par_iter()
        .map_init(Work::default, |work, i| look.strip(window, size, i, exact, work))
        .collect();
    let mut grid = Grid {
        window,
        size,
        cells: Vec::with_capacity(size.0 * size.1),
        exact,
        blocks: (0, total),
        rel_mse: Estimate { value: 0.0, low: 0.0, high: 0.0 },
        worst: [None; 3],
        problem: None,
    };
    let mut moments = SampleMoments::new(total);
    for strip in strips {
        let strip = strip?;
        for (worst, found) in grid.worst.iter_mut().zip(strip.worst) {
            if let Some(found) = found
                && worst.is_none_or(|w| found.value > w.value)
            {
                *worst = Some(found);
            }
        }
        grid.problem = grid.problem.take().or(strip.problem);
        grid.cells.extend(strip.cells);
        strip.pairs.iter().flatten().for_each(|(e2, w2)| moments.add(*e2, *w2));
    }
    let mut sum = Cell::default();
    grid.cells.iter().for_each(|cell| sum.merge(cell));
    grid.blocks.0 = u64::from(sum.blocks);
    let estimate = if exact { SampleMoments::complete(total, sum.sum_e2, sum.sum_w2) } else { moments };
    grid.rel_mse = estimate.estimate();
    Ok(grid)
}

/// The matrices of a merged tensor; none where it has but one, or blocks run over their ends.
pub fn experts(model: &Model, ask: &GridAsk<'_>, cancel: &Cancel) -> Result<Experts> {
    let look = Look::new(model, ask, cancel)?;
    let n = slices_in(look.tensor, ask.format);
    let blocks = look.shape.blocks() / n.max(1);
    let exact = ask.exact || blocks <= SAMPLED_OF_EXPERT as u64;
    let found: Vec<Result<(Expert, Option<String>)>> = (0..if n > 1 { n } else { 0 })
        .into_par_iter()
        .map_init(Work::default, |work, i| {
            let mut strip = Strip { cells: vec![Cell::default()], ..Strip::default() };
            let first = i * blocks;
            if exact {
                for (piece, len) in super::bands_of(first, blocks, PIECE) {
                    look.add_run((piece, len), &mut strip, |_| 0, work)?;
                }
            } else {
                for block in SamplePlan::new(blocks, SAMPLED_OF_EXPERT, super::SAMPLE_SEED.wrapping_add(i)).iter() {
                    look.add_run((first + block, 1), &mut strip, |_| 0, work)?;
                }
            }
            let cell = strip.cells.first().copied().unwrap_or_default();
            Ok((Expert { cell, hits: look.weighing.hits(i) }, strip.problem))
        })
        .collect();
    let mut all = Experts { experts: Vec::new(), exact, problem: None };
    for one in found {
        let (expert, problem) = one?;
        all.experts.push(expert);
        all.problem = all.problem.take().or(problem);
    }
    Ok(all)
}

impl<'a> Look<'a> {
    fn new(model: &'a Model, ask: &GridAsk<'a>, cancel: &'a Cancel) -> Result<Self> {
        let tensor = &model.tensors[ask.tensor];
        let Some(shape) = BlockShape::of(tensor, ask.format) else {
            let what = format!("rows of {} do not divide into blocks of {}", tensor.row_len(), ask.format.block_len());
            return Err(Error::tensor(&model.path, &tensor.name, what));
        };
        let weighing = Weighing::of(ask.imatrix, tensor)?;
        let coder = super::place::coder(model, tensor, (ask.format, ask.method), &weighing, ask.exact, cancel)?;
        let coder = coder.map_err(|why| Error::tensor(&model.path, &tensor.name, why))?;
        Ok(Self { model, tensor, shape, coder, weighing, cancel })
    }

    /// Row `i` of the grid's cells.
    fn strip(&self, window: Window, size: (usize, usize), i: usize, exact: bool, work: &mut Work) -> Result<Strip> {
        let mut strip = Strip { cells: vec![Cell::default(); size.1], ..Strip::default() };
        let (from, to) = Grid::stretch(window.row, window.rows, size.0, i);
        if exact {
            let cell_of = |column: u64| {
                let at = u128::from(column.saturating_sub(window.column)) * size.1 as u128 + size.1 as u128 - 1;
                ((at / u128::from(window.columns.max(1))) as usize).min(size.1 - 1)
            };
            for row in from..to {
                let columns = self.shape.columns_in(row, window);
                let first = row * self.shape.columns + window.column;
                for (piece, len) in super::bands_of(first, columns, PIECE) {
                    self.add_run((piece, len), &mut strip, cell_of, work)?;
                }
            }
            return Ok(strip);
        }
        strip.pairs = Some(Vec::with_capacity(size.1));
        for j in 0..size.1 {
            let columns = Grid::stretch(window.column, window.columns, size.1, j);
            // A block at random, the same each time.
            let seed = super::SAMPLE_SEED ^ (i as u64) << 32 ^ j as u64;
            let area = (to - from) * (columns.1 - columns.0);
            let Some(pick) = SamplePlan::new(area, 1, seed).iter().next() else { continue };
            let (row, column) = (from + pick / (columns.1 - columns.0), columns.0 + pick % (columns.1 - columns.0));
            let block = row * self.shape.columns + column;
            if block < self.shape.blocks() {
                self.add_run((block, 1), &mut strip, |_| j, work)?;
            }
        }
        Ok(strip)
    }

    /// Codes `len` blocks from block `first` on.
    fn add_run(
        &self,
        (first, len): (u64, u64),
        strip: &mut Strip,
        cell_of: impl Fn(u64) -> usize,
        work: &mut Work,
    ) -> Result<()> {
        self.cancel.check()?;
        let block_len = self.shape.block_len;
        let elements = (len * block_len).min(self.tensor.elements() - first * block_len);
        let weights = work.reader.read(self.model, self.tensor, first * block_len, elements as usize)?;
        for (k, weights) in weights.chunks(block_len as usize).enumerate() {
            let block = first + k as u64;
            let (row, column) = (block / self.shape.columns, block % self.shape.columns);
            let at = block * block_len;
            let importance = self.weighing.of_block(at, weights.len(), &mut work.importance);
            let mut stats = BlockStats::default();
            let Some(cell) = strip.cells.get_mut(cell_of(column)) else { continue };
            match self.coder.measure(weights, importance, &mut work.coder, &mut stats) {
                Ok(_) => {
                    let one = Cell::of(&stats);
                    cell.merge(&one);
                    strip.pairs.iter_mut().for_each(|pairs| pairs.push((one.sum_e2, one.sum_w2)));
                    strip.spot(row, column, &one);
                }
                Err(e) => {
                    if matches!(e, BlockError::NonFinite { .. }) {
                        let bad = weights.iter().filter(|w| !w.is_finite()).count() as u32;
                        cell.non_finite = cell.non_finite.saturating_add(bad);
                    }
                    strip.problem.get_or_insert_with(|| block_problem(&e, at, weights.len()));
                }
            }
        }
        Ok(())
    }
}
