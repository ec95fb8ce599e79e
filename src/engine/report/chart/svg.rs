//! The sensitivity chart as one SVG file: no script, no font, no link; colours and dashes that survive a print in grey.

use std::fmt::Write as _;

use super::{Grid, Measure, Sensitivity};
use crate::engine::ternary::Format;

/// Where the plots begin and how wide they are.
const LEFT: f64 = 110.0;
const WIDTH: f64 = 680.0;
/// Room at the right for the legend and the colour scale.
const RIGHT: f64 = 170.0;
const TOP: f64 = 64.0;
/// Height of the lines, and of a row of the map.
const LINES: f64 = 260.0;
const ROW: f64 = 24.0;
/// Between the two.
const GAP: f64 = 56.0;

/// Colours that people who see few colours tell apart (Okabe and Ito).
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8a7a00"];
const DASHES: [&str; 4] = ["", "6 3", "2 3", "8 3 2 3"];
/// Viridis at even steps, from the least value to the greatest.
const VIRIDIS: [(f64, f64, f64); 6] = [
    (68.0, 1.0, 84.0),
    (65.0, 68.0, 135.0),
    (42.0, 120.0, 142.0),
    (34.0, 168.0, 132.0),
    (122.0, 209.0, 81.0),
    (253.0, 231.0, 37.0),
];

struct Plot<'a> {
    grid: &'a Grid,
    measure: Measure,
    low: f64,
    high: f64,
    out: String,
}

