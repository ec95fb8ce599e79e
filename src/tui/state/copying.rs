//! What can be taken to the clipboard, as text.

use super::command::default_out;
use super::summary::figures;
use super::tree::Item;
use super::{Session, State};
use crate::engine::preview::sqnr_db;
use crate::engine::report::{PlanReport, plan_markdown};
use crate::text;
use crate::tui::action::Action;

/// Bytes that are handed to a terminal at most; more is refused by some and cut by others.
pub const LIMIT: usize = 512 << 10;

/// Something to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copying {
    /// The name under the cursor.
    Name,
    /// The row under the cursor, its columns divided by tabs.
    Row,
    /// The command line that does what the plan says.
    Command,
    /// The recipe, as TOML.
    Recipe,
    /// The report of the plan, as JSON.
    Json,
    /// The report of the plan, as Markdown.
    Markdown,
    /// What is under the cursor of a page of the model; no line of the menu, as the pages have a key for it.
    Value,
}

/// The open menu.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyMenu {
    /// The chosen line.
    pub cursor: usize,
}

impl CopyMenu {
    /// Lines of the menu: what can be copied, and last what is written to a file instead.
    pub const LINES: usize = Copying::ALL.len() + 1;

    /// What a line of the menu does, and how it is called.
    pub fn line(line: usize) -> (Action, &'static str) {
        match Copying::ALL.get(line) {
            Some(what) => (Action::Copy(*what), what.title()),
            None => (Action::SaveReport, "report of the plan, to a file"),
        }
    }
}

impl Copying {
    /// Those of the menu, in its order.
    pub const ALL: [Self; 6] = [Self::Name, Self::Row, Self::Command, Self::Recipe, Self::Json, Self::Markdown];

    /// What it is, in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Row => "row, columns divided by tabs",
            Self::Command => "command line",
            Self::Recipe => "recipe as TOML",
            Self::Json => "report of the plan as JSON",
            Self::Markdown => "report of the plan as Markdown",
            Self::Value => "text under the cursor",
        }
    }

    /// The text. Errors: there is none, and why.
    pub fn text(self, state: &State) -> Result<String, String> {
        let Some(session) = &state.session else { return Err("no model is open".to_owned()) };
        let text = match self {
            Self::Name => name(session),
            Self::Row => row(session),
            Self::Command => {
                let source = &session.model.path;
                let out = default_out(source, state.out_folder(source), session.plan.recipe());
                state.settings.call().quantize(source, &out, &session.plan.spelled_out(&session.model))
            }
            Self::Recipe => session.plan.spelled_out(&session.model).to_toml().map_err(|e| e.to_string())?,
            Self::Json => serde_json::to_string_pretty(&report(session)).map_err(|e| e.to_string())?,
            Self::Markdown => plan_markdown(&report(session)),
            Self::Value => session.page_text().ok_or("there is nothing under the cursor")?,
        };
        if text.len() <= LIMIT {
            return Ok(text);
        }
        let (has, most) = (text::bytes(text.len() as u64), text::bytes(LIMIT as u64));
        let command = if self == Self::Value { "inspect" } else { "plan" };
        let title = self.title();
        Err(format!("the {title} has {has}, more than the {most} that terminals take: `tritscope {command}` prints it"))
    }
}

fn name(session: &Session) -> String {
    let item = session.tree.selected();
    match session.tree.path(item) {
        "" => session.model.path.to_string_lossy().into_owned(),
        // What a file calls its tensors must not reach a shell with control characters in it.
        path => text::escape(path),
    }
}

/// Name, type, new type, shape, bytes, new bytes, SQNR.
fn row(session: &Session) -> String {
    let item = session.tree.selected();
    let sum = session.summaries.of(item);
    let error = sum.error.or(sum.what_if);
    let db = error.map_or_else(String::new, |e| text::decibels(sqnr_db(e.value)));
    let path = text::escape(session.tree.path(item));
    if let Some(index) = session.tree.tensor_of(item) {
        let (tensor, decision) = (&session.model.tensors[index], session.plan.decision(index));
        let shape = text::shape(&tensor.dims);
        let (dtype, new_type) = (tensor.dtype, decision.new_type);
        return format!("{path}\t{dtype}\t{new_type}\t{shape}\t{}\t{}\t{db}", tensor.bytes, decision.new_bytes);
    }
    let path = if item == Item::Model { "all tensors" } else { &path };
    let types = format!("{} tensors\t{} ternary", sum.tensors, sum.ternary);
    format!("{path}\t{types}\t{}\t{}\t{}\t{db}", sum.params, sum.bytes, sum.new_bytes)
}

/// The report of the plan with the errors that are known so far.
pub fn report(session: &Session) -> PlanReport {
    let mut report =
        PlanReport::of_plan(&session.model, &session.plan.spelled_out(&session.model), session.plan.plan(), &[]);
    for (index, row) in report.tensors.iter_mut().enumerate() {
        if !session.plan.decision(index).is_ternary() {
            continue;
        }
        let known = figures(&session.plan, &session.previews, index);
        let Some((exact, error)) = known.and_then(|(f, method)| Some((f.exact, f.method(method)?.rel_mse))) else {
            continue;
        };
        row.rel_mse = Some(error.value);
        row.sqnr_db = Some(sqnr_db(error.value)).filter(|db| db.is_finite());
        row.estimated = !exact;
        row.interval = (!exact).then_some([error.low, error.high]);
    }
    let sum = session.summaries.of(Item::Model);
    if let Some(error) = sum.error {
        report.totals.rel_mse = Some(error.value);
        report.totals.sqnr_db = Some(sqnr_db(error.value)).filter(|db| db.is_finite());
        report.totals.estimated = !sum.is_exact();
        report.totals.interval = (!sum.is_exact()).then_some([error.low, error.high]);
    }
    report
}
