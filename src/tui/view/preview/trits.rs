//! What is in a tensor that is ternary already: shares, entropy, scales, oddities, and where it comes from.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Sight;
use crate::engine::forensics::look::TritsLook;
use crate::engine::forensics::{SliceFigures, is_zero};
use crate::engine::stats::Estimate;
use crate::engine::stats::forensics::{MAX_ENTROPY, VerdictKind};
use crate::jobs::Seen;
use crate::text;
use crate::tui::state::Geometry;
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, flow, wrap};
use crate::tui::view::tree::{left, right};
use crate::tui::widgets::gauge;

pub(super) fn draw(sight: &Sight<'_>, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let columns = usize::from(area.width);
    let Some((tensor, subject)) = sight.session.look() else {
        let lines = floats(sight, canvas.theme, columns);
        super::scrolling(&lines, &sight.session.pane, canvas, area, geometry);
        return;
    };
    match sight.session.pane.looks.best(tensor, subject) {
        Some(Ok(Seen::Trits(trits))) => {
            let lines = lines(trits, canvas.theme, columns);
            super::scrolling(&lines, &sight.session.pane, canvas, area, geometry);
        }
        Some(Err(why)) => {
            super::message(canvas, area, &text::escape(why));
        }
        _ => super::busy(canvas, area, "counting …", false),
    }
}

/// What there is to say of a tensor that has no trits.
fn floats(sight: &Sight<'_>, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let tensor = &sight.session.model.tensors[sight.tensor];
    let mut words = vec![(format!("{} is no ternary type: it has no trits to count.", tensor.dtype), theme.text)];
    let report = sight.coded().and_then(|(format, _)| sight.session.previews.report((sight.tensor, format)));
    if let Some(report) = report
        && let Some(method) = report.methods.first().filter(|_| report.format.is_plain())
    {
        let (native, blocks) = (method.stats.scales.native, method.stats.scales.blocks);
        let of = if report.exact { "blocks" } else { "blocks sampled" };
        words.push((format!("{native} of {blocks} {of} are {{−s, 0, +s}} as they stand."), theme.text));
        words.push(if report.is_native() {
            ("So its weights are ternary already: method lossless codes them without loss.".to_owned(), theme.good)
        } else {
            ("So coding it loses something; the other tabs say how much.".to_owned(), theme.dim)
        });
    }
    let lines = words.into_iter().flat_map(|(words, style)| {
        wrap(&words, columns).into_iter().map(move |line| Line::from(Span::styled(line, style)))
    });
    lines.collect()
}

/// Columns of a figure's name.
const NAME: usize = 18;

fn lines(trits: &TritsLook, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let looked = if trits.exact {
        format!("all {} weights", text::count(trits.weights.1))
    } else {
        format!("~ sample of {} of {} weights", text::count(trits.weights.0), text::count(trits.weights.1))
    };
    lines.extend(flow(
        vec![vec![Span::styled("Trits  ", theme.title), Span::styled(looked, theme.dim)]],
        columns as u16,
    ));
    // Beside it: the name, the share and its interval.
    let bar = columns.saturating_sub(27).clamp(4, 40);
    let styles = [theme.bar_minus, theme.bar_zero, theme.bar_plus];
    for ((name, share), style) in ["−1", " 0", "+1"].into_iter().zip(trits.shares).zip(styles) {
        let mut spans = vec![Span::styled(format!("  {name} "), theme.strong)];
        spans.extend(gauge::bar(bar, share.value, style, theme.track));
        spans.push(Span::styled(right(&sampled(share.value, trits.exact), 9), theme.text));
        if !trits.exact {
            spans.push(Span::styled(interval(share), theme.dim));
        }
        lines.push(Line::from(spans));
    }
    let mut below = false;
    for (name, value, odd) in pairs(trits) {
        let style = if odd { theme.warning } else { theme.text };
        let value = if odd { format!("⚠ {value}") } else { value };
        let name = Span::styled(left(&format!("  {name}"), NAME), theme.dim);
        // What has no room beside its name stands below it, and with it what else is said under that name.
        below = NAME + text::width(&value) > columns || (below && name.content.trim().is_empty());
        if !below {
            lines.push(Line::from(vec![name, Span::styled(value, style)]));
            continue;
        }
        if !name.content.trim().is_empty() {
            lines.push(Line::from(name));
        }
        let words = wrap(&value, columns.saturating_sub(4));
        lines.extend(words.into_iter().map(|words| Line::from(Span::styled(format!("    {words}"), style))));
    }
    lines.push(Line::default());
    lines.extend(verdict(trits, theme, columns));
    lines.extend(experts(trits, theme, columns));
    lines
}

fn sampled(share: f64, exact: bool) -> String {
    format!("{}{}", if exact { "" } else { "~" }, text::percent(share))
}

fn interval(share: Estimate) -> String {
    format!(" [{:.1}, {:.1}]", share.low * 100.0, share.high.min(1.0) * 100.0)
}

