//! One block: its weights, what a method makes of them, and the bytes before and after.

use super::place::{BlockShape, Reader, coder};
use super::{GridAsk, Weighing, block_problem};
use crate::engine::codec::{DType, decoder};
use crate::engine::error::{Error, Result};
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::{Model, Tensor};
use crate::engine::progress::Cancel;
use crate::engine::stats::BlockStats;
use crate::engine::ternary::CoderWork;

/// One block of a tensor.
#[derive(Debug, Clone)]
pub struct BlockLook {
    /// How blocks lie in the tensor.
    pub shape: BlockShape,
    /// Its row and place in the row.
    pub at: (u64, u64),
    /// Its first weight in the tensor.
    pub first: u64,
    /// The weights.
    pub weights: Vec<f32>,
    /// What each weight counts, if it is known.
    pub importance: Option<Vec<f32>>,
    /// What becomes of it, or why it cannot be coded.
    pub coded: Result<CodedBlock, String>,
    /// The bytes that hold it in the file.
    pub source: RawBlock,
}

/// A block as it would be written.
#[derive(Debug, Clone)]
pub struct CodedBlock {
    /// The trits; none where blocks are not made of trits and a scale.
    pub trits: Vec<i8>,
    /// What the weights decode to.
    pub decoded: Vec<f32>,
    /// The scale.
    pub scale: f32,
    /// Whether the scale is the tensor's as a sample has it: the exact one may be a little different.
    pub scale_estimated: bool,
    /// Whether it was ternary before.
    pub native: bool,
    /// Whether the scale is 0 or subnormal in f16 though there are nonzero weights.
    pub underflow: bool,
    /// Its errors.
    pub stats: BlockStats,
    /// Its bytes in the output.
    pub bytes: Vec<u8>,
}

impl CodedBlock {
    /// The greatest magnitude that became 0, and the least that did not: the threshold lies between them.
    pub fn threshold(&self, weights: &[f32]) -> (Option<f32>, Option<f32>) {
        let of = |zero: bool| {
            let pairs = weights.iter().zip(&self.trits);
            pairs.filter(move |(_, t)| (**t == 0) == zero).map(|(w, _)| w.abs())
        };
        (of(true).reduce(f32::max), of(false).reduce(f32::min))
    }
}

/// Bytes of the source.
#[derive(Debug, Clone)]
pub struct RawBlock {
    /// Their type.
    pub dtype: DType,
    /// Index of the file, and offset in it; `None` where the tensor is put together from several places.
    pub place: Option<(usize, u64)>,
    /// The first weight that they hold: not always the block's, whose length may be another.
    pub first: u64,
    /// The bytes: whole blocks of the source.
    pub bytes: Vec<u8>,
}

/// Looks at the block at (row, block of the row), moved into the tensor where it lies outside. Errors: a tensor that the
/// format's blocks do not divide, a failed read, cancellation.
pub fn look_at_block(model: &Model, ask: &GridAsk<'_>, at: (u64, u64), cancel: &Cancel) -> Result<BlockLook> {
    let tensor = &model.tensors[ask.tensor];
    let Some(shape) = BlockShape::of(tensor, ask.format) else {
        let what = format!("rows of {} do not divide into blocks of {}", tensor.row_len(), ask.format.block_len());
        return Err(Error::tensor(&model.path, &tensor.name, what));
    };
    let block = (at.0.min(shape.rows - 1) * shape.columns + at.1.min(shape.columns - 1)).min(shape.blocks() - 1);
    let first = block * shape.block_len;
    let len = shape.block_len.min(shape.elements - first) as usize;
    let weights = Reader::default().read(model, tensor, first, len)?.to_vec();
    let weighing = Weighing::of(ask.imatrix, tensor)?;
    let mut buffer = Vec::new();
    let importance = weighing.of_block(first, len, &mut buffer).map(<[f32]>::to_vec);
    let coder = coder(model, tensor, (ask.format, ask.method), &weighing, ask.exact, cancel)?;
    let coded = coder.and_then(|coder| {
        let (mut work, mut stats) = (CoderWork::default(), BlockStats::default());
        let coded = coder
            .code(&weights, importance.as_deref(), &mut work, &mut stats)
            .map_err(|e| block_problem(&e, first, len))?;
        let trits = if ask.format.is_plain() { work.trits().to_vec() } else { Vec::new() };
        let mut bytes = vec![0; ask.format.block_bytes()];
        coder.write(&coded, &mut work, &mut bytes);
        let mut decoded: Vec<f32> = trits.iter().map(|t| coded.scale * f32::from(*t)).collect();
        if !ask.format.is_plain() {
            decoded.resize(ask.format.block_len(), 0.0);
            let _ = decoder(ask.format.dtype()).is_some_and(|d| d.decode_blocks(&bytes, &mut decoded));
        }
        Ok(CodedBlock {
            trits,
            decoded,
            scale: coded.scale,
            scale_estimated: ask.format.has_one_scale() && !ask.exact,
            native: coded.native,
            underflow: coded.underflow,
            stats,
            bytes,
        })
    });
    let at = (block / shape.columns, block % shape.columns);
    Ok(BlockLook { shape, at, first, weights, importance, coded, source: raw(model, tensor, first, len as u64)? })
}

/// The source's blocks around a range of weights.
fn raw(model: &Model, tensor: &Tensor, first: u64, len: u64) -> Result<RawBlock> {
    let mut found = RawBlock { dtype: tensor.dtype, place: None, first, bytes: Vec::new() };
    let Some(layout) = tensor.dtype.layout().filter(|_| tensor.dtype != DType::I2_S_ROWS) else { return Ok(found) };
    let block = first / layout.block_len;
    let blocks = (first + len).div_ceil(layout.block_len) - block;
    found.first = block * layout.block_len;
    let offset = block * layout.block_bytes;
    // Blocks are a few hundred bytes; a type of huge ones would not be shown.
    let bytes = (blocks * layout.block_bytes).min(1 << 12).min(tensor.bytes.saturating_sub(offset));
    let mut buffer = AlignedBuf::new();
    found.bytes = model.read_raw(tensor, offset, bytes as usize, &mut buffer)?.to_vec();
    if tensor.assembly.is_none() {
        found.place = Some((tensor.file, tensor.offset + offset));
    }
    Ok(found)
}
