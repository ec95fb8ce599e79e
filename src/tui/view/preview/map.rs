//! The map: error, scale or zeros over the rows and blocks of a tensor, or over the experts of a merged one.

use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::{Sight, below, heading, rect_area};
use crate::engine::preview::{Cell, Expert, Experts, Grid, Measure};
use crate::jobs::Seen;
use crate::text;
use crate::tui::state::Geometry;
use crate::tui::state::geometry::{experts_in_a_line, scrolled};
use crate::tui::view::draw::{Canvas, flow};
use crate::tui::view::tree::right;
use crate::tui::widgets::{gauge, heat};

/// Lines below the map.
const FOOT: u16 = 5;

pub(super) fn draw(sight: &Sight<'_>, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let session = sight.session;
    let Some((tensor, subject)) = session.look() else {
        super::unmeasurable(sight, canvas, area);
        return;
    };
    // The keys need to know the size before there is a map.
    geometry.pane = rect_area(Rect { height: area.height.saturating_sub(FOOT + 1), ..below(area, 1) });
    match session.pane.looks.best(tensor, subject) {
        Some(Ok(Seen::Grid(grid))) => blocks(sight, grid, canvas, area),
        Some(Ok(Seen::Experts(experts))) => merged(sight, experts, canvas, area, geometry),
        Some(Ok(_)) => {}
        Some(Err(why)) => {
            super::message(canvas, area, &text::escape(why));
        }
        None => {
            // The window before stays in sight, dimmed.
            let before = session.pane.looks.before(subject);
            match before {
                Some(Seen::Grid(grid)) => blocks(sight, grid, canvas, area),
                Some(Seen::Experts(experts)) => merged(sight, experts, canvas, area, geometry),
                _ => {}
            }
            canvas.buf.set_style(area, canvas.theme.dim);
            super::busy(canvas, area, "measuring …", before.is_some());
        }
    }
}

/// Least and greatest value that have colours of their own: a few far ones must not leave the rest in one colour.
struct Range {
    low: f64,
    high: f64,
    least: f64,
    greatest: f64,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut all: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        all.sort_by(f64::total_cmp);
        let at = |q: f64| all.get(((all.len().max(1) - 1) as f64 * q) as usize).copied();
        let (least, greatest) = (all.first().copied()?, all.last().copied()?);
        let (low, high) = if all.len() > 64 { (at(0.01)?, at(0.99)?) } else { (least, greatest) };
        Some(Self { low, high, least, greatest })
    }

    fn share(&self, value: f64) -> f64 {
        if self.high > self.low { ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) } else { 0.5 }
    }
}

fn figure(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Error => format!("{value:.4}"),
        Measure::Scale => text::number(value),
        Measure::Zeros => text::percent(value),
    }
}

