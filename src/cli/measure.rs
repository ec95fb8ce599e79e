//! Measuring what a plan would do, tensor by tensor: the loop behind `plan` and `demo`.

use crate::engine::error::{Error, Result};
use crate::engine::model::Model;
use crate::engine::plan::{Plan, Step};
use crate::engine::preview::{Depth, TensorReport, measure};
use crate::engine::progress::Cancel;

/// One report for each tensor that goes ternary, `None` for the others. `tick` is called after each.
pub(super) fn measure_plan(
    model: &Model,
    plan: &Plan,
    depth: Depth,
    cancel: &Cancel,
    mut tick: impl FnMut(),
) -> Result<Vec<Option<TensorReport>>> {
    let mut reports = Vec::with_capacity(plan.decisions.len());
    for (index, decision) in plan.decisions.iter().enumerate() {
        let report = match decision.step {
            Step::Ternary(format, method) => Some(measure(model, index, format, &[method], depth, cancel)?),
            _ => None,
        };
        tick();
        reports.push(report);
    }
    Ok(reports)
}

/// The first tensor that cannot be coded, as the error that an export would end in.
pub(super) fn first_problem(model: &Model, reports: &[Option<TensorReport>]) -> Option<Error> {
    reports.iter().flatten().find_map(|report| {
        let tensor = &model.tensors[report.tensor];
        let what = match report.non_finite {
            Some(at) => Some(format!("element {at} is not finite")),
            None => report.methods.iter().find_map(|m| m.problem.clone()),
        };
        what.map(|what| Error::tensor(&model.path, &tensor.name, what))
    })
}
