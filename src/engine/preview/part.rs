//! What is summed over some blocks of a tensor: the unit that workers give back and that merges in order.

use super::WeightSums;
use crate::engine::format::source::AlignedBuf;
use crate::engine::stats::{BlockStats, F16Histogram, SampleMoments, SignedF16Histogram};
use crate::engine::ternary::{BlockError, Coder, CoderWork};

/// Sums over some blocks.
pub(super) struct Part {
    pub methods: Vec<MethodPart>,
    pub weights: SignedF16Histogram,
    pub sums: WeightSums,
    pub non_finite: Option<u64>,
}

/// The same of one method.
pub(super) struct MethodPart {
    pub stats: BlockStats,
    /// Only of a sample: what is complete needs no estimate.
    pub moments: Option<SampleMoments>,
    pub scales: F16Histogram,
    pub problem: Option<String>,
}

/// How each method codes the tensor, or why it cannot.
pub(super) type Coders = Vec<Result<Coder, String>>;

impl Part {
    /// `sampled_of` is the number of blocks that a sample stands for.
    pub fn new(coders: &Coders, sampled_of: Option<u64>) -> Self {
        let method = |coder: &Result<Coder, String>| MethodPart {
            stats: BlockStats::default(),
            moments: sampled_of.map(SampleMoments::new),
            scales: F16Histogram::new(),
            problem: coder.as_ref().err().cloned(),
        };
        Self {
            methods: coders.iter().map(method).collect(),
            weights: SignedF16Histogram::new(),
            sums: WeightSums::default(),
            non_finite: None,
        }
    }

    /// Adds a later part.
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.methods.iter_mut().zip(other.methods) {
            mine.stats.merge(&theirs.stats);
            mine.scales.merge(&theirs.scales);
            mine.problem = mine.problem.take().or(theirs.problem);
        }
        self.weights.merge(&other.weights);
        self.sums.merge(&other.sums);
        self.non_finite = self.non_finite.or(other.non_finite);
    }

    /// Codes one block, whose first element is `first`, by every method; `importance` is as long.
    pub fn add_block(
        &mut self,
        coders: &Coders,
        weights: &[f32],
        (importance, first): (Option<&[f32]>, u64),
        work: &mut CoderWork,
    ) {
        if let Some(i) = weights.iter().position(|w| !w.is_finite()) {
            self.non_finite.get_or_insert(first + i as u64);
            self.sums.add_with_faults(weights);
            weights.iter().filter(|w| w.is_finite()).for_each(|w| self.weights.add_f32(*w));
            return;
        }
        self.sums.add(weights);
        weights.iter().for_each(|w| self.weights.add_f32(*w));
        for (coder, part) in coders.iter().zip(&mut self.methods) {
            let Ok(coder) = coder else { continue };
            let mut block = BlockStats::default();
            match coder.measure(weights, importance, work, &mut block) {
                Ok(code) => {
                    if let Some(moments) = &mut part.moments {
                        moments.add(block.errors.sum_e2, block.errors.sum_w2);
                    }
                    part.scales.add_f32(code.scale);
                    part.stats.merge(&block);
                }
                Err(e) => {
                    part.stats.scales.overflow += u64::from(matches!(e, BlockError::ScaleOverflow { .. }));
                    part.problem.get_or_insert_with(|| block_problem(&e, first, weights.len()));
                }
            }
        }
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
    pub coder: CoderWork,
    pub buffer: AlignedBuf,
    pub weights: Vec<f32>,
    pub importance: Vec<f32>,
}