pub(super) fn draw(chart: &Sensitivity, measure: Measure) -> String {
    let grid = chart.grid();
    let range = grid.range(measure);
    let (low, high) = widened(range.unwrap_or((0.0, 1.0)));
    let height = TOP + LINES + GAP + ROW * grid.roles.len().max(1) as f64 + 56.0;
    let legend = TOP + 20.0 * grid.roles.len() as f64 + 20.0;
    let height = height.max(legend);
    let width = LEFT + WIDTH + RIGHT;
    let mut plot = Plot { grid: &grid, measure, low, high, out: String::new() };
    let _ = write!(
        plot.out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let title = format!("{}: sensitivity to ternary weights", chart.model);
    plot.text(LEFT, 26.0, "start", &title, "font-size=\"17\" font-weight=\"bold\"");
    plot.text(LEFT, 46.0, "start", &subtitle(chart, measure), "fill=\"#555\"");
    if range.is_none() {
        plot.text(LEFT, TOP + 40.0, "start", "nothing was measured in any layer", "");
    } else {
        plot.lines();
        plot.map(TOP + LINES + GAP);
        plot.legend();
    }
    plot.out.push_str("</svg>\n");
    plot.out
}

fn subtitle(chart: &Sensitivity, measure: Measure) -> String {
    let block = Format::ALL.into_iter().find(|f| f.name() == chart.format);
    let grouped = match block {
        Some(f) if f.has_one_scale() => ", one scale a tensor".to_owned(),
        Some(f) if f.is_plain() => format!(", groups of {}", f.block_len()),
        _ => String::new(),
    };
    let sampled = chart.points.iter().any(|p| p.estimated);
    let figures = if sampled { "estimated from samples" } else { "every weight measured" };
    let better = if measure.more_is_better() { "higher is better" } else { "lower is better" };
    format!(
        "{}{grouped} · method {} · {} tensors, {figures} · {better}",
        chart.format.to_uppercase(),
        chart.method,
        chart.points.len()
    )
}

/// A range with room at its ends, never empty.
fn widened((low, high): (f64, f64)) -> (f64, f64) {
    let room = if high > low { (high - low) * 0.04 } else { low.abs().max(1e-9) * 0.1 };
    (low - room, high + room)
}

impl Plot<'_> {
    fn text(&mut self, x: f64, y: f64, anchor: &str, content: &str, more: &str) {
        let content = xml(content);
        let _ = writeln!(self.out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {more}>{content}</text>");
    }

    /// Width of a layer's column.
    fn step(&self) -> f64 {
        WIDTH / self.grid.layers.len().max(1) as f64
    }

    fn x(&self, column: usize) -> f64 {
        LEFT + (column as f64 + 0.5) * self.step()
    }

    fn y(&self, value: f64) -> f64 {
        TOP + LINES - (value - self.low) / (self.high - self.low) * LINES
    }

    fn lines(&mut self) {
        let (bottom, right) = (TOP + LINES, LEFT + WIDTH);
        for tick in ticks(self.low, self.high, 6) {
            let y = self.y(tick);
            let _ =
                writeln!(self.out, "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>");
            self.text(LEFT - 8.0, y + 4.0, "end", &number(tick, self.high - self.low), "");
        }
        let _ = writeln!(self.out, "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#222\"/>");
        let middle = TOP + LINES / 2.0;
        let turned = format!("transform=\"rotate(-90 28 {middle})\"");
        self.text(28.0, middle, "middle", self.measure.label(), &turned);
        if self.low > 0.0 {
            let note = format!("the axis begins at {}, not at 0", number(self.low, self.high - self.low));
            self.text(right, TOP - 4.0, "end", &note, "font-size=\"11\" fill=\"#555\"");
        }
        self.layer_ticks(bottom);
        for row in 0..self.grid.roles.len() {
            self.line(row);
        }
    }

    /// A role's line, broken where a layer has no value.
    fn line(&mut self, row: usize) {
        let values: Vec<Option<f64>> = self.grid.row(row, self.measure).collect();
        let (mut path, mut drawing) = (String::new(), false);
        let mut marks = String::new();
        for (column, value) in values.iter().enumerate() {
            let Some(value) = value else {
                drawing = false;
                continue;
            };
            let (x, y) = (self.x(column), self.y(*value));
            let _ = write!(path, "{}{x:.1} {y:.1}", if drawing { 'L' } else { 'M' });
            let _ = write!(marks, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>");
            drawing = true;
        }
        let (colour, dash) = style(row);
        let _ = writeln!(
            self.out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" stroke-dasharray=\"{dash}\"/>\
             <g fill=\"{colour}\">{marks}</g>"
        );
    }

    fn layer_ticks(&mut self, y: f64) {
        let every = self.grid.layers.len().div_ceil(24).max(1);
        for column in (0..self.grid.layers.len()).step_by(every) {
            let (x, layer) = (self.x(column), self.grid.layers[column].to_string());
            self.text(x, y + 16.0, "middle", &layer, "font-size=\"11\"");
        }
        self.text(LEFT + WIDTH / 2.0, y + 34.0, "middle", "layer", "");
    }

    fn map(&mut self, top: f64) {
        let (step, range) = (self.step(), (self.low, self.high));
        for row in 0..self.grid.roles.len() {
            let y = top + row as f64 * ROW;
            let name = self.grid.roles[row].name();
            self.text(LEFT - 8.0, y + ROW / 2.0 + 4.0, "end", name, "");
            let values: Vec<Option<f64>> = self.grid.row(row, self.measure).collect();
            for (column, value) in values.into_iter().enumerate() {
                let x = LEFT + column as f64 * step;
                let (fill, ink) = value.map_or(("#eeeeee".to_owned(), "#222"), |v| colour(v, range));
                let _ = write!(
                    self.out,
                    "<rect x=\"{x:.2}\" y=\"{y:.1}\" width=\"{step:.2}\" height=\"{ROW}\" fill=\"{fill}\" stroke=\"#fff\" \
                     stroke-width=\"0.5\"/>"
                );
                // Below that the numbers would run into each other.
                if let Some(value) = value.filter(|_| step >= 26.0) {
                    let more = format!("font-size=\"9\" fill=\"{ink}\"");
                    let shown = number(value, self.high - self.low);
                    self.text(x + step / 2.0, y + ROW / 2.0 + 3.0, "middle", &shown, &more);
                }
            }
            self.out.push('\n');
        }
        let bottom = top + ROW * self.grid.roles.len() as f64;
        self.text(LEFT - 8.0, top - 8.0, "end", "role", "");
        self.layer_ticks(bottom);
        self.scale(top, bottom);
    }

    /// What the colours mean.
    fn scale(&mut self, top: f64, bottom: f64) {
        let (x, height) = (LEFT + WIDTH + 24.0, (bottom - top).max(ROW));
        let steps = 32;
        for i in 0..steps {
            let share = (f64::from(i) + 0.5) / f64::from(steps);
            let (fill, _) = colour(self.low + share * (self.high - self.low), (self.low, self.high));
            let part = height / f64::from(steps);
            let y = top + height - f64::from(i + 1) * part;
            let _ = write!(
                self.out,
                "<rect x=\"{x}\" y=\"{y:.2}\" width=\"14\" height=\"{:.2}\" fill=\"{fill}\"/>",
                part + 0.3
            );
        }
        let span = self.high - self.low;
        self.text(x, top - 8.0, "start", self.measure.label(), "font-size=\"11\"");
        self.text(x + 20.0, top + 10.0, "start", &number(self.high, span), "font-size=\"11\"");
        self.text(x + 20.0, top + height, "start", &number(self.low, span), "font-size=\"11\"");
    }

    fn legend(&mut self) {
        let x = LEFT + WIDTH + 24.0;
        for row in 0..self.grid.roles.len() {
            let y = TOP + 8.0 + row as f64 * 20.0;
            let (colour, dash) = style(row);
            let _ = write!(
                self.out,
                "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"1.8\" \
                 stroke-dasharray=\"{dash}\"/><circle cx=\"{}\" cy=\"{y}\" r=\"2.4\" fill=\"{colour}\"/>",
                x + 28.0,
                x + 14.0
            );
            self.text(x + 34.0, y + 4.0, "start", self.grid.roles[row].name(), "");
        }
    }
}

/// Colour and dashes of a line: sixteen and more rows stay different.
fn style(row: usize) -> (&'static str, &'static str) {
    (COLOURS[row % COLOURS.len()], DASHES[(row / COLOURS.len() + row) % DASHES.len()])
}

/// The colour of a value, and one that can be read on it.
fn colour(value: f64, (low, high): (f64, f64)) -> (String, &'static str) {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let at = (share as usize).min(VIRIDIS.len() - 2);
    let (a, b, t) = (VIRIDIS[at], VIRIDIS[at + 1], share - at as f64);
    let mix = |a: f64, b: f64| (a + (b - a) * t).round();
    let (r, g, b) = (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2));
    let bright = 0.299 * r + 0.587 * g + 0.114 * b > 140.0;
    (format!("#{:02x}{:02x}{:02x}", r as u8, g as u8, b as u8), if bright { "#222" } else { "#fff" })
}

/// Round numbers inside a range, about as many as wanted.
fn ticks(low: f64, high: f64, wanted: u32) -> Vec<f64> {
    let rough = (high - low) / f64::from(wanted);
    if rough <= 0.0 || !rough.is_finite() {
        return Vec::new();
    }
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough).unwrap_or(10.0 * power);
    let first = (low / step).ceil();
    (0..100).map(|i| (first + f64::from(i)) * step).take_while(|t| *t <= high).collect()
}

/// A number with as many decimals as its axis calls for.
fn number(value: f64, span: f64) -> String {
    let decimals = (2.0 - span.abs().max(1e-12).log10().floor()).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.0$}", decimals.saturating_sub(1));
    if text.trim_start_matches(['-', '0', '.']).is_empty() { "0".to_owned() } else { text }
}

/// Text as XML has it. What XML cannot hold was escaped before.
fn xml(text: &str) -> String {
    crate::text::escape(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(ticks(5.9, 8.2, 5), [6.0, 6.5, 7.0, 7.5, 8.0]);
        assert!(ticks(1.0, 1.0, 5).is_empty());
        assert_eq!(number(6.5, 2.3), "6.5");
        assert_eq!(number(0.000_012, 0.000_03), "0.000012");
        assert_eq!(number(-0.001, 2.0), "0");
    }

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(xml("<a href=\"x\">&\u{1b}"), "&lt;a href=&quot;x&quot;&gt;&amp;\\u{1b}");
    }
}
