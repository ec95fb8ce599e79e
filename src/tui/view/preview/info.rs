//! What a tensor is and what becomes of it, in words.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::state::Session;
use crate::tui::state::summary::what_if;
use crate::tui::view::draw::{Canvas, wrap};
use crate::tui::view::tree::mark;

/// Draws the lines, of a brief one only name and what becomes of it; how many they are.
pub(super) fn draw(session: &Session, index: usize, canvas: &mut Canvas<'_>, area: Rect, brief: bool) -> u16 {
    let theme = canvas.theme;
    let columns = usize::from(area.width);
    let decision = session.plan.decision(index);
    let tensor = &session.model.tensors[index];
    let name = text::elide(&text::escape(&tensor.name), columns);
    let mut lines = vec![Line::from(Span::styled(name, theme.strong))];
    let mut facts = vec![tensor.role.to_string(), text::shape(&tensor.dims)];
    let bpw = format!("{:.2} bpw", tensor.bpw());
    facts.push(format!("{} {}", tensor.dtype, text::bytes(tensor.bytes)));
    facts.push(bpw);
    let mut line = String::new();
    for fact in facts {
        let sign = if line.is_empty() { "" } else { " · " };
        if text::width(&line) + text::width(sign) + text::width(&fact) > columns {
            break;
        }
        line = line + sign + &fact;
    }
    if !brief {
        lines.push(Line::from(Span::styled(line, theme.dim)));
    }
    let (sign, style) = mark(session, index, theme);
    let result = match decision.method_name() {
        Some(method) => format!("→ {} {method} {}", decision.new_type, text::bytes(decision.new_bytes)),
        None if decision.new_type != tensor.dtype => {
            format!("→ {} {}", decision.new_type, text::bytes(decision.new_bytes))
        }
        None => format!("stays {}", tensor.dtype),
    };
    lines.push(Line::from(vec![
        Span::styled(format!("{sign} "), style),
        Span::styled(text::clip(&result, columns - 2), style),
    ]));
    if brief {
        return canvas.lines(area, &lines);
    }
    let rule = decision.rule_text(session.plan.recipe());
    let why = format!("{} ({rule})", decision.reason_text());
    let (rows, rows_beside) = if area.height >= 26 { (3, 2) } else { (2, 1) };
    let beside = facts_beside(session, index).into_iter().map(|fact| (fact, rows_beside, theme.accent));
    for (words, rows, style) in std::iter::once((why, rows, theme.dim)).chain(beside) {
        let wrapped = wrapped(&text::escape(&words), columns - 2, rows);
        lines.extend(wrapped.into_iter().map(|line| Line::from(Span::styled(format!("  {line}"), style))));
    }
    if area.height >= 26 {
        lines.push(Line::default());
    }
    canvas.lines(area, &lines)
}

/// Words on at most this many lines; the last is cut if it must be.
fn wrapped(words: &str, columns: usize, rows: usize) -> Vec<String> {
    let mut lines = wrap(words, columns);
    if lines.len() > rows {
        let last = lines.split_off(rows - 1).join(" ");
        lines.push(text::clip(&last, columns));
    }
    lines
}

/// What is worth a line besides: which meaning of its type number was taken, and that nothing would be lost.
fn facts_beside(session: &Session, index: usize) -> Vec<String> {
    let tensor = &session.model.tensors[index];
    let number = tensor.dtype.number();
    let mut facts: Vec<String> = session
        .model
        .dialects
        .iter()
        .filter(|f| Some(f.number) == number && f.is_remarkable())
        .map(crate::engine::codec::dialect::Finding::short)
        .collect();
    if let Some(first) = tensor.aliases.first() {
        let more =
            if tensor.aliases.len() > 1 { format!(" and {} more", tensor.aliases.len() - 1) } else { String::new() };
        facts.push(format!("from {first}{more}"));
    }
    let report = what_if(&session.plan, index).and_then(|(format, _)| session.previews.report((index, format)));
    if let Some(report) = report.filter(|r| r.is_native()) {
        let seen = if report.exact { "every block" } else { "every block sampled" };
        facts.push(format!("ternary already, {seen} {{−s, 0, +s}}: nothing is lost (m: lossless)"));
    }
    facts
}
