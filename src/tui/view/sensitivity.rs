//! The sensitivity screen: a map of role × layer, the line of the role under the cursor, and the cell's figures.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::draw::{Canvas, fitting, spinner};
use super::tree::{left, right};
use crate::engine::preview::sqnr_db;
use crate::engine::report::chart::Measure;
use crate::engine::report::chart::grid::Cell;
use crate::text;
use crate::tui::state::sensitivity::Sensitivity;
use crate::tui::state::summary::what_if;
use crate::tui::state::{Area, Geometry, Session, State};
use crate::tui::theme::Theme;
use crate::tui::widgets::{chart, gauge};

/// Columns of the role's names, a column of air behind them.
const NAMES: u16 = 15;
/// Columns from which on a cell has a figure, and from which on it has its shade beside it.
const FIGURE: usize = 4;
const SHADED: usize = 5;
/// What stands for ∞ where that is spelled out and has no room.
const LOSSLESS: &str = "L";
/// Shades from the least error to the greatest.
const SHADES: [char; 4] = ['░', '▒', '▓', '█'];

pub(super) fn draw(state: &State, session: &Session, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let inner = canvas.boxed(area, "Sensitivity: error by layer and role");
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let view = &session.sensitivity;
    if view.eligible.0 == 0 {
        canvas.centred(inner, inner.y + inner.height / 2, "nothing in this model may go ternary", canvas.theme.dim);
        return;
    }
    if view.grid.is_empty() {
        let words = "no tensor that may go ternary belongs to a layer: the list of tensors has their errors";
        canvas.centred(inner, inner.y + inner.height / 2, words, canvas.theme.dim);
        return;
    }
    let rows = view.grid.roles.len() as u16;
    let totals = rows > 1 && inner.height >= rows + 7;
    let map_height = rows.min(inner.height.saturating_sub(6).max(1)) + 1 + u16::from(totals);
    let [head, map, legend, lines, cell] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(map_height),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(2),
    ])
    .areas(inner);
    heading(state, session, canvas, head);
    let columns = Columns::new(view, map.width.saturating_sub(NAMES));
    draw_map(view, canvas, map, &columns, geometry);
    draw_legend(view, &columns, canvas, legend);
    draw_line(view, canvas, lines, &columns);
    describe(session, canvas, cell);
}

/// Which layers are in sight, and how wide each is.
struct Columns {
    first: usize,
    count: usize,
    width: u16,
}

impl Columns {
    fn new(view: &Sensitivity, room: u16) -> Self {
        let layers = view.grid.layers.len();
        let width = (room / layers.max(1) as u16).clamp(1, 9);
        let count = usize::from(room / width).min(layers);
        // The cursor's layer in the middle, unless that leaves room at an end.
        let first = view.column.saturating_sub(count / 2).min(layers - count);
        Self { first, count, width }
    }

    /// How much of the width is drawn on: where there is room, cells stand apart.
    fn drawn(&self) -> u16 {
        self.width.saturating_sub(1).max(1)
    }

    fn x(&self, area: Rect, column: usize) -> u16 {
        area.x + NAMES + (column - self.first) as u16 * self.width
    }

    fn range(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.count
    }
}

fn heading(state: &State, session: &Session, canvas: &mut Canvas<'_>, area: Rect) {
    let (theme, view) = (canvas.theme, &session.sensitivity);
    let (measured, failed) = view.measured;
    let all = view.eligible.0 - failed;
    let recipe = session.plan.recipe();
    let better = if view.measure.more_is_better() { "higher is better" } else { "lower is better" };
    let mut spans = Vec::new();
    if measured < all {
        spans.push(Span::styled(format!(" {} ", spinner(state.phase())), theme.accent));
        spans.extend(gauge::bar(10, measured as f64 / all.max(1) as f64, theme.accent, theme.track));
    }
    // The tree counts what goes ternary; here is counted what could.
    let full = if view.exact > 0 && area.width >= 110 { format!(", {} in full", view.exact) } else { String::new() };
    let what = if area.width >= 110 { "eligible tensors" } else { "eligible" };
    spans.push(Span::styled(format!(" {measured} of {all} {what} measured{full}"), theme.dim));
    if failed > 0 {
        spans.push(Span::styled(format!(", {failed} cannot be"), theme.warning));
    }
    let line = Line::from(spans);
    let width = (line.width() as u16).min(area.width);
    canvas.line(Rect { x: area.right() - width, width, ..area }, area.y, &line);
    let area = Rect { width: area.width - width, ..area };
    let x = canvas.text(area, area.x, area.y, view.measure.label(), theme.strong);
    let words = format!("{better} · {} · {}", recipe.format, recipe.method);
    let words = fitting(&words, usize::from(area.right().saturating_sub(x + 3)));
    canvas.text(area, x, area.y, &format!(" · {words}"), theme.dim);
}

