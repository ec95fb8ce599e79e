//! The recipe page: the mask, then the rules with what they picked and decided; the recipe as it stands in its file.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Drawing, airy, below, paragraph};
use crate::engine::plan::{Action, Hits, Recipe, Rule};
use crate::engine::ternary::{Format, Method};
use crate::text;
use crate::tui::keymap::Context;
use crate::tui::state::Session;
use crate::tui::theme::Theme;
use crate::tui::view::tree::{left, right};

/// Columns behind the pattern: matched, decides.
const FIGURES: usize = 19;

pub(super) fn draw(drawing: &mut Drawing<'_, '_>, inner: Rect, beside: Rect) {
    let theme = drawing.canvas.theme;
    let session = drawing.session;
    let recipe = session.plan.recipe();
    let page = &session.pages.recipe;
    let defaults = defaults(recipe, airy(inner).width, theme);
    let used = drawing.canvas.lines(airy(inner), &defaults);
    let rows = below(inner, used);
    let width = usize::from(rows.width);
    let (pattern, action) = columns(width);
    let heading = format!(
        "    # {} {} {} {}",
        left("action", action),
        left("pattern", pattern),
        right("matches", 8),
        right("decides", 9)
    );
    drawing.canvas.text(rows, rows.x, rows.y, &heading, theme.dim);
    let mut rows = below(rows, 1);
    if page.line.is_some() {
        rows = typing(drawing, rows);
    }
    let active = Context::of(drawing.state) != Context::PatternLine;
    let hits = &session.plan.plan().hits;
    drawing.list(rows, page.cursor, recipe.rules.len() + 1, active, |canvas, row| match row.checked_sub(1) {
        None => mask_line(session, width, canvas.theme),
        Some(i) => rule_line(i, &recipe.rules[i], hits.get(i).copied().unwrap_or_default(), width, canvas.theme),
    });
    let outer = Rect { x: inner.x - 1, y: inner.y - 1, width: inner.width + 2, height: inner.height + 2 };
    drawing.place(outer, &format!(" {} ", text::clip(&about(session), width.saturating_sub(4))));
    let after = below(rows, recipe.rules.len() as u16 + 2);
    if recipe.rules.is_empty() {
        let words = "no rules: the mask alone decides. a adds one by a pattern: a name, a glob such as blk.0.*, re:REGEX, \
                     role:ROLE; in the tree space writes them for you";
        drawing.canvas.lines(airy(after), &paragraph(words, airy(after).width, theme.dim));
    }
    toml(drawing, recipe, beside);
}

/// Columns of pattern and action.
fn columns(width: usize) -> (usize, usize) {
    let action = if width >= 70 { 22 } else { 16 };
    (width.saturating_sub(6 + action + 1 + FIGURES), action)
}

/// What holds where no rule says otherwise.
fn defaults(recipe: &Recipe, width: u16, theme: &Theme) -> Vec<Line<'static>> {
    let mut facts = vec![
        format!("format {}", recipe.format),
        format!("method {}", recipe.method),
        format!(
            "fallback {}",
            match recipe.fallback {
                crate::engine::plan::Fallback::Q2_0 => "q2_0",
                crate::engine::plan::Fallback::None => "none",
            }
        ),
        format!("what stays {}", recipe.keep_precision.name()),
    ];
    facts.extend(recipe.embeddings.map(|p| format!("embeddings {}", p.name())));
    facts.extend(recipe.head.map(|p| format!("head {}", p.name())));
    facts.extend((!recipe.unprotect.is_empty()).then(|| {
        let patterns: Vec<String> = recipe.unprotect.iter().map(|p| text::escape(&p.to_string())).collect();
        format!("unprotected {}", text::elide(&patterns.join(" "), 40))
    }));
    paragraph(&facts.join(" · "), width, theme.text)
}

