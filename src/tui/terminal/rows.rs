//! Rows as they should be, whatever the terminal makes of signs that terminals disagree about.
//!
//! A letter with a spacing mark, a family of emoji, an emoji with a selector: one terminal gives them one column, another
//! three. Drawing only what has changed then leaves pieces of them behind. So [`Rows`] remembers what is shown; a row that
//! has or had such a sign is drawn as a whole when anything in it changes: blanks for the sign, the sign itself, and from
//! the column that it should end in on, whatever comes behind it. A sign may look cut; all else is where it belongs, and
//! nothing is left.

use std::cell::Cell as Shared;
use std::collections::BTreeSet;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Cell, CellDiffOption, CellWidth};
use ratatui::layout::{Position, Size};

/// A backend that draws rows with doubtful signs as a whole.
pub(super) struct Rows<B> {
    inner: B,
    shown: Vec<Row>,
    /// Columns of the screen, as far as they have been asked for.
    columns: Shared<u16>,
    /// Where the cursor was put last.
    cursor: Position,
}

/// What a row of the screen shows.
#[derive(Default)]
struct Row {
    cells: Vec<Cell>,
    /// Whether terminals disagree about a sign in it.
    doubtful: bool,
}

/// Whether terminals may disagree about the columns of a sign: what is put together from several characters, and scripts and
/// pictures that are younger than some terminals. What this program draws with is none of that.
fn is_doubtful(symbol: &str) -> bool {
    let mut chars = symbol.chars();
    match (chars.next(), chars.next()) {
        (None, _) => false,
        (Some(c), None) => !matches!(
            c,
            '\0'..='\u{2ff}'
                | '\u{370}'..='\u{52f}'
                | '\u{2010}'..='\u{2bff}'
                | '\u{3000}'..='\u{9fff}'
                | '\u{ac00}'..='\u{d7a3}'
                | '\u{ff01}'..='\u{ff9d}'
                | '\u{1fb00}'..='\u{1fbff}'
        ),
        _ => true,
    }
}

impl<B> Rows<B> {
    pub(super) fn on(inner: B) -> Self {
        Self { inner, shown: Vec::new(), columns: Shared::new(0), cursor: Position::ORIGIN }
    }

    /// Takes a changed cell in; whether its row is to be drawn as a whole.
    fn remember(&mut self, x: u16, y: u16, cell: &Cell) -> bool {
        let (x, y) = (usize::from(x), usize::from(y));
        if self.shown.len() <= y {
            self.shown.resize_with(y + 1, Row::default);
        }
        let Some(row) = self.shown.get_mut(y) else { return false };
        let end = x + usize::from(cell.cell_width().max(1));
        if row.cells.len() < end {
            row.cells.resize(end, Cell::default());
        }
        // What a wide sign covers is not drawn by itself.
        let mut covered = cell.clone();
        covered.set_symbol(" ").set_diff_option(CellDiffOption::None);
        for (i, place) in row.cells[x..end].iter_mut().enumerate() {
            *place = if i == 0 { cell.clone() } else { covered.clone() };
        }
        row.doubtful |= is_doubtful(cell.symbol());
        row.doubtful
    }
}

impl<B: Backend> Rows<B> {
    /// Draws a whole row.
    fn redraw(&mut self, y: u16) -> Result<(), B::Error> {
        let Some(row) = self.shown.get_mut(usize::from(y)) else { return Ok(()) };
        let columns = usize::from(self.columns.get());
        if row.cells.len() < columns {
            row.cells.resize(columns, Cell::default());
        }
        row.doubtful = false;
        let mut plain: Vec<(u16, u16, &Cell)> = Vec::new();
        let mut x = 0;
        while let Some(cell) = row.cells.get(x) {
            let width = usize::from(cell.cell_width().max(1));
            if is_doubtful(cell.symbol()) {
                row.doubtful = true;
                let mut blank = cell.clone();
                blank.set_symbol(" ");
                plain.extend((x..x + width).map(|x| (x as u16, y, &blank)));
                self.inner.draw(plain.drain(..))?;
                // The next piece begins with a move of the cursor.
                self.inner.draw(std::iter::once((x as u16, y, cell)))?;
                plain = Vec::new();
            } else {
                plain.push((x as u16, y, cell));
            }
            x += width;
        }
        self.inner.draw(plain.into_iter())
    }
}

