//! The overview: what the model is, and where its bytes go, now and in the output.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Drawing;
use crate::engine::codec::DType;
use crate::engine::plan::breakdown::{Breakdown, Share};
use crate::text;
use crate::tui::state::pages::WIDE;
use crate::tui::state::{Session, State};
use crate::tui::theme::Theme;
use crate::tui::view::tree::{left, right};
use crate::tui::widgets::gauge;

/// Columns of the names of facts.
const NAMES: usize = 18;

/// Hyperparameters that matter most, with what they are called here; the others follow as the file has them.
const FIRST: [(&str, &str); 16] = [
    ("block_count", "layers"),
    ("context_length", "context"),
    ("embedding_length", "embedding"),
    ("feed_forward_length", "feed forward"),
    ("expert_feed_forward_length", "expert ffn"),
    ("attention.head_count", "heads"),
    ("attention.head_count_kv", "kv heads"),
    ("attention.key_length", "key length"),
    ("attention.value_length", "value length"),
    ("attention.sliding_window", "sliding window"),
    ("expert_count", "experts"),
    ("expert_used_count", "experts used"),
    ("expert_shared_count", "shared experts"),
    ("vocab_size", "vocabulary"),
    ("rope.freq_base", "rope base"),
    ("rope.dimension_count", "rope dims"),
];

pub(super) fn draw(drawing: &mut Drawing<'_, '_>, inner: Rect) {
    let theme = drawing.canvas.theme;
    let session = drawing.session;
    let top = session.pages.overview;
    let narrow = inner.width + 4 < WIDE;
    let width = if narrow { inner.width } else { (inner.width * 2 / 5).min(66) };
    let columns = usize::from(width).saturating_sub(NAMES + 2);
    let (model, shape, plan) =
        (model(drawing.state, session, columns, theme), shape(session, columns, theme), plan(session, theme));
    let len;
    if narrow {
        // Where the bytes go is what one comes for: it stands in the first screenful.
        let bars = bars(session, usize::from(inner.width), theme);
        let lines = [model, vec![Line::default()], bars, vec![Line::default()], shape, plan].concat();
        len = lines.len();
        drawing.text(inner, top, len, |i| lines[i].clone());
    } else {
        let facts = [model, shape, plan].concat();
        let left_part = Rect { width: width - 2, ..inner };
        let right_part = Rect { x: inner.x + width, width: inner.width - width, ..inner };
        let bars = bars(session, usize::from(right_part.width), theme);
        len = facts.len().max(bars.len());
        let at = |lines: &[Line<'static>], i: usize| lines.get(i).cloned().unwrap_or_default();
        drawing.text(left_part, top, len, |i| at(&facts, i));
        drawing.text(right_part, top, len, |i| at(&bars, i));
    }
    let below = len.saturating_sub(top + usize::from(inner.height));
    if below > 0 {
        let outer = Rect { x: inner.x - 2, y: inner.y - 1, width: inner.width + 4, height: inner.height + 2 };
        drawing.place(outer, &format!(" ↓ {below} more "));
    }
}

fn heading(words: &'static str, theme: &Theme) -> Line<'static> {
    Line::from(Span::styled(words, theme.title))
}

fn fact(name: &str, value: String, theme: &Theme) -> Line<'static> {
    Line::from(vec![Span::styled(left(name, NAMES), theme.dim), Span::styled(value, theme.text)])
}

/// What the model is.
fn model(state: &State, session: &Session, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let model = &session.model;
    let mut lines = vec![heading("Model", theme)];
    let mut add = |name: &str, value: String| lines.push(fact(name, text::elide(&value, columns), theme));
    add("name", text::escape(&model.title()));
    add("architecture", model.architecture.as_deref().map_or("not told".to_owned(), text::escape));
    add("parameters", format!("{} in {} tensors", text::count(session.kinds.elements()), model.tensors.len()));
    add("file", format!("{} · {}", text::bytes(model.file_bytes()), model.container_words()));
    add("path", crate::tui::state::command::shorten(&model.path, state.settings.home.as_deref()));
    lines
}

/// What the plan comes to.
fn plan(session: &Session, theme: &Theme) -> Vec<Line<'static>> {
    let totals = session.plan.plan().totals;
    let mut lines = vec![Line::default(), heading("Plan", theme)];
    let mut add = |name: &str, value: String| lines.push(fact(name, value, theme));
    add("ternary", format!("{} of the weights", text::percent(totals.ternary_share())));
    add("tensors", format!("{} go ternary, {} already", totals.ternary_tensors, totals.already_ternary_tensors));
    add("data", format!("{} → {}", text::bytes(totals.bytes), text::bytes(totals.new_bytes)));
    add("bits per weight", format!("{:.2} → {:.2}", totals.bpw(), totals.new_bpw()));
    if totals.converted_tensors > 0 {
        add(
            "recoded",
            format!("{} to another type that is not ternary", text::counted(totals.converted_tensors, "tensor")),
        );
    }
    if totals.overridden > 0 {
        add("overridden", format!("{} protections", totals.overridden));
    }
    lines
}

/// Single values under the architecture's prefix, those that matter most first; nothing before the metadata are read.
fn shape(session: &Session, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let Some(architecture) = session.model.architecture.as_deref() else { return Vec::new() };
    let Some(listing) = session.pages.metadata.listing.here() else { return Vec::new() };
    let prefix = format!("{architecture}.");
    let mut found: Vec<(usize, String, String)> = Vec::new();
    for (entry, value) in session.model.metadata.entries().iter().zip(listing).take(4096) {
        let (Some(key), Ok(value)) = (entry.key.strip_prefix(&prefix), value) else { continue };
        if entry.value_type.size().is_none() {
            continue;
        }
        let place = FIRST.iter().position(|(name, _)| *name == key);
        let name = place.map_or_else(|| text::escape(key), |at| FIRST[at].1.to_owned());
        found.push((place.unwrap_or(FIRST.len()), name, value.value.to_string()));
    }
    found.sort_by_key(|(place, ..)| *place);
    let line = |(_, name, value): (usize, String, String)| {
        fact(&text::elide(&name, NAMES - 1), text::elide(&value, columns), theme)
    };
    found.into_iter().map(line).collect()
}

