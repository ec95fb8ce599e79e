//! Blocks of a tensor coded in a [`Format`] by a [`Method`]: what previews and exports share.
//!
//! A [`Coder`] knows what is fixed for the tensor (format, method, and the one scale where the format has one); a
//! [`CoderWork`] holds what a worker reuses. Coding a block also adds up its errors, so that figures come out of the same
//! pass as the codes.

use super::block::{BlockError, code_block, encode_block, underflows};
use super::exact::Scratch;
use super::kernels::{Kernel, Regard, Task, Weights, Whole};
use super::whole::WholeCode;
use super::{Format, Method};
use crate::engine::codec::{EncodeError, Iq1Scratch, decoder, encode_iq1_s};
use crate::engine::stats::BlockStats;

/// What is fixed for a tensor.
#[derive(Debug, Clone, Copy)]
pub struct Coder {
    format: Format,
    method: Method,
    whole: Option<WholeCode>,
    blind: bool,
    kernel: Kernel,
}

/// Buffers of one worker.
#[derive(Debug, Default)]
pub struct CoderWork {
    weights: Vec<f32>,
    trits: Vec<i8>,
    /// The bytes of an IQ1_S block, and what they decode to.
    bytes: Vec<u8>,
    decoded: Vec<f32>,
    iq1: Iq1Scratch,
    scratch: Scratch,
    /// What a kernel makes of importance.
    normalised: Vec<f32>,
}

/// A coded block; its trits are in the worker's buffers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coded {
    /// What a trit of +1 decodes to.
    pub scale: f32,
    /// The block was ternary before.
    pub native: bool,
    /// The scale is 0 or subnormal in f16 though there are nonzero weights.
    pub underflow: bool,
}

impl CoderWork {
    /// The trits of the block that was coded last; of an IQ1_S block there are none.
    pub fn trits(&self) -> &[i8] {
        &self.trits
    }
}

impl Coder {
    /// `whole` is the tensor's code where [`Format::has_one_scale`].
    pub fn new(format: Format, method: Method, whole: Option<WholeCode>) -> Self {
        Self { format, method, whole, blind: false, kernel: Kernel::current() }
    }

