//! Reading the codes of a ternary tensor as they are stored: no weights, no judgement.

use super::{Model, Tensor};
use crate::engine::codec::codes::{
    CodesOf, I2sPacking, codes_of_i2_s, codes_of_q2_0, codes_of_t158, codes_of_tq1_0, codes_of_tq2_0,
};
use crate::engine::codec::{DType, Layout};
use crate::engine::error::{Error, Result};
use crate::engine::format::source::AlignedBuf;
use crate::engine::ternary::Format;
use crate::engine::ternary::kernels::Kernel;

/// Codes and scales of some blocks of a tensor.
#[derive(Debug, Clone, Default)]
pub struct CodeRun {
    /// A code for each weight: 0, 1, 2 for −1, 0, +1; 3 for +2 in Q2_0 and its kin, for nothing elsewhere.
    pub codes: Vec<u8>,
    /// The scale of each block, or the tensor's one scale for each group.
    pub scales: Vec<f32>,
    /// Bytes of each block that no writer of the format produces.
    pub illegal: Vec<u32>,
    /// Weights of a block.
    pub block_len: usize,
}

/// How one block of a type with a scale of its own is read.
fn block_reader(dtype: DType) -> Option<CodesOf> {
    Some(match dtype {
        DType::TQ1_0 => codes_of_tq1_0,
        DType::TQ2_0 => codes_of_tq2_0,
        DType::Q2_0 | DType::Q2_0_G128 | DType::PQ2_0 => codes_of_q2_0,
        DType::T158 => codes_of_t158,
        _ => return None,
    })
}

/// Whether code 3 means something in this type.
pub fn has_fourth_level(dtype: DType) -> bool {
    matches!(dtype, DType::Q2_0 | DType::Q2_0_G128 | DType::PQ2_0)
}

impl Model {
    /// Reads the codes of elements `first .. first + len`, whole blocks (the last of a flattened tensor may be short).
    /// Errors: a type that is not ternary, a range outside the tensor, a failed read.
    pub fn read_codes(
        &self,
        tensor: &Tensor,
        (first, len): (u64, u64),
        run: &mut CodeRun,
        buffer: &mut AlignedBuf,
    ) -> Result<()> {
        let refuse = |what: String| Error::tensor(&self.path, &tensor.name, what);
        let Some(layout) = tensor.dtype.layout().filter(|_| tensor.dtype.is_ternary() && tensor.decoder().is_some())
        else {
            return Err(refuse(format!("{} has no codes to read", tensor.dtype)));
        };
        let end = first.checked_add(len).filter(|end| *end <= tensor.elements());
        let whole = |n: u64| n.is_multiple_of(layout.block_len);
        if end.is_none() || !whole(first) || !(whole(len) || end == Some(tensor.elements())) {
            return Err(refuse(format!("elements {first}..+{len} are no whole blocks of its {}", tensor.elements())));
        }
        run.block_len = layout.block_len as usize;
        run.codes.clear();
        run.codes.resize(len as usize, 0);
        run.scales.clear();
        run.illegal.clear();
        let Some(read) = block_reader(tensor.dtype) else {
            return self.read_codes_of_one_scale(tensor, layout, first, run, buffer);
        };
        let bytes = len.div_ceil(layout.block_len) * layout.block_bytes;
        let raw = self.read_raw(tensor, first / layout.block_len * layout.block_bytes, bytes as usize, buffer)?;
        // A short last block is padded, and what the padding holds is nobody's business: it is read by itself.
        let whole = run.codes.len() / run.block_len;
        let (at, codes_at) = (whole * layout.block_bytes as usize, whole * run.block_len);
        let format = Format::from_dtype(tensor.dtype);
        let CodeRun { codes, scales, illegal, .. } = run;
        let fast = format.is_some_and(|format| {
            Kernel::current().unpack(format, &raw[..at], &mut codes[..codes_at], (scales, illegal))
        });
        let (from, codes_from) = if fast { (at, codes_at) } else { (0, 0) };
        let blocks = raw[from..].chunks_exact(layout.block_bytes as usize);
        for (block, codes) in blocks.zip(run.codes[codes_from..].chunks_mut(run.block_len)) {
            let found = read(block, codes);
            run.scales.push(found.scale);
            run.illegal.push(found.illegal_bytes);
        }
        Ok(())
    }

    fn read_codes_of_one_scale(
        &self,
        tensor: &Tensor,
        layout: Layout,
        first: u64,
        run: &mut CodeRun,
        buffer: &mut AlignedBuf,
    ) -> Result<()> {
        let scale = self.one_scale(tensor)?;
        let packing = match tensor.dtype {
            DType::I2_S => I2sPacking::X86,
            DType::I2_S_ARM => I2sPacking::Arm,
            _ => return self.read_codes_of_rows(tensor, first, scale, run, buffer),
        };
        let bytes = run.codes.len() / 4;
        let raw = self.read_raw(tensor, first / 4, bytes, buffer)?;
        let group = layout.block_bytes as usize;
        for (group, codes) in raw.chunks_exact(group).zip(run.codes.chunks_mut(4 * group)) {
            run.illegal.push(codes_of_i2_s(packing, group, codes));
            run.scales.push(scale);
        }
        Ok(())
    }

    /// Four rows share a byte: a code is at bits 6, 4, 2, 0 for rows 4k … 4k + 3.
    fn read_codes_of_rows(
        &self,
        tensor: &Tensor,
        first: u64,
        scale: f32,
        run: &mut CodeRun,
        buffer: &mut AlignedBuf,
    ) -> Result<()> {
        let columns = tensor.row_len().max(1);
        let mut at = first;
        let mut rest = run.codes.as_mut_slice();
        while !rest.is_empty() {
            let (row, column) = (at / columns, at % columns);
            let len = (columns - column).min(rest.len() as u64);
            let raw = self.read_raw(tensor, row / 4 * columns + column, len as usize, buffer)?;
            let (now, later) = rest.split_at_mut(len as usize);
            for (code, byte) in now.iter_mut().zip(raw) {
                *code = byte >> (6 - 2 * (row % 4)) & 3;
            }
            (rest, at) = (later, at + len);
        }
        for four in run.codes.chunks(run.block_len.max(1)) {
            run.scales.push(scale);
            run.illegal.push(u32::from(four.contains(&3)));
        }
        Ok(())
    }
}
