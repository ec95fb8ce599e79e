//! The model's pages: a box with the tabs in its upper border, and for some pages a second one beside or below it.

mod metadata;
mod overview;
mod problems;
mod recipe;
mod runtimes;
mod template;
mod tokenizer;

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::draw::{Canvas, spinner, wrap};
use crate::text;
use crate::tui::state::geometry::scrolled;
use crate::tui::state::input::TextInput;
use crate::tui::state::pages::{Page, panes};
use crate::tui::state::{Area, Geometry, Session, State};

/// What every page is drawn from and with.
struct Drawing<'a, 'b> {
    state: &'a State,
    session: &'a Session,
    canvas: &'a mut Canvas<'b>,
    geometry: &'a mut Geometry,
}

pub(super) fn draw(state: &State, session: &Session, canvas: &mut Canvas<'_>, geometry: &mut Geometry) {
    let page = session.pages.page;
    let (mut list, beside) = panes(page, state.size);
    if page == Page::Problems && session.pages.problems.list.is_empty() {
        list.height += beside.height;
    }
    let (list, beside) = (rect(list), rect(beside));
    let mut drawing = Drawing { state, session, canvas, geometry };
    let inner = drawing.canvas.boxed(list, "");
    // Air at the sides for texts; rows of lists are as wide as the box, so that the cursor's bar is.
    let airy = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    match page {
        Page::Overview => overview::draw(&mut drawing, airy),
        Page::Metadata => metadata::draw(&mut drawing, inner, beside),
        Page::Tokenizer => tokenizer::draw(&mut drawing, inner, beside),
        Page::Template => template::draw(&mut drawing, airy),
        Page::Problems => problems::draw(&mut drawing, inner, beside),
        Page::Recipe => recipe::draw(&mut drawing, inner, beside),
        Page::Runtimes => runtimes::draw(&mut drawing, inner, beside),
    }
    tabs(&mut drawing, list, beside);
}

fn rect(area: Area) -> Rect {
    Rect { x: area.x, y: area.y, width: area.width, height: area.height }
}

fn area(rect: Rect) -> Area {
    Area { x: rect.x, y: rect.y, width: rect.width, height: rect.height }
}

/// The tabs: full names where they fit, else short ones, else numbers.
fn tabs(drawing: &mut Drawing<'_, '_>, list: Rect, beside: Rect) {
    let theme = drawing.canvas.theme;
    // They run on over a pane beside the list: its corners give way.
    let mut outer = list;
    if beside.width > 0 && beside.y == list.y {
        for x in [list.right() - 1, beside.x] {
            drawing.canvas.buf[(x, list.y)].set_symbol("┬");
        }
        outer.width += beside.width;
    }
    let open = drawing.session.pages.page;
    let label = |i: usize, page: Page, form: usize| match form {
        0 => format!(" {} {}", i + 1, page.title()),
        1 => format!(" {} {}", i + 1, page.short()),
        _ if page == open => format!(" {} {}", i + 1, page.short()),
        _ => format!(" {}", i + 1),
    };
    let width = |form: usize| -> usize {
        Page::ALL.into_iter().enumerate().map(|(i, page)| text::width(&label(i, page, form))).sum::<usize>() + 1
    };
    let room = usize::from(outer.width.saturating_sub(4));
    let form = (0..2).find(|form| width(*form) <= room).unwrap_or(2);
    let inside = Rect { width: outer.width.saturating_sub(2), ..outer };
    let mut x = outer.x + 2;
    for (i, page) in Page::ALL.into_iter().enumerate() {
        let style = if page == open { theme.title } else { theme.dim };
        let end = drawing.canvas.text(inside, x, outer.y, &label(i, page, form), style);
        drawing.geometry.page_tabs.push((Area { x, y: outer.y, width: end - x, height: 1 }, page));
        x = end;
    }
    drawing.canvas.text(inside, x, outer.y, " ", theme.dim);
}

