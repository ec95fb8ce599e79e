//! What happens to the elements between a Hugging Face tensor and its GGUF counterpart: where each element of the
//! result comes from, and whether 1 is added. Shapes and element numbers only; bytes and formats are the reader's.

/// How the elements of a [`TensorPlan`] follow from its parts. Rows are rows of the parts, row-major: all indices but
/// the last taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transform {
    /// As they are; several parts one behind the other.
    Identity,
    /// Llama-style rotary embedding: within each head, Hugging Face keeps the first halves of all pairs before the
    /// second halves, llama.cpp keeps pairs together. Row 2j + k of a head comes from row k·(rows of a head ÷ 2) + j.
    PermuteHeads {
        /// Heads that the rows divide into.
        heads: u64,
    },
    /// 1 is added to every element: Gemma stores its norms as w and uses 1 + w.
    AddOne,
    /// Of every `group` rows, `count` from `from` on.
    TakeRows {
        /// Rows of a group.
        group: u64,
        /// First row that is taken.
        from: u64,
        /// Rows that are taken.
        count: u64,
    },
    /// The same, and the rows that were taken of each group transposed.
    TakeRowsTransposed {
        /// Rows of a group.
        group: u64,
        /// First row that is taken.
        from: u64,
        /// Rows that are taken; the length of a row of the result.
        count: u64,
    },
}

/// One tensor of the GGUF and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorPlan {
    /// Name in the GGUF.
    pub name: String,
    /// Indices into the list of Hugging Face tensors: one, or one per expert in order. All have one shape and type.
    pub parts: Vec<usize>,
    /// Shape in GGUF order, row length first, experts last.
    pub dims: Vec<u64>,
    /// How the elements follow from the parts.
    pub transform: Transform,
    /// Whether llama.cpp wants it in F32 whatever the rest is stored in: norms, biases and other vectors, routers, and
    /// the position and type embeddings of encoders.
    pub f32_only: bool,
}

impl TensorPlan {
    /// Elements, or `None` where they do not fit 64 bits.
    pub fn elements(&self) -> Option<u64> {
        self.dims.iter().try_fold(1u64, |n, d| n.checked_mul(*d))
    }

    /// Rows of `dims[0]` elements.
    pub fn rows(&self) -> Option<u64> {
        self.dims.iter().skip(1).try_fold(1u64, |n, d| n.checked_mul(*d))
    }

    /// Where row `row` comes from: which of `parts`, and which row of it, in rows of the same length. `None` past the
    /// end, and where rows do not come from rows (a transposed tensor, a vector of permuted biases).
    pub fn source_row(&self, row: u64) -> Option<(usize, u64)> {
        let rows = self.rows().filter(|rows| row < *rows)?;
        match self.transform {
            Transform::Identity | Transform::AddOne => self.split(row, rows),
            Transform::PermuteHeads { heads } if self.dims.len() > 1 => Some((0, unpermuted(row, rows, heads)?)),
            Transform::TakeRows { group, from, count } => Some((0, taken(row, group, from, count)?)),
            Transform::PermuteHeads { .. } | Transform::TakeRowsTransposed { .. } => None,
        }
    }

    /// Where element `element` comes from: which of `parts`, and which element of it.
    pub fn source(&self, element: u64) -> Option<(usize, u64)> {
        let elements = self.elements().filter(|elements| element < *elements)?;
        let columns = *self.dims.first()?;
        let (row, column) = (element / columns, element % columns);
        match self.transform {
            Transform::PermuteHeads { heads } if self.dims.len() == 1 => {
                Some((0, unpermuted(element, elements, heads)?))
            }
            Transform::TakeRowsTransposed { group, from, count } => {
                // Row `row` of the result is column `row % length` of group `row / length`.
                let length = *self.dims.get(1)?;
                let taken = (row / length).checked_mul(group)?.checked_add(from)?.checked_add(column)?;
                (column < count).then_some(())?;
                Some((0, taken.checked_mul(length)?.checked_add(row % length)?))
            }
            _ => {
                let (part, row) = self.source_row(row)?;
                Some((part, row.checked_mul(columns)?.checked_add(column)?))
            }
        }
    }

