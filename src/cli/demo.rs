//! `demo`: the built-in model, shown, written, or taken through the main job.

use std::path::Path;

use super::args::DemoArgs;
use super::measure::{Measuring, measure_plan};
use super::output::{Bar, print, warn};
use super::{Context, Outcome, inspect, quantize};
use crate::engine::demo;
use crate::engine::error::{Error, Result};
use crate::engine::export::{ExportOptions, Verify, Workload, export};
use crate::engine::model::{Model, OpenOptions};
use crate::engine::plan::{Recipe, resolve};
use crate::engine::preview::Depth;
use crate::engine::report::{InspectReport, PlanReport, plan_text};

pub(super) fn run(args: &DemoArgs, context: &Context) -> Result<Outcome> {
    if let Some(path) = &args.write {
        match args.tensors {
            Some(tensors) => demo::write_large(path, tensors)?,
            None => demo::write(path)?,
        }
        let size = std::fs::metadata(path).map_err(|e| Error::io(path, "look at it", e))?.len();
        print(&format!("{}  {}\n", path.display(), crate::text::bytes(size)))?;
        return Ok(Outcome::Done);
    }
    let folder = tempfile::Builder::new()
        .prefix("tritscope-demo-")
        .tempdir()
        .map_err(|e| Error::io(&std::env::temp_dir(), "create a temporary folder", e))?;
    let source = folder.path().join("demo.gguf");
    demo::write(&source)?;
    if context.interactive && !args.headless {
        return Ok(Outcome::OpenDemo(folder, source));
    }
    headless(&source, &folder.path().join("demo-tq2_0.gguf"), context)?;
    Ok(Outcome::Done)
}

/// Inspect, plan, quantize, check, with a line before each.
fn headless(source: &Path, out: &Path, context: &Context) -> Result<()> {
    let model = Model::open(source, &OpenOptions::default())?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(context.threads)
        .build()
        .map_err(|e| Error::Usage(format!("cannot start threads: {e}")))?;
    print("== inspect: what is in the demo model\n\n")?;
    print(&inspect::render(&model, &InspectReport::of(&model, |t| t.layer == Some(0)), false))?;

    print("\n== plan: routed experts to TQ2_0 by the exact optimum, errors from samples\n\n")?;
    let recipe = Recipe::default();
    let resolved = resolve(&model, &recipe);
    let ask = Measuring { model: &model, plan: &resolved, depth: Depth::SHOWN, imatrix: None };
    let measured = pool.install(|| measure_plan(&ask, &context.cancel, || ()))?;
    print(&plan_text(&PlanReport::of_plan(&model, &recipe, &resolved, &measured)))?;

    print("\n== quantize: write it, read it back, compute every error again\n\n")?;
    let options = ExportOptions { verify: Verify::Full, ..ExportOptions::new(out) };
    let bar = Bar::of_export(context.progress, Workload::new(&model, &resolved, options.verify));
    let summary = pool.install(|| export(&model, &resolved, &recipe, &options, &bar, &context.cancel));
    bar.clear();
    let summary = summary?;
    let report = PlanReport::of_export(&model, &recipe, &resolved, &summary);
    print(&quantize::render(&report, &summary))?;
    warn(&report.diagnostics);
    print("\nThe demo's files are gone again; `tritscope demo --write FILE` keeps the model.\n")
}
