//! The preview of what is under the cursor: a tensor in tabs, or a folder's sums.

mod block;
mod details;
mod experts;
mod figures;
mod folder;
mod info;
mod map;
mod matrix;
mod methods;
mod scales;
mod tiles;
mod trits;
mod weights;

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::draw::{Canvas, fitting};
use crate::engine::plan::Protection;
use crate::engine::preview::{MethodReport, TensorReport};
use crate::engine::ternary::{Format, Method};
use crate::text;
use crate::tui::state::fate::{never, stays};
use crate::tui::state::previews::Subject;
use crate::tui::state::summary::what_if;
use crate::tui::state::{Area, Geometry, Session, State, Tab};

/// What the parts of a tensor's preview are drawn from.
struct Subjected<'a> {
    session: &'a Session,
    tensor: usize,
    report: &'a TensorReport,
    /// The chosen method's figures, or the first's where the chosen one was not measured.
    method: &'a MethodReport,
    /// The protection that nothing lifts, if it has one: then methods mean nothing here.
    never: Option<Protection>,
}

impl<'a> Subjected<'a> {
    fn new(session: &'a Session, tensor: usize, report: &'a TensorReport, method: &'a MethodReport) -> Self {
        let never = never(&session.plan, tensor);
        Self { session, tensor, report, method, never }
    }
}

/// What tabs are drawn from that look beyond a report.
struct Sight<'a> {
    state: &'a State,
    session: &'a Session,
    tensor: usize,
}

impl Sight<'_> {
    /// The format and method that the tensor is coded by, or would be.
    fn coded(&self) -> Option<(Format, Method)> {
        what_if(&self.session.plan, self.tensor)
    }

    /// Whether the importance matrix has something about the tensor.
    fn weighted(&self) -> bool {
        self.state.has_importance(self.tensor)
    }
}

pub(super) fn draw(state: &State, session: &Session, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let inner = canvas.boxed(area, "");
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    match session.tree.selected_tensor() {
        Some(tensor) => {
            if session.pane.focused {
                let style = canvas.theme.accent;
                canvas.frame(area, style);
                canvas.right(
                    Rect { width: area.width.saturating_sub(2), ..area },
                    area.bottom() - 1,
                    " esc: tree ",
                    style,
                );
            }
            tabs(session, canvas, area, geometry);
            let asked = goto(session, canvas, inner);
            let inner = Rect { height: inner.height - asked, ..inner };
            draw_tensor(&Sight { state, session, tensor }, canvas, inner, geometry);
        }
        None => folder::draw(session, canvas, area, inner),
    }
}

/// The line that a place is typed into, at the foot of the pane, and below it what is wrong with it; rows taken.
fn goto(session: &Session, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let Some(line) = &session.pane.goto else { return 0 };
    let rows = area.height.min(2);
    let foot = Rect { y: area.bottom() - rows, height: rows, ..area };
    let x = canvas.text(foot, foot.x, foot.y, "row:block ", canvas.theme.title);
    let field = Rect { x, width: foot.right().saturating_sub(x).min(26), height: 1, ..foot };
    canvas.input(field, &line.input, true);
    let (words, style) = match (&line.problem, session.pane.place.shape) {
        (Some(why), _) => (format!("✗ {why}"), canvas.theme.error),
        (None, Some(shape)) => (format!("rows 0–{}, blocks 0–{}", shape.rows - 1, shape.columns - 1), canvas.theme.dim),
        (None, None) => return rows,
    };
    let words = text::clip(&words, usize::from(foot.width));
    canvas.text(foot, foot.x, foot.y + 1, &words, style);
    rows
}

/// How much of their names the tabs show.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    /// Whole names with air between them.
    Roomy,
    /// Whole names.
    Whole,
    /// Abbreviations, but the open one's whole.
    Abridged,
    /// Abbreviations.
    Short,
    /// The open one's alone, whole.
    Open,
}

