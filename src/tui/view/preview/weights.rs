//! The histogram of the weights, with the thresholds that divide them and the values that they become.
//!
//! Every block has a threshold and a scale of its own; what is marked are those of an average block.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Subjected;
use crate::engine::preview::{MethodReport, TensorReport};
use crate::engine::ternary::Method;
use crate::text;
use crate::tui::view::draw::{Canvas, flow};
use crate::tui::widgets::chart::{self, Mark, column_of};

/// Standard deviations that the axis shows at most.
const SPREAD: f64 = 4.0;

pub(super) fn draw(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 4 {
        return;
    }
    let theme = canvas.theme;
    let sums = &subject.report.sums;
    let detail = format!(
        "σ {} · max {}{}",
        text::number(sums.std()),
        if subject.report.exact { "" } else { "≥" },
        text::number(sums.max_abs)
    );
    super::heading(canvas, area, "Weights", &detail);
    let (level, threshold) = level_and_threshold(subject, subject.method);
    if subject.never.is_some() {
        plain(subject.report, canvas, super::below(area, 1));
        return;
    }
    let reach = reach(subject);
    if reach <= 0.0 {
        canvas.text(area, area.x, area.y + 1, "all weights are zero", theme.dim);
        return;
    }
    let legend = area.height >= 7;
    let plot = Rect { y: area.y + 1, height: area.height - 3 - u16::from(legend), ..area };
    let axis = Rect { y: plot.bottom(), height: 1, ..area };
    let labels = Rect { y: axis.y + 1, height: 1, ..area };
    let width = odd(area.width);
    let plot = Rect { width, ..plot };
    let axis = Rect { width, ..axis };
    let values = subject.report.weights.rebin_linear(-reach, reach, usize::from(width));
    let at = |value: f64| column_of(value, -reach, reach, width);
    for column in [-threshold, threshold].into_iter().filter_map(at) {
        for y in plot.top()..plot.bottom() {
            canvas.buf[(plot.x + column, y)].set_char('┊').set_style(theme.marker);
        }
    }
    chart::bars(canvas.buf, plot, &values, |column| {
        let centre = (column as f64 + 0.5) / f64::from(width) * 2.0 * reach - reach;
        if centre.abs() <= threshold {
            theme.bar_zero
        } else if centre < 0.0 {
            theme.bar_minus
        } else {
            theme.bar_plus
        }
    });
    let mark = |value: f64, sign: char| at(value).map(|column| Mark { column, sign, style: theme.marker });
    let signs = [(-threshold, '┴'), (threshold, '┴'), (-level, '●'), (0.0, '●'), (level, '●')];
    let marks: Vec<Mark> = signs.into_iter().filter_map(|(value, sign)| mark(value, sign)).collect();
    chart::axis(canvas.buf, axis, theme.border, &marks);
    let named: Vec<_> = [-level, level, 0.0, -reach, reach]
        .into_iter()
        .filter_map(|value| {
            let style = if value.abs() == reach { theme.dim } else { theme.marker };
            Some((at(value)?, text::number(value), style))
        })
        .collect();
    chart::labels(canvas.buf, Rect { width, ..labels }, &named);
    if legend {
        let words = format!("┴ ±{} threshold  ● ±{} level (mean block)", text::number(threshold), text::number(level));
        canvas.text(area, area.x, labels.y + 1, &words, theme.dim);
    }
}

/// An odd number of columns has one for zero.
fn odd(width: u16) -> u16 {
    if width.is_multiple_of(2) { width.saturating_sub(1) } else { width }
}

/// Where the axis ends on either side.
fn reach(subject: &Subjected<'_>) -> f64 {
    let sums = &subject.report.sums;
    (SPREAD * sums.std()).min(sums.max_abs).max(level_and_threshold(subject, subject.method).0 * 1.3)
}

/// The weights without thresholds, over the range that they have.
pub(super) fn plain(report: &TensorReport, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 3 {
        return;
    }
    let theme = canvas.theme;
    let weights = &report.weights;
    let (Some(low), Some(high)) = (weights.min_value(), weights.max_value()) else { return };
    let plot = Rect { height: area.height - 2, ..area };
    let axis = Rect { y: plot.bottom(), height: 1, ..area };
    let high = if high > low { high } else { low + low.abs().max(1e-12) };
    chart::bars(canvas.buf, plot, &weights.rebin_linear(low, high, usize::from(area.width)), |_| theme.bar);
    chart::axis(canvas.buf, axis, theme.border, &[]);
    let named = [(0, text::number(low), theme.dim), (area.width - 1, text::number(high), theme.dim)];
    chart::labels(canvas.buf, Rect { y: axis.y + 1, ..axis }, &named);
}

