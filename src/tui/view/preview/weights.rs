//! The histogram of the weights, with the thresholds that divide them and the values that they become.
//!
//! Every block has a threshold and a scale of its own; what is marked are those of an average block.

use ratatui::layout::Rect;

use super::Subjected;
use crate::engine::ternary::Method;
use crate::text;
use crate::tui::view::draw::Canvas;
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
    let (level, threshold) = level_and_threshold(subject);
    if subject.never.is_some() {
        plain(subject, canvas, area);
        return;
    }
    let reach = (SPREAD * sums.std()).min(sums.max_abs).max(level * 1.3);
    if reach <= 0.0 {
        canvas.text(area, area.x, area.y + 1, "all weights are zero", theme.dim);
        return;
    }
    let legend = area.height >= 7;
    let plot = Rect { y: area.y + 1, height: area.height - 3 - u16::from(legend), ..area };
    let axis = Rect { y: plot.bottom(), height: 1, ..area };
    let labels = Rect { y: axis.y + 1, height: 1, ..area };
    // An odd number of columns has one for zero.
    let width = if area.width.is_multiple_of(2) { area.width - 1 } else { area.width };
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

/// The weights of what never goes ternary: no thresholds, and the range that they have.
fn plain(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let weights = &subject.report.weights;
    let (Some(low), Some(high)) = (weights.min_value(), weights.max_value()) else { return };
    let plot = Rect { y: area.y + 1, height: area.height - 3, ..area };
    let axis = Rect { y: plot.bottom(), height: 1, ..area };
    let high = if high > low { high } else { low + low.abs().max(1e-12) };
    chart::bars(canvas.buf, plot, &weights.rebin_linear(low, high, usize::from(area.width)), |_| theme.bar);
    chart::axis(canvas.buf, axis, theme.border, &[]);
    let named = [(0, text::number(low), theme.dim), (area.width - 1, text::number(high), theme.dim)];
    chart::labels(canvas.buf, Rect { y: axis.y + 1, ..axis }, &named);
}

/// The mean scale, and the threshold of a block that has it.
fn level_and_threshold(subject: &Subjected<'_>) -> (f64, f64) {
    let level = subject.method.stats.scales.mean();
    let mean_abs = subject.report.sums.mean_abs();
    let threshold = match subject.method.method {
        Method::Exact | Method::Max | Method::Lossless => level / 2.0,
        Method::Twn => 0.75 * mean_abs,
        Method::Refit | Method::Absmean => 0.5 * mean_abs,
    };
    (level, threshold)
}
