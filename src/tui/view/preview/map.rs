//! The map: error, scale or zeros over the rows and blocks of a tensor.

use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::{Sight, below, heading, rect_area, tiles};
use crate::engine::preview::{Cell, Grid, Measure};
use crate::jobs::Seen;
use crate::text;
use crate::tui::state::Geometry;
use crate::tui::state::geometry::Plot;
use crate::tui::view::draw::{Canvas, flow};
use crate::tui::widgets::heat;

/// Lines below the map.
pub(super) const FOOT: u16 = 5;

pub(super) fn draw(sight: &Sight<'_>, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let session = sight.session;
    let Some((tensor, subject)) = session.look() else {
        super::unmeasurable(sight, canvas, area);
        return;
    };
    // The keys need to know the size before there is a map.
    geometry.pane = rect_area(Rect { height: area.height.saturating_sub(FOOT + 1), ..below(area, 1) });
    match session.pane.looks.best(tensor, subject) {
        Some(Ok(Seen::Grid(grid))) => blocks(sight, grid, canvas, area, geometry),
        Some(Ok(Seen::Experts(experts))) => tiles::draw(sight, experts, canvas, area, geometry),
        Some(Ok(_)) => {}
        Some(Err(why)) => {
            super::message(canvas, area, &text::escape(why));
        }
        None => {
            // The window before stays in sight, dimmed.
            let before = session.pane.looks.before(subject);
            match before {
                Some(Seen::Grid(grid)) => blocks(sight, grid, canvas, area, geometry),
                Some(Seen::Experts(experts)) => tiles::draw(sight, experts, canvas, area, geometry),
                _ => {}
            }
            canvas.buf.set_style(area, canvas.theme.dim);
            super::busy(canvas, area, "measuring …", before.is_some());
        }
    }
}

/// Least and greatest value that have colours of their own: a few far ones must not leave the rest in one colour.
pub(super) struct Range {
    pub low: f64,
    pub high: f64,
    pub least: f64,
    pub greatest: f64,
}

impl Range {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut all: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        all.sort_by(f64::total_cmp);
        let at = |q: f64| all.get(((all.len().max(1) - 1) as f64 * q) as usize).copied();
        let (least, greatest) = (all.first().copied()?, all.last().copied()?);
        let (low, high) = if all.len() > 64 { (at(0.01)?, at(0.99)?) } else { (least, greatest) };
        Some(Self { low, high, least, greatest })
    }

    pub(super) fn share(&self, value: f64) -> f64 {
        if self.high > self.low { ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) } else { 0.5 }
    }
}

pub(super) fn figure(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Error => format!("{value:.4}"),
        Measure::Scale => text::number(value),
        Measure::Zeros => text::percent(value),
    }
}

fn blocks(sight: &Sight<'_>, grid: &Grid, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let (pane, theme) = (&sight.session.pane, canvas.theme);
    let (measure, window) = (pane.measure, grid.window);
    let rows = format!("rows {}–{}", window.row, window.row + window.rows - 1);
    let columns = format!("blocks {}–{}", window.column, window.column + window.columns - 1);
    heading(canvas, area, "Map", &format!("{} · {rows} · {columns}", measure.name()));
    let plot = Rect { height: area.height.saturating_sub(FOOT + 1), ..below(area, 1) };
    if plot.height == 0 {
        return;
    }
    let Some(range) = Range::of(grid.cells.iter().filter_map(|c| c.value(measure))) else {
        let why = grid.problem.as_deref().unwrap_or("nothing here could be coded");
        super::message(canvas, area, &text::escape(why));
        return;
    };
    // Fewer cells than there is room for are drawn as large as each other.
    let even = |room: u16, cells: usize| {
        let cells = cells.max(1) as u16;
        if cells < room { room / cells * cells } else { room }
    };
    let points = (even(plot.width, grid.size.1), even(plot.height * 2, grid.size.0));
    let plot = Rect { width: points.0, height: points.1.div_ceil(2), ..plot };
    let cell = |x: u16, y: u16| {
        let (rows, columns) = (
            heat::cells_of(usize::from(y), usize::from(points.1), grid.size.0),
            heat::cells_of(usize::from(x), usize::from(points.0), grid.size.1),
        );
        let mut sum = Cell::default();
        for row in rows.0..rows.1 {
            let cells = grid.cells.get(row * grid.size.1 + columns.0..row * grid.size.1 + columns.1);
            cells.unwrap_or_default().iter().for_each(|c| sum.merge(c));
        }
        sum
    };
    let share = |x: u16, y: u16| if y < points.1 { cell(x, y).value(measure).map(|v| range.share(v)) } else { None };
    let ramp = if pane.signs { theme.ramp.in_signs() } else { theme.ramp };
    heat::draw(canvas.buf, plot, ramp, theme.text, share);
    geometry.plot = Plot::Blocks { area: rect_area(plot), window };
    cursor(sight, grid, canvas, plot, points);
    let foot = Rect { y: plot.bottom(), height: area.bottom().saturating_sub(plot.bottom()), ..area };
    let mut lines = vec![legend(&|value| figure(measure, value), &range, ramp, canvas, area.width)];
    lines.extend(words(sight, grid, canvas, area.width));
    canvas.lines(foot, &lines);
}

