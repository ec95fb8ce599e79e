//! `compare`: two models side by side; exit code 1 where they differ.

use std::fmt::Write as _;

use indicatif::ProgressBar;

use super::Context;
use super::args::CompareArgs;
use super::output::{print, print_json, warn};
use crate::engine::compare::{Verdict, compare, pair_up};
use crate::engine::error::{Error, Result};
use crate::engine::report::compare::{CompareReport, CompareRow};
use crate::text;
use crate::text::table::{Align, Table};

pub(super) fn run(args: &CompareArgs, context: &Context) -> Result<()> {
    let a = super::open_as_gguf(&args.a, &args.open, None, context)?;
    let b = super::open_as_gguf(&args.b, &args.open, None, context)?;
    let pairs = pair_up(&a, &b);
    let bar = if context.progress { ProgressBar::new(pairs.len() as u64) } else { ProgressBar::hidden() };
    let compared = super::pool_of(args.threads, context)?.install(|| -> Result<Vec<_>> {
        let each = |pair| {
            let outcome = compare(&a, &b, &pair, &context.cancel)?;
            bar.inc(1);
            Ok((pair, outcome))
        };
        pairs.into_iter().map(each).collect()
    });
    bar.finish_and_clear();
    let report = CompareReport::of(&a, &b, &compared?);
    if args.json {
        print_json(&report)?;
    } else {
        print(&render(&report))?;
        warn(a.diagnostics.iter().chain(&b.diagnostics));
    }
    match report.differences(args.values) {
        Some(what) => Err(Error::Check(what)),
        None => Ok(()),
    }
}

/// What is not equal as a table, then the sums.
fn render(report: &CompareReport) -> String {
    let mut table = Table::new(&[
        ("tensor", Align::Left),
        ("", Align::Left),
        ("type", Align::Left),
        ("size", Align::Right),
        ("→", Align::Right),
        ("rel. MSE", Align::Right),
        ("SQNR dB", Align::Right),
        ("cosine", Align::Right),
        ("max |a−b|", Align::Right),
    ]);
    let shown = report.tensors.iter().filter(|row| row.verdict != Verdict::Equal);
    let rows = shown.map(|row| table.row(cells(row))).count();
    let mut out = if rows > 0 { table.render() + "\n" } else { String::new() };
    let t = &report.totals;
    let counts = [
        (t.equal, Verdict::Equal),
        (t.same_values, Verdict::SameValues),
        (t.differ, Verdict::Differ),
        (t.shape, Verdict::Shape),
        (t.missing, Verdict::Missing),
        (t.extra, Verdict::Extra),
        (t.unknown, Verdict::Unknown),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, verdict)| format!("{n} {}", verdict.words())).collect();
    let _ = writeln!(out, "tensors  {} and {}: {}", t.tensors_a, t.tensors_b, counts.join(", "));
    let _ = writeln!(out, "types    {} changed", t.type_changes);
    let _ = writeln!(out, "size     {} → {}", text::bytes(t.bytes_a), text::bytes(t.bytes_b));
    let sums = [
        (t.ternary_rel_mse, format!("the {} that went ternary", text::counted(t.ternary, "tensor"))),
        (t.rel_mse.filter(|_| t.rel_mse != t.ternary_rel_mse), "all tensors that differ".to_owned()),
    ];
    for (rel, over) in sums.into_iter().filter_map(|(rel, over)| Some((rel?, over))) {
        let (words, db) = (text::number(rel), text::decibels(crate::engine::preview::sqnr_db(rel)));
        let _ = writeln!(out, "error    rel. MSE {words}, SQNR {db} dB relative to the first, over {over}");
    }
    out
}

fn cells(row: &CompareRow) -> Vec<String> {
    let dash = || "–".to_owned();
    let types = match (&row.a, &row.b) {
        (Some(a), Some(b)) if row.verdict == Verdict::Shape => {
            format!("{} → {}", text::shape(&a.shape), text::shape(&b.shape))
        }
        (Some(a), Some(b)) if a.dtype == b.dtype => a.dtype.clone(),
        (Some(a), Some(b)) => format!("{} → {}", a.dtype, b.dtype),
        (Some(one), None) | (None, Some(one)) => one.dtype.clone(),
        (None, None) => dash(),
    };
    let size = |side: &Option<crate::engine::report::compare::CompareSide>| {
        side.as_ref().map_or_else(dash, |s| text::bytes(s.bytes))
    };
    let number = |x: Option<f64>, f: &dyn Fn(f64) -> String| x.map_or_else(dash, f);
    let verdict = row.problem.as_ref().map_or_else(|| row.verdict.words().to_owned(), |why| text::escape(why));
    vec![
        text::escape(&row.name),
        verdict,
        types,
        size(&row.a),
        size(&row.b),
        number(row.rel_mse, &text::number),
        number(row.sqnr_db, &|x| format!("{x:.2}")),
        number(row.cosine, &|x| format!("{x:.5}")),
        number(row.max_abs_err, &text::number),
    ]
}
