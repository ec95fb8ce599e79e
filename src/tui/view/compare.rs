//! Two models side by side: the list of pairs, and the figures and histograms of the one under the cursor.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::draw::{Canvas, flow, spinner, wrap};
use super::tree::{left, right};
use crate::engine::compare::{Histograms, Outcome, Verdict};
use crate::engine::model::{Model, Tensor};
use crate::engine::preview::sqnr_db;
use crate::engine::stats::{ErrorSums, SignedF16Histogram};
use crate::text;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::state::command::shorten;
use crate::tui::state::compare::{Compare, Show, Stage};
use crate::tui::state::geometry::{Spot, scrolled};
use crate::tui::state::jobs::whole_seconds;
use crate::tui::state::{Area, Geometry, State};
use crate::tui::theme::Theme;
use crate::tui::widgets::{chart, gauge};

pub(super) fn draw(state: &State, compare: &Compare, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let inner = canvas.boxed(area, "Compare");
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let head = if compare.b.is_some() { 3 } else { 2 };
    let [head, chips, body] =
        Layout::vertical([Constraint::Length(head), Constraint::Length(1), Constraint::Min(1)]).areas(inner);
    heading(state, compare, canvas, head);
    if let Stage::Failed(why) = &compare.stage
        && compare.done == 0
    {
        let lines = wrap(&text::escape(why), usize::from(body.width));
        for (y, line) in (body.y + 1..body.bottom()).zip(lines) {
            canvas.text(body, body.x, y, &line, canvas.theme.error);
        }
        return;
    }
    let Some(b) = &compare.b else {
        let path = shorten(&compare.path, state.settings.home.as_deref());
        let words = format!("{} opening {path}", spinner(state.phase()));
        canvas.centred(body, body.y + body.height / 2, &words, canvas.theme.text);
        return;
    };
    filters(state, compare, canvas, chips, geometry);
    // The list takes the height that it needs where both stand below each other, the width otherwise.
    let wide = body.width >= 110;
    let [list, detail] = if wide {
        // The list takes what its names and columns use; the figures beside it have the rest.
        let least = NAME.0 + LIST + if body.width >= WIDE_LIST { SIZES } else { 0 };
        let names = longest_name(compare, b) as u16 + LIST + if body.width >= WIDE_LIST { SIZES } else { 0 };
        let list = names.clamp(least, (body.width * 3 / 5).max(least));
        Layout::horizontal([Constraint::Length(list), Constraint::Min(1)]).areas(body)
    } else {
        let below = (body.height * 2 / 5).clamp(3, 12);
        Layout::vertical([Constraint::Min(1), Constraint::Length(below)]).areas(body)
    };
    pairs(compare, b, canvas, list, geometry);
    let detail = if wide { Rect { x: detail.x + 2, width: detail.width.saturating_sub(2), ..detail } } else { detail };
    one(compare, b, canvas, detail);
}

/// Least and most columns of the names beside the figures of one.
const NAME: (u16, u16) = (24, 60);
/// Columns of the list that are none of the name: mark, type, figure; and those of the sizes, where it has them.
const LIST: u16 = 2 + 1 + 15 + 1 + 9 + 1;
const SIZES: u16 = 20;
/// Columns from which on the sizes stand in the list.
const WIDE_LIST: u16 = 148;

/// Columns of the longest name that is listed, within what is sensible.
fn longest_name(compare: &Compare, b: &Model) -> usize {
    let names = compare.rows.iter().map(|pair| text::width(compare.pairs[*pair].name(&compare.a, b)));
    names.max().unwrap_or(0).clamp(NAME.0.into(), NAME.1.into())
}

