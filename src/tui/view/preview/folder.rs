//! A folder's preview: what lies in it, what becomes of it, and how sensitive its parts are.

use std::collections::BTreeMap;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::preview::sqnr_db;
use crate::text;
use crate::tui::state::Session;
use crate::tui::state::tree::Item;
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, flow};
use crate::tui::view::tree::{left, right};
use crate::tui::widgets::{chart, gauge};

pub(super) fn draw(session: &Session, canvas: &mut Canvas<'_>, area: Rect, inner: Rect) {
    let theme = canvas.theme;
    let item = session.tree.selected();
    let title = if item == Item::Model { "Model" } else { "Folder" };
    canvas.text(area, area.x + 2, area.y, &format!(" {title} "), theme.title);
    let mut lines = Vec::new();
    let name = if item == Item::Model { session.model.title() } else { session.tree.title(item) };
    let name = text::elide(&text::escape(&name), usize::from(inner.width));
    lines.push(Line::from(Span::styled(name, theme.strong)));
    let roomy = inner.height >= 24;
    lines.extend(flow(facts(session, item, theme, roomy), inner.width));
    let mix = flow(mix(session, item, theme), inner.width);
    lines.extend(mix.into_iter().take(if roomy { usize::MAX } else { 1 }));
    if roomy {
        lines.insert(1, Line::default());
        lines.push(Line::default());
    }
    let used = canvas.lines(inner, &lines);
    sensitivity(session, item, canvas, super::below(inner, used));
}

fn pair(name: &str, value: String, theme: &Theme) -> Vec<Span<'static>> {
    vec![Span::styled(format!("{name} "), theme.dim), Span::styled(value, theme.text)]
}

fn facts(session: &Session, item: Item, theme: &Theme, roomy: bool) -> Vec<Vec<Span<'static>>> {
    let sum = session.sums(item);
    let mut facts = vec![pair("ternary", format!("{} of {} eligible", sum.ternary, sum.eligible), theme)];
    if roomy {
        facts.insert(0, pair("tensors", sum.tensors.to_string(), theme));
        facts.push(pair("params", text::count(sum.params), theme));
    }
    facts.push(pair("size", format!("{} → {}", text::bytes(sum.bytes), text::bytes(sum.new_bytes)), theme));
    let bpw = |bytes: u64| if sum.params == 0 { 0.0 } else { bytes as f64 * 8.0 / sum.params as f64 };
    facts.push(pair("bpw", format!("{:.2} → {:.2}", bpw(sum.bytes), bpw(sum.new_bytes)), theme));
    if sum.already > 0 {
        facts.push(pair("already ternary", sum.already.to_string(), theme));
    }
    let (name, estimate, measured, exact, all) = match (sum.error, sum.what_if) {
        (Some(e), _) => ("SQNR", e, sum.measured, sum.exact, sum.ternary),
        (None, Some(e)) => ("SQNR if ternary", e, sum.tried, sum.tried_exact, sum.eligible),
        (None, None) => return facts,
    };
    let exact = exact == all;
    let db = sqnr_db(estimate.value);
    let partial = measured < all;
    if partial && !db.is_finite() {
        facts.push(vec![Span::styled(format!("{name} … {measured} of {all} measured"), theme.dim)]);
        return facts;
    }
    let (sign, more) = match exact {
        true => ("", ""),
        false if partial => ("", " so far"),
        false => ("~", ""),
    };
    facts.push(vec![
        Span::styled(format!("{name} "), theme.dim),
        Span::styled(format!("{sign}{} dB{more}", text::decibels(db)), theme.sqnr(db)),
    ]);
    if !exact && estimate.low < estimate.high {
        let (low, high) = (sqnr_db(estimate.high.max(estimate.value)), sqnr_db(estimate.low));
        let words = format!("[{}, {}] over {measured} of {all}", text::decibels(low), text::decibels(high));
        facts.push(vec![Span::styled(words, theme.dim)]);
    }
    facts
}

/// Roles and types with their numbers, most frequent first.
fn mix(session: &Session, item: Item, theme: &Theme) -> Vec<Vec<Span<'static>>> {
    let kinds = session.kinds_below(item);
    let named: BTreeMap<String, usize> = kinds.types.iter().map(|(dtype, n, _)| (dtype.to_string(), *n)).collect();
    let mut types: Vec<_> = named.into_iter().collect();
    types.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let named: BTreeMap<&str, usize> = kinds.roles.iter().map(|(role, n)| (role.name(), *n)).collect();
    let mut roles: Vec<_> = named.into_iter().collect();
    roles.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let types = types.into_iter().take(4).map(|(name, n)| format!("{name}×{n}")).collect::<Vec<_>>().join(" ");
    let more = roles.len().saturating_sub(6);
    let mut roles = roles.into_iter().take(6).map(|(name, n)| format!("{name}×{n}")).collect::<Vec<_>>();
    if more > 0 {
        roles.push(format!("+{more}"));
    }
    let mut items = vec![pair("types", types, theme)];
    items.extend(roles.into_iter().map(|role| vec![Span::styled(role, theme.dim)]));
    items
}