/// What stands for a tab.
fn label(i: usize, tab: Tab, open: bool, names: Names) -> String {
    let (number, title) = (i + 1, tab.title());
    match names {
        Names::Roomy => format!(" {number} {title} "),
        Names::Whole => format!(" {number} {title}"),
        Names::Abridged | Names::Open if open => format!(" {number} {title}"),
        Names::Abridged | Names::Short => format!(" {number} {}", tab.short()),
        Names::Open => format!(" {number}"),
    }
}

/// The tabs stand in the upper border, with as much of their names as there is room for. All have their numbers.
fn tabs(session: &Session, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let open = |tab: Tab| tab == session.tab;
    let columns = |names: Names| -> usize {
        let labels = Tab::ALL.into_iter().enumerate().map(|(i, tab)| label(i, tab, open(tab), names));
        labels.map(|label| text::width(&label)).sum()
    };
    let room = usize::from(area.width).saturating_sub(4);
    let fitting =
        [Names::Roomy, Names::Whole, Names::Abridged, Names::Short].into_iter().find(|names| columns(*names) <= room);
    let names = fitting.unwrap_or(Names::Open);
    let mut x = area.x + 2;
    let inside = Rect { width: area.width.saturating_sub(1), ..area };
    for (i, tab) in Tab::ALL.into_iter().enumerate() {
        let active = open(tab);
        let label = label(i, tab, active, names);
        let style = if active { theme.title } else { theme.dim };
        let end = canvas.text(inside, x, area.y, &label, style);
        geometry.tabs.push((Area { x, y: area.y, width: end - x, height: 1 }, tab));
        x = end;
    }
    if names != Names::Roomy && x + 1 < area.right() {
        canvas.text(inside, x, area.y, " ", theme.dim);
    }
}

fn draw_tensor(sight: &Sight<'_>, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let (session, tensor) = (sight.session, sight.tensor);
    // What has its own words for the tensor needs no more than its name above it.
    let own_words = matches!(session.tab, Tab::Map | Tab::Block | Tab::Trits | Tab::Info);
    // Where there is little room, charts and tables get what there is.
    let brief = own_words || area.height < 12 || (area.height < 22 && session.tab != Tab::Overview);
    let used = if session.tab == Tab::Info { 0 } else { info::draw(session, tensor, canvas, area, brief) };
    let area = below(area, used);
    match session.tab {
        Tab::Map if never(&session.plan, tensor).is_none() => return map::draw(sight, canvas, area, geometry),
        Tab::Block => return block::draw(sight, canvas, area, geometry),
        Tab::Trits => return trits::draw(sight, canvas, area, geometry),
        Tab::Info => return details::draw(sight, canvas, area, geometry),
        _ => {}
    }
    let subject = what_if(&session.plan, tensor).map(|(format, method)| ((tensor, format), method));
    let Some((subject, method)) = subject else {
        unmeasurable(sight, canvas, area);
        return;
    };
    if let Some(report) = session.previews.report(subject) {
        let Some(chosen) = report.method(method).or(report.methods.first()) else { return };
        if let Some(index) = report.non_finite {
            let (nan, infinite) = (report.sums.nan, report.sums.infinite);
            let seen = if report.exact { "" } else { " in the sample" };
            let what = format!(
                "element {index} is NaN or infinite: this tensor cannot go ternary ({nan} NaN, {infinite} infinite{seen})"
            );
            let used = message(canvas, area, &what) + 2;
            if session.tab == Tab::Weights {
                let area = below(area, used);
                let subject = Subjected::new(session, tensor, report, chosen);
                let used = weights::moments(&subject, canvas, area) + 1;
                heading(canvas, below(area, used), "Weights", "those that are finite");
                weights::plain(report, canvas, below(area, used + 1));
            }
            return;
        }
        parts(&Subjected::new(session, tensor, report, chosen), sight, canvas, area, geometry);
    } else if let Some(failure) = session.previews.failure(subject) {
        message(canvas, area, &text::escape(failure));
    } else {
        pending(sight, subject, canvas, area, geometry);
    }
}