fn mask_line(session: &Session, width: usize, theme: &Theme) -> Line<'static> {
    let (pattern, action) = columns(width);
    let (decides, ternary) = session.pages.derived.mask;
    let mask = format!("mask {}", session.plan.recipe().layers.name());
    let words = [format!("what no rule decides: {ternary} go ternary"), format!("the others: {ternary} ternary")];
    let takes = words.iter().find(|words| text::width(words) <= pattern).unwrap_or(&words[1]);
    Line::from(vec![
        Span::raw("    · "),
        Span::styled(left(&mask, action), theme.accent),
        Span::raw(" "),
        Span::styled(left(takes, pattern), theme.dim),
        Span::styled(right("", 9), theme.dim),
        Span::styled(right(&decides.to_string(), 10), theme.text),
    ])
}

fn rule_line(index: usize, rule: &Rule, hits: Hits, width: usize, theme: &Theme) -> Line<'static> {
    let (pattern, action) = columns(width);
    let (words, style) = match rule.action {
        Action::Keep { precision: None } => ("keep".to_owned(), theme.kept),
        Action::Keep { precision: Some(precision) } => (format!("keep {}", precision.name()), theme.kept),
        Action::Ternary { format, method } => {
            let own: Vec<&str> = [format.map(Format::name), method.map(Method::name)].into_iter().flatten().collect();
            (format!("ternary {}", own.join(" ")), theme.ternary)
        }
    };
    let fate = Fate::of(hits);
    let (sign, figures) = match fate {
        Fate::Decides => {
            (" ", format!("{}{}", right(&hits.matched.to_string(), 9), right(&hits.decided.to_string(), 10)))
        }
        Fate::Never => ("⚠", right("matches nothing", FIGURES)),
        Fate::Protected => ("∅", format!("{}{}", right(&hits.matched.to_string(), 9), right("protected", 10))),
        Fate::Overruled => ("∅", format!("{}{}", right(&hits.matched.to_string(), 9), right("overruled", 10))),
    };
    let idle = fate != Fate::Decides;
    let name = text::elide(&text::escape(&rule.pattern.to_string()), pattern);
    Line::from(vec![
        Span::styled(format!(" {sign}"), theme.warning),
        Span::styled(right(&(index + 1).to_string(), 3), theme.dim),
        Span::raw(" "),
        Span::styled(left(&words, action), style),
        Span::raw(" "),
        Span::styled(left(&name, pattern), if idle { theme.warning } else { theme.strong }),
        Span::styled(figures, if idle { theme.warning } else { theme.text }),
    ])
}

/// What becomes of a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It decides on something.
    Decides,
    /// It matches nothing.
    Never,
    /// All that it matches is protected.
    Protected,
    /// Later rules decide on all that it matches.
    Overruled,
}

impl Fate {
    fn of(hits: Hits) -> Self {
        match hits {
            Hits { matched: 0, .. } => Self::Never,
            Hits { decided: 1.., .. } => Self::Decides,
            Hits { applied: 0, .. } => Self::Protected,
            _ => Self::Overruled,
        }
    }
}

/// The rule under the cursor in a sentence.
fn about(session: &Session) -> String {
    let Some(index) = session.pages.recipe.rule() else {
        return "of rules that match a tensor the last one decides".to_owned();
    };
    let hits = session.plan.plan().hits.get(index).copied().unwrap_or_default();
    let (rule, matched) = (index + 1, text::counted(hits.matched as usize, "tensor"));
    match Fate::of(hits) {
        Fate::Decides => format!("rule {rule} decides on {} of {matched}", hits.decided),
        Fate::Never => format!("rule {rule} matches no tensor of this model: e changes its pattern"),
        Fate::Protected => format!("rule {rule}: {matched}, all protected; one by its whole name goes all the same"),
        Fate::Overruled => format!("rule {rule}: later rules decide on all it matches, {matched}"),
    }
}

