//! What lies over the main screen. Each dialog draws itself and tells where its list is.

mod forms;
mod jobs;
mod palette;
mod picker;
mod presets;
mod reading;
mod types;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::draw::{Canvas, wrap};
use crate::engine::progress::Stage;
use crate::text;
use crate::tui::action::{Action, PaneAction};
use crate::tui::state::apply::Scope;
use crate::tui::state::command::shorten;
use crate::tui::state::dialog::ApplyForm;
use crate::tui::state::geometry::Spot;
use crate::tui::state::jobs::whole_seconds;
use crate::tui::state::{Area, Dialog, Geometry, State};

pub(super) fn draw(state: &State, dialog: &Dialog, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let beneath = match dialog {
        Dialog::Palette(open) => open.beneath.as_deref(),
        Dialog::Help(help) => help.beneath.as_deref(),
        _ => None,
    };
    if let Some(beneath) = beneath {
        draw(state, beneath, canvas, area, geometry);
    }
    // What lies beneath is not clicked.
    geometry.spots.clear();
    match dialog {
        Dialog::Palette(open) => palette::draw(state, open, canvas, area, geometry),
        Dialog::Help(help) => reading::help(state, help, canvas, area, geometry),
        Dialog::Copy(menu) => palette::copying(state, *menu, canvas, area, geometry),
        Dialog::Messages(scroll) => reading::messages(state, *scroll, canvas, area, geometry),
        Dialog::Jobs(dialog) => jobs::draw(state, *dialog, canvas, area, geometry),
        Dialog::Quantize(form) => forms::quantize(state, form, canvas, area, geometry),
        Dialog::SaveRecipe(form) => {
            forms::save(form, ("Save the recipe", "for `tritscope quantize FILE -o OUT --recipe …`"), canvas, area);
        }
        Dialog::SaveReport(form) => {
            let what = "as `tritscope plan` prints it; .json gives JSON, .md Markdown";
            forms::save(form, ("Write the report of the plan", what), canvas, area);
        }
        Dialog::SaveChart(form) => {
            let what = "writes .svg, .csv and .json; a path that ends with one of them, only that";
            forms::save(form, ("Write the chart", what), canvas, area);
        }
        Dialog::Presets(menu) => presets::menu(state, menu, canvas, area, geometry),
        Dialog::Types(menu, _) => types::menu(menu, canvas, area, geometry),
        Dialog::ReadRecipe(form) => presets::file(form, canvas, area),
        Dialog::Apply(form) => apply(state, *form, canvas, area, geometry),
        Dialog::Quit => quit(state, canvas, area, geometry),
        Dialog::Picker(picker) => picker::draw(state, picker, canvas, area, geometry),
        Dialog::Failure { path, message, .. } => {
            let shown = shorten(path, state.settings.home.as_deref());
            // The path is the box's own first line.
            let named = [shown.as_str(), &text::escape(&path.to_string_lossy())];
            let told = named.iter().find_map(|name| message.strip_prefix(name)?.strip_prefix(": "));
            failure(state, &shown, told.unwrap_or(message), canvas, area, geometry);
        }
    }
}

/// Makes a line of a dialog one that can be clicked.
fn clicked(geometry: &mut Geometry, inner: Rect, line: usize, action: Action) {
    let area = Rect { y: inner.y + line as u16, height: 1, ..inner }.intersection(inner);
    geometry.spots.push((area_of(area), Spot::Act(action)));
}

