//! Errors summed up by role and layer.

use std::collections::BTreeMap;

use super::Measure;
use crate::engine::model::Role;

/// What a tensor's error follows from, expanded to the whole tensor where only a sample was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Errors {
    /// Σ(w − ŵ)².
    pub sum_e2: f64,
    /// Σw².
    pub sum_w2: f64,
    /// Both weighted by importance, where there is any.
    pub weighted: Option<(f64, f64)>,
    /// Whether every weight was looked at.
    pub exact: bool,
    /// 95 % interval of the relative error.
    pub interval: Option<[f64; 2]>,
}

impl Errors {
    /// Adds another tensor's sums.
    fn add(&mut self, other: &Self) {
        self.sum_e2 += other.sum_e2;
        self.sum_w2 += other.sum_w2;
        self.weighted = match (self.weighted, other.weighted) {
            (Some((e, w)), Some((f, v))) => Some((e + f, w + v)),
            (one, two) => one.or(two),
        };
        self.exact &= other.exact;
        self.interval = None;
    }
}

/// All tensors of a role in a layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cell {
    /// What the caller calls the first of them.
    pub first: usize,
    /// How many there are.
    pub tensors: usize,
    /// How many of them were measured.
    pub measured: usize,
    /// Their sums.
    pub errors: Errors,
}

impl Cell {
    /// Adds the sums of tensors that were measured.
    fn add(&mut self, errors: &Errors, measured: usize) {
        if self.measured == 0 {
            self.errors = *errors;
        } else {
            self.errors.add(errors);
        }
        self.measured += measured;
    }

    /// The cell's value, if anything was measured and has one.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        if self.measured > 0 { measure.of(&self.errors) } else { None }
    }
}

/// A table of cells: a row for each role, a column for each layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grid {
    /// Roles that have a tensor, in the order of listings.
    pub roles: Vec<Role>,
    /// Layers that have one, ascending. Tensors outside of layers are not in the grid.
    pub layers: Vec<u32>,
    cells: Vec<Option<Cell>>,
}

impl Grid {
    /// Sums up tensors: what the caller calls them, role, layer, and what was measured.
    pub fn new(tensors: impl Iterator<Item = (usize, Role, Option<u32>, Option<Errors>)>) -> Self {
        let mut found: BTreeMap<(Role, u32), Cell> = BTreeMap::new();
        for (index, role, layer, errors) in tensors {
            let Some(layer) = layer else { continue };
            let cell = found.entry((role, layer)).or_insert_with(|| Cell { first: index, ..Cell::default() });
            cell.tensors += 1;
            if let Some(errors) = errors {
                cell.add(&errors, 1);
            }
        }
        let mut roles: Vec<Role> = found.keys().map(|(role, _)| *role).collect();
        roles.dedup();
        let mut layers: Vec<u32> = found.keys().map(|(_, layer)| *layer).collect();
        layers.sort_unstable();
        layers.dedup();
        let mut cells = vec![None; roles.len() * layers.len()];
        for ((role, layer), cell) in found {
            let row = roles.binary_search(&role);
            let column = layers.binary_search(&layer);
            if let (Ok(row), Ok(column)) = (row, column) {
                cells[row * layers.len() + column] = Some(cell);
            }
        }
        Self { roles, layers, cells }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// A cell, if the role has a tensor in the layer.
    pub fn cell(&self, row: usize, column: usize) -> Option<&Cell> {
        if column >= self.layers.len() {
            return None;
        }
        self.cells.get(row * self.layers.len() + column)?.as_ref()
    }

    /// A layer's tensors of all roles together.
    pub fn layer(&self, column: usize) -> Cell {
        let mut sum = Cell::default();
        for cell in (0..self.roles.len()).filter_map(|row| self.cell(row, column)) {
            sum.first = if sum.tensors == 0 { cell.first } else { sum.first };
            sum.tensors += cell.tensors;
            if cell.measured > 0 {
                sum.add(&cell.errors, cell.measured);
            }
        }
        sum
    }

    /// A row's values, column by column.
    pub fn row(&self, row: usize, measure: Measure) -> impl Iterator<Item = Option<f64>> + '_ {
        (0..self.layers.len()).map(move |column| self.cell(row, column).and_then(|cell| cell.value(measure)))
    }

    /// Least and greatest value; `None` where nothing has one.
    pub fn range(&self, measure: Measure) -> Option<(f64, f64)> {
        let values = self.cells.iter().flatten().filter_map(|cell| cell.value(measure));
        values.fold(None, |range, x| Some(range.map_or((x, x), |(lo, hi): (f64, f64)| (lo.min(x), hi.max(x)))))
    }

    /// Every cell that has a tensor.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().flatten()
    }

    /// The place of the cell with the greatest error.
    pub fn worst(&self, measure: Measure) -> Option<(usize, usize)> {
        let bad = |x: f64| if measure.more_is_better() { -x } else { x };
        let mut worst: Option<(f64, usize)> = None;
        for (place, cell) in self.cells.iter().enumerate() {
            if let Some(value) = cell.as_ref().and_then(|c| c.value(measure)).map(bad)
                && worst.is_none_or(|(most, _)| value > most)
            {
                worst = Some((value, place));
            }
        }
        worst.map(|(_, place)| (place / self.layers.len(), place % self.layers.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(e: f64, w: f64) -> Errors {
        Errors { sum_e2: e, sum_w2: w, weighted: None, exact: true, interval: None }
    }

    #[test]
    fn tensors_are_summed_up_by_role_and_layer() {
        let grid = Grid::new(
            [
                (0, Role::FfnUp, Some(3), Some(errors(1.0, 10.0))),
                (1, Role::AttnQ, Some(3), None),
                (2, Role::FfnUp, Some(3), Some(errors(3.0, 10.0))),
                (3, Role::FfnUp, Some(1), Some(errors(1.0, 100.0))),
                (4, Role::FfnUp, None, Some(errors(1.0, 1.0))),
            ]
            .into_iter(),
        );
        assert_eq!((grid.roles.as_slice(), grid.layers.as_slice()), (&[Role::AttnQ, Role::FfnUp][..], &[1, 3][..]));
        let cell = grid.cell(1, 1).unwrap();
        assert_eq!((cell.first, cell.tensors, cell.measured, cell.value(Measure::RelMse)), (0, 2, 2, Some(0.2)));
        assert_eq!((grid.cell(0, 1).unwrap().value(Measure::Sqnr), grid.cell(0, 0)), (None, None));
        assert_eq!(grid.range(Measure::RelMse), Some((0.01, 0.2)));
        assert_eq!(grid.worst(Measure::Sqnr), Some((1, 1)));
        let layer = grid.layer(1);
        assert_eq!((layer.first, layer.tensors, layer.measured, layer.value(Measure::RelMse)), (1, 3, 2, Some(0.2)));
        assert_eq!(grid.range(Measure::Weighted), None);
        assert!(grid.cell(7, 0).is_none() && grid.cell(0, 9).is_none());
    }
}
