//! One block: its weights and what becomes of each, and the bytes before and after with what they mean.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Sight;
use crate::engine::codec::DType;
use crate::engine::codec::fields::fields;
use crate::engine::preview::{BlockLook, CodedBlock};
use crate::jobs::Seen;
use crate::text;
use crate::tui::state::Geometry;
use crate::tui::state::fate::stays;
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, flow};
use crate::tui::view::tree::{left, right};

pub(super) fn draw(sight: &Sight<'_>, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let pane = &sight.session.pane;
    let Some((tensor, subject)) = sight.session.look() else {
        super::unmeasurable(sight, canvas, area);
        return;
    };
    let (block, pending) = match pane.looks.best(tensor, subject) {
        Some(Ok(Seen::Block(block))) => (Some(block), false),
        Some(Err(why)) => {
            super::message(canvas, area, &text::escape(why));
            return;
        }
        _ => match pane.looks.before(subject) {
            Some(Seen::Block(block)) => (Some(block), true),
            _ => (None, true),
        },
    };
    if let Some(block) = block {
        let lines = lines(sight, block, canvas.theme, usize::from(area.width));
        super::scrolling(&lines, pane, canvas, area, geometry);
    }
    if pending {
        canvas.buf.set_style(area, canvas.theme.dim);
        super::busy(canvas, area, "reading …", block.is_some());
    }
}

fn lines(sight: &Sight<'_>, block: &BlockLook, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let stays = stays(&sight.session.plan, sight.tensor, &sight.session.model.tensors[sight.tensor]);
    // What stays as it is has values and bytes, and no code.
    let coded = stays.map_or_else(|| block.coded.as_ref().map_err(Clone::clone), Err);
    let mut lines = head(block, &coded, theme, columns);
    let coded = coded.ok();
    let (values, bytes) = (values(block, coded, theme, columns), bytes(sight, block, coded, theme, columns));
    let (first, second) = if sight.session.pane.bytes { (bytes, values) } else { (values, bytes) };
    lines.extend(first);
    lines.extend(second);
    lines
}

fn head(block: &BlockLook, coded: &Result<&CodedBlock, String>, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let (row, column) = block.at;
    let shape = &block.shape;
    let last = block.first + block.weights.len() as u64 - 1;
    let row_name = if shape.in_rows { "row" } else { "stretch" };
    let place = format!("{row_name} {row} of {} · block {column} of {}", shape.rows, shape.columns);
    let mut items = vec![
        vec![Span::styled("Block", theme.title)],
        vec![Span::styled(place, theme.strong)],
        vec![Span::styled(format!("weights {}–{last}", block.first), theme.dim)],
    ];
    let pair = |name: &str, value: String, style: Style| {
        vec![Span::styled(format!("{name} "), theme.dim), Span::styled(value, style)]
    };
    match coded {
        Err(why) => items.push(vec![Span::styled(text::escape(why), theme.warning)]),
        Ok(coded) => {
            let sign = if coded.scale_estimated { "~" } else { "" };
            let errors = &coded.stats.errors;
            items.push(pair("d", format!("{sign}{}", text::number(f64::from(coded.scale))), theme.text));
            if !coded.trits.is_empty() {
                items.push(pair("threshold", threshold(block, coded), theme.text));
            }
            let db = errors.sqnr_db();
            items.push(pair("SQNR", format!("{} dB", text::decibels(db)), theme.sqnr(db)));
            items.push(pair("rel MSE", text::number(errors.rel_mse()), theme.text));
            items.push(pair("zeros", text::percent(errors.zero_share()), theme.text));
            items.push(pair("max |e|", text::number(errors.max_abs_err), theme.text));
            if coded.native {
                items.push(vec![Span::styled("ternary already", theme.good)]);
            }
            if coded.underflow {
                items.push(vec![Span::styled("⚠ f16 underflow", theme.warning)]);
            }
        }
    }
    flow(items, columns as u16)
}

/// The threshold lies between the greatest weight that became 0 and the least that did not.
fn threshold(block: &BlockLook, coded: &CodedBlock) -> String {
    let words = |w: f32| text::number(f64::from(w));
    match coded.threshold(&block.weights) {
        (Some(zero), Some(kept)) => format!("{} … {}", words(zero), words(kept)),
        (Some(zero), None) => format!("above {}", words(zero)),
        (None, Some(kept)) => format!("below {}", words(kept)),
        (None, None) => "–".to_owned(),
    }
}

/// The sign of a trit: a minus as wide as the plus.
fn trit(t: i8) -> &'static str {
    match t {
        -1 => "−",
        0 => "·",
        _ => "+",
    }
}

/// Columns of a weight: index, trit, value, error.
const ENTRY: usize = 28;

