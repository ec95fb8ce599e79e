//! `repack`: the same trits in another ternary format.

use std::fmt::Write;

use super::Context;
use super::args::RepackArgs;
use super::output::{Bar, print, print_json, tell, warn};
use super::quantize::check_words;
use crate::engine::error::{Error, Result};
use crate::engine::export::{ExportSummary, Survey, Workload, export, unfit};
use crate::engine::model::Model;
use crate::engine::plan::{Plan, Recipe, repack};
use crate::engine::report::PlanReport;
use crate::engine::ternary::{Format, Method};
use crate::text;

pub(super) fn run(args: &RepackArgs, context: &Context) -> Result<()> {
    let to: Format = args.to.parse().map_err(Error::Usage)?;
    let model = super::open(&args.file, &args.open, context)?;
    model.require_sound()?;
    let recipe = Recipe { format: to, method: Method::Lossless, ..Recipe::default() };
    let pool = super::pool(&args.write, context)?;
    let mut plan = repack(&model, to, &recipe, args.partial, &[]);
    if args.partial {
        let unfit = pool.install(|| unfit(&model, &plan, &context.cancel))?;
        plan = repack(&model, to, &recipe, true, &unfit);
    }
    plan.require_possible(&model)?;
    refuse_nothing(&model, &plan, to)?;
    warn(&model.diagnostics);
    tell(&plan.notes);
    let options = args.write.options(&args.output);
    let bar = Bar::of_export(context.progress, Workload::new(&model, &plan, options.verify));
    let result = pool.install(|| export(&model, &plan, &recipe, &options, &bar, &context.cancel));
    bar.clear();
    let summary = result?;
    let report = PlanReport::of_export(&model, &recipe, &plan, &summary);
    if args.json {
        return print_json(&report);
    }
    print(&render(&model, &plan, to, &summary))?;
    tell(summary.warnings.iter().filter(|w| !plan.notes.contains(w)));
    Ok(())
}

fn refuse_nothing(model: &Model, plan: &Plan, to: Format) -> Result<()> {
    if plan.totals.recoded_tensors > 0 {
        return Ok(());
    }
    if let Some(note) = plan.notes.iter().find(|n| n.code == "not-repacked") {
        return Err(Error::NothingToDo(format!("every ternary tensor {}", note.message)));
    }
    let hidden = model.tensors.iter().find(|t| t.dtype.layout().is_none() && t.elements() > 0);
    let why = match hidden {
        Some(tensor) => format!(" ('{}': {})", text::escape(&tensor.name), tensor.undecodable_reason()),
        None => "; float weights that are ternary already: quantize --method lossless".to_owned(),
    };
    Err(Error::NothingToDo(format!("no tensor is in a ternary format other than {}{why}", to.dtype())))
}

/// The summary as text.
fn render(model: &Model, plan: &Plan, to: Format, summary: &ExportSummary) -> String {
    let mut out = String::new();
    for file in &summary.files {
        let _ = writeln!(out, "{}", text::escape(&file.display().to_string()));
    }
    let t = &plan.totals;
    let _ = writeln!(
        out,
        "\nrepacked {} of {} tensors to {}\nsize     {} → {}\nbpw      {:.3} → {:.3}",
        t.recoded_tensors,
        t.tensors,
        to.dtype(),
        text::bytes(t.bytes),
        text::bytes(t.new_bytes),
        t.bpw(),
        t.new_bpw(),
    );
    for finding in model.dialects.iter().filter(|f| f.is_remarkable()) {
        let other = if finding.assumes_packing() { "; the packing is assumed, --dialect says otherwise" } else { "" };
        let _ = writeln!(out, "read     type {} (tensors that fit){other}", finding.short());
    }
    let surveys: Vec<&Survey> = summary.tensors.iter().filter_map(|o| o.recoded.as_ref()).collect();
    let rounding = surveys.iter().map(|s| s.rounding).fold(0.0, f64::max);
    if rounding > 0.0 {
        let _ = writeln!(out, "scales   rounded from f32 to f16: at most {:.4} % off", rounding * 100.0);
    } else {
        let _ = writeln!(out, "scales   unchanged");
    }
    let sum = |f: fn(&Survey) -> u64| surveys.iter().map(|s| f(s)).sum::<u64>();
    let (adopted, illegal) = (sum(|s| s.adopted), sum(|s| s.illegal));
    if adopted > 0 {
        let _ = writeln!(out, "         {adopted} blocks hold zeros that took the scale of others");
    }
    if illegal > 0 {
        let _ = writeln!(out, "         {illegal} codes mean nothing in the source and were read as 0");
    }
    let _ = writeln!(out, "check    {}", check_words(summary));
    let stages: Vec<String> =
        summary.stages.iter().map(|(stage, s)| format!("{} {}", stage.label(), text::seconds(*s))).collect();
    let _ = writeln!(out, "time     {}", stages.join(", "));
    out
}
