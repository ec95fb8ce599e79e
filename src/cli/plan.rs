//! `plan`: the what-if. Types, sizes and errors, no output file.

use std::fmt::Write;

use indicatif::ProgressBar;

use super::Context;
use super::args::PlanArgs;
use super::measure::{Measuring, first_problem, measure_plan};
use super::output::{print, print_json, tell, warn};
use super::table::{Align, Table};
use crate::engine::error::{Error, Result};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::Model;
use crate::engine::plan::{Plan, resolve};
use crate::engine::preview::Depth;
use crate::engine::report::{PlanReport, TensorRow, TotalsReport};
use crate::text;

pub(super) fn run(args: &PlanArgs, context: &Context) -> Result<()> {
    let recipe = args.choice.recipe()?;
    let model = super::open_as_gguf(&args.file, &args.run.open, args.run.base.as_deref(), context)?;
    let plan = resolve(&model, &recipe);
    refuse_misses(&model, &plan, args.run.strict)?;
    let depth = if args.exact { Depth::Exact } else { Depth::SHOWN };
    let bar = if context.progress { ProgressBar::new(plan.totals.tensors) } else { ProgressBar::hidden() };
    let pool = super::pool(&args.run.write, context)?;
    let imatrix = super::imatrix(&recipe, context)?;
    let ask = Measuring { model: &model, plan: &plan, depth, imatrix: imatrix.as_deref() };
    let measured = pool.install(|| measure_plan(&ask, &context.cancel, || bar.inc(1)));
    bar.finish_and_clear();
    let measured = measured?;
    let mut report = PlanReport::of_plan(&model, &recipe, &plan, &measured);
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