/// What stands before a figure that is from a sample.
fn about(exact: bool) -> &'static str {
    if exact { "" } else { "~" }
}

/// How bad a value is, from 0 (the best in sight) to 1.
fn badness(view: &Sensitivity, value: f64) -> f64 {
    let Some((low, high)) = view.grid.range(view.measure).filter(|(low, high)| high > low) else { return 0.0 };
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    if view.measure.more_is_better() { 1.0 - share } else { share }
}

fn shade(badness: f64, theme: &Theme) -> (char, Style) {
    let at = ((badness * SHADES.len() as f64) as usize).min(SHADES.len() - 1);
    (SHADES[at], [theme.good, theme.middling, theme.warning, theme.error][at])
}

fn draw_map(view: &Sensitivity, canvas: &mut Canvas<'_>, area: Rect, columns: &Columns, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let roles = view.grid.roles.len();
    let height = usize::from(area.height.saturating_sub(1)).min(roles);
    let first = view.row.saturating_sub(height / 2).min(roles.saturating_sub(height));
    for (i, row) in (first..view.grid.roles.len()).take(height).enumerate() {
        let y = area.y + i as u16;
        let style = if row == view.row { theme.strong } else { theme.text };
        let pointer = if row == view.row { "▸ " } else { "  " };
        canvas.text(area, area.x, y, &format!("{pointer}{}", view.grid.roles[row].name()), style);
        for column in columns.range() {
            let width = columns.drawn();
            let (words, style) = cell_text(view, view.grid.cell(row, column), usize::from(width), theme);
            let x = columns.x(area, column);
            canvas.text(area, x, y, &words, style);
            if (row, column) == (view.row, view.column) {
                canvas.buf.set_style(Rect { x, y, width, height: 1 }, theme.cursor);
                if width < 4 {
                    canvas.buf[(x, y)].set_char('◆').set_style(theme.marker);
                }
            }
        }
    }
    let labels: Vec<(u16, String, Style)> = std::iter::once(view.column)
        .chain(columns.range().step_by(columns.count.div_ceil(12).max(1)))
        .map(|column| {
            let style = if column == view.column { theme.strong } else { theme.dim };
            let at = columns.x(area, column) - area.x + columns.width / 2;
            (at, view.grid.layers[column].to_string(), style)
        })
        .collect();
    let sums = area.y + height as u16;
    let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
    if sums < foot.y {
        canvas.text(area, area.x, sums, "  all roles", theme.dim);
        for column in columns.range() {
            let cell = view.grid.layer(column);
            let (words, style) = cell_text(view, Some(&cell), usize::from(columns.drawn()), theme);
            canvas.text(area, columns.x(area, column), sums, &words, style);
        }
    }
    let hidden = roles.saturating_sub(first + height);
    let words = if hidden > 0 { format!("  ▾ {hidden} more roles") } else { "  layer".to_owned() };
    canvas.text(foot, foot.x, foot.y, &text::clip(&words, usize::from(NAMES) - 1), theme.dim);
    chart::labels(canvas.buf, foot, &labels);
    geometry.map =
        Area { x: area.x + NAMES, y: area.y, width: columns.count as u16 * columns.width, height: height as u16 };
    geometry.map_cell = columns.width;
    geometry.map_first = (first, columns.first);
}

/// A number where there is room for one, else a shade.
fn cell_text(view: &Sensitivity, cell: Option<&Cell>, width: usize, theme: &Theme) -> (String, Style) {
    let Some(cell) = cell else { return (String::new(), theme.dim) };
    let Some(value) = cell.value(view.measure) else {
        let sign = match (cell.measured > 0, width >= text::width("∞")) {
            (true, true) => "∞",
            (true, false) => LOSSLESS,
            _ => "·",
        };
        return (right(sign, width), theme.dim);
    };
    let (sign, style) = shade(badness(view, value), theme);
    let about = about(cell.errors.exact);
    if width >= SHADED {
        return (format!("{sign}{}", left(&fitted(view.measure, value, about, width - 1), width - 1)), style);
    }
    if width >= FIGURE {
        return (right(&fitted(view.measure, value, about, width), width), style);
    }
    (sign.to_string().repeat(width), style)
}

/// A figure with as many digits as there is room for, and before it whether it is from a sample.
fn fitted(measure: Measure, value: f64, about: &str, room: usize) -> String {
    let digits = if measure == Measure::Sqnr { 2 } else { 3 };
    let shown = |digits: usize| format!("{about}{value:.digits$}");
    let short = |digits: usize| shown(digits).replacen("0.", ".", usize::from(value.abs() < 1.0));
    let forms = (0..=digits).rev().flat_map(|digits| [shown(digits), short(digits)]);
    forms.into_iter().find(|form| form.len() <= room).unwrap_or_else(|| shown(0))
}