/// Name, value, and whether it is odd.
fn pairs(trits: &TritsLook) -> Vec<(&'static str, String, bool)> {
    let f = &trits.figures;
    let s = &f.scales;
    let sign = if trits.exact { "" } else { "~" };
    let mut pairs = vec![
        ("entropy", format!("{sign}{:.3} of {MAX_ENTROPY:.3} bits a trit", f.entropy()), false),
        ("signs", format!("{sign}{:+.4} (balance of + and −)", f.sign_balance()), f.sign_balance().abs() > 0.2),
    ];
    if s.usable > 0 {
        let (mean, std) = (s.mean(), s.std());
        let cv = if mean == 0.0 { 0.0 } else { std / mean.abs() };
        pairs.push((
            "scales",
            format!("{sign}{} ± {} ({cv:.2} of the mean)", text::number(mean), text::number(std)),
            false,
        ));
        let or = if trits.exact { "" } else { " in the sample" };
        pairs.push(("", format!("{} to {}{or}", text::number(s.min), text::number(s.max)), false));
        let count = s.distinct();
        pairs.push(("", format!("{} different{or}", text::count(count)), false));
    }
    let odd = s.zero + s.negative + s.subnormal + s.nan + s.infinite;
    let words = if odd == 0 {
        "none".to_owned()
    } else {
        let named = [
            ("zero", s.zero),
            ("negative", s.negative),
            ("subnormal", s.subnormal),
            ("NaN", s.nan),
            ("infinite", s.infinite),
        ];
        let named = named.iter().filter(|(_, n)| *n > 0);
        named.map(|(name, n)| format!("{n} {name}")).collect::<Vec<_>>().join(", ")
    };
    pairs.push(("odd scales", words, odd > 0));
    let illegal = f.illegal_codes() + f.illegal_bytes;
    let found = if illegal == 0 { "none".to_owned() } else { illegal.to_string() };
    pairs.push(("illegal codes", found, illegal > 0));
    if f.plus_two() > 0 {
        pairs.push(("codes of +2", text::count(f.plus_two()), true));
    }
    let all = if is_zero(f) { ": every weight is 0" } else { "" };
    pairs.push(("zero blocks", format!("{sign}{} of {}{all}", f.zero_blocks + f.silenced, f.blocks), is_zero(f)));
    if trits.exact {
        let about = if f.duplicates.is_estimate() { "~" } else { "" };
        pairs.push(("repeated blocks", format!("{about}{}", f.duplicates.repeated()), false));
    }
    if let Some(first) = trits.first_bad_scale {
        pairs.push(("first bad scale", format!("in the block from weight {first} on"), true));
    }
    pairs
}

fn verdict(trits: &TritsLook, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let Some(verdict) = &trits.verdict else {
        let words = "where it comes from is told when every code is counted …";
        return vec![Line::from(Span::styled(words, theme.dim))];
    };
    let style = match verdict.kind {
        VerdictKind::NativelyTernary => theme.good,
        VerdictKind::PostTraining => theme.accent,
        VerdictKind::Unclear => theme.warning,
    };
    lines.push(Line::from(vec![Span::styled("Verdict  ", theme.title), Span::styled(verdict.kind.name(), style)]));
    for evidence in &verdict.evidence {
        for (i, line) in wrap(&text::escape(evidence), columns.saturating_sub(4)).into_iter().enumerate() {
            let lead = if i == 0 { "  - " } else { "    " };
            lines.push(Line::from(Span::styled(format!("{lead}{line}"), theme.text)));
        }
    }
    match &trits.base {
        None => {}
        Some(Err(why)) => {
            let words = format!("base: not compared: {}", text::escape(why));
            lines.push(Line::from(Span::styled(words, theme.dim)));
        }
        Some(Ok(agreement)) => {
            let share = agreement.share().map_or("–".to_owned(), text::percent);
            let correlation = agreement.correlation().map_or("–".to_owned(), |c| format!("{c:.2}"));
            let words =
                format!("base: {share} of the nonzero trits have its sign; |w| and trits correlate {correlation}");
            lines.extend(wrap(&words, columns).into_iter().map(|line| Line::from(Span::styled(line, theme.text))));
        }
    }
    lines
}

/// The experts of a merged tensor: the spread of zeros and scales, and which are all zeros.
fn experts(trits: &TritsLook, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    if trits.slices.len() < 2 {
        return Vec::new();
    }
    let range = |of: fn(&crate::engine::forensics::SliceFigures) -> f64| {
        trits.slices.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)))
    };
    let (zeros, scales) = (range(SliceFigures::zero_share), range(SliceFigures::scale_mean));
    let dead = trits.slices.iter().filter(|e| e.is_zero()).count();
    let words = format!(
        "{} matrices: zeros {} to {}, scales {} to {}, {dead} all zero",
        trits.slices.len(),
        text::percent(zeros.0),
        text::percent(zeros.1),
        text::number(scales.0),
        text::number(scales.1)
    );
    let style = if dead > 0 { theme.warning } else { theme.text };
    let lines = wrap(&words, columns).into_iter().map(|line| Line::from(Span::styled(line, style)));
    std::iter::once(Line::default()).chain(lines).collect()
}
