//! The plan bar: what the plan amounts to, how good it is, the command that does the same, and the hints or a message.

use std::path::{Path, PathBuf};

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::draw::{Canvas, spinner, wrap};
use crate::engine::error::Severity;
use crate::engine::plan::Reason;
use crate::engine::preview::sqnr_db;
use crate::engine::progress::Stage;
use crate::text;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::state::command::default_out;
use crate::tui::state::geometry::Spot;
use crate::tui::state::jobs::whole_seconds;
use crate::tui::state::notice::Notice;
use crate::tui::state::tree::Item;
use crate::tui::state::{Area, Geometry, Session, State, Tone};
use crate::tui::theme::Theme;
use crate::tui::widgets::gauge;

pub(super) fn draw(state: &State, session: &Session, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    canvas.line(area, area.y, &totals(session, canvas, area.width));
    quality(state, session, canvas, Rect { y: area.y + 1, height: 1, ..area });
    command(state, session, canvas, Rect { y: area.y + 2, height: 1, ..area });
    hints(state, canvas, area, geometry);
}

/// Columns below which bits per weight stand without those of the source, so that format and method have room.
const NARROW: u16 = 100;

/// The figures of the plan, as many as there is room for; none is cut.
fn totals(session: &Session, canvas: &Canvas<'_>, width: u16) -> Line<'static> {
    let theme = canvas.theme;
    let totals = session.plan.plan().totals;
    let recipe = session.plan.recipe();
    let gauge_width = usize::from(width / 8).clamp(8, 24);
    let mut line = Line::from(Span::raw(" "));
    line.spans.extend(gauge::bar(gauge_width, totals.ternary_share(), theme.accent, theme.track));
    line.push_span(Span::styled(format!(" {} ternary", text::percent(totals.ternary_share())), theme.strong));
    let dim = |words: String| Span::styled(words, theme.dim);
    let narrow = width < NARROW;
    let before = if narrow { String::new() } else { format!("{:.2} → ", totals.bpw()) };
    let mut facts = vec![
        vec![
            dim(format!("  data {} → ", text::bytes(totals.bytes))),
            Span::styled(text::bytes(totals.new_bytes), theme.strong),
        ],
        vec![dim(format!("  {before}")), Span::styled(format!("{:.2} bpw", totals.new_bpw()), theme.strong)],
    ];
    if narrow {
        let how = format!("  {} {}", recipe.format.name(), recipe.method.name());
        facts.push(vec![Span::styled(how, theme.text)]);
    }
    let named = |name: &str, value: &'static str| vec![dim(name.to_owned()), Span::styled(value, theme.text)];
    let tensors = totals.ternary_tensors + totals.already_ternary_tensors;
    facts.push(vec![dim(format!("  {tensors} of {} tensors", totals.tensors))]);
    facts.push(named("   mask ", recipe.layers.name()));
    if !narrow {
        facts.extend([named("  format ", recipe.format.name()), named("  method ", recipe.method.name())]);
    }
    for fact in facts {
        let columns: usize = fact.iter().map(Span::width).sum();
        if line.width() + columns > usize::from(width) {
            break;
        }
        line.spans.extend(fact);
    }
    line
}

fn quality(state: &State, session: &Session, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let right = job(state, canvas, area);
    let area = Rect { width: right.saturating_sub(area.x + 1), ..area };
    let mut line = Line::from(Span::raw(" "));
    let mut parts = quality_parts(session, canvas.theme);
    let (errors, notes) = notes(session);
    if notes > 0 {
        parts.insert(
            1.min(parts.len()),
            vec![Span::styled(format!("  ⚠ {}", text::counted(notes, "warning")), theme.warning)],
        );
    }
    if errors > 0 {
        parts.insert(
            1.min(parts.len()),
            vec![Span::styled(format!("  ✗ {}", text::counted(errors, "error")), theme.error)],
        );
    }
    if let Some(what) = session.model.cut_off() {
        // Figures of a part of a model come behind the fact that it is a part.
        if let Some(first) = parts.first_mut() {
            first.insert(0, Span::raw("  "));
        }
        let words = format!("✗ {}", text::escape(what));
        let brief = words.split(';').next().unwrap_or(&words);
        let fits = text::width(&words) < usize::from(area.width);
        parts.insert(0, vec![Span::styled(if fits { words.clone() } else { brief.to_owned() }, theme.error)]);
    }
    for part in parts {
        let columns: usize = part.iter().map(Span::width).sum();
        // The first part is cut if it must be, any other is left out.
        if line.spans.len() == 1 || line.width() + columns <= usize::from(area.width) {
            line.spans.extend(part);
        }
    }
    canvas.line(area, area.y, &line);
}

/// How good the plan is, the most important part first.
fn quality_parts(session: &Session, theme: &Theme) -> Vec<Vec<Span<'static>>> {
    let sum = session.summaries.of(Item::Model);
    let plan = session.plan.plan();
    let already = plan.totals.already_ternary_tensors;
    if plan.totals.ternary_tensors == 0 && already > 0 {
        let words = format!("{already} tensors are ternary already and stay; space picks others");
        return vec![vec![Span::styled(words, theme.dim)]];
    }
    if sum.eligible == 0 && plan.totals.ternary_tensors == 0 {
        return vec![vec![Span::styled("nothing in this model may go ternary", theme.dim)]];
    }
    if plan.notes.iter().any(|n| n.code == "no-experts" && n.severity == Severity::Warning) {
        let words = "no routed experts here: press L for all linear layers, or space to pick";
        return vec![vec![Span::styled(words, theme.warning)]];
    }
    if plan.totals.ternary_tensors == 0 {
        let words = "nothing goes ternary yet: space picks, L changes the mask";
        return vec![vec![Span::styled(words, theme.dim)]];
    }
    let partial = sum.is_partial();
    let Some(error) = sum.error.filter(|e| !partial || sqnr_db(e.value).is_finite()) else {
        let words = if partial { "measuring …" } else { "nothing that goes ternary can be measured" };
        return vec![vec![Span::styled(words, theme.dim)]];
    };
    let db = sqnr_db(error.value);
    let (sign, more) = match sum.is_exact() {
        true => ("", ""),
        false if partial => ("", " so far"),
        false => ("~", ""),
    };
    let sqnr = vec![
        Span::styled("SQNR ", theme.dim),
        Span::styled(format!("{sign}{} dB{more}", text::decibels(db)), theme.sqnr(db)),
    ];
    let (low, high) = (sqnr_db(error.high.max(error.value)), sqnr_db(error.low));
    // That of a part is none of the whole.
    let interval = if sum.is_exact() || partial {
        String::new()
    } else {
        format!(" [{}, {}]", text::decibels(low), text::decibels(high))
    };
    let s = if sum.ternary == 1 { "" } else { "s" };
    let counted = if sum.measured < sum.ternary {
        format!("  over {} of {} ternary tensor{s}", sum.measured, sum.ternary)
    } else if sum.exact < sum.ternary {
        format!("  over {} ternary tensor{s}, {} in full", sum.ternary, sum.exact)
    } else {
        format!("  over {} ternary tensor{s}, all in full", sum.ternary)
    };
    let rel_mse = format!("  rel MSE {}", text::number(error.value));
    let mut parts: Vec<Vec<Span<'static>>> =
        vec![sqnr.into_iter().chain([Span::styled(interval, theme.dim)]).collect()];
    if plan.totals.fallbacks > 0 {
        let words = format!("  ↓ {} as {}", plan.totals.fallbacks, fallback(session));
        parts.push(vec![Span::styled(words, theme.warning)]);
    }
    if plan.totals.converted_tensors > 0 {
        // Their errors are in none of these figures.
        let words = format!("  {} recoded, not in it", plan.totals.converted_tensors);
        parts.push(vec![Span::styled(words, theme.warning)]);
    }
    parts.extend([counted, rel_mse].map(|words| vec![Span::styled(words, theme.dim)]));
    parts
}

