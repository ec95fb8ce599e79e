//! Draws the state: title, tree, preview, plan bar, and the dialog over them. Nothing here changes anything.

mod ascii;
mod bar;
mod compare;
mod dialog;
mod draw;
mod filter;
mod pages;
mod preview;
mod sensitivity;
mod slider;
mod title;
mod tour;
mod tree;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::keymap::Context;
use super::state::{Area, Dialog, Geometry, Screen, Session, State};
use super::theme::Theme;
use crate::text;
use draw::Canvas;

/// The least screen that is drawn on.
pub use crate::tui::state::geometry::MIN_SIZE;

/// Columns from which on the tree stays in sight while the preview has the keys.
const ROOM_FOR_BOTH: u16 = 120;

/// Draws a frame; where things are comes back.
pub fn draw(state: &State, theme: &Theme, frame: &mut Frame<'_>) -> Geometry {
    let area = frame.area();
    let mut geometry = Geometry::default();
    let cursor = {
        let mut canvas = Canvas { buf: frame.buffer_mut(), theme, cursor: None };
        canvas.fill(area);
        if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
            too_small(state, &mut canvas, area);
        } else if state.appearance.ascii {
            text::in_ascii(ascii::ASCII, || screen(state, &mut canvas, area, &mut geometry));
        } else {
            screen(state, &mut canvas, area, &mut geometry);
        }
        if state.appearance.ascii {
            ascii::pass(canvas.buf);
        }
        canvas.cursor
    };
    if let Some(position) = cursor {
        frame.set_cursor_position(position);
    }
    geometry
}

fn screen(state: &State, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let [top, body, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(4)]).areas(area);
    title::draw(state, canvas, top);
    if let Some(session) = &state.session {
        let mut body = body;
        if let Some(tour) = state.tour.as_ref().filter(|_| tour::shows(state, body)) {
            body.height -= tour::HEIGHT;
            tour::draw(state, tour, canvas, Rect { y: body.bottom(), height: tour::HEIGHT, ..body });
        }
        match session.screen {
            Screen::Tensors => tensors(state, session, canvas, body, geometry),
            Screen::Sensitivity => sensitivity::draw(state, session, canvas, body, geometry),
            Screen::Compare => {
                if let Some(compare) = &session.compare {
                    compare::draw(state, compare, canvas, body, geometry);
                }
            }
            Screen::Model => pages::draw(state, session, canvas, geometry),
        }
        match &session.slider {
            Some(slider) if session.screen == Screen::Tensors => {
                slider::draw(state, session, slider, canvas, bottom, geometry);
            }
            _ => bar::draw(state, session, canvas, bottom, geometry),
        }
    } else {
        welcome(state, canvas, body);
        bar::job(state, canvas, Rect { y: bottom.y + 1, height: 1, ..bottom });
        bar::hints(state, canvas, bottom, geometry);
    }
    if let Some(open) = &state.dialog {
        dialog::draw(state, open, canvas, body, geometry);
    }
}

/// The tree, and beside it the preview.
fn tensors(state: &State, session: &Session, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    // Where there is little room, what has the keys has it all.
    if session.pane.focused && area.width < ROOM_FOR_BOTH {
        geometry.tree_offset = session.tree.offset;
        geometry.preview = Area { x: area.x, y: area.y, width: area.width, height: area.height };
        preview::draw(state, session, canvas, area, geometry);
        return;
    }
    let width = session.split.left(area.width, tree_width(area.width));
    let [left, right] = Layout::horizontal([Constraint::Length(width), Constraint::Min(1)]).areas(area);
    geometry.splitter = right.x;
    geometry.preview = Area { x: right.x, y: right.y, width: right.width, height: right.height };
    tree::draw(state, session, canvas, left, geometry);
    preview::draw(state, session, canvas, right, geometry);
}

/// Columns of the tree: a little more than half, and no more than its columns can use.
fn tree_width(columns: u16) -> u16 {
    match columns {
        0..=99 => columns * 11 / 20,
        100..=159 => columns * 27 / 50,
        160..=179 => columns / 2,
        // Room for why each tensor ends as it does, beside a preview that is wide enough.
        _ => (columns * 29 / 50).min(140),
    }
}

/// What is there before a model is: a spinner while one is being opened.
fn welcome(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let middle = area.y + (area.height / 2).saturating_sub(1);
    let mut lines = Vec::new();
    if let Some(opening) = &state.opening {
        let path = super::state::command::shorten(&opening.path, state.settings.home.as_deref());
        let words =
            format!("{} opening {}", draw::spinner(state.phase()), text::elide(&path, usize::from(area.width) - 14));
        lines.push((words, theme.text));
        let seconds = state.now.saturating_sub(opening.since).as_secs();
        // Most files are open before this can be read.
        lines.push(match seconds {
            0..=2 => ("only the header is read; weights stay where they are".to_owned(), theme.dim),
            _ => (format!("for {seconds} s: a slow disk, or many files"), theme.dim),
        });
    } else if state.dialog.is_none() {
        lines.push(("no file is open".to_owned(), theme.text));
        lines.push(("o chooses one · d opens the built-in demo · q quits".to_owned(), theme.dim));
    }
    for (y, (words, style)) in (middle..area.bottom()).zip(lines) {
        canvas.centred(area, y, &words, style);
    }
}

fn too_small(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let keys = match state.dialog {
        Some(Dialog::Quit) => "an export runs: w waits for it, c cancels it, s stays",
        _ => "q quits; other keys do nothing",
    };
    let mut lines =
        vec![format!("{}×{} is too small", area.width, area.height), format!("needs {}×{}", MIN_SIZE.0, MIN_SIZE.1)];
    lines.extend(draw::wrap(keys, usize::from(area.width.max(8))));
    let top = area.y + area.height.saturating_sub(lines.len() as u16) / 2;
    for (y, line) in (top..area.bottom()).zip(&lines) {
        canvas.centred(area, y, line, canvas.theme.text);
    }
}

/// Whether the tree has the keys.
fn tree_is_active(state: &State) -> bool {
    Context::of(state) == Context::Browse
}

/// Whether a dialog covers the main screen.
fn is_covered(state: &State) -> bool {
    matches!(state.dialog, Some(Dialog::Picker(_) | Dialog::Help(_)))
}
