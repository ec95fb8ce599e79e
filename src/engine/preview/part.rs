//! What is summed over some blocks of a tensor: parts that workers give back and that merge in order, and counts, which
//! add up in any order.

use super::{Weighing, WeightSums};
use crate::engine::format::source::AlignedBuf;
use crate::engine::stats::{BlockStats, F16Histogram, SampleMoments, SignedCounts};
use crate::engine::ternary::kernels::{Kernel, Powers, Weights};
use crate::engine::ternary::{BlockError, Coder, CoderWork};

/// Weights that are summed and counted at once: they stay in a core's nearest cache.
const CHUNK: usize = 1 << 12;

/// Sums over some blocks.
pub(super) struct Part {
    pub methods: Vec<MethodPart>,
    pub sums: WeightSums,
    pub non_finite: Option<u64>,
}

/// The same of one method.
pub(super) struct MethodPart {
    pub stats: BlockStats,
    /// Only of a sample: what is complete needs no estimate.
    pub moments: Option<SampleMoments>,
    pub problem: Option<String>,
}

/// What a worker counted of all that it looked at.
pub(super) struct Counts {
    pub weights: SignedCounts,
    /// Of each method.
    pub scales: Vec<F16Histogram>,
}

/// How each method codes the tensor, or why it cannot.
pub(super) type Coders = Vec<Result<Coder, String>>;

impl Counts {
    pub fn new(coders: &Coders) -> Self {
        Self { weights: SignedCounts::default(), scales: vec![F16Histogram::new(); coders.len()] }
    }

    pub fn merge(&mut self, other: &Self) {
        self.weights.merge(&other.weights);
        self.scales.iter_mut().zip(&other.scales).for_each(|(mine, theirs)| mine.merge(theirs));
    }
}

impl Part {
    /// `sampled_of` is the number of blocks that a sample stands for.
    pub fn new(coders: &Coders, sampled_of: Option<u64>) -> Self {
        let method = |coder: &Result<Coder, String>| MethodPart {
            stats: BlockStats::default(),
            moments: sampled_of.map(SampleMoments::new),
            problem: coder.as_ref().err().cloned(),
        };
        Self { methods: coders.iter().map(method).collect(), sums: WeightSums::default(), non_finite: None }
    }

    /// Adds a later part.
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.methods.iter_mut().zip(other.methods) {
            mine.stats.merge(&theirs.stats);
            mine.problem = mine.problem.take().or(theirs.problem);
        }
        self.sums.merge(&other.sums);
        self.non_finite = self.non_finite.or(other.non_finite);
    }

    /// Sums and counts the weights themselves; the first of them has this index. Returns whether all are finite.
    pub fn look_over(&mut self, weights: Weights<'_>, first: u64, counts: &mut SignedCounts) -> bool {
        let mut all_finite = true;
        for start in (0..weights.len()).step_by(CHUNK) {
            let chunk = weights.part(start, CHUNK);
            let powers = Kernel::current().powers(chunk);
            if powers.abs.is_finite() {
                self.sums.add(&powers, chunk.len() as u64);
                counts.add(chunk, powers.zeros);
                continue;
            }
            all_finite = false;
            let (mut buffer, mut powers, mut n) = (Vec::new(), Powers::default(), 0);
            for (i, weight) in chunk.singles(&mut buffer).iter().enumerate() {
                self.sums.nan += u64::from(weight.is_nan());
                self.sums.infinite += u64::from(weight.is_infinite());
                if weight.is_finite() {
                    powers.add(*weight);
                    n += 1;
                    counts.add(Weights::F32(std::slice::from_ref(weight)), u64::from(*weight == 0.0));
                } else {
                    self.non_finite.get_or_insert(first + (start + i) as u64);
                }
            }
            self.sums.add(&powers, n);
        }
        all_finite
    }

    /// Codes one block, whose first element is `first`, by every method; `importance` is as long.
    pub fn add_block(
        &mut self,
        coders: &Coders,
        weights: &[f32],
        (importance, first): (Option<&[f32]>, u64),
        (work, counts): (&mut CoderWork, &mut Counts),
    ) {
        if !self.look_over(Weights::F32(weights), first, &mut counts.weights) {
            return;
        }
        for ((coder, part), scales) in coders.iter().zip(&mut self.methods).zip(&mut counts.scales) {
            let Ok(coder) = coder else { continue };
            let mut block = BlockStats::default();
            match coder.measure(weights, importance, work, &mut block) {
                Ok(code) => {
                    if let Some(moments) = &mut part.moments {
                        moments.add(block.errors.sum_e2, block.errors.sum_w2);
                    }
                    scales.add_f32(code.scale);
                    part.stats.merge(&block);
                }
                Err(e) => part.note(&e, first, weights.len()),
            }
        }
    }

    /// Codes all blocks of a stretch, whose first element is `first`, by every method.
    pub fn add_band(
        &mut self,
        coders: &Coders,
        (weights, first): (Weights<'_>, u64),
        weighing: &Weighing<'_>,
        (work, counts): (&mut BandWork, &mut Counts),
    ) {
        for ((coder, part), scales) in coders.iter().zip(&mut self.methods).zip(&mut counts.scales) {
            let Ok(coder) = coder else { continue };
            if let Some(at) = part.add_band(coder, (weights, first), weighing, (work, scales)) {
                self.non_finite = Some(self.non_finite.map_or(at, |before| before.min(at)));
            }
        }
    }
}