impl Drawing<'_, '_> {
    /// A list of `len` rows of which those in sight are drawn by `line`; the one under the cursor has its bar.
    fn list(
        &mut self,
        rows: Rect,
        cursor: usize,
        len: usize,
        active: bool,
        mut line: impl FnMut(&Canvas<'_>, usize) -> Line<'static>,
    ) {
        let height = usize::from(rows.height);
        let offset = scrolled(self.state.geometry.page_offset, cursor, len, height);
        for (i, row) in (offset..len.min(offset + height)).enumerate() {
            let y = rows.y + i as u16;
            let content = line(self.canvas, row);
            self.canvas.line(rows, y, &content);
            if row == cursor {
                let theme = self.canvas.theme;
                let idle = !active || self.state.dialog.is_some();
                let style = if idle { theme.cursor_idle } else { theme.cursor };
                self.canvas.buf.set_style(Rect { y, height: 1, ..rows }, style);
            }
        }
        self.geometry.page = area(rows);
        self.geometry.page_offset = offset;
        self.geometry.page_lines = len;
    }

    /// A text of `len` lines from `top` on.
    fn text(&mut self, rows: Rect, top: usize, len: usize, line: impl Fn(usize) -> Line<'static>) {
        let height = usize::from(rows.height);
        let top = top.min(len.saturating_sub(height));
        for (i, row) in (top..len.min(top + height)).enumerate() {
            self.canvas.line(rows, rows.y + i as u16, &line(row));
        }
        self.geometry.page = area(rows);
        self.geometry.page_offset = top;
        self.geometry.page_lines = len;
    }

    /// The place in a list, in the lower border.
    fn place(&mut self, outer: Rect, words: &str) -> u16 {
        let dim = self.canvas.theme.dim;
        let inside = Rect { x: outer.x + 2, width: outer.width.saturating_sub(4), ..outer };
        self.canvas.right(inside, outer.bottom().saturating_sub(1), words, dim)
    }

    /// What is searched, in the lower border: while it is typed with the cursor in it, else as a chip.
    fn searched(&mut self, outer: Rect, right: u16, prompt: &str, input: &TextInput, editing: bool, found: &str) {
        let theme = self.canvas.theme;
        let y = outer.bottom().saturating_sub(1);
        let inside = Rect { x: outer.x + 2, y, width: right.saturating_sub(outer.x + 3), height: 1 };
        if editing {
            let x = self.canvas.text(inside, inside.x, y, prompt, theme.key);
            let found_width = text::width(found) as u16;
            let field = Rect { x, width: inside.right().saturating_sub(x + found_width).max(1), ..inside };
            self.canvas.input(field, input, true);
            self.canvas.text(inside, field.right(), y, found, theme.dim);
        } else if !input.text().is_empty() {
            let words = format!("{prompt}{}{found}", text::escape(input.text()));
            self.canvas.text(inside, inside.x, y, &words, theme.warning);
        }
    }

    /// Words in the middle of an empty page.
    fn message(&mut self, inner: Rect, words: &str, style: Style) {
        let lines = wrap(words, usize::from(inner.width.saturating_sub(4)).max(8));
        let top = inner.y + inner.height.saturating_sub(lines.len() as u16) / 2;
        for (y, line) in (top..inner.bottom()).zip(&lines) {
            self.canvas.centred(inner, y, line, style);
        }
    }

    /// That something is being read.
    fn reading(&mut self, inner: Rect, what: &str) {
        let words = format!("{} reading {what} …", spinner(self.state.phase()));
        let style = self.canvas.theme.dim;
        self.message(inner, &words, style);
    }

    /// That something cannot be read.
    fn failed(&mut self, inner: Rect, why: &str) {
        let words = format!("✗ {}", text::escape(why));
        let style = self.canvas.theme.error;
        self.message(inner, &words, style);
    }
}

/// A line of words, wrapped and in one style.
fn paragraph(words: &str, columns: u16, style: Style) -> Vec<Line<'static>> {
    wrap(words, usize::from(columns)).into_iter().map(|line| Line::from(Span::styled(line, style))).collect()
}

/// What is inside a box, with a column of air at the sides.
fn airy(inner: Rect) -> Rect {
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

/// What is left of an area below so many rows.
fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}
