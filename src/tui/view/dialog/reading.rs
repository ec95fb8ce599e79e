//! Texts that scroll: help, and what the program said so far.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::area_of;
use crate::text;
use crate::tui::keymap::{Context, HelpRow};
use crate::tui::state::dialog::{HelpText, Scroll};
use crate::tui::state::fate::Fate;
use crate::tui::state::jobs::whole_seconds;
use crate::tui::state::{Geometry, State, Tone};
use crate::tui::theme::Theme;
use crate::tui::view::draw::{Canvas, wrap};
use crate::tui::view::tree::{MIX_SIGNS, PARTLY, SELECTED, fate_style, left};

/// Draws lines that may be more than fit, from the scroll's place on.
fn draw(
    title: &str,
    lines: &[Line<'_>],
    scroll: Scroll,
    width: u16,
    canvas: &mut Canvas<'_>,
    area: Rect,
    geometry: &mut Geometry,
) {
    let inner = canvas.dialog(area, width, (lines.len() as u16).saturating_add(2), title);
    let top = scroll.top.min(lines.len().saturating_sub(usize::from(inner.height)));
    canvas.lines(inner, &lines[top..]);
    let below = lines.len().saturating_sub(top + usize::from(inner.height));
    if lines.len() > usize::from(inner.height) {
        let border = Rect { y: inner.bottom(), height: 1, ..inner };
        let words = if below > 0 { format!(" ↓ {below} more ") } else { " end ".to_owned() };
        let dim = canvas.theme.dim;
        canvas.right(border, border.y, &words, dim);
    }
    geometry.dialog = area_of(inner);
    geometry.dialog_offset = top;
    geometry.dialog_lines = lines.len();
}

/// Widest that help becomes.
const HELP: u16 = 120;
/// Columns of keys and signs.
const KEYS: usize = 12;

/// A heading, set off by a line over the rest of the width.
fn heading(title: &str, columns: usize, theme: &Theme) -> Line<'static> {
    let rule = "─".repeat(columns.saturating_sub(text::width(title) + 1));
    Line::from(vec![Span::styled(format!("{title} "), theme.title), Span::styled(rule, theme.border)])
}

/// A key or a sign with what it does or means; lines after the first stand below the words.
fn explained(sign: &str, style: Style, words: &str, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (i, words) in wrap(words, columns.saturating_sub(KEYS + 3)).into_iter().enumerate() {
        let sign = if i == 0 { sign } else { "" };
        let sign = Span::styled(format!("  {} ", left(sign, KEYS)), style);
        lines.push(Line::from(vec![sign, Span::styled(words, theme.text)]));
    }
    lines
}

/// The signs of the tree, each with what it means, those whose words contain this.
fn signs(search: &str, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let of_fate = |fate: Fate| (fate.sign().to_string(), fate.describe(), fate_style(fate, theme));
    let mix = MIX_SIGNS.iter().collect::<String>();
    let more = [
        ("◐", "folder of which a part goes ternary", theme.ternary),
        (SELECTED, "selected: what keys act on", theme.marker),
        (PARTLY, "folder of which some is selected", theme.marker),
        (
            mix.as_str(),
            "shares of a folder in the output: ternary, other blocks, 16-bit floats, the rest",
            theme.ternary,
        ),
        ("~ [a, b]", "from a sample; the truth lies in the interval in 95 of 100 cases", theme.ternary),
        ("(6.89)", "of what does not go ternary: what its SQNR would be if it did", theme.dim),
        ("6.89…", "of a folder: not all that goes ternary is measured yet", theme.dim),
    ];
    let all = Fate::ALL.into_iter().map(of_fate);
    let all = all.chain(more.into_iter().map(|(sign, words, style)| (sign.to_owned(), words, style)));
    let found = all.filter(|(_, words, _)| words.to_lowercase().contains(search));
    found.flat_map(|(sign, words, style)| explained(&sign, style, words, columns, theme)).collect()
}

/// Every key, from the one table; then the signs of the tree.
pub(super) fn help(state: &State, help: &HelpText, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let width = area.width.min(HELP);
    let columns = usize::from(width).saturating_sub(4);
    let mut lines = Vec::new();
    let search = help.search.text().to_lowercase();
    let mut section = |title: &str, rows: Vec<Line<'static>>| {
        if !lines.is_empty() && !rows.is_empty() {
            lines.push(Line::default());
        }
        if !rows.is_empty() {
            lines.push(heading(title, columns, theme));
            lines.extend(rows);
        }
    };
    for context in help.order() {
        let wanted = |row: &HelpRow<'_>| {
            let told = |words: &str| words.to_lowercase().contains(&search);
            row.context == context
                && (search.is_empty()
                    || row.keys.contains(help.search.text())
                    || told(row.help)
                    || told(row.command)
                    || told(context.title()))
        };
        let rows = state.settings.keymap.rows().filter(wanted);
        let rows = rows.flat_map(|row| explained(row.keys, theme.key, row.help, columns, theme)).collect();
        section(context.title(), rows);
        if context == Context::Browse && search.is_empty() {
            section("Signs", signs("", columns, theme));
        }
    }
    if !search.is_empty() {
        let all = if "signs legend marks".contains(&search) { "" } else { &search };
        section("Signs", signs(all, columns, theme));
    }
    if lines.is_empty() {
        lines.push(Line::from(Span::styled("no key and no command is like this", theme.dim)));
    }
    let title =
        if search.is_empty() { "Help".to_owned() } else { format!("Help: {}", text::escape(help.search.text())) };
    draw(&title, &lines, help.scroll, width, canvas, area, geometry);
    if help.searching {
        // On the lower border, so that what is found stays where it is.
        let list = geometry.dialog;
        let line = Rect { x: list.x, y: list.y + list.height, width: list.width.saturating_sub(14), height: 1 };
        let x = canvas.text(line, line.x, line.y, " search ", theme.key);
        canvas.input(Rect { x, width: line.right().saturating_sub(x), ..line }, &help.search, true);
    }
}

/// Messages, newest first.
pub(super) fn messages(state: &State, scroll: Scroll, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let width = area.width.min(100);
    let columns = usize::from(width).saturating_sub(4);
    let mut lines = Vec::new();
    for notice in state.notices.log().iter().rev() {
        let (sign, style) = match notice.tone {
            Tone::Info => ("·", theme.dim),
            Tone::Good => ("✓", theme.good),
            Tone::Warning => ("⚠", theme.warning),
            Tone::Error => ("✗", theme.error),
        };
        let words = format!("{} (after {})", text::escape(&notice.text), whole_seconds(notice.at.as_secs_f64()));
        entry(&mut lines, sign, style, &words, columns, theme);
    }
    if lines.is_empty() {
        lines.push(Line::from(Span::styled("  none yet", theme.dim)));
    }
    draw("Messages", &lines, scroll, width, canvas, area, geometry);
}

fn entry(lines: &mut Vec<Line<'static>>, sign: &'static str, style: Style, words: &str, columns: usize, theme: &Theme) {
    for (i, line) in wrap(words, columns.saturating_sub(4)).into_iter().enumerate() {
        let sign = if i == 0 { format!("  {sign} ") } else { "    ".to_owned() };
        lines.push(Line::from(vec![Span::styled(sign, style), Span::styled(line, theme.text)]));
    }
}