/// The moments of the weights and what is odd among them; rows taken.
pub(super) fn moments(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let theme = canvas.theme;
    let (sums, exact) = (&subject.report.sums, subject.report.exact);
    let sign = if exact { "" } else { "~" };
    let bad = sums.nan + sums.infinite;
    let looked = match (exact, bad > 0) {
        (true, false) => format!("all {} weights", text::count(sums.n)),
        (true, true) => format!("the {} finite weights", text::count(sums.n)),
        (false, false) => format!("~ {} weights sampled", text::count(sums.n)),
        (false, true) => format!("~ {} finite weights sampled", text::count(sums.n)),
    };
    super::heading(canvas, area, "Moments", &looked);
    let pair =
        |name: &str, value: String| vec![Span::styled(format!("{name} "), theme.dim), Span::styled(value, theme.text)];
    // The mean's standard error says how far a sample's may be off.
    let off = if exact {
        String::new()
    } else {
        format!(" ± {}", text::number(1.96 * sums.std() / (sums.n.max(1) as f64).sqrt()))
    };
    let ratio = |x: f64| if x.is_finite() { format!("{sign}{x:.3}") } else { "–".to_owned() };
    let zeros = sums.zeros as f64 / sums.n.max(1) as f64;
    let style = if bad > 0 { theme.error } else { theme.text };
    let items = vec![
        pair("mean", format!("{sign}{}{off}", text::number(sums.mean()))),
        pair("σ", format!("{sign}{}", text::number(sums.std()))),
        pair("mean|w|", format!("{sign}{}", text::number(sums.mean_abs()))),
        pair("skew", ratio(sums.skewness())),
        pair("kurtosis", format!("{} over normal", ratio(sums.excess_kurtosis()))),
        pair("zeros", format!("{sign}{} ({})", text::percent(zeros), text::count(sums.zeros))),
        vec![
            Span::styled("NaN/Inf ", theme.dim),
            Span::styled(format!("{}{bad}", if exact || bad > 0 { "" } else { "none seen: " }), style),
        ],
    ];
    1 + canvas.lines(super::below(area, 1), &flow(items, area.width))
}

/// Rows that [`levels`] takes.
pub(super) fn levels_height(subject: &Subjected<'_>) -> u16 {
    if subject.report.format.is_plain() { subject.report.methods.len() as u16 + 1 } else { 0 }
}

/// What each method makes of the weights: its levels and thresholds under the histogram's axis, and in figures.
pub(super) fn levels(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 2 || levels_height(subject) == 0 {
        return;
    }
    let theme = canvas.theme;
    let (width, reach) = (odd(area.width), reach(subject));
    super::heading(canvas, area, "Levels", "● level  ┊ threshold, of a mean block");
    let mut methods: Vec<_> = subject.report.methods.iter().filter(|m| m.problem.is_none()).collect();
    methods.sort_by_key(|m| m.method);
    for (method, y) in methods.into_iter().zip(area.y + 1..area.bottom()) {
        let (level, threshold) = level_and_threshold(subject, method);
        for x in area.x..area.x + width {
            canvas.buf[(x, y)].set_char('─').set_style(theme.track);
        }
        let marks = [(-threshold, '┊'), (threshold, '┊'), (-level, '●'), (0.0, '●'), (level, '●')];
        for (value, sign) in marks {
            if let Some(column) = column_of(value, -reach, reach, width) {
                canvas.buf[(area.x + column, y)].set_char(sign).set_style(theme.marker);
            }
        }
        let chosen = method.method == subject.method.method;
        let name = format!("{}{} ", if chosen { "▶" } else { " " }, method.method);
        canvas.text(area, area.x, y, &name, if chosen { theme.strong } else { theme.text });
        // Figures where they leave the marks free.
        let figures = format!(" ±{} ┊±{}", text::number(level), text::number(threshold));
        let room = column_of(level.min(reach), -reach, reach, width).map_or(0, |c| width - c);
        if usize::from(room) > text::width(&figures) + 1 {
            canvas.right(Rect { width, ..area }, y, &figures, theme.dim);
        }
    }
}

/// The same in figures alone, where there is no room for a line a method.
pub(super) fn short_levels(subject: &Subjected<'_>, canvas: &Canvas<'_>, columns: u16) -> Vec<Line<'static>> {
    if levels_height(subject) == 0 {
        return Vec::new();
    }
    let theme = canvas.theme;
    let mut methods: Vec<_> = subject.report.methods.iter().filter(|m| m.problem.is_none()).collect();
    methods.sort_by_key(|m| m.method);
    let item = |method: &MethodReport| {
        let (level, threshold) = level_and_threshold(subject, method);
        let chosen = method.method == subject.method.method;
        let name = format!("{}{} ", if chosen { "▶" } else { "" }, method.method);
        vec![
            Span::styled(name, if chosen { theme.strong } else { theme.dim }),
            Span::styled(format!("●{} ┴{}", text::number(level), text::number(threshold)), theme.text),
        ]
    };
    flow(methods.into_iter().map(item).collect(), columns)
}

/// A method's mean scale, and the threshold of a block that has it.
fn level_and_threshold(subject: &Subjected<'_>, method: &MethodReport) -> (f64, f64) {
    let level = method.stats.scales.mean();
    let mean_abs = subject.report.sums.mean_abs();
    let threshold = match method.method {
        Method::Exact | Method::Max | Method::Calibrated | Method::Lossless => level / 2.0,
        Method::Twn => 0.75 * mean_abs,
        Method::Refit | Method::Absmean => 0.5 * mean_abs,
    };
    (level, threshold)
}