/// Which is which, and how far it is.
fn heading(state: &State, compare: &Compare, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let home = state.settings.home.as_deref();
    let mut right_edge = area.right();
    let progress = match &compare.stage {
        Stage::Opening => None,
        Stage::Running => {
            let mut spans = vec![Span::styled(format!(" {} ", spinner(state.phase())), theme.accent)];
            spans.extend(gauge::bar(10, compare.share(), theme.accent, theme.track));
            let left =
                compare.remaining(state.now).map(|s| format!(" · {} left", whole_seconds(s))).unwrap_or_default();
            let words = format!(" {} of {}{left}", compare.done, compare.pairs.len());
            spans.push(Span::styled(words, theme.dim));
            Some(Line::from(spans))
        }
        Stage::Done => Some(Line::from(verdict(compare, usize::from(area.width / 3), theme))),
        Stage::Failed(_) => Some(Line::from(Span::styled(" ✗ ended early", theme.error))),
    };
    if let Some(line) = progress {
        let width = (line.width() as u16).min(area.width);
        right_edge = area.right() - width;
        canvas.line(Rect { x: right_edge, width, ..area }, area.y, &line);
    }
    let sides = [("A", &compare.a.path, Some(&compare.a)), ("B", &compare.path, compare.b.as_ref())];
    for (i, (name, path, model)) in sides.into_iter().enumerate() {
        let y = area.y + i as u16;
        let room = if i == 0 { right_edge.saturating_sub(area.x + 1) } else { area.width };
        let line = Rect { y, height: 1, width: room, ..area };
        let reference = if i == 0 && compare.b.is_some() { " (reference)" } else { "" };
        let facts = model.map_or_else(String::new, |m| {
            format!("  {}, {}", text::counted(m.tensors.len(), "tensor"), text::bytes(m.tensor_bytes()))
        });
        let facts = format!("{reference}{facts}");
        let path = text::elide(&shorten(path, home), usize::from(room).saturating_sub(3 + text::width(&facts)));
        let x = canvas.text(line, line.x, y, &format!("{name} "), theme.title);
        let x = canvas.text(line, x, y, &path, theme.strong);
        canvas.text(line, x, y, &facts, theme.dim);
    }
    if compare.b.is_some() && area.height > 2 {
        let forms = total(compare);
        let fits = |words: &&String| text::width(words) <= usize::from(area.width);
        let words = forms.iter().find(fits).unwrap_or(&forms[2]);
        canvas.text(area, area.x, area.y + 2, words, theme.text);
    }
}

/// The error of all that differ together, with and without what was not compared.
fn total(compare: &Compare) -> [String; 3] {
    let (all, ternary) = (&compare.total.all, &compare.total.ternary);
    let so_far = if compare.stage == Stage::Running { " so far" } else { "" };
    let of = |verdict| compare.verdicts(verdict);
    let same = of(Verdict::Equal) + of(Verdict::SameValues);
    let apart = [
        (of(Verdict::Missing) + of(Verdict::Extra), "in one model only"),
        (of(Verdict::Shape), "of another shape"),
        (of(Verdict::Unknown), "that cannot be decoded"),
    ];
    let apart: Vec<String> = apart.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let apart = apart.join(", ");
    let mut brief = None;
    let words = if all.1 > 0 {
        let figures = |(errors, over): &(ErrorSums, usize), what: &str| {
            let (rel, db) = (text::number(errors.rel_mse()), text::decibels(errors.sqnr_db()));
            let over = text::counted(*over, "tensor");
            format!("{what}: SQNR {db} dB · rel MSE {rel} against A, over {over}")
        };
        // What an export says of its output comes first, then what else was changed beside it.
        if ternary.1 > 0 && ternary.1 < all.1 {
            brief = Some(format!("{}{so_far}", figures(ternary, "ternary")));
            let with = format!("SQNR {} dB with {} more", text::decibels(all.0.sqnr_db()), all.1 - ternary.1);
            format!("{}{so_far}; {with}", figures(ternary, "ternary"))
        } else {
            format!("{}{so_far}", figures(all, "total"))
        }
    } else if same > 0 {
        format!("total: no error in {}{so_far}", text::counted(same, "tensor"))
    } else if apart.is_empty() {
        "total: nothing compared yet".to_owned()
    } else {
        let short = format!("total: no tensor could be compared{so_far}");
        return [format!("{short}: {apart}"), short.clone(), short];
    };
    let rest = if apart.is_empty() { String::new() } else { format!("; not compared: {apart}") };
    let brief = brief.unwrap_or_else(|| words.clone());
    [format!("{words}{rest}"), words, brief]
}

