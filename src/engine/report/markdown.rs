//! The plan as Markdown: what is pasted into an issue or a model card.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{PlanReport, TensorRow};
use crate::text;

/// Rows of tensors that are listed; of a larger plan only the roles are.
const ROWS: usize = 400;

/// Totals, a table by role, and a table of the tensors that change.
pub fn plan_markdown(report: &PlanReport) -> String {
    let totals = &report.totals;
    let mut out = format!("# Plan for `{}`\n\n", cell(&report.source));
    let _ = writeln!(
        out,
        "{} of {} tensors go ternary ({} · {}): {} → {}, {:.2} → {:.2} bpw.",
        totals.ternary_tensors,
        totals.tensors,
        report.format,
        report.method,
        text::bytes(totals.bytes),
        text::bytes(totals.new_bytes),
        totals.bpw,
        totals.new_bpw
    );
    if let Some(rel_mse) = totals.rel_mse {
        let sign = if totals.estimated { "~" } else { "" };
        let db = totals.sqnr_db.map_or_else(|| "∞".to_owned(), text::decibels);
        let _ = writeln!(out, "\nSQNR {sign}{db} dB, relative MSE {sign}{}.", text::number(rel_mse));
    }
    out += "\n| role | tensors | ternary | size | new size |\n| --- | ---: | ---: | ---: | ---: |\n";
    let mut roles: BTreeMap<&str, (u64, u64, u64, u64)> = BTreeMap::new();
    for row in &report.tensors {
        let sum = roles.entry(row.role.name()).or_default();
        sum.0 += 1;
        sum.1 += u64::from(row.method.is_some());
        sum.2 = sum.2.saturating_add(row.bytes);
        sum.3 = sum.3.saturating_add(row.new_bytes);
    }
    for (role, (tensors, ternary, bytes, new_bytes)) in roles {
        let (size, new_size) = (text::bytes(bytes), text::bytes(new_bytes));
        let _ = writeln!(out, "| {role} | {tensors} | {ternary} | {size} | {new_size} |");
    }
    let changing: Vec<&TensorRow> = report.tensors.iter().filter(|row| row.new_type != row.dtype).collect();
    if changing.is_empty() {
        return out;
    }
    out += "\n| tensor | type | new type | method | SQNR dB |\n| --- | --- | --- | --- | ---: |\n";
    for row in changing.iter().take(ROWS) {
        let sign = if row.estimated { "~" } else { "" };
        let db = row.sqnr_db.map_or_else(String::new, |db| format!("{sign}{}", text::decibels(db)));
        let (name, method) = (cell(&row.name), row.method.unwrap_or(""));
        let _ = writeln!(out, "| `{name}` | {} | {} | {method} | {db} |", row.dtype, row.new_type);
    }
    if changing.len() > ROWS {
        let _ = writeln!(out, "\nand {} more.", changing.len() - ROWS);
    }
    out
}

/// A text from a file inside of a table: on one line, without what ends a cell or a code span.
fn cell(content: &str) -> String {
    text::escape(content).replace('|', "\\|").replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_cell() {
        assert_eq!(cell("a|b`c\nd"), "a\\|b'c\\nd");
    }
}
