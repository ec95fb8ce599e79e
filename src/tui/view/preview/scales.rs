//! The histogram of the scales that the blocks get.

use ratatui::layout::Rect;

use super::Subjected;
use crate::text;
use crate::tui::view::draw::Canvas;
use crate::tui::widgets::chart::{self, Mark, column_of};

pub(super) fn draw(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 4 {
        return;
    }
    let theme = canvas.theme;
    let log = subject.session.log_axis;
    let scales = &subject.method.stats.scales;
    let (mean, std) = (scales.mean(), scales.std());
    let mut detail = format!("{} ± {}", text::number(mean), text::number(std));
    detail += if log { " · log" } else { " · linear" };
    if scales.underflow > 0 {
        detail += &format!(" · {} underflow", text::count(scales.underflow));
    }
    if scales.native > 0 {
        let share = scales.native as f64 / scales.blocks.max(1) as f64;
        detail += &format!(" · {} already ternary", text::percent(share));
    }
    super::heading(canvas, area, "Scales", &detail);
    let histogram = &subject.method.scales;
    let (Some(least), Some(greatest)) = (histogram.min_value(), histogram.max_value()) else {
        canvas.text(area, area.x, area.y + 1, "no scales", theme.dim);
        return;
    };
    let plot = Rect { y: area.y + 1, height: area.height - 3, ..area };
    let axis = Rect { y: plot.bottom(), height: 1, ..area };
    let labels = Rect { y: axis.y + 1, height: 1, ..area };
    // Zero has no logarithm: such an axis begins where the bulk of the scales does.
    let low = if log { histogram.quantile(0.001).unwrap_or(least).max(greatest * 1e-6).max(1e-12) } else { least };
    // One far scale would press all others into a column; the axis ends past the bulk and says so.
    let bulk = histogram.quantile(0.995).unwrap_or(greatest);
    let high = if !log && bulk < (greatest - least) * 0.66 + least { bulk } else { greatest };
    let (low, high) = widened(low, high, log);
    let bins = usize::from(area.width);
    let values = if log { histogram.rebin_log(low, high, bins) } else { histogram.rebin_linear(low, high, bins) };
    chart::bars(canvas.buf, plot, &values, |_| theme.bar);
    let at = |value: f64| {
        if log {
            (value > 0.0).then(|| column_of(value.ln(), low.ln(), high.ln(), area.width)).flatten()
        } else {
            column_of(value, low, high, area.width)
        }
    };
    let mut marks = Vec::new();
    for (value, sign) in [(mean - std, '├'), (mean + std, '┤'), (mean, '▲')] {
        marks.extend(at(value).map(|column| Mark { column, sign, style: theme.marker }));
    }
    chart::axis(canvas.buf, axis, theme.border, &marks);
    let beyond = if high < greatest {
        format!("{} … {}", text::number(high), text::number(greatest))
    } else {
        text::number(high)
    };
    let mut named = vec![(0, text::number(low), theme.dim), (area.width - 1, beyond, theme.dim)];
    named.extend(at(mean).map(|column| (column, text::number(mean), theme.marker)));
    chart::labels(canvas.buf, labels, &named);
}

/// Scales that are nearly equal are shown as such: the axis has at least some breadth around them.
fn widened(low: f64, high: f64, log: bool) -> (f64, f64) {
    let least = if low > 0.0 { low } else { high / 100.0 }.max(1e-12);
    if log {
        let ratio = (1.5 * least / high).max(1.0).sqrt();
        return (least / ratio, high.max(least) * ratio);
    }
    let missing = (0.25 * high - (high - low)).max(0.0) + if high > low { 0.0 } else { 1e-12 };
    ((low - missing / 2.0).max(0.0), high + missing / 2.0)
}