fn blocks(sight: &Sight<'_>, grid: &Grid, canvas: &mut Canvas<'_>, area: Rect) {
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
    cursor(sight, grid, canvas, plot, points);
    let foot = Rect { y: plot.bottom(), height: area.bottom().saturating_sub(plot.bottom()), ..area };
    let mut lines = vec![legend(measure, &range, ramp, canvas, area.width)];
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
fn legend(
    measure: Measure,
    range: &Range,
    ramp: crate::tui::theme::Ramp,
    canvas: &Canvas<'_>,
    columns: u16,
) -> Line<'static> {
    let theme = canvas.theme;
    let roomy = columns >= 48;
    let beyond = |at: f64, end: f64| {
        if at == end || !roomy { String::new() } else { format!(" ({})", figure(measure, end)) }
    };
    let (low, high) = (beyond(range.low, range.least), beyond(range.high, range.greatest));
    let mut line = Line::from(Span::styled(format!("{}{low} ", figure(measure, range.low)), theme.text));
    line.spans.extend(heat::legend(12, ramp, theme.text));
    line.push_span(Span::styled(format!(" {}{high}", figure(measure, range.high)), theme.text));
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
        if cell.blocks != 1 {
            here.push(vec![Span::styled(format!("{} blocks", cell.blocks), theme.dim)]);
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

/// An expert a line with its figures, or a bar an expert where there are many.
fn merged(sight: &Sight<'_>, all: &Experts, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let (pane, theme) = (&sight.session.pane, canvas.theme);
    let (measure, n) = (pane.measure, all.experts.len());
    let is_expert = sight.session.model.tensors[sight.tensor].role.is_routed_expert();
    heading(canvas, area, if is_expert { "Experts" } else { "Slices" }, &format!("{n} · {}", measure.name()));
    let plot = Rect { height: area.height.saturating_sub(FOOT + 1), ..below(area, 1) };
    geometry.pane = rect_area(plot);
    let Some(range) = Range::of(all.experts.iter().filter_map(|e| e.cell.value(measure))) else {
        super::message(canvas, area, "blocks run over the ends of the matrices: they cannot be told apart");
        return;
    };
    let line = experts_in_a_line(n, plot.width, plot.height);
    if line == 1 {
        let used = table(sight, all, &range, canvas, plot);
        let words = expert_words(all, None, canvas, area.width);
        canvas.lines(below(area, 1 + used), &words);
        return;
    }
    let lines = n.div_ceil(line);
    let top = scrolled(0, pane.expert / line, lines, usize::from(plot.height));
    for (i, expert) in all.experts.iter().enumerate().skip(top * line) {
        let (x, y) = ((i % line * 2) as u16, (i / line - top) as u16);
        if y >= plot.height {
            break;
        }
        let (sign, style) = match expert.cell.value(measure) {
            _ if expert.cell.non_finite > 0 => ('!', theme.error),
            Some(value) => {
                let share = range.share(value);
                let mut style = theme.text;
                style.fg = theme.ramp.colour(share).or(style.fg);
                (gauge::column(share), style)
            }
            None => ('?', theme.dim),
        };
        if let Some(cell) = canvas.buf.cell_mut((plot.x + x, plot.y + y)) {
            cell.set_char(sign).set_style(style);
        }
        let marker = if i == pane.expert { Some('◂') } else { unreached(expert).then_some('·') };
        if let (Some(marker), Some(cell)) = (marker, canvas.buf.cell_mut((plot.x + x + 1, plot.y + y))) {
            cell.set_char(marker).set_style(theme.marker);
        }
    }
    let used = (lines - top).min(usize::from(plot.height)) as u16;
    let foot = Rect { y: plot.y + used, height: area.bottom().saturating_sub(plot.y + used), ..area };
    let mut below_it = vec![legend(measure, &range, theme.ramp.in_signs(), canvas, area.width)];
    below_it[0].spans.truncate(1);
    below_it[0].spans.extend([
        Span::styled("▁▂▃▄▅▆▇█", theme.text),
        Span::styled(format!(" {}", figure(measure, range.greatest)), theme.text),
    ]);
    below_it.extend(expert_words(all, Some(pane.expert), canvas, foot.width));
    canvas.lines(foot, &below_it);
}

/// A line an expert with all its figures, where there is room for that; rows taken.
fn table(sight: &Sight<'_>, all: &Experts, range: &Range, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    /// Columns of the number and of a figure, and of all but the bar.
    const CELLS: (usize, usize, u16) = (6, 10, 47);
    let (pane, theme) = (&sight.session.pane, canvas.theme);
    let hits = all.experts.iter().any(|e| e.hits.is_some());
    let bar = usize::from(area.width.saturating_sub(CELLS.2 + if hits { CELLS.1 as u16 } else { 0 }).min(24));
    let mut head = right("#", CELLS.0);
    for name in ["rel MSE", "d", "zeros", "NaN/Inf"].into_iter().chain(hits.then_some("hits")) {
        head += &right(name, CELLS.1);
    }
    let mut lines = vec![Line::from(Span::styled(head, theme.dim))];
    for (i, expert) in all.experts.iter().enumerate() {
        let here = i == pane.expert;
        let number = format!("{}{i}", if here { "▸ " } else { "" });
        let mut line = Line::from(Span::styled(right(&number, CELLS.0), if here { theme.marker } else { theme.dim }));
        for measure in Measure::ALL {
            let style = if measure == pane.measure { theme.strong } else { theme.text };
            let value = expert.cell.value(measure).map_or("–".to_owned(), |v| figure(measure, v));
            line.push_span(Span::styled(right(&value, CELLS.1), style));
        }
        let bad = expert.cell.non_finite;
        let (words, style) = if bad > 0 { (format!("! {bad}"), theme.error) } else { ("0".to_owned(), theme.dim) };
        line.push_span(Span::styled(right(&words, CELLS.1), style));
        if hits {
            let words = expert.hits.map_or("–".to_owned(), |h| text::count(h.max(0.0) as u64));
            let style = if unreached(expert) { theme.warning } else { theme.text };
            line.push_span(Span::styled(right(&words, CELLS.1), style));
        }
        if let Some(value) = expert.cell.value(pane.measure).filter(|_| bar > 1) {
            let share = range.share(value);
            let mut style = theme.text;
            style.fg = theme.ramp.colour(share).or(style.fg);
            line.push_span(Span::raw(" "));
            line.spans.extend(gauge::bar(bar, share, style, theme.track));
        }
        lines.push(line);
    }
    canvas.lines(area, &lines)
}

/// Whether an importance matrix says that no token reached the expert.
fn unreached(expert: &Expert) -> bool {
    expert.hits == Some(0.0)
}

/// What was looked at, the figures of one expert, and who was never asked.
fn expert_words(all: &Experts, at: Option<usize>, canvas: &Canvas<'_>, columns: u16) -> Vec<Line<'static>> {
    let theme = canvas.theme;
    let sign = if all.exact { "" } else { "~" };
    let looked = if all.exact { "every block" } else { "~ a sample of 32 blocks each" };
    let mut items = vec![vec![Span::styled(looked, theme.dim)]];
    if let Some((at, expert)) = at.and_then(|at| Some((at, all.experts.get(at)?))) {
        let of = |m| expert.cell.value(m).map_or("–".to_owned(), |v| format!("{sign}{}", figure(m, v)));
        let [error, scale, zeros] = Measure::ALL.map(of);
        items.push(vec![Span::styled(format!("◂ #{at}"), theme.marker)]);
        let pair = |name: &str, value: String| {
            vec![Span::styled(format!("{name} "), theme.dim), Span::styled(value, theme.text)]
        };
        items.extend([pair("rel MSE", error), pair("d", scale), pair("zeros", zeros)]);
        items.push(pair("NaN/Inf", expert.cell.non_finite.to_string()));
        if let Some(hits) = expert.hits {
            items.push(pair("imatrix hits", text::count(hits.max(0.0) as u64)));
        }
    }
    let unreached: Vec<usize> = all.experts.iter().enumerate().filter(|(_, e)| unreached(e)).map(|(i, _)| i).collect();
    if !unreached.is_empty() {
        let named: Vec<String> = unreached.iter().take(6).map(|i| format!("#{i}")).collect();
        let more = if unreached.len() > 6 { " …" } else { "" };
        let words = format!("· {} that no token reached: {}{more}", unreached.len(), named.join(" "));
        items.push(vec![Span::styled(words, theme.warning)]);
    }
    flow(items, columns)
}
