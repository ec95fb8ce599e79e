//! Measuring what a plan would do, tensor by tensor: the loop behind `plan` and `demo`.

use crate::engine::error::{Error, Result};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::Model;
use crate::engine::plan::{Plan, Step};
use crate::engine::preview::{Ask, Depth, measure_weighted};
use crate::engine::progress::Cancel;
use crate::engine::report::Measured;
use crate::engine::ternary::Method;

/// What is measured.
pub(super) struct Measuring<'a> {
    pub model: &'a Model,
    pub plan: &'a Plan,
    pub depth: Depth,
    pub imatrix: Option<&'a Imatrix>,
}

/// The figures of each tensor that goes ternary, `None` for the others. `tick` is called after each.
pub(super) fn measure_plan(
    what: &Measuring<'_>,
    cancel: &Cancel,
    mut tick: impl FnMut(),
) -> Result<Vec<Option<Measured>>> {
    let Measuring { model, plan, depth, imatrix } = *what;
    let mut reports = Vec::with_capacity(plan.decisions.len());
    for (tensor, decision) in plan.decisions.iter().enumerate() {
        let report = match decision.step {
            // Rows are coded as a whole: there is no sample of blocks, and all of them take as long as an export.
            Step::Ternary(_, Method::Calibrated) => None,
            Step::Ternary(format, method) => {
                let ask = Ask { tensor, format, methods: &[method], depth, imatrix, blind: false, weights: false };
                Measured::of(measure_weighted(model, &ask, cancel)?)
            }
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
