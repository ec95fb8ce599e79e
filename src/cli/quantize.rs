//! `quantize`: plan, export, check, summary.

use std::fmt::Write;

use super::Context;
use super::args::QuantizeArgs;
use super::output::{Bar, print, print_json, tell, warn};
use super::plan::{importance_line, refuse_misses};
use crate::engine::error::Result;
use crate::engine::export::{ExportOptions, ExportSummary, Reader, Verify, Workload, export};
use crate::engine::plan::resolve;
use crate::engine::report::{PlanReport, totals_text};
use crate::text;

/// Notes that are told before the work, so that it can be stopped in time.
const EARLY: [&str; 2] = ["requantized", "runtime"];

pub(super) fn run(args: &QuantizeArgs, context: &Context) -> Result<()> {
    let recipe = args.choice.recipe()?;
    let model = super::open_as_gguf(&args.file, &args.run.open, args.run.base.as_deref(), context)?;
    model.require_gguf()?;
    let imatrix = super::imatrix(&recipe, context)?;
    let plan = resolve(&model, &recipe);
    refuse_misses(&model, &plan, args.run.strict)?;
    let calibration = super::calibration(&recipe, context)?;
    let options = ExportOptions { imatrix, calibration, ..args.run.write.options(&args.output) };
    warn(plan.notes.iter().filter(|n| EARLY.contains(&n.code)));
    let bar = Bar::of_export(context.progress, Workload::new(&model, &plan, options.verify));
    let pool = super::pool(&args.run.write, context)?;
    let result = pool.install(|| export(&model, &plan, &recipe, &options, &bar, &context.cancel));
    bar.clear();
    let summary = result?;
    let report = PlanReport::of_export(&model, &recipe, &plan, &summary);
    if args.run.json {
        print_json(&report)?;
    } else {
        print(&(render(&report, &summary) + &importance_line(options.imatrix.as_deref())))?;
    }
    warn(&model.diagnostics);
    tell(summary.warnings.iter().filter(|d| !EARLY.contains(&d.code)));
    Ok(())
}

/// The summary as text.
pub(super) fn render(report: &PlanReport, summary: &ExportSummary) -> String {
    let mut out = format!("{}  {}\n\n", text::escape(&summary.out.display().to_string()), text::bytes(summary.bytes));
    out.push_str(&totals_text(&report.totals));
    let _ = writeln!(out, "check    {}", check_words(summary));
    let stages: Vec<String> =
        summary.stages.iter().map(|(stage, s)| format!("{} {}", stage.label(), text::seconds(*s))).collect();
    let _ = writeln!(out, "time     {}", stages.join(", "));
    out
}

/// What the check did, in words.
pub(super) fn check_words(summary: &ExportSummary) -> String {
    let check = &summary.check;
    let reader = match &check.reader {
        Reader::GgufRsLib => "header read back by gguf-rs-lib and by our reader".to_owned(),
        Reader::Own { because } => {
            format!("header read back by our reader alone ({})", text::escape(because))
        }
    };
    let data = match check.verify {
        Verify::None => "data not read back (--verify none)".to_owned(),
        Verify::Hash => format!("{} of data read back, hash equal", text::bytes(check.bytes)),
        Verify::Full => format!(
            "{} of data read back, hash equal; error of {} tensors computed again, equal",
            text::bytes(check.bytes),
            check.recomputed
        ),
    };
    let recoded = match check.recoded {
        0 => String::new(),
        n => format!("; trits and scales of {n} tensors read back, equal"),
    };
    format!("{reader}; {data}{recoded}")
}
