//! The plan as plain text: what `plan` prints and what the interface writes to a file.

use std::fmt::Write as _;

use super::{PlanReport, TensorRow, TotalsReport};
use crate::engine::preview::sqnr_db;
use crate::text;
use crate::text::table::{Align, Table};

/// The plan as text: what changes, then the totals.
pub fn plan_text(report: &PlanReport) -> String {
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
    out.push_str(&totals_text(&report.totals));
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
pub fn totals_text(t: &TotalsReport) -> String {
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
        let sqnr = text::decibels(sqnr_db(rel));
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
        if let Some(output) = t.output_error {
            let _ = write!(
                out,
                "\n         of the layers' outputs under the moments given: {output:.5} (this is what calibration makes least)"
            );
        }
        out.push_str("\n         weight error is a proxy: what a model loses shows in its perplexity\n");
    }
    out
}