/// What a finished comparison says, in a few words: the worst of it where there is room for no more.
fn verdict(compare: &Compare, room: usize, theme: &Theme) -> Vec<Span<'static>> {
    let apart = compare.count(Show::Differ) + compare.count(Show::Missing) + compare.count(Show::Type);
    if apart == 0 {
        vec![Span::styled(" ✓ no tensor differs", theme.good)]
    } else if compare.count(Show::Differ) + compare.count(Show::Missing) == 0 {
        vec![Span::styled(" ≈ same values, other types", theme.good)]
    } else {
        let of = |verdict| compare.verdicts(verdict);
        let all = [
            (of(Verdict::Differ), "differ"),
            (of(Verdict::Shape) + of(Verdict::Unknown), "not comparable"),
            (of(Verdict::Missing) + of(Verdict::Extra), "missing"),
        ];
        let words: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        // The filters below count all of them.
        let whole = format!(" ≠ {}", words.join(", "));
        let short = words.first().map_or_else(String::new, |first| format!(" ≠ {first}"));
        vec![Span::styled(if text::width(&whole) <= room { whole } else { short }, theme.warning)]
    }
}

/// The filters with their keys and what each leaves, the chosen one marked. Where there is little room only that one has
/// its name.
fn filters(state: &State, compare: &Compare, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let key = |action: Action| {
        let bound = state.settings.keymap.of(Context::Compare).find(|bound| bound.action == action);
        bound.map_or("", |bound| bound.shown.as_str())
    };
    let chip = |show: Show, named: bool| {
        let (style, sign) = if show == compare.show { (theme.strong, "▸") } else { (theme.dim, " ") };
        let name = if named || show == compare.show { format!(" {}", show.title()) } else { String::new() };
        [
            Span::styled(sign, style),
            Span::styled(key(Action::ShowPairs(show)).to_owned(), theme.key),
            Span::styled(format!("{name} {} ", compare.count(show)), style),
        ]
    };
    let line = |named: bool| Line::from(Show::ALL.into_iter().flat_map(|show| chip(show, named)).collect::<Vec<_>>());
    let named = line(true);
    let line = if named.width() <= usize::from(area.width) { named } else { line(false) };
    canvas.line(area, area.y, &line);
    let place = |x: u16, width: u16| Area { x, y: area.y, width, height: 1 };
    let mut x = area.x;
    for (chip, show) in line.spans.chunks(3).zip(Show::ALL) {
        let width = chip.iter().map(|span| text::width(&span.content) as u16).sum();
        geometry.spots.push((place(x, width), Spot::Act(Action::ShowPairs(show))));
        x += width;
    }
    let forms = if compare.by_error { [" by difference", " by diff"] } else { [" by name", " name"] };
    let order = |words: &'static str| {
        Line::from(vec![Span::styled(key(Action::SortPairs).to_owned(), theme.key), Span::styled(words, theme.dim)])
    };
    let room = usize::from(area.width).saturating_sub(line.width());
    if let Some(order) = forms.map(order).into_iter().find(|order| order.width() < room) {
        let width = order.width() as u16;
        canvas.line(Rect { x: area.right() - width, width, ..area }, area.y, &order);
        geometry.spots.push((place(area.right() - width, width), Spot::Act(Action::SortPairs)));
    }
}

fn pairs(compare: &Compare, b: &Model, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let head = Rect { height: 1, ..area };
    let list = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let sized = area.width >= NAME.0 + LIST + SIZES;
    let types = 15;
    let name = usize::from(area.width - (LIST + if sized { SIZES } else { 0 }).min(area.width));
    let mut title = format!("  {} {}", left("tensor", name), left("type", types));
    if sized {
        title += &format!(" {} {}", right("A", 9), right("B", 9));
    }
    title += &format!(" {}", right("SQNR dB", 9));
    canvas.text(head, head.x, head.y, &title, theme.dim);
    if compare.rows.is_empty() {
        let words = match (compare.pairs.is_empty(), compare.show) {
            (true, _) if compare.stage == Stage::Done => "neither model has a tensor",
            (true, _) => "",
            _ if compare.stage == Stage::Running => "none so far",
            _ => "none",
        };
        canvas.text(list, list.x + 2, list.y, words, theme.dim);
    }
    let height = usize::from(list.height);
    let offset = scrolled(compare.offset, compare.cursor, compare.rows.len(), height);
    for (i, pair) in compare.rows.iter().enumerate().skip(offset).take(height) {
        let y = list.y + (i - offset) as u16;
        let (one, other) = compare.pairs[*pair].tensors(&compare.a, b);
        let outcome = compare.outcomes[*pair].as_ref();
        let (sign, style) = mark(outcome, theme);
        let full = text::escape(one.or(other).map_or("", |t| t.name.as_str()));
        let mut spans = vec![
            Span::styled(format!("{sign} "), style),
            Span::styled(left(&text::elide(&full, name), name), theme.text),
            Span::styled(format!(" {}", left(&kinds(one, other), types)), theme.dim),
        ];
        if sized {
            let size = |t: Option<&Tensor>| right(&t.map_or_else(|| "–".to_owned(), |t| text::bytes(t.bytes)), 9);
            spans.push(Span::styled(format!(" {} {}", size(one), size(other)), theme.dim));
        }
        let (words, style) = error_words(outcome, theme);
        spans.push(Span::styled(format!(" {}", right(&words, 9)), style));
        canvas.line(list, y, &Line::from(spans));
        if i == compare.cursor {
            canvas.buf.set_style(Rect { y, height: 1, ..list }, theme.cursor);
        }
    }
    geometry.pairs = Area { x: list.x, y: list.y, width: list.width, height: list.height };
    geometry.pairs_offset = offset;
}