/// Trits as a picture, then each weight with what becomes of it.
fn values(block: &BlockLook, coded: Option<&CodedBlock>, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(coded) = coded.filter(|c| !c.trits.is_empty()) {
        let wide = if columns >= 64 { 64 } else { 32 };
        for trits in coded.trits.chunks(wide) {
            let style = |t: i8| match t {
                -1 => theme.bar_minus,
                0 => theme.bar_zero,
                _ => theme.bar_plus,
            };
            lines.push(Line::from(trits.iter().map(|t| Span::styled(trit(*t), style(*t))).collect::<Vec<_>>()));
        }
    }
    let importance = block.importance.as_ref();
    let entry = ENTRY + if importance.is_some() { 10 } else { 0 };
    let across = (columns / (entry + 2)).max(1);
    let down = block.weights.len().div_ceil(across);
    let heading = |name: &str| {
        let q = if importance.is_some() { right("importance", 10) } else { String::new() };
        let error = if coded.is_some() { "w − ŵ" } else { "" };
        format!("{}{}{}{q}", right(name, 4), right("w", 13), right(error, 11))
    };
    let heads: Vec<String> = (0..across).map(|_| left(&heading("#"), entry + 2)).collect();
    lines.push(Line::from(Span::styled(heads.concat(), theme.dim)));
    let worst = coded.map_or(f64::INFINITY, |c| c.stats.errors.max_abs_err);
    for i in 0..down {
        let mut line = Line::default();
        for index in (0..across).map(|k| i + k * down) {
            let Some(weight) = block.weights.get(index) else { continue };
            let decoded = coded.and_then(|c| c.decoded.get(index));
            let sign = coded.and_then(|c| c.trits.get(index)).map_or(" ", |t| trit(*t));
            let error = decoded.map(|q| f64::from(*weight) - f64::from(*q));
            let is_worst = error.is_some_and(|e| e.abs() >= worst);
            let error_words = error.map_or_else(String::new, text::number);
            line.push_span(Span::styled(right(&index.to_string(), 4), theme.dim));
            line.push_span(Span::styled(format!(" {sign} "), theme.strong));
            line.push_span(Span::styled(right(&text::number(f64::from(*weight)), 10), theme.text));
            let mark = if is_worst { theme.warning } else { theme.dim };
            line.push_span(Span::styled(right(&error_words, 10), mark));
            line.push_span(Span::styled(if is_worst { "!" } else { " " }, mark));
            if let Some(q) = importance.and_then(|q| q.get(index)) {
                line.push_span(Span::styled(right(&text::number(f64::from(*q)), 10), theme.dim));
            }
            line.push_span(Span::raw("  "));
        }
        lines.push(line);
    }
    lines
}

/// The bytes in the file and in the output, field by field.
fn bytes(
    sight: &Sight<'_>,
    block: &BlockLook,
    coded: Option<&CodedBlock>,
    theme: &Theme,
    columns: usize,
) -> Vec<Line<'static>> {
    let source = &block.source;
    let mut lines = vec![Line::default()];
    let place = match source.place {
        Some((file, offset)) if sight.session.model.files.len() > 1 => format!("at {offset:#x} of file {}", file + 1),
        Some((_, offset)) => format!("at {offset:#x}"),
        None => "from several places".to_owned(),
    };
    let what = if source.bytes.is_empty() {
        format!("{}: rows share their bytes, there are none of this block alone", source.dtype)
    } else {
        let from =
            if source.first == block.first { String::new() } else { format!(" from weight {} on", source.first) };
        format!("{} · {} bytes {place}{from}", source.dtype, source.bytes.len())
    };
    lines.extend(named("Source", what, theme, columns));
    lines.extend(dump(source.dtype, &source.bytes, theme, columns));
    let (Some(coded), Some((format, _))) = (coded, sight.coded()) else { return lines };
    let what = format!("{} · {} bytes", format.dtype(), coded.bytes.len());
    lines.push(Line::default());
    lines.extend(named("Ternary", what, theme, columns));
    lines.extend(dump(format.dtype(), &coded.bytes, theme, columns));
    lines
}

/// A heading with what there is to say about it, on as many lines as that takes.
fn named(name: &str, what: String, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    flow(vec![vec![Span::styled(format!("{name}  "), theme.title), Span::styled(what, theme.dim)]], columns as u16)
}

/// Bytes in hex under the names of their fields. Types of single numbers have one legend for all.
fn dump(dtype: DType, bytes: &[u8], theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let known = fields(dtype);
    let mut lines = Vec::new();
    if known.len() <= 1 {
        if let Some(field) = known.first() {
            let words = format!("  {} ({} bytes each): {}", field.name, field.len, field.meaning);
            lines.extend(flow(vec![vec![Span::styled(words, theme.dim)]], columns as u16));
        }
        lines.extend(hex(bytes, 0, theme, columns));
        return lines;
    }
    let length: usize = known.iter().map(|f| f.len).sum();
    let several = bytes.len() > length;
    for (number, block) in bytes.chunks(length.max(1)).enumerate() {
        let mut at = 0;
        for field in known {
            let Some(part) = block.get(at..at + field.len) else { break };
            let value = match *part {
                [a, b] if field.meaning.ends_with("f16") => {
                    format!(" = {}", text::number(f64::from(half::f16::from_le_bytes([a, b]).to_f32())))
                }
                _ => String::new(),
            };
            let of = if several { format!("{number}.") } else { String::new() };
            let end = at + field.len - 1;
            let words = vec![
                Span::styled(format!("  {of}{} ", field.name), theme.strong),
                Span::styled(format!("{at}–{end}: {}{value}", field.meaning), theme.dim),
            ];
            lines.extend(flow(vec![words], columns as u16));
            lines.extend(hex(part, at, theme, columns));
            at += field.len;
        }
    }
    lines
}

fn hex(bytes: &[u8], at: usize, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let across = match columns {
        0..=55 => 8,
        56..=103 => 16,
        _ => 32,
    };
    let line = |(i, row): (usize, &[u8])| {
        let words = row.iter().fold(String::new(), |words, b| words + &format!("{b:02x} "));
        Line::from(vec![
            Span::styled(right(&(at + i * across).to_string(), 6), theme.dim),
            Span::styled(format!("  {words}"), theme.text),
        ])
    };
    bytes.chunks(across).enumerate().map(line).collect()
}
