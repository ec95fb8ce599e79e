//! `plan`: the what-if. Types, sizes and errors, no output file.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use indicatif::ProgressBar;

use super::Context;
use super::args::PlanArgs;
use super::measure::{Measuring, first_problem, measure_plan};
use super::output::{print, print_json, tell, warn};
use super::table::{Align, Table};
use crate::engine::error::{Error, Result};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::Model;
use crate::engine::plan::budget::Goal;
use crate::engine::plan::{Budget, Faults, Mask, Plan, Recipe, resolve};
use crate::engine::preview::Depth;
use crate::engine::report::chart::{Measure, Sensitivity};
use crate::engine::report::{BudgetReport, Measured, PlanReport, TensorRow, TotalsReport};
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
        print(&(render(&report) + &importance_line(imatrix.as_deref())))?;
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

/// The plan as text: what changes, then the totals.
pub(super) fn render(report: &PlanReport) -> String {
    let weighted = report.totals.weighted_rel_mse.is_some();
    let mut columns = vec![
        ("tensor", Align::Left),
        ("type", Align::Left),
        ("→ new", Align::Left),
        ("method", Align::Left),
        ("size", Align::Right),
        ("→ new", Align::Right),
        ("rel. MSE", Align::Right),
        ("SQNR dB", Align::Right),
        ("zeros", Align::Right),
        ("why", Align::Left),
    ];
    if weighted {
        columns.insert(WEIGHTED, ("weighted", Align::Right));
    }
    let mut table = Table::new(&columns);
    let (mut shown, mut kept) = (0, 0);
    for row in &report.tensors {
        // What stays for a plain reason is a count; what was asked for and stays says why.
        if row.new_type == row.dtype
            && (row.reason.starts_with("not selected") || row.reason.starts_with("protected: "))
        {
            kept += 1;
            continue;
        }
        shown += 1;
        table.row(cells(row, weighted));
    }
    let mut out = if shown > 0 { table.render() } else { String::new() };
    if kept > 0 {
        let _ = writeln!(
            out,
            "{}{kept} tensors stay as they are (not selected, or protected)",
            if shown > 0 { "\n" } else { "" }
        );
    }
    out.push('\n');
    out.push_str(&totals(&report.totals));
    if let Some(budget) = &report.budget {
        let _ = writeln!(
            out,
            "budget   at most {}: {} of {} free tensors go ternary, {} left; {} is the least{}",
            text::bytes(budget.goal_bytes),
            budget.taken,
            budget.free,
            text::bytes(budget.bytes),
            text::bytes(budget.least_bytes),
            if budget.pinned == 0 { String::new() } else { format!("; {} more by rules", budget.pinned) }
        );
    }
    out
}

/// Place of the column of importance-weighted errors, where there are any.
const WEIGHTED: usize = 8;

fn cells(row: &TensorRow, weighted: bool) -> Vec<String> {
    let mark = if row.estimated { "~" } else { "" };
    let or_dash = |x: Option<f64>, f: &dyn Fn(f64) -> String| x.map_or_else(|| "–".to_owned(), f);
    let lossless = row.rel_mse == Some(0.0);
    let mut cells = vec![
        text::escape(&row.name),
        row.dtype.clone(),
        row.new_type.clone(),
        row.method.unwrap_or("–").to_owned(),
        text::bytes(row.bytes),
        text::bytes(row.new_bytes),
        or_dash(row.rel_mse, &|x| format!("{mark}{x:.5}")),
        if lossless { format!("{mark}∞") } else { or_dash(row.sqnr_db, &|x| format!("{mark}{x:.2}")) },
        or_dash(row.zeros, &text::percent),
        row.problem.clone().unwrap_or_else(|| row.reason.clone()),
    ];
    if weighted {
        cells.insert(WEIGHTED, or_dash(row.weighted_rel_mse, &|x| format!("{mark}{x:.5}")));
    }
    cells
}

/// The totals as a few lines.
pub(super) fn totals(t: &TotalsReport) -> String {
    let share = if t.params == 0 { 0.0 } else { t.ternary_params as f64 / t.params as f64 };
    let already = match t.already_ternary_tensors {
        0 => String::new(),
        n => format!("; {n} are already, {}", text::count(t.already_ternary_params)),
    };
    let mut out = format!(
        "ternary  {} of {} tensors, {} of {} parameters ({}){already}\nsize     {} → {}\nbpw      {:.3} → {:.3}\n",
        t.ternary_tensors,
        t.tensors,
        text::count(t.ternary_params),
        text::count(t.params),
        text::percent(share),
        text::bytes(t.bytes),
        text::bytes(t.new_bytes),
        t.bpw,
        t.new_bpw,
    );
    if let Some(rel) = t.rel_mse {
        let sqnr = text::decibels(crate::engine::preview::sqnr_db(rel));
        let _ = write!(out, "error    rel. MSE {rel:.5}, SQNR {sqnr} dB over the ternary tensors");
        if let Some([low, high]) = t.interval {
            let _ = write!(out, " (estimated from samples; 95 % within {low:.5} … {high:.5})");
        }
        if let Some(weighted) = t.weighted_rel_mse {
            let _ = write!(
                out,
                "\n         weighted by importance: rel. MSE {weighted:.5} (this is what an imatrix makes least)"
            );
        }
        out.push_str("\n         weight error is a proxy: what a model loses shows in its perplexity\n");
    }
    out
}
