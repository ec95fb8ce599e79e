//! Where blocks lie in a tensor, and how single ones are read and coded: what the grid and the block view share.

use super::{SAMPLE_BLOCKS, SAMPLE_SEED, Weighing, Window, block_problem, find_one_scale};
use crate::engine::error::Result;
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::{Model, Tensor};
use crate::engine::progress::Cancel;
use crate::engine::stats::SamplePlan;
use crate::engine::ternary::{Coder, Format, Method, whole_code};

/// Blocks of a row where blocks run over the flattened tensor and rows mean nothing to them.
const FLAT_ROW: u64 = 64;

/// How the blocks of a format lie in a tensor: block `row · columns + column`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockShape {
    /// Rows: the tensor's, over all higher dimensions; stretches of 64 blocks where blocks do not keep to rows.
    pub rows: u64,
    /// Blocks of a row.
    pub columns: u64,
    /// Weights of a block.
    pub block_len: u64,
    /// Weights of the tensor.
    pub elements: u64,
    /// Whether rows are those of the tensor.
    pub in_rows: bool,
}

impl BlockShape {
    /// How they lie; `None` where the format does not take the tensor.
    pub fn of(tensor: &Tensor, format: Format) -> Option<Self> {
        let (row, elements, block_len) = (tensor.row_len(), tensor.elements(), format.block_len() as u64);
        if elements == 0 || !format.takes(row, elements) {
            return None;
        }
        let in_rows = row.is_multiple_of(block_len);
        let columns = if in_rows { row / block_len } else { FLAT_ROW.min(elements.div_ceil(block_len)) };
        Some(Self { rows: elements.div_ceil(block_len).div_ceil(columns), columns, block_len, elements, in_rows })
    }

    /// Blocks of the tensor.
    pub fn blocks(&self) -> u64 {
        self.elements.div_ceil(self.block_len)
    }

    /// The whole tensor.
    pub fn whole(&self) -> Window {
        Window { row: 0, rows: self.rows, column: 0, columns: self.columns }
    }

    /// A window moved and shrunk to lie in the tensor; at least one block.
    pub fn clamp(&self, window: Window) -> Window {
        let rows = window.rows.clamp(1, self.rows);
        let columns = window.columns.clamp(1, self.columns);
        Window {
            row: window.row.min(self.rows - rows),
            rows,
            column: window.column.min(self.columns - columns),
            columns,
        }
    }

    /// Blocks of a window's row: fewer in the last row of a flattened tensor.
    pub fn columns_in(&self, row: u64, window: Window) -> u64 {
        let end = self.blocks().saturating_sub(row.saturating_mul(self.columns));
        end.saturating_sub(window.column).min(window.columns)
    }

    /// Blocks of a window.
    pub fn blocks_in(&self, window: Window) -> u64 {
        let last = (window.row + window.rows).saturating_sub(1);
        (window.rows - 1) * window.columns + self.columns_in(last, window)
    }
}

/// Reads weights from any block on, whatever the length of the source's own blocks.
#[derive(Default)]
pub(super) struct Reader {
    weights: Vec<f32>,
    buffer: AlignedBuf,
}

impl Reader {
    /// The weights `first .. first + len`.
    pub(super) fn read(&mut self, model: &Model, tensor: &Tensor, first: u64, len: usize) -> Result<&[f32]> {
        let unit = tensor.dtype.layout().map_or(1, |l| l.block_len.max(1));
        let start = first / unit * unit;
        let end = (first + len as u64).next_multiple_of(unit).min(tensor.elements());
        self.weights.resize(end.saturating_sub(start) as usize, 0.0);
        model.read_f32(tensor, start, &mut self.weights, &mut self.buffer)?;
        let skipped = (first - start) as usize;
        Ok(self.weights.get(skipped..skipped + len).unwrap_or_default())
    }
}

/// How the tensor is coded; the inner error is a tensor that the method cannot code. Where it has one scale and `exact` is
/// not asked for, that of a sample stands for it.
pub(super) fn coder(
    model: &Model,
    tensor: &Tensor,
    (format, method): (Format, Method),
    weighing: &Weighing<'_>,
    exact: bool,
    cancel: &Cancel,
) -> Result<Result<Coder, String>> {
    if !format.has_one_scale() {
        return Ok(Ok(Coder::new(format, method, None)));
    }
    let words = |e, len: u64| block_problem(&e, 0, len as usize);
    if exact {
        let found = find_one_scale(model, tensor, method, weighing, cancel)?;
        return Ok(found.map(|code| Coder::new(format, method, Some(code))).map_err(|e| words(e, tensor.elements())));
    }
    let block_len = format.block_len() as u64;
    let (mut reader, mut all) = (Reader::default(), Vec::new());
    let (mut counts, mut buffer) = (Vec::new(), Vec::new());
    for block in SamplePlan::new(tensor.elements().div_ceil(block_len), SAMPLE_BLOCKS, SAMPLE_SEED).iter() {
        cancel.check()?;
        let first = block * block_len;
        let weights = reader.read(model, tensor, first, block_len.min(tensor.elements() - first) as usize)?;
        all.extend_from_slice(weights);
        counts.extend(weighing.of_run(first, weights.len(), &mut buffer).into_iter().flatten());
    }
    let counts = (counts.len() == all.len()).then_some(counts.as_slice());
    let code = whole_code(method, &all, counts);
    Ok(code.map(|code| Coder::new(format, method, Some(code))).map_err(|e| words(e, all.len() as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::codec::DType;

    #[test]
    fn blocks_lie_in_rows_or_one_after_the_other() {
        let tensor = |dims: &[u64]| Tensor::named("blk.0.ffn_up.weight".to_owned(), dims.to_vec(), DType::F16);
        let of = |dims: &[u64], format| BlockShape::of(&tensor(dims), format);
        let rows = of(&[512, 10], Format::Tq2_0).unwrap();
        assert_eq!((rows.rows, rows.columns, rows.blocks(), rows.in_rows), (10, 2, 20, true));
        assert_eq!(of(&[320, 10], Format::Tq2_0), None);
        assert_eq!(of(&[320, 10], Format::Q2_0).map(|s| (s.rows, s.columns)), Some((10, 5)));
        // 32 000 weights are 125 blocks of 256: a row of 64, and 61 more.
        let flat = of(&[320, 100], Format::T158).unwrap();
        assert_eq!((flat.rows, flat.columns, flat.blocks(), flat.in_rows), (2, 64, 125, false));
        assert_eq!((flat.blocks_in(flat.whole()), flat.columns_in(1, flat.whole())), (125, 61));
        let far = flat.clamp(Window { row: 9, rows: 0, column: 70, columns: 500 });
        assert_eq!(far, Window { row: 1, rows: 1, column: 0, columns: 64 });
        assert_eq!(of(&[0, 4], Format::Q2_0), None);
    }
}