/// Where the cursor is: a cross in the map.
fn cursor(sight: &Sight<'_>, grid: &Grid, canvas: &mut Canvas<'_>, plot: Rect, points: (u16, u16)) {
    let (row, column) = sight.session.pane.place.at;
    let at = |at: u64, first: u64, span: u64, points: u16| {
        let inside = at.checked_sub(first).filter(|i| *i < span)?;
        Some((u128::from(inside) * u128::from(points) / u128::from(span.max(1))) as u16)
    };
    let window = grid.window;
    if let (Some(x), Some(y)) =
        (at(column, window.column, window.columns, points.0), at(row, window.row, window.rows, points.1))
        && let Some(cell) = canvas.buf.cell_mut((plot.x + x, plot.y + y / 2))
    {
        cell.set_char('╳').set_style(canvas.theme.cursor.add_modifier(Modifier::BOLD));
    }
}

/// The colours with their values, and beside them the ends that lie beyond. The latter go where there is no room.
pub(super) fn legend(
    figure: &dyn Fn(f64) -> String,
    range: &Range,
    ramp: crate::tui::theme::Ramp,
    canvas: &Canvas<'_>,
    columns: u16,
) -> Line<'static> {
    let theme = canvas.theme;
    let mut line = Line::from(Span::styled(format!("{} ", figure(range.low)), theme.text));
    line.spans.extend(heat::legend(12, ramp, theme.text));
    line.push_span(Span::styled(format!(" {}", figure(range.high)), theme.text));
    let beyond = match (range.low == range.least, range.high == range.greatest) {
        (true, true) => return line,
        (false, true) => format!("  least {}", figure(range.least)),
        (true, false) => format!("  most {}", figure(range.greatest)),
        (false, false) => format!("  in all {} … {}", figure(range.least), figure(range.greatest)),
    };
    if line.width() + text::width(&beyond) <= usize::from(columns) {
        line.push_span(Span::styled(beyond, theme.dim));
    }
    line
}

/// What was looked at, what is under the cursor, and what is worst.
fn words(sight: &Sight<'_>, grid: &Grid, canvas: &Canvas<'_>, columns: u16) -> Vec<Line<'static>> {
    let (pane, theme) = (&sight.session.pane, canvas.theme);
    let (seen, all) = grid.blocks;
    let estimate = grid.rel_mse;
    let (looked, mean) = if grid.exact {
        (format!("all {} blocks", text::count(all)), format!("rel MSE {:.4}", estimate.value))
    } else {
        let (low, high) = (estimate.low, estimate.high);
        let mean = format!("rel MSE ~{:.4} [{low:.4}, {high:.4}]", estimate.value);
        (format!("~ {} of {} blocks", text::count(seen), text::count(all)), mean)
    };
    let (row, column) = pane.place.at;
    let mut about = vec![vec![Span::styled(looked, theme.dim)], vec![Span::styled(mean, theme.dim)]];
    if let Some(worst) = grid.worst(pane.measure) {
        let sign = if grid.exact { "" } else { "~" };
        let value = figure(pane.measure, worst.value);
        let words = format!("greatest {sign}{value} at {}:{} (w)", worst.row, worst.column);
        about.push(vec![Span::styled(words, theme.dim)]);
    }
    let mut here = vec![vec![Span::styled(format!("╳ {row}:{column}"), theme.marker)]];
    if let Some(cell) = under_cursor(grid, pane.place.at).filter(|cell| cell.blocks != 1) {
        // A cell of the map may stand for many blocks: no figure of it is one of a block.
        here[0].push(Span::styled(format!(", mean of {} blocks", cell.blocks), theme.dim));
    }
    if let Some(cell) = under_cursor(grid, pane.place.at) {
        let pair = |name: &str, value: String| {
            vec![Span::styled(format!("{name} "), theme.dim), Span::styled(value, theme.text)]
        };
        let of = |measure| cell.value(measure).map_or("–".to_owned(), |v| figure(measure, v));
        let [error, scale, zeros] = Measure::ALL.map(of);
        here.extend([pair("rel MSE", error), pair("d", scale), pair("zeros", zeros)]);
        if cell.non_finite > 0 {
            here.push(vec![Span::styled(format!("! {} NaN/Inf", cell.non_finite), theme.error)]);
        }
    }
    let mut lines = flow(about, columns);
    lines.extend(flow(here, columns));
    if let Some(problem) = &grid.problem {
        lines.insert(0, Line::from(Span::styled(text::escape(problem), theme.warning)));
    }
    lines
}

/// The cell that the cursor is in.
fn under_cursor(grid: &Grid, at: (u64, u64)) -> Option<Cell> {
    let find = |at: u64, first: u64, span: u64, cells: usize| {
        at.checked_sub(first).filter(|i| *i < span)?;
        (0..cells).find(|i| {
            let (from, to) = Grid::stretch(first, span, cells, *i);
            (from..to).contains(&at)
        })
    };
    let row = find(at.0, grid.window.row, grid.window.rows, grid.size.0)?;
    let column = find(at.1, grid.window.column, grid.window.columns, grid.size.1)?;
    grid.cells.get(row * grid.size.1 + column).copied()
}
