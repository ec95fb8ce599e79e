//! The Info tab: what the tensor is, where it lies, what becomes of it and by whose decision.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Sight;
use crate::engine::imatrix::Imatrix;
use crate::engine::model::Tensor;
use crate::text;
use crate::tui::state::Geometry;
use crate::tui::view::draw::{Canvas, wrap};

/// Columns of the names.
const NAME: usize = 11;

pub(super) fn draw(sight: &Sight<'_>, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let columns = usize::from(area.width).saturating_sub(NAME + 1).max(8);
    let mut lines = Vec::new();
    for (name, value) in facts(sight) {
        let value = text::escape(&value);
        // A name or number that has no room beside what it is stands below it, whole.
        let wide = value.split(' ').any(|word| text::width(word) > columns);
        let (indent, columns) = if wide { (2, usize::from(area.width).saturating_sub(2)) } else { (NAME + 1, columns) };
        if wide {
            lines.push(Line::from(Span::styled(name, theme.dim)));
        }
        for (i, words) in wrap(&value, columns).into_iter().enumerate() {
            let name = if i == 0 && !wide { name } else { "" };
            lines.push(Line::from(vec![
                Span::styled(crate::tui::view::tree::left(name, indent), theme.dim),
                Span::styled(words, theme.text),
            ]));
        }
    }
    super::scrolling(&lines, &sight.session.pane, canvas, area, geometry);
}

fn facts(sight: &Sight<'_>) -> Vec<(&'static str, String)> {
    let session = sight.session;
    let (model, index) = (&session.model, sight.tensor);
    let tensor = &model.tensors[index];
    let mut facts = vec![("name", tensor.name.clone())];
    facts.extend(tensor.aliases.iter().take(8).map(|alias| ("from", alias.clone())));
    let layer = tensor.layer.map_or_else(String::new, |n| format!(", layer {n}"));
    let expert = tensor.expert.map_or_else(String::new, |n| format!(", expert {n}"));
    facts.push(("role", format!("{}{layer}{expert}", tensor.role)));
    facts.push(("shape", shape(tensor)));
    let number = tensor.dtype.number().map_or_else(String::new, |n| format!(" (number {n})"));
    let blocks = tensor
        .dtype
        .layout()
        .filter(|l| l.block_len > 1)
        .map_or_else(String::new, |l| format!(", blocks of {} weights in {} bytes", l.block_len, l.block_bytes));
    facts.push(("type", format!("{}{number}{blocks}", tensor.dtype)));
    facts.push((
        "bytes",
        format!("{} ({}, {:.4} bits a weight)", tensor.bytes, text::bytes(tensor.bytes), tensor.bpw()),
    ));
    facts.extend(place(sight, tensor));
    facts.extend(becomes(sight));
    facts.extend(dialects(sight, tensor));
    facts.extend(importance(sight.state.settings.imatrix.as_deref(), tensor));
    let about = model.diagnostics.iter().chain(&session.problems).filter(|d| d.tensor.as_ref() == Some(&tensor.name));
    facts.extend(about.map(|d| ("problem", format!("{} [{}]", d.message, d.code))));
    facts
}

fn shape(tensor: &Tensor) -> String {
    let rows =
        if tensor.dims.len() > 1 { format!(", {} rows of {}", tensor.rows(), tensor.row_len()) } else { String::new() };
    let matrices = if tensor.matrices() > 1 { format!(", {} matrices", tensor.matrices()) } else { String::new() };
    format!("{} = {} weights{rows}{matrices}", text::shape(&tensor.dims), tensor.elements())
}

fn place(sight: &Sight<'_>, tensor: &Tensor) -> Vec<(&'static str, String)> {
    let model = &sight.session.model;
    let file = model.files.get(tensor.file).map(|f| f.path());
    let name = file.and_then(|p| p.file_name()).map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let of = if model.files.len() > 1 {
        format!(" (file {} of {})", tensor.file + 1, model.files.len())
    } else {
        String::new()
    };
    let mut facts = vec![("file", format!("{name}{of}"))];
    facts.push(match &tensor.assembly {
        None => ("offset", format!("{} ({:#x}), to {}", tensor.offset, tensor.offset, tensor.offset + tensor.bytes)),
        Some(_) => ("offset", "put together from several places".to_owned()),
    });
    if !tensor.layout_fits {
        facts.push(("offsets", "leave other bytes than the type needs".to_owned()));
    }
    facts
}