    /// The same with another kernel than the current one.
    #[must_use]
    pub fn with_kernel(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// The same without regard to importance: its figures are weighted all the same, to be compared.
    #[must_use]
    pub fn blind(self) -> Self {
        Self { blind: true, ..self }
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Codes blocks from the front of `weights` without importance and writes them into `out`, which has room for all of
    /// them, as [`Coder::code`] and [`Coder::write`] would; returns how many. It is at least one unless there are none.
    /// The last block may be short. Errors: that of the first block, counting from it.
    pub fn code_many(
        &self,
        weights: Weights<'_>,
        work: &mut CoderWork,
        out: &mut [u8],
        stats: &mut BlockStats,
    ) -> Result<usize, BlockError> {
        if let Some(task) = self.task() {
            let done = self.kernel.blocks(task, weights, out, stats);
            if done > 0 {
                return Ok(done);
            }
        }
        if weights.is_empty() {
            return Ok(0);
        }
        let block = weights.part(0, self.format.block_len());
        self.code_one(block, None, work, &mut out[..self.format.block_bytes()], stats).map(|()| 1)
    }

    /// The same with importance, which is that of whole blocks and laid over `weights` again and again, or as long as they.
    pub fn code_weighted(
        &self,
        (weights, importance): (Weights<'_>, &[f32]),
        work: &mut CoderWork,
        out: &mut [u8],
        stats: &mut BlockStats,
    ) -> Result<usize, BlockError> {
        if let Some(task) = self.task() {
            let regard = Regard { importance, normalised: &mut work.normalised };
            let done = self.kernel.weighted((task, self.blind), (weights, regard), out, stats);
            if done > 0 {
                return Ok(done);
            }
        }
        if weights.is_empty() {
            return Ok(0);
        }
        let block = weights.part(0, self.format.block_len());
        let importance = importance.get(..block.len());
        self.code_one(block, importance, work, &mut out[..self.format.block_bytes()], stats).map(|()| 1)
    }

    /// Codes one block and writes it into its bytes. `importance` is as long as `weights`.
    pub fn code_one(
        &self,
        weights: Weights<'_>,
        importance: Option<&[f32]>,
        work: &mut CoderWork,
        out: &mut [u8],
        stats: &mut BlockStats,
    ) -> Result<(), BlockError> {
        if let (Some(importance), Some(task)) = (importance, self.task()) {
            let regard = Regard { importance, normalised: &mut work.normalised };
            if self.kernel.weighted((task, self.blind), (weights, regard), out, stats) == 1 {
                return Ok(());
            }
        }
        let mut buffer = std::mem::take(&mut work.weights);
        let coded = self.code(weights.singles(&mut buffer), importance, work, stats);
        work.weights = buffer;
        self.write(&coded?, work, out);
        Ok(())
    }

    /// What a kernel is told; `None` of a format that it has not.
    fn task(&self) -> Option<Task> {
        let whole = self.whole.map(|whole| Whole { above: whole.above(), scale: whole.scale, native: whole.native });
        self.format.is_plain().then_some(Task { method: self.method, format: self.format, whole })
    }

    /// Codes one block and adds what it cost to `stats`. `weights` are a block's, or fewer at the end of a flattened
    /// tensor; `importance` is as long.
    pub fn code(
        &self,
        weights: &[f32],
        importance: Option<&[f32]>,
        work: &mut CoderWork,
        stats: &mut BlockStats,
    ) -> Result<Coded, BlockError> {
        if !self.format.is_plain() {
            return self.code_iq1_s(weights, importance, work, stats);
        }
        work.trits.clear();
        work.trits.resize(weights.len(), 0);
        let coded = if let Some(whole) = &self.whole {
            if let Some(index) = weights.iter().position(|w| !w.is_finite()) {
                return Err(BlockError::NonFinite { index, value: weights[index] });
            }
            whole.trits(weights, &mut work.trits);
            Coded { scale: whole.scale, native: whole.native, underflow: false }
        } else {
            let regarded = importance.filter(|_| !self.blind);
            let code = code_block(self.method, weights, regarded, &mut work.trits, &mut work.scratch)?;
            Coded { scale: code.scale.to_f32(), native: code.native, underflow: code.underflow }
        };
        stats.add((weights, importance), (coded.scale, &work.trits), coded.underflow, coded.native);
        Ok(coded)
    }

    /// As [`Coder::code`], where nobody asks for the trits: they may not be in `work` afterwards.
    pub fn measure(
        &self,
        weights: &[f32],
        importance: Option<&[f32]>,
        work: &mut CoderWork,
        stats: &mut BlockStats,
    ) -> Result<Coded, BlockError> {
        if let Some(task) = self.task().filter(|_| weights.len() == self.format.block_len()) {
            work.bytes.resize(self.format.block_bytes(), 0);
            let mut one = BlockStats::default();
            let block = Weights::F32(weights);
            let done = match importance {
                None => self.kernel.blocks(task, block, &mut work.bytes, &mut one) == 1,
                Some(importance) => {
                    let regard = Regard { importance, normalised: &mut work.normalised };
                    self.kernel.weighted((task, self.blind), (block, regard), &mut work.bytes, &mut one) == 1
                }
            };
            if done {
                stats.merge(&one);
                let native = one.scales.native > 0;
                return Ok(Coded { scale: one.scales.sum as f32, native, underflow: false });
            }
        }
        self.code(weights, importance, work, stats)
    }

    /// A codebook has no method: the block is searched for, and its errors are those of what it decodes to.
    fn code_iq1_s(
        &self,
        weights: &[f32],
        importance: Option<&[f32]>,
        work: &mut CoderWork,
        stats: &mut BlockStats,
    ) -> Result<Coded, BlockError> {
        if self.method == Method::Lossless {
            return Err(BlockError::NotLossless);
        }
        work.bytes.resize(self.format.block_bytes(), 0);
        encode_iq1_s(weights, importance, &mut work.bytes, &mut work.iq1).map_err(|e| match e {
            EncodeError::NonFinite(index) => {
                BlockError::NonFinite { index, value: weights.get(index).copied().unwrap_or(f32::NAN) }
            }
            EncodeError::ScaleOverflow { largest } => BlockError::ScaleOverflow { scale: largest },
        })?;
        work.decoded.resize(weights.len(), 0.0);
        if let Some(decoder) = decoder(self.format.dtype()) {
            decoder.decode_blocks(&work.bytes, &mut work.decoded);
        }
        stats.errors.add_decoded(weights, &work.decoded);
        if let Some(importance) = importance {
            stats.errors.add_weighted(weights, importance, |i| work.decoded[i]);
        }
        let scale = half::f16::from_le_bytes([work.bytes[0], work.bytes[1]]).to_f32().abs();
        let native = super::native_scale(weights).is_some();
        let underflow = underflows(scale, weights);
        stats.scales.add(scale, underflow, native);
        Ok(Coded { scale, native, underflow })
    }

    /// The scale of a block of this format, from its bytes; of a tensor with one, that one.
    pub fn scale_of(&self, block: &[u8]) -> f32 {
        let two = match self.format {
            Format::Q2_0 | Format::Q2_0G128 | Format::Iq1S => block.first_chunk::<2>(),
            _ => block.last_chunk::<2>(),
        };
        let read = two.map_or(0.0, |two| half::f16::from_le_bytes(*two).to_f32());
        self.whole.map_or(read, |whole| whole.scale)
    }

    /// Writes the block that was coded last into its bytes.
    pub fn write(&self, coded: &Coded, work: &mut CoderWork, out: &mut [u8]) {
        if !self.format.is_plain() {
            out.copy_from_slice(&work.bytes);
            return;
        }
        // The filler behind the end of a flattened tensor is zero bytes: trits of −1 that nobody reads.
        work.trits.resize(self.format.block_len(), -1);
        encode_block(self.format, half::f16::from_f32(coded.scale), &work.trits, out);
    }
}
