//! The experts of a merged tensor as a heatmap: a tile an expert, by one figure at a time.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::map::{FOOT, Range, figure, legend};
use super::{Sight, below, heading, rect_area};
use crate::engine::preview::{Expert, Experts, Measure};
use crate::text;
use crate::tui::state::Geometry;
use crate::tui::state::geometry::{Plot, Tiles, scrolled};
use crate::tui::state::pane::Quantity;
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, flow};
use crate::tui::widgets::heat;

/// Columns from which on a tile has its figure in it.
const WITH_FIGURE: u16 = 8;

pub(super) fn draw(sight: &Sight<'_>, all: &Experts, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let (pane, theme) = (&sight.session.pane, canvas.theme);
    let (quantity, n) = (pane.quantity, all.experts.len());
    let is_expert = sight.session.model.tensors[sight.tensor].role.is_routed_expert();
    let (many, one) = if is_expert { ("Experts", "expert") } else { ("Slices", "slice") };
    heading(canvas, area, many, &format!("{n} by {}", quantity.name()));
    let plot = Rect { height: area.height.saturating_sub(FOOT + 1), ..below(area, 1) };
    geometry.pane = rect_area(plot);
    if n == 0 {
        super::message(canvas, area, "blocks run over the ends of the matrices: they cannot be told apart");
        return;
    }
    let at = pane.expert.min(n - 1);
    let range = Range::of(all.experts.iter().filter_map(|e| quantity.of(e)));
    let tiles = Tiles::of(n, plot.width, plot.height);
    let (lines, seen) = (n.div_ceil(tiles.line), usize::from(plot.height / tiles.height));
    let top = scrolled(0, at / tiles.line, lines, seen);
    let rows = (lines - top).min(seen) as u16 * tiles.height;
    let drawn = Rect { width: (tiles.line as u16 * tiles.width).min(plot.width), height: rows, ..plot };
    geometry.plot = Plot::Experts { area: rect_area(drawn), tiles, top };
    for (i, expert) in all.experts.iter().enumerate().skip(top * tiles.line).take(seen * tiles.line) {
        let (x, y) = ((i % tiles.line) as u16 * tiles.width, (i / tiles.line - top) as u16 * tiles.height);
        let tile = Rect { x: plot.x + x, y: plot.y + y, width: tiles.width, height: tiles.height };
        draw_tile(&Tile { expert, i, here: i == at, quantity, range: range.as_ref() }, canvas, tile);
    }
    let foot = Rect { y: plot.y + rows, height: area.bottom().saturating_sub(plot.y + rows), ..area };
    let mut words = match &range {
        Some(range) => vec![legend(&|value| words_of(quantity, value), range, theme.ramp, canvas, area.width)],
        None => vec![Line::from(Span::styled("nothing here could be coded", theme.warning))],
    };
    words.extend(about(all, at, one, theme, foot.width));
    canvas.lines(foot, &words);
}

/// What is drawn of an expert.
struct Tile<'a> {
    expert: &'a Expert,
    i: usize,
    here: bool,
    quantity: Quantity,
    range: Option<&'a Range>,
}

