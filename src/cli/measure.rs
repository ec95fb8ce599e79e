//! Measuring what a plan would do, tensor by tensor: the loop behind `plan` and `demo`.

use crate::engine::error::{Error, Result};
use crate::engine::model::Model;
use crate::engine::plan::{Plan, Step};
use crate::engine::preview::{Depth, measure};
use crate::engine::progress::Cancel;
use crate::engine::report::Measured;

/// The figures of each tensor that goes ternary, `None` for the others. `tick` is called after each.
pub(super) fn measure_plan(
    model: &Model,
    plan: &Plan,
    depth: Depth,
    cancel: &Cancel,
    mut tick: impl FnMut(),
) -> Result<Vec<Option<Measured>>> {
    let mut reports = Vec::with_capacity(plan.decisions.len());
    for (index, decision) in plan.decisions.iter().enumerate() {
        let report = match decision.step {
            Step::Ternary(format, method) => Measured::of(measure(model, index, format, &[method], depth, cancel)?),
            _ => None,
        };
        tick();
        reports.push(report);
    }
    Ok(reports)
}

/// The first tensor that cannot be coded, as the error that an export would end in.
pub(super) fn first_problem(model: &Model, measured: &[Option<Measured>]) -> Option<Error> {
    model.tensors.iter().zip(measured).find_map(|(tensor, measured)| {
        let problem = measured.as_ref()?.problem.as_ref()?;
        Some(Error::tensor(&model.path, &tensor.name, problem))
    })
}
