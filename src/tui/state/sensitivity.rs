//! The sensitivity screen: the error of everything that may go ternary, by role and layer, and a cursor in it.

use super::plan::PlanState;
use super::previews::Previews;
use super::slider::Fresh;
use super::summary::{figures, what_if};
use crate::engine::model::Model;
use crate::engine::report::chart::{Errors, Grid, Measure, Sensitivity as Document};

/// The screen's state.
#[derive(Debug, Clone, Default)]
pub struct Sensitivity {
    /// The cells.
    pub grid: Grid,
    /// The role under the cursor: a row of the grid.
    pub row: usize,
    /// The layer under the cursor: a column of the grid.
    pub column: usize,
    /// The error that is shown.
    pub measure: Measure,
    /// Tensors that may go ternary, and those of them that belong to no layer.
    pub eligible: (usize, usize),
    /// Those that were measured, and those that cannot be.
    pub measured: (usize, usize),
    /// Those that were measured in full.
    pub exact: usize,
    /// Whether the grid has every figure.
    pub fresh: Fresh,
}

/// What was measured of a tensor in the format that it has or would have.
fn errors(plan: &PlanState, previews: &Previews, tensor: usize) -> Option<Errors> {
    let (figures, method) = figures(plan, previews, tensor)?;
    let found = figures.method(method)?;
    let (sum_e2, sum_w2) = found.pooled.expanded();
    let interval = (!figures.exact).then_some([found.rel_mse.low, found.rel_mse.high]);
    Some(Errors { sum_e2, sum_w2, weighted: found.weighted, exact: figures.exact, interval })
}

impl Sensitivity {
    /// Sums everything up anew; the cursor stays on its role and layer.
    pub fn refresh(&mut self, model: &Model, plan: &PlanState, previews: &Previews) {
        let at = (self.grid.roles.get(self.row).copied(), self.grid.layers.get(self.column).copied());
        let (mut eligible, mut measured, mut exact) = ((0, 0), (0, 0), 0);
        // What cannot be coded has a place in the picture, and no error.
        let shown = |i: usize| plan.outlook(i).eligible || plan.outlook(i).fault.is_some();
        let tensors = model.tensors.iter().enumerate().filter(|(i, _)| shown(*i));
        let cells = tensors.map(|(i, tensor)| {
            let found = errors(plan, previews, i);
            let spoilt = plan.outlook(i).fault.is_some();
            let found = found.filter(|_| !spoilt);
            let failed =
                || spoilt || what_if(plan, i).is_some_and(|(format, method)| previews.is_hopeless((i, format), method));
            eligible.0 += 1;
            eligible.1 += usize::from(tensor.layer.is_none());
            measured.0 += usize::from(found.is_some());
            measured.1 += usize::from(found.is_none() && failed());
            exact += usize::from(found.is_some_and(|f| f.exact));
            (i, tensor.role, tensor.layer, found)
        });
        self.grid = Grid::new(cells);
        (self.eligible, self.measured, self.exact) = (eligible, measured, exact);
        let place = |found: Option<usize>, old: usize, len: usize| found.unwrap_or(old).min(len.saturating_sub(1));
        let row = at.0.and_then(|role| self.grid.roles.iter().position(|r| *r == role));
        let column = at.1.and_then(|layer| self.grid.layers.iter().position(|l| *l == layer));
        self.row = place(row, self.row, self.grid.roles.len());
        self.column = place(column, self.column, self.grid.layers.len());
    }

    /// Moves the cursor, stopping at the ends.
    pub fn step(&mut self, rows: isize, columns: isize) {
        let to = |at: usize, by: isize, len: usize| at.saturating_add_signed(by).min(len.saturating_sub(1));
        self.row = to(self.row, rows, self.grid.roles.len());
        self.column = to(self.column, columns, self.grid.layers.len());
    }

    /// Puts the cursor on the cell with the greatest error; whether there is one.
    pub fn go_to_worst(&mut self) -> bool {
        let worst = self.grid.worst(self.measure);
        if let Some((row, column)) = worst {
            (self.row, self.column) = (row, column);
        }
        worst.is_some()
    }

    /// The next measure that has values; the weighted one has none without an importance matrix.
    pub fn next_measure(&mut self) {
        let at = Measure::ALL.iter().position(|m| *m == self.measure).unwrap_or(0);
        let next = (1..=Measure::ALL.len()).map(|by| Measure::ALL[(at + by) % Measure::ALL.len()]);
        let has = |m: &Measure| *m != Measure::Weighted || self.grid.range(*m).is_some();
        self.measure = next.into_iter().find(has).unwrap_or_default();
    }

    /// The first tensor of every cell in a part of the grid, the cursor's row first.
    pub fn in_sight(&self, first: (usize, usize), size: (usize, usize)) -> Vec<usize> {
        let rows = std::iter::once(self.row).chain((first.0..first.0 + size.0).filter(|row| *row != self.row));
        let cell = |row| (first.1..first.1 + size.1).filter_map(move |column| self.grid.cell(row, column));
        rows.flat_map(cell).map(|cell| cell.first).collect()
    }

    /// Whether figures are still to come.
    pub fn is_measuring(&self) -> bool {
        self.measured.0 + self.measured.1 < self.eligible.0
    }

    /// The first tensor of the cell under the cursor.
    pub fn tensor(&self) -> Option<usize> {
        self.grid.cell(self.row, self.column).map(|cell| cell.first)
    }
}

/// Everything that was measured, as the document that is written to a file.
pub fn document(model: &Model, plan: &PlanState, previews: &Previews) -> Document {
    let recipe = plan.recipe();
    let mut chart = Document::new(model, recipe.format, recipe.method);
    for index in (0..model.tensors.len()).filter(|i| plan.outlook(*i).eligible) {
        if let (Some(how), Some(errors)) = (what_if(plan, index), errors(plan, previews, index)) {
            chart.push(model, index, how, errors);
        }
    }
    chart
}