fn draw_legend(view: &Sensitivity, columns: &Columns, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let wide_enough = usize::from(columns.drawn()) >= text::width("∞");
    let Some((low, high)) = view.grid.range(view.measure) else {
        canvas.text(area, area.x + 2, area.y, "· not measured yet", theme.dim);
        return;
    };
    let (best, worst) = if view.measure.more_is_better() { (high, low) } else { (low, high) };
    let (best, worst) = (end(view, view.grid.cells(), best), end(view, view.grid.cells(), worst));
    let mut spans = vec![Span::styled(format!("  best {best} "), theme.dim)];
    for i in 0..SHADES.len() {
        let (sign, style) = shade((i as f64 + 0.5) / SHADES.len() as f64, theme);
        spans.push(Span::styled(sign.to_string().repeat(2), style));
    }
    // Only the signs that are there.
    let unmeasured = view.grid.cells().any(|c| c.measured == 0);
    let lossless = view.grid.cells().any(|c| c.measured > 0 && c.value(view.measure).is_none());
    let signs = [
        (lossless, if wide_enough { "∞" } else { LOSSLESS }, " nothing lost"),
        (view.grid.cells().any(is_sampled), "~", " sampled"),
        (unmeasured, "·", " not measured"),
    ];
    spans.push(Span::styled(format!(" worst {worst}"), theme.dim));
    let mut room = usize::from(area.width).saturating_sub(spans.iter().map(Span::width).sum());
    for (sign, words) in signs.into_iter().filter(|(there, ..)| *there).map(|(_, sign, words)| (sign, words)) {
        let words = format!("  {sign}{words}");
        let Some(left) = room.checked_sub(text::width(&words)) else { break };
        room = left;
        spans.push(Span::styled(words, theme.dim));
    }
    canvas.line(area, area.y, &Line::from(spans));
}

fn is_sampled(cell: &Cell) -> bool {
    cell.measured > 0 && !cell.errors.exact
}

/// The least or greatest value of cells, with the sign of a sample if it is one's.
fn end<'a>(view: &Sensitivity, mut cells: impl Iterator<Item = &'a Cell>, value: f64) -> String {
    let sampled = cells.any(|cell| is_sampled(cell) && cell.value(view.measure) == Some(value));
    format!("{}{}", about(!sampled), number(view.measure, value))
}

fn number(measure: Measure, value: f64) -> String {
    if measure == Measure::Sqnr { format!("{} dB", text::decibels(value)) } else { text::number(value) }
}

/// The line of the role under the cursor, layer above layer with the map.
fn draw_line(view: &Sensitivity, canvas: &mut Canvas<'_>, area: Rect, columns: &Columns) {
    if area.height < 4 {
        return;
    }
    let theme = canvas.theme;
    let role = view.grid.roles[view.row].name();
    let values: Vec<Option<f64>> = view.grid.row(view.row, view.measure).collect();
    let known = || values.iter().flatten().copied();
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let x = canvas.text(area, area.x, area.y, role, theme.title);
    if low > high {
        canvas.text(area, x + 2, area.y, "nothing measured yet", theme.dim);
        return;
    }
    let cells = || (0..view.grid.layers.len()).filter_map(|column| view.grid.cell(view.row, column));
    let (sampled, all) = (cells().filter(|cell| is_sampled(cell)).count(), cells().filter(|c| c.measured > 0).count());
    let of = if sampled == 0 { String::new() } else { format!(" · {sampled} of {all} from samples (~)") };
    // The axis begins a little below the least, so that it has a bar too.
    let floor = if high > low { low - 0.12 * (high - low) } else { low - low.abs().max(1e-9) };
    let foot = number(view.measure, floor.max(0.0));
    let words = format!("{} by layer · bars from {foot}{of}", view.measure.label());
    let words = fitting(&words, usize::from(area.right().saturating_sub(x + 2)));
    canvas.text(area, x + 2, area.y, &words, theme.dim);
    let plot = Rect { y: area.y + 1, height: (area.height - 2).min(24), ..area };
    let mut bars = vec![0.0; usize::from(columns.count as u16 * columns.width)];
    for column in columns.range() {
        let at = (column - columns.first) * usize::from(columns.width);
        let wide = usize::from(columns.width).saturating_sub(1).max(1);
        let height = values[column].map_or(0.0, |value| value - floor);
        bars[at..at + wide].fill(height);
    }
    // The scale is the role's, even where its highest layer is out of sight.
    let full = Rect { x: plot.x + NAMES, width: bars.len() as u16, ..plot };
    let seen = bars.iter().copied().fold(0.0, f64::max);
    let rows = ((seen / (high - floor)) * f64::from(full.height)).round().max(1.0) as u16;
    let full = Rect { y: full.bottom() - rows.min(full.height), height: rows.min(full.height), ..full };
    chart::bars(canvas.buf, full, &bars, |at| {
        let column = columns.first + at / usize::from(columns.width);
        match values.get(column).copied().flatten() {
            _ if column == view.column => theme.marker,
            Some(value) => shade(badness(view, value), theme).1,
            None => theme.dim,
        }
    });
    let label = |canvas: &mut Canvas<'_>, y: u16, words: &str| {
        canvas.text(area, area.x, y, &right(words, usize::from(NAMES) - 2), theme.dim);
    };
    label(canvas, plot.y, &end(view, cells(), high));
    if plot.height > 2 {
        label(canvas, plot.bottom() - 1, &foot);
    }
    let axis = Rect { x: area.x + NAMES, y: plot.bottom(), width: bars.len() as u16, height: 1 };
    if axis.y < area.bottom() {
        chart::axis(canvas.buf, axis, theme.border, &[]);
    }
}