fn kinds(one: Option<&Tensor>, other: Option<&Tensor>) -> String {
    match (one, other) {
        (Some(a), Some(b)) if a.dtype == b.dtype => a.dtype.to_string(),
        (Some(a), Some(b)) => format!("{}→{}", a.dtype, b.dtype),
        (Some(t), None) => format!("{}→–", t.dtype),
        (None, Some(t)) => format!("–→{}", t.dtype),
        (None, None) => String::new(),
    }
}

fn mark(outcome: Option<&Outcome>, theme: &Theme) -> (char, Style) {
    match outcome.map(|o| o.verdict) {
        None => ('…', theme.dim),
        Some(Verdict::Equal) => ('=', theme.good),
        Some(Verdict::SameValues) => ('≈', theme.good),
        Some(Verdict::Differ) => ('≠', theme.warning),
        Some(Verdict::Shape) => ('□', theme.error),
        Some(Verdict::Missing) => ('−', theme.error),
        Some(Verdict::Extra) => ('+', theme.accent),
        Some(Verdict::Unknown) => ('?', theme.protected),
    }
}

fn error_words(outcome: Option<&Outcome>, theme: &Theme) -> (String, Style) {
    let Some(outcome) = outcome else { return (String::new(), theme.dim) };
    match (outcome.verdict, outcome.rel_mse()) {
        (Verdict::Equal, _) => ("equal".to_owned(), theme.dim),
        (Verdict::SameValues, _) => ("same".to_owned(), theme.dim),
        (Verdict::Differ, Some(rel)) => (text::decibels(sqnr_db(rel)), theme.sqnr(sqnr_db(rel))),
        (Verdict::Shape, _) => ("shape".to_owned(), theme.error),
        (Verdict::Missing, _) => ("only in A".to_owned(), theme.error),
        (Verdict::Extra, _) => ("only in B".to_owned(), theme.accent),
        _ => ("?".to_owned(), theme.protected),
    }
}

/// The pair under the cursor: its figures, and both histograms over each other.
fn one(compare: &Compare, b: &Model, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let Some(index) = compare.selected() else { return };
    let pair = compare.pairs[index];
    let (one, other) = pair.tensors(&compare.a, b);
    let name = text::elide(&text::escape(pair.name(&compare.a, b)), usize::from(area.width));
    let mut lines = vec![Line::from(Span::styled(name, theme.strong))];
    let side = |t: &Tensor| format!("{} {} {}", t.dtype, text::shape(&t.dims), text::bytes(t.bytes));
    let sides = match (one, other) {
        (Some(a), Some(b)) => format!("{} → {}", side(a), side(b)),
        (Some(t), None) => format!("{}, only in A", side(t)),
        (None, Some(t)) => format!("{}, only in B", side(t)),
        (None, None) => String::new(),
    };
    let sides = wrap(&sides, usize::from(area.width));
    lines.extend(sides.into_iter().map(|line| Line::from(Span::styled(line, theme.dim))));
    if let Some(words) = compare.outcomes[index].as_ref().map(figures) {
        // A name and its figure stay together.
        let parts = words.split(" · ").map(|part| vec![Span::styled(part.to_owned(), theme.text)]).collect();
        lines.extend(flow(parts, area.width));
    }
    let used = canvas.lines(area, &lines);
    let rest = Rect { y: area.y + used, height: area.height - used, ..area };
    match compare.seen.as_ref().filter(|(of, _)| *of == index) {
        Some((_, seen)) => histograms(seen, canvas, rest),
        None if rest.height > 2 => drop(canvas.text(rest, rest.x, rest.y + 1, "reading weights …", theme.dim)),
        None => {}
    }
}

