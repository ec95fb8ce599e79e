//! `plan`: the what-if. Types, sizes and errors, no output file.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

use indicatif::ProgressBar;

use super::Context;
use super::args::PlanArgs;
use super::measure::{Measuring, first_problem, measure_plan};
use super::output::{print, print_json, tell, warn};
use crate::engine::error::{Error, Result};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::Model;
use crate::engine::plan::budget::Goal;
use crate::engine::plan::{Budget, Faults, Mask, Plan, Recipe, resolve};
use crate::engine::preview::Depth;
use crate::engine::report::chart::{Measure, Sensitivity};
use crate::engine::report::{BudgetReport, Measured, PlanReport, plan_text};
use crate::text;

pub(super) fn run(args: &PlanArgs, context: &Context) -> Result<()> {
    let mut recipe = args.choice.recipe()?;
    let model = super::open_as_gguf(&args.file, &args.run.open, args.run.base.as_deref(), context)?;
    let mut plan = resolve(&model, &recipe);
    refuse_misses(&model, &plan, args.run.strict)?;
    let depth = if args.exact { Depth::Exact } else { Depth::SHOWN };
    let bar = if context.progress { ProgressBar::new(plan.totals.tensors) } else { ProgressBar::hidden() };
    let pool = super::pool(&args.run.write, context)?;
    let imatrix = super::imatrix(&recipe, context)?;
    // A budget and a chart ask for all that may go ternary, not only for what does.
    let wide = args.budget.is_some() || args.chart.is_some();
    let tried = if wide { resolve(&model, &Recipe { layers: Mask::All, ..recipe.clone() }) } else { plan.clone() };
    let ask = Measuring { model: &model, plan: &tried, depth, imatrix: imatrix.as_deref() };
    let measured = pool.install(|| measure_plan(&ask, &context.cancel, || bar.inc(1)));
    bar.finish_and_clear();
    let mut measured = measured?;
    if let Some(path) = &args.chart {
        let chart = Sensitivity::of_plan(&model, &tried, (recipe.format, recipe.method), &measured);
        write_chart(path, &chart, args.run.write.force)?;
    }
    let mut kept = None;
    if let Some(goal) = args.budget {
        let (chosen, report) = keep_budget(&model, &recipe, goal, &measured)?;
        (recipe, kept) = (chosen, Some(report));
        plan = resolve(&model, &recipe);
    }
    for (measured, _) in measured.iter_mut().zip(&plan.decisions).filter(|(_, d)| !d.is_ternary()) {
        *measured = None;
    }
    if let Some(path) = &args.save_recipe {
        write_new(path, &recipe.to_toml()?, args.run.write.force)?;
    }
    let mut report = PlanReport { budget: kept, ..PlanReport::of_plan(&model, &recipe, &plan, &measured) };
    if let Some(imatrix) = &imatrix {
        report.diagnostics.extend(imatrix.notes(&model, &plan, recipe.calibration_samples));
    }
    if args.run.json {
        print_json(&report)?;
    } else {
        print(&(plan_text(&report) + &importance_line(imatrix.as_deref())))?;
        warn(&model.diagnostics);
        tell(&report.diagnostics[model.diagnostics.len()..]);
    }
    first_problem(&model, &measured).map_or(Ok(()), Err)
}

/// The recipe that keeps the budget. Errors: out of reach, with the least that is not.
fn keep_budget(
    model: &Model,
    recipe: &Recipe,
    goal: Goal,
    measured: &[Option<Measured>],
) -> Result<(Recipe, BudgetReport)> {
    let mut budget = Budget::new(model, recipe, &Faults::default());
    budget.rank(|tensor, _, _| measured.get(tensor)?.as_ref()?.figure());
    let wanted = goal.bytes(budget.params());
    let Some(count) = budget.order().fit(wanted) else {
        let least = budget.order().least();
        let all = budget.order().items().len();
        return Err(Error::Check(format!(
            "--budget: {} ({:.3} bpw) cannot be reached: with all {all} free tensors ternary there are {least} bytes, {} ({:.3} bpw)",
            text::bytes(wanted),
            budget.bpw(wanted),
            text::bytes(least),
            budget.bpw(least),
        )));
    };
    Ok((budget.recipe(model, recipe, count), BudgetReport::of(&budget, goal, count)))
}

/// Writes the chart in the form that the file's name ends with.
fn write_chart(path: &Path, chart: &Sensitivity, force: bool) -> Result<()> {
    let form = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let content = match form.as_deref() {
        Some("svg") => chart.svg(Measure::Sqnr),
        Some("csv") => chart.csv(),
        Some("json") => chart.json(),
        _ => return Err(Error::Usage(format!("--chart {}: the name ends with .svg, .csv or .json", path.display()))),
    };
    write_new(path, &content, force)
}

/// Writes a file that is there whole or not at all; over another one only if told so.
fn write_new(path: &Path, content: &str, force: bool) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Temporary files are for their owner alone; this one is not to stay temporary.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(".tritscope").tempfile_in(folder).map_err(|e| Error::io(path, "create", e))?;
    file.write_all(content.as_bytes()).map_err(|e| Error::io(path, "write", e))?;
    let kept = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match kept {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == ErrorKind::AlreadyExists => {
            Err(Error::Usage(format!("{} exists; --force replaces it", path.display())))
        }
        Err(e) => Err(Error::io(path, "rename", e.error)),
    }
}

/// What the importance matrix was made from, as a line.
pub(super) fn importance_line(imatrix: Option<&Imatrix>) -> String {
    imatrix.map_or_else(String::new, |imatrix| format!("imatrix  {}\n", imatrix.summary()))
}

/// `--strict`: refuses a plan in which a request is not met as asked.
pub(super) fn refuse_misses(model: &Model, plan: &Plan, strict: bool) -> Result<()> {
    match plan.first_miss(model) {
        Some((tensor, decision)) if strict => {
            let more = plan.decisions.iter().filter(|d| d.misses_request()).count() - 1;
            let more = if more == 0 { String::new() } else { format!("; and {more} more") };
            let name = text::escape(&tensor.name);
            Err(Error::Check(format!("--strict: tensor '{name}': {}{more}", decision.reason_text())))
        }
        _ => Ok(()),
    }
}