/// Why there are no figures of a tensor.
fn unmeasurable(sight: &Sight<'_>, canvas: &mut Canvas<'_>, area: Rect) {
    match &sight.session.plan.outlook(sight.tensor).format {
        Err(why) => {
            let (session, tensor) = (sight.session, sight.tensor);
            let words = stays(&session.plan, tensor, &session.model.tensors[tensor]);
            message(canvas, area, &text::escape(&words.unwrap_or_else(|| why.clone())));
        }
        Ok(_) => busy(canvas, area, "measuring …", false),
    }
}

/// Lines from the first that is scrolled to, with a mark where there are more.
fn scrolling(
    lines: &[Line<'_>],
    pane: &crate::tui::state::pane::Pane,
    canvas: &mut Canvas<'_>,
    area: Rect,
    geometry: &mut Geometry,
) {
    let height = usize::from(area.height);
    geometry.pane = rect_area(area);
    geometry.pane_lines = lines.len();
    let top = pane.scroll.min(lines.len().saturating_sub(height));
    canvas.lines(area, &lines[top..]);
    let more = lines.len().saturating_sub(top + height);
    if more > 0 {
        // In the border below, where it covers no figure.
        let keys = if pane.focused { "pgdn" } else { "enter, pgdn" };
        let words = format!(" ▾ {more} more: {keys} ");
        let border = Rect { height: area.height + 1, ..area };
        canvas.text(border, area.x, area.bottom(), &words, canvas.theme.accent);
    }
}

fn rect_area(rect: Rect) -> Area {
    Area { x: rect.x, y: rect.y, width: rect.width, height: rect.height }
}

/// Says that something is on its way: in the empty pane, or on the border below what was there before.
fn busy(canvas: &mut Canvas<'_>, area: Rect, words: &str, over: bool) {
    let style = canvas.theme.accent;
    if over {
        canvas.right(Rect { height: area.height + 1, ..area }, area.bottom(), &format!(" {words} "), style);
    } else {
        canvas.centred(area, area.y + area.height / 3, words, style);
    }
}

/// Until the report is there, the one before it stays, dimmed.
fn pending(sight: &Sight<'_>, subject: Subject, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let (session, theme) = (sight.session, canvas.theme);
    let before = session.shown.filter(|shown| *shown != subject);
    let report = before.and_then(|(tensor, format)| Some((tensor, session.previews.report((tensor, format))?)));
    let mut over = false;
    if let Some((tensor, report)) = report
        && let Some(method) = report.methods.first()
    {
        over = true;
        parts(&Subjected::new(session, tensor, report, method), sight, canvas, area, geometry);
        canvas.buf.set_style(area, theme.dim);
    }
    busy(canvas, area, "measuring …", over);
}

/// Words below an empty line; how many lines they take.
fn message(canvas: &mut Canvas<'_>, area: Rect, words: &str) -> u16 {
    let style = canvas.theme.warning;
    let mut used = 0;
    for (y, line) in (area.y + 1..area.bottom()).zip(super::draw::wrap(words, usize::from(area.width))) {
        canvas.text(area, area.x, y, &line, style);
        used += 1;
    }
    used
}

/// The parts that the tab asks for, each in its share of the area.
fn parts(subject: &Subjected<'_>, sight: &Sight<'_>, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    if subject.never.is_some() && subject.session.tab != Tab::Overview {
        // Where it stays as it is there is no error, no scale and no method: what is left are its values.
        let lacking = match subject.session.tab {
            Tab::Scales => "it gets no scales",
            Tab::Methods => "no method is tried",
            Tab::Map => "there is no error to map",
            _ => "",
        };
        let words = stays(&subject.session.plan, subject.tensor, &subject.session.model.tensors[subject.tensor]);
        let used = match words {
            Some(words) if !lacking.is_empty() => message(canvas, area, &format!("{words}. So {lacking}.")) + 2,
            _ => 0,
        };
        let area = below(area, used);
        let used = weights::moments(subject, canvas, area);
        weights::draw(subject, canvas, below(area, used + 1));
        return;
    }
    match subject.session.tab {
        Tab::Overview => overview(subject, canvas, area),
        Tab::Scales => {
            // The histogram is what the tab is for: figures that leave it no room go to one line.
            let facts = scales::facts(subject, canvas.theme, area.width);
            let roomy = figures::height(subject, area.width, true) + facts.len() as u16 + 1 + CHART.0 <= area.height;
            let used = figures::draw(subject, canvas, area, roomy);
            let air = u16::from(roomy);
            let rest = below(area, used);
            let rows = rest.height.saturating_sub(CHART.0 + air);
            let used = used + canvas.lines(Rect { height: rows, ..rest }, &facts);
            scales::draw(subject, canvas, below(area, used + air));
        }
        Tab::Weights => {
            let used = weights::moments(subject, canvas, area);
            let table = weights::levels_height(subject);
            let left = area.height.saturating_sub(used + 1);
            let chart = if left >= table + 9 { left - table - 1 } else { left };
            if chart == left && left >= 8 {
                let lines = weights::short_levels(subject, canvas, area.width);
                let height = left - lines.len() as u16;
                weights::draw(subject, canvas, Rect { height, ..below(area, used + 1) });
                canvas.lines(below(area, used + 1 + height), &lines);
                return;
            }
            weights::draw(subject, canvas, Rect { height: chart, ..below(area, used + 1) });
            weights::levels(subject, canvas, below(area, used + 2 + chart));
        }
        Tab::Methods => {
            let used = matrix::draw(sight, canvas, area, geometry);
            let used = used + 1 + matrix::legend(sight.weighted(), canvas, below(area, used + 1));
            let used = used + 1 + methods::legend(canvas, below(area, used + 1));
            experts::draw(subject, canvas, below(area, used + 1));
        }
        Tab::Map | Tab::Block | Tab::Trits | Tab::Info => {}
    }
}

/// Rows that a histogram is worth showing with, and those it makes good use of.
const CHART: (u16, u16) = (5, 16);

/// As many parts as fit, the most wanted first; what is left goes to the histograms.
fn overview(subject: &Subjected<'_>, canvas: &mut Canvas<'_>, area: Rect) {
    let roomy = area.height >= 26;
    let air = u16::from(roomy);
    if subject.never.is_some() {
        weights::draw(subject, canvas, Rect { height: area.height.min(CHART.1 + 1), ..area });
        return;
    }
    let mut left = area.height;
    let mut take = |rows: u16| {
        let fits = left >= rows;
        left -= if fits { rows } else { 0 };
        fits
    };
    let figure_rows = figures::height(subject, area.width, roomy) + air;
    let show_figures = take(figure_rows);
    let method_rows = methods::height(subject) + air;
    let show_methods = take(method_rows);
    let show_scales = take(CHART.0 + air);
    let show_weights = take(CHART.0 + 1 + air);
    let show_experts = experts::height(subject) > 0 && take(experts::height(subject) + air);
    let charts = u16::from(show_scales) + u16::from(show_weights);
    let extra = left.checked_div(charts).unwrap_or(0).min(CHART.1 - CHART.0);
    let mut area = area;
    let mut place = |shown: bool, rows: u16| {
        let part = Rect { height: if shown { rows.min(area.height) } else { 0 }, ..area };
        area = below(area, part.height + if shown { air } else { 0 });
        shown.then_some(part)
    };
    if let Some(part) = place(show_figures, figure_rows - air) {
        figures::draw(subject, canvas, part, roomy);
    }
    if let Some(part) = place(show_scales, CHART.0 + extra) {
        scales::draw(subject, canvas, part);
    }
    if let Some(part) = place(show_methods, method_rows - air) {
        methods::draw(subject, canvas, part);
    }
    if let Some(part) = place(show_weights, CHART.0 + 1 + extra) {
        weights::draw(subject, canvas, part);
    }
    if let Some(part) = place(show_experts, experts::height(subject)) {
        experts::draw(subject, canvas, part);
    }
}

/// What is left of an area below so many rows.
fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// A part's heading: its name and what there is to say about it.
fn heading(canvas: &mut Canvas<'_>, area: Rect, name: &str, detail: &str) {
    let theme = canvas.theme;
    let x = canvas.text(area, area.x, area.y, name, theme.title);
    let room = usize::from(area.right().saturating_sub(x + 2));
    canvas.text(area, x + 2, area.y, &fitting(detail, room), theme.dim);
}