/// Where the bytes go: a line a role with its bars now and then, a line a type.
fn bars(session: &Session, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let Breakdown { roles, types } = &session.pages.derived.breakdown;
    let total = session.plan.plan().totals.bytes;
    let mut lines = vec![heading("Where the bytes go, by role", theme)];
    let largest = Breakdown::largest(roles);
    lines.extend(roles.iter().map(|(role, share)| bar(role.name(), *share, largest, total, width, theme)));
    if roles.is_empty() {
        lines.push(Line::from(Span::styled("there are no tensors", theme.dim)));
    }
    lines.push(Line::default());
    let totals = session.plan.plan().totals;
    lines.extend(by_type(types, (totals.bytes, totals.new_bytes), width, theme));
    lines
}

/// A line a type: what has it now, and apart from that what will have it.
fn by_type(types: &[(DType, Share)], totals: (u64, u64), width: usize, theme: &Theme) -> Vec<Line<'static>> {
    /// Count, bytes, share.
    const FIGURES: usize = 5 + 10 + 8;
    let name = types.iter().map(|(dtype, _)| text::width(&dtype.to_string())).max().unwrap_or(0).max(11);
    let bars = width.saturating_sub(name + 2 * FIGURES + 3) / 2;
    // A bar of a few cells says nothing.
    let bars = if bars < 8 { 0 } else { bars.min(24) };
    let largest = Breakdown::largest(types).max(1) as f64;
    let side = |tensors: u64, bytes: u64, total: u64, style: Style| {
        if tensors == 0 {
            return vec![Span::styled(right("–", 5), theme.dim), Span::raw(" ".repeat(FIGURES - 5 + bars))];
        }
        let share = if total == 0 { 0.0 } else { bytes as f64 / total as f64 };
        let cells = ((bytes as f64 / largest * bars.saturating_sub(1) as f64).round() as usize).min(bars);
        let bar = if bars == 0 { String::new() } else { format!(" {}", "█".repeat(cells)) };
        vec![
            Span::styled(right(&tensors.to_string(), 5), theme.dim),
            Span::styled(right(&text::bytes(bytes), 10), theme.text),
            Span::styled(right(&text::percent(share), 8), theme.dim),
            Span::styled(left(&bar, bars), style),
        ]
    };
    let mut lines = vec![Line::from(vec![
        Span::styled(left("By type", name), theme.title),
        Span::styled(left(&right("before", FIGURES), FIGURES + bars), theme.dim),
        Span::styled(right("after", FIGURES + 3), theme.dim),
    ])];
    for (dtype, share) in types {
        let style = if dtype.is_ternary() { theme.ternary } else { theme.kept };
        let mut spans = vec![Span::styled(left(&dtype.to_string(), name), theme.text)];
        spans.extend(side(share.tensors, share.bytes, totals.0, style));
        spans.push(Span::styled(" → ", theme.dim));
        spans.extend(side(share.new_tensors, share.new_bytes, totals.1, style));
        lines.push(Line::from(spans));
    }
    lines
}

/// Name, tensors, a bar of the bytes now with the bytes then inside it, both figures.
fn bar(name: &str, share: Share, largest: u64, total: u64, width: usize, theme: &Theme) -> Line<'static> {
    let figures = 9 + 3 + 9;
    let bar_width = width.saturating_sub(15 + 6 + figures + 9).clamp(6, 60);
    let scale = |bytes: u64| if largest == 0 { 0.0 } else { bytes as f64 / largest as f64 };
    let cells = |bytes: u64| ((scale(bytes) * bar_width as f64).round() as usize).min(bar_width);
    let (now, then) = (cells(share.bytes), cells(share.new_bytes));
    let kept = now.min(then);
    let style = if share.ternary_params > 0 { theme.ternary } else { theme.kept };
    let tensors = share.tensors.max(share.new_tensors);
    let percent = if total == 0 { 0.0 } else { share.bytes as f64 / total as f64 };
    let arrow = if share.bytes == share.new_bytes { "  " } else { " →" };
    let new = if share.bytes == share.new_bytes { String::new() } else { text::bytes(share.new_bytes) };
    let mut spans = vec![
        Span::styled(left(name, 15), theme.text),
        Span::styled(right(&tensors.to_string(), 5), theme.dim),
        Span::raw(" "),
        Span::styled("█".repeat(kept), style),
    ];
    // What the plan takes away is light, what it adds is dense.
    spans.push(Span::styled("░".repeat(now - kept), theme.dim));
    spans.push(Span::styled("▓".repeat(then.saturating_sub(now)), style));
    let drawn = now.max(then);
    if drawn == 0 && share.bytes + share.new_bytes > 0 {
        spans.push(Span::styled(gauge::column(0.0).to_string(), style));
    }
    let drawn = if drawn == 0 && share.bytes + share.new_bytes > 0 { 1 } else { drawn };
    spans.push(Span::raw(" ".repeat(bar_width - drawn)));
    spans.push(Span::styled(right(&text::bytes(share.bytes), 10), theme.text));
    spans.push(Span::styled(arrow, theme.dim));
    spans.push(Span::styled(right(&new, 9), theme.strong));
    spans.push(Span::styled(right(&text::percent(percent), 8), theme.dim));
    Line::from(spans)
}