/// A tile: its colour, and as much of number and figure as it has room for; the last column has the cursor's mark.
fn draw_tile(tile: &Tile<'_>, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let value = tile.quantity.of(tile.expert);
    let spoilt = tile.expert.cell.non_finite > 0;
    let share = value.zip(tile.range).map(|(value, range)| range.share(value));
    // A row and a column between it and the next, where it is that large.
    let inside =
        Rect { width: area.width - 1, height: if area.height > 2 { area.height - 1 } else { area.height }, ..area };
    let style = match share {
        _ if spoilt && tile.quantity != Quantity::Hits => theme.error,
        Some(share) => heat::filled(share, theme.ramp, theme.text),
        None => theme.dim,
    };
    let sign = match share {
        _ if spoilt && tile.quantity != Quantity::Hits => '!',
        Some(share) => heat::sign(share),
        None => '?',
    };
    let filled = share.is_some() && theme.ramp.halves && !spoilt;
    canvas.buf.set_style(inside, style);
    let number = format!("#{}", tile.i);
    let figure = value.map_or("–".to_owned(), |value| words_of(tile.quantity, value));
    let lead = if filled { " ".to_owned() } else { sign.to_string() };
    let (first, second) = match area {
        Rect { height: 2.., .. } => (format!("{lead}{number}"), format!(" {figure}")),
        Rect { width: WITH_FIGURE.., .. } => (format!("{lead}{figure}"), String::new()),
        Rect { width: 4.., .. } => (format!("{lead}{}", tile.i), String::new()),
        _ => (lead, String::new()),
    };
    let style = if tile.here { style.add_modifier(Modifier::BOLD) } else { style };
    for (y, words) in (inside.y..inside.bottom()).zip([first, second]) {
        canvas.text(inside, inside.x, y, &words, style);
    }
    let mark = match (tile.here, unreached(tile.expert)) {
        (true, _) => ('◂', theme.marker),
        (false, true) => ('·', theme.warning),
        (false, false) => return,
    };
    if let Some(cell) = canvas.buf.cell_mut((inside.right(), area.y)) {
        cell.set_char(mark.0).set_style(mark.1);
    }
}

/// A figure in words.
fn words_of(quantity: Quantity, value: f64) -> String {
    match quantity.measure() {
        Some(measure) => figure(measure, value),
        None => text::count(value.max(0.0) as u64),
    }
}

/// Whether an importance matrix says that no token reached the expert.
fn unreached(expert: &Expert) -> bool {
    expert.hits == Some(0.0)
}

/// What was looked at, the figures of the expert under the cursor, and who was never asked.
fn about(all: &Experts, at: usize, one: &str, theme: &Theme, columns: u16) -> Vec<Line<'static>> {
    let sign = if all.exact { "" } else { "~" };
    let looked = if all.exact { "every block" } else { "~ a sample of 32 blocks each" };
    let mut here = Vec::new();
    let pair = |name: &str, value: String, style: Style| {
        vec![Span::styled(format!("{name} "), theme.dim), Span::styled(value, style)]
    };
    if let Some(expert) = all.experts.get(at) {
        let of = |m| expert.cell.value(m).map_or("–".to_owned(), |v| format!("{sign}{}", figure(m, v)));
        let [error, scale, zeros] = Measure::ALL.map(of);
        here.push(vec![Span::styled(format!("◂ {one} {at}"), theme.marker)]);
        here.extend([("rel MSE", error), ("d", scale), ("zeros", zeros)].map(|(name, v)| pair(name, v, theme.text)));
        let bad = expert.cell.non_finite;
        here.push(pair("NaN/Inf", text::count(u64::from(bad)), if bad > 0 { theme.error } else { theme.text }));
        let hits = expert.hits.map(|h| pair("imatrix hits", text::count(h.max(0.0) as u64), theme.text));
        here.extend(hits);
    }
    let mut lines = flow(here, columns);
    let mut items = vec![vec![Span::styled(looked, theme.dim)]];
    if all.experts.iter().all(|e| e.hits.is_none()) {
        items.push(vec![Span::styled("no imatrix: hits unknown", theme.dim)]);
    }
    let unreached: Vec<usize> = all.experts.iter().enumerate().filter(|(_, e)| unreached(e)).map(|(i, _)| i).collect();
    if !unreached.is_empty() {
        let named: Vec<String> = unreached.iter().take(6).map(|i| format!("#{i}")).collect();
        let more = if unreached.len() > 6 { " …" } else { "" };
        let words = format!("· {} that no token reached: {}{more}", unreached.len(), named.join(" "));
        items.push(vec![Span::styled(words, theme.warning)]);
    }
    lines.extend(flow(items, columns));
    if let Some(problem) = &all.problem {
        lines.push(Line::from(Span::styled(text::clip(&text::escape(problem), usize::from(columns)), theme.warning)));
    }
    lines
}