impl<B: Backend> Backend for Rows<B> {
    type Error = B::Error;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), B::Error>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut whole = BTreeSet::new();
        let mut changes = Vec::new();
        for (x, y, cell) in content {
            if self.remember(x, y, cell) {
                whole.insert(y);
            }
            changes.push((x, y, cell));
        }
        self.inner.draw(changes.into_iter().filter(|(_, y, _)| !whole.contains(y)))?;
        whole.into_iter().try_for_each(|y| self.redraw(y))
    }

    fn hide_cursor(&mut self) -> Result<(), B::Error> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> Result<(), B::Error> {
        self.inner.show_cursor()
    }

    /// Does not ask the terminal: its answer comes among the keys, late over a slow line or never, and clearing, which
    /// puts the cursor back, would wait for it and fail.
    fn get_cursor_position(&mut self) -> Result<Position, B::Error> {
        Ok(self.cursor)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), B::Error> {
        self.cursor = position.into();
        self.inner.set_cursor_position(self.cursor)
    }

    fn clear(&mut self) -> Result<(), B::Error> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), B::Error> {
        // The terminal of this program clears nothing but the whole.
        self.shown.clear();
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> Result<Size, B::Error> {
        let size = self.inner.size()?;
        self.columns.set(size.width);
        Ok(size)
    }

    fn window_size(&mut self) -> Result<WindowSize, B::Error> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> Result<(), B::Error> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{self, Write};
    use std::rc::Rc;

    use proptest::prelude::*;
    use ratatui::backend::CrosstermBackend;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;
    use crate::text;

    const COLUMNS: u16 = 24;
    const ROWS: u16 = 3;

    /// How many columns a terminal gives a character.
    type Widths = fn(char) -> usize;

    fn by_table(c: char) -> usize {
        unicode_width::UnicodeWidthChar::width(c).unwrap_or(0)
    }

    /// Marks that take room have a column of their own.
    fn spacing_marks(c: char) -> usize {
        if matches!(c, '\u{93e}'..='\u{940}' | '\u{9be}'..='\u{9c0}') { 1 } else { by_table(c) }
    }

    /// Knows no pictures and no marks.
    fn old(c: char) -> usize {
        if c < '\u{300}' || matches!(c, '\u{2010}'..='\u{2bff}') {
            1
        } else {
            1 + usize::from(matches!(c, '\u{3000}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'))
        }
    }

    /// A terminal without wrapping: what each cell shows, none for the right half of a wide sign.
    struct Screen {
        cells: Vec<Vec<Option<String>>>,
        at: (usize, usize),
        widths: Widths,
    }

    impl Screen {
        fn new(widths: Widths) -> Self {
            let row = vec![Some(" ".to_owned()); usize::from(COLUMNS)];
            Self { cells: vec![row; usize::from(ROWS)], at: (0, 0), widths }
        }

        /// What is half covered is gone.
        fn break_at(&mut self, x: usize) {
            let row = &mut self.cells[self.at.1];
            if row[x].is_none() {
                row[x - 1] = Some(" ".to_owned());
            }
            row[x] = Some(" ".to_owned());
            if row.get(x + 1).is_some_and(Option::is_none) {
                row[x + 1] = Some(" ".to_owned());
            }
        }

        fn print(&mut self, c: char) {
            let width = (self.widths)(c);
            let (x, y) = self.at;
            let last = usize::from(COLUMNS) - 1;
            if width == 0 {
                let mut before = x.saturating_sub(1);
                if self.cells[y][before].is_none() {
                    before -= 1;
                }
                if let Some(Some(cell)) = self.cells[y].get_mut(before) {
                    cell.push(c);
                }
                return;
            }
            let x = x.min(last + 1 - width);
            for x in x..x + width {
                self.break_at(x);
            }
            self.cells[y][x] = Some(c.to_string());
            for covered in &mut self.cells[y][x + 1..x + width] {
                *covered = None;
            }
            self.at.0 = x + width;
        }

        fn process(&mut self, bytes: &[u8]) {
            let text = std::str::from_utf8(bytes).unwrap();
            let mut rest = text.chars();
            while let Some(c) = rest.next() {
                if c != '\x1b' {
                    self.print(c);
                    continue;
                }
                assert_eq!(rest.next(), Some('['));
                let sequence: String = rest.by_ref().take_while(|c| !c.is_ascii_alphabetic()).collect();
                // Only moves have two numbers and end with H; colours are `m`.
                let numbers: Vec<usize> = sequence.split(';').filter_map(|n| n.parse().ok()).collect();
                let end = text[..text.len() - rest.as_str().len()].chars().next_back();
                if let (Some('H'), [row, column]) = (end, &numbers[..]) {
                    self.at = (column - 1, row - 1);
                }
            }
        }
    }

    fn frame(lines: &[String]) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, COLUMNS, ROWS));
        for (y, line) in (0..).zip(lines) {
            let clipped = text::clip(&text::escape(line), usize::from(COLUMNS) - 6);
            let (x, _) = buffer.set_stringn(0, y, clipped, usize::from(COLUMNS), Style::new());
            buffer.set_stringn(x, y, "│", 1, Style::new());
            buffer.set_stringn(COLUMNS - 1, y, "│", 1, Style::new());
        }
        buffer
    }

    /// What goes to the terminal.
    #[derive(Clone, Default)]
    struct Line(Rc<RefCell<Vec<u8>>>);

    impl Write for Line {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Our way to a terminal, and the terminal.
    struct Wired {
        rows: Rows<CrosstermBackend<Line>>,
        line: Line,
        screen: Screen,
        before: Buffer,
    }

    impl Wired {
        fn new(widths: Widths) -> Self {
            let line = Line::default();
            let rows = Rows::on(CrosstermBackend::new(line.clone()));
            rows.columns.set(COLUMNS);
            let before = Buffer::empty(Rect::new(0, 0, COLUMNS, ROWS));
            Self { rows, line, screen: Screen::new(widths), before }
        }

        fn draw(&mut self, next: &Buffer) {
            self.rows.draw(self.before.diff(next).into_iter()).unwrap();
            self.screen.process(&self.line.0.take());
            self.before = next.clone();
        }
    }

    fn lines() -> impl Strategy<Value = Vec<String>> {
        let parts = [
            "a",
            "bc",
            " ",
            ".",
            "日",
            "本",
            "é",
            "e\u{301}",
            "মা",
            "মান",
            "हि",
            "न्दी",
            "👩",
            "👩\u{200d}👩\u{200d}👧",
            "🇩🇪",
            "🇩",
            "❤\u{fe0f}",
            "⚠",
            "ｶﾞ",
            "한",
            "\u{1112}\u{1161}",
            "\u{200b}",
            "\u{301}",
            "লা",
            "🫨",
            "لا",
        ];
        let line = proptest::collection::vec(proptest::sample::select(parts.to_vec()), 0..10);
        proptest::collection::vec(line.prop_map(|parts| parts.concat()), usize::from(ROWS))
    }

    proptest! {
        #[test]
        fn whatever_was_shown_the_screen_is_as_if_drawn_afresh(frames in proptest::collection::vec(lines(), 1..6)) {
            for widths in [by_table as Widths, spacing_marks, old] {
                let mut terminal = Wired::new(widths);
                for lines in &frames {
                    let next = frame(lines);
                    terminal.draw(&next);
                    let mut fresh = Wired::new(widths);
                    fresh.draw(&next);
                    prop_assert_eq!(&terminal.screen.cells, &fresh.screen.cells, "{:?}", lines);
                    for (x, y) in (0..COLUMNS).flat_map(|x| (0..ROWS).map(move |y| (x, y))) {
                        let wanted = next[(x, y)].symbol();
                        let shown = terminal.screen.cells[usize::from(y)][usize::from(x)].as_deref();
                        prop_assert!(wanted != "│" || shown == Some(wanted), "a border at {},{}: {:?}", x, y, lines);
                    }
                }
            }
        }
    }

    /// The backend by itself fails where [`Rows`] does not: the test above tests something.
    #[test]
    fn drawing_only_what_changed_leaves_letters() {
        let names = ["মান", "x"].map(|name| frame(&[name.to_owned(), String::new(), String::new()]));
        let line = Line::default();
        let (mut backend, mut screen) = (CrosstermBackend::new(line.clone()), Screen::new(spacing_marks));
        let empty = Buffer::empty(names[0].area);
        for (from, to) in [(&empty, &names[0]), (&names[0], &names[1])] {
            backend.draw(from.diff(to).into_iter()).unwrap();
            screen.process(&line.0.take());
        }
        let mut fresh = Wired::new(spacing_marks);
        fresh.draw(&names[1]);
        assert_ne!(screen.cells, fresh.screen.cells);
    }

    #[test]
    fn what_the_program_draws_with_is_not_doubtful() {
        for sign in ["a", "é", "│", "█", "⣿", "…", "▸", "×", "日", "한", "ж", "\u{1fb3b}"] {
            assert!(!is_doubtful(sign), "{sign}");
        }
        for sign in ["মা", "e\u{301}", "👩\u{200d}👩\u{200d}👧", "🇩", "❤\u{fe0f}", "ন"] {
            assert!(is_doubtful(sign), "{sign}");
        }
    }
}