fn figures(outcome: &Outcome) -> String {
    if let Some(problem) = &outcome.problem {
        return text::escape(problem);
    }
    let mut words = outcome.verdict.words().to_owned();
    if let Some(errors) = outcome.errors.as_ref().filter(|_| outcome.verdict == Verdict::Differ) {
        let share = text::percent(outcome.unequal as f64 / errors.n.max(1) as f64);
        words = format!(
            "rel MSE {} · SQNR {} dB · cosine {:.5} · max |a−b| {} · {share} of the weights differ",
            text::number(errors.rel_mse()),
            text::decibels(errors.sqnr_db()),
            errors.cosine(),
            text::number(errors.max_abs_err),
        );
    }
    if outcome.non_finite > 0 {
        words += &format!(" · {} NaN or infinite", outcome.non_finite);
    }
    words
}

/// Both over each other: where both have weights, where only one has.
fn histograms(seen: &Histograms, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    if area.height < 5 {
        return;
    }
    let all = || seen.a.iter().chain(&seen.b);
    let low = all().filter_map(SignedF16Histogram::min_value).fold(f64::INFINITY, f64::min);
    let high = all().filter_map(SignedF16Histogram::max_value).fold(f64::NEG_INFINITY, f64::max);
    if low >= high {
        canvas.text(area, area.x, area.y + 1, "no weights to show", theme.dim);
        return;
    }
    let plot = Rect { y: area.y + 2, height: (area.height - 4).min(18), ..area };
    let bins = usize::from(plot.width);
    let share = |h: &Option<SignedF16Histogram>| -> Vec<f64> {
        h.as_ref().map_or_else(
            || vec![0.0; bins],
            |h| {
                let total = h.total().max(1) as f64;
                h.rebin_linear(low, high, bins).into_iter().map(|n| n / total).collect()
            },
        )
    };
    let (a, b) = (share(&seen.a), share(&seen.b));
    // Roots of the counts: a ternary tensor has three bars beside which the other would vanish.
    let highest = a.iter().chain(&b).copied().fold(0.0, f64::max).sqrt();
    let tall = |x: f64| (x.sqrt() / highest * f64::from(plot.height)).round() as u16;
    for column in 0..plot.width {
        let (of_a, of_b) = (tall(a[usize::from(column)]), tall(b[usize::from(column)]));
        for row in 0..of_a.max(of_b) {
            let (sign, style) = match (row < of_a, row < of_b) {
                (true, true) => ('█', theme.bar_zero),
                (true, false) => ('░', theme.bar_plus),
                _ => ('▒', theme.bar_minus),
            };
            canvas.buf[(plot.x + column, plot.bottom() - 1 - row)].set_char(sign).set_style(style);
        }
    }
    let legend = Line::from(vec![
        Span::styled("░ only A  ", theme.bar_plus),
        Span::styled("▒ only B  ", theme.bar_minus),
        Span::styled("█ both", theme.bar_zero),
        Span::styled(
            if seen.whole { "  heights: root of the share" } else { "  from a sample, root of the share" },
            theme.dim,
        ),
    ]);
    canvas.line(area, area.y + 1, &legend);
    chart::axis(canvas.buf, Rect { y: plot.bottom(), height: 1, ..plot }, theme.border, &[]);
    let ends = [
        (0, text::number(low), theme.dim),
        (plot.width - 1, text::number(high), theme.dim),
        (chart::column_of(0.0, low, high, plot.width).unwrap_or(0), "0".to_owned(), theme.dim),
    ];
    if plot.bottom() + 1 < area.bottom() {
        chart::labels(canvas.buf, Rect { y: plot.bottom() + 1, height: 1, ..plot }, &ends);
    }
}