impl MethodPart {
    /// Returns the first NaN or infinity, where there is one: its block is passed over.
    fn add_band(
        &mut self,
        coder: &Coder,
        (weights, first): (Weights<'_>, u64),
        weighing: &Weighing<'_>,
        (work, scales): (&mut BandWork, &mut F16Histogram),
    ) -> Option<u64> {
        let (len, bytes) = (coder.format().block_len(), coder.format().block_bytes());
        let blocks = weights.len().div_ceil(len);
        work.out.resize(blocks * bytes, 0);
        let (mut block, mut non_finite) = (0, None);
        while block < blocks {
            let at = first + (block * len) as u64;
            let rest = weights.part(block * len, usize::MAX);
            let out = &mut work.out[block * bytes..];
            let buffers = (&mut work.coder, &mut work.importance);
            let coded = weighing.code(coder, (rest, at), buffers, out, &mut self.stats);
            match coded {
                Ok(done) => {
                    out.chunks_exact(bytes).take(done).for_each(|block| scales.add_f32(coder.scale_of(block)));
                    block += done;
                    continue;
                }
                Err(BlockError::NonFinite { index, .. }) => {
                    non_finite.get_or_insert(at + index as u64);
                }
                Err(e) => self.note(&e, at, rest.part(0, len).len()),
            }
            block += 1;
        }
        non_finite
    }

    /// A block that cannot be coded.
    fn note(&mut self, e: &BlockError, first: u64, len: usize) {
        self.stats.scales.overflow += u64::from(matches!(e, BlockError::ScaleOverflow { .. }));
        self.problem.get_or_insert_with(|| block_problem(e, first, len));
    }
}

/// A block's error in words that name the block and the element of the tensor.
pub fn block_problem(error: &BlockError, first: u64, block_len: usize) -> String {
    let block = first / (block_len as u64).max(1);
    match error {
        BlockError::NonFinite { index, value } => format!("element {} is {value}", first + *index as u64),
        BlockError::NotTernary { index } => {
            format!("block {block} is not ternary: element {} is neither zero nor ±s", first + *index as u64)
        }
        other => format!("block {block} (elements from {first}): {other}"),
    }
}

/// Buffers of one worker.
#[derive(Default)]
pub(super) struct Work {
    pub buffer: AlignedBuf,
    pub weights: Vec<f32>,
    pub band: BandWork,
}

/// Those that coding takes.
#[derive(Default)]
pub(super) struct BandWork {
    pub coder: CoderWork,
    pub importance: Vec<f32>,
    out: Vec<u8>,
}
