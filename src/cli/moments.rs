//! `moments`: what is in a file of second moments, several of them as one, their diagonals as an importance matrix.

use std::fmt::Write as _;
use std::path::Path;

use indicatif::ProgressBar;

use super::Context;
use super::args::{
    MomentsCommand, MomentsInfoArgs, MomentsMergeArgs, MomentsOutputArgs, MomentsSubcommand, MomentsToImatrixArgs,
};
use super::output::{Bar, print, print_json, tell, warn};
use crate::engine::error::{Diagnostic, Result, Severity};
use crate::engine::moments::{Moments, Output, Store, merge, to_imatrix};
use crate::engine::report::moments::{MomentsReport, MomentsRow};
use crate::text;
use crate::text::table::{Align, Table};

/// Text hashes that are shown.
const TEXTS: usize = 4;

pub(super) fn run(command: &MomentsCommand, context: &Context) -> Result<()> {
    match &command.command {
        MomentsSubcommand::Info(args) => info(args, context),
        MomentsSubcommand::Merge(args) => merged(args, context),
        MomentsSubcommand::ToImatrix(args) => importance(args, context),
    }
}

fn info(args: &MomentsInfoArgs, context: &Context) -> Result<()> {
    let moments = Moments::open(&super::expand(&args.file, context))?;
    if args.check {
        check(&moments, context)?;
    }
    let report = MomentsReport::of(&moments, args.check, &context.cancel)?;
    if args.json { print_json(&report) } else { print(&render(&report)) }
}

/// Reads every matrix; reading checks.
fn check(moments: &Moments, context: &Context) -> Result<()> {
    let matrices: usize = moments.entries().iter().map(|e| e.experts).sum();
    let bar = if context.progress { ProgressBar::new(matrices as u64) } else { ProgressBar::hidden() };
    let checked = moments.entries().iter().try_for_each(|entry| {
        (0..entry.experts).try_for_each(|expert| {
            context.cancel.check()?;
            bar.inc(1);
            moments.read(entry, expert).map(|_| ())
        })
    });
    bar.finish_and_clear();
    checked
}

fn merged(args: &MomentsMergeArgs, context: &Context) -> Result<()> {
    let files =
        args.files.iter().map(|path| Moments::open(&super::expand(path, context))).collect::<Result<Vec<Moments>>>()?;
    let path = super::expand(&args.output.output, context);
    let store = if args.bf16 { Store::Bf16 } else { Store::F32 };
    let bar = Bar::new(context.progress);
    let result = merge(&files, &output(&args.output, &path), store, &bar, &context.cancel);
    bar.clear();
    let notes = result?;
    let moments = Moments::open(&path)?;
    print(&format!(
        "{}: {} of {}, {}, {}\n",
        text::escape(&path.to_string_lossy()),
        text::counted(moments.entries().len(), "input"),
        text::counted(files.len(), "file"),
        tokens(moments.about().tokens),
        text::bytes(moments.file_len()),
    ))?;
    tell(&notes);
    Ok(())
}

fn importance(args: &MomentsToImatrixArgs, context: &Context) -> Result<()> {
    let moments = Moments::open(&super::expand(&args.file, context))?;
    let path = super::expand(&args.output.output, context);
    let unsynced = to_imatrix(&moments, &output(&args.output, &path), &context.cancel)?;
    let weights: usize = moments.entries().iter().map(|e| e.weights.len()).sum();
    let (path, of) = (text::escape(&path.to_string_lossy()), tokens(moments.about().tokens));
    print(&format!("{path}: importance of {}, {of}\n", text::counted(weights, "weight tensor")))?;
    warn(&unsynced.map(|why| Diagnostic::file(Severity::Warning, "unsynced", why)));
    Ok(())
}

fn output<'a>(args: &MomentsOutputArgs, path: &'a Path) -> Output<'a> {
    Output { force: args.force, sync: !args.no_sync, ..Output::new(path) }
}

fn tokens(n: u64) -> String {
    text::counted(n, "token")
}

/// About the file, then a row for each input.
fn render(report: &MomentsReport) -> String {
    let or_none = |s: &Option<String>| s.as_deref().map_or_else(|| "not said".to_owned(), text::escape);
    let mut texts: Vec<String> = report.texts.iter().take(TEXTS).map(|t| text::escape(t)).collect();
    texts.extend((report.texts.len() > TEXTS).then(|| format!("{} more", report.texts.len() - TEXTS)));
    let texts = if texts.is_empty() { "not said".to_owned() } else { texts.join(", ") };
    let mut out = text::escape(&report.source) + "\n";
    let (inputs, weights) = (report.entries.len(), report.entries.iter().map(|e| e.weights.len()).sum::<usize>());
    let _ = writeln!(
        out,
        "moments of {} of {}, {}, {}",
        text::counted(inputs, "input"),
        text::counted(weights, "weight"),
        tokens(report.tokens),
        text::bytes(report.bytes),
    );
    let _ = writeln!(out, "model    {}", or_none(&report.model));
    let _ = writeln!(out, "text     {texts}");
    let _ = writeln!(out, "tool     {}", or_none(&report.tool));
    let checked = if report.checked { "every value" } else { "the diagonals; --check reads every value" };
    let _ = writeln!(out, "checked  {checked}\n");
    out.push_str(&table(report));
    out
}

fn table(report: &MomentsReport) -> String {
    let mut table = Table::new(&[
        ("input of", Align::Left),
        ("weights", Align::Right),
        ("type", Align::Left),
        ("columns", Align::Right),
        ("experts", Align::Right),
        ("tokens", Align::Right),
        ("size", Align::Right),
        ("E[x²] min", Align::Right),
        ("mean", Align::Right),
        ("max", Align::Right),
        ("", Align::Left),
    ]);
    report.entries.iter().for_each(|row| table.row(cells(row)));
    table.render()
}

fn cells(row: &MomentsRow) -> Vec<String> {
    let (least, most) = row.tokens.iter().fold((u64::MAX, 0), |(a, b), t| (a.min(*t), b.max(*t)));
    let tokens = if least == most { most.to_string() } else { format!("{least}–{most}") };
    vec![
        text::escape(&row.name),
        row.weights.len().to_string(),
        row.dtype.to_owned(),
        row.columns.to_string(),
        row.experts.to_string(),
        tokens,
        text::bytes(row.bytes),
        text::number(row.min),
        text::number(row.mean),
        text::number(row.max),
        row.hints.join(", "),
    ]
}
