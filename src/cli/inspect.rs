//! `inspect`: what is in a file.

use std::fmt::Write;
use std::path::Path;

use super::Context;
use super::args::InspectArgs;
use super::output::{Bar, print, print_json, warn};
use super::trits;
use crate::engine::error::{Diagnostic, Result, Severity};
use crate::engine::hf;
use crate::engine::lint::{Counts, Depth, lint};
use crate::engine::model::{Model, OpenOptions, Tensor};
use crate::engine::report::trits::TritsReport;
use crate::engine::report::{GroupRow, InspectReport};
use crate::text;
use crate::text::table::{Align, Table};

/// Columns that a metadata value may take.
const VALUE_COLUMNS: usize = 96;

pub(super) fn run(args: &InspectArgs, context: &Context) -> Result<()> {
    let model = super::open(&args.file, &args.open, context)?;
    let keep = |t: &Tensor| args.filter.as_ref().is_none_or(|p| p.matches(t));
    let mut report = InspectReport::of(&model, keep);
    if args.trits {
        report.trits = Some(look_into(args, &model, keep, context)?);
    }
    if args.check {
        report.diagnostics = check(args, &model, context)?;
    }
    let counts = Counts::of(&report.diagnostics);
    if let Some(pattern) = args.filter.as_ref().filter(|p| !model.tensors.iter().any(|t| p.matches(t))) {
        let what = format!("--filter {pattern} matches no tensor");
        warn(&[Diagnostic::file(Severity::Warning, "filter", what)]);
    }
    if args.json {
        print_json(&report)?;
    } else if args.trits || args.check {
        print(&render_looks(&model, &report, args, counts))?;
    } else {
        print(&render(&model, &report, args.kv))?;
    }
    if args.check { counts.require_clean() } else { Ok(()) }
}

fn check(args: &InspectArgs, model: &Model, context: &Context) -> Result<Vec<Diagnostic>> {
    let bar = Bar::new(context.progress);
    let pool = super::pool_of(args.threads, context)?;
    let found = pool.install(|| lint(model, Depth::Data, &bar, &context.cancel));
    bar.clear();
    found
}

fn look_into(
    args: &InspectArgs,
    model: &Model,
    keep: impl Fn(&Tensor) -> bool + Send,
    context: &Context,
) -> Result<TritsReport> {
    let base = args.base.as_deref().map(|path| base(path, args, model, context)).transpose()?;
    let bar = Bar::new(context.progress);
    let pool = super::pool_of(args.threads, context)?;
    let found = pool.install(|| TritsReport::of(model, keep, base.as_ref(), &bar, &context.cancel));
    bar.clear();
    found
}

/// The base model; safetensors under the names of the model that it is compared with. Type numbers mean there what its own
/// offsets tell.
fn base(path: &Path, args: &InspectArgs, model: &Model, context: &Context) -> Result<Model> {
    let open = OpenOptions { mmap: !args.open.no_mmap, ..OpenOptions::default() };
    let base = Model::open(&super::expand(path, context), &open)?;
    if base.is_foreign() && !model.is_foreign() { hf::as_gguf(&base, Some(model)) } else { Ok(base) }
}

/// What was looked for, instead of the listing.
fn render_looks(model: &Model, report: &InspectReport, args: &InspectArgs, counts: Counts) -> String {
    let mut out = summary(model, report);
    if args.kv {
        out.push('\n');
        out.push_str(&metadata(model, true));
    }
    if let Some(trits) = &report.trits {
        out.push('\n');
        out.push_str(&trits::render(trits));
    }
    if args.check {
        out.push_str("\nfindings\n");
        for diagnostic in &report.diagnostics {
            let _ = writeln!(out, "  {diagnostic}");
        }
        let _ = writeln!(out, "{}{counts}", if report.diagnostics.is_empty() { "  none: " } else { "" });
    }
    out
}

/// The report as text.
pub(super) fn render(model: &Model, report: &InspectReport, all_metadata: bool) -> String {
    let mut out = summary(model, report);
    out.push('\n');
    out.push_str(&metadata(model, all_metadata));
    out.push('\n');
    out.push_str(&groups("type", &report.types));
    out.push('\n');
    out.push_str(&groups("role", &report.roles));
    out.push('\n');
    out.push_str(&tensors(report));
    if !report.diagnostics.is_empty() {
        out.push_str("\ndiagnostics\n");
        for diagnostic in &report.diagnostics {
            let _ = writeln!(out, "  {diagnostic}");
        }
    }
    out
}

/// A few lines about the file as a whole.
fn summary(model: &Model, report: &InspectReport) -> String {
    let cut = model.cut_off().map_or_else(String::new, |words| format!("{}\n", text::escape(words)));
    let or_none = |s: &Option<String>| s.as_deref().map_or_else(|| "–".to_owned(), text::escape);
    format!(
        "{}\n{}, architecture {}, name {}\n{} tensors, {} parameters, {} of tensor data, {:.3} bits per weight\n{cut}",
        text::escape(&report.source),
        report.container,
        or_none(&report.architecture),
        or_none(&report.name),
        report.totals.tensors,
        text::count(report.totals.params),
        text::bytes(report.totals.bytes),
        report.totals.bpw,
    )
}

/// Metadata: all entries, or those that tell what the model is.
fn metadata(model: &Model, all: bool) -> String {
    let mut table = Table::new(&[("key", Align::Left), ("type", Align::Left), ("value", Align::Left)]);
    let prefix = model.architecture.as_ref().map(|a| format!("{a}."));
    let mut hidden = 0;
    for kv in model.metadata.entries() {
        let telling = kv.key.starts_with("general.")
            || kv.key.starts_with("tritscope.")
            || prefix.as_ref().is_some_and(|p| kv.key.starts_with(p));
        if !all && !telling {
            hidden += 1;
            continue;
        }
        let value = model.metadata.value(kv, 4).map_or_else(|e| e.to_string(), |v| v.to_string());
        let cells = [text::escape(&kv.key), kv.value_type.name().to_owned(), text::clip(&value, VALUE_COLUMNS)];
        table.row(cells.to_vec());
    }
    let mut out = table.render();
    if hidden > 0 {
        let _ = writeln!(out, "({hidden} more metadata entries; --kv shows all)");
    }
    out
}

fn groups(by: &'static str, rows: &[GroupRow]) -> String {
    let mut table = Table::new(&[
        (by, Align::Left),
        ("tensors", Align::Right),
        ("parameters", Align::Right),
        ("size", Align::Right),
        ("bpw", Align::Right),
    ]);
    for row in rows {
        let cells = [
            row.name.clone(),
            row.tensors.to_string(),
            text::count(row.params),
            text::bytes(row.bytes),
            format!("{:.3}", row.bpw),
        ];
        table.row(cells.to_vec());
    }
    table.render()
}

fn tensors(report: &InspectReport) -> String {
    let mut table = Table::new(&[
        ("tensor", Align::Left),
        ("role", Align::Left),
        ("type", Align::Left),
        ("shape", Align::Left),
        ("bytes", Align::Right),
        ("bpw", Align::Right),
    ]);
    for row in &report.tensors {
        let cells = [
            text::escape(&row.name),
            row.role.to_string(),
            row.dtype.clone(),
            text::shape(&row.shape),
            row.bytes.to_string(),
            format!("{:.3}", row.bpw),
        ];
        table.row(cells.to_vec());
    }
    table.render()
}