/// The line that a pattern is typed into, and what is wrong with it; the rows that are left.
fn typing(drawing: &mut Drawing<'_, '_>, rows: Rect) -> Rect {
    let theme = drawing.canvas.theme;
    let Some(line) = &drawing.session.pages.recipe.line else { return rows };
    let prompt = match (line.of, line.keep) {
        (Some(index), _) => format!(" pattern of rule {}: ", index + 1),
        (None, true) => " keep: ".to_owned(),
        (None, false) => " ternary: ".to_owned(),
    };
    let x = drawing.canvas.text(rows, rows.x, rows.y, &prompt, theme.key);
    let field = Rect { x, width: rows.right().saturating_sub(x + 1), height: 1, ..rows };
    drawing.canvas.input(field, &line.input, true);
    let empty = line.input.text().trim().is_empty();
    let (words, style) = match line.pattern() {
        _ if empty => {
            ("a name, a glob (blk.*.ffn_*), re:REGEX or role:ROLE; tab: keep or ternary".to_owned(), theme.dim)
        }
        Ok(_) => ("enter takes it".to_owned(), theme.dim),
        Err(why) => (format!("✗ {why}"), theme.error),
    };
    // A reason stands behind the pattern that it is about, which may be long.
    let room = Rect { height: rows.height.min(3), ..airy(below(rows, 1)) };
    let used = drawing.canvas.lines(room, &paragraph(&text::escape(&words), room.width, style));
    below(rows, 1 + used)
}

/// The recipe as it stands in its file, with that rule in sight that is under the cursor.
fn toml(drawing: &mut Drawing<'_, '_>, recipe: &Recipe, area: Rect) {
    let theme = drawing.canvas.theme;
    let inner = airy(drawing.canvas.boxed(area, ""));
    drawing.place(area, " as TOML, s writes it ");
    let written = recipe.to_toml().unwrap_or_else(|e| e.to_string());
    let lines: Vec<&str> = written.lines().collect();
    let top = top_of_rule(&lines, drawing.session.pages.recipe.rule(), usize::from(inner.height));
    let rule = drawing.session.pages.recipe.rule().map(|rule| lines_of_rule(&lines, rule));
    for (y, (at, line)) in (inner.y..inner.bottom()).zip(lines.iter().enumerate().skip(top)) {
        let chosen = rule.as_ref().is_some_and(|rule| rule.contains(&at));
        let style = match (line.starts_with("[["), chosen) {
            (true, _) => theme.key,
            (_, true) => theme.strong,
            _ => theme.text,
        };
        drawing.canvas.text(inner, inner.x, y, &text::escape(line), style);
    }
    let below = lines.len().saturating_sub(top + usize::from(inner.height));
    let words = match (top, below) {
        (0, 0) => return,
        (0, _) => format!(" ↓ {} ", text::counted(below, "more line")),
        (_, 0) => format!(" ↑ {} ", text::counted(top, "line")),
        _ => format!(" ↑ {top} ↓ {} ", text::counted(below, "more line")),
    };
    drawing.canvas.text(area, area.x + 2, area.bottom().saturating_sub(1), &words, theme.accent);
}

/// Where a rule stands in the file: from its heading to the next one.
fn lines_of_rule(lines: &[&str], rule: usize) -> std::ops::Range<usize> {
    let mut headings = lines.iter().enumerate().filter(|(_, line)| line.starts_with("[[")).map(|(at, _)| at).skip(rule);
    let start = headings.next().unwrap_or(lines.len());
    start..headings.next().unwrap_or(lines.len())
}

/// The first line to show, so that the whole rule is in sight with what fits before it. Going through the rules shows
/// every line: the mask has the head of the file, the last rule its end.
fn top_of_rule(lines: &[&str], rule: Option<usize>, room: usize) -> usize {
    rule.map_or(0, |rule| lines_of_rule(lines, rule).end.saturating_sub(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_through_the_rules_shows_every_line_of_the_recipe() {
        let text = "a = 1\nb = 2\n\n[[rules]]\np = 1\nq = 1\n\n[[rules]]\np = 2\n\n[[rules]]\np = 3";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines_of_rule(&lines, 0), 3..7);
        for room in 5..lines.len() + 2 {
            let mut seen = vec![false; lines.len()];
            for rule in [None, Some(0), Some(1), Some(2)] {
                let top = top_of_rule(&lines, rule, room);
                seen.iter_mut().skip(top).take(room).for_each(|seen| *seen = true);
                let rule = rule.map_or(0..0, |rule| lines_of_rule(&lines, rule));
                assert!(rule.is_empty() || top <= rule.start && rule.end <= top + room, "{room}: {rule:?} from {top}");
            }
            assert!(seen.iter().all(|seen| *seen), "{room}: {seen:?}");
        }
    }
}
