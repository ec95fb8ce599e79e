//! The histogram of the scales that the blocks get.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Subjected;
use crate::engine::preview::MethodReport;
use crate::engine::stats::F16Histogram;
use crate::text;
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, flow};
use crate::tui::widgets::chart::{self, Mark, column_of};

/// What there is to say of the scales, in figures.
pub(super) fn facts(subject: &Subjected<'_>, theme: &Theme, columns: u16) -> Vec<Line<'static>> {
    let (scales, exact) = (&subject.method.stats.scales, subject.report.exact);
    let sign = if exact { "" } else { "~" };
    let pair =
        |name: &str, value: String| vec![Span::styled(format!("{name} "), theme.dim), Span::styled(value, theme.text)];
    let (mean, std) = (scales.mean(), scales.std());
    let spread = if mean > 0.0 { std / mean } else { 0.0 };
    let mut items = vec![
        pair("scale", format!("{sign}{} ± {}", text::number(mean), text::number(std))),
        pair("σ/mean", format!("{sign}{spread:.3}")),
    ];
    if scales.blocks > 0 {
        items.push(pair("range", format!("{} … {}", text::number(scales.min), text::number(scales.max))));
    }
    // One scale for the tensor has no outliers.
    if let Some(found) = subject.method.scales.outliers().filter(|_| !subject.report.format.has_one_scale()) {
        let n = found.below + found.above;
        let of = if exact { String::new() } else { format!(" of {} sampled", text::count(scales.blocks)) };
        let beyond = if n > 0 {
            format!(" (beyond {} … {})", text::number(found.low), text::number(found.high))
        } else {
            String::new()
        };
        items.push(pair("outlier blocks", format!("{n}{of}{beyond}")));
    }
    for (name, n) in [("f16 underflow", scales.underflow), ("f16 overflow", scales.overflow)] {
        let style = if n > 0 { theme.warning } else { theme.text };
        let mark = if n > 0 { "⚠ " } else { "" };
        items.push(vec![
            Span::styled(format!("{name} "), theme.dim),
            Span::styled(format!("{mark}{}", text::count(n)), style),
        ]);
    }
    flow(items, columns)
}

/// The histogram of the chosen method and, if there is one, of that which lies over it.
struct Both<'a> {
    first: &'a F16Histogram,
    over: Option<&'a MethodReport>,
}

impl<'a> Both<'a> {
    fn of(subject: &'a Subjected<'_>) -> Self {
        let plain = subject.report.format.is_plain();
        let over = subject.session.pane.overlay.filter(|m| plain && *m != subject.method.method);
        let over = over.and_then(|m| subject.report.method(m)).filter(|m| m.problem.is_none());
        Self { first: &subject.method.scales, over }
    }

    fn all(&self) -> impl Iterator<Item = &F16Histogram> {
        std::iter::once(self.first).chain(self.over.map(|m| &m.scales))
    }

    /// Least and greatest of a figure.
    fn range(&self, of: impl Fn(&F16Histogram) -> Option<f64>) -> Option<(f64, f64)> {
        let values = self.all().filter_map(of);
        values.map(|v| (v, v)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// From where to where the axis goes, and where the scales end.
    fn axis(&self, log: bool) -> Option<(f64, f64, f64)> {
        let least = self.range(F16Histogram::min_value)?.0;
        let greatest = self.range(F16Histogram::max_value)?.1;
        // Zero has no logarithm: such an axis begins where the bulk of the scales does.
        let begin = self.range(|h| h.quantile(0.001)).map_or(least, |(low, _)| low);
        let low = if log { begin.max(greatest * 1e-6).max(1e-12) } else { least };
        // One far scale would press all others into a column; the axis ends past the bulk and says so.
        let bulk = self.range(|h| h.quantile(0.995)).map_or(greatest, |(_, high)| high);
        let high = if !log && bulk < (greatest - least) * 0.66 + least { bulk } else { greatest };
        let (low, high) = widened(low, high, log);
        Some((low, high, greatest))
    }
}

pub(super) fn draw(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 4 {
        return;
    }
    let theme = canvas.theme;
    let log = subject.session.log_axis;
    let scales = &subject.method.stats.scales;
    let (mean, std) = (scales.mean(), scales.std());
    let both = Both::of(subject);
    let mut detail = format!("{} ± {}", text::number(mean), text::number(std));
    if let Some(over) = both.over {
        detail +=
            &format!(" · █ {} ◆ {} {}", subject.method.method, over.method, text::number(over.stats.scales.mean()));
    }
    if scales.underflow > 0 {
        detail += &format!(" · {} underflow", text::count(scales.underflow));
    }
    if scales.native > 0 {
        let share = scales.native as f64 / scales.blocks.max(1) as f64;
        detail += &format!(" · {} already ternary", text::percent(share));
    }
    let axis = if log { "log · " } else { "linear · " };
    detail.insert_str(0, axis);
    super::heading(canvas, area, "Scales", &detail);
    let Some((low, high, greatest)) = both.axis(log) else {
        canvas.text(area, area.x, area.y + 1, "no scales", theme.dim);
        return;
    };
    // Bins are as wide as each other: what is left over stays empty.
    let bins = subject.session.pane.bins.unwrap_or(usize::from(area.width)).clamp(1, usize::from(area.width).max(1));
    let wide = usize::from(area.width) / bins;
    let width = (bins * wide) as u16;
    let plot = Rect { y: area.y + 1, height: area.height - 3, width, ..area };
    let axis = Rect { y: plot.bottom(), height: 1, ..plot };
    let labels = Rect { y: axis.y + 1, height: 1, ..plot };
    let columns = |histogram: &F16Histogram| -> Vec<f64> {
        let values = if log { histogram.rebin_log(low, high, bins) } else { histogram.rebin_linear(low, high, bins) };
        values.into_iter().flat_map(|v| std::iter::repeat_n(v, wide)).collect()
    };
    let first = columns(both.first);
    let over = both.over.map(|m| columns(&m.scales));
    let highest = first.iter().chain(over.iter().flatten()).copied().fold(0.0, f64::max);
    chart::bars_to(canvas.buf, plot, &first, highest, |_| theme.bar);
    if let Some(over) = &over {
        chart::tops(canvas.buf, plot, over, highest, ('◆', theme.marker));
    }
    let at = |value: f64| {
        if log {
            (value > 0.0).then(|| column_of(value.ln(), low.ln(), high.ln(), width)).flatten()
        } else {
            column_of(value, low, high, width)
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
    let mut named = vec![(0, text::number(low), theme.dim), (width - 1, beyond, theme.dim)];
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