/// The type that tensors get whose shape the format asked for does not fit.
fn fallback(session: &Session) -> String {
    let shared = session.plan.plan().decisions.shared().iter();
    let found = shared.map(|s| &s.decision).find(|d| matches!(d.reason, Reason::FellBack { .. }));
    found.map_or_else(String::new, |d| d.new_type.to_string())
}

/// What the user should look at: errors and warnings of the plan and of the file.
fn notes(session: &Session) -> (usize, usize) {
    let all = [&session.plan.plan().notes, &session.model.diagnostics, &session.problems];
    let of = |severity| all.iter().flat_map(|found| found.iter()).filter(|d| d.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning))
}

/// The running export at the right end of a row; what is left of the row ends where it begins.
pub(super) fn job(state: &State, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let Some(line) = job_line(state, canvas) else { return area.right() };
    let x = area.right().saturating_sub(line.width() as u16 + 1).max(area.x);
    canvas.line(Rect { x, width: area.right() - x, ..area }, area.y, &line);
    x
}

/// The running export in a few words.
fn job_line(state: &State, canvas: &Canvas<'_>) -> Option<Line<'static>> {
    let theme = canvas.theme;
    let job = state.jobs.current()?;
    let stage = job.stage().map_or("queued", Stage::label);
    let mut spans = if job.paused.is_some() {
        vec![Span::styled("‖ paused ", theme.warning)]
    } else {
        vec![Span::styled(format!("{} {stage} ", spinner(state.phase())), theme.accent)]
    };
    if matches!(job.stage(), Some(Stage::Write | Stage::Verify)) {
        spans.extend(gauge::bar(10, job.state.fraction(), theme.accent, theme.track));
        spans.push(Span::styled(format!(" {:.0} %", (job.state.fraction() * 100.0).floor()), theme.text));
    }
    if let Some(seconds) = job.remaining() {
        spans.push(Span::styled(format!(" {}", whole_seconds(seconds)), theme.dim));
    }
    let waiting = state.jobs.waiting().filter(|other| other.state.id != job.state.id).count();
    if waiting > 0 {
        spans.push(Span::styled(format!(" +{waiting}"), theme.dim));
    }
    if state.quit_when_done {
        spans.push(Span::styled(", then quits", theme.dim));
    }
    Some(Line::from(spans))
}

/// Columns that a path keeps at least in a command that is too long.
const PATH: usize = 16;

/// The equivalent command. Paths are as short as the working folder allows. Where the line is too long, what it says
/// without need goes, then the middle of the paths; where that is not enough it ends with the key that copies it whole.
fn command(state: &State, session: &Session, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let (call, recipe) = (state.settings.call(), &session.plan.spelled_out(&session.model));
    let source = &session.model.path;
    let out = default_out(source, state.out_folder(source), recipe);
    let near = |path: &Path| path.strip_prefix(&state.settings.folder).map_or_else(|_| path.to_owned(), Path::to_owned);
    let (source, out) = (near(source), near(&out));
    let room = usize::from(area.width).saturating_sub(4);
    let bare = text::width(&call.brief(Path::new("A"), Path::new("B"), recipe)) - 2;
    let half = (room.saturating_sub(bare) / 2).max(PATH);
    let short = |path: &Path| PathBuf::from(text::elide(&path.to_string_lossy(), half));
    let tiny = |path: &Path| PathBuf::from(text::elide(&path.to_string_lossy(), PATH / 2));
    let forms = [
        call.quantize(&source, &out, recipe),
        call.brief(&source, &out, recipe),
        call.brief(&short(&source), &out, recipe),
        call.brief(&source, &short(&out), recipe),
        call.brief(&short(&source), &short(&out), recipe),
        // Names may tell little then; what is asked for is all there.
        call.brief(&tiny(&source), &tiny(&out), recipe),
    ];
    let x = canvas.text(area, area.x + 1, area.y, "$ ", theme.dim);
    if let Some(shown) = forms.iter().find(|shown| text::width(shown) <= room) {
        canvas.text(area, x, area.y, shown, theme.text);
        return;
    }
    let copies = state.settings.keymap.key_of(Context::of_session(session), Action::CopyMenu);
    let note = copies.map_or_else(String::new, |key| format!(" ({key} copies it)"));
    let shown = text::clip(&forms[5], room.saturating_sub(text::width(&note)));
    let x = canvas.text(area, x, area.y, &shown, theme.text);
    canvas.text(area, x, area.y, &note, theme.dim);
}

/// Rows of the bar that a message takes at most.
const MESSAGE: usize = 3;

/// The hints of what has the keys in the last row of the bar, or the newest message while it is fresh.
pub(super) fn hints(state: &State, canvas: &mut Canvas<'_>, bar: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    if let Some(notice) = state.notices.shown(state.now) {
        return message(state, notice, canvas, bar);
    }
    let area = Rect { y: bar.bottom().saturating_sub(1), height: 1, ..bar };
    canvas.buf.set_style(area, theme.text);
    let context = Context::of(state);
    let hints: Vec<_> = state.settings.keymap.hints(state).collect();
    // Commands, help and quit are worth more than what is in the middle.
    let (kept, last) = hints.split_at(hints.len().saturating_sub(if context == Context::Browse { 3 } else { 0 }));
    let width = |(key, word, _): &(&str, &str, Action)| text::width(key) + 1 + text::width(word) + 2;
    let mut room = usize::from(area.width).saturating_sub(1 + last.iter().map(width).sum::<usize>());
    let mut x = area.x + 1;
    let fitting = kept.iter().take_while(|hint| match room.checked_sub(width(hint)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    });
    let shown: Vec<_> = fitting.chain(last).copied().collect();
    for (key, word, action) in shown {
        let begin = x;
        x = canvas.text(area, x, area.y, key, theme.key);
        x = canvas.text(area, x + 1, area.y, word, theme.dim);
        geometry.spots.push((Area { x: begin, y: area.y, width: x - begin, height: 1 }, Spot::Act(action)));
        x += 2;
    }
}