fn quit(state: &State, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let active = state.jobs.active().count();
    let (what, wait, cancel) = if active == 0 {
        ("No export runs any more.".to_owned(), "quit", "quit")
    } else if let (1, Some(job)) = (active, state.jobs.current()) {
        let what = format!("{} is not finished.", text::elide(&job.name(), 40));
        (what, "wait for it, then quit", "cancel it and quit; nothing is left of it")
    } else {
        let what = format!("{active} exports are not finished.");
        (what, "wait for them, then quit", "cancel them and quit; nothing is left of them")
    };
    let option = |key: &'static str, words: &'static str| {
        Line::from(vec![Span::styled(format!("  {key}  "), theme.key), Span::styled(words, theme.text)])
    };
    let progress = state.jobs.current().map(|job| {
        let left = job.remaining().map(|s| format!(" · {} left", whole_seconds(s))).unwrap_or_default();
        let paused = if job.paused.is_some() { " · paused; goes on if you wait" } else { "" };
        let stage = job.stage().map_or("queued", Stage::label);
        format!("{stage}, {:.0} %{left}{paused}", (job.state.fraction() * 100.0).floor())
    });
    let lines = [
        Line::from(Span::styled(what, theme.text)),
        Line::from(Span::styled(progress.unwrap_or_default(), theme.dim)),
        Line::default(),
        option("w", wait),
        option("c", cancel),
        option("s", "stay"),
    ];
    let inner = canvas.dialog(area, 60, lines.len() as u16 + 2, "Quit?");
    canvas.lines(inner, &lines);
    for (line, action) in (3..).zip([Action::QuitWhenDone, Action::CancelAndQuit, Action::Back]) {
        clicked(geometry, inner, line, action);
    }
}

fn apply(state: &State, form: ApplyForm, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let Some(session) = &state.session else { return };
    let Some(tensor) = session.model.tensors.get(form.tensor) else { return };
    let width = area.width.min(64);
    let columns = usize::from(width).saturating_sub(12);
    let of_role = session.model.tensors.iter().filter(|t| t.role == tensor.role).count();
    let option = |key: &'static str, words: String| {
        let words = text::elide(&words, columns);
        Line::from(vec![Span::styled(format!("  {key}  "), theme.key), Span::styled(words, theme.text)])
    };
    let mut lines = vec![
        option("t", format!("for {}", text::escape(&tensor.name))),
        option("r", format!("for every tensor of role {} ({of_role})", tensor.role)),
        option("m", "for the model: its format and method".to_owned()),
        option("esc", "not at all".to_owned()),
    ];
    if let Some(runtime) =
        form.format.only_in().filter(|_| session.plan.recipe().format.only_in() != form.format.only_in())
    {
        let words = format!("{} runs in {runtime} only: m is what can be had", form.format);
        let wrapped = wrap(&words, usize::from(width).saturating_sub(4));
        lines.extend(wrapped.into_iter().map(|line| Line::from(Span::styled(line, theme.warning))));
    }
    let inner = canvas.dialog(area, width, lines.len() as u16 + 2, &format!("Apply {} {}", form.method, form.format));
    canvas.lines(inner, &lines);
    let scopes = [Scope::Tensor, Scope::Role, Scope::Model].map(|scope| Action::Pane(PaneAction::Apply(scope)));
    for (line, action) in scopes.into_iter().chain([Action::Back]).enumerate() {
        clicked(geometry, inner, line, action);
    }
}

fn failure(state: &State, path: &str, message: &str, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let theme = canvas.theme;
    let width = area.width.min(76);
    let columns = usize::from(width) - 4;
    let mut lines = vec![Line::from(Span::styled(text::elide(path, columns), theme.strong)), Line::default()];
    let message = wrap(&text::escape(message), columns);
    lines.extend(message.into_iter().map(|line| Line::from(Span::styled(line, theme.error))));
    lines.push(Line::default());
    let open = [Span::styled("enter", theme.key), Span::styled(" open another file   ", theme.dim)];
    // Without a model there is nothing behind it but the picker.
    let close = if state.session.is_some() { " close" } else { " choose a file" };
    let close = [Span::styled("esc", theme.key), Span::styled(close, theme.dim)];
    let divide = open.iter().map(|span| text::width(&span.content) as u16).sum::<u16>();
    lines.push(Line::from([open, close].concat()));
    let inner = canvas.dialog(area, width, lines.len() as u16 + 2, "Cannot open this file");
    canvas.lines(inner, &lines);
    let left = Rect { width: divide.min(inner.width), ..inner };
    clicked(geometry, left, lines.len() - 1, Action::Open);
    clicked(
        geometry,
        Rect { x: left.right(), width: inner.width - left.width, ..inner },
        lines.len() - 1,
        Action::Back,
    );
}

fn area_of(rect: Rect) -> Area {
    Area { x: rect.x, y: rect.y, width: rect.width, height: rect.height }
}
