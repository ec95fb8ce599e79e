//! The ternary tensors as text: a line each, then the evidence once for each verdict.

use std::fmt::Write;

use crate::engine::report::trits::{BaseRow, TritFigures, TritRow, TritsReport};
use crate::engine::stats::forensics::VerdictKind;
use crate::text::table::{Align, Table};
use crate::text::{elide, escape, number, percent};

/// Experts of zeros that a line names.
const EXPERTS: usize = 8;
/// Columns that a name takes.
const NAME: usize = 48;

pub(super) fn render(report: &TritsReport) -> String {
    let mut out = String::new();
    if report.tensors.is_empty() {
        out.push_str("no ternary tensors\n");
    } else {
        out.push_str(&table(report));
        out.push_str(&evidence(report));
        out.push_str(&experts(report));
    }
    if !report.native_float.is_empty() {
        out.push_str("\nnatively ternary float weights: --method lossless codes them without loss\n");
        out.push_str(&native(report));
    }
    for problem in report.tensors.iter().filter_map(|t| t.problem.as_ref().map(|p| (t, p))) {
        let _ = writeln!(out, "\n{}: not read: {}", escape(&problem.0.name), escape(problem.1));
    }
    if !report.notes.is_empty() {
        out.push('\n');
        for note in &report.notes {
            let _ = writeln!(out, "{note}");
        }
    }
    out
}

/// Tensors with their figures.
fn looked_at(report: &TritsReport) -> impl Iterator<Item = (&TritRow, &TritFigures)> {
    report.tensors.iter().filter_map(|t| t.figures.as_ref().map(|f| (t, f)))
}

fn table(report: &TritsReport) -> String {
    let mut columns = vec![
        ("tensor", Align::Left),
        ("type", Align::Left),
        ("−1", Align::Right),
        ("0", Align::Right),
        ("+1", Align::Right),
        ("bits", Align::Right),
        ("scale", Align::Right),
        ("± std", Align::Right),
        ("min", Align::Right),
        ("max", Align::Right),
        ("distinct", Align::Right),
        ("odd", Align::Right),
        ("illegal", Align::Right),
        ("zero blocks", Align::Right),
        ("repeated", Align::Right),
    ];
    if report.base.is_some() {
        columns.extend([("signs as base", Align::Right), ("corr.", Align::Right)]);
    }
    columns.push(("verdict", Align::Left));
    let mut table = Table::new(&columns);
    for (tensor, figures) in looked_at(report) {
        table.row(cells(tensor, figures));
    }
    let legend = format!(
        "bits: information in a trit, at most {:.3}; odd: scales that are 0, negative, subnormal or no number\n",
        report.max_entropy
    );
    table.render() + &legend
}

fn cells(tensor: &TritRow, f: &TritFigures) -> Vec<String> {
    let s = &f.scales;
    let scale = |of: fn(&crate::engine::report::trits::Spread) -> f64| {
        s.spread.as_ref().map_or_else(|| "–".to_owned(), |spread| number(of(spread)))
    };
    let mark = if f.repeated_estimated { "~" } else { "" };
    let mut cells = vec![
        elide(&escape(&tensor.name), NAME),
        tensor.dtype.to_string(),
        percent(f.negative),
        percent(f.zero),
        percent(f.positive),
        format!("{:.3}", f.entropy),
        scale(|s| s.mean),
        scale(|s| s.std),
        scale(|s| s.min),
        scale(|s| s.max),
        s.distinct.to_string(),
        (s.zero + s.negative + s.subnormal + s.nan + s.infinite).to_string(),
        (f.illegal_codes + f.illegal_bytes).to_string(),
        f.zero_blocks.to_string(),
        format!("{mark}{}", f.repeated_blocks),
    ];
    if let Some(base) = &f.base {
        cells.extend(base_cells(base));
    }
    cells.push(f.verdict.kind.to_string());
    cells
}

fn base_cells(base: &BaseRow) -> [String; 2] {
    let or_dash = |x: Option<f64>, words: fn(f64) -> String| x.map_or_else(|| "–".to_owned(), words);
    [or_dash(base.sign_agreement, percent), or_dash(base.correlation, |x| format!("{x:.2}"))]
}

/// Each verdict with the evidence of its first tensor; why nothing was compared with the base.
fn evidence(report: &TritsReport) -> String {
    let mut out = String::new();
    for kind in [VerdictKind::NativelyTernary, VerdictKind::PostTraining, VerdictKind::Unclear] {
        let mut of_kind = looked_at(report).filter(|(_, f)| f.verdict.kind == kind);
        let Some((first, figures)) = of_kind.next() else { continue };
        let others = of_kind.count();
        let name = elide(&escape(&first.name), NAME);
        let _ = match others {
            0 => writeln!(out, "\n{kind}: {name}, because"),
            n => writeln!(out, "\n{kind}: {} tensors; of the first, {name}:", n + 1),
        };
        for line in &figures.verdict.evidence {
            let _ = writeln!(out, "  - {line}");
        }
    }
    let apart = looked_at(report).filter_map(|(t, f)| Some((t, f.base.as_ref()?.problem.as_ref()?)));
    let apart: Vec<_> = apart.collect();
    if let Some((tensor, why)) = apart.first() {
        let more = if apart.len() > 1 { format!("; and {} more", apart.len() - 1) } else { String::new() };
        let _ = writeln!(out, "\nnot compared with the base: {}: {}{more}", escape(&tensor.name), escape(why));
    }
    out
}

/// Merged tensors: the spread over experts, and those that are all zeros.
fn experts(report: &TritsReport) -> String {
    let mut table = Table::new(&[
        ("experts of", Align::Left),
        ("n", Align::Right),
        ("zeros, least", Align::Right),
        ("most", Align::Right),
        ("scale, least", Align::Right),
        ("most", Align::Right),
        ("all zero", Align::Left),
    ]);
    let mut any = false;
    for (tensor, f) in looked_at(report).filter(|(_, f)| !f.experts.is_empty()) {
        any = true;
        let range = |of: fn(&crate::engine::report::trits::ExpertRow) -> f64| {
            f.experts.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)))
        };
        let (zeros, scales) = (range(|e| e.zero), range(|e| e.scale_mean));
        let dead: Vec<String> =
            f.experts.iter().enumerate().filter(|(_, e)| e.all_zero).map(|(i, _)| i.to_string()).collect();
        let more = if dead.len() > EXPERTS { format!(" and {} more", dead.len() - EXPERTS) } else { String::new() };
        let named = dead.iter().take(EXPERTS).cloned().collect::<Vec<_>>().join(", ");
        table.row(vec![
            elide(&escape(&tensor.name), NAME),
            f.experts.len().to_string(),
            percent(zeros.0),
            percent(zeros.1),
            number(scales.0),
            number(scales.1),
            if dead.is_empty() { "none".to_owned() } else { named + &more },
        ]);
    }
    if any { format!("\n{}", table.render()) } else { String::new() }
}

fn native(report: &TritsReport) -> String {
    let mut table = Table::new(&[
        ("tensor", Align::Left),
        ("type", Align::Left),
        ("format", Align::Left),
        ("blocks", Align::Right),
        ("0", Align::Right),
        ("scale", Align::Right),
        ("± std", Align::Right),
    ]);
    for row in &report.native_float {
        table.row(vec![
            elide(&escape(&row.tensor), NAME),
            row.dtype.to_string(),
            row.format.to_string(),
            row.blocks.to_string(),
            percent(row.zero_share),
            number(row.scale_mean),
            number(row.scale_std),
        ]);
    }
    table.render()
}
