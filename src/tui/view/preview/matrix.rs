//! The table of methods by group sizes: one figure of each, the best of each column and what is chosen marked.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::{Sight, below, heading, rect_area};
use crate::engine::preview::{MethodReport, TensorReport, sqnr_db};
use crate::engine::ternary::Format;
use crate::text;
use crate::tui::state::Geometry;
use crate::tui::state::geometry::Spot;
use crate::tui::state::matrix::{Figure, Group, Row, column};
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, flow, wrap};
use crate::tui::view::tree::{left, right};

/// How rows are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// In full.
    Whole,
    /// Cut, where figures need the room.
    Short,
}

impl Names {
    /// Whole ones where cells keep room for a figure with both signs.
    fn of(width: usize, columns: usize) -> Self {
        if width >= Self::Whole.width() + columns * 7 { Self::Whole } else { Self::Short }
    }

    fn width(self) -> usize {
        if self == Self::Whole { 10 } else { 7 }
    }

    fn of_row(self, row: Row) -> &'static str {
        match (self, row) {
            (Self::Short, Row::Weighted) => "ex·imx",
            _ => row.name(),
        }
    }
}

/// A column of the table.
struct Column<'a> {
    group: Group,
    format: Format,
    report: Result<Option<&'a TensorReport>, String>,
}

/// Draws the table; rows taken.
pub(super) fn draw(sight: &Sight<'_>, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) -> u16 {
    let theme = canvas.theme;
    let Some((current, chosen)) = sight.coded() else {
        super::unmeasurable(sight, canvas, area);
        return area.height;
    };
    let session = sight.session;
    let tensor = &session.model.tensors[sight.tensor];
    let matrix = &session.pane.matrix;
    let columns: Vec<Column<'_>> = Group::ALL
        .into_iter()
        .map(|group| {
            let (format, report) = column(&session.previews, (sight.tensor, tensor), group, current);
            Column { group, format, report }
        })
        .collect();
    let sampled = columns.iter().any(|c| matches!(c.report, Ok(Some(report)) if !report.exact));
    let sampled = if sampled { " · sampled" } else { "" };
    heading(canvas, area, "Methods", &format!("{} by group size{sampled}", matrix.figure.name()));
    let weighted = sight.weighted();
    let names = Names::of(usize::from(area.width), columns.len());
    let width = (usize::from(area.width).saturating_sub(names.width()) / columns.len()).clamp(5, 14);
    let mut lines = vec![head(&columns, current, names, width, theme)];
    let bests: Vec<Option<f64>> = columns.iter().map(|c| best(c, matrix.figure, weighted)).collect();
    for (i, row) in Row::ALL.into_iter().enumerate() {
        let mut line = Line::from(Span::styled(left(names.of_row(row), names.width()), theme.text));
        for (j, (column, best)) in columns.iter().zip(&bests).enumerate() {
            let place = Rect {
                x: area.x + (names.width() + j * width) as u16,
                y: area.y + 2 + i as u16,
                width: width as u16,
                height: 1,
            };
            geometry.spots.push((rect_area(place.intersection(area)), Spot::Cell(i, j)));
            let here = session.pane.focused && (i, j) == (matrix.row, matrix.column);
            let is_chosen = row.method() == chosen
                && column.group == Group::of(current)
                && (row == Row::Weighted) == (weighted && row.method() == crate::engine::ternary::Method::Exact);
            let (words, style) = cell(sight, column, row, *best, theme);
            // Signs stand right before their figure, figures below each other, and a column of air between cells.
            let sign = if is_chosen { "▶" } else { "" };
            let star = if words.1 { "★" } else { "" };
            let signs = text::width(sign) + text::width(star);
            let figure = fitting(&words.0, width - 1 - signs);
            let pad = width - signs - text::width(&figure);
            let style = if here { style.patch(theme.cursor).add_modifier(Modifier::REVERSED) } else { style };
            line.push_span(Span::raw(" ".repeat(pad)));
            line.spans.extend([Span::styled(sign, theme.accent), Span::styled(star, theme.good)]);
            line.push_span(Span::styled(figure, style));
        }
        lines.push(line);
    }
    let used = 1 + canvas.lines(below(area, 1), &lines);
    let rest = below(area, used + 1);
    used + 1 + detail(sight, &columns, canvas, rest)
}