/// A message. What is too long for the last row takes those above it too, for as long as it is shown; what is too long
/// for all that it may take says where the whole of it is.
fn message(state: &State, notice: &Notice, canvas: &mut Canvas<'_>, bar: Rect) {
    let theme = canvas.theme;
    let (sign, style) = match notice.tone {
        Tone::Info => ("·", theme.accent),
        Tone::Good => ("✓", theme.good),
        Tone::Warning => ("⚠", theme.warning),
        Tone::Error => ("✗", theme.error),
    };
    let room = usize::from(bar.width.saturating_sub(3));
    let mut lines = wrap(&text::escape(&notice.text), room);
    if lines.len() > MESSAGE {
        let key = state.settings.keymap.key_of(Context::of(state), Action::Messages);
        let rest = key.map_or_else(|| "…".to_owned(), |key| format!("… {key} shows all"));
        let last = text::head(&lines[MESSAGE - 1], room.saturating_sub(text::width(&rest))).trim_end().to_owned();
        lines.truncate(MESSAGE - 1);
        lines.push(last + &rest);
    }
    let height = lines.len() as u16;
    let area = Rect { y: bar.bottom().saturating_sub(height), height, ..bar };
    canvas.clear(area);
    canvas.text(area, area.x + 1, area.y, sign, style);
    for (y, line) in (area.y..).zip(&lines) {
        canvas.text(area, area.x + 3, y, line, style);
    }
}
