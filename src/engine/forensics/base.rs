//! The model that a ternary one may have been made from: which of its tensors stands beside which.

use std::collections::HashMap;

use crate::engine::codec::DType;
use crate::engine::error::Result;
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::{Model, Tensor};
use crate::text::shape;

/// A model by the names of its tensors.
#[derive(Debug)]
pub struct Base<'a> {
    model: &'a Model,
    by_name: HashMap<&'a str, usize>,
}

/// A tensor of the base model that has the name and shape of a ternary one.
#[derive(Debug, Clone, Copy)]
pub struct Counterpart<'a> {
    model: &'a Model,
    tensor: &'a Tensor,
}

impl<'a> Base<'a> {
    /// A base model. Of tensors with one name the first counts.
    pub fn new(model: &'a Model) -> Self {
        let mut by_name = HashMap::new();
        for (i, tensor) in model.tensors.iter().enumerate() {
            by_name.entry(tensor.name.as_str()).or_insert(i);
            for alias in &tensor.aliases {
                by_name.entry(alias.as_str()).or_insert(i);
            }
        }
        Self { model, by_name }
    }

    /// The tensor that stands beside this one; where there is none, why, in words.
    pub fn counterpart(&self, tensor: &Tensor) -> Result<Counterpart<'a>, String> {
        let Some(found) = self.by_name.get(tensor.name.as_str()).and_then(|i| self.model.tensors.get(*i)) else {
            return Err("the base has no tensor of this name".to_owned());
        };
        if significant(&found.dims) != significant(&tensor.dims) {
            return Err(format!("the base has it as {}, here it is {}", shape(&found.dims), shape(&tensor.dims)));
        }
        if tensor.dtype == DType::PQ2_0 {
            return Err("its weights lie in a rotated basis, where signs are others".to_owned());
        }
        if found.decoder().is_none() {
            return Err(format!("in the base, {}", found.undecodable_reason()));
        }
        Ok(Counterpart { model: self.model, tensor: found })
    }
}

/// Dimensions without trailing ones, which writers drop.
fn significant(dims: &[u64]) -> &[u64] {
    let len = dims.iter().rposition(|d| *d != 1).map_or(0, |i| i + 1);
    &dims[..len]
}

impl Counterpart<'_> {
    /// The base's weights `first .. first + len`. Its blocks may be longer than those of the ternary tensor, so whole ones
    /// around the range are read.
    pub(super) fn read<'b>(
        &self,
        (first, len): (u64, u64),
        weights: &'b mut Vec<f32>,
        buffer: &mut AlignedBuf,
    ) -> Result<&'b [f32]> {
        let grain = self.tensor.dtype.layout().map_or(1, |l| l.block_len);
        let start = first / grain * grain;
        let end = (first + len).next_multiple_of(grain).min(self.tensor.elements());
        weights.resize((end - start) as usize, 0.0);
        self.model.read_f32(self.tensor, start, weights, buffer)?;
        let skipped = (first - start) as usize;
        Ok(&weights[skipped..skipped + len as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_ones_do_not_make_another_shape() {
        assert_eq!(significant(&[256, 4, 1, 1]), significant(&[256, 4]));
        assert_ne!(significant(&[256, 1, 4]), significant(&[256, 4]));
        assert_eq!(significant(&[1, 1]), significant(&[]));
    }
}