    /// Part and row within it, of `row` among `rows` that the parts share evenly.
    fn split(&self, row: u64, rows: u64) -> Option<(usize, u64)> {
        let each = rows.checked_div(self.parts.len() as u64).filter(|each| *each > 0)?;
        Some(((row / each) as usize, row % each))
    }
}

/// The Hugging Face row behind row `row` of a permuted tensor.
fn unpermuted(row: u64, rows: u64, heads: u64) -> Option<u64> {
    let head = rows.checked_div(heads).filter(|head| *head > 1)?;
    let (start, inside) = (row / head * head, row % head);
    Some(start + inside % 2 * (head / 2) + inside / 2)
}

/// The row behind row `row` of those taken.
fn taken(row: u64, group: u64, from: u64, count: u64) -> Option<u64> {
    let whole = row.checked_div(count)?.checked_mul(group)?;
    whole.checked_add(from)?.checked_add(row % count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(dims: &[u64], parts: usize, transform: Transform) -> TensorPlan {
        TensorPlan { name: "t".into(), parts: (0..parts).collect(), dims: dims.to_vec(), transform, f32_only: false }
    }

    fn sources(plan: &TensorPlan) -> Vec<u64> {
        (0..plan.elements().unwrap()).map(|e| plan.source(e).unwrap().1).collect()
    }

    #[test]
    fn permuting_puts_the_halves_of_a_pair_together() {
        // Two heads of four rows: rows 0 2 | 1 3 of each head, as reshape(2, 2, 2).swapaxes(1, 2) gives them.
        let p = plan(&[1, 8], 1, Transform::PermuteHeads { heads: 2 });
        assert_eq!(sources(&p), [0, 2, 1, 3, 4, 6, 5, 7]);
        let bias = plan(&[8], 1, Transform::PermuteHeads { heads: 1 });
        assert_eq!(sources(&bias), [0, 4, 1, 5, 2, 6, 3, 7]);
        assert_eq!(bias.source_row(0), None, "a vector has no rows to move");
    }

    #[test]
    fn experts_lie_one_behind_the_other() {
        let p = plan(&[2, 3, 4], 4, Transform::Identity);
        assert_eq!(p.source_row(2), Some((0, 2)));
        assert_eq!(p.source_row(3), Some((1, 0)));
        assert_eq!(p.source(23), Some((3, 5)));
        assert_eq!(p.source(24), None);
        assert_eq!(p.source_row(12), None);
    }

    #[test]
    fn rows_are_taken_from_every_group() {
        // Three groups of (2 + 1) rows of 2: the last row of each.
        let p = plan(&[2, 1, 3], 1, Transform::TakeRows { group: 3, from: 2, count: 1 });
        assert_eq!(sources(&p), [4, 5, 10, 11, 16, 17]);
        // The first two of each, transposed: result rows are columns.
        let p = plan(&[2, 2, 3], 1, Transform::TakeRowsTransposed { group: 3, from: 0, count: 2 });
        assert_eq!(sources(&p), [0, 2, 1, 3, 6, 8, 7, 9, 12, 14, 13, 15]);
        assert_eq!(p.source_row(0), None);
    }

    #[test]
    fn impossible_plans_give_nothing() {
        for transform in [
            Transform::PermuteHeads { heads: 0 },
            Transform::PermuteHeads { heads: 9 },
            Transform::TakeRows { group: u64::MAX, from: u64::MAX, count: 1 },
            Transform::TakeRows { group: 1, from: 0, count: 0 },
            Transform::TakeRowsTransposed { group: u64::MAX, from: 1, count: 0 },
        ] {
            let p = plan(&[2, 4], 1, transform);
            assert_eq!(p.source(7), None, "{transform:?}");
        }
        assert_eq!(plan(&[], 1, Transform::Identity).source(0), None);
        assert_eq!(plan(&[0, 4], 1, Transform::Identity).source(0), None);
        assert_eq!(plan(&[4], 0, Transform::Identity).source(0), None);
        assert_eq!(plan(&[u64::MAX, 2], 1, Transform::Identity).elements(), None);
    }
}