/// The cell under the cursor in two lines.
fn describe(session: &Session, canvas: &mut Canvas<'_>, area: Rect) {
    let (theme, view) = (canvas.theme, &session.sensitivity);
    let Some(cell) = view.grid.cell(view.row, view.column) else {
        let words = format!(
            "no {} in layer {} that may go ternary",
            view.grid.roles[view.row].name(),
            view.grid.layers[view.column]
        );
        canvas.text(area, area.x, area.y, &words, theme.dim);
        return;
    };
    let tensor = &session.model.tensors[cell.first];
    let more = if cell.tensors > 1 { format!(" and {} more", cell.tensors - 1) } else { String::new() };
    let name = text::elide(&text::escape(&tensor.name), usize::from(area.width) / 2);
    let (mark, style) = super::tree::mark(session, cell.first, theme);
    let x = canvas.text(area, area.x, area.y, &format!("{mark} "), style);
    let x = canvas.text(area, x, area.y, &format!("{name}{more}"), theme.strong);
    let decision = session.plan.decision(cell.first);
    let becomes = match what_if(&session.plan, cell.first) {
        Some((format, _)) if !decision.is_ternary() => {
            let bytes = format.dtype().bytes_for(tensor.elements());
            format!(
                "stays {}{}",
                tensor.dtype,
                bytes.map_or_else(String::new, |b| format!(", {} as {format}", text::bytes(b)))
            )
        }
        _ => format!("→ {}", text::bytes(decision.new_bytes)),
    };
    let facts = format!("  {}  {} {becomes}", text::shape(&tensor.dims), text::bytes(tensor.bytes));
    canvas.text(area, x, area.y, &facts, theme.dim);
    let words = if cell.measured == 0 { unmeasured(session, cell.first) } else { figures(cell) };
    canvas.text(area, area.x + 2, area.y + 1, &words, theme.text);
}

/// Why there is no figure of a tensor.
fn unmeasured(session: &Session, tensor: usize) -> String {
    let Some(subject) = session.subject_of(tensor) else { return "no format takes it".to_owned() };
    if let Some(failure) = session.previews.failure(subject) {
        return text::escape(failure);
    }
    let Some(figures) = session.previews.figures(subject) else { return "not measured yet".to_owned() };
    let problem = figures.methods.iter().find_map(|m| m.problem.as_deref());
    match (figures.non_finite, problem) {
        (Some(index), _) => format!("cannot be measured: weight {index} is NaN or infinite"),
        (None, Some(problem)) => format!("cannot be measured: {}", text::escape(problem)),
        (None, None) => "not measured yet".to_owned(),
    }
}

fn figures(cell: &Cell) -> String {
    let errors = &cell.errors;
    let sign = about(errors.exact);
    let rel = Measure::RelMse.of(errors).unwrap_or(f64::NAN);
    let mut words = format!("SQNR {sign}{} dB · rel MSE {sign}{}", text::decibels(sqnr_db(rel)), text::number(rel));
    if let Some([low, high]) = errors.interval {
        words += &format!(" [{}, {}]", text::number(low), text::number(high));
    }
    if let Some(weighted) = Measure::Weighted.of(errors) {
        words += &format!(" · weighted {sign}{}", text::number(weighted));
    }
    if cell.measured < cell.tensors {
        words += &format!(" · {} of {} measured", cell.measured, cell.tensors);
    }
    words + if errors.exact { " · exact" } else { " · from a sample" }
}