/// The relative error of each child: a bar a line where they fit, a column each where they do not.
fn sensitivity(session: &Session, item: Item, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 4 {
        return;
    }
    let theme = canvas.theme;
    let nodes = &session.tree.tree().nodes;
    let able = |item: Item| -> Vec<usize> {
        let eligible = |node: &usize| session.summaries.of(Item::Node(*node)).eligible > 0;
        session.tree.children(item).iter().copied().filter(eligible).collect()
    };
    // A folder that is all there is tells nothing: what lies in it does.
    let mut parts = able(item);
    while let [only] = parts.as_slice()
        && session.tree.tensor_of(Item::Node(*only)).is_none()
    {
        parts = able(Item::Node(*only));
    }
    let children: Vec<(String, Option<f64>, bool)> = parts
        .iter()
        .map(|node| {
            let sum = session.sums(Item::Node(*node));
            let label = nodes[*node].label().trim_end_matches('.');
            let label = text::escape(label.strip_suffix(".weight").unwrap_or(label));
            (label, sum.what_if.map(|e| e.value), sum.ternary > 0)
        })
        .collect();
    if children.is_empty() {
        let words = match session.kinds_below(item).ternary() {
            0 => "nothing here can go ternary".to_owned(),
            n => format!("{n} ternary already; `tritscope repack` moves them to another format without loss"),
        };
        for (y, line) in (area.y..area.bottom()).zip(crate::tui::view::draw::wrap(&words, usize::from(area.width))) {
            canvas.text(area, area.x, y, &line, theme.dim);
        }
        return;
    }
    let greatest = children.iter().filter_map(|(_, e, _)| *e).fold(0.0, f64::max);
    let sort = session.sort;
    let order = if sort.is_natural() { String::new() } else { format!(", by {}", sort.column.title()) };
    super::heading(canvas, area, "Sensitivity", &format!("rel MSE by part{order}"));
    let area = super::below(area, 1);
    if children.len() <= usize::from(area.height) {
        rows(&children, greatest, canvas, area);
    } else {
        columns(&children, greatest, canvas, area);
    }
}

fn rows(children: &[(String, Option<f64>, bool)], greatest: f64, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let widest = children.iter().map(|(label, ..)| text::width(label)).max().unwrap_or(0);
    let label_width = widest.clamp(3, usize::from(area.width) * 2 / 5);
    let unit = if area.width >= 44 { " dB" } else { "" };
    let bar_width = usize::from(area.width).saturating_sub(label_width + 16 + unit.len()).clamp(4, 40);
    let lines = children.iter().map(|(label, error, ternary)| {
        let style = if *ternary { theme.text } else { theme.dim };
        let mut spans = vec![Span::styled(left(&text::elide(label, label_width), label_width), style), Span::raw(" ")];
        match error {
            Some(error) => {
                let db = sqnr_db(*error);
                let bar_style = if *ternary { theme.sqnr(db) } else { theme.dim };
                spans.extend(gauge::bar(bar_width, error / greatest, bar_style, theme.track));
                spans.push(Span::styled(right(&format!("{error:.4}"), 8), theme.text));
                spans.push(Span::styled(right(&format!("{}{unit}", text::decibels(db)), 7 + unit.len()), bar_style));
            }
            None => spans.push(Span::styled("…", theme.dim)),
        }
        Line::from(spans)
    });
    canvas.lines(area, &lines.collect::<Vec<_>>());
}

/// A column a child, the differences drawn large: the foot is below the least, not zero.
fn columns(children: &[(String, Option<f64>, bool)], greatest: f64, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let plot = Rect { height: (area.height - 2).min(12), ..area };
    let wide = if children.len() * 2 <= usize::from(area.width) { 2 } else { 1 };
    let per_column = (children.len() * wide).div_ceil(usize::from(area.width).max(1));
    let known = || children.iter().filter_map(|(_, e, _)| *e);
    let least = known().fold(greatest, f64::min);
    let foot = (least - (greatest - least).max(greatest * 0.05)).max(0.0);
    let mut values = Vec::new();
    for chunk in children.chunks(per_column) {
        let worst = chunk.iter().filter_map(|(_, e, _)| *e).fold(0.0, f64::max);
        values.push((worst - foot).max(0.0));
        values.extend(std::iter::repeat_n(0.0, wide - 1));
    }
    let style = |column: usize| {
        let child = children.get(column / wide * per_column);
        let db = child.and_then(|(_, e, _)| *e).map_or(f64::NAN, sqnr_db);
        if child.is_some_and(|(_, _, ternary)| *ternary) { theme.sqnr(db) } else { theme.bar_zero }
    };
    chart::bars(canvas.buf, plot, &values, style);
    let axis = Rect { y: plot.bottom(), height: 1, ..area };
    chart::axis(canvas.buf, axis, theme.border, &[]);
    let last = (values.len() as u16).saturating_sub(1).min(area.width - 1);
    let name = |child: Option<&(String, Option<f64>, bool)>| child.map(|c| c.0.clone()).unwrap_or_default();
    let range = format!("{} to {}", text::number(least), text::number(greatest));
    let labels = [
        (0, name(children.first()), theme.dim),
        (last, name(children.last()), theme.dim),
        (area.width / 2, range, theme.dim),
    ];
    chart::labels(canvas.buf, Rect { y: axis.y + 1, ..axis }, &labels);
}