/// What the plan does with it, and why.
fn becomes(sight: &Sight<'_>) -> Vec<(&'static str, String)> {
    let plan = &sight.session.plan;
    let decision = plan.decision(sight.tensor);
    let tensor = &sight.session.model.tensors[sight.tensor];
    let method = decision.method_name().map_or_else(String::new, |m| format!(" by {m}"));
    let change = if tensor.bytes == 0 { 0.0 } else { decision.new_bytes as f64 / tensor.bytes as f64 };
    let mut facts = vec![
        ("becomes", format!("{}{method}", decision.new_type)),
        (
            "new bytes",
            format!(
                "{} ({}, {} of before)",
                decision.new_bytes,
                text::bytes(decision.new_bytes),
                text::percent(change)
            ),
        ),
        ("rule", decision.rule_text(plan.recipe())),
        ("reason", decision.reason_text()),
    ];
    if let Some((format, method)) = decision.requested {
        facts.push(("asked for", format!("{format} by {method}")));
    }
    if let Some(protection) = decision.protection {
        let state = match (decision.overridden, protection.is_absolute()) {
            (true, _) => "overridden",
            (false, true) => "in force, nothing lifts it",
            (false, false) => "in force unless overridden",
        };
        facts.push(("protection", format!("{}: {state}", protection.describe())));
    }
    facts.extend(decision.unconverted.iter().map(|why| ("kept", why.clone())));
    facts.extend(decision.forced.iter().map(|why| ("converted", why.clone())));
    if let Err(why) = &plan.outlook(sight.tensor).format {
        facts.push(("not ternary", why.clone()));
    }
    facts
}

/// Which meaning of its type number was taken, and the evidence.
fn dialects(sight: &Sight<'_>, tensor: &Tensor) -> Vec<(&'static str, String)> {
    let findings = sight.session.model.dialects.iter().filter(|f| Some(f.number) == tensor.dtype.number());
    findings.map(|finding| ("dialect", finding.to_string())).collect()
}

/// What the importance matrix has about it.
fn importance(imatrix: Option<&Imatrix>, tensor: &Tensor) -> Vec<(&'static str, String)> {
    let Some(imatrix) = imatrix else { return vec![("importance", "no matrix is loaded (--imatrix FILE)".to_owned())] };
    let Some(entry) = imatrix.entry(&tensor.name) else {
        return vec![("importance", "the matrix has nothing about it".to_owned())];
    };
    let (low, high) = entry.importance.iter().fold((f32::INFINITY, 0f32), |(a, b), q| (a.min(*q), b.max(*q)));
    let hits: f32 = entry.counts.iter().sum();
    let mean = entry.importance.iter().map(|q| f64::from(*q)).sum::<f64>() / entry.importance.len().max(1) as f64;
    let words = format!(
        "{} channels, mean {}, {} to {}; {} activations",
        entry.columns,
        text::number(mean),
        text::number(f64::from(low.min(high))),
        text::number(f64::from(high)),
        text::count(hits.max(0.0) as u64)
    );
    let mut facts = vec![("importance", words)];
    match imatrix.for_tensor(&tensor.name, tensor.row_len(), tensor.matrices()) {
        Err(mismatch) => facts.push(("importance", mismatch.to_string())),
        Ok(Some(found)) if !found.unreached().is_empty() => {
            let unreached = found.unreached();
            let named: Vec<String> = unreached.iter().take(12).map(usize::to_string).collect();
            let more = if unreached.len() > 12 { " …" } else { "" };
            facts.push(("unreached", format!("experts {}{more}", named.join(", "))));
        }
        Ok(_) => {}
    }
    facts
}