fn head(columns: &[Column<'_>], current: Format, names: Names, width: usize, theme: &Theme) -> Line<'static> {
    let mut line = Line::from(Span::styled(left("group", names.width()), theme.dim));
    for column in columns {
        let style = if column.group == Group::of(current) { theme.strong } else { theme.dim };
        let name = if width < 9 && column.group == Group::Whole { "all" } else { column.group.name() };
        line.push_span(Span::styled(right(name, width), style));
    }
    line
}

/// The least cost of a column.
fn best(column: &Column<'_>, figure: Figure, weighted: bool) -> Option<f64> {
    let report = column.report.as_ref().ok()?.as_ref()?;
    let able = Row::ALL.into_iter().filter_map(|row| row.of(report, weighted)).filter(|m| m.problem.is_none());
    able.filter_map(|m| figure.cost(m)).reduce(f64::min)
}

/// A figure in so many columns: decimals are the first to go, then the zero before the point.
fn fitting(figure: &str, room: usize) -> String {
    let bare = figure.strip_prefix('~').unwrap_or(figure);
    let short = if text::width(figure) > room { bare.strip_prefix("0").filter(|r| r.starts_with('.')) } else { None };
    let figure = short.unwrap_or(figure);
    if text::width(figure) <= room || !figure.contains('.') {
        return text::clip(figure, room);
    }
    figure.chars().take(room).collect::<String>().trim_end_matches('.').to_owned()
}

/// The words of a cell, whether it is the best of its column, and its style.
fn cell(sight: &Sight<'_>, column: &Column<'_>, row: Row, best: Option<f64>, theme: &Theme) -> ((String, bool), Style) {
    let (figure, weighted) = (sight.session.pane.matrix.figure, sight.weighted());
    let report = match &column.report {
        Err(_) => return (("✕".to_owned(), false), theme.dim),
        Ok(None) => return (("…".to_owned(), false), theme.dim),
        Ok(Some(report)) => report,
    };
    if report.non_finite.is_some() {
        return (("NaN".to_owned(), false), theme.error);
    }
    let Some(method) = row.of(report, weighted) else {
        let pending = row != Row::Weighted || weighted;
        return ((if pending { "…" } else { "–" }.to_owned(), false), theme.dim);
    };
    if method.problem.is_some() {
        return (("✕".to_owned(), false), theme.warning);
    }
    let tensor = &sight.session.model.tensors[sight.tensor];
    let sign = if report.exact || figure == Figure::Bytes { "" } else { "~" };
    let words = format!("{sign}{}", words(figure, method, column.format, tensor.elements()));
    let is_best = best.is_some() && figure.cost(method) == best;
    let style = if figure == Figure::Sqnr { theme.sqnr(method.sqnr_db()) } else { theme.text };
    ((words, is_best), style)
}

fn words(figure: Figure, method: &MethodReport, format: Format, elements: u64) -> String {
    let errors = &method.stats.errors;
    match figure {
        Figure::RelMse => format!("{:.4}", method.rel_mse.value),
        Figure::WeightedRelMse => errors.weighted_rel_mse().map_or("–".to_owned(), |w| format!("{w:.4}")),
        Figure::Sqnr => text::decibels(method.sqnr_db()),
        Figure::Cosine => format!("{:.4}", errors.cosine()),
        Figure::Zeros => text::percent(errors.zero_share()),
        Figure::MaxError => text::number(errors.max_abs_err),
        Figure::Bytes => format.dtype().bytes_for(elements).map_or("–".to_owned(), text::bytes),
    }
}

/// Everything about the cell under the cursor; rows taken.
fn detail(sight: &Sight<'_>, columns: &[Column<'_>], canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let theme = canvas.theme;
    let (row, group) = sight.session.pane.matrix.cell();
    let Some(column) = columns.iter().find(|c| c.group == group) else { return 0 };
    let runtime = column.format.only_in().map_or_else(String::new, |r| format!(", {r} only"));
    let title = format!("{} at {} = {}{runtime}", row.name(), group.name(), column.format);
    let mut items = vec![vec![Span::styled(title, theme.strong)]];
    let tensor = &sight.session.model.tensors[sight.tensor];
    match &column.report {
        Err(why) => items.push(vec![Span::styled(why.clone(), theme.warning)]),
        Ok(None) => items.push(vec![Span::styled("measuring …", theme.accent)]),
        Ok(Some(report)) => match row.of(report, sight.weighted()) {
            None if row == Row::Weighted && !sight.weighted() => {
                let why = match &sight.state.settings.imatrix {
                    Some(_) => "the importance matrix has no entry for this tensor",
                    None => "needs an importance matrix (--imatrix)",
                };
                items.push(vec![Span::styled(why, theme.dim)]);
            }
            None => items.push(vec![Span::styled("measuring …", theme.accent)]),
            Some(method) if method.problem.is_some() => {
                let why = method.problem.as_deref().unwrap_or_default();
                items.push(vec![Span::styled(text::escape(why), theme.warning)]);
            }
            Some(method) => items.extend(figures(method, report, column.format, tensor.elements(), theme)),
        },
    }
    let mut lines = Vec::new();
    for item in flow(items, area.width) {
        // A reason may be longer than the pane is wide.
        if item.width() > usize::from(area.width) && item.spans.len() == 1 {
            let style = item.spans[0].style;
            let wrapped = wrap(&item.spans[0].content, usize::from(area.width));
            lines.extend(wrapped.into_iter().map(|words| Line::from(Span::styled(words, style))));
        } else {
            lines.push(item);
        }
    }
    canvas.lines(area, &lines)
}

fn figures(
    method: &MethodReport,
    report: &TensorReport,
    format: Format,
    elements: u64,
    theme: &Theme,
) -> Vec<Vec<Span<'static>>> {
    let sign = if report.exact { "" } else { "~" };
    let e = method.rel_mse;
    let interval = |low: String, high: String| if report.exact { String::new() } else { format!(" [{low}, {high}]") };
    Figure::ALL
        .into_iter()
        .filter(|f| *f != Figure::WeightedRelMse || method.stats.errors.weighted_rel_mse().is_some())
        .map(|figure| {
            let value = words(figure, method, format, elements);
            let extra = match figure {
                Figure::RelMse => interval(format!("{:.4}", e.low), format!("{:.4}", e.high)),
                Figure::Sqnr => interval(text::decibels(sqnr_db(e.high.max(e.value))), text::decibels(sqnr_db(e.low))),
                _ => String::new(),
            };
            let sign = match figure {
                Figure::Bytes => "",
                Figure::MaxError if !report.exact => "≥",
                _ => sign,
            };
            let (name, unit) = if figure == Figure::Sqnr { ("SQNR", " dB") } else { (figure.name(), "") };
            vec![
                Span::styled(format!("{name} "), theme.dim),
                Span::styled(format!("{sign}{value}{unit}"), theme.text),
                Span::styled(extra, theme.dim),
            ]
        })
        .collect()
}

/// What the signs mean, and what the methods do; rows taken.
pub(super) fn legend(weighted: bool, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let theme = canvas.theme;
    let item = |words: &str| vec![Span::styled(words.to_owned(), theme.dim)];
    let mut items = vec![item("▶ chosen"), item("★ best of its column"), item("✕ cannot be had")];
    if !weighted {
        items.push(item("imx: by importance, with --imatrix"));
    }
    items.push(item("enter: choose and apply"));
    let lines = flow(items, area.width);
    canvas.lines(area, &lines)
}
