//! The tour's strip above the plan bar: which step is next, and the keys for it.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::draw::Canvas;
use crate::engine::plan::Reason;
use crate::text;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::state::tour::{Step, Tour};
use crate::tui::state::{Screen, Session, State};

/// Rows that it takes.
pub(super) const HEIGHT: u16 = 3;
/// Rows that have to be left for the screen above it.
const LEAST: u16 = 14;

/// Whether there is a tour to show, and room for it.
pub(super) fn shows(state: &State, area: Rect) -> bool {
    let screen = state.session.as_ref().is_some_and(|s| s.screen != Screen::Model);
    state.tour.is_some() && screen && area.height >= LEAST + HEIGHT
}

pub(super) fn draw(state: &State, tour: &Tour, canvas: &mut Canvas<'_>, area: Rect) {
    let Some(step) = tour.step() else { return };
    let theme = canvas.theme;
    let key = |action| first_key(state, action);
    let inner = canvas.boxed(area, "");
    canvas.frame(area, theme.accent);
    let mut title = vec![Span::styled(" Tour ", theme.title)];
    for (other, done) in tour.steps() {
        let (sign, style) = match done {
            true => ("✓ ", theme.good),
            false if other == step => ("● ", theme.accent),
            false => ("○ ", theme.dim),
        };
        title.push(Span::styled(sign, style));
    }
    let line = Line::from(title);
    canvas.line(Rect { x: area.x + 2, width: area.width.saturating_sub(4), height: 1, ..area }, area.y, &line);
    let skip = format!(" {} skips it ", key(Action::SkipTour));
    canvas.right(Rect { width: area.width.saturating_sub(2), ..area }, area.y, &skip, theme.dim);
    // Text, then key, then text, and so on: at 80 columns all of it is to be seen.
    let (up, down) = (key(Action::Up), key(Action::Down));
    let on_protected = |session: &Session| {
        let tensor = session.tree.selected_tensor();
        tensor.is_some_and(|tensor| matches!(session.plan.decision(tensor).reason, Reason::Protected(_)))
    };
    let parts: Vec<(String, bool)> = match step {
        Step::Look => {
            words(&["go to a tensor with ", &up, " and ", &down, ": its error is in the column SQNR, and beside it"])
        }
        Step::Toggle => {
            let (toggle, undo) = (key(Action::ToggleTernary), key(Action::Undo));
            match state.session.as_ref().map(on_protected) {
                Some(true) => {
                    words(&["what has a P is protected from going ternary: try another with ", &up, " or ", &down])
                }
                _ => words(&["", &toggle, " makes the row ternary, or keeps it as it is; ", &undo, " takes that back"]),
            }
        }
        Step::Worst => {
            let (worst, map) = (key(Action::Worst), key(Action::Sensitivity));
            words(&["where does it hurt most? ", &worst, " goes there, ", &map, " shows the error by layer and role"])
        }
        Step::Quantize => {
            let (quantize, back) = (key(Action::Quantize), key(Action::Back));
            match Context::of(state) {
                Context::Browse => words(&["", &quantize, " writes the ternary model, in the background"]),
                _ => words(&[
                    "",
                    &back,
                    " leads back to the list of tensors; there ",
                    &quantize,
                    " writes the ternary model",
                ]),
            }
        }
    };
    let style = |is_key: bool| -> Style { if is_key { theme.key } else { theme.text } };
    let spans = parts.into_iter().map(|(part, is_key)| Span::styled(part, style(is_key)));
    let spans: Vec<Span<'_>> = std::iter::once(Span::raw(" ")).chain(spans).collect();
    canvas.line(inner, inner.y, &Line::from(spans));
}

/// Every second word is a key.
fn words(parts: &[&str]) -> Vec<(String, bool)> {
    parts.iter().enumerate().map(|(i, part)| ((*part).to_owned(), i % 2 == 1)).collect()
}

/// The first key of an action on the main screen, or its name where it has none.
fn first_key(state: &State, action: Action) -> String {
    let bound = state.settings.keymap.of(Context::Browse).find(|b| b.action == action);
    let shown = bound.and_then(|b| b.shown.split(' ').next()).filter(|key| !key.is_empty());
    text::clip(shown.unwrap_or(action.name()), 16)
}
